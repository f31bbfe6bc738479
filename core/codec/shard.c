/* shard.c: the index at the end of a shard, as Zarr's sharding_indexed codec has it with the index codecs bytes
 * (little endian) and crc32c: offset and size of each chunk as 64-bit numbers in C order, then the checksum of these
 * bytes. Nothing of an index is used before all of it has been checked. */
#include "codec.h"

#include <inttypes.h>

static void number_put(uint8_t *to, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t number_get(const uint8_t *from, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

void shard_index_encode(const shard_entry *entries, size_t n_chunks, uint8_t *to)
{
    for (size_t i = 0; i < n_chunks; i++) {
        number_put(to + 16 * i, entries[i].offset, 8);
        number_put(to + 16 * i + 8, entries[i].size, 8);
    }
    number_put(to + 16 * n_chunks, crc32c(to, 16 * n_chunks), 4);
}

int32_t shard_index_decode(const uint8_t *from, size_t n_bytes, uint64_t shard_bytes, shard_entry *entries,
                           size_t n_chunks, error *e)
{
    if (n_chunks > (SIZE_MAX - 4) / 16 || n_bytes != shard_index_bytes(n_chunks) || n_bytes > shard_bytes)
        return error_set(e, NGFF_E_CORRUPT, "a shard of %" PRIu64 " bytes cannot hold the index of its %zu chunks",
                         shard_bytes, n_chunks);
    uint32_t stored = (uint32_t)number_get(from + 16 * n_chunks, 4);
    uint32_t computed = crc32c(from, 16 * n_chunks);
    if (stored != computed)
        return error_set(e, NGFF_E_CORRUPT,
                         "the checksum of the shard's index is %08" PRIx32 ", not %08" PRIx32
                         ": the shard is damaged or cut off",
                         computed, stored);
    uint64_t room = shard_bytes - n_bytes;
    for (size_t i = 0; i < n_chunks; i++) {
        shard_entry entry = {number_get(from + 16 * i, 8), number_get(from + 16 * i + 8, 8)};
        int is_missing = entry.offset == SHARD_MISSING && entry.size == SHARD_MISSING;
        if (!is_missing && (entry.offset > room || entry.size > room - entry.offset))
            return error_set(e, NGFF_E_CORRUPT,
                             "the shard's index puts chunk %zu at byte %" PRIu64 " with %" PRIu64
                             " bytes, but chunks end at byte %" PRIu64,
                             i, entry.offset, entry.size, room);
        entries[i] = entry;
    }
    return NGFF_OK;
}
