/* without_gdal.c: what the program says and does in a build without GDAL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    /* What is missing is told by the check, one line each: it does not keep the store from being opened. */
    int n = 0, is_said = 0;
    for (; limits[n]; n++)
        is_said |= strncmp(limits[n], "MISSING_CHUNKS=", 15) == 0;
    const char **options = calloc((size_t)n + 2, sizeof *options);
    if (!options)
        return fputs("omezarr: memory is out\n", stderr), EXIT_UNREADABLE;
    memcpy(options, limits, (size_t)n * sizeof *options);
    options[n] = is_said ? NULL : "MISSING_CHUNKS=FILL";
    ngff_reader *reader = ngff_reader_open_part(store, NULL, options);
    free(options);
    int32_t opened = reader ? ngff_reader_status(reader) : NGFF_E_MEMORY, status = opened;
    if (opened == NGFF_OK || opened == NGFF_E_CORRUPT)
        status = ngff_reader_verify(reader, 0, hear_finding, NULL, NULL);
    else
        fprintf(stderr, "omezarr: %s\n", reader ? ngff_reader_error(reader) : "memory is out");
    ngff_reader_free(reader);
    if (status == NGFF_OK)
        printf("%s: whole\n", store);
    return status == NGFF_OK ? EXIT_FINE : status == NGFF_E_CORRUPT ? EXIT_DAMAGE : EXIT_UNREADABLE;
}
