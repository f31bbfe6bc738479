/* series.h: a folder of a store as a store of its own: one of several images that are made together, and published
 * together. */
#ifndef NGFF_STORE_SERIES_H
#define NGFF_STORE_SERIES_H

#include "store/store.h"

enum { series_longest_prefix = 200 };

/* Keys get the prefix ("0/", "labels/cells/"); the record is that of s. is_first: s belongs to it from now on, and is begun, resumed, published
 * and abandoned with it; else s is borrowed, must be begun, and none of this reaches it. NULL, with s as it was, when memory is out. */
store *series_open(store *s, const char *prefix, int is_first);
/* The store that it is a folder of. */
store *series_whole(const store *s);

#endif
