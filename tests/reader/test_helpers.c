/* test_helpers.c: the helpers belong to a process. What a child of fork inherits of them is nothing that it could wait for. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "reader/reader.h"
#include "store/store_memory.h"
#include "writer/writer_store.h"

enum { side = 128 };

static uint16_t pixels[side * side];
static const int64_t origin[2] = {0, 0}, shape[2] = {side, side};

static void write_image(store *s)
{
    static const char *const options[] = {"BLOCKSIZE=8", "COMPRESS=ZSTD", NULL};
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = writer_open_store(plan, s);
    for (int i = 0; i < side * side; i++)
        pixels[i] = (uint16_t)(i * 7 + 1);
    CHECK_INT(ngff_writer_write(w, origin, shape, pixels, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK(store_memory_is_published(s));
    ngff_plan_free(plan);
    ngff_image_free(image);
}

static void read_all(ngff_reader *reader, int n_threads)
{
    static uint16_t found[side * side];
    char message[300] = "";
    memset(found, 0, sizeof found);
    CHECK_INT(ngff_reader_read(reader, 0, origin, shape, found, NULL, n_threads, message, sizeof message), NGFF_OK);
    CHECK_TEXT(message, "");
    CHECK(memcmp(found, pixels, sizeof pixels) == 0);
}

static void use_and_free(ngff_reader *reader)
{
    read_all(reader, 1);
    read_all(reader, 4); /* with helpers of its own */
    ngff_reader_free(reader);
}

static void use_in_a_child_of_its_own(ngff_reader *reader)
{
    int status = -1;
    read_all(reader, 4);
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        alarm(20);
        use_and_free(reader);
        _exit(check_failures > 0);
    }
    waitpid(process, &status, 0);
    CHECK_INT(status, 0);
    use_and_free(reader);
}

static int status_of_child(void (*child)(ngff_reader *), ngff_reader *reader)
{
    int status = -1;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        alarm(60);
        check_failures = 0;
        child(reader);
        _exit(check_failures > 0);
    }
    waitpid(process, &status, 0);
    return status;
}

static void a_child_of_fork_reads_and_frees_what_it_has_inherited(void)
{
    store *s = store_memory_open();
    write_image(s);
    ngff_reader *reader = reader_open_store(s, "memory");
    CHECK_INT(ngff_reader_status(reader), NGFF_OK);
    read_all(reader, 4);
    CHECK_INT(status_of_child(ngff_reader_free, reader), 0); /* at once: the helpers wait in the parent */
    CHECK_INT(status_of_child(use_and_free, reader), 0);
    CHECK_INT(status_of_child(use_in_a_child_of_its_own, reader), 0);
    use_and_free(reader); /* the parent's are as they were */
}

static void a_writer_stays_with_the_process_that_has_opened_it(void)
{
    static const char *const options[] = {"BLOCKSIZE=8", "NUM_THREADS=4", NULL};
    store *s = store_memory_open();
    ngff_image *image = ngff_image_create("yx", shape, NGFF_UINT16);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = writer_open_store(plan, s);
    CHECK_INT(ngff_writer_write(w, origin, shape, pixels, NULL, NULL, 0), NGFF_OK);
    int status = -1;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        int64_t region[2], extent[2];
        alarm(20);
        CHECK_INT(ngff_writer_next(w, region, extent), NGFF_E_STATE);
        CHECK_INT(ngff_writer_write(w, origin, shape, pixels, NULL, NULL, 0), NGFF_E_STATE);
        CHECK(ngff_writer_reader(w) == NULL && ngff_writer_progress(w) == 0);
        CHECK_INT(ngff_writer_close(w), NGFF_E_STATE);
        CHECK(strstr(ngff_writer_error(w), "fork"));
        ngff_writer_free(w);
        _exit(check_failures > 0);
    }
    waitpid(process, &status, 0);
    CHECK_INT(status, 0);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    CHECK(store_memory_is_published(s));
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

int main(void)
{
#ifndef __SANITIZE_THREAD__ /* which ends a child of several threads */
    RUN(a_child_of_fork_reads_and_frees_what_it_has_inherited);
    RUN(a_writer_stays_with_the_process_that_has_opened_it);
#endif
    CHECK_EXIT();
}
