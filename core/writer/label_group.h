/* label_group.h: the group "labels" of an image's store. A label image is made beside its name like any store; then it is
 * listed there, and the root's copies of documents are made anew. Or it is made with its image, as further images are. */
#ifndef NGFF_WRITER_LABEL_GROUP_H
#define NGFF_WRITER_LABEL_GROUP_H

#include "metadata/metadata.h"
#include "store/store.h"

/* Before a label image is begun at path (the store's and plan->image->label_name): the store must be there and have the
 * levels of the plan; the group is made if it is not there. What a killed run has left at the name may be replaced. */
int32_t label_group_begin(struct ngff_plan *plan, const char *path, error *e);
/* Marks a label image that is about to be published as not listed yet. */
int32_t label_group_mark(store *label, error *e);
/* Lists it, once it is published, and takes the mark away. */
int32_t label_group_list(const struct ngff_plan *plan, const char *path, error *e);
/* The group of n label images (the names behind "labels/") that were made with their image, whose folder s is: all of their
 * documents are there. root: the image's own, which holds copies in v3. What is put, goes to the sink. */
int32_t label_group_make(store *s, int version, const char *const *names, int n, const char *root, document_sink sink,
                         void *user, error *e);
/* After a label image was changed in place: where the store at path lies in the group of an image's store, the copies that
 * the root has of its documents are made anew. */
int32_t label_group_renew(const struct ngff_plan *plan, const char *path, error *e);
/* The documents in the group, for the root's copies: one JSON object by their names there (malloc'ed), NULL where there is
 * no group; n_labels: the label images that are listed. format: ZARR_*. */
int32_t label_group_nodes(store *s, int format, char **json, int *n_labels, error *e);

#endif
