/* machine_posix.c: see machine.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/machine.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/box.h"

/* Processors that the control group's quota is worth, rounded up; 0 where there is no quota. */
static int quota_processors(void)
{
    long long quota = -1, period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (file) {
        if (fscanf(file, "%lld %lld", &quota, &period) != 2)
            quota = -1;
        fclose(file);
    }
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int machine_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
#endif
    int quota = quota_processors();
    if (quota > 0 && quota < n)
        n = quota;
    return n > 0 ? (int)n : 1;
}

int64_t machine_memory(void)
{
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        FILE *file = fopen(limits[i], "r");
        int64_t limit;
        if (file && fscanf(file, "%" SCNd64, &limit) == 1 && limit > 0)
            bytes = min_i64(bytes, limit);
        if (file)
            fclose(file);
    }
    return max_i64(bytes, 0);
}

void *aligned_take(size_t size)
{
    return aligned_alloc(64, size);
}

void aligned_give(void *memory)
{
    free(memory);
}

void heap_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* What a fault or a profiler raises on the thread that it is about stays. */
int thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        sigdelset(&blocked, kept[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before); /* a new thread takes its creator's over */
    int failure = pthread_create(thread, attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}
