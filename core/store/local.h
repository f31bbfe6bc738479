/* local.h: what local.c and the calls of each system know of each other. */
#ifndef NGFF_STORE_LOCAL_H
#define NGFF_STORE_LOCAL_H

#include "store/folder.h"

/* A list that grows; names is NULL, or ends with NULL. */
typedef struct {
    char **names;
    size_t n, room;
} name_list;

/* Adds a name, which is the list's from now on; NULL says that memory was out. 0 or ENOMEM. */
int add_name(name_list *list, char *name);

/* A regular file that is open for reading: a descriptor or a handle of the system. Opening tells its size; reading reads n
 * bytes at offset, or those that are there. 0 or errno. */
typedef intptr_t local_file;
int local_open(const char *path, local_file *opened, uint64_t *size, char cause[256]);
int local_read(local_file file, int64_t offset, void *bytes, size_t n, size_t *n_read, char cause[256]);
void local_close(local_file file);
/* As folder_calls.read_file. */
int local_read_file(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256]);

/* What "not there" means for a name that was followed: ENOENT, or why it is none. */
int local_missing(const char *path, char cause[256]);

/* Whether there is something behind all links. */
int local_leads_somewhere(const char *path);
int local_remove_file(const char *path);
/* As remove_empty; is_emptied: all that was in it has been removed. */
int local_remove_folder(const char *path, int is_emptied);

#endif
