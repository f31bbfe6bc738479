/* close.c: the end of a run. Close waits for the jobs, completes cells that never got all their children, writes the
 * metadata, and publishes; a failed or cancelled run is given up. Between the last pixel and the root's document the
 * store can be looked at as its readers will see it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "metadata/collection.h"
#include "metadata/label.h"
#include "metadata/ome_xml.h"
#include "reader/reader.h"
#include "writer/job.h"
#include "writer/label_group.h"
#include "writer/writer.h"

/* A folder of the store that is made: of an image, or of them all. */
typedef struct {
    ngff_writer *writer;
    store *store;
    const char *prefix; /* of its keys */
    held_object *root;
    error *error;
} sink;

/* The root's own document waits: with it the store is an image. */
static int32_t hold(held_object *root, const char *key, const void *bytes, size_t n, error *e)
{
    uint8_t *copy = malloc(n + 1);
    if (!copy)
        return error_set(e, NGFF_E_MEMORY, "out of memory for %s", key);
    memcpy(copy, bytes, n);
    copy[n] = '\0';
    free(root->bytes);
    root->bytes = copy;
    root->n = n;
    snprintf(root->key, sizeof root->key, "%s", key);
    return NGFF_OK;
}

/* document_sink */
static int32_t put_document(void *user, const char *key, const void *bytes, size_t n)
{
    const sink *to = user;
    ngff_writer *w = to->writer;
    int is_v2 = w->plan->zarr_format == ZARR_2;
    if (store_goes_on(w->store, to->error) != NGFF_OK ||
        report_object((w->first ? w->first : w)->report, to->prefix, key, bytes, n, to->error) != NGFF_OK)
        return to->error->status;
    if (strcmp(key, is_v2 ? ".zattrs" : "zarr.json") == 0)
        return hold(to->root, key, bytes, n, to->error);
    return to->store->writing->put(to->store, key, bytes, n, to->error);
}

int32_t writer_summarise(ngff_writer *w, const channel_summary **summaries, error *e)
{
    chunk_source from = {w->written, written_chunk, written_mask};
    if (w->mode != MODE_CHANGE)
        written_expect(w->written, w->stored_chunks); /* what has passed must be there */
    return statistics_finish(w->statistics, &from, summaries, e);
}

const char *const stored_names[4] = {"stored_chunks", "empty_chunks", "stored_mask_chunks", "empty_mask_chunks"};

int writer_stored_members(const ngff_writer *w, late_member *late, char **texts)
{
    static const size_t most_empty_text = 48 << 10; /* more is not worth it: then only the counts are kept */
    int n = 0;
    for (int i = 0; i < 4; i++) {
        int first = i < 2 ? 0 : w->plan->n_levels;
        const chunk_set *sets = w->stored_chunks && first < w->plan->n_arrays ? w->stored_chunks + first : NULL;
        char *text = !sets || !sets->bits ? NULL
                     : i % 2 == 0         ? stored_counts_text(sets, w->plan->n_levels)
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
    sink to = {w, w->store, w->prefix, &w->root, e};
    late_member late[5];
    char *texts[5];
    int n_late = writer_stored_members(w, late, texts);
    int32_t is_label = writer_label_member(w, &late[n_late], &texts[n_late], e);
    n_late += is_label == 1;
    int32_t status =
        is_label < 0 ? is_label : metadata_write_late(w->plan, summaries, late, n_late, put_document, &to, e);
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
        w->store->writing->release(w->store);
    else
        w->store->writing->abandon(w->store);
}

int32_t writer_finish(ngff_writer *w)
{
    error e = {0};
    if (w->phase != PHASE_OPEN)
        return w->error.status;
    writer_enter(w, PHASE_FINISHED);
    writer_begin_pass(w, &e);
    if (w->mode == MODE_PUSH && w->error.status == NGFF_OK && writer_start_pass(w, &e) == NGFF_OK)
        drain(w, &e);
    if (w->mode == MODE_JOIN && w->error.status == NGFF_OK)
        job_join(w, &e);
    if (writer_keep(w, &e) == NGFF_OK)
        cascade_finish(w->cascade);
    else if (w->pool)
        pool_wait(w->pool);
    if (writer_keep(w, &e) == NGFF_OK && shards_finish(w->shards, &e) == NGFF_OK && !w->part)
        write_metadata(w, &e);
    return writer_keep(w, &e);
}

ngff_reader *ngff_writer_reader(ngff_writer *w)
{
    error e = {0};
    if (w->part)
        error_set(&e, NGFF_E_STATE, "a part is not looked at: the parts are an image when they are put together");
    if (!writer_is_open(w) || w->mode == MODE_CHANGE)
        error_set(&e, NGFF_E_STATE,
                  w->mode == MODE_CHANGE ? "a change in place is not looked at before" : "the writer is not open");
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
    if (w->part) /* what it has stored is verified where the parts are put together */
        return writer_finish(w);
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

/* The document that makes an image of the objects of a further one. */
static int32_t put_root(const ngff_writer *w, const further_image *one, error *e)
{
    store *whole = writer_whole(w);
    char key[sizeof one->root.key + sizeof one->prefix];
    snprintf(key, sizeof key, "%s%s", one->prefix, one->root.key);
    return whole->writing->put(whole, key, one->root.bytes, one->root.n, e);
}

/* The n label images from this one on are of the image before: their own documents, which their list and the copies of the
 * image's are made of. */
static int32_t list_labels_of(ngff_writer *w, int at, int n, error *e)
{
    further_image *labels = w->series + at, *image = at > 0 ? labels - 1 : NULL;
    const char *prefix = image ? image->prefix : w->prefix;
    store *s = image ? series_open(writer_whole(w), prefix, 0) : w->store;
    const char **names = calloc((size_t)n, sizeof *names);
    sink to = {w, s, prefix, image ? &image->root : &w->root, e};
    if (!s || !names)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    for (int i = 0; i < n && e->status == NGFF_OK; i++) {
        names[i] = labels[i].plan->image->label_name + strlen("labels/");
        put_root(w, &labels[i], e);
    }
    if (e->status == NGFF_OK)
        label_group_make(s, w->plan->options.version, names, n, (const char *)to.root->bytes, put_document, &to, e);
    free(names);
    if (image && s)
        s->ops->free(s);
    return e->status;
}

static int32_t list_labels(ngff_writer *w, error *e)
{
    for (int i = 0, n; i < w->n_series && e->status == NGFF_OK; i += n + 1) {
        for (n = 0; i + n < w->n_series && w->series[i + n].is_label;)
            n++;
        if (n > 0)
            list_labels_of(w, i, n, e);
    }
    return e->status;
}

/* The plans of all images that are no label images. Returns how many, or NGFF_E_MEMORY. */
static int32_t plans_of_images(const ngff_writer *w, const ngff_plan ***plans)
{
    int n = 0;
    *plans = calloc((size_t)w->n_series + 1, sizeof **plans);
    if (!*plans)
        return NGFF_E_MEMORY;
    (*plans)[n++] = w->plan;
    for (int i = 0; i < w->n_series; i++)
        if (!w->series[i].is_label)
            (*plans)[n++] = w->series[i].plan;
    return n;
}

/* The OME-XML of all images; NULL where one of them can have none. */
static int32_t make_xml(const ngff_plan **plans, int n, char **xml)
{
    for (int i = 0; i < n; i++)
        if (plan_ome_refusal(plans[i]))
            return NGFF_OK;
    *xml = plans[0]->ome_xml ? strdup(plans[0]->ome_xml) : ome_xml_make(plans, n);
    return *xml ? NGFF_OK : NGFF_E_MEMORY;
}

/* What makes one store of several images. */
static int32_t write_collection(ngff_writer *w, error *e)
{
    sink to = {w, writer_whole(w), "", &w->collection, e};
    const ngff_plan **plans = NULL;
    char *xml = NULL;
    if (w->first)
        return NGFF_OK;
    if (w->n_whole != w->n_series)
        return error_set(e, NGFF_E_STATE, "image %d of the store is not whole, so it is not published", w->n_series);
    if (list_labels(w, e) != NGFF_OK || !w->prefix[0])
        return e->status;
    int32_t n = plans_of_images(w, &plans);
    if (n < 0 || make_xml(plans, n, &xml) != NGFF_OK)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else
        collection_write(w->plan->options.version, n, xml, put_document, &to, e);
    free(xml);
    free(plans);
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
    for (int i = 0; i < w->n_series; i++)
        if (!w->series[i].is_label && put_root(w, &w->series[i], e) != NGFF_OK)
            return e->status;
    if (w->store->writing->put(w->store, w->root.key, w->root.bytes, w->root.n, e) != NGFF_OK || !w->collection.bytes)
        return e->status;
    store *whole = writer_whole(w);
    return whole->writing->put(whole, w->collection.key, w->collection.bytes, w->collection.n, e);
}

static int32_t write_report(ngff_writer *w, error *e)
{
    const report_end end = {.store_path = w->path,
                            .store = w->store,
                            .stored = w->stored_chunks,
                            .statistics = w->found,
                            .is_resumed = w->wanted != NULL && w->mode == MODE_PULL};
    return report_finish(w->report, &end, e);
}

int32_t writer_verify(ngff_writer *w)
{
    if (writer_finish(w) == NGFF_OK && w->plan->options.verify != VERIFY_NO && !w->is_verified)
        ngff_writer_verify(w, NULL, NULL);
    return w->error.status;
}

/* The report is written before the store is published, so that a place which does not take it leaves neither, and gets
 * its name after, so that a report is never of a store that is not there. */
static void publish(ngff_writer *w, error *e)
{
    writer_verify(w);
    ngff_reader_free(w->preview);
    w->preview = NULL;
    int is_beside = w->plan->image->label_name && w->path && !w->first;
    if (writer_keep(w, e) != NGFF_OK || write_collection(w, e) != NGFF_OK || write_report(w, e) != NGFF_OK ||
        (is_beside && label_group_mark(w->store, e) != NGFF_OK) || put_roots(w, e) != NGFF_OK)
        return;
    if (w->store->writing->publish(w->store, e) != NGFF_OK)
        return;
    writer_enter(w, PHASE_PUBLISHED);
    if (w->first) {
        char name[sizeof w->prefix + 16];
        snprintf(name, sizeof name, "%s%.*s", w->plan->image->label_name ? "label image " : "image ",
                 (int)strlen(w->prefix) - 1, w->prefix);
        w->first->n_whole++;
        plan_take_told(w->first->plan, w->plan, name);
    }
    if (!is_beside || label_group_list(w->plan, w->path, e) == NGFF_OK)
        report_publish(w->report, e);
}

int32_t ngff_writer_close(ngff_writer *w)
{
    error e = {0};
    if (!w)
        return NGFF_E_ARGUMENT;
    if (writer_is_inherited(w))
        return writer_keep(w, &e);
    if (!writer_is_open(w))
        return w->error.status;
    if (w->mode == MODE_CHANGE)
        change_finish(w, &e);
    else if (w->part)
        job_close_part(w, &e);
    else
        publish(w, &e);
    int is_published = w->phase == PHASE_PUBLISHED;
    writer_keep(w, &e);
    writer_enter(w, PHASE_CLOSED);
    if (w->error.status != NGFF_OK && !is_published)
        writer_give_up(w);
    return w->error.status;
}
