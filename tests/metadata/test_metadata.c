/* Metadata documents: against those of ngff-zarr (tests/golden), against values worked out by hand, and back again;
 * and broken documents, each a good store with one thing changed. */
#include "metadata/metadata.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"

/* -- A store in memory ----------------------------------------------------------------------------------------- */

enum { most_objects = 200 };

typedef struct {
    int n;
    char *keys[most_objects], *bytes[most_objects];
    size_t sizes[most_objects];
} memory;

static int find(const memory *m, const char *key)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->keys[i], key) == 0)
            return i;
    return -1;
}

static int32_t keep(void *user, const char *key, const void *bytes, size_t n)
{
    memory *m = user;
    CHECK(find(m, key) < 0);
    if (m->n == most_objects)
        return NGFF_E_STORAGE;
    m->keys[m->n] = strdup(key);
    m->bytes[m->n] = malloc(n + 1);
    memcpy(m->bytes[m->n], bytes, n);
    m->bytes[m->n][n] = '\0';
    m->sizes[m->n++] = n;
    return NGFF_OK;
}

/* What a server does for a document that it does not have. */
static enum { SAYS_SO, REFUSES, SENDS_A_PAGE, n_kinds } absent;

static int32_t give(void *user, const char *key, char **text, size_t *n, error *e)
{
    static const char page[] = "<html>nothing</html>";
    memory *m = user;
    int i = find(m, key);
    if (i < 0 && absent == REFUSES) {
        e->is_refusal = 1;
        return error_set(e, NGFF_E_STORAGE, "%s: 403", key);
    }
    if (i < 0 && absent == SENDS_A_PAGE) {
        *text = strdup(page);
        *n = sizeof page - 1;
        return NGFF_OK;
    }
    if (i < 0)
        return NGFF_E_NOT_FOUND;
    *text = malloc(m->sizes[i] + 1);
    memcpy(*text, m->bytes[i], m->sizes[i] + 1);
    *n = m->sizes[i];
    return NGFF_OK;
}

static void forget(memory *m)
{
    for (int i = 0; i < m->n; i++) {
        free(m->keys[i]);
        free(m->bytes[i]);
    }
    m->n = 0;
}

static const char *object(const memory *m, const char *key)
{
    int i = find(m, key);
    if (i < 0) {
        fprintf(stderr, "no object %s\n", key);
        check_failures++;
    }
    return i < 0 ? "null" : m->bytes[i];
}

/* Plans, writes and frees; options: up to five. */
static void write_store(ngff_image *image, const channel_summary *summaries, memory *m, const char *a, const char *b,
                        const char *c, const char *d)
{
    const char *list[] = {a, b, c, d, NULL};
    error e = {0};
    ngff_plan *plan = ngff_plan_create(image, list);
    CHECK_TEXT(ngff_plan_error(plan), "");
    m->n = 0;
    if (ngff_plan_status(plan) == NGFF_OK) {
        CHECK_INT(metadata_write(plan, summaries, keep, m, &e), NGFF_OK);
        CHECK_TEXT(e.message, "");
        CHECK_INT(metadata_count(plan), m->n);
    }
    ngff_plan_free(plan);
    ngff_image_free(image);
}

/* -- JSON by path ---------------------------------------------------------------------------------------------- */

/* The value at "a/b/0/c" of a text, printed without blanks. Until the next call. Members with "/" in their name are
 * written with "|". */
static const char *at(const char *text, const char *path)
{
    static char answer[20000];
    cJSON *tree = cJSON_Parse(text);
    const cJSON *node = tree;
    char part[100];
    snprintf(answer, sizeof answer, "(none)");
    while (node && *path) {
        size_t n = strcspn(path, "/");
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        for (char *p = part; *p; p++)
            *p = *p == '|' ? '/' : *p;
        node =
            cJSON_IsArray(node) ? cJSON_GetArrayItem(node, atoi(part)) : cJSON_GetObjectItemCaseSensitive(node, part);
        path += n + (path[n] == '/');
    }
    if (node)
        cJSON_PrintPreallocated((cJSON *)(uintptr_t)node, answer, sizeof answer, 0);
    cJSON_Delete(tree);
    return answer;
}

static char *golden(const char *name)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", GOLDEN_FOLDER, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    char *text = calloc(1, 100000);
    if (file) {
        CHECK(fread(text, 1, 99999, file) > 0);
        fclose(file);
    }
    return text;
}

/* Both texts are equal as JSON below their paths. */
static void same(const char *ours, const char *our_path, const char *theirs, const char *their_path)
{
    char copy[20000];
    snprintf(copy, sizeof copy, "%s", at(ours, our_path));
    cJSON *a = cJSON_Parse(copy), *b = cJSON_Parse(at(theirs, their_path));
    if (!a || !b || !cJSON_Compare(a, b, 1)) {
        fprintf(stderr, "%s: %s\n%s: %s\n", our_path, copy, their_path, at(theirs, their_path));
        check_failures++;
    }
    cJSON_Delete(a);
    cJSON_Delete(b);
}

/* -- Against ngff-zarr ----------------------------------------------------------------------------------------- */

/* The image of golden/README.md. */
static ngff_image *golden_image(void)
{
    static const int64_t shape[] = {64, 48};
    static const double scale[] = {0.5, 0.25}, translation[] = {10, 20};
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_image_set_scale(image, scale);
    ngff_image_set_translation(image, translation);
    ngff_image_set_unit(image, 0, "micrometer");
    ngff_image_set_unit(image, 1, "um");
    return image;
}

static void version_05_says_what_ngff_zarr_says(void)
{
    static const char *const parts[] = {"shape",       "data_type",           "chunk_grid", "chunk_key_encoding",
                                        "fill_value",  "node_type",           "attributes", "dimension_names",
                                        "zarr_format", "storage_transformers"};
    memory m;
    char *theirs = golden("meta_v05.zarr.json"), ours[64], path[128], key[64];
    write_store(golden_image(), NULL, &m, "LAYOUT=SCALES", "SCALE_FACTORS=2,4", "BLOCKSIZE=32", "COMPRESS=ZSTD");
    const char *root = object(&m, "zarr.json");
    same(root, "attributes/ome/version", theirs, "attributes/ome/version");
    same(root, "attributes/ome/multiscales/0/axes", theirs, "attributes/ome/multiscales/0/axes");
    same(root, "attributes/ome/multiscales/0/datasets", theirs, "attributes/ome/multiscales/0/datasets");
    same(root, "attributes/ome/multiscales/0/name", theirs, "attributes/ome/multiscales/0/name");
    CHECK_TEXT(at(root, "attributes/ome/multiscales/0/type"), "\"mean\"");
    CHECK_TEXT(at(root, "attributes/ome/omero"), "(none)");
    CHECK_TEXT(at(root, "consolidated_metadata/kind"), "\"inline\"");
    CHECK_TEXT(at(root, "consolidated_metadata/must_understand"), "false");
    for (int l = 0; l < 3; l++) {
        snprintf(key, sizeof key, "scale%d/image/zarr.json", l);
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            snprintf(path, sizeof path, "consolidated_metadata/metadata/scale%d|image/%s", l, parts[i]);
            snprintf(ours, sizeof ours, "%s", parts[i]);
            same(object(&m, key), ours, theirs, path);
            same(root, path, theirs, path);
        }
        CHECK_TEXT(at(object(&m, key), "codecs"), "[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}},{"
                                                  "\"name\":\"zstd\",\"configuration\":{\"level\":1,\"checksum\":true}"
                                                  "}]");
    }
    CHECK_TEXT(at(object(&m, "scale2/zarr.json"), ""), "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{}}");
    CHECK_TEXT(m.keys[m.n - 1], "zarr.json");
    forget(&m);
    free(theirs);
}

static void version_04_says_what_ngff_zarr_says(void)
{
    static const char *const parts[] = {
        "shape", "chunks", "dtype", "fill_value", "order", "filters", "dimension_separator", "zarr_format"};
    memory m;
    char *attributes = golden("meta_v04.zattrs.json"), *consolidated = golden("meta_v04.zmetadata.json");
    char path[128], key[64];
    const char *list = "multiscales/0/";
    write_store(golden_image(), NULL, &m, "LAYOUT=SCALES", "SCALE_FACTORS=2,4", "BLOCKSIZE=32", "VERSION=0.4");
    const char *root = object(&m, ".zattrs");
    static const char *const members[] = {"axes", "datasets", "name", "version"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", list, members[i]);
        same(root, path, attributes, path);
    }
    CHECK_TEXT(at(root, "ome"), "(none)");
    for (int l = 0; l < 3; l++)
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            snprintf(key, sizeof key, "scale%d/image/.zarray", l);
            snprintf(path, sizeof path, "metadata/scale%d|image|.zarray/%s", l, parts[i]);
            same(object(&m, key), parts[i], consolidated, path);
            same(object(&m, ".zmetadata"), path, consolidated, path);
        }
    CHECK_TEXT(at(object(&m, "scale0/image/.zarray"), "compressor"),
               "{\"id\":\"blosc\",\"cname\":\"zstd\",\"clevel\":1,\"shuffle\":1,\"blocksize\":0}");
    CHECK_TEXT(at(object(&m, "scale0/image/.zattrs"), ""), "{\"_ARRAY_DIMENSIONS\":[\"y\",\"x\"]}");
    CHECK_TEXT(at(object(&m, ".zmetadata"), "metadata/.zgroup"), "{\"zarr_format\":2}");
    CHECK_TEXT(at(object(&m, ".zmetadata"), "zarr_consolidated_format"), "1");
    same(object(&m, ".zmetadata"), "metadata/.zattrs", root, "");
    CHECK_TEXT(m.keys[m.n - 1], ".zattrs");
    forget(&m);
    free(attributes);
    free(consolidated);
}

static void the_seeds_case_has_its_scales_and_translations(void)
{
    static const int64_t shape[] = {256, 256};
    memory m;
    write_store(ngff_image_create("yx", shape, NGFF_UINT8), NULL, &m, "SCALE_FACTORS=2,4", "BLOCKSIZE=64", NULL, NULL);
    const char *root = object(&m, "zarr.json");
    CHECK(strstr(root, "[1.0, 1.0]") && strstr(root, "[0.0, 0.0]"));
    CHECK(strstr(root, "[2.0, 2.0]") && strstr(root, "[0.5, 0.5]"));
    CHECK(strstr(root, "[4.0, 4.0]") && strstr(root, "[1.5, 1.5]"));
    CHECK_TEXT(at(root, "attributes/ome/multiscales/0/datasets/2/path"), "\"ovr_4x/image\"");
    forget(&m);
}

/* -- Georeference ---------------------------------------------------------------------------------------------- */

/* The image of layout_overviews.py: 1001 x 999, EPSG:32633, 10 m. */
static ngff_image *map_image(void)
{
    static const int64_t shape[] = {3, 999, 1001};
    static const double affine[] = {500000, 10, 0, 5000000, 0, -10}, scale[] = {1, 10, 10};
    ngff_image *image = ngff_image_create("cyx", shape, NGFF_UINT8);
    ngff_image_set_scale(image, scale);
    ngff_image_set_unit(image, 1, "metre");
    ngff_image_set_unit(image, 2, "m");
    ngff_image_set_georeference(image, affine, "EPSG:32633", "PROJCRS[\"\xC3\xA4\"]", "{\"type\":\"x\"}", 0);
    ngff_image_set_mask(image, 1);
    return image;
}

static double float64_at(const memory *m, const char *key, int i)
{
    const uint8_t *bytes = find(m, key) < 0 ? NULL : (const uint8_t *)object(m, key) + 8 * i;
    uint64_t bits = 0;
    double value = NAN;
    for (int k = 8; bytes && k-- > 0;) /* little-endian */
        bits = bits << 8 | bytes[k];
    if (bytes)
        memcpy(&value, &bits, sizeof value);
    return value;
}

static void a_north_up_map_speaks_every_dialect_in_grouped_layouts(void)
{
    memory m;
    write_store(map_image(), NULL, &m, "BLOCKSIZE=256", NULL, NULL, NULL);
    const char *root = object(&m, "zarr.json"), *array = object(&m, "ovr_2x/image/zarr.json");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/0/name"), "\"multiscales\"");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/1/uuid"), "\"f17cb550-5864-4468-aeb7-f3180cfb622f\"");
    /* Both names that proj and spatial have had; rioxarray takes "proj:" only. */
    CHECK_TEXT(at(root, "attributes/zarr_conventions/1/name"), "\"proj\"");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/2/uuid"), "\"f17cb550-5864-4468-aeb7-f3180cfb622f\"");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/2/name"), "\"proj:\"");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/3/name"), "\"spatial\"");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/4/name"), "\"spatial:\"");
    CHECK_TEXT(at(root, "attributes/zarr_conventions/5"), "(none)");
    CHECK_TEXT(at(array, "attributes/zarr_conventions/1/name"), "\"proj:\"");
    CHECK_TEXT(at(array, "attributes/zarr_conventions/3/name"), "\"spatial:\"");
    CHECK_TEXT(at(array, "attributes/crs"), "\"EPSG:32633\"");
    CHECK_TEXT(at(root, "attributes/proj:code"), "\"EPSG:32633\"");
    CHECK_TEXT(at(root, "attributes/spatial:bbox"), "[500000,4990010,510010,5000000]");
    CHECK_TEXT(at(root, "attributes/multiscales/resampling_method"), "\"average\"");
    CHECK_TEXT(at(root, "attributes/multiscales/layout/0"),
               "{\"asset\":\"scale0\",\"transform\":{\"scale\":[1,1,1]},\"spatial:shape\":[999,1001],"
               "\"spatial:transform\":[10,0,500000,0,-10,5000000]}");
    CHECK_TEXT(at(root, "attributes/multiscales/layout/2/derived_from"), "\"ovr_2x\"");
    CHECK_TEXT(at(root, "attributes/multiscales/layout/1/transform/scale/1"), "2"); /* not 999 / 500 */
    CHECK_TEXT(at(root, "attributes/multiscales/layout/2/transform/scale/1"), "2");
    CHECK_TEXT(at(array, "attributes/_CRS/url"), "\"http://www.opengis.net/def/crs/EPSG/0/32633\"");
    CHECK_TEXT(at(array, "attributes/_CRS/wkt"), "\"PROJCRS[\\\"\xC3\xA4\\\"]\"");
    CHECK_TEXT(at(array, "attributes/_CRS/projjson/type"), "\"x\"");
    CHECK_TEXT(at(array, "attributes/proj:wkt2"), "(none)");
    CHECK_TEXT(at(array, "attributes/gdal:geotransform"), "[500000,20,0,5000000,0,-20]");
    CHECK_TEXT(at(array, "attributes/spatial:transform"), "[20,0,500000,0,-20,5000000]");
    CHECK_TEXT(at(array, "attributes/spatial:shape"), "[500,501]");
    CHECK_TEXT(at(array, "attributes/spatial:dimensions"), "[\"y\",\"x\"]");
    /* Centres of pixels: 20 m pixels from 5000000 downwards and from 500000 on. */
    CHECK(float64_at(&m, "ovr_2x/y/c/0", 0) == 4999990 && float64_at(&m, "ovr_2x/y/c/0", 499) == 4990010);
    CHECK(float64_at(&m, "ovr_2x/x/c/0", 0) == 500010 && float64_at(&m, "scale0/x/c/0", 1000) == 510005);
    CHECK_TEXT(at(object(&m, "ovr_2x/y/zarr.json"), "attributes/standard_name"), "\"projection_y_coordinate\"");
    CHECK_TEXT(at(object(&m, "ovr_2x/y/zarr.json"), "codecs/1"), "(none)");
    CHECK_TEXT(at(object(&m, "ovr_mask/scale0/zarr.json"), "shape"), "[999,1001]");
    CHECK_TEXT(at(object(&m, "ovr_mask/scale0/zarr.json"), "dimension_names"), "[\"y\",\"x\"]");
    CHECK_TEXT(at(object(&m, "ovr_mask/ovr_2x/zarr.json"), "data_type"), "\"uint8\"");
    CHECK_TEXT(at(root, "consolidated_metadata/metadata/ovr_mask/node_type"), "\"group\"");
    forget(&m);
}

/* The texts are Python's base64.b64encode(struct.pack("<d", value)). */
static void nodata_that_all_channels_share_is_where_xarray_looks(void)
{
    static const int64_t shape[] = {2, 10, 20};
    static const float height = -9999, hole = NAN;
    static const int64_t least = -123456789012;
    static const double pair[] = {-9999, 7.5};
    static const struct {
        int32_t type;
        const void *nodata;
        const char *expected;
    } cases[] = {{NGFF_FLOAT32, &height, "\"AAAAAICHw8A=\""},
                 {NGFF_FLOAT32, &hole, "\"AAAAAAAA+H8=\""},
                 {NGFF_INT64, &least, "-123456789012"},
                 {NGFF_COMPLEX128, pair, "[\"AAAAAICHw8A=\",\"AAAAAAAAHkA=\"]"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int variant = 0; variant < 3; variant++) { /* both channels in 0.5, in 0.4, one of them */
            memory m;
            ngff_image *image = ngff_image_create("cyx", shape, cases[i].type);
            ngff_image_set_nodata(image, variant == 2 ? 1 : -1, cases[i].nodata);
            write_store(image, NULL, &m, variant == 1 ? "VERSION=0.4" : NULL, NULL, NULL, NULL);
            const char *attributes = variant == 1 ? at(object(&m, "scale0/image/.zattrs"), "_FillValue")
                                                  : at(object(&m, "scale0/image/zarr.json"), "attributes/_FillValue");
            CHECK_TEXT(attributes, variant == 0 ? cases[i].expected : "(none)");
            forget(&m);
        }
    }
}

static void the_flat_layout_never_says_spatial(void)
{
    static const char *const versions[] = {"VERSION=0.5", "VERSION=0.4"};
    for (int v = 0; v < 2; v++) {
        memory m;
        write_store(map_image(), NULL, &m, "BLOCKSIZE=256", "LAYOUT=FLAT", versions[v], NULL);
        for (int i = 0; i < m.n; i++)
            CHECK(!strstr(m.bytes[i], "spatial:") && !strstr(m.bytes[i], "proj:"));
        const char *array = v == 0 ? at(object(&m, "1/zarr.json"), "attributes") : at(object(&m, "1/.zattrs"), "");
        CHECK(strstr(array, "\"gdal:geotransform\":[500000,20,0,5000000,0,-20]") && strstr(array, "_CRS"));
        CHECK(float64_at(&m, v == 0 ? "y/c/0" : "y/0", 0) == 4999995);
        if (v == 0) {
            const char *root = object(&m, "zarr.json");
            CHECK_TEXT(at(root, "attributes/multiscales/layout/1/asset"), "\"1\"");
            CHECK_TEXT(at(root, "consolidated_metadata/metadata/1/node_type"), "\"array\"");
            CHECK_TEXT(at(root, "attributes/zarr_conventions/1"), "(none)");
        }
        forget(&m);
    }
}

static void rotated_and_geographic_and_codeless_maps_are_told_apart(void)
{
    static const int64_t shape[] = {10, 20};
    static const double rotated[] = {100, 3, 1, 200, 1, -2}, degrees[] = {-10, 0.1, 0, 50, 0, -0.1};
    memory m;
    ngff_image *image = ngff_image_create("yx", shape, NGFF_FLOAT32);
    ngff_image_set_georeference(image, rotated, "LOCAL", "ENGCRS[]", NULL, 0);
    write_store(image, NULL, &m, NULL, NULL, NULL, NULL);
    CHECK_INT(find(&m, "scale0/y/zarr.json"), -1);
    CHECK_TEXT(at(object(&m, "scale0/image/zarr.json"), "attributes/gdal:geotransform"), "[100,3,1,200,1,-2]");
    CHECK_TEXT(at(object(&m, "scale0/image/zarr.json"), "attributes/spatial:transform"), "[3,1,100,1,-2,200]");
    CHECK_TEXT(at(object(&m, "scale0/image/zarr.json"), "attributes/proj:wkt2"), "\"ENGCRS[]\"");
    CHECK_TEXT(at(object(&m, "scale0/image/zarr.json"), "attributes/_CRS"), "{\"wkt\":\"ENGCRS[]\"}");
    CHECK_TEXT(at(object(&m, "scale0/image/zarr.json"), "attributes/crs"), "\"ENGCRS[]\"");
    /* Corners: (100,200), (160,220), (110,180), (170,200). */
    CHECK_TEXT(at(object(&m, "zarr.json"), "attributes/spatial:bbox"), "[100,180,170,220]");
    forget(&m);
    image = ngff_image_create("yx", shape, NGFF_FLOAT32);
    ngff_image_set_georeference(image, degrees, "OGC:CRS84", NULL, NULL, 1);
    write_store(image, NULL, &m, "VERSION=0.4", NULL, NULL, NULL);
    CHECK_TEXT(at(object(&m, "scale0/y/.zattrs"), ""),
               "{\"standard_name\":\"latitude\",\"units\":\"degrees_north\",\"_ARRAY_DIMENSIONS\":[\"y\"]}");
    CHECK_TEXT(at(object(&m, ".zattrs"), "multiscales/0/axes/0"), "{\"name\":\"y\",\"type\":\"space\"}");
    CHECK(fabs(float64_at(&m, "scale0/x/0", 0) + 9.95) < 1e-12);
    forget(&m);
}

/* A pixel of a level is fy and fx as large along the two directions of a sheared map, and no coordinate array can say where
 * its rows and columns are, whichever of the two terms is not 0. */
static void sheared_maps_have_transforms_by_axis_and_no_coordinates(void)
{
    static const int64_t shape[] = {10, 20};
    static const struct {
        double affine[6];
        const char *small;
    } maps[] = {{{100, 3, 1, 200, 0.5, -2}, "[100,12,2,200,2,-4]"},
                {{100, 3, 0, 200, 0.5, -2}, "[100,12,0,200,2,-4]"},
                {{100, 3, 1, 200, 0, -2}, "[100,12,2,200,0,-4]"}};
    for (int i = 0; i < 3; i++) {
        memory m;
        ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
        ngff_image_set_georeference(image, maps[i].affine, "EPSG:32633", NULL, NULL, 0);
        write_store(image, NULL, &m, "SCALE_FACTORS=y:2,x:4", "LAYOUT=SCALES", NULL, NULL);
        CHECK_TEXT(at(object(&m, "scale1/image/zarr.json"), "attributes/gdal:geotransform"), maps[i].small);
        CHECK_INT(find(&m, "scale0/y/zarr.json"), -1);
        CHECK_INT(find(&m, "scale0/x/zarr.json"), -1);
        forget(&m);
    }
}

/* -- Codecs, fill values, omero, block ------------------------------------------------------------------------- */

static void codecs_are_written_as_their_readers_want_them(void)
{
    static const struct {
        const char *compress, *version, *expected, *more;
    } table[] = {
        {"COMPRESS=NONE", "VERSION=0.4", "null", NULL},
        {"COMPRESS=ZSTD", "VERSION=0.4", "{\"id\":\"zstd\",\"level\":1}", NULL},
        {"COMPRESS=GZIP", "VERSION=0.4", "{\"id\":\"gzip\",\"level\":6}", NULL},
        {"COMPRESS=ZLIB", "VERSION=0.4", "{\"id\":\"zlib\",\"level\":6}", NULL},
        {"COMPRESS=LZ4", "VERSION=0.4", "{\"id\":\"lz4\",\"acceleration\":1}", NULL},
        {"COMPRESS=NONE", "VERSION=0.5", "(none)", NULL},
        {"COMPRESS=GZIP", "VERSION=0.5", "{\"name\":\"gzip\",\"configuration\":{\"level\":6}}", NULL},
        {"COMPRESS=BLOSC", "VERSION=0.5",
         "{\"name\":\"blosc\",\"configuration\":{\"cname\":\"zstd\",\"clevel\":1,\"shuffle\":\"shuffle\",\"typesize\":"
         "4,"
         "\"blocksize\":0}}",
         NULL},
        {"COMPRESS=ZSTD", "VERSION=0.5", "{\"name\":\"zstd\",\"configuration\":{\"level\":1,\"checksum\":false}}",
         "CHECKSUM=NO"},
        {"COMPRESS=NONE", "VERSION=0.5", "{\"name\":\"crc32c\"}", "CHECKSUM=YES"},
    };
    static const int64_t shape[] = {10, 20};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        memory m;
        write_store(ngff_image_create("yx", shape, NGFF_FLOAT32), NULL, &m, table[i].compress, table[i].version,
                    table[i].more, NULL);
        int is_v2 = strstr(table[i].version, "0.4") != NULL;
        CHECK_TEXT(is_v2 ? at(object(&m, "scale0/image/.zarray"), "compressor")
                         : at(object(&m, "scale0/image/zarr.json"), "codecs/1"),
                   table[i].expected);
        forget(&m);
    }
    memory m;
    static const int64_t large[] = {1000, 1000};
    write_store(ngff_image_create("yx", large, NGFF_UINT8), NULL, &m, "SHARD=512", "BLOCKSIZE=128", "COMPRESS=ZSTD",
                NULL);
    const char *array = object(&m, "scale0/image/zarr.json");
    CHECK_TEXT(at(array, "chunk_grid/configuration/chunk_shape"), "[512,512]");
    CHECK_TEXT(
        at(array, "codecs"),
        "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[128,128],\"codecs\":[{\"name\":"
        "\"bytes\"},{\"name\":\"zstd\",\"configuration\":{\"level\":1,\"checksum\":true}}],\"index_codecs\":[{"
        "\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}},{\"name\":\"crc32c\"}],\"index_location\":"
        "\"end\"}}]");
    forget(&m);
    /* With CHECKSUM=YES every codec has one behind it; Zarr v2 has none, so there it must be in the codec. */
    static const char *const behind[] = {"COMPRESS=ZSTD", "COMPRESS=GZIP", "COMPRESS=BLOSC"};
    for (int i = 0; i < 3; i++) {
        write_store(ngff_image_create("yx", shape, NGFF_FLOAT32), NULL, &m, behind[i], "CHECKSUM=YES", NULL, NULL);
        CHECK_TEXT(at(object(&m, "scale0/image/zarr.json"), "codecs/2"), "{\"name\":\"crc32c\"}");
        forget(&m);
    }
    write_store(ngff_image_create("yx", shape, NGFF_FLOAT32), NULL, &m, "COMPRESS=GZIP", "CHECKSUM=YES", "VERSION=0.4",
                NULL);
    CHECK_TEXT(at(object(&m, "scale0/image/.zarray"), "compressor"), "{\"id\":\"gzip\",\"level\":6}");
    forget(&m);
}

/* Writes one pixel as nodata of all channels and gives back the text of fill_value and of the block's nodata. */
static void fill_is(int32_t type, const void *pixel, const char *fill, const char *nodata)
{
    static const char *const versions[] = {"VERSION=0.5", "VERSION=0.4"};
    static const int64_t shape[] = {10, 20};
    for (int v = 0; v < 2; v++) {
        memory m;
        stored_image image;
        error e = {0};
        ngff_image *described = ngff_image_create("yx", shape, type);
        ngff_image_set_nodata(described, -1, pixel);
        write_store(described, NULL, &m, versions[v], "COMPRESS=NONE", NULL, NULL);
        const char *array = object(&m, v ? "scale0/image/.zarray" : "scale0/image/zarr.json");
        char wanted[100];
        snprintf(wanted, sizeof wanted, "\"fill_value\":\t%s,", fill);
        if (!strstr(array, wanted))
            CHECK_TEXT(array, wanted);
        const char *root = object(&m, v ? ".zattrs" : "zarr.json");
        snprintf(wanted, sizeof wanted, "\"nodata\":\t[%s]", nodata);
        if (!strstr(root, wanted))
            CHECK_TEXT(root, wanted);
        CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
        CHECK_TEXT(e.message, "");
        if (e.status == NGFF_OK) {
            int is_nan = dtype_is_nan(type, pixel) && dtype_is_nan(type, image.levels[0].fill);
            CHECK(is_nan || memcmp(image.levels[0].fill, pixel, (size_t)ngff_type_size(type)) == 0);
            CHECK_INT(image.levels[0].type->data_type, type);
        }
        metadata_release(&image);
        forget(&m);
    }
}

static void fill_values_of_every_type_are_exact(void)
{
    fill_is(NGFF_UINT8, &(uint8_t){255}, "255", "255");
    fill_is(NGFF_INT8, &(int8_t){-128}, "-128", "-128");
    fill_is(NGFF_UINT16, &(uint16_t){65535}, "65535", "65535");
    fill_is(NGFF_INT16, &(int16_t){-9999}, "-9999", "-9999");
    fill_is(NGFF_UINT32, &(uint32_t){4294967295u}, "4294967295", "4294967295");
    fill_is(NGFF_INT32, &(int32_t){INT32_MIN}, "-2147483648", "-2147483648");
    fill_is(NGFF_UINT64, &(uint64_t){UINT64_MAX}, "18446744073709551615", "\"18446744073709551615\"");
    fill_is(NGFF_INT64, &(int64_t){INT64_MIN}, "-9223372036854775808", "\"-9223372036854775808\"");
    fill_is(NGFF_FLOAT16, &(uint16_t){0x3C01}, "1.0009765625", "1.0009765625");
    fill_is(NGFF_FLOAT32, &(float){-3.4028234663852886e38f}, "-3.4028234663852886e+38", "-3.4028234663852886e+38");
    fill_is(NGFF_FLOAT32, &(float){NAN}, "\"NaN\"", "\"NaN\"");
    fill_is(NGFF_FLOAT64, &(double){-INFINITY}, "\"-Infinity\"", "\"-Infinity\"");
    fill_is(NGFF_FLOAT64, &(double){0.1}, "0.1", "0.1");
    fill_is(NGFF_COMPLEX64, &(float[2]){1.5f, NAN}[0], "[1.5, \"NaN\"]", "[1.5, \"NaN\"]");
    fill_is(NGFF_COMPLEX128, &(double[2]){-2, 0.25}[0], "[-2.0, 0.25]", "[-2.0, 0.25]");
}

static void omero_is_complete_or_absent(void)
{
    static const int64_t rgba[] = {4, 10, 20}, five[] = {5, 3, 10, 20}, many[] = {257, 10, 20};
    static channel_summary summaries[300];
    for (int i = 0; i < 300; i++)
        summaries[i] = (channel_summary){.start = 1, .end = 2.5, .low = 0, .high = 255};
    memory m;
    ngff_image *image = ngff_image_create("cyx", rgba, NGFF_UINT8);
    ngff_image_set_kind(image, NGFF_KIND_RGB);
    ngff_image_set_alpha(image, 3);
    ngff_image_set_channel(image, 1, "vert", "00fe00");
    write_store(image, summaries, &m, NULL, NULL, NULL, NULL);
    const char *root = object(&m, "zarr.json");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/0"),
               "{\"label\":\"Band 1\",\"color\":\"FF0000\",\"active\":true,\"coefficient\":1,\"family\":\"linear\","
               "\"inverted\":false,\"window\":{\"min\":0,\"max\":255,\"start\":1,\"end\":2.5}}");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/1/label"), "\"vert\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/1/color"), "\"00FE00\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/3/color"), "\"FFFFFF\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/3/active"), "false");
    CHECK_TEXT(at(root, "attributes/ome/omero/rdefs"), "{\"model\":\"color\",\"defaultT\":0,\"defaultZ\":0}");
    forget(&m);
    write_store(ngff_image_create("czyx", five, NGFF_UINT16), summaries, &m, "VERSION=0.4", NULL, NULL, NULL);
    root = object(&m, ".zattrs");
    CHECK_TEXT(at(root, "omero/version"), "\"0.4\"");
    CHECK_TEXT(at(root, "omero/rdefs/defaultZ"), "1");
    CHECK_TEXT(at(root, "omero/channels/0/color"), "\"00FFFF\"");
    CHECK_TEXT(at(root, "omero/channels/4/color"), "\"00FF00\"");
    forget(&m);
    image = ngff_image_create("czyx", five, NGFF_UINT16);
    ngff_image_set_view(image, -1, 2, 0);
    write_store(image, summaries, &m, NULL, NULL, NULL, NULL);
    CHECK_TEXT(at(object(&m, "zarr.json"), "attributes/ome/omero/rdefs"),
               "{\"model\":\"greyscale\",\"defaultT\":0,\"defaultZ\":2}");
    forget(&m);
    write_store(ngff_image_create("cyx", many, NGFF_UINT16), summaries, &m, NULL, NULL, NULL, NULL);
    CHECK_TEXT(at(object(&m, "zarr.json"), "attributes/ome/omero"), "(none)");
    forget(&m);
    summaries[2].low = NAN;
    write_store(ngff_image_create("czyx", five, NGFF_UINT16), summaries, &m, NULL, NULL, NULL, NULL);
    CHECK_TEXT(at(object(&m, "zarr.json"), "attributes/ome/omero"), "(none)");
    forget(&m);
}

/* Three colours are shown as red, green and blue, whatever is beside them; nobody needs to have said it. */
static void three_channels_are_red_green_and_blue(void)
{
    static const int64_t three[] = {3, 10, 20}, four[] = {4, 10, 20};
    static channel_summary summaries[4];
    for (int i = 0; i < 4; i++)
        summaries[i] = (channel_summary){.end = 1, .high = 255};
    memory m;
    write_store(ngff_image_create("cyx", three, NGFF_UINT8), summaries, &m, NULL, NULL, NULL, NULL);
    const char *root = object(&m, "zarr.json");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/0/color"), "\"FF0000\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/1/color"), "\"00FF00\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/2/color"), "\"0000FF\"");
    forget(&m);
    ngff_image *image = ngff_image_create("cyx", four, NGFF_UINT8);
    ngff_image_set_alpha(image, 0);
    ngff_image_set_inverted(image, 1, 1);
    write_store(image, summaries, &m, NULL, NULL, NULL, NULL);
    root = object(&m, "zarr.json");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/0/inverted"), "false");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/1/inverted"), "true");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/0/color"), "\"FFFFFF\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/1/color"), "\"FF0000\"");
    CHECK_TEXT(at(root, "attributes/ome/omero/channels/3/color"), "\"0000FF\"");
    forget(&m);
    write_store(ngff_image_create("cyx", four, NGFF_UINT8), summaries, &m, NULL, NULL, NULL, NULL);
    CHECK_TEXT(at(object(&m, "zarr.json"), "attributes/ome/omero/channels/0/color"), "\"00FFFF\"");
    forget(&m);
}

static void the_block_keeps_small_and_large_members(void)
{
    static const int64_t shape[] = {2, 10, 20};
    static const char *const versions[] = {"VERSION=0.5", "VERSION=0.4"};
    enum { large = 3000000 };
    char *big = malloc(large + 3);
    memset(big, 'x', large + 2);
    big[0] = big[large + 1] = '"';
    big[large + 2] = '\0';
    channel_summary summaries[2] = {
        {.start = 0, .end = 1, .low = 0, .high = 1},
        {.end = 1, .high = 1, .has_statistics = 1, .n_valid = 200, .min = -1, .max = 3, .mean = 0.1, .std_dev = 2}};
    for (int v = 0; v < 2; v++) {
        memory m;
        stored_image image;
        error e = {0};
        ngff_image *described = ngff_image_create("cyx", shape, NGFF_FLOAT64);
        ngff_image_set_attribute(described, "rat", "{\"exact\":  18446744073709551615}");
        ngff_image_set_attribute(described, "big", big);
        write_store(described, summaries, &m, versions[v], NULL, NULL, NULL);
        CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
        char *text = metadata_attribute(&image, "rat", give, &m, &e);
        CHECK_TEXT(text, "{\"exact\":  18446744073709551615}");
        free(text);
        text = metadata_attribute(&image, "big", give, &m, &e);
        CHECK(text && strcmp(text, big) == 0);
        free(text);
        text = metadata_attribute(&image, "statistics", give, &m, &e);
        CHECK_TEXT(text ? at(text, "") : NULL,
                   "[null,{\"n_valid\":200,\"min\":-1,\"max\":3,\"mean\":0.1,\"std_dev\":2}]");
        free(text);
        CHECK(metadata_attribute(&image, "none", give, &m, &e) == NULL);
        CHECK_INT(m.sizes[find(&m, v ? "ovr_attributes/big/2" : "ovr_attributes/big/c/2")], 1 << 20);
        int chunk = find(&m, v ? "ovr_attributes/big/1" : "ovr_attributes/big/c/1");
        m.keys[chunk][0] = '#';
        CHECK_INT(e.status, NGFF_OK);
        CHECK(metadata_attribute(&image, "big", give, &m, &e) == NULL);
        CHECK_INT(e.status, NGFF_E_NOT_FOUND); /* it is named, and lost: not the same as none */
        CHECK_TEXT(e.message, v ? "ovr_attributes/big/1: missing" : "ovr_attributes/big/c/1: missing");
        metadata_release(&image);
        forget(&m);
    }
    free(big);
}

/* -- Reading --------------------------------------------------------------------------------------------------- */

static void every_version_and_layout_is_read_back(void)
{
    static const char *const versions[] = {"VERSION=0.5", "VERSION=0.4"};
    static const char *const layouts[] = {"LAYOUT=OVERVIEWS", "LAYOUT=SCALES", "LAYOUT=FLAT"};
    static const char *const paths[] = {"ovr_2x/image", "scale1/image", "1"};
    for (int v = 0; v < 2; v++)
        for (int l = 0; l < 3; l++) {
            memory m;
            stored_image image;
            error e = {0};
            write_store(map_image(), NULL, &m, versions[v], layouts[l], "BLOCKSIZE=256", "BLOSC_CNAME=lz4");
            CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
            CHECK_TEXT(e.message, "");
            if (e.status)
                continue;
            CHECK_INT(image.zarr_format, v ? ZARR_2 : ZARR_3);
            CHECK_TEXT(image.dims, "cyx");
            CHECK_INT(image.n_levels, 3);
            CHECK(image.has_mask);
            const stored_array *a = &image.levels[1];
            CHECK_TEXT(a->path, paths[l]);
            CHECK(a->rank == 3 && a->shape[0] == 3 && a->shape[1] == 500 && a->shape[2] == 501);
            CHECK(a->chunk[0] == 1 && a->chunk[1] == 256 && a->shard[2] == 256 && !a->is_sharded);
            CHECK(a->codec.compress == COMPRESS_BLOSC && a->codec.blosc_cname == CNAME_LZ4);
            CHECK(a->scale[1] == 20 && a->translation[2] == 5 && a->translation[0] == 0);
            CHECK(image.masks[2].shape[0] == 250 && image.masks[2].rank == 2);
            CHECK(strstr(image.attributes, "multiscales") && strstr(image.array_attributes, "_CRS"));
            char key[128];
            array_chunk_key(a, (const int64_t[]){0, 3, 1}, key);
            CHECK_TEXT(key, v ? "0/3/1" : "c/0/3/1");
            metadata_release(&image);
            forget(&m);
        }
}

/* Answers from the consolidated metadata of golden/meta_v05.zarr.json. */
static int32_t give_golden(void *user, const char *key, char **text, size_t *n, error *e)
{
    char path[200] = "consolidated_metadata/metadata/";
    const char *answer = user;
    (void)e;
    if (strcmp(key, "zarr.json") != 0) {
        size_t n_prefix = strlen(path), n_key = strlen(key) - strlen("/zarr.json");
        for (size_t i = 0; i < n_key; i++)
            path[n_prefix + i] = key[i] == '/' ? '|' : key[i];
        path[n_prefix + n_key] = '\0';
        answer = at(user, path);
    }
    if (strcmp(answer, "(none)") == 0)
        return NGFF_E_NOT_FOUND;
    *text = strdup(answer);
    *n = strlen(answer);
    return NGFF_OK;
}

static void a_store_of_ngff_zarr_is_read(void)
{
    stored_image image;
    error e = {0};
    char *theirs = golden("meta_v05.zarr.json");
    CHECK_INT(metadata_read(give_golden, theirs, &image, &e), NGFF_OK);
    CHECK_TEXT(e.message, "");
    CHECK_INT(image.n_levels, 3);
    if (image.n_levels == 3)
        CHECK(image.levels[2].shape[1] == 12 && image.levels[2].scale[0] == 2 &&
              image.levels[2].translation[1] == 20.375);
    metadata_release(&image);
    free(theirs);
}

/* Replaces the first from by to in an object of the store. */
static void change(memory *m, const char *key, const char *from, const char *to)
{
    int i = find(m, key);
    char *place = i >= 0 ? strstr(m->bytes[i], from) : NULL;
    if (!place) {
        fprintf(stderr, "no %s in %s\n", from, key);
        check_failures++;
        return;
    }
    size_t n = m->sizes[i] + strlen(to) - strlen(from), before = (size_t)(place - m->bytes[i]);
    char *text = calloc(1, n + 1);
    memcpy(text, m->bytes[i], before);
    memcpy(text + before, to, strlen(to));
    memcpy(text + before + strlen(to), place + strlen(from), m->sizes[i] - before - strlen(from));
    free(m->bytes[i]);
    m->bytes[i] = text;
    m->sizes[i] = n;
}

static void broken_documents_are_refused_with_their_key(void)
{
    static const struct {
        const char *key, *from, *to;
        int32_t status;
        const char *words;
    } table[] = {
        {"zarr.json", "3,", "03,", NGFF_E_CORRUPT, "JSON"},
        {"zarr.json", "3,", "3,}", NGFF_E_CORRUPT, "JSON"},
        {"zarr.json", "{", "{}{", NGFF_E_CORRUPT, "follows"},
        {"zarr.json", "\"multiscales\"", "\"multiscale\"", NGFF_E_NOT_FOUND, "no multiscales"},
        {"zarr.json", "\"0.5\"", "\"0.9\"", NGFF_E_UNSUPPORTED, "0.9"},
        {"zarr.json", "\"name\":\t\"y\"", "\"name\":\t\"z\"", NGFF_E_UNSUPPORTED, "axis 1 is \"z\""},
        {"zarr.json", "\"scale0/image\"", "\"../image\"", NGFF_E_CORRUPT, "below the root"},
        {"zarr.json", "\"scale0/image\"", "\"/etc\"", NGFF_E_CORRUPT, "the array etc, but there is none"},
        {"zarr.json", "\"scale0/image\"", "\"a/./b\"", NGFF_E_CORRUPT, "the array a/b, but there is none"},
        {"zarr.json", "\"scale0/image\"", "\"http://x\"", NGFF_E_CORRUPT, "one of : ? #"},
        {"zarr.json", "\"scale0/image\"", "\"a\\\\b\"", NGFF_E_CORRUPT, "one of : ? #"},
        {"zarr.json", "\"scale0/image\"", "\"\"", NGFF_E_CORRUPT, "no text, or empty"},
        {"zarr.json", "\"scale0/image\"", "\"nowhere\"", NGFF_E_CORRUPT, "nowhere"},
        {"scale0/image/zarr.json", "[3, 999, 1001]", "[3, 999]", NGFF_E_CORRUPT, "scale0/image/zarr.json"},
        {"scale0/image/zarr.json", "[3, 999, 1001]", "[3, 999, 0]", NGFF_E_CORRUPT, "shape"},
        {"scale0/image/zarr.json", "[3, 999, 1001]", "[3, 999, -1]", NGFF_E_CORRUPT, "shape"},
        {"scale0/image/zarr.json", "[3, 999, 1001]", "[3, 999, 1.5]", NGFF_E_CORRUPT, "shape"},
        {"scale0/image/zarr.json", "[3, 999, 1001]", "[3, 9007199254740992, 1001]", NGFF_E_CORRUPT, "2^63"},
        {"scale0/image/zarr.json", "[1, 256, 256]", "[1, 65536, 65536]", NGFF_E_UNSUPPORTED, "2 GiB"},
        {"scale0/image/zarr.json", "[1, 256, 256]", "[1, 16385, 16384]", NGFF_E_UNSUPPORTED, "MAX_CHUNK"},
        {"scale0/image/zarr.json", "[1, 256, 256]", "[0, 256, 256]", NGFF_E_CORRUPT, "chunk_grid"},
        {"scale0/image/zarr.json", "\"uint8\"", "\"string\"", NGFF_E_UNSUPPORTED, "string"},
        {"scale0/image/zarr.json", "\"zstd\"", "\"numcodecs.bz2\"", NGFF_E_UNSUPPORTED, "numcodecs.bz2"},
        {"scale0/image/zarr.json", "\"bytes\"", "\"transpose\"", NGFF_E_CORRUPT, "transpose"},
        {"scale0/image/zarr.json", "\"array\"", "\"group\"", NGFF_E_CORRUPT, "array"},
        {"scale0/image/zarr.json", "\"fill_value\":\t0", "\"fill_value\":\t256", NGFF_E_CORRUPT, "fill_value"},
        {"scale0/image/zarr.json", "\"default\"", "\"other\"", NGFF_E_UNSUPPORTED, "chunk_key_encoding"},
        {"ovr_mask/scale0/zarr.json", "[999, 1001]", "[999, 1002]", NGFF_E_CORRUPT, "mask"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        memory m;
        stored_image image;
        error e = {0};
        write_store(map_image(), NULL, &m, "BLOCKSIZE=256", NULL, NULL, NULL);
        change(&m, table[i].key, table[i].from, table[i].to);
        int32_t status = metadata_read(give, &m, &image, &e);
        if (status != table[i].status || !strstr(e.message, table[i].words)) {
            fprintf(stderr, "%s -> %s: %d %s\n", table[i].from, table[i].to, (int)status, e.message);
            check_failures++;
        }
        CHECK(image.levels == NULL);
        metadata_release(&image);
        forget(&m);
    }
}

/* One thing wrong that level 0 can be decoded without: what opens, and what is told. */
static void what_is_wrong_beside_the_full_size_is_left_out_and_told(void)
{
    static const struct {
        const char *key, *from, *to;
        int n_levels; /* of three */
        double scale; /* of y of the full size: 10, or none */
        const char *dims, *words;
    } table[] = {
        {"zarr.json", "\"zarr_format\"", "\"zarr_format\":2,\"zarr_format\"", 3, 10, "cyx",
         "\"zarr_format\" more than once"},
        {"zarr.json", "\"ome\"", "\"\\u006fme\":1,\"ome\"", 3, 10, "cyx", "more than once"},
        {"zarr.json", "{", "\xEF\xBB\xBF{", 3, 10, "cyx", "byte order mark"},
        {"zarr.json", "\"image\"", "\"\xFF\"", 3, 10, "cyx", "replaced"},
        {"zarr.json", "\"image\"", "\"\\u0000\"", 3, 10, "cyx", "replaced"},
        {"zarr.json", "\"image\"", "\"\\ud800\"", 3, 10, "cyx", "replaced"},
        {"zarr.json", "[1.0", "[1e999", 3, 1, "cyx", "the image has no position"},
        {"zarr.json", "[1.0", "[NaN", 3, 1, "cyx", "the image has no position"},
        {"zarr.json", "[1.0", "[null", 3, 1, "cyx", "not a number for each axis; the image has no position"},
        {"zarr.json", "[1.0", "[1.0,1.0", 3, 1, "cyx", "not a number for each axis"},
        {"zarr.json", "\"scale\":", "\"scales\":", 3, 1, "cyx", "not a number for each axis"},
        {"zarr.json", "\"type\":\t\"scale\"", "\"type\":\t\"byDimension\"", 3, 1, "cyx", "there are others"},
        {"zarr.json", "[1.0", "[0.0", 3, 10, "cyx", "the scale of axis c is no size of a pixel: 1 is taken"},
        {"zarr.json", "\"name\":\t\"c\"", "\"name\":\t\"x\"", 3, 10, "cyx", "axis 0 has the name of another axis"},
        {"zarr.json", "\"name\":\t\"c\"", "\"name\":\t5", 3, 10, "cyx", "axis 0 has no name: it is taken for c"},
        {"zarr.json", "\"axes\"", "\"axis\"", 3, 10, "zyx", "its axes are not 3"},
        {"zarr.json", "\"ovr_2x/image\"", "\"../x\"", 2, 10, "cyx",
         "does not stay below the root; the level is left out"},
        {"zarr.json", "\"ovr_2x/image\"", "\"a:b\"", 2, 10, "cyx", "one of : ? #"},
        {"zarr.json", "\"ovr_2x/image\"", "5", 2, 10, "cyx", "it is no text"},
        {"zarr.json", "\"ovr_2x/image\"", "\"nowhere\"", 2, 10, "cyx",
         "nowhere, but there is none; the level is left out"},
        {"zarr.json", "\"scale0/image\"", "\"/./scale0//image/\"", 3, 10, "cyx", "is read as \"scale0/image\""},
        {"ovr_2x/image/zarr.json", "\"uint8\"", "\"int8\"", 2, 10, "cyx", "the type int8, not uint8"},
        {"ovr_2x/image/zarr.json", "\"uint8\"", "\"string\"", 2, 10, "cyx",
         "\"string\" is not read; the level is left out"},
        {"ovr_2x/image/zarr.json", "{", "{{", 2, 10, "cyx", "not usable JSON"},
        {"ovr_2x/image/zarr.json", "\"array\"", "\"group\"", 2, 10, "cyx",
         "is not a Zarr v3 array; the level is left out"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        memory m;
        stored_image image;
        error e = {0};
        int is_told = 0;
        write_store(map_image(), NULL, &m, "BLOCKSIZE=256", NULL, NULL, NULL);
        change(&m, table[i].key, table[i].from, table[i].to);
        CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
        for (int k = 0; k < image.told.n; k++)
            is_told |= strstr(image.told.texts[k], table[i].words) != NULL;
        if (!is_told || image.n_levels != table[i].n_levels || image.levels[0].scale[1] != table[i].scale ||
            strcmp(image.dims, table[i].dims) != 0 || image.levels[0].shape[1] != 999 || image.n_declared != 3) {
            fprintf(stderr, "%s -> %s: %d levels, scale %g, %s, %s\n", table[i].from, table[i].to, image.n_levels,
                    image.n_levels ? image.levels[0].scale[1] : 0, image.dims,
                    image.told.n ? image.told.texts[0] : e.message);
            check_failures++;
        }
        metadata_release(&image);
        forget(&m);
    }
}

static void remove_document(memory *m, const char *key)
{
    int i = find(m, key);
    free(m->keys[i]);
    free(m->bytes[i]);
    m->n--;
    m->keys[i] = m->keys[m->n];
    m->bytes[i] = m->bytes[m->n];
    m->sizes[i] = m->sizes[m->n];
}

/* S3 without the right to list, and web servers of single pages: the other version's document, the mask and attributes
 * need not be there; a level that is refused or not there is left out, but for the full size. */
static void what_a_server_refuses_is_not_there_where_it_need_not_be(void)
{
    static const char *const versions[] = {"VERSION=0.5", "VERSION=0.4"};
    static const char *const levels[] = {"ovr_2x/image/zarr.json", "ovr_2x/image/.zarray"};
    static const char *const first[] = {"scale0/image/zarr.json", "scale0/image/.zarray"};
    static const int64_t shape[] = {300, 300};
    for (int v = 0; v < 2; v++)
        for (absent = SAYS_SO; absent < n_kinds; absent++) {
            memory m;
            stored_image image;
            error e = {0};
            write_store(ngff_image_create("yx", shape, NGFF_UINT8), NULL, &m, versions[v], "BLOCKSIZE=128", NULL, NULL);
            if (v == 1)
                remove_document(&m, "scale0/image/.zattrs");
            CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
            CHECK_TEXT(e.message, "");
            CHECK(image.n_levels > 1 && !image.has_mask);
            int n_levels = image.n_levels;
            metadata_release(&image);
            remove_document(&m, levels[v]);
            CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
            CHECK_INT(image.n_levels, n_levels - 1);
            CHECK(image.told.n == 1 && strstr(image.told.texts[0], "the level is left out"));
            CHECK(absent != REFUSES || strstr(image.told.texts[0], "403"));
            metadata_release(&image);
            remove_document(&m, first[v]);
            int32_t status = metadata_read(give, &m, &image, &e);
            CHECK_INT(status, absent == REFUSES ? NGFF_E_STORAGE : NGFF_E_CORRUPT);
            CHECK(strstr(e.message, absent == REFUSES        ? "image/.zarray: 403"
                                    : absent == SENDS_A_PAGE ? "is a page"
                                                             : "but there is none") != NULL ||
                  (v == 0 && strstr(e.message, "image/zarr.json: 403")));
            forget(&m);
        }
    absent = SAYS_SO;
}

/* Nobody knows which pixels of such a level are valid. */
static void a_level_whose_mask_cannot_be_read_is_left_out(void)
{
    static const char *const texts[] = {NULL, "{", "{\"zarr_format\":3,\"node_type\":\"group\"}"};
    for (int i = 0; i < 4; i++) {
        memory m;
        stored_image image;
        error e = {0};
        static const char key[] = "ovr_mask/ovr_2x/zarr.json";
        write_store(map_image(), NULL, &m, "BLOCKSIZE=256", NULL, NULL, NULL);
        remove_document(&m, key);
        if (i < 3 && texts[i])
            keep(&m, key, texts[i], strlen(texts[i]));
        absent = i == 3 ? REFUSES : SAYS_SO;
        CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_OK);
        CHECK_TEXT(e.message, "");
        CHECK(image.has_mask && image.n_levels == 2 && image.n_declared == 3);
        CHECK(image.n_levels == 2 && image.declared[1] == 2 && image.levels[1].shape[1] == 250 &&
              image.masks[1].shape[0] == 250);
        CHECK(image.told.n == 1 && strstr(image.told.texts[0], "ovr_mask/ovr_2x") &&
              strstr(image.told.texts[0], "the level is left out"));
        metadata_release(&image);
        forget(&m);
    }
    absent = SAYS_SO;
}

static void deep_and_cut_documents_are_refused(void)
{
    memory m = {.n = 0};
    stored_image image;
    error e = {0};
    char *deep = malloc(200001);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    keep(&m, "zarr.json", deep, 200000);
    CHECK_INT(metadata_read(give, &m, &image, &e), NGFF_E_CORRUPT);
    CHECK(strstr(e.message, "deep") != NULL);
    forget(&m);
    free(deep);
    CHECK_INT(metadata_read(give, &m, &image, &(error){0}), NGFF_E_NOT_FOUND);
    write_store(map_image(), NULL, &m, "BLOCKSIZE=256", NULL, NULL, NULL);
    for (size_t n = 0; n < m.sizes[m.n - 1]; n += 97) {
        memory cut = {.n = 0};
        keep(&cut, "zarr.json", m.bytes[m.n - 1], n);
        CHECK_INT(metadata_read(give, &cut, &image, &(error){0}), NGFF_E_CORRUPT);
        forget(&cut);
    }
    forget(&m);
}

static int32_t full(void *user, const char *key, const void *bytes, size_t n)
{
    (void)key, (void)bytes, (void)n;
    return --*(int *)user < 0 ? NGFF_E_STORAGE : NGFF_OK;
}

static void a_sink_that_fails_stops_the_writing(void)
{
    static const char *const versions[] = {"VERSION=0.5", "VERSION=0.4"};
    for (int v = 0; v < 2; v++) {
        const char *list[] = {"BLOCKSIZE=256", versions[v], NULL};
        ngff_image *image = map_image();
        ngff_plan *plan = ngff_plan_create(image, list);
        int64_t n = metadata_count(plan);
        for (int room = 0; room <= n; room++) {
            error e = {0};
            int left = room;
            CHECK_INT(metadata_write(plan, NULL, full, &left, &e), room < n ? NGFF_E_STORAGE : NGFF_OK);
            CHECK_INT(left, room < n ? -1 : 0);
        }
        ngff_plan_free(plan);
        ngff_image_free(image);
    }
}

static void chunk_keys_follow_the_version(void)
{
    char key[128];
    const int64_t index[] = {0, 3, 1};
    chunk_key(ZARR_3, 3, index, key);
    CHECK_TEXT(key, "c/0/3/1");
    chunk_key(ZARR_2, 3, index, key);
    CHECK_TEXT(key, "0/3/1");
    stored_array dotted = {.rank = 3, .key_format = ZARR_2, .separator = '.'};
    array_chunk_key(&dotted, index, key);
    CHECK_TEXT(key, "0.3.1");
}

/* Six numbers per channel; the usual limit of values was met at 33,334 channels. */
static void statistics_of_very_many_channels_are_read(void)
{
    enum { n = 40000 };
    static channel_summary summaries[n];
    size_t room = 200 + 130 * (size_t)n;
    stored_image image = {.attributes = malloc(room)};
    size_t length = (size_t)snprintf(image.attributes, room, "{\"omezarr\":{\"statistics\":[");
    for (int i = 0; i < n; i++)
        length += (size_t)snprintf(image.attributes + length, room - length,
                                   "%s{\"n_valid\":9,\"min\":0.5,\"max\":%d.0,\"mean\":1.0,\"std_dev\":2.5}",
                                   i > 0 ? "," : "", i);
    snprintf(image.attributes + length, room - length, "]}}");
    error e = {0};
    CHECK_INT(metadata_summaries(&image, NULL, NULL, n, summaries, &e), NGFF_OK);
    CHECK_TEXT(e.message, "");
    CHECK(summaries[n - 1].has_statistics && summaries[n - 1].n_valid == 9 && summaries[n - 1].max == n - 1);
    CHECK(summaries[0].min == 0.5 && summaries[0].std_dev == 2.5);
    free(image.attributes);
}

int main(void)
{
    RUN(version_05_says_what_ngff_zarr_says);
    RUN(version_04_says_what_ngff_zarr_says);
    RUN(the_seeds_case_has_its_scales_and_translations);
    RUN(a_north_up_map_speaks_every_dialect_in_grouped_layouts);
    RUN(nodata_that_all_channels_share_is_where_xarray_looks);
    RUN(the_flat_layout_never_says_spatial);
    RUN(rotated_and_geographic_and_codeless_maps_are_told_apart);
    RUN(sheared_maps_have_transforms_by_axis_and_no_coordinates);
    RUN(codecs_are_written_as_their_readers_want_them);
    RUN(fill_values_of_every_type_are_exact);
    RUN(omero_is_complete_or_absent);
    RUN(three_channels_are_red_green_and_blue);
    RUN(the_block_keeps_small_and_large_members);
    RUN(every_version_and_layout_is_read_back);
    RUN(a_store_of_ngff_zarr_is_read);
    RUN(broken_documents_are_refused_with_their_key);
    RUN(what_is_wrong_beside_the_full_size_is_left_out_and_told);
    RUN(what_a_server_refuses_is_not_there_where_it_need_not_be);
    RUN(a_level_whose_mask_cannot_be_read_is_left_out);
    RUN(deep_and_cut_documents_are_refused);
    RUN(a_sink_that_fails_stops_the_writing);
    RUN(chunk_keys_follow_the_version);
    RUN(statistics_of_very_many_channels_are_read);
    CHECK_EXIT();
}
