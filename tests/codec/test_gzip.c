/* test_gzip.c: gzip and zlib, whose bytes must not hold a time or a system. */
#include "codec_check.h"

static const uint8_t gzip_bytes[] = {0x1f, 0x8b, 0x08, 0x00, 0xdc, 0xd0, 0x02, 0x6b, 0x00, 0xff, 0x63,
                                     0x60, 0x18, 0x58, 0xc0, 0x38, 0xc0, 0x90, 0x69, 0x80, 0x21, 0xf3,
                                     0x00, 0x43, 0x00, 0x1a, 0x5b, 0xf3, 0x95, 0x00, 0x02, 0x00, 0x00};
static const uint8_t zlib_bytes[] = {0x78, 0x9c, 0x63, 0x60, 0x18, 0x58, 0xc0, 0x38, 0xc0, 0x90, 0x69,
                                     0x80, 0x21, 0xf3, 0x00, 0x43, 0x00, 0xe3, 0x80, 0x01, 0x81};

static codec_spec spec_make(int compress, int level)
{
    return (codec_spec){.compress = compress, .level = level, .type_size = 2};
}

static void gzip_and_zlib_give_back_what_they_took(void)
{
    for (int level = 0; level <= 9; level += 3) {
        codec_spec gzip = spec_make(COMPRESS_GZIP, level), zlib = spec_make(COMPRESS_ZLIB, level);
        check_round_trips(&gzip);
        check_round_trips(&zlib);
    }
}

static void gzip_and_zlib_refuse_damaged_data(void)
{
    codec_spec gzip = spec_make(COMPRESS_GZIP, 6), zlib = spec_make(COMPRESS_ZLIB, 6);
    check_damage(&gzip);
    check_damage(&zlib);
}

static void gzip_and_zlib_read_what_numcodecs_wrote(void)
{
    codec_spec gzip = spec_make(COMPRESS_GZIP, 6), zlib = spec_make(COMPRESS_ZLIB, 6);
    check_vector(&gzip, gzip_bytes, sizeof gzip_bytes);
    check_vector(&zlib, zlib_bytes, sizeof zlib_bytes);
}

/* RFC 1952 section 2.3: magic, method 8, no flags, time 0; byte 9 is the system, 255 for unknown. */
static void gzip_header_has_no_time_and_no_system(void)
{
    codec_spec spec = spec_make(COMPRESS_GZIP, 6);
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 65536);
    size_t n;
    uint8_t *member = encoded_make(context, &spec, bytes, 65536, &n);
    static const uint8_t head[] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0};
    CHECK(memcmp(member, head, sizeof head) == 0);
    CHECK_INT(member[9], 255);
    free(bytes);
    free(member);
    codec_context_free(context);
}

/* All that a decoder passes over: flags for text, time, extra flags, system (RFC 1952). Others may say there what they
 * want, so only what this library has written is looked at. */
static void header_of_this_library_is_known_bit_by_bit(void)
{
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 3000);
    size_t n;
    for (int level = 0; level <= 9; level++) {
        codec_spec spec = spec_make(COMPRESS_GZIP, level), own = spec, format = spec;
        own.strictness = STRICT_OWN;
        format.strictness = STRICT_FORMAT;
        uint8_t *member = encoded_make(context, &spec, bytes, 3000, &n);
        CHECK_INT(decode_status(context, &own, member, n, 3000, bytes), NGFF_OK);
        for (size_t bit = 3 * 8; bit < 10 * 8; bit++) {
            if (bit / 8 == 8 && (bit % 8 == 1 || bit % 8 == 2))
                continue; /* 2 and 4 stand for "strongest" and "fastest" */
            member[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK_INT(decode_status(context, &own, member, n, 3000, bytes), NGFF_E_CORRUPT);
            if (bit / 8 >= 4)
                CHECK_INT(decode_status(context, &format, member, n, 3000, bytes), NGFF_OK);
            member[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(member);
    }
    free(bytes);
    codec_context_free(context);
}

/* One context serves chunks of several levels in turn. */
static void gzip_level_may_change_between_chunks(void)
{
    codec_spec fast = spec_make(COMPRESS_GZIP, 1), strong = spec_make(COMPRESS_GZIP, 9);
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 262144);
    size_t n_fast, n_strong, n_again;
    uint8_t *first = encoded_make(context, &fast, bytes, 262144, &n_fast);
    uint8_t *second = encoded_make(context, &strong, bytes, 262144, &n_strong);
    uint8_t *third = encoded_make(context, &fast, bytes, 262144, &n_again);
    CHECK(n_strong < n_fast);
    CHECK(n_again == n_fast && memcmp(first, third, n_fast) == 0);
    free(bytes);
    free(first);
    free(second);
    free(third);
    codec_context_free(context);
}

int main(void)
{
    RUN(gzip_and_zlib_give_back_what_they_took);
    RUN(gzip_and_zlib_refuse_damaged_data);
    RUN(gzip_and_zlib_read_what_numcodecs_wrote);
    RUN(gzip_header_has_no_time_and_no_system);
    RUN(header_of_this_library_is_known_bit_by_bit);
    RUN(gzip_level_may_change_between_chunks);
    CHECK_EXIT();
}
