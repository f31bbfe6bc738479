/* test_straddle.c: strips and insides of cells, by hand, and against every pixel's own needs. */
#include "pyramid/straddle.h"

#include <stdlib.h>

#include "check.h"

/* Level of 40 pixels in cells of 8, halved; kernels that reach 2 pixels beyond the window. */
static const straddle_axis halved = {.cell = 8, .shape = 40, .ratio = 2, .before = 2, .after = 2};

static void halves_with_a_margin_by_hand(void)
{
    /* Target pixels 8 to 15 need 14 to 33; 16, 24 and 32 are boundaries between source cells. */
    const int64_t origin[] = {8}, extent[] = {8}, child_origin[] = {16}, child_extent[] = {8};
    box target = box_make(1, origin, extent), child = box_make(1, child_origin, child_extent);
    strip_list *list = straddle_strips(&halved, &target, 64, 0);
    static const int64_t to[3][2] = {{8, 1}, {11, 2}, {15, 1}}, from[3][2] = {{14, 6}, {20, 8}, {28, 6}};
    CHECK_INT(list->n, 1); /* the strips are no smaller than the block */
    CHECK_INT(list->strip[0].from.extent[0], 20);
    free(list);
    box b = straddle_inside(&halved, &target, &child);
    CHECK_INT(b.origin[0], 9);
    CHECK_INT(b.extent[0], 2);
    straddle_axis wide = halved;
    wide.cell = 80;
    wide.shape = 400;
    const int64_t wide_origin[] = {80}, wide_extent[] = {80};
    target = box_make(1, wide_origin, wide_extent);
    list = straddle_strips(&wide, &target, 64, 0);
    CHECK_INT(list->n, 3);
    for (int i = 0; i < 3; i++) {
        static const int64_t shift_to[] = {72, 108, 144}, shift_from[] = {144, 216, 288};
        CHECK_INT(list->strip[i].to.origin[0], to[i][0] + shift_to[i]);
        CHECK_INT(list->strip[i].to.extent[0], to[i][1]);
        CHECK_INT(list->strip[i].from.origin[0], from[i][0] + shift_from[i]);
        CHECK_INT(list->strip[i].from.extent[0], from[i][1]);
    }
    free(list);
}

/* How many boxes hold a position. */
static int holds(const box *b, const int64_t *at)
{
    for (int i = 0; i < b->rank; i++)
        if (at[i] < b->origin[i] || at[i] >= b->origin[i] + b->extent[i])
            return 0;
    return 1;
}

/* Every target pixel is inside exactly one child, which then has all it needs, or in a strip, which then has. */
static void check_cell(const straddle_axis *axes, const box *target)
{
    strip_list *list = straddle_strips(axes, target, 1, 0);
    int64_t at[2];
    for (at[0] = target->origin[0]; at[0] < target->origin[0] + target->extent[0]; at[0]++)
        for (at[1] = target->origin[1]; at[1] < target->origin[1] + target->extent[1]; at[1]++) {
            const int64_t one[] = {1, 1};
            box pixel = box_make(2, at, one), needs = straddle_source(axes, &pixel);
            int n_inside = 0, n_strips = 0;
            for (int64_t y = 0; y < axes[0].shape; y += axes[0].cell)
                for (int64_t x = 0; x < axes[1].shape; x += axes[1].cell) {
                    const int64_t origin[] = {y, x}, extent[] = {min_i64(axes[0].cell, axes[0].shape - y),
                                                                 min_i64(axes[1].cell, axes[1].shape - x)};
                    box child = box_make(2, origin, extent), inside = straddle_inside(axes, target, &child);
                    if (!holds(&inside, at))
                        continue;
                    n_inside++;
                    CHECK(box_contains(&child, &needs));
                }
            for (int i = 0; i < list->n; i++)
                if (holds(&list->strip[i].to, at)) {
                    n_strips++;
                    CHECK(box_contains(&list->strip[i].from, &needs));
                }
            CHECK(list->is_whole ? n_strips == 1 : n_inside == 1 ? n_strips == 0 : n_inside == 0 && n_strips > 0);
        }
    free(list);
}

static void every_pixel_is_inside_one_child_or_in_a_strip(void)
{
    static const int64_t cells[] = {5, 8, 16, 31}, shapes[] = {31, 40, 97}, ratios[] = {1, 2, 3, 5, 16},
                         margins[] = {0, 1, 2, 7};
    int64_t n = 0;
    for (int c = 0; c < 4; c++)
        for (int s = 0; s < 3; s++)
            for (int r = 0; r < 5; r++)
                for (int m = 0; m < 4; m++) {
                    straddle_axis axes[2] = {
                        {cells[c], shapes[s], ratios[r], ratios[r] > 1 ? margins[m] : 0,
                         ratios[r] > 1 ? margins[m] : 0},
                        {cells[(c + m) % 4], shapes[(s + 1) % 3], ratios[(r + 1) % 5], ratios[(r + 1) % 5] > 1, 0}};
                    int64_t shape[2] = {ceil_div(axes[0].shape, axes[0].ratio), ceil_div(axes[1].shape, axes[1].ratio)};
                    box level = box_make(2, (const int64_t[]){0, 0}, shape);
                    for (int64_t y = 0; y < shape[0]; y += cells[c])
                        for (int64_t x = 0; x < shape[1]; x += 16, n++) {
                            box target = box_make(2, (const int64_t[]){y, x}, (const int64_t[]){cells[c], 16});
                            target = box_intersect(&target, &level);
                            check_cell(axes, &target);
                        }
                }
    CHECK(n > 1000);
}

static void strips_of_a_large_cell_are_small(void)
{
    const straddle_axis axes[2] = {{512, 20000, 2, 2, 2}, {512, 20000, 2, 2, 2}};
    box target = box_make(2, (const int64_t[]){512, 1024}, (const int64_t[]){512, 512});
    strip_list *list = straddle_strips(axes, &target, 2, 0);
    CHECK_INT(list->n, 6);
    CHECK(list->bytes < 512 * 512 * 2 / 5);
    int64_t bytes = list->bytes;
    free(list);
    list = straddle_strips(axes, &target, 2, 1);
    CHECK(list->bytes > bytes / 2 * 3 - 6 * 64 && list->bytes < bytes / 2 * 3 + 6 * 64);
    free(list);
}

int main(void)
{
    RUN(halves_with_a_margin_by_hand);
    RUN(every_pixel_is_inside_one_child_or_in_a_strip);
    RUN(strips_of_a_large_cell_are_small);
    CHECK_EXIT();
}
