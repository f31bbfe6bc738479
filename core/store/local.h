/* local.h: what local.c and the calls of each system know of each other. */
#ifndef NGFF_STORE_LOCAL_H
#define NGFF_STORE_LOCAL_H

#include "folder.h"

/* A list that grows; names is NULL, or ends with NULL. */
typedef struct {
    char **names;
    size_t n, room;
} name_list;

/* Adds a name, which is the list's from now on; NULL says that memory was out. 0 or ENOMEM. */
int add_name(name_list *list, char *name);

/* What "not there" means for a name that was followed: ENOENT, or why it is none. */
int local_missing(const char *path, char cause[256]);

/* Whether there is something behind all links. */
int local_leads_somewhere(const char *path);
int local_remove_file(const char *path);
/* As remove_empty; is_emptied: all that was in it has been removed. */
int local_remove_folder(const char *path, int is_emptied);

#endif
