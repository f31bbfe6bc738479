/* number.c: see number.h. printf and strtod follow LC_NUMERIC, which a host may have set to a decimal comma at any
 * time. So the text is made and read with whatever separator the C library uses at that moment, and the separator is
 * exchanged on our side; setlocale is never called, because it belongs to the host. */
#include "base/number.h"
#include "base/ascii.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replaces the locale's separator, whatever bytes it has, by a point. */
static void separator_to_point(char *text)
{
    char *from = text;
    while (*from == '-' || ascii_is_digit(*from))
        from++;
    if (!*from || *from == 'e')
        return;
    char *rest = from;
    while (*rest && !ascii_is_digit(*rest) && *rest != 'e')
        rest++;
    *from++ = '.';
    memmove(from, rest, strlen(rest) + 1);
}

void number_print(double value, char to[32])
{
    if (value == floor(value) && fabs(value) < 9007199254740992.0) {
        snprintf(to, 32, "%.0f", value);
        return;
    }
    /* 15 digits always survive a round trip as text, so the first precision that gives the value back is the shortest;
     * only subnormal numbers have fewer significant digits than that. */
    for (int precision = fabs(value) < 2.3e-308 ? 1 : 15; precision <= 17; precision++) {
        snprintf(to, 32, "%.*g", precision, value);
        separator_to_point(to);
        const char *end;
        if (number_parse(to, &end) == value)
            return;
    }
}

/* Length of the number at text by the grammar of JSON, with leading zeros and a plus sign allowed; 0: none. */
static size_t number_length(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');
    const char *digits = p;
    size_t n_digits;
    while (ascii_is_digit(*p))
        p++;
    n_digits = (size_t)(p - digits);
    if (*p == '.') {
        const char *fraction = ++p;
        while (ascii_is_digit(*p))
            p++;
        n_digits += (size_t)(p - fraction);
    }
    if (n_digits == 0)
        return 0;
    if (*p == 'e' || *p == 'E') {
        const char *exponent = p + 1 + (p[1] == '-' || p[1] == '+');
        if (ascii_is_digit(*exponent)) {
            p = exponent;
            while (ascii_is_digit(*p))
                p++;
        }
    }
    return (size_t)(p - text);
}

double number_parse(const char *text, const char **end)
{
    size_t n = number_length(text);
    *end = text + n;
    if (n == 0)
        return 0;
    /* "%.1f" of 0.5 is "0", the separator of this moment, "5". */
    char half[32];
    snprintf(half, sizeof half, "%.1f", 0.5);
    size_t separator_length = strlen(half) - 2;
    const char *point = memchr(text, '.', n);
    char small[128];
    char *copy = n + separator_length + 1 <= sizeof small ? small : malloc(n + separator_length + 1);
    if (!copy) {
        *end = text;
        return 0;
    }
    size_t before = point ? (size_t)(point - text) : n;
    memcpy(copy, text, before);
    size_t length = before;
    if (point) {
        memcpy(copy + length, half + 1, separator_length);
        length += separator_length;
        memcpy(copy + length, point + 1, n - before - 1);
        length += n - before - 1;
    }
    copy[length] = '\0';
    double value = strtod(copy, NULL);
    if (copy != small)
        free(copy);
    return value;
}
