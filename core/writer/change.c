/* change.c: a store that is there gets other pixels or another description, in place.
 *
 * Opening reads its metadata and compares it with the plan; nothing is claimed yet. Pixels wait in the stage, as in
 * push mode, which takes untouched ones from the store. Closing finds what the change reaches (wanted.c) and takes just
 * that through the one pass: touched cells of level 0 and all that is made from them; what a parent needs beside them
 * is read back from the store. Then the documents that differ are replaced, the root's last, and what no document names
 * any more is removed. The first replacement leaves a mark in the root and the end removes it: a store with the mark
 * has levels that may not belong together, and the next change makes them all again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "base/sizes.h"
#include "metadata/collection.h"
#include "metadata/label.h"
#include "writer/label_group.h"
#include "writer/writer.h"

/* -- Opening ------------------------------------------------------------------------------------------------------- */

/* document_get: one object as text. */
int32_t writer_get_text(void *user, const char *key, char **text, size_t *n, error *e)
{
    store *s = user;
    uint8_t *bytes = NULL;
    int is_there;
    int32_t status = store_find(s, key, 0, 0, &bytes, n, &is_there, e); /* with a NUL behind it */
    *text = (char *)bytes;
    return status != NGFF_OK || is_there ? status : NGFF_E_NOT_FOUND;
}

/* True if the array is what the plan writes for a level. */
static int is_as_planned(const ngff_plan *plan, int l, const stored_array *a)
{
    const level *at = &plan->levels[l];
    size_t bytes = (size_t)plan->image->rank * sizeof(int64_t);
    for (int i = 0; i < a->rank; i++)
        if (a->byte_axis[i] != i)
            return 0;
    int has_cname = plan->codec.compress == COMPRESS_BLOSC;
    return strcmp(a->path, at->path) == 0 && a->type == plan->image->type && a->rank == plan->image->rank &&
           memcmp(a->shape, at->shape, bytes) == 0 && memcmp(a->chunk, at->chunk, bytes) == 0 &&
           memcmp(a->shard, at->shard, bytes) == 0 && a->is_sharded == at->is_sharded && !a->index_is_first &&
           a->index_has_checksum == a->is_sharded && a->codec.has_crc32c == plan->codec.has_crc32c &&
           !a->is_big_endian && a->separator == '/' && a->key_format == plan->zarr_format &&
           a->codec.compress == plan->codec.compress && (!has_cname || a->codec.blosc_cname == plan->codec.blosc_cname);
}

static int32_t check_stored(const ngff_plan *plan, const stored_image *stored, error *e)
{
    static const char advice[] = "copy it with gdal_translate -of OMEZARR and change the copy";
    const char *version = version_name(plan->options.version);
    int is_other = stored->zarr_format == ZARR_3 && strncmp(stored->said_version, version, strlen(version)) != 0;
    if (stored->zarr_format != plan->zarr_format || is_other || stored->n_levels != plan->n_levels ||
        stored->has_mask != plan->image->has_mask)
        return error_set(e, NGFF_E_UNSUPPORTED, "its version, levels or mask are not those that its options make; %s",
                         advice);
    for (int l = 0; l < plan->n_levels; l++)
        if (!is_as_planned(plan, l, &stored->levels[l]))
            return error_set(e, NGFF_E_UNSUPPORTED, "its array %s is not the one that its options make; %s",
                             stored->levels[l].path, advice);
    return NGFF_OK;
}

/* The chunks of each level, or of each mask, as the store's record has them: n sets. Returns whether it says so (a long list
 * of empty chunks is not kept) and they are not too many to be held. */
static int read_sets(const planned_array *arrays, int n, char *const *record, chunk_set *sets)
{
    static const int64_t most_chunks = (int64_t)1 << 33; /* 1 GiB of bits */
    int64_t n_chunks[max_levels] = {0}, n_all = 0;
    stored_runs runs[max_levels] = {{0}};
    for (int l = 0; l < n; l++) {
        n_chunks[l] = product_checked(arrays[l].grid, arrays[l].rank);
        n_all = n_chunks[l] < 0 || n_chunks[l] > most_chunks ? most_chunks + 1
                                                             : min_i64(n_all + n_chunks[l], most_chunks + 1);
    }
    int is_known = record[0] && n_all <= most_chunks && stored_runs_read(record[0], record[1], n_chunks, n, runs) == 1;
    for (int l = 0; l < n && is_known; l++) {
        is_known = runs[l].is_known && chunk_set_make(&sets[l], n_chunks[l]);
        if (is_known)
            chunk_set_fill(&sets[l], &runs[l]);
    }
    for (int l = 0; l < n; l++) {
        stored_runs_release(&runs[l]);
        if (!is_known)
            chunk_set_release(&sets[l]);
    }
    return is_known;
}

/* What is missing is an error, where the store can be believed. */
static void expect(ngff_writer *w, const chunk_set *sets)
{
    written_expect(w->written, w->is_thinned || w->takes_missing ? NULL : sets);
}

int32_t change_note_gone(ngff_writer *w, error *e)
{
    pthread_mutex_lock(&w->lock);
    if (!w->is_thinned &&
        w->store->writing->put(w->store, STORE_DIRTY_KEY, STORE_DIRTY_GONE, sizeof STORE_DIRTY_GONE - 1, e) == NGFF_OK)
        w->is_thinned = 1;
    pthread_mutex_unlock(&w->lock);
    return e->status;
}

/* The colours that a label image has are of values that occur; those that come are added. */
static void look_at_label(ngff_writer *w, const stored_image *stored, error *e)
{
    if (!w->plan->options.labels || e->status != NGFF_OK)
        return;
    w->before_label = json_copy(json_member(metadata_ome(stored), "image-label"));
    if (label_values_create(w->plan, &w->labels) != NGFF_OK)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else if (w->before_label)
        label_seen_before(w->before_label, label_values_flags(w->labels));
}

/* Reads what is there and checks that the plan describes it. */
static int32_t look_at_store(ngff_writer *w, error *e)
{
    stored_image stored;
    size_t n = 0;
    int64_t n_channels = w->plan->image->n_channels;
    if (metadata_read(writer_get_text, w->store, &stored, e) != NGFF_OK)
        return e->status;
    if (check_stored(w->plan, &stored, e) == NGFF_OK) {
        char *foreign = NULL;
        int32_t status = metadata_foreign_attributes(&stored, plan_is_own_attribute, &foreign);
        w->summaries = calloc(2 * (size_t)n_channels, sizeof *w->summaries);
        if (status != NGFF_OK || !w->summaries || plan_keep(w->plan, stored.levels[0].fill, foreign) != NGFF_OK)
            error_set(e, NGFF_E_MEMORY, "out of memory");
        else
            metadata_summaries(&stored, writer_get_text, w->store, n_channels, w->summaries, e);
        for (int i = 0; i < 4; i++)
            w->before_stored[i] = metadata_attribute(&stored, stored_names[i], writer_get_text, w->store, e);
        look_at_label(w, &stored, e);
        free(foreign);
    }
    uint8_t *mark = NULL;
    store_find(w->store, STORE_DIRTY_KEY, 0, 0, &mark, &n, &w->was_dirty, e);
    w->is_thinned = mark && strcmp((const char *)mark, STORE_DIRTY_GONE) == 0;
    free(mark);
    metadata_release(&stored);
    if (e->status != NGFF_OK)
        return e->status;
    w->written = written_create(w->store, w->path);
    if (!w->written)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    written_set_plan(w->written, w->plan);
    w->before_chunks = memory_zeroed(w->plan->n_arrays, sizeof *w->before_chunks);
    for (int i = 0; i < w->plan->n_arrays && w->before_chunks; i += w->plan->n_levels)
        read_sets(w->plan->arrays + i, w->plan->n_levels, w->before_stored + (i > 0 ? 2 : 0), w->before_chunks + i);
    expect(w, w->before_chunks);
    return NGFF_OK;
}

static ngff_writer *open_update(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = writer_make(plan, s, path);
    if (!w || w->error.status != NGFF_OK)
        return w;
    if (plan->options.report) {
        error_set(&w->error, NGFF_E_OPTION,
                  "REPORT=%s is of a store that is made as a whole; a change in place has none", plan->options.report);
        return w;
    }
    w->mode = MODE_CHANGE;
    w->before = plan_retain(plan);
    pthread_rwlock_init(&w->replacing, NULL);
    if (s->refusal)
        error_set(&w->error, NGFF_E_UNSUPPORTED, "it cannot be changed here: %s", s->refusal);
    if (w->error.status == NGFF_OK && look_at_store(w, &w->error) == NGFF_OK &&
        writer_start_stage(w, &w->error) == NGFF_OK)
        w->phase = PHASE_OPEN;
    return w;
}

ngff_writer *writer_update_store(ngff_plan *plan, store *s)
{
    return open_update(plan, s, NULL);
}

int32_t ngff_writer_take_missing(ngff_writer *w)
{
    if (w->error.status != NGFF_OK)
        return w->error.status;
    w->takes_missing = 1;
    if (w->mode == MODE_CHANGE)
        written_expect(w->written, NULL);
    return NGFF_OK;
}

int32_t ngff_writer_remake(ngff_writer *w, int32_t level)
{
    error e = {0};
    if (w->error.status != NGFF_OK)
        return w->error.status;
    if (w->mode != MODE_CHANGE || level < 1)
        error_set(&e, NGFF_E_ARGUMENT, "level %d: levels from 1 on are made anew in a change in place", level);
    else
        w->first_remade = level;
    return writer_keep(w, &e);
}

ngff_writer *ngff_writer_open_update(ngff_plan *plan, const char *path)
{
    int is_beside = plan && path && plan->options.layout == LAYOUT_BIOFORMATS2RAW;
    char *image = is_beside ? writer_image_folder(path) : NULL;
    ngff_writer *w = is_beside && !image ? NULL : writer_open_path(plan, is_beside ? image : path, open_update);
    if (w)
        error_at(&w->error, "%s", path);
    free(image);
    return w;
}

static int same_level_0(const ngff_plan *a, const ngff_plan *b)
{
    const level *now = &a->levels[0], *then = &b->levels[0];
    return a->options.version == b->options.version && strcmp(now->path, then->path) == 0 &&
           now->is_sharded == then->is_sharded && memcmp(now->shard, then->shard, sizeof now->shard) == 0 &&
           memcmp(&a->codec, &b->codec, sizeof a->codec) == 0;
}

int32_t change_replan(ngff_writer *w, ngff_plan *plan, error *e)
{
    if (!same_level_0(w->before, plan))
        return error_set(e, NGFF_E_ARGUMENT, "a store that is there keeps its version, layout, shards and codec");
    if (w->before->image->has_mask && !plan->image->has_mask)
        return error_set(e, NGFF_E_ARGUMENT, "the mask of a store that is there cannot be taken away");
    if (plan_keep(plan, w->before->fill, plan->has_own_kept ? plan->kept_attributes : w->before->kept_attributes) !=
        NGFF_OK)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    return NGFF_OK;
}

/* -- Claim --------------------------------------------------------------------------------------------------------- */

static int32_t claim(ngff_writer *w, error *e)
{
    if (!w->is_claimed)
        w->is_claimed = w->store->writing->begin_update(w->store, e) == NGFF_OK;
    return e->status;
}

int32_t change_claim_pixels(ngff_writer *w, error *e)
{
    for (int l = 0; l < w->plan->n_levels; l++)
        if (w->store->ops->is_remote && w->plan->levels[l].is_sharded)
            return error_set(
                e, NGFF_E_UNSUPPORTED,
                "%s: the pixels of a sharded store on an object store cannot be changed: each change would "
                "send whole shards again; write the image anew",
                w->path ? w->path : "the store");
    return claim(w, e);
}

/* -- Pixels that are there ----------------------------------------------------------------------------------------- */

static int32_t read_chunk(ngff_writer *w, int l, const int64_t *index, uint8_t *pixels, error *e)
{
    if (w->mode == MODE_CHANGE)
        pthread_rwlock_rdlock(&w->replacing);
    int32_t status = written_chunk(w->written, l, index, pixels, e);
    if (w->mode == MODE_CHANGE)
        pthread_rwlock_unlock(&w->replacing);
    return status;
}

int32_t change_first_pixels(void *user, const int64_t *index, uint8_t *pixels, error *e)
{
    return read_chunk(user, 0, index, pixels, e);
}

int32_t change_first_mask(void *user, const int64_t *index, uint8_t *mask, error *e)
{
    ngff_writer *w = user;
    const level *base = &w->before->levels[0];
    int y = w->before->image->rank - 2;
    int64_t whole[MAX_RANK] = {0};
    memcpy(whole + y, index, 2 * sizeof *index);
    if (w->before->image->has_mask)
        return written_mask(w->written, 0, whole, mask, e);
    memset(mask, 0, (size_t)(base->chunk[y] * base->chunk[y + 1]));
    return NGFF_OK;
}

/* A run that is resumed has trusted an object, and its content says otherwise: the next run makes it again. */
static int32_t take_back(ngff_writer *w, int is_mask, const int64_t *chunk_index, error *e)
{
    const level *base = &w->plan->levels[0];
    int64_t object[MAX_RANK];
    error ignored = {0};
    if (!w->record || (e->status != NGFF_E_CORRUPT && e->status != NGFF_E_NOT_FOUND))
        return e->status;
    int first = is_mask ? w->plan->image->rank - 2 : 0;
    for (int i = first; i < w->plan->image->rank; i++)
        object[i - first] = chunk_index[i] / (is_mask ? 1 : base->shard[i] / base->chunk[i]);
    record_take_back(w->record, is_mask, object, &ignored);
    return e->status;
}

int32_t change_supply(void *user, const cell *c, error *e)
{
    ngff_writer *w = user;
    for (cell_chunk at = cell_chunk_first(w->plan, c); at.k < at.n; cell_chunk_step(&at))
        if (read_chunk(w, c->level, at.index, c->pixels + at.offset, e) != NGFF_OK)
            return take_back(w, 0, at.index, e);
    if (w->plan->image->has_mask && written_mask(w->written, c->level, c->index, c->mask, e) != NGFF_OK)
        return take_back(w, 1, c->index, e);
    return NGFF_OK;
}

int change_is_wanted(void *user, int l, const int64_t *index)
{
    return wanted_has(((ngff_writer *)user)->wanted, l, index);
}

static int is_chunk_wanted(const void *user, int l, const int64_t *index)
{
    return wanted_has_chunk(user, l, index);
}

/* -- What a change reaches ----------------------------------------------------------------------------------------- */

/* True if pixels of levels would come out differently. */
static int values_differ(const ngff_plan *a, const ngff_plan *b)
{
    int differ = a->resampling != b->resampling || a->image->alpha != b->image->alpha;
    for (int64_t i = 0; i < a->image->n_channels && !differ; i++) {
        const channel *before = &a->image->channels[i], *now = &b->image->channels[i];
        differ = before->has_nodata != now->has_nodata ||
                 (now->has_nodata && memcmp(before->nodata, now->nodata, (size_t)a->image->type->size) != 0);
    }
    return differ;
}

static int level_differs(const level *a, const level *b)
{
    return strcmp(a->path, b->path) != 0 || a->source != b->source ||
           memcmp(a->ratio, b->ratio, sizeof a->ratio) != 0 || memcmp(a->shape, b->shape, sizeof a->shape) != 0 ||
           memcmp(a->chunk, b->chunk, sizeof a->chunk) != 0 || memcmp(a->shard, b->shard, sizeof a->shard) != 0;
}

/* The first level that is not the one of before. */
static int first_other_level(const ngff_plan *before, const ngff_plan *plan)
{
    int l = 0;
    while (l < before->n_levels && l < plan->n_levels && !level_differs(&before->levels[l], &plan->levels[l]))
        l++;
    return l;
}

static int levels_differ(const ngff_plan *before, const ngff_plan *plan)
{
    return before->n_levels != plan->n_levels || first_other_level(before, plan) < plan->n_levels;
}

/* Moves what was known into the sets of the levels that stay as they are, or of their masks; gives the sets up where it is
 * not known. now: of the plan, before: of the plan before, from the first of their kind on; NULL: not known. */
static void start_sets(const ngff_writer *w, chunk_set *now, chunk_set *before, int is_new)
{
    int n = w->before->n_levels < w->plan->n_levels ? w->before->n_levels : w->plan->n_levels;
    int is_known = before && before->bits;
    for (int l = 0; l < n && is_known; l++)
        if (!level_differs(&w->before->levels[l], &w->plan->levels[l])) {
            chunk_set swap = now[l];
            now[l] = before[l];
            before[l] = swap;
        }
    for (int l = 0; l < w->plan->n_levels && !is_known && !is_new; l++)
        chunk_set_release(&now[l]);
}

void change_start_sets(ngff_writer *w)
{
    chunk_set *now = w->stored_chunks, *before = w->before_chunks;
    int had_mask = w->before->image->has_mask;
    if (now && now->bits)
        start_sets(w, now, before, 0);
    if (now && w->plan->image->has_mask && now[w->plan->n_levels].bits)
        start_sets(w, now + w->plan->n_levels, before && had_mask ? before + w->before->n_levels : NULL, !had_mask);
    expect(w, now);
}

static int is_touched(const ngff_writer *w, const box *cell)
{
    int y = cell->rank - 2;
    box plane = box_make(2, cell->origin + y, cell->extent + y);
    return stage_meets(w->pixels, cell) || (w->masks && stage_meets(w->masks, &plane));
}

/* Wants the cells of level 0 that were written to. Returns their number. */
static int64_t want_touched(ngff_writer *w)
{
    const level *base = &w->plan->levels[0];
    int64_t index[MAX_RANK] = {0}, n = 0;
    do {
        box cell = grid_box(w->plan->image->rank, base->shape, base->cell, index);
        if (is_touched(w, &cell)) {
            wanted_add(w->wanted, 0, index);
            n++;
        }
    } while (wanted_next(w->plan, 0, index));
    return n;
}

/* -- The pass ------------------------------------------------------------------------------------------------------ */

/* Level 0 in the order of the plan, touched or read back; then what is read back of the levels above. */
static void feed(ngff_writer *w, error *e)
{
    box region;
    while (writer_keep(w, e) == NGFF_OK && order_next(&w->orders[0], &region)) {
        int64_t index[MAX_RANK];
        for (int i = 0; i < region.rank; i++)
            index[i] = region.origin[i] / w->plan->levels[0].cell[i];
        if (wanted_has(w->wanted, 0, index))
            writer_drain_region(w, &region, e);
        else if (wanted_is_needed(w->wanted, 0, index))
            cascade_supply(w->cascade, 0, index, e);
    }
    for (int l = 1; l < w->plan->n_levels; l++) {
        int64_t index[MAX_RANK] = {0};
        do
            if (wanted_is_needed(w->wanted, l, index) && writer_keep(w, e) == NGFF_OK)
                cascade_supply(w->cascade, l, index, e);
        while (wanted_next(w->plan, l, index));
    }
}

static int32_t put_arrays(ngff_writer *w, error *e);

/* Levels of another shape: first their documents, so that the store goes on opening, then their old chunks go. */
static int32_t clear_levels(ngff_writer *w, error *e)
{
    if (put_arrays(w, e) != NGFF_OK)
        return e->status;
    for (int l = 1; l < w->plan->n_levels && e->status == NGFF_OK; l++) {
        int is_emptied = w->plan->is_unfilled && l >= w->first_remade;
        if (l < w->before->n_levels && !level_differs(&w->before->levels[l], &w->plan->levels[l]) && !is_emptied)
            continue;
        w->store->writing->remove_chunks(w->store, w->plan->levels[l].path, e);
        if (w->plan->image->has_mask)
            w->store->writing->remove_chunks(w->store, plan_mask(w->plan, l)->path, e);
    }
    return e->status;
}

static int32_t run_pass(ngff_writer *w, error *e)
{
    if (wanted_spread(w->wanted) != NGFF_OK)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    if (levels_differ(w->before, w->plan) && clear_levels(w, e) != NGFF_OK)
        return e->status;
    if (writer_start_pass(w, e) != NGFF_OK)
        return e->status;
    shards_set_update(w->shards, is_chunk_wanted, w->wanted, w->written, &w->replacing);
    feed(w, e);
    if (writer_keep(w, e) == NGFF_OK)
        cascade_finish(w->cascade);
    else
        pool_wait(w->pool);
    int32_t status = writer_keep(w, e); /* also of jobs, which e does not know */
    return status == NGFF_OK ? shards_finish(w->shards, e) : status;
}

/* -- Documents ----------------------------------------------------------------------------------------------------- */

typedef struct {
    char *key;
    uint8_t digest[sha256_size]; /* of its bytes */
} made_document;

typedef struct documents {
    ngff_writer *writer; /* NULL: they are only listed */
    error *error;
    int is_without_root;
    const struct documents *before; /* sorted: what is not to be changed; or NULL */
    made_document *list;
    size_t n, room;
} documents;

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const made_document *)a)->key, ((const made_document *)b)->key);
}

static const made_document *find(const documents *d, const made_document *like)
{
    return d->n > 0 ? bsearch(like, d->list, d->n, sizeof *d->list, compare_keys) : NULL;
}

static made_document *add(documents *d, const char *key, const void *bytes, size_t n)
{
    made_document *list = list_room(d->list, d->n, &d->room, sizeof *list), *made;
    if (!list)
        return NULL;
    d->list = list;
    made = &list[d->n];
    made->key = strdup(key);
    sha256_of(bytes, n, made->digest);
    d->n += made->key != NULL;
    return made->key ? made : NULL;
}

int writer_is_stored(store *s, const char *key, const void *bytes, size_t n)
{
    uint8_t *stored = NULL;
    size_t n_stored = 0;
    int is_there;
    error ignored = {0}; /* then it is put once more */
    store_find(s, key, 0, 0, &stored, &n_stored, &is_there, &ignored);
    int is_same = stored && n_stored == n && memcmp(stored, bytes, n) == 0;
    free(stored);
    return is_same;
}

/* document_sink: replaces an object, unless it says now what it said before or is there already. */
static int32_t put_document(void *user, const char *key, const void *bytes, size_t n)
{
    documents *d = user;
    const made_document *made = add(d, key, bytes, n);
    if (!made)
        return error_set(d->error, NGFF_E_MEMORY, "out of memory");
    if (!d->writer || (d->is_without_root && !strchr(key, '/')))
        return NGFF_OK;
    const made_document *before = d->before ? find(d->before, made) : NULL;
    if ((!before || memcmp(before->digest, made->digest, sha256_size) != 0) &&
        !writer_is_stored(d->writer->store, key, bytes, n) && claim(d->writer, d->error) == NGFF_OK)
        d->writer->store->writing->put(d->writer->store, key, bytes, n, d->error);
    return d->error->status;
}

static void free_documents(documents *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->list[i].key);
    free(d->list);
}

/* The documents of all arrays, as they will be. */
static int32_t put_arrays(ngff_writer *w, error *e)
{
    documents d = {.writer = w, .error = e, .is_without_root = 1};
    metadata_write(w->plan, w->summaries, put_document, &d, e);
    free_documents(&d);
    return e->status;
}

/* Removes what was there before and is not now: arrays and groups with all that is in them. */
static int32_t remove_obsolete(ngff_writer *w, const documents *before, documents *now, error *e)
{
    qsort(now->list, now->n, sizeof *now->list, compare_keys);
    for (size_t i = 0; i < before->n && e->status == NGFF_OK; i++) {
        char key[256];
        if (find(now, &before->list[i]))
            continue;
        snprintf(key, sizeof key, "%s", before->list[i].key);
        char *slash = strrchr(key, '/');
        if (slash && is_zarr_document(slash + 1))
            *slash = 0;
        if (claim(w, e) == NGFF_OK)
            w->store->writing->remove(w->store, key, e);
    }
    return e->status;
}

/* Adds the cells of level 0 that the pass has not seen to the statistics. */
static int32_t count_rest(ngff_writer *w, error *e)
{
    const ngff_plan *plan = w->plan;
    const level *base = &plan->levels[0];
    int rank = plan->image->rank, has_plane = plan->image->has_mask || plan->image->alpha >= 0;
    int64_t n_pixels = product_checked(base->cell, rank), row = base->cell[rank - 1];
    cell c = {.pixels = memory_take(n_pixels, plan->image->type->size),
              .mask = has_plane ? memory_take(row, base->cell[rank - 2]) : NULL};
    if (!c.pixels || (has_plane && !c.mask))
        error_set(e, NGFF_E_MEMORY, "out of memory");
    strides_dense(rank, base->cell, plan->image->type->size, c.strides);
    while (e->status == NGFF_OK) {
        int has_passed = wanted_has(w->wanted, 0, c.index) || wanted_is_needed(w->wanted, 0, c.index);
        c.box = grid_box(rank, base->shape, base->cell, c.index);
        if (!has_passed && change_supply(w, &c, e) == NGFF_OK) {
            if (plan->image->alpha >= 0)
                parents_make_validity(plan->image, c.pixels, c.strides, &c.box, c.mask, row);
            statistics_add(w->statistics, &c, e);
        }
        if (!wanted_next(plan, 0, c.index))
            break;
    }
    free(c.pixels);
    free(c.mask);
    return e->status;
}

/* Level 0 is read again as a whole, where that is little: over a network less is. */
static int is_little(const ngff_writer *w)
{
    const int64_t most_bytes = w->store->ops->is_remote ? 16 << 20 : 256 << 20;
    int64_t n = product_checked(w->plan->levels[0].shape, w->plan->image->rank);
    return n >= 0 && n <= most_bytes / w->plan->image->type->size;
}

/* Pixels have changed: what is said of them is found anew by all of them; where they are too many, or some are damaged,
 * by a small level and what has passed: damage elsewhere is no reason to refuse a change here. */
static int32_t renew_summaries(ngff_writer *w, error *e)
{
    error damage = {0};
    if (wanted_is_whole(w->wanted, 0) || (is_little(w) && count_rest(w, &damage) == NGFF_OK))
        return NGFF_OK;
    if (damage.status != NGFF_OK && damage.status != NGFF_E_CORRUPT)
        return error_copy(e, &damage);
    if (damage.status == NGFF_E_CORRUPT)
        snprintf(w->store->warning, sizeof w->store->warning,
                 "statistics are dropped, for not all pixels can be read: %.400s", damage.message);
    statistics_stay_partial(w->statistics, w->summaries);
    return NGFF_OK;
}

/* What is said about the channels: found anew where pixels are others and windows are taken from them, or where all pixels
 * went through the pass; else what the store says, without the statistics if pixels or nodata have changed. */
static int32_t summarise(ngff_writer *w, int is_untrue, const channel_summary **summaries, error *e)
{
    const struct ngff_image *image = w->plan->image;
    if (w->statistics)
        return renew_summaries(w, e) == NGFF_OK ? writer_summarise(w, summaries, e) : e->status;
    channel_summary *now = w->summaries + image->n_channels;
    memcpy(now, w->summaries, (size_t)image->n_channels * sizeof *now);
    for (int64_t i = 0; i < image->n_channels; i++) {
        now[i].has_statistics &= !is_untrue;
        if (image->channels[i].has_window && isfinite(now[i].low)) {
            now[i].start = image->channels[i].start;
            now[i].end = image->channels[i].end;
        }
    }
    *summaries = now;
    return NGFF_OK;
}

/* Label images beside the image: their documents stay among the root's copies. */
static int32_t take_labels(ngff_writer *w, error *e)
{
    int n = 0;
    free(w->plan->kept_nodes);
    w->plan->kept_nodes = NULL;
    if (label_group_nodes(w->store, w->plan->zarr_format, &w->plan->kept_nodes, &n, e) != NGFF_OK)
        return e->status;
    if (n > 0 && w->before->n_levels != w->plan->n_levels)
        snprintf(w->store->warning, sizeof w->store->warning,
                 "the image has %d levels now; its label images (%d) must have as many, by the specification: write "
                 "them again",
                 w->plan->n_levels, n);
    if (w->before == w->plan || !w->plan->kept_nodes)
        return NGFF_OK;
    free(w->before->kept_nodes);
    w->before->kept_nodes = strdup(w->plan->kept_nodes);
    return w->before->kept_nodes ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

/* after_repair: what the documents say cannot be trusted to be what the plan before says. */
static int32_t put_documents(ngff_writer *w, int is_untrue, int after_repair, error *e)
{
    const channel_summary *summaries = NULL;
    documents before = {.error = e}, now = {.writer = w, .error = e};
    late_member old[5], late[5];
    char *texts[4], *label = NULL;
    int n_old = 0, n_new = w->shards ? writer_stored_members(w, late, texts) : 0, n_late = n_new;
    for (int i = 0; i < 4; i++)
        if (w->before_stored[i])
            old[n_old++] = (late_member){stored_names[i], w->before_stored[i], 0};
    if (!w->shards && !w->plan->is_unfilled) {
        memcpy(late, old, (size_t)n_old * sizeof *old);
        n_late = n_old;
    }
    if (w->before_label)
        old[n_old++] = (late_member){"image-label", w->before_label, 1};
    n_late += writer_label_member(w, &late[n_late], &label, e) == 1;
    if (e->status == NGFF_OK && take_labels(w, e) == NGFF_OK &&
        metadata_write_late(w->before, w->summaries, old, n_old, put_document, &before, e) == NGFF_OK &&
        summarise(w, is_untrue, &summaries, e) == NGFF_OK) {
        qsort(before.list, before.n, sizeof *before.list, compare_keys);
        now.before = after_repair ? NULL : &before;
        if (metadata_write_late(w->plan, summaries, late, n_late, put_document, &now, e) == NGFF_OK)
            remove_obsolete(w, &before, &now, e);
    }
    while (n_new > 0)
        free(texts[--n_new]);
    free(label);
    free_documents(&before);
    free_documents(&now);
    return e->status;
}

/* The OME-XML of the store in which the image lies beside others says what the host has given; without it, it is not the
 * library's to change. Its place is the folder above the image's. */
static int32_t renew_xml(ngff_writer *w, error *e)
{
    const char *number = w->path ? strrchr(w->path, '/') : NULL;
    if (!number || number == w->path || !w->plan->ome_xml || !w->is_claimed)
        return NGFF_OK;
    char *root = strdup(w->path);
    if (root)
        root[number - w->path] = '\0';
    store *whole = root ? store_open(root) : NULL;
    size_t n_xml = strlen(w->plan->ome_xml);
    if (!whole)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else if (!writer_is_stored(whole, COLLECTION_XML_KEY, w->plan->ome_xml, n_xml)) {
        whole->is_unmarked = 1;
        if (whole->writing->begin_update(whole, e) == NGFF_OK &&
            (whole->writing->put(whole, COLLECTION_XML_KEY, w->plan->ome_xml, n_xml, e) != NGFF_OK ||
             whole->writing->publish(whole, e) != NGFF_OK))
            whole->writing->abandon(whole);
    }
    if (whole)
        whole->ops->free(whole);
    free(root);
    return e->status;
}

/* -- Close --------------------------------------------------------------------------------------------------------- */

/* The first level that is made from what is below it, pixels that are written aside. */
static int first_to_make(const ngff_writer *w, int is_other)
{
    if (w->was_dirty)
        return 1;
    if (w->first_remade > 0)
        return w->first_remade;
    return is_other ? 1 : first_other_level(w->before, w->plan);
}

void change_finish(ngff_writer *w, error *e)
{
    int has_new_mask = w->plan->image->has_mask && !w->before->image->has_mask;
    int is_other = values_differ(w->before, w->plan);
    int first = first_to_make(w, is_other || has_new_mask);
    int is_remade = first < w->plan->n_levels || w->before->n_levels > w->plan->n_levels; /* the record loses a level */
    if (writer_keep(w, e) != NGFF_OK)
        return;
    w->wanted = wanted_create(w->plan);
    if (!w->wanted || (w->plan->image->has_mask && writer_start_mask_stage(w, e) != NGFF_OK)) {
        error_set(e, NGFF_E_MEMORY, "out of memory");
        return;
    }
    int is_touched = want_touched(w) > 0;
    if (has_new_mask)
        wanted_add_level(w->wanted, 0);
    for (int l = first; l < w->plan->n_levels; l++)
        wanted_add_level(w->wanted, l);
    w->renews_summaries =
        (is_touched || is_other || has_new_mask) && (is_little(w) || statistics_make_windows(w->plan));
    int is_left_empty = w->plan->is_unfilled && !is_touched;
    if ((is_touched || is_remade) &&
        (change_claim_pixels(w, e) != NGFF_OK || (is_left_empty ? clear_levels(w, e) : run_pass(w, e)) != NGFF_OK))
        return;
    if (put_documents(w, is_touched || is_other || has_new_mask, w->was_dirty, e) != NGFF_OK ||
        renew_xml(w, e) != NGFF_OK ||
        (w->is_claimed && (writer_keep(w, e) != NGFF_OK || w->store->writing->publish(w->store, e) != NGFF_OK)))
        return;
    writer_enter(w, PHASE_PUBLISHED);
    if (w->is_claimed)
        label_group_renew(w->plan, w->path, e);
}

void change_free(ngff_writer *w)
{
    for (int i = 0; i < 4; i++)
        free(w->before_stored[i]);
    free(w->before_label);
    if (w->mode == MODE_CHANGE) {
        pthread_rwlock_destroy(&w->replacing);
        chunk_sets_free(w->before_chunks, w->before->n_arrays);
    }
    free(w->summaries);
    ngff_plan_free(w->before);
}
