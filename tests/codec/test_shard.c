/* test_shard.c: the index of a shard, and every way in which it can lie. */
#include <stdint.h>

#include "check.h"
#include "codec.h"

/* The end of a shard that zarr-python 3.1.6 wrote: 2 x 2 chunks of 8 bytes in 84 bytes. Chunk 1 lies at 8, chunk 2
 * at 0; 0 and 3 are missing. */
static const uint8_t from_zarr[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
                                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00,
                                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x84, 0x5d, 0x77, 0x5a};
static const shard_entry entries_of_zarr[4] = {
    {SHARD_MISSING, SHARD_MISSING}, {8, 8}, {0, 8}, {SHARD_MISSING, SHARD_MISSING}};
enum { shard_bytes = 84 };

static void index_of_zarr_python_is_read(void)
{
    shard_entry entries[4];
    error e = {0};
    CHECK_INT(sizeof from_zarr, shard_index_bytes(4));
    CHECK_INT(shard_index_decode(from_zarr, sizeof from_zarr, shard_bytes, entries, 4, &e), NGFF_OK);
    CHECK(memcmp(entries, entries_of_zarr, sizeof entries) == 0);
}

static void index_is_written_as_zarr_python_does(void)
{
    uint8_t bytes[68];
    shard_index_encode(entries_of_zarr, 4, bytes);
    CHECK(memcmp(bytes, from_zarr, sizeof bytes) == 0);
}

static void flipped_bit_anywhere_is_found(void)
{
    for (int bit = 0; bit < 68 * 8; bit++) {
        uint8_t bytes[68];
        shard_entry entries[4];
        error e = {0};
        memcpy(bytes, from_zarr, sizeof bytes);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_INT(shard_index_decode(bytes, 68, shard_bytes, entries, 4, &e), NGFF_E_CORRUPT);
    }
}

static void index_of_another_size_is_refused(void)
{
    shard_entry entries[5];
    error short_index = {0}, other_count = {0}, short_shard = {0}, overflow = {0};
    CHECK_INT(shard_index_decode(from_zarr, 67, shard_bytes, entries, 4, &short_index), NGFF_E_CORRUPT);
    CHECK_INT(shard_index_decode(from_zarr, 68, shard_bytes, entries, 5, &other_count), NGFF_E_CORRUPT);
    CHECK_INT(shard_index_decode(from_zarr, 68, 67, entries, 4, &short_shard), NGFF_E_CORRUPT);
    /* 2^60 + 4 chunks would need 2^64 + 68 bytes, which is 68 again. */
    CHECK_INT(shard_index_decode(from_zarr, 68, shard_bytes, entries, (SIZE_MAX >> 4) + 5, &overflow), NGFF_E_CORRUPT);
}

static void entry_outside_of_the_shard_is_refused(void)
{
    /* The chunks' part of this shard is its first 16 bytes. */
    static const shard_entry bad[] = {{8, 9},
                                      {17, 0},
                                      {0, 17},
                                      {UINT64_MAX - 3, 8},
                                      {8, UINT64_MAX - 3},
                                      {16, 1},
                                      {0, SHARD_MISSING},
                                      {SHARD_MISSING, 0}};
    static const shard_entry good[] = {{0, 16}, {8, 8}, {16, 0}, {0, 0}, {SHARD_MISSING, SHARD_MISSING}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        shard_entry entry;
        uint8_t bytes[20];
        error e = {0};
        shard_index_encode(&bad[i], 1, bytes);
        CHECK_INT(shard_index_decode(bytes, 20, 36, &entry, 1, &e), NGFF_E_CORRUPT);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        shard_entry entry;
        uint8_t bytes[20];
        error e = {0};
        shard_index_encode(&good[i], 1, bytes);
        CHECK_INT(shard_index_decode(bytes, 20, 36, &entry, 1, &e), NGFF_OK);
        CHECK(memcmp(&entry, &good[i], sizeof entry) == 0);
    }
}

int main(void)
{
    RUN(index_of_zarr_python_is_read);
    RUN(index_is_written_as_zarr_python_does);
    RUN(flipped_bit_anywhere_is_found);
    RUN(index_of_another_size_is_refused);
    RUN(entry_outside_of_the_shard_is_refused);
    CHECK_EXIT();
}
