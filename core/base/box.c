/* box.c: see box.h. Copies and fills fold every axis that is contiguous in both arrays into one run, so that the
 * common case (whole rows, whole chunks) is a single memcpy. */
#include "base/box.h"

#include <string.h>

int64_t product_checked(const int64_t *sizes, int n)
{
    int64_t product = 1;
    for (int i = 0; i < n; i++) {
        if (sizes[i] < 0 || (sizes[i] > 0 && product > INT64_MAX / sizes[i]))
            return -1;
        product *= sizes[i];
    }
    return product;
}

box box_make(int rank, const int64_t *origin, const int64_t *extent)
{
    box b = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        b.origin[i] = origin ? origin[i] : 0;
        b.extent[i] = extent[i];
    }
    return b;
}

int64_t box_volume(const box *b)
{
    int64_t volume = 1;
    for (int i = 0; i < b->rank; i++)
        volume *= max_i64(b->extent[i], 0);
    return volume;
}

box box_intersect(const box *a, const box *b)
{
    box both = {.rank = a->rank};
    for (int i = 0; i < a->rank; i++) {
        int64_t end = min_i64(a->origin[i] + a->extent[i], b->origin[i] + b->extent[i]);
        both.origin[i] = max_i64(a->origin[i], b->origin[i]);
        both.extent[i] = max_i64(end - both.origin[i], 0);
    }
    return both;
}

int box_is_empty(const box *b)
{
    for (int i = 0; i < b->rank; i++)
        if (b->extent[i] <= 0)
            return 1;
    return 0;
}

int box_equals(const box *a, const box *b)
{
    for (int i = 0; i < a->rank; i++)
        if (a->origin[i] != b->origin[i] || a->extent[i] != b->extent[i])
            return 0;
    return a->rank == b->rank;
}

int box_contains(const box *outer, const box *inner)
{
    for (int i = 0; i < outer->rank; i++)
        if (inner->origin[i] < outer->origin[i] ||
            inner->origin[i] + inner->extent[i] > outer->origin[i] + outer->extent[i])
            return 0;
    return 1;
}

void strides_dense(int rank, const int64_t *shape, int64_t pixel_bytes, int64_t *strides)
{
    for (int i = rank; i-- > 0;) {
        strides[i] = pixel_bytes;
        pixel_bytes *= shape[i];
    }
}

int64_t strides_offset(int rank, const int64_t *strides, const int64_t *array_origin, const int64_t *position)
{
    int64_t offset = 0;
    for (int i = 0; i < rank; i++)
        offset += (position[i] - array_origin[i]) * strides[i];
    return offset;
}

/* One run of n pixels, with a constant size per case so that the compiler makes plain loads and stores of it. */
static void run_copy(int64_t n, int64_t pixel_bytes, char *to, int64_t to_stride, const char *from, int64_t from_stride)
{
    if (to_stride == pixel_bytes && from_stride == pixel_bytes) {
        memcpy(to, from, (size_t)(n * pixel_bytes));
        return;
    }
#define COPY_CASE(bytes)                                                                                               \
    case bytes:                                                                                                        \
        for (int64_t i = 0; i < n; i++)                                                                                \
            memcpy(to + i * to_stride, from + i * from_stride, bytes);                                                 \
        break
    switch (pixel_bytes) {
        COPY_CASE(1);
        COPY_CASE(2);
        COPY_CASE(4);
        COPY_CASE(8);
        COPY_CASE(16);
    }
#undef COPY_CASE
}

void pixels_copy(int rank, const int64_t *extent, int64_t pixel_bytes, void *to, const int64_t *to_strides,
                 const void *from, const int64_t *from_strides)
{
    int64_t run = 1;
    int axis = rank;
    while (axis > 0 && to_strides[axis - 1] == run * pixel_bytes && from_strides[axis - 1] == run * pixel_bytes)
        run *= extent[--axis];
    if (axis == rank) {
        run = extent[rank - 1];
        axis = rank - 1;
    } else if (axis == 0) {
        memcpy(to, from, (size_t)(run * pixel_bytes));
        return;
    }
    int is_contiguous = to_strides[rank - 1] == pixel_bytes && from_strides[rank - 1] == pixel_bytes;
    int64_t to_step = is_contiguous ? pixel_bytes : to_strides[rank - 1];
    int64_t from_step = is_contiguous ? pixel_bytes : from_strides[rank - 1];
    int64_t at[MAX_RANK] = {0};
    char *t = to;
    const char *f = from;
    for (int i = 0; i < rank; i++)
        if (extent[i] <= 0)
            return;
    for (;;) {
        run_copy(run, pixel_bytes, t, to_step, f, from_step);
        int i = axis - 1;
        for (; i >= 0; i--) {
            t += to_strides[i];
            f += from_strides[i];
            if (++at[i] < extent[i])
                break;
            t -= at[i] * to_strides[i];
            f -= at[i] * from_strides[i];
            at[i] = 0;
        }
        if (i < 0)
            return;
    }
}

void pixels_fill(int rank, const int64_t *extent, int64_t pixel_bytes, void *to, const int64_t *to_strides,
                 const void *value)
{
    /* A source whose strides are all zero is that one value everywhere; bytes that are all alike need only memset. */
    const unsigned char *bytes = value;
    int is_uniform = 1;
    for (int64_t i = 1; i < pixel_bytes; i++)
        is_uniform &= bytes[i] == bytes[0];
    int64_t zero[MAX_RANK] = {0};
    if (!is_uniform || to_strides[rank - 1] != pixel_bytes) {
        pixels_copy(rank, extent, pixel_bytes, to, to_strides, value, zero);
        return;
    }
    int64_t rows[MAX_RANK];
    int64_t n_rows = 1;
    for (int i = 0; i < rank; i++) {
        if (extent[i] <= 0)
            return;
        rows[i] = i < rank - 1 ? extent[i] : 1;
        n_rows *= rows[i];
    }
    for (int64_t row = 0; row < n_rows; row++) {
        int64_t offset = 0;
        int64_t rest = row;
        for (int i = rank - 1; i-- > 0;) {
            offset += rest % rows[i] * to_strides[i];
            rest /= rows[i];
        }
        memset((char *)to + offset, bytes[0], (size_t)(extent[rank - 1] * pixel_bytes));
    }
}

int pixels_all_equal(const void *pixels, int64_t n, int64_t pixel_bytes, const void *value)
{
    /* If the first pixel is the value and every byte equals the one a pixel further on, all pixels are the value. */
    if (n <= 0)
        return 1;
    const char *p = pixels;
    return memcmp(p, value, (size_t)pixel_bytes) == 0 &&
           memcmp(p, p + pixel_bytes, (size_t)((n - 1) * pixel_bytes)) == 0;
}
