/* threads.cpp: the plugin in several threads of one process, for ThreadSanitizer (`check.sh threads`):
 *   1. threads that read one store, each through a dataset of its own and, from GDAL 3.10 on, through clones of one;
 *   2. datasets of Create() that are written and described by several threads, with a block cache so small that each
 *      thread flushes the blocks of the others;
 *   3. two CreateCopy at once.
 * Usage: threads SOURCE FOLDER. Exit status 0 if all ended well. libgdal is not instrumented, so that only what happens
 * in the plugin's own code is seen; tsan.supp says what is not its business. */
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <cpl_conv.h>
#include <cpl_string.h>
#include <gdal_alg.h>
#include <gdal_priv.h>
#include <gdal_rat.h>

static std::atomic<int> failures{0};

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "not so: %s (%s)\n", what, CPLGetLastErrorMsg());
        failures++;
    }
}

template <typename Work> static void in_threads(int n, Work work)
{
    std::vector<std::thread> threads;
    for (int i = 0; i < n; i++)
        threads.emplace_back(work, i);
    for (std::thread &thread : threads)
        thread.join();
}

/* What GDAL's users ask for, pixels and descriptions. */
static void ask(GDALDataset *dataset, int seed)
{
    const int width = dataset->GetRasterXSize(), height = dataset->GetRasterYSize();
    std::vector<GByte> pixels(static_cast<size_t>(width) * height);
    for (int i = 1; i <= dataset->GetRasterCount(); i++) {
        GDALRasterBand *band = dataset->GetRasterBand(1 + (i + seed) % dataset->GetRasterCount());
        expect(band->RasterIO(GF_Read, 0, 0, width, height, pixels.data(), width, height, GDT_Byte, 0, 0, nullptr) ==
                   CE_None,
               "pixels are read");
        band->GetNoDataValue(nullptr);
        band->GetColorTable();
        if (GDALRasterAttributeTable *rat = band->GetDefaultRAT()) {
            rat->GetRowOfValue(1);
            expect(rat->GetValueAsString(0, 0) != nullptr, "the attribute table has values");
        }
        if (band->GetOverviewCount() > 0)
            GDALChecksumImage(GDALRasterBand::ToHandle(band->GetOverview(0)), 0, 0, 10, 10);
    }
    const OGRSpatialReference *crs = dataset->GetSpatialRef();
    expect(crs != nullptr, "there is a CRS");
    char *wkt = nullptr;
    crs->exportToWkt(&wkt);
    crs->IsProjected();
    crs->GetAuthorityCode(nullptr);
    CPLFree(wkt);
}

static void read_at_once(const std::string &store)
{
    in_threads(4, [&store](int i) {
        GDALDataset *dataset = GDALDataset::Open(store.c_str(), GDAL_OF_RASTER);
        expect(dataset != nullptr, "the store opens");
        if (dataset != nullptr)
            ask(dataset, i);
        GDALClose(dataset);
    });
#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 10, 0)
    GDALDataset *shared = GDALDataset::Open(store.c_str(), GDAL_OF_RASTER | GDAL_OF_THREAD_SAFE);
    expect(shared != nullptr, "the store opens for several threads");
    in_threads(4, [shared](int i) { ask(shared, i); });
    GDALClose(shared);
#endif
}

/* Several datasets, so that the block cache writes the blocks of one in the thread that fills another. */
static void write_at_once(GDALDriver *driver, const std::string &folder)
{
    GDALSetCacheMax64(256 << 10);
    in_threads(4, [&](int number) {
        const char *const options[] = {"BLOCKSIZE=64", "NUM_THREADS=2", "COMPRESS=NONE", nullptr};
        const std::string name = folder + "/created" + std::to_string(number) + ".ome.zarr";
        GDALDataset *dataset = driver->Create(name.c_str(), 400, 300, 2, GDT_UInt16, const_cast<char **>(options));
        expect(dataset != nullptr, "Create() makes a dataset");
        if (dataset == nullptr)
            return;
        std::vector<GUInt16> row(400, static_cast<GUInt16>(number + 1));
        OGRSpatialReference crs;
        crs.importFromEPSG(32633);
        for (int y = 0; y < 300; y++) {
            for (int i = 1; i <= 2; i++)
                expect(dataset->GetRasterBand(i)->RasterIO(GF_Write, 0, y, 400, 1, row.data(), 400, 1, GDT_UInt16, 0, 0,
                                                           nullptr) == CE_None,
                       "a row is written");
            /* Described while other threads may write its blocks. */
            dataset->SetMetadataItem("row", std::to_string(y).c_str());
            dataset->SetSpatialRef(&crs);
            dataset->GetRasterBand(1)->SetNoDataValue(y % 7);
            dataset->GetRasterBand(2)->SetDescription(std::to_string(y).c_str());
        }
        GDALClose(dataset);
        dataset = GDALDataset::Open(name.c_str(), GDAL_OF_RASTER);
        expect(dataset != nullptr && EQUAL(dataset->GetMetadataItem("row"), "299"), "what was said is there");
        GUInt16 pixel = 0;
        expect(dataset != nullptr &&
                   dataset->GetRasterBand(2)->RasterIO(GF_Read, 399, 299, 1, 1, &pixel, 1, 1, GDT_UInt16, 0, 0,
                                                       nullptr) == CE_None &&
                   pixel == number + 1,
               "what was written is there");
        GDALClose(dataset);
    });
    GDALSetCacheMax64(64 << 20);
}

static void copy_at_once(GDALDriver *driver, const char *source, const std::string &folder)
{
    const GIntBig before = GDALGetCacheMax64();
    in_threads(2, [&](int number) {
        const char *const options[] = {"BLOCKSIZE=64", "NUM_THREADS=3", "VERIFY=SOURCE", nullptr};
        GDALDataset *from = GDALDataset::Open(source, GDAL_OF_RASTER);
        const std::string name = folder + "/copied" + std::to_string(number) + ".ome.zarr";
        GDALDataset *copy =
            driver->CreateCopy(name.c_str(), from, FALSE, const_cast<char **>(options), nullptr, nullptr);
        expect(copy != nullptr, "CreateCopy() makes a dataset");
        GDALClose(copy);
        GDALClose(from);
    });
    expect(GDALGetCacheMax64() == before, "the limit of the block cache is as it was");
}

/* A store with all that clones might share. */
static std::string make_store(GDALDriver *driver, const std::string &folder)
{
    GDALDriver *memory = GetGDALDriverManager()->GetDriverByName("MEM");
    GDALDataset *source = memory->Create("", 200, 150, 3, GDT_Byte, nullptr);
    OGRSpatialReference crs;
    crs.importFromEPSG(32633);
    source->SetSpatialRef(&crs);
    double transform[6] = {500000, 10, 0, 5000000, 0, -10};
    GDALSetGeoTransform(source, transform);
    GDALDefaultRasterAttributeTable rat;
    rat.CreateColumn("value", GFT_Integer, GFU_MinMax);
    rat.SetRowCount(3);
    for (int i = 0; i < 3; i++)
        rat.SetValue(i, 0, i);
    source->GetRasterBand(1)->SetDefaultRAT(&rat);
    const std::string name = folder + "/shared.ome.zarr";
    const char *const options[] = {"BLOCKSIZE=32", nullptr};
    GDALClose(driver->CreateCopy(name.c_str(), source, FALSE, const_cast<char **>(options), nullptr, nullptr));
    GDALClose(source);
    return name;
}

int main(int n_arguments, char **arguments)
{
    if (n_arguments != 3)
        return 2;
    GDALAllRegister();
    GDALDriver *driver = GetGDALDriverManager()->GetDriverByName("OMEZARR");
    if (driver == nullptr) {
        fputs("GDAL has no driver OMEZARR\n", stderr);
        return 2;
    }
    const std::string folder = arguments[2];
    read_at_once(make_store(driver, folder));
    write_at_once(driver, folder);
    copy_at_once(driver, arguments[1], folder);
    if (failures == 0)
        puts("threads: all ended well");
    return failures == 0 ? 0 : 1;
}
