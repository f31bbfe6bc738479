/* store.h: where objects go. A store maps keys ("scale0/image/c/0/0/0", with '/') to bytes. The stages above never
 * see a path, a folder or a handle.
 *
 * Writing: begin claims the destination and hides what is coming; put stores whole objects, from any thread, each key
 * once; publish makes all of it visible at once; abandon removes all traces. Reading: get. */
#ifndef NGFF_STORE_STORE_H
#define NGFF_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

typedef struct store store;

typedef struct {
    /* Claims the destination; refuses an existing one (NGFF_E_EXISTS) unless overwrite and it is an OME-Zarr. */
    int32_t (*begin)(store *s, int overwrite, error *e);
    /* Stores one object. Thread-safe. The error names the full path, the cause, and what to do. */
    int32_t (*put)(store *s, const char *key, const void *bytes, size_t n, error *e);
    /* Makes everything visible under the destination's name. root_key: the object that makes it an image, put last. */
    int32_t (*publish)(store *s, error *e);
    /* Removes what begin and put have made. Harmless after publish. */
    void (*abandon)(store *s);
    /* Reads n bytes from offset of an object, or the whole of it (offset -1: the last n bytes; n = 0: all) into a new
     * buffer for free(). NGFF_E_NOT_FOUND when there is no such key. Reads the destination before begin and after
     * publish, the claimed place between. Thread-safe. */
    int32_t (*get)(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, error *e);
    /* Size in bytes of an object; NGFF_E_NOT_FOUND. */
    int32_t (*size)(store *s, const char *key, uint64_t *n, error *e);
    /* First call on a thread that is not the opener's; may be NULL. */
    void (*enter_thread)(store *s);
    /* Writes a scratch object that is never published (spilled pixels), reads it back, removes it. */
    int32_t (*scratch_put)(store *s, const char *key, const void *bytes, size_t n, error *e);
    int32_t (*scratch_get)(store *s, const char *key, void *bytes, size_t n, error *e); /* and removes it */
    /* Visits the key of every object, in no order, where get reads; what is not part of the image to come (the claim's
     * record, scratch) is left out. A negative result of visit stops. NGFF_E_UNSUPPORTED: it cannot be listed. */
    int32_t (*list)(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e);
    void (*free)(store *s);
} store_ops;

struct store {
    const store_ops *ops;
};

/* A store at path; begin or get decide whether anything is there. NULL when memory is out. */
store *store_file_open(const char *path); /* plain files, no GDAL */
store *store_vsi_open(const char *path);  /* any GDAL VSI path; only where built with GDAL */
store *store_memory_open(void);           /* for tests */

/* The store that this build uses for a path. */
store *store_open(const char *path);

#endif
