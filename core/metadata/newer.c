/* newer.c: see newer.h.
 *
 *     0.4 -> 0.5   NGFF's members move into "ome", which says the version; the versions in them go
 *     0.5 -> 0.6   axes become a coordinate system; a scale and a translation lead from a level's array into it
 *
 * Members that are not touched are copied as they are written, so that numbers stay exact. */
#include "metadata/newer.h"

#include <stdlib.h>
#include <string.h>

#include "metadata/metadata_transform.h"
#include "metadata/root_parts.h"
#include "zarr/tree.h"

static int is_named(json_span name, const char *text)
{
    return name.n == strlen(text) && memcmp(name.text, text, name.n) == 0;
}

static void put_span(cJSON *object, json_span name, json_span value, int *is_whole)
{
    char *key = json_copy(name), *text = json_copy(value);
    tree_put(object, key, text ? cJSON_CreateRaw(text) : NULL, is_whole);
    free(key);
    free(text);
}

/* An object without its member "version". */
static cJSON *without_version(json_span object, int *is_whole)
{
    cJSON *made = cJSON_CreateObject();
    json_span name, value;
    for (size_t at = 0; json_next(object, &at, &name, &value);)
        if (!is_named(name, "version"))
            put_span(made, name, value, is_whole);
    return made;
}

/* -- An image of 0.6 ----------------------------------------------------------------------------------------------- */

/* A letter for each axis, by its type: what transforms_read wants. */
static int letters_of(const cJSON *axes, char letters[MAX_RANK + 1])
{
    int n = cJSON_GetArraySize(axes), i = 0;
    const cJSON *axis;
    if (!cJSON_IsArray(axes) || n < 1 || n > MAX_RANK)
        return 0;
    cJSON_ArrayForEach(axis, axes)
    {
        const char *type = text_of(axis, "type");
        letters[i++] = type && strcmp(type, "time") == 0 ? 't' : type && strcmp(type, "space") == 0 ? 'x' : 'c';
        if (!text_of(axis, "name"))
            return 0;
    }
    letters[n] = '\0';
    return n;
}

/* The axes as they are written; those of channels are not measured along. */
static cJSON *system_axes(json_span axes, int rank, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < rank; i++) {
        json_span axis = json_item(axes, i), name, value;
        cJSON *made = cJSON_CreateObject();
        int is_channel = 0, says_so = 0;
        for (size_t at = 0; json_next(axis, &at, &name, &value);) {
            put_span(made, name, value, is_whole);
            is_channel |= is_named(name, "type") && value.n == 9 && memcmp(value.text, "\"channel\"", 9) == 0;
            says_so |= is_named(name, "discrete");
        }
        if (is_channel && !says_so)
            tree_put(made, "discrete", cJSON_CreateTrue(), is_whole);
        tree_add(list, made, is_whole);
    }
    return list;
}

static cJSON *levels_of(const cJSON *datasets, json_span written, const char *letters, const axis_map *of_all,
                        const char *where, int *is_whole, error *e)
{
    cJSON *list = cJSON_CreateArray();
    int rank = (int)strlen(letters), l = 0;
    const cJSON *dataset;
    cJSON_ArrayForEach(dataset, datasets)
    {
        axis_map at;
        const char *path = text_of(dataset, "path"),
                   *why = transforms_read(member(dataset, "coordinateTransformations"), letters, &at);
        cJSON *made = cJSON_CreateObject();
        json_span name, value, whole = json_item(written, l++);
        if (!path || why)
            error_set(e, NGFF_E_UNSUPPORTED, "%s: level %d has no path, or transforms that 0.6 does not have: %s",
                      where, l - 1, why ? why : "no path");
        for (int i = 0; i < rank && !why; i++) {
            at.translation[i] = of_all->scale[i] * at.translation[i] + of_all->translation[i];
            at.scale[i] *= of_all->scale[i];
        }
        for (size_t k = 0; path && !why && json_next(whole, &k, &name, &value);)
            if (is_named(name, "coordinateTransformations"))
                tree_put(made, "coordinateTransformations",
                         multiscales_to_own_system(path, rank, at.scale, at.translation, is_whole), is_whole);
            else
                put_span(made, name, value, is_whole);
        tree_add(list, made, is_whole);
    }
    return list;
}

static cJSON *image_of_06(json_span image, const char *where, int *is_whole, error *e)
{
    char letters[MAX_RANK + 1];
    axis_map of_all;
    json_span axes = json_member(image, "axes"), name, value;
    cJSON *tree = json_tree(image, where, e), *made = cJSON_CreateObject();
    int rank = tree ? letters_of(member(tree, "axes"), letters) : 0;
    if (e->status == NGFF_OK && rank == 0)
        error_set(e, NGFF_E_UNSUPPORTED, "%s: the axes are not 1 to %d with a name each", where, (int)MAX_RANK);
    const char *why = rank > 0 ? transforms_read(member(tree, "coordinateTransformations"), letters, &of_all) : NULL;
    if (why || (rank > 0 && of_all.has_systems))
        error_set(e, NGFF_E_UNSUPPORTED, "%s: the image's coordinateTransformations are no scale and translation: %s",
                  where, why ? why : "they lead to several systems");
    for (size_t at = 0; e->status == NGFF_OK && json_next(image, &at, &name, &value);) {
        if (is_named(name, "axes")) {
            cJSON *systems = cJSON_CreateArray();
            tree_add(systems, multiscales_own_system(system_axes(axes, rank, is_whole), is_whole), is_whole);
            tree_put(made, "coordinateSystems", systems, is_whole);
        } else if (is_named(name, "datasets"))
            tree_put(made, "datasets", levels_of(member(tree, "datasets"), value, letters, &of_all, where, is_whole, e),
                     is_whole);
        else if (!is_named(name, "version") && !is_named(name, "coordinateTransformations"))
            put_span(made, name, value, is_whole);
    }
    cJSON_Delete(tree);
    return made;
}

static cJSON *images_of(json_span images, int version, const char *where, int *is_whole, error *e)
{
    cJSON *list = cJSON_CreateArray();
    json_span image;
    for (int i = 0; (image = json_item(images, i)).text && e->status == NGFF_OK; i++)
        tree_add(list,
                 version >= VERSION_06 ? image_of_06(image, where, is_whole, e) : without_version(image, is_whole),
                 is_whole);
    return list;
}

/* -- Versions ------------------------------------------------------------------------------------------------------ */

/* The version that an image, a plate or another member of 0.4 says of itself; of a list its first. */
static void said_version(json_span value, char version[16], error *e)
{
    cJSON *tree = json_tree(value, "version", e);
    const cJSON *one = cJSON_IsArray(tree) ? tree->child : tree;
    const char *text = text_of(one, "version");
    strncpy(version, text ? text : "", 15);
    version[15] = '\0';
    cJSON_Delete(tree);
}

/* True where axes are objects with a name: 0.4 has them so, and 0.3 as letters. */
static int has_named_axes(json_span images)
{
    return json_member(json_item(json_member(json_item(images, 0), "axes"), 0), "name").text != NULL;
}

static int32_t check_04(json_span multiscales, json_span any, const char *where, error *e)
{
    char said[16];
    said_version(multiscales.text ? multiscales : any, said, e);
    if (e->status != NGFF_OK)
        return e->status;
    if ((said[0] && strcmp(said, "0.4") != 0) || (multiscales.text && !has_named_axes(multiscales)))
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: it is of NGFF %s, before 0.4", where, said[0] ? said : "0.3");
    return NGFF_OK;
}

/* -- The block "omezarr" ------------------------------------------------------------------------------------------- */

/* A change of the store plans by the options that it was made with, the version among them. */
static cJSON *options_of(json_span options, int version, int *is_whole)
{
    static const char of_version[] = "\"NGFF_VERSION=";
    char now[32] = "NGFF_VERSION=";
    cJSON *list = cJSON_CreateArray();
    json_span one;
    for (int i = 0; (one = json_item(options, i)).text; i++) {
        char *text = json_copy(one);
        if (!text || strncmp(text, of_version, sizeof of_version - 1) != 0)
            tree_add(list, text ? cJSON_CreateRaw(text) : NULL, is_whole);
        free(text);
    }
    strcat(now, version_name(version));
    tree_add(list, cJSON_CreateString(now), is_whole);
    return list;
}

static cJSON *block_of(json_span block, int version, int *is_whole)
{
    cJSON *made = cJSON_CreateObject();
    json_span name, value;
    for (size_t at = 0; json_next(block, &at, &name, &value);)
        if (is_named(name, "options"))
            tree_put(made, "options", options_of(value, version, is_whole), is_whole);
        else if (!is_named(name, "consolidated")) /* of .zmetadata, which Zarr 3 has not */
            put_span(made, name, value, is_whole);
    return made;
}

/* -- Attributes ---------------------------------------------------------------------------------------------------- */

static int is_of_ngff(json_span name, json_span value)
{
    static const struct {
        const char *name;
        char first; /* of its value; 0: any */
    } known[] = {{"multiscales", '['}, {"omero", '{'},       {"labels", '['}, {"plate", '{'},
                 {"well", '{'},        {"image-label", '{'}, {"series", '['}, {"bioformats2raw.layout", 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_named(name, known[i].name))
            return !known[i].first || value.text[0] == known[i].first;
    return 0;
}

/* "ome": of the members of NGFF in an object, which is "ome" or, in 0.4, the attributes themselves. */
static cJSON *ome_of_version(json_span from, int is_flat, int version, const char *where, int *is_whole, error *e)
{
    cJSON *ome = cJSON_CreateObject();
    json_span name, value;
    tree_put(ome, "version", cJSON_CreateString(version_name(version)), is_whole);
    for (size_t at = 0; e->status == NGFF_OK && json_next(from, &at, &name, &value);) {
        if (is_named(name, "version") || (is_flat && !is_of_ngff(name, value)))
            continue;
        if (is_named(name, "multiscales"))
            tree_put(ome, "multiscales", images_of(value, version, where, is_whole, e), is_whole);
        else if (is_flat && value.text[0] == '{') {
            char *key = json_copy(name);
            tree_put(ome, key, without_version(value, is_whole), is_whole);
            free(key);
        } else
            put_span(ome, name, value, is_whole);
    }
    return ome;
}

/* 1 where the attributes are to be said otherwise. */
static int32_t check_version(json_span ome, json_span attributes, int version, const char *where, error *e)
{
    json_span name, value, first = {NULL, 0};
    char said[16];
    if (!ome.text) {
        for (size_t at = 0; !first.text && json_next(attributes, &at, &name, &value);)
            if (is_of_ngff(name, value))
                first = value;
        if (!first.text)
            return 0;
        return check_04(json_member(attributes, "multiscales"), first, where, e) == NGFF_OK ? 1 : e->status;
    }
    said_version(ome, said, e);
    int is_05 = strncmp(said, "0.5", 3) == 0;
    if (e->status != NGFF_OK)
        return e->status;
    if (!is_05 && (strncmp(said, "0.6", 3) != 0 || version < VERSION_06))
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: it is of NGFF %s, and %s was asked for", where,
                         said[0] ? said : "without a version", version_name(version));
    return is_05 && version > VERSION_05;
}

int32_t newer_attributes(json_span attributes, int format, int version, const char *where, cJSON **made, error *e)
{
    json_span ome = format == ZARR_2 ? (json_span){NULL, 0} : json_member(attributes, "ome"), name, value;
    int is_whole = 1, is_flat = !ome.text, has_ome = 0;
    int32_t is_other = check_version(ome, attributes, version, where, e);
    *made = NULL;
    if (is_other <= 0)
        return is_other;
    cJSON *all = cJSON_CreateObject();
    for (size_t at = 0; e->status == NGFF_OK && json_next(attributes, &at, &name, &value);) {
        int is_ngff = is_flat ? is_of_ngff(name, value) : is_named(name, "ome");
        if (is_ngff && !has_ome)
            tree_put(all, "ome", ome_of_version(is_flat ? attributes : ome, is_flat, version, where, &is_whole, e),
                     &is_whole);
        else if (is_named(name, "omezarr") && value.text[0] == '{')
            tree_put(all, "omezarr", block_of(value, version, &is_whole), &is_whole);
        else if (!is_ngff)
            put_span(all, name, value, &is_whole);
        has_ome |= is_ngff;
    }
    if (e->status == NGFF_OK && (!is_whole || !all))
        error_set(e, NGFF_E_MEMORY, "memory is out");
    if (e->status != NGFF_OK) {
        cJSON_Delete(all);
        return e->status;
    }
    *made = all;
    return 1;
}
