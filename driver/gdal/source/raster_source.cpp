/* raster_source.cpp: see raster_source.h. What each way of reading costs was measured: GDALReadBlock into the target is fastest where
 * blocks fit; pixel-interleaved files are read band by band through the block cache, which is kept small because GDAL
 * otherwise fills it to its limit at nearly twice the time; rows are never read by small windows. */
#include "source/raster_source.h"

#include <algorithm>
#include <cstring>

#include "plugin/guard.h"
#include "source/stack/stackdataset.h"

static bool is_driver(GDALDataset *dataset, std::initializer_list<const char *> names)
{
    GDALDriver *driver = dataset->GetDriver();
    return driver != nullptr && std::any_of(names.begin(), names.end(), [driver](const char *name) {
               return EQUAL(driver->GetDescription(), name);
           });
}

/* -- Layout ---------------------------------------------------------------------------------------------------- */

/* A VRT's blocks say nothing about what it costs to read. If one of its sources is stored in rows, so is the VRT. */
static int rows_of_vrt(GDALDataset *vrt)
{
    StringListOut xml = vrt->GetMetadata("xml:VRT");
    CPLXMLNode *root = xml != nullptr && xml[0] != nullptr ? CPLParseXMLString(xml[0]) : nullptr;
    int rows = 0;
    for (const CPLXMLNode *node = CPLGetXMLNode(root, "=VRTDataset.VRTRasterBand"); node != nullptr;
         node = node->psNext) {
        if (node->eType != CXT_Element || !EQUAL(node->pszValue, "VRTRasterBand"))
            continue;
        for (const CPLXMLNode *source = node->psChild; source != nullptr; source = source->psNext) {
            const CPLXMLNode *properties = CPLGetXMLNode(source, "SourceProperties");
            if (properties == nullptr)
                continue;
            const int width = atoi(CPLGetXMLValue(properties, "RasterXSize", "0"));
            if (width > 1024 && atoi(CPLGetXMLValue(properties, "BlockXSize", "0")) == width)
                rows = std::max(rows, atoi(CPLGetXMLValue(properties, "BlockYSize", "1")));
        }
    }
    CPLDestroyXMLNode(root);
    return rows;
}

/* Two sources may have the same files: other bands, windows or scales of a VRT, as gdal_translate makes one of its
 * arguments, or other open options. */
std::string source_fingerprint(GDALDataset *source)
{
    const CPLStringList files(source->GetFileList());
    std::string text;
    for (int i = 0; i < files.size(); i++) {
        VSIStatBufL status;
        if (VSIStatExL(files[i], &status, VSI_STAT_EXISTS_FLAG | VSI_STAT_SIZE_FLAG) != 0)
            continue;
        text += CPLSPrintf("%s " CPL_FRMT_GUIB " " CPL_FRMT_GIB, files[i], static_cast<GUIntBig>(status.st_size),
                           static_cast<GIntBig>(status.st_mtime));
#ifdef __linux__
        text += CPLSPrintf(".%09ld", static_cast<long>(status.st_mtim.tv_nsec));
#endif
        text += "\n";
    }
    if (text.empty())
        return text;
    text += std::string(source->GetDescription()) + "\n";
    for (StringListOut option = source->GetOpenOptions(); option != nullptr && *option != nullptr; ++option)
        text += std::string(*option) + "\n";
    StringListOut xml = source->GetMetadata("xml:VRT");
    return xml != nullptr && xml[0] != nullptr ? text + xml[0] : text;
}

SourceLayout source_layout(GDALDataset *source, GDALDataType type)
{
    SourceLayout layout;
    layout.width = source->GetRasterXSize();
    layout.height = source->GetRasterYSize();
    layout.n_bands = source->GetRasterCount();
    layout.type = type;
    layout.pixel_size = GDALGetDataTypeSizeBytes(type);
    if (is_driver(source, {"MEM"}) || source->GetDriver() == nullptr)
        return layout;
    const char *interleave = source->GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE");
    /* Our own images say nothing where chunks hold some of the bands. */
    layout.decodes_all_bands =
        layout.n_bands > 1 && (interleave != nullptr ? !EQUAL(interleave, "BAND") : is_driver(source, {"OMEZARR"}));
    if (is_driver(source, {"VRT"})) {
        const int rows = rows_of_vrt(source);
        layout.block_width = rows > 0 ? layout.width : 0;
        layout.block_height = std::min(rows, layout.height);
        return layout;
    }
    if (const auto *stack = dynamic_cast<StackDataset *>(source)) {
        layout.decodes_channels = stack->decodes_channels();
        if (stack->stack().is_raw)
            return layout;
    }
    source->GetRasterBand(1)->GetBlockSize(&layout.block_width, &layout.block_height);
    layout.reads_blocks = true;
    for (int i = 1; i <= layout.n_bands; i++) {
        int width = 0, height = 0;
        source->GetRasterBand(i)->GetBlockSize(&width, &height);
        if (width != layout.block_width || height != layout.block_height ||
            source->GetRasterBand(i)->GetRasterDataType() != type)
            layout.reads_blocks = false;
    }
    /* Whoever decodes all bands at once puts them into GDAL's block cache, for the bands that are asked for next. GTiff
     * also keeps the tile that it decoded last, so that its next band costs no second decoding without the cache. */
    layout.keeps_last_block = layout.decodes_all_bands && layout.reads_blocks && is_driver(source, {"GTiff"});
    layout.reads_blocks = layout.reads_blocks && (!layout.decodes_all_bands || layout.keeps_last_block);
    return layout;
}

/* -- Readers --------------------------------------------------------------------------------------------------- */

/* Window of whole blocks: each goes straight to its place where that has room for all of it, else by way of a copy. */
bool SourceReader::read_blocks(GDALRasterBand *band, const PixelWindow &window)
{
    const int block_width = m_layout.block_width, block_height = m_layout.block_height;
    const GSpacing block_row_bytes = static_cast<GSpacing>(block_width) * m_layout.pixel_size;
    const bool rows_touch = window.row_bytes == block_row_bytes && window.room_columns >= block_width;
    for (int y = window.y; y < window.y + window.height; y += block_height)
        for (int x = window.x; x < window.x + window.width; x += block_width) {
            GByte *to = static_cast<GByte *>(window.pixels) + (y - window.y) * window.row_bytes +
                        static_cast<GSpacing>(x - window.x) * m_layout.pixel_size;
            if (rows_touch && x == window.x && y - window.y + block_height <= window.room_rows) {
                if (band->ReadBlock(x / block_width, y / block_height, to) != CE_None)
                    return false;
                continue;
            }
            m_block.resize(static_cast<size_t>(block_row_bytes) * block_height);
            if (band->ReadBlock(x / block_width, y / block_height, m_block.data()) != CE_None)
                return false;
            const int rows = std::min(block_height, window.y + window.height - y);
            const int columns = std::min(block_width, window.x + window.width - x);
            for (int row = 0; row < rows; row++)
                memcpy(to + row * window.row_bytes, m_block.data() + row * block_row_bytes,
                       static_cast<size_t>(columns) * m_layout.pixel_size);
        }
    return true;
}

/* GTiff puts the other bands of a tile into GDAL's block cache, from where they are taken, so that they do not fill it.
 * False if it holds no such block. */
bool SourceReader::take_cached_block(GDALRasterBand *band, const PixelWindow &window)
{
    const int column = window.x / m_layout.block_width, row = window.y / m_layout.block_height;
    GDALRasterBlock *block = band->TryGetLockedBlockRef(column, row);
    if (block == nullptr)
        return false;
    const GSpacing row_bytes = static_cast<GSpacing>(m_layout.block_width) * m_layout.pixel_size;
    const GByte *from = static_cast<const GByte *>(block->GetDataRef());
    for (int y = 0; y < window.height; y++)
        memcpy(static_cast<GByte *>(window.pixels) + y * window.row_bytes, from + y * row_bytes,
               static_cast<size_t>(window.width) * m_layout.pixel_size);
    block->DropLock();
    band->FlushBlock(column, row, TRUE);
    return true;
}

static bool is_whole(int from, int size, int block, int all)
{
    return from % block == 0 && ((from + size) % block == 0 || from + size == all);
}

static GDALRasterBand *band_at(GDALDataset *dataset, int number, int overview)
{
    GDALRasterBand *band = dataset->GetRasterBand(number);
    return overview < 0 ? band : band->GetOverview(overview);
}

/* Pixels of one axis that are decoded for a window: whole blocks. */
static GIntBig decoded(int from, int size, int block, int whole)
{
    if (block <= 1)
        return size;
    const GIntBig first = from / block, end = (static_cast<GIntBig>(from) + size + block - 1) / block;
    return std::min<GIntBig>((end - first) * block, static_cast<GIntBig>(whole) + block);
}

void SourceReader::count_cached(const PixelWindow &window, int pixel_size)
{
    m_read.insert(window.overview);
    m_cached += decoded(window.x, window.width, m_layout.block_width, m_layout.width) *
                decoded(window.y, window.height, m_layout.block_height, m_layout.height) * pixel_size;
}

/* GDAL would keep the blocks up to the limit of the process, and that limit is everybody's. */
void SourceReader::end_region()
{
    if (m_cached <= m_room)
        return;
    for (const int overview : m_read)
        for (int i = 1; i <= m_layout.n_bands; i++) {
            GDALRasterBand *band = band_at(m_dataset, i, overview);
            if (band == nullptr)
                continue;
            band->FlushCache(false);
            if (m_is_mask_read)
                band->GetMaskBand()->FlushCache(false);
        }
    m_cached = 0;
}

bool SourceReader::read(int band, const PixelWindow &window)
{
    GDALRasterBand *source = band_at(m_dataset, band, window.overview);
    if (source == nullptr)
        return false;
    const bool is_one_block = window.width <= m_layout.block_width && window.height <= m_layout.block_height;
    const bool reads_blocks = m_layout.reads_blocks && window.overview < 0 &&
                              (is_one_block || !m_layout.keeps_last_block) &&
                              is_whole(window.x, window.width, m_layout.block_width, m_layout.width) &&
                              is_whole(window.y, window.height, m_layout.block_height, m_layout.height);
    if (reads_blocks)
        return (m_layout.keeps_last_block && take_cached_block(source, window)) || read_blocks(source, window);
    count_cached(window, m_layout.pixel_size);
    return source->RasterIO(GF_Read, window.x, window.y, window.width, window.height, window.pixels, window.width,
                            window.height, m_layout.type, m_layout.pixel_size, window.row_bytes, nullptr) == CE_None;
}

bool SourceReader::read_mask(const PixelWindow &window)
{
    GDALRasterBand *band = band_at(m_dataset, 1, window.overview);
    count_cached(window, 1);
    m_is_mask_read = true;
    return band != nullptr && band->GetMaskBand()->RasterIO(GF_Read, window.x, window.y, window.width, window.height,
                                                            window.pixels, window.width, window.height, GDT_Byte, 1,
                                                            window.row_bytes, nullptr) == CE_None;
}

/* What is not stored reads as nodata, else as 0; but a VRT can hide its nodata, a type clips it, and a complex one has
 * it in its real part: one pixel shows what holes of a band really read as. */
bool SourceReader::is_hole(int number, const PixelWindow &window, const GByte *pixel)
{
    GDALRasterBand *band = band_at(m_dataset, std::max(number, 1), window.overview);
    if (band != nullptr && number == 0)
        band = band->GetMaskBand();
    if (band == nullptr ||
        band->GetDataCoverageStatus(window.x, window.y, window.width, window.height, GDAL_DATA_COVERAGE_STATUS_DATA,
                                    nullptr) != GDAL_DATA_COVERAGE_STATUS_EMPTY)
        return false;
    const auto key = std::make_pair(window.overview, number);
    const auto known = m_holes.find(key);
    if (known != m_holes.end())
        return known->second;
    GByte found[16] = {};
    const GDALDataType type = number == 0 ? GDT_Byte : m_layout.type;
    const bool is_equal =
        band->RasterIO(GF_Read, window.x, window.y, 1, 1, found, 1, 1, type, 0, 0, nullptr) == CE_None &&
        memcmp(found, pixel, static_cast<size_t>(GDALGetDataTypeSizeBytes(type))) == 0;
    m_holes[key] = is_equal;
    return is_equal;
}

/* -- One handle per thread ------------------------------------------------------------------------------------- */

static bool looks_equal(GDALDataset *a, GDALDataset *b)
{
    if (a->GetDriver() != b->GetDriver() || a->GetRasterXSize() != b->GetRasterXSize() ||
        a->GetRasterYSize() != b->GetRasterYSize() || a->GetRasterCount() != b->GetRasterCount())
        return false;
    for (int i = 1; i <= a->GetRasterCount(); i++) {
        int size_a[2], size_b[2];
        GDALRasterBand *band_a = a->GetRasterBand(i), *band_b = b->GetRasterBand(i);
        band_a->GetBlockSize(&size_a[0], &size_a[1]);
        band_b->GetBlockSize(&size_b[0], &size_b[1]);
        if (band_a->GetRasterDataType() != band_b->GetRasterDataType() || size_a[0] != size_b[0] ||
            size_a[1] != size_b[1] || band_a->GetMaskFlags() != band_b->GetMaskFlags())
            return false;
    }
    return true;
}

/* Opens the source again. Only drivers whose tiles can be decoded independently and by several handles at once: PNG and
 * JPEG decode from the top, HDF5 and netCDF have one lock. A source open for update may hold pixels that its file does
 * not have yet. */
static DatasetReference open_again(GDALDataset *source)
{
    if (const auto *stack = dynamic_cast<StackDataset *>(source))
        return DatasetReference(stack->again().release());
    if (!is_driver(source, {"GTiff", "LIBERTIFF", "JP2OpenJPEG", "HFA", "OMEZARR"}) ||
        source->GetAccess() != GA_ReadOnly || *source->GetDescription() == '\0')
        return {};
    const char *const drivers[] = {source->GetDriver()->GetDescription(), nullptr};
    const QuietErrors quiet;
    DatasetReference again(GDALDataset::Open(source->GetDescription(), GDAL_OF_RASTER | GDAL_OF_INTERNAL, drivers,
                                             const_cast<char **>(source->GetOpenOptions())));
    if (again && !looks_equal(source, again.get()))
        again.reset();
    return again;
}

std::vector<std::unique_ptr<SourceReader>> source_readers(GDALDataset *source, const SourceLayout &layout, int n_most)
{
    std::vector<std::unique_ptr<SourceReader>> readers;
    readers.push_back(std::make_unique<SourceReader>(source, nullptr, layout));
    while (static_cast<int>(readers.size()) < n_most) {
        DatasetReference again = open_again(source);
#if OMEZARR_GDAL_AT_LEAST(3, 10)
        if (!again && source->GetAccess() == GA_ReadOnly && is_driver(source, {"GTiff"})) {
            const QuietErrors quiet;
            again.reset(GDALDataset::FromHandle(
                GDALGetThreadSafeDataset(GDALDataset::ToHandle(source), GDAL_OF_RASTER, nullptr)));
        }
#endif
        if (!again)
            break;
        GDALDataset *dataset = again.get();
        readers.push_back(std::make_unique<SourceReader>(dataset, std::move(again), layout));
    }
    return readers;
}
