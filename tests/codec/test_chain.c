/* test_chain.c: what chain.c checks for all codecs. */
#include "codec_check.h"

static void chunk_over_the_limit_has_no_bound(void)
{
    for (int compress = COMPRESS_AUTO + 1; compress < n_compress; compress++) {
        codec_spec spec = {.compress = compress, .level = 1, .type_size = 1};
        CHECK(codec_bound(&spec, 1) > 0);
        CHECK(codec_bound(&spec, 2000000000) >= 2000000000);
        CHECK_INT(codec_bound(&spec, (size_t)INT32_MAX + 1), 0);
        CHECK_INT(codec_bound(&spec, SIZE_MAX), 0);
        CHECK_INT(codec_bound(&spec, 0), 0);
    }
}

static void unknown_codec_is_refused(void)
{
    static const int unknown[] = {COMPRESS_AUTO, -1, COMPRESS_LZ4 + 1};
    codec_context *context = codec_context_create();
    uint8_t from[8] = {0}, to[8];
    size_t n_written;
    for (int i = 0; i < 3; i++) {
        codec_spec spec = {.compress = unknown[i], .type_size = 1};
        error first = {0}, second = {0};
        CHECK_INT(codec_bound(&spec, 8), 0);
        CHECK_INT(codec_encode(context, &spec, from, 8, to, 8, &n_written, &first), NGFF_E_UNSUPPORTED);
        CHECK_INT(codec_decode(context, &spec, from, 8, to, 8, &second), NGFF_E_UNSUPPORTED);
    }
    codec_context_free(context);
}

static void short_buffer_is_refused_before_encoding(void)
{
    codec_context *context = codec_context_create();
    uint8_t from[64] = {0}, to[64];
    size_t n_written;
    for (int compress = COMPRESS_AUTO + 1; compress < n_compress; compress++) {
        codec_spec spec = {.compress = compress, .level = 1, .type_size = 1};
        error e = {0};
        CHECK_INT(codec_encode(context, &spec, from, 64, to, 63, &n_written, &e), NGFF_E_ARGUMENT);
    }
    codec_context_free(context);
}

static void crc32c_stands_behind_any_codec(void)
{
    codec_context *context = codec_context_create();
    for (int compress = COMPRESS_AUTO + 1; compress < n_compress; compress++) {
        codec_spec plain = {.compress = compress, .level = 1, .type_size = 2, .blosc_shuffle = SHUFFLE_BYTE};
        codec_spec checked = plain;
        checked.has_crc32c = 1;
        check_round_trips(&checked);
        check_flips(&checked);
        size_t n_plain, n_checked;
        uint8_t *bytes = sample_make(sample_ramp, 5000);
        uint8_t *one = encoded_make(context, &plain, bytes, 5000, &n_plain);
        uint8_t *other = encoded_make(context, &checked, bytes, 5000, &n_checked);
        uint32_t crc = crc32c(one, n_plain);
        CHECK(n_checked == n_plain + 4 && memcmp(one, other, n_plain) == 0);
        CHECK(other[n_plain] == (crc & 0xFF) && other[n_plain + 3] == crc >> 24);
        CHECK_INT(decode_status(context, &checked, other + n_plain, 4, 5000, NULL), NGFF_E_CORRUPT);
        free(bytes);
        free(one);
        free(other);
    }
    codec_context_free(context);
}

static void first_error_is_kept(void)
{
    codec_spec spec = {.compress = COMPRESS_NONE};
    error e = {0};
    error_set(&e, NGFF_E_STORAGE, "earlier");
    uint8_t from[4] = {0}, to[8];
    CHECK_INT(codec_decode(NULL, &spec, from, 4, to, 8, &e), NGFF_E_STORAGE);
    CHECK_TEXT(e.message, "earlier");
}

static void freeing_no_context_is_harmless(void)
{
    codec_context_free(NULL);
    codec_context_free(codec_context_create());
}

int main(void)
{
    RUN(chunk_over_the_limit_has_no_bound);
    RUN(unknown_codec_is_refused);
    RUN(short_buffer_is_refused_before_encoding);
    RUN(crc32c_stands_behind_any_codec);
    RUN(first_error_is_kept);
    RUN(freeing_no_context_is_harmless);
    CHECK_EXIT();
}
