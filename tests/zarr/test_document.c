/* test_document.c: where documents come from, and the paths in them. */
#include <string.h>

#include "check.h"
#include "zarr/document.h"

static int32_t get_page(void *user, const char *key, char **text, size_t *n, error *e)
{
    (void)user, (void)key, (void)e;
    *text = strdup(" <html>no such thing</html>");
    *n = strlen(*text);
    return NGFF_OK;
}

/* Servers send a page with the status 200 for what they do not have. */
static void a_page_is_no_document(void)
{
    const document_source source = document_source_of(get_page, NULL, NULL);
    document d;
    error e = {0}, refused = {0};
    CHECK_INT(document_open(&source, "a", "zarr.json", &d, &e), NGFF_E_CORRUPT);
    CHECK(strstr(e.message, "a/zarr.json is a page, not JSON") != NULL);
    e = (error){0};
    CHECK_INT(document_probe(&source, "a", "zarr.json", &d, &refused, &e), NGFF_E_NOT_FOUND);
    CHECK_INT(e.status, NGFF_OK);
    CHECK_INT(refused.status, NGFF_E_CORRUPT);
}

static void paths_stay_below_the_root(void)
{
    static const char *const safe[] = {"0", "A/1/0", "labels/a b"};
    static const char *const unsafe[] = {"",       "/",   "/a",  "a/",   "a//b", "..",
                                         "a/../b", "./a", "c:a", "a\\b", "a?b",  "a\nb"};
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++)
        CHECK(path_is_safe(safe[i]));
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
        CHECK(!path_is_safe(unsafe[i]));
}

static void what_a_path_says_twice_is_left_out(void)
{
    static const char *const spellings[] = {"a/0", "./a/0", "a//0", "/a/0", "a/0/", "a/./0"};
    char clean[most_path + 1];
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        CHECK(path_clean(spellings[i], clean) == NULL);
        CHECK_TEXT(clean, "a/0");
    }
    CHECK_TEXT(path_clean("a/../../b", clean), "it does not stay below the root");
    CHECK_TEXT(path_clean("./", clean), "it is the group itself");
}

int main(void)
{
    RUN(a_page_is_no_document);
    RUN(paths_stay_below_the_root);
    RUN(what_a_path_says_twice_is_left_out);
    CHECK_EXIT();
}
