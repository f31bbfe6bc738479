/* foreign.h: what stores of others say in their own ways: where the image lies (NGFF 0.6 affine, CF grid_mapping and
 * coordinate arrays), what its channels are (omero), what a plane is (its place on the axes), colours of labels. */
#ifndef OMEZARR_DESCRIBE_FOREIGN_H
#define OMEZARR_DESCRIBE_FOREIGN_H

#include "describe/attributes.h"
#include "open/subdatasets.h"

/* CRS and geotransform of level 0, where they are still missing. */
void foreign_position(ngff_reader *reader, DatasetAttributes *to);

/* The domain "NGFF" of planes and dataset, the places of planes, labels of channels; for stores without our block also
 * colours, nodata, scale, offset. own_labels: the descriptions of the channels in our block. */
void foreign_description(ngff_reader *reader, const PlaneSelection &planes, const std::vector<std::string> &own_labels,
                         DatasetAttributes *to);

/* True where omero says that the smallest values of the image are the brightest. */
bool foreign_is_min_white(ngff_reader *reader);

/* Says of all bands, in GDAL's word for it, that their pixels name classes: a label image. */
void foreign_mark_classes(std::vector<BandAttributes> *bands);

#endif
