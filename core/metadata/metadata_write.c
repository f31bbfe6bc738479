/* metadata_write.c: plan -> the metadata objects of a store. One walk in plan order puts every node (levels, masks,
 * coordinates, large attributes) into the sink by zarr/node_write.c, which collects them for the consolidated copy in the
 * root; the root comes last because it makes the store visible. What the root says, multiscales.c, omero.c, block.c and
 * geo.c know. Without a sink the walk only counts: it makes its trees all the same, for whether a member becomes an array
 * of its own depends on how long its text is. */
#include "metadata/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/sizes.h"
#include "metadata/geo.h"
#include "metadata/root_parts.h"
#include "zarr/tree.h"

enum { coordinate_chunk_entries = 1 << 20 };

typedef struct {
    const struct ngff_plan *plan;
    const channel_summary *summaries;
    const late_member *late;
    int n_late;
    node_writer to;
} walk;

static int is_v2(const walk *w)
{
    return w->plan->zarr_format == ZARR_2;
}

/* -- Levels, masks, coordinates -------------------------------------------------------------------------------- */

/* Base64 of the little-endian double: the form in which xarray keeps a float in Zarr v3. */
static cJSON *base64_of_double(double value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t bits;
    uint8_t bytes[9] = {0};
    char text[13] = {0};
    memcpy(&bits, &value, sizeof bits);
    little_put(bytes, bits, 8);
    for (int i = 0; i < 3; i++) {
        unsigned three = (unsigned)bytes[3 * i] << 16 | (unsigned)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
        for (int k = 0; k < 4; k++)
            text[4 * i + k] = digits[three >> (18 - 6 * k) & 63];
    }
    text[11] = '='; /* the ninth byte is none */
    return cJSON_CreateString(text);
}

/* _FillValue: where xarray looks for nodata in Zarr v3; fill_value, which cannot change, is not nodata to it. In v2 it
 * takes fill_value, whatever else is there. */
static void put_nodata(walk *w, cJSON *attributes)
{
    const dtype *type = w->plan->image->type;
    const uint8_t *nodata = is_v2(w) ? NULL : image_common_nodata(w->plan->image);
    if (!nodata)
        return;
    if (type->class == CLASS_SIGNED || type->class == CLASS_UNSIGNED) {
        tree_put(attributes, "_FillValue", tree_pixel(type, nodata, 0, &w->to.is_whole), &w->to.is_whole);
    } else if (type->class == CLASS_FLOAT) {
        tree_put(attributes, "_FillValue", base64_of_double(dtype_to_double(type->data_type, nodata)), &w->to.is_whole);
    } else {
        int32_t part = type->item_size == 4 ? NGFF_FLOAT32 : NGFF_FLOAT64;
        cJSON *pair = cJSON_CreateArray();
        for (int i = 0; i < 2; i++)
            tree_add(pair, base64_of_double(dtype_to_double(part, nodata + i * type->item_size)), &w->to.is_whole);
        tree_put(attributes, "_FillValue", pair, &w->to.is_whole);
    }
}

stored_array metadata_planned_array(const struct ngff_plan *plan, const planned_array *a)
{
    return array_make(plan->zarr_format, a->path, a->type, a->rank, a->shape, a->chunk, a->shard, &a->codec, a->fill);
}

static int32_t put_pixels(walk *w, const planned_array *row)
{
    const struct ngff_plan *plan = w->plan;
    const stored_array a = metadata_planned_array(plan, row);
    char names[MAX_RANK][2] = {""};
    const char *dims[MAX_RANK];
    cJSON *attributes = cJSON_CreateObject();
    for (int i = 0; i < a.rank; i++) {
        names[i][0] = plan->image->dims[i];
        dims[i] = names[i];
    }
    geo_array_attributes(plan, row->level, attributes, &w->to.is_whole);
    put_nodata(w, attributes);
    return node_put_array(&w->to, &a, dims, attributes);
}

static int32_t put_mask(walk *w, const planned_array *row)
{
    const stored_array a = metadata_planned_array(w->plan, row);
    char names[2][80] = {"y", "x"};
    const char *const dims[] = {names[0], names[1]};
    /* All masks share one group, and GDAL has one size per dimension name in a group. */
    for (int i = 0; i < 2 && row->level > 0; i++)
        snprintf(names[i], sizeof names[i], "%c_%s", "yx"[i], strrchr(a.path, '/') + 1);
    return node_put_array(&w->to, &a, dims, cJSON_CreateObject());
}

/* A line of pixel centres. */
typedef struct {
    double origin, step;
} centres;

static void put_centre(const void *from, int64_t i, uint8_t *to)
{
    const centres *line = from;
    double value = line->origin + line->step * ((double)i + 0.5);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    little_put(to, bits, 8);
}

static int32_t put_coordinate(walk *w, int l, char axis)
{
    const struct ngff_plan *plan = w->plan;
    const char *level_path = plan->levels[l].path;
    const char *slash = strrchr(level_path, '/');
    char path[64], name[2] = {axis};
    double a[6];
    int64_t n = plan->levels[l].shape[plan->image->rank - (axis == 'y' ? 2 : 1)];
    snprintf(path, sizeof path, "%.*s%c", slash ? (int)(slash + 1 - level_path) : 0, level_path, axis);
    geo_affine(plan, l, a);
    centres line = {axis == 'y' ? a[3] : a[0], axis == 'y' ? a[5] : a[1]};
    return node_put_line(&w->to, path, name, dtype_get(NGFF_FLOAT64), n, min_i64(n, coordinate_chunk_entries),
                         geo_coordinate_attributes(plan, axis, &w->to.is_whole), put_centre, &line);
}

static int32_t put_arrays(walk *w)
{
    const struct ngff_plan *plan = w->plan;
    int has_coordinates = geo_has_coordinates(plan);
    for (int l = 0; l < plan->n_levels; l++) {
        if (put_pixels(w, plan_pixels(plan, l)))
            return w->to.e->status;
        /* Flat levels share one group, so only level 0 can have its y and x there. */
        if (has_coordinates && (l == 0 || !plan_is_flat(plan)))
            if (put_coordinate(w, l, 'y') || put_coordinate(w, l, 'x'))
                return w->to.e->status;
    }
    for (int l = 0; plan->image->has_mask && l < plan->n_levels; l++)
        if (put_mask(w, plan_mask(plan, l)))
            return w->to.e->status;
    return NGFF_OK;
}

/* -- The root -------------------------------------------------------------------------------------------------- */

/* Members that others put into the document, as they were. */
static void add_kept(walk *w, const char *json, cJSON *object)
{
    cJSON *kept = json_tree(json_whole(json), "what others have put into the root", w->to.e);
    w->to.is_whole &= !json || kept;
    for (const cJSON *item = kept ? kept->child : NULL; item; item = item->next) {
        char *text = json_copy(json_member(json_whole(json), item->string));
        if (!cJSON_GetObjectItemCaseSensitive(object, item->string))
            tree_put(object, item->string, text ? cJSON_CreateRaw(text) : NULL, &w->to.is_whole);
        free(text);
    }
    cJSON_Delete(kept);
}

/* The root's attributes; may put arrays for large members. */
static int32_t root_attributes(walk *w, cJSON *attributes)
{
    cJSON *ome = attributes;
    if (!is_v2(w)) {
        ome = cJSON_CreateObject();
        tree_put(ome, "version", cJSON_CreateString(version_name(w->plan->options.version)), &w->to.is_whole);
        tree_put(attributes, "ome", ome, &w->to.is_whole);
        if (!w->to.is_whole)
            return error_set(w->to.e, NGFF_E_MEMORY, "memory is out");
    }
    multiscales_add(w->plan, ome, &w->to.is_whole);
    omero_add(w->plan, w->summaries, ome, &w->to.is_whole);
    for (int i = 0; i < w->n_late; i++)
        if (w->late[i].is_ngff)
            tree_put(ome, w->late[i].name, cJSON_CreateRaw(w->late[i].json), &w->to.is_whole);
    geo_root_attributes(w->plan, attributes, &w->to.is_whole);
    int32_t status = block_add(w->plan, w->summaries, w->late, w->n_late, &w->to, attributes);
    add_kept(w, w->plan->kept_attributes, attributes);
    return status;
}

/* Documents of others are in the root's copies as they were. */
static void add_kept_nodes(walk *w)
{
    json_span kept = json_whole(w->plan->kept_nodes), name, value;
    for (size_t at = 0; json_next(kept, &at, &name, &value);) {
        char *key = json_copy(name), *text = json_copy(value);
        tree_put(w->to.nodes, key, text ? cJSON_CreateRaw(text) : NULL, &w->to.is_whole);
        w->to.is_whole &= key != NULL;
        free(key);
        free(text);
    }
}

/* Takes w->to.nodes. */
static cJSON *consolidated_v3(walk *w)
{
    cJSON *object = cJSON_CreateObject();
    add_kept_nodes(w);
    tree_put(object, "kind", cJSON_CreateString("inline"), &w->to.is_whole);
    tree_put(object, "must_understand", cJSON_CreateFalse(), &w->to.is_whole);
    tree_put(object, "metadata", w->to.nodes, &w->to.is_whole);
    w->to.nodes = NULL;
    return object;
}

static int32_t put_root_v3(walk *w, cJSON *attributes)
{
    cJSON *root = tree_group(ZARR_3, attributes, &w->to.is_whole);
    if (w->plan->is_consolidated)
        tree_put(root, "consolidated_metadata", consolidated_v3(w), &w->to.is_whole);
    int32_t status = node_put_document(&w->to, "zarr.json", root);
    cJSON_Delete(root);
    return status;
}

/* .zattrs holds the multiscales and so comes last. */
static int32_t put_root_v2(walk *w, cJSON *attributes)
{
    int32_t status = node_put(&w->to, "", ".zgroup", tree_group(ZARR_2, NULL, &w->to.is_whole));
    if (!status && w->plan->is_consolidated) {
        cJSON *document = cJSON_CreateObject();
        add_kept_nodes(w);
        tree_put(w->to.nodes, ".zattrs", cJSON_Duplicate(attributes, 1), &w->to.is_whole);
        tree_put(document, "zarr_consolidated_format", tree_whole(1), &w->to.is_whole);
        tree_put(document, "metadata", w->to.nodes, &w->to.is_whole);
        w->to.nodes = NULL;
        status = node_put_document(&w->to, ".zmetadata", document);
        cJSON_Delete(document);
    }
    if (!status)
        status = node_put_document(&w->to, ".zattrs", attributes);
    cJSON_Delete(attributes);
    return status;
}

static int32_t put_store(walk *w)
{
    cJSON *attributes = cJSON_CreateObject();
    w->to.nodes = cJSON_CreateObject();
    int32_t status = attributes && w->to.nodes ? NGFF_OK : error_set(w->to.e, NGFF_E_MEMORY, "memory is out");
    if (status || put_arrays(w) || root_attributes(w, attributes))
        cJSON_Delete(attributes);
    else if (is_v2(w))
        put_root_v2(w, attributes);
    else
        put_root_v3(w, attributes);
    cJSON_Delete(w->to.nodes);
    return w->to.e->status;
}

int32_t metadata_write_late(const struct ngff_plan *plan, const channel_summary *summaries, const late_member *late,
                            int n_late, document_sink sink, void *user, error *e)
{
    error own = {0};
    node_writer to = {.format = plan->zarr_format, .sink = sink, .user = user, .e = &own, .is_whole = 1};
    walk w = {plan, summaries, late, n_late, to};
    return put_store(&w) ? error_copy(e, &own) : NGFF_OK;
}

int32_t metadata_write(const struct ngff_plan *plan, const channel_summary *summaries, document_sink sink, void *user,
                       error *e)
{
    return metadata_write_late(plan, summaries, NULL, 0, sink, user, e);
}

int64_t metadata_count(const struct ngff_plan *plan)
{
    error own = {0};
    walk w = {.plan = plan, .to = {.format = plan->zarr_format, .e = &own, .is_whole = 1}};
    put_store(&w);
    return w.to.n_objects + block_late_count(plan);
}
