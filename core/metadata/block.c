/* block.c: the block "omezarr" of the root's attributes: what this library, or its host, keeps of an image and NGFF has no
 * word for. driver/gdal/ATTRIBUTES.md lists its members. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "metadata/root_parts.h"
#include "zarr/tree.h"

enum {
    most_inline_bytes = 64 << 10,  /* of one member */
    most_inline_total = 256 << 10, /* of all: the reader's caps hold for the root document */
    attribute_chunk_bytes = 1 << 20,
    most_statistics_text = 200 /* bytes of JSON per channel */
};

static void put_letter(const void *from, int64_t i, uint8_t *to)
{
    *to = (uint8_t)((const char *)from)[i];
}

/* A member too large for the root document: an array whose path GDAL's scan of the root hides. */
static int32_t put_large_member(node_writer *to, cJSON *block, const char *name, const char *json)
{
    char path[96];
    int64_t n = (int64_t)strlen(json);
    snprintf(path, sizeof path, "ovr_attributes/%s", name);
    cJSON *link = cJSON_CreateObject();
    tree_put(link, "$array", cJSON_CreateString(path), &to->is_whole);
    tree_put(block, name, link, &to->is_whole);
    /* Its dimension has its own name: GDAL has one table of them per group. */
    return node_put_line(to, path, name, dtype_get(NGFF_UINT8), n, min_i64(n, attribute_chunk_bytes),
                         cJSON_CreateObject(), put_letter, json);
}

/* A member made by the library; tree is handed over. */
static int32_t add_own_member(node_writer *to, cJSON *block, const char *name, cJSON *tree)
{
    char *text = tree && to->is_whole ? cJSON_PrintUnformatted(tree) : NULL;
    if (!text) {
        cJSON_Delete(tree);
        return error_set(to->e, NGFF_E_MEMORY, "memory is out while writing %s", name);
    }
    int32_t status = NGFF_OK;
    if (strlen(text) <= most_inline_bytes) {
        tree_put(block, name, tree, &to->is_whole);
    } else {
        status = put_large_member(to, block, name, text);
        cJSON_Delete(tree);
    }
    cJSON_free(text);
    return status;
}

static int has_nodata(const struct ngff_image *image)
{
    for (int64_t i = 0; i < image->n_channels; i++)
        if (image->channels[i].has_nodata)
            return 1;
    return 0;
}

/* Nodata per channel, null where there is none. */
static cJSON *nodata_member(const struct ngff_image *image, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel *c = &image->channels[i];
        tree_add(list, c->has_nodata ? tree_pixel(image->type, c->nodata, 1, is_whole) : cJSON_CreateNull(), is_whole);
    }
    return list;
}

static int has_statistics(const channel_summary *summaries, int64_t n)
{
    for (int64_t i = 0; summaries && i < n; i++)
        if (summaries[i].has_statistics)
            return 1;
    return 0;
}

cJSON *statistics_list(const channel_summary *summaries, int64_t n, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < n; i++) {
        const channel_summary *s = summaries ? &summaries[i] : NULL;
        if (!s || !s->has_statistics) {
            tree_add(list, cJSON_CreateNull(), is_whole);
            continue;
        }
        cJSON *entry = cJSON_CreateObject();
        tree_put(entry, "n_valid", tree_whole(s->n_valid), is_whole);
        if (s->n_valid > 0) {
            tree_put(entry, "min", tree_real(s->min), is_whole);
            tree_put(entry, "max", tree_real(s->max), is_whole);
            tree_put(entry, "mean", tree_real(s->mean), is_whole);
            tree_put(entry, "std_dev", tree_real(s->std_dev), is_whole);
        }
        tree_add(list, entry, is_whole);
    }
    return list;
}

/* The options that the store was made with, so that a change can make it again. */
static cJSON *options_member(const struct ngff_plan *plan, int *is_whole)
{
    cJSON *list = cJSON_CreateArray();
    char chosen[32 + 256] = "BLOCKSIZE=";
    for (char **typed = plan->options.typed; typed && *typed; typed++)
        if (options_is_lasting(*typed) && (plan->depth == 0 || strncmp(*typed, "BLOCK", 5) != 0))
            tree_add(list, cJSON_CreateString(*typed), is_whole);
    if (plan->depth > 0) { /* a change of the store plans the same blocks */
        plan_blocksize(plan, chosen + strlen(chosen));
        tree_add(list, cJSON_CreateString(chosen), is_whole);
    }
    return list;
}

int32_t block_add(const struct ngff_plan *plan, const channel_summary *summaries, const late_member *late, int n_late,
                  node_writer *to, cJSON *attributes)
{
    const struct ngff_image *image = plan->image;
    int *is_whole = &to->is_whole;
    cJSON *block = cJSON_CreateObject();
    size_t inline_total = 0;
    int32_t status = NGFF_OK;
    tree_put(block, "version", tree_whole(1), is_whole);
    cJSON *options = options_member(plan, is_whole);
    if (!options || cJSON_GetArraySize(options) > 0)
        tree_put(block, "options", options, is_whole);
    else
        cJSON_Delete(options);
    if (has_nodata(image))
        status = add_own_member(to, block, "nodata", nodata_member(image, is_whole));
    if (!status && has_statistics(summaries, image->n_channels))
        status = add_own_member(to, block, "statistics", statistics_list(summaries, image->n_channels, is_whole));
    int n_of_block = 0;
    for (int i = 0; i < n_late; i++)
        n_of_block += !late[i].is_ngff;
    if (n_of_block > 0 && plan->zarr_format == ZARR_2 &&
        plan->is_consolidated) /* a lost .zmetadata can be told from none */
        tree_put(block, "consolidated", cJSON_CreateTrue(), is_whole);
    for (int i = 0; i < n_late; i++)
        if (!late[i].is_ngff)
            tree_put(block, late[i].name, cJSON_CreateRaw(late[i].json), is_whole);
    for (int i = 0; i < image->n_attributes && !status; i++) {
        const attribute *a = &image->attributes[i];
        size_t n = strlen(a->json);
        if (n <= most_inline_bytes && inline_total + n <= most_inline_total) {
            inline_total += n;
            tree_put(block, a->name, cJSON_CreateRaw(a->json), is_whole);
        } else {
            status = put_large_member(to, block, a->name, a->json);
        }
    }
    if (cJSON_GetArraySize(block) > 1)
        tree_put(attributes, "omezarr", block, is_whole);
    else
        cJSON_Delete(block);
    return status;
}

int64_t block_late_count(const struct ngff_plan *plan)
{
    int64_t bytes = plan->image->n_channels * most_statistics_text;
    return bytes > most_inline_bytes ? 3 + ceil_div(bytes, attribute_chunk_bytes) : 0;
}
