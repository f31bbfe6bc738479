/* test_verify.c: what verify looks at, and how much of it. On real files. */
#include "ngff.h"
#include "place.h"

/* side x side pixels of 1 in chunks of 8, with up to two more options. */
static void make_store(int side, const char *option, const char *other)
{
    const char *options[] = {"BLOCKSIZE=8", "OVERVIEWS=NONE", "LAYOUT=FLAT", option, other, NULL};
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
    write_bytes("a/zarr.json", group, sizeof group - 1);
    write_bytes("a/0/zarr.json", array, sizeof array - 1);
    write_bytes("a/0/c/999999999999999/0", "1234", 4);
    write_bytes("a/0/c/7/0", "1234", 4);
    write_bytes("a/b/zarr.json", array, sizeof array - 1); /* an array beside the image */
    write_bytes("a/b/c/3/0", "1234", 4);
    CHECK_INT(verify(1), NGFF_OK);
    CHECK_INT(n_steps, 4); /* one for each chunk, one at the end */
    write_bytes("a/0/c/7/0", "123", 3);
    write_bytes("a/b/c/3/0", "123", 3);
    CHECK_INT(verify(2), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 2);
    CHECK(strstr(last, "a/b/c/3/0") != NULL);
    remove_below("a");
}

static void recorded_chunk_that_is_gone_is_told_once(void)
{
    static const char *const forms[][2] = {
        {NULL, "a/0/c/3/2"}, {"NGFF_VERSION=0.4", "a/0/3/2"}, {"SHARD=16", "a/0/c/1/1"}};
    for (int f = 0; f < 3; f++) {
        make_store(40, forms[f][0], NULL);
        CHECK_INT(verify(1), NGFF_OK);
        CHECK_INT(unlink(below(forms[f][1])), 0);
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            CHECK_INT(verify(n_threads), NGFF_E_CORRUPT);
            CHECK_INT(n_found, 1);
            CHECK(strstr(last, forms[f][1] + 2) && strstr(last, "missing, but the writer stored it"));
        }
        remove_below("a");
    }
}

/* Nobody reads a line for each of a million chunks. */
static void of_many_lost_chunks_the_first_are_told_and_the_rest_is_counted(void)
{
    make_store(320, NULL, NULL); /* 1600 chunks */
    remove_below("a/0/c");
    CHECK_INT(verify(2), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 1001);
    CHECK(strstr(last, "600 more chunks are missing") != NULL);
    remove_below("a");
}

static void broken_shard_is_told_once(void)
{
    make_store(80, "SHARD=40", NULL);
    write_bytes("a/0/c/1/1", "no index", 8);
    CHECK_INT(verify(1), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 1);
    CHECK(strstr(last, "a/0/c/1/1") != NULL);
    CHECK(n_steps > 75 && n_steps <= 101); /* the 75 chunks of the other shards, and not all of this one */
    remove_below("a");
}

/* The chunks at the edge of the grid, where a shard is not full. */
static void chunks_of_shards_at_the_edge_are_looked_at(void)
{
    make_store(72, "SHARD=40", NULL); /* 9 x 9 chunks in 2 x 2 shards of 5 x 5 */
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        CHECK_INT(verify(n_threads), NGFF_OK);
        CHECK_INT(n_steps, 82);
    }
    remove_below("a");
}

/* No copy in the root names it. */
static void attributes_of_an_array_that_are_gone_are_told(void)
{
    make_store(8, "NGFF_VERSION=0.4", "CONSOLIDATED=NO");
    CHECK_INT(verify(1), NGFF_OK);
    CHECK_INT(unlink(below("a/0/.zattrs")), 0);
    CHECK_INT(verify(1), NGFF_E_CORRUPT);
    CHECK_INT(n_found, 1);
    CHECK(strstr(last, "a/0/.zattrs") != NULL);
    remove_below("a");
}

int main(void)
{
    place_begin();
    RUN(declared_chunks_that_are_not_stored_cost_nothing);
    RUN(recorded_chunk_that_is_gone_is_told_once);
    RUN(of_many_lost_chunks_the_first_are_told_and_the_rest_is_counted);
    RUN(broken_shard_is_told_once);
    RUN(chunks_of_shards_at_the_edge_are_looked_at);
    RUN(attributes_of_an_array_that_are_gone_are_told);
    place_end();
    CHECK_EXIT();
}
