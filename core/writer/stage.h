/* stage.h: level 0 while it may still change: its touched chunks in memory, beyond a number of bytes in scratch
 * objects. One call at a time. */
#ifndef NGFF_WRITER_STAGE_H
#define NGFF_WRITER_STAGE_H

#include <stddef.h>

#include "base/box.h"
#include "base/error.h"

typedef struct stage stage;

/* What a stage needs from its owner. */
typedef struct {
    void *user;
    /* The pixels of a chunk before its first change: a whole chunk, dense in C order. */
    int32_t (*first)(void *user, const int64_t *index, uint8_t *pixels, error *e);
    /* Scratch objects: written; read back and removed. */
    int32_t (*spill)(void *user, const char *key, const void *bytes, size_t n, error *e);
    int32_t (*fetch)(void *user, const char *key, void *bytes, size_t n, error *e);
    /* Asked before each chunk; an error stops. NULL: never. */
    int32_t (*goes_on)(void *user, error *e);
} stage_host;

/* name: prefix of the scratch keys, another one for each stage of a writer. chunk: a whole chunk, also at the edge.
 * NULL when memory is out. */
stage *stage_create(const char *name, int rank, const int64_t *shape, const int64_t *chunk, int64_t pixel_size,
                    int64_t most_bytes, const stage_host *host);
void stage_free(stage *s);

/* Copies a region in; chunks that it covers in part get their first pixels from the host. */
int32_t stage_write(stage *s, const box *region, const void *pixels, const int64_t *strides, error *e);
/* Copies a region out; chunks never touched come from the host, and are not kept. */
int32_t stage_read(stage *s, const box *region, void *pixels, const int64_t *strides, error *e);
/* Whether a region meets a chunk that was written to. */
int stage_meets(const stage *s, const box *region);
/* Copies a region of whole chunks out and forgets them: what was spilled comes straight from the scratch object. */
int32_t stage_drain(stage *s, const box *region, void *pixels, const int64_t *strides, error *e);

/* Another limit from now on, for pixels and the table of chunks: pixels beyond it leave memory at once. */
int32_t stage_limit(stage *s, int64_t most_bytes, error *e);
/* Bytes of pixels in memory now; and of the table, which stays there: 8 per chunk, and a slot for each that was touched. */
int64_t stage_bytes(const stage *s);
int64_t stage_table_bytes(const stage *s);

#endif
