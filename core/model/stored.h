/* stored.h: which chunks of every level and mask are stored. A chunk that holds only fill is not, so without this
 * record nobody could tell an empty chunk from a lost one. In the block "omezarr" it is two members: how many chunks of
 * each level are stored, and which are not, as runs in C order. */
#ifndef NGFF_MODEL_STORED_H
#define NGFF_MODEL_STORED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pack.h"

/* The chunks of one array, one bit each, set where the chunk is stored. */
typedef struct {
    int64_t n;
    _Atomic uint8_t *bits;
} chunk_set;

/* All clear. 0 when memory is out. */
int chunk_set_make(chunk_set *set, int64_t n);
void chunk_set_release(chunk_set *set);
/* Of n sets that are one allocation; NULL is fine. */
void chunk_sets_free(chunk_set *sets, int n);
/* Thread-safe. */
void chunk_set_add(chunk_set *set, int64_t chunk);
void chunk_set_remove(chunk_set *set, int64_t chunk);
int chunk_set_has(const chunk_set *set, int64_t chunk);
int64_t chunk_set_count(const chunk_set *set);
/* Keeps the chunks that are in it, as runs; those that are read are added. */
void chunk_set_pack(pack *p, chunk_set *set);

/* "[12,4,1]": the count of each set; malloc'ed, NULL when memory is out. */
char *stored_counts_text(const chunk_set *sets, int n);
/* "[[],[3,2,9,1],[]]": per set the first and the number of each run of chunks that are not stored; NULL where all are,
 * where the text would be longer than most bytes, or when memory is out. */
char *stored_empty_text(const chunk_set *sets, int n, size_t most);

/* Reads "[12,4,1]" into at most n counts; the number of counts, or -1 if it is none. */
int stored_counts_read(const char *text, int64_t *counts, int n);

/* The chunks of one array that are not stored: runs in C order, none after the other without a stored chunk between.
 */
typedef struct {
    int is_known;
    int64_t n_runs;
    int64_t *runs; /* first and number of each */
} stored_runs;

/* Reads both texts (empty may be NULL) for n arrays of so many chunks each, -1 for one of which nothing is asked. All of
 * one array is known, or nothing:
 * where the counts and the runs do not agree, none is known. Memory is in proportion to the text, whatever it says.
 * Returns 1, 0 where nothing is known, -1 when memory is out. runs: zeros before. */
int stored_runs_read(const char *counts, const char *empty, const int64_t *n_chunks, int n, stored_runs *runs);
/* The set of the chunks that are in no run, for an array that is known; nobody else may use it yet. */
void chunk_set_fill(chunk_set *set, const stored_runs *runs);
/* True for a chunk in one of the runs. */
int stored_runs_has(const stored_runs *runs, int64_t chunk);
void stored_runs_release(stored_runs *runs);

#endif
