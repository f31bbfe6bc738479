/* rules_transform.c: the rules of NGFF 0.6 for coordinate systems and the transforms between them. A transform is a
 * function from n_in to n_out coordinates; -1 stands for a number that the document does not tell. */
#include "validate/rules.h"

#include <math.h>
#include <string.h>

#include "base/box.h"

/* What of a transform its type decides. Returns the number of coordinates that come out, -1 if it is not known. */
typedef int (*transform_rule)(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out);

static int judge_transform(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out);

/* -- One number per axis --------------------------------------------------------------------------------------- */

static int judge_identity(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    (void)j, (void)transform, (void)at, (void)n_out;
    return n_in;
}

static int judge_translation(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot here = spot_member(at, "translation");
    const cJSON *values = want(j, transform, at, "translation", LIST, MUST);
    (void)n_out;
    if (values)
        want_numbers(j, values, &here, n_in, "axes");
    return values ? cJSON_GetArraySize(values) : n_in;
}

static int judge_scale(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot here = spot_member(at, "scale");
    const cJSON *value, *values = want(j, transform, at, "scale", LIST, MUST);
    (void)n_out;
    if (values && want_numbers(j, values, &here, n_in, "axes"))
        cJSON_ArrayForEach(value, values) if (!(value->valuedouble > 0))
        {
            tell_must(j, &here, "each number must be above 0");
            break;
        }
    return values ? cJSON_GetArraySize(values) : n_in;
}

/* -- Indices of axes ------------------------------------------------------------------------------------------- */

/* A list of indices below n (n < 0: below MAX_RANK), each once. */
static int judge_indices(judge *j, const cJSON *list, const spot *at, int n)
{
    int seen[MAX_RANK] = {0}, most = n >= 0 && n < MAX_RANK ? n : MAX_RANK;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!kind_fits(item, COUNT) || item->valuedouble >= most) {
            tell_must(j, at, "it must be a list of indices from 0 to %d", most - 1);
            return 0;
        }
        if (seen[item->valueint]++) {
            tell_must(j, at, "the index %d is there twice", item->valueint);
            return 0;
        }
    }
    return 1;
}

static int judge_map_axis(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot here = spot_member(at, "mapAxis");
    const cJSON *indices = want(j, transform, at, "mapAxis", FILLED_LIST, MUST);
    int n = cJSON_GetArraySize(indices);
    (void)n_out;
    if (!indices)
        return n_in;
    if (n < 2 || n > MAX_RANK || (n_in >= 0 && n != n_in))
        tell_must(j, &here, "it has %d indices; it must have one per axis", n);
    else
        judge_indices(j, indices, &here, n);
    return n;
}

static int judge_project_axis(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot dropped_spot = spot_member(at, "droppedInputs"), created_spot = spot_member(at, "createdOutputs");
    const cJSON *dropped = want(j, transform, at, "droppedInputs", FILLED_LIST, MAY);
    const cJSON *created = want(j, transform, at, "createdOutputs", FILLED_LIST, MAY);
    int n_dropped = cJSON_GetArraySize(dropped), n_created = cJSON_GetArraySize(created);
    if (!dropped && !created)
        tell_must(j, at, "it must have droppedInputs or createdOutputs");
    if (n_dropped > 3 || n_created > 3)
        tell_must(j, at, "there may be at most 3 droppedInputs and 3 createdOutputs");
    judge_indices(j, dropped, &dropped_spot, n_in);
    judge_indices(j, created, &created_spot, n_out);
    return n_in >= 0 ? n_in - n_dropped + n_created : -1;
}

/* -- Matrices -------------------------------------------------------------------------------------------------- */

/* Rows of numbers, all of one length. */
static int judge_matrix(judge *j, const cJSON *matrix, const spot *at, int n_rows, int n_columns)
{
    const cJSON *row;
    int n = cJSON_GetArraySize(matrix), width = cJSON_GetArraySize(matrix->child), i = 0;
    if (n_rows >= 0 && n != n_rows)
        tell_must(j, at, "it has %d rows, and must have %d", n, n_rows);
    if (n_columns < 0)
        n_columns = width;
    cJSON_ArrayForEach(row, matrix)
    {
        spot here = spot_item(at, i++);
        if (!want_numbers(j, row, &here, n_columns, "columns"))
            return 0;
    }
    return n_rows < 0 || n == n_rows;
}

/* "affine" or "rotation": the matrix, or the path of an array; NULL if it is not here. */
static const cJSON *matrix_here(judge *j, const cJSON *transform, const spot *at, const char *name)
{
    if (member(transform, name) && member(transform, "path"))
        tell_must(j, at, "there must be one of %s and path, not both", name);
    if (!member(transform, name) && text_of(transform, "path"))
        return NULL;
    return want(j, transform, at, name, FILLED_LIST, MUST);
}

static int judge_affine(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot here = spot_member(at, "affine");
    const cJSON *matrix = matrix_here(j, transform, at, "affine");
    if (!matrix)
        return n_out;
    judge_matrix(j, matrix, &here, n_out, n_in >= 0 ? n_in + 1 : -1);
    return cJSON_GetArraySize(matrix);
}

/* The determinant of n rows, which are changed. */
static double determinant(double m[MAX_RANK][MAX_RANK], int n)
{
    double product = 1;
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int r = c + 1; r < n; r++)
            pivot = fabs(m[r][c]) > fabs(m[pivot][c]) ? r : pivot;
        if (m[pivot][c] == 0)
            return 0;
        for (int k = 0; k < n && pivot != c; k++) {
            double swapped = m[c][k];
            m[c][k] = m[pivot][k];
            m[pivot][k] = swapped;
        }
        product *= pivot != c ? -m[c][c] : m[c][c];
        for (int r = c + 1; r < n; r++) {
            double factor = m[r][c] / m[c][c];
            for (int k = c; k < n; k++)
                m[r][k] -= factor * m[c][k];
        }
    }
    return product;
}

/* Rows at right angles, each of length 1, and no mirror. Files have few digits: 0.707 is the sine of 45 degrees. */
static int is_rotation(const cJSON *matrix, int n)
{
    const double tolerance = 2e-3;
    double m[MAX_RANK][MAX_RANK];
    for (int r = 0; r < n; r++)
        for (int c = 0; c < n; c++)
            m[r][c] = cJSON_GetArrayItem(cJSON_GetArrayItem(matrix, r), c)->valuedouble;
    for (int a = 0; a < n; a++)
        for (int b = 0; b <= a; b++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += m[a][k] * m[b][k];
            if (!(fabs(sum - (a == b)) <= tolerance))
                return 0;
        }
    return determinant(m, n) > 0;
}

static int judge_rotation(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot here = spot_member(at, "rotation");
    const cJSON *matrix = matrix_here(j, transform, at, "rotation");
    int n = cJSON_GetArraySize(matrix);
    (void)n_out;
    if (!matrix || !judge_matrix(j, matrix, &here, n_in, n))
        return n_in;
    if (n < 2 || n > MAX_RANK)
        tell_must(j, &here, "it must have 2 to %d rows", (int)MAX_RANK);
    else if (!is_rotation(matrix, n))
        tell_must(j, &here, "its rows must be at right angles and of length 1, its determinant 1");
    return n;
}

/* -- Transforms of transforms ---------------------------------------------------------------------------------- */

static int judge_bijection(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot forward_spot = spot_member(at, "forward"), inverse_spot = spot_member(at, "inverse");
    const cJSON *forward = want(j, transform, at, "forward", OBJECT, MUST);
    const cJSON *inverse = want(j, transform, at, "inverse", OBJECT, MUST);
    if (forward)
        judge_transform(j, forward, &forward_spot, n_in, n_out);
    if (inverse)
        judge_transform(j, inverse, &inverse_spot, n_out, n_in);
    return n_in;
}

static int judge_sequence(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot all = spot_member(at, "transformations");
    const cJSON *part, *parts = want(j, transform, at, "transformations", FILLED_LIST, MUST);
    int n = n_in, i = 0;
    cJSON_ArrayForEach(part, parts)
    {
        spot here = spot_item(&all, i++);
        n = judge_transform(j, part, &here, n, part->next ? -1 : n_out);
    }
    return n;
}

static int judge_by_dimension(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    spot all = spot_member(at, "transformations");
    const cJSON *part, *parts = want(j, transform, at, "transformations", FILLED_LIST, MUST), *index;
    int n = 0, i = 0, is_known = parts != NULL, seen[MAX_RANK] = {0};
    cJSON_ArrayForEach(part, parts)
    {
        spot here = spot_item(&all, i++), below = spot_member(&here, "transformation");
        spot in_spot = spot_member(&here, "inputAxes"), out_spot = spot_member(&here, "outputAxes");
        const cJSON *inner = want(j, part, &here, "transformation", OBJECT, MUST);
        const cJSON *in = want(j, part, &here, "inputAxes", LIST, MUST);
        const cJSON *out = want(j, part, &here, "outputAxes", LIST, MUST);
        int is_good = in && out && judge_indices(j, in, &in_spot, n_in) && judge_indices(j, out, &out_spot, n_out);
        if (inner)
            judge_transform(j, inner, &below, is_good ? cJSON_GetArraySize(in) : -1,
                            is_good ? cJSON_GetArraySize(out) : -1);
        is_known = is_known && is_good;
        if (is_good)
            cJSON_ArrayForEach(index, out)
            {
                if (seen[index->valueint]++)
                    tell_must(j, &out_spot, "the output axis %d is there twice", index->valueint);
                n++;
            }
    }
    if (is_known && n_out >= 0 && n < n_out)
        tell_tolerable(j, &all, "each of the %d output axes must be in one of outputAxes", n_out);
    return is_known ? n_out : -1;
}

static int judge_field(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    (void)n_in;
    want(j, transform, at, "path", TEXT, MUST);
    want(j, transform, at, "interpolation", TEXT, MAY);
    return n_out;
}

/* -- Any transform --------------------------------------------------------------------------------------------- */

static int judge_transform(judge *j, const cJSON *transform, const spot *at, int n_in, int n_out)
{
    static const struct {
        const char *type;
        transform_rule rule;
    } rules[] = {{"identity", judge_identity},        {"scale", judge_scale},
                 {"translation", judge_translation},  {"mapAxis", judge_map_axis},
                 {"projectAxis", judge_project_axis}, {"affine", judge_affine},
                 {"rotation", judge_rotation},        {"sequence", judge_sequence},
                 {"bijection", judge_bijection},      {"byDimension", judge_by_dimension},
                 {"displacements", judge_field},      {"coordinates", judge_field}};
    const cJSON *type = want(j, transform, at, "type", TEXT, MUST);
    spot here = spot_member(at, "type");
    want(j, transform, at, "name", TEXT, MAY);
    for (size_t i = 0; type && i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].type, type->valuestring) == 0) {
            int n = rules[i].rule(j, transform, at, n_in, n_out);
            if (n >= 0 && n_out >= 0 && n != n_out)
                tell_must(j, at, "%d coordinates come out, but its output has %d axes", n, n_out);
            return n;
        }
    if (type)
        tell_must(j, &here, "there is no transform \"%.40s\"", type->valuestring);
    return -1;
}

static int is_type(const cJSON *transform, const char *type)
{
    const char *text = text_of(transform, "type");
    return text && strcmp(text, type) == 0;
}

/* -- Systems --------------------------------------------------------------------------------------------------- */

static void judge_system_list(judge *j, const cJSON *systems, const spot *at, int in_image)
{
    const cJSON *system;
    int i = 0;
    cJSON_ArrayForEach(system, systems)
    {
        spot here = spot_item(at, i++), axes_spot = spot_member(&here, "axes"), name_spot = spot_member(&here, "name");
        const cJSON *name = want(j, system, &here, "name", TEXT, MUST);
        const cJSON *axes = want(j, system, &here, "axes", FILLED_LIST, MUST);
        if (name && !name->valuestring[0])
            tell_must(j, &name_spot, "a coordinate system must have a name");
        if (axes)
            judge_axes(j, axes, &axes_spot, in_image);
    }
    want_unique(j, systems, at, "name");
}

static const cJSON *find_system(const cJSON *systems, const char *name)
{
    const cJSON *system;
    cJSON_ArrayForEach(system, systems)
    {
        const char *text = text_of(system, "name");
        if (text && name && strcmp(text, name) == 0)
            return system;
    }
    return NULL;
}

static int axis_count(const cJSON *system)
{
    const cJSON *axes = member(system, "axes");
    return cJSON_IsArray(axes) ? cJSON_GetArraySize(axes) : -1;
}

const char *text_of_end(const cJSON *transform, const char *which, const char *key)
{
    const cJSON *end = member(transform, which);
    return cJSON_IsString(end) ? end->valuestring : text_of(end, key);
}

/* The member of the object "input" or "output", or NULL; what is not as it must be is told. Texts in place of the
 * objects are of drafts before 0.6rc0: the specification's tests have them in images of stores, and as invalid in
 * documents. */
static const char *want_end(judge *j, const cJSON *transform, const spot *at, const char *which, const char *key,
                            int in_image)
{
    spot here = spot_member(at, which);
    const cJSON *end = member(transform, which);
    if (cJSON_IsString(end))
        tell_rule(j, in_image && j->is_store ? NGFF_FINDING_TOLERABLE : NGFF_FINDING_INVALID, &here,
                  "it must be an object with the member %s", key);
    else if ((end = want(j, transform, at, which, OBJECT, MUST)) != NULL)
        want(j, end, &here, key, TEXT, MUST);
    return text_of_end(transform, which, key);
}

/* "input" or "output" that names a system: one of these, or with a path one of another group. *system: it, or NULL.
 * Returns 1 if it should be one of these and is not. */
static int judge_end(judge *j, const cJSON *transform, const spot *at, const char *which, const cJSON *systems,
                     int in_image, const cJSON **system)
{
    spot here = spot_member(at, which);
    const char *name = want_end(j, transform, at, which, "name", in_image);
    const cJSON *path = member(member(transform, which), "path");
    int is_here = name && !cJSON_IsString(path), is_tolerable = in_image && strcmp(which, "input") == 0;
    *system = is_here ? find_system(systems, name) : NULL;
    if (path && !cJSON_IsString(path) && !cJSON_IsNull(path))
        tell_must(j, &here, "its path must be text");
    else if (is_here && !*system)
        tell_rule(j, is_tolerable ? NGFF_FINDING_TOLERABLE : NGFF_FINDING_INVALID, &here,
                  "there is no coordinate system \"%.40s\" here", name);
    return is_here && !*system;
}

/* -- Levels ---------------------------------------------------------------------------------------------------- */

/* A scale, an identity, or a scale and then a translation: pixels of a level to the system of the image. */
static void judge_level_type(judge *j, const cJSON *transform, const spot *at)
{
    const cJSON *parts = member(transform, "transformations");
    int is_pair = is_type(transform, "sequence") && cJSON_GetArraySize(parts) == 2 &&
                  is_type(cJSON_GetArrayItem(parts, 0), "scale") &&
                  is_type(cJSON_GetArrayItem(parts, 1), "translation");
    if (!is_pair && !is_type(transform, "scale") && !is_type(transform, "identity"))
        tell_must(j, at, "it must be a scale, an identity, or a sequence of a scale and a translation");
}

static int has_path(const cJSON *datasets, const char *path)
{
    const cJSON *dataset;
    cJSON_ArrayForEach(dataset, datasets)
    {
        const char *text = text_of(dataset, "path");
        if (text && strcmp(text, path) == 0)
            return 1;
    }
    return 0;
}

/* One of the datasets. intrinsic: name of the system that all levels go to, found by the first. */
static void judge_level(judge *j, const cJSON *dataset, const cJSON *datasets, const spot *at, const cJSON *systems,
                        const char **intrinsic)
{
    spot all = spot_member(at, "coordinateTransformations"), here = spot_item(&all, 0);
    spot in_spot = spot_member(&here, "input"), out_spot = spot_member(&here, "output");
    const cJSON *path = want(j, dataset, at, "path", TEXT, MUST);
    const cJSON *transforms = want(j, dataset, at, "coordinateTransformations", FILLED_LIST, MUST);
    const cJSON *transform = cJSON_GetArrayItem(transforms, 0);
    if (!transform)
        return;
    if (cJSON_GetArraySize(transforms) > 1)
        tell_must(j, &all, "there must be one transform; there are %d", cJSON_GetArraySize(transforms));
    const char *in_path = want_end(j, transform, &here, "input", "path", 1);
    const char *name = want_end(j, transform, &here, "output", "name", 1);
    const cJSON *system = find_system(systems, name);
    if (path && in_path && strcmp(path->valuestring, in_path) != 0)
        tell_rule(j, has_path(datasets, in_path) ? NGFF_FINDING_INVALID : NGFF_FINDING_TOLERABLE, &in_spot,
                  "its path must be that of the dataset, \"%.100s\"", path->valuestring);
    if (member(member(transform, "input"), "name"))
        tell_should(j, &in_spot, "it should have no name");
    if (member(member(transform, "output"), "path"))
        tell_should(j, &out_spot, "it should have no path");
    if (name && !system)
        tell_must(j, &out_spot, "there is no coordinate system \"%.40s\" here", name);
    if (name && *intrinsic && strcmp(*intrinsic, name) != 0)
        tell_must(j, &out_spot, "all levels must have the same output, \"%.40s\"", *intrinsic);
    if (name && !*intrinsic)
        *intrinsic = name;
    judge_level_type(j, transform, &here);
    int n_axes =
        is_type(transform, "scale") ? axes_of_scale(j, transform, &here, member(system, "axes")) : axis_count(system);
    judge_transform(j, transform, &here, n_axes, n_axes);
}

/* -- Images and scenes ----------------------------------------------------------------------------------------- */

static int is_named(const cJSON *transform, const char *which, const char *name)
{
    const char *text = text_of_end(transform, which, "name");
    return text && name && !text_of(member(transform, which), "path") && strcmp(text, name) == 0;
}

/* A transform beside those of the levels: from or to the intrinsic system. */
static void judge_further(judge *j, const cJSON *transform, const spot *at, const cJSON *systems, const char *intrinsic)
{
    const cJSON *in, *out;
    int is_unknown = judge_end(j, transform, at, "input", systems, 1, &in);
    judge_end(j, transform, at, "output", systems, 1, &out);
    if (intrinsic && !is_named(transform, "input", intrinsic) && !is_named(transform, "output", intrinsic))
        tell_rule(j, is_unknown ? NGFF_FINDING_TOLERABLE : NGFF_FINDING_INVALID, at,
                  "input or output must be \"%.40s\", the output of the levels", intrinsic);
    int is_to_label = text_of(member(transform, "input"), "path") || text_of(member(transform, "output"), "path");
    if (is_to_label && !is_type(transform, "identity") && !is_type(transform, "scale") &&
        !is_type(transform, "translation") && !is_type(transform, "sequence"))
        tell_must(j, at, "to a label image it must be an identity, a scale or a translation, or a sequence of these");
    judge_transform(j, transform, at, axis_count(in), axis_count(out));
}

void judge_systems(judge *j, const cJSON *multiscale, const spot *at)
{
    const cJSON *systems = want(j, multiscale, at, "coordinateSystems", FILLED_LIST, MUST), *system;
    const cJSON *datasets = want(j, multiscale, at, "datasets", FILLED_LIST, MUST), *dataset;
    const cJSON *transforms = want(j, multiscale, at, "coordinateTransformations", FILLED_LIST, MAY), *transform;
    spot systems_spot = spot_member(at, "coordinateSystems"), datasets_spot = spot_member(at, "datasets");
    spot transforms_spot = spot_member(at, "coordinateTransformations");
    const char *intrinsic = NULL;
    int i = 0;
    judge_system_list(j, systems, &systems_spot, 1);
    cJSON_ArrayForEach(dataset, datasets)
    {
        spot here = spot_item(&datasets_spot, i++);
        judge_level(j, dataset, datasets, &here, systems, &intrinsic);
    }
    i = 0;
    cJSON_ArrayForEach(transform, transforms)
    {
        spot here = spot_item(&transforms_spot, i++);
        judge_further(j, transform, &here, systems, intrinsic);
    }
    cJSON_ArrayForEach(system, systems)
    {
        const char *name = text_of(system, "name");
        int is_linked = !name || !intrinsic || strcmp(name, intrinsic) == 0;
        cJSON_ArrayForEach(transform, transforms) is_linked =
            is_linked || is_named(transform, "input", name) || is_named(transform, "output", name);
        if (!is_linked)
            tell_must(j, &systems_spot, "no transform leads to \"%.40s\"", name);
    }
}

void judge_scene(judge *j, const cJSON *scene, const spot *at)
{
    const cJSON *systems = want(j, scene, at, "coordinateSystems", LIST, MAY);
    const cJSON *transform, *transforms = want(j, scene, at, "coordinateTransformations", FILLED_LIST, MUST);
    spot systems_spot = spot_member(at, "coordinateSystems");
    spot transforms_spot = spot_member(at, "coordinateTransformations");
    int i = 0;
    judge_system_list(j, systems, &systems_spot, 0);
    cJSON_ArrayForEach(transform, transforms)
    {
        spot here = spot_item(&transforms_spot, i++);
        const cJSON *in, *out;
        judge_end(j, transform, &here, "input", systems, 0, &in);
        judge_end(j, transform, &here, "output", systems, 0, &out);
        judge_transform(j, transform, &here, axis_count(in), axis_count(out));
    }
}
