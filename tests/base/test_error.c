/* test_error.c: the first error wins. */
#include "base/error.h"

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

static void place_is_put_in_front_once(void)
{
    error e = {0};
    error_set(&e, NGFF_E_CORRUPT, "the zstd data are damaged");
    CHECK_INT(error_at(&e, "%s/%s", "/data/a.ome.zarr", "scale0/image/c/0/0"), NGFF_E_CORRUPT);
    CHECK_TEXT(e.message, "/data/a.ome.zarr/scale0/image/c/0/0: the zstd data are damaged");
    error_at(&e, "%s", "/data/a.ome.zarr");
    CHECK_TEXT(e.message, "/data/a.ome.zarr/scale0/image/c/0/0: the zstd data are damaged");
}

static void message_that_names_its_place_gets_no_other(void)
{
    error e = {0}, to = {0};
    error_set(&e, NGFF_E_STORAGE, "cannot read /data/a: Input/output error");
    error_has_place(&e);
    error_copy(&to, &e);
    error_at(&to, "%s", "/data");
    CHECK_TEXT(to.message, "cannot read /data/a: Input/output error");
}

static void place_without_an_error_is_none(void)
{
    error e = {0};
    CHECK_INT(error_at(&e, "%s", "/data"), NGFF_OK);
    CHECK_INT(error_has_place(&e), NGFF_OK);
    CHECK_TEXT(e.message, "");
    error_set(&e, NGFF_E_STATE, "later");
    error_at(&e, "%s", "/data");
    CHECK_TEXT(e.message, "/data: later");
}

static void long_place_is_cut_not_overrun(void)
{
    error e = {0};
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    error_set(&e, NGFF_E_ARGUMENT, "cause");
    error_at(&e, "%s", text);
    CHECK_INT(strlen(e.message), sizeof e.message - 1);
}

int main(void)
{
    RUN(first_error_is_kept);
    RUN(error_is_copied_only_into_an_empty_one);
    RUN(long_message_is_cut_not_overrun);
    RUN(place_is_put_in_front_once);
    RUN(message_that_names_its_place_gets_no_other);
    RUN(place_without_an_error_is_none);
    RUN(long_place_is_cut_not_overrun);
    CHECK_EXIT();
}
