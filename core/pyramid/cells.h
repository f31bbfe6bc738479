/* cells.h: what cascade.c, cells.c and family.c share: the open cells and who may touch them. "The lock" is
 * cascade.lock; a pinned cell stays where it is. */
#ifndef NGFF_PYRAMID_CELLS_H
#define NGFF_PYRAMID_CELLS_H

#include <pthread.h>
#include <stdatomic.h>

#include "pyramid/cascade.h"
#include "pyramid/straddle.h"

enum { n_buckets = 4096 };

struct cascade {
    const struct ngff_plan *plan;
    budget *budget;
    pool *pool;
    cascade_host host;
    pthread_mutex_t lock; /* cells, counts, done, error */
    pthread_cond_t changed;
    cell *buckets[n_buckets];
    cell *newest, *oldest;     /* the line of cells that may leave memory, by last touch */
    cell *open[max_levels];    /* the open cells of each level */
    int64_t n_looked_at;       /* cells that were passed in search of one of these: work that must not grow with them */
    uint8_t *done[max_levels]; /* a bit per cell of the levels that the caller gives */
    straddle_axis axes[max_levels][MAX_RANK]; /* how a level needs its source; not of given levels */
    int64_t n_done;
    error error;
    atomic_int has_failed;
};

/* -- cells.c: sizes, making and finding, spilling, counting. The promises stand at the definitions. */
const level *cell_level(const cascade *cs, const cell *c);
int64_t cell_plane_bytes(const cascade *cs, const int64_t *extent);
int64_t cell_channel_count(const cascade *cs, const box *b);
box cell_channel_box(const cascade *cs, const box *b, int64_t k);
int64_t cell_channel(const cascade *cs, const box *one);
void cell_fill_unwritten(const cascade *cs, const box *b, uint8_t *pixels, const int64_t *strides);
box cell_box(const level *at, int rank, const int64_t *index);
void cell_free(cascade *cs, cell *c);
box cell_source(const cascade *cs, const cell *c);
int64_t cell_first_child(const cascade *cs, const cell *c, int axis, int64_t *n);
uint8_t *cell_strip(const cascade *cs, const cell *c, int i, uint8_t **mask);
int cell_keeps_missing(const cascade *cs, const cell *c);
cell *cell_make_empty(cascade *cs, int l, const int64_t *index);
cell *cell_make(cascade *cs, int l, const int64_t *index, int is_whole);
cell *cell_make_supplied(cascade *cs, int l, const int64_t *index);
cell *cell_find(cascade *cs, int l, const int64_t *index);
void cell_insert(cascade *cs, cell *c);
void cell_remove(cascade *cs, cell *c);
/* An open cell of the lowest level that has one; NULL when none is open. The lock is held. */
cell *cell_lowest(cascade *cs);
int32_t cell_make_room(cascade *cs, int64_t bytes_needed, error *e);
int32_t cell_unspill(cascade *cs, cell *c, error *e);
int32_t cell_written_twice(const box *region, error *e);
cell *cell_touch(cascade *cs, int l, const int64_t *index, error *e);
int cell_is_done(const cascade *cs, int l, const int64_t *index);
void cell_set_done(cascade *cs, int l, const int64_t *index);
int cell_count_down(cascade *cs, cell *c, int64_t n, uint64_t come);
int cell_count_skipped(cascade *cs, int l, const int64_t *index, cell **counted, error *e);
int32_t cell_out_of_memory(error *e, int64_t bytes);

/* -- family.c: reducing, and what a finished cell gives to its parents. */
int32_t family_reduce_strips(cascade *cs, cell *c, error *e);
void family_fill_missing(cascade *cs, cell *c);
int32_t family_give_to_parents(cascade *cs, const cell *child, int l, cell **finished, error *e);
int32_t family_skip_in_parents(cascade *cs, const cell *child, int l, cell **finished, error *e);

#endif
