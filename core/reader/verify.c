/* verify.c: is all there, is it whole, and is nothing else there?
 *
 *     promised   levels and masks, the chunks that the writer recorded, the documents that the root has copies of,
 *                groups above arrays -> each is looked for
 *     found      every object of the store -> each must be a document, a chunk inside the grid of its array, or it is a
 *                stray
 *     valid      the documents, by the rules of validate/validate.c
 *
 * One list of the store, then every chunk of every object in it is read once and decoded, by several threads; what they
 * find is told in order by the caller's. So the work is that of what is stored, whatever shape the documents declare;
 * only where a place cannot be listed is each chunk of the grid looked for. Memory: one chunk per thread, eight bytes per
 * object, the keys of documents and of objects that are not chunks of the image. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "base/sizes.h"
#include "metadata/collection.h"
#include "zarr/document.h"
#include "metadata/ome_xml.h"
#include "model/stored.h"
#include "zarr/chunk.h"
#include "reader/helpers.h"
#include "validate/validate.h"
#include "zarr/consolidated.h"

enum {
    most_strays = 100000,
    most_told = 1000,       /* chunks of one array that are told to be missing */
    most_looked = 1 << 24,  /* recorded chunks of one array among which the missing ones are looked for */
    most_buffers = 1 << 30, /* bytes of chunks that all threads hold; one always does */
    batch_chunks = 16       /* for each thread between two reports */
};

/* Sorted keys. */
typedef struct {
    char **items;
    size_t n, room;
} keys;

/* Numbers of objects of one array, in C order of its grid of objects. */
typedef struct {
    int64_t *items;
    size_t n, room;
} objects;

typedef struct {
    ngff_reader *reader;
    const stored_image *image;
    int n_threads;
    void (*finding)(void *user, int32_t kind, const char *text);
    int32_t (*progress)(void *user, double share);
    void *user;
    keys documents, others; /* others: objects that are no chunks of the image, until their array is known */
    objects *there;         /* of the image's arrays */
    stored_array *arrays;   /* beside levels and masks: coordinates, attributes, whatever else is there */
    objects *beside;        /* theirs */
    size_t n_arrays;
    consolidated *copies;
    ngff_reader *root; /* of the store where the image lies in a folder of it, else NULL; only its documents are read */
    int has_xml;       /* its OME-XML is there */
    int is_beside;     /* a label image: that its metadata is valid, and what lies there, is looked at with its image */
    int is_own;        /* the writer has left its record */
    int has_list;      /* the place could be listed */
    int64_t n_damage;  /* and strays */
    int32_t trouble;   /* first error that says nothing about the objects */
    char last[1200];   /* finding, so that a shard is not told once per chunk */
    int64_t n_done;
    double n_all; /* chunks that will be read */
} check;

/* -- Findings -------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void tell(check *c, int32_t kind, const char *format, ...)
{
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    c->n_damage += kind != NGFF_FINDING_NOTE && kind != NGFF_FINDING_ADVICE && kind != NGFF_FINDING_UNREAD;
    if (strcmp(text, c->last) == 0)
        return;
    memcpy(c->last, text, sizeof text);
    if (c->finding)
        c->finding(c->user, kind, text);
}

/* An error while something was read: damage, unless it is only the way there that failed. where ends in ": " or is "".
 */
static void tell_error(check *c, const char *where, const error *e)
{
    if (e->status == NGFF_E_UNSUPPORTED) {
        tell(c, NGFF_FINDING_NOTE, "%snot checked: %s", where, e->message);
        return;
    }
    int is_damage = e->status == NGFF_E_CORRUPT || e->status == NGFF_E_NOT_FOUND;
    tell(c, is_damage ? NGFF_FINDING_DAMAGE : NGFF_FINDING_UNREAD, "%s%s", where, e->message);
    if (!is_damage && c->trouble == NGFF_OK)
        c->trouble = e->status;
}

/* -- Keys ------------------------------------------------------------------------------------------------------ */

static int keys_add(keys *k, const char *key)
{
    char **items = list_room(k->items, k->n, &k->room, sizeof *items);
    if (!items)
        return 0;
    k->items = items;
    k->items[k->n] = strdup(key);
    return k->items[k->n] ? (k->n++, 1) : 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void keys_sort(keys *k)
{
    if (k->n > 0)
        qsort(k->items, k->n, sizeof *k->items, by_text);
}

static int keys_have(const keys *k, const char *key)
{
    return k->n > 0 && bsearch(&key, k->items, k->n, sizeof *k->items, by_text) != NULL;
}

static void keys_release(keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->items[i]);
    free(k->items);
}

static const char *base_name(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? slash + 1 : key;
}

/* A document of this store's Zarr version. */
static int is_document(const check *c, const char *key)
{
    static const char *const v2[] = {".zarray", ".zgroup", ".zattrs"};
    const char *name = base_name(key);
    if (c->image->zarr_format != ZARR_2)
        return strcmp(name, "zarr.json") == 0;
    for (int i = 0; i < 3; i++)
        if (strcmp(name, v2[i]) == 0)
            return 1;
    return strcmp(name, ".zmetadata") == 0; /* the root's, and those of label images that were stores of their own */
}

/* Position of an array's object among all of them in C order, from the object's key; -1: it is below the array's folder
 * but no key of its grid; -2: it is elsewhere. */
static int64_t ordinal_of(const stored_array *a, const char *key)
{
    size_t n = strlen(a->path);
    if (n > 0 && (strncmp(key, a->path, n) != 0 || key[n] != '/'))
        return -2;
    const char *p = key + (n > 0 ? n + 1 : 0);
    int64_t ordinal = 0;
    if (a->key_format != ZARR_2) {
        if (p[0] != 'c' || p[1] != a->separator)
            return -1;
        p += 2;
    }
    for (int i = 0; i < a->rank; i++) {
        int64_t index = 0, n_objects = ceil_div(a->shape[i], a->shard[i]);
        if (!(*p >= '0' && *p <= '9') || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
            return -1;
        for (; *p >= '0' && *p <= '9'; p++)
            if ((index = 10 * index + (*p - '0')) >= n_objects)
                return -1;
        if (*p != (i < a->rank - 1 ? a->separator : '\0'))
            return -1;
        p += i < a->rank - 1;
        ordinal = ordinal * n_objects + index;
    }
    return ordinal;
}

/* Adds the object to those of its array. Returns 1, 0 for an object of none of the arrays, NGFF_E_MEMORY. */
static int32_t add_object(const stored_array *arrays, objects *there, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        int64_t ordinal = ordinal_of(&arrays[i], key);
        objects *o = &there[i];
        if (ordinal < 0)
            continue;
        int64_t *items = list_room(o->items, o->n, &o->room, sizeof *items);
        if (!items)
            return NGFF_E_MEMORY;
        o->items = items;
        o->items[o->n++] = ordinal;
        return 1;
    }
    return 0;
}

/* visit: sorts an object into documents, chunks of the image and others. */
static int32_t sort_key(void *user, const char *key)
{
    check *c = user;
    size_t n = (size_t)c->image->n_levels;
    if (is_document(c, key))
        return keys_add(&c->documents, key) ? NGFF_OK : NGFF_E_MEMORY;
    int32_t status = add_object(c->image->levels, c->there, n, key);
    if (status == 0 && c->image->has_mask)
        status = add_object(c->image->masks, c->there + n, n, key);
    if (status != 0 || c->others.n >= most_strays)
        return status < 0 ? status : NGFF_OK;
    return keys_add(&c->others, key) ? NGFF_OK : NGFF_E_MEMORY;
}

/* visit: keeps the objects of the arrays beside the image. */
static int32_t sort_beside(void *user, const char *key)
{
    check *c = user;
    int32_t status = add_object(c->arrays, c->beside, c->n_arrays, key);
    return status < 0 ? status : NGFF_OK;
}

/* The objects of the arrays beside the image: they are among the others, unless these were too many to be kept. */
static int32_t find_beside(check *c)
{
    error e = {0};
    int32_t status = NGFF_OK;
    c->beside = calloc(c->n_arrays + 1, sizeof *c->beside);
    if (!c->beside)
        return NGFF_E_MEMORY;
    if (c->n_arrays > 0 && c->others.n >= most_strays) {
        status = reader_store(c->reader)->ops->list(reader_store(c->reader), sort_beside, c, &e);
        if (status < 0)
            tell(c, NGFF_FINDING_UNREAD, "%s", e.message);
        return status;
    }
    for (size_t i = 0; i < c->others.n && status == NGFF_OK; i++)
        status = sort_beside(c, c->others.items[i]);
    return status;
}

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int objects_have(const objects *there, int64_t object)
{
    return there->n > 0 && bsearch(&object, there->items, there->n, sizeof object, by_number) != NULL;
}

static void objects_release(objects *there, size_t n)
{
    for (size_t i = 0; there && i < n; i++)
        free(there[i].items);
    free(there);
}

/* -- Documents ------------------------------------------------------------------------------------------------- */

/* A document that must be there: by the list, or by looking where there is none. */
static void want(check *c, const char *key, const char *why)
{
    uint64_t size;
    int is_there = 0;
    error e = {0};
    if (c->has_list)
        is_there = keys_have(&c->documents, key);
    else if (store_find_size(reader_store(c->reader), key, &size, &is_there, &e) != NGFF_OK)
        tell_error(c, "", &e);
    if (!is_there && e.status == NGFF_OK)
        tell(c, NGFF_FINDING_DAMAGE, "%s/%s: missing, %s", reader_path(c->reader), key, why);
}

/* The documents of an array and of the groups above it. */
static void want_array(check *c, const stored_array *a)
{
    int is_v2 = c->image->zarr_format == ZARR_2;
    char key[512];
    for (const char *slash = strchr(a->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(key, sizeof key, "%.*s/%s", (int)(slash - a->path), a->path, is_v2 ? ".zgroup" : "zarr.json");
        want(c, key, "but there is an array below it");
    }
    snprintf(key, sizeof key, "%s/%s", a->path, is_v2 ? ".zarray" : "zarr.json");
    want(c, key, "but the image needs it");
    if (is_v2 && c->is_own) {
        snprintf(key, sizeof key, "%s/.zattrs", a->path);
        want(c, key, "but the writer of this store gives one to every array");
    }
}

static void judge_document(check *c, const char *key)
{
    static const char *const roots[] = {"zarr.json", ".zattrs", ".zmetadata"};
    error e = {0};
    char *text = NULL, where[1100];
    size_t n = 0;
    int is_root = 0;
    for (int i = 0; i < 3; i++)
        is_root |= strcmp(key, roots[i]) == 0 && strcmp(key, ".zattrs") != 0;
    is_root |= strcmp(base_name(key), ".zmetadata") == 0; /* copies have no copies */
    int32_t status = reader_document(c->reader, key, &text, &n, &e);
    if (status == NGFF_OK && !is_root)
        status = consolidated_judge(c->copies, key, text, n, &e);
    free(text);
    if (status == 0 && c->copies && !is_root)
        tell(c, NGFF_FINDING_NOTE, "%s/%s: the root's consolidated metadata has no copy of it", reader_path(c->reader),
             key);
    if (status >= 0)
        return;
    if (e.status == NGFF_OK)
        error_set(&e, status, "cannot be read");
    snprintf(where, sizeof where, "%s/%s: ", reader_path(c->reader), key);
    tell_error(c, e.has_place ? "" : where, &e);
}

/* 1 for a Zarr v3 group, 0, or a negative status where its document cannot be read, which has been told. */
static int32_t is_group(const check *c, const char *path)
{
    const document_source source = document_source_of(reader_document, c->reader, &c->reader->limits);
    document d;
    error told = {0};
    if (c->image->zarr_format == ZARR_2)
        return 0;
    int32_t status = document_open(&source, path, "zarr.json", &d, &told);
    if (status != NGFF_OK)
        return status;
    const char *type = text_of(d.tree, "node_type");
    status = type && strcmp(type, "group") == 0;
    document_close(&d);
    return status;
}

/* The arrays beside levels and masks. */
static int32_t find_arrays(check *c)
{
    const char *name = c->image->zarr_format == ZARR_2 ? ".zarray" : "zarr.json";
    for (size_t i = 0; i < c->documents.n; i++) {
        const char *key = c->documents.items[i];
        size_t n = strlen(key), n_name = strlen(name);
        char path[512];
        if (strcmp(base_name(key), name) != 0 || n <= n_name + 1 || n - n_name > sizeof path)
            continue;
        snprintf(path, sizeof path, "%.*s", (int)(n - n_name - 1), key);
        int is_known = 0;
        for (int a = 0; a < image_array_count(c->image); a++)
            is_known |= strcmp(path, image_array(c->image, a)->path) == 0;
        if (is_known)
            continue;
        stored_array a = {.rank = 0};
        error e = {0};
        if (is_group(c, path) != 0)
            continue;
        int32_t status = metadata_array(c->image, path, reader_document, c->reader, &a, &e);
        if (status != NGFF_OK) {
            free(a.path);
            char where[1100];
            snprintf(where, sizeof where, "%s/%s: ", reader_path(c->reader), key);
            tell_error(c, where, &e);
            continue;
        }
        stored_array *more = realloc(c->arrays, (c->n_arrays + 1) * sizeof *more);
        if (!more) {
            free(a.path);
            return NGFF_E_MEMORY;
        }
        c->arrays = more;
        c->arrays[c->n_arrays++] = a;
        want_array(c, &a);
    }
    return NGFF_OK;
}

/* What is neither document nor chunk. */
static void tell_strays(check *c)
{
    for (size_t i = 0; i < c->others.n; i++) {
        const char *key = c->others.items[i];
        const char *path = reader_path(c->reader);
        int is_known = strcmp(key, "OME/METADATA.ome.xml") == 0;
        for (size_t a = 0; a < c->n_arrays && !is_known; a++)
            is_known = ordinal_of(&c->arrays[a], key) >= 0;
        if (is_known)
            continue;
        if (strcmp(key, ".omezarr-dirty") == 0) {
            tell(c, NGFF_FINDING_DAMAGE,
                 "%s/%s: a change of this store was not finished, or is going on: its levels and statistics may not "
                 "belong to its pixels",
                 path, key);
            continue;
        }
        const char *owner = NULL;
        for (int a = 0; a < image_array_count(c->image) && !owner; a++)
            owner = ordinal_of(image_array(c->image, a), key) == -1 ? image_array(c->image, a)->path : NULL;
        if (owner)
            tell(c, NGFF_FINDING_STRAY, "%s/%s: no chunk of the array %s, whose grid ends before it, or another file",
                 path, key, owner);
        else
            tell(c, NGFF_FINDING_STRAY, "%s/%s: no part of the image", path, key);
    }
    if (c->others.n >= most_strays)
        tell(c, NGFF_FINDING_STRAY, "%s: only the first %d objects that are no part of the image were looked at",
             reader_path(c->reader), most_strays);
}

/* -- The store in which the image is the only one of a list -------------------------------------------------------- */

/* What lies beside the image's folder. */
static int32_t sort_in_root(void *user, const char *key)
{
    static const char *const known[] = {"zarr.json",     ".zgroup",     ".zattrs",     ".zmetadata",
                                        "OME/zarr.json", "OME/.zgroup", "OME/.zattrs", COLLECTION_XML_KEY};
    check *c = user;
    const char *group = ngff_reader_group(c->reader);
    size_t n = strlen(group);
    int is_known = strncmp(key, group, n) == 0 && key[n] == '/';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        is_known |= strcmp(key, known[i]) == 0;
    c->has_xml |= strcmp(key, COLLECTION_XML_KEY) == 0;
    if (!is_known)
        tell(c, NGFF_FINDING_STRAY, "%s/%s: no part of the image", reader_path(c->root), key);
    return NGFF_OK;
}

static int32_t open_root(check *c)
{
    if (!c->reader->is_sole || c->is_beside)
        return NGFF_OK;
    char *path = strdup(reader_path(c->reader));
    if (path)
        path[strlen(path) - strlen(ngff_reader_group(c->reader)) - 1] = '\0';
    c->root = path ? reader_at(path) : NULL;
    free(path);
    return c->root ? NGFF_OK : NGFF_E_MEMORY;
}

static int32_t check_root(check *c)
{
    error e = {0};
    if (!c->root)
        return NGFF_OK;
    store *s = reader_store(c->root);
    int32_t status = s->ops->list(s, sort_in_root, c, &e);
    if (status < 0 && status != NGFF_E_UNSUPPORTED) {
        tell(c, NGFF_FINDING_UNREAD, "%s", e.message);
        return status;
    }
    if (status == NGFF_OK && c->is_own && !c->has_xml && c->image->levels[0].type->ome)
        tell(c, NGFF_FINDING_DAMAGE, "%s/%s is missing", reader_path(c->root), COLLECTION_XML_KEY);
    return NGFF_OK;
}

/* -- Chunks ---------------------------------------------------------------------------------------------------- */

static int64_t chunks_along(const stored_array *a, int axis)
{
    return ceil_div(a->shape[axis], a->chunk[axis]);
}

static int64_t chunk_count(const stored_array *a)
{
    int64_t grid[MAX_RANK];
    for (int i = 0; i < a->rank; i++)
        grid[i] = chunks_along(a, i);
    return product_checked(grid, a->rank);
}

/* The first chunk of an object, and how many of its chunks are in the grid, along each axis. Returns their product. */
static int64_t chunks_of_object(const stored_array *a, int64_t object, int64_t *first, int64_t *n)
{
    for (int i = a->rank; i-- > 0;) {
        int64_t along = ceil_div(a->shape[i], a->shard[i]), most = a->shard[i] / a->chunk[i];
        first[i] = object % along * most;
        n[i] = min_i64(most, chunks_along(a, i) - first[i]);
        object /= along;
    }
    return product_checked(n, a->rank);
}

/* "level 0, chunk 0,3,1 (scale0/image/c/0/3/1)" */
static void name_chunk(const stored_array *a, const char *what, const int64_t *index, char *text, size_t room)
{
    int64_t object[MAX_RANK] = {0};
    char name[128], numbers[128];
    int n = 0;
    for (int i = 0; i < a->rank; i++) {
        object[i] = index[i] / (a->shard[i] / a->chunk[i]);
        n += snprintf(numbers + n, sizeof numbers - (size_t)n, "%s%" PRId64, i ? "," : "", index[i]);
    }
    array_chunk_key(a, object, name);
    snprintf(text, room, "%s, chunk %s (%s%s%s)", what, numbers, a->path, a->path[0] ? "/" : "", name);
}

/* What became of a chunk: as chunk_read; the error is there only where one was. */
typedef struct {
    int32_t status;
    error *error;
} verdict;

/* Some chunks of an array that the threads read at once. */
typedef struct {
    ngff_reader *reader;
    const stored_array *array;
    int64_t n, chunk_bytes;
    int strictness;
    int64_t *numbers; /* of the chunks, in C order of the grid */
    verdict *verdicts;
    pthread_mutex_t lock; /* guards next */
    int64_t next;
} batch;

static void index_of(const stored_array *a, int64_t chunk, int64_t *index)
{
    for (int i = a->rank; i-- > 0;) {
        int64_t n = chunks_along(a, i);
        index[i] = chunk % n;
        chunk /= n;
    }
}

/* The object that holds a chunk. */
static int64_t object_of(const stored_array *a, int64_t chunk)
{
    int64_t index[MAX_RANK], object = 0;
    index_of(a, chunk, index);
    for (int i = 0; i < a->rank; i++)
        object = object * ceil_div(a->shape[i], a->shard[i]) + index[i] / (a->shard[i] / a->chunk[i]);
    return object;
}

static int64_t batch_next(batch *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t next = b->next < b->n ? b->next++ : -1;
    pthread_mutex_unlock(&b->lock);
    return next;
}

/* On any thread, until no chunk is left. A thread without memory leaves them to others. */
static void read_batch(void *argument)
{
    batch *b = argument;
    stored_array strict = *b->array;
    strict.codec.strictness = b->strictness;
    void *pixels = budget_take(b->reader->buffers, b->chunk_bytes);
    for (int64_t i; pixels && (i = batch_next(b)) >= 0;) {
        verdict *v = &b->verdicts[i];
        int64_t index[MAX_RANK];
        error e = {0};
        index_of(b->array, b->numbers[i], index);
        v->status = chunk_read(&b->reader->chunks, NULL, &strict, index, pixels, &e);
        v->error = v->status < 0 ? malloc(sizeof e) : NULL;
        if (v->error)
            *v->error = e;
    }
    budget_give(b->reader->buffers, pixels, b->chunk_bytes);
}

/* The chunks that the writer stored. */
typedef struct {
    stored_runs empty; /* the others; not known where only the number is */
    int64_t n;         /* -1: not known */
} recorded_chunks;

/* An array whose chunks are checked. */
typedef struct {
    const stored_array *array;
    const char *what;
    const recorded_chunks *recorded;
    const objects *there; /* NULL: not known */
    size_t object;        /* the next of them */
    int64_t inner;        /* the next chunk in it; where objects are not known, in the grid */
    int64_t broken;       /* an object whose index is none, or -1 */
    int64_t n_stored;     /* chunks that are there */
    int64_t n_met;        /* recorded chunks that were judged */
    int64_t missing;      /* the object that was last told to be missing, or -1 */
} array_check;

static int is_recorded(const array_check *a, int64_t chunk)
{
    return a->recorded->empty.is_known && !stored_runs_has(&a->recorded->empty, chunk);
}

static void tell_missing(check *c, array_check *a, int64_t chunk)
{
    int64_t index[MAX_RANK], object = object_of(a->array, chunk);
    char name[1024];
    index_of(a->array, chunk, index);
    name_chunk(a->array, a->what, index, name, sizeof name);
    if (object != a->missing)
        tell(c, NGFF_FINDING_DAMAGE, "%s: missing, but the writer stored it", name);
    a->missing = object;
}

static void judge_chunk(check *c, array_check *a, int64_t chunk, const verdict *v)
{
    int64_t index[MAX_RANK];
    char name[1024];
    a->n_stored += v->status != 0;
    a->n_met += is_recorded(a, chunk);
    if (v->status == 0 && is_recorded(a, chunk))
        tell_missing(c, a, chunk);
    if (v->status == 0)
        return;
    index_of(a->array, chunk, index);
    name_chunk(a->array, a->what, index, name, sizeof name);
    if (v->status < 0) {
        error e = {.status = NGFF_E_MEMORY, .message = "out of memory"};
        if (v->error)
            e = *v->error;
        /* One broken shard is told once, with its first chunk. */
        int is_of_index = strstr(e.message, "index") != NULL;
        strncat(name, ": ", sizeof name - strlen(name) - 1);
        if (!is_of_index || !strstr(c->last, e.message))
            tell_error(c, name, &e);
        if (is_of_index && a->array->is_sharded)
            a->broken = object_of(a->array, chunk);
    } else if (a->recorded->empty.is_known && !is_recorded(a, chunk)) {
        tell(c, NGFF_FINDING_DAMAGE, "%s: is there, but the writer left it out as empty", name);
    }
}

/* Fills the batch with the next chunks of the objects that are there. */
static void batch_of_objects(array_check *a, batch *b, int64_t most)
{
    int64_t first[MAX_RANK], n[MAX_RANK];
    for (b->n = 0; b->n < most && a->object < a->there->n; a->object++, a->inner = 0) {
        int64_t n_chunks = chunks_of_object(a->array, a->there->items[a->object], first, n);
        if (a->there->items[a->object] == a->broken)
            continue;
        for (; a->inner < n_chunks && b->n < most; a->inner++) {
            int64_t rest = a->inner, number = 0, place[MAX_RANK];
            for (int i = a->array->rank; i-- > 0; rest /= n[i])
                place[i] = first[i] + rest % n[i];
            for (int i = 0; i < a->array->rank; i++)
                number = number * chunks_along(a->array, i) + place[i];
            b->numbers[b->n++] = number;
        }
        if (a->inner < n_chunks)
            return;
    }
}

/* Fills the batch with the next chunks of the grid. */
static void batch_of_grid(array_check *a, batch *b, int64_t most)
{
    for (b->n = 0; b->n < most && a->inner < chunk_count(a->array); a->inner++)
        b->numbers[b->n++] = a->inner;
}

/* Reads the batch, then tells in order. */
static int32_t check_batch(check *c, array_check *a, batch *b, int n_threads)
{
    b->next = 0;
    helpers_run(c->reader, (int)min_i64(n_threads, b->n) - 1, read_batch, b);
    int32_t status = b->next < b->n ? NGFF_E_MEMORY : NGFF_OK;
    for (int64_t i = 0; i < b->next; i++) {
        if (status == NGFF_OK) {
            judge_chunk(c, a, b->numbers[i], &b->verdicts[i]);
            c->n_done++;
        }
        if (status == NGFF_OK && c->progress &&
            !c->progress(c->user, c->n_done < c->n_all ? 0.999 * (double)c->n_done / c->n_all : 0.999))
            status = NGFF_E_CANCELLED;
        free(b->verdicts[i].error);
    }
    return status;
}

/* Recorded chunks whose object is not there. */
static void look_for_missing(check *c, array_check *a)
{
    int64_t n_missing = a->recorded->empty.is_known && a->there ? a->recorded->n - a->n_met : 0, n_chunks;
    int n_told = 0;
    n_chunks = min_i64(chunk_count(a->array), most_looked);
    for (int64_t chunk = 0; chunk < n_chunks && n_missing > 0 && n_told < most_told; chunk++) {
        if (!is_recorded(a, chunk))
            continue;
        int64_t object = object_of(a->array, chunk);
        if (objects_have(a->there, object))
            continue;
        n_told += object != a->missing;
        tell_missing(c, a, chunk);
        n_missing--;
    }
    if (n_missing > 0 && a->broken < 0)
        tell(c, NGFF_FINDING_DAMAGE, "%s (%s): %" PRId64 " more chunks are missing, but the writer stored them",
             a->what, a->array->path, n_missing);
}

/* Reads all chunks of an array. Returns how many are stored, or an error that ends the check. */
static int64_t check_chunks(check *c, const stored_array *array, const char *what, const recorded_chunks *recorded,
                            const objects *there)
{
    error ignored = {0}; /* each chunk has it again */
    int64_t n_bytes = max_i64(chunk_bytes(&c->reader->chunks, array, &ignored), 1);
    int n_threads = (int)max_i64(1, min_i64(c->n_threads, most_buffers / n_bytes));
    int64_t most = n_threads > 1 ? batch_chunks * n_threads : 1;
    array_check a = {.array = array, .what = what, .recorded = recorded, .broken = -1, .missing = -1};
    a.there = c->has_list ? there : NULL;
    batch b = {.reader = c->reader,
               .array = array,
               .chunk_bytes = n_bytes,
               .strictness = c->is_own ? STRICT_OWN : STRICT_FORMAT};
    b.verdicts = malloc((size_t)most * sizeof *b.verdicts);
    b.numbers = malloc((size_t)most * sizeof *b.numbers);
    int32_t status = b.verdicts && b.numbers ? NGFF_OK : NGFF_E_MEMORY;
    pthread_mutex_init(&b.lock, NULL);
    while (status == NGFF_OK) {
        if (a.there)
            batch_of_objects(&a, &b, most);
        else
            batch_of_grid(&a, &b, most);
        if (b.n == 0)
            break;
        status = check_batch(c, &a, &b, n_threads);
    }
    pthread_mutex_destroy(&b.lock);
    free(b.verdicts);
    free(b.numbers);
    if (status == NGFF_OK)
        look_for_missing(c, &a);
    return status == NGFF_OK ? a.n_stored : status;
}

/* The record of one kind of array ("", or "mask_"). recorded: of each level, not known before. */
static int32_t read_record(check *c, const char *kind, const stored_array *arrays, recorded_chunks *recorded)
{
    char counts_name[64], empty_name[64];
    int n = c->image->n_levels;
    int64_t *counts = calloc((size_t)n, sizeof *counts), *n_chunks = calloc((size_t)n, sizeof *n_chunks);
    stored_runs *runs = calloc((size_t)n, sizeof *runs);
    int32_t status = counts && n_chunks && runs ? NGFF_OK : NGFF_E_MEMORY;
    snprintf(counts_name, sizeof counts_name, "stored_%schunks", kind);
    snprintf(empty_name, sizeof empty_name, "empty_%schunks", kind);
    const char *read = ngff_reader_attribute(c->reader, counts_name);
    if (read && c->image->n_declared != n) {
        tell(c, NGFF_FINDING_NOTE, "%s: the record of stored chunks is not compared: levels are left out",
             reader_path(c->reader));
        read = NULL;
    }
    char *text = read ? strdup(read) : NULL; /* what is read holds until the next call */
    if (read && !text)
        status = NGFF_E_MEMORY;
    int has_counts = status == NGFF_OK && text && stored_counts_read(text, counts, n) == n;
    if (status == NGFF_OK && text && !has_counts)
        tell(c, NGFF_FINDING_DAMAGE, "%s: the member %s of omezarr is no list of %d counts", reader_path(c->reader),
             counts_name, n);
    for (int l = 0; l < n && has_counts; l++) {
        n_chunks[l] = chunk_count(&arrays[l]);
        recorded[l].n = counts[l];
    }
    int is_read =
        has_counts ? stored_runs_read(text, ngff_reader_attribute(c->reader, empty_name), n_chunks, n, runs) : 1;
    if (is_read < 0)
        status = NGFF_E_MEMORY;
    if (is_read == 0)
        tell(c, NGFF_FINDING_DAMAGE,
             "%s: the member %s of omezarr is no list of runs of chunks that are left out beside the %s",
             reader_path(c->reader), empty_name, counts_name);
    for (int l = 0; runs && l < n; l++)
        recorded[l].empty = runs[l];
    free(text);
    free(runs);
    free(n_chunks);
    free(counts);
    return status;
}

/* All levels, or all masks. */
static int32_t check_levels(check *c, const char *kind, const stored_array *arrays, const objects *there)
{
    int n = c->image->n_levels;
    recorded_chunks *recorded = calloc((size_t)n, sizeof *recorded);
    for (int l = 0; recorded && l < n; l++)
        recorded[l].n = -1;
    int64_t status = recorded ? read_record(c, kind, arrays, recorded) : NGFF_E_MEMORY;
    for (int l = 0; l < n && status >= 0; l++) {
        char what[64];
        snprintf(what, sizeof what, "%slevel %d", kind[0] ? "mask of " : "", l);
        status = check_chunks(c, &arrays[l], what, &recorded[l], &there[l]);
        if (status >= 0 && recorded[l].n >= 0 && !recorded[l].empty.is_known && status != recorded[l].n)
            tell(c, NGFF_FINDING_DAMAGE,
                 "%s (%s): %" PRId64 " chunks are there, but the writer stored %" PRId64 "; which ones is not recorded",
                 what, arrays[l].path, status, recorded[l].n);
    }
    for (int l = 0; recorded && l < n; l++)
        stored_runs_release(&recorded[l].empty);
    free(recorded);
    return status < 0 ? (int32_t)status : NGFF_OK;
}

/* The path of a label image below the image; NULL for other parts. */
static const char *label_of_part(const ngff_reader *reader, int i)
{
    const char *path = ngff_reader_part_path(reader, i), *title = ngff_reader_part_title(reader, i);
    return path && title && strncmp(title, "label ", 6) == 0 ? strstr(path, "labels/") : NULL;
}

/* The path of an image that is verified by itself: a label image, or one of a list. NULL for other parts. */
static const char *image_of_part(const ngff_reader *reader, int i)
{
    return reader_image(reader)->n_levels == 0 ? ngff_reader_part_path(reader, i) : label_of_part(reader, i);
}

/* True for an array of such an image. */
static int is_in_part(const check *c, const char *path)
{
    for (int i = 0; i < ngff_reader_part_count(c->reader); i++) {
        const char *image = image_of_part(c->reader, i);
        size_t n = image ? strlen(image) : 0;
        if (image && strncmp(path, image, n) == 0 && path[n] == '/')
            return 1;
    }
    return 0;
}

/* Arrays beside the image. Those of our own writer are stored whole. */
static int32_t check_others(check *c)
{
    for (size_t i = 0; i < c->n_arrays; i++) {
        const stored_array *a = &c->arrays[i];
        const char *name = base_name(a->path);
        int is_whole = c->is_own && (strcmp(name, "y") == 0 || strcmp(name, "x") == 0 ||
                                     strncmp(a->path, "ovr_attributes/", 15) == 0);
        const recorded_chunks recorded = {{.is_known = is_whole}, is_whole ? chunk_count(a) : -1};
        char what[600];
        if (is_in_part(c, a->path))
            continue;
        snprintf(what, sizeof what, "array %s", a->path);
        int64_t status = check_chunks(c, a, what, &recorded, &c->beside[i]);
        if (status < 0)
            return (int32_t)status;
    }
    return NGFF_OK;
}

/* -- All of it ------------------------------------------------------------------------------------------------- */

static int32_t check_documents(check *c)
{
    error e = {0};
    int n = c->image->n_levels;
    if (consolidated_open(reader_document, c->reader, c->image->zarr_format, &c->copies, &e) < 0)
        tell_error(c, "", &e);
    const char *key;
    for (int i = 0; (key = consolidated_key(c->copies, i)); i++)
        want(c, key, "but the root's consolidated metadata has a copy of it");
    if (c->image->zarr_format == ZARR_2) {
        want(c, ".zgroup", "but the root of a Zarr v2 store needs it");
        if (ngff_reader_attribute(c->reader, "consolidated"))
            want(c, ".zmetadata", "but the root says that there is one");
    }
    for (int l = 0; l < n; l++) {
        want_array(c, &c->image->levels[l]);
        if (c->image->has_mask)
            want_array(c, &c->image->masks[l]);
    }
    for (size_t i = 0; i < c->documents.n; i++)
        judge_document(c, c->documents.items[i]);
    return find_arrays(c);
}

static void tell_rule(void *user, int32_t kind, const char *text)
{
    check *c = user;
    tell(c, kind, "%s/%s", reader_path(c->root ? c->root : c->reader), text);
}

/* Does the metadata keep to the specification? */
static int32_t check_rules(check *c)
{
    judge j = {.finding = tell_rule, .user = c, .of_unknown_version = NGFF_FINDING_NOTE};
    error e = {0};
    ngff_reader *from = c->root ? c->root : c->reader;
    int32_t status = validate_store(&j, reader_document, from, &c->reader->limits, &e);
    if (status < 0)
        tell_error(c, "", &e);
    return status == NGFF_E_MEMORY ? status : NGFF_OK;
}

/* Adds the chunks of an array that will be read to the number of all, and brings its objects into order. */
static void count_chunks(check *c, const stored_array *array, objects *there)
{
    int64_t first[MAX_RANK], n[MAX_RANK];
    if (!c->has_list)
        c->n_all += (double)chunk_count(array);
    if (there->n > 0)
        qsort(there->items, there->n, sizeof *there->items, by_number);
    for (size_t i = 0; i < there->n; i++)
        c->n_all += (double)chunks_of_object(array, there->items[i], first, n);
}

static int32_t check_all(check *c)
{
    error e = {0};
    store *s = reader_store(c->reader);
    int n = image_array_count(c->image);
    c->is_own = ngff_reader_attribute(c->reader, "stored_chunks") != NULL;
    c->there = calloc((size_t)n + 1, sizeof *c->there);
    if (!c->there)
        return NGFF_E_MEMORY;
    int32_t status = s->ops->list(s, sort_key, c, &e);
    c->has_list = status == NGFF_OK;
    if (status == NGFF_E_UNSUPPORTED)
        tell(c, NGFF_FINDING_NOTE, "%s cannot be listed: objects that are no part of the image are not looked for",
             reader_path(c->reader));
    else if (status < 0) {
        tell(c, NGFF_FINDING_UNREAD, "%s", e.message);
        return status;
    }
    keys_sort(&c->documents);
    keys_sort(&c->others);
    status = check_documents(c);
    if (status == NGFF_OK)
        status = open_root(c);
    if (status == NGFF_OK && !c->is_beside)
        status = check_rules(c);
    if (status == NGFF_OK)
        status = find_beside(c);
    if (status < 0)
        return status;
    for (int i = 0; i < n; i++)
        count_chunks(c, image_array(c->image, i), &c->there[i]);
    for (size_t i = 0; i < c->n_arrays; i++)
        count_chunks(c, &c->arrays[i], &c->beside[i]);
    status = check_levels(c, "", c->image->levels, c->there);
    if (status == NGFF_OK && c->image->has_mask)
        status = check_levels(c, "mask_", c->image->masks, c->there + c->image->n_levels);
    else if (status == NGFF_OK && ngff_reader_attribute(c->reader, "stored_mask_chunks"))
        tell(c, NGFF_FINDING_DAMAGE, "%s: the mask is missing", reader_path(c->reader));
    if (status == NGFF_OK)
        status = check_others(c);
    if (status == NGFF_OK && !c->is_beside)
        tell_strays(c);
    if (status == NGFF_OK)
        status = check_root(c);
    return status;
}

/* Opens a part by its path below the reader's image, from the root: in one file a folder is no place to begin at. */
static ngff_reader *open_below(const ngff_reader *reader, const char *part)
{
    const char *group = ngff_reader_group(reader), *slash = group[0] ? "/" : "";
    size_t room = strlen(group) + strlen(part) + 2;
    char *root = strdup(reader_path(reader)), *path = malloc(room);
    ngff_reader *opened = NULL;
    if (root && path) {
        root[strlen(root) - strlen(group) - strlen(slash)] = '\0';
        snprintf(path, room, "%s%s%s", group, slash, part);
        opened = ngff_reader_open_part(root, path, NULL);
    }
    free(root);
    free(path);
    return opened;
}

static int32_t verify(ngff_reader *reader, int32_t n_threads, int is_beside,
                      void (*finding)(void *user, int32_t kind, const char *text),
                      int32_t (*progress)(void *user, double share), void *user)
{
    check c = {.reader = reader,
               .is_beside = is_beside,
               .image = reader_image(reader),
               .n_threads = n_threads,
               .finding = finding,
               .progress = progress,
               .user = user};
    int32_t status = ngff_reader_status(reader);
    if (status != NGFF_OK) {
        tell(&c, NGFF_FINDING_DAMAGE, "%s", ngff_reader_error(reader));
        return status;
    }
    status = check_all(&c);
    keys_release(&c.documents);
    keys_release(&c.others);
    for (size_t i = 0; i < c.n_arrays; i++)
        free(c.arrays[i].path);
    objects_release(c.there, (size_t)image_array_count(c.image));
    objects_release(c.beside, c.n_arrays);
    free(c.arrays);
    consolidated_free(c.copies);
    ngff_reader_free(c.root);
    for (int i = 0; i < ngff_reader_part_count(reader) && status == NGFF_OK; i++) {
        const char *image = image_of_part(reader, i);
        ngff_reader *one = image ? open_below(reader, image) : NULL;
        int32_t found = one ? verify(one, n_threads, 1, finding, NULL, user) : image ? NGFF_E_MEMORY : NGFF_OK;
        c.n_damage += found == NGFF_E_CORRUPT;
        if (found == NGFF_E_MEMORY)
            status = found;
        else if (found < 0 && found != NGFF_E_CORRUPT && c.trouble == NGFF_OK)
            c.trouble = found;
        ngff_reader_free(one);
    }
    if (status == NGFF_OK && progress && !progress(user, 1.0))
        status = NGFF_E_CANCELLED;
    return status < 0 ? status : c.n_damage > 0 ? NGFF_E_CORRUPT : c.trouble;
}

int32_t ngff_reader_verify(ngff_reader *reader, int32_t n_threads,
                           void (*finding)(void *user, int32_t kind, const char *text),
                           int32_t (*progress)(void *user, double share), void *user)
{
    return verify(reader, n_threads > 0 ? n_threads : machine_processors(), 0, finding, progress, user);
}

int32_t ngff_verify(const char *path, const char *part, const char *const *options, int32_t n_threads,
                    void (*finding)(void *user, int32_t kind, const char *text),
                    int32_t (*progress)(void *user, double share), void *user, ngff_reader **reader)
{
    size_t n = 0;
    while (options && options[n])
        n++;
    const char **all = calloc(n + 2, sizeof *all); /* of two that say the same, the last one counts */
    if (all)
        all[0] = "MISSING_CHUNKS=FILL";
    for (size_t i = 0; all && i < n; i++)
        all[i + 1] = options[i];
    ngff_reader *opened = all ? ngff_reader_open_part(path, part, all) : NULL;
    int32_t status = opened ? ngff_reader_status(opened) : NGFF_E_MEMORY;
    if (status == NGFF_OK || status == NGFF_E_CORRUPT)
        status = ngff_reader_verify(opened, n_threads, finding, progress, user);
    free(all);
    if (reader)
        *reader = opened;
    else
        ngff_reader_free(opened);
    return status;
}
