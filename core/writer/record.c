/* record.c: see record.h. The record is text. Its first line tells this run apart from any other: a digest of
 * all that the bytes of chunks depend on (sizes, options, nodata, library version) and one of the source's fingerprint.
 * Each further line is one object of level 0, put before it was noted: its index and its size.
 *
 * A later run trusts an object if it has that size. It reads the trusted cells back and gives them to their parents, so
 * that levels and statistics come out as if nothing had happened; all else is made again. A shard is made as a whole,
 * and so is a region that the source decodes at once: what only a part of is trusted is not trusted at all. */
#include "record.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metadata.h"
#include "order.h"
#include "sha256.h"

enum { most_waiting = 4096 };

struct record {
    store *store;
    int rank, is_on;
    pthread_mutex_t lock; /* all below */
    char waiting[most_waiting + 256];
    size_t n_waiting;
    time_t last;
};

/* -- Who this run is ----------------------------------------------------------------------------------------------- */

enum { identity_size = 160 };

static void add_text(sha256 *s, const char *text)
{
    sha256_add(s, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* All that the bytes of chunks depend on. Not the description: the new run writes it anew. */
static void digest_plan(const ngff_plan *plan, uint8_t digest[sha256_size])
{
    const struct ngff_image *image = plan->image;
    const int numbers[] = {
        image->type->data_type, image->kind,           (int)image->alpha,         image->has_mask,
        plan->resampling,       plan->codec.compress,  plan->codec.level,         plan->codec.blosc_cname,
        plan->codec.type_size,  plan->options.version, plan->codec.blosc_shuffle, plan->n_levels};
    sha256 s;
    sha256_begin(&s);
    add_text(&s, ngff_version());
    add_text(&s, image->dims);
    sha256_add(&s, numbers, sizeof numbers);
    sha256_add(&s, plan->fill, sizeof plan->fill);
    for (int64_t i = 0; i < image->n_channels; i++) {
        sha256_add(&s, &image->channels[i].has_nodata, sizeof image->channels[i].has_nodata);
        sha256_add(&s, image->channels[i].nodata, sizeof image->channels[i].nodata);
    }
    for (int l = 0; l < plan->n_levels; l++) {
        const level *at = &plan->levels[l];
        add_text(&s, at->path);
        sha256_add(&s, &at->source, sizeof at->source);
        for (int i = 0; i < image->rank; i++) {
            const int64_t sizes[] = {at->shape[i], at->chunk[i], at->shard[i], at->factor[i], at->ratio[i]};
            sha256_add(&s, sizes, sizeof sizes);
        }
    }
    for (char **typed = plan->options.typed; typed && *typed; typed++)
        if (options_is_lasting(*typed))
            add_text(&s, *typed);
    sha256_end(&s, digest);
}

static void identify(const ngff_plan *plan, char line[identity_size])
{
    const char *fingerprint = plan->fingerprint ? plan->fingerprint : "";
    uint8_t digest[sha256_size];
    char run[2 * sha256_size + 1], source[2 * sha256_size + 1];
    digest_plan(plan, digest);
    sha256_text(digest, run);
    sha256_of(fingerprint, strlen(fingerprint), digest);
    sha256_text(digest, source);
    snprintf(line, identity_size, "omezarr record 2 %s %s\n", run, source);
}

/* -- What an earlier run has done ---------------------------------------------------------------------------------- */

/* Everything about level 0 that the search for trusted cells looks at. */
typedef struct {
    const ngff_plan *plan;
    int64_t objects[MAX_RANK]; /* chunks or shards per axis */
    uint8_t *is_trusted;       /* per object */
    uint8_t *is_done;          /* per cell */
} search;

static int64_t place(int rank, const int64_t *grid, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < rank; i++)
        at = at * grid[i] + index[i];
    return at;
}

/* Reads "3,0,12 4711" and trusts the object if it is there with this size. */
static void trust_line(search *s, store *from, const char *line)
{
    const level *base = &s->plan->levels[0];
    int rank = s->plan->image->rank;
    int64_t index[MAX_RANK] = {0};
    char *end = (char *)line, key[192], name[128];
    for (int i = 0; i < rank; i++) {
        index[i] = strtoll(end + (i > 0), &end, 10);
        if (*end != (i < rank - 1 ? ',' : ' ') || index[i] < 0 || index[i] >= s->objects[i])
            return;
    }
    uint64_t expected = strtoull(end, &end, 10), found = 0;
    error ignored = {0};
    metadata_chunk_key(s->plan->options.version, rank, index, name);
    snprintf(key, sizeof key, "%s/%s", base->path, name);
    int is_there; /* one whose size cannot be asked is not trusted */
    int32_t status = store_find_size(from, key, &found, &is_there, &ignored);
    if (status == NGFF_OK && *end == '\n' && (expected > 0 ? is_there && found == expected : !is_there))
        s->is_trusted[place(rank, s->objects, index)] = 1;
}

/* Calls visit with every object that a cell's chunks lie in. */
static void visit_objects(search *s, const int64_t *cell, int *changed,
                          void (*visit)(search *, int64_t, int64_t, int *))
{
    const level *base = &s->plan->levels[0];
    int rank = s->plan->image->rank, c = s->plan->image->channel_axis;
    int64_t n = c < 0 ? 1 : base->cell[c] / base->chunk[c], object[MAX_RANK];
    for (int64_t k = 0; k < n; k++) {
        int is_inside = 1;
        for (int i = 0; i < rank; i++) {
            int64_t chunk = cell[i] * (base->cell[i] / base->chunk[i]) + (i == c ? k : 0);
            object[i] = chunk / (base->shard[i] / base->chunk[i]);
            is_inside &= chunk < base->grid[i];
        }
        if (is_inside)
            visit(s, place(rank, base->cell_grid, cell), place(rank, s->objects, object), changed);
    }
}

static void undo_cell(search *s, int64_t cell, int64_t object, int *changed)
{
    if (s->is_done[cell] && !s->is_trusted[object]) {
        s->is_done[cell] = 0;
        *changed = 1;
    }
}

static void undo_object(search *s, int64_t cell, int64_t object, int *changed)
{
    if (!s->is_done[cell] && s->is_trusted[object]) {
        s->is_trusted[object] = 0;
        *changed = 1;
    }
}

static void undo_objects_and_cells(search *s, int *changed)
{
    int64_t cell[MAX_RANK] = {0};
    do {
        visit_objects(s, cell, changed, undo_cell);
        visit_objects(s, cell, changed, undo_object);
    } while (update_next(s->plan, 0, cell));
}

/* The cells of a region: first and last per axis. */
static void region_cells(const ngff_plan *plan, const box *region, int64_t *first, int64_t *last)
{
    for (int i = 0; i < region->rank; i++) {
        first[i] = region->origin[i] / plan->levels[0].cell[i];
        last[i] = (region->origin[i] + region->extent[i] - 1) / plan->levels[0].cell[i];
    }
}

static int is_whole_region(const search *s, const int64_t *first, const int64_t *last)
{
    int64_t cell[MAX_RANK];
    memcpy(cell, first, sizeof cell);
    do
        if (!s->is_done[place(s->plan->image->rank, s->plan->levels[0].cell_grid, cell)])
            return 0;
    while (count_up(s->plan->image->rank, first, last, cell));
    return 1;
}

static void undo_regions(search *s, int *changed)
{
    order walk;
    box region;
    order_start(&walk, s->plan, 0);
    while (order_next(&walk, &region)) {
        int64_t first[MAX_RANK], last[MAX_RANK], cell[MAX_RANK];
        region_cells(s->plan, &region, first, last);
        if (is_whole_region(s, first, last))
            continue;
        memcpy(cell, first, sizeof cell);
        do {
            uint8_t *is_done = &s->is_done[place(region.rank, s->plan->levels[0].cell_grid, cell)];
            *changed |= *is_done;
            *is_done = 0;
        } while (count_up(region.rank, first, last, cell));
    }
}

/* The cells that are still to be made, from the lines of a record. */
static update *find_rest(const ngff_plan *plan, store *from, const char *lines, error *e)
{
    const level *base = &plan->levels[0];
    int rank = plan->image->rank;
    search s = {.plan = plan};
    for (int i = 0; i < rank; i++)
        s.objects[i] = ceil_div(base->shape[i], base->shard[i]);
    size_t n_cells = (size_t)product_checked(base->cell_grid, rank);
    update *rest = update_create(plan);
    s.is_trusted = calloc((size_t)product_checked(s.objects, rank), 1);
    s.is_done = malloc(n_cells);
    if (rest && s.is_trusted && s.is_done) {
        memset(s.is_done, 1, n_cells);
        for (const char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1)
            trust_line(&s, from, line);
        for (int changed = 1; changed;) {
            changed = 0;
            undo_objects_and_cells(&s, &changed);
            undo_regions(&s, &changed);
        }
        for (int l = 0; l < plan->n_levels; l++)
            update_want_level(rest, l);
        int64_t cell[MAX_RANK] = {0};
        do
            if (s.is_done[place(rank, base->cell_grid, cell)])
                update_leave(rest, 0, cell);
        while (update_next(plan, 0, cell));
    } else {
        error_set(e, NGFF_E_MEMORY, "out of memory");
        update_free(rest);
        rest = NULL;
    }
    free(s.is_trusted);
    free(s.is_done);
    return rest;
}

/* -- Begin --------------------------------------------------------------------------------------------------------- */

/* Returns 1 if an earlier run was taken over, 0 if there was none. */
static int32_t take_over(const ngff_plan *plan, store *s, const char *identity, update **rest, error *e)
{
    char *text = NULL;
    int32_t status = s->ops->resume(s, plan->options.overwrite, &text, e);
    if (status == 1 && strlen(text) < strlen(identity) && strncmp(text, identity, strlen(text)) == 0) {
        s->ops->abandon(s); /* stopped while it said who it is: nothing is noted */
        status = 0;
    } else if (status == 1 && strncmp(text, identity, strlen(identity)) != 0)
        error_set(
            e, NGFF_E_EXISTS,
            "what is there to resume was begun from another source, with other options or by another version; run "
            "without RESUME=YES to begin again");
    else if (status == 1)
        *rest = find_rest(plan, s, text + strlen(identity), e);
    if (status == 1 && e->status != NGFF_OK)
        s->ops->release(s);
    free(text);
    return e->status != NGFF_OK ? e->status : status;
}

record *record_begin(const ngff_plan *plan, store *s, update **rest, error *e)
{
    char identity[identity_size];
    record *r = calloc(1, sizeof *r);
    *rest = NULL;
    if (!r) {
        error_set(e, NGFF_E_MEMORY, "out of memory");
        return NULL;
    }
    identify(plan, identity);
    pthread_mutex_init(&r->lock, NULL);
    r->store = s;
    r->rank = plan->image->rank;
    r->last = time(NULL);
    /* On an object store each note is a request: only where it was asked for. */
    r->is_on = plan->options.resume || !s->ops->is_remote;
    if (plan->options.sync)
        s->ops->set_sync(s);
    int32_t status = plan->options.resume ? take_over(plan, s, identity, rest, e) : 0;
    if (status == 0 && s->ops->begin(s, plan->options.overwrite, e) == NGFF_OK && r->is_on &&
        s->ops->note(s, identity, strlen(identity), e) != NGFF_OK)
        s->ops->abandon(s);
    if (e->status == NGFF_OK)
        return r;
    record_free(r);
    return NULL;
}

void record_free(record *r)
{
    if (r)
        pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -- Notes --------------------------------------------------------------------------------------------------------- */

/* The lock is held. */
static int32_t write_waiting(record *r, error *e)
{
    size_t n = r->n_waiting;
    r->n_waiting = 0;
    r->last = time(NULL);
    return n > 0 ? r->store->ops->note(r->store, r->waiting, n, e) : NGFF_OK;
}

int32_t record_stored(record *r, const int64_t *index, size_t n, error *e)
{
    if (!r->is_on)
        return NGFF_OK;
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < r->rank; i++)
        r->n_waiting += (size_t)sprintf(r->waiting + r->n_waiting, "%s%" PRId64, i ? "," : "", index[i]);
    r->n_waiting += (size_t)sprintf(r->waiting + r->n_waiting, " %zu\n", n);
    int32_t status = r->n_waiting > most_waiting || time(NULL) > r->last + 1 ? write_waiting(r, e) : NGFF_OK;
    pthread_mutex_unlock(&r->lock);
    return status;
}

int32_t record_flush(record *r, error *e)
{
    pthread_mutex_lock(&r->lock);
    int32_t status = r->is_on ? write_waiting(r, e) : NGFF_OK;
    pthread_mutex_unlock(&r->lock);
    return status;
}
