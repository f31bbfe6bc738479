/* vsi_files.c: the calls of the protocol of folders through GDAL's VSI layer, for file systems with random writing:
 * disks and /vsimem/. */
#include "vsi_common.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int vsi_kind(const char *path)
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

/* Ends begin_quiet where no file was opened. */
static int end_nothing(quiet *before, const char *path, char cause[256])
{
    char other[256];
    int is_lost = is_lost_in_archive(path, cause);
    end_quiet(before, 1, is_lost ? other : cause);
    return is_lost ? EIO : ENOENT;
}

static int vsi_file_size(const char *path, uint64_t *n)
{
    VSIStatBufL s;
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG | VSI_STAT_SIZE_FLAG) != 0;
    int is_lost = has_failed && is_lost_in_archive(path, cause);
    end_quiet(&before, 0, cause);
    if (has_failed || VSI_ISDIR(s.st_mode))
        return is_lost ? EIO : ENOENT;
    *n = (uint64_t)s.st_size;
    return 0;
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
        return end_nothing(&before, path, cause);
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

/* On disks by the system's own calls: VSI's take twice as many, and a buffer. */
static int vsi_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256])
{
    if (is_local(path))
        return local_read_into(path, offset, bytes, room, n_there, cause);
    quiet before = begin_quiet();
    uint64_t size;
    int has_failed;
    VSILFILE *file = open_measured(path, &size, &has_failed);
    if (!file)
        return end_nothing(&before, path, cause);
    *n_there = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    size_t n = *n_there < room ? (size_t)*n_there : room;
    has_failed |= VSIFSeekL(file, (vsi_l_offset)offset, SEEK_SET) != 0;
    has_failed |= !has_failed && VSIFReadL(bytes, 1, n, file) != n;
    VSIFCloseL(file);
    return end_quiet(&before, has_failed, cause);
}

static int vsi_rename_new(const char *from, const char *to)
{
    char cause[256];
    if (vsi_kind(to) != KIND_NONE)
        return EEXIST;
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRename(from, to) != 0, cause);
}

static int vsi_rename_over(const char *from, const char *to)
{
    char cause[256];
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRename(from, to) != 0, cause);
}

int vsi_sync(const char *path)
{
    return is_local(path) ? local_sync(path) : 0;
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

static char **vsi_list(const char *path)
{
    return is_local(path) ? local_list(path) : plain_names(VSIReadDir(path)); /* which is silent where it fails */
}

const folder_calls vsi_calls = {
    .kind = vsi_kind,
    .make_folder = vsi_make_folder,
    .write_file = vsi_write,
    .append_file = vsi_append,
    .read_file = vsi_read,
    .read_into = vsi_read_into,
    .file_size = vsi_file_size,
    .rename_new = vsi_rename_new,
    .rename_over = vsi_rename_over,
    .exchange = vsi_exchange,
    .sync = vsi_sync,
    .remove_tree = vsi_remove_tree,
    .remove_file = vsi_remove_file,
    .list = vsi_list,
    .threads = &vsi_threads,
};
