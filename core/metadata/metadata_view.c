/* metadata_view.c: what viewers are told of a stored image: its name, and "omero". Anybody may have written that: what is not
 * of its kind counts as not said. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "metadata/metadata.h"
#include "zarr/document.h"

static const double most_exact = 9007199254740992; /* 2^53: a larger number of JSON may be another one */

/* The text of an item; NULL where it is none, or empty. */
static char *text_copy(const cJSON *item, error *e)
{
    if (!cJSON_IsString(item) || !item->valuestring[0])
        return NULL;
    char *text = strdup(item->valuestring);
    if (!text)
        error_set(e, NGFF_E_MEMORY, "out of memory for the image's attributes");
    return text;
}

/* "RRGGBB", perhaps with "#" before it or opacity behind it. */
static void color_read(const char *text, char color[7])
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *first = text && *text == '#' ? text + 1 : text;
    size_t n = first ? strspn(first, digits) : 0;
    if ((n == 6 || n == 8) && !first[n])
        memcpy(color, first, 6);
}

static int boolean_of(const cJSON *object, const char *name, int otherwise)
{
    const cJSON *item = member(object, name);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}

static int64_t index_of(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);
    const double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
    return value >= 0 && value <= INT32_MAX && floor(value) == value ? (int64_t)value : -1;
}

static void channel_read(const cJSON *channel, stored_channel *to, error *e)
{
    static const char *const names[] = {"start", "end", "min", "max"};
    const cJSON *window = member(channel, "window");
    to->label = text_copy(member(channel, "label"), e);
    color_read(text_of(channel, "color"), to->color);
    for (int i = 0; i < 4; i++) {
        const cJSON *value = member(window, names[i]);
        to->window[i] = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    }
    to->is_active = boolean_of(channel, "active", -1);
    to->is_inverted = boolean_of(channel, "inverted", 0);
}

static void omero_read(const cJSON *omero, stored_view *view, error *e)
{
    const cJSON *list = member(omero, "channels"), *shown = member(omero, "rdefs");
    const char *model = text_of(shown, "model");
    const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    view->has_colors = !model ? -1 : strcmp(model, "color") == 0 ? 1 : strcmp(model, "greyscale") == 0 ? 0 : -1;
    view->t = index_of(shown, "defaultT");
    view->z = index_of(shown, "defaultZ");
    view->channels = n > 0 ? calloc((size_t)n, sizeof *view->channels) : NULL;
    if (n > 0 && !view->channels)
        error_set(e, NGFF_E_MEMORY, "out of memory for %d channels", n);
    if (view->channels)
        for (const cJSON *channel = list->child; channel; channel = channel->next)
            channel_read(channel, &view->channels[view->n_channels++], e);
}

/* Of a list with a whole label-value and an rgba of four numbers each; other entries are left out. */
static void colors_read(const cJSON *list, stored_view *view, error *e)
{
    const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    const cJSON *entry, *part, *from = n > 0 ? list : NULL;
    view->colors = n > 0 ? calloc((size_t)n, sizeof *view->colors) : NULL;
    if (n > 0 && !view->colors) {
        error_set(e, NGFF_E_MEMORY, "out of memory for %d colours", n);
        return;
    }
    cJSON_ArrayForEach(entry, from)
    {
        const cJSON *value = member(entry, "label-value"), *rgba = member(entry, "rgba");
        stored_color *to = &view->colors[view->n_colors];
        int k = 0;
        if (!cJSON_IsNumber(value) || floor(value->valuedouble) != value->valuedouble ||
            fabs(value->valuedouble) > most_exact || !cJSON_IsArray(rgba) || cJSON_GetArraySize(rgba) != 4)
            continue;
        to->value = (int64_t)value->valuedouble;
        cJSON_ArrayForEach(part, rgba) to->rgba[k++] =
            cJSON_IsNumber(part) ? (uint8_t)fmin(fmax(part->valuedouble, 0), 255) : 0;
        view->n_colors++;
    }
}

json_span metadata_ome(const stored_image *image)
{
    const json_span all = json_whole(image->attributes);
    const json_span ome = image->zarr_format == ZARR_2 ? (json_span){NULL, 0} : json_member(all, "ome");
    return ome.text ? ome : all;
}

int32_t metadata_view(const stored_image *image, int entry, stored_view *view, error *e)
{
    static const char where[] = "the image's attributes";
    const json_span root = metadata_ome(image);
    cJSON *name = json_tree(json_member(json_item(json_member(root, "multiscales"), entry), "name"), where, e);
    cJSON *omero = json_tree(json_member(root, "omero"), where, e);
    cJSON *colors = json_tree(json_member(json_member(root, "image-label"), "colors"), where, e);
    memset(view, 0, sizeof *view);
    view->name = text_copy(name, e);
    view->is_label = json_member(root, "image-label").text != NULL;
    omero_read(omero, view, e);
    colors_read(colors, view, e);
    cJSON_Delete(name);
    cJSON_Delete(omero);
    cJSON_Delete(colors);
    if (e->status != NGFF_OK)
        view_release(view);
    return e->status;
}

void view_release(stored_view *view)
{
    for (int i = 0; i < view->n_channels; i++)
        free(view->channels[i].label);
    free(view->channels);
    free(view->colors);
    free(view->name);
    memset(view, 0, sizeof *view);
}
