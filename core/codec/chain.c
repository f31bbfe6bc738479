/* chain.c: the table of the codecs. It finds the row, checks the sizes once for all of them, and calls; everything
 * that is peculiar to a format is in the format's own file. */
#include "codec/codec_table.h"

#include <inttypes.h>
#include <stdlib.h>

#define CODEC_AT(name, ...) [COMPRESS_##name] = &codec_##name,
static const codec *const codecs[] = {CODECS(CODEC_AT)};

/* Readers in Java and blosc itself count the bytes of a chunk in 32 bits with a sign. */
enum { most_bytes = INT32_MAX, checksum_bytes = 4 };

/* The row of a spec, NULL for an unknown codec. */
static const codec *codec_find(const codec_spec *spec)
{
    if (spec->compress <= COMPRESS_AUTO || spec->compress >= n_compress)
        return NULL;
    return codecs[spec->compress];
}

codec_context *codec_context_create(void)
{
    return calloc(1, sizeof(codec_context));
}

void codec_context_free(codec_context *context)
{
    if (!context)
        return;
    for (int i = COMPRESS_AUTO + 1; i < n_compress; i++)
        if (codecs[i]->release)
            codecs[i]->release(context);
    free(context);
}

size_t codec_bound(const codec_spec *spec, size_t n)
{
    const codec *row = codec_find(spec);
    size_t bound = row && n > 0 && n <= most_bytes ? row->bound(n) : 0;
    return bound > 0 && spec->has_crc32c ? bound + checksum_bytes : bound;
}

int32_t codec_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                     size_t capacity, size_t *n_written, error *e)
{
    size_t bound = codec_bound(spec, n);
    if (bound == 0)
        return error_set(e, NGFF_E_UNSUPPORTED, "no codec here takes a chunk of %zu bytes (compression %d)", n,
                         spec->compress);
    if (capacity < bound)
        return error_set(e, NGFF_E_ARGUMENT, "the buffer for an encoded chunk has %zu bytes, not the %zu it needs",
                         capacity, bound);
    size_t room = spec->has_crc32c ? capacity - checksum_bytes : capacity;
    int32_t status = codec_find(spec)->encode(context, spec, from, n, to, room, n_written, e);
    if (status == NGFF_OK && spec->has_crc32c) {
        checksum_append(to, *n_written);
        *n_written += checksum_bytes;
    }
    return status;
}

int32_t codec_decode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                     size_t n_expected, error *e)
{
    const codec *row = codec_find(spec);
    if (!row || n_expected == 0 || n_expected > most_bytes)
        return error_set(e, NGFF_E_UNSUPPORTED, "no codec here gives a chunk of %zu bytes (compression %d)", n_expected,
                         spec->compress);
    if (n == 0)
        return error_set(e, NGFF_E_CORRUPT, "the chunk is empty: 0 bytes are stored");
    if (spec->has_crc32c && checksum_remove(from, &n, e) != NGFF_OK)
        return e->status;
    if (n == 0)
        return error_set(e, NGFF_E_CORRUPT, "the chunk is empty: it has a checksum and nothing before it");
    int32_t status = row->decode(context, from, n, to, n_expected, e);
    if (status == NGFF_OK && row->check && spec->strictness != STRICT_NOT)
        status = row->check(from, n, spec->strictness, e);
    return status;
}

int32_t codec_wrong_size(error *e, const char *name, uint64_t n_found, size_t n_expected)
{
    return error_set(e, NGFF_E_CORRUPT, "the %s data hold %" PRIu64 " bytes, but the chunk has %zu", name, n_found,
                     n_expected);
}

int32_t codec_no_memory(error *e, const char *name)
{
    return error_set(e, NGFF_E_MEMORY, "out of memory for the state of the %s codec", name);
}
