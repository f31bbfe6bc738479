/* grid.h: a shape cut into tiles of one size (chunks, shards, cells): their numbers in C order, and their boxes. */
#ifndef NGFF_BASE_GRID_H
#define NGFF_BASE_GRID_H

#include "base/box.h"

/* The number of a tile among all, in C order. grid: tiles per axis. */
int64_t grid_place(int rank, const int64_t *grid, const int64_t *index);
/* The next index in C order, from zeros on; 0 after the last. */
int grid_next(int rank, const int64_t *grid, int64_t *index);
/* The same within first ... last per axis, from first on. */
int count_up(int rank, const int64_t *first, const int64_t *last, int64_t *index);

/* The pixels of a tile, cut to the shape. */
box grid_box(int rank, const int64_t *shape, const int64_t *tile, const int64_t *index);
/* The tiles that a box meets: the first and the last per axis. */
void grid_meet(const box *b, const int64_t *tile, int64_t *first, int64_t *last);

#endif
