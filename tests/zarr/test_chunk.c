/* test_chunk.c: what is kept of the indices of shards, which are read again and again: the newest, within a bound. */
#include "zarr/chunk.h"

#include <stdlib.h>

#include "check.h"
#include "store/store_memory.h"

enum { side = 512, n_chunks = side * side, n_shards = 12, index_bytes = 16 * n_chunks, bound = 32 << 20 };

/* A row of shards of 512 x 512 chunks of one pixel: the index of each is 4 MiB. Of each only the first chunk is there. */
static void put_shards(store *s)
{
    uint8_t *bytes = malloc(index_bytes + 1);
    memset(bytes, 0xff, index_bytes);
    little_put(little_put(bytes, index_bytes, 8), 1, 8);
    for (int i = 0; i < n_shards; i++) {
        char key[40];
        error e = {0};
        bytes[index_bytes] = (uint8_t)(i + 1);
        snprintf(key, sizeof key, "0/c/0/%d", i);
        CHECK_INT(s->writing->put(s, key, bytes, index_bytes + 1, &e), NGFF_OK);
    }
    free(bytes);
}

static int64_t bytes_kept(const chunk_store *c)
{
    int64_t n = 0;
    for (int i = 0; i < most_slots; i++)
        if (c->slots[i].entries)
            n += (int64_t)(c->slots[i].n_chunks * sizeof *c->slots[i].entries);
    return n;
}

static void indices_of_shards_stay_within_their_bound(void)
{
    char path[] = "0";
    stored_array array = {.path = path,
                          .type = dtype_get(NGFF_UINT8),
                          .rank = 2,
                          .shape = {side, n_shards * side},
                          .chunk = {1, 1},
                          .shard = {side, side},
                          .byte_axis = {0, 1},
                          .is_sharded = 1,
                          .index_is_first = 1,
                          .codec = {.compress = COMPRESS_NONE, .type_size = 1},
                          .key_format = ZARR_3,
                          .separator = '/'};
    store *s = store_memory_open();
    budget *buffers = budget_create(1 << 20);
    chunk_store c;
    error e = {0};
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    put_shards(s);
    chunk_store_begin(&c, s, "memory", buffers);
    for (int turn = 0; turn < 2 * n_shards; turn++) {
        uint8_t pixel = 0;
        int64_t index[2] = {0, turn % n_shards * side};
        CHECK_INT(chunk_decode(&c, NULL, &array, index, &pixel, &e), 1);
        CHECK_INT(pixel, turn % n_shards + 1);
        CHECK_INT(c.cached_bytes, bytes_kept(&c));
        CHECK(bytes_kept(&c) <= bound);
    }
    CHECK_INT(bytes_kept(&c), bound); /* and what fits is kept */
    chunk_store_end(&c);
    budget_free(buffers);
    s->ops->free(s);
}

int main(void)
{
    RUN(indices_of_shards_stay_within_their_bound);
    CHECK_EXIT();
}
