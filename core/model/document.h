/* document.h: one metadata document of a store: its text for exact parts, its tree for the rest. Internal to the files
 * that read metadata. */
#ifndef NGFF_MODEL_DOCUMENT_H
#define NGFF_MODEL_DOCUMENT_H

#include <cjson/cJSON.h>

#include "json.h"
#include "metadata.h"

enum { most_path = 200 };

/* Where documents come from, and what is taken from there. */
typedef struct {
    metadata_source get;
    void *user;
    stored_limits limits;
} document_source;

typedef struct {
    char key[256];
    char *text;
    json_span whole;
    cJSON *tree;
} document;

/* A source with the default where limits is NULL, or says 0. */
document_source document_source_of(metadata_source get, void *user, const stored_limits *limits);

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

/* True for a path that stays below the root: parts without "." and "..", no drive, no scheme, no control characters. */
int path_is_safe(const char *path);

#endif
