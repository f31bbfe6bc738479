/* ngff_source.h: the OME-Zarr that a raster is made of, itself or through VRTs. GDAL's copying keeps metadata of the
 * default domain only; what viewers are told of a channel (colour, display range) is asked of the store behind it. */
#ifndef OMEZARR_SOURCE_NGFF_SOURCE_H
#define OMEZARR_SOURCE_NGFF_SOURCE_H

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plugin/gdal_compat.h"
#include "source/raster_source.h"

class NgffSource
{
    std::map<std::string, DatasetReference> m_opened{};
    std::vector<GDALRasterBand *> m_bands{};
    bool m_is_own;

    std::vector<GDALRasterBand *> follow(GDALDataset *source, int depth);
    std::vector<GDALRasterBand *> follow_vrt(GDALDataset *vrt, int depth);
    GDALDataset *open(const CPLXMLNode *parent, const char *file, const std::string &folder);

  public:
    /* is_own: a dataset of this driver that GDAL does not know as such yet. */
    NgffSource(GDALDataset *source, bool is_own);
    NgffSource(const NgffSource &) = delete;
    NgffSource &operator=(const NgffSource &) = delete;

    /* The band of an OME-Zarr whose values a band has, perhaps resampled; NULL where there is none. */
    GDALRasterBand *band(int number) const
    {
        return m_bands[static_cast<size_t>(number - 1)];
    }
    /* The image that all bands come from, or NULL. */
    GDALDataset *image() const;
};

/* True if the statistics in the metadata of a band, which may be NULL, are those that this driver made of its pixels. */
bool has_statistics_of_pixels(GDALRasterBand *band);

/* True for the driver's own datasets that are open for reading. */
bool is_ome_zarr(GDALDataset *dataset);

#endif
