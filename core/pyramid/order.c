/* order.c: see order.h. The walk is a counter with mixed radix: step 0 counts regions inside the smallest box of cells
 * (or shard), step 1 these boxes inside the next larger one, and so on; the last axis runs fastest. Sizes that do not
 * nest in the ones before are left out: order is advice, any order writes the same bytes. */
#include "pyramid/order.h"

#include <string.h>

/* Adds a step whose boxes have this size, if the boxes of the step before tile it (or it spans the axis) and it is
 * larger. */
static void add_step(order *o, const int64_t *size)
{
    const int64_t *below = o->size[o->n_steps];
    int64_t cut[MAX_RANK];
    int is_larger = 0;
    if (o->n_steps >= max_steps)
        return;
    for (int i = 0; i < o->rank; i++) {
        cut[i] = max_i64(size[i], below[i]);
        if (cut[i] >= o->shape[i])
            cut[i] = ceil_div(o->shape[i], below[i]) * below[i];
        else if (cut[i] % below[i] != 0)
            return;
        is_larger |= cut[i] > below[i];
    }
    if (is_larger)
        memcpy(o->size[++o->n_steps], cut, sizeof cut);
}

/* Above the last level the axes that shrink go on doubling, then the other axes are counted in C order. */
static void add_growing_steps(order *o)
{
    int64_t size[MAX_RANK];
    for (int is_growing = 1; is_growing && o->n_steps < max_steps - 1;) {
        is_growing = 0;
        memcpy(size, o->size[o->n_steps], sizeof size);
        for (int i = o->rank - 2; i < o->rank; i++)
            if (size[i] < o->shape[i]) {
                size[i] *= 2;
                is_growing = 1;
            }
        if (is_growing)
            add_step(o, size);
    }
}

/* The steps of the walk over level 0. */
static void add_pyramid_steps(order *o, const struct ngff_plan *plan)
{
    int c = plan->image->channel_axis;
    int64_t size[MAX_RANK];
    /* A source that stores channels together is read one place at a time, all channels. */
    memcpy(size, plan->region, sizeof size);
    if (c >= 0 && plan->source_block[c] > plan->group) {
        size[c] = plan->source_block[c];
        add_step(o, size);
    }
    if (plan->levels[0].is_sharded)
        add_step(o, plan->levels[0].shard);
    for (int l = 1; l < plan->n_levels; l++) {
        for (int i = 0; i < o->rank; i++)
            size[i] = plan->levels[l].cell[i] * plan->levels[l].factor[i];
        add_step(o, size);
    }
    add_growing_steps(o);
}

static void start(order *o, int rank, const int64_t *shape, const int64_t *tile)
{
    memset(o, 0, sizeof *o);
    o->rank = rank;
    memcpy(o->shape, shape, (size_t)rank * sizeof *shape);
    memcpy(o->size[0], tile, (size_t)rank * sizeof *tile);
}

/* All steps are there but the one to the whole. */
static void add_whole(order *o)
{
    add_step(o, o->shape);
    if (o->n_steps == 0) { /* one region is the whole level */
        o->n_steps = 1;
        memcpy(o->size[1], o->size[0], sizeof o->size[1]);
    }
}

void order_start(order *o, const struct ngff_plan *plan, int l)
{
    start(o, plan->image->rank, plan->levels[l].shape, l == 0 ? plan->region : plan->levels[l].cell);
    if (l == 0)
        add_pyramid_steps(o, plan);
    add_whole(o);
}

void order_start_in(order *o, const struct ngff_plan *plan, const box *within)
{
    start(o, within->rank, within->extent, plan->region);
    memcpy(o->origin, within->origin, sizeof o->origin);
    add_pyramid_steps(o, plan);
    add_whole(o);
}

void order_start_tiles(order *o, int rank, const int64_t *shape, const int64_t *tile)
{
    start(o, rank, shape, tile);
    add_growing_steps(o);
    add_whole(o);
}

/* The origin of the current region; returns 0 where it lies outside the image. */
static int place(const order *o, int64_t *origin)
{
    for (int i = 0; i < o->rank; i++) {
        origin[i] = 0;
        for (int k = 0; k < o->n_steps; k++)
            origin[i] += o->at[k][i] * o->size[k][i];
        if (origin[i] >= o->shape[i])
            return 0;
    }
    return 1;
}

static void advance(order *o)
{
    for (int k = 0; k < o->n_steps; k++)
        for (int i = o->rank; i-- > 0;) {
            if (++o->at[k][i] * o->size[k][i] < o->size[k + 1][i])
                return;
            o->at[k][i] = 0;
        }
    o->is_done = 1;
}

int order_next(order *o, box *region)
{
    while (!o->is_done) {
        int64_t origin[MAX_RANK];
        int is_inside = place(o, origin);
        advance(o);
        if (!is_inside)
            continue;
        *region = box_make(o->rank, origin, o->size[0]);
        box whole = box_make(o->rank, NULL, o->shape);
        *region = box_intersect(region, &whole);
        for (int i = 0; i < o->rank; i++)
            region->origin[i] += o->origin[i];
        return 1;
    }
    return 0;
}
