/* test_store_vsi.c: the same protocol through GDAL, on the disk and in /vsimem/; and the scratch of object stores. */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>

#include "local_check.h"

static int vsi_exists(const char *path)
{
    VSIStatBufL s;
    return VSIStatL(path, &s) == 0;
}

static void vsi_make_folder(const char *path)
{
    CHECK_INT(VSIMkdir(path, 0777), 0);
}

static void vsi_write_text(const char *path, const char *text)
{
    VSILFILE *file = VSIFOpenL(path, "wb");
    CHECK(file != NULL);
    if (file) {
        VSIFWriteL(text, 1, strlen(text), file);
        VSIFCloseL(file);
    }
}

static int vsi_count_names(const char *path)
{
    char **names = VSIReadDir(path);
    int n = names ? 0 : -1;
    for (int i = 0; names && names[i]; i++)
        n += strcmp(names[i], ".") != 0 && strcmp(names[i], "..") != 0;
    CSLDestroy(names);
    return n;
}

static int n_messages;

static void CPL_STDCALL count_message(CPLErr class, CPLErrorNum number, const char *text)
{
    (void)class;
    (void)number;
    fprintf(stderr, "GDAL said: %s\n", text);
    n_messages++;
}

typedef struct {
    store *store;
    int number;
} scratcher;

static void *put_scratch(void *argument)
{
    scratcher *s = argument;
    error e = {0};
    char key[40];
    int read = 0;
    snprintf(key, sizeof key, "cell-%d", s->number);
    CHECK_INT(s->store->writing->scratch_put(s->store, key, &s->number, sizeof s->number, &e), NGFF_OK);
    CHECK_INT(s->store->writing->scratch_get(s->store, key, &read, sizeof read, &e), NGFF_OK);
    CHECK_INT(read, s->number);
    return NULL;
}

/* No request leaves the machine: begin is not called. */
static void scratch_of_an_object_store_lies_in_one_temporary_folder(void)
{
    pthread_t threads[8];
    scratcher scratchers[8];
    make_folder(below("tmp"));
    CPLSetConfigOption("CPL_TMPDIR", below("tmp"));
    store *s = store_vsi_open("/vsis3/no-such-bucket/image.ome.zarr");
    for (int i = 0; i < 8; i++) {
        scratchers[i] = (scratcher){s, i};
        pthread_create(&threads[i], NULL, put_scratch, &scratchers[i]);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(count_names(below("tmp")), 1);
    s->ops->free(s);
    CHECK_INT(count_names(below("tmp")), 0);
    error e = {0};
    CPLSetConfigOption("CPL_TMPDIR", below("tmp/none/at/all"));
    s = store_vsi_open("/vsis3/no-such-bucket/image.ome.zarr");
    CHECK_INT(s->writing->scratch_put(s, "cell", "x", 1, &e), NGFF_E_STORAGE);
    CHECK(strstr(e.message, "CPL_TMPDIR"));
    s->ops->free(s);
    CPLSetConfigOption("CPL_TMPDIR", NULL);
}

static void *enter_and_look(void *argument)
{
    void *const *of = argument;
    const store *s = of[0];
    store_enter_thread(s, of[1]);
    char *seen = strdup(CPLGetConfigOption("AWS_SECRET_ACCESS_KEY", "none"));
    CPLError(CE_Failure, CPLE_AppDefined, "workers print nothing");
    store_leave_thread(s);
    CHECK(CPLGetThreadLocalConfigOption("AWS_SECRET_ACCESS_KEY", NULL) == NULL);
    return seen;
}

/* Every kind of store: a folder, one file, an object store, one file on a server. */
static void a_thread_works_with_the_options_of_another(void)
{
    static const char *const paths[] = {"/vsimem/a.ome.zarr", "/vsimem/a.ozx", "/vsis3/no-such-bucket/a.ome.zarr",
                                        "/vsis3/no-such-bucket/a.ozx", "/tmp/a.ome.zarr"};
    int before = n_messages;
    CPLSetThreadLocalConfigOption("AWS_SECRET_ACCESS_KEY", "of this thread");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        pthread_t thread;
        void *seen = NULL;
        store *s = store_vsi_open(paths[i]);
        void *settings = store_settings(s), *both[2] = {s, settings};
        pthread_create(&thread, NULL, enter_and_look, both);
        pthread_join(thread, &seen);
        CHECK_TEXT(seen, "of this thread");
        free(seen);
        store_free_settings(s, settings);
        s->ops->free(s);
    }
    CHECK_TEXT(CPLGetThreadLocalConfigOption("AWS_SECRET_ACCESS_KEY", ""), "of this thread");
    CPLSetThreadLocalConfigOption("AWS_SECRET_ACCESS_KEY", NULL);
    CHECK_INT(n_messages, before);
}

static void gdal_saw_no_message(void)
{
    CHECK_INT(n_messages, 0);
    CHECK_TEXT(CPLGetLastErrorMsg(), "");
}

int main(void)
{
    CPLSetErrorHandler(count_message);
    use_local_place(store_open);
    run_folder_checks();
    run_local_checks();
    RUN(scratch_of_an_object_store_lies_in_one_temporary_folder);
    RUN(a_thread_works_with_the_options_of_another);
    leave_local_place();

    strcpy(root, "/vsimem/stores");
    open_at = store_vsi_open;
    exists = vsi_exists;
    make_folder = vsi_make_folder;
    write_text = vsi_write_text;
    count_names = vsi_count_names;
    make_folder(root);
    run_folder_checks();
    RUN(gdal_saw_no_message);
    VSIRmdirRecursive(root);
    CHECK_EXIT();
}
