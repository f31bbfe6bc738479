/* tally.h: exact statistics of pixels, chunk by chunk, and the display windows made from them. Only the moments of
 * floating-point pixels depend on the order in which chunks are merged: the caller fixes it. */
#ifndef NGFF_PYRAMID_TALLY_H
#define NGFF_PYRAMID_TALLY_H

#include "base/dtype.h"
#include "pyramid/moments.h"

typedef struct {
    int64_t n_valid;        /* pixels that are finite, not nodata, not masked */
    uint8_t min[8], max[8]; /* one pixel each, where n_valid > 0; real types only */
    int128 sum;             /* integers */
    wide_sum squares;
    moments moments; /* floating-point pixels */
} tally;

/* Adds rows of pixels. nodata: one pixel or NULL; mask: 0 = invalid, or NULL. Complex types are not counted. */
void tally_scan(tally *t, const dtype *type, const void *pixels, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
                const void *nodata, const uint8_t *mask, int64_t mask_row_bytes);
void tally_merge(tally *into, const dtype *type, const tally *from);
/* Mean and spread of all pixels of a tally. */
moments tally_moments(const tally *t, const dtype *type);

/* Adds the valid pixels of 8- and 16-bit integer types to a histogram of 2^bits bins in ascending order of value
 * (signed types: bin 0 is the smallest value). */
void histogram_scan(uint64_t *bins, const dtype *type, const void *pixels, int64_t n_rows, int64_t n_columns,
                    int64_t row_bytes, const void *nodata, const uint8_t *mask, int64_t mask_row_bytes);
/* The value below which share (0 to 1) of the n counted pixels lie: numpy's percentile, linear interpolation. */
double histogram_percentile(const uint64_t *bins, const dtype *type, double share);
/* The same for n >= 1 values sorted ascending. */
double sorted_percentile(const double *values, int64_t n, double share);

#endif
