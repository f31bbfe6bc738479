/* reducing.h: one call that reduces a dense array of rank 1 to 5, for the tests of shrink, window and kernel. */
#ifndef TESTS_REDUCING_H
#define TESTS_REDUCING_H

#include "pyramid/shrink.h"
#include "pyramid/straddle.h"

/* The source pixels that a target box needs. */
static inline box source_box_of(int resampling, int rank, const int64_t *ratio, const int64_t *shape, const box *target)
{
    straddle_axis axes[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        axes[i] = (straddle_axis){.cell = 1, .shape = shape[i], .ratio = ratio[i]};
        reduce_margin(resampling, ratio[i], &axes[i].before, &axes[i].after);
    }
    return straddle_source(axes, target);
}

typedef struct {
    int resampling, type, rank;
    int64_t shape[MAX_RANK], ratio[MAX_RANK];
    const void *nodata;
    const uint8_t *mask; /* dense, as the source */
    const void *empty;
} reducing;

/* Reduces the whole level. target: dense, shape ceil(shape / ratio). */
static inline int32_t reduce_dense(const reducing *how, const void *source, void *target)
{
    static const uint8_t zero[16];
    reduction r = {.resampling = how->resampling,
                   .type = dtype_get(how->type),
                   .rank = how->rank,
                   .source = source,
                   .target = target,
                   .nodata = how->nodata,
                   .mask = how->mask,
                   .empty = how->empty    ? how->empty
                            : how->nodata ? how->nodata
                                          : zero};
    int64_t to[MAX_RANK];
    for (int i = 0; i < how->rank; i++) {
        r.ratio[i] = how->ratio[i];
        r.source_shape[i] = how->shape[i];
        to[i] = ceil_div(how->shape[i], how->ratio[i]);
    }
    r.source_box = box_make(how->rank, NULL, how->shape);
    r.target_box = box_make(how->rank, NULL, to);
    strides_dense(how->rank, how->shape, r.type->size, r.source_strides);
    strides_dense(how->rank, how->shape, 1, r.mask_strides);
    strides_dense(how->rank, to, r.type->size, r.target_strides);
    return reduce(&r);
}

#endif
