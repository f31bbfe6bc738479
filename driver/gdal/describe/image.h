/* image.h: a GDAL raster -> an ngff_image: axes, type, channels, nodata, mask, position, and all the rest as
 * attributes. */
#ifndef OMEZARR_DESCRIBE_IMAGE_H
#define OMEZARR_DESCRIBE_IMAGE_H

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "plugin/gdal_compat.h"
#include "ngff.h"

struct ImageReleaser {
    void operator()(ngff_image *image) const
    {
        ngff_image_free(image);
    }
};

/* One pixel of any type. */
using PixelValue = std::array<GByte, 16>;

struct ImageFromSource {
    std::unique_ptr<ngff_image, ImageReleaser> image{};
    std::string dims{}; /* "cyx" */
    int64_t shape[5] = {};
    std::vector<int> bands{}; /* the source's band of each plane, planes in C order of the axes before y */
    std::vector<int64_t>
        channel_indexes{};                 /* which of the source's channels they are; empty: all, as far as is known */
    std::vector<PixelValue> unwritten{};   /* of each plane: as what a pixel reads that is not written */
    std::vector<GDALColorInterp> colors{}; /* of the source's bands */
    GDALDataType type = GDT_Unknown;       /* in which the source is read */
    int32_t pixel_type = 0;                /* NGFF_* */
    std::vector<std::string> losses{};     /* what of the source the image will not hold, in words */
    int32_t kind = NGFF_KIND_INTENSITY;
    std::string mixed{}; /* a warning: some bands hold classes, others do not */
    int alpha = -1;      /* the channel that is the opacity of the others */
    bool has_mask = false;
    bool keeps_mask = false;                  /* asked for: a mask is written even where all of it is valid */
    GDALDataset *stored = nullptr;            /* the store that the source changes: what NGFF says of it goes on */
    const ImageFromSource *axes_of = nullptr; /* where pixels have been taken by them, axes stay as they are */

    int rank() const
    {
        return static_cast<int>(dims.size());
    }
};

/* False, with an error, if the source cannot be an NGFF image (is_strict: not without a loss). */
bool image_from_source(GDALDataset *source, CSLConstList options, bool is_strict, ImageFromSource *to);

/* What the option COLOR_INTERPRETATION says the bands are, else what the source says; false, with an error, if it does not
 * fit them. */
bool band_colors(GDALDataset *source, CSLConstList options, std::vector<GDALColorInterp> *colors);

/* The same image with nothing but what counts for pixels, and the nodata values that the source has now. Asks the
 * source for nothing else, and warns of nothing. */
bool image_with_nodata(GDALDataset *source, const ImageFromSource &like, ImageFromSource *to);

#endif
