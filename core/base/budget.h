/* budget.h: every pixel buffer comes from here. The budget counts bytes against a limit and keeps returned buffers in
 * one last-in-first-out list per size, so that the next cell finds warm memory and the heap is not touched; those of
 * other sizes go back to the heap before the two together pass the limit. It never blocks and never refuses for lack
 * of budget: budget_is_over tells the owner to make room. All calls are thread-safe. */
#ifndef NGFF_BASE_BUDGET_H
#define NGFF_BASE_BUDGET_H

#include <stdint.h>

typedef struct budget budget;

budget *budget_create(int64_t limit_bytes); /* NULL when memory is out */
void budget_free(budget *b);                /* all buffers must have been given back */

/* A buffer of exactly size bytes, aligned to 64, contents undefined; NULL when memory is out. */
void *budget_take(budget *b, int64_t size_bytes);
/* Gives a buffer back with the size it was taken with. buffer may be NULL. */
void budget_give(budget *b, void *buffer, int64_t size_bytes);

/* True when taking size_bytes more would pass the limit. */
int budget_is_over(budget *b, int64_t size_bytes);
int64_t budget_used(budget *b);
int64_t budget_peak(budget *b);
/* Bytes taken from the heap: in use or kept for the next. */
int64_t budget_held(budget *b);

#endif
