/* metadata_transform.h: what "coordinateTransformations" make of the axes of an image. */
#ifndef NGFF_METADATA_METADATA_TRANSFORM_H
#define NGFF_METADATA_METADATA_TRANSFORM_H

#include "base/box.h"
#include "zarr/document.h"

typedef struct {
    double scale[MAX_RANK], translation[MAX_RANK];
    int has_scale;   /* one of the transforms has one */
    int has_systems; /* they lead to several systems: this is the first */
    char system[60]; /* its name */
} axis_map;

/* The transforms one after the other. dims: a letter for each axis. Returns NULL, also where list is NULL or empty, or
 * why they are no scale and translation of each axis. */
const char *transforms_read(const cJSON *list, const char *dims, axis_map *map);

/* True for a list of one affine that mixes y and x with no other axis, and that can be inverted: it turns or shears the
 * image, which hosts with a word for that read themselves. */
int transforms_turn(const cJSON *list, const char *dims);

/* The position that an affine of the image gives it beside scale and translation, which are those of level 0: the first one
 * of the list that mixes y and x with no other axis. six: x = six[0] + column * six[1] + row * six[2], y likewise from six[3]
 * on, from the corner of the first pixel. systems: "coordinateSystems" of the image; without them (before 0.6) only what
 * transforms_turn counts. system: the name of the one that the affine leads to, or NULL; of the tree. */
int transforms_place(const cJSON *list, const cJSON *systems, const char *dims, const double *scale,
                     const double *translation, double six[6], const char **system);

#endif
