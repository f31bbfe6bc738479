/* cut.c: PART=i/n: where the levels are cut, and the plan as bytes, for the program that puts the parts together. A part
 * makes whole units: boxes of pixels of level 0 that hold whole cells and whole shards on every level up to the cut, so
 * that no object is of two parts. The cut is the smallest level that still has four units for each part: what is above it
 * is made in the end, by one program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/orientation.h"
#include "base/pack.h"
#include "base/sha256.h"
#include "base/sizes.h"
#include "base/unit.h"
#include "model/plan_parts.h"

enum { units_per_part = 4 };

/* -- The cut ------------------------------------------------------------------------------------------------------ */

static int64_t common_multiple(int64_t a, int64_t b)
{
    int64_t x = a, y = b;
    while (y > 0) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return size_times(a / x, b);
}

/* The units if levels 0 to l are cut. */
static plan_cut cut_at(const plan *p, int l)
{
    plan_cut cut = {.level = l, .n = 1};
    for (int i = 0; i < p->image->rank; i++) {
        int64_t unit = 1, whole = p->levels[0].shape[i];
        for (int k = 0; k <= l && unit < whole; k++) {
            const level *at = &p->levels[k];
            int64_t object = common_multiple(at->cell[i], at->is_sharded ? at->shard[i] : 1);
            unit = object >= at->shape[i] ? whole : common_multiple(unit, size_times(object, at->factor[i]));
        }
        cut.unit[i] = min_i64(unit, whole);
        cut.grid[i] = ceil_div(whole, cut.unit[i]);
        cut.n = size_times(cut.n, cut.grid[i]);
    }
    return cut;
}

/* Nothing above a level is made from what is below it. */
static int is_clean(const plan *p, int l)
{
    for (int k = l + 1; k < p->n_levels; k++)
        if (p->levels[k].source < l)
            return 0;
    return 1;
}

plan_cut plan_cut_for(const plan *p, int n)
{
    for (int l = p->n_levels - 1; l > 0; l--) {
        plan_cut cut = cut_at(p, l);
        if (is_clean(p, l) && cut.n / units_per_part >= n)
            return cut;
    }
    return cut_at(p, 0);
}

/* -- The plan as bytes --------------------------------------------------------------------------------------------- */

static void pack_channel(pack *p, channel *c)
{
    pack_text(p, &c->label);
    pack_field(p, c->color);
    pack_field(p, c->has_window);
    pack_field(p, c->start);
    pack_field(p, c->end);
    pack_field(p, c->is_inverted);
    pack_field(p, c->has_range);
    pack_field(p, c->min);
    pack_field(p, c->max);
    pack_field(p, c->has_active);
    pack_field(p, c->is_active);
    pack_field(p, c->has_nodata);
    pack_field(p, c->nodata);
    c->color[sizeof c->color - 1] = '\0';
}

/* What an image has beyond its dims, shape and type. */
static void pack_image(pack *p, struct ngff_image *image)
{
    georeference *geo = &image->georeference;
    int64_t n = image->n_attributes;
    pack_field(p, image->scale);
    pack_field(p, image->translation);
    for (int i = 0; i < image->rank; i++) {
        char *unit = (char *)image->unit[i];
        pack_text(p, &unit);
        if (pack_reads(p) && unit) {
            image->unit[i] = unit_name(image->dims[i], unit);
            free(unit);
        }
        char *orientation = (char *)image->orientation[i];
        pack_text(p, &orientation);
        if (pack_reads(p) && orientation) {
            image->orientation[i] = orientation_name(orientation, strlen(orientation));
            free(orientation);
        }
    }
    if (pack_reads(p)) {
        free(image->name);
        image->name = NULL;
    }
    pack_text(p, &image->name);
    pack_field(p, image->view_t);
    pack_field(p, image->view_z);
    pack_field(p, image->has_view_colors);
    pack_field(p, image->kind);
    for (int64_t i = 0; i < image->n_channels; i++)
        pack_channel(p, &image->channels[i]);
    pack_field(p, image->alpha);
    p->is_broken |= image->alpha < -1 || image->alpha >= image->n_channels;
    pack_field(p, image->has_mask);
    pack_text(p, &image->label_colors);
    pack_text(p, &image->label_properties);
    pack_field(p, image->label_is_table);
    pack_field(p, geo->is_set);
    pack_field(p, geo->has_affine);
    pack_field(p, geo->is_geographic);
    pack_field(p, geo->affine);
    pack_text(p, &geo->code);
    pack_text(p, &geo->wkt);
    pack_text(p, &geo->projjson);
    pack_count(p, &n, 1 << 20);
    if (pack_reads(p)) {
        image->attributes = memory_zeroed(n, sizeof *image->attributes);
        image->n_attributes = image->attributes ? (int)n : 0;
        p->is_broken |= !image->attributes;
    }
    for (int i = 0; i < image->n_attributes; i++) {
        pack_text(p, &image->attributes[i].name);
        pack_text(p, &image->attributes[i].json);
    }
}

/* A list of texts; the one that is read ends with NULL. */
static void pack_texts(pack *p, char ***texts, int64_t *n)
{
    pack_count(p, n, 1 << 20);
    if (pack_reads(p))
        *texts = memory_zeroed(*n + 1, sizeof **texts);
    p->is_broken |= !*texts && *n > 0;
    for (int64_t i = 0; i < *n && !p->is_broken; i++)
        pack_text(p, &(*texts)[i]);
}

static void pack_source(pack *p, plan *of)
{
    pack_field(p, of->source_block);
    pack_field(p, of->source_least);
    pack_field(p, of->source_wanted);
    pack_text(p, &of->fingerprint);
}

static pack pack_whole_image(plan *of)
{
    pack p = {0};
    int32_t type = of->image->type->data_type;
    char *kept = of->has_own_kept ? of->kept_attributes : NULL;
    pack_field(&p, of->image->dims);
    pack_field(&p, of->image->shape);
    pack_field(&p, type);
    pack_image(&p, of->image);
    pack_text(&p, &kept);
    return p;
}

int plan_digest_image(plan *of, uint8_t digest[32])
{
    pack p = pack_whole_image(of);
    if (!p.out.is_out)
        sha256_of(p.out.text, p.out.n, digest);
    free(p.out.text);
    return !p.out.is_out;
}

char *plan_pack(plan *of, size_t *n)
{
    pack p = pack_whole_image(of);
    int64_t n_typed = 0, n_losses = of->n_losses;
    while (of->options.typed && of->options.typed[n_typed])
        n_typed++;
    pack_texts(&p, &of->options.typed, &n_typed);
    pack_source(&p, of);
    pack_texts(&p, &of->losses, &n_losses);
    pack_seal(&p);
    *n = p.out.n;
    return p.out.text;
}

static int is_name_of(const char *typed, const char *item)
{
    char name[64], other[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    snprintf(other, sizeof other, "%.*s", (int)strcspn(item, "="), item);
    const char *a = options_canonical(name), *b = options_canonical(other);
    return a && b && strcmp(a, b) == 0;
}

/* What was typed for the parts, but for what is typed now; which must say how to write, and not what. */
static const char **join_options(char **typed, int64_t n, const char *const *options, error *e)
{
    int64_t n_now = 0, at = 0;
    while (options && options[n_now])
        n_now++;
    const char **all = memory_zeroed(n + n_now + 1, sizeof *all);
    if (!all) {
        error_set(e, NGFF_E_MEMORY, "out of memory");
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        int is_other = 0;
        for (int64_t k = 0; k < n_now; k++)
            is_other |= is_name_of(typed[i], options[k]);
        if (!is_other)
            all[at++] = typed[i];
    }
    for (int64_t k = 0; k < n_now; k++) {
        all[at++] = options[k];
        if (is_name_of(options[k], "PART=1/1") || options_is_lasting(options[k]))
            error_set(e, NGFF_E_OPTION, "%s: the parts that are there say this; leave it out", options[k]);
    }
    return all;
}

static void free_texts(char **texts, int64_t n)
{
    for (int64_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

plan *plan_unpack(const void *bytes, size_t n, const char *const *options)
{
    pack p;
    error e = {0};
    char dims[MAX_RANK + 1];
    int64_t shape[MAX_RANK], n_typed = 0, n_losses = 0;
    int32_t type;
    char **typed = NULL, **losses = NULL;
    int is_whole = pack_open(&p, bytes, n);
    plan kept = {0};
    if (!is_whole)
        p = (pack){.from = bytes, .end = bytes}; /* nothing is taken from it */
    pack_field(&p, dims);
    dims[MAX_RANK] = '\0';
    pack_field(&p, shape);
    pack_field(&p, type);
    ngff_image *image = ngff_image_create(dims, shape, type);
    if (image && ngff_image_status(image) == NGFF_OK && !p.is_broken) {
        pack_image(&p, image);
        pack_text(&p, &kept.kept_attributes);
        pack_texts(&p, &typed, &n_typed);
        pack_source(&p, &kept);
        pack_texts(&p, &losses, &n_losses);
    }
    const char **all = join_options(typed, n_typed, options, &e);
    plan *made = ngff_plan_create(image, all);
    ngff_image_free(image);
    free(all);
    if (made && (p.is_broken || !is_whole)) {
        made->error.status = NGFF_OK; /* what it says is a consequence */
        error_set(&made->error, NGFF_E_CORRUPT, "the description of the image is damaged");
    }
    if (made)
        error_copy(&made->error, &e);
    if (made && made->error.status == NGFF_OK &&
        ngff_plan_set_source_memory(made, kept.source_least, kept.source_wanted) == NGFF_OK &&
        ngff_plan_set_source(made, kept.source_block, 1) == NGFF_OK) {
        made->fingerprint = kept.fingerprint;
        kept.fingerprint = NULL;
        for (int64_t i = 0; i < n_losses; i++)
            ngff_plan_add_loss(made, losses[i]);
        if (kept.kept_attributes)
            ngff_plan_set_root_attributes(made, kept.kept_attributes);
    }
    free(kept.kept_attributes);
    free(kept.fingerprint);
    free_texts(typed, n_typed);
    free_texts(losses, n_losses);
    return made;
}
