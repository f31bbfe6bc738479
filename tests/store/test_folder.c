/* test_folder.c: the protocol where the file system fails or lacks the exchange of names. The calls are plain ones
 * with switches. */
#include "folder.h"

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

static void root_documents_are_told_apart(void)
{
    static const struct {
        const char *text;
        int is_ngff;
    } documents[] = {{ngff, 1},
                     {"{\"multiscales\": [{}]}", 1},
                     {"{\"attributes\":{\"ome\":{\"plate\":{}}}}", 1},
                     {"{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{}}", 0},
                     {"", 0},
                     {"multiscales", 0}};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++)
        CHECK_INT(looks_like_ngff((const uint8_t *)documents[i].text, strlen(documents[i].text)), documents[i].is_ngff);
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
        renames_left = n;
        store *s = open_at(below("renamed"));
        CHECK_INT(s->ops->begin(s, 1, &e), NGFF_OK);
        CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
        if (n == 1) { /* the second rename of the three fails, the third works again */
            char moved[300];
            snprintf(moved, sizeof moved, "%s", below(".renamed.partial"));
            CHECK_INT(local_remove_tree(moved), 0);
            renames_left = -1;
        }
        CHECK_INT(s->ops->publish(s, &e), NGFF_E_STORAGE);
        CHECK(strstr(e.message, "cannot rename"));
        renames_left = -1;
        s->ops->abandon(s);
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
        int has_failed = s->ops->begin(s, 1, &e) != NGFF_OK || s->ops->note(s, "done\n", 5, &e) != NGFF_OK;
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
    CHECK_INT(s->ops->resume(s, 0, &record, &e), 1);
    CHECK_TEXT(record, "done\n");
    CHECK_INT(s->ops->publish(s, &e), NGFF_OK);
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
        CHECK_INT(is_resumed ? s->ops->resume(s, 0, &record, &refusal) : s->ops->begin(s, 0, &refusal), NGFF_E_EXISTS);
        s->ops->free(s);
        check_chunk(below("between"), "old");
        CHECK(!exists(below(".between.retired")));
    }
    store *s = open_at(below("between"));
    CHECK_INT(s->ops->resume(s, 1, &record, &e), 1);
    CHECK_INT(s->ops->publish(s, &e), NGFF_OK);
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
        s->ops->resume(s, 1, &record, &e);
        s->ops->publish(s, &e);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    dies_after_exchange = 0;
    check_chunk(below("swapped"), "new");
    check_chunk(below(".swapped.partial/store"), "old");
    store *s = open_at(below("swapped"));
    CHECK_INT(s->ops->resume(s, 1, &record, &e), 0);
    CHECK(record == NULL && !exists(below(".swapped.partial")));
    s->ops->free(s);
}

int main(void)
{
    calls = local_calls;
    calls.write_file = try_write;
    calls.rename_new = try_rename;
    calls.exchange = try_exchange;
    use_local_place(open_with_calls);
    RUN(root_documents_are_told_apart);
    RUN(two_renames_replace_a_store_where_names_cannot_be_exchanged);
    RUN(failed_rename_leaves_the_old_store);
    RUN(full_disk_at_the_claim_leaves_nothing);
    RUN(resume_publishes_what_was_stopped_at_its_last_rename);
    RUN(old_store_between_two_renames_gets_its_name_back);
    RUN(resume_takes_nothing_over_after_an_exchange);
    run_local_checks();
    leave_local_place();
    CHECK_EXIT();
}
