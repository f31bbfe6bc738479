/* rules.c: see rules.h. */
#include "validate/rules.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngff.h"

spot spot_member(const spot *at, const char *name)
{
    spot s;
    snprintf(s.text, sizeof s.text, "%.150s%s%.40s", at->text, at->text[0] ? "." : "", name);
    return s;
}

spot spot_item(const spot *at, int index)
{
    spot s;
    snprintf(s.text, sizeof s.text, "%.180s[%d]", at->text, index);
    return s;
}

void tell_rule(judge *j, int32_t kind, const spot *at, const char *format, ...)
{
    char what[500], text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(text, sizeof text, "%s%s%s%s%s", j->document, j->document[0] ? ": " : "", at->text,
             at->text[0] ? ": " : "", what);
    j->n_invalid += kind == NGFF_FINDING_INVALID || kind == NGFF_FINDING_TOLERABLE;
    if (j->finding)
        j->finding(j->user, kind, text);
}

int kind_fits(const cJSON *value, kind wanted)
{
    int is_whole = cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble);
    switch (wanted) {
    case TEXT:
        return cJSON_IsString(value);
    case FLAG:
        return cJSON_IsBool(value);
    case NUMBER:
        return cJSON_IsNumber(value);
    case WHOLE:
        return is_whole;
    case COUNT:
        return is_whole && value->valuedouble >= 0;
    case POSITIVE:
        return is_whole && value->valuedouble >= 1;
    case OBJECT:
        return cJSON_IsObject(value);
    case LIST:
        return cJSON_IsArray(value);
    case FILLED_LIST:
        return cJSON_IsArray(value) && value->child;
    }
    return 0;
}

static const char *kind_name(kind wanted)
{
    static const char *const names[] = {"text",
                                        "true or false",
                                        "a number",
                                        "a whole number",
                                        "a whole number from 0",
                                        "a whole number from 1",
                                        "an object",
                                        "a list",
                                        "a list with at least one entry"};
    return names[wanted];
}

const cJSON *want(judge *j, const cJSON *object, const spot *at, const char *name, kind wanted, need n)
{
    const cJSON *value = member(object, name);
    spot here = spot_member(at, name);
    if (kind_fits(value, wanted))
        return value;
    if (value && n == SHOULD_BE)
        tell_should(j, &here, "it should be %s", kind_name(wanted));
    else if (value)
        tell_must(j, &here, "it must be %s", kind_name(wanted));
    else if (n == MUST)
        tell_must(j, &here, "it is missing, and must be %s", kind_name(wanted));
    else if (n == SHOULD || n == SHOULD_BE)
        tell_should(j, &here, "it should be there, as %s", kind_name(wanted));
    return NULL;
}

void want_all(judge *j, const cJSON *object, const spot *at, const member_rule *rules)
{
    for (const member_rule *rule = rules; rule->name; rule++)
        want(j, object, at, rule->name, rule->wanted, rule->needs[j->version - 4]);
}

int want_numbers(judge *j, const cJSON *list, const spot *at, int n, const char *what)
{
    const cJSON *item;
    int n_here = cJSON_GetArraySize(list), are_numbers = cJSON_IsArray(list);
    cJSON_ArrayForEach(item, list) are_numbers = are_numbers && cJSON_IsNumber(item);
    if (!are_numbers)
        tell_must(j, at, "it must be a list of numbers");
    else if (n >= 0 && n_here != n)
        tell_must(j, at, "it has %d numbers, but there are %d %s", n_here, n, what);
    else
        return 1;
    return 0;
}

typedef struct {
    const cJSON *value;
    int index;
} entry;

static int by_value(const void *left, const void *right)
{
    const cJSON *a = ((const entry *)left)->value, *b = ((const entry *)right)->value;
    if (cJSON_IsString(a) != cJSON_IsString(b))
        return cJSON_IsString(a) ? -1 : 1;
    if (cJSON_IsString(a))
        return strcmp(a->valuestring, b->valuestring);
    return (a->valuedouble > b->valuedouble) - (a->valuedouble < b->valuedouble);
}

static int by_value_then_index(const void *left, const void *right)
{
    int order = by_value(left, right);
    return order ? order : ((const entry *)left)->index - ((const entry *)right)->index;
}

static int by_index(const void *left, const void *right)
{
    return ((const entry *)left)->index - ((const entry *)right)->index;
}

/* Sorted, because images have colours for tens of thousands of labels. From 2^53 on a double stands for several
 * numbers: these are not compared. */
void want_unique(judge *j, const cJSON *list, const spot *at, const char *name)
{
    const cJSON *item;
    int n = cJSON_GetArraySize(list), n_values = 0, n_again = 0, i = 0;
    entry *entries = n > 1 ? malloc((size_t)n * sizeof *entries) : NULL;
    if (n > 1 && !entries)
        tell_note(j, at, "out of memory: whether each %s is there once was not looked at", name);
    if (!entries)
        return;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *value = member(item, name);
        if (cJSON_IsString(value) || (cJSON_IsNumber(value) && fabs(value->valuedouble) < 0x1p53))
            entries[n_values++] = (entry){value, i};
        i++;
    }
    qsort(entries, (size_t)n_values, sizeof *entries, by_value_then_index);
    for (i = 1; i < n_values; i++)
        if (by_value(&entries[i], &entries[i - 1]) == 0)
            entries[n_again++].index = entries[i].index;
    qsort(entries, (size_t)n_again, sizeof *entries, by_index);
    for (i = 0; i < n_again; i++) {
        spot here = spot_item(at, entries[i].index);
        here = spot_member(&here, name);
        tell_must(j, &here, "an entry before it has the same %s", name);
    }
    free(entries);
}

void want_version(judge *j, const cJSON *object, const spot *at)
{
    const cJSON *version = want(j, object, at, "version", TEXT, j->version == 4 ? SHOULD : MAY);
    spot here = spot_member(at, "version");
    if (version && strcmp(version->valuestring, j->version_text) != 0)
        tell_must(j, &here, "\"%.40s\" must be \"%s\", as in the rest of the store", version->valuestring,
                  j->version_text);
}
