/* chunk.h: one chunk of any array of a store, from its index to its pixels. */
#ifndef NGFF_READER_CHUNK_H
#define NGFF_READER_CHUNK_H

#include "reader.h"

typedef struct {
    char key[256 + 128];      /* of the object that holds the chunk */
    int64_t shard[MAX_RANK];  /* index of that object */
    size_t ordinal, n_chunks; /* the chunk's place in it, and the places */
    size_t n_pixels, n_bytes; /* of the decoded chunk */
} chunk_place;

/* Bytes of a decoded chunk; refuses what is too much with a negative status. */
int64_t chunk_bytes(const ngff_reader *reader, const stored_array *array, error *e);
/* Works out where a chunk is, and refuses what cannot be. */
int32_t chunk_locate(const ngff_reader *reader, const stored_array *array, const int64_t *index, chunk_place *place,
                     error *e);
/* Reads and decodes a chunk, dense in C order. Returns 1, 0 for a missing chunk (pixels stay as they are), or an error.
 * Thread-safe. */
int32_t chunk_decode(ngff_reader *reader, const stored_array *array, const chunk_place *place, void *pixels, error *e);

/* Both at once; a missing chunk (0) becomes fill. Thread-safe. */
int32_t chunk_read(ngff_reader *reader, const stored_array *array, const int64_t *index, void *pixels, error *e);

#endif
