/* stackdataset.cpp: see stackdataset.h. The first page says what all have: type, blocks, overviews, colours; the
 * description of the file says where each lies. */
#include "source/stack/stackdataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "describe/stack/kinds.h"
#include "describe/dimensions.h"
#include "describe/georef.h"
#include "plugin/guard.h"
#include "describe/json_text.h"
#include "source/pages.h"
#include "source/stack/filelist.h"
#include "source/stack/tiff.h"

/* -- Files ----------------------------------------------------------------------------------------------------- */

/* A TIFF, or any other raster as a file of one page. */
static bool read_pages_of(const std::string &path, TiffFile *to)
{
    const std::string begin = bytes_at(path, 0, 8);
    const bool is_tiff =
        is_tiff_header(reinterpret_cast<const unsigned char *>(begin.data()), static_cast<int>(begin.size()));
    return is_tiff ? walk_tiff(path, to) : OpenPages::look_at(path, to);
}

static std::shared_ptr<StackFiles> read_file(const std::string &path, WalkFile read_first)
{
    auto stack = std::make_shared<StackFiles>();
    stack->files.emplace_back();
    if (!read_first(path, &stack->files[0]) || !describe_stack(stack->files[0], walk_tiff, &stack->description))
        return nullptr;
    for (size_t i = 1; i < stack->description.files.size(); i++) {
        stack->files.emplace_back();
        if (!walk_tiff(stack->description.files[i], &stack->files[i]))
            return nullptr;
    }
    return stack;
}

static bool refuse_list(const std::string &path, const std::string &why)
{
    CPLError(
        CE_Failure, CPLE_NotSupported,
        "%s: %s. The files of a list are rasters of one size, type and number of bands, and TIFFs have as many pages; "
        "what is not can be joined by gdalbuildvrt -separate",
        path.c_str(), why.c_str());
    return false;
}

/* The images of files like the first one, one behind the other along the first axis of z, t, c that it does not have. */
static bool join_files(const std::vector<std::string> &names, StackFiles *stack)
{
    StackDescription &description = stack->description;
    StackImage &image = description.images[0];
    const std::vector<StackPlane> planes = image.planes;
    if (description.images.size() != 1 || description.files.size() != 1 ||
        std::any_of(planes.begin(), planes.end(), [](const StackPlane &plane) { return plane.raw_at >= 0; }))
        return refuse_list(names[0], "it holds several images, is one of a set, or has one page for all of its planes");
    StackAxis *const axis = image.z.size == 1   ? &image.z
                            : image.t.size == 1 ? &image.t
                            : image.c.size == 1 ? &image.c
                                                : nullptr;
    if (axis == nullptr)
        return refuse_list(names[0], "it has the axes t, c and z already, so that files have no axis left");
    const std::vector<TiffPage> pages = stack->files[0].pages;
    for (size_t i = 1; i < names.size(); i++) {
        stack->files.emplace_back();
        TiffFile &file = stack->files.back();
        if (!read_pages_of(names[i], &file))
            return false;
        if (file.pages.size() != pages.size() || !std::equal(pages.begin(), pages.end(), file.pages.begin(), is_alike))
            return refuse_list(names[i], "its pages are not like those of " + names[0]);
        file.description.clear();
    }
    description.files = names;
    axis->size = static_cast<int64_t>(names.size());
    image.labels.clear();
    if (axis == &image.c)
        image.channels.clear();
    image.planes.clear();
    const int64_t n_c = axis == &image.c ? 1 : image.c.size, n_z = axis == &image.z ? 1 : image.z.size;
    for (int64_t t = 0; t < image.t.size; t++)
        for (int64_t c = 0; c < image.c.size; c++)
            for (int64_t z = 0; z < image.z.size; z++) {
                const int64_t file = axis == &image.z ? z : axis == &image.t ? t : c;
                const int64_t of_t = axis == &image.t ? 0 : t, of_c = axis == &image.c ? 0 : c;
                StackPlane plane = planes[static_cast<size_t>((of_t * n_c + of_c) * n_z + (axis == &image.z ? 0 : z))];
                plane.file = static_cast<int>(file);
                image.planes.push_back(plane);
            }
    return true;
}

std::shared_ptr<const StackFiles> read_stack(const std::string &path)
{
    if (!is_file_list(path))
        return read_file(path, walk_tiff);
    std::vector<std::string> names;
    std::shared_ptr<StackFiles> stack = read_file_list(path, &names) ? read_file(names[0], read_pages_of) : nullptr;
    return stack && join_files(names, stack.get()) ? stack : nullptr;
}

std::string plane_axes_of(const StackImage &image, int64_t *sizes)
{
    std::string letters;
    for (const auto &[letter, size] :
         {std::make_pair('t', image.t.size), std::make_pair('c', image.c.size), std::make_pair('z', image.z.size)})
        if (size > 1) {
            sizes[letters.size()] = size;
            letters += letter;
        }
    return letters;
}

static const TiffPage &page_of(const StackFiles &files, const StackPlane &plane)
{
    return files.files[static_cast<size_t>(plane.file)].pages[static_cast<size_t>(plane.page)];
}

/* Where the image begins. */
static const StackPlane *first_plane(const StackImage &image)
{
    const auto found =
        std::find_if(image.planes.begin(), image.planes.end(), [](const StackPlane &plane) { return plane.page >= 0; });
    return found != image.planes.end() ? &*found : nullptr;
}

/* -- Bands ----------------------------------------------------------------------------------------------------- */

class StackBand final : public GDALRasterBand
{
    friend class StackDataset;

    StackDataset *m_dataset;
    GDALColorInterp m_color = GCI_Undefined;
    std::shared_ptr<GDALColorTable> m_table{}; /* one for all bands */
    bool m_has_nodata = false, m_has_scale = false, m_has_offset = false;
    double m_nodata = 0, m_scale = 1, m_offset = 0;
    int64_t m_nodata_signed = 0;
    uint64_t m_nodata_unsigned = 0;
    std::string m_unit{};

    const StackPlane &plane() const
    {
        const OpenStack &stack = *m_dataset->m_stack;
        return stack.of().planes[static_cast<size_t>(stack.planes[static_cast<size_t>(nBand - 1)])];
    }
    bool is_raw() const
    {
        return m_dataset->m_level < 0 && (plane().raw_at >= 0 || m_dataset->m_stack->is_raw);
    }
    bool read(const PixelBox &box, void *pixels, GSpacing row_bytes);
    void fill(void *pixels, int width, int height, GSpacing row_bytes) const;

  protected:
    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override;
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                     GDALRasterIOExtraArg *extra) override;
    int IGetDataCoverageStatus(int x, int y, int width, int height, int stop, double *percent) override;

  public:
    StackBand(StackDataset *dataset, int number, int width, int height);
    void take(GDALRasterBand *from);

    double GetNoDataValue(int *has) override;
    int64_t GetNoDataValueAsInt64(int *has) override;
    uint64_t GetNoDataValueAsUInt64(int *has) override;
    double GetScale(int *has) override;
    double GetOffset(int *has) override;
    const char *GetUnitType() override
    {
        return m_unit.c_str();
    }
    GDALColorInterp GetColorInterpretation() override
    {
        return m_color;
    }
    GDALColorTable *GetColorTable() override
    {
        return m_table.get();
    }
    int GetOverviewCount() override;
    GDALRasterBand *GetOverview(int index) override;
    int GetMaskFlags() override
    {
        return m_dataset->m_mask ? GMF_PER_DATASET : GDALRasterBand::GetMaskFlags();
    }
    GDALRasterBand *GetMaskBand() override
    {
        return m_dataset->m_mask ? m_dataset->m_mask.get() : GDALRasterBand::GetMaskBand();
    }
};

/* The mask of all pages, 0 or 255. */
class StackMaskBand final : public GDALRasterBand
{
    StackDataset *m_dataset;

  protected:
    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override;

  public:
    explicit StackMaskBand(StackDataset *dataset) : m_dataset(dataset)
    {
        poDS = dataset;
        nRasterXSize = dataset->GetRasterXSize();
        nRasterYSize = dataset->GetRasterYSize();
        eDataType = GDT_Byte;
        nBlockXSize = dataset->m_stack->block_width;
        nBlockYSize = dataset->m_stack->block_height;
    }
};

StackBand::StackBand(StackDataset *dataset, int number, int width, int height) : m_dataset(dataset)
{
    const OpenStack &stack = *dataset->m_stack;
    poDS = dataset;
    nBand = number;
    nRasterXSize = width;
    nRasterYSize = height;
    eDataType = stack.type;
    eAccess = GA_ReadOnly;
    nBlockXSize = stack.block_width;
    nBlockYSize = stack.block_height;
}

/* What the same sample of the first page says. */
void StackBand::take(GDALRasterBand *from)
{
    int has = FALSE;
    m_nodata = from->GetNoDataValue(&has);
    if (eDataType == GDT_Int64)
        m_nodata_signed = from->GetNoDataValueAsInt64(&has);
    if (eDataType == GDT_UInt64)
        m_nodata_unsigned = from->GetNoDataValueAsUInt64(&has);
    m_has_nodata = has;
    m_scale = from->GetScale(&has);
    m_has_scale = has;
    m_offset = from->GetOffset(&has);
    m_has_offset = has;
    m_unit = from->GetUnitType();
}

double StackBand::GetNoDataValue(int *has)
{
    if (has != nullptr)
        *has = m_has_nodata;
    return m_has_nodata ? m_nodata : 0;
}

int64_t StackBand::GetNoDataValueAsInt64(int *has)
{
    if (has != nullptr)
        *has = m_has_nodata && eDataType == GDT_Int64;
    return m_nodata_signed;
}

uint64_t StackBand::GetNoDataValueAsUInt64(int *has)
{
    if (has != nullptr)
        *has = m_has_nodata && eDataType == GDT_UInt64;
    return m_nodata_unsigned;
}

double StackBand::GetScale(int *has)
{
    if (has != nullptr)
        *has = m_has_scale;
    return m_scale;
}

double StackBand::GetOffset(int *has)
{
    if (has != nullptr)
        *has = m_has_offset;
    return m_offset;
}

int StackBand::GetOverviewCount()
{
    return static_cast<int>(m_dataset->m_overviews.size());
}

GDALRasterBand *StackBand::GetOverview(int index)
{
    return index >= 0 && index < GetOverviewCount()
               ? m_dataset->m_overviews[static_cast<size_t>(index)]->GetRasterBand(nBand)
               : nullptr;
}

/* A plane that no page has. */
void StackBand::fill(void *pixels, int width, int height, GSpacing row_bytes) const
{
    const int size = GDALGetDataTypeSizeBytes(eDataType);
    GByte value[16] = {};
    if (m_has_nodata && eDataType == GDT_Int64)
        memcpy(value, &m_nodata_signed, sizeof m_nodata_signed);
    else if (m_has_nodata && eDataType == GDT_UInt64)
        memcpy(value, &m_nodata_unsigned, sizeof m_nodata_unsigned);
    else if (m_has_nodata)
        GDALCopyWords(&m_nodata, GDT_Float64, 0, value, eDataType, 0, 1);
    for (int row = 0; row < height; row++)
        GDALCopyWords(value, eDataType, 0, static_cast<GByte *>(pixels) + row * row_bytes, eDataType, size, width);
}

bool StackBand::read(const PixelBox &box, void *pixels, GSpacing row_bytes)
{
    const StackPlane &plane = this->plane();
    const bool is_level = m_dataset->m_level >= 0;
    if (plane.page < 0)
        fill(pixels, box.width, box.height, row_bytes);
    else if (is_raw())
        return m_dataset->m_pages->read_raw(plane, box, pixels, GDALGetDataTypeSizeBytes(eDataType), row_bytes);
    else
        return m_dataset->m_pages->read(plane, is_level ? nRasterXSize : 0, is_level ? nRasterYSize : 0, box, pixels,
                                        eDataType, row_bytes, nBlockYSize);
    return true;
}

static PixelBox box_of_block(GDALRasterBand *band, int block_x, int block_y)
{
    int width = 1, height = 1;
    band->GetBlockSize(&width, &height);
    PixelBox box;
    box.x = block_x * width;
    box.y = block_y * height;
    box.width = std::min(width, band->GetXSize() - box.x);
    box.height = std::min(height, band->GetYSize() - box.y);
    return box;
}

CPLErr StackMaskBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    const PixelBox box = box_of_block(this, block_x, block_y);
    const bool is_read = guarded(m_dataset->GetDescription(), false, [&] {
        return m_dataset->m_pages->read(m_dataset->m_stack->mask, 0, 0, box, pixels, GDT_Byte, nBlockXSize,
                                        nBlockYSize);
    });
    auto *bytes = static_cast<GByte *>(pixels);
    std::transform(bytes, bytes + static_cast<size_t>(nBlockXSize) * nBlockYSize, bytes,
                   [](GByte value) { return static_cast<GByte>(value != 0 ? 255 : 0); });
    return is_read ? CE_None : CE_Failure;
}

CPLErr StackBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    const int size = GDALGetDataTypeSizeBytes(eDataType);
    const PixelBox box = box_of_block(this, block_x, block_y);
    const bool is_read = guarded(m_dataset->GetDescription(), false,
                                 [&] { return read(box, pixels, static_cast<GSpacing>(nBlockXSize) * size); });
    return is_read ? CE_None : CE_Failure;
}

/* Pixels in rows need no blocks. */
CPLErr StackBand::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                            int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                            GDALRasterIOExtraArg *extra)
{
    if (flag != GF_Read || !is_raw() || width != buffer_width || height != buffer_height || type != eDataType ||
        pixel_space != GDALGetDataTypeSizeBytes(type))
        return GDALRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                         pixel_space, line_space, extra);
    PixelBox box;
    box.x = x;
    box.y = y;
    box.width = width;
    box.height = height;
    const bool is_read = guarded(m_dataset->GetDescription(), false, [&] { return read(box, data, line_space); });
    return is_read ? CE_None : CE_Failure;
}

int StackBand::IGetDataCoverageStatus(int x, int y, int width, int height, int stop, double *percent)
{
    if (plane().page >= 0)
        return GDALRasterBand::IGetDataCoverageStatus(x, y, width, height, stop, percent);
    if (percent != nullptr)
        *percent = 0;
    return GDAL_DATA_COVERAGE_STATUS_EMPTY;
}

/* -- Dataset --------------------------------------------------------------------------------------------------- */

StackDataset::StackDataset(std::shared_ptr<OpenStack> stack, int level, OpenPages *pages)
    : m_stack(std::move(stack)), m_own_pages(m_stack->files), m_pages(pages != nullptr ? pages : &m_own_pages),
      m_level(level)
{
    const StackImage &image = m_stack->of();
    nRasterXSize = static_cast<int>(image.width);
    nRasterYSize = static_cast<int>(image.height);
    if (level >= 0)
        std::tie(nRasterXSize, nRasterYSize) = m_stack->overviews[static_cast<size_t>(level)];
    eAccess = GA_ReadOnly;
    /* It stands for the driver that opens it by name, also where it was not opened by name. */
    poDriver = GetGDALDriverManager()->GetDriverByName("OMEZARR");
}

StackDataset::~StackDataset()
{
    if (!m_gcps.empty())
        GDALDeinitGCPs(static_cast<int>(m_gcps.size()), m_gcps.data());
}

bool StackDataset::decodes_channels() const
{
    const StackImage &image = m_stack->of();
    const StackPlane *plane = first_plane(image);
    return !m_stack->is_raw && image.samples > 1 && image.c.size == image.samples && plane != nullptr &&
           page_of(*m_stack->files, *plane).planar == 1;
}

/* Every plane has what the first one has; else its name, and what it has instead. */
bool StackDataset::check_planes() const
{
    const StackFiles &files = *m_stack->files;
    const StackImage &image = m_stack->of();
    const auto fail = [&](const StackPlane &plane, const std::string &what) {
        CPLError(CE_Failure, CPLE_AppDefined, "%s: page " CPL_FRMT_GIB " cannot be a plane of the image: %s",
                 files.files[static_cast<size_t>(plane.file)].path.c_str(), static_cast<GIntBig>(plane.page + 1),
                 what.c_str());
        return false;
    };
    const TiffPage *first = nullptr;
    const auto shape = [](const TiffPage &page) {
        return std::to_string(page.width) + " x " + std::to_string(page.height) + " pixels of " +
               std::to_string(page.samples) + " x " + std::to_string(page.bits) + " bits";
    };
    for (const StackPlane &plane : image.planes) {
        if (plane.page < 0)
            continue;
        if (plane.file < 0 || static_cast<size_t>(plane.file) >= files.files.size() ||
            static_cast<size_t>(plane.page) >= files.files[static_cast<size_t>(plane.file)].pages.size()) {
            CPLError(CE_Failure, CPLE_AppDefined, "%s: the description names page " CPL_FRMT_GIB ", which is not there",
                     files.description.files[0].c_str(), static_cast<GIntBig>(plane.page + 1));
            return false;
        }
        const TiffFile &file = files.files[static_cast<size_t>(plane.file)];
        const TiffPage &page = page_of(files, plane);
        if (first == nullptr)
            first = &page;
        if (page.width != first->width || page.height != first->height || page.bits != first->bits ||
            page.sample_format != first->sample_format || page.samples != first->samples || page.width != image.width ||
            page.height != image.height)
            return fail(plane, "it has " + shape(page) + ", and the first one " + shape(*first) + ", of an image of " +
                                   std::to_string(image.width) + " x " + std::to_string(image.height));
        if (plane.sample < 0 || plane.sample >= page.samples)
            return fail(plane, "it has no sample " + std::to_string(plane.sample + 1));
        const int64_t begin = plane.raw_at >= 0 ? plane.raw_at : m_stack->is_raw ? page.pixels_at : -1;
        if (plane.raw_at >= 0 && page.pixels_at < 0)
            return fail(plane, "the pixels of others follow its own, which do not stand in rows");
        const int64_t n_bytes = page.width * page.height * page.samples * (page.bits / 8);
        if (begin >= 0 && (begin > file.size || n_bytes > file.size - begin))
            return fail(plane, "its pixels are bytes " + std::to_string(begin) + " to " +
                                   std::to_string(begin + n_bytes) + ", and the file has " + std::to_string(file.size));
    }
    if (first != nullptr)
        return true;
    CPLError(CE_Failure, CPLE_AppDefined, "%s: the description says that no page is a plane of the image",
             files.description.files[0].c_str());
    return false;
}

/* Type, blocks and overviews, from a page of the image. */
bool StackDataset::find_layout(GDALDataset *page)
{
    const StackImage &image = m_stack->of();
    const StackFiles &files = *m_stack->files;
    GDALRasterBand *band = page->GetRasterBand(1);
    if (band == nullptr || image.width > INT32_MAX || image.height > INT32_MAX)
        return false;
    m_stack->type = band->GetRasterDataType();
    band->GetBlockSize(&m_stack->block_width, &m_stack->block_height);
    const int n_bits = GDALGetDataTypeSizeBits(m_stack->type);
    m_stack->is_raw = !GDALDataTypeIsComplex(m_stack->type);
    size_t n_levels = 64;
    for (const StackPlane &plane : image.planes)
        if (plane.page >= 0) {
            const TiffPage &one = page_of(files, plane);
            m_stack->is_raw = m_stack->is_raw && one.pixels_at >= 0 && one.bits == n_bits;
            n_levels = std::min(n_levels, one.levels.size());
        }
    for (int i = 0; i < band->GetOverviewCount() && m_stack->overviews.size() < n_levels; i++)
        if (GDALRasterBand *overview = band->GetOverview(i))
            m_stack->overviews.emplace_back(overview->GetXSize(), overview->GetYSize());
    return true;
}

/* The mask page that follows a page; -1: none. */
static int64_t mask_of_page(const TiffFile &file, int64_t number)
{
    const TiffPage &page = file.pages[static_cast<size_t>(number)];
    for (size_t i = static_cast<size_t>(number) + 1; i < file.pages.size(); i++) {
        const TiffPage &other = file.pages[i];
        if (other.is_mask && other.width == page.width && other.height == page.height && other.samples == 1)
            return static_cast<int64_t>(i);
        if (!other.is_mask && !other.is_reduced)
            break;
    }
    return -1;
}

/* A raster has one mask for all its bands: that of the pages if each has one and all are the same. False, with an error, if
 * one cannot be read. */
bool StackDataset::find_mask()
{
    constexpr int64_t most_bytes = 16 << 20;
    std::vector<StackPlane> masks;
    for (const int64_t number : m_stack->planes) {
        StackPlane mask = m_stack->of().planes[static_cast<size_t>(number)];
        if (mask.page < 0)
            return true;
        mask.page = mask_of_page(m_stack->files->files[static_cast<size_t>(mask.file)], mask.page);
        mask.sample = 0;
        if (mask.page < 0)
            return true;
        if (masks.empty() || mask.page != masks.back().page || mask.file != masks.back().file)
            masks.push_back(mask);
    }
    PixelBox box;
    box.width = nRasterXSize;
    const int rows = static_cast<int>(std::clamp<int64_t>(most_bytes / nRasterXSize, 1, nRasterYSize));
    std::vector<GByte> first(static_cast<size_t>(rows) * static_cast<size_t>(nRasterXSize)), other(first.size());
    for (; box.y < nRasterYSize; box.y += rows) {
        box.height = std::min(rows, nRasterYSize - box.y);
        const auto read = [&](const StackPlane &mask, std::vector<GByte> *to) {
            return m_own_pages.read(mask, 0, 0, box, to->data(), GDT_Byte, nRasterXSize, rows);
        };
        if (!read(masks[0], &first))
            return false;
        for (size_t i = 1; i < masks.size(); i++) {
            if (!read(masks[i], &other))
                return false;
            if (first != other)
                return true;
        }
    }
    m_stack->mask = masks[0];
    return true;
}

/* -- Description ----------------------------------------------------------------------------------------------- */

/* Where a plane lies on an axis, in the words of our own stores (dimensions.h). */
static void describe_dimension(char letter, const StackAxis &axis, int64_t index, CPLStringList *items)
{
    const auto set = [&](const char *what, const std::string &value) {
        items->SetNameValue(dimension_item(letter, what).c_str(), value.c_str());
    };
    set("INDEX", std::to_string(index));
    const bool has_values = axis.values.size() == static_cast<size_t>(axis.size);
    if (letter == 'c' && !has_values)
        return;
    const double value = has_values ? axis.values[static_cast<size_t>(index)]
                                    : axis.translation + axis.scale * static_cast<double>(index);
    set("VALUE", JsonText::number_text(value));
    if (!has_values && axis.scale != 1)
        set("STEP", JsonText::number_text(axis.scale));
    if (axis.unit != nullptr)
        set("UNIT", axis.unit);
}

/* How a channel is shown, in the words of our own stores. */
static void describe_channel(const StackChannel &channel, CPLStringList *items)
{
    if (!channel.name.empty())
        items->SetNameValue("LABEL", channel.name.c_str());
    if (channel.color >= 0)
        items->SetNameValue("COLOR", CPLSPrintf("%06X", static_cast<unsigned>(channel.color & 0xFFFFFF)));
    if (channel.has_window) {
        items->SetNameValue("WINDOW_START", JsonText::number_text(channel.window_start).c_str());
        items->SetNameValue("WINDOW_END", JsonText::number_text(channel.window_end).c_str());
    }
}

void StackDataset::describe_bands(GDALDataset *page)
{
    const StackImage &image = m_stack->of();
    int64_t sizes[3];
    const std::string dims = plane_axes_of(image, sizes);
    std::shared_ptr<GDALColorTable> table;
    if (const GDALColorTable *of_page = page->GetRasterBand(1)->GetColorTable())
        table = std::make_shared<GDALColorTable>(*of_page);
    for (int number = 1; number <= nBands; number++) {
        auto *band = static_cast<StackBand *>(GetRasterBand(number));
        const int64_t plane = m_stack->planes[static_cast<size_t>(number - 1)];
        const int64_t index[] = {plane / (image.c.size * image.z.size), plane / image.z.size % image.c.size,
                                 plane % image.z.size};
        GDALRasterBand *of_page = page->GetRasterBand(std::min(page->GetRasterCount(), band->plane().sample + 1));
        band->take(of_page);
        /* The grey of a page says nothing of its channel; and the alpha of a page is not that of other channels. */
        const GDALColorInterp color = of_page->GetColorInterpretation();
        const bool is_alpha = color == GCI_AlphaBand && image.c.size > image.samples;
        band->m_color = is_alpha || (color == GCI_GrayIndex && image.c.size > 1) ? GCI_Undefined : color;
        band->m_table = table;
        const size_t channel = static_cast<size_t>(index[1]);
        const bool has_channel = channel < image.channels.size();
        CPLStringList items, shown;
        std::vector<int64_t> place;
        for (size_t i = 0; i < 3; i++) {
            const char letter = "tcz"[i];
            const StackAxis &axis = i == 0 ? image.t : i == 1 ? image.c : image.z;
            if (dims.find(letter) == std::string::npos)
                continue;
            place.push_back(index[i]);
            describe_dimension(letter, axis, index[i], &items);
            shown.SetNameValue(std::string(1, "TCZ"[i]).c_str(), std::to_string(index[i]).c_str());
        }
        const bool has_label =
            static_cast<size_t>(plane) < image.labels.size() && !image.labels[static_cast<size_t>(plane)].empty();
        const std::string name = has_channel ? image.channels[channel].name : "";
        band->SetDescription(has_label ? image.labels[static_cast<size_t>(plane)].c_str()
                                       : text_with_place(name, dims, place.data()).c_str());
        if (has_channel)
            describe_channel(image.channels[channel], &shown);
        band->SetMetadata(items.List());
        band->SetMetadata(shown.List(), "NGFF");
        const char *n_bits = of_page->GetMetadataItem("NBITS", "IMAGE_STRUCTURE");
        if (n_bits != nullptr)
            band->SetMetadataItem("NBITS", n_bits, "IMAGE_STRUCTURE");
#if !OMEZARR_GDAL_AT_LEAST(3, 7)
        if (const char *type = of_page->GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE"))
            band->SetMetadataItem("PIXELTYPE", type, "IMAGE_STRUCTURE");
#endif
    }
}

/* "y:0.5,x:0.25", as the options AXIS_SCALE ... have it. */
static std::string of_plane_axes(const std::string &y, const std::string &x)
{
    return (y.empty() ? "" : "y:" + y) + (y.empty() || x.empty() ? "" : ",") + (x.empty() ? "" : "x:" + x);
}

/* The georeference of the first page; else the place that its description says. */
void StackDataset::describe_place(GDALDataset *first)
{
    const StackImage &image = m_stack->of();
    if (const OGRSpatialReference *crs = first->GetSpatialRef())
        m_crs.reset(crs->Clone());
    m_has_geotransform = GDALGetGeoTransform(GDALDataset::ToHandle(first), m_geotransform) == CE_None;
    if (first->GetGCPCount() > 0) {
        m_gcps.resize(static_cast<size_t>(first->GetGCPCount()));
        GDAL_GCP *copies = GDALDuplicateGCPs(first->GetGCPCount(), first->GetGCPs());
        std::copy_n(copies, m_gcps.size(), m_gcps.begin()); /* with their texts */
        CPLFree(copies);
        if (const OGRSpatialReference *crs = first->GetGCPSpatialRef())
            m_gcp_crs.reset(crs->Clone());
    }
    if (m_has_geotransform || m_crs || !m_gcps.empty())
        return;
    const double scale[] = {image.y.scale, image.x.scale}, translation[] = {image.y.translation, image.x.translation};
    const std::string units[] = {image.y.unit != nullptr ? image.y.unit : "",
                                 image.x.unit != nullptr ? image.x.unit : ""};
    m_has_geotransform =
        georef_from_axes(scale, translation, !units[0].empty() && !units[1].empty(), m_geotransform) != 0;
    for (int i = 0; i < 2; i++)
        if (!units[i].empty())
            SetMetadataItem(dimension_item("yx"[i], "UNIT").c_str(), units[i].c_str());
    SetMetadataItem("AXIS_SCALE",
                    of_plane_axes(JsonText::number_text(scale[0]), JsonText::number_text(scale[1])).c_str(), "NGFF");
    SetMetadataItem("AXIS_TRANSLATION",
                    of_plane_axes(JsonText::number_text(translation[0]), JsonText::number_text(translation[1])).c_str(),
                    "NGFF");
    SetMetadataItem("AXIS_UNITS", of_plane_axes(units[0], units[1]).c_str(), "NGFF");
}

constexpr int most_listed = 10000; /* images of a file */

/* first: what GDAL says of the file by its name; page: of a page of the image. */
void StackDataset::describe(GDALDataset *first, GDALDataset *page)
{
    const StackDescription &description = m_stack->files->description;
    const StackImage &image = m_stack->of();
    SetMetadata(first->GetMetadata());
    for (const auto &[name, text] : image.kept)
        SetMetadataItem(name.c_str(), text.c_str());
    const char *told = GetMetadataItem("TIFFTAG_IMAGEDESCRIPTION");
    if (!description.xml.empty() && (told == nullptr || description.xml != told)) {
        const char *const list[] = {description.xml.c_str(), nullptr};
        SetMetadata(const_cast<char **>(list), "xml:OME");
    }
    SetMetadataItem("INTERLEAVE", "BAND", "IMAGE_STRUCTURE");
    if (const char *is_inverted = page->GetMetadataItem("MINISWHITE", "IMAGE_STRUCTURE"))
        SetMetadataItem("MINISWHITE", is_inverted, "IMAGE_STRUCTURE");
    if (!image.name.empty())
        SetMetadataItem("NAME", image.name.c_str(), "NGFF");
    describe_place(first);
    describe_bands(first->GetRasterCount() == page->GetRasterCount() ? first : page); /* a side file counts */
    CPLStringList others;
    const auto n_images = static_cast<int>(description.images.size());
    for (int i = 0; i < std::min(n_images, most_listed) && n_images > 1; i++) {
        const StackImage &other = description.images[static_cast<size_t>(i)];
        const std::string name = "SUBDATASET_" + std::to_string(i + 1);
        others.AddNameValue((name + "_NAME").c_str(),
                            CPLSPrintf("OMEZARR:\"%s\":#%d", description.files[0].c_str(), i));
        others.AddNameValue((name + "_DESC").c_str(),
                            CPLSPrintf("%s%s" CPL_FRMT_GIB " planes of " CPL_FRMT_GIB " x " CPL_FRMT_GIB " pixels",
                                       other.name.c_str(), other.name.empty() ? "" : ": ",
                                       static_cast<GIntBig>(other.planes.size()), static_cast<GIntBig>(other.width),
                                       static_cast<GIntBig>(other.height)));
    }
    if (n_images > 1)
        GDALMajorObject::SetMetadata(others.List(), "SUBDATASETS");
}

std::unique_ptr<StackDataset> StackDataset::open(std::shared_ptr<const StackFiles> files, int image,
                                                 std::vector<int64_t> planes, const std::string &name,
                                                 GDALDataset *first)
{
    const int most_bands = std::clamp(atoi(CPLGetConfigOption("GDAL_MAX_BAND_COUNT", "65536")), 1, 1 << 20);
    auto stack = std::make_shared<OpenStack>();
    stack->files = std::move(files);
    stack->image = image;
    stack->planes = std::move(planes);
    const std::string path = stack->files->description.files[0];
    if (stack->planes.size() > static_cast<size_t>(most_bands)) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "%s: %d planes are more than the %d bands that GDAL gives a raster: choose with T=, Z= and C=, or set "
                 "GDAL_MAX_BAND_COUNT",
                 path.c_str(), static_cast<int>(stack->planes.size()), most_bands);
        return nullptr;
    }
    std::unique_ptr<StackDataset> dataset(new StackDataset(stack, -1, nullptr));
    if (!dataset->check_planes())
        return nullptr;
    const StackPlane &plane = *first_plane(stack->of());
    GDALDataset *page = dataset->m_own_pages.open(plane.file, plane.page);
    if (page == nullptr || !dataset->find_layout(page) || !dataset->check_planes() || !dataset->find_mask())
        return nullptr;
    page = dataset->m_own_pages.open(plane.file, plane.page); /* masks may have taken its place */
    if (page == nullptr)
        return nullptr;
    dataset->add_mask();
    for (int band = 1; band <= static_cast<int>(stack->planes.size()); band++)
        dataset->SetBand(band, new StackBand(dataset.get(), band, dataset->nRasterXSize, dataset->nRasterYSize));
    /* Files beside the TIFF, such as world files, say where its first page is. */
    std::unique_ptr<GDALDataset> by_name;
    if (plane.file != 0 || plane.page != 0)
        first = page;
    if (first == nullptr) {
        static const char *const drivers[] = {"GTiff", nullptr};
        by_name.reset(GDALDataset::Open(path.c_str(), GDAL_OF_RASTER | GDAL_OF_INTERNAL, drivers));
        first = by_name ? by_name.get() : page;
    }
    dataset->describe(first, page);
    for (int level = 0; level < static_cast<int>(stack->overviews.size()); level++) {
        std::unique_ptr<StackDataset> overview(new StackDataset(stack, level, &dataset->m_own_pages));
        for (int band = 1; band <= dataset->nBands; band++) {
            auto *full = static_cast<StackBand *>(dataset->GetRasterBand(band));
            auto *shown = new StackBand(overview.get(), band, overview->nRasterXSize, overview->nRasterYSize);
            overview->SetBand(band, shown);
            shown->take(full);
            shown->m_color = full->m_color;
            shown->m_table = full->m_table;
        }
        dataset->m_overviews.push_back(std::move(overview));
    }
    dataset->SetDescription(name.c_str());
    return dataset;
}

std::unique_ptr<StackDataset> StackDataset::again() const
{
    std::unique_ptr<StackDataset> dataset(new StackDataset(m_stack, -1, nullptr));
    const auto add_bands = [this](StackDataset *to, const StackDataset *from) {
        for (int band = 1; band <= nBands; band++) {
            auto *copy = new StackBand(to, band, to->nRasterXSize, to->nRasterYSize);
            to->SetBand(band, copy);
            copy->take(const_cast<StackDataset *>(from)->GetRasterBand(band));
        }
    };
    add_bands(dataset.get(), this);
    dataset->add_mask();
    for (int level = 0; level < static_cast<int>(m_overviews.size()); level++) {
        dataset->m_overviews.emplace_back(new StackDataset(m_stack, level, &dataset->m_own_pages));
        add_bands(dataset->m_overviews.back().get(), this);
    }
    dataset->SetDescription(GetDescription());
    return dataset;
}

void StackDataset::add_mask()
{
    if (m_stack->mask.page >= 0)
        m_mask = std::make_unique<StackMaskBand>(this);
}

std::vector<std::string> StackDataset::warnings() const
{
    const StackFiles &files = *m_stack->files;
    std::vector<std::string> list = files.description.warnings;
    int64_t n_masks = 0;
    for (const TiffFile &file : files.files)
        n_masks +=
            std::count_if(file.pages.begin(), file.pages.end(), [](const TiffPage &page) { return page.is_mask; });
    if (n_masks > 0 && m_stack->mask.page < 0)
        list.push_back(files.files[0].path + ": the masks of its pages, " + std::to_string(n_masks) +
                       ", are not read: they are not the same for all planes, and a store has one for all. All pixels "
                       "count as valid. GTIFF_DIR:1:" +
                       files.files[0].path + " is the first page with its mask");
    return list;
}

CPLErr StackDataset::OMEZARR_GET_GEOTRANSFORM_DEFINITION
{
    memcpy(OMEZARR_GEOTRANSFORM_DATA, m_geotransform, sizeof m_geotransform);
    return m_has_geotransform ? CE_None : CE_Failure;
}

const OGRSpatialReference *StackDataset::GetSpatialRef() const
{
    return m_crs.get();
}

int StackDataset::GetGCPCount()
{
    return static_cast<int>(m_gcps.size());
}

const OGRSpatialReference *StackDataset::GetGCPSpatialRef() const
{
    return m_gcp_crs.get();
}

const GDAL_GCP *StackDataset::GetGCPs()
{
    return m_gcps.empty() ? nullptr : m_gcps.data();
}

char **StackDataset::GetFileList()
{
    CPLStringList files;
    for (const std::string &file : m_stack->files->description.files)
        files.AddString(file.c_str());
    return files.StealList();
}

/* -- The stack behind a raster --------------------------------------------------------------------------------- */

/* True for a raster that GDAL opened by the name of the TIFF. */
static bool is_file_of_pages(GDALDataset *raster)
{
    GDALDriver *driver = raster->GetDriver();
    return driver != nullptr &&
           (EQUAL(driver->GetDescription(), "GTiff") || EQUAL(driver->GetDescription(), "LIBERTIFF")) &&
           raster->GetAccess() == GA_ReadOnly && *raster->GetDescription() != '\0' &&
           !STARTS_WITH_CI(raster->GetDescription(), "GTIFF_DIR:") &&
           !STARTS_WITH_CI(raster->GetDescription(), "GTIFF_RAW:");
}

/* Nobody needs a stack for one page that says nothing of itself but its shape: the raster has its mask and overviews. */
static bool is_worth_it(const StackFiles &files)
{
    const StackImage &image = files.description.images[0];
    const bool says_more = files.description.kind != "pages" && files.description.kind != "tifffile";
    return says_more || image.planes.size() > static_cast<size_t>(image.samples);
}

static std::unique_ptr<StackDataset> open_all_planes(GDALDataset *raster, std::vector<std::string> *warnings)
{
    const std::shared_ptr<const StackFiles> files = read_stack(raster->GetDescription());
    if (files)
        *warnings = files->description.warnings;
    if (!files || !is_worth_it(*files))
        return nullptr;
    std::vector<int64_t> planes(files->description.images[0].planes.size());
    for (size_t i = 0; i < planes.size(); i++)
        planes[i] = static_cast<int64_t>(i);
    return StackDataset::open(files, 0, std::move(planes), raster->GetDescription(), raster);
}

/* One plane alone is better read as the raster that GDAL has opened, where that has what a stack has not. */
static bool is_better_alone(GDALDataset *raster, StackDataset &stack)
{
    GDALRasterBand *band = raster->GetRasterBand(1);
    return stack.GetRasterCount() == raster->GetRasterCount() &&
           (band->GetMaskFlags() == GMF_PER_DATASET || raster->GetSpatialRef() != nullptr ||
            band->GetOverviewCount() > static_cast<int>(stack.stack().overviews.size()));
}

bool find_stack(GDALDataset *raster, std::unique_ptr<StackDataset> *found, std::vector<std::string> *warnings)
{
    found->reset();
    if (!is_file_of_pages(raster))
        return true;
    const char *text = raster->GetMetadataItem("TIFFTAG_IMAGEDESCRIPTION");
    const std::string path = raster->GetDescription();
    const bool is_metamorph =
        path.size() > 4 && EQUAL(path.c_str() + path.size() - 4, ".stk"); /* GDAL knows not its tag */
    const bool is_told = (text != nullptr && speaks_of_planes(text)) || is_metamorph;
    const bool is_listed = listed_count(GDALDataset::ToHandle(raster)) > 1;
    if (!is_listed && !is_told)
        return true;
    std::string problem;
    if (is_listed) {
        CPLErrorReset();
        *found = open_all_planes(raster, warnings);
        if (!*found && CPLGetLastErrorType() >= CE_Failure)
            return false;
    } else {
        const QuietErrors quiet;
        CPLErrorReset();
        *found = open_all_planes(raster, warnings);
        problem = !*found && CPLGetLastErrorType() >= CE_Failure ? CPLGetLastErrorMsg() : "";
        if (*found && is_better_alone(raster, **found))
            found->reset();
    }
    if (!problem.empty())
        warnings->push_back(std::string(raster->GetDescription()) +
                            " is taken as one plane: its description speaks of others that it does not have (" +
                            problem + ")");
    else if (*found)
        *warnings = (*found)->warnings();
    return true;
}

GDALDatasetH open_planes_of(GDALDatasetH raster)
{
    std::unique_ptr<StackDataset> found;
    std::vector<std::string> warnings;
    guarded("planes", false, [&] { return find_stack(GDALDataset::FromHandle(raster), &found, &warnings); });
    return GDALDataset::ToHandle(found.release());
}
