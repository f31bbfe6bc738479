/* test_side_file.c: a file that comes with a store has its name only at the end, and replaces only its own kind. */
#include "store/side_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "local_check.h"
#include "store/folder.h"

static const char start[] = "{ours";

static const char *text_of(const char *path)
{
    static char text[100];
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = 0;
    if (file)
        fclose(file);
    return file ? text : "(none)";
}

static void name_comes_at_the_end(void)
{
    for (int is_synced = 0; is_synced < 2; is_synced++) {
        error e = {0};
        side_file *f = side_file_begin(below("a.json"), start, &e);
        CHECK(f != NULL && !local_exists(below("a.json")) && local_exists(below(".a.json.partial")));
        CHECK_INT(side_file_write(f, "{ours 1}", is_synced, &e), NGFF_OK);
        CHECK(!local_exists(below("a.json")));
        CHECK_INT(side_file_publish(f, is_synced, &e), NGFF_OK);
        side_file_free(f);
        CHECK_TEXT(text_of(below("a.json")), "{ours 1}");
        CHECK_INT(local_count_names(root), 1);
        remove(below("a.json"));
    }
}

static void what_was_not_published_is_removed_and_an_old_one_stays(void)
{
    error e = {0};
    local_write_text(below("a.json"), "{ours 0}");
    side_file *f = side_file_begin(below("a.json"), start, &e);
    CHECK_INT(side_file_write(f, "{ours 1}", 0, &e), NGFF_OK);
    CHECK_TEXT(text_of(below("a.json")), "{ours 0}");
    side_file_free(f);
    CHECK_TEXT(text_of(below("a.json")), "{ours 0}");
    CHECK_INT(local_count_names(root), 1);
    f = side_file_begin(below("a.json"), start, &e);
    CHECK_INT(side_file_write(f, "{ours 2}", 0, &e), NGFF_OK);
    CHECK_INT(side_file_publish(f, 0, &e), NGFF_OK);
    side_file_free(f);
    CHECK_TEXT(text_of(below("a.json")), "{ours 2}");
    CHECK_INT(local_count_names(root), 1);
    remove(below("a.json"));
}

static void refused(const char *path, int32_t status, const char *words)
{
    error e = {0};
    int before = local_count_names(root);
    CHECK(side_file_begin(path, start, &e) == NULL);
    CHECK_INT(e.status, status);
    CHECK(strstr(e.message, path[0] == '/' && status == NGFF_E_EXISTS ? path : words) != NULL);
    CHECK(strstr(e.message, words) != NULL);
    CHECK_INT(local_count_names(root), before);
}

static void what_is_not_ours_is_not_replaced(void)
{
    local_write_text(below("other.tif"), "II*");
    local_write_text(below("longer.txt"), "somebody's text");
    local_write_text(below("empty"), "");
    local_make_folder(below("folder"));
    CHECK_INT(mkfifo(below("pipe"), 0600), 0);
    static const char *const names[] = {"other.tif", "longer.txt", "empty", "folder", "pipe"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        refused(below(names[i]), NGFF_E_EXISTS, "choose another name");
    CHECK_TEXT(text_of(below("longer.txt")), "somebody's text");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove(below(names[i]));
}

static void place_that_cannot_be_written_is_refused_at_once(void)
{
    refused(below("missing/a.json"), NGFF_E_STORAGE, "missing/.a.json.partial: No such file or directory");
}

/* Nobody else can make the last step fail but the file system: here somebody has put a folder there meanwhile. */
static void what_cannot_get_its_name_is_not_lost(void)
{
    error e = {0};
    side_file *f = side_file_begin(below("a.json"), start, &e);
    CHECK_INT(side_file_write(f, "{ours 1}", 0, &e), NGFF_OK);
    local_make_folder(below("a.json"));
    CHECK_INT(side_file_publish(f, 0, &e), NGFF_E_STORAGE);
    CHECK(strstr(e.message, below(".a.json.partial")) != NULL && strstr(e.message, "Is a directory") != NULL);
    side_file_free(f);
    CHECK_TEXT(text_of(below(".a.json.partial")), "{ours 1}");
    remove(below(".a.json.partial"));
    rmdir(below("a.json"));
}

int main(void)
{
    use_local_place(store_file_open);
    RUN(name_comes_at_the_end);
    RUN(what_was_not_published_is_removed_and_an_old_one_stays);
    RUN_POSIX(what_is_not_ours_is_not_replaced, "pipes");
    RUN(place_that_cannot_be_written_is_refused_at_once);
    RUN(what_cannot_get_its_name_is_not_lost);
    leave_local_place();
    CHECK_EXIT();
}
