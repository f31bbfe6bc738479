/* compare.c: see compare.h. The core compares; here are the size and the types of both, and how a band is read. */
#include "verify/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpl_error.h"

typedef struct {
    const comparison *c;
    int64_t shape[5];
    int n_axes; /* before y */
    GDALDataType type;
    int has_mask;     /* the store or the source */
    int64_t last_row; /* y of the pixels that were read last */
} source;

static int end(char *message, size_t room, int result, const char *text)
{
    snprintf(message, room, "%s", text);
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

/* Size, number of bands, types. */
static int prepare(source *s, const comparison *c, char *message, size_t room)
{
    int rank = (int)strlen(ngff_reader_dims(c->reader)), pixel_size = ngff_type_size(ngff_reader_data_type(c->reader));
    s->c = c;
    s->n_axes = rank - 2;
    s->last_row = -1;
    s->type = c->type != GDT_Unknown ? c->type : gdal_type(ngff_reader_data_type(c->reader));
    if (rank < 2 || ngff_reader_level_shape(c->reader, 0, s->shape) != NGFF_OK)
        return end(message, room, COMPARE_UNREADABLE, ngff_reader_error(c->reader));
    int64_t n_planes = 1, width = s->shape[rank - 1], height = s->shape[rank - 2];
    for (int i = 0; i < s->n_axes; i++)
        n_planes *= s->shape[i];
    if (width != GDALGetRasterXSize(c->source) || height != GDALGetRasterYSize(c->source) ||
        n_planes != GDALGetRasterCount(c->source)) {
        snprintf(message, room,
                 "the source has %d x %d pixels in %d bands, the store %" PRId64 " x %" PRId64 " in %" PRId64,
                 GDALGetRasterXSize(c->source), GDALGetRasterYSize(c->source), GDALGetRasterCount(c->source), width,
                 height, n_planes);
        return COMPARE_DIFFERENT;
    }
    if (s->type == GDT_Unknown || GDALGetDataTypeSizeBytes(s->type) != pixel_size)
        return end(message, room, COMPARE_UNREADABLE, "this GDAL has no type for the pixels of the store");
    for (int band = 1; c->type == GDT_Unknown && band <= n_planes; band++) {
        GDALDataType type = GDALGetRasterDataType(GDALGetRasterBand(c->source, band));
        if (!holds_type(s->type, type)) {
            snprintf(message, room, "band %d of the source is %s, the store is %s", band, GDALGetDataTypeName(type),
                     GDALGetDataTypeName(s->type));
            return COMPARE_DIFFERENT;
        }
    }
    int flags = GDALGetMaskFlags(GDALGetRasterBand(c->source, 1));
    s->has_mask = ngff_reader_has_mask(c->reader) || ((flags & GMF_PER_DATASET) && !(flags & GMF_ALPHA));
    return COMPARE_EQUAL;
}

/* GDAL's block cache would keep what the source decodes, up to the limit of the process. What a row of chunks needs
 * stays as long as the row: the source may be stored in rows. */
static void drop_cached(source *s, int64_t row)
{
    for (int i = 1; s->last_row != row && i <= GDALGetRasterCount(s->c->source); i++)
        GDALFlushRasterCache(GDALGetRasterBand(s->c->source, i));
    if (s->last_row != row && s->has_mask)
        GDALFlushRasterCache(GDALGetMaskBand(GDALGetRasterBand(s->c->source, 1)));
    s->last_row = row;
}

static int32_t read_band(GDALRasterBandH band, const int64_t *origin, const int64_t *extent, GDALDataType type,
                         void *to)
{
    int width = (int)extent[1], height = (int)extent[0];
    return GDALRasterIO(band, GF_Read, (int)origin[1], (int)origin[0], width, height, to, width, height, type, 0, 0) ==
                   CE_None
               ? NGFF_OK
               : NGFF_E_STORAGE;
}

static int band_at(const source *s, const int64_t *at)
{
    int64_t plane = 0;
    for (int i = 0; i < s->n_axes; i++)
        plane = plane * s->shape[i] + at[i];
    return s->c->bands ? s->c->bands[plane] : (int)plane + 1;
}

static int32_t read_pixels(void *user, const int64_t *origin, const int64_t *extent, void *pixels)
{
    source *s = user;
    drop_cached(s, origin[s->n_axes]);
    return read_band(GDALGetRasterBand(s->c->source, band_at(s, origin)), origin + s->n_axes, extent + s->n_axes,
                     s->type, pixels);
}

static int32_t read_mask(void *user, const int64_t *origin, const int64_t *extent, uint8_t *mask)
{
    source *s = user;
    return read_band(GDALGetMaskBand(GDALGetRasterBand(s->c->source, 1)), origin, extent, GDT_Byte, mask);
}

static int32_t tell_share(void *user, double share)
{
    const comparison *c = ((source *)user)->c;
    return c->progress(c->user, share);
}

int compare_with_source(const comparison *c, char *message, size_t room)
{
    source s;
    int64_t at[5];
    int result = prepare(&s, c, message, room);
    if (result != COMPARE_EQUAL)
        return result;
    const ngff_source_calls calls = {read_pixels, s.has_mask ? read_mask : NULL, c->progress ? tell_share : NULL, &s};
    int32_t status = ngff_reader_compare(c->reader, &calls, c->n_threads, at, message, (int64_t)room);
    if (status < 0 && status != NGFF_E_CANCELLED && !message[0])
        snprintf(message, room, "the source cannot be read");
    if (status > 0) {
        char what[40] = "mask";
        if (status == NGFF_DIFFERENT_PIXEL)
            snprintf(what, sizeof what, "band %d", band_at(&s, at));
        snprintf(message, room, "%s, column %" PRId64 ", row %" PRId64 ": the store has not the source's %s", what,
                 at[s.n_axes + 1], at[s.n_axes], status == NGFF_DIFFERENT_PIXEL ? "pixel" : "mask");
    }
    return status == NGFF_OK            ? COMPARE_EQUAL
           : status > 0                 ? COMPARE_DIFFERENT
           : status == NGFF_E_CANCELLED ? COMPARE_CANCELLED
                                        : COMPARE_UNREADABLE;
}
