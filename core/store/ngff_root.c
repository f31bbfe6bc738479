/* ngff_root.c: see ngff_root.h. One pass over the text, which keeps only the keys on the way down. */
#include "ngff_root.h"

#include <string.h>

enum { deepest = 64, is_at_root = 0, is_in_attributes, is_in_ome, is_elsewhere };

typedef struct {
    const char *at, *end;
    int is_ngff, is_broken;
} scan;

static void skip_blanks(scan *s)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
        s->at++;
}

/* True if the next character is this one, which is taken. */
static int takes(scan *s, char c)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != c)
        return 0;
    s->at++;
    return 1;
}

/* A string, as it stands between its quotes. */
static const char *take_string(scan *s, size_t *n)
{
    if (!takes(s, '"')) {
        s->is_broken = 1;
        return NULL;
    }
    const char *first = s->at;
    while (s->at < s->end && *s->at != '"')
        s->at += *s->at == '\\' ? 2 : 1;
    if (s->at >= s->end) {
        s->at = s->end;
        s->is_broken = 1;
        return NULL;
    }
    *n = (size_t)(s->at++ - first);
    return first;
}

static int is_key(const char *key, size_t n, const char *name)
{
    return key && n == strlen(name) && memcmp(key, name, n) == 0;
}

/* True if an image, or a collection of images, has a member of this name at this place, which begins like this. */
static int says_ngff(int place, const char *key, size_t n, char first)
{
    if (is_key(key, n, "multiscales"))
        return place != is_elsewhere && first == '[';
    if (place != is_at_root && place != is_in_ome)
        return 0;
    if (is_key(key, n, "plate") || is_key(key, n, "well"))
        return first == '{';
    return is_key(key, n, "bioformats2raw.layout") && first >= '0' && first <= '9';
}

static void take_value(scan *s, int place, int depth);

static void take_members(scan *s, int place, int depth)
{
    if (takes(s, '}'))
        return;
    do {
        size_t n = 0;
        const char *key = take_string(s, &n);
        if (!takes(s, ':'))
            s->is_broken = 1;
        skip_blanks(s);
        if (s->is_broken || s->at == s->end) {
            s->is_broken = 1;
            return;
        }
        s->is_ngff |= says_ngff(place, key, n, *s->at);
        int below = is_elsewhere;
        if (place == is_at_root && is_key(key, n, "attributes"))
            below = is_in_attributes;
        else if ((place == is_at_root || place == is_in_attributes) && is_key(key, n, "ome"))
            below = is_in_ome;
        take_value(s, below, depth + 1);
    } while (!s->is_broken && takes(s, ','));
    s->is_broken |= !takes(s, '}');
}

static void take_items(scan *s, int depth)
{
    if (takes(s, ']'))
        return;
    do
        take_value(s, is_elsewhere, depth + 1);
    while (!s->is_broken && takes(s, ','));
    s->is_broken |= !takes(s, ']');
}

static void take_value(scan *s, int place, int depth)
{
    size_t n;
    skip_blanks(s);
    if (s->at == s->end || depth > deepest)
        s->is_broken = 1;
    else if (takes(s, '{'))
        take_members(s, place, depth);
    else if (takes(s, '['))
        take_items(s, depth);
    else if (*s->at == '"')
        take_string(s, &n);
    else { /* a number or a word */
        const char *first = s->at;
        while (s->at < s->end && *s->at && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzEIN", *s->at))
            s->at++;
        s->is_broken |= s->at == first;
    }
}

int looks_like_ngff(const uint8_t *text, size_t n)
{
    scan s = {(const char *)text, (const char *)text + n, 0, 0};
    take_value(&s, is_at_root, 0);
    skip_blanks(&s);
    return s.is_ngff && !s.is_broken && s.at == s.end;
}
