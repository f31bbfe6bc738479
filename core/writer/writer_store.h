/* writer_store.h: a writer on a store that is no path, and a look at its memory: for tests. */
#ifndef NGFF_WRITER_WRITER_STORE_H
#define NGFF_WRITER_WRITER_STORE_H

#include "model/plan.h"
#include "store/store.h"

/* The store belongs to the writer from now on. */
ngff_writer *writer_open_store(ngff_plan *plan, store *s);
ngff_writer *writer_push_store(ngff_plan *plan, store *s);
ngff_writer *writer_update_store(ngff_plan *plan, store *s);
/* ngff_upgrade of a store. path: where it is. version: VERSION_05 or VERSION_06. */
int32_t upgrade_store(store *s, const char *path, int version, error *e);
/* Most bytes that cells have held at one time. */
int64_t writer_pixel_peak(const ngff_writer *w);

#endif
