/* root_parts.h: what the root's attributes say, in the parts that metadata_write puts together. */
#ifndef NGFF_METADATA_ROOT_PARTS_H
#define NGFF_METADATA_ROOT_PARTS_H

#include "metadata/metadata.h"
#include "zarr/node_write.h"

/* "multiscales" of a plan: axes, levels, and how they were made. */
void multiscales_add(const struct ngff_plan *plan, cJSON *ome, int *is_whole);
/* 0.6: the coordinateTransformations of a level, from its array into the image's own system; and that system, of these axes. */
cJSON *multiscales_to_own_system(const char *path, int rank, const double *scale, const double *translation,
                                 int *is_whole);
cJSON *multiscales_own_system(cJSON *axes_of_image, int *is_whole);
/* "omero": how viewers show the channels. All or nothing; summaries: one per channel, or NULL, which adds nothing. */
void omero_add(const struct ngff_plan *plan, const channel_summary *summaries, cJSON *ome, int *is_whole);
/* The block "omezarr", if it has any member beside its version. Members too large for the root become arrays. */
int32_t block_add(const struct ngff_plan *plan, const channel_summary *summaries, const late_member *late, int n_late,
                  node_writer *to, cJSON *attributes);
/* The statistics of n channels, null where nothing is known; summaries: one per channel, or NULL. */
cJSON *statistics_list(const channel_summary *summaries, int64_t n, int *is_whole);
/* How many objects the block may add that are not known before the statistics are. */
int64_t block_late_count(const struct ngff_plan *plan);

#endif
