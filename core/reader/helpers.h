/* helpers.h: one piece of work by several threads at once, the caller's among them. The helpers are threads that all
 * readers of the process share; they wait between calls, and end with the last reader that has used them. */
#ifndef NGFF_READER_HELPERS_H
#define NGFF_READER_HELPERS_H

#include "reader/reader.h"

/* Runs work(argument) on this thread and on up to n_helpers others, which read in the caller's name, with the settings
 * of its thread; returns when all that have begun it have ended it. So work takes its tasks until there are none. A
 * helper that comes too late finds nothing to do: no call waits for a thread that has not begun. */
void helpers_run(ngff_reader *reader, int n_helpers, void (*work)(void *), void *argument);
/* The reader will not use the helpers any more. */
void helpers_leave(ngff_reader *reader);

#endif
