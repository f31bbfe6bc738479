/* zstd.c: one zstd frame per chunk. The frame carries the content size (some readers insist on it) and, where the
 * plan wants it, a checksum of the pixels that every reader checks when it decodes; states are kept in the context,
 * because making one costs more than compressing a small chunk. */
#include "codec/codec_table.h"

#include <zstd.h>

static size_t zstd_bound(size_t n)
{
    return ZSTD_compressBound(n);
}

static int32_t zstd_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
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
static int32_t zstd_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
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

/* -- Bits that decoders pass over (RFC 8878) ------------------------------------------------------------------------ */

/* What is left of a frame; n is 0 once it has ended too early. */
typedef struct {
    const uint8_t *at;
    size_t n;
} rest;

static uint64_t take(rest *r, int n_bytes)
{
    if (r->n < (size_t)n_bytes) {
        r->n = 0;
        return 0;
    }
    uint64_t value = little_get(r->at, n_bytes);
    r->at += n_bytes;
    r->n -= (size_t)n_bytes;
    return value;
}

static void skip(rest *r, uint64_t n_bytes)
{
    if (n_bytes > r->n)
        n_bytes = r->n;
    r->at += n_bytes;
    r->n -= (size_t)n_bytes;
}

/* Section 3.1.1.3.1: the literals at the start of a compressed block. */
static void skip_literals(rest *r)
{
    static const uint8_t plain_head[4] = {1, 2, 1, 3}, plain_shift[4] = {3, 4, 3, 4};
    static const uint8_t packed_head[4] = {3, 3, 4, 5}, packed_bits[4] = {10, 10, 14, 18};
    if (r->n == 0)
        return;
    int type = r->at[0] & 3, format = r->at[0] >> 2 & 3;
    if (type >= 2) { /* Huffman: how many they become, then how many bytes they have here */
        uint64_t head = take(r, packed_head[format]), mask = (UINT64_C(1) << packed_bits[format]) - 1;
        skip(r, head >> (4 + packed_bits[format]) & mask);
    } else {
        uint64_t n = take(r, plain_head[format]) >> plain_shift[format];
        skip(r, type == 0 ? n : 1); /* as they are, or one byte again and again */
    }
}

/* Section 3.1.1.3.2.1: the head of the sequences, which follow. */
static int sequences_are_clean(rest block)
{
    skip_literals(&block);
    uint64_t n = take(&block, 1);
    if (n == 255)
        n = take(&block, 2) + 0x7F00;
    else if (n >= 128)
        n = ((n - 128) << 8) + take(&block, 1);
    return n == 0 || (take(&block, 1) & 3) == 0;
}

/* Section 3.1.1.1.2: 2^exponent and eighths of it. */
static uint64_t window_of(uint64_t descriptor)
{
    uint64_t base = UINT64_C(1) << (10 + (descriptor >> 3));
    return base + base / 8 * (descriptor & 7);
}

/* Sections 3.1.1.1 and 3.1.1.2. Returns what is wrong, or NULL. */
static const char *judge_frame(rest *r, int strictness)
{
    static const uint8_t id_bytes[4] = {0, 1, 2, 4}, size_bytes[4] = {0, 2, 4, 8};
    skip(r, 4);
    int descriptor = (int)take(r, 1), is_single = descriptor >> 5 & 1, is_last = 0;
    uint64_t window = is_single ? 0 : window_of(take(r, 1));
    skip(r, id_bytes[descriptor & 3]);
    uint64_t size = take(r, descriptor >> 6 == 0 ? is_single : size_bytes[descriptor >> 6]);
    size += descriptor >> 6 == 1 ? 256 : 0;
    if (strictness == STRICT_OWN && descriptor & 0x10) /* encoders leave it 0, decoders pass over it */
        return "the unused bit of the frame header is set";
    /* This library's frames say their size; where the window is less, it is a power of two of at least 512 KiB. */
    if (strictness == STRICT_OWN && !is_single && (window & (window - 1) || window >= size || window < 1 << 19))
        return "the window is none that this library writes";
    while (!is_last && r->n > 0) {
        uint64_t head = take(r, 3), type = head >> 1 & 3, n = head >> 3;
        is_last = head & 1;
        if (type == 2 && n <= r->n && !sequences_are_clean((rest){r->at, (size_t)n}))
            return "reserved bits of a block are set, which newer decoders refuse";
        skip(r, type == 1 ? 1 : n);
    }
    skip(r, descriptor & 4 ? 4 : 0);
    return NULL;
}

int32_t zstd_check(const void *from, size_t n, int strictness, error *e)
{
    rest r = {from, n};
    const char *wrong = NULL;
    while (r.n >= 8 && !wrong) {
        uint64_t magic = little_get(r.at, 4);
        if ((magic & 0xFFFFFFF0) == 0x184D2A50) /* section 3.1.2: a frame of something else */
            skip(&r, 8 + little_get(r.at + 4, 4));
        else if (magic == 0xFD2FB528)
            wrong = judge_frame(&r, strictness);
        else /* of a zstd before its format was settled */
            break;
    }
    return wrong ? error_set(e, NGFF_E_CORRUPT, "the zstd data are damaged: %s", wrong) : NGFF_OK;
}

static void zstd_release(codec_context *context)
{
    ZSTD_freeCCtx(context->zstd_compressor);
    ZSTD_freeDCtx(context->zstd_decompressor);
}

const codec codec_ZSTD = {
    .bound = zstd_bound, .encode = zstd_encode, .decode = zstd_decode, .check = zstd_check, .release = zstd_release};
