/* shards.c: see shards.h. */
#include "writer/shards.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "metadata/metadata.h"
#include "zarr/shard_index.h"

typedef struct shard {
    struct shard *next;
    int level;
    int64_t index[MAX_RANK];
    size_t n_chunks;     /* places, also those outside the level */
    int64_t remaining;   /* chunks inside the level still to come */
    shard_entry *chunks; /* size per place; SHARD_MISSING until one has come */
    uint8_t **bytes;
} shard;

struct shards {
    const struct ngff_plan *plan;
    store *store;
    int (*is_wanted)(const void *user, int level, const int64_t *chunk_index); /* NULL: all chunks come */
    const void *user;
    shard_listener stored; /* or NULL */
    void *listener;
    written *written; /* of a change, as the next; or NULL */
    pthread_rwlock_t *replacing;
    pthread_mutex_t lock;
    shard *open;
};

shards *shards_create(const struct ngff_plan *plan, store *s)
{
    shards *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->plan = plan;
    all->store = s;
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

static void free_shard(shard *s)
{
    for (size_t i = 0; s->bytes && i < s->n_chunks; i++)
        free(s->bytes[i]);
    free(s->bytes);
    free(s->chunks);
    free(s);
}

void shards_free(shards *all)
{
    if (!all)
        return;
    while (all->open) {
        shard *s = all->open;
        all->open = s->next;
        free_shard(s);
    }
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void shards_set_update(shards *all, int (*is_wanted)(const void *, int, const int64_t *), const void *user,
                       written *stored, pthread_rwlock_t *replacing)
{
    all->written = stored;
    all->replacing = replacing;
    all->is_wanted = is_wanted;
    all->user = user;
}

void shards_set_listener(shards *all, shard_listener stored, void *listener)
{
    all->stored = stored;
    all->listener = listener;
}

static int32_t tell(const shards *all, const shard *s, const char *key, const void *bytes, size_t n, error *e)
{
    return all->stored && e->status == NGFF_OK ? all->stored(all->listener, s->level, s->index, key, bytes, n, e)
                                               : e->status;
}

/* The chunk at a place of a shard; 0 where the place lies outside the level. */
static int chunk_at(const shards *all, const shard *s, size_t place, int64_t *index)
{
    const level *at = &all->plan->levels[s->level];
    int is_inside = 1;
    for (int i = all->plan->image->rank - 1; i >= 0; i--) {
        size_t per_shard = (size_t)(at->shard[i] / at->chunk[i]);
        index[i] = s->index[i] * (int64_t)per_shard + (int64_t)(place % per_shard);
        place /= per_shard;
        is_inside &= index[i] < at->grid[i];
    }
    return is_inside;
}

/* True for a place whose chunk will come. */
static int is_coming(const shards *all, const shard *s, size_t place)
{
    int64_t index[MAX_RANK];
    return chunk_at(all, s, place, index) && (!all->is_wanted || all->is_wanted(all->user, s->level, index));
}

static void shard_key(const shards *all, const shard *s, char key[192])
{
    char name[128];
    chunk_key(all->plan->zarr_format, all->plan->image->rank, s->index, name);
    snprintf(key, 192, "%s/%s", all->plan->levels[s->level].path, name);
}

/* Finds or makes the shard; NULL when memory is out. The lock is held. */
static shard *shard_at(shards *all, int l, const int64_t *index)
{
    int rank = all->plan->image->rank;
    for (shard *s = all->open; s; s = s->next)
        if (s->level == l && memcmp(s->index, index, (size_t)rank * sizeof *index) == 0)
            return s;
    const level *at = &all->plan->levels[l];
    shard *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->level = l;
    s->n_chunks = 1;
    for (int i = 0; i < rank; i++) {
        s->index[i] = index[i];
        s->n_chunks *= (size_t)(at->shard[i] / at->chunk[i]);
    }
    for (size_t k = 0; k < s->n_chunks; k++)
        s->remaining += is_coming(all, s, k);
    s->chunks = malloc(s->n_chunks * sizeof *s->chunks);
    s->bytes = calloc(s->n_chunks, sizeof *s->bytes);
    if (!s->chunks || !s->bytes) {
        free_shard(s);
        return NULL;
    }
    memset(s->chunks, 0xFF, s->n_chunks * sizeof *s->chunks);
    s->next = all->open;
    all->open = s;
    return s;
}

/* Takes the chunks that do not come from the shard as it is stored. */
static int32_t keep_stored(shards *all, shard *s, error *e)
{
    for (size_t k = 0; k < s->n_chunks; k++) {
        int64_t index[MAX_RANK];
        size_t n = 0;
        if (!chunk_at(all, s, k, index) || is_coming(all, s, k))
            continue;
        if (written_bytes(all->written, s->level, index, &s->bytes[k], &n, e) < 0)
            return e->status;
        if (s->bytes[k])
            s->chunks[k].size = n;
    }
    return NGFF_OK;
}

/* Stores the object, or removes it (NULL), while nobody reads it, and lets nobody go on with its old index. */
static int32_t replace(shards *all, const char *key, const void *bytes, size_t n, error *e)
{
    if (all->replacing)
        pthread_rwlock_wrlock(all->replacing);
    int32_t status = bytes ? all->store->writing->put(all->store, key, bytes, n, e)
                           : all->store->writing->remove(all->store, key, e);
    if (all->written)
        written_forget(all->written, key);
    if (all->replacing)
        pthread_rwlock_unlock(all->replacing);
    return status;
}

/* Puts the chunks behind each other in C order, the index at the end, and stores them as one object. A shard without a
 * chunk is not stored. */
static int32_t store_shard(shards *all, shard *s, error *e)
{
    size_t n = 0, index_bytes = shard_index_bytes(s->n_chunks);
    char key[192];
    shard_key(all, s, key);
    if (all->is_wanted && keep_stored(all, s, e) != NGFF_OK)
        return e->status;
    for (size_t i = 0; i < s->n_chunks; i++)
        n += s->bytes[i] ? (size_t)s->chunks[i].size : 0;
    if (n == 0 && !all->is_wanted)
        return tell(all, s, key, NULL, 0, e);
    if (n == 0)
        return replace(all, key, NULL, 0, e);
    uint8_t *object = malloc(n + index_bytes);
    if (!object)
        return error_set(e, NGFF_E_MEMORY, "out of memory for a shard of %zu bytes; a smaller SHARD needs less", n);
    size_t at = 0;
    for (size_t i = 0; i < s->n_chunks; i++) {
        if (!s->bytes[i])
            continue;
        s->chunks[i].offset = at;
        memcpy(object + at, s->bytes[i], (size_t)s->chunks[i].size);
        at += (size_t)s->chunks[i].size;
        free(s->bytes[i]);
        s->bytes[i] = NULL;
    }
    shard_index_encode(s->chunks, s->n_chunks, object + n);
    int32_t status = replace(all, key, object, n + index_bytes, e);
    if (status == NGFF_OK)
        status = tell(all, s, key, object, n + index_bytes, e);
    free(object);
    return status;
}

int32_t shards_add(shards *all, int l, const int64_t *chunk_index, const void *bytes, size_t n, error *e)
{
    const level *at = &all->plan->levels[l];
    int64_t index[MAX_RANK] = {0};
    size_t place = 0;
    for (int i = 0; i < all->plan->image->rank; i++) {
        int64_t per_shard = at->shard[i] / at->chunk[i];
        index[i] = chunk_index[i] / per_shard;
        place = place * (size_t)per_shard + (size_t)(chunk_index[i] % per_shard);
    }
    uint8_t *copy = bytes ? malloc(n) : NULL;
    if (bytes && !copy)
        return error_set(e, NGFF_E_MEMORY, "out of memory for a chunk of %zu bytes", n);
    if (bytes)
        memcpy(copy, bytes, n);
    pthread_mutex_lock(&all->lock);
    shard *s = shard_at(all, l, index);
    int is_complete = 0;
    if (s) {
        if (copy)
            s->chunks[place] = (shard_entry){0, n};
        s->bytes[place] = copy;
        is_complete = --s->remaining == 0;
    } else
        free(copy);
    for (shard **link = &all->open; is_complete && *link; link = &(*link)->next)
        if (*link == s) {
            *link = s->next;
            break;
        }
    pthread_mutex_unlock(&all->lock);
    if (!s)
        return error_set(e, NGFF_E_MEMORY, "out of memory for a shard");
    if (!is_complete)
        return NGFF_OK;
    int32_t status = store_shard(all, s, e);
    free_shard(s);
    return status;
}

int32_t shards_finish(shards *all, error *e)
{
    while (all->open) {
        shard *s = all->open;
        all->open = s->next;
        if (store_goes_on(all->store, e) == NGFF_OK)
            store_shard(all, s, e);
        free_shard(s);
    }
    return e->status;
}
