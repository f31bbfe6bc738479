/* level_place.c: see level_place.h. A store says it by scale and translation. Many say nothing of the half pixel by which
 * the first pixels of two levels differ (no translation, or the same one in all levels), and some repeat one scale in
 * all levels: so a factor counts if the sizes fit to it, and a shift if the translations differ. */
#include "metadata/level_place.h"

#include <math.h>

/* True if n pixels, cut into pieces of so many, are about n_level pieces: rounded up or down. */
static int fits(int64_t n, double factor, int64_t n_level)
{
    return fabs((double)n / factor - (double)n_level) < 1;
}

/* The likely factor by sizes alone: their ratio where it is whole, else a power of two or a whole number near it. */
static double factor_of_sizes(int64_t n, int64_t n_level)
{
    double ratio = (double)n / (double)n_level, power = exp2(round(log2(ratio)));
    if (n % n_level == 0)
        return ratio;
    return fits(n, power, n_level) ? power : fits(n, round(ratio), n_level) ? round(ratio) : ratio;
}

static void axis_place(const stored_array *base, const stored_array *level, int axis, double *factor, double *offset)
{
    double scale = base->scale[axis], f = level->scale[axis] / scale;
    double shift = (level->translation[axis] - base->translation[axis]) / scale;
    *offset = 0;
    if (!isfinite(f) || f <= 1 || !fits(base->shape[axis], f, level->shape[axis])) {
        *factor = factor_of_sizes(base->shape[axis], level->shape[axis]);
        return;
    }
    *factor = fabs(f - round(f)) < 1e-6 * f ? round(f) : f;
    double corner = shift - (*factor - 1) / 2; /* NGFF's positions are those of centres */
    if (shift != 0 && fabs(corner) > 1e-3 && fabs(corner) < *factor)
        *offset = corner;
}

int level_place(const stored_image *image, int base_level, int level, double *factor, double *offset)
{
    const stored_array *base = &image->levels[base_level], *small = &image->levels[level];
    for (int i = 0; i < base->rank; i++)
        if (small->shape[i] > base->shape[i] || (image->dims[i] == 'c' && small->shape[i] != base->shape[i]))
            return 0;
    for (int i = 0; i < base->rank; i++) {
        factor[i] = 1;
        offset[i] = 0;
        if (small->shape[i] < base->shape[i])
            axis_place(base, small, i, &factor[i], &offset[i]);
    }
    return 1;
}
