/* bytes.h: numbers in files. All that this library writes (pixels, shard indices, zip, lz4, checksums, coordinates) is
 * little-endian; these functions say so once, and give the same bytes on every machine. */
#ifndef NGFF_BASE_BYTES_H
#define NGFF_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

/* Writes the lowest n_bytes of a number, the lowest first; returns the place behind them. */
static inline uint8_t *little_put(uint8_t *to, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
    return to + n_bytes;
}

static inline uint64_t little_get(const uint8_t *from, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

/* The compiler knows the answer: what depends on it costs nothing on a little-endian machine. */
static inline int machine_is_big_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 0;
}

/* Numbers of so many bytes lie otherwise in a file than in memory. */
static inline int numbers_differ_in_files(int item_size)
{
    return item_size > 1 && machine_is_big_endian();
}

#endif
