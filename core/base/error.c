/* error.c: see error.h. */
#include "error.h"

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
    return status;
}

int32_t error_copy(error *e, const error *from)
{
    if (e->status == NGFF_OK && from->status != NGFF_OK)
        *e = *from;
    return e->status;
}
