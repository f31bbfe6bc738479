/* pixel_type.h: GDAL's pixel types and NGFF's. GDAL learnt Int8 in 3.7 (before: Byte with PIXELTYPE=SIGNEDBYTE) and
 * Float16 in 3.11 (before: read as Float32). */
#ifndef OMEZARR_DESCRIBE_PIXEL_TYPE_H
#define OMEZARR_DESCRIBE_PIXEL_TYPE_H

#include "plugin/gdal_compat.h"
#include "ngff.h"

/* The type of a band as NGFF has it; 0 where NGFF has none of the same values. is_signed_byte: PIXELTYPE=SIGNEDBYTE. */
inline int32_t ngff_from_gdal(GDALDataType type, bool is_signed_byte)
{
    switch (type) {
    case GDT_Byte:
        return is_signed_byte ? NGFF_INT8 : NGFF_UINT8;
#if OMEZARR_GDAL_AT_LEAST(3, 7)
    case GDT_Int8:
        return NGFF_INT8;
#endif
    case GDT_UInt16:
        return NGFF_UINT16;
    case GDT_Int16:
        return NGFF_INT16;
    case GDT_UInt32:
        return NGFF_UINT32;
    case GDT_Int32:
        return NGFF_INT32;
    case GDT_UInt64:
        return NGFF_UINT64;
    case GDT_Int64:
        return NGFF_INT64;
#if OMEZARR_GDAL_AT_LEAST(3, 11)
    case GDT_Float16:
        return NGFF_FLOAT16;
#endif
    case GDT_Float32:
        return NGFF_FLOAT32;
    case GDT_Float64:
        return NGFF_FLOAT64;
    case GDT_CFloat32:
        return NGFF_COMPLEX64;
    case GDT_CFloat64:
        return NGFF_COMPLEX128;
    default:
        return 0;
    }
}

/* The type in which GDAL shows an NGFF type; GDT_Unknown for an unknown one. */
inline GDALDataType gdal_from_ngff(int32_t type)
{
    switch (type) {
    case NGFF_UINT8:
        return GDT_Byte;
    case NGFF_INT8:
#if OMEZARR_GDAL_AT_LEAST(3, 7)
        return GDT_Int8;
#else
        return GDT_Byte;
#endif
    case NGFF_UINT16:
        return GDT_UInt16;
    case NGFF_INT16:
        return GDT_Int16;
    case NGFF_UINT32:
        return GDT_UInt32;
    case NGFF_INT32:
        return GDT_Int32;
    case NGFF_UINT64:
        return GDT_UInt64;
    case NGFF_INT64:
        return GDT_Int64;
    case NGFF_FLOAT16:
#if OMEZARR_GDAL_AT_LEAST(3, 11)
        return GDT_Float16;
#else
        return GDT_Float32;
#endif
    case NGFF_FLOAT32:
        return GDT_Float32;
    case NGFF_FLOAT64:
        return GDT_Float64;
    case NGFF_COMPLEX64:
        return GDT_CFloat32;
    case NGFF_COMPLEX128:
        return GDT_CFloat64;
    default:
        return GDT_Unknown;
    }
}

/* Complex integers, and complex halves, have no NGFF type: the smallest floating type that holds all their values. */
inline GDALDataType nearest_ngff_type(GDALDataType type)
{
    switch (type) {
    case GDT_CInt16:
        return GDT_CFloat32;
    case GDT_CInt32:
        return GDT_CFloat64;
#if OMEZARR_GDAL_AT_LEAST(3, 11)
    case GDT_CFloat16:
        return GDT_CFloat32;
#endif
    default:
        return type;
    }
}

/* A half as float. All halves are floats, so this is exact. */
inline float float_from_half(uint16_t half)
{
    const bool is_negative = (half & 0x8000) != 0;
    const int exponent = (half >> 10) & 31, mantissa = half & 1023;
    float value;
    if (exponent == 31)
        value = mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    else if (exponent == 0)
        value = std::ldexp(static_cast<float>(mantissa), -24);
    else
        value = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
    return is_negative ? -value : value;
}

#endif
