/* test_report_text.c: the report as JSON, read by cJSON. */
#include "metadata/report_text.h"

#include <cjson/cJSON.h>

#include "plans.h"

static const cJSON *at(const cJSON *root, const char *name, int item)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(root, name);
    return item < 0 ? found : cJSON_GetArrayItem(found, item);
}

static const char *text_at(const cJSON *root, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, name));
    return text ? text : "(none)";
}

static double number_at(const cJSON *root, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(root, name));
}

/* The report of a run as a tree; its text begins as every report does. */
static cJSON *tree_of(const ngff_plan *plan, const run_report *run)
{
    char *text = report_text(plan, run);
    CHECK(text && strncmp(text, REPORT_START, strlen(REPORT_START)) == 0);
    cJSON *tree = text ? cJSON_Parse(text) : NULL;
    CHECK(tree != NULL);
    free(text);
    return tree;
}

static ngff_plan *plan_with(const char *option)
{
    return plan_of("cyx", SHAPE(2, 100, 70), NGFF_UINT16,
                   OPTIONS("BLOCKSIZE=32", "SCALE_FACTORS=2", "COMPRESS=BLOSC", "CHECKSUM=YES", "SHARD=64", option));
}

static void everything_has_its_place(void)
{
    static const array_report arrays[2] = {{32, 30, 4711, "aa"}, {12, 12, 815, "bb"}};
    static const channel_summary statistics[2] = {
        {.has_statistics = 1, .n_valid = 7000, .min = 1, .max = 9, .mean = 2.5, .std_dev = 0.25}, {.mean = 1}};
    const run_report run = {.store = "/a/b.ome.zarr",
                            .arrays = arrays,
                            .n_objects = 12,
                            .bytes = 6000,
                            .tree = "cc",
                            .statistics = statistics};
    ngff_plan *plan = plan_with("REPORT=r.json");
    ngff_plan_add_loss(plan, "the \"lost\" thing");
    cJSON *root = tree_of(plan, &run);
    CHECK_TEXT(text_at(root, "writer"), "libngff 0.2.0");
    CHECK_TEXT(text_at(root, "store"), "/a/b.ome.zarr");
    CHECK_TEXT(cJSON_GetStringValue(at(root, "options", 1)), "SCALE_FACTORS=2");
    CHECK_TEXT(cJSON_GetStringValue(at(root, "options", 5)), "REPORT=r.json");

    const cJSON *planned = at(root, "plan", -1), *second = at(planned, "levels", 1);
    CHECK_TEXT(text_at(planned, "ngff_version"), "0.5");
    CHECK_TEXT(text_at(planned, "axes"), "cyx");
    CHECK_TEXT(text_at(planned, "data_type"), "uint16");
    CHECK_TEXT(text_at(at(planned, "codec", -1), "name"), "BLOSC");
    CHECK_TEXT(text_at(at(planned, "codec", -1), "cname"), "zstd");
    CHECK(cJSON_IsTrue(at(at(planned, "codec", -1), "crc32c", -1)));
    CHECK_INT(cJSON_GetArraySize(at(planned, "levels", -1)), 2);
    CHECK_TEXT(text_at(second, "path"), "ovr_2x/image");
    static const double shape[3] = {2, 50, 35}, chunk[3] = {1, 32, 32}, shard[3] = {1, 64, 64}, factor[3] = {1, 2, 2};
    static const double scale[3] = {1, 2, 2}, translation[3] = {0, 0.5, 0.5};
    for (int i = 0; i < 3; i++) {
        CHECK(cJSON_GetNumberValue(at(second, "shape", i)) == shape[i]);
        CHECK(cJSON_GetNumberValue(at(second, "chunk", i)) == chunk[i]);
        CHECK(cJSON_GetNumberValue(at(second, "shard", i)) == shard[i]);
        CHECK(cJSON_GetNumberValue(at(second, "factor", i)) == factor[i]);
        CHECK(cJSON_GetNumberValue(at(second, "scale", i)) == scale[i]);
        CHECK(cJSON_GetNumberValue(at(second, "translation", i)) == translation[i]);
    }

    const cJSON *counts = at(root, "counts", -1), *base = at(counts, "arrays", 0);
    CHECK(number_at(counts, "objects") == 12 && number_at(counts, "bytes") == 6000);
    CHECK(number_at(counts, "raw_bytes") == 2 * (2 * 100 * 70 + 2 * 50 * 35));
    CHECK(number_at(base, "stored_chunks") == 30 && number_at(base, "empty_chunks") == 2);
    CHECK(number_at(base, "bytes") == 4711 && number_at(base, "raw_bytes") == 2 * 2 * 100 * 70);
    CHECK_INT(cJSON_GetArraySize(at(root, "pixels", -1)), 2);
    CHECK_TEXT(text_at(at(root, "pixels", 1), "path"), "ovr_2x/image");
    CHECK_TEXT(text_at(at(root, "pixels", 1), "sha256"), "bb");
    CHECK_TEXT(text_at(at(root, "tree", -1), "sha256"), "cc");
    CHECK(number_at(at(root, "statistics", 0), "n_valid") == 7000);
    CHECK(number_at(at(root, "statistics", 0), "std_dev") == 0.25);
    CHECK(cJSON_IsNull(at(root, "statistics", 1)));
    CHECK_TEXT(cJSON_GetStringValue(at(root, "not_kept", 0)), "the \"lost\" thing");
    CHECK_INT(cJSON_GetArraySize(at(root, "warnings", -1)), 0);
    cJSON_Delete(root);
    ngff_plan_free(plan);
}

static void masks_follow_the_levels_and_warnings_are_told(void)
{
    static const array_report arrays[2] = {{1, 1, 100, "aa"}, {1, 0, 0, "bb"}};
    const run_report run = {.arrays = arrays, .tree = "cc"};
    ngff_image *image = ngff_image_create("yx", SHAPE(10, 20), NGFF_COMPLEX64);
    ngff_image_set_mask(image, 1);
    ngff_plan *plan = ngff_plan_create(image, OPTIONS("REPORT=r.json"));
    cJSON *root = tree_of(plan, &run);
    CHECK(cJSON_IsNull(at(root, "store", -1)));
    CHECK(cJSON_IsNull(at(at(at(root, "plan", -1), "levels", 0), "shard", -1)));
    const cJSON *mask = at(at(root, "counts", -1), "arrays", 1);
    CHECK_TEXT(text_at(mask, "path"), "ovr_mask/scale0");
    CHECK(number_at(mask, "raw_bytes") == 200 && number_at(mask, "empty_chunks") == 1);
    CHECK_TEXT(text_at(at(root, "pixels", 1), "sha256"), "bb");
    CHECK(cJSON_IsNull(at(root, "statistics", 0)));
    CHECK(strstr(cJSON_GetStringValue(at(root, "warnings", 0)), "complex64") != NULL);
    cJSON_Delete(root);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

static void no_credentials_are_told(void)
{
    static const struct {
        const char *path, *told;
    } cases[] = {{"/vsis3/bucket/a.ome.zarr", "/vsis3/bucket/a.ome.zarr"},
                 {"/vsiwebhdfs/http://me:secret@host:50070/a@b", "/vsiwebhdfs/http://host:50070/a@b"},
                 {"/vsiaz/place/a?sig=secret", "/vsiaz/place/a"},
                 {"/home/a?b@c", "/home/a?b@c"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static const array_report arrays[2];
        char option[100], told[100];
        snprintf(option, sizeof option, "REPORT=%s", cases[i].path);
        snprintf(told, sizeof told, "REPORT=%s", cases[i].told);
        ngff_plan *plan = plan_with(option);
        const run_report run = {.store = cases[i].path, .arrays = arrays};
        cJSON *root = tree_of(plan, &run);
        CHECK_TEXT(text_at(root, "store"), cases[i].told);
        CHECK_TEXT(cJSON_GetStringValue(at(root, "options", 5)), told);
        cJSON_Delete(root);
        ngff_plan_free(plan);
    }
}

int main(void)
{
    RUN(everything_has_its_place);
    RUN(masks_follow_the_levels_and_warnings_are_told);
    RUN(no_credentials_are_told);
    CHECK_EXIT();
}
