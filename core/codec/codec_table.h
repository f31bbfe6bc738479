/* codec_table.h: what the files of codec/ share: the row that a codec is, and the states that a context keeps for it.
 * A new codec is its row of CODECS (base/codec_spec.h) and one file, which ends with the table of its functions; where it
 * keeps a state from call to call, that is a member of codec_context here.
 *
 * chain.c checks the sizes for all of them: n is never 0, never more than bound takes, and to has room for bound. */
#ifndef NGFF_CODEC_CODEC_TABLE_H
#define NGFF_CODEC_CODEC_TABLE_H

#include "codec/codec.h"

/* Each member is made by the codec that needs it, at its first use. */
struct codec_context {
    struct ZSTD_CCtx_s *zstd_compressor;
    struct ZSTD_DCtx_s *zstd_decompressor;
    struct libdeflate_compressor *deflate_compressor;
    int deflate_level; /* of deflate_compressor */
    struct libdeflate_decompressor *deflate_decompressor;
    void *lz4_state;
};

typedef size_t codec_bound_function(size_t n);
typedef int32_t codec_encode_function(codec_context *context, const codec_spec *spec, const void *from, size_t n,
                                      void *to, size_t capacity, size_t *n_written, error *e);
typedef int32_t codec_decode_function(codec_context *context, const void *from, size_t n, void *to, size_t n_expected,
                                      error *e);
/* Looks at what decoding has passed over; strictness is not STRICT_NOT. */
typedef int32_t codec_check_function(const void *from, size_t n, int strictness, error *e);
typedef void codec_release_function(codec_context *context);

typedef struct {
    codec_bound_function *bound; /* 0: n is too much for this codec */
    codec_encode_function *encode;
    codec_decode_function *decode;
    codec_check_function *check;     /* NULL: decoding looks at everything */
    codec_release_function *release; /* frees the codec's part of a context; NULL: it has none */
} codec;

#define CODEC_DECLARED(name, ...) extern const codec codec_##name;
CODECS(CODEC_DECLARED)

codec_check_function zstd_check; /* blosc's blocks may be frames of zstd */

/* Puts the checksum of n bytes behind them (4 bytes). */
void checksum_append(uint8_t *bytes, size_t n);
/* The error of a decoder whose input gave another size than the chunk's. */
int32_t codec_wrong_size(error *e, const char *name, uint64_t n_found, size_t n_expected);
int32_t codec_no_memory(error *e, const char *name);

#endif
