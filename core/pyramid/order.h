/* order.h: which region of level 0 to read next. The walk goes down the pyramid: all regions under one top-level cell,
 * under each its children in C order, and so on; for factors of two this is Morton order. A parent is then complete
 * soon after its first child, so few cells wait, whatever the size of the image. */
#ifndef NGFF_PYRAMID_ORDER_H
#define NGFF_PYRAMID_ORDER_H

#include "model/plan.h"

enum { max_steps = max_levels + 34 };

typedef struct {
    int rank, n_steps;
    int64_t origin[MAX_RANK], shape[MAX_RANK]; /* what is walked */
    int64_t size[max_steps + 1][MAX_RANK];     /* box of step k in pixels of level 0; size[0] is the region */
    int64_t at[max_steps][MAX_RANK];           /* position within the box above, in boxes of step k */
    int is_done;
} order;

/* level 0, or a level that the caller gives: the latter cell by cell in C order. */
void order_start(order *o, const struct ngff_plan *plan, int level);
/* The same in a box of level 0 alone, and the tiles of a shape as a walk up to its whole meets them. */
void order_start_in(order *o, const struct ngff_plan *plan, const box *within);
void order_start_tiles(order *o, int rank, const int64_t *shape, const int64_t *tile);
/* The next region, cut to the level. Returns 0 after the last. */
int order_next(order *o, box *region);

#endif
