/* vsi_files.c: the calls of the protocol of folders through GDAL's VSI layer, for file systems with random writing:
 * /vsimem/ and what plugins add. */
#include "base/text.h"
#include "store/vsi_common.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_not_there(int number)
{
    return number == ENOENT || number == ENOTDIR;
}

/* What it means that a path could not be opened or looked at; number: errno after it. Some handlers lose it (3.6's
 * VSIFOpenL sets it to 0 for those of VSIInstallPluginHandler): then the file is not there if another look says so, or
 * if it is not in the list of its folder. Called between begin_quiet and end_quiet. */
static int meaning_of(const char *path, int number, char cause[256])
{
    VSIStatBufL s;
    if (number || is_object_store(path))
        return is_not_there(number) ? ENOENT : number ? number : EIO;
    if (VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) == 0) {
        snprintf(cause, 256, "%s", VSI_ISDIR(s.st_mode) ? strerror(EISDIR) : "it is there, but cannot be opened");
        return VSI_ISDIR(s.st_mode) ? EISDIR : EIO;
    }
    if (errno)
        return is_not_there(errno) ? ENOENT : errno;
    const char *slash = strrchr(path, '/');
    char *parent = slash ? text_copy(path, (size_t)(slash - path)) : NULL;
    char **names = parent ? VSIReadDir(parent) : NULL;
    int is_missing = names && CSLFindString(names, slash + 1) < 0;
    if (!is_missing)
        snprintf(cause, 256, "the file system does not tell whether it is there");
    CSLDestroy(names);
    free(parent);
    return is_missing ? ENOENT : EIO;
}

/* Ends begin_quiet after a path could not be opened or looked at. */
static int end_failed(quiet *before, const char *path, char cause[256])
{
    char own[256] = "", last[256] = "";
    int number = meaning_of(path, errno, own);
    end_quiet(before, 1, last);
    snprintf(cause, 256, "%s", own[0] ? own : number == ENOENT ? strerror(ENOENT) : last);
    return number;
}

static int vsi_look(const char *path, path_state *what, char cause[256])
{
    VSIStatBufL s;
    quiet before = begin_quiet();
    *what = (path_state){.kind = KIND_NONE};
    if (VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG | VSI_STAT_SIZE_FLAG) == 0) {
        what->kind = VSI_ISDIR(s.st_mode)                            ? KIND_FOLDER
                     : VSI_ISREG(s.st_mode) || !(s.st_mode & S_IFMT) ? KIND_FILE
                                                                     : KIND_OTHER;
        what->size = what->kind == KIND_FILE ? (uint64_t)s.st_size : 0;
        what->id = (uint64_t)s.st_ino;
        what->device = (uint64_t)s.st_dev;
        what->changed = (int64_t)s.st_mtime;
        return end_quiet(&before, 0, cause);
    }
    int number = end_failed(&before, path, cause);
    if (number != ENOENT && is_object_store(path)) { /* the server says more */
        number = object_read(&request_calls, path, 0, 0, NULL, NULL, &what->size, cause);
        what->kind = number ? KIND_NONE : KIND_FILE;
    }
    return number == ENOENT ? 0 : number;
}

static int vsi_make_folder(const char *path)
{
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIMkdir(path, 0777) != 0;
    int number = end_quiet(&before, has_failed, cause);
    path_state what;
    if (number && number != EEXIST && vsi_look(path, &what, cause) == 0 && what.kind != KIND_NONE)
        return EEXIST; /* /vsimem/ does not say why */
    return number;
}

static int write_with(const char *path, const char *access, const void *bytes, size_t n, char cause[256])
{
    quiet before = begin_quiet();
    VSILFILE *file = VSIFOpenExL(path, access, TRUE);
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

static int vsi_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, "wb", bytes, n, cause);
}

static int vsi_append(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, "ab", bytes, n, cause);
}

/* Opens a file and finds its size by going to its end, without a further look at its folder. NULL: there is none. */
static VSILFILE *open_measured(const char *path, uint64_t *size, int *has_failed)
{
    VSILFILE *file = VSIFOpenL(path, "rb");
    *has_failed = !file || VSIFSeekL(file, 0, SEEK_END) != 0;
    *size = file ? (uint64_t)VSIFTellL(file) : 0;
    return file;
}

static int vsi_measure(const char *path, uint64_t *n, char cause[256])
{
    path_state what;
    int failure = vsi_look(path, &what, cause);
    if (!failure && what.kind != KIND_FILE) {
        failure = what.kind == KIND_NONE ? ENOENT : what.kind == KIND_FOLDER ? EISDIR : EINVAL;
        snprintf(cause, 256, "%s", strerror(failure));
    }
    *n = what.size;
    return failure;
}

/* Reads n bytes at offset; all for n = 0; the last n for offset -1. Opens once: a stat per chunk would double the
 * requests to an object store. */
static int vsi_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    quiet before = begin_quiet();
    *bytes = NULL;
    uint64_t size;
    int has_failed;
    VSILFILE *file = open_measured(path, &size, &has_failed);
    if (!file)
        return end_failed(&before, path, cause);
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

static int vsi_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256])
{
    quiet before = begin_quiet();
    uint64_t size;
    int has_failed;
    VSILFILE *file = open_measured(path, &size, &has_failed);
    if (!file)
        return end_failed(&before, path, cause);
    *n_there = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    size_t n = *n_there < room ? (size_t)*n_there : room;
    has_failed |= VSIFSeekL(file, (vsi_l_offset)offset, SEEK_SET) != 0;
    has_failed |= !has_failed && VSIFReadL(bytes, 1, n, file) != n;
    VSIFCloseL(file);
    return end_quiet(&before, has_failed, cause);
}

/* VSI's rename replaces what is there. What this library does is at once among the threads of this process, to which
 * /vsimem/ belongs; other handlers may be several programs' (claim.c looks again at what it has made). */
static int vsi_rename_new(const char *from, const char *to)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char cause[256];
    path_state there;
    pthread_mutex_lock(&lock);
    int failure = vsi_look(to, &there, cause);
    if (!failure && there.kind != KIND_NONE)
        failure = EEXIST;
    if (!failure) {
        quiet before = begin_quiet();
        failure = end_quiet(&before, VSIRename(from, to) != 0, cause);
    }
    pthread_mutex_unlock(&lock);
    return failure;
}

static int vsi_rename_over(const char *from, const char *to)
{
    char cause[256];
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRename(from, to) != 0, cause);
}

/* GDAL has no such call. */
static int vsi_sync(const char *path)
{
    (void)path;
    return 0;
}

static int vsi_exchange(const char *a, const char *b)
{
    (void)a;
    (void)b;
    return ENOSYS;
}

static int vsi_remove_tree(const char *path)
{
    char cause[256];
    path_state what;
    int failure = vsi_look(path, &what, cause);
    if (failure || what.kind == KIND_NONE)
        return failure;
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRmdirRecursive(path) != 0, cause);
}

static int vsi_remove_file(const char *path)
{
    char cause[256];
    quiet before = begin_quiet();
    return end_quiet(&before, VSIUnlink(path) != 0, cause);
}

/* /vsimem/ gives NULL for an empty folder; of others nobody knows what NULL means. */
static int vsi_list(const char *path, char ***names, char cause[256])
{
    path_state what;
    quiet before = begin_quiet();
    char **found = VSIReadDir(path);
    int number = end_quiet(&before, !found, cause);
    *names = NULL;
    if (!found) {
        char words[256];
        int failure = vsi_look(path, &what, words);
        if (!failure && what.kind == KIND_NONE)
            number = ENOENT;
        if (failure || what.kind != KIND_FOLDER || strncmp(path, "/vsimem/", 8) != 0)
            return number;
    }
    *names = plain_names(found);
    if (*names)
        return 0;
    snprintf(cause, 256, "%s", strerror(ENOMEM));
    return ENOMEM;
}

/* VSIRmdir of /vsimem/ does not look whether the folder is empty. */
static int vsi_remove_empty(const char *path)
{
    char cause[256], **names = NULL;
    int failure = vsi_list(path, &names, cause);
    if (!failure && names[0])
        failure = ENOTEMPTY;
    free_names(names);
    if (failure)
        return failure;
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRmdir(path) != 0, cause);
}

const folder_calls vsi_calls = {
    .look = vsi_look,
    .make_folder = vsi_make_folder,
    .write_file = vsi_write,
    .append_file = vsi_append,
    .read_file = vsi_read,
    .read_into = vsi_read_into,
    .measure = vsi_measure,
    .rename_new = vsi_rename_new,
    .rename_over = vsi_rename_over,
    .exchange = vsi_exchange,
    .sync = vsi_sync,
    .remove_tree = vsi_remove_tree,
    .remove_file = vsi_remove_file,
    .remove_empty = vsi_remove_empty,
    .list = vsi_list,
    .threads = &vsi_threads,
};

static int vsi_put_in_place(const char *partial, const char *path, const char *text, char cause[256])
{
    int failure = vsi_rename_over(partial, path);
    (void)text;
    if (failure)
        snprintf(cause, 256, "%s", strerror(failure));
    return failure;
}

const side_calls vsi_file_side_calls = {
    .read_file = vsi_read,
    .write_file = vsi_write,
    .publish = vsi_put_in_place,
    .sync = vsi_sync,
    .remove_file = vsi_remove_file,
    .may_be_part = 1,
};
