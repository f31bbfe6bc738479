/* bytes.c: pixels as they are. The codec of an uncompressed chunk, and the byte order of a stored one. */
#include "codec_table.h"

#include <string.h>

size_t bytes_bound(size_t n)
{
    return n;
}

int32_t bytes_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                     size_t capacity, size_t *n_written, error *e)
{
    (void)context, (void)spec, (void)capacity, (void)e;
    memcpy(to, from, n);
    *n_written = n;
    return NGFF_OK;
}

int32_t bytes_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    (void)context;
    if (n != n_expected)
        return codec_wrong_size(e, "uncompressed", n, n_expected);
    memcpy(to, from, n);
    return NGFF_OK;
}

static int host_is_big_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 0;
}

void bytes_to_native(void *pixels, size_t n_bytes, int item_size, int is_big_endian)
{
    if (is_big_endian == host_is_big_endian())
        return;
    uint8_t *p = pixels;
#define SWAP_CASE(bits)                                                                                                \
    case bits / 8:                                                                                                     \
        for (size_t i = 0; i + bits / 8 <= n_bytes; i += bits / 8) {                                                   \
            uint##bits##_t item;                                                                                       \
            memcpy(&item, p + i, bits / 8);                                                                            \
            item = __builtin_bswap##bits(item);                                                                        \
            memcpy(p + i, &item, bits / 8);                                                                            \
        }                                                                                                              \
        break
    switch (item_size) {
        SWAP_CASE(16);
        SWAP_CASE(32);
        SWAP_CASE(64);
    }
#undef SWAP_CASE
}
