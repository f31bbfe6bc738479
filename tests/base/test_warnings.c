/* test_warnings.c: lines in order, each once, few of them. */
#include "base/warnings.h"

#include "check.h"

static void lines_are_given_once_in_order(void)
{
    warnings w = {.n = 0};
    CHECK(warnings_next(&w) == NULL);
    warnings_add(&w, "%s %d", "a", 1);
    warnings_add(&w, "b");
    CHECK_TEXT(warnings_next(&w), "a 1");
    CHECK_TEXT(warnings_next(&w), "b");
    CHECK(warnings_next(&w) == NULL);
    warnings_release(&w);
    warnings_add(NULL, "nobody asks");
}

static void a_list_is_taken_over_with_its_place(void)
{
    warnings from = {.n = 0}, to = {.n = 0};
    warnings_add(&to, "first");
    warnings_add(&from, "second");
    warnings_move(&to, &from, "/a.zarr");
    CHECK_INT(from.n, 0);
    CHECK_TEXT(warnings_next(&to), "first");
    CHECK_TEXT(warnings_next(&to), "/a.zarr: second");
    warnings_release(&to);
}

static void the_last_line_says_that_there_are_more(void)
{
    warnings w = {.n = 0}, all = {.n = 0};
    for (int i = 0; i < 100; i++)
        warnings_add(&w, "line %d", i);
    CHECK_INT(w.n, most_warnings);
    CHECK_TEXT(w.texts[most_warnings - 2], "line 22");
    CHECK(strstr(w.texts[most_warnings - 1], "more warnings"));
    warnings_move(&all, &w, "/a.zarr");
    CHECK(strncmp(all.texts[most_warnings - 1], "there are more", 14) == 0);
    warnings_release(&all);
}

int main(void)
{
    RUN(lines_are_given_once_in_order);
    RUN(a_list_is_taken_over_with_its_place);
    RUN(the_last_line_says_that_there_are_more);
    CHECK_EXIT();
}
