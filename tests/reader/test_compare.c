/* test_compare.c: a store against what it was made from: planes, chunks at edges, the mask, where the first difference is. */
#include "ngff.h"
#include "place.h"

enum { n_z = 3, n_y = 21, n_x = 19 };

typedef struct {
    uint16_t pixels[2][n_z][n_y][n_x]; /* t, z, y, x */
    uint8_t mask[n_y][n_x];
    int n_reads, n_masks, n_tells, stop_after, fail_after;
    int64_t last_y;
} source;

static void fill(source *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < 2 * n_z * n_y * n_x; i++)
        ((uint16_t *)s->pixels)[i] = (uint16_t)(i * 7 + 1);
    memset(s->mask, 255, sizeof s->mask);
}

static void make_store(const source *s, int has_mask, const char *block, const char *option)
{
    const char *options[] = {block, "OVERVIEWS=NONE", option, NULL};
    ngff_image *image = ngff_image_create("tzyx", (const int64_t[]){2, n_z, n_y, n_x}, NGFF_UINT16);
    ngff_image_set_mask(image, has_mask);
    ngff_plan *plan = ngff_plan_create(image, options);
    ngff_writer *w = ngff_writer_open_push(plan, below("a"));
    ngff_writer_write(w, (const int64_t[]){0, 0, 0, 0}, (const int64_t[]){2, n_z, n_y, n_x}, s->pixels, NULL,
                      has_mask ? s->mask[0] : NULL, n_x);
    CHECK_INT(ngff_writer_close(w), NGFF_OK);
    ngff_writer_free(w);
    ngff_plan_free(plan);
    ngff_image_free(image);
}

static int32_t read_pixels(void *user, const int64_t *origin, const int64_t *extent, void *pixels)
{
    source *s = user;
    uint16_t *to = pixels;
    CHECK(extent[0] == 1 && extent[1] == 1 && origin[2] >= s->last_y);
    s->last_y = origin[2]; /* from above to below */
    if (s->fail_after && ++s->n_reads > s->fail_after)
        return NGFF_E_REFUSED;
    for (int64_t y = 0; y < extent[2]; y++, to += extent[3])
        memcpy(to, &s->pixels[origin[0]][origin[1]][origin[2] + y][origin[3]], (size_t)extent[3] * 2);
    return NGFF_OK;
}

static int32_t read_mask(void *user, const int64_t *origin, const int64_t *extent, uint8_t *mask)
{
    source *s = user;
    s->n_masks++;
    for (int64_t y = 0; y < extent[0]; y++)
        memcpy(mask + y * extent[1], &s->mask[origin[0] + y][origin[1]], (size_t)extent[1]);
    return NGFF_OK;
}

static int32_t tell(void *user, double share)
{
    source *s = user;
    CHECK(share > 0 && share <= 1);
    return !s->stop_after || ++s->n_tells < s->stop_after;
}

static char error[300];

static int32_t compare(source *s, int has_mask, int n_threads, int64_t *at)
{
    const ngff_source_calls calls = {read_pixels, has_mask ? read_mask : NULL, tell, s};
    ngff_reader *reader = ngff_reader_open(below("a"));
    s->last_y = 0;
    int32_t status = ngff_reader_compare(reader, &calls, n_threads, at, error, sizeof error);
    ngff_reader_free(reader);
    return status;
}

static void every_pixel_is_compared(void)
{
    static const char *const options[][2] = {{"BLOCKSIZE=8", NULL},
                                             {"BLOCKSIZE=8", "SHARD=16"},
                                             {"BLOCKSIZE=t:2,z:2,y:8,x:8", NULL},
                                             {"BLOCKSIZE=8", "NGFF_VERSION=0.4"}};
    source *s = malloc(sizeof *s);
    for (int i = 0; i < 4; i++) {
        fill(s);
        make_store(s, 0, options[i][0], options[i][1]);
        for (int n_threads = 0; n_threads <= 4; n_threads += 2) {
            CHECK_INT(compare(s, 0, n_threads, NULL), NGFF_OK);
            for (int k = 0; k < 2 * n_z * n_y * n_x; k += 53) {
                int64_t at[4] = {-1, -1, -1, -1};
                uint16_t *pixel = &((uint16_t *)s->pixels)[k];
                *pixel ^= 0x100;
                CHECK_INT(compare(s, 0, n_threads, at), NGFF_DIFFERENT_PIXEL);
                CHECK_INT(((at[0] * n_z + at[1]) * n_y + at[2]) * n_x + at[3], k);
                *pixel ^= 0x100;
            }
        }
        remove_below("a");
    }
    free(s);
}

static void masks_are_compared_where_one_of_both_has_one(void)
{
    source *s = malloc(sizeof *s);
    int64_t at[4];
    fill(s);
    s->mask[20][18] = s->mask[3][0] = 0;
    make_store(s, 1, "BLOCKSIZE=8", NULL);
    CHECK_INT(compare(s, 1, 2, at), NGFF_OK);
    CHECK_INT(s->n_masks, 9); /* once at each place, after its planes */
    CHECK_INT(compare(s, 0, 1, at), NGFF_DIFFERENT_MASK);
    CHECK(at[2] == 3 && at[3] == 0);
    s->mask[20][18] = 1; /* valid, but not in the store */
    CHECK_INT(compare(s, 1, 1, at), NGFF_DIFFERENT_MASK);
    CHECK(at[2] == 20 && at[3] == 18);
    remove_below("a");
    fill(s);
    make_store(s, 0, "BLOCKSIZE=8", NULL);
    CHECK_INT(compare(s, 1, 1, at), NGFF_OK);
    s->mask[9][9] = 0;
    CHECK_INT(compare(s, 1, 1, at), NGFF_DIFFERENT_MASK);
    CHECK(at[2] == 9 && at[3] == 9);
    remove_below("a");
    free(s);
}

static void what_ends_a_comparison_is_said(void)
{
    source *s = malloc(sizeof *s);
    fill(s);
    make_store(s, 0, "BLOCKSIZE=8", NULL);
    s->fail_after = 3;
    CHECK_INT(compare(s, 0, 1, NULL), NGFF_E_REFUSED);
    CHECK_TEXT(error, "");
    s->fail_after = 0;
    s->stop_after = 2;
    CHECK_INT(compare(s, 0, 1, NULL), NGFF_E_CANCELLED);
    s->stop_after = 0;
    CHECK_INT(remove(below("a/scale0/image/c/1/0/1/1")), 0);
    CHECK_INT(compare(s, 0, 2, NULL), NGFF_E_CORRUPT);
    CHECK(strstr(error, "recorded it as stored") != NULL);
    CHECK_INT(ngff_reader_compare(NULL, NULL, 1, NULL, error, sizeof error), NGFF_E_ARGUMENT);
    CHECK(error[0] != '\0');
    remove_below("a");
    CHECK_INT(compare(s, 0, 2, NULL), NGFF_E_NOT_FOUND);
    CHECK(strstr(error, place) != NULL);
    free(s);
}

int main(void)
{
    place_begin();
    RUN(every_pixel_is_compared);
    RUN(masks_are_compared_where_one_of_both_has_one);
    RUN(what_ends_a_comparison_is_said);
    place_end();
    return check_failures > 0;
}
