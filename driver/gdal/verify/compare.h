/* compare.h: the full size of a store against the raster that it was made from, pixel by pixel, bit by bit. */
#ifndef OMEZARR_VERIFY_COMPARE_H
#define OMEZARR_VERIFY_COMPARE_H

#include <stddef.h>

#include "gdal.h"
#include "ngff.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ngff_reader *reader;
    GDALDatasetH source;
    const int *bands;  /* the source's band of each plane; NULL: plane + 1 */
    GDALDataType type; /* in which the source is read; GDT_Unknown: the store's, bands it cannot hold differ */
    int32_t n_threads; /* that decode chunks of the store */
    int32_t (*progress)(void *user, double share); /* may be NULL; returns 0 to stop */
    void *user;
} comparison;

enum { COMPARE_EQUAL, COMPARE_DIFFERENT, COMPARE_UNREADABLE, COMPARE_CANCELLED };

/* One of the four. message: of the first difference, or of what could not be read. Holds one chunk for each thread and
 * two planes of one; GDAL's block cache comes on top. */
int compare_with_source(const comparison *c, char *message, size_t room);

#ifdef __cplusplus
}
#endif
#endif
