/* test_shards.c: a shard is stored once, whole, with its chunks in C order, whatever the order in which they came. */
#include "writer/shards.h"

#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "codec/codec.h"
#include "store/store_memory.h"
#include "zarr/shard_index.h"

/* 5 x 7 chunks of 8 x 8 in shards of 2 x 3 chunks: 3 x 3 shards, those on the right and below cut. */
static ngff_plan *make_plan(const char *version)
{
    ngff_image *image = ngff_image_create("yx", (const int64_t[]){40, 56}, NGFF_UINT8);
    const char *options[] = {"BLOCKSIZE=8", "SHARD=16,24", "OVERVIEWS=NONE", version, NULL};
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

/* The bytes of a chunk: its number, as often as its number. */
static size_t chunk_bytes(int64_t y, int64_t x, uint8_t bytes[64])
{
    size_t n = (size_t)(y * 7 + x + 1);
    memset(bytes, (int)n, n);
    return n;
}

static int is_missing(int64_t y, int64_t x)
{
    return (y * 7 + x) % 4 == 1;
}

static int32_t add(shards *all, int64_t y, int64_t x)
{
    error e = {0};
    uint8_t bytes[64];
    size_t n = chunk_bytes(y, x, bytes);
    return shards_add(all, 0, (const int64_t[]){y, x}, is_missing(y, x) ? NULL : bytes, n, &e);
}

static void count(void *user, const char *key, const uint8_t *bytes, size_t n)
{
    (void)key;
    (void)bytes;
    (void)n;
    ++*(int *)user;
}

static int object_count(store *s)
{
    int n = 0;
    store_memory_visit(s, count, &n);
    return n;
}

/* Every shard as the specification has it, built here by hand. */
static void check_shards(store *s)
{
    for (int64_t sy = 0; sy < 3; sy++)
        for (int64_t sx = 0; sx < 3; sx++) {
            char key[64];
            uint8_t *found = NULL, expected[4096];
            size_t n_found = 0, n = 0;
            shard_entry entries[6];
            error e = {0};
            memset(entries, 0xFF, sizeof entries);
            for (int i = 0; i < 6; i++) {
                int64_t y = 2 * sy + i / 3, x = 3 * sx + i % 3;
                if (y >= 5 || x >= 7 || is_missing(y, x))
                    continue;
                size_t bytes = chunk_bytes(y, x, expected + n);
                entries[i] = (shard_entry){n, bytes};
                n += bytes;
            }
            shard_index_encode(entries, 6, expected + n);
            n += shard_index_bytes(6);
            snprintf(key, sizeof key, "scale0/image/c/%d/%d", (int)sy, (int)sx);
            CHECK_INT(store_read(s, key, 0, 0, &found, &n_found, &e), NGFF_OK);
            CHECK(n_found == n && memcmp(found, expected, n) == 0);
            free(found);
        }
}

static void chunks_lie_in_c_order_whatever_came_first(void)
{
    for (int order = 0; order < 3; order++) {
        error e = {0};
        ngff_plan *plan = make_plan(NULL);
        store *s = store_memory_open();
        shards *all = shards_create(plan, s);
        for (int i = 0; i < 35; i++) {
            int n = order == 0 ? i : order == 1 ? 34 - i : i * 12 % 35;
            CHECK_INT(add(all, n / 7, n % 7), NGFF_OK);
        }
        CHECK_INT(object_count(s), 9); /* each when its last chunk has come, before the end */
        CHECK_INT(shards_finish(all, &e), NGFF_OK);
        check_shards(s);
        shards_free(all);
        s->ops->free(s);
        ngff_plan_free(plan);
    }
}

static void shard_of_nothing_but_fill_is_not_stored(void)
{
    error e = {0};
    ngff_plan *plan = make_plan(NULL);
    store *s = store_memory_open();
    shards *all = shards_create(plan, s);
    for (int64_t y = 0; y < 2; y++)
        for (int64_t x = 0; x < 3; x++)
            CHECK_INT(shards_add(all, 0, (const int64_t[]){y, x}, NULL, 0, &e), NGFF_OK);
    CHECK_INT(shards_finish(all, &e), NGFF_OK);
    CHECK_INT(object_count(s), 0);
    shards_free(all);
    s->ops->free(s);
    ngff_plan_free(plan);
}

static void incomplete_shards_are_stored_at_the_end(void)
{
    error e = {0};
    ngff_plan *plan = make_plan(NULL);
    store *s = store_memory_open();
    shards *all = shards_create(plan, s);
    CHECK_INT(add(all, 0, 0), NGFF_OK);
    CHECK_INT(add(all, 4, 6), NGFF_OK); /* the only chunk inside its shard: complete */
    CHECK_INT(object_count(s), 1);
    CHECK_INT(shards_finish(all, &e), NGFF_OK);
    CHECK_INT(object_count(s), 2);
    uint8_t *bytes = NULL;
    size_t n = 0;
    CHECK_INT(store_read(s, "scale0/image/c/0/0", 0, 0, &bytes, &n, &e), NGFF_OK);
    CHECK_INT(n, 1 + shard_index_bytes(6));
    free(bytes);
    shards_free(all);
    s->ops->free(s);
    ngff_plan_free(plan);
}

static void failing_store_is_told_and_nothing_leaks(void)
{
    for (int n = 0; n < 7; n++) { /* six whole shards, one begun */
        error e = {0};
        int n_failed = 0;
        ngff_plan *plan = make_plan(NULL);
        store *s = store_memory_open();
        shards *all = shards_create(plan, s);
        store_memory_fail_after(s, n);
        for (int i = 0; i < 30; i++)
            n_failed += add(all, i / 7, i % 7) == NGFF_E_STORAGE;
        n_failed += shards_finish(all, &e) == NGFF_E_STORAGE;
        CHECK_INT(n_failed, 1);
        shards_free(all);
        s->ops->free(s);
        ngff_plan_free(plan);
    }
    shards_free(NULL);
}

typedef struct {
    shards *all;
    int first;
} share;

static void *add_every_fourth(void *argument)
{
    share *mine = argument;
    for (int i = mine->first; i < 35; i += 4)
        CHECK_INT(add(mine->all, i / 7, i % 7), NGFF_OK);
    return NULL;
}

static void threads_fill_the_same_shards(void)
{
    for (int round = 0; round < 20; round++) {
        ngff_plan *plan = make_plan(NULL);
        store *s = store_memory_open();
        shards *all = shards_create(plan, s);
        pthread_t threads[4];
        share shares[4];
        for (int i = 0; i < 4; i++) {
            shares[i] = (share){all, i};
            pthread_create(&threads[i], NULL, add_every_fourth, &shares[i]);
        }
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        check_shards(s);
        shards_free(all);
        s->ops->free(s);
        ngff_plan_free(plan);
    }
}

int main(void)
{
    RUN(chunks_lie_in_c_order_whatever_came_first);
    RUN(shard_of_nothing_but_fill_is_not_stored);
    RUN(incomplete_shards_are_stored_at_the_end);
    RUN(failing_store_is_told_and_nothing_leaks);
    RUN(threads_fill_the_same_shards);
    CHECK_EXIT();
}
