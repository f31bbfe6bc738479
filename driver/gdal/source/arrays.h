/* arrays.h: arrays of any driver, seen through GDAL's multidimensional API, as one raster that everything else can copy:
 * its bands are the planes of y and x, and their metadata say where they lie, in the words of dimensions.h. Several
 * arrays on the same dimensions are its channels. */
#ifndef OMEZARR_SOURCE_ARRAYS_H
#define OMEZARR_SOURCE_ARRAYS_H

#include <memory>
#include <string>
#include <vector>

#include "plugin/gdal_compat.h"

class ArrayPixels;
class BoxCache;

class ArraysDataset final : public GDALDataset
{
    GDALDataset *m_source;
    std::unique_ptr<BoxCache> m_boxes;
    std::vector<std::unique_ptr<ArrayPixels>> m_arrays{};
    std::unique_ptr<GDALDataset> m_plane{}; /* the first array's first plane, as GDAL shows it */
    std::vector<std::string> m_losses{};

    void describe(const std::shared_ptr<GDALGroup> &root);
    void add_bands();

  public:
    explicit ArraysDataset(GDALDataset *source);
    ~ArraysDataset() override;

    /* The arrays below the root group of a dataset, which must outlive the raster. NULL, with an error that names
     * all of them, where none can be an image. */
    static std::unique_ptr<ArraysDataset> make(GDALDataset *source);

    /* Arrays and positions that the raster does not have, in words. */
    const std::vector<std::string> &losses() const
    {
        return m_losses;
    }
    /* What is decoded at once, on those of these axes that the bands lie on. */
    void blocks(const std::string &dims, const int64_t *shape, int64_t *block);
    /* Bytes of the largest box that is decoded at once, and of decoded boxes to keep. */
    int64_t largest_box() const;
    void set_room(int64_t bytes);

    CPLErr OMEZARR_GET_GEOTRANSFORM;
    const OGRSpatialReference *GetSpatialRef() const override;
    char **GetFileList() override;
};

#endif
