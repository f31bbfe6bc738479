/* cells.c: the open cells of a cascade. A cell is made when its first pixel comes, found again by level and index,
 * leaves memory (spills) when the budget is full and nobody uses it, and is taken out when everything it waits for has
 * come. */
#include "pyramid/cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyramid/shrink.h"

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
static int64_t buffer_bytes(const cascade *cs, const int64_t *extent)
{
    return pixel_bytes(cs, extent) + cell_plane_bytes(cs, extent);
}

const uint8_t *cascade_unwritten(const struct ngff_plan *plan, int64_t channel)
{
    static const _Alignas(16) uint8_t zero[16];
    return plan->image->channels[channel].has_nodata ? plan->image->channels[channel].nodata : zero;
}

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

box cell_box(const cascade *cs, int l, const int64_t *index)
{
    const level *at = &cs->plan->levels[l];
    box b = grid_box(cs->plan->image->rank, at->shape, at->cell, index);
    if (cs->host.limit)
        cs->host.limit(cs->host.user, l, index, &b);
    return b;
}

box cell_source(const cascade *cs, const cell *c)
{
    return straddle_source(cs->axes[c->level], &c->box);
}

/* Bytes of the memory of a cell: pixels and mask, then the strips. What the plan says, also where less would do, so
 * that one cell leaves memory that any other can use. */
static int64_t memory_bytes(const cascade *cs, const cell *c)
{
    const level *at = cell_level(cs, c);
    int64_t bytes = ceil_div(buffer_bytes(cs, at->cell), 64) * 64 + (c->strips ? c->strips->bytes : 0);
    return max_i64(bytes, at->cell_bytes);
}

uint8_t *cell_strip(const cascade *cs, const cell *c, int i, uint8_t **mask)
{
    const strip *s = &c->strips->strip[i];
    uint8_t *pixels = c->pixels + ceil_div(buffer_bytes(cs, cell_level(cs, c)->cell), 64) * 64 + s->offset;
    *mask = cell_plane_bytes(cs, s->from.extent) > 0 ? pixels + pixel_bytes(cs, s->from.extent) : NULL;
    return pixels;
}

static int32_t take_memory(cascade *cs, cell *c)
{
    const level *at = cell_level(cs, c);
    int64_t size = cs->plan->image->type->size;
    strides_dense(c->box.rank, at->cell, size, c->strides);
    if (at->source >= 0 && !c->is_supplied && !plan_is_fused(cs->plan, c->level)) {
        c->strips = straddle_strips(cs->axes[c->level], &c->box, size, cell_plane_bytes(cs, at->cell) > 0);
        if (!c->strips)
            return NGFF_E_MEMORY;
    }
    c->pixels = budget_take(cs->budget, memory_bytes(cs, c));
    if (c->pixels && cell_plane_bytes(cs, at->cell) > 0)
        c->mask = c->pixels + pixel_bytes(cs, at->cell);
    return c->pixels ? NGFF_OK : NGFF_E_MEMORY;
}

void cell_free(cascade *cs, cell *c)
{
    if (!c)
        return;
    budget_give(cs->budget, c->pixels, memory_bytes(cs, c));
    free(c->strips);
    free(c->written);
    free(c);
}

int64_t cell_first_child(const cascade *cs, const cell *c, int axis, int64_t *n)
{
    const level *from = &cs->plan->levels[cell_level(cs, c)->source];
    box source = cell_source(cs, c);
    int64_t begin = source.origin[axis], end = begin + source.extent[axis];
    *n = (end - 1) / from->cell[axis] - begin / from->cell[axis] + 1;
    return begin / from->cell[axis];
}

static int64_t count_children(const cascade *cs, const cell *c)
{
    int64_t n_children = 1, n;
    for (int i = 0; i < c->box.rank; i++) {
        cell_first_child(cs, c, i, &n);
        n_children *= n;
    }
    return n_children;
}

int cell_keeps_missing(const cascade *cs, const cell *c)
{
    return cell_level(cs, c)->source >= 0 && count_children(cs, c) <= 64;
}

/* What is never written reads as nodata or 0, and does not count. */
static void fill_first(const cascade *cs, cell *c)
{
    cell_fill_unwritten(cs, &c->box, c->pixels, c->strides);
    if (c->mask)
        memset(c->mask, 0, (size_t)cell_plane_bytes(cs, cell_level(cs, c)->cell));
    for (int i = 0; c->strips && i < c->strips->n; i++) {
        const strip *s = &c->strips->strip[i];
        uint8_t *mask, *pixels = cell_strip(cs, c, i, &mask);
        cell_fill_unwritten(cs, &s->from, pixels, s->strides);
        if (mask)
            memset(mask, 0, (size_t)cell_plane_bytes(cs, s->from.extent));
    }
}

cell *cell_make_empty(cascade *cs, int l, const int64_t *index)
{
    const level *at = &cs->plan->levels[l];
    cell *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->level = l;
    c->is_empty = 1;
    memcpy(c->index, index, sizeof c->index);
    c->box = cell_box(cs, l, index);
    c->remaining = at->source < 0 ? box_volume(&c->box) : count_children(cs, c);
    if (cell_keeps_missing(cs, c))
        c->missing = UINT64_MAX >> (64 - c->remaining);
    return c;
}

/* Gives an empty cell its memory. is_whole: all pixels will come at once, so they need no first value. */
static int32_t cell_furnish(cascade *cs, cell *c, int is_whole)
{
    if (take_memory(cs, c) != NGFF_OK)
        return NGFF_E_MEMORY;
    c->is_empty = 0;
    if (!is_whole && !cell_keeps_missing(cs, c))
        fill_first(cs, c);
    return NGFF_OK;
}

cell *cell_make(cascade *cs, int l, const int64_t *index, int is_whole)
{
    cell *c = cell_make_empty(cs, l, index);
    if (!c || cell_furnish(cs, c, is_whole) == NGFF_OK)
        return c;
    cell_free(cs, c);
    return NULL;
}

cell *cell_make_supplied(cascade *cs, int l, const int64_t *index)
{
    cell *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->level = l;
    c->is_supplied = 1;
    memcpy(c->index, index, sizeof c->index);
    c->box = cell_box(cs, l, index);
    if (take_memory(cs, c) == NGFF_OK)
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

cell *cell_find(cascade *cs, int l, const int64_t *index)
{
    size_t bytes = (size_t)cs->plan->image->rank * sizeof *index;
    for (cell *c = *bucket_of(cs, l, index); c; c = c->next)
        if (c->level == l && memcmp(c->index, index, bytes) == 0)
            return c;
    return NULL;
}

static void line_leave(cascade *cs, cell *c)
{
    if (!c->is_in_line)
        return;
    *(c->newer ? &c->newer->older : &cs->newest) = c->older;
    *(c->older ? &c->older->newer : &cs->oldest) = c->newer;
    c->newer = c->older = NULL;
    c->is_in_line = 0;
}

/* To the end of the line, behind all that were touched before. */
static void line_enter(cascade *cs, cell *c)
{
    line_leave(cs, c);
    c->older = cs->newest;
    *(cs->newest ? &cs->newest->newer : &cs->oldest) = c;
    cs->newest = c;
    c->is_in_line = 1;
}

void cell_insert(cascade *cs, cell *c)
{
    cell **bucket = bucket_of(cs, c->level, c->index), **first = &cs->open[c->level];
    c->next = *bucket;
    *bucket = c;
    c->after = *first;
    if (*first)
        (*first)->before = c;
    *first = c;
    if (!c->is_mapped && !c->is_empty)
        line_enter(cs, c);
}

void cell_remove(cascade *cs, cell *c)
{
    cell **at = bucket_of(cs, c->level, c->index);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = NULL;
    *(c->before ? &c->before->after : &cs->open[c->level]) = c->after;
    if (c->after)
        c->after->before = c->before;
    c->before = c->after = NULL;
    line_leave(cs, c);
}

cell *cell_lowest(cascade *cs)
{
    for (int l = 0; l < cs->plan->n_levels; l++)
        if (cs->open[l]) {
            cs->n_looked_at++;
            return cs->open[l];
        }
    return NULL;
}

/* -- Spilling: an open cell that nobody touches leaves memory when the budget is full ------------------------------ */

static void spill_key(const cascade *cs, const cell *c, char key[160])
{
    int n = snprintf(key, 160, "cell-%d", c->level);
    for (int i = 0; i < cs->plan->image->rank; i++)
        n += snprintf(key + n, (size_t)(160 - n), "-%lld", (long long)c->index[i]);
}

/* The open cell that was touched longest ago and is not in use; NULL if there is none. The lock is held. */
static cell *oldest_cell(cascade *cs)
{
    for (cell *c = cs->oldest; c; c = c->newer) {
        cs->n_looked_at++;
        /* Only cells in the hands of a thread are passed. A complete one is still here while count_down waits. */
        if (c->n_pins == 0 && c->remaining > 0 && !c->is_spilling)
            return c;
    }
    return NULL;
}

int32_t cell_make_room(cascade *cs, int64_t bytes_needed, error *e)
{
    cell *c;
    while (budget_is_over(cs->budget, bytes_needed) && (c = oldest_cell(cs))) {
        int64_t bytes = memory_bytes(cs, c);
        char key[160];
        spill_key(cs, c, key);
        c->is_spilling = 1;
        pthread_mutex_unlock(&cs->lock);
        int32_t status = cs->host.spill(cs->host.user, key, c->pixels, (size_t)bytes, e);
        pthread_mutex_lock(&cs->lock);
        c->is_spilling = 0;
        if (status == NGFF_OK && c->n_pins == 0) { /* else somebody waits to put pixels in, and it stays */
            budget_give(cs->budget, c->pixels, bytes);
            c->pixels = NULL;
            c->is_spilled = 1;
            line_leave(cs, c);
        }
        pthread_cond_broadcast(&cs->changed);
        if (status != NGFF_OK)
            return status;
    }
    return NGFF_OK;
}

int32_t cell_unspill(cascade *cs, cell *c, error *e)
{
    int64_t bytes = memory_bytes(cs, c);
    char key[160];
    spill_key(cs, c, key);
    c->pixels = budget_take(cs->budget, bytes);
    if (!c->pixels)
        return cell_out_of_memory(e, bytes);
    /* Under the lock: only runs that have too little memory come here. */
    int32_t status = cs->host.fetch(cs->host.user, key, c->pixels, (size_t)bytes, e);
    if (c->mask)
        c->mask = c->pixels + pixel_bytes(cs, cell_level(cs, c)->cell);
    c->is_spilled = 0;
    line_enter(cs, c);
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

cell *cell_touch(cascade *cs, int l, const int64_t *index, error *e)
{
    pthread_mutex_lock(&cs->lock);
    cell *c = find_unspilling(cs, l, index);
    int32_t status = NGFF_OK;
    if (!c || c->is_spilled || c->is_empty) {
        status = cell_make_room(cs, cs->plan->levels[l].cell_bytes, e);
        c = find_unspilling(cs, l, index); /* the lock was let go */
    }
    if (status == NGFF_OK && c && c->is_mapped)
        status = cell_written_twice(&c->box, e);
    if (status == NGFF_OK && !c) {
        c = cell_make(cs, l, index, 0);
        if (c)
            cell_insert(cs, c);
        else
            status = cell_out_of_memory(e, cs->plan->levels[l].cell_bytes);
    }
    if (status == NGFF_OK && c->is_empty && cell_furnish(cs, c, 0) != NGFF_OK)
        status = cell_out_of_memory(e, cs->plan->levels[l].cell_bytes);
    if (status == NGFF_OK) {
        c->n_pins++;
        if (!c->is_spilled)
            line_enter(cs, c);
        if (c->is_spilled && (status = cell_unspill(cs, c, e)) != NGFF_OK)
            c->n_pins--;
    }
    pthread_mutex_unlock(&cs->lock);
    return status == NGFF_OK ? c : NULL;
}

int cell_count_skipped(cascade *cs, int l, const int64_t *index, cell **counted, error *e)
{
    pthread_mutex_lock(&cs->lock);
    cell *c = find_unspilling(cs, l, index);
    if (!c && (c = cell_make_empty(cs, l, index)))
        cell_insert(cs, c);
    int is_complete = c && --c->remaining == 0;
    if (is_complete && c->is_spilled)
        cell_unspill(cs, c, e);
    if (is_complete)
        cell_remove(cs, c);
    pthread_mutex_unlock(&cs->lock);
    *counted = c;
    if (!c)
        return cell_out_of_memory(e, (int64_t)sizeof *c);
    if (e->status != NGFF_OK)
        cell_free(cs, c);
    return e->status != NGFF_OK ? e->status : is_complete;
}

static int64_t done_bit(const cascade *cs, int l, const int64_t *index)
{
    return grid_place(cs->plan->image->rank, cs->plan->levels[l].cell_grid, index);
}

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
