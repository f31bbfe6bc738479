/* cells.c: the open cells of a cascade. A cell is made when its first pixel comes, found again by level and index,
 * leaves memory (spills) when the budget is full and nobody uses it, and is taken out when everything it waits for has
 * come. */
#include "cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shrink.h"

int32_t cell_out_of_memory(error *e, int64_t bytes)
{
    return error_set(e, NGFF_E_MEMORY,
                     "out of memory: %lld bytes for one block of pixels; a smaller BLOCKSIZE needs less",
                     (long long)bytes);
}

/* -- Sizes -------------------------------------------------------------------------------------------------------- */

const level *cell_level(const cascade *cs, const cell *c)
{
    return &cs->plan->levels[c->level];
}

int64_t cell_plane_bytes(const cascade *cs, const int64_t *extent)
{
    int rank = cs->plan->image->rank;
    int has_plane = cs->plan->image->has_mask || cs->plan->image->alpha >= 0;
    return has_plane ? extent[rank - 1] * extent[rank - 2] : 0;
}

static int64_t pixel_bytes(const cascade *cs, const int64_t *extent)
{
    return product_checked(extent, cs->plan->image->rank) * cs->plan->image->type->size;
}

/* Pixels and mask lie in one buffer. */
int64_t cell_buffer_bytes(const cascade *cs, const int64_t *extent)
{
    return pixel_bytes(cs, extent) + cell_plane_bytes(cs, extent);
}

const uint8_t *cascade_unwritten(const struct ngff_plan *plan, int64_t channel)
{
    static const _Alignas(16) uint8_t zero[16];
    return plan->image->channels[channel].has_nodata ? plan->image->channels[channel].nodata : zero;
}

/* Calls per channel of a box: extent 1 on axis c. Images without axis c have one channel. */
int64_t cell_channel_count(const cascade *cs, const box *b)
{
    int c = cs->plan->image->channel_axis;
    return c < 0 ? 1 : b->extent[c];
}

box cell_channel_box(const cascade *cs, const box *b, int64_t k)
{
    int c = cs->plan->image->channel_axis;
    box one = *b;
    if (c >= 0) {
        one.origin[c] += k;
        one.extent[c] = 1;
    }
    return one;
}

int64_t cell_channel(const cascade *cs, const box *one)
{
    int c = cs->plan->image->channel_axis;
    return c < 0 ? 0 : one->origin[c];
}

/* Sets every pixel of a dense array over box b to its channel's value for "never written". */
void cell_fill_unwritten(const cascade *cs, const box *b, uint8_t *pixels, const int64_t *strides)
{
    const struct ngff_image *image = cs->plan->image;
    for (int64_t k = 0; k < cell_channel_count(cs, b); k++) {
        box one = cell_channel_box(cs, b, k);
        pixels_fill(image->rank, one.extent, image->type->size,
                    pixels + strides_offset(image->rank, strides, b->origin, one.origin), strides,
                    cascade_unwritten(cs->plan, cell_channel(cs, &one)));
    }
}

/* -- Cells: make, find, free -------------------------------------------------------------------------------------- */

box cell_box(const level *at, int rank, const int64_t *index)
{
    int64_t origin[MAX_RANK];
    for (int i = 0; i < rank; i++)
        origin[i] = index[i] * at->cell[i];
    box cell = box_make(rank, origin, at->cell), whole = box_make(rank, NULL, at->shape);
    return box_intersect(&cell, &whole);
}

/* Children of a cell: cells of its source level that touch the block it needs. */
static int64_t count_children(const cascade *cs, const level *at, const box *block)
{
    const level *from = &cs->plan->levels[at->source];
    int64_t n = 1;
    for (int i = 0; i < block->rank; i++) {
        int64_t first = block->origin[i] / from->cell[i];
        int64_t last = (block->origin[i] + block->extent[i] - 1) / from->cell[i];
        n *= last - first + 1;
    }
    return n;
}

int32_t cell_take_pixels(cascade *cs, cell *c)
{
    const level *at = cell_level(cs, c);
    strides_dense(cs->plan->image->rank, at->cell, cs->plan->image->type->size, c->strides);
    c->pixels = budget_take(cs->budget, cell_buffer_bytes(cs, at->cell));
    if (c->pixels && cell_plane_bytes(cs, at->cell) > 0)
        c->mask = c->pixels + pixel_bytes(cs, at->cell);
    return c->pixels ? NGFF_OK : NGFF_E_MEMORY;
}

static int32_t take_gathered(cascade *cs, cell *c, const box *block)
{
    gathered *g = calloc(1, sizeof *g);
    if (!g)
        return NGFF_E_MEMORY;
    c->gathered = g;
    g->box = *block;
    strides_dense(block->rank, block->extent, cs->plan->image->type->size, g->strides);
    g->pixels = budget_take(cs->budget, cell_buffer_bytes(cs, block->extent));
    if (!g->pixels)
        return NGFF_E_MEMORY;
    cell_fill_unwritten(cs, block, g->pixels, g->strides);
    if (cell_plane_bytes(cs, block->extent) > 0) {
        g->mask = g->pixels + pixel_bytes(cs, block->extent);
        memset(g->mask, 0, (size_t)cell_plane_bytes(cs, block->extent));
    }
    return NGFF_OK;
}

void cell_give_gathered(cascade *cs, cell *c)
{
    if (c->gathered)
        budget_give(cs->budget, c->gathered->pixels, cell_buffer_bytes(cs, c->gathered->box.extent));
    free(c->gathered);
    c->gathered = NULL;
}

void cell_free(cascade *cs, cell *c)
{
    if (!c)
        return;
    cell_give_gathered(cs, c);
    budget_give(cs->budget, c->pixels, cell_buffer_bytes(cs, cell_level(cs, c)->cell));
    free(c->written);
    free(c);
}

/* Children of a fused cell along an axis: the first one and their number. */
int64_t cell_first_child(const cascade *cs, const cell *c, int axis, int64_t *n)
{
    const level *at = &cs->plan->levels[c->level], *from = &cs->plan->levels[at->source];
    int64_t begin = c->box.origin[axis] * at->ratio[axis];
    int64_t end = min_i64((c->box.origin[axis] + c->box.extent[axis]) * at->ratio[axis], from->shape[axis]);
    *n = (end - 1) / from->cell[axis] - begin / from->cell[axis] + 1;
    return begin / from->cell[axis];
}

/* True for cells that remember which children are missing, and so need no first value: nearly all get every child, and
 * filling them first cost 1 % of the run. */
int cell_keeps_missing(const cascade *cs, const cell *c)
{
    int64_t n_children = 1, n;
    if (cs->plan->levels[c->level].source < 0 || !plan_is_fused(cs->plan, c->level))
        return 0;
    for (int i = 0; i < c->box.rank; i++) {
        cell_first_child(cs, c, i, &n);
        n_children *= n;
    }
    return n_children <= 64;
}

/* A new cell with its memory; what is never written in it reads as nodata or 0. is_whole: all pixels will come at
 * once, so they need no first value. */
cell *cell_make(cascade *cs, int l, const int64_t *index, int is_whole)
{
    const struct ngff_plan *plan = cs->plan;
    const level *at = &plan->levels[l];
    int rank = plan->image->rank;
    cell *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->level = l;
    memcpy(c->index, index, sizeof c->index);
    c->box = cell_box(at, rank, index);
    int32_t status;
    if (at->source < 0 || plan_is_fused(plan, l)) {
        status = cell_take_pixels(cs, c);
        if (status == NGFF_OK && !is_whole && !cell_keeps_missing(cs, c)) {
            cell_fill_unwritten(cs, &c->box, c->pixels, c->strides);
            if (c->mask)
                memset(c->mask, 0, (size_t)cell_plane_bytes(cs, at->cell));
        }
    } else {
        box block = reduce_source_box(plan->resampling, rank, at->ratio, plan->levels[at->source].shape, &c->box);
        status = take_gathered(cs, c, &block);
    }
    if (at->source < 0)
        c->remaining = box_volume(&c->box);
    else {
        box block = reduce_source_box(plan->resampling, rank, at->ratio, plan->levels[at->source].shape, &c->box);
        c->remaining = count_children(cs, at, &block);
    }
    if (cell_keeps_missing(cs, c))
        c->missing = UINT64_MAX >> (64 - c->remaining);
    if (status != NGFF_OK) {
        cell_free(cs, c);
        return NULL;
    }
    return c;
}

/* A cell of any level with room for its pixels, which waits for no child. */
cell *cell_make_supplied(cascade *cs, int l, const int64_t *index)
{
    cell *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->level = l;
    c->is_supplied = 1;
    memcpy(c->index, index, sizeof c->index);
    c->box = cell_box(&cs->plan->levels[l], cs->plan->image->rank, index);
    if (cell_take_pixels(cs, c) == NGFF_OK)
        return c;
    cell_free(cs, c);
    return NULL;
}

static cell **bucket_of(cascade *cs, int l, const int64_t *index)
{
    uint64_t hash = (uint64_t)l * 0x9E3779B97F4A7C15u;
    for (int i = 0; i < cs->plan->image->rank; i++)
        hash = (hash ^ (uint64_t)index[i]) * 0xD6E8FEB86659FD93u;
    return &cs->buckets[hash >> 32 & (n_buckets - 1)];
}

/* The open cell, or NULL. The lock is held. */
cell *cell_find(cascade *cs, int l, const int64_t *index)
{
    size_t bytes = (size_t)cs->plan->image->rank * sizeof *index;
    for (cell *c = *bucket_of(cs, l, index); c; c = c->next)
        if (c->level == l && memcmp(c->index, index, bytes) == 0)
            return c;
    return NULL;
}

void cell_insert(cascade *cs, cell *c)
{
    cell **bucket = bucket_of(cs, c->level, c->index);
    c->next = *bucket;
    *bucket = c;
}

void cell_remove(cascade *cs, cell *c)
{
    cell **at = bucket_of(cs, c->level, c->index);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = NULL;
}

/* -- Spilling: an open cell that nobody touches leaves memory when the budget is full ------------------------------ */

static void spill_key(const cascade *cs, const cell *c, char key[160])
{
    int n = snprintf(key, 160, "cell-%d", c->level);
    for (int i = 0; i < cs->plan->image->rank; i++)
        n += snprintf(key + n, (size_t)(160 - n), "-%lld", (long long)c->index[i]);
}

/* The one buffer that an open cell holds. */
static uint8_t **open_buffer(cascade *cs, cell *c, int64_t *bytes)
{
    *bytes = cell_buffer_bytes(cs, c->gathered ? c->gathered->box.extent : cell_level(cs, c)->cell);
    return c->gathered ? &c->gathered->pixels : &c->pixels;
}

/* The open cell that was touched longest ago and is not in use; NULL if there is none. The lock is held. */
static cell *oldest_cell(cascade *cs)
{
    cell *oldest = NULL;
    for (int i = 0; i < n_buckets; i++)
        for (cell *c = cs->buckets[i]; c; c = c->next)
            /* A complete cell is still here while count_down waits. */
            if (c->n_pins == 0 && c->remaining > 0 && !c->is_spilling && !c->is_spilled && !c->is_mapped &&
                (!oldest || c->touched < oldest->touched))
                oldest = c;
    return oldest;
}

/* Makes room for bytes more, as far as open cells can leave. The lock is held, and let go while bytes move. */
int32_t cell_make_room(cascade *cs, int64_t bytes_needed, error *e)
{
    cell *c;
    while (budget_is_over(cs->budget, bytes_needed) && (c = oldest_cell(cs))) {
        int64_t bytes;
        char key[160];
        uint8_t **buffer = open_buffer(cs, c, &bytes);
        spill_key(cs, c, key);
        c->is_spilling = 1;
        pthread_mutex_unlock(&cs->lock);
        int32_t status = cs->host.spill(cs->host.user, key, *buffer, (size_t)bytes, e);
        pthread_mutex_lock(&cs->lock);
        c->is_spilling = 0;
        if (status == NGFF_OK && c->n_pins == 0) { /* else somebody waits to put pixels in, and it stays */
            budget_give(cs->budget, *buffer, bytes);
            *buffer = NULL;
            c->is_spilled = 1;
        }
        pthread_cond_broadcast(&cs->changed);
        if (status != NGFF_OK)
            return status;
    }
    return NGFF_OK;
}

/* Brings a spilled cell back. The lock is held; the caller has pinned the cell. */
int32_t cell_unspill(cascade *cs, cell *c, error *e)
{
    int64_t bytes;
    char key[160];
    uint8_t **buffer = open_buffer(cs, c, &bytes);
    spill_key(cs, c, key);
    *buffer = budget_take(cs->budget, bytes);
    if (!*buffer)
        return cell_out_of_memory(e, bytes);
    /* Under the lock: only runs that have too little memory come here. */
    int32_t status = cs->host.fetch(cs->host.user, key, *buffer, (size_t)bytes, e);
    uint8_t **mask = c->gathered ? &c->gathered->mask : &c->mask;
    if (*mask)
        *mask = *buffer + pixel_bytes(cs, c->gathered ? c->gathered->box.extent : cell_level(cs, c)->cell);
    c->is_spilled = 0;
    return status;
}

int32_t cell_written_twice(const box *region, error *e)
{
    int n = 0;
    char at[128] = "";
    for (int i = 0; i < region->rank; i++)
        n += snprintf(at + n, sizeof at - (size_t)n, "%s%lld", i ? ", " : "", (long long)region->origin[i]);
    return error_set(e, NGFF_E_STATE, "pixels at (%s) were written already; each pixel may be written once", at);
}

/* Bytes that an open cell holds: its pixels, or the block that it gathers. */
static int64_t open_bytes(const cascade *cs, int l, const int64_t *index)
{
    const struct ngff_plan *plan = cs->plan;
    const level *at = &plan->levels[l];
    if (at->source < 0 || plan_is_fused(plan, l))
        return cell_buffer_bytes(cs, at->cell);
    box to = cell_box(at, plan->image->rank, index);
    box block = reduce_source_box(plan->resampling, plan->image->rank, at->ratio, plan->levels[at->source].shape, &to);
    return cell_buffer_bytes(cs, block.extent);
}

/* The open cell once its pixels may change, or NULL: waits while they are being written out, and keeps them. */
static cell *find_unspilling(cascade *cs, int l, const int64_t *index)
{
    cell *c;
    while ((c = cell_find(cs, l, index)) && c->is_spilling) {
        c->n_pins++;
        pthread_cond_wait(&cs->changed, &cs->lock);
        c->n_pins--;
    }
    return c;
}

/* Finds or makes the open cell and pins it. NULL: the error is in e. */
cell *cell_touch(cascade *cs, int l, const int64_t *index, error *e)
{
    pthread_mutex_lock(&cs->lock);
    cell *c = find_unspilling(cs, l, index);
    int32_t status = NGFF_OK;
    if (!c || c->is_spilled) {
        status = cell_make_room(cs, open_bytes(cs, l, index), e);
        c = find_unspilling(cs, l, index); /* the lock was let go */
    }
    if (status == NGFF_OK && c && c->is_mapped)
        status = cell_written_twice(&c->box, e);
    if (status == NGFF_OK && !c) {
        c = cell_make(cs, l, index, 0);
        if (c)
            cell_insert(cs, c);
        else
            status = cell_out_of_memory(e, cell_buffer_bytes(cs, cs->plan->levels[l].cell));
    }
    if (status == NGFF_OK) {
        c->n_pins++;
        c->touched = ++cs->clock;
        if (c->is_spilled && (status = cell_unspill(cs, c, e)) != NGFF_OK)
            c->n_pins--;
    }
    pthread_mutex_unlock(&cs->lock);
    return status == NGFF_OK ? c : NULL;
}

static int64_t done_bit(const cascade *cs, int l, const int64_t *index)
{
    int64_t bit = 0;
    for (int i = 0; i < cs->plan->image->rank; i++)
        bit = bit * cs->plan->levels[l].cell_grid[i] + index[i];
    return bit;
}

/* True when all pixels of the cell have come. The lock is held. */
int cell_is_done(const cascade *cs, int l, const int64_t *index)
{
    int64_t bit = done_bit(cs, l, index);
    return cs->done[l][bit / 8] >> (bit % 8) & 1;
}

void cell_set_done(cascade *cs, int l, const int64_t *index)
{
    int64_t bit = done_bit(cs, l, index);
    cs->done[l][bit / 8] |= (uint8_t)(1 << (bit % 8));
}

/* Lets go of a touched cell and counts what has come (0: nothing, after an error). Returns 1 to the one call that
 * completes the cell; it is then the caller's. */
int cell_count_down(cascade *cs, cell *c, int64_t n, uint64_t come)
{
    pthread_mutex_lock(&cs->lock);
    c->n_pins--;
    c->remaining -= n;
    c->missing &= ~come;
    int is_complete = n > 0 && c->remaining == 0;
    if (is_complete) {
        while (c->n_pins > 0) /* a write that is being refused */
            pthread_cond_wait(&cs->changed, &cs->lock);
        cell_remove(cs, c);
        if (cell_level(cs, c)->source < 0)
            cell_set_done(cs, c->level, c->index);
    } else if (n == 0)
        pthread_cond_broadcast(&cs->changed);
    pthread_mutex_unlock(&cs->lock);
    return is_complete;
}
