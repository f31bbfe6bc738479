/* report.c: see report.h. Two digests, both SHA-256:
 *
 *     pixels of an array   of the digests of its chunks, in C order of the chunk grid. The digest of a chunk is that of
 *                          its pixels that lie in the image, in C order, little-endian. A chunk that is not stored
 *                          counts as its fill.
 *     tree                 of one line per object, "<digest of its bytes>  <key>\n", sorted by the bytes of the keys:
 *                          what `sha256sum` prints.
 *
 * So neither depends on threads, order or memory, and the first not on codecs and shards. */
#include "writer/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grid.h"
#include "base/sha256.h"
#include "base/sizes.h"
#include "codec/codec.h"
#include "metadata/report_text.h"
#include "store/side_file.h"

enum { longest_key = 512 };

typedef uint8_t digest[sha256_size];

typedef struct {
    char *key;
    uint64_t n;
    size_t number; /* in the order of their coming */
    digest bytes;
} object;

struct report {
    side_file *file;
    const struct ngff_plan *plan;
    digest *chunks[2 * max_levels]; /* of each of the plan's arrays; zero: has not come */
    pthread_mutex_t lock;           /* all below */
    object *objects;
    size_t n_objects, room;
};

/* -- Begin ------------------------------------------------------------------------------------------------------- */

/* The store's folder is replaced or published as a whole: nothing else may lie there. */
static int32_t check_outside(const char *path, const char *store_path, error *e)
{
    size_t n = strlen(store_path);
    while (n > 1 && store_path[n - 1] == '/')
        n--;
    if (strncmp(path, store_path, n) != 0 || (path[n] && path[n] != '/'))
        return NGFF_OK;
    return error_set(e, NGFF_E_OPTION, "REPORT=%s lies in the store %s; choose a place beside it", path, store_path);
}

static report *make(void)
{
    report *r = calloc(1, sizeof *r);
    if (r)
        pthread_mutex_init(&r->lock, NULL);
    return r;
}

int32_t report_begin_part(const struct ngff_plan *plan, report **made, error *e)
{
    *made = plan->options.report ? make() : NULL;
    return *made || !plan->options.report ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

int32_t report_begin(const struct ngff_plan *plan, const char *store_path, report **made, error *e)
{
    *made = NULL;
    if (!plan->options.report)
        return NGFF_OK;
    char *path = store_path_of(plan->options.report);
    report *r = make();
    error why = {0};
    if (!path || !r)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else if (!store_path || check_outside(path, store_path, e) == NGFF_OK) {
        r->file = side_file_begin(path, REPORT_START, &why);
        if (!r->file)
            error_set(e, why.status, "REPORT=%s: %s", path, why.message);
    }
    free(path);
    if (e->status == NGFF_OK)
        *made = r;
    else
        report_free(r);
    return e->status;
}

int32_t report_start(report *r, const struct ngff_plan *plan, error *e)
{
    if (!r)
        return NGFF_OK;
    r->plan = plan;
    for (int i = 0; i < plan->n_arrays; i++) {
        const planned_array *a = &plan->arrays[i];
        r->chunks[i] = memory_zeroed(product_checked(a->grid, a->rank), sizeof(digest));
        if (!r->chunks[i])
            return error_set(e, NGFF_E_MEMORY, "out of memory for the digests of REPORT");
    }
    return NGFF_OK;
}

void report_free(report *r)
{
    if (!r)
        return;
    for (int i = 0; i < 2 * max_levels; i++)
        free(r->chunks[i]);
    for (size_t i = 0; i < r->n_objects; i++)
        free(r->objects[i].key);
    free(r->objects);
    side_file_free(r->file);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -- Pixels ------------------------------------------------------------------------------------------------------ */

/* Takes in numbers, little-endian. */
static void add_numbers(sha256 *s, const uint8_t *numbers, size_t n, int item_size)
{
    uint8_t piece[4096];
    for (size_t at = 0, n_piece; at < n; at += n_piece) {
        n_piece = numbers_differ_in_files(item_size) && n - at > sizeof piece ? sizeof piece : n - at;
        sha256_add(s, bytes_to_store(numbers + at, n_piece, item_size, piece), n_piece);
    }
}

/* Takes in the part of a dense chunk that lies in the image: runs as long as they are. */
static void add_pixels(sha256 *s, int rank, const int64_t *extent, const int64_t *chunk, const dtype *type,
                       const uint8_t *pixels)
{
    int64_t below = type->size;
    int is_run = 1;
    for (int i = 1; i < rank; i++) {
        is_run &= extent[i] == chunk[i];
        below *= chunk[i];
    }
    if (is_run)
        add_numbers(s, pixels, (size_t)(extent[0] * below), type->item_size);
    for (int64_t k = 0; !is_run && k < extent[0]; k++)
        add_pixels(s, rank - 1, extent + 1, chunk + 1, type, pixels + k * below);
}

/* The part of a chunk that lies in the image. */
static void clip(int rank, const int64_t *shape, const int64_t *chunk, const int64_t *index, int64_t *extent)
{
    for (int i = 0; i < rank; i++)
        extent[i] = min_i64(chunk[i], shape[i] - index[i] * chunk[i]);
}

static void digest_chunk(const planned_array *a, const int64_t *index, const uint8_t *pixels, digest to)
{
    int64_t extent[MAX_RANK];
    sha256 s;
    clip(a->rank, a->shape, a->chunk, index, extent);
    sha256_begin(&s);
    add_pixels(&s, a->rank, extent, a->chunk, a->type, pixels);
    sha256_end(&s, to);
}

void report_chunk(report *r, int row, const int64_t *index, const void *pixels)
{
    if (!r)
        return;
    const planned_array *a = &r->plan->arrays[row];
    digest_chunk(a, index, pixels, r->chunks[row][grid_place(a->rank, a->grid, index)]);
}

/* The digest of a level or mask from those of its chunks. */
static int32_t digest_array(const planned_array *a, digest *chunks, char text[65], error *e)
{
    static const digest none;
    int64_t n_pixels = product_checked(a->chunk, a->rank), n_chunks = product_checked(a->grid, a->rank);
    int64_t size = a->type->size, index[MAX_RANK] = {0};
    int64_t last[MAX_RANK] = {0}, extent[MAX_RANK] = {0}; /* of the empty chunk that was digested last */
    uint8_t *pixels = NULL;
    digest of_fill, all;
    sha256 s;
    sha256_begin(&s);
    for (int64_t k = 0; k < n_chunks; k++) {
        int is_missing = memcmp(chunks[k], none, sizeof none) == 0;
        if (is_missing && !pixels) {
            pixels = memory_take(n_pixels, size);
            if (!pixels)
                return error_set(e, NGFF_E_MEMORY, "out of memory for a chunk of fill");
            pixels_fill(1, &n_pixels, size, pixels, &size, a->fill);
        }
        if (is_missing) {
            clip(a->rank, a->shape, a->chunk, index, extent);
            if (memcmp(extent, last, sizeof last) != 0)
                digest_chunk(a, index, pixels, of_fill);
            memcpy(last, extent, sizeof last);
        }
        sha256_add(&s, is_missing ? of_fill : chunks[k], sizeof none);
        grid_next(a->rank, a->grid, index);
    }
    sha256_end(&s, all);
    sha256_text(all, text);
    free(pixels);
    return NGFF_OK;
}

/* -- Objects ----------------------------------------------------------------------------------------------------- */

/* Takes the object, with its key. */
static int32_t add_object(report *r, object made, error *e)
{
    pthread_mutex_lock(&r->lock);
    object *objects = made.key ? list_room(r->objects, r->n_objects, &r->room, sizeof *objects) : NULL;
    if (objects) {
        made.number = r->n_objects;
        r->objects = objects;
        r->objects[r->n_objects++] = made;
    }
    pthread_mutex_unlock(&r->lock);
    if (objects)
        return NGFF_OK;
    free(made.key);
    return error_set(e, NGFF_E_MEMORY, "out of memory for the digests of REPORT");
}

int32_t report_object(report *r, const char *prefix, const char *key, const void *bytes, size_t n, error *e)
{
    char full[longest_key];
    if (!r)
        return NGFF_OK;
    snprintf(full, sizeof full, "%s%s", prefix, key);
    object made = {.key = strdup(full), .n = n};
    sha256_of(bytes, n, made.bytes);
    return add_object(r, made, e);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const object *)a)->key, ((const object *)b)->key);
}

static int by_key_and_number(const void *a, const void *b)
{
    size_t left = ((const object *)a)->number, right = ((const object *)b)->number;
    int order = by_key(a, b);
    return order ? order : (left > right) - (left < right);
}

/* Sorts them; what was put again counts as it was put last. */
static void sort_objects(report *r)
{
    size_t n = 0;
    if (r->n_objects > 0)
        qsort(r->objects, r->n_objects, sizeof *r->objects, by_key_and_number);
    for (size_t i = 0; i < r->n_objects; i++) {
        if (n > 0 && by_key(&r->objects[n - 1], &r->objects[i]) == 0)
            free(r->objects[--n].key);
        r->objects[n++] = r->objects[i];
    }
    r->n_objects = n;
}

/* Does one of the chunks of an object hold more than fill? n: chunks in an object per axis. */
static int holds_chunk(const planned_array *a, const chunk_set *stored, const int64_t *n, const int64_t *object)
{
    int64_t first[MAX_RANK], last[MAX_RANK], chunk[MAX_RANK];
    for (int i = 0; i < a->rank; i++) {
        chunk[i] = first[i] = object[i] * n[i];
        last[i] = min_i64(first[i] + n[i], a->grid[i]) - 1;
    }
    do
        if (chunk_set_has(stored, grid_place(a->rank, a->grid, chunk)))
            return 1;
    while (count_up(a->rank, first, last, chunk));
    return 0;
}

/* Reads the objects of an array of level 0 that an earlier run has stored and this one has kept. n_known: those of this run,
 * sorted. */
static int32_t read_kept(report *r, store *s, const planned_array *a, const chunk_set *stored, size_t n_known, error *e)
{
    int64_t objects[MAX_RANK], per_object[MAX_RANK], index[MAX_RANK] = {0};
    for (int i = 0; i < a->rank; i++) {
        per_object[i] = a->shard ? a->shard[i] / a->chunk[i] : 1;
        objects[i] = ceil_div(a->grid[i], per_object[i]);
    }
    int64_t n = product_checked(objects, a->rank);
    for (int64_t k = 0; k < n && e->status == NGFF_OK; k++) {
        char full[longest_key], name[128];
        const char *prefix = r->plan->prefix, *key = full + strlen(prefix);
        uint8_t *bytes = NULL;
        size_t n_bytes = 0;
        object like = {.key = full};
        chunk_key(r->plan->zarr_format, a->rank, index, name);
        snprintf(full, sizeof full, "%s%s/%s", prefix, a->path, name);
        if (holds_chunk(a, stored, per_object, index) && !bsearch(&like, r->objects, n_known, sizeof like, by_key)) {
            if (store_read(s, key, 0, 0, &bytes, &n_bytes, e) == NGFF_OK)
                report_object(r, prefix, key, bytes, n_bytes, e);
            free(bytes);
        }
        grid_next(a->rank, objects, index);
    }
    return e->status;
}

static int32_t read_all_kept(report *r, const report_end *end, error *e)
{
    size_t n_known = r->n_objects;
    for (int i = 0; i < r->plan->n_arrays && e->status == NGFF_OK; i++)
        if (r->plan->arrays[i].level == 0)
            read_kept(r, end->store, &r->plan->arrays[i], &end->stored[i], n_known, e);
    return e->status;
}

static void digest_tree(const report *r, char text[65])
{
    digest all;
    sha256 s;
    sha256_begin(&s);
    for (size_t i = 0; i < r->n_objects; i++) {
        char of_one[2 * sha256_size + 1];
        sha256_text(r->objects[i].bytes, of_one);
        sha256_add(&s, of_one, 2 * sha256_size);
        sha256_add(&s, "  ", 2);
        sha256_add(&s, r->objects[i].key, strlen(r->objects[i].key));
        sha256_add(&s, "\n", 1);
    }
    sha256_end(&s, all);
    sha256_text(all, text);
}

/* Bytes of the chunks below an array's path. */
static int64_t chunk_bytes(const report *r, const char *path)
{
    size_t n = strlen(path), n_prefix = strlen(r->plan->prefix);
    int64_t bytes = 0;
    for (size_t i = 0; i < r->n_objects; i++) {
        if (strncmp(r->objects[i].key, r->plan->prefix, n_prefix) != 0)
            continue;
        const char *key = r->objects[i].key + n_prefix;
        if (strncmp(key, path, n) == 0 && key[n] == '/' && !is_zarr_document(key + n + 1))
            bytes += (int64_t)r->objects[i].n;
    }
    return bytes;
}

/* -- Digests of parts -------------------------------------------------------------------------------------------- */

/* The chunks of an array that have come; an empty digest ends them. */
static void pack_chunks(pack *p, int64_t n_chunks, digest *chunks)
{
    static const digest none;
    for (int64_t at = 0, is_more = 1; is_more && !p->is_broken; at++) {
        digest one = {0};
        while (!pack_reads(p) && at < n_chunks && memcmp(chunks[at], none, sizeof none) == 0)
            at++;
        if (!pack_reads(p) && at < n_chunks)
            memcpy(one, chunks[at], sizeof one);
        pack_field(p, at);
        pack_field(p, one);
        is_more = memcmp(one, none, sizeof none) != 0;
        p->is_broken |= is_more && (at < 0 || at >= n_chunks);
        if (pack_reads(p) && is_more && !p->is_broken)
            memcpy(chunks[at], one, sizeof one);
    }
}

static void pack_objects(pack *p, report *r)
{
    int64_t n = (int64_t)r->n_objects;
    pack_count(p, &n, INT64_MAX);
    for (int64_t i = 0; i < n && !p->is_broken; i++) {
        error e = {0};
        object one = {0};
        if (!pack_reads(p))
            one = r->objects[i];
        pack_text(p, &one.key);
        pack_field(p, one.n);
        pack_field(p, one.bytes);
        if (pack_reads(p) && one.key)
            p->is_broken |= add_object(r, one, &e) != NGFF_OK;
    }
}

void report_pack(pack *p, report *r, int *has_some)
{
    *has_some = r != NULL;
    pack_field(p, *has_some);
    if (!*has_some || !r)
        return; /* what is kept behind them nobody reads */
    for (int i = 0; i < r->plan->n_arrays; i++)
        pack_chunks(p, product_checked(r->plan->arrays[i].grid, r->plan->arrays[i].rank), r->chunks[i]);
    pack_objects(p, r);
}

/* -- The end ----------------------------------------------------------------------------------------------------- */

static int32_t account_arrays(report *r, const report_end *end, array_report *arrays, error *e)
{
    for (int i = 0; i < r->plan->n_arrays && e->status == NGFF_OK; i++) {
        const planned_array *a = &r->plan->arrays[i];
        arrays[i].n_chunks = product_checked(a->grid, a->rank);
        arrays[i].n_stored = chunk_set_count(&end->stored[i]);
        arrays[i].bytes = chunk_bytes(r, a->path);
        digest_array(a, r->chunks[i], arrays[i].pixels, e);
    }
    return e->status;
}

int32_t report_finish(report *r, const report_end *end, error *e)
{
    array_report arrays[2 * max_levels] = {{0}};
    if (!r)
        return NGFF_OK;
    int is_counted = end->stored != NULL;
    for (int i = 0; is_counted && i < r->plan->n_arrays; i++)
        is_counted = end->stored[i].bits != NULL;
    if (!is_counted)
        return error_set(e, NGFF_E_MEMORY, "out of memory for what is stored, which REPORT counts");
    sort_objects(r);
    if (end->is_resumed && read_all_kept(r, end, e) != NGFF_OK)
        return e->status;
    sort_objects(r);
    run_report run = {
        .store = end->store_path, .arrays = arrays, .n_objects = (int64_t)r->n_objects, .statistics = end->statistics};
    for (size_t i = 0; i < r->n_objects; i++)
        run.bytes += (int64_t)r->objects[i].n;
    digest_tree(r, run.tree);
    if (account_arrays(r, end, arrays, e) != NGFF_OK)
        return e->status;
    char *text = report_text(r->plan, &run);
    int32_t status =
        text ? side_file_write(r->file, text, r->plan->options.sync, e) : error_set(e, NGFF_E_MEMORY, "out of memory");
    free(text);
    return status;
}

int32_t report_publish(report *r, error *e)
{
    error why = {0};
    if (!r || side_file_publish(r->file, r->plan->options.sync, &why) == NGFF_OK)
        return NGFF_OK;
    return error_set(e, why.status, "the store is whole and published, but its report may not be: %s", why.message);
}
