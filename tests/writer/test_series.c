/* test_series.c: several images in one store, LAYOUT=BIOFORMATS2RAW, and label images of any image: made one behind the other,
 * published at once. */
#include <stdlib.h>

#include "ngff.h"
#include "place.h"

enum { n_images = 3, side = 96 };

/* Sizes and types of the images: y, x. */
static const int64_t sizes[n_images][2] = {{side, side}, {70, 33}, {40, 90}};
static const int32_t types[n_images] = {NGFF_UINT8, NGFF_UINT16, NGFF_UINT8};

static uint8_t pixels[n_images][2 * side * side];

static void make_pixels(void)
{
    for (int i = 0; i < n_images; i++)
        for (size_t k = 0; k < sizeof pixels[i]; k++)
            pixels[i][k] = (uint8_t)(1 + (k * 7 + (size_t)i * 31) % 200);
}

static ngff_plan *plan_of(int i, const char *const *more)
{
    const int64_t shape[] = {1, 1, 1, sizes[i][0], sizes[i][1]};
    const char *options[8] = {"LAYOUT=BIOFORMATS2RAW", "BLOCKSIZE=32", "NUM_THREADS=1", NULL};
    for (int k = 3; more && *more; k++)
        options[k] = *more++;
    ngff_image *image = ngff_image_create("tczyx", shape, types[i]);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "the source"), NGFF_OK);
    if (i > 0)
        CHECK_INT(ngff_plan_set_series(plan, i), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

/* Writes at most n_most regions of image i; how many. */
static int fill(ngff_writer *w, int i, int n_most)
{
    int64_t origin[5], extent[5], size = types[i] == NGFF_UINT16 ? 2 : 1;
    const int64_t strides[] = {0, 0, 0, size * sizes[i][1], size};
    int n = 0;
    while (n < n_most && ngff_writer_next(w, origin, extent) == 1) {
        const uint8_t *from = pixels[i] + origin[3] * strides[3] + origin[4] * strides[4];
        CHECK_INT(ngff_writer_write(w, origin, extent, from, strides, NULL, 0), NGFF_OK);
        n++;
    }
    return n;
}

static ngff_writer *open_first_at(const char *name, const char *const *more)
{
    ngff_plan *plan = plan_of(0, more);
    ngff_writer *w = ngff_writer_open(plan, below(name));
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    ngff_plan_free(plan);
    return w;
}

static ngff_writer *open_first(const char *const *more)
{
    return open_first_at("a.ome.zarr", more);
}

static ngff_writer *open_further(ngff_writer *first, int i, const char *const *more)
{
    ngff_plan *plan = plan_of(i, more);
    ngff_writer *w = ngff_writer_open_series(first, plan);
    ngff_plan_free(plan);
    return w;
}

static int is_there(const char *name)
{
    struct stat s;
    return stat(below(name), &s) == 0;
}

static void check_image_in(const char *name, int i)
{
    static uint8_t found[sizeof pixels[0]];
    const char part[] = {(char)('0' + i), '\0'};
    const int64_t origin[5] = {0}, extent[5] = {1, 1, 1, sizes[i][0], sizes[i][1]};
    int64_t size = types[i] == NGFF_UINT16 ? 2 : 1;
    const int64_t strides[] = {0, 0, 0, size * sizes[i][1], size};
    ngff_reader *reader = ngff_reader_open_part(below(name), part, NULL);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    CHECK_TEXT(ngff_reader_group(reader), part);
    CHECK_INT(ngff_reader_read(reader, 0, origin, extent, found, strides, 1, NULL, 0), NGFF_OK);
    CHECK(memcmp(found, pixels[i], (size_t)(size * sizes[i][0] * sizes[i][1])) == 0);
    ngff_reader_free(reader);
}

static void check_image(int i)
{
    check_image_in("a.ome.zarr", i);
}

static void all_are_published_at_once(void)
{
    ngff_writer *first = open_first(NULL);
    fill(first, 0, 1000);
    for (int i = 1; i < n_images; i++) {
        ngff_writer *further = open_further(first, i, NULL);
        CHECK_INT(ngff_writer_status(further), NGFF_OK);
        fill(further, i, 1000);
        CHECK_INT(ngff_writer_close(further), NGFF_OK);
        ngff_writer_free(further);
        CHECK(!is_there("a.ome.zarr"));
    }
    CHECK_INT(ngff_writer_close(first), NGFF_OK);
    ngff_writer_free(first);
    for (int i = 0; i < n_images; i++)
        check_image(i);
    CHECK(is_there("a.ome.zarr/OME/METADATA.ome.xml"));
    ngff_reader *list = ngff_reader_open_part(below("a.ome.zarr"), NULL, NULL);
    CHECK_INT(ngff_reader_part_count(list), n_images);
    CHECK_TEXT(ngff_reader_part_path(list, 2), "2");
    ngff_reader_free(list);
    remove_below("a.ome.zarr");
}

static void calls_that_do_not_fit_are_refused_and_nothing_is_lost(void)
{
    static const char *const other_version[] = {"NGFF_VERSION=0.4", NULL};
    static const char *const resume[] = {"RESUME=YES", NULL};
    ngff_writer *first = open_first(NULL), *further;
    fill(first, 0, 1000);
    CHECK(ngff_writer_open_series(NULL, NULL) == NULL);
    CHECK(ngff_writer_open_series(first, NULL) == NULL);
    const struct {
        int number;
        const char *const *more;
        int32_t status;
    } bad[] = {{2, NULL, NGFF_E_ARGUMENT}, {1, other_version, NGFF_E_ARGUMENT}, {1, resume, NGFF_E_OPTION}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        further = open_further(first, bad[i].number, bad[i].more);
        CHECK_INT(ngff_writer_status(further), bad[i].status);
        CHECK_INT(ngff_writer_close(further), bad[i].status);
        ngff_writer_free(further);
    }
    CHECK_INT(ngff_writer_close(first), NGFF_OK);
    further = open_further(first, 1, NULL);
    CHECK_INT(ngff_writer_status(further), NGFF_E_STATE); /* it is closed */
    ngff_writer_free(further);
    ngff_writer_free(first);
    check_image(0);
    remove_below("a.ome.zarr");
}

static void a_number_goes_with_the_layout_and_is_no_store_alone(void)
{
    const int64_t shape[] = {20, 20};
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    ngff_plan *plain = ngff_plan_create(image, NULL), *second = plan_of(1, NULL);
    CHECK_INT(ngff_plan_set_series(second, -1), NGFF_E_ARGUMENT);
    ngff_plan_free(second);
    second = plan_of(1, NULL);
    ngff_writer *alone = ngff_writer_open(second, below("b.ome.zarr")),
                *first = ngff_writer_open(plain, below("c.ome.zarr"));
    CHECK_INT(ngff_writer_status(alone), NGFF_E_ARGUMENT);
    ngff_writer *further = ngff_writer_open_series(first, second);
    CHECK_INT(ngff_writer_status(further), NGFF_E_OPTION);
    CHECK(strstr(ngff_writer_error(further), "LAYOUT=BIOFORMATS2RAW") != NULL);
    ngff_writer_free(further);
    ngff_writer_free(first);
    ngff_writer_free(alone);
    CHECK_INT(ngff_plan_set_series(plain, 1), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_plan_error(plain), "LAYOUT=BIOFORMATS2RAW") != NULL);
    ngff_plan_free(plain);
    ngff_plan_free(second);
    ngff_image_free(image);
}

static void what_is_not_whole_is_not_published(void)
{
    ngff_writer *first = open_first(NULL), *further;
    fill(first, 0, 1000);
    further = open_further(first, 1, NULL);
    fill(further, 1, 2);
    ngff_writer_free(further);
    CHECK_INT(ngff_writer_close(first), NGFF_E_STATE);
    CHECK(strstr(ngff_writer_error(first), "image 1") != NULL);
    ngff_writer_free(first);
}

static void the_image_before_takes_no_more_pixels(void)
{
    const int64_t origin[5] = {0}, extent[] = {1, 1, 1, 32, 32}, strides[] = {0, 0, 0, side, 1};
    ngff_writer *first = open_first(NULL), *further = open_further(first, 1, NULL);
    CHECK_INT(ngff_writer_write(first, origin, extent, pixels[0], strides, NULL, 0), NGFF_E_STATE);
    ngff_writer_free(further);
    ngff_writer_free(first);
}

static void either_is_cancelled_with_the_other(void)
{
    for (int i = 0; i < 2; i++) {
        ngff_writer *first = open_first(NULL), *further;
        fill(first, 0, 1000);
        further = open_further(first, 1, NULL);
        fill(further, 1, 1000);
        ngff_writer_cancel(i == 0 ? first : further);
        CHECK_INT(ngff_writer_close(further), NGFF_E_CANCELLED);
        ngff_writer_free(further);
        CHECK_INT(ngff_writer_close(first), NGFF_E_CANCELLED);
        ngff_writer_free(first);
    }
}

static void a_resumed_run_keeps_what_all_images_have(void)
{
    static const char *const resume[] = {"RESUME=YES", NULL}, *const other[] = {"COMPRESS=GZIP", NULL};
    ngff_writer *first = open_first(resume), *further;
    CHECK_INT(fill(first, 0, 1000), 9);
    further = open_further(first, 1, NULL);
    CHECK_INT(fill(further, 1, 1000), 6);
    CHECK_INT(ngff_writer_close(further), NGFF_OK);
    ngff_writer_free(further);
    further = open_further(first, 2, NULL);
    CHECK_INT(fill(further, 2, 4), 4); /* of 6; one thread: all of them are stored */
    ngff_writer_free(further);
    ngff_writer_free(first);

    first = open_first(resume);
    CHECK_INT(fill(first, 0, 1000), 0);
    further = open_further(first, 1, other);
    CHECK_INT(ngff_writer_status(further), NGFF_E_EXISTS);
    ngff_writer_free(further);
    ngff_writer_free(first);

    first = open_first(resume);
    CHECK_INT(fill(first, 0, 1000), 0);
    static const int n_left[] = {0, 0, 2};
    for (int i = 1; i < n_images; i++) {
        further = open_further(first, i, NULL);
        CHECK_INT(ngff_writer_status(further), NGFF_OK);
        CHECK_INT(fill(further, i, 1000), n_left[i]);
        CHECK_INT(ngff_writer_close(further), NGFF_OK);
        ngff_writer_free(further);
    }
    CHECK_INT(ngff_writer_close(first), NGFF_OK);
    ngff_writer_free(first);
    for (int i = 0; i < n_images; i++)
        check_image(i);
    remove_below("a.ome.zarr");
}

/* -- Label images -------------------------------------------------------------------------------------------------- */

static uint8_t cells[side * side];

static void make_cells(void)
{
    for (int i = 0; i < side * side; i++)
        cells[i] = (uint8_t)(1 + (i / side / 7 + i % side / 5) % 9);
}

static ngff_writer *open_plain(const char *name, const char *const *options)
{
    const int64_t shape[] = {side, side};
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "the source"), NGFF_OK);
    ngff_writer *w = ngff_writer_open(plan, below(name));
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    ngff_plan_free(plan);
    ngff_image_free(image);
    return w;
}

static const char *const plain[] = {"BLOCKSIZE=32", "NUM_THREADS=1", "SHARD=NONE", NULL}, *const plain_resumed[] = {
                                                                                              "BLOCKSIZE=32",
                                                                                              "NUM_THREADS=1",
                                                                                              "SHARD=NONE",
                                                                                              "RESUME=YES", NULL};

/* Of a label image of the image that `of` is writing. */
static ngff_plan *plan_label(ngff_writer *of, const char *name, int64_t height, int64_t width)
{
    const int64_t shape[] = {height, width};
    static const char *const options[] = {"LABELS=YES", "BLOCKSIZE=32", "NUM_THREADS=1", "SHARD=NONE", NULL};
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    CHECK_INT(ngff_image_set_label_of(image, ngff_writer_reader(of), name), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "the cells"), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static ngff_writer *open_label(ngff_writer *first, ngff_plan *plan)
{
    ngff_writer *w = ngff_writer_open_series(first, plan);
    ngff_plan_free(plan);
    return w;
}

/* At most n_most regions of an image of yx, from pixels whose rows are of `side`; how many. */
static int fill_plain(ngff_writer *w, const uint8_t *from, int n_most)
{
    int64_t origin[2], extent[2];
    const int64_t strides[] = {side, 1};
    int n = 0;
    while (n < n_most && ngff_writer_next(w, origin, extent) == 1) {
        CHECK_INT(ngff_writer_write(w, origin, extent, from + origin[0] * side + origin[1], strides, NULL, 0), NGFF_OK);
        n++;
    }
    return n;
}

static void write_label(ngff_writer *first, ngff_plan *plan)
{
    ngff_writer *label = open_label(first, plan);
    CHECK_INT(ngff_writer_status(label), NGFF_OK);
    fill_plain(label, cells, 1000);
    CHECK_INT(ngff_writer_close(label), NGFF_OK);
    ngff_writer_free(label);
}

static void check_label(const char *store, const char *part, int64_t height, int64_t width)
{
    static uint8_t found[side * side];
    const int64_t origin[2] = {0}, extent[] = {height, width}, strides[] = {side, 1};
    ngff_reader *reader = ngff_reader_open_part(below(store), part, NULL);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    CHECK_INT(ngff_reader_read(reader, 0, origin, extent, found, strides, 1, NULL, 0), NGFF_OK);
    for (int64_t y = 0; y < height; y++)
        CHECK(memcmp(found + y * side, cells + y * side, (size_t)width) == 0);
    ngff_reader_free(reader);
}

static void tell_fault(void *user, int32_t kind, const char *text)
{
    (void)user;
    if (kind != NGFF_FINDING_ADVICE)
        printf("%s\n", text);
}

static void check_whole(const char *store)
{
    ngff_reader *reader = ngff_reader_open_part(below(store), NULL, NULL);
    CHECK_INT(ngff_reader_verify(reader, 1, tell_fault, NULL, NULL), NGFF_OK);
    ngff_reader_free(reader);
}

static void labels_are_published_with_their_image(void)
{
    static const char *const stores[] = {"a.ome.zarr", "a.ozx", "v2.ome.zarr"};
    static const char *const v2[] = {"BLOCKSIZE=32", "NUM_THREADS=1", "NGFF_VERSION=0.4", "VERIFY=YES", NULL};
    for (int i = 0; i < 3; i++) {
        ngff_writer *first = open_plain(stores[i], i == 2 ? v2 : plain);
        fill_plain(first, pixels[0], 1000);
        write_label(first, plan_label(first, "labels/cells", side, side));
        write_label(first, plan_label(first, "labels/more", side, side));
        CHECK(!is_there(stores[i]));
        CHECK_INT(ngff_writer_close(first), NGFF_OK);
        ngff_writer_free(first);
        check_label(stores[i], "labels/cells", side, side);
        check_label(stores[i], "labels/more", side, side);
        check_whole(stores[i]);
        remove_below(stores[i]);
    }
}

static void write_images_with_labels(const char *name)
{
    ngff_writer *first = open_first_at(name, NULL), *further;
    fill(first, 0, 1000);
    write_label(first, plan_label(first, "labels/cells", side, side));
    further = open_further(first, 1, NULL);
    CHECK_INT(ngff_writer_status(further), NGFF_OK);
    fill(further, 1, 1000);
    ngff_plan *plan = plan_label(further, "labels/cells", sizes[1][0], sizes[1][1]);
    CHECK_INT(ngff_writer_close(further), NGFF_OK);
    ngff_writer_free(further);
    write_label(first, plan);
    further = open_further(first, 2, NULL);
    fill(further, 2, 1000);
    CHECK_INT(ngff_writer_close(further), NGFF_OK);
    ngff_writer_free(further);
    CHECK_INT(ngff_writer_close(first), NGFF_OK);
    ngff_writer_free(first);
    for (int i = 0; i < n_images; i++)
        check_image_in(name, i);
    check_label(name, "0/labels/cells", side, side);
    check_label(name, "1/labels/cells", sizes[1][0], sizes[1][1]);
    check_whole(name);
}

static void each_of_several_images_has_its_labels(void)
{
    write_images_with_labels("a.ome.zarr");
    CHECK(is_there("a.ome.zarr/1/labels") && !is_there("a.ome.zarr/2/labels") && !is_there("a.ome.zarr/3"));
    remove_below("a.ome.zarr");
    write_images_with_labels("a.ozx");
    remove_below("a.ozx");
}

static void a_label_that_does_not_fit_is_refused(void)
{
    static const char *const flat[] = {"BLOCKSIZE=32", "NUM_THREADS=1", "OVERVIEWS=NONE", NULL};
    ngff_writer *first = open_plain("a.ome.zarr", plain), *other = open_plain("b.ome.zarr", flat), *label;
    fill_plain(first, pixels[0], 1000);
    fill_plain(other, pixels[0], 1000);
    label = open_label(first, plan_label(other, "labels/cells", side, side)); /* for an image of one level */
    CHECK_INT(ngff_writer_status(label), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_writer_error(label), "levels") != NULL);
    ngff_writer_free(label);
    write_label(first, plan_label(first, "labels/cells", side, side));
    label = open_label(first, plan_label(first, "labels/cells", side, side));
    CHECK_INT(ngff_writer_status(label), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_writer_error(label), "already") != NULL);
    ngff_writer_free(label);
    CHECK_INT(ngff_writer_close(first), NGFF_OK);
    ngff_writer_free(first);
    ngff_writer_free(other);
    check_label("a.ome.zarr", "labels/cells", side, side);
    remove_below("a.ome.zarr");
}

static void a_label_that_is_not_whole_is_not_published(void)
{
    ngff_writer *first = open_plain("a.ome.zarr", plain), *label;
    fill_plain(first, pixels[0], 1000);
    label = open_label(first, plan_label(first, "labels/cells", side, side));
    fill_plain(label, cells, 3);
    ngff_writer_free(label);
    CHECK_INT(ngff_writer_close(first), NGFF_E_STATE);
    ngff_writer_free(first);
    CHECK(!is_there("a.ome.zarr"));
}

static void a_resumed_run_goes_on_in_the_label_image(void)
{
    ngff_writer *first = open_plain("a.ome.zarr", plain_resumed), *label;
    CHECK_INT(fill_plain(first, pixels[0], 1000), 9);
    label = open_label(first, plan_label(first, "labels/cells", side, side));
    CHECK_INT(fill_plain(label, cells, 5), 5);
    ngff_writer_free(label);
    ngff_writer_free(first);

    first = open_plain("a.ome.zarr", plain_resumed);
    CHECK_INT(fill_plain(first, pixels[0], 1000), 0);
    label = open_label(first, plan_label(first, "labels/other", side, side)); /* another label image is another run */
    CHECK_INT(ngff_writer_status(label), NGFF_E_EXISTS);
    ngff_writer_free(label);
    ngff_writer_free(first);

    first = open_plain("a.ome.zarr", plain_resumed);
    CHECK_INT(fill_plain(first, pixels[0], 1000), 0);
    label = open_label(first, plan_label(first, "labels/cells", side, side));
    CHECK_INT(ngff_writer_status(label), NGFF_OK);
    CHECK_INT(fill_plain(label, cells, 1000), 4);
    CHECK_INT(ngff_writer_close(label), NGFF_OK);
    ngff_writer_free(label);
    CHECK_INT(ngff_writer_close(first), NGFF_OK);
    ngff_writer_free(first);
    check_label("a.ome.zarr", "labels/cells", side, side);
    check_whole("a.ome.zarr");
    remove_below("a.ome.zarr");
}

int main(void)
{
    place_begin();
    make_pixels();
    make_cells();
    RUN(all_are_published_at_once);
    RUN(calls_that_do_not_fit_are_refused_and_nothing_is_lost);
    RUN(a_number_goes_with_the_layout_and_is_no_store_alone);
    RUN(what_is_not_whole_is_not_published);
    RUN(the_image_before_takes_no_more_pixels);
    RUN(either_is_cancelled_with_the_other);
    RUN(a_resumed_run_keeps_what_all_images_have);
    RUN(labels_are_published_with_their_image);
    RUN(each_of_several_images_has_its_labels);
    RUN(a_label_that_does_not_fit_is_refused);
    RUN(a_label_that_is_not_whole_is_not_published);
    RUN(a_resumed_run_goes_on_in_the_label_image);
    place_end();
    CHECK_EXIT();
}
