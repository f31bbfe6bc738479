/* ngff_root.c: see ngff_root.h. One pass over the text, which keeps only the keys on the way down. */
#include "store/ngff_root.h"

#include <string.h>

#include "store/store.h"

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

/* -- Keys ------------------------------------------------------------------------------------------------------------ */

/* The end of a chunk's key: "c", "7", "0.12.3", "c.0.1". */
static int is_chunk_name(const char *name)
{
    const char *index = name[0] == 'c' ? name + 1 : name;
    return name[0] != '.' && (index == name || !index[0] || index[0] == '.') && !index[strspn(index, "0123456789.")];
}

/* What a writer of a label image that was killed has left beside it (claim.h), and the marks of object stores. */
static int is_left(const char *part)
{
    static const char *const inside[] = {".new-", ".gone-"}, *const at_end[] = {".partial", ".retired"};
    const size_t n = strcspn(part, "/"), n_end = strlen(at_end[0]);
    int found = strncmp(part, ".omezarr-", 9) == 0;
    for (int i = 0; part[0] == '.' && i < 2; i++) {
        const char *at = strstr(part + 1, inside[i]);
        found |= (at && at < part + n) || (n > n_end && memcmp(part + n - n_end, at_end[i], n_end) == 0);
    }
    return found;
}

int is_key_of_store(const char *key)
{
    static const char *const others[] = {"METADATA.ome.xml", ".DS_Store", "Thumbs.db", "desktop.ini"};
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return 1;
    for (const char *part = key; part; part = (slash = strchr(part, '/')) ? slash + 1 : NULL)
        if (is_left(part))
            return 1;
    return is_zarr_document(name) || is_chunk_name(name);
}
