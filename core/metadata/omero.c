/* omero.c: "omero": names, colours and windows of the channels, and what a viewer shows first. */
#include <math.h>
#include <stdio.h>

#include "metadata/root_parts.h"
#include "zarr/tree.h"

enum { most_omero_channels = 256 };

/* The colour of a channel without one of its own: white for grey and alpha; magenta and green for a pair; red, green and
 * blue for three, which is right for the many pictures that nobody has called RGB; else the colour wheel of light, the
 * brightest first. */
static const char *default_color(const struct ngff_image *image, int64_t number)
{
    static const char *const rgb[] = {"FF0000", "00FF00", "0000FF"};
    static const char *const wheel[] = {"00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00", "0000FF"};
    int64_t n_colored = image->n_channels - (image->alpha >= 0);
    int64_t place = number - (image->alpha >= 0 && image->alpha < number);
    if (number == image->alpha || n_colored == 1)
        return "FFFFFF";
    if (image->kind == NGFF_KIND_RGB)
        return number < 3 ? rgb[number] : "FFFFFF";
    if (n_colored == 3)
        return rgb[place];
    if (n_colored == 2)
        return place == 0 ? "FF00FF" : "00FF00";
    return wheel[place % 6];
}

static cJSON *omero_channel(const struct ngff_image *image, const channel_summary *s, int64_t number, int is_active,
                            int *ok)
{
    const channel *c = &image->channels[number];
    cJSON *object = cJSON_CreateObject(), *window = cJSON_CreateObject();
    char label[40];
    snprintf(label, sizeof label, "Band %lld", (long long)number + 1);
    tree_put(window, "min", tree_real(s->low), ok);
    tree_put(window, "max", tree_real(s->high), ok);
    tree_put(window, "start", tree_real(s->start), ok);
    tree_put(window, "end", tree_real(s->end), ok);
    tree_put(object, "label", cJSON_CreateString(c->label && c->label[0] ? c->label : label), ok);
    tree_put(object, "color", cJSON_CreateString(c->color[0] ? c->color : default_color(image, number)), ok);
    tree_put(object, "active", cJSON_CreateBool(is_active), ok);
    tree_put(object, "coefficient", tree_real(1), ok);
    tree_put(object, "family", cJSON_CreateString("linear"), ok);
    tree_put(object, "inverted", cJSON_CreateBool(c->is_inverted), ok);
    tree_put(object, "window", window, ok);
    return object;
}

/* All or nothing: viewers fail on a partial omero block, and guess well without one. A label image has colours of its
 * own, and napari cannot make a layer of labels from contrast limits. */
static int has_omero(const struct ngff_plan *plan, const channel_summary *summaries)
{
    const struct ngff_image *image = plan->image;
    if (!summaries || image->n_channels > most_omero_channels || image->type->class == CLASS_COMPLEX ||
        plan->options.labels)
        return 0;
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel_summary *s = &summaries[i];
        if (!isfinite(s->low) || !isfinite(s->high) || !isfinite(s->start) || !isfinite(s->end))
            return 0;
    }
    return 1;
}

void omero_add(const struct ngff_plan *plan, const channel_summary *summaries, cJSON *ome, int *is_whole)
{
    const struct ngff_image *image = plan->image;
    if (!has_omero(plan, summaries))
        return;
    cJSON *object = cJSON_CreateObject(), *channels = cJSON_CreateArray(), *rdefs = cJSON_CreateObject();
    int z = image_axis(image, 'z'), n_active = 0;
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel *c = &image->channels[i];
        int is_active = c->has_active ? c->is_active : i != image->alpha && n_active < 6;
        n_active += is_active;
        tree_add(channels, omero_channel(image, &summaries[i], i, is_active, is_whole), is_whole);
    }
    if (plan->zarr_format == ZARR_2)
        tree_put(object, "version", cJSON_CreateString("0.4"), is_whole);
    tree_put(object, "name", cJSON_CreateString(image->name), is_whole);
    tree_put(object, "channels", channels, is_whole);
    int has_colors = image->has_view_colors < 0 ? image->n_channels > 1 : image->has_view_colors;
    int64_t middle = z < 0 ? 0 : image->shape[z] / 2;
    tree_put(rdefs, "model", cJSON_CreateString(has_colors ? "color" : "greyscale"), is_whole);
    tree_put(rdefs, "defaultT", tree_whole(image->view_t < 0 ? 0 : image->view_t), is_whole);
    tree_put(rdefs, "defaultZ", tree_whole(image->view_z < 0 ? middle : image->view_z), is_whole);
    tree_put(object, "rdefs", rdefs, is_whole);
    tree_put(ome, "omero", object, is_whole);
}
