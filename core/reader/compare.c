/* compare.c: level 0 against what it was made from. The source is read chunk by chunk, the planes of one place of y and x
 * one after the other, so that a source that interleaves its channels is decoded once. The store's chunks come in boxes of
 * as many as there are threads to decode them: planes at one place, and places side by side where that is too few. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/box.h"
#include "ngff.h"
#include "reader/reader.h"

enum { most_bytes = 256 << 20 }; /* of a box that is more than one chunk */

typedef struct {
    ngff_reader *reader;
    const ngff_source_calls *source;
    int n_threads;
    int64_t *at; /* of the caller: where the first difference is */
    char *error;
    int64_t error_size;
    int rank, y; /* y: the last axis but one */
    int64_t shape[MAX_RANK], chunk[MAX_RANK], grid[MAX_RANK];
    int64_t most[MAX_RANK]; /* chunks of a box */
    size_t pixel_size;
    uint8_t *pixels, *mask, *other; /* a box of the store; one plane of a chunk, from the store and from the source */
    int has_mask;                   /* the store or the source; where one has none, it is valid everywhere */
    int64_t n_done, n_all;          /* chunks */
} comparison;

static int32_t fail(comparison *c, int32_t status, const char *text)
{
    if (c->error && c->error_size > 0)
        snprintf(c->error, (size_t)c->error_size, "%s", text);
    return status;
}

static int32_t prepare(comparison *c)
{
    if (ngff_reader_status(c->reader) != NGFF_OK)
        return fail(c, ngff_reader_status(c->reader), ngff_reader_error(c->reader));
    c->rank = (int)strlen(ngff_reader_dims(c->reader));
    c->y = c->rank - 2;
    if (c->rank < 2 || ngff_reader_level_shape(c->reader, 0, c->shape) != NGFF_OK ||
        ngff_reader_level_chunk(c->reader, 0, c->chunk) != NGFF_OK)
        return fail(c, NGFF_E_ARGUMENT, "there is no image that could be compared");
    c->pixel_size = (size_t)ngff_type_size(ngff_reader_data_type(c->reader));
    c->has_mask = ngff_reader_has_mask(c->reader) || c->source->read_mask;
    c->n_all = 1;
    for (int i = 0; i < c->rank; i++) {
        c->grid[i] = ceil_div(c->shape[i], c->chunk[i]);
        c->n_all *= c->grid[i];
    }
    return NGFF_OK;
}

/* The axes from the slowest to the fastest: y, x, then the planes. */
static int axis_of(const comparison *c, int k)
{
    return k < 2 ? c->y + k : k - 2;
}

/* How many chunks a box has, and its memory. Only where it has all planes may it have several places. */
static int32_t make_room(comparison *c)
{
    size_t plane = (size_t)(c->chunk[c->y] * c->chunk[c->y + 1]), n = c->pixel_size;
    for (int i = 0; i < c->rank; i++)
        n *= (size_t)c->chunk[i];
    int64_t n_wanted = min_i64(c->n_threads, (int64_t)(most_bytes / n)), n_chunks = 1;
    for (int k = c->rank; k-- > 0;) {
        int i = axis_of(c, k);
        c->most[i] = k > 0 && n_wanted > 1 ? min_i64(n_wanted, c->grid[i]) : 1;
        n_chunks *= c->most[i];
        n_wanted = c->most[i] == c->grid[i] ? n_wanted / c->most[i] : 1;
    }
    c->pixels = malloc(n * (size_t)n_chunks);
    c->other = malloc(plane * c->pixel_size);
    c->mask = c->has_mask ? malloc(plane) : NULL;
    return c->pixels && c->other && (c->mask || !c->has_mask) ? NGFF_OK
                                                              : fail(c, NGFF_E_MEMORY, "out of memory for a chunk");
}

/* 1, and the place is that of pixel x of row y of a plane. */
static int32_t differ(const comparison *c, const int64_t *origin, int64_t y, int64_t x, int32_t what)
{
    if (c->at)
        for (int i = 0; i < c->rank; i++)
            c->at[i] = origin[i] + (i == c->y ? y : i == c->y + 1 ? x : 0);
    return what;
}

/* One plane at one place. pixels: of the store, rows stride bytes apart. */
static int32_t compare_plane(comparison *c, const uint8_t *pixels, size_t stride, const int64_t *origin,
                             const int64_t *extent)
{
    int32_t status = c->source->read(c->source->user, origin, extent, c->other);
    size_t row = (size_t)extent[c->y + 1] * c->pixel_size;
    if (status < 0)
        return status;
    for (int64_t y = 0; y < extent[c->y]; y++) {
        const uint8_t *ours = pixels + (size_t)y * stride, *theirs = c->other + (size_t)y * row;
        if (memcmp(ours, theirs, row) == 0)
            continue;
        size_t x = 0;
        while (ours[x] == theirs[x])
            x++;
        return differ(c, origin, y, (int64_t)(x / c->pixel_size), NGFF_DIFFERENT_PIXEL);
    }
    return NGFF_OK;
}

static int32_t compare_mask(comparison *c, const int64_t *origin, const int64_t *extent)
{
    const int64_t *at = origin + c->y, *size = extent + c->y;
    size_t n = (size_t)(size[0] * size[1]);
    int32_t status = NGFF_OK;
    memset(c->mask, 255, n);
    memset(c->other, 255, n);
    if (ngff_reader_has_mask(c->reader))
        status = ngff_reader_read_mask(c->reader, 0, at, size, c->mask, NULL, 1, c->error, c->error_size);
    if (status == NGFF_OK && c->source->read_mask)
        status = c->source->read_mask(c->source->user, at, size, c->other);
    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        if ((c->mask[i] != 0) != (c->other[i] != 0))
            return differ(c, origin, (int64_t)i / size[1], (int64_t)i % size[1], NGFF_DIFFERENT_MASK);
    return NGFF_OK;
}

/* All planes of a box, place by place, and the mask there if these are the last planes. */
static int32_t compare_box(comparison *c, const int64_t *origin, const int64_t *extent, int is_last)
{
    int y = c->y;
    int32_t status =
        ngff_reader_read(c->reader, 0, origin, extent, c->pixels, NULL, c->n_threads, c->error, c->error_size);
    size_t stride = (size_t)extent[y + 1] * c->pixel_size;
    int64_t n_planes = 1;
    for (int i = 0; i < y; i++)
        n_planes *= extent[i];
    for (int64_t x = 0; status == NGFF_OK && x < extent[y + 1]; x += c->chunk[y + 1]) {
        int64_t at[MAX_RANK], size[MAX_RANK];
        for (int i = 0; i < y; i++)
            size[i] = 1;
        size[y] = extent[y];
        size[y + 1] = min_i64(extent[y + 1] - x, c->chunk[y + 1]);
        memcpy(at, origin, sizeof at);
        at[y + 1] += x;
        for (int64_t k = 0; status == NGFF_OK && k < n_planes; k++) {
            int64_t rest = k;
            for (int i = y; i-- > 0; rest /= extent[i])
                at[i] = origin[i] + rest % extent[i];
            const uint8_t *pixels = c->pixels + (size_t)(k * extent[y]) * stride + (size_t)x * c->pixel_size;
            status = compare_plane(c, pixels, stride, at, size);
        }
        if (status == NGFF_OK && is_last && c->has_mask)
            status = compare_mask(c, at, size);
    }
    return status;
}

/* The box whose first chunk has this index. */
static int32_t compare_at(comparison *c, const int64_t *index)
{
    int64_t origin[MAX_RANK] = {0}, extent[MAX_RANK], n_chunks = 1;
    int is_last = 1;
    for (int i = 0; i < c->rank; i++) {
        int64_t n = min_i64(c->most[i], c->grid[i] - index[i]);
        origin[i] = index[i] * c->chunk[i];
        extent[i] = min_i64(n * c->chunk[i], c->shape[i] - origin[i]);
        n_chunks *= n;
        is_last &= i >= c->y || index[i] + n == c->grid[i];
    }
    int32_t status = compare_box(c, origin, extent, is_last);
    c->n_done += n_chunks;
    if (status == NGFF_OK && c->source->progress &&
        !c->source->progress(c->source->user, (double)c->n_done / (double)c->n_all))
        return fail(c, NGFF_E_CANCELLED, "cancelled");
    return status;
}

/* False where there is no further box. */
static int go_on(const comparison *c, int64_t *index)
{
    for (int k = c->rank; k-- > 0;) {
        int i = axis_of(c, k);
        index[i] += c->most[i];
        if (index[i] < c->grid[i])
            return 1;
        index[i] = 0;
    }
    return 0;
}

int32_t ngff_reader_compare(ngff_reader *reader, const ngff_source_calls *source, int32_t n_threads, int64_t *at,
                            char *error, int64_t error_size)
{
    comparison c = {.reader = reader,
                    .source = source,
                    .n_threads = n_threads > 1 ? n_threads : 1,
                    .at = at,
                    .error = error,
                    .error_size = error_size};
    int64_t index[MAX_RANK] = {0};
    if (error && error_size > 0)
        error[0] = '\0';
    if (!reader || !source || !source->read)
        return fail(&c, NGFF_E_ARGUMENT, "a comparison needs a store and a source");
    int32_t status = prepare(&c);
    if (status == NGFF_OK)
        status = make_room(&c);
    if (status == NGFF_OK)
        do
            status = compare_at(&c, index);
        while (status == NGFF_OK && go_on(&c, index));
    free(c.pixels);
    free(c.mask);
    free(c.other);
    return status;
}
