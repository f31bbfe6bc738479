/* chunk_cache.c: see chunk_cache.h. A hash table finds a chunk, a list through all decoded ones tells which was used
 * last. A chunk is in the table from the moment somebody begins to decode it; one whose decoding fails leaves it again,
 * so that whoever waited tries (and reports the error) for himself. */
#include "chunk_cache.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { n_lists = 1024, overhead = 256 /* bytes that a chunk counts beside its pixels */ };

struct cached_chunk {
    const void *array;
    int64_t number;
    void *pixels;
    int64_t n_bytes; /* 0: being decoded, or missing */
    int is_ready, n_holders;
    cached_chunk *next_in_list, *older, *newer;
};

struct chunk_cache {
    pthread_mutex_t lock;
    pthread_cond_t has_changed; /* a chunk became ready or failed */
    budget *buffers;
    int64_t most_bytes, bytes;
    cached_chunk *lists[n_lists];
    cached_chunk *oldest, *newest; /* of the ready ones */
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

/* -- The table and the list; the lock is held ---------------------------------------------------------------------- */

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

static void age_remove(chunk_cache *cache, cached_chunk *chunk)
{
    *(chunk->older ? &chunk->older->newer : &cache->oldest) = chunk->newer;
    *(chunk->newer ? &chunk->newer->older : &cache->newest) = chunk->older;
}

static void age_append(chunk_cache *cache, cached_chunk *chunk)
{
    chunk->older = cache->newest;
    chunk->newer = NULL;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = chunk;
    cache->newest = chunk;
}

static void chunk_drop(chunk_cache *cache, cached_chunk *chunk)
{
    table_remove(cache, chunk);
    age_remove(cache, chunk);
    cache->bytes -= chunk->n_bytes + overhead;
    budget_give(cache->buffers, chunk->pixels, chunk->n_bytes);
    free(chunk);
}

/* Drops the oldest chunks that nobody holds. The one used last stays, so that a chunk larger than the limit is not
 * decoded again for each of its rows; without a limit to keep to, none does. */
static void keep_to_limit(chunk_cache *cache)
{
    cached_chunk *chunk = cache->oldest;
    while (chunk && cache->bytes > cache->most_bytes && (chunk != cache->newest || cache->most_bytes == 0)) {
        cached_chunk *newer = chunk->newer;
        if (chunk->n_holders == 0)
            chunk_drop(cache, chunk);
        chunk = newer;
    }
}

/* -- What others call ---------------------------------------------------------------------------------------------- */

void chunk_cache_limit(chunk_cache *cache, int64_t most_bytes)
{
    pthread_mutex_lock(&cache->lock);
    cache->most_bytes = most_bytes > 0 ? most_bytes : 0;
    keep_to_limit(cache);
    pthread_mutex_unlock(&cache->lock);
}

static void hold(chunk_cache *cache, cached_chunk *chunk)
{
    chunk->n_holders++;
    age_remove(cache, chunk);
    age_append(cache, chunk);
}

cached_chunk *chunk_cache_find(chunk_cache *cache, const void *array, int64_t number)
{
    pthread_mutex_lock(&cache->lock);
    cached_chunk *chunk = chunk_find(cache, array, number);
    if (chunk && !chunk->is_ready)
        chunk = NULL;
    if (chunk)
        hold(cache, chunk);
    pthread_mutex_unlock(&cache->lock);
    return chunk;
}

cached_chunk *chunk_cache_take(chunk_cache *cache, const void *array, int64_t number, int *is_new)
{
    *is_new = 0;
    pthread_mutex_lock(&cache->lock);
    cached_chunk *chunk = chunk_find(cache, array, number);
    while (chunk && !chunk->is_ready) {
        pthread_cond_wait(&cache->has_changed, &cache->lock);
        chunk = chunk_find(cache, array, number);
    }
    if (chunk) {
        hold(cache, chunk);
    } else if ((chunk = calloc(1, sizeof *chunk))) {
        cached_chunk **list = list_of(cache, array, number);
        *chunk = (cached_chunk){.array = array, .number = number, .n_holders = 1, .next_in_list = *list};
        *list = chunk;
        *is_new = 1;
    }
    pthread_mutex_unlock(&cache->lock);
    return chunk;
}

void chunk_cache_ready(chunk_cache *cache, cached_chunk *chunk, void *pixels, int64_t n_bytes)
{
    pthread_mutex_lock(&cache->lock);
    chunk->pixels = pixels;
    chunk->n_bytes = pixels ? n_bytes : 0;
    chunk->is_ready = 1;
    cache->bytes += chunk->n_bytes + overhead;
    age_append(cache, chunk);
    keep_to_limit(cache);
    pthread_cond_broadcast(&cache->has_changed);
    pthread_mutex_unlock(&cache->lock);
}

void chunk_cache_failed(chunk_cache *cache, cached_chunk *chunk)
{
    pthread_mutex_lock(&cache->lock);
    table_remove(cache, chunk);
    pthread_cond_broadcast(&cache->has_changed);
    pthread_mutex_unlock(&cache->lock);
    free(chunk);
}

void chunk_cache_give(chunk_cache *cache, cached_chunk *chunk)
{
    pthread_mutex_lock(&cache->lock);
    chunk->n_holders--;
    if (cache->bytes > cache->most_bytes)
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
    while (cache->oldest)
        chunk_drop(cache, cache->oldest);
    pthread_cond_destroy(&cache->has_changed);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
