/* label_copies.h: the label images of a source travel with a copy of its image. */
#ifndef OMEZARR_WRITE_LABEL_COPIES_H
#define OMEZARR_WRITE_LABEL_COPIES_H

#include <string>
#include <vector>

#include "plugin/gdal_compat.h"

struct TravellingLabels {
    std::vector<std::string> names{}; /* open them */
    size_t n_left = 0;                /* that cannot travel */
    std::string reason{};
};

/* The label images that lie beside the source, an OME-Zarr. None of them travels if the source is a part of the image or drawn
 * through a VRT. */
TravellingLabels labels_beside(GDALDataset *source);

/* Of the options of the image, those that are as true of its labels. */
CPLStringList options_of_label(CSLConstList options);

#endif
