/* sha256.h: SHA-256 (FIPS 180-4), for digests that anybody can compute again with the tools at hand. */
#ifndef NGFF_BASE_SHA256_H
#define NGFF_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { sha256_size = 32 };

/* Takes whole blocks of 64 bytes into the state. */
typedef void (*sha256_blocks)(uint32_t state[8], const uint8_t *bytes, size_t n_blocks);

typedef struct {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t waiting[64]; /* the n_bytes % 64 last ones */
    sha256_blocks blocks;
} sha256;

void sha256_begin(sha256 *s);
void sha256_add(sha256 *s, const void *bytes, size_t n);
void sha256_end(sha256 *s, uint8_t digest[sha256_size]);

/* All at once. */
void sha256_of(const void *bytes, size_t n, uint8_t digest[sha256_size]);
/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_text(const uint8_t digest[sha256_size], char text[2 * sha256_size + 1]);

/* The two ways of one thing: in plain C, and by the processor's own instructions (NULL where it has none). */
void sha256_plain(uint32_t state[8], const uint8_t *bytes, size_t n_blocks);
sha256_blocks sha256_fast(void);

#endif
