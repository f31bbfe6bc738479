/* local_posix.c: the calls of the protocol of folders on this machine's disks, by the system's own functions. Every
 * path that is not one of GDAL's "/vsi..." gets this table, with and without GDAL, since VSI loses errno and has no
 * rename that spares what is there. */
#include "store/local.h"
#include "store/side_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

#ifdef RENAME_NOREPLACE
/* The kernel has it whatever the C library: glibc has the function since 2.28, a library for all machines asks for 2.17. */
static int rename_with(unsigned flags, const char *from, const char *to)
{
#if defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ < 28
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
#else
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
#endif
}
#endif

static int failed(char cause[256], int number)
{
    snprintf(cause, 256, "%s", strerror(number));
    return number ? number : EIO;
}

static int is_not_there(int number)
{
    return number == ENOENT || number == ENOTDIR;
}

int local_look(const char *path, path_state *what, char cause[256])
{
    struct stat s;
    *what = (path_state){.kind = KIND_NONE};
    if (lstat(path, &s) != 0)
        return is_not_there(errno) ? 0 : failed(cause, errno);
    what->kind = S_ISDIR(s.st_mode) ? KIND_FOLDER : S_ISREG(s.st_mode) ? KIND_FILE : KIND_OTHER;
    what->size = what->kind == KIND_FILE ? (uint64_t)s.st_size : 0;
    what->id = (uint64_t)s.st_ino;
    what->device = (uint64_t)s.st_dev;
    what->changed = (int64_t)s.st_mtime;
    return 0;
}

char *local_path(const char *path)
{
    return strdup(path);
}

static int file_make_folder(const char *path)
{
    return mkdir(path, 0777) == 0 ? 0 : errno;
}

static int write_with(const char *path, int flags, const void *bytes, size_t n, char cause[256])
{
    int file;
    do
        file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    while (file < 0 && errno == EINTR);
    if (file < 0)
        return failed(cause, errno);
    const char *at = bytes;
    while (n > 0) {
        ssize_t written = write(file, at, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            int number = errno;
            close(file);
            return failed(cause, number);
        }
        at += written;
        n -= (size_t)written;
    }
    return close(file) == 0 ? 0 : failed(cause, errno);
}

static int file_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, O_TRUNC, bytes, n, cause);
}

static int file_append(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, O_APPEND, bytes, n, cause);
}

/* What is no regular file is not read. */
static int check_regular(const struct stat *s, char cause[256])
{
    if (S_ISREG(s->st_mode))
        return 0;
    if (S_ISDIR(s->st_mode))
        return failed(cause, EISDIR);
    snprintf(cause, 256, "it is a pipe, a socket or a device, not a file");
    return EINVAL;
}

static int try_open(const char *path, int flags)
{
    int file;
    do
        file = open(path, O_RDONLY | O_CLOEXEC | flags);
    while (file < 0 && errno == EINTR);
    return file;
}

/* Without O_NONBLOCK a pipe would be waited for. A file on which another
 * program holds a lease answers EAGAIN to it: that one is waited for. */
int local_open(const char *path, local_file *opened, uint64_t *size, char cause[256])
{
    struct stat s;
    int file = try_open(path, O_NONBLOCK);
    if (file < 0 && errno == EAGAIN && stat(path, &s) == 0 && S_ISREG(s.st_mode))
        file = try_open(path, 0);
    if (file < 0)
        return is_not_there(errno) ? local_missing(path, cause) : failed(cause, errno);
    int number = fstat(file, &s) == 0 ? check_regular(&s, cause) : failed(cause, errno);
    *opened = file;
    *size = (uint64_t)s.st_size;
    if (number)
        close(file);
    return number;
}

int local_read(local_file file, int64_t offset, void *bytes, size_t n, size_t *n_read, char cause[256])
{
    for (*n_read = 0; *n_read < n;) {
        ssize_t got = pread((int)file, (char *)bytes + *n_read, n - *n_read, (off_t)(offset + (int64_t)*n_read));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(cause, errno);
        if (got == 0)
            break;
        *n_read += (size_t)got;
    }
    return 0;
}

void local_close(local_file file)
{
    close((int)file);
}

static int file_measure(const char *path, uint64_t *n, char cause[256])
{
    struct stat s;
    if (stat(path, &s) != 0)
        return is_not_there(errno) ? local_missing(path, cause) : failed(cause, errno);
    *n = (uint64_t)s.st_size;
    return check_regular(&s, cause);
}

/* Where there is no rename that spares what is there (NFS, some FUSE, systems other than Linux), a file is given its
 * second name by link, which never replaces, and a folder is renamed plainly: the system refuses to replace a folder
 * that holds anything, and a claim, or a store, holds something as long as it is there. */
static int rename_without_flag(const char *from, const char *to)
{
    path_state what, there;
    char cause[256];
    int failure = local_look(from, &what, cause);
    if (failure)
        return failure;
    if (what.kind == KIND_FILE && link(from, to) == 0)
        return unlink(from) == 0 ? 0 : errno;
    if (what.kind == KIND_FILE && errno != EPERM && errno != ENOTSUP && errno != ENOSYS && errno != EMLINK)
        return errno;
    failure = local_look(to, &there, cause);
    if (failure || (there.kind != KIND_NONE && (what.kind != KIND_FOLDER || there.kind != KIND_FOLDER)))
        return failure ? failure : EEXIST;
    if (rename(from, to) == 0)
        return 0;
    return errno == ENOTEMPTY ? EEXIST : errno;
}

static int file_rename_new(const char *from, const char *to)
{
#ifdef RENAME_NOREPLACE
    if (rename_with(RENAME_NOREPLACE, from, to) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
#endif
    return rename_without_flag(from, to);
}

static int file_rename_over(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : errno;
}

/* A file or, on Linux, all of the file system that a folder is in. What cannot be synced at all is no failure. */
static int sync_one(const char *path, int is_all)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno;
#ifdef __linux__
    int failure = (is_all ? syncfs(file) : fsync(file)) == 0 ? 0 : errno;
#else
    (void)is_all;
    int failure = fsync(file) == 0 ? 0 : errno;
#endif
    close(file);
    return failure == EINVAL || failure == ENOSYS || failure == ENOTSUP || failure == EROFS ? 0 : failure;
}

int local_sync(const char *path)
{
    char folder[4096];
    path_state what;
    char cause[256];
    int failure = local_look(path, &what, cause);
    if (!failure)
        failure = sync_one(path, what.kind == KIND_FOLDER);
    if (failure || snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return failure;
    char *slash = strrchr(folder, '/');
    if (!slash)
        return sync_one(".", 0);
    slash[slash == folder] = 0;
    return sync_one(folder, 0);
}

/* After a failure both names are as they were: where the answer was lost, what is there tells. */
static int file_exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    struct stat before, after;
    if (lstat(b, &before) != 0)
        return errno;
    if (rename_with(RENAME_EXCHANGE, a, b) == 0)
        return 0;
    int failure = errno;
    int is_done = lstat(a, &after) == 0 && after.st_ino == before.st_ino && after.st_dev == before.st_dev;
    return is_done ? 0 : failure;
#else
    (void)a;
    (void)b;
    return ENOSYS;
#endif
}

int local_leads_somewhere(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

int local_remove_file(const char *path)
{
    return unlink(path) == 0 ? 0 : errno;
}

int local_remove_folder(const char *path, int is_emptied)
{
    (void)is_emptied;
    return rmdir(path) == 0 ? 0 : errno == EEXIST ? ENOTEMPTY : errno;
}

static int file_remove_empty(const char *path)
{
    return local_remove_folder(path, 0);
}

int local_list(const char *path, char ***names, char cause[256])
{
    DIR *folder = opendir(path);
    *names = NULL;
    if (!folder)
        return failed(cause, errno == ENOTDIR ? ENOENT : errno);
    name_list list = {.names = calloc(1, sizeof *list.names)};
    int number = list.names ? 0 : ENOMEM;
    while (!number) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (!entry) {
            number = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            number = add_name(&list, strdup(entry->d_name));
    }
    closedir(folder);
    if (!number) {
        *names = list.names;
        return 0;
    }
    free_names(list.names);
    return failed(cause, number);
}

#ifdef __linux__
static int is_mount_root(const char *path) /* statx is younger than 2.17, too */
{
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx s;
    return syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &s) == 0 &&
           (s.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
    (void)path;
    return 0;
#endif
}

/* An overlay does not rename a folder that comes from a lower layer. Whether this one does is seen by a rename that must
 * fail: to a folder that is not empty, which the overlay looks at only after it has looked at what is to be renamed. */
static int file_can_move(const char *path, const char *full)
{
    struct statfs s;
    const long overlay = 0x794c7630;
    if (is_mount_root(path))
        return EBUSY;
    if (statfs(path, &s) != 0 || (long)s.f_type != overlay)
        return 0;
    return rename(path, full) != 0 && errno == EXDEV ? EXDEV : 0;
}
#endif

const folder_calls local_calls = {
    .look = local_look,
    .make_folder = file_make_folder,
    .write_file = file_write,
    .append_file = file_append,
    .read_file = local_read_file,
    .read_into = local_read_into,
    .measure = file_measure,
    .rename_new = file_rename_new,
    .rename_over = file_rename_over,
    .exchange = file_exchange,
    .sync = local_sync,
#ifndef __linux__
    .syncs_files = 1,
#endif
    .remove_tree = local_remove_tree,
    .remove_file = local_remove_file,
    .remove_empty = file_remove_empty,
#ifdef __linux__
    .can_move = file_can_move,
#endif
    .list = local_list,
};

static int file_put_in_place(const char *partial, const char *path, const char *text, char cause[256])
{
    (void)text;
    return rename(partial, path) == 0 ? 0 : failed(cause, errno);
}

const side_calls local_side_calls = {
    .read_file = local_read_file,
    .write_file = file_write,
    .publish = file_put_in_place,
    .sync = local_sync,
    .remove_file = local_remove_file,
    .may_be_part = 1,
};
