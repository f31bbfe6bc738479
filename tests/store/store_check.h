/* store_check.h: what every store that is a folder must do, run on a place and a way to look at it. */
#ifndef TESTS_STORE_CHECK_H
#define TESTS_STORE_CHECK_H

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "store/store.h"

/* The place under test. */
static char root[200];
static store *(*open_at)(const char *path);
static int (*exists)(const char *path);
static void (*make_folder)(const char *path);
static void (*write_text)(const char *path, const char *text);
static int (*count_names)(const char *path); /* -1: no such folder */

static const char ngff[] = "{\"attributes\":{\"ome\":{\"multiscales\":[]}}}";

static const char *below(const char *name)
{
    static char paths[8][500];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void check_object(store *s, const char *key, const char *expected)
{
    error e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    uint64_t size = 0;
    int is_there = 0;
    CHECK_INT(store_read(s, key, 0, 0, &bytes, &n, &e), NGFF_OK);
    CHECK_INT(n, strlen(expected));
    CHECK(bytes && memcmp(bytes, expected, n) == 0);
    free(bytes);
    CHECK_INT(store_find_size(s, key, &size, &is_there, &e), NGFF_OK);
    CHECK_INT(is_there, 1);
    CHECK_INT(size, strlen(expected));
}

/* Missing, and no error; or, with words, an error that says them; in all three ways of asking. */
static void check_not_read(store *s, const char *key, const char *words)
{
    error e[4] = {{0}};
    uint8_t *bytes = NULL;
    char byte;
    size_t n;
    uint64_t size;
    int is_there[3] = {9, 9, 9};
    store_find(s, key, 0, 0, &bytes, &n, &is_there[0], &e[0]);
    store_find_into(s, key, 0, &byte, 1, &size, &is_there[1], &e[1]);
    store_find_size(s, key, &size, &is_there[2], &e[2]);
    CHECK(bytes == NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(is_there[i], 0);
        CHECK_INT(e[i].status, words ? NGFF_E_STORAGE : NGFF_OK);
        CHECK(!words || (strstr(e[i].message, words) && strstr(e[i].message, key)));
    }
    CHECK_INT(store_read(s, key, 0, 0, &bytes, &n, &e[3]), words ? NGFF_E_STORAGE : NGFF_E_NOT_FOUND);
    CHECK(strstr(e[3].message, key));
}

static int32_t put_text(store *s, const char *key, const char *text)
{
    error e = {0};
    return s->writing->put(s, key, text, strlen(text), &e);
}

/* A whole store with one chunk. */
static int32_t write_store(const char *path, const char *chunk, int overwrite, error *e)
{
    store *s = open_at(path);
    int32_t status = s->writing->begin(s, overwrite, e);
    if (status == NGFF_OK) {
        CHECK_INT(put_text(s, "scale0/image/zarr.json", "{}"), NGFF_OK);
        CHECK_INT(put_text(s, "scale0/zarr.json", "{}"), NGFF_OK);
        CHECK_INT(put_text(s, "scale0/image/c/0/0", chunk), NGFF_OK);
        CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
        status = s->writing->publish(s, e);
        if (status != NGFF_OK)
            s->writing->abandon(s);
    }
    s->ops->free(s);
    return status;
}

static void check_chunk(const char *path, const char *chunk)
{
    store *s = open_at(path);
    check_object(s, "scale0/image/c/0/0", chunk);
    check_object(s, "zarr.json", ngff);
    s->ops->free(s);
}

static void store_is_invisible_until_it_is_published(void)
{
    error e = {0};
    store *s = open_at(below("one.ome.zarr/"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a/b/c/0", "pixels"), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    check_object(s, "a/b/c/0", "pixels");
    CHECK(!exists(below("one.ome.zarr")));
    CHECK(exists(below(".one.ome.zarr.partial")));
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    CHECK(exists(below("one.ome.zarr")));
    CHECK_INT(count_names(below("one.ome.zarr")), 2); /* a and zarr.json: no owner's record, no scratch */
    CHECK_INT(count_names(root), 1);
    check_object(s, "a/b/c/0", "pixels");
    s->writing->abandon(s); /* harmless now */
    s->ops->free(s);
    CHECK(exists(below("one.ome.zarr/zarr.json")));
}

static void parts_of_an_object_are_read(void)
{
    error e = {0};
    store *s = open_at(below("one.ome.zarr"));
    uint8_t *bytes = NULL;
    size_t n = 0;
    static const struct {
        int64_t offset;
        size_t n;
        const char *expected;
    } parts[] = {{0, 0, "pixels"}, {0, 3, "pix"}, {2, 3, "xel"}, {4, 99, "ls"},
                 {6, 1, ""},       {99, 1, ""},   {-1, 2, "ls"}, {-1, 99, "pixels"}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        CHECK_INT(store_read(s, "a/b/c/0", parts[i].offset, parts[i].n, &bytes, &n, &e), NGFF_OK);
        CHECK_INT(n, strlen(parts[i].expected));
        CHECK(bytes && memcmp(bytes, parts[i].expected, n) == 0);
        free(bytes);
    }
    check_not_read(s, "a/b/c/1", NULL);
    check_not_read(s, "none/such/place", NULL);
    check_not_read(s, "zarr.json/x", NULL); /* below a file there is nothing */
    check_not_read(s, "a/b", "Is a directory");
    s->ops->free(s);
}

/* The caller's room is never passed, and the rest of the object is told. */
static void objects_are_read_into_the_callers_room(void)
{
    static const struct {
        int64_t offset;
        size_t room;
        uint64_t n_there;
        const char *expected;
    } cases[] = {{0, 9, 6, "pixels###"}, {0, 6, 6, "pixels###"}, {0, 3, 6, "pix######"},  {4, 9, 2, "ls#######"},
                 {2, 3, 4, "xel######"}, {6, 9, 0, "#########"}, {90, 9, 0, "#########"}, {1, 0, 5, "#########"}};
    error e = {0};
    store *s = open_at(below("one.ome.zarr"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[10] = "#########";
        uint64_t n_there = 99;
        int is_there = 0;
        CHECK_INT(store_find_into(s, "a/b/c/0", cases[i].offset, bytes, cases[i].room, &n_there, &is_there, &e),
                  NGFF_OK);
        CHECK_INT(is_there, 1);
        CHECK_INT(n_there, cases[i].n_there);
        CHECK_TEXT(bytes, cases[i].expected);
    }
    s->ops->free(s);
}

static void existing_store_is_replaced_only_with_overwrite(void)
{
    error e = {0}, e2 = {0};
    CHECK_INT(write_store(below("two"), "old", 0, &e), NGFF_OK);
    CHECK_INT(write_store(below("two"), "new", 0, &e), NGFF_E_EXISTS);
    CHECK(strstr(e.message, "OVERWRITE=YES") && strstr(e.message, "two"));
    check_chunk(below("two"), "old");
    CHECK_INT(write_store(below("two"), "newer", 1, &e2), NGFF_OK);
    check_chunk(below("two"), "newer");
    CHECK_INT(count_names(root), 2);
}

static void old_store_stays_whole_until_the_new_one_is_published(void)
{
    error e = {0};
    store *s = open_at(below("two"));
    CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", "{}"), NGFF_OK);
    check_chunk(below("two"), "newer");
    s->writing->abandon(s);
    s->ops->free(s);
    check_chunk(below("two"), "newer");
    CHECK_INT(count_names(root), 2);
}

static void what_is_not_ours_is_refused_even_with_overwrite(void)
{
    error file = {0}, folder = {0}, inside = {0}, plain = {0};
    write_text(below("file"), "precious");
    CHECK_INT(write_store(below("file"), "x", 1, &file), NGFF_E_EXISTS);
    make_folder(below("folder"));
    write_text(below("folder/thesis.txt"), "precious");
    CHECK_INT(write_store(below("folder"), "x", 1, &folder), NGFF_E_EXISTS);
    CHECK(strstr(folder.message, "not an OME-Zarr"));
    /* a plain Zarr group, and one of ours that holds somebody's file */
    make_folder(below("zarr"));
    write_text(below("zarr/zarr.json"), "{\"zarr_format\":3,\"node_type\":\"group\"}");
    CHECK_INT(write_store(below("zarr"), "x", 1, &plain), NGFF_E_EXISTS);
    write_text(below("two/notes.txt"), "precious");
    CHECK_INT(write_store(below("two"), "x", 1, &inside), NGFF_E_EXISTS);
    CHECK(strstr(inside.message, "notes.txt"));
    CHECK(exists(below("file")) && exists(below("folder/thesis.txt")) && exists(below("two/notes.txt")));
    check_chunk(below("two"), "newer");
    CHECK_INT(count_names(root), 5); /* and no partial folder */
}

/* It is no store of anybody's: Python's TemporaryDirectory, mkdir. */
static void empty_folder_is_taken(void)
{
    error e = {0}, late = {0};
    int before = count_names(root);
    make_folder(below("empty"));
    CHECK_INT(write_store(below("empty"), "pixels", 0, &e), NGFF_OK);
    check_chunk(below("empty"), "pixels");
    CHECK_INT(count_names(root), before + 1);
    make_folder(below("filled"));
    store *s = open_at(below("filled"));
    CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    write_text(below("filled/thesis.txt"), "precious");
    CHECK_INT(s->writing->publish(s, &late), NGFF_E_EXISTS);
    s->writing->abandon(s);
    s->ops->free(s);
    CHECK(exists(below("filled/thesis.txt")));
    CHECK_INT(count_names(root), before + 2);
}

static void destination_that_appears_meanwhile_is_left_alone(void)
{
    error e = {0};
    store *s = open_at(below("late"));
    CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    make_folder(below("late"));
    write_text(below("late/thesis.txt"), "precious");
    CHECK_INT(s->writing->publish(s, &e), NGFF_E_EXISTS);
    s->writing->abandon(s);
    s->ops->free(s);
    CHECK(exists(below("late/thesis.txt")));
    CHECK(!exists(below(".late.partial")));
}

static void second_writer_is_refused(void)
{
    error e = {0}, e2 = {0}, e3 = {0};
    store *first = open_at(below("claimed")), *second = open_at(below("claimed"));
    CHECK_INT(first->writing->begin(first, 0, &e), NGFF_OK);
    CHECK_INT(second->writing->begin(second, 1, &e2), NGFF_E_EXISTS);
    CHECK(strstr(e2.message, "another program is writing"));
    second->writing->abandon(second); /* must not remove the first one's work */
    second->ops->free(second);
    CHECK(exists(below(".claimed.partial")));
    first->writing->abandon(first);
    first->ops->free(first);
    CHECK(!exists(below(".claimed.partial")));
    CHECK_INT(write_store(below("claimed"), "x", 0, &e3), NGFF_OK);
}

static void scratch_comes_back_once_and_is_never_published(void)
{
    error e = {0}, e2 = {0};
    char read[7] = "";
    store *s = open_at(below("scratched"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(s->writing->scratch_put(s, "cell-0-1", "first!", 6, &e), NGFF_OK);
    CHECK_INT(s->writing->scratch_put(s, "cell-0-1", "second", 6, &e), NGFF_OK);
    CHECK_INT(s->writing->scratch_put(s, "cell-0-2", "other!", 6, &e), NGFF_OK);
    CHECK_INT(s->writing->scratch_get(s, "cell-0-1", read, 6, &e), NGFF_OK);
    CHECK_TEXT(read, "second");
    CHECK_INT(s->writing->scratch_get(s, "cell-0-1", read, 6, &e2), NGFF_E_STORAGE);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    CHECK_INT(count_names(below("scratched")), 1);
    s->ops->free(s);
}

/* With a long name only another name of the claim fits. */
static void longest_name_is_written_and_read(void)
{
    error e = {0};
    char name[256];
    int before = count_names(root);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK_INT(write_store(below(name), "pixels", 0, &e), NGFF_OK);
    CHECK_INT(write_store(below(name), "newer", 1, &e), NGFF_OK);
    check_chunk(below(name), "newer");
    CHECK_INT(count_names(root), before + 1);
}

/* The copy of a writer in a child of fork is not the writer. */
static void child_of_fork_removes_nothing(void)
{
    error e = {0};
    int status;
    store *s = open_at(below("inherited"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "scale0/image/c/0/0", "pixels"), NGFF_OK);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        error own = {0};
        int is_right = s->writing->publish(s, &own) == NGFF_E_STATE;
        s->writing->abandon(s);
        s->ops->free(s);
        _exit(!is_right);
    }
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    check_object(s, "scale0/image/c/0/0", "pixels");
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    check_chunk(below("inherited"), "pixels");
}

static void abandon_leaves_nothing(void)
{
    error e = {0};
    int before = count_names(root);
    store *s = open_at(below("gone"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a/b/0", "x"), NGFF_OK);
    CHECK_INT(s->writing->scratch_put(s, "cell", "x", 1, &e), NGFF_OK);
    s->writing->abandon(s);
    s->writing->abandon(s);
    s->ops->free(s);
    CHECK_INT(count_names(root), before);
}

typedef struct {
    store *store;
    int number;
} putter;

static void *put_many(void *argument)
{
    putter *p = argument;
    store_enter_thread(p->store, NULL);
    for (int i = 0; i < 60; i++) {
        char key[64];
        snprintf(key, sizeof key, "deep/%d/%d/chunk%d", i % 5, i, p->number);
        CHECK_INT(put_text(p->store, key, key), NGFF_OK);
    }
    store_leave_thread(p->store);
    return NULL;
}

static void many_threads_put_into_the_same_folders(void)
{
    error e = {0};
    pthread_t threads[4];
    putter putters[4];
    store *s = open_at(below("threads"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    for (int i = 0; i < 4; i++) {
        putters[i] = (putter){s, i};
        pthread_create(&threads[i], NULL, put_many, &putters[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_object(s, "deep/4/59/chunk3", "deep/4/59/chunk3");
    check_object(s, "deep/0/0/chunk0", "deep/0/0/chunk0");
    s->writing->abandon(s);
    s->ops->free(s);
}

/* -- Change in place ----------------------------------------------------------------------------------------------- */

static void objects_are_replaced_under_a_mark(void)
{
    error e = {0};
    CHECK_INT(write_store(below("change"), "old", 0, &e), NGFF_OK);
    int before = count_names(root);
    store *s = open_at(below("change"));
    CHECK_INT(s->writing->begin_update(s, &e), NGFF_OK);
    check_object(s, "scale0/image/c/0/0", "old");
    CHECK(!exists(below("change/.omezarr-dirty")));
    CHECK_INT(s->writing->remove(s, "scale0/image/c/7", &e), NGFF_OK); /* is not there */
    CHECK(!exists(below("change/.omezarr-dirty")));
    CHECK_INT(put_text(s, "scale0/image/c/0/0", "new and longer"), NGFF_OK);
    CHECK(exists(below("change/.omezarr-dirty")));
    check_chunk(below("change"), "new and longer");
    CHECK_INT(put_text(s, "scale0/image/c/0/0", "short"), NGFF_OK);
    CHECK_INT(put_text(s, "ovr_2x/image/c/5/0", "more"), NGFF_OK);
    CHECK_INT(put_text(s, "ovr_2x/image/zarr.json", "{}"), NGFF_OK);
    char back[5] = "";
    CHECK_INT(s->writing->scratch_put(s, "cell", "spill", 5, &e), NGFF_OK);
    CHECK(!exists(below("change/.scratch")));
    CHECK_INT(s->writing->scratch_get(s, "cell", back, 5, &e), NGFF_OK);
    CHECK(memcmp(back, "spill", 5) == 0);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    check_chunk(below("change"), "short");
    CHECK(!exists(below("change/.omezarr-dirty")));
    CHECK_INT(count_names(root), before);

    s = open_at(below("change"));
    CHECK_INT(s->writing->begin_update(s, &e), NGFF_OK);
    CHECK_INT(s->writing->remove_chunks(s, "ovr_2x/image", &e), NGFF_OK);
    CHECK(!exists(below("change/ovr_2x/image/c")) && exists(below("change/ovr_2x/image/zarr.json")));
    CHECK_INT(put_text(s, "ovr_2x/image/c/0/0", "again"), NGFF_OK);
    check_object(s, "ovr_2x/image/c/0/0", "again");
    CHECK_INT(s->writing->remove(s, "ovr_2x", &e), NGFF_OK);
    CHECK(!exists(below("change/ovr_2x")));
    CHECK_INT(s->writing->remove(s, "scale0/image/c/0/0", &e), NGFF_OK);
    CHECK(!exists(below("change/scale0/image/c/0/0")));
    s->writing->abandon(s); /* the claim goes, what was done stays, with its mark */
    s->ops->free(s);
    CHECK(exists(below("change/.omezarr-dirty")));
    CHECK_INT(count_names(root), before);

    s = open_at(below("change")); /* a store with a mark can be changed, and replaced */
    CHECK_INT(s->writing->begin_update(s, &e), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    CHECK(!exists(below("change/.omezarr-dirty")));
    s->ops->free(s);
    write_text(below("change/.omezarr-dirty"), "");
    CHECK_INT(write_store(below("change"), "replaced", 1, &e), NGFF_OK);
    CHECK(!exists(below("change/.omezarr-dirty")));
}

/* Who is stopped while a level is added leaves its folder, with nothing in it. */
static void level_that_was_begun_is_no_file_of_others(void)
{
    error e = {0};
    CHECK_INT(write_store(below("begun"), "old", 0, &e), NGFF_OK);
    make_folder(below("begun/ovr_2x"));
    CHECK_INT(write_store(below("begun"), "new", 1, &e), NGFF_E_EXISTS);
    e = (error){0};
    write_text(below("begun/.omezarr-dirty"), "");
    CHECK_INT(write_store(below("begun"), "new", 1, &e), NGFF_OK);
    CHECK(!exists(below("begun/ovr_2x")));
    check_chunk(below("begun"), "new");

    write_text(below("begun/.omezarr-dirty"), "");
    make_folder(below("begun/mine"));
    write_text(below("begun/mine/notes.txt"), "mine");
    CHECK_INT(write_store(below("begun"), "newer", 1, &e), NGFF_E_EXISTS);
    CHECK(exists(below("begun/mine/notes.txt")));
}

static void only_one_changes_a_store(void)
{
    error e = {0};
    store *one = open_at(below("change")), *two = open_at(below("change"));
    CHECK_INT(one->writing->begin_update(one, &e), NGFF_OK);
    CHECK_INT(two->writing->begin_update(two, &e), NGFF_E_EXISTS);
    two->writing->abandon(two);
    two->ops->free(two);
    CHECK_INT(put_text(one, "scale0/image/c/0/0", "one"), NGFF_OK);
    e = (error){0};
    CHECK_INT(one->writing->publish(one, &e), NGFF_OK);
    one->ops->free(one);
    check_chunk(below("change"), "one");
}

/* More folders than the first size of the set of known ones. */
static void thousands_of_folders_are_made(void)
{
    error e = {0};
    store *s = open_at(below("folders"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    for (int i = 0; i < 1500; i++) {
        char key[64];
        snprintf(key, sizeof key, "f%d/x", i);
        CHECK_INT(put_text(s, key, "x"), NGFF_OK);
    }
    check_object(s, "f1499/x", "x");
    s->writing->abandon(s);
    s->ops->free(s);
    CHECK(!exists(below(".folders.partial")));
}

static int32_t gather(void *user, const char *key)
{
    char *all = user;
    strcat(strcat(all, key), ";");
    return strcmp(key, "stop") == 0 ? NGFF_E_CANCELLED : NGFF_OK;
}

/* Before and after publishing: all objects, without the claim's record and scratch. */
static void objects_are_listed(void)
{
    error e = {0};
    char all[300] = "";
    store *s = open_at(below("listed"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a/b/c", "1"), NGFF_OK);
    CHECK_INT(s->writing->scratch_put(s, "spilled", "x", 1, &e), NGFF_OK);
    CHECK_INT(s->ops->list(s, gather, all, &e), NGFF_OK);
    CHECK_TEXT(all, "a/b/c;");
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    s = open_at(below("listed"));
    all[0] = 0;
    CHECK_INT(s->ops->list(s, gather, all, &e), NGFF_OK);
    CHECK(strlen(all) == strlen("a/b/c;zarr.json;") && strstr(all, "a/b/c;") && strstr(all, "zarr.json;"));
    s->ops->free(s);
    s = open_at(below("nothing there"));
    all[0] = 0;
    CHECK_INT(s->ops->list(s, gather, all, &e), NGFF_OK);
    CHECK_TEXT(all, "");
    s->ops->free(s);
}

static inline void run_folder_checks(void)
{
    RUN(store_is_invisible_until_it_is_published);
    RUN(parts_of_an_object_are_read);
    RUN(objects_are_read_into_the_callers_room);
    RUN(existing_store_is_replaced_only_with_overwrite);
    RUN(old_store_stays_whole_until_the_new_one_is_published);
    RUN(what_is_not_ours_is_refused_even_with_overwrite);
    RUN(empty_folder_is_taken);
    RUN(destination_that_appears_meanwhile_is_left_alone);
    RUN(second_writer_is_refused);
    RUN(scratch_comes_back_once_and_is_never_published);
    RUN(longest_name_is_written_and_read);
    RUN_POSIX(child_of_fork_removes_nothing, "fork");
    RUN(abandon_leaves_nothing);
    RUN(many_threads_put_into_the_same_folders);
    RUN_POSIX(thousands_of_folders_are_made, "wine looks through a whole folder for each name in it");
    RUN(objects_are_replaced_under_a_mark);
    RUN(level_that_was_begun_is_no_file_of_others);
    RUN(only_one_changes_a_store);
    RUN(objects_are_listed);
}

#endif
