/* "multiscales" of each version, as text; what the numbers mean is tried from outside (autotest). */
#include "metadata/root_parts.h"

#include "plans.h"

/* "multiscales" of a plan without what tells how it was made, printed; cJSON_free. */
static char *printed(const ngff_plan *plan)
{
    int is_whole = 1;
    cJSON *tree = cJSON_CreateObject();
    multiscales_add(plan, tree, &is_whole);
    CHECK(is_whole);
    cJSON *image = cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "multiscales"), 0);
    cJSON_DeleteItemFromObject(image, "metadata");
    char *text = cJSON_PrintUnformatted(image);
    cJSON_Delete(tree);
    return text;
}

static void until_05_an_image_has_axes(void)
{
    ngff_plan *plan = plan_of("cyx", SHAPE(2, 8, 8), NGFF_UINT8, OPTIONS("BLOCKSIZE=4", "LAYOUT=FLAT"));
    char *text = printed(plan);
    CHECK_TEXT(text, "{\"name\":\"image\",\"axes\":[{\"name\":\"c\",\"type\":\"channel\"},{\"name\":\"y\",\"type\":"
                     "\"space\"},{\"name\":\"x\",\"type\":\"space\"}],\"datasets\":["
                     "{\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1.0,1.0,1.0]},"
                     "{\"type\":\"translation\",\"translation\":[0.0,0.0,0.0]}]},"
                     "{\"path\":\"1\",\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1.0,2.0,2.0]},"
                     "{\"type\":\"translation\",\"translation\":[0.0,0.5,0.5]}]}],\"type\":\"mean\"}");
    cJSON_free(text);
    ngff_plan_free(plan);
}

static void from_06_on_it_has_systems(void)
{
    static const double affine[] = {100, 3, 4, 200, 4, -3}; /* sides of 5, turned */
    ngff_image *image = ngff_image_create("cyx", SHAPE(2, 8, 8), NGFF_UINT8);
    ngff_image_set_scale(image, (const double[]){1, 5, 5});
    CHECK_INT(ngff_image_set_georeference(image, affine, "EPSG:32633", NULL, NULL, 0), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, OPTIONS("BLOCKSIZE=4", "LAYOUT=FLAT", "NGFF_VERSION=0.6"));
    char *text = printed(plan);
    /* The centre of the first pixel: 100 + 3/2 + 4/2, 200 + 4/2 - 3/2; a step of 1 in y is a fifth of a row. */
    CHECK_TEXT(text,
               "{\"name\":\"image\",\"coordinateSystems\":[{\"name\":\"intrinsic\",\"axes\":[{\"name\":\"c\",\"type\":"
               "\"channel\",\"discrete\":true},{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\",\"type\":"
               "\"space\"}]},{\"name\":\"EPSG:32633\",\"axes\":[{\"name\":\"c\",\"type\":\"channel\",\"discrete\":"
               "true},{\"name\":\"northing\",\"type\":\"space\"},{\"name\":\"easting\",\"type\":\"space\"}]}],"
               "\"coordinateTransformations\":[{\"type\":\"affine\",\"affine\":[[1.0,0.0,0.0,0.0],"
               "[0.0,-0.6,0.8,200.5],[0.0,0.8,0.6,103.5]],\"input\":{\"name\":\"intrinsic\"},\"output\":{\"name\":"
               "\"EPSG:32633\"}}],\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"scale\","
               "\"scale\":[1.0,5.0,5.0],\"input\":{\"path\":\"0\"},\"output\":{\"name\":\"intrinsic\"}}]},"
               "{\"path\":\"1\",\"coordinateTransformations\":[{\"type\":\"sequence\",\"transformations\":[{\"type\":"
               "\"scale\",\"scale\":[1.0,10.0,10.0]},{\"type\":\"translation\",\"translation\":[0.0,2.5,2.5]}],"
               "\"input\":{\"path\":\"1\"},\"output\":{\"name\":\"intrinsic\"}}]}],\"type\":\"mean\"}");
    cJSON_free(text);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

/* The name of the system: the code, else what the WKT is called, else a word. */
static void a_system_is_called_as_its_crs(void)
{
    static const double affine[] = {0, 1, 0, 0, 0, 1};
    static const struct {
        const char *code, *wkt, *name;
    } table[] = {{"EPSG:4326", "GEOGCRS[\"WGS 84\"]", "EPSG:4326"},
                 {NULL, "PROJCRS[\"a grid of ours\",BASEGEOGCRS[\"x\"]]", "a grid of ours"},
                 {NULL, "PROJCRS[\"\"]", "world"},
                 {NULL, NULL, "world"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ngff_image *image = ngff_image_create("yx", SHAPE(8, 8), NGFF_UINT8);
        ngff_image_set_georeference(image, affine, table[i].code, table[i].wkt, NULL, 1);
        ngff_plan *plan = ngff_plan_create(image, OPTIONS("NGFF_VERSION=0.6"));
        char *text = printed(plan), expected[160];
        snprintf(expected, sizeof expected, "\"output\":{\"name\":\"%s\"}}],\"datasets\"", table[i].name);
        CHECK(strstr(text, expected) != NULL);
        CHECK(strstr(text, "\"name\":\"latitude\",\"type\":\"space\"},{\"name\":\"longitude\"") != NULL);
        cJSON_free(text);
        ngff_plan_free(plan);
        ngff_image_free(image);
    }
}

int main(void)
{
    RUN(until_05_an_image_has_axes);
    RUN(from_06_on_it_has_systems);
    RUN(a_system_is_called_as_its_crs);
    CHECK_EXIT();
}
