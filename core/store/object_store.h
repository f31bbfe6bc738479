/* object_store.h: the write protocol of object stores, over the requests that a server takes.
 *
 * There are no folders to make and no rename; an object is there whole or not at all. The claim is an object, put
 * before all others. The root's document, which makes an image of them, is kept back and put last, only where there is
 * none: that is the publication. What a server did not say is never taken for "there is nothing". */
#ifndef NGFF_STORE_OBJECT_STORE_H
#define NGFF_STORE_OBJECT_STORE_H

#include "store/folder.h"

/* One request each, made once. 0 or an errno: EAGAIN where it may go better next time, EACCES where the credentials are
 * no good, EPERM where the server refuses the object, as many do where it is not there. cause: room for the reason of a failure. */
typedef struct {
    /* must_be_new: only where there is none (else EEXIST), on servers that honour it. */
    int (*write)(const char *path, const void *bytes, size_t n, int must_be_new, char cause[256]);
    /* As read_file of folder_calls; ENOENT only where the server has said that there is no such object, or nothing at
     * all. bytes and n_read may be NULL: then only *size is told. */
    int (*read)(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, uint64_t *size,
                char cause[256]);
    int (*remove)(const char *path, char cause[256]); /* one that is not there is no failure */
    /* All keys below, or the names right below; as list of folder_calls. An empty list may also be one that was
     * refused: some servers, and GDAL, do not tell them apart. */
    int (*list)(const char *path, int is_recursive, char ***names, char cause[256]);
    void (*forget)(const char *path);        /* what is remembered of all below */
    void (*forget_list)(const char *path);   /* the remembered list that has this path in it */
    double (*retry_delay)(const char *path); /* seconds before the second attempt, doubled before each further one */
    char *(*temporary_path)(void);           /* for a folder of scratch on this machine; for free() */
    const char *temporary_setting;           /* what says where that is */
    const folder_calls *files;               /* for that */
    const thread_settings *threads;          /* NULL: threads have no settings */
} object_calls;

store *object_store_open(const char *path, const object_calls *calls);

/* Single objects, with as many attempts as a server is given: 0 or an errno, never EAGAIN. */
int object_write(const object_calls *calls, const char *path, const void *bytes, size_t n, int must_be_new,
                 char cause[256]);
int object_read(const object_calls *calls, const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                uint64_t *size, char cause[256]);
int object_remove(const object_calls *calls, const char *path, char cause[256]);

#endif
