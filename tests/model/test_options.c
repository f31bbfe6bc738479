/* test_options.c: names, defaults, and options that contradict each other. */
#include <ctype.h>

#include "locales.h"
#include "option_check.h"

static void no_options_give_the_defaults(void)
{
    options o;
    error e = {0};
    CHECK_INT(options_read(NULL, &o, &e), NGFF_OK);
    CHECK_INT(o.version, VERSION_05);
    CHECK_INT(o.layout, LAYOUT_OVERVIEWS);
    CHECK_INT(o.compress, COMPRESS_AUTO);
    CHECK_INT(o.level, -1);
    CHECK_INT(o.blosc_cname, CNAME_ZSTD);
    CHECK_INT(o.blosc_shuffle, SHUFFLE_BYTE);
    CHECK_INT(o.shard_mode, SHARD_AUTO);
    CHECK_INT(o.overview_count, -1);
    CHECK_INT(o.resampling, REDUCE_AUTO);
    CHECK_INT(o.overviews, OVERVIEWS_IGNORE);
    CHECK_INT(o.n_threads, 0);
    CHECK(o.memory_bytes == 0 && !o.blocksize.is_set && !o.name && !o.overwrite && !o.typed[0]);
    options_release(&o);
}

static void names_and_words_ignore_case_and_know_aliases(void)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, "compress=zstd", "Version=0.4", "resampling=gauss", "layout=Flat"), NGFF_OK);
    CHECK(o.compress == COMPRESS_ZSTD && o.version == VERSION_04 && o.resampling == REDUCE_GAUSS);
    CHECK_INT(o.layout, LAYOUT_FLAT);
    CHECK_TEXT(o.typed[1], "NGFF_VERSION=0.4");
    options_release(&o);
    CHECK_INT(read4(&o, &e, "FORMAT=zarr_v2", "OVERWRITE=true", "STATISTICS=off", "DRY_RUN=YES"), NGFF_OK);
    CHECK(o.version == VERSION_04 && o.overwrite && o.statistics == TRI_NO && o.dry_run);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "report=a.json", "DRY_RUN=NO", "LEVEL=2", NULL), NGFF_OK);
    CHECK_TEXT(o.report, "a.json");
    CHECK(!options_is_lasting(o.typed[0]) && options_is_lasting(o.typed[2]));
    options_release(&o);
    CHECK_TEXT(options_canonical("chunks"), "BLOCKSIZE");
    CHECK_TEXT(options_canonical("FORMAT"), "NGFF_VERSION");
    CHECK_TEXT(options_canonical("CREATE_CONSOLIDATED_METADATA"), "CONSOLIDATED");
    CHECK(options_canonical("BLOCK") == NULL && options_canonical("") == NULL && options_canonical(NULL) == NULL);
    CHECK_TEXT(reduce_name(REDUCE_CUBICSPLINE), "CUBICSPLINE");
    CHECK_TEXT(compress_name(COMPRESS_LZ4), "LZ4");
    CHECK_TEXT(layout_name(LAYOUT_SCALES), "SCALES");
}

static void levels_belong_to_their_codec(void)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, "COMPRESS=ZSTD", "LEVEL=22", NULL, NULL), NGFF_OK);
    CHECK_INT(o.level, 22);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "BLOSC_CLEVEL=0", "BLOSC_CNAME=LZ4", NULL, NULL), NGFF_OK);
    CHECK(o.compress == COMPRESS_BLOSC && o.level == 0 && o.blosc_cname == CNAME_LZ4);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "GZIP_LEVEL=9", "COMPRESS=ZLIB", "VERSION=0.4", NULL), NGFF_OK);
    CHECK(o.compress == COMPRESS_ZLIB && o.level == 9);
    options_release(&o);
    refused("COMPRESS=GZIP", "LEVEL=10", "COMPRESS=GZIP allows 1 to 9");
    refused("COMPRESS=ZSTD", "LEVEL=0", "COMPRESS=ZSTD allows 1 to 22");
    refused("COMPRESS=BLOSC", "LEVEL=10", "COMPRESS=BLOSC allows 0 to 9");
    refused("COMPRESS=NONE", "LEVEL=1", "has no levels");
    refused("COMPRESS=ZSTD", "BLOSC_CNAME=lz4", "COMPRESS=BLOSC");
    refused("COMPRESS=ZSTD", "GZIP_LEVEL=3", "COMPRESS=GZIP");
    refused("LEVEL=3", "ZSTD_LEVEL=3", "contradict");
    refused("COMPRESS=LZ4", NULL, "NGFF 0.4 only");
    refused("COMPRESS=ZLIB", "VERSION=0.5", "NGFF 0.4 only");
    refused("SHARD=1024", "VERSION=0.4", "no shards");
    refused("BLOSC_CNAME=snappy", NULL, "zstd, lz4, lz4hc, zlib, blosclz");
    refused("BLOSC_SHUFFLE=2", NULL, "NONE, BYTE, BIT");
}

static void unknown_names_get_advice(void)
{
    refused("COMPRES=ZSTD", NULL, "nearest is COMPRESS");
    refused("BLOKSIZE=12", NULL, "nearest is BLOCKSIZE");
    refused("LEVL=3", NULL, "nearest is LEVEL");
    refused("ADD_ALPHA=YES", NULL, "gdalwarp -dstalpha");
    refused("TILING_SCHEME=GoogleMapsCompatible", NULL, "gdalwarp");
    refused("COPY_SRC_OVERVIEWS=YES", NULL, "OVERVIEWS=AUTO");
    refused("PROFILE=GDALGeoTIFF", NULL, "COPY_SRC_MDD");
    refused("MASKS=YES", NULL, "lists them all");
    refused("PREDICTOR=2", NULL, "BLOSC_SHUFFLE");
    refused("TILED=YES", NULL, "BLOCKSIZE");
    refused("BIGTIFF=YES", NULL, "no size limit");
    refused("INTERLEAVE=PIXEL", NULL, "BLOCKSIZE");
    refused("QUALITY=75", NULL, "COMPRESS");
    refused("SHARD_CHUNK_SHAPE=1,2", NULL, "SHARD");
    refused("COMPRESS", NULL, "NAME=VALUE");
    refused("=1", NULL, "not an option");
    refused("COMPRESS=JPEG", NULL, "COMPRESS=JPEG");
    refused("COMPRESS=ZSTD", "COMPRESS=NONE", "twice");
    refused("CHUNKS=1", "BLOCKSIZE=2", "twice");
    refused("NGFF_VERSION=0.3", NULL, "0.4, 0.5");
    refused("LAYOUT=x", NULL, "OVERVIEWS, SCALES, FLAT");
    refused("CONSOLIDATED=maybe", NULL, "AUTO, YES, NO");
    refused("OVERVIEWS=FORCE", NULL, "FORCE_USE_EXISTING");
    refused("ORIGIN=0", NULL, "PIXEL, SOUTHING");
    refused("COPY_SRC_MDD=2", NULL, "AUTO, YES, NO");
    refused("OVERWRITE=AUTO", NULL, "NO, YES");
    refused("DRY_RUN=", NULL, "NO, YES");
    refused("STATISTICS=2", NULL, "AUTO, YES, NO");
    refused("OVERVIEW_COUNT=40", NULL, "-1");
    refused("RESAMPLING=BOX", NULL, "AVERAGE");
    refused("BLOCKXSIZE=0", NULL, "BLOCKXSIZE");
    refused("SHARD=big", NULL, "AUTO, NONE");
    refused("REPORT=", NULL, "the name of a file is missing");
    refused("REPORT=folder/", NULL, "the name of a file is missing");
    refused("REPORT=\xff", NULL, "UTF-8");
    refused("REPORT=a.json", "DRY_RUN=YES", "DRY_RUN=YES and REPORT=a.json contradict each other");
}

/* toupper('i') is not 'I' there. */
static void a_turkish_host_changes_nothing(void)
{
    options o;
    error e;
    if (!locale_enter("tr_TR"))
        return;
    CHECK(toupper('i') != 'I');
    CHECK_INT(read4(&o, &e, "compress=gzip", "blocksize=x:64,y:64", "window=percentile", "origin=pixel"), NGFF_OK);
    CHECK(o.compress == COMPRESS_GZIP && o.blocksize.n == 2 && o.window_mode == WINDOW_PERCENTILE);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "memory=300mib", "axis_units=y:micron,x:micron", "resampling=bilinear", "verify=No"),
              NGFF_OK);
    CHECK(o.memory_bytes == (int64_t)300 << 20 && o.resampling == REDUCE_BILINEAR);
    options_release(&o);
    names_and_words_ignore_case_and_know_aliases();
    unknown_names_get_advice();
    setlocale(LC_ALL, "C");
}

int main(void)
{
    RUN(no_options_give_the_defaults);
    RUN(names_and_words_ignore_case_and_know_aliases);
    RUN(levels_belong_to_their_codec);
    RUN(unknown_names_get_advice);
    RUN(a_turkish_host_changes_nothing);
    CHECK_EXIT();
}
