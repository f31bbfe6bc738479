/* fuzz_store.c: libFuzzer target for a whole store (archive.h), opened by the plugin in GDAL; then what a user of GDAL does
 * follows: subdatasets, metadata, a block of some bands, their masks, overviews. */
#include "archive.h"

enum { most_datasets = 6 };

static void read_band(GDALRasterBandH band)
{
    int width = GDALGetRasterBandXSize(band), height = GDALGetRasterBandYSize(band);
    int w = width < 300 ? width : 300, h = height < 300 ? height : 300;
    double *pixels = malloc(sizeof *pixels * (size_t)w * (size_t)h);
    if (!pixels)
        return;
    CPLErr status = GDALRasterIO(band, GF_Read, width - w, height - h, w, h, pixels, w, h, GDT_Float64, 0, 0);
    if (status == CE_None)
        status = GDALRasterIO(band, GF_Read, 0, 0, width, height, pixels, 1, 1, GDT_Float64, 0, 0);
    free(pixels);
}

static void read_dataset(GDALDatasetH dataset)
{
    double transform[6];
    int n_bands = GDALGetRasterCount(dataset), has_value;
    GDALGetGeoTransform(dataset, transform);
    GDALGetSpatialRef(dataset);
    GDALGetGCPs(dataset);
    char **domains = GDALGetMetadataDomainList(dataset);
    for (char **domain = domains; domain && *domain; domain++)
        GDALGetMetadata(dataset, *domain);
    CSLDestroy(domains);
    CSLDestroy(GDALGetFileList(dataset));
    for (int i = 1; i <= n_bands; i += n_bands > 3 ? n_bands - 1 : 1) {
        GDALRasterBandH band = GDALGetRasterBand(dataset, i);
        GDALGetRasterNoDataValue(band, &has_value);
        GDALGetRasterCategoryNames(band);
        GDALGetRasterColorTable(band);
        GDALGetDefaultRAT(band);
        GDALGetMetadata(band, "NGFF");
        read_band(band);
        read_band(GDALGetMaskBand(band));
        for (int k = 0; k < GDALGetOverviewCount(band) && k < 3; k++)
            read_band(GDALGetOverview(band, k));
    }
}

static void open_and_read(const char *name, int depth)
{
    static const char *const drivers[] = {"OMEZARR", NULL};
    static const char *const options[] = {"MAX_METADATA=1MB", "MAX_CHUNK=1MB", "NUM_THREADS=1", NULL};
    GDALDatasetH dataset = GDALOpenEx(name, GDAL_OF_RASTER, drivers, options, NULL);
    if (!dataset)
        return;
    read_dataset(dataset);
    char **parts = depth < 2 ? CSLDuplicate(GDALGetMetadata(dataset, "SUBDATASETS")) : NULL;
    GDALClose(dataset);
    for (int i = 0; i < CSLCount(parts) && i < 2 * most_datasets; i += 2)
        open_and_read(strchr(parts[i], '=') + 1, depth + 1);
    CSLDestroy(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > most_bytes)
        return 0;
    put_archive(data, size);
    open_and_read(root, 0);
    remove_archive();
    return 0;
}
