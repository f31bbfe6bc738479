/* folder.h: the write protocol of stores that are folders, written once for plain files and for GDAL's VSI layer.
 *
 * `.<name>.partial` beside the destination is the claim (claim.h). It holds who has claimed (.owner), what is done
 * (.record), spilled pixels (.scratch/) and the store to come (store/), which is moved to its name at the end: the
 * publication. Nothing opens at the destination before, an old store there stays whole until then, and what a kill leaves
 * behind has a name of its own and can be gone on with. */
#ifndef NGFF_STORE_FOLDER_H
#define NGFF_STORE_FOLDER_H

#include "store/store.h"

/* KIND_OTHER: a symbolic link, a pipe, a device: what this library never makes. */
enum { KIND_NONE, KIND_FILE, KIND_FOLDER, KIND_OTHER };

/* What a name is. */
typedef struct {
    int kind;
    uint64_t size;       /* of a file */
    uint64_t id, device; /* stay the same as long as it lives, whatever it is called; 0 where nobody tells */
    int64_t changed;     /* seconds since 1970 */
} path_state;

/* The calls that differ between plain files and VSI. All return 0 or an errno, and the reason in words where they take
 * a cause. ENOENT of the three that read, and of list, says that nothing is there, and is said only where the system
 * has said so; every other failure (permissions, a disk that does not answer, handles that have run out, a folder or a
 * link that leads nowhere in the place of a file) is another errno. */
typedef struct {
    /* What the name is, without following a link. Nothing there is an answer (KIND_NONE), not a failure. */
    int (*look)(const char *path, path_state *what, char cause[256]);
    int (*make_folder)(const char *path); /* EEXIST when it is there */
    int (*write_file)(const char *path, const void *bytes, size_t n, char cause[256]);
    int (*append_file)(const char *path, const void *bytes, size_t n, char cause[256]);
    int (*read_file)(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256]);
    int (*read_into)(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256]);
    int (*measure)(const char *path, uint64_t *n, char cause[256]); /* the size of what read_file would read */
    int (*rename_new)(const char *from, const char *to);            /* EEXIST if `to` is there, at once */
    int (*rename_over)(const char *from, const char *to);           /* replaces the file `to` at once */
    int (*exchange)(const char *a, const char *b); /* both names swapped at once; ENOSYS, EINVAL, ENOTSUP: not here */
    int (*sync)(const char *path);                 /* what a path says reaches the disk */
    int syncs_files;                               /* of a folder, only its names do: files are synced one by one */
    int (*remove_tree)(const char *path);          /* all that can be; the first failure */
    int (*remove_file)(const char *path);
    int (*remove_empty)(const char *path); /* a folder, if nothing is in it; else ENOTEMPTY */
    /* Whether a folder can be renamed: EBUSY for the root of a mount, EXDEV in a lower layer of an overlay. full: a
     * folder beside it that is not empty. NULL where nothing can be told. */
    int (*can_move)(const char *path, const char *full);
    /* The names in a folder, for free_names. */
    int (*list)(const char *path, char ***names, char cause[256]);
    const thread_settings *threads; /* NULL: threads have no settings */
} folder_calls;

store *folder_open(const char *path, const folder_calls *calls);
/* True if the store is, or will be, one file (zip.h). */
int folder_is_file(const store *s);
/* Puts such a store, which is only read, at a group in it. 0 when memory is out. */
int folder_stand_at(store *s, const char *group);

/* This machine's disks, whoever writes there. Symbolic links are never followed but to read a file: a link is no folder
 * of ours, and removing a tree must not leave the tree. local_sync: a file and its place in its folder, or a folder
 * with all on its file system where the system has a call for that (Linux), reach the disk. */
extern const folder_calls local_calls;
char *local_path(const char *path); /* as this library writes it, with '/' between names, for free() */
int local_look(const char *path, path_state *what, char cause[256]);
int local_remove_tree(const char *path);
int local_sync(const char *path);
int local_list(const char *path, char ***names, char cause[256]);
int local_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256]);

/* "folder/name", and ".<name><suffix>" beside path, for free(); NULL when memory is out. */
char *join(const char *folder_path, const char *name);
char *beside(const char *path, const char *suffix);
/* The kind of a name (KIND_NONE: nothing is there); an error where that cannot be told. */
int32_t find_kind(const folder_calls *calls, const char *path, int *kind, error *e);
/* A list of malloc'ed names that ends with NULL; may be NULL. */
void free_names(char **names);

#endif
