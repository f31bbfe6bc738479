/* wanted.c: see wanted.h. Two bits per cell of the pyramid (plan.memory has them). A cell looks down at the source pixels
 * that it needs (straddle_source, margins included), so that this is the same geometry as that of the pass. */
#include "writer/wanted.h"

#include <stdlib.h>
#include <string.h>

#include "model/stored.h"
#include "pyramid/cascade.h"

struct wanted {
    const struct ngff_plan *plan;
    chunk_set wanted[max_levels], needed[max_levels]; /* of cells */
};

static int64_t cell_count(const struct ngff_plan *plan, int l)
{
    return product_checked(plan->levels[l].cell_grid, plan->image->rank);
}

wanted *wanted_create(const struct ngff_plan *plan)
{
    wanted *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->plan = plan;
    for (int l = 0; l < plan->n_levels; l++) {
        int64_t n = cell_count(plan, l);
        if (!chunk_set_make(&w->wanted[l], n) || !chunk_set_make(&w->needed[l], n)) {
            wanted_free(w);
            return NULL;
        }
    }
    return w;
}

void wanted_free(wanted *w)
{
    for (int l = 0; w && l < max_levels; l++) {
        chunk_set_release(&w->wanted[l]);
        chunk_set_release(&w->needed[l]);
    }
    free(w);
}

static int64_t place_of(const struct ngff_plan *plan, int l, const int64_t *index)
{
    return grid_place(plan->image->rank, plan->levels[l].cell_grid, index);
}

void wanted_add(wanted *w, int l, const int64_t *index)
{
    chunk_set_add(&w->wanted[l], place_of(w->plan, l, index));
}

void wanted_add_level(wanted *w, int l)
{
    for (int64_t i = 0; i < w->wanted[l].n; i++)
        chunk_set_add(&w->wanted[l], i);
}

void wanted_leave(wanted *w, int l, const int64_t *index)
{
    chunk_set_remove(&w->wanted[l], place_of(w->plan, l, index));
    chunk_set_add(&w->needed[l], place_of(w->plan, l, index));
}

int wanted_has(const wanted *w, int l, const int64_t *index)
{
    return chunk_set_has(&w->wanted[l], place_of(w->plan, l, index));
}

int wanted_is_needed(const wanted *w, int l, const int64_t *index)
{
    return chunk_set_has(&w->needed[l], place_of(w->plan, l, index));
}

int wanted_has_chunk(const wanted *w, int l, const int64_t *chunk_index)
{
    const level *at = &w->plan->levels[l];
    int64_t index[MAX_RANK];
    for (int i = 0; i < w->plan->image->rank; i++)
        index[i] = chunk_index[i] * at->chunk[i] / at->cell[i];
    return wanted_has(w, l, index);
}

int wanted_is_whole(const wanted *w, int l)
{
    return chunk_set_count(&w->wanted[l]) == w->wanted[l].n;
}

int wanted_next(const struct ngff_plan *plan, int l, int64_t *index)
{
    return grid_next(plan->image->rank, plan->levels[l].cell_grid, index);
}

/* The cells of its source level that a cell is made from: first and last per axis. */
static void children_of(const struct ngff_plan *plan, int l, const straddle_axis *axes, const int64_t *index,
                        int64_t *first, int64_t *last)
{
    const level *at = &plan->levels[l];
    box cell = grid_box(plan->image->rank, at->shape, at->cell, index), block = straddle_source(axes, &cell);
    grid_meet(&block, plan->levels[at->source].cell, first, last);
}

/* A cell is wanted if one of its children is; the others are then needed. */
static void look_down(wanted *w, int l, const straddle_axis *axes, const int64_t *index)
{
    int rank = w->plan->image->rank, source = w->plan->levels[l].source;
    int64_t first[MAX_RANK], last[MAX_RANK], child[MAX_RANK];
    children_of(w->plan, l, axes, index, first, last);
    memcpy(child, first, sizeof child);
    int is_wanted = wanted_has(w, l, index);
    for (int is_more = 1; is_more && !is_wanted; is_more = count_up(rank, first, last, child))
        is_wanted = wanted_has(w, source, child);
    if (!is_wanted)
        return;
    wanted_add(w, l, index);
    memcpy(child, first, sizeof child);
    do
        if (!wanted_has(w, source, child))
            chunk_set_add(&w->needed[source], place_of(w->plan, source, child));
    while (count_up(rank, first, last, child));
}

int32_t wanted_spread(wanted *w)
{
    for (int l = 1; l < w->plan->n_levels; l++) {
        int64_t index[MAX_RANK] = {0};
        straddle_axis axes[MAX_RANK];
        if (cascade_axes(w->plan, l, axes) != NGFF_OK)
            return NGFF_E_MEMORY;
        do
            look_down(w, l, axes, index);
        while (wanted_next(w->plan, l, index));
    }
    return NGFF_OK;
}
