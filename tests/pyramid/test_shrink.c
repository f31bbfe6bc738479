/* Window reducers: values worked out by hand. tests/golden/check_reduce.py has the many cases. */
#include "check.h"
#include "reducing.h"

#include <math.h>
#include <stdlib.h>

#define REDUCE(how, ...)                                                                                               \
    do {                                                                                                               \
        reducing how_ = how;                                                                                           \
        CHECK_INT(reduce_dense(&how_, __VA_ARGS__), NGFF_OK);                                                          \
    } while (0)

static void means_are_rounded_half_up_also_below_zero(void)
{
    const int16_t from[2][8] = {{1, 2, -1, -2, 0, -1, -3, -3}, {1, 2, -1, -2, 0, -1, -3, -4}};
    int16_t to[4];
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_INT16, .rank = 2, .shape = {2, 8}, .ratio = {2, 2}};
    REDUCE(how, from, to);
    CHECK_INT(to[0], 2);  /* 1.5 */
    CHECK_INT(to[1], -1); /* -1.5 */
    CHECK_INT(to[2], 0);  /* -0.5 */
    CHECK_INT(to[3], -3); /* -3.25 */
}

static void a_mean_by_three_is_rounded_half_up(void)
{
    const int8_t from[] = {-1, -1, -3, 1, 1, 3, -128, -128, -127};
    int8_t to[3];
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_INT8, .rank = 1, .shape = {9}, .ratio = {3}};
    REDUCE(how, from, to);
    CHECK_INT(to[0], -2);   /* -1.67 */
    CHECK_INT(to[1], 2);    /* 1.67 */
    CHECK_INT(to[2], -128); /* -127.67 */
}

static void large_integers_are_exact(void)
{
    const uint32_t from32[2][4] = {{2000000000, 2000000000, 4294967295u, 4294967295u},
                                   {2000000000, 2000000001, 4294967295u, 4294967293u}};
    uint32_t to32[2];
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_UINT32, .rank = 2, .shape = {2, 4}, .ratio = {2, 2}};
    REDUCE(how, from32, to32);
    CHECK(to32[0] == 2000000000u);
    CHECK(to32[1] == 4294967295u); /* 4294967294.5 */

    const uint64_t from64[2][4] = {{9007199254740993u, 9007199254740993u, UINT64_MAX, UINT64_MAX},
                                   {9007199254740993u, 9007199254740995u, UINT64_MAX, UINT64_MAX - 4}};
    uint64_t to64[2];
    how.type = NGFF_UINT64;
    REDUCE(how, from64, to64);
    CHECK(to64[0] == 9007199254740994u); /* ...993.5 */
    CHECK(to64[1] == UINT64_MAX - 1);

    const int64_t signed64[3] = {INT64_MIN, INT64_MIN, INT64_MIN + 1};
    int64_t to_signed;
    how = (reducing){.resampling = REDUCE_AVERAGE, .type = NGFF_INT64, .rank = 1, .shape = {3}, .ratio = {3}};
    REDUCE(how, signed64, &to_signed);
    CHECK(to_signed == INT64_MIN); /* + 1/3 */
}

static void nodata_is_left_out_and_never_made(void)
{
    const uint8_t from[2][10] = {{10, 0, 0, 0, 7, 9, 255, 0, 0, 1}, {0, 11, 0, 0, 8, 8, 0, 0, 0, 0}}, nodata = 0;
    uint8_t to[5];
    reducing how = {.resampling = REDUCE_AVERAGE,
                    .type = NGFF_UINT8,
                    .rank = 2,
                    .shape = {2, 10},
                    .ratio = {2, 2},
                    .nodata = &nodata};
    REDUCE(how, from, to);
    CHECK_INT(to[0], 11); /* (10 + 11) / 2 */
    CHECK_INT(to[1], 0);  /* no valid child */
    CHECK_INT(to[2], 8);
    CHECK_INT(to[3], 255);
    CHECK_INT(to[4], 1);

    const uint8_t seven[2][2] = {{6, 8}, {6, 8}}, skip = 7, around[2][2] = {{254, 254}, {254, 254}}, top = 255;
    how.shape[1] = 2;
    how.nodata = &skip;
    REDUCE(how, seven, to);
    CHECK_INT(to[0], 8); /* the mean 7 would read as nodata: the next value */
    how.nodata = &top;
    REDUCE(how, around, to);
    CHECK_INT(to[0], 254);
}

static void a_mean_equal_to_the_largest_value_as_nodata_goes_down(void)
{
    /* RMS of -128 is 128, clipped to 127, which is nodata. */
    const int8_t from[2] = {-128, -128}, nodata = 127;
    int8_t to;
    reducing how = {
        .resampling = REDUCE_RMS, .type = NGFF_INT8, .rank = 1, .shape = {2}, .ratio = {2}, .nodata = &nodata};
    REDUCE(how, from, &to);
    CHECK_INT(to, 126);
}

static void nan_is_nodata_and_infinity_is_a_value(void)
{
    const float from[2][8] = {{1, NAN, NAN, NAN, INFINITY, 1, -1, 1}, {2, 3, NAN, NAN, 1, 1, -1, 1}}, zero = 0;
    float to[4], empty = NAN;
    reducing how = {.resampling = REDUCE_AVERAGE,
                    .type = NGFF_FLOAT32,
                    .rank = 2,
                    .shape = {2, 8},
                    .ratio = {2, 2},
                    .empty = &empty};
    REDUCE(how, from, to);
    CHECK(to[0] == 2);
    CHECK(isnan(to[1]));
    CHECK(to[2] == INFINITY);
    CHECK(to[3] == 0);
    how.nodata = &zero;
    REDUCE(how, from, to);
    CHECK(to[3] > 0 && to[3] < 1e-44f); /* the smallest number above 0 */
}

static void float_sums_are_rounded_once(void)
{
    /* In float32 100000000 + 1 + 1 + 1 would lose the ones. */
    const float from[4] = {100000000, 3, 3, 2};
    float to;
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_FLOAT32, .rank = 1, .shape = {4}, .ratio = {4}};
    REDUCE(how, from, &to);
    CHECK(to == 25000002.0f);
}

static void edge_windows_reduce_what_exists(void)
{
    const uint16_t from[3][5] = {{1, 3, 10, 20, 100}, {5, 7, 30, 40, 200}, {9, 10, 1, 2, 65535}};
    uint16_t to[2][3];
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_UINT16, .rank = 2, .shape = {3, 5}, .ratio = {2, 2}};
    REDUCE(how, from, to);
    CHECK_INT(to[0][0], 4);
    CHECK_INT(to[0][2], 150);
    CHECK_INT(to[1][0], 10); /* 9.5 */
    CHECK_INT(to[1][1], 2);  /* 1.5 */
    CHECK_INT(to[1][2], 65535);
    how.resampling = REDUCE_NEAREST;
    how.ratio[0] = how.ratio[1] = 3;
    REDUCE(how, from, to);
    CHECK_INT(to[0][0], 7);   /* the centre */
    CHECK_INT(to[0][1], 200); /* column 4 is the centre of 3..5 */
}

static void masked_pixels_do_not_count(void)
{
    const uint8_t from[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}}, mask[2][4] = {{0, 255, 0, 0}, {0, 1, 0, 0}}, empty = 99;
    uint8_t to[2];
    reducing how = {.resampling = REDUCE_AVERAGE,
                    .type = NGFF_UINT8,
                    .rank = 2,
                    .shape = {2, 4},
                    .ratio = {2, 2},
                    .mask = mask[0],
                    .empty = &empty};
    REDUCE(how, from, to);
    CHECK_INT(to[0], 4);
    CHECK_INT(to[1], 99);
    how.resampling = REDUCE_MAX;
    REDUCE(how, from, to);
    CHECK_INT(to[0], 6);
    how.resampling = REDUCE_NEAREST; /* a plain copy */
    REDUCE(how, from, to);
    CHECK_INT(to[0], 1);
}

static void mode_takes_the_most_frequent_and_the_smallest_on_ties(void)
{
    const uint8_t from[2][6] = {{3, 3, 9, 2, 4, 4}, {1, 2, 2, 9, 4, 4}}, nodata = 4;
    uint8_t to[3];
    reducing how = {.resampling = REDUCE_MODE, .type = NGFF_UINT8, .rank = 2, .shape = {2, 6}, .ratio = {2, 2}};
    REDUCE(how, from, to);
    CHECK_INT(to[0], 3);
    CHECK_INT(to[1], 2);
    CHECK_INT(to[2], 4);
    how.nodata = &nodata;
    REDUCE(how, from, to);
    CHECK_INT(to[2], 4); /* empty */
}

static void rms_min_and_max_of_a_window(void)
{
    const int16_t from[4] = {-3, 4, 0, 5};
    int16_t to;
    reducing how = {.resampling = REDUCE_RMS, .type = NGFF_INT16, .rank = 1, .shape = {4}, .ratio = {4}};
    REDUCE(how, from, &to);
    CHECK_INT(to, 4); /* sqrt(50 / 4) = 3.54 */
    how.resampling = REDUCE_MIN;
    REDUCE(how, from, &to);
    CHECK_INT(to, -3);
    how.resampling = REDUCE_MAX;
    REDUCE(how, from, &to);
    CHECK_INT(to, 5);
}

/* -- Every width, by the definition --------------------------------------------------------------------------------- */

enum { widest = 200, n_rows = 3 };

static double number_at(int32_t type, const void *pixels, int64_t i)
{
    return dtype_to_double(type, (const char *)pixels + i * ngff_type_size(type));
}

/* One window: its valid values, which are small integers, or for floats multiples of 1/64. */
static double reduced(int method, int is_float, const double *v, int n)
{
    double sum = 0, best = v[0];
    int most = 0;
    for (int i = 0; i < n; i++) {
        int same = 0;
        for (int k = 0; k < n; k++)
            same += v[k] == v[i];
        sum += method == REDUCE_RMS ? v[i] * v[i] : v[i];
        int is_better = method == REDUCE_MIN   ? v[i] < best
                        : method == REDUCE_MAX ? v[i] > best
                                               : same > most || (same == most && v[i] < best);
        best = is_better ? v[i] : best;
        most = same > most ? same : most;
    }
    double mean = method == REDUCE_RMS ? sqrt(sum / n) : sum / n;
    if (method != REDUCE_AVERAGE && method != REDUCE_RMS)
        return best;
    return is_float ? mean : floor(mean + 0.5);
}

/* The plain loops and those for many pixels at once have rests of their own at each width. */
static void every_width_is_reduced_by_the_definition(void)
{
    static const int methods[] = {REDUCE_AVERAGE, REDUCE_MODE, REDUCE_RMS, REDUCE_MIN, REDUCE_MAX, REDUCE_NEAREST};
    static const int32_t types[] = {NGFF_UINT8, NGFF_INT8,   NGFF_UINT16, NGFF_INT16,   NGFF_UINT32,
                                    NGFF_INT32, NGFF_UINT64, NGFF_INT64,  NGFF_FLOAT32, NGFF_FLOAT64};
    static char from[n_rows * widest * 8], to[n_rows * widest * 8];
    static uint8_t mask[n_rows * widest];
    uint32_t state = 1;
    for (int width = 1; width <= widest; width++)
        for (int turn = 0; turn < 60; turn++) {
            int method = methods[turn % 6], ratio = 2 + turn / 12 % 2, has_nodata = (width + turn) % 2,
                has_mask = turn % 5 == 4;
            int32_t type = types[(turn + width) % 10];
            int is_float = type >= NGFF_FLOAT32, size = ngff_type_size(type);
            double low = is_float ? 0 : dtype_get(type)->class == CLASS_SIGNED ? -120 : 0;
            uint8_t nodata[16];
            CHECK(dtype_from_double(type, 9, nodata));
            for (int i = 0; i < n_rows * width; i++) {
                state = state * 1664525 + 1013904223;
                double v = low + (double)((state >> 9) % 240);
                CHECK(dtype_from_double(type, is_float ? v / 64 + 9 : v, from + i * size));
                if (turn % 3 == 0)
                    memcpy(from + i * size, from, (size_t)(state >> 29 ? 0 : size));
                mask[i] = (state >> 5) % 4 ? 255 : 0;
            }
            reducing how = {.resampling = method,
                            .type = type,
                            .rank = 2,
                            .shape = {n_rows, width},
                            .ratio = {ratio, ratio},
                            .nodata = has_nodata ? nodata : NULL,
                            .mask = has_mask ? mask : NULL};
            REDUCE(how, from, to);
            int n_out = (width + ratio - 1) / ratio, is_right = 1;
            for (int y = 0; y * ratio < n_rows; y++)
                for (int x = 0; x < n_out; x++) {
                    double v[9], expected, found = number_at(type, to, y * n_out + x);
                    int n = 0;
                    for (int k = 0; k < ratio * ratio; k++) {
                        int row = y * ratio + k / ratio, column = x * ratio + k % ratio, at = row * width + column;
                        if (row >= n_rows || column >= width || (has_mask && !mask[at]) ||
                            (has_nodata && number_at(type, from, at) == 9))
                            continue;
                        v[n++] = number_at(type, from, at);
                    }
                    int row = y * ratio + (ratio - 1) / 2, column = x * ratio + (ratio - 1) / 2;
                    row = row < n_rows ? row : n_rows - 1;
                    column = column < width ? column : width - 1;
                    if (method == REDUCE_NEAREST)
                        expected = number_at(type, from, row * width + column);
                    else if (n == 0)
                        expected = has_nodata ? 9 : 0;
                    else {
                        expected = reduced(method, is_float, v, n);
                        if (has_nodata && expected == 9)
                            expected =
                                is_float ? found : 10; /* the next number; its neighbourhood is tested elsewhere */
                    }
                    is_right &= is_float ? fabs(found - expected) < 1e-6 : found == expected;
                }
            if (!is_right)
                fprintf(stderr, "method %d, type %d, ratio %d, width %d\n", method, type, ratio, width);
            CHECK(is_right);
        }
}

static void one_pixel_axes_and_other_ratios_per_axis_work(void)
{
    const uint8_t column[5] = {1, 2, 3, 4, 9};
    uint8_t to[4];
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_UINT8, .rank = 2, .shape = {5, 1}, .ratio = {2, 2}};
    REDUCE(how, column, to);
    CHECK_INT(to[0], 2);
    CHECK_INT(to[1], 4);
    CHECK_INT(to[2], 9);
    const uint8_t volume[2][3][4] = {{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 7}},
                                     {{9, 9, 2, 2}, {9, 9, 2, 2}, {9, 9, 2, 8}}};
    how =
        (reducing){.resampling = REDUCE_AVERAGE, .type = NGFF_UINT8, .rank = 3, .shape = {2, 3, 4}, .ratio = {1, 3, 2}};
    REDUCE(how, volume, to);
    CHECK_INT(to[0], 1);
    CHECK_INT(to[1], 2); /* 12 / 6 */
    CHECK_INT(to[2], 9);
    CHECK_INT(to[3], 3); /* 18 / 6 */
    how =
        (reducing){.resampling = REDUCE_AVERAGE, .type = NGFF_UINT8, .rank = 3, .shape = {2, 3, 4}, .ratio = {2, 2, 2}};
    REDUCE(how, volume, to);
    CHECK_INT(to[0], 5);
    CHECK_INT(to[3], 5); /* (1 + 7 + 2 + 8) / 4 = 4.5 */
}

static void complex_means_are_taken_by_parts(void)
{
    const float from[2][2] = {{1, -4}, {2, 8}};
    float to[2];
    reducing how = {.resampling = REDUCE_AVERAGE, .type = NGFF_COMPLEX64, .rank = 1, .shape = {2}, .ratio = {2}};
    REDUCE(how, from, to);
    CHECK(to[0] == 1.5f && to[1] == 2);
}

static void a_window_of_many_rows_takes_the_general_path(void)
{
    enum { side = 130 };
    uint16_t *from = malloc(side * side * sizeof *from), to[4];
    for (int i = 0; i < side * side; i++)
        from[i] = (uint16_t)(i / side < 128 && i % side < 128 ? 65535 : 3);
    reducing how = {
        .resampling = REDUCE_AVERAGE, .type = NGFF_UINT16, .rank = 2, .shape = {side, side}, .ratio = {128, 128}};
    REDUCE(how, from, to);
    CHECK_INT(to[0], 65535);
    CHECK_INT(to[3], 3);
    free(from);
}

static void the_source_box_is_cut_to_the_level(void)
{
    int64_t ratio[2] = {2, 3}, shape[2] = {5, 10}, origin[2] = {1, 2}, extent[2] = {2, 2};
    box target = box_make(2, origin, extent);
    box b = source_box_of(REDUCE_AVERAGE, 2, ratio, shape, &target);
    CHECK_INT(b.origin[0], 2);
    CHECK_INT(b.extent[0], 3);
    CHECK_INT(b.origin[1], 6);
    CHECK_INT(b.extent[1], 4);
    b = source_box_of(REDUCE_GAUSS, 2, ratio, shape, &target);
    CHECK_INT(b.origin[0], 0); /* GAUSS of factor 2 reaches 2 pixels beyond the window */
    CHECK_INT(b.extent[0], 5);
    int64_t before = 1, after = 1;
    reduce_margin(REDUCE_AVERAGE, 3, &before, &after);
    CHECK(before == 0 && after == 0);
    reduce_margin(REDUCE_GAUSS, 1, &before, &after);
    CHECK(before == 0 && after == 0);
    reduce_margin(REDUCE_GAUSS, 2, &before, &after);
    CHECK(before == 2 && after == 2);
}

int main(void)
{
    RUN(means_are_rounded_half_up_also_below_zero);
    RUN(a_mean_by_three_is_rounded_half_up);
    RUN(large_integers_are_exact);
    RUN(nodata_is_left_out_and_never_made);
    RUN(a_mean_equal_to_the_largest_value_as_nodata_goes_down);
    RUN(nan_is_nodata_and_infinity_is_a_value);
    RUN(float_sums_are_rounded_once);
    RUN(edge_windows_reduce_what_exists);
    RUN(masked_pixels_do_not_count);
    RUN(mode_takes_the_most_frequent_and_the_smallest_on_ties);
    RUN(rms_min_and_max_of_a_window);
    RUN(every_width_is_reduced_by_the_definition);
    RUN(one_pixel_axes_and_other_ratios_per_axis_work);
    RUN(complex_means_are_taken_by_parts);
    RUN(a_window_of_many_rows_takes_the_general_path);
    RUN(the_source_box_is_cut_to_the_level);
    CHECK_EXIT();
}
