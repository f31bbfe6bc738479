/* report_text.c: see report_text.h. There is no time and no machine in it: the same run gives the same text. */
#include "metadata/report_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "metadata/root_parts.h"
#include "zarr/tree.h"

/* A path without the name and password of a URL, and without the query of a /vsi one, which may be a signature. */
static cJSON *public_path(const char *path)
{
    char *copy = strdup(path), *scheme = copy ? strstr(copy, "://") : NULL;
    if (scheme) {
        char *host = scheme + 3, *at = memchr(host, '@', strcspn(host, "/"));
        if (at)
            memmove(host, at + 1, strlen(at + 1) + 1);
    }
    if (copy && strstr(copy, "/vsi"))
        copy[strcspn(copy, "?")] = '\0';
    cJSON *text = copy ? cJSON_CreateString(copy) : NULL;
    free(copy);
    return text;
}

static cJSON *options_given(const options *o, int *ok)
{
    cJSON *list = cJSON_CreateArray();
    for (char **typed = o->typed; typed && *typed; typed++)
        tree_add(list, strncmp(*typed, "REPORT=", 7) == 0 ? public_path(*typed) : cJSON_CreateString(*typed), ok);
    return list;
}

static cJSON *codec_of(const codec_spec *codec, int *ok)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "name", cJSON_CreateString(compress_name(codec->compress)), ok);
    if (codec_row_get(codec->compress)->most > 0)
        tree_put(object, "level", tree_whole(codec->level), ok);
    if (codec->compress == COMPRESS_BLOSC) {
        tree_put(object, "cname", cJSON_CreateString(cname_name(codec->blosc_cname)), ok);
        tree_put(object, "shuffle", cJSON_CreateString(shuffle_name(codec->blosc_shuffle)), ok);
    }
    if (codec->compress == COMPRESS_ZSTD)
        tree_put(object, "checksum", cJSON_CreateBool(codec->zstd_checksum), ok);
    if (codec->has_crc32c)
        tree_put(object, "crc32c", cJSON_CreateTrue(), ok);
    return object;
}

static cJSON *path_below_root(const struct ngff_plan *plan, const char *path)
{
    char full[sizeof plan->prefix + 64];
    snprintf(full, sizeof full, "%s%s", plan->prefix, path);
    return cJSON_CreateString(full);
}

static cJSON *planned_level(const struct ngff_plan *plan, int l, int *ok)
{
    const level *at = &plan->levels[l];
    int rank = plan->image->rank;
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "path", path_below_root(plan, at->path), ok);
    tree_put(object, "shape", tree_wholes(at->shape, rank, ok), ok);
    tree_put(object, "chunk", tree_wholes(at->chunk, rank, ok), ok);
    tree_put(object, "shard", at->is_sharded ? tree_wholes(at->shard, rank, ok) : cJSON_CreateNull(), ok);
    tree_put(object, "factor", tree_wholes(at->factor, rank, ok), ok);
    tree_put(object, "scale", tree_reals(at->scale, rank, ok), ok);
    tree_put(object, "translation", tree_reals(at->translation, rank, ok), ok);
    return object;
}

static cJSON *planned(const struct ngff_plan *plan, int *ok)
{
    cJSON *object = cJSON_CreateObject(), *levels = cJSON_CreateArray();
    char version[8];
    snprintf(version, sizeof version, "0.%d", plan->options.version);
    for (int l = 0; l < plan->n_levels; l++)
        tree_add(levels, planned_level(plan, l, ok), ok);
    tree_put(object, "ngff_version", cJSON_CreateString(version), ok);
    tree_put(object, "layout", cJSON_CreateString(layout_name(plan->options.layout)), ok);
    tree_put(object, "axes", cJSON_CreateString(plan->image->dims), ok);
    tree_put(object, "data_type", cJSON_CreateString(plan->image->type->v3), ok);
    tree_put(object, "fill_value", tree_pixel(plan->image->type, plan->fill, 0, ok), ok);
    tree_put(object, "codec", codec_of(&plan->codec, ok), ok);
    tree_put(object, "resampling", cJSON_CreateString(reduce_name(plan->resampling)), ok);
    tree_put(object, "levels", levels, ok);
    return object;
}

/* Calls put for every array, levels first, then masks. */
static cJSON *list_arrays(const struct ngff_plan *plan, const run_report *run,
                          void (*put)(cJSON *, const array_report *, int64_t raw_bytes, int *), int *ok)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->n_arrays; i++) {
        const planned_array *a = &plan->arrays[i];
        cJSON *object = cJSON_CreateObject();
        tree_put(object, "path", path_below_root(plan, a->path), ok);
        put(object, &run->arrays[i], size_times(product_checked(a->shape, a->rank), a->type->size), ok);
        tree_add(list, object, ok);
    }
    return list;
}

static void put_counts(cJSON *object, const array_report *array, int64_t raw_bytes, int *ok)
{
    tree_put(object, "stored_chunks", tree_whole(array->n_stored), ok);
    tree_put(object, "empty_chunks", tree_whole(array->n_chunks - array->n_stored), ok);
    tree_put(object, "bytes", tree_whole(array->bytes), ok);
    tree_put(object, "raw_bytes", tree_whole(raw_bytes), ok);
}

static void put_digest(cJSON *object, const array_report *array, int64_t raw_bytes, int *ok)
{
    (void)raw_bytes;
    tree_put(object, "sha256", cJSON_CreateString(array->pixels), ok);
}

static cJSON *counts(const struct ngff_plan *plan, const run_report *run, int *ok)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "objects", tree_whole(run->n_objects), ok);
    tree_put(object, "bytes", tree_whole(run->bytes), ok);
    tree_put(object, "raw_bytes", tree_whole(plan->raw_bytes), ok);
    tree_put(object, "arrays", list_arrays(plan, run, put_counts, ok), ok);
    return object;
}

static cJSON *digest(const char *text, int *ok)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "sha256", cJSON_CreateString(text), ok);
    return object;
}

char *report_text(const struct ngff_plan *plan, const run_report *run)
{
    cJSON *root = cJSON_CreateObject();
    char writer[64];
    int ok = 1;
    snprintf(writer, sizeof writer, "libngff %s", ngff_version());
    tree_put(root, "omezarr_report", tree_whole(1), &ok);
    tree_put(root, "writer", cJSON_CreateString(writer), &ok);
    tree_put(root, "store", run->store ? public_path(run->store) : cJSON_CreateNull(), &ok);
    tree_put(root, "options", options_given(&plan->options, &ok), &ok);
    tree_put(root, "plan", planned(plan, &ok), &ok);
    tree_put(root, "counts", counts(plan, run, &ok), &ok);
    tree_put(root, "pixels", list_arrays(plan, run, put_digest, &ok), &ok);
    tree_put(root, "tree", digest(run->tree, &ok), &ok);
    tree_put(root, "statistics", statistics_list(run->statistics, plan->image->n_channels, &ok), &ok);
    tree_put(root, "not_kept", tree_texts((const char *const *)plan->losses, plan->n_losses, &ok), &ok);
    tree_put(root, "warnings", tree_texts((const char *const *)plan->warnings, plan->n_warnings, &ok), &ok);
    char *printed = ok ? cJSON_Print(root) : NULL, *text = printed ? strdup(printed) : NULL;
    cJSON_free(printed);
    cJSON_Delete(root);
    return text;
}
