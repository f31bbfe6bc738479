/* test_folder.c: the protocol where the file system fails or lacks the exchange of names. The calls are plain ones
 * with switches. */
#include "store/folder.h"

#include <errno.h>

#include "local_check.h"

static int lacks_exchange, dies_after_exchange, renames_left = -1, writes_left = -1;

static int try_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    if (writes_left == 0) {
        strcpy(cause, "No space left on device");
        return ENOSPC;
    }
    writes_left -= writes_left > 0;
    return local_calls.write_file(path, bytes, n, cause);
}

static int try_rename(const char *from, const char *to)
{
    if (renames_left == 0)
        return EACCES;
    renames_left -= renames_left > 0;
    return local_calls.rename_new(from, to);
}

static int try_exchange(const char *a, const char *b)
{
    char third[320];
    if (lacks_exchange)
        return ENOSYS;
    snprintf(third, sizeof third, "%s.third", a);
    int failure = rename(a, third) || rename(b, a) || rename(third, b);
    if (dies_after_exchange)
        _exit(0);
    return failure;
}

static folder_calls calls;

static store *open_with_calls(const char *path)
{
    return folder_open(path, &calls);
}

static void two_renames_replace_a_store_where_names_cannot_be_exchanged(void)
{
    error e = {0};
    lacks_exchange = 1;
    CHECK_INT(write_store(below("renamed"), "old", 0, &e), NGFF_OK);
    CHECK_INT(write_store(below("renamed"), "new", 1, &e), NGFF_OK);
    check_chunk(below("renamed"), "new");
    CHECK(!exists(below(".renamed.retired")) && !exists(below(".renamed.partial")));
    lacks_exchange = 0;
}

static void failed_rename_leaves_the_old_store(void)
{
    lacks_exchange = 1;
    for (int n = 0; n < 2; n++) {
        error e = {0};
        store *s = open_at(below("renamed"));
        CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
        CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
        renames_left = n;
        if (n == 1) { /* the second rename of the three fails, the third works again */
            char moved[300];
            snprintf(moved, sizeof moved, "%s", below(".renamed.partial"));
            CHECK_INT(local_remove_tree(moved), 0);
            renames_left = -1;
        }
        CHECK_INT(s->writing->publish(s, &e), NGFF_E_STORAGE);
        CHECK(strstr(e.message, "cannot rename"));
        renames_left = -1;
        s->writing->abandon(s);
        s->ops->free(s);
        check_chunk(below("renamed"), "new");
        CHECK(!exists(below(".renamed.retired")) && !exists(below(".renamed.partial")));
    }
    lacks_exchange = 0;
}

static void full_disk_at_the_claim_leaves_nothing(void)
{
    error e = {0};
    writes_left = 0;
    CHECK_INT(write_store(below("full"), "x", 0, &e), NGFF_E_STORAGE);
    CHECK(strstr(e.message, "No space left"));
    writes_left = -1;
    CHECK(!exists(below(".full.partial")) && !exists(below("full")));
}

/* What a program leaves that died at its publication: a claim without a living owner, its record, a whole store. */
static void leave_staged(const char *name)
{
    error e = {0};
    pid_t child = fork();
    if (child == 0) {
        store *s = open_at(below(name));
        int has_failed = s->writing->begin(s, 1, &e) != NGFF_OK || s->writing->note(s, "done\n", 5, &e) != NGFF_OK;
        has_failed |= put_text(s, "scale0/zarr.json", "{}") != NGFF_OK;
        has_failed |= put_text(s, "scale0/image/c/0/0", "new") != NGFF_OK;
        _exit(has_failed || put_text(s, "zarr.json", ngff) != NGFF_OK);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
}

static void resume_publishes_what_was_stopped_at_its_last_rename(void)
{
    error e = {0};
    char *record = NULL;
    leave_staged("last");
    store *s = open_at(below("last"));
    CHECK_INT(s->writing->resume(s, 0, &record, &e), 1);
    CHECK_TEXT(record, "done\n");
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    free(record);
    check_chunk(below("last"), "new");
    CHECK(!exists(below(".last.partial")) && !exists(below("last/.record")) && !exists(below("last/.owner")));
}

static void old_store_between_two_renames_gets_its_name_back(void)
{
    error e = {0}, refusal = {0};
    char *record = NULL;
    CHECK_INT(write_store(below("between"), "old", 0, &e), NGFF_OK);
    for (int is_resumed = 0; is_resumed < 2; is_resumed++) {
        leave_staged("between");
        CHECK_INT(rename(below("between"), below(".between.retired")), 0);
        store *s = open_at(below("between"));
        CHECK_INT(is_resumed ? s->writing->resume(s, 0, &record, &refusal) : s->writing->begin(s, 0, &refusal),
                  NGFF_E_EXISTS);
        s->ops->free(s);
        check_chunk(below("between"), "old");
        CHECK(!exists(below(".between.retired")));
    }
    store *s = open_at(below("between"));
    CHECK_INT(s->writing->resume(s, 1, &record, &e), 1);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    free(record);
    check_chunk(below("between"), "new");
    CHECK(!exists(below(".between.retired")) && !exists(below(".between.partial")));
}

/* Else pixels of the old store would be taken for those that the record names. */
static void resume_takes_nothing_over_after_an_exchange(void)
{
    error e = {0};
    char *record = NULL;
    CHECK_INT(write_store(below("swapped"), "old", 0, &e), NGFF_OK);
    leave_staged("swapped");
    dies_after_exchange = 1;
    pid_t child = fork();
    if (child == 0) {
        store *s = open_at(below("swapped"));
        s->writing->resume(s, 1, &record, &e);
        s->writing->publish(s, &e);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    dies_after_exchange = 0;
    check_chunk(below("swapped"), "new");
    check_chunk(below(".swapped.partial/store"), "old");
    store *s = open_at(below("swapped"));
    CHECK_INT(s->writing->resume(s, 1, &record, &e), 0);
    CHECK(record == NULL && !exists(below(".swapped.partial")));
    s->ops->free(s);
}

/* -- What cannot be looked at now is kept -------------------------------------------------------------------------- */

static const char *unreadable; /* part of a path */

static int try_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    *bytes = NULL;
    if (!unreadable || !strstr(path, unreadable))
        return local_calls.read_file(path, offset, n, bytes, n_read, cause);
    strcpy(cause, "Input/output error");
    return EIO;
}

static void record_that_cannot_be_read_keeps_the_work(void)
{
    error e = {0}, refusal = {0};
    char *record = NULL;
    leave_staged("unread record");
    unreadable = "/.record";
    store *s = open_at(below("unread record"));
    CHECK_INT(s->writing->resume(s, 0, &record, &refusal), NGFF_E_STORAGE);
    CHECK(strstr(refusal.message, ".record: Input/output error") && record == NULL);
    s->ops->free(s);
    unreadable = NULL;
    s = open_at(below("unread record"));
    CHECK_INT(s->writing->resume(s, 0, &record, &e), 1);
    CHECK_TEXT(record, "done\n");
    free(record);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    check_chunk(below("unread record"), "new");
}

static void root_that_cannot_be_read_is_not_replaced(void)
{
    error e = {0}, refusal = {0};
    CHECK_INT(write_store(below("unread record"), "newer", 1, &e), NGFF_OK);
    unreadable = "/zarr.json";
    CHECK_INT(write_store(below("unread record"), "newest", 1, &refusal), NGFF_E_STORAGE);
    unreadable = NULL;
    CHECK(strstr(refusal.message, "unread record/zarr.json") && strstr(refusal.message, "Input/output error"));
    check_chunk(below("unread record"), "newer");
}

static void huge_root_document_is_not_read(void)
{
    error e = {0}, refusal = {0};
    CHECK_INT(write_store(below("huge"), "old", 0, &e), NGFF_OK);
    CHECK_INT(truncate(below("huge/zarr.json"), (off_t)8 << 30), 0);
    CHECK_INT(write_store(below("huge"), "new", 1, &refusal), NGFF_E_EXISTS);
    CHECK(strstr(refusal.message, "8589934592 bytes"));
    CHECK(exists(below("huge/scale0/image/c/0/0")));
}

static int exchange_failure;
static const char *put_at_exchange; /* a file that somebody puts into the old store at the last moment */

static int refuse_exchange(const char *a, const char *b)
{
    if (put_at_exchange)
        write_text(put_at_exchange, "precious");
    put_at_exchange = NULL;
    return exchange_failure ? exchange_failure : local_calls.exchange(a, b);
}

/* The record gets its name back, so that the next run goes on. */
static void exchange_that_fails_keeps_the_new_store(void)
{
    error e = {0}, refusal = {0};
    char *record = NULL;
    calls.exchange = refuse_exchange;
    exchange_failure = EACCES;
    CHECK_INT(write_store(below("refused"), "old", 0, &e), NGFF_OK);
    leave_staged("refused");
    for (int i = 0; i < 2; i++) {
        store *s = open_at(below("refused"));
        CHECK_INT(s->writing->resume(s, 1, &record, &e), 1);
        CHECK_TEXT(record, "done\n");
        free(record);
        refusal = (error){0};
        CHECK_INT(s->writing->publish(s, i ? &e : &refusal), i ? NGFF_OK : NGFF_E_STORAGE);
        CHECK(i || strstr(refusal.message, "Permission denied"));
        s->writing->release(s);
        s->ops->free(s);
        check_chunk(below("refused"), i ? "new" : "old");
        exchange_failure = 0;
    }
    CHECK(!exists(below(".refused.partial")));
    calls.exchange = try_exchange;
}

static void check_last_moment(void)
{
    error e = {0}, refusal = {0};
    calls.exchange = refuse_exchange;
    CHECK_INT(write_store(below("theirs"), "old", 1, &e), NGFF_OK);
    put_at_exchange = below("theirs/thesis.txt");
    CHECK_INT(write_store(below("theirs"), "new", 1, &refusal), NGFF_E_EXISTS);
    CHECK(strstr(refusal.message, "thesis.txt") && strstr(refusal.message, below("theirs")));
    check_chunk(below("theirs"), "old");
    CHECK(exists(below("theirs/thesis.txt")) && !exists(below(".theirs.partial")) && !exists(below(".theirs.retired")));
    CHECK_INT(local_remove_tree(below("theirs")), 0);
    calls.exchange = try_exchange;
}

static void file_that_comes_at_the_last_moment_is_put_back(void)
{
    check_last_moment();
}

static void file_that_comes_before_the_two_renames_is_put_back(void)
{
    exchange_failure = ENOSYS;
    check_last_moment();
    exchange_failure = 0;
}

static char synced[400]; /* the names below the store to come, and what else was synced */

static int note_sync(const char *path)
{
    const char *file = strstr(path, ".partial/store/");
    size_t n = strlen(synced);
    snprintf(synced + n, sizeof synced - n, "%s ", file ? file + 15 : exists(below("synced")) ? "name" : "folder");
    return 0;
}

/* As on Windows and macOS, where no call syncs a whole file system. */
static void files_are_synced_one_by_one_before_the_store_is_visible(void)
{
    error e = {0};
    calls.sync = note_sync;
    calls.syncs_files = 1;
    store *s = open_at(below("synced"));
    s->writing->set_sync(s);
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "scale0/image/c/0/0", "pixels"), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    CHECK(strstr(synced, "scale0/image/c/0/0 ") && strstr(synced, "zarr.json "));
    CHECK_TEXT(synced + strlen("scale0/image/c/0/0 zarr.json "), "folder name ");
    calls.sync = local_calls.sync;
    calls.syncs_files = local_calls.syncs_files;
}

static int cannot_move(const char *path, const char *full)
{
    return strstr(path, "lower") && exists(full) ? EXDEV : 0;
}

static void place_that_cannot_be_renamed_is_refused_before_the_work(void)
{
    error e = {0}, refusal = {0};
    CHECK_INT(write_store(below("lower"), "old", 0, &e), NGFF_OK);
    int before = count_names(root);
    calls.can_move = cannot_move;
    store *s = open_at(below("lower"));
    CHECK_INT(s->writing->begin(s, 1, &refusal), NGFF_E_EXISTS);
    CHECK(strstr(refusal.message, "overlay"));
    s->ops->free(s);
    CHECK_INT(count_names(root), before);
    check_chunk(below("lower"), "old");
    calls.can_move = local_calls.can_move;
}

static void resume_after_spilling_goes_on(void)
{
    error e = {0};
    char *record = NULL, back[4] = "";
    leave_staged("spilled");
    make_folder(below(".spilled.partial/.scratch"));
    write_text(below(".spilled.partial/.scratch/cell"), "old");
    store *s = open_at(below("spilled"));
    CHECK_INT(s->writing->resume(s, 0, &record, &e), 1);
    free(record);
    CHECK(!exists(below(".spilled.partial/.scratch")));
    make_folder(below(".spilled.partial/.scratch")); /* and if it is there, it is used */
    CHECK_INT(s->writing->scratch_put(s, "cell", "new", 3, &e), NGFF_OK);
    CHECK_INT(s->writing->scratch_get(s, "cell", back, 3, &e), NGFF_OK);
    CHECK_TEXT(back, "new");
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    check_chunk(below("spilled"), "new");
    CHECK(!exists(below(".spilled.partial")));
}

static void name_with_a_slash_is_a_folder(void)
{
    error e = {0}, file = {0};
    CHECK_INT(write_store(below("slash.ozx/"), "pixels", 0, &e), NGFF_OK);
    CHECK(exists(below("slash.ozx/zarr.json")));
    check_chunk(below("slash.ozx/"), "pixels");
    check_chunk(below("slash.ozx"), "pixels");
    CHECK_INT(write_store(below("slash.ozx"), "x", 1, &file), NGFF_E_EXISTS);
    CHECK(strstr(file.message, "is a folder"));
}

int main(void)
{
    calls = local_calls;
    calls.write_file = try_write;
    calls.rename_new = try_rename;
    calls.exchange = try_exchange;
    calls.read_file = try_read;
    use_local_place(open_with_calls);
    RUN(two_renames_replace_a_store_where_names_cannot_be_exchanged);
    RUN(failed_rename_leaves_the_old_store);
    RUN(full_disk_at_the_claim_leaves_nothing);
    RUN_POSIX(resume_publishes_what_was_stopped_at_its_last_rename, "fork");
    RUN_POSIX(old_store_between_two_renames_gets_its_name_back, "fork");
    RUN_POSIX(resume_takes_nothing_over_after_an_exchange, "fork");
    RUN_POSIX(record_that_cannot_be_read_keeps_the_work, "fork");
    RUN_POSIX(root_that_cannot_be_read_is_not_replaced, "fork");
    RUN(huge_root_document_is_not_read);
    RUN_POSIX(exchange_that_fails_keeps_the_new_store, "names that can be exchanged");
    RUN_POSIX(file_that_comes_at_the_last_moment_is_put_back, "names that can be exchanged");
    RUN(file_that_comes_before_the_two_renames_is_put_back);
    RUN(files_are_synced_one_by_one_before_the_store_is_visible);
    RUN(place_that_cannot_be_renamed_is_refused_before_the_work);
    RUN_POSIX(resume_after_spilling_goes_on, "fork");
    RUN(name_with_a_slash_is_a_folder);
    run_local_checks();
    leave_local_place();
    CHECK_EXIT();
}
