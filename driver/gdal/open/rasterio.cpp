/* rasterio.cpp: how pixels reach GDAL. A request without resampling is read by the core straight into the caller's
 * memory, past GDAL's block cache: every chunk is decoded once, by several threads, for all the bands that it holds.
 * Where the caller wants another type, strips go through a buffer. A resampled request is read from the overview that
 * GDAL would choose, in the window of it that lies there. What is then left to sample takes the nearest pixels, by GDAL's
 * rule, out of such strips; all other resampling is GDAL's, which asks for its source pixels here. Blocks are read the
 * same way, and what a chunk holds beside the block waits in the core's cache. */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>

#include "plugin/guard.h"
#include "open/raster.h"
#include "describe/pixel_type.h"

constexpr int max_error_text = 1024;
constexpr int64_t most_bytes = 32 << 20; /* of a strip that is converted, or whose chunks several calls share */

/* -- Memory -------------------------------------------------------------------------------------------------------- */

int64_t reading_cache(const OpenStore &store, const LevelGrid &grid)
{
    const int y = store.rank - 2, x = store.rank - 1;
    double row = static_cast<double>(ngff_type_size(store.type)) * grid.chunk[y] * (grid.shape[x] + grid.chunk[x]);
    for (int axis = 0; axis < y; axis++)
        row *= static_cast<double>(grid.shape[axis] + grid.chunk[axis] - 1);
    const int64_t most = std::max<int64_t>(GDALGetCacheMax64(), 1), least = 64 << 20; /* 1: one chunk */
    return std::min(most, row > static_cast<double>(most) ? most : std::max(least, static_cast<int64_t>(row)));
}

/* -- Bands as boxes of planes -------------------------------------------------------------------------------------- */

/* Planes that one call of the core reads. */
struct PlaneBox {
    int64_t origin[5] = {}, extent[5] = {1, 1, 1, 1, 1};
    int64_t step[5] = {};     /* from plane to plane along an axis, in bands of the request: may be negative */
    int64_t first = 0, n = 1; /* the request's band that the first plane goes to; number of planes */
};

/* The index on each axis but y and x, of each plane of a request. */
struct Planes {
    const int64_t *const *first;
    size_t n;

    const int64_t *operator[](size_t i) const
    {
        return first[i];
    }
    size_t size() const
    {
        return n;
    }
};

/* True if the n planes behind `repeat` times n others are those at `from`, moved along the axis. */
static bool is_repeated(const Planes &planes, size_t from, size_t n, size_t repeat, int n_axes, int axis, int64_t move)
{
    for (size_t i = from; i < from + n; i++)
        for (int k = 0; k < n_axes; k++)
            if (planes[i + repeat * n][k] != planes[i][k] + (k == axis ? move * static_cast<int64_t>(repeat) : 0))
                return false;
    return true;
}

/* The axis along which a plane follows another one, up or down; -1 if it does not, or the axis is already in use. */
static int axis_between(const int64_t *plane, const int64_t *next, const PlaneBox &box, int n_axes)
{
    int axis = -1;
    for (int k = 0; k < n_axes; k++) {
        const int64_t move = next[k] - plane[k];
        if (move == 0)
            continue;
        if (axis >= 0 || (move != 1 && move != -1) || box.extent[k] > 1)
            return -1;
        axis = k;
    }
    return axis;
}

/* The largest box, of at most so many planes, that the planes from here on make: runs along one axis, runs of those
 * along another, and so on. */
static PlaneBox next_box(const Planes &planes, size_t from, int n_axes, size_t most)
{
    PlaneBox box;
    std::copy(planes[from], planes[from] + n_axes, box.origin);
    box.first = static_cast<int64_t>(from);
    const size_t n_left = std::min(most, planes.size() - from);
    for (size_t n = 1; 2 * n <= n_left;) {
        const int axis = axis_between(planes[from], planes[from + n], box, n_axes);
        if (axis < 0)
            break;
        const int64_t move = planes[from + n][axis] - planes[from][axis];
        size_t repeats = 1;
        while ((repeats + 1) * n <= n_left && is_repeated(planes, from, n, repeats, n_axes, axis, move))
            repeats++;
        if (repeats == 1)
            break;
        box.extent[axis] = static_cast<int64_t>(repeats);
        box.step[axis] = move * static_cast<int64_t>(n);
        if (move < 0) {
            box.origin[axis] -= box.extent[axis] - 1;
            box.first += (box.extent[axis] - 1) * static_cast<int64_t>(n);
        }
        n *= repeats;
        box.n = static_cast<int64_t>(n);
    }
    return box;
}

/* -- One strip ----------------------------------------------------------------------------------------------------- */

/* A window of the level, and the memory that it goes to. */
struct Window {
    int x, y, width, height;
    void *data;
    GDALDataType type;
    GSpacing pixel_space, line_space, band_space;
};

/* The array behind a request: the level's pixels, or its mask. */
struct Source {
    ngff_reader *reader;
    int level, rank; /* 2 for a mask */
    bool is_mask;
    int32_t type;
    GDALDataType gdal_type;
    const char *name;
    int n_threads;
};

static bool is_same_type(const Source &source)
{
    return ngff_type_size(source.type) == GDALGetDataTypeSizeBytes(source.gdal_type);
}

static CPLErr read_box(const Source &source, const PlaneBox &box, const Window &window, void *to,
                       const int64_t *strides)
{
    int64_t origin[5], extent[5];
    const int y = source.rank - 2, x = source.rank - 1;
    std::copy(box.origin, box.origin + y, origin);
    std::copy(box.extent, box.extent + y, extent);
    origin[y] = window.y;
    origin[x] = window.x;
    extent[y] = window.height;
    extent[x] = window.width;
    char problem[max_error_text];
    problem[0] = '\0';
    const int32_t status =
        source.is_mask ? ngff_reader_read_mask(source.reader, source.level, origin, extent, static_cast<uint8_t *>(to),
                                               strides, source.n_threads, problem, max_error_text)
                       : ngff_reader_read(source.reader, source.level, origin, extent, to, strides, source.n_threads,
                                          problem, max_error_text);
    tell_warnings(source.reader);
    if (status == NGFF_OK)
        return CE_None;
    CPLError(CE_Failure, status == NGFF_E_MEMORY ? CPLE_OutOfMemory : CPLE_FileIO, "%s: %s", source.name, problem);
    return CE_Failure;
}

static CPLErr read_in_place(const Source &source, const PlaneBox &box, const Window &window)
{
    int64_t strides[5];
    for (int axis = 0; axis < source.rank - 2; axis++)
        strides[axis] = box.step[axis] * window.band_space;
    strides[source.rank - 2] = window.line_space;
    strides[source.rank - 1] = window.pixel_space;
    return read_box(source, box, window, static_cast<GByte *>(window.data) + box.first * window.band_space, strides);
}

/* One row of pixels as the caller's type. halves: as floats, room for a row, where GDAL has no halves. */
static void convert_row(const Source &source, const GByte *from, std::vector<float> &halves, GByte *to,
                        const Window &window)
{
    const void *row = from;
    if (!is_same_type(source)) {
        for (int i = 0; i < window.width; i++) {
            uint16_t half;
            memcpy(&half, from + 2 * static_cast<size_t>(i), sizeof half);
            halves[i] = float_from_half(half);
        }
        row = halves.data();
    }
    const int size = GDALGetDataTypeSizeBytes(source.gdal_type);
    if (window.pixel_space >= INT_MIN && window.pixel_space <= INT_MAX) {
        GDALCopyWords(row, source.gdal_type, size, to, window.type, static_cast<int>(window.pixel_space), window.width);
        return;
    }
    for (int i = 0; i < window.width; i++)
        GDALCopyWords(static_cast<const GByte *>(row) + static_cast<size_t>(i) * size, source.gdal_type, size,
                      to + i * window.pixel_space, window.type, 0, 1);
}

/* Memory for the pixels of a strip and for one row of them, used by one strip after the other. */
struct Buffer {
    std::unique_ptr<GByte[]> pixels{}, row{};
    size_t n_pixel_bytes = 0, n_row_bytes = 0;
    std::vector<float> halves{};

    static void fit(std::unique_ptr<GByte[]> *bytes, size_t *have, size_t want)
    {
        if (*have >= want)
            return;
        bytes->reset(); /* before the new one, so that both are never there */
        *have = 0;
        bytes->reset(new GByte[want]); /* uninitialised: clearing would cost as much as reading */
        *have = want;
    }

    /* False, with an error, when memory is out. */
    bool fit(const Source &source, const Window &strip, int64_t n_planes, int row_width)
    {
        const size_t size = ngff_type_size(source.type);
        try {
            fit(&pixels, &n_pixel_bytes, size * strip.width * strip.height * n_planes);
            fit(&row, &n_row_bytes, size * row_width);
            halves.resize(is_same_type(source) ? 0 : std::max<size_t>(halves.size(), row_width));
        } catch (const std::bad_alloc &) {
            CPLError(CE_Failure, CPLE_OutOfMemory, "%s: no memory for %d x %d pixels", source.name, strip.width,
                     strip.height);
            return false;
        }
        return true;
    }
};

/* Where a plane of a box goes. */
static GByte *plane_target(const Source &source, const PlaneBox &box, int64_t plane, const Window &window)
{
    int64_t band = box.first;
    for (int axis = source.rank - 3; axis >= 0; axis--) {
        band += plane % box.extent[axis] * box.step[axis];
        plane /= box.extent[axis];
    }
    return static_cast<GByte *>(window.data) + band * window.band_space;
}

static CPLErr read_converted(const Source &source, const PlaneBox &box, const Window &window, Buffer &buffer)
{
    if (!buffer.fit(source, window, box.n, window.width) ||
        read_box(source, box, window, buffer.pixels.get(), nullptr) != CE_None)
        return CE_Failure;
    const size_t row_bytes = static_cast<size_t>(window.width) * ngff_type_size(source.type);
    const GByte *from = buffer.pixels.get();
    for (int64_t plane = 0; plane < box.n; plane++) {
        GByte *to = plane_target(source, box, plane, window);
        for (int y = 0; y < window.height; y++, from += row_bytes, to += window.line_space)
            convert_row(source, from, buffer.halves, to, window);
    }
    return CE_None;
}

/* Tells the caller how far it is; false, with an error, if he wants no more. */
static bool go_on(const Source &source, const GDALRasterIOExtraArg *extra, double done)
{
    if (extra == nullptr || extra->pfnProgress == nullptr || extra->pfnProgress(done, "", extra->pProgressData))
        return true;
    CPLError(CE_Failure, CPLE_UserInterrupt, "%s: reading was cancelled", source.name);
    return false;
}

/* -- A whole window ------------------------------------------------------------------------------------------------ */

/* Up to this pixel, where a step of so many chunks ends that begins in the chunk of `from`. */
static int step_end(int from, int64_t chunk, int64_t n_chunks, int end)
{
    return static_cast<int>(std::min<int64_t>(end, (from / chunk + n_chunks) * chunk));
}

/* Reads the boxes of planes step by step, each a number of chunks, all boxes of a step before the next: what their
 * chunks share is still in the cache. chunk: y, x; planes: how many decoded planes a step holds of each pixel. */
static CPLErr read_steps(const Source &source, const std::vector<PlaneBox> &boxes, const Window &window,
                         const int64_t *chunk, int64_t planes, bool is_converted, GDALRasterIOExtraArg *extra)
{
    const int64_t cell_bytes = std::min<int64_t>(chunk[0], window.height) * std::min<int64_t>(chunk[1], window.width) *
                               planes * ngff_type_size(source.type);
    const int64_t n_cells = std::max<int64_t>(1, most_bytes / cell_bytes);
    const int64_t columns = (window.x + window.width - 1) / chunk[1] - window.x / chunk[1] + 1;
    const int64_t step_columns = std::min(columns, n_cells), step_rows = std::max<int64_t>(1, n_cells / columns);
    Buffer buffer;
    Window part = window;
    for (part.y = window.y; part.y < window.y + window.height; part.y += part.height) {
        part.height = step_end(part.y, chunk[0], step_rows, window.y + window.height) - part.y;
        for (part.x = window.x; part.x < window.x + window.width; part.x += part.width) {
            part.width = step_end(part.x, chunk[1], step_columns, window.x + window.width) - part.x;
            part.data = static_cast<GByte *>(window.data) + (part.y - window.y) * window.line_space +
                        (part.x - window.x) * window.pixel_space;
            for (const PlaneBox &box : boxes)
                if ((is_converted ? read_converted(source, box, part, buffer) : read_in_place(source, box, part)) !=
                    CE_None)
                    return CE_Failure;
        }
        if (!go_on(source, extra, static_cast<double>(part.y + part.height - window.y) / window.height))
            return CE_Failure;
    }
    return CE_None;
}

/* Boxes for all the planes. most: planes of a box. */
static std::vector<PlaneBox> boxes_of(const Source &source, const Planes &planes, size_t most)
{
    std::vector<PlaneBox> boxes;
    for (size_t at = 0; at < planes.size(); at += boxes.back().n)
        boxes.push_back(next_box(planes, at, source.rank - 2, most));
    return boxes;
}

static int64_t largest(const std::vector<PlaneBox> &boxes)
{
    int64_t n = 1;
    for (const PlaneBox &box : boxes)
        n = std::max(n, box.n);
    return n;
}

/* So many planes of a chunk of this window fit into a strip. */
static size_t planes_in_strip(const Source &source, const int64_t *chunk, int width, int height)
{
    const int64_t bytes =
        std::min<int64_t>(chunk[0], height) * std::min<int64_t>(chunk[1], width) * ngff_type_size(source.type);
    return static_cast<size_t>(std::max<int64_t>(1, most_bytes / bytes));
}

/* chunk: of all axes. */
static CPLErr read_window(const Source &source, const Planes &planes, const Window &window, const int64_t *chunk,
                          int64_t planes_per_chunk, GDALRasterIOExtraArg *extra)
{
    const bool is_converted = window.type != source.gdal_type || !is_same_type(source);
    const bool has_progress = extra != nullptr && extra->pfnProgress != nullptr;
    if (!is_converted && !has_progress && planes.size() == 1)
        return read_in_place(source, next_box(planes, 0, source.rank - 2, 1), window);
    const int64_t *chunk_yx = chunk + source.rank - 2;
    const size_t most = is_converted ? planes_in_strip(source, chunk_yx, window.width, window.height) : planes.size();
    const std::vector<PlaneBox> boxes = boxes_of(source, planes, most);
    if (!is_converted && !has_progress && (boxes.size() == 1 || planes_per_chunk == 1)) {
        for (const PlaneBox &box : boxes)
            if (read_in_place(source, box, window) != CE_None)
                return CE_Failure;
        return CE_None;
    }
    return read_steps(source, boxes, window, chunk_yx, std::max(largest(boxes), planes_per_chunk), is_converted, extra);
}

/* -- Nearest pixels ------------------------------------------------------------------------------------------------ */

/* The pixels of an axis that n pixels of the caller take, by GDAL's rule: the one under the centre, and a trifle more
 * against rounding. GDAL computes rows one by one, but columns by adding up steps, whose roundings count. */
static std::vector<int> nearest_pixels(double offset, double extent, int n, int n_stored, bool adds_up)
{
    constexpr double trifle = 1e-10;
    const double step = extent / n, last = n_stored - 1;
    std::vector<int> pixels(n);
    double at = 0.5 * step + offset + trifle;
    for (int i = 0; i < n; i++, at += step) {
        const double here = adds_up ? at : (i + 0.5) * step + offset + trifle;
        pixels[i] = static_cast<int>(std::min(std::max(0.0, here), last));
    }
    return pixels;
}

/* Consecutive pixels of the caller, and the stored ones that they lie in. */
struct Run {
    int first, n, low, high;
};

/* Runs that leave no whole chunk between two of their pixels, and take at most so many stored ones. */
static std::vector<Run> runs_of(const std::vector<int> &pixels, int64_t chunk, int64_t most)
{
    std::vector<Run> runs;
    for (int i = 0; i < static_cast<int>(pixels.size()); i++) {
        const int pixel = pixels[i];
        if (runs.empty() || pixel / chunk > runs.back().high / chunk + 1 || pixel - runs.back().low >= most)
            runs.push_back({i, 0, pixel, pixel});
        runs.back().n++;
        runs.back().high = pixel;
    }
    return runs;
}

template <int size> static void gather(const GByte *from, const int *pixels, int n, int low, GByte *to)
{
    for (int i = 0; i < n; i++)
        memcpy(to + static_cast<size_t>(i) * size, from + static_cast<size_t>(pixels[i] - low) * size, size);
}

static void gather_row(int size, const GByte *from, const int *pixels, int n, int low, GByte *to)
{
    switch (size) {
    case 1:
        return gather<1>(from, pixels, n, low, to);
    case 2:
        return gather<2>(from, pixels, n, low, to);
    case 4:
        return gather<4>(from, pixels, n, low, to);
    case 8:
        return gather<8>(from, pixels, n, low, to);
    default:
        return gather<16>(from, pixels, n, low, to);
    }
}

/* One strip: the stored pixels of a run of rows and a run of columns. window: the caller's memory. */
static CPLErr sample_strip(const Source &source, const PlaneBox &box, const Window &window,
                           const std::vector<int> &rows, const std::vector<int> &columns, const Run &row_run,
                           const Run &column_run, Buffer &buffer)
{
    Window strip = window, row = window;
    strip.x = column_run.low;
    strip.y = row_run.low;
    strip.width = column_run.high - column_run.low + 1;
    strip.height = row_run.high - row_run.low + 1;
    row.width = column_run.n;
    if (!buffer.fit(source, strip, box.n, row.width) ||
        read_box(source, box, strip, buffer.pixels.get(), nullptr) != CE_None)
        return CE_Failure;
    const int size = ngff_type_size(source.type);
    const bool is_in_place = window.type == source.gdal_type && is_same_type(source) && window.pixel_space == size;
    for (int64_t plane = 0; plane < box.n; plane++) {
        const GByte *from = buffer.pixels.get() + plane * strip.height * strip.width * size;
        for (int y = row_run.first; y < row_run.first + row_run.n; y++) {
            GByte *to = plane_target(source, box, plane, window) + y * window.line_space +
                        column_run.first * window.pixel_space;
            gather_row(size, from + static_cast<int64_t>(rows[y] - strip.y) * strip.width * size,
                       columns.data() + column_run.first, row.width, strip.x, is_in_place ? to : buffer.row.get());
            if (!is_in_place)
                convert_row(source, buffer.row.get(), buffer.halves, to, row);
        }
    }
    return CE_None;
}

/* window: the caller's memory, its width and height those of the caller's buffer. */
static CPLErr read_sampled(const Source &source, const Planes &planes, const Window &window,
                           const std::vector<int> &rows, const std::vector<int> &columns, const int64_t *chunk_yx,
                           GDALRasterIOExtraArg *extra)
{
    const int64_t width = columns.back() - columns.front() + 1, height = rows.back() - rows.front() + 1;
    const std::vector<PlaneBox> boxes =
        boxes_of(source, planes, planes_in_strip(source, chunk_yx, static_cast<int>(width), static_cast<int>(height)));
    const int64_t pixels = std::max<int64_t>(1, most_bytes / (ngff_type_size(source.type) * largest(boxes)));
    const int64_t strip_width = std::max(chunk_yx[1], pixels / std::min(chunk_yx[0], height));
    const int64_t strip_height = std::max(chunk_yx[0], pixels / std::min(strip_width, width));
    Buffer buffer;
    const std::vector<Run> column_runs = runs_of(columns, chunk_yx[1], strip_width);
    for (const Run &row_run : runs_of(rows, chunk_yx[0], strip_height)) {
        for (const Run &column_run : column_runs)
            for (const PlaneBox &box : boxes)
                if (sample_strip(source, box, window, rows, columns, row_run, column_run, buffer) != CE_None)
                    return CE_Failure;
        if (!go_on(source, extra, static_cast<double>(row_run.first + row_run.n) / window.height))
            return CE_Failure;
    }
    return CE_None;
}

/* -- Requests ------------------------------------------------------------------------------------------------------ */

static bool has_fractions(const RasterRequest &request)
{
    const GDALRasterIOExtraArg *extra = request.extra;
    return extra != nullptr && extra->bFloatingPointWindowValidity &&
           (extra->dfXOff != request.x || extra->dfYOff != request.y || extra->dfXSize != request.width ||
            extra->dfYSize != request.height);
}

static bool is_unsampled(const RasterRequest &request)
{
    return request.width == request.buffer_width && request.height == request.buffer_height && !has_fractions(request);
}

/* The overview that GDAL would read the request from; -1 for none. */
static int best_overview(GDALRasterBand *band, const RasterRequest &request)
{
    if ((request.buffer_width >= request.width && request.buffer_height >= request.height) ||
        band->GetOverviewCount() == 0)
        return -1;
    int x = request.x, y = request.y, width = request.width, height = request.height;
    GDALRasterIOExtraArg extra;
    GDALCopyRasterIOExtraArg(&extra, request.extra); /* an older caller's is shorter */
    return GDALBandGetBestOverviewLevel2(band, x, y, width, height, request.buffer_width, request.buffer_height,
                                         &extra);
}

/* From pixels of the dataset to those of a level with n of them: the exact place, and the whole pixels around it. Where
 * pixels are mixed, the place keeps to the level's own; the nearest pixel is found from beyond it, too. */
static void move_to_level(double factor, double offset, int n, bool is_kept_inside, double *start, double *extent,
                          int *first, int *count)
{
    double begin = (*start - offset) / factor, end = (*start + *extent - offset) / factor;
    *first = std::clamp(static_cast<int>(std::floor(begin)), 0, n - 1);
    *count = std::clamp(static_cast<int>(std::ceil(end)), *first + 1, n) - *first;
    if (is_kept_inside) {
        begin = std::max<double>(begin, *first);
        end = std::min<double>(end, *first + *count);
        if (begin >= end) {
            begin = *first;
            end = *first + *count;
        }
    }
    *start = begin;
    *extent = end - begin;
}

/* GDAL stretches each level over all of the dataset: those of ours cover `factor` pixels with each of their own, and the
 * last one reaches past the edge. */
OmeZarrDataset *OmeZarrDataset::overview_for(GDALRWFlag flag, GDALRasterBand *band, RasterRequest *request,
                                             GDALRasterIOExtraArg *extra)
{
    const int index =
        flag == GF_Read && eAccess == GA_ReadOnly && !m_overviews.empty() ? best_overview(band, *request) : -1;
    if (index < 0)
        return nullptr;
    OmeZarrDataset *overview = m_overviews[index].get();
    CPLDebug("OMEZARR", "%s: %d x %d pixels for %d x %d are read from level %d", name(), request->buffer_width,
             request->buffer_height, request->width, request->height, overview->m_level);
    const LevelGrid &grid = overview->m_grid;
    const int y = m_store->rank - 2, x = m_store->rank - 1;
    GDALCopyRasterIOExtraArg(extra, request->extra);
    if (!extra->bFloatingPointWindowValidity) {
        extra->dfXOff = request->x;
        extra->dfYOff = request->y;
        extra->dfXSize = request->width;
        extra->dfYSize = request->height;
    }
    extra->bFloatingPointWindowValidity = TRUE;
    const bool mixes = extra->eResampleAlg != GRIORA_NearestNeighbour;
    move_to_level(grid.factor[x], grid.offset[x], overview->nRasterXSize, mixes, &extra->dfXOff, &extra->dfXSize,
                  &request->x, &request->width);
    move_to_level(grid.factor[y], grid.offset[y], overview->nRasterYSize, mixes, &extra->dfYOff, &extra->dfYSize,
                  &request->y, &request->height);
    request->extra = extra;
    return overview;
}

/* True for what is read here; the rest is GDAL's: writing, overviews, other resampling than the nearest pixel, and all
 * of a dataset that may have changed blocks in the block cache. */
static bool is_ours(GDALRWFlag flag, GDALRasterBand *band, const RasterRequest &request)
{
    return flag == GF_Read && band->GetDataset()->GetAccess() == GA_ReadOnly &&
           (is_unsampled(request) ||
            (request.extra->eResampleAlg == GRIORA_NearestNeighbour && best_overview(band, request) < 0 &&
             !CPLTestBool(CPLGetConfigOption("GDAL_NO_COSTLY_OVERVIEW", "NO"))));
}

/* stored_width, stored_height: of the level. chunk: of all axes. */
static CPLErr read_request(const Source &source, const Planes &planes, const RasterRequest &request, int stored_width,
                           int stored_height, const int64_t *chunk, int64_t planes_per_chunk)
{
    const Window window = {request.x,    request.y,           request.buffer_width, request.buffer_height, request.data,
                           request.type, request.pixel_space, request.line_space,   request.band_space};
    if (is_unsampled(request))
        return read_window(source, planes, window, chunk, planes_per_chunk, request.extra);
    const bool is_exact = has_fractions(request);
    const GDALRasterIOExtraArg *extra = request.extra;
    const double x = is_exact ? extra->dfXOff : request.x, width = is_exact ? extra->dfXSize : request.width;
    const double y = is_exact ? extra->dfYOff : request.y, height = is_exact ? extra->dfYSize : request.height;
    return read_sampled(source, planes, window, nearest_pixels(y, height, window.height, stored_height, false),
                        nearest_pixels(x, width, window.width, stored_width, true), chunk + source.rank - 2,
                        request.extra);
}

CPLErr OmeZarrDataset::read_planes(const RasterRequest &request, const int64_t *const *planes, size_t n_planes,
                                   int n_threads)
{
    const OpenStore &store = *m_store;
    const Source source = {store.reader, m_level,  store.rank, false, store.type, gdal_from_ngff(store.type),
                           name(),       n_threads};
    return read_request(source, {planes, n_planes}, request, nRasterXSize, nRasterYSize, m_grid.chunk,
                        m_grid.planes_per_chunk);
}

CPLErr OmeZarrDataset::read_mask(const RasterRequest &request, int n_threads)
{
    const Source source = {m_store->reader, m_level, 2, true, NGFF_UINT8, GDT_Byte, name(), n_threads};
    const int64_t no_axes[1] = {}, *const plane = no_axes;
    return read_request(source, {&plane, 1}, request, nRasterXSize, nRasterYSize, m_grid.chunk + m_store->rank - 2, 1);
}

/* -- What GDAL calls ----------------------------------------------------------------------------------------------- */

CPLErr OmeZarrDataset::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                                 int buffer_height, GDALDataType type, int n_bands, BandMapIn bands,
                                 GSpacing pixel_space, GSpacing line_space, GSpacing band_space,
                                 GDALRasterIOExtraArg *extra)
{
    RasterRequest request = {x,    y,           width,      height,     data, buffer_width, buffer_height,
                             type, pixel_space, line_space, band_space, extra};
    GDALRasterIOExtraArg extra_there;
    if (OmeZarrDataset *overview =
            n_bands > 0 ? overview_for(flag, GetRasterBand(bands[0]), &request, &extra_there) : nullptr)
        return overview->IRasterIO(flag, request.x, request.y, request.width, request.height, data, buffer_width,
                                   buffer_height, type, n_bands, bands, pixel_space, line_space, band_space,
                                   request.extra);
    if (n_bands < 1 || !is_ours(flag, GetRasterBand(bands[0]), request))
        return GDALPamDataset::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type, n_bands,
                                         bands, pixel_space, line_space, band_space, extra);
    return guarded(name(), CE_Failure, [&] {
        std::vector<const int64_t *> planes;
        for (int i = 0; i < n_bands; i++)
            planes.push_back(static_cast<OmeZarrBand *>(GetRasterBand(bands[i]))->m_plane);
        return read_planes(request, planes.data(), planes.size(), m_store->n_threads);
    });
}

CPLErr OmeZarrBand::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                              int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                              GDALRasterIOExtraArg *extra)
{
    RasterRequest request = {x,    y,           width,      height, data, buffer_width, buffer_height,
                             type, pixel_space, line_space, 0,      extra};
    GDALRasterIOExtraArg extra_there;
    if (OmeZarrDataset *overview = m_dataset->overview_for(flag, this, &request, &extra_there))
        return static_cast<OmeZarrBand *>(overview->GetRasterBand(nBand))
            ->IRasterIO(flag, request.x, request.y, request.width, request.height, data, buffer_width, buffer_height,
                        type, pixel_space, line_space, request.extra);
    if (!is_ours(flag, this, request))
        return GDALPamRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                            pixel_space, line_space, extra);
    const int64_t *const plane = m_plane;
    return guarded(m_dataset->name(), CE_Failure,
                   [&] { return m_dataset->read_planes(request, &plane, 1, m_dataset->m_store->n_threads); });
}

CPLErr OmeZarrMaskBand::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                                  int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                                  GDALRasterIOExtraArg *extra)
{
    RasterRequest request = {x,    y,           width,      height, data, buffer_width, buffer_height,
                             type, pixel_space, line_space, 0,      extra};
    GDALRasterIOExtraArg extra_there;
    if (OmeZarrDataset *overview = m_dataset->overview_for(flag, this, &request, &extra_there))
        return overview->m_mask->IRasterIO(flag, request.x, request.y, request.width, request.height, data,
                                           buffer_width, buffer_height, type, pixel_space, line_space, request.extra);
    if (!is_ours(flag, this, request))
        return GDALRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                         pixel_space, line_space, extra);
    return guarded(m_dataset->name(), CE_Failure,
                   [&] { return m_dataset->read_mask(request, m_dataset->m_store->n_threads); });
}

/* The request for a block: at the edge, for the part that is in the image. The rest of the block becomes 0. */
static RasterRequest block_request(GDALRasterBand *band, int block_x, int block_y, void *pixels)
{
    int width, height;
    band->GetBlockSize(&width, &height);
    const GDALDataType type = band->GetRasterDataType();
    const int size = GDALGetDataTypeSizeBytes(type);
    const int64_t x = static_cast<int64_t>(block_x) * width, y = static_cast<int64_t>(block_y) * height;
    const int inside_x = static_cast<int>(std::min<int64_t>(width, band->GetXSize() - x));
    const int inside_y = static_cast<int>(std::min<int64_t>(height, band->GetYSize() - y));
    if (inside_x < width || inside_y < height)
        memset(pixels, 0, static_cast<size_t>(width) * height * size);
    return {static_cast<int>(x),
            static_cast<int>(y),
            inside_x,
            inside_y,
            pixels,
            inside_x,
            inside_y,
            type,
            size,
            GSpacing{size} * width,
            0,
            nullptr};
}

CPLErr OmeZarrBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    const int64_t *const plane = m_plane;
    return guarded(m_dataset->name(), CE_Failure,
                   [&] { return m_dataset->read_planes(block_request(this, block_x, block_y, pixels), &plane, 1, 1); });
}

CPLErr OmeZarrMaskBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    return guarded(m_dataset->name(), CE_Failure,
                   [&] { return m_dataset->read_mask(block_request(this, block_x, block_y, pixels), 1); });
}

/* -- Holes --------------------------------------------------------------------------------------------------------- */

/* Chunk by chunk, as far as the caller wants to know it. What is wrong with one is told when it is read. */
template <typename IsNothing>
int OmeZarrDataset::coverage(const int64_t *plane, int x, int y, int width, int height, int stop, double *percent,
                             IsNothing is_nothing)
{
    constexpr int64_t most_chunks = 65536; /* that are looked for on a disk */
    const int y_axis = plane != nullptr ? m_store->rank - 2 : 0;
    const int64_t *chunk = m_grid.chunk + m_store->rank - 2;
    const int64_t columns = (x + width - 1) / chunk[1] - x / chunk[1] + 1;
    const int64_t rows = (y + height - 1) / chunk[0] - y / chunk[0] + 1;
    int64_t origin[5] = {}, extent[5] = {1, 1, 1, 1, 1};
    int status = 0;
    double n_there = 0;
    if (percent != nullptr)
        *percent = 100;
    if (columns * rows > most_chunks)
        return GDAL_DATA_COVERAGE_STATUS_UNIMPLEMENTED | GDAL_DATA_COVERAGE_STATUS_DATA;
    std::copy_n(plane, y_axis, origin);
    for (int top = y; top < y + height; top += static_cast<int>(extent[y_axis])) {
        origin[y_axis] = top;
        extent[y_axis] = step_end(top, chunk[0], 1, y + height) - top;
        for (int left = x; left < x + width; left += static_cast<int>(extent[y_axis + 1])) {
            GByte fill[16] = {};
            origin[y_axis + 1] = left;
            extent[y_axis + 1] = step_end(left, chunk[1], 1, x + width) - left;
            const bool is_empty = ngff_reader_is_empty(m_store->reader, m_level, plane == nullptr, origin, extent, fill,
                                                       nullptr, 0) == 1 &&
                                  is_nothing(fill);
            status |= is_empty ? GDAL_DATA_COVERAGE_STATUS_EMPTY : GDAL_DATA_COVERAGE_STATUS_DATA;
            n_there += is_empty ? 0 : static_cast<double>(extent[y_axis]) * static_cast<double>(extent[y_axis + 1]);
            if ((status & stop) != 0)
                return status;
        }
    }
    if (percent != nullptr)
        *percent = 100 * n_there / (static_cast<double>(width) * height);
    return status;
}

/* True for the nodata value, and for 0 where there is none: what others read where nothing is. */
bool OmeZarrBand::is_nothing(const void *pixel)
{
    int has = FALSE;
    if (eDataType == GDT_Int64 || eDataType == GDT_UInt64) {
        uint64_t value;
        memcpy(&value, pixel, sizeof value);
        const uint64_t nodata =
            eDataType == GDT_Int64 ? static_cast<uint64_t>(GetNoDataValueAsInt64(&has)) : GetNoDataValueAsUInt64(&has);
        return value == (has ? nodata : 0);
    }
    double value[2] = {0, 0};
    if (m_dataset->m_store->type == NGFF_FLOAT16) {
        uint16_t half;
        memcpy(&half, pixel, sizeof half);
        value[0] = float_from_half(half);
    } else {
        GDALCopyWords(pixel, eDataType, 0, value, GDT_CFloat64, 0, 1);
    }
    const double nodata = GetNoDataValue(&has), nothing = has ? nodata : 0;
    const bool is_equal = value[0] == nothing || (std::isnan(value[0]) && std::isnan(nothing)) ||
                          (eDataType == GDT_Float32 && static_cast<float>(value[0]) == static_cast<float>(nothing));
    return is_equal && value[1] == 0;
}

int OmeZarrBand::IGetDataCoverageStatus(int x, int y, int width, int height, int stop, double *percent)
{
    return m_dataset->coverage(m_plane, x, y, width, height, stop, percent,
                               [this](const void *pixel) { return is_nothing(pixel); });
}

int OmeZarrMaskBand::IGetDataCoverageStatus(int x, int y, int width, int height, int stop, double *percent)
{
    return m_dataset->coverage(nullptr, x, y, width, height, stop, percent,
                               [](const void *pixel) { return *static_cast<const GByte *>(pixel) == 0; });
}
