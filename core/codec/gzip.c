/* gzip.c: gzip and zlib, both deflate with another wrapper. One library makes the bytes on every machine; its gzip
 * header has time 0 and system 255 (unknown), so equal pixels are equal bytes. */
#include "codec/codec_table.h"

#include <libdeflate.h>
#include <string.h>

enum { wrapper_gzip, wrapper_zlib };

typedef struct {
    const char *name;
    size_t (*bound)(struct libdeflate_compressor *, size_t);
    size_t (*compress)(struct libdeflate_compressor *, const void *, size_t, void *, size_t);
    enum libdeflate_result (*decompress)(struct libdeflate_decompressor *, const void *, size_t, void *, size_t,
                                         size_t *, size_t *);
} wrapper;

static const wrapper wrappers[] = {
    [wrapper_gzip] = {.name = "gzip",
                      .bound = libdeflate_gzip_compress_bound,
                      .compress = libdeflate_gzip_compress,
                      .decompress = libdeflate_gzip_decompress_ex},
    [wrapper_zlib] = {.name = "zlib",
                      .bound = libdeflate_zlib_compress_bound,
                      .compress = libdeflate_zlib_compress,
                      .decompress = libdeflate_zlib_decompress_ex},
};

/* The context's compressor, made anew when the level is another one. */
static struct libdeflate_compressor *compressor_get(codec_context *context, int level)
{
    if (context->deflate_compressor && context->deflate_level != level) {
        libdeflate_free_compressor(context->deflate_compressor);
        context->deflate_compressor = NULL;
    }
    if (!context->deflate_compressor)
        context->deflate_compressor = libdeflate_alloc_compressor(level);
    context->deflate_level = level;
    return context->deflate_compressor;
}

static int32_t wrapped_encode(const wrapper *w, codec_context *context, int level, const void *from, size_t n, void *to,
                              size_t capacity, size_t *n_written, error *e)
{
    struct libdeflate_compressor *compressor = compressor_get(context, level);
    if (!compressor)
        return codec_no_memory(e, w->name);
    *n_written = w->compress(compressor, from, n, to, capacity);
    if (*n_written == 0)
        return error_set(e, NGFF_E_MEMORY, "%s cannot compress a chunk of %zu bytes", w->name, n);
    return NGFF_OK;
}

static int32_t wrapped_decode(const wrapper *w, codec_context *context, const void *from, size_t n, void *to,
                              size_t n_expected, error *e)
{
    if (!context->deflate_decompressor)
        context->deflate_decompressor = libdeflate_alloc_decompressor();
    if (!context->deflate_decompressor)
        return codec_no_memory(e, w->name);
    size_t n_used = 0, n_found = 0;
    switch (w->decompress(context->deflate_decompressor, from, n, to, n_expected, &n_used, &n_found)) {
    case LIBDEFLATE_SUCCESS:
        break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return error_set(e, NGFF_E_CORRUPT, "the %s data hold more bytes than the chunk's %zu", w->name, n_expected);
    default:
        return error_set(e, NGFF_E_CORRUPT, "the %s data are damaged", w->name);
    }
    if (n_found != n_expected)
        return codec_wrong_size(e, w->name, n_found, n_expected);
    if (n_used != n)
        return error_set(e, NGFF_E_CORRUPT, "%zu bytes follow the end of the %s data", n - n_used, w->name);
    return NGFF_OK;
}

static size_t gzip_bound(size_t n)
{
    return wrappers[wrapper_gzip].bound(NULL, n);
}

static size_t zlib_bound(size_t n)
{
    return wrappers[wrapper_zlib].bound(NULL, n);
}

static int32_t gzip_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                           size_t capacity, size_t *n_written, error *e)
{
    return wrapped_encode(&wrappers[wrapper_gzip], context, spec->level, from, n, to, capacity, n_written, e);
}

static int32_t zlib_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                           size_t capacity, size_t *n_written, error *e)
{
    return wrapped_encode(&wrappers[wrapper_zlib], context, spec->level, from, n, to, capacity, n_written, e);
}

static int32_t gzip_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    return wrapped_decode(&wrappers[wrapper_gzip], context, from, n, to, n_expected, e);
}

static int32_t zlib_decode(codec_context *context, const void *from, size_t n, void *to, size_t n_expected, error *e)
{
    return wrapped_decode(&wrappers[wrapper_zlib], context, from, n, to, n_expected, e);
}

/* RFC 1952 section 2.3.1: magic, method, flags, time (4), extra flags, system. A decoder needs only the first three. */
static int32_t gzip_check(const void *from, size_t n, int strictness, error *e)
{
    const uint8_t *head = from;
    static const uint8_t ours[8] = {0x1F, 0x8B, 8};
    if (strictness < STRICT_OWN)
        return NGFF_OK;
    int is_ours = n >= 18 && memcmp(head, ours, sizeof ours) == 0 && (head[8] & ~6) == 0 && head[9] == 255;
    return is_ours ? NGFF_OK
                   : error_set(e, NGFF_E_CORRUPT,
                               "the gzip header is none that this library writes: it is damaged, or another program "
                               "has written the chunk");
}

static void deflate_release(codec_context *context)
{
    libdeflate_free_compressor(context->deflate_compressor);
    libdeflate_free_decompressor(context->deflate_decompressor);
}

const codec codec_GZIP = {
    .bound = gzip_bound, .encode = gzip_encode, .decode = gzip_decode, .check = gzip_check, .release = deflate_release};

const codec codec_ZLIB = {.bound = zlib_bound, .encode = zlib_encode, .decode = zlib_decode};
