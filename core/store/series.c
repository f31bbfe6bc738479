/* series.c: see series.h. Objects go through with another key; what concerns the whole store is asked of it once, by the
 * first image. */
#include "store/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { longest_key = 1024 };

typedef struct {
    store base;
    store_ops ops;
    store *below;
    int is_first;
    char prefix[series_longest_prefix];
    char *path;
} series;

static const char *key_below(const store *s, const char *key, char full[longest_key])
{
    snprintf(full, longest_key, "%s%s", ((const series *)s)->prefix, key);
    return full;
}

/* Scratch has no folders. One image at a time needs any. */
static const char *scratch_below(const store *s, const char *key, char full[longest_key])
{
    const series *one = (const series *)s;
    snprintf(full, longest_key, "%.*s-%s", (int)strcspn(one->prefix, "/"), one->prefix, key);
    return full;
}

/* -- The whole store ------------------------------------------------------------------------------------------------ */

static int32_t series_begin(store *s, int overwrite, error *e)
{
    const series *one = (const series *)s;
    return one->is_first ? one->below->writing->begin(one->below, overwrite, e) : NGFF_OK;
}

static int32_t series_note(store *s, const char *text, size_t n, error *e)
{
    store *below = series_whole(s);
    return below->writing->note(below, text, n, e);
}

static int32_t series_resume(store *s, int overwrite, char **record, error *e)
{
    const series *one = (const series *)s;
    return one->is_first ? one->below->writing->resume(one->below, overwrite, record, e) : 0;
}

static void series_release(store *s)
{
    const series *one = (const series *)s;
    if (one->is_first)
        one->below->writing->release(one->below);
}

static void series_set_sync(store *s)
{
    const series *one = (const series *)s;
    one->below->writing->set_sync(one->below);
}

static int32_t series_publish(store *s, error *e)
{
    const series *one = (const series *)s;
    if (!one->is_first)
        return NGFF_OK;
    int32_t status = one->below->writing->publish(one->below, e);
    memcpy(s->warning, one->below->warning, sizeof s->warning);
    return status;
}

static void series_abandon(store *s)
{
    const series *one = (const series *)s;
    if (one->is_first)
        one->below->writing->abandon(one->below);
}

static void series_free(store *s)
{
    series *one = (series *)s;
    if (one->is_first)
        one->below->ops->free(one->below);
    free(one->path);
    free(one);
}

/* -- Objects -------------------------------------------------------------------------------------------------------- */

static int32_t series_remove(store *s, const char *key, error *e)
{
    store *below = series_whole(s);
    char full[longest_key];
    return below->writing->remove(below, key_below(s, key, full), e);
}

static int32_t series_remove_chunks(store *s, const char *key, error *e)
{
    store *below = series_whole(s);
    char full[longest_key];
    return below->writing->remove_chunks(below, key_below(s, key, full), e);
}

static int32_t series_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    store *below = series_whole(s);
    char full[longest_key];
    return below->writing->put(below, key_below(s, key, full), bytes, n, e);
}

static int32_t series_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                           int *is_there, error *e)
{
    char full[longest_key];
    return store_find(series_whole(s), key_below(s, key, full), offset, n, bytes, n_read, is_there, e);
}

static int32_t series_find_into(store *s, const char *key, int64_t offset, void *bytes, size_t room, uint64_t *n_there,
                                int *is_there, error *e)
{
    char full[longest_key];
    return store_find_into(series_whole(s), key_below(s, key, full), offset, bytes, room, n_there, is_there, e);
}

static int32_t series_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e)
{
    char full[longest_key];
    return store_find_size(series_whole(s), key_below(s, key, full), n, is_there, e);
}

static void series_forget(store *s)
{
    store *below = series_whole(s);
    if (below->ops->forget)
        below->ops->forget(below);
}

static int32_t series_scratch_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    store *below = series_whole(s);
    char full[longest_key];
    return below->writing->scratch_put(below, scratch_below(s, key, full), bytes, n, e);
}

static int32_t series_scratch_get(store *s, const char *key, void *bytes, size_t n, error *e)
{
    store *below = series_whole(s);
    char full[longest_key];
    return below->writing->scratch_get(below, scratch_below(s, key, full), bytes, n, e);
}

typedef struct {
    const series *one;
    int32_t (*visit)(void *user, const char *key);
    void *user;
} visitor;

static int32_t visit_below(void *user, const char *key)
{
    const visitor *v = user;
    size_t n = strlen(v->one->prefix);
    return strncmp(key, v->one->prefix, n) == 0 ? v->visit(v->user, key + n) : NGFF_OK;
}

static int32_t series_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    store *below = series_whole(s);
    visitor v = {(const series *)s, visit, user};
    return below->ops->list(below, visit_below, &v, e);
}

/* -- Opening -------------------------------------------------------------------------------------------------------- */

store *series_whole(const store *s)
{
    return ((const series *)s)->below;
}

static const store_writing series_writing = {
    .begin = series_begin,
    .note = series_note,
    .resume = series_resume,
    .release = series_release,
    .set_sync = series_set_sync,
    .remove = series_remove,
    .remove_chunks = series_remove_chunks,
    .put = series_put,
    .publish = series_publish,
    .abandon = series_abandon,
    .scratch_put = series_scratch_put,
    .scratch_get = series_scratch_get,
};

store *series_open(store *s, const char *prefix, int is_first)
{
    series *one = calloc(1, sizeof *one);
    size_t room = (s->path ? strlen(s->path) : 0) + sizeof one->prefix + 2;
    char *path = s->path ? malloc(room) : NULL;
    if (!one || (s->path && !path)) {
        free(one);
        free(path);
        return NULL;
    }
    snprintf(one->prefix, sizeof one->prefix, "%s", prefix);
    if (path)
        snprintf(path, room, "%s/%.*s", s->path, (int)strlen(prefix) - 1, prefix);
    one->path = path;
    one->below = s;
    one->is_first = is_first;
    one->ops = (store_ops){.is_remote = s->ops->is_remote,
                           .find = series_find,
                           .find_into = series_find_into,
                           .find_size = series_find_size,
                           .forget = series_forget,
                           .list = series_list,
                           .free = series_free};
    one->base = (store){.ops = &one->ops,
                        .writing = &series_writing,
                        .path = path,
                        .refusal = s->refusal,
                        .unread = s->unread,
                        .is_cancelled = s->is_cancelled,
                        .threads = s->threads};
    return &one->base;
}
