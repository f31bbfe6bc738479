/* store_host.h: stores of the host (ngff_store) as places: what places.c has of them. */
#ifndef NGFF_STORE_STORE_HOST_H
#define NGFF_STORE_STORE_HOST_H

#include "store/store.h"

#define STORE_HOST_BEGIN "/host:" /* of every path in one */

store *store_host_open(const char *path);

#endif
