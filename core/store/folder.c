/* folder.c: see folder.h. */
#include "folder.h"
#include "walk.h"
#include "zip.h"
#include "zip_index.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { n_set_start = 1024, longest_path = 4096 };

static const char owner_name[] = ".owner", record_name[] = ".record", scratch_name[] = ".scratch",
                  staged_name[] = "store", packed_name[] = "packed";

typedef struct {
    store base;
    const folder_calls *calls;
    char *path, *partial, *retired; /* the destination, .<name>.partial, .<name>.retired */
    char *staged, *packed;          /* the store to come, inside the partial folder; as a file, if it will be one */
    int is_file;
    zip_index *index; /* what the file holds, once it has been asked */
    pthread_rwlock_t in_use;
    char *group; /* of the file, at which the store stands */
    int is_claimed, is_overwrite;
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

char *beside(const char *path, const char *suffix)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(path) + strlen(suffix) + 2;
    char *made = malloc(n);
    if (made)
        snprintf(made, n, "%.*s.%s%s", (int)(name - path), path, name, suffix);
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

/* What a name is; an error where that cannot be told. */
static int32_t find_kind(const folder *f, const char *path, int *kind, error *e)
{
    path_state what;
    char cause[256] = "";
    if (f->calls->look(path, &what, cause) != 0)
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

/* -- What is at the destination ------------------------------------------------------------------------------------ */

int looks_like_ngff(const uint8_t *text, size_t n)
{
    /* Both words must be keys; a careful look is the metadata reader's. */
    static const char *const keys[] = {"\"multiscales\"", "\"bioformats2raw.layout\"", "\"plate\"", "\"well\""};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        if (memmem(text, n, keys[k], strlen(keys[k])))
            return 1;
    return 0;
}

static int32_t has_file(const folder *f, const char *folder_path, const char *name, int *has_it, error *e)
{
    int kind = KIND_NONE;
    char *path = join(folder_path, name);
    int32_t status = path ? find_kind(f, path, &kind, e) : error_set(e, NGFF_E_MEMORY, "out of memory");
    free(path);
    *has_it = kind == KIND_FILE;
    return status;
}

static int32_t is_ngff_root(const folder *f, int *is_ngff, error *e)
{
    static const char *const roots[] = {"zarr.json", ".zattrs"};
    *is_ngff = 0;
    for (int i = 0; i < 2 && !*is_ngff && e->status == NGFF_OK; i++) {
        char cause[256] = "";
        uint8_t *bytes = NULL;
        size_t n = 0;
        char *path = join(f->path, roots[i]);
        int failure = path ? f->calls->read_file(path, 0, 0, &bytes, &n, cause) : ENOMEM;
        if (failure && failure != ENOENT)
            error_set(e, NGFF_E_STORAGE, "cannot read %s/%s, to see what it is: %s", f->path, roots[i], cause);
        *is_ngff = !failure && looks_like_ngff(bytes, n);
        free(bytes);
        free(path);
    }
    return e->status;
}

int is_zarr_document(const char *name)
{
    static const char *const documents[] = {"zarr.json", ".zgroup", ".zattrs", ".zmetadata", ".zarray"};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++)
        if (strcmp(name, documents[i]) == 0)
            return 1;
    return 0;
}

/* True for the folder of a level to come: empty, in a store whose change has not ended. */
static int32_t is_begun(const folder *f, const char *path, int *is_ours, error *e)
{
    char **names = NULL, cause[256] = "";
    int kind = KIND_NONE, is_dirty;
    if (has_file(f, f->path, STORE_DIRTY_KEY, &is_dirty, e) != NGFF_OK || !is_dirty ||
        find_kind(f, path, &kind, e) != NGFF_OK || kind != KIND_FOLDER)
        return e->status;
    if (f->calls->list(path, &names, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "%s cannot be listed: %s; is it part of the OME-Zarr %s?", path, cause,
                         f->path);
    *is_ours = names[0] == NULL;
    free_names(names);
    return NGFF_OK;
}

/* True for what a Zarr group holds: its documents and folders that are nodes themselves. */
static int32_t belongs_to_store(const folder *f, const char *name, int *belongs, error *e)
{
    static const char *const documents[] = {"zarr.json", ".zgroup", ".zarray", "METADATA.ome.xml"};
    *belongs = is_zarr_document(name) || strcmp(name, STORE_DIRTY_KEY) == 0;
    char *path = join(f->path, name);
    if (!path)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    for (size_t i = 0; i < sizeof documents / sizeof documents[0] && !*belongs && e->status == NGFF_OK; i++)
        has_file(f, path, documents[i], belongs, e);
    if (path && !*belongs && e->status == NGFF_OK)
        is_begun(f, path, belongs, e);
    free(path);
    return e->status;
}

static int32_t check_file(const folder *f, int kind, int overwrite, error *e)
{
    int is_ngff = 0;
    if (kind == KIND_FOLDER)
        return error_set(e, NGFF_E_EXISTS, "%s exists and is a folder; choose another name", f->path);
    if (kind == KIND_FILE && zip_is_ngff(f->calls, f->path, &is_ngff, e) != NGFF_OK)
        return e->status;
    if (!is_ngff)
        return error_set(
            e, NGFF_E_EXISTS,
            "%s exists and is no zip that says it is an OME-Zarr; it is left untouched, choose another name", f->path);
    return overwrite ? NGFF_OK : error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", f->path);
}

/* Refuses a folder that holds what is no part of a store. One that cannot be listed may hold anything. */
static int32_t check_names(const folder *f, error *e)
{
    char **names = NULL, cause[256] = "";
    if (f->calls->list(f->path, &names, cause) != 0)
        return error_set(e, NGFF_E_STORAGE,
                         "%s cannot be listed: %s; it may hold more than an OME-Zarr, so it is not overwritten",
                         f->path, cause);
    for (int i = 0, belongs; names[i] && e->status == NGFF_OK; i++)
        if (belongs_to_store(f, names[i], &belongs, e) == NGFF_OK && !belongs)
            error_set(e, NGFF_E_EXISTS,
                      "%s holds '%s', which is no part of an OME-Zarr; move it away before overwriting", f->path,
                      names[i]);
    free_names(names);
    return e->status;
}

/* Refuses what must not be replaced: files, folders that are no OME-Zarr, and stores that hold other files too. */
static int32_t check_destination(folder *f, int overwrite, error *e)
{
    int kind, is_ngff;
    if (find_kind(f, f->path, &kind, e) != NGFF_OK || kind == KIND_NONE)
        return e->status;
    if (zip_is_name(f->path))
        return check_file(f, kind, overwrite, e);
    if (kind != KIND_FOLDER)
        return error_set(e, NGFF_E_EXISTS, "%s exists and is a file or a link; choose another name or remove it",
                         f->path);
    if (is_ngff_root(f, &is_ngff, e) != NGFF_OK)
        return e->status;
    if (!is_ngff)
        return error_set(e, NGFF_E_EXISTS,
                         "%s exists and is not an OME-Zarr; it is left untouched, choose another name", f->path);
    if (!overwrite)
        return error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", f->path);
    return check_names(f, e);
}

/* -- The claim ---------------------------------------------------------------------------------------------------- */

/* What a claimed folder says of its owner: a line, and not the first part of one. */
static int read_owner(const folder *f, const char *claimed, long *process, char host[128])
{
    char cause[256];
    uint8_t *bytes = NULL;
    size_t n = 0;
    char *path = join(claimed, owner_name);
    int is_read = path && f->calls->read_file(path, 0, 0, &bytes, &n, cause) == 0;
    int is_known = is_read && n > 0 && bytes[n - 1] == '\n' && sscanf((char *)bytes, "%ld %127s", process, host) == 2;
    free(bytes);
    free(path);
    return is_known;
}

/* True if the record in a claimed folder names a process of this machine that has ended, or one that has let go (0). */
static int is_owner_dead(const folder *f, const char *claimed)
{
    char host[128] = "", here[128] = "";
    long process = 0;
    local_machine(here);
    if (!read_owner(f, claimed, &process, host))
        return 0;
    return process == 0 || (strcmp(host, here) == 0 && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH);
}

static int32_t write_owner(const folder *f, const char *claimed, long process, error *e)
{
    char record[256], host[128] = "", cause[256] = "";
    local_machine(host);
    int n = snprintf(record, sizeof record, "%ld %s\n", process, host);
    char *path = join(claimed, owner_name);
    int has_failed = !path || f->calls->write_file(path, record, (size_t)n, cause) != 0;
    free(path);
    return has_failed ? error_set(e, NGFF_E_STORAGE, "%s cannot be written: %s", claimed, cause) : NGFF_OK;
}

/* Moves what a dead owner left away, so that it belongs to us, and looks at it again: of two programs that find the
 * same dead owner, the slower one must not take the new claim of the faster. The name, for free(), or NULL. */
static char *move_aside(const folder *f)
{
    char suffix[40];
    snprintf(suffix, sizeof suffix, ".dead-%ld", (long)getpid());
    char *aside = beside(f->path, suffix);
    if (aside && f->calls->rename_new(f->partial, aside) == 0) {
        if (is_owner_dead(f, aside))
            return aside;
        f->calls->rename_new(aside, f->partial);
    }
    free(aside);
    return NULL;
}

/* True if nobody owns what a dead program had moved aside: also where it was just putting its own name in. */
static int is_moved_dead(const folder *f, const char *moved)
{
    char host[128] = "";
    long process = 0;
    int has_owner = 0;
    error ignored = {0};
    return read_owner(f, moved, &process, host) ? is_owner_dead(f, moved)
                                                : has_file(f, moved, owner_name, &has_owner, &ignored) == NGFF_OK &&
                                                      has_owner && write_owner(f, moved, 0, &ignored) == NGFF_OK;
}

/* What a program had moved aside when it died: it is put back, or removed if another partial folder is there. */
static void recover_moved(const folder *f)
{
    char *prefix = beside(f->path, ".dead-");
    const char *slash = prefix ? strrchr(prefix, '/') : NULL;
    char *parent = slash ? strndup(prefix, (size_t)(slash - prefix) + (slash == prefix)) : strdup(".");
    const char *start = slash ? slash + 1 : prefix;
    char **names = NULL, cause[256];
    if (prefix && parent)
        f->calls->list(parent, &names, cause);
    for (int i = 0; names && names[i]; i++) {
        size_t n = strlen(start);
        long mover = strncmp(names[i], start, n) == 0 ? atol(names[i] + n) : 0;
        char *moved = mover > 0 ? join(parent, names[i]) : NULL;
        if (moved && kill((pid_t)mover, 0) != 0 && errno == ESRCH && is_moved_dead(f, moved) &&
            f->calls->rename_new(moved, f->partial) != 0)
            f->calls->remove_tree(moved);
        free(moved);
    }
    free_names(names);
    free(parent);
    free(prefix);
}

static void remove_leftovers(const folder *f)
{
    char *aside = move_aside(f);
    if (aside)
        f->calls->remove_tree(aside);
    free(aside);
}

/* Renames; where the answer was lost, what is there tells. Returns 0 or errno. */
static int move(const folder *f, const char *from, const char *to)
{
    path_state left, made;
    char cause[256];
    int failure = f->calls->rename_new(from, to);
    int is_done = failure && f->calls->look(from, &left, cause) == 0 && left.kind == KIND_NONE &&
                  f->calls->look(to, &made, cause) == 0 && made.kind != KIND_NONE;
    return is_done ? 0 : failure;
}

/* Where there is no exchange, who dies between the two renames leaves the old store under its second name: it gets its
 * own back, unless somebody may be alive between the two. */
static int32_t recover_retired(const folder *f, error *e)
{
    int here, retired;
    if (find_kind(f, f->path, &here, e) != NGFF_OK || find_kind(f, f->retired, &retired, e) != NGFF_OK)
        return e->status;
    if (here != KIND_NONE || retired != KIND_FOLDER)
        return NGFF_OK;
    if (is_owner_dead(f, f->partial) && move(f, f->retired, f->path) == 0)
        return NGFF_OK;
    return error_set(e, NGFF_E_EXISTS,
                     "%s is the old store of an overwrite that was stopped; rename it to %s, or remove it", f->retired,
                     f->path);
}

static int32_t is_being_written(const folder *f, error *e)
{
    return error_set(e, NGFF_E_EXISTS,
                     "%s exists: another program is writing %s, or was stopped on another machine; if none is, remove "
                     "that folder",
                     f->partial, f->path);
}

/* Makes the partial folder, which is the claim. */
static int32_t claim(folder *f, error *e)
{
    int failure = f->calls->make_folder(f->partial);
    if (failure == EEXIST && is_owner_dead(f, f->partial)) {
        remove_leftovers(f);
        failure = f->calls->make_folder(f->partial);
    }
    if (failure == EEXIST)
        return is_being_written(f, e);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot make the folder %s: %s; is the place writable and does it exist?",
                         f->partial, strerror(failure));
    if (write_owner(f, f->partial, (long)getpid(), e) == NGFF_OK)
        f->is_claimed = 1;
    else
        f->calls->remove_tree(f->partial);
    return e->status;
}

static void folder_abandon(store *s)
{
    folder *f = (folder *)s;
    if (f->is_claimed)
        f->calls->remove_tree(f->partial);
    f->is_claimed = 0;
}

static int32_t folder_begin(store *s, int overwrite, error *e)
{
    folder *f = (folder *)s;
    f->is_overwrite = overwrite;
    if (s->refusal)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", f->path, s->refusal);
    recover_moved(f);
    if (recover_retired(f, e) != NGFF_OK || check_destination(f, overwrite, e) != NGFF_OK || claim(f, e) != NGFF_OK)
        return e->status;
    int failure = f->calls->make_folder(f->staged);
    if (failure) {
        error_set(e, NGFF_E_STORAGE, "cannot make the folder %s: %s", f->staged, strerror(failure));
        folder_abandon(s);
    }
    return e->status;
}

/* -- Resuming ------------------------------------------------------------------------------------------------------ */

static int32_t folder_note(store *s, const char *text, size_t n, error *e)
{
    folder *f = (folder *)s;
    char cause[256] = "";
    char *path = join(f->partial, record_name);
    int has_failed = !path || f->calls->append_file(path, text, n, cause) != 0;
    free(path);
    return has_failed ? error_set(e, NGFF_E_STORAGE, "%s/%s cannot be written: %s", f->partial, record_name, cause)
                      : NGFF_OK;
}

static int has_staged(const folder *f, const char *claimed)
{
    char *path = join(claimed, staged_name);
    int kind = KIND_NONE;
    error ignored = {0};
    if (path)
        find_kind(f, path, &kind, &ignored);
    free(path);
    return kind == KIND_FOLDER;
}

static int32_t folder_resume(store *s, int overwrite, char **record, error *e)
{
    folder *f = (folder *)s;
    char cause[256];
    uint8_t *bytes = NULL;
    size_t n = 0;
    f->is_overwrite = overwrite;
    if (s->refusal)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", f->path, s->refusal);
    recover_moved(f);
    if (recover_retired(f, e) != NGFF_OK || check_destination(f, overwrite, e) != NGFF_OK)
        return e->status;
    int kind;
    if (find_kind(f, f->partial, &kind, e) != NGFF_OK)
        return e->status;
    if (kind != KIND_FOLDER)
        return 0;
    char *aside = is_owner_dead(f, f->partial) ? move_aside(f) : NULL;
    if (!aside)
        return is_being_written(f, e);
    char *path = join(aside, record_name);
    int has_record = path && f->calls->read_file(path, 0, 0, &bytes, &n, cause) == 0 && has_staged(f, aside);
    free(path);
    if (!has_record) {
        f->calls->remove_tree(aside); /* died before anything was done, or after all was */
        free(bytes);
        bytes = NULL;
    } else if (write_owner(f, aside, (long)getpid(), e) == NGFF_OK && f->calls->rename_new(aside, f->partial) != 0)
        is_being_written(f, e);
    f->is_claimed = has_record && e->status == NGFF_OK;
    free(aside);
    *record = (char *)bytes; /* with a NUL behind it */
    return e->status != NGFF_OK ? e->status : has_record;
}

static void folder_release(store *s)
{
    folder *f = (folder *)s;
    error ignored = {0};
    if (f->is_claimed)
        write_owner(f, f->partial, 0, &ignored);
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
    *slot_of(f->made, f->n_slots, key, n) = strndup(key, n);
    f->n_made++;
    return 0;
}

static int32_t too_long(const char *path, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "the path %.200s... is longer than %d bytes; choose a shorter destination",
                     path, longest_path - 1);
}

/* -- Change in place ----------------------------------------------------------------------------------------------- */

/* Leaves the mark before anything is changed: it is on the disk first. */
static int32_t mark_dirty(folder *f, error *e)
{
    static const char text[] = "This OME-Zarr is being changed, or the program that changed it has died.\n";
    char path[longest_path], cause[256] = "";
    pthread_mutex_lock(&f->lock);
    int is_first = !f->is_dirty, has_failed = 0;
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

/* Writes the new object beside the store, then puts it in the place of the old one at once. */
static int32_t replace_object(folder *f, const char *key, const void *bytes, size_t n, error *e)
{
    char path[longest_path], coming[longest_path], cause[256] = "";
    if (mark_dirty(f, e) != NGFF_OK)
        return e->status;
    if (snprintf(path, sizeof path, "%s/%s", f->path, key) >= (int)sizeof path)
        return too_long(path, e);
    pthread_mutex_lock(&f->lock);
    int failure = make_folders(f, key, strlen(key));
    snprintf(coming, sizeof coming, "%s/.new-%lld", f->partial, (long long)f->n_replaced++);
    pthread_mutex_unlock(&f->lock);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot make the folder of %s: %s", path, strerror(failure));
    if (f->calls->write_file(coming, bytes, n, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot write %s (%zu bytes): %s", coming, n, cause);
    failure = f->calls->rename_over(coming, path);
    return failure ? error_set(e, NGFF_E_STORAGE, "cannot replace %s: %s", path, strerror(failure)) : NGFF_OK;
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
    if (find_kind(f, path, &kind, e) != NGFF_OK || kind == KIND_NONE)
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
    if (f->is_file)
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s is one file, in which nothing is changed; write it anew with OVERWRITE=YES", f->path);
    int kind;
    if (claim(f, e) != NGFF_OK)
        return e->status;
    snprintf(path, sizeof path, "%s/" STORE_DIRTY_KEY, f->path);
    if (find_kind(f, path, &kind, e) != NGFF_OK) {
        folder_abandon(s);
        return e->status;
    }
    f->is_update = 1;
    f->is_dirty = kind != KIND_NONE;
    return NGFF_OK;
}

static int32_t cannot_sync(const char *path, const char *so, int failure, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "%s did not reach the disk: %s; %s", path, strerror(failure), so);
}

/* All is changed: it reaches the disk, then the mark goes, then the claim. */
static int32_t end_update(folder *f, error *e)
{
    char path[longest_path];
    int failure = 0;
    if (f->is_dirty) {
        failure = f->calls->sync(f->path);
        if (failure)
            return cannot_sync(f->path, "its mark " STORE_DIRTY_KEY " stays", failure, e);
        snprintf(path, sizeof path, "%s/" STORE_DIRTY_KEY, f->path);
        failure = f->calls->remove_file(path);
    }
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot remove %s: %s; all else of the store is whole", path,
                         strerror(failure));
    f->is_dirty = 0;
    f->calls->remove_tree(f->partial);
    f->is_claimed = 0;
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
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot make the folder of %s: %s", path, strerror(failure));
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
    return snprintf(path, longest_path, "%s/%s/%s", f->partial, scratch_name, key) < longest_path ? NGFF_OK
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

static int32_t move_to_place(const folder *f, error *e)
{
    int failure = move(f, f->staged, f->path);
    return failure ? cannot_publish(f, failure, e) : NGFF_OK;
}

/* Swaps the two stores. The record has another name meanwhile: a later run must not take the old store for what it
 * speaks of. It gets its own back only where there is no such call: after any other failure nobody knows which of the
 * two is where. */
static int exchange(const folder *f, int *is_possible)
{
    char record[longest_path], hidden[longest_path];
    snprintf(record, sizeof record, "%s/%s", f->partial, record_name);
    snprintf(hidden, sizeof hidden, "%s/%s-done", f->partial, record_name);
    path_state what;
    char cause[256];
    int failure = f->calls->look(record, &what, cause);
    if (failure)
        return failure;
    int has_record = what.kind == KIND_FILE;
    failure = has_record ? move(f, record, hidden) : 0;
    if (failure)
        return failure;
    failure = f->calls->exchange(f->staged, f->path);
    *is_possible = failure != ENOSYS && failure != EINVAL && failure != ENOTSUP;
    if (!*is_possible && has_record)
        move(f, hidden, record);
    return failure;
}

/* Puts the new store in the place of the old one: by exchange, else by two renames. */
static int32_t replace_old(const folder *f, error *e)
{
    int is_possible = 1, failure = exchange(f, &is_possible);
    if (is_possible)
        return failure ? cannot_publish(f, failure, e) : NGFF_OK;
    f->calls->remove_tree(f->retired);
    failure = move(f, f->path, f->retired);
    if (failure)
        return cannot_publish(f, failure, e);
    failure = move(f, f->staged, f->path);
    if (failure && move(f, f->retired, f->path) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot rename %s to %s: %s; the old store is now %s", f->staged, f->path,
                         strerror(failure), f->retired);
    if (failure)
        return cannot_publish(f, failure, e);
    f->calls->remove_tree(f->retired);
    return NGFF_OK;
}

/* Packs what is staged. A file takes the place of an old one at once. */
static int32_t publish_file(folder *f, error *e)
{
    zip_index_free(f->index); /* of the old file */
    f->index = NULL;
    if (zip_pack(f->calls, f->staged, f->packed, e) != NGFF_OK)
        return e->status;
    int failure = f->is_synced ? f->calls->sync(f->packed) : 0;
    if (failure)
        return cannot_sync(f->path, "it was not published", failure, e);
    if (check_destination(f, f->is_overwrite, e) != NGFF_OK) /* packing takes a while */
        return e->status;
    path_state what, packed;
    char cause[256] = "";
    if (f->calls->look(f->path, &what, cause) != 0)
        return cannot_look(f->path, cause, e);
    failure = what.kind == KIND_NONE ? move(f, f->packed, f->path) : f->calls->rename_over(f->packed, f->path);
    if (failure && f->calls->look(f->packed, &packed, cause) == 0 && packed.kind == KIND_NONE &&
        f->calls->look(f->path, &what, cause) == 0 && what.kind == KIND_FILE)
        failure = 0; /* its answer was lost */
    return failure ? cannot_publish(f, failure, e) : NGFF_OK;
}

/* What was staged becomes the store; then the claim goes. */
static int32_t folder_publish(store *s, error *e)
{
    folder *f = (folder *)s;
    if (f->is_update)
        return end_update(f, e);
    if (check_destination(f, f->is_overwrite, e) != NGFF_OK) /* somebody may have put something there meanwhile */
        return e->status;
    int kind;
    if (find_kind(f, f->path, &kind, e) != NGFF_OK)
        return e->status;
    int not_synced = f->is_synced && !f->is_file ? f->calls->sync(f->staged) : 0;
    if (not_synced)
        return cannot_sync(f->path, "it was not published", not_synced, e);
    if (f->is_file)
        publish_file(f, e);
    else if (kind == KIND_FOLDER)
        replace_old(f, e);
    else
        move_to_place(f, e);
    if (e->status != NGFF_OK)
        return e->status;
    f->calls->remove_tree(f->partial);
    f->is_claimed = 0;
    not_synced = f->is_synced ? f->calls->sync(f->path) : 0;
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
    free(f->partial);
    free(f->retired);
    free(f->staged);
    free(f->packed);
    free(f->group);
    zip_index_free(f->index);
    free(f);
}

static const store_ops folder_ops = {
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
    .find = folder_find,
    .find_into = folder_find_into,
    .find_size = folder_find_size,
    .forget = folder_forget,
    .scratch_put = folder_scratch_put,
    .scratch_get = folder_scratch_get,
    .list = folder_list,
    .free = folder_free,
};

store *folder_open(const char *path, const folder_calls *calls)
{
    folder *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->base.ops = &folder_ops;
    f->base.threads = calls->threads;
    f->calls = calls;
    pthread_mutex_init(&f->lock, NULL);
    pthread_rwlock_init(&f->in_use, NULL);
    f->path = strdup(path);
    for (size_t n = f->path ? strlen(f->path) : 0; n > 1 && f->path[n - 1] == '/'; n--)
        f->path[n - 1] = 0;
    f->partial = f->path ? beside(f->path, ".partial") : NULL;
    f->retired = f->path ? beside(f->path, ".retired") : NULL;
    f->staged = f->partial ? join(f->partial, staged_name) : NULL;
    f->base.path = f->path;
    path_state what = {0};
    char cause[256];
    int is_named = f->path && zip_is_name(f->path);
    f->is_file =
        is_named && (calls->look(f->path, &what, cause) != 0 || what.kind != KIND_FOLDER); /* any name will do */
    if (f->is_file)
        f->packed = f->partial ? join(f->partial, packed_name) : NULL;
    if (!f->partial || !f->retired || !f->staged || (f->is_file && !f->packed)) {
        folder_free(&f->base);
        return NULL;
    }
    return &f->base;
}
