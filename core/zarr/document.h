/* document.h: one metadata document of a store: its text for exact parts, its tree for the rest. Zarr names and places
 * the documents; what NGFF says in them is read in metadata/. */
#ifndef NGFF_ZARR_DOCUMENT_H
#define NGFF_ZARR_DOCUMENT_H

#include <cjson/cJSON.h>

#include "base/dtype.h"
#include "base/json.h"
#include "base/warnings.h"

enum { most_path = 200 };

/* Reads one object as text (malloc'ed, NUL-terminated); NGFF_E_NOT_FOUND when there is none. */
typedef int32_t (*document_get)(void *user, const char *key, char **text, size_t *n, error *e);
/* Receives one object of the store, key and bytes; a negative status stops the writing. */
typedef int32_t (*document_sink)(void *user, const char *key, const void *bytes, size_t n);

/* What a store may ask of its reader; 0: the default, 16 MiB for a document and default_chunk_bytes for a chunk. */
typedef struct {
    int64_t document_bytes, chunk_bytes;
} stored_limits;

/* Where documents come from, and what is taken from there. */
typedef struct {
    document_get get;
    void *user;
    stored_limits limits;
    warnings *told; /* what was mended in a document, and what was left out of it; or NULL */
    int is_judging; /* all of a document is looked at: it may have more values, and none is left out of the tree */
} document_source;

typedef struct {
    char key[256];
    char *text;
    json_span whole;
    cJSON *tree;
} document;

/* A source with the default where limits is NULL, or says 0. */
document_source document_source_of(document_get get, void *user, const stored_limits *limits);

/* What a document of the source may be. */
json_limits document_limits(const document_source *source);

/* Reads and judges path/name. NGFF_E_NOT_FOUND leaves e alone, so that the caller can look elsewhere. */
int32_t document_open(const document_source *source, const char *path, const char *name, document *d, error *e);
/* The same for a document that need not be there: NGFF_E_NOT_FOUND also where the server refuses it, or sends a page
 * for it, as servers do for what they do not have. refused gets the reason, for a caller who finds nothing else in the
 * store either; NULL where something of the store has been read before. */
int32_t document_probe(const document_source *source, const char *path, const char *name, document *d, error *refused,
                       error *e);
void document_close(document *d);

/* The member of an object, and its text; NULL where it is none. */
const cJSON *member(const cJSON *object, const char *name);
const char *text_of(const cJSON *object, const char *name);

/* The object of attributes that NGFF's keys stand in: "ome" in Zarr v3. Some have written the keys of 0.4 into Zarr v3,
 * where they stand in the attributes themselves. */
const cJSON *ome_of(const cJSON *attributes, int format);

/* True for a path that stays below the root: parts without "." and "..", no drive, no scheme, no control characters. */
int path_is_safe(const char *path);
/* A path without what says nothing: "./0", "0/", "/0" and "0//" are "0". Returns NULL and a safe path in to, or why it is
 * none. */
const char *path_clean(const char *path, char to[most_path + 1]);

#endif
