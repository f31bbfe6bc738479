/* local.c: what the calls on this machine's disks have in common; each system's own are in local_posix.c and
 * local_windows.c. */
#include "store/local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int add_name(name_list *list, char *name)
{
    if (name && list->n + 2 > list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        char **more = realloc(list->names, room * sizeof *more);
        if (!more) {
            free(name);
            return ENOMEM;
        }
        list->names = more;
        list->room = room;
    }
    if (!name)
        return ENOMEM;
    list->names[list->n++] = name;
    list->names[list->n] = NULL;
    return 0;
}

/* A symbolic link that leads nowhere, at the name or in the place of a folder above it, is no missing file (a disk that is
 * not mounted, a file of git-annex that was not fetched). */
int local_missing(const char *path, char cause[256])
{
    char *name = strdup(path);
    int number = name ? ENOENT : ENOMEM, is_there = 0;
    snprintf(cause, 256, "%s", strerror(number));
    while (number == ENOENT && !is_there) {
        path_state what;
        char why[256];
        int failure = local_look(name, &what, why);
        is_there = !failure && what.kind != KIND_NONE;
        if (failure) {
            number = failure;
            snprintf(cause, 256, "%s", why);
        } else if (what.kind == KIND_OTHER && !local_leads_somewhere(name)) { /* a link to a folder is as good as one */
            number = EIO;
            snprintf(cause, 256, "a symbolic link on the way there leads nowhere");
        }
        char *slash = strrchr(name, '/');
        if (!slash || slash == name)
            break;
        *slash = 0;
    }
    free(name);
    return number;
}

/* Into a new buffer; the whole file for n = 0, the last n bytes for offset -1. */
int local_read_file(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    local_file file;
    uint64_t size;
    *bytes = NULL;
    int number = local_open(path, &file, &size, cause);
    if (number)
        return number;
    if (offset < 0 && n > 0)
        offset = (int64_t)(size > n ? size - n : 0);
    uint64_t rest = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    if (n == 0 || n > rest)
        n = (size_t)rest;
    *bytes = n < SIZE_MAX ? malloc(n + 1) : NULL;
    if (*bytes)
        number = local_read(file, offset, *bytes, n, n_read, cause);
    else {
        number = ENOMEM;
        snprintf(cause, 256, "%s", strerror(number));
    }
    local_close(file);
    if (!number) {
        (*bytes)[*n_read] = 0;
        return 0;
    }
    free(*bytes);
    *bytes = NULL;
    return number;
}

int local_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256])
{
    local_file file;
    uint64_t size;
    size_t n_read = 0;
    int number = local_open(path, &file, &size, cause);
    if (number)
        return number;
    *n_there = size > (uint64_t)offset ? size - (uint64_t)offset : 0;
    size_t n = *n_there < room ? (size_t)*n_there : room;
    number = local_read(file, offset, bytes, n, &n_read, cause);
    if (n_read < n)
        *n_there = n_read; /* it has become shorter since */
    local_close(file);
    return number;
}

/* By names, one open folder at a time: nftw keeps a handle per level, and it says nothing of what could not be removed.
 * What somebody else removes meanwhile is no failure. */
int local_remove_tree(const char *path)
{
    char cause[256];
    path_state what;
    char **names = NULL;
    int first = local_look(path, &what, cause);
    if (first || what.kind == KIND_NONE)
        return first;
    int failure = what.kind == KIND_FOLDER ? local_list(path, &names, cause) : local_remove_file(path);
    first = failure == ENOENT ? 0 : failure;
    if (what.kind != KIND_FOLDER)
        return first;
    for (int i = 0; names && names[i]; i++) {
        char *below = join(path, names[i]);
        failure = below ? local_remove_tree(below) : ENOMEM;
        first = first ? first : failure;
        free(below);
    }
    free_names(names);
    failure = local_remove_folder(path, !first);
    failure = failure == ENOENT ? 0 : failure;
    return first ? first : failure;
}

store *store_file_open(const char *path)
{
    return folder_open(path, &local_calls);
}
