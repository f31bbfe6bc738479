/* Kernels: taps worked out by hand or taken from ngff-zarr (golden_meta.json), and tiles that give the bits of the
 * whole. tests/golden/check_reduce.py has the many cases. */
#include "check.h"
#include "reducing.h"

#include <math.h>
#include <stdlib.h>

enum { n_impulse = 97 };

/* The weight that target pixel i of a row gives to source pixel `at`, seen through an impulse. */
static double tap(int resampling, int64_t ratio, int64_t i, int64_t at)
{
    double from[n_impulse] = {0}, to[n_impulse];
    from[at] = 1;
    reducing how = {.resampling = resampling, .type = NGFF_FLOAT64, .rank = 1, .shape = {n_impulse}, .ratio = {ratio}};
    CHECK_INT(reduce_dense(&how, from, to), NGFF_OK);
    return to[i];
}

#define CHECK_NEAR(actual, expected) CHECK(fabs((actual) - (expected)) < 1e-13)

static void gauss_by_two_has_the_taps_of_ngff_zarr(void)
{
    const double half[] = {0.6281759075254872, 0.16399670991878976, 0.02191533631846657};
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 20, 38), half[2] / 2);
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 20, 39), (half[2] + half[1]) / 2);
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 20, 40), (half[1] + half[0]) / 2);
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 20, 41), (half[1] + half[0]) / 2);
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 20, 43), half[2] / 2);
    CHECK(tap(REDUCE_GAUSS, 2, 20, 37) == 0);
    CHECK(tap(REDUCE_GAUSS, 2, 20, 44) == 0);
}

static void gauss_by_three_and_five_has_the_taps_of_ngff_zarr(void)
{
    const double three[] = {0.3787899886436752, 0.22032111660474413, 0.07336006705888062, 0.016923822014537633};
    const double five[] = {0.2003043655192465,  0.1752764442895812,  0.11930945006731615,
                           0.06501109905182417, 0.02918493004156566, 0.01106589379008956};
    for (int k = 0; k < 4; k++)
        CHECK_NEAR(tap(REDUCE_GAUSS, 3, 10, 31 + k), three[k]);
    for (int k = 0; k < 6; k++)
        CHECK_NEAR(tap(REDUCE_GAUSS, 5, 10, 52 - k), five[k]);
}

static void gauss_replicates_the_edge(void)
{
    const double half[] = {0.6281759075254872, 0.16399670991878976, 0.02191533631846657};
    double folded = half[2] / 2 + (half[2] + half[1]) / 2 + (half[1] + half[0]) / 2;
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 0, 0), folded);
    /* The last target pixel has one source pixel, 96: offsets 0 to 3 fall on it. */
    CHECK_NEAR(tap(REDUCE_GAUSS, 2, 48, 96), 1 - half[2] / 2 - (half[2] + half[1]) / 2);
}

static void bilinear_is_a_triangle(void)
{
    CHECK_NEAR(tap(REDUCE_BILINEAR, 2, 20, 39), 0.125);
    CHECK_NEAR(tap(REDUCE_BILINEAR, 2, 20, 40), 0.375);
    CHECK_NEAR(tap(REDUCE_BILINEAR, 2, 20, 41), 0.375);
    CHECK_NEAR(tap(REDUCE_BILINEAR, 2, 20, 42), 0.125);
    CHECK_NEAR(tap(REDUCE_BILINEAR, 3, 10, 31), 1.0 / 3);
    CHECK_NEAR(tap(REDUCE_BILINEAR, 3, 10, 29), 1.0 / 9);
    CHECK(tap(REDUCE_BILINEAR, 3, 10, 28) == 0);
    /* At the edge the taps outside are left out. */
    CHECK_NEAR(tap(REDUCE_BILINEAR, 2, 0, 0), 0.375 / 0.875);
}

static void cubic_and_spline_and_lanczos_have_their_taps(void)
{
    /* Keys at distances 1/4, 3/4, 5/4, 7/4, halved: 111/128, 29/128, -9/128, -3/128. */
    CHECK_NEAR(tap(REDUCE_CUBIC, 2, 20, 40), 111.0 / 256);
    CHECK_NEAR(tap(REDUCE_CUBIC, 2, 20, 39), 29.0 / 256);
    CHECK_NEAR(tap(REDUCE_CUBIC, 2, 20, 43), -9.0 / 256);
    CHECK_NEAR(tap(REDUCE_CUBIC, 2, 20, 44), -3.0 / 256);
    /* B-spline at 0, 1/3, 2/3, 1, ...: 2/3, 2/3 - 1/9 + 1/54, 2/3 - 4/9 + 4/27, 1/6; thirds of them. */
    CHECK_NEAR(tap(REDUCE_CUBICSPLINE, 3, 10, 31), 2.0 / 9);
    CHECK_NEAR(tap(REDUCE_CUBICSPLINE, 3, 10, 32), (2.0 / 3 - 1.0 / 9 + 1.0 / 54) / 3);
    CHECK_NEAR(tap(REDUCE_CUBICSPLINE, 3, 10, 34), 1.0 / 18);
    double sum = 0, pi = 3.14159265358979323846;
    for (int k = 0; k < 12; k++) {
        double d = fabs(k - 5.5) / 2;
        sum += 3 * sin(pi * d) * sin(pi * d / 3) / (pi * pi * d * d);
    }
    CHECK_NEAR(tap(REDUCE_LANCZOS, 2, 20, 40), 3 * sin(pi / 4) * sin(pi / 12) * 16 / (pi * pi) / sum);
    CHECK_NEAR(tap(REDUCE_LANCZOS, 2, 20, 43), 3 * sin(pi * 1.25) * sin(pi * 1.25 / 3) / (pi * pi * 1.5625) / sum);
}

static void margins_end_with_the_last_tap(void)
{
    const struct {
        int resampling;
        int64_t ratio, margin;
    } cases[] = {{REDUCE_GAUSS, 1, 0},    {REDUCE_GAUSS, 2, 2},    {REDUCE_GAUSS, 3, 2},       {REDUCE_GAUSS, 4, 3},
                 {REDUCE_BILINEAR, 2, 1}, {REDUCE_BILINEAR, 3, 1}, {REDUCE_CUBIC, 2, 3},       {REDUCE_CUBIC, 3, 4},
                 {REDUCE_LANCZOS, 2, 5},  {REDUCE_LANCZOS, 3, 7},  {REDUCE_CUBICSPLINE, 5, 7}, {REDUCE_CUBIC, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t before, after;
        kernel_margin(cases[i].resampling, cases[i].ratio, &before, &after);
        CHECK_INT(before, cases[i].margin);
        CHECK_INT(after, cases[i].margin);
    }
}

static void integers_are_rounded_half_to_even_and_clipped(void)
{
    /* BILINEAR by 2 in the middle of two pairs: (a + 3b + 3c + d) / 8. */
    const uint8_t from[] = {0, 0, 4, 0, 0, 0}; /* 0.5, 1.5 */
    const uint8_t steep[] = {0, 0, 255, 255, 0, 0, 0, 0};
    uint8_t to[4];
    reducing how = {.resampling = REDUCE_BILINEAR, .type = NGFF_UINT8, .rank = 1, .shape = {6}, .ratio = {2}};
    CHECK_INT(reduce_dense(&how, from, to), NGFF_OK);
    CHECK_INT(to[1], 2); /* 1.5 */
    const uint8_t four[] = {9, 0, 0, 0, 4, 9};
    CHECK_INT(reduce_dense(&how, four, to), NGFF_OK);
    CHECK_INT(to[1], 0); /* 0.5 */
    how.resampling = REDUCE_CUBIC;
    how.shape[0] = 8;
    CHECK_INT(reduce_dense(&how, steep, to), NGFF_OK);
    CHECK_INT(to[1], 219); /* 255 * 222 / 259: the tap -3 / 256 lies outside */
    CHECK_INT(to[3], 0);   /* negative lobes are cut off */
}

static void holes_are_filled_by_what_is_valid(void)
{
    const float from[8] = {NAN, NAN, NAN, NAN, 5, NAN, 5, 5};
    float to[4], empty = -1;
    reducing how = {
        .resampling = REDUCE_BILINEAR, .type = NGFF_FLOAT32, .rank = 1, .shape = {8}, .ratio = {2}, .empty = &empty};
    CHECK_INT(reduce_dense(&how, from, to), NGFF_OK);
    CHECK(to[0] == -1);
    CHECK(to[1] == 5);
    CHECK(to[2] == 5);
    CHECK(to[3] == 5);
    const uint8_t bytes[4] = {6, 8, 8, 6}, nodata = 7;
    uint8_t out[2];
    how = (reducing){
        .resampling = REDUCE_BILINEAR, .type = NGFF_UINT8, .rank = 1, .shape = {4}, .ratio = {4}, .nodata = &nodata};
    CHECK_INT(reduce_dense(&how, bytes, out), NGFF_OK);
    CHECK_INT(out[0], 8); /* 7.2 would read as nodata */
}

static uint32_t random_next(uint32_t n);

/* Where lobes leave nothing to divide by, the nearest valid pixel of the window is the value: the mask calls it valid. */
static void a_valid_window_has_a_value_also_where_the_weights_cancel(void)
{
    enum { rows = 60, columns = 44 };
    static const int methods[] = {REDUCE_CUBIC, REDUCE_LANCZOS, REDUCE_CUBICSPLINE, REDUCE_GAUSS, REDUCE_BILINEAR};
    uint8_t from[rows * columns], mask[rows * columns], to[rows / 2 * columns / 2], empty = 0;
    memset(from, 100, sizeof from);
    for (int trial = 0; trial < 20; trial++)
        for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
            reducing how = {.resampling = methods[m],
                            .type = NGFF_UINT8,
                            .rank = 2,
                            .shape = {rows, columns},
                            .ratio = {2, 2},
                            .mask = mask,
                            .empty = &empty};
            for (int i = 0; i < rows * columns; i++)
                mask[i] = random_next(10) < 4 ? 255 : 0;
            CHECK_INT(reduce_dense(&how, from, to), NGFF_OK);
            for (int y = 0; y < rows / 2; y++)
                for (int x = 0; x < columns / 2; x++) {
                    const uint8_t *window = mask + 2 * y * columns + 2 * x;
                    int is_valid = window[0] || window[1] || window[columns] || window[columns + 1];
                    CHECK(to[y * columns / 2 + x] == 100 || !is_valid);
                }
        }
}

static uint32_t random_state = 1;

static uint32_t random_next(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}

/* One tile from a copy of just its source box. */
static void reduce_tile(const reducing *how, const box *tile, const uint16_t *from, uint16_t *to,
                        const int64_t *to_shape)
{
    reduction r = {.resampling = how->resampling,
                   .type = dtype_get(how->type),
                   .rank = 2,
                   .nodata = how->nodata,
                   .empty = how->nodata,
                   .target_box = *tile};
    memcpy(r.ratio, how->ratio, sizeof r.ratio);
    memcpy(r.source_shape, how->shape, sizeof r.source_shape);
    r.source_box = source_box_of(how->resampling, 2, how->ratio, how->shape, tile);
    int64_t strides[2], zero[2] = {0};
    strides_dense(2, how->shape, 2, strides);
    strides_dense(2, r.source_box.extent, 2, r.source_strides);
    strides_dense(2, to_shape, 2, r.target_strides);
    uint16_t *block = malloc((size_t)box_volume(&r.source_box) * 2);
    pixels_copy(2, r.source_box.extent, 2, block, r.source_strides,
                (const char *)from + strides_offset(2, strides, zero, r.source_box.origin), strides);
    r.source = block;
    r.target = (char *)to + strides_offset(2, r.target_strides, zero, tile->origin);
    CHECK_INT(reduce(&r), NGFF_OK);
    free(block);
}

static void any_tiling_gives_the_bits_of_the_whole(void)
{
    enum { side = 60 };
    static uint16_t from[side * side], whole[side * side], tiled[side * side];
    for (int turn = 0; turn < 300; turn++) {
        const uint16_t nodata = 5;
        reducing how = {.resampling = REDUCE_AVERAGE + (int)random_next(11),
                        .type = NGFF_UINT16,
                        .rank = 2,
                        .shape = {1 + random_next(side), 1 + random_next(side)},
                        .ratio = {1 + random_next(5), 1 + random_next(5)},
                        .nodata = &nodata};
        int64_t to_shape[2] = {ceil_div(how.shape[0], how.ratio[0]), ceil_div(how.shape[1], how.ratio[1])};
        for (int64_t i = 0; i < how.shape[0] * how.shape[1]; i++)
            from[i] = (uint16_t)(random_next(3) == 0 ? 5 : random_next(65536));
        CHECK_INT(reduce_dense(&how, from, whole), NGFF_OK);
        int64_t step[2] = {1 + random_next(9), 1 + random_next(9)};
        for (int64_t y = 0; y < to_shape[0]; y += step[0])
            for (int64_t x = 0; x < to_shape[1]; x += step[1]) {
                int64_t origin[2] = {y, x};
                int64_t extent[2] = {min_i64(step[0], to_shape[0] - y), min_i64(step[1], to_shape[1] - x)};
                box tile = box_make(2, origin, extent);
                reduce_tile(&how, &tile, from, tiled, to_shape);
            }
        CHECK(memcmp(whole, tiled, (size_t)(to_shape[0] * to_shape[1]) * 2) == 0);
    }
}

/* What a target pixel is, from the taps of an impulse, per axis: GAUSS repeats the edge, the others share the weights out
 * among the pixels that there are. */
static double filtered(int method, const double *taps, int n_taps, const double *from, int rows, int width, int y,
                       int x)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < n_taps; i++)
        for (int k = 0; k < n_taps; k++) {
            int row = 2 * y + i - n_taps / 2, column = 2 * x + k - n_taps / 2;
            int is_inside = row >= 0 && row < rows && column >= 0 && column < width;
            if (!is_inside && method != REDUCE_GAUSS)
                continue;
            row = row < 0 ? 0 : row >= rows ? rows - 1 : row;
            column = column < 0 ? 0 : column >= width ? width - 1 : column;
            sum += taps[i] * taps[k] * from[row * width + column];
            weights += taps[i] * taps[k];
        }
    return sum / weights;
}

/* Loops for many pixels at once have a rest of their own at each width. */
static void every_width_has_the_pixels_of_the_taps(void)
{
    enum { widest = 200, rows = 4, n_taps = 25 };
    static const int methods[] = {REDUCE_GAUSS, REDUCE_BILINEAR, REDUCE_CUBIC, REDUCE_CUBICSPLINE, REDUCE_LANCZOS};
    static const int32_t types[] = {NGFF_UINT8, NGFF_INT16, NGFF_UINT16, NGFF_INT32, NGFF_FLOAT32, NGFF_FLOAT64};
    static char from[rows * widest * 8], to[rows * widest * 8];
    static double numbers[rows * widest];
    for (int m = 0; m < 5; m++) {
        double taps[n_taps];
        for (int k = 0; k < n_taps; k++)
            taps[k] = tap(methods[m], 2, 20, 40 + k - n_taps / 2);
        for (int width = 1; width <= widest; width++) {
            int32_t type = types[(width + width / 8) % 6];
            int is_float = type >= NGFF_FLOAT32, n = (width + 1) / 2, is_right = 1;
            reducing how = {.resampling = methods[m], .type = type, .rank = 2, .shape = {rows, width}, .ratio = {2, 2}};
            for (int i = 0; i < rows * width; i++) {
                numbers[i] = 60 + random_next(120); /* lobes stay within the type */
                CHECK(dtype_from_double(type, numbers[i], from + i * ngff_type_size(type)));
            }
            CHECK_INT(reduce_dense(&how, from, to), NGFF_OK);
            for (int i = 0; i < rows / 2 * n; i++) {
                double found = dtype_to_double(type, to + i * ngff_type_size(type));
                double expected = filtered(methods[m], taps, n_taps, numbers, rows, width, i / n, i % n);
                is_right &= fabs(found - expected) < (is_float ? 1e-3 : 0.501);
            }
            if (!is_right)
                fprintf(stderr, "method %d, type %d, width %d\n", methods[m], type, width);
            CHECK(is_right);
        }
    }
}

int main(void)
{
    RUN(gauss_by_two_has_the_taps_of_ngff_zarr);
    RUN(gauss_by_three_and_five_has_the_taps_of_ngff_zarr);
    RUN(gauss_replicates_the_edge);
    RUN(bilinear_is_a_triangle);
    RUN(cubic_and_spline_and_lanczos_have_their_taps);
    RUN(margins_end_with_the_last_tap);
    RUN(integers_are_rounded_half_to_even_and_clipped);
    RUN(holes_are_filled_by_what_is_valid);
    RUN(a_valid_window_has_a_value_also_where_the_weights_cancel);
    RUN(any_tiling_gives_the_bits_of_the_whole);
    RUN(every_width_has_the_pixels_of_the_taps);
    CHECK_EXIT();
}
