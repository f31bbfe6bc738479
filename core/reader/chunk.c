/* chunk.c: the whole way of one chunk:
 *
 *     chunk index -> key -> (shard index -> byte range) -> stored bytes -> codec -> native byte order -> caller's
 * pixels
 *
 * From any number of threads; the lock of the reader guards the two things they share: codec contexts that nobody uses
 * now, and the indices of recent shards. */
#include "chunk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    most_cached = 32 << 20, /* bytes of the shard indices kept */
    most_index = 64 << 20   /* bytes of one index: four million chunks in a shard */
};

/* -- Codec contexts -------------------------------------------------------------------------------------------- */

static codec_context *context_take(ngff_reader *reader)
{
    codec_context *context = NULL;
    pthread_mutex_lock(&reader->lock);
    if (reader->n_idle > 0)
        context = reader->idle[--reader->n_idle];
    pthread_mutex_unlock(&reader->lock);
    return context ? context : codec_context_create();
}

static void context_give(ngff_reader *reader, codec_context *context)
{
    pthread_mutex_lock(&reader->lock);
    if (reader->n_idle < most_idle) {
        reader->idle[reader->n_idle++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&reader->lock);
    codec_context_free(context);
}

/* -- Indices of shards ----------------------------------------------------------------------------------------- */

static void slot_clear(ngff_reader *reader, index_slot *slot)
{
    free(slot->entries);
    reader->cached_bytes -= slot->n_bytes;
    *slot = (index_slot){0};
}

static index_slot *slot_find(ngff_reader *reader, const stored_array *array, const int64_t *shard)
{
    for (int i = 0; i < most_slots; i++) {
        index_slot *slot = &reader->slots[i];
        if (slot->array == array && memcmp(slot->shard, shard, sizeof slot->shard) == 0)
            return slot;
    }
    return NULL;
}

static index_slot *slot_oldest(ngff_reader *reader)
{
    index_slot *oldest = NULL;
    for (int i = 0; i < most_slots; i++) {
        index_slot *slot = &reader->slots[i];
        if (slot->array && (!oldest || slot->last_use < oldest->last_use))
            oldest = slot;
    }
    return oldest;
}

/* Keeps an index, which it owns from now on, and drops the oldest ones for it. */
static void index_keep(ngff_reader *reader, const stored_array *array, const int64_t *shard, shard_entry *entries,
                       size_t n_bytes)
{
    static const int64_t no_shard[MAX_RANK];
    if (slot_find(reader, array, shard)) { /* another thread was faster */
        free(entries);
        return;
    }
    index_slot *oldest = slot_oldest(reader);
    while (oldest && reader->cached_bytes + n_bytes > most_cached) {
        slot_clear(reader, oldest);
        oldest = slot_oldest(reader);
    }
    index_slot *slot = slot_find(reader, NULL, no_shard);
    if (!slot) {
        slot = oldest;
        slot_clear(reader, slot);
    }
    *slot = (index_slot){.array = array, .entries = entries, .n_bytes = n_bytes, .last_use = ++reader->clock};
    memcpy(slot->shard, shard, sizeof slot->shard);
    reader->cached_bytes += n_bytes;
}

/* Trouble with an object's content: the place, the cause and, where it is damage, the way out. */
static int32_t object_error(const ngff_reader *reader, const char *key, const error *cause, error *e)
{
    static const char advice[] = "; copy the object again from the original store, or write the image anew";
    error_set(e, cause->status, "%s%s", cause->message, cause->status == NGFF_E_CORRUPT ? advice : "");
    return error_at(e, "%s/%s", reader->path, key);
}

/* Reads the index of a shard. Returns 1, 0 when there is no such shard, or an error. */
static int32_t index_load(ngff_reader *reader, const stored_array *array, const char *key, size_t n_chunks,
                          shard_entry **entries, error *e)
{
    shard_layout layout = {array->index_is_first, array->index_has_checksum};
    error cause = {0};
    int is_there;
    uint64_t shard_bytes = 0;
    uint8_t *bytes = NULL;
    size_t n_read = 0, n_bytes = shard_layout_bytes(layout, n_chunks);
    int32_t status = store_find_size(reader->store, key, &shard_bytes, &is_there, e);
    if (status != NGFF_OK || !is_there)
        return status;
    if (shard_bytes < n_bytes) {
        error_set(&cause, NGFF_E_CORRUPT, "the shard has %" PRIu64 " bytes, its index alone needs %zu", shard_bytes,
                  n_bytes);
        return object_error(reader, key, &cause, e);
    }
    *entries = malloc(n_chunks * sizeof **entries);
    if (!*entries)
        return error_set(e, NGFF_E_MEMORY, "%s/%s: out of memory for the index of %zu chunks", reader->path, key,
                         n_chunks);
    status = store_read(reader->store, key, layout.is_first ? 0 : -1, n_bytes, &bytes, &n_read, e);
    if (status == NGFF_OK) {
        if (shard_layout_decode(layout, bytes, n_read, shard_bytes, *entries, n_chunks, &cause) == NGFF_OK)
            status = 1;
        else
            status = object_error(reader, key, &cause, e);
    }
    free(bytes);
    if (status != 1) {
        free(*entries);
        *entries = NULL;
    }
    return status;
}

/* -- Stored bytes of a chunk ----------------------------------------------------------------------------------- */

int64_t chunk_bytes(const ngff_reader *reader, const stored_array *array, error *e)
{
    int64_t n_pixels = product_checked(array->chunk, array->rank);
    if (n_pixels <= 0 || n_pixels > INT32_MAX / array->type->size)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s/%s: its chunks are larger than 2 GiB - 1 bytes; write the image with smaller chunks",
                         reader->path, array->path);
    return n_pixels * array->type->size;
}

int32_t chunk_locate(const ngff_reader *reader, const stored_array *array, const int64_t *index, chunk_place *place,
                     error *e)
{
    *place = (chunk_place){0};
    int64_t per_shard[MAX_RANK];
    for (int i = 0; i < array->rank; i++) {
        int64_t n_chunks = ceil_div(array->shape[i], array->chunk[i]);
        if (index[i] < 0 || index[i] >= n_chunks)
            return error_set(e, NGFF_E_ARGUMENT,
                             "%s/%s: there is no chunk %" PRId64 " on axis %d: they go from 0 to %" PRId64,
                             reader->path, array->path, index[i], i, n_chunks - 1);
        per_shard[i] = array->is_sharded ? array->shard[i] / array->chunk[i] : 1;
        place->shard[i] = index[i] / per_shard[i];
    }
    int64_t n_bytes = chunk_bytes(reader, array, e);
    if (n_bytes < 0)
        return (int32_t)n_bytes;
    int64_t n_chunks = product_checked(per_shard, array->rank);
    if (n_chunks <= 0 || n_chunks > most_index / 16)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s/%s: its shards have more than %d chunks; write the image with smaller shards",
                         reader->path, array->path, most_index / 16);
    place->n_bytes = (size_t)n_bytes;
    place->n_pixels = place->n_bytes / (size_t)array->type->size;
    place->n_chunks = (size_t)n_chunks;
    for (int i = 0; i < array->rank; i++)
        place->ordinal = place->ordinal * (size_t)per_shard[i] + (size_t)(index[i] % per_shard[i]);
    char name[128];
    stored_chunk_key(array, place->shard, name);
    int length = array->path[0] ? snprintf(place->key, sizeof place->key, "%s/%s", array->path, name)
                                : snprintf(place->key, sizeof place->key, "%s", name);
    if (length < 0 || (size_t)length >= sizeof place->key)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s/%s: the path of the array is too long", reader->path, array->path);
    return NGFF_OK;
}

/* Where the chunk lies in its shard, from the cache or the store. Returns 1, 0 for a missing chunk, or an error. */
static int32_t entry_get(ngff_reader *reader, const stored_array *array, const chunk_place *place, shard_entry *entry,
                         error *e)
{
    pthread_mutex_lock(&reader->lock);
    index_slot *slot = slot_find(reader, array, place->shard);
    if (slot) {
        *entry = slot->entries[place->ordinal];
        slot->last_use = ++reader->clock;
    }
    pthread_mutex_unlock(&reader->lock);
    if (!slot) {
        shard_entry *entries = NULL;
        int32_t status = index_load(reader, array, place->key, place->n_chunks, &entries, e);
        if (status != 1)
            return status;
        *entry = entries[place->ordinal];
        pthread_mutex_lock(&reader->lock);
        index_keep(reader, array, place->shard, entries, place->n_chunks * sizeof *entries);
        pthread_mutex_unlock(&reader->lock);
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
static int32_t stored_get(ngff_reader *reader, const stored_array *array, const chunk_place *place, void *bytes,
                          size_t room, size_t *n_bytes, error *e)
{
    error cause = {0};
    uint64_t n_there = 0;
    shard_entry entry = {0, room};
    int32_t status = array->is_sharded ? entry_get(reader, array, place, &entry, e) : 1;
    if (status != 1)
        return status;
    if (entry.size < room)
        room = (size_t)entry.size;
    int is_there;
    status = store_find_into(reader->store, place->key, (int64_t)entry.offset, bytes, room, &n_there, &is_there, e);
    if (status != NGFF_OK || (!is_there && !array->is_sharded))
        return status;
    if (array->is_sharded && n_there < entry.size) {
        error_set(&cause, NGFF_E_CORRUPT, "it has become shorter while it was read");
        return object_error(reader, place->key, &cause, e);
    }
    uint64_t n_stored = array->is_sharded ? entry.size : n_there;
    if (n_stored == 0 || n_stored > room || n_stored >= stored_room(place)) {
        error_set(&cause, NGFF_E_CORRUPT, "%" PRIu64 " stored bytes cannot be a chunk of %zu bytes", n_stored,
                  place->n_bytes);
        return object_error(reader, place->key, &cause, e);
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

static int32_t decode(ngff_reader *reader, const stored_array *array, const chunk_place *place, const uint8_t *bytes,
                      size_t n_bytes, void *pixels, error *e)
{
    error cause = {0};
    codec_context *context = context_take(reader);
    uint8_t *other = has_own_order(array) ? malloc(place->n_bytes) : NULL;
    if (!context || (has_own_order(array) && !other)) {
        free(other);
        codec_context_free(context);
        return error_set(e, NGFF_E_MEMORY, "out of memory for a decoder");
    }
    int32_t status =
        codec_decode(context, &array->codec, bytes, n_bytes, other ? other : pixels, place->n_bytes, &cause);
    context_give(reader, context);
    if (status == NGFF_OK && other)
        put_in_order(array, other, pixels);
    free(other);
    if (status != NGFF_OK)
        return object_error(reader, place->key, &cause, e);
    bytes_to_native(pixels, place->n_bytes, array->type->item_size, array->is_big_endian);
    return NGFF_OK;
}

/* True where the stored bytes are the pixels, but for the byte order. */
static int is_stored_plain(const stored_array *array)
{
    return array->codec.compress == COMPRESS_NONE && !array->codec.has_crc32c && !has_own_order(array);
}

static int32_t plain_read(ngff_reader *reader, const stored_array *array, const chunk_place *place, void *pixels,
                          error *e)
{
    error cause = {0};
    size_t n_bytes = 0;
    int32_t status = stored_get(reader, array, place, pixels, place->n_bytes, &n_bytes, e);
    if (status != 1)
        return status;
    if (n_bytes != place->n_bytes) {
        error_set(&cause, NGFF_E_CORRUPT, "%zu stored bytes cannot be a chunk of %zu bytes", n_bytes, place->n_bytes);
        return object_error(reader, place->key, &cause, e);
    }
    bytes_to_native(pixels, place->n_bytes, array->type->item_size, array->is_big_endian);
    return 1;
}

int32_t chunk_decode(ngff_reader *reader, const stored_array *array, const chunk_place *place, void *pixels, error *e)
{
    if (is_stored_plain(array))
        return plain_read(reader, array, place, pixels, e);
    size_t room = stored_room(place), n_bytes = 0;
    void *bytes = budget_take(reader->buffers, (int64_t)room);
    if (!bytes)
        return error_set(e, NGFF_E_MEMORY, "%s/%s: out of memory for a chunk of %zu bytes", reader->path, place->key,
                         place->n_bytes);
    int32_t status = stored_get(reader, array, place, bytes, room, &n_bytes, e);
    if (status == 1) {
        int32_t decoded = decode(reader, array, place, bytes, n_bytes, pixels, e);
        status = decoded == NGFF_OK ? 1 : decoded;
    }
    budget_give(reader->buffers, bytes, (int64_t)room);
    return status;
}

int32_t chunk_read(ngff_reader *reader, const stored_array *array, const int64_t *index, void *pixels, error *e)
{
    chunk_place place;
    int32_t status = chunk_locate(reader, array, index, &place, e);
    if (status == NGFF_OK)
        status = chunk_decode(reader, array, &place, pixels, e);
    if (status == 0) {
        int64_t extent = (int64_t)place.n_pixels, stride = array->type->size;
        pixels_fill(1, &extent, stride, pixels, &stride, array->fill);
    }
    return status;
}

int32_t ngff_reader_chunk(ngff_reader *reader, int32_t level_index, const int64_t *index, void *pixels, char *text,
                          int64_t text_size)
{
    error e = {0};
    int32_t result = level_is_valid(reader, level_index)
                         ? chunk_read(reader, &reader->image.levels[level_index], index, pixels, &e)
                         : level_error(reader, level_index, &e);
    return error_give(&e, result, text, text_size);
}

int32_t ngff_reader_mask_chunk(ngff_reader *reader, int32_t level_index, const int64_t *index, uint8_t *mask,
                               char *text, int64_t text_size)
{
    error e = {0};
    int32_t result;
    if (!level_is_valid(reader, level_index))
        result = level_error(reader, level_index, &e);
    else if (!reader->image.has_mask)
        result = error_set(&e, NGFF_E_ARGUMENT, "%s: this image has no mask", reader->path);
    else
        result = chunk_read(reader, &reader->image.masks[level_index], index, mask, &e);
    return error_give(&e, result, text, text_size);
}
