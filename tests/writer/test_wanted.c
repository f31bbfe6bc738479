/* test_wanted.c: which cells a change reaches, against what is drawn by hand for 8 x 8 cells and factors of two. */
#include "writer/wanted.h"

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
static void is_drawn(const wanted *w, const ngff_plan *plan, int l, const char *drawing)
{
    int64_t index[MAX_RANK] = {0};
    char found[65] = "";
    int n = 0;
    do
        found[n++] = wanted_has(w, l, index) ? 'W' : wanted_is_needed(w, l, index) ? 'n' : '.';
    while (wanted_next(plan, l, index));
    found[n] = 0;
    CHECK_TEXT(found, drawing);
}

static void a_touched_cell_reaches_its_ancestors_and_needs_their_other_children(void)
{
    ngff_plan *plan = make_plan("OVERVIEW_RESAMPLING=AVERAGE");
    wanted *w = wanted_create(plan);
    wanted_add(w, 0, (const int64_t[]){3, 5});
    CHECK_INT(wanted_spread(w), NGFF_OK);
    is_drawn(w, plan, 0,
             "................"
             "....nn......nW.."
             "................"
             "................");
    is_drawn(w, plan, 1, "..nn..Wn........");
    is_drawn(w, plan, 2, "nWnn");
    is_drawn(w, plan, 3, "W");
    CHECK(!wanted_is_whole(w, 0) && wanted_is_whole(w, 3));
    CHECK(wanted_has_chunk(w, 0, (const int64_t[]){3, 5}) && !wanted_has_chunk(w, 0, (const int64_t[]){3, 4}));
    wanted_free(w);
    ngff_plan_free(plan);
}

static void a_level_is_wanted_whole_and_a_stored_cell_is_left_out(void)
{
    ngff_plan *plan = make_plan("OVERVIEW_RESAMPLING=AVERAGE");
    wanted *w = wanted_create(plan);
    for (int l = 0; l < plan->n_levels; l++)
        wanted_add_level(w, l);
    CHECK(wanted_is_whole(w, 0) && wanted_is_whole(w, 2));
    wanted_leave(w, 0, (const int64_t[]){7, 7});
    CHECK(!wanted_is_whole(w, 0) && wanted_is_needed(w, 0, (const int64_t[]){7, 7}));
    CHECK(!wanted_has(w, 0, (const int64_t[]){7, 7}) && wanted_has(w, 0, (const int64_t[]){7, 6}));
    CHECK(!wanted_is_needed(w, 0, (const int64_t[]){7, 6}));
    wanted_add(w, 0, (const int64_t[]){7, 7});
    CHECK(wanted_is_whole(w, 0));
    wanted_free(w);
    ngff_plan_free(plan);
}

/* A kernel that reaches over the border of a cell takes the neighbours along. */
static void a_kernel_reaches_further(void)
{
    ngff_plan *plan = make_plan("OVERVIEW_RESAMPLING=CUBIC");
    wanted *w = wanted_create(plan);
    wanted_add(w, 0, (const int64_t[]){0, 3});
    CHECK_INT(wanted_spread(w), NGFF_OK);
    CHECK(wanted_has(w, 1, (const int64_t[]){0, 1}) && wanted_has(w, 1, (const int64_t[]){0, 2}));
    CHECK(!wanted_has(w, 1, (const int64_t[]){2, 1}) && !wanted_has(w, 1, (const int64_t[]){0, 3}));
    wanted_free(w);
    ngff_plan_free(plan);
}

int main(void)
{
    RUN(a_touched_cell_reaches_its_ancestors_and_needs_their_other_children);
    RUN(a_level_is_wanted_whole_and_a_stored_cell_is_left_out);
    RUN(a_kernel_reaches_further);
    CHECK_EXIT();
}
