/* shards.h: encoded chunks -> shards. Chunks come in any order; a shard is stored once, whole, with its chunks in C
 * order, when the last of its chunks has come. */
#ifndef NGFF_WRITER_SHARDS_H
#define NGFF_WRITER_SHARDS_H

#include <pthread.h>

#include "model/plan.h"
#include "store/store.h"
#include "writer/written.h"

typedef struct shards shards;

shards *shards_create(const struct ngff_plan *plan, store *s);
void shards_free(shards *all);

/* A change of a store: only the chunks that is_wanted names will come; a shard keeps its other ones as they are stored,
 * from stored. While a shard is replaced, replacing is held for writing: who reads index and chunk of one holds it for
 * reading. */
void shards_set_update(shards *all, int (*is_wanted)(const void *user, int level, const int64_t *chunk_index),
                       const void *user, written *stored, pthread_rwlock_t *replacing);

/* Told of every shard that is stored (n bytes) or, with nothing but fill in it, is not (0). */
typedef int32_t (*shard_listener)(void *user, int level, const int64_t *index, const char *key, const void *bytes,
                                  size_t n, error *e);
void shards_set_listener(shards *all, shard_listener stored, void *user);

/* Takes one encoded chunk (bytes NULL: a chunk that holds only fill and is not stored). Copies the bytes. Thread-safe.
 */
int32_t shards_add(shards *all, int level, const int64_t *chunk_index, const void *bytes, size_t n, error *e);
/* Stores the shards that still wait for chunks, which were never written. No other call may be under way. */
int32_t shards_finish(shards *all, error *e);

#endif
