/* consolidated.h: the copies of a store's documents that its root holds. */
#ifndef NGFF_ZARR_CONSOLIDATED_H
#define NGFF_ZARR_CONSOLIDATED_H

#include "zarr/document.h"

/* The copies of the other documents that the root holds (consolidated metadata). */
typedef struct consolidated consolidated;
/* *c is NULL where the root holds none. */
int32_t consolidated_open(document_get source, void *user, int format, consolidated **c, error *e);
void consolidated_free(consolidated *c);
/* Key of document number i, "scale0/zarr.json"; NULL after the last. Until the next call. */
const char *consolidated_key(consolidated *c, int i);
/* Judges the text of a document: it must be JSON, and equal to the root's copy where there is one (c may be NULL).
 * Returns 1, 0 for a document of which the root has no copy, or an error. */
int32_t consolidated_judge(const consolidated *c, const char *key, const char *text, size_t n, error *e);

/* What the root of a store on a server tells of its documents: the documents themselves are not asked for then, each
 * would be a request. Reads zarr.json and, where there is none, .zmetadata; both are kept, with what the server said of
 * them. Where they hold copies, the copies are all the documents that there are, those of the root included, as for
 * zarr-python. NULL when memory is out. */
typedef struct known_documents known_documents;
known_documents *known_open(document_get source, void *user, const stored_limits *limits);
void known_free(known_documents *known);
/* One document, as document_get does, or 1: the store has to be asked. */
int32_t known_get(const known_documents *known, const char *key, char **text, size_t *n, error *e);
/* Forgets the copies, as stale; 0 if there were none. */
int known_forget_copies(known_documents *known);

#endif
