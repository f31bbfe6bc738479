/* owner.c: see owner.h. What the system tells of machines and processes is in owner_posix.c and owner_windows.c. */
#include "store/owner.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
           owner_process_is_gone(process);
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
    if (owner_process_is_gone(process))
        return 1;
    const char *ticks = strchr(start, ':');
    if (!ticks)
        return 0;
    owner_boot(boot);
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
