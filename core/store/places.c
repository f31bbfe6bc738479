/* places.c: which store, over which calls, a path gets: this machine's disks by the system's own functions, "/vsi..."
 * by GDAL, where it is there. What neither can open is refused by its reason, not looked for on the disk. */
#include "store/folder.h"
#include "store/side_file.h"
#include "store/store.h"

#include <ctype.h>
#include <string.h>

static int is_vsi(const char *path)
{
    return strncmp(path, "/vsi", 4) == 0;
}

#ifdef NGFF_WITH_GDAL
static const int has_gdal = 1;
#else
static const int has_gdal = 0;
#define store_vsi_open store_file_open
#define vsi_side_calls_for(path) (&local_side_calls)
#endif

char *store_path_of(const char *typed)
{
    return is_vsi(typed) ? strdup(typed) : local_path(typed);
}

/* Letters of the scheme of a URL, 0 for a path. */
static size_t scheme_length(const char *path)
{
    size_t n = 0;
    while (isalnum((unsigned char)path[n]) || (n > 0 && strchr("+.-", path[n]) && path[n]))
        n++;
    return n > 1 && strncmp(path + n, "://", 3) == 0 ? n : 0;
}

const char *store_why_not(const char *path)
{
    static const char *const schemes[] = {"s3", "gs", "az", "http", "https", "ftp"};
    size_t n = scheme_length(path);
    int is_known = 0;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        is_known |= n == strlen(schemes[i]) && strncmp(path, schemes[i], n) == 0;
    if (n > 0 && has_gdal)
        return is_known
                   ? "a URL is no path; GDAL opens it as /vsis3/BUCKET/KEY, /vsigs/BUCKET/KEY, /vsiaz/CONTAINER/KEY or "
                     "/vsicurl/URL"
                   : "a URL is no path; give the path alone";
    if (!has_gdal && (is_known || is_vsi(path)))
        return "only GDAL opens this place, and this libngff was built without it; build it with "
               "-DNGFF_WITH_GDAL=ON, or give a path on a disk";
    return n > 0 ? "a URL is no path; give the path alone" : NULL;
}

store *store_open(const char *path)
{
    store *s = has_gdal && is_vsi(path) ? store_vsi_open(path) : store_file_open(path);
    const char *why = store_why_not(path);
    if (s && why)
        s->refusal = s->unread = why;
    return s;
}

const side_calls *side_calls_for(const char *path)
{
    return has_gdal && is_vsi(path) ? vsi_side_calls_for(path) : &local_side_calls;
}
