/* pool.h: a short job queue. Workers take jobs in the order of their submission; whoever submits to a full queue runs
 * its job itself, so a fast reader becomes one more worker instead of waiting. With no workers every job runs at once
 * on the caller: 0 threads is the same code.
 *
 * In a child of fork the workers are not there. A pool that it has inherited runs every job at once on the caller, waits
 * for nothing, and is freed without them; the jobs that were queued are its parent's. */
#ifndef NGFF_BASE_POOL_H
#define NGFF_BASE_POOL_H

typedef struct pool pool;

/* n_workers threads beside the callers; queue_depth jobs wait at most. on_start (may be NULL) runs first on every
 * worker. Workers leave the signals to the host's threads. Returns NULL when memory is out; fewer threads than asked for
 * are no error. */
pool *pool_create(int n_workers, int queue_depth, void (*on_start)(void *), void *on_start_argument);
/* Runs job(argument) now or later, on any thread. */
void pool_submit(pool *p, void (*job)(void *), void *argument);
/* Runs queued jobs on this thread and returns when no job is queued or running. */
void pool_wait(pool *p);
/* Runs one queued job on this thread, or waits for one running job to end. Returns 0 if there was neither. */
int pool_help(pool *p);
/* pool_wait, then ends the workers. */
void pool_free(pool *p);

#endif
