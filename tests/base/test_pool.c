/* test_pool.c: every job runs once, whoever runs it; nobody waits for ever. */
#include "base/machine.h"
#include "base/pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
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

static sem_t may_end;

static void wait_for_the_end(void *argument)
{
    (void)argument;
    sem_wait(&may_end);
}

/* The child of a process whose workers are at work; its status, or that it was ended because it hung. */
static int status_of_child(void (*child)(pool *), pool *p)
{
    int status = -1;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        alarm(20);
        check_failures = 0;
        child(p);
        _exit(check_failures > 0);
    }
    waitpid(process, &status, 0);
    return status;
}

static void use_and_free(pool *p)
{
    static int one = 1;
    n_run = 0;
    for (int i = 0; i < 10; i++) {
        pool_submit(p, count, &one);
        CHECK_INT(n_run, i + 1);
    }
    pool_wait(p);
    CHECK_INT(pool_help(p), 0);
    pool_free(p);
}

static void a_child_of_fork_does_not_wait_for_threads_that_it_has_not(void)
{
    pool *p = pool_create(2, 8, NULL, NULL);
    sem_init(&may_end, 0, 0);
    for (int i = 0; i < 5; i++) /* two run, three wait */
        pool_submit(p, wait_for_the_end, NULL);
    CHECK_INT(status_of_child(use_and_free, p), 0);
    for (int i = 0; i < 5; i++)
        sem_post(&may_end);
    pool_free(p);
    p = pool_create(2, 3, NULL, NULL);
    usleep(20000); /* both wait for jobs */
    CHECK_INT(status_of_child(use_and_free, p), 0);
    pool_free(p);
    sem_destroy(&may_end);
}

static pthread_t main_thread;
static atomic_int n_elsewhere, n_signals;

static void hear(int number)
{
    (void)number;
    n_signals++;
    n_elsewhere += !pthread_equal(pthread_self(), main_thread);
}

static void look_at_signals(void *argument)
{
    sigset_t now;
    (void)argument;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    n_elsewhere += !sigismember(&now, SIGUSR1) || !sigismember(&now, SIGINT) || !sigismember(&now, SIGCHLD);
    n_elsewhere += sigismember(&now, SIGSEGV) || sigismember(&now, SIGABRT);
    n_run++;
    sem_wait(&may_end);
}

static void signals_stay_on_the_threads_of_the_host(void)
{
    sigset_t before, after;
    main_thread = pthread_self();
    n_run = n_elsewhere = n_signals = 0;
    signal(SIGUSR1, hear);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    sem_init(&may_end, 0, 0);
    pool *p = pool_create(2, 3, NULL, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < 32; number++)
        CHECK_INT(sigismember(&after, number), sigismember(&before, number));
    pool_submit(p, look_at_signals, NULL);
    pool_submit(p, look_at_signals, NULL);
    while (n_run < 2)
        usleep(100);
    for (int i = 0; i < 50; i++)
        kill(getpid(), SIGUSR1);
    usleep(1000);
    CHECK(n_signals > 0);
    CHECK_INT(n_elsewhere, 0);
    sem_post(&may_end);
    sem_post(&may_end);
    pool_free(p);
    sem_destroy(&may_end);
    signal(SIGUSR1, SIG_DFL);
}

#if defined(__GLIBC__) && __GLIBC_MINOR__ >= 18 /* the first with a default that can be changed */
#define HAS_SMALL_STACKS 1
static void look_at_stack(void *argument)
{
    size_t bytes = 0;
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &bytes);
    pthread_attr_destroy(&attributes);
    atomic_store((atomic_size_t *)argument, bytes);
}

/* As in musl, where a thread has 128 KiB. */
static void a_worker_has_a_stack_for_codecs_and_tls(void)
{
    atomic_size_t seen = 0;
    pthread_attr_t before, small;
    pthread_getattr_default_np(&before);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 << 10);
    CHECK_INT(pthread_setattr_default_np(&small), 0);
    pool *p = pool_create(1, 3, NULL, NULL);
    pool_submit(p, look_at_stack, &seen);
    while (seen == 0)
        usleep(100);
    pool_free(p);
    CHECK(seen >= 2 << 20);
    pthread_setattr_default_np(&before);
    pthread_attr_destroy(&small);
}
#endif

static void there_is_at_least_one_cpu(void)
{
    CHECK(machine_processors() >= 1);
    CHECK(machine_processors() <= sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
    RUN(job_runs_at_once_without_workers);
    RUN(every_job_runs_once);
    RUN(free_runs_what_is_queued);
    RUN(caller_becomes_a_worker_when_the_queue_is_full);
    RUN(many_threads_may_submit_and_wait);
    RUN(jobs_may_submit_jobs);
#ifndef __SANITIZE_THREAD__ /* which ends a child of several threads */
    RUN_POSIX(a_child_of_fork_does_not_wait_for_threads_that_it_has_not, "fork");
#endif
    RUN_POSIX(signals_stay_on_the_threads_of_the_host, "signals");
#ifdef HAS_SMALL_STACKS
    RUN(a_worker_has_a_stack_for_codecs_and_tls);
#endif
    RUN(there_is_at_least_one_cpu);
    CHECK_EXIT();
}
