/* create.cpp: Create(): a raster that is written block by block, in any order, again and again, and read back. What is
 * said about it (position, nodata, names, colours ...) is kept here until the end; then the dataset is its own source:
 * the same code as for CreateCopy turns it into an image and a plan, and the writer makes all levels from the pixels it
 * has kept. Nothing opens at the destination before. */
#include "omezarr.h"

#include <algorithm>
#include <cmath>

#include "attributes.h"
#include "guard.h"
#include "pixeltype.h"
#include "sidefile.h"
#include "writingdataset.h"

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

template <typename Change> CPLErr WritingBand::change_nodata(Change change)
{
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
    return change_nodata([this, value] {
        m_nodata_kind = DOUBLE_NODATA;
        m_nodata = value;
    });
}

CPLErr WritingBand::SetNoDataValueAsInt64(int64_t value)
{
    return change_nodata([this, value] {
        m_nodata_kind = INT64_NODATA;
        m_nodata_int64 = value;
    });
}

CPLErr WritingBand::SetNoDataValueAsUInt64(uint64_t value)
{
    return change_nodata([this, value] {
        m_nodata_kind = UINT64_NODATA;
        m_nodata_uint64 = value;
    });
}

CPLErr WritingBand::DeleteNoDataValue()
{
    return change_nodata([this] { m_nodata_kind = NO_NODATA; });
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

/* Where nobody said anything, three or four bands of bytes are RGB or RGBA, as in GeoTIFF. */
GDALColorInterp WritingBand::GetColorInterpretation()
{
    if (m_is_color_said || m_color_table)
        return m_color_table ? GCI_PaletteIndex : m_color;
    const int n_bands = m_dataset->GetRasterCount();
    if (eDataType == GDT_Byte && (n_bands == 3 || n_bands == 4))
        return static_cast<GDALColorInterp>(GCI_RedBand + nBand - 1);
    return nBand == 1 ? GCI_GrayIndex : GCI_Undefined;
}

/* One band that is told what it is ends the guessing for all: as guessed if it fits, else nothing was known. */
CPLErr WritingBand::SetColorInterpretation(GDALColorInterp color)
{
    m_dataset->m_is_described = true;
    const bool is_as_guessed = color == GetColorInterpretation();
    for (int i = 1; i <= m_dataset->GetRasterCount(); i++) {
        auto *band = static_cast<WritingBand *>(m_dataset->GetRasterBand(i));
        if (!band->m_is_color_said)
            band->m_color = is_as_guessed ? band->GetColorInterpretation() : i == 1 ? GCI_GrayIndex : GCI_Undefined;
        band->m_is_color_said = true;
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
    for (int band = 1; band <= n_bands; band++)
        SetBand(band, new WritingBand(this, band, type));
    m_crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    m_gcp_crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
}

Plan WritingDataset::plan_of_now(const CPLStringList &options, ImageFromSource *image)
{
    image->keeps_mask = m_stored && m_mask;
    if (!image_from_source(this, options.List(), false, image))
        return nullptr;
    if (!m_loss.empty())
        image->losses.push_back(m_loss);
    return make_plan(*image, options);
}

bool WritingDataset::open(const CPLStringList &options, const std::string &loss)
{
    m_loss = loss;
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
 * told at the end. The thread may be anybody's: nothing else of the description is looked at. */
void WritingDataset::tell_nodata()
{
    if (!m_has_new_nodata)
        return;
    m_has_new_nodata = false;
    const QuietErrors quiet;
    ImageFromSource image;
    const Plan plan = image_with_nodata(this, m_axes, &image) ? make_plan(image, m_options) : nullptr;
    if (plan && m_writer)
        ngff_writer_replan(m_writer.get(), plan.get());
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
    if (m_mask || !(m_axes.dims == "yx" || m_axes.dims == "cyx")) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 m_mask ? "The mask is there already" : "Only images with axes c, y, x can have a mask");
        return CE_Failure;
    }
    return guarded(GetDescription(), CE_Failure, [this] {
        m_mask = std::make_unique<WritingMaskBand>(this);
        return CE_None;
    });
}

/* -- Overviews ------------------------------------------------------------------------------------------------- */

/* Levels are made at close; here their factors and the method are noted, and refused if they make no plan. */
CPLErr WritingDataset::IBuildOverviews(const char *resampling, int n_levels, const int *levels, int n_bands,
                                       const int *, GDALProgressFunc progress, void *progress_data, CSLConstList)
{
    return guarded(GetDescription(), CE_Failure, [=] {
        const CPLErr status = note_overviews(resampling, n_levels, levels, n_bands);
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
    std::vector<int> factors(levels, levels + n_levels);
    if (n_levels > 0) /* levels that are there and not named stay */
        for (const int factor : stored_factors())
            factors.push_back(factor);
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
    {
        const std::lock_guard<std::mutex> guard(m_lock);
        m_options = options;
    }
    return CE_None;
}

/* -- The end --------------------------------------------------------------------------------------------------- */

CPLErr WritingDataset::finish()
{
    if (m_is_finished || !m_writer)
        return CE_None;
    m_is_finished = true;
    if (bSuppressOnClose) { /* somebody gave it up: nothing is published */
        m_writer.reset();
        return CE_None;
    }
    CPLErr result = CE_None;
#if OMEZARR_GDAL_AT_LEAST(3, 7)
    result = GDALDataset::FlushCache(true);
#else
    GDALDataset::FlushCache(true);
#endif
    if (m_mask)
        m_mask->FlushCache(true);
    ImageFromSource image;
    const bool is_as_stored = m_stored && !is_changed();
    const Plan plan = is_as_stored ? std::move(m_stored_plan) : plan_of_now(m_options, &image);
    if (close_writer(plan.get()) != CE_None)
        return CE_Failure;
    omezarr_note_published(m_root);
    if (!m_stored)
        remove_side_file(m_root);
    else if (!is_as_stored)
        fold_side_file(m_stored->side_file(), m_is_written || m_has_other_nodata);
    return result;
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
