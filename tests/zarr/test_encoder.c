/* test_encoder.c: pixels to stored bytes, and back by the codec. */
#include <string.h>

#include "check.h"
#include "zarr/encoder.h"

static stored_array array_of(int compress)
{
    const codec_spec codec = {.compress = compress, .level = 1, .type_size = 2};
    return array_make(ZARR_3, "a", dtype_get(NGFF_UINT16), 2, (const int64_t[]){7, 9}, (const int64_t[]){4, 8}, NULL,
                      &codec, NULL);
}

static void plain_pixels_are_stored_as_they_are(void)
{
    encoders all;
    encoders_begin(&all);
    const stored_array a = array_of(COMPRESS_NONE);
    uint16_t pixels[32] = {1, 0x0203};
    const uint8_t *bytes = NULL;
    size_t n = 0;
    error e = {0};
    encoder *one = encoder_take(&all, &a);
    CHECK_INT(encoder_encode(one, &a, (const uint8_t *)pixels, &bytes, &n, &e), NGFF_OK);
    CHECK_INT(n, 64);
    CHECK(bytes[0] == 1 && bytes[1] == 0 && bytes[2] == 3 && bytes[3] == 2); /* little-endian on every machine */
    encoder_give(&all, one);
    encoders_end(&all);
}

static void encoded_pixels_decode_to_themselves(void)
{
    encoders all;
    encoders_begin(&all);
    const stored_array a = array_of(COMPRESS_ZSTD);
    uint16_t pixels[32], back[32];
    for (int i = 0; i < 32; i++)
        pixels[i] = (uint16_t)(i * i);
    const uint8_t *bytes = NULL;
    size_t n = 0;
    error e = {0};
    encoder *one = encoder_take(&all, &a);
    codec_context *context = codec_context_create();
    CHECK_INT(encoder_encode(one, &a, (const uint8_t *)pixels, &bytes, &n, &e), NGFF_OK);
    CHECK_INT(codec_decode(context, &a.codec, bytes, n, back, sizeof back, &e), NGFF_OK);
    bytes_to_native(back, sizeof back, 2, 0);
    CHECK(memcmp(pixels, back, sizeof back) == 0);
    codec_context_free(context);
    encoder_give(&all, one);
    encoders_end(&all);
}

static void the_last_one_given_back_is_taken_first(void)
{
    encoders all;
    encoders_begin(&all);
    const stored_array a = array_of(COMPRESS_ZSTD);
    encoder *one = encoder_take(&all, &a), *two = encoder_take(&all, &a);
    CHECK(one && two && one != two);
    encoder_give(&all, one);
    encoder_give(&all, two);
    CHECK(encoder_take(&all, &a) == two && encoder_take(&all, &a) == one);
    encoder_give(&all, two);
    encoder_give(&all, one);
    encoders_end(&all);
}

int main(void)
{
    RUN(plain_pixels_are_stored_as_they_are);
    RUN(encoded_pixels_decode_to_themselves);
    RUN(the_last_one_given_back_is_taken_first);
    CHECK_EXIT();
}
