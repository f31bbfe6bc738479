/* chunk_cache.c: see chunk_cache.h. A hash table finds a chunk. One is in the table from the moment somebody begins to
 * decode it; if that fails it leaves it again, so that whoever waited tries (and reports the error) for himself.
 *
 * New memory costs as much as decoding into it, and most windows are read once. So only a few chunks keep their pixels
 * at first, in memory that stays warm. Those that the limit would allow beyond that are remembered without pixels; when
 * one of them is asked for again, keeping it would have paid, and one more is kept from then on. Reading line by line, or
 * plane by plane, thus decodes the first row, or plane, of chunks twice, and all others once. */
#include "reader/chunk_cache.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/box.h"

enum {
    n_lists = 1024,
    overhead = 256, /* bytes that a chunk counts beside its pixels */
    few_chunks = 4, /* that keep their pixels at first */
    slab_size = 128 /* records of chunks that are allocated together */
};

struct cached_chunk {
    const void *array;
    int64_t number;
    void *pixels;    /* NULL: none are kept, or it is a missing chunk */
    int64_t n_bytes; /* of its pixels, kept or not; 0 for a missing chunk */
    enum { DECODING, KEPT, REMEMBERED } state;
    int n_holders;
    cached_chunk *next_in_list, *older, *newer;
};

/* Records are never given back one by one: between the large blocks that decoders take and give back, each would pin a
 * piece of the heap, which then grows by a block per chunk. */
typedef struct slab {
    struct slab *next;
    cached_chunk chunks[slab_size];
} slab;

/* Chunks in the order of their last use. */
typedef struct {
    cached_chunk *oldest, *newest;
    int64_t bytes;
} age_list;

struct chunk_cache {
    pthread_mutex_t lock;
    pthread_cond_t has_changed; /* a chunk was decoded, or could not be */
    budget *buffers;
    int64_t most_bytes;  /* of kept and remembered ones */
    int64_t most_pixels; /* of kept ones: grows up to most_bytes */
    cached_chunk *lists[n_lists];
    age_list kept, remembered;
    slab *slabs;
    cached_chunk *unused; /* linked by next_in_list */
};

chunk_cache *chunk_cache_create(budget *buffers, int64_t most_bytes)
{
    chunk_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->has_changed, NULL);
    cache->buffers = buffers;
    cache->most_bytes = most_bytes;
    return cache;
}

/* -- The table and the lists; the lock is held ----------------------------------------------------------------------
 */

static cached_chunk **list_of(chunk_cache *cache, const void *array, int64_t number)
{
    uint64_t hash = ((uint64_t)(uintptr_t)array >> 4 ^ (uint64_t)number) * 0x9E3779B97F4A7C15u;
    return &cache->lists[hash >> 54];
}

static cached_chunk *chunk_find(chunk_cache *cache, const void *array, int64_t number)
{
    cached_chunk *chunk = *list_of(cache, array, number);
    while (chunk && (chunk->array != array || chunk->number != number))
        chunk = chunk->next_in_list;
    return chunk;
}

static void table_remove(chunk_cache *cache, cached_chunk *chunk)
{
    cached_chunk **link = list_of(cache, chunk->array, chunk->number);
    while (*link != chunk)
        link = &(*link)->next_in_list;
    *link = chunk->next_in_list;
}

static void age_remove(age_list *list, cached_chunk *chunk)
{
    *(chunk->older ? &chunk->older->newer : &list->oldest) = chunk->newer;
    *(chunk->newer ? &chunk->newer->older : &list->newest) = chunk->older;
    list->bytes -= chunk->n_bytes + overhead;
}

static void age_append(age_list *list, cached_chunk *chunk)
{
    chunk->older = list->newest;
    chunk->newer = NULL;
    *(list->newest ? &list->newest->newer : &list->oldest) = chunk;
    list->newest = chunk;
    list->bytes += chunk->n_bytes + overhead;
}

static void record_give(chunk_cache *cache, cached_chunk *chunk)
{
    chunk->next_in_list = cache->unused;
    cache->unused = chunk;
}

/* NULL when memory is out. */
static cached_chunk *record_take(chunk_cache *cache)
{
    if (!cache->unused) {
        slab *more = malloc(sizeof *more);
        if (!more)
            return NULL;
        more->next = cache->slabs;
        cache->slabs = more;
        for (int i = 0; i < slab_size; i++)
            record_give(cache, &more->chunks[i]);
    }
    cached_chunk *chunk = cache->unused;
    cache->unused = chunk->next_in_list;
    return chunk;
}

static void chunk_drop(chunk_cache *cache, age_list *list, cached_chunk *chunk)
{
    table_remove(cache, chunk);
    age_remove(list, chunk);
    budget_give(cache->buffers, chunk->pixels, chunk->n_bytes);
    record_give(cache, chunk);
}

/* Takes the pixels from the oldest chunks that nobody holds. The one used last keeps its own, so that a chunk larger
 * than the limit is not decoded again for each of its rows; only where nothing is to be kept, it does not either. */
static void keep_to_limit(chunk_cache *cache)
{
    cached_chunk *chunk = cache->kept.oldest;
    while (chunk && cache->kept.bytes > cache->most_pixels && (chunk != cache->kept.newest || cache->most_bytes == 0)) {
        cached_chunk *newer = chunk->newer;
        if (chunk->n_holders == 0) {
            age_remove(&cache->kept, chunk);
            budget_give(cache->buffers, chunk->pixels, chunk->n_bytes);
            chunk->pixels = NULL;
            chunk->state = REMEMBERED;
            age_append(&cache->remembered, chunk);
        }
        chunk = newer;
    }
    while (cache->remembered.oldest && cache->kept.bytes + cache->remembered.bytes > cache->most_bytes)
        chunk_drop(cache, &cache->remembered, cache->remembered.oldest);
}

/* The limit for pixels is at least this, as far as the cache's own limit goes. */
static void pixels_allow(chunk_cache *cache, int64_t bytes)
{
    bytes = min_i64(bytes, cache->most_bytes);
    if (cache->most_pixels < bytes)
        cache->most_pixels = bytes;
}

/* -- What others call ---------------------------------------------------------------------------------------------- */

void chunk_cache_limit(chunk_cache *cache, int64_t most_bytes)
{
    pthread_mutex_lock(&cache->lock);
    cache->most_bytes = most_bytes > 0 ? most_bytes : 0;
    cache->most_pixels = min_i64(cache->most_pixels, cache->most_bytes);
    keep_to_limit(cache);
    pthread_mutex_unlock(&cache->lock);
}

static void hold(chunk_cache *cache, cached_chunk *chunk)
{
    chunk->n_holders++;
    age_remove(&cache->kept, chunk);
    age_append(&cache->kept, chunk);
}

cached_chunk *chunk_cache_find(chunk_cache *cache, const void *array, int64_t number)
{
    pthread_mutex_lock(&cache->lock);
    cached_chunk *chunk = chunk_find(cache, array, number);
    if (chunk && chunk->state != KEPT)
        chunk = NULL;
    if (chunk)
        hold(cache, chunk);
    pthread_mutex_unlock(&cache->lock);
    return chunk;
}

/* A new chunk in the table; NULL when memory is out. */
static cached_chunk *chunk_insert(chunk_cache *cache, const void *array, int64_t number)
{
    cached_chunk *chunk = record_take(cache);
    if (!chunk)
        return NULL;
    cached_chunk **list = list_of(cache, array, number);
    *chunk = (cached_chunk){.array = array, .number = number, .state = DECODING, .next_in_list = *list};
    *list = chunk;
    return chunk;
}

cached_chunk *chunk_cache_take(chunk_cache *cache, const void *array, int64_t number, int *is_new)
{
    pthread_mutex_lock(&cache->lock);
    cached_chunk *chunk = chunk_find(cache, array, number);
    while (chunk && chunk->state == DECODING) {
        pthread_cond_wait(&cache->has_changed, &cache->lock);
        chunk = chunk_find(cache, array, number);
    }
    *is_new = !chunk || chunk->state != KEPT;
    if (!chunk) {
        chunk = chunk_insert(cache, array, number);
    } else if (*is_new) {
        age_remove(&cache->remembered, chunk);
        chunk->state = DECODING;
        pixels_allow(cache, cache->most_pixels + chunk->n_bytes + overhead);
    }
    if (!*is_new)
        hold(cache, chunk);
    else if (chunk)
        chunk->n_holders = 1;
    pthread_mutex_unlock(&cache->lock);
    return chunk;
}

void chunk_cache_ready(chunk_cache *cache, cached_chunk *chunk, void *pixels, int64_t n_bytes)
{
    pthread_mutex_lock(&cache->lock);
    chunk->pixels = pixels;
    chunk->n_bytes = pixels ? n_bytes : 0;
    chunk->state = KEPT;
    age_append(&cache->kept, chunk);
    pixels_allow(cache, few_chunks * (chunk->n_bytes + overhead));
    keep_to_limit(cache);
    pthread_cond_broadcast(&cache->has_changed);
    pthread_mutex_unlock(&cache->lock);
}

void chunk_cache_failed(chunk_cache *cache, cached_chunk *chunk)
{
    pthread_mutex_lock(&cache->lock);
    table_remove(cache, chunk);
    record_give(cache, chunk);
    pthread_cond_broadcast(&cache->has_changed);
    pthread_mutex_unlock(&cache->lock);
}

void chunk_cache_give(chunk_cache *cache, cached_chunk *chunk)
{
    pthread_mutex_lock(&cache->lock);
    chunk->n_holders--;
    if (cache->kept.bytes > cache->most_pixels)
        keep_to_limit(cache);
    pthread_mutex_unlock(&cache->lock);
}

const void *cached_chunk_pixels(const cached_chunk *chunk)
{
    return chunk->pixels;
}

void chunk_cache_free(chunk_cache *cache)
{
    if (!cache)
        return;
    while (cache->kept.oldest)
        chunk_drop(cache, &cache->kept, cache->kept.oldest);
    while (cache->remembered.oldest)
        chunk_drop(cache, &cache->remembered, cache->remembered.oldest);
    for (slab *next, *s = cache->slabs; s; s = next) {
        next = s->next;
        free(s);
    }
    pthread_cond_destroy(&cache->has_changed);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
