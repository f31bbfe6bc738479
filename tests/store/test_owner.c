/* test_owner.c: whether the owner of a claim lives. */
#include "store/owner.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void own_line_lives_and_is_never_made_twice(void)
{
    char one[owner_size], two[owner_size];
    owner_line(one);
    owner_line(two);
    CHECK(!owner_line_is_gone(one) && !owner_line_is_gone(two));
    CHECK(strcmp(one, two) != 0);
    owner_nobody(one);
    owner_nobody(two);
    CHECK(owner_line_is_gone(one) && strcmp(one, two) != 0);
}

static void process_that_has_ended_is_gone(void)
{
    char line[owner_size] = "", word[64];
    int ends[2], status;
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        owner_line(line);
        _exit(write(ends[1], line, sizeof line) != sizeof line);
    }
    CHECK_INT(read(ends[0], line, sizeof line), sizeof line);
    waitpid(child, &status, 0);
    CHECK(status == 0 && owner_line_is_gone(line));
    const char *made = strrchr(line, ' ') + 1; /* the last word of a line is one */
    CHECK(owner_word_is_gone(made));
    owner_unique(word);
    CHECK(!owner_word_is_gone(word) && !owner_word_is_gone("") && !owner_word_is_gone("1-00000000-1-1"));
    close(ends[0]);
    close(ends[1]);
}

/* The numbers of processes begin again with the machine, or a container, and go round. */
static void number_in_use_again_is_another_process(void)
{
    char machine[128], start[64], other[80];
    owner_machine(machine);
    owner_start((long)getpid(), start);
    if (!strchr(start, ':'))
        return; /* nobody tells on this system */
    CHECK(!owner_is_gone((long)getpid(), machine, start));
    snprintf(other, sizeof other, "%s1", start); /* later */
    CHECK(owner_is_gone((long)getpid(), machine, other));
    snprintf(other, sizeof other, "0%s", start); /* another start of the machine */
    CHECK(owner_is_gone((long)getpid(), machine, other));
    owner_start((long)getppid(), other); /* of another process */
    CHECK(owner_is_gone((long)getpid(), machine, other) || strcmp(other, start) == 0);
}

static void what_is_not_known_lives(void)
{
    static const char *const lines[] = {"", "no number", "1234567", "1234567 some-other-machine",
                                        "1 some-other-machine boot:1 x"};
    char line[owner_size], machine[128];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        CHECK(!owner_line_is_gone(lines[i]));
    owner_machine(machine);
    snprintf(line, sizeof line, "%ld %s", (long)getpid(), machine);
    CHECK(!owner_line_is_gone(line));
    CHECK(owner_line_is_gone("0 some-other-machine"));
}

/* Two machines of one host name share a disk: the other one's start is unknown here, and says nothing. */
static void machine_of_the_same_name_is_another(void)
{
    char line[owner_size], machine[128], start[64], id[14] = "+";
    FILE *file = fopen("/etc/machine-id", "r");
    if (!file)
        return; /* nobody tells on this system */
    size_t n = fread(id + 1, 1, 12, file);
    fclose(file);
    owner_machine(machine);
    owner_start((long)getpid(), start);
    CHECK_INT(n, 12);
    CHECK(strlen(machine) > 13 && memcmp(machine + strlen(machine) - 13, id, 13) == 0);
    char *last = machine + strlen(machine) - 1;
    *last = *last == '0' ? '1' : '0';
    snprintf(line, sizeof line, "%ld %s 0%s x", (long)getpid(), machine, start);
    CHECK(!owner_line_is_gone(line));
}

int main(void)
{
    RUN_POSIX(machine_of_the_same_name_is_another, "/etc/machine-id");
    RUN(own_line_lives_and_is_never_made_twice);
    RUN_POSIX(process_that_has_ended_is_gone, "fork; test_windows kills one");
    RUN(number_in_use_again_is_another_process);
    RUN(what_is_not_known_lives);
    CHECK_EXIT();
}
