/* test_label.c: "image-label" of a plan: which colours are written, and what a host may not say. */
#include "plans.h"

#include "metadata/label.h"

static const char colors[] = "[{\"label-value\":0,\"rgba\":[0,0,0,0]},{\"label-value\":1,\"rgba\":[1,2,3,255]},"
                             "{\"label-value\":2,\"rgba\":[0,0,0,255]},{\"label-value\":70000,\"rgba\":[4,5,6,7]}]";
static const char properties[] = "[ {\"label-value\":2,\"id\":12345678901234567890} ]";

static char *text_of(const char *const *options, const char *properties_given, int is_table, const uint8_t *seen)
{
    ngff_image *image = ngff_image_create("yx", SHAPE(10, 10), NGFF_UINT32);
    CHECK_INT(ngff_image_set_label(image, colors, properties_given, is_table), NGFF_OK);
    ngff_plan *p = ngff_plan_create(image, options);
    error e = {0};
    char *text = NULL;
    CHECK_INT(label_text(p, seen, NULL, &text, &e), NGFF_OK);
    ngff_plan_free(p);
    ngff_image_free(image);
    return text;
}

static void check_text(char *text, const char *expected)
{
    CHECK_TEXT(text, expected);
    free(text);
}

static void a_table_is_written_as_far_as_it_is_used(void)
{
    static uint8_t seen[n_table_values];
    seen[1] = 1;
    check_text(text_of(OPTIONS("LABELS=YES"), NULL, 1, seen),
               "{\"colors\":[{\"label-value\":1,\"rgba\":[1,2,3,255]},{\"label-value\":70000,\"rgba\":[4,5,6,7]}]}");
    check_text(
        text_of(OPTIONS("LABELS=YES", "NGFF_VERSION=0.4"), properties, 1, seen),
        "{\"version\":\"0.4\",\"colors\":[{\"label-value\":1,\"rgba\":[1,2,3,255]},{\"label-value\":2,\"rgba\":[0,0,0,"
        "255]},{\"label-value\":70000,\"rgba\":[4,5,6,7]}],\"properties\":[ {\"label-value\":2,\"id\":"
        "12345678901234567890} ,{\"label-value\":1}]}");
    CHECK(text_of(NULL, properties, 1, seen) == NULL);
}

static void a_list_is_written_as_it_is(void)
{
    static uint8_t seen[n_table_values];
    char expected[1000];
    snprintf(expected, sizeof expected, "{\"colors\":%s,\"properties\":%s}", colors, properties);
    check_text(text_of(OPTIONS("LABELS=YES"), properties, 0, seen), expected);
    check_text(text_of(OPTIONS("LABELS=YES"), properties, 1, NULL), expected);
}

static void the_values_of_a_store_are_seen(void)
{
    static uint8_t seen[n_table_values];
    label_seen_before("{\"colors\":[{\"label-value\":7},{\"label-value\":-1},{\"label-value\":65536},5]}", seen);
    CHECK(seen[7] && !seen[6] && !seen[0]);
    label_seen_before("{}", seen);
    label_seen_before("[", seen);
}

static void what_is_no_list_of_labels_is_refused(void)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "[5]",
                                      "[{\"rgba\":[1,2,3,4]}]",
                                      "[{\"label-value\":1}]",
                                      "[{\"label-value\":1.5,\"rgba\":[1,2,3,4]}]",
                                      "[{\"label-value\":1,\"rgba\":[1,2,3]}]",
                                      "[{\"label-value\":1,\"rgba\":[1,2,3,256]}]",
                                      "["};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ngff_image *image = ngff_image_create("yx", SHAPE(10, 10), NGFF_UINT8);
        CHECK_INT(ngff_image_set_label(image, bad[i], NULL, 1), NGFF_E_ARGUMENT);
        CHECK(strstr(ngff_image_error(image), "colours of labels"));
        ngff_image_free(image);
    }
    ngff_image *image = ngff_image_create("yx", SHAPE(10, 10), NGFF_UINT8);
    CHECK_INT(ngff_image_set_label(image, NULL, NULL, 0), NGFF_OK);
    CHECK_INT(ngff_image_set_label(image, NULL, "[{\"name\":\"x\"}]", 0), NGFF_E_ARGUMENT);
    ngff_image_free(image);
    CHECK_INT(ngff_image_set_label(NULL, NULL, NULL, 0), NGFF_E_ARGUMENT);
}

static void labels_are_whole_numbers_at_flat_paths(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(100, 100), NGFF_INT16, OPTIONS("LABELS=YES", "BLOCKSIZE=50"));
    CHECK_TEXT(ngff_plan_level_path(p, 1), "1");
    CHECK_TEXT(ngff_plan_option(p, "RESAMPLING"), "MODE");
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(10, 10), NGFF_FLOAT32, OPTIONS("LABELS=YES"));
    CHECK_INT(ngff_plan_status(p), NGFF_E_OPTION);
    CHECK(strstr(ngff_plan_error(p), "whole numbers"));
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(10, 10), NGFF_UINT8, OPTIONS("LABELS=YES", "LAYOUT=OVERVIEWS"));
    CHECK_INT(ngff_plan_status(p), NGFF_E_OPTION);
    CHECK(strstr(ngff_plan_error(p), "LAYOUT=OVERVIEWS"));
    ngff_plan_free(p);
}

int main(void)
{
    RUN(a_table_is_written_as_far_as_it_is_used);
    RUN(a_list_is_written_as_it_is);
    RUN(the_values_of_a_store_are_seen);
    RUN(what_is_no_list_of_labels_is_refused);
    RUN(labels_are_whole_numbers_at_flat_paths);
    CHECK_EXIT();
}
