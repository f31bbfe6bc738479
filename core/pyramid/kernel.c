/* kernel.c: the separable kernels. One target pixel is a weighted sum over a row of taps per axis. Rows are filtered
 * along x first, then combined along y, then z and so on; each axis keeps just the filtered slabs that its next target
 * index needs, in a ring.
 *
 * Invalid pixels count as 0 and the share of the weights that was valid travels beside the values, but only where
 * something is invalid; the division by it comes last. A share of exactly 1 means no division, so a pixel gets the
 * same bits whether or not its neighbourhood in the same call has holes. The taps of a target index depend on nothing
 * but the level: a level reduced in parts equals the level reduced at once. */
#include "base/simd.h"
#include "base/sizes.h"
#include "pyramid/shrink.h"
#include "pyramid/window.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- Taps -------------------------------------------------------------------------------------------------------- */

/* Target pixel i takes the source pixels ratio * i + offset[k], ascending, with weights of sum 1. */
typedef struct {
    int64_t n;
    int64_t *offset;
    double *weight;
} taps;

static void taps_free(taps *t)
{
    free(t->offset);
    free(t->weight);
    *t = (taps){0};
}

static int32_t taps_alloc(taps *t, int64_t n)
{
    *t = (taps){.n = n, .offset = memory_zeroed(n, sizeof *t->offset), .weight = memory_zeroed(n, sizeof *t->weight)};
    if (t->offset && t->weight)
        return NGFF_OK;
    taps_free(t);
    return NGFF_E_MEMORY;
}

/* e^-v I_n(v) for n = 0 to count - 1: the discrete Gaussian of variance v (Lindeberg). Miller's backward recurrence
 * I_n-1 = I_n+1 + 2n/v I_n, scaled by I_0 + 2 (I_1 + I_2 + ...) = e^v: only + - * /, so equal on every machine. */
static void bessel_weights(double v, int64_t count, double *weight)
{
    double next = 0, here = DBL_MIN, sum = 0;
    for (int64_t n = 2 * count + 40; n >= 0; n--) {
        if (n < count)
            weight[n] = here;
        sum += n > 0 ? 2 * here : here;
        double before = n > 0 ? next + 2 * (double)n / v * here : 0;
        next = here;
        here = before;
        if (here > 1e200) {
            next *= 1e-200;
            here *= 1e-200;
            sum *= 1e-200;
            for (int64_t k = n; k < count; k++)
                weight[k] *= 1e-200;
        }
    }
    for (int64_t n = 0; n < count; n++)
        weight[n] /= sum;
}

/* GAUSS: variance (f^2 - 1) / (8 ln 2), cut where 99 % of the mass is in, renormalised (ITK's GaussianOperator as used
 * by ngff-zarr). It is sampled at the window's centre; for even f this lies between two pixels, and the mean of the
 * two is folded into the taps. */
static int32_t taps_gauss(int64_t f, taps *t)
{
    double v = (double)(f * f - 1) / (8 * 0.69314718055994530942);
    int64_t count = 4 * f + 8, radius = 0;
    double *half = malloc((size_t)count * sizeof *half);
    if (!half)
        return NGFF_E_MEMORY;
    bessel_weights(v, count, half);
    double mass = half[0];
    while (mass < 0.99)
        mass += 2 * half[++radius];
    int32_t status = taps_alloc(t, 2 * radius + 1 + (f % 2 == 0));
    for (int64_t k = 0; !status && k < t->n; k++) {
        int64_t m = k - radius;
        double here = m <= radius ? half[llabs(m)] : 0, before = m - 1 >= -radius ? half[llabs(m - 1)] : 0;
        t->offset[k] = (f - 1) / 2 + m;
        t->weight[k] = (f % 2 == 0 ? (here + before) / 2 : here) / mass;
    }
    free(half);
    return status;
}

/* sin(pi a / b) for a >= 0, b > 0, by its series: the same on every machine. */
static double sin_pi(int64_t a, int64_t b)
{
    int sign = a / b % 2 ? -1 : 1;
    a %= b;
    if (2 * a > b)
        a = b - a;
    double x = 3.14159265358979323846 * (double)a / (double)b, term = x, sum = x;
    for (int n = 2; n <= 24; n += 2) {
        term *= -x * x / (double)(n * (n + 1));
        sum += term;
    }
    return sign * sum;
}

/* The weights of GDAL's overview kernels at distance a / b from the centre, in units of target pixels. */
static double weight_at(int resampling, int64_t a, int64_t b)
{
    double d = (double)a / (double)b;
    switch (resampling) {
    case REDUCE_CUBIC: /* Keys, a = -1/2 */
        return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : ((-0.5 * d + 2.5) * d - 4) * d + 2;
    case REDUCE_CUBICSPLINE:
        return d < 1 ? (3 * d - 6) * d * d / 6 + 2.0 / 3 : (2 - d) * (2 - d) * (2 - d) / 6;
    case REDUCE_LANCZOS:
        return a == 0 ? 1 : sin_pi(a, b) * sin_pi(a, 3 * b) * 3 / (9.86960440108935861883 * d * d);
    default:
        return 1 - d;
    }
}

/* The others: a kernel of fixed radius in target pixels, stretched by the factor. Offset m lies |2 m - (f - 1)| / 2f
 * from the centre. */
static int32_t taps_stretched(int resampling, int64_t f, taps *t)
{
    int64_t reach = 2 * method_get(resampling)->reach * f; /* in half source pixels, exclusive */
    int32_t status = taps_alloc(t, reach);
    if (status)
        return status;
    t->n = 0;
    double sum = 0;
    for (int64_t m = -reach; m <= reach; m++) {
        int64_t distance = llabs(2 * m - (f - 1));
        double weight = distance < reach ? weight_at(resampling, distance, 2 * f) : 0;
        if (weight == 0) /* zeros between the lobes: an infinite pixel there must not become NaN */
            continue;
        t->offset[t->n] = m;
        t->weight[t->n++] = weight;
        sum += weight;
    }
    for (int64_t k = 0; k < t->n; k++)
        t->weight[k] /= sum;
    return NGFF_OK;
}

static int32_t taps_make(int resampling, int64_t ratio, taps *t)
{
    if (ratio > 1)
        return resampling == REDUCE_GAUSS ? taps_gauss(ratio, t) : taps_stretched(resampling, ratio, t);
    int32_t status = taps_alloc(t, 1);
    if (!status)
        t->weight[0] = 1;
    return status;
}

/* The taps of target pixel i within a source of n pixels. GAUSS replicates the edge: taps beyond it add to the edge
 * pixel's. The others leave them out. Returns the number of taps. */
static int64_t taps_at_edge(const taps *t, int resampling, int64_t first, int64_t n, int64_t *index, double *weight)
{
    int64_t count = 0;
    double sum = 0;
    for (int64_t k = 0; k < t->n; k++) {
        int64_t at = first + t->offset[k], inside = max_i64(0, min_i64(at, n - 1));
        if (at != inside && resampling != REDUCE_GAUSS)
            continue;
        if (count > 0 && index[count - 1] == inside) {
            weight[count - 1] += t->weight[k];
        } else {
            index[count] = inside;
            weight[count++] = t->weight[k];
        }
        sum += t->weight[k];
    }
    for (int64_t k = 0; k < count && resampling != REDUCE_GAUSS; k++)
        weight[k] /= sum;
    return count;
}

int32_t kernel_margin(int resampling, int64_t ratio, int64_t *before, int64_t *after)
{
    taps t;
    *before = *after = 0;
    int32_t status = taps_make(resampling, ratio, &t);
    if (status)
        return status;
    *before = max_i64(0, -t.offset[0]);
    *after = max_i64(0, t.offset[t.n - 1] - (ratio - 1));
    taps_free(&t);
    return NGFF_OK;
}

/* -- The filter, in float and in double -------------------------------------------------------------------------- */

/* A slab of filtered pixels: values, and the valid share of the weights unless all of it is whole. */
typedef struct {
    void *values, *shares;
    int is_whole;
} slab;

typedef struct {
    taps taps;
    int64_t ratio, shape;
    int64_t from_origin, from_extent, from_stride, mask_stride;
    int64_t to_origin, to_extent, to_stride;
    int64_t slab_pixels; /* target pixels of one index of this axis */
    int64_t span;        /* slots of the ring */
    slab *ring;
    int64_t *ring_index; /* the source index in each slot, -1: none */
    void *weights;       /* the taps' weights in the work type */
    int64_t *edge_index;
    double *edge_weights;
    void *edge_work; /* the same in the work type */
    const void **rows, **share_rows;
} axis;

typedef struct {
    const reduction *r;
    int rank;
    axis axes[MAX_RANK];
    int part, n_parts;                 /* complex numbers are filtered by parts */
    void *line, *line_shares, *phases; /* one source row; split by position modulo the ratio */
    double least_share;                /* a valid share up to this is no result */
    uint8_t neighbour[16];             /* replaces a result equal to nodata */
    void *allocated[8 * MAX_RANK + 8];
    int n_allocated;
} filter;

/* -- Where the valid weights cancel -------------------------------------------------------------------------------- */

static int pixels_are_equal(const dtype *type, const uint8_t *a, const uint8_t *b)
{
    int32_t number = type->data_type == NGFF_COMPLEX64    ? NGFF_FLOAT32
                     : type->data_type == NGFF_COMPLEX128 ? NGFF_FLOAT64
                                                          : type->data_type;
    int are_equal = type->class == CLASS_FLOAT || type->class == CLASS_COMPLEX; /* -0 and 0 are */
    for (int i = 0; i < type->size && are_equal; i += type->item_size)
        are_equal = dtype_to_double(number, a + i) == dtype_to_double(number, b + i);
    return are_equal || memcmp(a, b, (size_t)type->size) == 0;
}

/* Puts the valid pixel of a target pixel's window that is nearest to its centre, the first in C order of several; where
 * none is valid, what is empty. The mask says that a pixel is valid if any of its window is, so it must have a value also
 * where lobes leave nothing to divide by. at: place in the target box, per axis. */
static void put_nearest_valid(const filter *f, const int64_t *at, void *to)
{
    const reduction *r = f->r;
    int64_t begin[MAX_RANK], extent[MAX_RANK], step[MAX_RANK] = {0}, nearest = INT64_MAX;
    memcpy(to, r->empty, (size_t)r->type->size);
    for (int i = 0; i < f->rank; i++) {
        begin[i] = (f->axes[i].to_origin + at[i]) * f->axes[i].ratio;
        extent[i] = min_i64(f->axes[i].ratio, f->axes[i].shape - begin[i]);
    }
    for (int i = 0; i >= 0;) {
        const uint8_t *pixel = r->source, *mask = r->mask;
        int64_t distance = 0;
        for (int k = 0; k < f->rank; k++) {
            const axis *a = &f->axes[k];
            int64_t from_centre = 2 * step[k] - (a->ratio - 1);
            distance += from_centre * from_centre;
            pixel += (begin[k] + step[k] - a->from_origin) * a->from_stride;
            if (mask)
                mask += (begin[k] + step[k] - a->from_origin) * a->mask_stride;
        }
        if (distance < nearest && (!mask || *mask) && !dtype_is_nan(r->type->data_type, pixel) &&
            !(r->nodata && pixels_are_equal(r->type, pixel, r->nodata))) {
            nearest = distance;
            memcpy(to, pixel, (size_t)r->type->size);
        }
        for (i = f->rank - 1; i >= 0 && ++step[i] >= extent[i]; i--)
            step[i] = 0;
    }
}

/* Overshoot stays finite. */
static uint16_t half_within_range(float v)
{
    enum { largest = 0x7bff, sign = 0x8000, infinity = 0x7c00 };
    uint16_t half = half_from_float(v);
    int is_overflow = (half & ~sign) == infinity && v <= FLT_MAX && v >= -FLT_MAX;
    return (uint16_t)(is_overflow ? (half & sign) | largest : half);
}

#define WORK float
#define NAME(x) x##_float
#define ROUND_MAGIC 12582912.0f /* 1.5 * 2^23: adding and subtracting it rounds half to even */
#include "pyramid/kernel_type.h"

#define WORK double
#define NAME(x) x##_double
#define ROUND_MAGIC 6755399441055744.0
#include "pyramid/kernel_type.h"

/* -- Setting up -------------------------------------------------------------------------------------------------- */

static void *allocate(filter *f, int64_t n, int64_t size)
{
    void *memory = memory_take(n, size);
    if (memory)
        f->allocated[f->n_allocated++] = memory;
    return memory;
}

static void filter_release(filter *f)
{
    while (f->n_allocated > 0)
        free(f->allocated[--f->n_allocated]);
    for (int i = 0; i < f->rank; i++)
        taps_free(&f->axes[i].taps);
}

static int32_t axis_make(filter *f, axis *a, int64_t work_bytes)
{
    int64_t n = a->taps.n;
    a->span = a->taps.offset[n - 1] - a->taps.offset[0] + 1;
    a->ring = allocate(f, a->span, sizeof *a->ring);
    a->ring_index = allocate(f, a->span, sizeof *a->ring_index);
    a->weights = allocate(f, n, work_bytes);
    a->edge_index = allocate(f, n, sizeof *a->edge_index);
    a->edge_weights = allocate(f, n, sizeof *a->edge_weights);
    a->edge_work = allocate(f, n, work_bytes);
    a->rows = allocate(f, 2 * n, sizeof *a->rows);
    if (!a->ring || !a->ring_index || !a->weights || !a->edge_index || !a->edge_weights || !a->edge_work || !a->rows)
        return NGFF_E_MEMORY;
    a->share_rows = a->rows + n;
    for (int64_t k = 0; k < n; k++) {
        if (work_bytes == sizeof(float))
            ((float *)a->weights)[k] = (float)a->taps.weight[k];
        else
            ((double *)a->weights)[k] = a->taps.weight[k];
    }
    return NGFF_OK;
}

/* The slabs of an axis' ring: one block for all. */
static int32_t ring_make(filter *f, axis *a, int64_t work_bytes)
{
    int64_t slab_bytes = a->slab_pixels * work_bytes;
    char *memory = allocate(f, 2 * a->span, slab_bytes);
    if (!memory)
        return NGFF_E_MEMORY;
    for (int64_t i = 0; i < a->span; i++) {
        a->ring[i] = (slab){.values = memory + 2 * i * slab_bytes, .shares = memory + (2 * i + 1) * slab_bytes};
        a->ring_index[i] = -1;
    }
    return NGFF_OK;
}

static double largest_weight(const taps *t)
{
    double largest = 0;
    for (int64_t k = 0; k < t->n; k++)
        largest = fmax(largest, t->weight[k]);
    return largest;
}

/* An image of one axis gets a leading one. */
static int32_t filter_make(filter *f, const reduction *r, int64_t work_bytes)
{
    int pad = r->rank < 2, status = NGFF_OK;
    int64_t pixels = 1;
    *f = (filter){.r = r, .n_parts = r->type->class == CLASS_COMPLEX ? 2 : 1};
    f->rank = r->rank + pad;
    f->least_share = method_get(r->resampling)->has_lobes ? 1.0 / 64 : 0;
    if (r->nodata)
        nodata_neighbour(r->type, r->nodata, f->neighbour);
    for (int i = 0; i < f->rank && !status; i++) {
        axis *a = &f->axes[i];
        int k = i - pad;
        *a = (axis){.ratio = 1, .shape = 1, .from_extent = 1, .to_extent = 1};
        if (k >= 0)
            *a = (axis){.ratio = r->ratio[k],
                        .shape = r->source_shape[k],
                        .from_origin = r->source_box.origin[k],
                        .from_extent = r->source_box.extent[k],
                        .from_stride = r->source_strides[k],
                        .mask_stride = r->mask ? r->mask_strides[k] : 0,
                        .to_origin = r->target_box.origin[k],
                        .to_extent = r->target_box.extent[k],
                        .to_stride = r->target_strides[k]};
        status = taps_make(r->resampling, a->ratio, &a->taps);
        if (!status)
            status = axis_make(f, a, work_bytes);
        if (!status)
            f->least_share *= largest_weight(&a->taps);
    }
    for (int i = f->rank - 1; i >= 0 && !status; i--) {
        f->axes[i].slab_pixels = pixels;
        if (i < f->rank - 1 && f->axes[i].ratio > 1)
            status = ring_make(f, &f->axes[i], work_bytes);
        pixels *= f->axes[i].to_extent;
    }
    if (status)
        return status;
    const axis *x = &f->axes[f->rank - 1];
    f->line = allocate(f, x->from_extent, work_bytes);
    f->line_shares = allocate(f, x->from_extent, work_bytes);
    f->phases = allocate(f, x->from_extent + x->ratio, work_bytes);
    return f->line && f->line_shares && f->phases ? NGFF_OK : NGFF_E_MEMORY;
}

/* -- Entry ------------------------------------------------------------------------------------------------------- */

/* float where ngff-zarr computes in float32 and the type's values survive it, else double. */
static int works_in_float(const dtype *type)
{
    return type->item_size <= 2 || type->data_type == NGFF_FLOAT32 || type->data_type == NGFF_COMPLEX64;
}

int32_t reduce_kernel(const reduction *r)
{
    filter f;
    int is_float = works_in_float(r->type);
    int32_t status = filter_make(&f, r, is_float ? sizeof(float) : sizeof(double));
    for (f.part = 0; f.part < f.n_parts && !status; f.part++)
        status = is_float ? filter_run_float(&f) : filter_run_double(&f);
    filter_release(&f);
    return status;
}
