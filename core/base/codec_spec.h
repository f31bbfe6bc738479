/* codec_spec.h: how chunks are encoded, as words that the plan, the metadata and the codecs share. */
#ifndef NGFF_BASE_CODEC_SPEC_H
#define NGFF_BASE_CODEC_SPEC_H

/* The codecs, a row each: COMPRESS=NAME, its names in Zarr v2 and v3 (NULL: none; with "numcodecs." before the first it may
 * be in v3, too), the codec to use instead where Zarr v3 is written (NULL: it is written there), its levels (0, 0: it has
 * none) and the one that is taken where none is given, and whether its data carry a checksum of their own. The functions
 * are in codec/: each file there ends with the codec that its row names. */
/* clang-format off */
#define CODECS(ROW)                                                                         \
    ROW(ZSTD,  "zstd",  "zstd",  NULL,                         1, 22, 1, 1)                 \
    ROW(BLOSC, "blosc", "blosc", NULL,                         0,  9, 1, 0)                 \
    ROW(GZIP,  "gzip",  "gzip",  NULL,                         1,  9, 6, 1)                 \
    ROW(NONE,  NULL,    NULL,    NULL,                         0,  0, 1, 0)                 \
    ROW(ZLIB,  "zlib",  "zlib",  "GZIP",                       1,  9, 6, 1)                 \
    ROW(LZ4,   "lz4",   NULL,    "BLOSC with BLOSC_CNAME=lz4", 0,  0, 1, 0)
/* clang-format on */

#define CODEC_NUMBER(name, ...) COMPRESS_##name,
enum { COMPRESS_AUTO, CODECS(CODEC_NUMBER) n_compress };

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

/* A row of CODECS. */
typedef struct {
    const char *word, *v2, *v3, *instead_v3;
    int least, most, standard; /* levels */
    int has_checksum;
} codec_row;

/* NULL for AUTO and what is no codec. */
const codec_row *codec_row_get(int compress);
/* COMPRESS_* of a name in Zarr v2 (zarr_format 2) or v3; COMPRESS_AUTO for an unknown one. */
int codec_by_name(int zarr_format, const char *name);

#endif
