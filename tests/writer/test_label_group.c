/* test_label_group.c: a label image beside an image, as hosts add it. On real files. */
#include "ngff.h"
#include "place.h"

static const int64_t zero[3], shape[3] = {2, 40, 50};

static void write_at(ngff_image *image, const char *const *options, const char *path, const int64_t *extent, int value)
{
    uint8_t pixels[2 * 40 * 50];
    memset(pixels, value, sizeof pixels);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_TEXT(ngff_plan_error(plan), "");
    ngff_writer *w = ngff_writer_open(plan, path);
    CHECK_INT(ngff_writer_write(w, zero, extent, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

static ngff_reader *image_at_a(void)
{
    static const char *const options[] = {"BLOCKSIZE=16", "SCALE_FACTORS=2;6", "AXIS_SCALE=y:0.5,x:0.25", NULL};
    ngff_image *image = ngff_image_create("cyx", shape, NGFF_UINT8);
    write_at(image, options, below("a"), shape, 7);
    ngff_image_free(image);
    return ngff_reader_open(below("a"));
}

static void a_label_has_the_levels_of_its_image_and_is_listed(void)
{
    static const char *const options[] = {"LABELS=YES", NULL};
    ngff_reader *of = image_at_a();
    ngff_image *image = ngff_image_create("yx", shape + 1, NGFF_UINT8);
    CHECK_INT(ngff_image_set_label_of(image, of, "labels/cells"), NGFF_OK);
    write_at(image, options, below("a"), shape + 1, 3);
    ngff_reader_free(of);
    ngff_reader *label = ngff_reader_open_part(below("a"), "labels/cells", NULL);
    double scale[2] = {0};
    uint8_t pixel = 0;
    CHECK_INT(ngff_reader_level_count(label), 3);
    ngff_reader_level_scale(label, 2, scale);
    CHECK(scale[0] == 3 && scale[1] == 1.5);
    CHECK_INT(ngff_reader_read(label, 0, (const int64_t[]){39, 49}, (const int64_t[]){1, 1}, &pixel, NULL, 1, NULL, 0),
              NGFF_OK);
    CHECK_INT(pixel, 3);
    ngff_reader_free(label);
    of = ngff_reader_open(below("a"));
    CHECK_TEXT(ngff_reader_part_path(of, 1), "labels/cells");
    CHECK_INT(ngff_reader_verify(of, 1, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(of);
    ngff_image_free(image);
    remove_below("a");
}

/* Whatever happens between its publication and its name in the list, the label image has the mark, by which the next run
 * knows that it may be made again. */
static void a_label_that_could_not_be_listed_is_made_again(void)
{
    static const char *const options[] = {"LABELS=YES", NULL};
    uint8_t pixels[40 * 50] = {1};
    ngff_reader *of = image_at_a();
    ngff_image *image = ngff_image_create("yx", shape + 1, NGFF_UINT8);
    CHECK_INT(ngff_image_set_label_of(image, of, "labels/cells"), NGFF_OK);
    ngff_reader_free(of);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    CHECK_INT(ngff_writer_write(w, zero, shape + 1, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(rename(below("a/labels/zarr.json"), below("a/kept")), 0);
    write_bytes("a/labels/zarr.json", "{\"attributes\":{\"ome\":{\"labels\":7}}}", 34);
    CHECK_INT(ngff_writer_close(w), NGFF_E_CORRUPT);
    CHECK(strstr(ngff_writer_error(w), "is whole, but could not be listed") != NULL);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    CHECK_INT(access(below("a/labels/cells/zarr.json"), F_OK), 0);
    CHECK_INT(access(below("a/labels/cells/.omezarr-dirty"), F_OK), 0);
    CHECK_INT(rename(below("a/kept"), below("a/labels/zarr.json")), 0);
    write_at(image, options, below("a"), shape + 1, 3);
    CHECK(access(below("a/labels/cells/.omezarr-dirty"), F_OK) != 0);
    of = ngff_reader_open(below("a"));
    CHECK_TEXT(ngff_reader_part_path(of, 1), "labels/cells");
    ngff_reader_free(of);
    ngff_image_free(image);
    remove_below("a");
}

/* z 3 is halved by the image's second level; a label image of one plane has nothing there to halve. */
static void a_label_may_have_one_plane_for_all(void)
{
    static const char *const of_stack[] = {"BLOCKSIZE=16", "SCALE_FACTORS=y:2,x:2;z:2,y:4,x:4",
                                           "AXIS_SCALE=z:2,y:0.5,x:0.5", NULL};
    static const char *const options[] = {"LABELS=YES", NULL};
    static const int64_t stack[3] = {3, 25, 50}, flat[3] = {1, 25, 50};
    static const struct {
        const char *dims;
        const int64_t *shape;
        double scale[3]; /* of level 2 */
    } labels[] = {{"zyx", flat, {2, 2, 2}}, {"yx", flat + 1, {2, 2}}, {"zyx", stack, {4, 2, 2}}};
    ngff_image *image = ngff_image_create("zyx", stack, NGFF_UINT8);
    write_at(image, of_stack, below("a"), stack, 7);
    ngff_image_free(image);
    for (int i = 0; i < 3; i++) {
        char name[40];
        double scale[3] = {0};
        snprintf(name, sizeof name, "labels/cells%d", i);
        ngff_reader *of = ngff_reader_open(below("a"));
        image = ngff_image_create(labels[i].dims, labels[i].shape, NGFF_UINT8);
        CHECK_INT(ngff_image_set_label_of(image, of, name), NGFF_OK);
        write_at(image, options, below("a"), labels[i].shape, 3);
        ngff_image_free(image);
        ngff_reader_free(of);
        ngff_reader *label = ngff_reader_open_part(below("a"), name, NULL);
        CHECK_INT(ngff_reader_level_count(label), 3);
        ngff_reader_level_scale(label, 2, scale);
        for (size_t k = 0; k < strlen(labels[i].dims); k++)
            CHECK(scale[k] == labels[i].scale[k]);
        ngff_reader_free(label);
    }
    ngff_reader *of = ngff_reader_open(below("a"));
    image = ngff_image_create("zyx", (const int64_t[]){2, 25, 50}, NGFF_UINT8);
    CHECK_INT(ngff_image_set_label_of(image, of, "labels/more"), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_image_error(image), "2 planes on axis z, and the image 3: they must be as many, or one for all"));
    ngff_image_free(image);
    CHECK_INT(ngff_reader_verify(of, 1, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(of);
    remove_below("a");
}

static void what_does_not_fit_is_refused(void)
{
    static const struct {
        const char *dims, *name, *words;
        int64_t shape[3];
    } cases[] = {{"yx", "labels/cells", "49 pixels on axis x", {40, 49}},
                 {"zyx", "labels/cells", "axis z", {2, 40, 50}},
                 {"yx", "cells", "no place", {40, 50}},
                 {"yx", "labels/", "no place", {40, 50}},
                 {"yx", "labels/..", "no place", {40, 50}},
                 {"yx", "labels/a/b", "no place", {40, 50}},
                 {"yx", NULL, "no place", {40, 50}}};
    ngff_reader *of = image_at_a();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ngff_image *image = ngff_image_create(cases[i].dims, cases[i].shape, NGFF_UINT8);
        CHECK_INT(ngff_image_set_label_of(image, of, cases[i].name), NGFF_E_ARGUMENT);
        CHECK(strstr(ngff_image_error(image), cases[i].words));
        ngff_image_free(image);
    }
    ngff_image *image = ngff_image_create("yx", shape + 1, NGFF_UINT8);
    CHECK_INT(ngff_image_set_label_of(image, NULL, "labels/cells"), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_image_set_label_of(NULL, of, "labels/cells"), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    ngff_reader_free(of);
    remove_below("a");
}

int main(void)
{
    place_begin();
    RUN(a_label_has_the_levels_of_its_image_and_is_listed);
    RUN(a_label_that_could_not_be_listed_is_made_again);
    RUN(a_label_may_have_one_plane_for_all);
    RUN(what_does_not_fit_is_refused);
    place_end();
    CHECK_EXIT();
}
