/* dtype.h: the pixel types, one row each: size, names in Zarr v2, Zarr v3 and OME-XML, class. */
#ifndef NGFF_BASE_DTYPE_H
#define NGFF_BASE_DTYPE_H

#include "ngff.h"

/* The two formats of Zarr: they name types, documents and chunks differently. */
enum { ZARR_2 = 2, ZARR_3 = 3 };

typedef enum { CLASS_UNSIGNED, CLASS_SIGNED, CLASS_FLOAT, CLASS_COMPLEX } dtype_class;

typedef struct {
    int32_t data_type; /* NGFF_UINT8 ... */
    int32_t size;      /* bytes of a pixel */
    int32_t item_size; /* bytes of one number: half the size for complex types */
    dtype_class class;
    const char *v2;  /* little-endian Zarr v2 dtype string, such as "<u2" */
    const char *v3;  /* Zarr v3 data_type name, such as "uint16" */
    const char *ome; /* Type of OME-XML's Pixels; NULL: it has none such */
} dtype;

/* The row of a type, NULL for an unknown one. */
const dtype *dtype_get(int32_t data_type);
/* By name; v2 names of any byte order ("<u2", ">u2", "|u1"). NULL for an unknown name. */
const dtype *dtype_by_v2(const char *name);
const dtype *dtype_by_v3(const char *name);

/* One pixel as double (real part for complex types). 64-bit integers lose bits beyond 2^53. */
double dtype_to_double(int32_t data_type, const void *pixel);
/* Writes value as one pixel if the type holds it exactly; returns 0, and writes nothing, if not. Real types only. */
int dtype_from_double(int32_t data_type, double value, void *pixel);
/* True for a NaN (either part for complex types); never for integers. */
int dtype_is_nan(int32_t data_type, const void *pixel);
/* Smallest and largest finite value of the type, as double. */
void dtype_range(int32_t data_type, double *low, double *high);

/* float16 <-> float32, exact one way, half to even the other. */
float half_to_float(uint16_t half);
uint16_t half_from_float(float value);

#endif
