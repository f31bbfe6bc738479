/* report.h: the file of the option REPORT, and the digests in it. The pixels of every chunk and the bytes of every
 * object are taken in while the run has them in memory anyway, on the threads that work on them; the end puts them into
 * an order that no thread has a say in. */
#ifndef NGFF_WRITER_REPORT_H
#define NGFF_WRITER_REPORT_H

#include "base/pack.h"
#include "metadata/metadata.h"
#include "model/stored.h"
#include "store/store.h"

typedef struct report report;

/* Begins the file, if the plan asks for one; else *made is NULL. store_path: NULL where it is not known. */
int32_t report_begin(const struct ngff_plan *plan, const char *store_path, report **made, error *e);
/* The same of a part, whose digests another program puts into the file. */
int32_t report_begin_part(const struct ngff_plan *plan, report **made, error *e);
/* All below take NULL. Room for the digests of this plan's chunks; before the first of them. */
int32_t report_start(report *r, const struct ngff_plan *plan, error *e);
/* Removes a file that was not published. */
void report_free(report *r);

/* A chunk of one of the plan's arrays as it is decoded, dense. Thread-safe for different chunks. */
void report_chunk(report *r, int row, const int64_t *index, const void *pixels);
/* An object as it is stored, at prefix and key. Thread-safe. */
int32_t report_object(report *r, const char *prefix, const char *key, const void *bytes, size_t n, error *e);

/* Keeps the digests that have come; those that are read are as if they had come here. Without a report it keeps none, and
 * *has_some says whether there were some. */
void report_pack(pack *p, report *r, int *has_some);

/* What only the end knows. */
typedef struct {
    const char *store_path;
    store *store;
    const chunk_set *stored;           /* per array of the plan */
    const channel_summary *statistics; /* or NULL */
    int is_resumed;                    /* objects of level 0 may be an earlier run's: they are read */
} report_end;

/* Writes the file, beside its place. */
int32_t report_finish(report *r, const report_end *end, error *e);
/* The store is published: the file gets its name. */
int32_t report_publish(report *r, error *e);

#endif
