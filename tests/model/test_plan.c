/* test_plan.c: options resolved against the image, and what is refused. */
#include "plans.h"

#include <math.h>
#include <pthread.h>

static void fill_is_the_nodata_value_that_all_channels_share(void)
{
    static const uint8_t seven = 7, eight = 8;
    ngff_image *image = ngff_image_create("cyx", SHAPE(2, 10, 10), NGFF_UINT8);
    ngff_image_set_nodata(image, 0, &seven);
    ngff_plan *p = ngff_plan_create(image, NULL);
    CHECK_INT(p->fill[0], 0);
    ngff_plan_free(p);
    ngff_image_set_nodata(image, 1, &seven);
    p = ngff_plan_create(image, NULL);
    CHECK_INT(p->fill[0], 7);
    ngff_plan_free(p);
    ngff_image_set_nodata(image, 1, &eight);
    p = ngff_plan_create(image, NULL);
    CHECK_INT(p->fill[0], 0);
    ngff_plan_free(p);
    ngff_image_free(image);
}

static void defaults_depend_on_type_and_kind(void)
{
    static const struct {
        int32_t type, kind;
        const char *compress, *level, *resampling;
    } rows[] = {{NGFF_UINT8, NGFF_KIND_INTENSITY, "ZSTD", "1", "AVERAGE"},
                {NGFF_UINT16, NGFF_KIND_INTENSITY, "BLOSC", "1", "AVERAGE"},
                {NGFF_UINT8, NGFF_KIND_LABEL, "ZSTD", "1", "MODE"},
                {NGFF_COMPLEX64, NGFF_KIND_INTENSITY, "BLOSC", "1", "NEAREST"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ngff_image *image = ngff_image_create("yx", SHAPE(10, 10), rows[i].type);
        ngff_image_set_kind(image, rows[i].kind);
        ngff_plan *p = ngff_plan_create(image, NULL);
        CHECK_TEXT(ngff_plan_option(p, "COMPRESS"), rows[i].compress);
        CHECK_TEXT(ngff_plan_option(p, "LEVEL"), rows[i].level);
        CHECK_TEXT(ngff_plan_option(p, "RESAMPLING"), rows[i].resampling);
        CHECK_TEXT(ngff_plan_option(p, "VERSION"), "0.5");
        CHECK_TEXT(ngff_plan_option(p, "LAYOUT"), "OVERVIEWS");
        CHECK(ngff_plan_option(p, "NONSENSE") == NULL);
        CHECK_INT(rows[i].type == NGFF_COMPLEX64, ngff_plan_warning(p, 0) != NULL);
        ngff_plan_free(p);
        ngff_image_free(image);
    }
    ngff_plan *p = plan_of("yx", SHAPE(10, 10), NGFF_UINT8, OPTIONS("COMPRESS=GZIP", "BLOCKSIZE=5"));
    CHECK_TEXT(ngff_plan_option(p, "LEVEL"), "6");
    CHECK_TEXT(ngff_plan_option(p, "BLOCKSIZE"), "5");
    CHECK_TEXT(ngff_plan_option(p, "AXES"), "");
    CHECK_TEXT(ngff_plan_option(p, "VERIFY"), "NO");
    CHECK_TEXT(ngff_plan_option(p, "DRY_RUN"), "NO");
    CHECK_TEXT(ngff_plan_option(p, "OVERVIEWS"), "IGNORE_EXISTING");
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(10, 10), NGFF_UINT8, OPTIONS("VERIFY=yes", "DRY_RUN=on", "OVERVIEWS=none", "WINDOW=1:2"));
    CHECK_TEXT(ngff_plan_option(p, "VERIFY"), "STORE");
    CHECK_TEXT(ngff_plan_option(p, "DRY_RUN"), "YES");
    CHECK_TEXT(ngff_plan_option(p, "OVERVIEWS"), "NONE");
    CHECK_TEXT(ngff_plan_option(p, "WINDOW"), "1:2");
    CHECK(strstr(ngff_plan_text(p), "scale0/image") && strstr(ngff_plan_text(p), "10 x 10"));
    ngff_plan_free(p);
}

static void image_options_describe_the_image(void)
{
    ngff_plan *p = plan_of("cyx", SHAPE(2, 10, 10), NGFF_UINT8,
                           OPTIONS("AXIS_SCALE=y:2,x:3", "AXIS_TRANSLATION=x:5", "AXIS_UNITS=y:um,x:um",
                                   "CHANNEL_NAMES=a,b", "CHANNEL_COLORS=FF0000,00FF00", "WINDOW=1:2,3:4"));
    CHECK_INT(ngff_plan_status(p), NGFF_OK);
    CHECK(p->levels[0].scale[1] == 2 && p->levels[0].scale[2] == 3 && p->levels[0].translation[2] == 5);
    CHECK_TEXT(p->image->unit[1], "micrometer");
    CHECK_TEXT(p->image->channels[1].label, "b");
    CHECK_TEXT(p->image->channels[1].color, "00FF00");
    CHECK(p->image->channels[1].start == 3 && p->image->channels[1].end == 4);
    ngff_plan_free(p);
}

static void plans_of_one_image_share_nothing(void)
{
    ngff_image *image = ngff_image_create("cyx", SHAPE(2, 10, 10), NGFF_UINT8);
    ngff_plan *a = ngff_plan_create(image, NULL);
    ngff_plan *b = ngff_plan_create(
        image, OPTIONS("AXIS_UNITS=y:m,x:m", "AXIS_SCALE=y:2,x:2", "CHANNEL_NAMES=red", "NAME=b", "WINDOW=1:2"));
    CHECK_TEXT(ngff_plan_error(b), "");
    CHECK(a->image->unit[1] == NULL && a->image->scale[1] == 1 && !a->image->channels[0].label);
    CHECK_TEXT(a->image->name, "image");
    CHECK_TEXT(b->image->unit[1], "meter");
    CHECK_TEXT(b->image->name, "b");
    CHECK(b->levels[0].scale[2] == 2 && b->image->channels[1].has_window);
    CHECK(image->unit[1] == NULL && !image->channels[0].has_window);
    CHECK_INT(ngff_image_set_name(image, "still mine"), NGFF_OK);
    ngff_image_free(image);
    CHECK_TEXT(a->image->name, "image");
    ngff_plan_free(a);
    CHECK_TEXT(b->image->channels[0].label, "red");
    ngff_plan_free(b);
}

static void *own_and_leave(void *plan)
{
    for (int i = 0; i < 20000; i++)
        ngff_plan_free(plan_retain(plan));
    ngff_plan_free(plan);
    return NULL;
}

/* As writers on several threads do. */
static void owners_on_several_threads_are_counted(void)
{
    pthread_t threads[4];
    ngff_plan *p = plan_of("yx", SHAPE(10, 10), NGFF_UINT8, NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, own_and_leave, plan_retain(p));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(p->n_owners, 1);
    ngff_plan_free(p);
    ngff_plan_free(NULL);
    CHECK_INT(ngff_plan_status(NULL), NGFF_E_ARGUMENT);
    CHECK_TEXT(ngff_plan_error(NULL), "the plan is NULL");
}

static void axes_are_told_to_the_host(void)
{
    char dims[6], message[200];
    int64_t sizes[5];
    CHECK_INT(ngff_options_axes(OPTIONS("dims=z:3,T:2", "COMPRESS=GZIP"), dims, sizes, message, sizeof message), 2);
    CHECK_TEXT(dims, "zt");
    CHECK(sizes[0] == 3 && sizes[1] == 2);
    CHECK_INT(ngff_options_axes(NULL, dims, sizes, NULL, 0), 0);
    CHECK_TEXT(dims, "");
    CHECK_INT(ngff_options_axes(OPTIONS("AXES=q:3"), dims, sizes, message, sizeof message), NGFF_E_OPTION);
    CHECK(strstr(message, "AXES=q:3"));
}

/* north up, 10 m pixels, upper left corner at 500000, 4600000 */
static void southing_puts_the_first_pixels_centre_into_the_translation(void)
{
    ngff_image *image = ngff_image_create("yx", SHAPE(10, 10), NGFF_UINT8);
    ngff_image_set_scale(image, (const double[]){10, 10});
    ngff_image_set_georeference(image, (const double[]){500000, 10, 0, 4600000, 0, -10}, "EPSG:32633", NULL, NULL, 0);
    ngff_plan *p = ngff_plan_create(image, OPTIONS("ORIGIN=SOUTHING"));
    CHECK(p->levels[0].translation[0] == -4599995 && p->levels[0].translation[1] == 500005);
    ngff_plan_free(p);
    ngff_image_free(image);
}

/* The geotransform is in feet of 0.3048 m, the scale in metres: so is the translation. */
static void southing_is_in_the_unit_of_the_scale(void)
{
    ngff_image *image = ngff_image_create("cyx", SHAPE(2, 10, 10), NGFF_UINT8);
    ngff_image_set_scale(image, (const double[]){1, 6.096, 3.048});
    ngff_image_set_georeference(image, (const double[]){900000, 10, 0, 200000, 0, -20}, "EPSG:2263", NULL, NULL, 0);
    ngff_plan *p = ngff_plan_create(image, OPTIONS("ORIGIN=SOUTHING"));
    CHECK(fabs(p->levels[0].translation[1] - -60956.952) < 1e-9); /* -199990 feet */
    CHECK(fabs(p->levels[0].translation[2] - 274321.524) < 1e-9); /* 900005 feet */
    ngff_plan_free(p);
    ngff_image_free(image);
}

static void refused(const char *dims, const int64_t *shape, int32_t type, const char *option, int32_t status,
                    const char *words)
{
    ngff_plan *p = plan_of(dims, shape, type, OPTIONS("BLOCKSIZE=64", option));
    if (strncmp(option, "BLOCKSIZE", 9) == 0) {
        ngff_plan_free(p);
        p = plan_of(dims, shape, type, OPTIONS(option));
    }
    CHECK_INT(ngff_plan_status(p), status);
    if (!strstr(ngff_plan_error(p), words)) {
        fprintf(stderr, "%s: \"%s\" does not say \"%s\"\n", option, ngff_plan_error(p), words);
        check_failures++;
    }
    CHECK_INT(ngff_plan_set_source(p, NULL, 1), status);
    CHECK_TEXT(ngff_plan_text(p), ngff_plan_error(p));
    ngff_plan_free(p);
}

static void impossible_requests_are_refused_in_words(void)
{
    static const int64_t s[] = {3, 500, 500};
    refused("cyx", s, NGFF_UINT8, "SCALE_FACTORS=4,2", NGFF_E_OPTION, "must not fall");
    refused("cyx", s, NGFF_UINT8, "SCALE_FACTORS=2,2", NGFF_E_OPTION, "larger than the one before");
    refused("cyx", s, NGFF_UINT8, "SCALE_FACTORS=1", NGFF_E_OPTION, "larger than the one before");
    refused("cyx", s, NGFF_UINT8, "SCALE_FACTORS=c:2,y:2,x:2", NGFF_E_OPTION, "axis c is not spatial");
    refused("cyx", s, NGFF_UINT8, "SCALE_FACTORS=z:2,y:2,x:2", NGFF_E_OPTION, "names axis z");
    refused("cyx", s, NGFF_UINT8, "BLOCKSIZE=z:16", NGFF_E_OPTION, "names axis z");
    refused("cyx", s, NGFF_UINT8, "BLOCKSIZE=1,2,3,4", NGFF_E_OPTION, "4 values");
    refused("cyx", SHAPE(3, 100000, 100000), NGFF_UINT8, "BLOCKSIZE=100000", NGFF_E_OPTION, "256 MiB");
    refused("cyx", s, NGFF_UINT8, "SHARD=100", NGFF_E_OPTION, "use 128");
    refused("cyx", s, NGFF_UINT8, "SHARD=t:2", NGFF_E_OPTION, "names axis t");
    refused("cyx", s, NGFF_UINT8, "AXIS_SCALE=z:2", NGFF_E_OPTION, "must name axes");
    refused("cyx", s, NGFF_UINT8, "AXIS_SCALE=x:0", NGFF_E_OPTION, "AXIS_SCALE");
    refused("cyx", s, NGFF_UINT8, "AXIS_UNITS=z:um", NGFF_E_OPTION, "AXIS_UNITS");
    refused("cyx", s, NGFF_UINT8, "CHANNEL_NAMES=a,b,c,d", NGFF_E_OPTION, "more names than");
    refused("cyx", s, NGFF_UINT8, "CHANNEL_COLORS=FF0000,00FF00,0000FF,FFFFFF", NGFF_E_OPTION, "at most 3 colours");
    refused("cyx", s, NGFF_UINT8, "WINDOW=0:1,0:2", NGFF_E_OPTION, "2 ranges");
    refused("cyx", s, NGFF_UINT8, "ORIGIN=SOUTHING", NGFF_E_OPTION, "ORIGIN=PIXEL");
    refused("cyx", s, NGFF_COMPLEX64, "OVERVIEW_RESAMPLING=MODE", NGFF_E_OPTION, "not defined for complex");
    refused("cyx", s, NGFF_UINT8, "NO_SUCH=1", NGFF_E_OPTION, "NO_SUCH");
}

static void opacity_of_planes_along_z_takes_blocks_of_one_plane(void)
{
    int64_t shape[4], chunk[4];
    ngff_image *image = ngff_image_create("czyx", SHAPE(4, 20, 4000, 4000), NGFF_UINT8);
    ngff_image_set_alpha(image, 3);
    ngff_plan *p = ngff_plan_create(image, OPTIONS("SCALE_FACTORS=ISOTROPIC"));
    CHECK_INT(ngff_plan_status(p), NGFF_OK);
    for (int32_t l = 0; l < 2; l++) {
        ngff_plan_level_shape(p, l, shape);
        ngff_plan_level_chunk(p, l, chunk);
        CHECK_INT(shape[1], 20);
        CHECK_INT(chunk[1], 1);
    }
    ngff_plan_free(p);
    ngff_image_free(image);
}

static void image_that_the_writer_cannot_hold_is_refused(void)
{
    ngff_image *image = ngff_image_create("czyx", SHAPE(2, 4, 10, 10), NGFF_UINT8);
    ngff_image_set_alpha(image, 1);
    ngff_plan *p = NULL;
    for (int i = 0; i < 2; i++) { /* opacity is read plane by plane */
        p = ngff_plan_create(image, OPTIONS(i == 0 ? "BLOCKSIZE=2,2,8,8" : "SCALE_FACTORS=z:2,y:2,x:2"));
        CHECK_INT(ngff_plan_status(p), NGFF_E_UNSUPPORTED);
        CHECK(strstr(ngff_plan_error(p), "axis z"));
        ngff_plan_free(p);
    }
    ngff_image_free(image);
    image = ngff_image_create("tcyx", SHAPE(4, 2, 10, 10), NGFF_UINT8);
    ngff_image_set_alpha(image, 1);
    p = ngff_plan_create(image, OPTIONS("BLOCKSIZE=2,1,8,8"));
    CHECK_INT(ngff_plan_status(p), NGFF_E_UNSUPPORTED);
    ngff_plan_free(p);
    ngff_image_free(image);
    image = ngff_image_create("yx", SHAPE(0, 10), NGFF_UINT8);
    p = ngff_plan_create(image, NULL);
    CHECK_INT(ngff_plan_status(p), ngff_image_status(image));
    CHECK(ngff_plan_status(p) != NGFF_OK);
    ngff_plan_free(p);
    ngff_image_free(image);
    p = ngff_plan_create(NULL, NULL);
    CHECK_INT(ngff_plan_status(p), NGFF_E_ARGUMENT);
    ngff_plan_free(p);
}

/* The host's word for a label wins, and one warning says what that means; what takes one of the numbers needs none. */
static void classes_are_averaged_only_when_asked_for(void)
{
    static const char *const methods[] = {NULL, "NEAREST", "MODE", "MIN", "MAX", "AVERAGE", "RMS", "GAUSS", "LANCZOS"};
    for (int i = 0; i < 9; i++) {
        char option[64];
        snprintf(option, sizeof option, "OVERVIEW_RESAMPLING=%s", methods[i] ? methods[i] : "");
        ngff_image *image = ngff_image_create("yx", SHAPE(100, 100), NGFF_UINT8);
        ngff_image_set_kind(image, NGFF_KIND_LABEL);
        ngff_plan *p = ngff_plan_create(image, methods[i] ? OPTIONS(option) : NULL);
        CHECK_TEXT(ngff_plan_option(p, "OVERVIEW_RESAMPLING"), methods[i] ? methods[i] : "MODE");
        CHECK_INT(ngff_plan_warning(p, 0) != NULL, i >= 5);
        CHECK(i < 5 || strstr(ngff_plan_warning(p, 0), option) == ngff_plan_warning(p, 0));
        CHECK(ngff_plan_warning(p, 1) == NULL);
        ngff_plan_free(p);
        ngff_image_free(image);
    }
}

static void source_and_given_levels_are_checked(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(100, 100), NGFF_UINT8, OPTIONS("BLOCKSIZE=32"));
    CHECK_INT(ngff_plan_set_given(p, 1), NGFF_OK);
    CHECK_INT(p->levels[1].source, -1);
    CHECK_INT(p->levels[2].source, 1);
    CHECK_INT(ngff_plan_set_given(p, 3), NGFF_E_ARGUMENT);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(100, 100), NGFF_UINT8, NULL);
    CHECK_INT(ngff_plan_set_source(p, NULL, 0), NGFF_E_ARGUMENT);
    ngff_plan_free(p);
}

static void losses_are_kept_in_their_order(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(10, 10), NGFF_UINT8, NULL);
    CHECK_INT(ngff_plan_add_loss(p, "first"), NGFF_OK);
    CHECK_INT(ngff_plan_add_loss(p, "second"), NGFF_OK);
    CHECK_INT(p->n_losses, 2);
    CHECK_TEXT(p->losses[0], "first");
    CHECK_TEXT(p->losses[1], "second");
    CHECK_INT(ngff_plan_add_loss(p, "\xff"), NGFF_E_ARGUMENT);
    CHECK_INT(ngff_plan_status(p), NGFF_E_ARGUMENT);
    ngff_plan_free(p);
}

/* Its library of Zarr v2 knows blosc and zlib. */
static void bioformats2raw_in_0_4_is_packed_as_bio_formats_can_read(void)
{
    static const struct {
        const char *version, *layout, *compress;
    } rows[] = {{"NGFF_VERSION=0.4", "LAYOUT=BIOFORMATS2RAW", "BLOSC"},
                {"NGFF_VERSION=0.5", "LAYOUT=BIOFORMATS2RAW", "ZSTD"},
                {"NGFF_VERSION=0.4", "LAYOUT=FLAT", "ZSTD"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ngff_plan *p = plan_of("tczyx", SHAPE(1, 1, 1, 10, 10), NGFF_UINT8, OPTIONS(rows[i].version, rows[i].layout));
        CHECK_TEXT(ngff_plan_option(p, "COMPRESS"), rows[i].compress);
        ngff_plan_free(p);
    }
}

int main(void)
{
    RUN(bioformats2raw_in_0_4_is_packed_as_bio_formats_can_read);
    RUN(fill_is_the_nodata_value_that_all_channels_share);
    RUN(defaults_depend_on_type_and_kind);
    RUN(image_options_describe_the_image);
    RUN(plans_of_one_image_share_nothing);
    RUN(owners_on_several_threads_are_counted);
    RUN(axes_are_told_to_the_host);
    RUN(southing_puts_the_first_pixels_centre_into_the_translation);
    RUN(southing_is_in_the_unit_of_the_scale);
    RUN(impossible_requests_are_refused_in_words);
    RUN(opacity_of_planes_along_z_takes_blocks_of_one_plane);
    RUN(image_that_the_writer_cannot_hold_is_refused);
    RUN(classes_are_averaged_only_when_asked_for);
    RUN(source_and_given_levels_are_checked);
    RUN(losses_are_kept_in_their_order);
    CHECK_EXIT();
}
