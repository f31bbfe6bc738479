/* test_ngff_root.c: which root documents are those of an OME-Zarr. */
#include "store/ngff_root.h"

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

static void files_inside_a_store_are_known_by_their_keys(void)
{
    static const char *const ours[] = {"scale0/zarr.json",
                                       "0/.zarray",
                                       "0/.zattrs",
                                       "0/.zgroup",
                                       "A/1/.zmetadata",
                                       "scale0/image/c/0/1",
                                       "0/0.12.3",
                                       "0/c.0.1",
                                       "0/1/2/3",
                                       "0/c",
                                       "0/7",
                                       "OME/METADATA.ome.xml",
                                       "labels/cells/.omezarr-dirty",
                                       "0/.DS_Store",
                                       "labels/.cells.partial/.owner",
                                       "labels/.cells.new-1f/.owner",
                                       "labels/.cells.gone-77/store/0/thesis.doc",
                                       "labels/.cells.retired/x"};
    static const char *const theirs[] = {"scale0/thesis.doc",
                                         "scale0/image/c/0/thesis.doc",
                                         "scale0/image/c/0/1.tif",
                                         "0/.hidden",
                                         "0/cells",
                                         "0/c1",
                                         "0/c.x",
                                         "0/zarr.json.bak",
                                         "0/1a",
                                         "0/..1",
                                         "notes.partial/x.doc",
                                         "0/a.new-1",
                                         "0/my.retired"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        CHECK_TEXT(is_key_of_store(ours[i]) ? "" : ours[i], "");
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        CHECK_TEXT(is_key_of_store(theirs[i]) ? theirs[i] : "", "");
}

int main(void)
{
    RUN(files_inside_a_store_are_known_by_their_keys);
    RUN(keys_count_in_their_place_only);
    RUN(deep_nesting_ends);
    CHECK_EXIT();
}
