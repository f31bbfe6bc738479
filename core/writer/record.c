/* record.c: see record.h. The record is text. Its first line tells this run apart from any other: a digest of
 * all that the bytes of chunks depend on (sizes, options, nodata, library version) and one of the source's fingerprint.
 * Each further line is one object of level 0 or ("m") of its mask, put before it was noted: its index, its size and the
 * CRC-32C of its bytes. "-" before the index takes that back. Where a store holds several images, labels too, the lines of
 * the second, its own first line among them, begin with "@1 ".
 *
 * A later run trusts an object that has this size and, where reading it again costs no request, these bytes: a power
 * cut leaves files of the right size with something else in them. One that cannot be read for another reason than that
 * it is not there is an error, for it may be whole. The run reads the trusted cells back and gives them to their
 * parents, so that levels and statistics come out as if nothing had happened; all else is made again. A shard is made as
 * a whole, and so is a region that the source decodes at once: what only a part of is trusted is not trusted at all. */
#include "writer/record.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "base/sha256.h"
#include "base/sizes.h"
#include "codec/codec.h"
#include "metadata/metadata.h"
#include "pyramid/order.h"

enum { most_waiting = 4096 };

struct record {
    store *store;
    int rank, is_on;
    char mark[20];        /* that each line begins with */
    char *earlier;        /* what was taken over, of all images of the store; or NULL */
    const char *noted;    /* the lines of it, or of the first image's, that are to be checked; NULL: none */
    pthread_mutex_t lock; /* all below */
    char waiting[most_waiting + 256];
    size_t n_waiting, n_written;
    time_t last;
};

/* -- Who this run is ----------------------------------------------------------------------------------------------- */

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
    add_text(&s, image->label_name);
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

static void identify(const ngff_plan *plan, const char *mark, char line[record_identity_size])
{
    const char *fingerprint = plan->fingerprint ? plan->fingerprint : "";
    uint8_t digest[sha256_size];
    char run[2 * sha256_size + 1], source[2 * sha256_size + 1];
    digest_plan(plan, digest);
    sha256_text(digest, run);
    sha256_of(fingerprint, strlen(fingerprint), digest);
    sha256_text(digest, source);
    snprintf(line, record_identity_size, "%somezarr record 3 %s %s\n", mark, run, source);
}

void record_identify(const ngff_plan *plan, char line[record_identity_size])
{
    identify(plan, "", line);
}

/* -- What an earlier run has done ---------------------------------------------------------------------------------- */

/* Objects of level 0, or of its mask. */
typedef struct {
    int rank;
    int64_t grid[MAX_RANK]; /* objects per axis */
    const char *path;       /* of the array */
    const char **lines;     /* per object the line that counts, behind its index; NULL: none */
    uint8_t *is_trusted;    /* per object */
} objects;

/* Everything about level 0 that the search for trusted cells looks at. */
typedef struct {
    const ngff_plan *plan;
    store *store;
    objects of[2];    /* the pixels, and the mask: without one of no axes */
    uint8_t *is_done; /* per cell */
    const void *settings;
    pthread_mutex_t lock; /* all below */
    int64_t next;         /* object to be looked at */
    error error;
} search;

/* Reads "3,0,12 4711 9ae0c1f2", "m0,12 300 5fe01b22" or "-3,0,12" and keeps where it says the size. */
static void keep_line(search *s, const char *line)
{
    int is_back = *line == '-';
    line += is_back;
    objects *o = &s->of[*line == 'm'];
    line += *line == 'm';
    int64_t index[MAX_RANK] = {0};
    char *end = (char *)line;
    for (int i = 0; i < o->rank; i++) {
        index[i] = strtoll(end + (i > 0), &end, 10);
        if (*end != (i < o->rank - 1 ? ',' : is_back ? '\n' : ' ') || index[i] < 0 || index[i] >= o->grid[i])
            return;
    }
    if (o->rank > 0)
        o->lines[grid_place(o->rank, o->grid, index)] = is_back ? NULL : end;
}

/* Is an object of which the record says " 4711 9ae0c1f2" there, as it was stored? */
static int is_whole(store *from, const char *key, const char *noted, error *e)
{
    char *end = NULL;
    uint64_t expected = strtoull(noted, &end, 10), found = 0;
    uint32_t checksum = (uint32_t)strtoul(end, &end, 16);
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there = 0;
    if (*end != '\n')
        return 0;
    if (expected == 0 || from->ops->is_remote)
        return store_find_size(from, key, &found, &is_there, e) == NGFF_OK &&
               (expected > 0 ? is_there && found == expected : !is_there);
    int has_failed = store_find(from, key, 0, 0, &bytes, &n, &is_there, e) != NGFF_OK;
    int is_same = !has_failed && is_there && n == expected && crc32c(bytes, n) == checksum;
    free(bytes);
    return is_same;
}

static void object_key(const search *s, const objects *o, int64_t number, char key[192])
{
    int64_t index[MAX_RANK] = {0};
    char name[128];
    for (int i = o->rank; i-- > 0; number /= o->grid[i])
        index[i] = number % o->grid[i];
    chunk_key(s->plan->zarr_format, o->rank, index, name);
    snprintf(key, 192, "%s/%s", o->path, name);
}

static int64_t object_count(const objects *o)
{
    return o->rank > 0 ? product_checked(o->grid, o->rank) : 0;
}

/* On any thread, until no object is left, one cannot be read, or the owner is asked to stop. */
static void trust_objects(void *argument)
{
    search *s = argument;
    int64_t n_pixels = object_count(&s->of[0]), n = n_pixels + object_count(&s->of[1]);
    pthread_mutex_lock(&s->lock);
    while (s->next < n && s->error.status == NGFF_OK && store_goes_on(s->store, &s->error) == NGFF_OK) {
        int64_t number = s->next++;
        objects *o = &s->of[number >= n_pixels];
        number -= number < n_pixels ? 0 : n_pixels;
        if (!o->lines[number])
            continue;
        pthread_mutex_unlock(&s->lock);
        char key[192];
        error e = {0};
        object_key(s, o, number, key);
        o->is_trusted[number] = (uint8_t)is_whole(s->store, key, o->lines[number], &e);
        pthread_mutex_lock(&s->lock);
        error_copy(&s->error, &e);
    }
    pthread_mutex_unlock(&s->lock);
}

static void enter_thread(void *user)
{
    const search *s = user;
    store_enter_thread(s->store, s->settings);
}

/* Looks at all objects that are noted, with the threads of the plan. */
static int32_t trust_all(search *s, const char *lines, const char *mark, error *e)
{
    size_t n = strlen(mark);
    for (const char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1)
        if (strncmp(line, mark, n) == 0)
            keep_line(s, line + n); /* which no line with a mark of another image is */
    void *settings = store_settings(s->store);
    s->settings = settings;
    int n_workers = s->plan->n_threads > 1 ? s->plan->n_threads - 1 : 0;
    pool *p = pool_create(n_workers, n_workers + 1, enter_thread, s);
    if (!p)
        error_set(&s->error, NGFF_E_MEMORY, "out of memory");
    for (int i = 0; p && i < n_workers; i++)
        pool_submit(p, trust_objects, s);
    if (p)
        trust_objects(s);
    pool_free(p);
    store_free_settings(s->store, settings);
    return error_copy(e, &s->error);
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
            visit(s, grid_place(rank, base->cell_grid, cell), grid_place(rank, s->of[0].grid, object), changed);
    }
}

static void undo_cell(search *s, int64_t cell, int64_t object, int *changed)
{
    if (s->is_done[cell] && !s->of[0].is_trusted[object]) {
        s->is_done[cell] = 0;
        *changed = 1;
    }
}

static void undo_object(search *s, int64_t cell, int64_t object, int *changed)
{
    if (!s->is_done[cell] && s->of[0].is_trusted[object]) {
        s->of[0].is_trusted[object] = 0;
        *changed = 1;
    }
}

/* A cell without its mask is made again, and puts the mask. */
static void undo_masked(search *s, const int64_t *cell, int *changed)
{
    int rank = s->plan->image->rank;
    uint8_t *is_done = &s->is_done[grid_place(rank, s->plan->levels[0].cell_grid, cell)];
    if (s->of[1].rank == 0 || !*is_done || s->of[1].is_trusted[grid_place(2, s->of[1].grid, cell + rank - 2)])
        return;
    *is_done = 0;
    *changed = 1;
}

static void undo_objects_and_cells(search *s, int *changed)
{
    int64_t cell[MAX_RANK] = {0};
    do {
        undo_masked(s, cell, changed);
        visit_objects(s, cell, changed, undo_cell);
        visit_objects(s, cell, changed, undo_object);
    } while (wanted_next(s->plan, 0, cell));
}

static int is_whole_region(const search *s, const int64_t *first, const int64_t *last)
{
    int64_t cell[MAX_RANK];
    memcpy(cell, first, sizeof cell);
    do
        if (!s->is_done[grid_place(s->plan->image->rank, s->plan->levels[0].cell_grid, cell)])
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
        grid_meet(&region, s->plan->levels[0].cell, first, last);
        if (is_whole_region(s, first, last))
            continue;
        memcpy(cell, first, sizeof cell);
        do {
            uint8_t *is_done = &s->is_done[grid_place(region.rank, s->plan->levels[0].cell_grid, cell)];
            *changed |= *is_done;
            *is_done = 0;
        } while (count_up(region.rank, first, last, cell));
    }
}

static int objects_make(objects *o, const planned_array *a)
{
    const int64_t *object = a->shard ? a->shard : a->chunk;
    o->rank = a->rank;
    o->path = a->path;
    for (int i = 0; i < a->rank; i++)
        o->grid[i] = ceil_div(a->shape[i], object[i]);
    o->lines = calloc((size_t)object_count(o), sizeof *o->lines);
    o->is_trusted = calloc((size_t)object_count(o), 1);
    return o->lines && o->is_trusted;
}

static void objects_release(objects *o)
{
    free(o->lines);
    free(o->is_trusted);
}

/* The cells that are still to be made, once it is known which objects are trusted. */
static void leave_done(search *s, wanted *rest)
{
    for (int changed = 1; changed;) {
        changed = 0;
        undo_objects_and_cells(s, &changed);
        undo_regions(s, &changed);
    }
    for (int l = 0; l < s->plan->n_levels; l++)
        wanted_add_level(rest, l);
    int64_t cell[MAX_RANK] = {0};
    do
        if (s->is_done[grid_place(s->plan->image->rank, s->plan->levels[0].cell_grid, cell)])
            wanted_leave(rest, 0, cell);
    while (wanted_next(s->plan, 0, cell));
}

/* The cells that are still to be made, from the lines of a record. */
static wanted *find_rest(const ngff_plan *plan, store *from, const char *lines, const char *mark, error *e)
{
    search s = {.plan = plan, .store = from};
    int64_t n_cells = product_checked(plan->levels[0].cell_grid, plan->image->rank);
    wanted *rest = wanted_create(plan);
    s.is_done = memory_take(n_cells, 1);
    int is_made = rest && s.is_done && objects_make(&s.of[0], plan_pixels(plan, 0)) &&
                  (!plan->image->has_mask || objects_make(&s.of[1], plan_mask(plan, 0)));
    pthread_mutex_init(&s.lock, NULL);
    if (!is_made)
        error_set(e, NGFF_E_MEMORY, "out of memory");
    else if (trust_all(&s, lines, mark, e) == NGFF_OK) {
        memset(s.is_done, 1, (size_t)n_cells);
        leave_done(&s, rest);
    }
    pthread_mutex_destroy(&s.lock);
    objects_release(&s.of[0]);
    objects_release(&s.of[1]);
    free(s.is_done);
    if (e->status == NGFF_OK)
        return rest;
    wanted_free(rest);
    return NULL;
}

/* -- Begin --------------------------------------------------------------------------------------------------------- */

/* What follows the identity of an earlier run, which must be this one's. */
static const char *noted_behind(const char *text, const char *identity, error *e)
{
    if (strncmp(text, identity, strlen(identity)) == 0)
        return text + strlen(identity);
    error_set(e, NGFF_E_EXISTS,
              "what is there to resume was begun from another source, with other options or by another version; run "
              "without RESUME=YES to begin again");
    return NULL;
}

/* Returns 1 if an earlier run was taken over, 0 if there was none. */
static int32_t take_over(record *r, const ngff_plan *plan, const char *identity, error *e)
{
    store *s = r->store;
    int32_t status = s->writing->resume(s, plan->options.overwrite, &r->earlier, e);
    if (status == 1 && strlen(r->earlier) < strlen(identity) &&
        strncmp(r->earlier, identity, strlen(r->earlier)) == 0) {
        s->writing->abandon(s); /* stopped while it said who it is: nothing is noted */
        free(r->earlier);
        r->earlier = NULL;
        status = 0;
    } else if (status == 1)
        r->noted = noted_behind(r->earlier, identity, e);
    if (status == 1 && e->status != NGFF_OK)
        s->writing->release(s);
    return e->status != NGFF_OK ? e->status : status;
}

/* What of a further image an earlier run has noted; 1 if that said who it is. */
static int32_t take_over_further(record *r, const record *first, int keeps, const char *identity, error *e)
{
    char begin[sizeof r->mark + 8];
    snprintf(begin, sizeof begin, "\n%somezarr", r->mark);
    const char *text = first->earlier ? strstr(first->earlier, begin) : NULL;
    const char *noted = text && strchr(text + 1, '\n') ? noted_behind(text + 1, identity, e) : NULL;
    r->noted = keeps ? noted : NULL;
    return noted || e->status != NGFF_OK;
}

/* first: NULL for the first image of a store. */
static record *begin(const ngff_plan *plan, store *s, const record *first, int number, int keeps, error *e)
{
    char identity[record_identity_size];
    record *r = calloc(1, sizeof *r);
    if (!r) {
        error_set(e, NGFF_E_MEMORY, "out of memory");
        return NULL;
    }
    if (first)
        snprintf(r->mark, sizeof r->mark, "@%d ", number);
    identify(plan, r->mark, identity);
    pthread_mutex_init(&r->lock, NULL);
    r->store = s;
    r->rank = plan->image->rank;
    r->last = time(NULL);
    /* On an object store each note is a request: only where it was asked for. */
    r->is_on = first ? first->is_on : plan->options.resume || !s->ops->is_remote;
    if (plan->options.sync)
        s->writing->set_sync(s);
    int32_t status = first                  ? take_over_further(r, first, keeps, identity, e)
                     : plan->options.resume ? take_over(r, plan, identity, e)
                                            : 0;
    if (status == 0 && s->writing->begin(s, plan->options.overwrite, e) == NGFF_OK && r->is_on &&
        s->writing->note(s, identity, strlen(identity), e) != NGFF_OK)
        s->writing->abandon(s);
    if (e->status == NGFF_OK)
        return r;
    record_free(r);
    return NULL;
}

record *record_begin(const ngff_plan *plan, store *s, error *e)
{
    return begin(plan, s, NULL, 0, 1, e);
}

record *record_begin_further(const ngff_plan *plan, store *s, const record *first, int number, int keeps, error *e)
{
    return begin(plan, s, first, number, keeps, e);
}

int record_has_earlier(const record *r)
{
    return r->noted != NULL;
}

int32_t record_check(record *r, const ngff_plan *plan, wanted **rest, error *e)
{
    *rest = find_rest(plan, r->store, r->noted, r->mark, e);
    return e->status;
}

void record_free(record *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r->earlier);
    free(r);
}

/* -- Notes --------------------------------------------------------------------------------------------------------- */

/* The lock is held. */
static int32_t write_waiting(record *r, error *e)
{
    size_t n = r->n_waiting;
    r->n_waiting = 0;
    r->n_written += n;
    r->last = time(NULL);
    return n > 0 ? r->store->writing->note(r->store, r->waiting, n, e) : NGFF_OK;
}

/* One line; few of them are written at once, so that a small run has a record too, many wait for each other. */
static int32_t note_line(record *r, const char *mark, int rank, const int64_t *index, const char *rest, error *e)
{
    if (!r->is_on)
        return NGFF_OK;
    pthread_mutex_lock(&r->lock);
    r->n_waiting += (size_t)sprintf(r->waiting + r->n_waiting, "%s%s", r->mark, mark);
    for (int i = 0; i < rank; i++)
        r->n_waiting += (size_t)sprintf(r->waiting + r->n_waiting, "%s%" PRId64, i ? "," : "", index[i]);
    r->n_waiting += (size_t)sprintf(r->waiting + r->n_waiting, "%s\n", rest);
    int is_enough = r->n_waiting > most_waiting || r->n_waiting > r->n_written / 8 || time(NULL) > r->last + 1;
    int32_t status = is_enough ? write_waiting(r, e) : NGFF_OK;
    pthread_mutex_unlock(&r->lock);
    return status;
}

int32_t record_stored(record *r, int is_mask, const int64_t *index, const void *bytes, size_t n, error *e)
{
    char rest[64];
    snprintf(rest, sizeof rest, " %zu %08" PRIx32, n, r->is_on && n > 0 ? crc32c(bytes, n) : 0);
    return note_line(r, is_mask ? "m" : "", is_mask ? 2 : r->rank, index, rest, e);
}

int32_t record_take_back(record *r, int is_mask, const int64_t *index, error *e)
{
    int32_t status = note_line(r, is_mask ? "-m" : "-", is_mask ? 2 : r->rank, index, "", e);
    return status == NGFF_OK ? record_flush(r, e) : status;
}

int32_t record_flush(record *r, error *e)
{
    pthread_mutex_lock(&r->lock);
    int32_t status = r->is_on ? write_waiting(r, e) : NGFF_OK;
    pthread_mutex_unlock(&r->lock);
    return status;
}
