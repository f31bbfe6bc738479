/* walk.h: all files below a folder, by the calls of the protocol of folders. */
#ifndef NGFF_STORE_WALK_H
#define NGFF_STORE_WALK_H

#include "store/folder.h"

/* Visits the keys of all files below root ("a/b/c"), in no order; links and devices count as files. A root that is not
 * there holds none. A folder that cannot be listed or looked at, or lies too deep, is an error: what is left out
 * without a word would be missing in what is made of the list. A negative result of visit ends the walk, with the
 * message of visit, or else one of the walk. */
int32_t walk_tree(const folder_calls *calls, const char *root, int32_t (*visit)(void *user, const char *key),
                  void *user, error *e);

#endif
