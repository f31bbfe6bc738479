/* test_places.c: writers at a path, as hosts open them (the other tests of writers know what is inside): levels that the
 * caller has, taken as memory to fill; a store that is changed in place; what a writer says after it has closed. On real
 * files. */
#include "ngff.h"
#include "place.h"

static const int64_t zero[2], shape[2] = {40, 50};
static const char *const options[] = {"BLOCKSIZE=16", "SCALE_FACTORS=2", NULL};

static ngff_plan *plan_of(const int64_t *of)
{
    ngff_image *image = ngff_image_create("yx", of, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static ngff_plan *plan_by(const char *const *its)
{
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, its);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

/* 40 x 50 pixels of 7, and a level of 20 x 25. */
static void make_store(void)
{
    uint8_t pixels[40 * 50];
    memset(pixels, 7, sizeof pixels);
    ngff_plan *plan = plan_of(shape);
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    CHECK_INT(ngff_writer_write(w, zero, shape, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK(ngff_writer_warning(w) == NULL);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

static int pixel_of(int level, int64_t y, int64_t x)
{
    static const int64_t one[2] = {1, 1};
    uint8_t pixel = 0;
    char message[300] = "";
    ngff_reader *reader = ngff_reader_open(below("a"));
    int32_t status =
        ngff_reader_read(reader, level, (const int64_t[]){y, x}, one, &pixel, NULL, 1, message, sizeof message);
    CHECK_TEXT(message, "");
    ngff_reader_free(reader);
    return status < 0 ? status : pixel;
}

static void given_levels_can_be_filled_in_place(void)
{
    int64_t origin[2], extent[2], strides[2], mask_stride;
    void *pixels = NULL;
    uint8_t *mask = NULL;
    ngff_plan *plan = plan_of(shape);
    CHECK_INT(ngff_plan_set_given(plan, 1), NGFF_OK);
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    for (int l = 0; l < 2; l++)
        while (ngff_writer_level_next(w, l, origin, extent) == 1) {
            CHECK_INT(ngff_writer_level_map(w, l, origin, extent, &pixels, strides, &mask, &mask_stride), 1);
            for (int64_t y = 0; y < extent[0]; y++)
                memset((uint8_t *)pixels + y * strides[0], l == 0 ? 10 : 99, (size_t)extent[1]);
            CHECK_INT(ngff_writer_level_commit(w, l, origin, extent), NGFF_OK);
        }
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    CHECK_INT(pixel_of(0, 39, 49), 10);
    CHECK_INT(pixel_of(1, 0, 0), 99); /* not the mean of level 0 */
    CHECK_INT(pixel_of(1, 19, 24), 99);
    remove_below("a");
    w = ngff_writer_open(plan, below("a"));
    CHECK_INT(ngff_writer_level_map(w, 2, zero, shape, &pixels, strides, &mask, &mask_stride), NGFF_E_ARGUMENT);
    CHECK(ngff_writer_level_commit(w, 2, zero, shape) < 0 && ngff_writer_error(w)[0]);
    CHECK(ngff_writer_close(w) < 0);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    CHECK(access(below("a"), F_OK) != 0);
}

static void store_is_changed_in_place(void)
{
    static const int64_t two[2] = {2, 2};
    static const uint8_t nines[4] = {9, 9, 9, 9};
    ngff_plan *plan = plan_of(shape);
    make_store();
    ngff_writer *w = ngff_writer_open_update(plan, below("a"));
    CHECK_INT(ngff_writer_write(w, (const int64_t[]){20, 30}, two, nines, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK(ngff_writer_warning(w) == NULL);
    ngff_writer_free(w);
    CHECK(pixel_of(0, 20, 30) == 9 && pixel_of(0, 21, 31) == 9 && pixel_of(0, 22, 30) == 7 && pixel_of(0, 20, 29) == 7);
    CHECK(pixel_of(1, 10, 15) == 9 && pixel_of(1, 10, 14) == 7 && pixel_of(1, 11, 15) == 7);
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_INT(ngff_reader_verify(reader, 1, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(reader);
    ngff_plan_free(plan);

    plan = plan_of((const int64_t[]){41, 50}); /* another image */
    w = ngff_writer_open_update(plan, below("a"));
    CHECK_INT(ngff_writer_status(w), NGFF_E_UNSUPPORTED);
    CHECK(strstr(ngff_writer_error(w), "/a") != NULL);
    ngff_writer_free(w);
    remove_below("a");
    w = ngff_writer_open_update(plan, below("a")); /* nothing is there */
    CHECK(ngff_writer_status(w) < 0 && strstr(ngff_writer_error(w), "/a"));
    ngff_writer_free(w);
    ngff_plan_free(plan);
    CHECK(access(below("a"), F_OK) != 0);
}

/* Documents without pixels, which others bring: chunks that come later are read, for no record says that they are not there. */
static void pixels_that_come_later_are_read(void)
{
    static const char *const plain[] = {"BLOCKSIZE=16", "SCALE_FACTORS=2", "COMPRESS=NONE", "LAYOUT=SCALES", NULL};
    uint8_t chunk[16 * 16];
    memset(chunk, 5, sizeof chunk);
    ngff_plan *plan = plan_by(plain);
    CHECK_INT(ngff_plan_set_unfilled(plan), NGFF_OK);
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    CHECK(pixel_of(0, 0, 0) == 0 && pixel_of(1, 19, 24) == 0);
    write_bytes("a/scale0/image/c/1/2", chunk, sizeof chunk);
    CHECK(pixel_of(0, 16, 32) == 5 && pixel_of(0, 15, 32) == 0 && pixel_of(1, 8, 16) == 0);
    w = ngff_writer_open_update(plan, below("a")); /* and the level of it, later */
    CHECK_INT(ngff_writer_remake(w, 0), NGFF_E_ARGUMENT);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    plan = plan_by(plain);
    w = ngff_writer_open_update(plan, below("a"));
    CHECK_INT(ngff_writer_remake(w, 1), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK_TEXT(ngff_writer_error(w), "");
    ngff_writer_free(w);
    CHECK(pixel_of(0, 16, 32) == 5 && pixel_of(1, 8, 16) == 5 && pixel_of(1, 7, 16) == 0);
    ngff_plan_free(plan);
    remove_below("a");
}

/* Levels are added above those that are there, which stay untouched: here one that the caller has given. */
static void levels_are_added_to_those_that_are_there(void)
{
    static const char *const more[] = {"BLOCKSIZE=16", "SCALE_FACTORS=2,4", NULL};
    uint8_t pixels[40 * 50];
    memset(pixels, 50, sizeof pixels);
    ngff_plan *plan = plan_of(shape);
    CHECK_INT(ngff_plan_set_given(plan, 1), NGFF_OK);
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    CHECK_INT(ngff_writer_write(w, zero, shape, pixels, NULL, NULL, 0), NGFF_OK);
    memset(pixels, 90, sizeof pixels);
    CHECK_INT(ngff_writer_level_write(w, 1, zero, (const int64_t[]){20, 25}, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    for (int is_remade = 0; is_remade < 2; is_remade++) {
        ngff_plan *before = plan_by(is_remade ? more : options), *now = plan_by(more);
        w = ngff_writer_open_update(before, below("a"));
        CHECK_INT(ngff_writer_replan(w, now), NGFF_OK);
        CHECK_INT(is_remade ? ngff_writer_remake(w, 1) : NGFF_OK, NGFF_OK);
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        CHECK_TEXT(ngff_writer_error(w), "");
        ngff_writer_free(w);
        ngff_plan_free(before);
        ngff_plan_free(now);
        CHECK_INT(pixel_of(0, 39, 49), 50);
        CHECK_INT(pixel_of(1, 19, 24), is_remade ? 50 : 90);
        CHECK_INT(pixel_of(2, 9, 11), is_remade ? 50 : 90); /* of level 1 as it is */
        ngff_reader *reader = ngff_reader_open(below("a"));
        CHECK_INT(ngff_reader_verify(reader, 1, NULL, NULL, NULL), NGFF_OK);
        ngff_reader_free(reader);
    }
    remove_below("a");
}

static void attributes_of_others_are_written_and_read(void)
{
    static const char text[] = "{\"license\":\"CC0\",\"n\":9007199254740993}";
    for (int version = 0; version < 2; version++) {
        const char *of[] = {"BLOCKSIZE=16", version ? "NGFF_VERSION=0.4" : "NGFF_VERSION=0.5", NULL};
        ngff_plan *plan = plan_by(of);
        CHECK_INT(ngff_plan_set_root_attributes(plan, text), NGFF_OK);
        ngff_writer *w = ngff_writer_open(plan, below("a"));
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        ngff_writer_free(w);
        ngff_reader *reader = ngff_reader_open(below("a"));
        CHECK_TEXT(ngff_reader_root_attributes(reader), text); /* exactly */
        ngff_reader_free(reader);
        ngff_plan *before = plan_by(of), *now = plan_by(of);
        CHECK_INT(ngff_plan_set_root_attributes(now, "{\"other\":[1]}"), NGFF_OK);
        w = ngff_writer_open_update(before, below("a"));
        CHECK_INT(ngff_writer_replan(w, now), NGFF_OK);
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        ngff_writer_free(w);
        reader = ngff_reader_open(below("a"));
        CHECK_TEXT(ngff_reader_root_attributes(reader), "{\"other\":[1]}");
        ngff_reader_free(reader);
        ngff_plan_free(before);
        ngff_plan_free(now);
        ngff_plan_free(plan);
        remove_below("a");
    }
    static const char *const wrong[] = {
        "{\"ome\":{}}", "{\"multiscales\":[]}", "{\"spatial:bbox\":[]}", "[]", "{", NULL};
    for (int i = 0; i == 0 || wrong[i - 1]; i++) {
        ngff_plan *plan = plan_of(shape);
        CHECK_INT(ngff_plan_set_root_attributes(plan, wrong[i]), NGFF_E_ARGUMENT);
        ngff_plan_free(plan);
    }
}

/* Written with the axes, read, and kept by a change that says it again. */
static void orientations_of_axes_are_written_and_read(void)
{
    for (int version = 4; version <= 6; version++) {
        char of[32];
        snprintf(of, sizeof of, "NGFF_VERSION=0.%d", version);
        const char *its[] = {"BLOCKSIZE=16", of, "AXIS_ORIENTATION=y:Anterior-to-Posterior", NULL};
        ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
        CHECK_INT(ngff_image_set_orientation(image, 1, "right-to-left"), NGFF_OK);
        ngff_plan *plan = ngff_plan_create(image, its);
        ngff_writer *w = ngff_writer_open(plan, below("a"));
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        CHECK_TEXT(ngff_writer_error(w), "");
        ngff_writer_free(w);
        ngff_plan_free(plan);
        ngff_reader *reader = ngff_reader_open(below("a"));
        CHECK_TEXT(ngff_reader_axis_orientation(reader, 0), "anterior-to-posterior");
        CHECK_TEXT(ngff_reader_axis_orientation(reader, 1), "right-to-left");
        CHECK(ngff_reader_axis_orientation(reader, 2) == NULL);
        ngff_reader_free(reader);
        CHECK_INT(ngff_image_set_orientation(image, 1, NULL), NGFF_OK);
        CHECK_INT(ngff_image_set_orientation(image, 1, "up"), NGFF_E_ARGUMENT);
        ngff_image_free(image);
        remove_below("a");
    }
    const int64_t of_c[3] = {2, 4, 4};
    ngff_image *image = ngff_image_create("cyx", of_c, NGFF_UINT8);
    CHECK_INT(ngff_image_set_orientation(image, 0, "left-to-right"), NGFF_E_ARGUMENT);
    ngff_image_free(image);
}

/* No folder "s3:" is made on the disk, and nobody is told that one is missing. */
static void places_on_no_disk_are_refused_by_their_reason(void)
{
    static const struct {
        const char *path, *reason;
    } cases[] = {
#ifdef NGFF_WITH_GDAL
        {"s3://bucket/a.ome.zarr", "/vsis3/BUCKET/KEY"},
        {"https://example.org/a.ome.zarr", "/vsicurl/URL"},
#else
        {"/vsis3/bucket/a.ome.zarr", "-DNGFF_WITH_GDAL=ON"},       {"/vsimem/a.ome.zarr", "-DNGFF_WITH_GDAL=ON"},
        {"s3://bucket/a.ome.zarr", "-DNGFF_WITH_GDAL=ON"},         {"gs://bucket/a.ozx", "-DNGFF_WITH_GDAL=ON"},
        {"https://example.org/a.ome.zarr", "-DNGFF_WITH_GDAL=ON"},
#endif
        {"file:///tmp/a.ome.zarr", "give the path alone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = cases[i].path;
        ngff_plan *plan = plan_of(shape);
        ngff_writer *writers[] = {ngff_writer_open(plan, path), ngff_writer_open_push(plan, path)};
        for (int k = 0; k < 2; k++) {
            CHECK_INT(ngff_writer_status(writers[k]), NGFF_E_UNSUPPORTED);
            CHECK(strstr(ngff_writer_error(writers[k]), path) &&
                  strstr(ngff_writer_error(writers[k]), cases[i].reason));
            ngff_writer_free(writers[k]);
        }
        ngff_writer *update = ngff_writer_open_update(plan, path);
        CHECK_INT(ngff_writer_status(update), NGFF_E_UNSUPPORTED);
        ngff_writer_free(update);
        ngff_plan_free(plan);
        ngff_reader *reader = ngff_reader_open(path);
        CHECK_INT(ngff_reader_status(reader), NGFF_E_UNSUPPORTED);
        CHECK(strstr(ngff_reader_error(reader), path) && strstr(ngff_reader_error(reader), cases[i].reason));
        ngff_reader_free(reader);
        CHECK_INT(ngff_identify(path), 0);
        CHECK_INT(ngff_validate(path, NULL, NULL, NULL), NGFF_E_UNSUPPORTED);
    }
    char report[100] = "REPORT=s3://bucket/report.json";
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, (const char *const[]){report, NULL});
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    CHECK_INT(ngff_writer_status(w), NGFF_E_UNSUPPORTED);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
    CHECK(access("s3:", F_OK) != 0 && access("file:", F_OK) != 0 && access(below("a"), F_OK) != 0);
}

int main(void)
{
    place_begin();
    RUN(given_levels_can_be_filled_in_place);
    RUN(store_is_changed_in_place);
    RUN(pixels_that_come_later_are_read);
    RUN(levels_are_added_to_those_that_are_there);
    RUN(attributes_of_others_are_written_and_read);
    RUN(orientations_of_axes_are_written_and_read);
    RUN(places_on_no_disk_are_refused_by_their_reason);
    place_end();
    CHECK_EXIT();
}
