/* attributes.h: what GDAL knows about a raster and NGFF has no place for, kept as members of the attribute block
 * "omezarr": "bands" (one object per band), "metadata" (domains), "gcps", "crs", "geotransform" (only one that NGFF
 * cannot express). Nothing in it is needed to read pixels or positions. ATTRIBUTES.md has the
 * schema. */
#ifndef OMEZARR_DESCRIBE_ATTRIBUTES_H
#define OMEZARR_DESCRIBE_ATTRIBUTES_H

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cpl_json.h"
#include "plugin/gdal_compat.h"
#include "gdal_rat.h"
#include "ngff.h"
#include "open/subdatasets.h"

struct MetadataDomain {
    std::string name{};
    CPLStringList items{};
};

/* The items of a domain, which is made if it is not there. */
CPLStringList &items_of_domain(std::vector<MetadataDomain> &domains, const char *name);

/* What GDALSetDefaultHistogram() said: counts of pixels in equal steps from min to max. */
struct Histogram {
    double min = 0, max = 0;
    std::vector<GUIntBig> counts{}; /* none: there is no histogram */

    /* As GetDefaultHistogram() returns it; the counts are the caller's, to be freed by VSIFree. */
    CPLErr give(double *to_min, double *to_max, int *to_n, GUIntBig **to_counts) const;
};

struct BandAttributes {
    std::string nodata{};                          /* as text, so that 64-bit integers and NaN are exact; "" = none */
    std::shared_ptr<GDALColorTable> color_table{}; /* one for all bands that have the same */
    CPLStringList categories{};
    std::shared_ptr<const GDALDefaultRasterAttributeTable> rat{};
    Histogram histogram{};
    bool has_scale = false, has_offset = false;
    double scale = 1, offset = 0;
    std::string unit{}, description{}, nbits{};
    std::string own_description{}; /* in our block, where description is the channel's label */
    GDALColorInterp color = GCI_Undefined;
    std::vector<MetadataDomain> metadata{};
    bool has_own_statistics = false; /* STATISTICS_* in it are the writer's, made of the pixels */
};

/* Entries of "colors" or "properties" by their value, JSON text. */
using LabelEntries = std::map<GIntBig, std::string>;

struct DatasetAttributes {
    bool is_ours = false; /* the block is there: what it does not name, the source did not have */
    std::vector<BandAttributes> bands{};
    std::vector<MetadataDomain> metadata{};
    std::vector<GDAL_GCP> gcps{}; /* texts are owned, by CPLStrdup */
    OGRSpatialReference *crs = nullptr, *gcp_crs = nullptr;
    bool has_geotransform = false;
    bool is_min_white = false; /* the smallest value is white: GTiff's MINISWHITE */
    double geotransform[6] = {0, 1, 0, 0, 0, 1};
    LabelEntries label_colors{}, label_properties{}; /* of "image-label" */

    DatasetAttributes() = default;
    DatasetAttributes(const DatasetAttributes &) = delete;
    DatasetAttributes &operator=(const DatasetAttributes &) = delete;
    ~DatasetAttributes();
};

/* What of the source's metadata goes into the block. */
struct CopiedMetadata {
    bool is_wanted = true; /* COPY_SRC_MDD is not NO */
    /* Items of the default domain that the store says elsewhere, and will say again when it is read. band: 0 for the
     * dataset. */
    std::function<bool(int band, const char *item)> is_said_by_ngff{};
    /* A band's description without what comes from the channel's label and the plane's place. */
    std::function<std::string(int band)> description{};
};

/* Puts all of the source's into image, and what is not kept, in words, into losses. bands: the source's bands in the
 * order of NGFF's planes; colors: of all its bands. is_type_kept: the bands keep their data type, so NBITS
 * stays true. keep_geotransform: NGFF could not express the geotransform. */
int32_t attributes_to_image(GDALDataset *source, const std::vector<int> &bands,
                            const std::vector<GDALColorInterp> &colors, ngff_image *image, const CopiedMetadata &copied,
                            bool is_type_kept, bool keep_geotransform, std::vector<std::string> *losses);

/* Reads them back for the planes of the level that was opened; where the block is not there, or does not fit, from
 * NGFF's own metadata and what else others write (foreign.h): CRS from _CRS and proj:. */
void attributes_from_reader(ngff_reader *reader, const PlaneSelection &planes, DatasetAttributes *to);

/* True for domains of metadata that an image keeps. */
bool is_kept_domain(const std::string &name);

/* The nodata value of a band as text: the exact integer, 17 digits, "nan"; "" where there is none. */
std::string nodata_text(GDALRasterBand *band);

#endif
