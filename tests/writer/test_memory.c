/* test_memory.c: what the process really takes while it writes is within the plan's memory. Each case runs in a child
 * of its own, whose largest resident set is compared with the one before it opened the writer. Not under sanitizers,
 * which bring memory of their own. */
#include "ngff.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#if !defined(__linux__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_MEASURE 0
#else
#define CAN_MEASURE 1
#endif

enum { width = 7000, height = 3000, pushed_width = 2500, pushed_height = 2500 };

typedef struct {
    const char *name, *option, *other;
    int is_rows, is_push;
} memory_case;

static const memory_case cases[] = {
    {.name = "average"},
    {.name = "gauss", .option = "OVERVIEW_RESAMPLING=GAUSS"},
    {.name = "lanczos", .option = "OVERVIEW_RESAMPLING=LANCZOS"},
    {.name = "factor 3", .option = "SCALE_FACTORS=3,9"},
    {.name = "sharded", .option = "SHARD=2048"},
    {.name = "sharded gauss", .option = "SHARD=2048", .other = "OVERVIEW_RESAMPLING=GAUSS"},
    {.name = "rows", .is_rows = 1},
    {.name = "rows gauss", .is_rows = 1, .option = "OVERVIEW_RESAMPLING=GAUSS"},
    {.name = "pushed", .is_push = 1},
};

/* A line of /proc/self/status in bytes. */
static long long status_bytes(const char *name)
{
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoll(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return kib * 1024;
}

/* Not all equal, so that it is stored; nothing that a codec shrinks to nothing. */
static void fill_row(uint16_t *row, int64_t y, int64_t n)
{
    for (int64_t x = 0; x < n; x++)
        row[x] = (uint16_t)((x * 7919 + y * 104729) % 4096);
}

static int32_t write_region(ngff_writer *w, const int64_t *origin, const int64_t *extent, uint16_t *row)
{
    void *pixels;
    int64_t strides[2], part_origin[2] = {origin[0], origin[1]}, part[2] = {1, extent[1]};
    int32_t is_mapped = ngff_writer_map(w, origin, extent, &pixels, strides, NULL, NULL), status = NGFF_OK;
    for (int64_t y = 0; y < extent[0] && is_mapped == 1; y++)
        fill_row((uint16_t *)((char *)pixels + y * strides[0]), origin[0] + y, extent[1]);
    if (is_mapped)
        return is_mapped < 0 ? is_mapped : ngff_writer_commit(w, origin, extent);
    for (; part_origin[0] < origin[0] + extent[0] && status == NGFF_OK; part_origin[0]++) {
        fill_row(row, part_origin[0], extent[1]);
        status = ngff_writer_write(w, part_origin, part, row, NULL, NULL, 0);
    }
    return status;
}

static int32_t push_everything(ngff_writer *w, uint16_t *row)
{
    int32_t status = NGFF_OK;
    for (int64_t y = 0; y < pushed_height && status == NGFF_OK; y++) {
        fill_row(row, y, pushed_width);
        status = ngff_writer_write(w, (const int64_t[]){y, 0}, (const int64_t[]){1, pushed_width}, row, NULL, NULL, 0);
    }
    return status;
}

static ngff_plan *make_plan(const memory_case *c, const char *memory)
{
    const int64_t shape[2] = {c->is_push ? pushed_height : height, c->is_push ? pushed_width : width};
    const char *options[8] = {"NUM_THREADS=2", "COMPRESS=BLOSC", "BLOSC_CNAME=lz4"};
    int n = 3;
    if (memory)
        options[n++] = memory;
    if (c->option)
        options[n++] = c->option;
    if (c->other)
        options[n++] = c->other;
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    ngff_plan_set_source(plan, c->is_rows ? (const int64_t[]){1, width} : NULL, 1);
    return plan;
}

/* Writes the image; more bytes than before it began, or -1. Code that is read in from the libraries' files, when it
 * runs first, is not memory of the plan. */
static long long measure(const memory_case *c, const char *memory, const char *path, long long *planned)
{
    ngff_plan *plan = make_plan(c, memory);
    uint16_t *row = malloc(width * sizeof *row);
    int64_t origin[2], extent[2];
    fill_row(row, 0, width);
    *planned = ngff_plan_memory(plan);
    long long before = status_bytes("VmRSS:"), code = status_bytes("RssFile:");
    ngff_writer *w = c->is_push ? ngff_writer_open_push(plan, path) : ngff_writer_open(plan, path);
    int32_t status = c->is_push ? push_everything(w, row) : ngff_writer_status(w);
    while (status == NGFF_OK && !c->is_push && ngff_writer_next(w, origin, extent) == 1)
        status = write_region(w, origin, extent, row);
    status = ngff_writer_close(w);
    if (status != NGFF_OK)
        fprintf(stderr, "%s: %s\n", c->name, ngff_writer_error(w));
    long long peak = status_bytes("VmHWM:") - (status_bytes("RssFile:") - code);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    free(row);
    return status == NGFF_OK ? peak - before : -1;
}

static void check_case(const memory_case *c, const char *memory, const char *folder)
{
    int ends[2];
    long long found[2] = {-1, 0};
    char path[300], command[400];
    snprintf(path, sizeof path, "%s/store", folder);
    CHECK_INT(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        found[0] = measure(c, memory, path, &found[1]);
        _exit(write(ends[1], found, sizeof found) == sizeof found ? 0 : 1);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK_INT(read(ends[0], found, sizeof found), sizeof found);
    close(ends[0]);
    close(ends[1]);
    printf("     %-14s %-12s took %5.1f MiB, planned %5.1f\n", c->name, memory ? memory : "",
           (double)found[0] / 1048576, (double)found[1] / 1048576);
    CHECK(found[0] > 0 && found[0] <= found[1]);
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    CHECK_INT(system(command), 0);
}

static void what_is_taken_is_within_the_plan(void)
{
    char folder[64];
    snprintf(folder, sizeof folder, "%s/ngff-memory-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    for (size_t i = 0; CAN_MEASURE && i < sizeof cases / sizeof cases[0]; i++) {
        if (!cases[i].is_push) /* by default what is pushed waits in a part of the machine's memory */
            check_case(&cases[i], NULL, folder);
        check_case(&cases[i], "MEMORY=1MB", folder); /* raised to the minimum */
        check_case(&cases[i], "MEMORY=24MB", folder);
    }
    CHECK_INT(rmdir(folder), 0);
}

int main(void)
{
    RUN(what_is_taken_is_within_the_plan);
    CHECK_EXIT();
}
