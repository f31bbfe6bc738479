/* test_newer.c: what a group says, in the words of a newer version: expected texts are written by hand from the
 * specification's; numbers stay as they are typed. */
#include <stdlib.h>

#include "check.h"
#include "metadata/newer.h"

#define AXES                                                                                                           \
    "[{\"name\":\"c\",\"type\":\"channel\"},{\"name\":\"y\",\"type\":\"space\",\"unit\":\"micrometer\"},"              \
    "{\"name\":\"x\",\"type\":\"space\"}]"

static void says(const char *text, int format, int version, const char *expected)
{
    error e = {0};
    cJSON *made = NULL;
    int32_t status = newer_attributes(json_whole(text), format, version, "here", &made, &e);
    char *printed = made ? cJSON_PrintUnformatted(made) : NULL;
    CHECK_TEXT(e.message, "");
    CHECK_INT(status, expected != NULL);
    if (expected)
        CHECK_TEXT(printed, expected);
    cJSON_free(printed);
    cJSON_Delete(made);
}

static void refused(const char *text, int format, int version, const char *words)
{
    error e = {0};
    cJSON *made = NULL;
    CHECK_INT(newer_attributes(json_whole(text), format, version, "here", &made, &e), NGFF_E_UNSUPPORTED);
    CHECK(strstr(e.message, words) != NULL && made == NULL);
}

static void members_of_0_4_move_and_their_versions_go(void)
{
    says("{\"mine\":9007199254740993,\"multiscales\":[{\"version\":\"0.4\",\"axes\":" AXES
         ",\"datasets\":[]}],\"omero\":{\"version\":\"0.4\",\"id\":1.50}}",
         ZARR_2, VERSION_05,
         "{\"mine\":9007199254740993,\"ome\":{\"version\":\"0.5\",\"multiscales\":[{\"axes\":" AXES
         ",\"datasets\":[]}],\"omero\":{\"id\":1.50}}}");
    says("{\"labels\":[\"cells\"]}", ZARR_2, VERSION_06, "{\"ome\":{\"version\":\"0.6\",\"labels\":[\"cells\"]}}");
    says("{\"bioformats2raw.layout\":3}", ZARR_2, VERSION_05,
         "{\"ome\":{\"version\":\"0.5\",\"bioformats2raw.layout\":3}}");
    says("{\"well\":{\"version\":\"0.4\",\"images\":[]}}", ZARR_2, VERSION_05,
         "{\"ome\":{\"version\":\"0.5\",\"well\":{\"images\":[]}}}");
}

static void axes_become_a_system_and_transforms_lead_into_it(void)
{
    says(
        "{\"ome\":{\"version\":\"0.5\",\"multiscales\":[{\"name\":\"n\",\"axes\":" AXES
        ",\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,0.5,0.25]}]},"
        "{\"path\":\"1\",\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,1,0.5]},{\"type\":"
        "\"translation\","
        "\"translation\":[0,0.25,0.125]}]}],\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,2,2]}]}]}}",
        ZARR_3, VERSION_06,
        "{\"ome\":{\"version\":\"0.6\",\"multiscales\":[{\"name\":\"n\",\"coordinateSystems\":[{\"name\":\"intrinsic\","
        "\"axes\":[{\"name\":\"c\",\"type\":\"channel\",\"discrete\":true},{\"name\":\"y\",\"type\":\"space\",\"unit\":"
        "\"micrometer\"},{\"name\":\"x\",\"type\":\"space\"}]}],\"datasets\":[{\"path\":\"0\","
        "\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1.0,1.0,0.5],\"input\":{\"path\":\"0\"},"
        "\"output\":{"
        "\"name\":\"intrinsic\"}}]},{\"path\":\"1\",\"coordinateTransformations\":[{\"type\":\"sequence\","
        "\"transformations\":[{\"type\":\"scale\",\"scale\":[1.0,2.0,1.0]},{\"type\":\"translation\",\"translation\":["
        "0.0,"
        "0.5,0.25]}],\"input\":{\"path\":\"1\"},\"output\":{\"name\":\"intrinsic\"}}]}]}]}}");
}

static void options_of_the_store_name_the_version(void)
{
    says("{\"ome\":{\"version\":\"0.5\",\"labels\":[]},\"omezarr\":{\"version\":1,\"options\":[\"BLOCKSIZE=16\","
         "\"NGFF_VERSION=0.5\"],\"stored_chunks\":[4]}}",
         ZARR_3, VERSION_06,
         "{\"ome\":{\"version\":\"0.6\",\"labels\":[]},\"omezarr\":{\"version\":1,\"options\":[\"BLOCKSIZE=16\","
         "\"NGFF_VERSION=0.6\"],\"stored_chunks\":[4]}}");
}

static void what_says_nothing_of_ngff_or_is_of_the_version_stays(void)
{
    says("{\"a\":1}", ZARR_2, VERSION_05, NULL);
    says("{}", ZARR_3, VERSION_06, NULL);
    says("{\"labels\":\"mine\"}", ZARR_2, VERSION_05, NULL);
    says("{\"ome\":{\"version\":\"0.5\",\"labels\":[]}}", ZARR_3, VERSION_05, NULL);
    says("{\"ome\":{\"version\":\"0.6\",\"labels\":[]}}", ZARR_3, VERSION_06, NULL);
}

static void what_has_no_word_is_refused(void)
{
    refused("{\"ome\":{\"version\":\"0.6\",\"labels\":[]}}", ZARR_3, VERSION_05, "0.6, and 0.5 was asked for");
    refused("{\"ome\":{\"labels\":[]}}", ZARR_3, VERSION_05, "without a version");
    refused("{\"multiscales\":[{\"version\":\"0.3\",\"axes\":[\"y\",\"x\"]}]}", ZARR_2, VERSION_05, "before 0.4");
    refused("{\"ome\":{\"version\":\"0.5\",\"multiscales\":[{\"axes\":" AXES
            ",\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"rotation\",\"rotation\":[[1,0,0]"
            ",[0,0,"
            "1],[0,1,0]]}]}]}]}}",
            ZARR_3, VERSION_06, "level 0");
    refused("{\"ome\":{\"version\":\"0.5\",\"multiscales\":[{\"axes\":[{\"type\":\"space\"}],\"datasets\":[]}]}}",
            ZARR_3, VERSION_06, "axes");
}

int main(void)
{
    RUN(members_of_0_4_move_and_their_versions_go);
    RUN(axes_become_a_system_and_transforms_lead_into_it);
    RUN(options_of_the_store_name_the_version);
    RUN(what_says_nothing_of_ngff_or_is_of_the_version_stays);
    RUN(what_has_no_word_is_refused);
    return check_failures != 0;
}
