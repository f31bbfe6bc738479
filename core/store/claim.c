/* claim.c: see claim.h. Several programs may find the same dead claim. Only the one that makes `.heir-HASH` in it, where
 * HASH is that of the dead owner's line, may take it: lines are never made twice, so a program that comes too late, and
 * makes its mark in the claim of somebody else, sees another owner there and takes its mark back. No program ever moves
 * a claim that may be alive. A dead heir has an heir in the same way. */
#include "store/claim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/text.h"

enum { longest_path = 4096, seconds_without_owner = 60, deepest = 8 };

static const char owner_name[] = ".owner", heir_name[] = ".heir-";

int claim_init(claim *c, const folder_calls *calls, const char *path)
{
    *c = (claim){.calls = calls, .path = path, .folder = beside(path, ".partial")};
    return c->folder != NULL;
}

void claim_free(claim *c)
{
    free(c->folder);
}

int claim_is_held(const claim *c)
{
    return c->process != 0 && c->process == (long)getpid();
}

int rename_surely(const folder_calls *calls, const char *from, const char *to)
{
    path_state left, made;
    char cause[256];
    int failure = calls->rename_new(from, to);
    int is_done = failure && failure != EEXIST && calls->look(from, &left, cause) == 0 && left.kind == KIND_NONE &&
                  calls->look(to, &made, cause) == 0 && made.kind != KIND_NONE;
    return is_done ? 0 : failure;
}

/* -- Owners -------------------------------------------------------------------------------------------------------- */

/* The line in a file of a folder: 1; 0 if there is none, or only a part of one; -1 if that cannot be told. */
static int read_line(const claim *c, const char *folder, const char *name, char line[owner_size])
{
    char path[longest_path], cause[256];
    uint8_t *bytes = NULL;
    size_t n = 0;
    line[0] = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int failure = c->calls->read_file(path, 0, owner_size, &bytes, &n, cause);
    int is_whole = !failure && n > 0 && n < owner_size && bytes[n - 1] == '\n';
    if (is_whole)
        snprintf(line, owner_size, "%.*s", (int)(n - 1), (const char *)bytes);
    free(bytes);
    return is_whole ? 1 : !failure || failure == ENOENT ? 0 : -1;
}

/* True if nobody alive owns the folder; line: its owner, "" if there is none. now: of the file system, 0 if unknown. */
static int is_dead(const claim *c, const char *folder, int64_t now, char line[owner_size])
{
    path_state what;
    char cause[256];
    int has_owner = read_line(c, folder, owner_name, line);
    if (has_owner != 0)
        return has_owner > 0 && owner_line_is_gone(line);
    return c->calls->look(folder, &what, cause) == 0 && what.kind == KIND_FOLDER && now > 0 &&
           now - what.changed > seconds_without_owner;
}

/* Puts a line into a file of a folder, at once: instead of the one that is there, or only where there is none. */
static int put_line(const claim *c, const char *folder, const char *name, const char *line, int is_replaced,
                    char cause[256])
{
    char path[longest_path], coming[longest_path], text[owner_size + 1], word[64];
    owner_unique(word);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(coming, sizeof coming, "%s/.line-%s", folder, word);
    int n = snprintf(text, sizeof text, "%s\n", line);
    int failure = c->calls->write_file(coming, text, (size_t)n, cause);
    if (!failure) {
        failure = is_replaced ? c->calls->rename_over(coming, path) : c->calls->rename_new(coming, path);
        if (failure)
            snprintf(cause, 256, "%s", strerror(failure));
    }
    if (failure)
        c->calls->remove_file(coming);
    return failure;
}

/* -- Heirs --------------------------------------------------------------------------------------------------------- */

static void heir_of(const char *line, char name[32])
{
    uint8_t digest[sha256_size];
    char hex[2 * sha256_size + 1];
    sha256_of(line, strlen(line), digest);
    sha256_text(digest, hex);
    snprintf(name, 32, "%s%.16s", heir_name, hex);
}

static void remove_mark(const claim *c, const char *name)
{
    char path[longest_path];
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    c->calls->remove_file(path);
}

/* True if the mark `name` in the claim says that we are the heir. own: our line. */
static int make_mark(const claim *c, const char *name, const char *own, int depth)
{
    char there[owner_size], next[32], cause[256];
    int failure = put_line(c, c->folder, name, own, 0, cause);
    if (!failure || (read_line(c, c->folder, name, there) == 1 && strcmp(there, own) == 0))
        return 1;
    if (failure != EEXIST || depth >= deepest || read_line(c, c->folder, name, there) != 1 ||
        !owner_line_is_gone(there))
        return 0;
    heir_of(there, next);
    if (!make_mark(c, next, own, depth + 1))
        return 0;
    char still[owner_size];
    int is_ours = read_line(c, c->folder, name, still) == 1 && strcmp(still, there) == 0 &&
                  put_line(c, c->folder, name, own, 1, cause) == 0;
    remove_mark(c, next);
    return is_ours;
}

/* True if this program alone may take the dead claim. */
static int inherit(const claim *c, const char *dead, const char *own)
{
    char name[32], still[owner_size];
    heir_of(dead, name);
    if (!make_mark(c, name, own, 0))
        return 0;
    int has_owner = read_line(c, c->folder, owner_name, still);
    if (has_owner >= 0 && strcmp(still, dead) == 0)
        return 1;
    remove_mark(c, name);
    return 0;
}

/* -- What is left behind --------------------------------------------------------------------------------------------- */

/* The owner's name goes last: what is left without it would belong to nobody. */
static int remove_owned(const claim *c, const char *folder)
{
    char cause[256], path[longest_path], **names = NULL;
    int first = c->calls->list(folder, &names, cause);
    for (int i = 0; names && names[i]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        int failure = strcmp(names[i], owner_name) == 0 ? 0 : c->calls->remove_tree(path);
        first = first ? first : failure;
    }
    free_names(names);
    return first == ENOENT ? 0 : first ? first : c->calls->remove_tree(folder);
}

/* Renames first: the name is free at once, with one call that needs no file handle. What is then left under a name of its
 * own is anybody's to remove. */
int claim_remove(const claim *c, const char *path, char left[4096])
{
    char suffix[80], word[64];
    path_state what;
    char cause[256];
    owner_unique(word);
    snprintf(suffix, sizeof suffix, ".gone-%s", word);
    char *gone = beside(c->path, suffix);
    int failure = gone ? rename_surely(c->calls, path, gone) : ENOMEM;
    if (failure == ENOENT && c->calls->look(path, &what, cause) == 0 && what.kind == KIND_NONE) {
        free(gone);
        return 0;
    }
    const char *at = failure ? path : gone;
    snprintf(left, 4096, "%s", at);
    failure = failure ? remove_owned(c, path) : c->calls->remove_tree(gone);
    free(gone);
    return failure;
}

/* Removes what dead programs have left under names of their own. */
static void clean(const claim *c, const char *own, int64_t now)
{
    char *new_start = beside(c->path, ".new-"), *gone_start = beside(c->path, ".gone-");
    const char *slash = new_start ? strrchr(new_start, '/') : NULL;
    size_t n_parent = slash ? (size_t)(slash + 1 - new_start) : 0;
    char *parent = new_start ? text_copy(n_parent ? new_start : "./", n_parent ? n_parent : 2) : NULL;
    char **names = NULL, cause[256], path[longest_path], line[owner_size];
    if (parent && gone_start) {
        size_t n = strlen(parent);
        while (n > 1 && parent[n - 1] == '/')
            parent[--n] = 0;
        c->calls->list(parent, &names, cause); /* what cannot be listed stays */
    }
    for (int i = 0; names && names[i]; i++) {
        int is_gone = strncmp(names[i], gone_start + n_parent, strlen(gone_start + n_parent)) == 0;
        int is_new = strncmp(names[i], new_start + n_parent, strlen(new_start + n_parent)) == 0;
        snprintf(path, sizeof path, "%.*s%s", (int)n_parent, new_start, names[i]);
        int is_left =
            is_new && strcmp(path, own) != 0 &&
            (is_dead(c, path, now, line) || (!line[0] && owner_word_is_gone(names[i] + strlen(new_start + n_parent))));
        if (is_gone || is_left)
            remove_owned(c, path);
    }
    free_names(names);
    free(parent);
    free(new_start);
    free(gone_start);
}

/* -- The claim ----------------------------------------------------------------------------------------------------- */

/* A job's line, whose process is none: it lives until somebody ends it. */
static const char job_start[] = "-1 job-";

static int32_t is_being_written(const claim *c, error *e)
{
    char line[owner_size];
    if (read_line(c, c->folder, owner_name, line) == 1 && strncmp(line, job_start, strlen(job_start)) == 0)
        return error_set(
            e, NGFF_E_EXISTS,
            "%s holds the parts (PART) of another run of %s: of another source, with other options, another "
            "number of parts or by another version; `omezarr finish` or `omezarr abandon` ends it",
            c->folder, c->path);
    return error_set(e, NGFF_E_EXISTS,
                     "%s exists: another program is writing %s, or was stopped on another machine; if none is, remove "
                     "that folder",
                     c->folder, c->path);
}

static int32_t cannot_make(const claim *c, const char *cause, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "cannot make the folder %s: %s; is the place writable and does it exist?",
                     c->folder, cause);
}

/* Makes room where a dead claim is. NGFF_E_EXISTS if it is none, or another program's by now. */
static int32_t remove_dead(const claim *c, int64_t now, error *e)
{
    char dead[owner_size], left[4096], heir[owner_size];
    owner_line(heir); /* of this program, where the claim will be a job's */
    if (!is_dead(c, c->folder, now, dead) || !inherit(c, dead, heir))
        return is_being_written(c, e);
    int failure = claim_remove(c, c->folder, left);
    if (failure && strcmp(left, c->folder) == 0)
        return error_set(e, NGFF_E_STORAGE, "%s, which a stopped program has left, cannot be removed: %s", c->folder,
                         strerror(failure));
    return NGFF_OK;
}

/* Gives the new folder, with our owner's line in it, the name of the claim. */
static int32_t rename_to_claim(claim *c, const char *made, int64_t now, error *e)
{
    char there[owner_size];
    for (int attempt = 0; attempt < 3; attempt++) {
        int failure = c->calls->rename_new(made, c->folder);
        int has_owner = read_line(c, c->folder, owner_name, there);
        if (has_owner == 1 && strcmp(there, c->owner) == 0) /* also where the answer was lost */
            return NGFF_OK;
        if (failure == 0 && has_owner >= 0)
            return is_being_written(c, e); /* a rename of another program, at the same time, has won */
        if (failure == 0) /* it cannot be read now; it is ours, and would hold the place if it were left */
            return NGFF_OK;
        if (failure != EEXIST && failure != ENOTEMPTY)
            return cannot_make(c, strerror(failure), e);
        if (remove_dead(c, now, e) != NGFF_OK)
            return e->status;
    }
    return is_being_written(c, e);
}

/* Makes the claim of c->owner. */
static int32_t make(claim *c, error *e)
{
    char suffix[80], word[64], cause[256] = "", text[owner_size + 1], path[longest_path];
    path_state what = {0};
    owner_unique(word);
    snprintf(suffix, sizeof suffix, ".new-%s", word);
    char *made = beside(c->path, suffix);
    if (!made)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    snprintf(path, sizeof path, "%s/%s", made, owner_name);
    int failure = c->calls->make_folder(made);
    if (failure)
        cannot_make(c, strerror(failure), e);
    if (!failure) {
        snprintf(text, sizeof text, "%s\n", c->owner);
        if (c->calls->write_file(path, text, strlen(text), cause) != 0)
            error_set(e, NGFF_E_STORAGE, "%s cannot be written: %s", path, cause);
    }
    if (e->status == NGFF_OK) {
        c->calls->look(path, &what, cause);
        clean(c, made, what.changed);
        rename_to_claim(c, made, what.changed, e);
    }
    if (e->status == NGFF_OK)
        c->process = (long)getpid();
    /* By its names: where memory is out no folder can be listed. It has gone, unless another program of the job has been
     * faster. */
    path_state left;
    if (e->status != NGFF_OK || (c->calls->look(made, &left, cause) == 0 && left.kind != KIND_NONE)) {
        c->calls->remove_file(path);
        if (c->calls->remove_empty(made) != 0)
            remove_owned(c, made);
    }
    free(made);
    return e->status;
}

int32_t claim_make(claim *c, error *e)
{
    owner_line(c->owner);
    return make(c, e);
}

static void job_line(const char *job, char line[owner_size])
{
    snprintf(line, owner_size, "%s%s - -", job_start, job);
}

int32_t claim_join(claim *c, const char *job, error *e)
{
    char there[owner_size];
    job_line(job, c->owner);
    if (read_line(c, c->folder, owner_name, there) != 1 || strcmp(there, c->owner) != 0)
        return make(c, e);
    c->process = (long)getpid();
    return NGFF_OK;
}

int32_t claim_find_job(claim *c, char job[64], int *is_there, error *e)
{
    char line[owner_size];
    int has_owner = read_line(c, c->folder, owner_name, line);
    *is_there = has_owner == 1 && strncmp(line, job_start, strlen(job_start)) == 0 &&
                sscanf(line + strlen(job_start), "%63s", job) == 1;
    if (has_owner < 0)
        return error_set(e, NGFF_E_STORAGE, "cannot read %s/%s", c->folder, owner_name);
    if (!*is_there)
        return NGFF_OK;
    job_line(job, c->owner);
    c->process = (long)getpid();
    return NGFF_OK;
}

int32_t claim_take_over(claim *c, int *is_taken, error *e)
{
    char dead[owner_size], mark[32], cause[256] = "";
    path_state what;
    *is_taken = 0;
    clean(c, "", (int64_t)time(NULL));
    if (c->calls->look(c->folder, &what, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot look at %s: %s", c->folder, cause);
    if (what.kind == KIND_NONE)
        return NGFF_OK;
    owner_line(c->owner);
    if (what.kind != KIND_FOLDER || !is_dead(c, c->folder, (int64_t)time(NULL), dead) || !inherit(c, dead, c->owner))
        return is_being_written(c, e);
    if (put_line(c, c->folder, owner_name, c->owner, 1, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "%s/%s cannot be written: %s", c->folder, owner_name, cause);
    heir_of(dead, mark);
    remove_mark(c, mark);
    c->process = (long)getpid();
    *is_taken = 1;
    return NGFF_OK;
}

int claim_is_dead(const claim *c)
{
    char line[owner_size];
    return is_dead(c, c->folder, (int64_t)time(NULL), line);
}

void claim_let_go(claim *c)
{
    char line[owner_size], cause[256];
    if (claim_is_held(c)) {
        owner_nobody(line);
        put_line(c, c->folder, owner_name, line, 1, cause); /* else the end of this process lets go */
    }
    c->process = 0;
}

int claim_end(claim *c, char left[4096])
{
    int failure = claim_is_held(c) ? claim_remove(c, c->folder, left) : 0;
    if (failure && strcmp(left, c->folder) == 0)
        claim_let_go(c); /* this process goes on, and would hold the place */
    c->process = 0;
    return failure;
}
