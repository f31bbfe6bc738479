/* option_check.h: options that are read, and some that are refused. */
#ifndef TESTS_OPTION_CHECK_H
#define TESTS_OPTION_CHECK_H

#include "check.h"
#include "model/options.h"

/* Reads up to four options; the caller releases o. */
static int32_t read4(options *o, error *e, const char *a, const char *b, const char *c, const char *d)
{
    const char *list[] = {a, b, c, d, NULL};
    *e = (error){0};
    return options_read(list, o, e);
}

static void refused(const char *a, const char *b, const char *words)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, a, b, NULL, NULL), NGFF_E_OPTION);
    if (!strstr(e.message, words)) {
        fprintf(stderr, "%s: ", a);
        CHECK_TEXT(e.message, words);
    }
    options_release(&o);
}

#endif
