/* kernel_type.h: the separable filter in one work type; kernel.c includes it for float and for double, with WORK,
 * NAME(x) and ROUND_MAGIC. Which way a target index is summed depends on nothing but its place in the level. */

/* out[i] = w[0] * rows[0][i] + w[1] * rows[1][i] + ... */
WIDE_LOOP
static void NAME(weigh)(const void *const *rows, const WORK *w, int64_t n_rows, WORK *restrict out, int64_t n)
{
    for (int64_t k = 0; k < n_rows; k++) {
        const WORK *restrict row = rows[k];
        WORK weight = w[k];
        for (int64_t i = 0; i < n; i++)
            out[i] = k == 0 ? weight * row[i] : out[i] + weight * row[i];
    }
}

/* Adds (or sets out to) `count` mirrored pairs from row k on. */
static inline __attribute__((always_inline)) void NAME(add_pairs)(const void *const *rows, const WORK *w,
                                                                  int64_t n_rows, int64_t k, int count, int is_first,
                                                                  WORK *restrict out, int64_t n)
{
    const WORK *restrict a = rows[k], *restrict z = rows[n_rows - 1 - k];
    const WORK *restrict b = count > 1 ? rows[k + 1] : a, *restrict y = count > 1 ? rows[n_rows - 2 - k] : z;
    const WORK *restrict c = count > 2 ? rows[k + 2] : a, *restrict x = count > 2 ? rows[n_rows - 3 - k] : z;
    WORK wa = w[k], wb = count > 1 ? w[k + 1] : 0, wc = count > 2 ? w[k + 2] : 0;
    for (int64_t i = 0; i < n; i++) {
        WORK sum = wa * (a[i] + z[i]);
        if (!is_first)
            sum = out[i] + sum;
        if (count > 1)
            sum += wb * (b[i] + y[i]);
        if (count > 2)
            sum += wc * (c[i] + x[i]);
        out[i] = sum;
    }
}

/* The same for taps that mirror each other, as all do inside the image: from the outermost pair inwards, each pair
 * added before it is weighed. The sum of two pixels of up to 16 bit is exact: half the work and half the rounding. */
WIDE_LOOP
static void NAME(weigh_mirrored)(const void *const *rows, const WORK *w, int64_t n_rows, WORK *restrict out, int64_t n)
{
    int64_t n_pairs = n_rows / 2, k = 0;
    while (k < n_pairs) {
        if (n_pairs - k >= 3) {
            if (k == 0)
                NAME(add_pairs)(rows, w, n_rows, k, 3, 1, out, n);
            else
                NAME(add_pairs)(rows, w, n_rows, k, 3, 0, out, n);
            k += 3;
        } else if (n_pairs - k == 2) {
            if (k == 0)
                NAME(add_pairs)(rows, w, n_rows, k, 2, 1, out, n);
            else
                NAME(add_pairs)(rows, w, n_rows, k, 2, 0, out, n);
            k += 2;
        } else {
            NAME(add_pairs)(rows, w, n_rows, k, 1, k == 0, out, n);
            k += 1;
        }
    }
    if (n_rows % 2) {
        const WORK *restrict middle = rows[k];
        WORK weight = w[k];
        for (int64_t i = 0; i < n; i++)
            out[i] = n_rows == 1 ? weight * middle[i] : out[i] + weight * middle[i];
    }
}

/* Valid shares: exactly 1 where all taps are. */
static void NAME(weigh_shares)(const void *const *rows, const WORK *w, int64_t n_rows, WORK *restrict out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        WORK sum = 0;
        int is_whole = 1;
        for (int64_t k = 0; k < n_rows; k++) {
            WORK share = ((const WORK *)rows[k])[i];
            sum += w[k] * share;
            is_whole &= share == 1;
        }
        out[i] = is_whole ? 1 : sum;
    }
}

static void NAME(fill)(WORK *to, int64_t n, WORK value)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = value;
}

/* -- One source row ---------------------------------------------------------------------------------------------- */

/* Converts n pixels (of a complex type: one part) to the work type; sets shares to 0 where one is nodata, to 1
 * elsewhere, if there is any. Returns whether there is. */
WIDE_LOOP
static int NAME(convert)(const filter *f, const char *from, int64_t n, WORK *restrict line, WORK *restrict shares)
{
    const void *nodata = f->r->nodata;
    int any = 0;
#define CONVERT(data_type, pixel, load)                                                                                \
    case data_type: {                                                                                                  \
        const pixel *restrict p = (const pixel *)from;                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            line[i] = (WORK)load(p[i]);                                                                                \
        if (!nodata)                                                                                                   \
            break;                                                                                                     \
        pixel value;                                                                                                   \
        memcpy(&value, nodata, sizeof value);                                                                          \
        for (int64_t i = 0; i < n; i++)                                                                                \
            any |= load(p[i]) == load(value);                                                                          \
        for (int64_t i = 0; i < n && any; i++)                                                                         \
            shares[i] = load(p[i]) != load(value);                                                                     \
        break;                                                                                                         \
    }
#define CONVERT_PARTS(data_type, number)                                                                               \
    case data_type: {                                                                                                  \
        const number *restrict p = (const number *)from;                                                               \
        number value[2] = {(number)NAN, (number)NAN};                                                                  \
        if (nodata)                                                                                                    \
            memcpy(value, nodata, sizeof value);                                                                       \
        any = 1;                                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            line[i] = (WORK)p[2 * i + f->part];                                                                        \
            shares[i] = p[2 * i] == p[2 * i] && p[2 * i + 1] == p[2 * i + 1] &&                                        \
                        !(p[2 * i] == value[0] && p[2 * i + 1] == value[1]);                                           \
        }                                                                                                              \
        break;                                                                                                         \
    }
    switch (f->r->type->data_type) {
        CONVERT(NGFF_UINT8, uint8_t, )
        CONVERT(NGFF_INT8, int8_t, )
        CONVERT(NGFF_UINT16, uint16_t, )
        CONVERT(NGFF_INT16, int16_t, )
        CONVERT(NGFF_UINT32, uint32_t, )
        CONVERT(NGFF_INT32, int32_t, )
        CONVERT(NGFF_UINT64, uint64_t, )
        CONVERT(NGFF_INT64, int64_t, )
        CONVERT(NGFF_FLOAT16, uint16_t, half_to_float)
        CONVERT(NGFF_FLOAT32, float, )
        CONVERT(NGFF_FLOAT64, double, )
        CONVERT_PARTS(NGFF_COMPLEX64, float)
        CONVERT_PARTS(NGFF_COMPLEX128, double)
    }
#undef CONVERT
#undef CONVERT_PARTS
    return any;
}

/* One source row in the work type: invalid pixels are 0 with share 0. Returns 1 if all are valid; shares is then
 * undefined. */
static int NAME(load_line)(const filter *f, const char *from, const uint8_t *mask, int64_t n)
{
    WORK *restrict line = f->line, *restrict shares = f->line_shares;
    int any = NAME(convert)(f, from, n, line, shares), any_nan = 0, any_masked = 0;
    if (f->r->type->class == CLASS_FLOAT)
        for (int64_t i = 0; i < n; i++)
            any_nan |= line[i] != line[i];
    for (int64_t i = 0; i < n && mask; i++)
        any_masked |= mask[i] == 0;
    if (!any && (any_nan || any_masked))
        NAME(fill)(shares, n, 1);
    for (int64_t i = 0; i < n && any_nan; i++)
        shares[i] = line[i] == line[i] ? shares[i] : 0;
    for (int64_t i = 0; i < n && any_masked; i++)
        shares[i] = mask[i] ? shares[i] : 0;
    any |= any_nan | any_masked;
    for (int64_t i = 0; i < n && any; i++)
        line[i] = shares[i] != 0 ? line[i] : 0;
    return !any;
}

/* Taps of target index i (absolute), as source indices, with weights in the work type. */
static int64_t NAME(taps_of)(const filter *f, const axis *a, int64_t i, const int64_t **index, const WORK **weights)
{
    int64_t n = a->taps.n, first = i * a->ratio;
    *index = a->edge_index;
    *weights = a->weights;
    if (first + a->taps.offset[0] >= 0 && first + a->taps.offset[n - 1] < a->shape) {
        for (int64_t k = 0; k < n; k++)
            a->edge_index[k] = first + a->taps.offset[k];
        return n;
    }
    n = taps_at_edge(&a->taps, f->r->resampling, first, a->shape, a->edge_index, a->edge_weights);
    for (int64_t k = 0; k < n; k++)
        ((WORK *)a->edge_work)[k] = (WORK)a->edge_weights[k];
    *weights = a->edge_work;
    return n;
}

/* One target pixel of a row whose taps reach beyond the image. */
static void NAME(row_edge)(const filter *f, const axis *a, int64_t x, int is_whole, slab *out)
{
    const WORK *line = f->line, *shares = f->line_shares, *w;
    const int64_t *index;
    WORK sum = 0, share = 0;
    int is_whole_pixel = 1;
    int64_t n = NAME(taps_of)(f, a, a->to_origin + x, &index, &w);
    for (int64_t k = 0; k < n; k++) {
        int64_t at = index[k] - a->from_origin;
        sum = k > 0 ? sum + w[k] * line[at] : w[k] * line[at];
        if (!is_whole) {
            share += w[k] * shares[at];
            is_whole_pixel &= shares[at] == 1;
        }
    }
    ((WORK *)out->values)[x] = sum;
    if (!is_whole)
        ((WORK *)out->shares)[x] = is_whole_pixel ? 1 : share;
}

/* Target pixels begin to end - 1, whose taps all lie within the image. The row is split into `ratio` phases, so that
 * every tap is a contiguous run. */
WIDE_LOOP
static void NAME(row_inside)(const filter *f, const axis *a, int64_t begin, int64_t end, const WORK *line, WORK *out,
                             int are_shares)
{
    int64_t ratio = a->ratio, n = end - begin, n_taps = a->taps.n;
    int64_t lowest = a->taps.offset[0], base = (a->to_origin + begin) * ratio + lowest - a->from_origin;
    int64_t n_used = (n - 1) * ratio + a->taps.offset[n_taps - 1] - lowest + 1, length = ceil_div(n_used, ratio);
    WORK *restrict phases = f->phases;
    const WORK *restrict from = line + base;
    if (ratio == 2)
        for (int64_t i = 0; i < n_used / 2; i++) {
            phases[i] = from[2 * i];
            phases[length + i] = from[2 * i + 1];
        }
    for (int64_t i = ratio == 2 ? n_used / 2 * 2 : 0; i < n_used; i++)
        phases[i % ratio * length + i / ratio] = from[i];
    for (int64_t k = 0; k < n_taps; k++) {
        int64_t at = a->taps.offset[k] - lowest;
        a->rows[k] = phases + at % ratio * length + at / ratio;
    }
    if (are_shares)
        NAME(weigh_shares)(a->rows, a->weights, n_taps, out + begin, n);
    else
        NAME(weigh_mirrored)(a->rows, a->weights, n_taps, out + begin, n);
}

/* Filters one source row along x into out, one row of target pixels. */
static void NAME(filter_row)(const filter *f, const char *from, const uint8_t *mask, slab *out)
{
    const axis *a = &f->axes[f->rank - 1];
    int is_whole = NAME(load_line)(f, from, mask, a->from_extent);
    int64_t n = a->to_extent, begin = 0, end = n, last = a->taps.offset[a->taps.n - 1];
    while (begin < n && (a->to_origin + begin) * a->ratio + a->taps.offset[0] < 0)
        begin++;
    while (end > begin && (a->to_origin + end - 1) * a->ratio + last >= a->shape)
        end--;
    out->is_whole = is_whole;
    for (int64_t x = 0; x < n; x++) {
        if (x == begin && end > begin)
            x = end;
        if (x < n)
            NAME(row_edge)(f, a, x, is_whole, out);
    }
    if (end > begin)
        NAME(row_inside)(f, a, begin, end, f->line, out->values, 0);
    if (end > begin && !is_whole)
        NAME(row_inside)(f, a, begin, end, f->line_shares, out->shares, 1);
}

/* -- The other axes ---------------------------------------------------------------------------------------------- */

static void NAME(filter_slab)(filter *f, int i, const char *from, const uint8_t *mask, slab *out);

/* Target index `at` of axis i into out, a slab of the axes below. from: index 0 of the source box on axis i. */
static void NAME(filter_index)(filter *f, int i, int64_t at, const char *from, const uint8_t *mask, slab *out)
{
    axis *a = &f->axes[i];
    if (a->ratio == 1) {
        int64_t index = a->to_origin + at - a->from_origin;
        NAME(filter_slab)(f, i + 1, from + index * a->from_stride, mask ? mask + index * a->mask_stride : NULL, out);
        return;
    }
    const int64_t *index;
    const WORK *w;
    int64_t n = NAME(taps_of)(f, a, a->to_origin + at, &index, &w);
    out->is_whole = 1;
    for (int64_t k = 0; k < n; k++) {
        slab *slot = &a->ring[index[k] % a->span];
        if (a->ring_index[index[k] % a->span] != index[k]) {
            int64_t step = index[k] - a->from_origin;
            NAME(filter_slab)(f, i + 1, from + step * a->from_stride, mask ? mask + step * a->mask_stride : NULL, slot);
            a->ring_index[index[k] % a->span] = index[k];
        }
        out->is_whole &= slot->is_whole;
    }
    for (int64_t k = 0; k < n; k++)
        a->rows[k] = a->ring[index[k] % a->span].values;
    if (w == a->weights)
        NAME(weigh_mirrored)(a->rows, w, n, out->values, a->slab_pixels);
    else
        NAME(weigh)(a->rows, w, n, out->values, a->slab_pixels);
    if (out->is_whole)
        return;
    for (int64_t k = 0; k < n; k++) {
        slab *slot = &a->ring[index[k] % a->span];
        if (slot->is_whole)
            NAME(fill)(slot->shares, a->slab_pixels, 1);
        a->share_rows[k] = slot->shares;
    }
    NAME(weigh_shares)(a->share_rows, w, n, out->shares, a->slab_pixels);
}

/* All target indices of axis i and those below it, at one source position of the axes above. */
static void NAME(filter_slab)(filter *f, int i, const char *from, const uint8_t *mask, slab *out)
{
    axis *a = &f->axes[i];
    if (i == f->rank - 1) {
        NAME(filter_row)(f, from, mask, out);
        return;
    }
    for (int64_t k = 0; k < a->span && a->ratio > 1; k++)
        a->ring_index[k] = -1;
    out->is_whole = 1;
    for (int64_t at = 0; at < a->to_extent; at++) {
        WORK *values = (WORK *)out->values + at * a->slab_pixels, *shares = (WORK *)out->shares + at * a->slab_pixels;
        slab part = {.values = values, .shares = shares};
        NAME(filter_index)(f, i, at, from, mask, &part);
        if (out->is_whole && !part.is_whole)
            NAME(fill)(out->shares, at * a->slab_pixels, 1);
        else if (!out->is_whole && part.is_whole)
            NAME(fill)(shares, a->slab_pixels, 1);
        out->is_whole &= part.is_whole;
    }
}

/* -- Results ----------------------------------------------------------------------------------------------------- */

/* Writes a row of results: rounded half to even, clipped, never nodata. values is used up. at: its place in the target
 * box; that on the last axis is used. */
WIDE_LOOP
static void NAME(store_row)(const filter *f, WORK *restrict values, const WORK *shares, int64_t n, int64_t *at,
                            char *to)
{
    const reduction *r = f->r;
    WORK least = (WORK)f->least_share;
    for (int64_t i = 0; i < n && shares; i++)
        if (shares[i] != 1)
            values[i] = shares[i] > least ? values[i] / shares[i] : 0;
#define AVOID_NODATA(pixel)                                                                                            \
    if (r->nodata) {                                                                                                   \
        pixel value, next;                                                                                             \
        memcpy(&value, r->nodata, sizeof value);                                                                       \
        memcpy(&next, f->neighbour, sizeof next);                                                                      \
        for (int64_t i = 0; i < n; i++)                                                                                \
            p[i] = p[i] == value ? next : p[i];                                                                        \
    }
#define STORE_INTEGER(data_type, pixel, low, high)                                                                     \
    case data_type: {                                                                                                  \
        pixel *restrict p = (pixel *)to;                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            WORK v = values[i] > (WORK)(low) ? values[i] : (WORK)(low);                                                \
            v = v < (WORK)(high) ? v : (WORK)(high);                                                                   \
            p[i] = (pixel)((v + ROUND_MAGIC) - ROUND_MAGIC);                                                           \
        }                                                                                                              \
        AVOID_NODATA(pixel)                                                                                            \
        break;                                                                                                         \
    }
#define STORE_WIDE(data_type, pixel, low, high)                                                                        \
    case data_type: {                                                                                                  \
        pixel *restrict p = (pixel *)to;                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            WORK v = (WORK)rint(values[i]);                                                                            \
            p[i] = v <= (WORK)(low) ? (low) : v >= (WORK)(high) ? (high) : (pixel)v;                                   \
        }                                                                                                              \
        AVOID_NODATA(pixel)                                                                                            \
        break;                                                                                                         \
    }
#define STORE_FLOAT(data_type, pixel, store)                                                                           \
    case data_type: {                                                                                                  \
        pixel *restrict p = (pixel *)to;                                                                               \
        for (int64_t i = 0; i < n; i++)                                                                                \
            p[i] = store(values[i]);                                                                                   \
        AVOID_NODATA(pixel)                                                                                            \
        break;                                                                                                         \
    }
    switch (r->type->data_type) {
        STORE_INTEGER(NGFF_UINT8, uint8_t, 0, UINT8_MAX)
        STORE_INTEGER(NGFF_INT8, int8_t, INT8_MIN, INT8_MAX)
        STORE_INTEGER(NGFF_UINT16, uint16_t, 0, UINT16_MAX)
        STORE_INTEGER(NGFF_INT16, int16_t, INT16_MIN, INT16_MAX)
        STORE_WIDE(NGFF_UINT32, uint32_t, 0, UINT32_MAX)
        STORE_WIDE(NGFF_INT32, int32_t, INT32_MIN, INT32_MAX)
        STORE_WIDE(NGFF_UINT64, uint64_t, 0, UINT64_MAX)
        STORE_WIDE(NGFF_INT64, int64_t, INT64_MIN, INT64_MAX)
        STORE_FLOAT(NGFF_FLOAT16, uint16_t, half_within_range)
        STORE_FLOAT(NGFF_FLOAT32, float, (float))
        STORE_FLOAT(NGFF_FLOAT64, double, (double))
    case NGFF_COMPLEX64:
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[2 * i + f->part] = (float)values[i];
        break;
    case NGFF_COMPLEX128:
        for (int64_t i = 0; i < n; i++)
            ((double *)to)[2 * i + f->part] = (double)values[i];
        break;
    }
#undef AVOID_NODATA
#undef STORE_INTEGER
#undef STORE_WIDE
#undef STORE_FLOAT
    int64_t pixel_bytes = r->type->size;
    int64_t *x = &at[f->rank - 1];
    for (*x = 0; *x < n && shares; ++*x)
        if (shares[*x] != 1 && !(shares[*x] > least))
            put_nearest_valid(f, at, to + *x * pixel_bytes);
}

/* Stores the slab of one index of the first axis, row by row. */
static void NAME(store_slab)(const filter *f, WORK *values, const WORK *shares, int64_t first, char *to)
{
    int64_t n = f->axes[f->rank - 1].to_extent, at[MAX_RANK] = {first};
    for (int64_t row = 0; row * n < f->axes[0].slab_pixels; row++) {
        char *place = to;
        for (int64_t i = f->rank - 2, rest = row; i > 0; i--) {
            at[i] = rest % f->axes[i].to_extent;
            place += at[i] * f->axes[i].to_stride;
            rest /= f->axes[i].to_extent;
        }
        NAME(store_row)(f, values + row * n, shares ? shares + row * n : NULL, n, at, place);
    }
}

/* The whole target box, one index of the first axis at a time. */
static int32_t NAME(filter_run)(filter *f)
{
    axis *a = &f->axes[0];
    WORK *values = memory_take(a->slab_pixels, sizeof *values), *shares = memory_take(a->slab_pixels, sizeof *shares);
    slab out = {.values = values, .shares = shares};
    int32_t status = values && shares ? NGFF_OK : NGFF_E_MEMORY;
    for (int64_t k = 0; k < a->span && a->ratio > 1; k++)
        a->ring_index[k] = -1;
    for (int64_t at = 0; at < a->to_extent && !status; at++) {
        NAME(filter_index)(f, 0, at, f->r->source, f->r->mask, &out);
        NAME(store_slab)(f, values, out.is_whole ? NULL : shares, at, (char *)f->r->target + at * a->to_stride);
    }
    free(values);
    free(shares);
    return status;
}

#undef WORK
#undef NAME
#undef ROUND_MAGIC
