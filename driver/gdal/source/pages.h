/* pages.h: what else there is in the file of a raster: pages of a TIFF, further images, in GDAL's words subdatasets. One
 * raster is one of them. */
#ifndef OMEZARR_SOURCE_PAGES_H
#define OMEZARR_SOURCE_PAGES_H

#include "gdal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Number of pages or images that GDAL lists of the source, or of the one file that a VRT is made of; 1 where it lists
 * none, or where one of them was opened by its own name. Levels of an OME-Zarr are no images. Planes of a TIFF that GDAL
 * does not list, behind a single page or in other files of a set, count, too. *tiff, which may not be asked for: the file if it is a TIFF, for CPLFree; else NULL. */
int page_count(GDALDatasetH source, char **tiff);
/* What GDAL itself lists of a dataset, but for levels. */
int listed_count(GDALDatasetH dataset);

#ifdef __cplusplus
}
#endif
#endif
