/* Statistics: small cases by hand, percentiles as numpy.percentile gives them. */
#include "check.h"
#include "pyramid/tally.h"

#include <math.h>
#include <stdlib.h>

static int squares_are(const tally *t, uint128 expected)
{
    return t->squares.high == 0 && t->squares.low == expected;
}

static void nodata_and_masked_pixels_are_not_counted(void)
{
    const uint8_t pixels[2][4] = {{1, 0, 3, 99}, {5, 200, 0, 99}}, mask[2][3] = {{1, 1, 1}, {9, 0, 1}}, nodata = 0;
    tally t = {0};
    tally_scan(&t, dtype_get(NGFF_UINT8), pixels, 2, 3, 4, &nodata, mask[0], 3);
    CHECK_INT(t.n_valid, 3);
    CHECK_INT(t.min[0], 1);
    CHECK_INT(t.max[0], 5);
    CHECK(t.sum == 9 && squares_are(&t, 35));
}

static uint32_t noise(uint64_t i)
{
    i = (i ^ i >> 29) * 0xBF58476D1CE4E5B9u;
    return (uint32_t)(i >> 33);
}

static int64_t value_of(int32_t type, const uint8_t *pixels, int64_t i)
{
    int16_t word;
    memcpy(&word, pixels + (type == NGFF_UINT8 || type == NGFF_INT8 ? 0 : 2 * i), 2);
    return type == NGFF_UINT8   ? pixels[i]
           : type == NGFF_INT8  ? (int8_t)pixels[i]
           : type == NGFF_INT16 ? word
                                : (uint16_t)word;
}

/* Vector code works in blocks of 16, 32 and more pixels, with a rest: each length has its own way through it. */
static void rows_of_every_length_are_counted(void)
{
    enum { most = 200, rows = 3, pitch = (most + 7) * 2 };
    static const int32_t types[] = {NGFF_UINT8, NGFF_INT8, NGFF_UINT16, NGFF_INT16};
    static uint8_t pixels[rows * pitch], mask[rows * most];
    static uint64_t bins[65536], expected_bins[65536];
    for (int n = 1; n <= most; n++)
        for (int form = 0; form < 16; form++) {
            int32_t type = types[form % 4];
            const dtype *d = dtype_get(type);
            int has_nodata = form / 4 & 1, has_mask = form / 8,
                offset = n % 5 * d->size; /* rows that are not aligned */
            for (int i = 0; i < rows * pitch; i++)
                pixels[i] = (uint8_t)noise((uint64_t)(i + 1) * 7919u + (uint64_t)n * 31u + (uint64_t)form);
            for (int i = 0; i < rows * most; i++)
                mask[i] = noise((uint64_t)i + 77u * (uint64_t)n) % 3 ? 255 : 0;
            uint8_t nodata[2];
            memcpy(nodata, pixels + offset, 2); /* the first pixel, and whoever equals it */
            int64_t nothing = value_of(type, nodata, 0), n_valid = 0, sum = 0, squares = 0, low = INT64_MAX,
                    high = INT64_MIN;
            int64_t lowest = type == NGFF_INT8 ? -128 : type == NGFF_INT16 ? -32768 : 0;
            memset(expected_bins, 0, sizeof expected_bins);
            for (int row = 0; row < rows; row++)
                for (int i = 0; i < n; i++) {
                    int64_t value = value_of(type, pixels + offset + row * pitch, i);
                    if ((has_nodata && value == nothing) || (has_mask && !mask[row * most + i]))
                        continue;
                    n_valid++;
                    sum += value;
                    squares += value * value;
                    low = value < low ? value : low;
                    high = value > high ? value : high;
                    expected_bins[value - lowest]++;
                }
            tally t = {0};
            tally_scan(&t, d, pixels + offset, rows, n, pitch, has_nodata ? nodata : NULL, has_mask ? mask : NULL,
                       most);
            memset(bins, 0, sizeof bins);
            histogram_scan(bins, d, pixels + offset, rows, n, pitch, has_nodata ? nodata : NULL, has_mask ? mask : NULL,
                           most);
            int is_right = t.n_valid == n_valid && t.sum == sum && squares_are(&t, (uint128)squares) &&
                           (n_valid == 0 || (value_of(type, t.min, 0) == low && value_of(type, t.max, 0) == high)) &&
                           memcmp(bins, expected_bins, sizeof bins) == 0;
            if (!is_right)
                fprintf(stderr, "type %d, %d columns, %s nodata, %s mask\n", type, n, has_nodata ? "with" : "no",
                        has_mask ? "with" : "no");
            CHECK(is_right);
        }
}

static void long_rows_do_not_overflow(void)
{
    enum { n = 300000 };
    uint16_t *pixels = malloc(n * sizeof *pixels);
    for (int i = 0; i < n; i++)
        pixels[i] = 65535;
    tally t = {0};
    tally_scan(&t, dtype_get(NGFF_UINT16), pixels, 1, n, n * 2, NULL, NULL, 0);
    CHECK(t.sum == (int128)65535 * n);
    CHECK(squares_are(&t, (uint128)65535 * 65535 * n));
    memset(pixels, 0xff, n);
    t = (tally){0};
    tally_scan(&t, dtype_get(NGFF_UINT8), pixels, 1, n, n, NULL, NULL, 0);
    CHECK(t.sum == 255 * n);
    CHECK(squares_are(&t, (uint128)65025 * n));
    for (int i = 0; i < n; i++)
        pixels[i] = 0x8000;
    t = (tally){0};
    tally_scan(&t, dtype_get(NGFF_INT16), pixels, 1, n, n * 2, NULL, NULL, 0);
    CHECK(t.sum == (int128)-32768 * n);
    CHECK(squares_are(&t, (uint128)32768 * 32768 * n));
    free(pixels);
}

static void wide_integers_keep_their_extremes(void)
{
    const int64_t pixels[3] = {9007199254740993, -9007199254740993, 1};
    const uint32_t wide[2] = {4294967295u, 4294967294u};
    int64_t low, high;
    tally t = {0};
    tally_scan(&t, dtype_get(NGFF_INT64), pixels, 1, 3, 24, NULL, NULL, 0);
    memcpy(&low, t.min, 8);
    memcpy(&high, t.max, 8);
    CHECK(low == -9007199254740993 && high == 9007199254740993);
    CHECK(t.sum == 1);
    CHECK(squares_are(&t, 2 * (uint128)9007199254740993 * 9007199254740993 + 1));
    t = (tally){0};
    tally_scan(&t, dtype_get(NGFF_UINT32), wide, 1, 2, 8, NULL, NULL, 0);
    CHECK(t.sum == 8589934589);
    CHECK(squares_are(&t, (uint128)4294967295 * 4294967295 + (uint128)4294967294 * 4294967294));
}

static void only_finite_floats_count(void)
{
    float pixels[70], low, high, nodata = -9999;
    for (int i = 0; i < 70; i++)
        pixels[i] = (float)i;
    tally t = {0};
    tally_scan(&t, dtype_get(NGFF_FLOAT32), pixels, 1, 70, 280, &nodata, NULL, 0);
    CHECK_INT(t.n_valid, 70);
    CHECK(t.moments.mean == 34.5 && fabs(t.moments.squares - 28577.5) < 1e-9); /* 111895 - 70 * 34.5^2 */
    pixels[0] = INFINITY;
    pixels[69] = NAN;
    pixels[1] = -9999;
    t = (tally){0};
    tally_scan(&t, dtype_get(NGFF_FLOAT32), pixels, 1, 70, 280, &nodata, NULL, 0);
    memcpy(&low, t.min, 4);
    memcpy(&high, t.max, 4);
    CHECK_INT(t.n_valid, 67);
    CHECK(low == 2 && high == 68);
    CHECK(t.moments.n == 67 && fabs(t.moments.mean - 35) < 1e-12); /* (2415 - 69 - 1) / 67 */
}

static void merging_takes_extremes_by_value(void)
{
    const int8_t a[] = {-5, 3}, b[] = {-6, 1}, none[] = {7}, nodata = 7;
    const dtype *type = dtype_get(NGFF_INT8);
    tally t = {0}, more = {0}, empty = {0};
    tally_scan(&t, type, a, 1, 2, 2, NULL, NULL, 0);
    tally_scan(&more, type, b, 1, 2, 2, NULL, NULL, 0);
    tally_scan(&empty, type, none, 1, 1, 1, &nodata, NULL, 0);
    tally_merge(&t, type, &more);
    tally_merge(&t, type, &empty);
    CHECK_INT(t.n_valid, 4);
    CHECK_INT((int8_t)t.min[0], -6);
    CHECK_INT((int8_t)t.max[0], 3);
    CHECK(t.sum == -7 && squares_are(&t, 71));
    tally_merge(&empty, type, &more);
    CHECK_INT((int8_t)empty.max[0], 1);
}

static void histograms_count_from_the_lowest_value(void)
{
    const int16_t pixels[2][4] = {{-32768, -1, 0, 9}, {32767, -1, 7, 9}}, nodata = 7;
    const uint8_t mask[2][3] = {{1, 1, 1}, {1, 0, 1}};
    const dtype *type = dtype_get(NGFF_INT16);
    uint64_t *bins = calloc(65536, sizeof *bins);
    histogram_scan(bins, type, pixels, 2, 3, 8, &nodata, mask[0], 3);
    CHECK_INT(bins[0], 1);
    CHECK_INT(bins[32767], 1);
    CHECK_INT(bins[32768], 1);
    CHECK_INT(bins[32768 + 7], 0);
    CHECK_INT(bins[65535], 1);
    free(bins);
}

static void byte_histograms_leave_nodata_out(void)
{
    const uint8_t pixels[] = {3, 3, 3, 0, 250}, nodata = 3;
    uint64_t bins[256] = {0};
    histogram_scan(bins, dtype_get(NGFF_UINT8), pixels, 1, 5, 5, &nodata, NULL, 0);
    CHECK_INT(bins[3], 0);
    CHECK_INT(bins[0], 1);
    CHECK_INT(bins[250], 1);
}

static void percentiles_are_those_of_numpy(void)
{
    /* numpy.percentile([1, 2, 4, 10], [0, 2, 50, 98, 100]) = 1, 1.06, 3, 9.64, 10 */
    const double values[] = {1, 2, 4, 10}, share[] = {0, 0.02, 0.5, 0.98, 1}, expected[] = {1, 1.06, 3, 9.64, 10};
    uint64_t bins[256] = {0};
    for (int i = 0; i < 4; i++)
        bins[(int)values[i] + 128]++;
    for (int i = 0; i < 5; i++) {
        CHECK(fabs(sorted_percentile(values, 4, share[i]) - expected[i]) < 1e-12);
        CHECK(fabs(histogram_percentile(bins, dtype_get(NGFF_INT8), share[i]) - expected[i]) < 1e-12);
    }
    CHECK(sorted_percentile(values, 1, 0.98) == 1);
    memset(bins, 0, sizeof bins);
    CHECK(histogram_percentile(bins, dtype_get(NGFF_UINT8), 0.5) == 0);
}

int main(void)
{
    RUN(nodata_and_masked_pixels_are_not_counted);
    RUN(rows_of_every_length_are_counted);
    RUN(long_rows_do_not_overflow);
    RUN(wide_integers_keep_their_extremes);
    RUN(only_finite_floats_count);
    RUN(merging_takes_extremes_by_value);
    RUN(histograms_count_from_the_lowest_value);
    RUN(byte_histograms_leave_nodata_out);
    RUN(percentiles_are_those_of_numpy);
    CHECK_EXIT();
}
