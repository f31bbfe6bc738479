/* levels.c: the level table of a plan. Each paragraph derives one column from the ones before it: factors, sources,
 * shapes, chunks, positions, paths, shards. Nothing downstream computes them again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sizes.h"
#include "model/plan_parts.h"

enum { default_block = 512, default_block_3d = 256, default_block_z = 16 };
enum { most_objects = 10000, most_shard_bytes = 32 << 20 };

/* True for the axes that levels may shrink. */
static int is_spatial(char dim)
{
    return dim == 'z' || dim == 'y' || dim == 'x';
}

/* -- Levels ------------------------------------------------------------------------------------------------------- */

/* The requested chunk extent of an axis, before it is cut to a level's shape. */
int64_t levels_block(const plan *p, int axis)
{
    int64_t given = plan_size_for(&p->options.blocksize, p->image, axis);
    int z = image_axis(p->image, 'z');
    int has_z = z >= 0 && p->image->shape[z] > 1 && p->image->alpha < 0; /* the opacity of a cell is one plane */
    char dim = p->image->dims[axis];
    if (given)
        return given;
    if (dim != 'y' && dim != 'x')
        return dim != 'z' || !has_z ? 1 : p->depth > 0 ? p->depth : default_block_z;
    return has_z ? default_block_3d : default_block;
}

/* Pixels along an axis of a level of this factor, at least one. */
static int64_t size_of_level(const plan *p, int axis, int64_t factor)
{
    int64_t n = p->image->shape[axis];
    return p->options.sizes == SIZES_FLOOR ? max_i64(n / factor, 1) : ceil_div(n, factor);
}

/* The next step of the default ladder: y and x double until they are one pixel. z keeps its planes, since many viewers ask
 * every level for the plane of level 0; if asked for, it doubles when its spacing has been caught up by theirs. Returns 0
 * when nothing can shrink any more. */
static int next_factors(const plan *p, const int64_t *factor, int64_t *next)
{
    const struct ngff_image *image = p->image;
    int x = image->rank - 1, y = image->rank - 2, z = image_axis(image, 'z'), is_smaller = 0;
    double spacing = fmin(image->scale[y] * (double)factor[y], image->scale[x] * (double)factor[x]);
    for (int i = 0; i < image->rank; i++) {
        int doubles = i == x || i == y ||
                      (i == z && p->options.is_isotropic && image->alpha < 0 &&
                       image->scale[z] * (double)factor[z] < 1.5 * spacing);
        int can_shrink = size_of_level(p, i, factor[i]) > 1;
        next[i] = doubles && can_shrink ? 2 * factor[i] : factor[i];
        is_smaller |= next[i] != factor[i];
    }
    return is_smaller;
}

static int fits_one_block(const plan *p, const int64_t *factor)
{
    for (int i = p->image->rank - 2; i < p->image->rank; i++)
        if (size_of_level(p, i, factor[i]) > levels_block(p, i))
            return 0;
    return 1;
}

static int32_t given_factors(plan *p, const size_list *list, const int64_t *before, int64_t *factor)
{
    int grows = 0;
    if (plan_check_sizes(p, "SCALE_FACTORS", list) != NGFF_OK)
        return p->error.status;
    for (int i = 0; i < p->image->rank; i++) {
        int64_t given = plan_size_for(list, p->image, i);
        factor[i] = given ? given : before[i] > 1 && list->dim[0] ? before[i] : 1;
        if (factor[i] > 1 && !is_spatial(p->image->dims[i]))
            return error_set(&p->error, NGFF_E_OPTION, "%s: axis %c is not spatial and must keep factor 1",
                             plan_typed(p, "SCALE_FACTORS"), p->image->dims[i]);
        if (factor[i] < before[i] || factor[i] > INT32_MAX)
            return error_set(&p->error, NGFF_E_OPTION,
                             "%s: factors are relative to full size and must not fall (axis %c: %lld after %lld)",
                             plan_typed(p, "SCALE_FACTORS"), p->image->dims[i], (long long)factor[i],
                             (long long)before[i]);
        grows |= factor[i] > before[i];
    }
    if (!grows)
        return error_set(
            &p->error, NGFF_E_OPTION,
            "%s: factors are relative to full size; each entry must be larger than the one before, and the first "
            "larger than 1, on some axis",
            plan_typed(p, "SCALE_FACTORS"));
    return NGFF_OK;
}

/* True if the options ask for a level l; the default is to go on until both sides fit one block. */
static int wants_level(const plan *p, int l)
{
    const options *o = &p->options;
    if (o->overviews == OVERVIEWS_NONE || l == max_levels)
        return 0;
    if (o->n_scale_factors)
        return l <= o->n_scale_factors;
    return o->overview_count >= 0 ? l <= o->overview_count : !fits_one_block(p, p->levels[l - 1].factor);
}

static int32_t make_factors(plan *p)
{
    const options *o = &p->options;
    int64_t one[MAX_RANK] = {1, 1, 1, 1, 1};
    memcpy(p->levels[0].factor, one, sizeof one);
    p->n_levels = 1;
    while (wants_level(p, p->n_levels)) {
        const int64_t *before = p->levels[p->n_levels - 1].factor;
        int64_t *factor = p->levels[p->n_levels].factor;
        if (o->n_scale_factors) {
            if (given_factors(p, &o->scale_factors[p->n_levels - 1], before, factor) != NGFF_OK)
                return p->error.status;
        } else if (!next_factors(p, before, factor))
            break;
        p->n_levels++;
    }
    if (o->n_scale_factors >= p->n_levels && o->overviews != OVERVIEWS_NONE)
        return error_set(&p->error, NGFF_E_OPTION, "SCALE_FACTORS: at most %d levels can be made", max_levels - 1);
    return NGFF_OK;
}

/* The largest earlier level whose factors divide this one's on every axis; level 0 always does. */
static void find_source(plan *p, int l)
{
    level *to = &p->levels[l];
    to->source = l == 0 ? -1 : 0;
    for (int candidate = l - 1; candidate > 0 && to->source == 0; candidate--) {
        int divides = 1;
        for (int i = 0; i < p->image->rank; i++)
            divides &= to->factor[i] % p->levels[candidate].factor[i] == 0;
        if (divides)
            to->source = candidate;
    }
    for (int i = 0; i < p->image->rank; i++)
        to->ratio[i] = l == 0 ? 1 : to->factor[i] / p->levels[to->source].factor[i];
}

static void make_chunks(plan *p, int l)
{
    level *to = &p->levels[l];
    for (int i = 0; i < p->image->rank; i++) {
        to->chunk[i] = min_i64(levels_block(p, i), to->shape[i]);
        to->grid[i] = ceil_div(to->shape[i], to->chunk[i]);
    }
}

static void make_geometry(plan *p, int l)
{
    level *to = &p->levels[l];
    for (int i = 0; i < p->image->rank; i++) {
        double f = (double)to->factor[i], s = p->image->scale[i];
        to->shape[i] = size_of_level(p, i, to->factor[i]);
        to->scale[i] = f * s;
        to->translation[i] = p->image->translation[i] + (f - 1) / 2 * s;
    }
}

int plan_is_flat(const struct ngff_plan *p)
{
    return p->options.layout == LAYOUT_FLAT || p->options.layout == LAYOUT_BIOFORMATS2RAW;
}

static void make_path(plan *p, int l)
{
    level *to = &p->levels[l];
    int x = p->image->rank - 1, y = x - 1;
    if (plan_is_flat(p))
        snprintf(to->path, sizeof to->path, "%d", l);
    else if (p->options.layout == LAYOUT_SCALES || l == 0)
        snprintf(to->path, sizeof to->path, "scale%d/image", l);
    else {
        snprintf(to->path, sizeof to->path, "ovr_%lldx/image", (long long)to->factor[x]);
        int is_taken = to->factor[x] != to->factor[y];
        for (int other = 0; other < l; other++)
            is_taken |= strcmp(p->levels[other].path, to->path) == 0;
        if (is_taken)
            snprintf(to->path, sizeof to->path, "ovr_%d_%lldx%lld/image", l, (long long)to->factor[y],
                     (long long)to->factor[x]);
    }
}

void levels_list_arrays(plan *p)
{
    p->n_arrays = p->n_levels * (p->image->has_mask ? 2 : 1);
    for (int i = 0; i < p->n_arrays; i++) {
        int is_mask = i >= p->n_levels, l = i % p->n_levels, first = is_mask ? p->image->rank - 2 : 0;
        const level *at = &p->levels[l];
        planned_array *a = &p->arrays[i];
        *a = (planned_array){.level = l,
                             .is_mask = is_mask,
                             .first_axis = first,
                             .rank = p->image->rank - first,
                             .type = is_mask ? dtype_get(NGFF_UINT8) : p->image->type,
                             .shape = at->shape + first,
                             .chunk = at->chunk + first,
                             .shard = !is_mask && at->is_sharded ? at->shard : NULL,
                             .grid = at->grid + first,
                             .codec = p->codec};
        a->codec.type_size = a->type->size;
        if (is_mask)
            snprintf(a->path, sizeof a->path, "ovr_mask/%.*s", (int)strcspn(at->path, "/"), at->path);
        else
            snprintf(a->path, sizeof a->path, "%s", at->path);
        if (!is_mask)
            memcpy(a->fill, p->fill, sizeof a->fill);
    }
}

int32_t levels_make(plan *p)
{
    if (plan_check_sizes(p, "BLOCKSIZE", &p->options.blocksize) != NGFF_OK || make_factors(p) != NGFF_OK)
        return p->error.status;
    for (int l = 0; l < p->n_levels; l++) {
        find_source(p, l);
        make_geometry(p, l);
        make_chunks(p, l);
        make_path(p, l);
    }
    int64_t chunk_pixels = product_checked(p->levels[0].chunk, p->image->rank);
    if (chunk_pixels < 0 || chunk_pixels > default_chunk_bytes / p->image->type->size)
        return error_set(&p->error, NGFF_E_OPTION,
                         "BLOCKSIZE gives chunks of more than 256 MiB, which readers refuse; choose smaller blocks");
    return NGFF_OK;
}

/* -- Shards and object counts ------------------------------------------------------------------------------------- */

/* Sets the shard of every level to so many chunks per axis, cut to the level. */
static void set_shards(plan *p, const int64_t *chunks_per_shard)
{
    for (int l = 0; l < p->n_levels; l++) {
        level *to = &p->levels[l];
        to->is_sharded = 0;
        for (int i = 0; i < p->image->rank; i++) {
            to->shard[i] = to->chunk[i] * min_i64(chunks_per_shard[i], to->grid[i]);
            to->is_sharded |= to->shard[i] > to->chunk[i];
        }
    }
}

int64_t levels_count_objects(const plan *p)
{
    int64_t n = 0;
    for (int l = 0; l < p->n_levels; l++) {
        const level *at = &p->levels[l];
        int64_t shards = 1;
        for (int i = 0; i < p->image->rank; i++)
            shards *= ceil_div(at->shape[i], at->shard[i]);
        n = size_plus(n, shards);
        if (p->image->has_mask)
            n = size_plus(n, size_times(at->grid[p->image->rank - 2], at->grid[p->image->rank - 1]));
    }
    return n;
}

static int32_t given_shards(plan *p)
{
    int64_t chunks[MAX_RANK] = {1, 1, 1, 1, 1};
    if (plan_check_sizes(p, "SHARD", &p->options.shard) != NGFF_OK)
        return p->error.status;
    for (int i = 0; i < p->image->rank; i++) {
        int64_t given = plan_size_for(&p->options.shard, p->image, i), block = p->levels[0].chunk[i];
        int64_t asked = levels_block(p, i);
        if (given && given >= asked && given % asked != 0 && given % block != 0)
            return error_set(
                &p->error, NGFF_E_OPTION, "SHARD=%lld for axis %c is not a multiple of the block size %lld; use %lld",
                (long long)given, p->image->dims[i], (long long)asked, (long long)(ceil_div(given, asked) * asked));
        chunks[i] = !given ? 1 : given < asked ? given : given % asked == 0 ? given / asked : given / block;
    }
    set_shards(p, chunks);
    int64_t in_one = 1;
    for (int i = 0; i < p->image->rank; i++)
        in_one = size_times(in_one, p->levels[0].shard[i] / p->levels[0].chunk[i]);
    if (in_one > most_shard_chunks)
        return error_set(
            &p->error, NGFF_E_OPTION,
            "%s puts %lld chunks into one shard; readers take at most %d, so choose a smaller SHARD or a larger "
            "BLOCKSIZE",
            plan_typed(p, "SHARD"), (long long)in_one, most_shard_chunks);
    return NGFF_OK;
}

/* Twice as many chunks in a shard: along y and x, and where it has all of these along z, c, then t. False: it has all.
 */
static int grow_shards(const plan *p, int64_t *chunks)
{
    const int64_t *grid = p->levels[0].grid;
    int y = p->image->rank - 2, axis = y - 1;
    if (chunks[y] < grid[y] || chunks[y + 1] < grid[y + 1]) {
        chunks[y + 1] = chunks[y] *= 2;
        return 1;
    }
    while (axis >= 0 && chunks[axis] >= grid[axis])
        axis--;
    if (axis < 0)
        return 0;
    chunks[axis] *= 2;
    return 1;
}

static const char many_objects[] = "the store will have up to";

/* The smallest power-of-two shard that keeps the store under most_objects, at most most_shard_bytes. */
int32_t levels_make_shards(plan *p)
{
    int64_t chunks[MAX_RANK] = {1, 1, 1, 1, 1}, more[MAX_RANK] = {1, 1, 1, 1, 1};
    int rank = p->image->rank;
    if (p->options.shard_mode == SHARD_GIVEN)
        return given_shards(p);
    set_shards(p, chunks);
    if (p->options.shard_mode == SHARD_AUTO && p->options.version != VERSION_04)
        while (levels_count_objects(p) > most_objects && grow_shards(p, more)) {
            set_shards(p, more);
            if (size_times(product_checked(p->levels[0].shard, rank), p->image->type->size) > most_shard_bytes) {
                set_shards(p, chunks);
                break;
            }
            memcpy(chunks, more, sizeof chunks);
        }
    int64_t n = levels_count_objects(p);
    plan_unwarn(p, many_objects);
    if (n > most_objects && p->options.shard_mode == SHARD_AUTO)
        plan_warn(p, "%s %lld objects; %s", many_objects, (long long)n,
                  p->options.version == VERSION_04 ? "NGFF_VERSION=0.5 can put many chunks into one shard"
                                                   : "a larger SHARD or BLOCKSIZE makes fewer");
    return NGFF_OK;
}

int32_t levels_set_depth(plan *p, int64_t depth)
{
    if (p->depth == depth)
        return NGFF_OK;
    p->depth = depth;
    for (int l = 0; l < p->n_levels; l++)
        make_chunks(p, l);
    return levels_make_shards(p);
}

const char *ngff_sizes_by(int32_t rank, const int64_t *whole, const int64_t *at, const int64_t *factor)
{
    for (int i = 0; i < rank; i++)
        if (at[i] < ceil_div(whole[i], factor[i]))
            return "FLOOR";
    return "CEIL";
}
