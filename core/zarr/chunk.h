/* chunk.h: one chunk of any array of a store, from its index to its pixels. A reader reads so what others have stored,
 * and a writer what it, or a run before it, has stored. */
#ifndef NGFF_ZARR_CHUNK_H
#define NGFF_ZARR_CHUNK_H

#include <pthread.h>

#include "base/budget.h"
#include "store/store.h"
#include "zarr/array.h"
#include "zarr/shard_index.h"

enum {
    most_idle = 64, /* codec contexts kept for later */
    most_slots = 64 /* shard indices kept */
};

/* The decoded index of one shard. */
typedef struct {
    char *key; /* of the shard; NULL: an empty slot */
    uint64_t hash;
    shard_entry *entries;
    size_t n_chunks;
    uint64_t last_use;
} index_slot;

/* What chunks are read from: a store, and what is kept from one chunk to the next. For any number of threads. */
typedef struct {
    store *store;     /* these three are borrowed */
    const char *path; /* of the store, for messages */
    budget *buffers;  /* for stored bytes, while they are decoded */

    pthread_mutex_t lock; /* guards all below */
    codec_context *idle[most_idle];
    int n_idle;
    index_slot slots[most_slots];
    size_t cached_bytes;
    uint64_t clock;
} chunk_store;

void chunk_store_begin(chunk_store *c, store *s, const char *path, budget *buffers);
void chunk_store_end(chunk_store *c);
/* Forgets the index of a shard, which has been replaced; of all shards for NULL. */
void chunk_store_forget(chunk_store *c, const char *key);

/* What is known of the chunks that a store has: which may be missing, and what is to be done about one that is. */
typedef struct {
    void *user;
    /* 1 for a chunk that is known to be left out, so that it is not looked for. number: its place in C order. An error
     * where that cannot be found out. */
    int32_t (*is_left_out)(void *user, const stored_array *array, int64_t number, error *e);
    /* A chunk is not there: NGFF_OK if it is left out, or the error. It may find that the array's chunks have names
     * with another separator, and change the array: then the chunk is looked for once more. */
    int32_t (*missing)(void *user, const stored_array *array, int64_t number, const char *key, error *e);
    int takes_refusal; /* what a server refuses is not there */
} chunk_rules;

typedef struct {
    char key[256 + 128];      /* of the object that holds the chunk */
    char separator;           /* of the numbers in it */
    int64_t number;           /* of the chunk in its array, C order */
    size_t ordinal, n_chunks; /* the chunk's place in its shard, and the places */
    size_t n_pixels, n_bytes; /* of the decoded chunk */
} chunk_place;

/* Bytes of a decoded chunk; refuses what is too much with a negative status. */
int64_t chunk_bytes(const chunk_store *c, const stored_array *array, error *e);
/* Works out where a chunk is, and refuses what cannot be. */
int32_t chunk_locate(const chunk_store *c, const stored_array *array, const int64_t *index, chunk_place *place,
                     error *e);

/* Reads and decodes a chunk, dense in C order, native bytes. Returns 1, 0 for a chunk that is left out (pixels stay as
 * they are), or an error. rules: NULL where any chunk may be missing. */
int32_t chunk_decode(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                     void *pixels, error *e);
/* The same; a chunk that is left out (0) becomes fill. */
int32_t chunk_read(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                   void *pixels, error *e);
/* The bytes of a chunk as they are stored, not decoded, for free(). Returns 1, 0 or an error, as chunk_decode. */
int32_t chunk_stored(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                     uint8_t **bytes, size_t *n, error *e);
/* Whether a chunk is there, which is looked up and not read. Returns 1, 0 or an error, as chunk_decode. */
int32_t chunk_is_there(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                       error *e);

#endif
