/* read_sum.h: what the reading programs of the benchmark share: clocks, and a number that two equal pictures have in
 * common (read.py computes the same of NumPy arrays). */
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Of all threads, in the kernel too: what a busy machine does not change much. */
static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
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
