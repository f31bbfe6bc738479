/* pool.c: see pool.h. */
#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/machine.h"

typedef struct {
    void (*run)(void *);
    void *argument;
} job;

/* Least stack of a worker: TLS libraries and codecs count on more than the 128 KiB of musl. */
enum { worker_stack = 2 << 20 };

struct pool {
    pid_t process; /* that has its threads: a child of fork has only this memory */
    pthread_mutex_t lock;
    pthread_cond_t has_job;  /* a job was queued, or the pool ends */
    pthread_cond_t has_done; /* a job has ended */
    job *queue;              /* ring of depth entries */
    int depth, first, n_queued, n_running, is_ending;
    void (*on_start)(void *);
    void *on_start_argument;
    pthread_t *threads;
    int n_threads;
};

/* Takes the oldest job and runs it; the lock is held on entry and on return. */
static void run_one(pool *p)
{
    job j = p->queue[p->first];
    p->first = (p->first + 1) % p->depth;
    p->n_queued--;
    p->n_running++;
    pthread_mutex_unlock(&p->lock);
    j.run(j.argument);
    pthread_mutex_lock(&p->lock);
    p->n_running--;
    pthread_cond_broadcast(&p->has_done);
}

static void *work(void *argument)
{
    pool *p = argument;
    if (p->on_start)
        p->on_start(p->on_start_argument);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->n_queued == 0 && !p->is_ending)
            pthread_cond_wait(&p->has_job, &p->lock);
        if (p->n_queued == 0)
            break;
        run_one(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int start_worker(pool *p, const pthread_attr_t *attributes)
{
    int is_started = thread_create(&p->threads[p->n_threads], attributes, work, p) == 0;
    p->n_threads += is_started;
    return is_started;
}

static void start_workers(pool *p, int n_workers)
{
    size_t stack = 0;
    pthread_attr_t attributes;
    if (n_workers < 1 || pthread_attr_init(&attributes) != 0)
        return;
    if (pthread_attr_getstacksize(&attributes, &stack) == 0 && stack < worker_stack)
        pthread_attr_setstacksize(&attributes, worker_stack);
    while (p->n_threads < n_workers && start_worker(p, &attributes))
        ;
    pthread_attr_destroy(&attributes);
}

/* Its threads are not there, its lock may be held by one of them for ever, and its jobs are the parent's. */
static int is_inherited(const pool *p)
{
    return p->process != getpid();
}

pool *pool_create(int n_workers, int queue_depth, void (*on_start)(void *), void *on_start_argument)
{
    pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->process = getpid();
    p->depth = queue_depth > 0 ? queue_depth : 1;
    p->on_start = on_start;
    p->on_start_argument = on_start_argument;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->has_job, NULL);
    pthread_cond_init(&p->has_done, NULL);
    p->queue = calloc((size_t)p->depth, sizeof *p->queue);
    p->threads = calloc(n_workers > 0 ? (size_t)n_workers : 1, sizeof *p->threads);
    if (!p->queue || !p->threads) {
        pool_free(p);
        return NULL;
    }
    start_workers(p, n_workers);
    return p;
}

void pool_submit(pool *p, void (*run)(void *), void *argument)
{
    if (is_inherited(p)) {
        run(argument);
        return;
    }
    pthread_mutex_lock(&p->lock);
    int is_queued = p->n_threads > 0 && p->n_queued < p->depth;
    if (is_queued) {
        p->queue[(p->first + p->n_queued++) % p->depth] = (job){run, argument};
        pthread_cond_signal(&p->has_job);
    }
    pthread_mutex_unlock(&p->lock);
    if (!is_queued)
        run(argument);
}

void pool_wait(pool *p)
{
    while (pool_help(p))
        ;
}

int pool_help(pool *p)
{
    if (is_inherited(p))
        return 0;
    pthread_mutex_lock(&p->lock);
    int had_job = p->n_queued > 0 || p->n_running > 0;
    if (p->n_queued > 0)
        run_one(p);
    else if (p->n_running > 0)
        pthread_cond_wait(&p->has_done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    return had_job;
}

void pool_free(pool *p)
{
    if (!p)
        return;
    if (p->queue)
        pool_wait(p);
    if (!is_inherited(p)) {
        pthread_mutex_lock(&p->lock);
        p->is_ending = 1;
        pthread_cond_broadcast(&p->has_job);
        pthread_mutex_unlock(&p->lock);
        for (int i = 0; i < p->n_threads; i++)
            pthread_join(p->threads[i], NULL);
        pthread_cond_destroy(&p->has_done); /* waits for its waiters, which a child would do for ever */
        pthread_cond_destroy(&p->has_job);
        pthread_mutex_destroy(&p->lock);
    }
    free(p->threads);
    free(p->queue);
    free(p);
}
