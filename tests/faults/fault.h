/* fault.h: the Nth call fails, once or for ever, does half, loses its answer, or kills the process. Calls that write
 * and calls that read are counted apart.
 *
 *     FAULT=N:ACTION, N-M:ACTION    of calls that write; N counts from 1
 *     FAULT=rN:ERROR, rN-M:ERROR    of calls that read
 *     FAULT=rN*:ERROR               the Nth call that reads, and from then on each of its name on its path
 *     FAULT_LOG=FILE                every call, one line: number (r before those that read), name, path
 *
 * ACTION is fail, forever (from N on), short, lost, kill (before the call) or killed (after it).
 * ERROR is EIO, EACCES, EMFILE, EINTR, ESTALE, short (a read of half), or kill.
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

/* The next call that writes. Thread-safe. */
int fault_next(const char *call, const char *path);
/* The next call that reads: NONE, FAIL (errno is set) or SHORT (half, and no error, as read() may). */
int fault_next_read(const char *call, const char *path);
/* After the call: kills where the action says so. */
void fault_after(void);

#ifdef __cplusplus
}
#endif
#endif
