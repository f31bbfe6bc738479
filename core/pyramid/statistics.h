/* statistics.h: what the pixels say about a channel: exact minimum, maximum, mean and deviation over the valid pixels
 * of level 0, and the range that a viewer should show. Collected while cells pass, from any thread; the result does not
 * depend on their order. */
#ifndef NGFF_PYRAMID_STATISTICS_H
#define NGFF_PYRAMID_STATISTICS_H

#include "base/pack.h"
#include "model/summary.h"
#include "pyramid/cascade.h"

typedef struct statistics statistics;

/* Reads back what was stored, dense; for windows of wide types, which need sorted values of a small level. */
typedef struct {
    void *user;
    int32_t (*chunk)(void *user, int level, const int64_t *chunk_index, void *pixels, error *e);
    /* Images with a mask: its y, x plane of the same chunk. */
    int32_t (*mask)(void *user, int level, const int64_t *chunk_index, uint8_t *mask, error *e);
} chunk_source;

statistics *statistics_create(const struct ngff_plan *plan);
/* True if the display windows of a plan are taken from its pixels. */
int statistics_make_windows(const struct ngff_plan *plan);
/* Not all cells have been added, and none will be any more: there are no statistics, the windows come from a small level,
 * and their limits are those that were known (before, one per channel) with what the pixels that came add to them. */
void statistics_stay_partial(statistics *s, const channel_summary *before);
void statistics_free(statistics *s);

/* Looks at the pixels of a cell. Thread-safe. */
int32_t statistics_add(statistics *s, const cell *c, error *e);
/* Takes note of a cell (its level and box) of which nothing will come. Thread-safe. */
void statistics_skip(statistics *s, const cell *c);
/* Keeps what was said of the cells that have been added; what is read is as if its cells had been added here. */
void statistics_pack(pack *p, statistics *s);
/* The summaries of all channels, owned by s; NULL in *summaries if there is nothing to say (complex pixels, more than
 * 256 channels without statistics). All cells must have been added. */
int32_t statistics_finish(statistics *s, const chunk_source *from, const channel_summary **summaries, error *e);

#endif
