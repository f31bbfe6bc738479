/* metadata.h: image + plan <-> the JSON documents of a store. Numbers are printed by us: shortest form that reads back to
 * the same double, C locale, never NaN or Infinity. */
#ifndef NGFF_METADATA_METADATA_H
#define NGFF_METADATA_METADATA_H

#include <stddef.h>

#include "model/plan.h"
#include "model/summary.h"
#include "zarr/array.h"

/* Emits every metadata object of the store (groups, arrays, coordinate arrays and large attributes with their chunks),
 * the root's own document last. summaries: one per channel, or NULL (no omero, no statistics). */
int32_t metadata_write(const struct ngff_plan *plan, const channel_summary *summaries, document_sink sink, void *user,
                       error *e);
/* As metadata_write, with members that are known only now: n pairs of name and JSON text, of the block "omezarr" or of
 * NGFF's own. */
typedef struct {
    const char *name, *json;
    int is_ngff;
} late_member;
int32_t metadata_write_late(const struct ngff_plan *plan, const channel_summary *summaries, const late_member *late,
                            int n_late, document_sink sink, void *user, error *e);
/* Number of objects that metadata_write emits. */
int64_t metadata_count(const struct ngff_plan *plan);
/* One of the plan's arrays as Zarr describes it; its path is the plan's. */
stored_array metadata_planned_array(const struct ngff_plan *plan, const planned_array *a);

/* A stored multiscale image. */
typedef struct {
    int zarr_format;                                   /* ZARR_* */
    char said_version[16];                             /* of NGFF, such as "0.6"; "" where the image says none */
    int n_entries;                                     /* images in the group's "multiscales" */
    char dims[MAX_RANK + 1];                           /* t, c, z in any order, then y, x */
    char *axis_names[MAX_RANK], *axis_units[MAX_RANK]; /* as the store has them; units may be NULL */
    const char *axis_orientations[MAX_RANK];           /* a word of RFC-4, or NULL */
    int n_levels;
    stored_array *levels; /* from large to small: those that can be read */
    int n_declared;       /* entries of "datasets" */
    int *declared;        /* which of them a level is */
    int has_mask;
    stored_array *masks;    /* n_levels entries where has_mask */
    char *attributes;       /* of the root group, JSON text */
    char *array_attributes; /* of level 0's array, JSON text */
    warnings told;          /* what is wrong with the documents and was left out, mended or guessed */
} stored_image;

/* The arrays of an image in one row: those of its levels, then their masks. */
static inline int image_array_count(const stored_image *image)
{
    return image->has_mask ? 2 * image->n_levels : image->n_levels;
}
static inline stored_array *image_array(const stored_image *image, int i)
{
    return i < image->n_levels ? &image->levels[i] : &image->masks[i - image->n_levels];
}

/* Reads NGFF 0.1 to 0.6, Zarr v2 and v3, ours or others'. NGFF_E_NOT_FOUND: no OME-Zarr image here. What level 0 needs to
 * be decoded must be right; of the rest what is wrong is left out, with a warning.
 * Refuses hostile metadata (sizes that overflow, paths that leave the root) with an error that names the key. */
int32_t metadata_read(document_get source, void *user, stored_image *image, error *e);
/* The same for another entry of the group's "multiscales", and within other limits. */
int32_t metadata_read_entry(document_get source, void *user, int entry, const stored_limits *limits,
                            stored_image *image, error *e);
void metadata_release(stored_image *image);

/* What viewers are told of a channel: NULL, "" or NaN, and -1 where nothing is said. */
typedef struct {
    char *label, color[7];
    double window[4]; /* start, end, min, max */
    int is_active, is_inverted;
} stored_channel;

/* The colour of a value of a label image. */
typedef struct {
    int64_t value;
    uint8_t rgba[4];
} stored_color;

/* And of the image: -1 where nothing is said. */
typedef struct {
    char *name;
    stored_channel *channels;
    stored_color *colors; /* of "image-label" */
    int n_channels, n_colors, has_colors, is_label;
    int64_t t, z;
} stored_view;

/* The object that NGFF's keys stand in. */
json_span metadata_ome(const stored_image *image);
/* entry: of "multiscales". Fails for want of memory only. */
int32_t metadata_view(const stored_image *image, int entry, stored_view *view, error *e);
void view_release(stored_view *view);

/* What a change of a stored image keeps of its documents: windows and statistics of n channels, as metadata_write has
 * written them. Where there are none: not finite, and no statistics. */
int32_t metadata_summaries(const stored_image *image, document_get source, void *user, int64_t n,
                           channel_summary *summaries, error *e);
/* The members of the root's attributes of which is_own is not true: one JSON object, malloc'ed, or NULL if there are none.
 * NGFF_E_MEMORY. */
int32_t metadata_foreign_attributes(const stored_image *image, int (*is_own)(const char *name), char **json);

/* One member of the attribute block "omezarr" as JSON text (malloc'ed); large ones through the source. NULL: there is
 * none, or e says why it cannot be read. */
char *metadata_attribute(const stored_image *image, const char *name, document_get source, void *user, error *e);

/* Another array of the store, at a path from the image's group, with array->rank 0; array->path is the caller's. */
int32_t metadata_array(const stored_image *image, const char *path, document_get source, void *user,
                       stored_array *array, error *e);
/* The attributes of another node as JSON text (malloc'ed). NULL: there are none, or e says why they cannot be read. */
char *metadata_node_attributes(const stored_image *image, const char *path, document_get source, void *user, error *e);

#endif
