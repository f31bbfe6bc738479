/* rules_image.c: the rules of images: "axes", "coordinateTransformations" of 0.4 and 0.5, "multiscales", "omero" and
 * "image-label" metadata. */
#include "validate/rules.h"

#include <string.h>

#include "base/unit.h"

/* -- Axes ------------------------------------------------------------------------------------------------------ */

static void judge_unit(judge *j, const cJSON *axis, const spot *at)
{
    const char *type = text_of(axis, "type"), *unit = text_of(axis, "unit");
    char dim = !type ? 0 : strcmp(type, "space") == 0 ? 'x' : strcmp(type, "time") == 0 ? 't' : 0;
    const char *listed = dim && unit ? unit_name(dim, unit) : NULL;
    spot here = spot_member(at, "unit");
    if (dim && unit && (!listed || strcmp(listed, unit) != 0))
        tell_should(j, &here, "\"%.40s\" is none of the units of %s%s%s", unit, type, listed ? "; its name is " : "",
                    listed ? listed : "");
}

static void judge_axis(judge *j, const cJSON *axis, const spot *at)
{
    static const member_rule rules[] = {{"type", TEXT, {SHOULD, SHOULD, SHOULD}},
                                        {"unit", TEXT, {MAY, MAY, MAY}},
                                        {"discrete", FLAG, {MAY, MAY, MAY}},
                                        {"longName", TEXT, {MAY, MAY, MAY}},
                                        {NULL, TEXT, {MAY, MAY, MAY}}};
    spot here = spot_member(at, "name");
    const cJSON *name = want(j, axis, at, "name", TEXT, MUST);
    if (name && !name->valuestring[0])
        tell_must(j, &here, "an axis must have a name");
    want_all(j, axis, at, rules);
    judge_unit(j, axis, at);
}

/* How many axes of each type, and their order: time, channel or another, space. */
static void judge_axis_types(judge *j, const cJSON *axes, const spot *at)
{
    int n_of[3] = {0}, last = 0, n_array = 0, n = cJSON_GetArraySize(axes);
    const cJSON *axis;
    cJSON_ArrayForEach(axis, axes)
    {
        const char *type = text_of(axis, "type");
        int rank = !type ? 1 : strcmp(type, "time") == 0 ? 0 : strcmp(type, "space") == 0 ? 2 : 1;
        n_of[rank]++;
        n_array += type && strcmp(type, "array") == 0;
        if (rank < last)
            tell_must(j, at, "the order must be: time, then channel or another type, then space");
        last = rank;
    }
    if (n < 2 || n > MAX_RANK)
        tell_must(j, at, "there are %d axes; it must be 2 to %d", n, (int)MAX_RANK);
    if (j->version >= 6 && n_array == n) /* the pixel grid itself, which the schemas of 0.6 allow */
        return;
    if (n_of[2] < 2 || n_of[2] > 3)
        tell_must(j, at, "%d axes are of the type space; it must be 2 or 3", n_of[2]);
    if (n_of[0] > 1)
        tell_must(j, at, "%d axes are of the type time; there may be one", n_of[0]);
    if (n_of[1] > 1)
        tell_must(j, at, "%d axes are of the type channel, of another type or of none; there may be one", n_of[1]);
}

void judge_axes(judge *j, const cJSON *axes, const spot *at, int in_image)
{
    const cJSON *axis;
    int i = 0;
    cJSON_ArrayForEach(axis, axes)
    {
        spot here = spot_item(at, i++);
        if (cJSON_IsObject(axis))
            judge_axis(j, axis, &here);
        else
            tell_must(j, &here, "an axis must be an object");
    }
    want_unique(j, axes, at, "name");
    if (in_image)
        judge_axis_types(j, axes, at);
}

/* -- Transforms of 0.4 and 0.5 --------------------------------------------------------------------------------- */

/* The numbers stand in the document, or in an array that path names. */
static void judge_vector(judge *j, const cJSON *transform, const spot *at, const char *type, int n_axes)
{
    spot here = spot_member(at, type);
    const cJSON *value, *values = member(transform, type);
    if (values && want_numbers(j, values, &here, n_axes, "axes") && strcmp(type, "scale") == 0)
        cJSON_ArrayForEach(value, values) if (value->valuedouble == 0)
        {
            tell_should(j, &here, "no number should be 0, which is no size of a pixel");
            break;
        }
    if (values)
        return;
    if (!text_of(transform, "path"))
        tell_must(j, &here, "it is missing, and must be a list of numbers");
}

int axes_of_scale(judge *j, const cJSON *transform, const spot *at, const cJSON *axes)
{
    const cJSON *axis, *values = member(transform, "scale");
    int n_axes = cJSON_IsArray(axes) ? cJSON_GetArraySize(axes) : -1, n = cJSON_GetArraySize(values), n_space = 0;
    spot here = spot_member(at, "scale");
    cJSON_ArrayForEach(axis, axes)
    {
        const char *type = text_of(axis, "type");
        n_space += type && strcmp(type, "space") == 0;
    }
    if (j->version == 5 || !cJSON_IsArray(values) || n == 0 || n != n_space || n == n_axes)
        return n_axes;
    tell_tolerable(j, &here, "it has %d numbers, but there are %d axes", n, n_axes);
    return n;
}

static void judge_transforms(judge *j, const cJSON *transforms, const spot *at, const cJSON *axes, int in_level)
{
    int n_scales = 0, n_translations = 0, i = 0, n_axes = axes ? cJSON_GetArraySize(axes) : -1;
    const cJSON *transform;
    cJSON_ArrayForEach(transform, transforms)
    {
        spot here = spot_item(at, i++), type_spot = spot_member(&here, "type");
        const char *type = text_of(transform, "type");
        int is_scale = type && strcmp(type, "scale") == 0, is_translation = type && strcmp(type, "translation") == 0;
        if (!is_scale && !is_translation)
            tell_must(j, &type_spot, "it must be \"scale\" or \"translation\"");
        else
            judge_vector(j, transform, &here, type,
                         is_scale && in_level ? axes_of_scale(j, transform, &here, axes) : n_axes);
        if (is_scale && n_translations > 0)
            tell_must(j, &here, "the scale must come before the translation");
        n_scales += is_scale;
        n_translations += is_translation;
    }
    if (n_scales != 1)
        tell_must(j, at, "there must be one scale; there are %d", n_scales);
    if (n_translations > 1)
        tell_must(j, at, "there may be one translation; there are %d", n_translations);
}

/* -- Multiscales ----------------------------------------------------------------------------------------------- */

static void judge_plain_entry(judge *j, const cJSON *multiscale, const spot *at)
{
    const cJSON *axes = want(j, multiscale, at, "axes", LIST, MUST);
    const cJSON *datasets = want(j, multiscale, at, "datasets", FILLED_LIST, MUST), *dataset;
    const cJSON *common = want(j, multiscale, at, "coordinateTransformations", FILLED_LIST, MAY);
    spot axes_spot = spot_member(at, "axes"), all = spot_member(at, "datasets");
    spot common_spot = spot_member(at, "coordinateTransformations");
    int i = 0;
    if (axes)
        judge_axes(j, axes, &axes_spot, 1);
    cJSON_ArrayForEach(dataset, datasets)
    {
        spot here = spot_item(&all, i++), transforms_spot = spot_member(&here, "coordinateTransformations");
        want(j, dataset, &here, "path", TEXT, MUST);
        const cJSON *transforms = want(j, dataset, &here, "coordinateTransformations", FILLED_LIST, MUST);
        if (transforms)
            judge_transforms(j, transforms, &transforms_spot, axes, 1);
    }
    if (common)
        judge_transforms(j, common, &common_spot, axes, 0);
}

void judge_multiscales(judge *j, const cJSON *multiscales, const spot *at)
{
    static const member_rule rules[] = {{"name", TEXT, {SHOULD, SHOULD, SHOULD}},
                                        {"type", TEXT, {SHOULD_BE, SHOULD_BE, SHOULD_BE}},
                                        {"metadata", OBJECT, {SHOULD_BE, SHOULD_BE, SHOULD_BE}},
                                        {NULL, TEXT, {MAY, MAY, MAY}}};
    const cJSON *multiscale;
    int i = 0;
    cJSON_ArrayForEach(multiscale, multiscales)
    {
        spot here = spot_item(at, i++);
        if (!cJSON_IsObject(multiscale)) {
            tell_must(j, &here, "it must be an object");
            continue;
        }
        want_all(j, multiscale, &here, rules);
        want_version(j, multiscale, &here);
        if (j->version >= 6)
            judge_systems(j, multiscale, &here);
        else
            judge_plain_entry(j, multiscale, &here);
    }
}

const cJSON *axes_of_entry(const cJSON *multiscale)
{
    const cJSON *system, *systems = member(multiscale, "coordinateSystems");
    const cJSON *dataset = cJSON_GetArrayItem(member(multiscale, "datasets"), 0);
    const cJSON *transform = cJSON_GetArrayItem(member(dataset, "coordinateTransformations"), 0);
    const char *output = text_of_end(transform, "output", "name");
    cJSON_ArrayForEach(system, systems)
    {
        const char *name = text_of(system, "name");
        if (name && output && strcmp(name, output) == 0)
            return member(system, "axes");
    }
    return member(multiscale, "axes");
}

/* -- Display ---------------------------------------------------------------------------------------------------- */

static int is_color(const char *text)
{
    return strlen(text) == 6 && strspn(text, "0123456789abcdefABCDEF") == 6;
}

static void judge_channel(judge *j, const cJSON *channel, const spot *at)
{
    static const char *const ends[] = {"min", "max", "start", "end"};
    static const member_rule rules[] = {{"label", TEXT, {MAY, MAY, MAY}},
                                        {"family", TEXT, {MAY, MAY, MAY}},
                                        {"active", FLAG, {MAY, MAY, MAY}},
                                        {NULL, TEXT, {MAY, MAY, MAY}}};
    const cJSON *color = want(j, channel, at, "color", TEXT, MUST);
    const cJSON *window = want(j, channel, at, "window", OBJECT, MUST);
    spot color_spot = spot_member(at, "color"), window_spot = spot_member(at, "window");
    if (color && !is_color(color->valuestring))
        tell_must(j, &color_spot, "\"%.40s\" must be 6 hexadecimal digits", color->valuestring);
    for (int i = 0; window && i < 4; i++)
        want(j, window, &window_spot, ends[i], NUMBER, MUST);
    want_all(j, channel, at, rules);
}

void judge_omero(judge *j, const cJSON *omero, const spot *at)
{
    const cJSON *channel, *channels = want(j, omero, at, "channels", LIST, MUST);
    spot all = spot_member(at, "channels");
    int i = 0;
    cJSON_ArrayForEach(channel, channels)
    {
        spot here = spot_item(&all, i++);
        judge_channel(j, channel, &here);
    }
}

/* -- Labels ---------------------------------------------------------------------------------------------------- */

static void judge_rgba(judge *j, const cJSON *rgba, const spot *at)
{
    const cJSON *item;
    int is_good = cJSON_IsArray(rgba) && cJSON_GetArraySize(rgba) == 4;
    cJSON_ArrayForEach(item, rgba) is_good = is_good && kind_fits(item, COUNT) && item->valuedouble <= 255;
    if (!is_good)
        tell_must(j, at, "it must be four whole numbers from 0 to 255");
}

/* "colors" or "properties": one object per label value. */
static void judge_label_list(judge *j, const cJSON *list, const spot *at)
{
    const cJSON *item;
    int i = 0;
    cJSON_ArrayForEach(item, list)
    {
        spot here = spot_item(at, i++), color = spot_member(&here, "rgba");
        want(j, item, &here, "label-value", WHOLE, MUST);
        if (member(item, "rgba") && strstr(at->text, "colors"))
            judge_rgba(j, member(item, "rgba"), &color);
    }
    want_unique(j, list, at, "label-value");
}

void judge_image_label(judge *j, const cJSON *label, const spot *at)
{
    const cJSON *colors = want(j, label, at, "colors", FILLED_LIST, SHOULD);
    const cJSON *properties = want(j, label, at, "properties", FILLED_LIST, MAY);
    const cJSON *source = want(j, label, at, "source", OBJECT, MAY);
    spot colors_spot = spot_member(at, "colors"), properties_spot = spot_member(at, "properties");
    spot source_spot = spot_member(at, "source");
    judge_label_list(j, colors, &colors_spot);
    judge_label_list(j, properties, &properties_spot);
    want(j, source, &source_spot, "image", TEXT, MAY);
    want_version(j, label, at);
}
