/* test_ome_xml.c: OME-XML of a plan; what a schema's validator says of it is tested in autotest. */
#include "metadata/ome_xml.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ngff.h"

static const int64_t shape[] = {3, 2, 1, 20, 24};
static const char *const layout[] = {"LAYOUT=BIOFORMATS2RAW", NULL};

static ngff_plan *planned(const char *dims, const int64_t *sizes, int32_t type, const char *const *options)
{
    ngff_image *image = ngff_image_create(dims, sizes, type);
    double scale[] = {2.5, 1, 1.5, 0.5, 0.25}, translation[] = {0, 0, 0, 0, 10};
    if (strlen(dims) == 5) {
        ngff_image_set_scale(image, scale);
        ngff_image_set_translation(image, translation);
        ngff_image_set_unit(image, 0, "minute");
        ngff_image_set_unit(image, 3, "micrometer");
        ngff_image_set_unit(image, 4, "angstrom");
        ngff_image_set_channel(image, 0, "<a> & \"b\"\x01", "0000FF");
    }
    ngff_image_set_name(image, "cells");
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    return plan;
}

static void image_says_what_is_known_of_it(void)
{
    ngff_plan *plan = planned("tczyx", shape, NGFF_UINT16, layout);
    char *text = ngff_plan_ome_xml(plan);
    const char *const parts[] = {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\"",
        "<Image ID=\"Image:0\" Name=\"cells\">",
        "DimensionOrder=\"XYZCT\" Type=\"uint16\" SizeX=\"24\" SizeY=\"20\" SizeZ=\"1\" SizeC=\"2\" SizeT=\"3\"",
        " PhysicalSizeX=\"0.25\" PhysicalSizeXUnit=\"\xC3\x85\" PhysicalSizeY=\"0.5\" PhysicalSizeYUnit=\"\xC2\xB5m\" ",
        " TimeIncrement=\"2.5\" TimeIncrementUnit=\"min\">",
        "<Channel ID=\"Channel:0:0\" SamplesPerPixel=\"1\" Name=\"&lt;a&gt; &amp; &quot;b&quot;\" Color=\"65535\"/>",
        "<Channel ID=\"Channel:0:1\" SamplesPerPixel=\"1\"/>",
        "<MetadataOnly/>\n      <Plane TheZ=\"0\" TheT=\"0\" TheC=\"0\" PositionX=\"10\" PositionXUnit=\"\xC3\x85\"",
    };
    CHECK(text != NULL);
    for (size_t i = 0; text && i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(text, parts[i]))
            CHECK_TEXT(text, parts[i]);
    CHECK(text && !strstr(text, "PhysicalSizeZ")); /* z has no unit */
    ngff_string_free(text);
    ngff_plan_free(plan);
}

static void two_images_have_numbers_of_their_own(void)
{
    ngff_plan *plan = planned("tczyx", shape, NGFF_FLOAT32, layout);
    const ngff_plan *const both[] = {plan, plan};
    char *text = ome_xml_make(both, 2);
    CHECK(text && strstr(text, "<Image ID=\"Image:1\"") && strstr(text, "ID=\"Channel:1:1\"") &&
          strstr(text, "Type=\"float\""));
    free(text);
    ngff_plan_free(plan);
}

static void types_without_a_name_have_none(void)
{
    static const int32_t types[] = {NGFF_INT64, NGFF_UINT64, NGFF_FLOAT16};
    for (int i = 0; i < 3; i++) {
        ngff_plan *plan = planned("tczyx", shape, types[i], layout);
        CHECK(ngff_plan_ome_xml(plan) == NULL);
        CHECK(ngff_plan_warning(plan, 0) && strstr(ngff_plan_warning(plan, 0), "OME/METADATA.ome.xml is not written"));
        ngff_plan_free(plan);
    }
}

static void only_this_layout_has_one(void)
{
    ngff_plan *plan = planned("yx", shape + 3, NGFF_UINT8, NULL);
    CHECK(ngff_plan_ome_xml(plan) == NULL);
    CHECK_INT(ngff_plan_set_ome_xml(plan, "<OME/>"), NGFF_E_ARGUMENT);
    ngff_plan_free(plan);
}

static void what_the_host_sets_is_what_is_written(void)
{
    ngff_plan *plan = planned("tczyx", shape, NGFF_UINT8, layout);
    CHECK_INT(ngff_plan_set_ome_xml(plan, "<OME>mine</OME>"), NGFF_OK);
    char *text = ngff_plan_ome_xml(plan);
    CHECK_TEXT(text, "<OME>mine</OME>");
    ngff_string_free(text);
    CHECK_INT(ngff_plan_set_ome_xml(plan, NULL), NGFF_OK);
    text = ngff_plan_ome_xml(plan);
    CHECK(text && strstr(text, "<Pixels"));
    ngff_string_free(text);
    CHECK_INT(ngff_plan_set_ome_xml(plan, "\xFF"), NGFF_E_ARGUMENT);
    ngff_plan_free(plan);
}

int main(void)
{
    RUN(image_says_what_is_known_of_it);
    RUN(two_images_have_numbers_of_their_own);
    RUN(types_without_a_name_have_none);
    RUN(only_this_layout_has_one);
    RUN(what_the_host_sets_is_what_is_written);
    CHECK_EXIT();
}
