/* image.h: what the user says about the pixels, as plain data. The public setters check it; levels.c and metadata/
 * read it. */
#ifndef NGFF_MODEL_IMAGE_H
#define NGFF_MODEL_IMAGE_H

#include "base/box.h"
#include "base/dtype.h"
#include "base/error.h"

typedef struct {
    char *label;    /* NULL: "Band N" */
    char color[7];  /* RRGGBB, "" = default */
    int has_window; /* the user gave start and end */
    double start, end;
    int is_inverted; /* the smallest values are the brightest */
    int has_range;   /* and min and max */
    double min, max;
    int has_active, is_active;
    int has_nodata;
    _Alignas(16) uint8_t nodata[16]; /* one pixel; reducers read it as its type */
} channel;

typedef struct {
    char *name, *json;
} attribute;

typedef struct {
    int is_set, has_affine, is_geographic;
    double affine[6]; /* GDAL's order, pixel corner */
    char *code, *wkt, *projjson;
} georeference;

struct ngff_image {
    error error;
    int rank;
    char dims[MAX_RANK + 1]; /* "cyx" */
    int64_t shape[MAX_RANK];
    const dtype *type;
    double scale[MAX_RANK], translation[MAX_RANK];
    const char *unit[MAX_RANK];        /* a name of the unit table, or NULL */
    const char *orientation[MAX_RANK]; /* a word of RFC-4, or NULL */
    char *name;
    int64_t view_t, view_z; /* ngff_image_set_view: -1 is the default, in has_view_colors, too */
    int has_view_colors;
    int kind;         /* NGFF_KIND_* */
    int channel_axis; /* index of c, or -1 */
    int64_t n_channels;
    channel *channels;
    int64_t alpha; /* channel number or -1 */
    int has_mask;
    char *label_colors, *label_properties; /* lists of "image-label", JSON text, or NULL */
    char *label_name;    /* where it lies in the store of the image that it is of, "labels/cells"; or NULL */
    char *label_options; /* what that image asks of it, NAME=VALUE with line breaks between */
    int label_is_table;  /* the colours are of all values that there can be */
    georeference georeference;
    attribute *attributes;
    int n_attributes;
};

/* The same description once more, for ngff_image_free; NULL when memory is out. */
struct ngff_image *image_copy(const struct ngff_image *image);
/* Index of a dimension by its letter, or -1. */
int image_axis(const struct ngff_image *image, char dim);
/* The nodata pixel that all channels share, bit for bit; NULL if they do not. */
const uint8_t *image_common_nodata(const struct ngff_image *image);

#endif
