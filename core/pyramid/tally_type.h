/* tally_type.h: the statistics of one row of one real pixel type; tally.c includes it once per type, with
 *
 *   NAME(x)       x with the type's suffix
 *   PIXEL, VALUE  the type in memory, and the one to compare with (they differ for float16); LOAD between them
 *   IS_FLOAT      only finite pixels count
 *   LOWEST, HIGHEST  of VALUE
 *   ROW_SUM, ROW_SQUARES, SQUARE(v)   hold the sums of n_block pixels; the square in ROW_SQUARES
 *   SUM, SQUARES  hold those of a whole call
 *   BLOCK_SUMS(p, n)  the quick sums of n valid pixels, a multiple of 16, for some types
 *
 * Integer pixels take the same instructions, valid or not, so that the compiler may work on many at once. Floats are
 * summed in n_lanes fixed lanes for the same reason: the order is ours, so the sum is equal in every build. */

#if IS_FLOAT
typedef struct {
    int64_t n;
    VALUE low[n_lanes], high[n_lanes];
    double sum[n_lanes], squares[n_lanes];
} NAME(sums);

/* n_lanes pixels, all valid. */
static inline void NAME(add_valid)(NAME(sums) *restrict s, const PIXEL *restrict p)
{
    for (int k = 0; k < n_lanes; k++) {
        VALUE v = LOAD(p[k]);
        s->low[k] = v < s->low[k] ? v : s->low[k];
        s->high[k] = v > s->high[k] ? v : s->high[k];
    }
    for (int k = 0; k < n_lanes; k++) {
        double v = (double)LOAD(p[k]);
        s->sum[k] += v;
        s->squares[k] += v * v;
    }
    s->n += n_lanes;
}

/* Up to n_lanes pixels, some of which may not count. */
static inline void NAME(add_mixed)(NAME(sums) *restrict s, const PIXEL *restrict p, const uint8_t *restrict mask,
                                   int64_t n, int has_nodata, VALUE nodata)
{
    for (int64_t k = 0; k < n; k++) {
        VALUE v = LOAD(p[k]);
        if (!(v - v == 0) || (has_nodata && v == nodata) || (mask && !mask[k]))
            continue;
        s->low[k] = v < s->low[k] ? v : s->low[k];
        s->high[k] = v > s->high[k] ? v : s->high[k];
        s->sum[k] += (double)v;
        s->squares[k] += (double)v * (double)v;
        s->n++;
    }
}

static inline void NAME(scan_block)(NAME(sums) *restrict s, const PIXEL *restrict p, const uint8_t *restrict mask,
                                    int64_t n, int is_mixed, int has_nodata, PIXEL nodata)
{
    int64_t i = 0;
    for (; i + n_lanes <= n && !is_mixed; i += n_lanes)
        NAME(add_valid)(s, p + i);
    for (; i < n; i += n_lanes)
        NAME(add_mixed)(s, p + i, mask ? mask + i : NULL, min_i64(n - i, n_lanes), has_nodata, LOAD(nodata));
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
    ROW_SQUARES squares = 0;
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
        squares += SQUARE(counted);
        count += is_valid;
    }
    s->n += count;
    s->min = low;
    s->max = high;
    s->sum += sum;
    s->squares += squares;
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
    for (int64_t i = 0; i < n; i += n_block) {
        int64_t n_part = min_i64(n - i, n_block);
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
    if (s->n == 0)
        return;
#if IS_FLOAT
    VALUE low = s->low[0], high = s->high[0];
    double sum = 0, squares = 0;
    for (int k = 0; k < n_lanes; k++) {
        low = s->low[k] < low ? s->low[k] : low;
        high = s->high[k] > high ? s->high[k] : high;
        sum += s->sum[k];
        squares += s->squares[k];
    }
    PIXEL min = STORE(low), max = STORE(high);
    NAME(merge)(t, s->n, &min, &max);
#else
    double sum = (double)s->sum, squares = (double)s->squares;
    NAME(merge)(t, s->n, &s->min, &s->max);
#endif
    t->sum += sum;
    t->sum_squares += squares;
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
#undef BLOCK_SUMS
