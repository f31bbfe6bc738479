/* localfault.c: for LD_PRELOAD: faults of plain files below FAULT_ROOT, in front of libc's functions. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"

#define IN_FRONT __attribute__((visibility("default")))

enum { most_files = 4096 };
static char is_watched[most_files]; /* descriptors of files below the root that are being written */

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int is_below(const char *path)
{
    const char *root = getenv("FAULT_ROOT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int watched(int file)
{
    return file >= 0 && file < most_files && is_watched[file];
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

IN_FRONT FILE *fopen64(const char *path, const char *mode)
{
    int is_write = is_below(path) && strpbrk(mode, "wa+");
    int fault = is_write ? fault_next("fopen", path) : FAULT_NONE;
    if (fault == FAULT_FAIL || fault == FAULT_SHORT)
        return NULL;
    FILE *file = ((FILE * (*)(const char *, const char *)) next("fopen64"))(path, mode);
    if (file && fault == FAULT_LOST) { /* it was made, but nobody knows */
        ((int (*)(FILE *))next("fclose"))(file);
        errno = EIO;
        return NULL;
    }
    if (file)
        watch(fileno(file), is_write);
    fault_after();
    return file;
}

IN_FRONT FILE *fopen(const char *path, const char *mode)
{
    return fopen64(path, mode);
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

IN_FRONT int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? (mode_t)va_arg(arguments, int) : 0;
    va_end(arguments);
    int is_write = is_below(path) && (flags & (O_WRONLY | O_RDWR | O_CREAT));
    int fault = is_write ? fault_next("open", path) : FAULT_NONE;
    if (fault != FAULT_NONE)
        return -1;
    int file = ((int (*)(const char *, int, ...))next("open64"))(path, flags, mode);
    watch(file, is_write && file >= 0);
    fault_after();
    return file;
}

IN_FRONT int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? (mode_t)va_arg(arguments, int) : 0;
    va_end(arguments);
    return open64(path, flags, mode);
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
