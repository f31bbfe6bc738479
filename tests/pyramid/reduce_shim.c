/* reduce_shim.c: reduce() for ctypes. tests/golden/check_reduce.py drives the reducers through it. */
#include "reducing.h"

#if defined(__GNUC__)
#define EXPORTED __attribute__((visibility("default")))
#else
#define EXPORTED
#endif

EXPORTED void shim_source_box(int resampling, int rank, const int64_t *ratio, const int64_t *source_shape,
                              const int64_t *target_origin, const int64_t *target_extent, int64_t *origin,
                              int64_t *extent);
EXPORTED int32_t shim_reduce(int resampling, int data_type, int rank, const int64_t *ratio, const int64_t *source_shape,
                             const void *source, const int64_t *source_strides, const int64_t *source_origin,
                             const int64_t *source_extent, void *target, const int64_t *target_strides,
                             const int64_t *target_origin, const int64_t *target_extent, const void *nodata,
                             const uint8_t *mask, const int64_t *mask_strides, const void *empty);

void shim_source_box(int resampling, int rank, const int64_t *ratio, const int64_t *source_shape,
                     const int64_t *target_origin, const int64_t *target_extent, int64_t *origin, int64_t *extent)
{
    box target = box_make(rank, target_origin, target_extent);
    box source = source_box_of(resampling, rank, ratio, source_shape, &target);
    for (int i = 0; i < rank; i++) {
        origin[i] = source.origin[i];
        extent[i] = source.extent[i];
    }
}

int32_t shim_reduce(int resampling, int data_type, int rank, const int64_t *ratio, const int64_t *source_shape,
                    const void *source, const int64_t *source_strides, const int64_t *source_origin,
                    const int64_t *source_extent, void *target, const int64_t *target_strides,
                    const int64_t *target_origin, const int64_t *target_extent, const void *nodata, const uint8_t *mask,
                    const int64_t *mask_strides, const void *empty)
{
    reduction r = {.resampling = resampling,
                   .type = dtype_get(data_type),
                   .rank = rank,
                   .source = source,
                   .source_box = box_make(rank, source_origin, source_extent),
                   .target = target,
                   .target_box = box_make(rank, target_origin, target_extent),
                   .nodata = nodata,
                   .mask = mask,
                   .empty = empty};
    for (int i = 0; i < rank; i++) {
        r.ratio[i] = ratio[i];
        r.source_shape[i] = source_shape[i];
        r.source_strides[i] = source_strides[i];
        r.target_strides[i] = target_strides[i];
        r.mask_strides[i] = mask ? mask_strides[i] : 0;
    }
    return reduce(&r);
}
