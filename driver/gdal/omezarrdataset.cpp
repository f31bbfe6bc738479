/* omezarrdataset.cpp: see omezarrdataset.h. Nothing is decoded at opening; how pixels are read is in rasterio.cpp. */
#include "omezarrdataset.h"

#include <cstring>

#include "georef.h"
#include "omezarr.h"
#include "pixeltype.h"

/* -- Levels ---------------------------------------------------------------------------------------------------- */

static int64_t product(const int64_t *values, int n)
{
    int64_t result = 1;
    for (int i = 0; i < n; i++)
        result *= values[i];
    return result;
}

/* Extents of a level; false if GDAL cannot hold it. All numbers are below 2^31, so no product here overflows. */
static bool read_grid(const OpenStore &store, int level, LevelGrid *grid)
{
    ngff_reader_level_shape(store.reader, level, grid->shape);
    ngff_reader_level_chunk(store.reader, level, grid->chunk);
    const int y = store.rank - 2, x = store.rank - 1;
    const int64_t pixel_size =
        std::max(ngff_type_size(store.type), GDALGetDataTypeSizeBytes(gdal_from_ngff(store.type)));
    int64_t chunk_bytes = pixel_size;
    for (int i = 0; i < store.rank; i++) {
        if (grid->shape[i] < 1 || grid->shape[i] > INT_MAX || grid->chunk[i] < 1 || grid->chunk[i] > INT_MAX ||
            chunk_bytes > INT_MAX / grid->chunk[i])
            return false;
        chunk_bytes *= grid->chunk[i];
    }
    grid->planes_per_chunk = static_cast<int>(product(grid->chunk, y));
    return grid->shape[y] > 0 && grid->shape[x] > 0;
}

/* -- Mask ------------------------------------------------------------------------------------------------------ */

OmeZarrMaskBand::OmeZarrMaskBand(OmeZarrDataset *dataset) : m_dataset(dataset)
{
    const int y = dataset->m_store->rank - 2, x = dataset->m_store->rank - 1;
    poDS = dataset;
    nBand = 0;
    nRasterXSize = dataset->nRasterXSize;
    nRasterYSize = dataset->nRasterYSize;
    eDataType = GDT_Byte;
    nBlockXSize = static_cast<int>(dataset->m_grid.chunk[x]);
    nBlockYSize = static_cast<int>(dataset->m_grid.chunk[y]);
}

int OmeZarrMaskBand::GetOverviewCount()
{
    return m_dataset->overview_count();
}

GDALRasterBand *OmeZarrMaskBand::GetOverview(int index)
{
    return index >= 0 && index < GetOverviewCount() ? m_dataset->m_overviews[index]->m_mask.get() : nullptr;
}

/* -- Band ------------------------------------------------------------------------------------------------------ */

OmeZarrBand::OmeZarrBand(OmeZarrDataset *dataset, int number) : m_dataset(dataset)
{
    const OpenStore &store = *dataset->m_store;
    poDS = dataset;
    nBand = number;
    nRasterXSize = dataset->nRasterXSize;
    nRasterYSize = dataset->nRasterYSize;
    eDataType = gdal_from_ngff(store.type);
    nBlockXSize = static_cast<int>(dataset->m_grid.chunk[store.rank - 1]);
    nBlockYSize = static_cast<int>(dataset->m_grid.chunk[store.rank - 2]);
    int64_t rest = number - 1;
    for (int axis = store.rank - 3; axis >= 0; axis--) {
        m_plane[axis] = rest % dataset->m_grid.shape[axis];
        rest /= dataset->m_grid.shape[axis];
    }
#if !OMEZARR_GDAL_AT_LEAST(3, 7)
    if (store.type == NGFF_INT8)
        GDALMajorObject::SetMetadataItem("PIXELTYPE", "SIGNEDBYTE", "IMAGE_STRUCTURE");
#endif
}

const BandAttributes &OmeZarrBand::attributes() const
{
    return m_dataset->m_store->attributes.bands[nBand - 1];
}

/* Hands metadata to GDAL's own lists, past PAM, which would take it for a change to be saved. */
static void set_metadata(GDALMajorObject *object, const std::vector<MetadataDomain> &domains)
{
    for (const MetadataDomain &domain : domains) {
        CPLStringList items(domain.items);
        object->GDALMajorObject::SetMetadata(items.List(), domain.name.c_str());
    }
}

void OmeZarrBand::describe()
{
    GDALMajorObject::SetDescription(attributes().description.c_str());
    set_metadata(this, attributes().metadata);
    if (!attributes().nbits.empty())
        GDALMajorObject::SetMetadataItem("NBITS", attributes().nbits.c_str(), "IMAGE_STRUCTURE");
}

double OmeZarrBand::GetNoDataValue(int *has)
{
    if (attributes().nodata.empty())
        return GDALPamRasterBand::GetNoDataValue(has);
    if (has != nullptr)
        *has = TRUE;
    return CPLAtof(attributes().nodata.c_str());
}

int64_t OmeZarrBand::GetNoDataValueAsInt64(int *has)
{
    if (attributes().nodata.empty() || eDataType != GDT_Int64)
        return GDALPamRasterBand::GetNoDataValueAsInt64(has);
    if (has != nullptr)
        *has = TRUE;
    return strtoll(attributes().nodata.c_str(), nullptr, 10);
}

uint64_t OmeZarrBand::GetNoDataValueAsUInt64(int *has)
{
    if (attributes().nodata.empty() || eDataType != GDT_UInt64)
        return GDALPamRasterBand::GetNoDataValueAsUInt64(has);
    if (has != nullptr)
        *has = TRUE;
    return strtoull(attributes().nodata.c_str(), nullptr, 10);
}

double OmeZarrBand::GetScale(int *has)
{
    if (!attributes().has_scale)
        return GDALPamRasterBand::GetScale(has);
    if (has != nullptr)
        *has = TRUE;
    return attributes().scale;
}

double OmeZarrBand::GetOffset(int *has)
{
    if (!attributes().has_offset)
        return GDALPamRasterBand::GetOffset(has);
    if (has != nullptr)
        *has = TRUE;
    return attributes().offset;
}

const char *OmeZarrBand::GetUnitType()
{
    return attributes().unit.empty() ? GDALPamRasterBand::GetUnitType() : attributes().unit.c_str();
}

GDALColorInterp OmeZarrBand::GetColorInterpretation()
{
    if (attributes().color != GCI_Undefined)
        return attributes().color;
    return attributes().color_table ? GCI_PaletteIndex : GDALPamRasterBand::GetColorInterpretation();
}

GDALColorTable *OmeZarrBand::GetColorTable()
{
    return attributes().color_table ? attributes().color_table.get() : GDALPamRasterBand::GetColorTable();
}

char **OmeZarrBand::GetCategoryNames()
{
    if (attributes().categories.size() == 0)
        return GDALPamRasterBand::GetCategoryNames();
    return const_cast<CPLStringList &>(attributes().categories).List();
}

GDALRasterAttributeTable *OmeZarrBand::GetDefaultRAT()
{
    return attributes().rat ? attributes().rat.get() : GDALPamRasterBand::GetDefaultRAT();
}

int OmeZarrBand::GetOverviewCount()
{
    return !m_dataset->m_overviews.empty() ? m_dataset->overview_count() : GDALPamRasterBand::GetOverviewCount();
}

GDALRasterBand *OmeZarrBand::GetOverview(int index)
{
    if (m_dataset->m_overviews.empty())
        return GDALPamRasterBand::GetOverview(index);
    return index >= 0 && index < m_dataset->overview_count() ? m_dataset->m_overviews[index]->GetRasterBand(nBand)
                                                             : nullptr;
}

GDALRasterBand *OmeZarrBand::GetMaskBand()
{
    return m_dataset->m_mask ? m_dataset->m_mask.get() : GDALPamRasterBand::GetMaskBand();
}

int OmeZarrBand::GetMaskFlags()
{
    return m_dataset->m_mask ? GMF_PER_DATASET : GDALPamRasterBand::GetMaskFlags();
}

/* -- Dataset --------------------------------------------------------------------------------------------------- */

OmeZarrDataset::OmeZarrDataset(std::shared_ptr<OpenStore> store, int level, const LevelGrid &grid)
    : m_store(std::move(store)), m_level(level), m_grid(grid)
{
    nRasterYSize = static_cast<int>(grid.shape[m_store->rank - 2]);
    nRasterXSize = static_cast<int>(grid.shape[m_store->rank - 1]);
    eAccess = GA_ReadOnly;
    for (int band = 1; band <= m_store->n_bands; band++)
        SetBand(band, new OmeZarrBand(this, band));
    if (ngff_reader_has_mask(m_store->reader) == 1)
        m_mask = std::make_unique<OmeZarrMaskBand>(this);
    /* PAM is for what a user adds to level 0 afterwards; levels have no side file. */
    if (level > 0)
        nPamFlags |= GPF_DISABLED | GPF_NOSAVE;
}

OmeZarrDataset::~OmeZarrDataset() = default;

/* Levels that have all the bands; others (scaled along z, say) are not overviews in GDAL's sense. */
void OmeZarrDataset::add_overviews()
{
    const int n_levels = ngff_reader_level_count(m_store->reader);
    for (int level = 1; level < n_levels; level++) {
        LevelGrid grid;
        if (read_grid(*m_store, level, &grid) &&
            memcmp(grid.shape, m_grid.shape, (m_store->rank - 2) * sizeof *grid.shape) == 0)
            m_overviews.push_back(std::make_unique<OmeZarrDataset>(m_store, level, grid));
    }
}

/* None where the caller wants none: OVERVIEW_LEVEL=NONE, gdal_translate -ovr NONE. */
int OmeZarrDataset::overview_count() const
{
    return AreOverviewsEnabled() ? static_cast<int>(m_overviews.size()) : 0;
}

void OmeZarrDataset::describe()
{
    set_metadata(this, m_store->attributes.metadata);
    /* "TILE" has been GDAL's word for all bands of a tile together since 3.11; for some of the bands it has none. */
    const char *interleave = m_grid.planes_per_chunk == 1 ? "BAND" : nullptr;
#if OMEZARR_GDAL_AT_LEAST(3, 11)
    if (m_grid.planes_per_chunk >= nBands)
        interleave = "TILE";
#endif
    if (nBands > 1 && interleave != nullptr)
        GDALMajorObject::SetMetadataItem("INTERLEAVE", interleave, "IMAGE_STRUCTURE");
    for (int band = 1; band <= nBands; band++)
        static_cast<OmeZarrBand *>(GetRasterBand(band))->describe();
}

/* Fills in what all levels share; false, with an error, where GDAL cannot show the image. */
static bool read_store(OpenStore *store, LevelGrid *grid)
{
    store->dims = ngff_reader_dims(store->reader);
    store->rank = static_cast<int>(store->dims.size());
    store->type = ngff_reader_data_type(store->reader);
    if (gdal_from_ngff(store->type) == GDT_Unknown || store->rank < 2 || store->rank > 5) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: GDAL has no raster of this type and axes", store->root.c_str());
        return false;
    }
    if (!read_grid(*store, 0, grid)) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: image or chunks are too large for GDAL", store->root.c_str());
        return false;
    }
    int64_t n_bands = 1;
    for (int axis = 0; axis < store->rank - 2; axis++)
        if ((n_bands *= grid->shape[axis]) > INT_MAX) {
            CPLError(CE_Failure, CPLE_NotSupported, "%s: too many planes for GDAL", store->root.c_str());
            return false;
        }
    store->n_bands = static_cast<int>(n_bands);
    return GDALCheckBandCount(store->n_bands, FALSE) != 0;
}

std::unique_ptr<OmeZarrDataset> OmeZarrDataset::open(const std::string &root, const char *description)
{
    auto store = std::make_shared<OpenStore>();
    store->root = root;
    store->reader = ngff_reader_open(root.c_str());
    if (store->reader == nullptr || ngff_reader_status(store->reader) != NGFF_OK) {
        if (store->reader == nullptr || ngff_reader_status(store->reader) != NGFF_E_NOT_FOUND ||
            STARTS_WITH_CI(description, connection_prefix))
            CPLError(CE_Failure, CPLE_OpenFailed, "%s: %s", root.c_str(),
                     store->reader != nullptr ? ngff_reader_error(store->reader) : "out of memory");
        return nullptr;
    }
    LevelGrid grid;
    if (!read_store(store.get(), &grid))
        return nullptr;
    ngff_reader_set_cache(store->reader, reading_cache(*store, grid));
    attributes_from_reader(store->reader, store->n_bands, product(grid.shape + store->rank - 2, 2), &store->attributes);
    return make(store, grid, description);
}

std::unique_ptr<OmeZarrDataset> OmeZarrDataset::make(std::shared_ptr<OpenStore> store, const LevelGrid &grid,
                                                     const char *description)
{
    const std::string root = store->root;
    auto dataset = std::make_unique<OmeZarrDataset>(std::move(store), 0, grid);
    dataset->describe();
    dataset->add_overviews();
    dataset->SetDescription(description);
    dataset->SetPhysicalFilename(root.c_str());
    dataset->TryLoadXML();
    return dataset;
}

#if OMEZARR_GDAL_AT_LEAST(3, 10)
/* GDAL's thread-safe dataset (RFC 101) gives each thread one of its own. They share the store: its metadata are read
 * once, and a chunk that one thread has decoded is there for the others. */
std::unique_ptr<GDALDataset> OmeZarrDataset::Clone(int scope, bool can_share_state) const
{
    if (m_level > 0 || !can_share_state)
        return GDALPamDataset::Clone(scope, can_share_state);
    auto clone = make(m_store, m_grid, GetDescription());
    clone->nOpenFlags = nOpenFlags;
    clone->papszOpenOptions = CSLDuplicate(papszOpenOptions);
    return clone;
}
#endif

CPLErr OmeZarrDataset::OMEZARR_GET_GEOTRANSFORM_DEFINITION
{
    double *six = OMEZARR_GEOTRANSFORM_DATA;
    if (m_level == 0 && m_store->attributes.has_geotransform) {
        memcpy(six, m_store->attributes.geotransform, 6 * sizeof *six);
        return CE_None;
    }
    if (GDALPamDataset::GetGeoTransform(geotransform) == CE_None)
        return CE_None;
    double scale[5], translation[5];
    const int y = m_store->rank - 2;
    if (m_level == 0 && ngff_reader_level_scale(m_store->reader, 0, scale) == NGFF_OK &&
        ngff_reader_level_translation(m_store->reader, 0, translation) == NGFF_OK &&
        georef_from_axes(scale + y, translation + y, six))
        return CE_None;
    return CE_Failure;
}

const OGRSpatialReference *OmeZarrDataset::GetSpatialRef() const
{
    return m_store->attributes.crs != nullptr && m_level == 0 ? m_store->attributes.crs
                                                              : GDALPamDataset::GetSpatialRef();
}

int OmeZarrDataset::GetGCPCount()
{
    const int n = static_cast<int>(m_store->attributes.gcps.size());
    return n > 0 ? n : GDALPamDataset::GetGCPCount();
}

const OGRSpatialReference *OmeZarrDataset::GetGCPSpatialRef() const
{
    return m_store->attributes.gcps.empty() ? GDALPamDataset::GetGCPSpatialRef() : m_store->attributes.gcp_crs;
}

const GDAL_GCP *OmeZarrDataset::GetGCPs()
{
    return m_store->attributes.gcps.empty() ? GDALPamDataset::GetGCPs() : m_store->attributes.gcps.data();
}

/* The root's documents only: GDAL deletes, renames and copies what a dataset lists, and a store has up to millions of
 * objects. */
char **OmeZarrDataset::GetFileList()
{
    CPLStringList files;
    const char *const candidates[] = {"/zarr.json", "/.zgroup", "/.zattrs", "/.zmetadata", ".aux.xml"};
    for (const char *candidate : candidates) {
        const std::string path = m_store->root + candidate;
        VSIStatBufL status;
        if (VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG) == 0)
            files.AddString(path.c_str());
    }
    return files.StealList();
}

/* -- Opening --------------------------------------------------------------------------------------------------- */

GDALDataset *omezarr_open_store(const std::string &root, const char *description)
{
    auto dataset = OmeZarrDataset::open(root, description);
    int n_threads;
    if (dataset && reading_threads(nullptr, &n_threads))
        dataset->set_threads(n_threads);
    return dataset.release();
}

GDALDataset *omezarr_open(GDALOpenInfo *info)
{
    if (!omezarr_identify(info))
        return nullptr;
    if (info->eAccess == GA_Update) {
        CPLError(CE_Failure, CPLE_NotSupported, "The OMEZARR driver does not open images for update");
        return nullptr;
    }
    int n_threads;
    if (!reading_threads(CSLFetchNameValue(info->papszOpenOptions, "NUM_THREADS"), &n_threads))
        return nullptr;
    auto dataset = OmeZarrDataset::open(omezarr_root(info->pszFilename), info->pszFilename);
    if (dataset)
        dataset->set_threads(n_threads);
    return dataset.release();
}
