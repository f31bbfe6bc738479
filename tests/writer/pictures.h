/* pictures.h: small images of every kind, the ways in which a host may write them, and what lies in the store then. */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "store/store_memory.h"
#include "writer/writer_store.h"

typedef struct {
    const char *name, *dims;
    int64_t shape[MAX_RANK];
    int32_t type;
    const char *options[8];
    int has_nodata; /* 1: 7 in all channels; 2: 7 in channel 0 only; 3: 7, 8, 9 ... per channel */
    int has_alpha;  /* the last channel */
    int has_mask, kind, has_holes;
    int has_whole_mask; /* of many planes: it is given with all of them, or not at all */
} picture;

static const picture pictures[] = {
    {.name = "one channel", .dims = "yx", .shape = {100, 70}, .type = NGFF_UINT8, .options = {"BLOCKSIZE=16"}},
    {.name = "one pixel", .dims = "yx", .shape = {1, 1}, .type = NGFF_UINT16},
    {.name = "one row", .dims = "yx", .shape = {1, 200}, .type = NGFF_UINT16, .options = {"BLOCKSIZE=16"}},
    {.name = "three channels with nodata",
     .dims = "cyx",
     .shape = {3, 61, 83},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=16"},
     .has_nodata = 1,
     .has_holes = 1},
    {.name = "float, nodata in one channel",
     .dims = "cyx",
     .shape = {2, 50, 50},
     .type = NGFF_FLOAT32,
     .options = {"BLOCKSIZE=8"},
     .has_nodata = 2,
     .has_holes = 1},
    {.name = "nodata per channel",
     .dims = "cyx",
     .shape = {3, 40, 33},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=8"},
     .has_nodata = 3,
     .has_holes = 1},
    {.name = "alpha",
     .dims = "cyx",
     .shape = {4, 40, 56},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=16"},
     .has_alpha = 1,
     .kind = NGFF_KIND_RGB,
     .has_holes = 1},
    {.name = "alpha, factor 3 across blocks",
     .dims = "cyx",
     .shape = {2, 50, 41},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=8", "SCALE_FACTORS=3,9"},
     .has_alpha = 1,
     .has_holes = 1},
    {.name = "mask",
     .dims = "cyx",
     .shape = {3, 45, 37},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=8"},
     .has_mask = 1,
     .has_holes = 1},
    {.name = "mask, factor 3 across blocks",
     .dims = "yx",
     .shape = {45, 37},
     .type = NGFF_FLOAT32,
     .options = {"BLOCKSIZE=8", "SCALE_FACTORS=3,6"},
     .has_mask = 1,
     .has_holes = 1},
    {.name = "five axes",
     .dims = "tczyx",
     .shape = {2, 2, 5, 20, 30},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=z:2,y:8,x:8", "SCALE_FACTORS=y:2,x:2;z:2,y:4,x:4"}},
    {.name = "five axes, chunks over t and c",
     .dims = "tczyx",
     .shape = {3, 3, 4, 12, 10},
     .type = NGFF_INT16,
     .options = {"BLOCKSIZE=2,2,3,5,4", "SCALE_FACTORS=ISOTROPIC"}},
    {.name = "64 bit, factors 2 and 5",
     .dims = "yx",
     .shape = {100, 100},
     .type = NGFF_INT64,
     .options = {"BLOCKSIZE=16", "SCALE_FACTORS=2,5"}},
    {.name = "9 x 9, factors 2 and 3",
     .dims = "yx",
     .shape = {9, 9},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=4", "SCALE_FACTORS=2,3"}},
    {.name = "factors 2 and 6",
     .dims = "yx",
     .shape = {64, 90},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=10", "SCALE_FACTORS=y:2,x:6;y:4,x:12"}},
    {.name = "factor 3 across blocks",
     .dims = "cyx",
     .shape = {2, 70, 53},
     .type = NGFF_INT16,
     .options = {"BLOCKSIZE=16", "SCALE_FACTORS=3,6,12"}},
    {.name = "factor 5, blocks of 8 x 12",
     .dims = "yx",
     .shape = {83, 97},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=8,12", "SCALE_FACTORS=5,10"}},
    {.name = "nearest, factor 3",
     .dims = "yx",
     .shape = {70, 53},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=16", "SCALE_FACTORS=3,6", "OVERVIEW_RESAMPLING=NEAREST"}},
    {.name = "nearest",
     .dims = "cyx",
     .shape = {2, 61, 40},
     .type = NGFF_COMPLEX64,
     .options = {"BLOCKSIZE=8", "OVERVIEW_RESAMPLING=NEAREST"}},
    {.name = "mode",
     .dims = "yx",
     .shape = {61, 40},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=8"},
     .kind = NGFF_KIND_LABEL},
    {.name = "gauss",
     .dims = "yx",
     .shape = {90, 75},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=16", "OVERVIEW_RESAMPLING=GAUSS"}},
    {.name = "gauss with alpha, factor 3",
     .dims = "cyx",
     .shape = {2, 60, 47},
     .type = NGFF_FLOAT32,
     .options = {"BLOCKSIZE=8", "OVERVIEW_RESAMPLING=GAUSS", "SCALE_FACTORS=3,6"},
     .has_alpha = 1,
     .has_holes = 1},
    {.name = "lanczos with nodata, 3-D",
     .dims = "zyx",
     .shape = {6, 30, 41},
     .type = NGFF_FLOAT64,
     .options = {"BLOCKSIZE=4,8,8", "OVERVIEW_RESAMPLING=LANCZOS"},
     .has_nodata = 1,
     .has_holes = 1},
    {.name = "sharded",
     .dims = "cyx",
     .shape = {2, 130, 100},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=8", "SHARD=32"},
     .has_holes = 1},
    {.name = "sharded float with gauss",
     .dims = "yx",
     .shape = {77, 90},
     .type = NGFF_FLOAT32,
     .options = {"BLOCKSIZE=8", "SHARD=16,32", "OVERVIEW_RESAMPLING=GAUSS"},
     .has_nodata = 1,
     .has_holes = 1},
    {.name = "sharded with mask",
     .dims = "cyx",
     .shape = {3, 50, 50},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=8", "SHARD=c:3,y:24,x:24"},
     .has_mask = 1,
     .has_holes = 1},
    {.name = "0.4",
     .dims = "cyx",
     .shape = {2, 50, 60},
     .type = NGFF_UINT16,
     .options = {"NGFF_VERSION=0.4", "BLOCKSIZE=16", "COMPRESS=ZLIB"},
     .has_nodata = 1,
     .has_holes = 1},
    {.name = "0.4 flat lz4",
     .dims = "yx",
     .shape = {50, 60},
     .type = NGFF_FLOAT32,
     .options = {"NGFF_VERSION=0.4", "BLOCKSIZE=16", "COMPRESS=LZ4", "LAYOUT=FLAT"}},
    {.name = "no codec, scales",
     .dims = "yx",
     .shape = {50, 60},
     .type = NGFF_UINT32,
     .options = {"BLOCKSIZE=16", "COMPRESS=NONE", "LAYOUT=SCALES"}},
    {.name = "gzip float16",
     .dims = "yx",
     .shape = {50, 60},
     .type = NGFF_FLOAT16,
     .options = {"BLOCKSIZE=16", "COMPRESS=GZIP"}},
    {.name = "channels in one chunk with alpha",
     .dims = "cyx",
     .shape = {3, 40, 40},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=2,16,16"},
     .has_alpha = 1,
     .has_holes = 1},
    {.name = "64-bit unsigned with nodata",
     .dims = "yx",
     .shape = {40, 40},
     .type = NGFF_UINT64,
     .options = {"BLOCKSIZE=16"},
     .has_nodata = 1,
     .has_holes = 1},
    {.name = "mask by nearest",
     .dims = "cyx",
     .shape = {2, 45, 37},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=8", "OVERVIEW_RESAMPLING=NEAREST", "SCALE_FACTORS=2,6"},
     .has_mask = 1,
     .has_holes = 1},
    {.name = "one mask for all planes",
     .dims = "tczyx",
     .shape = {2, 2, 5, 30, 23},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=z:2,y:8,x:8", "SCALE_FACTORS=y:2,x:2;z:2,y:4,x:4;z:4,y:8,x:8"},
     .has_mask = 1,
     .has_holes = 1,
     .has_whole_mask = 1},
    {.name = "one mask for all planes, factor 3 across blocks",
     .dims = "zyx",
     .shape = {7, 33, 31},
     .type = NGFF_INT16,
     .options = {"BLOCKSIZE=z:2,y:8,x:8", "SCALE_FACTORS=z:3,y:3,x:3"},
     .has_mask = 1,
     .has_holes = 1,
     .has_whole_mask = 1},
    {.name = "one mask for all planes, gauss",
     .dims = "zyx",
     .shape = {9, 33, 31},
     .type = NGFF_UINT8,
     .options = {"BLOCKSIZE=z:2,y:8,x:8", "SCALE_FACTORS=y:2,x:2", "OVERVIEW_RESAMPLING=GAUSS"},
     .has_mask = 1,
     .has_holes = 1,
     .has_whole_mask = 1},
    {.name = "mask, factor 9 across blocks", /* more children of a cell than are kept in a set */
     .dims = "yx",
     .shape = {130, 117},
     .type = NGFF_UINT16,
     .options = {"BLOCKSIZE=8", "SCALE_FACTORS=9"},
     .has_mask = 1,
     .has_holes = 1},
};

enum { n_pictures = sizeof pictures / sizeof pictures[0] };

/* -- Pixels -------------------------------------------------------------------------------------------------------- */

static uint32_t mixed(uint64_t a)
{
    a = (a ^ a >> 30) * 0xBF58476D1CE4E5B9u;
    a = (a ^ a >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(a ^ a >> 31);
}

static int64_t volume_of(int rank, const int64_t *shape)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= shape[i];
    return n;
}

static int rank_of(const picture *p)
{
    return (int)strlen(p->dims);
}

static int64_t channels_of(const picture *p)
{
    const char *c = strchr(p->dims, 'c');
    return c ? p->shape[c - p->dims] : 1;
}

/* The nodata value of a channel as a pixel; 0 if it has none. */
static int nodata_of(const picture *p, int64_t channel, uint8_t pixel[16])
{
    memset(pixel, 0, 16);
    if (!p->has_nodata || (p->has_nodata == 2 && channel > 0))
        return 0;
    CHECK(dtype_from_double(p->type, (double)(p->has_nodata == 3 ? 7 + channel : 7), pixel));
    return 1;
}

/* A number as a pixel of the type; wide types use their whole width. */
static void store_pixel(int32_t type, uint32_t number, uint8_t *to)
{
    int64_t wide = ((int64_t)number - ((int64_t)1 << 31)) * 4294967291;
    double value;
    switch (type) {
    case NGFF_INT64:
    case NGFF_UINT64:
        memcpy(to, &wide, 8);
        return;
    case NGFF_FLOAT32:
    case NGFF_FLOAT64:
        value = (double)(number % 100000) / 64 - 500;
        break;
    case NGFF_COMPLEX64: {
        float parts[2] = {(float)(number % 1000), (float)(number % 77)};
        memcpy(to, parts, 8);
        return;
    }
    case NGFF_COMPLEX128: {
        double parts[2] = {(double)number / 1024, -(double)(number % 77)};
        memcpy(to, parts, 16);
        return;
    }
    case NGFF_INT8:
        value = (double)(number % 256) - 128;
        break;
    case NGFF_INT16:
        value = (double)(number % 60000) - 30000;
        break;
    case NGFF_UINT8:
        value = number % 256;
        break;
    default:
        value = number % 2000;
    }
    CHECK(dtype_from_double(type, value, to));
}

/* Holes: a block of the image (so that whole chunks are empty) and single pixels. */
static int in_hole(const picture *p, const int64_t *at, uint32_t number)
{
    int rank = rank_of(p);
    int64_t y = at[rank - 2], x = at[rank - 1];
    return p->has_holes && ((y >= 8 && y < 33 && x >= 7 && x < 34) || number % 5 == 0);
}

static void next_position(int rank, const int64_t *shape, int64_t *at)
{
    for (int i = rank - 1; i >= 0 && ++at[i] == shape[i]; i--)
        at[i] = 0;
}

/* All pixels of level 0, dense; label-like where the kind is that. */
static uint8_t *make_pixels(const picture *p)
{
    int rank = rank_of(p), c = strchr(p->dims, 'c') ? (int)(strchr(p->dims, 'c') - p->dims) : -1;
    int64_t n = volume_of(rank, p->shape), at[MAX_RANK] = {0}, size = ngff_type_size(p->type);
    uint8_t *pixels = malloc((size_t)(n * size));
    for (int64_t i = 0; i < n; i++, next_position(rank, p->shape, at)) {
        uint8_t *to = pixels + i * size, nodata[16];
        int64_t channel = c < 0 ? 0 : at[c];
        uint32_t number = mixed((uint64_t)i + 1);
        store_pixel(p->type, p->kind == NGFF_KIND_LABEL ? number % 4 : number, to);
        if (!in_hole(p, at, number))
            continue;
        int is_alpha = p->has_alpha && channel == channels_of(p) - 1;
        if (nodata_of(p, channel, nodata))
            memcpy(to, nodata, (size_t)size);
        else if (is_alpha || (!p->has_alpha && !p->has_mask && p->type != NGFF_FLOAT32))
            memset(to, 0, (size_t)size);
        else if (p->type == NGFF_FLOAT32 && !p->has_mask && !p->has_alpha)
            CHECK(dtype_from_double(p->type, NAN, to));
    }
    return pixels;
}

static uint8_t *make_mask(const picture *p)
{
    int rank = rank_of(p);
    int64_t n = p->shape[rank - 1] * p->shape[rank - 2], at[MAX_RANK] = {0};
    uint8_t *mask = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        uint32_t number = mixed((uint64_t)i + 99);
        at[rank - 2] = i / p->shape[rank - 1];
        at[rank - 1] = i % p->shape[rank - 1];
        mask[i] = in_hole(p, at, number) ? 0 : number % 2 ? 255 : 1;
    }
    return mask;
}

/* -- Plans --------------------------------------------------------------------------------------------------------- */

static ngff_plan *make_plan(const picture *p, const char *extra)
{
    const char *options[10];
    int n = 0;
    for (; p->options[n]; n++)
        options[n] = p->options[n];
    if (extra)
        options[n++] = extra;
    options[n] = NULL;
    ngff_image *image = ngff_image_create(p->dims, p->shape, p->type);
    for (int64_t k = 0; k < channels_of(p); k++) {
        uint8_t nodata[16];
        if (nodata_of(p, k, nodata))
            CHECK_INT(ngff_image_set_nodata(image, k, nodata), NGFF_OK);
    }
    if (p->has_alpha)
        CHECK_INT(ngff_image_set_alpha(image, channels_of(p) - 1), NGFF_OK);
    if (p->has_mask)
        CHECK_INT(ngff_image_set_mask(image, 1), NGFF_OK);
    if (p->kind)
        CHECK_INT(ngff_image_set_kind(image, p->kind), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    if (ngff_plan_status(plan) != NGFF_OK)
        fprintf(stderr, "%s: %s\n", p->name, ngff_plan_error(plan));
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    return plan;
}

/* -- Writing ------------------------------------------------------------------------------------------------------- */

typedef struct {
    const picture *picture;
    const uint8_t *pixels, *mask;
    ngff_writer *writer;
} writing;

/* Writes one region from the dense image. */
static int32_t write_region(const writing *w, const int64_t *origin, const int64_t *extent)
{
    const picture *p = w->picture;
    int rank = rank_of(p);
    int64_t strides[MAX_RANK], zero[MAX_RANK] = {0};
    strides_dense(rank, p->shape, ngff_type_size(p->type), strides);
    const uint8_t *mask = w->mask ? w->mask + origin[rank - 2] * p->shape[rank - 1] + origin[rank - 1] : NULL;
    return ngff_writer_write(w->writer, origin, extent, w->pixels + strides_offset(rank, strides, zero, origin),
                             strides, mask, p->shape[rank - 1]);
}

/* Fills the mapped memory of a region, also what lies beyond it on the right, and commits it. */
static int32_t map_region(const writing *w, const int64_t *origin, const int64_t *extent)
{
    const picture *p = w->picture;
    int rank = rank_of(p);
    void *to = NULL;
    uint8_t *mask = NULL;
    int64_t to_strides[MAX_RANK], strides[MAX_RANK], zero[MAX_RANK] = {0}, mask_stride = 0;
    int32_t status = ngff_writer_map(w->writer, origin, extent, &to, to_strides, &mask, &mask_stride);
    if (status < 0)
        return status;
    if (status == 0)
        return write_region(w, origin, extent);
    strides_dense(rank, p->shape, ngff_type_size(p->type), strides);
    pixels_copy(rank, extent, ngff_type_size(p->type), to, to_strides,
                w->pixels + strides_offset(rank, strides, zero, origin), strides);
    for (int64_t y = 0; mask && y < extent[rank - 2]; y++)
        memcpy(mask + y * mask_stride, w->mask + (origin[rank - 2] + y) * p->shape[rank - 1] + origin[rank - 1],
               (size_t)extent[rank - 1]);
    return ngff_writer_commit(w->writer, origin, extent);
}

enum { BY_WRITE, BY_MAP, BY_ROWS, BY_RANDOM_PIECES };

static void *pull(void *argument)
{
    writing *w = argument;
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    while (ngff_writer_next(w->writer, origin, extent) == 1)
        if (map_region(w, origin, extent) != NGFF_OK)
            break;
    return NULL;
}

/* All regions of a grid of this extent, in C order or shuffled; a region has to be inside the image. */
static void write_grid(const writing *w, const int64_t *extent, int is_shuffled)
{
    const picture *p = w->picture;
    int rank = rank_of(p);
    int64_t grid[MAX_RANK], n = 1;
    for (int i = 0; i < rank; i++) {
        grid[i] = ceil_div(p->shape[i], extent[i]);
        n *= grid[i];
    }
    static _Thread_local int64_t
        turn[1 << 16]; /* not allocated: that could be made to fail here (faults/test_alloc.c) */
    CHECK(n <= 1 << 16);
    for (int64_t i = 0; i < n; i++)
        turn[i] = i;
    for (int64_t i = n - 1; i > 0 && is_shuffled; i--) {
        int64_t other = mixed((uint64_t)i * 31) % (i + 1), swap = turn[i];
        turn[i] = turn[other];
        turn[other] = swap;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t origin[MAX_RANK], size[MAX_RANK], rest = turn[i];
        for (int k = rank - 1; k >= 0; k--) {
            origin[k] = rest % grid[k] * extent[k];
            rest /= grid[k];
            size[k] = min_i64(extent[k], p->shape[k] - origin[k]);
        }
        if (write_region(w, origin, size) != NGFF_OK)
            break;
    }
}

static void write_all(const writing *w, int manner)
{
    int rank = rank_of(w->picture);
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    if (manner == BY_MAP)
        pull((void *)w);
    else if (manner == BY_WRITE) {
        while (ngff_writer_next(w->writer, origin, extent) == 1)
            if (write_region(w, origin, extent) != NGFF_OK)
                break;
    } else {
        static const int64_t odd[MAX_RANK] = {2, 3, 2, 7, 11};
        for (int i = 0; i < rank; i++)
            extent[i] = manner == BY_ROWS ? 1 : odd[i + MAX_RANK - rank];
        if (manner == BY_ROWS)
            extent[rank - 1] = 2 * w->picture->shape[rank - 1] / 3 + 1;
        write_grid(w, extent, manner == BY_RANDOM_PIECES);
    }
}

/* -- What the store holds ------------------------------------------------------------------------------------------ */

typedef struct {
    char *key;
    uint8_t *bytes;
    size_t n;
} kept;

typedef struct {
    kept *objects;
    size_t n, room;
} snapshot;

static void keep_object(void *user, const char *key, const uint8_t *bytes, size_t n)
{
    snapshot *s = user;
    if (s->n == s->room) {
        s->room = 2 * s->room + 16;
        s->objects = realloc(s->objects, s->room * sizeof *s->objects);
    }
    kept *o = &s->objects[s->n++];
    o->key = strdup(key);
    o->bytes = malloc(n + 1);
    o->n = n;
    memcpy(o->bytes, bytes, n);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const kept *)a)->key, ((const kept *)b)->key);
}

static snapshot take_snapshot(store *s)
{
    snapshot all = {0};
    store_memory_visit(s, keep_object, &all);
    if (all.n > 0)
        qsort(all.objects, all.n, sizeof *all.objects, by_key);
    return all;
}

static void free_snapshot(snapshot *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->objects[i].key);
        free(s->objects[i].bytes);
    }
    free(s->objects);
    *s = (snapshot){0};
}

/* True if both hold the same keys and bytes; says the first difference. */
static int same_snapshots(const snapshot *a, const snapshot *b, const char *name)
{
    size_t n = a->n < b->n ? a->n : b->n;
    for (size_t i = 0; i < n; i++) {
        const kept *x = &a->objects[i], *y = &b->objects[i];
        if (strcmp(x->key, y->key) != 0 || x->n != y->n || memcmp(x->bytes, y->bytes, x->n) != 0) {
            fprintf(stderr, "%s: %s and %s differ\n", name, x->key, y->key);
            return 0;
        }
    }
    if (a->n != b->n)
        fprintf(stderr, "%s: %zu objects, not %zu\n", name, b->n, a->n);
    return a->n == b->n;
}

/* A store in memory that holds these objects. */
static store *store_of(const snapshot *all)
{
    error e = {0};
    store *s = store_memory_open();
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    for (size_t i = 0; i < all->n; i++)
        CHECK_INT(s->writing->put(s, all->objects[i].key, all->objects[i].bytes, all->objects[i].n, &e), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    return s;
}

/* What a pull of a picture leaves. */
static snapshot written_once(const picture *p)
{
    ngff_plan *plan = make_plan(p, "NUM_THREADS=2");
    store *s = store_memory_open();
    uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
    writing w = {p, pixels, mask, writer_open_store(plan, s)};
    write_all(&w, BY_MAP);
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    snapshot result = take_snapshot(s);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    free(pixels);
    free(mask);
    return result;
}

#endif
