/* test_series.c: a folder of a store as a store. */
#include "store/series.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ngff.h"
#include "store/store_memory.h"

static int count_keys(void *user, const char *key)
{
    CHECK(strncmp(key, "1/", 2) != 0);
    ++*(int *)user;
    return NGFF_OK;
}

static int is_there(store *s, const char *key)
{
    uint64_t n;
    int there = 0;
    error e = {0};
    CHECK_INT(store_find_size(s, key, &n, &there, &e), NGFF_OK);
    return there;
}

static void keys_are_those_of_the_folder(void)
{
    error e = {0};
    store *whole = store_memory_open(), *first = series_open(whole, "0/", 1), *second = series_open(whole, "1/", 0);
    uint8_t *bytes = NULL;
    size_t n = 0;
    int n_keys = 0;
    CHECK(series_whole(first) == whole && series_whole(second) == whole);
    CHECK_INT(first->writing->begin(first, 0, &e), NGFF_OK);
    CHECK_INT(second->writing->begin(second, 0, &e), NGFF_OK); /* the first has done it */
    CHECK_INT(first->writing->put(first, "zarr.json", "a", 1, &e), NGFF_OK);
    CHECK_INT(second->writing->put(second, "zarr.json", "bc", 2, &e), NGFF_OK);
    CHECK_INT(second->writing->put(second, "c/0", "d", 1, &e), NGFF_OK);
    CHECK_INT(store_read(second, "zarr.json", 0, 0, &bytes, &n, &e), NGFF_OK);
    CHECK_INT(n, 2);
    free(bytes);
    CHECK(is_there(whole, "0/zarr.json") && is_there(whole, "1/c/0") && !is_there(first, "c/0"));
    CHECK_INT(second->ops->list(second, count_keys, &n_keys, &e), NGFF_OK);
    CHECK_INT(n_keys, 2);
    second->writing->abandon(second); /* that of another image is nothing to the whole */
    CHECK_INT(second->writing->publish(second, &e), NGFF_OK);
    CHECK(is_there(whole, "1/c/0"));
    second->ops->free(second);
    CHECK_INT(first->writing->publish(first, &e), NGFF_OK);
    first->ops->free(first);
}

static void what_is_not_there_is_named_by_its_place(void)
{
    error e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    store *first = series_open(store_memory_open(), "0/", 1);
    CHECK_INT(first->writing->begin(first, 0, &e), NGFF_OK);
    CHECK_INT(store_read(first, "zarr.json", 0, 0, &bytes, &n, &e), NGFF_E_NOT_FOUND);
    CHECK(strstr(e.message, "zarr.json is not there"));
    first->writing->abandon(first);
    first->ops->free(first);
}

int main(void)
{
    RUN(keys_are_those_of_the_folder);
    RUN(what_is_not_there_is_named_by_its_place);
    CHECK_EXIT();
}
