/* moments.c: see moments.h. Whole numbers of 256 bits are four limbs of 64, the lowest first. */
#include "pyramid/moments.h"

#include <math.h>

enum { n_limbs = 4 };

typedef struct {
    uint64_t limb[n_limbs];
} whole;

/* to += a * b * 2^(64 * shift); what leaves the top is lost. */
static void add_product(whole *to, uint64_t a, uint64_t b, int shift)
{
    uint128 carry = (uint128)a * b;
    for (int i = shift; i < n_limbs && carry; i++) {
        uint128 sum = (uint128)to->limb[i] + (uint64_t)carry;
        to->limb[i] = (uint64_t)sum;
        carry = (carry >> 64) + (sum >> 64);
    }
}

/* a - b, a >= b. */
static whole subtract(whole a, const whole *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < n_limbs; i++) {
        uint128 difference = (uint128)a.limb[i] - b->limb[i] - borrow;
        a.limb[i] = (uint64_t)difference;
        borrow = difference >> 64 ? 1 : 0;
    }
    return a;
}

static double to_double(const whole *a)
{
    double value = 0;
    for (int i = n_limbs; i-- > 0;)
        value += ldexp((double)a->limb[i], 64 * i);
    return value;
}

/* sum of (v - mean)^2 = (n * sum of v^2 - (sum of v)^2) / n. */
moments moments_of_integers(int64_t n, int128 sum, wide_sum squares)
{
    uint64_t count = (uint64_t)n;
    uint128 magnitude = sum < 0 ? -(uint128)sum : (uint128)sum;
    uint64_t low = (uint64_t)magnitude, high = (uint64_t)(magnitude >> 64);
    whole all = {{0}}, of_mean = {{0}};
    add_product(&all, count, (uint64_t)squares.low, 0);
    add_product(&all, count, (uint64_t)(squares.low >> 64), 1);
    add_product(&all, count, squares.high, 2);
    add_product(&of_mean, low, low, 0);
    add_product(&of_mean, low, high, 1);
    add_product(&of_mean, low, high, 1);
    add_product(&of_mean, high, high, 2);
    whole spread = subtract(all, &of_mean);
    int128 quotient = sum / n, rest = sum % n;
    return (moments){n, (double)quotient + (double)rest / (double)n, 0, to_double(&spread) / (double)n};
}

void moments_join(moments *into, const moments *from)
{
    if (from->n == 0)
        return;
    if (into->n == 0) {
        *into = *from;
        return;
    }
    double a = (double)into->n, b = (double)from->n, n = a + b;
    double delta = (from->mean - into->mean) + (from->rest - into->rest);
    double step = into->rest + delta * (b / n), mean = into->mean + step, back = mean - into->mean;
    into->n += from->n;
    into->rest = (into->mean - (mean - back)) + (step - back); /* Knuth's two-sum: exact */
    into->mean = mean;
    into->squares += from->squares + delta * delta * (a * b / n);
}

double moments_deviation(const moments *m)
{
    return m->n > 0 ? sqrt(m->squares / (double)m->n) : 0;
}
