/* floor_read LEVEL CODEC WIDTH HEIGHT PIXEL_BYTES THREADS X,Y,W,H[,VIEW]...: the least work that brings windows of a
 * level into memory.
 *
 * LEVEL is the folder of a Zarr v2 array of two axes with chunks of 512 x 512, each in a file "row/column". Threads
 * take the next chunk of a window, pread the file, decode it into a buffer of their own and copy the rows that are
 * wanted. With VIEW the window is then sampled to VIEW x VIEW pixels, the nearest ones. No GDAL, no metadata, no cache,
 * no error handling but abort. CODEC: none, blosc or zstd. Prints the seconds that it took, CPU seconds, and a sum of
 * the pixels. */
#include <blosc.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "read_sum.h"

#define CHUNK 512

static int folder, width, height, pixel_bytes, n_threads;
static size_t chunk_bytes;
static const char *codec;

typedef struct {
    int x, y, w, h;
    uint8_t *to;
    int first_column, columns, n_chunks;
    atomic_int next;
} window;

typedef struct {
    uint8_t *stored, *chunk;
    ZSTD_DCtx *zstd;
} worker;

static worker workers[64];

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* The decoded chunk, or NULL for a missing one. */
static const uint8_t *chunk_read(worker *w, int row, int column)
{
    char name[32];
    struct stat s;
    snprintf(name, sizeof name, "%d/%d", row, column);
    int file = openat(folder, name, O_RDONLY);
    if (file < 0)
        return NULL;
    if (fstat(file, &s) != 0 || (size_t)s.st_size > chunk_bytes + 4096 ||
        pread(file, w->stored, (size_t)s.st_size, 0) != s.st_size)
        abort();
    close(file);
    if (codec[0] == 'n')
        return w->stored;
    if (codec[0] == 'b'
            ? blosc_decompress_ctx(w->stored, w->chunk, chunk_bytes, 1) != (int)chunk_bytes
            : ZSTD_decompressDCtx(w->zstd, w->chunk, chunk_bytes, w->stored, (size_t)s.st_size) != chunk_bytes)
        abort();
    return w->chunk;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static window *now;

static void *run(void *argument)
{
    worker *w = argument;
    for (int i; (i = now->next++) < now->n_chunks;) {
        int row = now->y / CHUNK + i / now->columns, column = now->first_column + i % now->columns;
        int x0 = larger(column * CHUNK, now->x), x1 = smaller((column + 1) * CHUNK, now->x + now->w);
        int y0 = larger(row * CHUNK, now->y), y1 = smaller((row + 1) * CHUNK, now->y + now->h);
        size_t n = (size_t)(x1 - x0) * (size_t)pixel_bytes;
        const uint8_t *chunk = chunk_read(w, row, column);
        for (int y = y0; y < y1; y++) {
            uint8_t *to =
                now->to + ((size_t)(y - now->y) * (size_t)now->w + (size_t)(x0 - now->x)) * (size_t)pixel_bytes;
            if (chunk)
                memcpy(to,
                       chunk +
                           ((size_t)(y - row * CHUNK) * CHUNK + (size_t)(x0 - column * CHUNK)) * (size_t)pixel_bytes,
                       n);
            else
                memset(to, 0, n);
        }
    }
    return NULL;
}

/* The caller's thread and n_threads - 1 more. */
static void window_read(window *win)
{
    pthread_t thread[64];
    now = win;
    win->first_column = win->x / CHUNK;
    win->columns = (win->x + win->w - 1) / CHUNK - win->first_column + 1;
    win->n_chunks = win->columns * ((win->y + win->h - 1) / CHUNK - win->y / CHUNK + 1);
    win->next = 0;
    for (int i = 1; i < n_threads; i++)
        if (pthread_create(&thread[i], NULL, run, &workers[i]))
            abort();
    run(&workers[0]);
    for (int i = 1; i < n_threads; i++)
        pthread_join(thread[i], NULL);
}

static void sample(const window *win, uint8_t *to, int n)
{
    size_t *column = need(malloc((size_t)n * sizeof *column));
    for (int x = 0; x < n; x++)
        column[x] = (size_t)((x + 0.5) * win->w / n);
    for (int y = 0; y < n; y++) {
        size_t row = (size_t)((y + 0.5) * win->h / n) * (size_t)win->w;
        for (int x = 0; x < n && pixel_bytes == 1; x++)
            to[(size_t)y * (size_t)n + (size_t)x] = win->to[row + column[x]];
        for (int x = 0; x < n && pixel_bytes == 2; x++)
            ((uint16_t *)to)[(size_t)y * (size_t)n + (size_t)x] = ((uint16_t *)win->to)[row + column[x]];
    }
    free(column);
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 2;
    codec = argv[2];
    width = atoi(argv[3]);
    height = atoi(argv[4]);
    pixel_bytes = atoi(argv[5]);
    n_threads = atoi(argv[6]);
    chunk_bytes = (size_t)CHUNK * CHUNK * (size_t)pixel_bytes;
    double begin = seconds(), cpu = cpu_seconds();
    folder = open(argv[1], O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < n_threads; i++)
        workers[i] = (worker){need(malloc(chunk_bytes + 4096)), need(malloc(chunk_bytes)), need(ZSTD_createDCtx())};
    uint8_t *buffer = NULL, *view = NULL;
    size_t room = 0;
    uint64_t sum = 0;
    double summing = 0;
    for (int i = 7; i < argc; i++) {
        window win = {0};
        int n = 0;
        if (sscanf(argv[i], "%d,%d,%d,%d,%d", &win.x, &win.y, &win.w, &win.h, &n) < 4)
            return 2;
        size_t bytes = (size_t)win.w * (size_t)win.h * (size_t)pixel_bytes;
        if (bytes > room) {
            free(buffer);
            buffer = need(malloc(room = bytes));
        }
        win.to = buffer;
        window_read(&win);
        if (n) {
            bytes = (size_t)n * (size_t)n * (size_t)pixel_bytes;
            view = need(realloc(view, bytes));
            sample(&win, view, n);
        }
        double before = seconds(), cpu_before = cpu_seconds();
        sum = sum_of(n ? view : buffer, bytes, sum);
        summing += seconds() - before;
        cpu += cpu_seconds() - cpu_before;
    }
    printf("%.6f %.6f 0 %016llx\n", seconds() - begin - summing, cpu_seconds() - cpu, (unsigned long long)sum);
    return 0;
}
