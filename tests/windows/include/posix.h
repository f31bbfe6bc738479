/* posix.h: what the tests use of POSIX and Windows' C library lacks; included before each of them there. Tests of what
 * Windows has not at all (RUN_POSIX in check.h) are compiled against calls that fail, and not run. */
#ifndef TESTS_WINDOWS_POSIX_H
#define TESTS_WINDOWS_POSIX_H

#include <direct.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <windows.h>
#include <tlhelp32.h>

#undef near /* names of Windows' headers that tests use, too */
#undef far

#define mkdir(path, mode) ((void)(mode), _mkdir(path))
#define lstat(path, s) stat(path, s)
#define setenv(name, value, is_replaced) ((void)(is_replaced), _putenv_s(name, value))
#define unsetenv(name) _putenv_s(name, "")
#define truncate(path, size) truncate64(path, size)
#define rename(from, to) (MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING) ? 0 : -1)
#define link(from, to) (CreateHardLinkA(to, from, NULL) ? 0 : -1)
#define UTIME_OMIT (-2L)
#define AT_FDCWD 0
#define AT_SYMLINK_NOFOLLOW 0

/* Neither links nor pipes, and no other users: what is only compiled. */
#define fork() (-1)
#define pipe(ends) ((void)(ends), -1)
#define kill(process, number) ((void)(number), -1)
#define alarm(seconds) ((void)(seconds), 0)
#define symlink(to, from) ((void)(to), (void)(from), -1)
#define mkfifo(path, mode) ((void)(path), (void)(mode), -1)
#define geteuid() 0
#define seteuid(user) ((void)(user), -1)
#define sysconf(what) machine_processors()
typedef int sigset_t;
enum { SIGUSR1 = 30, SIGCHLD, SIG_BLOCK };
#define sigismember(set, number) (*(set) == (number))
#define pthread_sigmask(how, set, old) ((void)(old), -1)

static inline int waitpid(int process, int *status, int flags)
{
    (void)flags;
    if (status)
        *status = -1;
    return process;
}

/* Some other process that lives. */
static inline int getppid(void)
{
    PROCESSENTRY32 entry = {.dwSize = sizeof entry};
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    int other = 0;
    for (BOOL is_one = Process32First(all, &entry); is_one && !other; is_one = Process32Next(all, &entry))
        if (entry.th32ProcessID != GetCurrentProcessId())
            other = (int)entry.th32ProcessID;
    CloseHandle(all);
    return other;
}

static inline char *mkdtemp(char *path)
{
    static unsigned n;
    char *end = path + strlen(path) - 6;
    do
        snprintf(end, 7, "%06x", (unsigned)(getpid() * 64 + n++) & 0xffffff);
    while (_mkdir(path) != 0 && errno == EEXIST);
    return path;
}

static inline int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    uint64_t changed = ((uint64_t)times[1].tv_sec + 11644473600) * 10000000;
    FILETIME time = {(DWORD)changed, (DWORD)(changed >> 32)};
    HANDLE file = CreateFileA(path, FILE_WRITE_ATTRIBUTES, 7, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    int is_done = file != INVALID_HANDLE_VALUE && SetFileTime(file, NULL, NULL, &time);
    CloseHandle(file);
    (void)folder;
    (void)flags;
    return is_done ? 0 : -1;
}

#endif
