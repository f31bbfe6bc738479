/* Letters and digits are ours, whatever the process's locale is. */
#include <ctype.h>

#include "base/ascii.h"
#include "check.h"
#include "locales.h"

static void all_characters_are_those_of_the_c_locale(void)
{
    for (int c = 1; c < 256; c++) {
        int is_upper = c >= 'A' && c <= 'Z', is_lower = c >= 'a' && c <= 'z';
        CHECK_INT((unsigned char)ascii_upper((char)c), is_lower ? c - 32 : c);
        CHECK_INT((unsigned char)ascii_lower((char)c), is_upper ? c + 32 : c);
        CHECK_INT(ascii_is_letter((char)c), is_upper || is_lower);
        CHECK_INT(ascii_is_digit((char)c), c >= '0' && c <= '9');
    }
    CHECK(text_equals("gzip", "GZIP") && text_equals("", "") && text_equals("Lanczos", "lANCZOS"));
    CHECK(!text_equals("gzip", "gzi") && !text_equals("gzi", "gzip") && !text_equals("[", "{"));
}

static void a_turkish_host_changes_nothing(void)
{
    if (!locale_enter("tr_TR"))
        return;
    CHECK(toupper('i') != 'I'); /* else this tests nothing */
    all_characters_are_those_of_the_c_locale();
    setlocale(LC_ALL, "C");
}

int main(void)
{
    RUN(all_characters_are_those_of_the_c_locale);
    RUN(a_turkish_host_changes_nothing);
    CHECK_EXIT();
}
