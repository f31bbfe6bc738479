/* vsi_common.h: what the files of this folder that call GDAL's VSI layer share. VSI's error messages are caught by all
 * of them and travel in `cause`, never in GDAL's state of a worker. */
#ifndef NGFF_STORE_VSI_COMMON_H
#define NGFF_STORE_VSI_COMMON_H

#include <cpl_error.h>

#include "store/object_store.h"
#include "store/side_file.h"

/* GDAL's error state of this thread as it was before, to be put back: it belongs to the host. */
typedef struct {
    CPLErr type;
    CPLErrorNum number;
    char *message;
} quiet;

quiet begin_quiet(void);
/* Ends begin_quiet; returns errno, or EIO, and the reason in words. */
int end_quiet(quiet *before, int has_failed, char cause[256]);

/* True if the path is one of an object store, or of anything else without random writing. */
int is_object_store(const char *path);
/* GDAL opens nothing in an archive that is damaged there, cut short or gone by now, and does not say why. True, with
 * the cause, where it is not known that there is no such object. */
int is_lost_in_archive(const char *path, char cause[256]);
/* VSI's list, which it takes, as plain malloc'ed strings, without "." and "..". NULL only when memory is out. */
char **plain_names(char **found);
/* GDAL's options of a thread; and a thread that works for another prints nothing. */
extern const thread_settings vsi_threads;
extern const folder_calls vsi_calls; /* vsi_files.c */
extern const side_calls vsi_file_side_calls;
extern const object_calls request_calls; /* vsi_requests.c */

#endif
