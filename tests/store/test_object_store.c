/* test_object_store.c: the protocol of object stores, over a server in memory that can be told to fail, to lose an
 * answer and to hide what it has. */
#include "store/object_store.h"

#include <errno.h>

#include "store/owner.h"
#include "store_check.h"

enum { most_objects = 40 };

static struct {
    char path[200], bytes[300];
    size_t n;
} objects[most_objects];
static int n_objects;

static char said[8000];                                      /* the requests: "put zarr.json new;" */
static int failure, n_good, n_failing;                       /* n_failing requests fail after n_good that do not */
static int loses_answers;                                    /* what fails is done nevertheless */
static enum { HIDES_NOTHING, HIDES_CLAIM, HIDES_ALL } hides; /* in lists */

static int find(const char *path)
{
    int i = 0;
    while (i < n_objects && strcmp(objects[i].path, path) != 0)
        i++;
    return i;
}

static void store_object(const char *path, const void *bytes, size_t n)
{
    int i = find(path);
    CHECK(i < most_objects && n < sizeof objects[0].bytes);
    n_objects += i == n_objects;
    snprintf(objects[i].path, sizeof objects[i].path, "%s", path);
    memcpy(objects[i].bytes, bytes, n);
    objects[i].n = n;
}

static void remove_object(const char *path)
{
    int i = find(path);
    if (i < n_objects)
        objects[i] = objects[--n_objects];
}

static int answer_of(const char *verb, const char *path, const char *condition, char cause[256])
{
    const char *key = strncmp(path, root, strlen(root)) == 0 ? strchr(path + strlen(root) + 1, '/') : NULL;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s %s%s;", verb, key ? key + 1 : "", condition);
    if (n_failing == 0 || n_good-- > 0)
        return 0;
    n_good = 0;
    n_failing--;
    snprintf(cause, 256, "SlowDown");
    return failure;
}

static int server_write(const char *path, const void *bytes, size_t n, int must_be_new, char cause[256])
{
    int answer = answer_of("put", path, must_be_new ? " new" : "", cause);
    if (answer && !loses_answers)
        return answer;
    if (must_be_new && find(path) < n_objects)
        return EEXIST;
    store_object(path, bytes, n);
    return answer;
}

static int server_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, uint64_t *size,
                       char cause[256])
{
    int answer = answer_of("get", path, "", cause), i = find(path);
    CHECK(offset == 0 && n == 0);
    if (answer || i == n_objects)
        return answer ? answer : ENOENT;
    *size = objects[i].n;
    if (bytes) {
        *bytes = calloc(1, objects[i].n + 1);
        memcpy(*bytes, objects[i].bytes, objects[i].n);
        *n_read = objects[i].n;
    }
    return 0;
}

static int server_remove(const char *path, char cause[256])
{
    int answer = answer_of("delete", path, "", cause);
    if (!answer || loses_answers)
        remove_object(path);
    return answer;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of keys, as servers list. */
static int server_list(const char *path, int is_recursive, char ***listed, char cause[256])
{
    char **names = calloc(most_objects + 1, sizeof *names);
    size_t n = strlen(path), n_names = 0;
    int is_told = answer_of("list", path, "", cause) == 0 && hides != HIDES_ALL;
    for (int i = 0; i < n_objects && is_told; i++)
        if (strncmp(objects[i].path, path, n) == 0 && objects[i].path[n] == '/' &&
            !(hides == HIDES_CLAIM && strstr(objects[i].path, "claim"))) {
            names[n_names] = strdup(objects[i].path + n + 1);
            if (!is_recursive)
                names[n_names][strcspn(names[n_names], "/")] = 0;
            n_names++;
        }
    qsort(names, n_names, sizeof *names, compare_names);
    *listed = names;
    return 0;
}

static void server_forget(const char *path)
{
    (void)path;
}

static double server_retry_delay(const char *path)
{
    (void)path;
    return 0;
}

static const object_calls calls = {.write = server_write,
                                   .read = server_read,
                                   .remove = server_remove,
                                   .list = server_list,
                                   .forget = server_forget,
                                   .forget_list = server_forget,
                                   .retry_delay = server_retry_delay};

static store *open_on_server(const char *path)
{
    return object_store_open(path, &calls);
}

static int has_object(const char *name)
{
    return find(below(name)) < n_objects;
}

static void empty_server(void)
{
    n_objects = 0;
    said[0] = 0;
}

/* The place in what was said of a request, which must be there. */
static const char *said_at(const char *request)
{
    const char *at = strstr(said, request);
    if (!at)
        fprintf(stderr, "no \"%s\" in \"%s\"\n", request, said);
    CHECK(at != NULL);
    return at ? at : said;
}

static void root_document_is_put_last_between_the_claim_and_its_end(void)
{
    error e = {0};
    empty_server();
    CHECK_INT(write_store(below("a"), "pixels", 0, &e), NGFF_OK);
    CHECK(said_at("put .omezarr-claim new;") < said_at("put scale0/image/zarr.json;"));
    CHECK(said_at("put scale0/image/c/0/0;") < said_at("put zarr.json new;"));
    CHECK(said_at("put zarr.json new;") < said_at("delete .omezarr-claim;"));
    CHECK_INT(n_objects, 4);
    check_chunk(below("a"), "pixels");
}

static void overwriting_removes_the_old_root_first(void)
{
    error refused = {0}, e = {0};
    empty_server();
    CHECK_INT(write_store(below("a"), "old", 0, &e), NGFF_OK);
    CHECK_INT(write_store(below("a"), "new", 0, &refused), NGFF_E_EXISTS);
    CHECK(strstr(refused.message, "OVERWRITE=YES"));
    check_chunk(below("a"), "old");
    said[0] = 0;
    CHECK_INT(write_store(below("a"), "new", 1, &e), NGFF_OK);
    CHECK(said_at("delete zarr.json;") < said_at("delete scale0/image/c/0/0;"));
    CHECK(said_at("delete scale0/image/c/0/0;") < said_at("put scale0/image/c/0/0;"));
    check_chunk(below("a"), "new");
    CHECK_INT(n_objects, 4);
}

static void what_is_no_image_is_refused_even_with_overwrite(void)
{
    error e = {0};
    empty_server();
    store_object(below("a/thesis.txt"), "precious", 8);
    CHECK_INT(write_store(below("a"), "x", 1, &e), NGFF_E_EXISTS);
    CHECK(strstr(e.message, "no OME-Zarr"));
    CHECK(has_object("a/thesis.txt"));
    CHECK_INT(n_objects, 1); /* and no claim */
}

static void objects_of_others_in_a_store_are_not_overwritten(void)
{
    static const char *const foreign[] = {"notes.txt",         "mine/thesis.doc",
                                          "scale0.bak",        "scale0-old/image/zarr.json",
                                          "scale0/thesis.doc", "scale0/image/c/0/thesis.doc"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        error e = {0}, refused = {0};
        char path[100];
        empty_server();
        CHECK_INT(write_store(below("a"), "old", 0, &e), NGFF_OK);
        snprintf(path, sizeof path, "a/%s", foreign[i]);
        store_object(below(path), "precious", 8);
        CHECK_INT(write_store(below("a"), "new", 1, &refused), NGFF_E_EXISTS);
        const int is_inside = strncmp(foreign[i], "scale0/", 7) == 0;
        snprintf(path, sizeof path, "'%.*s'", (int)(is_inside ? strlen(foreign[i]) : strcspn(foreign[i], "/")),
                 foreign[i]);
        CHECK(strstr(refused.message, path));
        check_chunk(below("a"), "old");
        CHECK_INT(n_objects, 5); /* and no claim */
    }
}

static void claim_keeps_a_second_writer_out(void)
{
    error e = {0}, refused = {0};
    empty_server();
    store *first = open_on_server(below("a")), *second = open_on_server(below("a"));
    CHECK_INT(first->writing->begin(first, 0, &e), NGFF_OK);
    CHECK_INT(second->writing->begin(second, 1, &refused), NGFF_E_EXISTS);
    CHECK(strstr(refused.message, ".omezarr-claim") && strstr(refused.message, "another program is writing"));
    second->writing->abandon(second);
    second->ops->free(second);
    CHECK(has_object("a/.omezarr-claim"));
    CHECK_INT(put_text(first, "scale0/image/c/0/0", "x"), NGFF_OK);
    first->writing->abandon(first);
    first->ops->free(first);
    CHECK_INT(n_objects, 0);
}

static void root_document_of_another_is_not_replaced(void)
{
    error e = {0};
    empty_server();
    store *s = open_on_server(below("a"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK(!has_object("a/zarr.json"));
    store_object(below("a/zarr.json"), "theirs", 6);
    CHECK_INT(s->writing->publish(s, &e), NGFF_E_EXISTS);
    CHECK(strstr(e.message, "put by somebody else"));
    check_object(s, "zarr.json", "theirs");
    s->ops->free(s);
}

static void request_is_made_again_until_the_server_says_why_not(void)
{
    static const struct {
        int failure, n_failing, n_requests, expected;
    } cases[] = {{EAGAIN, 4, 5, 0}, {EAGAIN, 5, 5, EIO}, {EACCES, 1, 1, EACCES}, {EEXIST, 1, 1, EEXIST}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char cause[256] = "";
        int n_requests = 0;
        empty_server();
        failure = cases[i].failure;
        n_failing = cases[i].n_failing;
        CHECK_INT(object_write(&calls, below("a/b"), "x", 1, 0, cause), cases[i].expected);
        CHECK_INT(strstr(cause, "tried several times") != NULL, cases[i].expected == EIO);
        CHECK(cases[i].expected == 0 || strncmp(cause, "SlowDown", 8) == 0);
        for (const char *at = said; (at = strstr(at, "put ")); at++)
            n_requests++;
        CHECK_INT(n_requests, cases[i].n_requests);
        n_failing = 0;
    }
}

/* A refusal is no "not there"; who asks for what need not be there can tell it from credentials that are no good. */
static void what_the_server_refuses_is_an_error_with_a_mark(void)
{
    static const struct {
        int failure;
        int32_t status;
        int is_refusal;
    } cases[] = {{ENOENT, NGFF_E_NOT_FOUND, 0}, {EPERM, NGFF_E_STORAGE, 1}, {EACCES, NGFF_E_STORAGE, 0}};
    static const char *const keys[] = {"zarr.json", "0/.zarray", "c/0/0", STORE_DIRTY_KEY};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t k = 0; k < 2 * sizeof keys / sizeof keys[0]; k++) {
            error e = {0};
            uint8_t *bytes = NULL;
            size_t n = 0;
            uint64_t size = 0;
            int is_there = 1;
            empty_server();
            failure = cases[i].failure;
            n_failing = 1;
            store *s = open_on_server(below("a"));
            int32_t status = k % 2 ? store_find_size(s, keys[k / 2], &size, &is_there, &e)
                                   : store_find(s, keys[k / 2], 0, 0, &bytes, &n, &is_there, &e);
            CHECK_INT(status, cases[i].status == NGFF_E_NOT_FOUND ? NGFF_OK : cases[i].status);
            CHECK_INT(is_there, 0);
            CHECK_INT(e.status, status);
            CHECK_INT(e.is_refusal, cases[i].is_refusal);
            s->ops->free(s);
        }
    n_failing = 0;
}

/* Each request of a run in turn: it is made again, and finds what it has done itself. */
static void failed_request_and_lost_answer_do_no_harm(void)
{
    failure = EAGAIN;
    for (loses_answers = 0; loses_answers < 2; loses_answers++)
        for (int k = 0, is_reached = 1; is_reached; k++) {
            error e = {0};
            empty_server();
            n_good = k;
            n_failing = 1;
            CHECK_INT(write_store(below("a"), "pixels", 0, &e), NGFF_OK);
            is_reached = n_failing == 0;
            n_failing = n_good = 0;
            CHECK_INT(n_objects, 4);
            check_chunk(below("a"), "pixels");
        }
    loses_answers = 0;
}

static void list_that_does_not_show_the_claim_is_not_believed(void)
{
    for (int i = HIDES_CLAIM; i <= HIDES_ALL; i++) {
        error e = {0}, hidden = {0};
        empty_server();
        CHECK_INT(write_store(below("a"), "old", 0, &e), NGFF_OK);
        hides = i;
        CHECK_INT(write_store(below("a"), "new", 1, &hidden), NGFF_E_STORAGE);
        hides = HIDES_NOTHING;
        CHECK(strstr(hidden.message, "cannot be listed"));
        check_chunk(below("a"), "old");
        CHECK_INT(n_objects, 4);
    }
}

static void record_is_found_again_and_removed_in_the_end(void)
{
    error e = {0};
    char *record = NULL;
    empty_server();
    store *s = open_on_server(below("a"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(s->writing->note(s, "one\n", 4, &e), NGFF_OK);
    CHECK_INT(put_text(s, "scale0/image/c/0/0", "pixels"), NGFF_OK);
    CHECK_INT(s->writing->note(s, "two\n", 4, &e), NGFF_OK);
    s->writing->release(s);
    s->ops->free(s);

    s = open_on_server(below("a"));
    CHECK_INT(s->writing->resume(s, 0, &record, &e), 1);
    CHECK_TEXT(record, "one\ntwo\n");
    free(record);
    CHECK_INT(s->writing->note(s, "three\n", 6, &e), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    check_chunk(below("a"), "pixels");
    CHECK_INT(n_objects, 2);
}

static void change_leaves_its_mark_first_and_takes_it_last(void)
{
    error e = {0};
    empty_server();
    CHECK_INT(write_store(below("a"), "old", 0, &e), NGFF_OK);
    said[0] = 0;
    store *s = open_on_server(below("a"));
    CHECK_INT(s->writing->begin_update(s, &e), NGFF_OK);
    CHECK(!has_object("a/" STORE_DIRTY_KEY));
    CHECK_INT(put_text(s, "scale0/image/c/0/0", "new"), NGFF_OK);
    CHECK_INT(put_text(s, "scale1/image/c/0/0", "new"), NGFF_OK);
    CHECK_INT(s->writing->remove_chunks(s, "scale1/image", &e), NGFF_OK);
    CHECK(!has_object("a/scale1/image/c/0/0"));
    CHECK(said_at("put " STORE_DIRTY_KEY ";") < said_at("put scale0/image/c/0/0;"));
    CHECK(has_object("a/" STORE_DIRTY_KEY));
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    CHECK(said_at("delete " STORE_DIRTY_KEY ";") < said_at("delete .omezarr-claim;"));
    check_chunk(below("a"), "new");
    CHECK_INT(n_objects, 4);
}

/* Its parent's objects and claim stay. The server is memory, of which the child has a copy: it says what it was asked. */
static void child_of_fork_asks_for_no_removal(void)
{
    for (int is_update = 0; is_update < 2; is_update++) {
        error e = {0};
        int status;
        empty_server();
        if (is_update)
            CHECK_INT(write_store(below("a"), "old", 0, &e), NGFF_OK);
        store *s = open_on_server(below("a"));
        CHECK_INT(is_update ? s->writing->begin_update(s, &e) : s->writing->begin(s, 0, &e), NGFF_OK);
        CHECK_INT(put_text(s, "scale0/image/c/0/0", "x"), NGFF_OK);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            error own = {0};
            said[0] = 0;
            int is_right = s->writing->publish(s, &own) == NGFF_E_STATE;
            s->writing->abandon(s);
            s->ops->free(s);
            _exit(!is_right || strstr(said, "delete") || strstr(said, "put"));
        }
        waitpid(child, &status, 0);
        CHECK_INT(status, 0);
        s->writing->abandon(s);
        s->ops->free(s);
        CHECK(!has_object("a/.omezarr-claim"));
    }
}

static void claim_of_a_number_in_use_again_is_dead(void)
{
    char machine[128], start[64], token[400];
    error e = {0}, living = {0};
    owner_machine(machine);
    owner_start((long)getppid(), start);
    if (!strchr(start, ':'))
        return;
    empty_server();
    snprintf(token, sizeof token, "%ld %s %s/0x1-1 writing", (long)getppid(), machine, start);
    store_object(below("a/.omezarr-claim"), token, strlen(token));
    CHECK_INT(write_store(below("a"), "x", 0, &living), NGFF_E_EXISTS);
    snprintf(token, sizeof token, "%ld %s %s1/0x1-1 writing", (long)getppid(), machine, start);
    store_object(below("a/.omezarr-claim"), token, strlen(token));
    CHECK_INT(write_store(below("a"), "x", 0, &e), NGFF_OK);
}

/* Whose it is, is not known: it is neither taken, nor said to be another program's. */
static void claim_that_cannot_be_read_is_an_error(void)
{
    for (int k = 0; k < 2; k++) { /* when it is looked for, when it is read */
        error e = {0};
        empty_server();
        store_object(below("a/.omezarr-claim"), "0 nobody - writing", 18);
        failure = EIO;
        n_good = k;
        n_failing = 1;
        CHECK_INT(write_store(below("a"), "x", 0, &e), NGFF_E_STORAGE);
        n_failing = n_good = 0;
        CHECK(strstr(e.message, "cannot read") && strstr(e.message, "/.omezarr-claim"));
        CHECK(!strstr(e.message, "another program") && !strstr(said, "put"));
        CHECK_INT(n_objects, 1);
        CHECK_INT(write_store(below("a"), "x", 0, (error[]){{0}}), NGFF_OK);
    }
}

/* -- Jobs ---------------------------------------------------------------------------------------------------------- */

static store *join_job(const char *job, int32_t expected, const char *words)
{
    error e = {0};
    store *s = open_on_server(below("a"));
    CHECK_INT(s->writing->jobs->join(s, job, 0, &e), expected);
    CHECK(strstr(e.message, words) != NULL);
    return s;
}

static void leave(store *s)
{
    s->writing->abandon(s);
    s->ops->free(s);
}

static store *take_job(const char *job, int is_published, int32_t expected)
{
    error e = {0};
    int is_said = 9;
    char name[64] = "";
    store *s = open_on_server(below("a"));
    CHECK_INT(s->writing->jobs->find(s, name, &is_said, &e), NGFF_OK);
    CHECK_INT(is_said, 1);
    CHECK_TEXT(name, job);
    CHECK_INT(s->writing->jobs->take(s, job, &is_said, &e), expected);
    CHECK(expected != NGFF_OK || is_said == is_published);
    return s;
}

static void parts_share_the_claim_and_one_ends_it(void)
{
    error e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there = 9;
    empty_server();
    store *a = join_job("one", NGFF_OK, ""), *b = join_job("one", NGFF_OK, "");
    leave(join_job("two", NGFF_E_EXISTS, "another run"));
    CHECK_INT(write_store(below("a"), "x", 1, &e), NGFF_E_EXISTS);
    CHECK(strstr(e.message, "omezarr abandon") != NULL);
    e = (error){0};
    CHECK_INT(put_text(a, "scale0/image/zarr.json", "{}"), NGFF_OK);
    CHECK_INT(put_text(b, "scale0/image/c/0/0", "pixels"), NGFF_OK);
    CHECK_INT(b->writing->jobs->keep(b, "record.2", "found", 5, &e), NGFF_OK);
    leave(a);
    leave(b);
    CHECK(has_object("a/.omezarr-claim"));
    store *end = take_job("one", 0, NGFF_OK);
    leave(take_job("one", 0, NGFF_E_EXISTS));
    CHECK_INT(end->writing->jobs->kept(end, "record.1", NULL, NULL, &is_there, &e), NGFF_OK);
    CHECK_INT(is_there, 0);
    CHECK_INT(end->writing->jobs->kept(end, "record.2", &bytes, &n, &is_there, &e), NGFF_OK);
    CHECK(is_there && n == 5 && memcmp(bytes, "found", 5) == 0);
    free(bytes);
    CHECK_INT(put_text(end, "zarr.json", ngff), NGFF_OK);
    CHECK(!has_object("a/zarr.json"));
    CHECK_INT(end->writing->publish(end, &e), NGFF_OK);
    end->ops->free(end);
    check_chunk(below("a"), "pixels");
    CHECK_INT(n_objects, 3);
    leave(join_job("one", NGFF_E_EXISTS, "exists; remove it"));
    CHECK_INT(n_objects, 3);
}

/* Killed behind the publication: the next one has only to remove what is left. */
static void end_that_was_stopped_is_ended(void)
{
    error e = {0};
    empty_server();
    leave(join_job("one", NGFF_OK, ""));
    store_object(below("a/zarr.json"), ngff, strlen(ngff));
    store *end = take_job("one", 1, NGFF_OK);
    CHECK_INT(end->writing->jobs->abandon_all(end, &e), NGFF_OK);
    end->ops->free(end);
    CHECK(has_object("a/zarr.json"));
    CHECK_INT(n_objects, 1);
}

static void forgotten_part_says_nothing_is_made(void)
{
    error e = {0};
    empty_server();
    store *a = join_job("one", NGFF_OK, "");
    store *end = take_job("one", 0, NGFF_OK);
    CHECK_INT(end->writing->jobs->abandon_all(end, &e), NGFF_OK);
    end->ops->free(end);
    CHECK_INT(n_objects, 0);
    CHECK_INT(a->writing->jobs->keep(a, "record.1", "x", 1, &e), NGFF_E_STATE);
    leave(a);
    CHECK_INT(n_objects, 0);
}

static void parts_leave_what_is_no_image_alone(void)
{
    empty_server();
    store_object(below("a/thesis.txt"), "precious", 8);
    leave(join_job("one", NGFF_E_EXISTS, "untouched"));
    CHECK_INT(n_objects, 1);
}

int main(void)
{
    strcpy(root, "/server");
    open_at = open_on_server;
    RUN(root_document_is_put_last_between_the_claim_and_its_end);
    RUN(overwriting_removes_the_old_root_first);
    RUN(what_is_no_image_is_refused_even_with_overwrite);
    RUN(objects_of_others_in_a_store_are_not_overwritten);
    RUN(claim_keeps_a_second_writer_out);
    RUN(root_document_of_another_is_not_replaced);
    RUN(request_is_made_again_until_the_server_says_why_not);
    RUN(what_the_server_refuses_is_an_error_with_a_mark);
    RUN(failed_request_and_lost_answer_do_no_harm);
    RUN(list_that_does_not_show_the_claim_is_not_believed);
    RUN(record_is_found_again_and_removed_in_the_end);
    RUN(change_leaves_its_mark_first_and_takes_it_last);
    RUN_POSIX(child_of_fork_asks_for_no_removal, "fork");
    RUN(claim_of_a_number_in_use_again_is_dead);
    RUN(claim_that_cannot_be_read_is_an_error);
    RUN(parts_share_the_claim_and_one_ends_it);
    RUN(end_that_was_stopped_is_ended);
    RUN(forgotten_part_says_nothing_is_made);
    RUN(parts_leave_what_is_no_image_alone);
    CHECK_EXIT();
}
