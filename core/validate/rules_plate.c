/* rules_plate.c: the rules of what holds images: "plate" and "well" metadata, and lists of their paths. */
#include "validate/rules.h"

#include <stdio.h>
#include <string.h>

static int is_alphanumeric(const char *text)
{
    static const char all[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return text[0] && text[strspn(text, all)] == '\0';
}

/* A node's name as 0.6 wants it. */
static int is_node_name(const char *text)
{
    static const char all[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.";
    return text[0] && text[strspn(text, all)] == '\0' && text[strspn(text, ".")] != '\0' && strncmp(text, "__", 2) != 0;
}

/* -- Plates ---------------------------------------------------------------------------------------------------- */

/* "rows" or "columns". */
static void judge_lines(judge *j, const cJSON *lines, const spot *at)
{
    const cJSON *line;
    int i = 0;
    cJSON_ArrayForEach(line, lines)
    {
        spot here = spot_item(at, i++), name_spot = spot_member(&here, "name");
        const cJSON *name = want(j, line, &here, "name", TEXT, MUST);
        if (name && !is_alphanumeric(name->valuestring))
            tell_must(j, &name_spot, "\"%.40s\" must be of letters and digits", name->valuestring);
    }
    want_unique(j, lines, at, "name");
}

static void judge_acquisitions(judge *j, const cJSON *acquisitions, const spot *at)
{
    static const member_rule rules[] = {{"id", COUNT, {MUST, MUST, MUST}},
                                        {"name", TEXT, {SHOULD, SHOULD, SHOULD}},
                                        {"maximumfieldcount", POSITIVE, {SHOULD, SHOULD, SHOULD}},
                                        {"description", TEXT, {MAY, MAY, MAY}},
                                        {"starttime", COUNT, {MAY, MAY, MAY}},
                                        {"endtime", COUNT, {MAY, MAY, MAY}},
                                        {NULL, TEXT, {MAY, MAY, MAY}}};
    const cJSON *acquisition;
    int i = 0;
    cJSON_ArrayForEach(acquisition, acquisitions)
    {
        spot here = spot_item(at, i++);
        want_all(j, acquisition, &here, rules);
    }
    want_unique(j, acquisitions, at, "id");
}

/* The name of the row or column that a well says it is in; NULL if there is none. */
static const char *line_name(judge *j, const cJSON *lines, const cJSON *index, const spot *at, const char *what)
{
    const cJSON *line = index && lines ? cJSON_GetArrayItem(lines, index->valueint) : NULL;
    if (index && lines && !line)
        tell_must(j, at, "there is no such %s: they go from 0 to %d", what, cJSON_GetArraySize(lines) - 1);
    return text_of(line, "name");
}

static void judge_plate_well(judge *j, const cJSON *well, const spot *at, const cJSON *rows, const cJSON *columns)
{
    const cJSON *path = want(j, well, at, "path", TEXT, MUST);
    const cJSON *row_index = want(j, well, at, "rowIndex", COUNT, MUST);
    const cJSON *column_index = want(j, well, at, "columnIndex", COUNT, MUST);
    spot row_spot = spot_member(at, "rowIndex"), column_spot = spot_member(at, "columnIndex");
    spot path_spot = spot_member(at, "path");
    const char *row = line_name(j, rows, row_index, &row_spot, "row");
    const char *column = line_name(j, columns, column_index, &column_spot, "column");
    char expected[300], swapped[300];
    if (!path || !row || !column)
        return;
    snprintf(expected, sizeof expected, "%.100s/%.100s", row, column);
    snprintf(swapped, sizeof swapped, "%.100s/%.100s", column, row);
    /* The examples of 0.5 were put right, and its suite has this as an invalid case. */
    int is_tolerable = j->version != 5 && strcmp(path->valuestring, swapped) == 0;
    if (strcmp(path->valuestring, expected) != 0)
        tell_rule(j, is_tolerable ? NGFF_FINDING_TOLERABLE : NGFF_FINDING_INVALID, &path_spot,
                  "\"%.100s\" must be row/column, \"%.100s\"", path->valuestring, expected);
}

void judge_plate(judge *j, const cJSON *plate, const spot *at)
{
    const cJSON *rows = want(j, plate, at, "rows", FILLED_LIST, MUST);
    const cJSON *columns = want(j, plate, at, "columns", FILLED_LIST, MUST);
    const cJSON *wells = want(j, plate, at, "wells", FILLED_LIST, MUST), *well;
    const cJSON *acquisitions = want(j, plate, at, "acquisitions", LIST, MAY);
    spot rows_spot = spot_member(at, "rows"), columns_spot = spot_member(at, "columns");
    spot wells_spot = spot_member(at, "wells"), acquisitions_spot = spot_member(at, "acquisitions");
    int i = 0;
    judge_lines(j, rows, &rows_spot);
    judge_lines(j, columns, &columns_spot);
    judge_acquisitions(j, acquisitions, &acquisitions_spot);
    cJSON_ArrayForEach(well, wells)
    {
        spot here = spot_item(&wells_spot, i++);
        judge_plate_well(j, well, &here, rows, columns);
    }
    want_unique(j, wells, &wells_spot, "path");
    want(j, plate, at, "name", TEXT, SHOULD);
    want(j, plate, at, "field_count", POSITIVE, MAY);
    want_version(j, plate, at);
}

/* -- Wells ----------------------------------------------------------------------------------------------------- */

void judge_well(judge *j, const cJSON *well, const spot *at)
{
    const cJSON *image, *images = want(j, well, at, "images", FILLED_LIST, MUST);
    spot all = spot_member(at, "images");
    int i = 0;
    cJSON_ArrayForEach(image, images)
    {
        spot here = spot_item(&all, i++), path_spot = spot_member(&here, "path");
        const cJSON *path = want(j, image, &here, "path", TEXT, MUST);
        want(j, image, &here, "acquisition", WHOLE, MAY);
        if (path && j->version < 6 && !is_alphanumeric(path->valuestring))
            tell_must(j, &path_spot, "\"%.40s\" must be of letters and digits", path->valuestring);
        else if (path && j->version >= 6 && !is_node_name(path->valuestring))
            tell_must(j, &path_spot, "\"%.40s\" must be of letters, digits and . _ - and be a name", path->valuestring);
    }
    want_unique(j, images, &all, "path");
    want_version(j, well, at);
}

/* -- Lists ----------------------------------------------------------------------------------------------------- */

void judge_names(judge *j, const cJSON *names, const spot *at)
{
    const cJSON *name;
    int i = 0;
    if (!cJSON_IsArray(names))
        tell_must(j, at, "it must be a list of paths");
    cJSON_ArrayForEach(name, names)
    {
        spot here = spot_item(at, i++);
        if (!cJSON_IsString(name))
            tell_must(j, &here, "a path must be text");
    }
}

void judge_layout(judge *j, const cJSON *layout, const spot *at)
{
    if (!cJSON_IsNumber(layout) || layout->valuedouble != 3)
        tell_must(j, at, "it must be the number 3");
}
