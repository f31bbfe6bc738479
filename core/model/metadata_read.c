/* metadata_read.c: the metadata documents of a store -> stored_image. Nothing in a document is trusted: text is judged
 * by json.c, every size is checked before it is multiplied, paths stay below the root. What a document says in a way
 * that this library cannot read ends in NGFF_E_UNSUPPORTED with the key and the reason; what it may not say, in
 * NGFF_E_CORRUPT. What Zarr says of an array is metadata_array.c's part, what NGFF says of the image is here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadata_array.h"

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
        int32_t status = metadata_array_read(source, image->version, path, a, attributes, e);
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
        error own = {0};
        int32_t status = metadata_array_read(source, image->version, path, &masks[l], NULL, &own);
        if (l == 0 && (status == NGFF_E_NOT_FOUND || own.is_refusal)) /* most images have none */
            return NGFF_OK;
        if (status == NGFF_E_NOT_FOUND)
            return error_set(e, NGFF_E_CORRUPT, "the mask %s is missing", path);
        if (status)
            return error_copy(e, &own);
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
    error refused = {0};
    int32_t status = document_probe(source, "", "zarr.json", d, &refused, e);
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
        status = document_probe(source, "", ".zattrs", d, &refused, e);
        if (status == NGFF_E_NOT_FOUND)
            return refused.status ? error_copy(e, &refused) : error_set(e, status, "no OME-Zarr image is there");
        if (status)
            return status;
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

/* The bytes of a 1-D uint8 array without compression, as text. NULL: it is none, or the error is set. */
static char *read_member_array(const document_source *source, int version, const char *path, error *e)
{
    stored_array a = {.rank = 1};
    char *text = NULL;
    int32_t status = metadata_array_read(source, version, path, &a, NULL, e);
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
        stored_chunk_key(&a, &index, below);
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

char *metadata_attribute(const stored_image *image, const char *name, metadata_source get, void *user, error *e)
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
    return path_is_safe(path) ? read_member_array(&source, image->version, path, e) : NULL;
}

/* -- Nodes beside the image ------------------------------------------------------------------------------------ */

char *metadata_node_attributes(const stored_image *image, const char *path, metadata_source get, void *user, error *e)
{
    const document_source source = document_source_of(get, user, NULL);
    int is_v2 = image->version == VERSION_04;
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
