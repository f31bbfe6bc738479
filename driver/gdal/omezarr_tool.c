/* omezarr_tool.c: the program `omezarr`.
 *
 *     omezarr plan SOURCE [-co NAME=VALUE]...    what `gdal_translate -of OMEZARR` would write, without writing it
 *
 * It only drives the GDAL driver, through GDAL's C API. */
#include <stdio.h>
#include <string.h>

#include "cpl_conv.h"
#include "cpl_string.h"
#include "gdal.h"

static int usage(FILE *to, int code)
{
    fputs("Usage: omezarr plan SOURCE [-co NAME=VALUE]...\n"
          "Prints levels, chunks, objects, bytes and memory of the OME-Zarr that\n"
          "  gdal_translate -of OMEZARR [-co NAME=VALUE]... SOURCE DESTINATION\n"
          "would write. Nothing is written.\n",
          to);
    return code;
}

/* The driver prints the plan itself: DRY_RUN does the same in gdal_translate. */
static int plan(int n_arguments, char **arguments)
{
    const char *source_name = NULL;
    char **options = NULL;
    int code = 1;
    for (int i = 0; i < n_arguments; i++) {
        if (EQUAL(arguments[i], "-co") && i + 1 < n_arguments) {
            options = CSLAddString(options, arguments[++i]);
        } else if (source_name == NULL && arguments[i][0] != '-') {
            source_name = arguments[i];
        } else {
            CSLDestroy(options);
            fprintf(stderr, "omezarr: unexpected argument %s\n", arguments[i]);
            return usage(stderr, 2);
        }
    }
    if (source_name == NULL) {
        CSLDestroy(options);
        return usage(stderr, 2);
    }
    options = CSLSetNameValue(options, "DRY_RUN", "YES");
    GDALDriverH driver = GDALGetDriverByName("OMEZARR");
    GDALDatasetH source = GDALOpenEx(source_name, GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, NULL, NULL);
    if (driver == NULL)
        fputs("omezarr: GDAL has no driver OMEZARR; set GDAL_DRIVER_PATH to the folder of gdal_OMEZARR.so\n", stderr);
    else if (source != NULL) {
        GDALDatasetH planned =
            GDALCreateCopy(driver, "/vsimem/omezarr-plan.ome.zarr", source, FALSE, options, NULL, NULL);
        code = planned != NULL ? 0 : 1;
        if (planned != NULL)
            GDALClose(planned);
    }
    if (source != NULL)
        GDALClose(source);
    CSLDestroy(options);
    return code;
}

int main(int n_arguments, char **arguments)
{
    GDALAllRegister();
    n_arguments = GDALGeneralCmdLineProcessor(n_arguments, &arguments, GDAL_OF_RASTER);
    if (n_arguments < 1)
        return -n_arguments;
    int code;
    if (n_arguments >= 2 && strcmp(arguments[1], "plan") == 0)
        code = plan(n_arguments - 2, arguments + 2);
    else if (n_arguments >= 2 && strcmp(arguments[1], "--help") == 0)
        code = usage(stdout, 0);
    else
        code = usage(stderr, 2);
    CSLDestroy(arguments);
    GDALDestroyDriverManager();
    return code;
}
