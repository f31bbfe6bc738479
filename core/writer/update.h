/* update.h: which cells of a pyramid a change reaches. Wanted cells are made again; needed ones are not, but a wanted
 * parent is made from their pixels too. */
#ifndef NGFF_WRITER_UPDATE_H
#define NGFF_WRITER_UPDATE_H

#include "model/levels.h"

typedef struct update update;

/* Nothing is wanted. NULL when memory is out. */
update *update_create(const struct ngff_plan *plan);
void update_free(update *u);

void update_want(update *u, int level, const int64_t *cell_index);
void update_want_level(update *u, int level);
/* A cell that is stored already: not wanted, but needed. */
void update_leave(update *u, int level, const int64_t *cell_index);
/* Goes up the pyramid: what is made from wanted cells is wanted, what is missing for that is needed. NGFF_E_MEMORY. */
int32_t update_spread(update *u);

int update_is_wanted(const update *u, int level, const int64_t *cell_index);
int update_is_needed(const update *u, int level, const int64_t *cell_index);
/* The same for one chunk of a level: a cell may hold the chunks of several channels. */
int update_is_chunk_wanted(const update *u, int level, const int64_t *chunk_index);
/* True if every cell of the level is wanted. */
int update_is_whole(const update *u, int level);

/* Counts an index up within first ... last per axis, the last axis fastest. Returns 0 after the last. */
int count_up(int rank, const int64_t *first, const int64_t *last, int64_t *index);
/* The next cell of a level in C order; index starts as zeros. Returns 0 after the last. */
int update_next(const struct ngff_plan *plan, int level, int64_t *cell_index);

#endif
