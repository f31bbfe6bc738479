/* geo.h: the georeference of a plan as attributes of its nodes. */
#ifndef NGFF_METADATA_GEO_H
#define NGFF_METADATA_GEO_H

#include "model/plan.h"
#include "zarr/tree.h"

enum { geo_longest_name = 128 };

/* Attributes of a level's array and of the root. The spatial convention is left out where
 * levels are flat: GDAL 3.13.3 crashes on it there. */
void geo_array_attributes(const struct ngff_plan *plan, int l, cJSON *attributes, int *is_whole);
void geo_root_attributes(const struct ngff_plan *plan, cJSON *attributes, int *is_whole);
/* The six numbers of a level, GDAL's order. */
void geo_affine(const struct ngff_plan *plan, int l, double affine[6]);
/* Where pixels lie on the earth, as NGFF 0.6 says it: the name of that coordinate system (geo_longest_name bytes of room), the names of its
 * axes y and x, and the affine from coordinates of the image's own system: row y, then x; factors of y and x, then the constant.
 * Returns 0 where there is no georeference. */
int geo_system(const struct ngff_plan *plan, char *name, const char *axes[2], double affine[2][3]);
/* True if 1-D coordinate arrays describe the georeference. */
int geo_has_coordinates(const struct ngff_plan *plan);
/* Attributes of a coordinate array, axis 'y' or 'x'. */
cJSON *geo_coordinate_attributes(const struct ngff_plan *plan, char axis, int *is_whole);

#endif
