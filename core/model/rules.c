/* rules.c: see rules.h. */
#include "rules.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
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

static void tell(judge *j, int32_t kind, const spot *at, const char *format, va_list arguments)
{
    char what[500], text[1000];
    vsnprintf(what, sizeof what, format, arguments);
    snprintf(text, sizeof text, "%s%s%s%s%s", j->document, j->document[0] ? ": " : "", at->text,
             at->text[0] ? ": " : "", what);
    j->n_invalid += kind == NGFF_FINDING_INVALID || kind == NGFF_FINDING_TOLERABLE;
    if (j->finding)
        j->finding(j->user, kind, text);
}

void tell_must(judge *j, const spot *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(j, NGFF_FINDING_INVALID, at, format, arguments);
    va_end(arguments);
}

void tell_tolerable(judge *j, const spot *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(j, NGFF_FINDING_TOLERABLE, at, format, arguments);
    va_end(arguments);
}

void tell_should(judge *j, const spot *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(j, NGFF_FINDING_ADVICE, at, format, arguments);
    va_end(arguments);
}

void tell_note(judge *j, const spot *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(j, NGFF_FINDING_NOTE, at, format, arguments);
    va_end(arguments);
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
    if (value)
        tell_must(j, &here, "it must be %s", kind_name(wanted));
    else if (n == MUST)
        tell_must(j, &here, "it is missing, and must be %s", kind_name(wanted));
    else if (n == SHOULD)
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

void want_unique(judge *j, const cJSON *list, const spot *at, const char *name)
{
    const cJSON *item, *earlier;
    int i = 0;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *value = member(item, name);
        for (earlier = list->child; value && earlier != item; earlier = earlier->next)
            if (cJSON_Compare(member(earlier, name), value, 1)) {
                spot here = spot_item(at, i);
                here = spot_member(&here, name);
                tell_must(j, &here, "an entry before it has the same %s", name);
                break;
            }
        i++;
    }
}

void want_version(judge *j, const cJSON *object, const spot *at)
{
    const cJSON *version = want(j, object, at, "version", TEXT, j->version == 4 ? SHOULD : MAY);
    spot here = spot_member(at, "version");
    if (version && strcmp(version->valuestring, j->version_text) != 0)
        tell_must(j, &here, "\"%.40s\" must be \"%s\", as in the rest of the store", version->valuestring,
                  j->version_text);
}
