/* codec_spec.c: see codec_spec.h. */
#include "base/codec_spec.h"

#include <stddef.h>
#include <string.h>

#include "base/dtype.h"

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

#define CODEC_ROW(name, v2, v3, instead, least, most, standard, checksum)                                              \
    [COMPRESS_##name] = {#name, v2, v3, instead, least, most, standard, checksum},
static const codec_row rows[] = {CODECS(CODEC_ROW)};

const codec_row *codec_row_get(int compress)
{
    return compress > COMPRESS_AUTO && compress < n_compress ? &rows[compress] : NULL;
}

int codec_by_name(int zarr_format, const char *name)
{
    static const char of_numcodecs[] = "numcodecs."; /* zarr-python takes them over, with numcodecs' own framing */
    int is_theirs = zarr_format == ZARR_3 && strncmp(name, of_numcodecs, sizeof of_numcodecs - 1) == 0;
    if (is_theirs)
        name += sizeof of_numcodecs - 1;
    for (int i = COMPRESS_AUTO + 1; i < n_compress; i++) {
        const char *known = zarr_format == ZARR_2 || is_theirs ? rows[i].v2 : rows[i].v3;
        if (known && strcmp(known, name) == 0)
            return i;
    }
    return COMPRESS_AUTO;
}
