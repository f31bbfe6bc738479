/* test_cut.c: where levels are cut, by hand; and a plan that is kept and made again. */
#include "plans.h"

static void check_cut(const char *dims, const int64_t *shape, const char *const *options, int n, int level,
                      const int64_t *unit, int64_t n_units)
{
    ngff_plan *plan = plan_of(dims, shape, NGFF_UINT8, options);
    plan_cut cut = plan_cut_for(plan, n);
    CHECK_INT(cut.level, level);
    check_sizes(cut.unit, (int)strlen(dims), unit, "unit", cut.level);
    CHECK_INT(cut.n, n_units);
    ngff_plan_free(plan);
}

static void smallest_level_with_four_units_for_each_part_is_the_cut(void)
{
    const char *const *blocks = OPTIONS("BLOCKSIZE=16", "OVERVIEW_COUNT=5");
    check_cut("yx", SHAPE(512, 512), blocks, 4, 3, SHAPE(128, 128), 16);
    check_cut("yx", SHAPE(512, 512), blocks, 5, 2, SHAPE(64, 64), 64);
    check_cut("yx", SHAPE(512, 512), blocks, 1, 4, SHAPE(256, 256), 4);
    check_cut("yx", SHAPE(500, 300), blocks, 4, 2, SHAPE(64, 64), 40);
    check_cut("yx", SHAPE(512, 512), blocks, 10000, 0, SHAPE(16, 16), 1024);
    check_cut("zyx", SHAPE(20, 512, 512), OPTIONS("BLOCKSIZE=1,16,16", "SHARD=NONE"), 20, 4, SHAPE(1, 256, 256), 80);
}

static void units_hold_whole_shards(void)
{
    check_cut("yx", SHAPE(512, 512), OPTIONS("BLOCKSIZE=16", "SHARD=32", "SCALE_FACTORS=2,4,8"), 4, 2, SHAPE(128, 128),
              16);
    check_cut("yx", SHAPE(512, 512), OPTIONS("BLOCKSIZE=16", "SHARD=512", "SCALE_FACTORS=2,4,8"), 4, 0, SHAPE(512, 512),
              1);
}

static void units_are_common_to_factors_that_do_not_nest(void)
{
    check_cut("yx", SHAPE(1000, 1000), OPTIONS("BLOCKSIZE=16", "SCALE_FACTORS=3,6"), 2, 2, SHAPE(96, 96), 121);
    /* Level 2 is made from level 0, so that between levels 1 and 2 there is no cut. */
    check_cut("yx", SHAPE(100, 100), OPTIONS("BLOCKSIZE=16", "SCALE_FACTORS=2,5"), 4, 0, SHAPE(16, 16), 49);
}

static ngff_image *make_described(void)
{
    ngff_image *image = ngff_image_create("tcyx", SHAPE(3, 2, 40, 50), NGFF_UINT16);
    const double scale[] = {2, 1, 0.5, 0.25}, translation[] = {0, 0, -3, 4}, affine[] = {5e5, 10, 0, 6e6, 0, -10};
    const uint16_t nodata = 7;
    CHECK_INT(ngff_image_set_scale(image, scale), NGFF_OK);
    CHECK_INT(ngff_image_set_translation(image, translation), NGFF_OK);
    CHECK_INT(ngff_image_set_unit(image, 3, "um"), NGFF_OK);
    CHECK_INT(ngff_image_set_unit(image, 0, "second"), NGFF_OK);
    CHECK_INT(ngff_image_set_orientation(image, 3, "left-to-right"), NGFF_OK);
    CHECK_INT(ngff_image_set_name(image, "n\xC3\xA4me"), NGFF_OK);
    CHECK_INT(ngff_image_set_channel(image, 0, "red", "FF0000"), NGFF_OK);
    CHECK_INT(ngff_image_set_window(image, 1, 3, 99), NGFF_OK);
    CHECK_INT(ngff_image_set_nodata(image, 1, &nodata), NGFF_OK);
    CHECK_INT(ngff_image_set_mask(image, 1), NGFF_OK);
    CHECK_INT(ngff_image_set_georeference(image, affine, "EPSG:32633", "WKT", NULL, 0), NGFF_OK);
    CHECK_INT(ngff_image_set_attribute(image, "tags", "{\"a\":[1,2]}"), NGFF_OK);
    return image;
}

static void plan_that_was_kept_is_made_again(void)
{
    ngff_image *image = make_described();
    ngff_plan *plan = ngff_plan_create(image, OPTIONS("PART=2/5", "BLOCKSIZE=16", "ORIGIN=SOUTHING",
                                                      "CHANNEL_NAMES=a,b", "MEMORY=100MB", "OVERWRITE=YES"));
    uint8_t digest[32], again[32];
    CHECK_INT(ngff_plan_set_source(plan, SHAPE(1, 1, 8, 50), 2), NGFF_OK);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "source"), NGFF_OK);
    CHECK_INT(ngff_plan_add_loss(plan, "something"), NGFF_OK);
    CHECK_INT(ngff_plan_set_root_attributes(plan, "{\"mine\":1}"), NGFF_OK);
    CHECK(plan_digest_image(plan, digest));
    size_t n = 0;
    char *kept = plan_pack(plan, &n);
    CHECK(kept != NULL);
    ngff_plan *made = plan_unpack(kept, n, OPTIONS("MEMORY=50MB", "VERIFY=YES"));
    CHECK_TEXT(ngff_plan_error(made), "");
    CHECK(plan_digest_image(made, again));
    CHECK_INT(memcmp(digest, again, 32), 0);
    CHECK_INT(made->options.part.n, 5);
    CHECK_INT(made->options.overwrite, 1);
    CHECK_INT(made->options.verify, VERIFY_STORE);
    CHECK_INT(made->options.memory_bytes, 50 << 20);
    CHECK_TEXT(made->fingerprint, "source");
    CHECK_TEXT(made->losses[0], "something");
    CHECK_TEXT(made->image->name, "n\xC3\xA4me");
    CHECK_TEXT(made->image->channels[1].label, "b");
    CHECK_TEXT(made->image->unit[3], "micrometer");
    CHECK_TEXT(made->image->orientation[3], "left-to-right");
    CHECK_TEXT(made->kept_attributes, "{\"mine\":1}");
    CHECK_TEXT(made->image->georeference.code, "EPSG:32633");
    CHECK(made->image->translation[2] == plan->image->translation[2]);
    CHECK_INT(made->n_levels, plan->n_levels);
    CHECK_INT(memcmp(made->levels[1].chunk, plan->levels[1].chunk, sizeof plan->levels[1].chunk), 0);
    ngff_plan_free(made);
    made = plan_unpack(kept, n, OPTIONS("COMPRESS=NONE"));
    CHECK_INT(ngff_plan_status(made), NGFF_E_OPTION);
    ngff_plan_free(made);
    for (size_t i = 0; i < n; i += 7) {
        made = plan_unpack(kept, i, NULL);
        CHECK_INT(ngff_plan_status(made), NGFF_E_CORRUPT);
        ngff_plan_free(made);
    }
    free(kept);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

static void every_word_about_an_image_is_in_its_digest(void)
{
    uint8_t before[32], after[32];
    ngff_image *image = make_described();
    for (int i = 0; i < 13; i++) {
        ngff_plan *plan = ngff_plan_create(image, OPTIONS("BLOCKSIZE=16"));
        CHECK(plan_digest_image(plan, i ? after : before));
        CHECK(i == 0 || memcmp(before, after, 32) != 0);
        memcpy(before, after, i ? 32 : 0);
        ngff_plan_free(plan);
        const double scale[] = {2, 1, 0.5, 0.75}, translation[] = {0, 0, -3, 5}, affine[] = {5e5, 10, 0, 6e6, 0, -20};
        const uint16_t nodata = 8;
        int32_t status = i == 0    ? ngff_image_set_scale(image, scale)
                         : i == 1  ? ngff_image_set_translation(image, translation)
                         : i == 2  ? ngff_image_set_unit(image, 3, "nm")
                         : i == 3  ? ngff_image_set_name(image, "other")
                         : i == 4  ? ngff_image_set_channel(image, 0, "green", NULL)
                         : i == 5  ? ngff_image_set_channel(image, 0, NULL, "00FF00")
                         : i == 6  ? ngff_image_set_window(image, 1, 3, 98)
                         : i == 7  ? ngff_image_set_nodata(image, 1, &nodata)
                         : i == 8  ? ngff_image_set_mask(image, 0)
                         : i == 9  ? ngff_image_set_georeference(image, affine, "EPSG:32633", "WKT", NULL, 0)
                         : i == 10 ? ngff_image_set_attribute(image, "tags", "{}")
                         : i == 11 ? ngff_image_set_orientation(image, 3, "right-to-left")
                                   : NGFF_OK;
        CHECK_INT(status, NGFF_OK);
    }
    ngff_image_free(image);
}

static void part_is_a_number_of_a_number(void)
{
    static const char *const wrong[] = {"PART=",   "PART=3",     "PART=0/3",  "PART=4/3",      "PART=1/",
                                        "PART=/3", "PART=1/2/3", "PART=-1/3", "PART=1/200000", "PART=a/b"};
    ngff_image *image = ngff_image_create("yx", SHAPE(10, 10), NGFF_UINT8);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ngff_plan *plan = ngff_plan_create(image, OPTIONS(wrong[i]));
        CHECK_INT(ngff_plan_status(plan), NGFF_E_OPTION);
        ngff_plan_free(plan);
    }
    ngff_plan *plan = ngff_plan_create(image, OPTIONS("PART=3/16"));
    CHECK_INT(plan->options.part.i, 3);
    CHECK_INT(plan->options.part.n, 16);
    CHECK_TEXT(ngff_plan_option(plan, "PART"), "3/16");
    ngff_plan_free(plan);
    for (int i = 0; i < 3; i++) {
        static const char *const with[] = {"RESUME=YES", "VERIFY=SOURCE", "LAYOUT=BIOFORMATS2RAW"};
        plan = ngff_plan_create(image, OPTIONS("PART=1/2", with[i]));
        CHECK_INT(ngff_plan_status(plan), NGFF_E_OPTION);
        ngff_plan_free(plan);
    }
    ngff_image_free(image);
}

int main(void)
{
    RUN(smallest_level_with_four_units_for_each_part_is_the_cut);
    RUN(units_hold_whole_shards);
    RUN(units_are_common_to_factors_that_do_not_nest);
    RUN(plan_that_was_kept_is_made_again);
    RUN(every_word_about_an_image_is_in_its_digest);
    RUN(part_is_a_number_of_a_number);
    CHECK_EXIT();
}
