/* straddle.c: see straddle.h. Target pixel i straddles the boundary b between two source cells where its first source
 * pixel lies before b and its last one not: floor((b - after) / ratio) <= i < (b + before) / ratio. */
#include "pyramid/straddle.h"

#include <stdlib.h>

typedef struct {
    int64_t begin, end;
} interval;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -ceil_div(-a, b);
}

static interval source_interval(const straddle_axis *a, interval target)
{
    return (interval){max_i64(target.begin * a->ratio - a->before, 0),
                      min_i64(target.end * a->ratio + a->after, a->shape)};
}

/* The target pixels in `within` that straddle the boundary b. */
static interval around(const straddle_axis *a, int64_t b, interval within)
{
    return (interval){max_i64(floor_div(b - a->after, a->ratio), within.begin),
                      min_i64(ceil_div(b + a->before, a->ratio), within.end)};
}

/* The next run of straddling pixels at or after *boundary, which moves on; runs that touch are one. Empty: no more. */
static interval next_interval(const straddle_axis *a, interval target, int64_t *boundary)
{
    interval source = source_interval(a, target), run = {0, 0};
    for (; *boundary < source.end; *boundary += a->cell) {
        interval one = around(a, *boundary, target);
        if (one.begin >= one.end)
            continue;
        if (run.begin < run.end && one.begin > run.end)
            break;
        run = run.begin < run.end ? (interval){run.begin, one.end} : one;
    }
    return run;
}

static interval on_axis(const box *b, int i)
{
    return (interval){b->origin[i], b->origin[i] + b->extent[i]};
}

static void set_axis(box *b, int i, interval v)
{
    b->origin[i] = v.begin;
    b->extent[i] = max_i64(v.end - v.begin, 0);
}

box straddle_source(const straddle_axis *axes, const box *target)
{
    box b = {.rank = target->rank};
    for (int i = 0; i < b.rank; i++)
        set_axis(&b, i, source_interval(&axes[i], on_axis(target, i)));
    return b;
}

box straddle_inside(const straddle_axis *axes, const box *target, const box *child)
{
    box b = {.rank = target->rank};
    for (int i = 0; i < b.rank; i++) {
        const straddle_axis *a = &axes[i];
        interval source = on_axis(child, i), all = on_axis(target, i);
        int64_t first = source.begin > 0 ? ceil_div(source.begin + a->before, a->ratio) : 0;
        int64_t end = source.end < a->shape ? floor_div(source.end - a->after, a->ratio) : all.end;
        set_axis(&b, i, (interval){max_i64(first, all.begin), min_i64(end, all.end)});
    }
    return b;
}

static int64_t strip_bytes(const box *from, int64_t pixel_bytes, int has_plane)
{
    int x = from->rank - 1;
    int64_t bytes = box_volume(from) * pixel_bytes + (has_plane ? from->extent[x] * from->extent[x - 1] : 0);
    return ceil_div(bytes, 64) * 64;
}

static int64_t first_boundary(const straddle_axis *a, interval target)
{
    return (source_interval(a, target).begin / a->cell + 1) * a->cell;
}

static int64_t count_boundaries(const straddle_axis *a, interval target)
{
    return max_i64(ceil_div(source_interval(a, target).end - first_boundary(a, target), a->cell), 0);
}

static void add_strip(strip_list *list, const straddle_axis *axes, const box *to, int64_t pixel_bytes, int has_plane)
{
    strip *s = &list->strip[list->n++];
    s->to = *to;
    s->from = straddle_source(axes, to);
    s->offset = list->bytes;
    strides_dense(to->rank, s->from.extent, pixel_bytes, s->strides);
    list->bytes += strip_bytes(&s->from, pixel_bytes, has_plane);
}

/* Where runs of two axes cross, their pixels are in the strips of both, and are reduced twice to the same value. */
strip_list *straddle_strips(const straddle_axis *axes, const box *target, int64_t pixel_bytes, int has_plane)
{
    int64_t most = 1;
    for (int i = 0; i < target->rank; i++)
        most += count_boundaries(&axes[i], on_axis(target, i));
    strip_list *list = calloc(1, sizeof *list + (size_t)most * sizeof *list->strip);
    if (!list)
        return NULL;
    for (int i = 0; i < target->rank; i++) {
        interval all = on_axis(target, i), run;
        int64_t boundary = first_boundary(&axes[i], all);
        while (run = next_interval(&axes[i], all, &boundary), run.begin < run.end) {
            box to = *target;
            set_axis(&to, i, run);
            add_strip(list, axes, &to, pixel_bytes, has_plane);
        }
    }
    box whole = straddle_source(axes, target);
    list->is_whole = list->bytes >= strip_bytes(&whole, pixel_bytes, has_plane);
    if (list->is_whole) {
        list->n = 0;
        list->bytes = 0;
        add_strip(list, axes, target, pixel_bytes, has_plane);
    }
    return list;
}
