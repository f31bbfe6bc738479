/* side_file.h: one file that comes with a store, such as the report of its making, anywhere a store can be. It is begun
 * before the store, as ".<name>.partial" beside its place, so that a place which cannot be written is known before
 * anything else is; it gets its text before the store is published, and its name after. */
#ifndef NGFF_STORE_SIDE_FILE_H
#define NGFF_STORE_SIDE_FILE_H

#include <stddef.h>

#include <stdint.h>

#include "base/error.h"

typedef struct side_file side_file;

/* What a place must be able to do for one file; all rows are filled. 0 or errno, as folder_calls. */
typedef struct {
    int (*read_file)(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256]);
    int (*write_file)(const char *path, const void *bytes, size_t n, char cause[256]);
    /* Puts what write_file has written at `partial`, which is text, in the place of `path`. */
    int (*publish)(const char *partial, const char *path, const char *text, char cause[256]);
    int (*sync)(const char *path);
    int (*remove_file)(const char *path);
    int may_be_part; /* a write that failed may have left a part */
} side_calls;

const side_calls *side_calls_for(const char *path);     /* places.c; NULL: none are put there. Of these two: */
extern const side_calls local_side_calls;               /* local_posix.c */
const side_calls *vsi_side_calls_for(const char *path); /* store_vsi.c; only where built with GDAL */

/* Begins. A file that is there already is replaced only if it begins with the text start: it stays until
 * side_file_publish. NULL with the error in e. */
side_file *side_file_begin(const char *path, const char *start, error *e);
/* The text; not yet under its name. is_synced: it reaches the disk. */
int32_t side_file_write(side_file *f, const char *text, int is_synced, error *e);
/* Gives it its name. On failure what is written stays under the name that the error says. */
int32_t side_file_publish(side_file *f, int is_synced, error *e);
/* Removes what was not published. */
void side_file_free(side_file *f);

#endif
