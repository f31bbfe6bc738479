/* test_tree.c: documents that are put together: numbers keep their digits, and what is missing is told. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "zarr/tree.h"

static void check_printed(const cJSON *tree, const char *expected)
{
    char *text = cJSON_PrintUnformatted(tree);
    CHECK_TEXT(text, expected);
    cJSON_free(text);
}

static void a_replaced_member_keeps_its_place_and_name(void)
{
    int is_whole = 1;
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "a", tree_whole(1), &is_whole);
    tree_put(object, "b", cJSON_CreateString("old"), &is_whole);
    tree_put(object, "c", cJSON_CreateTrue(), &is_whole);
    tree_replace(object, "b", cJSON_CreateObject(), &is_whole);
    tree_replace(object, "c", tree_whole(7), &is_whole);
    CHECK(is_whole);
    check_printed(object, "{\"a\":1,\"b\":{},\"c\":7}");
    tree_replace(object, "d", tree_whole(7), &is_whole);
    CHECK(!is_whole);
    is_whole = 1;
    tree_replace(object, "a", NULL, &is_whole);
    CHECK(!is_whole);
    check_printed(object, "{\"a\":1,\"b\":{},\"c\":7}");
    cJSON_Delete(object);
}

static void what_could_not_be_made_is_told_and_left_out(void)
{
    int is_whole = 1;
    cJSON *object = cJSON_CreateObject(), *list = cJSON_CreateArray();
    tree_put(object, NULL, tree_whole(1), &is_whole); /* a name that could not be copied */
    CHECK(!is_whole);
    is_whole = 1;
    tree_put(object, "a", NULL, &is_whole);
    CHECK(!is_whole);
    is_whole = 1;
    tree_add(list, NULL, &is_whole);
    CHECK(!is_whole);
    check_printed(object, "{}");
    check_printed(list, "[]");
    cJSON_Delete(object);
    cJSON_Delete(list);
}

static void numbers_keep_their_digits(void)
{
    static const double reals[] = {0.1, 1e300, 3, -0.0, 5e-324};
    static const int64_t wholes[] = {INT64_MAX, INT64_MIN, 9007199254740993};
    static const double others[] = {NAN, INFINITY, -INFINITY};
    int is_whole = 1;
    cJSON *list = tree_reals(reals, 5, &is_whole);
    for (int i = 0; i < 5; i++) {
        const char *text = cJSON_GetArrayItem(list, i)->valuestring;
        CHECK(strtod(text, NULL) == reals[i] && strpbrk(text, ".e"));
    }
    cJSON_Delete(list);
    check_printed(list = tree_wholes(wholes, 3, &is_whole),
                  "[9223372036854775807,-9223372036854775808,9007199254740993]");
    cJSON_Delete(list);
    check_printed(list = tree_reals(others, 3, &is_whole), "[\"NaN\",\"Infinity\",\"-Infinity\"]");
    cJSON_Delete(list);
    CHECK(is_whole);
}

int main(void)
{
    RUN(a_replaced_member_keeps_its_place_and_name);
    RUN(what_could_not_be_made_is_told_and_left_out);
    RUN(numbers_keep_their_digits);
    return check_failures > 0;
}
