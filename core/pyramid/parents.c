/* parents.c: from child to parent. A finished cell is reduced straight into each parent as far as no other child is
 * needed for it: wholly, where a cell has one parent and no margins. What straddles children is copied into the
 * parent's strips, and reduced from there when the last child has come. All of it ends in `reduce`, whose result for a
 * pixel does not depend on the box that it is part of. */
#include <stdlib.h>
#include <string.h>

#include "pyramid/cells.h"
#include "pyramid/shrink.h"

/* -- The mask plane ------------------------------------------------------------------------------------------------ */

/* All planes on t and z share one mask. Of the parts of a box that lie behind each other on these axes the first one
 * brings it, so that the mask of a box comes once. */
static int brings_mask(const cascade *cs, const box *part, const box *whole)
{
    const struct ngff_image *image = cs->plan->image;
    int is_first = image->has_mask;
    for (int i = 0; i < image->rank - 2; i++)
        is_first &= i == image->channel_axis || part->origin[i] == whole->origin[i];
    return is_first;
}

/* -- Reducing ------------------------------------------------------------------------------------------------------ */

/* How opacity is reduced: a plain mean, but without mixing where the colours are not mixed either. */
static int alpha_resampling(int resampling)
{
    return method_get(resampling)->mixes ? REDUCE_AVERAGE : resampling;
}

/* One byte per pixel of a row: 0 where the opacity is 0. A loop per size, so that each is plain loads. */
static void validity_row(const uint8_t *alpha, int64_t n, size_t size, uint8_t *mask)
{
#define ROW(bytes, type)                                                                                               \
    if (size == bytes)                                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            type opacity;                                                                                              \
            memcpy(&opacity, alpha + i * bytes, bytes);                                                                \
            mask[i] = opacity != 0;                                                                                    \
        }
    ROW(1, uint8_t)
    ROW(2, uint16_t)
    ROW(4, uint32_t)
    ROW(8, uint64_t)
#undef ROW
    for (int64_t i = 0; size == 16 && i < n; i++)
        mask[i] = memcmp(alpha + i * 16, (const uint8_t[16]){0}, 16) != 0;
}

/* Makes the validity plane from the alpha channel: one byte per pixel, 0 where it is 0. b: the box that pixels cover.
 */
void parents_make_validity(const struct ngff_image *image, const uint8_t *pixels, const int64_t *strides, const box *b,
                           uint8_t *mask, int64_t mask_row_bytes)
{
    int y = image->rank - 2, x = image->rank - 1;
    size_t size = (size_t)image->type->size;
    const uint8_t *alpha = pixels + (image->alpha - b->origin[image->channel_axis]) * strides[image->channel_axis];
    for (int64_t row = 0; row < b->extent[y]; row++)
        validity_row(alpha + row * strides[y], b->extent[x], size, mask + row * mask_row_bytes);
}

/* The result where no pixel is valid: nodata; where there is none, NaN if only NaN can have been the cause, else 0. */
static void empty_value(const struct ngff_image *image, int64_t channel, uint8_t empty[16])
{
    memset(empty, 0, 16);
    if (image->channels[channel].has_nodata)
        memcpy(empty, image->channels[channel].nodata, 16);
    else if (!image->has_mask && image->alpha < 0) {
        const dtype *type = image->type;
        int is_complex = type->class == CLASS_COMPLEX;
        float nan4 = __builtin_nanf("");
        double nan8 = __builtin_nan("");
        uint16_t nan2 = 0x7E00;
        if (type->class != CLASS_FLOAT && !is_complex)
            return;
        const void *nan = type->item_size == 2 ? (void *)&nan2 : type->item_size == 4 ? (void *)&nan4 : (void *)&nan8;
        memcpy(empty, nan, (size_t)type->item_size);
        if (is_complex)
            memcpy(empty + type->item_size, nan, (size_t)type->item_size);
    }
}

/* Reduces all channels of source (pixels and mask over source_box) into the part target_box of a cell. */
static int32_t reduce_channels(cascade *cs, int l, const uint8_t *source, const int64_t *source_strides,
                               const uint8_t *mask, int64_t mask_row_bytes, const box *source_box, cell *to,
                               const box *target_box)
{
    const struct ngff_image *image = cs->plan->image;
    const level *at = &cs->plan->levels[l];
    int rank = image->rank, y = rank - 2, x = rank - 1;
    int32_t status = NGFF_OK;
    reduction r = {.resampling = cs->plan->resampling, .type = image->type, .rank = rank};
    memcpy(r.ratio, at->ratio, sizeof r.ratio);
    memcpy(r.source_shape, cs->plan->levels[at->source].shape, sizeof r.source_shape);
    memcpy(r.source_strides, source_strides, sizeof r.source_strides);
    memcpy(r.target_strides, to->strides, sizeof r.target_strides);
    for (int64_t k = 0; status == NGFF_OK && k < cell_channel_count(cs, target_box); k++) {
        _Alignas(16) uint8_t empty[16];
        r.target_box = cell_channel_box(cs, target_box, k);
        r.source_box = cell_channel_box(cs, source_box, k);
        int64_t channel = cell_channel(cs, &r.target_box);
        int is_alpha = channel == image->alpha;
        r.source = source + strides_offset(rank, source_strides, source_box->origin, r.source_box.origin);
        r.target = to->pixels + strides_offset(rank, to->strides, to->box.origin, r.target_box.origin);
        r.resampling = is_alpha ? alpha_resampling(cs->plan->resampling) : cs->plan->resampling;
        r.nodata = image->channels[channel].has_nodata && !is_alpha ? image->channels[channel].nodata : NULL;
        r.mask = is_alpha ? NULL : mask;
        r.mask_strides[y] = mask_row_bytes;
        r.mask_strides[x] = 1;
        empty_value(image, channel, empty);
        r.empty = empty;
        status = reduce(&r);
    }
    return status;
}

/* Reduces the mask plane: valid if any pixel of the window is; by NEAREST, if the pixel is that is taken. */
static int32_t reduce_mask(cascade *cs, int l, const uint8_t *mask, int64_t row_bytes, const box *source_box, cell *to,
                           const box *target_box)
{
    static const _Alignas(16) uint8_t zero[16];
    const level *at = &cs->plan->levels[l];
    int rank = cs->plan->image->rank, y = rank - 2;
    const int64_t *source_shape = cs->plan->levels[at->source].shape;
    reduction r = {.resampling = method_get(cs->plan->resampling)->kind == METHOD_PICK ? REDUCE_NEAREST : REDUCE_MAX,
                   .type = dtype_get(NGFF_UINT8),
                   .rank = 2,
                   .ratio = {at->ratio[y], at->ratio[y + 1]},
                   .source_shape = {source_shape[y], source_shape[y + 1]},
                   .source = mask,
                   .source_strides = {row_bytes, 1},
                   .source_box = box_make(2, source_box->origin + y, source_box->extent + y),
                   .target_strides = {at->cell[y + 1], 1},
                   .target_box = box_make(2, target_box->origin + y, target_box->extent + y),
                   .empty = zero};
    r.target = to->mask + strides_offset(2, r.target_strides, to->box.origin + y, r.target_box.origin);
    return reduce(&r);
}

static int32_t reduce_into(cascade *cs, cell *to, const uint8_t *source, const int64_t *strides, const uint8_t *mask,
                           int64_t mask_row_bytes, const box *source_box, const box *target_box)
{
    int32_t status = reduce_channels(cs, to->level, source, strides, mask, mask_row_bytes, source_box, to, target_box);
    if (status == NGFF_OK && brings_mask(cs, target_box, &to->box))
        status = reduce_mask(cs, to->level, mask, mask_row_bytes, source_box, to, target_box);
    return status;
}

int32_t parents_reduce_strips(cascade *cs, cell *c, error *e)
{
    for (int i = 0; c->strips && i < c->strips->n; i++) {
        const strip *s = &c->strips->strip[i];
        int64_t mask_row = s->from.extent[s->from.rank - 1];
        uint8_t *mask, *pixels = cell_strip(cs, c, i, &mask);
        if (cs->plan->image->alpha >= 0)
            parents_make_validity(cs->plan->image, pixels, s->strides, &s->from, mask, mask_row);
        if (reduce_into(cs, c, pixels, s->strides, mask, mask_row, &s->from, &s->to) != NGFF_OK)
            return cell_out_of_memory(e, c->strips->bytes);
    }
    return NGFF_OK;
}

/* -- From child to parent ------------------------------------------------------------------------------------------ */

/* The pixels of a cell that one child decides. */
static box part_of_parent(const cascade *cs, const cell *parent, const box *child)
{
    if (parent->strips && parent->strips->is_whole)
        return (box){.rank = child->rank};
    return straddle_inside(cs->axes[parent->level], &parent->box, child);
}

/* Reduces a finished cell into a parent, as far as no other child is needed for it. */
static int32_t give_inside(cascade *cs, const cell *child, cell *parent)
{
    box part = part_of_parent(cs, parent, &child->box);
    int64_t mask_row = cell_level(cs, child)->cell[part.rank - 1];
    if (box_is_empty(&part))
        return NGFF_OK;
    return reduce_into(cs, parent, child->pixels, child->strides, child->mask, mask_row, &child->box, &part);
}

/* Copies what a strip of a parent needs of a finished cell. */
static void give_strip(cascade *cs, const cell *child, cell *parent, int i)
{
    const strip *s = &parent->strips->strip[i];
    int rank = child->box.rank, y = rank - 2;
    box part = box_intersect(&child->box, &s->from);
    if (box_is_empty(&part))
        return;
    uint8_t *mask, *pixels = cell_strip(cs, parent, i, &mask);
    pixels_copy(rank, part.extent, cs->plan->image->type->size,
                pixels + strides_offset(rank, s->strides, s->from.origin, part.origin), s->strides,
                child->pixels + strides_offset(rank, child->strides, child->box.origin, part.origin), child->strides);
    if (!brings_mask(cs, &part, &s->from))
        return;
    int64_t to[2] = {s->from.extent[y + 1], 1}, from[2] = {cell_level(cs, child)->cell[y + 1], 1};
    pixels_copy(2, part.extent + y, 1, mask + strides_offset(2, to, s->from.origin + y, part.origin + y), to,
                child->mask + strides_offset(2, from, child->box.origin + y, part.origin + y), from);
}

/* The place of a child among the children of a cell, in C order. */
static int child_number(const cascade *cs, const cell *parent, const int64_t *index)
{
    int64_t number = 0, n;
    for (int i = 0; i < parent->box.rank; i++) {
        int64_t first = cell_first_child(cs, parent, i, &n);
        number = number * n + index[i] - first;
    }
    return (int)number;
}

/* Sets a part of an array over box b, and of its mask, to what was never written. */
static void fill_part(const cascade *cs, const box *part, const box *b, uint8_t *pixels, const int64_t *strides,
                      uint8_t *mask, int64_t mask_row)
{
    static const uint8_t zero;
    int y = b->rank - 2;
    int64_t mask_strides[2] = {mask_row, 1};
    cell_fill_unwritten(cs, part, pixels + strides_offset(b->rank, strides, b->origin, part->origin), strides);
    if (mask && (brings_mask(cs, part, b) || cs->plan->image->alpha >= 0))
        pixels_fill(2, part->extent + y, 1, mask + strides_offset(2, mask_strides, b->origin + y, part->origin + y),
                    mask_strides, &zero);
}

static void fill_missing_child(cascade *cs, cell *c, const box *child)
{
    box part = part_of_parent(cs, c, child);
    if (!box_is_empty(&part))
        fill_part(cs, &part, &c->box, c->pixels, c->strides, c->mask, cell_level(cs, c)->cell[c->box.rank - 1]);
    for (int i = 0; c->strips && i < c->strips->n; i++) {
        const strip *s = &c->strips->strip[i];
        uint8_t *mask, *pixels = cell_strip(cs, c, i, &mask);
        part = box_intersect(child, &s->from);
        if (!box_is_empty(&part))
            fill_part(cs, &part, &s->from, pixels, s->strides, mask, s->from.extent[s->from.rank - 1]);
    }
}

void parents_fill_missing(cascade *cs, cell *c)
{
    for (int number = 0; number < 64; number++) {
        if (!(c->missing >> number & 1))
            continue;
        int rank = c->box.rank, rest = number;
        int64_t index[MAX_RANK];
        for (int i = rank; i-- > 0;) {
            int64_t n, first = cell_first_child(cs, c, i, &n);
            index[i] = first + rest % n;
            rest /= (int)n;
        }
        box child = cell_box(cs, cell_level(cs, c)->source, index);
        fill_missing_child(cs, c, &child);
    }
    c->missing = 0;
}

static int32_t give_to_parent(cascade *cs, const cell *child, int l, const int64_t *index, cell **finished, error *e)
{
    cell *parent = cell_touch(cs, l, index, e);
    if (!parent)
        return e->status;
    for (int i = 0; parent->strips && i < parent->strips->n; i++)
        give_strip(cs, child, parent, i);
    int32_t status = give_inside(cs, child, parent);
    uint64_t come = cell_keeps_missing(cs, parent) ? (uint64_t)1 << child_number(cs, parent, child->index) : 0;
    if (cell_count_down(cs, parent, 1, come)) {
        parent->next = *finished;
        *finished = parent;
    }
    return status == NGFF_OK ? NGFF_OK : cell_out_of_memory(e, 0);
}

/* The parents on level l whose blocks the cell touches: first to last per axis. */
static void parent_range(const cascade *cs, const cell *child, int l, int64_t *first, int64_t *last)
{
    const level *at = &cs->plan->levels[l];
    for (int i = 0; i < child->box.rank; i++) {
        int64_t step = at->cell[i] * at->ratio[i], begin = child->box.origin[i], end = begin + child->box.extent[i];
        int64_t before = cs->axes[l][i].before, after = cs->axes[l][i].after;
        /* Parent p needs [p * step - before, (p + 1) * step + after). */
        first[i] = max_i64((begin - after) >= 0 ? (begin - after) / step : 0, 0);
        last[i] = min_i64((end - 1 + before) / step, at->cell_grid[i] - 1);
    }
}

typedef int32_t (*parent_visitor)(cascade *cs, const cell *child, int l, const int64_t *index, cell **finished,
                                  error *e);

/* Visits the cells of level l that need the child and are to be made. */
static int32_t for_parents(cascade *cs, const cell *child, int l, parent_visitor visit, cell **finished, error *e)
{
    int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK] = {0};
    int rank = child->box.rank;
    parent_range(cs, child, l, first, last);
    for (int i = 0; i < rank; i++)
        if (first[i] > last[i]) /* behind the last pixel that the level has (SIZES=FLOOR) */
            return NGFF_OK;
    memcpy(index, first, sizeof *index * (size_t)rank);
    do {
        int is_wanted = !cs->host.is_wanted || cs->host.is_wanted(cs->host.user, l, index);
        box parent = cell_box(cs, l, index);
        box source = straddle_source(cs->axes[l], &parent), both = box_intersect(&source, &child->box);
        if (is_wanted && !box_is_empty(&both) && visit(cs, child, l, index, finished, e) != NGFF_OK)
            return e->status;
    } while (count_up(rank, first, last, index));
    return NGFF_OK;
}

int32_t parents_give(cascade *cs, const cell *child, int l, cell **finished, error *e)
{
    return for_parents(cs, child, l, give_to_parent, finished, e);
}

/* -- Holes --------------------------------------------------------------------------------------------------------- */

static int32_t skip_in_parent(cascade *cs, const cell *child, int l, const int64_t *index, cell **finished, error *e)
{
    cell *parent;
    int is_complete = cell_count_skipped(cs, l, index, &parent, e);
    if (is_complete == 1) {
        parent->next = *finished;
        *finished = parent;
    }
    (void)child;
    return e->status;
}

int32_t parents_skip(cascade *cs, const cell *child, int l, cell **finished, error *e)
{
    return for_parents(cs, child, l, skip_in_parent, finished, e);
}
