/* node_write.c: see node_write.h. Zarr v2 and v3 differ in how one array or group is put into words: in v2 its attributes
 * are a document of their own. */
#include "zarr/node_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "zarr/tree.h"

int32_t node_put_object(node_writer *to, const char *key, const void *bytes, size_t n)
{
    to->n_objects++;
    int32_t status = to->sink ? to->sink(to->user, key, bytes, n) : NGFF_OK;
    return status < 0 ? error_set(to->e, status, "the metadata object %s could not be stored", key) : NGFF_OK;
}

int32_t node_put_document(node_writer *to, const char *key, const cJSON *tree)
{
    if (!to->sink)
        return node_put_object(to, key, NULL, 0);
    char *text = to->is_whole && tree ? cJSON_Print(tree) : NULL;
    if (!text)
        return error_set(to->e, NGFF_E_MEMORY, "memory is out while writing %s", key);
    int32_t status = strlen(text) > json_max_bytes /* a reader would not take it */
                         ? error_set(to->e, NGFF_E_ARGUMENT,
                                     "%s would have %zu bytes: too many attributes; at most %d bytes are written", key,
                                     strlen(text), (int)json_max_bytes)
                         : node_put_object(to, key, text, strlen(text));
    cJSON_free(text);
    return status;
}

int32_t node_put(node_writer *to, const char *path, const char *name, cJSON *tree)
{
    char key[256];
    snprintf(key, sizeof key, "%s%s%s", path, path[0] ? "/" : "", name);
    int32_t status = node_put_document(to, key, tree);
    if (to->nodes)
        tree_put(to->nodes, to->format == ZARR_2 ? key : path, tree, &to->is_whole);
    else
        cJSON_Delete(tree);
    return status;
}

/* Every group above the array at path that is not there yet. */
static int32_t put_groups(node_writer *to, const char *path)
{
    int is_v2 = to->format == ZARR_2;
    char group[128], key[160];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(group, sizeof group, "%.*s", (int)(slash - path), path);
        snprintf(key, sizeof key, "%s%s", group, is_v2 ? "/.zgroup" : "");
        if (cJSON_GetObjectItemCaseSensitive(to->nodes, key))
            continue;
        cJSON *document = tree_group(to->format, is_v2 ? NULL : cJSON_CreateObject(), &to->is_whole);
        if (node_put(to, group, is_v2 ? ".zgroup" : "zarr.json", document))
            return to->e->status;
    }
    return NGFF_OK;
}

int32_t node_put_array(node_writer *to, const stored_array *a, const char *const *dims, cJSON *attributes)
{
    if (put_groups(to, a->path)) {
        cJSON_Delete(attributes);
        return to->e->status;
    }
    if (to->format == ZARR_3)
        return node_put(to, a->path, "zarr.json", array_document(ZARR_3, a, dims, attributes, &to->is_whole));
    /* xarray and GDAL take the names of dimensions from here. */
    tree_put(attributes, "_ARRAY_DIMENSIONS", tree_texts(dims, a->rank, &to->is_whole), &to->is_whole);
    if (node_put(to, a->path, ".zarray", array_document(ZARR_2, a, NULL, NULL, &to->is_whole))) {
        cJSON_Delete(attributes);
        return to->e->status;
    }
    return node_put(to, a->path, ".zattrs", attributes);
}

int32_t node_put_line(node_writer *to, const char *path, const char *dim, const dtype *type, int64_t n, int64_t chunk,
                      cJSON *attributes, void (*put_item)(const void *from, int64_t i, uint8_t *to), const void *from)
{
    char key[256], below[128];
    const codec_spec plain = {.compress = COMPRESS_NONE};
    const stored_array a = array_make(to->format, path, type, 1, &n, &chunk, NULL, &plain, NULL);
    if (node_put_array(to, &a, &dim, attributes))
        return to->e->status;
    uint8_t *bytes = to->sink ? memory_zeroed(chunk, type->size) : NULL;
    if (to->sink && !bytes)
        return error_set(to->e, NGFF_E_MEMORY, "memory is out while writing %s", path);
    int32_t status = NGFF_OK;
    for (int64_t index = 0; index * chunk < n && !status; index++) {
        int64_t first = index * chunk, end = min_i64(first + chunk, n);
        chunk_key(to->format, 1, &index, below);
        snprintf(key, sizeof key, "%s/%s", path, below);
        for (int64_t i = first; bytes && i < end; i++)
            put_item(from, i, bytes + (i - first) * type->size);
        if (bytes)
            memset(bytes + (end - first) * type->size, 0, (size_t)((first + chunk - end) * type->size));
        status = node_put_object(to, key, bytes, (size_t)(chunk * type->size));
    }
    free(bytes);
    return status;
}
