/* open.c: a writer on a new store, in the ways that there are: a pull, a pull that goes on with an earlier run, a further
 * image of a store, a push. change.c opens a store that is there. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/machine.h"
#include "reader/reader.h"
#include "store/zip.h"
#include "writer/job.h"
#include "writer/label_group.h"
#include "writer/writer.h"

ngff_writer *writer_make(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = calloc(1, sizeof *w);
    if (!w) {
        s->ops->free(s);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->waiting, NULL);
    encoders_begin(&w->encoders);
    w->process = getpid();
    w->plan = plan_retain(plan);
    w->store = s;
    snprintf(w->prefix, sizeof w->prefix, "%s", plan->prefix);
    s->is_cancelled = &w->is_cancelled;
    w->path = path ? strdup(path) : NULL;
    error_copy(&w->error, &plan->error);
    if (path && !w->path)
        error_set(&w->error, NGFF_E_MEMORY, "out of memory");
    else if (path && zip_is_name(path) && plan->options.version == VERSION_04)
        error_set(&w->error, NGFF_E_OPTION, "NGFF_VERSION=0.4: %s: one file (.ozx) holds 0.5 or 0.6, never 0.4", path);
    return w;
}

/* A writer of a new store. */
static ngff_writer *make_new(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = writer_make(plan, s, path);
    store *one = w && plan->prefix[0] ? series_open(s, plan->prefix, 1) : NULL;
    if (w && plan->prefix[0] && !one)
        error_set(&w->error, NGFF_E_MEMORY, "out of memory");
    else if (one && strcmp(plan->prefix, "0/") != 0)
        error_set(&w->error, NGFF_E_ARGUMENT, "a store begins with its image 0 (ngff_plan_set_series)");
    if (one)
        w->store = one;
    return w;
}

/* The record has begun, or has failed. */
static int32_t start_pull(ngff_writer *w, error *e)
{
    w->phase = w->record ? PHASE_OPEN : PHASE_REFUSED;
    if (w->record && !record_has_earlier(w->record))
        return writer_start_pass(w, e);
    atomic_store(&w->is_waiting, w->record != NULL);
    return e->status;
}

static ngff_writer *open_pull(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = make_new(plan, s, path);
    if (!w || w->error.status != NGFF_OK)
        return w;
    s = w->store;
    if (plan->options.part.n > 0) {
        job_open_part(w, &w->error);
        return w;
    }
    if ((plan->image->label_name && label_group_begin(plan, path, &w->error) != NGFF_OK) ||
        report_begin(plan, path, &w->report, &w->error) != NGFF_OK)
        return w;
    w->record = record_begin(plan, s, &w->error);
    start_pull(w, &w->error);
    return w;
}

ngff_writer *writer_open_store(ngff_plan *plan, store *s)
{
    return open_pull(plan, s, NULL);
}

ngff_writer *writer_open_path(ngff_plan *plan, const char *path,
                              ngff_writer *(*open)(ngff_plan *, store *, const char *path))
{
    char *place = plan && path ? store_path_of(path) : NULL;
    store *s = place ? store_open(place) : NULL;
    ngff_writer *w = s ? open(plan, s, place) : NULL;
    free(place);
    return w;
}

char *writer_image_folder(const char *path)
{
    ngff_reader *image = ngff_reader_open(path);
    const char *group = ngff_reader_status(image) == NGFF_OK ? ngff_reader_group(image) : "";
    char *folder = image ? strdup(group[0] ? reader_path(image) : path) : NULL;
    ngff_reader_free(image);
    return folder;
}

ngff_writer *ngff_writer_open(ngff_plan *plan, const char *path)
{
    if (!plan || !path || plan->error.status != NGFF_OK || !plan->image->label_name)
        return writer_open_path(plan, path, open_pull);
    char *image = zip_is_name(path) ? strdup(path) : writer_image_folder(path); /* in one file nothing is added */
    size_t room = (image ? strlen(image) : 0) + strlen(plan->image->label_name) + 2;
    char *below = image ? malloc(room) : NULL;
    if (below)
        snprintf(below, room, "%s/%s", image, plan->image->label_name);
    ngff_writer *w = writer_open_path(plan, below, open_pull);
    free(below);
    free(image);
    return w;
}

store *writer_whole(const ngff_writer *first)
{
    return first->phase != PHASE_REFUSED && first->mode != MODE_CHANGE && first->prefix[0] ? series_whole(first->store)
                                                                                           : first->store;
}

/* The image that a label image which comes now is of: the last that is none itself. */
static const ngff_plan *image_before(const ngff_writer *first, const char **prefix)
{
    int i = first->n_series - 1;
    while (i >= 0 && first->series[i].is_label)
        i--;
    *prefix = i < 0 ? first->prefix : first->series[i].prefix;
    return i < 0 ? first->plan : first->series[i].plan;
}

static int32_t print_prefix(const ngff_writer *first, const ngff_plan *plan, char prefix[series_longest_prefix],
                            error *e)
{
    const int is_label = plan->image && plan->image->label_name;
    const char *of = plan->prefix, *name = is_label ? plan->image->label_name : "";
    if (is_label)
        image_before(first, &of);
    int n = snprintf(prefix, series_longest_prefix, "%s%s%s", of, name, is_label ? "/" : "");
    return n < series_longest_prefix
               ? NGFF_OK
               : error_set(e, NGFF_E_ARGUMENT, "the name of the label image, %s, is longer than %d characters", name,
                           series_longest_prefix - 2);
}

static int32_t check_label(const ngff_writer *first, const ngff_plan *plan, const char *prefix, error *e)
{
    const char *of;
    const ngff_plan *image = image_before(first, &of);
    if (plan->n_levels != image->n_levels || plan->options.version != image->options.version)
        return error_set(
            e, NGFF_E_ARGUMENT,
            "the label image %s has %d levels of NGFF 0.%d, and its image %d of 0.%d: it must have as many "
            "of the same",
            plan->image->label_name, plan->n_levels, plan->options.version, image->n_levels, image->options.version);
    for (int i = 0; i < first->n_series; i++)
        if (strcmp(first->series[i].prefix, prefix) == 0)
            return error_set(e, NGFF_E_ARGUMENT, "the image has a label image %s already", plan->image->label_name);
    return NGFF_OK;
}

static int32_t check_image(const ngff_writer *first, const ngff_plan *plan, error *e)
{
    char next[sizeof plan->prefix];
    int number = 1;
    for (int i = 0; i < first->n_series; i++)
        number += !first->series[i].is_label;
    snprintf(next, sizeof next, "%d/", number);
    if (!first->prefix[0])
        return error_set(e, NGFF_E_OPTION, "several images go into a store of LAYOUT=BIOFORMATS2RAW only");
    if (strcmp(next, plan->prefix) != 0 || plan->options.version != first->plan->options.version)
        return error_set(e, NGFF_E_ARGUMENT,
                         "the next image of the store is number %d (ngff_plan_set_series), of NGFF 0.%d", number,
                         first->plan->options.version);
    return NGFF_OK;
}

static int32_t check_series(const ngff_writer *first, const ngff_plan *plan, const char *prefix, error *e)
{
    if (first->mode != MODE_PULL || !writer_is_open(first) || first->first)
        return error_set(e, NGFF_E_STATE,
                         "further images go into a store that ngff_writer_open makes, until it is closed");
    if (first->n_whole != first->n_series)
        return error_set(e, NGFF_E_STATE, "image %d of the store is not whole", first->n_series);
    if (first->part || first->mode == MODE_JOIN)
        return error_set(e, NGFF_E_OPTION,
                         "PART is of one image; write what goes with it into the store when it is there");
    if (plan->options.resume || plan->options.report)
        return error_set(e, NGFF_E_OPTION, "RESUME and REPORT are options of the first image of a store");
    return plan->image->label_name ? check_label(first, plan, prefix, e) : check_image(first, plan, e);
}

/* The image is the next one in the store of the first. */
static int32_t join_series(ngff_writer *w, ngff_writer *first, error *e)
{
    further_image *more = realloc(first->series, ((size_t)first->n_series + 1) * sizeof *more);
    if (!more)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    first->series = more;
    more += first->n_series++;
    *more = (further_image){.plan = plan_retain(w->plan), .is_label = w->plan->image->label_name != NULL};
    memcpy(more->prefix, w->prefix, sizeof more->prefix);
    w->first = first;
    w->store->is_cancelled = &first->is_cancelled; /* of all images at once */
    /* What an earlier run has stored does not pass, so that the report would not have it. */
    w->record = record_begin_further(w->plan, w->store, first->record, first->n_series, !first->report, e);
    return start_pull(w, e);
}

ngff_writer *ngff_writer_open_series(ngff_writer *first, ngff_plan *plan)
{
    error e = {0};
    char prefix[series_longest_prefix];
    if (!first || !plan || writer_is_inherited(first))
        return NULL;
    print_prefix(first, plan, prefix, &e);
    store *s = series_open(writer_whole(first), prefix, 0);
    ngff_writer *w = s ? writer_make(plan, s, s->path) : NULL;
    if (!w || w->error.status != NGFF_OK)
        return w;
    memcpy(w->prefix, prefix, sizeof prefix);
    if (e.status == NGFF_OK && check_series(first, plan, prefix, &e) == NGFF_OK && writer_verify(first) == NGFF_OK &&
        record_flush(first->record, &e) == NGFF_OK)
        join_series(w, first, &e);
    error_copy(&w->error, &e);
    error_copy(&w->error, &first->error);
    return w;
}

/* -- Push: the stages ---------------------------------------------------------------------------------------------- */

static int32_t goes_on(void *user, error *e)
{
    const ngff_writer *w = user;
    return store_goes_on(w->store, e);
}

/* Bytes that the stages may hold together: half of MEMORY. */
static int64_t staging_memory(const ngff_plan *plan)
{
    static const int64_t most = (int64_t)512 << 20;
    int64_t machine = machine_memory();
    if (plan->options.memory_bytes > 0)
        return plan->options.memory_bytes / 2;
    return machine > 0 ? min_i64(machine / 4, most) : most;
}

static int32_t first_pixels(void *user, const int64_t *index, uint8_t *pixels, error *e)
{
    const ngff_writer *w = user;
    const struct ngff_image *image = w->plan->image;
    const level *base = &w->plan->levels[0];
    int64_t strides[MAX_RANK], extent[MAX_RANK];
    int c = image->channel_axis;
    int64_t first = c < 0 ? 0 : index[c] * base->chunk[c];
    int64_t n = c < 0 ? 1 : min_i64(base->chunk[c], base->shape[c] - first);
    strides_dense(image->rank, base->chunk, image->type->size, strides);
    memcpy(extent, base->chunk, sizeof extent);
    if (c >= 0)
        extent[c] = 1;
    for (int64_t k = 0; k < n; k++)
        pixels_fill(image->rank, extent, image->type->size, pixels + (c < 0 ? 0 : k * strides[c]), strides,
                    cascade_unwritten(w->plan, first + k));
    (void)e;
    return NGFF_OK;
}

static int32_t first_mask(void *user, const int64_t *index, uint8_t *mask, error *e)
{
    const ngff_writer *w = user;
    const level *base = &w->plan->levels[0];
    int y = w->plan->image->rank - 2;
    memset(mask, 0, (size_t)(base->chunk[y] * base->chunk[y + 1]));
    (void)index;
    (void)e;
    return NGFF_OK;
}

int32_t writer_start_stage(ngff_writer *w, error *e)
{
    const ngff_plan *plan = w->plan;
    const level *base = &plan->levels[0];
    stage_host host = {w, w->mode == MODE_CHANGE ? change_first_pixels : first_pixels, writer_spill, writer_fetch,
                       goes_on};
    w->pixels = stage_create("stage", plan->image->rank, base->shape, base->chunk, plan->image->type->size,
                             staging_memory(plan), &host);
    return w->pixels ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "out of memory");
}

int32_t writer_start_mask_stage(ngff_writer *w, error *e)
{
    const level *base = &w->plan->levels[0];
    int y = w->plan->image->rank - 2;
    stage_host host = {w, w->mode == MODE_CHANGE ? change_first_mask : first_mask, writer_spill, writer_fetch, goes_on};
    int64_t memory = staging_memory(w->plan);
    if (w->masks)
        return NGFF_OK;
    w->masks = stage_create("mask", 2, base->shape + y, base->chunk + y, 1, memory / 4, &host);
    if (!w->masks)
        return error_set(e, NGFF_E_MEMORY, "out of memory");
    return stage_limit(w->pixels, memory - memory / 4, e);
}

int32_t writer_refuse_given(const ngff_plan *plan, error *e)
{
    for (int l = 1; l < plan->n_levels; l++)
        if (plan->levels[l].source < 0)
            return error_set(e, NGFF_E_ARGUMENT,
                             "a plan with given levels (ngff_plan_set_given) does not go with push");
    return NGFF_OK;
}

static ngff_writer *open_push(ngff_plan *plan, store *s, const char *path)
{
    ngff_writer *w = make_new(plan, s, path);
    if (!w || w->error.status != NGFF_OK)
        return w;
    w->mode = MODE_PUSH;
    s = w->store;
    if (writer_refuse_given(plan, &w->error) != NGFF_OK)
        return w;
    if (plan->options.part.n > 0)
        error_set(&w->error, NGFF_E_OPTION,
                  "PART=%d/%d needs a source that is read where the part needs it, as gdal_translate does",
                  plan->options.part.i, plan->options.part.n);
    else if (plan->options.resume)
        error_set(&w->error, NGFF_E_OPTION,
                  "RESUME=YES needs a source that is read again from the beginning, as gdal_translate does");
    else if (writer_start_stage(w, &w->error) == NGFF_OK && report_begin(plan, path, &w->report, &w->error) == NGFF_OK)
        w->phase = s->writing->begin(s, plan->options.overwrite, &w->error) == NGFF_OK ? PHASE_OPEN : PHASE_REFUSED;
    return w;
}

ngff_writer *writer_push_store(ngff_plan *plan, store *s)
{
    return open_push(plan, s, NULL);
}

ngff_writer *ngff_writer_open_push(ngff_plan *plan, const char *path)
{
    return writer_open_path(plan, path, open_push);
}
