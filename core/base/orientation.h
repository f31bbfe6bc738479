/* orientation.h: where an axis of space leads in a body, by the words of RFC-4 ("anatomical" orientation). */
#ifndef NGFF_BASE_ORIENTATION_H
#define NGFF_BASE_ORIENTATION_H

#include <stddef.h>

/* The word as the table has it, without regard to case; NULL if it is none. n: its length. Static storage. */
const char *orientation_name(const char *word, size_t n);
/* All words, for messages. Static storage. */
const char *orientation_list(void);

#endif
