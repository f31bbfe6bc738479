/* zip_index.h: what a file `.ozx` holds, for reading. Its directory is read once; from then on an object is one place
 * in the file. (GDAL's /vsizip/ looks through its list of names for every object, and throws that list away under the
 * threads that read it when the file is replaced.) */
#ifndef NGFF_STORE_ZIP_INDEX_H
#define NGFF_STORE_ZIP_INDEX_H

#include "store/folder.h"

typedef struct zip_index zip_index;

/* Reads the directory of the zip at path. *index is NULL, and that no error, where there is no file. */
int32_t zip_index_find(const folder_calls *calls, const char *path, zip_index **index, error *e);
void zip_index_free(zip_index *index);

/* As the calls of a store with these names. An object whose bytes are not those that were packed is NGFF_E_STORAGE, if
 * all of it is read. Thread-safe. */
int32_t zip_index_size(const zip_index *index, const char *key, uint64_t *n, int *is_there, error *e);
int32_t zip_index_get(const zip_index *index, const char *key, int64_t offset, size_t n, uint8_t **bytes,
                      size_t *n_read, int *is_there, error *e);
int32_t zip_index_get_into(const zip_index *index, const char *key, int64_t offset, void *bytes, size_t room,
                           uint64_t *n_there, int *is_there, error *e);
/* Visits the keys below a group ("": all), as the group's own. */
int32_t zip_index_list(const zip_index *index, const char *group, int32_t (*visit)(void *user, const char *key),
                       void *user);

#endif
