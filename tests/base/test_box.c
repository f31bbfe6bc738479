/* test_box.c: boxes by hand, and copies and fills against one loop per axis. */
#include "base/box.h"

#include "check.h"

static void product_notices_overflow_and_negative_sizes(void)
{
    CHECK_INT(product_checked((int64_t[]){3, 4, 5}, 3), 60);
    CHECK_INT(product_checked(NULL, 0), 1);
    CHECK_INT(product_checked((int64_t[]){INT64_MAX, 1}, 2), INT64_MAX);
    CHECK_INT(product_checked((int64_t[]){INT64_MAX, 2}, 2), -1);
    CHECK_INT(product_checked((int64_t[]){(int64_t)1 << 32, (int64_t)1 << 31}, 2), -1);
    CHECK_INT(product_checked((int64_t[]){4, -1}, 2), -1);
    CHECK_INT(product_checked((int64_t[]){0, 7}, 2), 0);
}

static void quotient_is_rounded_up(void)
{
    CHECK_INT(ceil_div(0, 3), 0);
    CHECK_INT(ceil_div(1, 3), 1);
    CHECK_INT(ceil_div(3, 3), 1);
    CHECK_INT(ceil_div(4, 3), 2);
    CHECK_INT(ceil_div(INT64_MAX, 2), (INT64_MAX - 1) / 2 + 1);
}

static void boxes_intersect_contain_and_compare(void)
{
    box a = box_make(2, (int64_t[]){0, 10}, (int64_t[]){5, 10});
    box b = box_make(2, (int64_t[]){3, 15}, (int64_t[]){10, 10});
    box both = box_intersect(&a, &b);
    box expected = box_make(2, (int64_t[]){3, 15}, (int64_t[]){2, 5});
    CHECK(box_equals(&both, &expected));
    CHECK_INT(box_volume(&both), 10);
    CHECK(box_contains(&a, &both) && box_contains(&b, &both) && !box_contains(&a, &b));
    CHECK(box_contains(&a, &a));
    box far = box_make(2, (int64_t[]){5, 10}, (int64_t[]){1, 1});
    both = box_intersect(&a, &far);
    CHECK(box_is_empty(&both) && box_volume(&both) == 0);
    CHECK(!box_is_empty(&far));
    box flat = box_make(1, NULL, (int64_t[]){5});
    CHECK_INT(flat.origin[0], 0);
    CHECK(!box_equals(&flat, &a));
}

static void dense_strides_are_in_c_order(void)
{
    int64_t strides[3];
    strides_dense(3, (int64_t[]){4, 5, 6}, 2, strides);
    CHECK(strides[0] == 60 && strides[1] == 12 && strides[2] == 2);
    CHECK_INT(strides_offset(3, strides, (int64_t[]){1, 1, 1}, (int64_t[]){2, 3, 1}), 60 + 24);
}

enum { room = 4096 };

static uint8_t from[room], to[room], expected[room];

static void fill_source(void)
{
    for (int i = 0; i < room; i++)
        from[i] = (uint8_t)(i * 7 + i / 256);
    memset(to, 0xEE, room);
    memset(expected, 0xEE, room);
}

/* One loop per axis, byte by byte. */
static void copy_plainly(int rank, const int64_t *extent, int64_t size, uint8_t *t, const int64_t *ts, const uint8_t *f,
                         const int64_t *fs)
{
    if (rank == 0) {
        for (int64_t i = 0; i < size; i++)
            t[i] = f[i];
        return;
    }
    for (int64_t i = 0; i < extent[0]; i++)
        copy_plainly(rank - 1, extent + 1, size, t + i * ts[0], ts + 1, f + i * fs[0], fs + 1);
}

static void check_copy(int rank, const int64_t *extent, int64_t size, int64_t to_start, const int64_t *ts,
                       int64_t from_start, const int64_t *fs)
{
    fill_source();
    copy_plainly(rank, extent, size, expected + to_start, ts, from + from_start, fs);
    pixels_copy(rank, extent, size, to + to_start, ts, from + from_start, fs);
    CHECK(memcmp(to, expected, room) == 0);
}

static void copies_equal_plain_loops_for_any_strides(void)
{
    static const int64_t sizes[] = {1, 2, 4, 8, 16};
    for (int i = 0; i < 5; i++) {
        int64_t s = sizes[i];
        int64_t dense[3], padded[3];
        strides_dense(3, (int64_t[]){2, 3, 5}, s, dense);
        strides_dense(3, (int64_t[]){3, 4, 7}, s, padded);
        check_copy(3, (int64_t[]){2, 3, 5}, s, 0, dense, 0, dense);
        check_copy(3, (int64_t[]){2, 3, 5}, s, 0, padded, 0, dense);
        check_copy(3, (int64_t[]){2, 3, 5}, s, 0, dense, 0, padded);
        check_copy(3, (int64_t[]){2, 3, 5}, s, 0, padded, 0, padded);
        check_copy(3, (int64_t[]){1, 3, 5}, s, 0, (int64_t[]){1, 5 * s, s}, 0, (int64_t[]){999, 5 * s, s});
        /* interleaved, upside down and mirrored, one row or one value for all */
        check_copy(2, (int64_t[]){3, 5}, s, 0, (int64_t[]){5 * s, s}, 0, (int64_t[]){15 * s, 3 * s});
        check_copy(2, (int64_t[]){3, 5}, s, 0, (int64_t[]){15 * s, 3 * s}, 0, (int64_t[]){5 * s, s});
        check_copy(2, (int64_t[]){3, 5}, s, 0, (int64_t[]){5 * s, s}, 10 * s, (int64_t[]){-5 * s, s});
        check_copy(2, (int64_t[]){3, 5}, s, 0, (int64_t[]){5 * s, s}, 14 * s, (int64_t[]){-5 * s, -s});
        check_copy(2, (int64_t[]){3, 5}, s, 0, (int64_t[]){5 * s, s}, 0, (int64_t[]){0, s});
        check_copy(2, (int64_t[]){3, 5}, s, 0, (int64_t[]){5 * s, s}, 0, (int64_t[]){0, 0});
        check_copy(1, (int64_t[]){5}, s, 0, (int64_t[]){s}, 0, (int64_t[]){2 * s});
        check_copy(1, (int64_t[]){1}, s, 0, (int64_t[]){s}, 0, (int64_t[]){s});
        check_copy(5, (int64_t[]){2, 1, 2, 3, 2}, s, 0, (int64_t[]){12 * s, 12 * s, 6 * s, 2 * s, s}, 0,
                   (int64_t[]){40 * s, 30 * s, 15 * s, 3 * s, s});
    }
}

static void empty_extents_copy_nothing(void)
{
    check_copy(2, (int64_t[]){0, 5}, 2, 0, (int64_t[]){10, 2}, 0, (int64_t[]){20, 2});
    check_copy(2, (int64_t[]){5, 0}, 2, 0, (int64_t[]){10, 2}, 0, (int64_t[]){20, 2});
}

static void fills_touch_only_the_box(void)
{
    static const uint8_t values[][16] = {{0}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    static const int64_t sizes[] = {1, 2, 4, 8, 16};
    for (int v = 0; v < 2; v++)
        for (int i = 0; i < 5; i++) {
            int64_t s = sizes[i], zero[3] = {0}, extent[3] = {2, 3, 5}, strides[3];
            strides_dense(3, (int64_t[]){3, 4, 7}, s, strides);
            fill_source();
            copy_plainly(3, extent, s, expected, strides, values[v], zero);
            pixels_fill(3, extent, s, to, strides, values[v]);
            CHECK(memcmp(to, expected, room) == 0);
            pixels_fill(3, (int64_t[]){2, 0, 5}, s, to, strides, values[v]);
            CHECK(memcmp(to, expected, room) == 0);
        }
}

static void equal_pixels_are_compared_bit_by_bit(void)
{
    uint16_t row[5] = {7, 7, 7, 7, 7}, seven = 7;
    float zero = 0, negative_zeros[2] = {-0.0f, -0.0f};
    CHECK(pixels_all_equal(row, 5, 2, &seven));
    CHECK(pixels_all_equal(row, 1, 2, &seven));
    CHECK(pixels_all_equal(row, 0, 2, &seven));
    row[4] = 8;
    CHECK(!pixels_all_equal(row, 5, 2, &seven));
    row[4] = 7;
    row[0] = 8;
    CHECK(!pixels_all_equal(row, 5, 2, &seven));
    CHECK(!pixels_all_equal(negative_zeros, 2, 4, &zero));
}

int main(void)
{
    RUN(product_notices_overflow_and_negative_sizes);
    RUN(quotient_is_rounded_up);
    RUN(boxes_intersect_contain_and_compare);
    RUN(dense_strides_are_in_c_order);
    RUN(copies_equal_plain_loops_for_any_strides);
    RUN(empty_extents_copy_nothing);
    RUN(fills_touch_only_the_box);
    RUN(equal_pixels_are_compared_bit_by_bit);
    CHECK_EXIT();
}
