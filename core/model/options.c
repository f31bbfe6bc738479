/* options.c: a list of NAME=VALUE becomes options, by the rows of the table. Rules that join several options (a level
 * within its codec's range, options that contradict each other) are the paragraphs of check_together. */
#include "model/options.h"
#include "model/option_table.h"
#include "model/option_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"

static const char *const version_names[] = {"0.4", "0.5", "0.6"};

const char *version_name(int version)
{
    return version_names[version - VERSION_04];
}

int version_by_name(const char *name)
{
    for (int version = VERSION_04; name && version <= VERSION_06; version++)
        if (strcmp(version_name(version), name) == 0)
            return version;
    return 0;
}

int version_format(int version)
{
    return version == VERSION_04 ? ZARR_2 : ZARR_3;
}

/* -- Names --------------------------------------------------------------------------------------------------------- */

/* Options of other drivers, and what to use here instead. */
static const struct {
    const char *name, *advice;
} foreign[] = {
    {"PREDICTOR", "BLOSC_SHUFFLE does what a predictor is for"},
    {"TILED", "OME-Zarr is always tiled; BLOCKSIZE sets the size"},
    {"BIGTIFF", "OME-Zarr has no size limit; leave it out"},
    {"INTERLEAVE", "bands are separate planes; BLOCKSIZE=c:3 puts 3 bands into one chunk"},
    {"QUALITY", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"LERC", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"MAX_Z_ERROR", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"JPEG_QUALITY", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"WEBP_LEVEL", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"SHARD_CHUNK_SHAPE", "use BLOCKSIZE for the chunk and SHARD for the shard"},
    {"SHARD_SHAPE", "use SHARD"},
    {"CHUNKS_PER_SHARD", "use SHARD, in pixels"},
    {"DIM_SEPARATOR", "the separator is always /"},
    {"CHUNK_MEMORY_LAYOUT", "the order is always C"},
    {"ARRAY_NAME", "use LAYOUT for the paths and NAME for the name"},
    {"SINGLE_ARRAY", "bands are always one array; leave it out"},
    {"SPARSE_OK", "chunks that hold only fill are never stored; leave it out"},
    {"NBITS", "pixels keep their type"},
    {"TFW", "the geotransform is inside the store"},
    {"PHOTOMETRIC", "use COLOR_INTERPRETATION, such as red,green,blue"},
    {"ALPHA", "the source's colour interpretation decides; where there is none use COLOR_INTERPRETATION"},
    {"METHOD", "use OVERVIEW_RESAMPLING"},
    {"OVERVIEW_COMPRESS", "levels use COMPRESS"},
    {"GEOREFERENCING_CONVENTION", "all conventions are written"},
    {"ADD_ALPHA", "nothing is added to the source; gdalwarp -dstalpha makes an alpha band"},
    {"TILING_SCHEME", "pixels are not moved; gdalwarp -t_srs EPSG:3857 -tr ... does it before"},
    {"ALIGNED_LEVELS", "pixels are not moved; use gdalwarp before"},
    {"ZOOM_LEVEL", "pixels are not moved; use gdalwarp before, and SCALE_FACTORS for the levels"},
    {"ZOOM_LEVEL_STRATEGY", "pixels are not moved; use gdalwarp before"},
    {"TARGET_SRS", "pixels are not moved; use gdalwarp -t_srs"},
    {"RES", "pixels are not moved; use gdalwarp -tr"},
    {"EXTENT", "pixels are not moved; use gdal_translate -projwin or gdalwarp -te"},
    {"WARP_RESAMPLING", "pixels are not moved; OVERVIEW_RESAMPLING is for the levels"},
    {"COPY_SRC_OVERVIEWS", "use OVERVIEWS=AUTO"},
    {"OVERVIEW_QUALITY", "levels use COMPRESS and LEVEL, without loss"},
    {"OVERVIEW_PREDICTOR", "BLOSC_SHUFFLE does what a predictor is for"},
    {"PROFILE", "all metadata are kept; COPY_SRC_MDD=NO leaves the source's out"},
    {"GEOTIFF_VERSION", "the CRS is written as NGFF and GDAL's Zarr driver have it; leave it out"},
    {"GEOTIFF_KEYS_FLAVOR", "the CRS is written as NGFF and GDAL's Zarr driver have it; leave it out"},
    {"STREAMABLE_OUTPUT", "a store is no stream; leave it out"},
    {"DISCARD_LSB", "pixels keep all their bits"},
    {"PIXELTYPE", "pixels keep their type; gdal_translate -ot changes it"},
    {"JXL_LOSSLESS", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"WORLDFILE", "the geotransform is inside the store"},
    {"RPB", "RPCs are inside the store"},
    {"RPCTXT", "RPCs are inside the store"},
    {"COLORMAP", "the source's colour table is kept"},
    {"FILTER", "BLOSC_SHUFFLE is the one filter"},
};

/* Edits that turn one name into the other (Levenshtein), at most 31 characters of each. */
static int distance(const char *a, const char *b)
{
    int line[33];
    for (int j = 0; j <= 32; j++)
        line[j] = j;
    int n = 0;
    for (int i = 1; i < 32 && a[i - 1]; i++) {
        int diagonal = line[0];
        line[0] = i;
        for (int j = 1; j < 32 && b[j - 1]; j++) {
            int change = diagonal + (ascii_upper(a[i - 1]) != b[j - 1]);
            diagonal = line[j];
            int insert = (line[j] < line[j - 1] ? line[j] : line[j - 1]) + 1;
            line[j] = change < insert ? change : insert;
        }
    }
    while (n < 31 && b[n])
        n++;
    return line[n];
}

/* The row whose name is nearest to a name that is none; NULL where that would mislead. */
static const row *nearest_row(const char *name)
{
    const row *nearest = option_table;
    for (int i = 1; i < option_count; i++)
        if (distance(name, option_table[i].name) < distance(name, nearest->name))
            nearest = &option_table[i];
    return 3 * distance(name, nearest->name) > (int)strlen(name) ? NULL : nearest;
}

static int32_t refuse_name(const char *name, error *e)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (text_equals(foreign[i].name, name))
            return error_set(e, NGFF_E_OPTION, "%s is not an option of this format: %s", name, foreign[i].advice);
    const row *nearest = nearest_row(name);
    if (!nearest)
        return error_set(e, NGFF_E_OPTION,
                         "\"%.100s\" is not an option, nor near to one; gdalinfo --format OMEZARR lists them all",
                         name);
    return error_set(e, NGFF_E_OPTION, "\"%.100s\" is not an option; the nearest is %s", name, nearest->name);
}

int options_know(const char *name)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (text_equals(foreign[i].name, name))
            return 1;
    return row_find(name) || nearest_row(name);
}

const char *options_canonical(const char *name)
{
    const row *r = name ? row_find(name) : NULL;
    return r ? r->name : NULL;
}

int options_is_lasting(const char *typed)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    const row *r = row_find(name);
    return r && !r->is_of_run;
}

/* -- Reading a list ------------------------------------------------------------------------------------------------ */

static const char *typed_value(const options *o, const char *name)
{
    size_t n = strlen(name);
    for (char **p = o->typed; p && *p; p++)
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return *p + n + 1;
    return NULL;
}

void options_print(const options *o, const char *name, char *to, size_t room)
{
    const row *r = row_find(name);
    const char *typed = typed_value(o, name);
    const word *w = typed ? word_find(r->words, typed) : NULL;
    if (r->print)
        r->print(r, (const char *)o + r->offset, to, room);
    else
        snprintf(to, room, "%s", w ? word_of(r->words, w->value) : typed ? typed : row_default(r));
}

static int32_t keep_typed(options *o, int n, const char *name, const char *value, error *e)
{
    size_t size = strlen(name) + strlen(value) + 2;
    o->typed[n] = malloc(size);
    if (!o->typed[n])
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    snprintf(o->typed[n], size, "%s=%s", name, value);
    return NGFF_OK;
}

static int32_t read_one(const char *item, options *o, int n, error *e)
{
    char name[64];
    size_t length = strcspn(item, "=");
    if (!item[length])
        return error_set(e, NGFF_E_OPTION, "\"%.100s\" is not NAME=VALUE", item);
    if (length >= sizeof name)
        return error_set(e, NGFF_E_OPTION, "\"%.100s\" is not an option", item);
    memcpy(name, item, length);
    name[length] = '\0';
    const char *value = item + length + 1;
    const row *r = row_find(name);
    if (!r)
        return refuse_name(name, e);
    const char *before = typed_value(o, r->name);
    if (before)
        return error_set(e, NGFF_E_OPTION, "%s is given twice: \"%.100s\" and \"%.100s\"", r->name, before, value);
    row_reader read = r->read ? r->read : row_read_word;
    if (read(r, value, (char *)o + r->offset, e))
        return e->status;
    return keep_typed(o, n, r->name, value, e);
}

/* -- Rules that join options --------------------------------------------------------------------------------------- */

/* An option that only one codec understands chooses this codec, unless COMPRESS names another. */
static int32_t imply_codec(options *o, const char *name, int compress, error *e)
{
    if (!typed_value(o, name) || o->compress == compress)
        return NGFF_OK;
    if (compress == COMPRESS_GZIP && o->compress == COMPRESS_ZLIB)
        return NGFF_OK;
    if (o->compress != COMPRESS_AUTO)
        return error_set(e, NGFF_E_OPTION, "%s=%s is for COMPRESS=%s, but COMPRESS=%s is given; drop one of them", name,
                         typed_value(o, name), compress_name(compress), compress_name(o->compress));
    o->compress = compress;
    return NGFF_OK;
}

/* Levels that the codec takes; for AUTO those that both of its codecs take. */
static int32_t check_level(const options *o, error *e)
{
    const codec_row *row = codec_row_get(o->compress);
    int least = row ? row->least : 1, most = row ? row->most : 9;
    if (o->level < 0)
        return NGFF_OK;
    if (most == 0)
        return error_set(e, NGFF_E_OPTION, "LEVEL=%d: COMPRESS=%s has no levels; leave LEVEL out", o->level,
                         compress_name(o->compress));
    if (o->level < least || o->level > most)
        return error_set(e, NGFF_E_OPTION, "LEVEL=%d: COMPRESS=%s allows %d to %d", o->level,
                         compress_name(o->compress), least, most);
    return NGFF_OK;
}

static int32_t check_pair(const options *o, const char *a, const char *b, error *e)
{
    if (!typed_value(o, a) || !typed_value(o, b))
        return NGFF_OK;
    return error_set(e, NGFF_E_OPTION, "%s=%.100s and %s=%.100s contradict each other; give one of them", a,
                     typed_value(o, a), b, typed_value(o, b));
}

static int32_t check_codec(options *o, error *e)
{
    static const char *const levels[] = {"LEVEL", "ZSTD_LEVEL", "GZIP_LEVEL", "BLOSC_CLEVEL"};
    for (int i = 0; i < 4; i++)
        for (int j = i + 1; j < 4; j++)
            if (check_pair(o, levels[i], levels[j], e))
                return e->status;
    if (imply_codec(o, "ZSTD_LEVEL", COMPRESS_ZSTD, e) || imply_codec(o, "GZIP_LEVEL", COMPRESS_GZIP, e) ||
        imply_codec(o, "BLOSC_CLEVEL", COMPRESS_BLOSC, e) || imply_codec(o, "BLOSC_CNAME", COMPRESS_BLOSC, e) ||
        imply_codec(o, "BLOSC_SHUFFLE", COMPRESS_BLOSC, e))
        return e->status;
    const codec_row *row = codec_row_get(o->compress);
    if (row && row->instead_v3 && o->version != VERSION_04)
        return error_set(e, NGFF_E_OPTION, "COMPRESS=%s exists in NGFF 0.4 only; use COMPRESS=%s, or NGFF_VERSION=0.4",
                         row->word, row->instead_v3);
    return check_level(o, e);
}

static int32_t check_together(options *o, error *e)
{
    if (check_codec(o, e))
        return e->status;
    if (o->shard_mode == SHARD_GIVEN && o->version == VERSION_04)
        return error_set(e, NGFF_E_OPTION, "SHARD=%s needs NGFF_VERSION=0.5; NGFF 0.4 has no shards",
                         typed_value(o, "SHARD"));
    if (check_pair(o, "BLOCKSIZE", "BLOCKXSIZE", e) || check_pair(o, "BLOCKSIZE", "BLOCKYSIZE", e) ||
        (o->n_scale_factors && check_pair(o, "OVERVIEW_COUNT", "SCALE_FACTORS", e)) ||
        (o->dry_run && check_pair(o, "DRY_RUN", "REPORT", e)) || (o->resume && check_pair(o, "PART", "RESUME", e)) ||
        (o->verify == VERIFY_SOURCE && check_pair(o, "PART", "VERIFY", e)))
        return e->status;
    if (o->part.n > 0 && o->layout == LAYOUT_BIOFORMATS2RAW)
        return error_set(e, NGFF_E_OPTION, "PART=%s does not go with LAYOUT=BIOFORMATS2RAW; choose another layout",
                         typed_value(o, "PART"));
    if (o->overviews == OVERVIEWS_NONE && (check_pair(o, "OVERVIEWS", "SCALE_FACTORS", e) ||
                                           (o->overview_count > 0 && check_pair(o, "OVERVIEWS", "OVERVIEW_COUNT", e))))
        return e->status;
    return NGFF_OK;
}

int32_t options_read(const char *const *list, options *o, error *e)
{
    memset(o, 0, sizeof *o);
    o->version = VERSION_05;
    o->level = -1;
    o->blosc_shuffle = SHUFFLE_BYTE;
    o->overview_count = -1;
    int n = 0;
    while (list && list[n])
        n++;
    o->typed = calloc((size_t)n + 1, sizeof *o->typed);
    if (!o->typed)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    for (int i = 0; i < n; i++)
        if (read_one(list[i], o, i, e))
            return e->status;
    return check_together(o, e);
}

static void list_free(char **list)
{
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

void options_release(options *o)
{
    list_free(o->channel_names);
    list_free(o->channel_colors);
    list_free(o->color_interpretation);
    list_free(o->typed);
    free(o->windows);
    free(o->name);
    free(o->report);
    memset(o, 0, sizeof *o);
}
