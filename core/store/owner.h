/* owner.h: who holds a claim, in one line of text, and whether that one still lives.
 *
 * A number of a process means nothing by itself: machines share disks, containers have numbers of their own, and numbers
 * are used again. So an owner is machine, container, process and the process's start. */
#ifndef NGFF_STORE_OWNER_H
#define NGFF_STORE_OWNER_H

enum { owner_size = 400 };

/* Where the number of a process means that process: a word for this machine, and for this container on it. */
void owner_machine(char name[128]);
/* When a process began, as a word: the machine's start and the ticks since then. "-" where that cannot be told. */
void owner_start(long process, char start[64]);
/* How such a word begins for this start of the machine, at most 13 characters; "" where nobody tells. */
void owner_boot(char word[16]);
/* True if no process has this number. */
int owner_process_is_gone(long process);
/* A word that nobody else makes, here or elsewhere, and whether the process that has made one has ended: no, if that is
 * not known. */
void owner_unique(char word[64]);
int owner_word_is_gone(const char *word);

/* This process as owner, "PROCESS MACHINE START WORD", and one that has let go. Every line is made once only. */
void owner_line(char line[owner_size]);
void owner_nobody(char line[owner_size]);

/* True if the process has ended, as far as this machine can tell: one of another machine lives. start may be "". */
int owner_is_gone(long process, const char *machine, const char *start);
/* The same for a line; one that cannot be read as an owner lives. */
int owner_line_is_gone(const char *line);

#endif
