/* unit.c: the units of NGFF axes (specification, "axes" metadata: the UDUNITS-2 names listed there) and the spellings
 * that people and files use for them. Symbols are matched exactly, because "mm" and "Mm" differ; words are matched
 * without case, plural or British ending. */
#include "base/unit.h"

#include "base/ascii.h"
#include "ngff.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    const char *symbols; /* each between blanks, exact case; the first is OME's, of its schema of 2016-06 */
    const char *words;   /* further words, lower case, singular, each between blanks */
} unit;

static const unit lengths[] = {
    {"angstrom", " \xC3\x85 \xE2\x84\xAB A ",
     " \xC3\xA5ngstrom \xC3\x85ngstrom \xC3\xA5ngstr\xC3\xB6m \xC3\x85ngstr\xC3\xB6m angstr\xC3\xB6m "},
    {"attometer", " am ", ""},
    {"centimeter", " cm ", ""},
    {"decimeter", " dm ", ""},
    {"exameter", " Em ", ""},
    {"femtometer", " fm ", ""},
    {"foot", " ft ' ", " feet "},
    {"gigameter", " Gm ", ""},
    {"hectometer", " hm ", ""},
    {"inch", " in \" ", " inche "},
    {"kilometer", " km ", ""},
    {"megameter", " Mm ", ""},
    {"meter", " m ", ""},
    {"micrometer", " \xC2\xB5m um \xCE\xBCm \xC2\xB5 \xCE\xBC ", " micron "},
    {"mile", " mi ", ""},
    {"millimeter", " mm ", ""},
    {"nanometer", " nm ", ""},
    {"parsec", " pc ", ""},
    {"petameter", " Pm ", ""},
    {"picometer", " pm ", ""},
    {"terameter", " Tm ", ""},
    {"yard", " yd ", ""},
    {"yoctometer", " ym ", ""},
    {"yottameter", " Ym ", ""},
    {"zeptometer", " zm ", ""},
    {"zettameter", " Zm ", ""},
};

static const unit times[] = {
    {"attosecond", " as ", ""},
    {"centisecond", " cs ", ""},
    {"day", " d ", ""},
    {"decisecond", " ds ", ""},
    {"exasecond", " Es ", ""},
    {"femtosecond", " fs ", ""},
    {"gigasecond", " Gs ", ""},
    {"hectosecond", " hs ", ""},
    {"hour", " h ", " hr "},
    {"kilosecond", " ks ", ""},
    {"megasecond", " Ms ", ""},
    {"microsecond", " \xC2\xB5s us \xCE\xBCs ", ""},
    {"millisecond", " ms ", " msec millisec "},
    {"minute", " min ", " min "},
    {"nanosecond", " ns ", ""},
    {"petasecond", " Ps ", ""},
    {"picosecond", " ps ", ""},
    {"second", " s ", " sec "},
    {"terasecond", " Ts ", ""},
    {"yoctosecond", " ys ", ""},
    {"yottasecond", " Ys ", ""},
    {"zeptosecond", " zs ", ""},
    {"zettasecond", " Zs ", ""},
};

static const unit *table_of(char dim, size_t *n)
{
    *n = dim == 't' ? sizeof times / sizeof times[0] : sizeof lengths / sizeof lengths[0];
    return dim == 't' ? times : lengths;
}

/* True if list holds the word; list has a blank before and after each. */
static int list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at++)
        if (at > list && at[-1] == ' ' && at[n] == ' ')
            return 1;
    return 0;
}

/* "Metres" -> "meter", "Seconds" -> "second". */
static void word_normalise(const char *spelling, char *word, size_t size)
{
    size_t n = strlen(spelling);
    for (size_t i = 0; i <= n && i < size; i++)
        word[i] = ascii_lower(spelling[i]);
    if (n > 3 && word[n - 1] == 's')
        word[--n] = '\0';
    if (n >= 5 && strcmp(word + n - 5, "metre") == 0)
        memcpy(word + n - 2, "er", 2);
}

const char *unit_name(char dim, const char *spelling)
{
    char word[40];
    if (!spelling || !dim || !strchr("tzyx", dim) || !spelling[0] || strlen(spelling) >= sizeof word ||
        strchr(spelling, ' '))
        return NULL;
    word_normalise(spelling, word, sizeof word);
    size_t n;
    const unit *table = table_of(dim, &n);
    for (size_t i = 0; i < n; i++)
        if (list_has(table[i].symbols, spelling) || strcmp(word, table[i].name) == 0 || list_has(table[i].words, word))
            return table[i].name;
    return NULL;
}

const char *ngff_unit_name(const char *axis, const char *spelling)
{
    return axis && axis[0] && !axis[1] ? unit_name(axis[0], spelling) : NULL;
}

void unit_symbol(char dim, const char *name, char to[8])
{
    size_t n;
    const unit *table = table_of(dim, &n);
    to[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            snprintf(to, 8, "%.*s", (int)strcspn(table[i].symbols + 1, " "), table[i].symbols + 1);
}

const char *unit_list(char dim)
{
    if (dim == 't')
        return "attosecond, centisecond, day, decisecond, exasecond, femtosecond, gigasecond, hectosecond, hour, "
               "kilosecond, megasecond, microsecond, millisecond, minute, nanosecond, petasecond, picosecond, second, "
               "terasecond, yoctosecond, yottasecond, zeptosecond, zettasecond";
    return "angstrom, attometer, centimeter, decimeter, exameter, femtometer, foot, gigameter, hectometer, inch, "
           "kilometer, megameter, meter, micrometer, mile, millimeter, nanometer, parsec, petameter, picometer, "
           "terameter, yard, yoctometer, yottameter, zeptometer, zettameter";
}
