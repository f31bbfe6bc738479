/* verify.c: see verify.h. The core looks at the objects, compare.c at the pixels. */
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpl_conv.h"
#include "cpl_string.h"

#include "verify/compare.h"
#include "verify/contradictions.h"
#include "describe/dimensions.h"
#include "ngff.h"
#include "source/pages.h"
#include "source/stack/stackdataset.h"
#include "plugin/threads.h"

/* A part of the whole that tells its progress from begin to end. */
typedef struct {
    const verification *v;
    double begin, end;
} stretch;

static int32_t tell_share(void *user, double share)
{
    const stretch *s = user;
    return s->v->progress ? s->v->progress(s->v->user, s->begin + share * (s->end - s->begin)) : 1;
}

static void tell_finding(void *user, int32_t kind, const char *text)
{
    const stretch *s = user;
    s->v->tell(s->v->user, ngff_finding_word(kind), text);
}

static void tell_note(void *user, const char *text)
{
    tell_finding(user, NGFF_FINDING_NOTE, text);
}

/* Opens the store and looks at its objects. */
static int check_objects(const verification *v, ngff_reader **store, int n_threads, char *message, size_t room)
{
    stretch s = {v, 0, v->source ? 0.5 : 1};
    int32_t status = ngff_verify(verify_path(v->store), NULL, (const char *const *)v->limits, n_threads, tell_finding,
                                 tell_share, &s, store);
    int32_t opened = ngff_reader_status(*store);
    if (opened == NGFF_OK)
        tell_contradictions(*store, verify_path(v->store), tell_note, &s);
    else if (opened != NGFF_E_CORRUPT)
        snprintf(message, room, "%s", *store ? ngff_reader_error(*store) : "out of memory");
    return status == NGFF_OK            ? VERIFY_WHOLE
           : status == NGFF_E_CORRUPT   ? VERIFY_DAMAGED
           : status == NGFF_E_CANCELLED ? VERIFY_CANCELLED
                                        : VERIFY_UNREADABLE;
}

/* The pages of the source's file if the store has more planes than the source; NULL if not so. */
static GDALDatasetH find_planes(GDALDatasetH source, const char *dims, const int64_t *shape)
{
    double n_planes = 1;
    for (int i = 0; dims[i] != '\0'; i++)
        n_planes *= (double)shape[i];
    return n_planes > GDALGetRasterCount(source) ? open_planes_of(source) : NULL;
}

/* Compares an image with a raster. */
static int check_pixels(verification *v, ngff_reader *store, GDALDatasetH given, int n_threads, char *message,
                        size_t room)
{
    char text[1200] = "", line[3000];
    stretch s = {v, 0.5, 1};
    int64_t shape[5] = {0};
    char dims[6];
    snprintf(dims, sizeof dims, "%s", ngff_reader_dims(store));
    dims[strlen(dims) > 2 ? strlen(dims) - 2 : 0] = '\0';
    ngff_reader_level_shape(store, 0, shape);
    GDALDatasetH planes = find_planes(given, dims, shape), source = planes ? planes : given;
    v->n_images = page_count(source, NULL);
    v->n_compared = 1;
    int *bands = dimension_bands(source, dims, shape);
    const comparison all = {store, source, bands, GDT_Unknown, n_threads, tell_share, &s};
    int result = compare_with_source(&all, text, sizeof text);
    CPLFree(bands);
    if (planes)
        GDALClose(planes);
    if (result == COMPARE_DIFFERENT) {
        snprintf(line, sizeof line, "%s and %s: %s", verify_path(v->store), GDALGetDescription(given), text);
        v->tell(v->user, "different", line);
    } else if (result == COMPARE_UNREADABLE) {
        snprintf(message, room, "%s", text);
    }
    return result == COMPARE_EQUAL       ? VERIFY_WHOLE
           : result == COMPARE_DIFFERENT ? VERIFY_DAMAGED
           : result == COMPARE_CANCELLED ? VERIFY_CANCELLED
                                         : VERIFY_UNREADABLE;
}

/* The images of the source in the order in which SERIES=ALL writes them: the one that it is, then the others of its list; of a
 * source that is a list itself, all. */
static char **images_of_source(GDALDatasetH source)
{
    const char *number = strrchr(GDALGetDescription(source), '#');
    int own = GDALGetRasterCount(source) == 0 ? -1 : number ? atoi(number + 1) : 0;
    CSLConstList listed = GDALGetMetadata(source, "SUBDATASETS");
    char **names = own >= 0 ? CSLAddString(NULL, "") : NULL;
    for (int i = 0;; i++) {
        char key[40];
        snprintf(key, sizeof key, "SUBDATASET_%d_NAME", i + 1);
        const char *name = CSLFetchNameValue(listed, key);
        if (!name)
            return names;
        if (i != own)
            names = CSLAddString(names, name);
    }
}

/* Compares the images of a list with those of the source. */
static int check_series(verification *v, ngff_reader *store, int n_threads, char *message, size_t room)
{
    GDALDatasetH planes = open_planes_of(v->source), source = planes ? planes : v->source;
    char **names = images_of_source(source), line[600];
    int n_parts = ngff_reader_part_count(store), n = CSLCount(names), result = VERIFY_WHOLE;
    for (int i = 0; i < n && i < n_parts && result == VERIFY_WHOLE; i++) {
        GDALDatasetH one =
            names[i][0] ? GDALOpenEx(names[i], GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, NULL, NULL) : source;
        ngff_reader *image = ngff_reader_open_part(verify_path(v->store), ngff_reader_part_path(store, i), NULL);
        if (!one || ngff_reader_status(image) != NGFF_OK) {
            snprintf(message, room, "%s", one && image ? ngff_reader_error(image) : CPLGetLastErrorMsg());
            result = VERIFY_UNREADABLE;
        } else {
            result = check_pixels(v, image, one, n_threads, message, room);
        }
        ngff_reader_free(image);
        if (one && one != source)
            GDALClose(one);
    }
    v->n_images = n;
    v->n_compared = n < n_parts ? n : n_parts;
    if (result == VERIFY_WHOLE && n != n_parts) {
        snprintf(line, sizeof line, "%s has %d images and the source %d: the first %d were compared",
                 verify_path(v->store), n_parts, n, v->n_compared);
        v->tell(v->user, ngff_finding_word(NGFF_FINDING_NOTE), line);
    }
    CSLDestroy(names);
    if (planes)
        GDALClose(planes);
    return result;
}

const char *verify_praise(const verification *v)
{
    if (v->source && v->n_compared < v->n_images)
        return CPLSPrintf("whole, and has the pixels of %d of the %d pages or images of the source", v->n_compared,
                          v->n_images);
    return v->source ? "whole, and has the pixels of the source" : "whole";
}

/* Behind OMEZARR:, and behind a quote if there is one. */
static const char *begin_of_path(const char *store, int *is_quoted)
{
    static const char prefix[] = "OMEZARR:";
    const char *path = EQUALN(store, prefix, strlen(prefix)) ? store + strlen(prefix) : store;
    *is_quoted = path != store && path[0] == '"' && strchr(path + 1, '"') != NULL;
    return path + *is_quoted;
}

const char *verify_path(const char *store)
{
    int is_quoted;
    const char *path = begin_of_path(store, &is_quoted);
    return is_quoted ? CPLSPrintf("%.*s", (int)strcspn(path, "\""), path) : path;
}

/* What follows the quoted path: ":part", "" or NULL. */
static const char *part_of(const char *store)
{
    int is_quoted;
    const char *path = begin_of_path(store, &is_quoted);
    const char *part = is_quoted ? strchr(path, '"') + 1 : NULL;
    return part && part[0] == ':' ? part + 1 : part;
}

int verify_store(verification *v, char *message, size_t room)
{
    int n_threads = 1;
    message[0] = '\0';
    reading_threads(NULL, &n_threads);
    const char *part = part_of(v->store);
    if (part && part[0]) {
        snprintf(message, room, "%s names a part of a store; verify looks at whole stores: give the path %s", v->store,
                 verify_path(v->store));
        return VERIFY_UNREADABLE;
    }
    ngff_reader *store = NULL;
    int result = check_objects(v, &store, n_threads, message, room);
    if (v->source && ngff_reader_status(store) == NGFF_OK && result != VERIFY_CANCELLED) {
        int compared = ngff_reader_level_count(store) == 0
                           ? check_series(v, store, n_threads, message, room)
                           : check_pixels(v, store, v->source, n_threads, message, room);
        result = result == VERIFY_WHOLE ? compared : result;
    }
    ngff_reader_free(store);
    return result;
}
