/* job.h: a store that several programs make. Each writes its part of the lower levels, with what it has found in them
 * (`.record.i`); the last one makes the rest of it all. */
#ifndef NGFF_WRITER_JOB_H
#define NGFF_WRITER_JOB_H

#include "writer/writer.h"

/* A writer of one part, on a store that has not begun. */
int32_t job_open_part(ngff_writer *w, error *e);
/* All regions of the part have come: says so, in the place of the publication. */
int32_t job_close_part(ngff_writer *w, error *e);
/* All parts are there: takes over what they have found, and makes the levels above. */
int32_t job_join(ngff_writer *w, error *e);

#endif
