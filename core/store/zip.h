/* zip.h: a store as one file, `.ozx`: a zip whose entries are stored as they are (RFC-9 of NGFF). */
#ifndef NGFF_STORE_ZIP_H
#define NGFF_STORE_ZIP_H

#include "store/folder.h"

/* True if the name of a path says that it is such a file (and not what GDAL's /vsizip/ finds in one). */
int zip_is_name(const char *path);

/* Whether the comment of the zip at path says that it is an OME-Zarr. */
int32_t zip_is_ngff(const folder_calls *calls, const char *path, int *is_ngff, error *e);

/* Packs all files below a folder. Zarr's documents come first, the root's before all, level by level; then all else in
 * the order of its bytes. The same files give the same bytes. NGFF_E_STORAGE names the path and the cause. owner: the store
 * that is asked before each file whether it goes on; NULL: nobody is. */
int32_t zip_pack(const folder_calls *calls, const char *folder, const char *path, const store *owner, error *e);

#endif
