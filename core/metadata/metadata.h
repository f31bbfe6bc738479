/* metadata.h: image + plan <-> the JSON documents of a store. The only user of cJSON; numbers are printed by us:
 * shortest form that reads back to the same double, C locale, never NaN or Infinity. */
#ifndef NGFF_METADATA_METADATA_H
#define NGFF_METADATA_METADATA_H

#include <stddef.h>

#include "base/number.h"
#include "base/warnings.h"
#include "model/levels.h"
#include "model/summary.h"

/* Receives one object of the store, key and bytes; a negative status stops the writing. */
typedef int32_t (*metadata_sink)(void *user, const char *key, const void *bytes, size_t n);

/* Emits every metadata object of the store (groups, arrays, coordinate arrays and large attributes with their chunks),
 * the root's own document last. summaries: one per channel, or NULL (no omero, no statistics). */
int32_t metadata_write(const struct ngff_plan *plan, const channel_summary *summaries, metadata_sink sink, void *user,
                       error *e);
/* As metadata_write, with members that are known only now: n pairs of name and JSON text, of the block "omezarr" or of
 * NGFF's own. */
typedef struct {
    const char *name, *json;
    int is_ngff;
} late_member;
int32_t metadata_write_late(const struct ngff_plan *plan, const channel_summary *summaries, const late_member *late,
                            int n_late, metadata_sink sink, void *user, error *e);
/* Number of objects that metadata_write emits. */
int64_t metadata_count(const struct ngff_plan *plan);
/* Key of a chunk below its array: "c/0/3/1" (v3), "0/3/1" (v2). to: at least 128 bytes. */
void metadata_chunk_key(int version, int rank, const int64_t *index, char *to);

/* A stored array, as far as reading its chunks needs it. The bytes of a chunk may have the axes in another order. */
typedef struct {
    char *path;
    const dtype *type;
    int rank;
    int64_t shape[MAX_RANK], chunk[MAX_RANK], shard[MAX_RANK]; /* shard = chunk where not sharded */
    int byte_axis[MAX_RANK]; /* the axis that is the k-th slowest in a chunk's bytes (order F, codec transpose) */
    int is_sharded;
    int index_is_first;     /* a shard's index is at its start */
    int index_has_checksum; /* crc32c behind the index */
    codec_spec codec;
    uint8_t fill[16];
    int is_big_endian;
    int key_version;        /* VERSION_05: keys as "c/0/1", VERSION_04: "0/1" */
    _Atomic char separator; /* '/' or '.' between the numbers of a key; a reader may find another than the document's */
    double scale[MAX_RANK], translation[MAX_RANK];
} stored_array;

/* Key of a chunk (or shard) below its array. to: at least 128 bytes. */
void stored_chunk_key(const stored_array *array, const int64_t *index, char *to);

/* A stored multiscale image. */
typedef struct {
    int version;                                       /* VERSION_* */
    int n_entries;                                     /* images in the group's "multiscales" */
    char dims[MAX_RANK + 1];                           /* t, c, z in any order, then y, x */
    char *axis_names[MAX_RANK], *axis_units[MAX_RANK]; /* as the store has them; units may be NULL */
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

/* Reads one object as text (malloc'ed, NUL-terminated); NGFF_E_NOT_FOUND when there is none. */
typedef int32_t (*metadata_source)(void *user, const char *key, char **text, size_t *n, error *e);

/* What a store may ask of its reader; 0: the default, 16 MiB for a document and default_chunk_bytes for a chunk. */
typedef struct {
    int64_t document_bytes, chunk_bytes;
} stored_limits;

/* Reads NGFF 0.1 to 0.6, Zarr v2 and v3, ours or others'. NGFF_E_NOT_FOUND: no OME-Zarr image here. What level 0 needs to
 * be decoded must be right; of the rest what is wrong is left out, with a warning.
 * Refuses hostile metadata (sizes that overflow, paths that leave the root) with an error that names the key. */
int32_t metadata_read(metadata_source source, void *user, stored_image *image, error *e);
/* The same for another entry of the group's "multiscales", and within other limits. */
int32_t metadata_read_entry(metadata_source source, void *user, int entry, const stored_limits *limits,
                            stored_image *image, error *e);
void metadata_release(stored_image *image);

/* What viewers are told of a channel: NULL, "" or NaN, and -1 where nothing is said. */
typedef struct {
    char *label, color[7];
    double window[4]; /* start, end, min, max */
    int is_active, is_inverted;
} stored_channel;

/* And of the image: -1 where nothing is said. */
typedef struct {
    char *name;
    stored_channel *channels;
    int n_channels, has_colors, is_label;
    int64_t t, z;
} stored_view;

/* entry: of "multiscales". Fails for want of memory only. */
int32_t metadata_view(const stored_image *image, int entry, stored_view *view, error *e);
void view_release(stored_view *view);

/* What a change of a stored image keeps of its documents. */
/* Windows and statistics of n channels, as metadata_write has written them. Where there are none: not finite, and no
 * statistics. */
int32_t metadata_summaries(const stored_image *image, metadata_source source, void *user, int64_t n,
                           channel_summary *summaries, error *e);
/* The members of the root's attributes that are no part of NGFF, of the geo conventions or of our block: one JSON
 * object, malloc'ed, or NULL if there are none. NGFF_E_MEMORY. */
int32_t metadata_foreign_attributes(const stored_image *image, char **json);

/* One member of the attribute block "omezarr" as JSON text (malloc'ed); large ones through the source. NULL: there is
 * none, or e says why it cannot be read. */
char *metadata_attribute(const stored_image *image, const char *name, metadata_source source, void *user, error *e);

/* Another array of the store, at a path from the image's group, with array->rank 0; array->path is the caller's. */
int32_t metadata_array(const stored_image *image, const char *path, metadata_source source, void *user,
                       stored_array *array, error *e);
/* The attributes of another node as JSON text (malloc'ed). NULL: there are none, or e says why they cannot be read. */
char *metadata_node_attributes(const stored_image *image, const char *path, metadata_source source, void *user,
                               error *e);

/* The copies of the other documents that the root holds (consolidated metadata). */
typedef struct consolidated consolidated;
/* *c is NULL where the root holds none. */
int32_t consolidated_open(metadata_source source, void *user, int version, consolidated **c, error *e);
void consolidated_free(consolidated *c);
/* Key of document number i, "scale0/zarr.json"; NULL after the last. Until the next call. */
const char *consolidated_key(consolidated *c, int i);
/* Judges the text of a document: it must be JSON, and equal to the root's copy where there is one (c may be NULL).
 * Returns 1, 0 for a document of which the root has no copy, or an error. */
int32_t consolidated_judge(const consolidated *c, const char *key, const char *text, size_t n, error *e);

/* What the root of a store on a server tells of its documents: the documents themselves are not asked for then, each
 * would be a request. Reads zarr.json and, where there is none, .zmetadata; both are kept, with what the server said of
 * them. Where they hold copies, the copies are all the documents that there are, those of the root included, as for
 * zarr-python. NULL when memory is out. */
typedef struct known_documents known_documents;
known_documents *known_open(metadata_source source, void *user, const stored_limits *limits);
void known_free(known_documents *known);
/* One document, as metadata_source does, or 1: the store has to be asked. */
int32_t known_get(const known_documents *known, const char *key, char **text, size_t *n, error *e);
/* Forgets the copies, as stale; 0 if there were none. */
int known_forget_copies(known_documents *known);

#endif
