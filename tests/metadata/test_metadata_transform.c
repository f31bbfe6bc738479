/* What transforms make of the axes of an image. The numbers are worked out on paper. */
#include "metadata/metadata_transform.h"

#include "check.h"

#define SCALE(...) "{\"type\":\"scale\",\"scale\":[" #__VA_ARGS__ "]}"
#define MOVE(...) "{\"type\":\"translation\",\"translation\":[" #__VA_ARGS__ "]}"

static void transforms_are_put_together_in_their_order(void)
{
    static const struct {
        const char *list;
        double scale[3], translation[3];
    } table[] = {
        {"[" SCALE(1, 2, 3) "," MOVE(10, 20, 30) "]", {1, 2, 3}, {10, 20, 30}},
        {"[" MOVE(10, 20, 30) "," SCALE(1, 2, 3) "]",
         {1, 2, 3},
         {10, 40, 90}},                              /* the scale takes what was moved, too */
        {"[" SCALE(2, 3) "]", {1, 2, 3}, {0, 0, 0}}, /* of the axes of space alone */
        {"[{\"type\":\"identity\"}," SCALE(4, 2, 2) "]", {4, 2, 2}, {0, 0, 0}},
        {"[{\"type\":\"sequence\",\"transformations\":[" SCALE(1, 2, 2) "," SCALE(1, 5, 5) "]}," MOVE(0, 1, 1) "]",
         {1, 10, 10},
         {0, 1, 1}},
        {"[{\"type\":\"affine\",\"affine\":[[1,0,0,0],[0,2,0,10],[0,0,3,20]]}]", {1, 2, 3}, {0, 10, 20}},
        {"[{\"type\":\"rotation\",\"rotation\":[[1,0,0],[0,-1,0],[0,0,-1]]}]",
         {1, -1, -1},
         {0, 0, 0}}, /* by half a turn */
        {"[]", {1, 1, 1}, {0, 0, 0}}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cJSON *list = cJSON_Parse(table[i].list);
        axis_map map;
        const char *why = transforms_read(list, "cyx", &map);
        CHECK_TEXT(why ? why : "", "");
        for (int k = 0; k < 3; k++)
            CHECK(map.scale[k] == table[i].scale[k] && map.translation[k] == table[i].translation[k]);
        CHECK(!map.has_systems);
        cJSON_Delete(list);
    }
}

static void what_is_no_scale_and_translation_is_said(void)
{
    static const char *const table[][2] = {
        {"{}", "no list"},
        {"[{\"scale\":[1,1,1]}]", "no type"},
        {"[" SCALE(1) "]", "scale is not a number for each axis"},
        {"[" SCALE(1, 2, "3") "]", "scale is not a number for each axis"},
        {"[" MOVE(1, 2, 3, 4) "]", "translation is not a number for each axis"},
        {"[{\"type\":\"scale\",\"path\":\"numbers\"}]", "array of their own"},
        {"[{\"type\":\"displacements\"}]", "others than"},
        {"[{\"type\":\"affine\",\"affine\":[[1,0,0],[0,1,0]]}]", "row for each axis"},
        {"[{\"type\":\"affine\",\"affine\":[[1,0,0,0],[0,0,1,0],[0,1,0,0]]}]", "turn, shear"},
        {"[" SCALE(1, 1e200, 1) "," SCALE(1, 1e200, 1) "]", "too large"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cJSON *list = cJSON_Parse(table[i][0]);
        axis_map map;
        const char *why = transforms_read(list, "cyx", &map);
        CHECK(list && why && strstr(why, table[i][1]));
        cJSON_Delete(list);
    }
}

static void of_several_systems_the_first_counts(void)
{
    cJSON *list = cJSON_Parse("[{\"type\":\"scale\",\"scale\":[2,3],\"output\":\"global\"},"
                              "{\"type\":\"scale\",\"scale\":[5,7],\"output\":{\"name\":\"slide\"}}]");
    axis_map map;
    CHECK(transforms_read(list, "yx", &map) == NULL);
    CHECK(map.has_systems && map.scale[0] == 2 && map.scale[1] == 3);
    CHECK_TEXT(map.system, "global");
    cJSON_Delete(list);
}

static int place(const char *list, const char *systems, double six[6], const char **system)
{
    static const double scale[3] = {1, 2, 4}, translation[3] = {0, 10, 20};
    static cJSON *trees[2]; /* the name is of the tree */
    cJSON_Delete(trees[0]);
    cJSON_Delete(trees[1]);
    trees[0] = cJSON_Parse(list);
    trees[1] = systems ? cJSON_Parse(systems) : NULL;
    *system = NULL;
    return transforms_place(trees[0], trees[1], "cyx", scale, translation, six, system);
}

/* The corner lies at y = 10 - 1, x = 20 - 2. */
static void an_affine_of_the_plane_places_the_image(void)
{
    static const char turn[] = "[{\"type\":\"affine\",\"output\":{\"name\":\"map\"},"
                               "\"affine\":[[1,0,0,0],[0,0,1,100],[0,-1,0,1000]]}]"; /* y' = x + 100, x' = 1000 - y */
    static const double six[6] = {991, 0, -2, 118, 4, 0}, swapped[6] = {118, 4, 0, 991, 0, -2};
    static const char by_x[] =
        "[{\"name\":\"map\",\"axes\":[{\"name\":\"c\"},{\"name\":\"EAST\"},{\"name\":\"north\"}]}]";
    double found[6];
    const char *system;
    CHECK(place(turn, "[]", found, &system) && memcmp(found, six, sizeof six) == 0);
    CHECK_TEXT(system, "map");
    CHECK(place(turn, NULL, found, &system) && memcmp(found, six, sizeof six) == 0);
    CHECK(place(turn, by_x, found, &system) && memcmp(found, swapped, sizeof swapped) == 0); /* rows are of its axes */
}

static void an_affine_that_is_none_of_the_plane_is_passed_over(void)
{
    static const char good[] = "{\"type\":\"affine\",\"affine\":[[1,0,0,0],[0,0,1,0],[0,1,0,0]]}";
    static const char straight[] = "[{\"type\":\"affine\",\"affine\":[[1,0,0,0],[0,2,0,0],[0,0,2,0]]}]";
    char list[500];
    double found[6];
    const char *system;
    snprintf(list, sizeof list, "[{\"type\":\"affine\",\"affine\":[[1,0,0,0],[3,0,1,0],[0,1,0,0]]},%s]", good);
    CHECK(place(list, "[]", found, &system));      /* channels take part in the first */
    CHECK(!place(list, NULL, found, &system));     /* before 0.6 it must be the only one, */
    CHECK(!place(straight, NULL, found, &system)); /* and a straight one is in the levels' own numbers */
    CHECK(place(straight, "[]", found, &system));
    CHECK(!place("[{\"type\":\"affine\",\"affine\":[[1,0,0,0],[0,1,1,0],[0,1,1,0]]}]", "[]", found, &system));
    CHECK(!place("{}", "[]", found, &system) && !place("[]", "[]", found, &system));
}

int main(void)
{
    RUN(transforms_are_put_together_in_their_order);
    RUN(what_is_no_scale_and_translation_is_said);
    RUN(of_several_systems_the_first_counts);
    RUN(an_affine_of_the_plane_places_the_image);
    RUN(an_affine_that_is_none_of_the_plane_is_passed_over);
    CHECK_EXIT();
}
