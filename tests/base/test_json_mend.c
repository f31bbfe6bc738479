/* Texts that other programs have written and that are no JSON. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "base/json.h"
#include "check.h"

/* Expected texts by hand: what Python's json, JavaScript and GDAL make of a key twice, what the issue asks of NaN. */
static void what_others_write_is_mended_and_told(void)
{
    static const struct {
        const char *text, *mended, *words;
    } table[] = {
        {"\xEF\xBB\xBF{\"a\":1}", "{\"a\":1}", "byte order mark"},
        {"{\"a\":NaN,\"b\":[-Infinity,1e999]}", "{\"a\":null,\"b\":[null,null]}", "3 numbers are NaN or infinite"},
        {"{\"fill_value\":NaN}", "{\"fill_value\":\"NaN\"}", "NaN"},
        {"{\"attributes\":{\"_FillValue\":-Infinity}}", "{\"attributes\":{\"_FillValue\":\"-Infinity\"}}", "infinite"},
        {"{\"ome\":{\"a\":NaN,\"b\":1,\"c\":NaN}}", "{\"ome\":{\"b\":1}}", "\"a\", and 1 more"},
        {"{\"ome\":{\"a\":[NaN,{\"b\":NaN}]}}", "{\"ome\":{\"a\":[null,{}]}}", "\"b\""},
        {"{\"multiscales\":[{\"x\":NaN}],\"y\":NaN}", "{\"multiscales\":[{}],\"y\":null}", "\"x\""},
        {"{\"a\":\"NaN, Infinity\",\"b\":NaN}", "{\"a\":\"NaN, Infinity\",\"b\":null}", "1 number is"},
        {"[\"\\ud800\",\"\\u0000\",\"\\ud83d\\ude00\"]", "[\"\\ufffd\",\"\\ufffd\",\"\\ud83d\\ude00\"]", "replaced"},
        {"[\"\xB5m\",\"a\tb\"]", "[\"\xEF\xBF\xBDm\",\"a b\"]", "replaced"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}", "\"a\" more than once"},
        {"{\"a\":{\"x\":[1,2]},\"\\u0061\":3}", "{\"\\u0061\":3}", "more than once"},
        {"[{\"a\":1,\"a\":NaN,\"a\":[{\"b\":1,\"b\":2}]}]", "[{\"a\":[{\"b\":2}]}]", "more than once"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char *text = strdup(table[i].text);
        size_t n = strlen(text);
        warnings told = {.n = 0};
        error e = {0};
        cJSON *tree = json_parse_mended(&text, &n, NULL, "it", &told, &e);
        CHECK_TEXT(e.message, "");
        CHECK_INT(n, strlen(text));
        cJSON *wanted = cJSON_Parse(table[i].mended), *again = cJSON_Parse(text); /* the text says what the tree does */
        if (!cJSON_Compare(tree, wanted, 1) || !cJSON_Compare(again, wanted, 1)) {
            fprintf(stderr, "%s became %s\n", table[i].text, text);
            check_failures++;
        }
        int is_told = 0;
        for (int k = 0; k < told.n; k++)
            is_told |= strstr(told.texts[k], table[i].words) != NULL && strncmp(told.texts[k], "it", 2) == 0;
        CHECK(is_told);
        warnings_release(&told);
        cJSON_Delete(tree);
        cJSON_Delete(wanted);
        cJSON_Delete(again);
        free(text);
    }
}

static void what_is_no_json_in_other_ways_is_not_mended(void)
{
    static const char *const bad[] = {
        "{\"a\":NaN",   "{\"a\":NaN,}", "[NaN,]",    "{\"a\":NaNs}", "{NaN}",        "[1,,NaN]",         "[NaN}",
        "{\"a\":NaN}x", "01",           "{'a':NaN}", "[\"\xB5",      "[\"\\ud800\"", "{\"a\":1,\"a\":1", "",
        "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = strdup(bad[i]);
        size_t n = strlen(text);
        warnings told = {.n = 0};
        error e = {0};
        cJSON *tree = json_parse_mended(&text, &n, NULL, "it", &told, &e);
        if (tree)
            fprintf(stderr, "%s became %s\n", bad[i], text);
        CHECK(tree == NULL && strstr(e.message, "not usable JSON"));
        cJSON_Delete(tree);
        warnings_release(&told);
        free(text);
    }
}

/* What is right stays as it is, and is not even copied. */
static void what_is_json_is_not_touched(void)
{
    static const char *const good[] = {"{\"a\":[1,2.5e3,\"NaN\",null,true]}", "[\"\\ud83d\\ude00\",\"\xC2\xB5\"]", "5",
                                       "{}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        warnings told = {.n = 0};
        size_t n = 0;
        CHECK(json_mend(good[i], strlen(good[i]), &n, "it", &told) == NULL);
        CHECK_INT(told.n, 0);
    }
}

/* A text is mended as far as it goes: whether it is JSON then, the scanner says. */
static void a_text_that_ends_anywhere_is_read_to_its_end(void)
{
    static const char whole[] = "{\"ome\":{\"a\":NaN,\"b\":[\"\\ud800\",-Infinity,{\"c\":1e999}]},\"fill_value\":NaN}";
    for (size_t n = 0; n <= sizeof whole - 1; n++) {
        char *text = calloc(n + 1, 1); /* nothing behind the NUL: the sanitizers see who reads on */
        memcpy(text, whole, n);
        warnings told = {.n = 0};
        size_t n_mended = 0;
        char *mended = json_mend(text, n, &n_mended, "it", &told);
        CHECK(!mended || strlen(mended) == n_mended);
        CHECK((mended != NULL) == (told.n > 0));
        free(mended);
        free(text);
        warnings_release(&told);
    }
}

int main(void)
{
    RUN(what_others_write_is_mended_and_told);
    RUN(what_is_no_json_in_other_ways_is_not_mended);
    RUN(what_is_json_is_not_touched);
    RUN(a_text_that_ends_anywhere_is_read_to_its_end);
    CHECK_EXIT();
}
