/* test_moments.c: mean and spread where sums of doubles would cancel. Expected values by hand, as whole numbers. */
#include "pyramid/moments.h"

#include <math.h>

#include "check.h"

static wide_sum squares_of(const int64_t *values, int n)
{
    wide_sum sum = {0};
    for (int i = 0; i < n; i++)
        wide_add_square(&sum, values[i] < 0 ? -(uint64_t)values[i] : (uint64_t)values[i]);
    return sum;
}

static void neighbours_of_a_large_mean_keep_their_spread(void)
{
    const int64_t values[] = {1000000000000000001, 999999999999999999}, least[] = {INT64_MIN, INT64_MIN + 2};
    moments m = moments_of_integers(2, (int128)2000000000000000000, squares_of(values, 2));
    CHECK(m.mean == 1e18 && m.squares == 2 && moments_deviation(&m) == 1);
    m = moments_of_integers(2, (int128)INT64_MIN + INT64_MIN + 2, squares_of(least, 2));
    CHECK(m.squares == 2 && m.mean == -9223372036854775807.0);
}

/* 2^40 pixels of 2^64 - 1 and as many of 2^64 - 3: squares fill more than 128 bits. */
static void sums_beyond_128_bits_are_whole(void)
{
    wide_sum squares = {0}, one = {0};
    wide_add_square(&one, UINT64_MAX);
    wide_add_square(&one, UINT64_MAX - 2);
    for (int i = 0; i < 40; i++)
        wide_join(&one, one);
    wide_join(&squares, one);
    CHECK(squares.high > 0);
    moments m = moments_of_integers((int64_t)1 << 41, ((int128)UINT64_MAX - 1) << 41, squares);
    CHECK(m.mean == 18446744073709551614.0 && moments_deviation(&m) == 1);
}

static void quarters_of_a_mean_are_kept(void)
{
    const int64_t values[] = {1, 2, 2, 2};
    moments m = moments_of_integers(4, 7, squares_of(values, 4));
    CHECK(m.mean == 1.75 && m.squares == 0.75);
}

static void parts_join_by_chan(void)
{
    /* 1, 2, 3 and 11, 13: mean 6, squares 25 + 16 + 9 + 25 + 49 */
    moments a = {3, 2, 0, 2}, b = {2, 12, 0, 2}, none = {0};
    moments_join(&a, &none);
    moments_join(&a, &b);
    CHECK(a.n == 5 && fabs(a.mean - 6) < 1e-12 && fabs(a.squares - 124) < 1e-12);
    moments_join(&none, &b);
    CHECK(none.n == 2 && none.mean == 12 && none.squares == 2);
    CHECK(moments_deviation(&(moments){0}) == 0);
    /* 10^17 + 0 and 10^17 + 1: doubles there are 16 apart */
    moments low = {1, 1e17, 0, 0}, high = {1, 1e17, 1, 0};
    moments_join(&low, &high);
    CHECK(low.mean == 1e17 && low.rest == 0.5 && low.squares == 0.5);
}

int main(void)
{
    RUN(neighbours_of_a_large_mean_keep_their_spread);
    RUN(sums_beyond_128_bits_are_whole);
    RUN(quarters_of_a_mean_are_kept);
    RUN(parts_join_by_chan);
    CHECK_EXIT();
}
