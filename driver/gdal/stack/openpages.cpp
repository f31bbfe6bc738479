/* openpages.cpp: see openpages.h. A page is cut out of its file by GDAL's own /vsisparse/:
 *
 *     header, whose first directory is the page's | the file | 0 instead of the next directory | the file
 *
 * What stands in rows is read without any of this. */
#include "openpages.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace
{

/* Each page has up to two handles of its file, and a process may have 1024 of them. */
constexpr size_t most_pages = 64;
constexpr int most_pages_of_all = 160;
constexpr int64_t most_cached = 64 << 20;
std::atomic<int> n_open{0};
std::atomic<unsigned> n_names{0};

void add_region(std::string *xml, const std::string &file, int64_t from, int64_t to)
{
    char *escaped = CPLEscapeString(file.c_str(), -1, CPLES_XML);
    if (to > from)
        *xml += std::string("<SubfileRegion><Filename relative='0'>") + escaped + "</Filename><DestinationOffset>" +
                std::to_string(from) + "</DestinationOffset><SourceOffset>" + std::to_string(from) +
                "</SourceOffset><RegionLength>" + std::to_string(to - from) + "</RegionLength></SubfileRegion>";
    CPLFree(escaped);
}

/* The header of a file in which the directory at offset is the first. */
std::vector<GByte> header_of(const TiffFile &file, int64_t offset)
{
    const char letter = file.is_big_endian ? 'M' : 'I';
    std::vector<GByte> header(2, static_cast<GByte>(letter));
    const auto put = [&](uint64_t value, int n) {
        for (int i = 0; i < n; i++)
            header.push_back(static_cast<GByte>(value >> (8 * (file.is_big_endian ? n - 1 - i : i))));
    };
    put(file.is_big ? 43 : 42, 2);
    if (file.is_big) {
        put(8, 2);
        put(0, 2);
    }
    put(static_cast<uint64_t>(offset), file.is_big ? 8 : 4);
    return header;
}

/* True for tiles that no program makes: GDAL takes memory for a whole one, whatever the file has of it. */
bool has_huge_blocks(GDALDataset *page)
{
    constexpr double least = 1 << 24;
    int block[2] = {1, 1};
    GDALRasterBand *band = page->GetRasterBand(1);
    if (band != nullptr)
        band->GetBlockSize(&block[0], &block[1]);
    const double pixels = static_cast<double>(page->GetRasterXSize()) * page->GetRasterYSize();
    return static_cast<double>(block[0]) * block[1] > std::max(least, 4 * pixels);
}

bool write_file(const std::string &name, const void *bytes, size_t n)
{
    VSILFILE *file = VSIFOpenL(name.c_str(), "wb");
    const bool is_written = file != nullptr && VSIFWriteL(bytes, 1, n, file) == n;
    return file != nullptr && VSIFCloseL(file) == 0 && is_written;
}

} // namespace

OpenPages::Page::~Page()
{
    if (dataset)
        n_open--;
    dataset.reset();
    for (const std::string &name : names)
        if (!name.empty())
            VSIUnlink(name.c_str());
}

bool OpenPages::fail(int file, int64_t page, const char *what) const
{
    CPLError(CE_Failure, CPLE_AppDefined, "%s: page " CPL_FRMT_GIB " %s",
             m_files->files[static_cast<size_t>(file)].path.c_str(), static_cast<GIntBig>(page + 1), what);
    return false;
}

GDALDataset *OpenPages::open(int number, int64_t page_number)
{
    for (auto at = m_pages.begin(); at != m_pages.end(); ++at)
        if (at->page == page_number && at->file == number) {
            m_pages.splice(m_pages.begin(), m_pages, at);
            return m_pages.front().dataset.get();
        }
    while (!m_pages.empty() && (m_pages.size() >= most_pages || n_open >= most_pages_of_all))
        m_pages.pop_back();

    const TiffFile &file = m_files->files[static_cast<size_t>(number)];
    const TiffPage &page = file.pages[static_cast<size_t>(page_number)];
    const std::vector<GByte> header = header_of(file, page.offset);
    const auto begin = static_cast<int64_t>(header.size()), width = static_cast<int64_t>(file.is_big ? 8 : 4);
    m_pages.emplace_front();
    Page &opened = m_pages.front();
    opened.file = number;
    opened.page = page_number;
    const std::string name = "/vsimem/omezarr-page-" + std::to_string(n_names++);
    opened.names[0] = name + ".header";
    opened.names[1] = name + ".tif"; /* not .xml: GDAL 3.13 looks into such for more */
    std::string xml = "<VSISparseFile><Length>" + std::to_string(file.size) + "</Length>";
    add_region(&xml, opened.names[0], 0, begin);
    add_region(&xml, file.path, begin, page.next_at);
    xml += "<ConstantRegion><DestinationOffset>" + std::to_string(page.next_at) + "</DestinationOffset><RegionLength>" +
           std::to_string(width) + "</RegionLength><Value>0</Value></ConstantRegion>";
    add_region(&xml, file.path, page.next_at + width, file.size);
    xml += "</VSISparseFile>";
    static const char *const drivers[] = {"GTiff", nullptr};
    static const char *const no_siblings[] = {nullptr};
    std::string message = "no memory";
    if (write_file(opened.names[0], header.data(), header.size()) &&
        write_file(opened.names[1], xml.data(), xml.size())) {
        const CPLErrorStateBackuper state;
        const CPLErrorHandlerPusher quiet(CPLQuietErrorHandler);
        opened.dataset.reset(GDALDataset::Open(("/vsisparse/" + opened.names[1]).c_str(),
                                               GDAL_OF_RASTER | GDAL_OF_INTERNAL, drivers, nullptr, no_siblings));
        message = CPLGetLastErrorMsg();
    }
    if (opened.dataset && has_huge_blocks(opened.dataset.get())) {
        message = "its tiles are larger than the image by far";
        opened.dataset.reset();
    }
    if (opened.dataset && opened.dataset->GetRasterXSize() == page.width &&
        opened.dataset->GetRasterYSize() == page.height) {
        n_open++;
        return opened.dataset.get();
    }
    opened.dataset.reset();
    m_pages.pop_front();
    fail(number, page_number,
         ("cannot be opened: " + (message.empty() ? "GDAL finds no image in it" : message)).c_str());
    return nullptr;
}

GDALRasterBand *OpenPages::band(const StackPlane &plane, int width, int height)
{
    GDALDataset *page = open(plane.file, plane.page);
    if (page == nullptr)
        return nullptr;
    GDALRasterBand *band = plane.sample < page->GetRasterCount() ? page->GetRasterBand(plane.sample + 1) : nullptr;
    if (band == nullptr) {
        fail(plane.file, plane.page, "has fewer samples than the first one");
        return nullptr;
    }
    if (width == 0 || (band->GetXSize() == width && band->GetYSize() == height))
        return band;
    for (int i = 0; i < band->GetOverviewCount(); i++)
        if (GDALRasterBand *overview = band->GetOverview(i))
            if (overview->GetXSize() == width && overview->GetYSize() == height)
                return overview;
    fail(plane.file, plane.page, CPLSPrintf("has no level of %d x %d pixels, as the first one has", width, height));
    return nullptr;
}

bool OpenPages::read(const StackPlane &plane, int width, int height, const PixelBox &box, void *pixels,
                     GDALDataType type, GSpacing row_bytes, int room_rows)
{
    GDALRasterBand *band = this->band(plane, width, height);
    if (band == nullptr)
        return false;
    int block[2] = {1, 1};
    band->GetBlockSize(&block[0], &block[1]);
    const int size = GDALGetDataTypeSizeBytes(type);
    const TiffPage &page = m_files->files[static_cast<size_t>(plane.file)].pages[static_cast<size_t>(plane.page)];
    const auto is_whole = [](int from, int extent, int block_size, int all) {
        return from % block_size == 0 && (extent == block_size || (extent < block_size && from + extent == all));
    };
    /* A block of one sample goes straight to its place; of several, GDAL keeps the others in its cache. */
    if ((page.samples == 1 || page.planar == 2) && type == band->GetRasterDataType() && room_rows >= block[1] &&
        row_bytes == static_cast<GSpacing>(block[0]) * size && is_whole(box.x, box.width, block[0], band->GetXSize()) &&
        is_whole(box.y, box.height, block[1], band->GetYSize()))
        return band->ReadBlock(box.x / block[0], box.y / block[1], pixels) == CE_None ||
               fail(plane.file, plane.page, "cannot be read");
    m_cached += static_cast<int64_t>(box.width + block[0]) * (box.height + block[1]) * size;
    if (m_cached > most_cached) { /* the limit of GDAL's cache is everybody's */
        for (const Page &one : m_pages)
            one.dataset->FlushCache(false);
        m_cached = 0;
    }
    return band->RasterIO(GF_Read, box.x, box.y, box.width, box.height, pixels, box.width, box.height, type, size,
                          row_bytes, nullptr) == CE_None ||
           fail(plane.file, plane.page, "cannot be read");
}

bool OpenPages::read_raw(const StackPlane &plane, const PixelBox &box, void *pixels, int size, GSpacing row_bytes)
{
    const TiffFile &file = m_files->files[static_cast<size_t>(plane.file)];
    const TiffPage &page = file.pages[static_cast<size_t>(plane.page)];
    if (m_raw_file != plane.file) {
        m_raw.reset(VSIFOpenL(file.path.c_str(), "rb"));
        m_raw_file = m_raw ? plane.file : -1;
    }
    const int64_t pixel = static_cast<int64_t>(size) * page.samples,
                  begin = plane.raw_at >= 0 ? plane.raw_at : page.pixels_at;
    const bool is_whole = box.width == page.width && page.samples == 1 && row_bytes == box.width * pixel;
    const int n_reads = is_whole ? 1 : box.height;
    const auto n_bytes = static_cast<size_t>(box.width * pixel * (is_whole ? box.height : 1));
    for (int row = 0; row < n_reads; row++) {
        GByte *to = static_cast<GByte *>(pixels) + row * row_bytes;
        if (page.samples > 1)
            m_row.resize(n_bytes);
        GByte *bytes = page.samples > 1 ? m_row.data() : to;
        const int64_t at = begin + ((box.y + row) * page.width + box.x) * pixel;
        if (!m_raw || VSIFSeekL(m_raw.get(), static_cast<vsi_l_offset>(at), SEEK_SET) != 0 ||
            VSIFReadL(bytes, 1, n_bytes, m_raw.get()) != n_bytes)
            return fail(plane.file, plane.page,
                        CPLSPrintf("cannot be read: " CPL_FRMT_GIB " bytes at " CPL_FRMT_GIB,
                                   static_cast<GIntBig>(n_bytes), static_cast<GIntBig>(at)));
        for (int i = 0; i < box.width && page.samples > 1; i++)
            memcpy(to + static_cast<size_t>(i) * size, bytes + i * pixel + static_cast<int64_t>(plane.sample) * size,
                   size);
        if (size > 1 && file.is_big_endian != (CPL_IS_LSB == 0))
            GDALSwapWordsEx(to, size, static_cast<size_t>(box.width) * (is_whole ? box.height : 1), size);
    }
    return true;
}
