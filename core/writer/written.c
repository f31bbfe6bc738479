/* written.c: see written.h. */
#include "writer/written.h"

#include <stdlib.h>
#include <string.h>

#include "metadata/metadata.h"
#include "zarr/chunk.h"

enum { most_kept = 8 << 20 }; /* bytes of the buffers between two chunks */

struct written {
    chunk_store chunks;
    const struct ngff_plan *plan;
    stored_array arrays[2 * max_levels]; /* those of the plan */
    const chunk_set *expected;           /* per array of the plan */
    chunk_rules rules;
};

static int32_t is_left_out(void *user, const stored_array *array, int64_t number, error *e)
{
    (void)user;
    (void)array;
    (void)number;
    (void)e;
    return 0;
}

static int32_t missing(void *user, const stored_array *array, int64_t number, const char *key, error *e)
{
    const written *w = user;
    if (!w->expected || !chunk_set_has(&w->expected[array - w->arrays], number))
        return NGFF_OK;
    error_set(e, NGFF_E_CORRUPT,
              "missing, but it was stored; copy it again from the original store, or take what is missing as fill with "
              "the open option MISSING_CHUNKS=FILL");
    return error_at(e, "%s/%s", w->chunks.path, key);
}

written *written_create(store *s, const char *path)
{
    written *w = calloc(1, sizeof *w);
    budget *buffers = budget_create(most_kept);
    if (!w || !buffers) {
        free(w);
        budget_free(buffers);
        return NULL;
    }
    chunk_store_begin(&w->chunks, s, path ? path : "the store", buffers);
    w->rules = (chunk_rules){.user = w, .is_left_out = is_left_out, .missing = missing};
    return w;
}

void written_free(written *w)
{
    if (!w)
        return;
    chunk_store_end(&w->chunks);
    budget_free(w->chunks.buffers);
    free(w);
}

void written_set_plan(written *w, const struct ngff_plan *plan)
{
    w->plan = plan;
    for (int i = 0; i < plan->n_arrays; i++)
        w->arrays[i] = metadata_planned_array(plan, &plan->arrays[i]);
}

void written_expect(written *w, const chunk_set *sets)
{
    w->expected = sets;
}

int32_t written_chunk(void *user, int l, const int64_t *index, void *pixels, error *e)
{
    written *w = user;
    if (store_goes_on(w->chunks.store, e) != NGFF_OK)
        return e->status;
    int32_t status = chunk_read(&w->chunks, &w->rules, &w->arrays[l], index, pixels, e);
    return status < 0 ? status : NGFF_OK;
}

int32_t written_mask(void *user, int l, const int64_t *index, uint8_t *mask, error *e)
{
    written *w = user;
    int32_t status =
        chunk_read(&w->chunks, &w->rules, &w->arrays[w->plan->n_levels + l], index + w->plan->image->rank - 2, mask, e);
    return status < 0 ? status : NGFF_OK;
}

int32_t written_bytes(written *w, int l, const int64_t *index, uint8_t **bytes, size_t *n, error *e)
{
    return chunk_stored(&w->chunks, &w->rules, &w->arrays[l], index, bytes, n, e);
}

void written_forget(written *w, const char *key)
{
    chunk_store_forget(&w->chunks, key);
}
