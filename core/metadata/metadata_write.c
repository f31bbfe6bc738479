/* metadata_write.c: plan -> the metadata objects of a store. One walk in plan order describes every node (groups,
 * levels, masks, coordinates, large attributes) and hands it to the sink; the same walk collects the nodes for the
 * consolidated copy in the root, which comes last because it makes the store visible. Without a sink the walk only
 * counts. Zarr v2 and v3 differ in how one array or group is put into words; everything above is common. */
#include "metadata/metadata.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/sizes.h"
#include "metadata/geo.h"

enum {
    most_omero_channels = 256,
    most_inline_bytes = 64 << 10,  /* of one member of the attribute block */
    most_inline_total = 256 << 10, /* of all: the reader's caps hold for the root document */
    attribute_chunk_bytes = 1 << 20,
    coordinate_chunk_entries = 1 << 20,
    most_statistics_text = 200 /* bytes of JSON per channel */
};

typedef struct {
    const struct ngff_plan *plan;
    const channel_summary *summaries;
    const late_member *late;
    int n_late;
    metadata_sink sink; /* NULL: count only */
    void *user;
    error *e;
    cJSON *nodes; /* every document so far but the root's, by its path */
    int64_t n_objects;
    int is_whole;
} walk;

static int is_v2(const walk *w)
{
    return w->plan->zarr_format == ZARR_2;
}

/* -- Objects --------------------------------------------------------------------------------------------------- */

static int32_t emit(walk *w, const char *key, const void *bytes, size_t n)
{
    w->n_objects++;
    if (!w->sink)
        return NGFF_OK;
    int32_t status = w->sink(w->user, key, bytes, n);
    return status < 0 ? error_set(w->e, status, "the metadata object %s could not be stored", key) : NGFF_OK;
}

static int32_t emit_tree(walk *w, const char *key, const cJSON *tree)
{
    if (!w->sink)
        return emit(w, key, NULL, 0);
    char *text = w->is_whole && tree ? cJSON_Print(tree) : NULL;
    if (!text)
        return error_set(w->e, NGFF_E_MEMORY, "memory is out while writing %s", key);
    int32_t status = strlen(text) > json_max_bytes /* a reader would not take it */
                         ? error_set(w->e, NGFF_E_ARGUMENT,
                                     "%s would have %zu bytes: too many attributes; at most %d bytes are written", key,
                                     strlen(text), (int)json_max_bytes)
                         : emit(w, key, text, strlen(text));
    cJSON_free(text);
    return status;
}

/* Emits the document name of the node at path ("" for the root) and keeps it for the consolidated copy. */
static int32_t emit_node(walk *w, const char *path, const char *name, cJSON *tree)
{
    char key[256];
    snprintf(key, sizeof key, "%s%s%s", path, path[0] ? "/" : "", name);
    int32_t status = emit_tree(w, key, tree);
    tree_put(w->nodes, is_v2(w) ? key : path, tree, &w->is_whole);
    return status;
}

/* -- Groups and arrays ----------------------------------------------------------------------------------------- */

static cJSON *group_document(walk *w, cJSON *attributes)
{
    return tree_group(w->plan->zarr_format, attributes, &w->is_whole);
}

/* Every group above the array at path that is not there yet. */
static int32_t emit_groups(walk *w, const char *path)
{
    char group[128], key[160];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(group, sizeof group, "%.*s", (int)(slash - path), path);
        snprintf(key, sizeof key, "%s%s", group, is_v2(w) ? "/.zgroup" : "");
        if (cJSON_GetObjectItemCaseSensitive(w->nodes, key))
            continue;
        cJSON *document = group_document(w, is_v2(w) ? NULL : cJSON_CreateObject());
        if (emit_node(w, group, is_v2(w) ? ".zgroup" : "zarr.json", document))
            return w->e->status;
    }
    return NGFF_OK;
}

/* The documents of one array and of the groups above it. attributes: handed over. */
static int32_t emit_array(walk *w, const stored_array *a, const char *const *dims, cJSON *attributes)
{
    int format = w->plan->zarr_format;
    if (emit_groups(w, a->path)) {
        cJSON_Delete(attributes);
        return w->e->status;
    }
    if (format == ZARR_3)
        return emit_node(w, a->path, "zarr.json", array_document(format, a, dims, attributes, &w->is_whole));
    /* xarray and GDAL take the names of dimensions from here. */
    tree_put(attributes, "_ARRAY_DIMENSIONS", tree_texts(dims, a->rank, &w->is_whole), &w->is_whole);
    int32_t status = emit_node(w, a->path, ".zarray", array_document(format, a, NULL, NULL, &w->is_whole));
    if (status) {
        cJSON_Delete(attributes);
        return status;
    }
    return emit_node(w, a->path, ".zattrs", attributes);
}

/* -- Levels, masks, coordinates -------------------------------------------------------------------------------- */

/* One-letter names with static storage. */
static const char *dim_name(char dim)
{
    static const char *const names[] = {"t", "c", "z", "y", "x"};
    for (int i = 0; i < 5; i++)
        if (names[i][0] == dim)
            return names[i];
    return "";
}

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
        tree_put(attributes, "_FillValue", tree_pixel(type, nodata, 0, &w->is_whole), &w->is_whole);
    } else if (type->class == CLASS_FLOAT) {
        tree_put(attributes, "_FillValue", base64_of_double(dtype_to_double(type->data_type, nodata)), &w->is_whole);
    } else {
        int32_t part = type->item_size == 4 ? NGFF_FLOAT32 : NGFF_FLOAT64;
        cJSON *pair = cJSON_CreateArray();
        for (int i = 0; i < 2; i++)
            tree_add(pair, base64_of_double(dtype_to_double(part, nodata + i * type->item_size)), &w->is_whole);
        tree_put(attributes, "_FillValue", pair, &w->is_whole);
    }
}

stored_array metadata_planned_array(const struct ngff_plan *plan, const planned_array *a)
{
    return array_make(plan->zarr_format, a->path, a->type, a->rank, a->shape, a->chunk, a->shard, &a->codec, a->fill);
}

static int32_t emit_pixels(walk *w, const planned_array *row)
{
    const struct ngff_plan *plan = w->plan;
    const stored_array a = metadata_planned_array(plan, row);
    const char *dims[MAX_RANK];
    cJSON *attributes = cJSON_CreateObject();
    for (int i = 0; i < a.rank; i++)
        dims[i] = dim_name(plan->image->dims[i]);
    geo_array_attributes(plan, row->level, attributes, &w->is_whole);
    put_nodata(w, attributes);
    return emit_array(w, &a, dims, attributes);
}

static int32_t emit_mask(walk *w, const planned_array *row)
{
    const stored_array a = metadata_planned_array(w->plan, row);
    char names[2][80] = {"y", "x"};
    const char *const dims[] = {names[0], names[1]};
    /* All masks share one group, and GDAL has one size per dimension name in a group. */
    for (int i = 0; i < 2 && row->level > 0; i++)
        snprintf(names[i], sizeof names[i], "%c_%s", "yx"[i], strrchr(a.path, '/') + 1);
    return emit_array(w, &a, dims, cJSON_CreateObject());
}

/* Bytes of a 1-D array without compression as chunks, the last one padded with zeros. value: makes entry i. */
static int32_t emit_chunks(walk *w, const char *path, int64_t n, int64_t chunk, int item_size,
                           void (*value)(const void *from, int64_t i, uint8_t *to), const void *from)
{
    char key[256], below[128];
    uint8_t *bytes = w->sink ? memory_zeroed(chunk, item_size) : NULL;
    if (w->sink && !bytes)
        return error_set(w->e, NGFF_E_MEMORY, "memory is out while writing %s", path);
    int32_t status = NGFF_OK;
    for (int64_t index = 0; index * chunk < n && !status; index++) {
        int64_t first = index * chunk, end = min_i64(first + chunk, n);
        chunk_key(w->plan->zarr_format, 1, &index, below);
        snprintf(key, sizeof key, "%s/%s", path, below);
        for (int64_t i = first; bytes && i < end; i++)
            value(from, i, bytes + (i - first) * item_size);
        if (bytes)
            memset(bytes + (end - first) * item_size, 0, (size_t)((first + chunk - end) * item_size));
        status = emit(w, key, bytes, (size_t)(chunk * item_size));
    }
    free(bytes);
    return status;
}

/* A line of pixel centres. */
typedef struct {
    double origin, step;
} centres;

static void centre_value(const void *from, int64_t i, uint8_t *to)
{
    const centres *line = from;
    double value = line->origin + line->step * ((double)i + 0.5);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    little_put(to, bits, 8);
}

static int32_t emit_coordinate(walk *w, int l, char axis)
{
    const struct ngff_plan *plan = w->plan;
    const char *level_path = plan->levels[l].path;
    const char *slash = strrchr(level_path, '/');
    char path[64];
    double a[6];
    int64_t n = plan->levels[l].shape[plan->image->rank - (axis == 'y' ? 2 : 1)];
    int64_t chunk = min_i64(n, coordinate_chunk_entries);
    snprintf(path, sizeof path, "%.*s%c", slash ? (int)(slash + 1 - level_path) : 0, level_path, axis);
    const codec_spec plain = {.compress = COMPRESS_NONE};
    const char *const dims[] = {dim_name(axis)};
    const stored_array spec =
        array_make(plan->zarr_format, path, dtype_get(NGFF_FLOAT64), 1, &n, &chunk, NULL, &plain, NULL);
    if (emit_array(w, &spec, dims, geo_coordinate_attributes(plan, axis, &w->is_whole)))
        return w->e->status;
    geo_affine(plan, l, a);
    centres line = {axis == 'y' ? a[3] : a[0], axis == 'y' ? a[5] : a[1]};
    return emit_chunks(w, path, n, chunk, 8, centre_value, &line);
}

static int32_t emit_arrays(walk *w)
{
    const struct ngff_plan *plan = w->plan;
    int has_coordinates = geo_has_coordinates(plan);
    for (int l = 0; l < plan->n_levels; l++) {
        if (emit_pixels(w, plan_pixels(plan, l)))
            return w->e->status;
        /* Flat levels share one group, so only level 0 can have its y and x there. */
        if (has_coordinates && (l == 0 || !plan_is_flat(plan)))
            if (emit_coordinate(w, l, 'y') || emit_coordinate(w, l, 'x'))
                return w->e->status;
    }
    for (int l = 0; plan->image->has_mask && l < plan->n_levels; l++)
        if (emit_mask(w, plan_mask(plan, l)))
            return w->e->status;
    return NGFF_OK;
}

/* -- The block "omezarr" --------------------------------------------------------------------------------------- */

static void text_value(const void *from, int64_t i, uint8_t *to)
{
    *to = (uint8_t)((const char *)from)[i];
}

/* A member too large for the root document: an array whose path GDAL's scan of the root hides. */
static int32_t emit_large_member(walk *w, cJSON *block, const char *name, const char *json)
{
    char path[96];
    int64_t n = (int64_t)strlen(json), chunk = min_i64(n, attribute_chunk_bytes);
    snprintf(path, sizeof path, "ovr_attributes/%s", name);
    const codec_spec plain = {.compress = COMPRESS_NONE};
    const char *const dims[] = {name}; /* its own dimension: GDAL has one table of them per group */
    const stored_array a =
        array_make(w->plan->zarr_format, path, dtype_get(NGFF_UINT8), 1, &n, &chunk, NULL, &plain, NULL);
    cJSON *link = cJSON_CreateObject();
    tree_put(link, "$array", cJSON_CreateString(path), &w->is_whole);
    tree_put(block, name, link, &w->is_whole);
    if (emit_array(w, &a, dims, cJSON_CreateObject()))
        return w->e->status;
    return emit_chunks(w, path, n, chunk, 1, text_value, json);
}

/* A member made by the library; tree is handed over. */
static int32_t add_own_member(walk *w, cJSON *block, const char *name, cJSON *tree)
{
    char *text = tree && w->is_whole ? cJSON_PrintUnformatted(tree) : NULL;
    if (!text) {
        cJSON_Delete(tree);
        return error_set(w->e, NGFF_E_MEMORY, "memory is out while writing %s", name);
    }
    int32_t status = NGFF_OK;
    if (strlen(text) <= most_inline_bytes) {
        tree_put(block, name, tree, &w->is_whole);
    } else {
        status = emit_large_member(w, block, name, text);
        cJSON_Delete(tree);
    }
    cJSON_free(text);
    return status;
}

static int has_nodata(const struct ngff_image *image)
{
    for (int64_t i = 0; i < image->n_channels; i++)
        if (image->channels[i].has_nodata)
            return 1;
    return 0;
}

/* Nodata per channel, null where there is none. */
static cJSON *nodata_member(walk *w)
{
    const struct ngff_image *image = w->plan->image;
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel *c = &image->channels[i];
        tree_add(list, c->has_nodata ? tree_pixel(image->type, c->nodata, 1, &w->is_whole) : cJSON_CreateNull(),
                 &w->is_whole);
    }
    return list;
}

static int has_statistics(const walk *w)
{
    for (int64_t i = 0; w->summaries && i < w->plan->image->n_channels; i++)
        if (w->summaries[i].has_statistics)
            return 1;
    return 0;
}

static cJSON *statistics_member(walk *w)
{
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < w->plan->image->n_channels; i++) {
        const channel_summary *s = &w->summaries[i];
        if (!s->has_statistics) {
            tree_add(list, cJSON_CreateNull(), &w->is_whole);
            continue;
        }
        cJSON *entry = cJSON_CreateObject();
        tree_put(entry, "n_valid", tree_whole(s->n_valid), &w->is_whole);
        if (s->n_valid > 0) {
            tree_put(entry, "min", tree_real(s->min), &w->is_whole);
            tree_put(entry, "max", tree_real(s->max), &w->is_whole);
            tree_put(entry, "mean", tree_real(s->mean), &w->is_whole);
            tree_put(entry, "std_dev", tree_real(s->std_dev), &w->is_whole);
        }
        tree_add(list, entry, &w->is_whole);
    }
    return list;
}

/* The options that the store was made with, so that a change can make it again. */
static cJSON *options_member(walk *w)
{
    cJSON *list = cJSON_CreateArray();
    char chosen[32 + 256] = "BLOCKSIZE=";
    for (char **typed = w->plan->options.typed; typed && *typed; typed++)
        if (options_is_lasting(*typed) && (w->plan->depth == 0 || strncmp(*typed, "BLOCK", 5) != 0))
            tree_add(list, cJSON_CreateString(*typed), &w->is_whole);
    if (w->plan->depth > 0) { /* a change of the store plans the same blocks */
        plan_blocksize(w->plan, chosen + strlen(chosen));
        tree_add(list, cJSON_CreateString(chosen), &w->is_whole);
    }
    return list;
}

/* The block goes into the root's attributes if it has any member beside its version. */
static int32_t add_block(walk *w, cJSON *attributes)
{
    const struct ngff_image *image = w->plan->image;
    cJSON *block = cJSON_CreateObject();
    size_t inline_total = 0;
    int32_t status = NGFF_OK;
    tree_put(block, "version", tree_whole(1), &w->is_whole);
    cJSON *options = options_member(w);
    if (!options || cJSON_GetArraySize(options) > 0)
        tree_put(block, "options", options, &w->is_whole);
    else
        cJSON_Delete(options);
    if (has_nodata(image))
        status = add_own_member(w, block, "nodata", nodata_member(w));
    if (!status && has_statistics(w))
        status = add_own_member(w, block, "statistics", statistics_member(w));
    int n_of_block = 0;
    for (int i = 0; i < w->n_late; i++)
        n_of_block += !w->late[i].is_ngff;
    if (n_of_block > 0 && is_v2(w) && w->plan->is_consolidated) /* a lost .zmetadata can be told from none */
        tree_put(block, "consolidated", cJSON_CreateTrue(), &w->is_whole);
    for (int i = 0; i < w->n_late; i++)
        if (!w->late[i].is_ngff)
            tree_put(block, w->late[i].name, cJSON_CreateRaw(w->late[i].json), &w->is_whole);
    for (int i = 0; i < image->n_attributes && !status; i++) {
        const attribute *a = &image->attributes[i];
        size_t n = strlen(a->json);
        if (n <= most_inline_bytes && inline_total + n <= most_inline_total) {
            inline_total += n;
            tree_put(block, a->name, cJSON_CreateRaw(a->json), &w->is_whole);
        } else {
            status = emit_large_member(w, block, a->name, a->json);
        }
    }
    if (cJSON_GetArraySize(block) > 1)
        tree_put(attributes, "omezarr", block, &w->is_whole);
    else
        cJSON_Delete(block);
    return status;
}

/* -- NGFF: multiscales and omero ------------------------------------------------------------------------------- */

static cJSON *axes(walk *w)
{
    const struct ngff_image *image = w->plan->image;
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < image->rank; i++) {
        char dim = image->dims[i];
        cJSON *axis = cJSON_CreateObject();
        tree_put(axis, "name", cJSON_CreateString(dim_name(dim)), &w->is_whole);
        tree_put(axis, "type",
                 cJSON_CreateString(dim == 't'   ? "time"
                                    : dim == 'c' ? "channel"
                                                 : "space"),
                 &w->is_whole);
        if (image->unit[i])
            tree_put(axis, "unit", cJSON_CreateString(image->unit[i]), &w->is_whole);
        tree_add(list, axis, &w->is_whole);
    }
    return list;
}

static cJSON *transform(walk *w, const char *type, const double *values)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "type", cJSON_CreateString(type), &w->is_whole);
    tree_put(object, type, tree_reals(values, w->plan->image->rank, &w->is_whole), &w->is_whole);
    return object;
}

static cJSON *datasets(walk *w)
{
    cJSON *list = cJSON_CreateArray();
    for (int l = 0; l < w->plan->n_levels; l++) {
        const level *at = &w->plan->levels[l];
        cJSON *dataset = cJSON_CreateObject(), *transforms = cJSON_CreateArray();
        tree_put(dataset, "path", cJSON_CreateString(at->path), &w->is_whole);
        tree_add(transforms, transform(w, "scale", at->scale), &w->is_whole);
        tree_add(transforms, transform(w, "translation", at->translation), &w->is_whole);
        tree_put(dataset, "coordinateTransformations", transforms, &w->is_whole);
        tree_add(list, dataset, &w->is_whole);
    }
    return list;
}

static cJSON *multiscales(walk *w)
{
    const struct ngff_plan *plan = w->plan;
    cJSON *list = cJSON_CreateArray(), *image = cJSON_CreateObject(), *made = cJSON_CreateObject();
    const method *how = method_get(plan->resampling);
    char name[64];
    if (is_v2(w))
        tree_put(image, "version", cJSON_CreateString("0.4"), &w->is_whole);
    tree_put(image, "name", cJSON_CreateString(plan->image->name), &w->is_whole);
    tree_put(image, "axes", axes(w), &w->is_whole);
    tree_put(image, "datasets", datasets(w), &w->is_whole);
    tree_put(image, "type", cJSON_CreateString(how->type), &w->is_whole);
    snprintf(name, sizeof name, "libngff.%s", how->type);
    tree_put(made, "method", cJSON_CreateString(name), &w->is_whole);
    tree_put(made, "version", cJSON_CreateString(ngff_version()), &w->is_whole);
    tree_put(made, "description", cJSON_CreateString(how->sentence), &w->is_whole);
    tree_put(image, "metadata", made, &w->is_whole);
    tree_add(list, image, &w->is_whole);
    return list;
}

/* The colour of a channel without one of its own: white for grey and alpha; magenta and green for a pair; red, green and
 * blue for three, which is right for the many pictures that nobody has called RGB; else the colour wheel of light, the
 * brightest first. */
static const char *default_color(const struct ngff_image *image, int64_t number)
{
    static const char *const rgb[] = {"FF0000", "00FF00", "0000FF"};
    static const char *const wheel[] = {"00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00", "0000FF"};
    int64_t n_colored = image->n_channels - (image->alpha >= 0);
    int64_t place = number - (image->alpha >= 0 && image->alpha < number);
    if (number == image->alpha || n_colored == 1)
        return "FFFFFF";
    if (image->kind == NGFF_KIND_RGB)
        return number < 3 ? rgb[number] : "FFFFFF";
    if (n_colored == 3)
        return rgb[place];
    if (n_colored == 2)
        return place == 0 ? "FF00FF" : "00FF00";
    return wheel[place % 6];
}

static cJSON *omero_channel(walk *w, int64_t number, int is_active)
{
    const struct ngff_image *image = w->plan->image;
    const channel *c = &image->channels[number];
    const channel_summary *s = &w->summaries[number];
    cJSON *object = cJSON_CreateObject(), *window = cJSON_CreateObject();
    char label[40];
    int *ok = &w->is_whole;
    snprintf(label, sizeof label, "Band %lld", (long long)number + 1);
    tree_put(window, "min", tree_real(s->low), ok);
    tree_put(window, "max", tree_real(s->high), ok);
    tree_put(window, "start", tree_real(s->start), ok);
    tree_put(window, "end", tree_real(s->end), ok);
    tree_put(object, "label", cJSON_CreateString(c->label && c->label[0] ? c->label : label), ok);
    tree_put(object, "color", cJSON_CreateString(c->color[0] ? c->color : default_color(image, number)), ok);
    tree_put(object, "active", cJSON_CreateBool(is_active), ok);
    tree_put(object, "coefficient", tree_real(1), ok);
    tree_put(object, "family", cJSON_CreateString("linear"), ok);
    tree_put(object, "inverted", cJSON_CreateBool(c->is_inverted), ok);
    tree_put(object, "window", window, ok);
    return object;
}

/* All or nothing: viewers fail on a partial omero block, and guess well without one. A label image has colours of its
 * own, and napari cannot make a layer of labels from contrast limits. */
static int has_omero(const walk *w)
{
    const struct ngff_image *image = w->plan->image;
    if (!w->summaries || image->n_channels > most_omero_channels || image->type->class == CLASS_COMPLEX ||
        w->plan->options.labels)
        return 0;
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel_summary *s = &w->summaries[i];
        if (!isfinite(s->low) || !isfinite(s->high) || !isfinite(s->start) || !isfinite(s->end))
            return 0;
    }
    return 1;
}

static cJSON *omero(walk *w)
{
    const struct ngff_image *image = w->plan->image;
    cJSON *object = cJSON_CreateObject(), *channels = cJSON_CreateArray(), *rdefs = cJSON_CreateObject();
    int z = image_axis(image, 'z'), n_active = 0;
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel *c = &image->channels[i];
        int is_active = c->has_active ? c->is_active : i != image->alpha && n_active < 6;
        n_active += is_active;
        tree_add(channels, omero_channel(w, i, is_active), &w->is_whole);
    }
    if (is_v2(w))
        tree_put(object, "version", cJSON_CreateString("0.4"), &w->is_whole);
    tree_put(object, "name", cJSON_CreateString(image->name), &w->is_whole);
    tree_put(object, "channels", channels, &w->is_whole);
    int has_colors = image->has_view_colors < 0 ? image->n_channels > 1 : image->has_view_colors;
    int64_t middle = z < 0 ? 0 : image->shape[z] / 2;
    tree_put(rdefs, "model", cJSON_CreateString(has_colors ? "color" : "greyscale"), &w->is_whole);
    tree_put(rdefs, "defaultT", tree_whole(image->view_t < 0 ? 0 : image->view_t), &w->is_whole);
    tree_put(rdefs, "defaultZ", tree_whole(image->view_z < 0 ? middle : image->view_z), &w->is_whole);
    tree_put(object, "rdefs", rdefs, &w->is_whole);
    return object;
}

/* -- The root -------------------------------------------------------------------------------------------------- */

/* Members that others put into the document, as they were. */
static void add_kept(walk *w, const char *json, cJSON *object)
{
    json_limits limits = json_limits_of(json ? strlen(json) : 0);
    cJSON *kept = json ? json_parse(json, limits.bytes, &limits, "what others have put into the root", w->e) : NULL;
    w->is_whole &= !json || kept;
    for (const cJSON *item = kept ? kept->child : NULL; item; item = item->next) {
        char *text = json_copy(json_member(json_whole(json), item->string));
        if (!cJSON_GetObjectItemCaseSensitive(object, item->string))
            tree_put(object, item->string, text ? cJSON_CreateRaw(text) : NULL, &w->is_whole);
        free(text);
    }
    cJSON_Delete(kept);
}

/* The root's attributes; may emit arrays for large members. */
static int32_t root_attributes(walk *w, cJSON *attributes)
{
    cJSON *ome = attributes;
    if (!is_v2(w)) {
        ome = cJSON_CreateObject();
        tree_put(ome, "version", cJSON_CreateString("0.5"), &w->is_whole);
        tree_put(attributes, "ome", ome, &w->is_whole);
        if (!w->is_whole)
            return error_set(w->e, NGFF_E_MEMORY, "memory is out");
    }
    tree_put(ome, "multiscales", multiscales(w), &w->is_whole);
    if (has_omero(w))
        tree_put(ome, "omero", omero(w), &w->is_whole);
    for (int i = 0; i < w->n_late; i++)
        if (w->late[i].is_ngff)
            tree_put(ome, w->late[i].name, cJSON_CreateRaw(w->late[i].json), &w->is_whole);
    geo_root_attributes(w->plan, attributes, &w->is_whole);
    int32_t status = add_block(w, attributes);
    add_kept(w, w->plan->kept_attributes, attributes);
    return status;
}

/* Documents of others are in the root's copies as they were. */
static void add_kept_nodes(walk *w)
{
    json_span kept = json_whole(w->plan->kept_nodes), name, value;
    for (size_t at = 0; json_next(kept, &at, &name, &value);) {
        char *key = json_copy(name), *text = json_copy(value);
        tree_put(w->nodes, key ? key : "", text ? cJSON_CreateRaw(text) : NULL, &w->is_whole);
        w->is_whole &= key != NULL;
        free(key);
        free(text);
    }
}

/* Takes w->nodes. */
static cJSON *consolidated_v3(walk *w)
{
    cJSON *object = cJSON_CreateObject();
    add_kept_nodes(w);
    tree_put(object, "kind", cJSON_CreateString("inline"), &w->is_whole);
    tree_put(object, "must_understand", cJSON_CreateFalse(), &w->is_whole);
    tree_put(object, "metadata", w->nodes, &w->is_whole);
    w->nodes = NULL;
    return object;
}

static int32_t emit_root_v3(walk *w, cJSON *attributes)
{
    cJSON *root = group_document(w, attributes);
    if (w->plan->is_consolidated)
        tree_put(root, "consolidated_metadata", consolidated_v3(w), &w->is_whole);
    int32_t status = emit_tree(w, "zarr.json", root);
    cJSON_Delete(root);
    return status;
}

/* .zattrs holds the multiscales and so comes last. */
static int32_t emit_root_v2(walk *w, cJSON *attributes)
{
    int32_t status = emit_node(w, "", ".zgroup", group_document(w, NULL));
    if (!status && w->plan->is_consolidated) {
        cJSON *document = cJSON_CreateObject();
        add_kept_nodes(w);
        tree_put(w->nodes, ".zattrs", cJSON_Duplicate(attributes, 1), &w->is_whole);
        tree_put(document, "zarr_consolidated_format", tree_whole(1), &w->is_whole);
        tree_put(document, "metadata", w->nodes, &w->is_whole);
        w->nodes = NULL;
        status = emit_tree(w, ".zmetadata", document);
        cJSON_Delete(document);
    }
    if (!status)
        status = emit_tree(w, ".zattrs", attributes);
    cJSON_Delete(attributes);
    return status;
}

static int32_t emit_store(walk *w)
{
    cJSON *attributes = cJSON_CreateObject();
    w->nodes = cJSON_CreateObject();
    if (!attributes || !w->nodes)
        error_set(w->e, NGFF_E_MEMORY, "memory is out");
    else if (!emit_arrays(w) && !root_attributes(w, attributes))
        return is_v2(w) ? emit_root_v2(w, attributes) : emit_root_v3(w, attributes);
    cJSON_Delete(attributes);
    return w->e->status;
}

int32_t metadata_write_late(const struct ngff_plan *plan, const channel_summary *summaries, const late_member *late,
                            int n_late, metadata_sink sink, void *user, error *e)
{
    error own = {0};
    walk w = {.plan = plan,
              .summaries = summaries,
              .late = late,
              .n_late = n_late,
              .sink = sink,
              .user = user,
              .e = &own,
              .is_whole = 1};
    emit_store(&w);
    cJSON_Delete(w.nodes);
    return own.status ? error_copy(e, &own) : NGFF_OK;
}

int32_t metadata_write(const struct ngff_plan *plan, const channel_summary *summaries, metadata_sink sink, void *user,
                       error *e)
{
    return metadata_write_late(plan, summaries, NULL, 0, sink, user, e);
}

int64_t metadata_count(const struct ngff_plan *plan)
{
    error own = {0};
    walk w = {.plan = plan, .e = &own, .is_whole = 1};
    emit_store(&w);
    cJSON_Delete(w.nodes);
    /* Statistics are not known yet; where they may become an array of their own, its objects are counted. */
    int64_t bytes = plan->image->n_channels * most_statistics_text;
    return w.n_objects + (bytes > most_inline_bytes ? 3 + ceil_div(bytes, attribute_chunk_bytes) : 0);
}
