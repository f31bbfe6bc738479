/* geo.h: the georeference of a plan as attributes of its nodes. */
#ifndef NGFF_METADATA_GEO_H
#define NGFF_METADATA_GEO_H

#include "model/plan.h"
#include "zarr/tree.h"

/* Attributes of a level's array and of the root. The spatial convention is left out where
 * levels are flat: GDAL 3.13.3 crashes on it there. */
void geo_array_attributes(const struct ngff_plan *plan, int l, cJSON *attributes, int *is_whole);
void geo_root_attributes(const struct ngff_plan *plan, cJSON *attributes, int *is_whole);
/* The six numbers of a level, GDAL's order. */
void geo_affine(const struct ngff_plan *plan, int l, double affine[6]);
/* True if 1-D coordinate arrays describe the georeference. */
int geo_has_coordinates(const struct ngff_plan *plan);
/* Attributes of a coordinate array, axis 'y' or 'x'. */
cJSON *geo_coordinate_attributes(const struct ngff_plan *plan, char axis, int *is_whole);

#endif
