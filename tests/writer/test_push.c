/* test_push.c: what is pushed in any order, again and again, gives the store that a pull of the same pixels gives. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pictures.h"

/* The pixels of level 0 read back through the writer equal the picture's. */
static void check_reads_back(const writing *w)
{
    const picture *p = w->picture;
    int rank = rank_of(p);
    int64_t zero[MAX_RANK] = {0}, n = volume_of(rank, p->shape), plane = p->shape[rank - 1] * p->shape[rank - 2];
    size_t bytes = (size_t)(n * ngff_type_size(p->type));
    uint8_t *found = malloc(bytes), *mask = w->mask ? malloc((size_t)plane) : NULL;
    int n_wrong = 0;
    CHECK_INT(ngff_writer_read(w->writer, zero, p->shape, found, NULL, mask, p->shape[rank - 1]), NGFF_OK);
    CHECK(memcmp(found, w->pixels, bytes) == 0);
    for (int64_t i = 0; mask && i < plane; i++)
        n_wrong += mask[i] != (w->mask[i] ? 255 : 0);
    CHECK_INT(n_wrong, 0);
    free(found);
    free(mask);
}

static snapshot pushed(const picture *p, int manner, int64_t memory, int64_t *n_spilled)
{
    ngff_plan *plan = make_plan(p, "NUM_THREADS=2");
    plan->options.memory_bytes = memory;
    store *s = store_memory_open();
    uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
    size_t bytes = (size_t)(volume_of(rank_of(p), p->shape) * ngff_type_size(p->type));
    uint8_t *noise = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        noise[i] = (uint8_t)mixed(i);
    writing first = {p, noise, mask, writer_push_store(plan, s)}, w = {p, pixels, mask, first.writer};
    write_all(&first, BY_RANDOM_PIECES); /* all of it will be overwritten */
    write_all(&w, manner);
    CHECK_INT(ngff_writer_status(w.writer), NGFF_OK);
    check_reads_back(&w);
    CHECK(!store_memory_is_published(s));
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    if (ngff_writer_status(w.writer) != NGFF_OK)
        fprintf(stderr, "%s: %s\n", p->name, ngff_writer_error(w.writer));
    CHECK(store_memory_is_published(s));
    *n_spilled += store_memory_scratch_count(s);
    snapshot result = take_snapshot(s);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    free(noise);
    free(pixels);
    free(mask);
    return result;
}

static void store_is_that_of_a_pull(void)
{
    int64_t n_spilled[2] = {0};
    for (int i = 0; i < n_pictures; i++) {
        snapshot expected = written_once(&pictures[i]);
        for (int has_little = 0; has_little < 2; has_little++) {
            snapshot found = pushed(&pictures[i], has_little ? BY_RANDOM_PIECES : BY_ROWS, has_little ? 2000 : 0,
                                    &n_spilled[has_little]);
            CHECK(same_snapshots(&expected, &found, pictures[i].name));
            free_snapshot(&found);
        }
        free_snapshot(&expected);
    }
    CHECK(n_spilled[1] > 1000);
    CHECK(100 * n_spilled[0] < n_spilled[1]); /* a thread that the machine holds up may leave a few cells waiting */
}

/* -- Parts of an image --------------------------------------------------------------------------------------------- */

static ngff_plan *plan_of(const char *dims, const int64_t *shape, const void *nodata, const char *option)
{
    ngff_image *image = ngff_image_create(dims, shape, NGFF_UINT16);
    if (nodata)
        CHECK_INT(ngff_image_set_nodata(image, -1, nodata), NGFF_OK);
    int has_block = option && strncmp(option, "BLOCKSIZE", 9) == 0;
    const char *options[] = {"COMPRESS=NONE", has_block ? option : "BLOCKSIZE=16", has_block ? NULL : option, NULL};
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static int count_chunks(const snapshot *s, const char *level)
{
    int n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += strncmp(s->objects[i].key, level, strlen(level)) == 0 && strstr(s->objects[i].key, "/c/") != NULL;
    return n;
}

static void what_nobody_writes_is_not_stored(void)
{
    static const uint16_t seven = 7, one = 1;
    ngff_plan *plan = plan_of("yx", (const int64_t[]){640, 640}, &seven, NULL);
    store *s = store_memory_open();
    ngff_writer *w = writer_push_store(plan, s);
    uint16_t found[4];
    CHECK_INT(ngff_writer_write(w, (const int64_t[]){100, 100}, (const int64_t[]){1, 1}, &one, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_read(w, (const int64_t[]){100, 99}, (const int64_t[]){1, 4}, found, NULL, NULL, 0), NGFF_OK);
    CHECK(found[0] == 7 && found[1] == 1 && found[2] == 7 && found[3] == 7);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    snapshot all = take_snapshot(s);
    CHECK_INT(count_chunks(&all, "scale0/"), 1);
    CHECK_INT(count_chunks(&all, "ovr_2x/"), 1);
    free_snapshot(&all);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

static void another_plan_may_be_given_before_the_end(void)
{
    static const uint16_t one[4] = {1, 1, 1, 1}, nine = 9;
    const int64_t shape[2] = {64, 64};
    ngff_plan *first = plan_of("yx", shape, NULL, NULL), *second = plan_of("yx", shape, &nine, "SCALE_FACTORS=4");
    ngff_plan *larger = plan_of("yx", (const int64_t[]){64, 65}, NULL, NULL);
    ngff_plan *coarser = plan_of("yx", shape, NULL, "BLOCKSIZE=16,32");
    store *s = store_memory_open();
    ngff_writer *w = writer_push_store(first, s), *refused;
    CHECK_INT(ngff_writer_write(w, (const int64_t[]){0, 0}, (const int64_t[]){1, 4}, one, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_replan(w, second), NGFF_OK);
    CHECK_INT(ngff_writer_write(w, (const int64_t[]){0, 16}, (const int64_t[]){1, 4}, one, NULL, NULL, 0), NGFF_OK);
    uint16_t found[2];
    CHECK_INT(ngff_writer_read(w, (const int64_t[]){1, 15}, (const int64_t[]){1, 2}, found, NULL, NULL, 0), NGFF_OK);
    CHECK(found[0] == 0 && found[1] == 9); /* touched before and after there was a nodata value */
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    snapshot all = take_snapshot(s);
    CHECK_INT(count_chunks(&all, "ovr_4x/"), 1);
    CHECK_INT(count_chunks(&all, "ovr_2x/"), 0);
    free_snapshot(&all);
    CHECK_INT(ngff_writer_replan(w, first), NGFF_E_STATE);
    ngff_writer_free(w);

    /* what does not fit is the writer's first error, as any wrong argument: it stays, and nothing is published */
    s = store_memory_open();
    refused = writer_push_store(first, s);
    CHECK_INT(ngff_writer_replan(refused, larger), NGFF_E_ARGUMENT);
    CHECK_TEXT(ngff_writer_error(refused), "the new plan has other axes, another size, data type or chunk");
    CHECK_INT(ngff_writer_write(refused, (const int64_t[]){0, 0}, (const int64_t[]){1, 4}, one, NULL, NULL, 0),
              NGFF_E_ARGUMENT);
    CHECK_INT(ngff_writer_replan(refused, first), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_writer_close(refused), NGFF_E_ARGUMENT);
    CHECK(!store_memory_is_published(s));
    ngff_writer_free(refused);
    refused = writer_push_store(first, store_memory_open());
    CHECK_INT(ngff_writer_replan(refused, coarser), NGFF_E_ARGUMENT);
    ngff_writer_free(refused);
    ngff_plan_free(first);
    ngff_plan_free(second);
    ngff_plan_free(larger);
    ngff_plan_free(coarser);
}

static void calls_of_the_other_mode_are_refused(void)
{
    const int64_t shape[2] = {64, 64}, zero[2] = {0}, one[2] = {1, 1};
    int64_t origin[2], extent[2], strides[2];
    uint16_t pixel = 0;
    void *pixels;
    ngff_plan *plan = plan_of("yx", shape, NULL, NULL);
    ngff_writer *push = writer_push_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_next(push, origin, extent), NGFF_E_STATE);
    ngff_writer_free(push);
    push = writer_push_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_map(push, zero, plan->levels[0].cell, &pixels, strides, NULL, NULL), NGFF_E_STATE);
    ngff_writer_free(push);
    push = writer_push_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_commit(push, zero, plan->levels[0].cell), NGFF_E_STATE);
    ngff_writer_free(push);
    ngff_writer *pull = writer_open_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_read(pull, zero, one, &pixel, NULL, NULL, 0), NGFF_E_STATE);
    ngff_writer_free(pull);
    pull = writer_open_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_replan(pull, plan), NGFF_E_STATE);
    ngff_writer_free(pull);
    ngff_plan_free(plan);
}

static void levels_that_the_caller_gives_are_refused(void)
{
    const int64_t shape[2] = {64, 64}, zero[2] = {0}, one[2] = {1, 1};
    static const uint16_t nine = 9;
    ngff_plan *plan = plan_of("yx", shape, NULL, NULL), *given = plan_of("yx", shape, NULL, NULL);
    CHECK_INT(ngff_plan_set_given(given, 1), NGFF_OK);
    ngff_writer *w = writer_push_store(given, store_memory_open());
    CHECK_INT(ngff_writer_status(w), NGFF_E_ARGUMENT);
    ngff_writer_free(w);
    w = writer_push_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_replan(w, given), NGFF_E_ARGUMENT);
    ngff_writer_free(w);
    w = writer_push_store(plan, store_memory_open());
    CHECK(ngff_writer_level_write(w, 1, zero, one, &nine, NULL, NULL, 0) < 0);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_plan_free(given);
}

typedef struct {
    ngff_writer *writer;
    atomic_int must_end;
    int n_falling, n_asked;
    double last;
} onlooker;

static void *look_on(void *argument)
{
    onlooker *o = argument;
    do {
        double now = ngff_writer_progress(o->writer);
        o->n_falling += now < o->last;
        o->n_asked++;
        o->last = now;
    } while (!atomic_load(&o->must_end));
    return NULL;
}

/* A host may show the progress of a long close from another thread. */
static void progress_may_be_asked_for_while_the_writer_closes(void)
{
    for (int i = 0; i < 10; i++) {
        const picture *p = &pictures[3];
        ngff_plan *plan = make_plan(p, "NUM_THREADS=2");
        store *s = store_memory_open();
        uint8_t *pixels = make_pixels(p);
        writing w = {p, pixels, NULL, writer_push_store(plan, s)};
        onlooker o = {.writer = w.writer};
        pthread_t thread;
        write_all(&w, BY_ROWS);
        CHECK(ngff_writer_progress(w.writer) == 0);
        pthread_create(&thread, NULL, look_on, &o);
        if (i == 5)
            store_memory_fail_after(s, 20);
        CHECK_INT(ngff_writer_close(w.writer), i == 5 ? NGFF_E_STORAGE : NGFF_OK);
        atomic_store(&o.must_end, 1);
        pthread_join(thread, NULL);
        CHECK(o.n_falling == 0 && o.n_asked > 0);
        CHECK(i == 5 ? ngff_writer_progress(w.writer) < 1 : ngff_writer_progress(w.writer) == 1);
        ngff_writer_free(w.writer);
        ngff_plan_free(plan);
        free(pixels);
    }
}

/* Whatever put fails, scratch included, the writer says so and nothing is published. */
static void every_failing_put_is_reported(void)
{
    const picture *p = &pictures[3];
    int n_failed = 0, is_whole = 0;
    for (int64_t n = 0; !is_whole; n++) {
        ngff_plan *plan = make_plan(p, "NUM_THREADS=2");
        plan->options.memory_bytes = 4000;
        store *s = store_memory_open();
        uint8_t *pixels = make_pixels(p);
        writing w = {p, pixels, NULL, writer_push_store(plan, s)};
        store_memory_fail_after(s, n);
        write_all(&w, BY_RANDOM_PIECES);
        is_whole = ngff_writer_close(w.writer) == NGFF_OK;
        CHECK_INT(store_memory_is_published(s), is_whole);
        if (!is_whole) {
            CHECK_INT(ngff_writer_status(w.writer), NGFF_E_STORAGE);
            snapshot left = take_snapshot(s);
            CHECK_INT(left.n, 0);
            free_snapshot(&left);
            n_failed++;
        }
        ngff_writer_free(w.writer);
        ngff_plan_free(plan);
        free(pixels);
        if (n > 50)
            n += 40;
    }
    CHECK(n_failed > 50);
}

int main(void)
{
    RUN(store_is_that_of_a_pull);
    RUN(what_nobody_writes_is_not_stored);
    RUN(another_plan_may_be_given_before_the_end);
    RUN(calls_of_the_other_mode_are_refused);
    RUN(levels_that_the_caller_gives_are_refused);
    RUN(progress_may_be_asked_for_while_the_writer_closes);
    RUN(every_failing_put_is_reported);
    CHECK_EXIT();
}
