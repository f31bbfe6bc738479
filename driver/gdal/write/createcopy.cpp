/* createcopy.cpp: any raster -> a whole OME-Zarr in one pass.
 *
 *     source -> image (image.cpp) -> plan -> writer;  every reader thread:  next -> map -> read -> commit
 *
 * All rules of NGFF live in core. Here is only how GDAL's side is driven: the calling thread is one of the readers and
 * the only one that calls the progress function; errors of the others are collected and raised on it. */
#include "plugin/omezarr.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>

#include "cpl_multiproc.h"

#include "source/arrays.h"
#include "verify/compare.h"
#include "write/dryrun.h"
#include "plugin/guard.h"
#include "describe/image.h"
#include "describe/json_text.h"
#include "write/label_copies.h"
#include "ngff.h"
#include "write/omexml.h"
#include "open/raster.h"
#include "write/source_overviews.h"
#include "source/pages.h"
#include "write/series.h"
#include "source/raster_source.h"
#include "source/stack/stackdataset.h"
#include "write/plan.h"

/* -- The copy loop --------------------------------------------------------------------------------------------- */

struct KeptError {
    CPLErr type;
    CPLErrorNum number;
    std::string message;
};

/* What the reader threads share. */
struct CopyJob {
    const ImageFromSource &image;
    const SourceLayout &layout;
    const std::vector<GivenLevel> &levels;
    ngff_writer *writer;

    std::atomic<bool> must_stop{false};
    std::mutex lock{}; /* guards all below */
    std::condition_variable one_ended{};
    int n_running = 0;
    std::vector<KeptError> errors{};
};

constexpr GIntBig step_bytes = 4 << 20; /* of rows that go through a buffer at once */

/* Position of a plane among all planes of the image, from its indices on the axes before y. */
static size_t plane_at(const ImageFromSource &image, const int64_t *at)
{
    int64_t plane = 0;
    for (int axis = 0; axis < image.rank() - 2; axis++)
        plane = plane * image.shape[axis] + at[axis];
    return static_cast<size_t>(plane);
}

/* Calls visit(plane, offset) for every plane of a region; offset: bytes from the first plane. False if a visit fails. */
template <typename Visit>
static bool for_planes(const ImageFromSource &image, const int64_t *origin, const int64_t *extent,
                       const int64_t *strides, Visit visit)
{
    const int n_axes = image.rank() - 2;
    int64_t n_planes = 1, at[5] = {};
    for (int axis = 0; axis < n_axes; axis++)
        n_planes *= extent[axis];
    for (int64_t plane = 0; plane < n_planes; plane++) {
        int64_t rest = plane, offset = 0;
        for (int axis = n_axes - 1; axis >= 0; axis--) {
            const int64_t index = rest % extent[axis];
            rest /= extent[axis];
            at[axis] = origin[axis] + index;
            offset += index * strides[axis];
        }
        if (!visit(plane_at(image, at), offset))
            return false;
    }
    return true;
}

/* Reads all planes and the mask of a region into memory laid out by strides. */
static bool read_region(CopyJob &job, SourceReader &reader, const GivenLevel &level, const int64_t *origin,
                        const int64_t *extent, void *pixels, const int64_t *strides, uint8_t *mask, int64_t mask_stride,
                        int64_t room_width, int64_t room_height)
{
    const int y = job.image.rank() - 2, x = y + 1;
    PixelWindow window = {level.overview,
                          static_cast<int>(origin[x]),
                          static_cast<int>(origin[y]),
                          static_cast<int>(extent[x]),
                          static_cast<int>(extent[y]),
                          pixels,
                          strides[y],
                          static_cast<int>(room_width),
                          static_cast<int>(room_height)};
    const bool is_read = for_planes(job.image, origin, extent, strides, [&](size_t plane, int64_t offset) {
        window.pixels = static_cast<GByte *>(pixels) + offset;
        return !job.must_stop && reader.read(job.image.bands[plane], window);
    });
    window.pixels = mask;
    window.row_bytes = mask_stride;
    const bool is_all_read = is_read && (mask == nullptr || reader.read_mask(window));
    reader.end_region();
    return is_all_read;
}

/* A region of several cells goes through a buffer, some rows of source blocks at a time. */
static bool copy_in_steps(CopyJob &job, SourceReader &reader, const GivenLevel &level, std::vector<GByte> &buffer,
                          const int64_t *origin, const int64_t *extent)
{
    const int rank = job.image.rank(), y = rank - 2, x = rank - 1;
    const int64_t block = std::max(1, job.layout.block_height), end = origin[y] + extent[y];
    int64_t n_planes = 1;
    for (int axis = 0; axis < y; axis++)
        n_planes *= extent[axis];
    const int64_t row_bytes = n_planes * extent[x] * job.layout.pixel_size;
    const int64_t step = std::max<int64_t>(1, step_bytes / row_bytes / block) * block;
    int64_t part_origin[5], part[5], strides[5];
    std::copy_n(origin, rank, part_origin);
    std::copy_n(extent, rank, part);
    while (part_origin[y] < end && !job.must_stop) {
        part[y] = std::min(end, (part_origin[y] / block) * block + step) - part_origin[y];
        strides[x] = job.layout.pixel_size;
        for (int axis = x - 1; axis >= 0; axis--)
            strides[axis] = strides[axis + 1] * part[axis + 1];
        const int64_t pixel_bytes = row_bytes * part[y];
        buffer.resize(static_cast<size_t>(pixel_bytes + (job.image.has_mask ? part[y] * part[x] : 0)));
        uint8_t *mask = job.image.has_mask ? buffer.data() + pixel_bytes : nullptr;
        if (!read_region(job, reader, level, part_origin, part, buffer.data(), strides, mask, part[x], part[x],
                         part[y]) ||
            ngff_writer_level_write(job.writer, level.level, part_origin, part, buffer.data(), strides, mask,
                                    part[x]) != NGFF_OK)
            return false;
        part_origin[y] += part[y];
    }
    return true;
}

/* Where one block of the source is a whole plane, a region of several goes through a buffer of one. */
static bool copy_by_planes(CopyJob &job, SourceReader &reader, const GivenLevel &level, std::vector<GByte> &buffer,
                           const int64_t *origin, const int64_t *extent)
{
    const int rank = job.image.rank(), y = rank - 2;
    if (job.layout.decodes_all_bands || job.layout.decodes_channels || job.layout.block_height < extent[y])
        return copy_in_steps(job, reader, level, buffer, origin, extent);
    const int64_t strides[5] = {};
    int64_t at[5], one[5] = {1, 1, 1, 1, 1};
    std::copy_n(extent + y, 2, one + y);
    return for_planes(job.image, origin, extent, strides, [&](size_t plane, int64_t) {
        std::copy_n(origin, rank, at);
        for (int axis = y - 1; axis >= 0; axis--) {
            at[axis] = static_cast<int64_t>(plane) % job.image.shape[axis];
            plane /= static_cast<size_t>(job.image.shape[axis]);
        }
        return copy_in_steps(job, reader, level, buffer, at, one);
    });
}

/* True if the source has nothing in the region, and says so. */
static bool is_hole(const CopyJob &job, SourceReader &reader, const GivenLevel &level, const int64_t *origin,
                    const int64_t *extent)
{
    static constexpr GByte invalid = 0;
    static constexpr int64_t strides[5] = {};
    const int y = job.image.rank() - 2, x = y + 1;
    const PixelWindow window = {level.overview,
                                static_cast<int>(origin[x]),
                                static_cast<int>(origin[y]),
                                static_cast<int>(extent[x]),
                                static_cast<int>(extent[y]),
                                nullptr,
                                0,
                                0,
                                0};
    return (!job.image.has_mask || reader.is_hole(0, window, &invalid)) &&
           for_planes(job.image, origin, extent, strides, [&](size_t plane, int64_t) {
               return reader.is_hole(job.image.bands[plane], window, job.image.unwritten[plane].data());
           });
}

static bool copy_region(CopyJob &job, SourceReader &reader, const GivenLevel &level, std::vector<GByte> &buffer,
                        const int64_t *origin, const int64_t *extent)
{
    if (is_hole(job, reader, level, origin, extent))
        return ngff_writer_level_skip(job.writer, level.level, origin, extent) == NGFF_OK;
    void *pixels = nullptr;
    uint8_t *mask = nullptr;
    int64_t strides[5] = {}, mask_stride = 0;
    const int32_t is_cell =
        ngff_writer_level_map(job.writer, level.level, origin, extent, &pixels, strides, &mask, &mask_stride);
    if (is_cell == 0)
        return copy_by_planes(job, reader, level, buffer, origin, extent);
    return is_cell == 1 &&
           read_region(job, reader, level, origin, extent, pixels, strides, mask, mask_stride, level.chunk_width,
                       level.chunk_height) &&
           !job.must_stop && ngff_writer_level_commit(job.writer, level.level, origin, extent) == NGFF_OK;
}

/* One thread's share. between: called after every region; false stops all. */
template <typename Between> static void copy_regions(CopyJob &job, SourceReader &reader, Between between)
{
    const bool is_copied = guarded("The blocks of the source", false, [&] {
        std::vector<GByte> buffer;
        int64_t origin[5], extent[5];
        for (const GivenLevel &level : job.levels)
            while (!job.must_stop) {
                const int32_t has_region = ngff_writer_level_next(job.writer, level.level, origin, extent);
                if (has_region == 0)
                    break;
                if (has_region < 0 || !copy_region(job, reader, level, buffer, origin, extent) || !between())
                    return false;
            }
        return true;
    });
    if (!is_copied)
        job.must_stop = true;
}

/* -- Threads --------------------------------------------------------------------------------------------------- */

struct ReaderThread {
    CopyJob *job = nullptr;
    SourceReader *reader = nullptr;
    CPLStringList config{};
    CPLJoinableThread *thread = nullptr;
};

static void CPL_STDCALL keep_error(CPLErr type, CPLErrorNum number, const char *message)
{
    auto *job = static_cast<CopyJob *>(CPLGetErrorHandlerUserData());
    const std::lock_guard<std::mutex> guard(job->lock);
    try {
        if (type != CE_Debug && job->errors.size() < 20)
            job->errors.push_back({type, number, message});
    } catch (const std::bad_alloc &) {
        job->must_stop = job->must_stop || type >= CE_Failure; /* out of memory for the error */
    }
}

/* While it lives, GDAL's errors on this thread are kept in the job. */
class ErrorKeeper
{
  public:
    explicit ErrorKeeper(CopyJob &job)
    {
        CPLPushErrorHandlerEx(keep_error, &job);
        CPLSetCurrentErrorHandlerCatchDebug(FALSE);
    }
    ~ErrorKeeper()
    {
        CPLPopErrorHandler();
    }
    ErrorKeeper(const ErrorKeeper &) = delete;
    ErrorKeeper &operator=(const ErrorKeeper &) = delete;
};

static void run_reader_thread(void *data)
{
    auto *thread = static_cast<ReaderThread *>(data);
    CopyJob &job = *thread->job;
    CPLSetThreadLocalConfigOptions(thread->config.List());
    {
        const ErrorKeeper keeper(job);
        copy_regions(job, *thread->reader, [] { return true; });
    }
    const std::lock_guard<std::mutex> guard(job.lock);
    job.n_running--;
    job.one_ended.notify_all();
}

/* Calls GDAL's progress function at useful steps, never backwards; false when the user asks to stop. */
class ProgressTeller
{
    GDALProgressFunc m_function;
    void *m_data;
    double m_told = -1;
    double m_low = 0, m_high = 1;   /* of the part of the work that is being done */
    double m_first = 0, m_last = 1; /* of the image that is being written */
    bool m_is_stopped = false;

  public:
    ProgressTeller(GDALProgressFunc function, void *data) : m_function(function), m_data(data)
    {
    }

    /* What follows is another image, and this part of the whole. */
    void begin_image(double first, double last)
    {
        m_first = first;
        m_last = last;
        begin_part(0, 1);
    }

    /* What follows is this part of the image. */
    void begin_part(double low, double high)
    {
        m_low = low;
        m_high = high;
    }

    bool tell(double share)
    {
        share = m_first + (m_last - m_first) * (m_low + (m_high - m_low) * share);
        if (m_is_stopped || share < m_told + 0.0025)
            return !m_is_stopped;
        m_told = std::min(share, 1.0);
        m_is_stopped = m_function != nullptr && !m_function(m_told, "", m_data);
        if (m_is_stopped)
            CPLError(CE_Failure, CPLE_UserInterrupt, "User terminated CreateCopy()");
        return !m_is_stopped;
    }

    bool tell_end()
    {
        begin_part(0, 1);
        if (m_last < 1)
            return tell(1);
        m_told = m_told < 1 ? -1 : m_told;
        return m_told >= 1 ? !m_is_stopped : tell(1);
    }
};

/* Copies all pixels; false if it failed or was stopped. What GDAL had to say is in job.errors. */
static bool copy_pixels(CopyJob &job, const std::vector<std::unique_ptr<SourceReader>> &readers, ProgressTeller &teller)
{
    const ErrorKeeper keeper(job);
    /* 1.0 is told when everything is stored. */
    auto tell = [&] { return teller.tell(0.995 * ngff_writer_progress(job.writer)); };
    std::vector<ReaderThread> threads(readers.size() - 1);
    char **config = CPLGetThreadLocalConfigOptions();
    for (size_t i = 0; i < threads.size(); i++) {
        threads[i].job = &job;
        threads[i].reader = readers[i + 1].get();
        threads[i].config = CPLStringList(CSLDuplicate(config));
        {
            const std::lock_guard<std::mutex> guard(job.lock);
            job.n_running++;
        }
        threads[i].thread = CPLCreateJoinableThread(run_reader_thread, &threads[i]);
        if (threads[i].thread == nullptr) { /* the others do its share */
            const std::lock_guard<std::mutex> guard(job.lock);
            job.n_running--;
        }
    }
    CSLDestroy(config);
    copy_regions(job, *readers[0], tell);
    {
        std::unique_lock<std::mutex> guard(job.lock);
        while (job.n_running > 0) {
            job.one_ended.wait_for(guard, std::chrono::milliseconds(50));
            guard.unlock();
            if (!tell())
                job.must_stop = true;
            guard.lock();
        }
    }
    for (ReaderThread &thread : threads)
        if (thread.thread != nullptr)
            CPLJoinThread(thread.thread);
    return !job.must_stop;
}

/* -- VERIFY ---------------------------------------------------------------------------------------------------- */

static int32_t tell_share(void *teller, double share)
{
    return static_cast<ProgressTeller *>(teller)->tell(share);
}

/* All is written: what VERIFY asks for, before anybody else can see the store, then the end of the progress. False,
 * with the reason or an error in job.errors, if something is not right or the user stops. */
static bool check_and_tell_end(CopyJob &job, ngff_plan *plan, GDALDataset *source, ProgressTeller &teller,
                               std::string *reason)
{
    const std::string mode = ngff_plan_option(plan, "VERIFY");
    const bool compares = mode == "SOURCE";
    const ErrorKeeper keeper(job);
    if (mode == "NO")
        return teller.tell_end();
    teller.begin_part(0.5, compares ? 0.75 : 0.995);
    if (ngff_writer_verify(job.writer, tell_share, &teller) != NGFF_OK)
        return false;
    if (!compares)
        return teller.tell_end();
    char message[1200] = "";
    teller.begin_part(0.75, 0.995);
    const comparison all = {ngff_writer_reader(job.writer),
                            GDALDataset::ToHandle(source),
                            job.image.bands.data(),
                            job.image.type,
                            ngff_plan_thread_count(plan),
                            tell_share,
                            &teller};
    const int result = compare_with_source(&all, message, sizeof message);
    if (result == COMPARE_DIFFERENT || result == COMPARE_UNREADABLE)
        *reason = std::string("VERIFY=SOURCE: the new store was not published: ") + message;
    return result == COMPARE_EQUAL && teller.tell_end();
}

/* -- Places ---------------------------------------------------------------------------------------------------- */

/* A path without symbolic links; of what does not exist yet, its folder without them. */
static std::string real_path(const std::string &path)
{
#ifndef _WIN32
    if (!STARTS_WITH(path.c_str(), "/vsi")) {
        if (char *real = realpath(path.c_str(), nullptr)) {
            const std::string result = real;
            free(real);
            return result;
        }
        const size_t slash = path.rfind('/');
        const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
        if (char *real = realpath(folder.c_str(), nullptr)) {
            const std::string result =
                std::string(real) + "/" + path.substr(slash == std::string::npos ? 0 : slash + 1);
            free(real);
            return result;
        }
    }
#endif
    return path;
}

static bool is_inside(const std::string &path, const std::string &folder)
{
    return path == folder || STARTS_WITH(path.c_str(), (folder + "/").c_str());
}

/* True if the source reads files of the destination, or the destination lies in the source. may_be_inside: it may: a label
 * image lies in the store of the image that it is made from. */
static bool source_is_destination(GDALDataset *source, const std::string &root, bool may_be_inside)
{
    const std::string destination = real_path(root);
    CPLStringList files;
    VSIStatBufL status;
    if (VSIStatExL(root.c_str(), &status, VSI_STAT_EXISTS_FLAG) == 0)
        files.Assign(source->GetFileList(), TRUE);
    files.AddString(source->GetDescription());
    for (int i = 0; i < files.size(); i++) {
        if (*files[i] == '\0')
            continue;
        const std::string file = real_path(omezarr_root(files[i]));
        if (is_inside(file, destination) || (!may_be_inside && is_inside(destination, file)))
            return true;
    }
    return false;
}

/* -- Plan ------------------------------------------------------------------------------------------------------ */

/* Threads that are worth a handle of their own: no more than there are chunks. Where one block of the source holds many
 * bands, one thread takes them all out of the block cache; several would each decode the block again. */
static int useful_readers(ngff_plan *plan, const ImageFromSource &image, const SourceLayout &layout)
{
    if (layout.decodes_all_bands && layout.n_bands > 16)
        return 1;
    int64_t chunk[5], n_chunks = 1;
    ngff_plan_level_chunk(plan, 0, chunk);
    for (int axis = 0; axis < image.rank(); axis++)
        n_chunks *= (image.shape[axis] + chunk[axis] - 1) / chunk[axis];
    return static_cast<int>(std::clamp<int64_t>(std::min<int64_t>(ngff_plan_thread_count(plan), n_chunks), 1, 64));
}

/* What arrays keep of the chunks that they decode: all that one region needs, or the image where that is small. */
static int64_t box_bytes(ngff_plan *plan, const ImageFromSource &image, const SourceLayout &layout,
                         const int64_t *block)
{
    constexpr double least = 32 << 20, most = 1e12;
    int64_t chunk[5];
    ngff_plan_level_chunk(plan, 0, chunk);
    double bytes = layout.pixel_size, all = bytes;
    for (int axis = 0; axis < image.rank(); axis++) {
        const auto size = static_cast<double>(std::max<int64_t>(block[axis], 1));
        const double whole = std::ceil(static_cast<double>(image.shape[axis]) / size) * size;
        const double edges = static_cast<double>(chunk[axis]) > size ? 2 * size : 0;
        bytes *= std::min(whole, std::max(static_cast<double>(chunk[axis]), size) + edges);
        all *= static_cast<double>(image.shape[axis]);
    }
    return static_cast<int64_t>(std::min({std::max(bytes, least), all, most}));
}

/* Tells the plan what the source decodes at once. */
static bool set_source(ngff_plan *plan, const ImageFromSource &image, GDALDataset *source, const SourceLayout &layout,
                       int n_readers)
{
    int64_t block[5] = {1, 1, 1, 1, 1};
    const int y = image.rank() - 2;
    const size_t c = image.dims.find('c');
    if ((layout.decodes_all_bands || layout.decodes_channels) && c != std::string::npos)
        block[c] = image.shape[c];
    block[y] = std::max(1, layout.block_height);
    block[y + 1] = std::max(1, layout.block_width);
    auto *arrays = dynamic_cast<ArraysDataset *>(source);
    if (arrays != nullptr) {
        arrays->blocks(image.dims, image.shape, block);
        const int64_t least = arrays->largest_box();
        ngff_plan_set_source_memory(plan, least, std::max(least, box_bytes(plan, image, layout, block)));
    }
    if (ngff_plan_set_source(plan, block, n_readers) != NGFF_OK) {
        raise(ngff_plan_status(plan), ngff_plan_error(plan));
        return false;
    }
    if (arrays != nullptr)
        arrays->set_room(ngff_plan_source_memory(plan));
    return true;
}

/* Pixels of one axis that are decoded for one chunk: whole blocks. */
static GIntBig decoded_extent(int64_t chunk, int block, int whole)
{
    const int64_t extent = block <= 1 || chunk % block == 0 ? chunk : block % chunk == 0 ? block : chunk + 2 * block;
    return std::min<GIntBig>(extent, whole);
}

/* What one reader may leave in GDAL's block cache: what one region of all bands decodes. */
static GIntBig cache_bytes(ngff_plan *plan, const ImageFromSource &image, const SourceLayout &layout, size_t n_readers)
{
    const GIntBig least = (4 << 20) / static_cast<GIntBig>(n_readers);
    int64_t chunk[5];
    ngff_plan_level_chunk(plan, 0, chunk);
    const int y = image.rank() - 2;
    const double area = static_cast<double>(decoded_extent(chunk[y], layout.block_height, layout.height)) *
                        decoded_extent(chunk[y + 1], layout.block_width, layout.width);
    const double bands = layout.decodes_all_bands ? layout.n_bands : 1;
    const double need = 1.1 * area * bands * layout.pixel_size;
    return std::max(least, static_cast<GIntBig>(std::min(need, 1e12)));
}

/* Levels are made from the full size, whatever overviews the source has, unless it is asked for them. */
static void tell_overviews(ngff_plan *plan, GDALDataset *source, const std::vector<GivenLevel> &levels)
{
    const int n = source->GetRasterBand(1)->GetOverviewCount() - static_cast<int>(levels.size() - 1);
    if (n > 0)
        ngff_plan_add_loss(plan, CPLSPrintf("Overviews of the source: %d; levels are made anew", n));
}

/* Nothing is dropped in silence. */
static void warn_of_pages(ngff_plan *plan, GDALDataset *source)
{
    char *tiff = nullptr;
    const int n = page_count(GDALDataset::ToHandle(source), &tiff);
    const std::string file = tiff != nullptr ? std::string("\"") + tiff + "\"" : "FILE";
    const bool is_stack = dynamic_cast<StackDataset *>(source) != nullptr, is_page = tiff != nullptr;
    CPLFree(tiff);
    if (n < 2)
        return;
    const auto text = [=](const std::string &name) {
        return std::string(CPLSPrintf("The source has %d pages or images (subdatasets), and one is written: ", n)) +
               (n == 2 ? "1 is left out. " : std::to_string(n - 1) + " are left out. ") +
               (is_stack ? "They are other images, or of other sizes or types: gdalinfo OMEZARR:" + name +
                               " names them, and each can be copied by its name; LAYOUT=BIOFORMATS2RAW with SERIES=ALL "
                               "writes all into one store"
                : is_page ? "OMEZARR:" + name + " opens all of one size as one raster"
                          : "gdalinfo names them, and each can be copied by its name");
    };
    const std::string name = source->GetDescription(); /* a VRT that lives in memory has none */
    CPLError(CE_Warning, CPLE_AppDefined, "%s%s", name.empty() ? "" : (name + ": ").c_str(), text(file).c_str());
    ngff_plan_add_loss(plan, text("FILE").c_str()); /* a report holds no paths */
}

/* PLANES=ALL: the pages of a TIFF are the source, not the one that GDAL opens of them. False, with an error, if they
 * cannot be. */
static bool choose_planes(GDALDataset *source, CSLConstList options, std::unique_ptr<StackDataset> *stack,
                          std::vector<std::string> *warnings)
{
    if (EQUAL(CSLFetchNameValueDef(options, "PLANES", "ALL"), "ONE"))
        return true;
    if (!find_stack(source, stack, warnings)) {
        const std::string problem = CPLGetLastErrorMsg();
        CPLError(CE_Failure, CPLE_AppDefined, "%s. PLANES=ONE writes the first page alone", problem.c_str());
        return false;
    }
    for (const std::string &warning : *warnings)
        CPLError(CE_Warning, CPLE_AppDefined, "%s", warning.c_str());
    return true;
}

/* What of the arrays is not written; false, with an error, if nothing may be lost. */
static bool tell_left_out(const ArraysDataset &arrays, bool is_strict, ImageFromSource *image)
{
    for (const std::string &loss : arrays.losses()) {
        CPLError(is_strict ? CE_Failure : CE_Warning, CPLE_AppDefined, "%s: %s%s", arrays.GetDescription(),
                 loss.c_str(), is_strict ? " (refused because of -strict)" : "");
        image->losses.push_back(loss);
    }
    return !is_strict || arrays.losses().empty();
}

/* -- CreateCopy ------------------------------------------------------------------------------------------------ */

/* Raises what happened, now that nothing more can touch GDAL's error state. */
static void raise_errors(const std::vector<KeptError> &errors, int32_t status, const std::string &message)
{
    bool has_failure = false;
    for (const KeptError &error : errors) {
        CPLError(error.type, error.number, "%s", error.message.c_str());
        has_failure = has_failure || error.type >= CE_Failure;
    }
    if (status != NGFF_OK && !(status == NGFF_E_CANCELLED && has_failure)) /* who cancels has said so */
        raise(status, message.c_str());
    else if (!has_failure)
        CPLError(CE_Failure, CPLE_FileIO, "The source cannot be read");
}

/* What GDAL warned of while it read: pixels may be others than they were meant to be. Not what names a URL, which can
 * hold a password. */
static void tell_warnings(ngff_plan *plan, const std::vector<KeptError> &errors)
{
    for (const KeptError &error : errors) {
        const bool is_public = error.message.find("://") == std::string::npos;
        const std::string text = is_public ? JsonText::as_utf8(error.message.c_str()) : "a warning about a URL";
        ngff_plan_add_loss(plan, ("While the source was read: " + text).c_str());
    }
}

/* An image that is written: one, one of several with SERIES=ALL, or a label image. */
struct WrittenImage {
    std::unique_ptr<GDALDataset> own{}; /* where it was opened for this */
    bool is_label = false;
    GDALDataset *source = nullptr;
    ImageFromSource image{};
    Plan plan{};
    std::vector<GivenLevel> levels{};
    SourceLayout layout{};
    std::vector<std::unique_ptr<SourceReader>> readers{};
};

/* Its readers, which the plan must know of. */
static bool open_readers(WrittenImage *one)
{
    one->layout = source_layout(one->source, one->image.type);
    one->readers = source_readers(one->source, one->layout, useful_readers(one->plan.get(), one->image, one->layout));
    return set_source(one->plan.get(), one->image, one->source, one->layout, static_cast<int>(one->readers.size()));
}

/* Writes the pixels and looks at them again; false, with an error. */
static bool write_pixels(WrittenImage &one, ngff_writer *writer, ProgressTeller &teller)
{
    CopyJob job{one.image, one.layout, one.levels, writer};
    const std::string mode = ngff_plan_option(one.plan.get(), "VERIFY");
    std::string reason;
    if (mode != "NO")
        teller.begin_part(0, 0.5);
    for (const auto &reader : one.readers)
        reader->set_room(cache_bytes(one.plan.get(), one.image, one.layout, one.readers.size()));
    const bool is_written =
        copy_pixels(job, one.readers, teller) && check_and_tell_end(job, one.plan.get(), one.source, teller, &reason);
    if (is_written)
        tell_warnings(one.plan.get(), job.errors);
    const int32_t status = !reason.empty() ? NGFF_E_CORRUPT : ngff_writer_status(writer);
    const std::string message = !reason.empty() ? reason : status != NGFF_OK ? ngff_writer_error(writer) : "";
    one.readers.clear();
    if (!is_written)
        raise_errors(job.errors, status, message);
    else
        for (const KeptError &warning : job.errors)
            CPLError(CE_Warning, warning.number, "%s", warning.message.c_str());
    return is_written;
}

/* False, with an error. The first image's publishes all. */
static bool close_writer(ngff_writer *writer)
{
    if (ngff_writer_close(writer) != NGFF_OK) {
        raise(ngff_writer_status(writer), ngff_writer_error(writer));
        return false;
    }
    raise_warning(writer);
    return true;
}

static bool is_part(ngff_plan *plan)
{
    return ngff_plan_option(plan, "PART")[0] != 0;
}

/* A writer of an image, in the store that first is making or, without that, in a new one at root. */
static Writer open_writer(WrittenImage *one, ngff_writer *first, const std::string &root)
{
    ngff_plan *plan = one->plan.get();
    if (!open_readers(one))
        return nullptr;
    if (first == nullptr || !one->is_label)
        raise_warnings(plan, one->image);
    const std::string fingerprint = source_fingerprint(one->source);
    if (fingerprint.empty() && (is_part(plan) || EQUAL(ngff_plan_option(plan, "RESUME"), "YES"))) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s needs a source that lies in files: only they show that it is %s",
                 is_part(plan) ? "PART" : "RESUME=YES", is_part(plan) ? "the same for all parts" : "still the same");
        return nullptr;
    }
    ngff_plan_set_fingerprint(plan, fingerprint.c_str());
    return checked_writer(first != nullptr ? ngff_writer_open_series(first, plan)
                                           : ngff_writer_open(plan, root.c_str()));
}

/* Plans a label image that travels with its image, which writer has written. */
static bool plan_label(const std::string &name, ngff_writer *writer, const CPLStringList &options, bool is_strict,
                       int n_levels, WrittenImage *label)
{
    const char *const drivers[] = {"OMEZARR", nullptr};
    label->is_label = true;
    label->own.reset(GDALDataset::Open(name.c_str(), GDAL_OF_RASTER, drivers, nullptr, nullptr));
    label->source = label->own.get();
    if (label->source == nullptr || !image_from_source(label->source, options.List(), is_strict, &label->image))
        return false;
    ngff_image *image = label->image.image.get();
    if (ngff_image_set_label_of(image, ngff_writer_reader(writer), strstr(name.c_str(), "labels/")) != NGFF_OK) {
        raise(ngff_image_status(image), ngff_image_error(image));
        return false;
    }
    label->plan = make_plan(label->image, options);
    if (!label->plan || !choose_levels(label->plan.get(), label->image, label->source, &label->levels))
        return false;
    if (ngff_plan_level_count(label->plan.get()) == n_levels)
        return true;
    CPLError(CE_Failure, CPLE_IllegalArg, "%s cannot have as many levels as the image", name.c_str());
    return false;
}

static void warn_of_left_labels(size_t n, const std::string &reason)
{
    if (n > 0)
        CPLError(CE_Warning, CPLE_AppDefined, "%d label image%s of the source %s not copied: %s", static_cast<int>(n),
                 n > 1 ? "s" : "", n > 1 ? "are" : "is", reason.c_str());
}

/* Plans the label images that travel with an image. What does not fit is one warning; false, with an error, for what fails
 * otherwise. */
static bool plan_labels(const TravellingLabels &travelling, const WrittenImage &of, ngff_writer *writer,
                        const CPLStringList &options, bool is_strict, std::vector<WrittenImage> *labels)
{
    const CPLStringList own = options_of_label(options);
    size_t n_left = travelling.n_left;
    std::string reason = travelling.reason;
    for (const std::string &name : travelling.names) {
        WrittenImage label;
        CPLErrorNum number = CPLE_None;
        std::string message;
        {
            const QuietErrors quiet;
            CPLErrorReset();
            if (!plan_label(name, writer, own, is_strict, ngff_plan_level_count(of.plan.get()), &label)) {
                message = CPLGetLastErrorMsg();
                number = CPLGetLastErrorNo();
            }
        }
        const bool is_misfit = number == CPLE_IllegalArg || number == CPLE_NotSupported;
        if (number == CPLE_None && message.empty()) {
            labels->push_back(std::move(label));
        } else if (!is_misfit) {
            CPLError(CE_Failure, number, "%s: the label image could not be copied: %s", name.c_str(), message.c_str());
            return false;
        } else if (n_left++ == 0) {
            reason = message;
        }
    }
    warn_of_left_labels(n_left, reason);
    return true;
}

/* DRY_RUN: what goes along with an image. Whether it fits is seen when it is written. */
static void print_labels(const WrittenImage &image)
{
    const TravellingLabels travelling = image.is_label ? TravellingLabels() : labels_beside(image.source);
    for (const std::string &name : travelling.names)
        printf("label image of the source, copied as it is: %s\n", strstr(name.c_str(), "labels/"));
    warn_of_left_labels(travelling.n_left, travelling.reason);
}

/* Writes the images to root, each with the label images that lie beside it; false, with an error and nothing left, on
 * failure. */
static bool write_images(std::vector<WrittenImage> &images, const std::string &root, const CPLStringList &options,
                         bool is_strict, ProgressTeller &teller)
{
    std::vector<TravellingLabels> travelling;
    size_t n_all = images.size(), n_done = 0;
    for (const WrittenImage &one : images) {
        travelling.push_back(one.is_label ? TravellingLabels() : labels_beside(one.source));
        if (is_part(one.plan.get())) {
            warn_of_left_labels(travelling.back().names.size(), "PART is of the image alone");
            travelling.back() = TravellingLabels();
        }
        n_all += travelling.back().names.size();
    }
    const auto begin_next = [&] {
        const auto n = static_cast<double>(n_all);
        teller.begin_image(static_cast<double>(n_done) / n, static_cast<double>(n_done + 1) / n);
        n_done++;
    };
    Writer first;
    for (size_t i = 0; i < images.size(); i++) {
        std::vector<WrittenImage> labels;
        Writer writer = open_writer(&images[i], first.get(), root);
        begin_next();
        if (!writer || !write_pixels(images[i], writer.get(), teller) ||
            !plan_labels(travelling[i], images[i], writer.get(), options, is_strict, &labels))
            return false;
        if (i == 0)
            first = std::move(writer);
        else if (!close_writer(writer.get()))
            return false;
        writer.reset();
        for (WrittenImage &label : labels) {
            writer = open_writer(&label, first.get(), root);
            begin_next();
            if (!writer || !write_pixels(label, writer.get(), teller) || !close_writer(writer.get()))
                return false;
            writer.reset();
        }
    }
    teller.begin_image(0, 1); /* label images that do not fit were counted */
    return teller.tell_end() && close_writer(first.get());
}

/* -- SERIES=ALL ------------------------------------------------------------------------------------------------ */

/* What is said of one image is not true of the others; and what is of the run or of the whole store is the first's. */
static CPLStringList options_of_further(const CPLStringList &options)
{
    CPLStringList own(options);
    for (const char *name : {"NAME", "CHANNEL_NAMES", "CHANNEL_COLORS", "COLOR_INTERPRETATION", "AXES", "AXIS_SCALE",
                             "AXIS_TRANSLATION", "AXIS_UNITS", "AXIS_ORIENTATION", "REPORT", "RESUME", "OVERWRITE", "DRY_RUN"})
        own.SetNameValue(name, nullptr);
    const char *window = own.FetchNameValue("WINDOW");
    if (window != nullptr && strchr(window, ':') != nullptr)
        own.SetNameValue("WINDOW", nullptr);
    return own;
}

/* Opens the other images of the source's file or store, in its order, and plans them; false, with an error, if one cannot
 * be written. */
static bool plan_further(const CPLStringList &options, bool is_strict, std::vector<WrittenImage> *images)
{
    const CPLStringList own = options_of_further(options);
    for (const std::string &name : further_images((*images)[0].source)) {
        const char *const drivers[] = {"OMEZARR", nullptr};
        WrittenImage one;
        one.own.reset(
            GDALDataset::Open(name.c_str(), GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, drivers, nullptr, nullptr));
        one.source = one.own.get();
        if (one.source == nullptr || !image_from_source(one.source, own.List(), is_strict, &one.image))
            return false;
        one.plan = make_plan(one.image, own, name);
        if (!one.plan || !choose_levels(one.plan.get(), one.image, one.source, &one.levels))
            return false;
        ngff_plan_set_series(one.plan.get(), static_cast<int32_t>(images->size()));
        tell_overviews(one.plan.get(), one.source, one.levels);
        images->push_back(std::move(one));
    }
    return true;
}

/* A label image beside the image of a store: it takes over how that lies and what levels it has. */
static bool lies_beside(const StoreName &place, ImageFromSource *to)
{
    const std::unique_ptr<ngff_reader, void (*)(ngff_reader *)> reader(ngff_reader_open(place.root.c_str()),
                                                                       ngff_reader_free);
    if (reader && ngff_image_set_label_of(to->image.get(), reader.get(), place.part.c_str()) == NGFF_OK)
        return true;
    raise(reader ? ngff_image_status(to->image.get()) : NGFF_E_MEMORY,
          (place.text() + ": " + (reader ? ngff_image_error(to->image.get()) : "out of memory")).c_str());
    return false;
}

/* The place of a label image from the folder of its image, where that lies beside others: "0/labels/cells" of a store, or
 * "labels/cells" of a store that has one image at 0. */
static StoreName place_beside_image(const char *name)
{
    StoreName meant(name);
    const size_t at = meant.part.find("/labels/");
    std::string group = at != std::string::npos ? meant.part.substr(0, at) : "";
    if (at != std::string::npos)
        meant.part.erase(0, at + 1);
    if (STARTS_WITH(meant.part.c_str(), "labels/") && group.empty() && !omezarr_is_archive_name(meant.root)) {
        const std::unique_ptr<ngff_reader, void (*)(ngff_reader *)> image(ngff_reader_open(meant.root.c_str()),
                                                                          ngff_reader_free);
        group = image ? ngff_reader_group(image.get()) : "";
    }
    meant.root += (group.empty() ? "" : "/") + group;
    return meant;
}

static std::vector<ImageXml> xml_of(const std::vector<WrittenImage> &images)
{
    std::vector<ImageXml> all;
    for (const WrittenImage &one : images)
        all.push_back(image_xml(one.plan.get(), one.image, one.source));
    return all;
}

GDALDataset *omezarr_create_copy(const char *name, GDALDataset *source, int strict, StringListIn options,
                                 GDALProgressFunc progress, void *progress_data)
{
    const StoreName meant = place_beside_image(name);
    const bool is_label = STARTS_WITH(meant.part.c_str(), "labels/") && !meant.has_planes(); /* beside an image */
    if (!is_label && !is_whole_store(name))
        return nullptr;
    const std::string root = is_label ? meant.root : omezarr_root(name);
    const std::string place = is_label ? root + "/" + meant.part : root;
    CPLStringList own = own_options(options);
    if (is_label)
        own.SetNameValue("LABELS", "YES");
    /* Blocks are read past GDAL's block cache: what was written to the source and not flushed must be in it first. */
    if (source->GetAccess() == GA_Update)
        source->FlushCache(false);
    ImageFromSource image;
    std::unique_ptr<ArraysDataset> arrays;
    if (source->GetRasterCount() == 0 && source->GetRootGroup()) {
        arrays = ArraysDataset::make(source);
        if (!arrays || !tell_left_out(*arrays, strict != FALSE, &image))
            return nullptr;
        source = arrays.get();
    }
    std::unique_ptr<StackDataset> stack;
    std::vector<std::string> warnings;
    if (!arrays && !choose_planes(source, own.List(), &stack, &warnings))
        return nullptr;
    if (stack)
        source = stack.get();
    if (!image_from_source(source, own.List(), strict != FALSE, &image))
        return nullptr;
    if (is_label && !lies_beside(meant, &image))
        return nullptr;
    std::vector<WrittenImage> images(1);
    images[0].source = source;
    images[0].is_label = is_label;
    images[0].plan = make_plan(image, own);
    images[0].image = std::move(image);
    ngff_plan *plan = images[0].plan.get();
    if (plan == nullptr)
        return nullptr;
    const bool is_all = EQUAL(ngff_plan_option(plan, "SERIES"), "ALL");
    if ((is_all && !plan_further(own, strict != FALSE, &images)) || !set_ome_xml(plan, xml_of(images), source))
        return nullptr;
    if (!choose_levels(plan, images[0].image, source, &images[0].levels))
        return nullptr;
    tell_overviews(plan, source, images[0].levels);
    for (const std::string &warning : warnings)
        ngff_plan_add_loss(plan, JsonText::as_utf8(warning.c_str()).c_str());
    if (images.size() == 1)
        warn_of_pages(plan, source);
    if (EQUAL(ngff_plan_option(plan, "DRY_RUN"), "YES")) {
        for (WrittenImage &one : images) {
            if (!open_readers(&one))
                return nullptr;
            raise_warnings(one.plan.get(), one.image);
            fputs(ngff_plan_text(one.plan.get()), stdout);
            print_labels(one);
        }
        fflush(stdout);
        return plan_dataset(plan, source);
    }
    if (source_is_destination(source, place, is_label)) {
        CPLError(CE_Failure, CPLE_IllegalArg, "The source is part of the destination %s; write to another folder",
                 place.c_str());
        return nullptr;
    }
    ProgressTeller teller(progress, progress_data);
    if (!teller.tell(0) || !write_images(images, root, own, strict != FALSE, teller))
        return nullptr;
    if (is_part(plan)) /* nothing is there to be opened yet */
        return part_dataset(plan, source);
    omezarr_note_published(place);
    remove_side_file(place);
    if (images.size() > 1) { /* a list of images has no bands: the first one is what was copied */
        StoreName first;
        first.root = root;
        first.part = "0";
        return OmeZarrDataset::open(first, first.text().c_str(), nullptr).release();
    }
    return is_label ? OmeZarrDataset::open(meant, name, nullptr).release() : omezarr_open_store(root, name);
}
