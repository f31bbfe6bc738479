/* test_described.c: what a reader says of a store beside its pixels: axes, attributes, parts, what it is at all, and
 * whether it keeps to the specification. Documents by hand, on real files. */
#include "ngff.h"
#include "place.h"

static void write_group(const char *key, const char *attributes)
{
    char text[4000];
    snprintf(text, sizeof text, "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":%s}", attributes);
    write_text(key, text);
}

static void write_array(const char *key)
{
    write_text(key, "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[2,6,4],\"data_type\":\"uint8\","
                    "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[1,6,4]}},"
                    "\"chunk_key_encoding\":{\"name\":\"default\"},\"fill_value\":0,\"codecs\":[{\"name\":\"bytes\"}],"
                    "\"attributes\":{\"of\":\"the array\"},\"dimension_names\":[\"time\",\"row\",\"column\"]}");
}

/* An image with the labels "cells" beside it. */
#define MULTISCALES                                                                                                    \
    "\"multiscales\":[{\"name\":\"a\",\"axes\":[{\"name\":\"time\",\"type\":\"time\",\"unit\":\"second\"},{\"name\":"  \
    "\"row\",\"type\":\"space\",\"unit\":\"micrometer\"},{\"name\":\"column\",\"type\":\"space\"}],\"datasets\":[{"    \
    "\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,1,1]}]}]}]"

static void make_store(void)
{
    write_group("a/zarr.json", "{\"of\":\"the root\",\"ome\":{\"version\":\"0.5\"," MULTISCALES "}}");
    write_array("a/0/zarr.json");
    write_group("a/labels/zarr.json", "{\"ome\":{\"version\":\"0.5\",\"labels\":[\"cells\"]}}");
    write_group("a/labels/cells/zarr.json",
                "{\"ome\":{\"version\":\"0.5\",\"image-label\":{\"source\":{\"image\":\"../../\"}}," MULTISCALES "}}");
    write_array("a/labels/cells/0/zarr.json");
    write_group("a/notes/zarr.json", "{\"by\":[1,2]}");
}

static void axes_have_the_names_and_units_of_the_store(void)
{
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_TEXT(ngff_reader_dims(reader), "tyx");
    CHECK_TEXT(ngff_reader_axis_name(reader, 0), "time");
    CHECK_TEXT(ngff_reader_axis_name(reader, 2), "column");
    CHECK_TEXT(ngff_reader_axis_unit(reader, 0), "second");
    CHECK_TEXT(ngff_reader_axis_unit(reader, 1), "micrometer");
    CHECK(ngff_reader_axis_unit(reader, 2) == NULL);
    CHECK(ngff_reader_axis_name(reader, 3) == NULL && ngff_reader_axis_name(reader, -1) == NULL);
    CHECK(ngff_reader_axis_unit(reader, 3) == NULL && ngff_reader_axis_unit(reader, -1) == NULL);
    ngff_reader_free(reader);
}

static void attributes_are_those_of_the_node_that_is_named(void)
{
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK(strstr(ngff_reader_attributes(reader), "the root") != NULL);
    CHECK(strstr(ngff_reader_array_attributes(reader), "the array") != NULL);
    const char *notes = ngff_reader_node_attributes(reader, "notes");
    CHECK(notes && strstr(notes, "\"by\"") != NULL);
    CHECK(ngff_reader_node_attributes(reader, "nowhere") == NULL);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK); /* what is not there is no error */
    write_text("a/notes/zarr.json", "{\"zarr_format\":3,");
    CHECK(ngff_reader_node_attributes(reader, "notes") == NULL);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK); /* nor is what others have broken */
    CHECK(unlink(below("a/notes/zarr.json")) == 0 && mkdir(below("a/notes/zarr.json"), 0777) == 0);
    CHECK(ngff_reader_node_attributes(reader, "notes") == NULL);
    CHECK(ngff_reader_status(reader) < 0 && strstr(ngff_reader_error(reader), "a/notes/zarr.json"));
    CHECK_INT(rmdir(below("a/notes/zarr.json")), 0);
    ngff_reader_free(reader);
    write_group("a/notes/zarr.json", "{\"by\":[1,2]}");
}

static void parts_are_the_image_and_what_is_beside_it(void)
{
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_INT(ngff_reader_part_count(reader), 2);
    CHECK(ngff_reader_part_path(reader, 0) && ngff_reader_part_title(reader, 0)[0]);
    CHECK_TEXT(ngff_reader_part_path(reader, 1), "labels/cells");
    CHECK(strstr(ngff_reader_part_title(reader, 1), "cells") != NULL);
    CHECK(ngff_reader_part_path(reader, 2) == NULL && ngff_reader_part_title(reader, 2) == NULL);
    CHECK(ngff_reader_part_path(reader, -1) == NULL && ngff_reader_part_title(reader, -1) == NULL);
    ngff_reader_free(reader);
    reader = ngff_reader_open_part(below("a"), "labels/cells", NULL);
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_INT(ngff_reader_level_count(reader), 1);
    CHECK_INT(ngff_reader_part_entry(reader), 0);
    CHECK_TEXT(ngff_reader_group(reader), "labels/cells");
    ngff_reader_free(reader);
    reader = ngff_reader_open_part(below("a"), "0", NULL); /* the array of a level */
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_INT(ngff_reader_part_level(reader), 0);
    CHECK_TEXT(ngff_reader_group(reader), "");
    ngff_reader_free(reader);
    reader = ngff_reader_open_part(below("a"), "#1", NULL);
    CHECK(ngff_reader_status(reader) < 0 && strstr(ngff_reader_error(reader), "there is no number 1"));
    CHECK_TEXT(ngff_reader_group(reader), "");
    ngff_reader_free(reader);
}

static void what_a_path_is_is_asked_of_its_root_document(void)
{
    write_group("plain/zarr.json", "{\"title\":\"no image\"}");
    CHECK_INT(ngff_identify(below("a")), 1);
    CHECK_INT(ngff_identify(below("plain")), 0);
    CHECK_INT(ngff_identify(below("nowhere")), 0);
    CHECK(ngff_identify(NULL) <= 0);
    remove_below("plain");
}

/* Two codecs "transpose", each with order 1,2,0: byte axis k is axis 1,2,0 of 1,2,0, so x, time, row. */
static void orders_of_axes_are_put_together(void)
{
    char bytes[25] = "";
    uint8_t pixels[24];
    int64_t first[3] = {0};
    write_group("turned/zarr.json", "{\"ome\":{\"version\":\"0.5\"," MULTISCALES "}}");
    write_text("turned/0/zarr.json",
               "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[2,3,4],\"data_type\":\"uint8\","
               "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[2,3,4]}},"
               "\"chunk_key_encoding\":{\"name\":\"default\"},\"fill_value\":0,\"codecs\":["
               "{\"name\":\"transpose\",\"configuration\":{\"order\":[1,2,0]}},"
               "{\"name\":\"transpose\",\"configuration\":{\"order\":[1,2,0]}},{\"name\":\"bytes\"}]}");
    for (int t = 0; t < 2; t++)
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 4; x++)
                bytes[(x * 2 + t) * 3 + y] = (char)(1 + (t * 3 + y) * 4 + x);
    write_text("turned/0/c/0/0/0", bytes);
    ngff_reader *reader = ngff_reader_open(below("turned"));
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_INT(ngff_reader_chunk(reader, 0, first, pixels, NULL, 0), 1);
    for (int i = 0; i < 24; i++)
        CHECK_INT(pixels[i], 1 + i);
    ngff_reader_free(reader);
    remove_below("turned");
}

static int n_found[8];
static char last[1000];

static void found(void *user, int32_t kind, const char *text)
{
    (void)user;
    n_found[kind]++;
    snprintf(last, sizeof last, "%s", text);
}

static void metadata_is_judged_by_the_text(void)
{
    memset(n_found, 0, sizeof n_found);
    CHECK_INT(ngff_validate(below("a"), NULL, found, NULL), NGFF_OK);
    CHECK_INT(n_found[NGFF_FINDING_INVALID], 0);
    CHECK_INT(ngff_validate(below("a"), NULL, NULL, NULL), NGFF_OK);
    write_group("bad/zarr.json",
                "{\"ome\":{\"version\":\"0.5\",\"multiscales\":[{\"axes\":[{\"name\":\"y\"}],\"datasets\":"
                "[]}]}}");
    CHECK_INT(ngff_validate(below("bad"), NULL, found, NULL), NGFF_E_CORRUPT);
    CHECK(n_found[NGFF_FINDING_INVALID] > 0 && strstr(last, "zarr.json"));
    remove_below("bad");
    memset(n_found, 0, sizeof n_found);
    CHECK(ngff_validate(below("nowhere"), NULL, found, NULL) < 0);
    CHECK(n_found[NGFF_FINDING_UNREAD] == 1 && strstr(last, "nowhere"));
}

int main(void)
{
    place_begin();
    make_store();
    RUN(axes_have_the_names_and_units_of_the_store);
    RUN(attributes_are_those_of_the_node_that_is_named);
    RUN(parts_are_the_image_and_what_is_beside_it);
    RUN(what_a_path_is_is_asked_of_its_root_document);
    RUN(orders_of_axes_are_put_together);
    RUN(metadata_is_judged_by_the_text);
    remove_below("a");
    place_end();
    CHECK_EXIT();
}
