/* zstd.c: one zstd frame per chunk. The frame carries the content size (some readers insist on it) and, where the
 * plan wants it, a checksum of the pixels that every reader checks when it decodes; states are kept in the context,
 * because making one costs more than compressing a small chunk. */
#include "codec_table.h"

#include <zstd.h>

size_t zstd_bound(size_t n)
{
    return ZSTD_compressBound(n);
}

int32_t zstd_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                    size_t capacity, size_t *n_written, error *e)
{
    if (!context->zstd_compressor)
        context->zstd_compressor = ZSTD_createCCtx();
    if (!context->zstd_compressor)
        return codec_no_memory(e, "zstd");
    ZSTD_CCtx_setParameter(context->zstd_compressor, ZSTD_c_compressionLevel, spec->level);
    ZSTD_CCtx_setParameter(context->zstd_compressor, ZSTD_c_checksumFlag, spec->zstd_checksum);
    size_t written = ZSTD_compress2(context->zstd_compressor, to, capacity, from, n);
    if (ZSTD_isError(written))
        return error_set(e, NGFF_E_MEMORY, "zstd cannot compress a chunk of %zu bytes: %s", n,
                         ZSTD_getErrorName(written));
    *n_written = written;
    return NGFF_OK;
}

/* Frames of other writers may leave the content size out. Whatever a header claims, nothing beyond n_expected is
 * written: the decompressor knows the room and stops there. It also refuses what follows the last frame. */
int32_t zstd_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    if (!context->zstd_decompressor)
        context->zstd_decompressor = ZSTD_createDCtx();
    if (!context->zstd_decompressor)
        return codec_no_memory(e, "zstd");
    unsigned long long claimed = ZSTD_getFrameContentSize(from, n);
    if (claimed == ZSTD_CONTENTSIZE_ERROR)
        return error_set(e, NGFF_E_CORRUPT, "the chunk does not begin with a zstd frame");
    if (claimed != ZSTD_CONTENTSIZE_UNKNOWN && claimed > n_expected)
        return codec_wrong_size(e, "zstd", claimed, n_expected);
    size_t written = ZSTD_decompressDCtx(context->zstd_decompressor, to, n_expected, from, n);
    if (ZSTD_isError(written))
        return error_set(e, NGFF_E_CORRUPT, "the zstd data are damaged: %s", ZSTD_getErrorName(written));
    if (written != n_expected)
        return codec_wrong_size(e, "zstd", written, n_expected);
    return NGFF_OK;
}

void zstd_release(codec_context *context)
{
    ZSTD_freeCCtx(context->zstd_compressor);
    ZSTD_freeDCtx(context->zstd_decompressor);
}
