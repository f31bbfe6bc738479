/* test_orientation.c: the words of RFC-4. */
#include "base/orientation.h"

#include "check.h"

static void words_are_found_by_their_letters_in_any_case(void)
{
    CHECK_TEXT(orientation_name("left-to-right", 13), "left-to-right");
    CHECK_TEXT(orientation_name("Inferior-To-Superior,x", 20), "inferior-to-superior");
    CHECK(orientation_name("left-to-righ", 12) == NULL);
    CHECK(orientation_name("left-to-right-", 14) == NULL);
    CHECK(orientation_name("", 0) == NULL);
}

static void the_list_has_all_eighteen(void)
{
    const char *list = orientation_list();
    int n = 1;
    for (const char *p = list; *p; p++)
        n += *p == ',';
    CHECK_INT(n, 18);
    CHECK(strncmp(list, "left-to-right, right-to-left, ", 30) == 0);
    CHECK(strstr(list, "proximal-to-distal, distal-to-proximal") != NULL);
}

int main(void)
{
    RUN(words_are_found_by_their_letters_in_any_case);
    RUN(the_list_has_all_eighteen);
    return check_failures != 0;
}
