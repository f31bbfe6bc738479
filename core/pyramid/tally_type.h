/* tally_type.h: the statistics of one row of one real pixel type; tally.c includes it once per type, with
 *
 *   NAME(x)       x with the type's suffix
 *   PIXEL, VALUE  the type in memory, and the one to compare with (they differ for float16); LOAD between them
 *   IS_FLOAT      only finite pixels count
 *   LOWEST, HIGHEST  of VALUE
 *   ROW_SUM, ROW_SQUARES, SQUARE(v)   hold the sums of n_block pixels; the square in ROW_SQUARES
 *   SUM, SQUARES  hold those of a whole call
 *   MAGNITUDE(v)  instead of SQUARE: squares go into a wide_sum
 *   BLOCK_SUMS(p, n)  the quick sums of n valid pixels, a multiple of 16, for some types
 *
 * Integer pixels take the same instructions, valid or not, so that the compiler may work on many at once. Floats are
 * summed in n_lanes fixed lanes for the same reason: the order is ours, so the sum is equal in every build. */

#ifdef MAGNITUDE
#define ROW_SQUARES wide_sum
#define SQUARES wide_sum
#define ADD_SQUARE(sum, v) wide_add_square(&(sum), MAGNITUDE(v))
#define ADD_SQUARES(into, from) wide_join(&(into), from)
#else
#define ADD_SQUARE(sum, v) ((sum) += SQUARE(v))
#define ADD_SQUARES(into, from) ((into) += (from))
#endif

#if IS_FLOAT
typedef struct {
    VALUE low[n_lanes], high[n_lanes];
    moments moments;
} NAME(sums);

/* The sums of one block. First about 0, and with the extremes; then about the mean. */
typedef struct {
    int64_t n;
    double sum[n_lanes], squares[n_lanes];
} NAME(block);

/* n_lanes pixels, all valid. */
static inline void NAME(add_valid)(NAME(sums) *restrict s, NAME(block) *restrict b, const PIXEL *restrict p)
{
    for (int k = 0; k < n_lanes; k++) {
        VALUE v = LOAD(p[k]);
        s->low[k] = v < s->low[k] ? v : s->low[k];
        s->high[k] = v > s->high[k] ? v : s->high[k];
    }
    for (int k = 0; k < n_lanes; k++)
        b->sum[k] += (double)LOAD(p[k]);
    b->n += n_lanes;
}

static inline void NAME(spread_valid)(NAME(block) *restrict b, const PIXEL *restrict p, double mean)
{
    for (int k = 0; k < n_lanes; k++) {
        double v = (double)LOAD(p[k]) - mean;
        b->sum[k] += v;
        b->squares[k] += v * v;
    }
}

/* Up to n_lanes pixels, some of which may not count. */
static inline void NAME(add_mixed)(NAME(sums) *restrict s, NAME(block) *restrict b, const PIXEL *restrict p,
                                   const uint8_t *restrict mask, int64_t n, int has_nodata, VALUE nodata)
{
    for (int64_t k = 0; k < n; k++) {
        VALUE v = LOAD(p[k]);
        if (!(v - v == 0) || (has_nodata && v == nodata) || (mask && !mask[k]))
            continue;
        s->low[k] = v < s->low[k] ? v : s->low[k];
        s->high[k] = v > s->high[k] ? v : s->high[k];
        b->sum[k] += (double)v;
        b->n++;
    }
}

static inline void NAME(spread_mixed)(NAME(block) *restrict b, const PIXEL *restrict p, const uint8_t *restrict mask,
                                      int64_t n, int has_nodata, VALUE nodata, double mean)
{
    for (int64_t k = 0; k < n; k++) {
        VALUE v = LOAD(p[k]);
        if (!(v - v == 0) || (has_nodata && v == nodata) || (mask && !mask[k]))
            continue;
        b->sum[k] += (double)v - mean;
        b->squares[k] += ((double)v - mean) * ((double)v - mean);
    }
}

static double NAME(add_lanes)(const double *lanes)
{
    double sum = 0;
    for (int k = 0; k < n_lanes; k++)
        sum += lanes[k];
    return sum;
}

/* At most n_float_block pixels: their mean, then the squares about it. The mean is rounded, so that the differences
 * from it do not quite add up to 0; what they add up to is put right. */

static inline void NAME(scan_block)(NAME(sums) *restrict s, const PIXEL *restrict p, const uint8_t *restrict mask,
                                    int64_t n, int is_mixed, int has_nodata, PIXEL nodata)
{
    NAME(block) b = {0}, about = {0};
    int64_t i = 0;
    for (; i + n_lanes <= n && !is_mixed; i += n_lanes)
        NAME(add_valid)(s, &b, p + i);
    for (; i < n; i += n_lanes)
        NAME(add_mixed)(s, &b, p + i, mask ? mask + i : NULL, min_i64(n - i, n_lanes), has_nodata, LOAD(nodata));
    if (b.n == 0)
        return;
    double mean = NAME(add_lanes)(b.sum) / (double)b.n;
    for (i = 0; i + n_lanes <= n && !is_mixed; i += n_lanes)
        NAME(spread_valid)(&about, p + i, mean);
    for (; i < n; i += n_lanes)
        NAME(spread_mixed)
    (&about, p + i, mask ? mask + i : NULL, min_i64(n - i, n_lanes), has_nodata, LOAD(nodata), mean);
    double rest = NAME(add_lanes)(about.sum) / (double)b.n;
    double squares = NAME(add_lanes)(about.squares) - rest * rest * (double)b.n;
    moments_join(&s->moments, &(moments){b.n, mean, rest, squares < 0 ? 0 : squares});
}
#else
typedef struct {
    int64_t n;
    PIXEL min, max;
    SUM sum;
    SQUARES squares;
} NAME(sums);

static inline __attribute__((always_inline)) void NAME(scan_block)(NAME(sums) * s, const PIXEL *restrict p,
                                                                   const uint8_t *restrict mask, int64_t n,
                                                                   int is_mixed, int has_nodata, PIXEL nodata)
{
    PIXEL low = s->min, high = s->max;
    ROW_SUM sum = 0;
    ROW_SQUARES squares = {0};
    int32_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        PIXEL v = p[i];
        int is_valid = 1;
        if (is_mixed && has_nodata)
            is_valid &= v != nodata;
        if (is_mixed && mask)
            is_valid &= mask[i] != 0;
        PIXEL below = is_valid ? v : HIGHEST, above = is_valid ? v : LOWEST, counted = is_valid ? v : 0;
        low = below < low ? below : low;
        high = above > high ? above : high;
        sum += counted;
        ADD_SQUARE(squares, counted);
        count += is_valid;
    }
    s->n += count;
    s->min = low;
    s->max = high;
    s->sum += sum;
    ADD_SQUARES(s->squares, squares);
}
#endif

#ifdef BLOCK_SUMS
/* All pixels valid. */
static void NAME(add_block)(NAME(sums) * s, const PIXEL *p, int64_t n)
{
    int64_t n_whole = n / 16 * 16;
    if (n_whole > 0) {
        block_sums b = BLOCK_SUMS(p, n_whole);
        s->n += n_whole;
        s->min = b.low < s->min ? (PIXEL)b.low : s->min;
        s->max = b.high > s->max ? (PIXEL)b.high : s->max;
        s->sum += b.sum;
        s->squares += (uint64_t)b.squares;
    }
    NAME(scan_block)(s, p + n_whole, NULL, n - n_whole, 0, 0, 0);
}
#else
static void NAME(add_block)(NAME(sums) * s, const PIXEL *p, int64_t n)
{
    NAME(scan_block)(s, p, NULL, n, 0, 0, 0);
}
#endif

static void NAME(scan_row)(NAME(sums) * s, const PIXEL *p, const uint8_t *mask, int64_t n, int is_mixed, int has_nodata,
                           PIXEL nodata)
{
    const int64_t n_most = IS_FLOAT ? n_float_block : n_block;
    for (int64_t i = 0; i < n; i += n_most) {
        int64_t n_part = min_i64(n - i, n_most);
        if (mask)
            NAME(scan_block)(s, p + i, mask + i, n_part, 1, has_nodata, nodata);
        else if (is_mixed)
            NAME(scan_block)(s, p + i, NULL, n_part, 1, has_nodata, nodata);
        else
            NAME(add_block)(s, p + i, n_part);
    }
}

/* Does the row hold the nodata value, or anything not finite? */
static int NAME(has_invalid)(const PIXEL *restrict p, int64_t n, int has_nodata, PIXEL nodata)
{
#if IS_FLOAT
    uint32_t any = 0;
    if (has_nodata)
        for (int64_t i = 0; i < n; i++)
            any |= !(LOAD(p[i]) - LOAD(p[i]) == 0) || LOAD(p[i]) == LOAD(nodata) ? UINT32_MAX : 0;
    else
        for (int64_t i = 0; i < n; i++)
            any |= !(LOAD(p[i]) - LOAD(p[i]) == 0) ? UINT32_MAX : 0;
#else
    PIXEL any = 0;
    for (int64_t i = 0; i < n && has_nodata; i++)
        any |= p[i] == nodata ? (PIXEL)1 : (PIXEL)0;
#endif
    return any != 0;
}

static void NAME(merge)(tally *into, int64_t n, const void *min, const void *max)
{
    PIXEL a, b;
    memcpy(&a, into->min, sizeof a);
    memcpy(&b, min, sizeof b);
    if (into->n_valid == 0 || LOAD(b) < LOAD(a))
        memcpy(into->min, &b, sizeof b);
    memcpy(&a, into->max, sizeof a);
    memcpy(&b, max, sizeof b);
    if (into->n_valid == 0 || LOAD(b) > LOAD(a))
        memcpy(into->max, &b, sizeof b);
    into->n_valid += n;
}

/* The sums so far become part of the tally. */
static void NAME(finish)(tally *t, NAME(sums) * s)
{
#if IS_FLOAT
    if (s->moments.n == 0)
        return;
    VALUE low = s->low[0], high = s->high[0];
    for (int k = 0; k < n_lanes; k++) {
        low = s->low[k] < low ? s->low[k] : low;
        high = s->high[k] > high ? s->high[k] : high;
    }
    PIXEL min = STORE(low), max = STORE(high);
    NAME(merge)(t, s->moments.n, &min, &max);
    moments_join(&t->moments, &s->moments);
#else
    if (s->n == 0)
        return;
    NAME(merge)(t, s->n, &s->min, &s->max);
    t->sum += s->sum;
#ifdef MAGNITUDE
    wide_join(&t->squares, s->squares);
#else
    wide_add(&t->squares, s->squares);
#endif
#endif
}

static void NAME(scan)(tally *t, const char *pixels, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
                       const void *nodata, const uint8_t *mask, int64_t mask_row_bytes)
{
    NAME(sums) s = {0};
    PIXEL skip = 0;
#if IS_FLOAT
    for (int k = 0; k < n_lanes; k++) {
        s.low[k] = HIGHEST;
        s.high[k] = LOWEST;
    }
#else
    s.min = HIGHEST;
    s.max = LOWEST;
#endif
    if (nodata)
        memcpy(&skip, nodata, sizeof skip);
    for (int64_t y = 0; y < n_rows; y++) {
        const PIXEL *row = (const PIXEL *)(pixels + y * row_bytes);
        int is_mixed = NAME(has_invalid)(row, n_columns, nodata != NULL, skip);
        const uint8_t *mask_row = mask ? mask + y * mask_row_bytes : NULL;
        NAME(scan_row)(&s, row, mask_row, n_columns, is_mixed, nodata != NULL, skip);
    }
    NAME(finish)(t, &s);
}

#undef NAME
#undef PIXEL
#undef VALUE
#undef LOAD
#undef STORE
#undef IS_FLOAT
#undef LOWEST
#undef HIGHEST
#undef ROW_SUM
#undef ROW_SQUARES
#undef SQUARE
#undef SUM
#undef SQUARES
#undef MAGNITUDE
#undef ADD_SQUARE
#undef ADD_SQUARES
#undef BLOCK_SUMS
