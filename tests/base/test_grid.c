/* Tiles of a shape: 5 x 7 pixels in tiles of 2 x 3, so a grid of 3 x 3. */
#include "base/grid.h"

#include "check.h"

static const int64_t shape[2] = {5, 7}, tile[2] = {2, 3}, grid[2] = {3, 3};

static void tiles_are_numbered_in_c_order(void)
{
    int64_t index[2] = {0, 0};
    int n = 0;
    do {
        CHECK_INT(index[0] * 10 + index[1], n / 3 * 10 + n % 3);
        CHECK_INT(grid_place(2, grid, index), n++);
    } while (grid_next(2, grid, index));
    CHECK_INT(n, 9);
    CHECK(index[0] == 0 && index[1] == 0); /* a second round begins at the beginning */
    CHECK_INT(grid_place(0, grid, index), 0);
    CHECK(!grid_next(0, grid, index)); /* one tile of no axes */
}

static void counting_goes_through_a_box_in_c_order(void)
{
    const int64_t first[2] = {1, 4}, last[2] = {2, 6};
    int64_t index[2] = {1, 4};
    int n = 1;
    while (count_up(2, first, last, index)) {
        CHECK_INT(index[0] * 10 + index[1], n < 3 ? 14 + n : 24 + n - 3);
        n++;
    }
    CHECK_INT(n, 6);
}

static void the_last_tile_is_cut_to_the_shape(void)
{
    const int64_t inner[2] = {1, 1}, last[2] = {2, 2};
    box b = grid_box(2, shape, tile, inner);
    CHECK(b.origin[0] == 2 && b.origin[1] == 3 && b.extent[0] == 2 && b.extent[1] == 3);
    b = grid_box(2, shape, tile, last);
    CHECK(b.origin[0] == 4 && b.origin[1] == 6 && b.extent[0] == 1 && b.extent[1] == 1);
}

static void a_box_meets_the_tiles_that_it_has_a_pixel_of(void)
{
    int64_t first[2], last[2];
    box b = box_make(2, (const int64_t[]){1, 3}, (const int64_t[]){1, 3}); /* the last row of one tile */
    grid_meet(&b, tile, first, last);
    CHECK(first[0] == 0 && last[0] == 0 && first[1] == 1 && last[1] == 1);
    b = box_make(2, (const int64_t[]){1, 2}, (const int64_t[]){2, 5}); /* one pixel over each border */
    grid_meet(&b, tile, first, last);
    CHECK(first[0] == 0 && last[0] == 1 && first[1] == 0 && last[1] == 2);
}

int main(void)
{
    RUN(tiles_are_numbered_in_c_order);
    RUN(counting_goes_through_a_box_in_c_order);
    RUN(the_last_tile_is_cut_to_the_shape);
    RUN(a_box_meets_the_tiles_that_it_has_a_pixel_of);
    CHECK_EXIT();
}
