/* destination.c: see destination.h. */
#include "store/destination.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ngff_root.h"
#include "store/walk.h"
#include "store/zip.h"

enum { most_root = 16 << 20 }; /* bytes of a document that is looked at; as MAX_METADATA of readers */

static int32_t has_file(const folder_calls *calls, const char *folder_path, const char *name, int *has_it, error *e)
{
    int kind = KIND_NONE;
    char *path = join(folder_path, name);
    int32_t status = path ? find_kind(calls, path, &kind, e) : error_set(e, NGFF_E_MEMORY, "out of memory");
    free(path);
    *has_it = kind == KIND_FILE;
    return status;
}

/* Reads one of the root's documents and looks what it is. */
static int32_t is_ngff_document(const folder_calls *calls, const char *path, const char *name, int *is_ngff, error *e)
{
    char cause[256] = "";
    uint8_t *bytes = NULL;
    size_t n = 0;
    uint64_t size = 0;
    char *document = join(path, name);
    *is_ngff = 0;
    int failure = document ? calls->measure(document, &size, cause) : ENOMEM;
    if (!failure && size > most_root)
        error_set(e, NGFF_E_EXISTS, "%s has %llu bytes, too many to look at what it is; remove the old store first",
                  document, (unsigned long long)size);
    else if (!failure)
        failure = calls->read_file(document, 0, most_root, &bytes, &n, cause);
    if (failure && failure != ENOENT)
        error_set(e, NGFF_E_STORAGE, "cannot read %s/%s, to see what it is: %s", path, name, cause);
    if (bytes)
        *is_ngff = looks_like_ngff(bytes, n);
    free(bytes);
    free(document);
    return e->status;
}

static int32_t is_ngff_root(const folder_calls *calls, const char *path, int *is_ngff, error *e)
{
    if (is_ngff_document(calls, path, "zarr.json", is_ngff, e) == NGFF_OK && !*is_ngff)
        is_ngff_document(calls, path, ".zattrs", is_ngff, e);
    return e->status;
}

/* True for the folder of a level to come: empty, in a store whose change has not ended. */
static int32_t is_begun(const folder_calls *calls, const char *store_path, const char *path, int *is_ours, error *e)
{
    char **names = NULL, cause[256] = "";
    int kind = KIND_NONE, is_dirty;
    if (has_file(calls, store_path, STORE_DIRTY_KEY, &is_dirty, e) != NGFF_OK || !is_dirty ||
        find_kind(calls, path, &kind, e) != NGFF_OK || kind != KIND_FOLDER)
        return e->status;
    if (calls->list(path, &names, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "%s cannot be listed: %s; is it part of the OME-Zarr %s?", path, cause,
                         store_path);
    *is_ours = names[0] == NULL;
    free_names(names);
    return NGFF_OK;
}

/* True for what a Zarr group holds: its documents and folders that are nodes themselves. */
static int32_t belongs_to_store(const folder_calls *calls, const char *store_path, const char *name, int *belongs,
                                error *e)
{
    static const char *const documents[] = {"zarr.json", ".zgroup", ".zarray", "METADATA.ome.xml"};
    *belongs = is_zarr_document(name) || strcmp(name, STORE_DIRTY_KEY) == 0;
    char *path = join(store_path, name);
    if (!path)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    for (size_t i = 0; i < sizeof documents / sizeof documents[0] && !*belongs && e->status == NGFF_OK; i++)
        has_file(calls, path, documents[i], belongs, e);
    if (path && !*belongs && e->status == NGFF_OK)
        is_begun(calls, store_path, path, belongs, e);
    free(path);
    return e->status;
}

static int32_t refuse(const char *path, const char *name, error *e)
{
    return error_set(e, NGFF_E_EXISTS,
                     "%s holds '%s', which is no part of an OME-Zarr; move it away before overwriting", path, name);
}

typedef struct {
    const char *path;
    error *e;
} place;

static int32_t check_file_inside(void *user, const char *key)
{
    const place *p = user;
    return !strchr(key, '/') || is_key_of_store(key) ? NGFF_OK : refuse(p->path, key, p->e);
}

/* Refuses a store that holds what is of others: at its top by names, below by every file. */
static int32_t check_content(const folder_calls *calls, const char *path, char **names, error *e)
{
    place p = {path, e};
    for (int i = 0, belongs; names[i] && e->status == NGFF_OK; i++)
        if (belongs_to_store(calls, path, names[i], &belongs, e) == NGFF_OK && !belongs)
            refuse(path, names[i], e);
    return e->status == NGFF_OK ? walk_tree(calls, path, check_file_inside, &p, e) : e->status;
}

static int32_t check_file(const folder_calls *calls, const char *path, int kind, error *e)
{
    int is_ngff = 0;
    if (kind == KIND_FOLDER)
        return error_set(e, NGFF_E_EXISTS, "%s exists and is a folder; choose another name", path);
    if (kind == KIND_FILE && zip_is_ngff(calls, path, &is_ngff, e) != NGFF_OK)
        return e->status;
    return is_ngff
               ? NGFF_OK
               : error_set(
                     e, NGFF_E_EXISTS,
                     "%s exists and is no zip that says it is an OME-Zarr; it is left untouched, choose another name",
                     path);
}

/* A folder that cannot be listed may hold anything. */
static int32_t check_folder(const folder_calls *calls, const char *path, int overwrite, destination *found, error *e)
{
    int is_ngff;
    char **names = NULL, cause[256] = "";
    int failure = calls->list(path, &names, cause);
    if (!failure && !names[0])
        *found = DESTINATION_EMPTY;
    else if (is_ngff_root(calls, path, &is_ngff, e) == NGFF_OK && !is_ngff)
        error_set(e, NGFF_E_EXISTS, "%s exists and is not an OME-Zarr; it is left untouched, choose another name",
                  path);
    else if (e->status == NGFF_OK && !overwrite)
        error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", path);
    else if (failure)
        error_set(e, NGFF_E_STORAGE,
                  "%s cannot be listed: %s; it may hold more than an OME-Zarr, so it is not overwritten", path, cause);
    else if (e->status == NGFF_OK)
        check_content(calls, path, names, e);
    free_names(names);
    return e->status;
}

int32_t destination_check(const folder_calls *calls, const char *path, int is_file, int overwrite, destination *found,
                          error *e)
{
    int kind;
    *found = DESTINATION_FREE;
    if (find_kind(calls, path, &kind, e) != NGFF_OK || kind == KIND_NONE)
        return e->status;
    *found = DESTINATION_STORE;
    if (is_file)
        return check_file(calls, path, kind, e) != NGFF_OK || overwrite
                   ? e->status
                   : error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", path);
    if (kind != KIND_FOLDER)
        return error_set(e, NGFF_E_EXISTS, "%s exists and is a file or a link; choose another name or remove it", path);
    return check_folder(calls, path, overwrite, found, e);
}

int32_t destination_is_ours(const folder_calls *calls, const char *path, int is_file, error *e)
{
    char **names = NULL, cause[256] = "";
    if (is_file)
        return check_file(calls, path, KIND_FILE, e);
    if (calls->list(path, &names, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot list %s: %s", path, cause);
    check_content(calls, path, names, e);
    free_names(names);
    return e->status;
}

int32_t destination_can_be_replaced(const folder_calls *calls, const char *path, const char *full, destination found,
                                    error *e)
{
    int failure = found != DESTINATION_FREE && calls->can_move ? calls->can_move(path, full) : 0;
    if (failure == EBUSY)
        return error_set(e, NGFF_E_EXISTS,
                         "%s is the root of a mount, which cannot be renamed; name a folder inside it", path);
    if (failure)
        return error_set(
            e, NGFF_E_EXISTS,
            "%s cannot be renamed: %s (it lies in a lower layer of an overlay, as of a container's image); "
            "write to another name, or remove it first",
            path, strerror(failure));
    return NGFF_OK;
}
