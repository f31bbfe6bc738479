/* recorded.h: what the record of a store's writer says of its chunks, and so what a chunk that is not there means. */
#ifndef NGFF_READER_RECORDED_H
#define NGFF_READER_RECORDED_H

#include <pthread.h>

#include "base/warnings.h"
#include "model/stored.h"
#include "zarr/chunk.h"

/* The option MISSING_CHUNKS. */
typedef enum {
    MISSING_AUTO,  /* lost where the record says that it was stored, else empty */
    MISSING_ERROR, /* empty only where the record says so */
    MISSING_FILL   /* empty */
} missing_rule;

typedef struct {
    missing_rule rule;
    chunk_rules rules;
    pthread_mutex_t lock;         /* guards all below */
    int is_read;                  /* what follows is what the store says */
    int is_own;                   /* the store has a record */
    int is_dirty;                 /* a change in place is not finished: -1, not asked yet */
    int is_thinned;               /* and has taken chunks of full size away */
    stored_runs *runs;            /* per array of the image; those of no record are not known */
    uint8_t *has_tried_separator; /* per array, too */
    warnings told;
} recorded;

struct ngff_reader;

/* Of an image that was just read. A mask that the record names and that is not there is an error. */
int32_t recorded_begin(struct ngff_reader *reader, error *e);
void recorded_end(struct ngff_reader *reader);
/* Forgets what recorded_begin has found, before the image that it belongs to goes. */
void recorded_release(struct ngff_reader *reader);
/* Another program may have changed the store: its record is read again when it is needed. */
void recorded_forget(struct ngff_reader *reader);
/* The next warning that was not given yet; NULL: none. */
const char *recorded_warning(struct ngff_reader *reader);
/* 1 if the store has the mark of a change in place, 0, or an error. */
int32_t recorded_is_dirty(struct ngff_reader *reader, error *e);

#endif
