/* codec_check.h: what every codec must do, said once: give back what it took, give the same bytes each time, and
 * refuse damaged input without a step out of bounds. All buffers have their exact size, so that the address
 * sanitizer sees such a step. */
#ifndef TESTS_CODEC_CHECK_H
#define TESTS_CODEC_CHECK_H

#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "codec/codec.h"

enum { sample_ramp, sample_constant, sample_random, n_samples };

/* A ramp is what 16-bit microscope pixels look like: a slope with a little noise. */
static inline uint8_t *sample_make(int kind, size_t n)
{
    uint8_t *bytes = malloc(n);
    uint32_t state = 12345;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        uint32_t pixel = (uint32_t)(i / 2 % 512 * 3 + i / 1024) + (state >> 30);
        bytes[i] = kind == sample_constant ? 7
                   : kind == sample_random ? (uint8_t)(state >> 24)
                                           : (uint8_t)(pixel >> 8 * (i % 2));
    }
    return bytes;
}

/* Encoded bytes in a buffer of exactly their size. */
static inline uint8_t *encoded_make(codec_context *context, const codec_spec *spec, const uint8_t *bytes, size_t n,
                                    size_t *n_encoded)
{
    error e = {0};
    size_t bound = codec_bound(spec, n);
    uint8_t *buffer = malloc(bound);
    CHECK(bound > 0);
    CHECK_INT(codec_encode(context, spec, bytes, n, buffer, bound, n_encoded, &e), NGFF_OK);
    CHECK(*n_encoded <= bound);
    uint8_t *encoded = malloc(*n_encoded);
    memcpy(encoded, buffer, *n_encoded);
    free(buffer);
    return encoded;
}

/* The status of decoding a copy of exactly n bytes into exactly n_expected. */
static inline int32_t decode_status(codec_context *context, const codec_spec *spec, const uint8_t *bytes, size_t n,
                                    size_t n_expected, const uint8_t *expected)
{
    error e = {0};
    uint8_t *from = malloc(n ? n : 1), *to = malloc(n_expected ? n_expected : 1);
    memcpy(from, bytes, n);
    int32_t status = codec_decode(context, spec, from, n, to, n_expected, &e);
    CHECK_INT(e.status, status);
    CHECK(status == NGFF_OK || e.message[0]);
    if (status == NGFF_OK && expected)
        CHECK(memcmp(to, expected, n_expected) == 0);
    free(from);
    free(to);
    return status;
}

static inline void check_round_trips(const codec_spec *spec)
{
    static const size_t sizes[] = {1, 2, 15, 127, 4099, 65536, 512 * 512 * 2};
    codec_context *used = codec_context_create();
    for (int kind = 0; kind < n_samples; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            codec_context *fresh = codec_context_create();
            uint8_t *bytes = sample_make(kind, sizes[i]);
            size_t n_first, n_again;
            uint8_t *first = encoded_make(used, spec, bytes, sizes[i], &n_first);
            uint8_t *again = encoded_make(fresh, spec, bytes, sizes[i], &n_again);
            CHECK(n_first == n_again && memcmp(first, again, n_first) == 0);
            CHECK_INT(decode_status(used, spec, first, n_first, sizes[i], bytes), NGFF_OK);
            free(bytes);
            free(first);
            free(again);
            codec_context_free(fresh);
        }
    codec_context_free(used);
}

/* Every cut, an added byte and another expected size are refused; a flipped bit gives an error or other pixels. */
static inline void check_damage(const codec_spec *spec)
{
    codec_context *context = codec_context_create();
    for (int kind = 0; kind < n_samples; kind++) {
        const size_t n = 3000;
        uint8_t *bytes = sample_make(kind, n);
        size_t n_encoded;
        uint8_t *encoded = encoded_make(context, spec, bytes, n, &n_encoded);
        for (size_t cut = 0; cut < n_encoded; cut++)
            CHECK_INT(decode_status(context, spec, encoded, cut, n, NULL), NGFF_E_CORRUPT);
        CHECK_INT(decode_status(context, spec, encoded, n_encoded, n - 1, NULL), NGFF_E_CORRUPT);
        CHECK_INT(decode_status(context, spec, encoded, n_encoded, n + 1, NULL), NGFF_E_CORRUPT);
        CHECK_INT(decode_status(context, spec, encoded, n_encoded, 1, NULL), NGFF_E_CORRUPT);
        for (size_t bit = 0; bit < n_encoded * 8; bit += 1 + bit / 1024) {
            encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
            int32_t status = decode_status(context, spec, encoded, n_encoded, n, NULL);
            CHECK(status == NGFF_OK || status == NGFF_E_CORRUPT);
            encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        uint8_t *longer = malloc(n_encoded + 1);
        memcpy(longer, encoded, n_encoded);
        longer[n_encoded] = 0x55;
        CHECK_INT(decode_status(context, spec, longer, n_encoded + 1, n, NULL), NGFF_E_CORRUPT);
        free(longer);
        CHECK_INT(decode_status(context, spec, encoded, n_encoded, n, bytes), NGFF_OK);
        free(bytes);
        free(encoded);
    }
    codec_context_free(context);
}

/* With a checksum: a flipped bit anywhere is an error, or changes no pixel. */
static inline void check_flips(const codec_spec *spec)
{
    codec_context *context = codec_context_create();
    const size_t n = 3000;
    for (int kind = 0; kind < n_samples; kind++) {
        uint8_t *bytes = sample_make(kind, n);
        size_t n_encoded, n_found = 0;
        uint8_t *encoded = encoded_make(context, spec, bytes, n, &n_encoded);
        for (size_t bit = 0; bit < n_encoded * 8; bit++) {
            encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
            n_found += decode_status(context, spec, encoded, n_encoded, n, bytes) == NGFF_E_CORRUPT;
            encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        CHECK(n_found >= (spec->has_crc32c ? n_encoded * 8 : n_encoded * 8 - 16));
        free(bytes);
        free(encoded);
    }
    codec_context_free(context);
}

/* The vectors in these tests hold 256 uint16, little endian, of value i / 64. numcodecs 0.16.6 made them from
 * numpy's (arange(256) // 64).astype("<u2") unless a comment says otherwise. */
static inline void check_vector(const codec_spec *spec, const uint8_t *vector, size_t n)
{
    uint8_t expected[512];
    for (int i = 0; i < 256; i++) {
        expected[2 * i] = (uint8_t)(i / 64);
        expected[2 * i + 1] = 0;
    }
    codec_context *context = codec_context_create();
    CHECK_INT(decode_status(context, spec, vector, n, sizeof expected, expected), NGFF_OK);
    codec_context_free(context);
}

#endif
