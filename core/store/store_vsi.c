/* store_vsi.c: which protocol, over which calls, a path gets where GDAL is there. File systems with random writing are
 * folders; where there is none is an object store. */
#include "vsi_common.h"
#include "zip.h"

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

static int is_object_store(const char *path)
{
    return !is_local(path) && (why_not_written(path) || !VSISupportsRandomWrite(path, FALSE));
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

static int single_remove(const char *path)
{
    char cause[256];
    return object_remove(&request_calls, path, cause);
}

const folder_calls *vsi_calls_for(const char *path)
{
    static const folder_calls file_calls = {
        .write_file = single_write, .read_file = single_read, .sync = vsi_sync, .remove_file = single_remove};
    return is_object_store(path) ? &file_calls : &vsi_calls;
}
