/* metadata_read.c: the metadata documents of a store -> stored_image. Nothing in a document is trusted: text is judged
 * by json.c, every size is checked before it is multiplied, paths stay below the root. What a document says in a way
 * that this library cannot read ends in NGFF_E_UNSUPPORTED with the key and the reason; what it may not say, in
 * NGFF_E_CORRUPT. What Zarr says of an array is zarr/'s part, what NGFF says of the image is here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/orientation.h"
#include "base/text.h"
#include "metadata/metadata.h"
#include "metadata/metadata_transform.h"

enum { most_levels = 64 };
static const int64_t most_member_bytes = (int64_t)256 << 20;

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

/* The axes of a rank where nothing better is known; the last two are y and x in every store that is read. */
static int32_t assume_axes(stored_image *image, int rank, error *e)
{
    static const char order[] = "tczyx";
    for (int i = 0; i < MAX_RANK; i++) {
        free(image->axis_names[i]);
        free(image->axis_units[i]);
        image->axis_names[i] = image->axis_units[i] = NULL;
        image->axis_orientations[i] = NULL;
    }
    snprintf(image->dims, sizeof image->dims, "%s", order + MAX_RANK - rank);
    for (int i = 0; i < rank; i++) {
        image->axis_names[i] = text_copy(image->dims + i, 1);
        if (!image->axis_names[i])
            return error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    return NGFF_OK;
}

/* string: NGFF 0.3 */
static const char *name_of_axis(const cJSON *axis)
{
    const char *name = cJSON_IsString(axis) ? axis->valuestring : text_of(axis, "name");
    return name ? name : "";
}

/* True if another axis has the name, too: y and x keep theirs. */
static int is_name_again(const cJSON *axes, int n, int rank, const char *name)
{
    const cJSON *axis;
    int i = 0, is_again = 0;
    cJSON_ArrayForEach(axis, axes)
    {
        int counts = n < rank - 2 ? i != n : i >= rank - 2 && i < n;
        is_again |= counts && strcmp(name_of_axis(axis), name) == 0;
        i++;
    }
    return is_again;
}

/* RFC-4. What is said in another way is left out: no pixel depends on it. */
static const char *read_orientation(const cJSON *axis)
{
    const cJSON *orientation = member(axis, "orientation");
    const char *type = text_of(orientation, "type"), *value = text_of(orientation, "value");
    return type && value && strcmp(type, "anatomical") == 0 ? orientation_name(value, strlen(value)) : NULL;
}

/* One axis: a letter in dims, its name and unit. An axis without a usable name is known by its place and type. */
static int32_t read_axis(const cJSON *axes, const cJSON *axis, int n, int rank, char *used, stored_image *image,
                         const char *key, error *e)
{
    const char *type = text_of(axis, "type"), *unit = text_of(axis, "unit"), *name = name_of_axis(axis);
    char letter[2] = {n >= rank - 2 ? "yx"[n - (rank - 2)] : letter_of(name, type, used), '\0'};
    if (n >= rank - 2 && name[0] && !is_plane_axis(axis, name, letter[0]))
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s: axis %d is \"%.40s\"; only images whose last two axes are y and x are read", key, n,
                         name);
    image->dims[n] = used[n] = letter[0];
    if (!name[0] || is_name_again(axes, n, rank, name)) {
        warnings_add(&image->told, "%s: axis %d has %s: it is taken for %s", key, n,
                     name[0] ? "the name of another axis" : "no name", letter);
        name = letter;
    }
    image->axis_names[n] = strdup(name);
    image->axis_units[n] = unit ? strdup(unit) : NULL;
    image->axis_orientations[n] = letter[0] == 't' || letter[0] == 'c' ? NULL : read_orientation(axis);
    return image->axis_names[n] ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

/* dims gets one letter per axis: y, x for the last two, t, c or z for the others, in the order of the store. Where the
 * document has no axes for arrays of this rank, those of the rank. */
static int32_t read_axes(const cJSON *axes, int rank, stored_image *image, const char *key, error *e)
{
    char used[MAX_RANK + 1] = "";
    int n = 0, n_axes = cJSON_IsArray(axes) ? cJSON_GetArraySize(axes) : 0;
    if (rank < 2)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: the image has %d axes; 2 to %d are read", key, rank,
                         (int)MAX_RANK);
    if (n_axes != rank) {
        if (assume_axes(image, rank, e) == NGFF_OK && (axes || rank != MAX_RANK)) /* none: NGFF 0.1 and 0.2 */
            warnings_add(&image->told, "%s: its axes are not %d, as its arrays have: they are taken for %s", key, rank,
                         image->dims);
        return e->status;
    }
    const cJSON *axis;
    cJSON_ArrayForEach(axis, axes) if (read_axis(axes, axis, n++, rank, used, image, key, e)) return e->status;
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

static void forget_positions(stored_image *image)
{
    for (int l = 0; l < image->n_levels; l++)
        guess_scale(&image->levels[0], &image->levels[l]);
}

static int is_usable_scale(double scale)
{
    return fabs(scale) >= 1e-100 && fabs(scale) <= 1e100;
}

/* A scale of 0, or one with which nothing can be computed, says nothing: of y or x the image then has no position, of
 * another axis that axis has none. Negative ones are positions like others (rows that go north). */
static void forget_useless_positions(stored_image *image, const char *key)
{
    for (int i = (int)strlen(image->dims) - 1; i >= 0; i--) {
        int is_bad = 0, is_plane = strchr("yx", image->dims[i]) != NULL;
        for (int l = 0; l < image->n_levels; l++)
            is_bad |= !is_usable_scale(image->levels[l].scale[i]) || !(fabs(image->levels[l].translation[i]) <= 1e100);
        if (!is_bad)
            continue;
        warnings_add(&image->told, "%s: the scale of axis %s is no size of a pixel: %s", key, image->axis_names[i],
                     is_plane ? "the image has no position" : "1 is taken");
        if (is_plane) {
            forget_positions(image);
            return;
        }
        for (int l = 0; l < image->n_levels; l++) {
            image->levels[l].scale[i] = (double)image->levels[0].shape[i] / (double)image->levels[l].shape[i];
            image->levels[l].translation[i] = 0;
        }
    }
}

/* The transforms of the levels. Where those of the full size are not understood, nothing lies anywhere; a smaller level
 * lies by its size. */
static void read_positions(const cJSON *const *datasets, stored_image *image, const char *key)
{
    for (int l = 0; l < image->n_levels; l++) {
        stored_array *a = &image->levels[l];
        axis_map map;
        const cJSON *list = member(datasets[l], "coordinateTransformations");
        const char *why = transforms_read(list, image->dims, &map);
        guess_scale(&image->levels[0], a);
        if (why) {
            warnings_add(&image->told, "%s: the transforms of %s are not a scale and then a translation: %s; %s", key,
                         a->path, why, l == 0 ? "the image has no position" : "the level lies by its size");
            if (l == 0) {
                forget_positions(image);
                return;
            }
            for (int i = 0; i < a->rank; i++) {
                a->scale[i] *= image->levels[0].scale[i];
                a->translation[i] = image->levels[0].translation[i] + 0.5 * (a->scale[i] - image->levels[0].scale[i]);
            }
            continue;
        }
        memcpy(a->translation, map.translation, sizeof a->translation);
        for (int i = 0; i < a->rank; i++)
            a->scale[i] = map.has_scale ? map.scale[i] : a->scale[i] * (l > 0 ? image->levels[0].scale[i] : 1);
    }
}

/* Transforms of the whole image come after those of its levels. */
static void apply_common_transforms(const cJSON *transforms, stored_image *image, const char *key)
{
    axis_map common;
    const char *why = transforms_read(transforms, image->dims, &common);
    if (why && transforms_turn(transforms, image->dims))
        return; /* the levels lie before it */
    if (why) {
        warnings_add(&image->told,
                     "%s: the transforms of all levels are not a scale and then a translation: %s; the "
                     "image has no position",
                     key, why);
        forget_positions(image);
        return;
    }
    if (common.has_systems)
        warnings_add(&image->told, "%s: the image lies in several coordinate systems: its position is that in \"%s\"",
                     key, common.system);
    for (int l = 0; l < image->n_levels; l++)
        for (int i = 0; i < image->levels[l].rank; i++) {
            stored_array *a = &image->levels[l];
            a->scale[i] *= common.scale[i];
            a->translation[i] = a->translation[i] * common.scale[i] + common.translation[i];
        }
}

/* -- Levels ---------------------------------------------------------------------------------------------------- */

/* An entry of "datasets". */
typedef struct {
    const cJSON *dataset;
    int index;
    double pixel; /* the area of a pixel by its transforms; 0: not known */
} entry;

/* By what the document says, before its array is read. */
static entry entry_of(const cJSON *dataset, int index)
{
    entry at = {dataset, index, 0};
    const cJSON *item, *last[2] = {NULL, NULL}, *list = member(dataset, "coordinateTransformations");
    cJSON_ArrayForEach(item, member(cJSON_GetArrayItem(list, 0), "scale"))
    {
        last[0] = last[1];
        last[1] = item;
    }
    if (cJSON_IsNumber(last[0]) && cJSON_IsNumber(last[1]))
        at.pixel = fabs(last[0]->valuedouble * last[1]->valuedouble);
    return at;
}

/* True if a is of a larger picture than b. */
static int is_finer(const entry *a, const entry *b)
{
    return a->pixel > 0 && b->pixel > 0 && a->pixel != b->pixel ? a->pixel < b->pixel : a->index < b->index;
}

/* From large to small, equal ones in the order of the document. Returns 1 if another order was found. */
static int sort_levels(stored_array *levels, entry *entries, int n)
{
    int is_changed = 0;
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0; k--) {
            stored_array *a = &levels[k - 1], *b = &levels[k], kept;
            entry kept_entry = entries[k];
            if (a->rank < 2 || b->rank < 2 ||
                (double)a->shape[a->rank - 2] * (double)a->shape[a->rank - 1] >=
                    (double)b->shape[b->rank - 2] * (double)b->shape[b->rank - 1])
                break;
            memcpy(&kept, b, sizeof kept);
            memcpy(b, a, sizeof kept);
            memcpy(a, &kept, sizeof kept);
            entries[k] = entries[k - 1];
            entries[k - 1] = kept_entry;
            is_changed = 1;
        }
    return is_changed;
}

/* What keeps one level from being read keeps the others not; a storage that fails may give it the next time. */
static int is_of_level(const error *e)
{
    return e->is_refusal || e->status == NGFF_E_NOT_FOUND || e->status == NGFF_E_CORRUPT ||
           e->status == NGFF_E_UNSUPPORTED;
}

static int32_t read_level(const document_source *source, int format, const cJSON *dataset, stored_array *a,
                          char **attributes, const char *key, error *e)
{
    char path[most_path + 1];
    const char *given = text_of(dataset, "path"), *why = path_clean(given, path);
    if (why)
        return error_set(e, NGFF_E_CORRUPT, "%s: the path \"%.100s\" of a dataset cannot be used: %s", key,
                         given ? given : "", why);
    if (strcmp(path, given) != 0)
        warnings_add(source->told, "%s: the path \"%.100s\" of a dataset is read as \"%.100s\"", key, given, path);
    int32_t status = array_read(source, format, path, a, attributes, e);
    return status == NGFF_E_NOT_FOUND ? error_set(e, status, "%s names the array %s, but there is none", key, path)
                                      : status;
}

/* Leaves a level out that was read, or of which only the path was. */
static void leave_out(stored_image *image, stored_array *a, const char *why)
{
    warnings_add(&image->told, "%s; the level is left out", why);
    free(a->path);
    memset(a, 0, sizeof *a);
}

/* The levels that do not fit the first one. */
static void keep_fitting(stored_image *image, entry *entries, const char *key)
{
    int n = 1;
    for (int l = 1; l < image->n_levels; l++) {
        stored_array *a = &image->levels[l], *base = &image->levels[0];
        char why[700] = "";
        if (a->rank != base->rank)
            snprintf(why, sizeof why, "%s: the array %.200s has %d axes, not %d as the full size", key, a->path,
                     a->rank, base->rank);
        else if (a->type != base->type)
            snprintf(why, sizeof why, "%s: the array %.200s has the type %s, not %s as the full size", key, a->path,
                     a->type->v3, base->type->v3);
        if (why[0]) {
            leave_out(image, a, why);
            continue;
        }
        if (n != l) {
            memcpy(&image->levels[n], a, sizeof *a);
            memset(a, 0, sizeof *a);
            entries[n] = entries[l];
        }
        n++;
    }
    image->n_levels = n;
}

/* The attributes of the array that level 0 is: those of the first dataset have been read. */
static int32_t read_array_attributes(const document_source *source, stored_image *image, int is_first, error *e)
{
    stored_array again = {.rank = 0};
    if (is_first && image->array_attributes)
        return NGFF_OK;
    free(image->array_attributes);
    image->array_attributes = NULL;
    int32_t status = array_read(source, image->zarr_format, image->levels[0].path, &again, &image->array_attributes, e);
    free(again.path);
    return status;
}

/* The arrays of all datasets that have one which can be read. The largest must be among them. */
static int32_t read_arrays(const document_source *source, const cJSON *datasets, stored_image *image, entry *entries,
                           const char *key, error *e)
{
    const cJSON *dataset;
    error worst = {0};
    entry lost = {NULL, 0, 0};
    int index = 0;
    cJSON_ArrayForEach(dataset, datasets)
    {
        entry at = entry_of(dataset, index++);
        stored_array *a = &image->levels[image->n_levels];
        error own = {0};
        if (index > most_levels)
            break;
        char **attributes = at.index == 0 ? &image->array_attributes : NULL;
        if (read_level(source, image->zarr_format, dataset, a, attributes, key, &own) == NGFF_OK) {
            entries[image->n_levels++] = at;
            continue;
        }
        if (!is_of_level(&own)) {
            free(a->path);
            return error_copy(e, &own);
        }
        leave_out(image, a, own.message);
        if (lost.dataset && is_finer(&lost, &at))
            continue;
        lost = at;
        worst = own;
    }
    int is_finest_there = 0;
    for (int l = 0; l < image->n_levels; l++)
        is_finest_there |= !lost.dataset || is_finer(&entries[l], &lost);
    return is_finest_there ? NGFF_OK : error_copy(e, &worst);
}

static int32_t read_levels(const document_source *source, const cJSON *multiscale, const cJSON *axes,
                           stored_image *image, const char *key, error *e)
{
    const cJSON *datasets = member(multiscale, "datasets"), *of_levels[most_levels];
    entry entries[most_levels];
    int n = cJSON_IsArray(datasets) ? cJSON_GetArraySize(datasets) : 0;
    if (n < 1)
        return error_set(e, NGFF_E_CORRUPT, "%s: there are %d datasets; 1 to %d are read", key, n, (int)most_levels);
    if (n > most_levels)
        warnings_add(&image->told, "%s: there are %d datasets; the first %d are read", key, n, (int)most_levels);
    n = n < most_levels ? n : most_levels;
    image->levels = calloc((size_t)n, sizeof *image->levels);
    image->declared = calloc((size_t)n, sizeof *image->declared);
    image->n_declared = n;
    if (!image->levels || !image->declared)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    if (read_arrays(source, datasets, image, entries, key, e) != NGFF_OK) {
        /* Others use the word too (map tiles of ndpyramid: groups, without axes and version): no image then. */
        int is_ngff = member(multiscale, "axes") || member(multiscale, "version") ||
                      member(multiscale, "coordinateSystems") ||
                      (image->zarr_format != ZARR_2 && json_member(json_whole(image->attributes), "ome").text);
        if (e->status == NGFF_E_NOT_FOUND && is_ngff)
            e->status = NGFF_E_CORRUPT;
        else if (e->status == NGFF_E_CORRUPT && !is_ngff && !e->is_refusal)
            e->status = NGFF_E_NOT_FOUND;
        return e->status;
    }
    if (sort_levels(image->levels, entries, image->n_levels))
        warnings_add(&image->told, "%s: the levels are not listed from large to small: they are sorted", key);
    keep_fitting(image, entries, key);
    if (read_axes(axes, image->levels[0].rank, image, key, e) ||
        read_array_attributes(source, image, entries[0].index == 0, e))
        return e->status;
    for (int l = 0; l < image->n_levels; l++) {
        image->declared[l] = entries[l].index;
        of_levels[l] = entries[l].dataset;
    }
    read_positions(of_levels, image, key);
    return NGFF_OK;
}

/* The mask of a level, which is found by its path: ovr_mask/<first part of the level's path>. */
static int32_t read_mask(const document_source *source, const stored_image *image, int level, stored_array *mask,
                         error *e)
{
    const stored_array *at = &image->levels[level];
    char path[most_path + 16];
    snprintf(path, sizeof path, "ovr_mask/%.*s", (int)strcspn(at->path, "/"), at->path);
    mask->rank = 2;
    int32_t status = array_read(source, image->zarr_format, path, mask, NULL, e);
    if (status == NGFF_E_NOT_FOUND)
        return error_set(e, status, "the mask %s is missing", path);
    if (status == NGFF_OK && (mask->type->data_type != NGFF_UINT8 ||
                              memcmp(mask->shape, at->shape + at->rank - 2, 2 * sizeof(int64_t)) != 0 ||
                              memcmp(mask->chunk, at->chunk + at->rank - 2, 2 * sizeof(int64_t)) != 0))
        return error_set(e, NGFF_E_CORRUPT, "the mask %s does not have the type, shape and chunk of a mask", path);
    return status;
}

/* All levels have a mask, or none: of a level whose mask cannot be read nobody knows which pixels are valid. */
static int32_t read_masks(const document_source *source, stored_image *image, error *e)
{
    if (image->n_levels < 1)
        return NGFF_OK;
    image->masks = calloc((size_t)image->n_levels, sizeof *image->masks);
    if (!image->masks)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    for (int l = 0; l < image->n_levels; l++) {
        stored_array *mask = &image->masks[l];
        error own = {0};
        int32_t status = read_mask(source, image, l, mask, &own);
        if (status == NGFF_OK)
            continue;
        if (l == 0 && (status == NGFF_E_NOT_FOUND || own.is_refusal)) /* most images have none */
            return NGFF_OK;
        if (l == 0 || !is_of_level(&own))
            return error_copy(e, &own);
        free(mask->path);
        mask->path = NULL;
        leave_out(image, &image->levels[l], own.message);
    }
    int n = 0;
    for (int l = 0; l < image->n_levels; l++)
        if (image->levels[l].path) {
            image->levels[n] = image->levels[l];
            image->masks[n] = image->masks[l];
            image->declared[n++] = image->declared[l];
        }
    image->n_levels = n;
    image->has_mask = 1;
    return NGFF_OK;
}

/* True for "0.first" to "0.last", also with something behind it, as in "0.6rc0" and "0.5.2". */
static int version_is(const char *text, char first, char last)
{
    return strncmp(text, "0.", 2) == 0 && text[2] >= first && text[2] <= last && !(text[3] >= '0' && text[3] <= '9');
}

/* The object that holds "multiscales", the image's version, and the attributes as text. 0.9.dev1 is 0.6 with freer axes. */
static int32_t find_image(const document_source *source, document *d, const cJSON **ome, json_span *attributes,
                          stored_image *image, error *e)
{
    error refused = {0};
    int32_t status = document_probe(source, "", "zarr.json", d, &refused, e);
    const char *text;
    if (status == NGFF_OK) {
        const cJSON *own = member(member(d->tree, "attributes"), "ome");
        *ome = ome_of(member(d->tree, "attributes"), ZARR_3);
        *attributes = json_member(d->whole, "attributes");
        text = text_of(*ome, "version");
        image->zarr_format = ZARR_3;
        if (own && member(own, "multiscales") && text &&
            !(version_is(text, '5', '6') || strncmp(text, "0.9.dev", 7) == 0))
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: NGFF version \"%.20s\" is not read", d->key, text);
        if (!own && cJSON_IsArray(member(*ome, "multiscales")))
            warnings_add(source->told,
                         "%s has no \"ome\": its attributes are read as those of NGFF 0.4, which Zarr v3 does "
                         "not belong to",
                         d->key);
    } else if (status == NGFF_E_NOT_FOUND) {
        status = document_probe(source, "", ".zattrs", d, &refused, e);
        if (status == NGFF_E_NOT_FOUND)
            return refused.status ? error_copy(e, &refused) : error_set(e, status, "no OME-Zarr image is there");
        if (status)
            return status;
        *ome = d->tree;
        *attributes = d->whole;
        image->zarr_format = ZARR_2;
        text = text_of(cJSON_GetArrayItem(member(d->tree, "multiscales"), 0), "version");
        if (text && !version_is(text, '1', '5')) /* "0.5-dev" was written in Zarr v2 */
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: NGFF version \"%.20s\" is not read", d->key, text);
    } else {
        return status;
    }
    if (image->zarr_format == ZARR_3 && member(member(member(d->tree, "attributes"), "ome"), "multiscales") &&
        !cJSON_IsArray(member(*ome, "multiscales")))
        return error_set(e, NGFF_E_CORRUPT, "%s: multiscales is no list: no image is there", d->key);
    if (!cJSON_IsArray(member(*ome, "multiscales")))
        return error_set(e, NGFF_E_NOT_FOUND, "%s has no multiscales: no OME-Zarr image is there", d->key);
    if (!member(*ome, "multiscales")->child)
        return error_set(e, NGFF_E_CORRUPT, "%s: multiscales is an empty list: no image is there", d->key);
    if (!text)
        text = text_of(member(*ome, "multiscales")->child, "version");
    snprintf(image->said_version, sizeof image->said_version, "%.15s", text ? text : "");
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
    if (find_image(source, d, &ome, &attributes, image, e))
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
    if (read_levels(source, multiscale, find_axes(multiscale), image, d->key, e))
        return e->status;
    /* In 0.6 these lead on to other systems, such as a CRS; the levels are in the first. */
    if (!member(multiscale, "coordinateSystems"))
        apply_common_transforms(member(multiscale, "coordinateTransformations"), image, d->key);
    forget_useless_positions(image, d->key);
    return read_masks(source, image, e);
}

int32_t metadata_read_entry(document_get get, void *user, int entry, const stored_limits *limits, stored_image *image,
                            error *e)
{
    document_source source = document_source_of(get, user, limits);
    document d = {.text = NULL};
    error own = {0};
    memset(image, 0, sizeof *image);
    source.told = &image->told;
    read_image(&source, entry, image, &d, &own);
    document_close(&d);
    if (own.status == NGFF_OK)
        return NGFF_OK;
    metadata_release(image);
    return error_copy(e, &own);
}

int32_t metadata_read(document_get get, void *user, stored_image *image, error *e)
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
    free(image->declared);
    warnings_release(&image->told);
    for (int i = 0; i < MAX_RANK; i++) {
        free(image->axis_names[i]);
        free(image->axis_units[i]);
    }
    free(image->attributes);
    free(image->array_attributes);
    memset(image, 0, sizeof *image);
}

/* -- The block "omezarr" --------------------------------------------------------------------------------------- */

/* The bytes of a 1-D uint8 array without compression, as text. NULL: it is none, or the error is set. */
static char *read_member_array(const document_source *source, int format, const char *path, error *e)
{
    stored_array a = {.rank = 1};
    char *text = NULL;
    int32_t status = array_read(source, format, path, &a, NULL, e);
    if (status == NGFF_E_NOT_FOUND)
        error_set(e, status, "the array %s, which the root names, is missing", path);
    if (status != NGFF_OK || a.type->data_type != NGFF_UINT8 || a.is_sharded || a.codec.compress != COMPRESS_NONE ||
        a.shape[0] > most_member_bytes)
        goto done;
    text = malloc((size_t)a.shape[0] + 1);
    if (!text)
        error_set(e, NGFF_E_MEMORY, "out of memory for %s", path);
    int64_t n = 0;
    for (int64_t index = 0; text && n < a.shape[0]; index++) {
        char below[128], key[most_path + 160], *bytes = NULL;
        size_t size = 0;
        array_chunk_key(&a, &index, below);
        snprintf(key, sizeof key, "%s/%s", path, below);
        int64_t wanted = min_i64(a.chunk[0], a.shape[0] - n);
        status = source->get(source->user, key, &bytes, &size, e);
        if (status == NGFF_OK && (int64_t)size == a.chunk[0]) {
            memcpy(text + n, bytes, (size_t)wanted);
            n += wanted;
        } else {
            error_set(e, status < 0 ? status : NGFF_E_CORRUPT,
                      status == NGFF_E_NOT_FOUND ? "%s: missing" : "%s: it is not a chunk of its array", key);
            free(text);
            text = NULL;
        }
        free(bytes);
    }
    if (text)
        text[n] = '\0';
    if (text && !utf8_is_valid(text, (size_t)n)) {
        error_set(e, NGFF_E_CORRUPT, "%s: the text is not UTF-8", path);
        free(text);
        text = NULL;
    }
done:
    free(a.path);
    return text;
}

char *metadata_attribute(const stored_image *image, const char *name, document_get get, void *user, error *e)
{
    const document_source source = document_source_of(get, user, NULL);
    json_span value = json_member(json_member(json_whole(image->attributes), "omezarr"), name);
    json_span link = json_member(value, "$array");
    char path[most_path + 1];
    if (!link.text) {
        char *text = json_copy(value);
        if (value.text && !text)
            error_set(e, NGFF_E_MEMORY, "out of memory for %s", name);
        return text;
    }
    if (link.n < 3 || link.n - 2 > most_path || link.text[0] != '"')
        return NULL;
    snprintf(path, sizeof path, "%.*s", (int)link.n - 2, link.text + 1);
    return path_is_safe(path) ? read_member_array(&source, image->zarr_format, path, e) : NULL;
}

/* -- Nodes beside the image ------------------------------------------------------------------------------------ */

char *metadata_node_attributes(const stored_image *image, const char *path, document_get get, void *user, error *e)
{
    const document_source source = document_source_of(get, user, NULL);
    int is_v2 = image->zarr_format == ZARR_2;
    document d;
    if (!path_is_safe(path) || document_probe(&source, path, is_v2 ? ".zattrs" : "zarr.json", &d, NULL, e))
        return NULL;
    json_span found = is_v2 ? d.whole : json_member(d.whole, "attributes");
    char *text = json_copy(found);
    if (found.text && !text)
        error_set(e, NGFF_E_MEMORY, "out of memory for the attributes of %s", path);
    document_close(&d);
    return text;
}

int32_t metadata_array(const stored_image *image, const char *path, document_get get, void *user, stored_array *array,
                       error *e)
{
    const document_source source = document_source_of(get, user, NULL);
    if (!path_is_safe(path))
        return error_set(e, NGFF_E_ARGUMENT, "the path \"%.100s\" does not stay below the root", path);
    int32_t status = array_read(&source, image->zarr_format, path, array, NULL, e);
    if (status != NGFF_OK) {
        free(array->path);
        array->path = NULL;
    }
    return status;
}
