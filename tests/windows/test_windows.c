/* test_windows.c: what is Windows' own: paths with '\', of any script and length, names that it changes, a killed writer,
 * two writers, files that others hold open. Children are this program with other arguments. */
#include <windows.h>

#include "check.h"
#include "ngff.h"
#include "store/folder.h"

static char place[MAX_PATH];

/* A path below the place; holds for three more calls. */
static const char *below(const char *name)
{
    static char paths[4][1000];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

static void place_begin(void)
{
    char temporary[MAX_PATH];
    int n = 0;
    GetTempPathA(sizeof temporary, temporary);
    do /* numbers of processes come again */
        snprintf(place, sizeof place, "%sngff-test-%lu-%d", temporary, GetCurrentProcessId(), n++);
    while (!CreateDirectoryA(place, NULL) && n < 1000);
    CHECK(n < 1000);
}

static int count_names(const char *path)
{
    char **names = NULL, cause[256];
    int n = 0;
    if (local_list(path, &names, cause) != 0)
        return -1;
    while (names[n])
        n++;
    free_names(names);
    return n;
}

static int is_there(const char *path)
{
    path_state what;
    char cause[256];
    return local_look(path, &what, cause) == 0 && what.kind != KIND_NONE;
}

/* -- One image ----------------------------------------------------------------------------------------------------- */

enum { height = 200, width = 300 };

static uint16_t pixel_at(int64_t y, int64_t x, int add)
{
    return (uint16_t)(1 + y * 7 + x * 3 + add);
}

static ngff_plan *make_plan(const char *const *options)
{
    const int64_t shape[2] = {height, width};
    const char *all[8] = {"BLOCKSIZE=64", "NUM_THREADS=2"};
    for (int i = 0; options && options[i]; i++)
        all[2 + i] = options[i];
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, all);
    ngff_image_free(image);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "the same image"), NGFF_OK);
    return plan;
}

/* Gives at most n_most of the regions that the writer asks for; returns how many. */
static int give(ngff_writer *writer, int add, int n_most)
{
    static uint16_t pixels[height * width];
    int64_t origin[2], extent[2];
    int n = 0;
    while (n < n_most && ngff_writer_next(writer, origin, extent) == 1) {
        for (int64_t y = 0; y < extent[0]; y++)
            for (int64_t x = 0; x < extent[1]; x++)
                pixels[y * extent[1] + x] = pixel_at(origin[0] + y, origin[1] + x, add);
        CHECK_INT(ngff_writer_write(writer, origin, extent, pixels, NULL, NULL, 0), NGFF_OK);
        n++;
    }
    return n;
}

/* Writes the image; text: what the error says. Returns the regions that it was asked for, or the error. */
static int32_t write_image(const char *path, int add, const char *const *options, char text[600])
{
    ngff_plan *plan = make_plan(options);
    ngff_writer *writer = ngff_writer_open(plan, path);
    int n = ngff_writer_status(writer) == NGFF_OK ? give(writer, add, INT_MAX) : 0;
    int32_t status = ngff_writer_close(writer);
    if (text)
        snprintf(text, 600, "%s", ngff_writer_error(writer));
    else if (status != NGFF_OK)
        fprintf(stderr, "%s: %s\n", path, ngff_writer_error(writer));
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    return status == NGFF_OK ? n : status;
}

static int32_t overwrite_image(const char *path, int add, char text[600])
{
    static const char *const options[] = {"OVERWRITE=YES", NULL};
    return write_image(path, add, options, text);
}

/* The image is there, whole, and valid. */
static void check_image(const char *path, int add)
{
    static uint16_t pixels[height * width];
    const int64_t origin[2] = {0, 0}, extent[2] = {height, width};
    char text[600] = "";
    int n_wrong = 0;
    CHECK_INT(ngff_identify(path), 1);
    CHECK_INT(ngff_validate(path, NULL, NULL, NULL), NGFF_OK);
    ngff_reader *reader = ngff_reader_open(path);
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    CHECK_INT(ngff_reader_read(reader, 0, origin, extent, pixels, NULL, 2, text, sizeof text), NGFF_OK);
    CHECK_INT(ngff_reader_verify(reader, 2, NULL, NULL, NULL), NGFF_OK);
    CHECK_TEXT(text, "");
    ngff_reader_free(reader);
    for (int64_t i = 0; i < height * width; i++)
        n_wrong += pixels[i] != pixel_at(i / width, i % width, add);
    CHECK_INT(n_wrong, 0);
}

/* -- Paths --------------------------------------------------------------------------------------------------------- */

static void write_twice(const char *path)
{
    char text[600];
    CHECK(write_image(path, 1, NULL, NULL) > 0);
    check_image(path, 1);
    CHECK_INT(write_image(path, 2, NULL, text), NGFF_E_EXISTS);
    check_image(path, 1);
    CHECK(overwrite_image(path, 2, NULL) > 0);
    check_image(path, 2);
    CHECK(overwrite_image(path, 3, NULL) > 0); /* nothing of the first two blocks the third */
    check_image(path, 3);
}

static void store_is_written_twice_and_leaves_nothing_beside_it(void)
{
    write_twice(below("plain.ome.zarr"));
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below("plain.ome.zarr")), 0);
    CHECK_INT(count_names(place), 0);
}

static void one_file_is_written_twice(void)
{
    write_twice(below("packed.ozx"));
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below("packed.ozx")), 0);
}

static void backslashes_are_slashes(void)
{
    char path[1000], report[1000], inside[1000], text[600];
    const char *options[] = {report, "OVERWRITE=YES", NULL};
    snprintf(path, sizeof path, "%s\\back.ome.zarr\\", place);
    write_twice(path);
    check_image(below("back.ome.zarr"), 3);
    snprintf(report, sizeof report, "REPORT=%s\\report.json", place);
    CHECK(write_image(path, 4, options, NULL) > 0);
    CHECK(is_there(below("report.json")));
    snprintf(report, sizeof report, "REPORT=%s\\back.ome.zarr\\report.json", place);
    CHECK_INT(write_image(path, 4, options, text), NGFF_E_OPTION);
    CHECK(strstr(text, "lies in the store"));
    CHECK_INT(count_names(place), 2);
    snprintf(inside, sizeof inside, "%s\\back.ome.zarr\\zarr.json", place);
    CHECK_INT(ngff_validate(inside, NULL, NULL, NULL), NGFF_OK);
    CHECK_INT(local_remove_tree(below("back.ome.zarr")), 0);
    CHECK_INT(local_calls.remove_file(below("report.json")), 0);
}

static void names_are_utf8(void)
{
    const char *name = "m\xc3\xbc\xe6\x97\xa5.ome.zarr"; /* mü日.ome.zarr */
    WCHAR wide[MAX_PATH];
    char text[600], broken[1000];
    write_twice(below(name));
    swprintf(wide, MAX_PATH, L"%hs\\m\u00fc\u65e5.ome.zarr\\zarr.json", place);
    CHECK(GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES);
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below(name)), 0);
    snprintf(broken, sizeof broken, "%s/m\xfc.ome.zarr", place); /* in a code page, not in UTF-8 */
    CHECK_INT(write_image(broken, 1, NULL, text), NGFF_E_STORAGE);
    CHECK_INT(count_names(place), 0);
}

static void path_of_300_characters_is_written_and_read(void)
{
    char folder[60], path[1000];
    memset(folder, 'f', sizeof folder - 1);
    folder[sizeof folder - 1] = 0;
    int n = snprintf(path, sizeof path, "%s", place);
    while (n < 300) {
        n += snprintf(path + n, sizeof path - (size_t)n, "/%s", folder);
        CHECK_INT(local_calls.make_folder(path), 0);
    }
    snprintf(path + n, sizeof path - (size_t)n, "/long.ome.zarr");
    write_twice(path);
    CHECK_INT(local_remove_tree(below(folder)), 0);
    CHECK_INT(count_names(place), 0);
}

/* "a." would become "a", "NUL" a device that takes everything. */
static void names_that_windows_changes_are_refused(void)
{
    static const char *const names[] = {"dot.", "blank ", "dot./x.ome.zarr", "a?b"};
    char text[600];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK_INT(write_image(below(names[i]), 1, NULL, text), NGFF_E_STORAGE);
        CHECK(strstr(text, "cannot"));
    }
    CHECK_INT(count_names(place), 0);
}

static void text_has_no_carriage_returns(void)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    char cause[256];
    CHECK(write_image(below("text.ome.zarr"), 1, NULL, NULL) > 0);
    CHECK_INT(local_calls.read_file(below("text.ome.zarr/zarr.json"), 0, 0, &bytes, &n, cause), 0);
    CHECK(n > 0 && memchr(bytes, '\n', n) != NULL && memchr(bytes, '\r', n) == NULL);
    free(bytes);
    CHECK_INT(local_remove_tree(below("text.ome.zarr")), 0);
}

/* -- Files of others ----------------------------------------------------------------------------------------------- */

static HANDLE hold(const char *path)
{
    HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

static DWORD WINAPI let_go(void *file)
{
    Sleep(150); /* as a virus scanner does; nothing here depends on how long */
    CloseHandle(file);
    return 0;
}

static void what_is_held_for_a_moment_is_waited_for(void)
{
    char cause[256];
    CHECK_INT(local_calls.write_file(below("new"), "new", 3, cause), 0);
    CHECK_INT(local_calls.write_file(below("held"), "old", 3, cause), 0);
    HANDLE thread = CreateThread(NULL, 0, let_go, hold(below("held")), 0, NULL);
    CHECK_INT(local_calls.rename_over(below("new"), below("held")), 0);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    thread = CreateThread(NULL, 0, let_go, hold(below("held")), 0, NULL);
    CHECK_INT(local_calls.remove_file(below("held")), 0);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    CHECK_INT(count_names(place), 0);
}

static void what_is_held_for_long_is_an_error_and_no_missing_file(void)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    char cause[256] = "";
    CHECK_INT(local_calls.write_file(below("held"), "old", 3, cause), 0);
    HANDLE file = CreateFileA(below("held"), GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    CHECK_INT(local_calls.read_file(below("held"), 0, 0, &bytes, &n, cause), EBUSY);
    CHECK(strstr(cause, "another program has it open"));
    CHECK(is_there(below("held")));
    CloseHandle(file);
    CHECK_INT(local_calls.read_file(below("held"), 0, 0, &bytes, &n, cause), 0);
    free(bytes);
    CHECK_INT(local_calls.remove_file(below("held")), 0);
}

static void what_may_not_be_written_to_is_replaced_and_removed(void)
{
    CHECK(write_image(below("fixed.ome.zarr"), 1, NULL, NULL) > 0);
    CHECK(SetFileAttributesA(below("fixed.ome.zarr/zarr.json"), FILE_ATTRIBUTE_READONLY));
    CHECK(overwrite_image(below("fixed.ome.zarr"), 2, NULL) > 0);
    check_image(below("fixed.ome.zarr"), 2);
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below("fixed.ome.zarr")), 0);
}

/* -- Other processes ----------------------------------------------------------------------------------------------- */

typedef struct {
    HANDLE process, has_begun, may_go; /* events */
} child;

static HANDLE event_of(const char *what, DWORD parent)
{
    char name[80];
    snprintf(name, sizeof name, "ngff-test-%s-%lu", what, parent);
    return CreateEventA(NULL, TRUE, FALSE, name);
}

/* This program again: it writes some regions to the path, and waits. */
static child start_child(const char *path)
{
    char program[MAX_PATH], line[2 * MAX_PATH + 1000];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION made = {0};
    child c = {NULL, event_of("begun", GetCurrentProcessId()), event_of("go", GetCurrentProcessId())};
    ResetEvent(c.has_begun);
    ResetEvent(c.may_go);
    GetModuleFileNameA(NULL, program, sizeof program);
    snprintf(line, sizeof line, "\"%s\" child \"%s\" %lu", program, path, GetCurrentProcessId());
    CHECK(CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &made));
    CloseHandle(made.hThread);
    c.process = made.hProcess;
    HANDLE either[2] = {c.has_begun, c.process};
    CHECK_INT(WaitForMultipleObjects(2, either, FALSE, INFINITE), WAIT_OBJECT_0);
    return c;
}

static void kill_child(child *c)
{
    CHECK(TerminateProcess(c->process, 9));
    WaitForSingleObject(c->process, INFINITE);
}

static DWORD end_child(child *c)
{
    DWORD code = 99;
    WaitForSingleObject(c->process, INFINITE);
    GetExitCodeProcess(c->process, &code);
    CloseHandle(c->process);
    CloseHandle(c->has_begun);
    CloseHandle(c->may_go);
    return code;
}

static int run_child(const char *path, DWORD parent)
{
    static const char *const options[] = {"RESUME=YES", NULL}; /* it leaves what it has done */
    HANDLE has_begun = event_of("begun", parent), may_go = event_of("go", parent);
    ngff_plan *plan = make_plan(options);
    ngff_writer *writer = ngff_writer_open(plan, path);
    give(writer, 5, 12);
    SetEvent(has_begun);
    WaitForSingleObject(may_go, INFINITE);
    give(writer, 5, INT_MAX);
    int32_t status = ngff_writer_close(writer);
    ngff_writer_free(writer);
    ngff_plan_free(plan);
    return status != NGFF_OK;
}

/* The handle of the dead process is held: its number is still there, and so is the process object. */
static void killed_writer_is_taken_over(void)
{
    child c = start_child(below("killed.ome.zarr"));
    kill_child(&c);
    CHECK(is_there(below(".killed.ome.zarr.partial/store")));
    CHECK(!is_there(below("killed.ome.zarr")));
    CHECK(write_image(below("killed.ome.zarr"), 6, NULL, NULL) > 0);
    check_image(below("killed.ome.zarr"), 6);
    CHECK_INT(end_child(&c), 9);
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below("killed.ome.zarr")), 0);
}

static void killed_writer_is_resumed(void)
{
    static const char *const options[] = {"RESUME=YES", NULL};
    child c = start_child(below("resumed.ome.zarr"));
    kill_child(&c);
    CHECK_INT(end_child(&c), 9);
    int32_t n = write_image(below("resumed.ome.zarr"), 5, options, NULL);
    CHECK(n > 0 && n < 20); /* of 4 x 5 regions some are done */
    check_image(below("resumed.ome.zarr"), 5);
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below("resumed.ome.zarr")), 0);
}

static void second_writer_is_refused_and_the_first_goes_on(void)
{
    char text[600];
    child c = start_child(below("both.ome.zarr"));
    CHECK_INT(overwrite_image(below("both.ome.zarr"), 7, text), NGFF_E_EXISTS);
    CHECK(strstr(text, "another program is writing"));
    SetEvent(c.may_go);
    CHECK_INT(end_child(&c), 0);
    check_image(below("both.ome.zarr"), 5);
    CHECK_INT(count_names(place), 1);
    CHECK_INT(local_remove_tree(below("both.ome.zarr")), 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "child") == 0)
        return run_child(argv[2], strtoul(argv[3], NULL, 10));
    place_begin();
    RUN(store_is_written_twice_and_leaves_nothing_beside_it);
    RUN(one_file_is_written_twice);
    RUN(backslashes_are_slashes);
    RUN(names_are_utf8);
    RUN(path_of_300_characters_is_written_and_read);
    RUN(names_that_windows_changes_are_refused);
    RUN(text_has_no_carriage_returns);
    RUN(what_is_held_for_a_moment_is_waited_for);
    RUN(what_is_held_for_long_is_an_error_and_no_missing_file);
    RUN(what_may_not_be_written_to_is_replaced_and_removed);
    RUN(killed_writer_is_taken_over);
    RUN(killed_writer_is_resumed);
    RUN(second_writer_is_refused_and_the_first_goes_on);
    CHECK(RemoveDirectoryA(place));
    CHECK_EXIT();
}
