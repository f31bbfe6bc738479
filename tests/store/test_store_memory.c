/* test_store_memory.c: the store that the other tests rely on. */
#include "store/store_memory.h"

#include <stdlib.h>

#include "check.h"

static int32_t put_text(store *s, const char *key, const char *text)
{
    error e = {0};
    return s->writing->put(s, key, text, strlen(text), &e);
}

static void count(void *user, const char *key, const uint8_t *bytes, size_t n)
{
    (void)key;
    (void)bytes;
    *(size_t *)user += n;
}

static void objects_are_put_once_read_and_visited(void)
{
    error e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0, total = 0;
    uint64_t size;
    int is_there = 1;
    store *s = store_memory_open();
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a", "abcdef"), NGFF_OK);
    CHECK_INT(put_text(s, "b", ""), NGFF_OK);
    CHECK_INT(put_text(s, "a", "other"), NGFF_E_STATE);
    CHECK_INT(store_read(s, "a", 1, 2, &bytes, &n, &e), NGFF_OK);
    CHECK(n == 2 && memcmp(bytes, "bc", 2) == 0);
    free(bytes);
    CHECK_INT(store_read(s, "a", -1, 2, &bytes, &n, &e), NGFF_OK);
    CHECK(n == 2 && memcmp(bytes, "ef", 2) == 0);
    free(bytes);
    CHECK_INT(store_find(s, "c", 0, 0, &bytes, &n, &is_there, &e), NGFF_OK);
    CHECK_INT(is_there, 0);
    CHECK_INT(store_find_size(s, "a", &size, &is_there, &e), NGFF_OK);
    CHECK_INT(size, 6);
    store_memory_visit(s, count, &total);
    CHECK_INT(total, 6);
    s->ops->free(s);
}

static void chosen_put_fails(void)
{
    error e = {0};
    store *s = store_memory_open();
    store_memory_fail_after(s, 1);
    CHECK_INT(put_text(s, "a", "x"), NGFF_OK);
    CHECK_INT(put_text(s, "b", "x"), NGFF_E_STORAGE);
    CHECK_INT(put_text(s, "c", "x"), NGFF_OK);
    store_memory_fail_after(s, 0);
    CHECK_INT(s->writing->scratch_put(s, "d", "x", 1, &e), NGFF_E_STORAGE);
    s->ops->free(s);
}

static void scratch_is_apart_and_comes_back_once(void)
{
    error e = {0}, e2 = {0};
    char read[2] = "";
    size_t total = 0;
    store *s = store_memory_open();
    CHECK_INT(s->writing->scratch_put(s, "a", "x", 1, &e), NGFF_OK);
    CHECK_INT(s->writing->scratch_put(s, "a", "y", 1, &e), NGFF_OK);
    store_memory_visit(s, count, &total);
    CHECK_INT(total, 0);
    CHECK_INT(store_memory_scratch_count(s), 2);
    CHECK_INT(s->writing->scratch_get(s, "a", read, 1, &e), NGFF_OK);
    CHECK_TEXT(read, "y");
    CHECK(s->writing->scratch_get(s, "a", read, 1, &e2) != NGFF_OK);
    s->ops->free(s);
}

static void published_store_is_kept_unless_overwritten(void)
{
    error e = {0}, e2 = {0};
    size_t total = 0;
    store *s = store_memory_open();
    put_text(s, "a", "x");
    s->writing->abandon(s);
    store_memory_visit(s, count, &total);
    CHECK_INT(total, 0);
    put_text(s, "a", "x");
    CHECK(!store_memory_is_published(s));
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->writing->abandon(s);
    CHECK(store_memory_is_published(s));
    store_memory_visit(s, count, &total);
    CHECK_INT(total, 1);
    CHECK_INT(s->writing->begin(s, 0, &e2), NGFF_E_EXISTS);
    CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
    s->ops->free(s);
}

int main(void)
{
    RUN(objects_are_put_once_read_and_visited);
    RUN(chosen_put_fails);
    RUN(scratch_is_apart_and_comes_back_once);
    RUN(published_store_is_kept_unless_overwritten);
    CHECK_EXIT();
}
