/* metadata_transform.c: see metadata_transform.h. NGFF 0.4 and 0.5 have a scale, and then perhaps a translation. Others
 * write more of what RFC-5 has: identities, sequences, affines, translations alone. All of them are put together into
 * one matrix; where that is a scale and a translation of each axis, it is taken.
 *
 * Transforms that each name their "output" lead to several systems (spatialdata); the first one counts. */
#include "metadata/metadata_transform.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

enum { most_nested = 8 };

/* Row per axis, then a column per axis and one for the constant. */
typedef struct {
    int rank;
    double at[MAX_RANK][MAX_RANK + 1];
} matrix;

static matrix identity(int rank)
{
    matrix m = {.rank = rank};
    for (int i = 0; i < rank; i++)
        m.at[i][i] = 1;
    return m;
}

static int is_finite_number(const cJSON *item)
{
    return cJSON_IsNumber(item) && isfinite(item->valuedouble);
}

/* One number per axis, or, as some write, one per axis of space alone; the others keep what they have. */
static int read_vector(const cJSON *list, const char *dims, double *values)
{
    int rank = (int)strlen(dims), n = cJSON_GetArraySize(list), n_space = 0, i = 0;
    for (const char *d = dims; *d; d++)
        n_space += strchr("zyx", *d) != NULL;
    if (!cJSON_IsArray(list) || (n != rank && n != n_space))
        return 0;
    const cJSON *item = list->child;
    for (; i < rank; i++) {
        if (n != rank && !strchr("zyx", dims[i]))
            continue;
        if (!is_finite_number(item))
            return 0;
        values[i] = item->valuedouble;
        item = item->next;
    }
    return 1;
}

/* rank rows of so many columns; a last row of a homogeneous matrix may follow. */
static int read_matrix(const cJSON *rows, int rank, int columns, matrix *m)
{
    int n = cJSON_GetArraySize(rows), i = 0;
    const cJSON *row, *item;
    *m = (matrix){.rank = rank};
    if (!cJSON_IsArray(rows) || (n != rank && n != rank + 1))
        return 0;
    cJSON_ArrayForEach(row, rows)
    {
        int k = 0;
        if (!cJSON_IsArray(row) || cJSON_GetArraySize(row) != columns)
            return 0;
        cJSON_ArrayForEach(item, row)
        {
            if (!is_finite_number(item) || (i == rank && item->valuedouble != (k == rank)))
                return 0;
            if (i < rank)
                m->at[i][k] = item->valuedouble;
            k++;
        }
        i++;
    }
    return 1;
}

/* after what m does. */
static void follow(matrix *m, const matrix *after)
{
    matrix product = {.rank = m->rank};
    for (int i = 0; i < m->rank; i++)
        for (int k = 0; k <= m->rank; k++) {
            product.at[i][k] = k == m->rank ? after->at[i][k] : 0;
            for (int j = 0; j < m->rank; j++)
                if (after->at[i][j] != 0) /* exact where there is one */
                    product.at[i][k] += after->at[i][j] * m->at[j][k];
        }
    *m = product;
}

static const char *apply_all(const cJSON *list, const char *dims, int depth, matrix *m, int *has_scale);

static const char *apply(const cJSON *transform, const char *dims, int depth, matrix *m, int *has_scale)
{
    const char *type = text_of(transform, "type");
    double values[MAX_RANK];
    matrix next = identity(m->rank);
    if (!type)
        return "one has no type";
    if (strcmp(type, "identity") == 0)
        return NULL;
    if (strcmp(type, "sequence") == 0)
        return apply_all(member(transform, "transformations"), dims, depth + 1, m, has_scale);
    if (strcmp(type, "scale") == 0 || strcmp(type, "translation") == 0) {
        int is_scale = type[0] == 's';
        for (int i = 0; i < m->rank; i++)
            values[i] = is_scale;
        if (!member(transform, type) && text_of(transform, "path"))
            return "the numbers are in an array of their own, which is not read";
        if (!read_vector(member(transform, type), dims, values))
            return is_scale ? "the scale is not a number for each axis"
                            : "the translation is not a number for each axis";
        for (int i = 0; i < m->rank; i++)
            next.at[i][is_scale ? i : m->rank] = values[i];
        *has_scale |= is_scale;
    } else if (strcmp(type, "affine") == 0 || strcmp(type, "rotation") == 0) {
        if (!read_matrix(member(transform, type), m->rank, m->rank + (type[0] == 'a'), &next))
            return type[0] == 'a' ? "the affine has not a row for each axis"
                                  : "the rotation has not a row for each axis";
        *has_scale = 1;
    } else
        return "there are others than identity, scale, translation, affine, rotation and sequences of them";
    follow(m, &next);
    return NULL;
}

static const char *apply_all(const cJSON *list, const char *dims, int depth, matrix *m, int *has_scale)
{
    const cJSON *transform;
    if (!cJSON_IsArray(list) || depth > most_nested)
        return "they are no list";
    cJSON_ArrayForEach(transform, list)
    {
        const char *why = apply(transform, dims, depth, m, has_scale);
        if (why)
            return why;
    }
    return NULL;
}

static const char *name_of_output(const cJSON *transform)
{
    const cJSON *output = member(transform, "output");
    return cJSON_IsString(output) ? output->valuestring : text_of(output, "name");
}

/* The first of several transforms that each lead to a system of their own; NULL where they are one after the other. */
static const cJSON *first_of_systems(const cJSON *list)
{
    const cJSON *transform;
    int n = 0;
    cJSON_ArrayForEach(transform, list)
    {
        if (!name_of_output(transform))
            return NULL;
        n++;
    }
    return n > 1 ? list->child : NULL;
}

const char *transforms_read(const cJSON *list, const char *dims, axis_map *map)
{
    int rank = (int)strlen(dims);
    matrix m = identity(rank);
    memset(map, 0, sizeof *map);
    for (int i = 0; i < rank; i++)
        map->scale[i] = 1;
    if (!list || (cJSON_IsArray(list) && !list->child))
        return NULL;
    const cJSON *first = first_of_systems(list);
    map->has_systems = first != NULL;
    snprintf(map->system, sizeof map->system, "%s", first ? name_of_output(first) : "");
    const char *why =
        first ? apply(first, dims, 0, &m, &map->has_scale) : apply_all(list, dims, 0, &m, &map->has_scale);
    if (why)
        return why;
    for (int i = 0; i < rank; i++)
        for (int k = 0; k < rank; k++)
            if (i != k && m.at[i][k] != 0)
                return "they turn, shear or exchange axes";
    for (int i = 0; i < rank; i++) {
        if (!isfinite(m.at[i][i]) || !isfinite(m.at[i][rank]))
            return "their numbers are too large";
        map->scale[i] = m.at[i][i];
        map->translation[i] = m.at[i][rank];
    }
    return NULL;
}

/* An affine that mixes y and x with no other axis. */
static int read_plane_affine(const cJSON *transform, int rank, matrix *m)
{
    const char *type = text_of(transform, "type");
    const cJSON *rows = member(transform, "affine");
    if (!type || strcmp(type, "affine") != 0 || cJSON_GetArraySize(rows) != rank ||
        !read_matrix(rows, rank, rank + 1, m))
        return 0;
    for (int i = rank - 2; i < rank; i++)
        for (int k = 0; k < rank - 2; k++)
            if (m->at[i][k] != 0)
                return 0;
    return 1;
}

int transforms_turn(const cJSON *list, const char *dims)
{
    int rank = (int)strlen(dims), y = rank - 2, x = rank - 1;
    matrix m;
    if (cJSON_GetArraySize(list) != 1 || !read_plane_affine(cJSON_GetArrayItem(list, 0), rank, &m))
        return 0;
    double area = m.at[y][y] * m.at[x][x] - m.at[y][x] * m.at[x][y];
    return isfinite(area) && area != 0 && (m.at[y][x] != 0 || m.at[x][y] != 0);
}

/* True where the axes of an output begin with the one that counts eastward, by the names in use. */
static int x_is_first(const cJSON *axes, int rank)
{
    static const char *const names[] = {"x", "e", "easting", "east", "lon", "longitude"};
    const char *name = cJSON_IsArray(axes) && cJSON_GetArraySize(axes) == rank
                           ? text_of(cJSON_GetArrayItem(axes, rank - 2), "name")
                           : NULL;
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (text_equals(name, names[i]))
            return 1;
    return 0;
}

static const cJSON *system_named(const cJSON *systems, const char *name)
{
    const cJSON *system;
    cJSON_ArrayForEach(system, systems)
    {
        const char *its = text_of(system, "name");
        if (its && name && strcmp(its, name) == 0)
            return system;
    }
    return NULL;
}

int transforms_place(const cJSON *list, const cJSON *systems, const char *dims, const double *scale,
                     const double *translation, double six[6], const char **system)
{
    int rank = (int)strlen(dims), y = rank - 2, x = rank - 1, has_systems = cJSON_IsArray(systems);
    const cJSON *transform;
    matrix m;
    if (!cJSON_IsArray(list) || (!has_systems && !transforms_turn(list, dims)))
        return 0;
    cJSON_ArrayForEach(transform, list)
    {
        if (!read_plane_affine(transform, rank, &m))
            continue;
        const char *name = name_of_output(transform);
        const cJSON *output = has_systems ? system_named(systems, name) : member(transform, "output");
        int is_swapped = x_is_first(member(output, "axes"), rank), is_usable = 1;
        const double *of_y = m.at[is_swapped ? x : y], *of_x = m.at[is_swapped ? y : x];
        double y0 = translation[y] - 0.5 * scale[y], x0 = translation[x] - 0.5 * scale[x];
        const double found[6] = {of_x[y] * y0 + of_x[x] * x0 + of_x[rank], of_x[x] * scale[x], of_x[y] * scale[y],
                                 of_y[y] * y0 + of_y[x] * x0 + of_y[rank], of_y[x] * scale[x], of_y[y] * scale[y]};
        double area = found[1] * found[5] - found[2] * found[4];
        for (int i = 0; i < 6; i++)
            is_usable &= isfinite(found[i]) != 0;
        if (!is_usable || !isfinite(area) || area == 0)
            continue;
        memcpy(six, found, sizeof found);
        *system = name;
        return 1;
    }
    return 0;
}
