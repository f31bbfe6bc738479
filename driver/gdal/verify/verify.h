/* verify.h: is a store whole, and has it the pixels of a raster? `omezarr verify` and `gdal driver omezarr verify` ask
 * the same, and tell it in the same words. */
#ifndef OMEZARR_VERIFY_VERIFY_H
#define OMEZARR_VERIFY_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "gdal.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *store;   /* a path, also as gdalinfo lists it: OMEZARR:"path":part */
    GDALDatasetH source; /* NULL: the store alone is looked at */
    char **limits;       /* as of ngff_reader_open_part, or NULL */
    /* A finding: kind is "note", "stray", "damage", "invalid", "advice" or "different". */
    void (*tell)(void *user, const char *kind, const char *text);
    int32_t (*progress)(void *user, double share); /* may be NULL; returns 0 to stop */
    void *user;
    int n_images, n_compared; /* set: images of the source's file, and how many of them were compared */
} verification;

enum { VERIFY_WHOLE, VERIFY_DAMAGED, VERIFY_UNREADABLE, VERIFY_CANCELLED };

/* The store's path without OMEZARR:, quotes and what follows them. Valid until the next call of this thread. */
const char *verify_path(const char *store);
/* What is true of a whole store, behind its name: "whole", "whole, and has the pixels of ...". Valid until the next call of
 * this thread. */
const char *verify_praise(const verification *v);
/* One of the four. A store of more planes than the source has bands is compared with all pages of the source's file. GDAL_NUM_THREADS threads decode chunks, without it one per CPU. message: what could not be read; ""
 * where a finding has told it. */
int verify_store(verification *v, char *message, size_t room);

#ifdef __cplusplus
}
#endif
#endif
