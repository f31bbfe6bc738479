/* test_pool.c: every job runs once, whoever runs it; nobody waits for ever. */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"

static atomic_int n_run, n_started, n_at_once, most_at_once;

static void count(void *argument)
{
    atomic_fetch_add(&n_run, *(int *)argument);
}

static void started(void *argument)
{
    atomic_fetch_add(&n_started, *(int *)argument);
}

static void slow(void *argument)
{
    (void)argument;
    int n = atomic_fetch_add(&n_at_once, 1) + 1, most = atomic_load(&most_at_once);
    while (n > most && !atomic_compare_exchange_weak(&most_at_once, &most, n))
        ;
    usleep(500);
    atomic_fetch_sub(&n_at_once, 1);
    atomic_fetch_add(&n_run, 1);
}

static void job_runs_at_once_without_workers(void)
{
    int one = 1;
    pool *p = pool_create(0, 3, started, &one);
    for (int i = 0; i < 10; i++) {
        pool_submit(p, count, &one);
        CHECK_INT(n_run, i + 1);
    }
    CHECK_INT(pool_help(p), 0);
    CHECK_INT(n_started, 0);
    pool_free(p);
    pool_free(NULL);
}

static void every_job_runs_once(void)
{
    static const int workers[] = {1, 2, 8}, depths[] = {0, 1, 3};
    for (int w = 0; w < 3; w++)
        for (int d = 0; d < 3; d++) {
            int one = 1;
            n_run = n_started = 0;
            pool *p = pool_create(workers[w], depths[d], started, &one);
            for (int i = 0; i < 500; i++)
                pool_submit(p, count, &one);
            pool_wait(p);
            CHECK_INT(n_run, 500);
            pool_free(p);
            CHECK_INT(n_started, workers[w]);
        }
}

static void free_runs_what_is_queued(void)
{
    n_run = 0;
    pool *p = pool_create(2, 8, NULL, NULL);
    for (int i = 0; i < 20; i++)
        pool_submit(p, slow, NULL);
    pool_free(p);
    CHECK_INT(n_run, 20);
}

static void caller_becomes_a_worker_when_the_queue_is_full(void)
{
    n_run = most_at_once = 0;
    pool *p = pool_create(1, 1, NULL, NULL);
    for (int i = 0; i < 40; i++)
        pool_submit(p, slow, NULL);
    pool_wait(p);
    CHECK_INT(n_run, 40);
    CHECK(most_at_once <= 2);
    pool_free(p);
}

static void *submit_many(void *argument)
{
    static int one = 1;
    for (int i = 0; i < 300; i++)
        pool_submit(argument, count, &one);
    pool_wait(argument);
    return NULL;
}

static void many_threads_may_submit_and_wait(void)
{
    pthread_t threads[4];
    n_run = 0;
    pool *p = pool_create(2, 3, NULL, NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, submit_many, p);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pool_wait(p);
    CHECK_INT(n_run, 1200);
    pool_free(p);
}

static pool *nested;

static void submit_from_a_job(void *argument)
{
    int depth = *(int *)argument;
    static int next[] = {0, 0, 1, 2, 3};
    atomic_fetch_add(&n_run, 1);
    if (depth > 0) {
        pool_submit(nested, submit_from_a_job, &next[depth]);
        pool_submit(nested, submit_from_a_job, &next[depth]);
    }
}

static void jobs_may_submit_jobs(void)
{
    int four = 4;
    n_run = 0;
    nested = pool_create(2, 1, NULL, NULL);
    pool_submit(nested, submit_from_a_job, &four);
    pool_wait(nested);
    CHECK_INT(n_run, 31);
    pool_free(nested);
}

static void there_is_at_least_one_cpu(void)
{
    CHECK(pool_cpu_count() >= 1);
    CHECK(pool_cpu_count() <= sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
    RUN(job_runs_at_once_without_workers);
    RUN(every_job_runs_once);
    RUN(free_runs_what_is_queued);
    RUN(caller_becomes_a_worker_when_the_queue_is_full);
    RUN(many_threads_may_submit_and_wait);
    RUN(jobs_may_submit_jobs);
    RUN(there_is_at_least_one_cpu);
    CHECK_EXIT();
}
