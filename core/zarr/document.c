/* document.c: see document.h. */
#include "zarr/document.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"

document_source document_source_of(document_get get, void *user, const stored_limits *limits)
{
    document_source source = {get, user, {json_max_bytes, default_chunk_bytes}, NULL, 0};
    if (limits && limits->document_bytes > 0)
        source.limits.document_bytes = limits->document_bytes;
    if (limits && limits->chunk_bytes > 0)
        source.limits.chunk_bytes = limits->chunk_bytes;
    return source;
}

void document_close(document *d)
{
    cJSON_Delete(d->tree);
    free(d->text);
    memset(d, 0, sizeof *d);
}

/* What core itself reads of a document, Zarr's keys and NGFF's: not omero, colours of labels, copies of other documents,
 * or what others have put there, which hosts read from the text. */
static const char *const wanted_members[] = {"zarr_format",
                                             "node_type",
                                             "attributes",
                                             "shape",
                                             "data_type",
                                             "chunk_grid",
                                             "chunk_key_encoding",
                                             "fill_value",
                                             "codecs",
                                             "storage_transformers",
                                             "dtype",
                                             "chunks",
                                             "compressor",
                                             "order",
                                             "filters",
                                             "dimension_separator",
                                             "ome",
                                             "multiscales",
                                             "plate",
                                             "well",
                                             "labels",
                                             "series",
                                             "bioformats2raw.layout",
                                             "version",
                                             NULL};

json_limits document_limits(const document_source *source)
{
    enum { judging = 10 };
    size_t most = (uint64_t)source->limits.document_bytes < SIZE_MAX ? (size_t)source->limits.document_bytes : SIZE_MAX;
    json_limits limits = {most, json_max_depth, json_max_nodes, wanted_members, "; raise the option MAX_METADATA"};
    /* A higher byte limit raises the value limit in proportion. */
    if (most > json_max_bytes)
        limits.nodes = json_limits_of(most / json_max_bytes * json_max_nodes).nodes;
    if (source->is_judging) {
        limits.nodes = limits.nodes < LONG_MAX / judging ? judging * limits.nodes : LONG_MAX;
        limits.wanted = NULL;
    }
    return limits;
}

/* HTML, or XML, where a JSON object is to be. */
static int is_page(const char *text)
{
    return text[strspn(text, " \t\r\n\xEF\xBB\xBF")] == '<';
}

int32_t document_open(const document_source *source, const char *path, const char *name, document *d, error *e)
{
    size_t n = 0;
    error own = {0};
    const json_limits limits = document_limits(source);
    memset(d, 0, sizeof *d);
    snprintf(d->key, sizeof d->key, "%s%s%s", path, path[0] ? "/" : "", name);
    int32_t status = source->get(source->user, d->key, &d->text, &n, &own);
    if (status == NGFF_E_NOT_FOUND)
        return status;
    if (status < 0)
        return error_copy(e, &own) ? e->status : error_set(e, status, "%s could not be read", d->key);
    if (is_page(d->text)) {
        e->is_refusal |= e->status == NGFF_OK;
        error_set(e, NGFF_E_CORRUPT,
                  "%s is a page, not JSON: servers send one for what is not there; is the address right?", d->key);
        document_close(d);
        return e->status;
    }
    d->tree = json_parse_mended(&d->text, &n, &limits, d->key, source->told, e);
    d->whole = (json_span){d->text, n};
    if (d->tree && !cJSON_IsObject(d->tree)) {
        cJSON_Delete(d->tree);
        d->tree = NULL;
        error_set(e, NGFF_E_CORRUPT, "%s is not a JSON object", d->key);
    }
    if (d->tree)
        return NGFF_OK;
    document_close(d);
    return e->status;
}

int32_t document_probe(const document_source *source, const char *path, const char *name, document *d, error *refused,
                       error *e)
{
    error own = {0};
    int32_t status = document_open(source, path, name, d, &own);
    if (status == NGFF_OK || status == NGFF_E_NOT_FOUND)
        return status;
    if (!own.is_refusal)
        return error_copy(e, &own);
    if (refused)
        error_copy(refused, &own);
    return NGFF_E_NOT_FOUND;
}

const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

int path_is_safe(const char *path)
{
    size_t n = strlen(path);
    if (n < 1 || n > most_path || path[0] == '/' || path[n - 1] == '/')
        return 0;
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == '\\' || *p == ':' || *p == '?' || *p == '#' || *p == 0x7F)
            return 0;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return 0;
    }
    return 1;
}

const char *path_clean(const char *path, char to[most_path + 1])
{
    size_t n = 0;
    to[0] = '\0';
    if (!path || !path[0])
        return "it is no text, or empty";
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.')
            return "it does not stay below the root";
        if (length > 0 && !(length == 1 && path[0] == '.')) {
            if (n + (n > 0) + length > most_path)
                return "it is too long";
            n += (size_t)snprintf(to + n, most_path + 1 - n, "%s%.*s", n > 0 ? "/" : "", (int)length, path);
        }
        path += length + (path[length] == '/');
    }
    if (n == 0)
        return "it is the group itself";
    return path_is_safe(to) ? NULL
                            : "it has a character that is not read in paths: one of : ? # \\ or a control character";
}

const cJSON *ome_of(const cJSON *attributes, int format)
{
    const cJSON *ome = member(attributes, "ome");
    return format == ZARR_2 || !ome ? attributes : ome;
}
