/* level_place.h: where a level of a stored image lies in a larger one, in pixels. */
#ifndef NGFF_METADATA_LEVEL_PLACE_H
#define NGFF_METADATA_LEVEL_PLACE_H

#include "metadata/metadata.h"

/* On each axis pixel i of the level covers pixels offset + i * factor to offset + (i + 1) * factor of base. Returns 1 if
 * the level is an overview of base: all channels, and nowhere more pixels; 0 if not, with nothing filled in. */
int level_place(const stored_image *image, int base, int level, double *factor, double *offset);

#endif
