/* stackdataset.h: the pages of a TIFF, or of a set of them, as one raster: a band for each plane, in the order t, c, z,
 * with the metadata that bands of our own stores have (dimensions.h). For reading. */
#ifndef OMEZARR_SOURCE_STACK_STACKDATASET_H
#define OMEZARR_SOURCE_STACK_STACKDATASET_H

#include "gdal.h"

#ifdef __cplusplus
#include <memory>
#include <string>
#include <vector>

#include "plugin/gdal_compat.h"
#include "source/stack/openpages.h"

/* All of a file and of those that belong to it; NULL, with an error. */
std::shared_ptr<const StackFiles> read_stack(const std::string &path);

/* The axes of an image that its planes lie on, "tcz" or less, and their sizes. */
std::string plane_axes_of(const StackImage &image, int64_t *sizes);

/* What all readers of an image share. */
struct OpenStack {
    std::shared_ptr<const StackFiles> files{};
    int image = 0;
    std::vector<int64_t> planes{}; /* which of the image's are bands; in this order */
    GDALDataType type = GDT_Unknown;
    int block_width = 1, block_height = 1;
    std::vector<std::pair<int, int>> overviews{}; /* width and height of each */
    bool is_raw = false;                          /* all pixels stand in rows, where any shape is cheap to read */
    StackPlane mask{};                            /* of all pages; page -1: there is none, or theirs differ */

    const StackImage &of() const
    {
        return files->description.images[static_cast<size_t>(image)];
    }
};

class StackDataset final : public GDALDataset
{
    friend class StackBand;
    friend class StackMaskBand;

    std::shared_ptr<OpenStack> m_stack;
    OpenPages m_own_pages;
    OpenPages *m_pages; /* of the dataset whose overview this is, or its own */
    int m_level = -1;   /* of the overviews; -1: full size */
    std::vector<std::unique_ptr<StackDataset>> m_overviews{};
    std::unique_ptr<GDALRasterBand> m_mask{};
    std::unique_ptr<OGRSpatialReference> m_crs{};
    std::vector<GDAL_GCP> m_gcps{};
    std::unique_ptr<OGRSpatialReference> m_gcp_crs{};
    bool m_has_geotransform = false;
    double m_geotransform[6] = {0, 1, 0, 0, 0, 1};

    StackDataset(std::shared_ptr<OpenStack> stack, int level, OpenPages *pages);
    bool find_layout(GDALDataset *page);
    bool check_planes() const;
    bool find_mask();
    void add_mask();
    void describe(GDALDataset *first, GDALDataset *page);
    void describe_place(GDALDataset *first);
    void describe_bands(GDALDataset *page);

  public:
    ~StackDataset() override;
    StackDataset(const StackDataset &) = delete;
    StackDataset &operator=(const StackDataset &) = delete;

    /* planes: which are bands. first: the first page, opened by its file's name, or NULL. NULL, with an error, where a
     * plane cannot be one. */
    static std::unique_ptr<StackDataset> open(std::shared_ptr<const StackFiles> files, int image,
                                              std::vector<int64_t> planes, const std::string &name, GDALDataset *first);
    /* The same for another thread, without what is only to be asked of the first one. */
    std::unique_ptr<StackDataset> again() const;

    const OpenStack &stack() const
    {
        return *m_stack;
    }
    /* What its user should know, in whole sentences. */
    std::vector<std::string> warnings() const;
    /* True where one block of a page holds all channels. */
    bool decodes_channels() const;

    CPLErr OMEZARR_GET_GEOTRANSFORM;
    const OGRSpatialReference *GetSpatialRef() const override;
    int GetGCPCount() override;
    const OGRSpatialReference *GetGCPSpatialRef() const override;
    const GDAL_GCP *GetGCPs() override;
    char **GetFileList() override;
};

/* The stack that a raster is the first page of, if its file is a TIFF that has more than this page, or that says of it
 * what a raster does not: opened by its own name, not by that of a page. *found is NULL where it is just a raster. False,
 * with an error, if the other pages are there and cannot be opened; where they are only spoken of, that is one of the
 * warnings, which nobody has been told yet. */
bool find_stack(GDALDataset *raster, std::unique_ptr<StackDataset> *found, std::vector<std::string> *warnings);

extern "C" {
#endif

/* The same for C: NULL where it is just a raster, or the other pages cannot be opened. For GDALClose. */
GDALDatasetH open_planes_of(GDALDatasetH raster);

#ifdef __cplusplus
}
#endif
#endif
