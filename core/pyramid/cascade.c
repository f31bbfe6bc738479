/* cascade.c: see cascade.h. The life of a cell: `cell_touch` makes it on the first pixel that comes; pixels or children
 * are copied in without a lock, since their parts are disjoint; `cell_count_down` under the lock finds the last one;
 * that thread runs `run_cells`: reduce what straddles children, give to the parents, pad, emit, free, and then the same
 * for every parent that this completed. */
#include "base/sizes.h"
#include "pyramid/cells.h"
#include "pyramid/shrink.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    cascade *cascade;
    cell *cell;
} job;

/* -- Errors ------------------------------------------------------------------------------------------------------- */

void cascade_fail(cascade *cs, const error *e)
{
    pthread_mutex_lock(&cs->lock);
    error_copy(&cs->error, e);
    atomic_store(&cs->has_failed, 1);
    pthread_cond_broadcast(&cs->changed);
    pthread_mutex_unlock(&cs->lock);
}

int32_t cascade_error(cascade *cs, error *e)
{
    if (!atomic_load(&cs->has_failed))
        return NGFF_OK;
    pthread_mutex_lock(&cs->lock);
    error_copy(e, &cs->error);
    pthread_mutex_unlock(&cs->lock);
    return e->status;
}

/* Everything outside the level becomes fill, so that padding is the same whatever lay there. */
static void pad(const cascade *cs, cell *c)
{
    const level *at = cell_level(cs, c);
    int rank = c->box.rank;
    for (int i = 0; i < rank; i++) {
        if (c->box.extent[i] == at->cell[i])
            continue;
        int64_t extent[MAX_RANK];
        for (int k = 0; k < rank; k++)
            extent[k] = k < i ? c->box.extent[k] : at->cell[k];
        extent[i] = at->cell[i] - c->box.extent[i];
        pixels_fill(rank, extent, cs->plan->image->type->size, c->pixels + c->box.extent[i] * c->strides[i], c->strides,
                    cs->plan->fill);
        if (c->mask && i >= rank - 2) {
            static const uint8_t zero;
            int64_t strides[2] = {at->cell[rank - 1], 1};
            pixels_fill(2, extent + rank - 2, 1, c->mask + c->box.extent[i] * strides[i - (rank - 2)], strides, &zero);
        }
    }
}

/* Runs a complete cell, and every cell that this completes. */
static void run_cells(cascade *cs, cell *todo)
{
    while (todo) {
        cell *c = todo;
        error e = {0};
        todo = c->next;
        c->next = NULL;
        int has_failed = atomic_load(&cs->has_failed);
        if (!has_failed)
            parents_fill_missing(cs, c);
        int32_t status = has_failed       ? NGFF_E_STATE
                         : c->is_supplied ? cs->host.supply(cs->host.user, c, &e)
                                          : parents_reduce_strips(cs, c, &e);
        if (status == NGFF_OK && cs->plan->image->alpha >= 0)
            parents_make_validity(cs->plan->image, c->pixels, c->strides, &c->box, c->mask,
                                  cell_level(cs, c)->cell[c->box.rank - 1]);
        for (int l = c->level + 1; status == NGFF_OK && l < cs->plan->n_levels; l++)
            if (cs->plan->levels[l].source == c->level)
                status = parents_give(cs, c, l, &todo, &e);
        if (status == NGFF_OK) {
            pad(cs, c);
            status = cs->host.emit(cs->host.user, c, &e);
        }
        if (e.status != NGFF_OK)
            cascade_fail(cs, &e);
        if (cell_level(cs, c)->source < 0) {
            pthread_mutex_lock(&cs->lock);
            cs->n_done++;
            pthread_mutex_unlock(&cs->lock);
        }
        cell_free(cs, c);
    }
}

static void run_job(void *argument)
{
    job *j = argument;
    run_cells(j->cascade, j->cell);
    free(j);
}

static int32_t submit(cascade *cs, cell *c, error *e)
{
    job *j = malloc(sizeof *j);
    if (!j) {
        cell_free(cs, c);
        return cell_out_of_memory(e, (int64_t)sizeof *j);
    }
    *j = (job){cs, c};
    pool_submit(cs->pool, run_job, j);
    return NGFF_OK;
}

/* -- Pixels come in: of level 0, and of levels that the caller has already ------------------------------------------
 */

static int is_one_cell(const cascade *cs, int l, const box *region, int64_t *index)
{
    const level *at = &cs->plan->levels[l];
    for (int i = 0; i < region->rank; i++) {
        if (region->origin[i] % at->cell[i] != 0)
            return 0;
        index[i] = region->origin[i] / at->cell[i];
    }
    box whole = cell_box(cs, l, index);
    return box_equals(&whole, region);
}

int32_t cascade_map(cascade *cs, int l, const box *region, cell **mapped, error *e)
{
    int64_t index[MAX_RANK] = {0};
    if (!is_one_cell(cs, l, region, index))
        return 0;
    pthread_mutex_lock(&cs->lock);
    int32_t status = cell_make_room(cs, cs->plan->levels[l].cell_bytes, e);
    cell *c = cell_find(cs, l, index);
    if (status == NGFF_OK && (cell_is_done(cs, l, index) || c))
        status = c && !c->is_mapped ? 0 : cell_written_twice(region, e);
    else if (status == NGFF_OK) {
        c = cell_make(cs, l, index, 1);
        if (c) {
            c->is_mapped = 1;
            cell_insert(cs, c);
            *mapped = c;
            status = 1;
        } else
            status = cell_out_of_memory(e, cs->plan->levels[l].cell_bytes);
    }
    pthread_mutex_unlock(&cs->lock);
    return status;
}

int32_t cascade_supply(cascade *cs, int l, const int64_t *index, error *e)
{
    int64_t bytes = cs->plan->levels[l].cell_bytes;
    pthread_mutex_lock(&cs->lock);
    cell *c = cell_make_room(cs, bytes, e) == NGFF_OK ? cell_make_supplied(cs, l, index) : NULL;
    pthread_mutex_unlock(&cs->lock);
    if (!c)
        return cell_out_of_memory(e, bytes);
    return submit(cs, c, e);
}

/* Mask bytes become 0 or 255. */
static void normalise_mask(const cascade *cs, cell *c)
{
    const int64_t *extent = cell_level(cs, c)->cell;
    int64_t n = cs->plan->image->has_mask ? cell_plane_bytes(cs, extent) : 0;
    for (int64_t i = 0; i < n; i++)
        c->mask[i] = c->mask[i] ? 255 : 0;
}

int32_t cascade_commit(cascade *cs, int l, const box *region, error *e)
{
    int64_t index[MAX_RANK] = {0};
    if (!is_one_cell(cs, l, region, index))
        return error_set(e, NGFF_E_STATE, "the region was not mapped");
    pthread_mutex_lock(&cs->lock);
    cell *c = cell_find(cs, l, index);
    int is_mapped = c && c->is_mapped;
    if (is_mapped) {
        cell_remove(cs, c);
        cell_set_done(cs, l, index);
    }
    pthread_mutex_unlock(&cs->lock);
    if (!is_mapped)
        return error_set(e, NGFF_E_STATE, "the region was not mapped");
    normalise_mask(cs, c);
    return submit(cs, c, e);
}

/* Remembers that a part of a cell has come; refuses one that overlaps what came before. A part that continues the last
 * one, as rows do, extends it. The lock is held. */
static int32_t note_written(cell *c, const box *part, error *e)
{
    for (int i = 0; i < c->n_written; i++) {
        box both = box_intersect(&c->written[i], part);
        if (!box_is_empty(&both))
            return cell_written_twice(&both, e);
    }
    if (c->n_written > 0) {
        box *last = &c->written[c->n_written - 1];
        int y = part->rank - 2, is_next = last->origin[y] + last->extent[y] == part->origin[y];
        for (int i = 0; i < part->rank; i++)
            is_next &= i == y || (last->origin[i] == part->origin[i] && last->extent[i] == part->extent[i]);
        if (is_next) {
            last->extent[y] += part->extent[y];
            return NGFF_OK;
        }
    }
    if ((c->n_written & (c->n_written - 1)) == 0) {
        box *more = realloc(c->written, sizeof *more * (size_t)(c->n_written ? 2 * c->n_written : 1));
        if (!more)
            return cell_out_of_memory(e, (int64_t)sizeof *more * 2 * c->n_written);
        c->written = more;
    }
    c->written[c->n_written++] = *part;
    return NGFF_OK;
}

/* Where a region's pixels come from. */
typedef struct {
    const box *region;
    const uint8_t *pixels, *mask;
    const int64_t *strides;
    int64_t mask_stride;
} input;

static void copy_part(const cascade *cs, const input *in, cell *c, const box *part)
{
    int rank = part->rank;
    pixels_copy(rank, part->extent, cs->plan->image->type->size,
                c->pixels + strides_offset(rank, c->strides, c->box.origin, part->origin), c->strides,
                in->pixels + strides_offset(rank, in->strides, in->region->origin, part->origin), in->strides);
}

/* The mask of a part, before it is noted as written. Where another plane has brought it already, it must be the same. The
 * lock is held. */
static int32_t take_mask(const cascade *cs, const input *in, cell *c, const box *part, error *e)
{
    int y = part->rank - 2;
    int64_t to[2] = {cell_level(cs, c)->cell[y + 1], 1}, from[2] = {in->mask_stride, 1};
    if (!c->mask || !in->mask)
        return NGFF_OK;
    box plane = box_make(2, part->origin + y, part->extent + y);
    for (int i = 0; i < c->n_written; i++) {
        box other = box_make(2, c->written[i].origin + y, c->written[i].extent + y),
            both = box_intersect(&plane, &other);
        for (int64_t row = 0; !box_is_empty(&both) && row < both.extent[0]; row++) {
            const uint8_t *there = c->mask + strides_offset(2, to, c->box.origin + y, both.origin) + row * to[0];
            const uint8_t *here =
                in->mask + strides_offset(2, from, in->region->origin + y, both.origin) + row * from[0];
            for (int64_t x = 0; x < both.extent[1]; x++)
                if (!there[x] != !here[x])
                    return cascade_masks_differ(both.origin[0] + row, both.origin[1] + x, e);
        }
    }
    pixels_copy(2, plane.extent, 1, c->mask + strides_offset(2, to, c->box.origin + y, plane.origin), to,
                in->mask + strides_offset(2, from, in->region->origin + y, plane.origin), from);
    return NGFF_OK;
}

int32_t cascade_masks_differ(int64_t row, int64_t column, error *e)
{
    return error_set(
        e, NGFF_E_ARGUMENT,
        "the mask of one plane differs from that of another at column %lld, row %lld: an image has one mask for "
        "all its channels and planes",
        (long long)column, (long long)row);
}

static int32_t write_cell(cascade *cs, int l, const input *in, const int64_t *index, error *e)
{
    box whole = cell_box(cs, l, index);
    box part = box_intersect(&whole, in->region);
    cell *c = cell_touch(cs, l, index, e);
    if (!c)
        return e->status;
    pthread_mutex_lock(&cs->lock);
    int32_t status = cell_is_done(cs, l, index) ? cell_written_twice(&part, e) : take_mask(cs, in, c, &part, e);
    if (status == NGFF_OK)
        status = note_written(c, &part, e);
    pthread_mutex_unlock(&cs->lock);
    if (status == NGFF_OK)
        copy_part(cs, in, c, &part);
    if (!cell_count_down(cs, c, status == NGFF_OK ? box_volume(&part) : 0, 0))
        return status;
    normalise_mask(cs, c);
    return submit(cs, c, e);
}

int32_t cascade_write(cascade *cs, int l, const box *region, const void *pixels, const int64_t *strides,
                      const uint8_t *mask, int64_t mask_stride, error *e)
{
    const level *at = &cs->plan->levels[l];
    int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK] = {0};
    input in = {region, pixels, mask, strides, mask_stride};
    grid_meet(region, at->cell, first, last);
    memcpy(index, first, (size_t)region->rank * sizeof *index);
    do {
        if (atomic_load(&cs->has_failed)) /* of which cascade_error tells; what is still to come would be in vain */
            return NGFF_OK;
        if (write_cell(cs, l, &in, index, e) != NGFF_OK)
            return e->status;
    } while (count_up(region->rank, first, last, index));
    return NGFF_OK;
}

/* -- The end ------------------------------------------------------------------------------------------------------- */

static int box_needs_writing(const cascade *cs, const box *b)
{
    const struct ngff_plan *plan = cs->plan;
    for (int64_t k = 0; k < cell_channel_count(cs, b); k++) {
        box one = cell_channel_box(cs, b, k);
        if (memcmp(cascade_unwritten(plan, cell_channel(cs, &one)), plan->fill, (size_t)plan->image->type->size) != 0)
            return 1;
    }
    return 0;
}

/* A cell that nobody has written and that must be stored, with its memory and marked as done; else NULL. */
static cell *take_unwritten(cascade *cs, int l, const int64_t *index, error *e)
{
    box b = cell_box(cs, l, index);
    int64_t bytes = cs->plan->levels[l].cell_bytes;
    cell *c = NULL;
    if (cs->host.is_wanted && !cs->host.is_wanted(cs->host.user, l, index))
        return NULL;
    pthread_mutex_lock(&cs->lock);
    if (!cell_is_done(cs, l, index) && !cell_find(cs, l, index) && box_needs_writing(cs, &b) &&
        cell_make_room(cs, bytes, e) == NGFF_OK) {
        c = cell_make(cs, l, index, 0);
        if (c)
            cell_set_done(cs, l, index);
        else
            cell_out_of_memory(e, bytes);
    }
    pthread_mutex_unlock(&cs->lock);
    return c;
}

/* Chunks that nobody wrote read as fill. Where a channel has a nodata value of its own they must be stored. */
static void write_unwritten(cascade *cs, int l)
{
    const level *at = &cs->plan->levels[l];
    int rank = cs->plan->image->rank;
    int64_t index[MAX_RANK] = {0};
    box whole = box_make(rank, NULL, at->shape);
    if (!box_needs_writing(cs, &whole))
        return;
    do {
        error e = {0};
        cell *c = take_unwritten(cs, l, index, &e);
        if (c)
            submit(cs, c, &e);
        if (e.status != NGFF_OK)
            cascade_fail(cs, &e);
    } while (grid_next(rank, at->cell_grid, index) && !atomic_load(&cs->has_failed));
    pool_wait(cs->pool);
}

/* -- Holes: cells that nobody will write ------------------------------------------------------------------------- */

/* A cell of the list is complete: what is empty is left out in turn, the others are run. */
static int32_t skip_upwards(cascade *cs, cell *empty, error *e)
{
    while (empty) {
        cell *c = empty, *finished = NULL;
        empty = c->next;
        c->next = NULL;
        if (!c->is_empty) {
            submit(cs, c, e);
            continue;
        }
        if (cs->host.skip && e->status == NGFF_OK)
            cs->host.skip(cs->host.user, c, e);
        for (int l = c->level + 1; e->status == NGFF_OK && l < cs->plan->n_levels; l++)
            if (cs->plan->levels[l].source == c->level)
                parents_skip(cs, c, l, &finished, e);
        cell_free(cs, c);
        while (finished) {
            cell *next = finished->next;
            finished->next = empty;
            empty = finished;
            finished = next;
        }
    }
    return e->status;
}

/* Takes a cell for done, if nothing of it has come. */
static cell *take_skipped(cascade *cs, int l, const int64_t *index, error *e)
{
    cell *c = NULL;
    pthread_mutex_lock(&cs->lock);
    int has_come = cell_is_done(cs, l, index) || cell_find(cs, l, index);
    if (!has_come && !(c = cell_make_empty(cs, l, index)))
        cell_out_of_memory(e, (int64_t)sizeof *c);
    if (c) {
        cell_set_done(cs, l, index);
        cs->n_done++;
    }
    pthread_mutex_unlock(&cs->lock);
    return c;
}

int32_t cascade_skip(cascade *cs, int l, const box *region, error *e)
{
    const level *at = &cs->plan->levels[l];
    int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK] = {0};
    int rank = region->rank;
    grid_meet(region, at->cell, first, last);
    memcpy(index, first, (size_t)rank * sizeof *index);
    do {
        box whole = cell_box(cs, l, index);
        if (!box_contains(region, &whole))
            return error_set(e, NGFF_E_ARGUMENT, "only a region of whole blocks can be left out");
    } while (count_up(rank, first, last, index));
    memcpy(index, first, (size_t)rank * sizeof *index);
    do {
        box whole = cell_box(cs, l, index);
        cell *c = box_needs_writing(cs, &whole) ? take_unwritten(cs, l, index, e) : take_skipped(cs, l, index, e);
        if (c)
            skip_upwards(cs, c, e);
        else if (e->status == NGFF_OK)
            cell_written_twice(&whole, e);
    } while (count_up(rank, first, last, index) && e->status == NGFF_OK);
    return e->status;
}

/* -- The last cells ------------------------------------------------------------------------------------------------ */

void cascade_finish(cascade *cs)
{
    pool_wait(cs->pool);
    for (int l = 0; l < cs->plan->n_levels; l++)
        if (cs->plan->levels[l].source < 0 && !atomic_load(&cs->has_failed))
            write_unwritten(cs, l);
    for (;;) {
        error e = {0};
        pthread_mutex_lock(&cs->lock);
        cell *c = cell_lowest(cs);
        if (c && c->is_spilled && !atomic_load(&cs->has_failed))
            cell_unspill(cs, c, &e);
        if (c)
            cell_remove(cs, c);
        pthread_mutex_unlock(&cs->lock);
        if (!c)
            return;
        if (c->is_empty) { /* no child has given it anything, and none will */
            cell_free(cs, c);
            continue;
        }
        if (e.status != NGFF_OK)
            cascade_fail(cs, &e);
        if (c->is_mapped) { /* mapped, but never committed: what lies there was not said to be pixels */
            cell_fill_unwritten(cs, &c->box, c->pixels, c->strides);
            if (c->mask)
                memset(c->mask, 0, (size_t)cell_plane_bytes(cs, cell_level(cs, c)->cell));
        }
        if (cell_level(cs, c)->source < 0 && !c->is_spilled)
            normalise_mask(cs, c);
        run_cells(cs, c);
    }
}

int64_t cascade_done(cascade *cs)
{
    pthread_mutex_lock(&cs->lock);
    int64_t n = cs->n_done;
    pthread_mutex_unlock(&cs->lock);
    return n;
}

int32_t cascade_axes(const struct ngff_plan *plan, int l, straddle_axis *axes)
{
    const level *at = &plan->levels[l], *from = &plan->levels[at->source];
    for (int i = 0; i < plan->image->rank; i++) {
        axes[i] = (straddle_axis){.cell = from->cell[i], .shape = from->shape[i], .ratio = at->ratio[i]};
        if (reduce_margin(plan->resampling, at->ratio[i], &axes[i].before, &axes[i].after) != NGFF_OK)
            return NGFF_E_MEMORY;
    }
    return NGFF_OK;
}

static int32_t make_axes(cascade *cs)
{
    for (int l = 0; l < cs->plan->n_levels; l++)
        if (cs->plan->levels[l].source >= 0 && cascade_axes(cs->plan, l, cs->axes[l]) != NGFF_OK)
            return NGFF_E_MEMORY;
    return NGFF_OK;
}

cascade *cascade_create(const struct ngff_plan *plan, budget *b, pool *p, const cascade_host *host)
{
    cascade *cs = calloc(1, sizeof *cs);
    if (!cs)
        return NULL;
    cs->plan = plan;
    cs->budget = b;
    cs->pool = p;
    cs->host = *host;
    pthread_mutex_init(&cs->lock, NULL);
    pthread_cond_init(&cs->changed, NULL);
    if (make_axes(cs) != NGFF_OK) {
        cascade_free(cs);
        return NULL;
    }
    for (int l = 0; l < plan->n_levels; l++) {
        int64_t n = product_checked(plan->levels[l].cell_grid, plan->image->rank);
        if (plan->levels[l].source < 0 && !(cs->done[l] = memory_zeroed(n / 8 + 1, 1))) {
            cascade_free(cs);
            return NULL;
        }
    }
    return cs;
}

void cascade_free(cascade *cs)
{
    if (!cs)
        return;
    for (int i = 0; i < n_buckets; i++)
        while (cs->buckets[i]) {
            cell *c = cs->buckets[i];
            cs->buckets[i] = c->next;
            cell_free(cs, c);
        }
    pthread_cond_destroy(&cs->changed);
    pthread_mutex_destroy(&cs->lock);
    for (int l = 0; l < max_levels; l++)
        free(cs->done[l]);
    free(cs);
}
