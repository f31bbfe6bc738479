/* local_check.h: a place on the disk for store_check.h, looked at with plain calls, and what only a disk can show. */
#ifndef TESTS_LOCAL_CHECK_H
#define TESTS_LOCAL_CHECK_H

#include <dirent.h>
#include <sys/stat.h>

#include "store_check.h"

static int local_exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

static void local_make_folder(const char *path)
{
    CHECK_INT(mkdir(path, 0777), 0);
}

static void local_write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static int local_count_names(const char *path)
{
    DIR *folder = opendir(path);
    int n = folder ? 0 : -1;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder)
        closedir(folder);
    return n;
}

static void use_local_place(store *(*opener)(const char *))
{
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/ngff-store-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(root) != NULL);
    open_at = opener;
    exists = local_exists;
    make_folder = local_make_folder;
    write_text = local_write_text;
    count_names = local_count_names;
}

static void leave_local_place(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CHECK_INT(system(command), 0);
}

static void leftovers_of_a_killed_writer_are_cleaned(void)
{
    error e = {0};
    pid_t child = fork();
    if (child == 0) {
        store *s = open_at(below("killed"));
        s->ops->begin(s, 0, &e);
        put_text(s, "a/0", "half");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    CHECK(exists(below(".killed.partial/store/a/0")));
    CHECK(!exists(below("killed")));
    int before = count_names(root);
    CHECK_INT(write_store(below("killed"), "whole", 0, &e), NGFF_OK);
    CHECK(!exists(below("killed/a")));
    CHECK_INT(count_names(root), before); /* the partial folder has become the store, nothing else is left */
}

static void leftovers_of_another_machine_are_refused(void)
{
    error e = {0};
    make_folder(below(".elsewhere.partial"));
    write_text(below(".elsewhere.partial/.owner"), "1234567 some-other-machine\n");
    CHECK_INT(write_store(below("elsewhere"), "x", 1, &e), NGFF_E_EXISTS);
    CHECK(strstr(e.message, "remove that folder"));
    CHECK(exists(below(".elsewhere.partial/.owner")));
}

static void folder_without_an_owner_is_refused(void)
{
    error e = {0};
    make_folder(below(".nobody.partial"));
    CHECK_INT(write_store(below("nobody"), "x", 1, &e), NGFF_E_EXISTS);
    CHECK(exists(below(".nobody.partial")));
}

static void missing_parent_is_told(void)
{
    error e = {0};
    CHECK_INT(write_store(below("no/such/place"), "x", 0, &e), NGFF_E_STORAGE);
    CHECK(strstr(e.message, "no/such/.place.partial") && strstr(e.message, "No such file"));
}

static void symbolic_links_are_not_followed_when_cleaning(void)
{
    error e = {0};
    make_folder(below("precious"));
    write_text(below("precious/data"), "x");
    store *s = open_at(below("linked"));
    CHECK_INT(s->ops->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(symlink(below("precious"), below(".linked.partial/store/link")), 0);
    s->ops->abandon(s);
    s->ops->free(s);
    CHECK(exists(below("precious/data")));
    CHECK(!exists(below(".linked.partial")));
}

static void linked_store_is_refused_and_links_in_an_old_store_lead_nowhere(void)
{
    error e = {0}, e2 = {0};
    CHECK_INT(write_store(below("target"), "precious", 0, &e), NGFF_OK);
    CHECK_INT(symlink(below("target"), below("shortcut")), 0);
    CHECK_INT(write_store(below("shortcut"), "x", 1, &e2), NGFF_E_EXISTS);
    check_chunk(below("target"), "precious");
    /* an old store that contains a link to another is replaced; the other stays */
    CHECK_INT(write_store(below("host"), "old", 0, &e), NGFF_OK);
    CHECK_INT(symlink(below("target"), below("host/labels")), 0);
    CHECK_INT(write_store(below("host"), "new", 1, &e), NGFF_OK);
    check_chunk(below("host"), "new");
    check_chunk(below("target"), "precious");
    CHECK(!exists(below("host/labels")));
}

static void overlong_paths_are_refused(void)
{
    error e = {0}, e2 = {0}, e3 = {0};
    char key[5000];
    uint8_t *bytes;
    size_t n;
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    store *s = open_at(below("long"));
    CHECK_INT(s->ops->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(s->ops->put(s, key, "x", 1, &e2), NGFF_E_STORAGE);
    CHECK(strstr(e2.message, "longer than"));
    CHECK_INT(s->ops->get(s, key, 0, 0, &bytes, &n, &e3), NGFF_E_STORAGE);
    s->ops->abandon(s);
    s->ops->free(s);
}

static void failed_put_names_the_path_and_the_cause(void)
{
    error e = {0}, e2 = {0};
    store *s = open_at(below("clash"));
    CHECK_INT(s->ops->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a", "file"), NGFF_OK);
    CHECK_INT(s->ops->put(s, "a/b", "x", 1, &e2), NGFF_E_STORAGE);
    CHECK(strstr(e2.message, ".clash.partial/store/a/b"));
    s->ops->abandon(s);
    s->ops->free(s);
}

static void run_local_checks(void)
{
    RUN(leftovers_of_a_killed_writer_are_cleaned);
    RUN(leftovers_of_another_machine_are_refused);
    RUN(folder_without_an_owner_is_refused);
    RUN(missing_parent_is_told);
    RUN(symbolic_links_are_not_followed_when_cleaning);
    RUN(linked_store_is_refused_and_links_in_an_old_store_lead_nowhere);
    RUN(overlong_paths_are_refused);
    RUN(failed_put_names_the_path_and_the_cause);
}

#endif
