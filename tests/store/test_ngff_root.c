/* test_ngff_root.c: which root documents are those of an OME-Zarr. */
#include "ngff_root.h"

#include "check.h"

static int is_ngff(const char *text)
{
    return looks_like_ngff((const uint8_t *)text, strlen(text));
}

static void keys_count_in_their_place_only(void)
{
    static const struct {
        const char *text;
        int is_ngff;
    } documents[] = {
        {"{\"attributes\":{\"ome\":{\"multiscales\":[]}}}", 1},
        {" {\"zarr_format\" : 3, \"attributes\" : { \"a\":[1,{\"b\":null}], \"ome\" : "
         "{\"version\":\"0.5\",\"plate\":{}}}}\n",
         1},
        {"{\"multiscales\": [{}]}", 1},
        {"{\"attributes\":{\"multiscales\":[{\"datasets\":[]}]}}", 1},
        {"{\"bioformats2raw.layout\": 3}", 1},
        {"{\"ome\":{\"well\":{\"images\":[]}}}", 1},
        {"{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{}}", 0},
        /* GeoZarr: an object, and another place */
        {"{\"attributes\":{\"multiscales\":{\"tile_matrix_set\":\"WebMercatorQuad\"}}}", 0},
        {"{\"kind\":\"well\"}", 0},
        {"{\"title\":\"the \\\"multiscales\\\" of a plate\"}", 0},
        {"{\"attributes\":{\"plate\":{\"number\":3}}}", 0},
        {"{\"consolidated_metadata\":{\"metadata\":{\"a\":{\"attributes\":{\"ome\":{\"multiscales\":[]}}}}}}", 0},
        {"[{\"multiscales\":[]}]", 0},
        {"{\"multiscales\":[]", 0},
        {"{\"multiscales\":[]} {", 0},
        {"{\"multiscales\":[],}", 0},
        {"{\"multiscales", 0},
        {"{\"multiscales\\", 0},
        {"", 0},
        {"multiscales", 0},
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        if (is_ngff(documents[i].text) != documents[i].is_ngff)
            fprintf(stderr, "%s\n", documents[i].text);
        CHECK_INT(is_ngff(documents[i].text), documents[i].is_ngff);
    }
}

static void deep_nesting_ends(void)
{
    static char text[200000];
    memset(text, '[', sizeof text - 1);
    CHECK_INT(is_ngff(text), 0);
}

int main(void)
{
    RUN(keys_count_in_their_place_only);
    RUN(deep_nesting_ends);
    CHECK_EXIT();
}
