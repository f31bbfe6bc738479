/* test_blosc.c: every compressor of blosc with every shuffle, and no ear for the environment. */
#include <zstd.h>

#include "codec_check.h"

static const uint8_t zstd_bytes[] = {0x02, 0x01, 0x91, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x36, 0x00,
                                     0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x1e, 0x00, 0x00, 0x00, 0x28, 0xb5, 0x2f, 0xfd,
                                     0x60, 0x00, 0x01, 0xa5, 0x00, 0x00, 0x30, 0x00, 0x00, 0x01, 0x02, 0x03, 0x00, 0x05,
                                     0x10, 0x00, 0x7c, 0x4a, 0x28, 0x1d, 0x25, 0x46, 0x49, 0x4c, 0xc2, 0x02};
static const uint8_t lz4_bytes[] = {0x02, 0x01, 0x21, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x41,
                                    0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x00, 0x00, 0x1f, 0x00,
                                    0x01, 0x00, 0x2c, 0x1f, 0x01, 0x01, 0x00, 0x2c, 0x1f, 0x02, 0x01, 0x00, 0x2c,
                                    0x1f, 0x03, 0x01, 0x00, 0x27, 0x50, 0x03, 0x03, 0x03, 0x03, 0x03, 0x0b, 0x00,
                                    0x00, 0x00, 0x1f, 0x00, 0x01, 0x00, 0xe7, 0x50, 0x00, 0x00, 0x00, 0x00, 0x00};
static const uint8_t lz4hc_bytes[] = {0x02, 0x01, 0x21, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x41,
                                      0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x00, 0x00, 0x1f, 0x00,
                                      0x01, 0x00, 0x2c, 0x1f, 0x01, 0x01, 0x00, 0x2c, 0x1f, 0x02, 0x01, 0x00, 0x2c,
                                      0x1f, 0x03, 0x01, 0x00, 0x27, 0x50, 0x03, 0x03, 0x03, 0x03, 0x03, 0x0b, 0x00,
                                      0x00, 0x00, 0x1f, 0x00, 0x01, 0x00, 0xe7, 0x50, 0x00, 0x00, 0x00, 0x00, 0x00};
static const uint8_t zlib_bytes[] = {0x02, 0x01, 0x61, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
                                     0x3c, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00,
                                     0x78, 0x5e, 0x63, 0x60, 0xa0, 0x0c, 0x30, 0x52, 0x08, 0x98, 0x28, 0x04,
                                     0xcc, 0x14, 0x02, 0x00, 0x71, 0xc0, 0x01, 0x81, 0x0c, 0x00, 0x00, 0x00,
                                     0x78, 0x5e, 0x63, 0x60, 0x18, 0xd9, 0x00, 0x00, 0x01, 0x00, 0x00, 0x01};
static const uint8_t blosclz_bytes[] = {
    0x02, 0x01, 0x01, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x46, 0x00, 0x00, 0x00, 0x14, 0x00,
    0x00, 0x00, 0x1e, 0x00, 0x00, 0x00, 0x23, 0x00, 0x00, 0x00, 0x00, 0xe0, 0x32, 0x03, 0x01, 0x00, 0x01, 0xe0,
    0x35, 0x00, 0x01, 0x01, 0x02, 0xe0, 0x35, 0x00, 0x01, 0x02, 0x03, 0xe0, 0x33, 0x00, 0x02, 0x03, 0x03, 0x03,
    0x0c, 0x00, 0x00, 0x00, 0x23, 0x00, 0x00, 0x00, 0x00, 0xe0, 0xf0, 0x03, 0x02, 0x00, 0x00, 0x00};
static const uint8_t zstd_bits[] = {0x02, 0x01, 0x94, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x38, 0x00,
                                    0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x28, 0xb5, 0x2f, 0xfd,
                                    0x60, 0x00, 0x01, 0xb5, 0x00, 0x00, 0x40, 0x00, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff,
                                    0x00, 0x07, 0x10, 0x00, 0xbc, 0xaa, 0x74, 0xd7, 0x59, 0x96, 0x7c, 0x99, 0x0d, 0x6d};

static codec_spec spec_make(int cname, int shuffle, int level, int type_size)
{
    return (codec_spec){.compress = COMPRESS_BLOSC,
                        .level = level,
                        .blosc_cname = cname,
                        .blosc_shuffle = shuffle,
                        .type_size = type_size};
}

static void blosc_gives_back_what_it_took(void)
{
    static const int type_sizes[] = {1, 2, 4, 8, 16};
    for (int cname = CNAME_ZSTD; cname <= CNAME_BLOSCLZ; cname++)
        for (int shuffle = SHUFFLE_NONE; shuffle <= SHUFFLE_BIT; shuffle++)
            for (int i = 0; i < 5; i++) {
                codec_spec spec = spec_make(cname, shuffle, i % 2 ? 5 : 1, type_sizes[i]);
                check_round_trips(&spec);
            }
    codec_spec copied = spec_make(CNAME_LZ4, SHUFFLE_BYTE, 0, 2);
    check_round_trips(&copied);
}

static void blosc_refuses_damaged_data(void)
{
    for (int cname = CNAME_ZSTD; cname <= CNAME_BLOSCLZ; cname++) {
        codec_spec spec = spec_make(cname, cname % 3, 1, 2);
        check_damage(&spec);
    }
}

static void blosc_reads_buffers_of_numcodecs(void)
{
    codec_spec any = spec_make(CNAME_ZSTD, SHUFFLE_BYTE, 1, 2);
    check_vector(&any, zstd_bytes, sizeof zstd_bytes);
    check_vector(&any, lz4_bytes, sizeof lz4_bytes);
    check_vector(&any, lz4hc_bytes, sizeof lz4hc_bytes);
    check_vector(&any, zlib_bytes, sizeof zlib_bytes);
    check_vector(&any, blosclz_bytes, sizeof blosclz_bytes);
    check_vector(&any, zstd_bits, sizeof zstd_bits);
}

/* The header of a blosc 1 buffer: version, version of the compressor, flags (1 byte shuffle, 4 bit shuffle), type
 * size, then three sizes. */
static void blosc_header_says_what_the_spec_said(void)
{
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 65536);
    for (int shuffle = SHUFFLE_NONE; shuffle <= SHUFFLE_BIT; shuffle++) {
        codec_spec spec = spec_make(CNAME_LZ4, shuffle, 5, 4);
        size_t n;
        uint8_t *buffer = encoded_make(context, &spec, bytes, 65536, &n);
        static const int flags[] = {[SHUFFLE_NONE] = 0, [SHUFFLE_BYTE] = 1, [SHUFFLE_BIT] = 4};
        CHECK_INT(buffer[0], 2);
        CHECK_INT(buffer[2] & 5, flags[shuffle]);
        CHECK_INT(buffer[3], 4);
        free(buffer);
    }
    free(bytes);
    codec_context_free(context);
}

static void blosc_does_not_listen_to_the_environment(void)
{
    codec_spec spec = spec_make(CNAME_LZ4, SHUFFLE_BYTE, 5, 2);
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 524288);
    size_t n_before, n_after;
    uint8_t *before = encoded_make(context, &spec, bytes, 524288, &n_before);
    static const char *const names[] = {"BLOSC_CLEVEL",    "BLOSC_SHUFFLE",   "BLOSC_TYPESIZE", "BLOSC_COMPRESSOR",
                                        "BLOSC_BLOCKSIZE", "BLOSC_SPLITMODE", "BLOSC_NTHREADS"};
    static const char *const values[] = {"9", "BITSHUFFLE", "8", "zstd", "4096", "NEVER", "4"};
    for (int i = 0; i < 7; i++)
        setenv(names[i], values[i], 1);
    uint8_t *after = encoded_make(context, &spec, bytes, 524288, &n_after);
    CHECK(n_before == n_after && memcmp(before, after, n_before) == 0);
    free(bytes);
    free(before);
    free(after);
    codec_context_free(context);
}

static void blosc_takes_at_most_its_own_limit(void)
{
    codec_spec spec = spec_make(CNAME_ZSTD, SHUFFLE_BYTE, 1, 2);
    CHECK_INT(codec_bound(&spec, 2147483631), 2147483647);
    CHECK_INT(codec_bound(&spec, 2147483632), 0);
}

/* By hand, from blosc's format and a frame of numcodecs (512 bytes of pixels; byte 17 has reserved bits, test_zstd.c): two
 * blocks of one stream each. */
static void zstd_frames_in_blosc_are_looked_into(void)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x01, 0x8d, 0x00, 0x00, 0x28, 0x00, 0x00, 0x01,
                                    0x02, 0x03, 0x04, 0x04, 0x2a, 0x1c, 0x08, 0x07, 0xc7, 0x73, 0x6c, 0x83, 0x36};
    enum { n_frame = sizeof frame, first = 16 + 2 * 4, second = first + 4 + n_frame, n_all = second + 4 + n_frame };
    uint8_t bytes[n_all] = {2, 1, 4 << 5 | 16, 1, 0, 4, 0, 0, 0, 2, 0, 0, n_all, 0, 0, 0, first, 0, 0, 0, second};
    bytes[first] = bytes[second] = n_frame;
    memcpy(bytes + first + 4, frame, n_frame);
    memcpy(bytes + second + 4, frame, n_frame);
    codec_spec strict = {.compress = COMPRESS_BLOSC, .strictness = STRICT_FORMAT},
               lenient = {.compress = COMPRESS_BLOSC};
    codec_context *context = codec_context_create();
    CHECK_INT(decode_status(context, &strict, bytes, n_all, 1024, NULL), NGFF_OK);
    for (int at = first + 4 + 17; at < n_all; at += second - first) {
        bytes[at] ^= 2;
        int32_t status = decode_status(context, &lenient, bytes, n_all, 1024, NULL);
        CHECK(status == NGFF_OK || ZSTD_versionNumber() >= 10506); /* which refuses these bits itself */
        CHECK_INT(decode_status(context, &strict, bytes, n_all, 1024, NULL), NGFF_E_CORRUPT);
        bytes[at] ^= 2;
    }
    codec_context_free(context);
}

/* Of every compressor, shuffle and number of blocks. */
static void what_this_library_writes_is_strict(void)
{
    static const size_t sizes[] = {512, 3000, 700000};
    codec_context *context = codec_context_create();
    for (int cname = CNAME_ZSTD; cname <= CNAME_BLOSCLZ; cname++)
        for (int shuffle = SHUFFLE_NONE; shuffle <= SHUFFLE_BIT; shuffle++)
            for (int i = 0; i < 3; i++) {
                codec_spec spec = {.compress = COMPRESS_BLOSC,
                                   .level = 1 + 4 * i,
                                   .type_size = 2,
                                   .blosc_cname = cname,
                                   .blosc_shuffle = shuffle,
                                   .strictness = STRICT_OWN};
                size_t n_encoded;
                uint8_t *bytes = sample_make(sample_ramp, sizes[i]);
                uint8_t *encoded = encoded_make(context, &spec, bytes, sizes[i], &n_encoded);
                CHECK_INT(decode_status(context, &spec, encoded, n_encoded, sizes[i], bytes), NGFF_OK);
                free(bytes);
                free(encoded);
            }
    codec_context_free(context);
}

int main(void)
{
    RUN(blosc_gives_back_what_it_took);
    RUN(blosc_refuses_damaged_data);
    RUN(blosc_reads_buffers_of_numcodecs);
    RUN(blosc_header_says_what_the_spec_said);
    RUN(blosc_does_not_listen_to_the_environment);
    RUN(blosc_takes_at_most_its_own_limit);
    RUN(zstd_frames_in_blosc_are_looked_into);
    RUN(what_this_library_writes_is_strict);
    CHECK_EXIT();
}
