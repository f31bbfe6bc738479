/* option_table.c: one table is the whole knowledge about options. A row says what an option is called, what it may be,
 * what it is for and where its value goes; reading and messages (options.c, option_values.c), GDAL's XML and the
 * docs' table (options_text.c) all come from the rows. */
#include "model/option_table.h"
#include "model/option_values.h"
#include "model/options.h"

#include <stdio.h>
#include <string.h>

/* -- Values as text ------------------------------------------------------------------------------------------------ */

static void print_word(const row *r, const void *field, char *to, size_t room)
{
    snprintf(to, room, "%s", word_of(r->words, *(const int *)field));
}

static void print_integer(const row *r, const void *field, char *to, size_t room)
{
    (void)r;
    snprintf(to, room, "%d", *(const int *)field);
}

static void print_bytes(const row *r, const void *field, char *to, size_t room)
{
    (void)r;
    snprintf(to, room, "%lld", (long long)*(const int64_t *)field);
}

/* -- Words --------------------------------------------------------------------------------------------------------- */

#define CODEC_WORD(name, ...) {#name, COMPRESS_##name, 0},
static const word compress_words[] = {
    {"AUTO", COMPRESS_AUTO, 0}, CODECS(CODEC_WORD){"DEFLATE", COMPRESS_GZIP, 1}, {NULL, 0, 0}};
static const word cname_words[] = {{"zstd", CNAME_ZSTD, 0}, {"lz4", CNAME_LZ4, 0},         {"lz4hc", CNAME_LZ4HC, 0},
                                   {"zlib", CNAME_ZLIB, 0}, {"blosclz", CNAME_BLOSCLZ, 0}, {NULL, 0, 0}};
static const word shuffle_words[] = {
    {"NONE", SHUFFLE_NONE, 0}, {"BYTE", SHUFFLE_BYTE, 0}, {"BIT", SHUFFLE_BIT, 0}, {NULL, 0, 0}};
static const word version_words[] = {{"0.4", VERSION_04, 0},     {"0.5", VERSION_05, 0},     {"0.6", VERSION_06, 0},
                                     {"ZARR_V2", VERSION_04, 1}, {"ZARR_V3", VERSION_05, 1}, {NULL, 0, 0}};
static const word layout_words[] = {{"OVERVIEWS", LAYOUT_OVERVIEWS, 0},
                                    {"SCALES", LAYOUT_SCALES, 0},
                                    {"FLAT", LAYOUT_FLAT, 0},
                                    {"BIOFORMATS2RAW", LAYOUT_BIOFORMATS2RAW, 0},
                                    {NULL, 0, 0}};
static const word sizes_words[] = {{"CEIL", SIZES_CEIL, 0}, {"FLOOR", SIZES_FLOOR, 0}, {NULL, 0, 0}};
static const word tri_words[] = {{"AUTO", TRI_AUTO, 0}, {"YES", TRI_YES, 0}, {"NO", TRI_NO, 0},  {"TRUE", TRI_YES, 1},
                                 {"FALSE", TRI_NO, 1},  {"ON", TRI_YES, 1},  {"OFF", TRI_NO, 1}, {"1", TRI_YES, 1},
                                 {"0", TRI_NO, 1},      {NULL, 0, 0}};
static const word series_words[] = {{"MAIN", 0, 0}, {"ALL", 1, 0}, {NULL, 0, 0}};
static const word planes_words[] = {{"ALL", 0, 0}, {"ONE", 1, 0}, {NULL, 0, 0}};
static const word bool_words[] = {{"NO", 0, 0}, {"YES", 1, 0}, {"FALSE", 0, 1}, {"TRUE", 1, 1}, {"OFF", 0, 1},
                                  {"ON", 1, 1}, {"0", 0, 1},   {"1", 1, 1},     {NULL, 0, 0}};
#define METHOD_WORD(name, ...) {#name, REDUCE_##name, 0},
static const word reduce_words[] = {{"AUTO", REDUCE_AUTO, 1}, METHODS(METHOD_WORD){NULL, 0, 0}};
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
static const word factors_words[] = {{"ISOTROPIC", 1, 0}, {NULL, 0, 0}};
static const word threads_words[] = {{"ALL_CPUS", 0, 0}, {NULL, 0, 0}};

/* -- The table ----------------------------------------------------------------------------------------------------- */

const row option_table[] = {
    {
        .name = "COMPRESS",
        .words = compress_words,
        .standard = "AUTO",
        .help = "AUTO = ZSTD for 8-bit types (opens in every reader), BLOSC for wider ones (shuffle pays) and for "
                "BIOFORMATS2RAW in 0.4 (Bio-Formats knows no ZSTD). ZLIB, LZ4: 0.4 only",
        .print = print_word,
        .offset = offsetof(options, compress),
    },
    {
        .name = "LEVEL",
        .aliases = "COMPRESSION_LEVEL",
        .shown = "zstd 1-22, blosc 0-9, gzip and zlib 1-9",
        .standard = "1; gzip, zlib 6",
        .help = "Compression level",
        .read = row_read_integer,
        .print = print_integer,
        .offset = offsetof(options, level),
        .high = 22,
    },
    {
        .name = "ZSTD_LEVEL",
        .shown = "1-22",
        .help = "LEVEL for COMPRESS=ZSTD",
        .read = row_read_integer,
        .offset = offsetof(options, level),
        .low = 1,
        .high = 22,
    },
    {
        .name = "GZIP_LEVEL",
        .aliases = "ZLIB_LEVEL ZLEVEL",
        .shown = "1-9",
        .help = "LEVEL for COMPRESS=GZIP or ZLIB",
        .read = row_read_integer,
        .offset = offsetof(options, level),
        .low = 1,
        .high = 9,
    },
    {
        .name = "BLOSC_CLEVEL",
        .shown = "0-9",
        .help = "LEVEL for COMPRESS=BLOSC",
        .read = row_read_integer,
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
            "A checksum for every chunk, so that a flipped bit that changes a pixel is an error in any reader. AUTO: "
            "where it costs nothing (ZSTD; GZIP and ZLIB always have one); YES: crc32c behind every codec (0.5), so "
            "that every flipped bit is",
        .offset = offsetof(options, checksum),
    },
    {
        .name = "BLOCKSIZE",
        .aliases = "CHUNKS",
        .shown = "n, or 1,512,512 in axis order, or z:16,y:256,x:256",
        .standard = "512; with several z 16,256,256; 1 elsewhere; fewer than 16 for sources of large planes",
        .help = "Chunk; also where the pyramid stops",
        .read = row_read_sizes,
        .offset = offsetof(options, blocksize),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "BLOCKXSIZE",
        .shown = "n",
        .help = "Chunk along x",
        .read = row_read_block_side,
        .offset = offsetof(options, blocksize),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "BLOCKYSIZE",
        .shown = "n",
        .help = "Chunk along y",
        .read = row_read_block_side,
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
        .help = "Shard in pixels, a multiple of the chunk (a number below the chunk's counts chunks); not in 0.4. "
                "AUTO: none "
                "below 10,000 objects",
        .read = row_read_shard,
        .offset = offsetof(options, shard_mode),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "NGFF_VERSION",
        .aliases = "VERSION FORMAT",
        .words = version_words,
        .standard = "0.5",
        .help = "0.4 for Bio-Formats, OMERO, older GDAL; 0.6 says in NGFF itself how pixels lie in a coordinate system "
                "of the "
                "earth, for the few programs that read it",
        .print = print_word,
        .offset = offsetof(options, version),
    },
    {
        .name = "LAYOUT",
        .words = layout_words,
        .standard = "OVERVIEWS",
        .help = "OVERVIEWS: scale0/image, ovr_2x/image ...; SCALES: scale0/image, scale1/image ...; FLAT: 0, 1 ...; "
                "BIOFORMATS2RAW: 0/0, 0/1 ... and OME/METADATA.ome.xml, for Bio-Formats, OMERO, QuPath",
        .print = print_word,
        .offset = offsetof(options, layout),
    },
    {
        .name = "LABELS",
        .words = bool_words,
        .standard = "NO",
        .help = "YES: an NGFF label image, of whole numbers: image-label, levels by MODE at 0, 1 ...",
        .offset = offsetof(options, labels),
    },
    {
        .name = "CONSOLIDATED",
        .aliases = "CREATE_CONSOLIDATED_METADATA",
        .words = tri_words,
        .standard = "AUTO",
        .help = "All metadata in the root as well, so that a web server is asked once for it; AUTO: YES",
        .offset = offsetof(options, consolidated),
    },
    {
        .name = "OVERVIEW_RESAMPLING",
        .aliases = "RESAMPLING",
        .words = reduce_words,
        .standard = "AVERAGE; classes MODE; complex NEAREST",
        .help = "How levels are made. Classes: a colour table, category names, a thematic table, LAYER_TYPE=thematic, "
                "NBITS=1, a label image",
        .print = print_word,
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
        .read = row_read_integer,
        .offset = offsetof(options, overview_count),
        .low = -1,
        .high = max_levels - 1,
    },
    {
        .name = "SCALE_FACTORS",
        .words = factors_words,
        .shown = "2,4,8 or y:2,x:2;z:2,y:4,x:4 or ISOTROPIC",
        .standard = "powers of 2 of y and x",
        .help = "Factor of each level, relative to full size; ISOTROPIC: powers of 2 of y, x, and of z where its "
                "pixels are "
                "not longer than theirs",
        .read = row_read_factors,
        .offset = offsetof(options, scale_factors),
        .low = 1,
        .high = INT32_MAX,
    },
    {
        .name = "SIZES",
        .words = sizes_words,
        .standard = "CEIL",
        .help =
            "Of levels whose factor does not divide the image: CEIL keeps all of it, the last pixel is made of what "
            "there is; FLOOR leaves the rest out, as ngff-zarr does",
        .print = print_word,
        .offset = offsetof(options, sizes),
    },
    {
        .name = "NUM_THREADS",
        .words = threads_words,
        .shown = "ALL_CPUS, or 0-1024",
        .standard = "ALL_CPUS",
        .help = "Threads that compute, the caller included",
        .read = row_read_threads,
        .print = print_integer,
        .offset = offsetof(options, n_threads),
        .high = 1024,
        .is_of_run = 1,
    },
    {
        .name = "MEMORY",
        .shown = "bytes, 256MB, 1GB, 10%",
        .standard = "what the plan needs",
        .help = "Memory for pixels",
        .read = row_read_memory,
        .print = print_bytes,
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
        .read = row_read_window,
        .offset = offsetof(options, window_mode),
    },
    {
        .name = "CHANNEL_NAMES",
        .shown = "name,name,...",
        .standard = "from the source",
        .help = "Labels of the channels; \\, stands for a comma",
        .read = row_read_list,
        .offset = offsetof(options, channel_names),
    },
    {
        .name = "CHANNEL_COLORS",
        .shown = "RRGGBB,RRGGBB,...",
        .standard = "from the source",
        .help = "Colours of the channels",
        .read = row_read_colors,
        .offset = offsetof(options, channel_colors),
    },
    {
        .name = "COLOR_INTERPRETATION",
        .shown = "red,green,blue,alpha ...",
        .standard = "from the source",
        .help = "What each band is in GDAL, where the program that writes does not say it (gdalwarp, QGIS): gray, red, "
                "green, "
                "blue, alpha, undefined ...",
        .read = row_read_list,
        .offset = offsetof(options, color_interpretation),
        .is_of_run = 1,
    },
    {
        .name = "SERIES",
        .words = series_words,
        .standard = "MAIN",
        .help = "ALL: further images of the source, of other sizes or types, too, at 1, 2 ... (LAYOUT=BIOFORMATS2RAW)",
        .offset = offsetof(options, series),
        .is_of_run = 1,
    },
    {
        .name = "PLANES",
        .words = planes_words,
        .standard = "ALL",
        .help = "What of a TIFF of several pages is written: all of them, or the ONE that GDAL opens",
        .offset = offsetof(options, planes),
        .is_of_run = 1,
    },
    {
        .name = "AXES",
        .aliases = "DIMS",
        .shown = "t:3,c:2,z:10",
        .standard = "by the source",
        .help = "What the bands are, slowest first",
        .read = row_read_axes,
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
        .read = row_read_numbers,
        .offset = offsetof(options, axis_scale),
        .low = 1,
    },
    {
        .name = "AXIS_TRANSLATION",
        .aliases = "TRANSLATION",
        .shown = "z:2.0,t:0.5",
        .standard = "by the source",
        .help = "Position of the first pixel's centre along an axis",
        .read = row_read_numbers,
        .offset = offsetof(options, axis_translation),
    },
    {
        .name = "AXIS_UNITS",
        .aliases = "UNITS",
        .shown = "z:um,t:s",
        .standard = "by the source",
        .help = "Units of the axes",
        .read = row_read_units,
        .offset = offsetof(options, axis_units),
    },
    {
        .name = "AXIS_ORIENTATION",
        .aliases = "ORIENTATION",
        .shown = "z:inferior-to-superior,y:anterior-to-posterior",
        .standard = "by the source",
        .help = "Where the axes lead in a body (RFC-4)",
        .read = row_read_orientations,
        .offset = offsetof(options, axis_orientation),
    },
    {
        .name = "NAME",
        .shown = "text",
        .standard = "image",
        .help = "Name of the image",
        .read = row_read_text,
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
        .name = "PART",
        .shown = "i/n",
        .help =
            "Makes part i (1 to n) of n, each by a process of its own on any machine; `omezarr finish` makes the store "
            "of them",
        .read = row_read_part,
        .offset = offsetof(options, part),
        .high = 100000,
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
        .read = row_read_path,
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

/* -- What a row says ----------------------------------------------------------------------------------------------- */

const word *word_find(const word *words, const char *text)
{
    for (; words && words->text; words++)
        if (text_equals(words->text, text))
            return words;
    return NULL;
}

const char *word_of(const word *words, int value)
{
    for (; words->text; words++)
        if (words->value == value)
            return words->text;
    return "?";
}

static int list_has(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p && *p;) {
        size_t length = strcspn(p, " ");
        size_t i = 0;
        while (length == n && i < n && ascii_upper(name[i]) == p[i])
            i++;
        if (length == n && i == n)
            return 1;
        p += length + (p[length] == ' ');
    }
    return 0;
}

const row *row_find(const char *name)
{
    for (int i = 0; i < option_count; i++)
        if (text_equals(option_table[i].name, name) || list_has(option_table[i].aliases, name))
            return &option_table[i];
    return NULL;
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

const char *row_default(const row *r)
{
    return r->standard && word_find(r->words, r->standard) ? r->standard : "";
}

const char *row_gdal_type(const row *r)
{
    if (r->words == bool_words)
        return "boolean";
    if (!r->read)
        return "string-select";
    return r->read == row_read_integer || r->read == row_read_block_side ? "int" : "string";
}

int row_alias_has_more(const row *r)
{
    return r->words == version_words;
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
