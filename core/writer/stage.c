/* stage.c: see stage.h. Hosts that push write blocks in any order, again and again, and read them back, so nothing can
 * be reduced or encoded before they are done. The stage therefore only keeps pixels: a chunk is made by the first write
 * that touches it; when the chunks in memory pass the limit, the one used longest ago becomes a raw scratch object and
 * comes back on its next touch. At close the writer drains the stage in the order of its plan, through the same one
 * pass that a pull takes: the bytes stored are the same, and no level, shard or object is ever made twice. */
#include "writer/stage.h"
#include "base/grid.h"
#include "base/sizes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { heap_overhead = 16 }; /* of one allocation */

typedef struct slot {
    int64_t index[MAX_RANK];
    uint8_t *pixels;            /* NULL: spilled */
    struct slot *newer, *older; /* in memory, by last use */
} slot;

struct stage {
    char name[16];
    int rank;
    int64_t shape[MAX_RANK], chunk[MAX_RANK], grid[MAX_RANK], strides[MAX_RANK];
    int64_t pixel_size, chunk_bytes, n_chunks, n_touched, used_bytes, most_bytes;
    stage_host host;
    slot **slots; /* by chunk, C order; NULL: never touched */
    slot *newest, *oldest;
    uint8_t *spare; /* one chunk of memory for the next that needs it */
};

stage *stage_create(const char *name, int rank, const int64_t *shape, const int64_t *chunk, int64_t pixel_size,
                    int64_t most_bytes, const stage_host *host)
{
    stage *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    snprintf(s->name, sizeof s->name, "%s", name);
    s->rank = rank;
    s->pixel_size = pixel_size;
    s->most_bytes = most_bytes;
    s->host = *host;
    for (int i = 0; i < rank; i++) {
        s->shape[i] = shape[i];
        s->chunk[i] = chunk[i];
        s->grid[i] = ceil_div(shape[i], chunk[i]);
    }
    strides_dense(rank, chunk, pixel_size, s->strides);
    s->chunk_bytes = product_checked(chunk, rank) * pixel_size;
    s->n_chunks = product_checked(s->grid, rank);
    s->slots = memory_zeroed(s->n_chunks, sizeof *s->slots);
    if (!s->slots) {
        free(s);
        return NULL;
    }
    return s;
}

void stage_free(stage *s)
{
    if (!s)
        return;
    for (int64_t i = 0; i < s->n_chunks; i++)
        if (s->slots[i]) {
            free(s->slots[i]->pixels);
            free(s->slots[i]);
        }
    free(s->spare);
    free(s->slots);
    free(s);
}

int64_t stage_bytes(const stage *s)
{
    return s->used_bytes;
}

int64_t stage_table_bytes(const stage *s)
{
    return s->n_chunks * (int64_t)sizeof *s->slots + s->n_touched * (int64_t)(sizeof(slot) + heap_overhead);
}

/* -- Walking over the chunks of a region --------------------------------------------------------------------------- */

typedef struct {
    int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK];
} walk;

static void walk_start(walk *w, const stage *s, const box *region)
{
    grid_meet(region, s->chunk, w->first, w->last);
    memcpy(w->index, w->first, sizeof w->index);
}

static int walk_next(walk *w, int rank)
{
    return count_up(rank, w->first, w->last, w->index);
}

static slot **place_of(const stage *s, const int64_t *index)
{
    return &s->slots[grid_place(s->rank, s->grid, index)];
}

/* A chunk's pixels within the image. */
static box chunk_box(const stage *s, const int64_t *index)
{
    return grid_box(s->rank, s->shape, s->chunk, index);
}

/* -- Memory -------------------------------------------------------------------------------------------------------- */

static void scratch_key(const stage *s, const int64_t *index, char key[160])
{
    int n = snprintf(key, 160, "%s", s->name);
    for (int i = 0; i < s->rank; i++)
        n += snprintf(key + n, (size_t)(160 - n), "-%lld", (long long)index[i]);
}

static void list_remove(stage *s, slot *c)
{
    *(c->newer ? &c->newer->older : &s->newest) = c->older;
    *(c->older ? &c->older->newer : &s->oldest) = c->newer;
    c->newer = c->older = NULL;
}

static void list_put_first(stage *s, slot *c)
{
    c->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = c;
    s->newest = c;
}

static void give_pixels(stage *s, uint8_t *pixels)
{
    if (s->spare)
        free(pixels);
    else
        s->spare = pixels;
}

/* Memory for one chunk that is not counted. */
static uint8_t *take_spare(stage *s, error *e)
{
    uint8_t *pixels = s->spare;
    s->spare = NULL;
    if (!pixels)
        pixels = memory_zeroed(s->chunk_bytes, 1);
    if (!pixels)
        error_set(e, NGFF_E_MEMORY, "out of memory for a block of %lld bytes; a smaller BLOCKSIZE needs less",
                  (long long)s->chunk_bytes);
    return pixels;
}

/* The chunks used longest ago leave memory until bytes more fit in, beside the table of chunks. */
static int32_t make_room(stage *s, int64_t bytes, error *e)
{
    while (s->oldest && s->used_bytes + stage_table_bytes(s) + bytes > s->most_bytes) {
        slot *c = s->oldest;
        char key[160];
        scratch_key(s, c->index, key);
        if (s->host.spill(s->host.user, key, c->pixels, (size_t)s->chunk_bytes, e) != NGFF_OK)
            return e->status;
        list_remove(s, c);
        give_pixels(s, c->pixels);
        c->pixels = NULL;
        s->used_bytes -= s->chunk_bytes;
    }
    return NGFF_OK;
}

int32_t stage_limit(stage *s, int64_t most_bytes, error *e)
{
    s->most_bytes = most_bytes;
    return make_room(s, 0, e);
}

static uint8_t *take_pixels(stage *s, error *e)
{
    if (make_room(s, s->chunk_bytes, e) != NGFF_OK)
        return NULL;
    uint8_t *pixels = take_spare(s, e);
    if (pixels)
        s->used_bytes += s->chunk_bytes;
    return pixels;
}

static int32_t fetch(stage *s, const slot *c, uint8_t *pixels, error *e)
{
    char key[160];
    scratch_key(s, c->index, key);
    return s->host.fetch(s->host.user, key, pixels, (size_t)s->chunk_bytes, e);
}

/* The touched chunk in memory, or NULL with the error in e. is_whole: all its pixels will be written. */
static slot *touch(stage *s, const int64_t *index, int is_whole, error *e)
{
    slot **place = place_of(s, index), *c = *place;
    if (s->host.goes_on && s->host.goes_on(s->host.user, e) != NGFF_OK)
        return NULL;
    if (c && c->pixels) {
        list_remove(s, c);
        list_put_first(s, c);
        return c;
    }
    uint8_t *pixels = take_pixels(s, e);
    if (!pixels)
        return NULL;
    slot *made = c ? NULL : calloc(1, sizeof *made);
    if (!c && made)
        memcpy(made->index, index, (size_t)s->rank * sizeof *index);
    int32_t status = c           ? fetch(s, c, pixels, e)
                     : !made     ? error_set(e, NGFF_E_MEMORY, "out of memory for a block's record")
                     : !is_whole ? s->host.first(s->host.user, index, pixels, e)
                                 : NGFF_OK;
    if (status != NGFF_OK) {
        free(made);
        give_pixels(s, pixels);
        s->used_bytes -= s->chunk_bytes;
        return NULL;
    }
    if (made) {
        *place = c = made;
        s->n_touched++;
    }
    c->pixels = pixels;
    list_put_first(s, c);
    return c;
}

/* -- Regions in and out -------------------------------------------------------------------------------------------- */

int32_t stage_write(stage *s, const box *region, const void *pixels, const int64_t *strides, error *e)
{
    walk w;
    walk_start(&w, s, region);
    do {
        box whole = chunk_box(s, w.index), part = box_intersect(&whole, region);
        slot *c = touch(s, w.index, box_equals(&whole, &part), e);
        if (!c)
            return e->status;
        pixels_copy(s->rank, part.extent, s->pixel_size,
                    c->pixels + strides_offset(s->rank, s->strides, whole.origin, part.origin), s->strides,
                    (const uint8_t *)pixels + strides_offset(s->rank, strides, region->origin, part.origin), strides);
    } while (walk_next(&w, s->rank));
    return NGFF_OK;
}

static void copy_out(const stage *s, const box *region, const int64_t *index, const uint8_t *chunk, void *pixels,
                     const int64_t *strides)
{
    box whole = chunk_box(s, index), part = box_intersect(&whole, region);
    pixels_copy(s->rank, part.extent, s->pixel_size,
                (uint8_t *)pixels + strides_offset(s->rank, strides, region->origin, part.origin), strides,
                chunk + strides_offset(s->rank, s->strides, whole.origin, part.origin), s->strides);
}

/* Copies the part of a region that lies in a chunk which is not in memory. */
static int32_t copy_absent(stage *s, const box *region, const int64_t *index, const slot *spilled, void *pixels,
                           const int64_t *strides, error *e)
{
    uint8_t *chunk = take_spare(s, e);
    if (!chunk)
        return e->status;
    int32_t status = spilled ? fetch(s, spilled, chunk, e) : s->host.first(s->host.user, index, chunk, e);
    if (status == NGFF_OK)
        copy_out(s, region, index, chunk, pixels, strides);
    give_pixels(s, chunk);
    return status;
}

int32_t stage_read(stage *s, const box *region, void *pixels, const int64_t *strides, error *e)
{
    walk w;
    walk_start(&w, s, region);
    do {
        slot *c = *place_of(s, w.index);
        if (c && !(c = touch(s, w.index, 0, e)))
            return e->status;
        if (c)
            copy_out(s, region, w.index, c->pixels, pixels, strides);
        else if (copy_absent(s, region, w.index, NULL, pixels, strides, e) != NGFF_OK)
            return e->status;
    } while (walk_next(&w, s->rank));
    return NGFF_OK;
}

int stage_meets(const stage *s, const box *region)
{
    walk w;
    walk_start(&w, s, region);
    do
        if (*place_of(s, w.index))
            return 1;
    while (walk_next(&w, s->rank));
    return 0;
}

static void forget(stage *s, const int64_t *index)
{
    slot **place = place_of(s, index), *c = *place;
    if (!c)
        return;
    if (c->pixels) {
        list_remove(s, c);
        give_pixels(s, c->pixels);
        s->used_bytes -= s->chunk_bytes;
    }
    free(c);
    *place = NULL;
    s->n_touched--;
}

int32_t stage_drain(stage *s, const box *region, void *pixels, const int64_t *strides, error *e)
{
    walk w;
    walk_start(&w, s, region);
    do {
        slot *c = *place_of(s, w.index);
        if (c && c->pixels)
            copy_out(s, region, w.index, c->pixels, pixels, strides);
        else if (copy_absent(s, region, w.index, c, pixels, strides, e) != NGFF_OK)
            return e->status;
        forget(s, w.index);
    } while (walk_next(&w, s->rank));
    return NGFF_OK;
}
