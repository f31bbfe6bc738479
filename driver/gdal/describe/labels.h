/* labels.h: what the values of a label image mean: GDAL's colour table, category names and attribute table as NGFF's
 * "image-label". */
#ifndef OMEZARR_DESCRIBE_LABELS_H
#define OMEZARR_DESCRIBE_LABELS_H

#include "describe/image.h"

class NgffSource;

/* Gives the image its colours and properties; nothing where LABELS=YES is not asked for. */
bool describe_labels(GDALDataset *source, const NgffSource &store, CSLConstList options, ImageFromSource *to);

#endif
