/* create.cpp: Create(): a raster that is written block by block, in any order, again and again, and read back. What is
 * said about it (position, nodata, names, colours ...) is kept here until the end; then the dataset is its own source:
 * the same code as for CreateCopy turns it into an image and a plan, and the writer makes all levels from the pixels it
 * has kept. Nothing opens at the destination before. */
#include "plugin/omezarr.h"

#include <algorithm>
#include <map>
#include <cmath>

#include "describe/attributes.h"
#include "describe/dimensions.h"
#include "plugin/guard.h"
#include "write/omexml.h"
#include "describe/pixel_type.h"
#include "open/sidefile.h"
#include "write/writing_dataset.h"

/* -- Band ------------------------------------------------------------------------------------------------------ */

WritingBand::WritingBand(WritingDataset *dataset, int number, GDALDataType type) : m_dataset(dataset)
{
    poDS = dataset;
    nBand = number;
    eAccess = GA_Update;
    eDataType = type;
    nRasterXSize = dataset->GetRasterXSize();
    nRasterYSize = dataset->GetRasterYSize();
    nBlockXSize = nRasterXSize; /* until there is a plan */
    nBlockYSize = 1;
}

CPLErr WritingBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    return m_dataset->transfer(this, false, block_x, block_y, pixels, false);
}

CPLErr WritingBand::IWriteBlock(int block_x, int block_y, void *pixels)
{
    return m_dataset->transfer(this, true, block_x, block_y, pixels, false);
}

/* A write may wait in GDAL's block cache: from here on the raster is changed all the same. */
CPLErr WritingBand::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                              int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                              GDALRasterIOExtraArg *extra)
{
    if (flag == GF_Write)
        m_dataset->m_is_written = true;
    if (m_dataset->is_view(flag, width, height, buffer_width, buffer_height))
        return m_dataset->m_stored->GetRasterBand(nBand)->RasterIO(flag, x, y, width, height, data, buffer_width,
                                                                   buffer_height, type, pixel_space, line_space, extra);
    return GDALRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type, pixel_space,
                                     line_space, extra);
}

/* True if pixels that nobody wrote read as this value, to the last bit. */
bool WritingBand::reads_unwritten_as(double value)
{
    int has = FALSE;
    const double nodata = GetNoDataValue(&has);
    const double unwritten = has ? nodata : 0;
    if (std::isnan(value) && std::isnan(unwritten))
        return GDALDataTypeIsFloating(eDataType) != FALSE;
    int is_clamped = FALSE, is_rounded = FALSE;
    GDALAdjustValueToDataType(eDataType, value, &is_clamped, &is_rounded);
    const bool is_exact = !is_clamped && !is_rounded && std::fabs(value) <= 9007199254740992.0; /* 2^53 */
    return value == unwritten && std::signbit(value) == std::signbit(unwritten) &&
           (is_exact || eDataType == GDT_Float64 || eDataType == GDT_Float32);
}

/* What reads so already need not be stored: a large raster filled with nodata stays as small as it is. What the writer
 * has not got yet, because it waits in GDAL's block cache, reads otherwise. */
CPLErr WritingBand::Fill(double real, double imaginary)
{
    if (!m_dataset->m_is_written && !m_dataset->m_stored && imaginary == 0 && reads_unwritten_as(real)) {
        if (GDALRasterBand::FlushCache(false) != CE_None)
            return CE_Failure;
        if (!m_dataset->m_is_written) {
            m_is_filled = true;
            return CE_None;
        }
    }
    m_dataset->m_is_written = true;
    m_is_filled = false;
    return GDALRasterBand::Fill(real, imaginary);
}

/* Before unwritten pixels read as something else: what Fill() left out is stored after all. */
CPLErr WritingBand::store_fill()
{
    if (!m_is_filled)
        return CE_None;
    m_is_filled = false;
    m_dataset->m_is_written = true;
    return guarded(m_dataset->GetDescription(), CE_Failure, [this] {
        std::vector<GByte> block(static_cast<size_t>(nBlockXSize) * nBlockYSize * GDALGetDataTypeSizeBytes(eDataType));
        for (int y = 0; y * static_cast<GIntBig>(nBlockYSize) < nRasterYSize; y++)
            for (int x = 0; x * static_cast<GIntBig>(nBlockXSize) < nRasterXSize; x++)
                if (IReadBlock(x, y, block.data()) != CE_None || IWriteBlock(x, y, block.data()) != CE_None)
                    return CE_Failure;
        return CE_None;
    });
}

double WritingBand::GetNoDataValue(int *has)
{
    if (has != nullptr)
        *has = m_nodata_kind != NO_NODATA;
    return m_nodata_kind == INT64_NODATA    ? static_cast<double>(m_nodata_int64)
           : m_nodata_kind == UINT64_NODATA ? static_cast<double>(m_nodata_uint64)
           : m_nodata_kind == DOUBLE_NODATA ? m_nodata
                                            : GDALRasterBand::GetNoDataValue(nullptr);
}

int64_t WritingBand::GetNoDataValueAsInt64(int *has)
{
    if (has != nullptr)
        *has = m_nodata_kind == INT64_NODATA;
    return m_nodata_kind == INT64_NODATA ? m_nodata_int64 : INT64_MIN;
}

uint64_t WritingBand::GetNoDataValueAsUInt64(int *has)
{
    if (has != nullptr)
        *has = m_nodata_kind == UINT64_NODATA;
    return m_nodata_kind == UINT64_NODATA ? m_nodata_uint64 : UINT64_MAX;
}

template <typename Change> CPLErr WritingBand::change_nodata(bool is_same, Change change)
{
    if (!is_same && store_fill() != CE_None)
        return CE_Failure;
    const std::lock_guard<std::mutex> guard(m_dataset->m_lock);
    m_dataset->m_has_new_nodata = m_dataset->m_has_other_nodata = m_dataset->m_is_described = true;
    change();
    InvalidateMaskBand();
    return CE_None;
}

CPLErr WritingBand::SetNoDataValue(double value)
{
    if (eDataType == GDT_Int64 && value == std::floor(value) && std::fabs(value) < 9.2e18)
        return SetNoDataValueAsInt64(static_cast<int64_t>(value));
    if (eDataType == GDT_UInt64 && value == std::floor(value) && value >= 0 && value < 1.8e19)
        return SetNoDataValueAsUInt64(static_cast<uint64_t>(value));
    const bool is_same =
        m_nodata_kind == DOUBLE_NODATA && (value == m_nodata || (std::isnan(value) && std::isnan(m_nodata)));
    return change_nodata(is_same, [this, value] {
        m_nodata_kind = DOUBLE_NODATA;
        m_nodata = value;
    });
}

CPLErr WritingBand::SetNoDataValueAsInt64(int64_t value)
{
    return change_nodata(m_nodata_kind == INT64_NODATA && value == m_nodata_int64, [this, value] {
        m_nodata_kind = INT64_NODATA;
        m_nodata_int64 = value;
    });
}

CPLErr WritingBand::SetNoDataValueAsUInt64(uint64_t value)
{
    return change_nodata(m_nodata_kind == UINT64_NODATA && value == m_nodata_uint64, [this, value] {
        m_nodata_kind = UINT64_NODATA;
        m_nodata_uint64 = value;
    });
}

CPLErr WritingBand::DeleteNoDataValue()
{
    return change_nodata(m_nodata_kind == NO_NODATA, [this] { m_nodata_kind = NO_NODATA; });
}

double WritingBand::GetScale(int *has)
{
    if (has != nullptr)
        *has = m_has_scale;
    return m_scale;
}

CPLErr WritingBand::SetScale(double scale)
{
    m_dataset->m_is_described = true;
    m_has_scale = true;
    m_scale = scale;
    return CE_None;
}

double WritingBand::GetOffset(int *has)
{
    if (has != nullptr)
        *has = m_has_offset;
    return m_offset;
}

CPLErr WritingBand::SetOffset(double offset)
{
    m_dataset->m_is_described = true;
    m_has_offset = true;
    m_offset = offset;
    return CE_None;
}

void WritingBand::SetDescription(const char *description)
{
    m_dataset->m_is_described = true;
    GDALRasterBand::SetDescription(description);
}

const char *WritingBand::GetUnitType()
{
    return m_unit.c_str();
}

CPLErr WritingBand::SetUnitType(const char *unit)
{
    m_dataset->m_is_described = true;
    return guarded(m_dataset->GetDescription(), CE_Failure, [this, unit] {
        m_unit = unit != nullptr ? unit : "";
        return CE_None;
    });
}

/* Nothing is guessed: four bands of bytes may be red, green, blue and near infrared as well as RGBA. One band is grey. */
GDALColorInterp WritingBand::GetColorInterpretation()
{
    return m_color_table ? GCI_PaletteIndex : m_color;
}

CPLErr WritingBand::SetColorInterpretation(GDALColorInterp color)
{
    m_dataset->m_is_described = true;
    m_color = color;
    for (int i = 1; i <= m_dataset->GetRasterCount(); i++) /* an alpha band is the mask of the others */
        static_cast<WritingBand *>(m_dataset->GetRasterBand(i))->InvalidateMaskBand();
    return CE_None;
}

GDALColorTable *WritingBand::GetColorTable()
{
    return m_color_table.get();
}

CPLErr WritingBand::SetColorTable(GDALColorTable *table)
{
    m_dataset->m_is_described = true;
    return guarded(m_dataset->GetDescription(), CE_Failure, [this, table] {
        m_color_table.reset(table != nullptr ? table->Clone() : nullptr);
        return CE_None;
    });
}

char **WritingBand::GetCategoryNames()
{
    return m_categories.size() > 0 ? m_categories.List() : nullptr;
}

CPLErr WritingBand::SetCategoryNames(char **names)
{
    m_dataset->m_is_described = true;
    m_categories = CPLStringList(CSLDuplicate(names));
    return CE_None;
}

GDALRasterAttributeTable *WritingBand::GetDefaultRAT()
{
    return m_rat.get();
}

CPLErr WritingBand::SetDefaultRAT(const GDALRasterAttributeTable *rat)
{
    m_dataset->m_is_described = true;
    return guarded(m_dataset->GetDescription(), CE_Failure, [this, rat] {
        m_rat.reset(rat != nullptr ? rat->Clone() : nullptr);
        if (rat == nullptr || m_rat)
            return CE_None;
        CPLError(CE_Failure, CPLE_NotSupported, "Raster attribute table of band %d: too large to be copied", nBand);
        return CE_Failure;
    });
}

CPLErr WritingBand::GetDefaultHistogram(double *min, double *max, int *n, GUIntBig **counts, int must_compute,
                                        GDALProgressFunc progress, void *progress_data)
{
    if (m_histogram.counts.empty())
        return GDALRasterBand::GetDefaultHistogram(min, max, n, counts, must_compute, progress, progress_data);
    return m_histogram.give(min, max, n, counts);
}

CPLErr WritingBand::SetDefaultHistogram(double min, double max, int n, GUIntBig *counts)
{
    m_dataset->m_is_described = true;
    return guarded(m_dataset->GetDescription(), CE_Failure, [=] {
        m_histogram = {min, max, std::vector<GUIntBig>(counts, counts + n)};
        return CE_None;
    });
}

GDALRasterBand *WritingBand::GetMaskBand()
{
    return m_dataset->m_mask ? m_dataset->m_mask.get() : GDALRasterBand::GetMaskBand();
}

/* The mask that GDAL makes of the metadata NODATA_VALUES is none of the store's: nobody has written it. */
int WritingBand::GetMaskFlags()
{
    if (m_dataset->m_mask)
        return GMF_PER_DATASET;
    const int flags = GDALRasterBand::GetMaskFlags();
    return flags == (GMF_NODATA | GMF_PER_DATASET) ? GMF_ALL_VALID : flags;
}

CPLErr WritingBand::CreateMaskBand(int flags)
{
    return m_dataset->CreateMaskBand(flags);
}

/* -- Dataset: opening and pixels ------------------------------------------------------------------------------- */

WritingDataset::WritingDataset(const std::string &root, int width, int height, int n_bands, GDALDataType type)
    : m_root(root)
{
    nRasterXSize = width;
    nRasterYSize = height;
    eAccess = GA_Update; /* before the bands, which take it over */
    for (int band = 1; band <= n_bands; band++) {
        auto made = std::make_unique<WritingBand>(this, band, type);
        made->m_color = n_bands == 1 ? GCI_GrayIndex : GCI_Undefined;
        SetBand(band, made.release());
    }
    m_crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    m_gcp_crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
}

Plan WritingDataset::plan_of_now(const CPLStringList &options, ImageFromSource *image)
{
    image->keeps_mask = m_stored && m_mask;
    image->stored = m_stored.get();
    image->axes_of = image != &m_axes ? &m_axes : nullptr;
    CPLStringList now(options);
    if (m_stored)
        drop_untrue_options(&now);
    if (!image_from_source(this, now.List(), false, image))
        return nullptr;
    if (!m_loss.empty())
        image->losses.push_back(m_loss);
    return make_plan(*image, now, GetDescription());
}

/* What the description has come to mean may be worth a warning that the beginning had not. */
void WritingDataset::raise_new_warnings(ngff_plan *plan, const ImageFromSource &image)
{
    for (const std::string &warning : warnings_of(plan, image))
        if (m_raised.insert(warning).second)
            CPLError(CE_Warning, CPLE_AppDefined, "%s: %s", GetDescription(), warning.c_str());
}

/* Where a raster lies is said after Create(), so ORIGIN=SOUTHING is checked by the last plan. */
static CPLStringList before_position(const CPLStringList &options)
{
    CPLStringList others(options);
    if (EQUAL(options.FetchNameValueDef("ORIGIN", ""), "SOUTHING"))
        others.SetNameValue("ORIGIN", nullptr);
    return others;
}

/* What only a copy can do. */
static const struct {
    const char *option, *value, *problem;
} needs_source[] = {
    {"DRY_RUN", "YES", "DRY_RUN=YES shows the plan of a copy, and Create() has no source: use it with gdal_translate"},
    {"VERIFY", "SOURCE",
     "VERIFY=SOURCE compares the store with its source, and Create() (gdalwarp, gdal_rasterize, QGIS) has none: use "
     "VERIFY=STORE, which decodes all that was written, or gdal_translate"},
    {"OVERVIEWS", "FORCE_USE_EXISTING",
     "OVERVIEWS=FORCE_USE_EXISTING takes the overviews of a source, and Create() has none: leave it out, all levels "
     "are "
     "made at closing, or use gdal_translate"},
};

bool WritingDataset::open(const CPLStringList &options, const std::string &loss)
{
    m_loss = loss;
    m_options = options;
    std::vector<GDALColorInterp> colors;
    if (!band_colors(this, options.List(), &colors))
        return false;
    m_options.SetNameValue("COLOR_INTERPRETATION", nullptr); /* what the application says later counts more */
    for (int i = 1; i <= nBands; i++)
        static_cast<WritingBand *>(GetRasterBand(i))->m_color = colors[i - 1];
    const Plan plan = plan_of_now(before_position(m_options), &m_axes);
    if (!plan)
        return false;
    for (const auto &need : needs_source)
        if (EQUAL(ngff_plan_option(plan.get(), need.option), need.value)) {
            CPLError(CE_Failure, CPLE_NotSupported, "%s: %s", GetDescription(), need.problem);
            return false;
        }
    raise_new_warnings(plan.get(), m_axes);
    m_writer = checked_writer(ngff_writer_open_push(plan.get(), m_root.c_str()));
    if (!m_writer)
        return false;
    int64_t chunk[5];
    ngff_plan_level_chunk(plan.get(), 0, chunk);
    const int y = m_axes.rank() - 2;
    for (int i = 1; i <= nBands; i++)
        static_cast<WritingBand *>(GetRasterBand(i))
            ->set_block(static_cast<int>(chunk[y + 1]), static_cast<int>(chunk[y]));
    m_had_error = CPLGetLastErrorType() == CE_Failure;
    m_n_errors = CPLGetErrorCounter();
    return true;
}

/* Programs such as gdalwarp say after Create() what the bands are, in the words of dimensions.h, and before they write.
 * Blocks stay as they were said to be. What makes no plan stays channels. */
void WritingDataset::take_axes()
{
    if (m_stored || m_is_written || !m_writer || m_options.FetchNameValue("AXES") != nullptr)
        return;
    ImageFromSource image;
    CPLStringList options(m_options);
    Plan plan;
    {
        const std::lock_guard<std::mutex> guard(m_lock);
        const QuietErrors quiet;
        int width = 0, height = 0;
        GetRasterBand(1)->GetBlockSize(&width, &height);
        if (!image_from_source(this, options.List(), false, &image) || image.dims == m_axes.dims)
            return;
        std::string chunk;
        for (const char axis : image.dims.substr(0, image.dims.size() - 2))
            chunk += std::string(1, axis) + ":1,";
        options.SetNameValue("BLOCKSIZE", CPLSPrintf("%sy:%d,x:%d", chunk.c_str(), height, width));
        plan = make_plan(image, before_position(options), GetDescription());
        if (!plan)
            return;
        m_writer.reset();
    }
    Writer writer = checked_writer(ngff_writer_open_push(plan.get(), m_root.c_str()));
    const std::lock_guard<std::mutex> guard(m_lock);
    m_writer = std::move(writer);
    m_axes = std::move(image);
    m_options = options;
    m_has_new_nodata = true;
}

/* The last band's metadata complete the description of all. */
CPLErr WritingBand::SetMetadata(StringListIn metadata, const char *domain)
{
    const CPLErr status = GDALRasterBand::SetMetadata(metadata, domain);
    const bool is_default = domain == nullptr || *domain == '\0';
    if (status != CE_None || !is_default || nBand != m_dataset->GetRasterCount() || !has_place(metadata))
        return status;
    return guarded(m_dataset->GetDescription(), CE_Failure, [this] {
        m_dataset->take_axes();
        return CE_None;
    });
}

/* Pixels that nobody wrote read as nodata, so the writer must know it before the next block. What cannot be planned is
 * told at the end. The thread may be anybody's: nothing else of the description is looked at. */
void WritingDataset::tell_nodata()
{
    if (!m_has_new_nodata)
        return;
    m_has_new_nodata = false;
    const QuietErrors quiet;
    ImageFromSource image;
    const Plan plan = image_with_nodata(this, m_axes, &image) ? make_plan(image, before_position(m_options)) : nullptr;
    if (plan && m_writer)
        ngff_writer_replan(m_writer.get(), plan.get());
}

/* As of a band. (GDAL's goes to the bands' caches itself.) */
CPLErr WritingDataset::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                                 int buffer_height, GDALDataType type, int n_bands, BandMapIn bands,
                                 GSpacing pixel_space, GSpacing line_space, GSpacing band_space,
                                 GDALRasterIOExtraArg *extra)
{
    if (flag == GF_Write)
        m_is_written = true;
    if (is_view(flag, width, height, buffer_width, buffer_height))
        return m_stored->RasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type, n_bands, bands,
                                  pixel_space, line_space, band_space, extra);
    return GDALDataset::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type, n_bands, bands,
                                  pixel_space, line_space, band_space, extra);
}

CPLErr WritingDataset::transfer(const WritingBand *band, bool is_write, int block_x, int block_y, void *pixels,
                                bool is_mask)
{
    return guarded(GetDescription(), CE_Failure, [=] {
        const std::lock_guard<std::mutex> guard(m_lock);
        return transfer_locked(band, is_write, block_x, block_y, pixels, is_mask);
    });
}

/* A block of a band, or of the mask, to or from the writer. */
CPLErr WritingDataset::transfer_locked(const WritingBand *band, bool is_write, int block_x, int block_y, void *pixels,
                                       bool is_mask)
{
    int width = 0, height = 0;
    GetRasterBand(1)->GetBlockSize(&width, &height);
    const int rank = m_axes.rank(), y = rank - 2;
    int64_t origin[5] = {}, extent[5] = {1, 1, 1, 1, 1}, strides[5] = {};
    origin[y] = static_cast<int64_t>(block_y) * height;
    origin[y + 1] = static_cast<int64_t>(block_x) * width;
    extent[y] = std::min<int64_t>(height, nRasterYSize - origin[y]);
    extent[y + 1] = std::min<int64_t>(width, nRasterXSize - origin[y + 1]);
    const int size = is_mask ? 1 : GDALGetDataTypeSizeBytes(GetRasterBand(1)->GetRasterDataType());
    strides[y] = static_cast<int64_t>(width) * size;
    strides[y + 1] = size;
    if (band != nullptr) {
        const auto at = std::find(m_axes.bands.begin(), m_axes.bands.end(), band->nBand);
        int64_t plane = at - m_axes.bands.begin();
        for (int axis = y - 1; axis >= 0; axis--) {
            origin[axis] = plane % m_axes.shape[axis];
            plane /= m_axes.shape[axis];
        }
    }
    if (!is_write && (extent[y] < height || extent[y + 1] < width))
        memset(pixels, 0, static_cast<size_t>(width) * height * size);
    tell_nodata();
    auto *mask = is_mask ? static_cast<uint8_t *>(pixels) : nullptr;
    void *values = is_mask ? nullptr : pixels;
    int32_t status = NGFF_E_STATE;
    if (m_writer && is_write) {
        m_is_written = true;
        status = ngff_writer_write(m_writer.get(), origin, extent, values, strides, mask, width);
    } else if (m_writer)
        status = ngff_writer_read(m_writer.get(), origin, extent, values, strides, mask, width);
    if (status == NGFF_OK)
        return CE_None;
    raise(status, m_writer ? ngff_writer_error(m_writer.get()) : "the dataset is closed");
    return CE_Failure;
}

/* -- Dataset: what is said about it ---------------------------------------------------------------------------- */

CPLErr WritingDataset::OMEZARR_GET_GEOTRANSFORM_DEFINITION
{
    memcpy(OMEZARR_GEOTRANSFORM_DATA, m_geotransform, sizeof m_geotransform);
    return m_has_geotransform ? CE_None : CE_Failure;
}

CPLErr WritingDataset::OMEZARR_SET_GEOTRANSFORM_DEFINITION
{
    m_is_described = true;
    /* In a store that has one, the transform of no georeference takes it away, as in GeoTIFF (gdal_edit.py -unsetgt).
     */
    static const double none[6] = {0, 1, 0, 0, 0, 1};
    const bool is_none = memcmp(OMEZARR_GEOTRANSFORM_DATA, none, sizeof none) == 0;
    m_has_geotransform = !(is_none && m_stored && m_has_geotransform);
    memcpy(m_geotransform, OMEZARR_GEOTRANSFORM_DATA, sizeof m_geotransform);
    return CE_None;
}

/* Assignment alone would keep the target's axis order where the source has the authority's. */
static void assign_crs(OGRSpatialReference *to, const OGRSpatialReference *crs)
{
    to->Clear();
    if (crs != nullptr) {
        to->SetAxisMappingStrategy(crs->GetAxisMappingStrategy());
        *to = *crs;
    }
}

const OGRSpatialReference *WritingDataset::GetSpatialRef() const
{
    return m_crs.IsEmpty() ? nullptr : &m_crs;
}

CPLErr WritingDataset::SetSpatialRef(const OGRSpatialReference *crs)
{
    m_is_described = true;
    return guarded(GetDescription(), CE_Failure, [this, crs] {
        assign_crs(&m_crs, crs);
        return CE_None;
    });
}

int WritingDataset::GetGCPCount()
{
    return static_cast<int>(m_gcps.size());
}

const OGRSpatialReference *WritingDataset::GetGCPSpatialRef() const
{
    return m_gcp_crs.IsEmpty() ? nullptr : &m_gcp_crs;
}

const GDAL_GCP *WritingDataset::GetGCPs()
{
    return m_gcps.empty() ? nullptr : m_gcps.data();
}

void WritingDataset::clear_gcps()
{
    GDALDeinitGCPs(static_cast<int>(m_gcps.size()), m_gcps.data());
    m_gcps.clear();
    m_gcp_crs.Clear();
}

CPLErr WritingDataset::SetGCPs(int n, const GDAL_GCP *gcps, const OGRSpatialReference *crs)
{
    m_is_described = true;
    return guarded(GetDescription(), CE_Failure, [this, n, gcps, crs] {
        clear_gcps();
        if (n > 0) {
            GDAL_GCP *copies = GDALDuplicateGCPs(n, gcps);
            m_gcps.assign(copies, copies + n); /* the texts go along */
            CPLFree(copies);
        }
        assign_crs(&m_gcp_crs, crs);
        return CE_None;
    });
}

CPLErr WritingDataset::CreateMaskBand(int flags)
{
    m_is_described = true;
    if (flags != GMF_PER_DATASET && !(flags == 0 && nBands == 1)) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "An OME-Zarr has one mask for all bands: create it with flags GMF_PER_DATASET");
        return CE_Failure;
    }
    if (m_mask) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: the mask is there already", GetDescription());
        return CE_Failure;
    }
    return guarded(GetDescription(), CE_Failure, [this] {
        m_mask = std::make_unique<WritingMaskBand>(this);
        return CE_None;
    });
}

/* -- Overviews ------------------------------------------------------------------------------------------------- */

/* The factors of the levels and the method are noted, and refused if they make no plan. A new store has its levels when
 * it is closed. In one that is there they are made at once, as other drivers do: who asks hears what fails. */
CPLErr WritingDataset::IBuildOverviews(const char *resampling, int n_levels, const int *levels, int n_bands,
                                       const int *, GDALProgressFunc progress, void *progress_data, CSLConstList)
{
    return guarded(GetDescription(), CE_Failure, [=] {
        CPLErr status = note_overviews(resampling, n_levels, levels, n_bands);
        if (status == CE_None && m_stored)
            status = store_and_open();
        if (status == CE_None && progress != nullptr)
            progress(1, "", progress_data);
        return status;
    });
}

CPLErr WritingDataset::note_overviews(const char *resampling, int n_levels, const int *levels, int n_bands)
{
    m_is_described = true;
    if (n_bands > 0 && n_bands < nBands)
        CPLError(CE_Warning, CPLE_AppDefined,
                 "The levels of an OME-Zarr have all its bands: they are made of all %d, not of %d", nBands, n_bands);
    CPLStringList options(m_options);
    for (const char *name : {"OVERVIEWS", "OVERVIEW_COUNT", "SCALE_FACTORS", "OVERVIEW_RESAMPLING", "RESAMPLING"})
        options.SetNameValue(name, nullptr);
    std::map<int, std::string> factors; /* along x; of all axes where theirs are not those of y and x alone */
    if (n_levels > 0)                   /* levels that are there and not named stay, and all keep their other factors */
        for (const auto &[factor, of_axes] : stored_factors())
            factors[factor] = of_axes;
    for (int i = 0; i < n_levels; i++)
        factors.emplace(levels[i], "");
    const bool is_plain =
        std::all_of(factors.begin(), factors.end(), [](const auto &level) { return level.second.empty(); });
    std::string text;
    for (const auto &[factor, of_axes] : factors)
        if (factor > 1 && is_plain)
            text += (text.empty() ? "" : ",") + std::to_string(factor);
        else if (factor > 1 || !of_axes.empty())
            text += (text.empty() ? "" : ";") + (of_axes.empty() ? CPLSPrintf("y:%d,x:%d", factor, factor) : of_axes);
    if (text.empty())
        options.SetNameValue("OVERVIEWS", "NONE");
    else {
        options.SetNameValue("SCALE_FACTORS", text.c_str());
        if (resampling != nullptr && !EQUAL(resampling, "NONE"))
            options.SetNameValue("OVERVIEW_RESAMPLING", resampling);
    }
    ImageFromSource image;
    const Plan plan = plan_of_now(before_position(options), &image);
    if (!plan)
        return CE_Failure;
    raise_new_warnings(plan.get(), image);
    {
        const std::lock_guard<std::mutex> guard(m_lock);
        m_options = options;
    }
    return CE_None;
}

/* -- The end --------------------------------------------------------------------------------------------------- */

/* GDAL does not tell a dataset that its program gives it up, as gdalwarp does after an error. Where no pixel came and an
 * error did, nothing is lost by taking it so; a store of zeros would look like a result. With pixels an error may mean
 * nothing: PROJ's come in many good runs. */
bool WritingDataset::is_given_up()
{
    bool is_touched = m_stored || m_is_written;
    for (int i = 1; i <= nBands; i++)
        is_touched = is_touched || static_cast<WritingBand *>(GetRasterBand(i))->m_is_filled;
    return !is_touched && CPLGetLastErrorType() == CE_Failure && (!m_had_error || CPLGetErrorCounter() != m_n_errors);
}

CPLErr WritingDataset::finish()
{
    if (m_is_finished || !m_writer)
        return CE_None;
    m_is_finished = true;
    if (bSuppressOnClose) { /* somebody gave it up: nothing is published */
        m_writer.reset();
        return CE_None;
    }
    const CPLErr result = flush(true);
    if (is_given_up()) {
        const std::string problem = CPLGetLastErrorMsg();
        m_writer.reset();
        CPLError(CE_Failure, CPLE_AppDefined,
                 "%s is not made: no pixel was written to it, and its program had an error (%s)", GetDescription(),
                 problem.c_str());
        return CE_Failure;
    }
    return store() == CE_None ? result : CE_Failure;
}

/* What waits in GDAL's block cache goes to the writer. */
CPLErr WritingDataset::flush(bool is_closing)
{
    CPLErr result = CE_None;
#if OMEZARR_GDAL_AT_LEAST(3, 7)
    result = GDALDataset::FlushCache(is_closing);
#else
    GDALDataset::FlushCache(is_closing);
#endif
    if (m_mask)
        m_mask->FlushCache(is_closing);
    return result;
}

/* All that was written and said becomes the store; the writer ends with it. */
CPLErr WritingDataset::store()
{
    ImageFromSource image;
    const bool is_as_stored = m_stored && !is_changed();
    const Plan plan = is_as_stored ? std::move(m_stored_plan) : plan_of_now(m_options, &image);
    if (plan && !is_as_stored)
        raise_new_warnings(plan.get(), image);
    if (plan && m_stored && !is_as_stored && !keep_ome_xml(plan.get(), m_root))
        return CE_Failure;
    if (close_writer(plan.get()) != CE_None)
        return CE_Failure;
    omezarr_note_published(m_root);
    if (!m_stored)
        remove_side_file(m_root);
    else if (!is_as_stored)
        fold_side_file(m_stored->side_file(), m_is_written || m_has_other_nodata);
    return CE_None;
}

/* plan: what is described now, or NULL. */
CPLErr WritingDataset::close_writer(ngff_plan *plan)
{
    const std::lock_guard<std::mutex> guard(m_lock);
    const Writer writer(std::move(m_writer));
    if (plan != nullptr && ngff_writer_replan(writer.get(), plan) == NGFF_OK &&
        ngff_writer_close(writer.get()) == NGFF_OK) {
        raise_warning(writer.get());
        return CE_None;
    }
    if (ngff_writer_status(writer.get()) != NGFF_OK)
        raise(ngff_writer_status(writer.get()), ngff_writer_error(writer.get()));
    return CE_Failure;
}

#ifdef OMEZARR_CLOSE
CPLErr WritingDataset::OMEZARR_CLOSE_DEFINITION
{
    CPLErr result = CE_None;
    if (nOpenFlags != OPEN_FLAGS_CLOSED) {
        result = guarded(GetDescription(), CE_Failure, [this] { return finish(); });
        if (GDALDataset::Close() != CE_None)
            result = CE_Failure;
    }
    return result;
}
#endif

WritingDataset::~WritingDataset()
{
    guarded(GetDescription(), CE_Failure, [this] { return finish(); });
    clear_gcps();
}

GDALDataset *omezarr_create(const char *name, int width, int height, int n_bands, GDALDataType type,
                            StringListIn options)
{
    if (n_bands < 1) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: an OME-Zarr needs at least one band", name);
        return nullptr;
    }
    const StoreName meant(name);
    if (STARTS_WITH(meant.part.c_str(), "labels/")) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "%s: a label image beside an image is only made by a copy, since all of its pixels must be there "
                 "before it is listed. Write another file first, such as a GeoTIFF, then: gdal_translate -of OMEZARR "
                 "FILE '%s'",
                 name, name);
        return nullptr;
    }
    if (!is_whole_store(name))
        return nullptr;
    const GDALDataType stored = nearest_ngff_type(type);
    if (ngff_from_gdal(stored, false) == 0) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: pixels of type %s cannot be written to an OME-Zarr", name,
                 GDALGetDataTypeName(type));
        return nullptr;
    }
    std::string loss;
    if (stored != type)
        loss =
            CPLSPrintf("Zarr has no type %s; the bands are %s", GDALGetDataTypeName(type), GDALGetDataTypeName(stored));
    if (!loss.empty())
        CPLError(CE_Warning, CPLE_AppDefined, "%s", loss.c_str());
    auto dataset = std::make_unique<WritingDataset>(omezarr_root(name), width, height, n_bands, stored);
    dataset->SetDescription(name);
    if (!dataset->open(own_options(options), loss))
        return nullptr;
    return dataset.release();
}
