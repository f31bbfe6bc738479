/* test_array_newer.c: documents of Zarr 2 in the words of Zarr 3, by hand from the two specifications. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "zarr/array_newer.h"

typedef struct {
    const char *array, *attributes; /* NULL: there are none */
} two;

static int32_t get(void *user, const char *key, char **text, size_t *n, error *e)
{
    const two *documents = user;
    const char *found = strcmp(key, "a/.zarray") == 0 ? documents->array : documents->attributes;
    (void)e;
    if (!found)
        return NGFF_E_NOT_FOUND;
    *text = strdup(found);
    *n = strlen(found);
    return NGFF_OK;
}

#define ARRAY(rest) "{\"zarr_format\":2,\"shape\":[5,7],\"chunks\":[2,3],\"fill_value\":null," rest "}"
#define START "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[5,7],\"data_type\":"
#define GRID                                                                                                           \
    ",\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[2,3]}},\"chunk_key_encoding\":{"        \
    "\"name\":\"v2\",\"configuration\":{\"separator\":"

static void becomes(const char *array, const char *attributes, const char *const *dims, int n_dims,
                    const char *expected)
{
    two documents = {array, attributes};
    const document_source source = document_source_of(get, &documents, NULL);
    error e = {0};
    cJSON *made = NULL;
    CHECK_INT(array_newer(&source, "a", dims, n_dims, &made, &e), NGFF_OK);
    CHECK_TEXT(e.message, "");
    char *printed = cJSON_PrintUnformatted(made);
    CHECK_TEXT(printed, expected);
    cJSON_free(printed);
    cJSON_Delete(made);
}

static void keys_bytes_and_codecs_are_those_of_the_chunks(void)
{
    static const char *const yx[] = {"y", "x"};
    becomes(ARRAY("\"dtype\":\"<u2\",\"compressor\":{\"id\":\"zstd\",\"level\":5},\"order\":\"C\",\"filters\":null,"
                  "\"dimension_separator\":\"/\""),
            "{\"_ARRAY_DIMENSIONS\":[\"a\",\"b\"],\"exact\":9007199254740993}", yx, 2,
            START
            "\"uint16\"" GRID "\"/\"}},\"fill_value\":0,\"codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":"
            "\"little\"}},{\"name\":\"zstd\",\"configuration\":{\"level\":5,\"checksum\":false}}],\"attributes\":{"
            "\"exact\":9007199254740993},\"dimension_names\":[\"y\",\"x\"],\"storage_transformers\":[]}");
    becomes(ARRAY("\"dtype\":\">f4\",\"compressor\":null,\"order\":\"F\",\"filters\":[]"),
            "{\"_ARRAY_DIMENSIONS\":[\"a\",\"b\"]}", NULL, 0,
            START "\"float32\"" GRID
                  "\".\"}},\"fill_value\":0.0,\"codecs\":[{\"name\":\"transpose\",\"configuration\":{"
                  "\"order\":[1,0]}},{\"name\":\"bytes\",\"configuration\":{\"endian\":\"big\"}}],\"attributes\":{},"
                  "\"dimension_names\":[\"a\",\"b\"],\"storage_transformers\":[]}");
    becomes(ARRAY("\"dtype\":\"|b1\",\"compressor\":{\"id\":\"blosc\",\"cname\":\"lz4\",\"clevel\":3,\"shuffle\":-1,"
                  "\"blocksize\":0},\"order\":\"C\",\"filters\":null"),
            NULL, NULL, 0,
            START
            "\"bool\"" GRID "\".\"}},\"fill_value\":false,\"codecs\":[{\"name\":\"bytes\"},{\"name\":\"blosc\","
            "\"configuration\":{\"cname\":\"lz4\",\"clevel\":3,\"shuffle\":\"bitshuffle\",\"typesize\":1,\"blocksize\":"
            "0}}],\"attributes\":{},\"storage_transformers\":[]}");
}

static void what_zarr_3_has_not_is_refused(void)
{
    static const struct {
        const char *array, *words;
    } rows[] = {
        {ARRAY("\"dtype\":\"<u2\",\"compressor\":{\"id\":\"zlib\",\"level\":5},\"order\":\"C\",\"filters\":null"),
         "no codec zlib"},
        {ARRAY("\"dtype\":\"<u2\",\"compressor\":{\"id\":\"lz4\"},\"order\":\"C\",\"filters\":null"), "no codec lz4"},
        {ARRAY("\"dtype\":\"<u2\",\"compressor\":null,\"order\":\"C\",\"filters\":[{\"id\":\"delta\"}]"), "filter"},
        {ARRAY("\"dtype\":\"<M8[s]\",\"compressor\":null,\"order\":\"C\",\"filters\":null"), "dtype"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        two documents = {rows[i].array, NULL};
        const document_source source = document_source_of(get, &documents, NULL);
        error e = {0};
        cJSON *made = NULL;
        CHECK_INT(array_newer(&source, "a", NULL, 0, &made, &e), NGFF_E_UNSUPPORTED);
        CHECK(made == NULL && strstr(e.message, rows[i].words) != NULL);
    }
}

int main(void)
{
    RUN(keys_bytes_and_codecs_are_those_of_the_chunks);
    RUN(what_zarr_3_has_not_is_refused);
    return check_failures != 0;
}
