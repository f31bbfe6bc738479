/* multiscales.c: "multiscales": the axes of an image, its levels and where they lie, and how they were made. Until NGFF 0.5
 * an image has axes, and each level a scale and a translation. In 0.6 axes belong to coordinate systems, and each
 * transform leads from one to another: from the array of a level to the image's own system, and from there to the earth. */
#include <stdio.h>
#include <string.h>

#include "metadata/geo.h"
#include "metadata/root_parts.h"
#include "zarr/tree.h"

static const char own_system[] = "intrinsic";

/* earth: the names of axes y and x there, or NULL for the image's own. */
static cJSON *axes(const struct ngff_plan *plan, const char *const *earth, int *is_whole)
{
    const struct ngff_image *image = plan->image;
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < image->rank; i++) {
        char dim = image->dims[i], name[2] = {dim};
        const char *other = earth && i >= image->rank - 2 ? earth[i - (image->rank - 2)] : NULL;
        cJSON *axis = cJSON_CreateObject();
        tree_put(axis, "name", cJSON_CreateString(other ? other : name), is_whole);
        tree_put(axis, "type", cJSON_CreateString(dim == 't' ? "time" : dim == 'c' ? "channel" : "space"), is_whole);
        if (image->unit[i])
            tree_put(axis, "unit", cJSON_CreateString(image->unit[i]), is_whole);
        if (image->orientation[i] && !other) {
            cJSON *orientation = cJSON_CreateObject();
            tree_put(orientation, "type", cJSON_CreateString("anatomical"), is_whole);
            tree_put(orientation, "value", cJSON_CreateString(image->orientation[i]), is_whole);
            tree_put(axis, "orientation", orientation, is_whole);
        }
        if (dim == 'c' && plan->options.version >= VERSION_06)
            tree_put(axis, "discrete", cJSON_CreateTrue(), is_whole);
        tree_add(list, axis, is_whole);
    }
    return list;
}

static cJSON *transform(const char *type, const double *values, int rank, int *is_whole)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "type", cJSON_CreateString(type), is_whole);
    tree_put(object, type, tree_reals(values, rank, is_whole), is_whole);
    return object;
}

/* -- 0.4, 0.5 ------------------------------------------------------------------------------------------------------ */

static cJSON *scale_and_translation(const struct ngff_plan *plan, const level *at, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    tree_add(list, transform("scale", at->scale, plan->image->rank, is_whole), is_whole);
    tree_add(list, transform("translation", at->translation, plan->image->rank, is_whole), is_whole);
    return list;
}

/* -- 0.6 ----------------------------------------------------------------------------------------------------------- */

static cJSON *one_text(const char *name, const char *text, int *is_whole)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, name, cJSON_CreateString(text), is_whole);
    return object;
}

static void put_ends(cJSON *transform, cJSON *input, const char *output, int *is_whole)
{
    tree_put(transform, "input", input, is_whole);
    tree_put(transform, "output", one_text("name", output, is_whole), is_whole);
}

/* From the array of a level to the image's own system: a scale, or a sequence of one and a translation. */
cJSON *multiscales_to_own_system(const char *path, int rank, const double *scale, const double *translation,
                                 int *is_whole)
{
    static const double none[MAX_RANK];
    cJSON *list = cJSON_CreateArray(), *one = transform("scale", scale, rank, is_whole);
    if (memcmp(translation, none, (size_t)rank * sizeof *none) != 0) {
        cJSON *parts = cJSON_CreateArray();
        tree_add(parts, one, is_whole);
        tree_add(parts, transform("translation", translation, rank, is_whole), is_whole);
        one = cJSON_CreateObject();
        tree_put(one, "type", cJSON_CreateString("sequence"), is_whole);
        tree_put(one, "transformations", parts, is_whole);
    }
    put_ends(one, one_text("path", path, is_whole), own_system, is_whole);
    tree_add(list, one, is_whole);
    return list;
}

static cJSON *system_of(const char *name, cJSON *its_axes, int *is_whole)
{
    cJSON *object = one_text("name", name, is_whole);
    tree_put(object, "axes", its_axes, is_whole);
    return object;
}

cJSON *multiscales_own_system(cJSON *axes_of_image, int *is_whole)
{
    return system_of(own_system, axes_of_image, is_whole);
}

/* The systems of an image, and the affine from its own to that of the earth, exact also where the raster is turned. */
static void put_systems(const struct ngff_plan *plan, cJSON *image, int *is_whole)
{
    char name[geo_longest_name];
    const char *earth[2];
    double affine[2][3];
    int rank = plan->image->rank, y = rank - 2;
    cJSON *systems = cJSON_CreateArray();
    tree_add(systems, multiscales_own_system(axes(plan, NULL, is_whole), is_whole), is_whole);
    tree_put(image, "coordinateSystems", systems, is_whole);
    if (geo_system(plan, name, earth, affine)) {
        cJSON *list = cJSON_CreateArray(), *to_earth = cJSON_CreateObject(), *rows = cJSON_CreateArray();
        tree_add(systems, system_of(name, axes(plan, earth, is_whole), is_whole), is_whole);
        for (int i = 0; i < rank; i++) {
            double row[MAX_RANK + 1] = {0};
            row[i] = 1;
            if (i >= y) {
                row[y] = affine[i - y][0];
                row[y + 1] = affine[i - y][1];
                row[rank] = affine[i - y][2];
            }
            tree_add(rows, tree_reals(row, rank + 1, is_whole), is_whole);
        }
        tree_put(to_earth, "type", cJSON_CreateString("affine"), is_whole);
        tree_put(to_earth, "affine", rows, is_whole);
        put_ends(to_earth, one_text("name", own_system, is_whole), name, is_whole);
        tree_add(list, to_earth, is_whole);
        tree_put(image, "coordinateTransformations", list, is_whole);
    }
}

/* -- The image ----------------------------------------------------------------------------------------------------- */

static cJSON *datasets(const struct ngff_plan *plan, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    int has_systems = plan->options.version >= VERSION_06;
    for (int l = 0; l < plan->n_levels; l++) {
        const level *at = &plan->levels[l];
        cJSON *dataset = one_text("path", at->path, is_whole);
        tree_put(dataset, "coordinateTransformations",
                 has_systems
                     ? multiscales_to_own_system(at->path, plan->image->rank, at->scale, at->translation, is_whole)
                     : scale_and_translation(plan, at, is_whole),
                 is_whole);
        tree_add(list, dataset, is_whole);
    }
    return list;
}

void multiscales_add(const struct ngff_plan *plan, cJSON *ome, int *is_whole)
{
    cJSON *list = cJSON_CreateArray(), *image = cJSON_CreateObject(), *made = cJSON_CreateObject();
    const method *how = method_get(plan->resampling);
    char name[64];
    if (plan->zarr_format == ZARR_2)
        tree_put(image, "version", cJSON_CreateString("0.4"), is_whole);
    tree_put(image, "name", cJSON_CreateString(plan->image->name), is_whole);
    if (plan->options.version >= VERSION_06)
        put_systems(plan, image, is_whole);
    else
        tree_put(image, "axes", axes(plan, NULL, is_whole), is_whole);
    tree_put(image, "datasets", datasets(plan, is_whole), is_whole);
    tree_put(image, "type", cJSON_CreateString(how->type), is_whole);
    snprintf(name, sizeof name, "libngff.%s", how->type);
    tree_put(made, "method", cJSON_CreateString(name), is_whole);
    tree_put(made, "version", cJSON_CreateString(ngff_version()), is_whole);
    tree_put(made, "description", cJSON_CreateString(how->sentence), is_whole);
    tree_put(image, "metadata", made, is_whole);
    tree_add(list, image, is_whole);
    tree_put(ome, "multiscales", list, is_whole);
}
