/* test_update.c: which cells a change reaches, against what is drawn by hand for 8 x 8 cells and factors of two. */
#include "writer/update.h"

#include <stdlib.h>

#include "check.h"

static ngff_plan *make_plan(const char *method)
{
    const char *const options[] = {"BLOCKSIZE=8", method, NULL};
    ngff_image *image = ngff_image_create("yx", (const int64_t[]){64, 64}, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    CHECK_INT(plan->n_levels, 4); /* 8 x 8, 4 x 4, 2 x 2 cells and 1 */
    return plan;
}

/* One character per cell of a level in C order: W wanted, n needed. */
static void is_drawn(const update *u, const ngff_plan *plan, int l, const char *drawing)
{
    int64_t index[MAX_RANK] = {0};
    char found[65] = "";
    int n = 0;
    do
        found[n++] = update_is_wanted(u, l, index) ? 'W' : update_is_needed(u, l, index) ? 'n' : '.';
    while (update_next(plan, l, index));
    found[n] = 0;
    CHECK_TEXT(found, drawing);
}

static void a_touched_cell_reaches_its_ancestors_and_needs_their_other_children(void)
{
    ngff_plan *plan = make_plan("OVERVIEW_RESAMPLING=AVERAGE");
    update *u = update_create(plan);
    update_want(u, 0, (const int64_t[]){3, 5});
    CHECK_INT(update_spread(u), NGFF_OK);
    is_drawn(u, plan, 0,
             "................"
             "....nn......nW.."
             "................"
             "................");
    is_drawn(u, plan, 1, "..nn..Wn........");
    is_drawn(u, plan, 2, "nWnn");
    is_drawn(u, plan, 3, "W");
    CHECK(!update_is_whole(u, 0) && update_is_whole(u, 3));
    CHECK(update_is_chunk_wanted(u, 0, (const int64_t[]){3, 5}) &&
          !update_is_chunk_wanted(u, 0, (const int64_t[]){3, 4}));
    update_free(u);
    ngff_plan_free(plan);
}

static void a_level_is_wanted_whole_and_a_stored_cell_is_left_out(void)
{
    ngff_plan *plan = make_plan("OVERVIEW_RESAMPLING=AVERAGE");
    update *u = update_create(plan);
    for (int l = 0; l < plan->n_levels; l++)
        update_want_level(u, l);
    CHECK(update_is_whole(u, 0) && update_is_whole(u, 2));
    update_leave(u, 0, (const int64_t[]){7, 7});
    CHECK(!update_is_whole(u, 0) && update_is_needed(u, 0, (const int64_t[]){7, 7}));
    CHECK(!update_is_wanted(u, 0, (const int64_t[]){7, 7}) && update_is_wanted(u, 0, (const int64_t[]){7, 6}));
    CHECK(!update_is_needed(u, 0, (const int64_t[]){7, 6}));
    update_want(u, 0, (const int64_t[]){7, 7});
    CHECK(update_is_whole(u, 0));
    update_free(u);
    ngff_plan_free(plan);
}

/* A kernel that reaches over the border of a cell takes the neighbours along. */
static void a_kernel_reaches_further(void)
{
    ngff_plan *plan = make_plan("OVERVIEW_RESAMPLING=CUBIC");
    update *u = update_create(plan);
    update_want(u, 0, (const int64_t[]){0, 3});
    CHECK_INT(update_spread(u), NGFF_OK);
    CHECK(update_is_wanted(u, 1, (const int64_t[]){0, 1}) && update_is_wanted(u, 1, (const int64_t[]){0, 2}));
    CHECK(!update_is_wanted(u, 1, (const int64_t[]){2, 1}) && !update_is_wanted(u, 1, (const int64_t[]){0, 3}));
    update_free(u);
    ngff_plan_free(plan);
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

int main(void)
{
    RUN(a_touched_cell_reaches_its_ancestors_and_needs_their_other_children);
    RUN(a_level_is_wanted_whole_and_a_stored_cell_is_left_out);
    RUN(a_kernel_reaches_further);
    RUN(counting_goes_through_a_box_in_c_order);
    CHECK_EXIT();
}
