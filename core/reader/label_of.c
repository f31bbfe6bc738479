/* label_of.c: what the image of a store asks of a label image that shall lie beside it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zarr/document.h"
#include "model/image.h"
#include "reader/reader.h"

enum { longest_name = 150 };

static int32_t fail(ngff_image *image, const char *format, const char *what)
{
    return error_set(&image->error, NGFF_E_ARGUMENT, format, what);
}

/* "labels/cells": plain names, so that they can stand in JSON as they are. */
static int is_label_name(const char *name)
{
    static const char group[] = "labels/";
    if (!name || strncmp(name, group, sizeof group - 1) != 0 || strlen(name) > longest_name || !path_is_safe(name))
        return 0;
    name += sizeof group - 1;
    if (*name == '.' || strpbrk(name, "/\"\\"))
        return 0;
    return 1;
}

/* The NGFF version that the image's document names; NULL if none. */
static char *version_text(const stored_image *of)
{
    json_span ome = metadata_ome(of);
    json_span version = of->zarr_format == ZARR_2
                            ? json_member(json_item(json_member(ome, "multiscales"), 0), "version")
                            : json_member(ome, "version");
    char *quoted = json_copy(version);
    size_t n = quoted ? strlen(quoted) : 0;
    if (n >= 2) {
        memmove(quoted, quoted + 1, n - 2);
        quoted[n - 2] = '\0';
    }
    return quoted;
}

/* Each axis of the label image must be one of the image's, and of the same size. On t and z it may also have one plane, or
 * the axis may be missing: then it is of all planes of the image, as the specification has it ("or 1 if that dimension
 * of the label is irrelevant"). at: the image's axis of each of the label's, -1 where the image has none such. */
static int32_t fit_axes(ngff_image *image, const stored_image *of, int *at)
{
    const int64_t *shape = of->levels[0].shape;
    for (int i = 0; i < image->rank; i++) {
        const char *axis = strchr(of->dims, image->dims[i]);
        int is_plane = i < image->rank - 2;
        int64_t n = axis ? shape[axis - of->dims] : 1;
        at[i] = axis ? (int)(axis - of->dims) : -1;
        if (n != image->shape[i] && !(is_plane && image->shape[i] == 1))
            return error_set(&image->error, NGFF_E_ARGUMENT,
                             "the label image has %lld %s on axis %c, and the image %lld: they must be as many%s",
                             (long long)image->shape[i], is_plane ? "planes" : "pixels", image->dims[i], (long long)n,
                             is_plane ? ", or one for all of them; AXES says which planes the bands are" : "");
    }
    return NGFF_OK;
}

/* "SCALE_FACTORS=y:2,x:2;y:4,x:4", or "OVERVIEWS=NONE". */
static int32_t print_factors(ngff_image *image, const stored_image *of, const int *at, char *to, size_t room)
{
    size_t n = (size_t)snprintf(to, room, of->n_levels > 1 ? "SCALE_FACTORS=" : "OVERVIEWS=NONE");
    const char *sizes = "CEIL";
    for (int l = 1; l < of->n_levels; l++) {
        int64_t whole[MAX_RANK], its[MAX_RANK], by[MAX_RANK];
        int n_axes = 0, n_known = 0;
        for (int i = 0; i < image->rank && n < room; i++) {
            int is_single = at[i] < 0 || image->shape[i] == 1;
            double ratio = is_single ? 1 : (double)of->levels[0].shape[at[i]] / (double)of->levels[l].shape[at[i]];
            double by_scale = is_single ? 1 : of->levels[l].scale[at[i]] / of->levels[0].scale[at[i]];
            int is_said = by_scale >= 1 && fabs(by_scale - ratio) < 0.5 * ratio;
            long long factor = llround(is_said ? by_scale : ratio);
            if (factor > 0 && at[i] >= 0) {
                whole[n_known] = of->levels[0].shape[at[i]];
                its[n_known] = of->levels[l].shape[at[i]];
                by[n_known++] = factor;
            }
            if (image->dims[i] == 't' || image->dims[i] == 'c')
                continue;
            n += (size_t)snprintf(to + n, room - n, "%s%c:%lld",
                                  n_axes++ ? ","
                                  : l > 1  ? ";"
                                           : "",
                                  image->dims[i], factor < 1 ? 1 : factor);
        }
        if (strcmp(sizes, "CEIL") == 0)
            sizes = ngff_sizes_by(n_known, whole, its, by);
    }
    if (strcmp(sizes, "CEIL") != 0 && n < room)
        n += (size_t)snprintf(to + n, room - n, "\nSIZES=%s", sizes);
    return n < room ? NGFF_OK : fail(image, "%s", "the image has more levels than a label image can have");
}

int32_t ngff_image_set_label_of(ngff_image *image, const ngff_reader *of, const char *name)
{
    if (!image || image->error.status != NGFF_OK)
        return ngff_image_status(image);
    if (!of || ngff_reader_status(of) != NGFF_OK || ngff_reader_level_count(of) < 1)
        return fail(image, "%s", of ? ngff_reader_error(of) : "there is no image that it could be a label image of");
    if (!is_label_name(name))
        return fail(image,
                    "'%s' is no place for a label image: labels/NAME, without quotes or slashes, and no dot in front",
                    name ? name : "");
    const stored_image *stored = reader_image(of);
    char options[3000], *version = version_text(stored);
    int at[MAX_RANK], n = snprintf(options, sizeof options, "NGFF_VERSION=%s\n", version ? version : "?");
    if (!version_by_name(version))
        fail(image, "the image is of NGFF %s, and label images are written in 0.4, 0.5 and 0.6",
             version ? version : "?");
    free(version);
    if (image->error.status != NGFF_OK || fit_axes(image, stored, at) != NGFF_OK ||
        print_factors(image, stored, at, options + n, sizeof options - (size_t)n) != NGFF_OK)
        return image->error.status;
    for (int i = 0; i < image->rank && image->error.status == NGFF_OK; i++) {
        if (at[i] < 0)
            continue;
        image->scale[i] = stored->levels[0].scale[at[i]] > 0 ? stored->levels[0].scale[at[i]] : 1;
        image->translation[i] = stored->levels[0].translation[at[i]];
        image->orientation[i] = stored->axis_orientations[at[i]];
        if (image->dims[i] != 'c')
            ngff_image_set_unit(image, i, stored->axis_units[at[i]]);
    }
    if (image->error.status != NGFF_OK || ngff_image_set_name(image, strrchr(name, '/') + 1) != NGFF_OK)
        return image->error.status;
    free(image->label_name);
    free(image->label_options);
    image->label_name = strdup(name);
    image->label_options = strdup(options);
    return image->label_name && image->label_options ? NGFF_OK
                                                     : error_set(&image->error, NGFF_E_MEMORY, "out of memory");
}
