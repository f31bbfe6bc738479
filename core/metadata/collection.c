/* collection.c: see collection.h. The root only says which layout it is; the group OME names the images in the order of the
 * XML, which the specification asks for ("bioformats2raw.layout"). */
#include "metadata/collection.h"

#include <stdio.h>
#include <string.h>

#include "zarr/node_write.h"
#include "zarr/tree.h"

/* The documents of a group of which NGFF says one thing. value: handed over. */
static int32_t put_group(node_writer *to, int version, const char *path, const char *name, cJSON *value)
{
    int is_v2 = to->format == ZARR_2;
    cJSON *ome = cJSON_CreateObject(), *attributes = is_v2 ? ome : cJSON_CreateObject();
    if (!is_v2)
        tree_put(ome, "version", cJSON_CreateString(version_name(version)), &to->is_whole);
    tree_put(ome, name, value, &to->is_whole);
    if (!is_v2)
        tree_put(attributes, "ome", ome, &to->is_whole);
    cJSON *group = tree_group(to->format, is_v2 ? NULL : attributes, &to->is_whole);
    int32_t status = node_put(to, path, is_v2 ? ".zgroup" : "zarr.json", group);
    if (is_v2 && status == NGFF_OK)
        return node_put(to, path, ".zattrs", attributes);
    if (is_v2)
        cJSON_Delete(attributes);
    return status;
}

int32_t collection_write(int version, int n, const char *xml, document_sink sink, void *user, error *e)
{
    node_writer to = {.format = version_format(version), .sink = sink, .user = user, .e = e, .is_whole = 1};
    cJSON *series = cJSON_CreateArray();
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        tree_add(series, cJSON_CreateString(name), &to.is_whole);
    }
    if (put_group(&to, version, "OME", "series", series) != NGFF_OK ||
        (xml && node_put_object(&to, COLLECTION_XML_KEY, xml, strlen(xml)) != NGFF_OK))
        return e->status;
    return put_group(&to, version, "", "bioformats2raw.layout", tree_whole(3));
}

int collection_count(int format)
{
    return format == ZARR_2 ? 5 : 3;
}
