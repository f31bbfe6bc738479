/* simd.h: loops that are compiled twice, plain and for AVX2, and chosen when the program starts. The numbers are the
 * same: integers are exact, and floats keep their order of operations (no FMA, no fast-math). Not under sanitizers,
 * whose checks must not run while symbols are being resolved. */
#ifndef NGFF_BASE_SIMD_H
#define NGFF_BASE_SIMD_H

#include <stdint.h> /* and with it __GLIBC__, which the test below asks for */

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&                           \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE_LOOP __attribute__((target_clones("avx2", "default")))
#else
#define WIDE_LOOP
#endif

#endif
