/* tree.h: JSON trees with our own numbers. Every step tolerates NULL, and a tree in which one step failed for
 * lack of memory says so, so that an incomplete document is never stored. */
#ifndef NGFF_ZARR_TREE_H
#define NGFF_ZARR_TREE_H

#include <cjson/cJSON.h>

#include "base/dtype.h"

/* Adds item to an object or array and owns it from then on; clears *is_whole when memory is out, as it was for a key or an
 * item that is NULL. */
void tree_put(cJSON *object, const char *key, cJSON *item, int *is_whole);
void tree_add(cJSON *array, cJSON *item, int *is_whole);

/* Puts item in the place of the member of this name, which is there; the rest as above. */
void tree_replace(cJSON *object, const char *key, cJSON *item, int *is_whole);

cJSON *tree_whole(int64_t value);
/* With a decimal point even where integral: 1.0. Not finite: "NaN", "Infinity", "-Infinity" as Zarr writes them. */
cJSON *tree_real(double value);
cJSON *tree_wholes(const int64_t *values, int n, int *is_whole);
cJSON *tree_reals(const double *values, int n, int *is_whole);
cJSON *tree_texts(const char *const *values, int n, int *is_whole);
/* {"name":name,"configuration":configuration}; configuration may be NULL. */
cJSON *tree_named(const char *name, cJSON *configuration, int *is_whole);
/* The document of a group. attributes: handed over, in Zarr v2 NULL, which has them in a document of their own. */
cJSON *tree_group(int format, cJSON *attributes, int *is_whole);
/* One pixel, exactly: a number, "NaN", or a pair for complex types. quote_large: 64-bit integers as text. */
cJSON *tree_pixel(const dtype *type, const uint8_t *pixel, int quote_large, int *is_whole);

#endif
