/* part.c: see part.h. A part owns a run of the units of the cut (model/cut.c), as the walk over the whole image meets them:
 * all cells in them, on every level up to the cut. Kernels reach beyond: the rim. Of the cells around its units a part
 * makes just the pixels that its own are made from, on each level down to the source, and stores none of them. */
#include "writer/part.h"

#include <stdlib.h>
#include <string.h>

#include "base/grid.h"
#include "base/sizes.h"
#include "pyramid/cascade.h"
#include "pyramid/order.h"

typedef struct {
    int64_t place; /* of the cell in its level */
    box pixels;
    int is_given; /* level 0: it has been named as a region */
} rim_cell;

typedef struct {
    rim_cell *cells; /* by place, once all are there */
    size_t n, room;
} rim;

struct part {
    const struct ngff_plan *plan;
    plan_cut cut;
    uint8_t *is_own; /* per unit, in C order */
    box *units;      /* its own, in the order of the walk */
    int64_t n_units, n_cells;
    rim rims[max_levels];
    straddle_axis axes[max_levels][MAX_RANK];
    int64_t at; /* the unit that is walked, if is_walking, or will be */
    order walk;
    int is_walking, is_at_rim;
    int64_t first[MAX_RANK], last[MAX_RANK], cell[MAX_RANK]; /* of level 0 around the unit */
    size_t n_given;                                          /* of the rim, behind all units */
};

/* -- Units --------------------------------------------------------------------------------------------------------- */

int part_owns(const part *p, int l, const int64_t *index)
{
    const level *at = &p->plan->levels[l];
    int64_t unit[MAX_RANK];
    if (l > p->cut.level)
        return 0;
    for (int i = 0; i < p->plan->image->rank; i++)
        unit[i] = min_i64(index[i] * at->cell[i] * at->factor[i] / p->cut.unit[i], p->cut.grid[i] - 1);
    return p->is_own[grid_place(p->plan->image->rank, p->cut.grid, unit)];
}

/* A unit's pixels on a level. */
static box unit_at(const part *p, const box *unit, int l)
{
    const level *at = &p->plan->levels[l];
    box b = *unit, whole = box_make(b.rank, NULL, at->shape);
    for (int i = 0; i < b.rank; i++) {
        b.origin[i] /= at->factor[i];
        b.extent[i] = ceil_div(b.extent[i], at->factor[i]);
    }
    return box_intersect(&b, &whole);
}

static int take_units(part *p)
{
    const struct ngff_plan *plan = p->plan;
    part_number part = plan->options.part;
    int rank = plan->image->rank;
    int64_t first = p->cut.n / part.n * (part.i - 1) + p->cut.n % part.n * (part.i - 1) / part.n;
    int64_t end = p->cut.n / part.n * part.i + p->cut.n % part.n * part.i / part.n;
    order walk;
    box unit;
    p->is_own = memory_zeroed(p->cut.n, 1);
    p->units = memory_take(end - first, sizeof *p->units);
    if (!p->is_own || !p->units)
        return 0;
    order_start_tiles(&walk, rank, plan->levels[0].shape, p->cut.unit);
    for (int64_t k = 0; k < end && order_next(&walk, &unit); k++) {
        int64_t index[MAX_RANK], last[MAX_RANK], n_cells = 1;
        if (k < first)
            continue;
        grid_meet(&unit, p->cut.unit, index, last);
        p->is_own[grid_place(rank, p->cut.grid, index)] = 1;
        p->units[p->n_units++] = unit;
        for (int i = 0; i < rank; i++)
            n_cells *= ceil_div(unit.extent[i], plan->levels[0].cell[i]);
        p->n_cells += n_cells;
    }
    return 1;
}

/* -- Rim ----------------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    int64_t x = ((const rim_cell *)a)->place, y = ((const rim_cell *)b)->place;
    return (x > y) - (x < y);
}

static rim_cell *rim_find(const part *p, int l, const int64_t *index)
{
    const rim *r = &p->rims[l];
    rim_cell like = {.place = grid_place(p->plan->image->rank, p->plan->levels[l].cell_grid, index)};
    return r->n > 0 ? bsearch(&like, r->cells, r->n, sizeof like, by_place) : NULL;
}

/* Of a cell that is needed by several, one box that holds all. */
static void rim_sort(rim *r)
{
    size_t n = 0;
    if (r->n > 0)
        qsort(r->cells, r->n, sizeof *r->cells, by_place);
    for (size_t k = 0; k < r->n; k++) {
        if (n == 0 || r->cells[n - 1].place != r->cells[k].place) {
            r->cells[n++] = r->cells[k];
            continue;
        }
        box *all = &r->cells[n - 1].pixels, *one = &r->cells[k].pixels;
        for (int i = 0; i < all->rank; i++) {
            int64_t begin = min_i64(all->origin[i], one->origin[i]);
            int64_t end = max_i64(all->origin[i] + all->extent[i], one->origin[i] + one->extent[i]);
            all->origin[i] = begin;
            all->extent[i] = end - begin;
        }
    }
    r->n = n;
}

/* What a box of level l is made from and the part does not own is of its rim. */
static int add_needed(part *p, int l, const box *target)
{
    int from = p->plan->levels[l].source, rank = target->rank;
    const level *source = &p->plan->levels[from];
    box needed = straddle_source(p->axes[l], target);
    int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK];
    grid_meet(&needed, source->cell, first, last);
    memcpy(index, first, sizeof index);
    do {
        if (part_owns(p, from, index))
            continue;
        rim *r = &p->rims[from];
        rim_cell *more = list_room(r->cells, r->n, &r->room, sizeof *more);
        if (!more)
            return 0;
        box cell = grid_box(rank, source->shape, source->cell, index);
        r->cells = more;
        r->cells[r->n++] =
            (rim_cell){.place = grid_place(rank, source->cell_grid, index), .pixels = box_intersect(&cell, &needed)};
    } while (count_up(rank, first, last, index));
    return 1;
}

static int has_margin(const part *p, int l)
{
    int has = 0;
    for (int i = 0; i < p->plan->image->rank; i++)
        has |= p->axes[l][i].before > 0 || p->axes[l][i].after > 0;
    return has;
}

static int find_rim(part *p)
{
    for (int l = p->cut.level; l > 0; l--) {
        if (cascade_axes(p->plan, l, p->axes[l]) != NGFF_OK)
            return 0;
        rim_sort(&p->rims[l]);
        for (int64_t k = 0; has_margin(p, l) && k < p->n_units; k++) {
            box own = unit_at(p, &p->units[k], l);
            if (!box_is_empty(&own) && !add_needed(p, l, &own))
                return 0;
        }
        for (size_t k = 0; k < p->rims[l].n; k++)
            if (!add_needed(p, l, &p->rims[l].cells[k].pixels))
                return 0;
    }
    rim_sort(&p->rims[0]);
    return 1;
}

int part_makes(const part *p, int l, const int64_t *index)
{
    return part_owns(p, l, index) || (l <= p->cut.level && rim_find(p, l, index));
}

void part_limit(const part *p, int l, const int64_t *index, box *pixels)
{
    if (part_owns(p, l, index))
        return;
    const rim_cell *cell = l <= p->cut.level ? rim_find(p, l, index) : NULL;
    if (cell)
        *pixels = box_intersect(pixels, &cell->pixels);
    else
        memset(pixels->extent, 0, sizeof pixels->extent);
}

int part_takes(const part *p, const box *region)
{
    const level *base = &p->plan->levels[0];
    int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK];
    grid_meet(region, base->cell, first, last);
    memcpy(index, first, sizeof index);
    do {
        box cell = grid_box(region->rank, base->shape, base->cell, index), asked = box_intersect(&cell, region);
        part_limit(p, 0, index, &cell);
        if (box_is_empty(&cell) || !box_contains(&cell, &asked))
            return 0;
    } while (count_up(region->rank, first, last, index));
    return 1;
}

int64_t part_cell_count(const part *p)
{
    return p->n_cells + (int64_t)p->rims[0].n;
}

/* -- The walk ------------------------------------------------------------------------------------------------------ */

/* The cells of level 0 in which the rim of a unit can lie. */
static void begin_rim(part *p, const box *unit)
{
    box all = *unit;
    for (int top = 1; top <= p->cut.level; top++) {
        box needed = unit_at(p, unit, top);
        for (int l = top; l > 0 && !box_is_empty(&needed); l = p->plan->levels[l].source)
            needed = straddle_source(p->axes[l], &needed);
        for (int i = 0; !box_is_empty(&needed) && i < all.rank; i++) {
            int64_t begin = min_i64(all.origin[i], needed.origin[i]);
            int64_t end = max_i64(all.origin[i] + all.extent[i], needed.origin[i] + needed.extent[i]);
            all.origin[i] = begin;
            all.extent[i] = end - begin;
        }
    }
    grid_meet(&all, p->plan->levels[0].cell, p->first, p->last);
    memcpy(p->cell, p->first, sizeof p->cell);
    p->is_at_rim = 1;
}

/* The next cell of the unit's rim that no unit before has had. */
static int next_of_rim(part *p, box *region)
{
    while (p->is_at_rim) {
        rim_cell *one = p->rims[0].n > 0 ? rim_find(p, 0, p->cell) : NULL;
        p->is_at_rim = p->rims[0].n > 0 && count_up(p->plan->image->rank, p->first, p->last, p->cell);
        if (!one || one->is_given)
            continue;
        one->is_given = 1;
        *region = one->pixels;
        return 1;
    }
    return 0;
}

int part_next(part *p, box *region)
{
    for (;;) {
        if (p->is_walking && (order_next(&p->walk, region) || next_of_rim(p, region)))
            return 1;
        p->at += p->is_walking;
        p->is_walking = p->at < p->n_units;
        if (!p->is_walking)
            break;
        order_start_in(&p->walk, p->plan, &p->units[p->at]);
        begin_rim(p, &p->units[p->at]);
    }
    for (const rim *r = &p->rims[0]; p->n_given < r->n; p->n_given++)
        if (!r->cells[p->n_given].is_given) {
            *region = r->cells[p->n_given++].pixels;
            return 1;
        }
    return 0;
}

part *part_create(const struct ngff_plan *plan)
{
    part *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->plan = plan;
    p->cut = plan_cut_for(plan, plan->options.part.n);
    if (take_units(p) && find_rim(p))
        return p;
    part_free(p);
    return NULL;
}

void part_free(part *p)
{
    if (!p)
        return;
    for (int l = 0; l < max_levels; l++)
        free(p->rims[l].cells);
    free(p->is_own);
    free(p->units);
    free(p);
}
