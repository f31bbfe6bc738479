/* helpers.c: see helpers.h. */
#include "reader/helpers.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/pool.h"

/* -- The threads of this process that help ------------------------------------------------------------------------- */

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pool *threads;
static int n_readers;           /* of this process that use them */
static atomic_long process_now; /* that the three are of; entering: they are made new */

enum { entering = -1 };

/* A child of fork has none of these threads, and the lock as it was at that moment. It begins anew; its parent's pool
 * is forgotten. */
static void threads_enter_process(void)
{
    long own = getpid(), seen = atomic_load(&process_now);
    while (seen != own) {
        if (seen == entering)
            sched_yield();
        else if (atomic_compare_exchange_strong(&process_now, &seen, entering)) {
            threads_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
            threads = NULL;
            n_readers = 0;
            atomic_store(&process_now, own);
        }
        seen = atomic_load(&process_now);
    }
}

/* Made for the first call that wants some. NULL: none can be had, and the caller works alone. */
static pool *threads_get(ngff_reader *reader, int n_wanted)
{
    threads_enter_process();
    pthread_mutex_lock(&threads_lock);
    if (reader->threads_of != getpid()) {
        int n = machine_processors() > n_wanted ? machine_processors() : n_wanted;
        if (!threads)
            threads = pool_create(n - 1, 4 * n, NULL, NULL);
        if (threads) {
            n_readers++;
            reader->threads_of = getpid();
        }
    }
    pool *found = reader->threads_of == getpid() ? threads : NULL;
    pthread_mutex_unlock(&threads_lock);
    return found;
}

void helpers_leave(ngff_reader *reader)
{
    pool *ended = NULL;
    if (reader->threads_of != getpid()) /* it has none, or its parent's */
        return;
    pthread_mutex_lock(&threads_lock);
    if (--n_readers == 0) {
        ended = threads;
        threads = NULL;
    }
    reader->threads_of = 0;
    pthread_mutex_unlock(&threads_lock);
    pool_free(ended);
}

/* -- One call ------------------------------------------------------------------------------------------------------ */

/* A call as its helpers see it. It outlives the call where a helper comes late. */
typedef struct {
    const store *store;
    pthread_mutex_t lock;
    pthread_cond_t has_left; /* a helper is done */
    int n_owners, n_at_work;
    void (*work)(void *); /* NULL: the call is over */
    void *argument;
    pthread_t caller;
    void *settings; /* the caller's, for the helpers; NULL: none */
} shared_work;

static void work_release(shared_work *c)
{
    pthread_mutex_lock(&c->lock);
    int n_left = --c->n_owners;
    pthread_mutex_unlock(&c->lock);
    if (n_left > 0)
        return;
    pthread_cond_destroy(&c->has_left);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* On a helper, or on the caller where the queue of the threads is full. */
static void help(void *argument)
{
    shared_work *c = argument;
    pthread_mutex_lock(&c->lock);
    void (*work)(void *) = c->work;
    c->n_at_work += work != NULL;
    pthread_mutex_unlock(&c->lock);
    if (work) {
        int is_other = !pthread_equal(c->caller, pthread_self());
        if (is_other)
            store_enter_thread(c->store, c->settings);
        work(c->argument);
        if (is_other)
            store_leave_thread(c->store);
        pthread_mutex_lock(&c->lock);
        c->n_at_work--;
        pthread_cond_signal(&c->has_left);
        pthread_mutex_unlock(&c->lock);
    }
    work_release(c);
}

void helpers_run(ngff_reader *reader, int n_helpers, void (*work)(void *), void *argument)
{
    pool *p = n_helpers > 0 ? threads_get(reader, n_helpers + 1) : NULL;
    shared_work *c = p ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        work(argument);
        return;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->has_left, NULL);
    c->store = reader->store;
    c->caller = pthread_self();
    c->settings = store_settings(c->store);
    c->n_owners = n_helpers + 1;
    c->work = work;
    c->argument = argument;
    for (int i = 0; i < n_helpers; i++)
        pool_submit(p, help, c);
    work(argument);
    pthread_mutex_lock(&c->lock);
    c->work = NULL;
    while (c->n_at_work > 0)
        pthread_cond_wait(&c->has_left, &c->lock);
    pthread_mutex_unlock(&c->lock);
    store_free_settings(c->store, c->settings);
    c->settings = NULL;
    work_release(c);
}
