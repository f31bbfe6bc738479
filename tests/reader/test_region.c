/* test_region.c: random boxes of stores of every kind against the plain array that was written. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "reader/reader.h"

static char folder[PATH_MAX];

/* A generator of its own, so that a failure comes back in the next run; one state per thread. */
static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static int64_t random_below(uint64_t *state, int64_t n)
{
    return (int64_t)(random_next(state) % (uint64_t)n);
}

/* -- The model ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *dims;
    int64_t shape[5];
    int32_t type;
    int size; /* bytes of a pixel */
    const char *options[8];
} sample;

static const sample samples[] = {
    {"yx", "yx", {37, 53}, NGFF_UINT16, 2, {"BLOCKSIZE=8,16", "COMPRESS=ZSTD", "SHARD=NONE", NULL}},
    {"yx_raw", "yx", {37, 53}, NGFF_FLOAT64, 8, {"BLOCKSIZE=16,8", "COMPRESS=NONE", NULL}},
    {"yx_sharded", "yx", {64, 70}, NGFF_UINT8, 1, {"BLOCKSIZE=8,8", "SHARD=32,16", "COMPRESS=GZIP", NULL}},
    {"one_column", "yx", {40, 16}, NGFF_INT32, 4, {"BLOCKSIZE=8,16", "COMPRESS=BLOSC", NULL}},
    {"cyx_planes", "cyx", {5, 21, 30}, NGFF_UINT16, 2, {"BLOCKSIZE=3,8,8", "COMPRESS=BLOSC", NULL}},
    {"cyx_v2", "cyx", {3, 40, 33}, NGFF_COMPLEX128, 16, {"BLOCKSIZE=1,16,16", "NGFF_VERSION=0.4", NULL}},
    {"zyx", "zyx", {9, 17, 25}, NGFF_FLOAT32, 4, {"BLOCKSIZE=4,8,8", "SHARD=8,16,16", NULL}},
    {"czyx", "czyx", {2, 5, 17, 19}, NGFF_INT8, 1, {"BLOCKSIZE=2,2,8,8", "NGFF_VERSION=0.4", "COMPRESS=LZ4", NULL}},
    {"tczyx",
     "tczyx",
     {3, 2, 4, 11, 13},
     NGFF_UINT16,
     2,
     {"BLOCKSIZE=2,1,3,4,4", "SHARD=2,2,3,8,8", "SCALE_FACTORS=ISOTROPIC"}},
    {"tczyx_v2", "tczyx", {2, 3, 2, 16, 9}, NGFF_UINT64, 8, {"BLOCKSIZE=1,2,2,8,8", "NGFF_VERSION=0.4", NULL}},
};

enum { n_samples = sizeof samples / sizeof samples[0] };

static int rank_of(const sample *s)
{
    return (int)strlen(s->dims);
}

static int64_t volume(int rank, const int64_t *shape)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= shape[i];
    return n;
}

/* Byte number i of the pixel at a position. A third of the picture is zero, so that chunks are missing there. */
static uint8_t model_byte(int rank, const int64_t *at, int i)
{
    if (at[rank - 1] >= 8 && at[rank - 2] < 16 && at[0] % 2 == 0)
        return 0;
    uint64_t mix = 17;
    for (int k = 0; k < rank; k++)
        mix = (mix ^ (uint64_t)at[k]) * 0x9E3779B97F4A7C15u;
    return (uint8_t)((mix >> 40) + (uint64_t)i * 13);
}

/* The next position of a box in C order; 0 after the last. */
static int position_next(int rank, const int64_t *extent, int64_t *at)
{
    for (int i = rank; i-- > 0; at[i] = 0)
        if (++at[i] < extent[i])
            return 1;
    return 0;
}

static void sample_write(const sample *s)
{
    char path[PATH_MAX + 64];
    int rank = rank_of(s);
    uint8_t *pixels = malloc((size_t)(volume(rank, s->shape) * s->size)), *to = pixels;
    int64_t at[5] = {0}, origin[5] = {0};
    do
        for (int i = 0; i < s->size; i++)
            *to++ = model_byte(rank, at, i);
    while (position_next(rank, s->shape, at));
    const char *options[10] = {"OVERVIEW_COUNT=0", "LAYOUT=FLAT"};
    memcpy(options + 2, s->options, sizeof s->options);
    ngff_image *image = ngff_image_create(s->dims, s->shape, s->type);
    ngff_plan *plan = ngff_plan_create(image, options);
    snprintf(path, sizeof path, "%s/%s", folder, s->name);
    ngff_writer *writer = ngff_writer_open(plan, path);
    ngff_writer_write(writer, origin, s->shape, pixels, NULL, NULL, 0);
    if (ngff_writer_close(writer) != NGFF_OK) {
        fprintf(stderr, "%s: %s %s\n", s->name, ngff_plan_error(plan), ngff_writer_error(writer));
        exit(1);
    }
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    ngff_image_free(image);
    free(pixels);
}

static ngff_reader *sample_open(const sample *s)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, s->name);
    return ngff_reader_open(path);
}

/* Where tests take chunks away on purpose. */
static ngff_reader *sample_open_with(const sample *s, const char *option)
{
    char path[PATH_MAX + 64];
    const char *options[] = {option, NULL};
    snprintf(path, sizeof path, "%s/%s", folder, s->name);
    return ngff_reader_open_part(path, NULL, options);
}

/* -- Boxes --------------------------------------------------------------------------------------------------------- */

enum { guard = 0xA5 };

/* Reads one random box into memory with random strides (axes in any order, gaps, some negative), and compares every
 * byte, also those between the pixels, which must stay as they were. Returns 0 if any differs. */
static int box_is_right(ngff_reader *reader, const sample *s, int n_threads, uint64_t *state)
{
    int rank = rank_of(s);
    int64_t origin[5], extent[5], strides[5], step = s->size, first = 0;
    for (int i = 0; i < rank; i++) {
        int is_whole = random_below(state, 3) == 0;
        extent[i] = is_whole ? s->shape[i] : 1 + random_below(state, s->shape[i]);
        origin[i] = random_below(state, s->shape[i] - extent[i] + 1);
    }
    int order[5] = {0, 1, 2, 3, 4}, is_dense = random_below(state, 3) == 0;
    for (int i = rank - 1; i > 0 && !is_dense; i--) {
        int j = (int)random_below(state, i + 1), other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    for (int i = rank; i-- > 0;) {
        int axis = order[i];
        step += is_dense ? 0 : random_below(state, 3) * s->size;
        strides[axis] = step;
        step *= extent[axis];
        if (!is_dense && random_below(state, 3) == 0) {
            first += (extent[axis] - 1) * strides[axis];
            strides[axis] = -strides[axis];
        }
    }
    uint8_t *got = malloc((size_t)step), *want = malloc((size_t)step);
    memset(got, guard, (size_t)step);
    memset(want, guard, (size_t)step);
    int64_t at[5] = {0};
    do {
        int64_t position[5], offset = first;
        for (int i = 0; i < rank; i++) {
            position[i] = origin[i] + at[i];
            offset += at[i] * strides[i];
        }
        for (int i = 0; i < s->size; i++)
            want[offset + i] = model_byte(rank, position, i);
    } while (position_next(rank, extent, at));
    char message[1000] = "";
    int32_t status =
        ngff_reader_read(reader, 0, origin, extent, got + first, is_dense && random_below(state, 2) ? NULL : strides,
                         n_threads, message, sizeof message);
    int is_right = status == NGFF_OK && memcmp(got, want, (size_t)step) == 0;
    if (!is_right)
        fprintf(stderr, "%s, %d threads: status %d, %s\n", s->name, n_threads, (int)status, message);
    free(got);
    free(want);
    return is_right;
}

static void random_boxes_are_right_with_any_number_of_threads(void)
{
    static const int threads[] = {0, 1, 2, 8};
    for (int i = 0; i < n_samples; i++)
        for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
            ngff_reader *reader = sample_open(&samples[i]);
            uint64_t state = 1 + t;
            int is_right = 1;
            CHECK_INT(ngff_reader_status(reader), NGFF_OK);
            for (int n = 0; n < 60 && is_right; n++)
                is_right = box_is_right(reader, &samples[i], threads[t], &state);
            CHECK(is_right);
            ngff_reader_free(reader);
        }
}

/* Limits at which chunks are dropped all the time, at once, or not at all. */
static void random_boxes_are_right_with_any_cache(void)
{
    static const int64_t limits[] = {0, 1, 2000, 1 << 20};
    for (int i = 0; i < n_samples; i++)
        for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
            ngff_reader *reader = sample_open(&samples[i]);
            uint64_t state = 77 + l;
            int is_right = 1;
            ngff_reader_set_cache(reader, limits[l]);
            for (int n = 0; n < 40 && is_right; n++)
                is_right = box_is_right(reader, &samples[i], n % 3, &state);
            CHECK(is_right);
            ngff_reader_free(reader);
        }
}

typedef struct {
    ngff_reader *reader;
    const sample *sample;
    uint64_t state;
    int is_right;
} circle;

static void *read_in_circles(void *argument)
{
    circle *c = argument;
    c->is_right = 1;
    for (int n = 0; n < 80 && c->is_right; n++) {
        if (n % 20 == 10)
            ngff_reader_set_cache(c->reader, random_below(&c->state, 4000));
        c->is_right = box_is_right(c->reader, c->sample, 1 + n % 4, &c->state);
    }
    return NULL;
}

static void many_threads_read_boxes_from_one_reader(void)
{
    static const int of[] = {0, 2, 4, 8};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        ngff_reader *reader = sample_open(&samples[of[i]]);
        circle circles[5];
        pthread_t threads[5];
        for (int t = 0; t < 5; t++) {
            circles[t] = (circle){reader, &samples[of[i]], 1000 + (uint64_t)t, 0};
            if (pthread_create(&threads[t], NULL, read_in_circles, &circles[t]) != 0)
                abort();
        }
        for (int t = 0; t < 5; t++) {
            pthread_join(threads[t], NULL);
            CHECK(circles[t].is_right);
        }
        ngff_reader_free(reader);
    }
}

/* -- What is kept -------------------------------------------------------------------------------------------------- */

static void object_path(const char *key, char *path)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, key) >= PATH_MAX)
        abort();
}

static void object_write(const char *key, const char *text)
{
    char path[PATH_MAX];
    object_path(key, path);
    FILE *file = fopen(path, "wb");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static uint16_t read_pixel(ngff_reader *reader, int64_t y, int64_t x)
{
    int64_t origin[] = {y, x}, extent[] = {1, 1};
    uint16_t pixel = 12345;
    CHECK_INT(ngff_reader_read(reader, 0, origin, extent, &pixel, NULL, 2, NULL, 0), NGFF_OK);
    return pixel;
}

static uint16_t model_pixel(int64_t y, int64_t x)
{
    int64_t at[] = {y, x};
    uint8_t bytes[] = {model_byte(2, at, 0), model_byte(2, at, 1)};
    uint16_t pixel;
    memcpy(&pixel, bytes, sizeof pixel);
    return pixel;
}

/* The file of a chunk goes away: what the cache has is still read, also when the whole chunk is asked for; what it has
 * not, or has forgotten, is a missing chunk. */
static void chunk_met_in_part_is_decoded_once_until_it_is_forgotten(void)
{
    char from[PATH_MAX], to[PATH_MAX];
    ngff_reader *reader = sample_open_with(&samples[0], "MISSING_CHUNKS=FILL");
    int64_t origin[] = {16, 16}, extent[] = {8, 16};
    uint16_t pixels[8 * 16];
    CHECK_INT(read_pixel(reader, 17, 18), model_pixel(17, 18));
    object_path("yx/0/c/2/1", from);
    object_path("gone", to);
    CHECK_INT(rename(from, to), 0);
    CHECK_INT(read_pixel(reader, 23, 31), model_pixel(23, 31));
    CHECK_INT(ngff_reader_read(reader, 0, origin, extent, pixels, NULL, 0, NULL, 0), NGFF_OK);
    CHECK_INT(pixels[5 * 16 + 7], model_pixel(21, 23));
    ngff_reader_set_cache(reader, 0);
    CHECK_INT(read_pixel(reader, 23, 31), 0);
    CHECK_INT(rename(to, from), 0);
    CHECK_INT(read_pixel(reader, 23, 31), model_pixel(23, 31));
    ngff_reader_free(reader);
}

/* A chunk of 256 bytes: with room for two, the one used longest ago is dropped. */
static void oldest_chunk_is_dropped_first(void)
{
    static const char *const keys[] = {"yx/0/c/2/0", "yx/0/c/2/1", "yx/0/c/2/2"};
    char path[3][PATH_MAX], away[PATH_MAX];
    ngff_reader *reader = sample_open_with(&samples[0], "MISSING_CHUNKS=FILL");
    ngff_reader_set_cache(reader, 2 * (256 + 256));
    read_pixel(reader, 16, 0);
    read_pixel(reader, 16, 16);
    read_pixel(reader, 16, 0);
    read_pixel(reader, 16, 32);
    for (int i = 0; i < 3; i++) {
        object_path(keys[i], path[i]);
        snprintf(away, sizeof away - 1, "%.*s_", PATH_MAX - 3, path[i]);
        CHECK_INT(rename(path[i], away), 0);
    }
    CHECK_INT(read_pixel(reader, 16, 0), model_pixel(16, 0));
    CHECK_INT(read_pixel(reader, 16, 32), model_pixel(16, 32));
    CHECK(model_pixel(16, 16) != 0);
    CHECK_INT(read_pixel(reader, 16, 16), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(away, sizeof away - 1, "%.*s_", PATH_MAX - 3, path[i]);
        CHECK_INT(rename(away, path[i]), 0);
    }
    ngff_reader_free(reader);
}

/* Writes bytes, dense, with their mask or NULL, and opens what came out. */
static ngff_reader *written(const char *name, const int64_t *shape, const char *const *options, const uint8_t *pixels,
                            const uint8_t *mask)
{
    const int64_t origin[2] = {0};
    char path[PATH_MAX];
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    CHECK_INT(ngff_image_set_mask(image, mask != NULL), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, options);
    object_path(name, path);
    ngff_writer *writer = ngff_writer_open(plan, path);
    ngff_writer_write(writer, origin, shape, pixels, NULL, mask, shape[1]);
    CHECK_INT(ngff_writer_close(writer), NGFF_OK);
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    ngff_image_free(image);
    return ngff_reader_open(path);
}

/* A row of chunks that is more than what is kept at first: the first lines show that more would pay, and then all of it
 * is kept. */
static void reading_line_by_line_keeps_a_row_of_chunks(void)
{
    enum { width = 24 * 512, height = 512 };
    int64_t shape[] = {height, width}, origin[] = {0, 0}, extent[] = {1, width};
    uint8_t *pixels = malloc((size_t)width * height), line[width];
    const char *options[] = {"OVERVIEW_COUNT=0", "BLOCKSIZE=512", "LAYOUT=FLAT", NULL};
    char path[PATH_MAX], away[PATH_MAX];
    for (int i = 0; i < width * height; i++)
        pixels[i] = (uint8_t)(i % width % 251 + i / width);
    object_path("wide/0/gone", away);
    ngff_reader *reader = written("wide", shape, options, pixels, NULL);
    for (int y = 0; y < height; y++) {
        origin[0] = y;
        if (y == 2) {
            object_path("wide/0/c", path);
            CHECK_INT(rename(path, away), 0);
        }
        CHECK_INT(ngff_reader_read(reader, 0, origin, extent, line, NULL, 2, NULL, 0), NGFF_OK);
        if (memcmp(line, pixels + (size_t)y * width, width) != 0) {
            CHECK_INT(y, -1);
            break;
        }
    }
    ngff_reader_free(reader);
    free(pixels);
}

/* -- Masks --------------------------------------------------------------------------------------------------------- */

static void boxes_of_a_mask_are_read(void)
{
    int64_t shape[] = {20, 30}, strides[] = {-24, 1};
    uint8_t pixels[20 * 30], mask[20 * 30], got[13 * 24];
    const char *options[] = {"OVERVIEW_COUNT=0", "BLOCKSIZE=8", NULL};
    for (int i = 0; i < 600; i++) {
        pixels[i] = (uint8_t)(i | 1);
        mask[i] = i / 30 * 3 + i % 30 * 7 % 5 < 40 ? 255 : 0;
    }
    ngff_reader *reader = written("masked", shape, options, pixels, mask);
    int64_t from[] = {5, 3}, extent[] = {13, 24};
    CHECK_INT(ngff_reader_has_mask(reader), 1);
    CHECK_INT(ngff_reader_read_mask(reader, 0, from, extent, got + 12 * 24, strides, 2, NULL, 0), NGFF_OK);
    int n_wrong = 0;
    for (int y = 0; y < 13; y++)
        for (int x = 0; x < 24; x++)
            n_wrong += got[(12 - y) * 24 + x] != mask[(y + 5) * 30 + x + 3];
    CHECK_INT(n_wrong, 0);
    CHECK_INT(ngff_reader_read(reader, 0, from, extent, got, NULL, 2, NULL, 0), NGFF_OK);
    CHECK_INT(got[24 + 1], pixels[6 * 30 + 4]);
    from[0] = 8;
    CHECK_INT(ngff_reader_read_mask(reader, 0, from, extent, got, NULL, 2, NULL, 0), NGFF_E_ARGUMENT);
    ngff_reader_free(reader);
}

/* -- Errors -------------------------------------------------------------------------------------------------------- */

static void box_that_is_not_in_the_image_is_refused(void)
{
    static const int64_t boxes[][4] = {{-1, 0, 2, 2}, {0, 50, 1, 4},        {36, 0, 2, 1},
                                       {0, 0, 1, -1}, {INT64_MAX, 0, 1, 1}, {1, 0, INT64_MAX, 1}};
    ngff_reader *reader = sample_open(&samples[0]);
    uint16_t pixels[16] = {0};
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        char message[300] = "";
        CHECK_INT(ngff_reader_read(reader, 0, boxes[i], boxes[i] + 2, pixels, NULL, 2, message, sizeof message),
                  NGFF_E_ARGUMENT);
        CHECK(strstr(message, "yx/0") != NULL);
    }
    int64_t none[] = {0, 0};
    CHECK_INT(ngff_reader_read(reader, 0, none, none, pixels, NULL, 2, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_reader_read(reader, 1, none, none, pixels, NULL, 2, NULL, 0), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_read(reader, -1, none, none, pixels, NULL, 2, NULL, 0), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_read_mask(reader, 0, none, none, (uint8_t *)pixels, NULL, 2, NULL, 0), NGFF_E_ARGUMENT);
    ngff_reader_free(reader);
    reader = ngff_reader_open("/nothing/here");
    CHECK_INT(ngff_reader_read(reader, 0, none, none, pixels, NULL, 2, NULL, 0), NGFF_E_NOT_FOUND);
    ngff_reader_free(reader);
}

/* Two chunks are damaged: with any number of threads the error names the first of them, and a box that meets neither
 * is read by the same reader. */
static void first_damaged_chunk_is_named(void)
{
    sample damaged = samples[0];
    damaged.name = "damaged";
    sample_write(&damaged);
    object_write("damaged/0/c/2/1", "no zstd frame");
    object_write("damaged/0/c/3/0", "");
    uint16_t pixels[37 * 53];
    int64_t origin[] = {0, 0}, good[] = {16, 53}, part[] = {17, 1}, part_extent[] = {2, 40};
    for (int n_threads = 0; n_threads < 6; n_threads++) {
        ngff_reader *reader = sample_open(&damaged);
        for (int i = 0; i < 20; i++) {
            char message[1000] = "";
            CHECK_INT(
                ngff_reader_read(reader, 0, origin, damaged.shape, pixels, NULL, n_threads, message, sizeof message),
                NGFF_E_CORRUPT);
            CHECK(strstr(message, "damaged/0/c/2/1") != NULL);
            /* Met in part, it is not kept as if it were good. */
            CHECK_INT(ngff_reader_read(reader, 0, part, part_extent, pixels, NULL, n_threads, message, sizeof message),
                      NGFF_E_CORRUPT);
            CHECK_INT(ngff_reader_read(reader, 0, origin, good, pixels, NULL, n_threads, NULL, 0), NGFF_OK);
            CHECK_INT(pixels[3 * 53 + 5], model_pixel(3, 5));
        }
        ngff_reader_free(reader);
    }
}

/* -- All ----------------------------------------------------------------------------------------------------------- */

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

static const store_ops *own_ops;
static int n_chunk_reads;

static int32_t count_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                          int *is_there, error *e)
{
    n_chunk_reads += strstr(key, "/c/") != NULL;
    return own_ops->find(s, key, offset, n, bytes, n_read, is_there, e);
}

static int32_t count_find_into(store *s, const char *key, int64_t offset, void *bytes, size_t room, uint64_t *n_there,
                               int *is_there, error *e)
{
    n_chunk_reads += strstr(key, "/c/") != NULL;
    return own_ops->find_into(s, key, offset, bytes, room, n_there, is_there, e);
}

/* 16 chunks of 16 planes lie under a plane: 128 MiB of pixels, of which the last plane is asked for after the first. */
static void planes_are_read_from_deep_chunks_without_decoding_them_for_each(void)
{
    enum { n = 32, side = 2048, n_chunks = 16 };
    const int64_t shape[] = {n, side, side}, extent[] = {1, side, side};
    const char *const options[] = {"BLOCKSIZE=16,512,512", "OVERVIEWS=NONE", "NUM_THREADS=1", "COMPRESS=ZSTD", NULL};
    char path[PATH_MAX + 16];
    static uint16_t plane[side * side];
    snprintf(path, sizeof path, "%s/planes", folder);
    ngff_image *image = ngff_image_create("zyx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_set_source(plan, extent, 1), NGFF_OK);
    ngff_writer *writer = ngff_writer_open(plan, path);
    for (int64_t z = 0; z < n; z++) {
        for (int i = 0; i < side * side; i++)
            plane[i] = (uint16_t)(z + 1);
        CHECK_INT(ngff_writer_write(writer, (const int64_t[]){z, 0, 0}, extent, plane, NULL, NULL, 0), NGFF_OK);
    }
    CHECK_INT(ngff_writer_close(writer), NGFF_OK);
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    ngff_image_free(image);
    ngff_reader *reader = ngff_reader_open(path);
    store_ops counting = *(own_ops = reader->store->ops);
    counting.find = count_find;
    counting.find_into = own_ops->find_into ? count_find_into : NULL;
    reader->store->ops = &counting;
    for (int64_t z = 0; z < n; z++) {
        CHECK_INT(ngff_reader_read(reader, 0, (const int64_t[]){z, 0, 0}, extent, plane, NULL, 1, NULL, 0), NGFF_OK);
        CHECK(plane[0] == z + 1 && plane[side * side - 1] == z + 1);
    }
    CHECK(n_chunk_reads >= 2 * n_chunks && n_chunk_reads <= 3 * n_chunks);
    reader->store->ops = own_ops;
    ngff_reader_free(reader);
}

int main(void)
{
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/ngff-region-XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    for (int i = 0; i < n_samples; i++)
        sample_write(&samples[i]);
    RUN(random_boxes_are_right_with_any_number_of_threads);
    RUN(random_boxes_are_right_with_any_cache);
    RUN(many_threads_read_boxes_from_one_reader);
    RUN(chunk_met_in_part_is_decoded_once_until_it_is_forgotten);
    RUN(oldest_chunk_is_dropped_first);
    RUN(reading_line_by_line_keeps_a_row_of_chunks);
    RUN(planes_are_read_from_deep_chunks_without_decoding_them_for_each);
    RUN(boxes_of_a_mask_are_read);
    RUN(box_that_is_not_in_the_image_is_refused);
    RUN(first_damaged_chunk_is_named);
    nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    CHECK_EXIT();
}
