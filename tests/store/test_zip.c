/* test_zip.c: stores as one file. What stands in the file is looked at with what the APPNOTE of zip says, number by
 * number; autotest/gdrivers/omezarr_ozx.py has other programs read it. */
#include "store/zip.h"

#include "base/text.h"
#include "local_check.h"

static uint64_t number(const uint8_t *at, int n_bytes)
{
    uint64_t value = 0;
    for (int i = n_bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static uint8_t *bytes_of(const char *path, size_t *n)
{
    char cause[256];
    uint8_t *bytes = NULL;
    CHECK_INT(local_calls.read_file(path, 0, 0, &bytes, n, cause), 0);
    return bytes;
}

/* The zip's directory, one entry after the other: its key, and where its bytes are. */
static int next_entry(const uint8_t *zip, size_t *at, char key[200], const uint8_t **bytes, size_t *n)
{
    const uint8_t *here = zip + *at;
    if (number(here, 4) != 0x02014b50)
        return 0;
    size_t n_name = number(here + 28, 2), n_extra = number(here + 30, 2), offset = number(here + 42, 4);
    snprintf(key, 200, "%.*s", (int)n_name, (const char *)here + 46);
    CHECK_INT(number(here + 10, 2), 0); /* stored, not deflated */
    CHECK_INT(number(zip + offset, 4), 0x04034b50);
    CHECK(memcmp(zip + offset + 14, here + 16, 12) == 0); /* checksum and sizes are the same in both places */
    CHECK(memcmp(zip + offset + 30, key, n_name) == 0);
    *n = number(here + 24, 4);
    *bytes = zip + offset + 30 + number(zip + offset + 26, 2) + number(zip + offset + 28, 2);
    *at += 46 + n_name + n_extra;
    return 1;
}

static void documents_come_first_and_all_is_there(void)
{
    static const char *const keys[] = {"zarr.json",          "scale0/zarr.json",    "scale0/image/zarr.json",
                                       "scale0/image/c/0/0", "scale0/image/c/0/10", "scale0/image/c/0/9"};
    error e = {0};
    store *s = open_at(below("order.ozx"));
    CHECK_INT(s->writing->begin(s, 0, &e), NGFF_OK);
    for (int i = 5; i >= 0; i--)
        CHECK_INT(put_text(s, keys[i], i == 0 ? ngff : keys[i]), NGFF_OK);
    CHECK(!exists(below("order.ozx")));
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    CHECK(!exists(below(".order.ozx.partial")));

    size_t n_zip, n = 0;
    uint8_t *zip = bytes_of(below("order.ozx"), &n_zip);
    const uint8_t *end, *bytes = NULL;
    for (end = zip + n_zip - 22; number(end, 4) != 0x06054b50; end--)
        ;
    CHECK_TEXT((const char *)end + 22,
               "{\"ome\":{\"version\":\"0.5\",\"zipFile\":{\"centralDirectory\":{\"jsonFirst\":true}}}}");
    CHECK_INT(number(end + 20, 2), zip + n_zip - end - 22);
    CHECK_INT(number(end + 8, 2), 6);
    size_t at = number(end + 16, 4), before = 0;
    for (int i = 0; i < 6; i++) {
        char key[200];
        CHECK(next_entry(zip, &at, key, &bytes, &n));
        CHECK_TEXT(key, keys[i]);
        CHECK(n == strlen(i == 0 ? ngff : keys[i]) && memcmp(bytes, i == 0 ? ngff : keys[i], n) == 0);
        CHECK((size_t)(bytes - zip) > before); /* the entries have the order of the directory */
        before = (size_t)(bytes - zip);
    }
    /* The zip64 end: where it is, how much there is, where the directory begins. */
    CHECK_INT(number(zip + at, 4), 0x06064b50);
    CHECK_INT(number(zip + at + 32, 8), 6);
    CHECK_INT(number(zip + at + 48, 8), number(end + 16, 4));
    CHECK_INT(number(zip + at + 56, 4), 0x07064b50);
    CHECK_INT(number(zip + at + 64, 8), (int64_t)at);
    CHECK(zip + at + 76 == end);
    free(zip);
}

static void old_file_stays_until_the_new_one_takes_its_place(void)
{
    error refusal = {0}, e = {0};
    size_t n_old, n_new;
    CHECK_INT(write_store(below("old.ozx"), "old", 0, &e), NGFF_OK);
    uint8_t *old = bytes_of(below("old.ozx"), &n_old);
    CHECK_INT(write_store(below("old.ozx"), "new", 0, &refusal), NGFF_E_EXISTS);
    CHECK(strstr(refusal.message, "OVERWRITE=YES") && strstr(refusal.message, "old.ozx"));
    store *s = open_at(below("old.ozx"));
    CHECK_INT(s->writing->begin(s, 1, &e), NGFF_OK);
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    uint8_t *still = bytes_of(below("old.ozx"), &n_new);
    CHECK(n_old == n_new && memcmp(old, still, n_old) == 0);
    s->writing->abandon(s);
    s->ops->free(s);
    CHECK_INT(write_store(below("old.ozx"), "newer", 1, &e), NGFF_OK);
    uint8_t *newer = bytes_of(below("old.ozx"), &n_new);
    CHECK(bytes_hold(newer, n_new, "newer") && n_new == n_old + 2);
    CHECK(!exists(below(".old.ozx.partial")));
    free(old);
    free(still);
    free(newer);
}

static void what_does_not_say_that_it_is_ours_is_untouched(void)
{
    static const char *const texts[] = {"precious", "PK\003\004", "", "PK\005\006................\005\000other"};
    for (int i = 0; i < 4; i++) {
        error e = {0};
        size_t n;
        write_text(below("precious.ozx"), texts[i]);
        CHECK_INT(write_store(below("precious.ozx"), "x", 1, &e), NGFF_E_EXISTS);
        CHECK(strstr(e.message, "left untouched"));
        uint8_t *bytes = bytes_of(below("precious.ozx"), &n);
        CHECK(n == strlen(texts[i]) && memcmp(bytes, texts[i], n) == 0);
        free(bytes);
    }
    error e = {0};
    make_folder(below("folder.ozx"));
    CHECK_INT(write_store(below("folder.ozx"), "x", 1, &e), NGFF_E_EXISTS);
    CHECK(strstr(e.message, "is a folder"));
}

static void nothing_is_changed_in_a_file(void)
{
    error e = {0};
    CHECK_INT(write_store(below("change.ozx"), "x", 0, &e), NGFF_OK);
    store *s = open_at(below("change.ozx"));
    CHECK_INT(s->writing->begin_update(s, &e), NGFF_E_UNSUPPORTED);
    CHECK(strstr(e.message, "OVERWRITE=YES"));
    s->ops->free(s);
    CHECK(!exists(below(".change.ozx.partial")));
}

static void resume_goes_on_with_what_was_put(void)
{
    error e = {0};
    char *record = NULL;
    pid_t child = fork();
    if (child == 0) {
        store *s = open_at(below("stopped.ozx"));
        int has_failed = s->writing->begin(s, 0, &e) != NGFF_OK || s->writing->note(s, "some\n", 5, &e) != NGFF_OK;
        _exit(has_failed || put_text(s, "scale0/image/c/0/0", "first") != NGFF_OK);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    store *s = open_at(below("stopped.ozx"));
    CHECK_INT(s->writing->resume(s, 0, &record, &e), 1);
    CHECK_TEXT(record, "some\n");
    free(record);
    check_object(s, "scale0/image/c/0/0", "first");
    CHECK_INT(put_text(s, "zarr.json", ngff), NGFF_OK);
    CHECK_INT(s->writing->publish(s, &e), NGFF_OK);
    s->ops->free(s);
    size_t n;
    uint8_t *bytes = bytes_of(below("stopped.ozx"), &n);
    CHECK(bytes_hold(bytes, n, "first") && !bytes_hold(bytes, n, "some"));
    CHECK(!exists(below(".stopped.ozx.partial")));
    free(bytes);
}

/* -- More entries than the old end of a zip can count ------------------------------------------------------------------- */

enum { n_many = 66000 };

static uint8_t *packed; /* what was appended */
static size_t n_packed, room_packed;

static int many_look(const char *path, path_state *what, char cause[256])
{
    (void)cause;
    *what = (path_state){.kind = strcmp(path, "many") == 0 ? KIND_FOLDER : KIND_FILE};
    return 0;
}

static int many_list(const char *path, char ***names, char cause[256])
{
    (void)path;
    (void)cause;
    *names = calloc(n_many + 1, sizeof **names);
    for (int i = 0; i < n_many; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        (*names)[i] = strdup(name);
    }
    return 0;
}

static int many_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    (void)path;
    (void)offset;
    (void)n;
    (void)cause;
    *bytes = (uint8_t *)strdup("x");
    *n_read = 1;
    return 0;
}

static int many_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    (void)path;
    (void)bytes;
    (void)cause;
    n_packed = 0;
    return n > 0;
}

static int many_append(const char *path, const void *bytes, size_t n, char cause[256])
{
    (void)path;
    (void)cause;
    if (n_packed + n > room_packed)
        packed = realloc(packed, room_packed = 2 * (n_packed + n));
    memcpy(packed + n_packed, bytes, n);
    n_packed += n;
    return 0;
}

static void more_entries_than_the_old_end_can_count_are_counted_in_the_new_one(void)
{
    const folder_calls calls = {.look = many_look,
                                .list = many_list,
                                .read_file = many_read,
                                .write_file = many_write,
                                .append_file = many_append};
    error e = {0};
    CHECK_INT(zip_pack(&calls, "many", "many.ozx", NULL, &e), NGFF_OK);
    const uint8_t *end = packed + n_packed - 22, *end64;
    while (number(end, 4) != 0x06054b50)
        end--;
    CHECK(number(end + 8, 2) == 0xffff && number(end + 10, 2) == 0xffff); /* "look into the zip64 end" */
    end64 = packed + number(end - 20 + 8, 8);
    CHECK_INT(number(end64, 4), 0x06064b50);
    CHECK(number(end64 + 24, 8) == n_many && number(end64 + 32, 8) == n_many);
    free(packed);
}

int main(void)
{
    use_local_place(store_file_open);
    RUN(documents_come_first_and_all_is_there);
    RUN(old_file_stays_until_the_new_one_takes_its_place);
    RUN(what_does_not_say_that_it_is_ours_is_untouched);
    RUN(nothing_is_changed_in_a_file);
    RUN_POSIX(resume_goes_on_with_what_was_put, "fork");
    RUN(more_entries_than_the_old_end_can_count_are_counted_in_the_new_one);
    leave_local_place();
    CHECK_EXIT();
}
