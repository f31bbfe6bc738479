/* memory.c: how pixels will flow through a plan: which chunks travel together as a cell, which region of level 0 is read
 * at once, and how much memory that takes. docs/guarantees.md explains the terms of the formula. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/machine.h"
#include "base/sizes.h"
#include "model/plan_parts.h"

enum { most_interleaved = 16 };
static const int64_t most_region_bytes = (int64_t)1 << 30, most_band_bytes = (int64_t)512 << 20;
static const int64_t most_edge_bytes = (int64_t)40 << 20;

/* -- Cells, order, memory ----------------------------------------------------------------------------------------- */

/* The opacity of a cell is one plane of it. */
static int32_t check_alpha(plan *p)
{
    for (int i = 0; p->image->alpha >= 0 && i < p->image->rank - 2; i++)
        for (int l = 0; i != p->image->channel_axis && l < p->n_levels; l++)
            if (p->levels[l].chunk[i] != 1 || p->levels[l].factor[i] != 1)
                return error_set(&p->error, NGFF_E_UNSUPPORTED,
                                 "an alpha channel needs a block size and factors of 1 on axis %c", p->image->dims[i]);
    return NGFF_OK;
}

static int32_t make_cells(plan *p)
{
    int c = p->image->channel_axis;
    p->group = 1;
    if (check_alpha(p) != NGFF_OK)
        return p->error.status;
    if (c >= 0) {
        int64_t chunk = p->levels[0].chunk[c];
        int64_t together = p->image->has_mask || p->image->alpha >= 0 ? p->image->n_channels : p->source_block[c];
        if (p->image->alpha < 0 && !p->image->has_mask)
            together = min_i64(together, most_interleaved);
        p->group = max_i64(chunk, ceil_div(together, chunk) * chunk);
        int64_t before = product_checked(p->levels[0].chunk, c);
        int must_share = p->image->has_mask || p->image->alpha >= 0;
        if (p->group > chunk && before != 1 && !must_share)
            p->group = chunk; /* what the source prefers is not worth a refusal */
        if (p->group > chunk && before != 1)
            return error_set(&p->error, NGFF_E_UNSUPPORTED,
                             "a mask or an alpha channel needs a block size of 1 on the axes before c");
    }
    for (int l = 0; l < p->n_levels; l++) {
        level *at = &p->levels[l];
        for (int i = 0; i < p->image->rank; i++) {
            at->cell[i] = i == c ? min_i64(p->group, at->grid[i] * at->chunk[i]) : at->chunk[i];
            at->cell_grid[i] = ceil_div(at->shape[i], at->cell[i]);
        }
    }
    return NGFF_OK;
}

/* Bytes of a buffer for pixels of this extent and their mask, as the budget counts them. */
static int64_t buffer_bytes(const plan *p, const int64_t *extent)
{
    int x = p->image->rank - 1;
    int64_t bytes = size_times(product_checked(extent, p->image->rank), p->image->type->size);
    if (p->image->has_mask || p->image->alpha >= 0)
        bytes = size_plus(bytes, size_times(extent[x], extent[x - 1]));
    return size_times(ceil_div(bytes, 64), 64);
}

/* The bytes of the strips that a cell of this level gathers from its source level, at most (pyramid/straddle.h): along
 * each boundary between source cells, as wide as the target pixels need whose windows or kernels lie on both sides. */
static int64_t strip_bytes(const plan *p, const level *at)
{
    const level *from = &p->levels[at->source];
    int64_t block[MAX_RANK], bytes = 0, reach = method_get(p->resampling)->reach;
    for (int i = 0; i < p->image->rank; i++)
        block[i] = min_i64((at->cell[i] + (at->ratio[i] > 1 ? 2 * reach : 0)) * at->ratio[i], from->shape[i]);
    for (int i = 0; i < p->image->rank; i++) {
        int64_t ratio = at->ratio[i], strip[MAX_RANK];
        if (ratio == 1 || from->cell_grid[i] == 1)
            continue;
        int64_t n_straddling = 2 * reach + (from->cell[i] % ratio != 0);
        memcpy(strip, block, sizeof strip);
        strip[i] = min_i64((n_straddling + 2 * reach) * ratio, block[i]);
        bytes = size_plus(bytes, size_times(ceil_div(block[i], from->cell[i]) + 1, buffer_bytes(p, strip)));
    }
    return min_i64(bytes, buffer_bytes(p, block));
}

int plan_is_fused(const struct ngff_plan *p, int l)
{
    const level *at = &p->levels[l];
    if (at->source < 0 || method_get(p->resampling)->kind == METHOD_KERNEL)
        return 0;
    const level *from = &p->levels[at->source];
    for (int i = 0; i < p->image->rank; i++) {
        int windows_fit = from->cell_grid[i] == 1 || from->cell[i] % at->ratio[i] == 0;
        int one_parent = at->cell_grid[i] == 1 || at->cell[i] * at->ratio[i] % from->cell[i] == 0;
        if (!windows_fit || !one_parent)
            return 0;
    }
    return 1;
}

/* The region of level 0 that is best read at once: one cell, or the cells under one block of the source where blocks
 * are larger or are rows, so that no block is decoded twice. */
static void make_region(plan *p)
{
    const level *base = &p->levels[0];
    for (int i = 0; i < p->image->rank; i++) {
        int64_t cell = base->cell[i], block = p->source_block[i], whole = base->cell_grid[i] * cell;
        p->region[i] = cell;
        if (i == p->image->channel_axis || block <= 1 || cell % block == 0)
            ;
        else if (block >= base->shape[i])
            p->region[i] = whole;
        else if (block % cell == 0)
            p->region[i] = block;
    }
}

/* Cells of a level under a region of level 0, from this axis on. */
static int64_t cells_under(const plan *p, const level *at, int axis)
{
    int64_t n = 1;
    for (int i = axis; i < p->image->rank; i++)
        n = size_times(n, ceil_div(p->region[i], size_times(at->cell[i], at->factor[i])));
    return n;
}

/* True where what comes in the order of rows completes whole cells of a level on the axes before y, so that of a region
 * only a row of them is open at once: blocks of the source do on level 0, regions above it. Planes that fill a deeper
 * cell one after the other do not. */
static int completes_rows(const plan *p, const level *at, const int64_t *come)
{
    for (int i = 0; i < p->image->rank - 2; i++) {
        int64_t span = size_times(at->cell[i], at->factor[i]);
        if (come[i] < p->levels[0].shape[i] && max_i64(come[i], 1) % span != 0)
            return 0;
    }
    return 1;
}

/* Cells of a level that a region keeps open at once. */
static int64_t open_cells(const plan *p, const level *at)
{
    const int64_t *come = at == p->levels ? p->source_block : p->region;
    int y = p->image->rank - 2;
    return cells_under(p, at, completes_rows(p, at, come) ? y + 1 : 0);
}

/* The memory of the cells of each level. Sizes that are about the same are made the same, so that cells take each
 * other's memory and none has to be returned to get another size. */
static void make_cell_bytes(plan *p)
{
    int64_t largest = 0;
    for (int l = 0; l < p->n_levels; l++) {
        level *at = &p->levels[l];
        at->cell_bytes = buffer_bytes(p, at->cell);
        if (at->source >= 0 && !plan_is_fused(p, l))
            at->cell_bytes += strip_bytes(p, at);
        largest = max_i64(largest, at->cell_bytes);
    }
    for (int l = 0; l < p->n_levels; l++)
        if (p->levels[l].cell_bytes >= largest / 2)
            p->levels[l].cell_bytes = largest;
}

/* Cells of level 0 that have been begun and may not have reached their parents yet: what readers, workers and the queue
 * hold. Each can keep one cell of every level waiting. */
static int64_t cells_under_way(const plan *p)
{
    int64_t workers = max_i64(p->n_threads - p->n_readers, 0);
    return p->n_readers + workers + (workers ? queue_depth : 0);
}

/* What waits for its children on one level: a cell for each that is under way; regions of several cells keep more open.
 */
static int64_t waiting_bytes(const plan *p, const level *at, int64_t one)
{
    int64_t open = p->region_cells > 1 ? size_times(p->n_readers, open_cells(p, at)) : 0;
    return size_times(min_i64(size_plus(cells_under_way(p), open), product_checked(at->cell_grid, p->image->rank)),
                      one);
}

/* Shards of a level that are open at once, as far as a region of several cells crosses them, and one that is stored. */
static int64_t open_shards(const plan *p, const level *at)
{
    int64_t n = 1;
    int rank = p->image->rank, y = rank - 2, is_deeper = 0;
    for (int i = 0; i < y; i++)
        is_deeper |= at->shard[i] > at->cell[i] && size_times(at->shard[i], at->factor[i]) > p->region[i];
    for (int i = is_deeper ? y : y + 1; i < rank; i++)
        n = size_times(n, ceil_div(p->region[i], size_times(at->shard[i], at->factor[i])));
    return size_plus(size_times(p->region_cells > 1 ? p->n_readers : 1, n), 1);
}

/* Where cells have margins, or do not nest in the boxes of the walk (order.c), those along the edge of the walk stay
 * open too: a row and a column of them. Beyond most_edge_bytes they are spilled, which costs little, since the edge is
 * a small part of the image. */
static int64_t edge_bytes(const plan *p, const level *at, int64_t one)
{
    int x = p->image->rank - 1;
    return min_i64(size_times(at->cell_grid[x] + at->cell_grid[x - 1], one), most_edge_bytes);
}

/* True if the cells of a level are whole boxes of the walk; walk is then the size of its box, in pixels of level 0. */
static int nests_in_walk(const plan *p, const level *at, int64_t *walk)
{
    int64_t next[MAX_RANK];
    for (int i = 0; i < p->image->rank; i++) {
        next[i] = at->cell[i] * at->factor[i];
        if (at->cell_grid[i] > 1 && walk[i] < p->levels[0].shape[i] && next[i] % walk[i] != 0)
            return 0;
        next[i] = max_i64(next[i], walk[i]);
    }
    memcpy(walk, next, sizeof next);
    return 1;
}

/* Cells of a level that one cell of its source can complete: on each axis it lies in one, or on the border of two. */
static int64_t most_parents(const plan *p, const level *at)
{
    int64_t n = 1;
    for (int i = 0; i < p->image->rank; i++)
        n *= at->ratio[i] > 1 && at->cell_grid[i] > 1 ? 2 : 1;
    return n;
}

/* Says that MEMORY had to be raised, with the number of the flow that was planned last. */
static void warn_memory(plan *p)
{
    plan_unwarn(p, "MEMORY=");
    if (p->options.memory_bytes > 0 && p->options.memory_bytes < p->memory_minimum)
        plan_warn(p, "%s: %lld bytes are too few for these blocks and threads; %lld (%lld MB) are used",
                  plan_typed(p, "MEMORY"), (long long)p->options.memory_bytes, (long long)p->memory_minimum,
                  (long long)((p->memory_minimum >> 20) + 1));
}

/* Moments per chunk, and a histogram for each channel of 8 or 16 bit that is under way: of a source that stores
 * channels together, all. */
static int64_t statistics_memory(const plan *p)
{
    const level *base = &p->levels[0];
    int rank = p->image->rank, c = p->image->channel_axis;
    int64_t moments = size_times(size_times(32, product_checked(base->grid, rank)), c < 0 ? 1 : base->chunk[c]);
    int64_t at_once = c < 0 ? 1 : min_i64(max_i64(p->group, p->source_block[c]), p->image->n_channels);
    int has_bins = p->image->type->class <= CLASS_SIGNED && p->image->type->size <= 2 && p->image->n_channels <= 256;
    return size_plus(moments, has_bins ? at_once * ((int64_t)8 << 8 * p->image->type->size) : 0);
}

/* Bits per chunk of every level and mask: whether it is stored; and per cell: whether its pixels have come, and, where a
 * run is resumed or a store changed, whether it is made and whether it is read (writer/wanted.c). */
static int64_t table_memory(const plan *p)
{
    enum { bits_of_cell = 3 };
    int64_t bits = 0;
    for (int l = 0; l < p->n_levels; l++) {
        int64_t chunks = product_checked(p->levels[l].grid, p->image->rank);
        int64_t cells = product_checked(p->levels[l].cell_grid, p->image->rank);
        bits = size_plus(bits, size_times(chunks, p->image->has_mask ? 2 : 1));
        bits = size_plus(bits, size_times(cells, bits_of_cell));
        if (p->image->has_mask) /* the checksums of pass.c */
            bits = size_plus(bits, size_times(64, product_checked(p->levels[l].grid + p->image->rank - 2, 2)));
    }
    return bits / 8;
}

/* REPORT: a digest per chunk of every level and mask, and one with the key of each object. */
static int64_t report_memory(const plan *p)
{
    enum { per_chunk = 32, per_object = 160 };
    int64_t chunks = 0;
    for (int l = 0; l < p->n_levels; l++)
        chunks = size_plus(chunks,
                           size_times(product_checked(p->levels[l].grid, p->image->rank), p->image->has_mask ? 2 : 1));
    return p->options.report ? size_plus(size_times(per_chunk, chunks), size_times(per_object, levels_count_objects(p)))
                             : 0;
}

/* memory = cells at work + cells that wait for their children + encode buffers + open shards + statistics + tables + what
 * codecs, filters and reading back a spilled cell take + what the source keeps; docs/guarantees.md explains the terms. minimum:
 * the same with all waiting cells spilled but those in the hands of a thread: one that it gives to others, and those
 * that this completes; and the least for the source. Of what lies between, the source takes first: decoding a block
 * again costs more than spilling a cell. */
static void make_memory(plan *p)
{
    const level *base = &p->levels[0];
    int rank = p->image->rank;
    int64_t chunk0 = product_checked(base->chunk, rank) * p->image->type->size;
    p->region_cells = cells_under(p, base, 0);
    int64_t more = size_times(p->n_readers, open_cells(p, base) - 1);
    int64_t at_work = size_times(size_plus(cells_under_way(p), more), base->cell_bytes);
    int64_t waiting = 0, each = 0, in_hands = 0, largest = base->cell_bytes, edge = 0, shards = 0, walk[MAX_RANK];
    memcpy(walk, base->is_sharded ? base->shard : p->region, sizeof walk);
    for (int l = 0; l < p->n_levels; l++) {
        const level *at = &p->levels[l];
        int gathers = at->source >= 0 && !plan_is_fused(p, l);
        int64_t one = at->cell_bytes;
        largest = max_i64(largest, one);
        if (l > 0) {
            int has_edge = !nests_in_walk(p, at, walk) || gathers;
            waiting = size_plus(waiting, waiting_bytes(p, at, one));
            each = size_plus(each, one);
            in_hands = max_i64(in_hands, size_times(1 + (gathers ? most_parents(p, at) : 1), one));
            edge = min_i64(edge + (has_edge ? edge_bytes(p, at, one) : 0), most_edge_bytes);
        }
        if (at->is_sharded)
            shards = size_plus(shards, size_times(size_times(open_shards(p, at), product_checked(at->shard, rank)),
                                                  p->image->type->size));
    }
    int64_t swapped = numbers_differ_in_files(p->image->type->item_size) ? chunk0 : 0;
    int64_t encode = (int64_t)(p->n_threads + p->n_readers) * (chunk0 + chunk0 / 64 + 4096 + swapped);
    int64_t rest = size_plus(size_plus(encode, shards), size_plus(largest, 4 << 20));
    rest = size_plus(size_plus(rest, statistics_memory(p)), size_plus(report_memory(p), table_memory(p)));
    int64_t machine = machine_memory();
    in_hands = size_times(in_hands, max_i64(p->n_threads, p->n_readers));
    p->pixel_least = size_plus(at_work, max_i64(each, in_hands));
    p->memory_minimum = size_plus(size_plus(p->pixel_least, rest), p->source_least);
    p->memory_needed = size_plus(size_plus(at_work, waiting), size_plus(edge, size_plus(rest, p->source_least)));
    p->memory = size_plus(p->memory_needed, p->source_wanted - p->source_least);
    if (machine > 0)
        p->memory = min_i64(p->memory, machine / 4);
    if (p->options.memory_bytes > 0)
        p->memory = p->options.memory_bytes;
    p->memory = max_i64(p->memory, p->memory_minimum);
    p->source_memory = min_i64(p->source_wanted, p->source_least + (p->memory - p->memory_minimum));
    p->pixel_memory = p->memory - rest - p->source_memory;
}

/* -- Sources of planes: each is read once, within MEMORY -----------------------------------------------------------
 */

/* Several rows of cells lie under one block of the source: planes, or large parts of them. */
static int64_t rows_of_region(const plan *p)
{
    int y = p->image->rank - 2;
    return ceil_div(p->region[y], p->levels[0].cell[y]);
}

/* Planes come one after the other, so all cells under a plane wait until the last plane of their chunks has come. Where
 * nothing says how deep chunks are, they are as deep as leaves this band within half of MEMORY. Threads and the machine
 * have no say, since chunks must not depend on them. */
static int32_t choose_depth(plan *p)
{
    int z = image_axis(p->image, 'z');
    int is_free =
        z >= 0 && plan_size_for(&p->options.blocksize, p->image, z) == 0 && p->options.shard_mode != SHARD_GIVEN;
    int64_t most = p->options.memory_bytes > 0 ? p->options.memory_bytes / 2 : most_band_bytes;
    if (levels_set_depth(p, 0) != NGFF_OK || make_cells(p) != NGFF_OK)
        return p->error.status;
    make_region(p);
    while (is_free && rows_of_region(p) > 1 && levels_block(p, z) / 2 >= max_i64(p->source_block[z], 1) &&
           !completes_rows(p, p->levels, p->source_block) && buffer_bytes(p, p->region) > most) {
        if (levels_set_depth(p, levels_block(p, z) / 2) != NGFF_OK || make_cells(p) != NGFF_OK)
            return p->error.status;
        make_region(p);
    }
    return NGFF_OK;
}

/* How often a block of the source is read, at most. */
static int64_t count_reads(const plan *p)
{
    int64_t n = 1;
    for (int i = p->image->rank - 2; i < p->image->rank; i++)
        n *= ceil_div(min_i64(p->source_block[i], p->levels[0].shape[i]), p->region[i]);
    return n;
}

/* The most cells of the region along an axis with which the memory stays within a limit, at least one. */
static int64_t most_that_fit(plan *p, int axis, int64_t most)
{
    int64_t cell = p->levels[0].cell[axis], low = 1, high = ceil_div(p->region[axis], cell);
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        p->region[axis] = middle * cell;
        make_memory(p);
        if (p->memory_needed <= most)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Where the cells under a plane are more than MEMORY holds, they are taken in as few parts as possible, and each part
 * reads the plane again: of rows of cells, then of columns. A band of at most half of MEMORY is not cut, and rows and
 * tiles of a source only where one region would be very large: there MEMORY is raised, or cells are spilled. */
static void fit_region(plan *p)
{
    static const char start[] = "each block of the source";
    const level *base = &p->levels[0];
    int rank = p->image->rank, y = rank - 2, is_cut = 0;
    int64_t machine = machine_memory();
    int64_t memory = p->options.memory_bytes > 0 ? p->options.memory_bytes : machine > 0 ? machine / 4 : INT64_MAX;
    int is_plane = p->source_block[y] >= base->shape[y] && p->source_block[y + 1] >= base->shape[y + 1] &&
                   !completes_rows(p, base, p->source_block) && buffer_bytes(p, p->region) > memory / 2;
    int64_t most = is_plane ? memory : max_i64(memory, most_region_bytes);
    char block[128], chunk[128];
    make_memory(p);
    plan_unwarn(p, start);
    int64_t needed = p->memory_needed, megabytes = (needed >> 20) + 1;
    for (int i = y; i < rank && p->memory_needed > most; i++) {
        int64_t n = ceil_div(p->region[i], base->cell[i]), fit = most_that_fit(p, i, most);
        p->region[i] = ceil_div(n, ceil_div(n, fit)) * base->cell[i];
        make_memory(p);
        is_cut |= fit < n;
    }
    if (!is_cut)
        return;
    plan_print_sizes(p->source_block, rank, block);
    plan_print_sizes(base->chunk, rank, chunk);
    plan_warn(
        p,
        "%s (%s) is read %lld times: with blocks of %s it takes %lld MB to read it once, and MEMORY is %lld MB. Give "
        "MEMORY=%lldMB, or a BLOCKSIZE of fewer planes",
        start, block, (long long)count_reads(p), chunk, (long long)megabytes, (long long)(memory >> 20),
        (long long)megabytes);
}

/* What depends on the source: cells, regions, threads, memory. */
int32_t memory_plan(plan *p)
{
    p->n_threads = p->options.n_threads > 0 ? p->options.n_threads : machine_processors();
    if (choose_depth(p) != NGFF_OK)
        return p->error.status;
    levels_list_arrays(p);
    make_cell_bytes(p);
    fit_region(p);
    warn_memory(p);
    return NGFF_OK;
}
