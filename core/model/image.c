/* image.c: the public description of an image. Every setter checks what the caller says before it stores it, so that
 * levels.c and metadata_write.c can rely on it: whatever is in here can be written and read back. */
#include "model/image.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/orientation.h"
#include "base/unit.h"

enum {
    max_channels = 1 << 20,
    max_text = 4096,         /* bytes of a name or label */
    max_crs_text = 64 << 10, /* it is repeated on every level */
    max_attributes = 1000,
    max_attribute_depth = 32 /* leaves room for the document around it */
};
static const size_t max_attribute_bytes = (size_t)256 << 20;

static const char axis_order[] = "tczyx";

/* -- Creating and freeing -------------------------------------------------------------------------------------- */

static int32_t check_dims(ngff_image *image, const char *dims)
{
    size_t rank = dims ? strlen(dims) : 0;
    if (rank < 2 || rank > MAX_RANK)
        return error_set(&image->error, NGFF_E_ARGUMENT, "dims must name 2 to 5 axes, not \"%s\"", dims ? dims : "");
    const char *place = axis_order;
    for (size_t i = 0; i < rank; i++) {
        const char *found = strchr(place, dims[i]);
        if (!found)
            return error_set(&image->error, NGFF_E_ARGUMENT,
                             "dims must be a subset of \"tczyx\" in this order, not \"%s\"", dims);
        place = found + 1;
    }
    if (strcmp(dims + rank - 2, "yx") != 0)
        return error_set(&image->error, NGFF_E_ARGUMENT, "dims must end in \"yx\", not \"%s\"", dims);
    return NGFF_OK;
}

static int32_t check_shape(ngff_image *image, const char *dims, const int64_t *shape)
{
    if (!shape)
        return error_set(&image->error, NGFF_E_ARGUMENT, "shape is NULL");
    int64_t sizes[MAX_RANK + 1];
    int rank = (int)strlen(dims);
    for (int i = 0; i < rank; i++) {
        sizes[i] = shape[i];
        if (shape[i] < 1)
            return error_set(&image->error, NGFF_E_ARGUMENT, "axis %c must have at least 1 pixel, not %" PRId64,
                             dims[i], shape[i]);
        if (dims[i] == 'c' && shape[i] > max_channels)
            return error_set(&image->error, NGFF_E_UNSUPPORTED, "at most %d channels can be written, not %" PRId64,
                             (int)max_channels, shape[i]);
    }
    sizes[rank] = image->type->size;
    if (product_checked(sizes, rank + 1) < 0)
        return error_set(&image->error, NGFF_E_ARGUMENT, "the image has more than 2^63 - 1 bytes");
    return NGFF_OK;
}

/* The fields that the caller's words give; on failure the image keeps rank 0 and its error. */
static int32_t describe(ngff_image *image, const char *dims, const int64_t *shape, int32_t data_type)
{
    if (check_dims(image, dims))
        return image->error.status;
    image->type = dtype_get(data_type);
    if (!image->type)
        return error_set(&image->error, NGFF_E_ARGUMENT, "data type %d is none of NGFF_UINT8 ... NGFF_COMPLEX128",
                         (int)data_type);
    if (check_shape(image, dims, shape))
        return image->error.status;
    image->rank = (int)strlen(dims);
    memcpy(image->dims, dims, (size_t)image->rank);
    for (int i = 0; i < image->rank; i++) {
        image->shape[i] = shape[i];
        image->scale[i] = 1;
    }
    image->channel_axis = image_axis(image, 'c');
    image->n_channels = image->channel_axis < 0 ? 1 : shape[image->channel_axis];
    return NGFF_OK;
}

static void image_destroy(ngff_image *image)
{
    for (int64_t i = 0; image->channels && i < image->n_channels; i++)
        free(image->channels[i].label);
    free(image->channels);
    for (int i = 0; i < image->n_attributes; i++) {
        free(image->attributes[i].name);
        free(image->attributes[i].json);
    }
    free(image->attributes);
    free(image->georeference.code);
    free(image->georeference.wkt);
    free(image->georeference.projjson);
    free(image->label_colors);
    free(image->label_properties);
    free(image->label_name);
    free(image->label_options);
    free(image->name);
    free(image);
}

ngff_image *ngff_image_create(const char *dims, const int64_t *shape, int32_t data_type)
{
    ngff_image *image = calloc(1, sizeof *image);
    if (!image)
        return NULL;
    image->channel_axis = -1;
    image->alpha = -1;
    image->name = strdup("image");
    image->view_t = image->view_z = image->has_view_colors = -1;
    if (image->name && describe(image, dims, shape, data_type))
        return image;
    if (image->name)
        image->channels = calloc((size_t)image->n_channels, sizeof *image->channels);
    if (!image->channels) {
        image_destroy(image);
        return NULL;
    }
    return image;
}

void ngff_image_free(ngff_image *image)
{
    if (image)
        image_destroy(image);
}

/* A copy of a text; NULL gives NULL. Clears *is_whole when memory is out. */
static char *copy_of(const char *text, int *is_whole)
{
    char *copy = text ? strdup(text) : NULL;
    *is_whole &= !text || copy;
    return copy;
}

struct ngff_image *image_copy(const struct ngff_image *from)
{
    size_t n_channels = (size_t)from->n_channels, n_attributes = (size_t)from->n_attributes;
    int is_whole = 1;
    ngff_image *image = malloc(sizeof *image);
    if (!image)
        return NULL;
    *image = *from;
    image->name = copy_of(from->name, &is_whole);
    image->label_colors = copy_of(from->label_colors, &is_whole);
    image->label_name = copy_of(from->label_name, &is_whole);
    image->label_options = copy_of(from->label_options, &is_whole);
    image->label_properties = copy_of(from->label_properties, &is_whole);
    image->georeference.code = copy_of(from->georeference.code, &is_whole);
    image->georeference.wkt = copy_of(from->georeference.wkt, &is_whole);
    image->georeference.projjson = copy_of(from->georeference.projjson, &is_whole);
    image->channels = from->channels ? calloc(n_channels, sizeof *image->channels) : NULL;
    for (size_t i = 0; image->channels && i < n_channels; i++) {
        image->channels[i] = from->channels[i];
        image->channels[i].label = copy_of(from->channels[i].label, &is_whole);
    }
    image->attributes = n_attributes > 0 ? calloc(n_attributes, sizeof *image->attributes) : NULL;
    image->n_attributes = image->attributes ? from->n_attributes : 0;
    for (int i = 0; i < image->n_attributes; i++) {
        image->attributes[i].name = copy_of(from->attributes[i].name, &is_whole);
        image->attributes[i].json = copy_of(from->attributes[i].json, &is_whole);
    }
    if (is_whole && !image->channels == !from->channels && image->n_attributes == from->n_attributes)
        return image;
    image_destroy(image);
    return NULL;
}

int32_t ngff_image_status(const ngff_image *image)
{
    return image ? image->error.status : NGFF_E_ARGUMENT;
}

const char *ngff_image_error(const ngff_image *image)
{
    return image ? image->error.message : "the image is NULL";
}

const uint8_t *image_common_nodata(const struct ngff_image *image)
{
    const channel *first = image->channels;
    for (int64_t i = 0; i < image->n_channels; i++)
        if (!first[i].has_nodata || memcmp(first[i].nodata, first->nodata, (size_t)image->type->size) != 0)
            return NULL;
    return first->nodata;
}

int image_axis(const struct ngff_image *image, char dim)
{
    const char *found = dim ? strchr(image->dims, dim) : NULL;
    return found ? (int)(found - image->dims) : -1;
}

/* -- Setters --------------------------------------------------------------------------------------------------- */

static int32_t out_of_memory(ngff_image *image)
{
    return error_set(&image->error, NGFF_E_MEMORY, "memory is out");
}

/* A copy of text that can stand in JSON. what: its name in the message. NULL text gives NULL. */
static char *text_copy(ngff_image *image, const char *text, size_t limit, const char *what)
{
    if (!text)
        return NULL;
    size_t n = strlen(text);
    if (n > limit)
        error_set(&image->error, NGFF_E_ARGUMENT, "the %s has %zu bytes; at most %zu are allowed", what, n, limit);
    else if (!utf8_is_valid(text, n))
        error_set(&image->error, NGFF_E_ARGUMENT, "the %s is not valid UTF-8", what);
    if (image->error.status)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        out_of_memory(image);
    return copy;
}

int32_t ngff_image_set_scale(ngff_image *image, const double *scale)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (!scale)
        return error_set(&image->error, NGFF_E_ARGUMENT, "scale is NULL");
    for (int i = 0; i < image->rank; i++)
        if (!(scale[i] > 0 && isfinite(scale[i])))
            return error_set(&image->error, NGFF_E_ARGUMENT, "the scale of axis %c must be finite and above 0, not %g",
                             image->dims[i], scale[i]);
    memcpy(image->scale, scale, (size_t)image->rank * sizeof *scale);
    return NGFF_OK;
}

int32_t ngff_image_set_translation(ngff_image *image, const double *translation)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (!translation)
        return error_set(&image->error, NGFF_E_ARGUMENT, "translation is NULL");
    for (int i = 0; i < image->rank; i++)
        if (!isfinite(translation[i]))
            return error_set(&image->error, NGFF_E_ARGUMENT, "the translation of axis %c must be finite, not %g",
                             image->dims[i], translation[i]);
    memcpy(image->translation, translation, (size_t)image->rank * sizeof *translation);
    return NGFF_OK;
}

int32_t ngff_image_set_unit(ngff_image *image, int32_t axis, const char *unit)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (axis < 0 || axis >= image->rank)
        return error_set(&image->error, NGFF_E_ARGUMENT, "axis %d is not one of the image's %d axes", (int)axis,
                         image->rank);
    char dim = image->dims[axis];
    if (!unit || !unit[0]) {
        image->unit[axis] = NULL;
        return NGFF_OK;
    }
    if (dim == 'c')
        return error_set(&image->error, NGFF_E_ARGUMENT, "axis c has no unit, so not \"%s\"", unit);
    const char *name = unit_name(dim, unit);
    if (!name)
        return error_set(&image->error, NGFF_E_ARGUMENT, "\"%s\" is no unit for axis %c; use one of %s", unit, dim,
                         unit_list(dim));
    image->unit[axis] = name;
    return NGFF_OK;
}

int32_t ngff_image_set_orientation(ngff_image *image, int32_t axis, const char *orientation)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (axis < 0 || axis >= image->rank || !strchr("zyx", image->dims[axis]))
        return error_set(&image->error, NGFF_E_ARGUMENT, "axis %d is none of the image's axes of space", (int)axis);
    const char *name = orientation && orientation[0] ? orientation_name(orientation, strlen(orientation)) : NULL;
    if (!name && orientation && orientation[0])
        return error_set(&image->error, NGFF_E_ARGUMENT, "\"%.60s\" is no orientation of an axis; use one of %s",
                         orientation, orientation_list());
    image->orientation[axis] = name;
    return NGFF_OK;
}

int32_t ngff_image_set_name(ngff_image *image, const char *name)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    char *copy = text_copy(image, name ? name : "image", max_text, "name");
    if (!copy)
        return image->error.status;
    free(image->name);
    image->name = copy;
    return NGFF_OK;
}

int32_t ngff_image_set_kind(ngff_image *image, int32_t kind)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (kind != NGFF_KIND_INTENSITY && kind != NGFF_KIND_RGB && kind != NGFF_KIND_LABEL)
        return error_set(&image->error, NGFF_E_ARGUMENT, "kind %d is none of NGFF_KIND_*", (int)kind);
    if (kind == NGFF_KIND_RGB && image->n_channels < 3)
        return error_set(&image->error, NGFF_E_ARGUMENT, "NGFF_KIND_RGB needs 3 channels; the image has %" PRId64,
                         image->n_channels);
    if (kind == NGFF_KIND_LABEL && image->type->class == CLASS_COMPLEX)
        return error_set(&image->error, NGFF_E_ARGUMENT, "labels cannot be complex");
    image->kind = kind;
    return NGFF_OK;
}

/* True for a list of objects with a whole label-value each, and colours of four bytes. */
static int is_label_list(const cJSON *list, int is_of_colors)
{
    const cJSON *entry, *part;
    int is_good = cJSON_IsArray(list) && list->child;
    cJSON_ArrayForEach(entry, list)
    {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, "label-value");
        const cJSON *rgba = cJSON_GetObjectItemCaseSensitive(entry, "rgba");
        int n_good = 0;
        cJSON_ArrayForEach(part, rgba) n_good += cJSON_IsNumber(part) && part->valuedouble >= 0 &&
                                                 part->valuedouble <= 255 && part->valuedouble == part->valueint;
        is_good = is_good && cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble) &&
                  (!is_of_colors || (cJSON_IsArray(rgba) && cJSON_GetArraySize(rgba) == 4 && n_good == 4));
    }
    return is_good;
}

/* A copy of one of the two lists; NULL with the error set, or where none is given. */
static char *label_list(ngff_image *image, const char *json, int is_of_colors)
{
    const char *where = is_of_colors ? "the colours of labels" : "the properties of labels";
    json_limits limits = {json_max_bytes, max_attribute_depth, 1L << 30, NULL, NULL};
    error problem = {0};
    cJSON *list = json ? json_parse(json, strlen(json), &limits, where, &problem) : NULL;
    char *copy = NULL;
    if (problem.status != NGFF_OK)
        error_set(&image->error, NGFF_E_ARGUMENT, "%s", problem.message);
    else if (json && !is_label_list(list, is_of_colors))
        error_set(&image->error, NGFF_E_ARGUMENT, "%s are no list of objects with a whole label-value each%s", where,
                  is_of_colors ? " and an rgba of four numbers from 0 to 255" : "");
    else if (json && !(copy = strdup(json)))
        out_of_memory(image);
    cJSON_Delete(list);
    return copy;
}

int32_t ngff_image_set_label(ngff_image *image, const char *colors, const char *properties, int32_t is_table)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    char *copy = label_list(image, colors, 1);
    char *others = image->error.status == NGFF_OK ? label_list(image, properties, 0) : NULL;
    if (image->error.status != NGFF_OK) {
        free(copy);
        return image->error.status;
    }
    free(image->label_colors);
    free(image->label_properties);
    image->label_colors = copy;
    image->label_properties = others;
    image->label_is_table = is_table != 0;
    return NGFF_OK;
}

/* The channel of that number, or NULL with the error set. */
static channel *channel_get(ngff_image *image, int64_t number)
{
    if (ngff_image_status(image))
        return NULL;
    if (number < 0 || number >= image->n_channels) {
        error_set(&image->error, NGFF_E_ARGUMENT, "channel %" PRId64 " is not one of the image's %" PRId64, number,
                  image->n_channels);
        return NULL;
    }
    return &image->channels[number];
}

int32_t ngff_image_set_channel(ngff_image *image, int64_t number, const char *label, const char *color)
{
    channel *c = channel_get(image, number);
    if (!c)
        return ngff_image_status(image);
    if (color && color[0]) {
        size_t n = strlen(color);
        size_t n_hex = strspn(color, "0123456789abcdefABCDEF");
        if (n != 6 || n_hex != 6)
            return error_set(&image->error, NGFF_E_ARGUMENT,
                             "the colour of channel %" PRId64 " must be 6 hexadecimal digits RRGGBB, not \"%s\"",
                             number, color);
    }
    char *copy = text_copy(image, label, max_text, "channel label");
    if (label && !copy)
        return image->error.status;
    if (copy) {
        free(c->label);
        c->label = copy;
    }
    for (int i = 0; color && i < 6; i++)
        c->color[i] = color[0] ? ascii_upper(color[i]) : '\0';
    return NGFF_OK;
}

int32_t ngff_image_set_window(ngff_image *image, int64_t number, double start, double end)
{
    channel *c = channel_get(image, number);
    if (!c)
        return ngff_image_status(image);
    if (!isfinite(start) || !isfinite(end) || start >= end)
        return error_set(&image->error, NGFF_E_ARGUMENT,
                         "the window of channel %" PRId64 " must be finite with start < end, not %g to %g", number,
                         start, end);
    c->has_window = 1;
    c->start = start;
    c->end = end;
    return NGFF_OK;
}

int32_t ngff_image_set_inverted(ngff_image *image, int64_t number, int32_t is_inverted)
{
    channel *c = channel_get(image, number);
    if (!c)
        return ngff_image_status(image);
    c->is_inverted = is_inverted != 0;
    return NGFF_OK;
}

int32_t ngff_image_set_range(ngff_image *image, int64_t number, double min, double max)
{
    channel *c = channel_get(image, number);
    if (!c)
        return ngff_image_status(image);
    if (!isfinite(min) || !isfinite(max) || min >= max)
        return error_set(&image->error, NGFF_E_ARGUMENT,
                         "the range of channel %" PRId64 " must be finite with min < max, not %g to %g", number, min,
                         max);
    c->has_range = 1;
    c->min = min;
    c->max = max;
    return NGFF_OK;
}

int32_t ngff_image_set_active(ngff_image *image, int64_t number, int32_t is_active)
{
    channel *c = channel_get(image, number);
    if (!c)
        return ngff_image_status(image);
    c->has_active = 1;
    c->is_active = is_active != 0;
    return NGFF_OK;
}

static int is_index_of(const ngff_image *image, char axis, int64_t index)
{
    int at = image_axis(image, axis);
    return index >= -1 && index < (at < 0 ? 1 : image->shape[at]);
}

int32_t ngff_image_set_view(ngff_image *image, int64_t t, int64_t z, int32_t has_colors)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (!is_index_of(image, 't', t) || !is_index_of(image, 'z', z) || has_colors < -1 || has_colors > 1)
        return error_set(&image->error, NGFF_E_ARGUMENT,
                         "there is no plane t %" PRId64 ", z %" PRId64 ", or %" PRId32 " is none of -1, 0 and 1", t, z,
                         has_colors);
    image->view_t = t;
    image->view_z = z;
    image->has_view_colors = has_colors;
    return NGFF_OK;
}

int32_t ngff_image_set_nodata(ngff_image *image, int64_t number, const void *value)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (!value)
        return error_set(&image->error, NGFF_E_ARGUMENT, "the nodata value is NULL");
    if (number != -1 && !channel_get(image, number))
        return image->error.status;
    int64_t first = number == -1 ? 0 : number;
    int64_t end = number == -1 ? image->n_channels : number + 1;
    for (int64_t i = first; i < end; i++) {
        image->channels[i].has_nodata = 1;
        memcpy(image->channels[i].nodata, value, (size_t)image->type->size);
    }
    return NGFF_OK;
}

int32_t ngff_image_set_alpha(ngff_image *image, int64_t number)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    if (!channel_get(image, number))
        return image->error.status;
    if (image->n_channels < 2)
        return error_set(&image->error, NGFF_E_ARGUMENT, "an image of one channel cannot have an alpha channel");
    image->alpha = number;
    return NGFF_OK;
}

int32_t ngff_image_set_mask(ngff_image *image, int32_t has_mask)
{
    if (ngff_image_status(image))
        return ngff_image_status(image);
    image->has_mask = has_mask != 0;
    return NGFF_OK;
}

static int32_t check_affine(ngff_image *image, const double *affine)
{
    for (int i = 0; affine && i < 6; i++)
        if (!isfinite(affine[i]))
            return error_set(&image->error, NGFF_E_ARGUMENT, "number %d of the affine is not finite", i);
    if (affine && affine[1] * affine[5] - affine[2] * affine[4] == 0)
        return error_set(&image->error, NGFF_E_ARGUMENT,
                         "the affine maps the image to a line: a1*a5 - a2*a4 must not be 0");
    return NGFF_OK;
}

int32_t ngff_image_set_georeference(ngff_image *image, const double *affine, const char *code, const char *wkt,
                                    const char *projjson, int32_t is_geographic)
{
    if (ngff_image_status(image) || check_affine(image, affine))
        return ngff_image_status(image);
    json_limits limits = {max_crs_text, max_attribute_depth, json_max_nodes, NULL, NULL};
    if (projjson && projjson[0] && json_check(projjson, strlen(projjson), &limits, "the PROJJSON text", &image->error))
        return image->error.status;
    georeference g = {.is_geographic = is_geographic != 0};
    g.code = text_copy(image, code && code[0] ? code : NULL, 256, "CRS code");
    g.wkt = text_copy(image, wkt && wkt[0] ? wkt : NULL, max_crs_text, "WKT text");
    g.projjson = text_copy(image, projjson && projjson[0] ? projjson : NULL, max_crs_text, "PROJJSON text");
    g.has_affine = affine != NULL;
    if (affine)
        memcpy(g.affine, affine, sizeof g.affine);
    g.is_set = g.has_affine || g.code || g.wkt || g.projjson;
    georeference *keep = &image->georeference;
    georeference drop = image->error.status ? g : *keep;
    if (!image->error.status)
        *keep = g;
    free(drop.code);
    free(drop.wkt);
    free(drop.projjson);
    return image->error.status;
}

/* Names become parts of object keys, and three of them are written by the library itself. */
static int32_t check_attribute_name(ngff_image *image, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = name ? strlen(name) : 0;
    if (n < 1 || n > 64 || strspn(name, allowed) != n)
        return error_set(&image->error, NGFF_E_ARGUMENT,
                         "an attribute's name must be 1 to 64 letters, digits, _ or -, not \"%.100s\"",
                         name ? name : "");
    if (strcmp(name, "version") == 0 || strcmp(name, "nodata") == 0 || strcmp(name, "statistics") == 0)
        return error_set(&image->error, NGFF_E_ARGUMENT, "the attribute \"%s\" is written by the library itself", name);
    return NGFF_OK;
}

static attribute *attribute_get(ngff_image *image, const char *name)
{
    for (int i = 0; i < image->n_attributes; i++)
        if (strcmp(image->attributes[i].name, name) == 0)
            return &image->attributes[i];
    if (image->n_attributes >= max_attributes) {
        error_set(&image->error, NGFF_E_ARGUMENT, "an image has at most %d attributes", (int)max_attributes);
        return NULL;
    }
    size_t n = (size_t)image->n_attributes + 1;
    attribute *more = realloc(image->attributes, n * sizeof *more);
    if (more)
        image->attributes = more;
    char *copy = more ? strdup(name) : NULL;
    if (!copy) {
        out_of_memory(image);
        return NULL;
    }
    more[n - 1] = (attribute){.name = copy};
    image->n_attributes++;
    return &more[n - 1];
}

int32_t ngff_image_set_attribute(ngff_image *image, const char *name, const char *json)
{
    if (ngff_image_status(image) || check_attribute_name(image, name))
        return ngff_image_status(image);
    if (!json)
        return error_set(&image->error, NGFF_E_ARGUMENT, "the attribute \"%s\" has no value", name);
    char where[128] = "the attribute ";
    strcat(where, name);
    json_limits limits = {max_attribute_bytes, max_attribute_depth, 1L << 30, NULL, NULL};
    error problem = {0};
    if (json_check(json, strlen(json), &limits, where, &problem))
        return error_set(&image->error, NGFF_E_ARGUMENT, "%s", problem.message);
    char *copy = strdup(json);
    attribute *a = copy ? attribute_get(image, name) : NULL;
    if (!a) {
        free(copy);
        return out_of_memory(image);
    }
    free(a->json);
    a->json = copy;
    return NGFF_OK;
}
