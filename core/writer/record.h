/* record.h: what of level 0 is stored, noted beside the store that is being made, so that a later run can go on. */
#ifndef NGFF_WRITER_RECORD_H
#define NGFF_WRITER_RECORD_H

#include "levels.h"
#include "store.h"
#include "update.h"

typedef struct record record;

/* Claims the destination. With RESUME=YES it takes over what an earlier run of the same plan and fingerprint left: then
 * *rest says which cells are still to be made (those of level 0 that are not in it are needed). rest: NULL where
 * nothing was taken over. The record, or NULL with the error in e. */
record *record_begin(const struct ngff_plan *plan, store *s, update **rest, error *e);
void record_free(record *r);

/* An object (chunk or shard) of level 0 is stored with n bytes; 0: it holds only fill and is not. Thread-safe. */
int32_t record_stored(record *r, const int64_t *object_index, size_t n, error *e);
/* Writes what was noted and not yet written. */
int32_t record_flush(record *r, error *e);

#endif
