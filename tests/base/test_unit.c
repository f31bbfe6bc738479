/* Units of axes: the spellings that people and files use, and the lists that messages and OME-XML have of them. */
#include "base/unit.h"

#include "check.h"
#include "ngff.h"

static void common_spellings_of_units_are_known(void)
{
    static const struct {
        char dim;
        const char *spelling, *name;
    } table[] = {
        {'x', "um", "micrometer"},
        {'x', "\xC2\xB5m", "micrometer"},
        {'x', "\xCE\xBCm", "micrometer"},
        {'y', "micron", "micrometer"},
        {'y', "Microns", "micrometer"},
        {'z', "nm", "nanometer"},
        {'x', "mm", "millimeter"},
        {'x', "Mm", "megameter"},
        {'x', "cm", "centimeter"},
        {'x', "m", "meter"},
        {'x', "metre", "meter"},
        {'x', "Metres", "meter"},
        {'x', "meters", "meter"},
        {'x', "km", "kilometer"},
        {'x', "kilometre", "kilometer"},
        {'x', "feet", "foot"},
        {'x', "inches", "inch"},
        {'x', "Angstrom", "angstrom"},
        {'x', "\xC3\x85", "angstrom"},
        {'t', "s", "second"},
        {'t', "sec", "second"},
        {'t', "Seconds", "second"},
        {'t', "ms", "millisecond"},
        {'t', "min", "minute"},
        {'t', "h", "hour"},
        {'t', "hours", "hour"},
        {'t', "days", "day"},
        {'t', "us", "microsecond"},
        {'x', "degree", NULL},
        {'x', "pixel", NULL},
        {'x', "second", NULL},
        {'t', "meter", NULL},
        {'t', "m", NULL},
        {'x', "", NULL},
        {'c', "m", NULL},
        {'x', " m", NULL},
        {'x', "MM", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *name = unit_name(table[i].dim, table[i].spelling);
        if (table[i].name)
            CHECK_TEXT(name, table[i].name);
        else
            CHECK(name == NULL);
    }
    CHECK_TEXT(ngff_unit_name("z", "um"), "micrometer");
    CHECK(ngff_unit_name("t", "um") == NULL && ngff_unit_name("zt", "um") == NULL &&
          ngff_unit_name(NULL, "um") == NULL);
}

/* Calls visit for every name of the list for messages; returns how many there are. */
static int each_name(char dim, void (*visit)(char dim, const char *name))
{
    int n = 0;
    for (const char *at = unit_list(dim); *at; n++) {
        char name[40];
        size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        visit(dim, name);
        at += length + 2 * (at[length] == ',');
    }
    return n;
}

static void check_name(char dim, const char *name)
{
    char symbol[8] = "";
    CHECK_TEXT(unit_name(dim, name), name);
    unit_symbol(dim, name, symbol);
    CHECK(symbol[0] != '\0');
    CHECK_TEXT(unit_name(dim, symbol), name); /* a file with the symbol means the same */
    CHECK(unit_name(dim == 't' ? 'x' : 't', name) == NULL);
}

/* The specification of NGFF lists 26 lengths and 23 times. */
static void every_unit_of_the_list_is_one(void)
{
    CHECK_INT(each_name('x', check_name), 26);
    CHECK_INT(each_name('t', check_name), 23);
    char symbol[8] = "x";
    unit_symbol('x', "furlong", symbol);
    CHECK_TEXT(symbol, "");
}

int main(void)
{
    RUN(common_spellings_of_units_are_known);
    RUN(every_unit_of_the_list_is_one);
    CHECK_EXIT();
}
