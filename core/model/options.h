/* options.h: the options of a run, read by the rows of option_table.c. */
#ifndef NGFF_MODEL_OPTIONS_H
#define NGFF_MODEL_OPTIONS_H

#include "base/box.h"
#include "base/codec_spec.h"
#include "base/error.h"
#include "model/methods.h"

enum { VERSION_04 = 4, VERSION_05, VERSION_06 }; /* of NGFF */
/* "0.5"; and ZARR_*, in which it is written. */
const char *version_name(int version);
int version_by_name(const char *name); /* 0: none of those above; NULL is none, too */
int version_format(int version);
enum { LAYOUT_OVERVIEWS, LAYOUT_SCALES, LAYOUT_FLAT, LAYOUT_BIOFORMATS2RAW };
enum { SIZES_CEIL, SIZES_FLOOR };
enum { TRI_AUTO, TRI_YES, TRI_NO };
enum { WINDOW_AUTO, WINDOW_PERCENTILE, WINDOW_MINMAX, WINDOW_DTYPE, WINDOW_GIVEN };
enum { ORIGIN_PIXEL, ORIGIN_SOUTHING };
enum { SHARD_AUTO, SHARD_NONE, SHARD_GIVEN };
enum { VERIFY_NO, VERIFY_STORE, VERIFY_SOURCE };
enum { OVERVIEWS_IGNORE, OVERVIEWS_AUTO, OVERVIEWS_FORCE, OVERVIEWS_NONE };

/* Sizes per axis as the user typed them: one number for y and x, a full list in axis order, or by letter. */
typedef struct {
    int is_set;
    int n;                   /* values given; 1 = for y and x */
    int64_t value[MAX_RANK]; /* in the order typed */
    char dim[MAX_RANK];      /* the letter before the colon, or 0 */
} size_list;

/* AXIS_SCALE, AXIS_TRANSLATION: "z:2.0,t:0.5". */
typedef struct {
    int n;
    double value[MAX_RANK];
    char dim[MAX_RANK];
} number_list;

/* AXIS_UNITS: "z:um,t:s"; AXIS_ORIENTATION: "x:right-to-left". */
typedef struct {
    int n;
    const char *name[MAX_RANK]; /* of the table of units, or of orientations */
    char dim[MAX_RANK];
} unit_names;

/* PART: number i, from 1, of n. */
typedef struct {
    int i, n; /* 0: all at once */
} part_number;

enum { max_levels = 40 };

typedef struct {
    int version, layout;
    int compress, level /* -1: default of the codec */, blosc_cname, blosc_shuffle;
    size_list blocksize;
    int shard_mode;
    size_list shard;
    int labels;       /* the store is a label image */
    int consolidated; /* TRI_* */
    int resampling, overviews, overview_count /* -1: until one block */;
    size_list scale_factors[max_levels];
    int n_scale_factors, is_isotropic; /* levels by given factors; by physical spacing */
    int sizes;                         /* of levels that a factor does not divide: SIZES_* */
    int n_threads;                     /* 0: ALL_CPUS */
    int64_t memory_bytes;              /* 0: what the plan needs */
    int statistics;                    /* TRI_* */
    int checksum;                      /* TRI_* */
    int window_mode;
    double *windows; /* WINDOW_GIVEN: start, end per channel */
    int n_windows;
    char **channel_names, **channel_colors; /* NULL-terminated or NULL */
    char **color_interpretation;            /* of the hosts' bands; NULL-terminated or NULL */
    size_list axes;                         /* of t, c, z, in the order typed: what the hosts' bands are */
    number_list axis_scale, axis_translation;
    unit_names axis_units, axis_orientation;
    char *name; /* NULL: the image's */
    int origin;
    int verify; /* VERIFY_* */
    int overwrite, resume, sync, dry_run, copy_src_mdd /* TRI_* */;
    int planes; /* of hosts: 0 all, 1 one */
    int series; /* of hosts: 0 the main image, 1 all */
    part_number part;
    char *report; /* path or NULL */
    char **typed; /* the accepted NAME=VALUE strings with names in their canonical spelling, NULL-terminated */
} options;

/* Reads a NULL-terminated NAME=VALUE list (NULL: none). On failure e names the option, the value and what is allowed.
 */
int32_t options_read(const char *const *list, options *o, error *e);
void options_release(options *o);
/* 1 for an option, for a slip of one, and for one of another format that options_read has advice for. */
int options_know(const char *name);
/* The canonical name for any accepted spelling, NULL for an unknown one. Static. */
const char *options_canonical(const char *name);
/* The value of an option in the spelling of the table: a word, a number, or as it was typed; the default, if that is a
 * word, where it was not. name: canonical. */
void options_print(const options *o, const char *name, char *to, size_t room);
/* True for a NAME=VALUE that says what a store is, and so is kept in it; false for one of a run, such as MEMORY. */
int options_is_lasting(const char *typed);
/* "gdal" or "markdown"; a malloc'ed string. */
char *options_text(const char *format);

/* Names as users write them, for messages and metadata: reduce_name(REDUCE_AVERAGE) = "AVERAGE". */
const char *reduce_name(int resampling);
const char *compress_name(int compress);
const char *layout_name(int layout);

#endif
