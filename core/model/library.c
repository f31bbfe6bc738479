/* library.c: what the library says about itself. */
#include <stdio.h>
#include <stdlib.h>

#include "model/options.h"
#include "ngff.h"

const char *ngff_version(void)
{
    return NGFF_LIBRARY_VERSION; /* of CMakeLists.txt */
}

const char *ngff_status_text(int32_t status)
{
    static const struct {
        int32_t status;
        const char *text;
    } table[] = {
        {NGFF_OK, "success"},
        {NGFF_E_MEMORY, "out of memory"},
        {NGFF_E_ARGUMENT, "bad argument"},
        {NGFF_E_OPTION, "bad option"},
        {NGFF_E_UNSUPPORTED, "not supported"},
        {NGFF_E_EXISTS, "destination exists"},
        {NGFF_E_NOT_FOUND, "not found"},
        {NGFF_E_STORAGE, "storage failure"},
        {NGFF_E_REFUSED, "refused"},
        {NGFF_E_AGAIN, "failed for now"},
        {NGFF_E_CORRUPT, "corrupt data"},
        {NGFF_E_STATE, "wrong state"},
        {NGFF_E_CANCELLED, "cancelled"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return table[i].text;
    return "unknown status";
}

const char *ngff_finding_word(int32_t kind)
{
    static const char *const words[] = {
        [NGFF_FINDING_NOTE] = "note",       [NGFF_FINDING_STRAY] = "stray",   [NGFF_FINDING_DAMAGE] = "damage",
        [NGFF_FINDING_INVALID] = "invalid", [NGFF_FINDING_ADVICE] = "advice", [NGFF_FINDING_TOLERABLE] = "invalid",
        [NGFF_FINDING_UNREAD] = "unread"};
    return kind >= 0 && kind < (int32_t)(sizeof words / sizeof *words) ? words[kind] : "";
}

int32_t ngff_options_know(const char *name)
{
    return name && options_know(name);
}

char *ngff_options_text(const char *format)
{
    return format ? options_text(format) : NULL;
}

int32_t ngff_options_axes(const char *const *list, char *dims, int64_t *sizes, char *message, int64_t size)
{
    options o;
    error e = {0};
    options_read(list, &o, &e);
    for (int i = 0; e.status == NGFF_OK && i < o.axes.n; i++)
        sizes[i] = o.axes.value[i];
    if (e.status == NGFF_OK)
        snprintf(dims, 6, "%.*s", o.axes.n, o.axes.dim);
    if (message && size > 0)
        snprintf(message, (size_t)size, "%s", e.message);
    int32_t result = e.status == NGFF_OK ? o.axes.n : e.status;
    options_release(&o);
    return result;
}

void ngff_string_free(char *text)
{
    free(text);
}
