/* shrink.h: pixels of one level -> pixels of the next. A reduction is one box of the target level computed from a box
 * of its source level, for one channel. The same call serves the fused path (one child chunk shrunk straight into a
 * part of its parent's chunk) and the general one (a gathered block with margins): same numbers. */
#ifndef NGFF_PYRAMID_SHRINK_H
#define NGFF_PYRAMID_SHRINK_H

#include "base/box.h"
#include "base/dtype.h"
#include "model/options.h" /* REDUCE_* */

typedef struct {
    int resampling; /* REDUCE_*, never AUTO */
    const dtype *type;
    int rank;
    int64_t ratio[MAX_RANK];        /* source pixels per target pixel, >= 1 */
    int64_t source_shape[MAX_RANK]; /* the whole source level: windows are cut and kernels replicate there */
    const void *source;             /* first pixel of source_box */
    int64_t source_strides[MAX_RANK];
    box source_box; /* in pixels of the source level; holds all that target_box needs (reduce_margin) */
    void *target;   /* first pixel of target_box */
    int64_t target_strides[MAX_RANK];
    box target_box;
    const void *nodata;  /* one pixel or NULL. NaN is invalid always. */
    const uint8_t *mask; /* 0 = invalid, first pixel of source_box, or NULL */
    int64_t mask_strides[MAX_RANK];
    const void *empty; /* one pixel: the result where no source pixel is valid */
} reduction;

/* Source pixels before and after the window of a target pixel that the reducer needs on an axis with this ratio. The
 * box that a target box needs is then straddle_source's (straddle.h). NGFF_E_MEMORY when memory is out. */
int32_t reduce_margin(int resampling, int64_t ratio, int64_t *before, int64_t *after);
/* Computes all of target_box. Returns NGFF_OK, or NGFF_E_MEMORY when scratch memory is out. Thread-safe. */
int32_t reduce(const reduction *r);

/* The separable kernels' part of reduce (kernel.c). */
int32_t reduce_kernel(const reduction *r);
/* Pixels before and after the window of a target pixel that a kernel with this ratio needs. */
int32_t kernel_margin(int resampling, int64_t ratio, int64_t *before, int64_t *after);

#endif
