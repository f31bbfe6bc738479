/* compare.c: see compare.h. Chunks are taken window by window, the planes of one window one after the other, so that a
 * source that interleaves its bands is decoded once. */
#include "compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpl_error.h"

typedef struct {
    const comparison *c;
    char *message;
    size_t room;
    int rank, n_planes_axes; /* axes before y */
    int64_t shape[5], chunk[5], grid[5];
    int pixel_size;
    GDALDataType type;
    uint8_t *pixels, *other; /* a chunk of the store, one plane of it from the source */
    int has_mask;            /* the store or the source; a store without one is valid everywhere */
    int64_t n_done, n_all;
} work;

static int end(work *w, int result, const char *text)
{
    snprintf(w->message, w->room, "%s", text);
    return result;
}

/* GDAL's type for an NGFF type; GDAL knows int8 from 3.7 on (before: bytes), half floats from 3.11 on. */
static GDALDataType gdal_type(int32_t type)
{
    static const char *const names[] = {
        [NGFF_UINT8] = "Byte",         [NGFF_INT8] = "Int8",       [NGFF_UINT16] = "UInt16",
        [NGFF_INT16] = "Int16",        [NGFF_UINT32] = "UInt32",   [NGFF_INT32] = "Int32",
        [NGFF_UINT64] = "UInt64",      [NGFF_INT64] = "Int64",     [NGFF_FLOAT16] = "Float16",
        [NGFF_FLOAT32] = "Float32",    [NGFF_FLOAT64] = "Float64", [NGFF_COMPLEX64] = "CFloat32",
        [NGFF_COMPLEX128] = "CFloat64"};
    const char *name = type > 0 && type < (int32_t)(sizeof names / sizeof names[0]) ? names[type] : NULL;
    GDALDataType found = name ? GDALGetDataTypeByName(name) : GDT_Unknown;
    return found == GDT_Unknown && type == NGFF_INT8 ? GDT_Byte : found;
}

/* True if values of a band fit the store's type as they are. */
static int same_type(GDALDataType band, GDALDataType store)
{
    return band == store || (band == GDT_CInt16 && store == GDT_CFloat32) ||
           (band == GDT_CInt32 && store == GDT_CFloat64);
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
        if (!same_type(type, w->type)) {
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

/* One plane of a chunk. origin, extent: of y and x. */
static int compare_plane(work *w, int64_t plane, const uint8_t *pixels, const int64_t *origin, const int64_t *extent)
{
    int band = w->c->bands ? w->c->bands[plane] : (int)plane + 1;
    int result = read_source(w, GDALGetRasterBand(w->c->source, band), origin, extent, w->type);
    int64_t row_bytes = extent[1] * w->pixel_size, stride = w->chunk[w->rank - 1] * w->pixel_size;
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

static int compare_mask(work *w, const int64_t *index, const int64_t *origin, const int64_t *extent)
{
    char text[1200] = "";
    if (!ngff_reader_has_mask(w->c->reader))
        memset(w->pixels, 255, (size_t)(w->chunk[w->rank - 2] * w->chunk[w->rank - 1]));
    else if (ngff_reader_mask_chunk(w->c->reader, 0, index, w->pixels, text, sizeof text) < 0)
        return end(w, COMPARE_UNREADABLE, text);
    int result = read_source(w, GDALGetMaskBand(GDALGetRasterBand(w->c->source, 1)), origin, extent, GDT_Byte);
    for (int64_t y = 0; result == COMPARE_EQUAL && y < extent[0]; y++)
        for (int64_t x = 0; result == COMPARE_EQUAL && x < extent[1]; x++)
            if ((w->pixels[y * w->chunk[w->rank - 1] + x] != 0) != (w->other[y * extent[1] + x] != 0))
                result = differ(w, "mask", origin[1] + x, origin[0] + y);
    return result;
}

/* All planes of a chunk. */
static int compare_chunk(work *w, const int64_t *index, const int64_t *origin, const int64_t *extent)
{
    char text[1200] = "";
    int n_axes = w->n_planes_axes, result = COMPARE_EQUAL;
    if (ngff_reader_chunk(w->c->reader, 0, index, w->pixels, text, sizeof text) < 0)
        return end(w, COMPARE_UNREADABLE, text);
    int64_t n_inside = 1, plane_bytes = w->chunk[w->rank - 2] * w->chunk[w->rank - 1] * w->pixel_size;
    for (int i = 0; i < n_axes; i++)
        n_inside *= w->chunk[i];
    for (int64_t inside = 0; result == COMPARE_EQUAL && inside < n_inside; inside++) {
        int64_t at[5] = {0}, rest = inside, plane = 0;
        int is_outside = 0;
        for (int i = n_axes - 1; i >= 0; i--) {
            at[i] = index[i] * w->chunk[i] + rest % w->chunk[i];
            rest /= w->chunk[i];
            is_outside |= at[i] >= w->shape[i];
        }
        for (int i = 0; i < n_axes; i++)
            plane = plane * w->shape[i] + at[i];
        if (!is_outside)
            result = compare_plane(w, plane, w->pixels + inside * plane_bytes, origin, extent);
    }
    w->n_done++;
    if (result == COMPARE_EQUAL && w->c->progress && !w->c->progress(w->c->user, (double)w->n_done / (double)w->n_all))
        return end(w, COMPARE_CANCELLED, "cancelled");
    return result;
}

/* All chunks at one place of y and x, then the mask there. */
static int compare_window(work *w, int64_t *index)
{
    int y = w->rank - 2, result = COMPARE_EQUAL;
    int64_t origin[2], extent[2];
    for (int i = 0; i < 2; i++) {
        origin[i] = index[y + i] * w->chunk[y + i];
        extent[i] = w->shape[y + i] - origin[i] < w->chunk[y + i] ? w->shape[y + i] - origin[i] : w->chunk[y + i];
    }
    for (int is_last = 0; result == COMPARE_EQUAL && !is_last;) {
        result = compare_chunk(w, index, origin, extent);
        int i = y - 1;
        for (; i >= 0 && ++index[i] == w->grid[i]; i--)
            index[i] = 0;
        is_last = i < 0;
    }
    return result == COMPARE_EQUAL && w->has_mask ? compare_mask(w, index + y, origin, extent) : result;
}

int compare_with_source(const comparison *c, char *message, size_t room)
{
    work w = {.c = c, .message = message, .room = room};
    int result = prepare(&w);
    if (result != COMPARE_EQUAL)
        return result;
    int64_t n = w.pixel_size, y = w.rank - 2;
    for (int i = 0; i < w.rank; i++)
        n *= w.chunk[i];
    w.pixels = malloc((size_t)n);
    w.other = malloc((size_t)(w.chunk[y] * w.chunk[y + 1] * w.pixel_size));
    if (!w.pixels || !w.other)
        result = end(&w, COMPARE_UNREADABLE, "out of memory for a chunk");
    int64_t index[5] = {0};
    for (index[y] = 0; result == COMPARE_EQUAL && index[y] < w.grid[y]; index[y]++)
        for (index[y + 1] = 0; result == COMPARE_EQUAL && index[y + 1] < w.grid[y + 1]; index[y + 1]++)
            result = compare_window(&w, index);
    free(w.pixels);
    free(w.other);
    return result;
}
