/* test_label_values.c: the values that occur in a label image, told by cells as the cascade hands them over. */
#include "pyramid/label_values.h"

#include "check.h"

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})
#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* 2 x 5 x 6 pixels in blocks of 1 x 4 x 4. */
static ngff_plan *make_plan(int32_t type, const void *nodata, const char *labels)
{
    ngff_image *image = ngff_image_create("zyx", SHAPE(2, 5, 6), type);
    if (nodata)
        CHECK_INT(ngff_image_set_nodata(image, 0, nodata), NGFF_OK);
    ngff_plan *plan = ngff_plan_create(image, OPTIONS("BLOCKSIZE=1,4,4", labels));
    CHECK_TEXT(ngff_plan_error(plan), "");
    ngff_image_free(image);
    return plan;
}

static label_values *make_values(const ngff_plan *plan)
{
    label_values *made = NULL;
    CHECK_INT(label_values_create(plan, &made), NGFF_OK);
    return made;
}

static int n_seen(label_values *v)
{
    int n = 0;
    for (int i = 0; i < 65536; i++)
        n += label_values_flags(v)[i] != 0;
    return n;
}

/* The cell at the lower right corner has 1 x 2 pixels, and what lies behind them in its memory is padding. */
static void padding_of_a_cell_is_no_value(void)
{
    ngff_plan *plan = make_plan(NGFF_UINT16, NULL, "LABELS=YES");
    label_values *v = make_values(plan);
    uint16_t pixels[16];
    cell c = {.box = box_make(3, SHAPE(1, 4, 4), SHAPE(1, 1, 2)), .pixels = (uint8_t *)pixels};
    for (int i = 0; i < 16; i++)
        pixels[i] = (uint16_t)(60000 + i);
    strides_dense(3, SHAPE(1, 4, 4), 2, c.strides);
    label_values_add(v, &c);
    CHECK(label_values_flags(v)[60000] && label_values_flags(v)[60001]);
    CHECK_INT(n_seen(v), 2);
    c.level = 1;
    c.box = box_make(3, SHAPE(0, 0, 0), SHAPE(1, 3, 3));
    label_values_add(v, &c);
    CHECK_INT(n_seen(v), 2);
    c.level = 0;
    label_values_add(v, &c);
    CHECK_INT(n_seen(v), 9); /* rows of 3 from 60000, 60004, 60008 */
    CHECK(label_values_flags(v)[60010] && !label_values_flags(v)[60003] && !label_values_flags(v)[60011]);
    label_values_free(v);
    ngff_plan_free(plan);
}

/* A cell that is left out reads as fill, so its value occurs. */
static void a_cell_that_is_left_out_is_fill(void)
{
    static const int16_t seven = 7, below_zero = -1;
    const int16_t *const nodata[] = {NULL, &seven, &below_zero};
    static const int expected[] = {0, 7, -1};
    for (int i = 0; i < 3; i++) {
        ngff_plan *plan = make_plan(NGFF_INT16, nodata[i], "LABELS=YES");
        label_values *v = make_values(plan);
        CHECK_INT(n_seen(v), 0);
        label_values_skip(v);
        CHECK_INT(n_seen(v), expected[i] >= 0);
        CHECK(expected[i] < 0 || label_values_flags(v)[expected[i]]);
        label_values_free(v);
        ngff_plan_free(plan);
    }
}

static void other_images_have_no_values(void)
{
    ngff_plan *plan = make_plan(NGFF_UINT8, NULL, "LABELS=NO");
    label_values *v = make_values(plan);
    CHECK(v == NULL && label_values_flags(v) == NULL);
    label_values_add(v, &(cell){.box = box_make(3, SHAPE(0, 0, 0), SHAPE(1, 1, 1))});
    label_values_skip(v);
    label_values_free(v);
    ngff_plan_free(plan);
}

int main(void)
{
    RUN(padding_of_a_cell_is_no_value);
    RUN(a_cell_that_is_left_out_is_fill);
    RUN(other_images_have_no_values);
    CHECK_EXIT();
}
