/* owner.c: see owner.h. The start of a process is field 22 of /proc/PID/stat, in ticks since the machine's start, which
 * boot_id tells apart from any other start (proc(5)). Where there is no /proc, only the number of the process is known. */
#include "owner.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
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

/* 13 characters of this start of the machine; "" where nobody tells. */
static void boot_word(char word[16])
{
    char id[64];
    snprintf(word, 16, "%.13s", read_text("/proc/sys/kernel/random/boot_id", id, sizeof id) ? id : "");
}

void owner_start(long process, char start[64])
{
    char path[64], text[1024], boot[16];
    unsigned long long ticks = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    boot_word(boot);
    snprintf(start, 64, "-");
    if (!boot[0] || !read_text(path, text, sizeof text))
        return;
    const char *at = strrchr(text, ')'); /* the name before it may hold blanks and brackets */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at && sscanf(at, " %llu", &ticks) == 1)
        snprintf(start, 64, "%s:%llu", boot, ticks);
}

/* A number for this machine, for names that are short. */
static uint32_t machine_number(void)
{
    char machine[128];
    uint32_t hash = 2166136261u;
    owner_machine(machine);
    for (const char *at = machine; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return hash;
}

void owner_unique(char word[64])
{
    static unsigned counter;
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(word, 64, "%ld-%08x-%llx%08lx-%x", (long)getpid(), (unsigned)machine_number(),
             (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec,
             __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
}

int owner_word_is_gone(const char *word)
{
    long process = 0;
    unsigned machine = 0;
    return sscanf(word, "%ld-%8x-", &process, &machine) == 2 && process > 0 && machine == machine_number() &&
           kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

static void make_line(long process, const char *start, char line[owner_size])
{
    char machine[128], word[64];
    owner_machine(machine);
    owner_unique(word);
    snprintf(line, owner_size, "%ld %s %s %s", process, machine, start, word);
}

void owner_line(char line[owner_size])
{
    char start[64];
    owner_start((long)getpid(), start);
    make_line((long)getpid(), start, line);
}

void owner_nobody(char line[owner_size])
{
    make_line(0, "-", line);
}

int owner_is_gone(long process, const char *machine, const char *start)
{
    char here[128], now[64], boot[16];
    if (process == 0)
        return 1;
    owner_machine(here);
    if (process < 0 || strcmp(machine, here) != 0)
        return 0;
    if (kill((pid_t)process, 0) != 0 && errno == ESRCH)
        return 1;
    const char *ticks = strchr(start, ':');
    if (!ticks)
        return 0;
    boot_word(boot);
    if (boot[0] && ((size_t)(ticks - start) != strlen(boot) || strncmp(start, boot, strlen(boot)) != 0))
        return 1; /* the machine has been started since */
    owner_start(process, now);
    return strchr(now, ':') && strcmp(now, start) != 0; /* the number is another process's now */
}

int owner_line_is_gone(const char *line)
{
    char machine[128] = "", start[64] = "";
    long process = 0;
    return sscanf(line, "%ld %127s %63s", &process, machine, start) >= 2 && owner_is_gone(process, machine, start);
}
