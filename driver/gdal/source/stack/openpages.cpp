/* openpages.cpp: see openpages.h. What GDAL opens is put together by its own /vsisparse/:
 *
 *     a page  header, whose first directory is the page's | the file | 0 instead of the next directory | the file
 *     a film  header, whose first directory is behind the file | the file | a directory of the blocks of all pages
 *
 * A page costs GDAL and libtiff far more to open than 64 x 64 pixels to decode; a film is opened once. What stands in rows is
 * read without any of this. */
#include "source/stack/openpages.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "source/stack/tiff.h"

namespace
{

/* Each page has up to two handles of its file, and a process may have 1024 of them. */
constexpr size_t most_pages = 64;
constexpr int most_pages_of_all = 160;
constexpr int64_t most_cached = 64 << 20;
std::atomic<int> n_open{0};
std::atomic<unsigned> n_names{0};

void add_region(std::string *xml, const std::string &file, int64_t from, int64_t to, int64_t source_from)
{
    char *escaped = CPLEscapeString(file.c_str(), -1, CPLES_XML);
    if (to > from)
        *xml += std::string("<SubfileRegion><Filename relative='0'>") + escaped + "</Filename><DestinationOffset>" +
                std::to_string(from) + "</DestinationOffset><SourceOffset>" + std::to_string(source_from) +
                "</SourceOffset><RegionLength>" + std::to_string(to - from) + "</RegionLength></SubfileRegion>";
    CPLFree(escaped);
}

bool has_huge_blocks(GDALRasterBand *band)
{
    int block[2] = {1, 1};
    band->GetBlockSize(&block[0], &block[1]);
    GDALDataset *of = band->GetDataset(); /* an overview may have none */
    const double pixel =
        GDALGetDataTypeSizeBytes(band->GetRasterDataType()) * (of != nullptr ? std::max(1, of->GetRasterCount()) : 1.0);
    return is_huge_block(pixel * block[0] * block[1], pixel * band->GetXSize() * band->GetYSize());
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

OpenPages::Page *OpenPages::find(int file, int64_t page)
{
    for (auto at = m_pages.begin(); at != m_pages.end(); ++at)
        if (at->page == page && at->file == file) {
            m_pages.splice(m_pages.begin(), m_pages, at);
            return &m_pages.front();
        }
    return nullptr;
}

/* Makes room for it, and gives it names. */
OpenPages::Page *OpenPages::add(int file, int64_t page)
{
    while (!m_pages.empty() && (m_pages.size() >= most_pages || n_open >= most_pages_of_all))
        m_pages.pop_back();
    m_pages.emplace_front();
    Page *added = &m_pages.front();
    const std::string name = "/vsimem/omezarr-page-" + std::to_string(n_names++);
    added->file = file;
    added->page = page;
    added->names[0] = name + ".header";
    added->names[1] = name + ".tif"; /* not .xml: GDAL 3.13 looks into such for more */
    return added;
}

/* Opens what the regions make of a file and the bytes of its own. */
std::unique_ptr<GDALDataset> OpenPages::open_regions(const Page &page, const std::vector<GByte> &own, int64_t size,
                                                     const std::string &regions, std::string *message)
{
    static const char *const drivers[] = {"GTiff", nullptr};
    static const char *const no_siblings[] = {nullptr};
    const std::string xml =
        "<VSISparseFile><Length>" + std::to_string(size) + "</Length>" + regions + "</VSISparseFile>";
    *message = "no memory";
    if (!write_file(page.names[0], own.data(), own.size()) || !write_file(page.names[1], xml.data(), xml.size()))
        return nullptr;
    const CPLErrorStateBackuper state;
    const CPLErrorHandlerPusher quiet(CPLQuietErrorHandler);
    std::unique_ptr<GDALDataset> opened(GDALDataset::Open(
        ("/vsisparse/" + page.names[1]).c_str(), GDAL_OF_RASTER | GDAL_OF_INTERNAL, drivers, nullptr, no_siblings));
    *message = opened ? "" : CPLGetLastErrorMsg();
    return opened;
}

static std::unique_ptr<GDALDataset> open_raster(const std::string &path, std::string *message)
{
    const CPLErrorStateBackuper state;
    const CPLErrorHandlerPusher quiet(CPLQuietErrorHandler);
    std::unique_ptr<GDALDataset> opened(
        GDALDataset::Open(path.c_str(), GDAL_OF_RASTER | GDAL_OF_INTERNAL | GDAL_OF_VERBOSE_ERROR));
    *message = opened ? "" : CPLGetLastErrorMsg();
    return opened;
}

/* Two of them are alike if all is that planes of one array have in common; so it is said in the words of TIFF. */
bool OpenPages::look_at(const std::string &path, TiffFile *to)
{
    *to = TiffFile();
    to->path = path;
    to->is_of_other_format = true;
    std::string message;
    const std::unique_ptr<GDALDataset> raster = open_raster(path, &message);
    GDALRasterBand *band = raster ? raster->GetRasterBand(1) : nullptr;
    if (raster && (band == nullptr || raster->GetRasterCount() > 65535))
        message = "it has " + std::to_string(raster->GetRasterCount()) + " bands";
    for (int i = 2; message.empty() && i <= raster->GetRasterCount(); i++)
        if (raster->GetRasterBand(i)->GetRasterDataType() != band->GetRasterDataType())
            message = "its bands are of several types";
    if (!message.empty()) {
        CPLError(CE_Failure, CPLE_OpenFailed, "%s: this is no raster that can be a page: %s", path.c_str(),
                 message.c_str());
        return false;
    }
    const GDALDataType type = band->GetRasterDataType();
    const bool is_complex = GDALDataTypeIsComplex(type), is_float = GDALDataTypeIsFloating(type);
    TiffPage page;
    page.width = raster->GetRasterXSize();
    page.height = raster->GetRasterYSize();
    page.bits = GDALGetDataTypeSizeBits(type);
    page.sample_format = is_complex ? (is_float ? 6 : 5) : is_float ? 3 : GDALDataTypeIsSigned(type) ? 2 : 1;
    page.samples = raster->GetRasterCount();
    page.levels.resize(static_cast<size_t>(band->GetOverviewCount()));
    double place[6];
    if (GDALGetGeoTransform(GDALDataset::ToHandle(raster.get()), place) == CE_None)
        page.place = digest(page.place, place, sizeof place);
    if (const char *crs = raster->GetProjectionRef(); crs != nullptr)
        page.place = digest(page.place, crs, strlen(crs));
    to->pages.push_back(std::move(page));
    return true;
}

GDALDataset *OpenPages::open(int number, int64_t page_number)
{
    if (const Page *known = find(number, page_number))
        return known->dataset.get();
    const TiffFile &file = m_files->files[static_cast<size_t>(number)];
    const TiffPage &page = file.pages[static_cast<size_t>(page_number)];
    Page &opened = *add(number, page_number);
    std::string message;
    opened.dataset =
        file.is_of_other_format ? open_raster(file.path, &message) : cut_page(file, page, opened, &message);
    GDALRasterBand *first = opened.dataset ? opened.dataset->GetRasterBand(1) : nullptr;
    if (first != nullptr && has_huge_blocks(first)) {
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

std::unique_ptr<GDALDataset> OpenPages::cut_page(const TiffFile &file, const TiffPage &page, const Page &opened,
                                                 std::string *message)
{
    const std::vector<GByte> header = tiff_header(file, page.offset);
    const auto begin = static_cast<int64_t>(header.size()), width = static_cast<int64_t>(file.is_big ? 8 : 4);
    std::string regions;
    add_region(&regions, opened.names[0], 0, begin, 0);
    add_region(&regions, file.path, begin, page.next_at, begin);
    regions += "<ConstantRegion><DestinationOffset>" + std::to_string(page.next_at) +
               "</DestinationOffset><RegionLength>" + std::to_string(width) +
               "</RegionLength><Value>0</Value></ConstantRegion>";
    add_region(&regions, file.path, page.next_at + width, file.size, page.next_at + width);
    return open_regions(opened, header, file.size, regions, message);
}

/* The band of the film that has the plane; NULL, without an error, if it is in none, or in one that cannot be opened. */
GDALRasterBand *OpenPages::film_band(const StackPlane &plane)
{
    const TiffFile &file = m_files->files[static_cast<size_t>(plane.file)];
    const int film = file.pages[static_cast<size_t>(plane.page)].film;
    if (film < 0 || file.films[static_cast<size_t>(film)].size() < 2)
        return nullptr;
    const Page *known = find(plane.file, -1 - film);
    if (known == nullptr) {
        const int64_t at = file.size + file.size % 2; /* where a directory may stand */
        std::vector<GByte> own = tiff_header(file, at);
        const auto begin = static_cast<int64_t>(own.size());
        const std::vector<unsigned char> directory = film_directory(file, film, at);
        const int64_t size = at + static_cast<int64_t>(directory.size());
        Page &opened = *add(plane.file, -1 - film); /* stays, so that it is not tried for each plane */
        known = &opened;
        own.resize(own.size() + static_cast<size_t>(at - file.size));
        own.insert(own.end(), directory.begin(), directory.end());
        std::string regions, message;
        add_region(&regions, opened.names[0], 0, begin, 0);
        add_region(&regions, file.path, begin, file.size, begin);
        add_region(&regions, opened.names[0], file.size, size, begin);
        if (!directory.empty() && (file.is_big || size <= UINT32_MAX))
            opened.dataset = open_regions(opened, own, size, regions, &message);
        if (opened.dataset)
            n_open++;
    }
    GDALDataset *dataset = known->dataset.get();
    return dataset != nullptr && plane.sample < dataset->GetRasterCount() ? dataset->GetRasterBand(plane.sample + 1)
                                                                          : nullptr;
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
    for (int i = 0; i < band->GetOverviewCount(); i++) {
        GDALRasterBand *overview = band->GetOverview(i);
        if (overview == nullptr || overview->GetXSize() != width || overview->GetYSize() != height)
            continue;
        if (!has_huge_blocks(overview))
            return overview;
        fail(plane.file, plane.page,
             CPLSPrintf("cannot be read: the tiles of its level of %d x %d pixels are larger than it by far", width,
                        height));
        return nullptr;
    }
    fail(plane.file, plane.page, CPLSPrintf("has no level of %d x %d pixels, as the first one has", width, height));
    return nullptr;
}

bool OpenPages::read(const StackPlane &plane, int width, int height, const PixelBox &box, void *pixels,
                     GDALDataType type, GSpacing row_bytes, int room_rows)
{
    const TiffPage &page = m_files->files[static_cast<size_t>(plane.file)].pages[static_cast<size_t>(plane.page)];
    GDALRasterBand *band = width == 0 ? film_band(plane) : nullptr;
    const bool is_film = band != nullptr;
    band = is_film ? band : this->band(plane, width, height);
    if (band == nullptr)
        return false;
    int block[2] = {1, 1};
    band->GetBlockSize(&block[0], &block[1]);
    const int size = GDALGetDataTypeSizeBytes(type);
    const int n_rows = is_film ? static_cast<int>(page.height) : band->GetYSize();
    const int first_row =
        is_film ? static_cast<int>(page.film_index * ((n_rows - 1) / block[1] + 1) * block[1]) : 0; /* of the film */
    const auto is_whole = [](int from, int extent, int block_size, int all) {
        return from % block_size == 0 && (extent == block_size || (extent < block_size && from + extent == all));
    };
    /* A block of one sample goes straight to its place; of several, GDAL keeps the others in its cache. */
    if ((page.samples == 1 || page.planar == 2) && type == band->GetRasterDataType() && room_rows >= block[1] &&
        row_bytes == static_cast<GSpacing>(block[0]) * size && is_whole(box.x, box.width, block[0], band->GetXSize()) &&
        is_whole(box.y, box.height, block[1], n_rows))
        return band->ReadBlock(box.x / block[0], (first_row + box.y) / block[1], pixels) == CE_None ||
               fail(plane.file, plane.page, "cannot be read");
    m_cached += static_cast<int64_t>(box.width + block[0]) * (box.height + block[1]) * size;
    if (m_cached > most_cached) { /* the limit of GDAL's cache is everybody's */
        for (const Page &one : m_pages)
            if (one.dataset)
                one.dataset->FlushCache(false);
        m_cached = 0;
    }
    return band->RasterIO(GF_Read, box.x, first_row + box.y, box.width, box.height, pixels, box.width, box.height, type,
                          size, row_bytes, nullptr) == CE_None ||
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
