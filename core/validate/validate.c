/* validate.c: see validate.h. A walk from the root: each node is judged by its own attributes, then those below it that
 * it names, and for images the documents of their arrays. Paths only lead down, so the walk ends. */
#include "validate/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngff.h"
#include "validate/rules.h"

enum { most_visited = 100000 };

/* -- One node's attributes ------------------------------------------------------------------------------------- */

/* The keys that make a node one of NGFF's, and what judges their values. */
static const struct {
    const char *key;
    kind wanted;
    int first_version;
    void (*rule)(judge *j, const cJSON *value, const spot *at);
} parts[] = {{"multiscales", FILLED_LIST, 4, judge_multiscales},
             {"omero", OBJECT, 4, judge_omero},
             {"image-label", OBJECT, 4, judge_image_label},
             {"labels", LIST, 4, judge_names},
             {"plate", OBJECT, 4, judge_plate},
             {"well", OBJECT, 4, judge_well},
             {"bioformats2raw.layout", NUMBER, 4, judge_layout},
             {"series", LIST, 4, judge_names},
             {"scene", OBJECT, 6, judge_scene}};

static int version_number(const char *text)
{
    static const struct {
        const char *text;
        int version;
    } known[] = {{"0.4", 4}, {"0.5", 5}, {"0.6", 6}, {"0.6rc0", 6}};
    for (size_t i = 0; text && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].text, text) == 0)
            return known[i].version;
    return 0;
}

/* What a document of 0.4 says of its version, which it need not. */
static const char *version_of_04(const cJSON *attributes)
{
    static const char *const holders[] = {"plate", "well", "image-label"};
    const char *text = text_of(cJSON_GetArrayItem(member(attributes, "multiscales"), 0), "version");
    for (int i = 0; !text && i < 3; i++)
        text = text_of(member(attributes, holders[i]), "version");
    return text ? text : "0.4";
}

/* Sets the version, which is the same in all of a store. */
static int find_version(judge *j, const cJSON *ome, int is_in_ome)
{
    const spot at = {"version"};
    const cJSON *version = member(ome, "version");
    const char *text = is_in_ome ? text_of(ome, "version") : version_of_04(ome);
    int number = version_number(text);
    if (!text)
        tell_must(j, &at, version ? "it must be text" : "it is missing from \"ome\", and must be text");
    else if (number == 0 && j->version == 0 && j->of_unknown_version == NGFF_FINDING_NOTE)
        tell_note(j, &at, "\"%.40s\" is none of 0.4, 0.5, 0.6: whether it keeps to its text is not judged", text);
    else if (number == 0)
        tell_must(j, &at, "\"%.40s\" is none of 0.4, 0.5, 0.6, which are judged here", text);
    else if ((number == 4) == is_in_ome)
        tell_must(j, &at, "%s does not belong %s \"ome\"", text, is_in_ome ? "into" : "outside of");
    else if (j->version && strcmp(j->version_text, text) != 0)
        tell_must(j, &at, "\"%.40s\" must be \"%s\", as in the rest of the store", text, j->version_text);
    else {
        j->version = number;
        snprintf(j->version_text, sizeof j->version_text, "%s", text);
        return 1;
    }
    return 0;
}

/* Judges one node's attributes. zarr_format: 2 or 3, 0 where it is not known. Sets the judge's version. Returns the
 * object that NGFF's keys stand in, or NULL if nothing more can be said. */
static const cJSON *judge_attributes(judge *j, const cJSON *attributes, int zarr_format)
{
    const spot root = {""};
    const cJSON *ome = member(attributes, "ome");
    int is_in_ome = zarr_format == 3 || (zarr_format == 0 && ome), n_known = 0;
    if (is_in_ome && !cJSON_IsObject(ome)) {
        tell_must(j, &root, "the attributes must have the object \"ome\"");
        return NULL;
    }
    if (!is_in_ome)
        ome = attributes;
    if (!find_version(j, ome, is_in_ome))
        return NULL;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        spot here = spot_member(&root, parts[i].key);
        if (j->version < parts[i].first_version)
            continue;
        const cJSON *value = want(j, ome, &root, parts[i].key, parts[i].wanted, MAY);
        if (value)
            parts[i].rule(j, value, &here);
        n_known += member(ome, parts[i].key) != NULL;
    }
    if (n_known == 0)
        tell_must(j, &root, "there is no key of NGFF, such as multiscales, plate, well or labels");
    return ome;
}

/* -- Nodes of a store ------------------------------------------------------------------------------------------ */

typedef struct {
    document_source source;
    judge *j;
    int zarr_format; /* 0: not known yet */
    int n_visited;
    error refused; /* the first document that a server refuses: it is no part of the store, if there is one */
} walk;

typedef struct {
    document d;
    int is_array;
    const cJSON *attributes;
} node;

/* What a node is looked at for. */
typedef struct {
    const char *key;           /* of NGFF, that it must have; or NULL */
    int n_levels;              /* of the image that it is a label image of; 0: it is none */
    const cJSON *acquisitions; /* of the plate that it is a well of, or NULL */
} purpose;

static int32_t visit(walk *w, const char *path, const purpose *why, error *e);

static int join(walk *w, const spot *at, const char *a, const char *b, char path[most_path + 1])
{
    char clean[most_path + 1];
    const char *why = path_clean(b, clean);
    if (!why && snprintf(path, most_path + 1, "%s%s%s", a, a[0] ? "/" : "", clean) > most_path)
        why = "it is too long";
    if (why)
        tell_must(w->j, at, "the path \"%.100s\" cannot be used: %s", b, why);
    else if (strcmp(b, clean) != 0)
        tell_must(w->j, at, "the path \"%.100s\" must be \"%.100s\"", b, clean);
    return !why;
}

/* Returns 1; 0 where there is no such document or it is no JSON, which is told; or an error. */
static int32_t look(walk *w, const char *path, const char *name, document *d, error *e)
{
    const spot root = {""};
    const char *document = w->j->document;
    error own = {0};
    warnings mended = {.n = 0};
    document_source source = w->source;
    source.told = &mended;
    int32_t status = document_open(&source, path, name, d, &own);
    w->j->document = ""; /* these have it */
    for (const char *text; status == NGFF_OK && (text = warnings_next(&mended));)
        tell_must(w->j, &root, "%s", text);
    w->j->document = document;
    warnings_release(&mended);
    if (own.is_refusal) { /* it is not there, if anything else is */
        error_copy(&w->refused, &own);
        return 0;
    }
    if (status == NGFF_E_CORRUPT) {
        w->j->document = ""; /* the message has it */
        tell_must(w->j, &root, "%s", own.message);
        w->j->document = document;
        return 0;
    }
    if (status == NGFF_OK || status == NGFF_E_NOT_FOUND)
        return status == NGFF_OK;
    return error_copy(e, &own);
}

/* What Zarr itself wants of a document zarr.json (3) or .zarray (2), beside what an image asks of arrays. */
static void judge_format(judge *j, const document *d, int format)
{
    const spot format_spot = {"zarr_format"}, type_spot = {"node_type"};
    const cJSON *number = member(d->tree, "zarr_format");
    const char *type = text_of(d->tree, "node_type"), *document = j->document;
    j->document = d->key;
    if (!cJSON_IsNumber(number) || number->valuedouble != format)
        tell_must(j, &format_spot, "it must be %d", format);
    if (format == 3 && (!type || (strcmp(type, "group") != 0 && strcmp(type, "array") != 0)))
        tell_must(j, &type_spot, "it must be \"group\" or \"array\"");
    j->document = document;
}

/* Opens a node. Returns 1, 0 if nothing that can be judged is there, or an error. */
static int32_t open_node(walk *w, const char *path, node *n, error *e)
{
    document other = {.text = NULL};
    int64_t n_before = w->j->n_invalid;
    memset(n, 0, sizeof *n);
    int32_t status = w->zarr_format == 2 ? 0 : look(w, path, "zarr.json", &n->d, e);
    if (status == 1) {
        const char *type = text_of(n->d.tree, "node_type");
        judge_format(w->j, &n->d, 3);
        w->zarr_format = 3;
        n->is_array = type && strcmp(type, "array") == 0;
        n->attributes = member(n->d.tree, "attributes");
        return 1;
    }
    if (status < 0 || w->zarr_format == 3 || w->j->n_invalid > n_before)
        return status;
    status = look(w, path, ".zarray", &n->d, e);
    n->is_array = status == 1;
    if (n->is_array)
        judge_format(w->j, &n->d, 2);
    if (status != 0)
        return status;
    status = look(w, path, ".zattrs", &n->d, e);
    n->attributes = n->d.tree;
    if (status == 1)
        w->zarr_format = 2;
    else if (status == 0 && w->j->n_invalid == n_before && (status = look(w, path, ".zgroup", &other, e)) == 1) {
        n->d = other;
        w->zarr_format = 2;
    }
    return status;
}

/* -- Arrays of an image ---------------------------------------------------------------------------------------- */

/* What the levels of an image must have in common. */
typedef struct {
    const cJSON *axes;
    char type[40];
    double shape[MAX_RANK];
    int rank; /* of the level before; 0 for the first */
    int is_label;
} common;

static void judge_dimension_names(judge *j, const cJSON *names, const cJSON *axes)
{
    const spot at = {"dimension_names"};
    const cJSON *axis, *name = names ? names->child : NULL;
    int is_same = cJSON_IsArray(names) && cJSON_GetArraySize(names) == cJSON_GetArraySize(axes);
    cJSON_ArrayForEach(axis, axes)
    {
        const char *wanted = text_of(axis, "name");
        is_same = is_same && wanted && cJSON_IsString(name) && strcmp(name->valuestring, wanted) == 0;
        name = name ? name->next : NULL;
    }
    if (!is_same)
        tell_must(j, &at, "%s the names of the axes of its image",
                  names ? "they must be" : "it is missing, and must be");
}

static int is_integer_type(const char *type)
{
    const char *v2 = type[0] && strchr("<>|", type[0]) ? type + 1 : "";
    return strncmp(type, "int", 3) == 0 || strncmp(type, "uint", 4) == 0 || v2[0] == 'i' || v2[0] == 'u';
}

static void judge_shape(judge *j, const cJSON *array, common *c)
{
    const spot root = {""}, at = {"shape"};
    const cJSON *size, *shape = want(j, array, &root, "shape", LIST, MUST);
    int rank = cJSON_GetArraySize(shape), i = 0, is_larger = 0;
    if (!shape)
        return;
    if (c->axes && rank != cJSON_GetArraySize(c->axes)) {
        tell_must(j, &at, "the array has %d dimensions, but its image has %d axes", rank, cJSON_GetArraySize(c->axes));
        return;
    }
    cJSON_ArrayForEach(size, shape)
    {
        if (i == MAX_RANK)
            return;
        if (!kind_fits(size, COUNT)) {
            tell_must(j, &at, "it must be a list of whole numbers from 0");
            return;
        }
        is_larger |= c->rank == rank && size->valuedouble > c->shape[i];
        c->shape[i++] = size->valuedouble;
    }
    if (is_larger)
        tell_must(j, &at, "it is larger than the level before: levels must go from large to small");
    c->rank = rank;
}

static void judge_array(judge *j, const cJSON *array, int zarr_format, common *c)
{
    const char *key = zarr_format == 3 ? "data_type" : "dtype", *type = text_of(array, key);
    const char *separator = text_of(array, "dimension_separator");
    const spot root = {""}, type_spot = spot_member(&root, key), separator_spot = {"dimension_separator"};
    judge_shape(j, array, c);
    if (!member(array, key))
        tell_must(j, &type_spot, "it is missing");
    if (type && c->type[0] && strcmp(type, c->type) != 0) {
        if (j->version >= 6)
            tell_must(j, &type_spot, "%s: all levels must have the type %s", type, c->type);
        else
            tell_should(j, &type_spot, "%s: all levels should have the type %s", type, c->type);
    }
    if (type && c->is_label && !is_integer_type(type))
        tell_must(j, &type_spot, "%s: label images must be of whole numbers", type);
    if (type && !c->type[0])
        snprintf(c->type, sizeof c->type, "%s", type);
    if (j->version == 5 && c->axes)
        judge_dimension_names(j, member(array, "dimension_names"), c->axes);
    if (j->version == 4 && !(separator && strcmp(separator, "/") == 0))
        tell_must(j, &separator_spot, "it must be \"/\" (chunks are stored in nested folders)");
}

/* Documents may be judged without the arrays that they name; where some are there, all must be. */
static void tell_missing(judge *j, const cJSON *datasets, const spot *all, const char *is_missing, int n_there)
{
    const cJSON *dataset;
    int i = 0;
    cJSON_ArrayForEach(dataset, datasets)
    {
        spot here = spot_item(all, i);
        if (is_missing[i++] && n_there > 0)
            tell_must(j, &here, "it must name an array, but there is no array %.100s", text_of(dataset, "path"));
        else if (is_missing[i - 1])
            tell_note(j, &here, "there is no array %.100s", text_of(dataset, "path"));
    }
}

static int32_t visit_levels(walk *w, const char *group, const cJSON *multiscale, const spot *at, int is_label, error *e)
{
    const cJSON *dataset;
    const char *document = w->j->document;
    common c = {.axes = axes_of_entry(multiscale), .is_label = is_label};
    spot all = spot_member(at, "datasets");
    int i = 0, n_there = 0;
    char *is_missing = calloc((size_t)cJSON_GetArraySize(member(multiscale, "datasets")) + 1, 1);
    if (!is_missing)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    cJSON_ArrayForEach(dataset, member(multiscale, "datasets"))
    {
        char path[most_path + 1];
        const char *below = text_of(dataset, "path");
        spot here = spot_item(&all, i++);
        node n;
        if (!below || !join(w, &here, group, below, path) || ++w->n_visited > most_visited)
            continue;
        int64_t n_before = w->j->n_invalid;
        int32_t status = open_node(w, path, &n, e);
        n_there += status == 1;
        is_missing[i - 1] = status == 0 && w->j->n_invalid == n_before;
        if (status == 1 && !n.is_array)
            tell_must(w->j, &here, "%.100s must be an array", below);
        if (status == 1 && n.is_array) {
            w->j->document = n.d.key;
            judge_array(w->j, n.d.tree, w->zarr_format, &c);
            w->j->document = document;
        }
        document_close(&n.d);
        if (status < 0) {
            free(is_missing);
            return status;
        }
    }
    tell_missing(w->j, member(multiscale, "datasets"), &all, is_missing, n_there);
    free(is_missing);
    return NGFF_OK;
}

/* -- What a node leads to --------------------------------------------------------------------------------------- */

/* Visits the nodes of a list: of paths, or of objects that have one as "path". */
static int32_t visit_list(walk *w, const char *group, const cJSON *list, const spot *at, const purpose *why, error *e)
{
    const cJSON *item;
    int i = 0;
    cJSON_ArrayForEach(item, list)
    {
        char path[most_path + 1];
        const char *below = cJSON_IsString(item) ? item->valuestring : text_of(item, "path");
        spot here = spot_item(at, i++);
        if (!below || !join(w, &here, group, below, path))
            continue;
        int64_t n_before = w->j->n_invalid;
        int32_t status = visit(w, path, why, e);
        if (status == 0 && w->j->n_invalid == n_before)
            tell_note(w->j, &here, "there is no group %.100s", below);
        if (status < 0)
            return status;
    }
    return NGFF_OK;
}

static int32_t visit_image(walk *w, const char *group, const cJSON *multiscales, const purpose *why, error *e)
{
    const spot all = {"multiscales"};
    const cJSON *multiscale;
    char labels[most_path + 8];
    int i = 0;
    cJSON_ArrayForEach(multiscale, multiscales)
    {
        spot here = spot_item(&all, i++), datasets = spot_member(&here, "datasets");
        int n = cJSON_GetArraySize(member(multiscale, "datasets"));
        if (why->n_levels && n != why->n_levels)
            tell_must(w->j, &datasets, "a label image must have as many levels as its image: %d, not %d", why->n_levels,
                      n);
        if (visit_levels(w, group, multiscale, &here, why->n_levels > 0, e))
            return e->status;
    }
    if (why->n_levels)
        return NGFF_OK;
    const purpose list = {"labels", cJSON_GetArraySize(member(cJSON_GetArrayItem(multiscales, 0), "datasets")), NULL};
    snprintf(labels, sizeof labels, "%s%slabels", group, group[0] ? "/" : "");
    int32_t status = strlen(labels) > most_path ? 0 : visit(w, labels, &list, e);
    return status < 0 ? status : NGFF_OK;
}

/* A field of a plate with several acquisitions names its own. */
static void judge_fields(judge *j, const cJSON *images, const cJSON *acquisitions)
{
    const spot all = {"well.images"};
    const cJSON *image, *acquisition;
    int i = 0;
    cJSON_ArrayForEach(image, images)
    {
        spot item = spot_item(&all, i++), here = spot_member(&item, "acquisition");
        const cJSON *id = member(image, "acquisition");
        int is_known = 0;
        cJSON_ArrayForEach(acquisition, acquisitions) is_known |= id && cJSON_Compare(member(acquisition, "id"), id, 1);
        if (!is_known)
            tell_must(j, &here, "it must be one of the %d acquisitions of the plate", cJSON_GetArraySize(acquisitions));
    }
}

/* Series that the group OME lists, or groups 0, 1, ... */
static int32_t visit_series(walk *w, const char *group, error *e)
{
    const spot at = {"series"}, root = {""};
    const purpose image = {"multiscales", 0, NULL};
    const char *document = w->j->document;
    char path[most_path + 40];
    node n;
    snprintf(path, sizeof path, "%s%sOME", group, group[0] ? "/" : "");
    int32_t status = strlen(path) > most_path ? 0 : open_node(w, path, &n, e);
    if (status < 0)
        return status;
    int is_ome = status == 1;
    const cJSON *ome = !is_ome ? NULL : w->zarr_format == 3 ? member(n.attributes, "ome") : n.attributes;
    const cJSON *series = member(ome, "series");
    if (series) {
        w->j->document = n.d.key;
        judge_attributes(w->j, n.attributes, w->zarr_format);
        status = visit_list(w, group, series, &at, &image, e);
        w->j->document = document;
    }
    if (is_ome)
        document_close(&n.d);
    for (int i = 0, is_there = 1; !series && is_there > 0 && i < most_visited; i++) {
        snprintf(path, sizeof path, "%s%s%d", group, group[0] ? "/" : "", i);
        int64_t n_before = w->j->n_invalid;
        is_there = strlen(path) > most_path ? 0 : visit(w, path, &image, e);
        if (is_there == 0 && i == 0 && w->j->n_invalid == n_before)
            tell_note(w->j, &root, "there is no group 0, the first of its images");
        status = is_there < 0 ? is_there : NGFF_OK;
    }
    return status < 0 ? status : NGFF_OK;
}

static int32_t follow(walk *w, const char *path, const cJSON *ome, const purpose *why, error *e)
{
    const spot wells_spot = {"plate.wells"}, fields_spot = {"well.images"}, labels_spot = {"labels"};
    const cJSON *plate = member(ome, "plate"), *well = member(ome, "well");
    const cJSON *acquisitions = member(plate, "acquisitions");
    const purpose image = {"multiscales", 0, NULL}, label = {"multiscales", why->n_levels, NULL};
    const purpose plate_well = {"well", 0, cJSON_GetArraySize(acquisitions) > 1 ? acquisitions : NULL};
    if (member(ome, "multiscales"))
        return visit_image(w, path, member(ome, "multiscales"), why, e);
    if (plate)
        return visit_list(w, path, member(plate, "wells"), &wells_spot, &plate_well, e);
    if (well && why->acquisitions)
        judge_fields(w->j, member(well, "images"), why->acquisitions);
    if (well)
        return visit_list(w, path, member(well, "images"), &fields_spot, &image, e);
    if (member(ome, "labels"))
        return visit_list(w, path, member(ome, "labels"), &labels_spot, &label, e);
    return member(ome, "bioformats2raw.layout") ? visit_series(w, path, e) : NGFF_OK;
}

/* Returns 1, 0 where nothing is, or an error. */
static int32_t visit(walk *w, const char *path, const purpose *why, error *e)
{
    const spot root = {""};
    const char *document = w->j->document;
    node n;
    if (++w->n_visited > most_visited) {
        if (w->n_visited == most_visited + 1)
            tell_note(w->j, &root, "only the first %d documents are judged", (int)most_visited);
        return 1;
    }
    int32_t status = open_node(w, path, &n, e);
    if (status == 1) {
        w->j->document = n.d.key;
        if (n.is_array)
            tell_must(w->j, &root, "it must be a group, and is an array");
        const cJSON *ome = n.is_array ? NULL : judge_attributes(w->j, n.attributes, w->zarr_format);
        if (ome && why->key && !member(ome, why->key))
            tell_must(w->j, &root, "it must have %s", why->key);
        int32_t below = ome ? follow(w, path, ome, why, e) : NGFF_OK;
        status = below < 0 ? below : 1;
        w->j->document = document;
    }
    document_close(&n.d);
    return status;
}

/* -- All of it ------------------------------------------------------------------------------------------------- */

int32_t validate_store(judge *j, document_get get, void *user, const stored_limits *limits, error *e)
{
    walk w = {.source = document_source_of(get, user, limits), .j = j};
    const purpose any = {NULL, 0, NULL};
    w.source.is_judging = 1;
    j->document = "";
    j->is_store = 1;
    int32_t status = visit(&w, "", &any, e);
    j->document = "";
    if (status == 0 && j->n_invalid == 0 && w.refused.status)
        return error_copy(e, &w.refused);
    if (status == 0 && j->n_invalid == 0)
        return error_set(e, NGFF_E_NOT_FOUND, "there is no document of Zarr: no zarr.json, .zattrs or .zgroup");
    return status < 0 ? status : NGFF_OK;
}

int32_t validate_document(judge *j, document_get get, void *user, const char *key, const stored_limits *limits,
                          error *e)
{
    walk w = {.source = document_source_of(get, user, limits), .j = j};
    document d;
    w.source.is_judging = 1;
    j->document = "";
    int32_t status = look(&w, "", key, &d, e);
    if (status == 1) {
        int is_zarr = cJSON_IsNumber(member(d.tree, "zarr_format"));
        if (is_zarr)
            judge_format(j, &d, 3);
        j->document = d.key;
        judge_attributes(j, is_zarr ? member(d.tree, "attributes") : d.tree, is_zarr ? 3 : 0);
        document_close(&d);
    } else if (w.refused.status)
        status = error_copy(e, &w.refused);
    else if (status == 0 && j->n_invalid == 0)
        status = error_set(e, NGFF_E_NOT_FOUND, "there is no %s", key);
    j->document = "";
    return status < 0 ? status : NGFF_OK;
}
