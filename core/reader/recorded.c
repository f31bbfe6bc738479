/* recorded.c: see recorded.h. The root's document of a store of ours says which chunks of each level and mask were
 * stored (model/stored.h). So for those:
 *
 *     is recorded, and not there    it is lost: an error, after another look at the record and at the mark of a change
 *     is recorded as empty          fill; where looking costs a request it is not looked for
 *
 * The record is trusted as far as it is one: counts and runs must agree, and with the mark of a change in place nothing
 * is known. Other programs add chunks without a word in the record. On a disk these are read, for looking is cheap
 * there; over a network the record counts, unless MISSING_CHUNKS=FILL is given.
 *
 * In a store of others a missing chunk is empty. But some have written names with another separator than their
 * documents say: when the first chunk is missing under its own name and there under the other, that one is taken. */
#include "reader/recorded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zarr/document.h"
#include "reader/reader.h"

/* -- The record ------------------------------------------------------------------------------------------------ */

static void runs_release(stored_runs *runs, int n)
{
    for (int i = 0; runs && i < n; i++)
        stored_runs_release(&runs[i]);
}

/* One kind of arrays, from the members of the block "omezarr", which has one entry for each level that the document
 * declares. Returns 1 where there is a record, 0, NGFF_E_MEMORY. */
static int32_t read_kind(json_span block, const char *counts_name, const char *empty_name, const stored_image *image,
                         const stored_array *arrays, stored_runs *runs)
{
    int n = image->n_declared;
    int64_t *n_chunks = malloc((size_t)n * sizeof *n_chunks);
    stored_runs *all = calloc((size_t)n, sizeof *all);
    json_span counts_span = json_member(block, counts_name), empty_span = json_member(block, empty_name);
    char *counts = counts_span.text ? json_copy(counts_span) : NULL;
    char *empty = empty_span.text ? json_copy(empty_span) : NULL;
    int32_t status = NGFF_E_MEMORY;
    runs_release(runs, image->n_levels);
    if (n_chunks && all && !counts == !counts_span.text && !empty == !empty_span.text) {
        for (int i = 0; i < n; i++)
            n_chunks[i] = -1; /* of a level that was left out nothing is known */
        for (int l = 0; l < image->n_levels; l++) {
            int64_t grid[MAX_RANK];
            for (int i = 0; i < arrays[l].rank; i++)
                grid[i] = ceil_div(arrays[l].shape[i], arrays[l].chunk[i]);
            n_chunks[image->declared[l]] = product_checked(grid, arrays[l].rank);
        }
        status = counts ? stored_runs_read(counts, empty, n_chunks, n, all) : 0;
        status = status < 0 ? NGFF_E_MEMORY : counts != NULL;
        for (int l = 0; l < image->n_levels; l++) {
            runs[l] = all[image->declared[l]];
            all[image->declared[l]] = (stored_runs){0};
        }
    }
    if (all)
        runs_release(all, n);
    free(all);
    free(n_chunks);
    free(counts);
    free(empty);
    return status;
}

/* attributes: of the root. The lock is held, or nobody else knows the reader yet. */
static int32_t read_record(ngff_reader *reader, json_span attributes)
{
    recorded *r = &reader->recorded;
    const stored_image *image = &reader->image;
    json_span block = json_member(attributes, "omezarr");
    int32_t status = read_kind(block, "stored_chunks", "empty_chunks", image, image->levels, r->runs);
    r->is_own = status == 1;
    if (status >= 0 && image->has_mask)
        status =
            read_kind(block, "stored_mask_chunks", "empty_mask_chunks", image, image->masks, r->runs + image->n_levels);
    r->is_read = status >= 0;
    return status < 0 ? status : NGFF_OK;
}

/* Reads the root's document again. The lock is held. */
static int32_t read_again(ngff_reader *reader, error *e)
{
    const document_source source = document_source_of(reader_document, reader, &reader->limits);
    int is_v2 = reader->image.zarr_format == ZARR_2;
    document d;
    int32_t status = document_open(&source, "", is_v2 ? ".zattrs" : "zarr.json", &d, e);
    if (status != NGFF_OK) {
        error_set(e, status, "its root document is gone");
        return error_at(e, "%s", reader->path);
    }
    status = read_record(reader, is_v2 ? d.whole : json_member(d.whole, "attributes"));
    document_close(&d);
    return status == NGFF_OK ? NGFF_OK : error_set(e, status, "%s: out of memory", reader->path);
}

/* 1 where the store has the mark of a change, 0, or an error. The lock is held. */
static int32_t ask_dirty(ngff_reader *reader, error *e)
{
    size_t n = 0;
    uint8_t *text = NULL;
    int is_there = 0, is_own = json_member(json_whole(reader->image.attributes), "omezarr").text != NULL;
    error own = {0};
    int32_t status = NGFF_OK;
    if (is_own || !reader->store->ops->is_remote) /* nobody else leaves the mark, and a look may be a request */
        status = store_find(reader->store, STORE_DIRTY_KEY, 0, 1 << 16, &text, &n, &is_there, &own);
    int is_page = text && text[0] == '<'; /* servers send one, or refuse it, for what they do not have */
    reader->recorded.is_thinned = text && strcmp((const char *)text, STORE_DIRTY_GONE) == 0;
    free(text);
    if (status != NGFF_OK && !own.is_refusal)
        return error_copy(e, &own);
    reader->recorded.is_dirty = status == NGFF_OK && is_there && !is_page;
    return reader->recorded.is_dirty;
}

int32_t recorded_is_dirty(ngff_reader *reader, error *e)
{
    pthread_mutex_lock(&reader->recorded.lock);
    int32_t status = ask_dirty(reader, e);
    pthread_mutex_unlock(&reader->recorded.lock);
    return status;
}

/* The place of an array among those of the image; -1 for any other. */
static int place_of(const ngff_reader *reader, const stored_array *array)
{
    int i = image_array_count(&reader->image) - 1;
    while (i >= 0 && array != image_array(&reader->image, i))
        i--;
    return i;
}

/* What is recorded of an array; NULL if nothing is known. The lock is held. */
static const stored_runs *runs_of(const ngff_reader *reader, const stored_array *array)
{
    int place = place_of(reader, array);
    const stored_runs *runs = place < 0 ? NULL : &reader->recorded.runs[place];
    return runs && runs->is_known ? runs : NULL;
}

/* -- Rules ----------------------------------------------------------------------------------------------------- */

static int32_t is_left_out(void *user, const stored_array *array, int64_t number, error *e)
{
    ngff_reader *reader = user;
    recorded *r = &reader->recorded;
    if (r->rule == MISSING_FILL || !reader->store->ops->is_remote)
        return 0;
    pthread_mutex_lock(&r->lock);
    int32_t status = r->is_read ? NGFF_OK : read_again(reader, e);
    const stored_runs *runs = status == NGFF_OK ? runs_of(reader, array) : NULL;
    int is_empty = runs && stored_runs_has(runs, number);
    if (is_empty && r->is_dirty < 0)
        status = ask_dirty(reader, e);
    is_empty = is_empty && r->is_dirty == 0;
    pthread_mutex_unlock(&r->lock);
    return status < 0 ? status : is_empty;
}

/* 1, 0 if the array has no first chunk of this name, or an error. */
static int32_t has_first_chunk(const ngff_reader *reader, const stored_array *array, char separator, error *e)
{
    static const int64_t first[MAX_RANK];
    char name[128], key[512];
    uint64_t n = 0;
    int is_there = 0;
    array_chunk_key(array, first, name);
    for (char *p = name; *p; p++)
        if (*p == array->separator)
            *p = separator;
    snprintf(key, sizeof key, "%s%s%s", array->path, array->path[0] ? "/" : "", name);
    int32_t status = store_find_size(reader->store, key, &n, &is_there, e);
    return status == NGFF_OK ? is_there : status;
}

/* Once for each array whose keys are of Zarr v2. The lock is held. */
static int32_t try_separator(ngff_reader *reader, const stored_array *array, error *e)
{
    recorded *r = &reader->recorded;
    int place = place_of(reader, array);
    if (place < 0 || array->key_format != ZARR_2 || r->is_own || r->has_tried_separator[place])
        return NGFF_OK;
    stored_array *found = image_array(&reader->image, place);
    char declared = array->separator, other = declared == '/' ? '.' : '/';
    int32_t status = has_first_chunk(reader, array, declared, e);
    if (status == 0)
        status = has_first_chunk(reader, array, other, e);
    else if (status == 1)
        status = 0;
    if (status < 0)
        return status;
    r->has_tried_separator[place] = 1;
    if (status == 1) {
        found->separator = other;
        warnings_add(
            &r->told,
            "%s/%s: its chunks have names with '%c' between the numbers, which its document does not say; they "
            "are read by these names",
            reader->path, found->path, found->separator);
    }
    return NGFF_OK;
}

static int32_t lost(const ngff_reader *reader, const char *key, const char *why, error *e)
{
    error_set(e, NGFF_E_CORRUPT,
              "missing, %s; copy it again from the original store, or read what is missing as fill "
              "with the open option MISSING_CHUNKS=FILL",
              why);
    return error_at(e, "%s/%s", reader->path, key);
}

/* A recorded chunk is not there: what does the store say now? 1, it is lost; 0; or an error. A change that goes on, or was
 * killed, makes levels anew, but takes chunks of full size away only where its mark says so. The lock is held. */
static int32_t is_lost(ngff_reader *reader, const stored_array *array, int64_t number, error *e)
{
    int32_t status = ask_dirty(reader, e);
    int is_full_size = place_of(reader, array) % reader->image.n_levels == 0;
    if (status < 0 || (status == 1 && (!is_full_size || reader->recorded.is_thinned)))
        return status < 0 ? status : 0;
    status = read_again(reader, e);
    if (status != NGFF_OK)
        return status;
    const stored_runs *runs = runs_of(reader, array);
    return runs && !stored_runs_has(runs, number);
}

static int32_t missing(void *user, const stored_array *array, int64_t number, const char *key, error *e)
{
    ngff_reader *reader = user;
    recorded *r = &reader->recorded;
    pthread_mutex_lock(&r->lock);
    int32_t status = r->is_read || r->rule == MISSING_FILL ? NGFF_OK : read_again(reader, e);
    const stored_runs *runs = status == NGFF_OK ? runs_of(reader, array) : NULL;
    int is_empty = runs && stored_runs_has(runs, number);
    int is_beside = r->is_own && place_of(reader, array) < 0; /* such as coordinates, which are stored whole */
    char declared = array->separator;
    if (status == NGFF_OK && !runs)
        status = try_separator(reader, array, e);
    if (status != NGFF_OK || declared != array->separator || is_empty || r->rule == MISSING_FILL) {
        pthread_mutex_unlock(&r->lock);
        return status;
    }
    status = is_beside ? 1 : runs ? is_lost(reader, array, number, e) : 0;
    if (status == 0 && r->rule == MISSING_ERROR) {
        runs = runs_of(reader, array);
        status = runs && r->is_dirty == 0 && stored_runs_has(runs, number) ? 0 : 2;
    }
    pthread_mutex_unlock(&r->lock);
    return status == 1   ? lost(reader, key, "but the writer of this store has recorded it as stored", e)
           : status == 2 ? lost(reader, key, "and MISSING_CHUNKS=ERROR is set", e)
                         : status;
}

/* -- Begin and end --------------------------------------------------------------------------------------------- */

int32_t recorded_begin(ngff_reader *reader, error *e)
{
    recorded *r = &reader->recorded;
    size_t n = (size_t)reader->image.n_levels;
    json_span attributes = json_whole(reader->image.attributes);
    r->rules = (chunk_rules){reader, is_left_out, missing, r->rule == MISSING_FILL};
    r->runs = calloc(2 * n + 1, sizeof *r->runs);
    r->has_tried_separator = calloc(2 * n + 1, 1);
    if (!r->runs || !r->has_tried_separator || read_record(reader, attributes) != NGFF_OK)
        return error_set(e, NGFF_E_MEMORY, "%s: out of memory", reader->path);
    if (reader->image.has_mask || r->rule == MISSING_FILL ||
        !json_member(json_member(attributes, "omezarr"), "stored_mask_chunks").text)
        return NGFF_OK;
    const char *level = reader->image.levels[0].path;
    error_set(e, NGFF_E_CORRUPT,
              "the mask is missing, but the writer of this store has recorded one; copy the folder ovr_mask again from "
              "the original store, or read the image without it with the open option MISSING_CHUNKS=FILL");
    return error_at(e, "%s/ovr_mask/%.*s", reader->path, (int)strcspn(level, "/"), level);
}

const char *recorded_warning(ngff_reader *reader)
{
    recorded *r = &reader->recorded;
    pthread_mutex_lock(&r->lock);
    const char *text = warnings_next(&r->told);
    pthread_mutex_unlock(&r->lock);
    return text;
}

void recorded_forget(ngff_reader *reader)
{
    pthread_mutex_lock(&reader->recorded.lock);
    reader->recorded.is_read = 0;
    reader->recorded.is_dirty = -1;
    pthread_mutex_unlock(&reader->recorded.lock);
}

void recorded_release(ngff_reader *reader)
{
    recorded *r = &reader->recorded;
    runs_release(r->runs, 2 * reader->image.n_levels);
    free(r->runs);
    free(r->has_tried_separator);
    r->runs = NULL;
    r->has_tried_separator = NULL;
}

void recorded_end(ngff_reader *reader)
{
    recorded *r = &reader->recorded;
    recorded_release(reader);
    warnings_release(&r->told);
    pthread_mutex_destroy(&r->lock);
}
