/* codec_spec.h: how chunks are encoded, as words that the plan, the metadata and the codecs share. */
#ifndef NGFF_BASE_CODEC_SPEC_H
#define NGFF_BASE_CODEC_SPEC_H

enum { COMPRESS_AUTO, COMPRESS_NONE, COMPRESS_ZSTD, COMPRESS_BLOSC, COMPRESS_GZIP, COMPRESS_ZLIB, COMPRESS_LZ4 };
enum { CNAME_ZSTD, CNAME_LZ4, CNAME_LZ4HC, CNAME_ZLIB, CNAME_BLOSCLZ };
enum { SHUFFLE_NONE, SHUFFLE_BYTE, SHUFFLE_BIT };

/* What a decoder looks at beyond the pixels: nothing that these do not need; what the format says must be zero, which
 * other decoders, or newer ones, refuse; or all that this library writes there. */
enum { STRICT_NOT, STRICT_FORMAT, STRICT_OWN };

typedef struct {
    int compress; /* COMPRESS_*, never AUTO */
    int level, blosc_cname, blosc_shuffle;
    int type_size;     /* bytes of one pixel, for shuffles */
    int zstd_checksum; /* the frame of zstd ends with one */
    int has_crc32c;    /* Zarr's codec crc32c behind the encoded chunk */
    int strictness;    /* STRICT_*, of decoding */
} codec_spec;

/* Names as in blosc's metadata: "zstd", "lz4", "lz4hc", "zlib", "blosclz". NULL / -1 when unknown. */
const char *cname_name(int cname);
int cname_by_name(const char *name);
/* "noshuffle", "shuffle", "bitshuffle". */
const char *shuffle_name(int shuffle);
int shuffle_by_name(const char *name);

#endif
