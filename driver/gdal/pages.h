/* pages.h: what else there is in the file of a raster: pages of a TIFF, further images, in GDAL's words subdatasets. One
 * raster is one of them. */
#ifndef OMEZARR_PAGES_H
#define OMEZARR_PAGES_H

#include "gdal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Number of pages or images that GDAL lists of the source, or of the one file that a VRT is made of; 1 where it lists
 * none, or where one of them was opened by its own name. Levels of an OME-Zarr are no images. Planes that ImageJ wrote
 * behind a single page count, too. *tiff, which may not be asked for: the file if it is a TIFF, for CPLFree; else NULL. */
int page_count(GDALDatasetH source, char **tiff);

#ifdef __cplusplus
}
#endif
#endif
