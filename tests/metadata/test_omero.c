/* What viewers are told of channels: colours by rule, who is active, and when nothing is said. */
#include "metadata/root_parts.h"

#include <math.h>
#include <stdlib.h>

#include "plans.h"

/* "omero" of a plan whose channels all have the window 0 to 255; NULL where nothing is said. Of the tree. */
static const cJSON *omero_of(const ngff_plan *plan, double end, cJSON **tree)
{
    int64_t n = plan->image->n_channels;
    channel_summary *summaries = calloc((size_t)n, sizeof *summaries);
    int is_whole = 1;
    for (int64_t i = 0; i < n; i++)
        summaries[i] = (channel_summary){.start = 0, .end = i == n - 1 ? end : 255, .low = 0, .high = 255};
    *tree = cJSON_CreateObject();
    omero_add(plan, summaries, *tree, &is_whole);
    CHECK(is_whole);
    free(summaries);
    return cJSON_GetObjectItem(*tree, "omero");
}

static const char *text_at(const cJSON *omero, int channel, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(omero, "channels"), channel), name);
    return item && item->valuestring ? item->valuestring : "";
}

static void channels_without_a_colour_get_one_by_their_number(void)
{
    static const char *const table[][7] = {{"FFFFFF"},
                                           {"FF00FF", "00FF00"},
                                           {"FF0000", "00FF00", "0000FF"},
                                           {"00FFFF", "FF00FF", "FFFF00", "FF0000"},
                                           {"00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00"},
                                           {"00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00", "0000FF"},
                                           {"00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00", "0000FF", "00FFFF"}};
    for (int n = 1; n <= 7; n++) {
        ngff_plan *plan = plan_of("cyx", SHAPE(n, 8, 8), NGFF_UINT8, OPTIONS("OVERVIEWS=NONE"));
        cJSON *tree;
        const cJSON *omero = omero_of(plan, 255, &tree);
        for (int i = 0; i < n; i++) {
            char label[20];
            snprintf(label, sizeof label, "Band %d", i + 1);
            CHECK_TEXT(text_at(omero, i, "color"), table[n - 1][i]);
            CHECK_TEXT(text_at(omero, i, "label"), label);
            /* Six at most are shown at first: viewers ask for all that are. */
            const cJSON *channel = cJSON_GetArrayItem(cJSON_GetObjectItem(omero, "channels"), i);
            CHECK_INT(cJSON_IsTrue(cJSON_GetObjectItem(channel, "active")), i < 6);
        }
        CHECK_TEXT(cJSON_GetObjectItem(cJSON_GetObjectItem(omero, "rdefs"), "model")->valuestring,
                   n > 1 ? "color" : "greyscale");
        cJSON_Delete(tree);
        ngff_plan_free(plan);
    }
}

static void alpha_is_white_and_not_counted(void)
{
    ngff_image *image = ngff_image_create("cyx", SHAPE(3, 8, 8), NGFF_UINT8);
    CHECK_INT(ngff_image_set_alpha(image, 1), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, OPTIONS("OVERVIEWS=NONE"));
    cJSON *tree;
    const cJSON *omero = omero_of(plan, 255, &tree);
    CHECK_TEXT(text_at(omero, 0, "color"), "FF00FF");
    CHECK_TEXT(text_at(omero, 1, "color"), "FFFFFF");
    CHECK_TEXT(text_at(omero, 2, "color"), "00FF00");
    const cJSON *alpha = cJSON_GetArrayItem(cJSON_GetObjectItem(omero, "channels"), 1);
    CHECK(cJSON_IsFalse(cJSON_GetObjectItem(alpha, "active")));
    cJSON_Delete(tree);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

/* Viewers fail on a part of it. */
static void all_is_said_or_nothing(void)
{
    static const struct {
        const char *option;
        int64_t n;
        int32_t type;
        double end;
        int is_said;
    } table[] = {{"OVERVIEWS=NONE", 256, NGFF_UINT8, 255, 1},      {"OVERVIEWS=NONE", 257, NGFF_UINT8, 255, 0},
                 {"OVERVIEWS=NONE", 2, NGFF_COMPLEX64, 255, 0},    {"OVERVIEWS=NONE", 2, NGFF_UINT8, NAN, 0},
                 {"OVERVIEWS=NONE", 2, NGFF_FLOAT32, INFINITY, 0}, {"LABELS=YES", 1, NGFF_UINT8, 255, 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ngff_plan *plan = plan_of("cyx", SHAPE(table[i].n, 8, 8), table[i].type, OPTIONS(table[i].option));
        cJSON *tree;
        CHECK_TEXT(ngff_plan_error(plan), "");
        CHECK_INT(omero_of(plan, table[i].end, &tree) != NULL, table[i].is_said);
        cJSON_Delete(tree);
        ngff_plan_free(plan);
    }
}

int main(void)
{
    RUN(channels_without_a_colour_get_one_by_their_number);
    RUN(alpha_is_white_and_not_counted);
    RUN(all_is_said_or_nothing);
    CHECK_EXIT();
}
