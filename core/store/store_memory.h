/* store_memory.h: what tests do with a store in memory. */
#ifndef NGFF_STORE_STORE_MEMORY_H
#define NGFF_STORE_STORE_MEMORY_H

#include "store/store.h"

/* The n-th put from now (0: the next), scratch included, fails. */
void store_memory_fail_after(store *s, int64_t n_puts);
/* Reading this object fails from now on, as on a bad disk; NULL: all can be read. The key is borrowed. */
void store_memory_fail_read(store *s, const char *key);
/* Calls visit with every object, in no order. */
void store_memory_visit(store *s, void (*visit)(void *, const char *, const uint8_t *, size_t), void *user);
/* Scratch objects that were put so far: cells that were spilled. */
int64_t store_memory_scratch_count(store *s);
int store_memory_is_published(store *s);

#endif
