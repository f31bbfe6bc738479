/* plan.c: `omezarr plan`: of a raster, as DRY_RUN does it in gdal_translate, or of an array that is described in words. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngff.h"

/* "50,2048,2048" -> its numbers. Returns how many, 0 where the text is something else. */
static int read_shape(const char *text, int64_t *shape, int room)
{
    for (int n = 0; n < room; n++) {
        char *end;
        shape[n] = strtoll(text, &end, 10);
        if (end == text || (*end != ',' && *end != '\0'))
            return 0;
        if (*end == '\0')
            return n + 1;
        text = end + 1;
    }
    return 0;
}

static int plan_array(const char *dims, const char *shape_text, const char *type_name, const char *const *options)
{
    int64_t shape[5];
    if (!dims || !shape_text || !type_name)
        return usage_error("an array needs --dims, --shape and --type");
    if (read_shape(shape_text, shape, 5) != (int)strlen(dims))
        return usage_error("--shape %s must be %zu sizes, one for each of --dims %s, with commas between them",
                           shape_text, strlen(dims), dims);
    int32_t type = ngff_type_by_name(type_name);
    if (type == 0)
        return usage_error("--type %s is none of uint8, int8 ... uint64, int64, float16, float32, float64, complex64, "
                           "complex128",
                           type_name);
    ngff_image *image = ngff_image_create(dims, shape, type);
    ngff_plan *plan = ngff_plan_create(image, options);
    int code = EXIT_DAMAGE;
    if (!plan || ngff_plan_status(plan) != NGFF_OK) {
        fprintf(stderr, "omezarr: %s\n", plan ? ngff_plan_error(plan) : "memory is out");
    } else {
        for (int i = 0; ngff_plan_warning(plan, i); i++)
            fprintf(stderr, "Warning: %s\n", ngff_plan_warning(plan, i));
        fputs(ngff_plan_text(plan), stdout);
        code = EXIT_FINE;
    }
    ngff_plan_free(plan);
    ngff_image_free(image);
    return code;
}

int run_plan(int n_arguments, char **arguments)
{
    static const struct option known[] = {{"co", required_argument, NULL, 'c'},
                                          {"dims", required_argument, NULL, 'd'},
                                          {"shape", required_argument, NULL, 's'},
                                          {"type", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    const char *dims = NULL, *shape = NULL, *type = NULL, *source = NULL;
    const char **options = calloc((size_t)n_arguments, sizeof *options);
    int n_options = 0, code = -1;
    if (!options)
        return fputs("omezarr: memory is out\n", stderr), EXIT_UNREADABLE;
    for (int c; code < 0 && (c = getopt_long_only(n_arguments, arguments, "", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            options[n_options++] = optarg;
            break;
        case 'd':
            dims = optarg;
            break;
        case 's':
            shape = optarg;
            break;
        case 't':
            type = optarg;
            break;
        default:
            code = usage_error("see below how plan is used"); /* getopt has said what is wrong */
        }
    }
    if (code < 0 && optind < n_arguments)
        source = arguments[optind++];
    if (code < 0 && optind < n_arguments)
        code = usage_error("unexpected argument %s", arguments[optind]);
    if (code < 0 && source && (dims || shape || type))
        code = usage_error("--dims, --shape and --type describe an array: leave out %s", source);
    if (code < 0 && !source && !dims && !shape && !type)
        code = usage_error("no source is named");
    if (code < 0)
        code = source ? plan_source(source, options) : plan_array(dims, shape, type, options);
    free(options);
    return code;
}
