/* array_newer.h: an array of Zarr 2 in the words of Zarr 3, of the same chunks. */
#ifndef NGFF_ZARR_ARRAY_NEWER_H
#define NGFF_ZARR_ARRAY_NEWER_H

#include "zarr/array.h"

/* zarr.json of the array whose .zarray and .zattrs are at path: its chunks have the same bytes and keys. dims: the names of
 * its n_dims axes; where their number is not that of the array, those that it has itself (_ARRAY_DIMENSIONS), or none.
 * *document: a tree. NGFF_E_UNSUPPORTED for what Zarr 3 has no word for. */
int32_t array_newer(const document_source *source, const char *path, const char *const *dims, int n_dims,
                    cJSON **document, error *e);

#endif
