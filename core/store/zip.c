/* zip.c: see zip.h. The numbers are those of PKWARE's APPNOTE: sections 4.3.7 (an entry), 4.3.12 (the directory) and
 * 4.3.14 to 4.3.16 (its end). What is beyond 4 GiB stands in a "zip64" field. */
#include "store/zip.h"
#include "base/ascii.h"
#include "base/json.h"
#include "base/text.h"
#include "store/walk.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    longest_path = 4096,
    entry_size = 30,
    directory_size = 46,
    end64_size = 56,
    locator_size = 20,
    end_size = 22,
    most_extra = 28,
    version = 45,             /* 4.5: zip64 */
    made_by = 3 << 8,         /* Unix */
    names_are_utf8 = 1 << 11, /* flag */
    first_day = 0x21,         /* 1 January 1980: the bytes must not depend on the clock */
    piece = 4 << 20,          /* what is appended at once, if objects are small */
};
static const uint32_t too_large = 0xffffffff, file_mode = 0100644;

int zip_is_name(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && text_equals(path + n - 4, ".ozx") && strncmp(path, "/vsizip/", 8) != 0;
}

int32_t zip_is_ngff(const folder_calls *calls, const char *path, int *is_ngff, error *e)
{
    static const uint8_t mark[] = {'P', 'K', 5, 6};
    enum { longest_comment = 0xffff };
    char cause[256];
    uint8_t *bytes = NULL;
    size_t n = 0;
    *is_ngff = 0;
    if (calls->read_file(path, -1, end_size + longest_comment, &bytes, &n, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot read %s, to see what it is: %s", path, cause);
    for (size_t at = n < end_size ? 0 : n - end_size + 1; at-- > 0 && !*is_ngff;)
        *is_ngff = memcmp(bytes + at, mark, sizeof mark) == 0 &&
                   at + end_size + (size_t)little_get(bytes + at + 20, 2) == n &&
                   bytes_hold(bytes + at + end_size, n - at - end_size, "\"ome\"");
    free(bytes);
    return NGFF_OK;
}

/* -- What is packed ------------------------------------------------------------------------------------------------ */

typedef struct {
    const folder_calls *calls;
    const char *folder, *path; /* what is packed, the file */
    char **keys;
    size_t n_keys, n_slots;
    uint8_t *waiting; /* to be appended to the file: entries, then the directory */
    size_t n_waiting, room;
    uint8_t *directory;
    size_t n_directory, directory_room;
    uint64_t at;      /* size of the file, what waits included */
    char version[16]; /* of NGFF, as the root says it */
    error *e;
} packer;

static int32_t out_of_memory(packer *p)
{
    return error_set(p->e, NGFF_E_MEMORY, "out of memory while %s is packed", p->path);
}

static int32_t add_key(void *user, const char *key)
{
    packer *p = user;
    if (p->n_keys == p->n_slots) {
        size_t n = p->n_slots ? 2 * p->n_slots : 256;
        char **more = realloc(p->keys, n * sizeof *more);
        if (!more)
            return out_of_memory(p);
        p->keys = more;
        p->n_slots = n;
    }
    p->keys[p->n_keys] = strdup(key);
    return p->keys[p->n_keys] ? (p->n_keys++, NGFF_OK) : out_of_memory(p);
}

static int depth_of(const char *key)
{
    int depth = 0;
    for (; *key; key++)
        depth += *key == '/';
    return depth;
}

static int is_document(const char *key)
{
    const char *slash = strrchr(key, '/');
    return is_zarr_document(slash ? slash + 1 : key);
}

static int by_place(const void *left, const void *right)
{
    const char *a = *(char *const *)left, *b = *(char *const *)right;
    int is_first = is_document(a), is_second = is_document(b);
    if (is_first != is_second)
        return is_first ? -1 : 1;
    if (is_first && depth_of(a) != depth_of(b))
        return depth_of(a) - depth_of(b);
    return strcmp(a, b);
}

/* -- Bytes --------------------------------------------------------------------------------------------------------- */

static uint32_t or_too_large(uint64_t value)
{
    return value < too_large ? (uint32_t)value : too_large;
}

static int32_t flush(packer *p)
{
    char cause[256] = "";
    size_t n = p->n_waiting;
    p->n_waiting = 0;
    if (n > 0 && p->calls->append_file(p->path, p->waiting, n, cause) != 0)
        return error_set(p->e, NGFF_E_STORAGE,
                         "cannot write %s (%zu bytes more): %s; is there room for the store twice?", p->path, n, cause);
    return NGFF_OK;
}

/* Appends to the file, by way of memory if it is little. */
static int32_t append(packer *p, const void *bytes, size_t n)
{
    char cause[256] = "";
    if (p->n_waiting + n > p->room && flush(p) != NGFF_OK)
        return p->e->status;
    p->at += n;
    if (n > p->room)
        return p->calls->append_file(p->path, bytes, n, cause) == 0
                   ? NGFF_OK
                   : error_set(p->e, NGFF_E_STORAGE,
                               "cannot write %s (%zu bytes more): %s; is there room for the store twice?", p->path, n,
                               cause);
    memcpy(p->waiting + p->n_waiting, bytes, n);
    p->n_waiting += n;
    return NGFF_OK;
}

/* What an entry and its place in the directory say alike. */
static uint8_t *put_common(uint8_t *to, uint32_t crc, uint64_t size, size_t n_name, size_t n_extra)
{
    to = little_put(to, version, 2);
    to = little_put(to, names_are_utf8, 2);
    to = little_put(to, 0, 2); /* method: stored */
    to = little_put(to, first_day << 16, 4);
    to = little_put(to, crc, 4);
    to = little_put(to, or_too_large(size), 4);
    to = little_put(to, or_too_large(size), 4);
    to = little_put(to, n_name, 2);
    return little_put(to, n_extra, 2);
}

/* The field zip64: those of the numbers that are too large elsewhere. */
static size_t put_extra(uint8_t extra[most_extra], uint64_t size, uint64_t offset)
{
    uint8_t *to = extra + 4;
    if (size >= too_large)
        to = little_put(little_put(to, size, 8), size, 8);
    if (offset >= too_large)
        to = little_put(to, offset, 8);
    size_t n = (size_t)(to - extra);
    little_put(little_put(extra, 1, 2), n - 4, 2);
    return n > 4 ? n : 0;
}

static int32_t add_to_directory(packer *p, const char *key, uint32_t crc, uint64_t size, uint64_t offset)
{
    uint8_t extra[most_extra];
    size_t n_name = strlen(key), n_extra = put_extra(extra, size, offset);
    if (p->n_directory + directory_size + n_name + n_extra > p->directory_room) {
        size_t room = 2 * p->directory_room + directory_size + n_name + n_extra + 4096;
        uint8_t *more = realloc(p->directory, room);
        if (!more)
            return out_of_memory(p);
        p->directory = more;
        p->directory_room = room;
    }
    uint8_t *to = p->directory + p->n_directory;
    to = little_put(to, 0x02014b50, 4);
    to = little_put(to, made_by | version, 2);
    to = put_common(to, crc, size, n_name, n_extra);
    to = little_put(to, 0, 2); /* comment */
    to = little_put(to, 0, 2); /* disk */
    to = little_put(to, 0, 2); /* internal attributes */
    to = little_put(to, file_mode << 16, 4);
    to = little_put(to, or_too_large(offset), 4);
    memcpy(to, key, n_name);
    memcpy(to + n_name, extra, n_extra);
    p->n_directory += directory_size + n_name + n_extra;
    return NGFF_OK;
}

static int32_t add_entry(packer *p, const char *key, const uint8_t *bytes, size_t n)
{
    uint8_t head[entry_size], extra[most_extra];
    uint64_t offset = p->at;
    uint32_t crc = libdeflate_crc32(0, bytes, n);
    size_t n_name = strlen(key), n_extra = put_extra(extra, n, 0);
    put_common(little_put(head, 0x04034b50, 4), crc, n, n_name, n_extra);
    if (append(p, head, sizeof head) == NGFF_OK && append(p, key, n_name) == NGFF_OK &&
        append(p, extra, n_extra) == NGFF_OK && append(p, bytes, n) == NGFF_OK)
        add_to_directory(p, key, crc, n, offset);
    return p->e->status;
}

static void note_version(packer *p, const char *root, size_t n)
{
    const json_span all = {root, n};
    json_span said = json_member(json_member(json_member(all, "attributes"), "ome"), "version");
    if (said.n > 2 && said.n - 2 < sizeof p->version)
        snprintf(p->version, sizeof p->version, "%.*s", (int)said.n - 2, said.text + 1);
}

static int32_t add_file(packer *p, const char *key)
{
    char path[longest_path], cause[256] = "";
    uint8_t *bytes = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", p->folder, key);
    if (p->calls->read_file(path, 0, 0, &bytes, &n, cause) != 0)
        error_set(p->e, NGFF_E_STORAGE, "cannot read %s again, to pack it: %s", path, cause);
    else
        add_entry(p, key, bytes, n);
    if (bytes && strcmp(key, "zarr.json") == 0)
        note_version(p, (const char *)bytes, n);
    free(bytes);
    return p->e->status;
}

static int32_t add_end(packer *p)
{
    uint8_t end[end64_size + locator_size + end_size], *to = end;
    uint64_t offset = p->at, n_bytes = p->n_directory, n = p->n_keys;
    char comment[128];
    int n_comment = snprintf(comment, sizeof comment,
                             "{\"ome\":{\"version\":\"%s\",\"zipFile\":{\"centralDirectory\":{\"jsonFirst\":true}}}}",
                             p->version[0] ? p->version : "0.5");
    if (append(p, p->directory, p->n_directory) != NGFF_OK)
        return p->e->status;
    to = little_put(to, 0x06064b50, 4);
    to = little_put(to, end64_size - 12, 8);
    to = little_put(to, made_by | version, 2);
    to = little_put(to, version, 2);
    to = little_put(to, 0, 8); /* disks */
    to = little_put(to, n, 8);
    to = little_put(to, n, 8);
    to = little_put(to, n_bytes, 8);
    to = little_put(to, offset, 8);
    to = little_put(to, 0x07064b50, 4);
    to = little_put(to, 0, 4);
    to = little_put(to, offset + n_bytes, 8);
    to = little_put(to, 1, 4);
    to = little_put(to, 0x06054b50, 4);
    to = little_put(to, 0, 4);
    to = little_put(to, n < 0xffff ? n : 0xffff, 2);
    to = little_put(to, n < 0xffff ? n : 0xffff, 2);
    to = little_put(to, or_too_large(n_bytes), 4);
    to = little_put(to, or_too_large(offset), 4);
    little_put(to, (uint64_t)n_comment, 2);
    if (append(p, end, sizeof end) == NGFF_OK && append(p, comment, (size_t)n_comment) == NGFF_OK)
        flush(p);
    return p->e->status;
}

int32_t zip_pack(const folder_calls *calls, const char *folder, const char *path, const store *owner, error *e)
{
    char cause[256] = "";
    packer p = {.calls = calls, .folder = folder, .path = path, .waiting = malloc(piece), .room = piece, .e = e};
    if (!p.waiting)
        out_of_memory(&p);
    else if (calls->write_file(path, "", 0, cause) != 0)
        error_set(e, NGFF_E_STORAGE, "cannot write %s: %s", path, cause);
    else
        walk_tree(calls, folder, add_key, &p, e);
    if (e->status == NGFF_OK && p.n_keys == 0)
        error_set(e, NGFF_E_STORAGE, "%s holds nothing, so that %s was not made", folder, path);
    if (p.n_keys > 0)
        qsort(p.keys, p.n_keys, sizeof *p.keys, by_place);
    for (size_t i = 0; i < p.n_keys && e->status == NGFF_OK; i++)
        if (!owner || store_goes_on(owner, e) == NGFF_OK)
            add_file(&p, p.keys[i]);
    if (e->status == NGFF_OK)
        add_end(&p);
    for (size_t i = 0; i < p.n_keys; i++)
        free(p.keys[i]);
    free(p.keys);
    free(p.waiting);
    free(p.directory);
    return e->status;
}
