/* test_stored.c: the record of stored chunks, by hand. */
#include "model/stored.h"

#include <stdlib.h>

#include "check.h"

static void make(chunk_set *set, int64_t n, const int64_t *stored, int n_stored)
{
    CHECK(chunk_set_make(set, n));
    for (int i = 0; i < n_stored; i++)
        chunk_set_add(set, stored[i]);
}

static void counts_and_runs_are_texts_that_read_back(void)
{
    chunk_set sets[3], back[3];
    int64_t counts[3] = {0};
    make(&sets[0], 17, (int64_t[]){0, 1, 8, 16}, 4);
    make(&sets[1], 2, (int64_t[]){0, 1}, 2);
    make(&sets[2], 1, NULL, 0);
    char *text = stored_counts_text(sets, 3), *empty = stored_empty_text(sets, 3, 1000);
    CHECK_TEXT(text, "[4,2,0]");
    CHECK_TEXT(empty, "[[2,6,9,7],[],[0,1]]");
    CHECK_INT(stored_counts_read(text, counts, 3), 3);
    CHECK_INT(counts[0], 4);
    CHECK_INT(counts[2], 0);
    for (int i = 0; i < 3; i++)
        CHECK(chunk_set_make(&back[i], sets[i].n));
    stored_runs runs[3] = {{0}};
    CHECK_INT(stored_runs_read(text, empty, (int64_t[]){17, 2, 1}, 3, runs), 1);
    for (int i = 0; i < 3; i++) {
        chunk_set_fill(&back[i], &runs[i]);
        stored_runs_release(&runs[i]);
    }
    for (int i = 0; i < 3; i++)
        for (int64_t chunk = 0; chunk < sets[i].n; chunk++)
            CHECK_INT(chunk_set_has(&back[i], chunk), chunk_set_has(&sets[i], chunk));
    free(text);
    free(empty);
    for (int i = 0; i < 3; i++) {
        chunk_set_release(&sets[i]);
        chunk_set_release(&back[i]);
    }
}

static void nothing_is_said_where_all_are_stored_or_the_text_would_be_too_long(void)
{
    chunk_set set;
    make(&set, 3, (int64_t[]){0, 1, 2}, 3);
    CHECK(stored_empty_text(&set, 1, 1000) == NULL);
    chunk_set_release(&set);
    CHECK(chunk_set_make(&set, 100000));
    for (int64_t chunk = 0; chunk < 100000; chunk += 2)
        chunk_set_add(&set, chunk);
    CHECK(stored_empty_text(&set, 1, 1000) == NULL);
    char *text = stored_empty_text(&set, 1, 10 << 20);
    CHECK(text && strlen(text) > 100000);
    free(text);
    chunk_set_release(&set);
}

static void chunks_outside_are_neither_kept_nor_there(void)
{
    chunk_set set;
    make(&set, 8, (int64_t[]){-1, 8, 100}, 3);
    CHECK_INT(chunk_set_count(&set), 0);
    CHECK(!chunk_set_has(&set, -1) && !chunk_set_has(&set, 8));
    chunk_set_release(&set);
}

static void counts_by_others_are_refused(void)
{
    int64_t counts[2];
    CHECK_INT(stored_counts_read("[1,2,3]", counts, 2), -1);
    CHECK_INT(stored_counts_read("[1]", counts, 2), 1);
    CHECK_INT(stored_counts_read("[ 1 , 2 ]", counts, 2), 2);
    CHECK_INT(stored_counts_read("\"x\"", counts, 2), -1);
}

static void runs_are_looked_up_and_agree_with_the_counts(void)
{
    static const int64_t n_chunks[] = {17, 2, 1, INT64_MAX};
    stored_runs runs[4] = {{0}};
    CHECK_INT(stored_runs_read("[4,2,0,9223372036854775]", "[[2,6,9,7],[],[0,1],[0,1]]", n_chunks, 4, runs), 0);
    CHECK_INT(stored_runs_read("[4,2,0,0]", NULL, n_chunks, 4, runs), 1); /* only all and none are known */
    CHECK(!runs[0].is_known && runs[1].is_known && runs[2].is_known && runs[3].is_known);
    CHECK(!stored_runs_has(&runs[1], 1) && stored_runs_has(&runs[2], 0) && stored_runs_has(&runs[3], INT64_MAX - 1));
    for (int i = 0; i < 4; i++)
        stored_runs_release(&runs[i]);
    CHECK_INT(stored_runs_read("[4,2,0]", "[[2,6,9,7],[],[0,1]]", n_chunks, 3, runs), 1);
    for (int64_t chunk = -1; chunk < 18; chunk++)
        CHECK_INT(stored_runs_has(&runs[0], chunk), (chunk >= 2 && chunk < 8) || (chunk >= 9 && chunk < 16));
    CHECK(!stored_runs_has(&runs[1], 0) && stored_runs_has(&runs[2], 0));
    for (int i = 0; i < 3; i++)
        stored_runs_release(&runs[i]);
}

static void set_of_runs_has_what_is_in_none(void)
{
    static const char *const texts[] = {"[[]]",         "[[0,40]]",    "[[3,2,9,7,39,1]]",
                                        "[[0,8,16,8]]", "[[7,1,8,1]]", "[[1,38]]"};
    static const int n_stored[] = {40, 0, 30, 24, 38, 2};
    static const int64_t n_chunks[] = {40};
    for (int i = 0; i < 6; i++) {
        char counts[20];
        stored_runs runs = {0};
        chunk_set set;
        snprintf(counts, sizeof counts, "[%d]", n_stored[i]);
        int status = stored_runs_read(counts, texts[i], n_chunks, 1, &runs);
        CHECK_INT(status, i != 4); /* two runs that are one */
        CHECK(chunk_set_make(&set, 40));
        if (status == 1)
            chunk_set_fill(&set, &runs);
        for (int64_t chunk = 0; status == 1 && chunk < 40; chunk++)
            CHECK_INT(chunk_set_has(&set, chunk), !stored_runs_has(&runs, chunk));
        CHECK_INT(chunk_set_count(&set), status == 1 ? n_stored[i] : 0);
        chunk_set_release(&set);
        stored_runs_release(&runs);
    }
}

static void runs_of_others_are_refused_as_a_whole(void)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "[",
                                      "[[0,1]",
                                      "[[0]]",
                                      "[[5,1]]",
                                      "[[0,6]]",
                                      "[[-1,1]]",
                                      "[[0,1],[0,1]]",
                                      "[[4,99999999999999999999]]",
                                      "[[0,1.5]]",
                                      "{\"a\":1}",
                                      "[0,1]",
                                      "[[0,0]]",
                                      "[[1,1,0,1]]",
                                      "[[0,1,1,1]]",
                                      "[[0,2]]",
                                      "[[]]",
                                      "[[0,1]]x"};
    static const int64_t n_chunks[] = {5};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stored_runs runs = {0};
        CHECK_INT(stored_runs_read("[4]", bad[i], n_chunks, 1, &runs), i == sizeof bad / sizeof bad[0] - 1);
        CHECK(i == sizeof bad / sizeof bad[0] - 1 || !runs.is_known);
        stored_runs_release(&runs);
    }
    stored_runs runs = {0};
    CHECK_INT(stored_runs_read("[6]", NULL, n_chunks, 1, &runs), 0);
    CHECK_INT(stored_runs_read("[1,2]", NULL, n_chunks, 1, &runs), 0);
    CHECK_INT(stored_runs_read("", NULL, n_chunks, 1, &runs), 0);
}

int main(void)
{
    RUN(counts_and_runs_are_texts_that_read_back);
    RUN(nothing_is_said_where_all_are_stored_or_the_text_would_be_too_long);
    RUN(chunks_outside_are_neither_kept_nor_there);
    RUN(counts_by_others_are_refused);
    RUN(runs_are_looked_up_and_agree_with_the_counts);
    RUN(set_of_runs_has_what_is_in_none);
    RUN(runs_of_others_are_refused_as_a_whole);
    CHECK_EXIT();
}
