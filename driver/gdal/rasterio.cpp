/* rasterio.cpp: how pixels reach GDAL. A request without resampling is read by the core straight into the caller's
 * memory, past GDAL's block cache: every chunk is decoded once, by several threads, for all the bands that it holds.
 * Where the caller wants another type, strips go through a buffer. Resampled requests are GDAL's own business: it
 * chooses the overview and comes back here for its pixels. Blocks, which GDAL asks for where it samples, are read the
 * same way, and what a chunk holds beside the block waits in the core's cache. */
#include <algorithm>
#include <cstring>
#include <new>

#include "omezarrdataset.h"
#include "pixeltype.h"

constexpr int max_error_text = 1024;
constexpr int64_t most_bytes = 32 << 20; /* of a strip that is converted, or whose chunks several calls share */

/* -- Threads and memory -------------------------------------------------------------------------------------------- */

static bool parse_threads(const char *text, int *n_threads)
{
    char *end = nullptr;
    if (EQUAL(text, "ALL_CPUS")) {
        *n_threads = std::max(1, CPLGetNumCPUs());
        return true;
    }
    const long number = strtol(text, &end, 10);
    *n_threads = static_cast<int>(number);
    return end != text && *end == '\0' && number >= 0 && number <= 1024;
}

bool reading_threads(const char *option, int *n_threads)
{
    if (option != nullptr && !parse_threads(option, n_threads)) {
        CPLError(CE_Failure, CPLE_IllegalArg, "NUM_THREADS=%s: it must be a number from 0 to 1024, or ALL_CPUS",
                 option);
        return false;
    }
    const char *config = CPLGetConfigOption("GDAL_NUM_THREADS", "ALL_CPUS");
    if (option == nullptr && !parse_threads(config, n_threads)) {
        CPLError(CE_Warning, CPLE_IllegalArg,
                 "GDAL_NUM_THREADS=%s is neither a number from 0 to 1024 nor ALL_CPUS; ALL_CPUS is used", config);
        parse_threads("ALL_CPUS", n_threads);
    }
    return true;
}

int64_t reading_cache(const OpenStore &store, const LevelGrid &grid)
{
    const int y = store.rank - 2, x = store.rank - 1;
    double row = static_cast<double>(ngff_type_size(store.type)) * grid.chunk[y] * (grid.shape[x] + grid.chunk[x]);
    for (int axis = 0; axis < y; axis++)
        row *= static_cast<double>(grid.shape[axis] + grid.chunk[axis] - 1);
    const int64_t most = std::max<int64_t>(GDALGetCacheMax64(), 0), least = 64 << 20;
    return std::min(most, row > static_cast<double>(most) ? most : std::max(least, static_cast<int64_t>(row)));
}

/* -- Bands as boxes of planes -------------------------------------------------------------------------------------- */

/* Planes that one call of the core reads. */
struct PlaneBox {
    int64_t origin[5] = {}, extent[5] = {1, 1, 1, 1, 1};
    int64_t step[5] = {};     /* from plane to plane along an axis, in bands of the request: may be negative */
    int64_t first = 0, n = 1; /* the request's band that the first plane goes to; number of planes */
};

using Planes = std::vector<const int64_t *>;

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

static CPLErr read_converted(const Source &source, const PlaneBox &box, const Window &window,
                             std::vector<GByte> &buffer)
{
    const size_t row_bytes = static_cast<size_t>(window.width) * ngff_type_size(source.type);
    std::vector<float> halves;
    try {
        buffer.resize(row_bytes * window.height * box.n);
        halves.resize(is_same_type(source) ? 0 : window.width);
    } catch (const std::bad_alloc &) {
        CPLError(CE_Failure, CPLE_OutOfMemory, "%s: no memory for %d x %d pixels", source.name, window.width,
                 window.height);
        return CE_Failure;
    }
    if (read_box(source, box, window, buffer.data(), nullptr) != CE_None)
        return CE_Failure;
    const GByte *from = buffer.data();
    for (int64_t plane = 0; plane < box.n; plane++) {
        int64_t rest = plane, band = box.first;
        for (int axis = source.rank - 3; axis >= 0; axis--) {
            band += rest % box.extent[axis] * box.step[axis];
            rest /= box.extent[axis];
        }
        GByte *to = static_cast<GByte *>(window.data) + band * window.band_space;
        for (int y = 0; y < window.height; y++, from += row_bytes, to += window.line_space)
            convert_row(source, from, halves, to, window);
    }
    return CE_None;
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
    std::vector<GByte> buffer;
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
        const double done = static_cast<double>(part.y + part.height - window.y) / window.height;
        if (extra != nullptr && extra->pfnProgress != nullptr && !extra->pfnProgress(done, "", extra->pProgressData)) {
            CPLError(CE_Failure, CPLE_UserInterrupt, "%s: reading was cancelled", source.name);
            return CE_Failure;
        }
    }
    return CE_None;
}

/* chunk: of all axes. */
static CPLErr read_window(const Source &source, const Planes &planes, const Window &window, const int64_t *chunk,
                          int64_t planes_per_chunk, GDALRasterIOExtraArg *extra)
{
    const bool is_converted = window.type != source.gdal_type || !is_same_type(source);
    const int64_t *chunk_yx = chunk + source.rank - 2;
    size_t most = planes.size();
    if (is_converted) {
        const int64_t plane_bytes = std::min<int64_t>(chunk_yx[0], window.height) *
                                    std::min<int64_t>(chunk_yx[1], window.width) * ngff_type_size(source.type);
        most = static_cast<size_t>(std::max<int64_t>(1, most_bytes / plane_bytes));
    }
    std::vector<PlaneBox> boxes;
    int64_t n_planes = 1;
    for (size_t at = 0; at < planes.size(); at += boxes.back().n) {
        boxes.push_back(next_box(planes, at, source.rank - 2, most));
        n_planes = std::max(n_planes, boxes.back().n);
    }
    const bool has_progress = extra != nullptr && extra->pfnProgress != nullptr;
    if (!is_converted && !has_progress && (boxes.size() == 1 || planes_per_chunk == 1)) {
        for (const PlaneBox &box : boxes)
            if (read_in_place(source, box, window) != CE_None)
                return CE_Failure;
        return CE_None;
    }
    return read_steps(source, boxes, window, chunk_yx, std::max(n_planes, planes_per_chunk), is_converted, extra);
}

CPLErr OmeZarrDataset::read_planes(const Window &window, const Planes &planes, int n_threads,
                                   GDALRasterIOExtraArg *extra)
{
    const OpenStore &store = *m_store;
    const Source source = {store.reader,     m_level,  store.rank, false, store.type, gdal_from_ngff(store.type),
                           GetDescription(), n_threads};
    return read_window(source, planes, window, m_grid.chunk, m_grid.planes_per_chunk, extra);
}

CPLErr OmeZarrDataset::read_mask(const Window &window, int n_threads, GDALRasterIOExtraArg *extra)
{
    const Source source = {m_store->reader, m_level, 2, true, NGFF_UINT8, GDT_Byte, GetDescription(), n_threads};
    const int64_t no_axes[1] = {};
    return read_window(source, {no_axes}, window, m_grid.chunk + m_store->rank - 2, 1, extra);
}

/* -- What GDAL calls ----------------------------------------------------------------------------------------------- */

/* True where the pixels wanted are those stored, one for one. */
static bool is_unsampled(GDALRWFlag flag, int x, int y, int width, int height, int buffer_width, int buffer_height,
                         const GDALRasterIOExtraArg *extra)
{
    if (flag != GF_Read || width != buffer_width || height != buffer_height)
        return false;
    return extra == nullptr || !extra->bFloatingPointWindowValidity ||
           (extra->dfXOff == x && extra->dfYOff == y && extra->dfXSize == width && extra->dfYSize == height);
}

CPLErr OmeZarrDataset::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                                 int buffer_height, GDALDataType type, int n_bands, BandMapIn bands,
                                 GSpacing pixel_space, GSpacing line_space, GSpacing band_space,
                                 GDALRasterIOExtraArg *extra)
{
    if (!is_unsampled(flag, x, y, width, height, buffer_width, buffer_height, extra))
        return GDALPamDataset::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type, n_bands,
                                         bands, pixel_space, line_space, band_space, extra);
    Planes planes;
    for (int i = 0; i < n_bands; i++)
        planes.push_back(static_cast<OmeZarrBand *>(GetRasterBand(bands[i]))->m_plane);
    return read_planes({x, y, width, height, data, type, pixel_space, line_space, band_space}, planes,
                       m_store->n_threads, extra);
}

CPLErr OmeZarrBand::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                              int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                              GDALRasterIOExtraArg *extra)
{
    if (!is_unsampled(flag, x, y, width, height, buffer_width, buffer_height, extra))
        return GDALPamRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                            pixel_space, line_space, extra);
    return m_dataset->read_planes({x, y, width, height, data, type, pixel_space, line_space, 0}, {m_plane},
                                  m_dataset->m_store->n_threads, extra);
}

CPLErr OmeZarrMaskBand::IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                                  int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                                  GDALRasterIOExtraArg *extra)
{
    if (!is_unsampled(flag, x, y, width, height, buffer_width, buffer_height, extra))
        return GDALRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                         pixel_space, line_space, extra);
    return m_dataset->read_mask({x, y, width, height, data, type, pixel_space, line_space, 0},
                                m_dataset->m_store->n_threads, extra);
}

/* The window of a block: at the edge, the part that is in the image. The rest of the block becomes 0. */
static Window block_window(GDALRasterBand *band, int block_x, int block_y, void *pixels)
{
    int width, height;
    band->GetBlockSize(&width, &height);
    const GDALDataType type = band->GetRasterDataType();
    const int size = GDALGetDataTypeSizeBytes(type);
    const int64_t x = static_cast<int64_t>(block_x) * width, y = static_cast<int64_t>(block_y) * height;
    Window window = {static_cast<int>(x), static_cast<int>(y), 0, 0, pixels, type, size, GSpacing{size} * width, 0};
    window.width = static_cast<int>(std::min<int64_t>(width, band->GetXSize() - x));
    window.height = static_cast<int>(std::min<int64_t>(height, band->GetYSize() - y));
    if (window.width < width || window.height < height)
        memset(pixels, 0, static_cast<size_t>(width) * height * size);
    return window;
}

CPLErr OmeZarrBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    return m_dataset->read_planes(block_window(this, block_x, block_y, pixels), {m_plane}, 1, nullptr);
}

CPLErr OmeZarrMaskBand::IReadBlock(int block_x, int block_y, void *pixels)
{
    return m_dataset->read_mask(block_window(this, block_x, block_y, pixels), 1, nullptr);
}
