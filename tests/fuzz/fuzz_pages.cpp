/* fuzz_pages.cpp: libFuzzer target for the pages of a TIFF (driver/gdal/stack): the walk over its directories, then all that
 * is said of the planes, and some pixels of the first and the last one. The input is the file. */
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_vsi.h"

#include "source/stack/stackdataset.h"

extern "C" {
int LLVMFuzzerInitialize(int *n_arguments, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
}

static const char path[] = "/vsimem/fuzz.tif";

int LLVMFuzzerInitialize(int *, char ***)
{
    GDALAllRegister();
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLSetConfigOption("GDAL_PAM_ENABLED", "NO");
    CPLSetConfigOption("GDAL_CACHEMAX", "32");
    CPLSetConfigOption("GDAL_MAX_BAND_COUNT", "1000");
    return 0;
}

/* A strip may be as large as the page, and GDAL takes memory for all its samples: no more than what a run may take. */
static bool is_small(GDALRasterBand *band, const TiffFile &file)
{
    double n_samples = 1;
    for (const TiffPage &page : file.pages)
        n_samples = std::max(n_samples, static_cast<double>(page.samples));
    return 16 * n_samples * band->GetXSize() * band->GetYSize() < 1 << 25;
}

static void read_band(GDALRasterBand *band, const StackFiles &files)
{
    const int width = std::min(band->GetXSize(), 100), height = std::min(band->GetYSize(), 100);
    std::vector<double> pixels(static_cast<size_t>(width) * height);
    if (is_small(band, files.files[0]) &&
        band->RasterIO(GF_Read, band->GetXSize() - width, band->GetYSize() - height, width, height, pixels.data(),
                       width, height, GDT_Float64, 0, 0, nullptr) != CE_None)
        return;
    band->GetMetadata();
    band->GetMetadata("NGFF");
}

static void read_image(const std::shared_ptr<const StackFiles> &files, int number)
{
    std::vector<int64_t> planes;
    for (size_t i = 0; i < files->description.images[static_cast<size_t>(number)].planes.size() && i < 1001; i++)
        planes.push_back(static_cast<int64_t>(i));
    const auto stack = StackDataset::open(files, number, planes, path, nullptr);
    if (!stack)
        return;
    for (const int band : {1, stack->GetRasterCount()}) {
        read_band(stack->GetRasterBand(band), *files);
        if (GDALRasterBand *overview = stack->GetRasterBand(band)->GetOverview(0))
            read_band(overview, *files);
    }
    read_band(stack->again()->GetRasterBand(1), *files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    std::vector<GByte> bytes(data, data + size);
    VSIFCloseL(VSIFileFromMemBuffer(path, bytes.data(), bytes.size(), FALSE));
    if (const auto files = read_stack(path))
        for (int i = 0; i < static_cast<int>(files->description.images.size()) && i < 3; i++)
            read_image(files, i);
    VSIUnlink(path);
    CPLErrorReset();
    return 0;
}
