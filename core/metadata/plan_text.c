/* plan_text.c: what a plan comes to, documents counted: how many objects, and the text for people. */
#include "model/plan_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "metadata/collection.h"
#include "metadata/metadata.h"

int64_t ngff_plan_object_count(const ngff_plan *p)
{
    if (p->error.status != NGFF_OK)
        return 0;
    int64_t n = size_plus(levels_count_objects(p), metadata_count(p));
    return p->prefix[0] ? size_plus(n, collection_count(p->zarr_format)) : n;
}

static void describe_codec(const plan *p, char to[64])
{
    const codec_spec *c = &p->codec;
    if (c->compress == COMPRESS_BLOSC)
        snprintf(to, 64, "blosc-%s level %d", cname_name(c->blosc_cname), c->level);
    else if (codec_row_get(c->compress)->most == 0)
        snprintf(to, 64, "%s", compress_name(c->compress));
    else
        snprintf(to, 64, "%s level %d", compress_name(c->compress), c->level);
    if (c->has_crc32c)
        snprintf(to + strlen(to), 64 - strlen(to), ", crc32c");
}

const char *ngff_plan_text(ngff_plan *p)
{
    size_t room = 1024 + 512 * (size_t)p->n_levels, n = 0;
    char codec[64], shape[128], chunk[128], shard[128], path[80];
    free(p->text);
    p->text = malloc(room);
    if (!p->text || p->error.status != NGFF_OK)
        return p->error.message;
    describe_codec(p, codec);
    n += (size_t)snprintf(p->text, room, "OME-Zarr 0.%d, layout %s, axes %s, %s, %s, levels by %s\n",
                          p->options.version, layout_name(p->options.layout), p->image->dims, p->image->type->v3, codec,
                          reduce_name(p->resampling));
    for (int l = 0; l < p->n_levels; l++) {
        const level *at = &p->levels[l];
        plan_print_sizes(at->shape, p->image->rank, shape);
        plan_print_sizes(at->chunk, p->image->rank, chunk);
        plan_print_sizes(at->shard, p->image->rank, shard);
        snprintf(path, sizeof path, "%s%s", p->prefix, at->path);
        n += (size_t)snprintf(p->text + n, room - n, "  %-20s %s, chunks of %s%s%s\n", path, shape, chunk,
                              at->is_sharded ? " in shards of " : "", at->is_sharded ? shard : "");
    }
    snprintf(p->text + n, room - n,
             "up to %lld objects, %.1f MiB of pixels before compression, at most %.1f MiB of memory, %d threads\n",
             (long long)ngff_plan_object_count(p), (double)p->raw_bytes / 1048576, (double)p->memory / 1048576,
             p->n_threads);
    return p->text;
}
