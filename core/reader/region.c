/* region.c: any box of a level into the caller's memory. The chunks that the box meets are numbered in C order; the
 * caller's thread and its helpers take the next number until there is none, so each chunk is decoded once:
 *
 *     whole, and dense in the caller's memory    straight into it
 *     all its pixels wanted                      into the thread's own buffer, and copied from there
 *     some of its pixels wanted                  into the cache, for the next box will want the others */
#include "reader/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "zarr/chunk.h"
#include "reader/helpers.h"

/* An error is a kilobyte, and a call for one pixel is short: clearing it whole would be a good part of it. */
static void error_clear(error *e)
{
    e->status = NGFF_OK;
    e->has_place = e->is_refusal = 0;
    e->message[0] = '\0';
}

/* -- One call ------------------------------------------------------------------------------------------------------ */

typedef struct {
    ngff_reader *reader;
    const stored_array *array;
    box region;
    char *pixels;
    int64_t strides[MAX_RANK];
    int64_t first[MAX_RANK], count[MAX_RANK]; /* chunks that the region meets, per axis */
    int64_t n_chunks;
    int64_t chunk_bytes;

    int is_shared;        /* with helpers: else nobody locks */
    pthread_mutex_t lock; /* guards all below */
    int64_t next;         /* chunk */
    int64_t failed;       /* the first chunk, in C order, that failed */
    error error;          /* its error */
} region_read;

/* The number of the next chunk, or -1: none are left, or one has failed. */
static int64_t chunk_next(region_read *read)
{
    if (read->is_shared)
        pthread_mutex_lock(&read->lock);
    int64_t number = read->next < read->n_chunks && read->error.status == NGFF_OK ? read->next++ : -1;
    if (read->is_shared)
        pthread_mutex_unlock(&read->lock);
    return number;
}

/* Chunks are handed out in order, so the error kept is that of the first one that fails, whatever the threads do. */
static void chunk_failed(region_read *read, int64_t number, const error *e)
{
    if (read->is_shared)
        pthread_mutex_lock(&read->lock);
    if (read->error.status == NGFF_OK || number < read->failed) {
        read->failed = number;
        read->error = *e;
    }
    if (read->is_shared)
        pthread_mutex_unlock(&read->lock);
}

/* -- One chunk ----------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t index[MAX_RANK];
    int64_t number;  /* in the array */
    box common;      /* with the region */
    int64_t offset;  /* of the first common pixel in the chunk, bytes */
    int is_wanted;   /* all its pixels, but those beyond the edge of the image */
    int is_in_place; /* it lies in the caller's memory as it is decoded */
    char *to;
} chunk_part;

static chunk_part part_of(const region_read *read, int64_t number)
{
    const stored_array *array = read->array;
    chunk_part part = {.common.rank = array->rank, .is_wanted = 1, .is_in_place = 1};
    int64_t step = array->type->size;
    for (int i = array->rank; i-- > 0; number /= read->count[i])
        part.index[i] = read->first[i] + number % read->count[i];
    for (int i = 0; i < array->rank; i++)
        part.number = part.number * ceil_div(array->shape[i], array->chunk[i]) + part.index[i];
    for (int i = array->rank; i-- > 0;) {
        int64_t origin = part.index[i] * array->chunk[i], extent = min_i64(array->chunk[i], array->shape[i] - origin);
        int64_t begin = max_i64(origin, read->region.origin[i]);
        int64_t end = min_i64(origin + extent, read->region.origin[i] + read->region.extent[i]);
        part.common.origin[i] = begin;
        part.common.extent[i] = end - begin;
        part.offset += (begin - origin) * step;
        part.is_wanted &= end - begin == extent;
        part.is_in_place &= end - begin == array->chunk[i] && (array->chunk[i] == 1 || read->strides[i] == step);
        step *= array->chunk[i];
    }
    if (read->pixels)
        part.to = read->pixels + strides_offset(array->rank, read->strides, read->region.origin, part.common.origin);
    return part;
}

/* From a decoded chunk, NULL for a missing one, into the caller's memory. */
static void part_copy(const region_read *read, const chunk_part *part, const void *pixels)
{
    const stored_array *array = read->array;
    int64_t strides[MAX_RANK];
    strides_dense(array->rank, array->chunk, array->type->size, strides);
    if (pixels)
        pixels_copy(array->rank, part->common.extent, array->type->size, part->to, read->strides,
                    (const char *)pixels + part->offset, strides);
    else
        pixels_fill(array->rank, part->common.extent, array->type->size, part->to, read->strides, array->fill);
}

static int32_t out_of_memory(const region_read *read, error *e)
{
    return error_set(e, NGFF_E_MEMORY, "%s/%s: out of memory for a chunk of %" PRId64 " bytes", read->reader->path,
                     read->array->path, read->chunk_bytes);
}

static int32_t decode(const region_read *read, const chunk_part *part, void *pixels, error *e)
{
    return chunk_decode(&read->reader->chunks, &read->reader->recorded.rules, read->array, part->index, pixels, e);
}

/* A chunk of which only some pixels are wanted: from the cache, or decoded into it. */
static int32_t part_read(const region_read *read, const chunk_part *part, error *e)
{
    chunk_cache *cache = read->reader->cache;
    int is_new;
    cached_chunk *chunk = chunk_cache_take(cache, read->array, part->number, &is_new);
    if (!chunk)
        return out_of_memory(read, e);
    if (is_new) {
        void *pixels = budget_take(read->reader->buffers, read->chunk_bytes);
        int32_t status = pixels ? decode(read, part, pixels, e) : out_of_memory(read, e);
        if (status != 1) {
            budget_give(read->reader->buffers, pixels, read->chunk_bytes);
            pixels = NULL;
        }
        if (status < 0) {
            chunk_cache_failed(cache, chunk);
            return status;
        }
        chunk_cache_ready(cache, chunk, pixels, read->chunk_bytes);
    }
    part_copy(read, part, cached_chunk_pixels(chunk));
    chunk_cache_give(cache, chunk);
    return NGFF_OK;
}

/* A chunk of which all pixels are wanted: nobody will ask for it soon again, so it does not push others out of the
 * cache. buffer: the thread's own, made at its first need. */
static int32_t whole_read(const region_read *read, const chunk_part *part, void **buffer, error *e)
{
    cached_chunk *chunk = chunk_cache_find(read->reader->cache, read->array, part->number);
    if (chunk) {
        part_copy(read, part, cached_chunk_pixels(chunk));
        chunk_cache_give(read->reader->cache, chunk);
        return NGFF_OK;
    }
    if (!part->is_in_place && !*buffer)
        *buffer = budget_take(read->reader->buffers, read->chunk_bytes);
    void *pixels = part->is_in_place ? part->to : *buffer;
    int32_t status = pixels ? decode(read, part, pixels, e) : out_of_memory(read, e);
    if (status < 0)
        return status;
    if (status == 0 || !part->is_in_place)
        part_copy(read, part, status == 1 ? pixels : NULL);
    return NGFF_OK;
}

/* Reads chunks until none are left. */
static void read_chunks(void *argument)
{
    region_read *read = argument;
    void *buffer = NULL;
    error e;
    error_clear(&e);
    for (int64_t number; (number = chunk_next(read)) >= 0;) {
        chunk_part part = part_of(read, number);
        if ((part.is_wanted ? whole_read(read, &part, &buffer, &e) : part_read(read, &part, &e)) < 0)
            chunk_failed(read, number, &e);
    }
    budget_give(read->reader->buffers, buffer, read->chunk_bytes);
}

/* -- What the header promises -------------------------------------------------------------------------------------- */

/* Fills in what the call is about; refuses a box that is not in the level. */
static int32_t region_set(region_read *read, const int64_t *origin, const int64_t *extent, const int64_t *strides,
                          error *e)
{
    const stored_array *array = read->array;
    for (int i = 0; i < array->rank; i++) {
        if (origin[i] < 0 || extent[i] < 0 || extent[i] > array->shape[i] || origin[i] > array->shape[i] - extent[i])
            return error_set(e, NGFF_E_ARGUMENT,
                             "%s/%s: %" PRId64 " pixels from %" PRId64
                             " on axis %d are not in the image: its pixels go "
                             "from 0 to %" PRId64,
                             read->reader->path, array->path, extent[i], origin[i], i, array->shape[i] - 1);
        read->first[i] = origin[i] / array->chunk[i];
        read->count[i] = extent[i] > 0 ? (origin[i] + extent[i] - 1) / array->chunk[i] - read->first[i] + 1 : 0;
    }
    read->region = box_make(array->rank, origin, extent);
    if (strides)
        memcpy(read->strides, strides, (size_t)array->rank * sizeof *strides);
    else
        strides_dense(array->rank, extent, array->type->size, read->strides);
    read->n_chunks = product_checked(read->count, array->rank);
    if (read->n_chunks < 0)
        return error_set(e, NGFF_E_ARGUMENT, "%s/%s: the box has too many chunks", read->reader->path, array->path);
    return NGFF_OK;
}

static int32_t region_run(ngff_reader *reader, const stored_array *array, const int64_t *origin, const int64_t *extent,
                          void *pixels, const int64_t *strides, int32_t n_threads, error *e)
{
    region_read read;
    read.reader = reader;
    read.array = array;
    read.pixels = pixels;
    read.next = read.failed = 0;
    error_clear(&read.error);
    int32_t status = region_set(&read, origin, extent, strides, e);
    if (status != NGFF_OK || read.n_chunks == 0)
        return status;
    read.chunk_bytes = chunk_bytes(&reader->chunks, array, e);
    if (read.chunk_bytes < 0)
        return (int32_t)read.chunk_bytes;
    int n_helpers = (int)min_i64(n_threads, read.n_chunks) - 1;
    read.is_shared = n_helpers > 0;
    if (read.is_shared)
        pthread_mutex_init(&read.lock, NULL);
    helpers_run(reader, n_helpers, read_chunks, &read);
    if (read.is_shared)
        pthread_mutex_destroy(&read.lock);
    return error_copy(e, &read.error);
}

/* The pixels of a level, or its mask; NULL: the error is in e. */
static const stored_array *array_of(const ngff_reader *reader, int32_t level, int is_mask, error *e)
{
    error_clear(e);
    if (!level_is_valid(reader, level))
        level_error(reader, level, e);
    else if (is_mask && !reader->image.has_mask)
        error_set(e, NGFF_E_ARGUMENT, "%s: this image has no mask", reader->path);
    else
        return is_mask ? &reader->image.masks[level] : &reader->image.levels[level];
    return NULL;
}

int32_t ngff_reader_read(ngff_reader *reader, int32_t level, const int64_t *origin, const int64_t *extent, void *pixels,
                         const int64_t *strides, int32_t n_threads, char *text, int64_t text_size)
{
    error e;
    const stored_array *array = array_of(reader, level, 0, &e);
    int32_t status = array ? region_run(reader, array, origin, extent, pixels, strides, n_threads, &e) : e.status;
    return error_give(&e, status, text, text_size);
}

int32_t ngff_reader_read_mask(ngff_reader *reader, int32_t level, const int64_t *origin, const int64_t *extent,
                              uint8_t *mask, const int64_t *strides, int32_t n_threads, char *text, int64_t text_size)
{
    error e;
    const stored_array *array = array_of(reader, level, 1, &e);
    int32_t status = array ? region_run(reader, array, origin, extent, mask, strides, n_threads, &e) : e.status;
    return error_give(&e, status, text, text_size);
}

/* 1 for a chunk of which nothing is stored; 0 for one that is, or of which only a server could say it; or an error. */
static int32_t chunk_is_hole(ngff_reader *reader, const stored_array *array, const int64_t *index, error *e)
{
    const chunk_rules *rules = &reader->recorded.rules;
    if (!reader->store->ops->is_remote) {
        int32_t is_there = chunk_is_there(&reader->chunks, rules, array, index, e);
        return is_there < 0 ? is_there : !is_there;
    }
    chunk_place place;
    int32_t status = chunk_locate(&reader->chunks, array, index, &place, e);
    return status == NGFF_OK ? rules->is_left_out(rules->user, array, place.number, e) : status;
}

int32_t ngff_reader_is_empty(ngff_reader *reader, int32_t level, int32_t is_mask, const int64_t *origin,
                             const int64_t *extent, void *fill, char *text, int64_t text_size)
{
    error e;
    region_read read = {.reader = reader, .array = array_of(reader, level, is_mask, &e)};
    int32_t result = read.array ? region_set(&read, origin, extent, NULL, &e) : e.status;
    if (result == NGFF_OK && fill)
        memcpy(fill, read.array->fill, (size_t)read.array->type->size);
    if (result == NGFF_OK)
        result = 1;
    for (int64_t number = 0; result == 1 && number < read.n_chunks; number++)
        result = chunk_is_hole(reader, read.array, part_of(&read, number).index, &e);
    return error_give(&e, result, text, text_size);
}

int32_t ngff_reader_chunk(ngff_reader *reader, int32_t level_index, const int64_t *index, void *pixels, char *text,
                          int64_t text_size)
{
    error e;
    const stored_array *array = array_of(reader, level_index, 0, &e);
    int32_t status = array ? chunk_read(&reader->chunks, &reader->recorded.rules, array, index, pixels, &e) : e.status;
    return error_give(&e, status, text, text_size);
}

int32_t ngff_reader_mask_chunk(ngff_reader *reader, int32_t level_index, const int64_t *index, uint8_t *mask,
                               char *text, int64_t text_size)
{
    error e;
    const stored_array *array = array_of(reader, level_index, 1, &e);
    int32_t status = array ? chunk_read(&reader->chunks, &reader->recorded.rules, array, index, mask, &e) : e.status;
    return error_give(&e, status, text, text_size);
}

void ngff_reader_set_cache(ngff_reader *reader, int64_t size_bytes)
{
    chunk_cache_limit(reader->cache, size_bytes);
    if (size_bytes > 0)
        return;
    chunk_store_forget(&reader->chunks, NULL);
    recorded_forget(reader);
    if (reader->store && reader->store->ops->forget)
        reader->store->ops->forget(reader->store);
}
