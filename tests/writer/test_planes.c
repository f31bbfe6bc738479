/* test_planes.c: a host whose source gives one plane at a time. Each plane is asked for once, whatever the size of the
 * planes, and the memory stays within the plan's.
 * writer_test_planes N SIDE PATH writes N planes of SIDE x SIDE to PATH, and tells what that took (docs/c-api.md has figures). */
#include "model/plan.h"
#include "place.h"
#include "store/store_memory.h"
#include "writer/writer_store.h"

enum { n_planes = 20, side = 1500, plane_pixels = side * side };

static int n_reads[n_planes];

/* What the source calls one reading: a whole plane, made anew. */
static const uint16_t *read_plane(int64_t z)
{
    static uint16_t plane[plane_pixels];
    n_reads[z]++;
    for (int i = 0; i < plane_pixels; i++)
        plane[i] = (uint16_t)(i * 3 + z * 1009 + 1);
    return plane;
}

static ngff_plan *plan_of_planes(const char *const *options)
{
    const int64_t shape[] = {n_planes, side, side}, block[] = {1, side, side};
    ngff_image *image = ngff_image_create("zyx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_set_source(plan, block, 1), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

/* As ngff.h tells hosts of planes. */
static void write_planes(ngff_writer *w)
{
    int64_t origin[3], extent[3], strides[] = {0, side * 2, 2};
    memset(n_reads, 0, sizeof n_reads);
    while (ngff_writer_next(w, origin, extent) == 1)
        for (int64_t z = origin[0]; z < origin[0] + extent[0]; z++) {
            const uint16_t *plane = read_plane(z) + origin[1] * side + origin[2];
            const int64_t from[] = {z, origin[1], origin[2]}, size[] = {1, extent[1], extent[2]};
            CHECK_INT(ngff_writer_write(w, from, size, plane, strides, NULL, 0), NGFF_OK);
        }
}

static int most_reads(void)
{
    int most = 0;
    for (int z = 0; z < n_planes; z++) {
        CHECK(n_reads[z] > 0);
        most = n_reads[z] > most ? n_reads[z] : most;
    }
    return most;
}

/* 20 planes of 4.3 MiB. Those of a default chunk are more than half of the first two: chunks get fewer planes. */
static void each_plane_is_read_once_whatever_memory_there_is(void)
{
    static const struct {
        const char *memory, *blocks;
        int depth, n_read;
    } cases[] = {{"MEMORY=200MB", NULL, 16, 1},
                 {"MEMORY=100MB", NULL, 8, 1},
                 {"MEMORY=24MB", NULL, 2, 1},
                 {"MEMORY=16MB", NULL, 1, 1},
                 {"MEMORY=16MB", "BLOCKSIZE=y:512,x:512", 1, 1},
                 {"MEMORY=24MB", "BLOCKSIZE=z:16,y:256,x:256", 16, 36}, /* each of 6 x 6 cells on its own */
                 {"MEMORY=60MB", "BLOCKSIZE=z:16,y:256,x:256", 16, 3},  /* two rows of cells, of 24 MiB, at a time */
                 {"MEMORY=130MB", "SHARD=z:16,y:512,x:512", 16, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *options[] = {"NUM_THREADS=1", "COMPRESS=NONE", cases[i].memory, cases[i].blocks, NULL};
        ngff_plan *plan = plan_of_planes(options);
        const char *warning = ngff_plan_warning(plan, 0);
        int64_t chunk[3];
        store *s = store_memory_open();
        ngff_writer *w = writer_open_store(plan, s);
        ngff_plan_level_chunk(plan, 0, chunk);
        CHECK_INT(chunk[0], cases[i].depth);
        CHECK_INT(warning != NULL, cases[i].n_read > 1);
        write_planes(w);
        CHECK_INT(most_reads(), cases[i].n_read);
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        CHECK_INT(store_memory_scratch_count(s), 0);
        CHECK(ngff_plan_memory(plan) <= strtoll(cases[i].memory + strlen("MEMORY="), NULL, 10) << 20);
        CHECK(writer_pixel_peak(w) <= plan->pixel_memory);
        if (warning) {
            char reads[32];
            snprintf(reads, sizeof reads, "is read %d times", cases[i].n_read);
            CHECK(strstr(warning, "(1 x 1500 x 1500)") && strstr(warning, reads) &&
                  strstr(warning, " MB to read it once"));
        }
        ngff_writer_free(w);
        ngff_plan_free(plan);
    }
}

/* The number that the warning tells is true. */
static void the_memory_of_the_warning_suffices(void)
{
    static const char words[] = "Give MEMORY=";
    char memory[64] = "";
    ngff_plan *plan = plan_of_planes((const char *const[]){"MEMORY=24MB", "BLOCKSIZE=z:16,y:256,x:256", NULL});
    const char *told = strstr(ngff_plan_warning(plan, 0), words);
    CHECK(told != NULL);
    if (told)
        snprintf(memory, sizeof memory, "%.*s", (int)strcspn(told + 5, ","), told + 5);
    ngff_plan_free(plan);
    plan = plan_of_planes((const char *const[]){memory, "BLOCKSIZE=z:16,y:256,x:256", NULL});
    CHECK(ngff_plan_warning(plan, 0) == NULL);
    CHECK_INT(plan->region[1], 1536);
    /* and is taken back if the source is another one after all */
    CHECK_INT(ngff_plan_set_source(plan, NULL, 1), NGFF_OK);
    CHECK_INT(plan->region[1], 256);
    ngff_plan_free(plan);
}

/* Planes of the size at which each was read 576 and 6241 times; threads have no say in the chunks. */
static void large_planes_get_chunks_of_fewer_planes(void)
{
    static const struct {
        int64_t n, side;
        int depth;
    } cases[] = {{50, 2048, 16}, {64, 4096, 16}, {64, 6000, 4}, {50, 20000, 1}, {3, 6000, 3}, {1, 20000, 1}};
    static const char *const threads[] = {"NUM_THREADS=1", "NUM_THREADS=32"};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        int64_t n = cases[i / 2].n, of = cases[i / 2].side, chunk[3], shape[] = {n, of, of}, block[] = {1, of, of};
        ngff_image *image = ngff_image_create("zyx", shape, NGFF_UINT16);
        ngff_plan *plan = ngff_plan_create(image, (const char *const[]){threads[i % 2], NULL});
        CHECK_INT(ngff_plan_set_source(plan, block, 1), NGFF_OK);
        ngff_plan_level_chunk(plan, 0, chunk);
        CHECK_INT(chunk[0], cases[i / 2].depth);
        CHECK(plan->region[1] >= of && plan->region[2] >= of);
        CHECK_INT(plan->region[0], chunk[0]);
        CHECK(plan->memory_needed < (int64_t)1 << 30);
        CHECK(ngff_plan_warning(plan, 0) == NULL);
        /* as for a source that says nothing */
        CHECK_INT(ngff_plan_set_source(plan, NULL, 1), NGFF_OK);
        ngff_plan_level_chunk(plan, 0, chunk);
        CHECK_INT(chunk[0], n < 16 ? n : 16);
        ngff_plan_free(plan);
        ngff_image_free(image);
    }
}

/* The most that the process has had in memory, in MiB; 0 where the system does not tell. */
static long peak_memory(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "VmHWM: %ld", &kib);
    if (f)
        fclose(f);
    return kib / 1024;
}

/* Planes of one value each, z + 1, of which one row is in memory, so that what the process has is the library's.
 * Returns the highest number of reads of a plane. */
static int write_large(ngff_plan *plan, int64_t n, int64_t edge, const char *path)
{
    ngff_writer *w = ngff_writer_open(plan, path);
    int *reads = calloc((size_t)n, sizeof *reads), most = 0;
    uint16_t *row = malloc((size_t)edge * 2);
    int64_t origin[3], extent[3];
    const int64_t strides[] = {0, 0, 2};
    CHECK(reads && row);
    while (reads && row && ngff_writer_next(w, origin, extent) == 1)
        for (int64_t z = origin[0]; z < origin[0] + extent[0]; z++) {
            const int64_t from[] = {z, origin[1], origin[2]}, size[] = {1, extent[1], extent[2]};
            for (int64_t x = 0; x < edge; x++)
                row[x] = (uint16_t)(z + 1);
            most = ++reads[z] > most ? reads[z] : most;
            CHECK_INT(ngff_writer_write(w, from, size, row + origin[2], strides, NULL, 0), NGFF_OK);
        }
    for (int64_t z = 0; reads && z < n; z++)
        CHECK(reads[z] > 0);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK(ngff_writer_warning(w) == NULL);
    ngff_writer_free(w);
    free(reads);
    free(row);
    return most;
}

/* All planes of the smallest level of the store are read again. */
static void check_large(const char *path, int64_t n)
{
    ngff_reader *r = ngff_reader_open(path);
    const int32_t last = ngff_reader_level_count(r) - 1;
    int64_t shape[3] = {0};
    CHECK_INT(ngff_reader_level_shape(r, last, shape), NGFF_OK);
    CHECK_INT(shape[0], n);
    uint16_t *pixels = malloc((size_t)(shape[1] * shape[2]) * 2);
    for (int64_t z = 0; pixels && z < n; z++) {
        const int64_t origin[] = {z, 0, 0}, extent[] = {1, shape[1], shape[2]};
        int64_t n_wrong = 0;
        CHECK_INT(ngff_reader_read(r, last, origin, extent, pixels, NULL, 1, NULL, 0), NGFF_OK);
        for (int64_t i = 0; i < shape[1] * shape[2]; i++)
            n_wrong += pixels[i] != z + 1;
        CHECK_INT(n_wrong, 0);
    }
    free(pixels);
    ngff_reader_free(r);
}

static ngff_plan *plan_of_large(int64_t n, int64_t edge, const char *const *options)
{
    const int64_t shape[] = {n, edge, edge}, block[] = {1, edge, edge};
    ngff_image *image = ngff_image_create("zyx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_set_source(plan, block, 1), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

/* By hand: planes of any size. */
static void write_by_hand(int64_t n, int64_t edge, const char *path)
{
    const long before = peak_memory();
    ngff_plan *plan = plan_of_large(n, edge, NULL);
    printf("%lld planes of %lld x %lld: the plan has %lld MiB", (long long)n, (long long)edge, (long long)edge,
           (long long)(ngff_plan_memory(plan) >> 20));
    const int most = write_large(plan, n, edge, path);
    printf(", each plane is read %d time(s), the process had at most %ld MiB (%ld before)\n", most, peak_memory(),
           before);
    check_large(path, n);
    ngff_plan_free(plan);
}

/* The same, small: 40 planes of 3.3 MiB, of which MEMORY holds ten. */
static void each_plane_of_a_stored_image_is_read_once(void)
{
    place_begin();
    const char *path = below("planes.ome.zarr");
    ngff_plan *plan = plan_of_large(40, 1300, (const char *const[]){"MEMORY=33MB", "NUM_THREADS=2", NULL});
    CHECK_INT(write_large(plan, 40, 1300, path), 1);
    CHECK(ngff_plan_memory(plan) <= 33 << 20);
    check_large(path, 40);
    ngff_plan_free(plan);
    remove_below("planes.ome.zarr");
    place_end();
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        write_by_hand(strtoll(argv[1], NULL, 10), strtoll(argv[2], NULL, 10), argv[3]);
        CHECK_EXIT();
    }
    RUN(each_plane_is_read_once_whatever_memory_there_is);
    RUN(the_memory_of_the_warning_suffices);
    RUN(large_planes_get_chunks_of_fewer_planes);
    RUN(each_plane_of_a_stored_image_is_read_once);
    CHECK_EXIT();
}
