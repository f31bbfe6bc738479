/* position.c: where an image lies by what others write beside scale and translation. All of it is optional: what is not
 * understood is left out, never guessed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "metadata/metadata_transform.h"
#include "reader/reader.h"

/* NGFF 0.6: the affine of the image's entry of "multiscales". */
static int read_affine(ngff_reader *reader, double six[6], error *e)
{
    static const char where[] = "the image's transforms";
    const stored_array *base = &reader->image.levels[0];
    const json_span list = json_member(metadata_ome(&reader->image), "multiscales");
    const json_span image = json_item(list, reader->named_entry);
    cJSON *transforms = json_tree(json_member(image, "coordinateTransformations"), where, e);
    cJSON *systems = json_tree(json_member(image, "coordinateSystems"), where, e);
    const char *system = NULL;
    int is_there =
        transforms_place(transforms, systems, reader->image.dims, base->scale, base->translation, six, &system);
    if (system && !(reader->system = strdup(system)))
        error_set(e, NGFF_E_MEMORY, "%s: out of memory", reader->path);
    cJSON_Delete(transforms);
    cJSON_Delete(systems);
    return is_there;
}

/* -- CF ------------------------------------------------------------------------------------------------------------ */

/* A name beside the array of level 0; NULL where it is too long. */
static const char *beside_array(const ngff_reader *reader, const char *name, char path[2 * most_path])
{
    const char *array = reader->image.levels[0].path, *slash = strrchr(array, '/');
    int n = slash ? (int)(slash + 1 - array) : 0;
    return snprintf(path, 2 * most_path, "%.*s%s", n, array, name) < 2 * most_path ? path : NULL;
}

/* "440720.0 60.0 0.0 3751320.0 0.0 -60.0", as GDAL and rioxarray write it. */
static int read_six_numbers(const char *text, double six[6])
{
    for (int i = 0; i < 6; i++) {
        const char *end;
        text += strspn(text, " ,");
        six[i] = number_parse(text, &end);
        if (end == text || !strchr(" ,", *end) || !isfinite(six[i]))
            return 0;
        text = end;
    }
    return text[strspn(text, " ,")] == '\0' && isfinite(six[1] * six[5] - six[2] * six[4]) &&
           six[1] * six[5] - six[2] * six[4] != 0;
}

/* Arrays of the centres along y and x. */
static int read_coordinates(ngff_reader *reader, double six[6])
{
    const stored_image *image = &reader->image;
    double first[2], step[2];
    for (int i = 0; i < 2; i++) {
        const int axis = image->levels[0].rank - 2 + i;
        char path[2 * most_path];
        if (!beside_array(reader, image->axis_names[axis], path) ||
            ngff_reader_coordinates(reader, path, image->levels[0].shape[axis], &first[i], &step[i]) != 1)
            return 0;
    }
    const double found[6] = {first[1] - 0.5 * step[1], step[1], 0, first[0] - 0.5 * step[0], 0, step[0]};
    memcpy(six, found, sizeof found);
    return 1;
}

/* The variable that grid_mapping names, beside the array or at the group. */
static cJSON *grid_mapping(ngff_reader *reader, error *e)
{
    static const char where[] = "the description of the grid";
    cJSON *named = json_tree(json_member(json_whole(reader->image.array_attributes), "grid_mapping"), where, e);
    cJSON *found = NULL;
    char path[2 * most_path], *name = cJSON_IsString(named) ? named->valuestring : NULL;
    if (name)
        name[strcspn(name, ": ")] = '\0';
    if (name && *name) {
        const char *beside = beside_array(reader, name, path);
        const char *text = beside ? ngff_reader_node_attributes(reader, beside) : NULL;
        text = text ? text : ngff_reader_node_attributes(reader, name);
        found = json_tree(json_whole(text), where, e);
    }
    cJSON_Delete(named);
    return found;
}

static int read_cf(ngff_reader *reader, double *six, error *e)
{
    cJSON *mapping = grid_mapping(reader, e);
    const char *wkt = text_of(mapping, "crs_wkt"), *numbers = text_of(mapping, "GeoTransform");
    if (!wkt || !*wkt)
        wkt = text_of(mapping, "spatial_ref");
    if (wkt && *wkt && !(reader->wkt = strdup(wkt)))
        error_set(e, NGFF_E_MEMORY, "%s: out of memory", reader->path);
    int is_there = mapping && six && ((numbers && read_six_numbers(numbers, six)) || read_coordinates(reader, six));
    cJSON_Delete(mapping);
    return is_there;
}

int32_t ngff_reader_position(ngff_reader *reader, double *affine, const char **system, const char **wkt)
{
    double six[6];
    error e = {0};
    *system = *wkt = NULL;
    if (!level_is_valid(reader, 0))
        return 0;
    reader_position_release(reader);
    int is_there = affine && read_affine(reader, six, &e);
    if (!is_there || !reader->system || !strchr(reader->system, ':')) /* a name that says where on the earth */
        is_there |= read_cf(reader, affine && !is_there ? six : NULL, &e);
    if (is_there)
        memcpy(affine, six, sizeof six);
    *system = reader->system;
    *wkt = reader->wkt;
    if (e.status == NGFF_E_MEMORY)
        error_copy(&reader->error, &e);
    return is_there;
}

void reader_position_release(ngff_reader *reader)
{
    free(reader->system);
    free(reader->wkt);
    reader->system = reader->wkt = NULL;
}
