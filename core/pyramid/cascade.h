/* cascade.h: counted cells. A cell is one chunk of one level (all chunks of its channels where these share a mask). It
 * knows how many children it still waits for. Regions of level 0 arrive in any order; a finished cell gives its pixels
 * to its parents and to the writer; the child that completes a parent goes on with it on the same thread. */
#ifndef NGFF_PYRAMID_CASCADE_H
#define NGFF_PYRAMID_CASCADE_H

#include "base/budget.h"
#include "base/pool.h"
#include "model/plan.h"
#include "pyramid/straddle.h"

typedef struct cell {
    struct cell *next; /* in a hash chain or a list of finished cells */
    int level;
    int64_t index[MAX_RANK];
    box box;                   /* its pixels, cut to the level */
    int64_t strides[MAX_RANK]; /* of pixels: dense over level.cell, so that each chunk is dense too */
    uint8_t *pixels;
    uint8_t *mask;             /* level.cell[y] x level.cell[x] or NULL */
    struct strip_list *strips; /* a cell that is not fused: what straddles its children; behind the pixels */
    int64_t remaining;         /* pixels of a given level, or children, still to come */
    uint64_t missing;          /* a bit per child that has not come; its part has no value yet */
    box *written;              /* level 0: the boxes that have come, if not the whole cell at once */
    int n_written, n_pins, is_mapped, is_spilling, is_spilled;
    int is_empty;                /* without memory: no child has given it anything yet */
    int is_supplied;             /* its pixels are stored already: it only gives them to its parents */
    struct cell *newer, *older;  /* among the open cells whose pixels are in memory, by last touch */
    struct cell *before, *after; /* among the open cells of its level */
    int is_in_line;              /* of the first two */
} cell;

/* What the cascade asks of the writer; all may be called from any thread. */
typedef struct {
    void *user;
    /* All pixels of a cell are there, padded with fill: encode and store them (not those of a supplied one). */
    int32_t (*emit)(void *user, const cell *c, error *e);
    /* Keep and give back (once) the bytes of a cell that must leave memory before it is complete. */
    int32_t (*spill)(void *user, const char *key, const void *bytes, size_t n, error *e);
    int32_t (*fetch)(void *user, const char *key, void *bytes, size_t n, error *e);
    /* A pass over a part of the pyramid: whether this cell is to be made. NULL: all are. */
    int (*is_wanted)(void *user, int level, const int64_t *index);
    /* A part of the pyramid: cuts the box of a cell, all its pixels in the level, to those that are made; others of them
     * are nobody's. NULL: all are made. */
    void (*limit)(void *user, int level, const int64_t *index, box *pixels);
    /* Fills a supplied cell with the pixels that are stored. */
    int32_t (*supply)(void *user, const cell *c, error *e);
    /* A cell is left out: nothing of it will come, and it reads as fill. It has no pixels. NULL: nobody wants to know. */
    int32_t (*skip)(void *user, const cell *c, error *e);
} cascade_host;

typedef struct cascade cascade;

cascade *cascade_create(const struct ngff_plan *plan, budget *b, pool *p, const cascade_host *host);
/* All jobs must have ended. */
void cascade_free(cascade *cs);

/* The first error of any thread; NGFF_OK if there is none. */
int32_t cascade_error(cascade *cs, error *e);
/* Makes every further job a no-op. */
void cascade_fail(cascade *cs, const error *e);

/* Pixels come in: of level 0, or of a level that the plan takes from the caller (source < 0).
 * The memory of the cell whose box is the region: 1 and the cell, or 0 if the region is not exactly one new cell. */
int32_t cascade_map(cascade *cs, int level, const box *region, cell **mapped, error *e);
/* The mapped cell is filled: run it here or on a worker. */
int32_t cascade_commit(cascade *cs, int level, const box *region, error *e);
/* Copies a region into its cells and runs those that are complete. mask_stride: bytes per row of mask. */
int32_t cascade_write(cascade *cs, int level, const box *region, const void *pixels, const int64_t *strides,
                      const uint8_t *mask, int64_t mask_stride, error *e);
/* A cell that is not wanted itself, but whose pixels wanted parents need: it is read back by the host. */
int32_t cascade_supply(cascade *cs, int level, const int64_t *index, error *e);
/* Nobody will write these cells: they read as unwritten, and cost no memory, nor do the parents of nothing else. */
int32_t cascade_skip(cascade *cs, int level, const box *region, error *e);
/* Completes the cells that are still open with what they have. */
void cascade_finish(cascade *cs);
/* Cells that the caller has given and that are done. */
int64_t cascade_done(cascade *cs);

/* How a level that is made from another needs its source, per axis. NGFF_E_MEMORY. */
int32_t cascade_axes(const struct ngff_plan *plan, int level, straddle_axis *axes);
/* The validity plane of a box of pixels with an alpha channel, a byte per pixel of y, x. */
void parents_make_validity(const struct ngff_image *image, const uint8_t *pixels, const int64_t *strides, const box *b,
                           uint8_t *mask, int64_t mask_row_bytes);
/* The error of two planes whose masks are not the same. */
int32_t cascade_masks_differ(int64_t row, int64_t column, error *e);
/* The value of pixels that were never written, and of padding inside the image: nodata of the channel, else 0. */
const uint8_t *cascade_unwritten(const struct ngff_plan *plan, int64_t channel);

#endif
