/* test_view.c: what a host is told of the way in which viewers show an image, whoever has written it. */
#include <math.h>

#include "ngff.h"
#include "place.h"

static const char zarray[] =
    "{\"zarr_format\":2,\"shape\":[2,4,4],\"chunks\":[1,4,4],\"dtype\":\"|u1\",\"compressor\":null,"
    "\"fill_value\":0,\"order\":\"C\",\"filters\":null,\"dimension_separator\":\"/\"}";

#define MULTISCALE                                                                                                     \
    "\"multiscales\":[{\"version\":\"0.4\",%s\"axes\":[{\"name\":\"c\",\"type\":\"channel\"},{\"name\":\"y\","         \
    "\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"}],\"datasets\":[{\"path\":\"0\","                          \
    "\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,1,1]}]}]}]"

/* name: `"name":"...",` or "". omero: `,"omero":...` or "". */
static ngff_reader *store_with(const char *name, const char *omero)
{
    char text[4000];
    snprintf(text, sizeof text, "{" MULTISCALE "%s}", name, omero);
    write_text("s.ome.zarr/.zgroup", "{\"zarr_format\":2}");
    write_text("s.ome.zarr/.zattrs", text);
    write_text("s.ome.zarr/0/.zarray", zarray);
    ngff_reader *r = ngff_reader_open(below("s.ome.zarr"));
    CHECK_TEXT(ngff_reader_error(r), "");
    return r;
}

static void channels_are_told_as_omero_has_them(void)
{
    ngff_reader *r =
        store_with("\"name\":\"cells\",",
                   ",\"omero\":{\"channels\":[{\"label\":\"DAPI \\u00b5\",\"color\":\"0000ff\",\"active\":false,"
                   "\"window\":{\"start\":1.5,\"end\":200,\"min\":0,\"max\":255}},{\"color\":\"#FF000080\","
                   "\"inverted\":true,\"active\":true,\"window\":{\"start\":-1}},{}],"
                   "\"rdefs\":{\"model\":\"greyscale\",\"defaultT\":0,\"defaultZ\":7}}");
    const char *label = "", *color = "";
    double window[4];
    int64_t t = -2, z = -2;
    int32_t active = 5, inverted = 5, has_colors = 5;
    CHECK_TEXT(ngff_reader_name(r), "cells");
    CHECK_INT(ngff_reader_view(r, &t, &z, &has_colors), NGFF_OK);
    CHECK(t == 0 && z == 7 && has_colors == 0);
    CHECK_INT(ngff_reader_channel_count(r), 3);
    CHECK_INT(ngff_reader_channel(r, 0, &label, &color, window, &active, &inverted), NGFF_OK);
    CHECK_TEXT(label, "DAPI \xC2\xB5");
    CHECK_TEXT(color, "0000ff");
    CHECK(window[0] == 1.5 && window[1] == 200 && window[2] == 0 && window[3] == 255);
    CHECK(active == 0 && inverted == 0);
    CHECK_INT(ngff_reader_channel(r, 1, &label, &color, window, &active, &inverted), NGFF_OK);
    CHECK(label == NULL);
    CHECK_TEXT(color, "FF0000");
    CHECK(window[0] == -1 && isnan(window[1]) && isnan(window[2]) && isnan(window[3]));
    CHECK(active == 1 && inverted == 1);
    CHECK_INT(ngff_reader_channel(r, 2, &label, &color, NULL, &active, NULL), NGFF_OK);
    CHECK(label == NULL && color == NULL && active == -1);
    CHECK_INT(ngff_reader_channel(r, 3, &label, &color, NULL, NULL, NULL), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_channel(r, -1, NULL, NULL, NULL, NULL, NULL), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_status(r), NGFF_OK);
    ngff_reader_free(r);
    remove_below("s.ome.zarr");
}

/* Nothing of it is an error of the image. */
static void what_is_of_another_kind_counts_as_not_said(void)
{
    static const char *const texts[] = {
        "",
        ",\"omero\":null",
        ",\"omero\":[1]",
        ",\"omero\":{\"channels\":{\"0\":{}},\"rdefs\":3}",
        ",\"omero\":{\"channels\":[],\"rdefs\":{\"model\":\"rgb\",\"defaultT\":-1,\"defaultZ\":1.5}}",
        ",\"omero\":{\"channels\":[7],\"rdefs\":{\"model\":1,\"defaultT\":99999999999,\"defaultZ\":\"2\"}}",
        ",\"omero\":{\"channels\":[{\"label\":3,\"color\":\"red\",\"active\":1,\"inverted\":2,\"window\":[0,1]}]}",
        ",\"omero\":{\"channels\":[{\"label\":\"\",\"color\":\"FF00\",\"window\":{\"start\":\"0\",\"end\":null}}]}",
        ",\"omero\":{\"channels\":[{\"color\":\"00FF00 \",\"window\":null}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ngff_reader *r = store_with(i % 2 ? "" : "\"name\":\"\",", texts[i]);
        const char *label = "", *color = "";
        double window[4] = {0};
        int64_t t = 0, z = 0;
        int32_t active = 0, inverted = 1, has_colors = 0;
        CHECK(ngff_reader_name(r) == NULL);
        CHECK_INT(ngff_reader_view(r, &t, &z, &has_colors), NGFF_OK);
        CHECK(t == -1 && z == -1 && has_colors == -1);
        CHECK_INT(ngff_reader_channel_count(r), i >= 5);
        if (i >= 5) {
            CHECK_INT(ngff_reader_channel(r, 0, &label, &color, window, &active, &inverted), NGFF_OK);
            CHECK(label == NULL && color == NULL && active == -1 && inverted == 0);
            CHECK(isnan(window[0]) && isnan(window[1]) && isnan(window[2]) && isnan(window[3]));
        }
        ngff_reader_free(r);
        remove_below("s.ome.zarr");
    }
}

/* What a plan says comes back, in each version. */
static void what_the_writer_was_told_is_told(void)
{
    static const char *const versions[] = {"NGFF_VERSION=0.4", "NGFF_VERSION=0.5"};
    for (size_t i = 0; i < 2; i++) {
        const int64_t shape[] = {2, 3, 4, 4};
        static const uint8_t pixels[2 * 3 * 4 * 4];
        const char *label, *color;
        double window[4];
        int64_t t, z, origin[4], extent[4];
        int32_t active, inverted, has_colors;
        ngff_image *image = ngff_image_create("czyx", shape, NGFF_UINT8);
        ngff_image_set_name(image, "nuclei");
        ngff_image_set_channel(image, 1, "GFP", "00FE00");
        ngff_image_set_window(image, 1, 3, 9);
        ngff_image_set_inverted(image, 1, 1);
        ngff_image_set_active(image, 1, 0);
        ngff_image_set_view(image, -1, 2, 1);
        ngff_plan *plan = ngff_plan_create(image, (const char *const[]){versions[i], NULL});
        ngff_writer *w = ngff_writer_open(plan, below("w.ome.zarr"));
        while (ngff_writer_next(w, origin, extent) == 1)
            CHECK_INT(ngff_writer_write(w, origin, extent, pixels, NULL, NULL, 0), NGFF_OK);
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        ngff_reader *r = ngff_reader_open(below("w.ome.zarr"));
        CHECK_TEXT(ngff_reader_name(r), "nuclei");
        CHECK_INT(ngff_reader_view(r, &t, &z, &has_colors), NGFF_OK);
        CHECK(z == 2 && has_colors == 1);
        CHECK_INT(ngff_reader_channel_count(r), 2);
        CHECK_INT(ngff_reader_channel(r, 1, &label, &color, window, &active, &inverted), NGFF_OK);
        CHECK_TEXT(label, "GFP");
        CHECK_TEXT(color, "00FE00");
        CHECK(window[0] == 3 && window[1] == 9 && window[2] == 0 && window[3] == 255);
        CHECK(active == 0 && inverted == 1);
        ngff_reader_free(r);
        ngff_writer_free(w);
        ngff_plan_free(plan);
        ngff_image_free(image);
        remove_below("w.ome.zarr");
    }
}

static void a_label_image_says_so(void)
{
    static const char *const texts[] = {"", ",\"image-label\":{\"version\":\"0.4\"}", ",\"image-label\":{}"};
    for (int i = 0; i < 3; i++) {
        ngff_reader *r = store_with("", texts[i]);
        CHECK_INT(ngff_reader_is_label(r), i > 0);
        ngff_reader_free(r);
        remove_below("s.ome.zarr");
    }
}

static void labels_have_the_colours_of_the_list(void)
{
    ngff_reader *r = store_with("", ",\"image-label\":{\"colors\":[{\"label-value\":7,\"rgba\":[1,2.9,300,-1]},"
                                    "{\"label-value\":1.5,\"rgba\":[1,2,3,4]},{\"rgba\":[1,2,3,4]},"
                                    "{\"label-value\":2,\"rgba\":[1,2,3]},{\"label-value\":\"3\",\"rgba\":[1,2,3,4]},5,"
                                    "{\"label-value\":-4000000000,\"rgba\":[9,8,\"x\",6]}]}");
    int64_t value = 0;
    uint8_t rgba[4] = {0};
    CHECK_INT(ngff_reader_label_count(r), 2);
    CHECK_INT(ngff_reader_label_color(r, 0, &value, rgba), NGFF_OK);
    CHECK(value == 7 && rgba[0] == 1 && rgba[1] == 2 && rgba[2] == 255 && rgba[3] == 0);
    CHECK_INT(ngff_reader_label_color(r, 1, &value, rgba), NGFF_OK);
    CHECK(value == -4000000000 && rgba[0] == 9 && rgba[1] == 8 && rgba[2] == 0 && rgba[3] == 6);
    CHECK_INT(ngff_reader_label_color(r, 2, &value, rgba), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_label_color(r, -1, &value, rgba), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_status(r), NGFF_OK);
    ngff_reader_free(r);
    r = store_with("", ",\"image-label\":{\"colors\":{}}");
    CHECK_INT(ngff_reader_label_count(r), 0);
    ngff_reader_free(r);
    remove_below("s.ome.zarr");
}

static void without_an_image_there_is_nothing_to_tell(void)
{
    ngff_reader *r = ngff_reader_open(below("none.ome.zarr"));
    CHECK(ngff_reader_name(r) == NULL);
    CHECK_INT(ngff_reader_view(r, NULL, NULL, NULL), NGFF_E_NOT_FOUND);
    CHECK_INT(ngff_reader_is_label(r), 0);
    CHECK_INT(ngff_reader_channel_count(r), 0);
    CHECK_INT(ngff_reader_channel(r, 0, NULL, NULL, NULL, NULL, NULL), NGFF_E_NOT_FOUND);
    ngff_reader_free(r);
}

int main(void)
{
    place_begin();
    RUN(channels_are_told_as_omero_has_them);
    RUN(what_is_of_another_kind_counts_as_not_said);
    RUN(what_the_writer_was_told_is_told);
    RUN(a_label_image_says_so);
    RUN(labels_have_the_colours_of_the_list);
    RUN(without_an_image_there_is_nothing_to_tell);
    place_end();
    CHECK_EXIT();
}
