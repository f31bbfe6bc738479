/* threads.c: see threads.h. */
#include "plugin/threads.h"

#include <stdlib.h>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_multiproc.h"

static int parse_threads(const char *text, int *n_threads)
{
    char *end = NULL;
    if (EQUAL(text, "ALL_CPUS")) {
        *n_threads = CPLGetNumCPUs() > 1 ? CPLGetNumCPUs() : 1;
        return 1;
    }
    long number = strtol(text, &end, 10);
    *n_threads = (int)number;
    return *text >= '0' && *text <= '9' && *end == '\0' && number <= 1024;
}

const char *configured_threads(void)
{
    int n_threads;
    const char *config = CPLGetConfigOption("GDAL_NUM_THREADS", NULL);
    if (!config || parse_threads(config, &n_threads))
        return config;
    CPLError(CE_Warning, CPLE_IllegalArg,
             "GDAL_NUM_THREADS=%s is neither a number from 0 to 1024 nor ALL_CPUS; ALL_CPUS is used", config);
    return NULL;
}

int reading_threads(const char *option, int *n_threads)
{
    if (option && !parse_threads(option, n_threads)) {
        CPLError(CE_Failure, CPLE_IllegalArg, "NUM_THREADS=%s: it must be a number from 0 to 1024, or ALL_CPUS",
                 option);
        return 0;
    }
    const char *config = option ? NULL : configured_threads();
    if (!option)
        parse_threads(config ? config : "ALL_CPUS", n_threads);
    return 1;
}
