/* dimensions.h: on which axes the bands of a raster lie, as their metadata say it. GDAL has several ways of saying it:
 *
 *     DIM_<name>_INDEX, _VALUE, _UNIT    of each band: multidimensional arrays shown as a raster, here (arrays.h) also with
 *                                        _TYPE; our own stores, whose names are t, c and z, with _STEP, the axis' scale
 *     NETCDF_DIM_<name>                  the value, of each band of a netCDF, with <name>#units of the dataset
 *
 * They are ordinary metadata, so that GDAL's own copying (-b, -srcwin, -outsize, VRT, gdalwarp) carries them along. */
#ifndef OMEZARR_DESCRIBE_DIMENSIONS_H
#define OMEZARR_DESCRIBE_DIMENSIONS_H

#include "gdal.h"

#ifdef __cplusplus
#include <string>
#include <vector>

#include "plugin/gdal_compat.h"

/* Names of our own items: DIM_t_INDEX, DIM_y_UNIT. */
std::string dimension_item(char axis, const char *what);
/* And of those that say once more what the domain NGFF says to viewers: NGFF_COLOR. */
std::string ngff_item(const char *what);
/* What the domain NGFF, or such an item, says; NULL where neither does. */
const char *said_to_viewers(GDALMajorObject *object, const char *what);

/* Bands at all places of t, c, z. */
struct GridAxis {
    char letter = 0;
    int64_t size = 1;
    double scale = 1, translation = 0;
    const char *unit = nullptr; /* NGFF's name of it */
    std::string name{}, unit_text{};
    std::vector<int64_t> indexes{}; /* of its places in the bands' own words; 0 where they do not say it */
    bool is_even = true;            /* else scale and translation say nothing */
};

struct BandGrid {
    enum Kind { UNKNOWN, REGULAR, IRREGULAR } kind = UNKNOWN;
    std::vector<GridAxis> axes{}; /* in the order t, c, z */
    std::vector<int> bands{};     /* of each place, in C order of the axes */
    std::string reason{};         /* why it is irregular */
};

BandGrid grid_of_bands(GDALDataset *source);

/* The axis that a dimension is (t, c, z) by its name, its type as GDAL's multidimensional API has it, and its unit; '?' where
 * they do not tell. */
char dimension_meaning(const std::string &name, const std::string &type, const std::string &unit);

/* True if a band's metadata say where it lies. */
bool has_place(CSLConstList items);
/* True if they have dimensions that are not named t, c, z: those of its axes must be said, too. */
bool has_other_dimensions(CSLConstList items);

/* What is left of a band's description without the "T=0 C=1 Z=2" behind it that only says where the band lies. */
std::string without_place(const std::string &description, GDALRasterBand *band);

/* True, with the number, for a text that is a finite one. */
bool read_number(const char *text, double *value);

/* The step of values (two or more) that grow evenly, to the last bit or nearly so; 0: they do not. */
double even_step(const std::vector<double> &values);

/* The label that all planes of a channel have, with the place of one of them behind it in a stack. axes: those of planes,
 * of "tcz"; index: on each. */
std::string text_with_place(const std::string &label, const std::string &axes, const int64_t *index);

extern "C" {
#endif

/* The band of each plane of a store whose axes before y, x are dims, of these sizes, if the metadata of the source say
 * that its bands lie on these axes in another order than the store's; for CPLFree. NULL: in the same order. */
int *dimension_bands(GDALDatasetH source, const char *dims, const int64_t *sizes);

#ifdef __cplusplus
}
#endif
#endif
