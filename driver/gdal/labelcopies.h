/* labelcopies.h: the label images of a source travel with a copy of its image. */
#ifndef OMEZARR_LABELCOPIES_H
#define OMEZARR_LABELCOPIES_H

#include <string>

#include "gdal_compat.h"

/* Adds the label images that lie beside the source, an OME-Zarr, to the new store at root. What cannot travel (the source
 * is a part of the image or drawn through a VRT, the store is one file, a label image does not fit) is one warning. False,
 * with an error, if one could not be written. */
bool copy_labels(GDALDataset *source, const std::string &root, int strict, CSLConstList options);

#endif
