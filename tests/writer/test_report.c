/* test_report.c: the report of a run on a store in memory. Digests are taken again here, the plain way: from the pixels
 * that the reader gives and from the objects of the store, with SHA-256 alone in common (tests/base). */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "pictures.h"
#include "reader/reader.h"
#include "store/folder.h"
#include "writer/preview.h"

static char place[200], report_path[240], option[300];

static int names_in_place(void)
{
    char **names = NULL, cause[256];
    int n = 0;
    CHECK_INT(local_list(place, &names, cause), 0);
    while (names && names[n])
        n++;
    free_names(names);
    return n;
}

static char *read_report(void)
{
    FILE *file = fopen(report_path, "rb");
    char *text = calloc(1, 1 << 20);
    if (file) {
        CHECK(fread(text, 1, (1 << 20) - 1, file) > 0);
        fclose(file);
    }
    return text;
}

static const cJSON *array_of(const cJSON *root, const char *list, const char *path)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, list))
    {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "path")), path) == 0)
            return item;
    }
    return NULL;
}

static double number_in(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static const char *text_in(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* -- Digests, the plain way ---------------------------------------------------------------------------------------- */

/* Takes in one pixel, the lowest byte of each of its numbers first. */
static void add_little(sha256 *s, const uint8_t *pixel, int64_t size, int64_t item_size)
{
    union {
        uint16_t number;
        uint8_t bytes[2];
    } order = {.number = 1};
    for (int64_t i = 0; i < size; i++)
        sha256_add(s, pixel + (order.bytes[0] ? i : i / item_size * item_size + item_size - 1 - i % item_size), 1);
}

/* Of a level's pixels or mask, dense: pixel by pixel. */
static void digest_dense(int rank, const int64_t *shape, const int64_t *chunk, int64_t size, int64_t item_size,
                         const uint8_t *pixels, char text[65])
{
    uint8_t of_chunk[sha256_size], of_all[sha256_size];
    int64_t grid[MAX_RANK], index[MAX_RANK] = {0}, n = 1;
    sha256 all, one;
    for (int i = 0; i < rank; i++)
        n *= grid[i] = ceil_div(shape[i], chunk[i]);
    sha256_begin(&all);
    for (; n > 0; n--, next_position(rank, grid, index)) {
        int64_t at[MAX_RANK] = {0};
        sha256_begin(&one);
        for (int64_t k = volume_of(rank, chunk); k > 0; k--, next_position(rank, chunk, at)) {
            int64_t place_of_pixel = 0;
            int is_inside = 1;
            for (int i = 0; i < rank; i++) {
                int64_t position = index[i] * chunk[i] + at[i];
                is_inside &= position < shape[i];
                place_of_pixel = place_of_pixel * shape[i] + position;
            }
            if (is_inside)
                add_little(&one, pixels + place_of_pixel * size, size, item_size);
        }
        sha256_end(&one, of_chunk);
        sha256_add(&all, of_chunk, sizeof of_chunk);
    }
    sha256_end(&all, of_all);
    sha256_text(of_all, text);
}

static void check_pixels(ngff_plan *plan, ngff_reader *reader, const cJSON *root)
{
    int rank = plan->image->rank, y = rank - 2;
    int64_t size = plan->image->type->size;
    for (int l = 0; l < plan->n_levels; l++) {
        const level *at = &plan->levels[l];
        const int64_t origin[MAX_RANK] = {0};
        char text[65], error_text[200];
        uint8_t *pixels = malloc((size_t)(volume_of(rank, at->shape) * size));
        CHECK_INT(ngff_reader_read(reader, l, origin, at->shape, pixels, NULL, 1, error_text, 200), NGFF_OK);
        digest_dense(rank, at->shape, at->chunk, size, plan->image->type->item_size, pixels, text);
        CHECK_TEXT(text_in(array_of(root, "pixels", at->path), "sha256"), text);
        free(pixels);
        if (!plan->image->has_mask)
            continue;
        uint8_t *mask = malloc((size_t)volume_of(2, at->shape + y));
        CHECK_INT(ngff_reader_read_mask(reader, l, origin, at->shape + y, mask, NULL, 1, error_text, 200), NGFF_OK);
        digest_dense(2, at->shape + y, at->chunk + y, 1, 1, mask, text);
        CHECK_TEXT(text_in(array_of(root, "pixels", plan_mask(plan, l)->path), "sha256"), text);
        free(mask);
    }
}

static void check_tree(const snapshot *all, const cJSON *root)
{
    uint8_t digest[sha256_size];
    char text[65];
    double bytes = 0;
    sha256 s;
    sha256_begin(&s);
    for (size_t i = 0; i < all->n; i++) {
        char line[400];
        sha256_of(all->objects[i].bytes, all->objects[i].n, digest);
        sha256_text(digest, text);
        int n = snprintf(line, sizeof line, "%s  %s\n", text, all->objects[i].key);
        sha256_add(&s, line, (size_t)n);
        bytes += (double)all->objects[i].n;
    }
    sha256_end(&s, digest);
    sha256_text(digest, text);
    CHECK_TEXT(text_in(cJSON_GetObjectItemCaseSensitive(root, "tree"), "sha256"), text);
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(root, "counts");
    CHECK(number_in(counts, "objects") == (double)all->n);
    CHECK(number_in(counts, "bytes") == bytes);
}

/* Objects below a path that are no documents, and their bytes. */
static void check_counts(const ngff_plan *plan, const snapshot *all, const cJSON *root)
{
    for (int l = 0; l < plan->n_levels; l++) {
        const level *at = &plan->levels[l];
        const cJSON *array = array_of(cJSON_GetObjectItemCaseSensitive(root, "counts"), "arrays", at->path);
        double bytes = 0, n = 0, grid = (double)volume_of(plan->image->rank, at->grid);
        for (size_t i = 0; i < all->n; i++) {
            const char *key = all->objects[i].key, *name = strrchr(key, '/') ? strrchr(key, '/') + 1 : key;
            if (strncmp(key, at->path, strlen(at->path)) != 0 || key[strlen(at->path)] != '/' || is_zarr_document(name))
                continue;
            bytes += (double)all->objects[i].n;
            n++;
        }
        CHECK(number_in(array, "bytes") == bytes);
        CHECK(number_in(array, "stored_chunks") + number_in(array, "empty_chunks") == grid);
        if (!at->is_sharded)
            CHECK(number_in(array, "stored_chunks") == n);
    }
}

/* -- Runs ---------------------------------------------------------------------------------------------------------- */

enum { PUSHED = 100 };

/* Writes a picture with a report; the report's text. */
static char *run_picture(const picture *p, const char *threads, int manner, int is_checked)
{
    static const held_object nothing;
    picture asked = *p;
    int n = 0;
    while (asked.options[n])
        n++;
    asked.options[n] = option;
    ngff_plan *plan = make_plan(&asked, threads);
    store *s = store_memory_open();
    uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
    writing w = {p, pixels, mask, manner == PUSHED ? writer_push_store(plan, s) : writer_open_store(plan, s)};
    write_all(&w, manner == PUSHED ? BY_ROWS : manner);
    CHECK(access(report_path, F_OK) != 0);
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    if (ngff_writer_status(w.writer) != NGFF_OK)
        fprintf(stderr, "%s: %s\n", p->name, ngff_writer_error(w.writer));
    CHECK_INT(names_in_place(), 1);
    char *text = read_report();
    if (is_checked) {
        cJSON *root = cJSON_Parse(text);
        snapshot all = take_snapshot(s);
        ngff_reader *reader = reader_open_store(preview_open(s, &nothing), "memory");
        CHECK_INT(ngff_reader_status(reader), NGFF_OK);
        check_pixels(plan, reader, root);
        check_tree(&all, root);
        check_counts(plan, &all, root);
        ngff_reader_free(reader);
        free_snapshot(&all);
        cJSON_Delete(root);
    }
    remove(report_path);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    free(pixels);
    free(mask);
    return text;
}

static void digests_are_those_of_what_is_stored(void)
{
    for (int i = 0; i < n_pictures; i++)
        free(run_picture(&pictures[i], "NUM_THREADS=2", BY_MAP, 1));
}

/* From the first difference of the number of threads on: "options" says it. */
static void same_reports(const char *a, const char *b, const char *name)
{
    const char *plan_a = strstr(a, "\"plan\""), *plan_b = strstr(b, "\"plan\"");
    CHECK(plan_a && plan_b && strcmp(plan_a, plan_b) == 0);
    if (plan_a && plan_b && strcmp(plan_a, plan_b) != 0)
        fprintf(stderr, "%s: the reports differ\n", name);
}

static void reports_do_not_depend_on_threads_or_order(void)
{
    for (int i = 0; i < n_pictures; i++) {
        char *first = run_picture(&pictures[i], "NUM_THREADS=1", BY_WRITE, 0);
        char *others[] = {run_picture(&pictures[i], "NUM_THREADS=8", BY_MAP, 0),
                          run_picture(&pictures[i], "NUM_THREADS=2", BY_RANDOM_PIECES, 0),
                          run_picture(&pictures[i], "NUM_THREADS=2", PUSHED, 0)};
        for (int k = 0; k < 3; k++) {
            same_reports(first, others[k], pictures[i].name);
            free(others[k]);
        }
        free(first);
    }
}

/* The digest of pixels is about pixels: neither the codec nor shards matter. */
static void pixels_do_not_depend_on_codecs_and_shards(void)
{
    picture p = {.name = "shards", .dims = "yx", .shape = {90, 75}, .type = NGFF_UINT16, .has_holes = 1};
    static const char *const variants[][3] = {{"BLOCKSIZE=16", "COMPRESS=NONE", NULL},
                                              {"BLOCKSIZE=16", "COMPRESS=GZIP", "SHARD=32"},
                                              {"BLOCKSIZE=16", "NGFF_VERSION=0.4", NULL}};
    char *first = NULL;
    for (int i = 0; i < 3; i++) {
        memcpy(p.options, variants[i], sizeof variants[i]);
        char *text = run_picture(&p, "NUM_THREADS=2", BY_MAP, 0);
        *strstr(text, "\"tree\"") = 0;
        char *digests = strdup(strstr(text, "\"pixels\""));
        if (first)
            CHECK_TEXT(digests, first);
        else
            first = strdup(digests);
        free(digests);
        free(text);
    }
    free(first);
}

/* What nobody wrote counts as fill, whole chunks of it and parts. */
static void unwritten_chunks_count_as_fill(void)
{
    static const uint16_t seven = 7, pixels[16 * 16] = {1, 2, 3};
    static const held_object nothing;
    const int64_t shape[2] = {100, 70}, origin[2] = {32, 16}, extent[2] = {16, 16};
    for (int is_push = 0; is_push < 2; is_push++) {
        ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
        ngff_image_set_nodata(image, -1, &seven);
        const char *options[] = {"BLOCKSIZE=16", option, NULL};
        ngff_plan *plan = ngff_plan_create(image, options);
        store *s = store_memory_open();
        ngff_writer *w = is_push ? writer_push_store(plan, s) : writer_open_store(plan, s);
        CHECK_INT(ngff_writer_write(w, origin, extent, pixels, NULL, NULL, 0), NGFF_OK);
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        char *text = read_report();
        cJSON *root = cJSON_Parse(text);
        ngff_reader *reader = reader_open_store(preview_open(s, &nothing), "memory");
        check_pixels(plan, reader, root);
        const cJSON *base = array_of(cJSON_GetObjectItemCaseSensitive(root, "counts"), "arrays", "scale0/image");
        CHECK(number_in(base, "stored_chunks") == 1 && number_in(base, "empty_chunks") == 7 * 5 - 1);
        cJSON_Delete(root);
        ngff_reader_free(reader);
        free(text);
        remove(report_path);
        ngff_writer_free(w);
        ngff_plan_free(plan);
        ngff_image_free(image);
    }
}

/* -- Failures ------------------------------------------------------------------------------------------------------ */

static ngff_plan *small_plan(const char *report)
{
    const int64_t shape[2] = {64, 64};
    const char *options[] = {"BLOCKSIZE=16", report, NULL};
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static int32_t write_small(ngff_writer *w)
{
    static uint8_t pixels[64 * 64];
    const int64_t origin[2] = {0, 0}, extent[2] = {64, 64};
    for (int i = 0; i < 64 * 64; i++)
        pixels[i] = (uint8_t)(i * 7);
    ngff_writer_write(w, origin, extent, pixels, NULL, NULL, 0);
    return ngff_writer_close(w);
}

/* Whichever put fails: no store, no report, nothing half-done beside it, and an old report stays. */
static void failed_runs_leave_no_report(void)
{
    ngff_plan *plan = small_plan(option);
    int n_failed = 0;
    for (int has_old = 0; has_old < 2; has_old++)
        for (int64_t n = 0, is_done = 0; !is_done; n++) {
            if (has_old) {
                ngff_writer *first = writer_open_store(plan, store_memory_open());
                CHECK_INT(write_small(first), NGFF_OK);
                ngff_writer_free(first);
            }
            store *s = store_memory_open();
            ngff_writer *w = writer_open_store(plan, s);
            store_memory_fail_after(s, n);
            is_done = write_small(w) == NGFF_OK;
            n_failed += !is_done;
            CHECK_INT(store_memory_is_published(s), is_done);
            ngff_writer_free(w);
            CHECK_INT(names_in_place(), is_done || has_old);
            if (is_done || has_old)
                remove(report_path);
        }
    CHECK(n_failed > 40);
    ngff_writer *unclosed = writer_open_store(plan, store_memory_open());
    CHECK_INT(names_in_place(), 1);
    ngff_writer_free(unclosed);
    CHECK_INT(names_in_place(), 0);
    ngff_plan_free(plan);
}

static void place_that_cannot_be_written_is_refused_before_the_store_is_begun(void)
{
    char missing[300];
    snprintf(missing, sizeof missing, "REPORT=%s/missing/r.json", place);
    ngff_plan *plan = small_plan(missing);
    for (int is_push = 0; is_push < 2; is_push++) {
        ngff_writer *w = (is_push ? writer_push_store : writer_open_store)(plan, store_memory_open());
        CHECK_INT(ngff_writer_status(w), NGFF_E_STORAGE);
        CHECK(strstr(ngff_writer_error(w), missing) && strstr(ngff_writer_error(w), "No such file or directory"));
        ngff_writer_free(w);
    }
    ngff_plan_free(plan);
}

static void report_in_the_store_is_refused(void)
{
    char store_path[240], inside[300];
    static const char *const names[] = {"a.ome.zarr/r.json", "a.ome.zarr", "a.ome.zarr/scale0/r.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(store_path, sizeof store_path, "%s/a.ome.zarr/", place);
        snprintf(inside, sizeof inside, "REPORT=%s/%s", place, names[i]);
        ngff_plan *plan = small_plan(inside);
        ngff_writer *w = ngff_writer_open(plan, store_path);
        CHECK_INT(ngff_writer_status(w), NGFF_E_OPTION);
        CHECK(strstr(ngff_writer_error(w), "lies in the store") != NULL);
        ngff_writer_free(w);
        ngff_plan_free(plan);
        CHECK_INT(names_in_place(), 0);
    }
}

static void report_whose_name_begins_with_the_stores_lies_beside_it(void)
{
    char store_path[240], beside[300];
    snprintf(store_path, sizeof store_path, "%s/a.ome.zarr", place);
    snprintf(beside, sizeof beside, "REPORT=%s.json", store_path);
    ngff_plan *plan = small_plan(beside);
    ngff_writer *w = ngff_writer_open(plan, store_path);
    CHECK_INT(write_small(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    CHECK_INT(names_in_place(), 2);
    CHECK_INT(remove(beside + strlen("REPORT=")), 0);
    CHECK_INT(local_remove_tree(store_path), 0);
}

/* The one failure after which the store is there: the message says so, and where the report is. */
static void report_that_gets_no_name_is_an_error_over_a_whole_store(void)
{
    ngff_plan *plan = small_plan(option);
    store *s = store_memory_open();
    ngff_writer *w = writer_open_store(plan, s);
    CHECK_INT(mkdir(report_path, 0777), 0);
    CHECK_INT(write_small(w), NGFF_E_STORAGE);
    CHECK(store_memory_is_published(s));
    CHECK(strstr(ngff_writer_error(w), "the store is whole and published") != NULL);
    CHECK(strstr(ngff_writer_error(w), ".r.json.partial") != NULL);
    ngff_writer_free(w);
    CHECK_INT(names_in_place(), 2);
    rmdir(report_path);
    snprintf(report_path, sizeof report_path, "%s/.r.json.partial", place);
    char *text = read_report();
    CHECK(strstr(text, "\"tree\"") != NULL);
    free(text);
    remove(report_path);
    snprintf(report_path, sizeof report_path, "%s/r.json", place);
    ngff_plan_free(plan);
}

static void change_in_place_has_no_report(void)
{
    ngff_plan *plan = small_plan(option);
    ngff_writer *w = writer_update_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_status(w), NGFF_E_OPTION);
    CHECK(strstr(ngff_writer_error(w), option) != NULL);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    CHECK_INT(names_in_place(), 0);
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/ngff-report-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(place) != NULL);
    snprintf(report_path, sizeof report_path, "%s/r.json", place);
    snprintf(option, sizeof option, "REPORT=%s", report_path);
    RUN(digests_are_those_of_what_is_stored);
    RUN(reports_do_not_depend_on_threads_or_order);
    RUN(pixels_do_not_depend_on_codecs_and_shards);
    RUN(unwritten_chunks_count_as_fill);
    RUN(failed_runs_leave_no_report);
    RUN(place_that_cannot_be_written_is_refused_before_the_store_is_begun);
    RUN(report_in_the_store_is_refused);
    RUN(report_whose_name_begins_with_the_stores_lies_beside_it);
    RUN(report_that_gets_no_name_is_an_error_over_a_whole_store);
    RUN(change_in_place_has_no_report);
    CHECK_INT(rmdir(place), 0);
    CHECK_EXIT();
}
