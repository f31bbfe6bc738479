/* machine_windows.c: see machine.h. There are no signals to keep from threads. */
#include "base/machine.h"

#include <malloc.h>
#include <windows.h>

int machine_processors(void)
{
    DWORD n = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return n > 0 ? (int)n : 1;
}

int64_t machine_memory(void)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    return GlobalMemoryStatusEx(&memory) ? (int64_t)memory.ullTotalPhys : 0;
}

void *aligned_take(size_t size)
{
    return _aligned_malloc(size, 64);
}

void aligned_give(void *memory)
{
    _aligned_free(memory);
}

void heap_trim(void)
{
    /* Large blocks have pages of their own here. */
}

int thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    return pthread_create(thread, attributes, run, argument);
}
