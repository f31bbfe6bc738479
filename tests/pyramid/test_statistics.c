/* test_statistics.c: summaries of channels against sums and sorted values by plain loops. */
#include "pyramid/statistics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

typedef struct {
    ngff_plan *plan;
    statistics *statistics;
    uint8_t *pixels; /* level 0, dense */
    const uint8_t *mask;
    const channel_summary *summaries;
} subject;

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})
#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static subject make_subject(ngff_image *image, const char *const *options)
{
    subject s = {.plan = ngff_plan_create(image, options)};
    CHECK_INT(ngff_plan_status(s.plan), NGFF_OK);
    s.statistics = statistics_create(s.plan);
    s.pixels = calloc((size_t)product_checked(image->shape, image->rank), (size_t)image->type->size);
    ngff_image_free(image);
    return s;
}

static void free_subject(subject *s)
{
    statistics_free(s->statistics);
    ngff_plan_free(s->plan);
    free(s->pixels);
}

/* Cell number n of level 0, as the cascade would hand it over. */
static void add_cell(subject *s, int64_t n)
{
    const level *at = &s->plan->levels[0];
    int rank = s->plan->image->rank;
    int64_t size = s->plan->image->type->size, strides[MAX_RANK], zero[MAX_RANK] = {0}, origin[MAX_RANK];
    cell c = {.level = 0};
    error e = {0};
    for (int i = rank; i-- > 0; n /= at->cell_grid[i]) {
        c.index[i] = n % at->cell_grid[i];
        origin[i] = c.index[i] * at->cell[i];
    }
    box b = box_make(rank, origin, at->cell), whole = box_make(rank, NULL, at->shape);
    c.box = box_intersect(&b, &whole);
    strides_dense(rank, at->cell, size, c.strides);
    strides_dense(rank, at->shape, size, strides);
    c.pixels = malloc((size_t)(product_checked(at->cell, rank) * size));
    memset(c.pixels, 0xAB, (size_t)(product_checked(at->cell, rank) * size)); /* padding must not count */
    pixels_copy(rank, c.box.extent, size, c.pixels, c.strides, s->pixels + strides_offset(rank, strides, zero, origin),
                strides);
    if (s->mask) {
        c.mask = calloc((size_t)(at->cell[rank - 1] * at->cell[rank - 2]), 1);
        for (int64_t y = 0; y < c.box.extent[rank - 2]; y++)
            memcpy(c.mask + y * at->cell[rank - 1],
                   s->mask + (origin[rank - 2] + y) * at->shape[rank - 1] + origin[rank - 1],
                   (size_t)c.box.extent[rank - 1]);
    }
    CHECK_INT(statistics_add(s->statistics, &c, &e), NGFF_OK);
    free(c.pixels);
    free(c.mask);
}

static int64_t cell_count(const subject *s)
{
    return product_checked(s->plan->levels[0].cell_grid, s->plan->image->rank);
}

/* Reads any level as level 0 thinned out: what the values are does not matter here, that they are valid does. */
static int32_t read_chunk(void *user, int l, const int64_t *index, void *pixels, error *e)
{
    subject *s = user;
    const level *at = &s->plan->levels[l];
    int rank = s->plan->image->rank;
    int64_t size = s->plan->image->type->size, strides[MAX_RANK], zero[MAX_RANK] = {0}, step[MAX_RANK] = {0};
    (void)e;
    strides_dense(rank, s->plan->levels[0].shape, size, strides);
    for (int64_t i = 0; i < product_checked(at->chunk, rank); i++) {
        int64_t position[MAX_RANK];
        for (int k = 0; k < rank; k++)
            position[k] = min_i64((index[k] * at->chunk[k] + step[k]) * at->factor[k], s->plan->levels[0].shape[k] - 1);
        memcpy((char *)pixels + i * size, s->pixels + strides_offset(rank, strides, zero, position), (size_t)size);
        for (int k = rank - 1; k >= 0 && ++step[k] == at->chunk[k]; k--)
            step[k] = 0;
    }
    return NGFF_OK;
}

static int32_t read_mask(void *user, int l, const int64_t *index, uint8_t *mask, error *e)
{
    subject *s = user;
    const level *at = &s->plan->levels[l], *base = &s->plan->levels[0];
    int y = s->plan->image->rank - 2, x = y + 1;
    (void)e;
    for (int64_t i = 0; i < at->chunk[y] * at->chunk[x]; i++) {
        int64_t row = (index[y] * at->chunk[y] + i / at->chunk[x]) * at->factor[y];
        int64_t column = (index[x] * at->chunk[x] + i % at->chunk[x]) * at->factor[x];
        mask[i] = s->mask[min_i64(row, base->shape[y] - 1) * base->shape[x] + min_i64(column, base->shape[x] - 1)];
    }
    return NGFF_OK;
}

static void finish(subject *s)
{
    error e = {0};
    chunk_source from = {s, read_chunk, read_mask};
    CHECK_INT(statistics_finish(s->statistics, &from, &s->summaries, &e), NGFF_OK);
}

static void add_all(subject *s)
{
    for (int64_t n = 0; n < cell_count(s); n++)
        add_cell(s, n);
    finish(s);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* numpy's percentile of unsorted values: linear between the two nearest ranks. */
static double percentile(double *values, int64_t n, double share)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    double rank = share * (double)(n - 1), below = floor(rank);
    double a = values[(int64_t)below], b = values[below + 1 < (double)n ? (int64_t)below + 1 : n - 1];
    return a + (b - a) * (rank - below);
}

static int is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

static uint32_t noise(int64_t i)
{
    uint64_t a = (uint64_t)i * 0x9E3779B97F4A7C15u + 12345;
    a = (a ^ a >> 29) * 0xBF58476D1CE4E5B9u;
    return (uint32_t)(a >> 33);
}

static void four_pixels_by_hand(void)
{
    static const uint8_t values[] = {1, 2, 3, 10};
    subject s = make_subject(ngff_image_create("yx", SHAPE(2, 2), NGFF_UINT8), NULL);
    memcpy(s.pixels, values, 4);
    add_all(&s);
    const channel_summary *c = s.summaries;
    CHECK(c->has_statistics && c->n_valid == 4 && c->min == 1 && c->max == 10 && c->mean == 4);
    CHECK(is_near(c->std_dev, sqrt(12.5))); /* (9 + 4 + 1 + 36) / 4 */
    CHECK(is_near(c->start, 1.06) && is_near(c->end, 9.58));
    CHECK(c->low == 0 && c->high == 255);
    free_subject(&s);
}

/* Moments of floating-point numbers are kept per chunk, of each channel in it. */
static void channels_in_one_chunk_have_moments_of_their_own(void)
{
    subject s = make_subject(ngff_image_create("cyx", SHAPE(3, 4, 4), NGFF_FLOAT32), OPTIONS("BLOCKSIZE=c:2,y:2,x:4"));
    for (int i = 0; i < 48; i++)
        memcpy(s.pixels + 4 * i, &(float){(float)(10 * (i / 16 + 1) + (i % 2 ? 1 : -1))}, 4);
    add_all(&s);
    for (int k = 0; k < 3; k++)
        CHECK(is_near(s.summaries[k].mean, 10 * (k + 1)) && is_near(s.summaries[k].std_dev, 1));
    free_subject(&s);
}

static void nodata_and_mask_do_not_count(void)
{
    static const uint16_t values[] = {7, 100, 7, 200, 300, 7}, seven = 7;
    static const uint8_t mask[] = {1, 1, 1, 0, 1, 1};
    ngff_image *image = ngff_image_create("yx", SHAPE(2, 3), NGFF_UINT16);
    ngff_image_set_nodata(image, -1, &seven);
    ngff_image_set_mask(image, 1);
    subject s = make_subject(image, OPTIONS("BLOCKSIZE=2"));
    memcpy(s.pixels, values, sizeof values);
    s.mask = mask;
    add_all(&s);
    CHECK(s.summaries->n_valid == 2 && s.summaries->min == 100 && s.summaries->max == 300);
    CHECK(s.summaries->mean == 200 && s.summaries->std_dev == 100);
    CHECK(s.summaries->low == 100 && s.summaries->high == 300);
    free_subject(&s);
}

static void many_pixels_equal_plain_loops_and_any_order_gives_the_same_bits(void)
{
    static const int32_t types[] = {NGFF_UINT8, NGFF_INT16, NGFF_FLOAT32, NGFF_FLOAT64, NGFF_INT32};
    for (int t = 0; t < 5; t++) {
        ngff_image *first = ngff_image_create("cyx", SHAPE(2, 90, 70), types[t]);
        ngff_image *second = ngff_image_create("cyx", SHAPE(2, 90, 70), types[t]);
        subject s = make_subject(first, OPTIONS("BLOCKSIZE=16", "OVERVIEWS=NONE"));
        subject reverse = make_subject(second, OPTIONS("BLOCKSIZE=16", "OVERVIEWS=NONE"));
        static double values[6300];
        for (int64_t i = 0; i < 2 * 6300; i++) {
            double v = types[t] == NGFF_UINT8 ? noise(i) % 200 : (double)(noise(i) % 20001) - 10000;
            v = types[t] == NGFF_FLOAT32 || types[t] == NGFF_FLOAT64 ? v / 8 : v;
            CHECK(dtype_from_double(types[t], v, s.pixels + i * ngff_type_size(types[t])));
        }
        memcpy(reverse.pixels, s.pixels, (size_t)(2 * 6300 * ngff_type_size(types[t])));
        add_all(&s);
        for (int64_t n = cell_count(&reverse); n-- > 0;)
            add_cell(&reverse, n);
        finish(&reverse);
        for (int k = 0; k < 2; k++) {
            double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
            for (int i = 0; i < 6300; i++) {
                values[i] = dtype_to_double(types[t], s.pixels + (k * 6300 + i) * ngff_type_size(types[t]));
                sum += values[i];
                low = fmin(low, values[i]);
                high = fmax(high, values[i]);
            }
            for (int i = 0; i < 6300; i++)
                squares += (values[i] - sum / 6300) * (values[i] - sum / 6300);
            const channel_summary *c = &s.summaries[k];
            CHECK(c->n_valid == 6300 && c->min == low && c->max == high && is_near(c->mean, sum / 6300));
            CHECK(fabs(c->std_dev - sqrt(squares / 6300)) < 1e-6 * c->std_dev);
            CHECK(is_near(c->start, percentile(values, 6300, 0.02)));
            CHECK(is_near(c->end, percentile(values, 6300, 0.98)));
        }
        CHECK(memcmp(s.summaries, reverse.summaries, 2 * sizeof *s.summaries) == 0);
        free_subject(&s);
        free_subject(&reverse);
    }
}

/* Level 0 is the only one. Where the mask or alpha is 0, values lie far outside. */
static void hidden_pixels_of_wide_types_are_in_no_window(void)
{
    enum { width = 40, height = 30, n = width * height };
    static double values[n];
    static uint8_t mask[n];
    for (int t = 0; t < 2; t++) {
        int32_t type = t ? NGFF_INT32 : NGFF_FLOAT32;
        for (int chunk_c = 0; chunk_c < 3; chunk_c++) { /* 0: a mask; else alpha in chunks of 1 or 2 channels */
            ngff_image *image = ngff_image_create("cyx", SHAPE(2, height, width), type);
            int64_t n_valid = 0;
            if (chunk_c == 0)
                ngff_image_set_mask(image, 1);
            else
                ngff_image_set_alpha(image, 1);
            subject s = make_subject(
                image, OPTIONS(chunk_c == 2 ? "BLOCKSIZE=2,16,16" : "BLOCKSIZE=1,16,16", "OVERVIEWS=NONE"));
            s.mask = mask;
            for (int i = 0; i < n; i++) {
                mask[i] = noise(i) % 3 ? 255 : 0;
                double v = mask[i] ? noise(i + n) % 1000 : 1e6;
                if (mask[i])
                    values[n_valid++] = v;
                CHECK(dtype_from_double(type, v, s.pixels + i * 4));
                CHECK(dtype_from_double(type, chunk_c ? mask[i] : 7, s.pixels + (n + i) * 4));
            }
            finish(&s);
            CHECK(is_near(s.summaries[0].start, percentile(values, n_valid, 0.02)));
            CHECK(is_near(s.summaries[0].end, percentile(values, n_valid, 0.98)));
            free_subject(&s);
        }
    }
}

static void window_is_never_empty(void)
{
    static const float nan = NAN;
    subject s = make_subject(ngff_image_create("yx", SHAPE(4, 4), NGFF_UINT16), NULL);
    for (int i = 0; i < 16; i++)
        memcpy(s.pixels + 2 * i, &(uint16_t){5}, 2);
    add_all(&s);
    CHECK(s.summaries->start == 5 && s.summaries->end == 6 && s.summaries->low == 5 && s.summaries->high == 6);
    CHECK(s.summaries->std_dev == 0);
    free_subject(&s);
    s = make_subject(ngff_image_create("yx", SHAPE(4, 4), NGFF_FLOAT32), NULL);
    for (int i = 0; i < 16; i++)
        memcpy(s.pixels + 4 * i, &nan, 4);
    add_all(&s);
    CHECK(s.summaries->n_valid == 0 && !s.summaries->has_statistics);
    CHECK(s.summaries->start == 0 && s.summaries->end == 1 && s.summaries->low == 0 && s.summaries->high == 1);
    free_subject(&s);
}

static ngff_image *rgb_image(int32_t type, int64_t n)
{
    ngff_image *image = ngff_image_create("cyx", SHAPE(n, 10, 10), type);
    ngff_image_set_kind(image, NGFF_KIND_RGB);
    return image;
}

static void red_green_and_blue_share_one_window(void)
{
    static double values[300];
    subject s = make_subject(rgb_image(NGFF_UINT8, 3), NULL);
    add_all(&s);
    for (int k = 0; k < 3; k++)
        CHECK(s.summaries[k].start == 0 && s.summaries[k].end == 255);
    free_subject(&s);
    for (int t = 0; t < 2; t++) {
        int32_t type = t ? NGFF_FLOAT32 : NGFF_UINT16;
        s = make_subject(rgb_image(type, 4), NULL);
        for (int i = 0; i < 400; i++)
            CHECK(dtype_from_double(type, noise(i) % 1000 + i, s.pixels + i * ngff_type_size(type)));
        for (int i = 0; i < 300; i++)
            values[i] = noise(i) % 1000 + i;
        add_all(&s);
        for (int k = 0; k < 3; k++) {
            CHECK(is_near(s.summaries[k].start, percentile(values, 300, 0.02)));
            CHECK(is_near(s.summaries[k].end, percentile(values, 300, 0.98)));
            CHECK(s.summaries[k].low <= s.summaries[k].start && s.summaries[k].end <= s.summaries[k].high);
        }
        CHECK(s.summaries[3].start >= 300);
        free_subject(&s);
        /* red has a window of its own: green and blue share the rest */
        ngff_image *image = rgb_image(type, 3);
        ngff_image_set_window(image, 0, 1, 2);
        ngff_image_set_range(image, 0, -3, 9000);
        s = make_subject(image, NULL);
        for (int i = 0; i < 300; i++)
            CHECK(dtype_from_double(type, noise(i) % 1000, s.pixels + i * ngff_type_size(type)));
        for (int i = 0; i < 200; i++)
            values[i] = noise(i + 100) % 1000;
        add_all(&s);
        CHECK(s.summaries[0].start == 1 && s.summaries[0].end == 2);
        CHECK(s.summaries[0].low == -3 && s.summaries[0].high == 9000);
        CHECK(is_near(s.summaries[1].start, percentile(values, 200, 0.02)));
        CHECK(is_near(s.summaries[2].end, percentile(values, 200, 0.98)));
        free_subject(&s);
    }
}

static void window_option_chooses_the_range(void)
{
    static const struct {
        const char *option;
        double start, end;
    } cases[] = {{"WINDOW=DTYPE", -32768, 32767}, {"WINDOW=MINMAX", -5, 20}, {"WINDOW=3:9", 3, 9}};
    for (int i = 0; i < 3; i++) {
        subject s = make_subject(ngff_image_create("yx", SHAPE(1, 3), NGFF_INT16), OPTIONS(cases[i].option));
        memcpy(s.pixels, ((int16_t[]){-5, 20, 1}), 6);
        add_all(&s);
        CHECK(s.summaries->start == cases[i].start && s.summaries->end == cases[i].end);
        free_subject(&s);
    }
}

static void statistics_can_be_left_out_but_windows_stay(void)
{
    subject s = make_subject(ngff_image_create("yx", SHAPE(1, 3), NGFF_INT16), OPTIONS("STATISTICS=NO"));
    memcpy(s.pixels, ((int16_t[]){-5, 20, 1}), 6);
    add_all(&s);
    CHECK(!s.summaries->has_statistics && s.summaries->low == -5 && s.summaries->high == 20);
    free_subject(&s);
    s = make_subject(ngff_image_create("yx", SHAPE(4, 4), NGFF_COMPLEX64), NULL);
    add_all(&s);
    CHECK(s.summaries == NULL);
    free_subject(&s);
    s = make_subject(ngff_image_create("cyx", SHAPE(300, 4, 4), NGFF_UINT8), NULL);
    add_all(&s);
    CHECK(s.summaries && s.summaries[299].has_statistics && s.summaries[299].n_valid == 16);
    free_subject(&s);
    s = make_subject(ngff_image_create("cyx", SHAPE(300, 4, 4), NGFF_UINT8), OPTIONS("STATISTICS=NO"));
    add_all(&s);
    CHECK(s.summaries == NULL);
    free_subject(&s);
}

/* 8 x 8 in chunks of 4; three of the four chunks never come. */
static void pixels_that_nobody_wrote_count_as_what_they_read_as(void)
{
    static const int32_t types[] = {NGFF_UINT8, NGFF_INT16, NGFF_FLOAT32};
    for (int t = 0; t < 3; t++)
        for (int has_nodata = 0; has_nodata < 2; has_nodata++) {
            uint8_t one[8];
            ngff_image *image = ngff_image_create("yx", SHAPE(8, 8), types[t]);
            CHECK(dtype_from_double(types[t], 1, one));
            if (has_nodata)
                ngff_image_set_nodata(image, 0, one);
            subject s = make_subject(image, OPTIONS("BLOCKSIZE=4", "OVERVIEWS=NONE"));
            for (int y = 0; y < 8; y++)
                for (int x = 0; x < 8; x++) {
                    double v = y < 4 && x < 4 ? 50 : has_nodata;
                    CHECK(dtype_from_double(types[t], v, s.pixels + (8 * y + x) * ngff_type_size(types[t])));
                }
            add_cell(&s, 0);
            finish(&s);
            CHECK_INT(s.summaries->n_valid, has_nodata ? 16 : 64);
            CHECK(s.summaries->min == (has_nodata ? 50 : 0) && s.summaries->max == 50);
            CHECK(s.summaries->mean == (has_nodata ? 50 : 12.5));
            CHECK(s.summaries->start == (has_nodata ? 50 : 0) && s.summaries->end == (has_nodata ? 51 : 50));
            free_subject(&s);
        }
}

/* Without overviews the only level is large; a sample of it does. */
static void large_levels_are_sampled_evenly(void)
{
    subject s = make_subject(ngff_image_create("yx", SHAPE(1500, 1500), NGFF_FLOAT32),
                             OPTIONS("OVERVIEWS=NONE", "BLOCKSIZE=256"));
    for (int64_t i = 0; i < 1500 * 1500; i++)
        memcpy(s.pixels + 4 * i, &(float){(float)(noise(i) % 100000)}, 4);
    add_all(&s);
    CHECK(fabs(s.summaries->start - 2000) < 200 && fabs(s.summaries->end - 98000) < 200);
    CHECK_INT(s.summaries->n_valid, 1500 * 1500);
    free_subject(&s);
}

/* Every third row, over t, z and y, is 10, the others are 200: what is counted is seen in the window. Blocks may hold
 * several planes. */
static void beyond_two_to_the_25_every_third_row_is_counted(void)
{
    static const struct {
        const char *dims, *block, *window;
        double end;
    } cases[] = {{"zyx", "BLOCKSIZE=1,500,512", "WINDOW=AUTO", 11},
                 {"zyx", "BLOCKSIZE=2,500,512", "WINDOW=AUTO", 11},
                 {"tyx", "BLOCKSIZE=2,500,512", "WINDOW=AUTO", 11},
                 {"zyx", "BLOCKSIZE=1,500,512", "WINDOW=PERCENTILE", 200}};
    const int64_t height = 4097, width = 4099;
    for (int i = 0; i < 4; i++) {
        subject s = make_subject(ngff_image_create(cases[i].dims, SHAPE(2, height, width), NGFF_UINT8),
                                 OPTIONS(cases[i].block, cases[i].window));
        for (int64_t row = 0; row < 2 * height; row++)
            memset(s.pixels + row * width, row % 3 == 0 ? 10 : 200, (size_t)width);
        add_all(&s);
        CHECK(s.summaries->start == 10 && s.summaries->end == cases[i].end);
        free_subject(&s);
    }
}

/* The same where a mask hides the lower half, which alone is bright. */
static void beyond_two_to_the_25_hidden_rows_are_not_counted(void)
{
    const int64_t height = 6001, width = 6001;
    uint8_t *mask = calloc((size_t)(height * width), 1);
    memset(mask, 255, (size_t)(height / 2 * width));
    ngff_image *image = ngff_image_create("yx", SHAPE(height, width), NGFF_UINT8);
    ngff_image_set_mask(image, 1);
    subject s = make_subject(image, OPTIONS("BLOCKSIZE=512", "OVERVIEWS=NONE"));
    s.mask = mask;
    memset(s.pixels, 10, (size_t)(height / 2 * width));
    memset(s.pixels + height / 2 * width, 200, (size_t)((height - height / 2) * width));
    add_all(&s);
    CHECK(s.summaries->start == 10 && s.summaries->end == 11);
    CHECK_INT(s.summaries->n_valid, height / 2 * width);
    free_subject(&s);
    free(mask);
}

static void rgb_bytes_are_stretched_only_when_asked(void)
{
    subject s = make_subject(rgb_image(NGFF_UINT8, 3), OPTIONS("WINDOW=PERCENTILE"));
    for (int i = 0; i < 300; i++)
        s.pixels[i] = (uint8_t)(100 + i % 2);
    add_all(&s);
    CHECK(s.summaries[1].start == 100 && s.summaries[1].end == 101);
    free_subject(&s);
}

typedef struct {
    subject *subject;
    int64_t first;
} share;

static void *add_every_fourth(void *argument)
{
    share *mine = argument;
    for (int64_t n = mine->first; n < cell_count(mine->subject); n += 4)
        add_cell(mine->subject, n);
    return NULL;
}

static void threads_give_the_same_bits(void)
{
    for (int t = 0; t < 2; t++) {
        int32_t type = t ? NGFF_FLOAT64 : NGFF_UINT16;
        subject one = make_subject(ngff_image_create("yx", SHAPE(128, 128), type), OPTIONS("BLOCKSIZE=8"));
        subject four = make_subject(ngff_image_create("yx", SHAPE(128, 128), type), OPTIONS("BLOCKSIZE=8"));
        for (int64_t i = 0; i < 128 * 128; i++)
            CHECK(dtype_from_double(type, noise(i) % 5000, one.pixels + i * ngff_type_size(type)));
        memcpy(four.pixels, one.pixels, (size_t)(128 * 128 * ngff_type_size(type)));
        pthread_t threads[4];
        share shares[4];
        for (int i = 0; i < 4; i++) {
            shares[i] = (share){&four, i};
            pthread_create(&threads[i], NULL, add_every_fourth, &shares[i]);
        }
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        finish(&four);
        add_all(&one);
        CHECK(memcmp(one.summaries, four.summaries, sizeof *one.summaries) == 0);
        free_subject(&one);
        free_subject(&four);
    }
}

int main(void)
{
    RUN(four_pixels_by_hand);
    RUN(channels_in_one_chunk_have_moments_of_their_own);
    RUN(nodata_and_mask_do_not_count);
    RUN(many_pixels_equal_plain_loops_and_any_order_gives_the_same_bits);
    RUN(hidden_pixels_of_wide_types_are_in_no_window);
    RUN(window_is_never_empty);
    RUN(red_green_and_blue_share_one_window);
    RUN(window_option_chooses_the_range);
    RUN(statistics_can_be_left_out_but_windows_stay);
    RUN(pixels_that_nobody_wrote_count_as_what_they_read_as);
    RUN(large_levels_are_sampled_evenly);
    RUN(beyond_two_to_the_25_every_third_row_is_counted);
    RUN(beyond_two_to_the_25_hidden_rows_are_not_counted);
    RUN(rgb_bytes_are_stretched_only_when_asked);
    RUN(threads_give_the_same_bits);
    CHECK_EXIT();
}
