/* read_sum.h: what the reading programs of the benchmark share: a clock, and a number that two equal pictures have in
 * common (read.py computes the same of NumPy arrays). */
#include <stdint.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Words of eight bytes, each times its odd place; bytes is a multiple of eight or the rest is left out. */
static uint64_t sum_of(const void *pixels, size_t bytes, uint64_t sum)
{
    const char *p = pixels;
    uint64_t word;
    sum *= 31;
    for (size_t i = 0; i < bytes / 8; i++) {
        memcpy(&word, p + 8 * i, 8);
        sum += word * (2 * i + 1);
    }
    return sum;
}
