/* with_gdal.c: what the program does by GDAL: DRY_RUN of the driver, and the pixels of a source. Drivers are registered
 * only where they are needed, since that takes most of the time of a short run. */
#include <stdio.h>
#include <string.h>

#include "cpl_conv.h"
#include "cpl_string.h"
#include "gdal.h"

#include "program.h"
#include "verify/verify.h"

int take_host_arguments(int *n_arguments, char ***arguments)
{
    *n_arguments = GDALGeneralCmdLineProcessor(*n_arguments, arguments, GDAL_OF_RASTER);
    for (int i = 1; i < *n_arguments; i++)
        if (strstr((*arguments)[i], "/vsi")) { /* also in OMEZARR:"/vsi..."; drivers may bring file systems */
            GDALAllRegister();
            break;
        }
    return *n_arguments >= 1;
}

void leave_host(char **arguments)
{
    CSLDestroy(arguments);
    GDALDestroyDriverManager(); /* not by atexit: what the drivers hold on to is gone then */
}

static GDALDatasetH open_source(const char *name)
{
    GDALAllRegister();
    return GDALOpenEx(name, GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, NULL, NULL);
}

int plan_source(const char *name, const char *const *options)
{
    GDALDatasetH source = open_source(name), planned = NULL;
    GDALDriverH driver = GDALGetDriverByName("OMEZARR");
    if (driver == NULL) {
        fputs("omezarr: GDAL has no driver OMEZARR; set GDAL_DRIVER_PATH to the folder of gdal_OMEZARR.so\n", stderr);
    } else if (source != NULL) { /* the driver prints the plan itself */
        char **all = CSLSetNameValue(CSLDuplicate((char **)options), "DRY_RUN", "YES");
        planned = GDALCreateCopy(driver, "/vsimem/omezarr-plan.ome.zarr", source, FALSE, all, NULL, NULL);
        CSLDestroy(all);
    }
    if (planned != NULL)
        GDALClose(planned);
    if (source != NULL)
        GDALClose(source);
    return planned != NULL ? EXIT_FINE : EXIT_DAMAGE;
}

static void hear_finding(void *user, const char *kind, const char *text)
{
    (void)user;
    print_finding(kind, text);
}

int check_store(const char *store, const char *name, const char *const *limits)
{
    static const int codes[] = {
        [VERIFY_WHOLE] = EXIT_FINE, [VERIFY_DAMAGED] = EXIT_DAMAGE, [VERIFY_UNREADABLE] = EXIT_UNREADABLE};
    GDALDatasetH source = name ? open_source(name) : NULL;
    if (name && source == NULL)
        return EXIT_UNREADABLE;
    char message[1200], **all = CSLDuplicate((char **)limits);
    verification v = {.store = store, .source = source, .limits = all, .tell = hear_finding};
    int code = codes[verify_store(&v, message, sizeof message)];
    if (message[0])
        fprintf(stderr, "omezarr: %s\n", message);
    if (code == EXIT_FINE)
        printf("%s: %s\n", verify_path(store), verify_praise(&v));
    CSLDestroy(all);
    if (source != NULL)
        GDALClose(source);
    return code;
}
