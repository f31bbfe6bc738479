/* writer.c: the only file that knows every stage; it reads like the flow.
 *
 *     region -> cells (pyramid/) -> statistics -> chunks that hold more than fill -> codec -> shard or store
 *
 * Pixels come in on the caller's threads; the cascade runs finished cells on them or on the pool's workers, and each
 * finished cell comes through `emit`. Close waits, completes what is open, writes the metadata and publishes. Hosts
 * that push fill a stage instead; close then takes its pixels through the same pass. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/sizes.h"
#include "codec/codec.h"
#include "reader/reader.h"
#include "store/zip.h"
#include "writer/label_group.h"
#include "writer/writer.h"

/* -- A finished cell: chunks to the store -------------------------------------------------------------------------- */

int32_t writer_report(ngff_writer *w, const char *key, const void *bytes, size_t n, error *e)
{
    return report_object((w->first ? w->first : w)->report, w->prefix, key, bytes, n, e);
}

/* A chunk or a shard is stored (n = 0: it holds only fill and is not). row: of the plan's arrays. */
static int32_t note_stored(void *user, int row, const int64_t *index, const char *key, const void *bytes, size_t n,
                           error *e)
{
    ngff_writer *w = user;
    const planned_array *a = &w->plan->arrays[row];
    if (n > 0 && writer_report(w, key, bytes, n, e) != NGFF_OK)
        return e->status;
    return w->record && a->level == 0 ? record_stored(w->record, a->is_mask, index, bytes, n, e) : NGFF_OK;
}

/* The place of a chunk in its array's grid. */
static int64_t chunk_number(const planned_array *a, const int64_t *index)
{
    int64_t chunk = 0;
    for (int i = 0; i < a->rank; i++)
        chunk = chunk * a->grid[i] + index[i];
    return chunk;
}

/* Remembers whether a chunk is stored, and its digest. Returns true if it holds only fill. */
static int remember(ngff_writer *w, int row, const int64_t *index, const uint8_t *pixels)
{
    const planned_array *a = &w->plan->arrays[row];
    chunk_set *sets = a->is_mask ? w->stored_mask_chunks : w->stored_chunks;
    int is_fill = pixels_all_equal(pixels, product_checked(a->chunk, a->rank), a->type->size, a->fill);
    report_chunk(w->report, row, index, pixels);
    if (sets && is_fill)
        chunk_set_remove(&sets[a->level], chunk_number(a, index));
    else if (sets)
        chunk_set_add(&sets[a->level], chunk_number(a, index));
    return is_fill;
}

/* Stores a chunk of a level or a mask, unless it holds only fill. */
static int32_t put_chunk(ngff_writer *w, encoder *one, int row, const int64_t *index, const uint8_t *pixels, error *e)
{
    const planned_array *a = &w->plan->arrays[row];
    const uint8_t *bytes = NULL;
    char key[192], name[128];
    size_t n = 0;
    int is_fill = remember(w, row, index, pixels);
    if (!is_fill && encoder_encode(one, &w->arrays[row], pixels, &bytes, &n, e) != NGFF_OK)
        return e->status;
    if (a->shard)
        return shards_add(w->shards, a->level, index, bytes, n, e);
    if (is_fill && !w->before)
        return note_stored(w, row, index, NULL, NULL, 0, e);
    array_chunk_key(&w->arrays[row], index, name);
    snprintf(key, sizeof key, "%s/%s", a->path, name);
    if (is_fill)
        return w->store->ops->remove(w->store, key, e);
    int32_t status = w->store->ops->put(w->store, key, bytes, n, e);
    return status == NGFF_OK ? note_stored(w, row, index, key, bytes, n, e) : status;
}

static const uint64_t mask_is_known = (uint64_t)1 << 32, mask_is_stored = (uint64_t)1 << 33;

/* All cells behind each other on t and z bring the same mask: the first of them stores it, unless an earlier run has.
 * Returns 1 to that one, 0 to the others, or an error where a given mask is another. */
static int32_t is_first_of_mask(ngff_writer *w, const cell *c, error *e)
{
    const level *at = &w->plan->levels[c->level];
    int y = w->plan->image->rank - 2;
    uint64_t *seen = w->masks_seen[c->level];
    if (!seen || !w->plan->image->has_mask)
        return w->plan->image->has_mask;
    uint64_t checksum = crc32c(c->mask, (size_t)(at->cell[y] * at->cell[y + 1]));
    seen += chunk_number(plan_mask(w->plan, c->level), c->index + y);
    pthread_mutex_lock(&w->lock);
    uint64_t before = *seen;
    if (!(before & mask_is_known))
        *seen = before | mask_is_known | checksum;
    pthread_mutex_unlock(&w->lock);
    if ((before & mask_is_known) && (uint32_t)before != checksum && at->source < 0)
        return cascade_masks_differ(c->box.origin[y], c->box.origin[y + 1], e);
    return before == 0;
}

/* Of a cell that is stored already: just the chunks that hold more than fill are. */
static void remember_cell(ngff_writer *w, const cell *c)
{
    const ngff_plan *plan = w->plan;
    const level *at = &plan->levels[c->level];
    int channels = plan->image->channel_axis;
    int64_t chunk_bytes = product_checked(at->chunk, plan->image->rank) * plan->image->type->size;
    int64_t n_chunks = channels < 0 ? 1 : ceil_div(c->box.extent[channels], at->chunk[channels]);
    int64_t index[MAX_RANK] = {0};
    for (int i = 0; i < plan->image->rank; i++)
        index[i] = c->box.origin[i] / at->chunk[i];
    for (int64_t k = 0; k < n_chunks; k++) {
        remember(w, c->level, index, c->pixels + k * chunk_bytes);
        if (channels >= 0)
            index[channels]++;
    }
    if (plan->image->has_mask)
        remember(w, plan->n_levels + c->level, c->index + plan->image->rank - 2, c->mask);
}

/* A cell is one chunk, or the chunks of its channels one after the other. */
static int32_t emit(void *user, const cell *c, error *e)
{
    ngff_writer *w = user;
    const ngff_plan *plan = w->plan;
    const level *at = &plan->levels[c->level];
    int channel_axis = plan->image->channel_axis;
    int64_t chunk_bytes = product_checked(at->chunk, plan->image->rank) * plan->image->type->size;
    int64_t n_chunks = channel_axis < 0 ? 1 : ceil_div(c->box.extent[channel_axis], at->chunk[channel_axis]);
    int64_t index[MAX_RANK] = {0};
    if (w->statistics && statistics_add(w->statistics, c, e) != NGFF_OK)
        return e->status;
    label_values_add(w->labels, c);
    if (c->is_supplied) {
        remember_cell(w, c);
        return plan->image->has_mask && is_first_of_mask(w, c, e) < 0 ? e->status : NGFF_OK;
    }
    encoder *one = encoder_take(&w->encoders, &w->arrays[0]);
    if (!one)
        return error_set(e, NGFF_E_MEMORY, "out of memory for an encoded chunk of %lld bytes", (long long)chunk_bytes);
    for (int i = 0; i < plan->image->rank; i++)
        index[i] = c->box.origin[i] / at->chunk[i];
    if (is_first_of_mask(w, c, e) == 1) /* before the pixels: a chunk that is noted has its mask */
        put_chunk(w, one, plan->n_levels + c->level, c->index + plan->image->rank - 2, c->mask, e);
    for (int64_t k = 0; e->status == NGFF_OK && store_goes_on(w->store, e) == NGFF_OK && k < n_chunks; k++) {
        put_chunk(w, one, c->level, index, c->pixels + k * chunk_bytes, e);
        if (channel_axis >= 0)
            index[channel_axis]++;
    }
    encoder_give(&w->encoders, one);
    return e->status;
}

/* A cell is left out: its shard need not wait for it. */
static int32_t skip(void *user, const cell *c, error *e)
{
    ngff_writer *w = user;
    const level *at = &w->plan->levels[c->level];
    int channel_axis = w->plan->image->channel_axis;
    int64_t n_chunks = channel_axis < 0 ? 1 : ceil_div(c->box.extent[channel_axis], at->chunk[channel_axis]);
    int64_t index[MAX_RANK] = {0};
    if (w->statistics)
        statistics_skip(w->statistics, c);
    label_values_skip(w->labels);
    if (!at->is_sharded)
        return NGFF_OK;
    for (int i = 0; i < w->plan->image->rank; i++)
        index[i] = c->box.origin[i] / at->chunk[i];
    for (int64_t k = 0; k < n_chunks && shards_add(w->shards, c->level, index, NULL, 0, e) == NGFF_OK; k++)
        if (channel_axis >= 0)
            index[channel_axis]++;
    return e->status;
}

static int32_t spill(void *user, const char *key, const void *bytes, size_t n, error *e)
{
    ngff_writer *w = user;
    return w->store->ops->scratch_put(w->store, key, bytes, n, e);
}

static int32_t fetch(void *user, const char *key, void *bytes, size_t n, error *e)
{
    ngff_writer *w = user;
    return w->store->ops->scratch_get(w->store, key, bytes, n, e);
}

static int32_t goes_on(void *user, error *e)
{
    const ngff_writer *w = user;
    return store_goes_on(w->store, e);
}

static void enter_thread(void *user)
{
    const ngff_writer *w = user;
    store_enter_thread(w->store, w->settings);
}

/* -- Open ---------------------------------------------------------------------------------------------------------- */

/* Bytes that the stages may hold together: half of MEMORY. */
static int64_t staging_memory(const ngff_plan *plan)
{
    static const int64_t most = (int64_t)512 << 20;
    int64_t machine = machine_memory();
    if (plan->options.memory_bytes > 0)
        return plan->options.memory_bytes / 2;
    return machine > 0 ? min_i64(machine / 4, most) : most;
}

/* One set per level, of all axes or of the last two; NULL where they would be too large: then nothing is recorded. */
static chunk_set *make_sets(const ngff_plan *plan, int is_mask)
{
    static const int64_t most_chunks = (int64_t)1 << 33; /* 1 GiB of bits */
    int rank = plan->image->rank, first = is_mask ? rank - 2 : 0;
    chunk_set *sets = calloc((size_t)plan->n_levels, sizeof *sets);
    for (int l = 0; sets && l < plan->n_levels; l++) {
        int64_t n = product_checked(plan->levels[l].grid + first, rank - first);
        if (n >= 0 && n <= most_chunks && chunk_set_make(&sets[l], n))
            continue;
        while (l >= 0)
            chunk_set_release(&sets[l--]);
        free(sets);
        return NULL;
    }
    return sets;
}

static void free_sets(chunk_set *sets, const ngff_plan *plan)
{
    for (int l = 0; sets && l < plan->n_levels; l++)
        chunk_set_release(&sets[l]);
    free(sets);
}

static int64_t stage_held(const stage *s)
{
    return stage_bytes(s) + stage_table_bytes(s);
}

/* The part of the plan's memory for pixels that the pass may take. In push mode what the stages still hold counts
 * against a MEMORY that the user gave; where both do not fit, the stages leave memory. */
static int32_t share_memory(ngff_writer *w, int64_t *for_pass, error *e)
{
    const ngff_plan *plan = w->plan;
    int64_t least = plan->pixel_least, staged = 0;
    *for_pass = plan->pixel_memory;
    if (!w->is_push || plan->options.memory_bytes == 0)
        return NGFF_OK;
    int64_t most = plan->pixel_memory - least, masks = w->masks ? min_i64(stage_held(w->masks), most / 4) : 0;
    if (w->masks && stage_limit(w->masks, masks, e) == NGFF_OK)
        staged += stage_held(w->masks);
    if (e->status == NGFF_OK && stage_limit(w->pixels, most - masks, e) == NGFF_OK)
        staged += stage_held(w->pixels);
    *for_pass = max_i64(*for_pass - staged, least); /* the tables of very many chunks may leave less */
    return e->status;
}

/* Room for the checksums of masks that more than one cell brings. */
static int32_t make_masks_seen(ngff_writer *w)
{
    const ngff_plan *plan = w->plan;
    int rank = plan->image->rank;
    for (int l = 0; plan->image->has_mask && l < plan->n_levels; l++) {
        const level *at = &plan->levels[l];
        int64_t n_cells = product_checked(at->cell_grid, rank), n = product_checked(at->grid + rank - 2, 2);
        if (n_cells != n && !(w->masks_seen[l] = memory_zeroed(n, sizeof *w->masks_seen[l])))
            return NGFF_E_MEMORY;
    }
    /* A resumed run reads the masks that lie there, so it must not write them at the same time. */
    int64_t cell[MAX_RANK] = {0};
    if (w->wanted && !w->before && w->masks_seen[0])
        do
            if (!wanted_has(w->wanted, 0, cell))
                w->masks_seen[0][chunk_number(plan_mask(plan, 0), cell + rank - 2)] = mask_is_stored;
        while (wanted_next(plan, 0, cell));
    return NGFF_OK;
}

/* What the pass needs: made when the writer opens or, in push mode, when it closes. */
int32_t writer_start_pass(ngff_writer *w, error *e)
{
    ngff_plan *plan = w->plan;
    int n_workers = plan->n_threads > plan->n_readers ? plan->n_threads - plan->n_readers : 0;
    int64_t for_pass, n_cells = 0;
    cascade_host host = {.user = w, .emit = emit, .spill = spill, .fetch = fetch, .skip = skip};
    int is_counted = !w->before || w->renews_summaries || wanted_is_whole(w->wanted, 0);
    if (w->wanted) {
        host.is_wanted = change_is_wanted;
        host.supply = change_supply;
    }
    if (share_memory(w, &for_pass, e) != NGFF_OK || report_start(w->report, plan, e) != NGFF_OK)
        return e->status;
    w->budget = budget_create(for_pass);
    w->statistics = is_counted ? statistics_create(plan) : NULL;
    int32_t has_labels = label_values_create(plan, &w->labels);
    w->shards = shards_create(plan, w->store);
    w->arrays = calloc((size_t)plan->n_arrays, sizeof *w->arrays);
    w->settings = store_settings(w->store);
    if (!w->written)
        w->written = written_create(w->store, w->path);
    w->pool = pool_create(n_workers, queue_depth, enter_thread, w);
    w->orders = calloc((size_t)plan->n_levels, sizeof *w->orders);
    cascade *made = w->orders && w->budget && has_labels == NGFF_OK && (w->statistics || !is_counted) && w->shards &&
                            w->arrays && w->written && w->pool
                        ? cascade_create(plan, w->budget, w->pool, &host)
                        : NULL;
    if (made) {
        for (int i = 0; i < plan->n_arrays; i++)
            w->arrays[i] = metadata_planned_array(plan, &plan->arrays[i]);
        written_set_plan(w->written, plan);
        shards_set_listener(w->shards, note_stored, w);
        w->stored_chunks = make_sets(plan, 0);
        w->stored_mask_chunks = plan->image->has_mask ? make_sets(plan, 1) : NULL;
        if (w->before)
            change_start_sets(w);
    }
    for (int l = 0; l < plan->n_levels && made; l++)
        if (plan->levels[l].source < 0) {
            order_start(&w->orders[l], plan, l);
            n_cells += product_checked(plan->levels[l].cell_grid, plan->image->rank);
        }
    if (made && make_masks_seen(w) != NGFF_OK) {
        cascade_free(made);
        made = NULL;
    }
    pthread_mutex_lock(&w->lock); /* ngff_writer_progress may be looking, from another thread */
    w->cascade = made;
    w->n_cells = n_cells;
    pthread_mutex_unlock(&w->lock);
    return made ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

/* A writer without its pass; the error of the plan is its own. */
ngff_writer *writer_make(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = calloc(1, sizeof *w);
    if (!w) {
        s->ops->free(s);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->waiting, NULL);
    encoders_begin(&w->encoders);
    w->process = getpid();
    w->plan = plan_retain(plan);
    w->store = s;
    snprintf(w->prefix, sizeof w->prefix, "%s", plan->prefix);
    s->is_cancelled = &w->is_cancelled;
    w->path = path ? strdup(path) : NULL;
    error_copy(&w->error, &plan->error);
    if (path && !w->path)
        error_set(&w->error, NGFF_E_MEMORY, "out of memory");
    else if (path && zip_is_name(path) && plan->options.version == VERSION_04)
        error_set(&w->error, NGFF_E_OPTION, "NGFF_VERSION=0.4: %s: one file (.ozx) holds 0.5, never 0.4", path);
    return w;
}

/* A writer of a new store. */
static ngff_writer *make_new(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = writer_make(plan, s, path);
    store *one = w && plan->prefix[0] ? series_open(s, plan->prefix, 1) : NULL;
    if (w && plan->prefix[0] && !one)
        error_set(&w->error, NGFF_E_MEMORY, "out of memory");
    else if (one && strcmp(plan->prefix, "0/") != 0)
        error_set(&w->error, NGFF_E_ARGUMENT, "a store begins with its image 0 (ngff_plan_set_series)");
    if (one)
        w->store = one;
    return w;
}

/* The record has begun, or has failed. */
static int32_t start_pull(ngff_writer *w, error *e)
{
    w->is_open = w->record != NULL;
    if (w->is_open && !record_has_earlier(w->record))
        return writer_start_pass(w, e);
    atomic_store(&w->is_waiting, w->is_open);
    return e->status;
}

static ngff_writer *open_pull(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = make_new(plan, s, path);
    if (!w || w->error.status != NGFF_OK)
        return w;
    s = w->store;
    if ((plan->image->label_name && label_group_begin(plan, path, &w->error) != NGFF_OK) ||
        report_begin(plan, path, &w->report, &w->error) != NGFF_OK)
        return w;
    w->record = record_begin(plan, s, &w->error);
    start_pull(w, &w->error);
    return w;
}

/* What an earlier run has stored is read, which takes long and can be cancelled: so not in open, which gives the handle. */
int32_t writer_begin_pass(ngff_writer *w, error *e)
{
    if (!atomic_load(&w->is_waiting))
        return NGFF_OK;
    pthread_mutex_lock(&w->waiting);
    if (atomic_load(&w->is_waiting) && record_check(w->record, w->plan, &w->wanted, e) == NGFF_OK)
        writer_start_pass(w, e);
    writer_keep(w, e);
    atomic_store(&w->is_waiting, 0);
    pthread_mutex_unlock(&w->waiting);
    return writer_keep(w, e);
}

ngff_writer *writer_open_store(ngff_plan *plan, store *s)
{
    return open_pull(plan, s, NULL);
}

ngff_writer *writer_open_path(ngff_plan *plan, const char *path,
                              ngff_writer *(*open)(ngff_plan *, store *, const char *path))
{
    char *place = plan && path ? store_path_of(path) : NULL;
    store *s = place ? store_open(place) : NULL;
    ngff_writer *w = s ? open(plan, s, place) : NULL;
    free(place);
    return w;
}

char *writer_image_folder(const char *path)
{
    ngff_reader *image = ngff_reader_open(path);
    const char *group = ngff_reader_status(image) == NGFF_OK ? ngff_reader_group(image) : "";
    char *folder = image ? strdup(group[0] ? reader_path(image) : path) : NULL;
    ngff_reader_free(image);
    return folder;
}

ngff_writer *ngff_writer_open(ngff_plan *plan, const char *path)
{
    if (!plan || !path || plan->error.status != NGFF_OK || !plan->image->label_name)
        return writer_open_path(plan, path, open_pull);
    char *image = zip_is_name(path) ? strdup(path) : writer_image_folder(path); /* in one file nothing is added */
    size_t room = (image ? strlen(image) : 0) + strlen(plan->image->label_name) + 2;
    char *below = image ? malloc(room) : NULL;
    if (below)
        snprintf(below, room, "%s/%s", image, plan->image->label_name);
    ngff_writer *w = writer_open_path(plan, below, open_pull);
    free(below);
    free(image);
    return w;
}

store *writer_whole(const ngff_writer *first)
{
    return first->is_open && !first->before && first->prefix[0] ? series_whole(first->store) : first->store;
}

/* The image that a label image which comes now is of: the last that is none itself. */
static const ngff_plan *image_before(const ngff_writer *first, const char **prefix)
{
    int i = first->n_series - 1;
    while (i >= 0 && first->series[i].is_label)
        i--;
    *prefix = i < 0 ? first->prefix : first->series[i].prefix;
    return i < 0 ? first->plan : first->series[i].plan;
}

static int32_t print_prefix(const ngff_writer *first, const ngff_plan *plan, char prefix[series_longest_prefix],
                            error *e)
{
    const int is_label = plan->image && plan->image->label_name;
    const char *of = plan->prefix, *name = is_label ? plan->image->label_name : "";
    if (is_label)
        image_before(first, &of);
    int n = snprintf(prefix, series_longest_prefix, "%s%s%s", of, name, is_label ? "/" : "");
    return n < series_longest_prefix
               ? NGFF_OK
               : error_set(e, NGFF_E_ARGUMENT, "the name of the label image, %s, is longer than %d characters", name,
                           series_longest_prefix - 2);
}

static int32_t check_label(const ngff_writer *first, const ngff_plan *plan, const char *prefix, error *e)
{
    const char *of;
    const ngff_plan *image = image_before(first, &of);
    if (plan->n_levels != image->n_levels || plan->options.version != image->options.version)
        return error_set(
            e, NGFF_E_ARGUMENT,
            "the label image %s has %d levels of NGFF 0.%d, and its image %d of 0.%d: it must have as many "
            "of the same",
            plan->image->label_name, plan->n_levels, plan->options.version, image->n_levels, image->options.version);
    for (int i = 0; i < first->n_series; i++)
        if (strcmp(first->series[i].prefix, prefix) == 0)
            return error_set(e, NGFF_E_ARGUMENT, "the image has a label image %s already", plan->image->label_name);
    return NGFF_OK;
}

static int32_t check_image(const ngff_writer *first, const ngff_plan *plan, error *e)
{
    char next[sizeof plan->prefix];
    int number = 1;
    for (int i = 0; i < first->n_series; i++)
        number += !first->series[i].is_label;
    snprintf(next, sizeof next, "%d/", number);
    if (!first->prefix[0])
        return error_set(e, NGFF_E_OPTION, "several images go into a store of LAYOUT=BIOFORMATS2RAW only");
    if (strcmp(next, plan->prefix) != 0 || plan->options.version != first->plan->options.version)
        return error_set(e, NGFF_E_ARGUMENT,
                         "the next image of the store is number %d (ngff_plan_set_series), of NGFF 0.%d", number,
                         first->plan->options.version);
    return NGFF_OK;
}

static int32_t check_series(const ngff_writer *first, const ngff_plan *plan, const char *prefix, error *e)
{
    if (!first->is_open || first->is_closed || first->first || first->is_push || first->before)
        return error_set(e, NGFF_E_STATE,
                         "further images go into a store that ngff_writer_open makes, until it is closed");
    if (first->n_whole != first->n_series)
        return error_set(e, NGFF_E_STATE, "image %d of the store is not whole", first->n_series);
    if (plan->options.resume || plan->options.report)
        return error_set(e, NGFF_E_OPTION, "RESUME and REPORT are options of the first image of a store");
    return plan->image->label_name ? check_label(first, plan, prefix, e) : check_image(first, plan, e);
}

/* The image is the next one in the store of the first. */
static int32_t join_series(ngff_writer *w, ngff_writer *first, error *e)
{
    further_image *more = realloc(first->series, ((size_t)first->n_series + 1) * sizeof *more);
    if (!more)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    first->series = more;
    more += first->n_series++;
    *more = (further_image){.plan = plan_retain(w->plan), .is_label = w->plan->image->label_name != NULL};
    memcpy(more->prefix, w->prefix, sizeof more->prefix);
    w->first = first;
    w->store->is_cancelled = &first->is_cancelled; /* of all images at once */
    /* What an earlier run has stored does not pass, so that the report would not have it. */
    w->record = record_begin_further(w->plan, w->store, first->record, first->n_series, !first->report, e);
    return start_pull(w, e);
}

ngff_writer *ngff_writer_open_series(ngff_writer *first, ngff_plan *plan)
{
    error e = {0};
    char prefix[series_longest_prefix];
    if (!first || !plan || writer_is_inherited(first))
        return NULL;
    print_prefix(first, plan, prefix, &e);
    store *s = series_open(writer_whole(first), prefix, 0);
    ngff_writer *w = s ? writer_make(plan, s, s->path) : NULL;
    if (!w || w->error.status != NGFF_OK)
        return w;
    memcpy(w->prefix, prefix, sizeof prefix);
    if (e.status == NGFF_OK && check_series(first, plan, prefix, &e) == NGFF_OK && writer_verify(first) == NGFF_OK &&
        record_flush(first->record, &e) == NGFF_OK)
        join_series(w, first, &e);
    error_copy(&w->error, &e);
    error_copy(&w->error, &first->error);
    return w;
}

static int32_t first_pixels(void *user, const int64_t *index, uint8_t *pixels, error *e)
{
    const ngff_writer *w = user;
    const struct ngff_image *image = w->plan->image;
    const level *base = &w->plan->levels[0];
    int64_t strides[MAX_RANK], extent[MAX_RANK];
    int c = image->channel_axis;
    int64_t first = c < 0 ? 0 : index[c] * base->chunk[c];
    int64_t n = c < 0 ? 1 : min_i64(base->chunk[c], base->shape[c] - first);
    strides_dense(image->rank, base->chunk, image->type->size, strides);
    memcpy(extent, base->chunk, sizeof extent);
    if (c >= 0)
        extent[c] = 1;
    for (int64_t k = 0; k < n; k++)
        pixels_fill(image->rank, extent, image->type->size, pixels + (c < 0 ? 0 : k * strides[c]), strides,
                    cascade_unwritten(w->plan, first + k));
    (void)e;
    return NGFF_OK;
}

static int32_t first_mask(void *user, const int64_t *index, uint8_t *mask, error *e)
{
    const ngff_writer *w = user;
    const level *base = &w->plan->levels[0];
    int y = w->plan->image->rank - 2;
    memset(mask, 0, (size_t)(base->chunk[y] * base->chunk[y + 1]));
    (void)index;
    (void)e;
    return NGFF_OK;
}

int32_t writer_start_stage(ngff_writer *w, error *e)
{
    const ngff_plan *plan = w->plan;
    const level *base = &plan->levels[0];
    stage_host host = {w, w->before ? change_first_pixels : first_pixels, spill, fetch, goes_on};
    w->is_push = 1;
    w->pixels = stage_create("stage", plan->image->rank, base->shape, base->chunk, plan->image->type->size,
                             staging_memory(plan), &host);
    return w->pixels ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

/* Levels that the caller gives could never be written in push mode. */
static int has_given_levels(const ngff_plan *plan)
{
    int n = 0;
    for (int l = 1; l < plan->n_levels; l++)
        n += plan->levels[l].source < 0;
    return n > 0;
}

static const char not_given[] = "a plan with given levels (ngff_plan_set_given) does not go with push";

static ngff_writer *open_push(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = make_new(plan, s, path);
    if (!w || w->error.status != NGFF_OK)
        return w;
    s = w->store;
    if (has_given_levels(plan)) {
        error_set(&w->error, NGFF_E_ARGUMENT, not_given);
        return w;
    }
    if (plan->options.resume)
        error_set(&w->error, NGFF_E_OPTION,
                  "RESUME=YES needs a source that is read again from the beginning, as gdal_translate does");
    else if (writer_start_stage(w, &w->error) == NGFF_OK && report_begin(plan, path, &w->report, &w->error) == NGFF_OK)
        w->is_open = s->ops->begin(s, plan->options.overwrite, &w->error) == NGFF_OK;
    return w;
}

ngff_writer *writer_push_store(ngff_plan *plan, store *s)
{
    return open_push(plan, s, NULL);
}

ngff_writer *ngff_writer_open_push(ngff_plan *plan, const char *path)
{
    return writer_open_path(plan, path, open_push);
}

int64_t writer_pixel_peak(const ngff_writer *w)
{
    return w->budget ? budget_peak(w->budget) : 0;
}

int32_t ngff_writer_status(const ngff_writer *w)
{
    return w ? w->error.status : NGFF_E_ARGUMENT;
}

const char *ngff_writer_warning(const ngff_writer *w)
{
    return w->store && w->store->warning[0] ? w->store->warning : NULL;
}

const char *ngff_writer_error(const ngff_writer *w)
{
    return w ? w->error.message : "the writer is NULL";
}

/* -- Pixels come in ------------------------------------------------------------------------------------------------ */

int writer_is_inherited(const ngff_writer *w)
{
    return w->process != getpid();
}

/* Keeps the error of a call, or the first error of a job, in the handle. */
int32_t writer_keep(ngff_writer *w, const error *e)
{
    if (writer_is_inherited(w)) {
        if (w->error.status == NGFF_OK)
            error_set(&w->error, NGFF_E_STATE,
                      "%s: the writer belongs to the process that has opened it; a child of fork cannot use it",
                      w->path ? w->path : "the new store");
        return w->error.status;
    }
    error first = *e;
    int is_under_way = first.status == NGFF_OK && !w->is_published; /* else it is too late to cancel */
    if (is_under_way && w->cascade)
        cascade_error(w->cascade, &first);
    if (is_under_way)
        store_goes_on(w->store, &first);
    pthread_mutex_lock(&w->lock);
    int32_t status = error_copy(&w->error, &first);
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* The cells of level 0 that a region meets. */
static void cells_of(const ngff_writer *w, const box *region, int64_t *first, int64_t *last)
{
    for (int i = 0; i < region->rank; i++) {
        first[i] = region->origin[i] / w->plan->levels[0].cell[i];
        last[i] = (region->origin[i] + region->extent[i] - 1) / w->plan->levels[0].cell[i];
    }
}

/* A resumed run: whether an earlier one has stored a cell that the region meets, so that this one keeps it. */
static int meets_kept(const ngff_writer *w, const box *region)
{
    int64_t first[MAX_RANK], last[MAX_RANK], cell[MAX_RANK];
    int is_kept = 0;
    cells_of(w, region, first, last);
    memcpy(cell, first, sizeof cell);
    do
        is_kept = !wanted_has(w->wanted, 0, cell);
    while (!is_kept && count_up(region->rank, first, last, cell));
    return is_kept;
}

/* Checks that the writer takes pixels of this level and that the region lies inside it. */
static int32_t check_region(ngff_writer *w, int32_t l, const int64_t *origin, const int64_t *extent, box *region,
                            error *e)
{
    if (writer_keep(w, e) != NGFF_OK)
        return w->error.status;
    if (!w->is_open || w->is_closed || w->is_finished)
        return error_set(e, NGFF_E_STATE, "the writer is not open");
    if (l < 0 || l >= w->plan->n_levels || w->plan->levels[l].source >= 0)
        return error_set(e, NGFF_E_ARGUMENT, "level %d is not one that the caller gives", l);
    int32_t status = writer_begin_pass(w, e);
    if (status != NGFF_OK)
        return status;
    *region = box_make(w->plan->image->rank, origin, extent);
    box whole = box_make(w->plan->image->rank, NULL, w->plan->levels[l].shape);
    if (box_is_empty(region) || !box_contains(&whole, region))
        return error_set(e, NGFF_E_ARGUMENT, "the region lies outside the image or is empty");
    if (l == 0 && w->cascade && w->wanted && meets_kept(w, region))
        return error_set(e, NGFF_E_STATE,
                         "the region holds pixels that an earlier run has stored and RESUME=YES keeps; "
                         "write the regions that ngff_writer_next names");
    return NGFF_OK;
}

static const char not_in_push[] = "the writer was opened for push: it takes ngff_writer_write only";

/* A resumed run: reads a region back that an earlier one has stored. Returns 0 if it has not. */
static int supply_region(ngff_writer *w, const box *region, error *e)
{
    int64_t first[MAX_RANK], last[MAX_RANK], cell[MAX_RANK];
    cells_of(w, region, first, last);
    memcpy(cell, first, sizeof cell);
    if (wanted_has(w->wanted, 0, cell)) /* then all of the region is */
        return 0;
    do
        cascade_supply(w->cascade, 0, cell, e);
    while (e->status == NGFF_OK && count_up(region->rank, first, last, cell));
    return 1;
}

int32_t ngff_writer_level_next(ngff_writer *w, int32_t l, int64_t *origin, int64_t *extent)
{
    error e = {0};
    box region;
    if (writer_keep(w, &e) != NGFF_OK)
        return w->error.status;
    if (l < 0 || l >= w->plan->n_levels || w->plan->levels[l].source >= 0 || !w->is_open || w->is_closed)
        return 0;
    if (writer_begin_pass(w, &e) != NGFF_OK)
        return w->error.status;
    if (!w->cascade) {
        error_set(&e, NGFF_E_STATE, not_in_push);
        return writer_keep(w, &e);
    }
    int has_next, is_stored;
    do {
        pthread_mutex_lock(&w->lock);
        has_next = order_next(&w->orders[l], &region);
        pthread_mutex_unlock(&w->lock);
        is_stored = has_next && w->wanted && l == 0 && supply_region(w, &region, &e);
    } while (is_stored && writer_keep(w, &e) == NGFF_OK);
    if (e.status != NGFF_OK)
        return writer_keep(w, &e);
    if (!has_next)
        return 0;
    memcpy(origin, region.origin, (size_t)region.rank * sizeof *origin);
    memcpy(extent, region.extent, (size_t)region.rank * sizeof *extent);
    return 1;
}

int32_t ngff_writer_level_map(ngff_writer *w, int32_t l, const int64_t *origin, const int64_t *extent, void **pixels,
                              int64_t *strides, uint8_t **mask, int64_t *mask_stride)
{
    error e = {0};
    box region;
    cell *c = NULL;
    int32_t status = check_region(w, l, origin, extent, &region, &e);
    if (status == NGFF_OK && !w->cascade)
        status = error_set(&e, NGFF_E_STATE, not_in_push);
    if (status == NGFF_OK)
        status = cascade_map(w->cascade, l, &region, &c, &e);
    if (status < 0)
        return e.status ? writer_keep(w, &e) : status;
    if (status == 0)
        return 0;
    *pixels = c->pixels;
    memcpy(strides, c->strides, (size_t)region.rank * sizeof *strides);
    if (mask)
        *mask = w->plan->image->has_mask ? c->mask : NULL;
    if (mask_stride)
        *mask_stride = w->plan->levels[l].cell[region.rank - 1];
    return 1;
}

/* What a pull says of a region that it has been given. */
static int32_t say(ngff_writer *w, int32_t l, const int64_t *origin, const int64_t *extent,
                   int32_t (*to)(cascade *cs, int l, const box *region, error *e))
{
    error e = {0};
    box region;
    int32_t status = check_region(w, l, origin, extent, &region, &e);
    if (status == NGFF_OK && !w->cascade)
        error_set(&e, NGFF_E_STATE, not_in_push);
    else if (status == NGFF_OK)
        to(w->cascade, l, &region, &e);
    return writer_keep(w, &e);
}

int32_t ngff_writer_level_commit(ngff_writer *w, int32_t l, const int64_t *origin, const int64_t *extent)
{
    return say(w, l, origin, extent, cascade_commit);
}

/* The y, x part of a region. */
box writer_plane_of(const box *region)
{
    return box_make(2, region->origin + region->rank - 2, region->extent + region->rank - 2);
}

int32_t writer_start_mask_stage(ngff_writer *w, error *e)
{
    const level *base = &w->plan->levels[0];
    int y = w->plan->image->rank - 2;
    stage_host host = {w, w->before ? change_first_mask : first_mask, spill, fetch, goes_on};
    int64_t memory = staging_memory(w->plan);
    if (w->masks)
        return NGFF_OK;
    w->masks = stage_create("mask", 2, base->shape + y, base->chunk + y, 1, memory / 4, &host);
    if (!w->masks)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    return stage_limit(w->pixels, memory - memory / 4, e);
}

static void push(ngff_writer *w, const box *region, const void *pixels, const int64_t *strides, const uint8_t *mask,
                 int64_t mask_stride, error *e)
{
    box plane = writer_plane_of(region);
    int64_t mask_strides[2] = {mask_stride, 1};
    if (w->before && change_claim_pixels(w, e) != NGFF_OK)
        return;
    if (pixels && stage_write(w->pixels, region, pixels, strides, e) != NGFF_OK)
        return;
    if (mask && writer_start_mask_stage(w, e) == NGFF_OK)
        stage_write(w->masks, &plane, mask, mask_strides, e);
}

int32_t ngff_writer_level_write(ngff_writer *w, int32_t l, const int64_t *origin, const int64_t *extent,
                                const void *pixels, const int64_t *strides, const uint8_t *mask, int64_t mask_stride)
{
    error e = {0};
    box region;
    int64_t dense[MAX_RANK];
    if (check_region(w, l, origin, extent, &region, &e) != NGFF_OK)
        return writer_keep(w, &e);
    strides_dense(region.rank, region.extent, w->plan->image->type->size, dense);
    if (!w->cascade && l != 0)
        error_set(&e, NGFF_E_STATE, "only level 0 can be pushed");
    else if (!w->cascade)
        push(w, &region, pixels, strides ? strides : dense, mask, mask_stride, &e);
    else if (!pixels || (w->plan->image->has_mask && !mask))
        error_set(&e, NGFF_E_ARGUMENT, pixels ? "the image has a mask, but none was given" : "no pixels were given");
    else
        cascade_write(w->cascade, l, &region, pixels, strides ? strides : dense, mask, mask_stride, &e);
    return writer_keep(w, &e);
}

int32_t ngff_writer_level_skip(ngff_writer *w, int32_t l, const int64_t *origin, const int64_t *extent)
{
    return say(w, l, origin, extent, cascade_skip);
}

int32_t ngff_writer_next(ngff_writer *w, int64_t *origin, int64_t *extent)
{
    return ngff_writer_level_next(w, 0, origin, extent);
}

int32_t ngff_writer_map(ngff_writer *w, const int64_t *origin, const int64_t *extent, void **pixels, int64_t *strides,
                        uint8_t **mask, int64_t *mask_stride)
{
    return ngff_writer_level_map(w, 0, origin, extent, pixels, strides, mask, mask_stride);
}

int32_t ngff_writer_commit(ngff_writer *w, const int64_t *origin, const int64_t *extent)
{
    return ngff_writer_level_commit(w, 0, origin, extent);
}

int32_t ngff_writer_write(ngff_writer *w, const int64_t *origin, const int64_t *extent, const void *pixels,
                          const int64_t *strides, const uint8_t *mask, int64_t mask_stride)
{
    return ngff_writer_level_write(w, 0, origin, extent, pixels, strides, mask, mask_stride);
}

int32_t ngff_writer_read(ngff_writer *w, const int64_t *origin, const int64_t *extent, void *pixels,
                         const int64_t *strides, uint8_t *mask, int64_t mask_stride)
{
    error e = {0};
    box region;
    int64_t dense[MAX_RANK], mask_strides[2] = {mask_stride, 1};
    if (check_region(w, 0, origin, extent, &region, &e) != NGFF_OK)
        return writer_keep(w, &e);
    if (w->cascade) {
        error_set(&e, NGFF_E_STATE, "pixels can be read back only from a writer that was opened for push");
        return writer_keep(w, &e);
    }
    box plane = writer_plane_of(&region);
    strides_dense(region.rank, region.extent, w->plan->image->type->size, dense);
    if (pixels)
        stage_read(w->pixels, &region, pixels, strides ? strides : dense, &e);
    if (mask && e.status == NGFF_OK && writer_start_mask_stage(w, &e) == NGFF_OK)
        stage_read(w->masks, &plane, mask, mask_strides, &e);
    for (int64_t y = 0; mask && e.status == NGFF_OK && y < plane.extent[0]; y++)
        for (int64_t x = 0; x < plane.extent[1]; x++)
            mask[y * mask_stride + x] = mask[y * mask_stride + x] ? 255 : 0;
    return writer_keep(w, &e);
}

int32_t ngff_writer_replan(ngff_writer *w, ngff_plan *plan)
{
    error e = {0};
    if (writer_keep(w, &e) != NGFF_OK)
        return w->error.status;
    const struct ngff_image *now = w->plan->image, *then = plan ? plan->image : NULL;
    size_t bytes = (size_t)now->rank * sizeof(int64_t);
    if (!w->is_push || !w->is_open || w->is_closed || w->is_finished)
        error_set(&e, NGFF_E_STATE, "only a writer that is open for push takes another plan");
    else if (!plan || error_copy(&e, &plan->error) != NGFF_OK)
        error_set(&e, NGFF_E_ARGUMENT, "no plan was given");
    else if (strcmp(now->dims, then->dims) != 0 || now->type != then->type ||
             memcmp(w->plan->levels[0].shape, plan->levels[0].shape, bytes) != 0 ||
             memcmp(w->plan->levels[0].chunk, plan->levels[0].chunk, bytes) != 0)
        error_set(&e, NGFF_E_ARGUMENT, "the new plan has other axes, another size, data type or chunk");
    else if (has_given_levels(plan))
        error_set(&e, NGFF_E_ARGUMENT, not_given);
    if (e.status == NGFF_OK && w->before)
        change_replan(w, plan, &e);
    if (e.status != NGFF_OK)
        return writer_keep(w, &e);
    ngff_plan *replaced = w->plan;
    w->plan = plan_retain(plan);
    ngff_plan_free(replaced);
    return NGFF_OK;
}

double ngff_writer_progress(ngff_writer *w)
{
    if (writer_is_inherited(w))
        return 0.0;
    pthread_mutex_lock(&w->lock);
    int is_done = w->is_closed && w->error.status == NGFF_OK;
    cascade *running = w->cascade;
    int64_t n_cells = w->n_cells;
    pthread_mutex_unlock(&w->lock);
    if (is_done)
        return 1.0;
    return running && n_cells > 0 ? 0.999 * (double)cascade_done(running) / (double)n_cells : 0.0;
}

void ngff_writer_cancel(ngff_writer *w)
{
    error e = {.status = NGFF_E_CANCELLED, .message = "cancelled"};
    if (!w || writer_is_inherited(w))
        return;
    atomic_store(&(w->first ? w->first : w)->is_cancelled, 1);
    pthread_mutex_lock(&w->lock);
    cascade *running = w->cascade; /* one that begins now sees the mark at its first chunk */
    pthread_mutex_unlock(&w->lock);
    if (running)
        cascade_fail(running, &e);
}

void ngff_writer_free(ngff_writer *w)
{
    if (!w || writer_is_inherited(w)) /* its parent goes on: the store, its scratch and its claim stay */
        return;
    if (w->is_open && !w->is_closed) {
        error e = {.status = NGFF_E_CANCELLED, .message = "cancelled"};
        if (w->cascade)
            cascade_fail(w->cascade, &e);
        if (w->pool)
            pool_wait(w->pool);
        writer_give_up(w);
    }
    record_free(w->record);
    report_free(w->report);
    ngff_reader_free(w->preview);
    free(w->root.bytes);
    free(w->collection.bytes);
    for (int i = 0; i < w->n_series; i++) {
        ngff_plan_free(w->series[i].plan);
        free(w->series[i].root.bytes);
    }
    free(w->series);
    free_sets(w->stored_chunks, w->plan);
    free_sets(w->stored_mask_chunks, w->plan);
    for (int l = 0; l < max_levels; l++)
        free(w->masks_seen[l]);
    free(w->path);
    pool_free(w->pool);
    cascade_free(w->cascade);
    shards_free(w->shards);
    written_free(w->written);
    statistics_free(w->statistics);
    label_values_free(w->labels);
    encoders_end(&w->encoders);
    free(w->arrays);
    stage_free(w->pixels);
    stage_free(w->masks);
    wanted_free(w->wanted);
    change_free(w);
    budget_free(w->budget);
    free(w->orders);
    store_free_settings(w->store, w->settings);
    w->store->ops->free(w->store);
    ngff_plan_free(w->plan);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->waiting);
    free(w);
}
