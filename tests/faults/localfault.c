/* localfault.c: for LD_PRELOAD: faults of plain files below FAULT_ROOT, in front of libc's functions. What libc calls
 * inside itself (nftw, scandir) is out of reach here; the sweep of system calls has it (autotest/sweep_strace.py).
 * FAULT_NOW=NANOSECONDS: what the clock of the day says. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

#define IN_FRONT __attribute__((visibility("default")))

enum { most_files = 4096, is_written = 1, is_read = 2 };
static char is_watched[most_files]; /* descriptors of files and folders below the root */

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int is_below(const char *path)
{
    const char *root = getenv("FAULT_ROOT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

/* The path of a descriptor, or of a name in a folder that is one. */
static const char *path_of(int folder, const char *path, char room[5000])
{
    if (path && (*path == '/' || folder == AT_FDCWD))
        return path;
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    long n = syscall(SYS_readlink, link, room, 4000);
    if (n < 0)
        return NULL;
    snprintf(room + n, (size_t)(5000 - n), "%s%.900s", path && *path ? "/" : "", path ? path : "");
    return room;
}

static int watched(int file)
{
    return file >= 0 && file < most_files && is_watched[file] == is_written;
}

/* The next call that reads an open file or folder. */
static int next_read(const char *call, int file)
{
    char room[5000];
    if (file < 0 || file >= most_files || !is_watched[file])
        return FAULT_NONE;
    int before = errno;
    const char *path = path_of(file, NULL, room);
    errno = before;
    return fault_next_read(call, path);
}

static void watch(int file, int yes)
{
    if (file >= 0 && file < most_files)
        is_watched[file] = (char)yes;
}

/* A call that returns 0 or -1. */
#define SIMPLE(call, path)                                                                                             \
    int fault = is_below(path) ? fault_next(#call, path) : FAULT_NONE;                                                 \
    if (fault == FAULT_FAIL || fault == FAULT_SHORT)                                                                   \
        return -1;                                                                                                     \
    int result =

#define SIMPLE_END                                                                                                     \
    if (fault == FAULT_LOST) {                                                                                         \
        errno = EIO;                                                                                                   \
        return -1;                                                                                                     \
    }                                                                                                                  \
    fault_after();                                                                                                     \
    return result;

IN_FRONT int mkdir(const char *path, mode_t mode)
{
    SIMPLE(mkdir, path)((int (*)(const char *, mode_t))next("mkdir"))(path, mode);
    SIMPLE_END
}

IN_FRONT int rmdir(const char *path)
{
    SIMPLE(rmdir, path)((int (*)(const char *))next("rmdir"))(path);
    SIMPLE_END
}

IN_FRONT int unlink(const char *path)
{
    SIMPLE(unlink, path)((int (*)(const char *))next("unlink"))(path);
    SIMPLE_END
}

IN_FRONT int remove(const char *path)
{
    SIMPLE(remove, path)((int (*)(const char *))next("remove"))(path);
    SIMPLE_END
}

IN_FRONT int rename(const char *from, const char *to)
{
    SIMPLE(rename, to)((int (*)(const char *, const char *))next("rename"))(from, to);
    SIMPLE_END
}

IN_FRONT int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    SIMPLE(renameat2, to)
    ((int (*)(int, const char *, int, const char *, unsigned))next("renameat2"))(from_folder, from, to_folder, to,
                                                                                 flags);
    SIMPLE_END
}

IN_FRONT int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char room[5000];
    SIMPLE(renameat, path_of(to_folder, to, room))
    ((int (*)(int, const char *, int, const char *))next("renameat"))(from_folder, from, to_folder, to);
    SIMPLE_END
}

IN_FRONT int mkdirat(int folder, const char *path, mode_t mode)
{
    char room[5000];
    SIMPLE(mkdirat, path_of(folder, path, room))
    ((int (*)(int, const char *, mode_t))next("mkdirat"))(folder, path, mode);
    SIMPLE_END
}

IN_FRONT int unlinkat(int folder, const char *path, int flags)
{
    char room[5000];
    SIMPLE(unlinkat, path_of(folder, path, room))
    ((int (*)(int, const char *, int))next("unlinkat"))(folder, path, flags);
    SIMPLE_END
}

IN_FRONT int link(const char *from, const char *to)
{
    SIMPLE(link, to)((int (*)(const char *, const char *))next("link"))(from, to);
    SIMPLE_END
}

IN_FRONT int symlink(const char *from, const char *to)
{
    SIMPLE(symlink, to)((int (*)(const char *, const char *))next("symlink"))(from, to);
    SIMPLE_END
}

IN_FRONT int fsync(int file)
{
    char room[5000];
    SIMPLE(fsync, path_of(file, NULL, room))((int (*)(int))next("fsync"))(file);
    SIMPLE_END
}

IN_FRONT int syncfs(int file)
{
    char room[5000];
    SIMPLE(syncfs, path_of(file, NULL, room))((int (*)(int))next("syncfs"))(file);
    SIMPLE_END
}

/* -- Looking ------------------------------------------------------------------------------------------------------- */

/* A call that reads and returns 0 or -1. */
#define LOOK(call, path, type, arguments)                                                                              \
    if (is_below(path) && fault_next_read(#call, path) == FAULT_FAIL)                                                  \
        return -1;                                                                                                     \
    return ((int(*) type)next(#call))arguments;

IN_FRONT int stat(const char *path, struct stat *s){LOOK(stat, path, (const char *, struct stat *), (path, s))}

IN_FRONT int stat64(const char *path, struct stat64 *s){LOOK(stat64, path, (const char *, struct stat64 *), (path, s))}

IN_FRONT int lstat(const char *path, struct stat *s){LOOK(lstat, path, (const char *, struct stat *), (path, s))}

IN_FRONT
    int lstat64(const char *path, struct stat64 *s){LOOK(lstat64, path, (const char *, struct stat64 *), (path, s))}

IN_FRONT int fstatat(int folder, const char *path, struct stat *s, int flags)
{
    char room[5000];
    const char *whole = path_of(folder, path, room);
    LOOK(fstatat, whole, (int, const char *, struct stat *, int), (folder, path, s, flags))
}

IN_FRONT int fstatat64(int folder, const char *path, struct stat64 *s, int flags)
{
    char room[5000];
    const char *whole = path_of(folder, path, room);
    LOOK(fstatat64, whole, (int, const char *, struct stat64 *, int), (folder, path, s, flags))
}

IN_FRONT int access(const char *path, int mode){LOOK(access, path, (const char *, int), (path, mode))}

IN_FRONT int fstat(int file, struct stat *s)
{
    return next_read("fstat", file) == FAULT_FAIL ? -1 : ((int (*)(int, struct stat *))next("fstat"))(file, s);
}

IN_FRONT int fstat64(int file, struct stat64 *s)
{
    return next_read("fstat64", file) == FAULT_FAIL ? -1 : ((int (*)(int, struct stat64 *))next("fstat64"))(file, s);
}

IN_FRONT DIR *opendir(const char *path)
{
    if (is_below(path) && fault_next_read("opendir", path) == FAULT_FAIL)
        return NULL;
    DIR *folder = ((DIR * (*)(const char *)) next("opendir"))(path);
    if (folder)
        watch(dirfd(folder), is_below(path) ? is_read : 0);
    return folder;
}

IN_FRONT struct dirent *readdir(DIR *folder)
{
    if (next_read("readdir", dirfd(folder)) == FAULT_FAIL)
        return NULL;
    return ((struct dirent * (*)(DIR *)) next("readdir"))(folder);
}

IN_FRONT struct dirent64 *readdir64(DIR *folder)
{
    if (next_read("readdir", dirfd(folder)) == FAULT_FAIL)
        return NULL;
    return ((struct dirent64 * (*)(DIR *)) next("readdir64"))(folder);
}

IN_FRONT int closedir(DIR *folder)
{
    watch(dirfd(folder), 0);
    return ((int (*)(DIR *))next("closedir"))(folder);
}

/* -- Files --------------------------------------------------------------------------------------------------------- */

IN_FRONT FILE *fopen64(const char *path, const char *mode)
{
    int is_write = is_below(path) && strpbrk(mode, "wa+");
    int fault = is_write ? fault_next("fopen", path) : FAULT_NONE;
    if (fault == FAULT_FAIL || fault == FAULT_SHORT)
        return NULL;
    if (!is_write && is_below(path) && fault_next_read("fopen", path) == FAULT_FAIL)
        return NULL;
    FILE *file = ((FILE * (*)(const char *, const char *)) next("fopen64"))(path, mode);
    if (file && fault == FAULT_LOST) { /* it was made, but nobody knows */
        ((int (*)(FILE *))next("fclose"))(file);
        errno = EIO;
        return NULL;
    }
    if (file)
        watch(fileno(file), is_write ? is_written : is_below(path) ? is_read : 0);
    fault_after();
    return file;
}

IN_FRONT FILE *fopen(const char *path, const char *mode)
{
    return fopen64(path, mode);
}

/* libc reads on after a short read; what it hands out short it has marked. */
IN_FRONT size_t fread(void *bytes, size_t size, size_t n, FILE *file)
{
    enum { libcs_mark_of_an_error = 0x20 };
    size_t (*real)(void *, size_t, size_t, FILE *) = (size_t(*)(void *, size_t, size_t, FILE *))next("fread");
    int fault = next_read("fread", fileno(file)), number = errno;
    if (fault == FAULT_NONE)
        return real(bytes, size, n, file);
    size_t got = fault == FAULT_SHORT ? real(bytes, size, n / 2, file) : 0;
    file->_flags |= libcs_mark_of_an_error;
    errno = fault == FAULT_SHORT ? EIO : number;
    return got;
}

IN_FRONT size_t fwrite(const void *bytes, size_t size, size_t n, FILE *file)
{
    size_t (*real)(const void *, size_t, size_t, FILE *) =
        (size_t(*)(const void *, size_t, size_t, FILE *))next("fwrite");
    int fault = watched(fileno(file)) ? fault_next("fwrite", "") : FAULT_NONE;
    if (fault == FAULT_FAIL)
        return 0;
    if (fault == FAULT_SHORT) {
        real(bytes, 1, size * n / 2, file);
        errno = ENOSPC;
        return n / 2;
    }
    size_t written = real(bytes, size, n, file);
    fault_after();
    if (fault == FAULT_LOST)
        errno = EIO;
    return fault == FAULT_LOST ? 0 : written;
}

IN_FRONT int fclose(FILE *file)
{
    int (*real)(FILE *) = (int (*)(FILE *))next("fclose");
    int number = fileno(file), fault = watched(number) ? fault_next("fclose", "") : FAULT_NONE;
    int copy = fault == FAULT_FAIL || fault == FAULT_SHORT ? dup(number) : -1;
    watch(number, 0);
    int result = real(file);
    fault_after();
    if (copy >= 0) { /* what was still in the buffer is lost */
        struct stat s;
        if (fstat(copy, &s) == 0 && ftruncate(copy, s.st_size / 2) != 0)
            abort();
        close(copy);
    }
    if (fault != FAULT_NONE)
        errno = EIO;
    return fault != FAULT_NONE ? EOF : result;
}

static int open_below(const char *name, int folder, const char *path, int flags, mode_t mode)
{
    char room[5000];
    const char *whole = path_of(folder, path, room);
    int is_write = is_below(whole) && (flags & (O_WRONLY | O_RDWR | O_CREAT));
    if (is_write && fault_next(name, whole) != FAULT_NONE)
        return -1;
    if (!is_write && is_below(whole) && fault_next_read(name, whole) == FAULT_FAIL)
        return -1;
    int file = ((int (*)(int, const char *, int, ...))next("openat64"))(folder, path, flags, mode);
    watch(file, is_write ? is_written : is_below(whole) ? is_read : 0);
    if (is_write)
        fault_after();
    return file;
}

#define MODE                                                                                                           \
    va_list arguments;                                                                                                 \
    va_start(arguments, flags);                                                                                        \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(arguments, int) : 0;                                  \
    va_end(arguments);

IN_FRONT int open64(const char *path, int flags, ...)
{
    MODE return open_below("open", AT_FDCWD, path, flags, mode);
}

IN_FRONT int open(const char *path, int flags, ...)
{
    MODE return open_below("open", AT_FDCWD, path, flags, mode);
}

IN_FRONT int openat64(int folder, const char *path, int flags, ...)
{
    MODE return open_below("open", folder, path, flags, mode);
}

IN_FRONT int openat(int folder, const char *path, int flags, ...)
{
    MODE return open_below("open", folder, path, flags, mode);
}

IN_FRONT ssize_t read(int file, void *bytes, size_t n)
{
    int fault = next_read("read", file);
    return fault == FAULT_FAIL
               ? -1
               : ((ssize_t(*)(int, void *, size_t))next("read"))(file, bytes, fault == FAULT_SHORT ? (n + 1) / 2 : n);
}

IN_FRONT ssize_t pread64(int file, void *bytes, size_t n, off64_t offset)
{
    int fault = next_read("pread", file);
    return fault == FAULT_FAIL ? -1
                               : ((ssize_t(*)(int, void *, size_t, off64_t))next("pread64"))(
                                     file, bytes, fault == FAULT_SHORT ? (n + 1) / 2 : n, offset);
}

IN_FRONT ssize_t pread(int file, void *bytes, size_t n, off_t offset)
{
    return pread64(file, bytes, n, offset);
}

IN_FRONT ssize_t write(int file, const void *bytes, size_t n)
{
    ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))next("write");
    int fault = watched(file) ? fault_next("write", "") : FAULT_NONE;
    if (fault == FAULT_FAIL)
        return -1;
    ssize_t written = real(file, bytes, fault == FAULT_SHORT ? n / 2 : n);
    fault_after();
    if (fault == FAULT_LOST)
        errno = EIO;
    return fault == FAULT_LOST ? -1 : written;
}

IN_FRONT int close(int file)
{
    int fault = watched(file) ? fault_next("close", "") : FAULT_NONE;
    watch(file, 0);
    int result = ((int (*)(int))next("close"))(file);
    fault_after();
    if (fault != FAULT_NONE)
        errno = EIO;
    return fault != FAULT_NONE ? -1 : result;
}

IN_FRONT int ftruncate64(int file, off64_t n)
{
    int fault = watched(file) ? fault_next("ftruncate", "") : FAULT_NONE;
    if (fault != FAULT_NONE)
        return -1;
    int result = ((int (*)(int, off64_t))next("ftruncate64"))(file, n);
    fault_after();
    return result;
}

IN_FRONT int clock_gettime(clockid_t clock, struct timespec *now)
{
    const char *given = clock == CLOCK_REALTIME ? getenv("FAULT_NOW") : NULL;
    if (!given)
        return (int)syscall(SYS_clock_gettime, clock, now);
    long long nanoseconds = atoll(given);
    now->tv_sec = nanoseconds / 1000000000;
    now->tv_nsec = nanoseconds % 1000000000;
    return 0;
}
