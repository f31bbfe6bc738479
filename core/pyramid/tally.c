/* tally.c: exact statistics. Integers are summed without rounding; of floating-point pixels every row, or part of a
 * long one, gets its mean first and then the squares of what lies about it, while it is in the nearest cache. A row is
 * looked through for its nodata value first, so that rows without one take the plain loop. */
#include "pyramid/tally.h"
#include "base/box.h"
#include "base/cpu.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { n_block = 32768, n_float_block = 2048, n_lanes = 32 };

#ifdef __SSE2__
#include <immintrin.h>

/* The commonest types by hand: compilers miss the instructions that add or square and add neighbours, and take twice
 * as long. Exact integers, so the same numbers as the plain loops. */
typedef struct {
    int64_t low, high, sum, squares;
} block_sums;

static int64_t add_lanes(__m128i two)
{
    int64_t lanes[2];
    _mm_storeu_si128((__m128i *)(void *)lanes, two);
    return lanes[0] + lanes[1];
}

static block_sums add_blocks(block_sums a, block_sums b)
{
    return (block_sums){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high, a.sum + b.sum,
                        a.squares + b.squares};
}

/* The smallest and largest of the lanes of two vectors, and the sums of two more. */
static block_sums sums_of_bytes(__m128i low, __m128i high, __m128i sum, __m128i squares)
{
    uint8_t lows[16], highs[16];
    _mm_storeu_si128((__m128i *)(void *)lows, low);
    _mm_storeu_si128((__m128i *)(void *)highs, high);
    block_sums b = {lows[0], highs[0], add_lanes(sum), add_lanes(squares)};
    for (int k = 1; k < 16; k++) {
        b.low = lows[k] < b.low ? lows[k] : b.low;
        b.high = highs[k] > b.high ? highs[k] : b.high;
    }
    return b;
}

static block_sums sums_of_shorts(__m128i low, __m128i high, __m128i sum, __m128i squares)
{
    int16_t lows[8], highs[8];
    int32_t sums[4];
    _mm_storeu_si128((__m128i *)(void *)lows, low);
    _mm_storeu_si128((__m128i *)(void *)highs, high);
    _mm_storeu_si128((__m128i *)(void *)sums, sum);
    block_sums b = {lows[0], highs[0], (int64_t)sums[0] + sums[1] + sums[2] + sums[3], add_lanes(squares)};
    for (int k = 1; k < 8; k++) {
        b.low = lows[k] < b.low ? lows[k] : b.low;
        b.high = highs[k] > b.high ? highs[k] : b.high;
    }
    return b;
}

/* n: a multiple of 16, at most n_block. */
static block_sums narrow_bytes(const uint8_t *p, int64_t n)
{
    __m128i zero = _mm_setzero_si128(), low = _mm_set1_epi8(-1), high = zero, sum = zero, squares = zero;
    for (int64_t i = 0; i < n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i even = _mm_unpacklo_epi8(v, zero), odd = _mm_unpackhi_epi8(v, zero);
        low = _mm_min_epu8(low, v);
        high = _mm_max_epu8(high, v);
        sum = _mm_add_epi64(sum, _mm_sad_epu8(v, zero));
        squares = _mm_add_epi32(squares, _mm_madd_epi16(even, even));
        squares = _mm_add_epi32(squares, _mm_madd_epi16(odd, odd));
    }
    squares = _mm_add_epi64(_mm_unpacklo_epi32(squares, zero), _mm_unpackhi_epi32(squares, zero));
    return sums_of_bytes(low, high, sum, squares);
}

/* The same for 16-bit pixels; flip: 0x8000 in every lane moves unsigned ones into the signed range that the
 * instructions want. n: a multiple of 8. */
static block_sums narrow_shorts(const uint16_t *p, int64_t n, __m128i flip)
{
    __m128i zero = _mm_setzero_si128(), ones = _mm_set1_epi16(1);
    __m128i low = _mm_set1_epi16(INT16_MAX), high = _mm_set1_epi16(INT16_MIN), sum = zero, squares = zero;
    for (int64_t i = 0; i < n; i += 8) {
        __m128i v = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(p + i)), flip);
        __m128i square = _mm_madd_epi16(v, v);
        low = _mm_min_epi16(low, v);
        high = _mm_max_epi16(high, v);
        sum = _mm_add_epi32(sum, _mm_madd_epi16(v, ones));
        squares = _mm_add_epi64(squares, _mm_unpacklo_epi32(square, zero));
        squares = _mm_add_epi64(squares, _mm_unpackhi_epi32(square, zero));
    }
    return sums_of_shorts(low, high, sum, squares);
}

#if defined(__GNUC__)
#define HAS_WIDE 1
#define AVX2 __attribute__((target("avx2")))

/* The two above, twice as wide, where the machine can. n: a multiple of 32. */
AVX2 static block_sums wide_bytes(const uint8_t *p, int64_t n)
{
    __m256i zero = _mm256_setzero_si256(), low = _mm256_set1_epi8(-1), high = zero, sum = zero, squares = zero;
    for (int64_t i = 0; i < n; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i even = _mm256_unpacklo_epi8(v, zero), odd = _mm256_unpackhi_epi8(v, zero);
        low = _mm256_min_epu8(low, v);
        high = _mm256_max_epu8(high, v);
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(v, zero));
        squares = _mm256_add_epi32(squares, _mm256_madd_epi16(even, even));
        squares = _mm256_add_epi32(squares, _mm256_madd_epi16(odd, odd));
    }
    squares = _mm256_add_epi64(_mm256_unpacklo_epi32(squares, zero), _mm256_unpackhi_epi32(squares, zero));
    block_sums a = sums_of_bytes(_mm256_castsi256_si128(low), _mm256_castsi256_si128(high), _mm256_castsi256_si128(sum),
                                 _mm256_castsi256_si128(squares));
    block_sums b = sums_of_bytes(_mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1),
                                 _mm256_extracti128_si256(sum, 1), _mm256_extracti128_si256(squares, 1));
    return add_blocks(a, b);
}

/* n: a multiple of 16. */
AVX2 static block_sums wide_shorts(const uint16_t *p, int64_t n, __m128i flip)
{
    __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi16(1), flips = _mm256_broadcastsi128_si256(flip);
    __m256i low = _mm256_set1_epi16(INT16_MAX), high = _mm256_set1_epi16(INT16_MIN), sum = zero, squares = zero;
    for (int64_t i = 0; i < n; i += 16) {
        __m256i v = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(p + i)), flips);
        __m256i square = _mm256_madd_epi16(v, v);
        low = _mm256_min_epi16(low, v);
        high = _mm256_max_epi16(high, v);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(v, ones));
        squares = _mm256_add_epi64(squares, _mm256_unpacklo_epi32(square, zero));
        squares = _mm256_add_epi64(squares, _mm256_unpackhi_epi32(square, zero));
    }
    block_sums a = sums_of_shorts(_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                                  _mm256_castsi256_si128(sum), _mm256_castsi256_si128(squares));
    block_sums b = sums_of_shorts(_mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1),
                                  _mm256_extracti128_si256(sum, 1), _mm256_extracti128_si256(squares, 1));
    return add_blocks(a, b);
}
#endif

static block_sums block_of_bytes(const uint8_t *p, int64_t n)
{
#ifdef HAS_WIDE
    int64_t n_wide = n / 32 * 32;
    if (n_wide > 0 && cpu_has(CPU_AVX2)) {
        block_sums b = wide_bytes(p, n_wide);
        return n_wide == n ? b : add_blocks(b, narrow_bytes(p + n_wide, n - n_wide));
    }
#endif
    return narrow_bytes(p, n);
}

/* bias: 32768 for unsigned pixels, whose sums are moved back. n: a multiple of 16. */
static block_sums block_of_shorts(const void *p, int64_t n, int64_t bias)
{
    __m128i flip = _mm_set1_epi16((short)bias);
    block_sums b;
#ifdef HAS_WIDE
    if (cpu_has(CPU_AVX2))
        b = wide_shorts(p, n, flip);
    else
#endif
        b = narrow_shorts(p, n, flip);
    b.squares += 2 * bias * b.sum + bias * bias * n;
    b.sum += bias * n;
    b.low += bias;
    b.high += bias;
    return b;
}
#endif

#define NAME(x) x##_uint8
#define PIXEL uint8_t
#define VALUE uint8_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST 0
#define HIGHEST UINT8_MAX
#define ROW_SUM uint32_t
#define ROW_SQUARES uint32_t
#define SQUARE(v) ((uint32_t)(v) * (uint32_t)(v))
#define SUM int64_t
#define SQUARES uint64_t
#ifdef __SSE2__
#define BLOCK_SUMS(p, n) block_of_bytes(p, n)
#endif
#include "pyramid/tally_type.h"

#define NAME(x) x##_int8
#define PIXEL int8_t
#define VALUE int8_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST INT8_MIN
#define HIGHEST INT8_MAX
#define ROW_SUM int32_t
#define ROW_SQUARES int32_t
#define SQUARE(v) ((int32_t)(v) * (int32_t)(v))
#define SUM int64_t
#define SQUARES uint64_t
#include "pyramid/tally_type.h"

#define NAME(x) x##_uint16
#define PIXEL uint16_t
#define VALUE uint16_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST 0
#define HIGHEST UINT16_MAX
#define ROW_SUM uint32_t
#define ROW_SQUARES uint64_t
#define SQUARE(v) ((uint32_t)(v) * (uint32_t)(v))
#define SUM int64_t
#define SQUARES uint64_t
#ifdef __SSE2__
#define BLOCK_SUMS(p, n) block_of_shorts(p, n, 32768)
#endif
#include "pyramid/tally_type.h"

#define NAME(x) x##_int16
#define PIXEL int16_t
#define VALUE int16_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST INT16_MIN
#define HIGHEST INT16_MAX
#define ROW_SUM int32_t
#define ROW_SQUARES uint64_t
#define SQUARE(v) ((uint32_t)((int32_t)(v) * (int32_t)(v)))
#define SUM int64_t
#define SQUARES uint64_t
#ifdef __SSE2__
#define BLOCK_SUMS(p, n) block_of_shorts(p, n, 0)
#endif
#include "pyramid/tally_type.h"

#define NAME(x) x##_uint32
#define PIXEL uint32_t
#define VALUE uint32_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST 0
#define HIGHEST UINT32_MAX
#define ROW_SUM uint64_t
#define ROW_SQUARES uint128
#define SQUARE(v) ((uint64_t)(v) * (uint64_t)(v))
#define SUM int64_t
#define SQUARES uint128
#include "pyramid/tally_type.h"

#define NAME(x) x##_int32
#define PIXEL int32_t
#define VALUE int32_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST INT32_MIN
#define HIGHEST INT32_MAX
#define ROW_SUM int64_t
#define ROW_SQUARES uint128
#define SQUARE(v) ((uint64_t)((int64_t)(v) * (int64_t)(v)))
#define SUM int64_t
#define SQUARES uint128
#include "pyramid/tally_type.h"

#define NAME(x) x##_uint64
#define PIXEL uint64_t
#define VALUE uint64_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST 0
#define HIGHEST UINT64_MAX
#define ROW_SUM int128
#define SUM int128
#define MAGNITUDE(v) (v)
#include "pyramid/tally_type.h"

#define NAME(x) x##_int64
#define PIXEL int64_t
#define VALUE int64_t
#define LOAD(v) (v)
#define IS_FLOAT 0
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#define ROW_SUM int128
#define SUM int128
#define MAGNITUDE(v) ((v) < 0 ? -(uint64_t)(v) : (uint64_t)(v))
#include "pyramid/tally_type.h"

#define NAME(x) x##_float16
#define PIXEL uint16_t
#define VALUE float
#define LOAD(v) half_to_float(v)
#define STORE(v) half_from_float(v)
#define IS_FLOAT 1
#define LOWEST -65504.0f
#define HIGHEST 65504.0f
#include "pyramid/tally_type.h"

#define NAME(x) x##_float32
#define PIXEL float
#define VALUE float
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 1
#define LOWEST -FLT_MAX
#define HIGHEST FLT_MAX
#include "pyramid/tally_type.h"

#define NAME(x) x##_float64
#define PIXEL double
#define VALUE double
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 1
#define LOWEST -DBL_MAX
#define HIGHEST DBL_MAX
#include "pyramid/tally_type.h"

typedef struct {
    void (*scan)(tally *, const char *, int64_t, int64_t, int64_t, const void *, const uint8_t *, int64_t);
    void (*merge)(tally *, int64_t, const void *, const void *);
} tally_type;

/* Complex numbers have no order: no row. */
static const tally_type tally_types[NGFF_COMPLEX128 + 1] = {
    [NGFF_UINT8] = {scan_uint8, merge_uint8},       [NGFF_INT8] = {scan_int8, merge_int8},
    [NGFF_UINT16] = {scan_uint16, merge_uint16},    [NGFF_INT16] = {scan_int16, merge_int16},
    [NGFF_UINT32] = {scan_uint32, merge_uint32},    [NGFF_INT32] = {scan_int32, merge_int32},
    [NGFF_UINT64] = {scan_uint64, merge_uint64},    [NGFF_INT64] = {scan_int64, merge_int64},
    [NGFF_FLOAT16] = {scan_float16, merge_float16}, [NGFF_FLOAT32] = {scan_float32, merge_float32},
    [NGFF_FLOAT64] = {scan_float64, merge_float64},
};

/* Rows that follow each other without a gap are one row: half the time of a row of 512 bytes went into adding up its
 * lanes. Only some at once where a row is looked through first: the slow loop is for those that need it. */
static int64_t rows_together(const dtype *type, int64_t n_rows, int64_t n_columns, int64_t row_bytes, int has_nodata,
                             int64_t mask_row_bytes)
{
    if (row_bytes != n_columns * type->size || mask_row_bytes != n_columns)
        return 1;
    int64_t most = type->class == CLASS_FLOAT ? n_float_block : has_nodata ? 2 * n_float_block : INT64_MAX;
    return max_i64(min_i64(most / n_columns, n_rows), 1);
}

void tally_scan(tally *t, const dtype *type, const void *pixels, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
                const void *nodata, const uint8_t *mask, int64_t mask_row_bytes)
{
    const tally_type *row = &tally_types[type->data_type];
    if (!row->scan || n_rows <= 0)
        return;
    int64_t group =
        rows_together(type, n_rows, n_columns, row_bytes, nodata != NULL, mask ? mask_row_bytes : n_columns);
    int64_t n_groups = n_rows / group, done = n_groups * group;
    row->scan(t, pixels, n_groups, n_columns * group, row_bytes * group, nodata, mask, mask_row_bytes * group);
    if (done < n_rows)
        row->scan(t, (const char *)pixels + done * row_bytes, n_rows - done, n_columns, row_bytes, nodata,
                  mask ? mask + done * mask_row_bytes : NULL, mask_row_bytes);
}

void tally_merge(tally *into, const dtype *type, const tally *from)
{
    const tally_type *row = &tally_types[type->data_type];
    if (!row->merge || from->n_valid == 0)
        return;
    row->merge(into, from->n_valid, from->min, from->max);
    into->sum += from->sum;
    wide_join(&into->squares, from->squares);
    moments_join(&into->moments, &from->moments);
}

moments tally_moments(const tally *t, const dtype *type)
{
    if (t->n_valid == 0 || type->class == CLASS_FLOAT)
        return t->moments;
    return moments_of_integers(t->n_valid, t->sum, t->squares);
}

/* -- Histograms -------------------------------------------------------------------------------------------------- */

/* What to add to a pixel's bits, modulo the type, to get its bin: signed types count from their lowest value. */
static unsigned bin_shift(const dtype *type)
{
    return type->class == CLASS_SIGNED ? 1u << (8 * type->size - 1) : 0;
}

/* Two tables in turn: a run of equal pixels would wait for its own last increment. */
static void count_8bit(uint64_t *bins, const uint8_t *p, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
                       unsigned shift)
{
    uint64_t even[256] = {0}, odd[256] = {0};
    for (int64_t y = 0; y < n_rows; y++) {
        const uint8_t *row = p + y * row_bytes;
        int64_t i = 0;
        for (; i + 1 < n_columns; i += 2) {
            even[row[i]]++;
            odd[row[i + 1]]++;
        }
        if (i < n_columns)
            even[row[i]]++;
    }
    for (unsigned v = 0; v < 256; v++)
        bins[(v + shift) & 0xff] += even[v] + odd[v];
}

static void count_row(uint64_t *bins, int32_t size, const char *p, const uint8_t *mask, int64_t n, unsigned shift)
{
    const uint8_t *p8 = (const uint8_t *)p;
    const uint16_t *p16 = (const uint16_t *)p;
    if (size == 1)
        for (int64_t i = 0; i < n; i++)
            bins[(p8[i] + shift) & 0xff] += !mask || mask[i] != 0;
    else if (mask)
        for (int64_t i = 0; i < n; i++)
            bins[(p16[i] + shift) & 0xffff] += mask[i] != 0;
    else
        for (int64_t i = 0; i < n; i++)
            bins[(p16[i] + shift) & 0xffff]++;
}

void histogram_scan(uint64_t *bins, const dtype *type, const void *pixels, int64_t n_rows, int64_t n_columns,
                    int64_t row_bytes, const void *nodata, const uint8_t *mask, int64_t mask_row_bytes)
{
    if (type->size > 2 || type->class == CLASS_FLOAT)
        return;
    unsigned shift = bin_shift(type), skip = 0;
    uint8_t skip8 = 0;
    uint16_t skip16 = 0;
    if (nodata && type->size == 1) {
        memcpy(&skip8, nodata, sizeof skip8);
        skip = (skip8 + shift) & 0xff;
    } else if (nodata) {
        memcpy(&skip16, nodata, sizeof skip16);
        skip = (skip16 + shift) & 0xffff;
    }
    /* All pixels are counted; the nodata value's bin gets its old count back. */
    uint64_t before = bins[skip];
    if (type->size == 1 && !mask)
        count_8bit(bins, pixels, n_rows, n_columns, row_bytes, shift);
    else
        for (int64_t y = 0; y < n_rows; y++)
            count_row(bins, type->size, (const char *)pixels + y * row_bytes, mask ? mask + y * mask_row_bytes : NULL,
                      n_columns, shift);
    if (nodata)
        bins[skip] = before;
}

/* Between the values at floor(position) and the next: numpy's way, which is symmetric. */
static double interpolate(double low, double high, double t)
{
    return t < 0.5 ? low + (high - low) * t : high - (high - low) * (1 - t);
}

double histogram_percentile(const uint64_t *bins, const dtype *type, double share)
{
    int64_t n_bins = (int64_t)1 << (8 * type->size), lowest = -(int64_t)bin_shift(type);
    uint64_t n = 0, counted = 0;
    for (int64_t i = 0; i < n_bins; i++)
        n += bins[i];
    if (n == 0)
        return 0;
    double position = share * (double)(n - 1), low = 0;
    uint64_t k = (uint64_t)position;
    int has_low = 0;
    for (int64_t i = 0; i < n_bins; i++) {
        counted += bins[i];
        if (!has_low && counted > k) {
            low = (double)(lowest + i);
            has_low = 1;
        }
        if (has_low && (counted > k + 1 || counted == n))
            return interpolate(low, (double)(lowest + i), position - (double)k);
    }
    return low;
}

double sorted_percentile(const double *values, int64_t n, double share)
{
    double position = share * (double)(n - 1);
    int64_t k = min_i64((int64_t)position, n - 1);
    return interpolate(values[k], values[min_i64(k + 1, n - 1)], position - (double)k);
}
