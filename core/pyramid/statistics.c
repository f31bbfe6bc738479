/* statistics.c: see statistics.h.
 *
 * Moments of floating-point numbers depend on their order, so every chunk of level 0 keeps its own, and these are
 * joined in index order at the end; minimum, maximum, count and the whole sums of integers do not care. The display
 * range (2 % to 98 %) comes from a histogram of level 0 for 8- and 16-bit integers: of all pixels up to 2^25 in a
 * channel, of every n-th row beyond (counting all of them would cost a fifth of the whole run; WINDOW=PERCENTILE asks
 * for it); for other types from the sorted valid pixels of the smallest level that has at least 65,536 of them (an
 * even sample, where that level is much larger). Pixels that nobody wrote count as what they read as: zero, where that
 * is a valid value. */
#include "pyramid/statistics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "pyramid/tally.h"

enum { most_windows = 256, enough_pixels = 65536, most_sorted = 1 << 20 };
static const int64_t most_counted_pixels = (int64_t)1 << 25;
static const double low_share = 0.02, high_share = 0.98;

typedef struct {
    pthread_mutex_t lock;
    tally total;         /* without the moments of floating-point pixels */
    int64_t n_seen;      /* pixels of level 0 that have come, valid or not */
    int64_t n_left_out;  /* pixels that will not come, and whose moments are in the parts */
    int64_t own_left;    /* pixels for the histogram still to come from this channel */
    uint64_t *bins;      /* while the histogram is being filled */
    int64_t bins_left;   /* pixels still to come from all channels that share it */
    int has_percentiles; /* low and high are known */
    int is_unread;       /* they could not be read */
    double low, high;
} channel_state;

struct statistics {
    const struct ngff_plan *plan;
    int wants_tally, wants_windows;
    const channel_summary *before; /* NULL: all pixels come, or are known not to */
    int64_t row_step;              /* every so manieth row goes into the histogram; 0: there is none */
    int64_t n_channels;
    channel_state *channels;
    moments *parts; /* floating-point pixels: per chunk of level 0 and channel in it; else NULL */
    channel_summary *summaries;
};

/* The channel whose histogram a channel shares: red, green and blue have one window. */
static int64_t window_owner(const struct ngff_plan *plan, int64_t k)
{
    return plan->image->kind == NGFF_KIND_RGB && k < 3 && plan->image->n_channels >= 3 ? 0 : k;
}

static int is_integer(const dtype *type)
{
    return type->class == CLASS_UNSIGNED || type->class == CLASS_SIGNED;
}

/* Channels whose range the pixels decide. */
static int needs_percentiles(const struct ngff_plan *plan, int64_t k)
{
    const struct ngff_image *image = plan->image;
    int mode = plan->options.window_mode;
    if (image->channels[k].has_window || k == image->alpha)
        return 0;
    if (mode == WINDOW_AUTO)
        return !(image->kind == NGFF_KIND_RGB && k < 3 && image->type->data_type == NGFF_UINT8);
    return mode == WINDOW_PERCENTILE;
}

int statistics_make_windows(const struct ngff_plan *plan)
{
    const struct ngff_image *image = plan->image;
    int have_windows = image->type->class != CLASS_COMPLEX && image->n_channels <= most_windows;
    int from_pixels = image->type->size > 1; /* the limits are */
    for (int64_t k = 0; k < image->n_channels && !from_pixels; k++)
        from_pixels = needs_percentiles(plan, k) ||
                      (plan->options.window_mode == WINDOW_MINMAX && !image->channels[k].has_window);
    return have_windows && from_pixels;
}

/* True if any channel that shares the window of this one needs its pixels. */
static int shares_percentiles(const struct ngff_plan *plan, int64_t owner)
{
    for (int64_t k = owner; k < plan->image->n_channels && k < owner + 3; k++)
        if (window_owner(plan, k) == owner && needs_percentiles(plan, k))
            return 1;
    return 0;
}

static int64_t channel_pixels(const struct ngff_plan *plan, int l)
{
    int64_t n = 1;
    for (int i = 0; i < plan->image->rank; i++)
        n *= i == plan->image->channel_axis ? 1 : plan->levels[l].shape[i];
    return n;
}

/* Rows of one channel at level 0, over all t and z. */
static int64_t channel_rows(const struct ngff_plan *plan)
{
    return channel_pixels(plan, 0) / plan->levels[0].shape[plan->image->rank - 1];
}

/* Odd, so that the rows of chunks, of source blocks and of sensors that repeat by twos are all met. */
static int64_t choose_row_step(const struct ngff_plan *plan)
{
    if (!is_integer(plan->image->type) || plan->image->type->size > 2)
        return 0;
    if (plan->options.window_mode == WINDOW_PERCENTILE || channel_pixels(plan, 0) <= most_counted_pixels)
        return 1;
    return ceil_div(channel_pixels(plan, 0), most_counted_pixels) | 1;
}

/* Pixels of a channel that go into its histogram. */
static int64_t histogram_pixels(const statistics *s, int64_t k)
{
    const struct ngff_plan *plan = s->plan;
    return s->row_step > 0 && needs_percentiles(plan, k)
               ? ceil_div(channel_rows(plan), s->row_step) * plan->levels[0].shape[plan->image->rank - 1]
               : 0;
}

static int64_t parts_count(const struct ngff_plan *plan)
{
    if (plan->image->type->class != CLASS_FLOAT)
        return 0;
    const level *base = &plan->levels[0];
    int c = plan->image->channel_axis;
    return product_checked(base->grid, plan->image->rank) * (c < 0 ? 1 : base->chunk[c]);
}

statistics *statistics_create(const struct ngff_plan *plan)
{
    statistics *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    int is_real = plan->image->type->class != CLASS_COMPLEX;
    s->plan = plan;
    s->n_channels = plan->image->n_channels;
    s->wants_windows = is_real && s->n_channels <= most_windows;
    s->wants_tally = is_real && (plan->options.statistics != TRI_NO || s->wants_windows);
    s->row_step = s->wants_windows ? choose_row_step(plan) : 0;
    s->channels = memory_zeroed(s->n_channels, sizeof *s->channels);
    s->summaries = memory_zeroed(s->n_channels, sizeof *s->summaries);
    s->parts = parts_count(plan) > 0 ? memory_zeroed(parts_count(plan), sizeof *s->parts) : NULL;
    if (!s->channels || !s->summaries || (parts_count(plan) > 0 && !s->parts)) {
        statistics_free(s);
        return NULL;
    }
    for (int64_t k = 0; k < s->n_channels; k++) {
        pthread_mutex_init(&s->channels[k].lock, NULL);
        s->channels[k].own_left = histogram_pixels(s, k);
        s->channels[window_owner(plan, k)].bins_left += s->channels[k].own_left;
    }
    return s;
}

void statistics_stay_partial(statistics *s, const channel_summary *before)
{
    s->before = before;
    s->row_step = 0;
    for (int64_t k = 0; k < s->n_channels; k++) {
        free(s->channels[k].bins);
        s->channels[k].bins = NULL;
        s->channels[k].has_percentiles = 0;
    }
}

void statistics_free(statistics *s)
{
    if (!s)
        return;
    for (int64_t k = 0; s->channels && k < s->n_channels; k++) {
        free(s->channels[k].bins);
        pthread_mutex_destroy(&s->channels[k].lock);
    }
    free(s->channels);
    free(s->summaries);
    free(s->parts);
    free(s);
}

/* -- Cells pass ---------------------------------------------------------------------------------------------------- */

/* One y, x plane of one channel of a cell. */
typedef struct {
    const uint8_t *pixels, *mask;
    const void *nodata;
    int64_t rows, columns, row_bytes, mask_row_bytes;
} plane;

static plane plane_of(const struct ngff_plan *plan, const cell *c, int64_t k, int64_t t, int64_t z)
{
    const struct ngff_image *image = plan->image;
    int rank = image->rank, channel_axis = image->channel_axis;
    int t_axis = image_axis(image, 't'), z_axis = image_axis(image, 'z');
    int64_t number = channel_axis < 0 ? 0 : c->box.origin[channel_axis] + k;
    int64_t offset = channel_axis < 0 ? 0 : k * c->strides[channel_axis];
    offset += (t_axis < 0 ? 0 : t * c->strides[t_axis]) + (z_axis < 0 ? 0 : z * c->strides[z_axis]);
    plane p = {.pixels = c->pixels + offset,
               .mask = number == image->alpha ? NULL : c->mask,
               .nodata = image->channels[number].has_nodata ? image->channels[number].nodata : NULL,
               .rows = c->box.extent[rank - 2],
               .columns = c->box.extent[rank - 1],
               .row_bytes = c->strides[rank - 2],
               .mask_row_bytes = plan->levels[c->level].cell[rank - 1]};
    return p;
}

/* Where the moments of channel k of a cell of level 0 (its box) are kept. */
static moments *part_of(statistics *s, const cell *c, int64_t k)
{
    const level *base = &s->plan->levels[0];
    int channel_axis = s->plan->image->channel_axis;
    int64_t ordinal = 0, within = 0, chunk = 1;
    for (int i = 0; i < s->plan->image->rank; i++) {
        int64_t at = c->box.origin[i] + (i == channel_axis ? k : 0);
        ordinal = ordinal * base->grid[i] + at / base->chunk[i];
        if (i == channel_axis) {
            within = at % base->chunk[i];
            chunk = base->chunk[i];
        }
    }
    return &s->parts[ordinal * chunk + within];
}

static int64_t extent_of(const struct ngff_plan *plan, const cell *c, char dim)
{
    int axis = image_axis(plan->image, dim);
    return axis < 0 ? 1 : c->box.extent[axis];
}

static void add_tally(statistics *s, const cell *c, int64_t k, int64_t number)
{
    const dtype *type = s->plan->image->type;
    tally t = {0};
    int64_t n_seen = 0;
    for (int64_t frame = 0; frame < extent_of(s->plan, c, 't'); frame++)
        for (int64_t z = 0; z < extent_of(s->plan, c, 'z'); z++) {
            plane p = plane_of(s->plan, c, k, frame, z);
            tally_scan(&t, type, p.pixels, p.rows, p.columns, p.row_bytes, p.nodata, p.mask, p.mask_row_bytes);
            n_seen += p.rows * p.columns;
        }
    if (s->parts)
        *part_of(s, c, k) = t.moments;
    t.moments = (moments){0};
    pthread_mutex_lock(&s->channels[number].lock);
    tally_merge(&s->channels[number].total, type, &t);
    s->channels[number].n_seen += n_seen;
    pthread_mutex_unlock(&s->channels[number].lock);
}

/* The histogram is complete: keep its two percentiles and let it go. The lock is held. */
static void close_histogram(statistics *s, channel_state *owner)
{
    const dtype *type = s->plan->image->type;
    uint64_t n = 0;
    for (int64_t i = 0; i < (int64_t)1 << (8 * type->size); i++)
        n += owner->bins[i];
    owner->has_percentiles = n > 0;
    if (n > 0) {
        owner->low = histogram_percentile(owner->bins, type, low_share);
        owner->high = histogram_percentile(owner->bins, type, high_share);
    }
    free(owner->bins);
    owner->bins = NULL;
}

static int32_t make_bins(channel_state *owner, const dtype *type, error *e)
{
    if (!owner->bins)
        owner->bins = calloc((size_t)1 << (8 * type->size), sizeof *owner->bins);
    return owner->bins ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory for the histogram of a channel");
}

/* Only every row_step-th row of the channel, counted over t, z and y; the plane is at t and z of the cell. */
static void thin_out(const statistics *s, const cell *c, int64_t t, int64_t z, plane *p)
{
    const struct ngff_image *image = s->plan->image;
    const int64_t *shape = s->plan->levels[0].shape;
    int t_axis = image_axis(image, 't'), z_axis = image_axis(image, 'z'), y_axis = image->rank - 2;
    int64_t row = t_axis < 0 ? 0 : c->box.origin[t_axis] + t;
    if (z_axis >= 0)
        row = row * shape[z_axis] + c->box.origin[z_axis] + z;
    row = row * shape[y_axis] + c->box.origin[y_axis];
    int64_t first = min_i64(ceil_div(row, s->row_step) * s->row_step - row, p->rows);
    p->pixels += first * p->row_bytes;
    p->mask = p->mask ? p->mask + first * p->mask_row_bytes : NULL;
    p->rows = ceil_div(p->rows - first, s->row_step);
    p->row_bytes *= s->row_step;
    p->mask_row_bytes *= s->row_step;
}

static int32_t add_histogram(statistics *s, const cell *c, int64_t k, int64_t number, error *e)
{
    const dtype *type = s->plan->image->type;
    channel_state *owner = &s->channels[window_owner(s->plan, number)];
    pthread_mutex_lock(&owner->lock);
    int32_t status = make_bins(owner, type, e);
    for (int64_t frame = 0; status == NGFF_OK && frame < extent_of(s->plan, c, 't'); frame++)
        for (int64_t z = 0; z < extent_of(s->plan, c, 'z'); z++) {
            plane p = plane_of(s->plan, c, k, frame, z);
            thin_out(s, c, frame, z, &p);
            histogram_scan(owner->bins, type, p.pixels, p.rows, p.columns, p.row_bytes, p.nodata, p.mask,
                           p.mask_row_bytes);
            s->channels[number].own_left -= p.rows * p.columns;
            owner->bins_left -= p.rows * p.columns;
        }
    if (status == NGFF_OK && owner->bins_left == 0)
        close_histogram(s, owner);
    pthread_mutex_unlock(&owner->lock);
    return status;
}

int32_t statistics_add(statistics *s, const cell *c, error *e)
{
    int channel_axis = s->plan->image->channel_axis;
    int64_t n = channel_axis < 0 ? 1 : c->box.extent[channel_axis];
    for (int64_t k = 0; k < n; k++) {
        int64_t number = channel_axis < 0 ? 0 : c->box.origin[channel_axis] + k;
        if (c->level == 0 && s->wants_tally)
            add_tally(s, c, k, number);
        if (c->level == 0 && s->row_step > 0 && needs_percentiles(s->plan, number) &&
            add_histogram(s, c, k, number, e) != NGFF_OK)
            return e->status;
    }
    return NGFF_OK;
}

/* -- Windows of wide types: sorted values of a small level ----------------------------------------------------------
 */

typedef struct {
    double *values;
    int64_t n, room;
    int64_t step, skip; /* every step-th pixel; so many to leave out first */
} value_list;

/* A chunk that was read back, and what says which of its pixels count. */
typedef struct {
    uint8_t *pixels;
    uint8_t *mask;  /* y, x plane, or NULL */
    uint8_t *alpha; /* the chunk with the opacity of the same place, or NULL */
} chunk_read;

/* One row of a channel in a chunk. Pixels with opacity 0 (a mask byte or a pixel of alpha) do not count. */
typedef struct {
    const uint8_t *pixels, *opacity; /* opacity: or NULL */
    int64_t n, opacity_size;
} chunk_row;

/* Appends the valid ones of a row; of a large level only every step-th. */
static int32_t append_valid(value_list *list, const struct ngff_image *image, const chunk_row *row, int64_t number,
                            error *e)
{
    static const uint8_t zero[16];
    const channel *about = &image->channels[number];
    int64_t size = image->type->size;
    if (list->n + row->n > list->room) {
        int64_t room = 2 * (list->n + row->n);
        double *more = realloc(list->values, (size_t)room * sizeof *more);
        if (!more)
            return error_set(e, NGFF_E_MEMORY, "out of memory for the values of a channel");
        list->values = more;
        list->room = room;
    }
    for (; list->skip < row->n; list->skip += list->step) {
        const uint8_t *pixel = row->pixels + list->skip * size;
        double value = dtype_to_double(image->type->data_type, pixel);
        int is_nodata = about->has_nodata && memcmp(pixel, about->nodata, (size_t)size) == 0;
        int is_hidden =
            row->opacity && memcmp(row->opacity + list->skip * row->opacity_size, zero, (size_t)row->opacity_size) == 0;
        if (isfinite(value) && !is_nodata && !is_hidden)
            list->values[list->n++] = value;
    }
    list->skip -= row->n;
    return NGFF_OK;
}

/* Where the row of a chunk at a position starts that also has the opacity: a row of the mask, or of channel alpha. */
static void find_opacity(const struct ngff_plan *plan, const level *at, const chunk_read *chunk, const int64_t *strides,
                         const int64_t *position, chunk_row *row)
{
    int rank = plan->image->rank, c = plan->image->channel_axis;
    int64_t zero[MAX_RANK] = {0}, place[MAX_RANK];
    if (chunk->mask) {
        row->opacity = chunk->mask + position[rank - 2] * at->chunk[rank - 1];
        row->opacity_size = 1;
    } else if (chunk->alpha) {
        memcpy(place, position, sizeof place);
        place[c] = plan->image->alpha % at->chunk[c];
        row->opacity = chunk->alpha + strides_offset(rank, strides, zero, place);
        row->opacity_size = plan->image->type->size;
    }
}

/* Appends the valid pixels of one channel in one chunk. */
static int32_t append_chunk(statistics *s, int l, const int64_t *index, int64_t number, const chunk_read *chunk,
                            value_list *list, error *e)
{
    const struct ngff_image *image = s->plan->image;
    const level *at = &s->plan->levels[l];
    int rank = image->rank;
    int64_t strides[MAX_RANK], position[MAX_RANK] = {0}, extent[MAX_RANK];
    strides_dense(rank, at->chunk, image->type->size, strides);
    for (int i = 0; i < rank; i++)
        extent[i] = min_i64(at->chunk[i], at->shape[i] - index[i] * at->chunk[i]);
    if (image->channel_axis >= 0) {
        position[image->channel_axis] = number % at->chunk[image->channel_axis];
        extent[image->channel_axis] = position[image->channel_axis] + 1;
    }
    int64_t start[MAX_RANK], zero[MAX_RANK] = {0};
    memcpy(start, position, sizeof start);
    for (;;) {
        chunk_row row = {chunk->pixels + strides_offset(rank, strides, zero, position), NULL, extent[rank - 1], 0};
        find_opacity(s->plan, at, chunk, strides, position, &row);
        if (append_valid(list, image, &row, number, e) != NGFF_OK)
            return e->status;
        int i = rank - 2;
        for (; i >= 0 && ++position[i] >= extent[i]; i--)
            position[i] = start[i];
        if (i < 0)
            return NGFF_OK;
    }
}

static int32_t read_chunk(statistics *s, int l, int64_t *index, int64_t number, const chunk_source *from,
                          chunk_read *chunk, error *e)
{
    const struct ngff_image *image = s->plan->image;
    int c = image->channel_axis;
    if (chunk->alpha) {
        index[c] = image->alpha / s->plan->levels[l].chunk[c];
        if (from->chunk(from->user, l, index, chunk->alpha, e) != NGFF_OK)
            return e->status;
    }
    if (c >= 0)
        index[c] = number / s->plan->levels[l].chunk[c];
    if (chunk->mask && from->mask(from->user, l, index, chunk->mask, e) != NGFF_OK)
        return e->status;
    return from->chunk(from->user, l, index, chunk->pixels, e);
}

static int32_t collect_level(statistics *s, int l, int64_t number, const chunk_source *from, chunk_read *chunk,
                             value_list *list, error *e)
{
    const level *at = &s->plan->levels[l];
    int rank = s->plan->image->rank, c = s->plan->image->channel_axis, i;
    int64_t index[MAX_RANK] = {0};
    do {
        if (read_chunk(s, l, index, number, from, chunk, e) != NGFF_OK ||
            append_chunk(s, l, index, number, chunk, list, e) != NGFF_OK)
            return e->status;
        for (i = rank - 1; i >= 0; i--) {
            if (i == c)
                continue;
            if (++index[i] < at->grid[i])
                break;
            index[i] = 0;
        }
    } while (i >= 0);
    return NGFF_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The valid pixels of level l in all channels that share a window with `owner`. */
static int32_t collect_shared(statistics *s, int l, int64_t owner, const chunk_source *from, chunk_read *chunk,
                              value_list *list, error *e)
{
    const struct ngff_plan *plan = s->plan;
    list->n = list->skip = 0;
    list->step = ceil_div(channel_pixels(plan, l), most_sorted / 3) | 1; /* odd: it meets every column of a chunk */
    for (int64_t k = owner; k < s->n_channels && k < owner + 3; k++)
        if (window_owner(plan, k) == owner && needs_percentiles(plan, k) &&
            collect_level(s, l, k, from, chunk, list, e) != NGFF_OK)
            return e->status;
    return NGFF_OK;
}

/* The percentiles of the channels that share a window with `owner`, from the smallest level with enough pixels. */
static int32_t sorted_window(statistics *s, int64_t owner, const chunk_source *from, error *e)
{
    const struct ngff_plan *plan = s->plan;
    int64_t n = product_checked(plan->levels[0].chunk, plan->image->rank), size = plan->image->type->size;
    const int64_t *plane = plan->levels[0].chunk + plan->image->rank - 2;
    chunk_read chunk = {.pixels = memory_take(n, size),
                        .mask = plan->image->has_mask ? memory_take(plane[0], plane[1]) : NULL,
                        .alpha = plan->image->alpha >= 0 ? memory_take(n, size) : NULL};
    value_list list = {0};
    int is_whole = chunk.pixels && (chunk.mask || !plan->image->has_mask) && (chunk.alpha || plan->image->alpha < 0);
    int32_t status = is_whole ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory for a chunk");
    for (int l = plan->n_levels - 1; status == NGFF_OK && l >= 0; l--) {
        status = collect_shared(s, l, owner, from, &chunk, &list, e);
        if (list.n >= enough_pixels)
            break;
    }
    if (status == NGFF_OK && list.n > 0) {
        channel_state *state = &s->channels[owner];
        qsort(list.values, (size_t)list.n, sizeof *list.values, compare_doubles);
        state->low = sorted_percentile(list.values, list.n, low_share);
        state->high = sorted_percentile(list.values, list.n, high_share);
        state->has_percentiles = 1;
    }
    free(list.values);
    free(chunk.pixels);
    free(chunk.mask);
    free(chunk.alpha);
    return status;
}

/* -- Pixels that nobody wrote ---------------------------------------------------------------------------------------
 */

/* They read as nodata, else as zero; a mask or alpha of zero makes them invalid. */
static int unwritten_is_valid(const struct ngff_image *image, int64_t k)
{
    return !image->channels[k].has_nodata && !image->has_mask && (image->alpha < 0 || image->alpha == k);
}

/* Their zeros have a place in the order in which moments are joined, as if they had come. */
void statistics_skip(statistics *s, const cell *c)
{
    int channel_axis = s->plan->image->channel_axis;
    int64_t n = channel_axis < 0 ? 1 : c->box.extent[channel_axis];
    for (int64_t k = 0; k < n && c->level == 0 && s->parts && s->wants_tally; k++) {
        int64_t number = channel_axis < 0 ? 0 : c->box.origin[channel_axis] + k;
        moments zeros = {.n = box_volume(&c->box) / n};
        if (!unwritten_is_valid(s->plan->image, number))
            continue;
        *part_of(s, c, k) = zeros;
        pthread_mutex_lock(&s->channels[number].lock);
        s->channels[number].n_left_out += zeros.n;
        pthread_mutex_unlock(&s->channels[number].lock);
    }
}

static int32_t add_unwritten(statistics *s, int64_t k, error *e)
{
    const struct ngff_plan *plan = s->plan;
    const dtype *type = plan->image->type;
    channel_state *state = &s->channels[k], *owner = &s->channels[window_owner(plan, k)];
    int64_t n_unwritten = channel_pixels(plan, 0) - state->n_seen;
    tally zeros = {.n_valid = n_unwritten, .moments = {.n = n_unwritten - state->n_left_out}};
    if (unwritten_is_valid(plan->image, k)) {
        tally_merge(&state->total, type, &zeros);
        if (state->own_left > 0 && make_bins(owner, type, e) != NGFF_OK)
            return e->status;
        if (state->own_left > 0)
            owner->bins[type->class == CLASS_SIGNED ? (size_t)1 << (8 * type->size - 1) : 0] +=
                (uint64_t)state->own_left;
    }
    return NGFF_OK;
}

/* -- Statistics of parts of an image --------------------------------------------------------------------------------- */

/* The bins that hold something. What is read is added; 0 in the place of a number ends them. */
static void pack_bins(pack *p, statistics *s, channel_state *owner)
{
    error e = {0};
    uint32_t n_bins = s->row_step > 0 ? (uint32_t)1 << (8 * s->plan->image->type->size) : 0, at = 0;
    for (uint64_t n = 1; n > 0 && !p->is_broken; at++) {
        while (!pack_reads(p) && owner->bins && at < n_bins && owner->bins[at] == 0)
            at++;
        n = !pack_reads(p) && owner->bins && at < n_bins ? owner->bins[at] : 0;
        pack_field(p, at);
        pack_field(p, n);
        if (!pack_reads(p) || n == 0)
            continue;
        p->is_broken |= at >= n_bins || make_bins(owner, s->plan->image->type, &e) != NGFF_OK;
        if (!p->is_broken)
            owner->bins[at] += n;
    }
}

/* Counts that a channel has taken from how many it had at first. */
static void pack_left(pack *p, int64_t *left, int64_t at_first)
{
    int64_t taken = at_first - *left;
    pack_field(p, taken);
    if (pack_reads(p))
        *left -= taken;
}

static void pack_state(pack *p, statistics *s, int64_t k)
{
    channel_state *state = &s->channels[k], kept = *state;
    int64_t shared = 0;
    for (int64_t other = k; other < s->n_channels && other < k + 3; other++)
        shared += window_owner(s->plan, other) == k ? histogram_pixels(s, other) : 0;
    pack_field(p, kept.total.n_valid);
    pack_field(p, kept.total.min);
    pack_field(p, kept.total.max);
    pack_field(p, kept.total.sum);
    pack_field(p, kept.total.squares.low);
    pack_field(p, kept.total.squares.high);
    pack_field(p, kept.n_seen);
    pack_field(p, kept.n_left_out);
    pack_field(p, kept.has_percentiles);
    pack_field(p, kept.low);
    pack_field(p, kept.high);
    pack_left(p, &state->own_left, histogram_pixels(s, k));
    pack_left(p, &state->bins_left, shared);
    pack_bins(p, s, state);
    if (!pack_reads(p) || p->is_broken)
        return;
    kept.total.moments = (moments){0};
    tally_merge(&state->total, s->plan->image->type, &kept.total);
    state->n_seen += kept.n_seen;
    state->n_left_out += kept.n_left_out;
    if (kept.has_percentiles) { /* of a part that has the whole channel */
        state->has_percentiles = 1;
        state->low = kept.low;
        state->high = kept.high;
    }
}

static void pack_moments(pack *p, statistics *s)
{
    int64_t n_parts = s->parts ? parts_count(s->plan) : 0;
    for (int64_t at = 0, is_more = 1; is_more && !p->is_broken; at++) {
        while (!pack_reads(p) && at < n_parts && s->parts[at].n == 0)
            at++;
        moments one = {0};
        if (!pack_reads(p) && at < n_parts)
            one = s->parts[at];
        pack_field(p, at);
        pack_field(p, one.n);
        pack_field(p, one.mean);
        pack_field(p, one.rest);
        pack_field(p, one.squares);
        is_more = one.n != 0;
        p->is_broken |= is_more && (at < 0 || at >= n_parts);
        if (pack_reads(p) && is_more && !p->is_broken)
            s->parts[at] = one;
    }
}

void statistics_pack(pack *p, statistics *s)
{
    for (int64_t k = 0; k < s->n_channels && !p->is_broken; k++)
        pack_state(p, s, k);
    pack_moments(p, s);
}

/* -- The summary --------------------------------------------------------------------------------------------------- */

/* Joins the moments of all chunks of a channel in index order, and of what nobody wrote, which total has. */
static moments join_parts(const statistics *s, int64_t number)
{
    moments all = tally_moments(&s->channels[number].total, s->plan->image->type);
    if (!s->parts)
        return all;
    const level *base = &s->plan->levels[0];
    int c = s->plan->image->channel_axis;
    int64_t inner = 1, outer = 1, chunk = c < 0 ? 1 : base->chunk[c];
    for (int i = 0; i < s->plan->image->rank; i++) {
        if (i < c)
            outer *= base->grid[i];
        else if (i > c)
            inner *= base->grid[i];
    }
    int64_t grid = c < 0 ? 1 : base->grid[c];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            int64_t ordinal = (o * grid + number / chunk) * inner + i;
            moments_join(&all, &s->parts[ordinal * chunk + number % chunk]);
        }
    return all;
}

static void summarise_tally(const statistics *s, int64_t number, channel_summary *to)
{
    const tally *total = &s->channels[number].total;
    int32_t type = s->plan->image->type->data_type;
    to->n_valid = total->n_valid;
    if (total->n_valid == 0)
        return;
    moments all = join_parts(s, number);
    to->min = dtype_to_double(type, total->min) + 0.0; /* -0 or 0 would depend on which chunk came first */
    to->max = dtype_to_double(type, total->max) + 0.0;
    to->mean = all.mean + all.rest + 0.0;
    to->std_dev = moments_deviation(&all);
    to->has_statistics =
        !s->before && s->plan->options.statistics != TRI_NO && isfinite(to->mean) && isfinite(to->std_dev);
}

/* window.min/max and start/end of omero, by the option WINDOW. */
static void summarise_window(const statistics *s, int64_t number, channel_summary *to)
{
    const struct ngff_image *image = s->plan->image;
    const channel_state *owner = &s->channels[window_owner(s->plan, number)];
    double type_low, type_high;
    dtype_range(image->type->data_type, &type_low, &type_high);
    int is_unfilled = s->plan->is_unfilled && is_integer(image->type);
    int has_pixels = to->n_valid > 0, is_byte = image->type->size == 1 || is_unfilled;
    to->low = is_byte ? type_low : has_pixels ? to->min : 0;
    to->high = is_byte ? type_high : has_pixels ? to->max : 1;
    if (s->before && !is_byte && isfinite(s->before[number].low) && isfinite(s->before[number].high)) {
        to->low = has_pixels ? fmin(to->low, s->before[number].low) : s->before[number].low;
        to->high = has_pixels ? fmax(to->high, s->before[number].high) : s->before[number].high;
        has_pixels = 1;
    }
    if (image->channels[number].has_range) {
        to->low = image->channels[number].min;
        to->high = image->channels[number].max;
    }
    to->start = to->low;
    to->end = to->high;
    if (image->channels[number].has_window) {
        to->start = image->channels[number].start;
        to->end = image->channels[number].end;
    } else if (s->plan->options.window_mode == WINDOW_DTYPE && is_integer(image->type)) {
        to->start = type_low;
        to->end = type_high;
    } else if (s->plan->options.window_mode == WINDOW_MINMAX && has_pixels) {
        to->start = s->before ? to->low : to->min;
        to->end = s->before ? to->high : to->max;
    } else if (needs_percentiles(s->plan, number) && owner->is_unread) {
        to->start = s->before[number].start;
        to->end = s->before[number].end;
    } else if (needs_percentiles(s->plan, number) && !is_unfilled) {
        to->start = owner->has_percentiles ? owner->low : 0;
        to->end = owner->has_percentiles ? owner->high : 1;
    }
    if (!(to->end > to->start) && is_integer(image->type) && to->start >= type_high) /* white stays white */
        to->start = fmin(to->end - 1, nextafter(to->end, -INFINITY));
    if (!(to->end > to->start))
        to->end = fmax(to->start + 1, nextafter(to->start, INFINITY));
    /* A window that several channels share, or that the user gave, can lie outside the channel's own values. */
    to->low = fmin(to->low, to->start);
    to->high = fmax(to->high, to->end);
    if (!(to->high > to->low))
        to->high = fmax(to->low + 1, nextafter(to->low, INFINITY));
}

int32_t statistics_finish(statistics *s, const chunk_source *from, const channel_summary **summaries, error *e)
{
    *summaries = NULL;
    if (!s->wants_tally)
        return NGFF_OK;
    if (s->plan->is_unfilled) {
        for (int64_t k = 0; s->wants_windows && k < s->n_channels; k++)
            summarise_window(s, k, &s->summaries[k]);
        *summaries = s->wants_windows ? s->summaries : NULL;
        return NGFF_OK;
    }
    for (int64_t k = 0; k < s->n_channels && !s->before; k++)
        if (add_unwritten(s, k, e) != NGFF_OK)
            return e->status;
    for (int64_t k = 0; k < s->n_channels; k++) {
        summarise_tally(s, k, &s->summaries[k]);
        if (s->channels[k].bins)
            close_histogram(s, &s->channels[k]);
        if (s->wants_windows && s->row_step == 0 && window_owner(s->plan, k) == k && shares_percentiles(s->plan, k)) {
            error unread = {0};
            s->channels[k].is_unread = sorted_window(s, k, from, &unread) != NGFF_OK;
            int is_damage = unread.status == NGFF_E_CORRUPT; /* elsewhere, it is no reason to refuse a change here */
            if (s->channels[k].is_unread && (!s->before || !is_damage))
                return error_copy(e, &unread);
        }
    }
    for (int64_t k = 0; s->wants_windows && k < s->n_channels; k++)
        summarise_window(s, k, &s->summaries[k]);
    *summaries = s->summaries;
    return NGFF_OK;
}
