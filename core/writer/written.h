/* written.h: the pixels that a writer's store has already: of the store that is changed, of a run that is resumed, or
 * of this run, for windows of wide types. They are read by the one way of a chunk (zarr/chunk.h). */
#ifndef NGFF_WRITER_WRITTEN_H
#define NGFF_WRITER_WRITTEN_H

#include "model/plan.h"
#include "model/stored.h"
#include "store/store.h"

typedef struct written written;

/* Of a store without arrays yet. path: for messages, or NULL. Both are borrowed. NULL when memory is out. */
written *written_create(store *s, const char *path);
void written_free(written *w);

/* The arrays are those of this plan, which is borrowed. No other call may be under way, here and in the next. */
void written_set_plan(written *w, const struct ngff_plan *plan);
/* Chunks that must be there, per array of the plan: a missing one is an error. NULL: any may be missing, and is fill.
 * Borrowed. */
void written_expect(written *w, const chunk_set *sets);

/* One chunk of a level, dense; fill where it is left out. user: a written. Thread-safe, as all below. */
int32_t written_chunk(void *user, int level, const int64_t *chunk_index, void *pixels, error *e);
/* The y, x plane of the mask that goes with the chunk; 0 where it is left out. */
int32_t written_mask(void *user, int level, const int64_t *chunk_index, uint8_t *mask, error *e);
/* A chunk's bytes as they are stored, for free(). Returns 1, 0 where it is left out, or an error. */
int32_t written_bytes(written *w, int level, const int64_t *chunk_index, uint8_t **bytes, size_t *n, error *e);
/* A shard has been replaced. */
void written_forget(written *w, const char *key);

#endif
