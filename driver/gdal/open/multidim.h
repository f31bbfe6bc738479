/* multidim.h: an OME-Zarr through GDAL's multidimensional API: its groups, one array per level on dimensions t, c, z, y,
 * x, and an array of positions for each dimension that has some. */
#ifndef OMEZARR_OPEN_MULTIDIM_H
#define OMEZARR_OPEN_MULTIDIM_H

#include "plugin/gdal_compat.h"
#include "open/subdatasets.h"

/* NULL, with an error unless the store is simply not there. */
GDALDataset *omezarr_open_arrays(const StoreName &name, const char *description, CSLConstList options);

#endif
