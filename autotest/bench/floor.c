/* floor IN.tif OUT CODEC LEVEL THREADS: the least work that makes the same pixels and the same objects.
 *
 * It reads uncompressed 512 x 512 TIFF tiles with pread, halves them with a rounded 2 x 2 mean level by level,
 * compresses each chunk and writes it to a file, and leaves out chunks of zeros. No GDAL, no metadata, no nodata, no
 * error handling but abort. What a real converter needs beyond this time is its own doing, so times are quoted as
 * multiples of it. CODEC: none, lz4 or zstd (both by blosc with byte shuffle).
 *
 * Threads take subtrees of 8 x 8 chunks and walk them depth first: a chunk is built from its four children, which are
 * built just before it, so a thread needs one chunk per level. The tops of the subtrees stay in memory for the levels
 * above, which one thread makes at the end. */
#include <blosc.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#define CHUNK 512
#define SUBTREE 3 /* levels in a subtree below its top */
#define MAX_LEVELS 20
#define MAX_BANDS 4

typedef struct {
    int width, height, chunks_x, chunks_y, folder;
} level;

static level levels[MAX_LEVELS];
static int n_levels, top_level, bands, pixel_bytes, tiff, compression_level;
static size_t chunk_bytes;
static uint64_t *tile_offset;
static const char *codec;
static uint8_t *(*tops)[MAX_BANDS]; /* the finished top chunk of each subtree */
static atomic_int next_subtree, n_files;

typedef struct {
    uint8_t *chunk[MAX_LEVELS][MAX_BANDS], *tile, *packed;
} worker;

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* -- One chunk: read, halve, store ------------------------------------------------------------------------------- */

static void read_tile(worker *w, int cx, int cy, uint8_t **to)
{
    size_t n = chunk_bytes * (size_t)bands;
    uint8_t *tile = bands == 1 ? to[0] : w->tile;
    if (pread(tiff, tile, n, (off_t)tile_offset[cy * levels[0].chunks_x + cx]) != (ssize_t)n)
        abort();
    if (bands != 3)
        return;
    uint8_t *restrict red = to[0], *restrict green = to[1], *restrict blue = to[2];
    for (size_t i = 0; i < CHUNK * CHUNK; i++) {
        red[i] = tile[3 * i];
        green[i] = tile[3 * i + 1];
        blue[i] = tile[3 * i + 2];
    }
}

/* Repeats the last column and row once, so that the mean of an odd edge is the mean of what is there. */
static void repeat_odd_edge(uint8_t *chunk, const level *l, int cx, int cy)
{
    int width = l->width - cx * CHUNK, height = l->height - cy * CHUNK;
    size_t row = (size_t)CHUNK * (size_t)pixel_bytes, pixel = (size_t)pixel_bytes;
    if (width < CHUNK && width % 2)
        for (int y = 0; y < CHUNK; y++)
            memcpy(chunk + (size_t)y * row + (size_t)width * pixel,
                   chunk + (size_t)y * row + (size_t)(width - 1) * pixel, pixel);
    if (height < CHUNK && height % 2)
        memcpy(chunk + (size_t)height * row, chunk + (size_t)(height - 1) * row, row);
}

#define DEFINE_HALVE(name, type, sum_type, mean)                                                                       \
    static void name(const uint8_t *from, uint8_t *to)                                                                 \
    {                                                                                                                  \
        for (int y = 0; y < CHUNK / 2; y++) {                                                                          \
            const type *restrict a = (const type *)from + (size_t)2 * (size_t)y * CHUNK, *restrict b = a + CHUNK;      \
            type *restrict out = (type *)to + (size_t)y * CHUNK;                                                       \
            for (int x = 0; x < CHUNK / 2; x++) {                                                                      \
                sum_type s = (sum_type)a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1];                              \
                out[x] = (type)(mean);                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }
DEFINE_HALVE(halve8, uint8_t, uint32_t, (s + 2) >> 2)
DEFINE_HALVE(halve16, uint16_t, uint32_t, (s + 2) >> 2)
DEFINE_HALVE(halve_float, float, float, s * 0.25f)

static void store(worker *w, int l, int cx, int cy, uint8_t **chunk)
{
    for (int band = 0; band < bands; band++) {
        const uint8_t *bytes = chunk[band];
        size_t n = chunk_bytes;
        if (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0)
            continue;
        if (strcmp(codec, "none") != 0) {
            int packed = blosc_compress_ctx(compression_level, 1, (size_t)pixel_bytes, n, bytes, w->packed,
                                            n + BLOSC_MAX_OVERHEAD, codec, 0, 1);
            if (packed <= 0)
                abort();
            bytes = w->packed;
            n = (size_t)packed;
        }
        char name[64];
        snprintf(name, sizeof name, "%d.%d.%d", band, cy, cx);
        int file = openat(levels[l].folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (file < 0 || write(file, bytes, n) != (ssize_t)n || close(file))
            abort();
        n_files++;
    }
}

static void build(worker *w, int l, int cx, int cy, uint8_t **to)
{
    if (l == 0)
        read_tile(w, cx, cy, to);
    for (int quarter = 0; l > 0 && quarter < 4; quarter++) {
        const level *below = &levels[l - 1];
        int x = 2 * cx + quarter % 2, y = 2 * cy + quarter / 2, exists = x < below->chunks_x && y < below->chunks_y;
        uint8_t **child = w->chunk[l - 1];
        if (exists && l - 1 == top_level && tops[y * below->chunks_x + x][0])
            child = tops[y * below->chunks_x + x];
        else if (exists)
            build(w, l - 1, x, y, child);
        for (int band = 0; band < bands; band++) {
            size_t row = (size_t)CHUNK * (size_t)pixel_bytes;
            uint8_t *corner = to[band] + (size_t)(quarter / 2) * (CHUNK / 2) * row + (size_t)(quarter % 2) * row / 2;
            if (!exists) {
                for (size_t i = 0; i < CHUNK / 2; i++)
                    memset(corner + i * row, 0, row / 2);
                continue;
            }
            repeat_odd_edge(child[band], below, x, y);
            (pixel_bytes == 1 ? halve8 : pixel_bytes == 2 ? halve16 : halve_float)(child[band], corner);
        }
    }
    store(w, l, cx, cy, to);
}

/* -- All chunks --------------------------------------------------------------------------------------------------- */

static worker *make_worker(void)
{
    worker *w = need(calloc(1, sizeof *w));
    for (int l = 0; l < n_levels; l++)
        for (int band = 0; band < bands; band++)
            w->chunk[l][band] = need(aligned_alloc(64, chunk_bytes));
    w->tile = need(malloc(chunk_bytes * (size_t)bands));
    w->packed = need(malloc(chunk_bytes + BLOSC_MAX_OVERHEAD));
    return w;
}

static void *run(void *unused)
{
    (void)unused;
    worker *w = make_worker();
    const level *l = &levels[top_level];
    for (int i; (i = next_subtree++) < l->chunks_x * l->chunks_y;) {
        uint8_t *top[MAX_BANDS];
        for (int band = 0; band < bands; band++)
            top[band] = need(malloc(chunk_bytes));
        build(w, top_level, i % l->chunks_x, i / l->chunks_x, top);
        memcpy(tops[i], top, sizeof(uint8_t *) * (size_t)bands);
    }
    return NULL;
}

static void open_source(const char *path)
{
    TIFFSetWarningHandler(NULL);
    TIFF *file = need(TIFFOpen(path, "r"));
    uint32_t width, height, tile_width;
    uint16_t samples = 1, bits = 8, tiff_compression = 0;
    uint64_t *offsets;
    TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(file, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetField(file, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetField(file, TIFFTAG_COMPRESSION, &tiff_compression);
    if (!TIFFGetField(file, TIFFTAG_TILEWIDTH, &tile_width) || tile_width != CHUNK ||
        tiff_compression != COMPRESSION_NONE)
        abort();
    TIFFGetField(file, TIFFTAG_TILEOFFSETS, &offsets);
    tile_offset = offsets; /* the TIFF stays open: it owns them */
    bands = samples;
    pixel_bytes = bits / 8;
    chunk_bytes = (size_t)CHUNK * CHUNK * (size_t)pixel_bytes;
    levels[0].width = (int)width;
    levels[0].height = (int)height;
    tiff = open(path, O_RDONLY);
}

static void plan_levels(const char *out)
{
    mkdir(out, 0755);
    for (n_levels = 0; n_levels < MAX_LEVELS; n_levels++) {
        level *l = &levels[n_levels];
        if (n_levels > 0) {
            l->width = (l[-1].width + 1) / 2;
            l->height = (l[-1].height + 1) / 2;
        }
        l->chunks_x = (l->width + CHUNK - 1) / CHUNK;
        l->chunks_y = (l->height + CHUNK - 1) / CHUNK;
        char folder[4096];
        snprintf(folder, sizeof folder, "%s/%d", out, n_levels);
        mkdir(folder, 0755);
        l->folder = open(folder, O_RDONLY | O_DIRECTORY);
        if (l->width <= CHUNK && l->height <= CHUNK)
            break;
    }
    n_levels++;
    top_level = n_levels - 1 < SUBTREE ? n_levels - 1 : SUBTREE;
    tops = need(calloc((size_t)levels[top_level].chunks_x * (size_t)levels[top_level].chunks_y, sizeof *tops));
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: floor IN.tif OUT none|lz4|zstd LEVEL THREADS\n");
        return 2;
    }
    open_source(argv[1]);
    plan_levels(argv[2]);
    codec = argv[3];
    compression_level = atoi(argv[4]);
    int n_threads = atoi(argv[5]);
    pthread_t thread[64];
    for (int i = 0; i < n_threads; i++)
        if (pthread_create(&thread[i], NULL, run, NULL))
            abort();
    for (int i = 0; i < n_threads; i++)
        pthread_join(thread[i], NULL);
    if (n_levels - 1 > top_level) {
        worker *w = make_worker();
        build(w, n_levels - 1, 0, 0, w->chunk[n_levels - 1]);
    }
    printf("%d levels, %d files\n", n_levels, (int)n_files);
    return 0;
}
