/* archive.h: for fuzz_store.c and fuzz_arrays.c: the files of their input (entries.h) become a real archive, which the plugin
 * opens in GDAL through /vsitar/. */
#ifndef FUZZ_ARCHIVE_H
#define FUZZ_ARCHIVE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <gdal.h>

#include "entries.h"

enum { record = 512, most_bytes = 1 << 20 };

static const char archive[] = "/vsimem/store.tar", root[] = "/vsitar//vsimem/store.tar/a.zarr";
static uint8_t *tar;
static size_t n_tar;

int LLVMFuzzerInitialize(int *n_arguments, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *n_arguments, char ***arguments)
{
    (void)n_arguments, (void)arguments;
    tar = malloc(4 * most_bytes);
    GDALAllRegister();
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLSetConfigOption("GDAL_PAM_ENABLED", "NO");
    CPLSetConfigOption("GDAL_CACHEMAX", "32");
    /* A band costs four times as much under the sanitizer: as many of them as users may have would be all of its memory. */
    CPLSetConfigOption("GDAL_MAX_BAND_COUNT", "2048");
    if (!tar || !GDALGetDriverByName("OMEZARR"))
        abort(); /* GDAL_DRIVER_PATH names the folder of the plugin */
    return 0;
}

/* One file of the archive, as POSIX's ustar has it. */
static void add_file(const char *name, const uint8_t *bytes, size_t n)
{
    uint8_t *header = tar + n_tar;
    unsigned sum = 0;
    memset(header, 0, record);
    snprintf((char *)header, 100, "a.zarr/%s", name);
    memcpy(header + 100, "0000644\0000000000\0000000000", 24);
    snprintf((char *)header + 124, 12, "%011zo", n);
    memcpy(header + 136, "00000000000\0        0", 21);
    memcpy(header + 257, "ustar\00000", 8);
    for (int i = 0; i < record; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
    memcpy(header + record, bytes, n);
    size_t padded = (n + record - 1) / record * record;
    memset(header + record + n, 0, padded - n);
    n_tar += record + padded;
}

static void make_archive(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size, *at = next_name(data, end);
    n_tar = 0;
    for (int n_files = 0; at < end && n_files < 64; n_files++) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at)), *next;
        if (!line || line - at > 80)
            break;
        char name[80];
        snprintf(name, sizeof name, "%.*s", (int)(line - at - 2), (const char *)at + 2);
        next = next_name(line + 1, end);
        add_file(name, line + 1, (size_t)(next - line - 1));
        at = next;
    }
    memset(tar + n_tar, 0, 2 * record);
    n_tar += 2 * record;
}

static void put_archive(const uint8_t *data, size_t size)
{
    make_archive(data, size);
    VSIFCloseL(VSIFileFromMemBuffer(archive, tar, n_tar, FALSE));
}

static void remove_archive(void)
{
    VSIUnlink(archive);
    VSICurlClearCache();
    CPLErrorReset();
}

#endif
