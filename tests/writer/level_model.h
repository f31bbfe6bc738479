/* level_model.h: the levels of a picture by plain loops over numbers, by the definitions of the methods, and the
 * comparison with what a store holds. Windows only; kernels have models of their own. */
#ifndef TESTS_LEVEL_MODEL_H
#define TESTS_LEVEL_MODEL_H

#include "codec/codec.h"
#include "metadata/metadata.h"
#include "pictures.h"
#include "writer/written.h"

__extension__ typedef __int128 wide;

typedef struct {
    int64_t shape[MAX_RANK];
    uint8_t *pixels, *mask; /* dense; mask over y, x */
} model_level;

static int is_float(int32_t type)
{
    return type == NGFF_FLOAT16 || type == NGFF_FLOAT32 || type == NGFF_FLOAT64;
}

static wide whole_of(int32_t type, const uint8_t *pixel)
{
    uint64_t u;
    int64_t s;
    memcpy(&u, pixel, 8 <= ngff_type_size(type) ? 8 : 1);
    memcpy(&s, &u, 8);
    if (type == NGFF_UINT64)
        return u;
    if (type == NGFF_INT64)
        return s;
    return (wide)dtype_to_double(type, pixel);
}

static void put_whole(int32_t type, wide value, uint8_t *to)
{
    uint64_t u64 = (uint64_t)value;
    uint32_t u32 = (uint32_t)u64;
    uint16_t u16 = (uint16_t)u64;
    uint8_t u8 = (uint8_t)u64;
    size_t size = (size_t)ngff_type_size(type);
    memcpy(to, size == 8 ? (void *)&u64 : size == 4 ? (void *)&u32 : size == 2 ? (void *)&u16 : (void *)&u8, size);
}

static void put_real(int32_t type, double value, uint8_t *to)
{
    float single = (float)value;
    uint16_t half = half_from_float(single);
    memcpy(to,
           type == NGFF_FLOAT64   ? (void *)&value
           : type == NGFF_FLOAT32 ? (void *)&single
                                  : (void *)&half,
           (size_t)ngff_type_size(type));
}

/* The value beside nodata that a result equal to it becomes. */
static void put_neighbour(int32_t type, const uint8_t *nodata, uint8_t *to)
{
    if (type == NGFF_FLOAT32) {
        float v;
        memcpy(&v, nodata, 4);
        v = nextafterf(v, INFINITY);
        memcpy(to, &v, 4);
    } else
        put_whole(type, whole_of(type, nodata) + 1, to); /* no nodata value here is its type's largest */
}

/* What a window of valid pixels becomes. */
static void put_result(int32_t type, int resampling, const uint8_t *window, int64_t n, uint8_t *to)
{
    int64_t size = ngff_type_size(type), best = 0;
    if (resampling == REDUCE_MODE) {
        wide mode = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t same = 0;
            wide value = whole_of(type, window + i * size);
            for (int64_t k = 0; k < n; k++)
                same += whole_of(type, window + k * size) == value;
            if (same > best || (same == best && value < mode)) {
                best = same;
                mode = value;
            }
        }
        put_whole(type, mode, to);
    } else if (is_float(type)) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += dtype_to_double(type, window + i * size);
        put_real(type, sum / (double)n, to);
    } else {
        wide sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += whole_of(type, window + i * size);
        wide above = 2 * sum + n, below = 2 * (wide)n, mean = above / below;
        put_whole(type, mean - (above % below < 0), to);
    }
}

typedef struct {
    const picture *picture;
    int resampling, rank, c; /* c: axis of the channels or -1 */
    const model_level *from;
    const int64_t *ratio;
} model_step;

static int is_valid_pixel(const model_step *s, const int64_t *at, int64_t channel, const uint8_t *pixel)
{
    const picture *p = s->picture;
    int64_t size = ngff_type_size(p->type), strides[MAX_RANK], zero[MAX_RANK] = {0}, there[MAX_RANK];
    uint8_t nodata[16];
    if (p->has_alpha && channel == channels_of(p) - 1)
        return 1;
    if (dtype_is_nan(p->type, pixel) || (nodata_of(p, channel, nodata) && memcmp(pixel, nodata, (size_t)size) == 0))
        return 0;
    if (p->has_mask && !s->from->mask[at[s->rank - 2] * s->from->shape[s->rank - 1] + at[s->rank - 1]])
        return 0;
    if (!p->has_alpha)
        return 1;
    memcpy(there, at, sizeof there);
    there[s->c] = channels_of(p) - 1;
    strides_dense(s->rank, s->from->shape, size, strides);
    return memcmp(s->from->pixels + strides_offset(s->rank, strides, zero, there), zero, (size_t)size) != 0;
}

static void put_empty(const picture *p, int64_t channel, uint8_t *to)
{
    uint8_t nodata[16];
    int has_nodata = nodata_of(p, channel, nodata);
    memset(to, 0, (size_t)ngff_type_size(p->type));
    if (has_nodata)
        memcpy(to, nodata, (size_t)ngff_type_size(p->type));
    else if (is_float(p->type) && !p->has_mask && !p->has_alpha)
        put_real(p->type, NAN, to);
}

/* One pixel of the next level. */
static void model_pixel(const model_step *s, const int64_t *index, uint8_t *to)
{
    const picture *p = s->picture;
    int64_t size = ngff_type_size(p->type), strides[MAX_RANK], zero[MAX_RANK] = {0}, begin[MAX_RANK], extent[MAX_RANK];
    int64_t at[MAX_RANK], n = 0, channel = s->c < 0 ? 0 : index[s->c], step[MAX_RANK] = {0};
    strides_dense(s->rank, s->from->shape, size, strides);
    for (int i = 0; i < s->rank; i++) {
        begin[i] = index[i] * s->ratio[i];
        extent[i] = min_i64(s->ratio[i], s->from->shape[i] - begin[i]);
        at[i] = min_i64(begin[i] + (s->ratio[i] - 1) / 2, s->from->shape[i] - 1);
    }
    if (s->resampling == REDUCE_NEAREST) {
        memcpy(to, s->from->pixels + strides_offset(s->rank, strides, zero, at), (size_t)size);
        return;
    }
    uint8_t *window = malloc((size_t)(volume_of(s->rank, extent) * size)), nodata[16];
    for (int64_t i = volume_of(s->rank, extent); i > 0; i--, next_position(s->rank, extent, step)) {
        for (int k = 0; k < s->rank; k++)
            at[k] = begin[k] + step[k];
        const uint8_t *pixel = s->from->pixels + strides_offset(s->rank, strides, zero, at);
        if (is_valid_pixel(s, at, channel, pixel))
            memcpy(window + n++ * size, pixel, (size_t)size);
    }
    if (n == 0)
        put_empty(p, channel, to);
    else {
        put_result(p->type, s->resampling, window, n, to);
        int is_alpha = p->has_alpha && channel == channels_of(p) - 1;
        if (!is_alpha && nodata_of(p, channel, nodata) && memcmp(to, nodata, (size_t)size) == 0 &&
            s->resampling == REDUCE_AVERAGE)
            put_neighbour(p->type, nodata, to);
    }
    free(window);
}

static model_level next_model_level(const model_step *s)
{
    model_level to = {0};
    int64_t size = ngff_type_size(s->picture->type), index[MAX_RANK] = {0};
    for (int i = 0; i < s->rank; i++)
        to.shape[i] = (s->from->shape[i] + s->ratio[i] - 1) / s->ratio[i];
    int64_t n = volume_of(s->rank, to.shape), columns = to.shape[s->rank - 1], rows = to.shape[s->rank - 2];
    to.pixels = malloc((size_t)(n * size));
    for (int64_t i = 0; i < n; i++, next_position(s->rank, to.shape, index))
        model_pixel(s, index, to.pixels + i * size);
    to.mask = s->picture->has_mask ? calloc((size_t)(rows * columns), 1) : NULL;
    int64_t width = s->from->shape[s->rank - 1];
    for (int64_t i = 0; to.mask && i < rows * columns && s->resampling == REDUCE_NEAREST; i++) {
        int64_t y = i / columns * s->ratio[s->rank - 2] + (s->ratio[s->rank - 2] - 1) / 2;
        int64_t x = i % columns * s->ratio[s->rank - 1] + (s->ratio[s->rank - 1] - 1) / 2;
        to.mask[i] = s->from->mask[min_i64(y, s->from->shape[s->rank - 2] - 1) * width + min_i64(x, width - 1)];
    }
    for (int64_t i = 0; to.mask && i < s->from->shape[s->rank - 2] * width && s->resampling != REDUCE_NEAREST; i++)
        if (s->from->mask[i])
            to.mask[i / width / s->ratio[s->rank - 2] * columns + i % width / s->ratio[s->rank - 1]] = 255;
    return to;
}

/* All levels from level 0, which the result owns. given: a level whose pixels do not come from others, or 0. */
static void make_model(const picture *p, const ngff_plan *plan, model_level *levels, int given)
{
    const char *c = strchr(p->dims, 'c');
    for (int l = 1; l < plan->n_levels; l++) {
        if (l == given)
            continue;
        int source = 0;
        int64_t ratio[MAX_RANK];
        for (int other = 1; other < l; other++) {
            int divides = 1;
            for (int i = 0; i < rank_of(p); i++)
                divides &= plan->levels[l].factor[i] % plan->levels[other].factor[i] == 0;
            source = divides ? other : source;
        }
        for (int i = 0; i < rank_of(p); i++)
            ratio[i] = plan->levels[l].factor[i] / plan->levels[source].factor[i];
        model_step s = {p, plan->resampling, rank_of(p), c ? (int)(c - p->dims) : -1, &levels[source], ratio};
        levels[l] = next_model_level(&s);
    }
}

static void free_model(model_level *levels, int n)
{
    for (int l = 0; l < n; l++) {
        free(levels[l].pixels);
        free(levels[l].mask);
    }
}

/* -- Comparison ---------------------------------------------------------------------------------------------------- */

/* A whole chunk as it must be: pixels of the level, and fill beyond it. */
static void expected_chunk(int rank, const level *at, int64_t size, const model_level *m, const int64_t *index,
                           const uint8_t *fill, uint8_t *to)
{
    int64_t strides[MAX_RANK], zero[MAX_RANK] = {0}, step[MAX_RANK] = {0}, position[MAX_RANK];
    strides_dense(rank, m->shape, size, strides);
    for (int64_t i = 0; i < volume_of(rank, at->chunk); i++, next_position(rank, at->chunk, step)) {
        int is_inside = 1;
        for (int k = 0; k < rank; k++) {
            position[k] = index[k] * at->chunk[k] + step[k];
            is_inside &= position[k] < m->shape[k];
        }
        memcpy(to + i * size, is_inside ? m->pixels + strides_offset(rank, strides, zero, position) : fill,
               (size_t)size);
    }
}

static int is_stored(store *s, const char *path, int format, int rank, const int64_t *index)
{
    char key[200], name[128];
    uint64_t n;
    error e = {0};
    chunk_key(format, rank, index, name);
    snprintf(key, sizeof key, "%s/%s", path, name);
    int is_there = 0;
    CHECK_INT(store_find_size(s, key, &n, &is_there, &e), NGFF_OK);
    return is_there;
}

/* Compares every chunk of a level. NaN may have any bits. */
static void check_level(const picture *p, const ngff_plan *plan, store *s, int l, const model_level *m)
{
    const level *at = &plan->levels[l];
    int rank = rank_of(p), n_wrong = 0, n_misplaced = 0;
    int64_t size = ngff_type_size(p->type), n = volume_of(rank, at->chunk), index[MAX_RANK] = {0};
    uint8_t *expected = malloc((size_t)(n * size)), *found = malloc((size_t)(n * size));
    written *back = written_create(s, NULL);
    written_set_plan(back, plan);
    CHECK(memcmp(at->shape, m->shape, (size_t)rank * sizeof *m->shape) == 0);
    for (int64_t i = 0; i < volume_of(rank, at->grid); i++, next_position(rank, at->grid, index)) {
        error e = {0};
        expected_chunk(rank, at, size, m, index, plan->fill, expected);
        CHECK_INT(written_chunk(back, l, index, found, &e), NGFF_OK);
        for (int64_t k = 0; k < n; k++)
            n_wrong += memcmp(expected + k * size, found + k * size, (size_t)size) != 0 &&
                       !(dtype_is_nan(p->type, expected + k * size) && dtype_is_nan(p->type, found + k * size));
        if (!at->is_sharded)
            n_misplaced += is_stored(s, at->path, plan->zarr_format, rank, index) ==
                           pixels_all_equal(expected, n, size, plan->fill);
    }
    if (n_wrong || n_misplaced)
        fprintf(stderr, "%s, level %d: %d pixels differ, %d chunks are missing or should not be stored\n", p->name, l,
                n_wrong, n_misplaced);
    CHECK_INT(n_wrong + n_misplaced, 0);
    written_free(back);
    free(expected);
    free(found);
}

static void check_mask(const picture *p, const ngff_plan *plan, store *s, int l, const model_level *m)
{
    const level *at = &plan->levels[l];
    int y = rank_of(p) - 2, n_wrong = 0;
    int64_t rows = at->chunk[y], columns = at->chunk[y + 1], index[2];
    uint8_t *found = malloc((size_t)(rows * columns));
    codec_spec spec = plan->codec;
    spec.type_size = 1;
    for (index[0] = 0; index[0] < at->grid[y]; index[0]++)
        for (index[1] = 0; index[1] < at->grid[y + 1]; index[1]++) {
            char key[256], name[128];
            uint8_t *bytes = NULL;
            size_t n = 0;
            error e = {0};
            chunk_key(plan->zarr_format, 2, index, name);
            snprintf(key, sizeof key, "%s/%s", plan_mask(plan, l)->path, name);
            memset(found, 0, (size_t)(rows * columns));
            codec_context *context = codec_context_create();
            int is_there;
            CHECK_INT(store_find(s, key, 0, 0, &bytes, &n, &is_there, &e), NGFF_OK);
            if (is_there)
                CHECK_INT(codec_decode(context, &spec, bytes, n, found, (size_t)(rows * columns), &e), NGFF_OK);
            codec_context_free(context);
            free(bytes);
            for (int64_t i = 0; i < rows * columns; i++) {
                int64_t row = index[0] * rows + i / columns, column = index[1] * columns + i % columns;
                int is_inside = row < m->shape[y] && column < m->shape[y + 1];
                n_wrong += found[i] != (is_inside && m->mask[row * m->shape[y + 1] + column] ? 255 : 0);
            }
        }
    if (n_wrong)
        fprintf(stderr, "%s, level %d: %d bytes of the mask differ\n", p->name, l, n_wrong);
    CHECK_INT(n_wrong, 0);
    free(found);
}

static void check_levels(const picture *p, const ngff_plan *plan, store *s, const model_level *levels)
{
    for (int l = 0; l < plan->n_levels; l++) {
        check_level(p, plan, s, l, &levels[l]);
        if (p->has_mask)
            check_mask(p, plan, s, l, &levels[l]);
    }
}

#endif
