/* test_cascade.c: counted cells with a small host: each cell is emitted once and whole; shrinking straight into the
 * parent and gathering first give the same bits; spilled cells come back. */
#include "pyramid/cells.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "check.h"
#include "pyramid/shrink.h"
#include "pyramid/straddle.h"

/* Keeps what is emitted, as whole levels. */
typedef struct {
    ngff_plan *plan;
    budget *budget;
    pool *pool;
    cascade *cascade;
    pthread_mutex_t lock;
    uint8_t *levels[max_levels], *masks[max_levels];
    uint8_t *emitted[max_levels]; /* times per cell */
    int64_t n_emitted, n_spilled, n_fetched, fail_at;
    struct {
        char key[160];
        uint8_t *bytes;
        size_t n;
    } spilled[2000];
} host;

static int32_t emit(void *user, const cell *c, error *e)
{
    host *h = user;
    const level *at = &h->plan->levels[c->level];
    int rank = h->plan->image->rank;
    int64_t size = h->plan->image->type->size, strides[MAX_RANK], zero[MAX_RANK] = {0}, place = 0;
    for (int i = 0; i < rank; i++)
        place = place * at->cell_grid[i] + c->index[i];
    strides_dense(rank, at->shape, size, strides);
    pixels_copy(rank, c->box.extent, size, h->levels[c->level] + strides_offset(rank, strides, zero, c->box.origin),
                strides, c->pixels, c->strides);
    if (c->mask) {
        int64_t to[2] = {at->shape[rank - 1], 1}, from[2] = {at->cell[rank - 1], 1};
        pixels_copy(2, c->box.extent + rank - 2, 1,
                    h->masks[c->level] + strides_offset(2, to, zero, c->box.origin + rank - 2), to, c->mask, from);
    }
    int64_t bytes = product_checked(at->cell, rank) * size + (c->mask ? at->cell[rank - 1] * at->cell[rank - 2] : 0);
    pthread_mutex_lock(&h->lock);
    CHECK(ceil_div(bytes, 64) * 64 + (c->strips ? c->strips->bytes : 0) <= at->cell_bytes); /* as the plan says */
    h->emitted[c->level][place]++;
    int fails = h->n_emitted++ == h->fail_at;
    pthread_mutex_unlock(&h->lock);
    return fails ? error_set(e, NGFF_E_STORAGE, "the test said so") : NGFF_OK;
}

static int32_t spill(void *user, const char *key, const void *bytes, size_t n, error *e)
{
    host *h = user;
    int32_t status = NGFF_OK;
    pthread_mutex_lock(&h->lock);
    int slot = 0;
    while (slot < 2000 && h->spilled[slot].bytes && strcmp(h->spilled[slot].key, key) != 0)
        slot++;
    if (slot == 2000)
        status = error_set(e, NGFF_E_STORAGE, "no room");
    else {
        free(h->spilled[slot].bytes);
        h->spilled[slot].bytes = malloc(n);
        memcpy(h->spilled[slot].bytes, bytes, n);
        snprintf(h->spilled[slot].key, sizeof h->spilled[slot].key, "%s", key);
        h->spilled[slot].n = n;
        h->n_spilled++;
    }
    pthread_mutex_unlock(&h->lock);
    return status;
}

static int32_t fetch(void *user, const char *key, void *bytes, size_t n, error *e)
{
    host *h = user;
    int32_t status = NGFF_E_STORAGE;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < 2000; i++)
        if (h->spilled[i].bytes && strcmp(h->spilled[i].key, key) == 0 && h->spilled[i].n == n) {
            memcpy(bytes, h->spilled[i].bytes, n);
            h->spilled[i].key[0] = 0;
            h->n_fetched++;
            status = NGFF_OK;
        }
    pthread_mutex_unlock(&h->lock);
    return status == NGFF_OK ? NGFF_OK : error_set(e, status, "no such spill: %s", key);
}

static host *start(const char *dims, const int64_t *shape, int32_t type, const char *const *options, int has_mask,
                   int n_workers, int64_t memory)
{
    host *h = calloc(1, sizeof *h);
    ngff_image *image = ngff_image_create(dims, shape, type);
    if (has_mask)
        ngff_image_set_mask(image, 1);
    h->plan = ngff_plan_create(image, options);
    ngff_image_free(image);
    CHECK_INT(ngff_plan_status(h->plan), NGFF_OK);
    int rank = h->plan->image->rank;
    for (int l = 0; l < h->plan->n_levels; l++) {
        const level *at = &h->plan->levels[l];
        h->levels[l] = calloc((size_t)product_checked(at->shape, rank), (size_t)h->plan->image->type->size);
        h->masks[l] = calloc((size_t)(at->shape[rank - 1] * at->shape[rank - 2]), 1);
        h->emitted[l] = calloc((size_t)product_checked(at->cell_grid, rank), 1);
    }
    h->fail_at = -1;
    pthread_mutex_init(&h->lock, NULL);
    h->budget = budget_create(memory);
    h->pool = pool_create(n_workers, 3, NULL, NULL);
    cascade_host calls = {.user = h, .emit = emit, .spill = spill, .fetch = fetch};
    h->cascade = cascade_create(h->plan, h->budget, h->pool, &calls);
    return h;
}

static void stop(host *h)
{
    pool_free(h->pool);
    cascade_free(h->cascade);
    CHECK_INT(budget_used(h->budget), 0); /* every buffer came back */
    budget_free(h->budget);
    for (int l = 0; l < h->plan->n_levels; l++) {
        free(h->levels[l]);
        free(h->masks[l]);
        free(h->emitted[l]);
    }
    for (int i = 0; i < 2000; i++)
        free(h->spilled[i].bytes);
    pthread_mutex_destroy(&h->lock);
    ngff_plan_free(h->plan);
    free(h);
}

static uint8_t *noise(int64_t n_bytes)
{
    uint8_t *bytes = malloc((size_t)n_bytes);
    uint32_t state = 12345;
    for (int64_t i = 0; i < n_bytes; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

static uint8_t *noise_of(const host *h)
{
    return noise(product_checked(h->plan->levels[0].shape, h->plan->image->rank) * h->plan->image->type->size);
}

/* Writes the image in pieces of this extent, in C order. */
static void write_pieces(host *h, const uint8_t *pixels, const uint8_t *mask, const int64_t *extent)
{
    int rank = h->plan->image->rank;
    const int64_t *shape = h->plan->levels[0].shape;
    int64_t origin[MAX_RANK] = {0}, strides[MAX_RANK], zero[MAX_RANK] = {0};
    strides_dense(rank, shape, h->plan->image->type->size, strides);
    for (int i = 0; i >= 0;) {
        error e = {0};
        box piece = box_make(rank, origin, extent), whole = box_make(rank, NULL, shape);
        piece = box_intersect(&piece, &whole);
        const uint8_t *m = mask ? mask + origin[rank - 2] * shape[rank - 1] + origin[rank - 1] : NULL;
        CHECK_INT(cascade_write(h->cascade, 0, &piece, pixels + strides_offset(rank, strides, zero, origin), strides, m,
                                shape[rank - 1], &e),
                  NGFF_OK);
        for (i = rank - 1; i >= 0 && (origin[i] += extent[i]) >= shape[i]; i--)
            origin[i] = 0;
    }
}

static void check_each_cell_came_once(host *h)
{
    error e = {0};
    CHECK_INT(cascade_error(h->cascade, &e), NGFF_OK);
    for (int l = 0; l < h->plan->n_levels; l++)
        for (int64_t i = 0; i < product_checked(h->plan->levels[l].cell_grid, h->plan->image->rank); i++)
            CHECK_INT(h->emitted[l][i], 1);
}

static const char *const reducers[] = {
    "OVERVIEW_RESAMPLING=AVERAGE", "OVERVIEW_RESAMPLING=NEAREST", "OVERVIEW_RESAMPLING=MODE", "OVERVIEW_RESAMPLING=RMS",
    "OVERVIEW_RESAMPLING=MAX",     "OVERVIEW_RESAMPLING=GAUSS",   "OVERVIEW_RESAMPLING=CUBIC"};

static const char *const sizes[] = {"SIZES=CEIL", "SIZES=FLOOR"};

static void each_cell_is_emitted_once_whatever_the_factors(void)
{
    static const char *const factors[] = {"SCALE_FACTORS=2,4,8", "SCALE_FACTORS=3,9", "SCALE_FACTORS=2,5,10",
                                          "SCALE_FACTORS=y:2,x:6;y:4,x:12", "SCALE_FACTORS=7"};
    for (size_t f = 0; f < sizeof factors / sizeof factors[0]; f++)
        for (size_t r = 0; r < sizeof reducers / sizeof reducers[0]; r++)
            for (int way = 0; way < 4; way++) {
                int workers = way & 2;
                host *h = start("yx", (const int64_t[]){61, 83}, NGFF_UINT16,
                                (const char *const[]){"BLOCKSIZE=8,12", factors[f], reducers[r], sizes[way & 1], NULL},
                                0, workers, 1 << 30);
                uint8_t *pixels = noise_of(h);
                write_pieces(h, pixels, NULL, (const int64_t[]){5, 31});
                cascade_finish(h->cascade);
                check_each_cell_came_once(h);
                CHECK(memcmp(h->levels[0], pixels, 61 * 83 * 2) == 0);
                CHECK_INT(cascade_done(h->cascade), product_checked(h->plan->levels[0].cell_grid, 2));
                CHECK_INT(h->n_spilled, 0);
                free(pixels);
                stop(h);
            }
}

/* The whole level reduced at once, without any cells. */
static void check_against_one_reduction(host *h, int l)
{
    const struct ngff_image *image = h->plan->image;
    const level *at = &h->plan->levels[l], *from = &h->plan->levels[at->source];
    int rank = image->rank;
    static const _Alignas(16) uint8_t zero[16];
    int64_t n = product_checked(at->shape, rank) * image->type->size;
    uint8_t *expected = malloc((size_t)n);
    reduction r = {.resampling = h->plan->resampling,
                   .type = image->type,
                   .rank = rank,
                   .source = h->levels[at->source],
                   .target = expected,
                   .mask = image->has_mask ? h->masks[at->source] : NULL,
                   .empty = zero,
                   .source_box = box_make(rank, NULL, from->shape),
                   .target_box = box_make(rank, NULL, at->shape)};
    memcpy(r.ratio, at->ratio, sizeof r.ratio);
    memcpy(r.source_shape, from->shape, sizeof r.source_shape);
    strides_dense(rank, from->shape, image->type->size, r.source_strides);
    strides_dense(rank, at->shape, image->type->size, r.target_strides);
    strides_dense(2, from->shape + rank - 2, 1, r.mask_strides + rank - 2);
    CHECK_INT(reduce(&r), NGFF_OK);
    CHECK(memcmp(expected, h->levels[l], (size_t)n) == 0);
    free(expected);
}

/* Blocks decide whether a level is shrunk straight from its children or gathered first; the numbers must not know. */
static void fused_and_gathered_levels_have_the_same_bits(void)
{
    static const char *const blocks[] = {"BLOCKSIZE=16", "BLOCKSIZE=12", "BLOCKSIZE=10,7", "BLOCKSIZE=100",
                                         "BLOCKSIZE=5"};
    static const char *const factors[] = {"SCALE_FACTORS=2,4", "SCALE_FACTORS=3,6", "SCALE_FACTORS=2,5"};
    static const int32_t types[] = {NGFF_UINT8, NGFF_INT16};
    int n_fused = 0, n_gathered = 0;
    for (size_t r = 0; r < sizeof reducers / sizeof reducers[0]; r++)
        for (int t = 0; t < 2; t++)
            for (size_t f = 0; f < 3; f++)
                for (size_t b = 0; b < 10; b++) {
                    host *h = start("yx", (const int64_t[]){77, 90}, types[t],
                                    (const char *const[]){blocks[b % 5], factors[f], reducers[r], sizes[b / 5], NULL},
                                    (int)(b % 2), 2, 1 << 30);
                    uint8_t *pixels = noise_of(h), *mask = noise(77 * 90);
                    for (int i = 0; i < 77 * 90; i++)
                        mask[i] = mask[i] > 60 ? 255 : 0;
                    write_pieces(h, pixels, b % 2 ? mask : NULL, (const int64_t[]){13, 40});
                    cascade_finish(h->cascade);
                    check_each_cell_came_once(h);
                    for (int l = 1; l < h->plan->n_levels; l++) {
                        check_against_one_reduction(h, l);
                        n_fused += plan_is_fused(h->plan, l);
                        n_gathered += !plan_is_fused(h->plan, l);
                    }
                    free(pixels);
                    free(mask);
                    stop(h);
                }
    CHECK(n_fused > 50 && n_gathered > 50);
}

static void spilled_cells_come_back_as_they_were(void)
{
    for (int workers = 0; workers <= 7; workers += 7) {
        host *h = start("cyx", (const int64_t[]){3, 90, 90}, NGFF_UINT8,
                        (const char *const[]){"BLOCKSIZE=8", "OVERVIEW_RESAMPLING=GAUSS", NULL}, 1, workers, 1);
        uint8_t *pixels = noise_of(h), *mask = noise(90 * 90);
        write_pieces(h, pixels, mask, (const int64_t[]){3, 1, 90}); /* row by row: a row of cells stays open */
        cascade_finish(h->cascade);
        check_each_cell_came_once(h);
        CHECK(h->n_spilled > 100);
        CHECK(memcmp(h->levels[0], pixels, 3 * 90 * 90) == 0);
        for (int i = 0; i < 90 * 90; i++)
            CHECK(h->masks[0][i] == (mask[i] ? 255 : 0));
        for (int l = 1; l < h->plan->n_levels; l++)
            check_against_one_reduction(h, l);
        /* with no memory at all, only what threads have in their hands is held: a few blocks each */
        CHECK(budget_peak(h->budget) < (workers ? 2 : 1) * (workers + 5) * 4 * 3 * 40 * 40);
        free(pixels);
        free(mask);
        stop(h);
    }
}

static void first_failure_stops_everything_after_it(void)
{
    for (int workers = 0; workers <= 2; workers += 2)
        for (int64_t n = 0; n < 30; n += 3) {
            host *h = start("yx", (const int64_t[]){61, 83}, NGFF_UINT16, (const char *const[]){"BLOCKSIZE=16", NULL},
                            0, workers, 1 << 30);
            error e = {0};
            uint8_t *pixels = noise_of(h);
            h->fail_at = n;
            write_pieces(h, pixels, NULL, (const int64_t[]){16, 16});
            pool_wait(h->pool);
            /* Threads that had a cell in their hands may emit it; once the failure is known none begins another. */
            int64_t n_emitted = h->n_emitted;
            int is_known = cascade_error(h->cascade, &e) != NGFF_OK;
            cascade_finish(h->cascade);
            CHECK_INT(cascade_error(h->cascade, &e), NGFF_E_STORAGE);
            CHECK_TEXT(e.message, "the test said so");
            if (is_known)
                CHECK_INT(h->n_emitted, n_emitted);
            if (workers == 0)
                CHECK_INT(h->n_emitted, n + 1);
            free(pixels);
            stop(h);
        }
}

/* Two threads meet in a cell; the one that comes second with the same pixels must neither complete it nor hang it. */
typedef struct {
    host *host;
    const uint8_t *pixels;
    atomic_int *n_refused;
} rival;

static void *write_whole_image(void *argument)
{
    rival *r = argument;
    error e = {0};
    int64_t strides[2] = {64, 1};
    box whole = box_make(2, NULL, (const int64_t[]){64, 64});
    if (cascade_write(r->host->cascade, 0, &whole, r->pixels, strides, NULL, 0, &e) != NGFF_OK)
        atomic_fetch_add(r->n_refused, 1);
    return NULL;
}

static void rivals_for_the_same_pixels_are_refused(void)
{
    for (int i = 0; i < 100; i++) {
        host *h = start("yx", (const int64_t[]){64, 64}, NGFF_UINT8, (const char *const[]){"BLOCKSIZE=8", NULL}, 0, 0,
                        1 << 20);
        uint8_t *pixels = noise_of(h);
        atomic_int n_refused = 0;
        rival r = {h, pixels, &n_refused};
        pthread_t threads[3];
        for (int k = 0; k < 3; k++)
            pthread_create(&threads[k], NULL, write_whole_image, &r);
        for (int k = 0; k < 3; k++)
            pthread_join(threads[k], NULL);
        CHECK(n_refused >= 2);
        free(pixels);
        stop(h);
    }
}

/* Of 64 x 64 cells one comes and the others are left out: cells are made, and have memory, only above that one, and all
 * of them before the end. */
static void what_is_left_out_costs_nothing(void)
{
    static const char *const methods[] = {"OVERVIEW_RESAMPLING=AVERAGE", "OVERVIEW_RESAMPLING=NEAREST"};
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        host *h = start("yx", (const int64_t[]){512, 512}, NGFF_UINT8,
                        (const char *const[]){"BLOCKSIZE=8", methods[m], NULL}, 0, 0, 1 << 30);
        error e = {0};
        uint8_t *pixels = noise_of(h);
        for (int64_t y = 0; y < 512; y += 8)
            for (int64_t x = 0; x < 512; x += 8) {
                const int64_t origin[2] = {y, x}, extent[2] = {8, 8}, strides[2] = {512, 1};
                box cell = box_make(2, origin, extent);
                int comes = y == 200 && x == 304;
                CHECK_INT(comes ? cascade_write(h->cascade, 0, &cell, pixels + 512 * y + x, strides, NULL, 0, &e)
                                : cascade_skip(h->cascade, 0, &cell, &e),
                          NGFF_OK);
            }
        CHECK_INT(h->plan->n_levels, 7);
        CHECK_INT(h->n_emitted, 7);
        CHECK_INT(cascade_done(h->cascade), 64 * 64);
        CHECK(cell_lowest(h->cascade) == NULL);
        CHECK(budget_peak(h->budget) <= 7 * h->plan->levels[0].cell_bytes);
        cascade_finish(h->cascade);
        CHECK_INT(h->n_emitted, 7);
        for (int l = 1; l < 7; l++)
            check_against_one_reduction(h, l);
        free(pixels);
        stop(h);
    }
}

/* All cells are begun and none is complete; then all are completed by the end. Work is counted, not time. */
static void many_open_cells_cost_what_they_are(void)
{
    static const int64_t sides[] = {128, 256};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const int64_t n_cells = sides[i] / 8 * (sides[i] / 8), row[2] = {1, sides[i]}, strides[2] = {sides[i], 1};
        host *h = start("yx", (const int64_t[]){sides[i], sides[i]}, NGFF_UINT8,
                        (const char *const[]){"BLOCKSIZE=8", NULL}, 0, 0, 4 * 64);
        uint8_t *pixels = noise_of(h);
        for (int64_t y = 0; y < sides[i]; y += 8) {
            error e = {0};
            box top = box_make(2, (const int64_t[]){y, 0}, row);
            CHECK_INT(cascade_write(h->cascade, 0, &top, pixels + y * sides[i], strides, NULL, 0, &e), NGFF_OK);
        }
        CHECK(h->n_spilled > n_cells / 2);
        cascade_finish(h->cascade);
        check_each_cell_came_once(h);
        CHECK(h->cascade->n_looked_at <= 2 * (h->n_spilled + 2 * n_cells));
        free(pixels);
        stop(h);
    }
}

int main(void)
{
    RUN(each_cell_is_emitted_once_whatever_the_factors);
    RUN(fused_and_gathered_levels_have_the_same_bits);
    RUN(spilled_cells_come_back_as_they_were);
    RUN(first_failure_stops_everything_after_it);
    RUN(what_is_left_out_costs_nothing);
    RUN(many_open_cells_cost_what_they_are);
    RUN(rivals_for_the_same_pixels_are_refused);
    CHECK_EXIT();
}
