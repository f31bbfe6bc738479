/* floor_pages IN.tif OUT THREADS: the least work that makes the pyramid of a stack: reads and decodes each page with libtiff,
 * halves it with a rounded 2 x 2 mean until it is one chunk of 512 x 512, compresses each chunk (blosc, lz4 5, byte shuffle) and
 * writes it to a file. Pages are uint16, square, their side a power of two from 512 on. No metadata, no error handling but
 * abort. Threads take pages. */
#include <blosc.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

enum { chunk = 512, chunk_bytes = chunk * chunk * 2, most_levels = 16 };

static const char *source;
static uint64_t *page_at;
static int n_pages, side, folders[most_levels];
static atomic_int next_page, n_files;

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void read_page(TIFF *file, int page, uint16_t *pixels)
{
    if (!TIFFSetSubDirectory(file, page_at[page]))
        abort();
    tmsize_t n_read = 0, n = 0, all = (tmsize_t)side * side * 2;
    for (uint32_t strip = 0; n_read < all; strip++, n_read += n) {
        n = TIFFReadEncodedStrip(file, strip, (uint8_t *)pixels + n_read, all - n_read);
        if (n <= 0)
            abort();
    }
}

static void store_chunk(int level, int page, int cy, int cx, const uint16_t *pixels, int width, uint8_t *packed)
{
    uint16_t cell[chunk * chunk];
    for (int y = 0; y < chunk; y++)
        for (int x = 0; x < chunk; x++)
            cell[y * chunk + x] = pixels[(size_t)(cy * chunk + y) * (size_t)width + (size_t)(cx * chunk + x)];
    int n = blosc_compress_ctx(5, 1, 2, chunk_bytes, cell, packed, chunk_bytes + BLOSC_MAX_OVERHEAD, "lz4", 0, 1);
    char name[64];
    snprintf(name, sizeof name, "%d.%d.%d", page, cy, cx);
    int file = openat(folders[level], name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (n <= 0 || file < 0 || write(file, packed, (size_t)n) != n || close(file))
        abort();
    n_files++;
}

/* In place: row y of the half lies before rows 2y and 2y + 1. */
static void halve(uint16_t *pixels, int width)
{
    for (int y = 0; y < width / 2; y++) {
        const uint16_t *a = pixels + (size_t)2 * (size_t)y * (size_t)width, *b = a + width;
        uint16_t *out = pixels + (size_t)y * (size_t)(width / 2);
        for (int x = 0; x < width / 2; x++)
            out[x] = (uint16_t)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
    }
}

static void *run(void *unused)
{
    (void)unused;
    TIFF *file = need(TIFFOpen(source, "r"));
    uint16_t *pixels = need(malloc((size_t)side * (size_t)side * 2));
    uint8_t *packed = need(malloc(chunk_bytes + BLOSC_MAX_OVERHEAD));
    for (int page; (page = next_page++) < n_pages;) {
        read_page(file, page, pixels);
        for (int level = 0, width = side; width >= chunk; level++, width /= 2) {
            for (int i = 0; i < width / chunk * (width / chunk); i++)
                store_chunk(level, page, i / (width / chunk), i % (width / chunk), pixels, width, packed);
            halve(pixels, width);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor_pages IN.tif OUT THREADS\n");
        return 2;
    }
    source = argv[1];
    TIFFSetWarningHandler(NULL);
    TIFF *file = need(TIFFOpen(source, "r"));
    uint32_t width;
    uint16_t bits;
    TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(file, TIFFTAG_BITSPERSAMPLE, &bits);
    side = (int)width;
    if (bits != 16 || side < chunk || (side & (side - 1)) != 0)
        abort();
    do {
        page_at = need(realloc(page_at, (size_t)(n_pages + 1) * sizeof *page_at));
        page_at[n_pages++] = TIFFCurrentDirOffset(file);
    } while (TIFFReadDirectory(file));
    mkdir(argv[2], 0755);
    for (int level = 0; side >> level >= chunk; level++) {
        char folder[4096];
        snprintf(folder, sizeof folder, "%s/%d", argv[2], level);
        mkdir(folder, 0755);
        folders[level] = open(folder, O_RDONLY | O_DIRECTORY);
    }
    pthread_t threads[64];
    int n_threads = atoi(argv[3]);
    for (int i = 0; i < n_threads; i++)
        if (pthread_create(&threads[i], NULL, run, NULL))
            abort();
    for (int i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    printf("%d pages, %d files\n", n_pages, (int)n_files);
    return 0;
}
