/* The value that replaces a result equal to nodata: the next one up, at the largest value the next one down. */
#include "check.h"
#include "pyramid/window.h"

#include <float.h>
#include <math.h>

static void integers_go_up_and_the_largest_down(void)
{
    const uint8_t from8[] = {0, 254, 255}, to8[] = {1, 255, 254};
    const int64_t from64[] = {INT64_MIN, -1, INT64_MAX}, to64[] = {INT64_MIN + 1, 0, INT64_MAX - 1};
    for (int i = 0; i < 3; i++) {
        uint8_t v8;
        int64_t v64;
        nodata_neighbour(dtype_get(NGFF_UINT8), &from8[i], &v8);
        nodata_neighbour(dtype_get(NGFF_INT64), &from64[i], &v64);
        CHECK_INT(v8, to8[i]);
        CHECK_INT(v64, to64[i]);
    }
}

static void floats_go_to_the_next_number(void)
{
    const float from[] = {-9999, FLT_MAX, INFINITY, 1};
    const float to[] = {-9998.9990234375f, 3.4028232635611926e38f, FLT_MAX, 1.00000011920928955f};
    for (int i = 0; i < 4; i++) {
        float v;
        nodata_neighbour(dtype_get(NGFF_FLOAT32), &from[i], &v);
        CHECK(v == to[i]);
    }
}

static void halves_go_to_the_next_number(void)
{
    const uint16_t from[] = {0x3c00, 0x0000, 0x8000, 0xbc00, 0x7bff, 0x7c00, 0xfc00};
    const uint16_t to[] = {0x3c01, 0x0001, 0x0001, 0xbbff, 0x7bfe, 0x7bff, 0xfbff};
    for (int i = 0; i < 7; i++) {
        uint16_t v;
        nodata_neighbour(dtype_get(NGFF_FLOAT16), &from[i], &v);
        CHECK_INT(v, to[i]);
    }
}

int main(void)
{
    RUN(integers_go_up_and_the_largest_down);
    RUN(floats_go_to_the_next_number);
    RUN(halves_go_to_the_next_number);
    CHECK_EXIT();
}
