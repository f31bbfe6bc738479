/* plan.h: the plan. Image and options in; every derived number out, computed once: levels, factors, chunks, shards,
 * positions, paths, objects, bytes, memory. Everything downstream only reads it. */
#ifndef NGFF_MODEL_PLAN_H
#define NGFF_MODEL_PLAN_H

#include <stdatomic.h>

#include "model/image.h"
#include "model/options.h"

/* Jobs that wait in the writer's queue; a term of the memory formula. */
enum { queue_depth = 3 };

typedef struct {
    char path[48];            /* of the array, below the image's group: "ovr_2x/image" */
    int source;               /* the level it is made from; -1: its pixels come from the caller, as level 0 does */
    int64_t factor[MAX_RANK]; /* relative to level 0 */
    int64_t ratio[MAX_RANK];  /* relative to its source level */
    int64_t shape[MAX_RANK];  /* ceil(shape of level 0 / factor) */
    int64_t chunk[MAX_RANK];  /* at most the shape */
    int64_t shard[MAX_RANK];  /* extent in pixels, a multiple of chunk; equal to chunk if not sharded */
    int is_sharded;
    int64_t grid[MAX_RANK]; /* chunks per axis */
    int64_t cell[MAX_RANK]; /* extent of a cell: the chunk, but on axis c the cell group */
    int64_t cell_grid[MAX_RANK];
    int64_t cell_bytes; /* memory of one cell: pixels, mask, and what straddles its children */
    double scale[MAX_RANK], translation[MAX_RANK];
} level;

/* An array of the store that holds the pixels of a level, or its mask. */
typedef struct {
    char path[64]; /* below the image's group: "ovr_2x/image", "ovr_mask/ovr_2x" */
    int level, is_mask;
    int first_axis; /* of the image: the array has this one and all behind it */
    int rank;
    const dtype *type;
    const int64_t *shape, *chunk, *shard,
        *grid; /* of the level, from first_axis on; shard is NULL where there are none */
    codec_spec codec;
    uint8_t fill[16]; /* one pixel */
} planned_array;

/* How the levels are cut into units for PART. */
typedef struct {
    int level; /* parts make levels 0 to this one */
    int64_t
        unit[MAX_RANK]; /* pixels of level 0 that one part makes, whole cells and whole shards on all these levels */
    int64_t grid[MAX_RANK]; /* units per axis */
    int64_t n;
} plan_cut;

struct ngff_plan {
    error error;
    atomic_int n_owners;
    struct ngff_image *image; /* its own copy, with what the options say of it; NULL after an error */
    options options;
    int zarr_format; /* ZARR_*, in which the NGFF version is written */
    int n_levels;
    level *levels;
    int n_arrays;
    planned_array *arrays; /* the pixels of all levels, then the masks of all levels */
    char prefix[16]; /* of all keys: "0/" where the image is the first of several (LAYOUT=BIOFORMATS2RAW), else "" */
    char *ome_xml;   /* of all images of the store, as the host gives it; NULL: it is made */
    int resampling;  /* REDUCE_*, never AUTO */
    codec_spec codec;
    uint8_t fill[16];      /* one pixel: the frozen fill_value */
    char *fingerprint;     /* of the source, or NULL */
    char *kept_nodes;      /* documents of others below the root, for its copies: one JSON object; or NULL */
    char *kept_attributes; /* members that others put into the root's attributes, one JSON object; or NULL */
    int has_own_kept;      /* the host has given them */
    int is_unfilled;       /* pixels come later */
    int is_consolidated;
    int64_t group; /* channels in a cell: 1, or all that share a mask, an alpha channel or a source block */
    int64_t depth; /* planes of a chunk on axis z where BLOCKSIZE says nothing; 0: the default */
    int64_t source_block[MAX_RANK]; /* 0: no preference */
    int64_t region[MAX_RANK];       /* of level 0, read at once: a multiple of the cell */
    int64_t region_cells;           /* cells in a region */
    int n_readers, n_threads;
    int64_t memory_minimum, memory;      /* bytes */
    int64_t memory_needed;               /* bytes with which no cell is spilled in the order of the walk */
    int64_t pixel_memory, pixel_least;   /* the part of memory that cells may take, and must have */
    int64_t source_least, source_wanted; /* bytes that the source keeps while it is read */
    int64_t source_memory;               /* the part of memory that it gets */
    int64_t raw_bytes;
    char *warnings[16];
    int n_warnings;
    char **losses; /* what of the source the store will not hold, as the host says */
    int n_losses;
    char *text;
    char answer[256];
};

/* Where the levels are cut for n parts. */
plan_cut plan_cut_for(const struct ngff_plan *plan, int n);
/* A digest of all that is said of the image. 0 when memory is out. */
int plan_digest_image(struct ngff_plan *plan, uint8_t digest[32]);
/* All that a plan is made of: kept as bytes, for free() (n: their number), NULL when memory is out; and the plan made of
 * them again, with what options say of a run in the place of what was typed then. Its error says what is wrong. */
char *plan_pack(struct ngff_plan *plan, size_t *n);
struct ngff_plan *plan_unpack(const void *bytes, size_t n, const char *const *options);
/* The plan is of a store that is there: its fill value and what others put into its root stay. */
int32_t plan_keep(struct ngff_plan *plan, const uint8_t fill[16], const char *kept_attributes);
/* True for a member of the root's attributes that this library writes, of itself; and for one that NGFF or it gives a
 * meaning. */
int plan_is_own_attribute(const char *name);
int plan_is_known_attribute(const char *name);
struct ngff_plan *plan_retain(struct ngff_plan *plan);
/* True where each cell of the level's source lies in one parent and no window straddles two cells: then a finished cell
 * is shrunk straight into its parent. */
int plan_is_fused(const struct ngff_plan *plan, int level);
/* Why the image can have no OME-XML, or NULL. */
const char *plan_ome_refusal(const struct ngff_plan *plan);
/* Values of a label image beyond these have no colour in a table. */
enum { n_table_values = 65536 };
/* The block size in axis order, "1,4,256,256", as BLOCKSIZE takes it. */
void plan_blocksize(const struct ngff_plan *plan, char text[256]);
/* What was told of a further image of the store is told in the report of the first. name: how it is called. */
void plan_take_told(struct ngff_plan *plan, const struct ngff_plan *further, const char *name);
/* True where the levels lie side by side: 0, 1 ... */
int plan_is_flat(const struct ngff_plan *plan);
/* The array of a level's pixels, and that of its mask; NULL where the image has none. */
static inline const planned_array *plan_pixels(const struct ngff_plan *plan, int level)
{
    return &plan->arrays[level];
}
static inline const planned_array *plan_mask(const struct ngff_plan *plan, int level)
{
    return plan->image->has_mask ? &plan->arrays[plan->n_levels + level] : NULL;
}

#endif
