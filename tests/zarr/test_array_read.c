/* test_array_read.c: the document of an array, as this library writes it and as it may not be. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "zarr/array.h"

/* A store of one object. */
typedef struct {
    const char *key, *text;
} one_object;

static int32_t get(void *user, const char *key, char **text, size_t *n, error *e)
{
    const one_object *o = user;
    (void)e;
    if (strcmp(key, o->key) != 0)
        return NGFF_E_NOT_FOUND;
    *text = strdup(o->text);
    *n = strlen(o->text);
    return NGFF_OK;
}

static int32_t read(int format, const char *key, const char *text, stored_array *a, error *e)
{
    one_object o = {key, text};
    const document_source source = document_source_of(get, &o, NULL);
    *a = (stored_array){.rank = 0};
    return array_read(&source, format, "a/b", a, NULL, e);
}

static const int64_t shape[] = {5, 70, 90}, chunk[] = {1, 16, 32}, shard[] = {1, 64, 96};
static const char *const dims[] = {"c", "y", "x"};

static void check_written(int format, int is_sharded, int compress)
{
    const codec_spec codec = {.compress = compress, .level = 1, .type_size = 2, .has_crc32c = is_sharded};
    const uint16_t fill = 0x0203;
    const stored_array made = array_make(format, "a/b", dtype_get(NGFF_UINT16), 3, shape, chunk,
                                         is_sharded ? shard : NULL, &codec, (const uint8_t *)&fill);
    int is_whole = 1;
    cJSON *tree = array_document(format, &made, dims, format == ZARR_2 ? NULL : cJSON_CreateObject(), &is_whole);
    char *text = cJSON_Print(tree), name[128], other[128];
    stored_array a;
    error e = {0};
    CHECK(is_whole);
    CHECK_INT(read(format, format == ZARR_2 ? "a/b/.zarray" : "a/b/zarr.json", text, &a, &e), NGFF_OK);
    CHECK_TEXT(a.path, "a/b");
    CHECK_INT(a.rank, 3);
    CHECK(a.type == made.type && memcmp(a.fill, &fill, sizeof fill) == 0 && !a.is_big_endian);
    CHECK(memcmp(a.shape, shape, sizeof shape) == 0 && memcmp(a.chunk, chunk, sizeof chunk) == 0);
    CHECK(memcmp(a.shard, is_sharded ? shard : chunk, sizeof shard) == 0);
    CHECK_INT(a.is_sharded, is_sharded);
    CHECK_INT(a.codec.compress, compress);
    CHECK_INT(a.codec.has_crc32c, is_sharded);
    array_chunk_key(&a, (const int64_t[]){4, 0, 2}, name);
    array_chunk_key(&made, (const int64_t[]){4, 0, 2}, other);
    CHECK_TEXT(name, format == ZARR_2 ? "4/0/2" : "c/4/0/2");
    CHECK_TEXT(other, name);
    free(a.path);
    cJSON_free(text);
    cJSON_Delete(tree);
}

static void what_is_written_is_read_back(void)
{
    for (int c = COMPRESS_AUTO + 1; c < n_compress; c++) {
        check_written(ZARR_2, 0, c);
        if (codec_row_get(c)->instead_v3)
            continue;
        check_written(ZARR_3, 0, c);
        check_written(ZARR_3, 1, c);
    }
}

static void a_missing_document_is_no_error_of_its_own(void)
{
    stored_array a;
    error e = {0};
    CHECK_INT(read(ZARR_3, "elsewhere", "{}", &a, &e), NGFF_E_NOT_FOUND);
    CHECK_INT(e.status, NGFF_OK);
}

static void a_group_is_no_array(void)
{
    stored_array a;
    error e = {0};
    CHECK_INT(read(ZARR_3, "a/b/zarr.json", "{\"zarr_format\":3,\"node_type\":\"group\"}", &a, &e), NGFF_E_CORRUPT);
    CHECK_TEXT(e.message, "a/b/zarr.json is not a Zarr v3 array");
}

int main(void)
{
    RUN(what_is_written_is_read_back);
    RUN(a_missing_document_is_no_error_of_its_own);
    RUN(a_group_is_no_array);
    CHECK_EXIT();
}
