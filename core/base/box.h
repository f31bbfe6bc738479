/* box.h: N-D boxes and strides. A box is an origin and an extent per axis, slowest axis first, in pixels. */
#ifndef NGFF_BASE_BOX_H
#define NGFF_BASE_BOX_H

#include <stddef.h>
#include <stdint.h>

#define MAX_RANK 5 /* NGFF: t, c, z, y, x */

typedef struct {
    int rank;
    int64_t origin[MAX_RANK];
    int64_t extent[MAX_RANK];
} box;

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Quotient rounded up; a >= 0, b > 0. */
static inline int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

/* Product of n sizes, or -1 when it does not fit int64_t or a size is negative. */
int64_t product_checked(const int64_t *sizes, int n);

box box_make(int rank, const int64_t *origin, const int64_t *extent);
/* Number of pixels; 0 if any extent is <= 0. */
int64_t box_volume(const box *b);
/* The common part; extents are 0 where there is none. */
box box_intersect(const box *a, const box *b);
int box_is_empty(const box *b);
int box_equals(const box *a, const box *b);
/* True if inner lies wholly within outer. */
int box_contains(const box *outer, const box *inner);

/* Strides in bytes of a dense C-order array of this shape. */
void strides_dense(int rank, const int64_t *shape, int64_t pixel_bytes, int64_t *strides);
/* Bytes from the first pixel of an array that begins at array_origin to the pixel at position. */
int64_t strides_offset(int rank, const int64_t *strides, const int64_t *array_origin, const int64_t *position);

/* Copies extent pixels between two strided arrays. The last axis is copied as one run where both are contiguous. */
void pixels_copy(int rank, const int64_t *extent, int64_t pixel_bytes, void *to, const int64_t *to_strides,
                 const void *from, const int64_t *from_strides);
/* Sets every pixel of a strided array to one value of pixel_bytes bytes. */
void pixels_fill(int rank, const int64_t *extent, int64_t pixel_bytes, void *to, const int64_t *to_strides,
                 const void *value);
/* True if n pixels in a row all hold the value, bit for bit. */
int pixels_all_equal(const void *pixels, int64_t n, int64_t pixel_bytes, const void *value);

#endif
