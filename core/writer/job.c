/* job.c: see job.h. The name of a job is a digest of all that the bytes of the store depend on, and of the number of its
 * parts: so programs that have never heard of each other know that they make one store. What they write does not depend
 * on who writes it, and each object is put at once. So a part may be made again, by another machine, before the first
 * has given up. */
#include "writer/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/sizes.h"
#include "metadata/metadata.h"

static const char description_name[] = "record";

static int32_t out_of_memory(error *e)
{
    return error_set(e, NGFF_E_MEMORY, "out of memory");
}

static int32_t name_job(ngff_plan *plan, char name[64], error *e)
{
    uint8_t image[sha256_size], digest[sha256_size];
    char identity[record_identity_size], hex[2 * sha256_size + 1];
    sha256 s;
    if (!plan_digest_image(plan, image))
        return out_of_memory(e);
    record_identify(plan, identity);
    sha256_begin(&s);
    sha256_add(&s, identity, strlen(identity));
    sha256_add(&s, image, sizeof image);
    sha256_add(&s, &plan->options.part.n, sizeof plan->options.part.n);
    sha256_end(&s, digest);
    sha256_text(digest, hex);
    snprintf(name, 64, "%.32s", hex);
    return NGFF_OK;
}

static void name_record(int i, char name[32])
{
    snprintf(name, 32, "record.%d", i);
}

/* -- What a part has found ------------------------------------------------------------------------------------------ */

/* Masks that many cells bring: all must be the same, here as elsewhere. Returns 0 for one that is another. */
static int pack_masks(pack *p, ngff_writer *w, int l)
{
    const level *at = &w->plan->levels[l];
    int64_t n = w->masks_seen[l] ? product_checked(at->grid + w->plan->image->rank - 2, 2) : 0;
    for (int64_t k = 0, is_more = 1; is_more && !p->is_broken; k++) {
        uint64_t *seen = w->masks_seen[l];
        while (!pack_reads(p) && k < n && !(seen[k] & mask_is_known))
            k++;
        uint64_t one = !pack_reads(p) && k < n ? seen[k] : 0;
        pack_field(p, k);
        pack_field(p, one);
        is_more = one != 0;
        p->is_broken |= is_more && (k < 0 || k >= n);
        if (!pack_reads(p) || !is_more || p->is_broken)
            continue;
        if ((seen[k] & mask_is_known) && (uint32_t)seen[k] != (uint32_t)one && at->source < 0)
            return 0;
        seen[k] |= one;
    }
    return 1;
}

/* What was told of the source while a part was read. */
static void pack_losses(pack *p, ngff_plan *plan)
{
    int64_t n = plan->n_losses;
    pack_count(p, &n, 1 << 20);
    for (int64_t i = 0; i < n && !p->is_broken; i++) {
        char *text = pack_reads(p) ? NULL : plan->losses[i];
        int is_known = 0;
        pack_text(p, &text);
        for (int k = 0; pack_reads(p) && text && k < plan->n_losses; k++)
            is_known |= strcmp(plan->losses[k], text) == 0;
        if (pack_reads(p) && text && !is_known)
            ngff_plan_add_loss(plan, text);
        if (pack_reads(p))
            free(text);
    }
}

static void pack_found(pack *p, ngff_writer *w, int *has_digests, error *e)
{
    int64_t n_arrays = w->plan->n_arrays;
    chunk_set none = {0};
    pack_count(p, &n_arrays, w->plan->n_arrays);
    for (int i = 0; i < n_arrays; i++)
        chunk_set_pack(p, w->stored_chunks ? &w->stored_chunks[i] : &none);
    for (int l = 0; l < w->plan->n_levels; l++)
        if (!pack_masks(p, w, l))
            error_set(e, NGFF_E_ARGUMENT,
                      "the masks of two parts differ: an image has one mask for all its channels and planes");
    if (w->statistics)
        statistics_pack(p, w->statistics);
    label_values_pack(p, w->labels);
    pack_losses(p, w->plan);
    report_pack(p, w->report, has_digests);
}

/* -- A part -------------------------------------------------------------------------------------------------------- */

static int32_t check_part(const ngff_writer *w, error *e)
{
    const ngff_plan *plan = w->plan;
    const char *why = !w->store->writing->jobs  ? "goes to a folder or an object store"
                      : plan->image->label_name ? "is of a whole store, not of a label image beside an image"
                      : w->mode != MODE_PULL    ? "needs a source that can be read again, as gdal_translate does"
                                                : NULL;
    if (!why && plan->is_unfilled)
        why = "has pixels, which do not come later";
    for (int l = 1; l < plan->n_levels && !why; l++)
        if (plan->levels[l].source < 0)
            why = "makes the levels; it does not take them from the source";
    return why ? error_set(e, NGFF_E_OPTION, "PART=%d/%d %s", plan->options.part.i, plan->options.part.n, why)
               : NGFF_OK;
}

/* The plan is there for whoever puts the parts together. */
static int32_t keep_plan(ngff_writer *w, error *e)
{
    const store_jobs *jobs = w->store->writing->jobs;
    int is_there;
    size_t n = 0;
    if (jobs->kept(w->store, description_name, NULL, NULL, &is_there, e) != NGFF_OK || is_there)
        return e->status;
    char *bytes = plan_pack(w->plan, &n);
    if (bytes)
        jobs->keep(w->store, description_name, bytes, n, e);
    else
        out_of_memory(e);
    free(bytes);
    return e->status;
}

int32_t job_open_part(ngff_writer *w, error *e)
{
    char name[64];
    const store_jobs *jobs = w->store->writing->jobs;
    if (check_part(w, e) != NGFF_OK || report_begin_part(w->plan, &w->report, e) != NGFF_OK ||
        name_job(w->plan, name, e) != NGFF_OK)
        return e->status;
    if (!(w->part = part_create(w->plan)))
        return out_of_memory(e);
    if (w->plan->options.sync)
        w->store->writing->set_sync(w->store);
    if (jobs->join(w->store, name, w->plan->options.overwrite, e) != NGFF_OK)
        return e->status;
    if (keep_plan(w, e) == NGFF_OK && writer_start_pass(w, e) == NGFF_OK)
        w->phase = PHASE_OPEN;
    else
        w->store->writing->abandon(w->store);
    return e->status;
}

int32_t job_close_part(ngff_writer *w, error *e)
{
    pack p = {0};
    char name[32];
    int has_digests;
    if (writer_finish(w) != NGFF_OK)
        return w->error.status;
    pack_found(&p, w, &has_digests, e);
    name_record(w->plan->options.part.i, name);
    if (!pack_seal(&p))
        out_of_memory(e);
    else if (w->store->writing->jobs->keep(w->store, name, p.out.text, p.out.n, e) == NGFF_OK) {
        w->store->writing->abandon(w->store); /* only what is this program's */
        writer_enter(w, PHASE_PUBLISHED);
    }
    free(p.out.text);
    return e->status;
}

/* -- All parts ----------------------------------------------------------------------------------------------------- */

static int32_t read_part(ngff_writer *w, int i, error *e)
{
    char name[32];
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there, has_digests = 0;
    pack p;
    name_record(i, name);
    if (store_goes_on(w->store, e) != NGFF_OK ||
        w->store->writing->jobs->kept(w->store, name, &bytes, &n, &is_there, e) != NGFF_OK)
        return e->status;
    int is_whole = is_there && pack_open(&p, bytes, n);
    if (is_whole)
        pack_found(&p, w, &has_digests, e);
    if (!is_whole || p.is_broken)
        error_set(e, NGFF_E_CORRUPT, "the record of part %d is damaged; make that part again", i);
    else if (w->report && !has_digests)
        error_set(e, NGFF_E_OPTION, "REPORT: part %d was made without it, so that its digests are not known", i);
    free(bytes);
    return e->status;
}

/* The level that the parts have made last goes through the pass, in the order of their units. */
static int32_t feed(ngff_writer *w, const plan_cut *cut, error *e)
{
    const level *at = &w->plan->levels[cut->level];
    int rank = w->plan->image->rank;
    order walk;
    box unit;
    order_start_tiles(&walk, rank, w->plan->levels[0].shape, cut->unit);
    while (writer_keep(w, e) == NGFF_OK && order_next(&walk, &unit)) {
        int64_t first[MAX_RANK], last[MAX_RANK], index[MAX_RANK];
        int is_inside = 1;
        for (int i = 0; i < rank; i++) {
            unit.origin[i] /= at->factor[i];
            unit.extent[i] = min_i64(ceil_div(unit.extent[i], at->factor[i]), at->shape[i] - unit.origin[i]);
            is_inside &= unit.extent[i] > 0;
        }
        if (!is_inside)
            continue;
        grid_meet(&unit, at->cell, first, last);
        memcpy(index, first, sizeof index);
        do
            cascade_supply(w->cascade, cut->level, index, e);
        while (e->status == NGFF_OK && count_up(rank, first, last, index));
    }
    return e->status;
}

int32_t job_join(ngff_writer *w, error *e)
{
    plan_cut cut = plan_cut_for(w->plan, w->plan->options.part.n);
    w->wanted = wanted_create(w->plan);
    for (int l = cut.level + 1; w->wanted && l < w->plan->n_levels; l++)
        wanted_add_level(w->wanted, l);
    if (!w->wanted)
        return out_of_memory(e);
    if (writer_start_pass(w, e) != NGFF_OK)
        return e->status;
    for (int i = 1; i <= w->plan->options.part.n && e->status == NGFF_OK; i++)
        read_part(w, i, e);
    if (e->status != NGFF_OK)
        return e->status;
    written_expect(w->written, w->stored_chunks);
    return cut.level + 1 < w->plan->n_levels ? feed(w, &cut, e) : NGFF_OK;
}

/* All parts must be there. */
static int32_t check_parts(store *s, int n, error *e)
{
    char list[200] = "";
    size_t at = 0;
    int n_missing = 0;
    for (int i = 1; i <= n; i++) {
        char name[32];
        int is_there;
        name_record(i, name);
        if (s->writing->jobs->kept(s, name, NULL, NULL, &is_there, e) != NGFF_OK)
            return e->status;
        if (is_there)
            continue;
        n_missing++;
        if (at + 20 < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%d", at ? ", " : "", i);
        else if (strcmp(list + at - 3, "...") != 0)
            at += (size_t)snprintf(list + at, sizeof list - at, " ...");
    }
    return n_missing == 0
               ? NGFF_OK
               : error_set(e, NGFF_E_STATE, "%s: %d of %d parts are missing: %s", s->path, n_missing, n, list);
}

/* The plan of the job, which its parts have left. */
static ngff_plan *read_plan(store *s, const char *job, const char *const *options, error *e)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int is_there;
    char name[64] = "";
    if (s->writing->jobs->kept(s, description_name, &bytes, &n, &is_there, e) != NGFF_OK)
        return NULL;
    if (!is_there) {
        error_set(e, NGFF_E_STATE, "%s: no part has begun", s->path);
        return NULL;
    }
    ngff_plan *plan = plan_unpack(bytes, n, options);
    free(bytes);
    if (!plan || (plan->error.status == NGFF_OK && name_job(plan, name, e) != NGFF_OK))
        out_of_memory(e);
    else if (error_copy(e, &plan->error) == NGFF_OK && strcmp(name, job) != 0)
        error_set(e, NGFF_E_OPTION,
                  "%s: the parts were made by another version of this library (this one is %s), or MEMORY lets it plan "
                  "other chunks here",
                  s->path, ngff_version());
    return plan;
}

/* Takes the job, and its plan. *is_published: there is nothing left to do. */
static ngff_plan *take(store *s, const char *const *options, int *is_published, error *e)
{
    char job[64];
    int is_there = 0;
    ngff_plan *plan = NULL;
    *is_published = 0;
    if (!s->writing || !s->writing->jobs || s->writing->jobs->find(s, job, &is_there, e) != NGFF_OK || !is_there) {
        error_set(e, NGFF_E_NOT_FOUND, "%s: no parts are there to be put together", s->path);
        return NULL;
    }
    if (s->writing->jobs->take(s, job, is_published, e) != NGFF_OK)
        return NULL;
    if (*is_published)
        s->writing->jobs->abandon_all(s, e);
    else if ((plan = read_plan(s, job, options, e)) && e->status == NGFF_OK &&
             check_parts(s, plan->options.part.n, e) == NGFF_OK)
        s->writing->jobs->allow(s, plan->options.overwrite, e);
    if (e->status != NGFF_OK)
        s->writing->abandon(s);
    return plan;
}

ngff_writer *ngff_writer_open_finish(const char *path, const char *const *options)
{
    error e = {0};
    int is_published = 0;
    char *place = path ? store_path_of(path) : NULL;
    store *s = place ? store_open(place) : NULL;
    ngff_plan *plan = s ? take(s, options, &is_published, &e) : NULL;
    if (s && !plan)
        plan = ngff_plan_create(NULL, NULL); /* for a writer that says why not */
    if (plan)
        plan->error = e;
    ngff_writer *w = plan ? writer_make(plan, s, place) : NULL;
    if (w && w->error.status == NGFF_OK) {
        w->mode = MODE_JOIN;
        w->phase = is_published ? PHASE_CLOSED : PHASE_OPEN;
        if (plan->options.sync && !is_published)
            s->writing->set_sync(s);
        if (!is_published && report_begin(plan, place, &w->report, &w->error) != NGFF_OK) {
            w->phase = PHASE_REFUSED;
            s->writing->abandon(s);
        }
    }
    if (s && !plan)
        s->ops->free(s);
    ngff_plan_free(plan);
    free(place);
    return w;
}

/* -- For people ---------------------------------------------------------------------------------------------------- */

static int32_t say(const error *e, char *text, int64_t room)
{
    if (text && room > 0)
        snprintf(text, (size_t)room, "%s", e->message);
    return e->status;
}

int32_t ngff_parts_status(const char *path, uint8_t *is_made, int32_t n_most, char *message, int64_t room)
{
    error e = {0};
    char job[64];
    int is_there = 0, n = 0;
    char *place = path ? store_path_of(path) : NULL;
    store *s = place ? store_open(place) : NULL;
    if (!s)
        out_of_memory(&e);
    else if (s->writing && s->writing->jobs && s->writing->jobs->find(s, job, &is_there, &e) == NGFF_OK && is_there &&
             s->writing->jobs->look(s, job, &e) == NGFF_OK) {
        ngff_plan *plan = read_plan(s, job, NULL, &e);
        n = plan && e.status == NGFF_OK ? plan->options.part.n : 0;
        ngff_plan_free(plan);
        for (int i = 1; i <= n && i <= n_most && e.status == NGFF_OK; i++) {
            char name[32];
            name_record(i, name);
            s->writing->jobs->kept(s, name, NULL, NULL, &is_there, &e);
            is_made[i - 1] = (uint8_t)is_there;
        }
    }
    if (s)
        s->ops->free(s);
    free(place);
    return e.status == NGFF_OK ? n : say(&e, message, room);
}

int32_t ngff_parts_abandon(const char *path, char *message, int64_t room)
{
    error e = {0};
    char job[64];
    int is_there = 0, is_published;
    char *place = path ? store_path_of(path) : NULL;
    store *s = place ? store_open(place) : NULL;
    if (!s)
        out_of_memory(&e);
    else if (!s->writing || !s->writing->jobs || s->writing->jobs->find(s, job, &is_there, &e) != NGFF_OK || !is_there)
        error_set(&e, NGFF_E_NOT_FOUND, "%s: no parts are there", s->path);
    else if (s->writing->jobs->take(s, job, &is_published, &e) == NGFF_OK)
        s->writing->jobs->abandon_all(s, &e);
    if (s)
        s->ops->free(s);
    free(place);
    return say(&e, message, room);
}
