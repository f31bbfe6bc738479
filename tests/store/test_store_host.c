/* test_store_host.c: a store in memory behind the calls of a host, which can be told to fail, to wait, and to give what it
 * should not. What is written there is compared with what is written to the disk. */
#include "store/store_host.h"

#include <pthread.h>
#include <stdatomic.h>
#ifndef _WIN32
#include <sys/wait.h>
#endif

#include "ngff.h"
#include "place.h"

/* -- The host ------------------------------------------------------------------------------------------------------ */

enum { most_objects = 200 };

typedef struct {
    char key[160];
    uint8_t *bytes;
    int64_t n;
} object;

/* Calls of a verb ("write", "read" ...) whose key has the part in it: from number first, count of them end so. */
typedef struct {
    const char *verb, *part;
    int first, count;
    int32_t status;
    int n_seen, n_done;
} fault;

typedef struct {
    pthread_mutex_t lock;
    object objects[most_objects];
    int n;
    fault fault;
    int64_t less, more; /* that a read gives */
    int is_silent;      /* a read asks for no room, a size tells none */
    int has_no_sizes;   /* a read does not tell the object's */
    const char *stray;  /* a key that every list has in it */
    void (*before)(const char *verb, const char *key);
    ngff_store *store;
} memory;

static int find(const memory *m, const char *key)
{
    int i = 0;
    while (i < m->n && strcmp(m->objects[i].key, key) != 0)
        i++;
    return i;
}

static int has(memory *m, const char *key)
{
    return find(m, key) < m->n;
}

/* NGFF_OK, or how the call ends. The lock is held from here on. */
static int32_t call_of(memory *m, const char *verb, const char *key, char *error, int64_t error_size)
{
    fault *f = &m->fault;
    CHECK_INT(error_size, 256);
    CHECK(strcmp(verb, "list") == 0 || (key[0] && key[0] != '/' && key[strlen(key) - 1] != '/'));
    if (m->before)
        m->before(verb, key);
    pthread_mutex_lock(&m->lock);
    if (!f->verb || strcmp(f->verb, verb) != 0 || !strstr(key, f->part) || ++f->n_seen < f->first ||
        f->n_seen >= f->first + f->count)
        return NGFF_OK;
    f->n_done++;
    if (f->status != NGFF_E_CORRUPT) /* one that says nothing */
        snprintf(error, (size_t)error_size, "the hamster sleeps");
    return f->status;
}

static int32_t memory_write(void *user, const char *key, const void *bytes, int64_t n, int32_t must_be_new, char *error,
                            int64_t error_size)
{
    memory *m = user;
    int32_t status = call_of(m, "write", key, error, error_size);
    int i = find(m, key);
    if (status == NGFF_OK && must_be_new && i < m->n)
        status = NGFF_E_EXISTS;
    if (status == NGFF_OK) {
        CHECK(i < most_objects);
        m->n += i == m->n;
        object *o = &m->objects[i];
        snprintf(o->key, sizeof o->key, "%s", key);
        o->bytes = realloc(o->bytes, (size_t)n + 1);
        memcpy(o->bytes, bytes, (size_t)n);
        o->n = n;
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int32_t memory_read(void *user, const char *key, int64_t offset, int64_t n, void *(*room)(void *to, int64_t n),
                           void *to, int64_t *size, char *error, int64_t error_size)
{
    memory *m = user;
    int32_t status = call_of(m, "read", key, error, error_size);
    int i = find(m, key);
    if (status == NGFF_OK && i == m->n)
        status = NGFF_E_NOT_FOUND;
    if (status == NGFF_OK && !m->is_silent) {
        const object *o = &m->objects[i];
        int64_t first = offset < 0 ? o->n - n : offset, rest;
        first = first < 0 ? 0 : first > o->n ? o->n : first;
        rest = n > 0 && n < o->n - first ? n : o->n - first;
        rest += m->more - m->less;
        uint8_t *taken = room(to, rest < 0 ? 0 : rest);
        if (!m->has_no_sizes)
            *size = o->n;
        if (taken && rest > 0)
            memcpy(taken, o->bytes + first, (size_t)(rest - m->more));
        else if (!taken)
            status = NGFF_E_STORAGE;
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int32_t memory_remove(void *user, const char *key, char *error, int64_t error_size)
{
    memory *m = user;
    int32_t status = call_of(m, "remove", key, error, error_size);
    int i = find(m, key);
    if (status == NGFF_OK && i == m->n)
        status = NGFF_E_NOT_FOUND;
    else if (status == NGFF_OK) {
        free(m->objects[i].bytes);
        m->objects[i] = m->objects[--m->n];
        m->objects[m->n] = (object){.bytes = NULL};
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int32_t memory_size(void *user, const char *key, int64_t *size, char *error, int64_t error_size)
{
    memory *m = user;
    int32_t status = call_of(m, "size", key, error, error_size);
    int i = find(m, key);
    if (status == NGFF_OK && i == m->n)
        status = NGFF_E_NOT_FOUND;
    else if (status == NGFF_OK && !m->is_silent)
        *size = m->objects[i].n;
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int32_t memory_list(void *user, const char *prefix, int32_t is_recursive,
                           int32_t (*found)(void *to, const char *key), void *to, char *error, int64_t error_size)
{
    memory *m = user;
    int32_t status = call_of(m, "list", prefix, error, error_size);
    CHECK(is_recursive == 0 || is_recursive == 1);
    CHECK(!prefix[0] || prefix[strlen(prefix) - 1] == '/');
    for (int i = 0; i < m->n && status == NGFF_OK; i++)
        if (strncmp(m->objects[i].key, prefix, strlen(prefix)) == 0)
            status = found(to, m->objects[i].key);
    if (status == NGFF_OK && m->stray)
        status = found(to, m->stray);
    pthread_mutex_unlock(&m->lock);
    return status;
}

static const ngff_store_calls all_calls = {.write = memory_write,
                                           .read = memory_read,
                                           .remove = memory_remove,
                                           .size = memory_size,
                                           .list = memory_list,
                                           .retry_delay = 1e-4};

static memory *memory_begin(void)
{
    memory *m = calloc(1, sizeof *m);
    ngff_store_calls calls = all_calls;
    pthread_mutex_init(&m->lock, NULL);
    calls.user = m;
    m->store = ngff_store_create(&calls, "memory");
    CHECK_INT(ngff_store_status(m->store), NGFF_OK);
    CHECK_TEXT(ngff_store_error(m->store), "");
    return m;
}

static void empty(memory *m)
{
    for (int i = 0; i < m->n; i++)
        free(m->objects[i].bytes);
    memset(m->objects, 0, sizeof m->objects);
    m->n = 0;
}

static void memory_end(memory *m)
{
    ngff_store_free(m->store);
    empty(m);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void put(memory *m, const char *key, const void *bytes, size_t n)
{
    char error[256] = "";
    CHECK_INT(memory_write(m, key, bytes, (int64_t)n, 0, error, sizeof error), NGFF_OK);
}

/* The path of an image in it; holds for three more calls of the thread. */
static const char *at(const memory *m, const char *name)
{
    static _Thread_local char paths[4][300];
    static _Thread_local int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s%s%s", ngff_store_path(m->store), name[0] ? "/" : "", name);
    return path;
}

/* -- Images -------------------------------------------------------------------------------------------------------- */

static const int64_t zero[3], shape[2] = {40, 50};

static ngff_plan *plan_with(const char *option, const char *more)
{
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    const char *options[] = {"BLOCKSIZE=16",         "SCALE_FACTORS=2",    "LAYOUT=FLAT", "NUM_THREADS=2",
                             option ? option : more, option ? more : NULL, NULL};
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_TEXT(ngff_plan_error(plan), "");
    ngff_image_free(image);
    return plan;
}

static uint8_t pixel_at(int64_t y, int64_t x, int seed)
{
    return (uint8_t)(7 * y + 3 * x + y * x / 11 + seed);
}

/* Writes up to n_most regions in the writer's order; returns their number. */
static int write_regions(ngff_writer *w, int seed, int n_most)
{
    int64_t origin[2], extent[2];
    int n = 0;
    while (n < n_most && ngff_writer_next(w, origin, extent) == 1) {
        uint8_t pixels[40 * 50];
        for (int64_t y = 0, i = 0; y < extent[0]; y++)
            for (int64_t x = 0; x < extent[1]; x++)
                pixels[i++] = pixel_at(origin[0] + y, origin[1] + x, seed);
        if (ngff_writer_write(w, origin, extent, pixels, NULL, NULL, 0) != NGFF_OK)
            break;
        n++;
    }
    return n;
}

/* Returns how it ended; message: room for 1000, or NULL. */
static int32_t write_image(const char *path, int seed, const char *option, char *message)
{
    ngff_plan *plan = plan_with(option, NULL);
    ngff_writer *w = ngff_writer_open(plan, path);
    write_regions(w, seed, 1000);
    int32_t status = ngff_writer_close(w);
    if (message)
        snprintf(message, 1000, "%s", ngff_writer_error(w));
    ngff_writer_free(w);
    ngff_plan_free(plan);
    return status;
}

static void check_pixels(const char *path, int seed)
{
    uint8_t pixels[40 * 50];
    char message[1000] = "";
    int n_wrong = 0;
    ngff_reader *reader = ngff_reader_open(path);
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_INT(ngff_reader_read(reader, 0, zero, shape, pixels, NULL, 2, message, sizeof message), NGFF_OK);
    CHECK_TEXT(message, "");
    for (int i = 0; i < 40 * 50; i++)
        n_wrong += pixels[i] != pixel_at(i / 50, i % 50, seed);
    CHECK_INT(n_wrong, 0);
    ngff_reader_free(reader);
}

static memory *compared;
static int n_compared;

static int compare_file(const char *path, const struct stat *s, int flag, struct FTW *walk)
{
    (void)s, (void)walk;
    if (flag != FTW_F)
        return 0;
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    int i = find(compared, path + strlen(place) + 1);
    CHECK(i < compared->n && compared->objects[i].n == (int64_t)n && memcmp(compared->objects[i].bytes, bytes, n) == 0);
    n_compared++;
    return 0;
}

/* All that is in it are the files below a name on the disk, by the same keys. */
static void check_same_as_files(memory *m, const char *name)
{
    compared = m;
    n_compared = 0;
    CHECK_INT(nftw(below(name), compare_file, 16, FTW_PHYS), 0);
    CHECK_INT(n_compared, m->n);
    CHECK(n_compared > 10);
}

/* -- Tests --------------------------------------------------------------------------------------------------------- */

static void image_is_written_through_the_calls_and_read_back(void)
{
    memory *m = memory_begin();
    CHECK(strncmp(ngff_store_path(m->store), "/host:", 6) == 0 && strstr(ngff_store_path(m->store), ":memory"));
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    CHECK_INT(write_image(below("a"), 1, NULL, NULL), NGFF_OK);
    check_same_as_files(m, "a");
    check_pixels(at(m, "a"), 1);
    CHECK_INT(ngff_identify(at(m, "a")), 1);
    CHECK_INT(ngff_identify(at(m, "b")), 0);
    CHECK_INT(ngff_validate(at(m, "a"), NULL, NULL, NULL), NGFF_OK);
    ngff_reader *reader = ngff_reader_open(at(m, "a"));
    CHECK_INT(ngff_reader_verify(reader, 2, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(reader);
    put(m, "a/0/c/9/9", "stray", 5);
    reader = ngff_reader_open(at(m, "a"));
    CHECK_INT(ngff_reader_verify(reader, 2, NULL, NULL, NULL), NGFF_E_CORRUPT);
    ngff_reader_free(reader);
    remove_below("a");
    memory_end(m);
}

static void root_of_the_store_may_be_the_image(void)
{
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, ""), 1, NULL, NULL), NGFF_OK);
    CHECK(has(m, "zarr.json") && has(m, "0/zarr.json"));
    check_pixels(at(m, ""), 1);
    CHECK_INT(write_image(at(m, ""), 2, "OVERWRITE=YES", NULL), NGFF_OK);
    check_pixels(at(m, ""), 2);
    memory_end(m);
}

/* A host whose keys begin with a bucket has messages that say "s3://bucket/...". */
static void name_may_end_as_the_scheme_of_a_url_does(void)
{
    memory *m = memory_begin();
    ngff_store_calls calls = all_calls;
    char path[100], message[1000] = "";
    calls.user = m;
    ngff_store *s = ngff_store_create(&calls, "s3:/");
    snprintf(path, sizeof path, "%s/bucket/a", ngff_store_path(s));
    CHECK_INT(write_image(path, 1, NULL, NULL), NGFF_OK);
    CHECK(has(m, "bucket/a/zarr.json"));
    check_pixels(path, 1);
    CHECK_INT(write_image(path, 1, NULL, message), NGFF_E_EXISTS);
    CHECK(strstr(message, ":s3://bucket/a exists"));
    CHECK_INT(write_image(ngff_store_path(s), 2, NULL, message), NGFF_E_EXISTS); /* holds objects of others */
    empty(m);
    CHECK_INT(write_image(ngff_store_path(s), 2, NULL, NULL), NGFF_OK);
    CHECK(has(m, "zarr.json"));
    check_pixels(ngff_store_path(s), 2);
    ngff_store_free(s);
    memory_end(m);
}

static void image_is_refused_and_replaced_as_on_a_server(void)
{
    memory *m = memory_begin();
    char message[1000];
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    int n = m->n;
    CHECK_INT(write_image(at(m, "a"), 2, NULL, message), NGFF_E_EXISTS);
    CHECK(strstr(message, "OVERWRITE=YES") && strstr(message, at(m, "a")));
    check_pixels(at(m, "a"), 1);
    CHECK_INT(write_image(at(m, "a"), 2, "OVERWRITE=YES", NULL), NGFF_OK);
    check_pixels(at(m, "a"), 2);
    CHECK_INT(m->n, n);
    put(m, "a/thesis.txt", "years", 5);
    CHECK_INT(write_image(at(m, "a"), 3, "OVERWRITE=YES", message), NGFF_E_EXISTS);
    CHECK(strstr(message, "thesis.txt"));
    check_pixels(at(m, "a"), 2);
    memory_end(m);
}

static void calls_that_are_missing_are_refused(void)
{
    char name[] = "m";
    for (int i = 0; i < 6; i++) {
        ngff_store_calls calls = all_calls;
        if (i == 0)
            calls.read = NULL;
        if (i == 1)
            calls.size = NULL;
        if (i == 2)
            calls.remove = NULL;
        if (i == 3)
            calls.write = NULL;
        if (i == 4)
            calls.list = NULL;
        ngff_store *s = ngff_store_create(&calls, i == 5 ? "" : name);
        CHECK_INT(ngff_store_status(s), NGFF_E_ARGUMENT);
        CHECK(strstr(ngff_store_error(s), i == 5 ? "a name" : "needed"));
        CHECK_TEXT(ngff_store_path(s), "");
        ngff_store_free(s);
    }
    ngff_store *s = ngff_store_create(NULL, name);
    CHECK_INT(ngff_store_status(s), NGFF_E_ARGUMENT);
    ngff_store_free(s);
    CHECK_INT(ngff_store_status(NULL), NGFF_E_ARGUMENT);
    CHECK(ngff_store_error(NULL)[0]);
    CHECK_TEXT(ngff_store_path(NULL), "");
    ngff_store_free(NULL);
}

static void place_that_is_only_read_is_not_written(void)
{
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    for (int has_list = 0; has_list < 2; has_list++) {
        ngff_store_calls calls = {
            .user = m, .read = memory_read, .size = memory_size, .list = has_list ? memory_list : NULL};
        char path[100], message[1000];
        ngff_store *s = ngff_store_create(&calls, "library");
        CHECK_INT(ngff_store_status(s), NGFF_OK);
        snprintf(path, sizeof path, "%s/a", ngff_store_path(s));
        check_pixels(path, 1);
        CHECK_INT(write_image(path, 2, "OVERWRITE=YES", message), NGFF_E_UNSUPPORTED);
        CHECK(strstr(message, "only read"));
        ngff_reader *reader = ngff_reader_open(path);
        CHECK_INT(ngff_reader_verify(reader, 1, NULL, NULL, NULL), NGFF_OK); /* without a list a note says so */
        ngff_reader_free(reader);
        ngff_store_free(s);
    }
    check_pixels(at(m, "a"), 1);
    memory_end(m);
}

static void each_call_fails_once_and_the_image_is_whole(void)
{
    static const char *const verbs[] = {"write", "read", "remove", "size", "list"};
    CHECK_INT(write_image(below("a"), 1, NULL, NULL), NGFF_OK);
    for (size_t v = 0; v < 5; v++)
        for (int first = 1, is_reached = 1; is_reached; first++) {
            memory *m = memory_begin();
            m->fault = (fault){.verb = verbs[v], .part = "", .first = first, .count = 1, .status = NGFF_E_AGAIN};
            CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
            is_reached = m->fault.n_done;
            CHECK(is_reached || first > 1);
            check_same_as_files(m, "a");
            memory_end(m);
        }
    remove_below("a");
}

/* With words of the host where it has any; and with nothing left but what it does not let go. */
static void each_write_fails_for_good_and_nothing_is_left(void)
{
    static const struct {
        int32_t status;
        const char *words;
        int n_calls;
    } cases[] = {{NGFF_E_STORAGE, "the hamster sleeps", 1},
                 {NGFF_E_REFUSED, "the hamster sleeps", 1},
                 {NGFF_E_AGAIN, "the hamster sleeps; tried several times", 5},
                 {NGFF_E_CORRUPT, "corrupt data", 1},
                 {NGFF_E_NOT_FOUND, "the hamster sleeps", 1},
                 {17, "the hamster sleeps", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int first = 1, is_reached = 1; is_reached; first++) {
            char message[1000] = "";
            memory *m = memory_begin();
            int count = cases[i].n_calls == 1 ? 1 : 1000;
            m->fault = (fault){.verb = "write", .part = "", .first = first, .count = count, .status = cases[i].status};
            int32_t status = write_image(at(m, "a"), 1, NULL, message);
            is_reached = m->fault.n_done > 0;
            CHECK(!is_reached || m->fault.n_done >= cases[i].n_calls);
            CHECK_INT(status, is_reached ? NGFF_E_STORAGE : NGFF_OK);
            CHECK(!is_reached || (strstr(message, cases[i].words) && strstr(message, at(m, "a"))));
            CHECK(!is_reached || m->n == 0);
            memory_end(m);
        }
}

static void call_that_cannot_be_removed_is_told(void)
{
    char message[1000] = "";
    memory *m = memory_begin();
    m->fault = (fault){.verb = "remove", .part = ".omezarr-claim", .first = 1, .count = 100, .status = NGFF_E_REFUSED};
    CHECK_INT(write_image(at(m, "a"), 1, NULL, message), NGFF_E_STORAGE);
    CHECK(strstr(message, "is whole, but .omezarr-claim"));
    m->fault.count = 0;
    check_pixels(at(m, "a"), 1);
    CHECK_INT(write_image(at(m, "a"), 2, "OVERWRITE=YES", NULL), NGFF_OK); /* the claim is that of nobody who lives */
    check_pixels(at(m, "a"), 2);
    memory_end(m);
}

/* Never fill, and never a crash. */
static void read_that_gives_what_it_should_not_is_an_error(void)
{
    static const struct {
        int64_t less, more;
        int is_silent, has_no_sizes;
        const char *words;
    } cases[] = {{1, 0, 0, 0, "instead of"}, {500000, 0, 0, 0, "instead of"}, {0, 0, 1, 0, NULL}, {1, 0, 0, 1, NULL}};
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, "a"), 1, "COMPRESS=NONE", NULL), NGFF_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t pixels[40 * 50];
        char message[1000] = "";
        ngff_reader *reader = ngff_reader_open(at(m, "a"));
        m->less = cases[i].less;
        m->is_silent = cases[i].is_silent;
        m->has_no_sizes = cases[i].has_no_sizes;
        int32_t status = ngff_reader_read(reader, 0, zero, shape, pixels, NULL, 2, message, sizeof message);
        CHECK(status == NGFF_E_STORAGE || status == NGFF_E_CORRUPT);
        CHECK(strstr(message, "memory/a/0/c/") && (!cases[i].words || strstr(message, cases[i].words)));
        ngff_reader_free(reader);
        reader = ngff_reader_open(at(m, "a"));
        CHECK(ngff_reader_status(reader) < 0);
        ngff_reader_free(reader);
        m->less = m->more = m->is_silent = m->has_no_sizes = 0;
        check_pixels(at(m, "a"), 1);
    }
    memory_end(m);
}

static void no_room_is_given_for_more_than_was_asked(void)
{
    memory *m = memory_begin();
    error e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there = 0;
    put(m, "a/b", "0123456789", 10);
    store *s = store_open(at(m, "a"));
    m->more = 1;
    CHECK_INT(store_find(s, "b", 2, 3, &bytes, &n, &is_there, &e), NGFF_E_STORAGE);
    CHECK(bytes == NULL);
    m->more = 0;
    static const struct {
        int64_t offset;
        size_t n;
        const char *expected;
    } cases[] = {{0, 0, "0123456789"},   {2, 3, "234"}, {8, 5, "89"},      {-1, 4, "6789"},
                 {-1, 40, "0123456789"}, {10, 2, ""},   {3, 0, "3456789"}, {30, 2, ""}};
    for (int has_sizes = 0; has_sizes < 2; has_sizes++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            error own = {0};
            m->has_no_sizes = !has_sizes;
            CHECK_INT(store_find(s, "b", cases[i].offset, cases[i].n, &bytes, &n, &is_there, &own), NGFF_OK);
            CHECK_INT(is_there, 1);
            CHECK_TEXT((const char *)bytes, cases[i].expected);
            CHECK_INT(n, strlen(cases[i].expected));
            free(bytes);
        }
    s->ops->free(s);
    memory_end(m);
}

/* Who may not list is told so of what is not there; whether something is there is then not known. */
static void refusal_is_not_taken_for_missing(void)
{
    memory *m = memory_begin();
    static const struct {
        int32_t status;
        int32_t expected;
        int is_refusal;
    } cases[] = {{NGFF_E_NOT_FOUND, NGFF_OK, 0},
                 {NGFF_E_REFUSED, NGFF_E_STORAGE, 1},
                 {NGFF_E_STORAGE, NGFF_E_STORAGE, 0},
                 {NGFF_E_EXISTS, NGFF_E_STORAGE, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int is_size = 0; is_size < 2; is_size++) {
            error e = {0};
            uint8_t *bytes = NULL;
            size_t n = 0;
            uint64_t size = 0;
            int is_there = 1;
            m->fault = (fault){
                .verb = is_size ? "size" : "read", .part = "a/c", .first = 1, .count = 1, .status = cases[i].status};
            store *s = store_open(at(m, "a"));
            CHECK_INT(is_size ? store_find_size(s, "c", &size, &is_there, &e)
                              : store_find(s, "c", 0, 0, &bytes, &n, &is_there, &e),
                      cases[i].expected);
            CHECK_INT(is_there, 0);
            CHECK_INT(e.is_refusal, cases[i].is_refusal);
            s->ops->free(s);
        }
    m->fault.verb = NULL;
    m->is_silent = 1;
    error e = {0};
    uint64_t size = 0;
    int is_there = 0;
    put(m, "a/c", "x", 1);
    store *s = store_open(at(m, "a"));
    CHECK_INT(store_find_size(s, "c", &size, &is_there, &e), NGFF_E_STORAGE);
    CHECK(strstr(e.message, "no size"));
    s->ops->free(s);
    memory_end(m);
}

static int32_t gather(void *user, const char *key)
{
    strcat(strcat(user, key), ";");
    return NGFF_OK;
}

static void list_has_what_is_below_and_nothing_else(void)
{
    memory *m = memory_begin();
    char all[300] = "";
    error e = {0}, failed = {0};
    put(m, "a/0/c", "1", 1);
    put(m, "ab/0/c", "2", 1);
    put(m, "a/zarr.json", "3", 1);
    m->stray = "somewhere/else";
    store *s = store_open(at(m, "a"));
    CHECK_INT(s->ops->list(s, gather, all, &e), NGFF_OK);
    CHECK_TEXT(all, "0/c;zarr.json;");
    m->fault = (fault){.verb = "list", .part = "a/", .first = 1, .count = 1, .status = NGFF_E_STORAGE};
    CHECK_INT(s->ops->list(s, gather, all, &failed), NGFF_E_STORAGE);
    CHECK(strstr(failed.message, "the hamster sleeps"));
    s->ops->free(s);
    memory_end(m);
}

/* A list that does not show the claim is none: then nothing is removed, and nothing written. */
static void list_that_fails_keeps_the_image_that_is_there(void)
{
    char message[1000] = "";
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    int n = m->n;
    m->fault = (fault){.verb = "list", .part = "", .first = 1, .count = 1000, .status = NGFF_E_REFUSED};
    CHECK_INT(write_image(at(m, "a"), 2, "OVERWRITE=YES", message), NGFF_E_STORAGE);
    CHECK(strstr(message, "cannot be listed"));
    CHECK_INT(m->n, n);
    m->fault.count = 0;
    check_pixels(at(m, "a"), 1);
    memory_end(m);
}

/* -- Two writers --------------------------------------------------------------------------------------------------- */

static char contested[300]; /* the path */

static void *write_contested(void *seed)
{
    char message[1000] = "";
    int32_t status = write_image(contested, *(int *)seed, NULL, message);
    CHECK(status == NGFF_OK || status == NGFF_E_EXISTS);
    CHECK(status == NGFF_OK || strstr(message, "another program is writing") || strstr(message, "OVERWRITE"));
    return status == NGFF_OK ? seed : NULL;
}

static void one_of_several_writers_of_a_name_wins(void)
{
    enum { n_writers = 3 };
    for (int round = 0; round < 20; round++) {
        pthread_t threads[n_writers];
        int seeds[n_writers], n_won = 0, winner = 0;
        memory *m = memory_begin();
        snprintf(contested, sizeof contested, "%s", at(m, "a"));
        for (int i = 0; i < n_writers; i++) {
            seeds[i] = 10 * i + 1;
            pthread_create(&threads[i], NULL, write_contested, &seeds[i]);
        }
        for (int i = 0; i < n_writers; i++) {
            void *won;
            pthread_join(threads[i], &won);
            n_won += won != NULL;
            winner = won ? *(int *)won : winner;
        }
        CHECK_INT(n_won, 1);
        check_pixels(contested, winner);
        memory_end(m);
    }
}

static void claim_of_one_refuses_the_other_and_goes_with_it(void)
{
    char message[1000] = "";
    memory *m = memory_begin();
    ngff_plan *plan = plan_with(NULL, NULL);
    ngff_writer *first = ngff_writer_open(plan, at(m, "a"));
    CHECK_INT(write_regions(first, 1, 5), 5);
    CHECK_INT(write_image(at(m, "a"), 2, "OVERWRITE=YES", message), NGFF_E_EXISTS);
    CHECK(strstr(message, ".omezarr-claim") && strstr(message, "another program is writing"));
    ngff_reader *reader = ngff_reader_open(at(m, "a"));
    CHECK_INT(ngff_reader_status(reader), NGFF_E_NOT_FOUND);
    ngff_reader_free(reader);
    ngff_writer_free(first);
    CHECK_INT(m->n, 0);
    ngff_plan_free(plan);
    memory_end(m);
}

static void root_that_another_has_put_is_not_replaced(void)
{
    memory *m = memory_begin();
    ngff_plan *plan = plan_with(NULL, NULL);
    ngff_writer *w = ngff_writer_open(plan, at(m, "a"));
    write_regions(w, 1, 1000);
    put(m, "a/zarr.json", "theirs", 6);
    CHECK_INT(ngff_writer_close(w), NGFF_E_EXISTS);
    CHECK(strstr(ngff_writer_error(w), "put by somebody else"));
    ngff_writer_free(w);
    ngff_plan_free(plan);
    memory_end(m);
}

/* -- The end of runs ----------------------------------------------------------------------------------------------- */

static void run_is_resumed(void)
{
    memory *m = memory_begin();
    ngff_plan *plan = plan_with("RESUME=YES", NULL);
    ngff_writer *w = ngff_writer_open(plan, at(m, "a"));
    int n = write_regions(w, 1, 1000), n_spared = 0;
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    CHECK_INT(write_image(below("a"), 1, NULL, NULL), NGFF_OK);
    check_same_as_files(m, "a");
    for (int part = 1; part < n; part += 3) {
        empty(m);
        w = ngff_writer_open(plan, at(m, "a"));
        CHECK_INT(write_regions(w, 1, part), part);
        ngff_writer_free(w);
        CHECK(m->n > 0 && !has(m, "a/zarr.json"));
        w = ngff_writer_open(plan, at(m, "a"));
        int rest = write_regions(w, 1, 1000);
        CHECK(rest <= n);
        n_spared += n - rest;
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        CHECK_TEXT(ngff_writer_error(w), "");
        ngff_writer_free(w);
        check_same_as_files(m, "a");
    }
    CHECK(n_spared > 5);
    ngff_plan_free(plan);
    remove_below("a");
    memory_end(m);
}

static ngff_writer *cancelled;
static atomic_int n_until_cancel;

static void cancel_in_a_call(const char *verb, const char *key)
{
    if (strcmp(verb, "write") == 0 && strstr(key, "/c/") && --n_until_cancel == 0)
        ngff_writer_cancel(cancelled);
}

static void cancelled_run_leaves_nothing(void)
{
    for (int n = 1; n < 14; n += 4) {
        memory *m = memory_begin();
        ngff_plan *plan = plan_with(NULL, NULL);
        cancelled = ngff_writer_open(plan, at(m, "a"));
        n_until_cancel = n;
        m->before = cancel_in_a_call;
        write_regions(cancelled, 1, 1000);
        CHECK_INT(ngff_writer_close(cancelled), NGFF_E_CANCELLED);
        ngff_writer_free(cancelled);
        ngff_plan_free(plan);
        CHECK_INT(m->n, 0);
        memory_end(m);
    }
}

/* -- The end of a store -------------------------------------------------------------------------------------------- */

static void who_still_has_the_path_of_an_ended_store_gets_an_error(void)
{
    uint8_t pixels[40 * 50];
    char message[1000] = "", path[300];
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    snprintf(path, sizeof path, "%s", at(m, "a"));
    ngff_reader *reader = ngff_reader_open(path);
    ngff_plan *plan = plan_with(NULL, NULL);
    ngff_writer *w = ngff_writer_open(plan, at(m, "b"));
    write_regions(w, 1, 3);
    memory_end(m);
    CHECK_INT(ngff_reader_read(reader, 0, zero, shape, pixels, NULL, 2, message, sizeof message), NGFF_E_STORAGE);
    CHECK(strstr(message, "this store of the host has ended"));
    ngff_reader_free(reader);
    write_regions(w, 1, 1000);
    CHECK_INT(ngff_writer_close(w), NGFF_E_STORAGE);
    CHECK(strstr(ngff_writer_error(w), "this store of the host has ended"));
    ngff_writer_free(w);
    ngff_plan_free(plan);
    reader = ngff_reader_open(path);
    CHECK_INT(ngff_reader_status(reader), NGFF_E_STORAGE);
    ngff_reader_free(reader);
    CHECK(ngff_identify(path) <= 0);
    CHECK_INT(write_image("/host:0:nothing/a", 1, NULL, message), NGFF_E_STORAGE);
    memory *next = memory_begin(); /* another number */
    CHECK(strncmp(path, ngff_store_path(next->store), strlen(ngff_store_path(next->store))) != 0);
    memory_end(next);
}

static atomic_int is_in_call, is_call_done;

static void take_long(const char *verb, const char *key)
{
    (void)verb, (void)key;
    is_in_call = 1;
    usleep(50000);
    is_call_done = 1;
}

static void *identify_slowly(void *path)
{
    ngff_identify(path);
    return NULL;
}

static void end_waits_for_the_calls_under_way(void)
{
    pthread_t thread;
    memory *m = memory_begin();
    char path[300];
    snprintf(path, sizeof path, "%s", at(m, "a"));
    m->before = take_long;
    pthread_create(&thread, NULL, identify_slowly, path);
    while (!is_in_call)
        usleep(100);
    ngff_store_free(m->store);
    CHECK(is_call_done);
    m->store = NULL;
    pthread_join(thread, NULL);
    memory_end(m);
}

#ifndef _WIN32
/* There no call is under way, whatever its parent was doing. */
static void end_in_a_child_of_fork_does_not_wait(void)
{
    pthread_t thread;
    memory *m = memory_begin();
    char path[300];
    int status = 1;
    snprintf(path, sizeof path, "%s", at(m, "a"));
    m->before = take_long;
    is_in_call = 0;
    pthread_create(&thread, NULL, identify_slowly, path);
    while (!is_in_call)
        usleep(100);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        ngff_store_free(m->store);
        _exit(0);
    }
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    pthread_join(thread, NULL);
    memory_end(m);
}
#else
static void end_in_a_child_of_fork_does_not_wait(void)
{
}
#endif

/* -- Beside images ------------------------------------------------------------------------------------------------- */

static void label_image_is_added_to_its_image(void)
{
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    ngff_reader *of = ngff_reader_open(at(m, "a"));
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT8);
    static const char *const options[] = {"LABELS=YES", "BLOCKSIZE=16", NULL};
    CHECK_INT(ngff_image_set_label_of(image, of, "labels/cells"), NGFF_OK);
    ngff_reader_free(of);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = ngff_writer_open(plan, at(m, "a"));
    write_regions(w, 5, 1000);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK_TEXT(ngff_writer_error(w), "");
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
    check_pixels(at(m, "a/labels/cells"), 5);
    of = ngff_reader_open(at(m, "a"));
    CHECK_TEXT(ngff_reader_part_path(of, 1), "labels/cells");
    CHECK_INT(ngff_reader_verify(of, 1, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(of);
    CHECK(!has(m, "a/labels/cells/.omezarr-dirty") && !has(m, "a/.omezarr-claim"));
    memory_end(m);
}

static void image_is_changed_in_place(void)
{
    static const int64_t corner[2] = {3, 5}, one[2] = {1, 1};
    uint8_t pixel = 200, read = 0;
    memory *m = memory_begin();
    CHECK_INT(write_image(at(m, "a"), 1, NULL, NULL), NGFF_OK);
    int n = m->n;
    ngff_plan *plan = plan_with(NULL, NULL);
    ngff_writer *w = ngff_writer_open_update(plan, at(m, "a"));
    CHECK_INT(ngff_writer_write(w, corner, one, &pixel, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK_TEXT(ngff_writer_error(w), "");
    ngff_writer_free(w);
    ngff_plan_free(plan);
    CHECK_INT(m->n, n);
    ngff_reader *reader = ngff_reader_open(at(m, "a"));
    CHECK_INT(ngff_reader_read(reader, 0, corner, one, &read, NULL, 1, NULL, 0), NGFF_OK);
    CHECK_INT(read, 200);
    CHECK_INT(ngff_reader_verify(reader, 1, NULL, NULL, NULL), NGFF_OK);
    ngff_reader_free(reader);
    memory_end(m);
}

static void one_file_is_read_and_not_written(void)
{
    static uint8_t bytes[1 << 17];
    char message[1000] = "";
    memory *m = memory_begin();
    CHECK_INT(write_image(below("a.ozx"), 1, NULL, NULL), NGFF_OK);
    FILE *file = fopen(below("a.ozx"), "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CHECK(n > 1000 && n < sizeof bytes);
    put(m, "a.ozx", bytes, n);
    for (int has_sizes = 0; has_sizes < 2; has_sizes++) {
        m->has_no_sizes = !has_sizes;
        check_pixels(at(m, "a.ozx"), 1);
        ngff_reader *reader = ngff_reader_open(at(m, "a.ozx"));
        CHECK_INT(ngff_reader_verify(reader, 1, NULL, NULL, NULL), NGFF_OK);
        ngff_reader_free(reader);
    }
    ngff_reader *reader = ngff_reader_open(at(m, "b.ozx"));
    CHECK_INT(ngff_reader_status(reader), NGFF_E_NOT_FOUND);
    ngff_reader_free(reader);
    CHECK_INT(write_image(at(m, "a.ozx"), 1, "OVERWRITE=YES", message), NGFF_E_UNSUPPORTED);
    CHECK(strstr(message, "write it there and copy it"));
    CHECK_INT(m->n, 1);
    remove_below("a.ozx");
    memory_end(m);
}

static void report_is_not_put_there(void)
{
    char option[300], message[1000] = "";
    memory *m = memory_begin();
    snprintf(option, sizeof option, "REPORT=%s", at(m, "a.json"));
    CHECK_INT(write_image(at(m, "a"), 1, option, message), NGFF_E_UNSUPPORTED);
    CHECK(strstr(message, "a path on a disk"));
    CHECK_INT(m->n, 0);
    snprintf(option, sizeof option, "REPORT=%s", below("a.json"));
    CHECK_INT(write_image(at(m, "a"), 1, option, message), NGFF_OK);
    check_pixels(at(m, "a"), 1);
    remove_below("a.json");
    memory_end(m);
}

/* Beyond the limit of memory it lies on this machine, and goes with the store. */
static void scratch_lies_in_a_temporary_folder(void)
{
    memory *m = memory_begin();
    char read[6] = "";
    error e = {0}, failed = {0};
    setenv("TMPDIR", place, 1);
    store *s = store_open(at(m, "a"));
    CHECK_INT(s->writing->scratch_put(s, "cell", "spill", 6, &e), NGFF_OK);
    CHECK_INT(m->n, 0);
    CHECK_INT(s->writing->scratch_get(s, "cell", read, 6, &e), NGFF_OK);
    CHECK_TEXT(read, "spill");
    s->ops->free(s); /* place_end finds the place empty */
    setenv("TMPDIR", below("none"), 1);
    s = store_open(at(m, "a"));
    CHECK_INT(s->writing->scratch_put(s, "cell", "spill", 6, &failed), NGFF_E_STORAGE);
    CHECK(strstr(failed.message, "TMPDIR"));
    s->ops->free(s);
    memory_end(m);
}

int main(void)
{
    place_begin();
    RUN(image_is_written_through_the_calls_and_read_back);
    RUN(root_of_the_store_may_be_the_image);
    RUN(name_may_end_as_the_scheme_of_a_url_does);
    RUN(image_is_refused_and_replaced_as_on_a_server);
    RUN(calls_that_are_missing_are_refused);
    RUN(place_that_is_only_read_is_not_written);
    RUN(each_call_fails_once_and_the_image_is_whole);
    RUN(each_write_fails_for_good_and_nothing_is_left);
    RUN(call_that_cannot_be_removed_is_told);
    RUN(read_that_gives_what_it_should_not_is_an_error);
    RUN(no_room_is_given_for_more_than_was_asked);
    RUN(refusal_is_not_taken_for_missing);
    RUN(list_has_what_is_below_and_nothing_else);
    RUN(list_that_fails_keeps_the_image_that_is_there);
    RUN(one_of_several_writers_of_a_name_wins);
    RUN(claim_of_one_refuses_the_other_and_goes_with_it);
    RUN(root_that_another_has_put_is_not_replaced);
    RUN(run_is_resumed);
    RUN(cancelled_run_leaves_nothing);
    RUN(who_still_has_the_path_of_an_ended_store_gets_an_error);
    RUN(end_waits_for_the_calls_under_way);
    RUN_POSIX(end_in_a_child_of_fork_does_not_wait, "fork");
    RUN(label_image_is_added_to_its_image);
    RUN(image_is_changed_in_place);
    RUN(one_file_is_read_and_not_written);
    RUN(report_is_not_put_there);
    RUN(scratch_lies_in_a_temporary_folder);
    place_end();
    CHECK_EXIT();
}
