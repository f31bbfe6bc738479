/* read_back.c: see read_back.h. Rare and small (one level of at least 65,536 pixels), so that it keeps nothing between
 * calls. */
#include "read_back.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "metadata.h"

/* Finds the chunk in its shard: offset and size. */
static int32_t find_in_shard(store *s, const char *key, size_t place, size_t n_chunks, int64_t *offset, size_t *n,
                             int *is_there, error *e)
{
    uint8_t *bytes = NULL;
    size_t n_read = 0;
    uint64_t shard_bytes = 0;
    shard_entry *entries = malloc(n_chunks * sizeof *entries);
    int32_t status =
        entries ? store_find_size(s, key, &shard_bytes, is_there, e) : error_set(e, NGFF_E_MEMORY, "out of memory");
    if (status == NGFF_OK && *is_there)
        status = store_read(s, key, -1, shard_index_bytes(n_chunks), &bytes, &n_read, e);
    if (status == NGFF_OK && *is_there)
        status = shard_index_decode(bytes, n_read, shard_bytes, entries, n_chunks, e);
    if (status == NGFF_OK && *is_there) {
        *offset = (int64_t)entries[place].offset;
        *n = (size_t)entries[place].size;
        *is_there = entries[place].size != SHARD_MISSING;
    }
    free(bytes);
    free(entries);
    return status;
}

/* Reads n bytes of an object (0: all) and decodes them. */
static int32_t get_decoded(const read_back *back, const char *key, int64_t offset, size_t n, const codec_spec *spec,
                           void *pixels, size_t pixel_bytes, int *is_there, error *e)
{
    uint8_t *bytes = NULL;
    size_t n_read = 0;
    codec_context *context = codec_context_create();
    int32_t status = context ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
    if (status == NGFF_OK)
        status = store_find(back->store, key, offset, n, &bytes, &n_read, is_there, e);
    if (status == NGFF_OK && *is_there)
        status = codec_decode(context, spec, bytes, n_read, pixels, pixel_bytes, e);
    free(bytes);
    codec_context_free(context);
    return status;
}

int32_t read_back_chunk(void *user, int l, const int64_t *index, void *pixels, error *e)
{
    const read_back *back = user;
    const struct ngff_plan *plan = back->plan;
    const level *at = &plan->levels[l];
    int64_t object[MAX_RANK] = {0}, n_pixels = product_checked(at->chunk, plan->image->rank);
    int64_t stride = plan->image->type->size, offset = 0;
    size_t place = 0, n_chunks = 1, n = 0;
    for (int i = 0; i < plan->image->rank; i++) {
        int64_t per_shard = at->shard[i] / at->chunk[i];
        object[i] = index[i] / per_shard;
        place = place * (size_t)per_shard + (size_t)(index[i] % per_shard);
        n_chunks *= (size_t)per_shard;
    }
    char key[192], name[128];
    metadata_chunk_key(plan->options.version, plan->image->rank, object, name);
    snprintf(key, sizeof key, "%s/%s", at->path, name);
    int is_there = 1;
    int32_t status =
        at->is_sharded ? find_in_shard(back->store, key, place, n_chunks, &offset, &n, &is_there, e) : NGFF_OK;
    if (status == NGFF_OK && is_there)
        status = get_decoded(back, key, offset, n, &plan->codec, pixels, (size_t)(n_pixels * stride), &is_there, e);
    if (status == NGFF_OK && !is_there)
        pixels_fill(1, &n_pixels, stride, pixels, &stride, plan->fill);
    return status == NGFF_OK ? NGFF_OK : error_set(e, status, "%s cannot be read back", key);
}

int32_t read_back_mask(void *user, int l, const int64_t *index, uint8_t *mask, error *e)
{
    const read_back *back = user;
    const struct ngff_plan *plan = back->plan;
    int y = plan->image->rank - 2;
    size_t n = (size_t)(plan->levels[l].chunk[y] * plan->levels[l].chunk[y + 1]);
    codec_spec spec = plan->codec;
    char key[192], path[64], name[128];
    spec.type_size = 1;
    plan_mask_path(plan, l, path);
    metadata_chunk_key(plan->options.version, 2, index + y, name);
    snprintf(key, sizeof key, "%s/%s", path, name);
    int is_there;
    int32_t status = get_decoded(back, key, 0, 0, &spec, mask, n, &is_there, e);
    if (status == NGFF_OK && !is_there)
        memset(mask, 0, n);
    return status == NGFF_OK ? NGFF_OK : error_set(e, status, "%s cannot be read back", key);
}
