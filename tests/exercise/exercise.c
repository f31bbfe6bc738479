/* exercise.c: an image through the codec and the reducer of the two patches beside it. scripts/exercise.sh runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngff.h"

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

/* The medians of windows of four, the lower of the two in the middle: by hand. */
static const uint8_t pixels[4][4] = {{9, 1, 5, 5}, {2, 8, 5, 0}, {3, 3, 0, 0}, {4, 200, 0, 7}};
static const uint8_t medians[2][2] = {{2, 5}, {3, 0}};

static int round_trip(const char *version, const char *path)
{
    const int64_t shape[] = {4, 4}, half[] = {2, 2}, origin[] = {0, 0}, strides[] = {4, 1};
    const char *options[] = {version, "COMPRESS=FLIP", "OVERVIEW_RESAMPLING=MEDIAN", "OVERVIEW_COUNT=1", NULL};
    uint8_t back[16], small[4];
    char why[400] = "";
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *writer = ngff_writer_open(plan, path);
    int is_bad = ngff_writer_write(writer, origin, shape, pixels, strides, NULL, 0) != NGFF_OK ||
                 ngff_writer_close(writer) != NGFF_OK;
    if (is_bad)
        return failed(path, ngff_writer_error(writer));
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    ngff_image_free(image);
    ngff_reader *reader = ngff_reader_open(path);
    if (ngff_reader_status(reader) != NGFF_OK)
        return failed(path, ngff_reader_error(reader));
    if (ngff_reader_read(reader, 0, origin, shape, back, NULL, 0, why, sizeof why) != NGFF_OK ||
        ngff_reader_read(reader, 1, origin, half, small, NULL, 0, why, sizeof why) != NGFF_OK)
        return failed(path, why);
    ngff_reader_free(reader);
    if (memcmp(back, pixels, sizeof back) != 0 || memcmp(small, medians, sizeof small) != 0)
        return failed(path, "other pixels came back");
    return 0;
}

int main(int n, char **arguments)
{
    char path[2][4096];
    if (n != 2)
        return failed("exercise", "give it a folder");
    snprintf(path[0], sizeof path[0], "%s/a.ome.zarr", arguments[1]);
    snprintf(path[1], sizeof path[1], "%s/b.ome.zarr", arguments[1]);
    return round_trip("NGFF_VERSION=0.4", path[0]) || round_trip("NGFF_VERSION=0.5", path[1]);
}
