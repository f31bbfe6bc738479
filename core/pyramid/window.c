/* window.c: reduces the windows of one target row. window_type.h holds the code, here are the types: one block of
 * definitions each. Complex numbers, which nobody looks at in a pyramid, take a short general path by their parts. */
#include "base/box.h"
#include "base/simd.h"
#include "model/options.h"
#include "pyramid/moments.h"
#include "pyramid/window.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 256, short_window = 4096 };

typedef struct {
    window_reducer of[n_methods]; /* by REDUCE_*; NULL: not for this type */
} window_type;

static int mask_any_invalid(const window_row *w)
{
    uint8_t any = 0;
    if (!w->masks)
        return 0;
    for (int64_t r = 0; r < w->n_rows; r++) {
        const uint8_t *restrict mask = w->masks[r];
        for (int64_t i = 0; i < w->n_source; i++)
            any |= mask[i] == 0;
    }
    return any;
}

static float next_float(float v)
{
    return v == FLT_MAX ? nextafterf(v, 0) : nextafterf(v, FLT_MAX);
}

static double next_double(double v)
{
    return v == DBL_MAX ? nextafter(v, 0) : nextafter(v, DBL_MAX);
}

/* Halves are sign and magnitude: the next one up is the magnitude plus one, below zero minus one. */
static uint16_t next_half(uint16_t v)
{
    enum { sign = 0x8000, largest = 0x7bff, infinity = 0x7c00 };
    if (v == largest || v == infinity)
        return v - (v == largest) - (v == infinity);
    if (v == sign)
        return 1;
    return (uint16_t)(v & sign ? v - 1 : v + 1);
}

/* The square root of sum / n, half rounded up; n > 0 numbers were summed. r - 1/2 <= root is the same as
 * r * (r - 1) <= (sum - n / 4) / n, and r * (r - 1) is an integer: so is everything here. */
static uint64_t wide_root_of_mean(wide_sum sum, uint64_t n)
{
    uint64_t quarter = n / 4 + (n % 4 != 0), r = 0;
    if (sum.high == 0 && sum.low < quarter)
        return 0;
    sum.high -= sum.low < quarter;
    sum.low -= quarter;
    /* Long division with digits of 64 bits: high < n, so that the quotient has two. */
    uint128 part = (uint128)sum.high << 64 | (uint64_t)(sum.low >> 64);
    uint64_t upper = (uint64_t)(part / n);
    part = (part % n) << 64 | (uint64_t)sum.low;
    uint128 quotient = (uint128)upper << 64 | (uint64_t)(part / n);
    for (uint64_t bit = (uint64_t)1 << 63; bit > 0; bit >>= 1)
        if ((uint128)(r | bit) * ((r | bit) - 1) <= quotient)
            r |= bit;
    return r;
}

#define NEXT_INTEGER(v) ((v) == HIGHEST ? (v)-1 : (v) + 1)
#define SAME(v) (v)

#define NAME(x) x##_uint8
#define PIXEL uint8_t
#define VALUE uint8_t
#define FLAG uint8_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int32_t
#define SUM int64_t
#define SQUARES uint64_t
#define SQUARES_ARE_EXACT
#define LOWEST 0
#define HIGHEST UINT8_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#define PAIR uint16_t
#define PAIR_LOW 0xff
#define PAIR_SIGNS 0
#include "pyramid/window_type.h"

#define NAME(x) x##_int8
#define PIXEL int8_t
#define VALUE int8_t
#define FLAG uint8_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int32_t
#define SUM int64_t
#define SQUARES uint64_t
#define SQUARES_ARE_EXACT
#define LOWEST INT8_MIN
#define HIGHEST INT8_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#define PAIR uint16_t
#define PAIR_LOW 0xff
#define PAIR_SIGNS 0x8080
#include "pyramid/window_type.h"

#define NAME(x) x##_uint16
#define PIXEL uint16_t
#define VALUE uint16_t
#define FLAG uint16_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int32_t
#define SUM int64_t
#define SQUARES uint64_t
#define SQUARES_ARE_EXACT
#define LOWEST 0
#define HIGHEST UINT16_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#define PAIR uint32_t
#define PAIR_LOW 0xffff
#define PAIR_SIGNS 0
#include "pyramid/window_type.h"

#define NAME(x) x##_int16
#define PIXEL int16_t
#define VALUE int16_t
#define FLAG uint16_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int32_t
#define SUM int64_t
#define SQUARES uint64_t
#define SQUARES_ARE_EXACT
#define LOWEST INT16_MIN
#define HIGHEST INT16_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#define PAIR uint32_t
#define PAIR_LOW 0xffff
#define PAIR_SIGNS 0x80008000
#include "pyramid/window_type.h"

#define NAME(x) x##_uint32
#define PIXEL uint32_t
#define VALUE uint32_t
#define FLAG uint32_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int64_t
#define SUM int64_t
#define SQUARES uint128
#define SQUARES_ARE_EXACT
#define LOWEST 0
#define HIGHEST UINT32_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#include "pyramid/window_type.h"

#define NAME(x) x##_int32
#define PIXEL int32_t
#define VALUE int32_t
#define FLAG uint32_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int64_t
#define SUM int64_t
#define SQUARES uint128
#define SQUARES_ARE_EXACT
#define LOWEST INT32_MIN
#define HIGHEST INT32_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#include "pyramid/window_type.h"

#define NAME(x) x##_uint64
#define PIXEL uint64_t
#define VALUE uint64_t
#define FLAG uint64_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int128
#define SUM int128
#define WIDE_SQUARES
#define HIGHEST UINT64_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#include "pyramid/window_type.h"

#define NAME(x) x##_int64
#define PIXEL int64_t
#define VALUE int64_t
#define FLAG uint64_t
#define LOAD(v) (v)
#define STORE(v) (v)
#define IS_FLOAT 0
#define SHORT_SUM int128
#define SUM int128
#define WIDE_SQUARES
#define HIGHEST INT64_MAX
#define NEXT(v) (PIXEL) NEXT_INTEGER(v)
#include "pyramid/window_type.h"

#define NAME(x) x##_float16
#define PIXEL uint16_t
#define VALUE float
#define FLAG uint16_t
#define LOAD half_to_float
#define STORE half_from_float
#define IS_FLOAT 1
#define SHORT_SUM double
#define SUM double
#define SQUARES double
#define NEXT next_half
#include "pyramid/window_type.h"

#define NAME(x) x##_float32
#define PIXEL float
#define VALUE float
#define FLAG uint32_t
#define LOAD SAME
#define STORE SAME
#define IS_FLOAT 1
#define SHORT_SUM double
#define SUM double
#define SQUARES double
#define NEXT next_float
#include "pyramid/window_type.h"

#define NAME(x) x##_float64
#define PIXEL double
#define VALUE double
#define FLAG uint64_t
#define LOAD SAME
#define STORE SAME
#define IS_FLOAT 1
#define SHORT_SUM double
#define SUM double
#define SQUARES double
#define NEXT next_double
#include "pyramid/window_type.h"

/* -- Complex types ----------------------------------------------------------------------------------------------- */

typedef struct {
    double re, im;
} complex_value;

static complex_value complex_load(int item_size, const void *pixel)
{
    complex_value v;
    if (item_size == 8) {
        memcpy(&v, pixel, sizeof v);
    } else {
        float part[2];
        memcpy(part, pixel, sizeof part);
        v = (complex_value){part[0], part[1]};
    }
    return v;
}

static void complex_store(int item_size, void *pixel, complex_value v)
{
    float part[2] = {(float)v.re, (float)v.im};
    if (item_size == 8)
        memcpy(pixel, &v, sizeof v);
    else
        memcpy(pixel, part, sizeof part);
}

/* By real part, then by imaginary part: numpy's order. */
static int complex_less(complex_value a, complex_value b)
{
    return a.re < b.re || (a.re == b.re && a.im < b.im);
}

static int complex_equal(complex_value a, complex_value b)
{
    return a.re == b.re && a.im == b.im;
}

static complex_value complex_mean(const complex_value *v, int64_t n)
{
    complex_value sum = {-0.0, -0.0};
    for (int64_t i = 0; i < n; i++) {
        sum.re += v[i].re;
        sum.im += v[i].im;
    }
    return (complex_value){sum.re / (double)n, sum.im / (double)n};
}

static complex_value complex_rms(const complex_value *v, int64_t n)
{
    double re = 0, im = 0;
    for (int64_t i = 0; i < n; i++) {
        re += v[i].re * v[i].re;
        im += v[i].im * v[i].im;
    }
    return (complex_value){sqrt(re / (double)n), sqrt(im / (double)n)};
}

static complex_value complex_mode(const complex_value *v, int64_t n)
{
    complex_value mode = v[0];
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t count = 0;
        for (int64_t k = 0; k < n; k++)
            count += complex_equal(v[i], v[k]);
        if (count > best || (count == best && complex_less(v[i], mode))) {
            best = count;
            mode = v[i];
        }
    }
    return mode;
}

static complex_value complex_min(const complex_value *v, int64_t n)
{
    complex_value best = v[0];
    for (int64_t i = 1; i < n; i++)
        best = complex_less(v[i], best) ? v[i] : best;
    return best;
}

static complex_value complex_max(const complex_value *v, int64_t n)
{
    complex_value best = v[0];
    for (int64_t i = 1; i < n; i++)
        best = complex_less(best, v[i]) ? v[i] : best;
    return best;
}

static int64_t complex_gather(const window_row *w, int item_size, int64_t x)
{
    complex_value *values = w->window, nodata = {0, 0};
    int64_t begin = x * w->ratio, end = min_i64(begin + w->ratio, w->n_source), n = 0;
    if (w->nodata)
        nodata = complex_load(item_size, w->nodata);
    for (int64_t r = 0; r < w->n_rows; r++)
        for (int64_t i = begin; i < end; i++) {
            complex_value v = complex_load(item_size, w->rows[r] + i * 2 * item_size);
            if (v.re == v.re && v.im == v.im && !(w->nodata && complex_equal(v, nodata)) &&
                (!w->masks || w->masks[r][i]))
                values[n++] = v;
        }
    return n;
}

static void complex_row(const window_row *w, int item_size, complex_value (*reducer)(const complex_value *, int64_t))
{
    for (int64_t x = 0; x < w->n_target; x++) {
        char *to = (char *)w->target + x * 2 * item_size;
        int64_t n = complex_gather(w, item_size, x);
        if (n == 0) {
            memcpy(to, w->empty, 2 * (size_t)item_size);
            continue;
        }
        complex_store(item_size, to, reducer(w->window, n));
        if (w->nodata && complex_equal(complex_load(item_size, to), complex_load(item_size, w->nodata))) {
            complex_value v = complex_load(item_size, to);
            v.re = item_size == 8 ? next_double(v.re) : next_float((float)v.re);
            complex_store(item_size, to, v);
        }
    }
}

#define COMPLEX_REDUCER(name, suffix, item_size, reducer)                                                              \
    static void name##_##suffix(const window_row *w)                                                                   \
    {                                                                                                                  \
        complex_row(w, item_size, reducer);                                                                            \
    }
#define COMPLEX_REDUCERS(suffix, item_size)                                                                            \
    COMPLEX_REDUCER(average, suffix, item_size, complex_mean)                                                          \
    COMPLEX_REDUCER(mode, suffix, item_size, complex_mode)                                                             \
    COMPLEX_REDUCER(rms, suffix, item_size, complex_rms)                                                               \
    COMPLEX_REDUCER(min, suffix, item_size, complex_min)                                                               \
    COMPLEX_REDUCER(max, suffix, item_size, complex_max)                                                               \
    static const window_type window_##suffix = {.of = {[REDUCE_AVERAGE] = average_##suffix,                            \
                                                       [REDUCE_MODE] = mode_##suffix,                                  \
                                                       [REDUCE_RMS] = rms_##suffix,                                    \
                                                       [REDUCE_MIN] = min_##suffix,                                    \
                                                       [REDUCE_MAX] = max_##suffix}};
COMPLEX_REDUCERS(c64, 4)
COMPLEX_REDUCERS(c128, 8)

/* -- The table --------------------------------------------------------------------------------------------------- */

static const window_type *const window_types[] = {
    [NGFF_UINT8] = &window_uint8,     [NGFF_INT8] = &window_int8,       [NGFF_UINT16] = &window_uint16,
    [NGFF_INT16] = &window_int16,     [NGFF_UINT32] = &window_uint32,   [NGFF_INT32] = &window_int32,
    [NGFF_UINT64] = &window_uint64,   [NGFF_INT64] = &window_int64,     [NGFF_FLOAT16] = &window_float16,
    [NGFF_FLOAT32] = &window_float32, [NGFF_FLOAT64] = &window_float64, [NGFF_COMPLEX64] = &window_c64,
    [NGFF_COMPLEX128] = &window_c128};

window_reducer window_reducer_get(int resampling, const dtype *type)
{
    return window_types[type->data_type]->of[resampling];
}

void nodata_neighbour(const dtype *type, const void *nodata, void *neighbour)
{
#define NEIGHBOUR(data_type, pixel, next)                                                                              \
    case data_type: {                                                                                                  \
        pixel v;                                                                                                       \
        memcpy(&v, nodata, sizeof v);                                                                                  \
        v = (pixel)(next);                                                                                             \
        memcpy(neighbour, &v, sizeof v);                                                                               \
        break;                                                                                                         \
    }
    switch (type->data_type) {
        NEIGHBOUR(NGFF_UINT8, uint8_t, v == UINT8_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_INT8, int8_t, v == INT8_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_UINT16, uint16_t, v == UINT16_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_INT16, int16_t, v == INT16_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_UINT32, uint32_t, v == UINT32_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_INT32, int32_t, v == INT32_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_UINT64, uint64_t, v == UINT64_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_INT64, int64_t, v == INT64_MAX ? v - 1 : v + 1)
        NEIGHBOUR(NGFF_FLOAT16, uint16_t, next_half(v))
        NEIGHBOUR(NGFF_FLOAT32, float, next_float(v))
        NEIGHBOUR(NGFF_FLOAT64, double, next_double(v))
    }
#undef NEIGHBOUR
}
