/* error.h: the first error wins. An error is a status code and one line that names the place, the cause and what to
 * do; once set it is never overwritten, so a caller may go on calling and report at the end. */
#ifndef NGFF_BASE_ERROR_H
#define NGFF_BASE_ERROR_H

#include "ngff.h"

typedef struct {
    int32_t status;
    int has_place;  /* the message names the place */
    int is_refusal; /* the server refuses it (401, 403), or sends a page for it: perhaps it is not there */
    char message[1000];
} error;

/* Sets the error if none is set. Returns the status that is now kept. Not thread-safe: one error per thread, or a
 * lock around it. format: printf's. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int32_t
error_set(error *e, int32_t status, const char *format, ...);

/* Puts a place and ": " in front of the message, unless it names one already: the first caller who knows the path says
 * it. Without an error it does nothing. format: printf's, of the place. Returns the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int32_t
error_at(error *e, const char *format, ...);

/* The message names its place in its own words, as those of a store do. Returns the status. */
int32_t error_has_place(error *e);

/* Takes over another error unless one is set already. Returns the status kept. */
int32_t error_copy(error *e, const error *from);

#endif
