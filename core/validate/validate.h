/* validate.h: the metadata of a node, or of all that a store's root leads to, against the specification. */
#ifndef NGFF_VALIDATE_VALIDATE_H
#define NGFF_VALIDATE_VALIDATE_H

#include "zarr/document.h"

/* Who is told: NGFF_FINDING_INVALID or _TOLERABLE for a MUST, NGFF_FINDING_ADVICE for a SHOULD, NGFF_FINDING_NOTE. */
typedef struct {
    void (*finding)(void *user, int32_t kind, const char *text);
    void *user;
    int32_t of_unknown_version; /* kind of the finding that a version is not one of those judged here */
    const char *document;       /* key, "labels/cells/zarr.json" */
    int version;                /* 4, 5, 6 for NGFF 0.4, 0.5, 0.6; 0: unknown */
    char version_text[16];
    int is_store;      /* judged is a store, not a single document */
    int64_t n_invalid; /* broken MUSTs, tolerable or not */
} judge;

/* Judges the root's document and those of the groups and arrays that it leads to: levels, labels, wells, fields,
 * series. What is named and is not there is a note: this is about documents, not about pixels. An error is one of
 * reading; broken rules are counted in the judge. */
int32_t validate_store(judge *j, document_get get, void *user, const stored_limits *limits, error *e);

/* Judges a single document: attributes, or a whole zarr.json. */
int32_t validate_document(judge *j, document_get get, void *user, const char *key, const stored_limits *limits,
                          error *e);

#endif
