/* tiff.cpp: see tiff.h. Directories may stand anywhere in the file, and what they say is hostile until it is checked:
 *
 *     a chain that comes back     no place is a directory twice
 *     counts and sizes            nothing is taken from memory for what the file is too small for
 *     tables that pages share     all that is read of all directories is at most twice the file
 *
 * Reads go through two windows of some KiB, because values stand before or behind their directory: of 10,000 small pages
 * most share a read. */
#include "source/stack/tiff.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>

#include "cpl_error.h"
#include "cpl_vsi.h"

namespace
{

enum Tag {
    NEW_SUBFILE_TYPE = 254,
    SUBFILE_TYPE = 255,
    IMAGE_WIDTH = 256,
    IMAGE_LENGTH = 257,
    BITS_PER_SAMPLE = 258,
    COMPRESSION = 259,
    PHOTOMETRIC = 262,
    FILL_ORDER = 266,
    IMAGE_DESCRIPTION = 270,
    STRIP_OFFSETS = 273,
    SAMPLES_PER_PIXEL = 277,
    ROWS_PER_STRIP = 278,
    STRIP_BYTE_COUNTS = 279,
    X_RESOLUTION = 282,
    Y_RESOLUTION = 283,
    PLANAR_CONFIGURATION = 284,
    RESOLUTION_UNIT = 296,
    SOFTWARE = 305,
    TILE_WIDTH = 322,
    TILE_LENGTH = 323,
    TILE_OFFSETS = 324,
    TILE_BYTE_COUNTS = 325,
    SUB_IFDS = 330,
    SAMPLE_FORMAT = 339,
    PIXEL_SCALE = 33550,
    TIE_POINTS = 33922,
    TRANSFORMATION = 34264,
    GEO_KEYS = 34735,
    GEO_DOUBLES = 34736,
    GEO_TEXTS = 34737,
    METAMORPH_1 = 33628,
    METAMORPH_2 = 33629,
    ZEISS = 34412,
    IMAGEJ_COUNTS = 50838,
    IMAGEJ_DATA = 50839,
    HAMAMATSU_LENS = 65421
};

enum Type {
    BYTE = 1,
    ASCII = 2,
    SHORT = 3,
    LONG = 4,
    RATIONAL = 5,
    UNDEFINED = 7,
    FLOAT = 11,
    DOUBLE = 12,
    IFD = 13,
    LONG8 = 16,
    IFD8 = 18
};

/* Bytes of one value; 0: no type that is read here. */
int size_of(int type)
{
    switch (type) {
    case BYTE:
    case ASCII:
    case UNDEFINED:
        return 1;
    case SHORT:
        return 2;
    case LONG:
    case FLOAT:
    case IFD:
        return 4;
    case RATIONAL:
    case DOUBLE:
    case LONG8:
    case IFD8:
        return 8;
    default:
        return 0;
    }
}

struct FileCloser {
    void operator()(VSILFILE *file) const
    {
        VSIFCloseL(file);
    }
};

struct Entry {
    int tag = 0, type = 0;
    int64_t count = 0, at = 0; /* where its values stand, in the entry itself or elsewhere */
};

class Walker
{
    static constexpr int64_t window_size = 16 << 10, most_text = 256 << 20;
    static constexpr int most_levels = 64, most_blocks = 64;

    struct Window {
        int64_t at = 0;
        std::vector<unsigned char> bytes{};
    };

    TiffFile *m_to;
    std::unique_ptr<VSILFILE, FileCloser> m_file{};
    Window m_windows[2]{};
    int m_newest = 0;
    int64_t m_left = 0; /* bytes that may still be read */
    std::unordered_map<int64_t, size_t> m_known{};
    std::vector<uint64_t> m_values{};

    bool fail(const std::string &message) const
    {
        CPLError(CE_Failure, CPLE_AppDefined, "%s: %s", m_to->path.c_str(), message.c_str());
        return false;
    }
    /* The page that is being read, in words. */
    std::string page() const
    {
        return "page " + std::to_string(m_to->pages.size() + 1);
    }

    bool read_far(int64_t at, int64_t n, void *bytes);
    const unsigned char *read(int64_t at, int64_t n);
    uint64_t number(const unsigned char *bytes, int n) const;
    bool read_header(int64_t *first);
    bool read_entry(const unsigned char *bytes, int64_t at, Entry *entry);
    bool read_values(const Entry &entry);
    bool read_value(const Entry &entry, int64_t *value);
    bool read_rational(const Entry &entry, double *value);
    bool read_float(const Entry &entry, double *value);
    bool read_bytes(const Entry &entry, std::string *bytes);
    bool read_page(int64_t at, int64_t *next);
    bool read_description(const Entry &entry);
    bool take_entry(const Entry &entry, TiffPage *page);
    bool is_inside(const Entry &entry) const
    {
        return entry.at >= 0 && entry.at <= m_to->size && entry.count <= (m_to->size - entry.at) / size_of(entry.type);
    }
    bool find_pixels(TiffPage *page);
    bool list_blocks(TiffPage *page);
    bool digest_coding(const unsigned char *bytes, const Entry &entry, TiffPage *page);
    void make_films();

    /* Of the page that is being read. */
    struct Blocks {
        Entry offsets{}, sizes{};
        int64_t rows_per_strip = INT32_MAX, tile_width = 0, tile_rows = 0, fill_order = 1;
        bool has_same_samples = true, has_coding = true;
    } m_blocks{};

  public:
    explicit Walker(TiffFile *to) : m_to(to)
    {
    }
    bool walk();
};

/* -- Bytes ----------------------------------------------------------------------------------------------------- */

bool Walker::read_far(int64_t at, int64_t n, void *bytes)
{
    if (at < 0 || n < 0 || at > m_to->size || n > m_to->size - at)
        return fail(page() + " names bytes " + std::to_string(at) + " to " + std::to_string(at) + " + " +
                    std::to_string(n) + ", and the file has " + std::to_string(m_to->size) +
                    ": it is damaged or incomplete");
    m_left -= n;
    if (m_left < 0)
        return fail(page() +
                    ": the directories of the pages share tables, which no program writes: the file is damaged");
    if (VSIFSeekL(m_file.get(), static_cast<vsi_l_offset>(at), SEEK_SET) != 0 ||
        VSIFReadL(bytes, 1, static_cast<size_t>(n), m_file.get()) != static_cast<size_t>(n))
        return fail("cannot read " + std::to_string(n) + " bytes at " + std::to_string(at));
    return true;
}

/* Some bytes, at most half a window; valid until the next call but one. NULL, with an error, if they cannot be had. */
const unsigned char *Walker::read(int64_t at, int64_t n)
{
    if (at < 0 || at > m_to->size || n > m_to->size - at) {
        read_far(at, n, nullptr); /* tells it */
        return nullptr;
    }
    for (int i = 0; i < 2; i++) {
        const Window &window = m_windows[i];
        if (at >= window.at && at + n <= window.at + static_cast<int64_t>(window.bytes.size())) {
            m_newest = i;
            return window.bytes.data() + (at - window.at);
        }
    }
    m_newest = 1 - m_newest;
    Window &window = m_windows[m_newest];
    const int64_t size = std::max(n, std::min(window_size, m_to->size - at));
    window.bytes.resize(static_cast<size_t>(size));
    window.at = at;
    m_left += size - n; /* what was not asked for does not count */
    if (read_far(at, size, window.bytes.data()))
        return window.bytes.data();
    window.bytes.clear();
    return nullptr;
}

uint64_t Walker::number(const unsigned char *bytes, int n) const
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[m_to->is_big_endian ? i : n - 1 - i];
    return value;
}

/* -- Values ---------------------------------------------------------------------------------------------------- */

/* All values of a tag of whole numbers, into m_values. */
bool Walker::read_values(const Entry &entry)
{
    const int size = size_of(entry.type);
    m_values.clear();
    if (entry.type == RATIONAL || entry.count > m_to->size / size)
        return fail(page() + ", tag " + std::to_string(entry.tag) + ": " + std::to_string(entry.count) +
                    " values of type " + std::to_string(entry.type) + " cannot be");
    std::vector<unsigned char> far;
    const int64_t n_bytes = entry.count * size;
    const unsigned char *bytes = n_bytes <= window_size / 2 ? read(entry.at, n_bytes) : nullptr;
    if (n_bytes > window_size / 2) {
        if (entry.at > m_to->size - n_bytes)
            return read_far(entry.at, n_bytes, nullptr);
        far.resize(static_cast<size_t>(n_bytes));
        if (!read_far(entry.at, n_bytes, far.data()))
            return false;
        bytes = far.data();
    }
    if (bytes == nullptr)
        return false;
    m_values.reserve(static_cast<size_t>(entry.count));
    for (int64_t i = 0; i < entry.count; i++)
        m_values.push_back(number(bytes + i * size, size));
    return true;
}

bool Walker::read_value(const Entry &entry, int64_t *value)
{
    Entry one = entry;
    one.count = std::min<int64_t>(entry.count, 1);
    if (!read_values(one))
        return false;
    if (!m_values.empty())
        *value = static_cast<int64_t>(std::min<uint64_t>(m_values[0], INT64_MAX));
    return true;
}

bool Walker::read_rational(const Entry &entry, double *value)
{
    if (entry.type != RATIONAL || entry.count < 1)
        return true;
    const unsigned char *bytes = read(entry.at, 8);
    if (bytes == nullptr)
        return false;
    const auto of = static_cast<double>(number(bytes, 4)), by = static_cast<double>(number(bytes + 4, 4));
    *value = by > 0 ? of / by : 0;
    return true;
}

bool Walker::read_float(const Entry &entry, double *value)
{
    if (entry.type != FLOAT || entry.count < 1)
        return true;
    const unsigned char *bytes = read(entry.at, 4);
    if (bytes == nullptr)
        return false;
    const auto bits = static_cast<uint32_t>(number(bytes, 4));
    float said = 0;
    memcpy(&said, &bits, sizeof said);
    *value = std::isfinite(said) ? said : 0;
    return true;
}

bool Walker::read_bytes(const Entry &entry, std::string *bytes)
{
    const int64_t size = size_of(entry.type), most = std::min(most_text, m_to->size) / size;
    if (entry.count > most)
        return fail(page() + ", tag " + std::to_string(entry.tag) + ": " + std::to_string(entry.count * size) +
                    " bytes; the file has " + std::to_string(m_to->size) + ", and at most " +
                    std::to_string(most_text) + " are read");
    const int64_t n_bytes = entry.count * size;
    bytes->resize(static_cast<size_t>(n_bytes));
    return n_bytes == 0 || read_far(entry.at, n_bytes, &(*bytes)[0]);
}

/* -- Directories ----------------------------------------------------------------------------------------------- */

bool Walker::read_header(int64_t *first)
{
    unsigned char bytes[16] = {};
    const int64_t n = std::min<int64_t>(m_to->size, sizeof bytes);
    if (!read_far(0, n, bytes))
        return false;
    if (!is_tiff_header(bytes, static_cast<int>(n)))
        return fail("this is no TIFF: it does not begin as one");
    m_to->is_big_endian = bytes[0] == 'M';
    m_to->is_big = number(bytes + 2, 2) == 43;
    if (m_to->is_big && (n < 16 || number(bytes + 4, 2) != 8))
        return fail("a BigTIFF whose offsets do not have 8 bytes");
    *first =
        static_cast<int64_t>(std::min<uint64_t>(m_to->is_big ? number(bytes + 8, 8) : number(bytes + 4, 4), INT64_MAX));
    return true;
}

bool Walker::read_entry(const unsigned char *bytes, int64_t at, Entry *entry)
{
    const int width = m_to->is_big ? 8 : 4;
    entry->tag = static_cast<int>(number(bytes, 2));
    entry->type = static_cast<int>(number(bytes + 2, 2));
    entry->count = static_cast<int64_t>(std::min<uint64_t>(number(bytes + 4, width), INT64_MAX / 8));
    entry->at = at + 4 + width;
    const int size = size_of(entry->type);
    if (size > 0 && entry->count > width / size)
        entry->at = static_cast<int64_t>(std::min<uint64_t>(number(bytes + 4 + width, width), INT64_MAX));
    return size > 0;
}

/* A page may have two: tifffile puts its own behind the user's, Micro-Manager ImageJ's behind OME-XML. */
bool Walker::read_description(const Entry &entry)
{
    std::string text;
    if (!read_bytes(entry, &text))
        return false;
    text.resize(strlen(text.c_str()));
    if (m_to->description.empty() || (!speaks_of_planes(m_to->description) && speaks_of_planes(text)))
        m_to->description = std::move(text);
    return true;
}

bool Walker::take_entry(const Entry &entry, TiffPage *page)
{
    const bool is_first = m_to->pages.empty();
    int64_t value = -1;
    std::string bytes;
    const auto take = [&](int *to) {
        const bool is_read = read_value(entry, &value);
        if (is_read && value >= 0)
            *to = static_cast<int>(std::min<int64_t>(value, INT32_MAX));
        return is_read;
    };
    /* One number where all samples have the same; -1 where they differ. */
    const auto take_equal = [&](int *to) {
        if (entry.count > 65535 || !read_values(entry))
            return entry.count > 65535 ? fail(this->page() + " has more than 65535 samples per pixel") : false;
        for (const uint64_t other : m_values)
            m_blocks.has_same_samples = m_blocks.has_same_samples && other == m_values[0];
        if (!m_values.empty())
            *to = static_cast<int>(std::min<uint64_t>(m_values[0], INT32_MAX));
        return true;
    };
    switch (entry.tag) {
    case NEW_SUBFILE_TYPE:
        if (!read_value(entry, &value))
            return false;
        page->is_reduced = page->is_reduced || (value > 0 && (value & 1) != 0);
        page->is_mask = value > 0 && (value & 4) != 0;
        return true;
    case SUBFILE_TYPE:
        if (!read_value(entry, &value))
            return false;
        page->is_reduced = page->is_reduced || value == 2;
        return true;
    case IMAGE_WIDTH:
        return read_value(entry, &page->width);
    case IMAGE_LENGTH:
        return read_value(entry, &page->height);
    case BITS_PER_SAMPLE:
        return take_equal(&page->bits);
    case SAMPLE_FORMAT:
        return take_equal(&page->sample_format);
    case COMPRESSION:
        return take(&page->compression);
    case PHOTOMETRIC:
        return take(&page->photometric);
    case FILL_ORDER:
        return read_value(entry, &m_blocks.fill_order);
    case SAMPLES_PER_PIXEL:
        return take(&page->samples);
    case PLANAR_CONFIGURATION:
        return take(&page->planar);
    case ROWS_PER_STRIP:
        return read_value(entry, &m_blocks.rows_per_strip);
    case TILE_WIDTH:
        page->is_tiled = true;
        return read_value(entry, &m_blocks.tile_width);
    case TILE_LENGTH:
        return read_value(entry, &m_blocks.tile_rows);
    case TILE_OFFSETS:
    case STRIP_OFFSETS:
        page->is_tiled = page->is_tiled || entry.tag == TILE_OFFSETS;
        m_blocks.offsets = entry;
        return true;
    case TILE_BYTE_COUNTS:
    case STRIP_BYTE_COUNTS:
        m_blocks.sizes = entry;
        return true;
    case SUB_IFDS:
        if (entry.count > most_levels)
            return true; /* no pyramid */
        if (!read_values(entry))
            return false;
        for (const uint64_t level : m_values)
            page->levels.push_back(static_cast<int64_t>(std::min<uint64_t>(level, INT64_MAX)));
        return true;
    case IMAGE_DESCRIPTION:
        if (size_of(entry.type) != 1)
            return true;
        page->text_at = entry.at;
        page->text_size = entry.count;
        return !is_first || read_description(entry);
    case SOFTWARE:
        return !is_first || size_of(entry.type) != 1 || read_bytes(entry, &m_to->software);
    case X_RESOLUTION:
        return !is_first || read_rational(entry, &m_to->x_resolution);
    case Y_RESOLUTION:
        return !is_first || read_rational(entry, &m_to->y_resolution);
    case RESOLUTION_UNIT:
        return !is_first || take(&m_to->resolution_unit);
    case PIXEL_SCALE:
    case TIE_POINTS:
    case TRANSFORMATION:
    case GEO_KEYS:
    case GEO_DOUBLES:
    case GEO_TEXTS:
        if (!read_bytes(entry, &bytes))
            return false;
        page->place = digest(page->place, bytes.data(), bytes.size());
        return true;
    case METAMORPH_1:
    case METAMORPH_2:
    case ZEISS:
        if (is_first && (entry.tag != METAMORPH_1 || entry.type == LONG)) /* before 2.5 it was another thing */
            (entry.tag == ZEISS         ? m_to->lsm
             : entry.tag == METAMORPH_1 ? m_to->uic1
                                        : m_to->uic2) = {entry.at, entry.count};
        return true;
    case HAMAMATSU_LENS:
        return read_float(entry, &page->lens);
    case IMAGEJ_COUNTS:
        if (!is_first)
            return true;
        if (!read_values(entry))
            return false;
        for (const uint64_t n : m_values)
            m_to->imagej_counts.push_back(static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)));
        return true;
    case IMAGEJ_DATA:
        if (!is_first)
            return true;
        if (!read_bytes(entry, &bytes))
            return false;
        m_to->imagej_data.assign(bytes.begin(), bytes.end());
        return true;
    default:
        return true;
    }
}

/* Says where all pixels stand if they stand in rows, one after the other, as GDAL would give them. */
bool Walker::find_pixels(TiffPage *page)
{
    const bool is_plain = page->compression == 1 && !page->is_tiled && m_blocks.fill_order == 1 &&
                          m_blocks.has_same_samples && page->photometric <= 3 &&
                          (page->planar == 1 || page->samples == 1) && page->bits % 8 == 0 && page->bits >= 8 &&
                          page->bits <= 64;
    if (!is_plain || m_blocks.offsets.count < 1 || m_blocks.rows_per_strip < 1)
        return true;
    if (static_cast<double>(page->width) * static_cast<double>(page->height) * page->samples * (page->bits / 8) >
        static_cast<double>(m_to->size))
        return true;
    const int64_t rows_per_strip = std::min(m_blocks.rows_per_strip, page->height);
    const int64_t n_strips = (page->height - 1) / rows_per_strip + 1;
    const int64_t strip_bytes = rows_per_strip * page->width * page->samples * (page->bits / 8);
    if (m_blocks.offsets.count != n_strips || n_strips > m_to->size / 2)
        return true;
    if (!read_values(m_blocks.offsets))
        return false;
    bool is_one = m_values[0] > 0;
    for (size_t i = 1; is_one && i < m_values.size(); i++)
        is_one = m_values[i] == m_values[0] + i * static_cast<uint64_t>(strip_bytes);
    if (is_one)
        page->pixels_at = static_cast<int64_t>(std::min<uint64_t>(m_values[0], INT64_MAX));
    return true;
}

/* Adds what an entry says of how pixels are coded: all tags of TIFF itself that are not places, texts or resolutions, and those
 * private ones that GDAL reads pixels by. Where a value cannot be looked at, the page is like no other. */
bool Walker::digest_coding(const unsigned char *bytes, const Entry &entry, TiffPage *page)
{
    static constexpr int others[] = {NEW_SUBFILE_TYPE,
                                     SUBFILE_TYPE,
                                     STRIP_OFFSETS,
                                     STRIP_BYTE_COUNTS,
                                     TILE_OFFSETS,
                                     TILE_BYTE_COUNTS,
                                     SUB_IFDS,
                                     X_RESOLUTION,
                                     Y_RESOLUTION,
                                     RESOLUTION_UNIT,
                                     IMAGE_DESCRIPTION,
                                     SOFTWARE,
                                     269 /* name */,
                                     271 /* maker */,
                                     272 /* model */,
                                     285 /* page name */,
                                     286 /* x */,
                                     287 /* y */,
                                     297 /* number */,
                                     306 /* date */,
                                     315 /* artist */,
                                     316 /* computer */,
                                     700 /* XMP */};
    static constexpr int private_ones[] = {42112 /* GDAL_METADATA */, 42113 /* GDAL_NODATA */, 50674 /* LERC */};
    const bool is_private = entry.tag >= 32768;
    const bool is_told =
        is_private ? std::find(std::begin(private_ones), std::end(private_ones), entry.tag) == std::end(private_ones)
                   : std::find(std::begin(others), std::end(others), entry.tag) != std::end(others);
    if (is_told)
        return true;
    const int width = m_to->is_big ? 8 : 4;
    const int64_t n_bytes = entry.count * size_of(entry.type);
    page->coding = digest(page->coding, bytes, 4 + static_cast<size_t>(width));
    if (n_bytes <= width) { /* also types that are not read here, whose values may be elsewhere: places differ */
        page->coding = digest(page->coding, bytes + 4 + width, static_cast<size_t>(width));
        return true;
    }
    m_blocks.has_coding = m_blocks.has_coding && n_bytes <= window_size / 2 && is_inside(entry);
    const unsigned char *value = m_blocks.has_coding ? read(entry.at, n_bytes) : nullptr;
    if (value != nullptr)
        page->coding = digest(page->coding, value, static_cast<size_t>(n_bytes));
    return value != nullptr || !m_blocks.has_coding;
}

/* Lists the strips or tiles of a page of few, if the last one in each column is as high as the others. */
bool Walker::list_blocks(TiffPage *page)
{
    constexpr int old_jpeg = 6, jpeg = 7, ycbcr = 6;
    if (!m_blocks.has_coding || page->pixels_at >= 0 || page->compression == old_jpeg ||
        (page->photometric > 3 && !(page->photometric == ycbcr && page->compression == jpeg)))
        return true;
    const int64_t rows = page->is_tiled ? m_blocks.tile_rows : std::min(m_blocks.rows_per_strip, page->height);
    const int64_t width = page->is_tiled ? m_blocks.tile_width : page->width;
    const double pixel = page->bits / 8.0 * page->samples;
    if (rows < 1 || width < 1 || (!page->is_tiled && page->height % rows != 0) ||
        is_huge_block(pixel * static_cast<double>(rows) * static_cast<double>(width),
                      pixel * static_cast<double>(page->height) * static_cast<double>(page->width)))
        return true;
    const int64_t across = (page->width - 1) / width + 1, down = (page->height - 1) / rows + 1;
    const int64_t n_planes = page->planar == 2 ? page->samples : 1;
    if (across > most_blocks || down > most_blocks || across * down * n_planes > most_blocks ||
        m_blocks.offsets.count != across * down * n_planes || m_blocks.sizes.count != m_blocks.offsets.count ||
        !is_inside(m_blocks.offsets) || !is_inside(m_blocks.sizes))
        return true;
    const size_t first = m_to->blocks.size();
    if (!read_values(m_blocks.offsets))
        return false;
    for (const uint64_t at : m_values)
        m_to->blocks.push_back({static_cast<int64_t>(std::min<uint64_t>(at, INT64_MAX)), 0});
    if (!read_values(m_blocks.sizes))
        return false;
    for (size_t i = 0; i < m_values.size(); i++)
        m_to->blocks[first + i].size = static_cast<int64_t>(std::min<uint64_t>(m_values[i], INT64_MAX));
    page->first_block = static_cast<int64_t>(first);
    page->n_blocks = static_cast<int64_t>(m_values.size());
    page->block_rows = rows;
    return true;
}

/* Pages that are coded alike are one film, up to as many rows and blocks as GDAL takes with ease. */
void Walker::make_films()
{
    constexpr int64_t most_rows = 1 << 30, most_blocks_of_film = 1 << 16;
    std::map<std::tuple<uint64_t, int64_t, int64_t, int64_t, int64_t, int>, size_t> newest;
    for (size_t i = 0; i < m_to->pages.size(); i++) {
        TiffPage &page = m_to->pages[i];
        if (page.n_blocks == 0)
            continue;
        const int64_t rows = ((page.height - 1) / page.block_rows + 1) * page.block_rows;
        const auto [at, is_new] = newest.try_emplace(
            {page.coding, page.width, page.height, page.n_blocks, page.block_rows, page.samples}, m_to->films.size());
        const auto n = is_new ? 0 : static_cast<int64_t>(m_to->films[at->second].size());
        if (is_new || (n + 1) * rows > most_rows || (n + 1) * page.n_blocks > most_blocks_of_film) {
            at->second = m_to->films.size();
            m_to->films.emplace_back();
        }
        std::vector<int64_t> &film = m_to->films[at->second];
        page.film = static_cast<int>(at->second);
        page.film_index = static_cast<int64_t>(film.size());
        film.push_back(static_cast<int64_t>(i));
    }
}

bool Walker::read_page(int64_t at, int64_t *next)
{
    const int width = m_to->is_big ? 8 : 4, count_width = m_to->is_big ? 8 : 2, entry_size = m_to->is_big ? 20 : 12;
    constexpr uint64_t most_entries = 65535; /* as many tags as there are */
    TiffPage page;
    page.offset = at;
    m_blocks = Blocks();
    const unsigned char *bytes = read(at, count_width);
    if (bytes == nullptr)
        return false;
    const uint64_t n_entries = number(bytes, count_width);
    if (n_entries == 0 || n_entries > most_entries)
        return fail(this->page() + ", at " + std::to_string(at) + ": a directory of " + std::to_string(n_entries) +
                    " tags cannot be: the file is damaged");
    std::vector<unsigned char> directory(static_cast<size_t>(n_entries) * static_cast<size_t>(entry_size));
    const int64_t entries_at = at + count_width, n_bytes = static_cast<int64_t>(directory.size());
    if (n_bytes <= window_size / 2) {
        bytes = read(entries_at, n_bytes);
        if (bytes == nullptr)
            return false;
        memcpy(directory.data(), bytes, directory.size());
    } else if (!read_far(entries_at, n_bytes, directory.data())) {
        return false;
    }
    for (int64_t i = 0; i < static_cast<int64_t>(n_entries); i++) {
        Entry entry;
        const int64_t from = i * entry_size;
        const unsigned char *bytes_of_it = directory.data() + from;
        const bool is_known = read_entry(bytes_of_it, entries_at + from, &entry);
        if (!digest_coding(bytes_of_it, entry, &page) || (is_known && !take_entry(entry, &page)))
            return false;
    }
    page.next_at = entries_at + n_bytes;
    bytes = read(page.next_at, width);
    if (bytes == nullptr)
        return false;
    *next = static_cast<int64_t>(std::min<uint64_t>(number(bytes, width), INT64_MAX));
    if (page.width < 1 || page.height < 1 || page.width > INT32_MAX || page.height > INT32_MAX || page.samples < 1 ||
        page.samples > 65535)
        return fail(this->page() + ", at " + std::to_string(at) + ": an image of " + std::to_string(page.width) +
                    " x " + std::to_string(page.height) + " pixels and " + std::to_string(page.samples) +
                    " samples cannot be");
    if (!find_pixels(&page) || !list_blocks(&page))
        return false;
    m_to->pages.push_back(std::move(page));
    return true;
}

bool Walker::walk()
{
    m_file.reset(VSIFOpenL(m_to->path.c_str(), "rb"));
    if (!m_file)
        return fail("the file cannot be opened");
    if (VSIFSeekL(m_file.get(), 0, SEEK_END) != 0)
        return fail("the size of the file cannot be known");
    m_to->size = static_cast<int64_t>(VSIFTellL(m_file.get()));
    m_left = 2 * m_to->size + (1 << 20);
    int64_t at = 0;
    if (!read_header(&at))
        return false;
    while (at != 0) {
        const auto [known, is_new] = m_known.try_emplace(at, m_to->pages.size() + 1);
        if (!is_new)
            return fail(page() + " is at " + std::to_string(at) + ", where page " + std::to_string(known->second) +
                        " is, too: the pages go round in a loop, the file is damaged");
        if (!read_page(at, &at))
            return false;
    }
    make_films();
    m_to->software.resize(strlen(m_to->software.c_str()));
    return !m_to->pages.empty() || fail("a TIFF without a page");
}

} // namespace

/* FNV-1a */
uint64_t digest(uint64_t of, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        of = (of ^ static_cast<const unsigned char *>(bytes)[i]) * UINT64_C(1099511628211);
    return of;
}

bool is_huge_block(double bytes, double bytes_of_page)
{
    constexpr double least = 1 << 26;
    return bytes > std::max(least, 4 * bytes_of_page);
}

bool is_tiff_header(const unsigned char *bytes, int n_bytes)
{
    if (n_bytes < 8 || bytes[0] != bytes[1] || (bytes[0] != 'I' && bytes[0] != 'M'))
        return false;
    const int version = bytes[0] == 'M' ? bytes[2] << 8 | bytes[3] : bytes[3] << 8 | bytes[2];
    return version == 42 || version == 43;
}

bool walk_tiff(const std::string &path, TiffFile *to)
{
    *to = TiffFile();
    to->path = path;
    return Walker(to).walk();
}

/* -- Files that GDAL shall see ---------------------------------------------------------------------------------- */

namespace
{

struct Bytes {
    const TiffFile &file;
    std::vector<unsigned char> bytes{};

    void put(uint64_t value, int n)
    {
        for (int i = 0; i < n; i++)
            bytes.push_back(static_cast<unsigned char>(value >> (8 * (file.is_big_endian ? n - 1 - i : i))));
    }
    int width() const
    {
        return file.is_big ? 8 : 4;
    }
    void put_entry(int tag, int64_t count, int64_t value)
    {
        put(static_cast<uint64_t>(tag), 2);
        put(static_cast<uint64_t>(file.is_big ? LONG8 : LONG), 2);
        put(static_cast<uint64_t>(count), width());
        put(static_cast<uint64_t>(value), width());
    }
};

} // namespace

std::vector<unsigned char> tiff_header(const TiffFile &file, int64_t first)
{
    Bytes to{file};
    to.bytes.assign(2, file.is_big_endian ? 'M' : 'I');
    to.put(file.is_big ? 43 : 42, 2);
    if (file.is_big) {
        to.put(8, 2);
        to.put(0, 2);
    }
    to.put(static_cast<uint64_t>(first), to.width());
    return to.bytes;
}

std::vector<unsigned char> film_directory(const TiffFile &file, int film, int64_t at)
{
    const std::vector<int64_t> &pages = file.films[static_cast<size_t>(film)];
    const TiffPage &first = file.pages[static_cast<size_t>(pages[0])];
    const auto n_pages = static_cast<int64_t>(pages.size()), n_blocks = n_pages * first.n_blocks;
    const int64_t rows = (first.height - 1) / first.block_rows * first.block_rows + first.block_rows;
    Bytes to{file};
    const int width = to.width(), count_width = file.is_big ? 8 : 2, entry_size = 4 + 2 * width;
    const int64_t n_old = first.next_at - first.offset - count_width;
    const std::string read = bytes_at(file.path, first.offset + count_width, n_old);
    const std::vector<unsigned char> old(read.begin(), read.end());
    if (static_cast<int64_t>(old.size()) != n_old)
        return {};
    const size_t step = static_cast<size_t>(entry_size);
    const auto tag_at = [&](size_t i) {
        return file.is_big_endian ? old[i] << 8 | old[i + 1] : old[i + 1] << 8 | old[i];
    };
    uint64_t n_entries = 0;
    for (size_t i = 0; i < old.size(); i += step)
        n_entries += tag_at(i) != SUB_IFDS;
    const int64_t tables_at = at + count_width + static_cast<int64_t>(n_entries) * entry_size + width;
    to.put(n_entries, count_width);
    for (size_t i = 0; i < old.size(); i += step) {
        const int tag = tag_at(i);
        if (tag == IMAGE_LENGTH)
            to.put_entry(tag, 1, n_pages * rows);
        else if (tag == ROWS_PER_STRIP)
            to.put_entry(tag, 1, first.block_rows);
        else if (tag == STRIP_OFFSETS || tag == TILE_OFFSETS)
            to.put_entry(tag, n_blocks, tables_at);
        else if (tag == STRIP_BYTE_COUNTS || tag == TILE_BYTE_COUNTS)
            to.put_entry(tag, n_blocks, tables_at + n_blocks * width);
        else if (tag != SUB_IFDS)
            to.bytes.insert(to.bytes.end(), old.begin() + static_cast<ptrdiff_t>(i),
                            old.begin() + static_cast<ptrdiff_t>(i + step));
    }
    to.put(0, width);
    const int64_t n_samples = first.planar == 2 ? first.samples : 1, n_each = first.n_blocks / n_samples;
    for (const bool is_size : {false, true})
        for (int64_t sample = 0; sample < n_samples; sample++)
            for (const int64_t page : pages) {
                const int64_t begin = file.pages[static_cast<size_t>(page)].first_block + sample * n_each;
                for (int64_t i = begin; i < begin + n_each; i++) {
                    const TiffBlock &block = file.blocks[static_cast<size_t>(i)];
                    to.put(static_cast<uint64_t>(is_size ? block.size : block.at), width);
                }
            }
    return to.bytes;
}
