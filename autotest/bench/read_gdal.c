/* read_gdal DRIVER NAME THREADS X,Y,W,H[,VIEW]...: windows of band 1 through GDAL, as an application reads them.
 *
 * Opens NAME with one driver, reads each window in one RasterIO (with VIEW: into VIEW x VIEW pixels, so that GDAL takes
 * an overview), into memory of malloc that the next window uses again. Prints the seconds that reading took, its CPU
 * seconds and those of opening, without GDAL's start and the sums, and the sum of the pixels. */
#include <cpl_conv.h>
#include <cpl_string.h>
#include <gdal.h>
#include <stdio.h>
#include <stdlib.h>

#include "read_sum.h"

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    GDALAllRegister();
    CPLSetConfigOption("GDAL_NUM_THREADS", argv[3]);
    char **options = strcmp(argv[1], "Zarr") == 0 ? NULL : CSLSetNameValue(NULL, "NUM_THREADS", argv[3]);
    const char *const drivers[] = {argv[1], NULL};
    double begin = seconds(), summing = 0;
    GDALDatasetH dataset =
        GDALOpenEx(argv[2], GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, drivers, (const char *const *)options, NULL);
    if (!dataset)
        return 1;
    double opened = seconds(), cpu = cpu_seconds();
    GDALRasterBandH band = GDALGetRasterBand(dataset, 1);
    GDALDataType type = GDALGetRasterDataType(band);
    char *buffer = NULL;
    size_t room = 0;
    uint64_t sum = 0;
    for (int i = 4; i < argc; i++) {
        int x, y, w, h, n = 0;
        if (sscanf(argv[i], "%d,%d,%d,%d,%d", &x, &y, &w, &h, &n) < 4)
            return 2;
        int to_w = n ? n : w, to_h = n ? n : h;
        size_t bytes = (size_t)to_w * (size_t)to_h * (size_t)GDALGetDataTypeSizeBytes(type);
        if (bytes > room) {
            free(buffer);
            buffer = malloc(room = bytes);
        }
        if (GDALRasterIO(band, GF_Read, x, y, w, h, buffer, to_w, to_h, type, 0, 0) != CE_None)
            return 1;
        double before = seconds(), cpu_before = cpu_seconds();
        sum = sum_of(buffer, bytes, sum);
        summing += seconds() - before;
        cpu += cpu_seconds() - cpu_before;
    }
    printf("%.6f %.6f %.6f %016llx\n", seconds() - opened - summing, cpu_seconds() - cpu, opened - begin,
           (unsigned long long)sum);
    GDALClose(dataset);
    free(buffer);
    CSLDestroy(options);
    return 0;
}
