/* pass.c: what a pass does, in the order of the flow: a finished cell becomes chunks, and those that hold more than fill are
 * encoded and go to their shard or to the store. The cascade calls `emit` on any thread. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grid.h"
#include "base/sizes.h"
#include "codec/codec.h"
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

/* Remembers whether a chunk is stored, and its digest. Returns true if it holds only fill. has_gone (or NULL): it is true,
 * and the chunk may have been stored before. */
static int remember(ngff_writer *w, int row, const int64_t *index, const uint8_t *pixels, int *has_gone)
{
    const planned_array *a = &w->plan->arrays[row];
    chunk_set *stored = w->stored_chunks ? &w->stored_chunks[row] : NULL;
    int is_fill = pixels_all_equal(pixels, product_checked(a->chunk, a->rank), a->type->size, a->fill);
    report_chunk(w->report, row, index, pixels);
    if (has_gone)
        *has_gone = is_fill && (!stored || !stored->bits || chunk_set_has(stored, grid_place(a->rank, a->grid, index)));
    if (stored && is_fill)
        chunk_set_remove(stored, grid_place(a->rank, a->grid, index));
    else if (stored)
        chunk_set_add(stored, grid_place(a->rank, a->grid, index));
    return is_fill;
}

/* Stores a chunk of a level or a mask, unless it holds only fill. */
static int32_t put_chunk(ngff_writer *w, encoder *one, int row, const int64_t *index, const uint8_t *pixels, error *e)
{
    const planned_array *a = &w->plan->arrays[row];
    const uint8_t *bytes = NULL;
    char key[192], name[128];
    size_t n = 0;
    int has_gone = 0, is_fill = remember(w, row, index, pixels, &has_gone);
    if (has_gone && a->level == 0 && w->mode == MODE_CHANGE && change_note_gone(w, e) != NGFF_OK)
        return e->status;
    if (!is_fill && encoder_encode(one, &w->arrays[row], pixels, &bytes, &n, e) != NGFF_OK)
        return e->status;
    if (a->shard)
        return shards_add(w->shards, a->level, index, bytes, n, e);
    if (is_fill && w->mode != MODE_CHANGE)
        return note_stored(w, row, index, NULL, NULL, 0, e);
    array_chunk_key(&w->arrays[row], index, name);
    snprintf(key, sizeof key, "%s/%s", a->path, name);
    if (is_fill)
        return w->store->writing->remove(w->store, key, e);
    int32_t status = w->store->writing->put(w->store, key, bytes, n, e);
    return status == NGFF_OK ? note_stored(w, row, index, key, bytes, n, e) : status;
}

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
    seen += grid_place(2, at->grid + y, c->index + y);
    pthread_mutex_lock(&w->lock);
    uint64_t before = *seen;
    if (!(before & mask_is_known))
        *seen = before | mask_is_known | checksum;
    pthread_mutex_unlock(&w->lock);
    if ((before & mask_is_known) && (uint32_t)before != checksum && at->source < 0)
        return cascade_masks_differ(c->box.origin[y], c->box.origin[y + 1], e);
    return before == 0;
}

cell_chunk cell_chunk_first(const ngff_plan *plan, const cell *c)
{
    const level *at = &plan->levels[c->level];
    int rank = plan->image->rank, axis = plan->image->channel_axis;
    int64_t last[MAX_RANK];
    cell_chunk first = {.n = axis < 0 ? 1 : ceil_div(c->box.extent[axis], at->chunk[axis]),
                        .size_bytes = product_checked(at->chunk, rank) * plan->image->type->size,
                        .axis = axis};
    grid_meet(&c->box, at->chunk, first.index, last);
    return first;
}

void cell_chunk_step(cell_chunk *at)
{
    at->k++;
    at->offset += at->size_bytes;
    if (at->axis >= 0)
        at->index[at->axis]++;
}

/* Of a cell that is stored already: just the chunks that hold more than fill are. */
static void remember_cell(ngff_writer *w, const cell *c)
{
    for (cell_chunk at = cell_chunk_first(w->plan, c); at.k < at.n; cell_chunk_step(&at))
        remember(w, c->level, at.index, c->pixels + at.offset, NULL);
    if (w->plan->image->has_mask)
        remember(w, w->plan->n_levels + c->level, c->index + w->plan->image->rank - 2, c->mask, NULL);
}

/* Another program stores the cell, or has, and looks at its pixels. */
static int is_others(const ngff_writer *w, const cell *c)
{
    return w->part ? !part_owns(w->part, c->level, c->index) : w->mode == MODE_JOIN && c->is_supplied;
}

/* A finished cell: its mask, then its chunks. */
static int32_t emit(void *user, const cell *c, error *e)
{
    ngff_writer *w = user;
    const ngff_plan *plan = w->plan;
    cell_chunk at = cell_chunk_first(plan, c);
    if (is_others(w, c))
        return NGFF_OK;
    if (w->statistics && statistics_add(w->statistics, c, e) != NGFF_OK)
        return e->status;
    label_values_add(w->labels, c);
    if (c->is_supplied) {
        remember_cell(w, c);
        return plan->image->has_mask && is_first_of_mask(w, c, e) < 0 ? e->status : NGFF_OK;
    }
    encoder *one = encoder_take(&w->encoders, &w->arrays[0]);
    if (!one)
        return error_set(e, NGFF_E_MEMORY, "out of memory for an encoded chunk of %lld bytes",
                         (long long)at.size_bytes);
    if (is_first_of_mask(w, c, e) == 1) /* before the pixels: a chunk that is noted has its mask */
        put_chunk(w, one, plan->n_levels + c->level, c->index + plan->image->rank - 2, c->mask, e);
    for (; e->status == NGFF_OK && store_goes_on(w->store, e) == NGFF_OK && at.k < at.n; cell_chunk_step(&at))
        put_chunk(w, one, c->level, at.index, c->pixels + at.offset, e);
    encoder_give(&w->encoders, one);
    return e->status;
}

/* A cell is left out: its shard need not wait for it. */
static int32_t skip(void *user, const cell *c, error *e)
{
    ngff_writer *w = user;
    if (is_others(w, c))
        return NGFF_OK;
    if (w->statistics)
        statistics_skip(w->statistics, c);
    label_values_skip(w->labels);
    if (!w->plan->levels[c->level].is_sharded)
        return NGFF_OK;
    for (cell_chunk at = cell_chunk_first(w->plan, c); e->status == NGFF_OK && at.k < at.n; cell_chunk_step(&at))
        shards_add(w->shards, c->level, at.index, NULL, 0, e);
    return e->status;
}

int32_t writer_spill(void *user, const char *key, const void *bytes, size_t n, error *e)
{
    ngff_writer *w = user;
    return w->store->writing->scratch_put(w->store, key, bytes, n, e);
}

int32_t writer_fetch(void *user, const char *key, void *bytes, size_t n, error *e)
{
    ngff_writer *w = user;
    return w->store->writing->scratch_get(w->store, key, bytes, n, e);
}

static int is_of_part(void *user, int l, const int64_t *index)
{
    return part_makes(((const ngff_writer *)user)->part, l, index);
}

static void limit_to_part(void *user, int l, const int64_t *index, box *pixels)
{
    part_limit(((const ngff_writer *)user)->part, l, index, pixels);
}

static void enter_thread(void *user)
{
    const ngff_writer *w = user;
    store_enter_thread(w->store, w->settings);
}

/* -- Start --------------------------------------------------------------------------------------------------------- */

/* One set per array. Where one of the levels, or of the masks, would be too large, nothing is recorded of these. */
static chunk_set *make_sets(const ngff_plan *plan)
{
    static const int64_t most_chunks = (int64_t)1 << 33; /* 1 GiB of bits */
    chunk_set *sets = calloc((size_t)plan->n_arrays, sizeof *sets);
    for (int first = 0; sets && first < plan->n_arrays; first += plan->n_levels) {
        int is_made = 1;
        for (int i = first; i < first + plan->n_levels && is_made; i++) {
            int64_t n = product_checked(plan->arrays[i].grid, plan->arrays[i].rank);
            is_made = n >= 0 && n <= most_chunks && chunk_set_make(&sets[i], n);
        }
        for (int i = first; i < first + plan->n_levels && !is_made; i++)
            chunk_set_release(&sets[i]);
    }
    return sets;
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
    if (w->mode == MODE_PULL || w->mode == MODE_JOIN || plan->options.memory_bytes == 0)
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
    if (w->wanted && w->mode == MODE_PULL && w->masks_seen[0])
        do
            if (!wanted_has(w->wanted, 0, cell))
                w->masks_seen[0][grid_place(2, plan->levels[0].grid + rank - 2, cell + rank - 2)] = mask_is_stored;
        while (wanted_next(plan, 0, cell));
    return NGFF_OK;
}

int32_t writer_start_pass(ngff_writer *w, error *e)
{
    ngff_plan *plan = w->plan;
    int n_workers = plan->n_threads > plan->n_readers ? plan->n_threads - plan->n_readers : 0;
    int64_t for_pass, n_cells = 0;
    cascade_host host = {.user = w, .emit = emit, .spill = writer_spill, .fetch = writer_fetch, .skip = skip};
    int is_counted = w->mode != MODE_CHANGE || w->renews_summaries || wanted_is_whole(w->wanted, 0);
    if (w->wanted) {
        host.is_wanted = change_is_wanted;
        host.supply = change_supply;
    }
    if (w->part) {
        host.is_wanted = is_of_part;
        host.limit = limit_to_part;
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
        w->stored_chunks = plan->is_unfilled ? NULL : make_sets(plan);
        if (w->mode == MODE_CHANGE)
            change_start_sets(w);
    }
    for (int l = 0; l < plan->n_levels && made; l++)
        if (plan->levels[l].source < 0) {
            order_start(&w->orders[l], plan, l);
            n_cells += product_checked(plan->levels[l].cell_grid, plan->image->rank);
        }
    if (w->part)
        n_cells = part_cell_count(w->part);
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
