/* metadata_tree.h: JSON trees with our own numbers. Every step tolerates NULL, and a tree in which one step failed for
 * lack of memory says so, so that an incomplete document is never stored. Internal to metadata_*.c. */
#ifndef NGFF_METADATA_METADATA_TREE_H
#define NGFF_METADATA_METADATA_TREE_H

#include <cjson/cJSON.h>

#include "base/dtype.h"
#include "model/levels.h"

/* Adds item to an object or array and owns it from then on; clears *is_whole when memory is out. */
void tree_put(cJSON *object, const char *key, cJSON *item, int *is_whole);
void tree_add(cJSON *array, cJSON *item, int *is_whole);

cJSON *tree_whole(int64_t value);
/* With a decimal point even where integral: 1.0. Not finite: "NaN", "Infinity", "-Infinity" as Zarr writes them. */
cJSON *tree_real(double value);
cJSON *tree_wholes(const int64_t *values, int n, int *is_whole);
cJSON *tree_reals(const double *values, int n, int *is_whole);
cJSON *tree_texts(const char *const *values, int n, int *is_whole);
/* {"name":name,"configuration":configuration}; configuration may be NULL. */
cJSON *tree_named(const char *name, cJSON *configuration, int *is_whole);
/* The document of a group. attributes: handed over, in Zarr v2 NULL, which has them in a document of their own. */
cJSON *tree_group(int version, cJSON *attributes, int *is_whole);
/* One pixel, exactly: a number, "NaN", or a pair for complex types. quote_large: 64-bit integers as text. */
cJSON *tree_pixel(const dtype *type, const uint8_t *pixel, int quote_large, int *is_whole);

/* Georeference (metadata_geo.c). Attributes of a level's array and of the root. The spatial convention is left out where
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
