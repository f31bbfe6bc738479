/* budget.c: see budget.h. There are only a few sizes in a pyramid (one or two per level), so the free lists are a short
 * array searched in order. A free buffer holds the pointer to the next one in its first bytes. */
#include "base/budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/machine.h"

enum { n_sizes = 64, smallest = 64 };

typedef struct {
    int64_t size;
    void *first;
} free_list;

struct budget {
    pthread_mutex_t lock;
    int64_t limit, used, peak, kept;
    free_list lists[n_sizes];
};

budget *budget_create(int64_t limit_bytes)
{
    budget *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->limit = limit_bytes;
    pthread_mutex_init(&b->lock, NULL);
    return b;
}

/* Returns kept buffers to the heap until at most so many bytes are kept. */
static void keep_at_most(budget *b, int64_t bytes)
{
    for (int i = 0; i < n_sizes && b->kept > bytes; i++)
        while (b->lists[i].first && b->kept > bytes) {
            void *next = *(void **)b->lists[i].first;
            aligned_give(b->lists[i].first);
            b->lists[i].first = next;
            b->kept -= b->lists[i].size;
        }
}

void budget_free(budget *b)
{
    if (!b)
        return;
    keep_at_most(b, 0);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* The list of a size; an empty slot becomes one; NULL when all slots hold other sizes. */
static free_list *list_of(budget *b, int64_t size)
{
    for (int i = 0; i < n_sizes; i++) {
        if (b->lists[i].size == 0)
            b->lists[i].size = size;
        if (b->lists[i].size == size)
            return &b->lists[i];
    }
    return NULL;
}

static int64_t rounded(int64_t size_bytes)
{
    return size_bytes < smallest ? smallest : (size_bytes + smallest - 1) / smallest * smallest;
}

void *budget_take(budget *b, int64_t size_bytes)
{
    int64_t size = rounded(size_bytes);
    void *buffer = NULL;
    pthread_mutex_lock(&b->lock);
    free_list *list = list_of(b, size);
    if (list && list->first) {
        buffer = list->first;
        list->first = *(void **)buffer;
        b->kept -= size;
    } else if (b->kept > 0 && b->used + b->kept + size > b->limit) {
        int64_t rest = b->limit - b->used - size;
        keep_at_most(b, rest > 0 ? rest : 0);
    }
    b->used += size;
    b->peak = b->used > b->peak ? b->used : b->peak;
    pthread_mutex_unlock(&b->lock);
    if (!buffer)
        buffer = aligned_take((size_t)size);
    if (!buffer) {
        pthread_mutex_lock(&b->lock);
        b->used -= size;
        pthread_mutex_unlock(&b->lock);
    }
    return buffer;
}

void budget_give(budget *b, void *buffer, int64_t size_bytes)
{
    if (!buffer)
        return;
    int64_t size = rounded(size_bytes);
    pthread_mutex_lock(&b->lock);
    free_list *list = list_of(b, size);
    if (list) {
        *(void **)buffer = list->first;
        list->first = buffer;
        b->kept += size;
    }
    b->used -= size;
    pthread_mutex_unlock(&b->lock);
    if (!list)
        aligned_give(buffer);
}

int budget_is_over(budget *b, int64_t size_bytes)
{
    pthread_mutex_lock(&b->lock);
    int is_over = b->used + rounded(size_bytes) > b->limit;
    pthread_mutex_unlock(&b->lock);
    return is_over;
}

int64_t budget_used(budget *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t used = b->used;
    pthread_mutex_unlock(&b->lock);
    return used;
}

int64_t budget_peak(budget *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t peak = b->peak;
    pthread_mutex_unlock(&b->lock);
    return peak;
}

int64_t budget_held(budget *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t held = b->used + b->kept;
    pthread_mutex_unlock(&b->lock);
    return held;
}
