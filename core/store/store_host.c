/* store_host.c: stores of the host. An ngff_store gives its five calls a root path, "/host:NUMBER:NAME", and the protocol of
 * object stores asks for what is below it as for objects of a server.
 *
 * The tables of calls have paths only; so each call looks up whose path it is. That makes the end of a store simple: it is
 * taken off the list, which waits for the calls under way, and whoever still has its path finds nothing there. Nobody
 * has to know who uses it. */
#include "store/store_host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/local.h"
#include "store/object_store.h"
#include "store/owner.h"
#include "store/zip.h"

struct ngff_store {
    ngff_store *next;
    ngff_store_calls calls;
    error error;
    char *path;
    size_t n_path; /* without a '/' at the end, as in "s3:/" + "/bucket/key" */
    int n_calls;   /* under way */
    long process;  /* whose calls these are: in a child of fork none is under way */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t call_ended = PTHREAD_COND_INITIALIZER;
static ngff_store *stores;

/* -- A call -------------------------------------------------------------------------------------------------------- */

/* The store of a path, which then has a call under way, and the key behind its root; NULL if it has ended. */
static ngff_store *call_begin(const char *path, const char **key, char cause[256])
{
    pthread_mutex_lock(&lock);
    ngff_store *s = stores;
    while (s && (strncmp(path, s->path, s->n_path) != 0 || (path[s->n_path] && path[s->n_path] != '/')))
        s = s->next;
    if (s)
        s->n_calls++;
    pthread_mutex_unlock(&lock);
    *key = s ? path + s->n_path + strspn(path + s->n_path, "/") : "";
    if (!s)
        snprintf(cause, 256, "this store of the host has ended, or never was");
    else
        cause[0] = 0;
    return s;
}

static void call_end(ngff_store *s)
{
    pthread_mutex_lock(&lock);
    if (--s->n_calls == 0)
        pthread_cond_broadcast(&call_ended);
    pthread_mutex_unlock(&lock);
}

/* What a host has said, as errno. One that says no cause gets the name of its status. */
static int meaning_of(int32_t status, char cause[256])
{
    if (status != NGFF_OK && !cause[0])
        snprintf(cause, 256, "%s", ngff_status_text(status));
    return status == NGFF_OK            ? 0
           : status == NGFF_E_NOT_FOUND ? ENOENT
           : status == NGFF_E_EXISTS    ? EEXIST
           : status == NGFF_E_AGAIN     ? EAGAIN
           : status == NGFF_E_REFUSED   ? EPERM
           : status == NGFF_E_MEMORY    ? ENOMEM
                                        : EIO;
}

static int host_write(const char *path, const void *bytes, size_t n, int must_be_new, char cause[256])
{
    const char *key;
    ngff_store *s = call_begin(path, &key, cause);
    if (!s)
        return EIO;
    int number = meaning_of(s->calls.write(s->calls.user, key, bytes, (int64_t)n, must_be_new, cause, 256), cause);
    call_end(s);
    return number == ENOENT || (number == EEXIST && !must_be_new) ? EIO : number; /* no answers to this question */
}

/* -- Reading ------------------------------------------------------------------------------------------------------- */

/* Where the bytes of a read go: into a new buffer, or into the caller's. */
typedef struct {
    uint8_t *bytes;
    int is_callers;
    int64_t n, most; /* -1: any number */
} room;

static void *give_room(void *to, int64_t n)
{
    room *r = to;
    if (n < 0 || (r->most >= 0 && n > r->most) || (uint64_t)n >= SIZE_MAX)
        return NULL;
    if (!r->is_callers) {
        free(r->bytes);
        r->bytes = malloc((size_t)n + 1);
    }
    if (r->bytes)
        r->n = n;
    return r->bytes;
}

/* The bytes that a read of an object of this size gives. */
static int64_t bytes_due(int64_t size, int64_t offset, int64_t n)
{
    int64_t first = offset >= 0 ? offset : n > 0 && size > n ? size - n : 0;
    int64_t rest = size > first ? size - first : 0;
    return n > 0 && n < rest ? n : rest;
}

/* *size: -1 where the host has not said it. */
static int read_into(const char *path, int64_t offset, int64_t n, room *r, int64_t *size, char cause[256])
{
    const char *key;
    ngff_store *s = call_begin(path, &key, cause);
    *size = -1;
    if (!s)
        return EIO;
    int number = meaning_of(s->calls.read(s->calls.user, key, offset, n, give_room, r, size, cause, 256), cause);
    call_end(s);
    int64_t due = *size >= 0 ? bytes_due(*size, offset, n) : r->n;
    if (number == 0 && r->n != due) {
        snprintf(cause, 256, "the host's store gave %lld bytes instead of %lld", (long long)r->n, (long long)due);
        number = EIO;
    }
    return number == EEXIST ? EIO : number;
}

static int host_size(const char *path, uint64_t *n, char cause[256])
{
    const char *key;
    int64_t size = -1;
    ngff_store *s = call_begin(path, &key, cause);
    if (!s)
        return EIO;
    int number = meaning_of(s->calls.size(s->calls.user, key, &size, cause, 256), cause);
    call_end(s);
    if (number == 0 && size < 0) {
        snprintf(cause, 256, "the host's store told no size");
        number = EIO;
    }
    *n = number ? 0 : (uint64_t)size;
    return number == EEXIST ? EIO : number;
}

static int host_read_file(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    room r = {.most = n > 0 ? (int64_t)n : -1};
    int64_t size;
    *bytes = NULL;
    int number = read_into(path, offset, (int64_t)n, &r, &size, cause);
    if (!number && !r.bytes && !give_room(&r, 0)) { /* nothing was given, and nothing is there */
        snprintf(cause, 256, "out of memory");
        number = ENOMEM;
    }
    if (number) {
        free(r.bytes);
        return number;
    }
    r.bytes[r.n] = 0;
    *bytes = r.bytes;
    *n_read = (size_t)r.n;
    return 0;
}

static int host_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, uint64_t *size,
                     char cause[256])
{
    return bytes ? host_read_file(path, offset, n, bytes, n_read, cause) : host_size(path, size, cause);
}

static int host_remove(const char *path, char cause[256])
{
    const char *key;
    ngff_store *s = call_begin(path, &key, cause);
    if (!s)
        return EIO;
    int number = meaning_of(s->calls.remove(s->calls.user, key, cause, 256), cause);
    call_end(s);
    return number == ENOENT ? 0 : number == EEXIST ? EIO : number;
}

/* -- Lists --------------------------------------------------------------------------------------------------------- */

typedef struct {
    name_list names;
    const char *prefix;
    int is_recursive;
} listing;

/* Keys of the host as names below the prefix: whole, or their first part, once where the same follow each other. */
static int32_t take_key(void *to, const char *key)
{
    listing *l = to;
    size_t n = strlen(l->prefix);
    if (strncmp(key, l->prefix, n) != 0 || !key[n])
        return NGFF_OK;
    const char *name = key + n;
    size_t length = l->is_recursive ? strlen(name) : strcspn(name, "/");
    const char *last = l->names.n > 0 ? l->names.names[l->names.n - 1] : NULL;
    if (last && strlen(last) == length && strncmp(last, name, length) == 0)
        return NGFF_OK;
    char *copy = malloc(length + 1);
    if (copy) {
        memcpy(copy, name, length);
        copy[length] = 0;
    }
    return add_name(&l->names, copy) == 0 ? NGFF_OK : NGFF_E_MEMORY;
}

/* A place that cannot be listed answers as a server that does not let anybody. */
static int host_list(const char *path, int is_recursive, char ***names, char cause[256])
{
    listing l = {.is_recursive = is_recursive};
    const char *key;
    *names = NULL;
    ngff_store *s = call_begin(path, &key, cause);
    if (!s)
        return EIO;
    char *prefix = key[0] ? join(key, "") : strdup("");
    l.prefix = prefix;
    int number = !prefix ? ENOMEM
                 : s->calls.list
                     ? meaning_of(s->calls.list(s->calls.user, prefix, is_recursive, take_key, &l, cause, 256), cause)
                     : EPERM;
    call_end(s);
    free(prefix);
    if (number == 0 && !l.names.names)
        l.names.names = calloc(1, sizeof *l.names.names);
    if (number == 0 && !l.names.names)
        number = ENOMEM;
    if (number == 0)
        *names = l.names.names;
    else
        free_names(l.names.names);
    return number == EEXIST ? EIO : number;
}

/* -- The tables ---------------------------------------------------------------------------------------------------- */

/* Nothing is remembered here. */
static void forget(const char *path)
{
    (void)path;
}

static double retry_delay(const char *path)
{
    const char *key;
    char cause[256];
    ngff_store *s = call_begin(path, &key, cause);
    double seconds = s ? s->calls.retry_delay : 0;
    if (s)
        call_end(s);
    return seconds > 0 ? seconds : 0.5;
}

static const char *temporary_folder(void)
{
    static const char *const names[] = {"TMPDIR", "TEMP", "TMP"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *folder = getenv(names[i]);
        if (folder && folder[0])
            return folder;
    }
    return "/tmp";
}

static char *temporary_path(void)
{
    char word[64], name[80];
    owner_unique(word);
    snprintf(name, sizeof name, "omezarr-%s", word);
    char *folder = local_path(temporary_folder()), *path = folder ? join(folder, name) : NULL;
    free(folder);
    return path;
}

static const object_calls host_calls = {
    .write = host_write,
    .read = host_read,
    .remove = host_remove,
    .list = host_list,
    .forget = forget,
    .forget_list = forget,
    .retry_delay = retry_delay,
    .temporary_path = temporary_path,
    .temporary_setting = "TMPDIR",
    .files = &local_calls,
};

/* An object as a file that is only read: one that holds a whole store. */
static int file_look(const char *path, path_state *what, char cause[256])
{
    *what = (path_state){.kind = KIND_FILE};
    int number = host_size(path, &what->size, cause);
    if (number == ENOENT)
        what->kind = KIND_NONE;
    return number == ENOENT ? 0 : number;
}

static int file_read_into(const char *path, int64_t offset, void *bytes, size_t n, uint64_t *n_there, char cause[256])
{
    room r = {.bytes = bytes, .is_callers = 1, .most = (int64_t)n};
    int64_t size;
    int number = read_into(path, offset, (int64_t)n, &r, &size, cause);
    *n_there = number ? 0 : size > offset ? (uint64_t)(size - offset) : (uint64_t)r.n;
    return number;
}

static const folder_calls file_calls = {
    .look = file_look, .read_file = host_read_file, .read_into = file_read_into, .measure = host_size};

store *store_host_open(const char *path)
{
    const char *key;
    char cause[256];
    int is_file = zip_is_name(path);
    store *opened = is_file ? folder_open(path, &file_calls) : object_store_open(path, &host_calls);
    ngff_store *s = opened ? call_begin(path, &key, cause) : NULL;
    if (s && (!s->calls.write || !s->calls.list))
        opened->refusal = "this store of the host is only read; write to a folder, or to another store";
    else if (opened && is_file)
        opened->refusal = "one file (.ozx) is made on a disk; write it there and copy it";
    if (s)
        call_end(s);
    return opened;
}

/* -- The handle ---------------------------------------------------------------------------------------------------- */

ngff_store *ngff_store_create(const ngff_store_calls *calls, const char *name)
{
    static int last_number;
    ngff_store *s = calloc(1, sizeof *s);
    size_t room = strlen(STORE_HOST_BEGIN) + (name ? strlen(name) : 0) + 16;
    if (!s || !(s->path = malloc(room))) {
        free(s);
        return NULL;
    }
    s->process = (long)getpid();
    s->path[0] = 0;
    if (!calls || !name || !name[0])
        error_set(&s->error, NGFF_E_ARGUMENT, "a store of the host has calls and a name");
    else if (!calls->read || !calls->size || !calls->write != !calls->remove || (calls->write && !calls->list))
        error_set(&s->error, NGFF_E_ARGUMENT,
                  "the store %s: read and size are needed, and write, remove and list to write to it", name);
    if (s->error.status != NGFF_OK)
        return s;
    s->calls = *calls;
    pthread_mutex_lock(&lock);
    s->n_path = (size_t)snprintf(s->path, room, "%s%d:%s", STORE_HOST_BEGIN, ++last_number, name);
    while (s->path[s->n_path - 1] == '/')
        s->n_path--;
    s->next = stores;
    stores = s;
    pthread_mutex_unlock(&lock);
    return s;
}

int32_t ngff_store_status(const ngff_store *store)
{
    return store ? store->error.status : NGFF_E_ARGUMENT;
}

const char *ngff_store_error(const ngff_store *store)
{
    return store ? store->error.message : "the store is NULL";
}

const char *ngff_store_path(const ngff_store *store)
{
    return store ? store->path : "";
}

void ngff_store_free(ngff_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&lock);
    for (ngff_store **link = &stores; *link; link = &(*link)->next)
        if (*link == store) {
            *link = store->next;
            break;
        }
    while (store->n_calls > 0 && store->process == (long)getpid())
        pthread_cond_wait(&call_ended, &lock);
    pthread_mutex_unlock(&lock);
    free(store->path);
    free(store);
}
