/* without_gdal.c: what the program says and does in a build without GDAL. */
#include <stdio.h>

#include "ngff.h"
#include "program.h"

int take_host_arguments(int *n_arguments, char ***arguments)
{
    (void)n_arguments;
    (void)arguments;
    return 1;
}

void leave_host(char **arguments)
{
    (void)arguments;
}

int plan_source(const char *source, const char *const *options)
{
    (void)options;
    fprintf(
        stderr,
        "omezarr: this build has no GDAL, which opens rasters such as %s: describe the array with --dims, --shape and "
        "--type\n",
        source);
    return EXIT_USAGE;
}

static void hear_finding(void *user, int32_t kind, const char *text)
{
    (void)user;
    print_finding(ngff_finding_word(kind), text);
}

int check_store(const char *store, const char *source, const char *const *limits)
{
    if (source) {
        fprintf(
            stderr,
            "omezarr: this build has no GDAL, which opens rasters such as %s: only the store itself can be verified\n",
            source);
        return EXIT_USAGE;
    }
    ngff_reader *reader = NULL;
    int32_t status = ngff_verify(store, NULL, limits, 0, hear_finding, NULL, NULL, &reader),
            opened = ngff_reader_status(reader);
    if (!reader || (opened != NGFF_OK && opened != NGFF_E_CORRUPT))
        fprintf(stderr, "omezarr: %s\n", reader ? ngff_reader_error(reader) : "memory is out");
    ngff_reader_free(reader);
    if (status == NGFF_OK)
        printf("%s: whole\n", store);
    return status == NGFF_OK ? EXIT_FINE : status == NGFF_E_CORRUPT ? EXIT_DAMAGE : EXIT_UNREADABLE;
}
