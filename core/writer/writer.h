/* writer.h: the writer, and what the files of a run tell each other: open.c (a writer on a new store), writer.c (pixels come
 * in), pass.c (cells become stored chunks), change.c (a store is changed), close.c (the end). */
#ifndef NGFF_WRITER_WRITER_H
#define NGFF_WRITER_WRITER_H

#include <pthread.h>
#include <sys/types.h>

#include "metadata/metadata.h"
#include "model/stored.h"
#include "pyramid/cascade.h"
#include "pyramid/label_values.h"
#include "pyramid/order.h"
#include "pyramid/statistics.h"
#include "store/series.h"
#include "store/store.h"
#include "writer/part.h"
#include "writer/preview.h"
#include "writer/record.h"
#include "writer/report.h"
#include "writer/shards.h"
#include "writer/stage.h"
#include "writer/wanted.h"
#include "writer/writer_store.h"
#include "writer/written.h"
#include "zarr/encoder.h"

/* A further image of a store of several: one of its own, or a label image of the image before. */
typedef struct {
    ngff_plan *plan;
    char prefix[series_longest_prefix];
    int is_label;
    held_object root; /* the document that makes an image of its folder; put when the store is published */
} further_image;

/* How pixels come. */
typedef enum {
    MODE_PULL,   /* in regions that the writer names, through the pass as they come */
    MODE_PUSH,   /* in any order, into the stages; the pass is at the end */
    MODE_CHANGE, /* the same, of a store that is there (change.c) */
    MODE_JOIN    /* they are there: several programs have stored the lower levels (job.c) */
} writer_mode;

/* What masks_seen says of a mask, beside its checksum. */
static const uint64_t mask_is_known = (uint64_t)1 << 32, mask_is_stored = (uint64_t)1 << 33;

/* How far it is; it never goes back. */
typedef enum {
    PHASE_REFUSED,   /* it was never open: the error says why */
    PHASE_OPEN,      /* pixels come in */
    PHASE_FINISHED,  /* no more come; the store can be looked at */
    PHASE_PUBLISHED, /* too late to be cancelled */
    PHASE_CLOSED
} writer_phase;

struct ngff_writer {
    error error;   /* of the calling threads; guarded by lock */
    pid_t process; /* that has opened it: a child of fork has neither its threads nor its claim */
    ngff_plan *plan;
    store *store;
    char prefix[series_longest_prefix]; /* of all keys: the plan's, or of a label image that is made with its image */
    budget *budget;
    pool *pool;
    void *settings; /* of the thread that has started the pass, for those of the pool */
    cascade *cascade;
    statistics *statistics; /* NULL where a part of the pixels passes only, and no window is taken from them */
    label_values *labels;   /* NULL: which of them occur says nothing */
    shards *shards;
    written *written;     /* NULL until the pass, where nothing is there before */
    order *orders;        /* per level; those of levels that the writer makes are not used */
    pthread_mutex_t lock; /* error, orders, phase; and what ngff_writer_progress reads while close goes on */
    stored_array *arrays; /* as the plan has them; from the pass on */
    encoders encoders;
    int64_t n_cells;
    writer_mode mode;
    writer_phase phase;      /* written under lock */
    atomic_int is_waiting;   /* of a pull that goes on with an earlier run: the pass begins with the first call */
    pthread_mutex_t waiting; /* held while it begins */
    atomic_int is_cancelled; /* by any thread, at any time */
    stage *pixels, *masks;   /* of push and change; masks: from the first mask on */

    part *part;                       /* it makes one of several parts; NULL: all */
    record *record;                   /* of a pull: what is stored */
    report *report;                   /* NULL: none is asked for */
    held_object collection;           /* the root's document of a store of several images */
    char *path;                       /* for messages; NULL where the store came without one */
    chunk_set *stored_chunks;         /* per array of the plan; NULL, or a row without bits: not recorded */
    uint64_t *masks_seen[max_levels]; /* per chunk of a mask that many cells bring: mask_is_known with its checksum,
                                         mask_is_stored by an earlier run, or both */
    struct ngff_writer *first;        /* that has begun the store in which this is a further image; else NULL */
    further_image *series;            /* of first */
    int n_series, n_whole;            /* of these, those that are closed */
    held_object root;                 /* the document that is put last */
    ngff_reader *preview;
    const channel_summary *found; /* once the metadata is written; of statistics */
    int is_verified;

    /* MODE_CHANGE: */
    ngff_plan *before;          /* what the store was made by */
    channel_summary *summaries; /* as the store has them, and room for as many */
    char *before_stored[4];     /* the members of stored_names as the store has them, or NULL */
    char *before_label;         /* "image-label" as the store has it, or NULL */
    chunk_set *before_chunks;   /* the same as sets, per array of the plan before; NULL, or without bits: not known */
    int takes_missing;          /* what is missing is fill, whatever the store says */
    int is_claimed, was_dirty;
    int first_remade;           /* the host wants the levels from this one on made anew; 0: what the change reaches */
    int is_thinned; /* the mark of the change says that chunks of full size are gone; w->lock */
    int renews_summaries;       /* pixels are others, and what is said of them is found anew */
    pthread_rwlock_t replacing; /* a shard is replaced, or its index and a chunk of it are read */
    wanted *wanted;             /* in the pass of a change, or of a run that was resumed: what it makes */
};

/* -- open.c -- */

ngff_writer *writer_make(ngff_plan *plan, store *s, const char *path);
/* A writer on what is at path; NULL where memory is out. */
ngff_writer *writer_open_path(ngff_plan *plan, const char *path,
                              ngff_writer *(*open)(ngff_plan *, store *, const char *path));
/* The folder of the image of a store, below path where it lies beside others: path, another one, or NULL when memory is out;
 * malloc'ed. */
char *writer_image_folder(const char *path);
/* The store that all images of a writer of ngff_writer_open go into. */
store *writer_whole(const ngff_writer *first);
/* Stages for push, with their first pixels from the host. */
int32_t writer_start_stage(ngff_writer *w, error *e);
int32_t writer_start_mask_stage(ngff_writer *w, error *e);
/* Levels that the caller gives could never be written in push mode: an error for a plan that has some. */
int32_t writer_refuse_given(const ngff_plan *plan, error *e);

/* -- writer.c -- */

/* True in a child of fork. Locks may be held for ever there, so nothing is done but to refuse. */
int writer_is_inherited(const ngff_writer *w);
void writer_enter(ngff_writer *w, writer_phase phase);
/* True until it is published or given up. */
int writer_is_open(const ngff_writer *w);
/* Keeps the error of a call, or the first error of a job, in the handle; or that it was cancelled. */
int32_t writer_keep(ngff_writer *w, const error *e);
/* The region of the mask that covers a region of level 0: its y and x. */
box writer_plane_of(const box *region);

/* -- pass.c -- */

/* The chunks of a cell one after the other: it is one chunk, or those of its channels.
 * for (cell_chunk at = cell_chunk_first(plan, c); at.k < at.n; cell_chunk_step(&at)) */
typedef struct {
    int64_t k, n, index[MAX_RANK];
    int64_t offset, size_bytes; /* of its pixels in the cell's */
    int axis;                   /* along which they lie; -1: it is one */
} cell_chunk;

cell_chunk cell_chunk_first(const ngff_plan *plan, const cell *c);
void cell_chunk_step(cell_chunk *at);

/* What the pass needs: made when the writer opens or, in push mode, when it closes. */
int32_t writer_start_pass(ngff_writer *w, error *e);
/* Begins what has waited for the first call, if it has. Thread-safe. */
int32_t writer_begin_pass(ngff_writer *w, error *e);
/* An object of the image is stored: the report has it. */
int32_t writer_report(ngff_writer *w, const char *key, const void *bytes, size_t n, error *e);
/* Pixels that leave memory for a while, as scratch objects. user: the writer. */
int32_t writer_spill(void *user, const char *key, const void *bytes, size_t n, error *e);
int32_t writer_fetch(void *user, const char *key, void *bytes, size_t n, error *e);

/* -- close.c -- */

/* All but the root's document is stored; the writer takes no more pixels. */
int32_t writer_finish(ngff_writer *w);
/* Takes a region of level 0 from the stages through the pass. */
int32_t writer_drain_region(ngff_writer *w, const box *region, error *e);
/* Which chunks are stored, as members of the block "omezarr": at most four. texts: to be freed. */
extern const char *const stored_names[4];
int writer_stored_members(const ngff_writer *w, late_member *late, char **texts);
/* "image-label", if the store is a label image: 1, else 0, or an error. */
int32_t writer_label_member(const ngff_writer *w, late_member *late, char **text, error *e);
/* What is to be said about the channels, once all cells have passed. */
int32_t writer_summarise(ngff_writer *w, const channel_summary **summaries, error *e);

/* writer_finish, and what VERIFY asks for, if nobody has yet: with label images in it the folder holds more than the image. */
int32_t writer_verify(ngff_writer *w);
/* Removes what was made, or keeps it for a run that goes on. */
void writer_give_up(ngff_writer *w);

/* -- change.c -- */

/* Another description of the store: it must be one that the stored level 0 can have. */
int32_t change_replan(ngff_writer *w, ngff_plan *plan, error *e);
/* Before pixels are written: claims the store, if it is one whose pixels can be changed. */
int32_t change_claim_pixels(ngff_writer *w, error *e);
/* The pixels and the mask of a chunk of level 0 as they are stored. */
int32_t change_first_pixels(void *user, const int64_t *index, uint8_t *pixels, error *e);
int32_t change_first_mask(void *user, const int64_t *index, uint8_t *mask, error *e);
/* The sets of stored chunks as the store has them, where levels stay; gives them up where they are not known. */
void change_start_sets(ngff_writer *w);
/* The pixels of a cell that is not wanted, for the cascade. */
int32_t change_supply(void *user, const cell *c, error *e);
int change_is_wanted(void *user, int level, const int64_t *cell_index);
/* document_get: an object of a store, the user, as text. */
int32_t writer_get_text(void *user, const char *key, char **text, size_t *n, error *e);
/* True if the object is there and has these bytes. */
int writer_is_stored(store *s, const char *key, const void *bytes, size_t n);
/* Before a chunk of level 0, or of its mask, goes that the store may have: its mark says so from then on. */
int32_t change_note_gone(ngff_writer *w, error *e);
/* Writes what has changed. */
void change_finish(ngff_writer *w, error *e);
void change_free(ngff_writer *w);

#endif
