/* folder.c: see folder.h. */
#include "store/folder.h"
#include "base/sha256.h"
#include "base/text.h"
#include "store/claim.h"
#include "store/destination.h"
#include "store/walk.h"
#include "store/zip.h"
#include "store/zip_index.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { n_set_start = 1024, longest_path = 4096 };

static const char record_name[] = ".record", scratch_name[] = ".scratch", staged_name[] = "store",
                  packed_name[] = "packed";

typedef struct {
    store base;
    const folder_calls *calls;
    claim claim;
    char *path, *retired;  /* the destination, .<name>.retired */
    char *staged, *packed; /* the store to come, inside the partial folder; as a file, if it will be one */
    char *work;            /* where the record and the store to come are: the partial folder, or a job's in it */
    char *own;             /* where objects on their way and scratch are: the same, or of this program in the job's */
    int is_job, is_ended;  /* several programs make it; it is published, or given up by all */
    char *ending_path;     /* of the claim by which one of them ends it */
    claim ending;
    int is_file, is_named_file; /* it is one, or will be; its name says so */
    zip_index *index;           /* what the file holds, once it has been asked */
    pthread_rwlock_t in_use;
    char *group;                  /* of the file, at which the store stands */
    int is_claimed, is_overwrite; /* is_claimed: objects are put and read in the claim */
    destination destination;
    int has_scratch, is_synced;
    int is_update, is_dirty; /* objects are changed in place; the mark is there */
    int64_t n_replaced;      /* names for files that are on their way */
    pthread_mutex_t lock;
    char **made; /* hash set of the folders that exist where objects are put */
    size_t n_made, n_slots;
} folder;

/* -- Paths -------------------------------------------------------------------------------------------------------- */

char *join(const char *folder_path, const char *name)
{
    size_t n = strlen(folder_path) + strlen(name) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s/%s", folder_path, name);
    return path;
}

/* A long name is not repeated: with the suffix it would be longer than file systems take (255 bytes, some 143). */
char *beside(const char *path, const char *suffix)
{
    enum { longest_name = 80 };
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char hex[2 * sha256_size + 1], other[40];
    uint8_t digest[sha256_size];
    if (strlen(name) > longest_name) {
        sha256_of(name, strlen(name), digest);
        sha256_text(digest, hex);
        snprintf(other, sizeof other, "omezarr-%.16s", hex);
    }
    const char *word = strlen(name) > longest_name ? other : name;
    size_t n_folder = (size_t)(name - path), n = n_folder + strlen(word) + strlen(suffix) + 2;
    char *made = malloc(n);
    if (made)
        snprintf(made, n, "%.*s.%s%s", (int)n_folder, path, word, suffix);
    return made;
}

void free_names(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

static int32_t cannot_look(const char *path, const char *cause, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "cannot look at %s: %s; what is there is unknown, so nothing was changed", path,
                     cause);
}

int is_zarr_document(const char *name)
{
    static const char *const documents[] = {"zarr.json", ".zgroup", ".zattrs", ".zmetadata", ".zarray"};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++)
        if (strcmp(name, documents[i]) == 0)
            return 1;
    return 0;
}

int32_t find_kind(const folder_calls *calls, const char *path, int *kind, error *e)
{
    path_state what;
    char cause[256] = "";
    *kind = KIND_NONE; /* also where it cannot be known: an error */
    if (calls->look(path, &what, cause) != 0)
        return cannot_look(path, cause, e);
    *kind = what.kind;
    return NGFF_OK;
}

/* Where objects are put and read. */
static const char *object_root(const folder *f)
{
    return f->is_claimed && !f->is_update ? f->staged : f->path;
}

/* What the file holds, where that is what is read; NULL where it is a folder. */
static int32_t find_index(folder *f, const zip_index **index, error *e)
{
    int32_t status = NGFF_OK;
    *index = NULL;
    if (!f->is_file || f->is_claimed)
        return NGFF_OK;
    pthread_rwlock_rdlock(&f->in_use);
    pthread_mutex_lock(&f->lock);
    if (!f->index)
        status = zip_index_find(f->calls, f->path, &f->index, e);
    *index = f->index;
    pthread_mutex_unlock(&f->lock);
    if (!*index)
        pthread_rwlock_unlock(&f->in_use);
    return status;
}

/* After each use of what find_index gave. */
static void index_done(folder *f, const zip_index *index)
{
    if (index)
        pthread_rwlock_unlock(&f->in_use);
}

static void folder_forget(store *s)
{
    folder *f = (folder *)s;
    pthread_rwlock_wrlock(&f->in_use);
    zip_index_free(f->index);
    f->index = NULL;
    pthread_rwlock_unlock(&f->in_use);
}

int folder_stand_at(store *s, const char *group)
{
    folder *f = (folder *)s;
    f->group = strdup(group);
    return f->group != NULL;
}

int folder_is_file(const store *s)
{
    return ((const folder *)s)->is_file;
}

/* -- The claim ---------------------------------------------------------------------------------------------------- */

/* Where there is no exchange of names, an overwrite is two renames. A process that is killed between them leaves the old
 * store as `.retired`: it gets its name back, unless that process may still be alive. */
static int32_t recover_retired(const folder *f, error *e)
{
    int here, retired;
    if (find_kind(f->calls, f->path, &here, e) != NGFF_OK || find_kind(f->calls, f->retired, &retired, e) != NGFF_OK)
        return e->status;
    if (here != KIND_NONE || retired != KIND_FOLDER)
        return NGFF_OK;
    if (claim_is_dead(&f->claim) && rename_surely(f->calls, f->retired, f->path) == 0)
        return NGFF_OK;
    return error_set(e, NGFF_E_EXISTS,
                     "%s is the old store of an overwrite that was stopped; rename it to %s, or remove it", f->retired,
                     f->path);
}

/* What cannot be removed blocks nobody, and the next run removes it. */
static void warn_of_left(folder *f, int failure, const char *left)
{
    if (failure)
        snprintf(f->base.warning, sizeof f->base.warning,
                 "%.300s cannot be removed: %s; all else is well, and the next run at this place tries again", left,
                 strerror(failure));
}

/* This program leaves the job; the others go on. */
static void leave_job(folder *f)
{
    char left[4096];
    f->calls->remove_tree(f->own);
    warn_of_left(f, claim_end(&f->ending, left), left);
    f->claim.process = 0;
    f->is_claimed = 0;
}

static void folder_abandon(store *s)
{
    folder *f = (folder *)s;
    char left[4096];
    if (f->is_job && !f->is_ended) {
        leave_job(f);
        return;
    }
    warn_of_left(f, claim_end(&f->claim, left), left);
    f->is_claimed = 0;
}

/* What can be known before the work. */
static int32_t check_place(folder *f, int overwrite, error *e)
{
    f->is_overwrite = overwrite;
    if (f->base.refusal)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", f->path, f->base.refusal);
    if (!f->is_job && recover_retired(f, e) != NGFF_OK)
        return e->status;
    return destination_check(f->calls, f->path, f->is_named_file, overwrite, &f->destination, e);
}

static int32_t make_staged(folder *f, error *e)
{
    int failure = f->calls->make_folder(f->staged);
    if (!failure)
        return destination_can_be_replaced(f->calls, f->path, f->claim.folder, f->destination, e);
    return error_set(e, NGFF_E_STORAGE, "cannot make the folder %s: %s", f->staged, strerror(failure));
}

static int32_t folder_begin(store *s, int overwrite, error *e)
{
    folder *f = (folder *)s;
    if (check_place(f, overwrite, e) != NGFF_OK || claim_make(&f->claim, e) != NGFF_OK)
        return e->status;
    f->is_claimed = 1;
    if (make_staged(f, e) != NGFF_OK)
        folder_abandon(s);
    return e->status;
}

/* -- Resuming ------------------------------------------------------------------------------------------------------ */

static int32_t folder_note(store *s, const char *text, size_t n, error *e)
{
    folder *f = (folder *)s;
    char cause[256] = "";
    char *path = join(f->work, record_name);
    int has_failed = !path || f->calls->append_file(path, text, n, cause) != 0;
    free(path);
    return has_failed ? error_set(e, NGFF_E_STORAGE, "%s/%s cannot be written: %s", f->work, record_name, cause)
                      : NGFF_OK;
}

/* While the stores are exchanged the record has a name that says which folder it speaks of (see exchange). */
static int32_t hidden_record(const folder *f, char hidden[longest_path], error *e)
{
    char cause[256] = "";
    path_state what;
    if (f->calls->look(f->staged, &what, cause) != 0)
        return cannot_look(f->staged, cause, e);
    snprintf(hidden, longest_path, "%s/%s-%llu", f->work, record_name, (unsigned long long)what.id);
    return NGFF_OK;
}

/* The record of what a dead run has done, if all that it speaks of is there. Only what is known to be missing is missing:
 * work that cannot be looked at now is kept. */
static int32_t read_record(folder *f, char **record, error *e)
{
    char path[longest_path], hidden[longest_path], cause[256] = "";
    uint8_t *bytes = NULL;
    size_t n = 0;
    int kind;
    *record = NULL;
    if (find_kind(f->calls, f->staged, &kind, e) != NGFF_OK || kind != KIND_FOLDER ||
        hidden_record(f, hidden, e) != NGFF_OK)
        return e->status;
    snprintf(path, sizeof path, "%s/%s", f->work, record_name);
    if (find_kind(f->calls, hidden, &kind, e) == NGFF_OK && kind == KIND_FILE) /* it died before the exchange */
        rename_surely(f->calls, hidden, path);
    int failure = f->calls->read_file(path, 0, 0, &bytes, &n, cause);
    if (failure && failure != ENOENT)
        error_set(e, NGFF_E_STORAGE, "cannot read %s: %s; nothing was removed", path, cause);
    *record = (char *)bytes; /* with a NUL behind it */
    return e->status;
}

static int32_t folder_resume(store *s, int overwrite, char **record, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path];
    int is_taken;
    *record = NULL;
    if (check_place(f, overwrite, e) != NGFF_OK || claim_take_over(&f->claim, &is_taken, e) != NGFF_OK || !is_taken)
        return e->status;
    f->is_claimed = 1;
    if (read_record(f, record, e) == NGFF_OK && *record)
        destination_can_be_replaced(f->calls, f->path, f->claim.folder, f->destination, e);
    if (e->status != NGFF_OK) {
        free(*record);
        *record = NULL;
        s->writing->release(s);
        return e->status;
    }
    if (!*record) { /* died before anything was done, or after all was */
        folder_abandon(s);
        return 0;
    }
    snprintf(path, sizeof path, "%s/%s", f->claim.folder, scratch_name);
    f->calls->remove_tree(path); /* what it had spilled */
    return 1;
}

static void folder_release(store *s)
{
    folder *f = (folder *)s;
    if (f->is_job) {
        leave_job(f);
        return;
    }
    claim_let_go(&f->claim);
    f->is_claimed = 0;
}

static void folder_set_sync(store *s)
{
    ((folder *)s)->is_synced = 1;
}

/* -- Objects ------------------------------------------------------------------------------------------------------- */

static char **slot_of(char **slots, size_t n_slots, const char *name, size_t n)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)name[i]) * 1099511628211u;
    size_t at = hash & (n_slots - 1);
    while (slots[at] && (strncmp(slots[at], name, n) != 0 || slots[at][n]))
        at = (at + 1) & (n_slots - 1);
    return &slots[at];
}

static int grow_made(folder *f)
{
    size_t n_slots = f->n_slots ? 2 * f->n_slots : n_set_start;
    char **slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return ENOMEM;
    for (size_t i = 0; i < f->n_slots; i++)
        if (f->made[i])
            *slot_of(slots, n_slots, f->made[i], strlen(f->made[i])) = f->made[i];
    free(f->made);
    f->made = slots;
    f->n_slots = n_slots;
    return 0;
}

/* Makes the folders of the first n bytes of key, once each. The lock is held. Returns 0 or errno. */
static int make_folders(folder *f, const char *key, size_t n)
{
    while (n > 0 && key[n - 1] != '/')
        n--;
    if (n == 0)
        return 0;
    n--; /* without the slash */
    if (2 * (f->n_made + 1) > f->n_slots && grow_made(f) != 0)
        return ENOMEM;
    if (*slot_of(f->made, f->n_slots, key, n))
        return 0;
    int failure = make_folders(f, key, n);
    if (failure)
        return failure;
    char name[longest_path];
    snprintf(name, sizeof name, "%s/%.*s", object_root(f), (int)n, key);
    failure = f->calls->make_folder(name);
    if (failure && failure != EEXIST)
        return failure;
    *slot_of(f->made, f->n_slots, key, n) = text_copy(key, n);
    f->n_made++;
    return 0;
}

static int32_t too_long(const char *path, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "the path %.200s... is longer than %d bytes; choose a shorter destination",
                     path, longest_path - 1);
}

/* A part that goes on when its job has ended. */
static int32_t has_ended(const folder *f, error *e)
{
    return error_set(
        e, NGFF_E_STATE,
        "%s: the parts of this run have been put together, or given up, in the meantime: nothing of this part "
        "is used any more",
        f->path);
}

/* -- Change in place ----------------------------------------------------------------------------------------------- */

/* Leaves the mark before anything is changed: it is on the disk first. */
static int32_t mark_dirty(folder *f, error *e)
{
    static const char text[] = "This OME-Zarr is being changed, or the program that changed it has died.\n";
    char path[longest_path], cause[256] = "";
    pthread_mutex_lock(&f->lock);
    int is_first = !f->is_dirty && !f->base.is_unmarked, has_failed = 0;
    if (is_first) {
        snprintf(path, sizeof path, "%s/" STORE_DIRTY_KEY, f->path);
        has_failed = f->calls->write_file(path, text, sizeof text - 1, cause) != 0;
        int failure = has_failed ? 0 : f->calls->sync(path);
        if (failure) {
            has_failed = 1;
            snprintf(cause, sizeof cause, "%s", strerror(failure));
            f->calls->remove_file(path);
        }
        f->is_dirty = !has_failed;
    }
    pthread_mutex_unlock(&f->lock);
    return has_failed ? error_set(e, NGFF_E_STORAGE, "cannot write %s: %s; nothing was changed", path, cause) : NGFF_OK;
}

/* Writes a file elsewhere, then puts it in its place, and in that of one that is there, at once. */
static int32_t put_at_once(folder *f, const char *path, const void *bytes, size_t n, error *e)
{
    char coming[longest_path], cause[256] = "";
    pthread_mutex_lock(&f->lock);
    snprintf(coming, sizeof coming, "%s/.new-%lld", f->own, (long long)f->n_replaced++);
    pthread_mutex_unlock(&f->lock);
    int failure = f->calls->write_file(coming, bytes, n, cause);
    if (failure)
        return failure == ENOENT && f->is_job
                   ? has_ended(f, e)
                   : error_set(e, NGFF_E_STORAGE, "cannot write %s (%zu bytes): %s", coming, n, cause);
    failure = f->calls->rename_over(coming, path);
    if (failure)
        f->calls->remove_file(coming);
    return !failure ? NGFF_OK
           : failure == ENOENT && f->is_job
               ? has_ended(f, e)
               : error_set(e, NGFF_E_STORAGE, "cannot replace %s: %s", path, strerror(failure));
}

/* Puts the new object in the place of the old one. */
static int32_t replace_object(folder *f, const char *key, const void *bytes, size_t n, error *e)
{
    char path[longest_path];
    if (mark_dirty(f, e) != NGFF_OK)
        return e->status;
    if (snprintf(path, sizeof path, "%s/%s", f->path, key) >= (int)sizeof path)
        return too_long(path, e);
    pthread_mutex_lock(&f->lock);
    int failure = make_folders(f, key, strlen(key));
    pthread_mutex_unlock(&f->lock);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot make the folder of %s: %s", path, strerror(failure));
    return put_at_once(f, path, bytes, n, e);
}

/* Forgets that a folder exists. */
static void forget_folders(folder *f)
{
    for (size_t i = 0; i < f->n_slots; i++) {
        free(f->made[i]);
        f->made[i] = NULL;
    }
    f->n_made = 0;
}

static int32_t folder_remove(store *s, const char *key, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path];
    if (snprintf(path, sizeof path, "%s/%s", f->path, key) >= (int)sizeof path)
        return too_long(path, e);
    int kind;
    if (find_kind(f->calls, path, &kind, e) != NGFF_OK || kind == KIND_NONE)
        return e->status;
    if (mark_dirty(f, e) != NGFF_OK)
        return e->status;
    int failure = kind == KIND_FOLDER ? f->calls->remove_tree(path) : f->calls->remove_file(path);
    if (kind == KIND_FOLDER) {
        pthread_mutex_lock(&f->lock);
        forget_folders(f);
        pthread_mutex_unlock(&f->lock);
    }
    return failure ? error_set(e, NGFF_E_STORAGE, "cannot remove %s: %s", path, strerror(failure)) : NGFF_OK;
}

static int32_t folder_remove_chunks(store *s, const char *key, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path];
    if (snprintf(path, sizeof path, "%s/%s", f->path, key) >= (int)sizeof path)
        return too_long(path, e);
    char **names = NULL, cause[256] = "", below[longest_path];
    int failure = f->calls->list(path, &names, cause);
    if (failure && failure != ENOENT)
        return error_set(e, NGFF_E_STORAGE, "cannot list %s, to remove what is in it: %s", path, cause);
    for (int i = 0; names && names[i] && e->status == NGFF_OK; i++) {
        if (is_zarr_document(names[i]))
            continue;
        if (snprintf(below, sizeof below, "%s/%s", key, names[i]) >= (int)sizeof below)
            too_long(below, e);
        else
            folder_remove(s, below, e);
    }
    free_names(names);
    return e->status;
}

static int32_t folder_begin_update(store *s, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path];
    int kind;
    if (f->is_file)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s is one file, in which nothing is changed; write it anew with OVERWRITE=YES", f->path);
    if (claim_make(&f->claim, e) != NGFF_OK)
        return e->status;
    snprintf(path, sizeof path, "%s/" STORE_DIRTY_KEY, f->path);
    if (find_kind(f->calls, path, &kind, e) != NGFF_OK) {
        folder_abandon(s);
        return e->status;
    }
    f->is_claimed = 1;
    f->is_update = 1;
    f->is_dirty = kind != KIND_NONE;
    return NGFF_OK;
}

static int32_t cannot_sync(const char *path, const char *so, int failure, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "%s did not reach the disk: %s; %s", path, strerror(failure), so);
}

typedef struct {
    const folder *store;
    const char *root;
    int failure;
    error *e;
} files_to_sync;

static int32_t sync_file(void *user, const char *key)
{
    files_to_sync *all = user;
    char path[longest_path], cause[256];
    path_state what;
    if (store_goes_on(&all->store->base, all->e) != NGFF_OK)
        return all->e->status;
    snprintf(path, sizeof path, "%s/%s", all->root, key);
    all->failure = all->store->calls->look(path, &what, cause);
    if (!all->failure && what.kind == KIND_FILE) /* a pipe would never end */
        all->failure = all->store->calls->sync(path);
    return all->failure ? NGFF_E_STORAGE : NGFF_OK;
}

/* A file, or a folder with all that is in it, reaches the disk. so: what is true if it does not. */
static int32_t sync_all(const folder *f, const char *path, const char *so, error *e)
{
    error walk = {0};
    files_to_sync all = {f, path, 0, e};
    if (f->calls->syncs_files && !f->is_file && walk_tree(f->calls, path, sync_file, &all, &walk) != NGFF_OK &&
        !all.failure)
        return error_copy(e, &walk); /* unless it was cancelled, which e says already */
    if (!all.failure)
        all.failure = f->calls->sync(path);
    return all.failure ? cannot_sync(f->path, so, all.failure, e) : NGFF_OK;
}

/* All is changed: it reaches the disk, then the mark goes, then the claim. */
static int32_t end_update(folder *f, error *e)
{
    char path[longest_path];
    int failure = 0;
    if (f->is_dirty && !f->base.is_unmarked) {
        if (sync_all(f, f->path, "its mark " STORE_DIRTY_KEY " stays", e) != NGFF_OK)
            return e->status;
        snprintf(path, sizeof path, "%s/" STORE_DIRTY_KEY, f->path);
        failure = f->calls->remove_file(path);
    }
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot remove %s: %s; all else of the store is whole", path,
                         strerror(failure));
    f->is_dirty = 0;
    folder_abandon(&f->base);
    return NGFF_OK;
}

static int32_t folder_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    if (f->is_update)
        return replace_object(f, key, bytes, n, e);
    if (snprintf(path, sizeof path, "%s/%s", f->staged, key) >= (int)sizeof path)
        return too_long(path, e);
    pthread_mutex_lock(&f->lock);
    int failure = make_folders(f, key, strlen(key));
    pthread_mutex_unlock(&f->lock);
    if (failure == ENOENT && f->is_job)
        return has_ended(f, e);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot make the folder of %s: %s", path, strerror(failure));
    if (f->is_job)
        return put_at_once(f, path, bytes, n, e);
    if (f->calls->write_file(path, bytes, n, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot write %s (%zu bytes): %s", path, n, cause);
    return NGFF_OK;
}

/* Where an object lies. */
static int32_t object_path(const folder *f, const char *key, char path[longest_path], error *e)
{
    int n = snprintf(path, longest_path, "%s/%s", object_root(f), key);
    return n >= longest_path ? too_long(path, e) : NGFF_OK;
}

/* The name of an object in the file, below the group. */
static int32_t name_in_file(const folder *f, const char *key, char name[longest_path], error *e)
{
    const char *group = f->group ? f->group : "";
    int n = snprintf(name, longest_path, "%s%s%s", group, group[0] ? "/" : "", key);
    return n >= longest_path ? too_long(name, e) : NGFF_OK;
}

/* What a reading has come to; failure: errno. */
static int32_t read_status(int failure, const char *path, const char *cause, int *is_there, error *e)
{
    *is_there = !failure;
    return !failure || failure == ENOENT ? NGFF_OK : error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path, cause);
}

/* Where an object is: in the file `index`, or at a path; neither if there is no file. */
static int32_t find_object(folder *f, const char *key, const zip_index **index, char path[longest_path], error *e)
{
    if (find_index(f, index, e) != NGFF_OK)
        return e->status;
    int32_t status = *index ? name_in_file(f, key, path, e) : object_path(f, key, path, e);
    if (status != NGFF_OK)
        index_done(f, *index);
    return status;
}

static int32_t folder_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                           int *is_there, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    const zip_index *index;
    if (find_object(f, key, &index, path, e) != NGFF_OK)
        return e->status;
    if (index) {
        int32_t status = zip_index_get(index, path, offset, n, bytes, n_read, is_there, e);
        index_done(f, index);
        return status;
    }
    return read_status(f->calls->read_file(path, offset, n, bytes, n_read, cause), path, cause, is_there, e);
}

static int32_t folder_find_into(store *s, const char *key, int64_t offset, void *bytes, size_t room, uint64_t *n_there,
                                int *is_there, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    const zip_index *index;
    if (find_object(f, key, &index, path, e) != NGFF_OK)
        return e->status;
    if (index) {
        int32_t status = zip_index_get_into(index, path, offset, bytes, room, n_there, is_there, e);
        index_done(f, index);
        return status;
    }
    return read_status(f->calls->read_into(path, offset, bytes, room, n_there, cause), path, cause, is_there, e);
}

static int32_t folder_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    const zip_index *index;
    if (find_object(f, key, &index, path, e) != NGFF_OK)
        return e->status;
    if (index) {
        int32_t status = zip_index_size(index, path, n, is_there, e);
        index_done(f, index);
        return status;
    }
    return read_status(f->calls->measure(path, n, cause), path, cause, is_there, e);
}

static int32_t folder_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    folder *f = (folder *)s;
    const zip_index *index;
    if (find_index(f, &index, e) != NGFF_OK)
        return e->status;
    if (!index)
        return walk_tree(f->calls, object_root(f), visit, user, e);
    int32_t status = zip_index_list(index, f->group ? f->group : "", visit, user);
    index_done(f, index);
    return status < 0 ? error_set(e, status, "%s: the list of objects was not finished", f->path) : NGFF_OK;
}

/* -- Scratch: spilled cells ---------------------------------------------------------------------------------------- */

/* Scratch lies in the partial folder, whether a store is made or changed. */
static int32_t scratch_path(const folder *f, const char *key, char path[longest_path], error *e)
{
    return snprintf(path, longest_path, "%s/%s/%s", f->own, scratch_name, key) < longest_path ? NGFF_OK
                                                                                              : too_long(path, e);
}

static int32_t folder_scratch_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    if (scratch_path(f, "", path, e) != NGFF_OK)
        return e->status;
    path[strlen(path) - 1] = 0;
    pthread_mutex_lock(&f->lock);
    int failure = f->has_scratch ? 0 : f->calls->make_folder(path);
    if (failure == EEXIST) /* that of a run which was stopped: what is in it is written over, or goes in the end */
        failure = 0;
    f->has_scratch |= !failure;
    pthread_mutex_unlock(&f->lock);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot make the folder %s: %s", path, strerror(failure));
    if (scratch_path(f, key, path, e) == NGFF_OK && f->calls->write_file(path, bytes, n, cause) != 0)
        error_set(e, NGFF_E_STORAGE, "cannot write the temporary file %s (%zu bytes): %s", path, n, cause);
    return e->status;
}

static int32_t folder_scratch_get(store *s, const char *key, void *bytes, size_t n, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    uint8_t *read = NULL;
    size_t n_read = 0;
    if (scratch_path(f, key, path, e) != NGFF_OK)
        return e->status;
    int failure = f->calls->read_file(path, 0, 0, &read, &n_read, cause);
    if (failure == ENOENT || (!failure && n_read != n))
        error_set(e, NGFF_E_STORAGE, "the temporary file %s was changed by somebody else", path);
    else if (failure)
        error_set(e, NGFF_E_STORAGE, "cannot read the temporary file %s: %s", path, cause);
    if (e->status == NGFF_OK) {
        memcpy(bytes, read, n);
        f->calls->remove_file(path);
    }
    free(read);
    return e->status;
}

/* -- The end ------------------------------------------------------------------------------------------------------- */

static int32_t cannot_publish(const folder *f, int failure, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "cannot rename %s to %s: %s", f->is_file ? f->packed : f->staged, f->path,
                     strerror(failure));
}

/* Somebody has put something at the destination since it was looked at. */
static int32_t check_again(folder *f, error *e)
{
    return destination_check(f->calls, f->path, f->is_named_file, f->is_overwrite, &f->destination, e);
}

static int is_not_possible(int failure)
{
    return failure == ENOSYS || failure == EINVAL || failure == ENOTSUP;
}

static int32_t cannot_put_back(const char *at, int failure, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "%s holds what is no part of an OME-Zarr, and cannot be put back: %s", at,
                     strerror(failure));
}

/* What was found in the old store, once it has its name again. */
static int32_t say_foreign(folder *f, const error *found, error *e)
{
    return check_again(f, e) == NGFF_OK ? error_copy(e, found) : e->status;
}

/* Swaps the new store and the old one, and looks at the old one once more where nobody else can change it: what is no
 * part of a store was put into it at the last moment, and it goes back. The record is hidden first: after the exchange
 * the claim holds the old store, and RESUME must not take it for the new one. Its name then says which folder it speaks
 * of, and gets shorter again if nothing was exchanged. */
static int32_t exchange(folder *f, int *is_possible, error *e)
{
    char record[longest_path], hidden[longest_path], cause[256] = "";
    path_state what;
    snprintf(record, sizeof record, "%s/%s", f->work, record_name);
    if (f->calls->look(record, &what, cause) != 0)
        return cannot_look(record, cause, e);
    int has_record = what.kind == KIND_FILE && !f->is_file;
    if (has_record && hidden_record(f, hidden, e) != NGFF_OK)
        return e->status;
    int failure = has_record ? rename_surely(f->calls, record, hidden) : 0;
    if (failure)
        return cannot_publish(f, failure, e);
    const char *coming = f->is_file ? f->packed : f->staged;
    failure = f->calls->exchange(coming, f->path);
    *is_possible = !is_not_possible(failure);
    if (!failure) {
        error foreign = {0};
        if (destination_is_ours(f->calls, coming, f->is_file, &foreign) == NGFF_OK)
            return NGFF_OK;
        failure = f->calls->exchange(coming, f->path);
        if (failure)
            return cannot_put_back(coming, failure, e);
        say_foreign(f, &foreign, e);
    } else if (*is_possible)
        cannot_publish(f, failure, e);
    if (has_record)
        rename_surely(f->calls, hidden, record);
    return e->status;
}

/* Puts the new store in the place of the old one by two renames, where names cannot be exchanged. Between them it looks
 * at the old one once more, as exchange does. */
static int32_t rename_twice(folder *f, error *e)
{
    char left[4096];
    error foreign = {0};
    claim_remove(&f->claim, f->retired, left); /* that of a run which was killed */
    int failure = rename_surely(f->calls, f->path, f->retired);
    if (failure)
        return cannot_publish(f, failure, e);
    int is_ours = destination_is_ours(f->calls, f->retired, 0, &foreign) == NGFF_OK;
    failure = is_ours ? rename_surely(f->calls, f->staged, f->path) : 0;
    if (is_ours && !failure) {
        warn_of_left(f, claim_remove(&f->claim, f->retired, left), left);
        return NGFF_OK;
    }
    int not_back = rename_surely(f->calls, f->retired, f->path);
    if (not_back && !is_ours)
        return cannot_put_back(f->retired, not_back, e);
    if (not_back)
        return error_set(e, NGFF_E_STORAGE, "cannot rename %s to %s: %s; the old store is now %s", f->staged, f->path,
                         strerror(failure), f->retired);
    return is_ours ? cannot_publish(f, failure, e) : say_foreign(f, &foreign, e);
}

/* A rename that replaces the file at the destination, where names cannot be exchanged. */
static int32_t rename_over(folder *f, error *e)
{
    path_state packed, there;
    char cause[256];
    int failure = f->calls->rename_over(f->packed, f->path);
    if (failure && f->calls->look(f->packed, &packed, cause) == 0 && packed.kind == KIND_NONE &&
        f->calls->look(f->path, &there, cause) == 0 && there.kind == KIND_FILE)
        failure = 0; /* its answer was lost */
    return failure ? cannot_publish(f, failure, e) : NGFF_OK;
}

static int32_t move_to_place(folder *f, error *e)
{
    int failure = 0;
    if (f->destination == DESTINATION_EMPTY)
        failure = f->calls->remove_empty(f->path); /* it stays if somebody has put something into it */
    if (!failure)
        failure = rename_surely(f->calls, f->is_file ? f->packed : f->staged, f->path);
    return failure ? cannot_publish(f, failure, e) : NGFF_OK;
}

/* Puts what has been made in its place. */
static int32_t put_in_place(folder *f, error *e)
{
    int is_possible = 1;
    if (check_again(f, e) != NGFF_OK)
        return e->status;
    if (f->destination != DESTINATION_STORE)
        return move_to_place(f, e);
    if (exchange(f, &is_possible, e) != NGFF_OK || is_possible)
        return e->status;
    return f->is_file ? rename_over(f, e) : rename_twice(f, e);
}

static int32_t pack(folder *f, error *e)
{
    zip_index_free(f->index); /* of the old file */
    f->index = NULL;
    return zip_pack(f->calls, f->staged, f->packed, &f->base, e);
}

/* What was staged becomes the store; then the claim goes. */
static int32_t folder_publish(store *s, error *e)
{
    folder *f = (folder *)s;
    if (f->is_claimed && !claim_is_held(&f->claim))
        return error_set(e, NGFF_E_STATE, "%s was begun by another process, of which this one is a copy (fork)",
                         f->path);
    if (f->is_update)
        return end_update(f, e);
    if (check_again(f, e) != NGFF_OK || (f->is_file && pack(f, e) != NGFF_OK))
        return e->status;
    if (f->is_synced && sync_all(f, f->is_file ? f->packed : f->staged, "it was not published", e) != NGFF_OK)
        return e->status;
    if (put_in_place(f, e) != NGFF_OK)
        return e->status;
    f->is_ended = 1;
    folder_abandon(s);                                           /* only the claim, and the old store in it */
    int not_synced = f->is_synced ? f->calls->sync(f->path) : 0; /* its name */
    return not_synced ? cannot_sync(f->path, "it is visible, but may be lost when the power fails", not_synced, e)
                      : NGFF_OK;
}

static void folder_free(store *s)
{
    folder *f = (folder *)s;
    for (size_t i = 0; i < f->n_slots; i++)
        free(f->made[i]);
    free(f->made);
    pthread_mutex_destroy(&f->lock);
    pthread_rwlock_destroy(&f->in_use);
    free(f->path);
    claim_free(&f->claim);
    free(f->retired);
    free(f->staged);
    free(f->packed);
    free(f->work);
    free(f->own);
    free(f->ending_path);
    claim_free(&f->ending);
    free(f->group);
    zip_index_free(f->index);
    free(f);
}

/* -- Jobs: several programs make one store ------------------------------------------------------------------------ */

static int32_t out_of_memory(error *e)
{
    return error_set(e, NGFF_E_MEMORY, "out of memory");
}

static int32_t folder_find_job(store *s, char name[64], int *is_there, error *e)
{
    folder *f = (folder *)s;
    return claim_find_job(&f->claim, name, is_there, e);
}

/* The job's folder has its name, and this program's in it a name of its own: what a program writes that has been forgotten
 * never lies in the way of another job, or of this one. */
static int32_t enter_job(folder *f, const char *name, error *e)
{
    char job[80], run[80], word[64];
    owner_unique(word);
    snprintf(job, sizeof job, "job-%s", name);
    snprintf(run, sizeof run, ".run-%s", word);
    free(f->work);
    free(f->own);
    free(f->staged);
    f->work = join(f->claim.folder, job);
    f->own = f->work ? join(f->work, run) : NULL;
    f->staged = f->work ? join(f->work, staged_name) : NULL;
    f->is_job = 1;
    return f->own && f->staged ? NGFF_OK : out_of_memory(e);
}

static int32_t folder_look(store *s, const char *name, error *e)
{
    return enter_job((folder *)s, name, e);
}

static int32_t make_folder(const folder *f, const char *path, int may_be_there, error *e)
{
    int failure = f->calls->make_folder(path);
    return !failure || (failure == EEXIST && may_be_there)
               ? NGFF_OK
               : error_set(e, NGFF_E_STORAGE, "cannot make the folder %s: %s", path, strerror(failure));
}

/* What killed programs of this machine have left in the job's folder. */
static void clean_runs(const folder *f)
{
    char **names = NULL, cause[256], path[longest_path];
    f->calls->list(f->work, &names, cause);
    for (int i = 0; names && names[i]; i++) {
        snprintf(path, sizeof path, "%s/%s", f->work, names[i]);
        if (strncmp(names[i], ".run-", 5) == 0 && owner_word_is_gone(names[i] + 5))
            f->calls->remove_tree(path);
    }
    free_names(names);
}

static int32_t make_job(folder *f, error *e)
{
    char record[longest_path];
    int has_begun, is_staged;
    snprintf(record, sizeof record, "%s/%s", f->work, record_name);
    if (make_folder(f, f->work, 1, e) != NGFF_OK || find_kind(f->calls, record, &has_begun, e) != NGFF_OK ||
        find_kind(f->calls, f->staged, &is_staged, e) != NGFF_OK)
        return e->status;
    if (has_begun != KIND_NONE && is_staged == KIND_NONE)
        return error_set(
            e, NGFF_E_EXISTS,
            "%s: the parts of this run have been put together already; `omezarr finish` removes what is left "
            "of them",
            f->path);
    clean_runs(f);
    if (make_folder(f, f->staged, 1, e) != NGFF_OK || make_folder(f, f->own, 0, e) != NGFF_OK)
        return e->status;
    return destination_can_be_replaced(f->calls, f->path, f->claim.folder, f->destination, e);
}

static int32_t folder_join(store *s, const char *name, int overwrite, error *e)
{
    folder *f = (folder *)s;
    if (enter_job(f, name, e) != NGFF_OK || check_place(f, overwrite, e) != NGFF_OK ||
        claim_join(&f->claim, name, e) != NGFF_OK)
        return e->status;
    f->is_claimed = 1;
    if (make_job(f, e) != NGFF_OK)
        leave_job(f);
    return e->status;
}

static int32_t folder_keep(store *s, const char *name, const void *bytes, size_t n, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path];
    if (snprintf(path, sizeof path, "%s/.%s", f->work, name) >= (int)sizeof path)
        return too_long(path, e);
    if (f->is_synced && sync_all(f, f->staged, "the part is not whole", e) != NGFF_OK)
        return e->status;
    if (put_at_once(f, path, bytes, n, e) != NGFF_OK || !f->is_synced)
        return e->status;
    int failure = f->calls->sync(path);
    return failure ? cannot_sync(path, "the part is not whole", failure, e) : NGFF_OK;
}

static int32_t folder_kept(store *s, const char *name, uint8_t **bytes, size_t *n, int *is_there, error *e)
{
    folder *f = (folder *)s;
    char path[longest_path], cause[256] = "";
    uint64_t size;
    snprintf(path, sizeof path, "%s/.%s", f->work, name);
    int failure = bytes ? f->calls->read_file(path, 0, 0, bytes, n, cause) : f->calls->measure(path, &size, cause);
    return read_status(failure, path, cause, is_there, e);
}

/* Only one program at a time puts the parts together: a claim of its own, in the job's folder. */
static int32_t claim_end_of_job(folder *f, error *e)
{
    error why = {0};
    f->ending_path = join(f->work, "end");
    if (!f->ending_path || !claim_init(&f->ending, f->calls, f->ending_path))
        return out_of_memory(e);
    if (claim_make(&f->ending, &why) == NGFF_E_EXISTS)
        return error_set(
            e, NGFF_E_EXISTS,
            "another program is putting the parts of %s together, or was stopped on another machine; if none "
            "is, remove %s",
            f->path, f->ending.folder);
    return error_copy(e, &why);
}

/* A program that was stopped behind the publication has left the old store in the job, whose record has another's name
 * (see exchange), or nothing where the store was. */
static int32_t look_for_end(folder *f, int *is_published, error *e)
{
    char *record = NULL, **names = NULL, cause[256];
    int here, retired, is_staged, has_other = 0;
    if (find_kind(f->calls, f->path, &here, e) != NGFF_OK || find_kind(f->calls, f->retired, &retired, e) != NGFF_OK ||
        find_kind(f->calls, f->staged, &is_staged, e) != NGFF_OK || read_record(f, &record, e) != NGFF_OK)
        return e->status;
    int failure = f->calls->list(f->work, &names, cause);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot list %s: %s", f->work, cause);
    for (int i = 0; names && names[i]; i++)
        has_other |= strncmp(names[i], record_name, strlen(record_name)) == 0 && names[i][strlen(record_name)] == '-';
    int has_record = record != NULL;
    for (int i = 0; names && names[i] && !has_record; i++)
        has_record = strcmp(names[i], record_name) == 0;
    *is_published = has_other || (has_record && is_staged == KIND_NONE);
    free_names(names);
    free(record);
    if (!*is_published && here == KIND_NONE && retired == KIND_FOLDER)
        rename_surely(f->calls, f->retired, f->path);
    return NGFF_OK;
}

static int32_t folder_take_job(store *s, const char *name, int *is_published, error *e)
{
    folder *f = (folder *)s;
    if (enter_job(f, name, e) != NGFF_OK || claim_end_of_job(f, e) != NGFF_OK)
        return e->status;
    f->is_claimed = 1;
    clean_runs(f);
    if (look_for_end(f, is_published, e) != NGFF_OK || make_folder(f, f->own, 0, e) != NGFF_OK)
        leave_job(f);
    return e->status;
}

static int32_t folder_allow(store *s, int overwrite, error *e)
{
    folder *f = (folder *)s;
    if (check_place(f, overwrite, e) != NGFF_OK)
        return e->status;
    return destination_can_be_replaced(f->calls, f->path, f->claim.folder, f->destination, e);
}

static int32_t folder_abandon_all(store *s, error *e)
{
    folder *f = (folder *)s;
    char left[4096];
    f->is_ended = 1;
    f->is_claimed = 0;
    int failure = claim_end(&f->claim, left);
    return failure ? error_set(e, NGFF_E_STORAGE, "%s cannot be removed: %s", left, strerror(failure)) : NGFF_OK;
}

static const store_jobs folder_jobs = {
    .find = folder_find_job,
    .look = folder_look,
    .join = folder_join,
    .keep = folder_keep,
    .kept = folder_kept,
    .take = folder_take_job,
    .allow = folder_allow,
    .abandon_all = folder_abandon_all,
};

static const store_ops folder_ops = {
    .find = folder_find,
    .find_into = folder_find_into,
    .find_size = folder_find_size,
    .forget = folder_forget,
    .list = folder_list,
    .free = folder_free,
};

static const store_writing folder_writing = {
    .begin = folder_begin,
    .note = folder_note,
    .resume = folder_resume,
    .release = folder_release,
    .set_sync = folder_set_sync,
    .begin_update = folder_begin_update,
    .remove = folder_remove,
    .remove_chunks = folder_remove_chunks,
    .put = folder_put,
    .publish = folder_publish,
    .abandon = folder_abandon,
    .scratch_put = folder_scratch_put,
    .scratch_get = folder_scratch_get,
    .jobs = &folder_jobs,
};

store *folder_open(const char *path, const folder_calls *calls)
{
    folder *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->base.ops = &folder_ops;
    f->base.writing = &folder_writing;
    f->base.threads = calls->threads;
    f->calls = calls;
    pthread_mutex_init(&f->lock, NULL);
    pthread_rwlock_init(&f->in_use, NULL);
    f->path = strdup(path);
    for (size_t n = f->path ? strlen(f->path) : 0; n > 1 && f->path[n - 1] == '/'; n--)
        f->path[n - 1] = 0;
    int has_claim = f->path && claim_init(&f->claim, calls, f->path);
    f->retired = f->path ? beside(f->path, ".retired") : NULL;
    f->staged = has_claim ? join(f->claim.folder, staged_name) : NULL;
    f->work = has_claim ? strdup(f->claim.folder) : NULL;
    f->own = has_claim ? strdup(f->claim.folder) : NULL;
    f->base.path = f->path;
    path_state what = {0};
    char cause[256];
    f->is_named_file = f->path && zip_is_name(path); /* "x.ozx/" is a folder */
    f->is_file = f->is_named_file &&
                 (calls->look(f->path, &what, cause) != 0 || what.kind != KIND_FOLDER); /* any name will do */
    if (f->is_file)
        f->packed = has_claim ? join(f->claim.folder, packed_name) : NULL;
    if (!has_claim || !f->retired || !f->staged || !f->work || !f->own || (f->is_file && !f->packed)) {
        folder_free(&f->base);
        return NULL;
    }
    return &f->base;
}
