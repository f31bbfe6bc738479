/* Groups, arrays and the chunks of small arrays as they reach the sink. */
#include "zarr/node_write.h"

#include <stdlib.h>

#include "check.h"

enum { most_objects = 20 };

typedef struct {
    int n, n_taken; /* objects; how many are taken */
    char keys[most_objects][80], bytes[most_objects][2000];
    size_t sizes[most_objects];
} taken;

static int32_t take(void *user, const char *key, const void *bytes, size_t n)
{
    taken *t = user;
    if (t->n >= t->n_taken)
        return NGFF_E_STORAGE;
    CHECK(n < sizeof t->bytes[0] && t->n < most_objects);
    snprintf(t->keys[t->n], sizeof t->keys[0], "%s", key);
    memcpy(t->bytes[t->n], bytes, n);
    t->bytes[t->n][n] = '\0';
    t->sizes[t->n++] = n;
    return NGFF_OK;
}

static node_writer begin(int format, taken *t, error *e)
{
    *t = (taken){.n_taken = most_objects};
    *e = (error){0};
    return (node_writer){
        .format = format, .sink = take, .user = t, .e = e, .nodes = cJSON_CreateObject(), .is_whole = 1};
}

static void put_item(const void *from, int64_t i, uint8_t *to)
{
    *to = ((const uint8_t *)from)[i];
}

/* Seven bytes in chunks of three, below two groups. */
static int32_t put_line(node_writer *to, const char *path)
{
    static const uint8_t bytes[] = "abcdefg";
    return node_put_line(to, path, "n", dtype_get(NGFF_UINT8), 7, 3, cJSON_CreateObject(), put_item, bytes);
}

static void a_group_comes_once_and_before_what_is_in_it(void)
{
    static const char *const v3[] = {"a/zarr.json", "a/b/zarr.json", "a/b/one/zarr.json", "a/b/one/c/0",
                                     "a/b/one/c/1", "a/b/one/c/2",   "a/two/zarr.json",   "a/two/c/0",
                                     "a/two/c/1",   "a/two/c/2"};
    static const char *const v2[] = {"a/.zgroup",     "a/b/.zgroup", "a/b/one/.zarray", "a/b/one/.zattrs",
                                     "a/b/one/0",     "a/b/one/1",   "a/b/one/2",       "a/two/.zarray",
                                     "a/two/.zattrs", "a/two/0",     "a/two/1",         "a/two/2"};
    for (int format = ZARR_2; format <= ZARR_3; format++) {
        const char *const *keys = format == ZARR_3 ? v3 : v2;
        int n = format == ZARR_3 ? 10 : 12;
        static taken t;
        error e;
        node_writer to = begin(format, &t, &e);
        CHECK_INT(put_line(&to, "a/b/one"), NGFF_OK);
        CHECK_INT(put_line(&to, "a/two"), NGFF_OK);
        CHECK_INT(t.n, n);
        CHECK_INT(to.n_objects, n);
        for (int i = 0; i < t.n; i++)
            CHECK_TEXT(t.keys[i], keys[i]);
        /* The copies for the root are named by node in v3, by document in v2. */
        CHECK(cJSON_GetObjectItem(to.nodes, format == ZARR_3 ? "a/two" : "a/two/.zattrs") != NULL);
        CHECK_INT(cJSON_GetArraySize(to.nodes), format == ZARR_3 ? 4 : 6);
        cJSON_Delete(to.nodes);
    }
}

static void the_last_chunk_is_padded(void)
{
    static taken t;
    error e;
    node_writer to = begin(ZARR_3, &t, &e);
    put_line(&to, "one");
    CHECK_INT(t.sizes[3], 3);
    CHECK(memcmp(t.bytes[2], "def", 3) == 0 && memcmp(t.bytes[3], "g\0\0", 3) == 0);
    CHECK(strstr(t.bytes[0], "\"shape\":\t[7]") && strstr(t.bytes[0], "\"chunk_shape\":\t[3]") &&
          strstr(t.bytes[0], "\"dimension_names\":\t[\"n\"]"));
    cJSON_Delete(to.nodes);
}

static void without_a_sink_objects_are_counted(void)
{
    static taken t;
    error e;
    node_writer to = begin(ZARR_2, &t, &e);
    to.sink = NULL;
    CHECK_INT(put_line(&to, "a/one"), NGFF_OK);
    CHECK_INT(to.n_objects, 6);
    CHECK_INT(t.n, 0);
    cJSON_Delete(to.nodes);
}

static void an_object_that_is_not_taken_ends_it(void)
{
    for (int n = 0; n < 6; n++) {
        static taken t;
        error e;
        node_writer to = begin(ZARR_2, &t, &e);
        t.n_taken = n;
        CHECK_INT(put_line(&to, "a/one"), NGFF_E_STORAGE);
        CHECK_INT(t.n, n);
        CHECK(strstr(e.message, n == 0 ? "a/.zgroup" : "a/one/") != NULL);
        cJSON_Delete(to.nodes);
    }
}

static void a_document_that_no_reader_would_take_is_refused(void)
{
    static taken t;
    error e;
    node_writer to = begin(ZARR_3, &t, &e);
    char *long_text = malloc(json_max_bytes + 1);
    memset(long_text, 'a', json_max_bytes);
    long_text[json_max_bytes] = '\0';
    CHECK_INT(node_put(&to, "x", "zarr.json", cJSON_CreateString(long_text)), NGFF_E_ARGUMENT);
    CHECK(strstr(e.message, "x/zarr.json would have 16777218 bytes") != NULL);
    CHECK_INT(t.n, 0);
    free(long_text);
    cJSON_Delete(to.nodes);
}

static void a_tree_that_is_not_whole_is_not_stored(void)
{
    static taken t;
    error e;
    node_writer to = begin(ZARR_3, &t, &e);
    to.is_whole = 0;
    CHECK_INT(put_line(&to, "one"), NGFF_E_MEMORY);
    CHECK_INT(t.n, 0);
    cJSON_Delete(to.nodes);
}

int main(void)
{
    RUN(a_group_comes_once_and_before_what_is_in_it);
    RUN(the_last_chunk_is_padded);
    RUN(without_a_sink_objects_are_counted);
    RUN(an_object_that_is_not_taken_ends_it);
    RUN(a_document_that_no_reader_would_take_is_refused);
    RUN(a_tree_that_is_not_whole_is_not_stored);
    CHECK_EXIT();
}
