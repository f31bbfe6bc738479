/* array_read.c: the document of one Zarr array -> stored_array, the same for both Zarr versions. */
#include "zarr/array.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    const char *id = text_of(compressor, "id");
    codec->compress = COMPRESS_NONE;
    if (!compressor || cJSON_IsNull(compressor))
        return NGFF_OK;
    codec->compress = id ? codec_by_name(ZARR_2, id) : COMPRESS_AUTO;
    if (codec->compress == COMPRESS_AUTO)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the compressor \"%.100s\" is not read", key, id ? id : "?");
    return codec->compress == COMPRESS_BLOSC ? read_blosc(compressor, codec, key, e) : NGFF_OK;
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
    if (*stage != 1 || codec_by_name(ZARR_3, name) == COMPRESS_AUTO)
        return codec_unsupported(key, name, e);
    *stage = 2;
    a->codec.compress = codec_by_name(ZARR_3, name);
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
        if (strcmp(name, "sharding_indexed") == 0 && cJSON_GetArraySize(codecs) > 1)
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: shards with another codec before or behind them are not read",
                             key);
        if (strcmp(name, "sharding_indexed") == 0)
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

/* A type by its name in either Zarr format. Truth values are bytes 0 and 1. */
static const dtype *type_find(const char *name, int format)
{
    if (strcmp(name, format == ZARR_2 ? "|b1" : "bool") == 0)
        return dtype_get(NGFF_UINT8);
    return format == ZARR_2 ? dtype_by_v2(name) : dtype_by_v3(name);
}

/* shape gives the rank; rank 0 in *a means any rank. */
static int32_t read_shape(const document *d, stored_array *a, error *e)
{
    const cJSON *shape = member(d->tree, "shape");
    int rank = cJSON_IsArray(shape) ? cJSON_GetArraySize(shape) : 0;
    if (rank < 1 || rank > MAX_RANK)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the array has %d axes; 1 to %d are read", d->key, rank,
                         (int)MAX_RANK);
    if (a->rank && rank != a->rank)
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

/* An extension of Zarr v3 is an object with a name, or the name alone where it is all. */
static const char *name_of(const cJSON *object, const char *what)
{
    const char *text = text_of(object, what);
    return text ? text : text_of(member(object, what), "name");
}

static int is_separator(const char *text)
{
    return !text || strcmp(text, ".") == 0 || strcmp(text, "/") == 0;
}

static int32_t read_key_encoding(const document *d, stored_array *a, error *e)
{
    const cJSON *encoding = member(d->tree, "chunk_key_encoding");
    const char *name = name_of(d->tree, "chunk_key_encoding");
    const char *separator = text_of(member(encoding, "configuration"), "separator");
    if (!name || (strcmp(name, "default") != 0 && strcmp(name, "v2") != 0))
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the chunk_key_encoding is neither default nor v2", d->key);
    a->key_format = strcmp(name, "v2") == 0 ? ZARR_2 : ZARR_3;
    a->separator = separator ? separator[0] : a->key_format == ZARR_2 ? '.' : '/';
    return is_separator(separator) ? NGFF_OK : array_wrong(d, "chunk_key_encoding", e);
}

static int32_t read_array_v3(const document *d, stored_array *a, error *e)
{
    const char *type = name_of(d->tree, "data_type"), *node = text_of(d->tree, "node_type");
    const cJSON *grid = member(d->tree, "chunk_grid"), *format = member(d->tree, "zarr_format");
    const cJSON *transformers = member(d->tree, "storage_transformers");
    if (!cJSON_IsNumber(format) || format->valuedouble != 3 || !node || strcmp(node, "array") != 0)
        return error_set(e, NGFF_E_CORRUPT, "%s is not a Zarr v3 array", d->key);
    if (read_shape(d, a, e))
        return e->status;
    a->type = type ? type_find(type, ZARR_3) : NULL;
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
    a->type = type ? type_find(type, ZARR_2) : NULL;
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
    a->key_format = ZARR_2;
    a->separator = separator ? separator[0] : '.';
    if (!is_separator(separator))
        return array_wrong(d, "dimension_separator", e);
    a->codec.type_size = a->type->size;
    if (read_compressor_v2(member(d->tree, "compressor"), &a->codec, d->key, e))
        return e->status;
    return read_fill(d, a, e);
}

int32_t array_read(const document_source *source, int format, const char *path, stored_array *a, char **attributes,
                   error *e)
{
    document d, own;
    int32_t status = document_open(source, path, format == ZARR_2 ? ".zarray" : "zarr.json", &d, e);
    if (status)
        return status;
    status = format == ZARR_2 ? read_array_v2(&d, a, e) : read_array_v3(&d, a, e);
    if (!status)
        status = check_array(a, &source->limits, d.key, e);
    if (!status && !(a->path = strdup(path)))
        status = error_set(e, NGFF_E_MEMORY, "memory is out");
    if (!status && attributes && format != ZARR_2)
        *attributes = json_copy(json_member(d.whole, "attributes"));
    document_close(&d);
    if (!status && attributes && format == ZARR_2) {
        error trouble = {0};
        int32_t found = document_probe(source, path, ".zattrs", &own, NULL, &trouble);
        if (found == NGFF_OK)
            *attributes = json_copy(own.whole);
        else if (found == NGFF_E_CORRUPT || found == NGFF_E_UNSUPPORTED) /* pixels do not need them */
            warnings_add(source->told, "%s; the array's attributes are left out", trouble.message);
        else if (found != NGFF_E_NOT_FOUND)
            status = error_copy(e, &trouble);
        if (found == NGFF_OK)
            document_close(&own);
    }
    if (!status && attributes && !*attributes)
        *attributes = strdup("{}");
    return status;
}
