/* part.h: which pixels and cells one of several programs makes (PART=i/n), and what it reads for them. Geometry only. */
#ifndef NGFF_WRITER_PART_H
#define NGFF_WRITER_PART_H

#include "model/plan.h"

typedef struct part part;

/* The plan's part, which lives as long. NULL when memory is out. */
part *part_create(const struct ngff_plan *plan);
void part_free(part *p);

/* A cell that the part stores. All others that it makes are needed for these only. */
int part_owns(const part *p, int level, const int64_t *cell_index);
int part_makes(const part *p, int level, const int64_t *cell_index);
/* Cuts the box of a cell to the pixels that the part makes; empty where it makes none. */
void part_limit(const part *p, int level, const int64_t *cell_index, box *pixels);
/* True for a region of level 0 that it makes as a whole. */
int part_takes(const part *p, const box *region);
/* The next region of level 0 to be read. Returns 0 after the last. */
int part_next(part *p, box *region);
/* Cells of level 0 that it makes. */
int64_t part_cell_count(const part *p);

#endif
