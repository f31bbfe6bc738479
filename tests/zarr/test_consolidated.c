/* test_consolidated.c: what the root of a store tells of its other documents, over a server that counts. */
#include "metadata/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "zarr/consolidated.h"

typedef struct {
    const char *key, *text;
} object;

/* What the server does for a document that it does not have. */
static enum { SAYS_SO, REFUSES, SENDS_A_PAGE, n_kinds } absent;
static int n_asked;

static int32_t give(void *user, const char *key, char **text, size_t *n, error *e)
{
    const object *o = user;
    n_asked++;
    while (o->key && strcmp(o->key, key) != 0)
        o++;
    if (!o->key && absent == SAYS_SO)
        return NGFF_E_NOT_FOUND;
    if (!o->key && absent == REFUSES) {
        e->is_refusal = 1;
        return error_set(e, NGFF_E_STORAGE, "%s: 403", key);
    }
    *text = strdup(o->key ? o->text : "<html></html>");
    *n = strlen(*text);
    return NGFF_OK;
}

/* The document, "?" if the store has to be asked, or the status of an error. */
static const char *told(const known_documents *known, const char *key)
{
    static char answer[200];
    char *text = NULL;
    size_t n = 0;
    error e = {0};
    int32_t status = known_get(known, key, &text, &n, &e);
    snprintf(answer, sizeof answer, "%d", (int)status);
    if (status == NGFF_OK) {
        CHECK_INT(strlen(text), n);
        snprintf(answer, sizeof answer, "%s", text);
    }
    free(text);
    return status == 1 ? "?" : answer;
}

#define ROOT3 "{\"consolidated_metadata\":{\"metadata\":%s},\"node_type\":\"group\"}"
#define COPIES3 "{ \"scale0/image\" : {\"fill_value\":18446744073709551615} ,\"scale0\":{\"a\":[1, {}]}}"

static known_documents *open_v3(const char *copies)
{
    static char root[1000];
    static object objects[] = {{"zarr.json", root}, {NULL, NULL}};
    snprintf(root, sizeof root, ROOT3, copies);
    n_asked = 0;
    return known_open(give, objects, NULL);
}

static void copies_in_zarr_json_stand_for_all_documents(void)
{
    known_documents *known = open_v3(COPIES3);
    CHECK_INT(n_asked, 1);
    CHECK_TEXT(told(known, "scale0/image/zarr.json"), "{\"fill_value\":18446744073709551615}"); /* to the last digit */
    CHECK_TEXT(told(known, "scale0/zarr.json"), "{\"a\":[1, {}]}");
    CHECK_TEXT(told(known, "ovr_mask/scale0/zarr.json"), "-60");
    CHECK_TEXT(told(known, "scale0/imag/zarr.json"), "-60");
    CHECK(strstr(told(known, "zarr.json"), "{\"consolidated_metadata\"") != NULL);
    CHECK_TEXT(told(known, "scale0/image/c/0/0"), "?");
    CHECK_TEXT(told(known, "omezarr/rat/c/0"), "?");
    CHECK_TEXT(told(known, ".zattrs"), "?");
    CHECK(known_forget_copies(known) && !known_forget_copies(known));
    CHECK_TEXT(told(known, "scale0/zarr.json"), "?");
    known_free(known);
}

static void a_root_without_copies_tells_of_itself_only(void)
{
    static const char *const none[] = {"{}", "null", "[]", "{\"a\":1}", "{\"a\\/b\":{}}", "{\"a\":{},\"a\":{}}", "{"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        known_documents *known = open_v3(none[i]);
        CHECK_TEXT(told(known, "a/zarr.json"), "?");
        CHECK(strstr(told(known, "zarr.json"), none[i]) != NULL);
        CHECK_INT(n_asked, 1);
        known_free(known);
    }
}

static void zmetadata_stands_for_all_documents_of_version_2(void)
{
    static const object objects[] = {{".zmetadata", "{\"metadata\":{\".zattrs\":{\"b\":2},\"0/.zarray\":{\"c\":3}}}"},
                                     {NULL, NULL}};
    static const char *const of_root[] = {"-60", "-70", "<html></html>"};
    for (absent = SAYS_SO; absent < n_kinds; absent++) {
        n_asked = 0;
        known_documents *known = known_open(give, (void *)objects, NULL);
        CHECK_INT(n_asked, 2);
        CHECK_TEXT(told(known, "zarr.json"), of_root[absent]);
        CHECK_TEXT(told(known, ".zattrs"), "{\"b\":2}");
        CHECK_TEXT(told(known, "0/.zarray"), "{\"c\":3}");
        CHECK_TEXT(told(known, "0/.zattrs"), "-60");
        CHECK_TEXT(told(known, "labels/.zattrs"), "-60");
        CHECK_TEXT(told(known, "labels/zarr.json"), "-60");
        CHECK_TEXT(told(known, "0/0.0"), "?");
        known_free(known);
    }
    absent = SAYS_SO;
}

static void where_there_is_neither_the_store_is_asked(void)
{
    static const object objects[] = {{".zattrs", "{}"}, {NULL, NULL}};
    static const char *const of_root[] = {"-60", "-70", "<html></html>"};
    for (absent = SAYS_SO; absent < n_kinds; absent++) {
        known_documents *known = known_open(give, (void *)objects, NULL);
        CHECK_TEXT(told(known, "zarr.json"), of_root[absent]);
        CHECK_TEXT(told(known, ".zattrs"), "?");
        CHECK_TEXT(told(known, "0/.zarray"), "?");
        CHECK(!known_forget_copies(known));
        known_free(known);
    }
    absent = SAYS_SO;
    known_free(NULL);
    CHECK(!known_forget_copies(NULL));
}

int main(void)
{
    RUN(copies_in_zarr_json_stand_for_all_documents);
    RUN(a_root_without_copies_tells_of_itself_only);
    RUN(zmetadata_stands_for_all_documents_of_version_2);
    RUN(where_there_is_neither_the_store_is_asked);
    CHECK_EXIT();
}
