/* test_shard_index.c: the index of a shard, and every way in which it can lie. */
#include <stdint.h>

#include "check.h"
#include "codec/codec.h"
#include "zarr/shard_index.h"

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

/* Of a shard as this library writes it. */
static int32_t shard_index_decode(const uint8_t *from, size_t n_bytes, uint64_t n_of_shard, shard_entry *entries,
                                  size_t n_chunks, error *e)
{
    return shard_layout_decode((shard_layout){.has_checksum = 1}, from, n_bytes, n_of_shard, entries, n_chunks, e);
}

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

/* The same shard with its index at the start, with the checksum (84 bytes) and without (80). */
static const uint8_t first_with[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0x4c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
                                     0x00, 0x00, 0x00, 0x00, 0x44, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00,
                                     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0xae, 0xd8, 0x90};
static const uint8_t first_without[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0x48, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00,
                                        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                        0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void index_of_any_layout_is_read(void)
{
    static const shard_entry at_68[4] = {
        {SHARD_MISSING, SHARD_MISSING}, {76, 8}, {68, 8}, {SHARD_MISSING, SHARD_MISSING}};
    static const shard_entry at_64[4] = {
        {SHARD_MISSING, SHARD_MISSING}, {72, 8}, {64, 8}, {SHARD_MISSING, SHARD_MISSING}};
    static const struct {
        shard_layout layout;
        const uint8_t *bytes;
        size_t n;
        uint64_t shard;
        const shard_entry *entries;
    } table[] = {{{1, 1}, first_with, 68, 84, at_68},
                 {{1, 0}, first_without, 64, 80, at_64},
                 {{0, 1}, from_zarr, 68, 84, entries_of_zarr},
                 {{0, 0}, from_zarr, 64, 80, entries_of_zarr}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        shard_entry entries[4];
        error e = {0};
        CHECK_INT(shard_layout_bytes(table[i].layout, 4), table[i].n);
        CHECK_INT(shard_layout_decode(table[i].layout, table[i].bytes, table[i].n, table[i].shard, entries, 4, &e),
                  NGFF_OK);
        CHECK(memcmp(entries, table[i].entries, sizeof entries) == 0);
        /* a byte less of the shard, and its last chunk or its index does not fit */
        CHECK_INT(shard_layout_decode(table[i].layout, table[i].bytes, table[i].n, table[i].shard - 1, entries, 4, &e),
                  NGFF_E_CORRUPT);
        CHECK_INT(shard_layout_decode(table[i].layout, table[i].bytes, table[i].n - 1, table[i].shard, entries, 4, &e),
                  NGFF_E_CORRUPT);
    }
}

static void entry_inside_of_an_index_at_the_start_is_refused(void)
{
    static const struct {
        shard_entry entry;
        int32_t status;
    } table[] = {{{16, 20}, NGFF_OK},
                 {{36, 0}, NGFF_OK},
                 {{15, 1}, NGFF_E_CORRUPT},
                 {{0, 4}, NGFF_E_CORRUPT},
                 {{16, 21}, NGFF_E_CORRUPT},
                 {{37, 0}, NGFF_E_CORRUPT},
                 {{20, UINT64_MAX - 10}, NGFF_E_CORRUPT}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        shard_entry entry;
        uint8_t bytes[20];
        error e = {0};
        shard_index_encode(&table[i].entry, 1, bytes);
        CHECK_INT(shard_layout_decode((shard_layout){1, 0}, bytes, 16, 36, &entry, 1, &e), table[i].status);
    }
}

static void checksum_behind_a_chunk_is_checked_and_taken_off(void)
{
    /* the check value of CRC-32C, little endian */
    uint8_t bytes[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9', 0x83, 0x92, 0x06, 0xe3};
    size_t n = sizeof bytes;
    error e = {0};
    CHECK_INT(checksum_remove(bytes, &n, &e), NGFF_OK);
    CHECK_INT(n, 9);
    for (int bit = 0; bit < 13 * 8; bit++) {
        error wrong = {0};
        n = sizeof bytes;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_INT(checksum_remove(bytes, &n, &wrong), NGFF_E_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_INT(n, sizeof bytes);
    }
    for (size_t short_n = 0; short_n < 4; short_n++) {
        error wrong = {0};
        n = short_n;
        CHECK_INT(checksum_remove(bytes, &n, &wrong), NGFF_E_CORRUPT);
    }
    static const uint8_t of_nothing[4]; /* the checksum of no bytes is 0 */
    n = 4;
    CHECK_INT(checksum_remove(of_nothing, &n, &e), NGFF_OK);
    CHECK_INT(n, 0);
}

int main(void)
{
    RUN(index_of_zarr_python_is_read);
    RUN(index_is_written_as_zarr_python_does);
    RUN(flipped_bit_anywhere_is_found);
    RUN(index_of_another_size_is_refused);
    RUN(entry_outside_of_the_shard_is_refused);
    RUN(index_of_any_layout_is_read);
    RUN(entry_inside_of_an_index_at_the_start_is_refused);
    RUN(checksum_behind_a_chunk_is_checked_and_taken_off);
    CHECK_EXIT();
}
