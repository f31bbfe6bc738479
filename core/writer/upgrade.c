/* upgrade.c: the documents of a store are written anew by a newer version of NGFF; its chunks are not touched.
 *
 *     all documents are made in memory; what cannot be said is refused before anything is written
 *     0.4 -> 0.5, 0.6    zarr.json below the root, beside the documents of Zarr 2 -> the root's zarr.json -> theirs go
 *     0.5 -> 0.6         documents below the root, each replaced at once -> the root's
 *
 * So a kill leaves the image as it was, or as it will be: the root's document decides, and each below it is whole by itself.
 * The next run makes the rest: what is stored already is not put again, and what is left of Zarr 2 goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "metadata/newer.h"
#include "store/zip.h"
#include "writer/writer.h"
#include "zarr/array_newer.h"
#include "zarr/tree.h"

enum { longest_path = 1024 };

/* A node as it will be. */
typedef struct {
    char *path;     /* "" for the root */
    char *text;     /* of zarr.json, without copies of other documents */
    char *whole;    /* the same with them; NULL: there are none */
    int has_copies; /* it has had copies of the documents below */
    int is_put;     /* it is another than the one that is stored, or may be */
} new_node;

/* The axes of an array that is a level of an image. */
typedef struct {
    char *path;
    cJSON *axes;
} level_axes;

typedef struct {
    store *store;
    int format, version;
    int is_other; /* something is to be said otherwise */
    document_source source;
    char **keys; /* of documents, sorted */
    size_t n_keys, room_keys;
    new_node *nodes;
    size_t n_nodes, room_nodes;
    level_axes *levels;
    size_t n_levels, room_levels;
    error *e;
} upgrade;

static int32_t out_of_memory(upgrade *u)
{
    return error_set(u->e, NGFF_E_MEMORY, "out of memory");
}

/* -- What is there ------------------------------------------------------------------------------------------------- */

static const char *name_of_key(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? slash + 1 : key;
}

/* visit of list */
static int32_t note_key(void *user, const char *key)
{
    upgrade *u = user;
    if (!is_zarr_document(name_of_key(key)))
        return NGFF_OK;
    char **more = list_room(u->keys, u->n_keys, &u->room_keys, sizeof *more), *copy = strdup(key);
    if (more)
        u->keys = more;
    if (!more || !copy) {
        free(copy);
        return NGFF_E_MEMORY;
    }
    u->keys[u->n_keys++] = copy;
    return NGFF_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int has_document(const upgrade *u, const char *path, const char *name)
{
    char key[longest_path];
    const char *wanted = key;
    snprintf(key, sizeof key, "%s%s%s", path, path[0] ? "/" : "", name);
    return u->n_keys > 0 && bsearch(&wanted, u->keys, u->n_keys, sizeof *u->keys, compare_texts) != NULL;
}

static int32_t list_documents(upgrade *u)
{
    if (u->store->ops->list(u->store, note_key, u, u->e) < 0)
        return error_set(u->e, NGFF_E_UNSUPPORTED, "what is in it cannot be listed");
    if (u->n_keys > 0)
        qsort(u->keys, u->n_keys, sizeof *u->keys, compare_texts);
    u->format = has_document(u, "", "zarr.json") ? ZARR_3 : ZARR_2;
    if (u->format == ZARR_2 && !has_document(u, "", ".zattrs"))
        return error_set(u->e, NGFF_E_NOT_FOUND, "no OME-Zarr is there");
    return u->e->status;
}

/* -- Nodes as they will be ----------------------------------------------------------------------------------------- */

/* tree: taken. */
static int32_t add_node(upgrade *u, const char *path, cJSON *tree, int has_copies, int is_put)
{
    new_node *more = list_room(u->nodes, u->n_nodes, &u->room_nodes, sizeof *more), *node;
    char *printed = tree ? cJSON_Print(tree) : NULL;
    if (more) {
        u->nodes = more;
        node = &more[u->n_nodes];
        *node = (new_node){strdup(path), printed ? strdup(printed) : NULL, NULL, has_copies, is_put};
        u->n_nodes++;
    }
    if (!more || !node->path || !node->text)
        out_of_memory(u);
    cJSON_free(printed);
    cJSON_Delete(tree);
    return u->e->status;
}

/* The arrays that are levels of the images of a group. */
static int32_t note_levels(upgrade *u, const char *path, json_span attributes)
{
    cJSON *images = json_tree(json_member(attributes, "multiscales"), path, u->e);
    const cJSON *image, *dataset;
    cJSON_ArrayForEach(image, images) cJSON_ArrayForEach(dataset, member(image, "datasets"))
    {
        level_axes *more = list_room(u->levels, u->n_levels, &u->room_levels, sizeof *more);
        const char *below = text_of(dataset, "path");
        char clean[most_path + 1], array[longest_path];
        if (!more) {
            out_of_memory(u);
            break;
        }
        u->levels = more;
        if (path_clean(below, clean) != NULL ||
            snprintf(array, sizeof array, "%s%s%s", path, path[0] ? "/" : "", clean) >= (int)sizeof array)
            continue;
        level_axes *next = &more[u->n_levels];
        *next = (level_axes){strdup(array), cJSON_Duplicate(member(image, "axes"), 1)};
        if (!next->path || (member(image, "axes") && !next->axes)) {
            free(next->path);
            cJSON_Delete(next->axes);
            out_of_memory(u);
        } else
            u->n_levels++;
    }
    cJSON_Delete(images);
    return u->e->status;
}

static int32_t add_group_of_2(upgrade *u, const char *path)
{
    document d = {.tree = NULL};
    cJSON *attributes = NULL;
    int is_whole = 1;
    if (has_document(u, path, ".zattrs")) {
        if (document_open(&u->source, path, ".zattrs", &d, u->e) != NGFF_OK)
            return u->e->status ? u->e->status : error_set(u->e, NGFF_E_NOT_FOUND, "%s/.zattrs is gone", path);
        int32_t is_ngff = newer_attributes(d.whole, ZARR_2, u->version, d.key, &attributes, u->e);
        char *text = is_ngff == 0 ? json_copy(d.whole) : NULL;
        if (is_ngff == 0)
            attributes = text ? cJSON_CreateRaw(text) : NULL;
        else if (is_ngff == 1)
            note_levels(u, path, d.whole);
        free(text);
        document_close(&d);
    } else {
        attributes = cJSON_CreateObject();
    }
    cJSON *group = u->e->status == NGFF_OK ? tree_group(ZARR_3, attributes, &is_whole) : NULL;
    if (!group)
        cJSON_Delete(attributes);
    if (u->e->status == NGFF_OK && (!group || !is_whole))
        out_of_memory(u);
    if (u->e->status == NGFF_OK)
        return add_node(u, path, group, has_document(u, path, ".zmetadata"), 1);
    cJSON_Delete(group);
    return u->e->status;
}

static int compare_levels(const void *a, const void *b)
{
    return strcmp(((const level_axes *)a)->path, ((const level_axes *)b)->path);
}

static int32_t add_array_of_2(upgrade *u, const char *path)
{
    const char *dims[MAX_RANK];
    const level_axes like = {(char *)path, NULL}, *found = u->n_levels > 0 ? bsearch(&like, u->levels, u->n_levels,
                                                                                     sizeof *u->levels, compare_levels)
                                                                           : NULL;
    int n_dims = 0;
    cJSON *document_of_array = NULL;
    for (const cJSON *axis = found && found->axes ? found->axes->child : NULL; axis && n_dims < MAX_RANK;
         axis = axis->next)
        dims[n_dims++] = text_of(axis, "name");
    for (int i = 0; i < n_dims; i++)
        if (!dims[i])
            n_dims = 0;
    if (array_newer(&u->source, path, dims, n_dims, &document_of_array, u->e) != NGFF_OK)
        return u->e->status;
    return add_node(u, path, document_of_array, 0, 1);
}

/* A document of Zarr 3: the same but for what NGFF says in it, and for the copies. */
static int32_t add_node_of_3(upgrade *u, const char *path)
{
    document d;
    cJSON *attributes = NULL, *made = NULL;
    json_span name, value;
    int is_whole = 1;
    if (document_open(&u->source, path, "zarr.json", &d, u->e) != NGFF_OK)
        return u->e->status ? u->e->status : error_set(u->e, NGFF_E_NOT_FOUND, "%s/zarr.json is gone", path);
    int has_copies = json_member(json_member(d.whole, "consolidated_metadata"), "metadata").text != NULL;
    int32_t is_other =
        newer_attributes(json_member(d.whole, "attributes"), ZARR_3, u->version, d.key, &attributes, u->e);
    made = cJSON_CreateObject();
    for (size_t at = 0; json_next(d.whole, &at, &name, &value);) {
        char *key = json_copy(name), *text = json_copy(value);
        if (key && strcmp(key, "attributes") == 0 && attributes) {
            tree_put(made, key, attributes, &is_whole);
            attributes = NULL;
        } else if (!key || strcmp(key, "consolidated_metadata") != 0)
            tree_put(made, key, text ? cJSON_CreateRaw(text) : NULL, &is_whole);
        free(key);
        free(text);
    }
    document_close(&d);
    if (!is_whole)
        out_of_memory(u);
    u->is_other |= is_other == 1;
    if (u->e->status == NGFF_OK)
        return add_node(u, path, made, has_copies, is_other == 1 || has_copies);
    cJSON_Delete(made);
    cJSON_Delete(attributes);
    return u->e->status;
}

/* Calls add for every folder that has one of two documents. */
static int32_t each_folder(upgrade *u, const char *name, const char *or_name, const char *but_not,
                           int32_t (*add)(upgrade *, const char *path))
{
    char path[longest_path], last[longest_path] = "/";
    for (size_t i = 0; i < u->n_keys && u->e->status == NGFF_OK; i++) {
        const char *its = name_of_key(u->keys[i]);
        size_t n = its == u->keys[i] ? 0 : (size_t)(its - u->keys[i] - 1);
        if ((strcmp(its, name) != 0 && (!or_name || strcmp(its, or_name) != 0)) || n >= sizeof path)
            continue;
        snprintf(path, sizeof path, "%.*s", (int)n, u->keys[i]);
        if (strcmp(path, last) == 0 || (but_not && has_document(u, path, but_not)))
            continue;
        memcpy(last, path, sizeof last);
        add(u, path);
    }
    return u->e->status;
}

/* Deepest first, the root last. */
static int depth_of(const char *path)
{
    int n = path[0] != '\0';
    for (const char *p = path; *p; p++)
        n += *p == '/';
    return n;
}

static int compare_depths(const void *a, const void *b)
{
    const new_node *one = a, *other = b;
    int order = depth_of(other->path) - depth_of(one->path);
    return order ? order : strcmp(one->path, other->path);
}

static int32_t make_nodes(upgrade *u)
{
    if (u->format == ZARR_3)
        each_folder(u, "zarr.json", NULL, NULL, add_node_of_3);
    else if (each_folder(u, ".zgroup", ".zattrs", ".zarray", add_group_of_2) == NGFF_OK) {
        u->is_other = 1;
        if (u->n_levels > 0)
            qsort(u->levels, u->n_levels, sizeof *u->levels, compare_levels);
        each_folder(u, ".zarray", NULL, NULL, add_array_of_2);
    }
    if (u->n_nodes > 0)
        qsort(u->nodes, u->n_nodes, sizeof *u->nodes, compare_depths);
    return u->e->status;
}

/* -- Copies -------------------------------------------------------------------------------------------------------- */

/* The path of a node below another; NULL where it is not. */
static const char *path_below(const char *group, const char *path)
{
    size_t n = strlen(group);
    if (n == 0)
        return path[0] ? path : NULL;
    return strncmp(group, path, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static const new_node *node_below(const upgrade *u, const char *group, const char *below)
{
    char path[longest_path];
    snprintf(path, sizeof path, "%s%s%s", group, group[0] ? "/" : "", below);
    const new_node like = {.path = path};
    return bsearch(&like, u->nodes, u->n_nodes, sizeof *u->nodes, compare_depths);
}

/* The copies that a group of Zarr 3 has, with those of changed documents made anew. */
static void renew_copies(upgrade *u, const new_node *group, cJSON *copies, int *is_whole)
{
    document d;
    json_span name, value;
    if (document_open(&u->source, group->path, "zarr.json", &d, u->e) != NGFF_OK)
        return;
    json_span old = json_member(json_member(d.whole, "consolidated_metadata"), "metadata");
    for (size_t at = 0; json_next(old, &at, &name, &value);) {
        char *key = json_copy(name), *text = json_copy(value);
        const new_node *node = key ? node_below(u, group->path, key) : NULL;
        tree_put(copies, key, node ? cJSON_CreateRaw(node->text) : text ? cJSON_CreateRaw(text) : NULL, is_whole);
        free(key);
        free(text);
    }
    document_close(&d);
}

static int32_t add_copies(upgrade *u, new_node *group)
{
    static const char *const at[] = {"consolidated_metadata"};
    int is_whole = 1;
    cJSON *copies = cJSON_CreateObject(), *holder = cJSON_CreateObject();
    if (u->format == ZARR_3)
        renew_copies(u, group, copies, &is_whole);
    for (size_t i = 0; u->format == ZARR_2 && i < u->n_nodes; i++) {
        const char *below = path_below(group->path, u->nodes[i].path);
        if (below)
            tree_put(copies, below, cJSON_CreateRaw(u->nodes[i].text), &is_whole);
    }
    tree_put(holder, "kind", cJSON_CreateString("inline"), &is_whole);
    tree_put(holder, "must_understand", cJSON_CreateFalse(), &is_whole);
    tree_put(holder, "metadata", copies, &is_whole);
    char *text = is_whole ? cJSON_Print(holder) : NULL;
    group->whole = text ? json_put(json_whole(group->text), at, 1, text) : NULL;
    cJSON_free(text);
    cJSON_Delete(holder);
    return group->whole || u->e->status != NGFF_OK ? u->e->status : out_of_memory(u);
}

/* -- Writing ------------------------------------------------------------------------------------------------------- */

static const char *text_of_node(const new_node *node)
{
    return node->whole ? node->whole : node->text;
}

static void key_of(const char *path, char key[longest_path])
{
    snprintf(key, longest_path, "%s%szarr.json", path, path[0] ? "/" : "");
}

static int is_to_be_put(const upgrade *u, const new_node *node)
{
    char key[longest_path];
    if (!u->is_other || !node->is_put)
        return 0;
    key_of(node->path, key);
    return !writer_is_stored(u->store, key, text_of_node(node), strlen(text_of_node(node)));
}

/* The documents of Zarr 2 in a folder that has one of Zarr 3: before the root's is put nothing of Zarr 3 is meant. */
static int is_left(const upgrade *u, const char *key)
{
    char path[longest_path];
    const char *name = name_of_key(key);
    if (name[0] != '.')
        return 0;
    snprintf(path, sizeof path, "%.*s", name == key ? 0 : (int)(name - key - 1), key);
    return u->format == ZARR_2 || has_document(u, path, "zarr.json");
}

static int32_t put_nodes(upgrade *u)
{
    char key[longest_path];
    for (size_t i = 0; i < u->n_nodes && u->e->status == NGFF_OK; i++) {
        const new_node *node = &u->nodes[i];
        key_of(node->path, key);
        if (is_to_be_put(u, node))
            u->store->writing->put(u->store, key, text_of_node(node), strlen(text_of_node(node)), u->e);
    }
    /* The root's first: by it readers of Zarr 2 would find the others. */
    for (int is_below = 0; is_below < 2; is_below++)
        for (size_t i = 0; i < u->n_keys && u->e->status == NGFF_OK; i++)
            if (is_left(u, u->keys[i]) && (strchr(u->keys[i], '/') != NULL) == is_below)
                u->store->writing->remove(u->store, u->keys[i], u->e);
    return u->e->status;
}

/* True if anything is to be put or removed. */
static int is_to_be_changed(const upgrade *u)
{
    int is_changed = 0;
    for (size_t i = 0; i < u->n_keys && !is_changed; i++)
        is_changed = is_left(u, u->keys[i]);
    for (size_t i = 0; i < u->n_nodes && !is_changed; i++)
        is_changed = is_to_be_put(u, &u->nodes[i]);
    return is_changed;
}

/* A part of a store has copies of its documents in the store's root, which would say something else then. */
static int32_t refuse_part(upgrade *u, const char *path)
{
    static const char *const documents[] = {"zarr.json", ".zgroup", ".zattrs"};
    char *above = strdup(path), *slash = above ? strrchr(above, '/') : NULL;
    if (!above)
        return out_of_memory(u);
    if (slash && slash > above) {
        *slash = '\0';
        store *s = store_open(above);
        if (!s)
            out_of_memory(u);
        for (int i = 0, is_there = 0; s && i < 3; i++) {
            error own = {0};
            uint64_t n;
            int32_t status = store_find_size(s, documents[i], &n, &is_there, &own);
            if (status == NGFF_OK && is_there)
                error_set(u->e, NGFF_E_UNSUPPORTED, "it is a part of the store %s: upgrade that", above);
            else if (status != NGFF_OK && !own.is_refusal) /* a place that nobody may look at has no root for anybody */
                error_copy(u->e, &own);
        }
        if (s)
            s->ops->free(s);
    }
    free(above);
    return u->e->status;
}

static int32_t run(upgrade *u, const char *path)
{
    if (zip_is_name(path))
        return error_set(u->e, NGFF_E_UNSUPPORTED, "it is one file, in which nothing is changed");
    if (!u->store->writing || u->store->refusal)
        return error_set(u->e, NGFF_E_UNSUPPORTED, "it cannot be changed here%s%s", u->store->refusal ? ": " : "",
                         u->store->refusal ? u->store->refusal : "");
    if (list_documents(u) != NGFF_OK || refuse_part(u, path) != NGFF_OK || make_nodes(u) != NGFF_OK)
        return u->e->status;
    for (size_t i = 0; i < u->n_nodes && u->e->status == NGFF_OK; i++)
        if (u->nodes[i].has_copies)
            add_copies(u, &u->nodes[i]);
    if (u->e->status != NGFF_OK || !is_to_be_changed(u))
        return u->e->status;
    u->store->is_unmarked = 1;
    if (u->store->writing->begin_update(u->store, u->e) != NGFF_OK)
        return u->e->status;
    if (put_nodes(u) != NGFF_OK || u->store->writing->publish(u->store, u->e) != NGFF_OK) {
        u->store->writing->abandon(u->store);
        return u->e->status;
    }
    return 1;
}

static void release(upgrade *u)
{
    for (size_t i = 0; i < u->n_keys; i++)
        free(u->keys[i]);
    for (size_t i = 0; i < u->n_nodes; i++) {
        free(u->nodes[i].path);
        free(u->nodes[i].text);
        free(u->nodes[i].whole);
    }
    for (size_t i = 0; i < u->n_levels; i++) {
        free(u->levels[i].path);
        cJSON_Delete(u->levels[i].axes);
    }
    free(u->keys);
    free(u->nodes);
    free(u->levels);
}

int32_t upgrade_store(store *s, const char *path, int version, error *e)
{
    upgrade u = {.store = s, .version = version, .e = e, .source = document_source_of(writer_get_text, s, NULL)};
    int32_t status = run(&u, path);
    if (e->status == NGFF_E_UNSUPPORTED) {
        error advice = *e;
        *e = (error){0};
        error_set(e, advice.status, "%s; write it anew: gdal_translate -of OMEZARR -co NGFF_VERSION=%s %s NEW.ome.zarr",
                  advice.message, version_name(version), path);
        error_at(e, "%s", path);
    } else
        error_at(e, "%s", path);
    release(&u);
    return e->status != NGFF_OK ? e->status : status;
}

int32_t ngff_upgrade(const char *path, const char *version, char *error_text, int64_t error_size)
{
    error e = {0};
    int number = version && strcmp(version, "0.5") == 0   ? VERSION_05
                 : version && strcmp(version, "0.6") == 0 ? VERSION_06
                                                          : 0;
    char *place = path ? store_path_of(path) : NULL;
    store *s = place && number ? store_open(place) : NULL;
    int32_t status = NGFF_OK;
    if (!path || !number)
        error_set(&e, NGFF_E_ARGUMENT, "a store is upgraded to NGFF 0.5 or 0.6, not %s", version ? version : "NULL");
    else if (!s)
        error_set(&e, NGFF_E_MEMORY, "out of memory");
    else
        status = upgrade_store(s, place, number, &e);
    if (s)
        s->ops->free(s);
    free(place);
    if (error_text && error_size > 0)
        snprintf(error_text, (size_t)error_size, "%s", e.message);
    return e.status != NGFF_OK ? e.status : status;
}
