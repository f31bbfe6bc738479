/* plans.h: plans for the tests of plan.c, levels.c and memory.c. */
#ifndef TESTS_MODEL_PLANS_H
#define TESTS_MODEL_PLANS_H

#include "model/plan.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

static inline ngff_plan *plan_of(const char *dims, const int64_t *shape, int32_t type, const char *const *options)
{
    ngff_image *image = ngff_image_create(dims, shape, type);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    return plan;
}

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})
#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline void check_sizes(const int64_t *actual, int rank, const int64_t *expected, const char *what, int l)
{
    for (int i = 0; i < rank; i++)
        if (actual[i] != expected[i]) {
            fprintf(stderr, "level %d, axis %d: %s is %lld, not %lld\n", l, i, what, (long long)actual[i],
                    (long long)expected[i]);
            check_failures++;
        }
}

#endif
