/* series.h: the other images of the file or store that an image is from. */
#ifndef OMEZARR_WRITE_SERIES_H
#define OMEZARR_WRITE_SERIES_H

#include <string>
#include <vector>

#include "plugin/gdal_compat.h"

/* Names that open them, in the order of the file: pages of a TIFF of other sizes or types, images of an OME-TIFF, series of an
 * OME-Zarr in bioformats2raw's layout. */
std::vector<std::string> further_images(GDALDataset *image);

#endif
