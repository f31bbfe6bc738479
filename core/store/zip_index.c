/* zip_index.c: see zip_index.h. Section numbers are those of PKWARE's APPNOTE. No number of the file is believed before
 * it is seen to lie in the file. */
#include "store/zip_index.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    entry_size = 30,     /* 4.3.7 */
    directory_size = 46, /* 4.3.12 */
    end64_size = 56,     /* 4.3.14 */
    locator_size = 20,   /* 4.3.15 */
    end_size = 22,       /* 4.3.16 */
    longest_comment = 0xffff,
    most_directory = 1 << 30,
    most_deflated = 1 << 30,
    stored = 0,
    deflated = 8,
    is_encrypted = 1,
    most_expansion = 1032, /* of deflate */
};

typedef struct {
    const char *name;
    uint64_t at, size, packed_size; /* of its head in the file; of its bytes */
    uint32_t crc, n_name;
    uint16_t method, flags;
} entry;

struct zip_index {
    const folder_calls *calls;
    char *path;
    uint64_t file_size;
    char *names;
    entry *entries; /* by name */
    size_t n;
};

static int32_t damaged(const char *path, const char *what, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "%s: %s; the file is damaged, cut short or was replaced: copy it again", path,
                     what);
}

/* -- The directory ------------------------------------------------------------------------------------------------- */

/* Reads n bytes; all of them, or it is an error. */
static int32_t read_part(const zip_index *z, uint64_t at, void *bytes, size_t n, error *e)
{
    char cause[256] = "";
    uint64_t n_there = 0;
    if (at > z->file_size || n > z->file_size - at)
        return damaged(z->path, "it is too short for what its directory says", e);
    int failure = n > 0 ? z->calls->read_into(z->path, (int64_t)at, bytes, n, &n_there, cause) : 0;
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", z->path, cause[0] ? cause : strerror(failure));
    return n_there < n ? damaged(z->path, "it is shorter than it was", e) : NGFF_OK;
}

/* Where the directory lies. */
static int32_t find_directory(const zip_index *z, uint64_t *at, uint64_t *size, uint64_t *n, error *e)
{
    size_t n_tail = z->file_size < end_size + longest_comment ? (size_t)z->file_size : end_size + longest_comment;
    uint8_t *tail = malloc(n_tail + 1), locator[locator_size], end64[end64_size];
    int32_t status = tail ? read_part(z, z->file_size - n_tail, tail, n_tail, e)
                          : error_set(e, NGFF_E_MEMORY, "%s: out of memory", z->path);
    const uint8_t *end = NULL;
    for (size_t i = status != NGFF_OK || n_tail < end_size ? 0 : n_tail - end_size + 1; i-- > 0 && !end;)
        if (little_get(tail + i, 4) == 0x06054b50 && i + end_size + little_get(tail + i + 20, 2) == n_tail)
            end = tail + i;
    if (status == NGFF_OK && !end)
        status = damaged(z->path, "it does not end as a zip", e);
    uint64_t end_at = 0;
    if (status == NGFF_OK) {
        end_at = z->file_size - n_tail + (uint64_t)(end - tail);
        *n = little_get(end + 10, 2);
        *size = little_get(end + 12, 4);
        *at = little_get(end + 16, 4);
    }
    if (status == NGFF_OK && end_at >= locator_size)
        status = read_part(z, end_at - locator_size, locator, locator_size, e);
    if (status == NGFF_OK && end_at >= locator_size && little_get(locator, 4) == 0x07064b50) {
        status = read_part(z, little_get(locator + 8, 8), end64, end64_size, e);
        if (status == NGFF_OK && little_get(end64, 4) != 0x06064b50)
            status = damaged(z->path, "the end of its directory is not where it says", e);
        *n = little_get(end64 + 32, 8);
        *size = little_get(end64 + 40, 8);
        *at = little_get(end64 + 48, 8);
    }
    free(tail);
    if (status == NGFF_OK && (*size > most_directory || *n > *size / directory_size))
        status = damaged(z->path, "its directory has no possible size", e);
    return status;
}

/* The field "zip64" (4.5.3) holds those of the numbers that are too large for their place. 0 if one is missing. */
static int read_large(const uint8_t *extra, size_t n_extra, entry *one)
{
    const uint32_t too_large = 0xffffffff;
    uint64_t *const numbers[] = {&one->size, &one->packed_size, &one->at};
    size_t at = 0;
    while (at + 4 <= n_extra && little_get(extra + at, 2) != 1)
        at += 4 + little_get(extra + at + 2, 2);
    size_t n = at + 4 <= n_extra ? little_get(extra + at + 2, 2) : 0;
    size_t next = at + 4, end = at + 4 + n <= n_extra ? at + 4 + n : 0;
    for (int i = 0; i < 3; i++) {
        if (*numbers[i] != too_large)
            continue;
        if (next + 8 > end)
            return 0;
        *numbers[i] = little_get(extra + next, 8);
        next += 8;
    }
    return 1;
}

static int by_name(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : a->at < b->at ? -1 : a->at > b->at;
}

/* Fills entries and names; names stand in the file without an end. */
static int32_t read_entries(zip_index *z, const uint8_t *directory, uint64_t size, uint64_t n, error *e)
{
    uint64_t at = 0;
    char *name = z->names;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *from = directory + at;
        if (size - at < directory_size || little_get(from, 4) != 0x02014b50)
            return damaged(z->path, "its directory ends too early", e);
        size_t n_name = little_get(from + 28, 2), n_extra = little_get(from + 30, 2),
               n_comment = little_get(from + 32, 2);
        if (size - at - directory_size < n_name + n_extra + n_comment)
            return damaged(z->path, "its directory ends too early", e);
        entry one = {.name = name,
                     .at = little_get(from + 42, 4),
                     .size = little_get(from + 24, 4),
                     .packed_size = little_get(from + 20, 4),
                     .crc = (uint32_t)little_get(from + 16, 4),
                     .n_name = (uint32_t)n_name,
                     .method = (uint16_t)little_get(from + 10, 2),
                     .flags = (uint16_t)little_get(from + 8, 2)};
        if (!read_large(from + directory_size + n_name, n_extra, &one))
            return damaged(z->path, "a number of its directory is missing", e);
        memcpy(name, from + directory_size, n_name);
        name[n_name] = '\0';
        at += directory_size + n_name + n_extra + n_comment;
        if (n_name == 0 || name[n_name - 1] == '/' || strlen(name) != n_name)
            continue; /* a folder, or the name of nothing */
        name += n_name + 1;
        z->entries[z->n++] = one;
    }
    if (z->n > 0)
        qsort(z->entries, z->n, sizeof *z->entries, by_name);
    return NGFF_OK;
}

int32_t zip_index_find(const folder_calls *calls, const char *path, zip_index **index, error *e)
{
    uint64_t at = 0, size = 0, n = 0, file_size = 0;
    uint8_t *directory = NULL;
    *index = NULL;
    char cause[256] = "";
    int failure = calls->measure(path, &file_size, cause);
    if (failure)
        return failure == ENOENT ? NGFF_OK : error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path, cause);
    zip_index *z = calloc(1, sizeof *z);
    if (!z || !(z->path = strdup(path))) {
        free(z);
        return error_set(e, NGFF_E_MEMORY, "%s: out of memory", path);
    }
    z->calls = calls;
    z->file_size = file_size;
    int32_t status = find_directory(z, &at, &size, &n, e);
    if (status == NGFF_OK && (at > file_size || size > file_size - at))
        status = damaged(path, "its directory is not where it says", e);
    if (status == NGFF_OK) {
        directory = malloc((size_t)size + 1);
        z->names = malloc((size_t)size + 1); /* each is shorter than its entry */
        z->entries = calloc((size_t)n + 1, sizeof *z->entries);
        status = directory && z->names && z->entries ? read_part(z, at, directory, (size_t)size, e)
                                                     : error_set(e, NGFF_E_MEMORY, "%s: out of memory", path);
    }
    if (status == NGFF_OK)
        status = read_entries(z, directory, size, n, e);
    free(directory);
    if (status == NGFF_OK)
        *index = z;
    else
        zip_index_free(z);
    return status;
}

void zip_index_free(zip_index *index)
{
    if (!index)
        return;
    free(index->path);
    free(index->names);
    free(index->entries);
    free(index);
}

/* -- Objects ------------------------------------------------------------------------------------------------------- */

/* Of entries with one name the last one counts, as everywhere. */
static const entry *find(const zip_index *z, const char *key)
{
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(z->entries[middle].name, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && strcmp(z->entries[low - 1].name, key) == 0 ? &z->entries[low - 1] : NULL;
}

static int32_t damaged_entry(const zip_index *z, const entry *one, const char *what, error *e)
{
    return error_set(e, NGFF_E_STORAGE,
                     "%s/%s: %s; the file is damaged, cut short or was replaced: copy it again, or open it anew",
                     z->path, one->name, what);
}

/* Where the bytes of an entry begin: its own head (4.3.7) says it, and must be that of this entry. */
static int32_t find_bytes(const zip_index *z, const entry *one, uint64_t *at, error *e)
{
    uint8_t head[entry_size];
    if (read_part(z, one->at, head, sizeof head, e) != NGFF_OK)
        return e->status;
    if (little_get(head, 4) != 0x04034b50 || little_get(head + 8, 2) != one->method ||
        little_get(head + 26, 2) != one->n_name)
        return damaged_entry(z, one, "its head is not that of the directory", e);
    if ((one->flags & is_encrypted) || (one->method != stored && one->method != deflated))
        return error_set(e, NGFF_E_UNSUPPORTED,
                         "%s/%s: it is encrypted, or compressed by another method than deflate; pack it again without",
                         z->path, one->name);
    if (one->method == stored && one->size != one->packed_size)
        return damaged_entry(z, one, "its two sizes differ", e);
    *at = one->at + entry_size + one->n_name + little_get(head + 28, 2);
    if (*at > z->file_size || one->packed_size > z->file_size - *at)
        return damaged_entry(z, one, "it reaches beyond the end", e);
    return NGFF_OK;
}

static int32_t check_crc(const zip_index *z, const entry *one, const void *bytes, error *e)
{
    return libdeflate_crc32(0, bytes, (size_t)one->size) == one->crc
               ? NGFF_OK
               : damaged_entry(z, one, "its bytes are not those of its checksum", e);
}

/* The whole of a deflated entry, for free(). */
static int32_t inflate(const zip_index *z, const entry *one, uint64_t at, uint8_t **bytes, error *e)
{
    if (one->size > most_deflated || one->size / most_expansion > one->packed_size + 1)
        return damaged_entry(z, one, "its size is not possible", e);
    struct libdeflate_decompressor *tool = libdeflate_alloc_decompressor();
    uint8_t *packed = malloc((size_t)one->packed_size + 1), *whole = malloc((size_t)one->size + 1);
    int32_t status = tool && packed && whole ? read_part(z, at, packed, (size_t)one->packed_size, e)
                                             : error_set(e, NGFF_E_MEMORY, "%s: out of memory", z->path);
    if (status == NGFF_OK && libdeflate_deflate_decompress(tool, packed, (size_t)one->packed_size, whole,
                                                           (size_t)one->size, NULL) != LIBDEFLATE_SUCCESS)
        status = damaged_entry(z, one, "it cannot be decompressed", e);
    if (status == NGFF_OK)
        status = check_crc(z, one, whole, e);
    if (tool)
        libdeflate_free_decompressor(tool);
    free(packed);
    if (status != NGFF_OK) {
        free(whole);
        whole = NULL;
    }
    *bytes = whole;
    return status;
}

int32_t zip_index_size(const zip_index *index, const char *key, uint64_t *n, int *is_there, error *e)
{
    (void)e;
    const entry *one = find(index, key);
    *is_there = one != NULL;
    *n = one ? one->size : 0;
    return NGFF_OK;
}

int32_t zip_index_get_into(const zip_index *index, const char *key, int64_t offset, void *bytes, size_t room,
                           uint64_t *n_there, int *is_there, error *e)
{
    const entry *one = find(index, key);
    uint64_t at = 0;
    *is_there = one != NULL;
    if (!one)
        return NGFF_OK;
    if (find_bytes(index, one, &at, e) != NGFF_OK)
        return e->status;
    uint64_t first = (uint64_t)offset < one->size ? (uint64_t)offset : one->size;
    *n_there = one->size - first;
    size_t n = *n_there < room ? (size_t)*n_there : room;
    if (one->method == stored) {
        if (read_part(index, at + first, bytes, n, e) == NGFF_OK && n == one->size)
            check_crc(index, one, bytes, e);
        return e->status;
    }
    uint8_t *whole = NULL;
    if (inflate(index, one, at, &whole, e) == NGFF_OK)
        memcpy(bytes, whole + first, n);
    free(whole);
    return e->status;
}

int32_t zip_index_get(const zip_index *index, const char *key, int64_t offset, size_t n, uint8_t **bytes,
                      size_t *n_read, int *is_there, error *e)
{
    uint64_t size, n_there = 0;
    *bytes = NULL;
    if (zip_index_size(index, key, &size, is_there, e) != NGFF_OK || !*is_there)
        return e->status;
    if (size > index->file_size && size / most_expansion > index->file_size)
        return damaged(index->path, "an object is larger than it can be", e);
    if (offset < 0 && n > 0)
        offset = (int64_t)(size > n ? size - n : 0);
    uint64_t rest = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    if (n == 0 || n > rest)
        n = (size_t)rest;
    uint8_t *found = malloc(n + 1);
    if (!found)
        return error_set(e, NGFF_E_MEMORY, "%s: out of memory", index->path);
    int32_t status = zip_index_get_into(index, key, offset, found, n, &n_there, is_there, e);
    if (status != NGFF_OK) {
        free(found);
        return status;
    }
    found[n] = 0;
    *bytes = found;
    *n_read = n;
    return NGFF_OK;
}

int32_t zip_index_list(const zip_index *index, const char *group, int32_t (*visit)(void *user, const char *key),
                       void *user)
{
    size_t n = strlen(group);
    int32_t status = NGFF_OK;
    for (size_t i = 0; i < index->n && status >= 0; i++) {
        const char *name = index->entries[i].name;
        if (i + 1 < index->n && strcmp(name, index->entries[i + 1].name) == 0)
            continue;
        if (n == 0)
            status = visit(user, name);
        else if (strncmp(name, group, n) == 0 && name[n] == '/')
            status = visit(user, name + n + 1);
    }
    return status;
}
