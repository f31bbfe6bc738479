/* reader.c: opening a store, and what the image in it is. Opening reads metadata only. After that the image never
 * changes, so that chunks (chunk.c) and regions (region.c) are read from any number of threads. */
#include "ngff.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/machine.h"
#include "base/number.h"
#include "base/sizes.h"
#include "metadata/level_place.h"
#include "model/options.h"
#include "zarr/chunk.h"
#include "reader/helpers.h"
#include "reader/reader.h"
#include "store/zip.h"

enum {
    most_attribute = 256 << 20, /* bytes of one large attribute */
    most_coordinates = 1 << 22  /* entries of a coordinate array */
};

/* -- Errors ---------------------------------------------------------------------------------------------------- */

int32_t error_give(const error *e, int32_t result, char *text, int64_t size)
{
    if (text && size > 0)
        snprintf(text, (size_t)size, "%s", e->message);
    return result;
}

int level_is_valid(const ngff_reader *reader, int32_t level_index)
{
    return reader->error.status == NGFF_OK && level_index >= 0 && level_index < reader->image.n_levels;
}

int32_t reader_has_none(const ngff_reader *reader)
{
    return reader->error.status != NGFF_OK ? reader->error.status : NGFF_E_ARGUMENT;
}

int32_t level_error(const ngff_reader *reader, int32_t level_index, error *e)
{
    if (error_copy(e, &reader->error) != NGFF_OK)
        return e->status;
    return error_set(e, NGFF_E_ARGUMENT, "%s: there is no level %" PRId32 ": they go from 0 to %d", reader->path,
                     level_index, reader->image.n_levels - 1);
}

/* -- Opening --------------------------------------------------------------------------------------------------- */

static int is_document(const char *key)
{
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    return name[0] == '.' || strcmp(name, "zarr.json") == 0;
}

int32_t reader_document(void *user, const char *key, char **text, size_t *n, error *e)
{
    ngff_reader *reader = user;
    uint8_t *bytes = NULL;
    int is_there = 0;
    size_t most = most_attribute;
    if (is_document(key) && reader->limits.document_bytes < most_attribute)
        most = (size_t)reader->limits.document_bytes;
    int32_t status = store_find(reader->store, key, 0, most + 1, &bytes, n, &is_there, e);
    if (status != NGFF_OK || !is_there)
        return status != NGFF_OK ? status : NGFF_E_NOT_FOUND;
    /* The root of a store may be long because of the copies of other documents in it, which nobody needs. */
    size_t n_own = *n > most && strcmp(key, "zarr.json") == 0 ? json_cut_copies((char *)bytes, *n) : 0;
    if (n_own > 0)
        *n = n_own;
    if (*n > most) {
        uint64_t size = *n;
        error ignored = {0};
        free(bytes);
        store_find_size(reader->store, key, &size, &is_there, &ignored);
        error_set(e, NGFF_E_UNSUPPORTED,
                  "%" PRIu64 " bytes are too many for metadata; raise the open option MAX_METADATA", size);
        return error_at(e, "%s/%s", reader->path, key);
    }
    *text = (char *)bytes; /* with a NUL behind it */
    return NGFF_OK;
}

int32_t reader_known_document(void *user, const char *key, char **text, size_t *n, error *e)
{
    const ngff_reader *reader = user;
    const char *group = reader->group ? reader->group : "";
    char whole[1024];
    int length = snprintf(whole, sizeof whole, "%s%s%s", group, group[0] ? "/" : "", key);
    int32_t status = 1;
    if (reader->known && length > 0 && (size_t)length < sizeof whole)
        status = known_get(reader->known, whole, text, n, e);
    return status == 1 ? reader_document(user, key, text, n, e) : status;
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

/* Metadata knows keys but not where the store is. */
static void metadata_error(ngff_reader *reader, int32_t status, error *cause)
{
    error_set(cause, status, "no OME-Zarr image is here");
    error_at(cause, "%s", reader->path);
    error_copy(&reader->error, cause);
}

/* Puts the reader at a folder: at the store's root, and then at a group below it. */
static int32_t place_reader(ngff_reader *reader, const char *root, const char *group)
{
    int is_in_file = 0;
    size_t n = strlen(root) + strlen(group) + 2;
    char *path = malloc(n);
    store *s = NULL;
    if (path) {
        size_t length = (size_t)snprintf(path, n, "%s", root);
        while (length > 1 && path[length - 1] == '/')
            path[--length] = '\0';
        s = group[0] && zip_is_name(path) ? store_open(path) : NULL;
        is_in_file = s && folder_is_file(s);
        snprintf(path + length, n - length, "%s%s", group[0] ? "/" : "", group);
        if (s && !is_in_file) {
            s->ops->free(s);
            s = NULL;
        }
        if (!s)
            s = store_open(path);
    }
    if (s && is_in_file && !folder_stand_at(s, group)) {
        s->ops->free(s);
        s = NULL;
    }
    if (!s) {
        free(path);
        return error_set(&reader->error, NGFF_E_MEMORY, "%s: out of memory", root);
    }
    if (reader->store)
        reader->store->ops->free(reader->store);
    free(reader->path);
    reader->chunks.store = reader->store = s;
    reader->chunks.path = reader->path = path;
    return NGFF_OK;
}

/* "16777216", "300MB", "1GB" in steps of 1024; 0 if it is none of these. */
static int64_t size_read(const char *text)
{
    static const char suffixes[] = "KMG";
    const char *end;
    double value = number_parse(text, &end);
    const char *suffix = *end ? strchr(suffixes, *end & ~0x20) : NULL;
    for (int i = 0; suffix && i <= suffix - suffixes; i++)
        value *= 1024;
    end += suffix != NULL;
    end += suffix && (*end == 'B' || *end == 'b');
    return !*end && value >= 1 && value < 1e15 ? (int64_t)value : 0;
}

/* The value of an option NAME=VALUE with this name, or NULL. */
static const char *value_of(const char *option, const char *name)
{
    size_t n = strlen(name);
    return strncmp(option, name, n) == 0 && option[n] == '=' ? option + n + 1 : NULL;
}

static int32_t set_bytes(ngff_reader *reader, const char *option, int64_t *to)
{
    int64_t value = size_read(strchr(option, '=') + 1);
    if (value == 0)
        return error_set(&reader->error, NGFF_E_OPTION, "%s: that is no number of bytes, such as 300MB", option);
    *to = value;
    return NGFF_OK;
}

static int32_t set_missing(ngff_reader *reader, const char *option, const char *value)
{
    static const char *const words[] = {[MISSING_AUTO] = "AUTO", [MISSING_ERROR] = "ERROR", [MISSING_FILL] = "FILL"};
    for (int i = 0; i < 3; i++)
        if (text_equals(value, words[i])) {
            reader->recorded.rule = (missing_rule)i;
            return NGFF_OK;
        }
    return error_set(&reader->error, NGFF_E_OPTION, "%s: the values are AUTO, ERROR and FILL", option);
}

int32_t reader_apply_options(ngff_reader *reader, const char *const *options)
{
    for (; options && *options && reader->error.status == NGFF_OK; options++) {
        const char *missing = value_of(*options, "MISSING_CHUNKS");
        if (missing)
            set_missing(reader, *options, missing);
        else if (value_of(*options, "MAX_METADATA"))
            set_bytes(reader, *options, &reader->limits.document_bytes);
        else if (value_of(*options, "MAX_CHUNK"))
            set_bytes(reader, *options, &reader->limits.chunk_bytes);
        else
            error_set(&reader->error, NGFF_E_OPTION,
                      "%s: a reader has the options MAX_METADATA, MAX_CHUNK and MISSING_CHUNKS", *options);
    }
    return reader->error.status;
}

/* The image at the reader's folder, and what is beside it. group: how its own paths begin. */
static int32_t image_open(ngff_reader *reader, const char *group, const stored_place *place, error *cause)
{
    int32_t status =
        metadata_read_entry(reader_known_document, reader, place->entry, &reader->limits, &reader->image, cause);
    if (status != NGFF_OK || image_check(reader, &reader->error) != NGFF_OK)
        return status;
    if (recorded_begin(reader, cause) != NGFF_OK)
        return cause->status;
    warnings_move(&reader->recorded.told, &reader->image.told, reader->path);
    reader->named_entry = place->entry;
    for (int l = 0; place->level && l < reader->image.n_levels; l++)
        if (strcmp(reader->image.levels[l].path, place->level) == 0)
            reader->named_level = l;
    if (place->is_exact)
        return NGFF_OK;
    status =
        parts_of_image(reader_known_document, reader, group, &reader->image, &reader->limits, &reader->parts, cause);
    warnings_move(&reader->recorded.told, &reader->parts.told, reader->path);
    return status;
}

/* Most stores are one image: it is looked for first, by its documents alone. */
static int32_t part_find(ngff_reader *reader, const char *root, const char *part, error *cause)
{
    stored_place place = {0};
    int32_t status = part[0] ? NGFF_E_NOT_FOUND : image_open(reader, "", &place, cause);
    if (status != NGFF_E_NOT_FOUND)
        return status;
    *cause = (error){0};
    status = place_find(reader_known_document, reader, part, &reader->limits, &place, cause);
    if (status != NGFF_OK)
        return status;
    warnings_move(&reader->recorded.told, &place.parts.told, root);
    if (place.is_list) {
        reader->image.zarr_format = place.zarr_format; /* of documents that verify.c reads */
        reader->parts = place.parts;
        place.parts = (stored_parts){0};
    } else {
        status = place_reader(reader, root, place.group);
        free(reader->group);
        reader->group = strdup(place.group);
        if (!reader->group)
            status = error_set(&reader->error, NGFF_E_MEMORY, "%s: out of memory", root);
        reader->is_sole = !part[0] && place.group[0];
        if (status == NGFF_OK)
            status = image_open(reader, place.group, &place, cause);
    }
    place_release(&place);
    return status;
}

/* On a server each document is a request: the root comes first, and what it tells is taken from there. On disks the
 * documents themselves are read. Copies by which the part does not open, or not all of it, are stale. */
static int32_t part_open(ngff_reader *reader, const char *root, const char *part, error *cause)
{
    if (reader->store->ops->is_remote)
        reader->known = known_open(reader_document, reader, &reader->limits);
    int32_t status = part_find(reader, root, part, cause);
    if (status == NGFF_OK && reader->error.status == NGFF_OK && reader->recorded.told.n == 0)
        return NGFF_OK;
    if (!known_forget_copies(reader->known))
        return status;
    recorded_release(reader);
    warnings_release(&reader->recorded.told);
    metadata_release(&reader->image);
    parts_release(&reader->parts);
    free(reader->group);
    reader->group = NULL;
    reader->named_level = reader->named_entry = 0;
    reader->error = *cause = (error){0};
    status = place_reader(reader, root, "");
    return status == NGFF_OK ? part_find(reader, root, part, cause) : status;
}

/* How far the cache may grow: what it takes of that is seen from what is asked for again (chunk_cache.c). */
static int64_t cache_limit(void)
{
    int64_t machine = machine_memory();
    return machine > 0 ? max_i64(least_cache, min_i64(machine / 8, most_cache)) : least_cache;
}

/* A reader that is nowhere yet; NULL when memory is out. */
static ngff_reader *make_reader(void)
{
    ngff_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    pthread_mutex_init(&reader->recorded.lock, NULL);
    reader->recorded.is_dirty = -1;
    reader->limits = (stored_limits){json_max_bytes, default_chunk_bytes};
    reader->buffers = budget_create(least_cache);
    chunk_store_begin(&reader->chunks, NULL, NULL, reader->buffers);
    reader->cache = reader->buffers ? chunk_cache_create(reader->buffers, cache_limit()) : NULL;
    if (reader->cache)
        return reader;
    ngff_reader_free(reader);
    return NULL;
}

ngff_reader *reader_at(const char *path)
{
    ngff_reader *reader = make_reader();
    if (!reader || place_reader(reader, path, "") != NGFF_OK) {
        ngff_reader_free(reader);
        return NULL;
    }
    return reader;
}

ngff_reader *ngff_reader_open_part(const char *path, const char *part, const char *const *options)
{
    char *root = store_path_of(path ? path : "");
    ngff_reader *reader = root ? reader_at(root) : NULL;
    if (reader && reader_apply_options(reader, options) == NGFF_OK) {
        error cause = {0};
        int32_t status = part_open(reader, root, part ? part : "", &cause);
        if (status != NGFF_OK && reader->error.status == NGFF_OK)
            metadata_error(reader, status, &cause);
    }
    free(root);
    return reader;
}

ngff_reader *reader_open_store(store *s, const char *path)
{
    ngff_reader *reader = make_reader();
    const stored_place root = {.is_exact = 1};
    error cause = {0};
    if (!reader || !(reader->path = strdup(path))) {
        ngff_reader_free(reader);
        s->ops->free(s);
        return NULL;
    }
    reader->chunks.store = reader->store = s;
    reader->chunks.path = reader->path;
    int32_t status = image_open(reader, "", &root, &cause);
    if (status != NGFF_OK && reader->error.status == NGFF_OK)
        metadata_error(reader, status, &cause);
    return reader;
}

ngff_reader *ngff_reader_open(const char *path)
{
    ngff_reader *reader = ngff_reader_open_part(path, NULL, NULL);
    if (reader && reader->error.status == NGFF_OK && reader->image.n_levels == 0)
        error_set(&reader->error, NGFF_E_NOT_FOUND,
                  "%s: the store is a collection of images; open one of them, such as \"%s\"", reader->path,
                  reader->parts.items[0].path);
    return reader;
}

void ngff_reader_free(ngff_reader *reader)
{
    if (!reader)
        return;
    helpers_leave(reader);
    chunk_store_end(&reader->chunks);
    recorded_end(reader);
    chunk_cache_free(reader->cache);
    budget_free(reader->buffers);
    metadata_release(&reader->image);
    parts_release(&reader->parts);
    if (reader->store)
        reader->store->ops->free(reader->store);
    known_free(reader->known);
    free(reader->group);
    reader_view_release(reader);
    reader_position_release(reader);
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

/* -- What the image is ----------------------------------------------------------------------------------------- */

int32_t ngff_reader_status(const ngff_reader *reader)
{
    return reader ? reader->error.status : NGFF_E_ARGUMENT;
}

const char *ngff_reader_error(const ngff_reader *reader)
{
    return reader ? reader->error.message : "the reader is NULL";
}

const char *ngff_reader_group(const ngff_reader *reader)
{
    return reader->group ? reader->group : "";
}

const char *ngff_reader_dims(const ngff_reader *reader)
{
    return reader->image.dims;
}

const char *ngff_reader_version(const ngff_reader *reader)
{
    return reader->error.status == NGFF_OK ? reader->image.said_version : "";
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
        return reader_has_none(reader);
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

int32_t ngff_reader_level_shard(const ngff_reader *reader, int32_t level_index, int64_t *shard)
{
    return axes_copy(reader, level_index, offsetof(stored_array, shard), sizeof *shard, shard);
}

int32_t ngff_reader_level_codec(const ngff_reader *reader, int32_t level_index, char *text, int64_t size)
{
    if (!level_is_valid(reader, level_index))
        return reader_has_none(reader);
    const codec_spec *codec = &reader->image.levels[level_index].codec;
    int is_blosc = codec->compress == COMPRESS_BLOSC;
    int n = snprintf(text, size > 0 ? (size_t)size : 0, "%s%s%s", compress_name(codec->compress), is_blosc ? " " : "",
                     is_blosc ? cname_name(codec->blosc_cname) : "");
    return n < size ? NGFF_OK : NGFF_E_ARGUMENT;
}

int32_t ngff_reader_level_scale(const ngff_reader *reader, int32_t level_index, double *scale)
{
    return axes_copy(reader, level_index, offsetof(stored_array, scale), sizeof *scale, scale);
}

int32_t ngff_reader_level_translation(const ngff_reader *reader, int32_t level_index, double *translation)
{
    return axes_copy(reader, level_index, offsetof(stored_array, translation), sizeof *translation, translation);
}

int32_t ngff_reader_level_place(const ngff_reader *reader, int32_t base_index, int32_t level_index, double *factor,
                                double *offset)
{
    if (!level_is_valid(reader, base_index) || !level_is_valid(reader, level_index))
        return reader_has_none(reader);
    return level_place(&reader->image, base_index, level_index, factor, offset);
}

const char *ngff_reader_attributes(const ngff_reader *reader)
{
    return reader->image.attributes ? reader->image.attributes : "{}";
}

const char *ngff_reader_array_attributes(const ngff_reader *reader)
{
    return reader->image.array_attributes ? reader->image.array_attributes : "{}";
}

/* What can be left out is left out; what is there and cannot be read ends the use of the handle, so that nothing
 * vanishes without a word. */
static void keep_error(ngff_reader *reader, error *e)
{
    int is_missing = e->status == NGFF_E_NOT_FOUND && reader->recorded.rule == MISSING_FILL;
    if (e->status == NGFF_OK || e->status == NGFF_E_UNSUPPORTED || is_missing || e->is_refusal)
        return; /* servers refuse what they do not have */
    error_at(e, "%s", reader->path);
    error_copy(&reader->error, e);
}

const char *ngff_reader_attribute(ngff_reader *reader, const char *name)
{
    error e = {0};
    if (reader->error.status != NGFF_OK || !name)
        return NULL;
    free(reader->answer);
    reader->answer = metadata_attribute(&reader->image, name, reader_known_document, reader, &e);
    keep_error(reader, &e);
    return reader->answer;
}

int32_t ngff_reader_is_dirty(ngff_reader *reader)
{
    error e = {0};
    if (reader->error.status != NGFF_OK)
        return reader->error.status;
    int32_t status = recorded_is_dirty(reader, &e);
    keep_error(reader, &e);
    return status;
}

const char *ngff_reader_warning(ngff_reader *reader)
{
    return recorded_warning(reader);
}

static int part_is_valid(const ngff_reader *reader, int32_t index)
{
    return reader->error.status == NGFF_OK && index >= 0 && index < reader->parts.n;
}

int32_t ngff_reader_part_count(const ngff_reader *reader)
{
    return reader->error.status == NGFF_OK ? reader->parts.n : 0;
}

const char *ngff_reader_part_path(const ngff_reader *reader, int32_t index)
{
    return part_is_valid(reader, index) ? reader->parts.items[index].path : NULL;
}

const char *ngff_reader_part_title(const ngff_reader *reader, int32_t index)
{
    return part_is_valid(reader, index) ? reader->parts.items[index].title : NULL;
}

int32_t ngff_reader_part_level(const ngff_reader *reader)
{
    return reader->named_level;
}

int32_t ngff_reader_part_entry(const ngff_reader *reader)
{
    return reader->named_entry;
}

static int axis_is_valid(const ngff_reader *reader, int32_t axis)
{
    return level_is_valid(reader, 0) && axis >= 0 && axis < reader->image.levels[0].rank;
}

const char *ngff_reader_axis_name(const ngff_reader *reader, int32_t axis)
{
    return axis_is_valid(reader, axis) ? reader->image.axis_names[axis] : NULL;
}

const char *ngff_reader_axis_unit(const ngff_reader *reader, int32_t axis)
{
    return axis_is_valid(reader, axis) ? reader->image.axis_units[axis] : NULL;
}

const char *ngff_reader_axis_orientation(const ngff_reader *reader, int32_t axis)
{
    return axis_is_valid(reader, axis) ? reader->image.axis_orientations[axis] : NULL;
}

const char *ngff_reader_root_attributes(ngff_reader *reader)
{
    error e = {0};
    if (!level_is_valid(reader, 0))
        return NULL;
    free(reader->answer);
    reader->answer = NULL;
    if (metadata_foreign_attributes(&reader->image, plan_is_known_attribute, &reader->answer) != NGFF_OK) {
        error_set(&e, NGFF_E_MEMORY, "out of memory");
        keep_error(reader, &e);
    }
    return reader->answer;
}

const char *ngff_reader_node_attributes(ngff_reader *reader, const char *path)
{
    if (!level_is_valid(reader, 0) || !path)
        return NULL;
    error e = {0};
    free(reader->answer);
    reader->answer = metadata_node_attributes(&reader->image, path, reader_known_document, reader, &e);
    if (e.status != NGFF_E_CORRUPT) /* documents of others are not judged */
        keep_error(reader, &e);
    return reader->answer;
}

/* -- Coordinates ----------------------------------------------------------------------------------------------- */

/* All values of a 1-D array; NULL if it is none or too long, or with the error in e. */
static double *values_read(ngff_reader *reader, const stored_array *array, error *e)
{
    int64_t n = array->shape[0], size = array->type->size;
    if (array->rank != 1 || n > most_coordinates || !array_is_sound(array))
        return NULL;
    double *values = malloc((size_t)n * sizeof *values);
    uint8_t *chunk = malloc((size_t)(array->chunk[0] * size));
    if (!values || !chunk)
        error_set(e, NGFF_E_MEMORY, "out of memory for %s", array->path);
    for (int64_t i = 0; e->status == NGFF_OK && i < n; i += array->chunk[0]) {
        int64_t index[MAX_RANK] = {i / array->chunk[0]};
        int32_t status = chunk_read(&reader->chunks, &reader->recorded.rules, array, index, chunk, e);
        for (int64_t k = 0; status >= 0 && k < array->chunk[0] && i + k < n; k++)
            values[i + k] = dtype_to_double(array->type->data_type, chunk + k * size);
    }
    free(chunk);
    if (e->status == NGFF_OK)
        return values;
    free(values);
    return NULL;
}

int32_t ngff_reader_coordinates(ngff_reader *reader, const char *path, int64_t n, double *first, double *step)
{
    stored_array array = {.rank = 0};
    error e = {0};
    if (!level_is_valid(reader, 0) || !path || n < 2)
        return 0;
    int32_t status = metadata_array(&reader->image, path, reader_known_document, reader, &array, &e);
    double *values = status == NGFF_OK && array.shape[0] == n ? values_read(reader, &array, &e) : NULL;
    free(array.path);
    if (status != NGFF_E_NOT_FOUND && (status == NGFF_OK || (status != NGFF_E_CORRUPT && status != NGFF_E_ARGUMENT)))
        keep_error(reader, &e); /* documents of others are not judged */
    int is_even = values != NULL;
    if (is_even) {
        *first = values[0];
        *step = (values[n - 1] - values[0]) / (double)(n - 1);
        is_even = isfinite(*first) && isfinite(*step) && *step != 0;
    }
    for (int64_t i = 0; is_even && i < n; i++)
        is_even = fabs(*first + (double)i * *step - values[i]) <= 1e-2 * fabs(*step);
    free(values);
    return is_even;
}

int32_t ngff_reader_has_mask(const ngff_reader *reader)
{
    return reader->error.status == NGFF_OK && reader->image.has_mask;
}
