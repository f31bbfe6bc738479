/* read_back.h: chunks that are already in the store of a writer, before it is published. And how tests open a writer on
 * a store of their own and look at its memory. */
#ifndef NGFF_WRITER_READ_BACK_H
#define NGFF_WRITER_READ_BACK_H

#include "levels.h"
#include "store.h"

typedef struct {
    const struct ngff_plan *plan;
    store *store;
} read_back;

/* One chunk of a level, dense; fill where it was not stored. user: a read_back. */
int32_t read_back_chunk(void *user, int level, const int64_t *chunk_index, void *pixels, error *e);
/* The y, x plane of the mask that goes with the chunk; 0 where it was not stored. */
int32_t read_back_mask(void *user, int level, const int64_t *chunk_index, uint8_t *mask, error *e);

/* The same for the mask (axes y, x; index of y and x). */
int32_t read_back_mask(void *user, int level, const int64_t *chunk_index, uint8_t *mask, error *e);

/* A writer on a store that it owns from now on. */
ngff_writer *writer_open_store(ngff_plan *plan, store *s);
ngff_writer *writer_push_store(ngff_plan *plan, store *s);
ngff_writer *writer_update_store(ngff_plan *plan, store *s);
/* Most bytes that cells have held at one time. */
int64_t writer_pixel_peak(const ngff_writer *w);

#endif
