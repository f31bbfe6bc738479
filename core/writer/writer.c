/* writer.c: pixels come in, on the caller's threads. The flow of them:
 *
 *     region -> cells (pyramid/) -> statistics -> chunks that hold more than fill -> codec -> shard or store
 *
 * open.c makes the writer. The cascade runs finished cells on the caller's threads or on the pool's workers, and each comes
 * through `emit` in pass.c. close.c waits, completes what is open, writes the metadata and publishes. Hosts that push fill a
 * stage instead; close then takes its pixels through the same pass. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader/reader.h"
#include "writer/writer.h"

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

void writer_enter(ngff_writer *w, writer_phase phase)
{
    pthread_mutex_lock(&w->lock); /* ngff_writer_progress may be looking, from another thread */
    w->phase = phase;
    pthread_mutex_unlock(&w->lock);
}

int writer_is_open(const ngff_writer *w)
{
    return w->phase == PHASE_OPEN || w->phase == PHASE_FINISHED;
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
    int is_under_way = first.status == NGFF_OK && w->phase < PHASE_PUBLISHED; /* else it is too late to cancel */
    if (is_under_way && w->cascade)
        cascade_error(w->cascade, &first);
    if (is_under_way)
        store_goes_on(w->store, &first);
    pthread_mutex_lock(&w->lock);
    int32_t status = error_copy(&w->error, &first);
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* A resumed run: whether an earlier one has stored a cell that the region meets, so that this one keeps it. */
static int meets_kept(const ngff_writer *w, const box *region)
{
    int64_t first[MAX_RANK], last[MAX_RANK], cell[MAX_RANK];
    int is_kept = 0;
    grid_meet(region, w->plan->levels[0].cell, first, last);
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
    if (w->phase != PHASE_OPEN)
        return error_set(e, NGFF_E_STATE, "the writer is not open");
    if (w->mode == MODE_JOIN)
        return error_set(e, NGFF_E_STATE, "all parts are there: no pixels are taken any more");
    if (l < 0 || l >= w->plan->n_levels || w->plan->levels[l].source >= 0)
        return error_set(e, NGFF_E_ARGUMENT, "level %d is not one that the caller gives", l);
    int32_t status = writer_begin_pass(w, e);
    if (status != NGFF_OK)
        return status;
    *region = box_make(w->plan->image->rank, origin, extent);
    box whole = box_make(w->plan->image->rank, NULL, w->plan->levels[l].shape);
    if (box_is_empty(region) || !box_contains(&whole, region))
        return error_set(e, NGFF_E_ARGUMENT, "the region lies outside the image or is empty");
    if (w->part && !part_takes(w->part, region))
        return error_set(e, NGFF_E_ARGUMENT,
                         "the region holds pixels of another part; write the regions that ngff_writer_next names");
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
    grid_meet(region, w->plan->levels[0].cell, first, last);
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
    if (l < 0 || l >= w->plan->n_levels || w->plan->levels[l].source >= 0 || !writer_is_open(w) || w->mode == MODE_JOIN)
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
        has_next = w->part ? part_next(w->part, &region) : order_next(&w->orders[l], &region);
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

static void push(ngff_writer *w, const box *region, const void *pixels, const int64_t *strides, const uint8_t *mask,
                 int64_t mask_stride, error *e)
{
    box plane = writer_plane_of(region);
    int64_t mask_strides[2] = {mask_stride, 1};
    if (w->mode == MODE_CHANGE && change_claim_pixels(w, e) != NGFF_OK)
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
    if (w->mode == MODE_PULL || w->mode == MODE_JOIN || w->phase != PHASE_OPEN)
        error_set(&e, NGFF_E_STATE, "only a writer that is open for push takes another plan");
    else if (!plan || error_copy(&e, &plan->error) != NGFF_OK)
        error_set(&e, NGFF_E_ARGUMENT, "no plan was given");
    else if (strcmp(now->dims, then->dims) != 0 || now->type != then->type ||
             memcmp(w->plan->levels[0].shape, plan->levels[0].shape, bytes) != 0 ||
             memcmp(w->plan->levels[0].chunk, plan->levels[0].chunk, bytes) != 0)
        error_set(&e, NGFF_E_ARGUMENT, "the new plan has other axes, another size, data type or chunk");
    else
        writer_refuse_given(plan, &e);
    if (e.status == NGFF_OK && w->mode == MODE_CHANGE)
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
    int is_done = w->phase == PHASE_CLOSED && w->error.status == NGFF_OK;
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
    if (writer_is_open(w)) {
        error e = {.status = NGFF_E_CANCELLED, .message = "cancelled"};
        if (w->cascade)
            cascade_fail(w->cascade, &e);
        if (w->pool)
            pool_wait(w->pool);
        writer_give_up(w);
    }
    part_free(w->part);
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
    chunk_sets_free(w->stored_chunks, w->plan->n_arrays);
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
