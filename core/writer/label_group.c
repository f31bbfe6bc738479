/* label_group.c: see label_group.h. In this order, so that a kill at any call leaves no listed label that is not whole:
 *
 *     labels/zarr.json with an empty list -> the label image, whole, with a mark -> its name in the list -> the root's
 *     copies -> the mark goes
 *
 * A label image with the mark is what a killed run has left, and the next run makes it again. Where label images are made
 * with their image, nothing is there for others before all is, and no mark is needed. */
#include "writer/label_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zarr/document.h"
#include "zarr/tree.h"
#include "ngff.h"
#include "store/zip.h"

enum { longest_key = 1024 };

static const char not_listed[] =
    "This label image is not listed in its group yet, or the program that made it has died.\n";

/* -- Documents ----------------------------------------------------------------------------------------------------- */

/* Broken text is left alone, as the label image of another program; that memory is out is no reason to forget it. */
static void keep_error(const error *found, error *e)
{
    if (found->status == NGFF_E_MEMORY)
        error_set(e, NGFF_E_MEMORY, "%s", found->message);
}

/* The text of a document that is JSON, NULL where it is not there or none. */
static char *text_at(store *s, const char *key, error *e)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there = 0;
    error found = {0};
    json_limits limits = {json_max_bytes, json_max_depth, 1L << 30, NULL, NULL};
    if (store_find(s, key, 0, 0, &bytes, &n, &is_there, e) != NGFF_OK || !is_there)
        return NULL;
    if (json_check((char *)bytes, n, &limits, key, &found) == NGFF_OK)
        return (char *)bytes;
    keep_error(&found, e);
    free(bytes);
    return NULL;
}

static const char *group_key(int format)
{
    return format == ZARR_2 ? "labels/.zattrs" : "labels/zarr.json";
}

/* The object of a document that NGFF's keys stand in. */
static json_span ome_span(const char *text, int format)
{
    json_span all = json_whole(text);
    return format == ZARR_2 ? all : json_member(json_member(all, "attributes"), "ome");
}

/* A tree of a part of a document; NULL where there is none. */
static cJSON *tree_of(json_span span, error *e)
{
    error found = {0};
    cJSON *tree = json_tree(span, "labels", &found);
    keep_error(&found, e);
    return tree;
}

/* -- The root's copies --------------------------------------------------------------------------------------------- */

typedef struct {
    store *store;
    int zarr_format;
    cJSON *nodes;
    error *e;
} collector;

/* Adds the document path/name, by the name that it has among the copies. */
static void collect(collector *c, const char *path, const char *name)
{
    char key[longest_key];
    if (c->e->status != NGFF_OK || snprintf(key, sizeof key, "%s/%s", path, name) >= (int)sizeof key)
        return;
    const char *node = c->zarr_format == ZARR_2 ? key : path;
    char *text = cJSON_GetObjectItemCaseSensitive(c->nodes, node) ? NULL : text_at(c->store, key, c->e);
    if (text && !cJSON_AddRawToObject(c->nodes, node, text))
        error_set(c->e, NGFF_E_MEMORY, "out of memory");
    free(text);
}

static void collect_group(collector *c, const char *path)
{
    if (c->zarr_format != ZARR_2) {
        collect(c, path, "zarr.json");
        return;
    }
    collect(c, path, ".zgroup");
    collect(c, path, ".zattrs");
}

/* Calls collect_group for every group below the first n bytes of a path. */
static void collect_groups(collector *c, const char *path, size_t n)
{
    char group[longest_key];
    for (const char *slash = strchr(path + n, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(group, sizeof group, "%.*s", (int)(slash - path), path);
        collect_group(c, group);
    }
}

/* Of a label image that has copies itself, all of them; else its levels. */
static void collect_label(collector *c, const char *path)
{
    char key[longest_key + 16];
    int is_v2 = c->zarr_format == ZARR_2;
    collect_groups(c, path, strlen("labels/"));
    collect_group(c, path);
    snprintf(key, sizeof key, "%s/%s", path, is_v2 ? ".zattrs" : "zarr.json");
    char *text = text_at(c->store, key, c->e), *copies = NULL;
    snprintf(key, sizeof key, "%s/.zmetadata", path);
    if (is_v2 && c->e->status == NGFF_OK)
        copies = text_at(c->store, key, c->e);
    json_span metadata =
        json_member(is_v2 ? json_whole(copies) : json_member(json_whole(text), "consolidated_metadata"), "metadata");
    json_span name, value;
    for (size_t at = 0; json_next(metadata, &at, &name, &value);) {
        snprintf(key, sizeof key, "%s/%.*s", path, (int)name.n, name.text);
        char *document = json_copy(value);
        if (!cJSON_GetObjectItemCaseSensitive(c->nodes, key) &&
            (!document || !cJSON_AddRawToObject(c->nodes, key, document)))
            error_set(c->e, NGFF_E_MEMORY, "out of memory");
        free(document);
    }
    cJSON *multiscales =
        metadata.text ? NULL : tree_of(json_member(ome_span(text, c->zarr_format), "multiscales"), c->e);
    const cJSON *dataset;
    cJSON_ArrayForEach(dataset, member(cJSON_GetArrayItem(multiscales, 0), "datasets"))
    {
        const char *level = text_of(dataset, "path");
        if (!level || !path_is_safe(level) || snprintf(key, longest_key, "%s/%s", path, level) >= longest_key)
            continue;
        collect_groups(c, key, strlen(path) + 1);
        collect(c, key, is_v2 ? ".zarray" : "zarr.json");
        if (is_v2)
            collect(c, key, ".zattrs");
    }
    cJSON_Delete(multiscales);
    free(copies);
    free(text);
}

int32_t label_group_nodes(store *s, int format, char **json, int *n_labels, error *e)
{
    char *text = text_at(s, group_key(format), e), path[longest_key];
    cJSON *names = tree_of(json_member(ome_span(text, format), "labels"), e);
    const cJSON *item;
    *json = NULL;
    *n_labels = 0;
    if (text && e->status == NGFF_OK) {
        collector c = {s, format, cJSON_CreateObject(), e};
        collect_group(&c, "labels");
        cJSON_ArrayForEach(item, names)
        {
            const char *name = cJSON_GetStringValue(item);
            if (!name || !path_is_safe(name) || snprintf(path, sizeof path, "labels/%s", name) >= (int)sizeof path)
                continue;
            collect_label(&c, path);
            ++*n_labels;
        }
        *json = cJSON_PrintUnformatted(c.nodes);
        if (!*json)
            error_set(e, NGFF_E_MEMORY, "out of memory");
        cJSON_Delete(c.nodes);
    }
    cJSON_Delete(names);
    free(text);
    return e->status;
}

/* The copies in which those of the group "labels" are these; names and documents as they are written. */
static char *with_nodes(json_span copies, const char *nodes)
{
    static const char group[] = "labels";
    json_span name, value, lists[2] = {copies, json_whole(nodes)};
    size_t room = lists[0].n + lists[1].n + 8, n = 1, n_group = sizeof group - 1;
    char *made = malloc(room);
    for (int i = 0; made && i < 2; i++)
        for (size_t at = 0; json_next(lists[i], &at, &name, &value);) {
            int is_in_group = name.n >= n_group && memcmp(name.text, group, n_group) == 0 &&
                              (name.n == n_group || name.text[n_group] == '/');
            if (i == 1 || !is_in_group)
                n += (size_t)snprintf(made + n, room - n, "%s\"%.*s\":%.*s", n > 1 ? "," : "", (int)name.n, name.text,
                                      (int)value.n, value.text);
        }
    if (made) {
        made[0] = '{';
        snprintf(made + n, room - n, "}");
    }
    return made;
}

static const char *copies_key(int format)
{
    return format == ZARR_2 ? ".zmetadata" : "zarr.json";
}

/* The document that holds the root's copies, with those of the group made anew; NULL where it holds none, or on error. */
static char *with_new_copies(store *s, int format, const char *text, error *e)
{
    static const char *const path[] = {"consolidated_metadata", "metadata"};
    int is_v2 = format == ZARR_2, n_labels;
    char *nodes = NULL, *copies = NULL, *now = NULL;
    json_span all = json_whole(text), old = json_member(is_v2 ? all : json_member(all, path[0]), path[1]);
    if (old.text && label_group_nodes(s, format, &nodes, &n_labels, e) == NGFF_OK) {
        copies = with_nodes(old, nodes);
        now = copies ? json_put(all, path + is_v2, 2 - is_v2, copies) : NULL;
        if (!now)
            error_set(e, NGFF_E_MEMORY, "out of memory");
    }
    free(copies);
    free(nodes);
    return now;
}

/* Makes the root's copies of the group anew, where it has copies. */
static int32_t renew_copies(store *s, int format, error *e)
{
    char *text = text_at(s, copies_key(format), e);
    char *now = e->status == NGFF_OK ? with_new_copies(s, format, text, e) : NULL;
    if (now)
        s->writing->put(s, copies_key(format), now, strlen(now), e);
    free(now);
    free(text);
    return e->status;
}

/* -- The group ----------------------------------------------------------------------------------------------------- */

/* The group's document with another list; NULL: out of memory. */
static char *with_list(const char *text, int format, const cJSON *names)
{
    static const char *const path[] = {"attributes", "ome", "labels"};
    int is_v2 = format == ZARR_2;
    char *list = cJSON_PrintUnformatted(names);
    char *now = list ? json_put(json_whole(text), path + 2 * is_v2, 3 - 2 * is_v2, list) : NULL;
    cJSON_free(list);
    return now;
}

/* The store of the image, of the path of a label image in it. */
static store *open_root(const struct ngff_plan *plan, const char *path, error *e)
{
    char *root = strdup(path);
    store *s = NULL;
    if (root) {
        root[strlen(path) - strlen(plan->image->label_name) - 1] = '\0';
        if (zip_is_name(root))
            error_set(e, NGFF_E_UNSUPPORTED,
                      "%s is one file, in which nothing is changed: add the label image to a folder (.ome.zarr), and "
                      "make one file of that",
                      root);
        else
            s = store_open(root);
    }
    free(root);
    if (!s && e->status == NGFF_OK)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    if (s)
        s->is_unmarked = 1;
    return s;
}

/* The documents of the group, with this list. */
static int32_t put_group(int version, const cJSON *names, document_sink sink, void *user, error *e)
{
    static const char v2_group[] = "{\n\t\"zarr_format\":\t2\n}", v2[] = "{\n\t\"labels\":\t[]\n}";
    char v3[160];
    int format = version_format(version);
    snprintf(v3, sizeof v3,
             "{\n\t\"zarr_format\":\t3,\n\t\"node_type\":\t\"group\",\n\t\"attributes\":\t{\n\t\t\"ome\":"
             "\t{\n\t\t\t\"version\":\t\"%s\",\n\t\t\t\"labels\":\t[]\n\t\t}\n\t}\n}",
             version_name(version));
    char *text = with_list(format == ZARR_2 ? v2 : v3, format, names);
    int32_t status = text ? NGFF_OK : NGFF_E_MEMORY;
    if (status == NGFF_OK && format == ZARR_2)
        status = sink(user, "labels/.zgroup", v2_group, sizeof v2_group - 1);
    if (status == NGFF_OK)
        status = sink(user, group_key(format), text, strlen(text));
    free(text);
    return status == NGFF_OK ? NGFF_OK : error_set(e, status, "the documents of the group labels could not be written");
}

typedef struct {
    store *store;
    error *error;
} place;

static int32_t put_into(void *user, const char *key, const void *bytes, size_t n)
{
    const place *to = user;
    return to->store->writing->put(to->store, key, bytes, n, to->error);
}

static int32_t make_group(store *s, int version, error *e)
{
    place to = {s, e};
    cJSON *none = cJSON_CreateArray();
    if (!none)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    if (s->writing->begin_update(s, e) == NGFF_OK &&
        (put_group(version, none, put_into, &to, e) != NGFF_OK || s->writing->publish(s, e) != NGFF_OK))
        s->writing->abandon(s);
    cJSON_Delete(none);
    return e->status;
}

int32_t label_group_make(store *s, int version, const char *const *names, int n, const char *root, document_sink sink,
                         void *user, error *e)
{
    int format = version_format(version), is_v2 = format == ZARR_2;
    cJSON *list = cJSON_CreateStringArray(names, n);
    char *copies = NULL, *now = NULL;
    if (!list)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else if (put_group(version, list, sink, user, e) == NGFF_OK && is_v2)
        copies = text_at(s, copies_key(format), e);
    if (e->status == NGFF_OK)
        now = with_new_copies(s, format, is_v2 ? copies : root, e);
    int32_t status = now ? sink(user, copies_key(format), now, strlen(now)) : NGFF_OK;
    cJSON_Delete(list);
    free(copies);
    free(now);
    return status == NGFF_OK ? e->status
                             : error_set(e, status, "the copies of the label images' documents could not be written");
}

/* True if what is at the name was left by a run that was killed. */
static int is_left(store *s, const char *name, error *e)
{
    char key[longest_key];
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there = 0;
    snprintf(key, sizeof key, "%s/" STORE_DIRTY_KEY, name);
    store_find(s, key, 0, 0, &bytes, &n, &is_there, e);
    int is_mark = is_there && n == sizeof not_listed - 1 && memcmp(bytes, not_listed, n) == 0;
    free(bytes);
    return is_mark;
}

int32_t label_group_begin(struct ngff_plan *plan, const char *path, error *e)
{
    int format = plan->zarr_format, is_there = 0;
    uint64_t n;
    store *s = open_root(plan, path, e);
    if (!s)
        return e->status;
    ngff_reader *image = s->path ? ngff_reader_open(s->path) : NULL;
    if (ngff_reader_status(image) != NGFF_OK)
        error_set(e, NGFF_E_NOT_FOUND, "there is no image to add a label image to: %s",
                  image ? ngff_reader_error(image) : "out of memory");
    else if (ngff_reader_level_count(image) != plan->n_levels)
        error_set(e, NGFF_E_ARGUMENT, "%s has %d levels, the label image %d: it must have as many", s->path,
                  ngff_reader_level_count(image), plan->n_levels);
    ngff_reader_free(image);
    if (e->status == NGFF_OK && is_left(s, plan->image->label_name, e))
        plan->options.overwrite = 1;
    if (e->status == NGFF_OK && store_find_size(s, group_key(format), &n, &is_there, e) == NGFF_OK && !is_there)
        make_group(s, plan->options.version, e);
    s->ops->free(s);
    return e->status;
}

int32_t label_group_mark(store *label, error *e)
{
    return label->writing->put(label, STORE_DIRTY_KEY, not_listed, sizeof not_listed - 1, e);
}

/* Puts the name into the list, if it is not there. */
static int32_t add_name(store *s, int format, const char *name, error *e)
{
    int is_listed = 0;
    char *text = text_at(s, group_key(format), e), *now = NULL;
    json_span ome = ome_span(text, format), old = json_member(ome, "labels");
    cJSON *names = old.text ? tree_of(old, e) : cJSON_CreateArray(), *item;
    if (e->status == NGFF_OK && !cJSON_IsArray(names)) /* made anew it would lose the labels that are there */
        error_set(e, NGFF_E_CORRUPT, "%s/%s: \"labels\" is no list; correct it, then add the label image again",
                  s->path, group_key(format));
    cJSON_ArrayForEach(item, names) is_listed |= cJSON_IsString(item) && strcmp(item->valuestring, name) == 0;
    if (!text && e->status == NGFF_OK)
        error_set(e, NGFF_E_CORRUPT, "%s/%s is missing, or no JSON", s->path, group_key(format));
    if (e->status == NGFF_OK && !is_listed) {
        int is_whole = 1;
        tree_add(names, cJSON_CreateString(name), &is_whole);
        now = is_whole ? with_list(text, format, names) : NULL;
        if (now)
            s->writing->put(s, group_key(format), now, strlen(now), e);
        else
            error_set(e, NGFF_E_MEMORY, "out of memory");
    }
    free(now);
    free(text);
    cJSON_Delete(names);
    return e->status;
}

int32_t label_group_list(const struct ngff_plan *plan, const char *path, error *e)
{
    int format = plan->zarr_format;
    const char *name = plan->image->label_name;
    char mark[longest_key];
    error cause = {0};
    store *s = open_root(plan, path, &cause);
    snprintf(mark, sizeof mark, "%s/" STORE_DIRTY_KEY, name);
    if (s && s->writing->begin_update(s, &cause) == NGFF_OK &&
        (add_name(s, format, name + strlen("labels/"), &cause) != NGFF_OK ||
         renew_copies(s, format, &cause) != NGFF_OK || s->writing->remove(s, mark, &cause) != NGFF_OK ||
         s->writing->publish(s, &cause) != NGFF_OK))
        s->writing->abandon(s);
    if (s)
        s->ops->free(s);
    return cause.status == NGFF_OK
               ? NGFF_OK
               : error_set(e, cause.status, "%s is whole, but could not be listed in its group: %s; run it again", path,
                           cause.message);
}

/* True if the root has copies of documents of this group. */
static int has_copies(store *s, int format, error *e)
{
    int is_v2 = format == ZARR_2;
    char *text = text_at(s, is_v2 ? ".zmetadata" : "zarr.json", e);
    json_span all = json_whole(text), copies = is_v2 ? all : json_member(all, "consolidated_metadata");
    int is_there = json_member(json_member(copies, "metadata"), is_v2 ? "labels/.zattrs" : "labels").text != NULL;
    free(text);
    return is_there;
}

int32_t label_group_renew(const struct ngff_plan *plan, const char *path, error *e)
{
    static const char group[] = "/labels/";
    const char *name = path ? strrchr(path, '/') : NULL;
    size_t n = name ? (size_t)(name - path) + 1 : 0, n_group = sizeof group - 1;
    if (n <= n_group || strncmp(path + n - n_group, group, n_group) != 0)
        return NGFF_OK;
    error cause = {0};
    char *root = strdup(path);
    store *s = NULL;
    if (root) {
        root[n - n_group] = '\0';
        s = store_open(root);
    }
    if (!s) {
        error_set(&cause, NGFF_E_MEMORY, "out of memory");
    } else {
        s->is_unmarked = 1;
        if (has_copies(s, plan->zarr_format, &cause) && s->writing->begin_update(s, &cause) == NGFF_OK &&
            (renew_copies(s, plan->zarr_format, &cause) != NGFF_OK || s->writing->publish(s, &cause) != NGFF_OK))
            s->writing->abandon(s);
        s->ops->free(s);
    }
    if (cause.status != NGFF_OK)
        error_set(
            e, cause.status,
            "%s is changed, but the copies of its documents at %s could not be made anew: %s; change it once more",
            path, root ? root : "its image", cause.message);
    free(root);
    return e->status;
}
