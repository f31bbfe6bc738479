/* cpu.h: what this x86-64 processor has beyond what every one has. By cpuid itself: __builtin_cpu_supports needs a
 * variable of libgcc that zig's runtime lacks. Asked once per file, for a virtual machine answers slowly. */
#ifndef NGFF_BASE_CPU_H
#define NGFF_BASE_CPU_H

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <stdatomic.h>

enum { CPU_ASKED = 1, CPU_CRC32 = 2, CPU_AVX2 = 4, CPU_SHA = 8 };

static inline int cpu_ask(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0, saved = 0, rest;
    int found = CPU_ASKED;
    if (__get_cpuid(1, &a, &b, &c, &d) && c >> 20 & 1)
        found |= CPU_CRC32; /* with SSE 4.2 */
    if (c >> 27 & 1)
        __asm__("xgetbv" : "=a"(saved), "=d"(rest) : "c"(0)); /* the registers that the system saves */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return found;
    if (b >> 5 & 1 && (saved & 6) == 6)
        found |= CPU_AVX2;
    if (b >> 29 & 1)
        found |= CPU_SHA;
    return found;
}

/* feature: one of the above. NGFF_PLAIN_CPU: a processor without any, for tests of the code for those. */
static inline int cpu_has(int feature)
{
    static atomic_int known;
    int found = atomic_load_explicit(&known, memory_order_relaxed);
    if (!found) {
#ifdef NGFF_PLAIN_CPU
        found = CPU_ASKED;
#else
        found = cpu_ask();
#endif
        atomic_store_explicit(&known, found, memory_order_relaxed);
    }
    return found & feature;
}
#endif

#endif
