/* store_memory.c: a store in memory, for tests: no file system, and puts that can be made to fail. */
#include "store/store_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct object {
    struct object *next;
    char *key;
    uint8_t *bytes;
    size_t n;
} object;

typedef struct {
    store base;
    pthread_mutex_t lock;
    object *first, *scratch;
    int is_published, is_update, is_resumed;
    char *record;
    size_t n_record;
    int64_t puts_until_failure, n_scratch;
    const char *unreadable; /* key, or NULL */
} memory;

/* The link that points to the object, or to NULL. */
static object **find(object **first, const char *key)
{
    while (*first && strcmp((*first)->key, key) != 0)
        first = &(*first)->next;
    return first;
}

static void remove_first(object **link)
{
    object *o = *link;
    *link = o->next;
    free(o->key);
    free(o->bytes);
    free(o);
}

static void remove_all(object **first)
{
    while (*first)
        remove_first(first);
}

static int32_t memory_begin(store *s, int overwrite, error *e)
{
    memory *m = (memory *)s;
    if (m->is_published && !overwrite)
        return error_set(e, NGFF_E_EXISTS, "the memory store exists; use OVERWRITE=YES to replace it");
    if (m->is_published) {
        remove_all(&m->first);
        m->is_published = 0;
    }
    return NGFF_OK;
}

/* Stores a copy in a list; the lock is held. Returns 0 when memory is out. */
static int keep(object **first, const char *key, const void *bytes, size_t n)
{
    object **link = find(first, key), *o = calloc(1, sizeof *o);
    if (o) {
        o->key = strdup(key);
        o->bytes = malloc(n + 1);
    }
    if (!o || !o->key || !o->bytes) {
        if (o)
            remove_first(&o);
        return 0;
    }
    memcpy(o->bytes, bytes, n);
    o->bytes[n] = 0;
    o->n = n;
    if (*link)
        remove_first(link);
    o->next = *first;
    *first = o;
    return 1;
}

static int32_t put(memory *m, object **first, const char *key, const void *bytes, size_t n, error *e)
{
    pthread_mutex_lock(&m->lock);
    int fails = m->puts_until_failure >= 0 && m->puts_until_failure-- == 0;
    int is_kept = !fails && keep(first, key, bytes, n);
    pthread_mutex_unlock(&m->lock);
    return is_kept ? NGFF_OK : error_set(e, NGFF_E_STORAGE, "cannot write %s: the test said so", key);
}

/* The record is an object beside the others, so that tests see it. */
static int32_t memory_note(store *s, const char *text, size_t n, error *e)
{
    memory *m = (memory *)s;
    pthread_mutex_lock(&m->lock);
    char *more = realloc(m->record, m->n_record + n + 1);
    if (more) {
        memcpy(more + m->n_record, text, n);
        m->n_record += n;
        more[m->n_record] = 0;
        m->record = more;
    }
    pthread_mutex_unlock(&m->lock);
    return more ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

static int32_t memory_resume(store *s, int overwrite, char **record, error *e)
{
    memory *m = (memory *)s;
    (void)overwrite;
    if (!m->record)
        return 0;
    *record = strdup(m->record);
    m->is_resumed = 1;
    return *record ? 1 : error_set(e, NGFF_E_MEMORY, "out of memory");
}

static void memory_release(store *s)
{
    (void)s;
}

static void memory_set_sync(store *s)
{
    (void)s;
}

static int32_t memory_begin_update(store *s, error *e)
{
    memory *m = (memory *)s;
    m->is_update = 1;
    return m->is_published ? NGFF_OK : error_set(e, NGFF_E_NOT_FOUND, "the memory store is empty");
}

static int32_t mark_dirty(memory *m, error *e)
{
    pthread_mutex_lock(&m->lock);
    int is_there = m->base.is_unmarked || *find(&m->first, STORE_DIRTY_KEY) != NULL;
    pthread_mutex_unlock(&m->lock);
    return is_there ? NGFF_OK : put(m, &m->first, STORE_DIRTY_KEY, "", 0, e);
}

/* Removes what is key or lies below it. */
static int32_t remove_below(memory *m, const char *key, int chunks_only, error *e)
{
    size_t n = strlen(key);
    if (mark_dirty(m, e) != NGFF_OK)
        return e->status;
    pthread_mutex_lock(&m->lock);
    for (object **link = &m->first; *link;) {
        const char *name = strrchr((*link)->key, '/');
        int is_below = strncmp((*link)->key, key, n) == 0 && ((*link)->key[n] == '/' || !(*link)->key[n]);
        if (is_below && !(chunks_only && is_zarr_document(name ? name + 1 : (*link)->key)))
            remove_first(link);
        else
            link = &(*link)->next;
    }
    pthread_mutex_unlock(&m->lock);
    return NGFF_OK;
}

static int32_t memory_remove(store *s, const char *key, error *e)
{
    return remove_below((memory *)s, key, 0, e);
}

static int32_t memory_remove_chunks(store *s, const char *key, error *e)
{
    return remove_below((memory *)s, key, 1, e);
}

static int32_t memory_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    memory *m = (memory *)s;
    if (m->is_update)
        return mark_dirty(m, e) == NGFF_OK ? put(m, &m->first, key, bytes, n, e) : e->status;
    pthread_mutex_lock(&m->lock);
    int is_there = *find(&m->first, key) != NULL;
    pthread_mutex_unlock(&m->lock);
    if (is_there && !m->is_resumed)
        return error_set(e, NGFF_E_STATE, "%s was put twice", key);
    return put(m, &m->first, key, bytes, n, e);
}

static int32_t memory_publish(store *s, error *e)
{
    memory *m = (memory *)s;
    (void)e;
    remove_all(&m->scratch);
    object **mark = find(&m->first, STORE_DIRTY_KEY);
    if (*mark && !s->is_unmarked)
        remove_first(mark);
    free(m->record);
    m->record = NULL;
    m->n_record = 0;
    m->is_published = 1;
    m->is_update = 0;
    return NGFF_OK;
}

static void memory_abandon(store *s)
{
    memory *m = (memory *)s;
    if (!m->is_published)
        remove_all(&m->first);
    remove_all(&m->scratch);
}

static int32_t memory_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                           int *is_there, error *e)
{
    memory *m = (memory *)s;
    int32_t status = NGFF_OK;
    *bytes = NULL;
    pthread_mutex_lock(&m->lock);
    object *o = *find(&m->first, key);
    *is_there = o != NULL;
    if (o && m->unreadable && strcmp(key, m->unreadable) == 0) {
        *is_there = 0;
        status = error_set(e, NGFF_E_STORAGE, "cannot read %s: the test said so", key);
    } else if (o) {
        size_t begin = offset < 0 && n > 0 ? (o->n > n ? o->n - n : 0) : (size_t)offset < o->n ? (size_t)offset : o->n;
        if (n == 0 || n > o->n - begin)
            n = o->n - begin;
        *bytes = malloc(n + 1);
        status = *bytes ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory reading %s", key);
        if (*bytes) {
            memcpy(*bytes, o->bytes + begin, n);
            (*bytes)[n] = 0;
            *n_read = n;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int32_t memory_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e)
{
    memory *m = (memory *)s;
    (void)e;
    pthread_mutex_lock(&m->lock);
    object *o = *find(&m->first, key);
    *is_there = o != NULL;
    if (o)
        *n = o->n;
    pthread_mutex_unlock(&m->lock);
    return NGFF_OK;
}

static int32_t memory_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    memory *m = (memory *)s;
    int32_t status = NGFF_OK;
    for (const object *o = m->first; o && status == NGFF_OK; o = o->next)
        status = visit(user, o->key);
    return status < 0 ? error_set(e, status, "the list of objects was not finished") : NGFF_OK;
}

static int32_t memory_scratch_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    memory *m = (memory *)s;
    int32_t status = put(m, &m->scratch, key, bytes, n, e);
    pthread_mutex_lock(&m->lock);
    m->n_scratch++;
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int32_t memory_scratch_get(store *s, const char *key, void *bytes, size_t n, error *e)
{
    memory *m = (memory *)s;
    pthread_mutex_lock(&m->lock);
    object **link = find(&m->scratch, key);
    int is_right = *link && (*link)->n == n;
    if (is_right)
        memcpy(bytes, (*link)->bytes, n);
    if (*link)
        remove_first(link);
    pthread_mutex_unlock(&m->lock);
    return is_right ? NGFF_OK : error_set(e, NGFF_E_STORAGE, "the scratch object %s is not there", key);
}

static void memory_free(store *s)
{
    memory *m = (memory *)s;
    remove_all(&m->first);
    remove_all(&m->scratch);
    free(m->record);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const store_ops memory_ops = {
    .find = memory_find,
    .find_size = memory_find_size,
    .list = memory_list,
    .free = memory_free,
};

static const store_writing memory_writing = {
    .begin = memory_begin,
    .note = memory_note,
    .resume = memory_resume,
    .release = memory_release,
    .set_sync = memory_set_sync,
    .begin_update = memory_begin_update,
    .remove = memory_remove,
    .remove_chunks = memory_remove_chunks,
    .put = memory_put,
    .publish = memory_publish,
    .abandon = memory_abandon,
    .scratch_put = memory_scratch_put,
    .scratch_get = memory_scratch_get,
};

store *store_memory_open(void)
{
    memory *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->base.ops = &memory_ops;
    m->base.writing = &memory_writing;
    m->puts_until_failure = -1;
    pthread_mutex_init(&m->lock, NULL);
    return &m->base;
}

void store_memory_fail_after(store *s, int64_t n_puts)
{
    ((memory *)s)->puts_until_failure = n_puts;
}

void store_memory_fail_read(store *s, const char *key)
{
    ((memory *)s)->unreadable = key;
}

void store_memory_visit(store *s, void (*visit)(void *, const char *, const uint8_t *, size_t), void *user)
{
    for (object *o = ((memory *)s)->first; o; o = o->next)
        visit(user, o->key, o->bytes, o->n);
}

int64_t store_memory_scratch_count(store *s)
{
    return ((memory *)s)->n_scratch;
}

int store_memory_is_published(store *s)
{
    return ((memory *)s)->is_published;
}
