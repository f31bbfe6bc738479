/* sizes.h: sizes that are multiplied and added, and memory of such a size. What does not fit is INT64_MAX: more than there
 * is, in a comparison as in an allocation, which then fails like any other. So no caller checks a product by itself. */
#ifndef NGFF_BASE_SIZES_H
#define NGFF_BASE_SIZES_H

#include <stdint.h>
#include <stdlib.h>

/* a * b, and a + b; INT64_MAX where the result is larger, or where one of them is negative, as the product of
 * product_checked is that does not fit. */
static inline int64_t size_times(int64_t a, int64_t b)
{
    if (a < 0 || b < 0 || (a > 0 && b > INT64_MAX / a))
        return INT64_MAX;
    return a * b;
}

static inline int64_t size_plus(int64_t a, int64_t b)
{
    return a < 0 || b < 0 || a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Memory for n items of so many bytes, for free(); of 0 items, too. NULL when memory is out. */
static inline void *memory_take(int64_t n, int64_t item_bytes)
{
    int64_t bytes = size_times(n, item_bytes);
    return bytes > PTRDIFF_MAX / 2 ? NULL : malloc(bytes > 0 ? (size_t)bytes : 1);
}

static inline void *memory_zeroed(int64_t n, int64_t item_bytes)
{
    int64_t bytes = size_times(n, item_bytes);
    return bytes > PTRDIFF_MAX / 2 ? NULL : calloc(bytes > 0 ? (size_t)bytes : 1, 1);
}

/* Room for one more in a list of n items that has *room: the list, which may have moved; NULL when memory is out, and then it
 * stays as it was. */
static inline void *list_room(void *list, size_t n, size_t *room, size_t item_bytes)
{
    if (n < *room)
        return list;
    size_t more = *room > 0 ? 2 * *room : 64;
    void *moved = more > PTRDIFF_MAX / 2 / item_bytes ? NULL : realloc(list, more * item_bytes);
    *room = moved ? more : *room;
    return moved;
}

/* Most bytes of a decoded chunk: what the writer makes, and what the reader takes unless it is told otherwise. */
enum { default_chunk_bytes = 256 << 20 };

/* Most chunks in a shard: what the reader takes of an index (64 MiB). */
enum { most_shard_chunks = 4000000 };

#endif
