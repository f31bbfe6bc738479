/* test_json.c: what is JSON, and the numbers in it, whatever the process's locale is. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "json.h"
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
    CHECK_INT(json_check(text, strlen(text), NULL, "it", &e), NGFF_E_CORRUPT);
    CHECK(strstr(e.message, "too many values"));
    json_limits limits = json_limits_of(strlen(text));
    e = (error){0};
    CHECK_INT(json_check(text, strlen(text), &limits, "it", &e), NGFF_OK);
    free(text);
}

int main(void)
{
    RUN(numbers_have_the_values_of_their_text);
    RUN(what_is_not_json_is_refused);
    RUN(other_decimal_separators_change_nothing);
    RUN(a_text_may_be_judged_again_whatever_its_size);
    CHECK_EXIT();
}
