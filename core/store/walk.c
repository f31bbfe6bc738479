/* walk.c: see walk.h. */
#include "store/walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { deepest = 64, longest_path = 4096 };

typedef struct {
    const folder_calls *calls;
    const char *root;
    int32_t (*visit)(void *user, const char *key);
    void *user;
    error *e;
} walk;

static int32_t walk_below(const walk *w, const char *key, int depth);

static int32_t walk_name(const walk *w, const char *key, int depth)
{
    char path[longest_path], cause[256] = "";
    path_state what;
    if (snprintf(path, sizeof path, "%s/%s", w->root, key) >= (int)sizeof path)
        return error_set(w->e, NGFF_E_STORAGE, "%.200s...: the path is longer than %d bytes", path, longest_path - 1);
    int failure = w->calls->look(path, &what, cause);
    if (failure)
        return error_set(w->e, NGFF_E_STORAGE, "cannot look at %s: %s", path, cause);
    if (what.kind == KIND_NONE) /* somebody has removed it since it was listed */
        return NGFF_OK;
    if (what.kind == KIND_FOLDER)
        return walk_below(w, key, depth + 1);
    int32_t status = w->visit(w->user, key);
    return status < 0 ? error_set(w->e, status, "%s: the list of objects was not finished", w->root) : NGFF_OK;
}

/* What lies below the folder "root/key". */
static int32_t walk_below(const walk *w, const char *key, int depth)
{
    char path[longest_path], below[longest_path], cause[256] = "", **names = NULL;
    snprintf(path, sizeof path, "%s%s%s", w->root, key[0] ? "/" : "", key);
    if (depth >= deepest)
        return error_set(w->e, NGFF_E_STORAGE, "%s: folders are nested more than %d deep", path, deepest);
    int failure = w->calls->list(path, &names, cause);
    if (failure && failure != ENOENT)
        error_set(w->e, NGFF_E_STORAGE, "cannot list %s: %s", path, cause);
    for (int i = 0; names && names[i] && w->e->status == NGFF_OK; i++)
        if (snprintf(below, sizeof below, "%s%s%s", key, key[0] ? "/" : "", names[i]) >= (int)sizeof below)
            error_set(w->e, NGFF_E_STORAGE, "%.200s...: the path is longer than %d bytes", below, longest_path - 1);
        else
            walk_name(w, below, depth);
    free_names(names);
    return w->e->status;
}

int32_t walk_tree(const folder_calls *calls, const char *root, int32_t (*visit)(void *user, const char *key),
                  void *user, error *e)
{
    walk w = {calls, root, visit, user, e};
    return walk_below(&w, "", 0);
}
