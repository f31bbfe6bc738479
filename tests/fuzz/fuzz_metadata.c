/* fuzz_metadata.c: libFuzzer target for reading metadata. The input is the documents of a store with a NUL between
 * them: the first is the root's, every further one answers the next key that is asked for. What is accepted must have
 * sizes that later stages can multiply. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "metadata/metadata.h"

typedef struct {
    const char *at;
    size_t left;
    int is_v2;
} input;

static int32_t give(void *user, const char *key, char **text, size_t *n, error *e)
{
    input *in = user;
    (void)e;
    if (in->is_v2 && strcmp(key, "zarr.json") == 0)
        return NGFF_E_NOT_FOUND;
    if (in->left == 0)
        return NGFF_E_NOT_FOUND;
    const char *end = memchr(in->at, '\0', in->left);
    *n = end ? (size_t)(end - in->at) : in->left;
    *text = malloc(*n + 1);
    if (!*text)
        abort();
    memcpy(*text, in->at, *n);
    (*text)[*n] = '\0';
    in->at += *n + (end != NULL);
    in->left -= *n + (end != NULL);
    return NGFF_OK;
}

static void check(const stored_array *a)
{
    int64_t bytes = product_checked(a->shape, a->rank);
    if (bytes < 1 || bytes > INT64_MAX / a->type->size || !a->path || strstr(a->path, "..") == a->path)
        abort();
    for (int i = 0; i < a->rank; i++)
        if (a->chunk[i] < 1 || a->shard[i] < a->chunk[i] || a->shard[i] % a->chunk[i])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"nodata", "statistics", "big", "small"};
    stored_image image;
    error e = {0};
    if (size < 1)
        return 0;
    input in = {(const char *)data + 1, size - 1, data[0] & 1};
    if (metadata_read(give, &in, &image, &e) == NGFF_OK) {
        for (int i = 0; i < image.n_levels; i++)
            check(&image.levels[i]);
        for (int i = 0; i < image.n_levels && image.has_mask; i++)
            check(&image.masks[i]);
        for (int i = 0; i < 4; i++) {
            error none = {0};
            free(metadata_attribute(&image, names[i], give, &in, &none));
        }
    } else if (!e.message[0]) {
        abort();
    }
    metadata_release(&image);
    return 0;
}
