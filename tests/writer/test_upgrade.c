/* test_upgrade.c: a store whose documents are written anew holds the same chunks and pixels, in the words of another version;
 * a run that is broken off at any object leaves an image, and the next one does the rest. What other readers and validators
 * say of the result, autotest/gdrivers/omezarr_upgrade.py asks. */
#include <stdlib.h>

#include "metadata/metadata.h"
#include "pictures.h"
#include "place.h"
#include "reader/reader.h"

static const picture of_04 = {.name = "0.4",
                              .dims = "cyx",
                              .shape = {2, 50, 60},
                              .type = NGFF_UINT16,
                              .options = {"NGFF_VERSION=0.4", "BLOCKSIZE=16", "COMPRESS=ZSTD", "LAYOUT=SCALES"},
                              .has_nodata = 1,
                              .has_holes = 1,
                              .has_mask = 1},
                     of_05 = {.name = "0.5",
                              .dims = "cyx",
                              .shape = {2, 50, 60},
                              .type = NGFF_UINT16,
                              .options = {"BLOCKSIZE=16", "SHARD=32"}};

static int is_document(const char *key)
{
    const char *slash = strrchr(key, '/');
    return is_zarr_document(slash ? slash + 1 : key);
}

static const kept *object_of(const snapshot *all, const char *key)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->objects[i].key, key) == 0)
            return &all->objects[i];
    return NULL;
}

/* All pixels of all levels, as a reader of the objects has them. */
static void check_pixels(const snapshot *before, const snapshot *now, const char *version)
{
    ngff_reader *old = reader_open_store(store_of(before), "before"), *opened = reader_open_store(store_of(now), "now");
    CHECK_TEXT(ngff_reader_error(opened), "");
    if (version)
        CHECK_TEXT(ngff_reader_version(opened), version);
    CHECK_INT(ngff_reader_level_count(opened), ngff_reader_level_count(old));
    for (int l = 0; l < ngff_reader_level_count(old); l++) {
        int64_t shape[MAX_RANK], again[MAX_RANK], zero[MAX_RANK] = {0};
        double scale[MAX_RANK], now_scale[MAX_RANK], translation[MAX_RANK], now_translation[MAX_RANK];
        ngff_reader_level_shape(old, l, shape);
        ngff_reader_level_shape(opened, l, again);
        ngff_reader_level_scale(old, l, scale);
        ngff_reader_level_scale(opened, l, now_scale);
        ngff_reader_level_translation(old, l, translation);
        ngff_reader_level_translation(opened, l, now_translation);
        CHECK(memcmp(shape, again, 3 * sizeof *shape) == 0);
        CHECK(memcmp(scale, now_scale, 3 * sizeof *scale) == 0);
        CHECK(memcmp(translation, now_translation, 3 * sizeof *translation) == 0);
        size_t n = (size_t)(shape[0] * shape[1] * shape[2] * 2);
        uint8_t *a = calloc(1, n), *b = calloc(1, n);
        CHECK_INT(ngff_reader_read(old, l, zero, shape, a, NULL, 1, NULL, 0), NGFF_OK);
        CHECK_INT(ngff_reader_read(opened, l, zero, shape, b, NULL, 1, NULL, 0), NGFF_OK);
        CHECK(memcmp(a, b, n) == 0);
        CHECK_INT(ngff_reader_has_mask(opened), ngff_reader_has_mask(old));
        free(a);
        free(b);
    }
    ngff_reader_free(old);
    ngff_reader_free(opened);
}

static void check_chunks(const snapshot *before, const snapshot *now)
{
    size_t n = 0, n_now = 0;
    for (size_t i = 0; i < before->n; i++) {
        if (is_document(before->objects[i].key))
            continue;
        const kept *same = object_of(now, before->objects[i].key);
        CHECK(same && same->n == before->objects[i].n && memcmp(same->bytes, before->objects[i].bytes, same->n) == 0);
        n++;
    }
    for (size_t i = 0; i < now->n; i++)
        n_now += !is_document(now->objects[i].key);
    CHECK_INT(n_now, n);
}

static snapshot upgraded(const snapshot *before, int version, int32_t expected)
{
    error e = {0};
    store *s = store_of(before);
    CHECK_INT(upgrade_store(s, "a.ome.zarr", version, &e), expected);
    CHECK_TEXT(e.message, "");
    snapshot now = take_snapshot(s);
    s->ops->free(s);
    return now;
}

static void chunks_stay_and_documents_are_of_the_version(void)
{
    static const struct {
        const picture *picture;
        int version;
        const char *name;
    } rows[] = {{&of_04, VERSION_05, "0.5"}, {&of_04, VERSION_06, "0.6"}, {&of_05, VERSION_06, "0.6"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snapshot before = written_once(rows[i].picture), now = upgraded(&before, rows[i].version, 1);
        check_chunks(&before, &now);
        check_pixels(&before, &now, rows[i].name);
        for (size_t k = 0; k < now.n; k++)
            CHECK(!strstr(now.objects[k].key, ".z"));
        snapshot again = upgraded(&now, rows[i].version, 0);
        CHECK(same_snapshots(&now, &again, "again"));
        free_snapshot(&before);
        free_snapshot(&now);
        free_snapshot(&again);
    }
}

static void a_run_that_is_broken_off_leaves_an_image_and_the_next_does_the_rest(void)
{
    const picture *const of[] = {&of_04, &of_05};
    for (int i = 0; i < 2; i++) {
        snapshot before = written_once(of[i]), whole = upgraded(&before, VERSION_06, 1);
        int n_failed = 0;
        for (int n_puts = 0;; n_puts++) {
            error e = {0};
            store *s = store_of(&before);
            store_memory_fail_after(s, n_puts);
            int32_t status = upgrade_store(s, "a.ome.zarr", VERSION_06, &e);
            store_memory_fail_after(s, -1);
            snapshot found = take_snapshot(s);
            check_pixels(&before, &found, NULL);
            check_chunks(&before, &found);
            free_snapshot(&found);
            if (status == 1) {
                s->ops->free(s);
                break;
            }
            n_failed++;
            error next = {0};
            CHECK_INT(upgrade_store(s, "a.ome.zarr", VERSION_06, &next), 1);
            CHECK_TEXT(next.message, "");
            found = take_snapshot(s);
            CHECK(same_snapshots(&whole, &found, of[i]->name));
            free_snapshot(&found);
            s->ops->free(s);
        }
        CHECK(n_failed >= (i == 0 ? 8 : 1));
        free_snapshot(&before);
        free_snapshot(&whole);
    }
}

static void what_has_no_word_is_refused_before_anything_is_written(void)
{
    static const struct {
        const char *key, *text, *why;
    } rows[] = {
        {"0/.zarray",
         "{\"zarr_format\":2,\"shape\":[2,2],\"chunks\":[2,2],\"dtype\":\"<u2\",\"compressor\":{\"id\":\"zlib\","
         "\"level\":1},"
         "\"fill_value\":0,\"order\":\"C\",\"filters\":null}",
         "no codec zlib"},
        {"0/.zarray",
         "{\"zarr_format\":2,\"shape\":[2,2],\"chunks\":[2,2],\"dtype\":\"<u2\",\"compressor\":null,\"fill_value\":0,"
         "\"order\":\"C\",\"filters\":[{\"id\":\"delta\"}]}",
         "filter"},
        {".zattrs", "{\"multiscales\":[{\"version\":\"0.3\",\"axes\":[\"y\",\"x\"],\"datasets\":[{\"path\":\"0\"}]}]}",
         "before 0.4"},
        {".zattrs", "{\"multiscales\":[{\"datasets\":[{\"path\":\"0\"}]}]}", "before 0.4"},
        {".zattrs",
         "{\"multiscales\":[{\"version\":\"0.4\",\"axes\":[{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\","
         "\"type\":"
         "\"space\"}],\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"scale\",\"path\":\"s\"}]"
         "}]}]}",
         "transforms"},
    };
    static const char array[] =
        "{\"zarr_format\":2,\"shape\":[2,2],\"chunks\":[2,2],\"dtype\":\"<u2\",\"compressor\":null,"
        "\"fill_value\":0,\"order\":\"C\",\"filters\":null}",
                      image[] = "{\"multiscales\":[{\"version\":\"0.4\",\"axes\":[{\"name\":\"y\",\"type\":\"space\"},{"
                                "\"name\":\"x\",\"type\":\"space\"}],\"datasets\":[{\"path\":\"0\","
                                "\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[1,1]}]}]}]}";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        error e = {0};
        int is_array = rows[i].key[0] == '0';
        store *s = store_memory_open();
        s->writing->begin(s, 0, &e);
        s->writing->put(s, ".zgroup", "{\"zarr_format\":2}", 17, &e);
        const char *of_image = is_array ? image : rows[i].text, *of_array = is_array ? rows[i].text : array;
        s->writing->put(s, ".zattrs", of_image, strlen(of_image), &e);
        s->writing->put(s, "0/.zarray", of_array, strlen(of_array), &e);
        CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
        snapshot before = take_snapshot(s);
        CHECK_INT(upgrade_store(s, "a.ome.zarr", VERSION_06, &e), NGFF_E_UNSUPPORTED);
        CHECK(strstr(e.message, rows[i].why) != NULL);
        CHECK(strstr(e.message, "gdal_translate -of OMEZARR -co NGFF_VERSION=0.6 a.ome.zarr") != NULL);
        snapshot now = take_snapshot(s);
        CHECK(same_snapshots(&before, &now, rows[i].why));
        free_snapshot(&before);
        free_snapshot(&now);
        s->ops->free(s);
    }
}

static void a_path_is_upgraded_and_a_part_of_a_store_is_not(void)
{
    char why[1200];
    place_begin();
    CHECK_INT(ngff_upgrade(below("a"), "0.5", why, sizeof why), NGFF_E_NOT_FOUND);
    CHECK(strstr(why, below("a")) == why);
    CHECK_INT(ngff_upgrade(below("a"), "0.4", why, sizeof why), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_upgrade(below("a.ozx"), "0.6", why, sizeof why), NGFF_E_UNSUPPORTED);
    snapshot before = written_once(&of_05);
    char name[300];
    for (size_t i = 0; i < before.n; i++) {
        snprintf(name, sizeof name, "a/%s", before.objects[i].key);
        write_bytes(name, before.objects[i].bytes, before.objects[i].n);
    }
    CHECK_INT(ngff_upgrade(below("a/scale0"), "0.6", why, sizeof why), NGFF_E_UNSUPPORTED);
    CHECK(strstr(why, "is a part of the store") != NULL);
    CHECK_INT(ngff_upgrade(below("a"), "0.6", NULL, 0), 1);
    CHECK_INT(ngff_upgrade(below("a"), "0.6", NULL, 0), 0);
    CHECK_INT(ngff_upgrade(below("a"), "0.5", why, sizeof why), NGFF_E_UNSUPPORTED);
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_TEXT(ngff_reader_version(reader), "0.6");
    ngff_reader_free(reader);
    free_snapshot(&before);
    remove_below("a");
    place_end();
}

int main(void)
{
    RUN(chunks_stay_and_documents_are_of_the_version);
    RUN(a_run_that_is_broken_off_leaves_an_image_and_the_next_does_the_rest);
    RUN(what_has_no_word_is_refused_before_anything_is_written);
    RUN(a_path_is_upgraded_and_a_part_of_a_store_is_not);
    return check_failures != 0;
}
