/* store_vsi.c: a store through GDAL's VSI layer; the only file of core that includes a GDAL header. File systems with
 * random writing (disks, /vsimem/) follow the folder protocol. Object stores follow their own: no folders, no rename;
 * each object is one open-write-close from a full buffer, and the root's document, which makes an image of it, is put
 * last. VSI's error messages are caught here and travel in `error`, never in GDAL's state of a worker. */
#include "folder.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Catching errors ----------------------------------------------------------------------------------------------- */

/* GDAL's error state of this thread as it was before, to be put back: it belongs to the host. */
typedef struct {
    CPLErr type;
    CPLErrorNum number;
    char *message;
} quiet;

static quiet begin_quiet(void)
{
    quiet before = {CPLGetLastErrorType(), CPLGetLastErrorNo(), NULL};
    if (before.type != CE_None)
        before.message = strdup(CPLGetLastErrorMsg());
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
    errno = 0;
    return before;
}

/* Ends begin_quiet; returns errno, or EIO, and the reason in words. */
static int end_quiet(quiet *before, int has_failed, char cause[256])
{
    int number = errno;
    if (has_failed) {
        const char *message = CPLGetLastErrorMsg();
        snprintf(cause, 256, "%s", message[0] ? message : number ? strerror(number) : "the file system refused it");
    }
    CPLErrorReset();
    CPLPopErrorHandler();
    if (before->message)
        CPLErrorSetState(before->type, before->number, before->message);
    free(before->message);
    return !has_failed ? 0 : number ? number : EIO;
}

/* -- One file ------------------------------------------------------------------------------------------------------ */

static int is_local(const char *path)
{
    return strncmp(path, "/vsi", 4) != 0;
}

static int vsi_kind(const char *path)
{
    VSIStatBufL s;
    char cause[256];
    if (is_local(path))
        return local_kind(path);
    quiet before = begin_quiet();
    int is_there = VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) == 0;
    end_quiet(&before, 0, cause);
    return !is_there ? KIND_NONE : VSI_ISDIR(s.st_mode) ? KIND_FOLDER : KIND_FILE;
}

static int vsi_make_folder(const char *path)
{
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIMkdir(path, 0777) != 0;
    int number = end_quiet(&before, has_failed, cause);
    if (has_failed && number != EEXIST && vsi_kind(path) != KIND_NONE)
        return EEXIST; /* /vsimem/ does not say why */
    return number;
}

static int vsi_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    quiet before = begin_quiet();
    VSILFILE *file = VSIFOpenExL(path, "wb", TRUE);
    if (!file) {
        if (VSIGetLastErrorMsg()[0] && !CPLGetLastErrorMsg()[0])
            CPLError(CE_Failure, CPLE_FileIO, "%s", VSIGetLastErrorMsg());
        return end_quiet(&before, 1, cause);
    }
    int has_failed = n > 0 && VSIFWriteL(bytes, 1, n, file) != n;
    int number = errno;
    has_failed |= VSIFCloseL(file) != 0; /* object stores upload here */
    if (number)
        errno = number;
    return end_quiet(&before, has_failed, cause);
}

static int vsi_file_size(const char *path, uint64_t *n)
{
    VSIStatBufL s;
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG | VSI_STAT_SIZE_FLAG) != 0;
    end_quiet(&before, 0, cause);
    if (has_failed || VSI_ISDIR(s.st_mode))
        return ENOENT;
    *n = (uint64_t)s.st_size;
    return 0;
}

/* Reads n bytes at offset; all for n = 0; the last n for offset -1. Opens once: a stat per chunk would double the
 * requests to an object store. */
static int vsi_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    quiet before = begin_quiet();
    *bytes = NULL;
    VSILFILE *file = VSIFOpenL(path, "rb");
    if (!file) {
        end_quiet(&before, 1, cause);
        return ENOENT;
    }
    int has_failed = VSIFSeekL(file, 0, SEEK_END) != 0;
    uint64_t size = (uint64_t)VSIFTellL(file);
    if (offset < 0 && n > 0)
        offset = (int64_t)(size > n ? size - n : 0);
    uint64_t rest = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    if (n == 0 || n > rest)
        n = (size_t)rest;
    *bytes = has_failed ? NULL : malloc(n + 1);
    has_failed |= !*bytes || VSIFSeekL(file, (vsi_l_offset)offset, SEEK_SET) != 0;
    *n_read = has_failed ? 0 : VSIFReadL(*bytes, 1, n, file);
    has_failed |= *n_read != n;
    VSIFCloseL(file);
    if (has_failed) {
        free(*bytes);
        *bytes = NULL;
        return end_quiet(&before, 1, cause);
    }
    (*bytes)[n] = 0;
    return end_quiet(&before, 0, cause);
}

static int vsi_rename_new(const char *from, const char *to)
{
    char cause[256];
    if (vsi_kind(to) != KIND_NONE)
        return EEXIST;
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRename(from, to) != 0, cause);
}

static int vsi_exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    if (is_local(a))
        return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0 ? 0 : errno;
#endif
    (void)a;
    (void)b;
    return ENOSYS;
}

static int vsi_remove_tree(const char *path)
{
    char cause[256];
    if (is_local(path))
        return local_remove_tree(path); /* VSIRmdirRecursive follows links */
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRmdirRecursive(path) != 0, cause);
}

static int vsi_remove_file(const char *path)
{
    char cause[256];
    quiet before = begin_quiet();
    return end_quiet(&before, VSIUnlink(path) != 0, cause);
}

/* VSI's list as plain malloc'ed strings, without "." and "..". */
static char **vsi_list(const char *path)
{
    char **found = VSIReadDir(path);
    int n = CSLCount(found), kept = 0;
    char **names = calloc((size_t)n + 1, sizeof *names);
    for (int i = 0; names && i < n; i++)
        if (strcmp(found[i], ".") != 0 && strcmp(found[i], "..") != 0)
            names[kept++] = strdup(found[i]);
    CSLDestroy(found);
    return names;
}

static void vsi_enter_thread(void)
{
    /* Workers print nothing: what goes wrong on them is raised on the caller's thread. Pushed, so for this thread only:
     * CPLSetErrorHandler would silence the whole process. */
    CPLPushErrorHandler(CPLQuietErrorHandler);
}

static const folder_calls vsi_calls = {
    .kind = vsi_kind,
    .make_folder = vsi_make_folder,
    .write_file = vsi_write,
    .read_file = vsi_read,
    .file_size = vsi_file_size,
    .rename_new = vsi_rename_new,
    .exchange = vsi_exchange,
    .remove_tree = vsi_remove_tree,
    .remove_file = vsi_remove_file,
    .list = vsi_list,
    .enter_thread = vsi_enter_thread,
};

/* -- Object stores ------------------------------------------------------------------------------------------------- */

typedef struct {
    store base;
    char *path, *scratch;
    int is_claimed;
    pthread_mutex_t lock; /* scratch */
} objects;

static char *object_path(const objects *o, const char *key)
{
    size_t n = strlen(o->path) + strlen(key) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s/%s", o->path, key);
    return path;
}

static int32_t objects_get(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                           error *e)
{
    char cause[256] = "";
    char *path = object_path((objects *)s, key);
    int failure = path ? vsi_read(path, offset, n, bytes, n_read, cause) : ENOMEM;
    int32_t status = NGFF_OK;
    if (failure == ENOENT)
        status = NGFF_E_NOT_FOUND;
    else if (failure)
        status = error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path ? path : key, cause);
    free(path);
    return status;
}

/* Removes all objects below the prefix, the documents of the root first: an interrupted removal is no image. */
static void remove_objects(objects *o)
{
    static const char *const roots[] = {"zarr.json", ".zattrs", ".zgroup", ".zmetadata"};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        char *path = object_path(o, roots[i]);
        if (path && vsi_kind(path) == KIND_FILE)
            vsi_remove_file(path);
        free(path);
    }
    char **keys = VSIReadDirRecursive(o->path);
    for (int i = 0; keys && keys[i]; i++) {
        char *path = object_path(o, keys[i]);
        size_t n = path ? strlen(path) : 0;
        if (n && path[n - 1] != '/')
            vsi_remove_file(path);
        free(path);
    }
    CSLDestroy(keys);
}

static int32_t objects_begin(store *s, int overwrite, error *e)
{
    objects *o = (objects *)s;
    static const char *const roots[] = {"zarr.json", ".zattrs"};
    int is_ngff = 0;
    for (int i = 0; i < 2; i++) {
        uint8_t *text = NULL;
        size_t n = 0;
        error ignored = {0};
        if (objects_get(s, roots[i], 0, 0, &text, &n, &ignored) == NGFF_OK)
            is_ngff |= looks_like_ngff(text, n);
        free(text);
    }
    char **names = is_ngff ? NULL : VSIReadDirEx(o->path, 3);
    int n_foreign = 0;
    for (int i = 0; names && names[i]; i++)
        n_foreign += strcmp(names[i], ".") != 0 && strcmp(names[i], "..") != 0 && names[i][0] != 0;
    CSLDestroy(names);
    if (n_foreign > 0)
        return error_set(e, NGFF_E_EXISTS,
                         "%s holds objects that are no OME-Zarr; they are left untouched, choose another name",
                         o->path);
    if (is_ngff && !overwrite)
        return error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", o->path);
    if (is_ngff)
        remove_objects(o);
    o->is_claimed = 1;
    return NGFF_OK;
}

static int32_t objects_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    char cause[256] = "";
    char *path = object_path((objects *)s, key);
    int failure = path ? vsi_write(path, bytes, n, cause) : ENOMEM;
    if (failure)
        error_set(e, NGFF_E_STORAGE, "cannot write %s (%zu bytes): %s", path ? path : key, n, cause);
    free(path);
    return failure ? NGFF_E_STORAGE : NGFF_OK;
}

static int32_t objects_publish(store *s, error *e)
{
    (void)e;
    ((objects *)s)->is_claimed = 0; /* the root's document, put last, has published it */
    return NGFF_OK;
}

static void objects_abandon(store *s)
{
    objects *o = (objects *)s;
    if (o->is_claimed)
        remove_objects(o);
    o->is_claimed = 0;
}

static int32_t objects_size(store *s, const char *key, uint64_t *n, error *e)
{
    char *path = object_path((objects *)s, key);
    int failure = path ? vsi_file_size(path, n) : ENOMEM;
    (void)e;
    free(path);
    return failure ? NGFF_E_NOT_FOUND : NGFF_OK;
}

/* Scratch lies on this machine: CPL_TMPDIR, where GDAL's own temporary files go. */
static int32_t make_scratch(objects *o, error *e)
{
    pthread_mutex_lock(&o->lock);
    if (!o->scratch) {
        char *path = strdup(CPLGenerateTempFilename("omezarr"));
        if (path && vsi_make_folder(path) == 0)
            o->scratch = path;
        else {
            error_set(e, NGFF_E_STORAGE, "cannot make the temporary folder %s; set CPL_TMPDIR to a writable place",
                      path ? path : "");
            free(path);
        }
    }
    pthread_mutex_unlock(&o->lock);
    return e->status;
}

static int32_t objects_scratch_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    objects *o = (objects *)s;
    char path[1024], cause[256] = "";
    if (make_scratch(o, e) != NGFF_OK)
        return e->status;
    snprintf(path, sizeof path, "%s/%s", o->scratch, key);
    if (vsi_write(path, bytes, n, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot write the temporary file %s: %s", path, cause);
    return NGFF_OK;
}

static int32_t objects_scratch_get(store *s, const char *key, void *bytes, size_t n, error *e)
{
    objects *o = (objects *)s;
    char path[1024], cause[256] = "";
    uint8_t *read = NULL;
    size_t n_read = 0;
    snprintf(path, sizeof path, "%s/%s", o->scratch ? o->scratch : "", key);
    int failure = vsi_read(path, 0, 0, &read, &n_read, cause);
    if (!failure && n_read == n)
        memcpy(bytes, read, n);
    free(read);
    vsi_remove_file(path);
    if (failure || n_read != n)
        return error_set(e, NGFF_E_STORAGE, "cannot read the temporary file %s back: %s", path, cause);
    return NGFF_OK;
}

static int32_t objects_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    const objects *o = (const objects *)s;
    char cause[256];
    quiet before = begin_quiet();
    char **keys = VSIReadDirRecursive(o->path);
    end_quiet(&before, 0, cause);
    int32_t status = keys ? NGFF_OK : NGFF_E_UNSUPPORTED;
    for (int i = 0; keys && keys[i] && status == NGFF_OK; i++) {
        size_t n = strlen(keys[i]);
        if (n > 0 && keys[i][n - 1] != '/')
            status = visit(user, keys[i]);
    }
    CSLDestroy(keys);
    return status < 0 ? error_set(e, status, "the objects below %s cannot be listed", o->path) : NGFF_OK;
}

static void objects_enter_thread(store *s)
{
    (void)s;
    vsi_enter_thread();
}

static void objects_free(store *s)
{
    objects *o = (objects *)s;
    if (o->scratch)
        vsi_remove_tree(o->scratch);
    pthread_mutex_destroy(&o->lock);
    free(o->scratch);
    free(o->path);
    free(o);
}

static const store_ops object_ops = {
    .begin = objects_begin,
    .put = objects_put,
    .publish = objects_publish,
    .abandon = objects_abandon,
    .get = objects_get,
    .size = objects_size,
    .enter_thread = objects_enter_thread,
    .scratch_put = objects_scratch_put,
    .scratch_get = objects_scratch_get,
    .list = objects_list,
    .free = objects_free,
};

static store *objects_open(const char *path)
{
    objects *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->base.ops = &object_ops;
    pthread_mutex_init(&o->lock, NULL);
    o->path = strdup(path);
    for (size_t n = o->path ? strlen(o->path) : 0; n > 1 && o->path[n - 1] == '/'; n--)
        o->path[n - 1] = 0;
    if (!o->path) {
        objects_free(&o->base);
        return NULL;
    }
    return &o->base;
}

store *store_vsi_open(const char *path)
{
    int is_object_store = !is_local(path) && !VSISupportsRandomWrite(path, FALSE);
    return is_object_store ? objects_open(path) : folder_open(path, &vsi_calls);
}
