/* test_claim.c: the claim, over calls at which a process can be killed, which can fail, or between which another program
 * can do what it likes. */
#include "store/claim.h"

#include <errno.h>

#include "local_check.h"

static int n_calls, kill_at, kill_after; /* the number of a call, from 1 */
static int kill_at_publish;              /* the same, from there on */
static int lacks_exchange, lacks_removal, runs_out_of_handles;
static void (*meanwhile)(void); /* once, when an owner's line has been read */

static void count(void)
{
    if (++n_calls == kill_at && !kill_after)
        _exit(77);
}

static int ended(int result)
{
    if (n_calls == kill_at && kill_after)
        _exit(77);
    return result;
}

static int do_make_folder(const char *path)
{
    count();
    return ended(local_calls.make_folder(path));
}

static int do_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    count();
    if (n_calls == kill_at && kill_after) { /* half of it */
        local_calls.write_file(path, bytes, n / 2, cause);
        _exit(77);
    }
    return local_calls.write_file(path, bytes, n, cause);
}

static int do_rename_new(const char *from, const char *to)
{
    count();
    return ended(local_calls.rename_new(from, to));
}

static int do_rename_over(const char *from, const char *to)
{
    count();
    return ended(local_calls.rename_over(from, to));
}

static int do_exchange(const char *a, const char *b)
{
    count();
    return lacks_exchange ? ENOSYS : ended(local_calls.exchange(a, b));
}

/* A tree goes file by file, and a kill is possible at each. */
static int do_remove_tree(const char *path)
{
    char **names = NULL, cause[256];
    path_state what;
    count();
    if (lacks_removal)
        return EACCES;
    if (runs_out_of_handles)
        return EMFILE;
    if (local_look(path, &what, cause) != 0 || what.kind != KIND_FOLDER)
        return ended(local_remove_tree(path));
    local_list(path, &names, cause);
    for (int i = 0; names && names[i]; i++) {
        char *below_it = join(path, names[i]);
        do_remove_tree(below_it);
        free(below_it);
    }
    free_names(names);
    return ended(local_remove_tree(path));
}

static int do_remove_file(const char *path)
{
    count();
    return ended(local_calls.remove_file(path));
}

static int do_list(const char *path, char ***names, char cause[256])
{
    if (runs_out_of_handles) {
        strcpy(cause, "Too many open files");
        return EMFILE;
    }
    return local_list(path, names, cause);
}

static int is_owner_unreadable;

static int do_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    if (is_owner_unreadable && strstr(path, "/.owner")) {
        strcpy(cause, "Input/output error");
        *bytes = NULL;
        return EIO;
    }
    int failure = local_calls.read_file(path, offset, n, bytes, n_read, cause);
    if (meanwhile && strstr(path, "/.owner")) {
        void (*now)(void) = meanwhile;
        meanwhile = NULL;
        now();
    }
    return failure;
}

static folder_calls calls;

static store *open_with_calls(const char *path)
{
    return folder_open(path, &calls);
}

/* -- Kills --------------------------------------------------------------------------------------------------------- */

enum { NEW, OVERWRITE, RESUME, RESUME_OVERWRITE, UPDATE, n_scenarios };
static const char *const scenario_names[] = {"new", "overwrite", "resume", "resume and overwrite", "update"};

static void run_scenario(int scenario)
{
    error e = {0};
    char *record = NULL;
    store *s = open_at(below("killed"));
    if (scenario == UPDATE)
        s->writing->begin_update(s, &e);
    else if (scenario == RESUME || scenario == RESUME_OVERWRITE) {
        CHECK_INT(s->writing->resume(s, scenario == RESUME_OVERWRITE, &record, &e), 1);
    } else {
        s->writing->begin(s, scenario == OVERWRITE, &e);
        s->writing->note(s, "one\n", 4, &e);
    }
    s->writing->put(s, "scale0/image/zarr.json", "{}", 2, &e);
    s->writing->put(s, "scale0/zarr.json", "{}", 2, &e);
    s->writing->put(s, "scale0/image/c/0/0", "new", 3, &e);
    s->writing->put(s, "zarr.json", ngff, sizeof ngff - 1, &e);
    if (kill_at_publish) {
        n_calls = 0;
        kill_at = kill_at_publish;
    }
    s->writing->publish(s, &e);
    s->ops->free(s);
    free(record);
    CHECK_INT(e.status, NGFF_OK);
}

static void prepare(int scenario)
{
    error e = {0};
    if (scenario == OVERWRITE || scenario == RESUME_OVERWRITE || scenario == UPDATE)
        CHECK_INT(write_store(below("killed"), "old", 0, &e), NGFF_OK);
    if (scenario != RESUME && scenario != RESUME_OVERWRITE)
        return;
    pid_t child = fork();
    if (child == 0) {
        store *s = open_at(below("killed"));
        s->writing->begin(s, 1, &e);
        s->writing->note(s, "one\n", 4, &e);
        s->writing->put(s, "scale0/image/c/0/0", "new", 3, &e);
        _exit(e.status != NGFF_OK);
    }
    waitpid(child, NULL, 0);
}

/* What has no owner is left alone for a minute: which has passed. */
static void let_a_minute_pass(void)
{
    char **names = NULL, cause[256];
    local_list(root, &names, cause);
    for (int i = 0; names && names[i]; i++)
        if (names[i][0] == '.')
            make_older(below(names[i]), 70);
    free_names(names);
}

/* The next run, plain where that is possible, ends whole and leaves nothing but the store. */
static void check_next_run(int scenario, int n)
{
    error e = {0};
    int before = check_failures;
    let_a_minute_pass();
    int was_there = exists(below("killed")) || exists(below(".killed.retired"));
    CHECK_INT(write_store(below("killed"), "next", was_there, &e), NGFF_OK);
    check_chunk(below("killed"), "next");
    CHECK_INT(count_names(root), 1);
    if (check_failures != before)
        fprintf(stderr, "%s, killed %s call %d: %s\n", scenario_names[scenario], kill_after ? "after" : "before", n,
                e.message);
}

static void kill_at_any_call_leaves_nothing_that_blocks(void)
{
    for (int scenario = 0; scenario < n_scenarios; scenario++)
        for (lacks_exchange = 0; lacks_exchange < 2; lacks_exchange++)
            for (kill_after = 0; kill_after < 2; kill_after++)
                for (int n = 1, status = 77; status == 77; n++) {
                    prepare(scenario);
                    fflush(NULL);
                    pid_t child = fork();
                    if (child == 0) {
                        check_failures = n_calls = 0;
                        kill_at = n;
                        run_scenario(scenario);
                        _exit(check_failures != 0);
                    }
                    waitpid(child, &status, 0);
                    status = WEXITSTATUS(status);
                    CHECK(status == 77 || (status == 0 && n > 10));
                    check_next_run(scenario, n);
                    CHECK_INT(local_remove_tree(below("killed")), 0);
                    CHECK_INT(count_names(root), 0);
                }
    kill_after = lacks_exchange = 0;
}

/* A finished store that was killed at its publication, wherever, is never deleted by RESUME. */
static void kill_at_publication_keeps_what_is_done(void)
{
    for (lacks_exchange = 0; lacks_exchange < 2; lacks_exchange++)
        for (kill_after = 0; kill_after < 2; kill_after++)
            for (int n = 1, status = 77; status == 77; n++) {
                error e = {0};
                char *record = NULL;
                prepare(RESUME_OVERWRITE);
                pid_t child = fork();
                if (child == 0) {
                    check_failures = 0;
                    kill_at_publish = n;
                    run_scenario(RESUME_OVERWRITE);
                    _exit(check_failures != 0);
                }
                waitpid(child, &status, 0);
                status = WEXITSTATUS(status);
                let_a_minute_pass();
                store *s = open_at(below("killed"));
                int32_t is_resumed = s->writing->resume(s, 1, &record, &e);
                if (is_resumed == 1) {
                    CHECK_TEXT(record, "one\n");
                    check_object(s, "scale0/image/c/0/0", "new");
                    s->writing->abandon(s);
                } else {
                    CHECK_INT(e.status, NGFF_OK);
                    check_chunk(below("killed"), "new");
                }
                s->ops->free(s);
                free(record);
                CHECK(status == 77 || status == 0);
                CHECK_INT(write_store(below("killed"), "next", 1, &e), NGFF_OK);
                CHECK_INT(count_names(root), 1);
                local_remove_tree(below("killed"));
            }
    kill_after = lacks_exchange = 0;
}

/* -- Several programs ---------------------------------------------------------------------------------------------- */

static void leave_dead(void)
{
    pid_t child = fork();
    if (child == 0) {
        error e = {0};
        store *s = open_at(below("raced"));
        s->writing->begin(s, 0, &e);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static store *faster;

static void be_faster(void)
{
    error e = {0};
    faster = open_at(below("raced"));
    CHECK_INT(faster->writing->begin(faster, 0, &e), NGFF_OK);
}

/* Both have found the same dead owner; the slower one must not take the claim of the faster, nor move it. */
static void slower_of_two_that_find_a_dead_claim_is_refused(void)
{
    for (int is_resumed = 0; is_resumed < 2; is_resumed++) {
        error e = {0}, slow = {0};
        char *record = NULL;
        leave_dead();
        meanwhile = be_faster;
        store *s = open_at(below("raced"));
        CHECK_INT(is_resumed ? s->writing->resume(s, 0, &record, &slow) : s->writing->begin(s, 0, &slow),
                  NGFF_E_EXISTS);
        CHECK(strstr(slow.message, "another program is writing"));
        s->writing->abandon(s);
        s->ops->free(s);
        CHECK_INT(put_text(faster, "zarr.json", ngff), NGFF_OK);
        CHECK_INT(faster->writing->publish(faster, &e), NGFF_OK);
        faster->ops->free(faster);
        CHECK_INT(count_names(root), 1);
        CHECK_INT(local_remove_tree(below("raced")), 0);
    }
}

static void owner_of_another_start_or_machine(void)
{
    char machine[128], line[owner_size], start[64];
    error e = {0}, other = {0};
    owner_machine(machine);
    owner_start((long)getpid(), start);
    make_folder(below(".raced.partial"));
    snprintf(line, sizeof line, "%ld %s %s1 x\n", (long)getpid(), machine, start);
    write_text(below(".raced.partial/.owner"), line); /* this number, but a process that began later */
    CHECK_INT(write_store(below("raced"), "new", 0, &e), NGFF_OK);
    make_folder(below(".raced.partial"));
    write_text(below(".raced.partial/.owner"), "1 elsewhere 0:0 x\n");
    make_older(below(".raced.partial"), 10000);
    CHECK_INT(write_store(below("raced"), "new", 1, &other), NGFF_E_EXISTS);
    CHECK_INT(local_remove_tree(below(".raced.partial")), 0);
    CHECK_INT(local_remove_tree(below("raced")), 0);
}

/* An heir that died while it took a claim over is taken over itself. */
static void heir_that_has_died_has_an_heir(void)
{
    for (int n = 1, status = 77; status == 77; n++)
        for (kill_after = 0; kill_after < 2; kill_after++) {
            error e = {0};
            leave_dead();
            for (int i = 0; i < 3; i++) { /* one after the other, at the same call */
                pid_t child = fork();
                if (child == 0) {
                    n_calls = 0;
                    kill_at = n;
                    _exit(write_store(below("raced"), "x", 1, &e) != NGFF_OK);
                }
                waitpid(child, &status, 0);
                status = WEXITSTATUS(status);
                CHECK(status == 77 || status == 0);
            }
            let_a_minute_pass();
            CHECK_INT(write_store(below("raced"), "new", 1, &e), NGFF_OK);
            CHECK_INT(count_names(root), 1);
            CHECK_INT(local_remove_tree(below("raced")), 0);
        }
    kill_after = 0;
}

/* -- What cannot be removed ---------------------------------------------------------------------------------------- */

static void old_store_that_cannot_be_removed_blocks_nobody(void)
{
    for (lacks_exchange = 0; lacks_exchange < 2; lacks_exchange++)
        for (int k = 0; k < 2; k++) {
            error e = {0}, next = {0};
            CHECK_INT(write_store(below("kept"), "old", 0, &e), NGFF_OK);
            store *s = open_at(below("kept"));
            CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
            CHECK_INT(put_text(s, "scale0/zarr.json", "{}"), NGFF_OK);
            CHECK_INT(put_text(s, "scale0/image/c/0/0", "new"), NGFF_OK);
            CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
            lacks_removal = 1;
            CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
            CHECK(strstr(s->warning, "cannot be removed: Permission denied") && strstr(s->warning, "/.kept.gone-"));
            s->writing->abandon(s);
            s->ops->free(s);
            check_chunk(below("kept"), "new");
            CHECK(count_names(root) > 1);
            if (k) { /* also while it still cannot be removed */
                error again = {0};
                CHECK_INT(write_store(below("kept"), "again", 1, &again), NGFF_OK);
                check_chunk(below("kept"), "again");
            }
            lacks_removal = 0;
            CHECK_INT(write_store(below("kept"), "newer", 1, &next), NGFF_OK);
            check_chunk(below("kept"), "newer");
            CHECK_INT(count_names(root), 1);
            CHECK_INT(local_remove_tree(below("kept")), 0);
        }
    lacks_exchange = 0;
}

/* This process lives on: a claim that it made and did not know of would refuse all that come after. */
static void owner_that_cannot_be_read_back_blocks_nobody(void)
{
    error e = {0}, other = {0}, next = {0};
    is_owner_unreadable = 1;
    CHECK_INT(write_store(below("unread"), "pixels", 0, &e), NGFF_OK);
    store *s = open_at(below("unread"));
    CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
    CHECK_INT(write_store(below("unread"), "other", 1, &other), NGFF_E_EXISTS); /* and who cannot read it lets it be */
    s->writing->abandon(s);
    s->ops->free(s);
    is_owner_unreadable = 0;
    CHECK_INT(write_store(below("unread"), "next", 1, &next), NGFF_OK);
    CHECK_INT(count_names(root), 1);
    CHECK_INT(local_remove_tree(below("unread")), 0);
}

/* The same process goes on, so that it is no dead owner. */
static void what_is_left_when_handles_run_out_blocks_nobody(void)
{
    error e = {0};
    store *s = open_at(below("handles"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a/b", "x"), NGFF_OK);
    runs_out_of_handles = 1;
    s->writing->abandon(s);
    s->ops->free(s);
    runs_out_of_handles = 0;
    CHECK(!exists(below(".handles.partial")));
    CHECK_INT(write_store(below("handles"), "new", 0, &e), NGFF_OK);
    CHECK_INT(count_names(root), 1);
    CHECK_INT(local_remove_tree(below("handles")), 0);
}

int main(void)
{
    calls = local_calls;
    calls.make_folder = do_make_folder;
    calls.write_file = do_write;
    calls.rename_new = do_rename_new;
    calls.rename_over = do_rename_over;
    calls.exchange = do_exchange;
    calls.remove_tree = do_remove_tree;
    calls.remove_file = do_remove_file;
    calls.list = do_list;
    calls.read_file = do_read;
    use_local_place(open_with_calls);
    RUN_POSIX(kill_at_any_call_leaves_nothing_that_blocks, "fork");
    RUN_POSIX(kill_at_publication_keeps_what_is_done, "fork");
    RUN_POSIX(slower_of_two_that_find_a_dead_claim_is_refused, "fork");
    RUN(owner_of_another_start_or_machine);
    RUN_POSIX(heir_that_has_died_has_an_heir, "fork");
    RUN(old_store_that_cannot_be_removed_blocks_nobody);
    RUN(owner_that_cannot_be_read_back_blocks_nobody);
    RUN(what_is_left_when_handles_run_out_blocks_nobody);
    leave_local_place();
    CHECK_EXIT();
}
