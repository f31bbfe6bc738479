/* create.cpp: Create(): a raster that is written block by block, in any order, again and again, and read back. What is
 * said about it (position, nodata, names, colours ...) is kept here until the end; then the dataset is its own source:
 * the same code as for CreateCopy turns it into an image and a plan, and the writer makes all levels from the pixels it
 * has kept. Nothing opens at the destination before. */
#include "omezarr.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "gdal_rat.h"

#include "pixeltype.h"
#include "writing.h"

namespace
{

class WritingBand;
class WritingMaskBand;

class WritingDataset final : public GDALDataset
{
    friend class WritingBand;
    friend class WritingMaskBand;

    std::string m_root{};
    CPLStringList m_options{};
    ImageFromSource m_axes{}; /* which band is which plane; its image is that of the beginning */
    std::mutex m_lock{};      /* GDAL's block cache may write our blocks on any thread */
    Writer m_writer{};
    std::unique_ptr<WritingMaskBand> m_mask{};
    bool m_is_written = false, m_is_finished = false;
    bool m_has_new_nodata = false; /* the writer does not know it yet */

    bool m_has_geotransform = false;
    double m_geotransform[6] = {0, 1, 0, 0, 0, 1};
    OGRSpatialReference m_crs{}, m_gcp_crs{};
    std::vector<GDAL_GCP> m_gcps{};

    Plan plan_of_now(const CPLStringList &options, ImageFromSource *image);
    CPLErr transfer(const WritingBand *band, bool is_write, int block_x, int block_y, void *pixels, bool is_mask);
    void tell_nodata();
    CPLErr finish();
    void clear_gcps();

  public:
    WritingDataset(const std::string &root, int width, int height, int n_bands, GDALDataType type);
    ~WritingDataset() override;
    bool open(const CPLStringList &options);

    CPLErr OMEZARR_GET_GEOTRANSFORM;
    CPLErr OMEZARR_SET_GEOTRANSFORM;
    const OGRSpatialReference *GetSpatialRef() const override;
    CPLErr SetSpatialRef(const OGRSpatialReference *crs) override;
    int GetGCPCount() override;
    const OGRSpatialReference *GetGCPSpatialRef() const override;
    const GDAL_GCP *GetGCPs() override;
    CPLErr SetGCPs(int n, const GDAL_GCP *gcps, const OGRSpatialReference *crs) override;
    CPLErr CreateMaskBand(int flags) override;
    CPLErr IBuildOverviews(const char *resampling, int n_levels, const int *levels, int n_bands, const int *bands,
                           GDALProgressFunc progress, void *progress_data, CSLConstList options) override;
    char **GetFileList() override
    {
        return nullptr; /* nothing is there yet that GDAL could delete or copy */
    }
#ifdef OMEZARR_CLOSE
    CPLErr OMEZARR_CLOSE;
#endif
};

class WritingBand final : public GDALRasterBand
{
    friend class WritingDataset;

    WritingDataset *m_dataset;
    enum { NO_NODATA, DOUBLE_NODATA, INT64_NODATA, UINT64_NODATA } m_nodata_kind = NO_NODATA;
    double m_nodata = 0;
    int64_t m_nodata_int64 = 0;
    uint64_t m_nodata_uint64 = 0;
    bool m_has_scale = false, m_has_offset = false;
    double m_scale = 1, m_offset = 0;
    std::string m_unit{};
    GDALColorInterp m_color = GCI_Undefined;
    std::unique_ptr<GDALColorTable> m_color_table{};
    CPLStringList m_categories{};
    std::unique_ptr<GDALRasterAttributeTable> m_rat{};

  public:
    WritingBand(WritingDataset *dataset, int number, GDALDataType type);
    void set_block(int width, int height)
    {
        nBlockXSize = width;
        nBlockYSize = height;
    }

    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override;
    CPLErr IWriteBlock(int block_x, int block_y, void *pixels) override;
    CPLErr Fill(double real, double imaginary) override;

    double GetNoDataValue(int *has) override;
    int64_t GetNoDataValueAsInt64(int *has) override;
    uint64_t GetNoDataValueAsUInt64(int *has) override;
    CPLErr SetNoDataValue(double value) override;
    CPLErr SetNoDataValueAsInt64(int64_t value) override;
    CPLErr SetNoDataValueAsUInt64(uint64_t value) override;
    CPLErr DeleteNoDataValue() override;
    double GetScale(int *has) override;
    CPLErr SetScale(double scale) override;
    double GetOffset(int *has) override;
    CPLErr SetOffset(double offset) override;
    const char *GetUnitType() override;
    CPLErr SetUnitType(const char *unit) override;
    GDALColorInterp GetColorInterpretation() override;
    CPLErr SetColorInterpretation(GDALColorInterp color) override;
    GDALColorTable *GetColorTable() override;
    CPLErr SetColorTable(GDALColorTable *table) override;
    char **GetCategoryNames() override;
    CPLErr SetCategoryNames(char **names) override;
    GDALRasterAttributeTable *GetDefaultRAT() override;
    CPLErr SetDefaultRAT(const GDALRasterAttributeTable *rat) override;
    GDALRasterBand *GetMaskBand() override;
    int GetMaskFlags() override;
    CPLErr CreateMaskBand(int flags) override;
};

class WritingMaskBand final : public GDALRasterBand
{
    WritingDataset *m_dataset;

  public:
    explicit WritingMaskBand(WritingDataset *dataset) : m_dataset(dataset)
    {
        poDS = dataset;
        nBand = 0;
        eAccess = GA_Update;
        nRasterXSize = dataset->GetRasterXSize();
        nRasterYSize = dataset->GetRasterYSize();
        eDataType = GDT_Byte;
        dataset->GetRasterBand(1)->GetBlockSize(&nBlockXSize, &nBlockYSize);
    }
    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override
    {
        return m_dataset->transfer(nullptr, false, block_x, block_y, pixels, true);
    }
    CPLErr IWriteBlock(int block_x, int block_y, void *pixels) override
    {
        return m_dataset->transfer(nullptr, true, block_x, block_y, pixels, true);
    }
    bool IsMaskBand() const override
    {
        return true;
    }
};

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

/* What reads so already need not be stored. */
CPLErr WritingBand::Fill(double real, double imaginary)
{
    int has = FALSE;
    const double unwritten = GetNoDataValue(&has);
    const double reads_as = has ? unwritten : 0;
    if (!m_dataset->m_is_written && imaginary == 0 && (real == reads_as || (std::isnan(real) && std::isnan(reads_as))))
        return CE_None;
    m_dataset->m_is_written = true;
    return GDALRasterBand::Fill(real, imaginary);
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

CPLErr WritingBand::SetNoDataValue(double value)
{
    if (eDataType == GDT_Int64 && value == std::floor(value) && std::fabs(value) < 9.2e18)
        return SetNoDataValueAsInt64(static_cast<int64_t>(value));
    if (eDataType == GDT_UInt64 && value == std::floor(value) && value >= 0 && value < 1.8e19)
        return SetNoDataValueAsUInt64(static_cast<uint64_t>(value));
    m_dataset->m_has_new_nodata = true;
    InvalidateMaskBand();
    m_nodata_kind = DOUBLE_NODATA;
    m_nodata = value;
    return CE_None;
}

CPLErr WritingBand::SetNoDataValueAsInt64(int64_t value)
{
    m_dataset->m_has_new_nodata = true;
    InvalidateMaskBand();
    m_nodata_kind = INT64_NODATA;
    m_nodata_int64 = value;
    return CE_None;
}

CPLErr WritingBand::SetNoDataValueAsUInt64(uint64_t value)
{
    m_dataset->m_has_new_nodata = true;
    InvalidateMaskBand();
    m_nodata_kind = UINT64_NODATA;
    m_nodata_uint64 = value;
    return CE_None;
}

CPLErr WritingBand::DeleteNoDataValue()
{
    m_dataset->m_has_new_nodata = true;
    InvalidateMaskBand();
    m_nodata_kind = NO_NODATA;
    return CE_None;
}

double WritingBand::GetScale(int *has)
{
    if (has != nullptr)
        *has = m_has_scale;
    return m_scale;
}

CPLErr WritingBand::SetScale(double scale)
{
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
    m_has_offset = true;
    m_offset = offset;
    return CE_None;
}

const char *WritingBand::GetUnitType()
{
    return m_unit.c_str();
}

CPLErr WritingBand::SetUnitType(const char *unit)
{
    m_unit = unit != nullptr ? unit : "";
    return CE_None;
}

/* Where nobody said anything, three or four bands of bytes are RGB or RGBA, as in GeoTIFF. */
GDALColorInterp WritingBand::GetColorInterpretation()
{
    if (m_color != GCI_Undefined || m_color_table)
        return m_color_table ? GCI_PaletteIndex : m_color;
    const int n_bands = m_dataset->GetRasterCount();
    if (eDataType == GDT_Byte && (n_bands == 3 || n_bands == 4))
        return static_cast<GDALColorInterp>(GCI_RedBand + nBand - 1);
    return nBand == 1 ? GCI_GrayIndex : GCI_Undefined;
}

/* One band that is told what it is ends the guessing for all. */
CPLErr WritingBand::SetColorInterpretation(GDALColorInterp color)
{
    for (int i = 1; i <= m_dataset->GetRasterCount(); i++) {
        auto *band = static_cast<WritingBand *>(m_dataset->GetRasterBand(i));
        band->m_color = band->GetColorInterpretation();
        band->InvalidateMaskBand(); /* an alpha band is the mask of the others */
    }
    m_color = color;
    return CE_None;
}

GDALColorTable *WritingBand::GetColorTable()
{
    return m_color_table.get();
}

CPLErr WritingBand::SetColorTable(GDALColorTable *table)
{
    m_color_table.reset(table != nullptr ? table->Clone() : nullptr);
    return CE_None;
}

char **WritingBand::GetCategoryNames()
{
    return m_categories.size() > 0 ? m_categories.List() : nullptr;
}

CPLErr WritingBand::SetCategoryNames(char **names)
{
    m_categories = CPLStringList(CSLDuplicate(names));
    return CE_None;
}

GDALRasterAttributeTable *WritingBand::GetDefaultRAT()
{
    return m_rat.get();
}

CPLErr WritingBand::SetDefaultRAT(const GDALRasterAttributeTable *rat)
{
    m_rat.reset(rat != nullptr ? rat->Clone() : nullptr);
    return CE_None;
}

GDALRasterBand *WritingBand::GetMaskBand()
{
    return m_dataset->m_mask ? m_dataset->m_mask.get() : GDALRasterBand::GetMaskBand();
}

int WritingBand::GetMaskFlags()
{
    return m_dataset->m_mask ? GMF_PER_DATASET : GDALRasterBand::GetMaskFlags();
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
    for (int band = 1; band <= n_bands; band++)
        SetBand(band, new WritingBand(this, band, type));
    m_crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    m_gcp_crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
}

Plan WritingDataset::plan_of_now(const CPLStringList &options, ImageFromSource *image)
{
    if (!image_from_source(this, options.List(), false, image))
        return nullptr;
    return make_plan(*image, options);
}

bool WritingDataset::open(const CPLStringList &options)
{
    m_options = options;
    const Plan plan = plan_of_now(m_options, &m_axes);
    if (!plan)
        return false;
    if (EQUAL(ngff_plan_option(plan.get(), "DRY_RUN"), "YES") ||
        EQUAL(ngff_plan_option(plan.get(), "VERIFY"), "SOURCE") ||
        EQUAL(ngff_plan_option(plan.get(), "OVERVIEWS"), "FORCE_USE_EXISTING")) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "DRY_RUN=YES, VERIFY=SOURCE and OVERVIEWS=FORCE_USE_EXISTING need a source: use them with "
                 "gdal_translate");
        return false;
    }
    raise_warnings(plan.get());
    m_writer = checked_writer(ngff_writer_open_push(plan.get(), m_root.c_str()));
    if (!m_writer)
        return false;
    int64_t chunk[5];
    ngff_plan_level_chunk(plan.get(), 0, chunk);
    const int y = m_axes.rank() - 2;
    for (int i = 1; i <= nBands; i++)
        static_cast<WritingBand *>(GetRasterBand(i))
            ->set_block(static_cast<int>(chunk[y + 1]), static_cast<int>(chunk[y]));
    return true;
}

/* Pixels that nobody wrote read as nodata, so the writer must know it before the next block. What cannot be planned is
 * told at the end. */
void WritingDataset::tell_nodata()
{
    if (!m_has_new_nodata)
        return;
    m_has_new_nodata = false;
    CPLErrorStateBackuper backup;
    CPLErrorHandlerPusher quiet(CPLQuietErrorHandler);
    ImageFromSource image;
    const Plan plan = plan_of_now(m_options, &image);
    const std::lock_guard<std::mutex> guard(m_lock);
    if (plan && m_writer)
        ngff_writer_replan(m_writer.get(), plan.get());
}

/* A block of a band, or of the mask, to or from the writer. */
CPLErr WritingDataset::transfer(const WritingBand *band, bool is_write, int block_x, int block_y, void *pixels,
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
    const std::lock_guard<std::mutex> guard(m_lock);
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
    memcpy(m_geotransform, OMEZARR_GEOTRANSFORM_DATA, sizeof m_geotransform);
    m_has_geotransform = true;
    clear_gcps();
    return CE_None;
}

const OGRSpatialReference *WritingDataset::GetSpatialRef() const
{
    return m_crs.IsEmpty() ? nullptr : &m_crs;
}

CPLErr WritingDataset::SetSpatialRef(const OGRSpatialReference *crs)
{
    m_crs.Clear();
    if (crs != nullptr)
        m_crs = *crs;
    return CE_None;
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
    clear_gcps();
    if (n > 0) {
        GDAL_GCP *copies = GDALDuplicateGCPs(n, gcps);
        m_gcps.assign(copies, copies + n); /* the texts go along */
        CPLFree(copies);
        m_has_geotransform = false;
    }
    if (crs != nullptr)
        m_gcp_crs = *crs;
    return CE_None;
}

CPLErr WritingDataset::CreateMaskBand(int flags)
{
    if (flags != GMF_PER_DATASET) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "An OME-Zarr has one mask for all bands: create it with flags GMF_PER_DATASET");
        return CE_Failure;
    }
    if (m_mask || !(m_axes.dims == "yx" || m_axes.dims == "cyx")) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 m_mask ? "The mask is there already" : "Only images with axes c, y, x can have a mask");
        return CE_Failure;
    }
    m_mask = std::make_unique<WritingMaskBand>(this);
    return CE_None;
}

/* -- Overviews ------------------------------------------------------------------------------------------------- */

/* Levels are made at close; here their factors and the method are noted, and refused if they make no plan. */
CPLErr WritingDataset::IBuildOverviews(const char *resampling, int n_levels, const int *levels, int, const int *,
                                       GDALProgressFunc progress, void *progress_data, CSLConstList)
{
    CPLStringList options(m_options);
    for (const char *name : {"OVERVIEWS", "OVERVIEW_COUNT", "SCALE_FACTORS", "OVERVIEW_RESAMPLING", "RESAMPLING"})
        options.SetNameValue(name, nullptr);
    std::vector<int> factors(levels, levels + n_levels);
    std::sort(factors.begin(), factors.end());
    factors.erase(std::unique(factors.begin(), factors.end()), factors.end());
    std::string text;
    for (const int factor : factors)
        if (factor > 1)
            text += (text.empty() ? "" : ",") + std::to_string(factor);
    if (text.empty())
        options.SetNameValue("OVERVIEWS", "NONE");
    else {
        options.SetNameValue("SCALE_FACTORS", text.c_str());
        if (resampling != nullptr && !EQUAL(resampling, "NONE"))
            options.SetNameValue("OVERVIEW_RESAMPLING", resampling);
    }
    ImageFromSource image;
    if (!plan_of_now(options, &image))
        return CE_Failure;
    m_options = options;
    if (progress != nullptr)
        progress(1, "", progress_data);
    return CE_None;
}

/* -- The end --------------------------------------------------------------------------------------------------- */

CPLErr WritingDataset::finish()
{
    if (m_is_finished || !m_writer)
        return CE_None;
    m_is_finished = true;
    CPLErr result = CE_None;
#if OMEZARR_GDAL_AT_LEAST(3, 7)
    result = GDALDataset::FlushCache(true);
#else
    GDALDataset::FlushCache(true);
#endif
    if (m_mask)
        m_mask->FlushCache(true);
    ImageFromSource image;
    const Plan plan = plan_of_now(m_options, &image);
    if (!plan || ngff_writer_replan(m_writer.get(), plan.get()) != NGFF_OK ||
        ngff_writer_close(m_writer.get()) != NGFF_OK) {
        if (ngff_writer_status(m_writer.get()) != NGFF_OK)
            raise(ngff_writer_status(m_writer.get()), ngff_writer_error(m_writer.get()));
        result = CE_Failure;
    } else
        remove_side_file(m_root);
    m_writer.reset();
    return result;
}

#ifdef OMEZARR_CLOSE
CPLErr WritingDataset::OMEZARR_CLOSE_DEFINITION
{
    CPLErr result = CE_None;
    if (nOpenFlags != OPEN_FLAGS_CLOSED) {
        result = finish();
        if (GDALDataset::Close() != CE_None)
            result = CE_Failure;
    }
    return result;
}
#endif

WritingDataset::~WritingDataset()
{
    finish();
    clear_gcps();
}

} // namespace

GDALDataset *omezarr_create(const char *name, int width, int height, int n_bands, GDALDataType type,
                            StringListIn options)
{
    if (n_bands < 1) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: an OME-Zarr needs at least one band", name);
        return nullptr;
    }
    const GDALDataType stored = nearest_ngff_type(type);
    if (ngff_from_gdal(stored, false) == 0) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: pixels of type %s cannot be written to an OME-Zarr", name,
                 GDALGetDataTypeName(type));
        return nullptr;
    }
    if (stored != type)
        CPLError(CE_Warning, CPLE_AppDefined, "Zarr has no type %s; the bands are %s", GDALGetDataTypeName(type),
                 GDALGetDataTypeName(stored));
    auto dataset = std::make_unique<WritingDataset>(omezarr_root(name), width, height, n_bands, stored);
    dataset->SetDescription(name);
    if (!dataset->open(own_options(options)))
        return nullptr;
    return dataset.release();
}
