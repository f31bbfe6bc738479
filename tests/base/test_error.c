/* test_error.c: the first error wins. */
#include "error.h"

#include "check.h"

static void first_error_is_kept(void)
{
    error e = {0};
    CHECK_INT(error_set(&e, NGFF_E_STORAGE, "cannot write %s", "a"), NGFF_E_STORAGE);
    CHECK_INT(error_set(&e, NGFF_E_MEMORY, "later"), NGFF_E_STORAGE);
    CHECK_TEXT(e.message, "cannot write a");
}

static void error_is_copied_only_into_an_empty_one(void)
{
    error none = {0}, first = {0}, second = {0}, to = {0};
    error_set(&first, NGFF_E_STATE, "first");
    error_set(&second, NGFF_E_OPTION, "second");
    CHECK_INT(error_copy(&to, &none), NGFF_OK);
    CHECK_INT(error_copy(&to, &first), NGFF_E_STATE);
    CHECK_INT(error_copy(&to, &second), NGFF_E_STATE);
    CHECK_TEXT(to.message, "first");
}

static void long_message_is_cut_not_overrun(void)
{
    error e = {0};
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    error_set(&e, NGFF_E_ARGUMENT, "%s", text);
    CHECK_INT(strlen(e.message), sizeof e.message - 1);
}

int main(void)
{
    RUN(first_error_is_kept);
    RUN(error_is_copied_only_into_an_empty_one);
    RUN(long_message_is_cut_not_overrun);
    CHECK_EXIT();
}
