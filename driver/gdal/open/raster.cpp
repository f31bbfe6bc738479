/* raster.cpp: see raster.h. Nothing is decoded at opening; how pixels are read is in rasterio.cpp. */
#include "open/raster.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "verify/contradictions.h"
#include "describe/foreign.h"
#include "describe/georef.h"
#include "plugin/guard.h"
#include "describe/json_text.h"
#include "open/multidim.h"
#include "plugin/omezarr.h"
#include "describe/pixel_type.h"
#include "open/sidefile.h"
#include "source/stack/filelist.h"
#include "source/stack/stackdataset.h"
#include "source/stack/tiff.h"
#include "plugin/threads.h"

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
    store.planes.plane(number - 1, m_plane);
    for (int axis = 0; axis < store.rank - 2; axis++) {
        const LevelGrid &grid = dataset->m_grid;
        const double at = (static_cast<double>(m_plane[axis]) + 0.5 - grid.offset[axis]) / grid.factor[axis];
        m_plane[axis] = std::clamp<int64_t>(static_cast<int64_t>(std::floor(at)), 0, grid.shape[axis] - 1);
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

/* -- Band: description ------------------------------------------------------------------------------------------- */

/* A store that is open for reading is described by itself and by what its user said afterwards, which GDAL keeps in the
 * side file and which counts more. Overviews are described as the dataset. */

OmeZarrBand *OmeZarrBand::base() const
{
    return m_dataset->m_base != nullptr ? static_cast<OmeZarrBand *>(m_dataset->m_base->GetRasterBand(nBand)) : nullptr;
}

double OmeZarrBand::GetNoDataValue(int *has)
{
    int is_in_side_file = FALSE;
    if (OmeZarrBand *band = base())
        return band->GetNoDataValue(has);
    double value = GDALPamRasterBand::GetNoDataValue(&is_in_side_file);
    if (eDataType == GDT_Int64 && !is_in_side_file)
        value = static_cast<double>(GDALPamRasterBand::GetNoDataValueAsInt64(&is_in_side_file));
    if (eDataType == GDT_UInt64 && !is_in_side_file)
        value = static_cast<double>(GDALPamRasterBand::GetNoDataValueAsUInt64(&is_in_side_file));
    const bool is_stored = !is_in_side_file && !attributes().nodata.empty();
    if (has != nullptr)
        *has = is_in_side_file || is_stored;
    return is_stored         ? CPLAtof(attributes().nodata.c_str())
           : is_in_side_file ? value
                             : GDALPamRasterBand::GetNoDataValue(nullptr);
}

int64_t OmeZarrBand::GetNoDataValueAsInt64(int *has)
{
    int is_in_side_file = FALSE;
    if (OmeZarrBand *band = base())
        return band->GetNoDataValueAsInt64(has);
    const int64_t value = GDALPamRasterBand::GetNoDataValueAsInt64(&is_in_side_file);
    const bool is_stored = !is_in_side_file && eDataType == GDT_Int64 && !attributes().nodata.empty();
    if (has != nullptr)
        *has = is_in_side_file || is_stored;
    return is_stored ? strtoll(attributes().nodata.c_str(), nullptr, 10) : value;
}

uint64_t OmeZarrBand::GetNoDataValueAsUInt64(int *has)
{
    int is_in_side_file = FALSE;
    if (OmeZarrBand *band = base())
        return band->GetNoDataValueAsUInt64(has);
    const uint64_t value = GDALPamRasterBand::GetNoDataValueAsUInt64(&is_in_side_file);
    const bool is_stored = !is_in_side_file && eDataType == GDT_UInt64 && !attributes().nodata.empty();
    if (has != nullptr)
        *has = is_in_side_file || is_stored;
    return is_stored ? strtoull(attributes().nodata.c_str(), nullptr, 10) : value;
}

double OmeZarrBand::GetScale(int *has)
{
    int is_in_side_file = FALSE;
    if (OmeZarrBand *band = base())
        return band->GetScale(has);
    const double value = GDALPamRasterBand::GetScale(&is_in_side_file);
    if (has != nullptr)
        *has = is_in_side_file || attributes().has_scale;
    return is_in_side_file || !attributes().has_scale ? value : attributes().scale;
}

double OmeZarrBand::GetOffset(int *has)
{
    int is_in_side_file = FALSE;
    if (OmeZarrBand *band = base())
        return band->GetOffset(has);
    const double value = GDALPamRasterBand::GetOffset(&is_in_side_file);
    if (has != nullptr)
        *has = is_in_side_file || attributes().has_offset;
    return is_in_side_file || !attributes().has_offset ? value : attributes().offset;
}

const char *OmeZarrBand::GetUnitType()
{
    if (OmeZarrBand *band = base())
        return band->GetUnitType();
    const char *unit = GDALPamRasterBand::GetUnitType();
    return unit != nullptr && *unit != '\0' ? unit : attributes().unit.c_str();
}

GDALColorInterp OmeZarrBand::GetColorInterpretation()
{
    if (OmeZarrBand *band = base())
        return band->GetColorInterpretation();
    const GDALColorInterp color = GDALPamRasterBand::GetColorInterpretation();
    if (color != GCI_Undefined || attributes().color == GCI_Undefined)
        return color == GCI_Undefined && attributes().color_table ? GCI_PaletteIndex : color;
    return attributes().color;
}

GDALColorTable *OmeZarrBand::GetColorTable()
{
    if (OmeZarrBand *band = base())
        return band->GetColorTable();
    GDALColorTable *table = GDALPamRasterBand::GetColorTable();
    return table != nullptr ? table : attributes().color_table.get();
}

char **OmeZarrBand::GetCategoryNames()
{
    if (OmeZarrBand *band = base())
        return band->GetCategoryNames();
    char **names = GDALPamRasterBand::GetCategoryNames();
    if (names != nullptr || attributes().categories.size() == 0)
        return names;
    return const_cast<CPLStringList &>(attributes().categories).List();
}

/* A table of attributes looks for values in itself, and keeps what it found: each dataset has its own. */
GDALRasterAttributeTable *OmeZarrBand::GetDefaultRAT()
{
    if (OmeZarrBand *band = base())
        return band->GetDefaultRAT();
    if (GDALRasterAttributeTable *rat = GDALPamRasterBand::GetDefaultRAT())
        return rat;
    if (m_rat == nullptr && attributes().rat)
        return guarded<GDALRasterAttributeTable *>(m_dataset->name(), nullptr, [this] {
            m_rat = std::make_unique<GDALDefaultRasterAttributeTable>(*attributes().rat);
            return m_rat.get();
        });
    return m_rat.get();
}

/* The side file can hold another value, but not that there is none. */
CPLErr OmeZarrBand::refuse_removal(const char *what) const
{
    CPLError(CE_Failure, CPLE_NotSupported,
             "%s, band %d: the store has %s, and only a store open for update can lose it", m_dataset->name(), nBand,
             what);
    return CE_Failure;
}

/* GDAL keeps a mask made of the value that was. */
CPLErr OmeZarrBand::changed_nodata(CPLErr status)
{
    InvalidateMaskBand();
    for (const auto &overview : m_dataset->m_overviews)
        static_cast<OmeZarrBand *>(overview->GetRasterBand(nBand))->InvalidateMaskBand();
    return status;
}

CPLErr OmeZarrBand::SetNoDataValue(double value)
{
    return changed_nodata(GDALPamRasterBand::SetNoDataValue(value));
}

CPLErr OmeZarrBand::SetNoDataValueAsInt64(int64_t value)
{
    return changed_nodata(GDALPamRasterBand::SetNoDataValueAsInt64(value));
}

CPLErr OmeZarrBand::SetNoDataValueAsUInt64(uint64_t value)
{
    return changed_nodata(GDALPamRasterBand::SetNoDataValueAsUInt64(value));
}

CPLErr OmeZarrBand::DeleteNoDataValue()
{
    if (!attributes().nodata.empty())
        return refuse_removal("a nodata value");
    return changed_nodata(GDALPamRasterBand::DeleteNoDataValue());
}

CPLErr OmeZarrBand::SetUnitType(const char *unit)
{
    if ((unit == nullptr || *unit == '\0') && !attributes().unit.empty())
        return refuse_removal("a unit");
    return GDALPamRasterBand::SetUnitType(unit);
}

CPLErr OmeZarrBand::SetColorInterpretation(GDALColorInterp color)
{
    if (color == GCI_Undefined && attributes().color != GCI_Undefined)
        return refuse_removal("a colour interpretation");
    return changed_nodata(GDALPamRasterBand::SetColorInterpretation(color)); /* an alpha band is a mask */
}

CPLErr OmeZarrBand::SetColorTable(GDALColorTable *table)
{
    if (table == nullptr && attributes().color_table)
        return refuse_removal("a colour table");
    return GDALPamRasterBand::SetColorTable(table);
}

CPLErr OmeZarrBand::SetCategoryNames(char **names)
{
    if ((names == nullptr || *names == nullptr) && attributes().categories.size() > 0)
        return refuse_removal("category names");
    return GDALPamRasterBand::SetCategoryNames(names);
}

CPLErr OmeZarrBand::SetDefaultRAT(const GDALRasterAttributeTable *rat)
{
    if (rat == nullptr && attributes().rat)
        return refuse_removal("an attribute table");
    return GDALPamRasterBand::SetDefaultRAT(rat);
}

CPLErr OmeZarrBand::GetDefaultHistogram(double *min, double *max, int *n, GUIntBig **counts, int must_compute,
                                        GDALProgressFunc progress, void *progress_data)
{
    const bool is_stored = base() == nullptr && !attributes().histogram.counts.empty();
    {
        const QuietErrors quiet;
        if (is_stored &&
            GDALPamRasterBand::GetDefaultHistogram(min, max, n, counts, FALSE, nullptr, nullptr) == CE_None)
            return CE_None;
    }
    return is_stored
               ? attributes().histogram.give(min, max, n, counts)
               : GDALPamRasterBand::GetDefaultHistogram(min, max, n, counts, must_compute, progress, progress_data);
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
    /* PAM is for what a user adds to the dataset afterwards; overviews have no side file. */
    if (level != m_store->base_level)
        nPamFlags |= GPF_DISABLED | GPF_NOSAVE;
    else {
        const std::lock_guard<std::mutex> guard(m_store->lock);
        const DatasetAttributes &attributes = m_store->attributes;
        m_crs.reset(attributes.crs != nullptr ? attributes.crs->Clone() : nullptr);
        m_gcp_crs.reset(attributes.gcp_crs != nullptr ? attributes.gcp_crs->Clone() : nullptr);
    }
}

/* Saves the side file while the class is still whole. */
OmeZarrDataset::~OmeZarrDataset()
{
    if (m_base == nullptr && !bSuppressOnClose)
        guarded(name(), CE_Failure, [this] {
            OmeZarrDataset::FlushCache(true);
            return CE_None;
        });
}

static int64_t most_bands()
{
    return std::clamp(atoi(CPLGetConfigOption("GDAL_MAX_BAND_COUNT", "65536")), 1, 1 << 20);
}

/* Levels with all channels. Where z or t is smaller, several bands share a plane of the level: the one that lies where
 * theirs lie. Each level has a band object for each band of the image, so that a short document could ask for gigabytes
 * of them: no more are made than 16 levels of as many bands as GDAL shows need. */
void OmeZarrDataset::add_overviews()
{
    const int n_levels = ngff_reader_level_count(m_store->reader), base = m_store->base_level;
    const int64_t most_levels = std::max<int64_t>(16 * most_bands() / nBands, 1);
    for (int level = base + 1; level < n_levels; level++) {
        LevelGrid grid;
        if (!read_grid(*m_store, level, &grid) ||
            ngff_reader_level_place(m_store->reader, base, level, grid.factor, grid.offset) != 1)
            continue;
        if (static_cast<int64_t>(m_overviews.size()) == most_levels) {
            CPLError(CE_Warning, CPLE_AppDefined,
                     "%s: %d planes of %d levels are too many bands: the levels after level %d are no overviews here; "
                     "open fewer planes (T=, Z=, C=) to see them",
                     m_store->root.c_str(), nBands, n_levels, level - 1);
            break;
        }
        m_overviews.push_back(std::make_unique<OmeZarrDataset>(m_store, level, grid));
        m_overviews.back()->m_base = this;
    }
}

/* None where the caller wants none: OVERVIEW_LEVEL=NONE, gdal_translate -ovr NONE. */
int OmeZarrDataset::overview_count() const
{
    return AreOverviewsEnabled() ? static_cast<int>(m_overviews.size()) : 0;
}

/* "1,512,512" */
static std::string list_of(const int64_t *numbers, int n)
{
    std::string text;
    for (int i = 0; i < n; i++)
        text += (i > 0 ? "," : "") + std::to_string(numbers[i]);
    return text;
}

/* In the words of the creation options, so that they can be given to a copy. */
void OmeZarrDataset::describe_encoding()
{
    const auto say = [this](const char *name, const std::string &value) {
        if (!value.empty())
            GDALMajorObject::SetMetadataItem(name, value.c_str(), "IMAGE_STRUCTURE");
    };
    char codec[32];
    int64_t shard[5], chunk[5];
    ngff_reader *reader = m_store->reader;
    if (ngff_reader_level_codec(reader, m_level, codec, sizeof codec) != NGFF_OK ||
        ngff_reader_level_shard(reader, m_level, shard) != NGFF_OK ||
        ngff_reader_level_chunk(reader, m_level, chunk) != NGFF_OK)
        return;
    const CPLStringList words(CSLTokenizeString(codec)); /* "BLOSC zstd" */
    if (!EQUAL(words[0], "NONE"))
        say("COMPRESSION", words[0]);
    say("BLOSC_CNAME", words.size() > 1 ? words[1] : "");
    if (!std::equal(shard, shard + m_store->rank, chunk))
        say("SHARD", list_of(shard, m_store->rank));
    if (m_base == nullptr)
        say("NGFF_VERSION", ngff_reader_version(reader));
}

void OmeZarrDataset::describe()
{
    set_metadata(this, m_store->attributes.metadata);
    if (m_store->attributes.is_min_white)
        GDALMajorObject::SetMetadataItem("MINISWHITE", "YES", "IMAGE_STRUCTURE");
    /* "TILE" has been GDAL's word for all bands of a tile together since 3.11; for some of the bands it has none. */
    const char *interleave = m_grid.planes_per_chunk == 1 ? "BAND" : nullptr;
#if OMEZARR_GDAL_AT_LEAST(3, 11)
    if (m_grid.planes_per_chunk >= nBands)
        interleave = "TILE";
#endif
    if (nBands > 1 && interleave != nullptr)
        GDALMajorObject::SetMetadataItem("INTERLEAVE", interleave, "IMAGE_STRUCTURE");
    describe_encoding();
    for (int band = 1; band <= nBands; band++)
        static_cast<OmeZarrBand *>(GetRasterBand(band))->describe();
}

/* Levels of a store that is open for reading, or of another writer, are nobody's to add: who asks is told what helps. */
CPLErr OmeZarrDataset::IBuildOverviews(const char *, int, const int *, int, const int *, GDALProgressFunc, void *,
                                       CSLConstList)
{
    if (m_store->attributes.is_ours)
        CPLError(CE_Failure, CPLE_NotSupported,
                 "%s: the levels of an OME-Zarr are inside it, and it is open for reading: use gdaladdo without -ro",
                 name());
    else
        CPLError(
            CE_Failure, CPLE_NotSupported,
            "%s: levels are added only to what the OMEZARR driver has written; gdal_translate -of OMEZARR makes a copy "
            "that has them",
            name());
    return CE_Failure;
}

/* Fills in what all levels share; false, with an error, where GDAL cannot show the image. */
static bool read_store(const StoreName &name, OpenStore *store, LevelGrid *grid)
{
    store->dims = ngff_reader_dims(store->reader);
    store->rank = static_cast<int>(store->dims.size());
    store->type = ngff_reader_data_type(store->reader);
    store->base_level = ngff_reader_part_level(store->reader);
    if (gdal_from_ngff(store->type) == GDT_Unknown || store->rank < 2 || store->rank > 5) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: GDAL has no raster of this type and axes", store->root.c_str());
        return false;
    }
    if (!read_grid(*store, store->base_level, grid)) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: image or chunks are too large for GDAL", store->root.c_str());
        return false;
    }
    return select_planes(name, store->dims, grid->shape, &store->planes);
}

/* Only what core knows as options of a reader. */
static CPLStringList reader_options(CSLConstList options)
{
    CPLStringList list;
    for (const char *option : {"MAX_METADATA", "MAX_CHUNK", "MISSING_CHUNKS"})
        list.SetNameValue(option, CSLFetchNameValue(options, option));
    return list;
}

/* Why GDAL may have seen nothing on a server, for who sees only its answers; "" elsewhere. */
static std::string server_hint(const std::string &root)
{
    if (!omezarr_is_on_server(root) || !omezarr_is_archive_name(root))
        return "";
    for (const char *option : {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS", "CPL_VSIL_CURL_ALLOWED_FILENAME"})
        if (CPLGetConfigOption(option, nullptr) != nullptr)
            return std::string("; GDAL hides files by ") + option + ", which is set";
    return "";
}

/* What to type for a file, which is no store itself but can hold one; "" for a folder. */
static std::string file_hint(const std::string &root)
{
    VSIStatBufL status;
    if (omezarr_is_on_server(root) ||
        VSIStatExL(root.c_str(), &status, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) != 0 ||
        VSI_ISDIR(status.st_mode) || omezarr_is_archive_name(root))
        return "";
    for (const auto &[suffix, prefix] : {std::make_pair(".zip", "/vsizip/"), std::make_pair(".tar", "/vsitar/"),
                                         std::make_pair(".tar.gz", "/vsitar/"), std::make_pair(".tgz", "/vsitar/")})
        if (EQUAL(root.substr(root.size() - std::min(root.size(), strlen(suffix))).c_str(), suffix))
            return std::string("; it is an archive: open OMEZARR:\"") + prefix + root +
                   "\", with the store's folder behind it if it is in one; a zip that is the store can be named .ozx";
    return "; it is a file: an OME-Zarr is a folder, or one file named .ozx, and planes are read from TIFFs";
}

void tell_warnings(ngff_reader *reader)
{
    while (const char *warning = ngff_reader_warning(reader))
        CPLError(CE_Warning, CPLE_AppDefined, "%s", warning);
}

ngff_reader *open_reader(const StoreName &name, const char *description, CSLConstList options)
{
    const CPLStringList limits(reader_options(options));
    ngff_reader *reader = ngff_reader_open_part(name.root.c_str(), name.part.c_str(), limits.List());
    if (reader != nullptr && ngff_reader_status(reader) == NGFF_OK)
        return reader;
    if (reader == nullptr || ngff_reader_status(reader) != NGFF_E_NOT_FOUND ||
        STARTS_WITH_CI(description, connection_prefix) || omezarr_is_archive_name(description))
        CPLError(CE_Failure, CPLE_OpenFailed, "%s%s",
                 reader != nullptr ? ngff_reader_error(reader) : (name.root + ": out of memory").c_str(),
                 (server_hint(name.root) + file_hint(name.root)).c_str());
    ngff_reader_free(reader);
    return nullptr;
}

/* What lies in a group "labels" is a label image, also where its writer left out "image-label". */
static bool is_in_labels(const std::string &part)
{
    return STARTS_WITH(part.c_str(), "labels/") || part.find("/labels/") != std::string::npos;
}

std::unique_ptr<GDALDataset> OmeZarrDataset::open(const StoreName &name, const char *description, CSLConstList options)
{
    int n_threads;
    if (!reading_threads(CSLFetchNameValue(options, "NUM_THREADS"), &n_threads))
        return nullptr;
    auto store = std::make_shared<OpenStore>();
    store->root = name.root;
    store->reader = open_reader(name, description, options);
    if (store->reader == nullptr)
        return nullptr;
    tell_warnings(store->reader);
    if (ngff_reader_is_dirty(store->reader) == 1)
        CPLError(CE_Warning, CPLE_AppDefined,
                 "%s is being changed, or a change of it was interrupted: its overviews may not belong to its pixels. "
                 "Opening it for update and closing it again makes them anew",
                 name.root.c_str());
    Subdatasets parts;
    if (!name.has_planes())
        parts = subdatasets_of_parts(name, store->reader);
    /* After an error a reader says that there are no levels. */
    if (ngff_reader_status(store->reader) != NGFF_OK) {
        CPLError(CE_Failure, CPLE_OpenFailed, "%s", ngff_reader_error(store->reader));
        return nullptr;
    }
    if (ngff_reader_level_count(store->reader) == 0)
        return make_collection(name, description, parts);

    LevelGrid grid;
    if (!read_store(name, store.get(), &grid))
        return nullptr;
    if (store->planes.n_planes() > most_bands()) {
        Subdatasets portions = subdatasets_of_planes(name, store->dims, store->planes, most_bands());
        if (!parts.empty())
            portions.insert(portions.end(), parts.begin() + 1, parts.end());
        return make_collection(name, description, portions);
    }
    store->n_bands = static_cast<int>(store->planes.n_planes());
    if (!name.part.empty() || name.has_planes())
        store->subdataset = name.text();
    ngff_reader_set_cache(store->reader, reading_cache(*store, grid));
    attributes_from_reader(store->reader, store->planes, &store->attributes);
    if (!store->attributes.is_ours && is_in_labels(name.part))
        foreign_mark_classes(&store->attributes.bands);
    if (store->attributes.is_ours && store->attributes.has_geotransform && store->base_level == 0)
        warn_of_contradictions(store->reader, store->root.c_str());
    store->n_threads = n_threads;
    CPLDebug("OMEZARR", "%s: NGFF %s, %s, %d levels, %d bands; %d threads, up to %lld bytes of decoded chunks are kept",
             name.root.c_str(), ngff_reader_version(store->reader), store->dims.c_str(),
             ngff_reader_level_count(store->reader), store->n_bands, n_threads,
             static_cast<long long>(reading_cache(*store, grid)));
    auto dataset = make(store, grid, description);
    set_subdatasets(dataset.get(), parts);
    /* Georeference, nodata, statistics: what is there and cannot be read must not look like what is not there. */
    if (ngff_reader_status(store->reader) != NGFF_OK) {
        CPLError(CE_Failure, CPLE_OpenFailed, "%s", ngff_reader_error(store->reader));
        return nullptr;
    }
    return dataset;
}

std::unique_ptr<OmeZarrDataset> OmeZarrDataset::make(std::shared_ptr<OpenStore> store, const LevelGrid &grid,
                                                     const char *description)
{
    const std::string root = store->root, subdataset = store->subdataset;
    const int base_level = store->base_level;
    auto dataset = std::make_unique<OmeZarrDataset>(std::move(store), base_level, grid);
    dataset->describe();
    dataset->add_overviews();
    dataset->SetDescription(description);
    dataset->SetPhysicalFilename(root.c_str());
    if (!subdataset.empty())
        dataset->SetSubdatasetName(subdataset.c_str());
    dataset->load_side_file();
    return dataset;
}

#if OMEZARR_GDAL_AT_LEAST(3, 10)
/* GDAL's thread-safe dataset (RFC 101) gives each thread one of its own. They share the store: its metadata are read
 * once, and a chunk that one thread has decoded is there for the others. */
std::unique_ptr<GDALDataset> OmeZarrDataset::Clone(int scope, bool can_share_state) const
{
    if (m_level != m_store->base_level || !can_share_state)
        return GDALPamDataset::Clone(scope, can_share_state);
    return guarded<std::unique_ptr<GDALDataset>>(GetDescription(), nullptr, [this] {
        auto clone = make(m_store, m_grid, GetDescription());
        clone->nOpenFlags = nOpenFlags;
        clone->papszOpenOptions = CSLDuplicate(papszOpenOptions);
        return clone;
    });
}
#endif

CPLErr OmeZarrDataset::OMEZARR_GET_GEOTRANSFORM_DEFINITION
{
    double *six = OMEZARR_GEOTRANSFORM_DATA;
    if (GDALPamDataset::GetGeoTransform(geotransform) == CE_None)
        return CE_None;
    return stored_geotransform(six) ? CE_None : CE_Failure;
}

bool OmeZarrDataset::stored_geotransform(double *six) const
{
    if (m_level != m_store->base_level)
        return false;
    if (m_store->attributes.has_geotransform) {
        memcpy(six, m_store->attributes.geotransform, 6 * sizeof *six);
        return true;
    }
    double scale[5], translation[5];
    const int y = m_store->rank - 2;
    const bool has_units = m_store->attributes.crs == nullptr && ngff_reader_axis_unit(m_store->reader, y) != nullptr &&
                           ngff_reader_axis_unit(m_store->reader, y + 1) != nullptr;
    return ngff_reader_level_scale(m_store->reader, m_level, scale) == NGFF_OK &&
           ngff_reader_level_translation(m_store->reader, m_level, translation) == NGFF_OK &&
           georef_from_axes(scale + y, translation + y, has_units, six);
}

const OGRSpatialReference *OmeZarrDataset::GetSpatialRef() const
{
    const OGRSpatialReference *crs = GDALPamDataset::GetSpatialRef();
    return crs != nullptr ? crs : m_crs.get();
}

CPLErr OmeZarrDataset::SetSpatialRef(const OGRSpatialReference *crs)
{
    if (m_crs && (crs == nullptr || crs->IsEmpty())) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: only a store open for update can lose its CRS", name());
        return CE_Failure;
    }
    return GDALPamDataset::SetSpatialRef(crs);
}

int OmeZarrDataset::GetGCPCount()
{
    const int n = GDALPamDataset::GetGCPCount();
    return n > 0 ? n : static_cast<int>(m_store->attributes.gcps.size());
}

const OGRSpatialReference *OmeZarrDataset::GetGCPSpatialRef() const
{
    /* GDAL's own question is const only where it need not be */
    const bool is_said = const_cast<OmeZarrDataset *>(this)->GDALPamDataset::GetGCPCount() > 0;
    return is_said || !m_gcp_crs ? GDALPamDataset::GetGCPSpatialRef() : m_gcp_crs.get();
}

const GDAL_GCP *OmeZarrDataset::GetGCPs()
{
    return GDALPamDataset::GetGCPCount() > 0 || m_store->attributes.gcps.empty() ? GDALPamDataset::GetGCPs()
                                                                                 : m_store->attributes.gcps.data();
}

CPLErr OmeZarrDataset::SetGCPs(int n, const GDAL_GCP *gcps, const OGRSpatialReference *crs)
{
    if (n == 0 && !m_store->attributes.gcps.empty()) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: only a store open for update can lose its GCPs", name());
        return CE_Failure;
    }
    return GDALPamDataset::SetGCPs(n, gcps, crs);
}

/* -- Side file ----------------------------------------------------------------------------------------------------- */

/* PAM looks for .aux.xml, and for .aux in four ways. On a server each look is a request and may be refused with a
 * warning, so it is told what there is: .aux.xml perhaps, or nothing where the user wants no looks at folders. A band in
 * the side file without a description would take the store's away. */
void OmeZarrDataset::load_side_file()
{
    std::string file = std::string(CPLGetFilename(m_store->root.c_str())) + ".aux.xml";
    const bool is_wanted = !EQUAL(CPLGetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", "NO"), "EMPTY_DIR");
    char *siblings[] = {is_wanted ? &file[0] : nullptr, nullptr};
    TryLoadXML(omezarr_is_on_server(m_store->root) ? siblings : nullptr);
    for (int i = 1; i <= nBands; i++) {
        auto *band = static_cast<OmeZarrBand *>(GetRasterBand(i));
        if (*band->GetDescription() == '\0')
            band->GDALMajorObject::SetDescription(band->attributes().description.c_str());
    }
}

std::string OmeZarrDataset::side_file()
{
    const char *path = psPam != nullptr ? BuildPamFilename() : nullptr;
    return path != nullptr ? path : "";
}

CPLXMLNode *OmeZarrDataset::SerializeToXML(const char *unused)
{
    CPLXMLTreeCloser tree(GDALPamDataset::SerializeToXML(unused));
    return guarded<CPLXMLNode *>(name(), nullptr, [this, &tree] {
        if (tree)
            drop_stored_metadata(tree.get(), m_store->attributes.metadata);
        return tree && !is_empty_tree(tree.get()) ? tree.release() : nullptr;
    });
}

/* GDAL leaves out what equals its own defaults, and reads scale and offset as a pair: but where the store has others,
 * they must be there. */
CPLXMLNode *OmeZarrBand::SerializeToXML(const char *unused)
{
    int has_scale = FALSE, has_offset = FALSE;
    CPLXMLTreeCloser tree(GDALPamRasterBand::SerializeToXML(unused));
    const double scale = GDALPamRasterBand::GetScale(&has_scale), offset = GDALPamRasterBand::GetOffset(&has_offset);
    return guarded<CPLXMLNode *>(m_dataset->name(), nullptr, [&] {
        if (!tree && (has_scale || has_offset)) {
            tree.reset(CPLCreateXMLNode(nullptr, CXT_Element, "PAMRasterBand"));
            CPLAddXMLAttributeAndValue(tree.get(), "band", std::to_string(nBand).c_str());
        }
        if (tree && (has_scale || has_offset)) {
            CPLSetXMLValue(tree.get(), "Offset",
                           JsonText::number_text(has_offset ? offset : GetOffset(nullptr)).c_str());
            CPLSetXMLValue(tree.get(), "Scale", JsonText::number_text(has_scale ? scale : GetScale(nullptr)).c_str());
        }
        CPLXMLNode *description = tree ? CPLGetXMLNode(tree.get(), "Description") : nullptr;
        if (description != nullptr && attributes().description == CPLGetXMLValue(description, nullptr, "")) {
            CPLRemoveXMLChild(tree.get(), description);
            CPLDestroyXMLNode(description);
        }
        if (tree)
            drop_stored_metadata(tree.get(), attributes().metadata);
        return tree && !is_empty_tree(tree.get()) ? tree.release() : nullptr;
    });
}

/* A copy of any table. */
static std::shared_ptr<const GDALDefaultRasterAttributeTable> copy_of(const GDALRasterAttributeTable *rat)
{
    if (const auto *table = dynamic_cast<const GDALDefaultRasterAttributeTable *>(rat))
        return std::make_shared<GDALDefaultRasterAttributeTable>(*table);
    std::unique_ptr<GDALRasterAttributeTable> copy(rat->Clone()); /* always of this class */
    const auto *table = dynamic_cast<const GDALDefaultRasterAttributeTable *>(copy.get());
    return table != nullptr ? std::make_shared<GDALDefaultRasterAttributeTable>(*table) : nullptr;
}

BandAttributes OmeZarrBand::description()
{
    BandAttributes band = attributes();
    int has = FALSE;
    band.description = GetDescription();
    band.metadata = metadata_of(this);
    band.nodata = nodata_text(this);
    band.scale = GetScale(&has);
    band.has_scale = has;
    band.offset = GetOffset(&has);
    band.has_offset = has;
    band.unit = GetUnitType();
    if (GDALPamRasterBand::GetColorInterpretation() != GCI_Undefined)
        band.color = GDALPamRasterBand::GetColorInterpretation();
    if (const GDALColorTable *table = GDALPamRasterBand::GetColorTable())
        band.color_table = std::make_shared<GDALColorTable>(*table);
    band.categories = CPLStringList(CSLDuplicate(GetCategoryNames()));
    if (const GDALRasterAttributeTable *rat = GDALPamRasterBand::GetDefaultRAT())
        band.rat = copy_of(rat);
    return band;
}

bool OmeZarrDataset::has_side_geotransform(double *six)
{
#if OMEZARR_GDAL_AT_LEAST(3, 12)
    GDALGeoTransform found;
    const bool is_found = GDALPamDataset::GetGeoTransform(found) == CE_None;
    const double *values = found.data();
#else
    double values[6];
    const bool is_found = GDALPamDataset::GetGeoTransform(values) == CE_None;
#endif
    if (is_found)
        memcpy(six, values, sizeof(double) * 6);
    return is_found;
}

BandAttributes OmeZarrDataset::band_description(int band)
{
    return static_cast<OmeZarrBand *>(GetRasterBand(band))->description();
}

/* The root's documents only: GDAL deletes, renames and copies what a dataset lists, and a store has up to millions of
 * objects. */
char **OmeZarrDataset::GetFileList()
{
    return guarded<char **>(name(), nullptr, [this] { return root_documents(m_store->root); });
}

/* -- Opening --------------------------------------------------------------------------------------------------- */

GDALDataset *omezarr_open_store(const std::string &root, const char *description)
{
    StoreName name;
    name.root = root;
    return OmeZarrDataset::open(name, description, nullptr).release();
}

/* A TIFF: by its first bytes, on a server, where each look is a request, only where the name says so. */
static bool is_tiff(const std::string &path)
{
    static const char *const names[] = {".tif", ".tiff", ".btf",  ".tf2", ".tf8",
                                        ".svs", ".scn",  ".ndpi", ".lsm", ".stk"};
    const auto has_name = [&path](const char *end) {
        const size_t n = strlen(end);
        return path.size() > n && EQUAL(path.c_str() + path.size() - n, end);
    };
    if (omezarr_is_on_server(path) && std::none_of(std::begin(names), std::end(names), has_name))
        return false;
    unsigned char bytes[8];
    const QuietErrors quiet;
    VSIStatBufL status;
    if (VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) != 0 ||
        VSI_ISDIR(status.st_mode))
        return false;
    VSILFILE *file = VSIFOpenL(path.c_str(), "rb");
    const size_t n = file != nullptr ? VSIFReadL(bytes, 1, sizeof bytes, file) : 0;
    if (file != nullptr)
        VSIFCloseL(file);
    return is_tiff_header(bytes, static_cast<int>(n));
}

/* The pages of a TIFF. part: "#1" is its second image. */
static std::unique_ptr<GDALDataset> open_stack(const StoreName &name, const char *description)
{
    const auto files = read_stack(name.root);
    if (!files)
        return nullptr;
    const int n_images = static_cast<int>(files->description.images.size());
    const int number = name.part.empty() ? 0 : atoi(name.part.c_str() + 1);
    const bool is_number = name.part.empty() || (name.part.size() > 1 && name.part.size() < 9 && name.part[0] == '#' &&
                                                 name.part.find_first_not_of("0123456789", 1) == std::string::npos);
    if (!is_number || number < 0 || number >= n_images) {
        CPLError(CE_Failure, CPLE_IllegalArg, "%s: '%s' is none of its images, which are #0 to #%d", name.root.c_str(),
                 name.part.c_str(), n_images - 1);
        return nullptr;
    }
    int64_t shape[5] = {};
    PlaneSelection selection;
    const StackImage &image = files->description.images[static_cast<size_t>(number)];
    const std::string axes = plane_axes_of(image, shape);
    if (!select_planes(name, axes + "yx", shape, &selection))
        return nullptr;
    std::vector<int64_t> planes;
    for (int64_t i = 0; i < selection.n_planes(); i++) {
        int64_t index[5] = {}, plane = 0;
        selection.plane(i, index);
        for (size_t axis = 0; axis < axes.size(); axis++)
            plane = plane * shape[axis] + index[axis];
        planes.push_back(plane);
    }
    auto stack = StackDataset::open(files, number, std::move(planes), description, nullptr);
    for (const std::string &warning : stack ? stack->warnings() : std::vector<std::string>())
        CPLError(CE_Warning, CPLE_AppDefined, "%s", warning.c_str());
    return stack;
}

GDALDataset *omezarr_open(GDALOpenInfo *info)
{
    if (!omezarr_is_opened(info))
        return nullptr;
    StoreName name(info->pszFilename);
    name.apply_options(info->papszOpenOptions);
    if ((info->nOpenFlags & GDAL_OF_MULTIDIM_RASTER) != 0) /* gdalmdimtranslate takes rasters, too */
        return omezarr_open_arrays(name, info->pszFilename, info->papszOpenOptions);
    if (STARTS_WITH_CI(info->pszFilename, connection_prefix) && (is_tiff(name.root) || is_file_list(name.root))) {
        if (info->eAccess != GA_Update)
            return open_stack(name, info->pszFilename).release();
        CPLError(CE_Failure, CPLE_NotSupported, "%s: the pages of a TIFF are opened for reading only",
                 name.root.c_str());
        return nullptr;
    }
    if (info->eAccess == GA_Update)
        return omezarr_open_update(name, info->pszFilename, info->papszOpenOptions);
    return OmeZarrDataset::open(name, info->pszFilename, info->papszOpenOptions).release();
}
