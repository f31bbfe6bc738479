/* fault.c: see fault.h. Only system calls that nobody stands before. */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
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

/* Appends to a file without stdio, which may be ours. */
static void write_line(const char *variable, int flags, const char *text)
{
    const char *path = getenv(variable);
    long file = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | flags, 0666) : -1;
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
    char line[5000];
    long at = 0;
    const char *plan = getenv("FAULT");
    const char *action = plan ? strchr(plan, ':') : NULL;
    if (action)
        at = strtol(plan, NULL, 10);
    action = action ? action + 1 : "";
    pthread_mutex_lock(&lock);
    long number = ++n_calls;
    pthread_mutex_unlock(&lock);
    if (getenv("FAULT_LOG")) {
        snprintf(line, sizeof line, "%ld %s %s\n", number, call, path ? path : "");
        write_line("FAULT_LOG", O_APPEND, line);
    }
    is_killed_after = 0;
    int is_it = number == at || (number > at && strcmp(action, "forever") == 0);
    if (at == 0 || !is_it)
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

static void __attribute__((destructor)) write_count(void)
{
    char line[40];
    if (n_calls == 0) /* this copy of us was not in use */
        return;
    snprintf(line, sizeof line, "%ld\n", n_calls);
    write_line("FAULT_COUNT", O_TRUNC, line);
}
