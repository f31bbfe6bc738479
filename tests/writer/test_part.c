/* test_part.c: what the parts of an image own, make and read. */
#include "writer/part.h"

#include <stdlib.h>

#include "base/grid.h"
#include "plans.h"

enum { most_parts = 12 };

static ngff_plan *plan_of_part(const char *dims, const int64_t *shape, const char *method, const char *more, int i,
                               int n)
{
    char part_option[32], method_option[64];
    snprintf(part_option, sizeof part_option, "PART=%d/%d", i, n);
    snprintf(method_option, sizeof method_option, "OVERVIEW_RESAMPLING=%s", method);
    ngff_plan *plan = plan_of(dims, shape, NGFF_UINT8, OPTIONS(part_option, method_option, more, "BLOCKSIZE=16"));
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    return plan;
}

/* The pixels of all regions; none is outside what the part takes. */
static int64_t read_all(part *p)
{
    int64_t n = 0;
    box region;
    while (part_next(p, &region)) {
        CHECK(part_takes(p, &region));
        n += box_volume(&region);
    }
    CHECK(!part_next(p, &region));
    return n;
}

static void check_parts(const char *method, const char *more, int n, int has_rim)
{
    static const int64_t shape[] = {300, 410};
    ngff_plan *plans[most_parts];
    part *parts[most_parts];
    int64_t n_read = 0;
    for (int i = 0; i < n; i++) {
        plans[i] = plan_of_part("yx", shape, method, more, i + 1, n);
        parts[i] = part_create(plans[i]);
        n_read += read_all(parts[i]);
    }
    plan_cut cut = plan_cut_for(plans[0], n);
    for (int l = 0; l < plans[0]->n_levels; l++) {
        int64_t index[MAX_RANK] = {0};
        do {
            int n_owners = 0;
            for (int i = 0; i < n; i++) {
                box whole = grid_box(2, plans[i]->levels[l].shape, plans[i]->levels[l].cell, index), made = whole;
                part_limit(parts[i], l, index, &made);
                int is_own = part_owns(parts[i], l, index), is_made = part_makes(parts[i], l, index);
                n_owners += is_own;
                CHECK(is_made == !box_is_empty(&made) && (!is_own || box_equals(&made, &whole)));
                CHECK(box_is_empty(&made) || box_contains(&whole, &made));
            }
            CHECK_INT(n_owners, l <= cut.level); /* every cell up to the cut is one part's */
        } while (grid_next(2, plans[0]->levels[l].cell_grid, index));
    }
    CHECK(has_rim ? n_read > 300 * 410 && n_read < 300 * 410 * 3 : n_read == 300 * 410);
    for (int i = 0; i < n; i++) {
        part_free(parts[i]);
        ngff_plan_free(plans[i]);
    }
}

static void every_cell_up_to_the_cut_is_one_parts(void)
{
    for (int n = 1; n <= most_parts; n += n < 3 ? 1 : 3) {
        check_parts("AVERAGE", "SHARD=NONE", n, 0);
        check_parts("MODE", "SHARD=32", n, 0);
        check_parts("NEAREST", "SCALE_FACTORS=3,6", n, 0);
        check_parts("GAUSS", "SHARD=NONE", n, n > 1);
        check_parts("LANCZOS", "SCALE_FACTORS=2,4", n, n > 1);
    }
}

/* By hand: means need none of their neighbours, a triangle over two windows one pixel of each. */
static void rim_is_as_wide_as_the_kernel(void)
{
    ngff_plan *plan = plan_of_part("yx", SHAPE(512, 512), "AVERAGE", "SHARD=NONE", 1, 4);
    part *p = part_create(plan);
    box own = {2, {0, 0}, {256, 256}}, beyond = {2, {0, 256}, {16, 1}};
    CHECK(part_takes(p, &own) && !part_takes(p, &beyond));
    CHECK_INT(part_cell_count(p), 256);
    part_free(p);
    ngff_plan_free(plan);
    plan = plan_of_part("yx", SHAPE(512, 512), "BILINEAR", "SCALE_FACTORS=2", 1, 4);
    p = part_create(plan);
    /* Bilinear of factor 2: a triangle of four pixels, one of them on each side of the window. */
    CHECK(part_takes(p, &beyond));
    beyond.extent[1] = 2;
    CHECK(!part_takes(p, &beyond));
    part_free(p);
    ngff_plan_free(plan);
}

static void part_without_units_has_nothing_to_do(void)
{
    ngff_plan *plan = plan_of_part("yx", SHAPE(20, 20), "GAUSS", "SHARD=NONE", 9, 9);
    part *first, *p = part_create(plan);
    box region;
    CHECK_INT(part_cell_count(p) > 0, 1); /* the last of nine has the last of four units */
    part_free(p);
    ngff_plan_free(plan);
    plan = plan_of_part("yx", SHAPE(20, 20), "GAUSS", "SHARD=NONE", 1, 9);
    first = part_create(plan);
    CHECK_INT(part_cell_count(first), 0);
    CHECK(!part_next(first, &region));
    part_free(first);
    ngff_plan_free(plan);
}

int main(void)
{
    RUN(every_cell_up_to_the_cut_is_one_parts);
    RUN(rim_is_as_wide_as_the_kernel);
    RUN(part_without_units_has_nothing_to_do);
    CHECK_EXIT();
}
