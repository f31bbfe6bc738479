/* vsi_common.h: what the files of this folder that call GDAL's VSI layer share. VSI's error messages are caught by all
 * of them and travel in `cause`, never in GDAL's state of a worker. */
#ifndef NGFF_STORE_VSI_COMMON_H
#define NGFF_STORE_VSI_COMMON_H

#include <cpl_error.h>

#include "object_store.h"

/* GDAL's error state of this thread as it was before, to be put back: it belongs to the host. */
typedef struct {
    CPLErr type;
    CPLErrorNum number;
    char *message;
} quiet;

quiet begin_quiet(void);
/* Ends begin_quiet; returns errno, or EIO, and the reason in words. */
int end_quiet(quiet *before, int has_failed, char cause[256]);

int is_local(const char *path);
/* GDAL opens nothing in an archive that is damaged there, cut short or gone by now, and does not say why. True, with
 * the cause, where it is not known that there is no such object. */
int is_lost_in_archive(const char *path, char cause[256]);
/* VSI's list, which it takes, as plain malloc'ed strings, without "." and "..". */
char **plain_names(char **found);
int vsi_kind(const char *path);
int vsi_sync(const char *path);

/* GDAL's options of a thread; and a thread that works for another prints nothing. */
extern const thread_settings vsi_threads;
extern const folder_calls vsi_calls;     /* vsi_files.c */
extern const object_calls request_calls; /* vsi_requests.c */

#endif
