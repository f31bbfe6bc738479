/* preview.c: see preview.h. */
#include "writer/preview.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    store base;
    store *below;
    const held_object *held;
} preview;

static int is_held(const preview *p, const char *key)
{
    return p->held->bytes && strcmp(p->held->key, key) == 0;
}

static int32_t preview_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                            int *is_there, error *e)
{
    const preview *p = (const preview *)s;
    if (!is_held(p, key))
        return store_find(p->below, key, offset, n, bytes, n_read, is_there, e);
    size_t size = p->held->n;
    size_t first = offset >= 0 ? (size_t)offset : n < size ? size - n : 0;
    first = first < size ? first : size;
    *n_read = n > 0 && n < size - first ? n : size - first;
    *bytes = malloc(*n_read + 1);
    if (!*bytes)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    memcpy(*bytes, p->held->bytes + first, *n_read);
    (*bytes)[*n_read] = 0;
    *is_there = 1;
    return NGFF_OK;
}

static int32_t preview_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e)
{
    const preview *p = (const preview *)s;
    if (!is_held(p, key))
        return store_find_size(p->below, key, n, is_there, e);
    *n = p->held->n;
    *is_there = 1;
    return NGFF_OK;
}

static int32_t preview_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    const preview *p = (const preview *)s;
    int32_t status = p->held->bytes ? visit(user, p->held->key) : NGFF_OK;
    return status < 0 ? status : p->below->ops->list(p->below, visit, user, e);
}

static void preview_free(store *s)
{
    free(s);
}

store *preview_open(store *s, const held_object *held)
{
    static const store_ops ops = {
        .find = preview_find, .find_size = preview_find_size, .list = preview_list, .free = preview_free};
    preview *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    *p = (preview){.base = {.ops = &ops, .path = s->path, .threads = s->threads}, .below = s, .held = held};
    return &p->base;
}
