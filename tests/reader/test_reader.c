/* test_reader.c: stores of zarr-python, read by us pixel by pixel, and then damaged. */
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "codec/codec.h"
#include "ngff.h"
#include "stores.h"
#include "zarr/shard_index.h"

/* -- Folders --------------------------------------------------------------------------------------------------- */

static char folder[PATH_MAX];

static void object_path(const char *store, const char *key, char *path)
{
    if (snprintf(path, PATH_MAX, "%s/%s/%s", folder, store, key) >= PATH_MAX)
        abort();
}

/* Writes an object, and the folders that lead to it. */
static void object_write(const char *store, const char *key, const char *bytes, size_t n)
{
    char path[PATH_MAX];
    object_path(store, key, path);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0777);
    }
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        abort();
}

static ngff_reader *store_read(const char *store)
{
    char path[PATH_MAX];
    object_path(store, "", path);
    return ngff_reader_open(path);
}

#define STORE_WRITE(store, objects)                                                                                    \
    for (size_t i_ = 0; i_ < sizeof(objects) / sizeof((objects)[0]); i_++)                                             \
    object_write(store, (objects)[i_].key, (objects)[i_].bytes, (objects)[i_].n)

static const object *object_find(const object *objects, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(objects[i].key, key) == 0)
            return &objects[i];
    abort();
}

/* -- Pixels ---------------------------------------------------------------------------------------------------- */

static void metadata_of_every_level_is_told(void)
{
    ngff_reader *reader = store_read("plain");
    int64_t shape[3], chunk[3];
    double scale[3], translation[3];
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_TEXT(ngff_reader_dims(reader), "cyx");
    CHECK_INT(ngff_reader_level_count(reader), 2);
    CHECK_INT(ngff_reader_data_type(reader), NGFF_UINT16);
    CHECK_TEXT(ngff_reader_level_path(reader, 1), "scale1/image");
    CHECK_INT(ngff_reader_has_mask(reader), 0);
    CHECK_INT(ngff_reader_level_shape(reader, 1, shape), NGFF_OK);
    CHECK(shape[0] == 2 && shape[1] == 3 && shape[2] == 4);
    CHECK_INT(ngff_reader_level_chunk(reader, 0, chunk), NGFF_OK);
    CHECK(chunk[0] == 1 && chunk[1] == 4 && chunk[2] == 4);
    CHECK_TEXT(ngff_reader_version(reader), "0.5");
    char codec[32];
    CHECK_INT(ngff_reader_level_shard(reader, 1, chunk), NGFF_OK);
    CHECK(chunk[0] == 1 && chunk[1] == 3 && chunk[2] == 4);
    CHECK_INT(ngff_reader_level_shard(reader, 2, chunk), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_level_codec(reader, 0, codec, sizeof codec), NGFF_OK);
    CHECK_TEXT(codec, "ZSTD");
    CHECK_INT(ngff_reader_level_codec(reader, 0, codec, 3), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_level_codec(reader, 2, codec, sizeof codec), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_level_scale(reader, 1, scale), NGFF_OK);
    CHECK(scale[0] == 1 && scale[1] == 1 && scale[2] == 1);
    CHECK_INT(ngff_reader_level_translation(reader, 1, translation), NGFF_OK);
    CHECK(translation[0] == 0 && translation[1] == 0.25 && translation[2] == 0.25);
    double factor[3], offset[3];
    CHECK_INT(ngff_reader_level_place(reader, 0, 1, factor, offset), 1);
    CHECK(factor[0] == 1 && factor[1] == 2 && factor[2] == 2 && offset[0] == 0 && offset[1] == 0 && offset[2] == 0);
    CHECK_INT(ngff_reader_level_place(reader, 1, 0, factor, offset), 0); /* larger than its base */
    CHECK_INT(ngff_reader_level_place(reader, 0, 2, factor, offset), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_level_place(reader, -1, 1, factor, offset), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_reader_attributes(reader), "multiscales") != NULL);
    CHECK(ngff_reader_attribute(reader, "none") == NULL);
    ngff_reader_free(reader);
}

static void chunks_of_every_level_are_read(void)
{
    static const int64_t shapes[2][3] = {{2, 5, 7}, {2, 3, 4}}, chunks[2][2] = {{4, 4}, {3, 4}};
    ngff_reader *reader = store_read("plain");
    for (int level = 0; level < 2; level++)
        for (int c = 0; c < 2; c++)
            for (int y = 0; y < shapes[level][1]; y++)
                for (int x = 0; x < shapes[level][2]; x++) {
                    int64_t index[] = {c, y / chunks[level][0], x / chunks[level][1]};
                    uint16_t pixels[16];
                    int is_fill = level == 0 && c == 1 && y >= 4 && x >= 4;
                    CHECK_INT(ngff_reader_chunk(reader, level, index, pixels, NULL, 0), !is_fill);
                    CHECK_INT(pixels[y % chunks[level][0] * 4 + x % 4],
                              is_fill ? 9 : 1000 * (level + 1) + 100 * c + 10 * y + x);
                }
    ngff_reader_free(reader);
}

static void missing_chunk_is_fill_to_its_last_pixel(void)
{
    ngff_reader *reader = store_read("plain");
    int64_t index[] = {1, 1, 1};
    uint16_t pixels[16];
    char message[200] = "old";
    memset(pixels, 0xAA, sizeof pixels);
    CHECK_INT(ngff_reader_chunk(reader, 0, index, pixels, message, sizeof message), 0);
    for (int i = 0; i < 16; i++)
        CHECK_INT(pixels[i], 9);
    CHECK_TEXT(message, "");
    ngff_reader_free(reader);
}

/* What the sharded store holds at y, x. */
static int32_t sharded_pixel(int y, int x)
{
    int is_missing = (y < 4 && x >= 4 && x < 8) || (y >= 8 && x >= 8);
    return is_missing ? 0 : 1000 + 10 * y + x;
}

static int sharded_chunk_is_right(ngff_reader *reader, int row, int column)
{
    int64_t index[] = {row, column};
    int32_t pixels[16];
    int is_stored = ngff_reader_chunk(reader, 0, index, pixels, NULL, 0);
    if (is_stored != (sharded_pixel(4 * row, 4 * column) != 0))
        return 0;
    for (int i = 0; i < 16; i++)
        if (pixels[i] != sharded_pixel(4 * row + i / 4, 4 * column + i % 4))
            return 0;
    return 1;
}

static void chunks_in_shards_are_read(void)
{
    ngff_reader *reader = store_read("sharded");
    int64_t chunk[2];
    CHECK_INT(ngff_reader_level_chunk(reader, 0, chunk), NGFF_OK);
    CHECK(chunk[0] == 4 && chunk[1] == 4);
    CHECK_INT(ngff_reader_level_shard(reader, 0, chunk), NGFF_OK);
    CHECK(chunk[0] == 8 && chunk[1] == 8);
    for (int row = 0; row < 4; row++)
        for (int column = 0; column < 3; column++)
            CHECK(sharded_chunk_is_right(reader, row, column));
    ngff_reader_free(reader);
}

static void *read_in_circles(void *reader)
{
    for (int i = 0; i < 600; i++)
        if (!sharded_chunk_is_right(reader, i * 7 % 4, i % 3))
            return reader;
    return NULL;
}

static void many_threads_read_from_one_reader(void)
{
    ngff_reader *reader = store_read("sharded");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, read_in_circles, reader) != 0)
            abort();
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
    }
    ngff_reader_free(reader);
}

/* More shards than the reader keeps indices of, so that it forgets some and reads them again. */
static void more_shards_than_are_remembered_are_read(void)
{
    STORE_WRITE("many", many_shards_objects);
    for (int shard = 0; shard < 100; shard++) {
        static const shard_entry entries[] = {{1, 1}, {0, 1}};
        uint8_t bytes[2 + 36] = {(uint8_t)(2 * shard + 1), (uint8_t)(2 * shard)};
        char key[40];
        shard_index_encode(entries, 2, bytes + 2);
        snprintf(key, sizeof key, "0/c/0/%d", shard);
        object_write("many", key, (const char *)bytes, sizeof bytes);
    }
    ngff_reader *reader = store_read("many");
    for (int pass = 0; pass < 3; pass++)
        for (int x = 0; x < 200; x++) {
            int64_t index[] = {0, pass == 1 ? 199 - x : x};
            uint8_t pixel = 255;
            CHECK_INT(ngff_reader_chunk(reader, 0, index, &pixel, NULL, 0), 1);
            CHECK_INT(pixel, index[1]);
        }
    ngff_reader_free(reader);
}

static void big_endian_pixels_are_native_in_memory(void)
{
    ngff_reader *reader = store_read("big_endian");
    int64_t stored[] = {0, 0}, missing[] = {0, 1};
    int16_t pixels[16];
    CHECK_INT(ngff_reader_data_type(reader), NGFF_INT16);
    CHECK_INT(ngff_reader_chunk(reader, 0, stored, pixels, NULL, 0), 1);
    for (int i = 0; i < 16; i++)
        CHECK_INT(pixels[i], 1000 + 10 * (i / 4) + i % 4);
    CHECK_INT(ngff_reader_chunk(reader, 0, missing, pixels, NULL, 0), 0);
    for (int i = 0; i < 16; i++)
        CHECK_INT(pixels[i], -1);
    ngff_reader_free(reader);
}

/* -- Errors ---------------------------------------------------------------------------------------------------- */

static void chunk_outside_of_the_image_is_refused(void)
{
    static const int64_t outside[][3] = {{2, 0, 0}, {0, 2, 0}, {0, 0, 2}, {-1, 0, 0}, {0, 0, INT64_MAX}};
    ngff_reader *reader = store_read("plain");
    uint16_t pixels[16];
    char message[200];
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        message[0] = '\0';
        CHECK_INT(ngff_reader_chunk(reader, 0, outside[i], pixels, message, sizeof message), NGFF_E_ARGUMENT);
        CHECK(message[0] != '\0');
    }
    CHECK_INT(ngff_reader_chunk(reader, 2, outside[0], pixels, NULL, 0), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_chunk(reader, -1, outside[0], pixels, NULL, 0), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_mask_chunk(reader, 0, outside[0], (uint8_t *)pixels, NULL, 0), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    ngff_reader_free(reader);
}

static void place_without_an_image_is_not_found(void)
{
    ngff_reader *reader = store_read("nothing-here");
    int64_t index[] = {0, 0}, shape[5];
    uint8_t pixel[16];
    CHECK_INT(ngff_reader_status(reader), NGFF_E_NOT_FOUND);
    CHECK(strstr(ngff_reader_error(reader), "nothing-here") != NULL);
    CHECK_INT(ngff_reader_level_count(reader), 0);
    CHECK_INT(ngff_reader_level_shape(reader, 0, shape), NGFF_E_NOT_FOUND);
    CHECK_INT(ngff_reader_chunk(reader, 0, index, pixel, NULL, 0), NGFF_E_NOT_FOUND);
    CHECK(ngff_reader_attribute(reader, "any") == NULL);
    ngff_reader_free(reader);
    ngff_reader_free(NULL);
}

/* Opening succeeds, for it reads metadata only; the damaged chunk alone fails, and its message names the file. */
static void damaged_chunk_is_named_and_others_still_read(void)
{
    STORE_WRITE("damaged", plain_objects);
    object_write("damaged", "scale0/image/c/0/0/1", "no zstd frame", 13);
    object_write("damaged", "scale0/image/c/0/1/1", "", 0);
    ngff_reader *reader = store_read("damaged");
    int64_t bad[] = {0, 0, 1}, empty[] = {0, 1, 1}, good[] = {0, 0, 0};
    uint16_t pixels[16];
    char message[1000] = "";
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    CHECK_INT(ngff_reader_chunk(reader, 0, bad, pixels, message, sizeof message), NGFF_E_CORRUPT);
    CHECK(strstr(message, "damaged/scale0/image/c/0/0/1") != NULL);
    CHECK_INT(ngff_reader_chunk(reader, 0, empty, pixels, NULL, 0), NGFF_E_CORRUPT);
    CHECK_INT(ngff_reader_chunk(reader, 0, good, pixels, message, sizeof message), 1);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    ngff_reader_free(reader);
}

/* A message that does not fit is cut, never written beyond its room. */
static void message_keeps_to_its_room(void)
{
    ngff_reader *reader = store_read("damaged");
    int64_t bad[] = {0, 0, 1};
    uint16_t pixels[16];
    char message[12] = "###########";
    CHECK_INT(ngff_reader_chunk(reader, 0, bad, pixels, message, 8), NGFF_E_CORRUPT);
    CHECK_INT(strlen(message), 7);
    CHECK_TEXT(message + 8, "###");
    ngff_reader_free(reader);
}

/* Any bit of a shard, and any cut of it: the right pixels or an error. */
static void damaged_shard_gives_an_error_or_the_pixels(void)
{
    const object *shard = object_find(sharded_objects, sizeof sharded_objects / sizeof sharded_objects[0], "0/c/0/0");
    char *bytes = malloc(shard->n);
    int64_t index[] = {1, 1};
    int n_errors = 0;
    STORE_WRITE("shards", sharded_objects);
    for (size_t i = 0; i < shard->n; i++) {
        memcpy(bytes, shard->bytes, shard->n);
        bytes[i] ^= 0x10;
        object_write("shards", "0/c/0/0", bytes, shard->n);
        ngff_reader *reader = store_read("shards");
        int32_t pixels[16];
        int32_t status = ngff_reader_chunk(reader, 0, index, pixels, NULL, 0);
        CHECK(status == 1 || status == NGFF_E_CORRUPT);
        if (i >= shard->n - 68)
            CHECK_INT(status, NGFF_E_CORRUPT);
        n_errors += status != 1;
        ngff_reader_free(reader);
    }
    CHECK(n_errors >= 68);
    for (size_t n = 0; n < shard->n; n += 5) {
        object_write("shards", "0/c/0/0", shard->bytes, n);
        ngff_reader *reader = store_read("shards");
        int32_t pixels[16];
        CHECK_INT(ngff_reader_chunk(reader, 0, index, pixels, NULL, 0), NGFF_E_CORRUPT);
        ngff_reader_free(reader);
    }
    free(bytes);
}

/* -- All ------------------------------------------------------------------------------------------------------- */

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

int main(void)
{
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/ngff-reader-XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    STORE_WRITE("plain", plain_objects);
    STORE_WRITE("sharded", sharded_objects);
    STORE_WRITE("big_endian", big_endian_objects);
    RUN(metadata_of_every_level_is_told);
    RUN(chunks_of_every_level_are_read);
    RUN(missing_chunk_is_fill_to_its_last_pixel);
    RUN(chunks_in_shards_are_read);
    RUN(many_threads_read_from_one_reader);
    RUN(more_shards_than_are_remembered_are_read);
    RUN(big_endian_pixels_are_native_in_memory);
    RUN(chunk_outside_of_the_image_is_refused);
    RUN(place_without_an_image_is_not_found);
    RUN(damaged_chunk_is_named_and_others_still_read);
    RUN(message_keeps_to_its_room);
    RUN(damaged_shard_gives_an_error_or_the_pixels);
    nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    CHECK_EXIT();
}
