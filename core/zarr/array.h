/* array.h: what Zarr says of one array: its document, read and written, and the names of its chunks. */
#ifndef NGFF_ZARR_ARRAY_H
#define NGFF_ZARR_ARRAY_H

#include "base/box.h"
#include "base/codec_spec.h"
#include "base/dtype.h"
#include "zarr/document.h"

/* An array as its document describes it. The bytes of a chunk may have the axes in another order. */
typedef struct {
    char *path;
    const dtype *type;
    int rank;
    int64_t shape[MAX_RANK], chunk[MAX_RANK], shard[MAX_RANK]; /* shard = chunk where not sharded */
    int byte_axis[MAX_RANK]; /* the axis that is the k-th slowest in a chunk's bytes (order F, codec transpose) */
    int is_sharded;
    int index_is_first;     /* a shard's index is at its start */
    int index_has_checksum; /* crc32c behind the index */
    codec_spec codec;
    uint8_t fill[16];
    int is_big_endian;
    int key_format;         /* ZARR_3: keys as "c/0/1", ZARR_2: "0/1" */
    _Atomic char separator; /* '/' or '.' between the numbers of a key; a reader may find another than the document's */
    double scale[MAX_RANK], translation[MAX_RANK]; /* by NGFF, not by the array's document */
} stored_array;

/* The array at path; a->rank is the rank that it must have, 0 for any. attributes: where its attributes go as text, or
 * NULL. NGFF_E_NOT_FOUND leaves e alone. */
int32_t array_read(const document_source *source, int format, const char *path, stored_array *a, char **attributes,
                   error *e);

/* An array as this library writes one: C order, little-endian, '/' in keys, shard indices with a checksum at the end. fill: a
 * pixel of the type, NULL for zeros. shard: NULL where it is not sharded. path is borrowed. */
stored_array array_make(int format, const char *path, const dtype *type, int rank, const int64_t *shape,
                        const int64_t *chunk, const int64_t *shard, const codec_spec *codec, const uint8_t *fill);
/* The document of such an array: .zarray, or zarr.json with the attributes (handed over; NULL in Zarr v2, which has them in
 * a document of their own). dims: the names of the axes, which are in zarr.json. */
cJSON *array_document(int format, const stored_array *a, const char *const *dims, cJSON *attributes, int *is_whole);

/* Key of a chunk (or shard) below its array: "c/0/3/1" (v3), "0/3/1" (v2). to: at least 128 bytes. */
void array_chunk_key(const stored_array *array, const int64_t *index, char *to);
void chunk_key(int format, int rank, const int64_t *index, char *to);

#endif
