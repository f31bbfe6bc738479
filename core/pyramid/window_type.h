/* window_type.h: the window reducers of one real pixel type; window.c includes it once per type, with
 *
 *   NAME(x)         x with the type's suffix
 *   PIXEL, VALUE    the type in memory, and the one to compute with (they differ for float16)
 *   LOAD, STORE     between them
 *   FLAG            an unsigned integer as wide as PIXEL, so that the vectoriser keeps its lanes
 *   IS_FLOAT        NaN exists, and means are not rounded to integers
 *   SHORT_SUM, SUM  hold the sum of at most short_window pixels; of any window
 *   SQUARES         holds the sum of squares of any window: exact, or double; WIDE_SQUARES instead for 64-bit integers
 *   LOWEST, HIGHEST of an integer type; LOWEST only up to 32 bit
 *   PAIR            an integer as wide as two pixels, of 8 and 16 bit
 *   PAIR_LOW, PAIR_SIGNS   its low pixel, its sign bits
 *   NEXT(v)         what a result equal to the nodata value v becomes
 *
 * Rows are scanned once for invalid pixels while they are in cache. Where all pixels are valid a plain loop does the
 * work, where none is the row is filled; only mixed rows pay for a test per pixel. All paths add in row-major order
 * and give the same bits. No includes and no include guard: see window.c. */

static inline int NAME(is_valid)(VALUE v, int has_nodata, VALUE nodata)
{
#if IS_FLOAT
    return (v == v) & !(has_nodata & (v == nodata));
#else
    return !(has_nodata & (v == nodata));
#endif
}

static inline VALUE NAME(nodata)(const window_row *w)
{
    return w->nodata ? LOAD(*(const PIXEL *)w->nodata) : 0;
}

static inline void NAME(store)(const window_row *w, int64_t x, VALUE v)
{
    PIXEL p = STORE(v);
    if (w->nodata && LOAD(p) == NAME(nodata)(w))
        p = NEXT(p);
    ((PIXEL *)w->target)[x] = p;
}

static void NAME(fill)(const window_row *w, int64_t begin, int64_t end)
{
    PIXEL *out = w->target, empty = *(const PIXEL *)w->empty;
    for (int64_t x = begin; x < end; x++)
        out[x] = empty;
}

/* A plain result that happens to be the nodata value would read as invalid. */
static void NAME(avoid_nodata)(const window_row *w, int64_t n)
{
    if (!w->nodata)
        return;
    VALUE nodata = NAME(nodata)(w);
    PIXEL *out = w->target, next = NEXT(*(const PIXEL *)w->nodata);
    for (int64_t x = 0; x < n; x++)
        out[x] = LOAD(out[x]) == nodata ? next : out[x];
}

/* Any pixel equal to the nodata value, or masked? NaN is not looked for here: it shows in the results. */
static int NAME(any_invalid)(const window_row *w)
{
    VALUE nodata = NAME(nodata)(w);
    FLAG any = 0;
    for (int64_t r = 0; r < w->n_rows && w->nodata && !any; r++) {
        const PIXEL *restrict row = (const PIXEL *)w->rows[r];
        for (int64_t i = 0; i < w->n_source; i++)
            any |= LOAD(row[i]) == nodata ? (FLAG)-1 : 0;
    }
    return any || mask_any_invalid(w);
}

static int NAME(any_valid)(const window_row *w)
{
    VALUE nodata = NAME(nodata)(w);
    FLAG any = 0;
    for (int64_t r = 0; r < w->n_rows && !any; r++) {
        const PIXEL *restrict row = (const PIXEL *)w->rows[r];
        const uint8_t *restrict mask = w->masks ? w->masks[r] : NULL;
        if (mask)
            for (int64_t i = 0; i < w->n_source; i++)
                any |= NAME(is_valid)(LOAD(row[i]), w->nodata != NULL, nodata) & (mask[i] != 0);
        else if (w->nodata)
            for (int64_t i = 0; i < w->n_source; i++)
                any |= NAME(is_valid)(LOAD(row[i]), 1, nodata) ? (FLAG)-1 : 0;
        else
            for (int64_t i = 0; i < w->n_source; i++)
                any |= NAME(is_valid)(LOAD(row[i]), 0, 0) ? (FLAG)-1 : 0;
    }
    return any != 0;
}

static int NAME(any_nan)(const PIXEL *restrict row, int64_t n)
{
    FLAG any = 0;
#if IS_FLOAT
    for (int64_t i = 0; i < n; i++)
        any |= LOAD(row[i]) != LOAD(row[i]) ? (FLAG)-1 : 0;
#else
    (void)row;
    (void)n;
#endif
    return any != 0;
}

/* -- AVERAGE ---------------------------------------------------------------------------------------------------- */

#if IS_FLOAT
#define ZERO (-0.0) /* the neutral element of addition: 0.0 would turn a mean of negative zeros positive */
#define MEAN(sum, n) ((VALUE)((sum) / (double)(n)))
#define SHORT_MEAN MEAN
#else
#define ZERO 0
#define MEAN(sum, n) NAME(mean)(sum, n)
/* floor(sum / n + 1 / 2) */
static inline VALUE NAME(mean)(SUM sum, int64_t n)
{
    SUM above = 2 * sum + n, below = 2 * (SUM)n, quotient = above / below;
    return (VALUE)(quotient - (above % below < 0));
}
#ifdef LOWEST
#define SHORT_MEAN(sum, n) NAME(short_mean)(sum, n)
/* The same where all numbers are far below 2^53: a quotient of doubles cannot reach the next integer, and unlike the
 * integer division it is vectorised. Counting from the type's lowest value makes truncation the floor. */
static inline VALUE NAME(short_mean)(SHORT_SUM sum, int32_t n)
{
    double below = 2.0 * n, above = 2.0 * (double)sum + n - (double)LOWEST * below;
    return (VALUE)((SHORT_SUM)(above / below) + LOWEST);
}
#else
#define SHORT_MEAN MEAN
#endif
#endif

/* One window, any size, valid or not. */
static void NAME(average_one)(const window_row *w, int64_t x)
{
    VALUE nodata = NAME(nodata)(w);
    int64_t begin = x * w->ratio, end = min_i64(begin + w->ratio, w->n_source), n = 0;
    SUM sum = ZERO;
    for (int64_t r = 0; r < w->n_rows; r++) {
        const PIXEL *row = (const PIXEL *)w->rows[r];
        for (int64_t i = begin; i < end; i++) {
            VALUE v = LOAD(row[i]);
            if (NAME(is_valid)(v, w->nodata != NULL, nodata) && (!w->masks || w->masks[r][i])) {
                sum += v;
                n++;
            }
        }
    }
    if (n > 0)
        NAME(store)(w, x, MEAN(sum, n));
    else
        NAME(fill)(w, x, x + 1);
}

/* 2 x 2, all valid: the loop that decides the speed of the product. */
WIDE_LOOP
static void NAME(average_quads)(const PIXEL *restrict a, const PIXEL *restrict b, PIXEL *restrict out, int64_t n)
{
    for (int64_t x = 0; x < n; x++) {
#if IS_FLOAT
        double sum = (double)LOAD(a[2 * x]) + LOAD(a[2 * x + 1]) + LOAD(b[2 * x]) + LOAD(b[2 * x + 1]);
        out[x] = STORE((VALUE)(sum * 0.25));
#elif defined(PAIR)
        /* Both pixels of a pair as one word: even and odd pixels need no shuffle, only mask and shift. Signed pixels
         * are moved up to the unsigned range and back. */
        PAIR p, q;
        memcpy(&p, a + 2 * x, sizeof p);
        memcpy(&q, b + 2 * x, sizeof q);
        p ^= PAIR_SIGNS;
        q ^= PAIR_SIGNS;
        PAIR sum = (PAIR)((p & PAIR_LOW) + (p >> 8 * sizeof *a) + (q & PAIR_LOW) + (q >> 8 * sizeof *a) + 2);
        out[x] = (PIXEL)((sum >> 2) ^ (PAIR_SIGNS & PAIR_LOW));
#else
        SHORT_SUM sum = (SHORT_SUM)a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1];
        out[x] = (PIXEL)((sum + 2) >> 2);
#endif
    }
}

static inline __attribute__((always_inline)) void NAME(add_row)(const PIXEL *restrict row, int64_t ratio, int64_t n,
                                                                SHORT_SUM *restrict sums)
{
    for (int64_t x = 0; x < n; x++)
        for (int64_t i = 0; i < ratio; i++)
            sums[x] += LOAD(row[x * ratio + i]);
}

static inline __attribute__((always_inline)) void NAME(add_valid)(const PIXEL *restrict row,
                                                                  const uint8_t *restrict mask, int64_t ratio,
                                                                  int64_t n, int has_nodata, VALUE nodata,
                                                                  SHORT_SUM *restrict sums, int32_t *restrict counts)
{
    for (int64_t x = 0; x < n; x++)
        for (int64_t i = 0; i < ratio; i++) {
            VALUE v = LOAD(row[x * ratio + i]);
            int is_valid = NAME(is_valid)(v, has_nodata, nodata) & (!mask || mask[x * ratio + i]);
            sums[x] += is_valid ? (SHORT_SUM)v : (SHORT_SUM)ZERO;
            counts[x] += is_valid;
        }
}

/* n windows from x0 on, all pixels valid. */
static void NAME(average_valid_block)(const window_row *w, int64_t x0, int64_t n)
{
    SHORT_SUM sums[BLOCK];
    PIXEL *out = (PIXEL *)w->target + x0;
    int64_t n_window = w->n_rows * w->ratio;
    for (int64_t x = 0; x < n; x++)
        sums[x] = ZERO;
    for (int64_t r = 0; r < w->n_rows; r++) {
        const PIXEL *row = (const PIXEL *)w->rows[r] + x0 * w->ratio;
        if (w->ratio == 2)
            NAME(add_row)(row, 2, n, sums);
        else if (w->ratio == 1)
            NAME(add_row)(row, 1, n, sums);
        else if (w->ratio == 3)
            NAME(add_row)(row, 3, n, sums);
        else
            NAME(add_row)(row, w->ratio, n, sums);
    }
#if IS_FLOAT
    for (int64_t x = 0; x < n; x++)
        out[x] = STORE(MEAN(sums[x], n_window));
#else
    if ((n_window & (n_window - 1)) == 0) {
        int shift = 0;
        while ((int64_t)1 << shift < n_window)
            shift++;
        SHORT_SUM half = (SHORT_SUM)(n_window / 2);
        for (int64_t x = 0; x < n; x++)
            out[x] = (PIXEL)((sums[x] + half) >> shift);
    } else {
        for (int64_t x = 0; x < n; x++)
            out[x] = SHORT_MEAN(sums[x], (int32_t)n_window);
    }
#endif
}

static void NAME(average_mixed_block)(const window_row *w, int64_t x0, int64_t n)
{
    SHORT_SUM sums[BLOCK];
    int32_t counts[BLOCK];
    VALUE nodata = NAME(nodata)(w);
    for (int64_t x = 0; x < n; x++) {
        sums[x] = ZERO;
        counts[x] = 0;
    }
    for (int64_t r = 0; r < w->n_rows; r++) {
        const PIXEL *row = (const PIXEL *)w->rows[r] + x0 * w->ratio;
        const uint8_t *mask = w->masks ? w->masks[r] + x0 * w->ratio : NULL;
        if (w->ratio == 2 && mask)
            NAME(add_valid)(row, mask, 2, n, w->nodata != NULL, nodata, sums, counts);
        else if (w->ratio == 2)
            NAME(add_valid)(row, NULL, 2, n, w->nodata != NULL, nodata, sums, counts);
        else
            NAME(add_valid)(row, mask, w->ratio, n, w->nodata != NULL, nodata, sums, counts);
    }
    PIXEL *restrict out = (PIXEL *)w->target + x0, empty = *(const PIXEL *)w->empty;
    for (int64_t x = 0; x < n; x++) {
        PIXEL mean = STORE(SHORT_MEAN(sums[x], counts[x] > 0 ? counts[x] : 1));
        out[x] = counts[x] > 0 ? mean : empty;
    }
    if (w->nodata) {
        PIXEL next = NEXT(*(const PIXEL *)w->nodata);
        for (int64_t x = 0; x < n; x++)
            out[x] = counts[x] > 0 && LOAD(out[x]) == nodata ? next : out[x];
    }
}

static void NAME(average_valid)(const window_row *w, int64_t n)
{
    if (w->n_rows == 2 && w->ratio == 2)
        NAME(average_quads)((const PIXEL *)w->rows[0], (const PIXEL *)w->rows[1], w->target, n);
    else
        for (int64_t x = 0; x < n; x += BLOCK)
            NAME(average_valid_block)(w, x, min_i64(n - x, BLOCK));
}

static void NAME(average)(const window_row *w)
{
    int64_t n_whole = min_i64(w->n_target, w->n_source / w->ratio);
    if (w->n_rows * w->ratio > short_window)
        n_whole = 0;
    int is_mixed = NAME(any_invalid)(w);
    if (!is_mixed) {
        NAME(average_valid)(w, n_whole);
        is_mixed = NAME(any_nan)(w->target, n_whole);
        if (!is_mixed)
            NAME(avoid_nodata)(w, n_whole);
    }
    if (is_mixed && !NAME(any_valid)(w)) {
        NAME(fill)(w, 0, w->n_target);
        return;
    }
    for (int64_t x = 0; x < n_whole && is_mixed; x += BLOCK)
        NAME(average_mixed_block)(w, x, min_i64(n_whole - x, BLOCK));
    for (int64_t x = n_whole; x < w->n_target; x++)
        NAME(average_one)(w, x);
}

/* -- The others: window by window -------------------------------------------------------------------------------- */

/* The valid pixels of one window, packed into w->window. Returns their number. */
static int64_t NAME(gather)(const window_row *w, int64_t x)
{
    VALUE nodata = NAME(nodata)(w), *values = w->window;
    int64_t begin = x * w->ratio, end = min_i64(begin + w->ratio, w->n_source), n = 0;
    for (int64_t r = 0; r < w->n_rows; r++) {
        const PIXEL *row = (const PIXEL *)w->rows[r];
        for (int64_t i = begin; i < end; i++) {
            VALUE v = LOAD(row[i]);
            if (NAME(is_valid)(v, w->nodata != NULL, nodata) && (!w->masks || w->masks[r][i]))
                values[n++] = v;
        }
    }
    return n;
}

static void NAME(sort)(VALUE *values, int64_t n)
{
    int64_t gap = 1;
    while (gap < n / 9)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (int64_t i = gap; i < n; i++) {
            VALUE v = values[i];
            int64_t k = i;
            for (; k >= gap && values[k - gap] > v; k -= gap)
                values[k] = values[k - gap];
            values[k] = v;
        }
}

/* The most frequent of n >= 1 values, the smallest on ties. */
static VALUE NAME(most_frequent)(VALUE *values, int64_t n)
{
    int64_t same = 1, best = 0, run = 0;
    while (same < n && values[same] == values[0])
        same++;
    if (same == n)
        return values[0];
    NAME(sort)(values, n);
    VALUE mode = values[0];
    for (int64_t i = 0; i < n; i++) {
        run = i > 0 && values[i] == values[i - 1] ? run + 1 : 1;
        if (run > best) {
            best = run;
            mode = values[i];
        }
    }
    return mode;
}

static void NAME(mode)(const window_row *w)
{
    for (int64_t x = 0; x < w->n_target; x++) {
        int64_t n = NAME(gather)(w, x);
        if (n > 0)
            ((PIXEL *)w->target)[x] = STORE(NAME(most_frequent)(w->window, n));
        else
            NAME(fill)(w, x, x + 1);
    }
}

static VALUE NAME(root_mean_square)(const VALUE *values, int64_t n)
{
#ifdef WIDE_SQUARES
    wide_sum sum = {0};
    for (int64_t i = 0; i < n; i++)
        wide_add_square(&sum, values[i] > 0 ? (uint64_t)values[i] : -(uint64_t)values[i]);
    uint64_t r = wide_root_of_mean(sum, (uint64_t)n);
    return r < (uint64_t)HIGHEST ? (VALUE)r : HIGHEST; /* all pixels -2^63 */
#else
    SQUARES sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (SQUARES)values[i] * (SQUARES)values[i];
    double root = sqrt((double)sum / (double)n);
#if IS_FLOAT
    return (VALUE)root;
#elif defined(SQUARES_ARE_EXACT)
    /* The integer r with r - 1/2 <= root < r + 1/2, decided without the rounding of sqrt. */
    SQUARES r = (SQUARES)(root + 0.5);
    while ((2 * r + 1) * (2 * r + 1) * (SQUARES)n <= 4 * sum)
        r++;
    while (r > 0 && (2 * r - 1) * (2 * r - 1) * (SQUARES)n > 4 * sum)
        r--;
    return r < (SQUARES)HIGHEST ? (VALUE)r : HIGHEST; /* all pixels -128 */
#endif
#endif
}

static void NAME(rms)(const window_row *w)
{
    for (int64_t x = 0; x < w->n_target; x++) {
        int64_t n = NAME(gather)(w, x);
        if (n > 0)
            NAME(store)(w, x, NAME(root_mean_square)(w->window, n));
        else
            NAME(fill)(w, x, x + 1);
    }
}

static inline __attribute__((always_inline)) void NAME(extreme)(const window_row *w, int is_max)
{
    for (int64_t x = 0; x < w->n_target; x++) {
        int64_t n = NAME(gather)(w, x);
        const VALUE *values = w->window;
        VALUE best = n > 0 ? values[0] : 0;
        for (int64_t i = 1; i < n; i++)
            if (is_max ? values[i] > best : values[i] < best)
                best = values[i];
        if (n > 0)
            ((PIXEL *)w->target)[x] = STORE(best);
        else
            NAME(fill)(w, x, x + 1);
    }
}

static void NAME(min)(const window_row *w)
{
    NAME(extreme)(w, 0);
}

static void NAME(max)(const window_row *w)
{
    NAME(extreme)(w, 1);
}

static const window_type NAME(window) = {.of = {[REDUCE_AVERAGE] = NAME(average),
                                                [REDUCE_MODE] = NAME(mode),
                                                [REDUCE_RMS] = NAME(rms),
                                                [REDUCE_MIN] = NAME(min),
                                                [REDUCE_MAX] = NAME(max)}};

#undef ZERO
#undef MEAN
#undef SHORT_MEAN
#undef NAME
#undef PIXEL
#undef VALUE
#undef FLAG
#undef LOAD
#undef STORE
#undef IS_FLOAT
#undef SHORT_SUM
#undef SUM
#undef SQUARES
#undef WIDE_SQUARES
#undef SQUARES_ARE_EXACT
#undef LOWEST
#undef HIGHEST
#undef NEXT
#undef PAIR
#undef PAIR_LOW
#undef PAIR_SIGNS
