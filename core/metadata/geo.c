/* geo.c: where the raster lies on the earth, in every dialect that a reader of today understands: GDAL's own
 * attributes, the zarr conventions spatial, proj and multiscales, and CF coordinate arrays. All say the same: levels
 * share the corner of the first pixel, and a pixel of a level is exactly its factor times larger, so the last row may
 * reach past the image. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "metadata/geo.h"

static const int64_t most_coordinates = (int64_t)1 << 26;

/* zarr-conventions registry. Readers match the uuid (GDAL, rio-tiler) or the name, and that has changed: "proj" in v0.1,
 * "proj:" in v1, the only one that rioxarray takes. So both are registered. */
enum { convention_multiscales, convention_proj, convention_spatial };
static const struct {
    const char *uuid, *names[2];
} conventions[] = {
    {"d35379db-88df-4056-af3a-620245f8e347", {"multiscales"}},
    {"f17cb550-5864-4468-aeb7-f3180cfb622f", {"proj", "proj:"}},
    {"689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", {"spatial", "spatial:"}},
};

static void register_convention(int index, cJSON *list, int *is_whole)
{
    for (int i = 0; i < 2 && conventions[index].names[i]; i++) {
        cJSON *object = cJSON_CreateObject();
        tree_put(object, "uuid", cJSON_CreateString(conventions[index].uuid), is_whole);
        tree_put(object, "name", cJSON_CreateString(conventions[index].names[i]), is_whole);
        tree_add(list, object, is_whole);
    }
}

static int has_crs(const georeference *geo)
{
    return geo->code || geo->wkt || geo->projjson;
}

/* True for AUTHORITY:digits, the pattern of proj:code. number: the digits. */
static int code_is_plain(const char *code, const char **number)
{
    const char *colon = code ? strchr(code, ':') : NULL;
    if (!colon || colon == code || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
        return 0;
    *number = colon + 1;
    return strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == (size_t)(colon - code);
}

void geo_affine(const struct ngff_plan *plan, int l, double affine[6])
{
    const double *a = plan->image->georeference.affine;
    int rank = plan->image->rank;
    double fy = (double)plan->levels[l].factor[rank - 2], fx = (double)plan->levels[l].factor[rank - 1];
    double scaled[6] = {a[0], a[1] * fx, a[2] * fy, a[3], a[4] * fx, a[5] * fy};
    memcpy(affine, scaled, sizeof scaled);
}

/* The convention's order is rasterio's: a1 a2 a0 a4 a5 a3. */
static cJSON *spatial_transform(const struct ngff_plan *plan, int l, int *is_whole)
{
    double a[6];
    geo_affine(plan, l, a);
    double ordered[6] = {a[1], a[2], a[0], a[4], a[5], a[3]};
    return tree_reals(ordered, 6, is_whole);
}

static cJSON *spatial_shape(const struct ngff_plan *plan, int l, int *is_whole)
{
    return tree_wholes(plan->levels[l].shape + plan->image->rank - 2, 2, is_whole);
}

/* On every array: _CRS, GDAL's attribute, and crs, a text that every rioxarray takes (before 0.20 nothing else). */
static void put_crs(const georeference *geo, cJSON *attributes, int *is_whole)
{
    const char *number;
    char url[320];
    cJSON *crs = cJSON_CreateObject();
    int is_plain = code_is_plain(geo->code, &number);
    if (is_plain || geo->wkt)
        tree_put(attributes, "crs", cJSON_CreateString(is_plain ? geo->code : geo->wkt), is_whole);
    if (is_plain && strncmp(geo->code, "EPSG:", 5) == 0) {
        snprintf(url, sizeof url, "http://www.opengis.net/def/crs/EPSG/0/%s", number);
        tree_put(crs, "url", cJSON_CreateString(url), is_whole);
    }
    if (geo->wkt)
        tree_put(crs, "wkt", cJSON_CreateString(geo->wkt), is_whole);
    if (geo->projjson)
        tree_put(crs, "projjson", cJSON_CreateRaw(geo->projjson), is_whole);
    if (cJSON_GetArraySize(crs) > 0)
        tree_put(attributes, "_CRS", crs, is_whole);
    else
        cJSON_Delete(crs);
}

static void put_proj(const georeference *geo, cJSON *attributes, int *is_whole)
{
    const char *number;
    if (code_is_plain(geo->code, &number)) {
        tree_put(attributes, "proj:code", cJSON_CreateString(geo->code), is_whole);
        return;
    }
    if (geo->wkt)
        tree_put(attributes, "proj:wkt2", cJSON_CreateString(geo->wkt), is_whole);
    if (geo->projjson)
        tree_put(attributes, "proj:projjson", cJSON_CreateRaw(geo->projjson), is_whole);
}

/* True if proj: can say the CRS: a code that is no AUTHORITY:digits, alone, cannot be said. */
static int proj_applies(const georeference *geo)
{
    const char *number;
    return geo->wkt || geo->projjson || code_is_plain(geo->code, &number);
}

static void put_dimensions(cJSON *attributes, int *is_whole)
{
    static const char *const names[] = {"y", "x"};
    tree_put(attributes, "spatial:dimensions", tree_texts(names, 2, is_whole), is_whole);
}

void geo_array_attributes(const struct ngff_plan *plan, int l, cJSON *attributes, int *is_whole)
{
    const georeference *geo = &plan->image->georeference;
    double affine[6];
    if (!geo->is_set)
        return;
    if (!plan_is_flat(plan)) {
        cJSON *list = cJSON_CreateArray();
        if (proj_applies(geo))
            register_convention(convention_proj, list, is_whole);
        if (geo->has_affine)
            register_convention(convention_spatial, list, is_whole);
        tree_put(attributes, "zarr_conventions", list, is_whole);
        put_proj(geo, attributes, is_whole);
        if (geo->has_affine) {
            put_dimensions(attributes, is_whole);
            tree_put(attributes, "spatial:registration", cJSON_CreateString("pixel"), is_whole);
            tree_put(attributes, "spatial:shape", spatial_shape(plan, l, is_whole), is_whole);
            tree_put(attributes, "spatial:transform", spatial_transform(plan, l, is_whole), is_whole);
        }
    }
    if (has_crs(geo))
        put_crs(geo, attributes, is_whole);
    if (geo->has_affine) {
        geo_affine(plan, l, affine);
        tree_put(attributes, "gdal:geotransform", tree_reals(affine, 6, is_whole), is_whole);
    }
}

/* How many pixels of its source one pixel of a level covers. Without a translation: the convention's coordinates are those
 * of corners here (registration "pixel"), and all levels have one origin. */
static cJSON *layout_scale(const struct ngff_plan *plan, int l, int *is_whole)
{
    return tree_wholes(plan->levels[l].ratio, plan->image->rank, is_whole);
}

/* The asset of a level: its group, or the array itself where levels are flat. */
static cJSON *asset(const struct ngff_plan *plan, int l)
{
    char name[sizeof plan->levels[0].path];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(plan->levels[l].path, "/"), plan->levels[l].path);
    return cJSON_CreateString(name);
}

/* The level that ratio is relative to, also of a level whose pixels come from the caller. */
static int related_level(const struct ngff_plan *plan, int l)
{
    const level *at = &plan->levels[l];
    int k = at->source >= 0 ? at->source : l - 1;
    for (int is_it = at->source >= 0; !is_it && k > 0; k -= !is_it) {
        is_it = 1;
        for (int i = 0; i < plan->image->rank; i++)
            is_it &= plan->levels[k].factor[i] * at->ratio[i] == at->factor[i];
    }
    return k;
}

static cJSON *layout(const struct ngff_plan *plan, int *is_whole)
{
    int is_spatial = !plan_is_flat(plan) && plan->image->georeference.has_affine;
    cJSON *list = cJSON_CreateArray();
    for (int l = 0; l < plan->n_levels; l++) {
        cJSON *entry = cJSON_CreateObject(), *transform = cJSON_CreateObject();
        tree_put(entry, "asset", asset(plan, l), is_whole);
        if (l > 0)
            tree_put(entry, "derived_from", asset(plan, related_level(plan, l)), is_whole);
        tree_put(transform, "scale", layout_scale(plan, l, is_whole), is_whole);
        tree_put(entry, "transform", transform, is_whole);
        if (is_spatial) {
            tree_put(entry, "spatial:shape", spatial_shape(plan, l, is_whole), is_whole);
            tree_put(entry, "spatial:transform", spatial_transform(plan, l, is_whole), is_whole);
        }
        tree_add(list, entry, is_whole);
    }
    return list;
}

/* West, south, east, north of the image's four corners. */
static cJSON *bounding_box(const struct ngff_plan *plan, int *is_whole)
{
    const double *a = plan->image->georeference.affine;
    const int64_t *shape = plan->image->shape + plan->image->rank - 2;
    double edges[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (int corner = 0; corner < 4; corner++) {
        double row = corner & 1 ? (double)shape[0] : 0, column = corner & 2 ? (double)shape[1] : 0;
        double x = a[0] + a[1] * column + a[2] * row, y = a[3] + a[4] * column + a[5] * row;
        edges[0] = fmin(edges[0], x);
        edges[1] = fmin(edges[1], y);
        edges[2] = fmax(edges[2], x);
        edges[3] = fmax(edges[3], y);
    }
    return tree_reals(edges, 4, is_whole);
}

/* The method's name in GDAL and the convention: "average". */
static cJSON *resampling_method(const struct ngff_plan *plan)
{
    char name[32];
    snprintf(name, sizeof name, "%s", reduce_name(plan->resampling));
    for (char *p = name; *p; p++)
        *p = ascii_lower(*p);
    return cJSON_CreateString(name);
}

void geo_root_attributes(const struct ngff_plan *plan, cJSON *attributes, int *is_whole)
{
    const georeference *geo = &plan->image->georeference;
    int is_geo = geo->is_set && !plan_is_flat(plan);
    /* In 0.4 the key "multiscales" is NGFF's own list. */
    int has_layout = plan->zarr_format == ZARR_3 && plan->n_levels > 1;
    cJSON *list = cJSON_CreateArray();
    if (has_layout)
        register_convention(convention_multiscales, list, is_whole);
    if (is_geo && proj_applies(geo))
        register_convention(convention_proj, list, is_whole);
    if (is_geo && geo->has_affine)
        register_convention(convention_spatial, list, is_whole);
    if (cJSON_GetArraySize(list) > 0)
        tree_put(attributes, "zarr_conventions", list, is_whole);
    else
        cJSON_Delete(list);
    if (has_layout) {
        cJSON *multiscales = cJSON_CreateObject();
        tree_put(multiscales, "resampling_method", resampling_method(plan), is_whole);
        tree_put(multiscales, "layout", layout(plan, is_whole), is_whole);
        tree_put(attributes, "multiscales", multiscales, is_whole);
    }
    if (is_geo)
        put_proj(geo, attributes, is_whole);
    if (is_geo && geo->has_affine) {
        /* Without spatial:registration, which is "pixel" by default: where a group says so, GDAL 3.13 warns of scales that
         * are not the ratio of the levels' sizes. */
        put_dimensions(attributes, is_whole);
        tree_put(attributes, "spatial:bbox", bounding_box(plan, is_whole), is_whole);
    }
}

int geo_system(const struct ngff_plan *plan, char *name, const char *axes[2], double affine[2][3])
{
    static const char *const names[2][2] = {{"northing", "easting"}, {"latitude", "longitude"}};
    const georeference *geo = &plan->image->georeference;
    const level *at = &plan->levels[0];
    int y = plan->image->rank - 2;
    if (!geo->is_set || !geo->has_affine)
        return 0;
    const char *quote = geo->wkt ? strchr(geo->wkt, '"') : NULL;
    if (geo->code && geo->code[0])
        snprintf(name, geo_longest_name, "%s", geo->code);
    else if (quote && quote[1] && quote[1] != '"') /* what the WKT is called: PROJCRS["..." */
        snprintf(name, geo_longest_name, "%.*s", (int)strcspn(quote + 1, "\""), quote + 1);
    else
        snprintf(name, geo_longest_name, "world");
    for (int row = 0; row < 2; row++) {
        const double *a = geo->affine + (row == 0 ? 3 : 0); /* the corner, a step in x, a step in y */
        axes[row] = names[geo->is_geographic][row];
        affine[row][0] = a[2] / at->scale[y];
        affine[row][1] = a[1] / at->scale[y + 1];
        affine[row][2] = a[0] + 0.5 * a[1] + 0.5 * a[2] - affine[row][0] * at->translation[y] -
                         affine[row][1] * at->translation[y + 1];
    }
    return 1;
}

int geo_has_coordinates(const struct ngff_plan *plan)
{
    const georeference *geo = &plan->image->georeference;
    const int64_t *shape = plan->image->shape + plan->image->rank - 2;
    return geo->is_set && geo->has_affine && geo->affine[2] == 0 && geo->affine[4] == 0 &&
           shape[0] <= most_coordinates && shape[1] <= most_coordinates;
}

cJSON *geo_coordinate_attributes(const struct ngff_plan *plan, char axis, int *is_whole)
{
    int is_y = axis == 'y', is_geographic = plan->image->georeference.is_geographic;
    cJSON *attributes = cJSON_CreateObject();
    const char *name = is_geographic ? is_y ? "latitude" : "longitude"
                       : is_y        ? "projection_y_coordinate"
                                     : "projection_x_coordinate";
    tree_put(attributes, "standard_name", cJSON_CreateString(name), is_whole);
    if (is_geographic)
        tree_put(attributes, "units", cJSON_CreateString(is_y ? "degrees_north" : "degrees_east"), is_whole);
    return attributes;
}
