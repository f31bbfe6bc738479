/* cells.h: what cascade.c, cells.c and parents.c share: the open cells and who may touch them. "The lock" is
 * cascade.lock; a pinned cell stays where it is. */
#ifndef NGFF_PYRAMID_CELLS_H
#define NGFF_PYRAMID_CELLS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/grid.h"
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

/* -- cells.c: sizes, making and finding, spilling, counting. -- */

/* The cell's row of the plan. */
const level *cell_level(const cascade *cs, const cell *c);
/* Bytes of the mask or validity plane of a box; 0 where the image has neither. */
int64_t cell_plane_bytes(const cascade *cs, const int64_t *extent);
/* Channels in a box; images without axis c have one. */
int64_t cell_channel_count(const cascade *cs, const box *b);
/* Channel k of a box: extent 1 on axis c. */
box cell_channel_box(const cascade *cs, const box *b, int64_t k);
/* The number of the channel that such a box is of. */
int64_t cell_channel(const cascade *cs, const box *one);
/* Sets every pixel of a dense array over box b to its channel's value for "never written". */
void cell_fill_unwritten(const cascade *cs, const box *b, uint8_t *pixels, const int64_t *strides);
/* The pixels of a cell of this index, cut to its level, and to what is made of it. */
box cell_box(const cascade *cs, int l, const int64_t *index);
/* Of a cell that no list holds. */
void cell_free(cascade *cs, cell *c);
/* The source pixels that a cell needs, margins included. */
box cell_source(const cascade *cs, const cell *c);
/* Children of a cell along an axis, cells of its source level that it needs: the first one and their number. */
int64_t cell_first_child(const cascade *cs, const cell *c, int axis, int64_t *n);
/* The pixels of strip i; *mask: its plane, or NULL. */
uint8_t *cell_strip(const cascade *cs, const cell *c, int i, uint8_t **mask);
/* True for cells that remember which children are missing, and so need no first value: nearly all get every child, and
 * filling them first cost 1 % of the run. */
int cell_keeps_missing(const cascade *cs, const cell *c);
/* A new cell without memory: enough as long as all children that came have nothing to give. */
cell *cell_make_empty(cascade *cs, int l, const int64_t *index);
/* A new cell with its memory. */
cell *cell_make(cascade *cs, int l, const int64_t *index, int is_whole);
/* A cell of any level with room for its pixels, which waits for no child. */
cell *cell_make_supplied(cascade *cs, int l, const int64_t *index);
/* The open cell, or NULL. The lock is held. */
cell *cell_find(cascade *cs, int l, const int64_t *index);
/* Mapped cells are not in the line: the host writes to their memory. Empty ones have none. */
void cell_insert(cascade *cs, cell *c);
/* Out of the lists. The lock is held. */
void cell_remove(cascade *cs, cell *c);
/* An open cell of the lowest level that has one; NULL when none is open. The lock is held. */
cell *cell_lowest(cascade *cs);
/* Makes room for bytes more, as far as open cells can leave. The lock is held, and let go while bytes move. */
int32_t cell_make_room(cascade *cs, int64_t bytes_needed, error *e);
/* Brings a spilled cell back. The lock is held; the caller has pinned the cell. */
int32_t cell_unspill(cascade *cs, cell *c, error *e);
/* The error of a region that a caller has given before. */
int32_t cell_written_twice(const box *region, error *e);
/* Finds or makes the open cell and pins it. NULL: the error is in e. */
cell *cell_touch(cascade *cs, int l, const int64_t *index, error *e);
/* True when all pixels of the cell have come. The lock is held. */
int cell_is_done(const cascade *cs, int l, const int64_t *index);
/* All pixels of the cell have come. The lock is held. */
void cell_set_done(cascade *cs, int l, const int64_t *index);
/* Lets go of a touched cell and counts what has come (0: nothing, after an error). Returns 1 to the one call that
 * completes the cell; it is then the caller's. */
int cell_count_down(cascade *cs, cell *c, int64_t n, uint64_t come);
/* Counts a child that gives nothing. 1: it was the last one, and the cell (*counted) is the caller's: empty if no child
 * had anything to give. */
int cell_count_skipped(cascade *cs, int l, const int64_t *index, cell **counted, error *e);
/* The error of a cell of so many bytes. */
int32_t cell_out_of_memory(error *e, int64_t bytes);

/* -- parents.c: reducing, and what a finished cell gives to its parents. -- */

/* All children are there: the strips become pixels too. */
int32_t parents_reduce_strips(cascade *cs, cell *c, error *e);
/* Gives the parts of missing children their first value. */
void parents_fill_missing(cascade *cs, cell *c);
/* Reduces a finished cell into those of level l that need it. Parents that have all their children now go into the list. */
int32_t parents_give(cascade *cs, const cell *child, int l, cell **finished, error *e);
/* A child that gives nothing; of it only level, index and box are looked at. What has then got all its children goes
 * into the list, empty where none gave anything. */
int32_t parents_skip(cascade *cs, const cell *child, int l, cell **finished, error *e);

#endif
