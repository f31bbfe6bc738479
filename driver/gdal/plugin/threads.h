/* threads.h: how many threads decode chunks. */
#ifndef OMEZARR_PLUGIN_THREADS_H
#define OMEZARR_PLUGIN_THREADS_H

#ifdef __cplusplus
extern "C" {
#endif

/* GDAL_NUM_THREADS, a number from 0 to 1024 or ALL_CPUS; NULL where it is not set or, with a warning, is neither. */
const char *configured_threads(void);
/* What the option NUM_THREADS says, else GDAL_NUM_THREADS, else one per CPU. 0, with an error, where the option (may be
 * NULL) is neither a number nor ALL_CPUS. */
int reading_threads(const char *option, int *n_threads);

#ifdef __cplusplus
}
#endif
#endif
