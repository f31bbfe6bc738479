/* options.c: one table is the whole knowledge about options. A row says what an option is called, what it may be, what
 * it is for and where its value goes; reading, messages, and in options_text.c GDAL's XML and the README's table all
 * come from the rows. Rules that join several options (a level within its codec's range, options that contradict each
 * other) are the paragraphs of check_together. */
#include "options.h"
#include "option_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !defined(_WIN32)
#include <unistd.h>
#endif

#include "image.h"
#include "json.h"
#include "number.h"

/* -- Words ----------------------------------------------------------------------------------------------------- */

static const word compress_words[] = {
    {"AUTO", COMPRESS_AUTO, 0}, {"ZSTD", COMPRESS_ZSTD, 0},    {"BLOSC", COMPRESS_BLOSC, 0},
    {"GZIP", COMPRESS_GZIP, 0}, {"NONE", COMPRESS_NONE, 0},    {"ZLIB", COMPRESS_ZLIB, 0},
    {"LZ4", COMPRESS_LZ4, 0},   {"DEFLATE", COMPRESS_GZIP, 1}, {NULL, 0, 0}};
static const word cname_words[] = {{"zstd", CNAME_ZSTD, 0}, {"lz4", CNAME_LZ4, 0},         {"lz4hc", CNAME_LZ4HC, 0},
                                   {"zlib", CNAME_ZLIB, 0}, {"blosclz", CNAME_BLOSCLZ, 0}, {NULL, 0, 0}};
static const word shuffle_words[] = {
    {"NONE", SHUFFLE_NONE, 0}, {"BYTE", SHUFFLE_BYTE, 0}, {"BIT", SHUFFLE_BIT, 0}, {NULL, 0, 0}};
static const word version_words[] = {{"0.4", VERSION_04, 0},
                                     {"0.5", VERSION_05, 0},
                                     {"ZARR_V2", VERSION_04, 1},
                                     {"ZARR_V3", VERSION_05, 1},
                                     {NULL, 0, 0}};
static const word layout_words[] = {
    {"OVERVIEWS", LAYOUT_OVERVIEWS, 0}, {"SCALES", LAYOUT_SCALES, 0}, {"FLAT", LAYOUT_FLAT, 0}, {NULL, 0, 0}};
static const word tri_words[] = {{"AUTO", TRI_AUTO, 0}, {"YES", TRI_YES, 0}, {"NO", TRI_NO, 0},  {"TRUE", TRI_YES, 1},
                                 {"FALSE", TRI_NO, 1},  {"ON", TRI_YES, 1},  {"OFF", TRI_NO, 1}, {"1", TRI_YES, 1},
                                 {"0", TRI_NO, 1},      {NULL, 0, 0}};
static const word bool_words[] = {{"NO", 0, 0}, {"YES", 1, 0}, {"FALSE", 0, 1}, {"TRUE", 1, 1}, {"OFF", 0, 1},
                                  {"ON", 1, 1}, {"0", 0, 1},   {"1", 1, 1},     {NULL, 0, 0}};
static const word reduce_words[] = {{"AUTO", REDUCE_AUTO, 1},
                                    {"AVERAGE", REDUCE_AVERAGE, 0},
                                    {"NEAREST", REDUCE_NEAREST, 0},
                                    {"MODE", REDUCE_MODE, 0},
                                    {"RMS", REDUCE_RMS, 0},
                                    {"MIN", REDUCE_MIN, 0},
                                    {"MAX", REDUCE_MAX, 0},
                                    {"GAUSS", REDUCE_GAUSS, 0},
                                    {"BILINEAR", REDUCE_BILINEAR, 0},
                                    {"CUBIC", REDUCE_CUBIC, 0},
                                    {"CUBICSPLINE", REDUCE_CUBICSPLINE, 0},
                                    {"LANCZOS", REDUCE_LANCZOS, 0},
                                    {NULL, 0, 0}};
static const word overviews_words[] = {{"IGNORE_EXISTING", OVERVIEWS_IGNORE, 0},
                                       {"AUTO", OVERVIEWS_AUTO, 0},
                                       {"FORCE_USE_EXISTING", OVERVIEWS_FORCE, 0},
                                       {"NONE", OVERVIEWS_NONE, 0},
                                       {NULL, 0, 0}};
static const word window_words[] = {{"AUTO", WINDOW_AUTO, 0},
                                    {"PERCENTILE", WINDOW_PERCENTILE, 0},
                                    {"MINMAX", WINDOW_MINMAX, 0},
                                    {"DTYPE", WINDOW_DTYPE, 0},
                                    {NULL, 0, 0}};
static const word origin_words[] = {{"PIXEL", ORIGIN_PIXEL, 0}, {"SOUTHING", ORIGIN_SOUTHING, 0}, {NULL, 0, 0}};
static const word verify_words[] = {{"NO", VERIFY_NO, 0},
                                    {"STORE", VERIFY_STORE, 0},
                                    {"SOURCE", VERIFY_SOURCE, 0},
                                    {"YES", VERIFY_STORE, 1},
                                    {NULL, 0, 0}};
static const word shard_words[] = {{"AUTO", SHARD_AUTO, 0}, {"NONE", SHARD_NONE, 0}, {NULL, 0, 0}};
static const word threads_words[] = {{"ALL_CPUS", 0, 0}, {NULL, 0, 0}};

static int equals(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (toupper((unsigned char)*a) != toupper((unsigned char)*b))
            return 0;
    return *a == *b;
}

static const word *word_find(const word *words, const char *text)
{
    for (; words && words->text; words++)
        if (equals(words->text, text))
            return words;
    return NULL;
}

/* The first word that is shown for a value. */
static const char *word_of(const word *words, int value)
{
    for (; words->text; words++)
        if (words->value == value)
            return words->text;
    return "?";
}

/* Appends to a text of fixed room and cuts what does not fit. */
static void append(char *to, size_t room, const char *text)
{
    size_t n = strlen(to);
    if (n + 1 < room)
        snprintf(to + n, room - n, "%s", text);
}

const char *row_allowed(const row *r, char text[400])
{
    text[0] = '\0';
    if (r->shown)
        append(text, 400, r->shown);
    for (const word *w = r->shown ? NULL : r->words; w && w->text; w++) {
        if (w->is_hidden)
            continue;
        append(text, 400, text[0] ? ", " : "");
        append(text, 400, w->text);
    }
    return text;
}

static int32_t refuse(const row *r, const char *value, error *e, const char *why)
{
    char text[400];
    return error_set(e, NGFF_E_OPTION, "%s=%.200s: %s; allowed: %s", r->name, value, why ? why : "not a known value",
                     row_allowed(r, text));
}

/* -- Readers of values ----------------------------------------------------------------------------------------- */

static int32_t read_word(const row *r, const char *value, void *to, error *e)
{
    const word *w = word_find(r->words, value);
    if (!w)
        return refuse(r, value, e, NULL);
    *(int *)to = w->value;
    return NGFF_OK;
}

/* A decimal integer at text within low..high; *end is behind it. Returns 0 if there is none. */
static int integer_at(const char *text, int64_t low, int64_t high, int64_t *value, const char **end)
{
    int is_negative = *text == '-';
    const char *p = text + is_negative;
    int64_t n = 0;
    if (!isdigit((unsigned char)*p))
        return 0;
    for (; isdigit((unsigned char)*p); p++) {
        if (n > INT64_MAX / 10 - 1)
            return 0;
        n = n * 10 + (*p - '0');
    }
    *value = is_negative ? -n : n;
    *end = p;
    return *value >= low && *value <= high;
}

static int32_t read_integer(const row *r, const char *value, void *to, error *e)
{
    int64_t n;
    const char *end;
    const word *w = word_find(r->words, value);
    if (w) {
        *(int *)to = w->value;
        return NGFF_OK;
    }
    if (!integer_at(value, r->low, r->high, &n, &end) || *end)
        return refuse(r, value, e, "not a whole number in the range");
    *(int *)to = (int)n;
    return NGFF_OK;
}

static int32_t read_threads(const row *r, const char *value, void *to, error *e)
{
    if (read_integer(r, value, to, e))
        return e->status;
    /* 0 in options means ALL_CPUS; a typed 0 means no thread beside the caller's. */
    if (*(int *)to == 0 && !word_find(r->words, value))
        *(int *)to = 1;
    return NGFF_OK;
}

int64_t options_machine_memory(void)
{
    int64_t bytes = 0;
#if !defined(_WIN32)
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        FILE *file = fopen(limits[i], "r");
        int64_t limit;
        if (file && fscanf(file, "%" SCNd64, &limit) == 1 && limit > 0)
            bytes = min_i64(bytes, limit);
        if (file)
            fclose(file);
    }
#endif
    return max_i64(bytes, 0);
}

static int32_t read_memory(const row *r, const char *value, void *to, error *e)
{
    static const char units[] = "KMGT";
    const char *end;
    double n = number_parse(value, &end);
    if (end == value || !(n > 0))
        return refuse(r, value, e, "not an amount of memory");
    while (*end == ' ')
        end++;
    if (*end == '%' && !end[1] && n <= 100) {
        int64_t machine = options_machine_memory();
        if (machine == 0)
            return refuse(r, value, e, "the memory of this machine is unknown, so give bytes");
        n = n / 100 * (double)machine;
    } else if (*end) {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        const char *rest = unit ? end + 1 : end;
        if (!(equals(rest, "") || equals(rest, "B") || (unit && equals(rest, "iB"))))
            return refuse(r, value, e, "not an amount of memory");
        n *= unit ? ldexp(1, 10 * (int)(unit - units + 1)) : 1;
    }
    if (n < 1 || n > 1e18)
        return refuse(r, value, e, "not an amount of memory");
    *(int64_t *)to = (int64_t)n;
    return NGFF_OK;
}

/* Sizes up to the character stop or the end of the text: "512", "1,512,512", "y:2,x:2". Returns what is wrong, or NULL.
 */
static const char *sizes_at(const char *text, char stop, int64_t high, size_list *list, const char **end)
{
    memset(list, 0, sizeof *list);
    for (const char *p = text;; p++) {
        if (list->n == MAX_RANK)
            return "more than 5 values";
        char dim = 0;
        if (isalpha((unsigned char)*p) && p[1] == ':') {
            dim = (char)tolower((unsigned char)*p);
            p += 2;
            if (!strchr("tczyx", dim))
                return "an axis other than t, c, z, y, x";
        }
        if (list->n > 0 && !dim != !list->dim[0])
            return "values with and without an axis are mixed";
        for (int i = 0; dim && i < list->n; i++)
            if (list->dim[i] == dim)
                return "an axis twice";
        if (!integer_at(p, 1, high, &list->value[list->n], &p))
            return "sizes must be whole numbers from 1";
        list->dim[list->n++] = dim;
        if (*p != ',') {
            list->is_set = 1;
            *end = p;
            return !*p || *p == stop ? NULL : "sizes must be whole numbers from 1";
        }
    }
}

static int32_t read_sizes(const row *r, const char *value, void *to, error *e)
{
    const char *end;
    const char *problem = sizes_at(value, '\0', r->high, to, &end);
    return problem ? refuse(r, value, e, problem) : NGFF_OK;
}

/* BLOCKXSIZE and BLOCKYSIZE, GTiff's names, add one axis each. */
static int32_t read_block_side(const row *r, const char *value, void *to, error *e)
{
    size_list *list = to;
    int64_t n;
    const char *end;
    if (list->n > 0 && !list->dim[0])
        return refuse(r, value, e, "BLOCKSIZE is given, too");
    if (!integer_at(value, 1, r->high, &n, &end) || *end)
        return refuse(r, value, e, "not a whole number from 1");
    list->is_set = 1;
    list->value[list->n] = n;
    list->dim[list->n++] = r->name[5] == 'X' ? 'x' : 'y';
    return NGFF_OK;
}

static int32_t read_shard(const row *r, const char *value, void *to, error *e)
{
    options *o = (options *)((char *)to - offsetof(options, shard_mode));
    const word *w = word_find(r->words, value);
    o->shard_mode = w ? w->value : SHARD_GIVEN;
    return w ? NGFF_OK : read_sizes(r, value, &o->shard, e);
}

/* "2,4,8": one factor per level; "y:2,x:2;z:2,y:4,x:4" and "1,2,2;1,4,4": one list per level. */
static int32_t read_factors(const row *r, const char *value, void *to, error *e)
{
    options *o = (options *)((char *)to - offsetof(options, scale_factors));
    int is_ladder = !strchr(value, ';') && !strchr(value, ':');
    const char *p = value;
    for (o->n_scale_factors = 0;; p++) {
        if (o->n_scale_factors == max_levels - 1)
            return refuse(r, value, e, "too many levels");
        size_list *list = &o->scale_factors[o->n_scale_factors++];
        const char *problem = NULL;
        if (!is_ladder)
            problem = sizes_at(p, ';', r->high, list, &p);
        else if ((list->is_set = integer_at(p, 1, r->high, &list->value[0], &p) && (!*p || *p == ',')))
            list->n = 1;
        else
            problem = "factors must be whole numbers from 1";
        if (problem)
            return refuse(r, value, e, problem);
        if (!*p)
            return NGFF_OK;
    }
}

static int32_t read_numbers(const row *r, const char *value, void *to, error *e)
{
    number_list *list = to;
    for (const char *p = value;; p++) {
        if (list->n == MAX_RANK)
            return refuse(r, value, e, "more than 5 values");
        char dim = 0;
        if (isalpha((unsigned char)*p) && p[1] == ':') {
            dim = (char)tolower((unsigned char)*p);
            p += 2;
        }
        if ((dim && !strchr("tczyx", dim)) || (list->n > 0 && !dim != !list->dim[0]))
            return refuse(r, value, e, "every value needs its axis");
        for (int i = 0; dim && i < list->n; i++)
            if (list->dim[i] == dim)
                return refuse(r, value, e, "an axis twice");
        const char *end;
        double number = number_parse(p, &end);
        if (end == p || !isfinite(number) || (r->low > 0 && number <= 0))
            return refuse(r, value, e, r->low > 0 ? "not a number above 0" : "not a number");
        list->dim[list->n] = dim;
        list->value[list->n++] = number;
        p = end;
        if (!*p)
            return NGFF_OK;
        if (*p != ',')
            return refuse(r, value, e, "a comma is missing");
    }
}

static int32_t read_text(const row *r, const char *value, void *to, error *e)
{
    if (!utf8_is_valid(value, strlen(value)))
        return error_set(e, NGFF_E_OPTION, "%s is not valid UTF-8", r->name);
    *(char **)to = strdup(value);
    return *(char **)to ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

static int32_t read_path(const row *r, const char *value, void *to, error *e)
{
    if (!value[0] || value[strlen(value) - 1] == '/')
        return refuse(r, value, e, "the name of a file is missing");
    return read_text(r, value, to, e);
}

static int32_t read_axes(const row *r, const char *value, void *to, error *e)
{
    size_list list;
    const char *end;
    const char *problem = sizes_at(value, '\0', r->high, &list, &end);
    if (!problem && !list.dim[0])
        problem = "every size needs its axis";
    return problem ? refuse(r, value, e, problem) : read_text(r, value, to, e);
}

static int32_t read_units(const row *r, const char *value, void *to, error *e)
{
    for (const char *p = value;; p++) {
        char dim = (char)tolower((unsigned char)*p);
        if (!dim || !strchr("tzyx", dim) || p[1] != ':')
            return refuse(r, value, e, "pairs of an axis (t, z, y, x) and its unit are expected");
        char unit[40] = "";
        size_t n = strcspn(p + 2, ",;");
        if (n < sizeof unit)
            memcpy(unit, p + 2, n);
        if (!unit_name(dim, unit))
            return error_set(e, NGFF_E_OPTION, "%s=%.200s: \"%.*s\" is no unit for axis %c; allowed: %s", r->name,
                             value, (int)min_i64((int64_t)n, 40), p + 2, dim, unit_list(dim));
        p += 2 + n;
        if (!*p)
            return read_text(r, value, to, e);
    }
}

/* Splits at commas; "\," stands for a comma. A NULL-terminated list of malloc'ed texts, or NULL when memory is out. */
static char **list_split(const char *value)
{
    size_t n = 1;
    for (const char *p = value; *p; p++)
        n += *p == ',';
    char **list = calloc(n + 1, sizeof *list);
    const char *p = value;
    for (size_t i = 0; list && i < n; i++) {
        char *item = list[i] = malloc(strlen(p) + 1);
        if (!item)
            break;
        for (; *p && *p != ','; p++) {
            p += p[0] == '\\' && p[1] == ',';
            *item++ = *p;
        }
        *item = '\0';
        if (!*p)
            return list;
        p++;
    }
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
    return NULL;
}

static int32_t read_list(const row *r, const char *value, void *to, error *e)
{
    if (!utf8_is_valid(value, strlen(value)))
        return error_set(e, NGFF_E_OPTION, "%s is not valid UTF-8", r->name);
    *(char ***)to = list_split(value);
    return *(char ***)to ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

static int32_t read_colors(const row *r, const char *value, void *to, error *e)
{
    if (read_list(r, value, to, e))
        return e->status;
    for (char **item = *(char ***)to; *item; item++) {
        char *text = *item;
        if (text[0] == '#')
            memmove(text, text + 1, strlen(text));
        size_t n = strlen(text);
        if (n != 0 && (n != 6 || strspn(text, "0123456789abcdefABCDEF") != 6))
            return refuse(r, value, e, "a colour is not 6 hexadecimal digits");
    }
    return NGFF_OK;
}

static int32_t read_window(const row *r, const char *value, void *to, error *e)
{
    options *o = (options *)((char *)to - offsetof(options, window_mode));
    const word *w = word_find(r->words, value);
    o->window_mode = w ? w->value : WINDOW_GIVEN;
    if (w)
        return NGFF_OK;
    size_t room = 1;
    for (const char *p = value; *p; p++)
        room += *p == ',';
    o->windows = calloc(2 * room, sizeof *o->windows);
    if (!o->windows)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    for (const char *p = value;; p++) {
        const char *colon, *end;
        double *window = o->windows + 2 * o->n_windows++;
        window[0] = number_parse(p, &colon);
        window[1] = number_parse(*colon == ':' ? colon + 1 : colon, &end);
        if (colon == p || *colon != ':' || end == colon + 1 || !isfinite(window[0]) || !isfinite(window[1]) ||
            window[0] >= window[1] || (*end && *end != ','))
            return refuse(r, value, e, "a range must be low:high with low below high");
        p = end;
        if (!*p)
            return NGFF_OK;
    }
}

/* -- The table ------------------------------------------------------------------------------------------------- */

const row option_table[] = {
    {
        .name = "COMPRESS",
        .words = compress_words,
        .standard = "AUTO",
        .help = "AUTO = ZSTD for 8-bit types (opens in every reader), BLOSC for wider ones (shuffle pays). ZLIB, "
                "LZ4: 0.4 only",
        .offset = offsetof(options, compress),
    },
    {
        .name = "LEVEL",
        .aliases = "COMPRESSION_LEVEL",
        .shown = "zstd 1-22, blosc 0-9, gzip and zlib 1-9",
        .standard = "1; gzip, zlib 6",
        .help = "Compression level",
        .read = read_integer,
        .offset = offsetof(options, level),
        .high = 22,
    },
    {
        .name = "ZSTD_LEVEL",
        .shown = "1-22",
        .help = "LEVEL for COMPRESS=ZSTD",
        .read = read_integer,
        .offset = offsetof(options, level),
        .low = 1,
        .high = 22,
    },
    {
        .name = "GZIP_LEVEL",
        .aliases = "ZLIB_LEVEL ZLEVEL",
        .shown = "1-9",
        .help = "LEVEL for COMPRESS=GZIP or ZLIB",
        .read = read_integer,
        .offset = offsetof(options, level),
        .low = 1,
        .high = 9,
    },
    {
        .name = "BLOSC_CLEVEL",
        .shown = "0-9",
        .help = "LEVEL for COMPRESS=BLOSC",
        .read = read_integer,
        .offset = offsetof(options, level),
        .high = 9,
    },
    {
        .name = "BLOSC_CNAME",
        .words = cname_words,
        .standard = "zstd",
        .help = "Codec inside blosc",
        .offset = offsetof(options, blosc_cname),
    },
    {
        .name = "BLOSC_SHUFFLE",
        .words = shuffle_words,
        .standard = "BYTE",
        .help = "Shuffle inside blosc",
        .offset = offsetof(options, blosc_shuffle),
    },
    {
        .name = "CHECKSUM",
        .words = tri_words,
        .standard = "AUTO",
        .help =
            "A checksum for every chunk, so that a flipped bit is an error in any reader. AUTO: where it costs nothing "
            "(ZSTD; GZIP and ZLIB always have one); YES: also crc32c behind BLOSC and NONE (0.5)",
        .offset = offsetof(options, checksum),
    },
    {
        .name = "BLOCKSIZE",
        .aliases = "CHUNKS",
        .shown = "n, or 1,512,512 in axis order, or z:16,y:256,x:256",
        .standard = "512; with z 16,256,256; 1 elsewhere",
        .help = "Chunk; also where the pyramid stops",
        .read = read_sizes,
        .offset = offsetof(options, blocksize),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "BLOCKXSIZE",
        .shown = "n",
        .help = "Chunk along x",
        .read = read_block_side,
        .offset = offsetof(options, blocksize),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "BLOCKYSIZE",
        .shown = "n",
        .help = "Chunk along y",
        .read = read_block_side,
        .offset = offsetof(options, blocksize),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "SHARD",
        .aliases = "SHARDS",
        .words = shard_words,
        .shown = "AUTO, NONE, n, or a list as in BLOCKSIZE",
        .standard = "AUTO",
        .help =
            "Shard in pixels, a multiple of the chunk (a number below the chunk's counts chunks); 0.5 only. AUTO: none "
            "below 10,000 objects",
        .read = read_shard,
        .offset = offsetof(options, shard_mode),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "NGFF_VERSION",
        .aliases = "VERSION FORMAT",
        .words = version_words,
        .standard = "0.5",
        .help = "0.4 for Bio-Formats, OMERO, older GDAL",
        .offset = offsetof(options, version),
    },
    {
        .name = "LAYOUT",
        .words = layout_words,
        .standard = "OVERVIEWS",
        .help = "OVERVIEWS: scale0/image, ovr_2x/image ...; SCALES: scale0/image, scale1/image ...; FLAT: 0, 1 ...",
        .offset = offsetof(options, layout),
    },
    {
        .name = "CONSOLIDATED",
        .aliases = "CREATE_CONSOLIDATED_METADATA",
        .words = tri_words,
        .standard = "AUTO",
        .help = "All metadata in the root as well; AUTO: not for FLAT",
        .offset = offsetof(options, consolidated),
    },
    {
        .name = "OVERVIEW_RESAMPLING",
        .aliases = "RESAMPLING",
        .words = reduce_words,
        .standard = "AVERAGE; palette, labels MODE; complex NEAREST",
        .help = "How levels are made",
        .offset = offsetof(options, resampling),
    },
    {
        .name = "OVERVIEWS",
        .words = overviews_words,
        .standard = "IGNORE_EXISTING",
        .help = "Make levels, or take those of the source: AUTO only where sizes are exact, FORCE_USE_EXISTING refuses "
                "others",
        .offset = offsetof(options, overviews),
    },
    {
        .name = "OVERVIEW_COUNT",
        .shown = "-1, or 0-39",
        .standard = "-1",
        .help = "Levels above the full size; -1: until both sides fit one chunk",
        .read = read_integer,
        .offset = offsetof(options, overview_count),
        .low = -1,
        .high = max_levels - 1,
    },
    {
        .name = "SCALE_FACTORS",
        .shown = "2,4,8 or y:2,x:2;z:2,y:4,x:4",
        .standard = "powers of 2; z by physical spacing",
        .help = "Factor of each level, relative to full size",
        .read = read_factors,
        .offset = offsetof(options, scale_factors),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "NUM_THREADS",
        .words = threads_words,
        .shown = "ALL_CPUS, or 0-1024",
        .standard = "ALL_CPUS",
        .help = "Threads that compute, the caller included",
        .read = read_threads,
        .offset = offsetof(options, n_threads),
        .high = 1024,
        .is_of_run = 1,
    },
    {
        .name = "MEMORY",
        .shown = "bytes, 256MB, 1GB, 10%",
        .standard = "what the plan needs",
        .help = "Memory for pixels",
        .read = read_memory,
        .offset = offsetof(options, memory_bytes),
        .low = 1,
        .high = INT64_MAX,
        .is_of_run = 1,
    },
    {
        .name = "STATISTICS",
        .words = tri_words,
        .standard = "AUTO",
        .help = "Exact minimum, maximum, mean and standard deviation, in the same pass",
        .offset = offsetof(options, statistics),
    },
    {
        .name = "WINDOW",
        .words = window_words,
        .shown = "AUTO, PERCENTILE, MINMAX, DTYPE, or lo:hi,lo:hi,...",
        .standard = "AUTO",
        .help =
            "Display range of the channels. PERCENTILE: 2 to 98 %. AUTO: the same, counted on every n-th row beyond "
            "2^25 pixels; RGB bytes 0:255",
        .read = read_window,
        .offset = offsetof(options, window_mode),
    },
    {
        .name = "CHANNEL_NAMES",
        .shown = "name,name,...",
        .standard = "from the source",
        .help = "Labels of the channels; \\, stands for a comma",
        .read = read_list,
        .offset = offsetof(options, channel_names),
    },
    {
        .name = "CHANNEL_COLORS",
        .shown = "RRGGBB,RRGGBB,...",
        .standard = "from the source",
        .help = "Colours of the channels",
        .read = read_colors,
        .offset = offsetof(options, channel_colors),
    },
    {
        .name = "AXES",
        .aliases = "DIMS",
        .shown = "t:3,c:2,z:10",
        .standard = "by the source",
        .help = "What the bands are, slowest first",
        .read = read_axes,
        .offset = offsetof(options, axes),
        .low = 1,
        .high = INT32_MAX,
        .is_of_run = 1,
    },
    {
        .name = "AXIS_SCALE",
        .aliases = "SCALE",
        .shown = "z:2.0,t:0.5",
        .standard = "by the source",
        .help = "Size of a pixel along an axis",
        .read = read_numbers,
        .offset = offsetof(options, axis_scale),
        .low = 1,
    },
    {
        .name = "AXIS_TRANSLATION",
        .aliases = "TRANSLATION",
        .shown = "z:2.0,t:0.5",
        .standard = "by the source",
        .help = "Position of the first pixel's centre along an axis",
        .read = read_numbers,
        .offset = offsetof(options, axis_translation),
    },
    {
        .name = "AXIS_UNITS",
        .aliases = "UNITS",
        .shown = "z:um,t:s",
        .standard = "by the source",
        .help = "Units of the axes",
        .read = read_units,
        .offset = offsetof(options, axis_units),
    },
    {
        .name = "NAME",
        .shown = "text",
        .standard = "image",
        .help = "Name of the image",
        .read = read_text,
        .offset = offsetof(options, name),
    },
    {
        .name = "ORIGIN",
        .words = origin_words,
        .standard = "PIXEL",
        .help = "SOUTHING: the first pixel at (-north, east), so that tiles of one CRS line up in viewers",
        .offset = offsetof(options, origin),
    },
    {
        .name = "COPY_SRC_MDD",
        .words = tri_words,
        .standard = "AUTO",
        .help = "Keep the source's metadata domains; NO for de-identified output",
        .offset = offsetof(options, copy_src_mdd),
        .is_of_run = 1,
    },
    {
        .name = "OVERWRITE",
        .words = bool_words,
        .standard = "NO",
        .help = "Replace an existing store",
        .offset = offsetof(options, overwrite),
        .is_of_run = 1,
    },
    {
        .name = "RESUME",
        .words = bool_words,
        .standard = "NO",
        .help = "Go on where an earlier run of the same source and options stopped; an error keeps what is done",
        .offset = offsetof(options, resume),
        .is_of_run = 1,
    },
    {
        .name = "SYNC",
        .words = bool_words,
        .standard = "NO",
        .help = "Wait until all of the store is on the disk before it becomes visible",
        .offset = offsetof(options, sync),
        .is_of_run = 1,
    },
    {
        .name = "VERIFY",
        .words = verify_words,
        .standard = "NO",
        .help = "Before publishing: STORE decodes all that was written; SOURCE also compares every pixel of the full "
                "size with the source",
        .offset = offsetof(options, verify),
        .is_of_run = 1,
    },
    {
        .name = "REPORT",
        .shown = "path of a file",
        .help = "JSON about the run: plan, counts, digests of the pixels and of all objects, statistics, what was not "
                "kept; put there when the store is",
        .read = read_path,
        .offset = offsetof(options, report),
        .is_of_run = 1,
    },
    {
        .name = "DRY_RUN",
        .words = bool_words,
        .standard = "NO",
        .help = "Plan, bytes, objects, memory; write nothing",
        .offset = offsetof(options, dry_run),
        .is_of_run = 1,
    },
};

const int option_count = sizeof option_table / sizeof option_table[0];

/* Options of other drivers, and what to use here instead. */
static const struct {
    const char *name, *advice;
} foreign[] = {
    {"PREDICTOR", "BLOSC_SHUFFLE does what a predictor is for"},
    {"TILED", "OME-Zarr is always tiled; BLOCKSIZE sets the size"},
    {"BIGTIFF", "OME-Zarr has no size limit; leave it out"},
    {"INTERLEAVE", "bands are separate planes; BLOCKSIZE=c:3 puts 3 bands into one chunk"},
    {"QUALITY", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"LERC", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"MAX_Z_ERROR", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"JPEG_QUALITY", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"WEBP_LEVEL", "only lossless codecs are written; use COMPRESS and LEVEL"},
    {"SHARD_CHUNK_SHAPE", "use BLOCKSIZE for the chunk and SHARD for the shard"},
    {"SHARD_SHAPE", "use SHARD"},
    {"CHUNKS_PER_SHARD", "use SHARD, in pixels"},
    {"DIM_SEPARATOR", "the separator is always /"},
    {"CHUNK_MEMORY_LAYOUT", "the order is always C"},
    {"ARRAY_NAME", "use LAYOUT for the paths and NAME for the name"},
    {"SINGLE_ARRAY", "bands are always one array; leave it out"},
    {"SPARSE_OK", "chunks that hold only fill are never stored; leave it out"},
    {"NBITS", "pixels keep their type"},
    {"TFW", "the geotransform is inside the store"},
    {"PHOTOMETRIC", "use CHANNEL_COLORS"},
    {"ALPHA", "the source's colour interpretation decides"},
    {"METHOD", "use OVERVIEW_RESAMPLING"},
    {"OVERVIEW_COMPRESS", "levels use COMPRESS"},
    {"GEOREFERENCING_CONVENTION", "all conventions are written"},
};

static int list_has(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p && *p;) {
        size_t length = strcspn(p, " ");
        size_t i = 0;
        while (length == n && i < n && toupper((unsigned char)name[i]) == p[i])
            i++;
        if (length == n && i == n)
            return 1;
        p += length + (p[length] == ' ');
    }
    return 0;
}

static const row *row_find(const char *name)
{
    for (int i = 0; i < option_count; i++)
        if (equals(option_table[i].name, name) || list_has(option_table[i].aliases, name))
            return &option_table[i];
    return NULL;
}

const char *options_canonical(const char *name)
{
    const row *r = name ? row_find(name) : NULL;
    return r ? r->name : NULL;
}

const char *row_default(const row *r)
{
    return r->standard && word_find(r->words, r->standard) ? r->standard : "";
}

const char *options_value(const char *name, const char *typed)
{
    const row *r = row_find(name);
    const word *w = word_find(r->words, typed);
    return w ? word_of(r->words, w->value) : typed[0] ? typed : row_default(r);
}

int options_is_lasting(const char *typed)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    const row *r = row_find(name);
    return r && !r->is_of_run;
}

/* Edits that turn one name into the other (Levenshtein), at most 31 characters of each. */
static int distance(const char *a, const char *b)
{
    int line[33];
    for (int j = 0; j <= 32; j++)
        line[j] = j;
    int n = 0;
    for (int i = 1; i < 32 && a[i - 1]; i++) {
        int diagonal = line[0];
        line[0] = i;
        for (int j = 1; j < 32 && b[j - 1]; j++) {
            int change = diagonal + (toupper((unsigned char)a[i - 1]) != b[j - 1]);
            diagonal = line[j];
            int insert = (line[j] < line[j - 1] ? line[j] : line[j - 1]) + 1;
            line[j] = change < insert ? change : insert;
        }
    }
    while (n < 31 && b[n])
        n++;
    return line[n];
}

static int32_t refuse_name(const char *name, error *e)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (equals(foreign[i].name, name))
            return error_set(e, NGFF_E_OPTION, "%s is not an option of this format: %s", name, foreign[i].advice);
    const row *nearest = option_table;
    for (int i = 1; i < option_count; i++)
        if (distance(name, option_table[i].name) < distance(name, nearest->name))
            nearest = &option_table[i];
    return error_set(e, NGFF_E_OPTION, "\"%.100s\" is not an option; the nearest is %s", name, nearest->name);
}

/* -- Reading a list -------------------------------------------------------------------------------------------- */

static const char *typed_value(const options *o, const char *name)
{
    size_t n = strlen(name);
    for (char **p = o->typed; p && *p; p++)
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return *p + n + 1;
    return NULL;
}

static int32_t keep_typed(options *o, int n, const char *name, const char *value, error *e)
{
    size_t size = strlen(name) + strlen(value) + 2;
    o->typed[n] = malloc(size);
    if (!o->typed[n])
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    snprintf(o->typed[n], size, "%s=%s", name, value);
    return NGFF_OK;
}

static int32_t read_one(const char *item, options *o, int n, error *e)
{
    char name[64];
    size_t length = strcspn(item, "=");
    if (!item[length])
        return error_set(e, NGFF_E_OPTION, "\"%.100s\" is not NAME=VALUE", item);
    if (length >= sizeof name)
        return error_set(e, NGFF_E_OPTION, "\"%.100s\" is not an option", item);
    memcpy(name, item, length);
    name[length] = '\0';
    const char *value = item + length + 1;
    const row *r = row_find(name);
    if (!r)
        return refuse_name(name, e);
    const char *before = typed_value(o, r->name);
    if (before)
        return error_set(e, NGFF_E_OPTION, "%s is given twice: \"%.100s\" and \"%.100s\"", r->name, before, value);
    row_reader read = r->read ? r->read : read_word;
    if (read(r, value, (char *)o + r->offset, e))
        return e->status;
    return keep_typed(o, n, r->name, value, e);
}

/* -- Rules that join options ----------------------------------------------------------------------------------- */

/* An option that only one codec understands chooses this codec, unless COMPRESS names another. */
static int32_t imply_codec(options *o, const char *name, int compress, error *e)
{
    if (!typed_value(o, name) || o->compress == compress)
        return NGFF_OK;
    if (compress == COMPRESS_GZIP && o->compress == COMPRESS_ZLIB)
        return NGFF_OK;
    if (o->compress != COMPRESS_AUTO)
        return error_set(e, NGFF_E_OPTION, "%s=%s is for COMPRESS=%s, but COMPRESS=%s is given; drop one of them", name,
                         typed_value(o, name), compress_name(compress), compress_name(o->compress));
    o->compress = compress;
    return NGFF_OK;
}

/* Levels that the codec takes; for AUTO those that both of its codecs take. */
static int32_t check_level(const options *o, error *e)
{
    static const struct {
        int compress, low, high;
    } ranges[] = {{COMPRESS_AUTO, 1, 9},
                  {COMPRESS_ZSTD, 1, 22},
                  {COMPRESS_BLOSC, 0, 9},
                  {COMPRESS_GZIP, 1, 9},
                  {COMPRESS_ZLIB, 1, 9}};
    if (o->level < 0)
        return NGFF_OK;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].compress == o->compress)
            return o->level >= ranges[i].low && o->level <= ranges[i].high
                       ? NGFF_OK
                       : error_set(e, NGFF_E_OPTION, "LEVEL=%d: COMPRESS=%s allows %d to %d", o->level,
                                   compress_name(o->compress), ranges[i].low, ranges[i].high);
    return error_set(e, NGFF_E_OPTION, "LEVEL=%d: COMPRESS=%s has no levels; leave LEVEL out", o->level,
                     compress_name(o->compress));
}

static int32_t check_pair(const options *o, const char *a, const char *b, error *e)
{
    if (!typed_value(o, a) || !typed_value(o, b))
        return NGFF_OK;
    return error_set(e, NGFF_E_OPTION, "%s=%.100s and %s=%.100s contradict each other; give one of them", a,
                     typed_value(o, a), b, typed_value(o, b));
}

static int32_t check_codec(options *o, error *e)
{
    static const char *const levels[] = {"LEVEL", "ZSTD_LEVEL", "GZIP_LEVEL", "BLOSC_CLEVEL"};
    for (int i = 0; i < 4; i++)
        for (int j = i + 1; j < 4; j++)
            if (check_pair(o, levels[i], levels[j], e))
                return e->status;
    if (imply_codec(o, "ZSTD_LEVEL", COMPRESS_ZSTD, e) || imply_codec(o, "GZIP_LEVEL", COMPRESS_GZIP, e) ||
        imply_codec(o, "BLOSC_CLEVEL", COMPRESS_BLOSC, e) || imply_codec(o, "BLOSC_CNAME", COMPRESS_BLOSC, e) ||
        imply_codec(o, "BLOSC_SHUFFLE", COMPRESS_BLOSC, e))
        return e->status;
    int is_v2_only = o->compress == COMPRESS_ZLIB || o->compress == COMPRESS_LZ4;
    if (is_v2_only && o->version != VERSION_04)
        return error_set(e, NGFF_E_OPTION, "COMPRESS=%s exists in NGFF 0.4 only; use COMPRESS=%s, or NGFF_VERSION=0.4",
                         compress_name(o->compress),
                         o->compress == COMPRESS_LZ4 ? "BLOSC with BLOSC_CNAME=lz4" : "GZIP");
    return check_level(o, e);
}

static int32_t check_together(options *o, error *e)
{
    if (check_codec(o, e))
        return e->status;
    if (o->shard_mode == SHARD_GIVEN && o->version == VERSION_04)
        return error_set(e, NGFF_E_OPTION, "SHARD=%s needs NGFF_VERSION=0.5; NGFF 0.4 has no shards",
                         typed_value(o, "SHARD"));
    if (check_pair(o, "BLOCKSIZE", "BLOCKXSIZE", e) || check_pair(o, "BLOCKSIZE", "BLOCKYSIZE", e) ||
        check_pair(o, "OVERVIEW_COUNT", "SCALE_FACTORS", e) || (o->dry_run && check_pair(o, "DRY_RUN", "REPORT", e)))
        return e->status;
    if (o->overviews == OVERVIEWS_NONE && (check_pair(o, "OVERVIEWS", "SCALE_FACTORS", e) ||
                                           (o->overview_count > 0 && check_pair(o, "OVERVIEWS", "OVERVIEW_COUNT", e))))
        return e->status;
    return NGFF_OK;
}

int32_t options_read(const char *const *list, options *o, error *e)
{
    memset(o, 0, sizeof *o);
    o->version = VERSION_05;
    o->level = -1;
    o->blosc_shuffle = SHUFFLE_BYTE;
    o->overview_count = -1;
    int n = 0;
    while (list && list[n])
        n++;
    o->typed = calloc((size_t)n + 1, sizeof *o->typed);
    if (!o->typed)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    for (int i = 0; i < n; i++)
        if (read_one(list[i], o, i, e))
            return e->status;
    return check_together(o, e);
}

static void list_free(char **list)
{
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

void options_release(options *o)
{
    list_free(o->channel_names);
    list_free(o->channel_colors);
    list_free(o->typed);
    free(o->windows);
    free(o->axes);
    free(o->axis_units);
    free(o->name);
    free(o->report);
    memset(o, 0, sizeof *o);
}

const char *reduce_name(int resampling)
{
    return word_of(reduce_words, resampling);
}

const char *compress_name(int compress)
{
    return word_of(compress_words, compress);
}

const char *layout_name(int layout)
{
    return word_of(layout_words, layout);
}

const char *row_gdal_type(const row *r)
{
    if (r->words == bool_words)
        return "boolean";
    if (!r->read)
        return "string-select";
    return r->read == read_integer || r->read == read_block_side ? "int" : "string";
}

int row_alias_has_more(const row *r)
{
    return r->words == version_words;
}
