/* multiscales.c: "multiscales": the axes of an image, its levels and where they lie, and how they were made. */
#include <stdio.h>

#include "metadata/root_parts.h"
#include "zarr/tree.h"

static cJSON *axes(const struct ngff_image *image, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < image->rank; i++) {
        char dim = image->dims[i], name[2] = {dim};
        cJSON *axis = cJSON_CreateObject();
        tree_put(axis, "name", cJSON_CreateString(name), is_whole);
        tree_put(axis, "type", cJSON_CreateString(dim == 't' ? "time" : dim == 'c' ? "channel" : "space"), is_whole);
        if (image->unit[i])
            tree_put(axis, "unit", cJSON_CreateString(image->unit[i]), is_whole);
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

static cJSON *datasets(const struct ngff_plan *plan, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    for (int l = 0; l < plan->n_levels; l++) {
        const level *at = &plan->levels[l];
        cJSON *dataset = cJSON_CreateObject(), *transforms = cJSON_CreateArray();
        tree_put(dataset, "path", cJSON_CreateString(at->path), is_whole);
        tree_add(transforms, transform("scale", at->scale, plan->image->rank, is_whole), is_whole);
        tree_add(transforms, transform("translation", at->translation, plan->image->rank, is_whole), is_whole);
        tree_put(dataset, "coordinateTransformations", transforms, is_whole);
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
    tree_put(image, "axes", axes(plan->image, is_whole), is_whole);
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
