/* compare.c: see compare.h. The source is read chunk by chunk, the planes of one place of y and x one after the other,
 * so that a source that interleaves its bands is decoded once. The store's chunks come in boxes of as many as there are
 * threads to decode them: planes at one place, and places side by side where that is too few. */
#include "verify/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpl_error.h"

enum { most_bytes = 256 << 20 }; /* of a box that is more than one chunk */

typedef struct {
    const comparison *c;
    char *message;
    size_t room;
    int rank, n_planes_axes; /* axes before y */
    int64_t shape[5], chunk[5], grid[5];
    int64_t most[5]; /* chunks of a box */
    int pixel_size;
    GDALDataType type;
    uint8_t *pixels, *mask, *other; /* a box of the store; one plane of a chunk, from the store and from the source */
    int has_mask;                   /* the store or the source; a store without one is valid everywhere */
    int64_t n_done, n_all;          /* chunks */
    int64_t n_cached;               /* chunks whose source pixels may be in GDAL's block cache */
} work;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int end(work *w, int result, const char *text)
{
    snprintf(w->message, w->room, "%s", text);
    return result;
}

/* GDAL's type for an NGFF type; GDAL knows int8 from 3.7 on (before: bytes), half floats from 3.11 on. Other names differ by
 * capitals only, which it does not look at. */
static GDALDataType gdal_type(int32_t type)
{
    const char *name = type == NGFF_UINT8        ? "Byte"
                       : type == NGFF_COMPLEX64  ? "CFloat32"
                       : type == NGFF_COMPLEX128 ? "CFloat64"
                                                 : ngff_type_name(type);
    GDALDataType found = name ? GDALGetDataTypeByName(name) : GDT_Unknown;
    return found == GDT_Unknown && type == NGFF_INT8 ? GDT_Byte : found;
}

/* True if the store's type holds all values of the band's, as where bands of several types have become one. */
static int holds_type(GDALDataType store, GDALDataType band)
{
    return band == store || (band == GDT_CInt16 && store == GDT_CFloat32) ||
           (band == GDT_CInt32 && store == GDT_CFloat64) || GDALDataTypeUnion(store, band) == store;
}

/* -- Size, bands, type ----------------------------------------------------------------------------------------- */

static int prepare(work *w)
{
    const comparison *c = w->c;
    char text[300];
    w->rank = (int)strlen(ngff_reader_dims(c->reader));
    w->n_planes_axes = w->rank - 2;
    w->pixel_size = ngff_type_size(ngff_reader_data_type(c->reader));
    w->type = c->type != GDT_Unknown ? c->type : gdal_type(ngff_reader_data_type(c->reader));
    if (w->rank < 2 || ngff_reader_level_shape(c->reader, 0, w->shape) != NGFF_OK ||
        ngff_reader_level_chunk(c->reader, 0, w->chunk) != NGFF_OK)
        return end(w, COMPARE_UNREADABLE, ngff_reader_error(c->reader));
    int64_t n_planes = 1, width = w->shape[w->rank - 1], height = w->shape[w->rank - 2];
    w->n_all = 1;
    for (int i = 0; i < w->rank; i++) {
        w->grid[i] = (w->shape[i] + w->chunk[i] - 1) / w->chunk[i];
        w->n_all *= w->grid[i];
        n_planes *= i < w->n_planes_axes ? w->shape[i] : 1;
    }
    if (width != GDALGetRasterXSize(c->source) || height != GDALGetRasterYSize(c->source) ||
        n_planes != GDALGetRasterCount(c->source)) {
        snprintf(text, sizeof text,
                 "the source has %d x %d pixels in %d bands, the store %" PRId64 " x %" PRId64 " in %" PRId64,
                 GDALGetRasterXSize(c->source), GDALGetRasterYSize(c->source), GDALGetRasterCount(c->source), width,
                 height, n_planes);
        return end(w, COMPARE_DIFFERENT, text);
    }
    if (w->type == GDT_Unknown || GDALGetDataTypeSizeBytes(w->type) != w->pixel_size)
        return end(w, COMPARE_UNREADABLE, "this GDAL has no type for the pixels of the store");
    for (int band = 1; c->type == GDT_Unknown && band <= n_planes; band++) {
        GDALDataType type = GDALGetRasterDataType(GDALGetRasterBand(c->source, band));
        if (!holds_type(w->type, type)) {
            snprintf(text, sizeof text, "band %d of the source is %s, the store is %s", band, GDALGetDataTypeName(type),
                     GDALGetDataTypeName(w->type));
            return end(w, COMPARE_DIFFERENT, text);
        }
    }
    int flags = GDALGetMaskFlags(GDALGetRasterBand(c->source, 1));
    w->has_mask = ngff_reader_has_mask(c->reader) || ((flags & GMF_PER_DATASET) && !(flags & GMF_ALPHA));
    return COMPARE_EQUAL;
}

/* -- Pixels ---------------------------------------------------------------------------------------------------- */

static int read_source(work *w, GDALRasterBandH band, const int64_t *origin, const int64_t *extent, GDALDataType type)
{
    int width = (int)extent[1], height = (int)extent[0];
    if (GDALRasterIO(band, GF_Read, (int)origin[1], (int)origin[0], width, height, w->other, width, height, type, 0,
                     0) == CE_None)
        return COMPARE_EQUAL;
    return end(w, COMPARE_UNREADABLE, "the source cannot be read");
}

static int differ(work *w, const char *what, int64_t x, int64_t y)
{
    char text[200];
    snprintf(text, sizeof text, "%s, column %" PRId64 ", row %" PRId64 ": the store has not the source's %s", what, x,
             y, what[0] == 'm' ? "mask" : "pixel");
    return end(w, COMPARE_DIFFERENT, text);
}

/* One plane at one place. pixels: of the store, rows stride bytes apart; origin, extent: of y and x. */
static int compare_plane(work *w, int64_t plane, const uint8_t *pixels, int64_t stride, const int64_t *origin,
                         const int64_t *extent)
{
    int band = w->c->bands ? w->c->bands[plane] : (int)plane + 1;
    int result = read_source(w, GDALGetRasterBand(w->c->source, band), origin, extent, w->type);
    int64_t row_bytes = extent[1] * w->pixel_size;
    for (int64_t y = 0; result == COMPARE_EQUAL && y < extent[0]; y++) {
        const uint8_t *ours = pixels + y * stride, *theirs = w->other + y * row_bytes;
        if (memcmp(ours, theirs, (size_t)row_bytes) == 0)
            continue;
        int64_t x = 0;
        while (memcmp(ours + x * w->pixel_size, theirs + x * w->pixel_size, (size_t)w->pixel_size) == 0)
            x++;
        char what[40];
        snprintf(what, sizeof what, "band %d", band);
        result = differ(w, what, origin[1] + x, origin[0] + y);
    }
    return result;
}

static int compare_mask(work *w, const int64_t *origin, const int64_t *extent)
{
    char text[1200] = "";
    if (!ngff_reader_has_mask(w->c->reader))
        memset(w->mask, 255, (size_t)(extent[0] * extent[1]));
    else if (ngff_reader_read_mask(w->c->reader, 0, origin, extent, w->mask, NULL, 1, text, sizeof text) < 0)
        return end(w, COMPARE_UNREADABLE, text);
    int result = read_source(w, GDALGetMaskBand(GDALGetRasterBand(w->c->source, 1)), origin, extent, GDT_Byte);
    for (int64_t i = 0; result == COMPARE_EQUAL && i < extent[0] * extent[1]; i++)
        if ((w->mask[i] != 0) != (w->other[i] != 0))
            result = differ(w, "mask", origin[1] + i % extent[1], origin[0] + i / extent[1]);
    return result;
}

/* All planes of a box, place by place, and the mask there if these are the last planes. */
static int compare_box(work *w, const int64_t *origin, const int64_t *extent, int is_last)
{
    char text[1200] = "";
    int y = w->rank - 2, result = COMPARE_EQUAL;
    if (ngff_reader_read(w->c->reader, 0, origin, extent, w->pixels, NULL, w->c->n_threads, text, sizeof text) < 0)
        return end(w, COMPARE_UNREADABLE, text);
    int64_t n_planes = 1, stride = extent[y + 1] * w->pixel_size;
    for (int i = 0; i < y; i++)
        n_planes *= extent[i];
    for (int64_t x = 0; result == COMPARE_EQUAL && x < extent[y + 1]; x += w->chunk[y + 1]) {
        int64_t at[2] = {origin[y], origin[y + 1] + x};
        int64_t size[2] = {extent[y], smaller(extent[y + 1] - x, w->chunk[y + 1])};
        for (int64_t k = 0; result == COMPARE_EQUAL && k < n_planes; k++) {
            int64_t rest = k, plane = 0, step = 1;
            for (int i = y; i-- > 0; step *= w->shape[i], rest /= extent[i])
                plane += (origin[i] + rest % extent[i]) * step;
            const uint8_t *pixels = w->pixels + k * extent[y] * stride + x * w->pixel_size;
            result = compare_plane(w, plane, pixels, stride, at, size);
        }
        if (result == COMPARE_EQUAL && is_last && w->mask)
            result = compare_mask(w, at, size);
    }
    return result;
}

/* GDAL's block cache would keep what the source decodes, up to the limit of the process. What a row of chunks needs
 * stays as long as the row: the source may be stored in rows. */
static void drop_cached(work *w, int64_t n_chunks)
{
    int64_t n_of_row = w->n_all / w->grid[w->rank - 2];
    w->n_cached += n_chunks;
    if (w->n_cached < n_of_row)
        return;
    for (int i = 1; i <= GDALGetRasterCount(w->c->source); i++)
        GDALFlushRasterCache(GDALGetRasterBand(w->c->source, i));
    if (w->has_mask)
        GDALFlushRasterCache(GDALGetMaskBand(GDALGetRasterBand(w->c->source, 1)));
    w->n_cached = 0;
}

/* The box whose first chunk has this index. */
static int compare_at(work *w, const int64_t *index)
{
    int64_t origin[5], extent[5], n_chunks = 1;
    int is_last = 1;
    for (int i = 0; i < w->rank; i++) {
        int64_t n = smaller(w->most[i], w->grid[i] - index[i]);
        origin[i] = index[i] * w->chunk[i];
        extent[i] = smaller(n * w->chunk[i], w->shape[i] - origin[i]);
        n_chunks *= n;
        is_last &= i >= w->rank - 2 || index[i] + n == w->grid[i];
    }
    int result = compare_box(w, origin, extent, is_last);
    w->n_done += n_chunks;
    drop_cached(w, n_chunks);
    if (result == COMPARE_EQUAL && w->c->progress && !w->c->progress(w->c->user, (double)w->n_done / (double)w->n_all))
        return end(w, COMPARE_CANCELLED, "cancelled");
    return result;
}

/* The axes from the slowest to the fastest: y, x, then the planes. */
static int axis_of(const work *w, int k)
{
    return k < 2 ? w->rank - 2 + k : k - 2;
}

/* False where there is no further box. */
static int go_on(const work *w, int64_t *index)
{
    for (int k = w->rank; k-- > 0;) {
        int i = axis_of(w, k);
        index[i] += w->most[i];
        if (index[i] < w->grid[i])
            return 1;
        index[i] = 0;
    }
    return 0;
}

/* How many chunks a box has, and its memory. Only where it has all planes may it have several places. */
static int make_room(work *w)
{
    int64_t plane = w->chunk[w->rank - 2] * w->chunk[w->rank - 1], n = w->pixel_size;
    for (int i = 0; i < w->rank; i++)
        n *= w->chunk[i];
    int64_t n_wanted = smaller(w->c->n_threads, most_bytes / n), n_chunks = 1;
    for (int k = w->rank; k-- > 0;) {
        int i = axis_of(w, k);
        w->most[i] = k > 0 && n_wanted > 1 ? smaller(n_wanted, w->grid[i]) : 1;
        n_chunks *= w->most[i];
        n_wanted = w->most[i] == w->grid[i] ? n_wanted / w->most[i] : 1;
    }
    w->pixels = malloc((size_t)(n * n_chunks));
    w->other = malloc((size_t)(plane * w->pixel_size));
    w->mask = w->has_mask ? malloc((size_t)plane) : NULL;
    return w->pixels && w->other && (w->mask || !w->has_mask) ? COMPARE_EQUAL
                                                              : end(w, COMPARE_UNREADABLE, "out of memory for a chunk");
}

int compare_with_source(const comparison *c, char *message, size_t room)
{
    work w = {.c = c, .message = message, .room = room};
    int64_t index[5] = {0};
    int result = prepare(&w);
    if (result == COMPARE_EQUAL)
        result = make_room(&w);
    if (result == COMPARE_EQUAL)
        do
            result = compare_at(&w, index);
        while (result == COMPARE_EQUAL && go_on(&w, index));
    free(w.pixels);
    free(w.mask);
    free(w.other);
    return result;
}
