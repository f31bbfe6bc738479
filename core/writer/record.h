/* record.h: what of level 0 is stored, noted beside the store that is being made, so that a later run can go on. */
#ifndef NGFF_WRITER_RECORD_H
#define NGFF_WRITER_RECORD_H

#include "model/plan.h"
#include "store/store.h"
#include "writer/wanted.h"

typedef struct record record;

/* A line for all that the bytes of chunks, and the source, are. */
enum { record_identity_size = 200 };
void record_identify(const struct ngff_plan *plan, char line[record_identity_size]);

/* Claims the destination. With RESUME=YES it takes over what an earlier run of the same plan and fingerprint left. The
 * record, or NULL with the error in e. */
record *record_begin(const struct ngff_plan *plan, store *s, error *e);
/* The same for further image number 1, 2 ... of a store. first: the record of its first image, which outlives this one: the
 * lines lie in it, and what is taken over is said by it. keeps: 0 to make all of the image again. */
record *record_begin_further(const struct ngff_plan *plan, store *s, const record *first, int number, int keeps,
                             error *e);
/* True if something was taken over. Then, once: *rest says which cells are still to be made (those of level 0 that are not
 * in it are needed). It reads all that is noted, unless it is cancelled. */
int record_has_earlier(const record *r);
int32_t record_check(record *r, const struct ngff_plan *plan, wanted **rest, error *e);
void record_free(record *r);

/* An object (chunk or shard) of level 0 is stored with these n bytes; 0: it holds only fill and is not. The same for
 * one of its mask (index: y, x). Thread-safe. */
int32_t record_stored(record *r, int is_mask, const int64_t *object_index, const void *bytes, size_t n, error *e);
/* What an object was said to be it is not: a later run makes it again. Thread-safe. */
int32_t record_take_back(record *r, int is_mask, const int64_t *object_index, error *e);
/* Writes what was noted and not yet written. */
int32_t record_flush(record *r, error *e);

#endif
