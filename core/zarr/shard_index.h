/* shard_index.h: where the chunks of a shard are. */
#ifndef NGFF_ZARR_SHARD_INDEX_H
#define NGFF_ZARR_SHARD_INDEX_H

#include "codec/codec.h"

/* Shards (Zarr v3 sharding_indexed with the index codec bytes, little endian): the index is n_chunks pairs of offset
 * and size in C order; a missing chunk is 2^64-1 twice. */
#define SHARD_MISSING UINT64_MAX

typedef struct {
    uint64_t offset, size;
} shard_entry;

/* Where the index is, and whether crc32c follows it. */
typedef struct {
    int is_first, has_checksum;
} shard_layout;

/* What this library writes: at the end, with crc32c. */
static inline size_t shard_index_bytes(size_t n_chunks)
{
    return n_chunks * 16 + 4;
}
void shard_index_encode(const shard_entry *entries, size_t n_chunks, uint8_t *to); /* shard_index_bytes bytes */

/* The same for shards by anyone. Checks the crc and that every entry lies in the shard and not in the index.
 * shard_bytes: UINT64_MAX if not known. Messages do not name the shard: callers do. */
static inline size_t shard_layout_bytes(shard_layout layout, size_t n_chunks)
{
    return n_chunks * 16 + (layout.has_checksum ? 4 : 0);
}
int32_t shard_layout_decode(shard_layout layout, const uint8_t *from, size_t n_bytes, uint64_t shard_bytes,
                            shard_entry *entries, size_t n_chunks, error *e);

#endif
