/* chunk_cache.h: decoded chunks that a request has met only in part, so that the next window, line or pixel need not
 * decode them again. Those used last stay, within a limit in bytes; a chunk in use is never dropped, nor the one used
 * last. Where several threads want the same chunk, one decodes and the others wait. Thread-safe. */
#ifndef NGFF_READER_CHUNK_CACHE_H
#define NGFF_READER_CHUNK_CACHE_H

#include "base/budget.h"

typedef struct chunk_cache chunk_cache;
typedef struct cached_chunk cached_chunk;

/* buffers: where the pixels go back to. NULL when memory is out. */
chunk_cache *chunk_cache_create(budget *buffers, int64_t most_bytes);
void chunk_cache_free(chunk_cache *cache); /* nobody may hold a chunk */
/* 0: nothing is kept, and what was is forgotten. */
void chunk_cache_limit(chunk_cache *cache, int64_t most_bytes);

/* The decoded chunk with this number of an array, held until it is given back; NULL if it is not there. */
cached_chunk *chunk_cache_find(chunk_cache *cache, const void *array, int64_t number);
/* The same, but with is_new the chunk was not there: the caller decodes it and says so with chunk_cache_ready or
 * chunk_cache_failed (which gives it back). NULL when memory is out. */
cached_chunk *chunk_cache_take(chunk_cache *cache, const void *array, int64_t number, int *is_new);
/* pixels: n_bytes of the budget, which go to the cache; NULL for a missing chunk. */
void chunk_cache_ready(chunk_cache *cache, cached_chunk *chunk, void *pixels, int64_t n_bytes);
void chunk_cache_failed(chunk_cache *cache, cached_chunk *chunk);
void chunk_cache_give(chunk_cache *cache, cached_chunk *chunk);

/* NULL for a missing chunk. */
const void *cached_chunk_pixels(const cached_chunk *chunk);

#endif
