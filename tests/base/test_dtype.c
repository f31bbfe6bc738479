/* test_dtype.c: the table of pixel types, and float16 against the definition of IEEE 754. */
#include "base/dtype.h"

#include <float.h>
#include <math.h>

#include "check.h"

static void types_have_their_numbers_sizes_and_names(void)
{
    static const struct {
        int32_t id, size;
        const char *v2, *v3;
    } rows[] = {{1, 1, "|u1", "uint8"},        {2, 1, "|i1", "int8"},     {3, 2, "<u2", "uint16"},
                {4, 2, "<i2", "int16"},        {5, 4, "<u4", "uint32"},   {6, 4, "<i4", "int32"},
                {7, 8, "<u8", "uint64"},       {8, 8, "<i8", "int64"},    {9, 2, "<f2", "float16"},
                {10, 4, "<f4", "float32"},     {11, 8, "<f8", "float64"}, {12, 8, "<c8", "complex64"},
                {13, 16, "<c16", "complex128"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const dtype *type = dtype_get(rows[i].id);
        CHECK(type && type->size == rows[i].size);
        CHECK_INT(ngff_type_size(rows[i].id), rows[i].size);
        CHECK_TEXT(ngff_type_name(rows[i].id), rows[i].v3);
        CHECK_INT(ngff_type_by_name(rows[i].v3), rows[i].id);
        CHECK_TEXT(type->v2, rows[i].v2);
        CHECK_TEXT(type->v3, rows[i].v3);
        CHECK(dtype_by_v2(rows[i].v2) == type);
        CHECK(dtype_by_v3(rows[i].v3) == type);
    }
    CHECK(dtype_get(NGFF_COMPLEX128)->item_size == 8);
    CHECK(dtype_get(0) == NULL && dtype_get(14) == NULL && dtype_get(-1) == NULL);
    CHECK_INT(ngff_type_size(99), 0);
    CHECK(ngff_type_name(0) == NULL && ngff_type_name(14) == NULL);
    CHECK(ngff_type_by_name("uint128") == 0 && ngff_type_by_name("") == 0 && ngff_type_by_name(NULL) == 0);
    CHECK(dtype_by_v3("uint128") == NULL && dtype_by_v3("") == NULL);
    CHECK(dtype_by_v2("") == NULL && dtype_by_v2("<u3") == NULL && dtype_by_v2("u2") == NULL);
    CHECK(dtype_by_v2(">u2") == dtype_get(NGFF_UINT16));
}

/* IEEE 754 binary16 from its definition, in double. */
static double half_by_definition(uint16_t bits)
{
    int e = bits >> 10 & 31, f = bits & 1023;
    double m = e == 0 ? f * 0x1p-24 : (1024 + f) * pow(2, e - 25);
    return bits & 0x8000 ? -m : m;
}

static void every_half_is_its_definition_and_comes_back(void)
{
    int n_wrong = 0;
    for (int bits = 0; bits < 65536; bits++) {
        int is_special = (bits >> 10 & 31) == 31;
        float value = half_to_float((uint16_t)bits);
        if (!is_special)
            n_wrong += (double)value != half_by_definition((uint16_t)bits) || !signbit(value) != !(bits & 0x8000);
        if (is_special && bits & 1023)
            n_wrong += !isnan(value) || (half_from_float(value) & 0x7FFF) <= 0x7C00;
        else
            n_wrong += half_from_float(value) != bits;
    }
    CHECK_INT(n_wrong, 0);
}

static void floats_round_to_the_nearest_half_and_ties_to_even(void)
{
    int n_wrong = 0;
    for (int bits = 0; bits < 0x7BFF; bits++) {
        double a = half_by_definition((uint16_t)bits), b = half_by_definition((uint16_t)(bits + 1));
        float middle = (float)((a + b) / 2);
        n_wrong += half_from_float(middle) != (bits & 1 ? bits + 1 : bits);
        n_wrong += half_from_float(nextafterf(middle, 0)) != bits;
        n_wrong += half_from_float(nextafterf(middle, 1e9f)) != bits + 1;
        n_wrong += half_from_float(-middle) != (0x8000 | (bits & 1 ? bits + 1 : bits));
    }
    CHECK_INT(n_wrong, 0);
    CHECK_INT(half_from_float(65519.0f), 0x7BFF);
    CHECK_INT(half_from_float(65520.0f), 0x7C00);
    CHECK_INT(half_from_float(-INFINITY), 0xFC00);
    CHECK_INT(half_from_float(1e-30f), 0);
}

static void doubles_are_stored_only_when_exact(void)
{
    uint8_t byte = 77;
    CHECK(dtype_from_double(NGFF_UINT8, 255, &byte) && byte == 255);
    byte = 77;
    CHECK(!dtype_from_double(NGFF_UINT8, 256, &byte) && byte == 77);
    CHECK(!dtype_from_double(NGFF_UINT8, -1, &byte) && !dtype_from_double(NGFF_UINT8, 1.5, &byte));
    CHECK(!dtype_from_double(NGFF_UINT8, NAN, &byte) && !dtype_from_double(NGFF_UINT8, INFINITY, &byte));
    int8_t small;
    CHECK(dtype_from_double(NGFF_INT8, -128, &small) && small == -128);
    CHECK(!dtype_from_double(NGFF_INT8, 128, &small));
    int16_t middle;
    CHECK(dtype_from_double(NGFF_INT16, -9999, &middle) && middle == -9999);
    int64_t wide;
    CHECK(dtype_from_double(NGFF_INT64, -0x1p63, &wide) && wide == INT64_MIN);
    CHECK(!dtype_from_double(NGFF_INT64, 0x1p63, &wide));
    uint64_t wider;
    CHECK(dtype_from_double(NGFF_UINT64, 0x1p63, &wider) && wider == (uint64_t)1 << 63);
    CHECK(!dtype_from_double(NGFF_UINT64, 0x1p64, &wider));
    float single;
    CHECK(dtype_from_double(NGFF_FLOAT32, 0.5, &single) && single == 0.5f);
    CHECK(!dtype_from_double(NGFF_FLOAT32, 0.1, &single));
    CHECK(dtype_from_double(NGFF_FLOAT32, NAN, &single) && isnan(single));
    uint16_t half;
    CHECK(dtype_from_double(NGFF_FLOAT16, 0, &half) && half == 0);
    CHECK(dtype_from_double(NGFF_FLOAT16, -2, &half) && half == 0xC000);
    CHECK(!dtype_from_double(NGFF_FLOAT16, 2049, &half));
    double pair[2];
    CHECK(!dtype_from_double(NGFF_COMPLEX128, 1, pair));
}

static void pixels_read_as_doubles(void)
{
    CHECK(dtype_to_double(NGFF_INT8, &(int8_t){-3}) == -3);
    CHECK(dtype_to_double(NGFF_UINT32, &(uint32_t){4000000000u}) == 4e9);
    CHECK(dtype_to_double(NGFF_INT32, &(int32_t){-7}) == -7);
    CHECK(dtype_to_double(NGFF_FLOAT16, &(uint16_t){0x3C00}) == 1);
    CHECK(dtype_to_double(NGFF_COMPLEX64, (float[]){2.5f, 9}) == 2.5);
}

static void nan_is_found_in_either_part(void)
{
    CHECK(dtype_is_nan(NGFF_FLOAT32, &(float){NAN}) && !dtype_is_nan(NGFF_FLOAT32, &(float){INFINITY}));
    CHECK(dtype_is_nan(NGFF_FLOAT16, &(uint16_t){0x7E00}) && !dtype_is_nan(NGFF_FLOAT16, &(uint16_t){0x7C00}));
    CHECK(dtype_is_nan(NGFF_COMPLEX128, (double[]){0, NAN}) && dtype_is_nan(NGFF_COMPLEX128, (double[]){NAN, 0}));
    CHECK(!dtype_is_nan(NGFF_COMPLEX64, (float[]){1, 2}));
    CHECK(!dtype_is_nan(NGFF_UINT16, &(uint16_t){0x7E00}));
}

static void ranges_are_the_types(void)
{
    double low, high;
    dtype_range(NGFF_UINT8, &low, &high);
    CHECK(low == 0 && high == 255);
    dtype_range(NGFF_INT16, &low, &high);
    CHECK(low == -32768 && high == 32767);
    dtype_range(NGFF_FLOAT16, &low, &high);
    CHECK(low == -65504 && high == 65504);
    dtype_range(NGFF_FLOAT32, &low, &high);
    CHECK(low == -FLT_MAX && high == FLT_MAX);
    dtype_range(NGFF_UINT32, &low, &high);
    CHECK(low == 0 && high == 4294967295.0);
}

int main(void)
{
    RUN(types_have_their_numbers_sizes_and_names);
    RUN(every_half_is_its_definition_and_comes_back);
    RUN(floats_round_to_the_nearest_half_and_ties_to_even);
    RUN(doubles_are_stored_only_when_exact);
    RUN(pixels_read_as_doubles);
    RUN(nan_is_found_in_either_part);
    RUN(ranges_are_the_types);
    CHECK_EXIT();
}
