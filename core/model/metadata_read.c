/* metadata_read.c: the metadata documents of a store -> stored_image. Nothing in a document is trusted: text is judged
 * by json.c, every size is checked before it is multiplied, paths stay below the root. What a document says in a way
 * that this library cannot read ends in NGFF_E_UNSUPPORTED with the key and the reason; what it may not say, in
 * NGFF_E_CORRUPT. Both Zarr versions are read into the same stored_array. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"

enum { most_levels = 64 };
static const int64_t most_member_bytes = (int64_t)256 << 20;

/* -- Numbers and sizes ----------------------------------------------------------------------------------------- */

/* A whole number 1 ... 2^53 in an array; cJSON holds doubles, which are exact there. */
static int sizes_read(const cJSON *array, int rank, int64_t *sizes)
{
    int n = 0;
    const cJSON *item;
    if (!cJSON_IsArray(array))
        return 0;
    cJSON_ArrayForEach(item, array)
    {
        double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (n == rank || !(value >= 1 && value <= 9007199254740992.0) || value != floor(value))
            return 0;
        sizes[n++] = (int64_t)value;
    }
    return n == rank;
}

/* Checks that shape, chunk and shard describe bytes that can be counted and held. */
static int32_t check_array(const stored_array *a, const stored_limits *limits, const char *key, error *e)
{
    int64_t sizes[MAX_RANK + 1], chunk[MAX_RANK + 1];
    for (int i = 0; i < a->rank; i++) {
        sizes[i] = a->shape[i];
        chunk[i] = a->chunk[i];
        if (a->shard[i] % a->chunk[i] != 0)
            return error_set(e, NGFF_E_CORRUPT, "%s: the shard is not a multiple of the chunk on axis %d", key, i);
    }
    sizes[a->rank] = chunk[a->rank] = a->type->size;
    if (product_checked(sizes, a->rank + 1) < 0 || product_checked(a->shard, a->rank) < 0)
        return error_set(e, NGFF_E_CORRUPT, "%s: the array has more than 2^63 - 1 bytes", key);
    int64_t bytes = product_checked(chunk, a->rank + 1);
    if (bytes < 0 || bytes > INT32_MAX)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: chunks of more than 2 GiB - 1 bytes are not read", key);
    if (bytes > limits->chunk_bytes)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s: the chunks have %" PRId64 " bytes; at most %" PRId64
                         " are read: raise the open option MAX_CHUNK",
                         key, bytes, limits->chunk_bytes);
    return NGFF_OK;
}

/* An integer fill value from its own text, exactly; 0 if the type does not hold it. */
static int fill_integer(const dtype *type, json_span span, uint8_t *fill)
{
    int is_negative = span.n > 0 && span.text[0] == '-';
    uint64_t magnitude = 0, most = type->class == CLASS_SIGNED ? (UINT64_C(1) << (8 * type->size - 1)) - !is_negative
                                   : is_negative               ? 0
                                   : type->size == 8           ? UINT64_MAX
                                                               : (UINT64_C(1) << 8 * type->size) - 1;
    if (span.n <= (size_t)is_negative)
        return 0;
    for (size_t i = (size_t)is_negative; i < span.n; i++) {
        unsigned digit = (unsigned)(span.text[i] - '0');
        if (digit > 9 || magnitude > (UINT64_MAX - digit) / 10)
            return 0;
        magnitude = magnitude * 10 + digit;
    }
    if (magnitude > most)
        return 0;
    uint64_t bits = is_negative ? 0 - magnitude : magnitude;
    switch (type->size) {
    case 1:
        memcpy(fill, &(uint8_t){(uint8_t)bits}, 1);
        break;
    case 2:
        memcpy(fill, &(uint16_t){(uint16_t)bits}, 2);
        break;
    case 4:
        memcpy(fill, &(uint32_t){(uint32_t)bits}, 4);
        break;
    default:
        memcpy(fill, &bits, 8);
    }
    return 1;
}

/* "0x7fc00000": the bits of a float (Zarr v3 core, fill value of floating-point types). */
static int fill_bits(const dtype *type, const char *text, uint8_t *fill)
{
    char *end;
    size_t n = strlen(text);
    if (strncmp(text, "0x", 2) != 0 || n != 2 + 2 * (size_t)type->size)
        return 0;
    unsigned long long bits = strtoull(text + 2, &end, 16);
    dtype as_integer = *type;
    char decimal[32];
    as_integer.class = CLASS_UNSIGNED;
    snprintf(decimal, sizeof decimal, "%llu", bits);
    return !*end && fill_integer(&as_integer, json_whole(decimal), fill);
}

/* A float fill value: a number, or one of Zarr's words. Values beyond the type's precision are rounded. */
static int fill_float(int32_t data_type, const cJSON *item, uint8_t *fill)
{
    const dtype *type = dtype_get(data_type);
    double value;
    if (cJSON_IsNumber(item))
        value = item->valuedouble;
    else if (!cJSON_IsString(item))
        return 0;
    else if (strcmp(item->valuestring, "NaN") == 0)
        value = NAN;
    else if (strcmp(item->valuestring, "Infinity") == 0)
        value = INFINITY;
    else if (strcmp(item->valuestring, "-Infinity") == 0)
        value = -INFINITY;
    else
        return fill_bits(type, item->valuestring, fill);
    float single = (float)value;
    uint16_t half = half_from_float(single);
    memcpy(fill,
           type->size == 8   ? (void *)&value
           : type->size == 4 ? (void *)&single
                             : (void *)&half,
           (size_t)type->size);
    return 1;
}

static int fill_read(const dtype *type, const cJSON *item, json_span span, uint8_t *fill)
{
    memset(fill, 0, 16);
    if (!item || cJSON_IsNull(item))
        return 1;
    if (type->class == CLASS_FLOAT)
        return fill_float(type->data_type, item, fill);
    if (type->class == CLASS_COMPLEX) {
        int32_t part = type->item_size == 4 ? NGFF_FLOAT32 : NGFF_FLOAT64;
        const cJSON *imaginary = cJSON_GetArrayItem(item, 1);
        if (!cJSON_IsArray(item))
            return fill_float(part, item, fill);
        return imaginary && fill_float(part, item->child, fill) && fill_float(part, imaginary, fill + type->item_size);
    }
    if (cJSON_IsBool(item)) {
        fill[0] = cJSON_IsTrue(item);
        return type->size == 1;
    }
    if (cJSON_IsString(item) && span.n > 2) /* whole numbers as text, as some write 64 bits */
        return fill_integer(type, (json_span){span.text + 1, span.n - 2}, fill);
    if (!cJSON_IsNumber(item))
        return 0;
    return fill_integer(type, span, fill) || dtype_from_double(type->data_type, item->valuedouble, fill);
}

/* -- Codecs ---------------------------------------------------------------------------------------------------- */

static int32_t read_blosc(const cJSON *configuration, codec_spec *codec, const char *key, error *e)
{
    const char *cname = text_of(configuration, "cname");
    codec->compress = COMPRESS_BLOSC;
    codec->blosc_cname = cname ? cname_by_name(cname) : -1;
    /* How it was shuffled stands in every blosc frame, so a reader need not believe the document. */
    return codec->blosc_cname >= 0
               ? NGFF_OK
               : error_set(e, NGFF_E_UNSUPPORTED, "%s: blosc with cname \"%s\" is not read", key, cname ? cname : "");
}

static int32_t read_compressor_v2(const cJSON *compressor, codec_spec *codec, const char *key, error *e)
{
    static const struct {
        const char *id;
        int compress;
    } known[] = {{"zstd", COMPRESS_ZSTD}, {"gzip", COMPRESS_GZIP}, {"zlib", COMPRESS_ZLIB}, {"lz4", COMPRESS_LZ4}};
    const char *id = text_of(compressor, "id");
    codec->compress = COMPRESS_NONE;
    if (!compressor || cJSON_IsNull(compressor))
        return NGFF_OK;
    if (id && strcmp(id, "blosc") == 0)
        return read_blosc(compressor, codec, key, e);
    for (size_t i = 0; id && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].id, id) == 0) {
            codec->compress = known[i].compress;
            return NGFF_OK;
        }
    return error_set(e, NGFF_E_UNSUPPORTED, "%s: the compressor \"%.100s\" is not read", key, id ? id : "?");
}

static int32_t codec_unsupported(const char *key, const char *name, error *e)
{
    return error_set(e, NGFF_E_UNSUPPORTED, "%s: the codec \"%.100s\" is not read here", key, name ? name : "?");
}

static int32_t read_codecs_v3(const cJSON *codecs, stored_array *a, int depth, const char *key, error *e);

/* The order of the axes in the bytes: the codec's list, or the letters of older stores. */
static int32_t read_transpose(const cJSON *configuration, stored_array *a, const char *key, error *e)
{
    const cJSON *order = member(configuration, "order");
    const char *letter = text_of(configuration, "order");
    int is_used[MAX_RANK] = {0}, before[MAX_RANK];
    memcpy(before, a->byte_axis, sizeof before);
    if (!letter && (!cJSON_IsArray(order) || cJSON_GetArraySize(order) != a->rank))
        return error_set(e, NGFF_E_CORRUPT, "%s: the order of transpose is not one of %d axes", key, a->rank);
    for (int k = 0; k < a->rank; k++) {
        const cJSON *item = cJSON_GetArrayItem(order, k);
        double axis = !letter                    ? (cJSON_IsNumber(item) ? item->valuedouble : -1)
                      : strcmp(letter, "F") == 0 ? a->rank - 1 - k
                      : strcmp(letter, "C") == 0 ? k
                                                 : -1;
        if (!(axis >= 0 && axis < a->rank) || axis != floor(axis) || is_used[(int)axis]++)
            return error_set(e, NGFF_E_CORRUPT, "%s: the order of transpose is not one of %d axes", key, a->rank);
        a->byte_axis[k] = before[(int)axis];
    }
    return NGFF_OK;
}

static int32_t read_sharding(const cJSON *configuration, stored_array *a, int depth, const char *key, error *e)
{
    const cJSON *index = member(configuration, "index_codecs"), *first = cJSON_GetArrayItem(index, 0);
    const char *location = text_of(configuration, "index_location"), *bytes = text_of(first, "name");
    const char *endian = text_of(member(first, "configuration"), "endian");
    const char *second = text_of(cJSON_GetArrayItem(index, 1), "name");
    int n = cJSON_GetArraySize(index);
    if (depth > 0)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: shards inside shards are not read", key);
    if (!sizes_read(member(configuration, "chunk_shape"), a->rank, a->chunk))
        return error_set(e, NGFF_E_CORRUPT, "%s: the shard's chunk_shape is not %d sizes from 1", key, a->rank);
    int is_known = (n == 1 || (n == 2 && second && strcmp(second, "crc32c") == 0)) && bytes &&
                   strcmp(bytes, "bytes") == 0 && endian && strcmp(endian, "little") == 0 &&
                   (!location || strcmp(location, "end") == 0 || strcmp(location, "start") == 0);
    if (!is_known)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s: only shard indexes of codecs bytes (little) and crc32c at the end or start are read",
                         key);
    a->is_sharded = 1;
    a->index_is_first = location && strcmp(location, "start") == 0;
    a->index_has_checksum = n == 2;
    return read_codecs_v3(member(configuration, "codecs"), a, depth + 1, key, e);
}

/* The compressors of Zarr v3, and those that zarr-python takes over from numcodecs, with numcodecs' own framing. */
static int compress_v3(const char *name)
{
    static const struct {
        const char *name;
        int compress;
    } known[] = {
        {"zstd", COMPRESS_ZSTD},           {"gzip", COMPRESS_GZIP},           {"blosc", COMPRESS_BLOSC},
        {"zlib", COMPRESS_ZLIB},           {"numcodecs.zstd", COMPRESS_ZSTD}, {"numcodecs.gzip", COMPRESS_GZIP},
        {"numcodecs.zlib", COMPRESS_ZLIB}, {"numcodecs.lz4", COMPRESS_LZ4},   {"numcodecs.blosc", COMPRESS_BLOSC}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].compress;
    return COMPRESS_NONE;
}

/* One codec of Zarr v3; stage: 0 before bytes, 1 after it, 2 after a compressor, 3 after the checksum. */
static int32_t read_codec_v3(const char *name, const cJSON *configuration, stored_array *a, int *stage, const char *key,
                             error *e)
{
    const char *endian = text_of(configuration, "endian");
    if (*stage == 0 && strcmp(name, "transpose") == 0)
        return read_transpose(configuration, a, key, e);
    if (*stage == 0 && strcmp(name, "bytes") == 0) {
        a->is_big_endian = endian && strcmp(endian, "big") == 0;
        *stage = 1;
        return NGFF_OK;
    }
    if ((*stage == 1 || *stage == 2) && strcmp(name, "crc32c") == 0) {
        a->codec.has_crc32c = 1;
        *stage = 3;
        return NGFF_OK;
    }
    if (*stage != 1 || compress_v3(name) == COMPRESS_NONE)
        return codec_unsupported(key, name, e);
    *stage = 2;
    a->codec.compress = compress_v3(name);
    return a->codec.compress == COMPRESS_BLOSC ? read_blosc(configuration, &a->codec, key, e) : NGFF_OK;
}

static int32_t read_codecs_v3(const cJSON *codecs, stored_array *a, int depth, const char *key, error *e)
{
    const cJSON *item;
    int stage = 0;
    cJSON_ArrayForEach(item, codecs)
    {
        const char *name = cJSON_IsString(item) ? item->valuestring : text_of(item, "name");
        const cJSON *configuration = member(item, "configuration");
        if (!name)
            return codec_unsupported(key, name, e);
        if (strcmp(name, "sharding_indexed") == 0 && cJSON_GetArraySize(codecs) == 1)
            return read_sharding(configuration, a, depth, key, e);
        if (read_codec_v3(name, configuration, a, &stage, key, e))
            return e->status;
    }
    return stage > 0 ? NGFF_OK : error_set(e, NGFF_E_CORRUPT, "%s: the codecs do not begin with bytes", key);
}

/* -- Arrays ---------------------------------------------------------------------------------------------------- */

static int32_t array_wrong(const document *d, const char *what, error *e)
{
    return error_set(e, NGFF_E_CORRUPT, "%s: %s is missing or wrong", d->key, what);
}

/* A type by its name in either Zarr version. Truth values are bytes 0 and 1. */
static const dtype *type_find(const char *name, int version)
{
    if (strcmp(name, version == VERSION_04 ? "|b1" : "bool") == 0)
        return dtype_get(NGFF_UINT8);
    return version == VERSION_04 ? dtype_by_v2(name) : dtype_by_v3(name);
}

/* shape gives the rank; rank 0 in *a means any rank. */
static int32_t read_shape(const document *d, stored_array *a, error *e)
{
    const cJSON *shape = member(d->tree, "shape");
    int rank = cJSON_IsArray(shape) ? cJSON_GetArraySize(shape) : 0;
    if (rank < 1 || rank > MAX_RANK || (a->rank && rank != a->rank))
        return error_set(e, NGFF_E_CORRUPT, "%s: the array has %d axes, not %d", d->key, rank, a->rank);
    a->rank = rank;
    for (int i = 0; i < rank; i++)
        a->byte_axis[i] = i;
    return sizes_read(shape, rank, a->shape) ? NGFF_OK : array_wrong(d, "shape", e);
}

static int32_t read_fill(const document *d, stored_array *a, error *e)
{
    return fill_read(a->type, member(d->tree, "fill_value"), json_member(d->whole, "fill_value"), a->fill)
               ? NGFF_OK
               : error_set(e, NGFF_E_CORRUPT, "%s: fill_value does not fit the type %s", d->key, a->type->v3);
}

static int is_separator(const char *text)
{
    return !text || strcmp(text, ".") == 0 || strcmp(text, "/") == 0;
}

static int32_t read_key_encoding(const document *d, stored_array *a, error *e)
{
    const cJSON *encoding = member(d->tree, "chunk_key_encoding");
    const char *name = text_of(encoding, "name");
    const char *separator = text_of(member(encoding, "configuration"), "separator");
    if (!name || (strcmp(name, "default") != 0 && strcmp(name, "v2") != 0))
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the chunk_key_encoding is neither default nor v2", d->key);
    a->key_version = strcmp(name, "v2") == 0 ? VERSION_04 : VERSION_05;
    a->separator = separator ? separator[0] : a->key_version == VERSION_04 ? '.' : '/';
    return is_separator(separator) ? NGFF_OK : array_wrong(d, "chunk_key_encoding", e);
}

static int32_t read_array_v3(const document *d, stored_array *a, error *e)
{
    const char *type = text_of(d->tree, "data_type"), *node = text_of(d->tree, "node_type");
    const cJSON *grid = member(d->tree, "chunk_grid"), *format = member(d->tree, "zarr_format");
    const cJSON *transformers = member(d->tree, "storage_transformers");
    if (!cJSON_IsNumber(format) || format->valuedouble != 3 || !node || strcmp(node, "array") != 0)
        return error_set(e, NGFF_E_CORRUPT, "%s is not a Zarr v3 array", d->key);
    if (read_shape(d, a, e))
        return e->status;
    a->type = type ? type_find(type, VERSION_05) : NULL;
    if (!a->type)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the data_type \"%.100s\" is not read", d->key, type ? type : "?");
    if (cJSON_GetArraySize(transformers) > 0)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: storage_transformers are not read", d->key);
    if (!text_of(grid, "name") || strcmp(text_of(grid, "name"), "regular") != 0 ||
        !sizes_read(member(member(grid, "configuration"), "chunk_shape"), a->rank, a->shard))
        return array_wrong(d, "chunk_grid", e);
    memcpy(a->chunk, a->shard, sizeof a->chunk);
    a->codec.compress = COMPRESS_NONE;
    a->codec.type_size = a->type->size;
    if (read_codecs_v3(member(d->tree, "codecs"), a, 0, d->key, e) || read_key_encoding(d, a, e))
        return e->status;
    return read_fill(d, a, e);
}

static int32_t read_array_v2(const document *d, stored_array *a, error *e)
{
    const char *type = text_of(d->tree, "dtype"), *order = text_of(d->tree, "order");
    const char *separator = text_of(d->tree, "dimension_separator");
    const cJSON *format = member(d->tree, "zarr_format"), *filters = member(d->tree, "filters");
    if (!cJSON_IsNumber(format) || format->valuedouble != 2)
        return error_set(e, NGFF_E_CORRUPT, "%s is not a Zarr v2 array", d->key);
    if (read_shape(d, a, e))
        return e->status;
    a->type = type ? type_find(type, VERSION_04) : NULL;
    if (!a->type)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the dtype \"%.100s\" is not read", d->key, type ? type : "?");
    if (filters && cJSON_GetArraySize(filters) > 0) {
        const char *filter = text_of(cJSON_GetArrayItem(filters, 0), "id");
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the filter \"%.100s\" is not read", d->key, filter ? filter : "?");
    }
    if (order && strcmp(order, "C") != 0 && strcmp(order, "F") != 0)
        return array_wrong(d, "order", e);
    for (int i = 0; order && order[0] == 'F' && i < a->rank; i++)
        a->byte_axis[i] = a->rank - 1 - i;
    if (!sizes_read(member(d->tree, "chunks"), a->rank, a->chunk))
        return array_wrong(d, "chunks", e);
    memcpy(a->shard, a->chunk, sizeof a->shard);
    a->is_big_endian = type[0] == '>';
    a->key_version = VERSION_04;
    a->separator = separator ? separator[0] : '.';
    if (!is_separator(separator))
        return array_wrong(d, "dimension_separator", e);
    a->codec.type_size = a->type->size;
    if (read_compressor_v2(member(d->tree, "compressor"), &a->codec, d->key, e))
        return e->status;
    return read_fill(d, a, e);
}

/* The array at path; a->rank is the rank that it must have, 0 for any. attributes: where its attributes go as text, or
 * NULL. NGFF_E_NOT_FOUND leaves e alone. */
static int32_t read_array(const document_source *source, int version, const char *path, stored_array *a,
                          char **attributes, error *e)
{
    document d, own;
    int32_t status = document_open(source, path, version == VERSION_04 ? ".zarray" : "zarr.json", &d, e);
    if (status)
        return status;
    status = version == VERSION_04 ? read_array_v2(&d, a, e) : read_array_v3(&d, a, e);
    if (!status)
        status = check_array(a, &source->limits, d.key, e);
    if (!status && !(a->path = strdup(path)))
        status = error_set(e, NGFF_E_MEMORY, "memory is out");
    if (!status && attributes && version != VERSION_04)
        *attributes = json_copy(json_member(d.whole, "attributes"));
    document_close(&d);
    if (!status && attributes && version == VERSION_04) {
        int32_t found = document_open(source, path, ".zattrs", &own, e);
        if (found == NGFF_OK)
            *attributes = json_copy(own.whole);
        else if (found != NGFF_E_NOT_FOUND)
            status = found;
        if (found == NGFF_OK)
            document_close(&own);
    }
    if (!status && attributes && !*attributes)
        *attributes = strdup("{}");
    return status;
}

/* -- The image ------------------------------------------------------------------------------------------------- */

/* The letter of an axis other than y and x: by its type, then by its name, then any that is free. */
static char letter_of(const char *name, const char *type, const char *used)
{
    static const struct {
        const char *type;
        char letter;
    } kinds[] = {{"time", 't'}, {"channel", 'c'}, {"space", 'z'}};
    char wanted = name[0] && !name[1] && strchr("tczTCZ", name[0]) ? (char)(name[0] | 0x20) : 'c';
    for (int i = 0; i < 3; i++)
        if (type && strcmp(type, kinds[i].type) == 0)
            wanted = kinds[i].letter;
    if (!strchr(used, wanted))
        return wanted;
    for (const char *other = "czt"; *other; other++)
        if (!strchr(used, *other))
            return *other;
    return 0;
}

/* True if an axis can be the y (the x) of a plane: in space, and not named as the other. */
static int is_plane_axis(const cJSON *axis, const char *name, char letter)
{
    const char *type = text_of(axis, "type");
    int has_letter = name[0] && !name[1] && strchr("xyzXYZtTcC", name[0]);
    if (has_letter)
        return (name[0] | 0x20) == letter;
    return type && strcmp(type, "space") == 0;
}

/* dims gets one letter per axis: y, x for the last two, t, c or z for the others, in the order of the store. */
static int32_t read_axes(const cJSON *axes, stored_image *image, const char *key, error *e)
{
    static const char order[] = "tczyx";
    char used[MAX_RANK + 1] = "";
    int n = 0, rank = axes ? cJSON_GetArraySize(axes) : MAX_RANK;
    if (rank < 2 || rank > MAX_RANK || (axes && !cJSON_IsArray(axes)))
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the image has %d axes; 2 to %d are read", key, rank,
                         (int)MAX_RANK);
    for (int i = 0; !axes && i < rank; i++) { /* NGFF 0.1 and 0.2 */
        image->dims[i] = order[i];
        image->axis_names[i] = strndup(order + i, 1);
    }
    const cJSON *axis;
    cJSON_ArrayForEach(axis, axes)
    {
        const char *name = cJSON_IsString(axis) ? axis->valuestring : text_of(axis, "name"); /* string: NGFF 0.3 */
        const char *type = text_of(axis, "type"), *unit = text_of(axis, "unit");
        if (!name || !name[0])
            return error_set(e, NGFF_E_CORRUPT, "%s: axis %d has no name", key, n);
        if (n >= rank - 2 && !is_plane_axis(axis, name, "yx"[n - (rank - 2)]))
            return error_set(e, NGFF_E_UNSUPPORTED,
                             "%s: axis %d is \"%.40s\"; only images whose last two axes are y and x are read", key, n,
                             name);
        image->dims[n] = n >= rank - 2 ? "yx"[n - (rank - 2)] : letter_of(name, type, used);
        for (int i = 0; i < n; i++)
            if (strcmp(image->axis_names[i], name) == 0)
                return error_set(e, NGFF_E_CORRUPT, "%s: two axes have the name \"%.40s\"", key, name);
        used[n] = image->dims[n];
        image->axis_names[n] = strdup(name);
        image->axis_units[n] = unit ? strdup(unit) : NULL;
        if (!image->axis_names[n++])
            return error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    return NGFF_OK;
}

/* rank finite numbers. */
static int numbers_read(const cJSON *array, int rank, double *values)
{
    int n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (n == rank || !cJSON_IsNumber(item) || !isfinite(item->valuedouble))
            return 0;
        values[n++] = item->valuedouble;
    }
    return n == rank;
}

/* A scale, then at most one translation (NGFF 0.4 and 0.5, "coordinateTransformations"); 0.6 may put the two into a
 * sequence. */
static int32_t read_transforms(const cJSON *transforms, stored_array *a, const char *key, error *e)
{
    const cJSON *item, *first = cJSON_GetArrayItem(transforms, 0);
    const char *kind = text_of(first, "type");
    int n = 0;
    for (int i = 0; i < a->rank; i++) {
        a->scale[i] = 1;
        a->translation[i] = 0;
    }
    if (kind && strcmp(kind, "sequence") == 0 && cJSON_GetArraySize(transforms) == 1)
        transforms = member(first, "transformations");
    cJSON_ArrayForEach(item, transforms)
    {
        const char *type = text_of(item, "type");
        int is_good = 0;
        if (type && n == 0 && strcmp(type, "scale") == 0)
            is_good = numbers_read(member(item, "scale"), a->rank, a->scale);
        else if (type && n == 1 && strcmp(type, "translation") == 0)
            is_good = numbers_read(member(item, "translation"), a->rank, a->translation);
        else if (type && n == 0 && strcmp(type, "identity") == 0)
            is_good = 1;
        if (!is_good)
            return error_set(e, NGFF_E_CORRUPT,
                             "%s: the transforms of %s are not a scale and then a translation of %d numbers", key,
                             a->path, a->rank);
        n++;
    }
    return NGFF_OK;
}

/* NGFF 0.1 to 0.3 have no transforms: a level's scale is how much smaller it is. */
static void guess_scale(const stored_array *base, stored_array *a)
{
    for (int i = 0; i < a->rank; i++) {
        a->scale[i] = (double)base->shape[i] / (double)a->shape[i];
        a->translation[i] = 0;
    }
}

/* A scale of 0, or one with which nothing can be computed, says nothing: the image then has no position. Negative ones
 * are positions like others (rows that go north). */
static void forget_useless_positions(stored_image *image)
{
    for (int l = 0; l < image->n_levels; l++)
        for (int i = 0; i < image->levels[l].rank; i++) {
            double scale = fabs(image->levels[l].scale[i]), translation = fabs(image->levels[l].translation[i]);
            if (scale >= 1e-100 && scale <= 1e100 && translation <= 1e100)
                continue;
            for (int k = 0; k < image->n_levels; k++)
                guess_scale(&image->levels[0], &image->levels[k]);
            return;
        }
}

/* Transforms of the whole image come after those of its levels. */
static int32_t apply_common_transforms(const cJSON *transforms, stored_image *image, const char *key, error *e)
{
    static char whole[] = "all levels";
    stored_array common = {.path = whole, .rank = (int)strlen(image->dims)};
    if (cJSON_GetArraySize(transforms) == 0)
        return NGFF_OK;
    if (read_transforms(transforms, &common, key, e))
        return e->status;
    for (int l = 0; l < image->n_levels; l++)
        for (int i = 0; i < common.rank; i++) {
            stored_array *a = &image->levels[l];
            a->scale[i] *= common.scale[i];
            a->translation[i] = a->translation[i] * common.scale[i] + common.translation[i];
        }
    return NGFF_OK;
}

static int32_t read_levels(const document_source *source, const cJSON *multiscale, stored_image *image, const char *key,
                           error *e)
{
    const cJSON *datasets = member(multiscale, "datasets");
    int n = cJSON_IsArray(datasets) ? cJSON_GetArraySize(datasets) : 0;
    if (n < 1 || n > most_levels)
        return error_set(e, NGFF_E_CORRUPT, "%s: there are %d datasets; 1 to %d are read", key, n, (int)most_levels);
    image->levels = calloc((size_t)n, sizeof *image->levels);
    if (!image->levels)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    const cJSON *dataset;
    cJSON_ArrayForEach(dataset, datasets)
    {
        stored_array *a = &image->levels[image->n_levels];
        const char *path = text_of(dataset, "path");
        if (!path || !path_is_safe(path))
            return error_set(e, NGFF_E_CORRUPT, "%s: the path \"%.100s\" of a dataset does not stay below the root",
                             key, path ? path : "");
        a->rank = (int)strlen(image->dims);
        image->n_levels++;
        char **attributes = image->n_levels == 1 ? &image->array_attributes : NULL;
        int32_t status = read_array(source, image->version, path, a, attributes, e);
        /* Others use the word too (map tiles of ndpyramid: groups, without axes and version): no image then. */
        int is_ngff = image->n_levels > 1 || member(multiscale, "axes") || member(multiscale, "version") ||
                      member(multiscale, "coordinateSystems");
        if (status == NGFF_E_NOT_FOUND)
            return error_set(e, is_ngff ? NGFF_E_CORRUPT : NGFF_E_NOT_FOUND, "%s names the array %s, but there is none",
                             key, path);
        if (status || read_transforms(member(dataset, "coordinateTransformations"), a, key, e))
            return e->status;
        if (cJSON_GetArraySize(member(dataset, "coordinateTransformations")) == 0)
            guess_scale(&image->levels[0], a);
        if (a->type != image->levels[0].type)
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: levels of different data types (%s, %s) are not read", key,
                             image->levels[0].type->v3, a->type->v3);
    }
    return NGFF_OK;
}

/* Masks are found by their path, ovr_mask/<first part of the level's path>: all levels have one, or none. */
static int32_t read_masks(const document_source *source, stored_image *image, error *e)
{
    int rank = (int)strlen(image->dims);
    if (image->n_levels < 1)
        return NGFF_OK;
    stored_array *masks = calloc((size_t)image->n_levels, sizeof *masks);
    if (!masks)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    image->masks = masks;
    for (int l = 0; l < image->n_levels; l++) {
        const stored_array *at = &image->levels[l];
        char path[most_path + 16];
        snprintf(path, sizeof path, "ovr_mask/%.*s", (int)strcspn(at->path, "/"), at->path);
        masks[l].rank = 2;
        int32_t status = read_array(source, image->version, path, &masks[l], NULL, e);
        if (status == NGFF_E_NOT_FOUND && l == 0)
            return NGFF_OK;
        if (status == NGFF_E_NOT_FOUND)
            return error_set(e, NGFF_E_CORRUPT, "the mask %s is missing", path);
        if (status)
            return status;
        if (masks[l].type->data_type != NGFF_UINT8 ||
            memcmp(masks[l].shape, at->shape + rank - 2, 2 * sizeof(int64_t)) != 0 ||
            memcmp(masks[l].chunk, at->chunk + rank - 2, 2 * sizeof(int64_t)) != 0)
            return error_set(e, NGFF_E_CORRUPT, "the mask %s does not have the type, shape and chunk of a mask", path);
    }
    image->has_mask = 1;
    return NGFF_OK;
}

/* True for "0.first" to "0.last", also with something behind it, as in "0.6rc0" and "0.5.2". */
static int version_is(const char *text, char first, char last)
{
    return strncmp(text, "0.", 2) == 0 && text[2] >= first && text[2] <= last && !(text[3] >= '0' && text[3] <= '9');
}

/* The object that holds "multiscales", its version, and the attributes as text. 0.9.dev1 is 0.6 with freer axes. */
static int32_t find_image(const document_source *source, document *d, const cJSON **ome, json_span *attributes,
                          int *version, error *e)
{
    int32_t status = document_open(source, "", "zarr.json", d, e);
    const char *text;
    if (status == NGFF_OK) {
        *ome = member(member(d->tree, "attributes"), "ome");
        *attributes = json_member(d->whole, "attributes");
        text = text_of(*ome, "version");
        *version = VERSION_05;
        if (member(*ome, "multiscales") && text && !(version_is(text, '5', '6') || strncmp(text, "0.9.dev", 7) == 0))
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: NGFF version \"%.20s\" is not read", d->key,
                             text ? text : "?");
    } else if (status == NGFF_E_NOT_FOUND) {
        status = document_open(source, "", ".zattrs", d, e);
        if (status)
            return status == NGFF_E_NOT_FOUND ? error_set(e, status, "no OME-Zarr image is there") : status;
        *ome = d->tree;
        *attributes = d->whole;
        *version = VERSION_04;
        text = text_of(cJSON_GetArrayItem(member(d->tree, "multiscales"), 0), "version");
        if (text && !version_is(text, '1', '5')) /* "0.5-dev" was written in Zarr v2 */
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: NGFF version \"%.20s\" is not read", d->key, text);
    } else {
        return status;
    }
    if (!cJSON_IsArray(member(*ome, "multiscales")))
        return error_set(e, NGFF_E_NOT_FOUND, "%s has no multiscales: no OME-Zarr image is there", d->key);
    return NGFF_OK;
}

/* The axes of a multiscale image: its own, or, in NGFF 0.6, those of the coordinate system that level 0 is put into. */
static const cJSON *find_axes(const cJSON *multiscale)
{
    const cJSON *systems = member(multiscale, "coordinateSystems"), *system;
    const cJSON *dataset = cJSON_GetArrayItem(member(multiscale, "datasets"), 0);
    const cJSON *transform = cJSON_GetArrayItem(member(dataset, "coordinateTransformations"), 0);
    const char *output = text_of(transform, "output");
    if (!cJSON_IsArray(systems))
        return member(multiscale, "axes");
    if (!output)
        output = text_of(member(transform, "output"), "name");
    cJSON_ArrayForEach(system, systems)
    {
        const char *name = text_of(system, "name");
        if (output && name && strcmp(name, output) == 0)
            return member(system, "axes");
    }
    return member(cJSON_GetArrayItem(systems, 0), "axes");
}

static int32_t read_image(const document_source *source, int entry, stored_image *image, document *d, error *e)
{
    const cJSON *ome = NULL;
    json_span attributes = {NULL, 0};
    if (find_image(source, d, &ome, &attributes, &image->version, e))
        return e->status;
    if (!attributes.text)
        return error_set(e, NGFF_E_CORRUPT, "%s writes the key of its attributes with escapes", d->key);
    image->attributes = json_copy(attributes);
    if (!image->attributes)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    image->n_entries = cJSON_GetArraySize(member(ome, "multiscales"));
    const cJSON *multiscale = cJSON_GetArrayItem(member(ome, "multiscales"), entry);
    if (!multiscale)
        return error_set(e, NGFF_E_NOT_FOUND, "%s has %d multiscales, there is no number %d", d->key, image->n_entries,
                         entry);
    if (read_axes(find_axes(multiscale), image, d->key, e) || read_levels(source, multiscale, image, d->key, e))
        return e->status;
    /* In 0.6 these lead on to other systems, such as a CRS; the levels are in the first. */
    if (!member(multiscale, "coordinateSystems") &&
        apply_common_transforms(member(multiscale, "coordinateTransformations"), image, d->key, e))
        return e->status;
    forget_useless_positions(image);
    return read_masks(source, image, e);
}

int32_t metadata_read_entry(metadata_source get, void *user, int entry, const stored_limits *limits,
                            stored_image *image, error *e)
{
    const document_source source = document_source_of(get, user, limits);
    document d = {.text = NULL};
    error own = {0};
    memset(image, 0, sizeof *image);
    read_image(&source, entry, image, &d, &own);
    document_close(&d);
    if (own.status == NGFF_OK)
        return NGFF_OK;
    metadata_release(image);
    return error_copy(e, &own);
}

int32_t metadata_read(metadata_source get, void *user, stored_image *image, error *e)
{
    return metadata_read_entry(get, user, 0, NULL, image, e);
}

static void arrays_free(stored_array *arrays, int n)
{
    for (int i = 0; arrays && i < n; i++)
        free(arrays[i].path);
    free(arrays);
}

void metadata_release(stored_image *image)
{
    arrays_free(image->levels, image->n_levels);
    arrays_free(image->masks, image->n_levels);
    for (int i = 0; i < MAX_RANK; i++) {
        free(image->axis_names[i]);
        free(image->axis_units[i]);
    }
    free(image->attributes);
    free(image->array_attributes);
    memset(image, 0, sizeof *image);
}

void stored_chunk_key(const stored_array *array, const int64_t *index, char *to)
{
    metadata_chunk_key(array->key_version, array->rank, index, to);
    for (char *p = to; *p; p++)
        if (*p == '/')
            *p = array->separator;
}

/* -- The block "omezarr" --------------------------------------------------------------------------------------- */

/* The bytes of a 1-D uint8 array without compression, as text. */
static char *read_member_array(const document_source *source, int version, const char *path)
{
    stored_array a = {.rank = 1};
    error e = {0};
    char *text = NULL;
    if (read_array(source, version, path, &a, NULL, &e) || a.type->data_type != NGFF_UINT8 || a.is_sharded ||
        a.codec.compress != COMPRESS_NONE || a.shape[0] > most_member_bytes || !(text = malloc((size_t)a.shape[0] + 1)))
        goto done;
    int64_t n = 0;
    for (int64_t index = 0; n < a.shape[0]; index++) {
        char below[128], key[most_path + 160], *bytes = NULL;
        size_t size = 0;
        stored_chunk_key(&a, &index, below);
        snprintf(key, sizeof key, "%s/%s", path, below);
        int64_t wanted = min_i64(a.chunk[0], a.shape[0] - n);
        if (source->get(source->user, key, &bytes, &size, &e) < 0 || (int64_t)size != a.chunk[0]) {
            free(bytes);
            free(text);
            text = NULL;
            goto done;
        }
        memcpy(text + n, bytes, (size_t)wanted);
        n += wanted;
        free(bytes);
    }
    text[n] = '\0';
    if (!utf8_is_valid(text, (size_t)n)) {
        free(text);
        text = NULL;
    }
done:
    free(a.path);
    return text;
}

char *metadata_attribute(const stored_image *image, const char *name, metadata_source get, void *user)
{
    const document_source source = document_source_of(get, user, NULL);
    json_span value = json_member(json_member(json_whole(image->attributes), "omezarr"), name);
    json_span link = json_member(value, "$array");
    char path[most_path + 1];
    if (!link.text)
        return json_copy(value);
    if (link.n < 3 || link.n - 2 > most_path || link.text[0] != '"')
        return NULL;
    snprintf(path, sizeof path, "%.*s", (int)link.n - 2, link.text + 1);
    return path_is_safe(path) ? read_member_array(&source, image->version, path) : NULL;
}

/* -- Nodes beside the image ------------------------------------------------------------------------------------ */

int32_t metadata_array(const stored_image *image, const char *path, metadata_source get, void *user,
                       stored_array *array, error *e)
{
    const document_source source = document_source_of(get, user, NULL);
    if (!path_is_safe(path))
        return error_set(e, NGFF_E_ARGUMENT, "the path \"%.100s\" does not stay below the root", path);
    int32_t status = read_array(&source, image->version, path, array, NULL, e);
    if (status != NGFF_OK) {
        free(array->path);
        array->path = NULL;
    }
    return status;
}

char *metadata_node_attributes(const stored_image *image, const char *path, metadata_source get, void *user)
{
    const document_source source = document_source_of(get, user, NULL);
    int is_v2 = image->version == VERSION_04;
    document d;
    error ignored = {0};
    if (!path_is_safe(path) || document_open(&source, path, is_v2 ? ".zattrs" : "zarr.json", &d, &ignored))
        return NULL;
    char *text = json_copy(is_v2 ? d.whole : json_member(d.whole, "attributes"));
    document_close(&d);
    return text;
}
