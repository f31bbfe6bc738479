/* test_zip_index.c: a zip that is put together here by the APPNOTE, number by number. Each of its objects is
 * "123456789", whose CRC-32 is the published check value. */
#include "store/zip_index.h"

#include "local_check.h"

static const char nine[] = "123456789";
static const uint32_t crc_of_nine = 0xcbf43926;

typedef struct {
    uint8_t bytes[2000];
    size_t n;
} text;

static void add(text *t, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        t->bytes[t->n++] = (uint8_t)(value >> 8 * i);
}

static void add_text(text *t, const char *from)
{
    memcpy(t->bytes + t->n, from, strlen(from));
    t->n += strlen(from);
}

/* An entry, and its line in the directory. */
static void add_entry(text *zip, text *directory, const char *name, int method, int has_large_numbers)
{
    size_t at = zip->n, n_packed = method == 8 ? 14 : 9;
    uint32_t too_large = 0xffffffff;
    for (int is_line = 0; is_line < 2; is_line++) {
        text *t = is_line ? directory : zip;
        add(t, is_line ? 0x02014b50 : 0x04034b50, 4);
        if (is_line)
            add(t, 45, 2);
        add(t, 45, 2);
        add(t, 0, 2);
        add(t, (uint64_t)method, 2);
        add(t, 0, 4);
        add(t, crc_of_nine, 4);
        add(t, has_large_numbers ? too_large : n_packed, 4);
        add(t, has_large_numbers ? too_large : 9, 4);
        add(t, strlen(name), 2);
        add(t, has_large_numbers ? 28 : 0, 2);
        if (is_line) {
            add(t, 0, 6); /* no comment, disk 0, internal attributes */
            add(t, 0, 4); /* external ones */
            add(t, has_large_numbers ? too_large : at, 4);
        }
        add_text(t, name);
        if (has_large_numbers) {
            add(t, 1, 2);
            add(t, 24, 2);
            add(t, 9, 8);
            add(t, n_packed, 8);
            add(t, is_line ? at : 0, 8);
        }
    }
    if (method == 8) { /* a last block, stored: its length and the complement */
        add(zip, 1, 1);
        add(zip, 9, 2);
        add(zip, 0xffff - 9, 2);
    }
    add_text(zip, nine);
}

/* The directory of n entries, and its end. */
static void add_directory(text *zip, const text *directory, uint64_t n)
{
    size_t at = zip->n;
    memcpy(zip->bytes + zip->n, directory->bytes, directory->n);
    zip->n += directory->n;
    add(zip, 0x06054b50, 4);
    add(zip, 0, 4);
    add(zip, n, 2);
    add(zip, n, 2);
    add(zip, directory->n, 4);
    add(zip, at, 4);
    add(zip, 3, 2);
    add_text(zip, "end");
}

static text make_zip(void)
{
    text zip = {.n = 0}, directory = {.n = 0};
    add_entry(&zip, &directory, "zarr.json", 0, 0);
    add_entry(&zip, &directory, "a/large", 0, 1);
    add_entry(&zip, &directory, "a/deflated", 8, 0);
    add_entry(&zip, &directory, "ab", 0, 0);
    add_directory(&zip, &directory, 4);
    return zip;
}

static int32_t open_zip(const text *zip, size_t n, zip_index **index, error *e)
{
    const char *path = below("a.ozx");
    char cause[256];
    CHECK_INT(local_calls.write_file(path, zip->bytes, n, cause), 0);
    return zip_index_find(&local_calls, path, index, e);
}

static const char *const keys[] = {"zarr.json", "a/large", "a/deflated", "ab"};

static void every_object_is_found_whole_and_in_part(void)
{
    text zip = make_zip();
    zip_index *index;
    error e = {0};
    CHECK_INT(open_zip(&zip, zip.n, &index, &e), NGFF_OK);
    for (int i = 0; i < 4; i++) {
        uint64_t size = 0, n_there = 0;
        uint8_t *bytes = NULL, part[4];
        size_t n = 0;
        int is_there = 0;
        CHECK_INT(zip_index_size(index, keys[i], &size, &is_there, &e), NGFF_OK);
        CHECK_INT(size, 9);
        CHECK_INT(zip_index_get(index, keys[i], 0, 0, &bytes, &n, &is_there, &e), NGFF_OK);
        CHECK(n == 9 && memcmp(bytes, nine, 10) == 0);
        free(bytes);
        CHECK_INT(zip_index_get(index, keys[i], -1, 2, &bytes, &n, &is_there, &e), NGFF_OK);
        CHECK(n == 2 && memcmp(bytes, "89", 2) == 0);
        free(bytes);
        CHECK_INT(zip_index_get_into(index, keys[i], 3, part, 4, &n_there, &is_there, &e), NGFF_OK);
        CHECK(n_there == 6 && memcmp(part, "4567", 4) == 0);
    }
    static const char *const missing[] = {"a", "zarr", "zarr.json/x"};
    for (int i = 0; i < 3; i++) {
        uint64_t size;
        int is_there = 1;
        CHECK_INT(zip_index_size(index, missing[i], &size, &is_there, &e), NGFF_OK);
        CHECK_INT(is_there, 0);
    }
    zip_index_free(index);
}

static int32_t note_key(void *user, const char *key)
{
    strcat(user, key);
    strcat(user, " ");
    return NGFF_OK;
}

static void a_list_is_that_of_the_group(void)
{
    text zip = make_zip();
    zip_index *index;
    error e = {0};
    char all[100] = "", group[100] = "";
    CHECK_INT(open_zip(&zip, zip.n, &index, &e), NGFF_OK);
    CHECK_INT(zip_index_list(index, "", note_key, all), NGFF_OK);
    CHECK_INT(zip_index_list(index, "a", note_key, group), NGFF_OK);
    CHECK_TEXT(all, "a/deflated a/large ab zarr.json ");
    CHECK_TEXT(group, "deflated large ");
    zip_index_free(index);
}

/* As programs do that add to a zip what it has already: the last one counts, and a list has it once. */
static void of_entries_with_one_name_the_last_counts(void)
{
    text zip = {.n = 0}, directory = {.n = 0};
    for (int i = 0; i < 3; i++) {
        add_entry(&zip, &directory, "a", 0, 0);
        zip.bytes[zip.n - 1] ^= i < 2; /* the first two are not what their checksum says */
    }
    add_directory(&zip, &directory, 3);
    zip_index *index;
    error e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there = 0;
    char all[100] = "";
    CHECK_INT(open_zip(&zip, zip.n, &index, &e), NGFF_OK);
    CHECK_INT(zip_index_get(index, "a", 0, 0, &bytes, &n, &is_there, &e), NGFF_OK);
    CHECK(is_there && n == 9);
    CHECK_INT(zip_index_list(index, "", note_key, all), NGFF_OK);
    CHECK_TEXT(all, "a ");
    free(bytes);
    zip_index_free(index);
}

static void a_file_that_is_cut_short_is_no_zip(void)
{
    text zip = make_zip();
    for (size_t n = 0; n < zip.n; n++) {
        zip_index *index;
        error e = {0};
        CHECK_INT(open_zip(&zip, n, &index, &e), NGFF_E_STORAGE);
        CHECK(index == NULL && strstr(e.message, "a.ozx"));
    }
}

static void no_flipped_bit_gives_other_bytes(void)
{
    text whole = make_zip();
    int n_errors = 0;
    for (size_t bit = 0; bit < 8 * whole.n; bit++) {
        text zip = whole;
        zip_index *index;
        error opened = {0};
        zip.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (open_zip(&zip, zip.n, &index, &opened) != NGFF_OK) {
            n_errors++;
            continue;
        }
        for (int i = 0; i < 4; i++) {
            error e = {0};
            uint8_t *bytes = NULL;
            size_t n = 0;
            int is_there = 0;
            int32_t status = zip_index_get(index, keys[i], 0, 0, &bytes, &n, &is_there, &e);
            int is_read = status == NGFF_OK && is_there;
            CHECK(!is_read || (n == 9 && memcmp(bytes, nine, 9) == 0));
            n_errors += !is_read;
            free(bytes);
        }
        zip_index_free(index);
    }
    CHECK(n_errors > 500);
}

int main(void)
{
    use_local_place(store_file_open);
    RUN(every_object_is_found_whole_and_in_part);
    RUN(a_list_is_that_of_the_group);
    RUN(of_entries_with_one_name_the_last_counts);
    RUN(a_file_that_is_cut_short_is_no_zip);
    RUN(no_flipped_bit_gives_other_bytes);
    leave_local_place();
    CHECK_EXIT();
}
