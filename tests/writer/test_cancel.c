/* test_cancel.c: a writer is cancelled by another thread, in every phase. The test knows where the writer is because its
 * storage waits there: the other thread cancels, and then lets it go on. */
#include <pthread.h>
#include <semaphore.h>

#include "ngff.h"
#include "place.h"
#include "store/folder.h"
#include "store/store_memory.h"
#include "writer/writer_store.h"

enum { side = 256, block = 32, n_threads = 2 };
static const int64_t shape[2] = {side, side};
static uint8_t pixels[side * side];

/* -- The gate ------------------------------------------------------------------------------------------------------ */

static struct {
    ngff_writer *writer;
    const char *key;       /* the n-th call that meets this name waits */
    int n_before, n_after; /* calls until then, and of pixels after the cancel */
    int is_cancelled;
    pthread_mutex_t lock;
    sem_t is_reached, may_go_on;
} gate;

static void *cancel(void *ignored)
{
    (void)ignored;
    sem_wait(&gate.is_reached);
    ngff_writer_cancel(gate.writer);
    pthread_mutex_lock(&gate.lock);
    gate.is_cancelled = 1;
    pthread_mutex_unlock(&gate.lock);
    sem_post(&gate.may_go_on);
    return NULL;
}

/* In the storage, on any thread. */
static void pass(const char *name)
{
    pthread_mutex_lock(&gate.lock);
    gate.n_after += gate.is_cancelled && strstr(name, "/c/");
    int waits = gate.key && strstr(name, gate.key) && gate.n_before-- == 0;
    pthread_mutex_unlock(&gate.lock);
    if (waits) {
        sem_post(&gate.is_reached);
        sem_wait(&gate.may_go_on);
    }
}

static pthread_t canceller;

static void gate_set(ngff_writer *w, const char *key, int n_before)
{
    pthread_mutex_lock(&gate.lock); /* workers may be at it already */
    gate.writer = w;
    gate.key = key;
    gate.n_before = n_before;
    gate.n_after = gate.is_cancelled = 0;
    pthread_mutex_unlock(&gate.lock);
    CHECK_INT(pthread_create(&canceller, NULL, cancel, NULL), 0);
}

/* The gate was reached, and beyond it came no more than what the threads had in their hands. */
static void gate_check(void)
{
    pthread_join(canceller, NULL);
    pthread_mutex_lock(&gate.lock);
    CHECK(gate.is_cancelled);
    CHECK(gate.n_after < n_threads);
    gate.key = NULL;
    pthread_mutex_unlock(&gate.lock);
}

/* -- A store in memory, and one on the disk, with the gate in them -------------------------------------------------- */

static const store_writing *memory_writing;

static int32_t gated_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    pass(key);
    return memory_writing->put(s, key, bytes, n, e);
}

static store *gated_memory(void)
{
    static store_writing gated;
    store *s = store_memory_open();
    gated = *(memory_writing = s->writing);
    gated.put = gated_put;
    s->writing = &gated;
    return s;
}

static int gated_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    pass(path);
    return local_calls.write_file(path, bytes, n, cause);
}

static int gated_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    pass(path);
    return local_calls.read_file(path, offset, n, bytes, n_read, cause);
}

static int gated_replace(const char *from, const char *to)
{
    pass(to);
    return local_calls.rename_over(from, to);
}

static int gated_sync(const char *path)
{
    char name[4200];
    snprintf(name, sizeof name, "sync %s", path);
    pass(name);
    return local_calls.sync(path);
}

static folder_calls gated_calls;

static store *gated_folder(const char *name)
{
    gated_calls = local_calls;
    gated_calls.write_file = gated_write;
    gated_calls.read_file = gated_read;
    gated_calls.rename_over = gated_replace;
    gated_calls.sync = gated_sync;
    gated_calls.syncs_files = 1; /* here, too */
    return folder_open(below(name), &gated_calls);
}

static ngff_plan *plan_for(const char *threads, const char *option)
{
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    const char *options[] = {"BLOCKSIZE=32", "SCALE_FACTORS=2", threads, option, NULL};
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static ngff_plan *plan_of(const char *option)
{
    return plan_for("NUM_THREADS=2", option);
}

static int32_t write_rows(ngff_writer *w, int64_t first, int64_t n)
{
    return ngff_writer_write(w, (const int64_t[]){first, 0}, (const int64_t[]){n, side}, pixels, NULL, NULL, 0);
}

/* The handle says so at every further call, and nothing was published. */
static void end(ngff_writer *w, ngff_plan *plan)
{
    int64_t origin[2], extent[2];
    CHECK_INT(ngff_writer_status(w), NGFF_E_CANCELLED);
    CHECK_TEXT(ngff_writer_error(w), "cancelled");
    CHECK_INT(ngff_writer_next(w, origin, extent), NGFF_E_CANCELLED);
    CHECK_INT(ngff_writer_close(w), NGFF_E_CANCELLED);
    CHECK(ngff_writer_progress(w) < 1);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

/* -- The phases ---------------------------------------------------------------------------------------------------- */

/* One thread, that waits itself: another one would let the call end before the cancel comes. */
static void write_ends_within_a_chunk(void)
{
    for (int n = 0; n < 40; n += 13) {
        ngff_plan *plan = plan_for("NUM_THREADS=1", NULL);
        ngff_writer *w = writer_open_store(plan, gated_memory());
        gate_set(w, "/c/", n);
        CHECK_INT(write_rows(w, 0, side), NGFF_E_CANCELLED);
        gate_check();
        end(w, plan);
    }
}

static void commit_ends_within_a_chunk(void)
{
    ngff_plan *plan = plan_for("NUM_THREADS=1", NULL);
    ngff_writer *w = writer_open_store(plan, gated_memory());
    int64_t origin[2], extent[2], strides[2];
    void *to;
    int32_t status = NGFF_OK;
    gate_set(w, "/c/", 5);
    while (status == NGFF_OK && (status = ngff_writer_next(w, origin, extent)) == 1) {
        status = ngff_writer_map(w, origin, extent, &to, strides, NULL, NULL);
        for (int64_t y = 0; status == 1 && y < extent[0]; y++)
            memset((uint8_t *)to + y * strides[0], 9, (size_t)extent[1]);
        if (status == 1)
            status = ngff_writer_commit(w, origin, extent);
    }
    CHECK_INT(status, NGFF_E_CANCELLED);
    gate_check();
    end(w, plan);
}

/* What was pushed is encoded in close: in the middle of it, at the shards that are left, and among the documents. */
static void close_ends_within_a_chunk(void)
{
    static const struct {
        const char *option, *key;
        int is_push, n_before;
    } cases[] = {{NULL, "/c/", 1, 20},
                 {NULL, "zarr.json", 1, 0},
                 {NULL, "zarr.json", 0, 1},
                 {"SHARD=64", "/c/", 0, 3}, /* the shards of which half has come */
                 {"VERIFY=STORE", "zarr.json", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ngff_plan *plan = plan_of(cases[i].option);
        ngff_writer *w =
            cases[i].is_push ? writer_push_store(plan, gated_memory()) : writer_open_store(plan, gated_memory());
        CHECK_INT(write_rows(w, 0, side - block), NGFF_OK);
        gate_set(w, cases[i].key, cases[i].n_before);
        CHECK_INT(ngff_writer_close(w), NGFF_E_CANCELLED);
        gate_check();
        end(w, plan);
    }
}

static int32_t cancel_in_progress(void *user, double share)
{
    int *n_calls = user;
    (void)share;
    if (++*n_calls == 3) {
        sem_post(&gate.is_reached);
        sem_wait(&gate.may_go_on);
    }
    return 1;
}

static void verify_ends_within_a_chunk(void)
{
    int n_calls = 0;
    ngff_plan *plan = plan_of(NULL);
    ngff_writer *w = writer_open_store(plan, gated_memory());
    CHECK_INT(write_rows(w, 0, side), NGFF_OK);
    gate_set(w, NULL, 0);
    CHECK_INT(ngff_writer_verify(w, cancel_in_progress, &n_calls), NGFF_E_CANCELLED);
    CHECK_INT(n_calls, 3);
    gate_check();
    end(w, plan);
}

/* One file: when the chunks are in it and it is being packed, and nothing stays. */
static void packing_ends_within_a_file(void)
{
    ngff_plan *plan = plan_of(NULL);
    ngff_writer *w = writer_open_store(plan, gated_folder("a.ozx"));
    CHECK_INT(write_rows(w, 0, side), NGFF_OK);
    CHECK_INT(ngff_writer_verify(w, NULL, NULL), NGFF_OK);
    gate_set(w, "/c/", 7);
    CHECK_INT(ngff_writer_close(w), NGFF_E_CANCELLED);
    gate_check();
    end(w, plan);
    CHECK(access(below("a.ozx"), F_OK) != 0);
}

static void syncing_ends_within_a_file(void)
{
    ngff_plan *plan = plan_of("SYNC=YES");
    ngff_writer *w = writer_open_store(plan, gated_folder("e"));
    CHECK_INT(write_rows(w, 0, side), NGFF_OK);
    gate_set(w, "sync ", 7);
    CHECK_INT(ngff_writer_close(w), NGFF_E_CANCELLED);
    gate_check();
    end(w, plan);
    CHECK(access(below("e"), F_OK) != 0);
}

static int32_t publish_and_cancel(store *s, error *e)
{
    int32_t status = memory_writing->publish(s, e);
    ngff_writer_cancel(gate.writer);
    return status;
}

/* Who cancels then has a store. */
static void cancel_of_a_published_store_comes_too_late(void)
{
    ngff_plan *plan = plan_of(NULL);
    store *s = gated_memory();
    store_writing late = *s->writing;
    late.publish = publish_and_cancel;
    s->writing = &late;
    ngff_writer *w = writer_open_store(plan, s);
    gate.writer = w;
    CHECK_INT(write_rows(w, 0, side), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    CHECK(ngff_writer_progress(w) == 1);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

static void make_store(const char *name)
{
    ngff_plan *plan = plan_of(NULL);
    ngff_writer *w = ngff_writer_open(plan, below(name));
    CHECK_INT(write_rows(w, 0, side), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_cancel(w); /* too late */
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

/* The mark stays, and the next change makes all levels again. */
static void change_in_place_stays_dirty(void)
{
    make_store("b");
    ngff_plan *plan = plan_of(NULL);
    ngff_writer *w = writer_update_store(plan, gated_folder("b"));
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    memset(pixels, 200, side * block);
    CHECK_INT(write_rows(w, 0, block), NGFF_OK);
    gate_set(w, "/c/", 3);
    CHECK_INT(ngff_writer_close(w), NGFF_E_CANCELLED);
    gate_check();
    end(w, plan);
    ngff_reader *reader = ngff_reader_open(below("b"));
    CHECK_INT(ngff_reader_is_dirty(reader), 1);
    ngff_reader_free(reader);
    plan = plan_of(NULL);
    w = ngff_writer_open_update(plan, below("b"));
    CHECK_INT(write_rows(w, 0, block), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    reader = ngff_reader_open(below("b"));
    CHECK_INT(ngff_reader_is_dirty(reader), 0);
    CHECK_INT(ngff_reader_verify(reader, 1, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(reader);
    remove_below("b");
}

/* Between two calls, and before the first: what is done stays for RESUME=YES, and goes without it. */
static void what_is_done_can_be_gone_on_with(void)
{
    int64_t origin[2], extent[2];
    int n_left = 0;
    ngff_plan *plan = plan_of("RESUME=YES");
    ngff_writer *w = ngff_writer_open(plan, below("c"));
    CHECK_INT(write_rows(w, 0, 4 * block), NGFF_OK);
    gate_set(w, NULL, 0);
    sem_post(&gate.is_reached);
    sem_wait(&gate.may_go_on);
    CHECK_INT(write_rows(w, 4 * block, block), NGFF_E_CANCELLED);
    gate_check();
    end(w, plan);
    CHECK(access(below("c"), F_OK) != 0 && access(below(".c.partial"), F_OK) == 0);
    plan = plan_of("RESUME=YES");
    w = ngff_writer_open(plan, below("c"));
    for (; ngff_writer_next(w, origin, extent) == 1; n_left++)
        CHECK_INT(ngff_writer_write(w, origin, extent, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK(n_left < 64 && n_left >= 32);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    remove_below("c");
    plan = plan_of(NULL);
    w = ngff_writer_open(plan, below("d"));
    ngff_writer_cancel(w);
    CHECK_INT(write_rows(w, 0, block), NGFF_E_CANCELLED);
    end(w, plan);
    ngff_writer_cancel(NULL);
}

/* The check of what an earlier run has stored, at the first call; what is there stays. */
static void check_of_a_resumed_run_ends_within_a_chunk(void)
{
    int64_t origin[2], extent[2];
    int n_left = 0;
    ngff_plan *plan = plan_of("RESUME=YES");
    ngff_writer *w = ngff_writer_open(plan, below("f"));
    CHECK_INT(write_rows(w, 0, 4 * block), NGFF_OK);
    ngff_writer_free(w);
    w = writer_open_store(plan, gated_folder("f"));
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    gate_set(w, "/c/", 5);
    CHECK_INT(write_rows(w, 4 * block, block), NGFF_E_CANCELLED);
    gate_check();
    end(w, plan);
    plan = plan_of("RESUME=YES");
    w = ngff_writer_open(plan, below("f"));
    for (; ngff_writer_next(w, origin, extent) == 1; n_left++)
        CHECK_INT(ngff_writer_write(w, origin, extent, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK(n_left < 64 && n_left >= 32);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    remove_below("f");
}

int main(void)
{
    pthread_mutex_init(&gate.lock, NULL);
    sem_init(&gate.is_reached, 0, 0);
    sem_init(&gate.may_go_on, 0, 0);
    for (int i = 0; i < side * side; i++)
        pixels[i] = (uint8_t)(i * 7 + i / side + 1);
    place_begin();
    RUN(write_ends_within_a_chunk);
    RUN(commit_ends_within_a_chunk);
    RUN(close_ends_within_a_chunk);
    RUN(verify_ends_within_a_chunk);
    RUN(packing_ends_within_a_file);
    RUN(syncing_ends_within_a_file);
    RUN(cancel_of_a_published_store_comes_too_late);
    RUN(change_in_place_stays_dirty);
    RUN(what_is_done_can_be_gone_on_with);
    RUN(check_of_a_resumed_run_ends_within_a_chunk);
    place_end();
    CHECK_EXIT();
}
