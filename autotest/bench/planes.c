/* planes.c: planes of a formula, written one at a time in the order that the library names: what imagej.py compares the plugin for ImageJ with.
 *   planes WIDTH HEIGHT DEPTH OUTPUT [NAME=VALUE ...]
 * Prints seconds, and the most memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ngff.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A row is a part of a table, so that a plane costs copying only, here as in Java. No two rows of a chunk are the same part. */
enum { table_size = 1 << 22 };
static uint16_t *table;

static void make_table(int64_t width)
{
    table = malloc((size_t)(table_size + width) * sizeof *table);
    for (int64_t i = 0; table && i < table_size + width; i++)
        table[i] = (uint16_t)(i % 8192 * 3 / 16 + ((i * 7919 ^ (i >> 8) * 104729) >> 4 & 7));
}

static void fill(uint16_t *pixels, int64_t width, int64_t height, int64_t z)
{
    for (int64_t y = 0; y < height; y++)
        memcpy(pixels + y * width, table + ((y * 257 + z * 65793) & (table_size - 1)), (size_t)width * sizeof *pixels);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    const int64_t width = atoll(argv[1]), height = atoll(argv[2]), depth = atoll(argv[3]);
    const int64_t shape[3] = {depth, height, width}, plane[3] = {1, height, width};
    uint16_t *pixels = malloc((size_t)(width * height) * sizeof *pixels);
    make_table(width);
    double begin = now();
    ngff_image *image = ngff_image_create("zyx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, (const char *const *)argv + 5);
    ngff_plan_set_source(plan, plane, 1);
    double memory = (double)ngff_plan_memory(plan) / 1048576;
    ngff_writer *writer = ngff_writer_open(plan, argv[4]);
    int64_t origin[3], extent[3], strides[3] = {2 * width * height, 2 * width, 2};
    while (pixels && table && ngff_writer_next(writer, origin, extent) == 1)
        for (int64_t n = extent[0], one[3] = {1, extent[1], extent[2]}; n > 0; n--, origin[0]++) {
            fill(pixels, width, height, origin[0]);
            ngff_writer_write(writer, origin, one, pixels + origin[1] * width + origin[2], strides, NULL, 0);
        }
    int status = ngff_writer_close(writer);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    if (status != NGFF_OK)
        fprintf(stderr, "%s\n", ngff_writer_error(writer));
    else
        printf("%-8s %6.2f s, VmHWM %5ld MiB, plan %.0f MiB\n", "C", now() - begin, used.ru_maxrss / 1024, memory);
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    ngff_image_free(image);
    free(pixels);
    return status != NGFF_OK;
}
