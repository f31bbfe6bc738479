/* test_written.c: chunks of a store that is still being written: plain, encoded, in shards, missing, damaged. */
#include "writer/written.h"

#include <stdlib.h>

#include "check.h"
#include "codec/codec.h"
#include "store/store_memory.h"
#include "writer/shards.h"

static ngff_plan *make_plan(const char *a, const char *b)
{
    static const uint16_t seven = 7;
    ngff_image *image = ngff_image_create("yx", (const int64_t[]){20, 20}, NGFF_UINT16);
    ngff_image_set_nodata(image, 0, &seven);
    const char *options[] = {"BLOCKSIZE=8", "OVERVIEWS=NONE", a, b, NULL};
    ngff_plan *plan = ngff_plan_create(image, options);
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static written *make_written(store *s, const ngff_plan *plan)
{
    written *back = written_create(s, "/data/a.ome.zarr");
    written_set_plan(back, plan);
    return back;
}

static void check_pixels(written *back, int64_t y, int64_t x, int expected)
{
    uint16_t pixels[64];
    error e = {0};
    int n_wrong = 0;
    memset(pixels, 0xEE, sizeof pixels);
    CHECK_INT(written_chunk(back, 0, (const int64_t[]){y, x}, pixels, &e), NGFF_OK);
    for (int i = 0; i < 64; i++)
        n_wrong += pixels[i] != (expected < 0 ? 7 : expected + i);
    CHECK_INT(n_wrong, 0);
}

/* As they are stored: little-endian. */
static void ramp(int first, uint16_t pixels[64])
{
    for (int i = 0; i < 64; i++)
        little_put((uint8_t *)&pixels[i], (uint64_t)(first + i), 2);
}

static void chunks_of_both_versions_are_read_and_missing_ones_are_fill(void)
{
    static const char *const forms[][3] = {{"COMPRESS=NONE", NULL, "scale0/image/c/1/2"},
                                           {"COMPRESS=ZSTD", NULL, "scale0/image/c/1/2"},
                                           {"COMPRESS=BLOSC", NULL, "scale0/image/c/1/2"},
                                           {"COMPRESS=GZIP", NULL, "scale0/image/c/1/2"},
                                           {"COMPRESS=NONE", "CHECKSUM=YES", "scale0/image/c/1/2"},
                                           {"COMPRESS=BLOSC", "CHECKSUM=YES", "scale0/image/c/1/2"},
                                           {"COMPRESS=ZLIB", "NGFF_VERSION=0.4", "scale0/image/1/2"}};
    for (int f = 0; f < 7; f++) {
        ngff_plan *plan = make_plan(forms[f][0], forms[f][1]);
        store *s = store_memory_open();
        written *back = make_written(s, plan);
        uint16_t pixels[64];
        uint8_t bytes[4096];
        size_t n = sizeof pixels;
        error e = {0};
        ramp(500, pixels);
        memcpy(bytes, pixels, n);
        codec_context *context = codec_context_create();
        if (plan->codec.compress != COMPRESS_NONE || plan->codec.has_crc32c)
            CHECK_INT(codec_encode(context, &plan->codec, pixels, sizeof pixels, bytes, sizeof bytes, &n, &e), NGFF_OK);
        codec_context_free(context);
        CHECK_INT(s->writing->put(s, forms[f][2], bytes, n, &e), NGFF_OK);
        check_pixels(back, 1, 2, 500);
        check_pixels(back, 0, 0, -1);
        written_free(back);
        s->ops->free(s);
        ngff_plan_free(plan);
    }
}

static void chunks_in_shards_are_read_one_by_one(void)
{
    ngff_plan *plan = make_plan("COMPRESS=NONE", "SHARD=16");
    store *s = store_memory_open();
    shards *all = shards_create(plan, s);
    written *back = make_written(s, plan);
    error e = {0};
    for (int i = 0; i < 4; i++) {
        uint16_t pixels[64];
        ramp(100 * i, pixels);
        CHECK_INT(shards_add(all, 0, (const int64_t[]){i / 2, i % 2}, i == 1 ? NULL : pixels, sizeof pixels, &e),
                  NGFF_OK);
    }
    check_pixels(back, 0, 0, 0);
    check_pixels(back, 0, 1, -1); /* missing in its shard */
    check_pixels(back, 1, 0, 200);
    check_pixels(back, 1, 1, 300);
    check_pixels(back, 2, 2, -1); /* its shard is missing */
    shards_free(all);
    written_free(back);
    s->ops->free(s);
    ngff_plan_free(plan);
}

static void damaged_bytes_are_told_with_their_key(void)
{
    ngff_plan *plan = make_plan("COMPRESS=ZSTD", NULL);
    store *s = store_memory_open();
    written *back = make_written(s, plan);
    uint16_t pixels[64];
    error e = {0}, e2 = {0};
    CHECK_INT(s->writing->put(s, "scale0/image/c/0/0", "no zstd", 7, &e), NGFF_OK);
    CHECK_INT(written_chunk(back, 0, (const int64_t[]){0, 0}, pixels, &e), NGFF_E_CORRUPT);
    CHECK(strncmp(e.message, "/data/a.ome.zarr/scale0/image/c/0/0: ", 37) == 0);
    written_free(back);
    s->ops->free(s);
    ngff_plan_free(plan);
    plan = make_plan("COMPRESS=NONE", "SHARD=16");
    back = make_written(s = store_memory_open(), plan);
    CHECK_INT(s->writing->put(s, "scale0/image/c/0/0", "short", 5, &e2), NGFF_OK);
    CHECK_INT(written_chunk(back, 0, (const int64_t[]){0, 0}, pixels, &e2), NGFF_E_CORRUPT);
    CHECK(strncmp(e2.message, "/data/a.ome.zarr/scale0/image/c/0/0: ", 37) == 0);
    written_free(back);
    s->ops->free(s);
    ngff_plan_free(plan);
}

static void chunk_that_was_stored_and_is_gone_is_an_error(void)
{
    static const char *const options[] = {NULL, "SHARD=16"};
    for (int is_sharded = 0; is_sharded < 2; is_sharded++) {
        ngff_plan *plan = make_plan("COMPRESS=NONE", options[is_sharded]);
        store *s = store_memory_open();
        written *back = make_written(s, plan);
        chunk_set stored;
        uint16_t pixels[64];
        error e = {0}, none = {0};
        CHECK(chunk_set_make(&stored, 9));
        chunk_set_add(&stored, 5); /* 1, 2 of 3 x 3 */
        written_expect(back, &stored);
        CHECK_INT(written_chunk(back, 0, (const int64_t[]){1, 2}, pixels, &e), NGFF_E_CORRUPT);
        CHECK(strstr(e.message, is_sharded ? "/scale0/image/c/0/1: missing" : "/scale0/image/c/1/2: missing") != NULL);
        CHECK_INT(written_chunk(back, 0, (const int64_t[]){1, 1}, pixels, &none), NGFF_OK); /* left out */
        CHECK_INT(pixels[0], 7);
        chunk_set_release(&stored);
        written_free(back);
        s->ops->free(s);
        ngff_plan_free(plan);
    }
}

static void replaced_shard_is_read_anew(void)
{
    ngff_plan *plan = make_plan("COMPRESS=NONE", "SHARD=16");
    store *s = store_memory_open();
    written *back = make_written(s, plan);
    error e = {0};
    for (int round = 0; round < 2; round++) {
        shards *all = shards_create(plan, s);
        uint16_t pixels[64];
        s->writing->begin_update(s, &e);
        e = (error){0};
        for (int i = 0; i < 4; i++) {
            ramp(100 * i + round, pixels);
            shards_add(all, 0, (const int64_t[]){i / 2, i % 2}, i < round ? NULL : pixels, sizeof pixels, &e);
        }
        shards_free(all);
        if (round)
            written_forget(back, "scale0/image/c/0/0");
        check_pixels(back, 1, 1, 300 + round);
    }
    CHECK_INT(e.status, NGFF_OK);
    written_free(back);
    s->ops->free(s);
    ngff_plan_free(plan);
}

int main(void)
{
    RUN(chunks_of_both_versions_are_read_and_missing_ones_are_fill);
    RUN(chunks_in_shards_are_read_one_by_one);
    RUN(damaged_bytes_are_told_with_their_key);
    RUN(chunk_that_was_stored_and_is_gone_is_an_error);
    RUN(replaced_shard_is_read_anew);
    CHECK_EXIT();
}
