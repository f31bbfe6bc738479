/* json.c: see json.h. One strict scanner decides what is JSON (RFC 8259); cJSON builds the tree afterwards and is
 * trusted with nothing else: by itself it accepts leading zeros, trailing text, invalid UTF-8, cuts strings at \u0000,
 * and reads numbers with the first byte of the locale's decimal separator, which has two in Persian and Pashto. */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/number.h"

typedef struct {
    const char *at, *end;
    const json_limits *limits;
    long n_nodes;
    int has_real;        /* a number with a fraction or an exponent, or one of many digits */
    const char *problem; /* NULL: none so far */
    int is_beyond;       /* the problem is one of the limits */
    int is_skipping;     /* members that are not wanted become one value each */
    json_span *skipped;
    size_t n_skipped;
} scanner;

static int fail(scanner *s, const char *problem)
{
    if (!s->problem)
        s->problem = problem;
    return 0;
}

/* RFC 3629, table of section 4. */
size_t utf8_length(const unsigned char *p, size_t n)
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
    /* cJSON reads numbers through a buffer of 64 characters and would silently cut longer ones. */
    s->has_real |= s->at > whole || s->at - from > 60;
    return 1;
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

/* Where members can be left out of a tree: in the outermost object, its attributes, and "ome" in these. */
static int is_outer_key(json_span key)
{
    return (key.n == 10 && memcmp(key.text, "attributes", 10) == 0) || (key.n == 3 && memcmp(key.text, "ome", 3) == 0);
}

static int is_wanted(const scanner *s, json_span key)
{
    for (const char *const *word = s->limits->wanted; *word; word++)
        if (strlen(*word) == key.n && memcmp(*word, key.text, key.n) == 0)
            return 1;
    return 0;
}

/* The value of a member that is not wanted counts as one. */
static int skip_value(scanner *s, int depth)
{
    long n_nodes = s->n_nodes;
    int has_real = s->has_real;
    const json_limits *limits = s->limits, none = {limits->bytes, limits->depth, LONG_MAX, NULL, NULL};
    json_span *skipped = s->skipped;
    if (s->n_skipped % 64 == 0)
        skipped = realloc(s->skipped, (s->n_skipped + 64) * sizeof *skipped);
    if (!skipped)
        return fail(s, "memory is out");
    s->skipped = skipped;
    skip_blanks(s);
    const char *from = s->at;
    s->limits = &none;
    s->is_skipping = 0;
    int is_good = scan_value(s, depth);
    s->is_skipping = 1;
    s->limits = limits;
    s->n_nodes = n_nodes + 1;
    s->has_real = has_real;
    s->skipped[s->n_skipped++] = (json_span){from, (size_t)(s->at - from)};
    if (is_good && s->n_nodes > limits->nodes) {
        s->is_beyond = 1;
        return fail(s, "it has too many values");
    }
    return is_good;
}

/* The members of an object or the items of an array, up to the closing bracket. */
static int scan_list(scanner *s, int depth, char close)
{
    int is_outer = s->is_skipping && close == '}';
    s->at++;
    skip_blanks(s);
    if (next_is(s, close))
        return 1;
    for (;;) {
        json_span key = {NULL, 0};
        if (close == '}') {
            skip_blanks(s);
            key.text = s->at + 1;
            if (!scan_string(s))
                return 0;
            key.n = (size_t)(s->at - 1 - key.text);
            skip_blanks(s);
            if (!next_is(s, ':'))
                return fail(s, "a colon is missing");
        }
        s->is_skipping = is_outer && is_outer_key(key);
        int is_good =
            is_outer && !s->is_skipping && !is_wanted(s, key) ? skip_value(s, depth + 1) : scan_value(s, depth + 1);
        if (!is_good)
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
    if (s->limits && (++s->n_nodes > s->limits->nodes || depth > s->limits->depth)) {
        s->is_beyond = depth <= s->limits->depth;
        return fail(s, s->is_beyond ? "it has too many values" : "it is nested too deeply");
    }
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

static const char key_twice[] = "an object has a key twice";

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
            problem = key_twice;
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
    return (json_limits){n, json_max_depth, n < LONG_MAX ? (long)n : LONG_MAX, NULL, NULL};
}

/* What has become of a text. */
typedef struct {
    cJSON *tree; /* also where a key is there twice */
    const char *problem;
    size_t at;
    int is_beyond, is_out_of_memory;
} outcome;

/* The text with 0 for each value that was skipped, and its tree. */
static cJSON *make_part(const char *text, size_t n, const scanner *s)
{
    char *part = malloc(n + 1);
    if (!part)
        return NULL;
    memcpy(part, text, n);
    part[n] = '\0';
    for (size_t i = 0; i < s->n_skipped; i++) {
        memset(part + (s->skipped[i].text - text), ' ', s->skipped[i].n);
        part[s->skipped[i].text - text] = '0';
    }
    cJSON *tree = make_tree(part, n, s->has_real);
    free(part);
    return tree;
}

static void judge_text(const char *text, size_t n, const json_limits *limits, int is_skipping, outcome *o)
{
    scanner s = {.at = text, .end = text + n, .limits = limits, .is_skipping = is_skipping};
    memset(o, 0, sizeof *o);
    if (scan_value(&s, 1) && s.at != s.end)
        fail(&s, "text follows the value");
    if (!s.problem) {
        o->tree = is_skipping ? make_part(text, n, &s) : make_tree(text, n, s.has_real);
        o->is_out_of_memory = !o->tree;
        if (o->tree)
            s.problem = tree_problem(o->tree, &o->is_out_of_memory);
    }
    free(s.skipped);
    o->problem = s.problem;
    o->at = (size_t)(s.at - text);
    o->is_beyond = s.is_beyond;
}

static void parse_within(const char *text, size_t n, const json_limits *limits, outcome *o)
{
    judge_text(text, n, limits, 0, o);
    if (o->is_beyond && limits->wanted)
        judge_text(text, n, limits, 1, o);
}

static const json_limits usual = {json_max_bytes, json_max_depth, json_max_nodes, NULL, NULL};

static int is_within(size_t n, const json_limits *limits, const char *where, error *e)
{
    return n <= limits->bytes ||
           error_set(e, NGFF_E_UNSUPPORTED, "%s has %zu bytes; at most %zu are read", where, n, limits->bytes) == 0;
}

/* The tree, or NULL and the error. */
static cJSON *give(outcome *o, size_t n, const json_limits *limits, const char *where, error *e)
{
    if (o->tree && !o->problem && !o->is_out_of_memory)
        return o->tree;
    cJSON_Delete(o->tree);
    if (o->is_out_of_memory)
        error_set(e, NGFF_E_MEMORY, "out of memory for the JSON tree of %s (%zu bytes)", where, n);
    else if (o->is_beyond)
        error_set(e, NGFF_E_UNSUPPORTED, "%s is not read: %s (at most %ld)%s", where, o->problem, limits->nodes,
                  limits->advice ? limits->advice : "");
    else
        error_set(e, NGFF_E_CORRUPT, "%s is not usable JSON: %s (byte %zu)", where, o->problem, o->at);
    return NULL;
}

int32_t json_check(const char *text, size_t n, const json_limits *limits, const char *where, error *e)
{
    cJSON *tree = json_parse(text, n, limits, where, e);
    cJSON_Delete(tree);
    return tree ? NGFF_OK : e->status;
}

struct cJSON *json_parse(const char *text, size_t n, const json_limits *limits, const char *where, error *e)
{
    outcome o;
    limits = limits ? limits : &usual;
    if (!is_within(n, limits, where, e))
        return NULL;
    parse_within(text, n, limits, &o);
    return give(&o, n, limits, where, e);
}

struct cJSON *json_tree(json_span span, const char *where, error *e)
{
    const json_limits limits = json_limits_of(span.n);
    return span.text ? json_parse(span.text, span.n, &limits, where, e) : NULL;
}

/* -- Keys that are there twice --------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    cJSON *child;
    size_t index;
} named_child;

static int compare_children(const void *a, const void *b)
{
    const named_child *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order ? order : (one->index > other->index) - (one->index < other->index);
}

/* One byte per member, set where a later one has the same name; NULL when memory is out. */
static char *find_doubles(const cJSON *object, size_t n)
{
    named_child *children = malloc((n + 1) * sizeof *children);
    char *is_double = calloc(n + 1, 1);
    size_t i = 0;
    for (cJSON *child = object->child; children && child; child = child->next, i++)
        children[i] = (named_child){child->string, child, i};
    if (children && is_double) {
        qsort(children, n, sizeof *children, compare_children);
        for (i = 0; i + 1 < n; i++)
            is_double[children[i].index] = strcmp(children[i].name, children[i + 1].name) == 0;
    } else {
        free(is_double);
        is_double = NULL;
    }
    free(children);
    return is_double;
}

/* The last of equal keys counts, as for Python, JavaScript and GDAL: those before it are taken out of the tree, and are
 * blanks in the text. s stands at the node's text. Returns how many, or -1 when memory is out; *first: one's name. */
static int drop_doubles(scanner *s, cJSON *node, char *text, const char *begin, json_span *first)
{
    int n_dropped = 0, is_object = cJSON_IsObject(node);
    skip_blanks(s);
    if (!(is_object && *s->at == '{') &&
        !(cJSON_IsArray(node) && *s->at == '[')) { /* a value, or one that was skipped */
        scan_value(s, 1);
        return 0;
    }
    char *is_double = is_object ? find_doubles(node, (size_t)cJSON_GetArraySize(node)) : NULL;
    if (is_object && !is_double)
        return -1;
    s->at++;
    size_t i = 0;
    for (cJSON *child = node->child, *next; child && n_dropped >= 0; child = next, i++) {
        next = child->next;
        skip_blanks(s);
        const char *from = s->at;
        json_span key = {from + 1, 0};
        if (is_object) {
            scan_string(s);
            key.n = (size_t)(s->at - 1 - key.text);
            skip_blanks(s);
            next_is(s, ':');
        }
        int below = drop_doubles(s, child, text, begin, first);
        n_dropped = below < 0 ? below : n_dropped + below;
        skip_blanks(s);
        next_is(s, ',');
        if (n_dropped < 0 || !is_double || !is_double[i])
            continue;
        if (!first->text)
            *first = key;
        n_dropped++;
        memset(text + (from - begin), ' ', (size_t)(s->at - from));
        cJSON_Delete(cJSON_DetachItemViaPointer(node, child));
    }
    skip_blanks(s);
    s->at++;
    skip_blanks(s);
    free(is_double);
    return n_dropped;
}

static void mend_doubles(char *text, size_t n, const char *where, outcome *o, warnings *told)
{
    json_span first = {NULL, 0};
    char *copy = malloc(n + 1); /* the scanner reads what is not changed under it */
    if (copy)
        memcpy(copy, text, n);
    scanner s = {.at = copy, .end = copy + n};
    int n_dropped = copy ? drop_doubles(&s, o->tree, text, copy, &first) : -1;
    o->is_out_of_memory = n_dropped < 0;
    if (n_dropped > 0) {
        warnings_add(told, "%s has the key \"%.*s\"%s more than once in an object: the last one counts", where,
                     first.n < 60 ? (int)first.n : 60, first.text, n_dropped > 1 ? ", and others," : "");
        o->problem = tree_problem(o->tree, &o->is_out_of_memory);
    }
    free(copy);
}

struct cJSON *json_parse_mended(char **text, size_t *n, const json_limits *limits, const char *where, warnings *told,
                                error *e)
{
    static const char mark[] = "\xEF\xBB\xBF";
    outcome o;
    limits = limits ? limits : &usual;
    if (!is_within(*n, limits, where, e))
        return NULL;
    if (*n >= 3 && memcmp(*text, mark, 3) == 0) {
        memset(*text, ' ', 3);
        warnings_add(told, "%s begins with a byte order mark, which JSON must not", where);
    }
    parse_within(*text, *n, limits, &o);
    for (int round = 0; round < 3 && o.problem && !o.is_beyond && !o.is_out_of_memory; round++) {
        size_t n_mended;
        if (o.problem == key_twice) {
            mend_doubles(*text, *n, where, &o, told);
            continue;
        }
        char *mended = json_mend(*text, *n, &n_mended, where, told);
        if (!mended)
            break;
        cJSON_Delete(o.tree);
        free(*text);
        *text = mended;
        *n = n_mended;
        parse_within(*text, *n, limits, &o);
    }
    return give(&o, *n, limits, where, e);
}

size_t json_cut_copies(char *text, size_t n)
{
    static const char copies[] = "consolidated_metadata";
    /* Only groups of Zarr v3 have copies. */
    static const char *const known[][2] = {
        {"attributes", NULL}, {"zarr_format", ",\"zarr_format\":3"}, {"node_type", ",\"node_type\":\"group\""}};
    const json_limits limits = {n, json_max_depth, LONG_MAX, NULL, NULL};
    scanner s = {.at = text, .end = text + n, .limits = &limits};
    int has[3] = {0};
    skip_blanks(&s);
    if (!next_is(&s, '{'))
        return 0;
    for (const char *behind = NULL;; behind = s.at - 1) { /* the last comma */
        skip_blanks(&s);
        const char *key = s.at + 1;
        if (!scan_string(&s))
            return 0;
        size_t n_key = (size_t)(s.at - 1 - key);
        if (n_key == sizeof copies - 1 && memcmp(key, copies, n_key) == 0) {
            char end[64];
            int n_end = snprintf(end, sizeof end, "%s%s}", has[1] ? "" : known[1][1], has[2] ? "" : known[2][1]);
            if (!has[0] || (size_t)(text + n - behind) < (size_t)n_end)
                return 0;
            size_t length = (size_t)(behind - text);
            memcpy(text + length, end, (size_t)n_end + 1);
            return length + (size_t)n_end;
        }
        for (int i = 0; i < 3; i++)
            has[i] |= n_key == strlen(known[i][0]) && memcmp(key, known[i][0], n_key) == 0;
        skip_blanks(&s);
        if (!next_is(&s, ':') || !scan_value(&s, 1) || !next_is(&s, ','))
            return 0;
    }
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

char *json_put(json_span object, const char *const *path, int n, const char *value)
{
    static const json_span empty = {"{}", 2};
    json_span old = json_member(object, path[0]);
    char *inner = n > 1 ? json_put(old.text ? old : empty, path + 1, n - 1, value) : NULL, *all = NULL;
    const char *now = n > 1 ? inner : value, *from = old.text, *behind = old.text ? old.text + old.n : NULL;
    size_t room = now ? object.n + strlen(path[0]) + strlen(now) + 8 : 0;
    int is_object = object.n >= 2 && object.text[0] == '{' && object.text[object.n - 1] == '}';
    if (!old.text) { /* in front of the others */
        from = object.text + 1;
        behind = from + strspn(from, " \n\r\t");
    }
    if (now && is_object && (all = malloc(room)))
        snprintf(all, room, old.text ? "%.*s%s%s%s%.*s" : "%.*s\"%s\":%s%s%.*s", (int)(from - object.text), object.text,
                 old.text ? "" : path[0], now, old.text || *behind == '}' ? "" : ",",
                 (int)(object.text + object.n - behind), behind);
    free(inner);
    return all;
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
