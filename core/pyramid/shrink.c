/* shrink.c: walks the target box row by row, lists the source rows that hold the windows of each, and hands them to
 * the reducer. All boxes are brought to five axes first (leading axes of one pixel), so that the walk is three loops
 * over planes and one over rows whatever the rank. */
#include "pyramid/shrink.h"
#include "base/sizes.h"
#include "pyramid/window.h"

#include <stdlib.h>
#include <string.h>

/* The reduction with MAX_RANK axes. Axis 3 is y, axis 4 is x. */
typedef struct {
    int64_t ratio[MAX_RANK], shape[MAX_RANK];
    int64_t from_origin[MAX_RANK], from_extent[MAX_RANK], from_stride[MAX_RANK], mask_stride[MAX_RANK];
    int64_t to_origin[MAX_RANK], to_extent[MAX_RANK], to_stride[MAX_RANK];
    const char *from;
    const uint8_t *mask;
    char *to;
} walk;

enum { axis_y = MAX_RANK - 2, axis_x = MAX_RANK - 1 };

static walk walk_make(const reduction *r)
{
    walk w = {.from = r->source, .mask = r->mask, .to = r->target};
    for (int i = 0; i < MAX_RANK; i++) {
        int k = i - (MAX_RANK - r->rank);
        w.ratio[i] = k < 0 ? 1 : r->ratio[k];
        w.shape[i] = k < 0 ? 1 : r->source_shape[k];
        w.from_origin[i] = k < 0 ? 0 : r->source_box.origin[k];
        w.from_extent[i] = k < 0 ? 1 : r->source_box.extent[k];
        w.from_stride[i] = k < 0 ? 0 : r->source_strides[k];
        w.mask_stride[i] = k < 0 || !r->mask ? 0 : r->mask_strides[k];
        w.to_origin[i] = k < 0 ? 0 : r->target_box.origin[k];
        w.to_extent[i] = k < 0 ? 1 : r->target_box.extent[k];
        w.to_stride[i] = k < 0 ? 0 : r->target_strides[k];
    }
    return w;
}

/* The window of target index i (within the target box) on an axis, relative to the source box. */
static void window_range(const walk *w, int axis, int64_t i, int64_t *begin, int64_t *end)
{
    int64_t first = (w->to_origin[axis] + i) * w->ratio[axis];
    *begin = first - w->from_origin[axis];
    *end = min_i64(first + w->ratio[axis], w->shape[axis]) - w->from_origin[axis];
}

/* The planes that hold the windows of target plane `at`, as byte offsets into source and mask. Returns their number. */
static int64_t list_planes(const walk *w, const int64_t at[axis_y], int64_t *source, int64_t *mask)
{
    int64_t begin[axis_y], end[axis_y], n = 0;
    for (int i = 0; i < axis_y; i++)
        window_range(w, i, at[i], &begin[i], &end[i]);
    for (int64_t t = begin[0]; t < end[0]; t++)
        for (int64_t c = begin[1]; c < end[1]; c++)
            for (int64_t z = begin[2]; z < end[2]; z++) {
                source[n] = t * w->from_stride[0] + c * w->from_stride[1] + z * w->from_stride[2];
                mask[n] = t * w->mask_stride[0] + c * w->mask_stride[1] + z * w->mask_stride[2];
                n++;
            }
    return n;
}

typedef struct {
    const char **rows;
    const uint8_t **masks;
    int64_t *planes, *mask_planes;
    int64_t n_planes;
    const char *small_rows[16];
    const uint8_t *small_masks[16];
    int64_t small_planes[16], small_mask_planes[16];
    void *memory;
} row_list;

/* Room for all rows of one window; large windows take it from the heap. */
static int32_t row_list_make(row_list *l, const walk *w)
{
    int64_t sizes[axis_x];
    for (int i = 0; i < axis_x; i++)
        sizes[i] = min_i64(w->ratio[i], w->from_extent[i]);
    int64_t n = product_checked(sizes, axis_x);
    l->rows = l->small_rows;
    l->masks = l->small_masks;
    l->planes = l->small_planes;
    l->mask_planes = l->small_mask_planes;
    l->memory = NULL;
    if (n >= 0 && n <= 16)
        return NGFF_OK;
    if (!(l->memory = memory_take(n, 4 * sizeof(int64_t))))
        return NGFF_E_MEMORY;
    l->planes = l->memory;
    l->mask_planes = l->planes + n;
    l->rows = (const char **)(l->planes + 2 * n);
    l->masks = (const uint8_t **)(l->planes + 3 * n);
    return NGFF_OK;
}

static int64_t list_rows(const walk *w, row_list *l, int64_t y)
{
    int64_t begin, end, first, last, n = 0;
    window_range(w, axis_y, y, &begin, &end);
    window_range(w, axis_x, 0, &first, &last);
    int64_t pixel_bytes = w->from_stride[axis_x];
    for (int64_t p = 0; p < l->n_planes; p++)
        for (int64_t i = begin; i < end; i++) {
            l->rows[n] = w->from + l->planes[p] + i * w->from_stride[axis_y] + first * pixel_bytes;
            if (w->mask)
                l->masks[n] = w->mask + l->mask_planes[p] + i * w->mask_stride[axis_y] + first * w->mask_stride[axis_x];
            n++;
        }
    return n;
}

static void reduce_plane(const walk *w, row_list *l, const int64_t at[axis_y], window_row row, window_reducer reducer)
{
    l->n_planes = list_planes(w, at, l->planes, l->mask_planes);
    row.rows = l->rows;
    row.masks = w->mask ? l->masks : NULL;
    char *to = w->to;
    for (int i = 0; i < axis_y; i++)
        to += at[i] * w->to_stride[i];
    for (int64_t y = 0; y < w->to_extent[axis_y]; y++) {
        row.n_rows = list_rows(w, l, y);
        row.target = to + y * w->to_stride[axis_y];
        reducer(&row);
    }
}

/* Room for one window of gathered pixels; AVERAGE of real types needs none. */
static int32_t window_memory(const reduction *r, const walk *w, void **memory)
{
    int64_t sizes[MAX_RANK];
    for (int i = 0; i < MAX_RANK; i++)
        sizes[i] = min_i64(w->ratio[i], w->from_extent[i]);
    int64_t n = product_checked(sizes, MAX_RANK);
    *memory = NULL;
    if (r->resampling == REDUCE_AVERAGE && r->type->class != CLASS_COMPLEX)
        return NGFF_OK;
    if (!(*memory = memory_take(n, 16)))
        return NGFF_E_MEMORY;
    return NGFF_OK;
}

static int32_t reduce_windows(const reduction *r)
{
    walk w = walk_make(r);
    row_list list;
    window_row row = {
        .nodata = r->nodata, .empty = r->empty, .ratio = w.ratio[axis_x], .n_target = w.to_extent[axis_x]};
    int64_t end = (w.to_origin[axis_x] + w.to_extent[axis_x]) * w.ratio[axis_x];
    row.n_source = min_i64(end, w.shape[axis_x]) - w.to_origin[axis_x] * w.ratio[axis_x];
    int32_t status = row_list_make(&list, &w);
    if (!status)
        status = window_memory(r, &w, &row.window);
    if (status)
        goto done;
    window_reducer reducer = window_reducer_get(r->resampling, r->type);
    int64_t at[axis_y];
    for (at[0] = 0; at[0] < w.to_extent[0]; at[0]++)
        for (at[1] = 0; at[1] < w.to_extent[1]; at[1]++)
            for (at[2] = 0; at[2] < w.to_extent[2]; at[2]++)
                reduce_plane(&w, &list, at, row, reducer);
    free(row.window);
done:
    free(list.memory);
    return status;
}

/* -- NEAREST ----------------------------------------------------------------------------------------------------- */

/* Every step-th pixel; a constant size per case so that the compiler makes plain loads and stores. */
static void pick_pixels(char *to, const char *from, int64_t n, int64_t step, int64_t pixel_bytes)
{
#define PICK(bytes)                                                                                                    \
    case bytes:                                                                                                        \
        for (int64_t i = 0; i < n; i++)                                                                                \
            memcpy(to + i * (bytes), from + i * step * (bytes), bytes);                                                \
        break
    switch (pixel_bytes) {
        PICK(1);
        PICK(2);
        PICK(4);
        PICK(8);
        PICK(16);
    }
#undef PICK
}

/* The pixel nearest to the window's centre, the lower on a tie, within the source box. */
static int64_t nearest_index(const walk *w, int axis, int64_t i)
{
    int64_t at = min_i64((w->to_origin[axis] + i) * w->ratio[axis] + (w->ratio[axis] - 1) / 2, w->shape[axis] - 1);
    return at - w->from_origin[axis];
}

static void nearest_row(const walk *w, char *to, const char *from, int64_t pixel_bytes)
{
    int64_t n = w->to_extent[axis_x], first = nearest_index(w, axis_x, 0), last = nearest_index(w, axis_x, n - 1);
    pick_pixels(to, from + first * pixel_bytes, n - 1, w->ratio[axis_x], pixel_bytes);
    memcpy(to + (n - 1) * pixel_bytes, from + last * pixel_bytes, (size_t)pixel_bytes);
}

static int32_t reduce_nearest(const reduction *r)
{
    walk w = walk_make(r);
    const int64_t *n = w.to_extent;
    for (int64_t t = 0; t < n[0]; t++)
        for (int64_t c = 0; c < n[1]; c++)
            for (int64_t z = 0; z < n[2]; z++)
                for (int64_t y = 0; y < n[3]; y++) {
                    int64_t at[axis_x] = {t, c, z, y};
                    const char *from = w.from;
                    char *to = w.to;
                    for (int i = 0; i < axis_x; i++) {
                        from += nearest_index(&w, i, at[i]) * w.from_stride[i];
                        to += at[i] * w.to_stride[i];
                    }
                    nearest_row(&w, to, from, r->type->size);
                }
    return NGFF_OK;
}

/* -- Entry ------------------------------------------------------------------------------------------------------- */

static int is_kernel(int resampling)
{
    return method_get(resampling)->kind == METHOD_KERNEL;
}

int32_t reduce_margin(int resampling, int64_t ratio, int64_t *before, int64_t *after)
{
    *before = *after = 0;
    return ratio > 1 && is_kernel(resampling) ? kernel_margin(resampling, ratio, before, after) : NGFF_OK;
}

int32_t reduce(const reduction *r)
{
    if (box_is_empty(&r->target_box))
        return NGFF_OK;
    if (is_kernel(r->resampling))
        return reduce_kernel(r);
    if (method_get(r->resampling)->kind == METHOD_PICK)
        return reduce_nearest(r);
    return reduce_windows(r);
}
