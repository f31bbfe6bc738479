/* test_budget.c: bytes are counted, buffers come back, and what is kept for later stays within the limit. */
#include "base/budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "check.h"

static void bytes_are_counted_in_steps_of_64(void)
{
    budget *b = budget_create(1000);
    void *one = budget_take(b, 1), *two = budget_take(b, 100);
    CHECK_INT(budget_used(b), 64 + 128);
    budget_give(b, one, 1);
    CHECK_INT(budget_used(b), 128);
    CHECK_INT(budget_peak(b), 192);
    budget_give(b, two, 100);
    CHECK_INT(budget_used(b), 0);
    CHECK_INT(budget_peak(b), 192);
    budget_give(b, NULL, 64);
    CHECK_INT(budget_used(b), 0);
    budget_free(b);
    budget_free(NULL);
}

static void buffers_are_aligned_and_reused_last_in_first_out(void)
{
    budget *b = budget_create(1 << 20);
    void *one = budget_take(b, 1000), *two = budget_take(b, 1000);
    CHECK((uintptr_t)one % 64 == 0 && (uintptr_t)two % 64 == 0);
    budget_give(b, one, 1000);
    budget_give(b, two, 1000);
    void *three = budget_take(b, 1000), *four = budget_take(b, 1024);
    CHECK(three == two && four == one); /* 1000 and 1024 are the same step */
    budget_give(b, three, 1000);
    budget_give(b, four, 1024);
    budget_free(b);
}

static void limit_is_told_not_enforced(void)
{
    budget *b = budget_create(256);
    CHECK(!budget_is_over(b, 256));
    CHECK(budget_is_over(b, 257));
    void *one = budget_take(b, 256), *two = budget_take(b, 256);
    CHECK(one && two);
    CHECK(budget_is_over(b, 1));
    budget_give(b, one, 256);
    budget_give(b, two, 256);
    CHECK(!budget_is_over(b, 256));
    budget_free(b);
}

static void kept_buffers_of_other_sizes_do_not_add_up_beyond_the_limit(void)
{
    budget *b = budget_create(4096);
    for (int64_t size = 64; size <= 2048; size += 64)
        budget_give(b, budget_take(b, size), size);
    CHECK(budget_used(b) == 0);
    CHECK(budget_held(b) <= 4096);
    budget_free(b);
}

static void any_number_of_sizes_works(void)
{
    budget *b = budget_create(1 << 30);
    static void *taken[200];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++)
            CHECK((taken[i] = budget_take(b, 64 * (i + 1))) != NULL);
        for (int i = 0; i < 200; i++)
            memset(taken[i], i, (size_t)(64 * (i + 1)));
        for (int i = 0; i < 200; i++)
            budget_give(b, taken[i], 64 * (i + 1));
    }
    CHECK_INT(budget_used(b), 0);
    budget_free(b);
}

static void *take_and_give(void *argument)
{
    budget *b = argument;
    for (int i = 0; i < 2000; i++) {
        int64_t size = 64 * (i % 7 + 1);
        unsigned char *mine = budget_take(b, size);
        memset(mine, i, (size_t)size);
        if (mine[size - 1] != (unsigned char)i)
            abort();
        budget_give(b, mine, size);
    }
    return NULL;
}

static void threads_share_it(void)
{
    budget *b = budget_create(1 << 20);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_and_give, b);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(budget_used(b), 0);
    CHECK(budget_peak(b) <= 4 * 448);
    budget_free(b);
}

int main(void)
{
    RUN(bytes_are_counted_in_steps_of_64);
    RUN(buffers_are_aligned_and_reused_last_in_first_out);
    RUN(limit_is_told_not_enforced);
    RUN(kept_buffers_of_other_sizes_do_not_add_up_beyond_the_limit);
    RUN(any_number_of_sizes_works);
    RUN(threads_share_it);
    CHECK_EXIT();
}
