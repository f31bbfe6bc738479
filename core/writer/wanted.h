/* wanted.h: which cells of a pyramid a change reaches. Wanted cells are made again; needed ones are not, but a wanted
 * parent is made from their pixels too. */
#ifndef NGFF_WRITER_WANTED_H
#define NGFF_WRITER_WANTED_H

#include "base/grid.h"
#include "model/plan.h"

typedef struct wanted wanted;

/* Nothing is wanted. NULL when memory is out. */
wanted *wanted_create(const struct ngff_plan *plan);
void wanted_free(wanted *w);

void wanted_add(wanted *w, int level, const int64_t *cell_index);
void wanted_add_level(wanted *w, int level);
/* A cell that is stored already: not wanted, but needed. */
void wanted_leave(wanted *w, int level, const int64_t *cell_index);
/* Goes up the pyramid: what is made from wanted cells is wanted, what is missing for that is needed. NGFF_E_MEMORY. */
int32_t wanted_spread(wanted *w);

int wanted_has(const wanted *w, int level, const int64_t *cell_index);
int wanted_is_needed(const wanted *w, int level, const int64_t *cell_index);
/* The same for one chunk of a level: a cell may hold the chunks of several channels. */
int wanted_has_chunk(const wanted *w, int level, const int64_t *chunk_index);
/* True if every cell of the level is wanted. */
int wanted_is_whole(const wanted *w, int level);

/* The next cell of a level in C order; index starts as zeros. Returns 0 after the last. */
int wanted_next(const struct ngff_plan *plan, int level, int64_t *cell_index);

#endif
