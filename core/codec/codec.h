/* codec.h: chunk bytes <-> stored bytes. One codec per file, each a row of the table in chain.c. */
#ifndef NGFF_CODEC_CODEC_H
#define NGFF_CODEC_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/codec_spec.h"
#include "base/error.h"

/* What a codec keeps between calls (compressor states). One thread uses a context at a time. */
typedef struct codec_context codec_context;
codec_context *codec_context_create(void); /* NULL when memory is out */
void codec_context_free(codec_context *context);

/* Most bytes that encoding n bytes can give; 0 if n is more than the codec can take (2 GiB - 1). */
size_t codec_bound(const codec_spec *spec, size_t n);

/* Encodes n bytes into to (capacity codec_bound). The result depends on spec and bytes only. With COMPRESS_NONE the
 * caller may store the bytes themselves. */
int32_t codec_encode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                     size_t capacity, size_t *n_written, error *e);

/* Decodes into exactly n_expected bytes; anything else (also trailing bytes, a header that claims another size) is
 * NGFF_E_CORRUPT. Never reads or writes out of bounds, whatever the input. Of spec only compress, has_crc32c and
 * strictness count. */
int32_t codec_decode(codec_context *context, const codec_spec *spec, const void *from, size_t n, void *to,
                     size_t n_expected, error *e);

/* Brings stored pixels into this machine's byte order. item_size: bytes of one number (half a complex pixel). */
void bytes_to_native(void *pixels, size_t n_bytes, int item_size, int is_big_endian);
/* The way back: pixels as this library stores them, little-endian. These are the pixels themselves or, on a big-endian
 * machine, a copy in room (n_bytes; NULL where numbers do not differ). */
const uint8_t *bytes_to_store(const void *pixels, size_t n_bytes, int item_size, void *room);

/* CRC-32C (Castagnoli) of the bytes, as Zarr's crc32c codec stores it. */
uint32_t crc32c(const void *bytes, size_t n);
/* The same without the machine's instruction for it. */
uint32_t crc32c_portable(const void *bytes, size_t n);

/* Takes the four bytes that Zarr's crc32c codec has put behind the n bytes off *n, after a check of them. */
int32_t checksum_remove(const void *bytes, size_t *n, error *e);

#endif
