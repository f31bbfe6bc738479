/* test_verify.c: what verify looks at, and how much of it. On real files. */
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "ngff.h"

static char place[200];

static const char *below(const char *name)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

static int remove_visited(const char *path, const struct stat *s, int flag, struct FTW *walk)
{
    (void)s;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void remove_store(void)
{
    CHECK_INT(nftw(below("a"), remove_visited, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void write_file(const char *key, const void *bytes, size_t n)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", place, key);
    for (char *slash = strchr(path + strlen(place) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

/* side x side pixels of 1 in chunks of 8. */
static void make_store(int side, const char *option)
{
    const char *options[] = {"BLOCKSIZE=8", "OVERVIEWS=NONE", "LAYOUT=FLAT", option, NULL};
    size_t n = (size_t)side * (size_t)side;
    uint8_t *pixels = malloc(n);
    memset(pixels, 1, n);
    ngff_image *image = ngff_image_create("yx", (const int64_t[]){side, side}, NGFF_UINT8);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = ngff_writer_open(plan, below("a"));
    ngff_writer_write(w, (const int64_t[]){0, 0}, (const int64_t[]){side, side}, pixels, NULL, NULL, 0);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
    free(pixels);
}

static int n_found, n_steps;
static char last[1200];

static void found(void *user, int32_t kind, const char *text)
{
    (void)user;
    n_found += kind == NGFF_FINDING_DAMAGE;
    if (kind == NGFF_FINDING_DAMAGE)
        snprintf(last, sizeof last, "%s", text);
}

static int32_t step(void *user, double share)
{
    (void)user;
    CHECK(share >= 0 && share <= 1);
    n_steps++;
    return 1;
}

static int32_t verify(int n_threads)
{
    n_found = n_steps = 0;
    last[0] = '\0';
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_TEXT(ngff_reader_error(reader), "");
    int32_t status = ngff_reader_verify(reader, n_threads, found, step, NULL);
    ngff_reader_free(reader);
    return status;
}

/* A document may declare any shape: what is looked at is what is stored. */
static void declared_chunks_that_are_not_stored_cost_nothing(void)
{
    static const char group[] =
        "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{\"ome\":{\"version\":\"0.5\","
        "\"multiscales\":[{\"name\":\"a\",\"axes\":[{\"name\":\"y\",\"type\":\"space\"},"
        "{\"name\":\"x\",\"type\":\"space\"}],\"datasets\":[{\"path\":\"0\","
        "\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,1]}]}]}]}}}";
    static const char array[] =
        "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[1000000000000000,4],"
        "\"data_type\":\"uint8\",\"chunk_grid\":{\"name\":\"regular\",\"configuration\":"
        "{\"chunk_shape\":[1,4]}},\"chunk_key_encoding\":{\"name\":\"default\"},\"fill_value\":0,"
        "\"codecs\":[{\"name\":\"bytes\"}],\"attributes\":{},\"dimension_names\":[\"y\",\"x\"]}";
    write_file("a/zarr.json", group, sizeof group - 1);
    write_file("a/0/zarr.json", array, sizeof array - 1);
    write_file("a/0/c/999999999999999/0", "1234", 4);
    write_file("a/0/c/7/0", "1234", 4);
    write_file("a/b/zarr.json", array, sizeof array - 1); /* an array beside the image */
    write_file("a/b/c/3/0", "1234", 4);
    CHECK_INT(verify(1), NGFF_OK);
    CHECK_INT(n_steps, 4); /* one for each chunk, one at the end */
    write_file("a/0/c/7/0", "123", 3);
    write_file("a/b/c/3/0", "123", 3);
    CHECK_INT(verify(2), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 2);
    CHECK(strstr(last, "a/b/c/3/0") != NULL);
    remove_store();
}

static void recorded_chunk_that_is_gone_is_told_once(void)
{
    static const char *const forms[][2] = {
        {NULL, "a/0/c/3/2"}, {"NGFF_VERSION=0.4", "a/0/3/2"}, {"SHARD=16", "a/0/c/1/1"}};
    for (int f = 0; f < 3; f++) {
        make_store(40, forms[f][0]);
        CHECK_INT(verify(1), NGFF_OK);
        CHECK_INT(unlink(below(forms[f][1])), 0);
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            CHECK_INT(verify(n_threads), NGFF_E_CORRUPT);
            CHECK_INT(n_found, 1);
            CHECK(strstr(last, forms[f][1] + 2) && strstr(last, "missing, but the writer stored it"));
        }
        remove_store();
    }
}

/* Nobody reads a line for each of a million chunks. */
static void of_many_lost_chunks_the_first_are_told_and_the_rest_is_counted(void)
{
    make_store(320, NULL); /* 1600 chunks */
    CHECK_INT(nftw(below("a/0/c"), remove_visited, 16, FTW_DEPTH | FTW_PHYS), 0);
    CHECK_INT(verify(2), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 1001);
    CHECK(strstr(last, "600 more chunks are missing") != NULL);
    remove_store();
}

static void broken_shard_is_told_once(void)
{
    make_store(80, "SHARD=40");
    write_file("a/0/c/1/1", "no index", 8);
    CHECK_INT(verify(1), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 1);
    CHECK(strstr(last, "a/0/c/1/1") != NULL);
    CHECK(n_steps > 75 && n_steps <= 101); /* the 75 chunks of the other shards, and not all of this one */
    remove_store();
}

/* The chunks at the edge of the grid, where a shard is not full. */
static void chunks_of_shards_at_the_edge_are_looked_at(void)
{
    make_store(72, "SHARD=40"); /* 9 x 9 chunks in 2 x 2 shards of 5 x 5 */
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        CHECK_INT(verify(n_threads), NGFF_OK);
        CHECK_INT(n_steps, 82);
    }
    remove_store();
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/ngff-verify-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(place) != NULL);
    RUN(declared_chunks_that_are_not_stored_cost_nothing);
    RUN(recorded_chunk_that_is_gone_is_told_once);
    RUN(of_many_lost_chunks_the_first_are_told_and_the_rest_is_counted);
    RUN(broken_shard_is_told_once);
    RUN(chunks_of_shards_at_the_edge_are_looked_at);
    CHECK_INT(rmdir(place), 0);
    CHECK_EXIT();
}
