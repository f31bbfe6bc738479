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

int main(void)
{
    RUN(zstd_gives_back_what_it_took);
    RUN(zstd_refuses_damaged_data);
    RUN(zstd_reads_frames_of_numcodecs_and_of_a_pipe);
    RUN(zstd_frame_has_a_content_size_and_a_checksum_if_wanted);
    RUN(zstd_frame_that_claims_too_much_is_refused);
    CHECK_EXIT();
}
