/* dtype.c: see dtype.h. */
#include "base/dtype.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static const dtype table[] = {
    {NGFF_UINT8, 1, 1, CLASS_UNSIGNED, "|u1", "uint8", "uint8"},
    {NGFF_INT8, 1, 1, CLASS_SIGNED, "|i1", "int8", "int8"},
    {NGFF_UINT16, 2, 2, CLASS_UNSIGNED, "<u2", "uint16", "uint16"},
    {NGFF_INT16, 2, 2, CLASS_SIGNED, "<i2", "int16", "int16"},
    {NGFF_UINT32, 4, 4, CLASS_UNSIGNED, "<u4", "uint32", "uint32"},
    {NGFF_INT32, 4, 4, CLASS_SIGNED, "<i4", "int32", "int32"},
    {NGFF_UINT64, 8, 8, CLASS_UNSIGNED, "<u8", "uint64", NULL},
    {NGFF_INT64, 8, 8, CLASS_SIGNED, "<i8", "int64", NULL},
    {NGFF_FLOAT16, 2, 2, CLASS_FLOAT, "<f2", "float16", NULL},
    {NGFF_FLOAT32, 4, 4, CLASS_FLOAT, "<f4", "float32", "float"},
    {NGFF_FLOAT64, 8, 8, CLASS_FLOAT, "<f8", "float64", "double"},
    {NGFF_COMPLEX64, 8, 4, CLASS_COMPLEX, "<c8", "complex64", "complex"},
    {NGFF_COMPLEX128, 16, 8, CLASS_COMPLEX, "<c16", "complex128", "double-complex"},
};

enum { n_types = sizeof table / sizeof table[0] };

const dtype *dtype_get(int32_t data_type)
{
    return data_type >= 1 && data_type <= n_types ? &table[data_type - 1] : NULL;
}

const dtype *dtype_by_v2(const char *name)
{
    for (int i = 0; i < n_types; i++)
        if (name[0] && strchr("<>|=", name[0]) && strcmp(name + 1, table[i].v2 + 1) == 0)
            return &table[i];
    return NULL;
}

const dtype *dtype_by_v3(const char *name)
{
    for (int i = 0; i < n_types; i++)
        if (strcmp(name, table[i].v3) == 0)
            return &table[i];
    return NULL;
}

int32_t ngff_type_size(int32_t data_type)
{
    const dtype *type = dtype_get(data_type);
    return type ? type->size : 0;
}

const char *ngff_type_name(int32_t data_type)
{
    const dtype *type = dtype_get(data_type);
    return type ? type->v3 : NULL;
}

int32_t ngff_type_by_name(const char *name)
{
    const dtype *type = name ? dtype_by_v3(name) : NULL;
    return type ? type->data_type : 0;
}

float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31;
    int fraction = half & 1023;
    float magnitude;
    if (exponent == 31)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexpf((float)fraction, -24);
    else
        magnitude = ldexpf((float)(fraction | 1024), exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

uint16_t half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    float magnitude = fabsf(value);
    if (isnan(value))
        return (uint16_t)(sign | 0x7E00);
    if (magnitude >= 65520.0f) /* the middle between the largest half, 65504, and the next step */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude == 0)
        return sign; /* frexpf gives it the exponent of 0.5 */
    int exponent;
    frexpf(magnitude, &exponent);
    int unit = exponent < -13 ? -24 : exponent - 11; /* the weight of the last bit, 2^unit; subnormals stop at 2^-24 */
    uint32_t steps = (uint32_t)nearbyintf(ldexpf(magnitude, -unit));
    if (exponent < -13)
        return (uint16_t)(sign | steps);
    /* Adding instead of or-ing lets a fraction that rounds up to 2048 carry into the exponent. */
    return (uint16_t)(sign | (((uint32_t)(exponent + 13) << 10) + steps));
}

#define READ(type, name)                                                                                               \
    type name;                                                                                                         \
    memcpy(&name, pixel, sizeof name)

double dtype_to_double(int32_t data_type, const void *pixel)
{
#define CASE(id, type)                                                                                                 \
    case id: {                                                                                                         \
        READ(type, v);                                                                                                 \
        return (double)v;                                                                                              \
    }
    switch (data_type) {
        CASE(NGFF_UINT8, uint8_t)
        CASE(NGFF_INT8, int8_t)
        CASE(NGFF_UINT16, uint16_t)
        CASE(NGFF_INT16, int16_t)
        CASE(NGFF_UINT32, uint32_t)
        CASE(NGFF_INT32, int32_t)
        CASE(NGFF_UINT64, uint64_t)
        CASE(NGFF_INT64, int64_t)
        CASE(NGFF_FLOAT32, float)
        CASE(NGFF_FLOAT64, double)
        CASE(NGFF_COMPLEX64, float)
        CASE(NGFF_COMPLEX128, double)
    case NGFF_FLOAT16: {
        READ(uint16_t, v);
        return half_to_float(v);
    }
    }
#undef CASE
    return 0;
}

int dtype_from_double(int32_t data_type, double value, void *pixel)
{
    const dtype *type = dtype_get(data_type);
    if (!type || type->class == CLASS_COMPLEX)
        return 0;
    if (type->class == CLASS_FLOAT) {
        float single = (float)value;
        if (type->size == 8)
            memcpy(pixel, &value, 8);
        else if (!isnan(value) && (double)single != value)
            return 0;
        else if (type->size == 4)
            memcpy(pixel, &single, 4);
        else {
            uint16_t half = half_from_float(single);
            if (!isnan(value) && (double)half_to_float(half) != value)
                return 0;
            memcpy(pixel, &half, 2);
        }
        return 1;
    }
    /* Integers: 2^63 and 2^64 are the first doubles out of range; the ends of the 64-bit types are not doubles. */
    double limit = ldexp(1.0, type->size * 8 - (type->class == CLASS_SIGNED));
    double low = type->class == CLASS_SIGNED ? -limit : 0.0;
    if (!(value >= low && value < limit) || value != floor(value))
        return 0;
    uint64_t bits = value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
    for (int i = 0; i < type->size; i++) /* as the machine stores it */
        ((uint8_t *)pixel)[i] = 0;
#define STORE(bytes, unsigned_type)                                                                                    \
    if (type->size == bytes) {                                                                                         \
        unsigned_type v = (unsigned_type)bits;                                                                         \
        memcpy(pixel, &v, bytes);                                                                                      \
    }
    STORE(1, uint8_t)
    STORE(2, uint16_t)
    STORE(4, uint32_t)
    STORE(8, uint64_t)
#undef STORE
    return 1;
}

int dtype_is_nan(int32_t data_type, const void *pixel)
{
    const dtype *type = dtype_get(data_type);
    if (!type || type->class == CLASS_UNSIGNED || type->class == CLASS_SIGNED)
        return 0;
    if (type->class == CLASS_FLOAT)
        return isnan(dtype_to_double(data_type, pixel));
    return isnan(dtype_to_double(data_type, pixel)) ||
           isnan(dtype_to_double(data_type, (const char *)pixel + type->item_size));
}

void dtype_range(int32_t data_type, double *low, double *high)
{
    const dtype *type = dtype_get(data_type);
    int bits = type->item_size * 8;
    if (type->class == CLASS_UNSIGNED || type->class == CLASS_SIGNED) {
        int is_signed = type->class == CLASS_SIGNED;
        *high = ldexp(1.0, bits - is_signed) - 1;
        *low = is_signed ? -ldexp(1.0, bits - 1) : 0;
        return;
    }
    *high = bits == 16 ? 65504.0 : bits == 32 ? FLT_MAX : DBL_MAX;
    *low = -*high;
}
