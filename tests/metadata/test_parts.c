/* Which images a store holds, from documents alone; and how many documents that costs. */
#include "metadata/parts.h"

#include <stdlib.h>

#include "check.h"

/* -- A store of documents -------------------------------------------------------------------------------------- */

typedef struct {
    const char *key, *text;
} object;

typedef struct {
    const object *objects;
    int n_read;
} documents;

/* What a server does for a document that it does not have. */
static enum { SAYS_SO, REFUSES, SENDS_A_PAGE, n_kinds } absent;

static int32_t give(void *user, const char *key, char **text, size_t *n, error *e)
{
    documents *d = user;
    for (const object *o = d->objects; o->key; o++)
        if (strcmp(o->key, key) == 0) {
            d->n_read++;
            *text = strdup(o->text);
            *n = strlen(o->text);
            return NGFF_OK;
        }
    if (absent == SENDS_A_PAGE) {
        *text = strdup("\n <!DOCTYPE html><html></html>");
        *n = strlen(*text);
        return NGFF_OK;
    }
    if (absent == SAYS_SO)
        return NGFF_E_NOT_FOUND;
    e->is_refusal = 1;
    return error_set(e, NGFF_E_STORAGE, "%s: 403", key);
}

/* The paths of a list with blanks between them, or the group, "#" and level of an image, or the message. */
static const char *found(const object *objects, const char *part)
{
    static char text[1000];
    documents d = {objects, 0};
    stored_place place;
    error e = {0};
    text[0] = '\0';
    if (place_find(give, &d, part, NULL, &place, &e) != NGFF_OK) {
        CHECK(place.group == NULL && place.parts.items == NULL);
        snprintf(text, sizeof text, "%d %.900s", (int)e.status, e.message);
        return text;
    }
    if (!place.is_list)
        snprintf(text, sizeof text, "%s#%d%s%s", place.group, place.entry, place.level ? " level " : "",
                 place.level ? place.level : "");
    for (int i = 0; i < place.parts.n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s (%s)", i ? ", " : "", place.parts.items[i].path,
                 place.parts.items[i].title);
    place_release(&place);
    return text;
}

#define GROUP3(ome) "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{\"ome\":{\"version\":\"0.5\"," ome "}}}"
#define IMAGE(name) "\"multiscales\":[{\"name\":\"" name "\",\"datasets\":[{\"path\":\"0\"},{\"path\":\"s1/image\"}]}]"
#define ARRAY3 "{\"zarr_format\":3,\"node_type\":\"array\"}"

static const object plate[] = {
    {"zarr.json", GROUP3("\"plate\":{\"wells\":[{\"path\":\"A/1\"},{\"path\":\"A/2\"},{\"path\":\"B/1\"}]}")},
    {"A/1/zarr.json", GROUP3("\"well\":{\"images\":[{\"path\":\"0\"},{\"path\":\"1\"}]}")},
    {"A/1/1/zarr.json", GROUP3(IMAGE("x"))},
    {"B/1/zarr.json", "{"},
    {NULL, NULL}};

static const object series_v2[] = {{".zattrs", "{\"bioformats2raw.layout\":3}"},
                                   {"0/.zattrs", "{" IMAGE("one") "}"},
                                   {"1/.zattrs", "{" IMAGE("two") "}"},
                                   {"3/.zattrs", "{" IMAGE("not in a row") "}"},
                                   {NULL, NULL}};

static const object named_series[] = {{"zarr.json", GROUP3("\"bioformats2raw.layout\":3")},
                                      {"OME/zarr.json", GROUP3("\"series\":[\"b\",\"a\"]")},
                                      {"a/zarr.json", GROUP3(IMAGE("A"))},
                                      {"b/zarr.json", GROUP3(IMAGE(""))},
                                      {NULL, NULL}};

static const object image[] = {{"zarr.json", GROUP3(IMAGE("i"))},
                               {"0/zarr.json", ARRAY3},
                               {"s1/image/zarr.json", ARRAY3},
                               {"other/zarr.json", ARRAY3},
                               {"s1/zarr.json", GROUP3("\"x\":1")},
                               {"labels/zarr.json", GROUP3("\"labels\":[\"a\",\"b/c\"]")},
                               {"labels/a/zarr.json", GROUP3(IMAGE("a"))},
                               {NULL, NULL}};

static const object one_series[] = {{"zarr.json", GROUP3("\"bioformats2raw.layout\":3")},
                                    {"0/zarr.json", GROUP3("\"bioformats2raw.layout\":3")},
                                    {"0/0/zarr.json", GROUP3(IMAGE("deep"))},
                                    {NULL, NULL}};

static void a_plate_lists_the_images_of_its_wells(void)
{
    CHECK_TEXT(found(plate, NULL), "A/1/0 (well A/1, field 0), A/1/1 (well A/1, field 1), B/1 (well B/1)");
    CHECK_TEXT(found(plate, "A/1"), "A/1/0 (field 0), A/1/1 (field 1)");
    CHECK_TEXT(found(plate, "A/1/1"), "A/1/1#0");
}

static void series_are_numbered_or_named(void)
{
    CHECK_TEXT(found(series_v2, NULL), "0 (series 0: one), 1 (series 1: two)");
    CHECK_TEXT(found(series_v2, "3"), "3#0");
    CHECK_TEXT(found(named_series, ""), "b (series 0), a (series 1: A)");
}

static void a_lone_series_is_looked_into_once(void)
{
    CHECK_TEXT(found(one_series, NULL), "0#0"); /* what is in it is the reader's business */
    CHECK_TEXT(found(one_series, "0"), "0/0#0");
}

static void an_array_is_a_level_of_the_image_that_names_it(void)
{
    CHECK_TEXT(found(image, "0"), "#0 level 0");
    CHECK_TEXT(found(image, "s1/image"), "#0 level s1/image");
    CHECK_TEXT(found(image, "other"), "-60 other is an array, but no image has it as a level");
    CHECK_TEXT(found(image, "labels/a"), "labels/a#0");
    CHECK_TEXT(found(image, "labels"), "labels/a (label a), labels/b/c (label b/c)");
    CHECK_TEXT(found(image, "s1"), "-60 s1/zarr.json has no multiscales: no OME-Zarr image is there");
}

/* S3 without the right to list, and web servers of single pages. */
static void what_a_server_refuses_is_not_there_if_something_else_is(void)
{
    for (absent = SAYS_SO; absent < n_kinds; absent++) {
        CHECK_TEXT(found(plate, NULL), "A/1/0 (well A/1, field 0), A/1/1 (well A/1, field 1), B/1 (well B/1)");
        CHECK_TEXT(found(series_v2, NULL), "0 (series 0: one), 1 (series 1: two)");
        CHECK_TEXT(found(named_series, ""), "b (series 0), a (series 1: A)");
        CHECK_TEXT(found(image, "s1/image"), "#0 level s1/image");
        CHECK_TEXT(found(image, "labels"), "labels/a (label a), labels/b/c (label b/c)");
    }
    static const object nothing[] = {{NULL, NULL}};
    absent = REFUSES;
    CHECK_TEXT(found(nothing, NULL), "-70 zarr.json: 403");
    CHECK_TEXT(found(plate, "A/2"), "-70 A/2/zarr.json: 403");
    absent = SENDS_A_PAGE;
    CHECK(strstr(found(nothing, NULL), "-80 zarr.json is a page, not JSON") != NULL);
    absent = SAYS_SO;
}

static void names_that_leave_the_root_are_refused(void)
{
    static const char *const bad[] = {"..", "a/../b", "/a", "a/", "a//b", "a:b", "a\\b", "./a", "a\nb"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(strstr(found(image, bad[i]), "-20 ") == found(image, bad[i]));
    CHECK(strstr(found(image, "a#x"), "behind #") != NULL);
    CHECK(strstr(found(image, "#99999999999999999999"), "behind #") != NULL);
    CHECK_TEXT(found(image, "#3"), "#3"); /* whether there is one is seen when it is read */
    CHECK_TEXT(found(image, "labels/a#1"), "labels/a#1");
}

static void few_documents_are_read(void)
{
    documents d = {plate, 0};
    stored_place place;
    error e = {0};
    CHECK_INT(place_find(give, &d, NULL, NULL, &place, &e), NGFF_OK);
    CHECK_INT(d.n_read, 3); /* the plate, two wells; no image */
    place_release(&place);
    d = (documents){image, 0};
    CHECK_INT(place_find(give, &d, "labels/a", NULL, &place, &e), NGFF_OK);
    CHECK_INT(d.n_read, 1);
    place_release(&place);
}

int main(void)
{
    RUN(a_plate_lists_the_images_of_its_wells);
    RUN(series_are_numbered_or_named);
    RUN(a_lone_series_is_looked_into_once);
    RUN(an_array_is_a_level_of_the_image_that_names_it);
    RUN(what_a_server_refuses_is_not_there_if_something_else_is);
    RUN(names_that_leave_the_root_are_refused);
    RUN(few_documents_are_read);
    CHECK_EXIT();
}
