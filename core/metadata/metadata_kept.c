/* metadata_kept.c: what a change of a stored image takes over from its documents: display windows, statistics, and what
 * others have put into the root. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/json.h"
#include "metadata/metadata.h"
#include "zarr/tree.h"

/* A number, or one of Zarr's words for what JSON has no number; NaN where there is none. */
static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);
    if (cJSON_IsNumber(item))
        return item->valuedouble;
    if (!cJSON_IsString(item) || strcmp(item->valuestring, "NaN") == 0)
        return NAN;
    return item->valuestring[0] == '-' ? -INFINITY : INFINITY;
}

/* window: start, end, min, max; NULL: there is none. */
static void take_window(const double *window, channel_summary *s)
{
    s->start = window ? window[0] : NAN;
    s->end = window ? window[1] : NAN;
    s->low = window ? window[2] : NAN;
    s->high = window ? window[3] : NAN;
}

static void read_statistics(const cJSON *entry, channel_summary *s)
{
    s->has_statistics = cJSON_IsObject(entry);
    s->n_valid = s->has_statistics ? (int64_t)number_of(entry, "n_valid") : 0;
    s->min = number_of(entry, "min");
    s->max = number_of(entry, "max");
    s->mean = number_of(entry, "mean");
    s->std_dev = number_of(entry, "std_dev");
}

int32_t metadata_summaries(const stored_image *image, document_get source, void *user, int64_t n,
                           channel_summary *summaries, error *e)
{
    char *text = metadata_attribute(image, "statistics", source, user, e);
    stored_view view;
    metadata_view(image, 0, &view, e);
    cJSON *statistics = json_tree(json_whole(text), "the statistics", e);
    const cJSON *entry = statistics ? statistics->child : NULL;
    for (int64_t i = 0; i < n; i++) { /* along the list: cJSON finds item i by passing all before it */
        take_window(i < view.n_channels ? view.channels[i].window : NULL, &summaries[i]);
        read_statistics(entry, &summaries[i]);
        entry = entry ? entry->next : NULL;
    }
    view_release(&view);
    cJSON_Delete(statistics);
    free(text);
    return e->status;
}

int32_t metadata_foreign_attributes(const stored_image *image, int (*is_own)(const char *name), char **json)
{
    error e = {0};
    cJSON *attributes = json_tree(json_whole(image->attributes), "the root's attributes", &e),
          *foreign = cJSON_CreateObject();
    int is_whole = attributes && foreign;
    *json = NULL;
    for (const cJSON *item = is_whole ? attributes->child : NULL; item; item = item->next) {
        if (is_own(item->string))
            continue;
        char *text = json_copy(json_member(json_whole(image->attributes), item->string));
        tree_put(foreign, item->string, text ? cJSON_CreateRaw(text) : NULL, &is_whole);
        free(text);
    }
    char *printed = is_whole && foreign->child ? cJSON_PrintUnformatted(foreign) : NULL;
    *json = printed ? strdup(printed) : NULL;
    is_whole = is_whole && (!foreign->child || *json);
    cJSON_free(printed);
    cJSON_Delete(attributes);
    cJSON_Delete(foreign);
    return is_whole ? NGFF_OK : NGFF_E_MEMORY;
}
