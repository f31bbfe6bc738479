/* folder.h: the write protocol of stores that are folders, written once for plain files and for GDAL's VSI layer.
 *
 * Making `.<name>.partial` beside the destination is the claim (mkdir is exclusive). It holds who has claimed (.owner),
 * what is done (.record), spilled pixels (.scratch/) and the store to come (store/), which is moved to its name at the
 * end: the publication. Nothing opens at the destination before, an old store there stays whole until then, and what a
 * kill leaves behind has a name of its own and can be gone on with. */
#ifndef NGFF_STORE_FOLDER_H
#define NGFF_STORE_FOLDER_H

#include "store.h"

enum { KIND_NONE, KIND_FILE, KIND_FOLDER };

/* The calls that differ between plain files and VSI. cause: room for the reason of a failure. */
typedef struct {
    int (*kind)(const char *path);
    int (*make_folder)(const char *path); /* 0, or errno (EEXIST when it is there) */
    int (*write_file)(const char *path, const void *bytes, size_t n, char cause[256]);
    int (*append_file)(const char *path, const void *bytes, size_t n, char cause[256]);
    int (*read_file)(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256]);
    int (*read_into)(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256]);
    int (*file_size)(const char *path, uint64_t *n);
    int (*rename_new)(const char *from, const char *to);  /* fails if `to` exists; errno */
    int (*rename_over)(const char *from, const char *to); /* replaces the file `to` at once; errno */
    int (*exchange)(const char *a, const char *b);        /* both names swapped at once; nonzero where it cannot be */
    int (*sync)(const char *path);                        /* what a path says reaches the disk; 0 or errno */
    int (*remove_tree)(const char *path);
    int (*remove_file)(const char *path);
    char **(*list)(const char *path); /* names, NULL-terminated, malloc'ed each and together; NULL: not all was told */
    const thread_settings *threads;   /* NULL: threads have no settings */
} folder_calls;

store *folder_open(const char *path, const folder_calls *calls);
/* True if the store is, or will be, one file (zip.h). */
int folder_is_file(const store *s);
/* Puts such a store, which is only read, at a group in it. 0 when memory is out. */
int folder_stand_at(store *s, const char *group);

/* The calls for a path. Those of object stores are without rename_over, as a file there is whole or not there anyway,
 * and without kind and file_size, which GDAL answers from what it has heard before: only read_file asks. */
const folder_calls *calls_for(const char *path);
const folder_calls *vsi_calls_for(const char *path); /* store_vsi.c */
/* "folder/name", and ".<name><suffix>" beside path, for free(); NULL when memory is out. */
char *join(const char *folder_path, const char *name);
char *beside(const char *path, const char *suffix);

/* For paths on this machine's disks, whoever writes there. Symbolic links are what they are, and never followed: a link
 * is no folder of ours, and removing a tree must not leave the tree. */
int local_kind(const char *path);
int local_remove_tree(const char *path); /* 0 or errno */
/* A file and its place in its folder, or a folder with all on its file system, reach the disk. */
int local_sync(const char *path);
char **local_list(const char *path); /* as list of folder_calls */
int local_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256]);
/* Where the number of a process means that process: a word for this machine, and for this container on it. */
void local_machine(char name[128]);

/* True if the root document of a store says that it is an OME-Zarr. */
int looks_like_ngff(const uint8_t *text, size_t n);

#endif
