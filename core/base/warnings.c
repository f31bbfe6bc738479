/* warnings.c: see warnings.h. */
#include "base/warnings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char and_more[] = "there are more warnings; `omezarr validate` tells everything that is wrong";

void warnings_add(warnings *w, const char *format, ...)
{
    char text[1000];
    if (!w || w->n == most_warnings)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    w->texts[w->n] = strdup(w->n < most_warnings - 1 ? text : and_more);
    w->n += w->texts[w->n] != NULL;
}

void warnings_move(warnings *to, warnings *from, const char *place)
{
    for (int i = 0; i < from->n; i++)
        warnings_add(to, "%s%s%s", strcmp(from->texts[i], and_more) == 0 ? "" : place,
                     strcmp(from->texts[i], and_more) == 0 ? "" : ": ", from->texts[i]);
    warnings_release(from);
}

const char *warnings_next(warnings *w)
{
    return w->n_told < w->n ? w->texts[w->n_told++] : NULL;
}

void warnings_release(warnings *w)
{
    for (int i = 0; i < w->n; i++)
        free(w->texts[i]);
    memset(w, 0, sizeof *w);
}
