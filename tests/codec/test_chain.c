/* test_chain.c: what chain.c checks for all codecs. */
#include "codec_check.h"

static void chunk_over_the_limit_has_no_bound(void)
{
    for (int compress = COMPRESS_NONE; compress <= COMPRESS_LZ4; compress++) {
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
    for (int compress = COMPRESS_NONE; compress <= COMPRESS_LZ4; compress++) {
        codec_spec spec = {.compress = compress, .level = 1, .type_size = 1};
        error e = {0};
        CHECK_INT(codec_encode(context, &spec, from, 64, to, 63, &n_written, &e), NGFF_E_ARGUMENT);
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
    RUN(first_error_is_kept);
    RUN(freeing_no_context_is_harmless);
    CHECK_EXIT();
}
