/* store.c: the questions about objects (store.h). No caller can take "I do not know" for "not there": the second is a
 * result of its own. */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

int32_t store_goes_on(const store *s, error *e)
{
    return s->is_cancelled && atomic_load(s->is_cancelled) ? error_set(e, NGFF_E_CANCELLED, "cancelled") : NGFF_OK;
}

/* What a store says names its place. */
static int32_t ended(int32_t status, error *e)
{
    if (status != NGFF_OK)
        error_has_place(e);
    return status;
}

/* An error where nothing can be asked for. */
static int32_t can_be_read(const store *s, error *e)
{
    return s->unread ? ended(error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", s->path, s->unread), e) : NGFF_OK;
}

int32_t store_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, int *is_there,
                   error *e)
{
    *bytes = NULL;
    *n_read = 0;
    *is_there = 0;
    if (can_be_read(s, e) != NGFF_OK)
        return e->status;
    return ended(s->ops->find(s, key, offset, n, bytes, n_read, is_there, e), e);
}

int32_t store_find_into(store *s, const char *key, int64_t offset, void *bytes, size_t room, uint64_t *n_there,
                        int *is_there, error *e)
{
    uint8_t *copy = NULL;
    size_t n_read = 0;
    *is_there = 0;
    *n_there = 0;
    if (can_be_read(s, e) != NGFF_OK)
        return e->status;
    if (s->ops->find_into)
        return ended(s->ops->find_into(s, key, offset, bytes, room, n_there, is_there, e), e);
    if (room == 0) { /* which would ask find for all */
        uint64_t size = 0;
        int32_t status = store_find_size(s, key, &size, is_there, e);
        *n_there = size > (uint64_t)offset ? size - (uint64_t)offset : 0;
        return status;
    }
    int32_t status = store_find(s, key, offset, room, &copy, &n_read, is_there, e);
    if (copy)
        memcpy(bytes, copy, n_read);
    free(copy);
    *n_there = n_read;
    return status;
}

int32_t store_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e)
{
    *is_there = 0;
    *n = 0;
    if (can_be_read(s, e) != NGFF_OK)
        return e->status;
    return ended(s->ops->find_size(s, key, n, is_there, e), e);
}

int32_t store_read(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, error *e)
{
    int is_there;
    int32_t status = store_find(s, key, offset, n, bytes, n_read, &is_there, e);
    if (status != NGFF_OK || is_there)
        return status;
    error_set(e, NGFF_E_NOT_FOUND, "%s%s%s is not there", s->path ? s->path : "", s->path ? "/" : "", key);
    return error_has_place(e);
}
