/* plan_parts.h: what plan.c, levels.c and memory.c tell each other while a plan is made. */
#ifndef NGFF_MODEL_PLAN_PARTS_H
#define NGFF_MODEL_PLAN_PARTS_H

#include "model/plan.h"

typedef struct ngff_plan plan;

/* Adds a warning for the user. */
void plan_warn(plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the warning with this beginning back: what it is about is planned again. */
void plan_unwarn(plan *p, const char *beginning);
/* "NAME=value" as the user typed it, for messages; the name alone where it was not typed. */
const char *plan_typed(const plan *p, const char *name);
/* "1 x 512 x 512" */
void plan_print_sizes(const int64_t *sizes, int rank, char to[128]);
/* The value that a size list gives for an axis: by letter, in axis order, or one number for y and x. 0: none. */
int64_t plan_size_for(const size_list *list, const struct ngff_image *image, int axis);
/* A size list must name only axes of the image, or give one number, or one per axis. */
int32_t plan_check_sizes(plan *p, const char *option, const size_list *list);

/* levels.c: factors, sources, shapes, chunks, positions, paths; then shards, and the objects that hold pixels. */
int32_t levels_make(plan *p);
int32_t levels_make_shards(plan *p);
/* Chunks of so many planes on axis z in all levels (0: the default), and what follows from it. */
int32_t levels_set_depth(plan *p, int64_t depth);
int64_t levels_count_objects(const plan *p);
/* The requested chunk extent of an axis, before it is cut to a level's shape. */
int64_t levels_block(const plan *p, int axis);

/* The rows of arrays, once the levels stand. */
void levels_list_arrays(plan *p);

/* memory.c: what depends on the source as well: cells, region, threads, memory. May be made again. */
int32_t memory_plan(plan *p);

#endif
