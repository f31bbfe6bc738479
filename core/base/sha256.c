/* sha256.c: see sha256.h. A library for one function would be one more to install, and a second OpenSSL in a process
 * that has one already is trouble; the standard's own words are 40 lines. The processor's instructions are five times
 * as fast: a digest then costs less than the fastest codec. */
#include "base/sha256.h"
#include "base/cpu.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_INSTRUCTIONS 1
#include <immintrin.h>
#endif

/* FIPS 180-4, section 4.2.2: the fractions of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* Section 6.2.2. */
void sha256_plain(uint32_t state[8], const uint8_t *bytes, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, bytes += 64) {
        uint32_t w[64], v[8]; /* a to h */
        for (int t = 0; t < 16; t++)
            w[t] = (uint32_t)bytes[4 * t] << 24 | (uint32_t)bytes[4 * t + 1] << 16 | (uint32_t)bytes[4 * t + 2] << 8 |
                   bytes[4 * t + 3];
        for (int t = 16; t < 64; t++)
            w[t] = (turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7] +
                   (turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
        memcpy(v, state, sizeof v);
#define AT(name, t) v[(name - 'a' + 64 - (t)) % 8] /* the letters move on by one place in each round */
#pragma GCC unroll 8
        for (int t = 0; t < 64; t++) {
            uint32_t a = AT('a', t), b = AT('b', t), c = AT('c', t), e = AT('e', t), f = AT('f', t), g = AT('g', t);
            uint32_t t1 =
                AT('h', t) + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[t] + w[t];
            uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            AT('d', t) += t1;
            AT('h', t) = t1 + t2;
        }
#undef AT
        for (int i = 0; i < 8; i++)
            state[i] += v[i];
    }
}

#if HAS_INSTRUCTIONS
/* The instructions keep the state as two vectors, "abef" and "cdgh", highest lane first; each does two rounds. */
__attribute__((target("sha,sse4.1"))) static void with_instructions(uint32_t state[8], const uint8_t *bytes,
                                                                    size_t n_blocks)
{
    const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (; n_blocks > 0; n_blocks--, bytes += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4]; /* the last 16 words of the message */
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + i), big_endian);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i sum = _mm_add_epi32(w[i % 4], _mm_loadu_si128((const __m128i *)constants + i));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
            if (i < 12) {
                __m128i next = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
                w[i % 4] = _mm_sha256msg2_epu32(next, w[(i + 3) % 4]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    uint32_t first[4], second[4];
    _mm_storeu_si128((__m128i *)first, abef);
    _mm_storeu_si128((__m128i *)second, cdgh);
    const uint32_t after[8] = {first[3], first[2], second[3], second[2], first[1], first[0], second[1], second[0]};
    memcpy(state, after, sizeof after);
}

sha256_blocks sha256_fast(void)
{
    return cpu_has(CPU_SHA) ? with_instructions : NULL;
}
#else
sha256_blocks sha256_fast(void)
{
    return NULL;
}
#endif

void sha256_begin(sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    sha256_blocks fast = sha256_fast();
    memcpy(s->state, start, sizeof start);
    s->n_bytes = 0;
    s->blocks = fast ? fast : sha256_plain;
}

void sha256_add(sha256 *s, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    size_t n_waiting = s->n_bytes % 64;
    if (n == 0)
        return;
    s->n_bytes += n;
    if (n_waiting > 0) {
        size_t more = n < 64 - n_waiting ? n : 64 - n_waiting;
        memcpy(s->waiting + n_waiting, from, more);
        from += more;
        n -= more;
        if (n_waiting + more < 64)
            return;
        s->blocks(s->state, s->waiting, 1);
    }
    s->blocks(s->state, from, n / 64);
    memcpy(s->waiting, from + n / 64 * 64, n % 64);
}

void sha256_end(sha256 *s, uint8_t digest[sha256_size])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t n_bits = 8 * s->n_bytes;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(n_bits >> (56 - 8 * i));
    sha256_add(s, padding, 1 + (119 - s->n_bytes % 64) % 64);
    sha256_add(s, length, 8);
    for (int i = 0; i < sha256_size; i++)
        digest[i] = (uint8_t)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_of(const void *bytes, size_t n, uint8_t digest[sha256_size])
{
    sha256 s;
    sha256_begin(&s);
    sha256_add(&s, bytes, n);
    sha256_end(&s, digest);
}

void sha256_text(const uint8_t digest[sha256_size], char text[2 * sha256_size + 1])
{
    for (int i = 0; i < 2 * sha256_size; i++)
        text[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    text[2 * sha256_size] = '\0';
}
