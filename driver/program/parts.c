/* parts.c: `omezarr finish`, `status` and `abandon`: a store that was written in parts (PART=i/n). */
#include "program.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ngff.h"

enum { most_parts = 100000 };

/* The one store that is named, or NULL. */
static const char *store_of(int n_arguments, char **arguments)
{
    return n_arguments == 2 && arguments[1][0] != '-' ? arguments[1] : NULL;
}

static int fail(int32_t status, const char *message)
{
    fprintf(stderr, "omezarr: %s\n", message);
    return status == NGFF_E_STATE ? EXIT_DAMAGE : EXIT_UNREADABLE;
}

static int finish(const char *store, const char *const *options)
{
    ngff_writer *w = ngff_writer_open_finish(store, options);
    int32_t status = ngff_writer_close(w);
    int code = status == NGFF_OK ? EXIT_FINE : fail(status, w ? ngff_writer_error(w) : "memory is out");
    if (w && ngff_writer_warning(w))
        fprintf(stderr, "omezarr: %s\n", ngff_writer_warning(w));
    ngff_writer_free(w);
    if (code == EXIT_FINE)
        printf("%s: written\n", store);
    return code;
}

int run_finish(int n_arguments, char **arguments)
{
    const struct option known[] = {{"co", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    const char **options = calloc((size_t)n_arguments, sizeof *options);
    int n_options = 0, code = -1;
    if (!options)
        return fputs("omezarr: memory is out\n", stderr), EXIT_UNREADABLE;
    for (int c; code < 0 && (c = getopt_long_only(n_arguments, arguments, "", known, NULL)) != -1;) {
        if (c == 'c')
            options[n_options++] = optarg;
        else
            code = usage_error("see below how finish is used"); /* getopt has said what is wrong */
    }
    if (code < 0 && optind + 1 != n_arguments)
        code = usage_error("finish takes one store");
    if (code < 0)
        code = finish(arguments[optind], options);
    free(options);
    return code;
}

/* "3 of 16 parts are missing: 2, 5-6". Returns how many are. */
static int32_t print_parts(const char *store, const uint8_t *is_made, int32_t n)
{
    int32_t n_missing = 0;
    for (int32_t i = 0; i < n; i++)
        n_missing += !is_made[i];
    if (n_missing == 0)
        return printf("%s: all %d parts are there\n", store, n), 0;
    printf("%s: %d of %d parts are missing:", store, n_missing, n);
    for (int32_t i = 0, is_first = 1; i < n; i++) {
        int32_t first = i;
        if (is_made[i])
            continue;
        while (i + 1 < n && !is_made[i + 1])
            i++;
        printf(i > first ? "%s %d-%d" : "%s %d", is_first ? "" : ",", first + 1, i + 1);
        is_first = 0;
    }
    putchar('\n');
    return n_missing;
}

int run_status(int n_arguments, char **arguments)
{
    const char *store = store_of(n_arguments, arguments);
    char message[1000];
    uint8_t *is_made = calloc(most_parts, 1);
    if (!store || !is_made)
        return free(is_made), usage_error("status takes one store");
    int32_t n = ngff_parts_status(store, is_made, most_parts, message, sizeof message);
    int32_t n_missing = n > 0 ? print_parts(store, is_made, n) : 0;
    free(is_made);
    if (n < 0)
        return fail(n, message);
    if (n == 0)
        return fail(NGFF_E_NOT_FOUND, "no parts are there");
    return n_missing ? EXIT_DAMAGE : EXIT_FINE;
}

int run_abandon(int n_arguments, char **arguments)
{
    const char *store = store_of(n_arguments, arguments);
    char message[1000];
    if (!store)
        return usage_error("abandon takes one store");
    int32_t status = ngff_parts_abandon(store, message, sizeof message);
    return status == NGFF_OK ? EXIT_FINE : fail(status, message);
}
