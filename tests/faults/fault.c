/* fault.c: see fault.h. Only system calls that nobody stands before. */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long n_calls;
static _Thread_local int is_killed_after;

/* Without stdio, which may be ours. */
static void write_log(const char *text)
{
    const char *path = getenv("FAULT_LOG");
    long file = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (file < 0)
        return;
    long written = syscall(SYS_write, file, text, strlen(text));
    (void)written;
    syscall(SYS_close, file);
}

static void die(void)
{
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

int fault_next(const char *call, const char *path)
{
    char line[5000], action[10] = "";
    long first = 0, last = 0;
    const char *plan = getenv("FAULT");
    if (plan && sscanf(plan, "%ld-%ld:%9s", &first, &last, action) != 3 && sscanf(plan, "%ld:%9s", &first, action) == 2)
        last = strcmp(action, "forever") == 0 ? LONG_MAX : first;
    pthread_mutex_lock(&lock);
    long number = ++n_calls;
    pthread_mutex_unlock(&lock);
    snprintf(line, sizeof line, "%ld %s %s\n", number, call, path ? path : "");
    write_log(line);
    is_killed_after = 0;
    if (number < first || number > last)
        return FAULT_NONE;
    if (strcmp(action, "kill") == 0)
        die();
    is_killed_after = strcmp(action, "killed") == 0;
    errno = EIO;
    return is_killed_after                ? FAULT_NONE
           : strcmp(action, "short") == 0 ? FAULT_SHORT
           : strcmp(action, "lost") == 0  ? FAULT_LOST
                                          : FAULT_FAIL;
}

void fault_after(void)
{
    if (is_killed_after)
        die();
}
