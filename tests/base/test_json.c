/* test_json.c: what is JSON, and the numbers in it, whatever the process's locale is. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "check.h"
#include "locales.h"

static cJSON *parsed(const char *text)
{
    error e = {0};
    cJSON *tree = json_parse(text, strlen(text), NULL, "it", &e);
    if (!tree)
        fprintf(stderr, "%s: %s\n", text, e.message);
    return tree;
}

static double number_in(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

/* The expected values are what the compiler makes of the same digits. */
static void numbers_have_the_values_of_their_text(void)
{
    cJSON *tree =
        parsed("{ \"a\":0.5,\"b-1.5\" : -1.25e-3 , \"c\":[1e3, 7,{\"d\":2.5E+2,\"\\\"9.5\\\\\":-0.0}],\"e\":\"3.5\","
               "\"f\":1234567890123456789,\"g\":0.30000000000000004 }");
    CHECK(tree != NULL);
    CHECK(number_in(tree, "a") == 0.5 && number_in(tree, "b-1.5") == -1.25e-3);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(tree, "c"), *last = cJSON_GetArrayItem(list, 2);
    CHECK_INT(cJSON_GetArraySize(list), 3);
    CHECK(cJSON_GetArrayItem(list, 0)->valuedouble == 1000 && cJSON_GetArrayItem(list, 0)->valueint == 1000);
    CHECK(cJSON_GetArrayItem(list, 1)->valuedouble == 7 && cJSON_GetArrayItem(list, 1)->valueint == 7);
    CHECK(number_in(last, "d") == 250 && signbit(number_in(last, "\"9.5\\")));
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, "e")), "3.5");
    CHECK(number_in(tree, "f") == 1234567890123456789.0 && number_in(tree, "g") == 0.30000000000000004);
    cJSON_Delete(tree);
    tree = parsed("2.5");
    CHECK(cJSON_IsNumber(tree) && tree->valuedouble == 2.5);
    cJSON_Delete(tree);
}

static void what_is_not_json_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "01",
                                      "1.",
                                      "1.e2",
                                      ".5",
                                      "1e",
                                      "1,5",
                                      "+1",
                                      "NaN",
                                      "[1.5,]",
                                      "{\"a\"}",
                                      "[1.5] 2",
                                      "[1e999]",
                                      "[0.5,1e999]",
                                      "\"\\u0000\"",
                                      "[1 2]",
                                      "1.5.5",
                                      "--1",
                                      "{\"a\":1.5,\"\\u0061\":2}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error e = {0};
        CHECK_INT(json_check(bad[i], strlen(bad[i]), NULL, "it", &e), NGFF_E_CORRUPT);
        CHECK(strstr(e.message, "it is not usable JSON"));
    }
}

static void other_decimal_separators_change_nothing(void)
{
    static const char *const names[] = {"de_DE", "ps_AF", "tr_TR"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!locale_enter(names[i]))
            continue;
        CHECK(localeconv()->decimal_point[0] != '.');
        numbers_have_the_values_of_their_text();
        what_is_not_json_is_refused();
        setlocale(LC_ALL, "C");
    }
}

static void a_text_may_be_judged_again_whatever_its_size(void)
{
    enum { n = 300000 };
    char *text = malloc(2 * n + 2);
    error e = {0};
    for (int i = 0; i < n; i++)
        memcpy(text + 1 + 2 * i, "7,", 2);
    text[0] = '[';
    strcpy(text + 2 * n, "]");
    CHECK_INT(json_check(text, strlen(text), NULL, "it", &e), NGFF_E_UNSUPPORTED);
    CHECK(strstr(e.message, "too many values"));
    json_limits limits = json_limits_of(strlen(text));
    e = (error){0};
    CHECK_INT(json_check(text, strlen(text), &limits, "it", &e), NGFF_OK);
    free(text);
}

static void what_is_not_wanted_does_not_count(void)
{
    enum { n = 300000 };
    static const char *const wanted[] = {"version", NULL};
    const json_limits limits = {json_max_bytes, json_max_depth, json_max_nodes, wanted, "; raise IT"};
    static const char *const heads[] = {"{\"colors\":[0.5", "{\"attributes\":{\"ome\":{\"colors\":[0.5",
                                        "{\"version\":[1"};
    static const char *const tails[] = {"],\"version\":2.5}", "],\"version\":2.5}}}", "]}"};
    for (int k = 0; k < 3; k++) {
        char *text = malloc(2 * n + 100), *end = text + sprintf(text, "%s", heads[k]);
        for (int i = 0; i < n; i++)
            end += sprintf(end, ",7");
        end += sprintf(end, "%s", tails[k]);
        size_t size = (size_t)(end - text);
        error e = {0};
        warnings told = {.n = 0};
        cJSON *tree = json_parse_mended(&text, &size, &limits, "it", &told, &e), *at = tree;
        if (k == 2)
            CHECK(!tree && e.status == NGFF_E_UNSUPPORTED &&
                  strstr(e.message, "too many values (at most 200000); raise IT"));
        for (int i = 0; k == 1 && i < 2; i++)
            at = at ? at->child : NULL;
        CHECK(k == 2 || (number_in(at, "version") == 2.5 && number_in(at, "colors") == 0));
        CHECK_INT(told.n, 0);
        cJSON_Delete(tree);
        free(text);
    }
}

static void a_document_ends_in_front_of_its_copies(void)
{
    static const struct {
        const char *text, *cut;
    } table[] = {{"{\"zarr_format\":3,\"attributes\":{\"a\":[1]} , "
                  "\"consolidated_metadata\":{\"kind\":\"inline\",\"metadata\":{\"b\":[1,",
                  "{\"zarr_format\":3,\"attributes\":{\"a\":[1]} ,\"node_type\":\"group\"}"},
                 {"{\"attributes\":5,\"consolidated_metadata\":{\"kind\":\"inline\",\"metadata\":{\"b\":[1,",
                  "{\"attributes\":5,\"zarr_format\":3,\"node_type\":\"group\"}"},
                 {"{\"attributes\":5,\"consolidated_metadata\":", NULL}, /* no room */
                 {"{\"consolidated_metadata\":{\"b\":[1,", NULL},
                 {"{\"a\":1,\"consolidated_metadata\":{\"kind\":\"inline\",\"metadata\":{\"b\":[1,", NULL},
                 {"{\"attributes\":{\"a\":[1", NULL},
                 {"{\"attributes\":{\"a\":1}}", NULL},
                 {"[", NULL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char *text = strdup(table[i].text);
        size_t n = json_cut_copies(text, strlen(text));
        CHECK_INT(n, table[i].cut ? strlen(table[i].cut) : 0);
        CHECK_TEXT(text, table[i].cut ? table[i].cut : table[i].text);
        free(text);
    }
}

static void a_member_is_put_and_all_else_stays(void)
{
    static const char *const path[] = {"a", "b"};
    static const struct {
        const char *before, *after;
    } cases[] = {{"{}", "{\"a\":{\"b\":[1]}}"},
                 {"{ \"x\": 1e2 }", "{\"a\":{\"b\":[1]},\"x\": 1e2 }"},
                 {"{\"x\":1, \"a\" : {\"b\" : {} , \"c\":12345678901234567890},\"y\":[]}",
                  "{\"x\":1, \"a\" : {\"b\" : [1] , \"c\":12345678901234567890},\"y\":[]}"},
                 {"{\"a\":{}}", "{\"a\":{\"b\":[1]}}"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = json_put(json_whole(cases[i].before), path, 2, "[1]");
        CHECK_TEXT(text, cases[i].after);
        free(text);
    }
    CHECK(json_put(json_whole("{\"a\":5}"), path, 2, "1") == NULL);
    CHECK(json_put(json_whole("[]"), path, 1, "1") == NULL);
}

static void a_part_of_a_text_is_a_tree_of_its_own(void)
{
    error e = {0};
    const json_span all = json_whole("{\"a\":[1,{\"b\":2.5}],\"c\":3}");
    cJSON *tree = json_tree(json_item(json_member(all, "a"), 1), "it", &e);
    CHECK(number_in(tree, "b") == 2.5);
    cJSON_Delete(tree);
    CHECK(json_tree(json_member(all, "d"), "it", &e) == NULL && json_tree(json_whole(NULL), "it", &e) == NULL);
    CHECK_INT(e.status, NGFF_OK); /* what is not there is no error */
    CHECK(json_tree(json_whole("{\"a\":"), "it", &e) == NULL);
    CHECK_INT(e.status, NGFF_E_CORRUPT);
}

int main(void)
{
    RUN(numbers_have_the_values_of_their_text);
    RUN(what_is_not_json_is_refused);
    RUN(other_decimal_separators_change_nothing);
    RUN(a_text_may_be_judged_again_whatever_its_size);
    RUN(what_is_not_wanted_does_not_count);
    RUN(a_document_ends_in_front_of_its_copies);
    RUN(a_member_is_put_and_all_else_stays);
    RUN(a_part_of_a_text_is_a_tree_of_its_own);
    CHECK_EXIT();
}
