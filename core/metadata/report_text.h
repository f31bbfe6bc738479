/* report_text.h: what a run has made, as the JSON of the option REPORT. docs/verify.md says what is in it. */
#ifndef NGFF_METADATA_REPORT_TEXT_H
#define NGFF_METADATA_REPORT_TEXT_H

#include "metadata/metadata.h"
#include "model/plan.h"

/* Every report begins so. */
#define REPORT_START "{\n\t\"omezarr_report\":"

/* One array: a level, or its mask. */
typedef struct {
    int64_t n_chunks, n_stored; /* the others hold only fill */
    int64_t bytes;              /* of its objects that hold chunks */
    char pixels[65];            /* digest */
} array_report;

typedef struct {
    const char *store;                 /* path, or NULL */
    const array_report *arrays;        /* one per array of the plan */
    int64_t n_objects, bytes;          /* of the whole store */
    char tree[65];                     /* digest */
    const channel_summary *statistics; /* one per channel, or NULL */
} run_report;

/* A malloc'ed text, or NULL when memory is out. */
char *report_text(const struct ngff_plan *plan, const run_report *run);

#endif
