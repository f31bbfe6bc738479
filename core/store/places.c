/* places.c: which store, over which calls, a path gets: this machine's disks by the system's own functions, "/vsi..."
 * by GDAL, where it is there. */
#include "folder.h"
#include "side_file.h"
#include "store.h"

#include <string.h>

static int is_vsi(const char *path)
{
#ifdef NGFF_WITH_GDAL
    return strncmp(path, "/vsi", 4) == 0;
#else
    (void)path;
    return 0;
#endif
}

#ifndef NGFF_WITH_GDAL
#define store_vsi_open store_file_open
#define vsi_side_calls_for(path) (&local_side_calls)
#endif

char *store_path_of(const char *typed)
{
    return is_vsi(typed) ? strdup(typed) : local_path(typed);
}

store *store_open(const char *path)
{
    return is_vsi(path) ? store_vsi_open(path) : store_file_open(path);
}

const side_calls *side_calls_for(const char *path)
{
    return is_vsi(path) ? vsi_side_calls_for(path) : &local_side_calls;
}
