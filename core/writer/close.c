/* close.c: the end of a run. Close waits for the jobs, completes cells that never got all their children, writes the
 * metadata, and publishes; a failed or cancelled run is given up. Between the last pixel and the root's document the
 * store can be looked at as its readers will see it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "label.h"
#include "label_group.h"
#include "ome_xml.h"
#include "reader.h"
#include "series.h"
#include "writer.h"
#include "sizes.h"

typedef struct {
    ngff_writer *writer;
    error *error;
} sink;

/* The root's own document waits: with it the store is an image. */
static int32_t hold(held_object *root, const char *key, const void *bytes, size_t n, error *e)
{
    root->bytes = malloc(n + 1);
    if (!root->bytes)
        return error_set(e, NGFF_E_MEMORY, "out of memory for %s", key);
    memcpy(root->bytes, bytes, n);
    root->n = n;
    snprintf(root->key, sizeof root->key, "%s", key);
    return NGFF_OK;
}

static int32_t put_metadata(void *user, const char *key, const void *bytes, size_t n)
{
    sink *to = user;
    int is_v2 = to->writer->plan->options.version == VERSION_04;
    if (store_goes_on(to->writer->store, to->error) != NGFF_OK ||
        writer_report(to->writer, key, bytes, n, to->error) != NGFF_OK)
        return to->error->status;
    if (strcmp(key, is_v2 ? ".zattrs" : "zarr.json") == 0)
        return hold(&to->writer->root, key, bytes, n, to->error);
    return to->writer->store->ops->put(to->writer->store, key, bytes, n, to->error);
}

int32_t writer_summarise(ngff_writer *w, const channel_summary **summaries, error *e)
{
    chunk_source from = {w->written, written_chunk, written_mask};
    if (!w->before)
        written_expect(w->written, w->stored_chunks, w->stored_mask_chunks); /* what has passed must be there */
    return statistics_finish(w->statistics, &from, summaries, e);
}

const char *const stored_names[4] = {"stored_chunks", "empty_chunks", "stored_mask_chunks", "empty_mask_chunks"};

int writer_stored_members(const ngff_writer *w, late_member *late, char **texts)
{
    static const size_t most_empty_text = 48 << 10; /* more is not worth it: then only the counts are kept */
    int n = 0;
    for (int i = 0; i < 4; i++) {
        const chunk_set *sets = i < 2 ? w->stored_chunks : w->stored_mask_chunks;
        char *text = !sets        ? NULL
                     : i % 2 == 0 ? stored_counts_text(sets, w->plan->n_levels)
                                  : stored_empty_text(sets, w->plan->n_levels, most_empty_text);
        if (text) {
            texts[n] = text;
            late[n++] = (late_member){stored_names[i], text, 0};
        }
    }
    return n;
}

int32_t writer_label_member(const ngff_writer *w, late_member *late, char **text, error *e)
{
    if (label_text(w->plan, label_values_flags(w->labels), w->before_label, text, e) != NGFF_OK)
        return e->status;
    *late = (late_member){"image-label", *text, 1};
    return *text != NULL;
}

static int32_t write_metadata(ngff_writer *w, error *e)
{
    const channel_summary *summaries = NULL;
    if (writer_summarise(w, &summaries, e) != NGFF_OK)
        return e->status;
    w->found = summaries;
    sink to = {w, e};
    late_member late[5];
    char *texts[5];
    int n_late = writer_stored_members(w, late, texts);
    int32_t is_label = writer_label_member(w, &late[n_late], &texts[n_late], e);
    n_late += is_label == 1;
    int32_t status =
        is_label < 0 ? is_label : metadata_write_late(w->plan, summaries, late, n_late, put_metadata, &to, e);
    while (n_late > 0)
        free(texts[--n_late]);
    return status == NGFF_OK ? NGFF_OK : error_set(e, status, "the metadata could not be written");
}

/* Takes the mask of a region from the stage; what was never written is 0. */
static int32_t drain_mask(ngff_writer *w, const box *region, uint8_t *mask, int64_t mask_stride, error *e)
{
    box plane = writer_plane_of(region);
    int64_t strides[2] = {mask_stride, 1};
    static const uint8_t zero;
    if (w->masks) /* not drained: the planes of axes t, z and c share it */
        return stage_read(w->masks, &plane, mask, strides, e);
    pixels_fill(2, plane.extent, 1, mask, strides, &zero);
    return NGFF_OK;
}

/* A region that is not one cell goes through a buffer of its own. */
static int32_t drain_through_buffer(ngff_writer *w, const box *region, error *e)
{
    const struct ngff_image *image = w->plan->image;
    int64_t strides[MAX_RANK], n = box_volume(region), width = region->extent[region->rank - 1];
    uint8_t *pixels = memory_take(n, image->type->size);
    uint8_t *mask = image->has_mask ? memory_take(width, region->extent[region->rank - 2]) : NULL;
    strides_dense(region->rank, region->extent, image->type->size, strides);
    if (!pixels || (image->has_mask && !mask))
        error_set(e, NGFF_E_MEMORY, "out of memory for a region of %lld pixels", (long long)n);
    else if (stage_drain(w->pixels, region, pixels, strides, e) == NGFF_OK &&
             (!mask || drain_mask(w, region, mask, width, e) == NGFF_OK))
        cascade_write(w->cascade, 0, region, pixels, strides, mask, width, e);
    free(pixels);
    free(mask);
    return e->status;
}

int32_t writer_drain_region(ngff_writer *w, const box *region, error *e)
{
    cell *c = NULL;
    int32_t is_mapped = cascade_map(w->cascade, 0, region, &c, e);
    if (is_mapped < 0)
        return is_mapped;
    if (!is_mapped)
        return drain_through_buffer(w, region, e);
    if (stage_drain(w->pixels, region, c->pixels, c->strides, e) != NGFF_OK ||
        (w->plan->image->has_mask &&
         drain_mask(w, region, c->mask, w->plan->levels[0].cell[region->rank - 1], e) != NGFF_OK))
        return e->status;
    return cascade_commit(w->cascade, 0, region, e);
}

/* Push mode: the pixels of the stage take the one pass, in plan order. Regions that nobody touched are left out. */
static void drain(ngff_writer *w, error *e)
{
    box region;
    while (writer_keep(w, e) == NGFF_OK && order_next(&w->orders[0], &region)) {
        box plane = writer_plane_of(&region);
        int has_mask = w->plan->image->has_mask && w->masks && stage_meets(w->masks, &plane);
        if (has_mask || stage_meets(w->pixels, &region))
            writer_drain_region(w, &region, e);
        else
            cascade_skip(w->cascade, 0, &region, e);
    }
}

/* Nothing stays of a failed run, unless it is to be resumed. */
void writer_give_up(ngff_writer *w)
{
    error ignored = {0};
    if (w->record && (w->first ? w->first : w)->plan->options.resume && record_flush(w->record, &ignored) == NGFF_OK)
        w->store->ops->release(w->store);
    else
        w->store->ops->abandon(w->store);
}

int32_t writer_finish(ngff_writer *w)
{
    error e = {0};
    if (w->is_finished)
        return w->error.status;
    w->is_finished = 1;
    writer_begin_pass(w, &e);
    if (w->is_push && w->error.status == NGFF_OK && writer_start_pass(w, &e) == NGFF_OK)
        drain(w, &e);
    if (writer_keep(w, &e) == NGFF_OK)
        cascade_finish(w->cascade);
    else if (w->pool)
        pool_wait(w->pool);
    if (writer_keep(w, &e) == NGFF_OK && shards_finish(w->shards, &e) == NGFF_OK)
        write_metadata(w, &e);
    return writer_keep(w, &e);
}

ngff_reader *ngff_writer_reader(ngff_writer *w)
{
    error e = {0};
    if (!w->is_open || w->is_closed || w->before)
        error_set(&e, NGFF_E_STATE, w->before ? "a change in place is not looked at before" : "the writer is not open");
    if (writer_keep(w, &e) != NGFF_OK || writer_finish(w) != NGFF_OK)
        return NULL;
    if (w->preview)
        return w->preview;
    store *s = preview_open(w->store, &w->root);
    w->preview = s ? reader_open_store(s, w->path ? w->path : "the new store") : NULL;
    if (!w->preview)
        error_set(&e, NGFF_E_MEMORY, "out of memory");
    else if (ngff_reader_status(w->preview) != NGFF_OK)
        error_set(&e, ngff_reader_status(w->preview), "what was written cannot be read: %s",
                  ngff_reader_error(w->preview));
    return writer_keep(w, &e) == NGFF_OK ? w->preview : NULL;
}

typedef struct {
    ngff_writer *writer;
    int32_t (*progress)(void *user, double share);
    void *user;
    char first[900]; /* finding for which it fails */
} verification;

static void keep_finding(void *user, int32_t kind, const char *text)
{
    verification *v = user;
    if (kind != NGFF_FINDING_NOTE && kind != NGFF_FINDING_ADVICE && !v->first[0])
        snprintf(v->first, sizeof v->first, "%s", text);
}

static int32_t tell_progress(void *user, double share)
{
    const verification *v = user;
    error ignored = {0};
    return (!v->progress || v->progress(v->user, share)) && store_goes_on(v->writer->store, &ignored) == NGFF_OK;
}

int32_t ngff_writer_verify(ngff_writer *w, int32_t (*progress)(void *user, double share), void *user)
{
    error e = {0};
    verification v = {w, progress, user, ""};
    ngff_reader *reader = ngff_writer_reader(w);
    int32_t status =
        reader ? ngff_reader_verify(reader, w->plan->n_threads, keep_finding, tell_progress, &v) : w->error.status;
    w->is_verified = status == NGFF_OK;
    if (status == NGFF_E_CANCELLED)
        error_set(&e, status, "cancelled");
    else if (status != NGFF_OK)
        error_set(&e, status, "what was written is not whole, so it was not published: %s", v.first);
    return writer_keep(w, &e);
}

/* metadata_sink: the documents of the store that holds the image beside others; its root's document waits. */
static int32_t put_beside(void *user, const char *key, const void *bytes, size_t n)
{
    sink *to = user;
    store *whole = series_whole(to->writer->store);
    int is_v2 = to->writer->plan->options.version == VERSION_04;
    if (report_object(to->writer->report, "", key, bytes, n, to->error) != NGFF_OK)
        return to->error->status;
    if (strcmp(key, is_v2 ? ".zattrs" : "zarr.json") == 0)
        return hold(&to->writer->collection, key, bytes, n, to->error);
    return whole->ops->put(whole, key, bytes, n, to->error);
}

/* The OME-XML of all images; NULL where one of them can have none. */
static int32_t make_xml(const ngff_writer *w, char **xml)
{
    int n = w->n_series + 1, is_refused = ome_xml_refusal(w->plan) != NULL;
    const struct ngff_plan **plans = calloc((size_t)n, sizeof *plans);
    for (int i = 0; plans && i < n; i++) {
        plans[i] = i == 0 ? w->plan : w->series[i - 1].plan;
        is_refused |= ome_xml_refusal(plans[i]) != NULL;
    }
    if (plans && !is_refused)
        *xml = w->plan->ome_xml ? strdup(w->plan->ome_xml) : ome_xml_make(plans, n);
    free(plans);
    return plans && (*xml || is_refused) ? NGFF_OK : NGFF_E_MEMORY;
}

static int32_t write_collection(ngff_writer *w, error *e)
{
    sink to = {w, e};
    if (!w->plan->prefix[0] || w->first)
        return NGFF_OK;
    if (w->n_whole != w->n_series)
        return error_set(e, NGFF_E_STATE, "image %d of the store is not whole, so it is not published", w->n_series);
    char *xml = NULL;
    if (make_xml(w, &xml) != NGFF_OK)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else
        collection_write(w->plan->options.version, w->n_series + 1, xml, put_beside, &to, e);
    free(xml);
    return e->status;
}

/* The document that makes an image of the objects; of a store of several images those of all, and the one that makes a store
 * of them. */
static int32_t put_roots(ngff_writer *w, error *e)
{
    if (w->first) { /* with the store */
        w->first->series[w->first->n_whole].root = w->root;
        w->root = (held_object){0};
        return NGFF_OK;
    }
    if (w->store->ops->put(w->store, w->root.key, w->root.bytes, w->root.n, e) != NGFF_OK || !w->collection.bytes)
        return e->status;
    store *whole = series_whole(w->store);
    for (int i = 0; i < w->n_series; i++) {
        const held_object *root = &w->series[i].root;
        char key[sizeof root->key + sizeof w->plan->prefix];
        snprintf(key, sizeof key, "%s%s", w->series[i].plan->prefix, root->key);
        if (whole->ops->put(whole, key, root->bytes, root->n, e) != NGFF_OK)
            return e->status;
    }
    return whole->ops->put(whole, w->collection.key, w->collection.bytes, w->collection.n, e);
}

static int32_t write_report(ngff_writer *w, error *e)
{
    const report_end end = {.store_path = w->path,
                            .store = w->store,
                            .stored = w->stored_chunks,
                            .stored_masks = w->stored_mask_chunks,
                            .statistics = w->found,
                            .is_resumed = w->update != NULL};
    return report_finish(w->report, &end, e);
}

/* The report is written before the store is published, so that a place which does not take it leaves neither, and gets
 * its name after, so that a report is never of a store that is not there. */
static void publish(ngff_writer *w, error *e)
{
    if (writer_finish(w) == NGFF_OK && w->plan->options.verify != VERIFY_NO && !w->is_verified)
        ngff_writer_verify(w, NULL, NULL);
    ngff_reader_free(w->preview);
    w->preview = NULL;
    int is_beside = w->plan->image->label_name && w->path;
    if (writer_keep(w, e) != NGFF_OK || write_collection(w, e) != NGFF_OK || write_report(w, e) != NGFF_OK ||
        (is_beside && label_group_mark(w->store, e) != NGFF_OK) || put_roots(w, e) != NGFF_OK)
        return;
    w->is_published = w->store->ops->publish(w->store, e) == NGFF_OK;
    if (w->first && w->is_published) {
        w->first->n_whole++;
        plan_take_told(w->first->plan, w->plan);
    }
    if (w->is_published && is_beside && label_group_list(w->plan, w->path, e) != NGFF_OK)
        return;
    if (w->is_published)
        report_publish(w->report, e);
}

int32_t ngff_writer_close(ngff_writer *w)
{
    error e = {0};
    if (!w)
        return NGFF_E_ARGUMENT;
    if (writer_is_inherited(w))
        return writer_keep(w, &e);
    if (w->is_closed || !w->is_open)
        return w->error.status != NGFF_OK ? w->error.status : NGFF_OK;
    if (w->before)
        change_finish(w, &e);
    else
        publish(w, &e);
    writer_keep(w, &e);
    pthread_mutex_lock(&w->lock);
    w->is_closed = 1;
    pthread_mutex_unlock(&w->lock);
    if (writer_keep(w, &e) != NGFF_OK && !w->is_published)
        writer_give_up(w);
    return w->error.status;
}
