/* test_bytes.c: uncompressed chunks and the byte order of stored pixels. */
#include "codec_check.h"

static const codec_spec none = {.compress = COMPRESS_NONE, .type_size = 2};

static void uncompressed_chunk_is_the_pixels(void)
{
    codec_context *context = codec_context_create();
    static const uint8_t bytes[] = {1, 2, 3, 4, 5};
    size_t n;
    uint8_t *stored = encoded_make(context, &none, bytes, 5, &n);
    CHECK_INT(n, 5);
    CHECK(memcmp(stored, bytes, 5) == 0);
    free(stored);
    codec_context_free(context);
    check_round_trips(&none);
}

static void uncompressed_chunk_of_another_size_is_refused(void)
{
    check_damage(&none);
}

/* The same numbers in both orders; what the machine has is found by the compiler's own integers. */
static void big_and_little_endian_pixels_become_native(void)
{
    uint8_t big_16[] = {0x12, 0x34, 0x56, 0x78}, little_16[] = {0x34, 0x12, 0x78, 0x56};
    const uint16_t native_16[] = {0x1234, 0x5678};
    bytes_to_native(big_16, 4, 2, 1);
    bytes_to_native(little_16, 4, 2, 0);
    CHECK(memcmp(big_16, native_16, 4) == 0);
    CHECK(memcmp(little_16, native_16, 4) == 0);

    uint8_t big_32[] = {0x12, 0x34, 0x56, 0x78};
    const uint32_t native_32 = 0x12345678;
    bytes_to_native(big_32, 4, 4, 1);
    CHECK(memcmp(big_32, &native_32, 4) == 0);

    uint8_t big_64[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const uint64_t native_64 = 0x0102030405060708;
    bytes_to_native(big_64, 8, 8, 1);
    CHECK(memcmp(big_64, &native_64, 8) == 0);

    uint8_t bytes[] = {1, 2, 3};
    bytes_to_native(bytes, 3, 1, 1);
    CHECK(bytes[0] == 1 && bytes[1] == 2 && bytes[2] == 3);
}

int main(void)
{
    RUN(uncompressed_chunk_is_the_pixels);
    RUN(uncompressed_chunk_of_another_size_is_refused);
    RUN(big_and_little_endian_pixels_become_native);
    CHECK_EXIT();
}
