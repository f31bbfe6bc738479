/* chunk.c: the whole way of one chunk:
 *
 *     chunk index -> key -> (shard index -> byte range) -> stored bytes -> codec -> native byte order -> pixels
 *
 * From any number of threads; one lock guards the two things they share: codec contexts that nobody uses now, and the
 * indices of recent shards.
 *
 * "Missing" is what a store says of a key that it does not have, or a shard's index of a chunk; every other failure is
 * an error. Whether a missing chunk is empty or lost is not known here: the rules of the caller say it. */
#include "zarr/chunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    most_cached = 32 << 20, /* bytes of the shard indices kept */
    most_index = 64 << 20   /* bytes of one index: four million chunks in a shard */
};

void chunk_store_begin(chunk_store *c, store *s, const char *path, budget *buffers)
{
    *c = (chunk_store){.store = s, .path = path, .buffers = buffers};
    pthread_mutex_init(&c->lock, NULL);
}

void chunk_store_end(chunk_store *c)
{
    chunk_store_forget(c, NULL);
    while (c->n_idle > 0)
        codec_context_free(c->idle[--c->n_idle]);
    pthread_mutex_destroy(&c->lock);
}

/* -- Codec contexts -------------------------------------------------------------------------------------------- */

static codec_context *context_take(chunk_store *c)
{
    codec_context *context = NULL;
    pthread_mutex_lock(&c->lock);
    if (c->n_idle > 0)
        context = c->idle[--c->n_idle];
    pthread_mutex_unlock(&c->lock);
    return context ? context : codec_context_create();
}

static void context_give(chunk_store *c, codec_context *context)
{
    pthread_mutex_lock(&c->lock);
    if (c->n_idle < most_idle) {
        c->idle[c->n_idle++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    codec_context_free(context);
}

/* -- Indices of shards ----------------------------------------------------------------------------------------- */

/* Indices are found by the shard's key: an array may be another one by now, at the same address. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *key; key++)
        hash = (hash ^ (uint8_t)*key) * 1099511628211u;
    return hash;
}

static void slot_clear(chunk_store *c, index_slot *slot)
{
    free(slot->key);
    free(slot->entries);
    c->cached_bytes -= slot->n_chunks * sizeof *slot->entries;
    *slot = (index_slot){0};
}

static index_slot *slot_find(chunk_store *c, const char *key)
{
    uint64_t hash = hash_of(key);
    for (int i = 0; i < most_slots; i++)
        if (c->slots[i].key && c->slots[i].hash == hash && strcmp(c->slots[i].key, key) == 0)
            return &c->slots[i];
    return NULL;
}

void chunk_store_forget(chunk_store *c, const char *key)
{
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < most_slots; i++)
        if (c->slots[i].key && (!key || strcmp(c->slots[i].key, key) == 0))
            slot_clear(c, &c->slots[i]);
    pthread_mutex_unlock(&c->lock);
}

/* The slot used longest ago; NULL: no index is kept. */
static index_slot *slot_oldest(chunk_store *c)
{
    index_slot *oldest = NULL;
    for (int i = 0; i < most_slots; i++)
        if (c->slots[i].key && (!oldest || c->slots[i].last_use < oldest->last_use))
            oldest = &c->slots[i];
    return oldest;
}

static index_slot *slot_empty(chunk_store *c)
{
    for (int i = 0; i < most_slots; i++)
        if (!c->slots[i].key)
            return &c->slots[i];
    return NULL;
}

/* Keeps an index, which it owns from now on, and drops the oldest ones for it. */
static void index_keep(chunk_store *c, const char *key, shard_entry *entries, size_t n_chunks)
{
    char *name = slot_find(c, key) ? NULL : strdup(key);
    if (!name) { /* another thread was faster, or there is no memory to keep it */
        free(entries);
        return;
    }
    while (slot_oldest(c) && (!slot_empty(c) || c->cached_bytes + n_chunks * sizeof *entries > most_cached))
        slot_clear(c, slot_oldest(c));
    *slot_empty(c) = (index_slot){name, hash_of(key), entries, n_chunks, ++c->clock};
    c->cached_bytes += n_chunks * sizeof *entries;
}

/* Trouble with an object's content: the place, the cause and, where it is damage, the way out. */
static int32_t object_error(const chunk_store *c, const char *key, const error *cause, error *e)
{
    static const char advice[] = "; copy the object again from the original store, or write the image anew";
    error_set(e, cause->status, "%s%s", cause->message, cause->status == NGFF_E_CORRUPT ? advice : "");
    return error_at(e, "%s/%s", c->path, key);
}

static int32_t memory_error(const chunk_store *c, const char *key, const char *what, size_t n_bytes, error *e)
{
    error_set(e, NGFF_E_MEMORY, "out of memory for %s of %zu bytes", what, n_bytes);
    return error_at(e, "%s/%s", c->path, key);
}

/* Trouble with an array, which none of its chunks can do anything about. */
static int32_t array_error(const chunk_store *c, const stored_array *array, const char *what, error *e)
{
    error_set(e, NGFF_E_UNSUPPORTED, "%s", what);
    return error_at(e, "%s/%s", c->path, array->path);
}

/* Reads the index of a shard. Returns 1, 0 when there is no such shard, or an error. */
static int32_t index_load(chunk_store *c, const stored_array *array, const char *key, size_t n_chunks,
                          shard_entry **entries, error *e)
{
    shard_layout layout = {array->index_is_first, array->index_has_checksum};
    error cause = {0};
    uint64_t shard_bytes = 0;
    uint8_t *bytes = NULL;
    size_t n_read = 0, n_bytes = shard_layout_bytes(layout, n_chunks);
    int is_there = 0;
    int32_t status = store_find_size(c->store, key, &shard_bytes, &is_there, e);
    if (status != NGFF_OK || !is_there)
        return status;
    if (shard_bytes < n_bytes) {
        error_set(&cause, NGFF_E_CORRUPT, "the shard has %" PRIu64 " bytes, its index alone needs %zu", shard_bytes,
                  n_bytes);
        return object_error(c, key, &cause, e);
    }
    *entries = malloc(n_chunks * sizeof **entries);
    if (!*entries)
        return memory_error(c, key, "the index of a shard", n_chunks * sizeof **entries, e);
    status = store_read(c->store, key, layout.is_first ? 0 : -1, n_bytes, &bytes, &n_read, e);
    if (status == NGFF_OK &&
        shard_layout_decode(layout, bytes, n_read, shard_bytes, *entries, n_chunks, &cause) != NGFF_OK)
        status = object_error(c, key, &cause, e);
    free(bytes);
    if (status == NGFF_OK)
        return 1;
    free(*entries);
    *entries = NULL;
    return status;
}

/* -- Stored bytes of a chunk ----------------------------------------------------------------------------------- */

int64_t chunk_bytes(const chunk_store *c, const stored_array *array, error *e)
{
    int64_t n_pixels = product_checked(array->chunk, array->rank);
    if (n_pixels <= 0 || n_pixels > INT32_MAX / array->type->size)
        return array_error(c, array, "its chunks are larger than 2 GiB - 1 bytes; write the image with smaller chunks",
                           e);
    return n_pixels * array->type->size;
}

int32_t chunk_locate(const chunk_store *c, const stored_array *array, const int64_t *index, chunk_place *place,
                     error *e)
{
    int64_t per_shard[MAX_RANK], shard[MAX_RANK];
    uint64_t number = 0;
    *place = (chunk_place){.separator = array->separator};
    for (int i = 0; i < array->rank; i++) {
        int64_t n_chunks = ceil_div(array->shape[i], array->chunk[i]);
        if (index[i] < 0 || index[i] >= n_chunks) {
            error_set(e, NGFF_E_ARGUMENT, "there is no chunk %" PRId64 " on axis %d: they go from 0 to %" PRId64,
                      index[i], i, n_chunks - 1);
            return error_at(e, "%s/%s", c->path, array->path);
        }
        per_shard[i] = array->is_sharded ? array->shard[i] / array->chunk[i] : 1;
        shard[i] = index[i] / per_shard[i];
        number = number * (uint64_t)n_chunks + (uint64_t)index[i];
    }
    int64_t n_bytes = chunk_bytes(c, array, e);
    if (n_bytes < 0)
        return (int32_t)n_bytes;
    int64_t n_chunks = product_checked(per_shard, array->rank);
    if (n_chunks <= 0 || n_chunks > most_index / 16)
        return array_error(c, array, "its shards have more than 4194304 chunks; write the image with smaller shards",
                           e);
    place->number = (int64_t)number;
    place->n_bytes = (size_t)n_bytes;
    place->n_pixels = place->n_bytes / (size_t)array->type->size;
    place->n_chunks = (size_t)n_chunks;
    for (int i = 0; i < array->rank; i++)
        place->ordinal = place->ordinal * (size_t)per_shard[i] + (size_t)(index[i] % per_shard[i]);
    char name[128];
    array_chunk_key(array, shard, name);
    int length = array->path[0] ? snprintf(place->key, sizeof place->key, "%s/%s", array->path, name)
                                : snprintf(place->key, sizeof place->key, "%s", name);
    if (length < 0 || (size_t)length >= sizeof place->key)
        return array_error(c, array, "the path of the array is too long", e);
    return NGFF_OK;
}

/* Where the chunk lies in its shard, from the cache or the store. Returns 1, 0 for a missing chunk, or an error. */
static int32_t entry_get(chunk_store *c, const stored_array *array, const chunk_place *place, shard_entry *entry,
                         error *e)
{
    pthread_mutex_lock(&c->lock);
    index_slot *slot = slot_find(c, place->key);
    if (slot && slot->n_chunks == place->n_chunks) {
        *entry = slot->entries[place->ordinal];
        slot->last_use = ++c->clock;
    } else {
        slot = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    if (!slot) {
        shard_entry *entries = NULL;
        int32_t status = index_load(c, array, place->key, place->n_chunks, &entries, e);
        if (status != 1)
            return status;
        *entry = entries[place->ordinal];
        pthread_mutex_lock(&c->lock);
        index_keep(c, place->key, entries, place->n_chunks);
        pthread_mutex_unlock(&c->lock);
    }
    return entry->size != SHARD_MISSING;
}

/* Room for the stored bytes of any chunk of this size, and one more. No codec makes a chunk twice as large: of what
 * claims so, no more than that is read into memory. */
static size_t stored_room(const chunk_place *place)
{
    return 2 * place->n_bytes + 65536 + 1;
}

/* Reads the chunk's stored bytes into memory with this room: the whole object, or its place in a shard. Returns 1, 0
 * for a missing chunk, or an error. */
static int32_t stored_get(chunk_store *c, const stored_array *array, const chunk_place *place, void *bytes, size_t room,
                          size_t *n_bytes, error *e)
{
    error cause = {0};
    uint64_t n_there = 0;
    int is_there = 0;
    shard_entry entry = {0, room};
    int32_t status = array->is_sharded ? entry_get(c, array, place, &entry, e) : 1;
    if (status != 1)
        return status;
    if (entry.size < room)
        room = (size_t)entry.size;
    status = store_find_into(c->store, place->key, (int64_t)entry.offset, bytes, room, &n_there, &is_there, e);
    if (status != NGFF_OK || (!is_there && !array->is_sharded))
        return status;
    if (!is_there) {
        error_set(&cause, NGFF_E_STORAGE, "the shard is gone since its index was read");
        return object_error(c, place->key, &cause, e);
    }
    if (array->is_sharded && n_there < entry.size) {
        error_set(&cause, NGFF_E_CORRUPT, "it has become shorter while it was read");
        return object_error(c, place->key, &cause, e);
    }
    uint64_t n_stored = array->is_sharded ? entry.size : n_there;
    if (n_stored == 0 || n_stored > room || n_stored >= stored_room(place)) {
        error_set(&cause, NGFF_E_CORRUPT, "%" PRIu64 " stored bytes cannot be a chunk of %zu bytes", n_stored,
                  place->n_bytes);
        return object_error(c, place->key, &cause, e);
    }
    *n_bytes = (size_t)n_stored;
    return 1;
}

/* -- A chunk's pixels ------------------------------------------------------------------------------------------ */

static int has_own_order(const stored_array *array)
{
    for (int i = 0; i < array->rank; i++)
        if (array->byte_axis[i] != i)
            return 1;
    return 0;
}

/* Puts a chunk whose bytes have the axes in another order into C order. */
static void put_in_order(const stored_array *array, const uint8_t *from, uint8_t *to)
{
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK], step = array->type->size;
    for (int k = array->rank - 1; k >= 0; k--) {
        from_strides[array->byte_axis[k]] = step;
        step *= array->chunk[array->byte_axis[k]];
    }
    strides_dense(array->rank, array->chunk, array->type->size, to_strides);
    pixels_copy(array->rank, array->chunk, array->type->size, to, to_strides, from, from_strides);
}

static int32_t decode(chunk_store *c, const stored_array *array, const chunk_place *place, const uint8_t *bytes,
                      size_t n_bytes, void *pixels, error *e)
{
    error cause = {0};
    codec_context *context = context_take(c);
    uint8_t *other = has_own_order(array) ? malloc(place->n_bytes) : NULL;
    if (!context || (has_own_order(array) && !other)) {
        free(other);
        codec_context_free(context);
        return memory_error(c, place->key, "a chunk", place->n_bytes, e);
    }
    int32_t status =
        codec_decode(context, &array->codec, bytes, n_bytes, other ? other : pixels, place->n_bytes, &cause);
    context_give(c, context);
    if (status == NGFF_OK && other)
        put_in_order(array, other, pixels);
    free(other);
    if (status != NGFF_OK)
        return object_error(c, place->key, &cause, e);
    bytes_to_native(pixels, place->n_bytes, array->type->item_size, array->is_big_endian);
    return NGFF_OK;
}

/* True where the stored bytes are the pixels, but for the byte order. */
static int is_stored_plain(const stored_array *array)
{
    return array->codec.compress == COMPRESS_NONE && !array->codec.has_crc32c && !has_own_order(array);
}

static int32_t plain_read(chunk_store *c, const stored_array *array, const chunk_place *place, void *pixels, error *e)
{
    error cause = {0};
    size_t n_bytes = 0;
    int32_t status = stored_get(c, array, place, pixels, place->n_bytes, &n_bytes, e);
    if (status != 1)
        return status;
    if (n_bytes != place->n_bytes) {
        error_set(&cause, NGFF_E_CORRUPT, "%zu stored bytes cannot be a chunk of %zu bytes", n_bytes, place->n_bytes);
        return object_error(c, place->key, &cause, e);
    }
    bytes_to_native(pixels, place->n_bytes, array->type->item_size, array->is_big_endian);
    return 1;
}

/* What is got of a chunk that is there: its pixels, or its bytes as they are stored. */
typedef struct {
    void *pixels;
    uint8_t *bytes;
    size_t n;
} wanted;

/* 1, 0 for a chunk that is not there, or an error. */
typedef int32_t (*chunk_get)(chunk_store *c, const stored_array *array, const chunk_place *place, wanted *to, error *e);

static int32_t get_pixels(chunk_store *c, const stored_array *array, const chunk_place *place, wanted *to, error *e)
{
    if (is_stored_plain(array))
        return plain_read(c, array, place, to->pixels, e);
    size_t room = stored_room(place), n_bytes = 0;
    void *bytes = budget_take(c->buffers, (int64_t)room);
    if (!bytes)
        return memory_error(c, place->key, "a chunk", place->n_bytes, e);
    int32_t status = stored_get(c, array, place, bytes, room, &n_bytes, e);
    if (status == 1) {
        int32_t decoded = decode(c, array, place, bytes, n_bytes, to->pixels, e);
        status = decoded == NGFF_OK ? 1 : decoded;
    }
    budget_give(c->buffers, bytes, (int64_t)room);
    return status;
}

static int32_t get_bytes(chunk_store *c, const stored_array *array, const chunk_place *place, wanted *to, error *e)
{
    size_t room = stored_room(place);
    to->bytes = malloc(room);
    if (!to->bytes)
        return memory_error(c, place->key, "a chunk", place->n_bytes, e);
    int32_t status = stored_get(c, array, place, to->bytes, room, &to->n, e);
    uint8_t *fitted = status == 1 ? realloc(to->bytes, to->n) : NULL; /* many of them may be kept */
    if (fitted)
        to->bytes = fitted;
    if (status == 1)
        return 1;
    free(to->bytes);
    to->bytes = NULL;
    return status;
}

static int32_t get_presence(chunk_store *c, const stored_array *array, const chunk_place *place, wanted *to, error *e)
{
    (void)to;
    shard_entry entry = {0, 0};
    uint64_t n = 0;
    int is_there = 0;
    if (array->is_sharded)
        return entry_get(c, array, place, &entry, e);
    int32_t status = store_find_size(c->store, place->key, &n, &is_there, e);
    return status == NGFF_OK ? is_there : status;
}

/* Many servers refuse (403) what they do not have, and nobody can tell that from what they do not give. */
static int32_t refused(const chunk_store *c, const chunk_rules *rules, const chunk_place *place, error *e)
{
    if (rules->takes_refusal) {
        *e = (error){0};
        return 0;
    }
    error named = {0};
    error_set(&named, e->status,
              "%.800s; if the server refuses what it does not have, the open option MISSING_CHUNKS=FILL reads that as "
              "fill",
              e->message);
    named.has_place = e->has_place;
    error_at(&named, "%s/%s", c->path, place->key);
    named.is_refusal = 1;
    *e = named;
    return e->status;
}

/* Gets a chunk, as far as the rules want it to be looked for. */
static int32_t get_by_rules(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                            chunk_place *place, chunk_get get, wanted *to, error *e)
{
    int32_t status = chunk_locate(c, array, index, place, e);
    if (status == NGFF_OK && rules)
        status = rules->is_left_out(rules->user, array, place->number, e);
    if (status != NGFF_OK)
        return status < 0 ? status : 0;
    status = get(c, array, place, to, e);
    if (status < 0 && e->is_refusal && rules)
        return refused(c, rules, place, e);
    if (status != 0 || !rules)
        return status;
    status = rules->missing(rules->user, array, place->number, place->key, e);
    if (status != NGFF_OK || place->separator == array->separator)
        return status;
    status = chunk_locate(c, array, index, place, e); /* its name is another now */
    return status == NGFF_OK ? get(c, array, place, to, e) : status;
}

int32_t chunk_decode(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                     void *pixels, error *e)
{
    chunk_place place;
    wanted to = {.pixels = pixels};
    return get_by_rules(c, rules, array, index, &place, get_pixels, &to, e);
}

int32_t chunk_read(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                   void *pixels, error *e)
{
    int32_t status = chunk_decode(c, rules, array, index, pixels, e);
    if (status == 0) {
        int64_t extent = product_checked(array->chunk, array->rank), stride = array->type->size;
        pixels_fill(1, &extent, stride, pixels, &stride, array->fill);
    }
    return status;
}

int32_t chunk_stored(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                     uint8_t **bytes, size_t *n, error *e)
{
    chunk_place place;
    wanted to = {.bytes = NULL};
    int32_t status = get_by_rules(c, rules, array, index, &place, get_bytes, &to, e);
    *bytes = to.bytes;
    *n = to.n;
    return status;
}

int32_t chunk_is_there(chunk_store *c, const chunk_rules *rules, const stored_array *array, const int64_t *index,
                       error *e)
{
    chunk_place place;
    return get_by_rules(c, rules, array, index, &place, get_presence, NULL, e);
}
