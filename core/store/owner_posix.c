/* owner_posix.c: the start of a process is field 22 of /proc/PID/stat, in ticks since the machine's start, which boot_id
 * tells apart from any other start (proc(5)). Where there is no /proc, only the number of the process is known. */
#include "store/owner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first part of a small file, without the end of its line. 0 if it cannot be read. */
static int read_text(const char *path, char *text, size_t room)
{
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, room - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return n > 0;
}

/* Machines may have one host name, such as "localhost", and share a disk; only their identities differ then. Containers
 * often have their host's name, or all the same one, and their own numbers of processes. */
void owner_machine(char name[128])
{
    struct stat numbers;
    char host[81] = "", id[40];
    gethostname(host, sizeof host - 1);
    int n = snprintf(name, 128, "%s", host[0] ? host : "unknown");
    if (stat("/proc/self/ns/pid", &numbers) == 0)
        n += snprintf(name + n, 128 - (size_t)n, "+%llu", (unsigned long long)numbers.st_ino);
    if (read_text("/etc/machine-id", id, sizeof id)) /* machine-id(5): 32 hexadecimal digits */
        snprintf(name + n, 128 - (size_t)n, "+%.12s", id);
}

void owner_boot(char word[16])
{
    char id[64];
    snprintf(word, 16, "%.13s", read_text("/proc/sys/kernel/random/boot_id", id, sizeof id) ? id : "");
}

void owner_start(long process, char start[64])
{
    char path[64], text[1024], boot[16];
    unsigned long long ticks = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    owner_boot(boot);
    snprintf(start, 64, "-");
    if (!boot[0] || !read_text(path, text, sizeof text))
        return;
    const char *at = strrchr(text, ')'); /* the name before it may hold blanks and brackets */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at && sscanf(at, " %llu", &ticks) == 1)
        snprintf(start, 64, "%s:%llu", boot, ticks);
}

int owner_process_is_gone(long process)
{
    return kill((pid_t)process, 0) != 0 && errno == ESRCH;
}
