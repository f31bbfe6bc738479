/* store.h: where objects go. A store maps keys ("scale0/image/c/0/0/0", with '/') to bytes. The stages above never
 * see a path, a folder or a handle.
 *
 * Writing: begin claims the destination and hides what is coming; put stores whole objects, from any thread, each key
 * once; publish makes all of it visible at once; abandon removes all traces. Reading: store_find, store_read.
 *
 * Resuming: note keeps a record of what is done, which outlives the program; resume takes over what a dead writer left
 * and gives its record.
 *
 * Changing: begin_update claims a store that is there. From then on put replaces the destination's objects, each at
 * once; the first change leaves a mark in the root, which publish removes when all else is done. */
#ifndef NGFF_STORE_STORE_H
#define NGFF_STORE_STORE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct store store;

/* The mark of a store that is being changed, or was when a program died: its levels may not belong together. */
#define STORE_DIRTY_KEY ".omezarr-dirty"
/* The text of the mark from then on when a change takes the first chunk of full size away that the record names: until it
 * ends, what is missing there may be fill. */
#define STORE_DIRTY_GONE "This OME-Zarr is being changed: chunks that hold only fill now are gone.\n"

/* What every store can do: be read. */
typedef struct {
    int is_remote; /* an object store: a change of a part sends the whole object */
    /* The three questions about an object; callers ask them by store_find and its kin, below. Thread-safe. */
    int32_t (*find)(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, int *is_there,
                    error *e);
    int32_t (*find_into)(store *s, const char *key, int64_t offset, void *bytes, size_t room, uint64_t *n_there,
                         int *is_there, error *e); /* NULL where a store has only find */
    int32_t (*find_size)(store *s, const char *key, uint64_t *n, int *is_there, error *e);
    /* What was read and kept of this place may have changed: it is read again. NULL where nothing is kept. */
    void (*forget)(store *s);
    /* Visits the key of every object, in no order, where store_find reads; what is not part of the image to come (the
     * claim's record, scratch) is left out. A negative result of visit stops. NGFF_E_UNSUPPORTED: it cannot be listed.
     */
    int32_t (*list)(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e);
    void (*free)(store *s);
} store_ops;

/* A store that several programs make: parts, on any machines, in any order, side by side, again after a kill. They share
 * the claim, which is the job's: each puts whole objects at once (an object that is there twice is the same), and none
 * publishes. One more program puts the parts together and publishes. What a program of another job, or of a job that has
 * ended, still writes reaches nobody. abandon and release leave the job as it is. */
typedef struct {
    /* The job of this name whose claim is at the place; *is_there = 0: there is none. */
    int32_t (*find)(store *s, char name[64], int *is_there, error *e);
    /* Stands at it, for kept. */
    int32_t (*look)(store *s, const char *name, error *e);
    /* Instead of begin: takes part in the job, which begins with the first. */
    int32_t (*join)(store *s, const char *name, int overwrite, error *e);
    /* A file of the job, beside the objects; replaced at once. After set_sync all that was put has reached the disk before. */
    int32_t (*keep)(store *s, const char *name, const void *bytes, size_t n, error *e);
    /* Reads one, for free(); bytes NULL: only asks whether it is there. */
    int32_t (*kept)(store *s, const char *name, uint8_t **bytes, size_t *n, int *is_there, error *e);
    /* Instead of begin, by the program that puts the parts together, of which there is one at a time: publish ends the job.
     * *is_published: an earlier one was stopped behind that; abandon_all removes what it has left. */
    int32_t (*take)(store *s, const char *name, int *is_published, error *e);
    /* The same for a store that may, or may not, replace one. After take, before publish. */
    int32_t (*allow)(store *s, int overwrite, error *e);
    /* After take: removes the job with all that its parts have made. */
    int32_t (*abandon_all)(store *s, error *e);
} store_jobs;

/* What one that is written to can do beside it. */
typedef struct {
    /* Claims the destination; refuses an existing one (NGFF_E_EXISTS) unless overwrite and it is an OME-Zarr. */
    int32_t (*begin)(store *s, int overwrite, error *e);
    /* Appends to the record of what is done, beside the objects. One call at a time. */
    int32_t (*note)(store *s, const char *text, size_t n, error *e);
    /* Instead of begin: takes over what another writer began and left, with its record (for free()). Returns 1; 0 where
     * there is nothing to take over; an error where somebody is still writing. */
    int32_t (*resume)(store *s, int overwrite, char **record, error *e);
    /* Instead of abandon: ends the claim and leaves all for resume. */
    void (*release)(store *s);
    /* Publish reaches the disk before it returns. */
    void (*set_sync)(store *s);
    /* Claims an existing store for change in place. */
    int32_t (*begin_update)(store *s, error *e);
    /* Update: removes an object, or a folder with all that is in it; one that is not there is no error. */
    int32_t (*remove)(store *s, const char *key, error *e);
    /* Update: removes all in a folder but Zarr's documents: the chunks of an array. */
    int32_t (*remove_chunks)(store *s, const char *key, error *e);
    /* Stores one object. Thread-safe. The error names the full path, the cause, and what to do. */
    int32_t (*put)(store *s, const char *key, const void *bytes, size_t n, error *e);
    /* Makes everything visible under the destination's name. */
    int32_t (*publish)(store *s, error *e);
    /* Removes what begin and put have made; of an update only the claim, so that a changed store keeps its mark.
     * Harmless after publish. */
    void (*abandon)(store *s);
    /* Writes a scratch object that is never published (spilled pixels), reads it back, removes it. */
    int32_t (*scratch_put)(store *s, const char *key, const void *bytes, size_t n, error *e);
    int32_t (*scratch_get)(store *s, const char *key, void *bytes, size_t n, error *e); /* and removes it */
    const store_jobs *jobs;                                                             /* or NULL */
} store_writing;

/* What a thread has set for itself (GDAL's thread-local options, such as credentials). A thread that calls a store in the
 * name of another takes its settings over; every pool of threads does so through the four functions below. */
typedef struct {
    void *(*copy)(void);             /* of the calling thread's; NULL if it has none */
    void (*enter)(const void *copy); /* on the other thread, before its first call */
    void (*leave)(void);             /* there, behind its last call */
    void (*free)(void *copy);
} thread_settings;

struct store {
    const store_ops *ops;
    const store_writing *writing;   /* NULL: it is only read */
    const char *path;               /* where it is, for messages; may be NULL */
    const char *refusal;            /* why nothing can be written at this place, for a message; NULL: it can be tried */
    const char *unread;             /* why nothing can be read there either; NULL: it can be tried */
    char warning[512];              /* what did not go well though publish succeeded; "" */
    int is_unmarked;                /* set before begin_update: documents are replaced that levels do not depend on, so
                                       that no mark is needed, and one that is there stays */
    int is_asked_once;              /* a request that fails is not made again: nobody waits for a server that is away */
    const atomic_int *is_cancelled; /* set by any thread: what takes long stops before its next object; NULL: never */
    const thread_settings *threads; /* NULL: threads have no settings. A store over another has that one's */
};

/* NGFF_E_CANCELLED, with its error, once the owner of the store has been asked to stop. */
int32_t store_goes_on(const store *s, error *e);

static inline void *store_settings(const store *s)
{
    return s->threads ? s->threads->copy() : NULL;
}

static inline void store_enter_thread(const store *s, const void *settings)
{
    if (s->threads)
        s->threads->enter(settings);
}

static inline void store_leave_thread(const store *s)
{
    if (s->threads)
        s->threads->leave();
}

static inline void store_free_settings(const store *s, void *settings)
{
    if (settings)
        s->threads->free(settings);
}

/* Asks for an object that may be missing. NGFF_OK with *is_there = 0 says that it is not there, and is said only where
 * the system or the server has said so; all else that keeps it from being read (permissions, a disk or a server that
 * does not answer, handles that have run out, a folder, a pipe or a dangling link in its place) is an error, which is
 * always set in e and names the path and the cause. Stores read at the destination before begin and after publish, at
 * the claimed place between. Thread-safe.
 *
 * store_find reads n bytes from offset, or the whole (offset -1: the last n bytes; n = 0: all) into a new buffer for
 * free(), with a NUL behind it; *bytes is NULL if it is not there. store_find_into reads into the caller's memory: at
 * most room bytes from offset >= 0; n_there: the bytes that the object has from there on, perhaps more than room. */
int32_t store_find(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, int *is_there,
                   error *e);
int32_t store_find_into(store *s, const char *key, int64_t offset, void *bytes, size_t room, uint64_t *n_there,
                        int *is_there, error *e);
int32_t store_find_size(store *s, const char *key, uint64_t *n, int *is_there, error *e);

/* Reads an object that must be there, as store_find: NGFF_E_NOT_FOUND, with its path in e, if it is not. */
int32_t store_read(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, error *e);

/* A store at path; begin or store_find decide whether anything is there. NULL when memory is out. */
store *store_file_open(const char *path); /* plain files, no GDAL */
store *store_vsi_open(const char *path);  /* a path of GDAL's, "/vsi..."; only where built with GDAL */
store *store_memory_open(void);           /* for tests */

/* True for the name of one of Zarr's metadata documents, without its folder. */
int is_zarr_document(const char *name);

/* The store that this build uses for a path. */
store *store_open(const char *path);
/* A path as hosts give it, as all of this library takes it: '/' between names on every system. For free(); NULL when
 * memory is out. Each path that enters goes through it. */
char *store_path_of(const char *typed);
/* Why this build opens nothing at a path whose name says that it is on no disk, and what to do; NULL: it may. */
const char *store_why_not(const char *path);

#endif
