/* array_write.c: the document of an array as this library writes it, and the names of its chunks. */
#include <stdio.h>
#include <string.h>

#include "zarr/array.h"
#include "zarr/tree.h"

/* The keys are exactly numcodecs': zarr-python refuses others. */
static cJSON *compressor_v2(const codec_spec *codec, int *is_whole)
{
    const codec_row *row = codec_row_get(codec->compress);
    if (codec->compress == COMPRESS_NONE)
        return cJSON_CreateNull();
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "id", cJSON_CreateString(row->v2), is_whole);
    if (codec->compress == COMPRESS_BLOSC) {
        tree_put(object, "cname", cJSON_CreateString(cname_name(codec->blosc_cname)), is_whole);
        tree_put(object, "clevel", tree_whole(codec->level), is_whole);
        tree_put(object, "shuffle", tree_whole(codec->blosc_shuffle), is_whole);
        tree_put(object, "blocksize", tree_whole(0), is_whole);
    } else if (codec->compress == COMPRESS_LZ4) {
        tree_put(object, "acceleration", tree_whole(1), is_whole);
    } else if (row->most > 0) {
        tree_put(object, "level", tree_whole(codec->level), is_whole);
    }
    return object;
}

static cJSON *bytes_codec(int item_size, int *is_whole)
{
    cJSON *configuration = item_size > 1 ? cJSON_CreateObject() : NULL;
    if (item_size > 1) /* without memory for it, the document is not whole */
        tree_put(configuration, "endian", cJSON_CreateString("little"), is_whole);
    return tree_named("bytes", configuration, is_whole);
}

static void add_compressor_v3(const codec_spec *codec, cJSON *codecs, int *is_whole)
{
    const codec_row *row = codec_row_get(codec->compress);
    if (codec->compress == COMPRESS_NONE)
        return;
    cJSON *configuration = cJSON_CreateObject();
    if (codec->compress == COMPRESS_BLOSC) {
        tree_put(configuration, "cname", cJSON_CreateString(cname_name(codec->blosc_cname)), is_whole);
        tree_put(configuration, "clevel", tree_whole(codec->level), is_whole);
        tree_put(configuration, "shuffle", cJSON_CreateString(shuffle_name(codec->blosc_shuffle)), is_whole);
        tree_put(configuration, "typesize", tree_whole(codec->type_size), is_whole);
        tree_put(configuration, "blocksize", tree_whole(0), is_whole);
    } else if (row->most > 0) {
        tree_put(configuration, "level", tree_whole(codec->level), is_whole);
    }
    if (codec->compress == COMPRESS_ZSTD)
        tree_put(configuration, "checksum", cJSON_CreateBool(codec->zstd_checksum), is_whole);
    tree_add(codecs, tree_named(row->v3, configuration, is_whole), is_whole);
}

static cJSON *codecs_v3(const stored_array *a, int *is_whole)
{
    cJSON *codecs = cJSON_CreateArray();
    tree_add(codecs, bytes_codec(a->type->item_size, is_whole), is_whole);
    add_compressor_v3(&a->codec, codecs, is_whole);
    if (a->codec.has_crc32c)
        tree_add(codecs, tree_named("crc32c", NULL, is_whole), is_whole);
    if (!a->is_sharded)
        return codecs;
    cJSON *sharding = cJSON_CreateObject(), *index = cJSON_CreateArray(), *outer = cJSON_CreateArray();
    tree_put(sharding, "chunk_shape", tree_wholes(a->chunk, a->rank, is_whole), is_whole);
    tree_put(sharding, "codecs", codecs, is_whole);
    tree_add(index, bytes_codec(8, is_whole), is_whole);
    tree_add(index, tree_named("crc32c", NULL, is_whole), is_whole);
    tree_put(sharding, "index_codecs", index, is_whole);
    tree_put(sharding, "index_location", cJSON_CreateString("end"), is_whole);
    tree_add(outer, tree_named("sharding_indexed", sharding, is_whole), is_whole);
    return outer;
}

static cJSON *array_v3(const stored_array *a, const char *const *dims, cJSON *attributes, int *ok)
{
    cJSON *array = cJSON_CreateObject(), *grid = cJSON_CreateObject(), *keys = cJSON_CreateObject();
    tree_put(grid, "chunk_shape", tree_wholes(a->shard, a->rank, ok), ok);
    tree_put(keys, "separator", cJSON_CreateString("/"), ok);
    tree_put(array, "zarr_format", tree_whole(3), ok);
    tree_put(array, "node_type", cJSON_CreateString("array"), ok);
    tree_put(array, "shape", tree_wholes(a->shape, a->rank, ok), ok);
    tree_put(array, "data_type", cJSON_CreateString(a->type->v3), ok);
    tree_put(array, "chunk_grid", tree_named("regular", grid, ok), ok);
    tree_put(array, "chunk_key_encoding", tree_named("default", keys, ok), ok);
    tree_put(array, "fill_value", tree_pixel(a->type, a->fill, 0, ok), ok);
    tree_put(array, "codecs", codecs_v3(a, ok), ok);
    tree_put(array, "attributes", attributes, ok);
    tree_put(array, "dimension_names", tree_texts(dims, a->rank, ok), ok);
    tree_put(array, "storage_transformers", cJSON_CreateArray(), ok);
    return array;
}

static cJSON *array_v2(const stored_array *a, int *ok)
{
    cJSON *array = cJSON_CreateObject();
    tree_put(array, "zarr_format", tree_whole(2), ok);
    tree_put(array, "shape", tree_wholes(a->shape, a->rank, ok), ok);
    tree_put(array, "chunks", tree_wholes(a->chunk, a->rank, ok), ok);
    tree_put(array, "dtype", cJSON_CreateString(a->type->v2), ok);
    tree_put(array, "compressor", compressor_v2(&a->codec, ok), ok);
    tree_put(array, "fill_value", tree_pixel(a->type, a->fill, 0, ok), ok);
    tree_put(array, "order", cJSON_CreateString("C"), ok);
    tree_put(array, "filters", cJSON_CreateNull(), ok);
    tree_put(array, "dimension_separator", cJSON_CreateString("/"), ok);
    return array;
}

cJSON *array_document(int format, const stored_array *a, const char *const *dims, cJSON *attributes, int *is_whole)
{
    return format == ZARR_2 ? array_v2(a, is_whole) : array_v3(a, dims, attributes, is_whole);
}

stored_array array_make(int format, const char *path, const dtype *type, int rank, const int64_t *shape,
                        const int64_t *chunk, const int64_t *shard, const codec_spec *codec, const uint8_t *fill)
{
    stored_array a = {.path = (char *)path,
                      .type = type,
                      .rank = rank,
                      .is_sharded = shard != NULL,
                      .index_has_checksum = 1,
                      .codec = *codec,
                      .key_format = format,
                      .separator = '/'};
    size_t n = (size_t)rank * sizeof *shape;
    memcpy(a.shape, shape, n);
    memcpy(a.chunk, chunk, n);
    memcpy(a.shard, shard ? shard : chunk, n);
    for (int i = 0; i < rank; i++)
        a.byte_axis[i] = i;
    if (fill)
        memcpy(a.fill, fill, (size_t)type->size);
    return a;
}

void chunk_key(int format, int rank, const int64_t *index, char *to)
{
    int n = 0;
    if (format != ZARR_2)
        to[n++] = 'c';
    for (int i = 0; i < rank; i++)
        n += snprintf(to + n, 24, "%s%lld", n ? "/" : "", (long long)index[i]);
}

void array_chunk_key(const stored_array *array, const int64_t *index, char *to)
{
    chunk_key(array->key_format, array->rank, index, to);
    for (char *p = to; *p; p++)
        if (*p == '/')
            *p = array->separator;
}
