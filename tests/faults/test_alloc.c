/* test_alloc.c: the Nth allocation of the library fails, for every N, once and from then on. What was asked for then
 * ends in an error code, never in a crash, a leak (LeakSanitizer runs this too) or a store that opens and is not whole.
 *
 * The linker hands every malloc, calloc, realloc and strdup of our objects to the wrappers below; the codecs' own
 * libraries and the C library keep theirs. cJSON takes its hooks from here. */
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "store/folder.h"
#include "store/zip.h"
#include "writer/pictures.h"
#include "writer/wanted.h"

/* -- Allocations that fail ----------------------------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t n);
char *__wrap_strdup(const char *text);

static atomic_long until_failure = -1; /* -1: none fails */
static atomic_int for_ever, n_failed;

static int fails(void)
{
    long before = atomic_load(&until_failure);
    if (before < 0)
        return 0;
    before = atomic_fetch_sub(&until_failure, 1);
    int is_hit = before == 0 || (before < 0 && atomic_load(&for_ever));
    if (is_hit && atomic_load(&for_ever))
        atomic_store(&until_failure, 0);
    else if (before <= 0)
        atomic_store(&until_failure, -1);
    if (is_hit)
        atomic_fetch_add(&n_failed, 1);
    return is_hit;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t n)
{
    return fails() ? NULL : __real_realloc(at, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static void begin_failing(long n, int is_for_ever)
{
    atomic_store(&n_failed, 0);
    atomic_store(&for_ever, is_for_ever);
    atomic_store(&until_failure, n);
}

/* Returns how many have failed. */
static int end_failing(void)
{
    atomic_store(&until_failure, -1);
    return atomic_load(&n_failed);
}

/* -- What is done meanwhile ---------------------------------------------------------------------------------------- */

static char place[200], path[240], report[240];
static int wants_report;

typedef struct {
    const picture *picture;
    const uint8_t *pixels, *mask;
    const char *threads;
} subject;

/* The image of a picture, with something of everything, or NULL. */
static ngff_image *describe(const picture *p)
{
    static const double affine[6] = {1, 2, 0, 3, 0, -2}, ones[MAX_RANK] = {1, 1, 1, 1, 1};
    ngff_image *image = ngff_image_create(p->dims, p->shape, p->type);
    if (!image)
        return NULL;
    ngff_image_set_name(image, "name");
    ngff_image_set_scale(image, ones);
    ngff_image_set_channel(image, 0, "label", "FF0000");
    ngff_image_set_georeference(image, affine, "EPSG:1", "WKT", "{\"a\":1}", 0);
    ngff_image_set_attribute(image, "bands", "[{\"b\":2}]");
    if (p->has_mask)
        ngff_image_set_mask(image, 1);
    if (p->has_alpha)
        ngff_image_set_alpha(image, channels_of(p) - 1);
    return image;
}

static ngff_plan *plan_of(const subject *s)
{
    const char *options[12];
    char option[260];
    int n = 0;
    for (; s->picture->options[n]; n++)
        options[n] = s->picture->options[n];
    options[n++] = s->threads;
    options[n++] = "CHANNEL_NAMES=one";
    snprintf(option, sizeof option, "REPORT=%s", report);
    options[n++] = wants_report ? option : NULL;
    options[n] = NULL;
    ngff_image *image = describe(s->picture);
    ngff_plan *plan = image ? ngff_plan_create(image, options) : NULL;
    if (plan)
        ngff_plan_add_loss(plan, "something");
    if (plan)
        ngff_plan_text(plan);
    ngff_image_free(image);
    return plan;
}

/* Plans, opens the store by one of the three ways, writes if there is a writer, and closes. */
static int32_t run(const subject *s, ngff_writer *(*open)(ngff_plan *, store *), void (*write)(writing *))
{
    int32_t status = NGFF_E_MEMORY;
    ngff_plan *plan = plan_of(s);
    store *at = plan ? store_file_open(path) : NULL;
    writing w = {s->picture, s->pixels, s->mask, at ? open(plan, at) : NULL};
    if (w.writer && ngff_writer_status(w.writer) == NGFF_OK)
        write(&w);
    if (w.writer) {
        status = ngff_writer_status(w.writer);
        if (status == NGFF_OK)
            status = ngff_writer_close(w.writer);
        ngff_writer_free(w.writer);
    }
    ngff_plan_free(plan);
    return status;
}

static void pull_regions(writing *w)
{
    pull(w);
}

static int32_t pull_all(const subject *s)
{
    return run(s, writer_open_store, pull_regions);
}

static void write_odd_regions(writing *w)
{
    const int64_t odd[MAX_RANK] = {2, 2, 20, 17, 23};
    write_grid(w, odd + MAX_RANK - rank_of(w->picture), 0);
}

static int32_t push_all(const subject *s)
{
    return run(s, writer_push_store, write_odd_regions);
}

static void write_a_corner(writing *w)
{
    int64_t origin[MAX_RANK] = {0}, extent[MAX_RANK];
    for (int i = 0; i < rank_of(w->picture); i++)
        extent[i] = min_i64(w->picture->shape[i], 9);
    write_region(w, origin, extent);
}

static int32_t change_a_part(const subject *s)
{
    return run(s, writer_update_store, write_a_corner);
}

/* All chunks of all levels; the sum of what they hold goes to *sum. */
static int32_t read_all(uint64_t *sum)
{
    ngff_reader *reader = ngff_reader_open(path);
    int32_t status = reader ? ngff_reader_status(reader) : NGFF_E_MEMORY;
    int rank = status == NGFF_OK ? (int)strlen(ngff_reader_dims(reader)) : 0;
    *sum = 0;
    for (int l = 0; status == NGFF_OK && l < ngff_reader_level_count(reader); l++) {
        int64_t shape[MAX_RANK], chunk[MAX_RANK], index[MAX_RANK] = {0}, first[MAX_RANK] = {0}, last[MAX_RANK];
        ngff_reader_level_shape(reader, l, shape);
        ngff_reader_level_chunk(reader, l, chunk);
        for (int i = 0; i < rank; i++)
            last[i] = (shape[i] - 1) / chunk[i];
        size_t n = (size_t)(volume_of(rank, chunk) * ngff_type_size(ngff_reader_data_type(reader)));
        uint8_t *pixels = __real_malloc(n);
        do {
            char text[200];
            int32_t got = ngff_reader_chunk(reader, l, index, pixels, text, sizeof text);
            status = got < 0 ? got : NGFF_OK;
            for (size_t i = 0; got >= 0 && i < n; i++)
                *sum = *sum * 31 + pixels[i];
        } while (status == NGFF_OK && count_up(rank, first, last, index));
        free(pixels);
    }
    if (status == NGFF_OK)
        ngff_reader_attribute(reader, "bands");
    ngff_reader_free(reader);
    return status;
}

/* -- The sweeps ---------------------------------------------------------------------------------------------------- */

static const int chosen[] = {3, 6, 8, 10, 20, 23, 25, 26}; /* nodata, alpha, mask, 5 axes, gauss, shards, 0.4 */

static int is_there(void)
{
    return access(path, F_OK) == 0;
}

/* Steps grow with N: neighbours late in a run fail in the same place of the next chunk. Each picture has steps of its
 * own, so that what one leaves out is met in another. */
static long next_of(long n, size_t picture)
{
    return n + 1 + (n + (long)picture * 3) / 12;
}

typedef int32_t (*work)(const subject *s);

/* What makes a store, with every allocation failing in turn. */
static void sweep_making(work make, const char *threads)
{
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        const picture *p = &pictures[chosen[i]];
        uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
        subject s = {p, pixels, mask, threads};
        uint64_t expected, found;
        CHECK_INT(make(&s), NGFF_OK);
        CHECK_INT(read_all(&expected), NGFF_OK);
        remove(report);
        local_remove_tree(path);
        for (int is_for_ever = 0; is_for_ever < 2; is_for_ever++) {
            int n_hit = 1, n_failed_runs = 0;
            for (long n = 0; n_hit > 0; n = next_of(n, i)) {
                begin_failing(n, is_for_ever);
                int32_t status = make(&s);
                n_hit = end_failing();
                CHECK(status <= 0);
                if (status == NGFF_OK) { /* what failed was not needed, or nothing did: the store is right */
                    CHECK_INT(read_all(&found), NGFF_OK);
                    CHECK(found == expected);
                    if (found != expected)
                        fprintf(stderr, "%s, allocation %ld, %s\n", p->name, n, is_for_ever ? "for ever" : "once");
                } else {
                    CHECK(n_hit > 0);
                    CHECK(!is_there());
                    n_failed_runs++;
                }
                CHECK_INT(access(report, F_OK) == 0, wants_report && status == NGFF_OK);
                remove(report);
                local_remove_tree(path);
            }
            CHECK(n_failed_runs > 20);
        }
        free(pixels);
        free(mask);
    }
}

static void a_pull_fails_cleanly(void)
{
    sweep_making(pull_all, "NUM_THREADS=0");
}

static void a_pull_with_threads_fails_cleanly(void)
{
    sweep_making(pull_all, "NUM_THREADS=3");
}

static void a_push_fails_cleanly_and_leaves_no_report(void)
{
    wants_report = 1;
    sweep_making(push_all, "NUM_THREADS=0");
    wants_report = 0;
}

/* A change that fails has changed nothing, or left the mark; the next one mends it. */
static void a_change_fails_cleanly_and_is_mended(void)
{
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        const picture *p = &pictures[chosen[i]];
        uint8_t *pixels = make_pixels(p), *others = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
        int64_t n_bytes = volume_of(rank_of(p), p->shape) * ngff_type_size(p->type);
        subject s = {p, pixels, mask, "NUM_THREADS=0"}, change = s;
        uint64_t before, after, found;
        char dirty[300];
        for (int64_t k = 0; k < n_bytes; k++)
            others[k] ^= 1;
        change.pixels = others;
        snprintf(dirty, sizeof dirty, "%s/%s", path, STORE_DIRTY_KEY);
        CHECK_INT(pull_all(&s), NGFF_OK);
        CHECK_INT(read_all(&before), NGFF_OK);
        CHECK_INT(change_a_part(&change), NGFF_OK);
        CHECK_INT(read_all(&after), NGFF_OK);
        CHECK(before != after);
        int n_hit = 1, n_dirty = 0;
        for (long n = 0; n_hit > 0; n = next_of(n, i)) {
            local_remove_tree(path);
            CHECK_INT(pull_all(&s), NGFF_OK);
            begin_failing(n, 1);
            int32_t status = change_a_part(&change);
            n_hit = end_failing();
            int is_dirty = access(dirty, F_OK) == 0;
            n_dirty += is_dirty;
            CHECK(status == NGFF_OK ? !is_dirty : n_hit > 0);
            if (is_dirty)
                CHECK_INT(change_a_part(&change), NGFF_OK);
            CHECK_INT(read_all(&found), NGFF_OK);
            CHECK(found == (status == NGFF_OK || is_dirty ? after : before));
        }
        CHECK(n_dirty > 3);
        local_remove_tree(path);
        free(pixels);
        free(others);
        free(mask);
    }
}

static void a_reader_fails_cleanly(void)
{
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        const picture *p = &pictures[chosen[i]];
        uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
        subject s = {p, pixels, mask, "NUM_THREADS=0"};
        uint64_t expected, found;
        CHECK_INT(pull_all(&s), NGFF_OK);
        CHECK_INT(read_all(&expected), NGFF_OK);
        for (int is_for_ever = 0; is_for_ever < 2; is_for_ever++) {
            int n_hit = 1;
            for (long n = 0; n_hit > 0; n = next_of(n, i)) {
                begin_failing(n, is_for_ever);
                int32_t status = read_all(&found);
                n_hit = end_failing();
                CHECK(status == NGFF_OK ? found == expected : n_hit > 0);
            }
        }
        local_remove_tree(path);
        free(pixels);
        free(mask);
    }
}

/* A file is whole, or there is an error: a name that is not listed would be missing in it. */
static void packing_fails_cleanly(void)
{
    const picture *p = &pictures[chosen[0]];
    uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL, *expected = NULL;
    subject s = {p, pixels, mask, "NUM_THREADS=0"};
    const folder_calls *calls = &local_calls;
    char file[300], cause[256];
    size_t n_expected = 0;
    error e = {0};
    snprintf(file, sizeof file, "%s/a.ozx", place);
    CHECK_INT(pull_all(&s), NGFF_OK);
    CHECK_INT(zip_pack(calls, path, file, NULL, &e), NGFF_OK);
    CHECK_INT(calls->read_file(file, 0, 0, &expected, &n_expected, cause), 0);
    for (int is_for_ever = 0; is_for_ever < 2; is_for_ever++) {
        int n_hit = 1, n_failed = 0;
        for (long n = 0; n_hit > 0; n++) {
            uint8_t *found = NULL;
            size_t n_found = 0;
            error own = {0};
            begin_failing(n, is_for_ever);
            int32_t status = zip_pack(calls, path, file, NULL, &own);
            n_hit = end_failing();
            n_failed += status != NGFF_OK;
            CHECK(status == NGFF_OK || n_hit > 0);
            CHECK_INT(calls->read_file(file, 0, 0, &found, &n_found, cause), 0);
            CHECK(status != NGFF_OK || (n_found == n_expected && memcmp(found, expected, n_found) == 0));
            free(found);
        }
        CHECK(n_failed > 20);
    }
    CHECK_INT(remove(file), 0);
    local_remove_tree(path);
    free(expected);
    free(pixels);
    free(mask);
}

/* -- Upgrade -------------------------------------------------------------------------------------------------------- */

static uint64_t all_documents;

static int add_document(const char *name, const struct stat *s, int flag, struct FTW *walk)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    char cause[256];
    (void)s;
    if (flag == FTW_F && is_zarr_document(name + walk->base) &&
        local_calls.read_file(name, 0, 0, &bytes, &n, cause) == 0)
        for (size_t i = 0; i < n; i++)
            all_documents += mixed((uint64_t)bytes[i] + 257 * i + 65537 * strlen(name));
    free(bytes);
    return 0;
}

/* A sum of all documents of the store. */
static uint64_t sum_documents(void)
{
    all_documents = 0;
    CHECK_INT(nftw(path, add_document, 16, FTW_PHYS), 0);
    return all_documents;
}

/* The image opens at any moment, and what is said to be done is done; the next run does the rest. */
static void an_upgrade_fails_cleanly_and_is_finished(void)
{
    static const picture of[] = {
        {.name = "0.4",
         .dims = "cyx",
         .shape = {2, 20, 20},
         .type = NGFF_UINT16,
         .options = {"NGFF_VERSION=0.4", "BLOCKSIZE=16", "COMPRESS=ZSTD", "LAYOUT=SCALES"},
         .has_mask = 1},
        {.name = "0.5", .dims = "yx", .shape = {20, 20}, .type = NGFF_UINT8, .options = {"BLOCKSIZE=16"}}};
    for (size_t i = 0; i < 2; i++) {
        uint8_t *pixels = make_pixels(&of[i]), *mask = of[i].has_mask ? make_mask(&of[i]) : NULL;
        subject s = {&of[i], pixels, mask, "NUM_THREADS=0"};
        uint64_t expected, found, whole;
        int n_refused = 0;
        CHECK_INT(pull_all(&s), NGFF_OK);
        CHECK_INT(read_all(&expected), NGFF_OK);
        CHECK_INT(ngff_upgrade(path, "0.6", NULL, 0), 1);
        whole = sum_documents();
        for (int is_for_ever = 0; is_for_ever < 2; is_for_ever++) {
            int n_hit = 1;
            for (long n = 0; n_hit > 0; n = next_of(n, i)) {
                char why[1200] = "";
                local_remove_tree(path);
                CHECK_INT(pull_all(&s), NGFF_OK);
                begin_failing(n, is_for_ever);
                int32_t status = ngff_upgrade(path, "0.6", why, sizeof why);
                n_hit = end_failing();
                n_refused += status < 0;
                CHECK(status == 1 || (status < 0 && n_hit > 0));
                CHECK(status != 1 || sum_documents() == whole);
                CHECK_INT(read_all(&found), NGFF_OK);
                CHECK(found == expected);
                CHECK(ngff_upgrade(path, "0.6", why, sizeof why) >= 0);
                CHECK_TEXT(why, "");
                CHECK(sum_documents() == whole);
            }
        }
        CHECK(n_refused > 20);
        local_remove_tree(path);
        free(pixels);
        free(mask);
    }
}

/* Two halves, which CTest runs side by side: alloc making, and alloc changing. */
int main(int n_arguments, char **arguments)
{
    int is_making = n_arguments < 2 || strcmp(arguments[1], "making") == 0;
    int is_changing = n_arguments < 2 || strcmp(arguments[1], "changing") == 0;
    const char *base = getenv("TMPDIR");
    cJSON_Hooks hooks = {__wrap_malloc, free};
    cJSON_InitHooks(&hooks);
    snprintf(place, sizeof place, "%s/ngff-alloc-XXXXXX",
             base                            ? base
             : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                             : "/tmp");
    CHECK(mkdtemp(place) != NULL);
    snprintf(path, sizeof path, "%s/a.ome.zarr", place);
    snprintf(report, sizeof report, "%s/report.json", place);
    CHECK(is_making || is_changing);
    if (is_making) {
        RUN(a_pull_fails_cleanly);
        RUN(a_pull_with_threads_fails_cleanly);
    }
    if (is_changing) {
        RUN(a_reader_fails_cleanly);
        RUN(a_push_fails_cleanly_and_leaves_no_report);
        RUN(a_change_fails_cleanly_and_is_mended);
        RUN(packing_fails_cleanly);
        RUN(an_upgrade_fails_cleanly_and_is_finished);
    }
    CHECK_INT(rmdir(place), 0);
    CHECK_EXIT();
}
