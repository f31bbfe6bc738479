/* bytes.c: pixels as they are. The codec of an uncompressed chunk, and the byte order of a stored one. */
#include "codec/codec_table.h"

#include <string.h>

static size_t bytes_bound(size_t n)
{
    return n;
}

static int32_t bytes_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                            size_t capacity, size_t *n_written, error *e)
{
    (void)context, (void)spec, (void)capacity, (void)e;
    memcpy(to, from, n);
    *n_written = n;
    return NGFF_OK;
}

static int32_t bytes_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    (void)context;
    if (n != n_expected)
        return codec_wrong_size(e, "uncompressed", n, n_expected);
    memcpy(to, from, n);
    return NGFF_OK;
}

const codec codec_NONE = {.bound = bytes_bound, .encode = bytes_encode, .decode = bytes_decode};

/* Turns the bytes of every number round. */
static void swap(uint8_t *p, size_t n_bytes, int item_size)
{
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

void bytes_to_native(void *pixels, size_t n_bytes, int item_size, int is_big_endian)
{
    if (!is_big_endian != !machine_is_big_endian())
        swap(pixels, n_bytes, item_size);
}

const uint8_t *bytes_to_store(const void *pixels, size_t n_bytes, int item_size, void *room)
{
    if (!numbers_differ_in_files(item_size))
        return pixels;
    memcpy(room, pixels, n_bytes);
    swap(room, n_bytes, item_size);
    return room;
}
