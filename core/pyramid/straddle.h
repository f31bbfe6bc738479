/* straddle.h: which target pixels of a cell need pixels of more than one source cell. All others can be reduced from
 * one child as soon as it is there, straight into the cell; only the strips of source pixels that the straddling ones
 * need must wait for the neighbours. Geometry only; one axis at a time, then all axes. */
#ifndef NGFF_PYRAMID_STRADDLE_H
#define NGFF_PYRAMID_STRADDLE_H

#include "base/box.h"

/* One axis. Target pixel i needs the source pixels ratio * i - before to ratio * (i + 1) + after - 1, cut to the level.
 */
typedef struct {
    int64_t cell, shape; /* of the source level: extent of its cells, pixels */
    int64_t ratio, before, after;
} straddle_axis;

/* A run of straddling target pixels on one axis, all others whole: the box of the target, and what it needs. */
typedef struct {
    box to, from;
    int64_t strides[MAX_RANK], offset; /* where its pixels lie, dense, in the memory of all strips */
} strip;

typedef struct strip_list {
    int n;
    int is_whole;  /* one strip is the whole cell: straddling pixels are so many that nothing else is worth while */
    int64_t bytes; /* of all strips, their masks included */
    strip strip[];
} strip_list;

/* Source pixels that a box of the target needs. */
box straddle_source(const straddle_axis *axes, const box *target);
/* The target pixels that need no other source cell than the one whose box `child` is; may be empty. */
box straddle_inside(const straddle_axis *axes, const box *target, const box *child);
/* The strips of a cell that covers `target`, from malloc; NULL when memory is out. has_plane: each has a mask of its
 * last two axes after its pixels. */
strip_list *straddle_strips(const straddle_axis *axes, const box *target, int64_t pixel_bytes, int has_plane);

#endif
