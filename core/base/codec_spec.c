/* codec_spec.c: see codec_spec.h. */
#include "base/codec_spec.h"

#include <stddef.h>
#include <string.h>

static const char *const cnames[] = {"zstd", "lz4", "lz4hc", "zlib", "blosclz"};
static const char *const shuffles[] = {"noshuffle", "shuffle", "bitshuffle"};

static const char *name_at(const char *const *names, int n, int index)
{
    return index >= 0 && index < n ? names[index] : NULL;
}

static int index_of(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

const char *cname_name(int cname)
{
    return name_at(cnames, 5, cname);
}

int cname_by_name(const char *name)
{
    return index_of(cnames, 5, name);
}

const char *shuffle_name(int shuffle)
{
    return name_at(shuffles, 3, shuffle);
}

int shuffle_by_name(const char *name)
{
    return index_of(shuffles, 3, name);
}
