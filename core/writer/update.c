/* update.c: see update.h. Two bits per cell of the pyramid (plan.memory has them). A cell looks down at the source pixels that it needs
 * (straddle_source, margins included), so that this is the same geometry as that of the pass. */
#include "writer/update.h"

#include <stdlib.h>
#include <string.h>

#include "model/stored.h"
#include "pyramid/cascade.h"

struct update {
    const struct ngff_plan *plan;
    chunk_set wanted[max_levels], needed[max_levels]; /* of cells */
};

static int64_t cell_count(const struct ngff_plan *plan, int l)
{
    return product_checked(plan->levels[l].cell_grid, plan->image->rank);
}

update *update_create(const struct ngff_plan *plan)
{
    update *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->plan = plan;
    for (int l = 0; l < plan->n_levels; l++) {
        int64_t n = cell_count(plan, l);
        if (!chunk_set_make(&u->wanted[l], n) || !chunk_set_make(&u->needed[l], n)) {
            update_free(u);
            return NULL;
        }
    }
    return u;
}

void update_free(update *u)
{
    for (int l = 0; u && l < max_levels; l++) {
        chunk_set_release(&u->wanted[l]);
        chunk_set_release(&u->needed[l]);
    }
    free(u);
}

static int64_t place_of(const struct ngff_plan *plan, int l, const int64_t *index)
{
    int64_t place = 0;
    for (int i = 0; i < plan->image->rank; i++)
        place = place * plan->levels[l].cell_grid[i] + index[i];
    return place;
}

void update_want(update *u, int l, const int64_t *index)
{
    chunk_set_add(&u->wanted[l], place_of(u->plan, l, index));
}

void update_want_level(update *u, int l)
{
    for (int64_t i = 0; i < u->wanted[l].n; i++)
        chunk_set_add(&u->wanted[l], i);
}

void update_leave(update *u, int l, const int64_t *index)
{
    chunk_set_remove(&u->wanted[l], place_of(u->plan, l, index));
    chunk_set_add(&u->needed[l], place_of(u->plan, l, index));
}

int update_is_wanted(const update *u, int l, const int64_t *index)
{
    return chunk_set_has(&u->wanted[l], place_of(u->plan, l, index));
}

int update_is_needed(const update *u, int l, const int64_t *index)
{
    return chunk_set_has(&u->needed[l], place_of(u->plan, l, index));
}

int update_is_chunk_wanted(const update *u, int l, const int64_t *chunk_index)
{
    const level *at = &u->plan->levels[l];
    int64_t index[MAX_RANK];
    for (int i = 0; i < u->plan->image->rank; i++)
        index[i] = chunk_index[i] * at->chunk[i] / at->cell[i];
    return update_is_wanted(u, l, index);
}

int update_is_whole(const update *u, int l)
{
    return chunk_set_count(&u->wanted[l]) == u->wanted[l].n;
}

int count_up(int rank, const int64_t *first, const int64_t *last, int64_t *index)
{
    int i = rank - 1;
    while (i >= 0 && ++index[i] > last[i]) {
        index[i] = first[i];
        i--;
    }
    return i >= 0;
}

int update_next(const struct ngff_plan *plan, int l, int64_t *index)
{
    static const int64_t first[MAX_RANK];
    int64_t last[MAX_RANK];
    for (int i = 0; i < plan->image->rank; i++)
        last[i] = plan->levels[l].cell_grid[i] - 1;
    return count_up(plan->image->rank, first, last, index);
}

/* The cells of its source level that a cell is made from: first and last per axis. */
static void children_of(const struct ngff_plan *plan, int l, const straddle_axis *axes, const int64_t *index,
                        int64_t *first, int64_t *last)
{
    const level *at = &plan->levels[l], *from = &plan->levels[at->source];
    int rank = plan->image->rank;
    int64_t origin[MAX_RANK];
    for (int i = 0; i < rank; i++)
        origin[i] = index[i] * at->cell[i];
    box whole = box_make(rank, NULL, at->shape), cell = box_make(rank, origin, at->cell);
    cell = box_intersect(&cell, &whole);
    box block = straddle_source(axes, &cell);
    for (int i = 0; i < rank; i++) {
        first[i] = block.origin[i] / from->cell[i];
        last[i] = (block.origin[i] + block.extent[i] - 1) / from->cell[i];
    }
}

/* A cell is wanted if one of its children is; the others are then needed. */
static void look_down(update *u, int l, const straddle_axis *axes, const int64_t *index)
{
    int rank = u->plan->image->rank, source = u->plan->levels[l].source;
    int64_t first[MAX_RANK], last[MAX_RANK], child[MAX_RANK];
    children_of(u->plan, l, axes, index, first, last);
    memcpy(child, first, sizeof child);
    int is_wanted = update_is_wanted(u, l, index);
    for (int is_more = 1; is_more && !is_wanted; is_more = count_up(rank, first, last, child))
        is_wanted = update_is_wanted(u, source, child);
    if (!is_wanted)
        return;
    update_want(u, l, index);
    memcpy(child, first, sizeof child);
    do
        if (!update_is_wanted(u, source, child))
            chunk_set_add(&u->needed[source], place_of(u->plan, source, child));
    while (count_up(rank, first, last, child));
}

int32_t update_spread(update *u)
{
    for (int l = 1; l < u->plan->n_levels; l++) {
        int64_t index[MAX_RANK] = {0};
        straddle_axis axes[MAX_RANK];
        if (cascade_axes(u->plan, l, axes) != NGFF_OK)
            return NGFF_E_MEMORY;
        do
            look_down(u, l, axes, index);
        while (update_next(u->plan, l, index));
    }
    return NGFF_OK;
}
