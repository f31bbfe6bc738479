/* fault.h: the Nth write-side call fails, once or for ever, writes short, loses its answer, or kills the process.
 *
 *     FAULT=N:ACTION, N-M:ACTION    N counts from 1
 *     FAULT_LOG=FILE                every call, one line: number, name, path
 *
 * ACTION is fail, forever (from N on), short, lost, kill (before the call) or killed (after it).
 *
 * The programs under test are not changed: the calls come from a VSI handler that is a GDAL plugin, or from functions
 * that are put before those of libc. */
#ifndef TESTS_FAULTS_FAULT_H
#define TESTS_FAULTS_FAULT_H

#ifdef __cplusplus
extern "C" {
#endif

/* What the caller does: the call; nothing, and an error (errno is set); half of it, and an error; the call, and an
 * error.
 */
enum { FAULT_NONE, FAULT_FAIL, FAULT_SHORT, FAULT_LOST };

/* The next call. Thread-safe. */
int fault_next(const char *call, const char *path);
/* After the call: kills where the action says so. */
void fault_after(void);

#ifdef __cplusplus
}
#endif
#endif
