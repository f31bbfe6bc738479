/* lz4.c: numcodecs' lz4, for Zarr v2 only: the raw size in four bytes, little endian, then one LZ4 block. The level
 * is LZ4's acceleration: 1 is the strongest. */
#include "codec/codec_table.h"

#include <lz4.h>
#include <stdlib.h>

enum { header_bytes = 4 };

static size_t lz4_bound(size_t n)
{
    return n <= LZ4_MAX_INPUT_SIZE ? header_bytes + (size_t)LZ4_compressBound((int)n) : 0;
}

static int32_t lz4_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                          size_t capacity, size_t *n_written, error *e)
{
    if (!context->lz4_state)
        context->lz4_state = malloc((size_t)LZ4_sizeofState());
    if (!context->lz4_state)
        return codec_no_memory(e, "lz4");
    uint8_t *bytes = to;
    little_put(bytes, n, header_bytes);
    size_t room = capacity - header_bytes;
    int written = LZ4_compress_fast_extState(context->lz4_state, from, (char *)bytes + header_bytes, (int)n,
                                             room > INT32_MAX ? INT32_MAX : (int)room, spec->level);
    if (written <= 0)
        return error_set(e, NGFF_E_MEMORY, "lz4 cannot compress a chunk of %zu bytes", n);
    *n_written = header_bytes + (size_t)written;
    return NGFF_OK;
}

static int32_t lz4_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    (void)context;
    if (n <= header_bytes || n - header_bytes > INT32_MAX)
        return error_set(e, NGFF_E_CORRUPT, "%zu bytes cannot be an lz4 chunk", n);
    const uint8_t *bytes = from;
    uint64_t claimed = little_get(bytes, header_bytes);
    if (claimed != n_expected)
        return codec_wrong_size(e, "lz4", claimed, n_expected);
    int written = LZ4_decompress_safe((const char *)bytes + header_bytes, to, (int)(n - header_bytes), (int)n_expected);
    if (written < 0 || (size_t)written != n_expected)
        return error_set(e, NGFF_E_CORRUPT, "the lz4 data are damaged");
    return NGFF_OK;
}

static void lz4_release(codec_context *context)
{
    free(context->lz4_state);
}

const codec codec_LZ4 = {.bound = lz4_bound, .encode = lz4_encode, .decode = lz4_decode, .release = lz4_release};
