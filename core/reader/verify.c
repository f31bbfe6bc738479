/* verify.c: is all there, is it whole, and is nothing else there?
 *
 *     promised   levels and masks, the chunks that the writer recorded, the documents that the root has copies of,
 *                groups above arrays -> each is looked for
 *     found      every object of the store -> each must be a document, a chunk inside the grid of its array, or it is a
 *                stray
 *     valid      the documents, by the rules of model/validate.c
 *
 * One list of the store, then every chunk is read once and decoded, by several threads; what they find is told in order
 * by the caller's. Memory: one chunk per thread, one bit per chunk, the keys of documents and of objects that are not
 * chunks of the image. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "crew.h"
#include "document.h"
#include "stored.h"
#include "validate.h"

enum {
    most_strays = 100000,
    most_buffers = 1 << 30, /* bytes of chunks that all threads hold; one always does */
    batch_chunks = 16       /* for each thread between two reports */
};

/* Sorted keys. */
typedef struct {
    char **items;
    size_t n, room;
} keys;

typedef struct {
    ngff_reader *reader;
    const stored_image *image;
    int n_threads;
    void (*finding)(void *user, int32_t kind, const char *text);
    int32_t (*progress)(void *user, double share);
    void *user;
    keys documents, others; /* others: objects that are no chunks of the image, until their array is known */
    stored_array *arrays;   /* beside levels and masks: coordinates, attributes, whatever else is there */
    size_t n_arrays;
    consolidated *copies;
    int is_own;       /* the writer has left its record */
    int has_list;     /* the place could be listed */
    int64_t n_damage; /* and strays */
    int32_t trouble;  /* first error that says nothing about the objects */
    char last[1200];  /* finding, so that a shard is not told once per chunk */
    int64_t n_done, n_all;
} check;

/* -- Findings -------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void tell(check *c, int32_t kind, const char *format, ...)
{
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    c->n_damage += kind != NGFF_FINDING_NOTE && kind != NGFF_FINDING_ADVICE;
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
    tell(c, NGFF_FINDING_DAMAGE, "%s%s", where, e->message);
    if (e->status != NGFF_E_CORRUPT && e->status != NGFF_E_NOT_FOUND) {
        c->n_damage--;
        c->trouble = c->trouble ? c->trouble : e->status;
    }
}

/* -- Keys ------------------------------------------------------------------------------------------------------ */

static int keys_add(keys *k, const char *key)
{
    if (k->n == k->room) {
        size_t room = k->room ? 2 * k->room : 64;
        char **more = realloc(k->items, room * sizeof *more);
        if (!more)
            return 0;
        k->items = more;
        k->room = room;
    }
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
    if (c->image->version != VERSION_04)
        return strcmp(name, "zarr.json") == 0;
    for (int i = 0; i < 3; i++)
        if (strcmp(name, v2[i]) == 0)
            return 1;
    return strcmp(key, ".zmetadata") == 0;
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
    if (a->key_version != VERSION_04) {
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

static int is_chunk_of(const stored_array *arrays, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (ordinal_of(&arrays[i], key) >= 0)
            return 1;
    return 0;
}

/* visit: sorts an object into documents, chunks of the image (nothing to keep) and others. */
static int32_t sort_key(void *user, const char *key)
{
    check *c = user;
    size_t n = (size_t)c->image->n_levels;
    if (is_document(c, key))
        return keys_add(&c->documents, key) ? NGFF_OK : NGFF_E_MEMORY;
    if (is_chunk_of(c->image->levels, n, key) || (c->image->has_mask && is_chunk_of(c->image->masks, n, key)) ||
        c->others.n >= most_strays)
        return NGFF_OK;
    return keys_add(&c->others, key) ? NGFF_OK : NGFF_E_MEMORY;
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
    int is_v2 = c->image->version == VERSION_04;
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
    if (c->image->version == VERSION_04)
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
    const char *name = c->image->version == VERSION_04 ? ".zarray" : "zarr.json";
    for (size_t i = 0; i < c->documents.n; i++) {
        const char *key = c->documents.items[i];
        size_t n = strlen(key), n_name = strlen(name);
        char path[512];
        if (strcmp(base_name(key), name) != 0 || n <= n_name + 1 || n - n_name > sizeof path)
            continue;
        snprintf(path, sizeof path, "%.*s", (int)(n - n_name - 1), key);
        int is_known = 0;
        for (int l = 0; l < c->image->n_levels; l++)
            is_known |= strcmp(path, c->image->levels[l].path) == 0 ||
                        (c->image->has_mask && strcmp(path, c->image->masks[l].path) == 0);
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
        if (is_chunk_of(c->arrays, c->n_arrays, key) || strcmp(key, "OME/METADATA.ome.xml") == 0)
            continue;
        if (strcmp(key, ".omezarr-dirty") == 0) {
            tell(c, NGFF_FINDING_DAMAGE,
                 "%s/%s: a change of this store was not finished, or is going on: its levels and statistics may not "
                 "belong to its pixels",
                 path, key);
            continue;
        }
        const char *owner = NULL;
        for (int l = 0; l < c->image->n_levels && !owner; l++)
            owner = ordinal_of(&c->image->levels[l], key) == -1                        ? c->image->levels[l].path
                    : c->image->has_mask && ordinal_of(&c->image->masks[l], key) == -1 ? c->image->masks[l].path
                                                                                       : NULL;
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

/* -- Chunks ---------------------------------------------------------------------------------------------------- */

static int64_t chunk_count(const stored_array *a)
{
    int64_t grid[MAX_RANK];
    for (int i = 0; i < a->rank; i++)
        grid[i] = ceil_div(a->shape[i], a->chunk[i]);
    return product_checked(grid, a->rank);
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
    stored_chunk_key(a, object, name);
    snprintf(text, room, "%s, chunk %s (%s%s%s)", what, numbers, a->path, a->path[0] ? "/" : "", name);
}

/* What became of a chunk: as chunk_read; the error is there only where one was. */
typedef struct {
    int32_t status;
    error *error;
} verdict;

/* Some chunks of an array, in C order, that the threads read at once. */
typedef struct {
    ngff_reader *reader;
    const stored_array *array;
    int64_t first, n, chunk_bytes;
    int strictness;
    verdict *verdicts;
    pthread_mutex_t lock; /* guards next */
    int64_t next;
} batch;

static void index_of(const stored_array *a, int64_t chunk, int64_t *index)
{
    for (int i = a->rank; i-- > 0;) {
        int64_t n = ceil_div(a->shape[i], a->chunk[i]);
        index[i] = chunk % n;
        chunk /= n;
    }
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
        index_of(b->array, b->first + i, index);
        v->status = chunk_read(&b->reader->chunks, NULL, &strict, index, pixels, &e);
        v->error = v->status < 0 ? malloc(sizeof e) : NULL;
        if (v->error)
            *v->error = e;
    }
    budget_give(b->reader->buffers, pixels, b->chunk_bytes);
}

/* An array whose chunks are checked. */
typedef struct {
    const stored_array *array;
    const char *what;
    const chunk_set *expected; /* those that the writer stored, or NULL */
    int64_t n_stored;
    char last_missing[512];
} array_check;

static void judge_chunk(check *c, array_check *a, int64_t chunk, const verdict *v)
{
    int64_t index[MAX_RANK];
    char name[1024];
    index_of(a->array, chunk, index);
    name_chunk(a->array, a->what, index, name, sizeof name);
    a->n_stored += v->status != 0;
    if (v->status < 0) {
        error e = {.status = NGFF_E_MEMORY, .message = "out of memory"};
        if (v->error)
            e = *v->error;
        /* One broken shard is told once, with its first chunk. */
        int is_new = !strstr(e.message, "index") || !strstr(c->last, e.message);
        strncat(name, ": ", sizeof name - strlen(name) - 1);
        if (is_new)
            tell_error(c, name, &e);
    } else if (a->expected && v->status == 0 && chunk_set_has(a->expected, chunk)) {
        const char *object = strchr(name, '(');
        if (!a->array->is_sharded || strcmp(object, a->last_missing) != 0)
            tell(c, NGFF_FINDING_DAMAGE, "%s: missing, but the writer stored it", name);
        snprintf(a->last_missing, sizeof a->last_missing, "%s", object);
    } else if (a->expected && v->status == 1 && !chunk_set_has(a->expected, chunk)) {
        tell(c, NGFF_FINDING_DAMAGE, "%s: is there, but the writer left it out as empty", name);
    }
}

/* Reads the batch, then tells in order. */
static int32_t check_batch(check *c, array_check *a, batch *b, int n_threads)
{
    b->next = 0;
    crew_run(c->reader, (int)min_i64(n_threads, b->n) - 1, read_batch, b);
    int32_t status = b->next < b->n ? NGFF_E_MEMORY : NGFF_OK;
    for (int64_t i = 0; i < b->next; i++) {
        if (status == NGFF_OK) {
            judge_chunk(c, a, b->first + i, &b->verdicts[i]);
            c->n_done++;
        }
        if (status == NGFF_OK && c->progress && !c->progress(c->user, 0.999 * (double)c->n_done / (double)c->n_all))
            status = NGFF_E_CANCELLED;
        free(b->verdicts[i].error);
    }
    return status;
}

/* Reads all chunks of an array. expected: those that the writer stored, or NULL. Returns how many are stored, or an
 * error that ends the check. */
static int64_t check_chunks(check *c, const stored_array *array, const char *what, const chunk_set *expected)
{
    error ignored = {0}; /* each chunk has it again */
    int64_t n_chunks = chunk_count(array), n_bytes = max_i64(chunk_bytes(&c->reader->chunks, array, &ignored), 1);
    int n_threads = (int)max_i64(1, min_i64(c->n_threads, most_buffers / n_bytes));
    int64_t most = n_threads > 1 ? batch_chunks * n_threads : 1;
    array_check a = {array, what, expected, 0, ""};
    batch b = {.reader = c->reader,
               .array = array,
               .chunk_bytes = n_bytes,
               .strictness = c->is_own ? STRICT_OWN : STRICT_FORMAT};
    b.verdicts = malloc((size_t)most * sizeof *b.verdicts);
    int32_t status = b.verdicts ? NGFF_OK : NGFF_E_MEMORY;
    pthread_mutex_init(&b.lock, NULL);
    for (; status == NGFF_OK && b.first < n_chunks; b.first += b.n) {
        b.n = min_i64(most, n_chunks - b.first);
        status = check_batch(c, &a, &b, n_threads);
    }
    pthread_mutex_destroy(&b.lock);
    free(b.verdicts);
    return status == NGFF_OK ? a.n_stored : status;
}

/* The record of one kind of array ("", or "mask_"): counts per level, and sets where the record says which. */
static int32_t read_record(check *c, const char *kind, const stored_array *arrays, int64_t *counts, chunk_set *sets,
                           int *has_counts, int *has_sets)
{
    char name[64];
    int n = c->image->n_levels;
    snprintf(name, sizeof name, "stored_%schunks", kind);
    const char *text = ngff_reader_attribute(c->reader, name);
    *has_counts = text && stored_counts_read(text, counts, n) == n;
    if (text && !*has_counts)
        tell(c, NGFF_FINDING_DAMAGE, "%s: the member %s of omezarr is no list of %d counts", reader_path(c->reader),
             name, n);
    if (!*has_counts)
        return NGFF_OK;
    int is_full = 1;
    for (int l = 0; l < n; l++) {
        is_full &= counts[l] == chunk_count(&arrays[l]);
        if (!chunk_set_make(&sets[l], chunk_count(&arrays[l])))
            return NGFF_E_MEMORY;
    }
    snprintf(name, sizeof name, "empty_%schunks", kind);
    text = ngff_reader_attribute(c->reader, name);
    *has_sets = stored_empty_read(text, sets, n) && (text || is_full);
    if (text && !*has_sets)
        tell(c, NGFF_FINDING_DAMAGE, "%s: the member %s of omezarr is no list of runs of chunks",
             reader_path(c->reader), name);
    return NGFF_OK;
}

/* All levels, or all masks. */
static int32_t check_levels(check *c, const char *kind, const stored_array *arrays)
{
    int n = c->image->n_levels, has_counts = 0, has_sets = 0;
    int64_t *counts = calloc((size_t)n, sizeof *counts);
    chunk_set *sets = calloc((size_t)n, sizeof *sets);
    int64_t status =
        counts && sets ? read_record(c, kind, arrays, counts, sets, &has_counts, &has_sets) : NGFF_E_MEMORY;
    for (int l = 0; l < n && status >= 0; l++) {
        char what[64];
        snprintf(what, sizeof what, "%slevel %d", kind[0] ? "mask of " : "", l);
        status = check_chunks(c, &arrays[l], what, has_sets ? &sets[l] : NULL);
        if (status >= 0 && has_counts && !has_sets && status != counts[l])
            tell(c, NGFF_FINDING_DAMAGE,
                 "%s (%s): %" PRId64 " chunks are there, but the writer stored %" PRId64 "; which ones is not recorded",
                 what, arrays[l].path, status, counts[l]);
    }
    for (int l = 0; sets && l < n; l++)
        chunk_set_release(&sets[l]);
    free(sets);
    free(counts);
    return status < 0 ? (int32_t)status : NGFF_OK;
}

/* Arrays beside the image. Those of our own writer are stored whole. */
static int32_t check_others(check *c)
{
    for (size_t i = 0; i < c->n_arrays; i++) {
        const stored_array *a = &c->arrays[i];
        const char *name = base_name(a->path);
        int is_whole = c->is_own && (strcmp(name, "y") == 0 || strcmp(name, "x") == 0 ||
                                     strncmp(a->path, "ovr_attributes/", 15) == 0);
        chunk_set all = {0, NULL};
        char what[600];
        if (is_whole && (!chunk_set_make(&all, chunk_count(a)) || !stored_empty_read(NULL, &all, 1)))
            return NGFF_E_MEMORY;
        snprintf(what, sizeof what, "array %s", a->path);
        int64_t status = check_chunks(c, a, what, is_whole ? &all : NULL);
        chunk_set_release(&all);
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
    if (consolidated_open(reader_document, c->reader, c->image->version, &c->copies, &e) < 0)
        tell_error(c, "", &e);
    const char *key;
    for (int i = 0; (key = consolidated_key(c->copies, i)); i++)
        want(c, key, "but the root's consolidated metadata has a copy of it");
    if (c->image->version == VERSION_04) {
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
    tell(c, kind, "%s/%s", reader_path(c->reader), text);
}

/* Does the metadata keep to the specification? */
static int32_t check_rules(check *c)
{
    judge j = {.finding = tell_rule, .user = c, .of_unknown_version = NGFF_FINDING_NOTE};
    error e = {0};
    int32_t status = validate_store(&j, reader_document, c->reader, &c->reader->limits, &e);
    if (status < 0)
        tell_error(c, "", &e);
    return status == NGFF_E_MEMORY ? status : NGFF_OK;
}

static int32_t check_all(check *c)
{
    error e = {0};
    store *s = reader_store(c->reader);
    int n = c->image->n_levels;
    c->is_own = ngff_reader_attribute(c->reader, "stored_chunks") != NULL;
    int32_t status = s->ops->list(s, sort_key, c, &e);
    c->has_list = status == NGFF_OK;
    if (status == NGFF_E_UNSUPPORTED)
        tell(c, NGFF_FINDING_NOTE, "%s cannot be listed: objects that are no part of the image are not looked for",
             reader_path(c->reader));
    else if (status < 0) {
        tell(c, NGFF_FINDING_DAMAGE, "%s", e.message);
        return status;
    }
    keys_sort(&c->documents);
    keys_sort(&c->others);
    status = check_documents(c);
    if (status == NGFF_OK)
        status = check_rules(c);
    if (status < 0)
        return status;
    for (int l = 0; l < n; l++)
        c->n_all += chunk_count(&c->image->levels[l]) + (c->image->has_mask ? chunk_count(&c->image->masks[l]) : 0);
    for (size_t i = 0; i < c->n_arrays; i++)
        c->n_all += chunk_count(&c->arrays[i]);
    status = check_levels(c, "", c->image->levels);
    if (status == NGFF_OK && c->image->has_mask)
        status = check_levels(c, "mask_", c->image->masks);
    else if (status == NGFF_OK && ngff_reader_attribute(c->reader, "stored_mask_chunks"))
        tell(c, NGFF_FINDING_DAMAGE, "%s: the mask is missing", reader_path(c->reader));
    if (status == NGFF_OK)
        status = check_others(c);
    if (status == NGFF_OK)
        tell_strays(c);
    return status;
}

int32_t ngff_reader_verify(ngff_reader *reader, int32_t n_threads,
                           void (*finding)(void *user, int32_t kind, const char *text),
                           int32_t (*progress)(void *user, double share), void *user)
{
    check c = {.reader = reader,
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
    free(c.arrays);
    consolidated_free(c.copies);
    if (status == NGFF_OK && progress && !progress(user, 1.0))
        status = NGFF_E_CANCELLED;
    return status < 0 ? status : c.n_damage > 0 ? NGFF_E_CORRUPT : c.trouble;
}
