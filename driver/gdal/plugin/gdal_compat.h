/* gdal_compat.h: one source for GDAL 3.6 to 3.13. GDAL's C++ signatures change with every minor; here each change has
 * one name, so that the classes read the same for all of them. Only C++ files of the driver include it. */
#ifndef OMEZARR_PLUGIN_GDAL_COMPAT_H
#define OMEZARR_PLUGIN_GDAL_COMPAT_H

#include "gdal_pam.h"
#include "gdal_priv.h"

#define OMEZARR_GDAL_AT_LEAST(major, minor) (GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(major, minor, 0))

/* Lists of NAME=VALUE: constant from 3.13 on. */
#if OMEZARR_GDAL_AT_LEAST(3, 13)
using StringListIn = CSLConstList;
using StringListOut = CSLConstList;
#else
using StringListIn = char **;
using StringListOut = char **;
#endif

/* The bands of GDALDataset::IRasterIO: constant from 3.10 on. */
#if OMEZARR_GDAL_AT_LEAST(3, 10)
using BandMapIn = BANDMAP_TYPE;
#else
using BandMapIn = int *;
#endif

/* GDALDataset::GetGeoTransform: a class, and const, from 3.12 on. GEOTRANSFORM_DATA is the six numbers either way. */
#if OMEZARR_GDAL_AT_LEAST(3, 12)
#define OMEZARR_GET_GEOTRANSFORM GetGeoTransform(GDALGeoTransform &geotransform) const override
#define OMEZARR_GET_GEOTRANSFORM_DEFINITION GetGeoTransform(GDALGeoTransform &geotransform) const
#define OMEZARR_GEOTRANSFORM_DATA geotransform.data()
#else
#define OMEZARR_GET_GEOTRANSFORM GetGeoTransform(double *geotransform) override
#define OMEZARR_GET_GEOTRANSFORM_DEFINITION GetGeoTransform(double *geotransform)
#define OMEZARR_GEOTRANSFORM_DATA geotransform
#endif

/* GDALDataset::SetGeoTransform. */
#if OMEZARR_GDAL_AT_LEAST(3, 12)
#define OMEZARR_SET_GEOTRANSFORM SetGeoTransform(const GDALGeoTransform &geotransform) override
#define OMEZARR_SET_GEOTRANSFORM_DEFINITION SetGeoTransform(const GDALGeoTransform &geotransform)
#else
#define OMEZARR_SET_GEOTRANSFORM SetGeoTransform(double *geotransform) override
#define OMEZARR_SET_GEOTRANSFORM_DEFINITION SetGeoTransform(double *geotransform)
#endif

/* GDALDataset::Close: there from 3.7 on, with progress from 3.13 on. Before, the destructor is all there is. */
#if OMEZARR_GDAL_AT_LEAST(3, 13)
#define OMEZARR_CLOSE Close(GDALProgressFunc = nullptr, void * = nullptr) override
#define OMEZARR_CLOSE_DEFINITION Close(GDALProgressFunc, void *)
#elif OMEZARR_GDAL_AT_LEAST(3, 7)
#define OMEZARR_CLOSE Close() override
#define OMEZARR_CLOSE_DEFINITION Close()
#endif

#endif
