/* json.c: see json.h. One strict scanner decides what is JSON (RFC 8259); cJSON builds the tree afterwards and is
 * trusted with nothing else: by itself it accepts leading zeros, trailing text, invalid UTF-8, cuts strings at \u0000,
 * and reads numbers with the first byte of the locale's decimal separator, which has two in Persian and Pashto. */
#include "json.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ascii.h"
#include "number.h"

typedef struct {
    const char *at, *end;
    const json_limits *limits;
    long n_nodes;
    int has_real;        /* a number with a fraction or an exponent */
    const char *problem; /* NULL: none so far */
} scanner;

static int fail(scanner *s, const char *problem)
{
    if (!s->problem)
        s->problem = problem;
    return 0;
}

/* Bytes of the UTF-8 character at p (RFC 3629, table of section 4), 0 if it is not one. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : 0;
    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    int is_overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    int is_surrogate = p[0] == 0xED && p[1] > 0x9F;
    int is_beyond = p[0] == 0xF4 && p[1] > 0x8F;
    return is_overlong || is_surrogate || is_beyond ? 0 : length;
}

int utf8_is_valid(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t length = text[i] ? utf8_length((const unsigned char *)text + i, n - i) : 0;
        if (length == 0)
            return 0;
        i += length;
    }
    return 1;
}

static void skip_blanks(scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

static int next_is(scanner *s, char c)
{
    if (s->at >= s->end || *s->at != c)
        return 0;
    s->at++;
    return 1;
}

/* Four hexadecimal digits of \u, or -1. */
static int scan_hex4(scanner *s)
{
    int value = 0;
    if (s->end - s->at < 4)
        return -1;
    for (int i = 0; i < 4; i++, s->at++) {
        char c = *s->at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static int scan_escape(scanner *s)
{
    if (s->at >= s->end)
        return fail(s, "a string does not end");
    char c = *s->at++;
    if (c != 'u')
        return strchr("\"\\/bfnrt", c) && c ? 1 : fail(s, "an unknown escape in a string");
    int unit = scan_hex4(s);
    if (unit == 0)
        return fail(s, "a NUL character in a string");
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return fail(s, "a bad \\u escape in a string");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        if (!next_is(s, '\\') || !next_is(s, 'u'))
            return fail(s, "a lone surrogate in a string");
        int low = scan_hex4(s);
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(s, "a lone surrogate in a string");
    }
    return 1;
}

static int scan_string(scanner *s)
{
    if (!next_is(s, '"'))
        return fail(s, "a string was expected");
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at;
        if (c == '"') {
            s->at++;
            return 1;
        }
        if (c < 0x20)
            return fail(s, "a control character in a string");
        if (c == '\\') {
            s->at++;
            if (!scan_escape(s))
                return 0;
            continue;
        }
        size_t length = utf8_length((const unsigned char *)s->at, (size_t)(s->end - s->at));
        if (length == 0)
            return fail(s, "a string is not valid UTF-8");
        s->at += length;
    }
    return fail(s, "a string does not end");
}

static int scan_digits(scanner *s)
{
    const char *from = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > from;
}

static int scan_number(scanner *s)
{
    const char *from = s->at;
    next_is(s, '-');
    if (!next_is(s, '0') && !scan_digits(s))
        return fail(s, "a value was expected");
    const char *whole = s->at;
    if (next_is(s, '.') && !scan_digits(s))
        return fail(s, "a number ends with its point");
    if (next_is(s, 'e') || next_is(s, 'E')) {
        if (!next_is(s, '+'))
            next_is(s, '-');
        if (!scan_digits(s))
            return fail(s, "a number has an empty exponent");
    }
    s->has_real |= s->at > whole;
    /* cJSON reads numbers through a buffer of 64 characters and would silently cut longer ones. */
    return s->at - from < 63 ? 1 : fail(s, "a number has more than 62 characters");
}

static int scan_word(scanner *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
        return fail(s, "a value was expected");
    s->at += n;
    return 1;
}

static int scan_value(scanner *s, int depth);

/* The members of an object or the items of an array, up to the closing bracket. */
static int scan_list(scanner *s, int depth, char close)
{
    s->at++;
    skip_blanks(s);
    if (next_is(s, close))
        return 1;
    for (;;) {
        if (close == '}') {
            skip_blanks(s);
            if (!scan_string(s))
                return 0;
            skip_blanks(s);
            if (!next_is(s, ':'))
                return fail(s, "a colon is missing");
        }
        if (!scan_value(s, depth + 1))
            return 0;
        if (next_is(s, close))
            return 1;
        if (!next_is(s, ','))
            return fail(s, "a comma or a closing bracket is missing");
    }
}

/* One value with the blanks around it. */
static int scan_value(scanner *s, int depth)
{
    skip_blanks(s);
    if (s->limits && (++s->n_nodes > s->limits->nodes || depth > s->limits->depth))
        return fail(s, depth > s->limits->depth ? "it is nested too deeply" : "it has too many values");
    if (s->at >= s->end)
        return fail(s, "it ends too early");
    int is_good;
    switch (*s->at) {
    case '{':
        is_good = scan_list(s, depth, '}');
        break;
    case '[':
        is_good = scan_list(s, depth, ']');
        break;
    case '"':
        is_good = scan_string(s);
        break;
    case 't':
        is_good = scan_word(s, "true");
        break;
    case 'f':
        is_good = scan_word(s, "false");
        break;
    case 'n':
        is_good = scan_word(s, "null");
        break;
    default:
        is_good = scan_number(s);
    }
    skip_blanks(s);
    return is_good;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What the scanner cannot see: equal keys however they were escaped, and numbers that became infinite. */
static const char *tree_problem(const cJSON *node, int *is_out_of_memory)
{
    size_t n = 0;
    for (const cJSON *child = node->child; child; child = child->next) {
        n++;
        const char *problem = tree_problem(child, is_out_of_memory);
        if (problem || *is_out_of_memory)
            return problem;
    }
    if (cJSON_IsNumber(node) && !isfinite(node->valuedouble))
        return "a number is too large";
    if (!cJSON_IsObject(node) || n < 2)
        return NULL;
    const char **names = malloc(n * sizeof *names);
    if (!names) {
        *is_out_of_memory = 1;
        return NULL;
    }
    size_t i = 0;
    for (const cJSON *child = node->child; child; child = child->next)
        names[i++] = child->string;
    qsort(names, n, sizeof *names, compare_names);
    const char *problem = NULL;
    for (i = 1; i < n; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            problem = "an object has a key twice";
    free(names);
    return problem;
}

/* The number at or behind a place in a text that the scanner has accepted; its length, 0 where none is left. */
static size_t next_number(const char **at, const char *end)
{
    for (; *at < end; (*at)++) {
        if (**at == '"')
            for ((*at)++; **at != '"'; (*at)++)
                *at += **at == '\\';
        else if (**at == '-' || ascii_is_digit(**at)) {
            size_t n = 1;
            while (*at + n < end && (ascii_is_digit((*at)[n]) || strchr("+-.eE", (*at)[n])))
                n++;
            return n;
        }
    }
    return 0;
}

/* Gives the numbers of a tree, which are in the order of the text, the values that the text has. */
static void read_numbers(cJSON *node, const char **at, const char *end)
{
    if (cJSON_IsNumber(node)) {
        const char *behind;
        size_t n = next_number(at, end);
        cJSON_SetNumberHelper(node, number_parse(*at, &behind));
        *at += n;
    }
    for (cJSON *child = node->child; child; child = child->next)
        read_numbers(child, at, end);
}

/* The tree of a text that the scanner has accepted; NULL when memory is out. cJSON may read whole numbers, which are the
 * same in every locale. Where there are others it gets the text with 0 for each number. */
static cJSON *make_tree(const char *text, size_t n, int has_real)
{
    if (!has_real)
        return cJSON_ParseWithLength(text, n);
    char *plain = malloc(n + 1);
    if (!plain)
        return NULL;
    memcpy(plain, text, n);
    plain[n] = '\0';
    const char *end = plain + n;
    for (const char *at = plain; at < end;) {
        size_t length = next_number(&at, end);
        if (length > 0) {
            memset(plain + (at - plain), ' ', length);
            plain[at - plain] = '0';
        }
        at += length;
    }
    cJSON *tree = cJSON_ParseWithLength(plain, n);
    free(plain);
    if (tree)
        read_numbers(tree, &text, text + n);
    return tree;
}

json_limits json_limits_of(size_t n)
{
    return (json_limits){n, json_max_depth, n < LONG_MAX ? (long)n : LONG_MAX};
}

static cJSON *parse_within(const char *text, size_t n, const json_limits *limits, const char *where, error *e)
{
    static const json_limits usual = {json_max_bytes, json_max_depth, json_max_nodes};
    limits = limits ? limits : &usual;
    if (n > limits->bytes) {
        error_set(e, NGFF_E_CORRUPT, "%s has %zu bytes; at most %zu are read", where, n, limits->bytes);
        return NULL;
    }
    scanner s = {.at = text, .end = text + n, .limits = limits};
    if (scan_value(&s, 1) && s.at != s.end)
        fail(&s, "text follows the value");
    cJSON *tree = s.problem ? NULL : make_tree(text, n, s.has_real);
    int is_out_of_memory = !s.problem && !tree;
    if (tree)
        s.problem = tree_problem(tree, &is_out_of_memory);
    if (is_out_of_memory) {
        error_set(e, NGFF_E_MEMORY, "out of memory for the JSON tree of %s (%zu bytes)", where, n);
        cJSON_Delete(tree);
        return NULL;
    }
    if (s.problem) {
        error_set(e, NGFF_E_CORRUPT, "%s is not usable JSON: %s (byte %zu)", where, s.problem, (size_t)(s.at - text));
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

int32_t json_check(const char *text, size_t n, const json_limits *limits, const char *where, error *e)
{
    cJSON *tree = parse_within(text, n, limits, where, e);
    cJSON_Delete(tree);
    return tree ? NGFF_OK : e->status;
}

struct cJSON *json_parse(const char *text, size_t n, const json_limits *limits, const char *where, error *e)
{
    return parse_within(text, n, limits, where, e);
}

/* Keys of ours have no escapes, so the bytes between the quotes can be compared. */
static json_span find(json_span list, char open, const char *name, int index)
{
    json_span none = {NULL, 0};
    if (!list.text)
        return none;
    scanner s = {.at = list.text, .end = list.text + list.n};
    skip_blanks(&s);
    if (!next_is(&s, open))
        return none;
    for (int i = 0; s.at < s.end; i++) {
        skip_blanks(&s);
        int is_wanted = i == index;
        if (open == '{') {
            const char *key = s.at + 1;
            if (!scan_string(&s))
                return none;
            is_wanted = strlen(name) == (size_t)(s.at - 1 - key) && memcmp(key, name, strlen(name)) == 0;
            skip_blanks(&s);
            next_is(&s, ':');
            skip_blanks(&s);
        }
        const char *from = s.at;
        if (!scan_value(&s, 1))
            return none;
        const char *to = s.at;
        while (to > from && strchr(" \n\r\t", to[-1]))
            to--;
        if (is_wanted)
            return (json_span){from, (size_t)(to - from)};
        if (!next_is(&s, ','))
            return none;
    }
    return none;
}

json_span json_member(json_span object, const char *name)
{
    return find(object, '{', name, -1);
}

json_span json_item(json_span array, int index)
{
    return find(array, '[', "", index);
}

int json_next(json_span object, size_t *at, json_span *name, json_span *value)
{
    if (!object.text)
        return 0;
    scanner s = {.at = object.text + *at, .end = object.text + object.n};
    skip_blanks(&s);
    if (!next_is(&s, *at == 0 ? '{' : ','))
        return 0;
    skip_blanks(&s);
    const char *key = s.at + 1;
    if (!scan_string(&s))
        return 0;
    *name = (json_span){key, (size_t)(s.at - 1 - key)};
    skip_blanks(&s);
    next_is(&s, ':');
    skip_blanks(&s);
    const char *from = s.at;
    if (!scan_value(&s, 1))
        return 0;
    const char *to = s.at;
    while (to > from && strchr(" \n\r\t", to[-1]))
        to--;
    *value = (json_span){from, (size_t)(to - from)};
    *at = (size_t)(s.at - object.text);
    return 1;
}

json_span json_whole(const char *text)
{
    return (json_span){text, text ? strlen(text) : 0};
}

char *json_copy(json_span span)
{
    char *copy = span.text ? malloc(span.n + 1) : NULL;
    if (copy) {
        memcpy(copy, span.text, span.n);
        copy[span.n] = '\0';
    }
    return copy;
}
