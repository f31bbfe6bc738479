/* window.h: between shrink.c, which walks the target row by row, and window.c, which reduces one row. The windows of a
 * target row lie in a list of source rows, in row-major order: a 2 x 2 window is two rows, a 2 x 2 x 2 window four. */
#ifndef NGFF_PYRAMID_WINDOW_H
#define NGFF_PYRAMID_WINDOW_H

#include "base/dtype.h"

typedef struct {
    const char *const *rows;     /* n_rows pointers to the first pixel of the first window */
    const uint8_t *const *masks; /* the same for the mask, or NULL */
    int64_t n_rows;
    int64_t ratio;    /* width of a window */
    int64_t n_source; /* pixels in each source row; the last window may be narrower */
    int64_t n_target; /* windows */
    void *target;
    const void *nodata; /* one pixel or NULL */
    const void *empty;
    void *window; /* all but AVERAGE: room for the pixels of one window, 16 bytes each */
} window_row;

typedef void (*window_reducer)(const window_row *w);

/* The reducer of a method of the kind WINDOW. */
window_reducer window_reducer_get(int resampling, const dtype *type);

/* What a result equal to the nodata value becomes: the next value up, at the type's maximum the next one down (GDAL's
 * rule). Writes one pixel. Real types only. */
void nodata_neighbour(const dtype *type, const void *nodata, void *neighbour);

#endif
