/* verify.c: `omezarr verify`: its arguments. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

int run_verify(int n_arguments, char **arguments)
{
    static const struct option known[] = {{"oo", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
    const char **limits = calloc((size_t)n_arguments, sizeof *limits);
    int n_limits = 0, code = -1;
    if (!limits)
        return fputs("omezarr: memory is out\n", stderr), EXIT_UNREADABLE;
    for (int c; code < 0 && (c = getopt_long_only(n_arguments, arguments, "", known, NULL)) != -1;) {
        if (c == 'o')
            limits[n_limits++] = optarg;
        else
            code = usage_error("see below how verify is used"); /* getopt has said what is wrong */
    }
    const char *const *names = (const char *const *)arguments + optind;
    int n_names = n_arguments - optind;
    if (code < 0 && n_names == 0)
        code = usage_error("no store is named");
    if (code < 0 && n_names > 2)
        code = usage_error("unexpected argument %s", names[2]);
    if (code < 0)
        code = check_store(names[0], n_names > 1 ? names[1] : NULL, limits);
    free(limits);
    return code;
}
