/* fuzz_reader.c: libFuzzer target for the whole way of a chunk: documents, key, shard index, checksum, codec,
 * transpose, byte order, fill. The input has three parts with NULs between them: the root's document (v2 if it begins
 * with a blank), the array's, and then the bytes of its first object, up to the end. Pixels go to exactly the room that
 * the reader says a chunk needs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ngff.h"

static char folder[64];

static void put(const char *name, const void *bytes, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        abort();
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (mkdir(path, 0777) != 0)
        abort();
}

static void clear(void)
{
    static const char *const names[] = {"zarr.json", ".zattrs", "0/zarr.json", "0/.zarray"};
    char path[256];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

static void remove_all(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(command);
}

/* The first object under every key that it can have: at most five axes, either separator, with and without c. */
static void put_first_object(const uint8_t *bytes, size_t n)
{
    static const char *const keys[] = {"0/c/0/0", "0/c.0.0", "0/0.0", "0/0/0/0/0", "0/c/1/0"};
    for (int i = 0; i < 5; i++)
        put(keys[i], bytes, n);
}

static void read_chunks(ngff_reader *reader)
{
    int64_t chunk[5] = {0}, shape[5] = {0}, n = ngff_type_size(ngff_reader_data_type(reader));
    int rank = (int)strlen(ngff_reader_dims(reader));
    if (rank < 2 || rank > 5 || ngff_reader_level_chunk(reader, 0, chunk) || ngff_reader_level_shape(reader, 0, shape))
        abort();
    for (int i = 0; i < rank; i++)
        n *= chunk[i];
    if (n < 1 || n > 1 << 20)
        abort();
    void *pixels = malloc((size_t)n);
    for (int64_t x = 0; x < 2; x++) {
        const int64_t index[5] = {0, rank == 2 ? x : 0, 0, 0, 0};
        char message[200] = "";
        int32_t status = ngff_reader_chunk(reader, 0, index, pixels, message, sizeof message);
        if (status < 0 && !message[0])
            abort();
    }
    free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {"MAX_METADATA=1MB", "MAX_CHUNK=1MB", NULL};
    const uint8_t *second = memchr(data, 0, size);
    const uint8_t *third = second ? memchr(second + 1, 0, (size_t)(data + size - second - 1)) : NULL;
    if (!third)
        return 0;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/dev/shm/fuzz_reader_XXXXXX");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_all);
        static const char *const folders[] = {"0", "0/c", "0/c/0", "0/c/1", "0/0", "0/0/0", "0/0/0/0"};
        for (int i = 0; i < 7; i++)
            make_folder(folders[i]);
    }
    int is_v2 = data[0] == ' ';
    clear();
    put(is_v2 ? ".zattrs" : "zarr.json", data, (size_t)(second - data));
    put(is_v2 ? "0/.zarray" : "0/zarr.json", second + 1, (size_t)(third - second - 1));
    put_first_object(third + 1, (size_t)(data + size - third - 1));
    ngff_reader *reader = ngff_reader_open_part(folder, NULL, options);
    if (!reader)
        abort();
    if (ngff_reader_status(reader) == NGFF_OK && ngff_reader_level_count(reader) > 0)
        read_chunks(reader);
    else if (ngff_reader_status(reader) != NGFF_OK && !ngff_reader_error(reader)[0])
        abort();
    ngff_reader_free(reader);
    return 0;
}
