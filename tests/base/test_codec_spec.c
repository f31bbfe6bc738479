/* test_codec_spec.c: the words that blosc's metadata use. */
#include "base/codec_spec.h"

#include <stddef.h>

#include "check.h"

static void names_are_those_of_the_zarr_specification(void)
{
    static const char *const cnames[] = {"zstd", "lz4", "lz4hc", "zlib", "blosclz"};
    static const int numbers[] = {CNAME_ZSTD, CNAME_LZ4, CNAME_LZ4HC, CNAME_ZLIB, CNAME_BLOSCLZ};
    for (int i = 0; i < 5; i++) {
        CHECK_TEXT(cname_name(numbers[i]), cnames[i]);
        CHECK_INT(cname_by_name(cnames[i]), numbers[i]);
    }
    CHECK_TEXT(shuffle_name(SHUFFLE_NONE), "noshuffle");
    CHECK_TEXT(shuffle_name(SHUFFLE_BYTE), "shuffle");
    CHECK_TEXT(shuffle_name(SHUFFLE_BIT), "bitshuffle");
}

static void unknown_names_and_numbers_are_told(void)
{
    CHECK(cname_name(-1) == NULL && cname_name(5) == NULL);
    CHECK(shuffle_name(-1) == NULL && shuffle_name(3) == NULL);
    CHECK_INT(cname_by_name("snappy"), -1);
    CHECK_INT(cname_by_name("ZSTD"), -1);
}

static void codecs_are_found_by_their_name_in_each_format(void)
{
    CHECK_INT(codec_by_name(2, "lz4"), COMPRESS_LZ4);
    CHECK_INT(codec_by_name(3, "lz4"), COMPRESS_AUTO); /* Zarr v3 has none */
    CHECK_INT(codec_by_name(3, "numcodecs.lz4"), COMPRESS_LZ4);
    CHECK_INT(codec_by_name(2, "numcodecs.lz4"), COMPRESS_AUTO);
    CHECK_INT(codec_by_name(3, "zlib"), COMPRESS_ZLIB);
    CHECK_INT(codec_by_name(3, "blosc"), COMPRESS_BLOSC);
    CHECK_INT(codec_by_name(3, "NONE"), COMPRESS_AUTO);
    CHECK(codec_row_get(COMPRESS_AUTO) == NULL && codec_row_get(n_compress) == NULL);
    CHECK_TEXT(codec_row_get(COMPRESS_GZIP)->word, "GZIP");
}

int main(void)
{
    RUN(names_are_those_of_the_zarr_specification);
    RUN(unknown_names_and_numbers_are_told);
    RUN(codecs_are_found_by_their_name_in_each_format);
    CHECK_EXIT();
}
