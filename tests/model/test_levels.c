/* test_levels.c: the level table by hand. */
#include "plans.h"

/* 256 x 256 with factors 2 and 4 and chunks of 64: what ngff-zarr's metadata say. */
static void example_of_ngff_zarr_has_its_scales_and_translations(void)
{
    static const double scale[] = {1, 2, 4}, translation[] = {0, 0.5, 1.5};
    ngff_plan *p = plan_of("yx", SHAPE(256, 256), NGFF_UINT8, OPTIONS("SCALE_FACTORS=2,4", "BLOCKSIZE=64"));
    CHECK_INT(ngff_plan_status(p), NGFF_OK);
    CHECK_INT(ngff_plan_level_count(p), 3);
    for (int l = 0; l < 3; l++) {
        double s[2], t[2];
        int64_t shape[2], chunk[2], shard[2];
        CHECK_INT(ngff_plan_level_scale(p, l, s), NGFF_OK);
        CHECK_INT(ngff_plan_level_translation(p, l, t), NGFF_OK);
        CHECK_INT(ngff_plan_level_shape(p, l, shape), NGFF_OK);
        CHECK_INT(ngff_plan_level_chunk(p, l, chunk), NGFF_OK);
        CHECK_INT(ngff_plan_level_shard(p, l, shard), NGFF_OK);
        CHECK(s[0] == scale[l] && s[1] == scale[l] && t[0] == translation[l] && t[1] == translation[l]);
        check_sizes(shape, 2, SHAPE(256 >> l, 256 >> l), "shape", l);
        check_sizes(chunk, 2, SHAPE(64, 64), "chunk", l);
        check_sizes(shard, 2, SHAPE(64, 64), "shard", l);
    }
    CHECK_INT(ngff_plan_raw_size(p), 65536 + 16384 + 4096);
    CHECK_INT(ngff_plan_level_shape(p, 3, (int64_t[2]){0}), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_plan_level_scale(p, -1, (double[2]){0}), NGFF_E_ARGUMENT);
    CHECK(ngff_plan_level_path(p, 3) == NULL);
    ngff_plan_free(p);
    ngff_plan_free(NULL);
}

static void positions_follow_the_images_own(void)
{
    ngff_image *image = ngff_image_create("yx", SHAPE(100, 100), NGFF_UINT8);
    ngff_image_set_scale(image, (const double[]){0.5, 3});
    ngff_image_set_translation(image, (const double[]){10, -1});
    ngff_plan *p = ngff_plan_create(image, OPTIONS("SCALE_FACTORS=y:2,x:3"));
    ngff_image_free(image);
    /* t + (f - 1) / 2 * s: 10 + 0.5 * 0.5, -1 + 1 * 3 */
    CHECK(p->levels[1].scale[0] == 1 && p->levels[1].scale[1] == 9);
    CHECK(p->levels[1].translation[0] == 10.25 && p->levels[1].translation[1] == 2);
    ngff_plan_free(p);
}

static void sizes_are_rounded_up_and_stop_at_one_block(void)
{
    ngff_plan *p = plan_of("cyx", SHAPE(3, 1001, 999), NGFF_UINT16, OPTIONS("BLOCKSIZE=64"));
    static const int64_t sizes[][2] = {{1001, 999}, {501, 500}, {251, 250}, {126, 125}, {63, 63}};
    CHECK_INT(ngff_plan_level_count(p), 5);
    for (int l = 0; l < 5; l++) {
        check_sizes(p->levels[l].shape, 3, SHAPE(3, sizes[l][0], sizes[l][1]), "shape", l);
        CHECK_INT(p->levels[l].source, l - 1);
    }
    check_sizes(p->levels[4].chunk, 3, SHAPE(1, 63, 63), "chunk", 4);
    check_sizes(p->levels[3].grid, 3, SHAPE(3, 2, 2), "grid", 3);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(512, 512), NGFF_UINT8, NULL);
    CHECK_INT(ngff_plan_level_count(p), 1);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(513, 10), NGFF_UINT8, NULL);
    CHECK_INT(ngff_plan_level_count(p), 2);
    check_sizes(p->levels[1].shape, 2, SHAPE(257, 5), "shape", 1);
    ngff_plan_free(p);
}

static void sizes_are_rounded_down_if_asked_for(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(1001, 999), NGFF_UINT16, OPTIONS("BLOCKSIZE=64", "SIZES=FLOOR"));
    static const int64_t sizes[][2] = {{1001, 999}, {500, 499}, {250, 249}, {125, 124}, {62, 62}};
    CHECK_INT(ngff_plan_level_count(p), 5);
    for (int l = 0; l < 5; l++)
        check_sizes(p->levels[l].shape, 2, sizes[l], "shape", l);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(513, 3), NGFF_UINT8, OPTIONS("SIZES=FLOOR", "SCALE_FACTORS=2,8"));
    check_sizes(p->levels[2].shape, 2, SHAPE(64, 1), "shape", 2); /* a pixel at least */
    ngff_plan_free(p);
}

static void source_is_the_largest_earlier_level_that_divides(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(100, 100), NGFF_UINT8, OPTIONS("SCALE_FACTORS=2,5,10,20"));
    static const int64_t sizes[] = {100, 50, 20, 10, 5};
    static const int sources[] = {-1, 0, 0, 2, 3}, ratios[] = {1, 2, 5, 2, 2};
    for (int l = 0; l < 5; l++) {
        CHECK_INT(p->levels[l].source, sources[l]);
        CHECK_INT(p->levels[l].ratio[0], ratios[l]);
        CHECK_INT(p->levels[l].shape[1], sizes[l]);
    }
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(9, 9), NGFF_UINT8, OPTIONS("SCALE_FACTORS=2,3"));
    CHECK_INT(p->levels[1].source, 0);
    CHECK_INT(p->levels[2].source, 0);
    check_sizes(p->levels[1].shape, 2, SHAPE(5, 5), "shape", 1);
    check_sizes(p->levels[2].shape, 2, SHAPE(3, 3), "shape", 2);
    ngff_plan_free(p);
    /* y 2, x 6 then y 4, x 6 then y 4, x 12: only whole multiples on both axes count */
    p = plan_of("yx", SHAPE(48, 48), NGFF_UINT8, OPTIONS("SCALE_FACTORS=y:2,x:6;y:3,x:6;y:4,x:12"));
    CHECK_INT(p->levels[2].source, 0);
    CHECK_INT(p->levels[3].source, 1);
    check_sizes(p->levels[3].ratio, 2, SHAPE(2, 2), "ratio", 3);
    ngff_plan_free(p);
}

static void axes_of_one_pixel_do_not_shrink(void)
{
    ngff_plan *p = plan_of("zyx", SHAPE(1, 1, 100), NGFF_UINT8, OPTIONS("BLOCKSIZE=30", "SCALE_FACTORS=ISOTROPIC"));
    CHECK_INT(ngff_plan_level_count(p), 3);
    check_sizes(p->levels[1].factor, 3, SHAPE(1, 1, 2), "factor", 1);
    check_sizes(p->levels[2].factor, 3, SHAPE(1, 1, 4), "factor", 2);
    check_sizes(p->levels[2].shape, 3, SHAPE(1, 1, 25), "shape", 2);
    CHECK(p->levels[2].scale[1] == 1 && p->levels[2].translation[1] == 0);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(1, 1), NGFF_FLOAT64, OPTIONS("OVERVIEW_COUNT=5"));
    CHECK_INT(ngff_plan_level_count(p), 1);
    ngff_plan_free(p);
}

static void z_waits_until_its_spacing_is_caught_up(void)
{
    ngff_image *image = ngff_image_create("zyx", SHAPE(64, 256, 256), NGFF_UINT8);
    ngff_image_set_scale(image, (const double[]){4, 1, 1});
    ngff_plan *p = ngff_plan_create(image, OPTIONS("BLOCKSIZE=16", "SCALE_FACTORS=ISOTROPIC"));
    /* spacing 4,1,1 -> 4,2,2 -> 4,4,4 -> 8,8,8 */
    check_sizes(p->levels[1].factor, 3, SHAPE(1, 2, 2), "factor", 1);
    check_sizes(p->levels[2].factor, 3, SHAPE(1, 4, 4), "factor", 2);
    check_sizes(p->levels[3].factor, 3, SHAPE(2, 8, 8), "factor", 3);
    check_sizes(p->levels[4].factor, 3, SHAPE(4, 16, 16), "factor", 4);
    CHECK_INT(ngff_plan_level_count(p), 5);
    ngff_plan_free(p);
    ngff_image_free(image);
    p = plan_of("tczyx", SHAPE(4, 3, 64, 64, 64), NGFF_UINT8, OPTIONS("BLOCKSIZE=16", "SCALE_FACTORS=isotropic"));
    check_sizes(p->levels[1].factor, 5, SHAPE(1, 1, 2, 2, 2), "factor", 1);
    ngff_plan_free(p);
    p = plan_of("zyx", SHAPE(64, 64, 64), NGFF_UINT8, OPTIONS("SCALE_FACTORS=ISOTROPIC", "OVERVIEW_COUNT=1"));
    CHECK_INT(ngff_plan_level_count(p), 2);
    ngff_plan_free(p);
}

static void axes_that_an_entry_does_not_name_keep_their_factor(void)
{
    ngff_plan *p = plan_of("zyx", SHAPE(16, 64, 64), NGFF_UINT8, OPTIONS("SCALE_FACTORS=y:2,x:3;z:2;x:6"));
    CHECK_TEXT(ngff_plan_error(p), "");
    CHECK_INT(ngff_plan_level_count(p), 4);
    check_sizes(p->levels[1].factor, 3, SHAPE(1, 2, 3), "factor", 1);
    check_sizes(p->levels[2].factor, 3, SHAPE(2, 2, 3), "factor", 2);
    check_sizes(p->levels[3].factor, 3, SHAPE(2, 2, 6), "factor", 3);
    ngff_plan_free(p);
}

/* Pixels that are no squares: z is caught up by the finer of y and x. */
static void z_waits_for_the_smaller_spacing_of_the_plane(void)
{
    for (int x_is_wide = 0; x_is_wide < 2; x_is_wide++) {
        ngff_image *image = ngff_image_create("zyx", SHAPE(64, 256, 256), NGFF_UINT8);
        ngff_image_set_scale(image, x_is_wide ? (const double[]){2, 1, 8} : (const double[]){2, 8, 1});
        ngff_plan *p = ngff_plan_create(image, OPTIONS("BLOCKSIZE=32", "SCALE_FACTORS=ISOTROPIC"));
        /* spacing of z and of the finer axis: 2,1 -> 2,2 -> 4,4 -> 8,8 */
        CHECK_INT(ngff_plan_level_count(p), 4);
        check_sizes(p->levels[1].factor, 3, SHAPE(1, 2, 2), "factor", 1);
        check_sizes(p->levels[2].factor, 3, SHAPE(2, 4, 4), "factor", 2);
        check_sizes(p->levels[3].factor, 3, SHAPE(4, 8, 8), "factor", 3);
        ngff_plan_free(p);
        ngff_image_free(image);
    }
}

static void z_keeps_its_planes_unless_asked(void)
{
    ngff_plan *p = plan_of("tczyx", SHAPE(4, 3, 64, 64, 64), NGFF_UINT8, OPTIONS("BLOCKSIZE=16"));
    CHECK_INT(ngff_plan_level_count(p), 3);
    check_sizes(p->levels[1].shape, 5, SHAPE(4, 3, 64, 32, 32), "shape", 1);
    check_sizes(p->levels[2].shape, 5, SHAPE(4, 3, 64, 16, 16), "shape", 2);
    ngff_plan_free(p);
    p = plan_of("zyx", SHAPE(64, 64, 64), NGFF_UINT8, OPTIONS("OVERVIEW_COUNT=3"));
    CHECK_INT(ngff_plan_level_count(p), 4);
    check_sizes(p->levels[3].shape, 3, SHAPE(64, 8, 8), "shape", 3);
    ngff_plan_free(p);
}

static void default_blocks_depend_on_the_axes(void)
{
    ngff_plan *p = plan_of("tczyx", SHAPE(4, 3, 64, 1000, 1000), NGFF_UINT8, NULL);
    check_sizes(p->levels[0].chunk, 5, SHAPE(1, 1, 16, 256, 256), "chunk", 0);
    ngff_plan_free(p);
    p = plan_of("tczyx", SHAPE(4, 3, 1, 1000, 1000), NGFF_UINT8, NULL); /* one plane of z is no stack */
    check_sizes(p->levels[0].chunk, 5, SHAPE(1, 1, 1, 512, 512), "chunk", 0);
    ngff_plan_free(p);
    p = plan_of("cyx", SHAPE(3, 1000, 300), NGFF_UINT8, NULL);
    check_sizes(p->levels[0].chunk, 3, SHAPE(1, 512, 300), "chunk", 0);
    ngff_plan_free(p);
    p = plan_of("cyx", SHAPE(3, 1000, 300), NGFF_UINT8, OPTIONS("BLOCKSIZE=c:2,x:128"));
    check_sizes(p->levels[0].chunk, 3, SHAPE(2, 512, 128), "chunk", 0);
    ngff_plan_free(p);
    p = plan_of("cyx", SHAPE(3, 1000, 300), NGFF_UINT8, OPTIONS("BLOCKSIZE=3,100,200"));
    check_sizes(p->levels[0].chunk, 3, SHAPE(3, 100, 200), "chunk", 0);
    ngff_plan_free(p);
}

static void masks_lie_beside_the_levels(void)
{
    static const char *const options[][2] = {{NULL, NULL}, {"LAYOUT=FLAT", NULL}};
    static const char *const paths[][2] = {{"ovr_mask/scale0", "ovr_mask/ovr_4x"}, {"ovr_mask/0", "ovr_mask/2"}};
    for (int i = 0; i < 2; i++) {
        ngff_image *image = ngff_image_create("cyx", SHAPE(2, 2048, 3000), NGFF_UINT16);
        ngff_image_set_mask(image, 1);
        ngff_plan *p = ngff_plan_create(image, options[i]);
        ngff_image_free(image);
        CHECK_INT(p->n_arrays, 2 * p->n_levels);
        CHECK(plan_pixels(p, 2)->level == 2 && !plan_pixels(p, 2)->is_mask && plan_pixels(p, 2)->rank == 3);
        CHECK(plan_mask(p, 2)->level == 2 && plan_mask(p, 2)->is_mask && plan_mask(p, 2)->rank == 2);
        CHECK(plan_mask(p, 2)->shape[0] == 512 && plan_mask(p, 2)->shape[1] == 750);
        CHECK(plan_mask(p, 2)->type->data_type == NGFF_UINT8 && plan_mask(p, 2)->codec.type_size == 1);
        CHECK_TEXT(plan_mask(p, 0)->path, paths[i][0]);
        CHECK_TEXT(plan_mask(p, 2)->path, paths[i][1]);
        ngff_plan_free(p);
    }
}

static void paths_follow_the_layout(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, NULL);
    CHECK_TEXT(ngff_plan_level_path(p, 0), "scale0/image");
    CHECK_TEXT(ngff_plan_level_path(p, 1), "ovr_2x/image");
    CHECK_TEXT(ngff_plan_level_path(p, 2), "ovr_4x/image");
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("LAYOUT=SCALES"));
    CHECK_TEXT(ngff_plan_level_path(p, 2), "scale2/image");
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("LAYOUT=FLAT"));
    CHECK_TEXT(ngff_plan_level_path(p, 2), "2");
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("SCALE_FACTORS=y:2,x:3;y:6,x:6"));
    CHECK_TEXT(ngff_plan_level_path(p, 1), "ovr_1_2x3/image");
    CHECK_TEXT(ngff_plan_level_path(p, 2), "ovr_6x/image");
    ngff_plan_free(p);
    /* the same y, x factors twice */
    p = plan_of("zyx", SHAPE(64, 64, 64), NGFF_UINT8, OPTIONS("SCALE_FACTORS=z:1,y:2,x:2;z:2,y:2,x:2"));
    CHECK_TEXT(ngff_plan_level_path(p, 1), "ovr_2x/image");
    CHECK_TEXT(ngff_plan_level_path(p, 2), "ovr_2_2x2/image");
    ngff_plan_free(p);
}

static void number_of_levels_can_be_chosen(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("OVERVIEW_COUNT=0"));
    CHECK_INT(ngff_plan_level_count(p), 1);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("OVERVIEW_COUNT=7"));
    CHECK_INT(ngff_plan_level_count(p), 8);
    check_sizes(p->levels[7].shape, 2, SHAPE(16, 16), "shape", 7);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("OVERVIEW_COUNT=39"));
    CHECK_INT(ngff_plan_level_count(p), 12); /* 2048 = 2^11 */
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(2048, 2048), NGFF_UINT8, OPTIONS("OVERVIEWS=NONE"));
    CHECK_INT(ngff_plan_level_count(p), 1);
    ngff_plan_free(p);
}

static void shards_are_multiples_of_chunks_cut_to_the_level(void)
{
    static const struct {
        const char *option;
        int64_t expected[3];
    } forms[] = {{"SHARD=256", {1, 256, 256}}, {"SHARD=1,128,256", {1, 128, 256}}, {"SHARD=c:3,y:128", {3, 128, 64}},
                 {"SHARD=NONE", {1, 64, 64}},  {"SHARD=AUTO", {1, 64, 64}},        {"SHARD=64", {1, 64, 64}},
                 {"SHARD=1024", {1, 320, 320}}}; /* all 5 x 5 chunks of 300 x 300 */
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        ngff_plan *p = plan_of("cyx", SHAPE(3, 300, 300), NGFF_UINT8, OPTIONS("BLOCKSIZE=64", forms[i].option));
        CHECK_INT(ngff_plan_status(p), NGFF_OK);
        check_sizes(p->levels[0].shard, 3, forms[i].expected, forms[i].option, 0);
        CHECK_INT(p->levels[0].is_sharded, forms[i].expected[0] * forms[i].expected[1] * forms[i].expected[2] > 4096);
        /* the last level is one chunk, and so is its shard */
        CHECK_INT(p->levels[3].shard[1], p->levels[3].chunk[1]);
        ngff_plan_free(p);
    }
}

static void automatic_shards_keep_the_store_under_10000_objects(void)
{
    /* 100 x 100 chunks are 10,000 at level 0 alone: 2 x 2 chunks in a shard suffice */
    ngff_plan *p = plan_of("yx", SHAPE(6400, 6400), NGFF_UINT8, OPTIONS("BLOCKSIZE=64"));
    check_sizes(p->levels[0].shard, 2, SHAPE(128, 128), "shard", 0);
    CHECK(ngff_plan_object_count(p) < 10000);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(4000, 4000), NGFF_UINT8, OPTIONS("BLOCKSIZE=64"));
    check_sizes(p->levels[0].shard, 2, SHAPE(64, 64), "shard", 0);
    ngff_plan_free(p);
    /* where y and x are one chunk the other axes are grouped: here 65535 / 8 shards */
    p = plan_of("cyx", SHAPE(65535, 2, 2), NGFF_UINT8, NULL);
    check_sizes(p->levels[0].shard, 3, SHAPE(8, 2, 2), "shard", 0);
    CHECK(ngff_plan_warning(p, 0) == NULL);
    ngff_plan_free(p);
    p = plan_of("tcyx", SHAPE(15000, 3, 512, 512), NGFF_UINT16, NULL);
    check_sizes(p->levels[0].shard, 4, SHAPE(2, 3, 512, 512), "shard", 0);
    CHECK(ngff_plan_object_count(p) < 10000);
    ngff_plan_free(p);
    /* at most 32 MiB raw, then the count gives way with a warning */
    p = plan_of("yx", SHAPE(1000000, 1000000), NGFF_UINT16, NULL);
    CHECK(p->levels[0].shard[0] * p->levels[0].shard[1] * 2 <= 32 << 20);
    check_sizes(p->levels[0].shard, 2, SHAPE(4096, 4096), "shard", 0);
    CHECK(ngff_plan_warning(p, 0) && strstr(ngff_plan_warning(p, 0), "objects"));
    CHECK(ngff_plan_warning(p, 99) == NULL && ngff_plan_warning(p, -1) == NULL);
    ngff_plan_free(p);
    for (int32_t type = NGFF_UINT8; type <= NGFF_FLOAT64; type++) { /* whatever the size of a pixel is */
        p = plan_of("yx", SHAPE(200000, 200000), type, NULL);
        int64_t bytes = p->levels[0].shard[0] * p->levels[0].shard[1] * ngff_type_size(type);
        CHECK(bytes > 8 << 20 && bytes <= 32 << 20);
        ngff_plan_free(p);
    }
    p = plan_of("yx", SHAPE(6400, 6400), NGFF_UINT8, OPTIONS("BLOCKSIZE=64", "NGFF_VERSION=0.4"));
    CHECK(!p->levels[0].is_sharded);
    CHECK(ngff_plan_warning(p, 0) && strstr(ngff_plan_warning(p, 0), "NGFF_VERSION=0.5"));
    ngff_plan_free(p);
}

static void sizes_are_told_by_shapes(void)
{
    static const int64_t whole[2] = {101, 64}, by[2] = {2, 4}, up[2] = {51, 16}, down[2] = {50, 16}, more[2] = {60, 20};
    CHECK_TEXT(ngff_sizes_by(2, whole, up, by), "CEIL");
    CHECK_TEXT(ngff_sizes_by(2, whole, down, by), "FLOOR");
    CHECK_TEXT(ngff_sizes_by(2, whole, more, by), "CEIL");
    CHECK_TEXT(ngff_sizes_by(0, whole, down, by), "CEIL");
}

int main(void)
{
    RUN(sizes_are_told_by_shapes);
    RUN(example_of_ngff_zarr_has_its_scales_and_translations);
    RUN(positions_follow_the_images_own);
    RUN(sizes_are_rounded_up_and_stop_at_one_block);
    RUN(sizes_are_rounded_down_if_asked_for);
    RUN(source_is_the_largest_earlier_level_that_divides);
    RUN(axes_of_one_pixel_do_not_shrink);
    RUN(axes_that_an_entry_does_not_name_keep_their_factor);
    RUN(z_waits_until_its_spacing_is_caught_up);
    RUN(z_waits_for_the_smaller_spacing_of_the_plane);
    RUN(z_keeps_its_planes_unless_asked);
    RUN(default_blocks_depend_on_the_axes);
    RUN(paths_follow_the_layout);
    RUN(masks_lie_beside_the_levels);
    RUN(number_of_levels_can_be_chosen);
    RUN(shards_are_multiples_of_chunks_cut_to_the_level);
    RUN(automatic_shards_keep_the_store_under_10000_objects);
    CHECK_EXIT();
}
