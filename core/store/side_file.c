/* side_file.c: see side_file.h. Where files can be renamed, the name is the last step; on object stores each file is
 * one PUT, and the last step is the second of two: the first has shown that the place takes it. */
#include "store/side_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/folder.h"
#include "store/store.h"

struct side_file {
    const side_calls *calls;
    char *path, *partial;
    char *text; /* as last written */
    int is_begun;
};

/* Whatever else is there is not ours to replace: a file of the user's, a device. */
static int32_t check_place(const side_file *f, const char *start, error *e)
{
    char cause[256] = "";
    uint8_t *bytes = NULL;
    size_t n = 0, n_start = strlen(start);
    int failure = f->calls->read_file(f->path, 0, n_start, &bytes, &n, cause);
    int is_one = !failure && n == n_start && memcmp(bytes, start, n_start) == 0;
    free(bytes);
    if (is_one || failure == ENOENT)
        return NGFF_OK;
    if (failure == EISDIR || failure == EINVAL) /* a folder, a pipe, a device */
        failure = 0;
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot read %s, to see whether it may be replaced: %s", f->path, cause);
    return error_set(e, NGFF_E_EXISTS,
                     "%s exists and is no such file as would be written there; choose another name or remove it",
                     f->path);
}

side_file *side_file_begin(const char *path, const char *start, error *e)
{
    side_file *f = calloc(1, sizeof *f);
    if (f) {
        f->calls = side_calls_for(path);
        f->path = strdup(path);
        f->partial = beside(path, ".partial");
    }
    if (!f || !f->path || !f->partial)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else if (!f->calls)
        error_set(e, NGFF_E_UNSUPPORTED, "%s: a store of the host takes no file beside an image; give a path on a disk",
                  path);
    else if (store_why_not(path))
        error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", path, store_why_not(path));
    else if (check_place(f, start, e) == NGFF_OK)
        side_file_write(f, "", 0, e);
    if (e->status == NGFF_OK)
        return f;
    side_file_free(f);
    return NULL;
}

int32_t side_file_write(side_file *f, const char *text, int is_synced, error *e)
{
    char cause[256] = "";
    free(f->text);
    f->text = strdup(text);
    if (!f->text)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    int failure = f->calls->write_file(f->partial, text, strlen(text), cause);
    f->is_begun |= !failure || f->calls->may_be_part;
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "cannot write %s: %s; is the place writable and does its folder exist?",
                         f->partial, cause);
    failure = is_synced ? f->calls->sync(f->partial) : 0;
    return failure ? error_set(e, NGFF_E_STORAGE, "%s did not reach the disk: %s", f->partial, strerror(failure))
                   : NGFF_OK;
}

int32_t side_file_publish(side_file *f, int is_synced, error *e)
{
    char cause[256] = "";
    f->is_begun = 0; /* whatever happens now, it is not removed */
    int failure = f->calls->publish(f->partial, f->path, f->text, cause);
    if (failure)
        return error_set(e, NGFF_E_STORAGE, "%s cannot be put: %s; what belongs there is in %s", f->path, cause,
                         f->partial);
    failure = is_synced ? f->calls->sync(f->path) : 0;
    return failure ? error_set(e, NGFF_E_STORAGE, "%s is there, but may be lost when the power fails: %s", f->path,
                               strerror(failure))
                   : NGFF_OK;
}

void side_file_free(side_file *f)
{
    if (!f)
        return;
    if (f->is_begun)
        f->calls->remove_file(f->partial);
    free(f->path);
    free(f->partial);
    free(f->text);
    free(f);
}
