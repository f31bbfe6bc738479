/* store_vsi.c: which protocol, over which calls, a path of GDAL's gets. File systems with random writing are
 * folders; where there is none is an object store. */
#include "store/vsi_common.h"
#include "store/zip.h"

#include <cpl_vsi.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- The choice ---------------------------------------------------------------------------------------------------- */

/* What GDAL opens for writing, or claims to, and is no place for a store: there an object cannot be replaced or
 * removed, so that the first try would leave a claim for ever. NULL for all other places. */
static const char *why_not_written(const char *path)
{
    static const char archive[] = "archives are only read; write to a folder and pack that";
    static const char stream[] = "a store has many objects; write to a folder or an object store";
    static const struct {
        const char *prefix, *why;
    } places[] = {
        {"/vsizip", archive},
        {"/vsitar", archive},
        {"/vsi7z", archive},
        {"/vsirar", archive},
        {"/vsigzip", archive},
        {"/vsistdin", stream},
        {"/vsistdout", stream},
        {"/vsisubfile", stream},
        {"/vsisparse", stream},
        {"/vsicached", stream},
        {"/vsicurl", "web servers are only read; write to a folder or an object store"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t n = strlen(places[i].prefix);
        if (strncmp(path, places[i].prefix, n) == 0 && (!path[n] || strchr("/?_", path[n])))
            return places[i].why;
    }
    return NULL;
}

int is_object_store(const char *path)
{
    return why_not_written(path) || !VSISupportsRandomWrite(path, FALSE);
}

store *store_vsi_open(const char *path)
{
    if (!is_object_store(path))
        return folder_open(path, &vsi_calls);
    if (zip_is_name(path)) {
        store *file = folder_open(path, &vsi_calls);
        const char *why = why_not_written(path);
        if (file)
            file->refusal = why ? why : "one file (.ozx) is made on a disk or in /vsimem/; write it there and copy it";
        return file;
    }
    store *s = object_store_open(path, &request_calls);
    if (s)
        s->refusal = why_not_written(path);
    return s;
}

/* -- Single files -------------------------------------------------------------------------------------------------- */

static int single_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    const char *why = why_not_written(path);
    if (!why)
        return object_write(&request_calls, path, bytes, n, 0, cause);
    snprintf(cause, 256, "%s", why);
    return ENOTSUP;
}

static int single_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    uint64_t size;
    if (why_not_written(path))
        return ENOENT; /* writing tells */
    request_calls.forget_list(path);
    return object_read(&request_calls, path, offset, n, bytes, n_read, &size, cause);
}

static int single_publish(const char *partial, const char *path, const char *text, char cause[256])
{
    char ignored[256];
    int failure = single_write(path, text, strlen(text), cause);
    if (!failure)
        object_remove(&request_calls, partial, ignored);
    return failure;
}

/* What an object store has accepted is safe. */
static int single_sync(const char *path)
{
    (void)path;
    return 0;
}

static int single_remove(const char *path)
{
    char cause[256];
    return object_remove(&request_calls, path, cause);
}

const side_calls *vsi_side_calls_for(const char *path)
{
    static const side_calls object_calls_of_one = {
        .read_file = single_read,
        .write_file = single_write,
        .publish = single_publish,
        .sync = single_sync,
        .remove_file = single_remove,
    };
    return is_object_store(path) ? &object_calls_of_one : &vsi_file_side_calls;
}
