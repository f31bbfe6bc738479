/* fuzz_arrays.c: libFuzzer target for a whole store (archive.h), opened by the plugin through GDAL's multidimensional API:
 * all groups, what is said of arrays and dimensions, and pixels by starts, counts, steps and strides that the bytes of the
 * input choose. They may be nonsense: GDAL checks them before a driver sees them. */
#include <ogr_srs_api.h>

#include "archive.h"

enum { most_groups = 12, most_arrays = 24, most_axes = 8, most_values = 1 << 16 };

static const uint8_t *choices, *choices_end; /* bytes that choose, the last ones of the input first */
static int n_groups, n_arrays;

static uint64_t choose(uint64_t n)
{
    if (n < 2 || choices == choices_end)
        return 0;
    return (uint64_t) * --choices_end * 2654435761u % n;
}

static void read_values(GDALMDArrayH array, size_t rank, GDALDimensionH *dimensions)
{
    GUInt64 start[most_axes];
    size_t count[most_axes], n = 1;
    GInt64 step[most_axes];
    GPtrDiff_t stride[most_axes];
    for (size_t i = rank; i-- > 0;) {
        uint64_t size = GDALDimensionGetSize(dimensions[i]);
        uint64_t room = most_values / n < 40 ? most_values / n : 40;
        start[i] = choose(size);
        step[i] = (GInt64)choose(7) - 3;
        count[i] = (size_t)(1 + choose(size < room ? size : room));
        stride[i] = (GPtrDiff_t)n;
        n *= count[i];
    }
    if (choose(4) == 0) /* as GDAL's views ask: the last place first */
        for (size_t i = 0; i < rank; i++) {
            uint64_t size = GDALDimensionGetSize(dimensions[i]);
            count[i] = (size_t)(size < count[i] ? size : count[i]);
            start[i] = size - 1;
            step[i] = -1;
        }
    double *values = malloc(sizeof *values * n);
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);
    if (values)
        GDALMDArrayRead(array, start, count, step, stride, type, values, values, sizeof *values * n);
    GDALExtendedDataTypeRelease(type);
    free(values);
}

static void ask_of_array(GDALMDArrayH array)
{
    size_t rank = 0, n_attributes = 0, n_blocks = 0;
    int has_value = 0;
    GDALDimensionH *dimensions = GDALMDArrayGetDimensions(array, &rank);
    GDALExtendedDataTypeH type = GDALMDArrayGetDataType(array);
    GDALMDArrayGetUnit(array);
    GDALMDArrayGetNoDataValueAsDouble(array, &has_value);
    GDALMDArrayGetScale(array, &has_value);
    GDALMDArrayGetOffset(array, &has_value);
    OGRSpatialReferenceH crs = GDALMDArrayGetSpatialRef(array);
    if (crs)
        OSRRelease(crs);
    CPLFree(GDALMDArrayGetBlockSize(array, &n_blocks));
    GDALReleaseAttributes(GDALMDArrayGetAttributes(array, &n_attributes, NULL), n_attributes);
    for (size_t i = 0; i < rank && rank <= most_axes; i++) {
        GDALMDArrayH positions = GDALDimensionGetIndexingVariable(dimensions[i]);
        if (positions && GDALExtendedDataTypeGetClass(type) == GEDTC_NUMERIC)
            read_values(positions, 1, dimensions + i);
        if (positions)
            GDALMDArrayRelease(positions);
    }
    for (int i = 0; i < 3 && rank <= most_axes && GDALExtendedDataTypeGetClass(type) == GEDTC_NUMERIC; i++)
        read_values(array, rank, dimensions);
    GDALExtendedDataTypeRelease(type);
    GDALReleaseDimensions(dimensions, rank);
}

static void walk(GDALGroupH group, int depth)
{
    size_t n_attributes = 0;
    GDALReleaseAttributes(GDALGroupGetAttributes(group, &n_attributes, NULL), n_attributes);
    char **names = GDALGroupGetMDArrayNames(group, NULL);
    for (int i = 0; names && names[i] && n_arrays < most_arrays; i++, n_arrays++) {
        GDALMDArrayH array = GDALGroupOpenMDArray(group, names[i], NULL);
        if (array) {
            ask_of_array(array);
            GDALMDArrayRelease(array);
        }
    }
    CSLDestroy(names);
    names = depth < 6 ? GDALGroupGetGroupNames(group, NULL) : NULL;
    for (int i = 0; names && names[i] && n_groups < most_groups; i++, n_groups++) {
        GDALGroupH below = GDALGroupOpenGroup(group, names[i], NULL);
        if (below) {
            walk(below, depth + 1);
            GDALGroupRelease(below);
        }
    }
    CSLDestroy(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const drivers[] = {"OMEZARR", NULL};
    static const char *const options[] = {"MAX_METADATA=1MB", "MAX_CHUNK=1MB", "NUM_THREADS=1", NULL};
    if (size > most_bytes)
        return 0;
    choices = data;
    choices_end = data + size;
    n_groups = n_arrays = 0;
    put_archive(data, size);
    GDALDatasetH dataset = GDALOpenEx(root, GDAL_OF_MULTIDIM_RASTER, drivers, options, NULL);
    GDALGroupH group = dataset ? GDALDatasetGetRootGroup(dataset) : NULL;
    if (group) {
        walk(group, 0);
        GDALGroupRelease(group);
    }
    if (dataset)
        GDALClose(dataset);
    remove_archive();
    return 0;
}
