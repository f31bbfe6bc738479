/* fuzz_zip.c: libFuzzer target for the directory of a file `.ozx`, and all that it says is in there. The input is the
 * file. Objects are read whole, and by a part into exactly the room for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/zip.h"
#include "store/zip_index.h"

static const uint8_t *file;
static size_t file_size;

static int read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256])
{
    (void)path;
    (void)cause;
    *n_there = offset >= 0 && (uint64_t)offset < file_size ? file_size - (uint64_t)offset : 0;
    size_t n = *n_there < room ? (size_t)*n_there : room;
    if (n > 0)
        memcpy(bytes, file + offset, n);
    return 0;
}

static int read_file(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    uint64_t n_there;
    if (offset < 0)
        offset = (int64_t)(file_size > n ? file_size - n : 0);
    *n_read = (uint64_t)offset < file_size ? file_size - (size_t)offset : 0;
    if (n > 0 && *n_read > n)
        *n_read = n;
    *bytes = calloc(*n_read + 1, 1);
    return *bytes ? read_into(path, offset, *bytes, *n_read, &n_there, cause) : ENOMEM;
}

static int size_of(const char *path, uint64_t *n, char cause[256])
{
    (void)path;
    (void)cause;
    *n = file_size;
    return 0;
}

static const folder_calls calls = {.read_file = read_file, .read_into = read_into, .measure = size_of};
static const zip_index *read_index;

static int32_t read_object(void *user, const char *key)
{
    int *n_left = user, is_there = 0;
    error whole = {0}, part = {0}, last = {0};
    uint8_t *bytes = NULL, *end = NULL, *exact = malloc(3);
    size_t n = 0, n_end = 0;
    uint64_t n_there = 0;
    if (zip_index_get(read_index, key, 0, 0, &bytes, &n, &is_there, &whole) == NGFF_OK && is_there && bytes[n] != 0)
        abort();
    zip_index_get(read_index, key, -1, 5, &end, &n_end, &is_there, &last);
    if (exact)
        zip_index_get_into(read_index, key, 1, exact, 3, &n_there, &is_there, &part);
    free(bytes);
    free(end);
    free(exact);
    return --*n_left > 0 ? NGFF_OK : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    zip_index *index = NULL;
    error e = {0};
    int n_left = 100;
    file = bytes;
    file_size = n;
    int is_ngff;
    zip_is_ngff(&calls, "input.ozx", &is_ngff, &e);
    if (zip_index_find(&calls, "input.ozx", &index, &e) == NGFF_OK) {
        read_index = index;
        zip_index_list(index, "", read_object, &n_left);
        zip_index_list(index, "a", read_object, &n_left);
    }
    zip_index_free(index);
    return 0;
}
