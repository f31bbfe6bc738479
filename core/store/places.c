/* places.c: which store, over which calls, a path gets. One table has a row for each kind of place, chosen by how the path
 * begins; the last is this machine's disks. What none can open is refused by its reason, not looked for on the disk. */
#include "store/folder.h"
#include "store/side_file.h"
#include "store/store.h"
#include "store/store_host.h"

#include <ctype.h>
#include <string.h>

#ifdef NGFF_WITH_GDAL
static const int has_gdal = 1;
#else
static const int has_gdal = 0;
#endif

static const side_calls *local_side_calls_for(const char *path)
{
    (void)path;
    return &local_side_calls;
}

static const side_calls *no_side_calls(const char *path)
{
    (void)path;
    return NULL;
}

static char *as_typed(const char *path)
{
    return strdup(path);
}

static const struct place {
    const char *begin;
    char *(*path_of)(const char *typed);
    store *(*open)(const char *path);
    const side_calls *(*side_calls_for)(const char *path);
} places[] = {
#ifdef NGFF_WITH_GDAL
    {"/vsi", as_typed, store_vsi_open, vsi_side_calls_for},
#else
    {"/vsi", as_typed, store_file_open, local_side_calls_for}, /* which store_why_not refuses */
#endif
    {STORE_HOST_BEGIN, as_typed, store_host_open, no_side_calls},
    {"", local_path, store_file_open, local_side_calls_for},
};

static const struct place *place_of(const char *path)
{
    const struct place *p = places;
    while (strncmp(path, p->begin, strlen(p->begin)) != 0)
        p++;
    return p;
}

char *store_path_of(const char *typed)
{
    return place_of(typed)->path_of(typed);
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
    if (!has_gdal && (is_known || strncmp(path, "/vsi", 4) == 0))
        return "only GDAL opens this place, and this libngff was built without it; build it with "
               "-DNGFF_WITH_GDAL=ON, or give a path on a disk";
    return n > 0 ? "a URL is no path; give the path alone" : NULL;
}

store *store_open(const char *path)
{
    store *s = place_of(path)->open(path);
    const char *why = store_why_not(path);
    if (s && why)
        s->refusal = s->unread = why;
    return s;
}

const side_calls *side_calls_for(const char *path)
{
    return place_of(path)->side_calls_for(path);
}
