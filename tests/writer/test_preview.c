/* test_preview.c: a writer's work is looked at before anybody else can see it, and is not published when it is bad. */
#include "writer/preview.h"
#include "writer/writer_store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "store/store_memory.h"

static void the_held_object_is_read_like_any_other(void)
{
    store *below = store_memory_open();
    held_object held = {"zarr.json", (uint8_t *)"abcdef", 6};
    store *s = preview_open(below, &held);
    static const struct {
        int64_t offset;
        size_t n;
        const char *expected;
    } cases[] = {{0, 0, "abcdef"}, {0, 3, "abc"},       {2, 0, "cdef"}, {2, 100, "cdef"},
                 {-1, 2, "ef"},    {-1, 100, "abcdef"}, {9, 1, ""}};
    error e = {0};
    CHECK_INT(below->writing->put(below, "a", "x", 1, &e), NGFF_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *bytes = NULL;
        size_t n = 0;
        CHECK_INT(store_read(s, "zarr.json", cases[i].offset, cases[i].n, &bytes, &n, &e), NGFF_OK);
        CHECK_INT(n, strlen(cases[i].expected));
        CHECK_TEXT((char *)bytes, cases[i].expected);
        free(bytes);
    }
    uint64_t size = 0;
    int is_there = 0;
    CHECK_INT(store_find_size(s, "zarr.json", &size, &is_there, &e), NGFF_OK);
    CHECK(is_there && size == 6);
    CHECK_INT(store_find_size(s, "a", &size, &is_there, &e), NGFF_OK);
    CHECK(is_there && size == 1);
    CHECK_INT(store_find_size(s, "b", &size, &is_there, &e), NGFF_OK);
    CHECK(!is_there);
    s->ops->free(s);
    below->ops->free(below);
}

static ngff_writer *written(store *s, const char *const *options)
{
    const int64_t shape[2] = {8, 8}, origin[2] = {0, 0};
    uint16_t pixels[64];
    for (int i = 0; i < 64; i++)
        pixels[i] = (uint16_t)(i + 1);
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = writer_open_store(plan, s);
    CHECK_INT(ngff_writer_write(w, origin, shape, pixels, NULL, NULL, 0), NGFF_OK);
    ngff_plan_free(plan);
    ngff_image_free(image);
    return w;
}

static const char *const plain[] = {"BLOCKSIZE=4", "COMPRESS=GZIP", "VERIFY=STORE", NULL};

static void nothing_is_published_before_close(void)
{
    store *s = store_memory_open();
    ngff_writer *w = written(s, plain);
    ngff_reader *reader = ngff_writer_reader(w);
    uint16_t chunk[16];
    uint64_t size;
    error e = {0};
    CHECK(reader && ngff_reader_level_count(reader) == 2);
    CHECK_INT(ngff_reader_chunk(reader, 0, (int64_t[]){1, 1}, chunk, NULL, 0), 1);
    CHECK_INT(chunk[0], 4 * 8 + 4 + 1);
    int is_there = 1;
    CHECK_INT(store_find_size(s, "zarr.json", &size, &is_there, &e), NGFF_OK);
    CHECK(!is_there);
    CHECK(!store_memory_is_published(s));
    CHECK(ngff_writer_write(w, (int64_t[]){0, 0}, (int64_t[]){1, 1}, chunk, NULL, NULL, 0) == NGFF_E_STATE);
    ngff_writer_free(w);
}

static void a_whole_store_is_published(void)
{
    store *s = store_memory_open();
    ngff_writer *w = written(s, plain);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK(store_memory_is_published(s));
    ngff_writer_free(w);
}

/* A disk that keeps something else than it was given. */
static void spoil(void *user, const char *key, const uint8_t *bytes, size_t n)
{
    if (strcmp(key, user) == 0)
        ((uint8_t *)bytes)[n / 2] ^= 1;
}

static void a_store_with_one_wrong_bit_is_not_published(void)
{
    static const char *const keys[] = {"scale0/image/c/1/0", "ovr_2x/image/c/0/0", "ovr_2x/image/zarr.json"};
    for (int i = 0; i < 3; i++) {
        store *s = store_memory_open();
        ngff_writer *w = written(s, plain);
        CHECK(ngff_writer_reader(w) != NULL);
        store_memory_visit(s, spoil, (void *)keys[i]);
        CHECK(ngff_writer_close(w) < 0);
        CHECK(strstr(ngff_writer_error(w), "not published") != NULL);
        CHECK(strstr(ngff_writer_error(w), keys[i]) != NULL);
        CHECK(!store_memory_is_published(s));
        ngff_writer_free(w);
    }
}

static int32_t stop(void *user, double share)
{
    (void)user;
    return share < 0.5;
}

static void the_look_can_be_cancelled(void)
{
    store *s = store_memory_open();
    ngff_writer *w = written(s, plain);
    CHECK_INT(ngff_writer_verify(w, stop, NULL), NGFF_E_CANCELLED);
    CHECK_INT(ngff_writer_close(w), NGFF_E_CANCELLED);
    CHECK(!store_memory_is_published(s));
    ngff_writer_free(w);
}

/* -- What the caller's thread has set for itself ------------------------------------------------------------------- */

static _Thread_local const char *password;
static _Thread_local int is_caller;
static atomic_int n_refused, n_by_others, n_copies;
static const store_ops *memory_ops;
static const store_writing *memory_writing;

static void *password_copy(void)
{
    n_copies += password != NULL;
    return password ? strdup(password) : NULL;
}

static void password_enter(const void *copy)
{
    password = copy;
}

static void password_leave(void)
{
    password = NULL;
}

static void password_free(void *copy)
{
    n_copies--;
    free(copy);
}

/* A server that answers only threads with the password, and takes its time, so that all threads get some work. */
static void ask(void)
{
    usleep(200);
    n_refused += !password || strcmp(password, "secret") != 0;
    n_by_others += !is_caller;
}

static int32_t put_slowly(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    ask();
    return memory_writing->put(s, key, bytes, n, e);
}

static int32_t find_slowly(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                           int *is_there, error *e)
{
    ask();
    return memory_ops->find(s, key, offset, n, bytes, n_read, is_there, e);
}

static void every_thread_has_the_settings_of_the_caller(void)
{
    static const thread_settings threads = {password_copy, password_enter, password_leave, password_free};
    static const char *const options[] = {"BLOCKSIZE=8", "COMPRESS=NONE", "NUM_THREADS=4", NULL};
    const int64_t shape[2] = {128, 128};
    static uint16_t pixels[128 * 128];
    store *s = store_memory_open();
    memory_ops = s->ops;
    memory_writing = s->writing;
    store_ops slow = *memory_ops;
    store_writing slow_writing = *memory_writing;
    slow_writing.put = put_slowly;
    slow.find = find_slowly;
    slow.find_into = NULL;
    s->ops = &slow;
    s->writing = &slow_writing;
    s->threads = &threads;
    for (int i = 0; i < 128 * 128; i++)
        pixels[i] = (uint16_t)(i + 1);
    is_caller = 1;
    password = "secret";
    n_refused = n_by_others = 0;
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = writer_open_store(plan, s);
    CHECK_INT(ngff_writer_write(w, (int64_t[]){0, 0}, shape, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK(ngff_writer_reader(w) != NULL); /* all levels are stored */
    CHECK(n_by_others > 0);
    CHECK_INT(n_refused, 0);
    n_by_others = 0;
    CHECK_INT(ngff_writer_verify(w, NULL, NULL), NGFF_OK);
    CHECK(n_by_others > 0);
    CHECK_INT(n_refused, 0);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK_TEXT(password, "secret");
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
    CHECK_INT(n_copies, 0);
}

static void a_null_handle_is_an_error_by_one_rule(void)
{
    CHECK_INT(ngff_writer_status(NULL), NGFF_E_ARGUMENT);
    CHECK_TEXT(ngff_writer_error(NULL), "the writer is NULL");
    CHECK_INT(ngff_writer_close(NULL), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_status(NULL), NGFF_E_ARGUMENT);
    CHECK_TEXT(ngff_reader_error(NULL), "the reader is NULL");
    ngff_writer_free(NULL);
    ngff_reader_free(NULL);
}

int main(void)
{
    RUN(the_held_object_is_read_like_any_other);
    RUN(nothing_is_published_before_close);
    RUN(a_whole_store_is_published);
    RUN(a_store_with_one_wrong_bit_is_not_published);
    RUN(the_look_can_be_cancelled);
    RUN(a_null_handle_is_an_error_by_one_rule);
    RUN(every_thread_has_the_settings_of_the_caller);
    CHECK_EXIT();
}
