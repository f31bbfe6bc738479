/* test_job.c: parts, written by themselves, are byte for byte the store of one run. On real files. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "place.h"
#include "store/folder.h"

static uint8_t *pixels, *mask;

static void begin_picture(const picture *p)
{
    pixels = make_pixels(p);
    mask = p->has_mask ? make_mask(p) : NULL;
}

static void end_picture(void)
{
    free(pixels);
    free(mask);
    pixels = mask = NULL;
}

static ngff_plan *part_plan(const picture *p, int i, int n)
{
    char option[32];
    snprintf(option, sizeof option, "PART=%d/%d", i, n);
    ngff_plan *plan = make_plan(p, option);
    CHECK_INT(ngff_plan_set_fingerprint(plan, p->name), NGFF_OK);
    return plan;
}

/* A part up to its close; at most so many regions. */
static ngff_writer *write_part(const picture *p, const char *name, int i, int n, int n_most)
{
    ngff_plan *plan = part_plan(p, i, n);
    writing w = {p, pixels, mask, ngff_writer_open(plan, below(name))};
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    while (n_most-- > 0 && ngff_writer_next(w.writer, origin, extent) == 1)
        if ((i % 2 ? map_region(&w, origin, extent) : write_region(&w, origin, extent)) != NGFF_OK)
            break;
    ngff_plan_free(plan);
    return w.writer;
}

static int32_t make_part(const picture *p, const char *name, int i, int n)
{
    ngff_writer *w = write_part(p, name, i, n, 1 << 20);
    int32_t status = ngff_writer_close(w);
    if (status != NGFF_OK)
        fprintf(stderr, "%s, part %d of %d: %s\n", p->name, i, n, ngff_writer_error(w));
    ngff_writer_free(w);
    return status;
}

/* The message, if it must fail. */
static int32_t finish(const char *name, const char *const *options, char message[1000])
{
    ngff_writer *w = ngff_writer_open_finish(below(name), options);
    int32_t status = ngff_writer_close(w);
    snprintf(message, 1000, "%s", ngff_writer_error(w));
    ngff_writer_free(w);
    return status;
}

static snapshot whole(const picture *p)
{
    ngff_plan *plan = make_plan(p, NULL);
    writing w = {p, pixels, mask, ngff_writer_open(plan, below("whole"))};
    write_all(&w, BY_MAP);
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    snapshot all = take_files(below("whole"));
    remove_below("whole");
    return all;
}

static int nothing_opens(const char *name)
{
    ngff_reader *r = ngff_reader_open(below(name));
    int32_t status = ngff_reader_status(r);
    ngff_reader_free(r);
    return status == NGFF_E_NOT_FOUND && access(below(name), F_OK) != 0;
}

static void check_finished(const picture *p, const snapshot *expected)
{
    char message[1000];
    CHECK_INT(finish("parts", NULL, message), NGFF_OK);
    if (message[0])
        fprintf(stderr, "%s: %s\n", p->name, message);
    snapshot found = take_files(below("parts"));
    CHECK(same_snapshots(expected, &found, p->name));
    CHECK(access(below(".parts.partial"), F_OK) != 0);
    free_snapshot(&found);
    remove_below("parts");
}

/* Every picture, in 1, 2, 3, 7 and 64 parts, each time in another order. */
static void parts_in_any_order_are_the_bytes_of_one_run(void)
{
    static const int numbers[] = {1, 2, 3, 7, 64};
    for (int k = 0; k < n_pictures; k++) {
        const picture *p = &pictures[k];
        begin_picture(p);
        snapshot expected = whole(p);
        for (int m = 0; m < 5; m++) {
            int n = numbers[m], step = n == 7 ? 3 : n == 64 ? 37 : n == 3 ? 2 : 1;
            for (int j = 0; j < n; j++) {
                CHECK_INT(make_part(p, "parts", (j * step + k) % n + 1, n), NGFF_OK);
                CHECK(nothing_opens("parts"));
            }
            check_finished(p, &expected);
        }
        free_snapshot(&expected);
        end_picture();
    }
}

static const picture some = {.name = "shards, gauss, planes",
                             .dims = "tczyx",
                             .shape = {2, 2, 3, 150, 170},
                             .type = NGFF_UINT16,
                             .options = {"BLOCKSIZE=16", "SHARD=32", "OVERVIEW_RESAMPLING=GAUSS"},
                             .has_mask = 1,
                             .has_whole_mask = 1};

static void part_reads_only_what_it_needs(void)
{
    static const picture p = {.name = "units of 64",
                              .dims = "yx",
                              .shape = {512, 512},
                              .type = NGFF_UINT8,
                              .options = {"BLOCKSIZE=16", "OVERVIEW_RESAMPLING=AVERAGE"}};
    /* Four parts: sixteen units of 128 pixels, which are cells of 16 on the level of factor 8. */
    begin_picture(&p);
    for (int i = 1; i <= 4; i++) {
        ngff_plan *plan = part_plan(&p, i, 4);
        ngff_writer *w = ngff_writer_open(plan, below("parts"));
        int64_t origin[2], extent[2], n = 0;
        while (ngff_writer_next(w, origin, extent) == 1) {
            n += extent[0] * extent[1];
            CHECK_INT(origin[0] / 256 * 2 + origin[1] / 256, i - 1); /* Morton order: a quarter each */
        }
        CHECK_INT(n, 256 * 256);
        ngff_writer_free(w);
        ngff_plan_free(plan);
    }
    char message[300];
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_OK);
    end_picture();
}

static void status_tells_which_parts_are_there(void)
{
    char message[1000];
    uint8_t is_made[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    begin_picture(&some);
    CHECK_INT(ngff_parts_status(below("parts"), is_made, 8, message, sizeof message), 0);
    CHECK_INT(make_part(&some, "parts", 2, 5), NGFF_OK);
    CHECK_INT(make_part(&some, "parts", 5, 5), NGFF_OK);
    CHECK_INT(ngff_parts_status(below("parts"), is_made, 8, message, sizeof message), 5);
    CHECK_INT(memcmp(is_made, (uint8_t[]){0, 1, 0, 0, 1, 9, 9, 9}, 8), 0);
    CHECK_INT(ngff_parts_status(below("parts"), is_made, 0, message, sizeof message), 5);
    CHECK_INT(finish("parts", NULL, message), NGFF_E_STATE);
    CHECK(strstr(message, "3 of 5 parts are missing: 1, 3, 4") != NULL);
    CHECK(nothing_opens("parts"));
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_OK);
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_E_NOT_FOUND);
    CHECK(strstr(message, "no parts are there") != NULL);
    CHECK_INT(finish("parts", NULL, message), NGFF_E_NOT_FOUND);
    end_picture();
}

/* A task that is repeated, one whose program was stopped, and two of the same at once. */
static void part_may_be_made_again(void)
{
    begin_picture(&some);
    snapshot expected = whole(&some);
    ngff_writer_free(write_part(&some, "parts", 1, 3, 5));
    CHECK_INT(make_part(&some, "parts", 1, 3), NGFF_OK);
    CHECK_INT(make_part(&some, "parts", 1, 3), NGFF_OK);
    ngff_writer *a = write_part(&some, "parts", 2, 3, 7), *b = write_part(&some, "parts", 2, 3, 1 << 20);
    CHECK_INT(make_part(&some, "parts", 3, 3), NGFF_OK);
    CHECK_INT(ngff_writer_close(b), NGFF_OK);
    ngff_writer_free(b);
    check_finished(&some, &expected);
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    writing w = {&some, pixels, mask, a}; /* one that nobody has waited for */
    while (ngff_writer_next(a, origin, extent) == 1 && map_region(&w, origin, extent) == NGFF_OK)
        ;
    CHECK_INT(ngff_writer_close(a), NGFF_E_STATE);
    CHECK(strstr(ngff_writer_error(a), "put together, or given up, in the meantime") != NULL);
    ngff_writer_free(a);
    CHECK(nothing_opens("parts") && access(below(".parts.partial"), F_OK) != 0);
    free_snapshot(&expected);
    end_picture();
}

/* What a program writes whose job has ended never gets into another one. */
static void forgotten_part_is_in_nobodys_way(void)
{
    picture other = some;
    char message[1000];
    other.options[2] = "OVERVIEW_RESAMPLING=NEAREST";
    begin_picture(&some);
    snapshot expected = whole(&other);
    ngff_writer *a = write_part(&some, "parts", 1, 2, 7);
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_OK);
    CHECK_INT(make_part(&other, "parts", 1, 2), NGFF_OK);
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    writing w = {&some, pixels, mask, a};
    while (ngff_writer_next(a, origin, extent) == 1 && map_region(&w, origin, extent) == NGFF_OK)
        ;
    CHECK_INT(ngff_writer_close(a), NGFF_E_STATE);
    ngff_writer_free(a);
    CHECK_INT(make_part(&other, "parts", 2, 2), NGFF_OK);
    check_finished(&other, &expected);
    free_snapshot(&expected);
    end_picture();
}

static void expect_refusal(ngff_plan *plan, int32_t status, const char *words)
{
    ngff_writer *w = ngff_writer_open(plan, below("parts"));
    CHECK_INT(ngff_writer_status(w), status);
    CHECK(strstr(ngff_writer_error(w), words) != NULL);
    if (!strstr(ngff_writer_error(w), words))
        fprintf(stderr, "%s\n", ngff_writer_error(w));
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

static void parts_of_another_store_are_refused(void)
{
    picture other = some;
    char message[1000];
    begin_picture(&some);
    CHECK_INT(make_part(&some, "parts", 1, 3), NGFF_OK);
    other.options[1] = "SHARD=64";
    expect_refusal(part_plan(&other, 2, 3), NGFF_E_EXISTS, "of another run of");
    expect_refusal(part_plan(&some, 2, 4), NGFF_E_EXISTS, "another number of parts");
    ngff_plan *plan = part_plan(&some, 2, 3);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "another source"), NGFF_OK);
    expect_refusal(plan, NGFF_E_EXISTS, "of another source");
    expect_refusal(make_plan(&some, NULL), NGFF_E_EXISTS, "omezarr abandon");
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_OK);
    end_picture();
}

static void what_has_no_parts_says_so(void)
{
    begin_picture(&some);
    ngff_plan *plan = part_plan(&some, 1, 2);
    ngff_writer *w = ngff_writer_open_push(plan, below("parts"));
    CHECK_INT(ngff_writer_status(w), NGFF_E_OPTION);
    ngff_writer_free(w);
    w = writer_open_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_status(w), NGFF_E_OPTION);
    CHECK(strstr(ngff_writer_error(w), "PART=1/2 goes to a folder or an object store") != NULL);
    ngff_writer_free(w);
    CHECK_INT(ngff_plan_set_given(plan, 1), NGFF_OK);
    expect_refusal(plan, NGFF_E_OPTION, "makes the levels");
    end_picture();
}

static void pixels_of_other_parts_are_refused(void)
{
    char message[300];
    begin_picture(&pictures[0]);
    ngff_plan *plan = part_plan(&pictures[0], 1, 2);
    writing w = {&pictures[0], pixels, NULL, ngff_writer_open(plan, below("parts"))};
    CHECK_INT(write_region(&w, (const int64_t[]){0, 0}, (const int64_t[]){16, 16}), NGFF_OK);
    CHECK_INT(ngff_writer_status(w.writer), NGFF_OK);
    CHECK(ngff_writer_reader(w.writer) == NULL);
    ngff_writer_free(w.writer);
    w.writer = ngff_writer_open(plan, below("parts"));
    CHECK_INT(write_region(&w, (const int64_t[]){80, 48}, (const int64_t[]){16, 16}), NGFF_E_ARGUMENT);
    CHECK(strstr(ngff_writer_error(w.writer), "pixels of another part") != NULL);
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_OK);
    end_picture();
}

/* The rest of a file's text behind a word; what it is up to a line break. */
static int has_line_of(const char *name, const char *name_of_other, const char *word)
{
    char text[2][40000] = {"", ""};
    const char *names[2] = {name, name_of_other}, *found[2];
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(below(names[i]), "rb");
        CHECK(file && fread(text[i], 1, sizeof text[i] - 1, file) > 0 && fclose(file) == 0);
        found[i] = strstr(text[i], word);
    }
    return found[0] && found[1] && strncmp(found[0], found[1], strcspn(found[0], "\n")) == 0;
}

static void report_has_the_digests_of_one_run(void)
{
    picture with = some;
    char option[300], message[1000], other[300];
    snprintf(option, sizeof option, "REPORT=%s", below("a.json"));
    snprintf(other, sizeof other, "REPORT=%s", below("b.json"));
    with.options[3] = option;
    begin_picture(&some);
    snapshot expected = whole(&with);
    for (int i = 3; i > 0; i--)
        CHECK_INT(make_part(&with, "parts", i, 3), NGFF_OK);
    CHECK_INT(finish("parts", (const char *const[]){other, NULL}, message), NGFF_OK);
    snapshot found = take_files(below("parts"));
    CHECK(same_snapshots(&expected, &found, "with a report"));
    CHECK(has_line_of("a.json", "b.json", "\"tree\""));
    CHECK(has_line_of("a.json", "b.json", "\"arrays\""));
    free_snapshot(&found);
    free_snapshot(&expected);
    remove_below("parts");
    remove_below("a.json");
    remove_below("b.json");
    for (int i = 1; i <= 2; i++)
        CHECK_INT(make_part(&some, "parts", i, 2), NGFF_OK);
    CHECK_INT(finish("parts", (const char *const[]){option, NULL}, message), NGFF_E_OPTION);
    CHECK(strstr(message, "was made without it") != NULL && access(below("a.json"), F_OK) != 0);
    CHECK_INT(finish("parts", (const char *const[]){"VERIFY=STORE", NULL}, message), NGFF_OK);
    remove_below("parts");
    end_picture();
}

static void finish_takes_options_of_a_run_only(void)
{
    char message[1000];
    begin_picture(&some);
    CHECK_INT(make_part(&some, "parts", 1, 1), NGFF_OK);
    CHECK_INT(finish("parts", (const char *const[]){"BLOCKSIZE=32", NULL}, message), NGFF_E_OPTION);
    CHECK(strstr(message, "BLOCKSIZE=32: the parts that are there say this") != NULL);
    CHECK_INT(finish("parts", (const char *const[]){"PART=1/2", NULL}, message), NGFF_E_OPTION);
    CHECK_INT(finish("parts", (const char *const[]){"NUM_THREADS=0", "MEMORY=64MB", NULL}, message), NGFF_OK);
    CHECK_INT(make_part(&some, "other", 1, 1), NGFF_OK);
    CHECK_INT(rename(below("parts"), below("kept")), 0);
    remove_below("kept");
    CHECK_INT(ngff_parts_abandon(below("other"), message, sizeof message), NGFF_OK);
    end_picture();
}

/* An old store stays until the last moment, and is replaced only if that was said. */
static void parts_replace_a_store(void)
{
    char message[1000];
    picture over = some;
    begin_picture(&some);
    snapshot expected = whole(&some);
    CHECK_INT(make_part(&some, "parts", 1, 1), NGFF_OK);
    CHECK_INT(finish("parts", NULL, message), NGFF_OK);
    expect_refusal(part_plan(&some, 1, 2), NGFF_E_EXISTS, "OVERWRITE");
    over.options[3] = "OVERWRITE=YES";
    CHECK_INT(make_part(&over, "parts", 1, 2), NGFF_OK);
    snapshot old = take_files(below("parts"));
    CHECK(same_snapshots(&expected, &old, "the old store"));
    CHECK_INT(make_part(&over, "parts", 2, 2), NGFF_OK);
    check_finished(&over, &expected);
    free_snapshot(&old);
    free_snapshot(&expected);
    end_picture();
}

/* A record that is damaged, an object that is lost: said, and the part is made again. */
static void what_is_damaged_is_said(void)
{
    char message[1000], record[300], job[64] = "";
    const picture *p = &pictures[0]; /* cut at level 1, which is read again; of level 0 it takes VERIFY to see it */
    static const char *const lost[] = {"ovr_2x/image/c/0/0", "scale0/image/c/0/0"};
    begin_picture(p);
    snapshot expected = whole(p);
    for (int i = 1; i <= 2; i++)
        CHECK_INT(make_part(p, "parts", i, 2), NGFF_OK);
    FILE *owner = fopen(below(".parts.partial/.owner"), "r");
    CHECK(owner && fscanf(owner, "-1 %63s", job) == 1 && fclose(owner) == 0);
    snprintf(record, sizeof record, ".parts.partial/%s/.record.2", job);
    CHECK_INT(truncate(below(record), 100), 0);
    CHECK_INT(finish("parts", NULL, message), NGFF_E_CORRUPT);
    CHECK(strstr(message, "the record of part 2 is damaged") != NULL);
    CHECK_INT(make_part(p, "parts", 2, 2), NGFF_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(record, sizeof record, ".parts.partial/%s/store/%s", job, lost[i]);
        CHECK_INT(remove(below(record)), 0);
        CHECK(finish("parts", i ? (const char *const[]){"VERIFY=STORE", NULL} : NULL, message) != NGFF_OK);
        CHECK(strstr(message, "missing") != NULL && nothing_opens("parts"));
        CHECK_INT(make_part(p, "parts", 1, 2), NGFF_OK);
    }
    check_finished(p, &expected);
    free_snapshot(&expected);
    end_picture();
}

static void masks_of_parts_must_be_the_same(void)
{
    char message[1000];
    static const picture p = {.name = "planes",
                              .dims = "zyx",
                              .shape = {8, 40, 40},
                              .type = NGFF_UINT8,
                              .options = {"BLOCKSIZE=z:1,y:16,x:16"},
                              .has_mask = 1};
    begin_picture(&p);
    for (int i = 1; i <= 2; i++) {
        CHECK_INT(make_part(&p, "parts", i, 2), NGFF_OK);
        mask[0] = mask[0] ? 0 : 255;
    }
    CHECK_INT(finish("parts", NULL, message), NGFF_E_ARGUMENT);
    CHECK(strstr(message, "masks of two parts differ") != NULL);
    CHECK_INT(ngff_parts_abandon(below("parts"), message, sizeof message), NGFF_OK);
    end_picture();
}

/* Processes at once, one of them killed, and one that puts the parts together too early, again and again. */
static void parts_run_side_by_side(void)
{
    char message[1000];
    begin_picture(&some);
    snapshot expected = whole(&some);
    pid_t children[8];
    for (int i = 0; i < 8; i++)
        if ((children[i] = fork()) == 0) {
            alarm(120);
            if (i == 7)
                kill(getpid(), 9); /* SIGKILL, which Windows has not */
            _exit(make_part(&some, "parts", i % 7 + 1, 7) == NGFF_OK ? 0 : 1);
        }
    for (int i = 0; i < 8; i++) {
        int status = 0;
        finish("parts", NULL, message);
        CHECK_INT(waitpid(children[i], &status, 0), children[i]);
        CHECK(i == 7 || (WIFEXITED(status) && WEXITSTATUS(status) == 0) || access(below("parts"), F_OK) == 0);
    }
    if (access(below("parts"), F_OK) != 0)
        CHECK_INT(finish("parts", NULL, message), NGFF_OK);
    snapshot found = take_files(below("parts"));
    CHECK(same_snapshots(&expected, &found, "side by side"));
    free_snapshot(&found);
    free_snapshot(&expected);
    remove_below("parts");
    end_picture();
}

int main(void)
{
    place_begin();
    RUN(parts_in_any_order_are_the_bytes_of_one_run);
    RUN(part_reads_only_what_it_needs);
    RUN(status_tells_which_parts_are_there);
    RUN(part_may_be_made_again);
    RUN(forgotten_part_is_in_nobodys_way);
    RUN(parts_of_another_store_are_refused);
    RUN(what_has_no_parts_says_so);
    RUN(pixels_of_other_parts_are_refused);
    RUN(report_has_the_digests_of_one_run);
    RUN(finish_takes_options_of_a_run_only);
    RUN(parts_replace_a_store);
    RUN(what_is_damaged_is_said);
    RUN(masks_of_parts_must_be_the_same);
    RUN_POSIX(parts_run_side_by_side, "fork");
    place_end();
    CHECK_EXIT();
}
