/* parts.h: which images a store holds. A store is a tree of groups; its root is an image, or a collection of them: a
 * plate with its wells, a well with its fields, series side by side (bioformats2raw), labels. */
#ifndef NGFF_METADATA_PARTS_H
#define NGFF_METADATA_PARTS_H

#include "metadata/metadata.h"

/* One image, as ngff_reader_open_part takes it: "A/1/0", "labels/cells", "#1". */
typedef struct {
    char *path, *title;
} stored_part;

typedef struct {
    int n;
    stored_part *items;
    warnings told; /* what is no image though a document names it, and what else is wrong there */
} stored_parts;

/* What a name such as "A/1/0", "A/1/0#1" or "0/2" means. */
typedef struct {
    char *group;      /* of the image, below the root; "" is the root */
    int entry;        /* of its "multiscales" */
    int is_exact;     /* the name had its "#": nothing else is to be listed */
    char *level;      /* below the group: the array that was named, or NULL */
    int is_list;      /* a collection: no image is there, its images are in parts */
    const char *kind; /* of collection, in words */
    int zarr_format;  /* that of the node that was named */
    stored_parts parts;
} stored_place;

/* Finds out by documents only, and only by those that it needs. part: NULL or "" for the root. NGFF_E_NOT_FOUND: no
 * image and no collection is there. Paths in documents never leave the root. */
int32_t place_find(document_get source, void *user, const char *part, const stored_limits *limits, stored_place *place,
                   error *e);
void place_release(stored_place *place);

/* What there is beside an image that was opened at the source's root: its other entries, levels that are no overviews
 * of it, labels. If there is anything, the image itself comes first. group: what its paths begin with. */
int32_t parts_of_image(document_get source, void *user, const char *group, const stored_image *image,
                       const stored_limits *limits, stored_parts *parts, error *e);
void parts_release(stored_parts *parts);

#endif
