/* text.h: what POSIX has in <string.h> and other systems do not. */
#ifndef NGFF_BASE_TEXT_H
#define NGFF_BASE_TEXT_H

#include <stdlib.h>
#include <string.h>

/* The first n bytes of a text that has so many, for free(); NULL when memory is out. */
static inline char *text_copy(const char *text, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

/* Whether the n bytes hold the text. */
static inline int bytes_hold(const void *bytes, size_t n, const char *text)
{
    size_t n_text = strlen(text);
    for (size_t i = 0; i + n_text <= n; i++)
        if (memcmp((const char *)bytes + i, text, n_text) == 0)
            return 1;
    return 0;
}

#endif
