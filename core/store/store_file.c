/* store_file.c: a store as plain files, with no GDAL. Also the choice of a store for a path. */
#include "folder.h"
#include "box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int local_kind(const char *path)
{
    struct stat s;
    if (lstat(path, &s) != 0)
        return KIND_NONE;
    return S_ISDIR(s.st_mode) ? KIND_FOLDER : KIND_FILE;
}

static int file_make_folder(const char *path)
{
    return mkdir(path, 0777) == 0 ? 0 : errno;
}

static int failed(char cause[256], int number)
{
    snprintf(cause, 256, "%s", strerror(number));
    return number ? number : EIO;
}

static int write_with(const char *path, int flags, const void *bytes, size_t n, char cause[256])
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
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

/* Reads n bytes at offset into a new buffer; the whole file for n = 0, the last n bytes for offset -1. */
static int file_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    struct stat s;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return failed(cause, errno == ENOTDIR ? ENOENT : errno);
    int number = fstat(file, &s) == 0 ? 0 : errno;
    uint64_t size = (uint64_t)s.st_size;
    if (offset < 0 && n > 0)
        offset = (int64_t)(size > n ? size - n : 0);
    if (n == 0 || n > size - (uint64_t)min_i64(offset, (int64_t)size))
        n = (size_t)(size - (uint64_t)min_i64(offset, (int64_t)size));
    *bytes = number ? NULL : malloc(n + 1);
    if (!number && !*bytes)
        number = ENOMEM;
    for (*n_read = 0; !number && *n_read < n;) {
        ssize_t got = pread(file, *bytes + *n_read, n - *n_read, (off_t)(offset + (int64_t)*n_read));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            number = errno;
        if (got <= 0)
            break;
        *n_read += (size_t)got;
    }
    close(file);
    if (!number) {
        (*bytes)[*n_read] = 0;
        return 0;
    }
    free(*bytes);
    *bytes = NULL;
    return failed(cause, number);
}

int local_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256])
{
    struct stat s;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would be waited for */
    if (file < 0)
        return failed(cause, errno == ENOTDIR ? ENOENT : errno);
    int number = fstat(file, &s) != 0 ? errno : S_ISDIR(s.st_mode) ? ENOENT : 0;
    *n_there = !number && s.st_size > offset ? (uint64_t)(s.st_size - offset) : 0;
    size_t n_read = 0, n = *n_there < room ? (size_t)*n_there : room;
    while (!number && n_read < n) {
        ssize_t got = pread(file, (char *)bytes + n_read, n - n_read, (off_t)(offset + (int64_t)n_read));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            number = errno;
        else if (got == 0)
            *n_there = n = n_read; /* it has become shorter since */
        else
            n_read += (size_t)got;
    }
    close(file);
    return number ? failed(cause, number) : 0;
}

static int file_size(const char *path, uint64_t *n)
{
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
        return ENOENT;
    *n = (uint64_t)s.st_size;
    return 0;
}

static int file_rename_new(const char *from, const char *to)
{
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
#endif
    if (local_kind(to) != KIND_NONE)
        return EEXIST;
    return rename(from, to) == 0 ? 0 : errno;
}

static int file_rename_over(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : errno;
}

/* A file, or all of the file system that a folder is in. What cannot be synced at all is no failure. */
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
    int failure = sync_one(path, local_kind(path) == KIND_FOLDER);
    if (failure || snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return failure;
    char *slash = strrchr(folder, '/');
    if (!slash)
        return sync_one(".", 0);
    slash[slash == folder] = 0;
    return sync_one(folder, 0);
}

static int file_exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0 ? 0 : errno;
#else
    (void)a;
    (void)b;
    return ENOSYS;
#endif
}

static int remove_visited(const char *path, const struct stat *s, int flag, struct FTW *walk)
{
    (void)s;
    (void)flag;
    (void)walk;
    remove(path);
    return 0;
}

int local_remove_tree(const char *path)
{
    return nftw(path, remove_visited, 32, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : errno;
}

static int file_remove(const char *path)
{
    return unlink(path) == 0 ? 0 : errno;
}

static char **free_names(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
    return NULL;
}

char **local_list(const char *path)
{
    DIR *folder = opendir(path);
    size_t n = 0, room = 16;
    char **names = folder ? calloc(room, sizeof *names) : NULL;
    int has_failed = 0;
    while (names && !has_failed) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (!entry) {
            has_failed = errno != 0;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (n + 2 > room) {
            char **more = realloc(names, 2 * room * sizeof *names);
            has_failed = !more;
            names = more ? more : names;
            room *= more ? 2 : 1;
        }
        names[n] = has_failed ? NULL : strdup(entry->d_name);
        has_failed |= !names[n];
        n += !has_failed;
        names[n] = NULL;
    }
    if (folder)
        closedir(folder);
    return has_failed ? free_names(names) : names;
}

/* Containers often have their host's name, or all the same one, and their own numbers of processes. */
void local_machine(char name[128])
{
    struct stat numbers;
    char host[101] = "";
    gethostname(host, sizeof host - 1);
    int n = snprintf(name, 128, "%s", host[0] ? host : "unknown");
    if (stat("/proc/self/ns/pid", &numbers) == 0)
        snprintf(name + n, 128 - (size_t)n, "+%llu", (unsigned long long)numbers.st_ino);
}

static const folder_calls file_calls = {
    .kind = local_kind,
    .make_folder = file_make_folder,
    .write_file = file_write,
    .append_file = file_append,
    .read_file = file_read,
    .read_into = local_read_into,
    .file_size = file_size,
    .rename_new = file_rename_new,
    .rename_over = file_rename_over,
    .exchange = file_exchange,
    .sync = local_sync,
    .remove_tree = local_remove_tree,
    .remove_file = file_remove,
    .list = local_list,
};

store *store_file_open(const char *path)
{
    return folder_open(path, &file_calls);
}

const folder_calls *calls_for(const char *path)
{
#ifdef NGFF_WITH_GDAL
    return vsi_calls_for(path);
#else
    (void)path;
    return &file_calls;
#endif
}

store *store_open(const char *path)
{
#ifdef NGFF_WITH_GDAL
    return store_vsi_open(path);
#else
    return store_file_open(path);
#endif
}
