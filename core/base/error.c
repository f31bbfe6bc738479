/* error.c: see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t error_set(error *e, int32_t status, const char *format, ...)
{
    if (e->status != NGFF_OK)
        return e->status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->message, sizeof e->message, format, arguments);
    va_end(arguments);
    e->status = status;
    e->has_place = 0;
    return status;
}

int32_t error_at(error *e, const char *format, ...)
{
    char cause[sizeof e->message];
    if (e->status == NGFF_OK || e->has_place)
        return e->status;
    memcpy(cause, e->message, sizeof cause);
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(e->message, sizeof e->message, format, arguments);
    va_end(arguments);
    if (n >= 0 && (size_t)n < sizeof e->message)
        snprintf(e->message + n, sizeof e->message - (size_t)n, ": %s", cause);
    e->has_place = 1;
    return e->status;
}

int32_t error_has_place(error *e)
{
    e->has_place = e->status != NGFF_OK;
    return e->status;
}

int32_t error_copy(error *e, const error *from)
{
    if (e->status == NGFF_OK && from->status != NGFF_OK)
        *e = *from;
    return e->status;
}
