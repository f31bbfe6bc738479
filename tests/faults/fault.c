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
static long n_writes, n_reads;
static _Thread_local int is_killed_after;
static char sick[5000]; /* the call and the path that fail from now on */

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

/* Counts and logs a call; true, with the action, if the plan means it. */
static int is_meant(int is_read, const char *call, const char *path, char action[10])
{
    char line[5000];
    long first = 0, last = 0;
    int before = errno, is_sick = 0;
    const char *plan = getenv("FAULT");
    if (plan && (*plan == 'r') != is_read)
        plan = NULL;
    plan = plan && is_read ? plan + 1 : plan;
    if (plan && sscanf(plan, "%ld*:%9s", &first, action) == 2)
        last = is_sick = (int)first;
    else if (plan && sscanf(plan, "%ld-%ld:%9s", &first, &last, action) != 3 &&
             sscanf(plan, "%ld:%9s", &first, action) == 2)
        last = strcmp(action, "forever") == 0 ? LONG_MAX : first;
    pthread_mutex_lock(&lock);
    long number = is_read ? ++n_reads : ++n_writes;
    int n = snprintf(line, sizeof line, "%s%ld ", is_read ? "r" : "", number);
    snprintf(line + n, sizeof line - (size_t)n, "%.100s %.4000s\n", call, path ? path : "");
    if (is_sick && number == first)
        memcpy(sick, line + n, sizeof line - (size_t)n);
    if (is_sick && strcmp(sick, line + n) == 0)
        last = number;
    pthread_mutex_unlock(&lock);
    write_log(line);
    errno = before;
    is_killed_after = 0;
    return number >= first && number <= last;
}

int fault_next(const char *call, const char *path)
{
    char action[10] = "";
    if (!is_meant(0, call, path, action))
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

int fault_next_read(const char *call, const char *path)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO}, {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EINTR", EINTR}, {"ESTALE", ESTALE}};
    char action[10] = "";
    if (!is_meant(1, call, path, action))
        return FAULT_NONE;
    if (strcmp(action, "kill") == 0)
        die();
    if (strcmp(action, "short") == 0)
        return FAULT_SHORT;
    errno = EIO;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(action, errors[i].name) == 0)
            errno = errors[i].number;
    return FAULT_FAIL;
}

void fault_after(void)
{
    if (is_killed_after)
        die();
}
