/* test_stage.c: a stage is an array that happens to be in pieces: whatever is written, in whatever order and memory, it
 * reads as a plain array does. */
#include "writer/stage.h"

#include <stdlib.h>

#include "check.h"

enum { most_scratch = 512 };

/* The owner: chunks begin as their first index plus 100, scratch lies in a table, and calls can be told to fail. */
typedef struct {
    struct {
        char key[160];
        uint8_t *bytes;
        size_t n;
    } scratch[most_scratch];
    int64_t chunk_pixels, n_spilled, n_fetched, n_first, fail_spill, fail_fetch;
} owner;

static int32_t first(void *user, const int64_t *index, uint8_t *pixels, error *e)
{
    owner *o = user;
    (void)e;
    o->n_first++;
    for (int64_t i = 0; i < o->chunk_pixels; i++)
        ((uint16_t *)pixels)[i] = (uint16_t)(100 + index[0]);
    return NGFF_OK;
}

static int32_t spill(void *user, const char *key, const void *bytes, size_t n, error *e)
{
    owner *o = user;
    if (o->n_spilled++ == o->fail_spill)
        return error_set(e, NGFF_E_STORAGE, "no room for %s", key);
    for (int i = 0; i < most_scratch; i++)
        if (!o->scratch[i].bytes) {
            snprintf(o->scratch[i].key, sizeof o->scratch[i].key, "%s", key);
            o->scratch[i].bytes = malloc(n);
            o->scratch[i].n = n;
            memcpy(o->scratch[i].bytes, bytes, n);
            return NGFF_OK;
        }
    return error_set(e, NGFF_E_STATE, "too many scratch objects");
}

static int32_t fetch(void *user, const char *key, void *bytes, size_t n, error *e)
{
    owner *o = user;
    if (o->n_fetched++ == o->fail_fetch)
        return error_set(e, NGFF_E_STORAGE, "cannot read %s", key);
    for (int i = 0; i < most_scratch; i++)
        if (o->scratch[i].bytes && strcmp(o->scratch[i].key, key) == 0 && o->scratch[i].n == n) {
            memcpy(bytes, o->scratch[i].bytes, n);
            free(o->scratch[i].bytes);
            o->scratch[i].bytes = NULL;
            return NGFF_OK;
        }
    return error_set(e, NGFF_E_NOT_FOUND, "no scratch object %s", key);
}

static int scratch_left(const owner *o)
{
    int n = 0;
    for (int i = 0; i < most_scratch; i++)
        n += o->scratch[i].bytes != NULL;
    return n;
}

static void free_scratch(owner *o)
{
    for (int i = 0; i < most_scratch; i++)
        free(o->scratch[i].bytes);
}

static uint32_t next_random(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

/* 3 x 50 x 37 pixels in chunks of 2 x 8 x 16. */
static const int64_t shape[3] = {3, 50, 37}, chunk[3] = {2, 8, 16};

typedef struct {
    uint16_t pixels[3 * 50 * 37];
} model;

static void model_start(model *m)
{
    for (int i = 0; i < 3 * 50 * 37; i++)
        m->pixels[i] = (uint16_t)(100 + i / (50 * 37) / 2);
}

static box random_box(uint32_t *state)
{
    box b = {.rank = 3};
    for (int i = 0; i < 3; i++) {
        b.origin[i] = (next_random(state) >> 8) % shape[i];
        b.extent[i] = 1 + (next_random(state) >> 8) % (shape[i] - b.origin[i]);
    }
    return b;
}

static void check_equals_a_plain_array(int64_t most_bytes)
{
    owner o = {.chunk_pixels = 2 * 8 * 16, .fail_spill = -1, .fail_fetch = -1};
    stage_host host = {&o, first, spill, fetch, NULL};
    stage *s = stage_create("test", 3, shape, chunk, 2, most_bytes, &host);
    static model m;
    static uint16_t part[3 * 50 * 37];
    int64_t dense[3], whole[3], zero[3] = {0};
    error e = {0};
    uint32_t state = 7;
    int n_wrong = 0;
    model_start(&m);
    strides_dense(3, shape, 2, whole);
    for (int turn = 0; turn < 300; turn++) {
        box b = random_box(&state);
        strides_dense(3, b.extent, 2, dense);
        uint8_t *at = (uint8_t *)m.pixels + strides_offset(3, whole, zero, b.origin);
        if (turn % 2) {
            for (int64_t i = 0; i < box_volume(&b); i++)
                part[i] = (uint16_t)next_random(&state);
            CHECK_INT(stage_write(s, &b, part, dense, &e), NGFF_OK);
            pixels_copy(3, b.extent, 2, at, whole, part, dense);
            CHECK(stage_meets(s, &b));
        } else {
            static uint16_t expected[3 * 50 * 37];
            CHECK_INT(stage_read(s, &b, part, dense, &e), NGFF_OK);
            pixels_copy(3, b.extent, 2, expected, dense, at, whole);
            n_wrong += memcmp(part, expected, (size_t)(2 * box_volume(&b))) != 0;
        }
        CHECK(stage_bytes(s) <= max_i64(most_bytes, 512));
    }
    CHECK_INT(n_wrong, 0);
    CHECK(most_bytes < 10000 ? o.n_spilled > 100 : o.n_spilled == 0);
    box all = box_make(3, zero, shape);
    CHECK_INT(stage_drain(s, &all, part, whole, &e), NGFF_OK);
    CHECK(memcmp(part, m.pixels, sizeof m.pixels) == 0);
    CHECK(!stage_meets(s, &all));
    CHECK_INT(stage_bytes(s), 0);
    CHECK_INT(scratch_left(&o), 0);
    stage_free(s);
    free_scratch(&o);
}

static void reads_as_a_plain_array_in_any_memory(void)
{
    check_equals_a_plain_array(1 << 30);
    check_equals_a_plain_array(5000);
    check_equals_a_plain_array(0);
}

static void a_lower_limit_holds_at_once(void)
{
    owner o = {.chunk_pixels = 2 * 8 * 16, .fail_spill = -1, .fail_fetch = -1};
    stage_host host = {&o, first, spill, fetch, NULL};
    stage *s = stage_create("test", 3, shape, chunk, 2, 1 << 30, &host);
    static uint16_t pixels[3 * 50 * 37], found[3 * 50 * 37];
    int64_t zero[3] = {0}, whole[3];
    error e = {0};
    for (int i = 0; i < 3 * 50 * 37; i++)
        pixels[i] = (uint16_t)i;
    box all = box_make(3, zero, shape);
    strides_dense(3, shape, 2, whole);
    CHECK_INT(stage_write(s, &all, pixels, whole, &e), NGFF_OK);
    CHECK(stage_bytes(s) > 3 * 50 * 37 * 2);
    CHECK(stage_table_bytes(s) >= 42 * (8 + 80)); /* all were touched: a pointer and a slot each */
    CHECK_INT(stage_limit(s, stage_table_bytes(s) + 2000, &e), NGFF_OK);
    CHECK_INT(stage_bytes(s), 1536); /* three chunks of 512 bytes */
    CHECK_INT(stage_limit(s, 0, &e), NGFF_OK);
    CHECK_INT(stage_bytes(s), 0);
    CHECK_INT(stage_read(s, &all, found, whole, &e), NGFF_OK);
    CHECK(memcmp(found, pixels, sizeof found) == 0);
    o.fail_spill = o.n_spilled;
    CHECK_INT(stage_limit(s, -1, &e), NGFF_E_STORAGE);
    stage_free(s);
    free_scratch(&o);
}

static void strides_may_run_backwards_or_stand_still(void)
{
    owner o = {.chunk_pixels = 2 * 8 * 16, .fail_spill = -1, .fail_fetch = -1};
    stage_host host = {&o, first, spill, fetch, NULL};
    stage *s = stage_create("test", 3, shape, chunk, 2, 1 << 20, &host);
    static const uint16_t row[4] = {1, 2, 3, 4};
    uint16_t found[8];
    error e = {0};
    box b = {3, {0, 5, 14}, {1, 2, 4}};
    CHECK_INT(stage_write(s, &b, row + 3, (const int64_t[]){0, 0, -2}, &e), NGFF_OK);
    CHECK_INT(stage_read(s, &b, found, (const int64_t[]){16, 8, 2}, &e), NGFF_OK);
    for (int i = 0; i < 8; i++)
        CHECK_INT(found[i], 4 - i % 4);
    stage_free(s);
}

static void chunks_nobody_wrote_are_not_kept(void)
{
    owner o = {.chunk_pixels = 2 * 8 * 16, .fail_spill = -1, .fail_fetch = -1};
    stage_host host = {&o, first, spill, fetch, NULL};
    stage *s = stage_create("test", 3, shape, chunk, 2, 1 << 20, &host);
    static uint16_t found[3 * 50 * 37];
    int64_t strides[3];
    error e = {0};
    box all = box_make(3, NULL, shape), whole = {3, {0, 8, 16}, {2, 8, 16}}, beside = {3, {0, 0, 0}, {3, 8, 37}};
    strides_dense(3, shape, 2, strides);
    CHECK_INT(stage_read(s, &all, found, strides, &e), NGFF_OK);
    CHECK_INT(stage_bytes(s), 0);
    int64_t n_first = o.n_first;
    CHECK_INT(stage_write(s, &whole, found, strides, &e), NGFF_OK);
    CHECK_INT(o.n_first, n_first); /* all of the chunk was written: nothing had to be there first */
    CHECK_INT(stage_bytes(s), 512);
    CHECK(stage_meets(s, &whole) && !stage_meets(s, &beside));
    stage_free(s);
}

static void a_failing_scratch_is_reported_and_loses_nothing(void)
{
    owner o = {.chunk_pixels = 2 * 8 * 16, .fail_spill = 0, .fail_fetch = 0};
    stage_host host = {&o, first, spill, fetch, NULL};
    stage *s = stage_create("test", 3, shape, chunk, 2, 600, &host);
    uint16_t one = 4711, found = 0;
    int64_t strides[3] = {2, 2, 2};
    error e = {0}, other = {0}, third = {0}, none = {0};
    box a = {3, {0, 0, 0}, {1, 1, 1}}, b = {3, {0, 20, 20}, {1, 1, 1}};
    CHECK_INT(stage_write(s, &a, &one, strides, &none), NGFF_OK);
    CHECK_INT(stage_write(s, &b, &one, strides, &e), NGFF_E_STORAGE);
    CHECK_TEXT(e.message, "no room for test-0-0-0");
    CHECK_INT(stage_read(s, &a, &found, strides, &none), NGFF_OK);
    CHECK_INT(found, 4711);
    CHECK_INT(stage_write(s, &b, &one, strides, &other), NGFF_OK); /* now a is spilled */
    CHECK_INT(stage_read(s, &a, &found, strides, &third), NGFF_E_STORAGE);
    CHECK_TEXT(third.message, "cannot read test-0-0-0");
    CHECK_INT(stage_read(s, &a, &found, strides, &none), NGFF_OK);
    CHECK_INT(found, 4711);
    stage_free(s);
    free_scratch(&o);
}

int main(void)
{
    RUN(reads_as_a_plain_array_in_any_memory);
    RUN(a_lower_limit_holds_at_once);
    RUN(strides_may_run_backwards_or_stand_still);
    RUN(chunks_nobody_wrote_are_not_kept);
    RUN(a_failing_scratch_is_reported_and_loses_nothing);
    CHECK_EXIT();
}
