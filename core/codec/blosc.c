/* blosc.c: one blosc 1 buffer per chunk, through the functions that take everything as arguments. The others read
 * BLOSC_* environment variables and share one global state behind a lock (a third slower here on two threads), so
 * the same input could give other bytes.
 *
 * The block size stays automatic, as every other writer has it: it follows from the size of the input, the type size,
 * the level and the compressor alone, and the output is cut to n + 16 bytes whatever the buffer. */
#include "codec_table.h"

#include <blosc.h>

size_t blosc_bound(size_t n)
{
    return n <= BLOSC_MAX_BUFFERSIZE ? n + BLOSC_MAX_OVERHEAD : 0;
}

int32_t blosc_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                     size_t capacity, size_t *n_written, error *e)
{
    (void)context;
    static const int shuffles[] = {
        [SHUFFLE_NONE] = BLOSC_NOSHUFFLE, [SHUFFLE_BYTE] = BLOSC_SHUFFLE, [SHUFFLE_BIT] = BLOSC_BITSHUFFLE};
    const char *name = cname_name(spec->blosc_cname);
    if (!name || blosc_compname_to_compcode(name) < 0)
        return error_set(e, NGFF_E_UNSUPPORTED, "the installed blosc was built without its compressor %s",
                         name ? name : "(unknown)");
    int written = blosc_compress_ctx(spec->level, shuffles[spec->blosc_shuffle], (size_t)spec->type_size, n, from, to,
                                     capacity, name, 0, 1);
    if (written <= 0)
        return error_set(e, NGFF_E_MEMORY, "blosc cannot compress a chunk of %zu bytes (its code %d)", n, written);
    *n_written = (size_t)written;
    return NGFF_OK;
}

/* The header is checked first, so that blosc, which trusts the sizes in it, sees only buffers whose sizes are right. */
int32_t blosc_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    (void)context;
    size_t claimed = 0;
    if (blosc_cbuffer_validate(from, n, &claimed) != 0)
        return error_set(e, NGFF_E_CORRUPT,
                         "the %zu bytes are no blosc buffer: the header is damaged, or bytes are missing or added", n);
    if (claimed != n_expected)
        return codec_wrong_size(e, "blosc", claimed, n_expected);
    int written = blosc_decompress_ctx(from, to, n_expected, 1);
    if (written < 0 || (size_t)written != n_expected)
        return error_set(e, NGFF_E_CORRUPT, "the blosc data are damaged, or use a compressor this blosc lacks");
    return NGFF_OK;
}
