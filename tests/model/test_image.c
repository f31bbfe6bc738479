/* The public description of an image: what is accepted, what is refused, and with which words. */
#include "model/image.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

static const int64_t cyx[] = {3, 20, 30};

static ngff_image *three_bands(void)
{
    return ngff_image_create("cyx", cyx, NGFF_UINT16);
}

static void defaults_are_those_of_ngff_zarr(void)
{
    ngff_image *image = three_bands();
    CHECK_INT(ngff_image_status(image), NGFF_OK);
    CHECK_TEXT(image->name, "image");
    CHECK_INT(image->rank, 3);
    CHECK_INT(image->n_channels, 3);
    CHECK_INT(image->channel_axis, 0);
    CHECK_INT(image->alpha, -1);
    for (int i = 0; i < 3; i++)
        CHECK(image->scale[i] == 1 && image->translation[i] == 0 && image->unit[i] == NULL);
    CHECK_INT(image_axis(image, 'y'), 1);
    CHECK_INT(image_axis(image, 't'), -1);
    ngff_image_free(image);
}

static void create_is_refused(const char *dims, const int64_t *shape, int32_t type, int32_t status, const char *words)
{
    ngff_image *image = ngff_image_create(dims, shape, type);
    CHECK(image != NULL);
    CHECK_INT(ngff_image_status(image), status);
    if (!strstr(ngff_image_error(image), words))
        CHECK_TEXT(ngff_image_error(image), words);
    CHECK_INT(ngff_image_set_name(image, "x"), status);
    ngff_image_free(image);
}

static void bad_dims_shapes_and_types_are_refused_with_words(void)
{
    static const int64_t five[] = {1, 1, 1, 1, 1, 1}, zero[] = {1, 0, 1}, vast[] = {1 << 20, INT64_C(1) << 40, 1 << 30};
    static const int64_t many[] = {1 << 21, 1, 1};
    create_is_refused(NULL, five, NGFF_UINT8, NGFF_E_ARGUMENT, "dims");
    create_is_refused("x", five, NGFF_UINT8, NGFF_E_ARGUMENT, "2 to 5 axes");
    create_is_refused("tczyxx", five, NGFF_UINT8, NGFF_E_ARGUMENT, "2 to 5 axes");
    create_is_refused("xy", five, NGFF_UINT8, NGFF_E_ARGUMENT, "in this order");
    create_is_refused("ctyx", five, NGFF_UINT8, NGFF_E_ARGUMENT, "in this order");
    create_is_refused("yyx", five, NGFF_UINT8, NGFF_E_ARGUMENT, "in this order");
    create_is_refused("qyx", five, NGFF_UINT8, NGFF_E_ARGUMENT, "in this order");
    create_is_refused("czx", five, NGFF_UINT8, NGFF_E_ARGUMENT, "end in \"yx\"");
    create_is_refused("cyx", NULL, NGFF_UINT8, NGFF_E_ARGUMENT, "shape is NULL");
    create_is_refused("cyx", zero, NGFF_UINT8, NGFF_E_ARGUMENT, "axis y must have at least 1 pixel, not 0");
    create_is_refused("zyx", vast, NGFF_UINT8, NGFF_E_ARGUMENT, "2^63 - 1");
    create_is_refused("cyx", many, NGFF_UINT8, NGFF_E_UNSUPPORTED, "channels");
    create_is_refused("cyx", five, 0, NGFF_E_ARGUMENT, "data type 0");
    create_is_refused("cyx", five, 14, NGFF_E_ARGUMENT, "data type 14");
}

static void scale_and_translation_must_be_finite(void)
{
    double bad[] = {1, 0, 1}, nan_[] = {1, NAN, 1}, good[] = {1, 0.5, 0.25}, moved[] = {0, -10, 20};
    ngff_image *image = three_bands();
    CHECK_INT(ngff_image_set_scale(image, good), NGFF_OK);
    CHECK_INT(ngff_image_set_translation(image, moved), NGFF_OK);
    CHECK(image->scale[1] == 0.5 && image->translation[1] == -10);
    CHECK_INT(ngff_image_set_scale(image, bad), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_image_error(image), "axis y"));
    CHECK(image->scale[1] == 0.5);
    CHECK_INT(ngff_image_set_translation(image, moved), NGFF_E_ARGUMENT); /* the first error stays */
    ngff_image_free(image);
    image = three_bands();
    CHECK_INT(ngff_image_set_translation(image, nan_), NGFF_E_ARGUMENT);
    ngff_image_free(image);
}

static void units_are_kept_by_their_full_names(void)
{
    ngff_image *image = three_bands();
    CHECK_INT(ngff_image_set_unit(image, 1, "um"), NGFF_OK);
    CHECK_TEXT(image->unit[1], "micrometer");
    CHECK_INT(ngff_image_set_unit(image, 1, ""), NGFF_OK);
    CHECK(image->unit[1] == NULL);
    CHECK_INT(ngff_image_set_unit(image, 2, "furlong"), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_image_error(image), "furlong") && strstr(ngff_image_error(image), "micrometer"));
    ngff_image_free(image);
}

static void channels_take_labels_colours_windows_and_nodata(void)
{
    uint16_t nodata = 7;
    ngff_image *image = three_bands();
    CHECK_INT(ngff_image_set_channel(image, 1, "DAPI", "00ff7f"), NGFF_OK);
    CHECK_TEXT(image->channels[1].label, "DAPI");
    CHECK_TEXT(image->channels[1].color, "00FF7F");
    CHECK_INT(ngff_image_set_channel(image, 1, NULL, NULL), NGFF_OK);
    CHECK_TEXT(image->channels[1].label, "DAPI");
    CHECK_INT(ngff_image_set_window(image, 0, 2, 5), NGFF_OK);
    CHECK_INT(ngff_image_set_inverted(image, 2, 7), NGFF_OK);
    CHECK(image->channels[2].is_inverted == 1 && !image->channels[1].is_inverted);
    CHECK_INT(ngff_image_set_inverted(image, 2, 0), NGFF_OK);
    CHECK(!image->channels[2].is_inverted);
    CHECK_INT(ngff_image_set_range(image, 0, -1, 9), NGFF_OK);
    CHECK(image->channels[0].has_range && image->channels[0].min == -1 && image->channels[0].max == 9);
    CHECK_INT(ngff_image_set_active(image, 1, 0), NGFF_OK);
    CHECK(image->channels[1].has_active && !image->channels[1].is_active && !image->channels[0].has_active);
    CHECK_INT(ngff_image_set_nodata(image, -1, &nodata), NGFF_OK);
    CHECK(image->channels[2].has_nodata && memcmp(image->channels[2].nodata, &nodata, 2) == 0);
    CHECK_INT(ngff_image_set_alpha(image, 2), NGFF_OK);
    CHECK_INT(ngff_image_set_kind(image, NGFF_KIND_RGB), NGFF_OK);
    CHECK_INT(ngff_image_set_channel(image, 0, NULL, "#00FF00"), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    image = three_bands();
    CHECK_INT(ngff_image_set_channel(image, 3, "x", NULL), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    image = three_bands();
    CHECK_INT(ngff_image_set_channel(image, 0, "\xFF", NULL), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    image = three_bands();
    CHECK_INT(ngff_image_set_window(image, 0, 5, 5), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    image = three_bands();
    CHECK_INT(ngff_image_set_inverted(image, 3, 1), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    CHECK_INT(ngff_image_set_inverted(NULL, 0, 1), NGFF_E_ARGUMENT);
    image = three_bands();
    CHECK_INT(ngff_image_set_range(image, 0, 5, 5), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    image = three_bands();
    CHECK_INT(ngff_image_set_active(image, 3, 1), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_image_set_active(NULL, 0, 1), NGFF_E_ARGUMENT);
    ngff_image_free(image);
}

static void view_is_a_plane_of_the_image(void)
{
    static const int64_t shape[] = {2, 3, 4, 5};
    static const struct {
        int64_t t, z;
        int32_t has_colors, status;
    } table[] = {{1, 2, 0, NGFF_OK},          {-1, -1, -1, NGFF_OK},        {2, 0, -1, NGFF_E_ARGUMENT},
                 {0, 3, -1, NGFF_E_ARGUMENT}, {-2, 0, -1, NGFF_E_ARGUMENT}, {0, 0, 2, NGFF_E_ARGUMENT}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ngff_image *image = ngff_image_create("tzyx", shape, NGFF_UINT8);
        CHECK(image->view_t == -1 && image->view_z == -1 && image->has_view_colors == -1);
        CHECK_INT(ngff_image_set_view(image, table[i].t, table[i].z, table[i].has_colors), table[i].status);
        if (table[i].status == NGFF_OK)
            CHECK(image->view_t == table[i].t && image->view_z == table[i].z &&
                  image->has_view_colors == table[i].has_colors);
        ngff_image_free(image);
    }
    ngff_image *image = three_bands(); /* without t and z */
    CHECK_INT(ngff_image_set_view(image, 0, 0, 1), NGFF_OK);
    CHECK_INT(ngff_image_set_view(image, 0, 1, 1), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_image_set_view(NULL, 0, 0, 1), NGFF_E_ARGUMENT);
    ngff_image_free(image);
}

static void georeference_and_attributes_are_checked(void)
{
    double north_up[] = {500000, 10, 0, 5000000, 0, -10}, flat[] = {0, 1, 2, 0, 2, 4};
    ngff_image *image = three_bands();
    CHECK_INT(ngff_image_set_georeference(image, north_up, "EPSG:32633", "PROJCRS[]", "{}", 0), NGFF_OK);
    CHECK(image->georeference.is_set && image->georeference.has_affine);
    CHECK_INT(ngff_image_set_georeference(image, NULL, NULL, NULL, NULL, 0), NGFF_OK);
    CHECK(!image->georeference.is_set);
    CHECK_INT(ngff_image_set_attribute(image, "rat", "{\"a\":1}"), NGFF_OK);
    CHECK_INT(ngff_image_set_attribute(image, "rat", " [2] "), NGFF_OK);
    CHECK_INT(image->n_attributes, 1);
    CHECK_TEXT(image->attributes[0].json, " [2] ");
    CHECK_INT(ngff_image_set_georeference(image, flat, NULL, NULL, NULL, 0), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    static const char *const bad[] = {"",     "{",    "[1,]", "{\"a\":1,\"a\":2}", "NaN", "1 2", "\"\\u0000\"",
                                      "[01]", "1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        image = three_bands();
        CHECK_INT(ngff_image_set_attribute(image, "a", bad[i]), NGFF_E_ARGUMENT);
        ngff_image_free(image);
    }
    static const char *const names[] = {"", "a/b", "..", "version", "nodata"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        image = three_bands();
        CHECK_INT(ngff_image_set_attribute(image, names[i], "1"), NGFF_E_ARGUMENT);
        ngff_image_free(image);
    }
}

static void a_copy_has_all_and_shares_nothing(void)
{
    const double affine[6] = {1, 2, 0, 3, 0, -4};
    static const uint8_t seven[16] = {7};
    ngff_image *image = three_bands();
    CHECK_INT(ngff_image_set_name(image, "first"), NGFF_OK);
    CHECK_INT(ngff_image_set_channel(image, 1, "red", "FF0000"), NGFF_OK);
    CHECK_INT(ngff_image_set_nodata(image, 2, seven), NGFF_OK);
    CHECK_INT(ngff_image_set_attribute(image, "a", "[1.5]"), NGFF_OK);
    CHECK_INT(ngff_image_set_georeference(image, affine, "EPSG:32633", "WKT", "{}", 0), NGFF_OK);
    ngff_image *copy = image_copy(image);
    CHECK_INT(ngff_image_set_name(image, "second"), NGFF_OK);
    CHECK_INT(ngff_image_set_channel(image, 1, "blue", "0000FF"), NGFF_OK);
    CHECK_INT(ngff_image_set_attribute(image, "a", "2"), NGFF_OK);
    CHECK_INT(ngff_image_set_georeference(image, NULL, NULL, NULL, NULL, 0), NGFF_OK);
    ngff_image_free(image);
    CHECK_TEXT(copy->name, "first");
    CHECK_TEXT(copy->channels[1].label, "red");
    CHECK_TEXT(copy->channels[1].color, "FF0000");
    CHECK(copy->channels[2].has_nodata && copy->channels[2].nodata[0] == 7 && !copy->channels[0].has_nodata);
    CHECK_INT(copy->n_attributes, 1);
    CHECK_TEXT(copy->attributes[0].json, "[1.5]");
    CHECK_TEXT(copy->georeference.wkt, "WKT");
    CHECK(copy->georeference.affine[5] == -4);
    CHECK_INT(ngff_image_set_name(copy, "third"), NGFF_OK);
    ngff_image_free(copy);
    ngff_image_free(NULL);
    CHECK_INT(ngff_image_status(NULL), NGFF_E_ARGUMENT);
    CHECK_TEXT(ngff_image_error(NULL), "the image is NULL");
}

int main(void)
{
    RUN(defaults_are_those_of_ngff_zarr);
    RUN(bad_dims_shapes_and_types_are_refused_with_words);
    RUN(scale_and_translation_must_be_finite);
    RUN(units_are_kept_by_their_full_names);
    RUN(channels_take_labels_colours_windows_and_nodata);
    RUN(view_is_a_plane_of_the_image);
    RUN(georeference_and_attributes_are_checked);
    RUN(a_copy_has_all_and_shares_nothing);
    CHECK_EXIT();
}
