/* local_check.h: a place on the disk for store_check.h, looked at with plain calls, and what only a disk can show. */
#ifndef TESTS_LOCAL_CHECK_H
#define TESTS_LOCAL_CHECK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "store/folder.h"
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
    CHECK_INT(local_remove_tree(root), 0);
}

static void leftovers_of_a_killed_writer_are_cleaned(void)
{
    error e = {0};
    pid_t child = fork();
    if (child == 0) {
        store *s = open_at(below("killed"));
        s->writing->begin(s, 0, &e);
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

static void make_older(const char *path, int seconds)
{
    const struct timespec times[2] = {{time(NULL) - seconds, 0}, {time(NULL) - seconds, 0}};
    CHECK_INT(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Without an owner it may be that of a program which is just making it, for a minute. */
static void folder_without_an_owner_is_refused_for_a_minute(void)
{
    error e = {0}, later = {0}, part = {0};
    make_folder(below(".nobody.partial"));
    write_text(below(".nobody.partial/x"), "");
    CHECK_INT(write_store(below("nobody"), "x", 1, &e), NGFF_E_EXISTS);
    CHECK(exists(below(".nobody.partial")));
    make_older(below(".nobody.partial"), 70);
    CHECK_INT(write_store(below("nobody"), "x", 1, &later), NGFF_OK);
    CHECK(!exists(below(".nobody.partial")));
    make_folder(below(".nobody.partial")); /* a line that was not finished is no owner */
    write_text(below(".nobody.partial/.owner"), "1234567 some-other-mach");
    make_older(below(".nobody.partial"), 70);
    CHECK_INT(write_store(below("nobody"), "x", 1, &part), NGFF_OK);
    CHECK(!exists(below(".nobody.partial")));
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
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(symlink(below("precious"), below(".linked.partial/store/link")), 0);
    s->writing->abandon(s);
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
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(s->writing->put(s, key, "x", 1, &e2), NGFF_E_STORAGE);
    CHECK(strstr(e2.message, "longer than"));
    CHECK_INT(store_read(s, key, 0, 0, &bytes, &n, &e3), NGFF_E_STORAGE);
    s->writing->abandon(s);
    s->ops->free(s);
}

static void failed_put_names_the_path_and_the_cause(void)
{
    error e = {0}, e2 = {0};
    store *s = open_at(below("clash"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    CHECK_INT(put_text(s, "a", "file"), NGFF_OK);
    CHECK_INT(s->writing->put(s, "a/b", "x", 1, &e2), NGFF_E_STORAGE);
    CHECK(strstr(e2.message, ".clash.partial/store/a/b"));
    s->writing->abandon(s);
    s->ops->free(s);
}

/* What stands in the place of an object and cannot be read is no missing object, and nothing waits for it. */
static void what_cannot_be_read_is_not_missing(void)
{
    error e = {0};
    char everywhere[301];
    CHECK_INT(write_store(below("unread"), "pixels", 0, &e), NGFF_OK);
    CHECK_INT(mkfifo(below("unread/pipe"), 0666), 0);
    CHECK_INT(symlink("nowhere", below("unread/link")), 0);
    CHECK_INT(symlink("nowhere", below("unread/unmounted")), 0);
    CHECK_INT(symlink("zarr.json", below("unread/other name")), 0);
    CHECK_INT(symlink("/dev/zero", below("unread/device")), 0);
    CHECK_INT(symlink("loop", below("unread/loop")), 0);
    memset(everywhere, 'k', sizeof everywhere);
    everywhere[sizeof everywhere - 1] = 0;
    store *s = open_at(below("unread"));
    check_not_read(s, "pipe", "pipe");
    check_not_read(s, "device", "device");
    check_not_read(s, "link", "leads nowhere");
    check_not_read(s, "unmounted/c/0/0", "leads nowhere");
    check_not_read(s, "loop", "symbolic links");
    check_not_read(s, "scale0", "Is a directory");
    check_not_read(s, everywhere, "name too long");
    check_object(s, "other name", ngff); /* a file that lies elsewhere is read */
    s->ops->free(s);
}

/* A link that leads to a folder is as good as the folder: what is not in it is missing. */
static void what_a_link_leads_to_can_miss_objects(void)
{
    error e = {0};
    CHECK_INT(write_store(below("afar"), "pixels", 0, &e), NGFF_OK);
    CHECK_INT(symlink("afar", below("by link")), 0);
    CHECK_INT(symlink("scale0", below("afar/again")), 0);
    static const char *const keys[] = {"absent", "again/absent", "again/image/c/9/9"};
    store *s = open_at(below("by link"));
    check_object(s, "zarr.json", ngff);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        error missing = {0};
        uint8_t *bytes = NULL;
        size_t n = 0;
        int is_there = 1;
        CHECK_INT(store_find(s, keys[i], 0, 0, &bytes, &n, &is_there, &missing), NGFF_OK);
        CHECK(!is_there && missing.status == NGFF_OK);
        free(bytes);
    }
    s->ops->free(s);
}

/* Nobody but root may read everything. */
static void as_nobody(void (*test)(void))
{
    int status;
    CHECK_INT(chmod(root, 0777), 0);
    pid_t child = fork();
    if (child == 0) {
        check_failures = 0;
        if (geteuid() == 0 && seteuid(65534) != 0)
            _exit(2);
        test();
        _exit(check_failures != 0);
    }
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
}

static void look_at_locked(void)
{
    error e = {0}, overwrite = {0}, change = {0}, listed = {0};
    char all[300] = "";
    store *s = open_at(below("locked"));
    check_not_read(s, "scale0/image/c/0/0", "Permission denied");
    CHECK_INT(s->ops->list(s, gather, all, &listed), NGFF_E_STORAGE);
    CHECK(strstr(listed.message, "cannot list") && strstr(listed.message, "Permission denied"));
    CHECK_INT(s->writing->begin_update(s, &e), NGFF_OK);
    CHECK_INT(s->writing->remove_chunks(s, "scale0/image", &change), NGFF_E_STORAGE);
    CHECK(strstr(change.message, "cannot list"));
    s->writing->abandon(s);
    s->ops->free(s);
    CHECK_INT(write_store(below("locked"), "new", 1, &overwrite), NGFF_E_STORAGE);
    CHECK(strstr(overwrite.message, "cannot be listed") && strstr(overwrite.message, "not overwritten"));
}

static void what_may_not_be_read_is_not_missing(void)
{
    error e = {0};
    CHECK_INT(write_store(below("locked"), "pixels", 0, &e), NGFF_OK);
    write_text(below("locked/thesis.txt"), "precious");
    CHECK_INT(chmod(below("locked/scale0/image/c"), 0), 0);
    CHECK_INT(chmod(below("locked/scale0/image"), 0333), 0);
    CHECK_INT(chmod(below("locked"), 0333), 0);
    as_nobody(look_at_locked);
    chmod(below("locked"), 0777);
    chmod(below("locked/scale0/image"), 0777);
    chmod(below("locked/scale0/image/c"), 0777);
    CHECK(exists(below("locked/thesis.txt")));
    check_chunk(below("locked"), "pixels");
}

/* What is too deep to be listed is not left out without a word. */
static void list_that_is_not_whole_is_an_error(void)
{
    error e = {0}, deep = {0};
    char all[300] = "", path[1000];
    CHECK_INT(write_store(below("deep"), "pixels", 0, &e), NGFF_OK);
    snprintf(path, sizeof path, "%s", below("deep"));
    for (int i = 0; i < 70; i++) {
        strcat(path, "/d");
        CHECK_INT(mkdir(path, 0777), 0);
    }
    store *s = open_at(below("deep"));
    CHECK_INT(s->ops->list(s, gather, all, &deep), NGFF_E_STORAGE);
    CHECK(strstr(deep.message, "nested more than"));
    s->ops->free(s);
}

static void remove_kept(void)
{
    error e = {0};
    CHECK_INT(write_store(below("kept"), "pixels", 0, &e), NGFF_OK);
    CHECK_INT(chmod(below("kept/scale0/image/c/0"), 0555), 0);
    CHECK_INT(local_remove_tree(below("kept")), EACCES);
    CHECK(!exists(below("kept/zarr.json")) && exists(below("kept/scale0/image/c/0/0")));
    CHECK_INT(chmod(below("kept/scale0/image/c/0"), 0777), 0);
    CHECK_INT(local_remove_tree(below("kept")), 0);
    CHECK_INT(local_remove_tree(below("kept")), 0); /* is not there */
}

static void tree_is_removed_as_far_as_it_can_be(void)
{
    as_nobody(remove_kept);
}

static void run_local_checks(void)
{
    RUN_POSIX(what_cannot_be_read_is_not_missing, "symbolic links, pipes");
    RUN_POSIX(what_a_link_leads_to_can_miss_objects, "symbolic links");
    RUN_POSIX(what_may_not_be_read_is_not_missing, "permissions by mode");
    RUN(list_that_is_not_whole_is_an_error);
    RUN_POSIX(tree_is_removed_as_far_as_it_can_be, "permissions by mode");
    RUN_POSIX(leftovers_of_a_killed_writer_are_cleaned, "fork; test_windows kills one");
    RUN(leftovers_of_another_machine_are_refused);
    RUN(folder_without_an_owner_is_refused_for_a_minute);
    RUN(missing_parent_is_told);
    RUN_POSIX(symbolic_links_are_not_followed_when_cleaning, "symbolic links");
    RUN_POSIX(linked_store_is_refused_and_links_in_an_old_store_lead_nowhere, "symbolic links");
    RUN(overlong_paths_are_refused);
    RUN(failed_put_names_the_path_and_the_cause);
}

#endif
