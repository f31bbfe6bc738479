/* object_store.c: see object_store.h. */
#include "store/object_store.h"
#include "base/sha256.h"
#include "store/ngff_root.h"
#include "store/owner.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* -- Attempts ------------------------------------------------------------------------------------------------------ */

/* True, after a pause, if a request that has failed shall be made again. attempt: its number, from 1. */
static int is_tried_again(const object_calls *calls, const char *path, int attempt)
{
    enum { n_attempts = 5 };
    if (attempt >= n_attempts)
        return 0;
    double seconds = calls->retry_delay(path) * (1 << (attempt - 1));
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&pause, NULL);
    return 1;
}

static int give_up(int failure, char cause[256])
{
    if (failure != EAGAIN)
        return failure;
    size_t n = strlen(cause);
    snprintf(cause + n, 256 - n, "; tried several times: is the server reachable, are the credentials valid?");
    return EIO;
}

/* A lost answer does no harm: the same bytes are stored again. */
int object_write(const object_calls *calls, const char *path, const void *bytes, size_t n, int must_be_new,
                 char cause[256])
{
    int failure, attempt = 0;
    do
        failure = calls->write(path, bytes, n, must_be_new, cause);
    while (failure == EAGAIN && is_tried_again(calls, path, ++attempt));
    return give_up(failure, cause);
}

int object_read(const object_calls *calls, const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                uint64_t *size, char cause[256])
{
    int failure, attempt = 0;
    do
        failure = calls->read(path, offset, n, bytes, n_read, size, cause);
    while (failure == EAGAIN && is_tried_again(calls, path, ++attempt));
    return give_up(failure, cause);
}

/* Where an answer was lost, the second request finds nothing. */
int object_remove(const object_calls *calls, const char *path, char cause[256])
{
    int failure, attempt = 0;
    do
        failure = calls->remove(path, cause);
    while (failure == EAGAIN && is_tried_again(calls, path, ++attempt));
    return give_up(failure, cause);
}

/* -- One object ---------------------------------------------------------------------------------------------------- */

/* The claim: one object, put before all others, only where there is none. It names its owner, and whether the place was
 * found free ("writing"): only then may the next run remove what a dead owner left. As its key is known, a list that
 * does not show it is no list: GDAL tells a refused one from an empty one no other way. */
static const char claim_key[] = ".omezarr-claim", takeover_key[] = ".omezarr-takeover-";

typedef struct object_store {
    store base;
    struct object_store *next; /* of those with a token */
    const object_calls *calls;
    char *path, *scratch;
    long scratch_process; /* that has made the folder of scratch, and removes it */
    int is_claimed;
    long process;    /* that has made the claim: a child of fork inherits none */
    char name[120];  /* of this store in this process, and the start of the process before it: START/STORE */
    char token[400]; /* of the claim: process, machine, name */
    char root_key[16];
    uint8_t *root; /* the document that makes it an image: put by publish */
    size_t n_root;
    int is_update, is_dirty;
    int n_notes;          /* objects of the record */
    char job[64];         /* several programs write it: which store it will be; or "" */
    int is_ending;        /* this one puts the parts together */
    int is_there;         /* they have been, and the root is there */
    time_t looked;        /* at the claim, whether it is still the job's */
    pthread_mutex_t lock; /* scratch, is_dirty */
} object_store;

static char *object_path(const object_store *o, const char *key)
{
    return join(o->path, key);
}

/* Who may not list is told "forbidden" instead of "not there". A chunk must not turn into fill, so this is an error;
 * who asks for something that need not be there knows by its mark. */
static int32_t cannot_read(const char *path, int failure, const char *cause, error *e)
{
    e->is_refusal |= e->status == NGFF_OK && failure == EPERM;
    return error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path, cause);
}

static int32_t object_store_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                                 int *is_there, error *e)
{
    char cause[256] = "";
    uint64_t size = 0;
    const object_store *o = (const object_store *)s;
    char *path = object_path(o, key);
    *bytes = NULL;
    int failure = !path              ? ENOMEM
                  : s->is_asked_once ? o->calls->read(path, offset, n, bytes, n_read, &size, cause)
                                     : object_read(o->calls, path, offset, n, bytes, n_read, &size, cause);
    *is_there = !failure;
    int32_t status = failure && failure != ENOENT ? cannot_read(path ? path : key, failure, cause, e) : NGFF_OK;
    free(path);
    return status;
}

static int32_t put_object(object_store *o, const char *key, const void *bytes, size_t n, int must_be_new, error *e)
{
    char cause[256] = "";
    char *path = object_path(o, key);
    int failure = path ? object_write(o->calls, path, bytes, n, must_be_new, cause) : ENOMEM;
    int32_t status = NGFF_OK;
    if (failure == EEXIST && must_be_new)
        status = NGFF_E_EXISTS; /* the caller knows what it means */
    else if (failure)
        status = error_set(e, NGFF_E_STORAGE, "cannot write %s (%zu bytes): %s", path ? path : key, n, cause);
    free(path);
    return status;
}

/* -- The claim ----------------------------------------------------------------------------------------------------- */

static int is_claim(const char *name)
{
    return strcmp(name, claim_key) == 0;
}

/* The names below the place (all of them, or those at the top), or NULL where the list cannot be trusted. */
static char **trusted_list(const object_store *o, int is_recursive)
{
    for (int attempt = 1;; attempt++) {
        char **names = NULL, cause[256];
        o->calls->forget(o->path);
        o->calls->list(o->path, is_recursive, &names, cause); /* a failure gives none */
        for (int i = 0; names && names[i]; i++)
            if (is_claim(names[i]))
                return names;
        free_names(names);
        if (!is_tried_again(o->calls, o->path, attempt))
            return NULL;
    }
}

static int32_t cannot_list(const object_store *o, error *e)
{
    return error_set(e, NGFF_E_STORAGE,
                     "%s cannot be listed, so nobody knows what is there; are the credentials allowed to list?",
                     o->path);
}

/* Removes all objects but the claim, the documents of the root first: an interrupted removal is no image. */
static int32_t remove_objects(object_store *o, error *e)
{
    static const char *const roots[] = {"zarr.json", ".zattrs", ".zgroup", ".zmetadata"};
    for (int round = 0; round < 4; round++) {
        char **keys = trusted_list(o, 1);
        int n_left = 0;
        if (!keys)
            return cannot_list(o, e);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; keys[i]; i++) {
                int is_root = 0;
                for (size_t k = 0; k < sizeof roots / sizeof roots[0]; k++)
                    is_root |= strcmp(keys[i], roots[k]) == 0;
                size_t n = strlen(keys[i]);
                if (n == 0 || keys[i][n - 1] == '/' || is_claim(keys[i]) || is_root != (pass == 0))
                    continue;
                /* The first that cannot be removed ends it: with a server that is gone each would take its time. */
                char *path = object_path(o, keys[i]), cause[256] = "";
                if (e->status == NGFF_OK && (!path || object_remove(o->calls, path, cause) != 0))
                    error_set(e, NGFF_E_STORAGE, "%s/%s cannot be removed: %s", o->path, keys[i], cause);
                free(path);
                n_left++;
            }
        free_names(keys);
        if (n_left == 0 || e->status != NGFF_OK)
            return e->status;
    }
    return error_set(e, NGFF_E_STORAGE, "the objects below %s cannot be removed", o->path);
}

static void remove_own(object_store *o, const char *key)
{
    char *path = object_path(o, key), cause[256];
    if (path)
        object_remove(o->calls, path, cause);
    free(path);
}

static void remove_claim(object_store *o)
{
    remove_own(o, claim_key);
}

/* The stores that this process may have claimed. A claim of this process that is none of theirs was left where the
 * server did not let it be removed, as with credentials that had expired. */
static pthread_mutex_t living_lock = PTHREAD_MUTEX_INITIALIZER;
static object_store *living;

static void live(object_store *o)
{
    pthread_mutex_lock(&living_lock);
    o->next = living;
    living = o;
    pthread_mutex_unlock(&living_lock);
}

static void end_living(object_store *o)
{
    pthread_mutex_lock(&living_lock);
    for (object_store **link = &living; *link; link = &(*link)->next)
        if (*link == o) {
            *link = o->next;
            break;
        }
    pthread_mutex_unlock(&living_lock);
}

static int is_living(const char *name)
{
    int is_one = 0;
    pthread_mutex_lock(&living_lock);
    for (const object_store *o = living; o; o = o->next)
        is_one |= strcmp(name, o->name) == 0;
    pthread_mutex_unlock(&living_lock);
    return is_one;
}

/* True if the token belongs to a process of this machine that has ended, or is none of this process any more.
 * was_writing: it had found the place free. */
static int is_token_dead(const char *token, int *was_writing)
{
    char host[128] = "", name[sizeof((object_store *)0)->name] = "", state[16] = "";
    long process = 0;
    int is_known = sscanf(token, "%ld %127s %119s %15s", &process, host, name, state) >= 2;
    *was_writing = strcmp(state, "writing") == 0;
    if (!is_known)
        return 0;
    char here[128], *start_end = strchr(name, '/');
    owner_machine(here);
    if (process == (long)getpid() && strcmp(host, here) == 0)
        return !is_living(name);
    if (start_end)
        *start_end = 0;
    return owner_is_gone(process, host, start_end ? name : ""); /* or it let go: process 0 */
}

/* For free(); NULL where there is none, or, with the error in e, where it cannot be read. */
static char *read_token(object_store *o, const char *key, error *e)
{
    uint8_t *text = NULL;
    size_t n = 0;
    int is_there;
    object_store_find(&o->base, key, 0, 0, &text, &n, &is_there, e);
    return (char *)text;
}

/* True if what is there by this key is our token; e: why it cannot be read. */
static int is_ours(object_store *o, const char *key, error *e)
{
    uint8_t *text = NULL;
    size_t n = 0;
    int is_there;
    int32_t status = object_store_find(&o->base, key, 0, 0, &text, &n, &is_there, e);
    int is_our_token =
        status == NGFF_OK && is_there && n >= strlen(o->token) && memcmp(text, o->token, strlen(o->token)) == 0;
    free(text);
    return is_our_token;
}

/* A child of fork has its parent's token, but not its claim. */
static int is_claim_ours(object_store *o)
{
    error ignored = {0};
    return o->process == (long)getpid() && is_ours(o, claim_key, &ignored);
}

/* The token of a job, whose process is none: it lives until somebody ends it. */
static const char job_start[] = "-1 job-";

/* The claim is a job's: its name. */
static int is_job(const char *token, char name[64], int *is_writing)
{
    char state[16] = "";
    size_t n = strlen(job_start);
    int n_words = token && strncmp(token, job_start, n) == 0 ? sscanf(token + n, "%63s - %15s", name, state) : 0;
    *is_writing = strcmp(state, "writing") == 0;
    return n_words >= 1;
}

static int32_t claimed_by_another(object_store *o, const char *key, error *e)
{
    error ignored = {0};
    char job[64] = "";
    int is_writing;
    char *token = read_token(o, key, &ignored);
    int is_of_job = is_job(token, job, &is_writing);
    free(token);
    if (is_of_job)
        return error_set(
            e, NGFF_E_EXISTS,
            "%s holds the parts (PART) of another run: of another source, with other options, another number "
            "of parts or by another version; `omezarr finish` or `omezarr abandon` ends it",
            o->path);
    return error_set(
        e, NGFF_E_EXISTS,
        "%s/%s exists: another program is writing %s, or was stopped on another machine; if none is, remove "
        "that object",
        o->path, key, o->path);
}

/* Puts our token where nothing is. */
static int32_t put_token(object_store *o, const char *key, error *e)
{
    int32_t status = put_object(o, key, o->token, strlen(o->token), 1, e);
    o->calls->forget(o->path);
    if (status == NGFF_E_EXISTS) /* another was faster, or it was our own request, whose answer was lost */
        status = NGFF_OK;
    if (status == NGFF_OK && !is_ours(o, key, e) && e->status == NGFF_OK)
        claimed_by_another(o, key, e);
    return status == NGFF_OK ? e->status : status;
}

/* Puts our token in the place of a dead one. Of several programs that find it dead only the one that has put a second
 * object may: its key is made of the dead token, so that it serves for this one alone, and who comes later finds
 * another token there. Who dies meanwhile leaves that object with its own token, which is taken over in the same way.
 */
static int32_t take_over(object_store *o, const char *key, const char *dead, int depth, error *e)
{
    enum { deepest = 8 };
    uint8_t digest[sha256_size];
    char hex[2 * sha256_size + 1], next[sizeof takeover_key + 16];
    error occupied = {0};
    sha256_of(dead, strlen(dead), digest);
    sha256_text(digest, hex);
    snprintf(next, sizeof next, "%s%.16s", takeover_key, hex);
    if (put_token(o, next, &occupied) != NGFF_OK) {
        int was_writing;
        char *other = occupied.status == NGFF_E_EXISTS && depth < deepest ? read_token(o, next, e) : NULL;
        int32_t status = other && is_token_dead(other, &was_writing) ? take_over(o, next, other, depth + 1, e)
                                                                     : error_copy(e, &occupied);
        free(other);
        if (status != NGFF_OK)
            return status;
    }
    char *still = read_token(o, key, e);
    if (still && strcmp(still, dead) == 0)
        put_object(o, key, o->token, strlen(o->token), 0, e);
    else
        claimed_by_another(o, key, e);
    free(still);
    o->calls->forget(o->path);
    remove_own(o, next);
    return e->status;
}

/* What was left by who died while they took a claim over: it served for a token that is no longer there. */
static void remove_takeovers(object_store *o)
{
    char **names = trusted_list(o, 0);
    for (int i = 0; names && names[i]; i++)
        if (strncmp(names[i], takeover_key, sizeof takeover_key - 1) == 0)
            remove_own(o, names[i]);
    free_names(names);
}

/* The token says now that its owner has begun to write. */
static void say_writing(object_store *o)
{
    static const char word[] = " writing";
    size_t n = strlen(o->token);
    if (n < sizeof word || strcmp(o->token + n - (sizeof word - 1), word) != 0)
        snprintf(o->token + n, sizeof o->token - n, "%s", word);
}

/* Puts the claim, or another object that one program has at a time. was_dead: it was taken over from a dead owner who had
 * begun to write. */
static int32_t claim(object_store *o, const char *key, int *was_dead, error *e)
{
    static unsigned counter;
    char host[128] = "";
    uint64_t size = 0;
    if (o->base.refusal)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", o->path, o->base.refusal);
    char *path = object_path(o, key), cause[256];
    if (!path)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    char start[64];
    owner_machine(host);
    owner_start((long)getpid(), start);
    snprintf(o->name, sizeof o->name, "%s/%p-%u", start, (void *)o, __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    o->process = (long)getpid();
    snprintf(o->token, sizeof o->token, "%ld %s %s", (long)getpid(), host, o->name);
    live(o);
    o->calls->forget(o->path);
    /* A server that ignores the condition would let us overwrite another's claim: look first. */
    int failure = object_read(o->calls, path, 0, 0, NULL, NULL, &size, cause);
    /* Who may not list is told that it is forbidden: what is put then tells. */
    if (failure && failure != ENOENT && failure != EACCES && failure != EPERM)
        error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path, cause);
    free(path);
    if (failure)
        return e->status == NGFF_OK ? put_token(o, key, e) : e->status;
    char *dead = read_token(o, key, e);
    if (e->status != NGFF_OK) {
        free(dead);
        return e->status;
    }
    int is_dead = dead && is_token_dead(dead, was_dead);
    if (is_dead && *was_dead) /* from the first moment: who dies now leaves what the dead one had written */
        say_writing(o);
    if (!is_dead)
        claimed_by_another(o, key, e);
    else if (take_over(o, key, dead, 0, e) == NGFF_OK)
        remove_takeovers(o);
    free(dead);
    return e->status;
}

/* What is at the place: 2 an OME-Zarr, 1 something else, if that is allowed, 0 nothing, or an error. */
static int32_t look_at_place(object_store *o, int32_t may_be_anything, error *e)
{
    static const char *const roots[] = {"zarr.json", ".zattrs"};
    char **names = trusted_list(o, 0);
    int is_ngff = 0, n_foreign = 0;
    if (!names)
        return cannot_list(o, e);
    for (int i = 0; names[i]; i++)
        n_foreign += names[i][0] && !is_claim(names[i]);
    for (int i = 0; i < 2 && n_foreign > 0; i++) {
        uint8_t *text = NULL;
        size_t n = 0;
        int is_there;
        int32_t status = object_store_find(&o->base, roots[i], 0, 0, &text, &n, &is_there, e);
        is_ngff |= status == NGFF_OK && is_there && looks_like_ngff(text, n);
        free(text);
    }
    free_names(names);
    if (e->status != NGFF_OK)
        return e->status;
    if (!is_ngff && n_foreign > 0 && !may_be_anything)
        return error_set(e, NGFF_E_EXISTS,
                         "%s holds objects that are no OME-Zarr; they are left untouched, choose another name",
                         o->path);
    return is_ngff ? 2 : n_foreign > 0;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int is_document_of_node(const char *key)
{
    static const char *const documents[] = {"/zarr.json", "/.zgroup", "/.zarray", "/METADATA.ome.xml"};
    const char *rest = strchr(key, '/');
    for (size_t i = 0; rest && i < sizeof documents / sizeof documents[0]; i++)
        if (strcmp(rest, documents[i]) == 0)
            return 1;
    return 0;
}

static int32_t refuse(const object_store *o, const char *key, size_t n, error *e)
{
    return error_set(e, NGFF_E_EXISTS,
                     "%s holds '%.*s', which is no part of an OME-Zarr; move it away before overwriting", o->path,
                     (int)n, key);
}

/* Refuses an OME-Zarr with objects of others in it: at its top are only documents, and folders that are nodes; in these
 * what is_key_of_store knows. */
static int32_t refuse_foreign(const object_store *o, error *e)
{
    static const char own[] = ".omezarr-"; /* claim, record, mark */
    char **keys = trusted_list(o, 1);
    if (!keys)
        return cannot_list(o, e);
    size_t n_keys = 0;
    while (keys[n_keys])
        n_keys++;
    qsort(keys, n_keys, sizeof *keys, compare_keys); /* so that what is below one name stands together */
    for (size_t first = 0, last = 0; first < n_keys && e->status == NGFF_OK; first = last) {
        size_t n = strcspn(keys[first], "/");
        int belongs = n == 0 || strncmp(keys[first], own, sizeof own - 1) == 0 || is_zarr_document(keys[first]);
        for (; last < n_keys && strncmp(keys[last], keys[first], n) == 0 &&
               (last == first || (keys[first][n] == '/' && keys[last][n] == '/'));
             last++)
            belongs |= is_document_of_node(keys[last]);
        if (!belongs)
            refuse(o, keys[first], n, e);
        for (size_t i = first; i < last && e->status == NGFF_OK; i++)
            if (keys[i][n] == '/' && !is_key_of_store(keys[i]))
                refuse(o, keys[i], strlen(keys[i]), e);
    }
    free_names(keys);
    return e->status;
}

/* The claim says now that the place was found free, or is our own. */
static int32_t claim_place(object_store *o, error *e)
{
    say_writing(o);
    return put_object(o, claim_key, o->token, strlen(o->token), 0, e);
}

static int32_t object_store_begin(store *s, int overwrite, error *e)
{
    object_store *o = (object_store *)s;
    int was_dead = 0;
    if (claim(o, claim_key, &was_dead, e) != NGFF_OK)
        return e->status;
    int32_t is_occupied = look_at_place(o, was_dead, e);
    if (is_occupied == 2 && !overwrite) /* also where a dead overwrite had not come to remove it */
        error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", o->path);
    if (e->status == NGFF_OK && is_occupied == 2)
        refuse_foreign(o, e);
    if (e->status == NGFF_OK)
        claim_place(o, e);
    if (e->status == NGFF_OK && is_occupied)
        remove_objects(o, e);
    if (e->status != NGFF_OK)
        remove_claim(o);
    o->is_claimed = e->status == NGFF_OK;
    return e->status;
}

/* -- Jobs: several programs write one store ----------------------------------------------------------------------- */

static const char record_folder[] = ".omezarr-record/", ending_key[] = ".omezarr-record/end";

/* The claim must still be the job's: what a program writes that has been forgotten would lie among the objects of another. */
static int32_t check_job(object_store *o, error *e)
{
    o->calls->forget(o->path); /* what is remembered of it is not what is there */
    return is_ours(o, claim_key, e) || e->status != NGFF_OK
               ? e->status
               : error_set(
                     e, NGFF_E_STATE,
                     "%s: the parts of this run have been put together, or given up, in the meantime: nothing of this "
                     "part is used any more",
                     o->path);
}

static void leave_job(object_store *o)
{
    if (o->is_ending)
        remove_own(o, ending_key);
    o->is_ending = o->is_claimed = 0;
}

/* The root is there, or all is removed: then what the job has beside the objects goes, the claim last. */
static int32_t end_job(object_store *o, error *e)
{
    if (o->is_there || remove_objects(o, e) == NGFF_OK) {
        char **keys = o->is_there ? trusted_list(o, 1) : NULL;
        if (o->is_there && !keys)
            return cannot_list(o, e);
        for (int i = 0; keys && keys[i]; i++)
            if (strncmp(keys[i], record_folder, sizeof record_folder - 1) == 0)
                remove_own(o, keys[i]);
        free_names(keys);
        o->is_claimed = o->is_ending = 0;
        remove_claim(o);
        o->calls->forget_list(o->path);
        error ignored = {0};
        if (is_ours(o, claim_key, &ignored))
            error_set(e, NGFF_E_STORAGE, "%s is done, but %s in it cannot be removed: remove it", o->path, claim_key);
    }
    return e->status;
}

static void enter_job(object_store *o, const char *name, const char *state)
{
    snprintf(o->job, sizeof o->job, "%s", name);
    snprintf(o->token, sizeof o->token, "%s%s - %s", job_start, name, state);
    o->process = (long)getpid();
}

static int32_t object_store_find_job(store *s, char name[64], int *is_there, error *e)
{
    object_store *o = (object_store *)s;
    int is_writing;
    o->calls->forget(o->path);
    char *token = read_token(o, claim_key, e);
    *is_there = is_job(token, name, &is_writing);
    free(token);
    return e->status;
}

static int32_t object_store_look(store *s, const char *name, error *e)
{
    enter_job((object_store *)s, name, "writing");
    return e->status;
}

/* Whether the claim is this job's; *is_writing: somebody has found the place free before. */
static int is_claim_of_job(object_store *o, const char *name, int *is_writing, error *e)
{
    char there[64] = "";
    o->calls->forget(o->path);
    char *token = read_token(o, claim_key, e);
    int is_one = is_job(token, there, is_writing) && strcmp(there, name) == 0;
    *is_writing &= is_one;
    free(token);
    return is_one;
}

/* The place must be free. Returns 1 where another part has found it so meanwhile: what is there is of this job. */
static int32_t look_and_clear(object_store *o, const char *name, int was_dead, int overwrite, error *e)
{
    error why = {0};
    int is_writing;
    int32_t n_there = look_at_place(o, was_dead, &why);
    if (n_there == 0)
        return 0;
    if (is_claim_of_job(o, name, &is_writing, e) && is_writing)
        return 1;
    if (error_copy(e, &why) != NGFF_OK)
        return e->status;
    if (n_there == 1) /* what a dead program has left */
        return remove_objects(o, e);
    return error_set(e, NGFF_E_EXISTS,
                     overwrite ? "%s exists; on an object store parts do not replace it: remove it first"
                               : "%s exists; remove it, or choose another name",
                     o->path);
}

/* The first to come puts the claim, looks whether the place is free, and says so; nobody writes before. Who comes meanwhile
 * looks as well. */
static int32_t object_store_join(store *s, const char *name, int overwrite, error *e)
{
    object_store *o = (object_store *)s;
    int is_writing, was_dead = 0;
    if (s->refusal)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", o->path, s->refusal);
    if (is_claim_of_job(o, name, &is_writing, e) || e->status != NGFF_OK) {
        enter_job(o, name, "looking");
    } else if (claim(o, claim_key, &was_dead, e) == NGFF_OK) { /* by this program, since a dead one may have left it */
        enter_job(o, name, "looking");
        if (put_object(o, claim_key, o->token, strlen(o->token), 0, e) != NGFF_OK)
            return e->status;
    } else if (e->status == NGFF_E_EXISTS) { /* another part, at the same moment */
        error again = {0};
        for (int i = 0; i < 50 && !is_claim_of_job(o, name, &is_writing, &again) && again.status == NGFF_OK; i++)
            nanosleep(&(struct timespec){0, 20000000}, NULL);
        if (!is_claim_of_job(o, name, &is_writing, &again))
            return e->status;
        *e = again;
        enter_job(o, name, "looking");
    }
    if (e->status != NGFF_OK)
        return e->status;
    if (!is_writing && look_and_clear(o, name, was_dead, overwrite, e) == 1)
        is_writing = 1;
    enter_job(o, name, "writing");
    if (!is_writing && e->status == NGFF_OK)
        put_object(o, claim_key, o->token, strlen(o->token), 0, e);
    else if (e->status != NGFF_OK && !is_writing)
        remove_claim(o);
    o->is_claimed = e->status == NGFF_OK;
    o->looked = time(NULL);
    return e->status;
}

static void kept_key(const object_store *o, const char *name, char key[160])
{
    snprintf(key, 160, "%s%s.%s", record_folder, o->job, name);
}

static int32_t object_store_keep(store *s, const char *name, const void *bytes, size_t n, error *e)
{
    object_store *o = (object_store *)s;
    char key[160];
    kept_key(o, name, key);
    return check_job(o, e) == NGFF_OK ? put_object(o, key, bytes, n, 0, e) : e->status;
}

static int32_t object_store_kept(store *s, const char *name, uint8_t **bytes, size_t *n, int *is_there, error *e)
{
    object_store *o = (object_store *)s;
    uint64_t size;
    char key[160];
    kept_key(o, name, key);
    return bytes ? object_store_find(s, key, 0, 0, bytes, n, is_there, e) : store_find_size(s, key, &size, is_there, e);
}

static int32_t object_store_take(store *s, const char *name, int *is_published, error *e)
{
    object_store *o = (object_store *)s;
    static const char *const roots[] = {"zarr.json", ".zattrs"};
    int was_dead = 0;
    error why = {0};
    if (claim(o, ending_key, &was_dead, &why) == NGFF_E_EXISTS)
        return error_set(
            e, NGFF_E_EXISTS,
            "another program is putting the parts of %s together, or was stopped on another machine; if none "
            "is, remove %s/%s",
            o->path, o->path, ending_key);
    if (error_copy(e, &why) != NGFF_OK)
        return e->status;
    enter_job(o, name, "writing");
    o->is_ending = o->is_claimed = 1;
    for (int i = 0; i < 2 && e->status == NGFF_OK; i++) {
        uint64_t n;
        int is_there = 0;
        store_find_size(s, roots[i], &n, &is_there, e);
        o->is_there |= is_there;
    }
    *is_published = o->is_there;
    if (e->status != NGFF_OK)
        leave_job(o);
    return e->status;
}

static int32_t object_store_allow(store *s, int overwrite, error *e)
{
    (void)s; /* the place was free when the first part came, and is the job's since */
    (void)overwrite;
    return e->status;
}

static int32_t object_store_abandon_all(store *s, error *e)
{
    return end_job((object_store *)s, e);
}

static const store_jobs object_store_jobs = {
    .find = object_store_find_job,
    .look = object_store_look,
    .join = object_store_join,
    .keep = object_store_keep,
    .kept = object_store_kept,
    .take = object_store_take,
    .allow = object_store_allow,
    .abandon_all = object_store_abandon_all,
};

/* -- Resuming ------------------------------------------------------------------------------------------------------ */

/* Nothing can be appended to an object: each note is one of its own. */
static void note_key(int number, char key[40])
{
    snprintf(key, 40, "%s%d", record_folder, number);
}

static int32_t object_store_note(store *s, const char *text, size_t n, error *e)
{
    object_store *o = (object_store *)s;
    char key[40];
    note_key(o->n_notes++, key);
    return put_object(o, key, text, n, 0, e);
}

/* All notes one after the other; NULL where there is none. */
static char *read_notes(object_store *o, error *e)
{
    char *text = NULL;
    size_t n = 0;
    for (int is_there = 1; is_there && e->status == NGFF_OK;) {
        char key[40];
        uint8_t *bytes = NULL;
        size_t n_read = 0;
        note_key(o->n_notes, key);
        int32_t status = object_store_find(&o->base, key, 0, 0, &bytes, &n_read, &is_there, e);
        char *more = status == NGFF_OK && is_there ? realloc(text, n + n_read + 1) : NULL;
        if (status == NGFF_OK && is_there && !more)
            error_set(e, NGFF_E_MEMORY, "out of memory");
        if (more) {
            text = more;
            memcpy(text + n, bytes, n_read);
            n += n_read;
            text[n] = 0;
            o->n_notes++;
        }
        free(bytes);
    }
    return text;
}

static int32_t object_store_resume(store *s, int overwrite, char **record, error *e)
{
    object_store *o = (object_store *)s;
    int was_dead = 0;
    (void)overwrite;
    o->calls->forget(o->path);
    *record = read_notes(o, e);
    if (!*record || e->status != NGFF_OK)
        return e->status;
    if (claim(o, claim_key, &was_dead, e) == NGFF_OK && claim_place(o, e) != NGFF_OK)
        remove_claim(o);
    o->is_claimed = e->status == NGFF_OK;
    return e->status == NGFF_OK ? 1 : e->status;
}

/* The claim of nobody: the next run may go on, or remove what is there. */
static void object_store_release(store *s)
{
    object_store *o = (object_store *)s;
    if (o->job[0]) {
        leave_job(o);
        return;
    }
    static const char nobody[] = "0 nobody - writing";
    error ignored = {0};
    if (o->is_claimed && is_claim_ours(o))
        put_object(o, claim_key, nobody, sizeof nobody - 1, 0, &ignored);
    o->is_claimed = 0;
}

static void remove_notes(object_store *o)
{
    for (int i = 0; i < o->n_notes; i++) {
        char key[40], cause[256];
        note_key(i, key);
        char *path = object_path(o, key);
        if (path)
            object_remove(o->calls, path, cause);
        free(path);
    }
    o->n_notes = 0;
}

static void object_store_set_sync(store *s)
{
    (void)s; /* what an object store has accepted is safe */
}

/* -- Change in place ----------------------------------------------------------------------------------------------- */

/* Leaves the mark of a store that is being changed. */
static int32_t mark_dirty(object_store *o, error *e)
{
    pthread_mutex_lock(&o->lock);
    if (o->is_update && !o->is_dirty && !o->base.is_unmarked)
        o->is_dirty = put_object(o, STORE_DIRTY_KEY, "changing\n", 9, 0, e) == NGFF_OK;
    pthread_mutex_unlock(&o->lock);
    return e->status;
}

/* Each put replaces its object at once, so that a store can be changed in place. */
static int32_t object_store_begin_update(store *s, error *e)
{
    object_store *o = (object_store *)s;
    int was_dead = 0;
    uint64_t n = 0;
    if (claim(o, claim_key, &was_dead, e) != NGFF_OK)
        return e->status;
    int is_there = 0;
    if (s->ops->find_size(s, STORE_DIRTY_KEY, &n, &is_there, e) != NGFF_OK) {
        remove_claim(o);
        return e->status;
    }
    o->is_update = 1;
    o->is_dirty = is_there;
    return NGFF_OK;
}

static int32_t cannot_remove(const char *path, const char *cause, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "cannot remove %s: %s", path, cause);
}

/* Removes the object of this key, if it is one; else all below it. Documents stay where chunks_only. */
static int32_t remove_below(object_store *o, const char *key, int chunks_only, error *e)
{
    char cause[256] = "", **names = NULL, *path = object_path(o, key);
    uint64_t size;
    int failure = path ? object_read(o->calls, path, 0, 0, NULL, NULL, &size, cause) : ENOMEM;
    if (failure && failure != ENOENT)
        cannot_remove(path ? path : key, cause, e);
    else if (!failure && mark_dirty(o, e) == NGFF_OK && object_remove(o->calls, path, cause) != 0)
        cannot_remove(path, cause, e);
    if (failure == ENOENT) {
        failure = o->calls->list(path, 1, &names, cause);
        if (failure && failure != ENOENT)
            error_set(e, NGFF_E_STORAGE, "cannot list %s, to remove what is in it: %s", path, cause);
    }
    for (int i = 0; names && names[i] && e->status == NGFF_OK; i++) {
        const char *slash = strrchr(names[i], '/'), *name = slash ? slash + 1 : names[i];
        if (!name[0] || (chunks_only && is_zarr_document(name)))
            continue;
        char *below = join(path, names[i]);
        if (mark_dirty(o, e) == NGFF_OK && (!below || object_remove(o->calls, below, cause) != 0))
            cannot_remove(below ? below : names[i], cause, e);
        free(below);
    }
    free_names(names);
    free(path);
    return e->status;
}

static int32_t object_store_remove(store *s, const char *key, error *e)
{
    return remove_below((object_store *)s, key, 0, e);
}

static int32_t object_store_remove_chunks(store *s, const char *key, error *e)
{
    return remove_below((object_store *)s, key, 1, e);
}

static int32_t check_claim_gone(object_store *o, error *e)
{
    return is_claim_ours(o) ? error_set(e, NGFF_E_STORAGE, "%s is whole, but %s in it cannot be removed: remove it",
                                        o->path, claim_key)
                            : NGFF_OK;
}

static int32_t end_update(object_store *o, error *e)
{
    char cause[256] = "", *mark = object_path(o, STORE_DIRTY_KEY);
    if (o->is_dirty && !o->base.is_unmarked && (!mark || object_remove(o->calls, mark, cause) != 0))
        cannot_remove(mark ? mark : STORE_DIRTY_KEY, cause, e);
    free(mark);
    remove_claim(o);
    o->is_update = 0;
    o->calls->forget(o->path);
    return e->status == NGFF_OK ? check_claim_gone(o, e) : e->status;
}

/* -- The end ------------------------------------------------------------------------------------------------------- */

/* Once in a second. */
static int32_t look_at_job(object_store *o, error *e)
{
    time_t now = time(NULL);
    pthread_mutex_lock(&o->lock);
    int is_due = o->job[0] && now != o->looked;
    o->looked = now;
    pthread_mutex_unlock(&o->lock);
    return is_due ? check_job(o, e) : e->status;
}

static int32_t object_store_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    object_store *o = (object_store *)s;
    if (mark_dirty(o, e) != NGFF_OK || look_at_job(o, e) != NGFF_OK)
        return e->status;
    if (!o->is_claimed || (strcmp(key, "zarr.json") != 0 && strcmp(key, ".zattrs") != 0))
        return put_object(o, key, bytes, n, 0, e);
    free(o->root);
    o->root = malloc(n + 1);
    if (!o->root)
        return error_set(e, NGFF_E_MEMORY, "out of memory for %s", key);
    memcpy(o->root, bytes, n);
    o->n_root = n;
    snprintf(o->root_key, sizeof o->root_key, "%s", key);
    return NGFF_OK;
}

/* The root's document comes, only where there is none, then the claim goes. */
static int32_t object_store_publish(store *s, error *e)
{
    object_store *o = (object_store *)s;
    if ((o->is_update || o->is_claimed) && o->process != (long)getpid())
        return error_set(e, NGFF_E_STATE, "%s was begun by another process, of which this one is a copy (fork)",
                         o->path);
    if (o->is_update)
        return end_update(o, e);
    if (!o->is_claimed || !o->root)
        return NGFF_OK;
    if (!is_claim_ours(o))
        return error_set(e, NGFF_E_STORAGE, "%s/%s was removed or changed by somebody else while %s was written",
                         o->path, claim_key, o->path);
    int32_t status = put_object(o, o->root_key, o->root, o->n_root, 1, e);
    if (status == NGFF_E_EXISTS) { /* our own request, whose answer was lost? */
        uint8_t *text = NULL;
        size_t n = 0;
        int is_there;
        error ignored = {0};
        int32_t found = object_store_find(s, o->root_key, 0, 0, &text, &n, &is_there, &ignored);
        int is_ours = found == NGFF_OK && is_there && n == o->n_root && memcmp(text, o->root, n) == 0;
        free(text);
        status = is_ours ? NGFF_OK
                         : error_set(e, NGFF_E_EXISTS, "%s/%s was put by somebody else while %s was written", o->path,
                                     o->root_key, o->path);
    }
    if (status != NGFF_OK)
        return status;
    if (o->job[0]) {
        o->is_there = 1;
        return end_job(o, e);
    }
    o->is_claimed = 0;
    remove_notes(o);
    remove_claim(o);
    o->calls->forget_list(o->path); /* made when GDAL looked for an old store: it would hide the new one */
    return check_claim_gone(o, e);
}

static void object_store_abandon(store *s)
{
    object_store *o = (object_store *)s;
    error ignored = {0};
    if (o->job[0]) {
        leave_job(o);
        return;
    }
    if (o->is_update && o->process == (long)getpid()) /* what was done stays, with its mark */
        remove_claim(o);
    else if (!o->is_update && o->is_claimed && is_claim_ours(o)) { /* else it is another's place now */
        remove_objects(o, &ignored);
        remove_claim(o);
    }
    o->is_claimed = 0;
}

static int32_t object_store_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e)
{
    const object_store *o = (const object_store *)s;
    char cause[256] = "";
    char *path = object_path(o, key);
    int failure = path ? object_read(o->calls, path, 0, 0, NULL, NULL, n, cause) : ENOMEM;
    *is_there = !failure;
    int32_t status = failure && failure != ENOENT ? cannot_read(path ? path : key, failure, cause, e) : NGFF_OK;
    free(path);
    return status;
}

/* Scratch lies on this machine. */
static int32_t make_scratch(object_store *o, error *e)
{
    pthread_mutex_lock(&o->lock);
    if (!o->scratch) {
        char *path = o->calls->temporary_path();
        if (path && o->calls->files->make_folder(path) == 0) {
            o->scratch = path;
            o->scratch_process = (long)getpid();
        } else {
            error_set(e, NGFF_E_STORAGE, "cannot make the temporary folder %s; set %s to a writable place",
                      path ? path : "", o->calls->temporary_setting);
            free(path);
        }
    }
    pthread_mutex_unlock(&o->lock);
    return e->status;
}

static int32_t object_store_scratch_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    object_store *o = (object_store *)s;
    char path[1024], cause[256] = "";
    if (make_scratch(o, e) != NGFF_OK)
        return e->status;
    snprintf(path, sizeof path, "%s/%s", o->scratch, key);
    if (o->calls->files->write_file(path, bytes, n, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot write the temporary file %s: %s", path, cause);
    return NGFF_OK;
}

static int32_t object_store_scratch_get(store *s, const char *key, void *bytes, size_t n, error *e)
{
    object_store *o = (object_store *)s;
    char path[1024], cause[256] = "";
    uint8_t *read = NULL;
    size_t n_read = 0;
    snprintf(path, sizeof path, "%s/%s", o->scratch ? o->scratch : "", key);
    int failure = o->calls->files->read_file(path, 0, 0, &read, &n_read, cause);
    if (!failure && n_read == n)
        memcpy(bytes, read, n);
    free(read);
    o->calls->files->remove_file(path);
    if (failure || n_read != n)
        return error_set(e, NGFF_E_STORAGE, "cannot read the temporary file %s back: %s", path, cause);
    return NGFF_OK;
}

static int32_t object_store_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    const object_store *o = (const object_store *)s;
    char **keys = NULL, cause[256] = "";
    int failure = o->calls->list(o->path, 1, &keys, cause);
    if (failure && failure != ENOENT && failure != EACCES && failure != EPERM)
        return error_set(e, NGFF_E_STORAGE, "the objects below %s cannot be listed: %s", o->path, cause);
    int32_t status = keys && keys[0] ? NGFF_OK : NGFF_E_UNSUPPORTED; /* a web server, or who may not list */
    for (int i = 0; keys && keys[i] && status == NGFF_OK; i++) {
        size_t n = strlen(keys[i]);
        int is_own =
            o->is_claimed && (is_claim(keys[i]) || strncmp(keys[i], record_folder, sizeof record_folder - 1) == 0);
        if (n > 0 && keys[i][n - 1] != '/' && !is_own)
            status = visit(user, keys[i]);
    }
    free_names(keys);
    return status < 0 ? error_set(e, status, "the objects below %s cannot be listed", o->path) : NGFF_OK;
}

static void object_store_free(store *s)
{
    object_store *o = (object_store *)s;
    end_living(o);
    if (o->scratch && o->scratch_process == (long)getpid())
        o->calls->files->remove_tree(o->scratch);
    pthread_mutex_destroy(&o->lock);
    free(o->scratch);
    free(o->root);
    free(o->path);
    free(o);
}

static const store_ops object_store_ops = {
    .is_remote = 1,
    .find = object_store_find,
    .find_size = object_store_find_size,
    .list = object_store_list,
    .free = object_store_free,
};

static const store_writing object_store_writing = {
    .begin = object_store_begin,
    .note = object_store_note,
    .resume = object_store_resume,
    .release = object_store_release,
    .set_sync = object_store_set_sync,
    .begin_update = object_store_begin_update,
    .remove = object_store_remove,
    .remove_chunks = object_store_remove_chunks,
    .put = object_store_put,
    .publish = object_store_publish,
    .abandon = object_store_abandon,
    .scratch_put = object_store_scratch_put,
    .scratch_get = object_store_scratch_get,
    .jobs = &object_store_jobs,
};

store *object_store_open(const char *path, const object_calls *calls)
{
    object_store *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->base.ops = &object_store_ops;
    o->base.writing = &object_store_writing;
    o->base.threads = calls->threads;
    o->calls = calls;
    pthread_mutex_init(&o->lock, NULL);
    o->path = strdup(path);
    o->base.path = o->path;
    for (size_t n = o->path ? strlen(o->path) : 0; n > 1 && o->path[n - 1] == '/'; n--)
        o->path[n - 1] = 0;
    if (!o->path) {
        object_store_free(&o->base);
        return NULL;
    }
    return &o->base;
}
