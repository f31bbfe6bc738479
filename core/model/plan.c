/* plan.c: image + options -> plan, and the plan as its users see it. Here options are resolved against the image; the
 * level table is made in levels.c, cells and memory in memory.c. */
#include "model/plan_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sizes.h"
#include "base/unit.h"

/* -- Small helpers ---------------------------------------------------------------------------------------------- */

void plan_warn(plan *p, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (p->n_warnings < (int)(sizeof p->warnings / sizeof p->warnings[0]))
        if ((p->warnings[p->n_warnings] = strdup(text)))
            p->n_warnings++;
}

void plan_unwarn(plan *p, const char *beginning)
{
    for (int i = 0; i < p->n_warnings; i++)
        if (strncmp(p->warnings[i], beginning, strlen(beginning)) == 0) {
            free(p->warnings[i]);
            memmove(&p->warnings[i], &p->warnings[i + 1], (size_t)(--p->n_warnings - i) * sizeof *p->warnings);
            return;
        }
}

/* The value that a size list gives for an axis: by letter, in axis order, or one number for y and x. 0: none. */
int64_t plan_size_for(const size_list *list, const struct ngff_image *image, int axis)
{
    char dim = image->dims[axis];
    if (!list->is_set)
        return 0;
    if (list->dim[0]) {
        for (int i = 0; i < list->n; i++)
            if (list->dim[i] == dim)
                return list->value[i];
        return 0;
    }
    if (list->n == 1)
        return dim == 'y' || dim == 'x' ? list->value[0] : 0;
    return list->value[axis];
}

/* "NAME=value" as the user typed it, for messages; the name alone where it was not typed. */
const char *plan_typed(const plan *p, const char *name)
{
    size_t n = strlen(name);
    for (char **typed = p->options.typed; typed && *typed; typed++)
        if (strncmp(*typed, name, n) == 0 && (*typed)[n] == '=')
            return *typed;
    return name;
}

/* A size list must name only axes of the image, or give one number, or one per axis. */
int32_t plan_check_sizes(plan *p, const char *option, const size_list *list)
{
    if (!list->is_set)
        return NGFF_OK;
    for (int i = 0; i < list->n; i++) {
        if (list->dim[i] && image_axis(p->image, list->dim[i]) < 0)
            return error_set(&p->error, NGFF_E_OPTION, "%s names axis %c, but the image has the axes %s",
                             plan_typed(p, option), list->dim[i], p->image->dims);
        if (list->value[i] < 1)
            return error_set(&p->error, NGFF_E_OPTION, "%s has the value %lld; sizes must be 1 or more",
                             plan_typed(p, option), (long long)list->value[i]);
    }
    if (!list->dim[0] && list->n != 1 && list->n != p->image->rank)
        return error_set(&p->error, NGFF_E_OPTION,
                         "%s has %d values; give one number, one per axis (%d, in the order %s), or name:value pairs",
                         plan_typed(p, option), list->n, p->image->rank, p->image->dims);
    return NGFF_OK;
}

/* -- Options that describe the image ------------------------------------------------------------------------------ */

static int32_t apply_numbers(plan *p, const char *option, const number_list *list, double *values, int is_scale)
{
    for (int i = 0; i < list->n; i++) {
        int axis = list->dim[i] ? image_axis(p->image, list->dim[i]) : list->n == p->image->rank ? i : -1;
        if (axis < 0)
            return error_set(&p->error, NGFF_E_OPTION, "%s must name axes of the image (%s), as in x:2.0,y:2.0", option,
                             p->image->dims);
        if (!isfinite(list->value[i]) || (is_scale && list->value[i] <= 0))
            return error_set(&p->error, NGFF_E_OPTION, "%s: the value for axis %c must be a finite number%s", option,
                             p->image->dims[axis], is_scale ? " above 0" : "");
        values[axis] = list->value[i];
    }
    return NGFF_OK;
}

static int32_t apply_names(plan *p, const char *option, const unit_names *list, const char **names)
{
    for (int i = 0; i < list->n; i++) {
        int axis = image_axis(p->image, list->dim[i]);
        if (axis < 0)
            return error_set(&p->error, NGFF_E_OPTION, "%s names axis %c, but the image has the axes %s",
                             plan_typed(p, option), list->dim[i], p->image->dims);
        names[axis] = list->name[i];
    }
    return NGFF_OK;
}

/* North-up rasters with ORIGIN=SOUTHING: the first pixel's centre at (-north, east), in the unit of the scale. */
static int32_t apply_southing(plan *p)
{
    const georeference *geo = &p->image->georeference;
    int y = p->image->rank - 2, x = p->image->rank - 1;
    const double *a = geo->affine;
    if (!geo->has_affine || a[2] != 0 || a[4] != 0 || a[1] <= 0 || a[5] >= 0)
        return error_set(&p->error, NGFF_E_OPTION,
                         "ORIGIN=SOUTHING needs a north-up geotransform without rotation; use ORIGIN=PIXEL");
    double *scale = p->image->scale;
    p->image->translation[y] = -(a[3] + 0.5 * a[5]) * (scale[y] / -a[5]);
    p->image->translation[x] = (a[0] + 0.5 * a[1]) * (scale[x] / a[1]);
    return NGFF_OK;
}

static int32_t apply_channels(plan *p)
{
    const options *o = &p->options;
    struct ngff_image *image = p->image;
    for (int64_t i = 0; o->channel_names && o->channel_names[i]; i++)
        if (i >= image->n_channels || ngff_image_set_channel(image, i, o->channel_names[i], NULL) != NGFF_OK)
            return error_set(&p->error, NGFF_E_OPTION,
                             "CHANNEL_NAMES has more names than the image has channels (%lld)",
                             (long long)image->n_channels);
    for (int64_t i = 0; o->channel_colors && o->channel_colors[i]; i++)
        if (i >= image->n_channels || ngff_image_set_channel(image, i, NULL, o->channel_colors[i]) != NGFF_OK)
            return error_set(&p->error, NGFF_E_OPTION,
                             "CHANNEL_COLORS: '%s' is not one of at most %lld colours of 6 hexadecimal digits (RRGGBB)",
                             o->channel_colors[i], (long long)image->n_channels);
    if (o->window_mode == WINDOW_GIVEN && o->n_windows != 1 && o->n_windows != image->n_channels)
        return error_set(&p->error, NGFF_E_OPTION, "WINDOW has %d ranges; give one, or one per channel (%lld)",
                         o->n_windows, (long long)image->n_channels);
    for (int64_t i = 0; o->window_mode == WINDOW_GIVEN && i < image->n_channels; i++) {
        const double *w = o->windows + (o->n_windows == 1 ? 0 : 2 * i);
        if (ngff_image_set_window(image, i, w[0], w[1]) != NGFF_OK)
            return error_set(&p->error, NGFF_E_OPTION, "WINDOW: %g:%g is not a range", w[0], w[1]);
    }
    return NGFF_OK;
}

static int32_t apply_image_options(plan *p)
{
    const options *o = &p->options;
    struct ngff_image *image = p->image;
    if (apply_numbers(p, "AXIS_SCALE", &o->axis_scale, image->scale, 1) != NGFF_OK ||
        apply_numbers(p, "AXIS_TRANSLATION", &o->axis_translation, image->translation, 0) != NGFF_OK ||
        apply_names(p, "AXIS_UNITS", &o->axis_units, image->unit) != NGFF_OK ||
        apply_names(p, "AXIS_ORIENTATION", &o->axis_orientation, image->orientation) != NGFF_OK ||
        apply_channels(p) != NGFF_OK)
        return p->error.status;
    if (o->name && ngff_image_set_name(image, o->name) != NGFF_OK)
        return error_set(&p->error, NGFF_E_OPTION, "NAME: %s", ngff_image_error(image));
    if (o->origin == ORIGIN_SOUTHING && apply_southing(p) != NGFF_OK)
        return p->error.status;
    return NGFF_OK;
}

/* The user's options, and what the image asks that a label image is of; they must not say otherwise. */
static int32_t read_options(plan *p, const struct ngff_image *image, const char *const *list)
{
    static const char *const fixed[] = {"SCALE_FACTORS", "OVERVIEW_COUNT", "OVERVIEWS", "NGFF_VERSION"};
    char *asked = image->label_options ? strdup(image->label_options) : NULL;
    const char *all[200];
    int n = 0;
    if (!image->label_options)
        return options_read(list, &p->options, &p->error);
    if (!asked)
        return error_set(&p->error, NGFF_E_MEMORY, "out of memory");
    for (; list && list[n] && n < 190; n++)
        all[n] = list[n];
    for (char *line = strtok(asked, "\n"); line; line = strtok(NULL, "\n"))
        all[n++] = line;
    all[n] = NULL;
    for (int i = 0; list && list[i] && p->error.status == NGFF_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(list[i], "="), list[i]);
        const char *canonical = options_canonical(name);
        for (int k = 0; canonical && k < 4; k++)
            if (strcmp(canonical, fixed[k]) == 0)
                error_set(&p->error, NGFF_E_OPTION,
                          "%s: a label image beside an image has the version, the number and the factors of that "
                          "image's levels; leave it out",
                          list[i]);
    }
    if (p->error.status == NGFF_OK)
        options_read(all, &p->options, &p->error);
    free(asked);
    return p->error.status;
}

/* LABELS=YES: what the specification and its readers ask of a label image. */
static int32_t apply_labels(plan *p)
{
    struct ngff_image *image = p->image;
    if (image->type->class != CLASS_UNSIGNED && image->type->class != CLASS_SIGNED)
        return error_set(&p->error, NGFF_E_OPTION,
                         "LABELS=YES: a label image is of whole numbers, not of %s; convert the pixels first (-ot)",
                         image->type->v3);
    if (image->alpha >= 0 || image->kind == NGFF_KIND_RGB)
        return error_set(&p->error, NGFF_E_OPTION,
                         "LABELS=YES: colours and opacity are no labels; give the band of labels alone "
                         "(gdal_translate -b)");
    if (p->options.layout != LAYOUT_FLAT && strchr(plan_typed(p, "LAYOUT"), '='))
        return error_set(&p->error, NGFF_E_OPTION, "%s: the levels of a label image lie at 0, 1 ...: LAYOUT=FLAT",
                         plan_typed(p, "LAYOUT"));
    p->options.layout = LAYOUT_FLAT;
    image->kind = NGFF_KIND_LABEL;
    return NGFF_OK;
}

/* -- Codec, reducer, fill value ------------------------------------------------------------------------------------ */

/* Zstd's frames and deflate have one of their own, of the pixels; Zarr v3 can put one behind any codec, of the bytes: it
 * also sees a bit that a decoder passes over. */
static int32_t resolve_checksum(plan *p)
{
    codec_spec *c = &p->codec;
    int has_own = codec_row_get(c->compress)->has_checksum;
    c->zstd_checksum = c->compress == COMPRESS_ZSTD && p->options.checksum != TRI_NO;
    c->has_crc32c = p->options.checksum == TRI_YES && p->options.version != VERSION_04;
    if (!has_own && p->options.checksum == TRI_YES && p->options.version == VERSION_04)
        return error_set(&p->error, NGFF_E_OPTION,
                         "CHECKSUM=YES: Zarr v2 (NGFF_VERSION=0.4) has no checksum for COMPRESS=%s; use COMPRESS=ZSTD, "
                         "or NGFF_VERSION=0.5",
                         compress_name(c->compress));
    return NGFF_OK;
}

static int32_t resolve_codec(plan *p)
{
    const options *o = &p->options;
    const dtype *type = p->image->type;
    codec_spec *c = &p->codec;
    c->compress = o->compress;
    /* Bio-Formats reads Zarr v2 by jzarr, which knows blosc and zlib only. */
    const int is_for_bioformats = o->layout == LAYOUT_BIOFORMATS2RAW && o->version == VERSION_04;
    if (c->compress == COMPRESS_AUTO)
        c->compress = type->item_size == 1 && !is_for_bioformats ? COMPRESS_ZSTD : COMPRESS_BLOSC;
    c->level = o->level >= 0 ? o->level : codec_row_get(c->compress)->standard;
    c->blosc_cname = o->blosc_cname;
    c->blosc_shuffle = o->blosc_shuffle;
    c->type_size = type->size;
    if (resolve_checksum(p) != NGFF_OK)
        return p->error.status;
    if (type->class == CLASS_COMPLEX || type->item_size * 8 == 16)
        if (type->class == CLASS_COMPLEX || type->class == CLASS_FLOAT)
            plan_warn(p, "OME-Zarr viewers do not show pixels of type %s; readers of Zarr arrays do", type->v3);
    return NGFF_OK;
}

static int32_t resolve_resampling(plan *p)
{
    int is_complex = p->image->type->class == CLASS_COMPLEX;
    p->resampling = p->options.resampling;
    if (p->resampling == REDUCE_AUTO)
        p->resampling = is_complex ? REDUCE_NEAREST : p->image->kind == NGFF_KIND_LABEL ? REDUCE_MODE : REDUCE_AVERAGE;
    if (is_complex && !method_get(p->resampling)->is_for_complex)
        return error_set(&p->error, NGFF_E_OPTION,
                         "OVERVIEW_RESAMPLING=%s is not defined for complex pixels; use NEAREST or AVERAGE",
                         reduce_name(p->resampling));
    if (p->image->kind == NGFF_KIND_LABEL && !method_get(p->resampling)->keeps_classes)
        plan_warn(
            p,
            "OVERVIEW_RESAMPLING=%s computes with the numbers of classes (palette indices, labels), not with their "
            "colours: the levels hold classes that are not in the image; MODE keeps them",
            reduce_name(p->resampling));
    return NGFF_OK;
}

const char *plan_ome_refusal(const struct ngff_plan *plan)
{
    if (!plan->image->type->ome)
        return "OME-XML has no such pixel type";
    for (int i = 0; i < plan->image->rank; i++)
        if (plan->image->shape[i] > INT32_MAX)
            return "an axis is longer than OME-XML can say";
    return NULL;
}

/* LAYOUT=BIOFORMATS2RAW: the image is the first of those that the store has side by side. */
static int32_t apply_collection(plan *p)
{
    const char *refusal = plan_ome_refusal(p);
    snprintf(p->prefix, sizeof p->prefix, "0/");
    if (refusal)
        plan_warn(
            p,
            "OME/METADATA.ome.xml is not written: %s (%s); programs that look for sizes there, as Bio-Formats does, "
            "find none",
            refusal, p->image->type->v3);
    if (p->image->rank < 5)
        plan_warn(p, "LAYOUT=BIOFORMATS2RAW: Bio-Formats reads images of all five axes, tczyx, and this has %s",
                  p->image->dims);
    return p->error.status;
}

/* The nodata value if all channels share one, else zero. */
static void resolve_fill(plan *p)
{
    const uint8_t *nodata = image_common_nodata(p->image);
    if (nodata)
        memcpy(p->fill, nodata, (size_t)p->image->type->size);
}

/* -- The public functions ----------------------------------------------------------------------------------------- */

ngff_plan *ngff_plan_create(ngff_image *image, const char *const *list)
{
    plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    atomic_init(&p->n_owners, 1);
    p->n_readers = 1;
    p->levels = calloc(max_levels, sizeof *p->levels);
    p->arrays = calloc(2 * max_levels, sizeof *p->arrays);
    if (!p->levels || !p->arrays || !image) {
        error_set(&p->error, image ? NGFF_E_MEMORY : NGFF_E_ARGUMENT, image ? "out of memory" : "no image was given");
        return p;
    }
    int32_t status = error_copy(&p->error, &image->error);
    if (status == NGFF_OK)
        status = read_options(p, image, list);
    if (status == NGFF_OK && !(p->image = image_copy(image)))
        status = error_set(&p->error, NGFF_E_MEMORY, "out of memory");
    p->zarr_format = version_format(p->options.version);
    if (status == NGFF_OK)
        status = apply_image_options(p);
    if (status == NGFF_OK && p->options.labels)
        status = apply_labels(p);
    if (status == NGFF_OK && p->options.series && p->options.layout != LAYOUT_BIOFORMATS2RAW)
        status = error_set(&p->error, NGFF_E_OPTION,
                           "SERIES=ALL: several images go into one store with LAYOUT=BIOFORMATS2RAW only; add it");
    if (status == NGFF_OK && p->options.layout == LAYOUT_BIOFORMATS2RAW)
        status = apply_collection(p);
    if (status == NGFF_OK)
        status = resolve_codec(p);
    if (status == NGFF_OK)
        status = resolve_resampling(p);
    if (status != NGFF_OK)
        return p;
    resolve_fill(p);
    p->is_consolidated = p->options.consolidated != TRI_NO;
    if (levels_make(p) == NGFF_OK && levels_make_shards(p) == NGFF_OK && memory_plan(p) == NGFF_OK) {
        for (int l = 0; l < p->n_levels; l++)
            p->raw_bytes = size_plus(p->raw_bytes,
                                     size_times(product_checked(p->levels[l].shape, image->rank), image->type->size));
    }
    return p;
}

void plan_blocksize(const plan *p, char text[256])
{
    int n = 0;
    for (int i = 0; i < p->image->rank; i++)
        n += snprintf(text + n, (size_t)(256 - n), "%s%lld", i ? "," : "", (long long)levels_block(p, i));
}

int32_t plan_keep(plan *p, const uint8_t fill[16], const char *kept_attributes)
{
    char *copy = kept_attributes ? strdup(kept_attributes) : NULL;
    if (kept_attributes && !copy)
        return NGFF_E_MEMORY;
    free(p->kept_attributes);
    p->kept_attributes = copy;
    memcpy(p->fill, fill, sizeof p->fill);
    levels_list_arrays(p);
    return NGFF_OK;
}

int plan_is_own_attribute(const char *name)
{
    static const char *const own[] = {"ome", "multiscales", "omero", "omezarr", "zarr_conventions"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(name, own[i]) == 0)
            return 1;
    return strncmp(name, "spatial:", 8) == 0 || strncmp(name, "proj:", 5) == 0;
}

int plan_is_known_attribute(const char *name)
{
    static const char *const known[] = {"image-label", "labels", "plate", "well", "bioformats2raw.layout", "_CRS"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0)
            return 1;
    return plan_is_own_attribute(name) || strncmp(name, "gdal:", 5) == 0;
}

int32_t ngff_plan_set_root_attributes(ngff_plan *p, const char *json)
{
    static const char what[] = "root_attributes";
    error broken = {0};
    json_span all = json_whole(json), name, value;
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (!json || json_check(json, strlen(json), NULL, what, &broken) != NGFF_OK || json[strspn(json, " \t\r\n")] != '{')
        return error_set(&p->error, NGFF_E_ARGUMENT, "%s are not a JSON object%s%s", what, broken.status ? ": " : "",
                         broken.message);
    for (size_t at = 0; json_next(all, &at, &name, &value);) {
        char *member = json_copy(name);
        if (!member)
            error_set(&p->error, NGFF_E_MEMORY, "out of memory");
        else if (plan_is_known_attribute(member))
            error_set(&p->error, NGFF_E_ARGUMENT, "%s cannot set %s: it is NGFF's, or the library's own", what, member);
        free(member);
    }
    char *copy = p->error.status == NGFF_OK ? strdup(json) : NULL;
    if (!copy)
        return error_set(&p->error, NGFF_E_MEMORY, "out of memory");
    free(p->kept_attributes);
    p->kept_attributes = copy;
    p->has_own_kept = 1;
    return NGFF_OK;
}

int32_t ngff_plan_set_unfilled(ngff_plan *p)
{
    if (p->error.status == NGFF_OK)
        p->is_unfilled = 1;
    return p->error.status;
}

ngff_plan *plan_retain(ngff_plan *p)
{
    atomic_fetch_add_explicit(&p->n_owners, 1, memory_order_relaxed);
    return p;
}

void ngff_plan_free(ngff_plan *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->n_owners, 1, memory_order_acq_rel) > 1)
        return;
    ngff_image_free(p->image);
    options_release(&p->options);
    for (int i = 0; i < p->n_warnings; i++)
        free(p->warnings[i]);
    for (int i = 0; i < p->n_losses; i++)
        free(p->losses[i]);
    free(p->losses);
    free(p->levels);
    free(p->arrays);
    free(p->kept_attributes);
    free(p->kept_nodes);
    free(p->ome_xml);
    free(p->fingerprint);
    free(p->text);
    free(p);
}

int32_t ngff_plan_status(const ngff_plan *p)
{
    return p ? p->error.status : NGFF_E_ARGUMENT;
}

const char *ngff_plan_error(const ngff_plan *p)
{
    return p ? p->error.message : "the plan is NULL";
}

int32_t ngff_plan_set_source(ngff_plan *p, const int64_t *block, int32_t n_readers)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (n_readers < 1)
        return error_set(&p->error, NGFF_E_ARGUMENT, "n_readers is %d; at least one thread must read", n_readers);
    for (int i = 0; i < p->image->rank; i++)
        p->source_block[i] = block ? block[i] : 0;
    p->n_readers = n_readers;
    return memory_plan(p);
}

int32_t ngff_plan_set_source_memory(ngff_plan *p, int64_t least, int64_t wanted)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (least < 0 || wanted < least)
        return error_set(&p->error, NGFF_E_ARGUMENT,
                         "the source is to have at least %lld and at most %lld bytes; give 0 <= least <= wanted",
                         (long long)least, (long long)wanted);
    p->source_least = least;
    p->source_wanted = wanted;
    return memory_plan(p);
}

int32_t ngff_plan_set_fingerprint(ngff_plan *p, const char *text)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return error_set(&p->error, NGFF_E_MEMORY, "out of memory");
    free(p->fingerprint);
    p->fingerprint = copy;
    return NGFF_OK;
}

int32_t ngff_plan_set_series(ngff_plan *p, int32_t number)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (!p->prefix[0] || number < 0)
        return error_set(&p->error, NGFF_E_ARGUMENT,
                         "an image is number %d of a store only with LAYOUT=BIOFORMATS2RAW, from 0 on", number);
    snprintf(p->prefix, sizeof p->prefix, "%d/", number);
    return NGFF_OK;
}

int32_t ngff_plan_set_ome_xml(ngff_plan *p, const char *text)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (!p->prefix[0])
        return error_set(&p->error, NGFF_E_ARGUMENT, "OME-XML goes with LAYOUT=BIOFORMATS2RAW only");
    if (text && !utf8_is_valid(text, strlen(text)))
        return error_set(&p->error, NGFF_E_ARGUMENT, "the OME-XML is not valid UTF-8");
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return error_set(&p->error, NGFF_E_MEMORY, "out of memory");
    free(p->ome_xml);
    p->ome_xml = copy;
    return NGFF_OK;
}

int32_t ngff_plan_add_loss(ngff_plan *p, const char *text)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (!text || !utf8_is_valid(text, strlen(text)))
        return error_set(&p->error, NGFF_E_ARGUMENT, "what is lost must be said in UTF-8");
    char **more = realloc(p->losses, ((size_t)p->n_losses + 1) * sizeof *more);
    char *copy = strdup(text);
    if (more)
        p->losses = more;
    if (more && copy)
        p->losses[p->n_losses++] = copy;
    else
        free(copy);
    return more && copy ? NGFF_OK : error_set(&p->error, NGFF_E_MEMORY, "out of memory");
}

void plan_take_told(ngff_plan *p, const ngff_plan *further, const char *name)
{
    for (int i = 0; i < further->n_warnings; i++)
        plan_warn(p, "%s: %s", name, further->warnings[i]);
    for (int i = 0; i < further->n_losses; i++) {
        size_t room = strlen(further->losses[i]) + strlen(name) + sizeof ": ";
        char *text = malloc(room);
        if (text)
            snprintf(text, room, "%s: %s", name, further->losses[i]);
        if (text)
            ngff_plan_add_loss(p, text);
        free(text);
    }
}

int32_t ngff_plan_set_given(ngff_plan *p, int32_t l)
{
    if (p->error.status != NGFF_OK)
        return p->error.status;
    if (l < 1 || l >= p->n_levels)
        return error_set(&p->error, NGFF_E_ARGUMENT, "there is no level %d to give, only 1 to %d", l, p->n_levels - 1);
    p->levels[l].source = -1;
    return memory_plan(p);
}

int32_t ngff_plan_level_count(const ngff_plan *p)
{
    return p->n_levels;
}

static const level *level_at(const plan *p, int32_t l)
{
    return l >= 0 && l < p->n_levels ? &p->levels[l] : NULL;
}

const char *ngff_plan_level_path(const ngff_plan *p, int32_t l)
{
    return level_at(p, l) ? p->levels[l].path : NULL;
}

/* Each getter copies one column of a level's row. */
#define LEVEL_GETTER(column, type)                                                                                     \
    int32_t ngff_plan_level_##column(const ngff_plan *p, int32_t l, type *column)                                      \
    {                                                                                                                  \
        const level *at = level_at(p, l);                                                                              \
        if (!at)                                                                                                       \
            return NGFF_E_ARGUMENT;                                                                                    \
        memcpy(column, at->column, (size_t)p->image->rank * sizeof *column);                                           \
        return NGFF_OK;                                                                                                \
    }
LEVEL_GETTER(shape, int64_t)
LEVEL_GETTER(chunk, int64_t)
LEVEL_GETTER(shard, int64_t)
LEVEL_GETTER(scale, double)
LEVEL_GETTER(translation, double)

int64_t ngff_plan_raw_size(const ngff_plan *p)
{
    return p->raw_bytes;
}

int64_t ngff_plan_memory(const ngff_plan *p)
{
    return p->memory;
}

int64_t ngff_plan_source_memory(const ngff_plan *p)
{
    return p->source_memory;
}

int32_t ngff_plan_thread_count(const ngff_plan *p)
{
    return p->n_threads;
}

const char *ngff_plan_warning(const ngff_plan *p, int32_t index)
{
    return index >= 0 && index < p->n_warnings ? p->warnings[index] : NULL;
}

void plan_print_sizes(const int64_t *sizes, int rank, char to[128])
{
    int n = 0;
    for (int i = 0; i < rank; i++)
        n += snprintf(to + n, (size_t)(128 - n), "%s%lld", i ? " x " : "", (long long)sizes[i]);
}

const char *ngff_plan_option(ngff_plan *p, const char *name)
{
    const char *canonical = options_canonical(name);
    if (!canonical || p->error.status != NGFF_OK)
        return canonical ? "" : NULL;
    options resolved = p->options;
    resolved.compress = p->codec.compress;
    resolved.level = p->codec.level;
    resolved.resampling = p->resampling;
    resolved.n_threads = p->n_threads;
    resolved.memory_bytes = p->memory;
    if (p->depth > 0 && strcmp(canonical, "BLOCKSIZE") == 0)
        plan_blocksize(p, p->answer);
    else
        options_print(&resolved, canonical, p->answer, sizeof p->answer);
    return p->answer;
}
