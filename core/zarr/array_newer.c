/* array_newer.c: see array_newer.h. What a chunk's bytes are is the same in both versions of Zarr for the codecs that both have;
 * the order of bytes and of axes, which Zarr 2 says of the array, are codecs in Zarr 3; and keys as "0/1/2" are the
 * chunk_key_encoding "v2". */
#include "zarr/array_newer.h"

#include <stdlib.h>
#include <string.h>

#include "zarr/tree.h"

static int number_in(const cJSON *object, const char *name, int otherwise)
{
    const cJSON *item = member(object, name);
    return cJSON_IsNumber(item) ? item->valueint : otherwise;
}

/* How it was compressed, which only writers ask. */
static int32_t take_codec(const cJSON *compressor, stored_array *a, const char *path, error *e)
{
    codec_spec *codec = &a->codec;
    const codec_row *row = codec_row_get(codec->compress);
    int is_blosc = codec->compress == COMPRESS_BLOSC;
    if (codec->compress != COMPRESS_NONE && (!row->v3 || row->instead_v3))
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: Zarr 3 has no codec %s", path, row->v2);
    codec->level = number_in(compressor, is_blosc ? "clevel" : "level", row->standard);
    codec->blosc_shuffle = number_in(compressor, "shuffle", SHUFFLE_BYTE);
    if (codec->blosc_shuffle < SHUFFLE_NONE || codec->blosc_shuffle > SHUFFLE_BIT) /* -1: by the size of a pixel */
        codec->blosc_shuffle = a->type->size == 1 ? SHUFFLE_BIT : SHUFFLE_BYTE;
    codec->zstd_checksum = cJSON_IsTrue(member(compressor, "checksum"));
    return NGFF_OK;
}

/* The attributes but one, as they are written; the names in that one where they are so many as there are axes. */
static cJSON *take_attributes(const char *text, int rank, const char **names, cJSON **list, int *is_whole, error *e)
{
    static const char of_dims[] = "_ARRAY_DIMENSIONS";
    cJSON *attributes = cJSON_CreateObject();
    json_span all = json_whole(text), name, value;
    *list = json_tree(json_member(all, of_dims), of_dims, e);
    for (size_t at = 0; json_next(all, &at, &name, &value);) {
        char *key = json_copy(name), *as_is = json_copy(value);
        if (!key || strcmp(key, of_dims) != 0)
            tree_put(attributes, key, as_is ? cJSON_CreateRaw(as_is) : NULL, is_whole);
        free(key);
        free(as_is);
    }
    for (int i = 0; i < rank; i++)
        names[i] = cJSON_GetArraySize(*list) == rank ? cJSON_GetStringValue(cJSON_GetArrayItem(*list, i)) : NULL;
    return attributes;
}

/* What array_document writes of arrays of its own making, as it is of this one. */
static void adapt(cJSON *array, const stored_array *a, int is_bool, int has_dims, int *is_whole)
{
    const char separator[2] = {a->separator};
    cJSON *keys = cJSON_CreateObject(), *codecs = cJSON_GetObjectItemCaseSensitive(array, "codecs");
    cJSON *bytes = cJSON_GetArrayItem(codecs, 0);
    int64_t order[MAX_RANK];
    int is_turned = 0;
    tree_put(keys, "separator", cJSON_CreateString(separator), is_whole);
    tree_replace(array, "chunk_key_encoding", tree_named("v2", keys, is_whole), is_whole);
    if (a->is_big_endian && a->type->item_size > 1)
        tree_replace(cJSON_GetObjectItemCaseSensitive(bytes, "configuration"), "endian", cJSON_CreateString("big"),
                     is_whole);
    for (int i = 0; i < a->rank; i++) {
        order[i] = a->byte_axis[i];
        is_turned |= order[i] != i;
    }
    if (is_turned) {
        cJSON *configuration = cJSON_CreateObject();
        tree_put(configuration, "order", tree_wholes(order, a->rank, is_whole), is_whole);
        *is_whole &= cJSON_InsertItemInArray(codecs, 0, tree_named("transpose", configuration, is_whole));
    }
    if (is_bool) {
        tree_replace(array, "data_type", cJSON_CreateString("bool"), is_whole);
        tree_replace(array, "fill_value", cJSON_CreateBool(a->fill[0]), is_whole);
    }
    if (!has_dims)
        cJSON_DeleteItemFromObjectCaseSensitive(array, "dimension_names");
}

int32_t array_newer(const document_source *source, const char *path, const char *const *dims, int n_dims,
                    cJSON **document_tree, error *e)
{
    document d;
    stored_array a = {0};
    char *text = NULL;
    int is_whole = 1, has_dims = 1;
    const char *own[MAX_RANK] = {NULL};
    cJSON *list = NULL;
    *document_tree = NULL;
    int32_t status = document_open(source, path, ".zarray", &d, e);
    if (status != NGFF_OK)
        return status == NGFF_E_NOT_FOUND ? error_set(e, status, "%s/.zarray is not there any more", path) : status;
    const char *dtype_name = text_of(d.tree, "dtype");
    if (array_read(source, ZARR_2, path, &a, &text, e) != NGFF_OK ||
        take_codec(member(d.tree, "compressor"), &a, path, e) != NGFF_OK)
        goto done;
    cJSON *attributes = take_attributes(text, a.rank, own, &list, &is_whole, e);
    for (int i = 0; i < a.rank; i++) {
        own[i] = n_dims == a.rank ? dims[i] : own[i];
        has_dims &= own[i] != NULL;
    }
    for (int i = 0; i < a.rank && !has_dims; i++)
        own[i] = "";
    cJSON *made = array_document(ZARR_3, &a, own, attributes, &is_whole);
    adapt(made, &a, dtype_name && strcmp(dtype_name, "|b1") == 0, has_dims, &is_whole);
    if (is_whole && e->status == NGFF_OK)
        *document_tree = made;
    else {
        cJSON_Delete(made);
        error_set(e, NGFF_E_MEMORY, "memory is out");
    }
done:
    cJSON_Delete(list);
    free(a.path);
    free(text);
    document_close(&d);
    return e->status;
}
