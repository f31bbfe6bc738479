/* raster.h: an OME-Zarr as a GDAL raster. Bands are the planes of the image (channels; with axes t and z, all
 * of them in C order), blocks are chunks, overviews are the further levels. */
#ifndef OMEZARR_OPEN_RASTER_H
#define OMEZARR_OPEN_RASTER_H

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "describe/attributes.h"
#include "plugin/gdal_compat.h"
#include "ngff.h"
#include "open/subdatasets.h"

/* What all levels share. */
struct OpenStore {
    std::string root{}, subdataset{}; /* subdataset: its name, where it is not the whole image */
    ngff_reader *reader = nullptr;
    std::string dims{};
    int rank = 0, n_bands = 0;
    int base_level = 0; /* the one that is the dataset; those after it may be its overviews */
    PlaneSelection planes{};
    int32_t type = 0; /* NGFF_* */
    int n_threads = 1;
    DatasetAttributes attributes{};
    std::mutex lock{}; /* copying a CRS changes it: GDAL's classes fill in what they are asked for */

    OpenStore() = default;
    OpenStore(const OpenStore &) = delete;
    OpenStore &operator=(const OpenStore &) = delete;
    ~OpenStore()
    {
        ngff_reader_free(reader);
    }
};

/* Extents of one level. Pixel i of an axis covers those of the dataset from offset + i * factor on, factor of them. */
struct LevelGrid {
    int64_t shape[5] = {}, chunk[5] = {};
    int planes_per_chunk = 1;
    double factor[5] = {1, 1, 1, 1, 1}, offset[5] = {};
};

/* What RasterIO asks for. extra may be NULL for a request without resampling. */
struct RasterRequest {
    int x, y, width, height;
    void *data;
    int buffer_width, buffer_height;
    GDALDataType type;
    GSpacing pixel_space, line_space, band_space;
    GDALRasterIOExtraArg *extra;
};

/* Gives the reader's warnings to GDAL. */
void tell_warnings(ngff_reader *reader);

/* The reader of a store, or NULL, with an error unless the store is simply not there. options: those of the driver. */
ngff_reader *open_reader(const StoreName &name, const char *description, CSLConstList options);

/* Bytes of decoded chunks to keep: enough for reading level 0 line by line, within GDAL's own limit for blocks. */
int64_t reading_cache(const OpenStore &store, const LevelGrid &grid);

class OmeZarrMaskBand;

class OmeZarrDataset final : public GDALPamDataset
{
    friend class OmeZarrBand;
    friend class OmeZarrMaskBand;

    std::shared_ptr<OpenStore> m_store;
    int m_level;
    LevelGrid m_grid{};
    OmeZarrDataset *m_base = nullptr; /* of an overview: the dataset whose description counts */
    /* Own copies: clones of a dataset work in several threads. */
    std::unique_ptr<OGRSpatialReference> m_crs{}, m_gcp_crs{};
    std::vector<std::unique_ptr<OmeZarrDataset>> m_overviews{}; /* of the base level only */
    std::unique_ptr<OmeZarrMaskBand> m_mask{};

    void describe();
    void describe_encoding();
    void add_overviews();
    void load_side_file();
    int overview_count() const;
    const char *name() const
    {
        return m_base != nullptr ? m_base->GetDescription() : GetDescription();
    }
    /* The overview that a request is read from, and the request for it, whose extra is then this one; NULL, with nothing
     * changed, where it is read from the dataset itself. */
    OmeZarrDataset *overview_for(GDALRWFlag flag, GDALRasterBand *band, RasterRequest *request,
                                 GDALRasterIOExtraArg *extra);
    /* Reads planes to places that are band_space apart. planes: the index on each axis but y and x, of each. */
    CPLErr read_planes(const RasterRequest &request, const int64_t *const *planes, size_t n_planes, int n_threads);
    CPLErr read_mask(const RasterRequest &request, int n_threads);
    /* What GDAL calls coverage, of a plane or, where that is NULL, of the mask. is_nothing: true for a value of pixels
     * that nobody stored which a band reads as nothing. */
    template <typename IsNothing>
    int coverage(const int64_t *plane, int x, int y, int width, int height, int stop, double *percent,
                 IsNothing is_nothing);

  public:
    OmeZarrDataset(std::shared_ptr<OpenStore> store, int level, const LevelGrid &grid);
    ~OmeZarrDataset() override;

    /* An image, or a list of subdatasets where it is several; NULL, with an error unless the store is simply not
     * there. */
    static std::unique_ptr<GDALDataset> open(const StoreName &name, const char *description, CSLConstList options);

    /* The store, for the dataset that changes it. */
    const DatasetAttributes &attributes() const
    {
        return m_store->attributes;
    }
    const char *attribute(const char *name) const
    {
        return ngff_reader_attribute(m_store->reader, name);
    }
    const std::string &dims() const
    {
        return m_store->dims;
    }
    const std::string &root() const
    {
        return m_store->root;
    }
    /* Its folder below the root, "" for the root. */
    std::string group() const
    {
        return ngff_reader_group(m_store->reader);
    }
    /* Which of several images side by side it is (bioformats2raw's layout); -1: there are no others. */
    int series() const
    {
        const std::string number = group();
        return !number.empty() && number.find_first_not_of("0123456789") == std::string::npos ? atoi(number.c_str())
                                                                                              : -1;
    }
    void shape(int64_t *sizes) const
    {
        ngff_reader_level_shape(m_store->reader, 0, sizes);
    }
    int32_t data_type() const
    {
        return m_store->type;
    }
    /* Of each overview along x, and of all axes as SCALE_FACTORS has it ("z:2,y:4,x:4") where y and x alone and alike do not say
     * it: the store's own, since the ratio of sizes is another one where it does not divide them. */
    std::vector<std::pair<int, std::string>> overview_factors() const
    {
        std::vector<std::pair<int, std::string>> factors;
        for (const auto &overview : m_overviews) {
            const int x = m_store->rank - 1, of_x = static_cast<int>(overview->m_grid.factor[x] + 0.5);
            std::string text;
            bool is_plain = true;
            for (int axis = 0; axis <= x; axis++) {
                const int factor = static_cast<int>(overview->m_grid.factor[axis] + 0.5);
                is_plain = is_plain && factor == (axis < x - 1 ? 1 : of_x);
                if (m_store->dims[static_cast<size_t>(axis)] != 'c')
                    text += (text.empty() ? "" : ",") + m_store->dims.substr(static_cast<size_t>(axis), 1) + ":" +
                            std::to_string(factor);
            }
            factors.emplace_back(of_x, is_plain ? "" : text);
        }
        return factors;
    }
    bool has_mask() const
    {
        return ngff_reader_has_mask(m_store->reader) == 1;
    }

    /* Levels and descriptions of an open store. */
    static std::unique_ptr<OmeZarrDataset> make(std::shared_ptr<OpenStore> store, const LevelGrid &grid,
                                                const char *description);

    /* Where the side file (.aux.xml) is, or would be; "" if there can be none. */
    std::string side_file();
    /* What the side file says beside the store, or over what the store says: the whole description of a band. */
    BandAttributes band_description(int band);
    /* True if the side file has a geotransform, which six receives. */
    bool has_side_geotransform(double *six);
    /* The store's own, whatever a side file says. */
    bool stored_geotransform(double *six) const;

    CPLErr OMEZARR_GET_GEOTRANSFORM;
    const OGRSpatialReference *GetSpatialRef() const override;
    CPLErr SetSpatialRef(const OGRSpatialReference *crs) override;
    int GetGCPCount() override;
    const OGRSpatialReference *GetGCPSpatialRef() const override;
    const GDAL_GCP *GetGCPs() override;
    using GDALPamDataset::SetGCPs;
    CPLErr SetGCPs(int n, const GDAL_GCP *gcps, const OGRSpatialReference *crs) override;
    char **GetFileList() override;

  protected:
    CPLErr IBuildOverviews(const char *resampling, int n_levels, const int *levels, int n_bands, const int *bands,
                           GDALProgressFunc progress, void *progress_data, CSLConstList options) override;
    CPLXMLNode *SerializeToXML(const char *unused) override;
#if OMEZARR_GDAL_AT_LEAST(3, 10)
    std::unique_ptr<GDALDataset> Clone(int scope, bool can_share_state) const override;
#endif
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, int n_bands, BandMapIn bands, GSpacing pixel_space,
                     GSpacing line_space, GSpacing band_space, GDALRasterIOExtraArg *extra) override;
};

/* The dataset's own mask, one for all bands. */
class OmeZarrMaskBand final : public GDALRasterBand
{
    OmeZarrDataset *m_dataset;

  protected:
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                     GDALRasterIOExtraArg *extra) override;

  public:
    explicit OmeZarrMaskBand(OmeZarrDataset *dataset);
    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override;
    int IGetDataCoverageStatus(int x, int y, int width, int height, int stop, double *percent) override;
    int GetOverviewCount() override;
    GDALRasterBand *GetOverview(int index) override;
    bool IsMaskBand() const override
    {
        return true;
    }
};

class OmeZarrBand final : public GDALPamRasterBand
{
    friend class OmeZarrDataset;

    OmeZarrDataset *m_dataset;
    int64_t m_plane[5] = {}; /* index on each axis but y and x */
    std::unique_ptr<GDALRasterAttributeTable> m_rat{};

    const BandAttributes &attributes() const;
    /* The same band of the dataset whose overview this is, or NULL. */
    OmeZarrBand *base() const;
    CPLErr refuse_removal(const char *what) const;
    CPLErr changed_nodata(CPLErr status);
    bool is_nothing(const void *pixel);

  protected:
    CPLXMLNode *SerializeToXML(const char *unused) override;
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                     GDALRasterIOExtraArg *extra) override;

  public:
    OmeZarrBand(OmeZarrDataset *dataset, int number);

    void describe();
    BandAttributes description();
    /* False for an overview that has fewer planes than there are bands. */
    bool has_own_plane() const
    {
        return std::all_of(m_dataset->m_grid.factor, m_dataset->m_grid.factor + m_dataset->m_store->rank - 2,
                           [](double factor) { return factor == 1; });
    }

    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override;
    int IGetDataCoverageStatus(int x, int y, int width, int height, int stop, double *percent) override;
#if OMEZARR_GDAL_AT_LEAST(3, 13)
    bool MayMultiBlockReadingBeMultiThreaded() const override
    {
        return m_dataset->m_store->n_threads > 1;
    }
#endif
    double GetNoDataValue(int *has) override;
    int64_t GetNoDataValueAsInt64(int *has) override;
    uint64_t GetNoDataValueAsUInt64(int *has) override;
    double GetScale(int *has) override;
    double GetOffset(int *has) override;
    const char *GetUnitType() override;
    GDALColorInterp GetColorInterpretation() override;
    GDALColorTable *GetColorTable() override;
    char **GetCategoryNames() override;
    GDALRasterAttributeTable *GetDefaultRAT() override;
    CPLErr SetNoDataValue(double value) override;
    CPLErr SetNoDataValueAsInt64(int64_t value) override;
    CPLErr SetNoDataValueAsUInt64(uint64_t value) override;
    CPLErr DeleteNoDataValue() override;
    CPLErr SetUnitType(const char *unit) override;
    CPLErr SetColorInterpretation(GDALColorInterp color) override;
    CPLErr SetColorTable(GDALColorTable *table) override;
    CPLErr SetCategoryNames(char **names) override;
    CPLErr SetDefaultRAT(const GDALRasterAttributeTable *rat) override;
    CPLErr GetDefaultHistogram(double *min, double *max, int *n, GUIntBig **counts, int must_compute,
                               GDALProgressFunc progress, void *progress_data) override;
    int GetOverviewCount() override;
    GDALRasterBand *GetOverview(int index) override;
    GDALRasterBand *GetMaskBand() override;
    int GetMaskFlags() override;
};

/* The store of a name, opened for change in place. */
GDALDataset *omezarr_open_update(const StoreName &name, const char *description, CSLConstList options);

#endif
