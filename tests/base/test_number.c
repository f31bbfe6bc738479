/* Numbers as text: shortest, exact, whatever the process's locale is. */
#include "base/number.h"

#include <math.h>
#include <stdint.h>

#include "check.h"
#include "locales.h"

static void text_is(double value, const char *expected)
{
    char text[32];
    number_print(value, text);
    CHECK_TEXT(text, expected);
}

static void values_print_in_their_shortest_form(void)
{
    text_is(0, "0");
    text_is(-0.0, "-0");
    text_is(1, "1");
    text_is(-17, "-17");
    text_is(0.1, "0.1");
    text_is(0.1 + 0.2, "0.30000000000000004");
    text_is(1.0 / 3, "0.3333333333333333");
    text_is(500000.25, "500000.25");
    text_is(9007199254740991.0, "9007199254740991");
    text_is(1e22, "1e+22");
    text_is(5e-324, "5e-324");
    text_is(1.7976931348623157e308, "1.7976931348623157e+308");
    text_is((double)0.1f, "0.10000000149011612");
}

static void every_bit_pattern_survives_the_round_trip(void)
{
    uint64_t state = 42;
    for (int i = 0; i < 200000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = state ^ state >> 29;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[32];
        const char *end;
        number_print(value, text);
        double back = number_parse(text, &end);
        if (memcmp(&back, &value, sizeof value) != 0 || *end || strchr(text, ',')) {
            CHECK_TEXT(text, "a number that reads back");
            return;
        }
    }
}

static void parsing_stops_where_the_number_ends(void)
{
    const char *end;
    CHECK(number_parse("1.5,2", &end) == 1.5 && *end == ',');
    CHECK(number_parse("-3e2x", &end) == -300 && *end == 'x');
    CHECK(number_parse(".5", &end) == 0.5 && *end == 0);
    CHECK(number_parse("7e", &end) == 7 && *end == 'e');
    static const char *const bad[] = {"", "x", "-", ".", "inf", "nan", " 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        number_parse(bad[i], &end);
        CHECK(end == bad[i]);
    }
    CHECK(number_parse("0x10", &end) == 0 && *end == 'x');
    CHECK(isinf(number_parse("1e999", &end)));
}

static void another_decimal_separator_in_the_process_changes_nothing(void)
{
    static const char *const names[] = {"de_DE", "ps_AF"}; /* "," and two bytes, U+066B */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!locale_enter(names[i]))
            continue;
        CHECK_INT(strlen(localeconv()->decimal_point), i + 1);
        values_print_in_their_shortest_form();
        every_bit_pattern_survives_the_round_trip();
        parsing_stops_where_the_number_ends();
        setlocale(LC_ALL, "C");
    }
}

int main(void)
{
    RUN(values_print_in_their_shortest_form);
    RUN(every_bit_pattern_survives_the_round_trip);
    RUN(parsing_stops_where_the_number_ends);
    RUN(another_decimal_separator_in_the_process_changes_nothing);
    CHECK_EXIT();
}
