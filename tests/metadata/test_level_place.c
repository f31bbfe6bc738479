/* Where levels lie, with positions and sizes as writers leave them. Expected values are by hand. */
#include "metadata/level_place.h"

#include <math.h>

#include "check.h"

/* One axis of a base of n pixels with scale and translation, and of a level. */
typedef struct {
    int64_t n;
    double scale, translation;
} axis;

/* 1 if the level is an overview and lies so on its axis. The other two axes are 4 and 2 pixels of nothing special. */
static int lies(char dim, axis base, axis level, double factor, double offset)
{
    stored_array levels[2] = {
        {.rank = 3, .shape = {base.n, 4, 4}, .scale = {base.scale, 1, 1}, .translation = {base.translation, 0, 0}},
        {.rank = 3,
         .shape = {level.n, 2, 2},
         .scale = {level.scale, 2, 2},
         .translation = {level.translation, .5, .5}}};
    stored_image image = {.dims = {dim, 'y', 'x'}, .n_levels = 2, .levels = levels};
    double f[MAX_RANK] = {0}, o[MAX_RANK] = {0};
    if (!level_place(&image, 0, 1, f, o))
        return 0;
    return f[1] == 2 && f[2] == 2 && o[1] == 0 && o[2] == 0 && fabs(f[0] - factor) < 1e-12 &&
           fabs(o[0] - offset) < 1e-9;
}

static void positions_give_the_factor_and_not_the_ratio_of_sizes(void)
{
    CHECK(lies('z', (axis){1025, 1, 0}, (axis){513, 2, 0.5}, 2, 0));
    CHECK(lies('z', (axis){20001, 0.1, 7}, (axis){157, 12.8, 7 + 63.5 * 0.1}, 128, 0));
    CHECK(lies('t', (axis){10, 0.1, 0}, (axis){4, 0.1 * 3, 0.1}, 3, 0)); /* 0.1 * 3 / 0.1 is not 3 */
    CHECK(lies('z', (axis){5, 1, 0}, (axis){2, 2, 0.5}, 2, 0));          /* floor, as ngff-zarr */
    CHECK(lies('z', (axis){12, 2, 0}, (axis){8, 3, 0.5}, 1.5, 0));
}

static void level_without_a_translation_of_its_own_begins_where_the_base_begins(void)
{
    CHECK(lies('z', (axis){8, 2, 0}, (axis){4, 4, 0}, 2, 0));
    CHECK(lies('z', (axis){9, 2, 100}, (axis){3, 8, 100}, 4, 0));
}

static void translation_of_its_own_shifts_a_level(void)
{
    /* its first centre on that of plane 1: it covers 0.5 to 2.5 */
    CHECK(lies('z', (axis){8, 2, 10}, (axis){4, 4, 12}, 2, 0.5));
    CHECK(lies('z', (axis){8, 2, 10}, (axis){4, 4, 11.5}, 2, 0.25));
    CHECK(lies('z', (axis){8, 2, 10}, (axis){4, 4, 9}, 2, -1));
    CHECK(lies('z', (axis){8, 2, 10}, (axis){4, 4, 500}, 2, 0)); /* nowhere near: it says nothing */
}

static void sizes_decide_where_positions_do_not_fit(void)
{
    CHECK(lies('z', (axis){8, 2, 0}, (axis){4, 2, 0}, 2, 0));      /* one scale for all levels */
    CHECK(lies('z', (axis){1001, 1, 0}, (axis){8, 1, 0}, 128, 0)); /* ceil(1001 / 128) */
    CHECK(lies('z', (axis){9, 1, 0}, (axis){3, 0, 0}, 3, 0));
    CHECK(lies('z', (axis){9, 0, 0}, (axis){5, 0, 0}, 2, 0));   /* no scale at all */
    CHECK(lies('z', (axis){8, 1, 0}, (axis){4, 8, 3.5}, 2, 0)); /* a scale that contradicts the sizes */
    CHECK(lies('z', (axis){8, 1, 0}, (axis){4, NAN, 0}, 2, 0));
    CHECK(lies('z', (axis){1000, 1, 0}, (axis){300, 1, 0}, 1000.0 / 300, 0));
}

static void equal_sizes_are_the_same_planes_whatever_positions_say(void)
{
    CHECK(lies('z', (axis){7, 1, 0}, (axis){7, 2, 0.5}, 1, 0));
    CHECK(lies('c', (axis){7, 1, 0}, (axis){7, 1, 0}, 1, 0));
}

static void fewer_channels_or_more_pixels_are_no_overview(void)
{
    CHECK(!lies('c', (axis){4, 1, 0}, (axis){2, 2, 0.5}, 2, 0));
    CHECK(!lies('z', (axis){4, 1, 0}, (axis){8, 0.5, 0}, 0.5, 0));
}

int main(void)
{
    RUN(positions_give_the_factor_and_not_the_ratio_of_sizes);
    RUN(level_without_a_translation_of_its_own_begins_where_the_base_begins);
    RUN(translation_of_its_own_shifts_a_level);
    RUN(sizes_decide_where_positions_do_not_fit);
    RUN(equal_sizes_are_the_same_planes_whatever_positions_say);
    RUN(fewer_channels_or_more_pixels_are_no_overview);
    CHECK_EXIT();
}
