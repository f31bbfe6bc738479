/* The rules of the specification, each with a document that breaks it and no other. The suites of the specification are
 * autotest/gdrivers/omezarr_conformance.py; here are the rules that they have no case for, and the walk through a
 * store. */
#include "validate/validate.h"

#include <stdlib.h>

#include "check.h"
#include "ngff.h"

typedef struct {
    const char *key, *text;
} object;

static int32_t give(void *user, const char *key, char **text, size_t *n, error *e)
{
    for (const object *o = user; o->key; o++)
        if (strcmp(o->key, key) == 0) {
            if (!o->text)
                return error_set(e, NGFF_E_STORAGE, "%s: the server is away", key);
            *text = strdup(o->text);
            *n = strlen(o->text);
            return NGFF_OK;
        }
    return NGFF_E_NOT_FOUND;
}

static void collect(void *user, int32_t kind, const char *text)
{
    static const char *const words[] = {"note", "stray", "damage", "invalid", "advice", "tolerable"};
    char *all = user;
    size_t n = strlen(all);
    snprintf(all + n, 4000 - n, "%s%s: %s", n ? "\n" : "", words[kind], text);
}

/* All findings, one per line; "" for a valid store. */
static const char *findings(const object *objects)
{
    static char all[4000];
    judge j = {.finding = collect, .user = all, .of_unknown_version = NGFF_FINDING_INVALID};
    error e = {0};
    all[0] = '\0';
    if (validate_store(&j, give, (void *)objects, NULL, &e) != NGFF_OK)
        snprintf(all, sizeof all, "error %d: %.900s", (int)e.status, e.message);
    CHECK_INT(j.n_invalid > 0, strstr(all, "invalid: ") || strstr(all, "tolerable: "));
    return all;
}

static const char *of_attributes(const char *attributes)
{
    const object objects[] = {{"a.json", attributes}, {NULL, NULL}};
    static char all[4000];
    judge j = {.finding = collect, .user = all, .of_unknown_version = NGFF_FINDING_INVALID};
    error e = {0};
    all[0] = '\0';
    CHECK_INT(validate_document(&j, give, (void *)objects, "a.json", NULL, &e), NGFF_OK);
    return all;
}

/* -- Documents ------------------------------------------------------------------------------------------------- */

#define META "\"name\":\"n\",\"type\":\"mean\",\"metadata\":{},"
#define AXES "\"axes\":[{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"}],"
#define SCALE "{\"type\":\"scale\",\"scale\":[1,1]}"
#define DATASETS(transforms) "\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[" transforms "]}]"
#define OME5(text) "{\"ome\":{\"version\":\"0.5\"," text "}}"
#define OME6(text) "{\"ome\":{\"version\":\"0.6\"," text "}}"
#define IMAGE5(axes, datasets) OME5("\"multiscales\":[{" META axes datasets "}]")
#define OMERO(channel) OME5("\"multiscales\":[{" META AXES DATASETS(SCALE) "}],\"omero\":{\"channels\":[" channel "]}")
#define PLATE(wells)                                                                                                   \
    OME5("\"plate\":{\"name\":\"p\",\"rows\":[{\"name\":\"A\"}],\"columns\":[{\"name\":\"1\"}],\"wells\":[" wells "]"  \
         "}")
#define SYSTEM(name)                                                                                                   \
    "{\"name\":\"" name "\",\"axes\":[{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"}]}"
#define LEVEL6(ends, rest) "\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{" ends "," rest "}]}]"
#define ENDS "\"input\":{\"path\":\"0\"},\"output\":{\"name\":\"p\"}"
#define UNIT "\"type\":\"scale\",\"scale\":[1,1]"
#define IMAGE6(systems, level) OME6("\"multiscales\":[{" META "\"coordinateSystems\":[" systems "]," level "}]")
#define BETWEEN(transform)                                                                                             \
    OME6("\"multiscales\":[{" META "\"coordinateSystems\":[" SYSTEM("p") "," SYSTEM("q") "]," LEVEL6(                  \
        ENDS,                                                                                                          \
        UNIT) ",\"coordinateTransformations\":[{\"input\":{\"name\":\"p\"},\"output\":{\"name\":\"q\"}," transform     \
              "}]}]")

static void a_valid_document_has_no_finding(void)
{
    CHECK_TEXT(of_attributes(IMAGE5(AXES, DATASETS(SCALE))), "");
    CHECK_TEXT(of_attributes(IMAGE5(AXES, DATASETS(SCALE ",{\"type\":\"translation\",\"translation\":[0,1]}"))), "");
    CHECK_TEXT(of_attributes(IMAGE6(SYSTEM("p"), LEVEL6(ENDS, UNIT))), "");
    CHECK_TEXT(of_attributes(PLATE("{\"path\":\"A/1\",\"rowIndex\":0,\"columnIndex\":0}")), "");
    CHECK_TEXT(of_attributes(OME5("\"labels\":[\"a\",\"b/c\"]")), "");
    CHECK_TEXT(of_attributes(OME5("\"series\":[\"0\"]")), "");
    CHECK_TEXT(of_attributes(OME5("\"bioformats2raw.layout\":3")), "");
    CHECK_TEXT(of_attributes("{\"bioformats2raw.layout\":3}"), "");
}

static void a_scale_of_0_is_advice_before_0_6(void)
{
    CHECK_TEXT(of_attributes(IMAGE5(AXES, DATASETS("{\"type\":\"scale\",\"scale\":[0,-1]}"))),
               "advice: a.json: multiscales[0].datasets[0].coordinateTransformations[0].scale: no number should be 0, "
               "which is no size of a pixel");
    CHECK_TEXT(of_attributes(IMAGE5(AXES, DATASETS(SCALE ",{\"type\":\"translation\",\"translation\":[0,0]}"))), "");
}

static void every_broken_rule_is_named(void)
{
    static const struct {
        const char *attributes, *finding;
    } cases[] = {
        {"{\"ome\":3}", "invalid: a.json: the attributes must have the object \"ome\""},
        {"{\"ome\":{\"labels\":[]}}", "invalid: a.json: version: it is missing"},
        {"{\"ome\":{\"version\":\"0.7\",\"labels\":[]}}", "\"0.7\" is none of 0.4, 0.5, 0.6"},
        {"{\"ome\":{\"version\":\"0.4\",\"labels\":[]}}", "0.4 does not belong into \"ome\""},
        {"{\"well\":{\"version\":\"0.5\",\"images\":[{\"path\":\"0\"}]}}", "0.5 does not belong outside of \"ome\""},
        {OME5("\"scene\":{}"), "there is no key of NGFF"},
        {OME5("\"labels\":[1]"), "labels[0]: a path must be text"},
        {OME5("\"series\":{}"), "series: it must be a list"},
        {OME5("\"bioformats2raw.layout\":2"), "bioformats2raw.layout: it must be the number 3"},
        {IMAGE5("\"axes\":[{\"name\":\"x\",\"type\":\"space\"},{\"name\":\"\",\"type\":\"space\"}],", DATASETS(SCALE)),
         "multiscales[0].axes[1].name: an axis must have a name"},
        {IMAGE5("\"axes\":[{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"},{\"name\":\"c\","
                "\"type\":\"channel\"}],",
                DATASETS("{\"type\":\"scale\",\"scale\":[1,1,1]}")),
         "multiscales[0].axes: the order must be"},
        {IMAGE5("\"axes\":[{\"name\":\"a\",\"type\":\"time\"},{\"name\":\"b\",\"type\":\"time\"},{\"name\":\"y\","
                "\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"}],",
                DATASETS("{\"type\":\"scale\",\"scale\":[1,1,1,1]}")),
         "2 axes are of the type time"},
        {IMAGE5("\"axes\":[{\"name\":\"a\",\"type\":\"channel\"},{\"name\":\"b\",\"type\":\"angle\"},{\"name\":\"y\","
                "\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"}],",
                DATASETS("{\"type\":\"scale\",\"scale\":[1,1,1,1]}")),
         "2 axes are of the type channel, of another type"},
        {IMAGE5(AXES, DATASETS("{\"type\":\"translation\",\"translation\":[0,0]}," SCALE)),
         "coordinateTransformations[1]: the scale must come before the translation"},
        {IMAGE5(AXES, DATASETS(SCALE ",{\"type\":\"translation\",\"translation\":[0,0]},{\"type\":\"translation\","
                                     "\"translation\":[0,0]}")),
         "there may be one translation; there are 2"},
        {IMAGE5(AXES, DATASETS(SCALE ",{\"type\":\"rotation\"}")), "it must be \"scale\" or \"translation\""},
        {IMAGE5(AXES, DATASETS("{\"type\":\"scale\",\"scale\":[1,1,1]}")),
         "scale: it has 3 numbers, but there are 2 axes"},
        {OMERO("{\"color\":\"FF00\",\"window\":{\"min\":0,\"max\":1,\"start\":0,\"end\":1}}"),
         "omero.channels[0].color: \"FF00\" must be 6 hexadecimal digits"},
        {OMERO("{\"color\":\"FF0000\",\"window\":{\"min\":0,\"max\":1,\"start\":0}}"), "omero.channels[0].window.end"},
        {OME5("\"image-label\":{\"colors\":[{\"label-value\":1.5}]}"), "image-label.colors[0].label-value"},
        {OME5("\"image-label\":{\"colors\":[{\"label-value\":1},{\"label-value\":1,\"rgba\":[0,0,0,0]}]}"),
         "colors[1].label-value: an entry before it has the same label-value"},
        {OME5("\"image-label\":{\"colors\":[{\"label-value\":1}],\"version\":\"0.4\"}"),
         "image-label.version: \"0.4\" must be \"0.5\""},
        {PLATE("{\"path\":\"A/1\",\"rowIndex\":1,\"columnIndex\":0}"), "rowIndex: there is no such row"},
        {OME5("\"well\":{\"images\":[{\"path\":\"a_b\"}]}"),
         "well.images[0].path: \"a_b\" must be of letters and digits"},
        {IMAGE6(SYSTEM("p") "," SYSTEM("p"), LEVEL6(ENDS, UNIT)), "coordinateSystems[1].name: an entry before it"},
        {IMAGE6(SYSTEM("p") "," SYSTEM("q"), LEVEL6(ENDS, UNIT)), "coordinateSystems: no transform leads to \"q\""},
        {IMAGE6(SYSTEM("p"), LEVEL6("\"input\":{\"path\":\"0\"},\"output\":{\"name\":\"r\"}", UNIT)),
         "there is no coordinate system \"r\""},
        {IMAGE6(SYSTEM("p"), LEVEL6(ENDS, "\"type\":\"scale\",\"scale\":[1,-1]")), "each number must be above 0"},
        {IMAGE6(SYSTEM("p"), LEVEL6(ENDS, "\"type\":\"translation\",\"translation\":[1,1]")),
         "it must be a scale, an identity, or a sequence"},
        {BETWEEN("\"type\":\"warp\""), "there is no transform \"warp\""},
        {BETWEEN("\"type\":\"mapAxis\",\"mapAxis\":[1,1]"), "mapAxis: the index 1 is there twice"},
        {BETWEEN("\"type\":\"projectAxis\",\"droppedInputs\":[0]"),
         "1 coordinates come out, but its output has 2 axes"},
        {BETWEEN("\"type\":\"affine\",\"affine\":[[1,0,0]]"), "affine: it has 1 rows, and must have 2"},
        {BETWEEN("\"type\":\"affine\",\"affine\":[[1,0,0],[0,1]]"),
         "affine[1]: it has 2 numbers, but there are 3 columns"},
        {BETWEEN("\"type\":\"affine\",\"path\":\"a\",\"affine\":[[1,0,0],[0,1,0]]"),
         "one of affine and path, not both"},
        {BETWEEN("\"type\":\"rotation\",\"rotation\":[[1,0],[0,-1]]"), "its determinant 1"},
        {BETWEEN("\"type\":\"rotation\",\"rotation\":[[2,0],[0,0.5]]"), "at right angles and of length 1"},
        {BETWEEN("\"type\":\"displacements\""), "coordinateTransformations[0].path: it is missing"},
        {OME6("\"scene\":{\"coordinateTransformations\":[{\"type\":\"identity\",\"input\":{\"name\":\"a\",\"path\":"
              "\"i\"},"
              "\"output\":{\"name\":\"b\"}}]}"),
         "output: there is no coordinate system \"b\" here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = of_attributes(cases[i].attributes);
        if (!strstr(found, cases[i].finding) || !strstr(found, "invalid: ")) {
            fprintf(stderr, "%s\n  gives \"%s\"\n", cases[i].attributes, found);
            CHECK(strstr(found, cases[i].finding) != NULL);
        }
    }
}

/* -- What the specification's examples do against its text ----------------------------------------------------- */

#define TYX                                                                                                            \
    "\"axes\":[{\"name\":\"t\",\"type\":\"time\"},{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\",\"type\":"       \
    "\"space\"}]"
#define IMAGE4(axes, transforms) "{\"multiscales\":[{" META "\"version\":\"0.4\"," axes "," DATASETS(transforms) "}]}"
#define NUMBERS(type, list) "{\"type\":\"" type "\",\"" type "\":" list "}"
#define SCALE6(list) LEVEL6(ENDS, "\"type\":\"scale\",\"scale\":" list)
#define SYSTEM3 "{\"name\":\"p\"," TYX "}"
#define FURTHER(transform)                                                                                             \
    OME6("\"multiscales\":[{" META "\"coordinateSystems\":[" SYSTEM("p") "," SYSTEM("q") "]," LEVEL6(                  \
        ENDS, UNIT) ",\"coordinateTransformations\":[{" transform ",\"type\":\"identity\"}]}]")
#define SCENE(in, out)                                                                                                 \
    OME6("\"scene\":{\"coordinateSystems\":[" SYSTEM(                                                                  \
        "p") "],\"coordinateTransformations\":[{\"type\":\"identity\",\"input\":" in ",\"output\":" out "}]}")
#define PLATE_OF(wells)                                                                                                \
    "\"plate\":{\"name\":\"p\",\"rows\":[{\"name\":\"A\"}],\"columns\":[{\"name\":\"1\"},{\"name\":\"2\"}],"           \
    "\"version\":" wells "}"
#define WELL(version, path) "\"" version "\",\"wells\":[{\"path\":\"" path "\",\"rowIndex\":0,\"columnIndex\":0}]"
#define TWO_LEVELS6(input)                                                                                             \
    IMAGE6(SYSTEM("p"), "\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{" ENDS "," UNIT                 \
                        "}]},{\"path\":\"1\",\"coordinateTransformations\":[{\"input\":{\"path\":\"" input             \
                        "\"},\"output\":{\"name\":\"p\"}," UNIT "}]}]")
#define BY_DIMENSION(axis, more)                                                                                       \
    BETWEEN("\"type\":\"byDimension\",\"transformations\":[{\"transformation\":{\"type\":\"identity\"},\"inputAxes\":" \
            "[" axis "],\"outputAxes\":[" axis "]}" more "]")

/* Each with its neighbours, which are not tolerable. */
static void what_the_examples_break_is_tolerable_and_no_more(void)
{
    static const struct {
        const char *attributes, *kind, *finding;
    } cases[] = {
        {IMAGE4(TYX, NUMBERS("scale", "[1,1]")), "tolerable", "scale: it has 2 numbers, but there are 3 axes"},
        {IMAGE4(TYX, NUMBERS("scale", "[1]")), "invalid", "scale: it has 1 numbers"},
        {IMAGE4(TYX, NUMBERS("scale", "[]")), "invalid", "scale: it has 0 numbers"},
        {IMAGE4(TYX, NUMBERS("scale", "[1,1,1,1]")), "invalid", "scale: it has 4 numbers"},
        {IMAGE4(TYX, NUMBERS("scale", "[1,1,1]") "," NUMBERS("translation", "[1,1]")), "invalid",
         "translation: it has 2 numbers"},
        {OME5("\"multiscales\":[{" META TYX "," DATASETS(NUMBERS("scale", "[1,1]")) "}]"), "invalid",
         "scale: it has 2 numbers"},
        {IMAGE6(SYSTEM3, SCALE6("[1,1]")), "tolerable", "scale: it has 2 numbers, but there are 3 axes"},
        {IMAGE6(SYSTEM3, SCALE6("[1,-1]")), "invalid", "each number must be above 0"},
        {IMAGE6(SYSTEM3, SCALE6("[1]")), "invalid", "scale: it has 1 numbers"},
        {BETWEEN("\"type\":\"scale\",\"scale\":[1]"), "invalid", "scale: it has 1 numbers"},
        {"{" PLATE_OF(WELL("0.4", "1/A")) "}", "tolerable", "\"1/A\" must be row/column, \"A/1\""},
        {"{" PLATE_OF(WELL("0.4", "2/A")) "}", "invalid", "\"2/A\" must be row/column, \"A/1\""},
        {OME5(PLATE_OF(WELL("0.5", "1/A"))), "invalid", "\"1/A\" must be row/column, \"A/1\""},
        {OME6(PLATE_OF(WELL("0.6", "1/A"))), "tolerable", "\"1/A\" must be row/column, \"A/1\""},
        {BY_DIMENSION("0", ""), "tolerable", "each of the 2 output axes must be in one of outputAxes"},
        {BY_DIMENSION("0", ",{\"transformation\":{\"type\":\"identity\"},\"inputAxes\":[1],\"outputAxes\":[0]}"),
         "invalid", "the output axis 0 is there twice"},
        {FURTHER("\"input\":{\"name\":\"r\"},\"output\":{\"name\":\"q\"}"), "tolerable",
         "input: there is no coordinate system \"r\" here"},
        {FURTHER("\"input\":{\"name\":\"q\"},\"output\":{\"name\":\"r\"}"), "invalid",
         "output: there is no coordinate system \"r\" here"},
        {FURTHER("\"input\":{\"name\":\"q\"},\"output\":{\"name\":\"q\"}"), "invalid", "input or output must be \"p\""},
        {SCENE("{\"name\":\"r\"}", "{\"name\":\"p\"}"), "invalid", "input: there is no coordinate system \"r\" here"},
        {TWO_LEVELS6("s1"), "tolerable", "its path must be that of the dataset, \"1\""},
        {TWO_LEVELS6("0"), "invalid", "its path must be that of the dataset, \"1\""},
        {IMAGE6(SYSTEM("p"), LEVEL6("\"input\":\"0\",\"output\":\"p\"", UNIT)), "invalid",
         "input: it must be an object with the member path"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = of_attributes(cases[i].attributes);
        int is_tolerable = strstr(found, "tolerable: ") && !strstr(found, "invalid: ");
        if (!strstr(found, cases[i].finding) || is_tolerable != (strcmp(cases[i].kind, "tolerable") == 0)) {
            fprintf(stderr, "%s\n  gives \"%s\", not %s: %s\n", cases[i].attributes, found, cases[i].kind,
                    cases[i].finding);
            CHECK(0);
        }
    }
}

static void what_is_only_recommended_is_advice(void)
{
    CHECK(strstr(of_attributes(OME5("\"multiscales\":[{" AXES DATASETS(SCALE) "}]")),
                 "advice: a.json: multiscales[0].name") != NULL);
    CHECK(strstr(of_attributes("{\"multiscales\":[{" META AXES DATASETS(SCALE) "}]}"),
                 "advice: a.json: multiscales[0].version") != NULL);
    CHECK_TEXT(of_attributes(IMAGE5("\"axes\":[{\"name\":\"y\",\"type\":\"space\",\"unit\":\"micron\"},{\"name\":\"x\","
                                    "\"type\":\"space\"}],",
                                    DATASETS(SCALE))),
               "advice: a.json: multiscales[0].axes[0].unit: \"micron\" is none of the units of space; its name is "
               "micrometer");
}

static void type_and_metadata_of_another_kind_are_advice(void)
{
    const char *found =
        of_attributes(OME5("\"multiscales\":[{\"name\":\"n\",\"type\":1,\"metadata\":null," AXES DATASETS(SCALE) "}]"));
    CHECK_TEXT(found, "advice: a.json: multiscales[0].type: it should be text\n"
                      "advice: a.json: multiscales[0].metadata: it should be an object");
}

static void large_label_values_that_differ_are_not_the_same(void)
{
    CHECK_TEXT(of_attributes(OME5("\"image-label\":{\"colors\":[{\"label-value\":9007199254740993},{\"label-value\":"
                                  "9007199254740992},{\"label-value\":9007199254740990},{\"label-value\":"
                                  "9007199254740991}]}")),
               "");
}

static void entries_that_are_there_again_are_named_in_order(void)
{
    CHECK_TEXT(
        of_attributes(OME5("\"image-label\":{\"colors\":[{\"label-value\":2},{\"label-value\":1},{\"label-value\":"
                           "3},{\"label-value\":1},{\"label-value\":2},{\"label-value\":1}]}")),
        "invalid: a.json: image-label.colors[3].label-value: an entry before it has the same label-value\n"
        "invalid: a.json: image-label.colors[4].label-value: an entry before it has the same label-value\n"
        "invalid: a.json: image-label.colors[5].label-value: an entry before it has the same label-value");
}

static void rotations_of_few_digits_are_rotations(void)
{
    CHECK_TEXT(of_attributes(BETWEEN("\"type\":\"rotation\",\"rotation\":[[0.707,-0.707],[0.707,0.707]]")), "");
    CHECK_TEXT(of_attributes(BETWEEN("\"type\":\"rotation\",\"rotation\":[[0,1],[-1,0]]")), "");
}

/* -- Stores ---------------------------------------------------------------------------------------------------- */

#define GROUP(attributes) "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":" attributes "}"
#define ARRAY(names, shape, type)                                                                                      \
    "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":" shape ",\"data_type\":\"" type                             \
    "\",\"dimension_names\":" names "}"
#define YX "[\"y\",\"x\"]"
#define LEVELS2                                                                                                        \
    "\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[" SCALE "]},"                                        \
    "{\"path\":\"1\",\"coordinateTransformations\":[" SCALE "]}]"
#define IMAGE2 GROUP(OME5("\"multiscales\":[{" META AXES LEVELS2 "}]"))
#define IMAGE1 GROUP(IMAGE5(AXES, DATASETS(SCALE)))
#define SMALL ARRAY(YX, "[4,4]", "uint8")

static const char *two_levels(const char *first, const char *second)
{
    const object objects[] = {{"zarr.json", IMAGE2}, {"0/zarr.json", first}, {"1/zarr.json", second}, {NULL, NULL}};
    return findings(objects);
}

static void arrays_are_judged_beside_their_image(void)
{
    CHECK_TEXT(two_levels(SMALL, ARRAY(YX, "[2,2]", "uint8")), "");
    CHECK_TEXT(two_levels(SMALL, ARRAY(YX, "[8,2]", "uint8")),
               "invalid: 1/zarr.json: shape: it is larger than the level before: levels must go from large to small");
    CHECK_TEXT(two_levels(SMALL, ARRAY(YX, "[2,2]", "int8")),
               "advice: 1/zarr.json: data_type: int8: all levels should have the type uint8");
    CHECK_TEXT(two_levels(SMALL, ARRAY("[\"x\",\"y\"]", "[2,2]", "uint8")),
               "invalid: 1/zarr.json: dimension_names: they must be the names of the axes of its image");
    CHECK(strstr(two_levels(SMALL, ARRAY("[\"z\",\"y\",\"x\"]", "[1,2,2]", "uint8")),
                 "invalid: 1/zarr.json: shape: the array has 3 dimensions, but its image has 2 axes") != NULL);
    CHECK_TEXT(two_levels(SMALL, IMAGE1), "invalid: zarr.json: multiscales[0].datasets[1]: 1 must be an array");
    const object v2[] = {
        {".zattrs", "{\"multiscales\":[{" META "\"version\":\"0.4\"," AXES DATASETS(SCALE) "}]}"},
        {"0/.zarray", "{\"zarr_format\":2,\"shape\":[4,4],\"dtype\":\"|u1\",\"dimension_separator\":\".\"}"},
        {NULL, NULL}};
    CHECK_TEXT(findings(v2),
               "invalid: 0/.zarray: dimension_separator: it must be \"/\" (chunks are stored in nested folders)");
}

static void what_zarr_could_not_open_is_invalid(void)
{
    const char *good = ARRAY(YX, "[2,2]", "uint8");
    CHECK_TEXT(two_levels(ARRAY(YX, "[-4,4]", "uint8"), good),
               "invalid: 0/zarr.json: shape: it must be a list of whole numbers from 0");
    CHECK_TEXT(two_levels(ARRAY(YX, "[4.5,4]", "uint8"), good),
               "invalid: 0/zarr.json: shape: it must be a list of whole numbers from 0");
    CHECK_TEXT(two_levels(ARRAY(YX, "\"4\"", "uint8"), good), "invalid: 0/zarr.json: shape: it must be a list");
    CHECK_TEXT(two_levels("{\"zarr_format\":2,\"node_type\":\"array\",\"dimension_names\":" YX "}", good),
               "invalid: 0/zarr.json: zarr_format: it must be 3\n"
               "invalid: 0/zarr.json: shape: it is missing, and must be a list\n"
               "invalid: 0/zarr.json: data_type: it is missing");
    CHECK(strstr(two_levels("{\"zarr_format\":3,\"node_type\":\"folder\"}", good),
                 "invalid: 0/zarr.json: node_type: it must be \"group\" or \"array\"") != NULL);
    CHECK_TEXT(two_levels("{", good), "invalid: 0/zarr.json is not usable JSON: a string was expected (byte 1)");
    const object v2[] = {{".zattrs", "{\"multiscales\":[{" META "\"version\":\"0.4\"," AXES DATASETS(SCALE) "}]}"},
                         {"0/.zarray", "{\"shape\":[4,4],\"dtype\":\"|u1\",\"dimension_separator\":\"/\"}"},
                         {NULL, NULL}};
    CHECK_TEXT(findings(v2), "invalid: 0/.zarray: zarr_format: it must be 2");
}

static void texts_for_input_and_output_are_tolerable_in_images_of_stores(void)
{
    const object image[] = {{"zarr.json", GROUP(IMAGE6(SYSTEM("p"), LEVEL6("\"input\":\"0\",\"output\":\"p\"", UNIT)))},
                            {"0/zarr.json", ARRAY("[\"z\",\"y\",\"x\"]", "[1,4,4]", "uint8")},
                            {NULL, NULL}};
    CHECK_TEXT(findings(image),
               "tolerable: zarr.json: multiscales[0].datasets[0].coordinateTransformations[0].input: it must be an "
               "object with the member path\n"
               "tolerable: zarr.json: multiscales[0].datasets[0].coordinateTransformations[0].output: it must be an "
               "object with the member name\n"
               "invalid: 0/zarr.json: shape: the array has 3 dimensions, but its image has 2 axes");
    const object no_system[] = {
        {"zarr.json", GROUP(IMAGE6(SYSTEM("p"), LEVEL6("\"input\":\"0\",\"output\":\"r\"", UNIT)))}, {NULL, NULL}};
    CHECK(strstr(findings(no_system), "invalid: zarr.json: multiscales[0].datasets[0].coordinateTransformations[0]."
                                      "output: there is no coordinate system \"r\" here") != NULL);
    const object scene[] = {{"zarr.json", GROUP(SCENE("\"p\"", "\"p\""))}, {NULL, NULL}};
    CHECK(strstr(findings(scene), "invalid: ") && !strstr(findings(scene), "tolerable: "));
}

static void what_is_named_and_not_there_is_a_note(void)
{
    const object objects[] = {{"zarr.json", IMAGE1}, {NULL, NULL}};
    CHECK_TEXT(findings(objects), "note: zarr.json: multiscales[0].datasets[0]: there is no array 0");
}

static void labels_are_whole_numbers_with_the_levels_of_their_image(void)
{
    const object objects[] = {{"zarr.json", IMAGE1},
                              {"0/zarr.json", SMALL},
                              {"labels/zarr.json", GROUP(OME5("\"labels\":[\"a\",\"b\",\"c\"]"))},
                              {"labels/a/zarr.json", IMAGE1},
                              {"labels/a/0/zarr.json", ARRAY(YX, "[4,4]", "float32")},
                              {"labels/b/zarr.json", IMAGE2},
                              {"labels/b/0/zarr.json", SMALL},
                              {"labels/b/1/zarr.json", SMALL},
                              {"labels/c/zarr.json", GROUP(OME5("\"image-label\":{\"colors\":[{\"label-value\":1}]}"))},
                              {NULL, NULL}};
    CHECK_TEXT(findings(objects),
               "invalid: labels/a/0/zarr.json: data_type: float32: label images must be of whole numbers\n"
               "invalid: labels/b/zarr.json: multiscales[0].datasets: a label image must have as many levels as its "
               "image: 1, not 2\n"
               "invalid: labels/c/zarr.json: it must have multiscales");
}

static void a_label_image_without_a_type_is_not_of_whole_numbers(void)
{
    const object objects[] = {
        {".zattrs", "{\"multiscales\":[{" META "\"version\":\"0.4\"," AXES DATASETS(SCALE) "}]}"},
        {"0/.zarray", "{\"zarr_format\":2,\"shape\":[4,4],\"dtype\":\"|u1\",\"dimension_separator\":\"/\"}"},
        {"labels/.zattrs", "{\"labels\":[\"a\"]}"},
        {"labels/a/.zattrs", "{\"multiscales\":[{" META "\"version\":\"0.4\"," AXES DATASETS(SCALE) "}]}"},
        {"labels/a/0/.zarray", "{\"zarr_format\":2,\"shape\":[4,4],\"dtype\":\"\",\"dimension_separator\":\"/\"}"},
        {NULL, NULL}};
    CHECK_TEXT(findings(objects), "invalid: labels/a/0/.zarray: dtype: : label images must be of whole numbers");
}

static void plates_lead_to_wells_and_fields(void)
{
    const object objects[] = {
        {"zarr.json",
         GROUP(OME5(
             "\"plate\":{\"name\":\"p\",\"rows\":[{\"name\":\"A\"}],\"columns\":[{\"name\":\"1\"},{\"name\":\"2\"}],"
             "\"acquisitions\":[{\"id\":0,\"name\":\"a\",\"maximumfieldcount\":1},{\"id\":1,\"name\":\"b\","
             "\"maximumfieldcount\":1}],\"wells\":[{\"path\":\"A/1\",\"rowIndex\":0,\"columnIndex\":0},"
             "{\"path\":\"A/2\",\"rowIndex\":0,\"columnIndex\":1}]}"))},
        {"A/1/zarr.json", GROUP(OME5("\"well\":{\"images\":[{\"path\":\"0\",\"acquisition\":2},{\"path\":\"1\","
                                     "\"acquisition\":1}]}"))},
        {"A/1/0/zarr.json", GROUP("{\"ome\":{\"version\":\"0.6\",\"multiscales\":[]}}")},
        {NULL, NULL}};
    CHECK_TEXT(findings(objects),
               "invalid: A/1/zarr.json: well.images[0].acquisition: it must be one of the 2 acquisitions of the plate\n"
               "invalid: A/1/0/zarr.json: version: \"0.6\" must be \"0.5\", as in the rest of the store\n"
               "note: A/1/zarr.json: well.images[1]: there is no group 1\n"
               "note: zarr.json: plate.wells[1]: there is no group A/2");
}

static void series_are_visited(void)
{
    const object objects[] = {{"zarr.json", GROUP(OME5("\"bioformats2raw.layout\":3"))},
                              {"OME/zarr.json", GROUP(OME5("\"series\":[\"a\",\"../b\"]"))},
                              {"a/zarr.json", "{\"zarr_format\":3,\"zarr_format\":3}"},
                              {NULL, NULL}};
    CHECK(strstr(findings(objects), "invalid: a/zarr.json") == findings(objects));
    CHECK(
        strstr(findings(objects),
               "invalid: OME/zarr.json: series[1]: the path \"../b\" cannot be used: it does not stay below the root"));
    const object numbered[] = {
        {".zattrs", "{\"bioformats2raw.layout\":3}"}, {"0/.zattrs", "{\"multiscales\":[]}"}, {NULL, NULL}};
    CHECK_TEXT(findings(numbered), "invalid: 0/.zattrs: multiscales: it must be a list with at least one entry");
    const object none[] = {{".zattrs", "{\"bioformats2raw.layout\":3}"}, {"1/.zattrs", "{}"}, {NULL, NULL}};
    CHECK_TEXT(findings(none), "note: .zattrs: there is no group 0, the first of its images");
}

static void errors_of_the_store_are_no_findings(void)
{
    const object away[] = {{"zarr.json", IMAGE1}, {"0/zarr.json", NULL}, {NULL, NULL}};
    const object nothing[] = {{NULL, NULL}};
    CHECK_TEXT(findings(away), "error -70: 0/zarr.json: the server is away");
    CHECK(strstr(findings(nothing), "error -60: there is no document of Zarr") != NULL);
}

int main(void)
{
    RUN(a_valid_document_has_no_finding);
    RUN(a_scale_of_0_is_advice_before_0_6);
    RUN(every_broken_rule_is_named);
    RUN(what_the_examples_break_is_tolerable_and_no_more);
    RUN(what_is_only_recommended_is_advice);
    RUN(type_and_metadata_of_another_kind_are_advice);
    RUN(large_label_values_that_differ_are_not_the_same);
    RUN(entries_that_are_there_again_are_named_in_order);
    RUN(rotations_of_few_digits_are_rotations);
    RUN(arrays_are_judged_beside_their_image);
    RUN(what_zarr_could_not_open_is_invalid);
    RUN(texts_for_input_and_output_are_tolerable_in_images_of_stores);
    RUN(what_is_named_and_not_there_is_a_note);
    RUN(labels_are_whole_numbers_with_the_levels_of_their_image);
    RUN(a_label_image_without_a_type_is_not_of_whole_numbers);
    RUN(plates_lead_to_wells_and_fields);
    RUN(series_are_visited);
    RUN(errors_of_the_store_are_no_findings);
    CHECK_EXIT();
}
