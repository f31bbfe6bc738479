/* test_zstd.c: frames with and without a content size, with and without a checksum. */
#include "codec_check.h"

static const codec_spec level_1 = {.compress = COMPRESS_ZSTD, .level = 1, .type_size = 2};
static const codec_spec with_checksum = {.compress = COMPRESS_ZSTD, .level = 1, .type_size = 2, .zstd_checksum = 1};
static const codec_spec level_9 = {.compress = COMPRESS_ZSTD, .level = 9, .type_size = 2};

static const uint8_t from_numcodecs[] = {0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x01, 0x8d, 0x00,
                                         0x00, 0x28, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x04,
                                         0x2a, 0x1c, 0x08, 0x07, 0xc7, 0x73, 0x6c, 0x83, 0x36};

/* zstd 1.5.4 on the command line, from a pipe: it could not know the size. */
static const uint8_t without_size[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x48, 0x8d, 0x00, 0x00, 0x28, 0x00, 0x00, 0x01,
                                       0x02, 0x03, 0x04, 0x04, 0x2a, 0x1c, 0x08, 0x07, 0xc7, 0x73, 0x6c, 0x83, 0x36};

static void zstd_gives_back_what_it_took(void)
{
    check_round_trips(&level_1);
    check_round_trips(&level_9);
    check_round_trips(&with_checksum);
}

static void zstd_refuses_damaged_data(void)
{
    check_damage(&level_1);
    check_damage(&with_checksum);
    check_flips(&with_checksum);
}

static void zstd_reads_frames_of_numcodecs_and_of_a_pipe(void)
{
    check_vector(&level_1, from_numcodecs, sizeof from_numcodecs);
    check_vector(&level_1, without_size, sizeof without_size);
}

/* RFC 8878 section 3.1.1.1: bits 7-6 of the descriptor say how many bytes the content size has (0 with bit 5: one
 * byte), bit 2 announces a checksum. */
static void zstd_frame_has_a_content_size_and_a_checksum_if_wanted(void)
{
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 131072);
    size_t n;
    static const uint8_t magic[] = {0x28, 0xB5, 0x2F, 0xFD};
    for (int i = 0; i < 4; i++) { /* one context for both */
        uint8_t *frame = encoded_make(context, i % 2 ? &with_checksum : &level_1, bytes, 131072, &n);
        CHECK(memcmp(frame, magic, 4) == 0);
        CHECK((frame[4] & 0xE0) != 0);
        CHECK((frame[4] & 0x04) == (i % 2 ? 0x04 : 0));
        free(frame);
    }
    free(bytes);
    codec_context_free(context);
}

/* A header that claims 2^62 bytes must not lead to an allocation or a write. */
static void zstd_frame_that_claims_too_much_is_refused(void)
{
    static const uint8_t bomb[] = {0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01, 0, 0};
    codec_context *context = codec_context_create();
    CHECK_INT(decode_status(context, &level_1, bomb, sizeof bomb, 512, NULL), NGFF_E_CORRUPT);
    codec_context_free(context);
}

static int32_t strict_status(const uint8_t *bytes, size_t n, size_t n_expected, int strictness)
{
    codec_spec spec = {.compress = COMPRESS_ZSTD, .strictness = strictness};
    codec_context *context = codec_context_create();
    int32_t status = decode_status(context, &spec, bytes, n, n_expected, NULL);
    codec_context_free(context);
    return status;
}

/* Byte 17 of the vector, by RFC 8878: 4 bytes of magic, descriptor, content size of 2; block header of 3 (0x8D: the
 * last, compressed, 17 bytes); literals: 0x28, 5 bytes as they are; 4 sequences; then their modes, whose lowest two
 * bits are reserved. zstd 1.5.4 passes over them, 1.5.6 (in numcodecs 0.16.6) calls both corrupt. */
static void bits_that_newer_decoders_refuse_are_found_where_they_are_looked_for(void)
{
    uint8_t bytes[sizeof from_numcodecs];
    for (int bit = 0; bit < 2; bit++) {
        memcpy(bytes, from_numcodecs, sizeof bytes);
        bytes[17] ^= (uint8_t)(1 << bit);
        CHECK_INT(strict_status(bytes, sizeof bytes, 512, STRICT_FORMAT), NGFF_E_CORRUPT);
        CHECK_INT(strict_status(bytes, sizeof bytes, 512, STRICT_OWN), NGFF_E_CORRUPT);
    }
    memcpy(bytes, from_numcodecs, sizeof bytes);
    bytes[4] ^= 0x10; /* unused: no decoder may look at it, no encoder may set it */
    CHECK_INT(strict_status(bytes, sizeof bytes, 512, STRICT_NOT), NGFF_OK);
    CHECK_INT(strict_status(bytes, sizeof bytes, 512, STRICT_FORMAT), NGFF_OK);
    CHECK_INT(strict_status(bytes, sizeof bytes, 512, STRICT_OWN), NGFF_E_CORRUPT);
    CHECK_INT(strict_status(from_numcodecs, sizeof from_numcodecs, 512, STRICT_OWN), NGFF_OK);
    CHECK_INT(strict_status(without_size, sizeof without_size, 512, STRICT_FORMAT), NGFF_OK);
}

/* A frame of something else, three bytes, before the pixels: allowed, and passed over. */
static void skippable_frame_is_passed_over(void)
{
    static const uint8_t skippable[] = {0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    uint8_t bytes[sizeof skippable + sizeof from_numcodecs];
    memcpy(bytes, skippable, sizeof skippable);
    memcpy(bytes + sizeof skippable, from_numcodecs, sizeof from_numcodecs);
    bytes[sizeof skippable + 17] ^= 1;
    CHECK_INT(strict_status(bytes, sizeof bytes, 512, STRICT_FORMAT), NGFF_E_CORRUPT);
}

/* Blocks of every kind, literals of every size, windows that are less than the chunk: nothing of ours is refused. */
static void what_this_library_writes_is_strict(void)
{
    static const size_t sizes[] = {1, 20, 300, 5000, 70000, 300000, 5 << 20};
    codec_context *context = codec_context_create();
    for (int level = 1; level <= 19; level += 3)
        for (int kind = 0; kind < n_samples + 2; kind++)
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                size_t n = sizes[i], n_encoded;
                if (n > (level > 13 ? 70000 : 300000) && (level > 10 || (kind != sample_ramp && kind != n_samples)))
                    continue; /* a second each; windows do not depend on the kind */
                codec_spec spec = {.compress = COMPRESS_ZSTD, .level = level, .zstd_checksum = kind % 2};
                uint8_t *bytes = sample_make(kind < n_samples ? kind : sample_random, n);
                for (size_t k = 0; k < n && kind >= n_samples; k++) /* few values; runs of random ones */
                    bytes[k] = kind == n_samples ? bytes[k] % 9 : bytes[k / 40];
                uint8_t *encoded = encoded_make(context, &spec, bytes, n, &n_encoded);
                spec.strictness = STRICT_OWN;
                CHECK_INT(decode_status(context, &spec, encoded, n_encoded, n, bytes), NGFF_OK);
                free(bytes);
                free(encoded);
            }
    codec_context_free(context);
}

int main(void)
{
    RUN(zstd_gives_back_what_it_took);
    RUN(zstd_refuses_damaged_data);
    RUN(zstd_reads_frames_of_numcodecs_and_of_a_pipe);
    RUN(zstd_frame_has_a_content_size_and_a_checksum_if_wanted);
    RUN(zstd_frame_that_claims_too_much_is_refused);
    RUN(bits_that_newer_decoders_refuse_are_found_where_they_are_looked_for);
    RUN(skippable_frame_is_passed_over);
    RUN(what_this_library_writes_is_strict);
    CHECK_EXIT();
}
