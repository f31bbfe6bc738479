/* source_overviews.h: OVERVIEWS=AUTO and FORCE_USE_EXISTING: which levels the source has already. */
#ifndef OMEZARR_WRITE_SOURCE_OVERVIEWS_H
#define OMEZARR_WRITE_SOURCE_OVERVIEWS_H

#include <vector>

#include "describe/image.h"

/* A level whose pixels are read, not made. */
struct GivenLevel {
    int level;
    int overview;                      /* GDAL's number, -1 for level 0 */
    int64_t chunk_width, chunk_height; /* of the level */
};

/* Level 0 and the levels that are taken from the source; tells the plan. False, with an error, if the option cannot be
 * served. */
bool choose_levels(ngff_plan *plan, const ImageFromSource &image, GDALDataset *source, std::vector<GivenLevel> *levels);

#endif
