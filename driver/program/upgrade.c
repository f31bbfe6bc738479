/* upgrade.c: `omezarr upgrade`: a store that is there gets the documents of a newer NGFF. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>

#include "ngff.h"

int run_upgrade(int n_arguments, char **arguments)
{
    static const struct option known[] = {{"to", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    const char *version = "0.5";
    char error[1200] = "";
    for (int c; (c = getopt_long_only(n_arguments, arguments, "", known, NULL)) != -1;) {
        if (c != 't')
            return usage_error("see below how upgrade is used"); /* getopt has said what is wrong */
        version = optarg;
    }
    if (optind != n_arguments - 1)
        return usage_error("upgrade takes one store");
    int32_t status = ngff_upgrade(arguments[optind], version, error, sizeof error);
    if (status == NGFF_E_ARGUMENT)
        return usage_error("%s", error);
    if (status < 0) {
        fprintf(stderr, "omezarr: %s\n", error);
        return status == NGFF_E_UNSUPPORTED ? EXIT_DAMAGE : EXIT_UNREADABLE;
    }
    printf(status == 1 ? "%s: NGFF %s now\n" : "%s: NGFF %s or newer already\n", arguments[optind], version);
    return EXIT_FINE;
}
