/* moments.h: mean and spread of many numbers without cancellation. Integers: their sum and the sum of their squares are
 * kept whole, in up to 192 bits, so that any order gives the same; the variance is taken from them exactly and rounded
 * once. Floating-point numbers: the mean and the sum of squared differences from it, of one part after the other,
 * joined by the formula of Chan, Golub and LeVeque (1979); there the order counts, and the caller fixes it. */
#ifndef NGFF_PYRAMID_MOMENTS_H
#define NGFF_PYRAMID_MOMENTS_H

#include <stdint.h>

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

/* high * 2^128 + low: room for 2^64 squares of 64-bit integers. */
typedef struct {
    uint128 low;
    uint64_t high;
} wide_sum;

static inline void wide_add(wide_sum *sum, uint128 value)
{
    sum->low += value;
    sum->high += sum->low < value;
}

static inline void wide_add_square(wide_sum *sum, uint64_t magnitude)
{
    wide_add(sum, (uint128)magnitude * magnitude);
}

static inline void wide_join(wide_sum *into, wide_sum from)
{
    wide_add(into, from.low);
    into->high += from.high;
}

/* mean + rest, where rest is what mean lost in rounding, and the sum of squared differences from it, of n numbers. */
typedef struct {
    int64_t n;
    double mean, rest, squares;
} moments;

/* The moments of n >= 1 integers. */
moments moments_of_integers(int64_t n, int128 sum, wide_sum squares);
/* Joins two parts. Not associative: fix the order. */
void moments_join(moments *into, const moments *from);
/* Of the population: divided by n. 0 for n = 0. */
double moments_deviation(const moments *m);

#endif
