/* test_writer.c: the bytes of a store depend on nothing but the image and the options; every level equals a plain model
 * of the reducers; and whatever fails, nothing is published. */
#include <sys/stat.h>
#include <unistd.h>

#include "level_model.h"

/* -- The same bytes, whatever the threads, the order and the memory ------------------------------------------------ */

typedef struct {
    const char *threads;
    int manner, n_readers;
    int64_t pixel_memory; /* 0: as planned, AT_LEAST: what a plan with too little MEMORY is raised to */
    int source;
} run;

enum { AT_LEAST = -1 };

/* How the source says that it is best read. */
enum { ANY_BLOCK, ROW_BLOCKS, LARGE_BLOCKS, INTERLEAVED };

static void set_source(ngff_plan *plan, const picture *p, int source, int n_readers)
{
    int64_t block[MAX_RANK], chunk[MAX_RANK];
    int rank = rank_of(p);
    ngff_plan_level_chunk(plan, 0, chunk);
    for (int i = 0; i < rank; i++)
        block[i] = 1;
    if (source == ROW_BLOCKS)
        block[rank - 1] = p->shape[rank - 1];
    else if (source == LARGE_BLOCKS) {
        block[rank - 1] = 2 * chunk[rank - 1];
        block[rank - 2] = 3 * chunk[rank - 2];
    } else if (source == INTERLEAVED && strchr(p->dims, 'c'))
        block[strchr(p->dims, 'c') - p->dims] = channels_of(p);
    CHECK_INT(ngff_plan_set_source(plan, source == ANY_BLOCK ? NULL : block, n_readers), NGFF_OK);
}

static int64_t n_spilled;

static snapshot run_picture(const picture *p, const run *r)
{
    snapshot result = {0};
    ngff_plan *plan = make_plan(p, r->threads);
    set_source(plan, p, r->source, r->n_readers);
    int64_t least = plan->pixel_least;
    if (r->pixel_memory)
        plan->pixel_memory = r->pixel_memory == AT_LEAST ? least : r->pixel_memory;
    store *s = store_memory_open();
    uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
    writing w = {p, pixels, mask, writer_open_store(plan, s)};
    if (r->n_readers > 1) {
        pthread_t threads[8];
        for (int i = 0; i < r->n_readers; i++)
            pthread_create(&threads[i], NULL, pull, &w);
        for (int i = 0; i < r->n_readers; i++)
            pthread_join(threads[i], NULL);
    } else
        write_all(&w, r->manner);
    CHECK_INT(ngff_writer_status(w.writer), NGFF_OK);
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    if (ngff_writer_status(w.writer) != NGFF_OK)
        fprintf(stderr, "%s: %s\n", p->name, ngff_writer_error(w.writer));
    CHECK(store_memory_is_published(s));
    CHECK(ngff_writer_progress(w.writer) == 1.0);
    n_spilled = store_memory_scratch_count(s);
    result = take_snapshot(s);
    CHECK((int64_t)result.n <= ngff_plan_object_count(plan));
    /* What several threads hold at one moment is the scheduler's affair: only one thread is held to the byte. */
    int is_alone = strcmp(r->threads, "NUM_THREADS=1") == 0 && r->n_readers == 1, slack = is_alone ? 1 : 2;
    if (!r->pixel_memory && r->manner <= BY_MAP) {
        /* In the order of next the plan's memory suffices, and nothing has to leave it. */
        CHECK(!is_alone || n_spilled == 0);
        CHECK(writer_pixel_peak(w.writer) <= slack * plan->pixel_memory);
        CHECK(writer_pixel_peak(w.writer) < slack * ngff_plan_memory(plan));
    }
    if (r->pixel_memory == AT_LEAST)
        CHECK(writer_pixel_peak(w.writer) <= slack * least);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    free(pixels);
    free(mask);
    return result;
}

static void store_is_the_same_for_all_threads_orders_and_memories(void)
{
    static const run runs[] = {
        {"NUM_THREADS=1", BY_WRITE, 1, 0, ANY_BLOCK},
        {"NUM_THREADS=2", BY_MAP, 1, 0, ANY_BLOCK},
        {"NUM_THREADS=8", BY_MAP, 1, 0, ANY_BLOCK},
        {"NUM_THREADS=2", BY_MAP, 2, 0, ANY_BLOCK},
        {"NUM_THREADS=8", BY_MAP, 3, 0, ANY_BLOCK},
        {"NUM_THREADS=2", BY_WRITE, 1, 0, ROW_BLOCKS},
        {"NUM_THREADS=8", BY_MAP, 2, 0, ROW_BLOCKS},
        {"NUM_THREADS=2", BY_MAP, 1, 0, LARGE_BLOCKS},
        {"NUM_THREADS=8", BY_MAP, 3, 0, LARGE_BLOCKS},
        {"NUM_THREADS=1", BY_MAP, 1, 0, INTERLEAVED},
        {"NUM_THREADS=8", BY_MAP, 2, 0, INTERLEAVED},
        {"NUM_THREADS=1", BY_ROWS, 1, 0, ANY_BLOCK},
        {"NUM_THREADS=2", BY_ROWS, 1, 0, ANY_BLOCK},
        {"NUM_THREADS=2", BY_RANDOM_PIECES, 1, 0, ANY_BLOCK},
        {"NUM_THREADS=1", BY_RANDOM_PIECES, 1, 1, ANY_BLOCK},
        {"NUM_THREADS=8", BY_RANDOM_PIECES, 1, 1, ANY_BLOCK},
        {"NUM_THREADS=2", BY_ROWS, 1, 1, INTERLEAVED},
        {"NUM_THREADS=2", BY_MAP, 2, 1, ROW_BLOCKS},
        {"NUM_THREADS=8", BY_RANDOM_PIECES, 1, 20000, ANY_BLOCK},
        {"NUM_THREADS=1", BY_RANDOM_PIECES, 1, AT_LEAST, ANY_BLOCK},
        {"NUM_THREADS=8", BY_MAP, 3, AT_LEAST, ANY_BLOCK},
        {"NUM_THREADS=2", BY_ROWS, 1, AT_LEAST, ANY_BLOCK},
    };
    int64_t spilled[sizeof runs / sizeof runs[0]] = {0};
    for (int i = 0; i < n_pictures; i++) {
        run plain = {"NUM_THREADS=1", BY_MAP, 1, 0, ANY_BLOCK};
        snapshot expected = run_picture(&pictures[i], &plain);
        for (size_t k = 0; k < sizeof runs / sizeof runs[0]; k++) {
            snapshot found = run_picture(&pictures[i], &runs[k]);
            spilled[k] += n_spilled;
            CHECK(same_snapshots(&expected, &found, pictures[i].name));
            free_snapshot(&found);
        }
        free_snapshot(&expected);
    }
    for (size_t k = 14; k < 17; k++)
        CHECK(spilled[k] > 100); /* too little memory was really too little */
}

/* -- Every pixel of every level ------------------------------------------------------------------------------------ */

/* An open writer on a memory store, and what it is given. */
typedef struct {
    ngff_plan *plan;
    store *store;
    model_level levels[max_levels];
    writing w;
} opened;

static opened open_picture(const picture *p, const char *threads)
{
    opened o = {.plan = make_plan(p, threads), .store = store_memory_open()};
    memcpy(o.levels[0].shape, p->shape, sizeof p->shape);
    o.levels[0].pixels = make_pixels(p);
    o.levels[0].mask = p->has_mask ? make_mask(p) : NULL;
    o.w = (writing){p, o.levels[0].pixels, o.levels[0].mask, writer_open_store(o.plan, o.store)};
    CHECK_INT(ngff_writer_status(o.w.writer), NGFF_OK);
    return o;
}

static void close_picture(opened *o)
{
    free_model(o->levels, o->plan->n_levels);
    ngff_writer_free(o->w.writer);
    ngff_plan_free(o->plan);
}

static void levels_equal_a_plain_model(void)
{
    int n_checked = 0;
    for (int i = 0; i < n_pictures; i++) {
        opened o = open_picture(&pictures[i], "NUM_THREADS=2");
        write_all(&o.w, BY_MAP);
        CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
        if (o.plan->resampling < REDUCE_GAUSS) {
            make_model(&pictures[i], o.plan, o.levels, 0);
            check_levels(&pictures[i], o.plan, o.store, o.levels);
            n_checked++;
        }
        close_picture(&o);
    }
    CHECK(n_checked > 25);
}

/* Sets a box of the model to what pixels that nobody wrote read as. */
static void forget(const picture *p, model_level *m, const int64_t *origin, const int64_t *extent)
{
    int rank = rank_of(p);
    const char *c = strchr(p->dims, 'c');
    int64_t size = ngff_type_size(p->type), strides[MAX_RANK], zero[MAX_RANK] = {0}, step[MAX_RANK] = {0}, at[MAX_RANK];
    strides_dense(rank, m->shape, size, strides);
    for (int64_t n = volume_of(rank, extent); n > 0; n--, next_position(rank, extent, step)) {
        uint8_t unwritten[16];
        for (int i = 0; i < rank; i++)
            at[i] = origin[i] + step[i];
        nodata_of(p, c ? at[c - p->dims] : 0, unwritten);
        memcpy(m->pixels + strides_offset(rank, strides, zero, at), unwritten, (size_t)size);
        if (m->mask)
            m->mask[at[rank - 2] * m->shape[rank - 1] + at[rank - 1]] = 0;
    }
}

/* Every third region is left out, every third is mapped and never committed, one is written in part. */
static void pixels_never_written_are_nodata_or_zero_in_all_levels(void)
{
    for (int i = 0; i < n_pictures; i++) {
        const picture *p = &pictures[i];
        if (p->has_whole_mask)
            continue;
        opened o = open_picture(p, "NUM_THREADS=2");
        int64_t origin[MAX_RANK], extent[MAX_RANK], strides[MAX_RANK], mask_stride;
        void *pixels;
        uint8_t *mask;
        int rank = rank_of(p);
        for (int n = 0; ngff_writer_next(o.w.writer, origin, extent) == 1; n++) {
            if (n % 3 == 0)
                forget(p, &o.levels[0], origin, extent);
            else if (n % 3 == 1) {
                CHECK_INT(ngff_writer_map(o.w.writer, origin, extent, &pixels, strides, &mask, &mask_stride), 1);
                forget(p, &o.levels[0], origin, extent);
            } else {
                int64_t rest[MAX_RANK], part[MAX_RANK];
                memcpy(rest, origin, sizeof rest);
                memcpy(part, extent, sizeof part);
                part[rank - 2] = extent[rank - 2] / 2;
                rest[rank - 2] += part[rank - 2];
                if (part[rank - 2] > 0)
                    CHECK_INT(write_region(&o.w, origin, part), NGFF_OK);
                part[rank - 2] = extent[rank - 2] - part[rank - 2];
                forget(p, &o.levels[0], rest, part);
            }
        }
        CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
        if (o.plan->resampling < REDUCE_GAUSS) {
            make_model(p, o.plan, o.levels, 0);
            check_levels(p, o.plan, o.store, o.levels);
        }
        close_picture(&o);
    }
}

static void writer_without_any_pixel_closes_to_an_empty_image(void)
{
    for (int i = 0; i < n_pictures; i++) {
        static const int64_t zero[MAX_RANK];
        opened o = open_picture(&pictures[i], "NUM_THREADS=2");
        forget(&pictures[i], &o.levels[0], zero, pictures[i].shape);
        CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
        if (o.plan->resampling < REDUCE_GAUSS) {
            make_model(&pictures[i], o.plan, o.levels, 0);
            check_levels(&pictures[i], o.plan, o.store, o.levels);
        }
        close_picture(&o);
    }
}

/* How many regions of a walk are left out. */
enum { EVERY_THIRD, ALL_BUT_EVERY_FIFTH, RUNS, EVERYTHING, n_patterns };

static int is_left_out(int pattern, int n)
{
    return pattern == EVERYTHING || (pattern == EVERY_THIRD && n % 3 == 0) ||
           (pattern == ALL_BUT_EVERY_FIFTH && n % 5 != 0) || (pattern == RUNS && mixed((uint64_t)n / 7) % 2);
}

/* Writes a picture without what the pattern leaves out, which is forgotten. */
static void write_with_holes(opened *o, int pattern)
{
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    for (int n = 0; ngff_writer_next(o->w.writer, origin, extent) == 1; n++) {
        if (!is_left_out(pattern, n)) {
            CHECK_INT(map_region(&o->w, origin, extent), NGFF_OK);
            continue;
        }
        CHECK_INT(ngff_writer_level_skip(o->w.writer, 0, origin, extent), NGFF_OK);
        forget(o->w.picture, &o->levels[0], origin, extent);
    }
    CHECK_INT(ngff_writer_close(o->w.writer), NGFF_OK);
}

/* Regions that are left out read as never written in every level of every picture, the store has the bytes of one to
 * which that was written, and its memory is that of the plan. */
static void regions_left_out_read_as_never_written(void)
{
    for (int i = 0; i < n_pictures; i++)
        for (int pattern = pictures[i].has_whole_mask ? EVERYTHING : 0; pattern < n_patterns; pattern++) {
            snapshot expected = {0};
            for (int k = 0; k < 3; k++) {
                opened o = open_picture(&pictures[i], k == 0 ? "NUM_THREADS=1" : "NUM_THREADS=8");
                if (k == 2) { /* what waits leaves memory, and comes back when the last child is left out */
                    ngff_writer_free(o.w.writer);
                    o.plan->pixel_memory = 1;
                    o.store = store_memory_open();
                    o.w.writer = writer_open_store(o.plan, o.store);
                }
                write_with_holes(&o, pattern);
                if (k == 0) {
                    opened whole = open_picture(&pictures[i], "NUM_THREADS=2");
                    whole.w.pixels = o.levels[0].pixels;
                    whole.w.mask = o.levels[0].mask;
                    write_all(&whole.w, BY_MAP);
                    CHECK_INT(ngff_writer_close(whole.w.writer), NGFF_OK);
                    expected = take_snapshot(whole.store);
                    close_picture(&whole);
                    CHECK_INT(store_memory_scratch_count(o.store), 0);
                    CHECK(writer_pixel_peak(o.w.writer) <= o.plan->pixel_memory);
                    if (o.plan->resampling < REDUCE_GAUSS) {
                        make_model(&pictures[i], o.plan, o.levels, 0);
                        check_levels(&pictures[i], o.plan, o.store, o.levels);
                    }
                }
                snapshot found = take_snapshot(o.store);
                CHECK(same_snapshots(&expected, &found, pictures[i].name));
                free_snapshot(&found);
                close_picture(&o);
            }
            free_snapshot(&expected);
        }
}

static void only_whole_unwritten_regions_can_be_left_out(void)
{
    static const int64_t zero[2], one[2] = {1, 1}, block[2] = {16, 16}, outside[2] = {96, 80};
    static const struct {
        const int64_t *origin, *extent;
        int is_written, status;
    } calls[] = {{zero, block, 0, NGFF_OK},
                 {zero, block, 1, NGFF_E_STATE},
                 {one, block, 0, NGFF_E_ARGUMENT},
                 {zero, one, 0, NGFF_E_ARGUMENT},
                 {outside, block, 0, NGFF_E_ARGUMENT}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        opened o = open_picture(&pictures[0], "NUM_THREADS=1");
        if (calls[i].is_written)
            CHECK_INT(write_region(&o.w, zero, one), NGFF_OK);
        CHECK_INT(ngff_writer_level_skip(o.w.writer, 0, calls[i].origin, calls[i].extent), calls[i].status);
        if (calls[i].status == NGFF_OK) {
            CHECK(ngff_writer_progress(o.w.writer) > 0);
            CHECK_INT(ngff_writer_level_skip(o.w.writer, 0, zero, block), NGFF_E_STATE);
        }
        close_picture(&o);
        opened late = open_picture(&pictures[0], "NUM_THREADS=1");
        CHECK_INT(ngff_writer_level_skip(late.w.writer, 0, zero, block), NGFF_OK);
        CHECK_INT(write_region(&late.w, zero, one), NGFF_E_STATE);
        close_picture(&late);
    }
    ngff_plan *plan = make_plan(&pictures[0], "NUM_THREADS=1");
    ngff_writer *w = writer_push_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_level_skip(w, 0, zero, block), NGFF_E_STATE);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

/* One mask serves all planes: another one is refused, in the block of the first and in one of its own. */
static void masks_of_planes_must_be_the_same(void)
{
    static const picture p = {.name = "planes",
                              .dims = "zyx",
                              .shape = {4, 16, 16},
                              .type = NGFF_UINT8,
                              .options = {"BLOCKSIZE=z:2,y:8,x:8", "NUM_THREADS=1"},
                              .has_mask = 1};
    static const int64_t plane[3] = {1, 16, 16};
    for (int other = 0; other < 5; other++) { /* the plane whose mask is another; 4: none */
        uint8_t pixels[256], mask[256];
        ngff_plan *plan = make_plan(&p, NULL);
        ngff_writer *w = writer_open_store(plan, store_memory_open());
        int32_t status = NGFF_OK;
        for (int i = 0; i < 256; i++)
            pixels[i] = (uint8_t)i;
        for (int64_t z = 0; z < 4; z++) {
            const int64_t origin[3] = {z, 0, 0};
            for (int i = 0; i < 256; i++)
                mask[i] = i % 3 ? (uint8_t)(1 + z) : 0; /* any value but 0 is valid */
            if (z == other)
                mask[16 * 9 + 11] = !mask[16 * 9 + 11];
            if (status == NGFF_OK)
                status = ngff_writer_write(w, origin, plane, pixels, NULL, mask, 16);
        }
        if (status == NGFF_OK)
            status = ngff_writer_close(w);
        CHECK_INT(status, other < 4 ? NGFF_E_ARGUMENT : NGFF_OK);
        if (other < 4)
            CHECK(strstr(ngff_writer_error(w), "one mask for all"));
        ngff_writer_free(w);
        ngff_plan_free(plan);
    }
}

/* Level 1 comes from the caller; level 2 is made from it. */
static void given_level_is_taken_and_used(void)
{
    const picture *p = &pictures[3];
    ngff_plan *plan = make_plan(p, "NUM_THREADS=2");
    model_level levels[max_levels] = {0};
    picture half = *p;
    CHECK_INT(ngff_plan_set_given(plan, 1), NGFF_OK);
    CHECK(plan->n_levels >= 3 && plan->levels[2].source == 1);
    memcpy(half.shape, plan->levels[1].shape, sizeof half.shape);
    memcpy(levels[0].shape, p->shape, sizeof p->shape);
    memcpy(levels[1].shape, half.shape, sizeof half.shape);
    levels[0].pixels = make_pixels(p);
    levels[1].pixels = make_pixels(&half);
    store *s = store_memory_open();
    writing w = {p, levels[0].pixels, NULL, writer_open_store(plan, s)};
    int64_t origin[MAX_RANK], extent[MAX_RANK], strides[MAX_RANK], zero[MAX_RANK] = {0};
    strides_dense(3, half.shape, 2, strides);
    int n = 0;
    for (; ngff_writer_level_next(w.writer, 1, origin, extent) == 1; n++)
        CHECK_INT(ngff_writer_level_write(w.writer, 1, origin, extent,
                                          levels[1].pixels + strides_offset(3, strides, zero, origin), strides, NULL,
                                          0),
                  NGFF_OK);
    CHECK_INT(n, volume_of(3, plan->levels[1].grid));
    write_all(&w, BY_MAP);
    CHECK_INT(ngff_writer_level_next(w.writer, 2, origin, extent), 0);
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    make_model(p, plan, levels, 1);
    check_levels(p, plan, s, levels);
    free_model(levels, plan->n_levels);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
}

/* -- Failures ------------------------------------------------------------------------------------------------------ */

static int64_t count_objects(store *s)
{
    snapshot all = take_snapshot(s);
    int64_t n = (int64_t)all.n;
    free_snapshot(&all);
    return n;
}

/* Lets the n-th put fail. Returns 0 when there were fewer puts. */
static int survives_failure(const picture *p, const run *r, int64_t n_puts)
{
    int64_t origin[MAX_RANK] = {0}, extent[MAX_RANK], strides[MAX_RANK], mask_stride;
    void *pixels;
    uint8_t *mask;
    char message[1100];
    opened o = open_picture(p, r->threads);
    ngff_writer *w = o.w.writer;
    ngff_writer_free(w); /* once more, with the memory of this run */
    if (r->pixel_memory)
        o.plan->pixel_memory = r->pixel_memory;
    o.store = store_memory_open();
    store_memory_fail_after(o.store, n_puts);
    o.w.writer = w = writer_open_store(o.plan, o.store);
    write_all(&o.w, r->manner);
    int32_t status = ngff_writer_close(w);
    if (status != NGFF_OK) {
        CHECK_INT(status, NGFF_E_STORAGE);
        CHECK(!store_memory_is_published(o.store));
        CHECK_INT(count_objects(o.store), 0);
        CHECK(strstr(ngff_writer_error(w), "the test said so"));
        CHECK(ngff_writer_progress(w) < 1.0);
        /* the first error stays, whatever is called */
        snprintf(message, sizeof message, "%s", ngff_writer_error(w));
        for (int i = 0; i < rank_of(p); i++)
            extent[i] = 1;
        CHECK_INT(ngff_writer_next(w, origin, extent), status);
        CHECK_INT(ngff_writer_map(w, origin, extent, &pixels, strides, &mask, &mask_stride), status);
        CHECK_INT(ngff_writer_commit(w, origin, extent), status);
        CHECK_INT(write_region(&o.w, origin, extent), status);
        CHECK_INT(ngff_writer_close(w), status);
        CHECK_TEXT(ngff_writer_error(w), message);
    }
    close_picture(&o);
    return status != NGFF_OK;
}

static void each_failing_put_ends_in_an_error_and_nothing_published(void)
{
    static const int chosen[] = {3, 4, 8, 13, 15, 20, 23, 25};
    static const run runs[] = {{"NUM_THREADS=1", BY_MAP, 1, 0, ANY_BLOCK},
                               {"NUM_THREADS=8", BY_MAP, 1, 0, ANY_BLOCK},
                               {"NUM_THREADS=2", BY_RANDOM_PIECES, 1, 1, ANY_BLOCK}};
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
        for (int r = 0; r < 3; r++) {
            int64_t n = 0;
            while (survives_failure(&pictures[chosen[i]], &runs[r], n))
                n += n < 12 ? 1 : 1 + n / 8; /* all of the first, then fewer and fewer */
            CHECK(n > 3);
        }
}

static void cancelling_at_any_point_leaves_nothing_on_the_disk(void)
{
    const picture *p = &pictures[3];
    char folder[300], path[400], partial[400];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/ngff-cancel-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/image.ome.zarr", folder);
    snprintf(partial, sizeof partial, "%s/.image.ome.zarr.partial", folder);
    uint8_t *pixels = make_pixels(p);
    for (int n = 0;; n++) {
        struct stat about;
        int64_t origin[MAX_RANK], extent[MAX_RANK];
        int done = 0;
        ngff_plan *plan = make_plan(p, n % 2 ? "NUM_THREADS=8" : "NUM_THREADS=1");
        writing w = {p, pixels, NULL, writer_open_store(plan, store_file_open(path))};
        while (done < n && ngff_writer_next(w.writer, origin, extent) == 1) {
            CHECK_INT(map_region(&w, origin, extent), NGFF_OK);
            done++;
        }
        CHECK(stat(partial, &about) == 0);
        ngff_writer_free(w.writer);
        ngff_plan_free(plan);
        CHECK(stat(path, &about) != 0);
        CHECK(stat(partial, &about) != 0);
        if (done < n)
            break;
    }
    free(pixels);
    CHECK_INT(rmdir(folder), 0);
}

/* -- Rules of the calls -------------------------------------------------------------------------------------------- */

/* By hand: what a store holds, byte by byte, also where the machine has another order. */
static void pixels_are_stored_little_endian(void)
{
    static const uint16_t shorts[4] = {0x0102, 0x0304, 0x0506, 0xF008};
    static const double parts[2] = {1, -2}; /* one complex pixel: 3FF0 0000 ..., C000 0000 ... */
    static const uint8_t as_stored[8] = {2, 1, 4, 3, 6, 5, 8, 0xF0};
    static const uint8_t complex_as_stored[16] = {[6] = 0xF0, [7] = 0x3F, [15] = 0xC0};
    const char *options[] = {"COMPRESS=NONE", "BLOCKSIZE=2", "OVERVIEW_COUNT=0", NULL};
    const int64_t two[2] = {2, 2}, one[2] = {1, 1}, origin[2] = {0, 0};
    for (int is_complex = 0; is_complex < 2; is_complex++) {
        ngff_image *image = ngff_image_create("yx", is_complex ? one : two, is_complex ? NGFF_COMPLEX128 : NGFF_UINT16);
        options[1] = is_complex ? "BLOCKSIZE=1" : "BLOCKSIZE=2";
        ngff_plan *plan = ngff_plan_create(image, options);
        store *s = store_memory_open();
        ngff_writer *w = writer_open_store(plan, s);
        const void *pixels = is_complex ? (const void *)parts : (const void *)shorts;
        CHECK_INT(ngff_writer_write(w, origin, is_complex ? one : two, pixels, NULL, NULL, 0), NGFF_OK);
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        uint8_t *bytes = NULL;
        size_t n = 0;
        error e = {0};
        CHECK_INT(store_read(s, "scale0/image/c/0/0", 0, 0, &bytes, &n, &e), NGFF_OK);
        CHECK_INT(n, is_complex ? 16 : 8);
        CHECK(bytes && memcmp(bytes, is_complex ? complex_as_stored : as_stored, n) == 0);
        free(bytes);
        ngff_writer_free(w);
        ngff_plan_free(plan);
        ngff_image_free(image);
    }
}

static void pixel_written_twice_is_refused(void)
{
    const picture *p = &pictures[3]; /* 3 x 61 x 83, chunks of 16 */
    static const struct {
        int64_t origin[3], extent[3];
    } second[] = {
        {{0, 0, 0}, {1, 16, 16}}, {{0, 15, 15}, {1, 1, 1}}, {{0, 10, 10}, {1, 40, 40}}, {{0, 0, 0}, {3, 61, 83}}};
    static const struct {
        int64_t origin[3], extent[3];
    } first[] = {{{0, 0, 0}, {1, 16, 16}}, {{0, 3, 3}, {1, 13, 13}}};
    for (int mapped = 0; mapped < 2; mapped++)
        for (int f = 0; f < 2; f++)
            for (int i = 0; i < 4; i++) {
                opened o = open_picture(p, i % 2 ? "NUM_THREADS=2" : "NUM_THREADS=1");
                CHECK_INT(mapped ? map_region(&o.w, first[f].origin, first[f].extent)
                                 : write_region(&o.w, first[f].origin, first[f].extent),
                          NGFF_OK);
                CHECK_INT(write_region(&o.w, second[i].origin, second[i].extent), NGFF_E_STATE);
                CHECK(strstr(ngff_writer_error(o.w.writer), "written already"));
                CHECK_INT(ngff_writer_close(o.w.writer), NGFF_E_STATE);
                CHECK_INT(count_objects(o.store), 0);
                close_picture(&o);
            }
}

static void mapped_region_belongs_to_who_mapped_it(void)
{
    const picture *p = &pictures[3];
    static const int64_t origin[3] = {1, 16, 16}, extent[3] = {1, 16, 16}, half[3] = {1, 16, 8};
    int64_t strides[3], mask_stride;
    void *pixels;
    uint8_t *mask;
    for (int i = 0; i < 4; i++) {
        opened o = open_picture(p, "NUM_THREADS=2");
        ngff_writer *w = o.w.writer;
        CHECK_INT(ngff_writer_map(w, origin, half, &pixels, strides, &mask, &mask_stride), 0); /* not a whole cell */
        CHECK_INT(ngff_writer_map(w, origin, extent, &pixels, strides, &mask, &mask_stride), 1);
        CHECK(strides[2] == 2 && mask == NULL);
        if (i == 0)
            CHECK_INT(ngff_writer_map(w, origin, extent, &pixels, strides, &mask, &mask_stride), NGFF_E_STATE);
        else if (i == 1)
            CHECK_INT(write_region(&o.w, origin, half), NGFF_E_STATE);
        else if (i == 2)
            CHECK_INT(ngff_writer_commit(w, origin, half), NGFF_E_STATE);
        else {
            memset(pixels, 0, 512);
            CHECK_INT(ngff_writer_commit(w, origin, extent), NGFF_OK);
            CHECK_INT(ngff_writer_commit(w, origin, extent), NGFF_E_STATE);
        }
        close_picture(&o);
    }
}

static void wrong_arguments_are_told(void)
{
    static const struct {
        int64_t origin[3], extent[3];
    } wrong[] = {{{0, 0, 0}, {4, 1, 1}}, {{0, -1, 0}, {1, 2, 2}}, {{0, 60, 0}, {1, 2, 1}}, {{0, 0, 0}, {1, 0, 1}}};
    for (int i = 0; i < 4; i++) {
        opened o = open_picture(&pictures[3], NULL);
        CHECK_INT(write_region(&o.w, wrong[i].origin, wrong[i].extent), NGFF_E_ARGUMENT);
        close_picture(&o);
    }
    static const int64_t origin[3], extent[3] = {1, 1, 1};
    opened o = open_picture(&pictures[3], NULL);
    CHECK_INT(ngff_writer_write(o.w.writer, origin, extent, NULL, NULL, NULL, 0), NGFF_E_ARGUMENT);
    close_picture(&o);
    o = open_picture(&pictures[8], NULL);
    CHECK_INT(ngff_writer_write(o.w.writer, origin, extent, o.w.pixels, NULL, NULL, 0), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_writer_error(o.w.writer), "mask"));
    close_picture(&o);
    o = open_picture(&pictures[3], NULL);
    CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
    CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
    CHECK_INT(write_region(&o.w, origin, extent), NGFF_E_STATE);
    close_picture(&o);
}

static void writer_of_a_broken_plan_only_tells_its_error(void)
{
    static const char *const options[] = {"NO_SUCH_OPTION=1", NULL};
    int64_t origin[2] = {0}, extent[2] = {1, 1};
    ngff_image *image = ngff_image_create("yx", (int64_t[]){8, 8}, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    store *s = store_memory_open();
    ngff_writer *w = writer_open_store(plan, s);
    CHECK_INT(ngff_writer_status(w), NGFF_E_OPTION);
    CHECK_INT(ngff_writer_next(w, origin, extent), NGFF_E_OPTION);
    CHECK_INT(ngff_writer_write(w, origin, extent, "x", NULL, NULL, 0), NGFF_E_OPTION);
    CHECK(ngff_writer_progress(w) == 0);
    CHECK_INT(ngff_writer_close(w), NGFF_E_OPTION);
    ngff_writer_free(w);
    ngff_writer_free(NULL);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

static void progress_rises_from_0_to_1(void)
{
    opened o = open_picture(&pictures[3], "NUM_THREADS=2");
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    double before = 0;
    CHECK(ngff_writer_progress(o.w.writer) == 0);
    while (ngff_writer_next(o.w.writer, origin, extent) == 1) {
        CHECK_INT(map_region(&o.w, origin, extent), NGFF_OK);
        CHECK(ngff_writer_progress(o.w.writer) >= before && ngff_writer_progress(o.w.writer) < 1);
        before = ngff_writer_progress(o.w.writer);
    }
    CHECK(before > 0.5);
    CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
    CHECK(ngff_writer_progress(o.w.writer) == 1);
    close_picture(&o);
}

static void *write_everything(void *argument)
{
    static const int64_t origin[MAX_RANK];
    const writing *w = argument;
    write_region(w, origin, w->picture->shape);
    return NULL;
}

/* A mistake of the host, but no reason to crash or to publish half of each. */
static void two_threads_that_write_the_same_pixels_are_refused(void)
{
    for (int i = 0; i < 40; i++) {
        opened o = open_picture(&pictures[3], i % 2 ? "NUM_THREADS=2" : "NUM_THREADS=1");
        pthread_t threads[2];
        for (int k = 0; k < 2; k++)
            pthread_create(&threads[k], NULL, write_everything, &o.w);
        for (int k = 0; k < 2; k++)
            pthread_join(threads[k], NULL);
        CHECK_INT(ngff_writer_close(o.w.writer), NGFF_E_STATE);
        CHECK_INT(count_objects(o.store), 0);
        close_picture(&o);
    }
}

static void strides_may_be_negative_or_zero(void)
{
    picture p = {.name = "strides", .dims = "yx", .shape = {40, 30}, .type = NGFF_UINT16, .options = {"BLOCKSIZE=16"}};
    static const int64_t origin[2];
    static const uint16_t seven = 7;
    opened o = open_picture(&p, NULL);
    uint8_t *flipped = malloc(40 * 60);
    for (int y = 0; y < 40; y++)
        memcpy(flipped + y * 60, o.levels[0].pixels + (39 - y) * 60, 60);
    CHECK_INT(ngff_writer_write(o.w.writer, origin, p.shape, flipped + 39 * 60, (int64_t[]){-60, 2}, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
    make_model(&p, o.plan, o.levels, 0);
    check_levels(&p, o.plan, o.store, o.levels);
    close_picture(&o);
    free(flipped);
    o = open_picture(&p, NULL);
    for (int i = 0; i < 40 * 30; i++)
        memcpy(o.levels[0].pixels + 2 * i, &seven, 2);
    CHECK_INT(ngff_writer_write(o.w.writer, origin, p.shape, &seven, (int64_t[]){0, 0}, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(o.w.writer), NGFF_OK);
    make_model(&p, o.plan, o.levels, 0);
    check_levels(&p, o.plan, o.store, o.levels);
    close_picture(&o);
}

/* n bytes of a store and of memory: the same numbers of so many bytes? */
static int are_the_numbers(const uint8_t *stored, const void *expected, size_t n, int n_of_number)
{
    int is_same = 1;
    for (size_t i = 0; i < n; i += (size_t)n_of_number) {
        uint8_t number[8];
        memcpy(number, (const uint8_t *)expected + i, (size_t)n_of_number);
        for (int k = 0; k < n_of_number; k++)
            is_same &= stored[i + (size_t)k] == number[machine_is_big_endian() ? n_of_number - 1 - k : k];
    }
    return is_same;
}

/* The pixel of level 1 of two rows of two pixels, as it is stored. mask: or NULL. */
static void check_small(ngff_image *image, const char *method, const void *pixels, const uint8_t *mask, const char *key,
                        const void *expected, size_t n)
{
    int n_of_number = image->type->data_type == NGFF_COMPLEX64 ? 4 : (int)n;
    static const int64_t zero[3];
    const char *options[] = {"BLOCKSIZE=2", "SCALE_FACTORS=2", "LAYOUT=FLAT", "COMPRESS=NONE", method, NULL};
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_TEXT(ngff_plan_error(plan), "");
    store *s = store_memory_open();
    ngff_writer *w = writer_open_store(plan, s);
    CHECK_INT(ngff_writer_write(w, zero, image->shape, pixels, NULL, mask, 2), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    snapshot all = take_snapshot(s);
    int is_there = 0;
    for (size_t i = 0; i < all.n; i++)
        if (strcmp(all.objects[i].key, key) == 0) {
            is_there = 1;
            CHECK(all.objects[i].n == n && are_the_numbers(all.objects[i].bytes, expected, n, n_of_number));
        }
    CHECK_INT(is_there, expected != NULL);
    free_snapshot(&all);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

/* Both parts of a complex pixel say that there was none. */
static void windows_of_complex_nan_are_nan(void)
{
    static const int64_t shape[] = {2, 2};
    const float nan = __builtin_nanf("");
    const float pixels[8] = {nan, nan, nan, nan, nan, nan, nan, nan};
    check_small(ngff_image_create("yx", shape, NGFF_COMPLEX64), "OVERVIEW_RESAMPLING=AVERAGE", pixels, NULL, "1/c/0/0",
                pixels, 8);
}

/* All bytes of an opacity count, of any type. */
static void pixels_without_opacity_do_not_count_in_any_type(void)
{
    static const int64_t shape[] = {2, 2, 2};
    static const uint64_t wide[8] = {999, 10, 20, 30, 0, (uint64_t)1 << 40, (uint64_t)1 << 40, (uint64_t)1 << 40};
    static const uint64_t wide_mean = 20;
    static const double real[8] = {999, 10, 20, 30, 0, 5, 5, 5}, real_mean = 20;
    static const uint32_t narrow[8] = {999, 10, 20, 30, 0, 1 << 20, 1 << 20, 1 << 20}, narrow_mean = 20;
    const struct {
        int32_t type;
        const void *pixels, *mean;
    } cases[] = {
        {NGFF_UINT64, wide, &wide_mean}, {NGFF_FLOAT64, real, &real_mean}, {NGFF_UINT32, narrow, &narrow_mean}};
    for (int i = 0; i < 3; i++) {
        ngff_image *image = ngff_image_create("cyx", shape, cases[i].type);
        CHECK_INT(ngff_image_set_alpha(image, 1), NGFF_OK);
        check_small(image, NULL, cases[i].pixels, NULL, "1/c/0/0/0", cases[i].mean,
                    (size_t)ngff_type_size(cases[i].type));
    }
}

/* NEAREST takes one pixel, and of the mask the same: what was hidden stays hidden. A chunk of 0 is not stored. */
static void nearest_takes_pixel_and_mask_from_one_place(void)
{
    static const int64_t shape[] = {2, 2};
    static const uint8_t pixels[] = {99, 10, 10, 10}, hidden[] = {0, 255, 255, 255}, shown[] = {255, 0, 0, 0};
    static const uint8_t valid = 255;
    for (int is_shown = 0; is_shown < 2; is_shown++) {
        ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
        ngff_image_set_mask(image, 1);
        check_small(image, "OVERVIEW_RESAMPLING=NEAREST", pixels, is_shown ? shown : hidden, "ovr_mask/1/c/0/0",
                    is_shown ? &valid : NULL, 1);
    }
}

int main(void)
{
    RUN(windows_of_complex_nan_are_nan);
    RUN(pixels_without_opacity_do_not_count_in_any_type);
    RUN(nearest_takes_pixel_and_mask_from_one_place);
    RUN(store_is_the_same_for_all_threads_orders_and_memories);
    RUN(levels_equal_a_plain_model);
    RUN(pixels_never_written_are_nodata_or_zero_in_all_levels);
    RUN(writer_without_any_pixel_closes_to_an_empty_image);
    RUN(regions_left_out_read_as_never_written);
    RUN(only_whole_unwritten_regions_can_be_left_out);
    RUN(masks_of_planes_must_be_the_same);
    RUN(given_level_is_taken_and_used);
    RUN(each_failing_put_ends_in_an_error_and_nothing_published);
    RUN(cancelling_at_any_point_leaves_nothing_on_the_disk);
    RUN(pixels_are_stored_little_endian);
    RUN(pixel_written_twice_is_refused);
    RUN(mapped_region_belongs_to_who_mapped_it);
    RUN(wrong_arguments_are_told);
    RUN(writer_of_a_broken_plan_only_tells_its_error);
    RUN(progress_rises_from_0_to_1);
    RUN(two_threads_that_write_the_same_pixels_are_refused);
    RUN(strides_may_be_negative_or_zero);
    CHECK_EXIT();
}
