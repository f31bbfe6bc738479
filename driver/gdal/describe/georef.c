/* georef.c: see georef.h. NGFF counts pixel centres, has positive scales only and knows no CRS; GDAL counts pixel
 * corners, and north-up rasters have a negative step in y. So NGFF gets the size of a pixel, in metres where the CRS is
 * in length units, and the exact transform and CRS travel beside it. GDAL's geotransform always gives x = easting or
 * longitude first, whatever the axis order of the CRS: no axis is swapped here. (ORIGIN=SOUTHING is core's.) */
#include "describe/georef.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cpl_conv.h"
#include "cpl_string.h"

/* GDAL's last error, which questions that may fail must not change: CPLErrorStateBackuper in C. */
typedef struct {
    CPLErr type;
    CPLErrorNum number;
    char *message;
} last_error;

static last_error keep_last_error(void)
{
    return (last_error){CPLGetLastErrorType(), CPLGetLastErrorNo(), CPLStrdup(CPLGetLastErrorMsg())};
}

static void restore_last_error(last_error *before)
{
    CPLErrorSetState(before->type, before->number, before->message);
    CPLFree(before->message);
}

/* Length units that UDUNITS-2 and NGFF know by name; every other one is converted to metres. */
static const struct {
    double metres;
    const char *name;
} length_units[] = {
    {1.0, "meter"}, {1000.0, "kilometer"}, {0.3048, "foot"}, {0.9144, "yard"}, {1609.344, "mile"},
};

/* 1 US survey foot = 1200/3937 m; databases and files carry it rounded to 12-16 digits. */
static double exact_unit(double metres)
{
    const double survey_foot = 1200.0 / 3937.0;
    return fabs(metres - survey_foot) < 1e-12 ? survey_foot : metres;
}

/* The NGFF unit of the CRS' horizontal axes (NULL: none) and the factor that brings CRS units to it. */
static const char *unit_of_crs(OGRSpatialReferenceH crs, double *factor)
{
    *factor = 1.0;
    if (crs == NULL || OSRIsGeographic(crs) || !(OSRIsProjected(crs) || OSRIsLocal(crs) || OSRIsGeocentric(crs)))
        return NULL;
    char *name = NULL;
    const double metres = exact_unit(OSRGetLinearUnits(crs, &name));
    if (!(metres > 0) || !isfinite(metres) || (name != NULL && EQUAL(name, "unknown") && metres == 1.0))
        return NULL;
    for (size_t i = 0; i < sizeof length_units / sizeof *length_units; i++)
        if (metres == length_units[i].metres)
            return length_units[i].name;
    *factor = metres;
    return "meter";
}

static int is_usable(const double *affine)
{
    for (int i = 0; i < 6; i++)
        if (!isfinite(affine[i]))
            return 0;
    const double area = affine[1] * affine[5] - affine[2] * affine[4];
    return isfinite(area) && area != 0;
}

/* North-up, south-up, rotated and sheared alike: an axis is as long as the step along it. Without a CRS, rows that go
 * down and columns that go right are NGFF's own axes: then the first pixel has its position, too. */
static int32_t set_positions(GDALDatasetH source, const double *affine, ngff_image *image, int rank, double *scale,
                             double *translation)
{
    double factor = 1;
    const int y = rank - 2, x = rank - 1;
    const char *unit = unit_of_crs(GDALGetSpatialRef(source), &factor);
    scale[x] = factor * hypot(affine[1], affine[4]);
    scale[y] = factor * hypot(affine[2], affine[5]);
    translation[x] = translation[y] = 0;
    if (georef_is_of_axes(source, affine)) {
        translation[x] = affine[0] + 0.5 * affine[1];
        translation[y] = affine[3] + 0.5 * affine[5];
    }
    int32_t status = ngff_image_set_scale(image, scale);
    if (status == NGFF_OK)
        status = ngff_image_set_translation(image, translation);
    for (int axis = y; axis <= x && unit != NULL && status == NGFF_OK; axis++)
        status = ngff_image_set_unit(image, axis, unit);
    return status;
}

/* Hands CRS and transform to the image. affine: NULL where there is none. */
static int32_t set_georeference(GDALDatasetH source, const double *affine, ngff_image *image)
{
    OGRSpatialReferenceH crs = GDALGetSpatialRef(source);
    if (crs == NULL)
        return affine != NULL ? ngff_image_set_georeference(image, affine, NULL, NULL, NULL, 0) : NGFF_OK;

    const char *const wkt_format[] = {"FORMAT=WKT2_2019", NULL};
    char *wkt = NULL, *projjson = NULL, code[80] = "";
    const char *authority = OSRGetAuthorityName(crs, NULL), *number = OSRGetAuthorityCode(crs, NULL);
    if (authority != NULL && number != NULL)
        snprintf(code, sizeof code, "%s:%s", authority, number);
    /* What has no WKT 2 form goes without one; that is said by our caller, not by PROJ. */
    last_error before = keep_last_error();
    CPLPushErrorHandler(CPLQuietErrorHandler);
    if (OSRExportToWktEx(crs, &wkt, wkt_format) != OGRERR_NONE || wkt == NULL || *wkt == '\0') {
        CPLFree(wkt);
        wkt = NULL;
    }
    if (OSRExportToPROJJSON(crs, &projjson, NULL) != OGRERR_NONE || projjson == NULL || *projjson == '\0') {
        CPLFree(projjson);
        projjson = NULL;
    }
    CPLPopErrorHandler();
    restore_last_error(&before);
    const int32_t status =
        ngff_image_set_georeference(image, affine, *code != '\0' ? code : NULL, wkt, projjson, OSRIsGeographic(crs));
    CPLFree(wkt);
    CPLFree(projjson);
    return status;
}

int georef_is_of_axes(GDALDatasetH source, const double *affine)
{
    return GDALGetSpatialRef(source) == NULL && affine[1] > 0 && affine[5] > 0 && affine[2] == 0 && affine[4] == 0;
}

int32_t georef_describe(GDALDatasetH source, ngff_image *image, int rank, double *scale, double *translation, int *what)
{
    double affine[6];
    *what = GEOREF_NO_TRANSFORM;
    if (GDALGetGeoTransform(source, affine) != CE_None)
        return set_georeference(source, NULL, image);
    if (!is_usable(affine)) {
        *what = GEOREF_DEGENERATE;
        return set_georeference(source, NULL, image);
    }
    *what = GEOREF_TRANSFORM;
    const int32_t status = set_positions(source, affine, image, rank, scale, translation);
    return status == NGFF_OK ? set_georeference(source, affine, image) : status;
}

/* "EPSG:32633" and other codes of PROJ's database; nothing that reads a file or the network. */
static OGRErr import_code(OGRSpatialReferenceH crs, const char *code)
{
    if (EQUALN(code, "EPSG:", 5))
        return OSRImportFromEPSG(crs, atoi(code + 5));
    const size_t n = strlen(code);
    const char *colon = strchr(code, ':');
    if (colon == NULL || n > 64 ||
        strspn(colon + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.") != strlen(colon + 1))
        return OGRERR_UNSUPPORTED_SRS;
    for (const char *c = code; c < colon; c++)
        if (!((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            return OGRERR_UNSUPPORTED_SRS;
    return OSRSetFromUserInput(crs, code);
}

/* WKT 2 gives a compound CRS with a code no codes of its parts: where the database's definition of that code is the
 * same, it is taken, because its horizontal and vertical parts have their codes too. */
static OGRSpatialReferenceH with_codes_of_parts(OGRSpatialReferenceH crs)
{
    const char *const options[] = {"IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES", "CRITERION=EQUIVALENT", NULL};
    const char *authority = OSRGetAuthorityName(crs, NULL), *number = OSRGetAuthorityCode(crs, NULL);
    char code[80];
    if (!OSRIsCompound(crs) || authority == NULL || number == NULL ||
        (size_t)snprintf(code, sizeof code, "%s:%s", authority, number) >= sizeof code)
        return crs;
    OGRSpatialReferenceH defined = OSRNewSpatialReference(NULL);
    if (import_code(defined, code) != OGRERR_NONE || !OSRIsSameEx(defined, crs, options) ||
        !EQUAL(OSRGetName(defined), OSRGetName(crs))) {
        OSRDestroySpatialReference(defined);
        return crs;
    }
    OSRDestroySpatialReference(crs);
    return defined;
}

static char *text_of(OGRSpatialReferenceH crs)
{
    const char *const format[] = {"FORMAT=WKT2_2019", NULL};
    char *text = NULL;
    if (OSRExportToWktEx(crs, &text, format) == OGRERR_NONE)
        return text;
    CPLFree(text);
    return NULL;
}

/* WKT 2 leaves the codes of datum, ellipsoid and units out where the whole has one, and GDAL's WKT 1 shows them: the
 * database has them all, PROJJSON some. Taken where it is the same CRS otherwise, to the letter: as the text that was
 * stored has it (GDAL reads Pseudo-Mercator, EPSG:3857, as something less than was written), or as it was read. */
static OGRSpatialReferenceH with_codes_of_datum(OGRSpatialReferenceH crs, const char *wkt, const char *projjson)
{
    const char *authority = OSRGetAuthorityName(crs, NULL), *number = OSRGetAuthorityCode(crs, NULL);
    char code[80] = "", *of_crs = text_of(crs);
    if (authority != NULL && number != NULL)
        snprintf(code, sizeof code, "%s:%s", authority, number);
    for (int way = 0; way < 2; way++) {
        OGRSpatialReferenceH other = OSRNewSpatialReference(NULL);
        const OGRErr status = way == 0                               ? import_code(other, code)
                              : projjson != NULL && *projjson == '{' ? OSRSetFromUserInput(other, projjson)
                                                                     : OGRERR_UNSUPPORTED_SRS;
        char *text = status == OGRERR_NONE ? text_of(other) : NULL;
        const int is_same =
            text != NULL && ((wkt != NULL && strcmp(text, wkt) == 0) || (of_crs != NULL && strcmp(text, of_crs) == 0));
        CPLFree(text);
        OSRDestroySpatialReference(is_same ? crs : other);
        if (is_same) {
            crs = other;
            break;
        }
    }
    CPLFree(of_crs);
    return crs;
}

OGRSpatialReferenceH georef_crs(const char *wkt, const char *projjson, const char *code, const int *mapping,
                                int n_mapping, double epoch)
{
    OGRSpatialReferenceH crs = OSRNewSpatialReference(NULL);
    OGRErr status = OGRERR_CORRUPT_DATA;
    last_error before = keep_last_error();
    CPLPushErrorHandler(CPLQuietErrorHandler);
    if (wkt != NULL && *wkt != '\0') {
        char *text = (char *)wkt;
        status = OSRImportFromWkt(crs, &text);
    }
    /* OSRSetFromUserInput would also read files and URLs: only text that is a JSON object is PROJJSON. */
    if (status != OGRERR_NONE && projjson != NULL && *projjson == '{')
        status = OSRSetFromUserInput(crs, projjson);
    if (status != OGRERR_NONE && code != NULL)
        status = import_code(crs, code);
    if (status == OGRERR_NONE)
        crs = with_codes_of_datum(with_codes_of_parts(crs), wkt, projjson);
    CPLPopErrorHandler();
    restore_last_error(&before);
    if (status != OGRERR_NONE) {
        OSRDestroySpatialReference(crs);
        return NULL;
    }
    if (n_mapping > 0)
        OSRSetDataAxisToSRSAxisMapping(crs, n_mapping, mapping);
    else
        OSRSetAxisMappingStrategy(crs, OAMS_TRADITIONAL_GIS_ORDER);
    if (epoch > 0)
        OSRSetCoordinateEpoch(crs, epoch);
    return crs;
}

int georef_from_axes(const double *scale_yx, const double *translation_yx, int is_measured, double *geotransform)
{
    if (!is_measured && scale_yx[0] == 1 && scale_yx[1] == 1 && translation_yx[0] == 0 && translation_yx[1] == 0)
        return 0;
    const double transform[6] = {translation_yx[1] - 0.5 * scale_yx[1], scale_yx[1], 0,
                                 translation_yx[0] - 0.5 * scale_yx[0], 0,           scale_yx[0]};
    memcpy(geotransform, transform, sizeof transform);
    return 1;
}
