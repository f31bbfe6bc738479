/* test_order.c: the walk meets every pixel once, whatever the shape; for powers of two it is Morton's. */
#include "pyramid/order.h"

#include <stdlib.h>

#include "check.h"

static ngff_plan *plan_of(const char *dims, const int64_t *shape, const char *const *options, const int64_t *source)
{
    ngff_image *image = ngff_image_create(dims, shape, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    if (source)
        CHECK_INT(ngff_plan_set_source(plan, source, 1), NGFF_OK);
    return plan;
}

/* Counts the visits of every pixel; regions must lie on the grid of cells. Returns the number of regions. */
static int64_t check_walk(ngff_plan *p, int l)
{
    int rank = p->image->rank, n_wrong = 0;
    int64_t n = product_checked(p->levels[l].shape, rank), n_regions = 0;
    uint8_t *visits = calloc((size_t)n, 1);
    order o;
    box region, whole = box_make(rank, NULL, p->levels[l].shape);
    order_start(&o, p, l);
    while (order_next(&o, &region) && n_regions++ <= n) {
        CHECK(!box_is_empty(&region) && box_contains(&whole, &region));
        for (int i = 0; i < rank; i++)
            CHECK(region.origin[i] % p->levels[l].cell[i] == 0);
        int64_t at[MAX_RANK] = {0};
        for (int64_t k = box_volume(&region); k > 0; k--) {
            int64_t place = 0;
            for (int i = 0; i < rank; i++)
                place = place * p->levels[l].shape[i] + region.origin[i] + at[i];
            visits[place]++;
            for (int i = rank - 1; i >= 0 && ++at[i] == region.extent[i]; i--)
                at[i] = 0;
        }
    }
    CHECK_INT(order_next(&o, &region), 0); /* and it stays at the end */
    for (int64_t i = 0; i < n; i++)
        n_wrong += visits[i] != 1;
    CHECK_INT(n_wrong, 0);
    free(visits);
    return n_regions;
}

static void every_pixel_comes_once_for_many_shapes(void)
{
    static const struct {
        const char *dims;
        int64_t shape[MAX_RANK];
        const char *options[4];
        int64_t source[MAX_RANK];
    } cases[] = {
        {"yx", {1, 1}, {NULL}, {0}},
        {"yx", {64, 64}, {"BLOCKSIZE=16"}, {0}},
        {"yx", {100, 37}, {"BLOCKSIZE=16"}, {0}},
        {"yx", {1, 300}, {"BLOCKSIZE=16"}, {0}},
        {"yx", {300, 1}, {"BLOCKSIZE=7"}, {0}},
        {"yx", {100, 100}, {"BLOCKSIZE=8", "SCALE_FACTORS=3,9"}, {0}},
        {"yx", {100, 100}, {"BLOCKSIZE=8", "SCALE_FACTORS=2,5"}, {0}},
        {"yx", {101, 97}, {"BLOCKSIZE=8", "SHARD=24,40"}, {0}},
        {"yx", {101, 97}, {"BLOCKSIZE=8", "SHARD=24,40"}, {1, 97}},
        {"yx", {101, 97}, {"BLOCKSIZE=8"}, {16, 32}},
        {"yx", {101, 97}, {"BLOCKSIZE=8"}, {24, 40}},
        {"yx", {101, 97}, {"BLOCKSIZE=8"}, {101, 97}},
        {"yx", {101, 97}, {"BLOCKSIZE=8", "OVERVIEWS=NONE"}, {0}},
        {"cyx", {3, 50, 60}, {"BLOCKSIZE=8"}, {0}},
        {"cyx", {3, 50, 60}, {"BLOCKSIZE=8"}, {3, 8, 8}},
        {"cyx", {20, 30, 30}, {"BLOCKSIZE=8"}, {20, 8, 8}},
        {"cyx", {5, 50, 60}, {"BLOCKSIZE=2,8,8", "SHARD=4,16,16"}, {0}},
        {"tczyx", {2, 3, 5, 20, 30}, {"BLOCKSIZE=1,1,2,8,8", "SCALE_FACTORS=ISOTROPIC"}, {0}},
        {"tczyx", {3, 2, 4, 9, 10}, {"BLOCKSIZE=2,1,3,5,4"}, {0}},
        {"zyx", {40, 40, 40}, {"BLOCKSIZE=4,8,8", "SCALE_FACTORS=z:1,y:3,x:2;z:2,y:6,x:4"}, {0}},
        {"yx", {200, 200}, {"BLOCKSIZE=1"}, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ngff_plan *p = plan_of(cases[i].dims, cases[i].shape, cases[i].options, cases[i].source);
        CHECK(check_walk(p, 0) >= 1);
        if (p->n_levels > 1) { /* as if the caller gave it: cell by cell */
            CHECK_INT(check_walk(p, 1), product_checked(p->levels[1].cell_grid, p->image->rank));
        }
        ngff_plan_free(p);
    }
}

static void powers_of_two_give_the_order_of_morton(void)
{
    ngff_plan *p = plan_of("yx", (const int64_t[]){128, 128}, (const char *const[]){"BLOCKSIZE=16", NULL}, NULL);
    order o;
    box region;
    order_start(&o, p, 0);
    for (int64_t n = 0; n < 64; n++) {
        int64_t y = (n >> 1 & 1) | (n >> 3 & 1) << 1 | (n >> 5 & 1) << 2;
        int64_t x = (n & 1) | (n >> 2 & 1) << 1 | (n >> 4 & 1) << 2;
        CHECK_INT(order_next(&o, &region), 1);
        CHECK_INT(region.origin[0], 16 * y);
        CHECK_INT(region.origin[1], 16 * x);
    }
    CHECK_INT(order_next(&o, &region), 0);
    ngff_plan_free(p);
}

static void shards_are_filled_one_after_the_other(void)
{
    ngff_plan *p =
        plan_of("yx", (const int64_t[]){90, 90}, (const char *const[]){"BLOCKSIZE=10", "SHARD=30", NULL}, NULL);
    order o;
    box region;
    int64_t n = 0;
    order_start(&o, p, 0);
    for (int64_t first[2] = {0}; order_next(&o, &region); n++) {
        if (n % 9 == 0)
            memcpy(first, region.origin, sizeof first);
        CHECK_INT(region.origin[0] - first[0], n % 9 / 3 * 10); /* C order inside */
        CHECK_INT(region.origin[1] - first[1], n % 3 * 10);
    }
    CHECK_INT(n, 81);
    ngff_plan_free(p);
}

static void interleaved_channels_come_together(void)
{
    ngff_plan *p = plan_of("cyx", (const int64_t[]){40, 64, 64}, (const char *const[]){"BLOCKSIZE=32", NULL},
                           (const int64_t[]){40, 1, 1});
    order o;
    box region;
    order_start(&o, p, 0); /* 16 channels in a cell: three cells at every place */
    for (int64_t n = 0; n < 12; n++) {
        CHECK_INT(order_next(&o, &region), 1);
        CHECK_INT(region.origin[0], n % 3 * 16);
        CHECK_INT(region.extent[0], n % 3 == 2 ? 8 : 16);
        CHECK_INT(region.origin[2], n / 3 % 2 * 32);
        CHECK_INT(region.origin[1], n / 6 * 32);
    }
    CHECK_INT(order_next(&o, &region), 0);
    ngff_plan_free(p);
}

/* Chunks of one pixel and 2^40 of them along each axis need more doublings than there is room for. */
static void endless_images_start_at_once(void)
{
    ngff_plan *p = plan_of("yx", (const int64_t[]){2, (int64_t)1 << 50},
                           (const char *const[]){"BLOCKSIZE=1", "OVERVIEW_COUNT=39", "SHARD=NONE", NULL}, NULL);
    order o;
    box region;
    order_start(&o, p, 0);
    CHECK_INT(order_next(&o, &region), 1);
    CHECK_INT(box_volume(&region), 1);
    ngff_plan_free(p);
}

int main(void)
{
    RUN(every_pixel_comes_once_for_many_shapes);
    RUN(powers_of_two_give_the_order_of_morton);
    RUN(shards_are_filled_one_after_the_other);
    RUN(interleaved_channels_come_together);
    RUN(endless_images_start_at_once);
    CHECK_EXIT();
}
