/* georef.h: GDAL's geotransform and CRS -> NGFF's scale, translation and units, and back. Plain C on GDAL's C API. */
#ifndef OMEZARR_DESCRIBE_GEOREF_H
#define OMEZARR_DESCRIBE_GEOREF_H

#include "gdal.h"
#include "ngff.h"
#include "ogr_srs_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What became of the source's geotransform. */
#define GEOREF_NO_TRANSFORM 0 /* there is none: scale 1, translation 0 */
#define GEOREF_TRANSFORM 1    /* scale from it, and the six numbers are in the geo attributes */
#define GEOREF_DEGENERATE 2   /* not finite, or it maps the image to a line: scale 1; the caller keeps it elsewhere */

/* True for a geotransform that scale and translation of axes y and x can say: no CRS, rows go down, columns right. */
int georef_is_of_axes(GDALDatasetH source, const double *affine);

/* Sets scale, translation and units and the georeference of image from the source, and the last two numbers (y, x) of
 * scale and translation; those before are the caller's. what: GEOREF_*. */
int32_t georef_describe(GDALDatasetH source, ngff_image *image, int rank, double *scale, double *translation,
                        int *what);

/* A CRS from the first of these texts that is there: WKT, PROJJSON, "AUTHORITY:CODE". mapping: data axis to CRS axis
 * (n_mapping 0: traditional order, x = easting or longitude); epoch 0: none. NULL: none of them is valid.
 * For OSRDestroySpatialReference. */
OGRSpatialReferenceH georef_crs(const char *wkt, const char *projjson, const char *code, const int *mapping,
                                int n_mapping, double epoch);

/* The geotransform of an image that has only scale and translation (of the first pixel's centre; y, x). Returns 0,
 * and no geotransform, when they are the defaults 1 and 0 and nothing shows that somebody means them (is_measured: they
 * have a unit). */
int georef_from_axes(const double *scale_yx, const double *translation_yx, int is_measured, double *geotransform);

#ifdef __cplusplus
}
#endif
#endif
