/* writing_dataset.h: a raster that is written block by block, in any order, again and again, and read back; a new one
 * (create.cpp) or one that is there (update.cpp). */
#ifndef OMEZARR_WRITE_WRITING_DATASET_H
#define OMEZARR_WRITE_WRITING_DATASET_H

#include <atomic>
#include <mutex>
#include <set>

#include "gdal_rat.h"

#include "open/raster.h"
#include "write/plan.h"

class WritingBand;
class WritingMaskBand;

class WritingDataset final : public GDALDataset
{
    friend class WritingBand;
    friend class WritingMaskBand;

    std::string m_root{};
    CPLStringList m_options{};
    std::string m_loss{};
    std::set<std::string> m_raised{}; /* warnings of plans */
    ImageFromSource m_axes{};         /* which band is which plane; its image is that of the beginning */
    /* GDAL's block cache may write our blocks on any thread, while the owner describes the dataset on his: such a write
     * sees only the writer, the options and the nodata values, and these only with the lock. */
    std::mutex m_lock{};
    Writer m_writer{};
    std::unique_ptr<WritingMaskBand> m_mask{};
    std::atomic<bool> m_is_written{false};     /* or a write waits in GDAL's block cache */
    std::atomic<bool> m_has_new_nodata{false}; /* the writer does not know it yet */
    bool m_is_finished = false, m_has_other_nodata = false;
    bool m_had_error = false; /* GDAL's error state when the dataset was made */
    GUInt32 m_n_errors = 0;
    /* update: what is there, and its plan */
    std::unique_ptr<OmeZarrDataset> m_stored{};
    std::vector<std::unique_ptr<OmeZarrDataset>> m_earlier{}; /* bands of their levels may be in somebody's hands */
    CPLStringList m_open_options{};
    Plan m_stored_plan{};
    bool m_is_described = false; /* otherwise than it was, metadata apart */

    bool m_has_geotransform = false;
    double m_geotransform[6] = {0, 1, 0, 0, 0, 1};
    OGRSpatialReference m_crs{}, m_gcp_crs{};
    std::vector<GDAL_GCP> m_gcps{};

    Plan plan_of_now(const CPLStringList &options, ImageFromSource *image);
    CPLErr transfer(const WritingBand *band, bool is_write, int block_x, int block_y, void *pixels, bool is_mask);
    CPLErr transfer_locked(const WritingBand *band, bool is_write, int block_x, int block_y, void *pixels,
                           bool is_mask);
    void raise_new_warnings(ngff_plan *plan, const ImageFromSource &image);
    CPLErr note_overviews(const char *resampling, int n_levels, const int *levels, int n_bands);
    void tell_nodata();
    bool is_given_up();
    void take_axes();
    void drop_untrue_options(CPLStringList *options);
    CPLErr finish();
    CPLErr flush(bool is_closing);
    CPLErr store();
    CPLErr store_and_open();
    CPLErr close_writer(ngff_plan *plan);
    void clear_gcps();
    void take_description();
    void take_side_file();
    bool is_changed();
    bool has_overviews() const;
    bool is_view(GDALRWFlag flag, int width, int height, int buffer_width, int buffer_height) const;
    std::vector<std::pair<int, std::string>> stored_factors() const;

  public:
    WritingDataset(const std::string &root, int width, int height, int n_bands, GDALDataType type);
    ~WritingDataset() override;
    /* loss: what of the wish could not be kept, in words, or "". */
    bool open(const CPLStringList &options, const std::string &loss);
    /* A store that is there; false, with an error, if it cannot be changed. */
    bool open_update(std::unique_ptr<OmeZarrDataset> stored, CSLConstList open_options);

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
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, int n_bands, BandMapIn bands, GSpacing pixel_space,
                     GSpacing line_space, GSpacing band_space, GDALRasterIOExtraArg *extra) override;
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
    Histogram m_histogram{};
    bool m_is_filled = false; /* with what unwritten pixels read as: nothing is stored */

    bool reads_unwritten_as(double value);
    CPLErr store_fill();
    template <typename Change> CPLErr change_nodata(bool is_same, Change change);

  public:
    WritingBand(WritingDataset *dataset, int number, GDALDataType type);
    void take_description(const BandAttributes &stored);
    void set_block(int width, int height)
    {
        nBlockXSize = width;
        nBlockYSize = height;
    }

    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override;
    CPLErr IWriteBlock(int block_x, int block_y, void *pixels) override;
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                     GDALRasterIOExtraArg *extra) override;
    CPLErr Fill(double real, double imaginary) override;

    void SetDescription(const char *description) override;
    CPLErr SetMetadata(StringListIn metadata, const char *domain) override;
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
    CPLErr SetStatistics(double min, double max, double mean, double std_dev) override;
    GDALColorInterp GetColorInterpretation() override;
    CPLErr SetColorInterpretation(GDALColorInterp color) override;
    GDALColorTable *GetColorTable() override;
    CPLErr SetColorTable(GDALColorTable *table) override;
    char **GetCategoryNames() override;
    CPLErr SetCategoryNames(char **names) override;
    GDALRasterAttributeTable *GetDefaultRAT() override;
    CPLErr SetDefaultRAT(const GDALRasterAttributeTable *rat) override;
    CPLErr GetDefaultHistogram(double *min, double *max, int *n, GUIntBig **counts, int must_compute,
                               GDALProgressFunc progress, void *progress_data) override;
    CPLErr SetDefaultHistogram(double min, double max, int n, GUIntBig *counts) override;
    GDALRasterBand *GetMaskBand() override;
    int GetMaskFlags() override;
    CPLErr CreateMaskBand(int flags) override;
    int GetOverviewCount() override;
    GDALRasterBand *GetOverview(int index) override;
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
    /* As of the other bands: a write may wait in GDAL's block cache. */
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                     GDALRasterIOExtraArg *extra) override
    {
        if (flag == GF_Write)
            m_dataset->m_is_written = true;
        if (m_dataset->is_view(flag, width, height, buffer_width, buffer_height) && m_dataset->m_stored->has_mask())
            return m_dataset->m_stored->GetRasterBand(1)->GetMaskBand()->RasterIO(
                flag, x, y, width, height, data, buffer_width, buffer_height, type, pixel_space, line_space, extra);
        return GDALRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                         pixel_space, line_space, extra);
    }
    CPLErr Fill(double real, double imaginary) override
    {
        m_dataset->m_is_written = true;
        return GDALRasterBand::Fill(real, imaginary);
    }
    bool IsMaskBand() const override
    {
        return true;
    }
};

#endif
