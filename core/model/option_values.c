/* option_values.c: see option_values.h. */
#include "model/option_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/machine.h"
#include "base/number.h"
#include "base/orientation.h"
#include "base/unit.h"
#include "model/image.h"
#include "model/options.h"

static int32_t refuse(const row *r, const char *value, error *e, const char *why)
{
    char text[400];
    return error_set(e, NGFF_E_OPTION, "%s=%.200s: %s; allowed: %s", r->name, value, why ? why : "not a known value",
                     row_allowed(r, text));
}

int32_t row_read_word(const row *r, const char *value, void *to, error *e)
{
    const word *w = word_find(r->words, value);
    if (!w)
        return refuse(r, value, e, NULL);
    *(int *)to = w->value;
    return NGFF_OK;
}

/* A decimal integer at text within low..high; *end is behind it. Returns 0 if there is none. */
static int integer_at(const char *text, int64_t low, int64_t high, int64_t *value, const char **end)
{
    int is_negative = *text == '-';
    const char *p = text + is_negative;
    int64_t n = 0;
    if (!ascii_is_digit(*p))
        return 0;
    for (; ascii_is_digit(*p); p++) {
        if (n > INT64_MAX / 10 - 1)
            return 0;
        n = n * 10 + (*p - '0');
    }
    *value = is_negative ? -n : n;
    *end = p;
    return *value >= low && *value <= high;
}

int32_t row_read_integer(const row *r, const char *value, void *to, error *e)
{
    int64_t n;
    const char *end;
    const word *w = word_find(r->words, value);
    if (w) {
        *(int *)to = w->value;
        return NGFF_OK;
    }
    if (!integer_at(value, r->low, r->high, &n, &end) || *end)
        return refuse(r, value, e, "not a whole number in the range");
    *(int *)to = (int)n;
    return NGFF_OK;
}

int32_t row_read_threads(const row *r, const char *value, void *to, error *e)
{
    if (row_read_integer(r, value, to, e))
        return e->status;
    /* 0 in options means ALL_CPUS; a typed 0 means no thread beside the caller's. */
    if (*(int *)to == 0 && !word_find(r->words, value))
        *(int *)to = 1;
    return NGFF_OK;
}

int32_t row_read_memory(const row *r, const char *value, void *to, error *e)
{
    static const char units[] = "KMGT";
    const char *end;
    double n = number_parse(value, &end);
    if (end == value || !(n > 0))
        return refuse(r, value, e, "not an amount of memory");
    while (*end == ' ')
        end++;
    if (*end == '%' && !end[1] && n <= 100) {
        int64_t machine = machine_memory();
        if (machine == 0)
            return refuse(r, value, e, "the memory of this machine is unknown, so give bytes");
        n = n / 100 * (double)machine;
    } else if (*end) {
        const char *unit = strchr(units, ascii_upper(*end));
        const char *rest = unit ? end + 1 : end;
        if (!(text_equals(rest, "") || text_equals(rest, "B") || (unit && text_equals(rest, "iB"))))
            return refuse(r, value, e, "not an amount of memory");
        n *= unit ? ldexp(1, 10 * (int)(unit - units + 1)) : 1;
    }
    if (n < 1 || n > 1e18)
        return refuse(r, value, e, "not an amount of memory");
    *(int64_t *)to = (int64_t)n;
    return NGFF_OK;
}

/* Sizes up to the character stop or the end of the text: "512", "1,512,512", "y:2,x:2". Returns what is wrong, or NULL.
 */
static const char *sizes_at(const char *text, char stop, int64_t high, size_list *list, const char **end)
{
    memset(list, 0, sizeof *list);
    for (const char *p = text;; p++) {
        if (list->n == MAX_RANK)
            return "more than 5 values";
        char dim = 0;
        if (ascii_is_letter(*p) && p[1] == ':') {
            dim = ascii_lower(*p);
            p += 2;
            if (!strchr("tczyx", dim))
                return "an axis other than t, c, z, y, x";
        }
        if (list->n > 0 && !dim != !list->dim[0])
            return "values with and without an axis are mixed";
        for (int i = 0; dim && i < list->n; i++)
            if (list->dim[i] == dim)
                return "an axis twice";
        if (!integer_at(p, 1, high, &list->value[list->n], &p))
            return "sizes must be whole numbers from 1";
        list->dim[list->n++] = dim;
        if (*p != ',') {
            list->is_set = 1;
            *end = p;
            return !*p || *p == stop ? NULL : "sizes must be whole numbers from 1";
        }
    }
}

int32_t row_read_sizes(const row *r, const char *value, void *to, error *e)
{
    const char *end;
    const char *problem = sizes_at(value, '\0', r->high, to, &end);
    return problem ? refuse(r, value, e, problem) : NGFF_OK;
}

/* BLOCKXSIZE and BLOCKYSIZE, GTiff's names, add one axis each. */
int32_t row_read_block_side(const row *r, const char *value, void *to, error *e)
{
    size_list *list = to;
    int64_t n;
    const char *end;
    if (list->n == MAX_RANK || (list->n > 0 && !list->dim[0]))
        return refuse(r, value, e, "BLOCKSIZE is given, too");
    if (!integer_at(value, 1, r->high, &n, &end) || *end)
        return refuse(r, value, e, "not a whole number from 1");
    list->is_set = 1;
    list->value[list->n] = n;
    list->dim[list->n++] = r->name[5] == 'X' ? 'x' : 'y';
    return NGFF_OK;
}

int32_t row_read_shard(const row *r, const char *value, void *to, error *e)
{
    options *o = (options *)((char *)to - offsetof(options, shard_mode));
    const word *w = word_find(r->words, value);
    o->shard_mode = w ? w->value : SHARD_GIVEN;
    return w ? NGFF_OK : row_read_sizes(r, value, &o->shard, e);
}

/* "2,4,8": one factor per level; "y:2,x:2;z:2,y:4,x:4" and "1,2,2;1,4,4": one list per level; or the word. */
int32_t row_read_factors(const row *r, const char *value, void *to, error *e)
{
    options *o = (options *)((char *)to - offsetof(options, scale_factors));
    o->is_isotropic = word_find(r->words, value) != NULL;
    if (o->is_isotropic)
        return NGFF_OK;
    int is_ladder = !strchr(value, ';') && !strchr(value, ':');
    const char *p = value;
    for (o->n_scale_factors = 0;; p++) {
        if (o->n_scale_factors == max_levels - 1)
            return refuse(r, value, e, "too many levels");
        size_list *list = &o->scale_factors[o->n_scale_factors++];
        const char *problem = NULL;
        if (!is_ladder)
            problem = sizes_at(p, ';', r->high, list, &p);
        else if ((list->is_set = integer_at(p, 1, r->high, &list->value[0], &p) && (!*p || *p == ',')))
            list->n = 1;
        else
            problem = "factors must be whole numbers from 1";
        if (problem)
            return refuse(r, value, e, problem);
        if (!*p)
            return NGFF_OK;
    }
}

int32_t row_read_numbers(const row *r, const char *value, void *to, error *e)
{
    number_list *list = to;
    for (const char *p = value;; p++) {
        if (list->n == MAX_RANK)
            return refuse(r, value, e, "more than 5 values");
        char dim = 0;
        if (ascii_is_letter(*p) && p[1] == ':') {
            dim = ascii_lower(*p);
            p += 2;
        }
        if ((dim && !strchr("tczyx", dim)) || (list->n > 0 && !dim != !list->dim[0]))
            return refuse(r, value, e, "every value needs its axis");
        for (int i = 0; dim && i < list->n; i++)
            if (list->dim[i] == dim)
                return refuse(r, value, e, "an axis twice");
        const char *end;
        double number = number_parse(p, &end);
        if (end == p || !isfinite(number) || (r->low > 0 && number <= 0))
            return refuse(r, value, e, r->low > 0 ? "not a number above 0" : "not a number");
        list->dim[list->n] = dim;
        list->value[list->n++] = number;
        p = end;
        if (!*p)
            return NGFF_OK;
        if (*p != ',')
            return refuse(r, value, e, "a comma is missing");
    }
}

int32_t row_read_text(const row *r, const char *value, void *to, error *e)
{
    if (!utf8_is_valid(value, strlen(value)))
        return error_set(e, NGFF_E_OPTION, "%s is not valid UTF-8", r->name);
    *(char **)to = strdup(value);
    return *(char **)to ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

int32_t row_read_path(const row *r, const char *value, void *to, error *e)
{
    if (!value[0] || value[strlen(value) - 1] == '/')
        return refuse(r, value, e, "the name of a file is missing");
    return row_read_text(r, value, to, e);
}

/* "3/16" */
int32_t row_read_part(const row *r, const char *value, void *to, error *e)
{
    part_number *part = to;
    char *slash, *end = NULL;
    long i = strtol(value, &slash, 10), n = *slash == '/' && slash > value ? strtol(slash + 1, &end, 10) : 0;
    if (!end || *end || end == slash + 1 || i < 1 || n < 1 || i > n || n > r->high)
        return refuse(r, value, e, "a part is its number and how many there are, as 3/16");
    *part = (part_number){(int)i, (int)n};
    return NGFF_OK;
}

int32_t row_read_axes(const row *r, const char *value, void *to, error *e)
{
    size_list *list = to;
    const char *end;
    const char *problem = sizes_at(value, '\0', r->high, list, &end);
    if (!problem && !list->dim[0])
        problem = "every size needs its axis";
    for (int i = 0; !problem && i < list->n; i++)
        if (!strchr("tcz", list->dim[i]))
            problem = "y and x are the axes of a band; only t, c and z are named";
    return problem ? refuse(r, value, e, problem) : NGFF_OK;
}

/* Pairs of an axis and a name. name_of: the name as its table has it, or NULL with the error set. */
static int32_t read_names(const row *r, const char *value, unit_names *list, const char *dims, const char *pairs,
                          const char *(*name_of)(const row *r, const char *value, char dim, const char *word, size_t n,
                                                 error *e),
                          error *e)
{
    for (const char *p = value;; p++) {
        char dim = ascii_lower(*p);
        if (!dim || !strchr(dims, dim) || p[1] != ':')
            return refuse(r, value, e, pairs);
        for (int i = 0; i < list->n; i++)
            if (list->dim[i] == dim)
                return refuse(r, value, e, "an axis twice");
        size_t n = strcspn(p + 2, ",;");
        list->name[list->n] = name_of(r, value, dim, p + 2, n, e);
        if (!list->name[list->n])
            return e->status;
        list->dim[list->n++] = dim;
        p += 2 + n;
        if (!*p)
            return NGFF_OK;
    }
}

static const char *unit_of(const row *r, const char *value, char dim, const char *word, size_t n, error *e)
{
    char unit[40] = "";
    if (n < sizeof unit)
        memcpy(unit, word, n);
    const char *name = unit_name(dim, unit);
    if (!name)
        error_set(e, NGFF_E_OPTION, "%s=%.200s: \"%.*s\" is no unit for axis %c; allowed: %s", r->name, value,
                  (int)min_i64((int64_t)n, 40), word, dim, unit_list(dim));
    return name;
}

int32_t row_read_units(const row *r, const char *value, void *to, error *e)
{
    return read_names(r, value, to, "tzyx", "pairs of an axis (t, z, y, x) and its unit are expected", unit_of, e);
}

static const char *orientation_of(const row *r, const char *value, char dim, const char *word, size_t n, error *e)
{
    const char *name = orientation_name(word, n);
    if (!name)
        error_set(e, NGFF_E_OPTION, "%s=%.100s: \"%.*s\" is no orientation for axis %c; allowed: %s", r->name, value,
                  (int)min_i64((int64_t)n, 40), word, dim, orientation_list());
    return name;
}

int32_t row_read_orientations(const row *r, const char *value, void *to, error *e)
{
    return read_names(r, value, to, "zyx", "pairs of an axis (z, y, x) and where it leads are expected", orientation_of,
                      e);
}

/* Splits at commas; "\," stands for a comma. A NULL-terminated list of malloc'ed texts, or NULL when memory is out. */
static char **list_split(const char *value)
{
    size_t n = 1;
    for (const char *p = value; *p; p++)
        n += *p == ',';
    char **list = calloc(n + 1, sizeof *list);
    const char *p = value;
    for (size_t i = 0; list && i < n; i++) {
        char *item = list[i] = malloc(strlen(p) + 1);
        if (!item)
            break;
        for (; *p && *p != ','; p++) {
            p += p[0] == '\\' && p[1] == ',';
            *item++ = *p;
        }
        *item = '\0';
        if (!*p)
            return list;
        p++;
    }
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
    return NULL;
}

int32_t row_read_list(const row *r, const char *value, void *to, error *e)
{
    if (!utf8_is_valid(value, strlen(value)))
        return error_set(e, NGFF_E_OPTION, "%s is not valid UTF-8", r->name);
    *(char ***)to = list_split(value);
    return *(char ***)to ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

int32_t row_read_colors(const row *r, const char *value, void *to, error *e)
{
    if (row_read_list(r, value, to, e))
        return e->status;
    for (char **item = *(char ***)to; *item; item++) {
        char *text = *item;
        if (text[0] == '#')
            memmove(text, text + 1, strlen(text));
        size_t n = strlen(text);
        if (n != 0 && (n != 6 || strspn(text, "0123456789abcdefABCDEF") != 6))
            return refuse(r, value, e, "a colour is not 6 hexadecimal digits");
    }
    return NGFF_OK;
}

int32_t row_read_window(const row *r, const char *value, void *to, error *e)
{
    options *o = (options *)((char *)to - offsetof(options, window_mode));
    const word *w = word_find(r->words, value);
    o->window_mode = w ? w->value : WINDOW_GIVEN;
    if (w)
        return NGFF_OK;
    size_t room = 1;
    for (const char *p = value; *p; p++)
        room += *p == ',';
    o->windows = calloc(2 * room, sizeof *o->windows);
    if (!o->windows)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    for (const char *p = value;; p++) {
        const char *colon, *end;
        double *window = o->windows + 2 * o->n_windows++;
        window[0] = number_parse(p, &colon);
        window[1] = number_parse(*colon == ':' ? colon + 1 : colon, &end);
        if (colon == p || *colon != ':' || end == colon + 1 || !isfinite(window[0]) || !isfinite(window[1]) ||
            window[0] >= window[1] || (*end && *end != ','))
            return refuse(r, value, e, "a range must be low:high with low below high");
        p = end;
        if (!*p)
            return NGFF_OK;
    }
}
