/* reader.c: the whole way back, the only file that joins the stages for reading.
 *
 *     chunk index -> key -> (shard index -> byte range) -> stored bytes -> codec -> native byte order -> caller's
 * pixels
 *
 * Opening reads metadata only. After that the image never changes, so chunks are read from any number of threads; the
 * lock guards the two things they share: codec contexts that nobody uses now, and the indices of recent shards. */
#include "ngff.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "reader.h"

enum {
    most_idle = 64,           /* contexts kept for later */
    most_slots = 64,          /* shard indices kept, */
    most_cached = 32 << 20,   /* and their bytes */
    most_index = 64 << 20,    /* bytes of one index: four million chunks in a shard */
    most_document = 256 << 20 /* bytes of one JSON document or attribute */
};

/* The decoded index of one shard. */
typedef struct {
    const stored_array *array; /* NULL: an empty slot */
    int64_t shard[MAX_RANK];
    shard_entry *entries;
    size_t n_bytes;
    uint64_t last_use;
} index_slot;

struct ngff_reader {
    error error;
    char *path;
    store *store;
    stored_image image;
    char *answer; /* of ngff_reader_attribute */

    pthread_mutex_t lock; /* guards all below */
    codec_context *idle[most_idle];
    int n_idle;
    index_slot slots[most_slots];
    size_t cached_bytes;
    uint64_t clock;
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
    return error_set(e, cause->status, "%s/%s: %s%s", reader->path, key, cause->message,
                     cause->status == NGFF_E_CORRUPT ? advice : "");
}

/* What a store's failure means for a chunk: 0, a missing one, where there is no such object; else the error. Stores may
 * leave the message to us. */
static int32_t store_error(const ngff_reader *reader, const char *key, int32_t status, const error *cause, error *e)
{
    if (status == NGFF_E_NOT_FOUND)
        return 0;
    error_copy(e, cause);
    return error_set(e, status, "%s/%s: cannot be read", reader->path, key);
}

/* Reads the index of a shard. Returns 1, 0 when there is no such shard, or an error. */
static int32_t index_load(ngff_reader *reader, const stored_array *array, const char *key, size_t n_chunks,
                          shard_entry **entries, error *e)
{
    shard_layout layout = {array->index_is_first, array->index_has_checksum};
    const store_ops *ops = reader->store->ops;
    error cause = {0};
    uint64_t shard_bytes = 0;
    uint8_t *bytes = NULL;
    size_t n_read = 0, n_bytes = shard_layout_bytes(layout, n_chunks);
    int32_t status = ops->size(reader->store, key, &shard_bytes, &cause);
    if (status != NGFF_OK)
        return store_error(reader, key, status, &cause, e);
    if (shard_bytes < n_bytes) {
        error_set(&cause, NGFF_E_CORRUPT, "the shard has %" PRIu64 " bytes, its index alone needs %zu", shard_bytes,
                  n_bytes);
        return object_error(reader, key, &cause, e);
    }
    *entries = malloc(n_chunks * sizeof **entries);
    if (!*entries)
        return error_set(e, NGFF_E_MEMORY, "%s/%s: out of memory for the index of %zu chunks", reader->path, key,
                         n_chunks);
    status = ops->get(reader->store, key, layout.is_first ? 0 : -1, n_bytes, &bytes, &n_read, &cause);
    if (status == NGFF_OK) {
        if (shard_layout_decode(layout, bytes, n_read, shard_bytes, *entries, n_chunks, &cause) == NGFF_OK)
            status = 1;
        else
            status = object_error(reader, key, &cause, e);
    } else {
        status = store_error(reader, key, status, &cause, e);
    }
    free(bytes);
    if (status != 1) {
        free(*entries);
        *entries = NULL;
    }
    return status;
}

/* -- Stored bytes of a chunk ----------------------------------------------------------------------------------- */

typedef struct {
    char key[256 + 128];      /* of the object that holds the chunk */
    int64_t shard[MAX_RANK];  /* index of that object */
    size_t ordinal, n_chunks; /* the chunk's place in it, and the places */
    size_t n_pixels, n_bytes; /* of the decoded chunk */
} chunk_place;

/* Works out where a chunk is, and refuses what cannot be. */
static int32_t chunk_locate(const ngff_reader *reader, const stored_array *array, const int64_t *index,
                            chunk_place *place, error *e)
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
    int64_t n_pixels = product_checked(array->chunk, array->rank);
    if (n_pixels <= 0 || n_pixels > INT32_MAX / array->type->size)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s/%s: its chunks are larger than 2 GiB - 1 bytes; write the image with smaller chunks",
                         reader->path, array->path);
    int64_t n_chunks = product_checked(per_shard, array->rank);
    if (n_chunks <= 0 || n_chunks > most_index / 16)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s/%s: its shards have more than %d chunks; write the image with smaller shards",
                         reader->path, array->path, most_index / 16);
    place->n_pixels = (size_t)n_pixels;
    place->n_bytes = place->n_pixels * (size_t)array->type->size;
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

/* Reads the chunk's stored bytes: the whole object, or its place in a shard. Returns 1, 0 for a missing chunk, or an
 * error. No codec makes a chunk twice as large: of what claims so, no more than that is read into memory. */
static int32_t stored_get(ngff_reader *reader, const stored_array *array, const chunk_place *place, uint8_t **bytes,
                          size_t *n_bytes, error *e)
{
    error cause = {0};
    uint64_t most = 2 * (uint64_t)place->n_bytes + 65536;
    shard_entry entry = {0, most + 1};
    int32_t status = array->is_sharded ? entry_get(reader, array, place, &entry, e) : 1;
    if (status != 1)
        return status;
    size_t n_wanted = (size_t)(entry.size <= most ? entry.size : most + 1);
    status =
        reader->store->ops->get(reader->store, place->key, (int64_t)entry.offset, n_wanted, bytes, n_bytes, &cause);
    if (status != NGFF_OK)
        return store_error(reader, place->key, status, &cause, e);
    if (*n_bytes == 0 || *n_bytes > most) {
        error_set(&cause, NGFF_E_CORRUPT, "%zu stored bytes cannot be a chunk of %zu bytes", *n_bytes, place->n_bytes);
        return object_error(reader, place->key, &cause, e);
    }
    if (array->is_sharded && *n_bytes != entry.size) {
        error_set(&cause, NGFF_E_CORRUPT, "it has become shorter while it was read");
        return object_error(reader, place->key, &cause, e);
    }
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
    if (array->chunk_has_checksum && checksum_remove(bytes, &n_bytes, &cause) != NGFF_OK)
        return object_error(reader, place->key, &cause, e);
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

static int32_t chunk_read(ngff_reader *reader, const stored_array *array, const int64_t *index, void *pixels, error *e)
{
    chunk_place place;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    int32_t status = chunk_locate(reader, array, index, &place, e);
    if (status == NGFF_OK)
        status = stored_get(reader, array, &place, &bytes, &n_bytes, e);
    if (status == 1) {
        int32_t decoded = decode(reader, array, &place, bytes, n_bytes, pixels, e);
        status = decoded == NGFF_OK ? 1 : decoded;
    } else if (status == 0) {
        int64_t extent = (int64_t)place.n_pixels, stride = array->type->size;
        pixels_fill(1, &extent, stride, pixels, &stride, array->fill);
    }
    free(bytes);
    return status;
}

/* Chunks are read on any thread, so their errors go to the caller and not into the handle. */
static int32_t error_give(const error *e, int32_t result, char *text, int64_t size)
{
    if (text && size > 0)
        snprintf(text, (size_t)size, "%s", e->message);
    return result;
}

static int level_is_valid(const ngff_reader *reader, int32_t level_index)
{
    return reader->error.status == NGFF_OK && level_index >= 0 && level_index < reader->image.n_levels;
}

static int32_t level_error(const ngff_reader *reader, int32_t level_index, error *e)
{
    if (error_copy(e, &reader->error) != NGFF_OK)
        return e->status;
    return error_set(e, NGFF_E_ARGUMENT, "%s: there is no level %" PRId32 ": they go from 0 to %d", reader->path,
                     level_index, reader->image.n_levels - 1);
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

/* -- Opening --------------------------------------------------------------------------------------------------- */

/* metadata_source: one object as text. */
static int32_t document_get(void *user, const char *key, char **text, size_t *n, error *e)
{
    ngff_reader *reader = user;
    uint64_t size = 0;
    uint8_t *bytes = NULL;
    int32_t status = reader->store->ops->size(reader->store, key, &size, e);
    if (status != NGFF_OK)
        return status;
    if (size > most_document)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s/%s: %" PRIu64 " bytes are too many for metadata", reader->path, key,
                         size);
    status = reader->store->ops->get(reader->store, key, 0, 0, &bytes, n, e);
    if (status != NGFF_OK)
        return status;
    char *grown = realloc(bytes, *n + 1);
    if (!grown) {
        free(bytes);
        return error_set(e, NGFF_E_MEMORY, "%s/%s: out of memory for %zu bytes", reader->path, key, *n);
    }
    grown[*n] = '\0';
    *text = grown;
    return NGFF_OK;
}

static int array_is_sound(const stored_array *array)
{
    for (int i = 0; i < array->rank; i++)
        if (array->shape[i] < 1 || array->chunk[i] < 1 ||
            (array->is_sharded && (array->shard[i] < array->chunk[i] || array->shard[i] % array->chunk[i] != 0)))
            return 0;
    return 1;
}

/* Callers size their buffers by the type, rank and chunk that the reader tells, so all levels must keep to them. */
static int32_t image_check(const ngff_reader *reader, error *e)
{
    const stored_image *image = &reader->image;
    int rank = (int)strlen(image->dims);
    for (int i = 0; i < image->n_levels; i++) {
        const stored_array *array = &image->levels[i];
        if (rank < 2 || array->rank != rank || array->type != image->levels[0].type || !array_is_sound(array))
            return error_set(e, NGFF_E_CORRUPT, "%s/%s: its type, axes or chunks do not fit the image", reader->path,
                             array->path);
        if (!image->has_mask)
            continue;
        const stored_array *mask = &image->masks[i];
        if (mask->rank != 2 || mask->type->size != 1 || !array_is_sound(mask) ||
            memcmp(mask->shape, array->shape + rank - 2, 2 * sizeof(int64_t)) != 0 ||
            memcmp(mask->chunk, array->chunk + rank - 2, 2 * sizeof(int64_t)) != 0)
            return error_set(e, NGFF_E_CORRUPT, "%s/%s: the mask does not fit its image", reader->path, mask->path);
    }
    return NGFF_OK;
}

/* Metadata knows keys but not where the store is: the message gets the path in front, unless a store put it in. */
static void metadata_error(ngff_reader *reader, int32_t status, const error *cause)
{
    const char *message = cause->status != NGFF_OK ? cause->message : "no OME-Zarr image is here";
    if (strstr(message, reader->path))
        error_set(&reader->error, status, "%s", message);
    else
        error_set(&reader->error, status, "%s: %s", reader->path, message);
}

ngff_reader *reader_open_store(store *s, const char *path)
{
    ngff_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        s->ops->free(s);
        return NULL;
    }
    pthread_mutex_init(&reader->lock, NULL);
    reader->path = strdup(path ? path : "");
    reader->store = s;
    if (!reader->path) {
        ngff_reader_free(reader);
        return NULL;
    }
    for (size_t n = strlen(reader->path); n > 1 && reader->path[n - 1] == '/'; n--)
        reader->path[n - 1] = '\0';
    error cause = {0};
    int32_t status = metadata_read(document_get, reader, &reader->image, &cause);
    if (status == NGFF_OK)
        image_check(reader, &reader->error);
    else
        metadata_error(reader, status, &cause);
    return reader;
}

ngff_reader *ngff_reader_open(const char *path)
{
    store *s = store_open(path ? path : "");
    return s ? reader_open_store(s, path) : NULL;
}

void ngff_reader_free(ngff_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < most_slots; i++)
        free(reader->slots[i].entries);
    while (reader->n_idle > 0)
        codec_context_free(reader->idle[--reader->n_idle]);
    metadata_release(&reader->image);
    if (reader->store)
        reader->store->ops->free(reader->store);
    pthread_mutex_destroy(&reader->lock);
    free(reader->answer);
    free(reader->path);
    free(reader);
}

const stored_image *reader_image(const ngff_reader *reader)
{
    return &reader->image;
}

store *reader_store(const ngff_reader *reader)
{
    return reader->store;
}

const char *reader_path(const ngff_reader *reader)
{
    return reader->path;
}

int32_t reader_document(void *user, const char *key, char **text, size_t *n, error *e)
{
    return document_get(user, key, text, n, e);
}

int32_t reader_array_chunk(ngff_reader *reader, const stored_array *array, const int64_t *index, void *pixels, error *e)
{
    return chunk_read(reader, array, index, pixels, e);
}

/* -- What the image is ----------------------------------------------------------------------------------------- */

int32_t ngff_reader_status(const ngff_reader *reader)
{
    return reader->error.status;
}

const char *ngff_reader_error(const ngff_reader *reader)
{
    return reader->error.message;
}

const char *ngff_reader_dims(const ngff_reader *reader)
{
    return reader->image.dims;
}

int32_t ngff_reader_level_count(const ngff_reader *reader)
{
    return reader->error.status == NGFF_OK ? reader->image.n_levels : 0;
}

int32_t ngff_reader_data_type(const ngff_reader *reader)
{
    return level_is_valid(reader, 0) ? reader->image.levels[0].type->data_type : 0;
}

const char *ngff_reader_level_path(const ngff_reader *reader, int32_t level_index)
{
    return level_is_valid(reader, level_index) ? reader->image.levels[level_index].path : NULL;
}

/* One entry per axis, bytes each, of a member of a level. */
static int32_t axes_copy(const ngff_reader *reader, int32_t level_index, size_t member, size_t size, void *to)
{
    if (!level_is_valid(reader, level_index))
        return reader->error.status != NGFF_OK ? reader->error.status : NGFF_E_ARGUMENT;
    const stored_array *array = &reader->image.levels[level_index];
    memcpy(to, (const char *)array + member, size * (size_t)array->rank);
    return NGFF_OK;
}

int32_t ngff_reader_level_shape(const ngff_reader *reader, int32_t level_index, int64_t *shape)
{
    return axes_copy(reader, level_index, offsetof(stored_array, shape), sizeof *shape, shape);
}

int32_t ngff_reader_level_chunk(const ngff_reader *reader, int32_t level_index, int64_t *chunk)
{
    return axes_copy(reader, level_index, offsetof(stored_array, chunk), sizeof *chunk, chunk);
}

int32_t ngff_reader_level_scale(const ngff_reader *reader, int32_t level_index, double *scale)
{
    return axes_copy(reader, level_index, offsetof(stored_array, scale), sizeof *scale, scale);
}

int32_t ngff_reader_level_translation(const ngff_reader *reader, int32_t level_index, double *translation)
{
    return axes_copy(reader, level_index, offsetof(stored_array, translation), sizeof *translation, translation);
}

const char *ngff_reader_attributes(const ngff_reader *reader)
{
    return reader->image.attributes ? reader->image.attributes : "{}";
}

const char *ngff_reader_array_attributes(const ngff_reader *reader)
{
    return reader->image.array_attributes ? reader->image.array_attributes : "{}";
}

const char *ngff_reader_attribute(ngff_reader *reader, const char *name)
{
    if (reader->error.status != NGFF_OK || !name)
        return NULL;
    free(reader->answer);
    reader->answer = metadata_attribute(&reader->image, name, document_get, reader);
    return reader->answer;
}

int32_t ngff_reader_has_mask(const ngff_reader *reader)
{
    return reader->error.status == NGFF_OK && reader->image.has_mask;
}
