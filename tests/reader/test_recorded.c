/* test_recorded.c: what a chunk that is not there means, in stores of ours and of others. On real files. */
#include "reader/recorded.h"

#include "base/bytes.h"
#include "place.h"
#include "reader/reader.h"

/* 40 x 40 in chunks of 8, all 5 but for an empty corner of 2 x 2 chunks; with a mask all is valid but for that corner.
 * Only level 0, unless a gives SCALE_FACTORS. */
static void make_store(const char *name, const char *a, const char *b, int has_mask)
{
    static uint8_t pixels[40 * 40], mask[40 * 40];
    const char *options[] = {"BLOCKSIZE=8", "LAYOUT=FLAT", a ? a : "OVERVIEWS=NONE", b, NULL, NULL};
    if (a && strncmp(a, "SCALE_FACTORS", 13) != 0)
        options[b ? 4 : 3] = "OVERVIEWS=NONE";
    for (int i = 0; i < 40 * 40; i++) {
        pixels[i] = i / 40 < 16 && i % 40 < 16 ? 0 : 5;
        mask[i] = pixels[i] ? 255 : 0;
    }
    ngff_image *image = ngff_image_create("yx", (const int64_t[]){40, 40}, NGFF_UINT8);
    if (has_mask)
        ngff_image_set_mask(image, 1);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = ngff_writer_open(plan, below(name));
    ngff_writer_write(w, (const int64_t[]){0, 0}, (const int64_t[]){40, 40}, pixels, NULL, has_mask ? mask : NULL, 40);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

static ngff_reader *open_with(const char *name, const char *option)
{
    const char *options[] = {option, NULL};
    ngff_reader *reader = ngff_reader_open_part(below(name), NULL, options);
    CHECK_TEXT(ngff_reader_error(reader), "");
    return reader;
}

static char problem[1000];

/* The pixel of a chunk, or the status. */
static int pixel_of(ngff_reader *reader, int64_t y, int64_t x)
{
    uint8_t pixel = 77;
    int32_t status = ngff_reader_read(reader, 0, (const int64_t[]){8 * y, 8 * x}, (const int64_t[]){1, 1}, &pixel, NULL,
                                      0, problem, sizeof problem);
    return status < 0 ? status : pixel;
}

static int mask_of(ngff_reader *reader, int64_t y, int64_t x)
{
    uint8_t pixel = 77;
    int32_t status = ngff_reader_read_mask(reader, 0, (const int64_t[]){8 * y, 8 * x}, (const int64_t[]){1, 1}, &pixel,
                                           NULL, 0, problem, sizeof problem);
    return status < 0 ? status : pixel;
}

/* Replaces the first place of a text in a document. */
static void edit(const char *key, const char *from, const char *to)
{
    static char text[100000], made[100000];
    FILE *file = fopen(below(key), "rb");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = 0;
    if (file)
        fclose(file);
    char *at = strstr(text, from);
    CHECK(at != NULL);
    if (!at)
        return;
    snprintf(made, sizeof made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    write_text(key, made);
}

/* -- Stores of ours ------------------------------------------------------------------------------------------------ */

static void recorded_chunk_that_is_gone_is_an_error_that_names_it(void)
{
    static const char *const forms[][3] = {
        {NULL, NULL, "a/0/c/3/2"}, {"NGFF_VERSION=0.4", NULL, "a/0/3/2"}, {"SHARD=16", NULL, "a/0/c/1/1"}};
    for (int f = 0; f < 3; f++) {
        make_store("a", forms[f][0], forms[f][1], 0);
        CHECK_INT(unlink(below(forms[f][2])), 0);
        ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
        CHECK_INT(pixel_of(reader, 3, 2), NGFF_E_CORRUPT);
        CHECK(strncmp(problem, below(forms[f][2]), strlen(below(forms[f][2]))) == 0);
        CHECK(strstr(problem, "MISSING_CHUNKS=FILL") != NULL);
        CHECK_INT(pixel_of(reader, 4, 4), 5);
        CHECK_INT(pixel_of(reader, 0, 1), 0); /* empty, and recorded so */
        ngff_reader_free(reader);
        reader = open_with("a", "MISSING_CHUNKS=fill");
        CHECK_INT(pixel_of(reader, 3, 2), 0);
        ngff_reader_free(reader);
        reader = open_with("a", "MISSING_CHUNKS=ERROR");
        CHECK_INT(pixel_of(reader, 3, 2), NGFF_E_CORRUPT);
        CHECK_INT(pixel_of(reader, 0, 1), 0);
        ngff_reader_free(reader);
        remove_below("a");
    }
}

static void lost_chunk_of_a_mask_is_an_error_and_so_is_a_lost_mask(void)
{
    make_store("a", NULL, NULL, 1);
    CHECK_INT(unlink(below("a/ovr_mask/0/c/3/2")), 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(mask_of(reader, 3, 2), NGFF_E_CORRUPT);
    CHECK_INT(mask_of(reader, 4, 2), 255);
    CHECK_INT(mask_of(reader, 0, 0), 0);
    ngff_reader_free(reader);
    remove_below("a/ovr_mask");
    reader = ngff_reader_open(below("a"));
    CHECK_INT(ngff_reader_status(reader), NGFF_E_CORRUPT);
    CHECK(strstr(ngff_reader_error(reader), "/a/ovr_mask/0: the mask is missing") != NULL);
    ngff_reader_free(reader);
    reader = open_with("a", "MISSING_CHUNKS=FILL");
    CHECK_INT(ngff_reader_has_mask(reader), 0);
    CHECK_INT(pixel_of(reader, 4, 4), 5);
    ngff_reader_free(reader);
    remove_below("a");
}

static int n_told;

static void count_damage(void *user, int32_t kind, const char *text)
{
    (void)user;
    (void)text;
    n_told += kind == NGFF_FINDING_DAMAGE;
}

/* What does not open otherwise is told by a check as so many findings. */
static void a_check_opens_a_store_that_has_lost_its_mask(void)
{
    static const char *const strict[] = {"MISSING_CHUNKS=auto", NULL}, *const wrong[] = {"MISSING_CHUNKS=MAYBE", NULL};
    ngff_reader *reader = NULL;
    make_store("a", NULL, NULL, 1);
    n_told = 0;
    CHECK_INT(ngff_verify(below("a"), NULL, NULL, 1, count_damage, NULL, NULL, &reader), NGFF_OK);
    CHECK_INT(ngff_reader_has_mask(reader), 1);
    CHECK_INT(n_told, 0);
    ngff_reader_free(reader);
    remove_below("a/ovr_mask");
    CHECK_INT(ngff_verify(below("a"), NULL, NULL, 1, count_damage, NULL, NULL, &reader), NGFF_E_CORRUPT);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    CHECK(n_told > 0);
    ngff_reader_free(reader);
    n_told = 0; /* who says it otherwise gets it otherwise: it does not open, and that is the finding */
    CHECK_INT(ngff_verify(below("a"), NULL, strict, 1, count_damage, NULL, NULL, &reader), NGFF_E_CORRUPT);
    CHECK_INT(ngff_reader_status(reader), NGFF_E_CORRUPT);
    CHECK_INT(n_told, 1);
    ngff_reader_free(reader);
    n_told = 0; /* nothing to look at */
    CHECK_INT(ngff_verify(below("b"), NULL, NULL, 1, count_damage, NULL, NULL, &reader), NGFF_E_NOT_FOUND);
    CHECK_INT(ngff_reader_status(reader), NGFF_E_NOT_FOUND);
    ngff_reader_free(reader);
    CHECK_INT(ngff_verify(below("a"), NULL, wrong, 1, count_damage, NULL, NULL, NULL), NGFF_E_OPTION);
    CHECK_INT(n_told, 0);
    CHECK_INT(ngff_verify(below("a"), "0", NULL, 1, count_damage, NULL, NULL, NULL), NGFF_E_CORRUPT); /* by a part */
    CHECK_INT(ngff_verify(below("a"), "1", NULL, 1, count_damage, NULL, NULL, NULL), NGFF_E_NOT_FOUND);
    remove_below("a");
}

static int32_t is_empty(ngff_reader *reader, int is_mask, int64_t y, int64_t x, int64_t extent, uint8_t *fill)
{
    return ngff_reader_is_empty(reader, 0, is_mask, (const int64_t[]){y, x}, (const int64_t[]){extent, extent}, fill,
                                problem, sizeof problem);
}

static void a_box_is_empty_where_no_chunk_of_it_is_stored(void)
{
    static const char *const forms[] = {NULL, "NGFF_VERSION=0.4", "SHARD=16", "SHARD=24"};
    for (int f = 0; f < 4; f++)
        for (int is_mask = 0; is_mask < 2; is_mask++) {
            uint8_t fill = 77;
            make_store("a", forms[f], NULL, 1);
            ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
            CHECK_INT(is_empty(reader, is_mask, 0, 0, 16, &fill), 1);
            CHECK_INT(fill, 0);
            CHECK_INT(is_empty(reader, is_mask, 15, 15, 1, NULL), 1);
            CHECK_INT(is_empty(reader, is_mask, 15, 15, 2, NULL), 0);
            CHECK_INT(is_empty(reader, is_mask, 16, 0, 1, NULL), 0);
            CHECK_INT(is_empty(reader, is_mask, 0, 0, 40, NULL), 0);
            CHECK_INT(is_empty(reader, is_mask, 39, 39, 2, NULL), NGFF_E_ARGUMENT);
            CHECK(problem[0] != '\0');
            CHECK_INT(ngff_reader_is_empty(reader, 1, is_mask, (const int64_t[]){0, 0}, (const int64_t[]){1, 1}, NULL,
                                           NULL, 0),
                      NGFF_E_ARGUMENT);
            ngff_reader_free(reader);
            remove_below("a");
        }
    make_store("a", "COMPRESS=NONE", NULL, 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(is_empty(reader, 1, 0, 0, 1, NULL), NGFF_E_ARGUMENT);
    CHECK_INT(unlink(below("a/0/c/3/2")), 0); /* lost, which is no hole */
    CHECK_INT(is_empty(reader, 0, 24, 16, 1, NULL), NGFF_E_CORRUPT);
    CHECK(strstr(problem, "a/0/c/3/2") != NULL);
    char chunk[65]; /* others have added one, without a record */
    memset(chunk, 9, 64);
    chunk[64] = 0;
    CHECK(mkdir(below("a/0/c/1"), 0777) == 0 || access(below("a/0/c/1"), F_OK) == 0);
    write_text("a/0/c/1/1", chunk);
    CHECK_INT(is_empty(reader, 0, 8, 8, 1, NULL), 0);
    CHECK_INT(is_empty(reader, 0, 0, 0, 8, NULL), 1);
    ngff_reader_free(reader);
    remove_below("a");
}

/* On a disk looking is cheap, and other programs do not keep the record. */
static void chunk_that_others_have_added_is_read(void)
{
    make_store("a", "COMPRESS=NONE", NULL, 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 1, 1), 0);
    char chunk[65];
    memset(chunk, 9, 64);
    chunk[64] = 0;
    CHECK(mkdir(below("a/0/c/1"), 0777) == 0 || access(below("a/0/c/1"), F_OK) == 0);
    write_text("a/0/c/1/1", chunk);
    ngff_reader_set_cache(reader, 0);
    CHECK_INT(pixel_of(reader, 1, 1), 9);
    ngff_reader_free(reader);
    remove_below("a");
}

/* A change in place that has not ended: the record is not that of these chunks. */
static void record_does_not_count_while_a_change_is_unfinished(void)
{
    make_store("a", NULL, NULL, 0);
    CHECK_INT(unlink(below("a/0/c/3/2")), 0);
    write_text("a/.omezarr-dirty", ""); /* no chunk of full size was taken away */
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), NGFF_E_CORRUPT);
    ngff_reader_free(reader);
    write_text("a/.omezarr-dirty", STORE_DIRTY_GONE);
    reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), 0);
    ngff_reader_free(reader);
    reader = open_with("a", "MISSING_CHUNKS=ERROR");
    CHECK_INT(pixel_of(reader, 3, 2), NGFF_E_CORRUPT);
    ngff_reader_free(reader);
    remove_below("a");
}

/* A reader that was open before a change in place ended: the chunk is empty now. */
static void record_is_read_again_before_a_chunk_is_called_lost(void)
{
    make_store("a", NULL, NULL, 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 4, 4), 5);
    CHECK_INT(unlink(below("a/0/c/3/2")), 0);
    edit("a/zarr.json", "\"stored_chunks\":\t[21]", "\"stored_chunks\":\t[20]");
    edit("a/zarr.json", "\"empty_chunks\":\t[[0,2,5,2]]", "\"empty_chunks\":[[0,2,5,2,17,1]]");
    CHECK_INT(pixel_of(reader, 3, 2), 0);
    CHECK_INT(pixel_of(reader, 3, 3), 5);
    ngff_reader_free(reader);
    remove_below("a");
}

/* A host that changes the store says so: the record is that of the store as it is now. */
static void record_is_forgotten_with_the_cache(void)
{
    make_store("a", NULL, NULL, 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 0, 0), 0); /* empty, and recorded so */
    edit("a/zarr.json", "\"stored_chunks\":\t[21]", "\"stored_chunks\":\t[25]");
    edit("a/zarr.json", "\"empty_chunks\":\t[[0,2,5,2]]", "\"other\":1");
    ngff_reader_set_cache(reader, 0);
    CHECK_INT(pixel_of(reader, 0, 0), NGFF_E_CORRUPT);
    ngff_reader_free(reader);
    remove_below("a");
}

/* The record has an entry for each level that the root declares, also for one that cannot be read and is left out. */
static void record_is_that_of_the_levels_that_are_left(void)
{
    make_store("a", "SCALE_FACTORS=2,4", NULL, 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(ngff_reader_level_count(reader), 3);
    ngff_reader_free(reader);
    edit("a/zarr.json", "\"1\":", "\"x\":"); /* its copy in the root */
    write_text("a/1/zarr.json", "{}");
    CHECK_INT(unlink(below("a/2/c/1/1")), 0);
    reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(ngff_reader_level_count(reader), 2);
    uint8_t pixel = 77;
    CHECK_INT(ngff_reader_read(reader, 1, (const int64_t[]){9, 9}, (const int64_t[]){1, 1}, &pixel, NULL, 0, problem,
                               sizeof problem),
              NGFF_E_CORRUPT);
    CHECK(strstr(problem, "a/2/c/1/1") != NULL);
    CHECK_INT(pixel_of(reader, 0, 0), 0);
    ngff_reader_free(reader);
    remove_below("a");
}

/* Where each look is a request, a chunk that is recorded as empty is not looked for, unless the store has the mark. */
static void empty_chunks_of_a_server_are_looked_for_during_a_change(void)
{
    for (int is_dirty = 0; is_dirty < 2; is_dirty++) {
        char chunk[65] = "";
        make_store("a", "COMPRESS=NONE", NULL, 0);
        memset(chunk, 9, 64);
        CHECK(mkdir(below("a/0/c/1"), 0777) == 0 || access(below("a/0/c/1"), F_OK) == 0);
        write_text("a/0/c/1/1", chunk);
        if (is_dirty)
            write_text("a/.omezarr-dirty", "");
        ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
        store_ops as_of_a_server = *reader->store->ops;
        as_of_a_server.is_remote = 1;
        reader->store->ops = &as_of_a_server;
        CHECK_INT(pixel_of(reader, 1, 1), is_dirty ? 9 : 0);
        ngff_reader_free(reader);
        remove_below("a");
    }
}

/* What no record can be is none: nothing is known of the chunks then. */
static void record_that_contradicts_itself_is_none(void)
{
    static const char *const lists[] = {
        "[[0,2,5,3]]", "[[5,2,0,2]]",       "[[0,2,5,9223372036854775807]]", "[[0,2],[5,2]]", "[]", "7",
        "[[0,2,5,2",   "{\"$array\":\"x\"}"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char text[200];
        int is_json = i != 6;
        make_store("a", NULL, NULL, 0);
        CHECK_INT(unlink(below("a/0/c/3/2")), 0);
        snprintf(text, sizeof text, "\"empty_chunks\":%s", is_json ? lists[i] : "\"[[0,2,5,2\"");
        edit("a/zarr.json", "\"empty_chunks\":\t[[0,2,5,2]]", text);
        ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
        CHECK_INT(pixel_of(reader, 3, 2), 0);
        ngff_reader_free(reader);
        remove_below("a");
    }
}

/* A long list of empty chunks is not kept in the root: levels of which all chunks are stored are known all the same. */
static void counts_alone_say_what_they_can(void)
{
    make_store("a", NULL, NULL, 0);
    CHECK_INT(unlink(below("a/0/c/3/2")), 0);
    edit("a/zarr.json", "\"empty_chunks\":\t[[0,2,5,2]]", "\"other\":1");
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), 0);
    ngff_reader_free(reader);
    edit("a/zarr.json", "\"stored_chunks\":\t[21]", "\"stored_chunks\":\t[25]");
    reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), NGFF_E_CORRUPT);
    CHECK_INT(pixel_of(reader, 0, 0), NGFF_E_CORRUPT);
    ngff_reader_free(reader);
    remove_below("a");
}

/* -- Stores of others ---------------------------------------------------------------------------------------------- */

static void missing_chunk_of_a_foreign_store_is_fill(void)
{
    make_store("a", NULL, NULL, 0);
    CHECK_INT(unlink(below("a/0/c/3/2")), 0);
    edit("a/zarr.json", "\"omezarr\"", "\"other\"");
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), 0);
    ngff_reader_free(reader);
    reader = open_with("a", "MISSING_CHUNKS=ERROR");
    CHECK_INT(pixel_of(reader, 3, 2), NGFF_E_CORRUPT);
    CHECK(strstr(problem, "MISSING_CHUNKS=ERROR") != NULL);
    ngff_reader_free(reader);
    remove_below("a");
}

/* Writers have declared one separator and used the other. */
static void chunks_under_the_other_separator_are_read_with_one_warning(void)
{
    make_store("a", "NGFF_VERSION=0.4", NULL, 0);
    edit("a/.zattrs", "\"omezarr\"", "\"other\"");
    edit("a/0/.zarray", "\"dimension_separator\":\t\"/\"", "\"dimension_separator\":\".\"");
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), 0); /* its first chunk is empty: nothing says that there is another name */
    CHECK(ngff_reader_warning(reader) == NULL);
    ngff_reader_free(reader);
    CHECK(mkdir(below("a/0/0"), 0777) == 0 || access(below("a/0/0"), F_OK) == 0);
    CHECK_INT(link(below("a/0/3/2"), below("a/0/0/0")), 0);
    reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), 5);
    CHECK_INT(pixel_of(reader, 0, 0), 5);
    CHECK_INT(pixel_of(reader, 1, 1), 0);
    const char *warning = ngff_reader_warning(reader);
    CHECK(warning && strstr(warning, "/a/0: its chunks have names with '/'") != NULL);
    CHECK(ngff_reader_warning(reader) == NULL);
    ngff_reader_free(reader);
    remove_below("a");
}

/* -- What else is kept, and what else is asked for ----------------------------------------------------------------- */

/* A host that changes the store says so: shard indices are those of the shards as they are now. */
static void shard_indices_are_forgotten_with_the_cache(void)
{
    make_store("a", "SHARD=16", "COMPRESS=NONE", 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 2, 2), 5);
    make_store("b", "SHARD=16", "COMPRESS=GZIP", 0); /* shards of another size */
    CHECK_INT(rename(below("b/0/c/1/1"), below("a/0/c/1/1")), 0);
    CHECK_INT(rename(below("b/0/zarr.json"), below("a/0/zarr.json")), 0);
    remove_below("b");
    ngff_reader_set_cache(reader, 0);
    reader->image.levels[0].codec.compress = COMPRESS_GZIP; /* the array's document is read once */
    CHECK_INT(pixel_of(reader, 2, 2), 5);
    CHECK_INT(pixel_of(reader, 3, 3), 5);
    ngff_reader_free(reader);
    remove_below("a");
}

/* A shard that is cut while its index is known: what is behind the cut is an error, not fill. */
static void shard_that_is_cut_while_it_is_open_is_an_error(void)
{
    make_store("a", "SHARD=40", "COMPRESS=NONE", 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    ngff_reader_set_cache(reader, 0);
    CHECK_INT(pixel_of(reader, 0, 2), 5);
    CHECK_INT(truncate(below("a/0/c/0/0"), 10 * 64 + 30), 0); /* 21 chunks of 64 bytes; the 11th is cut */
    CHECK_INT(pixel_of(reader, 4, 4), NGFF_E_CORRUPT);
    CHECK(strstr(problem, "a/0/c/0/0") != NULL);
    ngff_reader_free(reader);
    remove_below("a");
}

/* The same where the index stands before the chunks, so that the cut leaves it whole. */
static void shard_with_its_index_at_the_start_that_is_cut_is_an_error(void)
{
    static const char array[] =
        "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[16,16],\"data_type\":\"uint8\",\"chunk_grid\":{\"name\":"
        "\"regular\",\"configuration\":{\"chunk_shape\":[16,16]}},\"chunk_key_encoding\":{\"name\":\"default\"},"
        "\"fill_value\":0,\"codecs\":[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[8,8],"
        "\"codecs\":"
        "[{\"name\":\"bytes\"}],\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}}],"
        "\"index_location\":\"start\"}}],\"attributes\":{},\"dimension_names\":[\"y\",\"x\"]}";
    uint8_t shard[64 + 4 * 64];
    for (int i = 0; i < 4; i++) {
        little_put(little_put(shard + 16 * i, 64 + 64 * (uint64_t)i, 8), 64, 8);
        memset(shard + 64 + 64 * i, i + 1, 64);
    }
    make_store("a", NULL, NULL, 0);
    edit("a/zarr.json", "\"omezarr\"", "\"other\"");
    edit("a/zarr.json", "\"consolidated_metadata\"", "\"nothing\"");
    write_text("a/0/zarr.json", array);
    remove_below("a/0/c");
    CHECK(mkdir(below("a/0/c"), 0777) == 0 && mkdir(below("a/0/c/0"), 0777) == 0);
    FILE *file = fopen(below("a/0/c/0/0"), "wb");
    CHECK(file && fwrite(shard, 1, sizeof shard, file) == sizeof shard && fclose(file) == 0);
    ngff_reader *reader = open_with("a", "MISSING_CHUNKS=AUTO");
    ngff_reader_set_cache(reader, 0);
    CHECK_INT(pixel_of(reader, 0, 0), 1);
    CHECK_INT(pixel_of(reader, 1, 1), 4);
    CHECK_INT(truncate(below("a/0/c/0/0"), 64 + 2 * 64 + 10), 0);
    CHECK_INT(pixel_of(reader, 0, 1), 2);
    CHECK_INT(pixel_of(reader, 1, 0), NGFF_E_CORRUPT);
    CHECK_INT(pixel_of(reader, 1, 1), NGFF_E_CORRUPT);
    ngff_reader_free(reader);
    remove_below("a");
}

static void directory_of_one_file_is_forgotten_with_the_cache(void)
{
    make_store("a.ozx", "COMPRESS=NONE", NULL, 0);
    ngff_reader *reader = open_with("a.ozx", "MISSING_CHUNKS=AUTO");
    CHECK_INT(pixel_of(reader, 3, 2), 5);
    CHECK_INT(unlink(below("a.ozx")), 0);
    make_store("a.ozx", "COMPRESS=NONE", "NUM_THREADS=0", 1); /* with a mask: other places in the file */
    ngff_reader_set_cache(reader, 0);
    for (int64_t i = 0; i < 25; i++)
        CHECK_INT(pixel_of(reader, i / 5, i % 5), i / 5 < 2 && i % 5 < 2 ? 0 : 5);
    ngff_reader_free(reader);
    CHECK_INT(unlink(below("a.ozx")), 0);
}

static int32_t ask_for_y(double *first, double *step)
{
    ngff_reader *reader = ngff_reader_open(below("a"));
    int32_t is_even = ngff_reader_coordinates(reader, "y", 4, first, step);
    int32_t status = ngff_reader_status(reader);
    snprintf(problem, sizeof problem, "%s", ngff_reader_error(reader));
    ngff_reader_free(reader);
    return status != NGFF_OK ? status : is_even;
}

/* A position that is there and cannot be read must not look like one that is not there. */
static void what_cannot_be_read_beside_the_pixels_is_the_readers_error(void)
{
    double first = 0, step = 0;
    make_store("a", NULL, NULL, 0);
    CHECK_INT(ask_for_y(&first, &step), 0);
    CHECK_INT(mkdir(below("a/y"), 0777), 0);
    write_text("a/y/zarr.json", "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[4],\"data_type\":\"uint8\","
                                "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[4]}},"
                                "\"chunk_key_encoding\":{\"name\":\"default\"},\"fill_value\":0,"
                                "\"codecs\":[{\"name\":\"bytes\"}],\"attributes\":{}}");
    CHECK_INT(ask_for_y(&first, &step), NGFF_E_CORRUPT); /* our writer stores such arrays whole */
    CHECK(strstr(problem, "/a/y/c/0: missing") != NULL);
    CHECK_INT(mkdir(below("a/y/c"), 0777), 0);
    write_text("a/y/c/0", "\1\3\5\7");
    CHECK_INT(ask_for_y(&first, &step), 1);
    CHECK(first == 1 && step == 2);
    CHECK_INT(unlink(below("a/y/c/0")), 0);
    CHECK_INT(mkdir(below("a/y/c/0"), 0777), 0);
    CHECK_INT(ask_for_y(&first, &step), NGFF_E_STORAGE);
    CHECK(strstr(problem, "/a/y/c/0") != NULL);
    CHECK_INT(mkdir(below("a/.omezarr-dirty"), 0777), 0);
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_INT(ngff_reader_is_dirty(reader), NGFF_E_STORAGE);
    CHECK_INT(ngff_reader_status(reader), NGFF_E_STORAGE);
    ngff_reader_free(reader);
    remove_below("a");
}

static void option_of_another_value_is_refused(void)
{
    const char *options[] = {"MISSING_CHUNKS=MAYBE", NULL};
    ngff_reader *reader = ngff_reader_open_part(below("a"), NULL, options);
    CHECK_INT(ngff_reader_status(reader), NGFF_E_OPTION);
    CHECK(strstr(ngff_reader_error(reader), "AUTO, ERROR and FILL") != NULL);
    ngff_reader_free(reader);
}

int main(void)
{
    place_begin();
    RUN(recorded_chunk_that_is_gone_is_an_error_that_names_it);
    RUN(lost_chunk_of_a_mask_is_an_error_and_so_is_a_lost_mask);
    RUN(a_check_opens_a_store_that_has_lost_its_mask);
    RUN(a_box_is_empty_where_no_chunk_of_it_is_stored);
    RUN(chunk_that_others_have_added_is_read);
    RUN(record_does_not_count_while_a_change_is_unfinished);
    RUN(record_is_read_again_before_a_chunk_is_called_lost);
    RUN(record_is_forgotten_with_the_cache);
    RUN(record_is_that_of_the_levels_that_are_left);
    RUN(empty_chunks_of_a_server_are_looked_for_during_a_change);
    RUN(record_that_contradicts_itself_is_none);
    RUN(counts_alone_say_what_they_can);
    RUN(missing_chunk_of_a_foreign_store_is_fill);
    RUN(chunks_under_the_other_separator_are_read_with_one_warning);
    RUN(shard_indices_are_forgotten_with_the_cache);
    RUN(shard_that_is_cut_while_it_is_open_is_an_error);
    RUN(shard_with_its_index_at_the_start_that_is_cut_is_an_error);
    RUN(directory_of_one_file_is_forgotten_with_the_cache);
    RUN(what_cannot_be_read_beside_the_pixels_is_the_readers_error);
    RUN(option_of_another_value_is_refused);
    place_end();
    CHECK_EXIT();
}
