/* pages.c: see pages.h. GDAL opens one page of a file and lists all in the domain SUBDATASETS. Its copying drops the list
 * (-b, -srcwin make a VRT), but the VRT names the file. */
#include "source/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_minixml.h"
#include "cpl_string.h"

#include "source/stack/stackdataset.h"

enum { deepest = 4 }; /* VRT of VRT of ... */

static int is_driver(GDALDatasetH dataset, const char *name)
{
    GDALDriverH driver = GDALGetDatasetDriver(dataset);
    return driver && EQUAL(GDALGetDriverShortName(driver), name);
}

/* Levels and label images of an OME-Zarr are no pages: a copy has levels of its own, and takes its labels along. */
int listed_count(GDALDatasetH dataset)
{
    static const char level[] = "level ", label[] = "label ";
    int is_ours = is_driver(dataset, "OMEZARR"), n = 0;
    for (CSLConstList list = GDALGetMetadata(dataset, "SUBDATASETS"); list && *list; list++) {
        const char *text = strstr(*list, "_DESC=");
        const char *title = text ? text + strlen("_DESC=") : "";
        int is_part = strncmp(title, level, strlen(level)) == 0 || strncmp(title, label, strlen(label)) == 0;
        n += text && !(is_ours && is_part);
    }
    return n;
}

/* Planes that GDAL does not list: behind a single page, or in other files of a set. */
static int count_planes(GDALDatasetH tiff)
{
    GDALDatasetH planes = open_planes_of(tiff);
    int n = planes ? GDALGetRasterCount(planes) / GDALGetRasterCount(tiff) : 1;
    if (planes)
        GDALClose(planes);
    return n > 1 ? n : 1;
}

/* The first element of this name with a text, below node or beside it. */
static const CPLXMLNode *find_file(const CPLXMLNode *node, const char *name)
{
    for (; node; node = node->psNext) {
        if (node->eType == CXT_Element && strcmp(node->pszValue, name) == 0)
            return node;
        const CPLXMLNode *found = find_file(node->psChild, name);
        if (found)
            return found;
    }
    return NULL;
}

/* True if no element of this name has another text. */
static int is_only_file(const CPLXMLNode *node, const char *name, const char *file)
{
    for (; node; node = node->psNext) {
        if (node->eType == CXT_Element && strcmp(node->pszValue, name) == 0 &&
            strcmp(CPLGetXMLValue(node, NULL, ""), file) != 0)
            return 0;
        if (!is_only_file(node->psChild, name, file))
            return 0;
    }
    return 1;
}

static int count_pages(GDALDatasetH dataset, int depth, char **tiff);

static int count_of_file(GDALDatasetH vrt, const CPLXMLNode *file, int depth, char **tiff)
{
    const char *name = CPLGetXMLValue(file, NULL, ""), *path = GDALGetDescription(vrt), *slash = strrchr(path, '/');
    int is_relative = atoi(CPLGetXMLValue(file, "relativeToVRT", "0")) && !strchr(name, ':') && slash;
    char *whole = CPLStrdup(name);
    if (is_relative) {
        CPLFree(whole);
        whole = CPLStrdup(CPLSPrintf("%.*s%s", (int)(slash + 1 - path), path, name));
    }
    GDALDatasetH behind = GDALOpenEx(whole, GDAL_OF_RASTER | GDAL_OF_INTERNAL, NULL, NULL, NULL);
    int n = behind ? count_pages(behind, depth + 1, tiff) : 1;
    if (behind)
        GDALClose(behind);
    CPLFree(whole);
    return n;
}

static int count_pages(GDALDatasetH dataset, int depth, char **tiff)
{
    if (!is_driver(dataset, "VRT") || depth >= deepest) {
        int n = listed_count(dataset);
        int is_tiff = is_driver(dataset, "GTiff") || is_driver(dataset, "LIBERTIFF");
        if (n < 2)
            n = is_tiff && GDALGetRasterCount(dataset) > 0 ? count_planes(dataset) : 1;
        if (n > 1 && is_tiff && tiff)
            *tiff = CPLStrdup(GDALGetDescription(dataset));
        return n;
    }
    CSLConstList xml = GDALGetMetadata(dataset, "xml:VRT");
    CPLXMLNode *root = xml && xml[0] ? CPLParseXMLString(xml[0]) : NULL;
    static const char *const names[] = {"SourceFilename", "SourceDataset"};
    int n = 1;
    for (int i = 0; i < 2 && n == 1; i++) {
        const CPLXMLNode *file = find_file(root, names[i]);
        if (file && is_only_file(root, names[i], CPLGetXMLValue(file, NULL, "")))
            n = count_of_file(dataset, file, depth, tiff);
    }
    CPLDestroyXMLNode(root);
    return n;
}

int page_count(GDALDatasetH source, char **tiff)
{
    if (tiff)
        *tiff = NULL;
    CPLErr type = CPLGetLastErrorType();
    CPLErrorNum number = CPLGetLastErrorNo();
    char *message = CPLStrdup(CPLGetLastErrorMsg());
    CPLPushErrorHandler(CPLQuietErrorHandler);
    int n = count_pages(source, 0, tiff);
    CPLPopErrorHandler();
    CPLErrorSetState(type, number, message);
    CPLFree(message);
    return n;
}
