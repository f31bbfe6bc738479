/* createcopy SOURCE DESTINATION: GDALCreateCopy() from C, as a host would call it. Exit status 0 when the returned
 * dataset reads back like the source before it is closed, progress rose to 1, a second copy onto the same place was
 * refused, and a cancelled copy returned NULL with an error and left nothing. */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <gdal.h>
#include <gdal_alg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int failures = 0;

static void expect(int holds, const char *what)
{
    if (!holds) {
        printf("not so: %s (%s)\n", what, CPLGetLastErrorMsg());
        failures++;
    }
}

typedef struct {
    double last, stop_at;
    int calls, fell;
} watcher;

static int CPL_STDCALL watch(double share, const char *message, void *data)
{
    watcher *w = data;
    (void)message;
    w->fell |= share < w->last;
    w->last = share;
    w->calls++;
    return share < w->stop_at;
}

static int same_pixels(GDALDatasetH a, GDALDatasetH b)
{
    int width = GDALGetRasterXSize(a), height = GDALGetRasterYSize(a),
        same = GDALGetRasterCount(a) == GDALGetRasterCount(b);
    same = same && width == GDALGetRasterXSize(b) && height == GDALGetRasterYSize(b);
    for (int band = 1; same && band <= GDALGetRasterCount(a); band++)
        same = GDALChecksumImage(GDALGetRasterBand(a, band), 0, 0, width, height) ==
               GDALChecksumImage(GDALGetRasterBand(b, band), 0, 0, width, height);
    return same;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: createcopy SOURCE DESTINATION\n");
        return 2;
    }
    GDALAllRegister();
    GDALDriverH driver = GDALGetDriverByName("OMEZARR");
    GDALDatasetH source = GDALOpen(argv[1], GA_ReadOnly);
    if (!driver || !source)
        return 2;

    char **options = CSLSetNameValue(NULL, "BLOCKSIZE", "64");
    watcher w = {.stop_at = 2};
    GDALDatasetH copy = GDALCreateCopy(driver, argv[2], source, FALSE, options, watch, &w);
    expect(copy != NULL, "GDALCreateCopy returns a dataset");
    expect(w.calls > 1 && !w.fell && w.last == 1, "progress rises to 1");
    expect(copy && same_pixels(source, copy), "the copy reads back before it is closed");
    GDALClose(copy);

    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
    expect(!GDALCreateCopy(driver, argv[2], source, FALSE, options, NULL, NULL), "a second copy is refused");
    expect(CPLGetLastErrorType() == CE_Failure, "the refusal is an error");
    copy = GDALOpen(argv[2], GA_ReadOnly);
    expect(copy && same_pixels(source, copy), "the refused copy left the store");
    GDALClose(copy);

    char *other = CPLStrdup(CPLSPrintf("%s-cancelled", argv[2]));
    w = (watcher){.stop_at = 0.5};
    CPLErrorReset();
    expect(!GDALCreateCopy(driver, other, source, FALSE, options, watch, &w), "a cancelled copy returns NULL");
    expect(CPLGetLastErrorNo() == CPLE_UserInterrupt, "the error is CPLE_UserInterrupt");
    struct stat found;
    expect(stat(other, &found) != 0, "a cancelled copy leaves nothing");
    CPLPopErrorHandler();

    CPLFree(other);
    CSLDestroy(options);
    GDALClose(source);
    GDALDestroyDriverManager();
    return failures > 0;
}
