/* grid.c: see grid.h. */
#include "base/grid.h"

int64_t grid_place(int rank, const int64_t *grid, const int64_t *index)
{
    int64_t place = 0;
    for (int i = 0; i < rank; i++)
        place = place * grid[i] + index[i];
    return place;
}

int grid_next(int rank, const int64_t *grid, int64_t *index)
{
    int i = rank - 1;
    for (; i >= 0 && ++index[i] >= grid[i]; i--)
        index[i] = 0;
    return i >= 0;
}

int count_up(int rank, const int64_t *first, const int64_t *last, int64_t *index)
{
    int i = rank - 1;
    for (; i >= 0 && ++index[i] > last[i]; i--)
        index[i] = first[i];
    return i >= 0;
}

box grid_box(int rank, const int64_t *shape, const int64_t *tile, const int64_t *index)
{
    box whole = box_make(rank, NULL, shape), b = box_make(rank, NULL, tile);
    for (int i = 0; i < rank; i++)
        b.origin[i] = index[i] * tile[i];
    return box_intersect(&b, &whole);
}

void grid_meet(const box *b, const int64_t *tile, int64_t *first, int64_t *last)
{
    for (int i = 0; i < b->rank; i++) {
        first[i] = b->origin[i] / tile[i];
        last[i] = (b->origin[i] + b->extent[i] - 1) / tile[i];
    }
}
