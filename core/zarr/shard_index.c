/* shard_index.c: the index of a shard, as Zarr's sharding_indexed codec has it with the index codec bytes (little endian):
 * offset and size of each chunk as 64-bit numbers in C order, then perhaps the checksum of these bytes. It is at the
 * end of the shard or at its start. Nothing of an index is used before all of it has been checked. */
#include "zarr/shard_index.h"

#include <inttypes.h>

void shard_index_encode(const shard_entry *entries, size_t n_chunks, uint8_t *to)
{
    for (size_t i = 0; i < n_chunks; i++) {
        little_put(to + 16 * i, entries[i].offset, 8);
        little_put(to + 16 * i + 8, entries[i].size, 8);
    }
    little_put(to + 16 * n_chunks, crc32c(to, 16 * n_chunks), 4);
}

int32_t shard_layout_decode(shard_layout layout, const uint8_t *from, size_t n_bytes, uint64_t shard_bytes,
                            shard_entry *entries, size_t n_chunks, error *e)
{
    if (n_chunks > (SIZE_MAX - 4) / 16 || n_bytes != shard_layout_bytes(layout, n_chunks) || n_bytes > shard_bytes)
        return error_set(e, NGFF_E_CORRUPT, "a shard of %" PRIu64 " bytes cannot hold the index of its %zu chunks",
                         shard_bytes == UINT64_MAX ? (uint64_t)n_bytes : shard_bytes, n_chunks);
    uint32_t stored = layout.has_checksum ? (uint32_t)little_get(from + 16 * n_chunks, 4) : 0;
    uint32_t computed = layout.has_checksum ? crc32c(from, 16 * n_chunks) : 0;
    if (stored != computed)
        return error_set(e, NGFF_E_CORRUPT,
                         "the checksum of the shard's index is %08" PRIx32 ", not %08" PRIx32
                         ": the shard is damaged or cut off",
                         computed, stored);
    /* Chunks have the bytes of the shard that the index leaves: low to high. */
    uint64_t low = layout.is_first ? n_bytes : 0, high = layout.is_first ? shard_bytes : shard_bytes - n_bytes;
    for (size_t i = 0; i < n_chunks; i++) {
        shard_entry entry = {little_get(from + 16 * i, 8), little_get(from + 16 * i + 8, 8)};
        int is_missing = entry.offset == SHARD_MISSING && entry.size == SHARD_MISSING;
        if (!is_missing && (entry.offset < low || entry.offset > high || entry.size > high - entry.offset))
            return error_set(e, NGFF_E_CORRUPT,
                             "the shard's index puts chunk %zu at byte %" PRIu64 " with %" PRIu64
                             " bytes, but chunks are from byte %" PRIu64 " to %" PRIu64,
                             i, entry.offset, entry.size, low, high);
        entries[i] = entry;
    }
    return NGFF_OK;
}
