/* label.c: see label.h. A host that knows a table of colours gives all of it; what is written are the colours of the
 * values that occur, or that have a meaning: viewers list each of them, and most tables have 256 entries, mostly black.
 */
#include "metadata/label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "zarr/tree.h"

static const char where[] = "image-label";

/* True if the colours that are written depend on the values that occur. */
static int has_table(const struct ngff_plan *plan)
{
    return plan->options.labels && plan->image->label_is_table && plan->image->label_colors;
}

/* The value that an entry is about, -1 where a table has none such. */
static int value_of(const cJSON *entry)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, "label-value");
    int is_of_table = cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble < n_table_values;
    return is_of_table ? (int)value->valuedouble : -1;
}

static void set_flags(const cJSON *list, uint8_t *flags)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list)
    {
        int value = value_of(entry);
        if (value >= 0)
            flags[value] = 1;
    }
}

/* Takes what is not wanted out of a table of colours. Where some values have properties, all others that have a colour get
 * an entry, in more: ome-zarr-models takes no label image in which the two lists are of different values. */
static int32_t choose(cJSON *colors, const cJSON *properties, cJSON *more, const uint8_t *seen, error *e)
{
    uint8_t *flags = calloc(2, n_table_values), *has_properties = flags + n_table_values;
    int is_whole = flags != NULL;
    if (!flags)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    memcpy(flags, seen, n_table_values);
    set_flags(properties, flags);
    set_flags(properties, has_properties);
    for (cJSON *entry = colors->child, *next; entry; entry = next) {
        int value = value_of(entry);
        next = entry->next;
        if (value >= 0 && !flags[value]) {
            cJSON_Delete(cJSON_DetachItemViaPointer(colors, entry));
        } else if (value >= 0 && properties && !has_properties[value]) {
            cJSON *empty = cJSON_CreateObject();
            tree_put(empty, "label-value", tree_whole(value), &is_whole);
            tree_add(more, empty, &is_whole);
        }
    }
    free(flags);
    return is_whole ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

/* The list as it was given, so that numbers of any size stay exact, with more entries. NULL: out of memory. */
static cJSON *joined(const char *given, const cJSON *more)
{
    char *text = cJSON_PrintUnformatted(more), *all = NULL;
    size_t n = text ? (size_t)(strrchr(given, ']') - given) : 0;
    if (text && (all = malloc(n + strlen(text) + 1)))
        snprintf(all, n + strlen(text) + 1, "%.*s%s%s", (int)n, given, more->child ? "," : "", text + 1);
    cJSON *list = all ? cJSON_CreateRaw(all) : NULL;
    cJSON_free(text);
    free(all);
    return list;
}

/* Where the image lies that it is of: in a store's group "labels" two steps up. */
static cJSON *source_of(const struct ngff_image *image, const char *before, int *is_whole)
{
    char *kept = before ? json_copy(json_member(json_whole(before), "source")) : NULL;
    cJSON *source = kept ? cJSON_CreateRaw(kept) : NULL;
    if (!source && image->label_name) {
        source = cJSON_CreateObject();
        tree_put(source, "image", cJSON_CreateString("../../"), is_whole);
    }
    free(kept);
    return source;
}

int32_t label_text(const struct ngff_plan *plan, const uint8_t *seen, const char *before, char **text, error *e)
{
    const struct ngff_image *image = plan->image;
    int is_chosen = has_table(plan) && seen, is_whole = 1;
    *text = NULL;
    if (!plan->options.labels)
        return NGFF_OK;
    cJSON *label = cJSON_CreateObject(), *more = cJSON_CreateArray();
    cJSON *colors = is_chosen ? json_tree(json_whole(image->label_colors), where, e) : NULL;
    cJSON *properties = is_chosen ? json_tree(json_whole(image->label_properties), where, e) : NULL;
    if (!label || !more)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    if (e->status == NGFF_OK && (!is_chosen || choose(colors, properties, more, seen, e) == NGFF_OK)) {
        /* From 0.5 on the version stands once, in "ome". */
        if (plan->options.version == VERSION_04)
            tree_put(label, "version", cJSON_CreateString("0.4"), &is_whole);
        if (is_chosen ? colors->child != NULL : image->label_colors != NULL)
            tree_put(label, "colors", is_chosen ? cJSON_Duplicate(colors, 1) : cJSON_CreateRaw(image->label_colors),
                     &is_whole);
        if (image->label_properties)
            tree_put(label, "properties", joined(image->label_properties, more), &is_whole);
        cJSON *source = source_of(image, before, &is_whole);
        if (source)
            tree_put(label, "source", source, &is_whole);
        *text = is_whole ? cJSON_PrintUnformatted(label) : NULL;
        if (!*text)
            error_set(e, NGFF_E_MEMORY, "out of memory");
    }
    cJSON_Delete(label);
    cJSON_Delete(more);
    cJSON_Delete(colors);
    cJSON_Delete(properties);
    return e->status;
}

void label_seen_before(const char *label, uint8_t *seen)
{
    error ignored = {0};
    cJSON *list = json_tree(json_member(json_whole(label), "colors"), where, &ignored);
    set_flags(list, seen);
    cJSON_Delete(list);
}
