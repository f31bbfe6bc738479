/* machine_stores.c: machine_stores write|read FOLDER. Writes stores of every kind, type and codec below a folder, or
 * reads such stores, perhaps of another machine: level 0 and mask must be the pixels that they were made from, and
 * verify must find them whole. That two machines write the same bytes is for `diff -r` to say. */
#include <sys/stat.h>
#include <unistd.h>

#include "pictures.h"

enum { PULLED, PUSHED };

static const char *const codecs[][2] = {
    {"COMPRESS=NONE"}, {"COMPRESS=NONE", "CHECKSUM=YES"},       {"COMPRESS=ZSTD"},
    {"COMPRESS=GZIP"}, {"COMPRESS=BLOSC", "BLOSC_SHUFFLE=BIT"}, {"COMPRESS=BLOSC", "BLOSC_CNAME=LZ4"}};
enum { n_codecs = sizeof codecs / sizeof codecs[0] };

static void check_ok(int32_t status, const char *name, const char *text)
{
    if (status != NGFF_OK)
        fprintf(stderr, "%s: %s\n", name, text);
    CHECK_INT(status, NGFF_OK);
}

/* -- Writing ------------------------------------------------------------------------------------------------------- */

/* Where it lies, so that the coordinates of its pixels are stored, too. */
static ngff_plan *plan_somewhere(const picture *p, const char *report)
{
    const double affine[6] = {500000.25, 0.1, 0, 4.1e6, 0, -0.3};
    const char *options[10];
    int n = 0;
    for (; p->options[n]; n++)
        options[n] = p->options[n];
    options[n++] = report;
    options[n] = NULL;
    ngff_image *image = ngff_image_create(p->dims, p->shape, p->type);
    uint8_t nodata[16];
    ngff_image_set_georeference(image, affine, "EPSG:32633", NULL, NULL, 0);
    if (nodata_of(p, 0, nodata))
        CHECK_INT(ngff_image_set_nodata(image, -1, nodata), NGFF_OK);
    if (p->has_mask)
        CHECK_INT(ngff_image_set_mask(image, 1), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    check_ok(ngff_plan_status(plan), p->name, ngff_plan_error(plan));
    return plan;
}

static void write_store(const picture *p, ngff_plan *plan, const char *path, int is_pushed)
{
    uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
    writing w = {p, pixels, mask, is_pushed ? ngff_writer_open_push(plan, path) : ngff_writer_open(plan, path)};
    write_all(&w, is_pushed ? BY_ROWS : BY_MAP);
    check_ok(ngff_writer_close(w.writer), path, ngff_writer_error(w.writer));
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    free(pixels);
    free(mask);
}

/* -- Reading ------------------------------------------------------------------------------------------------------- */

static void say(void *user, int32_t kind, const char *text)
{
    if (kind == NGFF_FINDING_DAMAGE || kind == NGFF_FINDING_STRAY || kind == NGFF_FINDING_INVALID)
        fprintf(stderr, "%s: %s\n", (const char *)user, text);
}

static void read_store(const picture *p, const char *path)
{
    const int64_t origin[MAX_RANK] = {0};
    int rank = rank_of(p);
    int64_t n = volume_of(rank, p->shape), size = ngff_type_size(p->type), n_wrong = 0;
    uint8_t *expected = make_pixels(p), *found = calloc((size_t)n, (size_t)size);
    char text[400] = "";
    ngff_reader *reader = ngff_reader_open(path);
    check_ok(ngff_reader_status(reader), path, ngff_reader_error(reader));
    check_ok(ngff_reader_verify(reader, 1, say, NULL, (void *)(uintptr_t)path), path, "verify");
    check_ok(ngff_reader_read(reader, 0, origin, p->shape, found, NULL, 1, text, sizeof text), path, text);
    for (int64_t i = 0; i < n; i++) /* NaN may have any bits */
        n_wrong += memcmp(found + i * size, expected + i * size, (size_t)size) != 0 &&
                   !(dtype_is_nan(p->type, expected + i * size) && dtype_is_nan(p->type, found + i * size));
    free(expected);
    free(found);
    n = p->shape[rank - 2] * p->shape[rank - 1];
    uint8_t *mask = make_mask(p), *found_mask = calloc((size_t)n, 1);
    if (p->has_mask)
        check_ok(ngff_reader_read_mask(reader, 0, origin, p->shape + rank - 2, found_mask, NULL, 1, text, sizeof text),
                 path, text);
    for (int64_t i = 0; p->has_mask && i < n; i++)
        n_wrong += found_mask[i] != (mask[i] ? 255 : 0);
    if (n_wrong)
        fprintf(stderr, "%s: %lld wrong pixels\n", path, (long long)n_wrong);
    CHECK_INT(n_wrong, 0);
    free(mask);
    free(found_mask);
    ngff_reader_free(reader);
}

/* -- All of them --------------------------------------------------------------------------------------------------- */

static void pass_one(const picture *p, const char *path, int is_pushed, int is_read)
{
    char report[100];
    snprintf(report, sizeof report, "REPORT=%s.json", path);
    if (is_read)
        read_store(p, path);
    else
        write_store(p, strcmp(p->name, "type") == 0 ? plan_somewhere(p, report) : make_plan(p, report), path,
                    is_pushed);
}

static void pass_types(int32_t type, int is_read)
{
    for (int version = 4; version <= 5; version++)
        for (int k = 0; k < n_codecs; k++) {
            picture p = {.name = "type",
                         .dims = "yx",
                         .shape = {33, 41},
                         .type = type,
                         .options = {version == 4 ? "NGFF_VERSION=0.4" : "NGFF_VERSION=0.5", "BLOCKSIZE=16",
                                     "STATISTICS=YES", codecs[k][0], codecs[k][1]},
                         .has_mask = k % 2,
                         .has_nodata = k == 2 && type != NGFF_COMPLEX64 && type != NGFF_COMPLEX128,
                         .has_holes = 1};
            char path[40];
            if (version == 4 && codecs[k][1] && strcmp(codecs[k][1], "CHECKSUM=YES") == 0)
                continue;
            snprintf(path, sizeof path, "type%d-%d-%d.ome.zarr", (int)type, version, k);
            pass_one(&p, path, k == 3, is_read);
        }
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[1], "write") != 0 && strcmp(argv[1], "read") != 0)) {
        fprintf(stderr, "usage: machine_stores write|read FOLDER\n");
        return 2;
    }
    int is_read = strcmp(argv[1], "read") == 0;
    mkdir(argv[2], 0777);
    if (chdir(argv[2]) != 0) {
        perror(argv[2]);
        return 2;
    }
    for (int i = 0; i < n_pictures; i++) {
        char path[40];
        snprintf(path, sizeof path, "picture%d.%s", i, strstr(pictures[i].name, "sharded") ? "ozx" : "ome.zarr");
        pass_one(&pictures[i], path, PULLED, is_read);
        snprintf(path, sizeof path, "pushed%d.ome.zarr", i);
        pass_one(&pictures[i], path, PUSHED, is_read);
    }
    for (int32_t type = NGFF_UINT8; type <= NGFF_COMPLEX128; type++)
        pass_types(type, is_read);
    CHECK_EXIT();
}
