/* ascii.h: letters and digits of the texts that we define: names, words, units. The host may have set any locale, and
 * <ctype.h> follows it: in Turkish, toupper('i') is not 'I', and COMPRESS=gzip would be unknown. */
#ifndef NGFF_BASE_ASCII_H
#define NGFF_BASE_ASCII_H

static inline int ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline int ascii_is_letter(char c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

/* Whether both are the same but for upper and lower case. */
static inline int text_equals(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (ascii_upper(*a) != ascii_upper(*b))
            return 0;
    return *a == *b;
}

#endif
