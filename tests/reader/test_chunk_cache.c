/* test_chunk_cache.c: which chunks keep their pixels, and that those of all others go back to the budget. */
#include "reader/chunk_cache.h"

#include "check.h"

enum { size = 1 << 16, overhead = 256 /* of each chunk, beside its pixels */ };

static budget *buffers;
static const int level_0, level_1; /* arrays are told apart by their address */

/* Reads a chunk as part_read does. Returns 1 where it was decoded for that. */
static int read_chunk(chunk_cache *cache, const void *array, int64_t number)
{
    int is_new;
    cached_chunk *chunk = chunk_cache_take(cache, array, number, &is_new);
    if (is_new)
        chunk_cache_ready(cache, chunk, budget_take(buffers, size), size);
    CHECK(cached_chunk_pixels(chunk) != NULL);
    chunk_cache_give(cache, chunk);
    return is_new;
}

static chunk_cache *begin(int64_t most_bytes)
{
    buffers = budget_create(1 << 30);
    return chunk_cache_create(buffers, most_bytes);
}

static void end(chunk_cache *cache)
{
    chunk_cache_free(cache);
    CHECK_INT(budget_used(buffers), 0);
    budget_free(buffers);
}

static void chunks_of_one_number_are_those_of_their_arrays(void)
{
    chunk_cache *cache = begin(1 << 30);
    CHECK(read_chunk(cache, &level_0, 3));
    CHECK(chunk_cache_find(cache, &level_1, 3) == NULL);
    CHECK(read_chunk(cache, &level_1, 3));
    CHECK(!read_chunk(cache, &level_0, 3) && !read_chunk(cache, &level_1, 3));
    end(cache);
}

/* Four are kept; what comes behind them takes the memory of the oldest. */
static void pixels_that_are_not_kept_go_back(void)
{
    chunk_cache *cache = begin(1 << 30);
    for (int64_t number = 0; number < 20; number++)
        CHECK(read_chunk(cache, &level_0, number));
    CHECK_INT(budget_used(buffers), 4 * size);
    CHECK(!read_chunk(cache, &level_0, 19));
    CHECK(read_chunk(cache, &level_0, 0)); /* asked for again: one more is kept from now on */
    CHECK_INT(budget_used(buffers), 5 * size);
    end(cache);
}

static void a_smaller_limit_holds_at_once_and_from_then_on(void)
{
    chunk_cache *cache = begin(1 << 30);
    for (int64_t number = 0; number < 4; number++)
        CHECK(read_chunk(cache, &level_0, number));
    chunk_cache_limit(cache, 2 * (size + overhead));
    CHECK_INT(budget_used(buffers), 2 * size);
    for (int pass = 0; pass < 3; pass++)
        for (int64_t number = 0; number < 4; number++)
            read_chunk(cache, &level_0, number);
    CHECK_INT(budget_used(buffers), 2 * size);
    chunk_cache_limit(cache, 0);
    CHECK_INT(budget_used(buffers), 0);
    end(cache);
}

/* Whoever comes next tries again. */
static void a_chunk_that_failed_is_not_there(void)
{
    int is_new;
    chunk_cache *cache = begin(1 << 30);
    cached_chunk *chunk = chunk_cache_take(cache, &level_0, 1, &is_new);
    CHECK(chunk != NULL && is_new);
    chunk_cache_failed(cache, chunk);
    CHECK(chunk_cache_find(cache, &level_0, 1) == NULL);
    CHECK(read_chunk(cache, &level_0, 1) && !read_chunk(cache, &level_0, 1));
    end(cache);
}

int main(void)
{
    RUN(chunks_of_one_number_are_those_of_their_arrays);
    RUN(pixels_that_are_not_kept_go_back);
    RUN(a_smaller_limit_holds_at_once_and_from_then_on);
    RUN(a_chunk_that_failed_is_not_there);
    CHECK_EXIT();
}
