/* collection.c: see collection.h. The root only says which layout it is; the group OME names the images in the order of the
 * XML, which the specification of 0.4 and 0.5 asks for ("bioformats2raw.layout"). */
#include "metadata/collection.h"

#include <stdio.h>
#include <string.h>

#include "zarr/tree.h"

/* The documents of one group, which are its attributes, in v3 below "ome". attributes is handed over. */
static int32_t emit_group(int format, const char *path, cJSON *attributes, metadata_sink sink, void *user, error *e)
{
    int is_v2 = format == ZARR_2, is_whole = attributes != NULL;
    cJSON *outer = is_v2 ? NULL : cJSON_CreateObject();
    if (!is_v2)
        tree_put(outer, "ome", attributes, &is_whole);
    cJSON *group = tree_group(format, outer, &is_whole);
    const cJSON *const documents[] = {group, is_v2 ? attributes : NULL};
    const char *const names[] = {is_v2 ? ".zgroup" : "zarr.json", ".zattrs"};
    for (int i = 0; i < 2 && (i == 0 || documents[i]) && e->status == NGFF_OK; i++) {
        char key[64], *text = is_whole ? cJSON_Print(documents[i]) : NULL;
        snprintf(key, sizeof key, "%s%s", path, names[i]);
        int32_t status = text ? sink(user, key, text, strlen(text)) : NGFF_E_MEMORY;
        if (status < 0)
            error_set(e, status, "the metadata object %s could not be stored", key);
        cJSON_free(text);
    }
    cJSON_Delete(group);
    if (is_v2)
        cJSON_Delete(attributes);
    return e->status;
}

static cJSON *attributes_of(int format, const char *name, cJSON *value)
{
    cJSON *attributes = cJSON_CreateObject();
    int is_whole = attributes != NULL;
    if (format != ZARR_2)
        tree_put(attributes, "version", cJSON_CreateString("0.5"), &is_whole);
    tree_put(attributes, name, value, &is_whole);
    if (is_whole)
        return attributes;
    cJSON_Delete(attributes);
    return NULL;
}

int32_t collection_write(int format, int n, const char *xml, metadata_sink sink, void *user, error *e)
{
    cJSON *series = cJSON_CreateArray();
    int is_whole = 1;
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        tree_add(series, cJSON_CreateString(name), &is_whole);
    }
    if (!is_whole) {
        cJSON_Delete(series);
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    if (emit_group(format, "OME/", attributes_of(format, "series", series), sink, user, e) != NGFF_OK)
        return e->status;
    int32_t status = xml ? sink(user, COLLECTION_XML_KEY, xml, strlen(xml)) : NGFF_OK;
    if (status < 0)
        return error_set(e, status, "the metadata object %s could not be stored", COLLECTION_XML_KEY);
    return emit_group(format, "", attributes_of(format, "bioformats2raw.layout", tree_whole(3)), sink, user, e);
}

int collection_count(int format)
{
    return format == ZARR_2 ? 5 : 3;
}
