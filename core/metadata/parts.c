/* parts.c: see parts.h. One node (a group's or array's document) is looked at; what it says it is decides what else is
 * read: for a plate its wells, for series their names. The depth is fixed, so no path can lead round in a circle, and
 * the number of documents and images is bounded. */
#include "metadata/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zarr/document.h"
#include "metadata/level_place.h"

enum {
    most_parts = 10000,    /* images in a list */
    most_documents = 1536, /* read for one list: a plate of 1536 wells */
    most_name = 160        /* bytes of a name that goes into a title */
};

/* -- Lists ----------------------------------------------------------------------------------------------------- */

static char *formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *formatted(const char *format, ...)
{
    char text[2 * most_path + most_name + 200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strdup(text);
}

/* Owns path and title, also when it fails. */
static int32_t parts_add(stored_parts *parts, char *path, char *title, error *e)
{
    stored_part *grown = parts->items;
    if (parts->n % 64 == 0)
        grown = realloc(parts->items, (size_t)(parts->n + 64) * sizeof *grown);
    if (grown)
        parts->items = grown;
    if (!grown || !path || !title || parts->n >= most_parts) {
        free(path);
        free(title);
        return parts->n >= most_parts ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    parts->items[parts->n++] = (stored_part){path, title};
    return NGFF_OK;
}

void parts_release(stored_parts *parts)
{
    for (int i = 0; i < parts->n; i++) {
        free(parts->items[i].path);
        free(parts->items[i].title);
    }
    free(parts->items);
    warnings_release(&parts->told);
    memset(parts, 0, sizeof *parts);
}

void place_release(stored_place *place)
{
    parts_release(&place->parts);
    free(place->group);
    free(place->level);
    memset(place, 0, sizeof *place);
}

/* a/b, where a may be empty. 0, with a warning, for what cannot be the path of a group: it is left out. */
static int path_join(const document_source *source, const char *key, const char *a, const char *b,
                     char path[most_path + 1])
{
    char clean[most_path + 1];
    const char *why = path_clean(b, clean);
    if (!why && snprintf(path, most_path + 1, "%s%s%s", a, a[0] ? "/" : "", clean) > most_path)
        why = "it is too long";
    if (why)
        warnings_add(source->told, "%s: the path \"%.100s\" of an image is left out: %s", key, b ? b : "", why);
    return !why;
}

/* -- Nodes ----------------------------------------------------------------------------------------------------- */

/* A group's or array's document, and the object of it that NGFF's keys stand in. */
typedef struct {
    document d;
    int zarr_format;
    int is_array;
    const cJSON *ome;
} node;

static void node_close(node *n)
{
    document_close(&n->d);
    memset(n, 0, sizeof *n);
}

/* version: of the store, 0 if it is not known yet (a store has one, and each look may be a request). NGFF_E_NOT_FOUND
 * leaves e alone. */
static int32_t node_open(const document_source *source, const char *path, int format, node *n, error *e)
{
    error refused = {0};
    memset(n, 0, sizeof *n);
    int32_t status =
        format == ZARR_2 ? NGFF_E_NOT_FOUND : document_probe(source, path, "zarr.json", &n->d, &refused, e);
    if (status == NGFF_OK) {
        const char *type = text_of(n->d.tree, "node_type");
        n->zarr_format = ZARR_3;
        n->is_array = type && strcmp(type, "array") == 0;
        n->ome = ome_of(member(n->d.tree, "attributes"), ZARR_3);
        return NGFF_OK;
    }
    if (status != NGFF_E_NOT_FOUND || format == ZARR_3)
        return status == NGFF_E_NOT_FOUND && refused.status ? error_copy(e, &refused) : status;
    n->zarr_format = ZARR_2;
    status = document_probe(source, path, ".zattrs", &n->d, &refused, e);
    if (status == NGFF_OK)
        n->ome = n->d.tree;
    if (status < 0 && status != NGFF_E_NOT_FOUND)
        return status;
    if (member(n->ome, "multiscales") || member(n->ome, "plate") || member(n->ome, "well"))
        return NGFF_OK;
    document array;
    int32_t found = document_probe(source, path, ".zarray", &array, &refused, e);
    n->is_array = found == NGFF_OK;
    document_close(&array);
    if (found == NGFF_E_NOT_FOUND)
        found = status;
    if (found != NGFF_OK)
        node_close(n);
    return found == NGFF_E_NOT_FOUND && refused.status ? error_copy(e, &refused) : found;
}

/* The same where nothing need be there, in a store of which something has been read. */
static int32_t node_probe(const document_source *source, const char *path, int format, node *n, error *e)
{
    error own = {0};
    int32_t status = node_open(source, path, format, n, &own);
    return own.is_refusal ? NGFF_E_NOT_FOUND : own.status ? error_copy(e, &own) : status;
}

static const char *image_name(const cJSON *multiscales, int entry)
{
    const char *name = text_of(cJSON_GetArrayItem(multiscales, entry), "name");
    return name ? name : "";
}

/* "series 0: name", or without the name where there is none. Long names are cut between characters. */
static char *titled(const char *what, const char *name)
{
    size_t n = strlen(name);
    if (n > most_name)
        for (n = most_name; n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80;)
            n--;
    return n ? formatted("%.*s: %.*s", most_path, what, (int)n, name) : formatted("%.*s", most_path, what);
}

/* -- Collections ----------------------------------------------------------------------------------------------- */

/* The fields of a well. Without a document, or with a broken one, the well itself is listed, so that whoever opens it
 * is told. */
static int32_t list_well(const document_source *source, const char *well, int format, const char *title,
                         stored_parts *parts, error *e)
{
    node n;
    error ignored = {0};
    int32_t status = node_probe(source, well, format, &n, &ignored);
    if (status == NGFF_E_NOT_FOUND) /* a plate may name wells that were never imaged */
        return NGFF_OK;
    if (status != NGFF_OK)
        return parts_add(parts, strdup(well), strdup(title), e);
    const cJSON *image;
    int field = 0;
    cJSON_ArrayForEach(image, member(member(n.ome, "well"), "images"))
    {
        char path[most_path + 1], what[most_path + 40];
        snprintf(what, sizeof what, "%s%sfield %d", title, title[0] ? ", " : "", field++);
        if (path_join(source, n.d.key, well, text_of(image, "path"), path) &&
            parts_add(parts, strdup(path), strdup(what), e))
            break;
    }
    node_close(&n);
    return e->status;
}

static int32_t list_plate(const document_source *source, const node *plate, const char *group, stored_parts *parts,
                          error *e)
{
    const cJSON *wells = member(member(plate->ome, "plate"), "wells"), *well;
    int n = cJSON_IsArray(wells) ? cJSON_GetArraySize(wells) : 0;
    if (n < 1 || n > most_parts)
        return error_set(e, NGFF_E_CORRUPT, "%s: the plate has %d wells; 1 to %d are read", plate->d.key, n,
                         (int)most_parts);
    cJSON_ArrayForEach(well, wells)
    {
        char path[most_path + 1], title[most_path + 8];
        if (!path_join(source, plate->d.key, group, text_of(well, "path"), path))
            continue;
        snprintf(title, sizeof title, "well %s", text_of(well, "path"));
        if (n > most_documents ? parts_add(parts, strdup(path), strdup(title), e)
                               : list_well(source, path, plate->zarr_format, title, parts, e))
            return e->status;
    }
    return NGFF_OK;
}

/* One of several series; the name is read as long as that costs few documents. Gives 0 where there is no such group. */
static int32_t list_series(const document_source *source, const char *path, int format, int index, int is_named,
                           stored_parts *parts, int *is_there, error *e)
{
    node n = {.zarr_format = 0};
    error ignored = {0};
    char what[40];
    int32_t status = is_named ? node_probe(source, path, format, &n, &ignored) : NGFF_OK;
    *is_there = status != NGFF_E_NOT_FOUND;
    snprintf(what, sizeof what, "series %d", index);
    if (*is_there)
        parts_add(parts, strdup(path), titled(what, image_name(member(n.ome, "multiscales"), 0)), e);
    node_close(&n);
    return e->status;
}

/* The bioformats2raw layout: the attribute "series" of the group OME names the images; without it they are 0, 1 ... */
static int32_t list_bioformats2raw(const document_source *source, const char *group, int format, stored_parts *parts,
                                   error *e)
{
    char path[most_path + 1], number[16];
    node ome;
    int is_there = 1;
    if (!path_join(source, group, group, "OME", path))
        return NGFF_OK;
    int32_t status = node_probe(source, path, format, &ome, e);
    if (status != NGFF_OK && status != NGFF_E_NOT_FOUND)
        return e->status;
    const cJSON *series = status == NGFF_OK ? member(ome.ome, "series") : NULL, *item;
    int n = cJSON_IsArray(series) ? cJSON_GetArraySize(series) : 0, i = 0;
    if (n > most_parts)
        error_set(e, NGFF_E_CORRUPT, "%s: there are %d series; at most %d are read", ome.d.key, n, (int)most_parts);
    cJSON_ArrayForEach(item, series)
    {
        if (e->status)
            break;
        if (path_join(source, ome.d.key, group, cJSON_IsString(item) ? item->valuestring : NULL, path))
            list_series(source, path, format, i, n <= most_documents, parts, &is_there, e);
        i++;
    }
    if (status == NGFF_OK)
        node_close(&ome);
    for (i = 0; n == 0 && is_there && i < most_documents && !e->status; i++) {
        snprintf(number, sizeof number, "%d", i);
        if (!path_join(source, group, group, number, path) ||
            list_series(source, path, format, i, 1, parts, &is_there, e))
            break;
    }
    return e->status;
}

/* The names in a group "labels". */
static int32_t list_labels(const document_source *source, const node *labels, const char *group, stored_parts *parts,
                           error *e)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, member(labels->ome, "labels"))
    {
        char path[most_path + 1];
        const char *name = cJSON_IsString(item) ? item->valuestring : NULL;
        if (path_join(source, labels->d.key, group, name, path) &&
            parts_add(parts, strdup(path), formatted("label %.*s", most_path, name), e))
            return e->status;
    }
    return NGFF_OK;
}

/* -- Images ---------------------------------------------------------------------------------------------------- */

/* The name of an entry of "multiscales", "" where it has none, or one with escapes or longer than text. */
static const char *entry_name(const stored_image *image, int entry, char *text, size_t size)
{
    json_span group = json_whole(image->attributes), ome = json_member(group, "ome");
    if (image->zarr_format != ZARR_2 && ome.text)
        group = ome;
    json_span name = json_member(json_item(json_member(group, "multiscales"), entry), "name");
    if (name.n < 2 || name.n >= size || name.text[0] != '"' || memchr(name.text, '\\', name.n))
        return "";
    snprintf(text, size, "%.*s", (int)(name.n - 2), name.text + 1);
    return text;
}

/* "z 5, y 128, x 128" */
static void describe_shape(const stored_image *image, const stored_array *a, char *text, size_t size)
{
    size_t n = 0;
    for (int i = 0; i < a->rank && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%c %lld", i ? ", " : "", image->dims[i], (long long)a->shape[i]);
}

int32_t parts_of_image(document_get get, void *user, const char *group, const stored_image *image,
                       const stored_limits *limits, stored_parts *parts, error *e)
{
    document_source source = document_source_of(get, user, limits);
    const char *slash = group[0] ? "/" : "";
    char text[200], name[1024], path[most_path + 1];
    node labels;
    error trouble = {0};
    memset(parts, 0, sizeof *parts);
    source.told = &parts->told;
    for (int i = 0; i < image->n_entries && !e->status; i++) {
        snprintf(text, sizeof text, i ? "image %d" : "image", i);
        parts_add(parts, formatted("%s#%d", group, i), titled(text, entry_name(image, i, name, sizeof name)), e);
    }
    for (int l = 1; l < image->n_levels && !e->status; l++) {
        const stored_array *a = &image->levels[l];
        double factor[MAX_RANK], offset[MAX_RANK];
        if (level_place(image, 0, l, factor, offset))
            continue;
        describe_shape(image, a, text, sizeof text);
        parts_add(parts, formatted("%s%s%s", group, slash, a->path), formatted("level %d: %s", l, text), e);
    }
    int32_t status = e->status
                         ? e->status
                         : document_probe(&source, "labels", image->zarr_format == ZARR_2 ? ".zattrs" : "zarr.json",
                                          &labels.d, NULL, &trouble);
    if (status == NGFF_OK) {
        int is_v2 = image->zarr_format == ZARR_2;
        labels.ome = ome_of(is_v2 ? labels.d.tree : member(labels.d.tree, "attributes"), image->zarr_format);
        if (path_join(&source, labels.d.key, group, "labels", path))
            list_labels(&source, &labels, path, parts, e);
        document_close(&labels.d);
    } else if (status == NGFF_E_CORRUPT || status == NGFF_E_UNSUPPORTED)
        warnings_add(&parts->told, "%s; the labels are left out", trouble.message);
    else if (status != NGFF_E_NOT_FOUND)
        error_copy(e, &trouble);
    if (e->status) {
        error cause = *e;
        *e = (error){0};
        error_set(e, cause.status, "%s; the image alone opens as the part \"%s#0\"", cause.message, group);
    }
    if (parts->n < 2) {
        warnings told = parts->told;
        parts->told = (warnings){0};
        parts_release(parts);
        parts->told = told;
    }
    return e->status;
}

/* The image whose level an array is: the nearest group above that names it. */
static int32_t find_level(const document_source *source, const char *path, int format, stored_place *place, error *e)
{
    char group[most_path + 1];
    snprintf(group, sizeof group, "%s", path);
    while (group[0]) {
        node n;
        char *slash = strrchr(group, '/');
        *(slash ? slash : group) = '\0';
        int32_t status = node_probe(source, group, format, &n, e);
        if (status != NGFF_OK && status != NGFF_E_NOT_FOUND)
            return status;
        const char *below = path + strlen(group) + (group[0] != '\0');
        const cJSON *multiscale, *dataset;
        int entry = 0, is_found = 0;
        cJSON_ArrayForEach(multiscale, member(n.ome, "multiscales"))
        {
            cJSON_ArrayForEach(dataset, member(multiscale, "datasets"))
            {
                char at[most_path + 1];
                is_found = is_found || (!path_clean(text_of(dataset, "path"), at) && strcmp(at, below) == 0);
            }
            if (is_found)
                break;
            entry++;
        }
        node_close(&n);
        if (!is_found)
            continue;
        place->entry = entry;
        place->is_exact = 1;
        place->group = strdup(group);
        place->level = strdup(below);
        return place->group && place->level ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    return error_set(e, NGFF_E_NOT_FOUND, "%s is an array, but no image has it as a level", path);
}

static int32_t be_image(stored_place *place, const char *path, error *e)
{
    place->group = strdup(path);
    return place->group ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

/* A collection of one series is that image. */
static int32_t be_series(stored_place *place, error *e)
{
    if (place->parts.n != 1)
        return NGFF_OK;
    warnings told = place->parts.told;
    int32_t status = be_image(place, place->parts.items[0].path, e);
    place->is_list = 0;
    place->parts.told = (warnings){0};
    parts_release(&place->parts);
    place->parts.told = told;
    return status;
}

static int32_t look_at(const document_source *source, const node *n, const char *path, stored_place *place, error *e)
{
    const cJSON *layout = member(n->ome, "bioformats2raw.layout");
    if (n->is_array)
        return find_level(source, path, n->zarr_format, place, e);
    if (cJSON_IsArray(member(n->ome, "multiscales")))
        return be_image(place, path, e);
    place->is_list = 1;
    place->kind = member(n->ome, "plate")  ? "plate"
                  : member(n->ome, "well") ? "well"
                  : layout                 ? "list of series"
                                           : "list of labels";
    if (member(n->ome, "plate"))
        return list_plate(source, n, path, &place->parts, e);
    if (member(n->ome, "well"))
        return list_well(source, path, n->zarr_format, "", &place->parts, e);
    if (layout) {
        if (!cJSON_IsNumber(layout) || layout->valuedouble != 3)
            return error_set(e, NGFF_E_UNSUPPORTED, "%s: bioformats2raw.layout is not 3", n->d.key);
        return list_bioformats2raw(source, path, n->zarr_format, &place->parts, e) ? e->status : be_series(place, e);
    }
    if (member(n->ome, "series")) /* the group OME itself */
        return error_set(e, NGFF_E_NOT_FOUND, "%s names images that are beside it; open the folder above", n->d.key);
    if (cJSON_IsArray(member(n->ome, "labels")))
        return list_labels(source, n, path, &place->parts, e);
    return error_set(e, NGFF_E_NOT_FOUND, "%s has no multiscales: no OME-Zarr image is there", n->d.key);
}

int32_t place_find(document_get get, void *user, const char *part, const stored_limits *limits, stored_place *place,
                   error *e)
{
    document_source source = document_source_of(get, user, limits);
    char path[most_path + 1], *end = NULL;
    const char *number = part ? strchr(part, '#') : NULL;
    size_t n = number ? (size_t)(number - part) : part ? strlen(part) : 0;
    node at;
    memset(place, 0, sizeof *place);
    source.told = &place->parts.told;
    snprintf(path, sizeof path, "%.*s", (int)(n < sizeof path ? n : 0), part ? part : "");
    if (number) {
        place->is_exact = 1;
        long entry = number[1] >= '0' && number[1] <= '9' ? strtol(number + 1, &end, 10) : -1;
        if (entry < 0 || entry > most_parts || *end)
            return error_set(e, NGFF_E_ARGUMENT, "\"%.100s\": behind # stands the number of an image, from 0", part);
        place->entry = (int)entry;
    }
    if (n >= sizeof path || (path[0] && !path_is_safe(path)))
        return error_set(e, NGFF_E_ARGUMENT, "\"%.100s\" is no path below the root of a store", part);
    if (!path[0] && number) /* the root's own entry: the reader will see what is there */
        return be_image(place, path, e);
    int32_t status = node_open(&source, path, 0, &at, e);
    if (status == NGFF_E_NOT_FOUND)
        return path[0] ? error_set(e, status, "there is no group or array %s", path)
                       : error_set(e, status, "no OME-Zarr image is there");
    place->zarr_format = at.zarr_format;
    if (status == NGFF_OK)
        look_at(&source, &at, path, place, e);
    node_close(&at);
    if (e->status == NGFF_OK && place->is_list && number)
        error_set(e, NGFF_E_NOT_FOUND, "%s%sno image is there", path, path[0] ? ": " : "");
    if (e->status == NGFF_OK && place->is_list && place->parts.n == 0)
        error_set(e, NGFF_E_CORRUPT, "%s%sit is a %s of images, but none of those that it names is there%s%s", path,
                  path[0] ? ": " : "", place->kind, place->parts.told.n ? "; " : "",
                  place->parts.told.n ? place->parts.told.texts[0] : "");
    if (e->status != NGFF_OK)
        place_release(place);
    return e->status;
}
