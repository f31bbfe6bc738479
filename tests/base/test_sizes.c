/* test_sizes.c: what does not fit is more than there is. */
#include "base/sizes.h"
#include "check.h"

static void products_and_sums_end_at_the_largest_size(void)
{
    static const struct {
        int64_t a, b, product, sum;
    } rows[] = {{0, 0, 0, 0},
                {3, 5, 15, 8},
                {0, INT64_MAX, 0, INT64_MAX},
                {1, INT64_MAX, INT64_MAX, INT64_MAX},
                {(int64_t)1 << 31, (int64_t)1 << 31, (int64_t)1 << 62, (int64_t)1 << 32},
                {(int64_t)1 << 32, (int64_t)1 << 31, INT64_MAX, ((int64_t)1 << 32) + ((int64_t)1 << 31)},
                {2, (int64_t)1 << 62, INT64_MAX, ((int64_t)1 << 62) + 2},
                {(int64_t)1 << 62, (int64_t)1 << 62, INT64_MAX, INT64_MAX},
                {-1, 2, INT64_MAX, INT64_MAX},
                {-1, 0, INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(size_times(rows[i].a, rows[i].b), rows[i].product);
        CHECK_INT(size_times(rows[i].b, rows[i].a), rows[i].product);
        CHECK_INT(size_plus(rows[i].a, rows[i].b), rows[i].sum);
        CHECK_INT(size_plus(rows[i].b, rows[i].a), rows[i].sum);
    }
}

static void memory_of_such_a_size_is_out(void)
{
    CHECK(memory_take((int64_t)1 << 32, (int64_t)1 << 32) == NULL &&
          memory_zeroed((int64_t)1 << 32, 1LL << 32) == NULL);
    CHECK(memory_take(-1, 1) == NULL && memory_zeroed(-1, 8) == NULL && memory_take(INT64_MAX, 1) == NULL);
    char *a = memory_take(10, 10), *b = memory_zeroed(10, 10), *c = memory_take(0, 8), *d = memory_zeroed(0, 8);
    CHECK(a && b && c && d);
    for (int i = 0; b && i < 100; i++)
        CHECK_INT(b[i], 0);
    free(a);
    free(b);
    free(c);
    free(d);
}

static void a_list_has_room_for_one_more(void)
{
    int *list = NULL;
    size_t room = 0;
    for (size_t n = 0; n < 1000; n++) {
        int *more = list_room(list, n, &room, sizeof *more);
        CHECK(more && room > n);
        list = more;
        list[n] = (int)n; /* the sanitizers see whether it is there */
    }
    for (int n = 0; n < 1000; n++)
        CHECK_INT(list[n], n);
    size_t before = room;
    CHECK(list_room(list, room, &room, SIZE_MAX / 4) == NULL); /* no memory: nothing has changed */
    CHECK(room == before && list[999] == 999);
    free(list);
}

int main(void)
{
    RUN(products_and_sums_end_at_the_largest_size);
    RUN(memory_of_such_a_size_is_out);
    RUN(a_list_has_room_for_one_more);
    CHECK_EXIT();
}
