/* blosc.c: one blosc 1 buffer per chunk, through the functions that take everything as arguments. The others read
 * BLOSC_* environment variables and share one global state behind a lock (a third slower here on two threads), so
 * the same input could give other bytes.
 *
 * The block size stays automatic, as every other writer has it: it follows from the size of the input, the type size,
 * the level and the compressor alone, and the output is cut to n + 16 bytes whatever the buffer. */
#include "codec/codec_table.h"

#include <blosc.h>

static size_t blosc_bound(size_t n)
{
    return n <= BLOSC_MAX_BUFFERSIZE ? n + BLOSC_MAX_OVERHEAD : 0;
}

static int32_t blosc_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
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
static int32_t blosc_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
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

/* -- Zstd frames in it --------------------------------------------------------------------------------------------- */

/* Blosc 1's format: version, version of the compressor, flags, size of a number, then bytes, bytes of a block and stored
 * bytes; then where each block is. A block is cut into as many streams as a number has bytes, or one; a stream is its
 * size and one frame, or the bytes themselves where that would not be less. */
enum {
    blosc_head = 16,
    flag_copied = 2,
    flag_whole_blocks = 16,
    format_zstd = 4,
    most_streams = 16,
    least_stream = 128
};

static int32_t check_block(const uint8_t *at, size_t n, uint64_t n_pixels, uint64_t n_streams, int strictness, error *e)
{
    for (uint64_t i = 0; i < n_streams && n >= 4; i++) {
        uint64_t size = little_get(at, 4);
        if (size > n - 4)
            break; /* decoding would have refused it */
        if (size != n_pixels / n_streams && zstd_check(at + 4, (size_t)size, strictness, e) != NGFF_OK)
            return e->status;
        at += 4 + size;
        n -= 4 + (size_t)size;
    }
    return NGFF_OK;
}

static int32_t blosc_check(const void *from, size_t n, int strictness, error *e)
{
    const uint8_t *bytes = from;
    if (n < blosc_head || bytes[2] >> 5 != format_zstd || bytes[2] & flag_copied)
        return NGFF_OK;
    uint64_t n_pixels = little_get(bytes + 4, 4), block = little_get(bytes + 8, 4), n_numbers = bytes[3];
    for (uint64_t done = 0, i = 0; block > 0 && done < n_pixels && blosc_head + 4 * (i + 1) <= n; done += block, i++) {
        uint64_t start = little_get(bytes + blosc_head + 4 * i, 4), here = n_pixels - done;
        int is_cut = !(bytes[2] & flag_whole_blocks) && n_numbers <= most_streams && here >= block && n_numbers > 0 &&
                     block / n_numbers >= least_stream;
        if (start > n)
            break;
        if (check_block(bytes + start, n - (size_t)start, here < block ? here : block, is_cut ? n_numbers : 1,
                        strictness, e) != NGFF_OK)
            return e->status;
    }
    return NGFF_OK;
}

const codec codec_BLOSC = {.bound = blosc_bound, .encode = blosc_encode, .decode = blosc_decode, .check = blosc_check};
