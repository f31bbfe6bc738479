/* test_change.c: a store that is changed in place holds the objects that a new store of the same pixels and description
 * holds, statistics and windows included, whatever part was written to. */
#include <stdlib.h>

#include "metadata/metadata.h"
#include "pictures.h"

/* -- Stores that live longer than their writer --------------------------------------------------------------------- */

static snapshot pulled(const picture *p, ngff_plan *plan, const uint8_t *pixels, const uint8_t *mask)
{
    store *s = store_memory_open();
    writing w = {p, pixels, mask, writer_open_store(plan, s)};
    write_all(&w, BY_MAP);
    CHECK_INT(ngff_writer_close(w.writer), NGFF_OK);
    snapshot result = take_snapshot(s);
    ngff_writer_free(w.writer);
    return result;
}

static int is_root_document(const char *key)
{
    return !strchr(key, '/');
}

/* Root documents hold statistics and windows; all else must be equal. */
static void drop_root_documents(snapshot *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (is_root_document(s->objects[i].key) && strcmp(s->objects[i].key, STORE_DIRTY_KEY) != 0) {
            free(s->objects[i].key);
            free(s->objects[i].bytes);
        } else
            s->objects[n++] = s->objects[i];
    s->n = n;
}

/* Replaces some boxes of the image, and the mask there; box 0 is one pixel, box 1 becomes zeros, the others are any. */
static void change_some(const picture *p, uint8_t *pixels, uint8_t *mask, uint64_t seed, ngff_writer *writer)
{
    int rank = rank_of(p);
    int64_t strides[MAX_RANK], zero[MAX_RANK] = {0}, size = ngff_type_size(p->type);
    strides_dense(rank, p->shape, size, strides);
    for (int k = 0; k < 3; k++) {
        int64_t origin[MAX_RANK], extent[MAX_RANK];
        for (int i = 0; i < rank; i++) {
            uint64_t turn = seed * 1000 + (uint64_t)(k * 10 + i);
            origin[i] = mixed(turn) % p->shape[i];
            extent[i] = k == 0 ? 1 : 1 + mixed(turn + 500) % min_i64(p->shape[i] - origin[i], 20);
        }
        int64_t n = volume_of(rank, extent), at[MAX_RANK] = {0};
        for (int64_t i = 0; i < n; i++, next_position(rank, extent, at)) {
            uint8_t *to =
                pixels + strides_offset(rank, strides, zero, origin) + strides_offset(rank, strides, zero, at);
            store_pixel(p->type, p->kind == NGFF_KIND_LABEL ? (uint32_t)i % 4 : mixed(seed + (uint64_t)i * 7), to);
            if (k == 1)
                memset(to, 0, (size_t)size);
            if (mask)
                mask[(origin[rank - 2] + at[rank - 2]) * p->shape[rank - 1] + origin[rank - 1] + at[rank - 1]] = k != 1;
        }
        writing w = {p, pixels, mask, writer};
        CHECK_INT(write_region(&w, origin, extent), NGFF_OK);
    }
}

static void a_changed_store_is_that_of_the_changed_pixels(void)
{
    for (int i = 0; i < n_pictures; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            const picture *p = &pictures[i];
            ngff_plan *plan = make_plan(p, seed == 2 ? "NUM_THREADS=0" : "NUM_THREADS=2");
            if (seed == 3)
                plan->options.memory_bytes = 2000;
            uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
            snapshot before = pulled(p, plan, pixels, mask);
            store *s = store_of(&before);
            ngff_writer *w = writer_update_store(plan, s);
            CHECK_INT(ngff_writer_status(w), NGFF_OK);
            change_some(p, pixels, mask, seed, w);
            CHECK_INT(ngff_writer_close(w), NGFF_OK);
            if (ngff_writer_status(w) != NGFF_OK)
                fprintf(stderr, "%s: %s\n", p->name, ngff_writer_error(w));
            snapshot found = take_snapshot(s), expected = pulled(p, plan, pixels, mask);
            CHECK(same_snapshots(&expected, &found, p->name));
            free_snapshot(&before);
            free_snapshot(&found);
            free_snapshot(&expected);
            ngff_writer_free(w);
            ngff_plan_free(plan);
            free(pixels);
            free(mask);
        }
}

/* The first object of level 0, or of its mask; NULL where it is left out. */
static const char *first_object(const ngff_plan *plan, const snapshot *all, int is_mask)
{
    static char key[192];
    static const int64_t zero[MAX_RANK];
    const planned_array *a = is_mask ? plan_mask(plan, 0) : plan_pixels(plan, 0);
    char name[128];
    chunk_key(plan->zarr_format, a->rank, zero, name);
    snprintf(key, sizeof key, "%s/%s", a->path, name);
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->objects[i].key, key) == 0)
            return key;
    return NULL;
}

static void drop_object(snapshot *all, const char *key)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->objects[i].key, key) == 0) {
            free(all->objects[i].key);
            free(all->objects[i].bytes);
        } else
            all->objects[n++] = all->objects[i];
    all->n = n;
}

/* One pixel is written to a chunk that is lost, or that cannot be read: its other pixels must not become fill. */
static void what_cannot_be_read_is_not_written_over(void)
{
    int n_tried = 0, n_masks = 0;
    for (int i = 0; i < n_pictures; i++)
        for (int way = 0; way < 4; way++) {
            const picture *p = &pictures[i];
            int is_lost = way % 2, is_mask = way / 2, rank = rank_of(p);
            ngff_plan *plan = make_plan(p, "NUM_THREADS=0");
            uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
            snapshot before = pulled(p, plan, pixels, mask);
            const char *key = is_mask && !mask ? NULL : first_object(plan, &before, is_mask);
            if (key && is_lost)
                drop_object(&before, key);
            store *s = store_of(&before);
            if (key && !is_lost)
                store_memory_fail_read(s, key);
            ngff_writer *w = writer_update_store(plan, s);
            CHECK_INT(ngff_writer_status(w), NGFF_OK);
            int64_t origin[MAX_RANK] = {0}, one[MAX_RANK] = {1, 1, 1, 1, 1};
            if (key && volume_of(rank, plan->levels[0].chunk) > 1) {
                writing now = {p, pixels, mask, w};
                int32_t status = write_region(&now, origin, one);
                status = status == NGFF_OK ? ngff_writer_close(w) : status;
                CHECK_INT(status, is_lost ? NGFF_E_CORRUPT : NGFF_E_STORAGE);
                CHECK(strstr(ngff_writer_error(w), key) != NULL);
                store_memory_fail_read(s, NULL);
                snapshot after = take_snapshot(s);
                drop_object(&after, STORE_DIRTY_KEY);
                CHECK(same_snapshots(&before, &after, p->name));
                free_snapshot(&after);
                n_tried++;
                n_masks += is_mask;
            }
            free_snapshot(&before);
            ngff_writer_free(w);
            ngff_plan_free(plan);
            free(pixels);
            free(mask);
        }
    CHECK(n_tried > 40 && n_masks > 2);
}

/* What others have deleted on purpose is fill where the host says so. */
static void lost_chunks_are_fill_for_who_takes_them_so(void)
{
    const picture *p = &pictures[0];
    ngff_plan *plan = make_plan(p, NULL);
    uint8_t *pixels = make_pixels(p), pixel = 77;
    snapshot before = pulled(p, plan, pixels, NULL);
    drop_object(&before, first_object(plan, &before, 0));
    ngff_writer *w = writer_update_store(plan, store_of(&before));
    const int64_t origin[2] = {1, 1}, one[2] = {1, 1};
    CHECK_INT(ngff_writer_take_missing(w), NGFF_OK);
    CHECK_INT(ngff_writer_read(w, origin, one, &pixel, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(pixel, 0);
    CHECK_INT(ngff_writer_write(w, (const int64_t[]){0, 0}, one, &pixel, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    free_snapshot(&before);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    free(pixels);
}

/* Windows of wide types are made from a level that is read back. */
static void windows_are_not_made_from_what_cannot_be_read(void)
{
    for (int is_lost = 0; is_lost < 2; is_lost++) {
        const int64_t shape[2] = {512, 512}, zero[2] = {0, 0};
        const char *options[] = {"BLOCKSIZE=256", "NUM_THREADS=0", NULL};
        float *pixels = malloc(sizeof(float) * 512 * 512);
        for (int i = 0; i < 512 * 512; i++)
            pixels[i] = 100 + (float)(i % 1000) / 10;
        ngff_image *image = ngff_image_create("yx", shape, NGFF_FLOAT32);
        ngff_plan *plan = ngff_plan_create(image, options);
        store *s = store_memory_open();
        ngff_writer *w = writer_open_store(plan, s);
        error e = {0};
        CHECK_INT(ngff_writer_write(w, zero, shape, pixels, NULL, NULL, 0), NGFF_OK);
        if (is_lost)
            CHECK_INT(s->writing->remove(s, "ovr_2x/image/c/0/0", &e), NGFF_OK);
        else
            store_memory_fail_read(s, "ovr_2x/image/c/0/0");
        CHECK_INT(ngff_writer_close(w), is_lost ? NGFF_E_CORRUPT : NGFF_E_STORAGE);
        CHECK(strstr(ngff_writer_error(w), "ovr_2x/image/c/0/0") != NULL);
        ngff_writer_free(w);
        ngff_plan_free(plan);
        ngff_image_free(image);
        free(pixels);
    }
}

static void what_is_not_changed_is_not_touched(void)
{
    for (int i = 0; i < n_pictures; i++) {
        const picture *p = &pictures[i];
        ngff_plan *plan = make_plan(p, NULL), *again = make_plan(p, NULL);
        uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
        snapshot before = pulled(p, plan, pixels, mask);
        store *s = store_of(&before);
        ngff_writer *w = writer_update_store(plan, s);
        CHECK_INT(ngff_writer_replan(w, again), NGFF_OK);
        store_memory_fail_after(s, 0); /* any put would fail */
        CHECK_INT(ngff_writer_close(w), NGFF_OK);
        snapshot after = take_snapshot(s);
        CHECK(same_snapshots(&before, &after, p->name));
        free_snapshot(&before);
        free_snapshot(&after);
        ngff_writer_free(w);
        ngff_plan_free(plan);
        ngff_plan_free(again);
        free(pixels);
        free(mask);
    }
}

static void pixels_read_back_before_and_after_they_are_written(void)
{
    const picture *p = &pictures[3];
    const int64_t origin[3] = {1, 20, 20}, extent[3] = {1, 1, 2};
    ngff_plan *plan = make_plan(p, NULL);
    uint8_t *pixels = make_pixels(p);
    snapshot all = pulled(p, plan, pixels, NULL);
    ngff_writer *w = writer_update_store(plan, store_of(&all));
    uint16_t found[2], written[2] = {1234, 1235};
    CHECK_INT(ngff_writer_read(w, (const int64_t[]){2, 60, 81}, extent, found, NULL, NULL, 0), NGFF_OK);
    CHECK(memcmp(found, (uint16_t *)pixels + (2 * 61 + 60) * 83 + 81, 4) == 0);
    CHECK_INT(ngff_writer_write(w, origin, extent, written, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_writer_read(w, origin, extent, found, NULL, NULL, 0), NGFF_OK);
    CHECK(memcmp(found, written, 4) == 0);
    CHECK_INT(ngff_writer_read(w, (const int64_t[]){1, 20, 22}, extent, found, NULL, NULL, 0), NGFF_OK);
    CHECK(memcmp(found, (uint16_t *)pixels + (61 + 20) * 83 + 22, 4) == 0);
    ngff_writer_free(w);
    free_snapshot(&all);
    ngff_plan_free(plan);
    free(pixels);
}

/* -- Other descriptions -------------------------------------------------------------------------------------------- */

static ngff_image *image_of(const uint8_t *nodata, int has_mask)
{
    ngff_image *image = ngff_image_create("cyx", (const int64_t[]){2, 61, 83}, NGFF_UINT8);
    if (nodata)
        CHECK_INT(ngff_image_set_nodata(image, -1, nodata), NGFF_OK);
    CHECK_INT(ngff_image_set_mask(image, has_mask), NGFF_OK);
    return image;
}

/* The image is the plan's. */
static ngff_plan *plan_for(ngff_image *image, const char *layout, const char *factors)
{
    ngff_plan *plan = ngff_plan_create(image, (const char *[]){"BLOCKSIZE=16", layout, factors, NULL});
    CHECK_INT(ngff_plan_status(plan), NGFF_OK);
    ngff_image_free(image);
    return plan;
}

static ngff_plan *plan_of(const uint8_t *nodata, int has_mask, const char *layout, const char *factors)
{
    return plan_for(image_of(nodata, has_mask), layout, factors);
}

static ngff_plan *plan_with_alpha(const char *layout)
{
    ngff_image *image = image_of(NULL, 0);
    CHECK_INT(ngff_image_set_alpha(image, 1), NGFF_OK);
    return plan_for(image, layout, NULL);
}

static void check_replanned(ngff_plan *first, ngff_plan *second, const char *name)
{
    const picture p = {.name = name, .dims = "cyx", .shape = {2, 61, 83}, .type = NGFF_UINT8, .has_holes = 1};
    uint8_t *pixels = make_pixels(&p), *mask = calloc(61, 83);
    snapshot before = pulled(&p, first, pixels, first->image->has_mask ? mask : NULL);
    store *s = store_of(&before);
    ngff_writer *w = writer_update_store(first, s);
    CHECK_INT(ngff_writer_replan(w, second), NGFF_OK);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    if (ngff_writer_status(w) != NGFF_OK)
        fprintf(stderr, "%s: %s\n", name, ngff_writer_error(w));
    snapshot found = take_snapshot(s), expected = pulled(&p, second, pixels, second->image->has_mask ? mask : NULL);
    drop_root_documents(&found);
    drop_root_documents(&expected);
    CHECK(same_snapshots(&expected, &found, name));
    free_snapshot(&before);
    free_snapshot(&found);
    free_snapshot(&expected);
    ngff_writer_free(w);
    ngff_plan_free(first);
    ngff_plan_free(second);
    free(pixels);
    free(mask);
}

static void another_description_makes_all_levels_again(void)
{
    static const uint8_t seven = 7, eight = 8;
    static const char *const layouts[] = {"LAYOUT=OVERVIEWS", "LAYOUT=SCALES", "LAYOUT=FLAT"};
    for (int i = 0; i < 3; i++) {
        const char *layout = layouts[i];
        check_replanned(plan_of(NULL, 0, layout, NULL), plan_of(&seven, 0, layout, NULL), "nodata");
        check_replanned(plan_of(&seven, 0, layout, NULL), plan_of(NULL, 0, layout, NULL), "no nodata");
        check_replanned(plan_of(&seven, 0, layout, NULL), plan_of(&eight, 0, layout, NULL), "other nodata");
        check_replanned(plan_of(NULL, 0, layout, "SCALE_FACTORS=2,4"), plan_of(NULL, 0, layout, "SCALE_FACTORS=3"),
                        "factor 3 for 2 and 4");
        check_replanned(plan_of(NULL, 0, layout, "SCALE_FACTORS=4"), plan_of(NULL, 0, layout, "SCALE_FACTORS=2,4,8"),
                        "more factors");
        check_replanned(plan_of(NULL, 0, layout, NULL), plan_of(NULL, 0, layout, "OVERVIEWS=NONE"), "no levels");
        check_replanned(plan_of(NULL, 0, layout, "OVERVIEW_RESAMPLING=MAX"),
                        plan_of(NULL, 0, layout, "OVERVIEW_RESAMPLING=GAUSS"), "other method");
        check_replanned(plan_of(NULL, 0, layout, NULL), plan_with_alpha(layout), "a band becomes alpha");
        check_replanned(plan_with_alpha(layout), plan_of(NULL, 0, layout, NULL), "alpha becomes a band");
        if (i < 2)
            check_replanned(plan_of(NULL, 0, layout, NULL), plan_of(NULL, 1, layout, NULL), "a new mask");
        if (i < 2)
            check_replanned(plan_of(NULL, 1, layout, "SCALE_FACTORS=2,4"), plan_of(NULL, 1, layout, "SCALE_FACTORS=4"),
                            "mask with other factors");
    }
}

static void what_a_change_cannot_be_is_refused(void)
{
    const picture p = {.name = "", .dims = "cyx", .shape = {2, 61, 83}, .type = NGFF_UINT8};
    ngff_plan *plan = plan_of(NULL, 0, "LAYOUT=SCALES", NULL), *other = plan_of(NULL, 0, "LAYOUT=FLAT", NULL);
    ngff_plan *fewer = plan_of(NULL, 0, "LAYOUT=SCALES", "SCALE_FACTORS=2");
    uint8_t *pixels = make_pixels(&p);
    snapshot all = pulled(&p, plan, pixels, NULL);
    ngff_writer *w = writer_update_store(other, store_of(&all));
    CHECK_INT(ngff_writer_status(w), NGFF_E_UNSUPPORTED);
    ngff_writer_free(w);
    w = writer_update_store(fewer, store_of(&all));
    CHECK_INT(ngff_writer_status(w), NGFF_E_UNSUPPORTED);
    ngff_writer_free(w);
    w = writer_update_store(plan, store_of(&all));
    CHECK_INT(ngff_writer_replan(w, other), NGFF_E_ARGUMENT);
    ngff_writer_free(w);
    w = writer_update_store(plan, store_memory_open());
    CHECK_INT(ngff_writer_status(w), NGFF_E_NOT_FOUND);
    ngff_writer_free(w);
    free_snapshot(&all);
    ngff_plan_free(plan);
    ngff_plan_free(other);
    ngff_plan_free(fewer);
    free(pixels);
}

/* -- Failure ------------------------------------------------------------------------------------------------------- */

static int is_dirty(const snapshot *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->objects[i].key, STORE_DIRTY_KEY) == 0)
            return 1;
    return 0;
}

/* Whatever put fails, the writer says so; a store that was touched keeps its mark, and the next change mends it. */
static void a_failed_change_is_mended_by_the_next(void)
{
    static const int which[] = {3, 8, 22, 23, 24};
    int n_dirty = 0;
    for (size_t i = 0; i < sizeof which / sizeof which[0]; i++) {
        const picture *p = &pictures[which[i]];
        int is_whole = 0;
        ngff_plan *plan = make_plan(p, "NUM_THREADS=2");
        uint8_t *pixels = make_pixels(p), *mask = p->has_mask ? make_mask(p) : NULL;
        snapshot before = pulled(p, plan, pixels, mask), expected = {0};
        for (int64_t n = 0; !is_whole; n++) {
            store *s = store_of(&before);
            ngff_writer *w = writer_update_store(plan, s);
            change_some(p, pixels, mask, 1, w);
            store_memory_fail_after(s, n);
            is_whole = ngff_writer_close(w) == NGFF_OK;
            if (!is_whole)
                CHECK_INT(ngff_writer_status(w), NGFF_E_STORAGE);
            snapshot after = take_snapshot(s);
            if (is_whole || n > 0) /* the mark itself fails first, on one of two threads */
                CHECK_INT(is_dirty(&after), !is_whole);
            n_dirty += is_dirty(&after);
            ngff_writer_free(w);

            s = store_of(&after);
            w = writer_update_store(plan, s);
            change_some(p, pixels, mask, 1, w);
            CHECK_INT(ngff_writer_close(w), NGFF_OK);
            if (n == 0) { /* what is changed again is the same */
                expected = pulled(p, plan, pixels, mask);
                drop_root_documents(&expected);
            }
            snapshot found = take_snapshot(s);
            drop_root_documents(&found);
            CHECK(same_snapshots(&expected, &found, p->name));
            free_snapshot(&after);
            free_snapshot(&found);
            ngff_writer_free(w);
        }
        free_snapshot(&before);
        free_snapshot(&expected);
        ngff_plan_free(plan);
        free(pixels);
        free(mask);
    }
    CHECK(n_dirty > 50);
}

int main(void)
{
    RUN(a_changed_store_is_that_of_the_changed_pixels);
    RUN(what_is_not_changed_is_not_touched);
    RUN(what_cannot_be_read_is_not_written_over);
    RUN(lost_chunks_are_fill_for_who_takes_them_so);
    RUN(windows_are_not_made_from_what_cannot_be_read);
    RUN(pixels_read_back_before_and_after_they_are_written);
    RUN(another_description_makes_all_levels_again);
    RUN(what_a_change_cannot_be_is_refused);
    RUN(a_failed_change_is_mended_by_the_next);
    CHECK_EXIT();
}
