/* error.h: the first error wins. An error is a status code and one line that names the place, the cause and what to
 * do; once set it is never overwritten, so a caller may go on calling and report at the end. */
#ifndef NGFF_BASE_ERROR_H
#define NGFF_BASE_ERROR_H

#include "ngff.h"

typedef struct {
    int32_t status;
    char message[1000];
} error;

/* Sets the error if none is set. Returns the status that is now kept. Not thread-safe: one error per thread, or a
 * lock around it. format: printf's. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int32_t
error_set(error *e, int32_t status, const char *format, ...);

/* Takes over another error unless one is set already. Returns the status kept. */
int32_t error_copy(error *e, const error *from);

#endif
