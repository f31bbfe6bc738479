/* test_record.c: a run that was stopped and goes on ends in the bytes of a run that was not. On real files. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "store/folder.h"

static char place[200];

static const char *below(const char *name)
{
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

/* -- Runs ---------------------------------------------------------------------------------------------------------- */

typedef struct {
    const picture *picture;
    const uint8_t *pixels, *mask;
    ngff_plan *plan;
    int is_mapped;
} subject;

static ngff_plan *resuming_plan(const picture *p, const char *threads)
{
    ngff_plan *plan = make_plan(p, threads);
    plan->options.resume = 1;
    return plan;
}

/* Writes at most n_most regions. Returns how many came; is_closed: and then closes. */
static int run(const subject *s, const char *name, int n_most, int32_t *closed)
{
    writing w = {s->picture, s->pixels, s->mask, writer_open_store(s->plan, store_file_open(below(name)))};
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    int n = 0;
    while (n < n_most && ngff_writer_next(w.writer, origin, extent) == 1) {
        CHECK_INT(s->is_mapped ? map_region(&w, origin, extent) : write_region(&w, origin, extent), NGFF_OK);
        n++;
    }
    if (closed)
        *closed = ngff_writer_close(w.writer);
    if (closed && *closed != NGFF_OK)
        fprintf(stderr, "%s: %s\n", s->picture->name, ngff_writer_error(w.writer));
    ngff_writer_free(w.writer);
    return n;
}

static void remove_store(const char *name)
{
    CHECK_INT(local_remove_tree(below(name)), 0);
}

static void a_resumed_run_ends_in_the_same_bytes(void)
{
    int n_spared = 0;
    for (int i = 0; i < n_pictures; i++) {
        const picture *p = &pictures[i];
        uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
        for (int part = 1 + i % 3, is_left = 1; is_left; is_left = 0) { /* each picture in one of three ways */
            subject s = {p, pixels, mask, resuming_plan(p, part == 2 ? "NUM_THREADS=0" : "NUM_THREADS=2"), part != 3};
            int32_t closed;
            if (part == 3) { /* rows of blocks at a time */
                int64_t block[MAX_RANK];
                for (int k = 0; k < rank_of(p); k++)
                    block[k] = k < rank_of(p) - 2 ? 1 : k == rank_of(p) - 2 ? 3 : p->shape[k];
                CHECK_INT(ngff_plan_set_source(s.plan, block, 1), NGFF_OK);
            }
            int n = run(&s, "whole", 1 << 20, &closed);
            CHECK_INT(closed, NGFF_OK);
            snapshot expected = take_files(below("whole"));
            CHECK_INT(run(&s, "part", part * n / 4, NULL), part * n / 4);
            CHECK(access(below("part"), F_OK) != 0 && access(below(".part.partial"), F_OK) == 0);
            int rest = run(&s, "part", 1 << 20, &closed);
            CHECK_INT(closed, NGFF_OK);
            CHECK(rest <= n);
            n_spared += n - rest;
            snapshot found = take_files(below("part"));
            CHECK(same_snapshots(&expected, &found, p->name));
            CHECK(access(below(".part.partial"), F_OK) != 0);
            free_snapshot(&expected);
            free_snapshot(&found);
            remove_store("whole");
            remove_store("part");
            ngff_plan_free(s.plan);
        }
        free(pixels);
        free(mask);
    }
    CHECK(n_spared > 150);
}

static subject stopped(ngff_plan *plan, uint8_t *pixels)
{
    subject s = {&pictures[0], pixels, NULL, plan, 1};
    CHECK_INT(run(&s, "part", 20, NULL), 20);
    return s;
}

/* Blocks of the source (24) and shards (16) that do not nest: a lost shard takes the blocks that lie in it with it, and
 * these the other shards that they lie in. */
static void shard_that_is_lost_takes_with_it_what_lies_across_it(void)
{
    static const picture p = {.name = "24 over 16",
                              .dims = "yx",
                              .shape = {72, 72},
                              .type = NGFF_UINT8,
                              .options = {"BLOCKSIZE=8", "SHARD=16"}};
    uint8_t *pixels = make_pixels(&p);
    int32_t closed;
    ngff_plan *plan = resuming_plan(&p, "NUM_THREADS=0");
    CHECK_INT(ngff_plan_set_source(plan, (const int64_t[]){24, 24}, 1), NGFF_OK);
    subject s = {&p, pixels, NULL, plan, 0};
    CHECK_INT(run(&s, "whole", 1 << 20, &closed), 9);
    snapshot expected = take_files(below("whole"));
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 5; x++) {
            char shard[100];
            CHECK_INT(run(&s, "part", 9, NULL), 9);
            snprintf(shard, sizeof shard, ".part.partial/store/scale0/image/c/%d/%d", y, x);
            CHECK_INT(remove(below(shard)), 0);
            CHECK_INT(run(&s, "part", 1 << 20, &closed), (y < 3 ? 2 : 1) * (x < 3 ? 2 : 1));
            CHECK_INT(closed, NGFF_OK);
            snapshot found = take_files(below("part"));
            CHECK(same_snapshots(&expected, &found, shard));
            free_snapshot(&found);
            remove_store("part");
        }
    free_snapshot(&expected);
    remove_store("whole");
    ngff_plan_free(plan);
    free(pixels);
}

/* The writer is gone, but the record may say that an object is stored which is not whole. */
static void objects_of_another_size_are_made_again(void)
{
    uint8_t *pixels = make_pixels(&pictures[0]);
    int32_t closed;
    ngff_plan *plan = resuming_plan(&pictures[0], "NUM_THREADS=0");
    subject s = stopped(plan, pixels);
    snapshot partial = take_files(below(".part.partial/store"));
    int n_cut = 0;
    for (size_t i = 0; i < partial.n; i++)
        if (strncmp(partial.objects[i].key, "/scale0/image/c/", 16) == 0 && i % 2) {
            char name[300];
            snprintf(name, sizeof name, "%s%s", below(".part.partial/store"), partial.objects[i].key);
            CHECK_INT(truncate(name, 3), 0);
            n_cut++;
        }
    CHECK(n_cut > 5);
    CHECK_INT(run(&s, "part", 1 << 20, &closed), 35 - 20 + n_cut);
    CHECK_INT(closed, NGFF_OK);
    run(&s, "whole", 1 << 20, &closed);
    snapshot expected = take_files(below("whole")), found = take_files(below("part"));
    CHECK(same_snapshots(&expected, &found, "cut"));
    free_snapshot(&partial);
    free_snapshot(&expected);
    free_snapshot(&found);
    remove_store("whole");
    remove_store("part");
    ngff_plan_free(plan);
    free(pixels);
}

/* A power cut leaves files that have the right size and something else in them. */
static void objects_with_other_bytes_are_made_again(void)
{
    static const picture *some[3];
    int n_some = 0;
    for (int i = 0; i < n_pictures && n_some < 3; i++) /* one plain, one in shards, one with a mask */
        if ((n_some == 0) || (n_some == 1 && pictures[i].has_mask) ||
            (n_some == 2 && pictures[i].options[0] && strstr(pictures[i].options[0], "SHARD")))
            some[n_some++] = &pictures[i];
    for (int i = 0; i < n_some; i++) {
        uint8_t *pixels = make_pixels(some[i]), *mask = some[i]->has_mask ? make_mask(some[i]) : NULL;
        int32_t closed;
        ngff_plan *plan = resuming_plan(some[i], "NUM_THREADS=2");
        subject s = {some[i], pixels, mask, plan, 1};
        int n = run(&s, "whole", 1 << 20, &closed);
        run(&s, "part", n - 1, NULL);
        snapshot partial = take_files(below(".part.partial/store"));
        int n_damaged = 0;
        for (size_t k = 0; k < partial.n; k += 3) {
            char name[400];
            if (strstr(partial.objects[k].key, "zarr.json") || partial.objects[k].n < 9)
                continue;
            snprintf(name, sizeof name, "%s%s", below(".part.partial/store"), partial.objects[k].key);
            FILE *file = fopen(name, "r+b");
            CHECK(file && fseek(file, -5, SEEK_END) == 0 &&
                  fputc(partial.objects[k].bytes[partial.objects[k].n - 5] ^ 1, file) >= 0 && fclose(file) == 0);
            n_damaged++;
        }
        CHECK(n_damaged > 0);
        CHECK(run(&s, "part", 1 << 20, &closed) > 1);
        CHECK_INT(closed, NGFF_OK);
        snapshot expected = take_files(below("whole")), found = take_files(below("part"));
        CHECK(same_snapshots(&expected, &found, some[i]->name));
        free_snapshot(&partial);
        free_snapshot(&expected);
        free_snapshot(&found);
        remove_store("whole");
        remove_store("part");
        ngff_plan_free(plan);
        free(pixels);
        free(mask);
    }
}

/* Planes share the mask, and a resumed run reads it for those that are done: no other may write it meanwhile. */
static void stored_mask_of_other_planes_is_not_written_again(void)
{
    static const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    const picture *p = NULL;
    for (int i = 0; i < n_pictures && !p; i++)
        p = pictures[i].has_mask && rank_of(&pictures[i]) > 2 && strpbrk(pictures[i].dims, "tz") ? &pictures[i] : NULL;
    CHECK(p != NULL);
    uint8_t *pixels = make_pixels(p), *mask = make_mask(p);
    int32_t closed;
    ngff_plan *plan = resuming_plan(p, "NUM_THREADS=2");
    subject s = {p, pixels, mask, plan, 1};
    int n = run(&s, "whole", 1 << 20, &closed), n_kept = 0;
    run(&s, "part", n / 2, NULL);
    snapshot partial = take_files(below(".part.partial/store"));
    char folder[64] = "/ovr_mask/scale0/";
    for (size_t i = 0; i < partial.n; i++)
        if (strncmp(partial.objects[i].key, folder, strlen(folder)) == 0 &&
            !strstr(partial.objects[i].key, "zarr.json")) {
            char name[400];
            snprintf(name, sizeof name, "%s%s", below(".part.partial/store"), partial.objects[i].key);
            CHECK_INT(utimensat(AT_FDCWD, name, long_ago, 0), 0);
        }
    CHECK(run(&s, "part", 1 << 20, &closed) > 0);
    CHECK_INT(closed, NGFF_OK);
    for (size_t i = 0; i < partial.n; i++)
        if (strncmp(partial.objects[i].key, folder, strlen(folder)) == 0 &&
            !strstr(partial.objects[i].key, "zarr.json")) {
            char name[400];
            struct stat state;
            snprintf(name, sizeof name, "%s%s", below("part"), partial.objects[i].key);
            CHECK_INT(stat(name, &state), 0);
            n_kept += state.st_mtime == long_ago[0].tv_sec;
        }
    CHECK(n_kept > 0);
    snapshot expected = take_files(below("whole")), found = take_files(below("part"));
    CHECK(same_snapshots(&expected, &found, p->name));
    free_snapshot(&partial);
    free_snapshot(&expected);
    free_snapshot(&found);
    remove_store("whole");
    remove_store("part");
    ngff_plan_free(plan);
    free(pixels);
    free(mask);
}

static void lost_mask_is_made_again(void)
{
    const picture *p = NULL;
    for (int i = 0; i < n_pictures && !p; i++)
        p = pictures[i].has_mask ? &pictures[i] : NULL;
    uint8_t *pixels = make_pixels(p), *mask = make_mask(p);
    int32_t closed;
    ngff_plan *plan = resuming_plan(p, "NUM_THREADS=0");
    subject s = {p, pixels, mask, plan, 1};
    int n = run(&s, "whole", 1 << 20, &closed);
    run(&s, "part", n - 1, NULL);
    CHECK_INT(local_remove_tree(below(".part.partial/store/ovr_mask")), 0);
    CHECK(run(&s, "part", 1 << 20, &closed) > 1);
    CHECK_INT(closed, NGFF_OK);
    snapshot expected = take_files(below("whole")), found = take_files(below("part"));
    CHECK(same_snapshots(&expected, &found, p->name));
    free_snapshot(&expected);
    free_snapshot(&found);
    remove_store("whole");
    remove_store("part");
    ngff_plan_free(plan);
    free(pixels);
    free(mask);
}

/* A folder stands where a chunk is noted: it is neither missing nor whole, and the work done is not thrown away. */
static void object_that_cannot_be_read_is_an_error_and_all_is_kept(void)
{
    uint8_t *pixels = make_pixels(&pictures[0]);
    int32_t closed;
    ngff_plan *plan = resuming_plan(&pictures[0], "NUM_THREADS=0");
    subject s = stopped(plan, pixels);
    snapshot partial = take_files(below(".part.partial/store"));
    char name[400], away[420];
    size_t k = 0;
    while (strncmp(partial.objects[k].key, "/scale0/image/c/", 16) != 0)
        k++;
    snprintf(name, sizeof name, "%s%s", below(".part.partial/store"), partial.objects[k].key);
    snprintf(away, sizeof away, "%s.away", name);
    CHECK_INT(rename(name, away), 0);
    CHECK_INT(mkdir(name, 0700), 0);
    ngff_writer *w = writer_open_store(plan, store_file_open(below("part")));
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    CHECK_INT(ngff_writer_status(w), NGFF_OK);
    CHECK_INT(ngff_writer_next(w, origin, extent), NGFF_E_STORAGE);
    CHECK_INT(ngff_writer_status(w), NGFF_E_STORAGE);
    CHECK(strstr(ngff_writer_error(w), partial.objects[k].key + 1) != NULL);
    ngff_writer_free(w);
    CHECK_INT(rmdir(name), 0);
    CHECK_INT(rename(away, name), 0);
    CHECK_INT(run(&s, "part", 1 << 20, &closed), 35 - 20);
    CHECK_INT(closed, NGFF_OK);
    free_snapshot(&partial);
    remove_store("part");
    ngff_plan_free(plan);
    free(pixels);
}

/* The first chunks of a run are on the disk with their notes, whatever becomes of the program. */
static void record_of_a_small_run_is_written_at_once(void)
{
    uint8_t *pixels = make_pixels(&pictures[0]);
    ngff_plan *plan = resuming_plan(&pictures[0], "NUM_THREADS=0");
    writing w = {&pictures[0], pixels, NULL, writer_open_store(plan, store_file_open(below("part")))};
    int64_t origin[MAX_RANK], extent[MAX_RANK];
    for (int i = 0; i < 3 && ngff_writer_next(w.writer, origin, extent) == 1; i++)
        CHECK_INT(map_region(&w, origin, extent), NGFF_OK);
    FILE *file = fopen(below(".part.partial/.record"), "rb");
    char text[1000] = "";
    CHECK(file != NULL && fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    int n_lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n_lines++;
    CHECK(n_lines >= 1 + 2); /* the head, and all but what waits for the next */
    plan->options.resume = 0;
    ngff_writer_free(w.writer);
    ngff_plan_free(plan);
    free(pixels);
}

static void another_source_or_plan_is_refused_and_leaves_all(void)
{
    uint8_t *pixels = make_pixels(&pictures[0]);
    int32_t closed;
    ngff_plan *plan = resuming_plan(&pictures[0], NULL), *other = resuming_plan(&pictures[0], "LEVEL=3");
    ngff_plan *later = resuming_plan(&pictures[0], NULL);
    CHECK_INT(ngff_plan_set_fingerprint(plan, "source of Monday"), NGFF_OK);
    CHECK_INT(ngff_plan_set_fingerprint(later, "source of Tuesday"), NGFF_OK);
    subject s = stopped(plan, pixels);
    snapshot before = take_files(below(".part.partial/store"));
    ngff_plan *const refused[] = {other, later};
    for (int i = 0; i < 2; i++) {
        ngff_writer *w = writer_open_store(refused[i], store_file_open(below("part")));
        CHECK_INT(ngff_writer_status(w), NGFF_E_EXISTS);
        CHECK(strstr(ngff_writer_error(w), "RESUME") != NULL);
        ngff_writer_free(w);
    }
    snapshot after = take_files(below(".part.partial/store"));
    CHECK(same_snapshots(&before, &after, "refused"));
    int n = run(&s, "part", 1 << 20, &closed); /* what waited in the queue was not stored */
    CHECK(n >= 15 && n <= 15 + 5);
    CHECK_INT(closed, NGFF_OK);
    free_snapshot(&before);
    free_snapshot(&after);
    remove_store("part");
    ngff_plan_free(plan);
    ngff_plan_free(other);
    ngff_plan_free(later);
    free(pixels);
}

static void a_run_stopped_at_its_first_note_begins_again(void)
{
    static const int sizes[] = {0, 9};
    uint8_t *pixels = make_pixels(&pictures[0]);
    int32_t closed;
    ngff_plan *plan = resuming_plan(&pictures[0], NULL);
    for (int i = 0; i < 2; i++) {
        subject s = stopped(plan, pixels);
        CHECK_INT(truncate(below(".part.partial/.record"), sizes[i]), 0);
        CHECK_INT(run(&s, "part", 1 << 20, &closed), 35);
        CHECK_INT(closed, NGFF_OK);
        remove_store("part");
    }
    ngff_plan_free(plan);
    free(pixels);
}

static void without_resume_a_stopped_run_leaves_nothing_and_begins_again(void)
{
    uint8_t *pixels = make_pixels(&pictures[0]);
    int32_t closed;
    ngff_plan *plan = resuming_plan(&pictures[0], NULL), *plain = make_plan(&pictures[0], NULL);
    subject s = stopped(plan, pixels);
    s.plan = plain;
    CHECK_INT(run(&s, "part", 20, NULL), 20); /* clears what the other left, and then its own */
    CHECK(access(below(".part.partial"), F_OK) != 0);
    s.plan = plan;
    CHECK_INT(run(&s, "part", 1 << 20, &closed), 35);
    CHECK_INT(closed, NGFF_OK);
    remove_store("part");
    ngff_plan_free(plan);
    ngff_plan_free(plain);
    free(pixels);
}

/* A host that writes in an order of its own may bring what is there: taken, it would be read back as well, and its cell,
 * of which only a part comes, be stored again with fill in the rest. */
static void pixels_that_an_earlier_run_has_stored_are_refused(void)
{
    const picture *p = &pictures[0];
    uint8_t *pixels = make_pixels(p);
    int32_t closed;
    ngff_plan *plan = resuming_plan(p, "NUM_THREADS=0");
    subject s = stopped(plan, pixels);
    for (int has_asked = 0; has_asked < 2; has_asked++) { /* before and after ngff_writer_next has had them read back */
        ngff_writer *w = writer_open_store(plan, store_file_open(below("part")));
        int64_t origin[MAX_RANK], extent[MAX_RANK], zero[MAX_RANK] = {0}, one[MAX_RANK];
        for (int i = 0; i < rank_of(p); i++)
            one[i] = 1;
        while (has_asked && ngff_writer_next(w, origin, extent) == 1)
            ;
        CHECK_INT(ngff_writer_write(w, zero, one, pixels, NULL, NULL, 0), NGFF_E_STATE);
        CHECK(strstr(ngff_writer_error(w), "RESUME") != NULL);
        ngff_writer_free(w);
    }
    CHECK_INT(run(&s, "part", 1 << 20, &closed), 35 - 20);
    CHECK_INT(closed, NGFF_OK);
    remove_store("part");
    ngff_plan_free(plan);
    free(pixels);
}

static void a_push_cannot_be_resumed(void)
{
    ngff_plan *plan = resuming_plan(&pictures[0], NULL);
    ngff_writer *w = writer_push_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_status(w), NGFF_E_OPTION);
    ngff_writer_free(w);
    ngff_plan_free(plan);
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/ngff-record-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(place) != NULL);
    RUN(a_resumed_run_ends_in_the_same_bytes);
    RUN(shard_that_is_lost_takes_with_it_what_lies_across_it);
    RUN(objects_of_another_size_are_made_again);
    RUN(objects_with_other_bytes_are_made_again);
    RUN(stored_mask_of_other_planes_is_not_written_again);
    RUN(lost_mask_is_made_again);
    RUN(object_that_cannot_be_read_is_an_error_and_all_is_kept);
    RUN(record_of_a_small_run_is_written_at_once);
    RUN(another_source_or_plan_is_refused_and_leaves_all);
    RUN(a_run_stopped_at_its_first_note_begins_again);
    RUN(without_resume_a_stopped_run_leaves_nothing_and_begins_again);
    RUN(pixels_that_an_earlier_run_has_stored_are_refused);
    RUN(a_push_cannot_be_resumed);
    CHECK_INT(rmdir(place), 0);
    CHECK_EXIT();
}
