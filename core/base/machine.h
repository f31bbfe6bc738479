/* machine.h: what only the system knows or does, once per system: machine_posix.c, machine_windows.c. */
#ifndef NGFF_BASE_MACHINE_H
#define NGFF_BASE_MACHINE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Processors and bytes of memory that this process may use, with its quotas; at least 1, and 0 where nobody tells. */
int machine_processors(void);
int64_t machine_memory(void);

/* Memory whose address is a multiple of 64, as size is; NULL when memory is out. It goes back by aligned_give only. */
void *aligned_take(size_t size);
void aligned_give(void *memory);

/* Gives the pages that the heap holds free back to the system. Some heaps keep them wherever something small lies behind, so
 * that large blocks which come and go take more and more of them. */
void heap_trim(void);

/* As pthread_create, without the host's signals: its handlers expect the host's threads. */
int thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

#endif
