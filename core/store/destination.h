/* destination.h: what is at the place where a store shall be, and whether it may be replaced. */
#ifndef NGFF_STORE_DESTINATION_H
#define NGFF_STORE_DESTINATION_H

#include "store/folder.h"

/* Nothing; an empty folder, which is nobody's store and is taken; a store that may be replaced. */
typedef enum { DESTINATION_FREE, DESTINATION_EMPTY, DESTINATION_STORE } destination;

/* Refuses what must not be replaced: files, folders that are no OME-Zarr, stores that hold other files too, and, without
 * overwrite, any store. What cannot be looked at is not replaced. is_file: the store will be one file. */
int32_t destination_check(const folder_calls *calls, const char *path, int is_file, int overwrite, destination *found,
                          error *e);
/* The same for what is a store already, when it has just been replaced and lies at another path. */
int32_t destination_is_ours(const folder_calls *calls, const char *path, int is_file, error *e);
/* Refuses, before the work, a place where the folder that is there cannot be moved away in the end: the root of a mount,
 * and a folder in a lower layer of an overlay. full: a folder of ours beside it that is not empty. */
int32_t destination_can_be_replaced(const folder_calls *calls, const char *path, const char *full, destination found,
                                    error *e);

#endif
