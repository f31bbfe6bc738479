/* arrays.cpp: see arrays.h. First the arrays are looked for and those that can be one image are chosen; then each gets a
 * reader of its pixels, which decodes boxes of whole chunks and keeps some, since a chunk holds parts of many planes; then
 * GDAL's own view of one plane says where they lie and what the pixels mean. */
#include "source/arrays.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <map>

#include "describe/dimensions.h"
#include "plugin/guard.h"
#include "describe/json_text.h"

using ArrayPointer = std::shared_ptr<GDALMDArray>;
using Sizes = std::vector<GUInt64>;

constexpr int most_planes = 1 << 20;

/* -- Which arrays ---------------------------------------------------------------------------------------------- */

namespace
{

struct FoundArray {
    ArrayPointer array{};
    std::string path{};
    std::string refusal{}; /* why it cannot be an image; "" if it can */
};

} // namespace

static bool is_indexing_variable(const GDALMDArray &array)
{
    const auto &dimensions = array.GetDimensions();
    const auto variable = dimensions.size() == 1 ? dimensions[0]->GetIndexingVariable() : nullptr;
    return variable && variable->GetFullName() == array.GetFullName();
}

static std::string sizes_text(const GDALMDArray &array)
{
    std::string text;
    for (const auto &dimension : array.GetDimensions())
        text += (text.empty() ? "" : " x ") + std::to_string(dimension->GetSize()) + " of " + dimension->GetName();
    return text;
}

/* The dimensions of x and y: by their types, else the last two. */
static void find_plane(const GDALMDArray &array, size_t *x, size_t *y)
{
    const auto &dimensions = array.GetDimensions();
    const size_t none = dimensions.size();
    *x = *y = none;
    for (size_t i = 0; i < none; i++) {
        if (dimensions[i]->GetType() == GDAL_DIM_TYPE_HORIZONTAL_X)
            *x = i;
        if (dimensions[i]->GetType() == GDAL_DIM_TYPE_HORIZONTAL_Y)
            *y = i;
    }
    if (*x == none || *y == none) {
        *x = none - 1;
        *y = none - 2;
    }
}

static std::string refusal_of(const GDALMDArray &array)
{
    const GDALExtendedDataType &type = array.GetDataType();
    const auto &dimensions = array.GetDimensions();
    if (type.GetClass() == GEDTC_STRING)
        return "it holds text";
    if (type.GetClass() == GEDTC_COMPOUND)
        return "its type is compound: choose one component with -array name=NAME,view=['COMPONENT']";
    if (type.GetNumericDataType() == GDT_Unknown)
        return "GDAL has no name for its type";
    if (dimensions.size() < 2)
        return CPLSPrintf("it has %d dimension%s, and an image has two or more", static_cast<int>(dimensions.size()),
                          dimensions.size() == 1 ? "" : "s");
    if (dimensions.size() > 5)
        return CPLSPrintf(
            "it has %d dimensions, and an image has at most five: -subset \"NAME(VALUE)\" takes one place "
            "of a dimension",
            static_cast<int>(dimensions.size()));
    size_t x = 0, y = 0;
    GUInt64 n_planes = 1;
    find_plane(array, &x, &y);
    for (size_t i = 0; i < dimensions.size(); i++) {
        const GUInt64 size = dimensions[i]->GetSize();
        if (size == 0)
            return "it has no pixels";
        if (size > INT_MAX)
            return "it is too large for GDAL";
        if (i != x && i != y)
            n_planes = std::min<GUInt64>(n_planes * size, most_planes + 1); /* factors below 2^31: no overflow */
    }
    return n_planes > most_planes ? CPLSPrintf("it has more than %d planes: -subset takes some", most_planes) : "";
}

static void find_arrays(const std::shared_ptr<GDALGroup> &group, int depth, std::vector<FoundArray> *found)
{
    constexpr int most_depth = 64;
    for (const std::string &name : group->GetMDArrayNames()) {
        FoundArray one;
        one.array = group->OpenMDArray(name);
        if (!one.array || is_indexing_variable(*one.array))
            continue;
        one.path = one.array->GetFullName();
        one.refusal = refusal_of(*one.array);
        found->push_back(one);
    }
    for (const std::string &name : group->GetGroupNames())
        if (const auto below = depth < most_depth ? group->OpenGroup(name) : nullptr)
            find_arrays(below, depth + 1, found);
}

/* True for the same type on the same dimensions. Those of a file without names for them are known by their sizes. */
static bool belong_together(const GDALMDArray &a, const GDALMDArray &b)
{
    const auto &of_a = a.GetDimensions(), &of_b = b.GetDimensions();
    bool is_same = of_a.size() == of_b.size() && a.GetDataType() == b.GetDataType();
    for (size_t i = 0; is_same && i < of_a.size(); i++) {
        const auto index_a = of_a[i]->GetIndexingVariable(), index_b = of_b[i]->GetIndexingVariable();
        is_same = of_a[i]->GetSize() == of_b[i]->GetSize() && of_a[i]->GetName() == of_b[i]->GetName() &&
                  (index_a ? index_a->GetFullName() : "") == (index_b ? index_b->GetFullName() : "");
    }
    return is_same;
}

static double pixel_count(const GDALMDArray &array)
{
    double n = 1;
    for (const auto &dimension : array.GetDimensions())
        n *= static_cast<double>(dimension->GetSize());
    return n;
}

static std::string unit_of(const GDALDimension &dimension)
{
    const auto variable = dimension.GetIndexingVariable();
    return variable ? variable->GetUnit() : "";
}

/* True if an array leaves axis c to others: it has at most two dimensions beside y and x, none of which are channels. */
static bool has_room_for_channels(const GDALMDArray &array)
{
    const auto &dimensions = array.GetDimensions();
    size_t x = 0, y = 0;
    find_plane(array, &x, &y);
    bool has_room = dimensions.size() <= 4;
    for (size_t i = 0; i < dimensions.size(); i++)
        has_room = has_room && (i == x || i == y ||
                                dimension_meaning(dimensions[i]->GetName(), dimensions[i]->GetType(),
                                                  unit_of(*dimensions[i])) != 'c');
    return has_room;
}

/* The arrays that are written: those with the most pixels together. */
static std::vector<FoundArray> choose_arrays(const std::vector<FoundArray> &found)
{
    std::vector<FoundArray> best;
    double most = 0;
    for (size_t i = 0; i < found.size(); i++) {
        std::vector<FoundArray> together;
        for (size_t k = i; k < found.size() && found[i].refusal.empty(); k++)
            if (k == i || (found[k].refusal.empty() && belong_together(*found[i].array, *found[k].array) &&
                           has_room_for_channels(*found[i].array)))
                together.push_back(found[k]);
        const double n = together.empty() ? 0 : pixel_count(*found[i].array) * static_cast<double>(together.size());
        if (n > most) {
            most = n;
            best = together;
        }
    }
    return best;
}

static bool is_among(const std::vector<FoundArray> &list, const FoundArray &one)
{
    return std::any_of(list.begin(), list.end(), [&one](const FoundArray &other) { return other.path == one.path; });
}

static std::string without_slash(const std::string &path)
{
    return path.size() > 1 && path[0] == '/' && path.find('/', 1) == std::string::npos ? path.substr(1) : path;
}

/* What is left out; "" for nothing. */
static std::string left_out(const std::vector<FoundArray> &found, const std::vector<FoundArray> &chosen)
{
    constexpr int most_names = 20;
    std::string names;
    int n = 0;
    for (const FoundArray &one : found)
        if (!is_among(chosen, one) && ++n <= most_names)
            names += (names.empty() ? "" : "; ") + without_slash(one.path) + " (" +
                     (one.array->GetDimensionCount() == 0 ? "one value" : sizes_text(*one.array)) + ")";
    if (n == 0)
        return "";
    std::string written;
    for (const FoundArray &one : chosen)
        written += (written.empty() ? "" : ", ") + without_slash(one.path);
    return CPLSPrintf("%d of %d arrays are not written: %s%s. An image has one shape and type: this one is %s. "
                      "gdalmdimtranslate -array NAME writes another one",
                      n, static_cast<int>(found.size()), names.c_str(), n > most_names ? "; ..." : "", written.c_str());
}

/* What gdalmdimtranslate makes of the source has no name: then that of the first file behind it. */
static std::string name_of(GDALDataset *source)
{
    StringListOut text = source->GetMetadata("xml:VRT");
    if (*source->GetDescription() != '\0' || text == nullptr || text[0] == nullptr)
        return source->GetDescription();
    const CPLXMLTreeCloser xml(CPLParseXMLString(text[0]));
    const char *file = CPLGetXMLValue(xml ? CPLSearchXMLNode(xml.get(), "SourceFilename") : nullptr, nullptr, "");
    return *file != '\0' ? file : "The source";
}

static void refuse_all(GDALDataset *source, const std::vector<FoundArray> &found)
{
    std::string text;
    for (const FoundArray &one : found)
        text += (text.empty() ? "" : "; ") + without_slash(one.path) + ": " + one.refusal;
    CPLError(CE_Failure, CPLE_NotSupported, "%s: no array in it can be an image%s%s", name_of(source).c_str(),
             text.empty() ? ", since it has none beside the positions of dimensions" : ". ", text.c_str());
}

/* -- The file behind a multidimensional VRT --------------------------------------------------------------------- */

/* gdalmdimtranslate hands over a VRT wherever it has an option. It hides how the array is stored, and fills memory before
 * it reads; behind it is, as a rule, one array of one file, perhaps a view of it. */

static CPLXMLNode *xml_of_array(CPLXMLNode *group, const std::string &path)
{
    const CPLStringList names(CSLTokenizeString2(path.c_str(), "/", 0));
    for (int i = 0; group != nullptr && i < names.size(); i++) {
        CPLXMLNode *child = group->psChild;
        while (child != nullptr &&
               !(child->eType == CXT_Element && EQUAL(child->pszValue, i + 1 < names.size() ? "Group" : "Array") &&
                 EQUAL(CPLGetXMLValue(child, "name", ""), names[i])))
            child = child->psNext;
        group = child;
    }
    return group;
}

static bool is_all(const CPLXMLNode *node, const char *attribute, const char *wanted)
{
    const CPLStringList values(CSLTokenizeString2(CPLGetXMLValue(node, attribute, ""), ",", 0));
    bool is_same = true;
    for (int i = 0; i < values.size(); i++)
        is_same = is_same && EQUAL(values[i], wanted);
    return is_same;
}

/* The one source of an array of a VRT, if all of its pixels come from there; else NULL. */
static const CPLXMLNode *only_source(const CPLXMLNode *array)
{
    const CPLXMLNode *found = nullptr;
    for (const CPLXMLNode *node = array != nullptr ? array->psChild : nullptr; node != nullptr; node = node->psNext)
        if (node->eType == CXT_Element &&
            (EQUAL(node->pszValue, "Source") || EQUAL(node->pszValue, "RegularlySpacedValues") ||
             EQUAL(node->pszValue, "ConstantValue") || EQUAL(node->pszValue, "InlineValues") ||
             EQUAL(node->pszValue, "InlineValuesWithValueElement"))) {
            if (found != nullptr)
                return nullptr;
            found = node;
        }
    const bool is_whole = found != nullptr && EQUAL(found->pszValue, "Source") &&
                          CPLGetXMLNode(found, "SourceArray") != nullptr &&
                          is_all(CPLGetXMLNode(found, "SourceSlab"), "offset", "0") &&
                          is_all(CPLGetXMLNode(found, "SourceSlab"), "step", "1") &&
                          is_all(CPLGetXMLNode(found, "DestSlab"), "offset", "0");
    return is_whole ? found : nullptr;
}

static bool has_shape_of(const GDALMDArray &a, const GDALMDArray &b)
{
    const auto &of_a = a.GetDimensions(), &of_b = b.GetDimensions();
    bool is_same = of_a.size() == of_b.size();
    for (size_t i = 0; is_same && i < of_a.size(); i++)
        is_same = of_a[i]->GetSize() == of_b[i]->GetSize();
    return is_same;
}

/* An array of a file, and the dataset that it lives with. */
struct FileArray {
    std::shared_ptr<GDALDataset> dataset{};
    ArrayPointer array{};
};

/* Where the pixels of an array are: a file, a path in it, and a view as sources of VRTs have it. */
struct FilePlace {
    std::string file{}, path{}, transposed{}, view{};
};

/* The array is NULL if it is not there. */
static FileArray open_array(const FilePlace &place, const std::string &name, const char *const *drivers)
{
    const QuietErrors quiet;
    FileArray found;
    found.dataset.reset(GDALDataset::Open(name.c_str(), GDAL_OF_MULTIDIM_RASTER | GDAL_OF_INTERNAL, drivers));
    const auto root = found.dataset ? found.dataset->GetRootGroup() : nullptr;
    found.array = root ? root->OpenMDArrayFromFullname(place.path) : nullptr;
    if (found.array && !place.transposed.empty()) {
        const CPLStringList axes(CSLTokenizeString2(place.transposed.c_str(), ",", 0));
        std::vector<int> order;
        for (int i = 0; i < axes.size(); i++)
            order.push_back(atoi(axes[i]));
        found.array = found.array->Transpose(order);
    }
    if (found.array && !place.view.empty())
        found.array = found.array->GetView(place.view);
    return found;
}

/* -- Pixels ---------------------------------------------------------------------------------------------------- */

using Box = std::vector<GByte>;

/* Boxes that have been read, of all arrays; those that were used last are kept. */
class BoxCache
{
    using Key = std::pair<const ArrayPixels *, Sizes>;
    struct Entry {
        Key key;
        Box box;
    };
    std::list<Entry> m_entries{}; /* the one used last is the first */
    std::map<Key, std::list<Entry>::iterator> m_places{};
    int64_t m_bytes = 0, m_room = 32 << 20;

  public:
    void set_room(int64_t bytes)
    {
        m_room = bytes;
    }
    /* The box of a key, made by read(box) if it is not there; NULL if that fails. */
    template <typename Read> const Box *get(const Key &key, int64_t bytes, Read read)
    {
        const auto known = m_places.find(key);
        if (known != m_places.end()) {
            m_entries.splice(m_entries.begin(), m_entries, known->second);
            return &m_entries.front().box;
        }
        Box box;
        while (!m_entries.empty() && m_bytes + bytes > m_room) {
            m_bytes -= static_cast<int64_t>(m_entries.back().box.capacity());
            box.swap(m_entries.back().box); /* its memory serves again */
            m_places.erase(m_entries.back().key);
            m_entries.pop_back();
        }
        if (static_cast<int64_t>(box.capacity()) < bytes) /* growing would copy it, and hold both */
            box = Box();
        if (!read(&box))
            return nullptr;
        m_bytes += static_cast<int64_t>(box.capacity());
        m_entries.push_front({key, std::move(box)});
        m_places[key] = m_entries.begin();
        return &m_entries.front().box;
    }
};

/* One array: its planes in C order of the dimensions beside y and x, out of boxes that are whole chunks, in which the
 * other dimensions come first, then y, then x. */
class ArrayPixels
{
    ArrayPointer m_array;
    FileArray m_pixels; /* the same, or what is behind it */
    std::string m_file;
    size_t m_x = 0, m_y = 0;
    std::vector<size_t> m_others{};
    Sizes m_size{}, m_box{};
    GDALDataType m_type;
    int m_pixel_size;
    BoxCache &m_boxes;

    void find_pixels(GDALDataset *source);
    void choose_box();
    const Box *box_at(const Sizes &index);
    bool read_box(const Sizes &index, Box *box);
    GUInt64 extent(const Sizes &index, size_t i) const
    {
        return std::min(m_box[i], m_size[i] - index[i] * m_box[i]);
    }

  public:
    ArrayPixels(GDALDataset *source, ArrayPointer array, BoxCache &boxes);

    const ArrayPointer &array() const
    {
        return m_array;
    }
    const std::string &file() const
    {
        return m_file;
    }
    size_t x() const
    {
        return m_x;
    }
    size_t y() const
    {
        return m_y;
    }
    const std::vector<size_t> &others() const
    {
        return m_others;
    }
    GDALDataType type() const
    {
        return m_type;
    }
    GUInt64 box_size(size_t dimension) const
    {
        return m_box[dimension];
    }
    int64_t box_bytes() const
    {
        int64_t bytes = m_pixel_size;
        for (const GUInt64 size : m_box)
            bytes *= static_cast<int64_t>(size);
        return bytes;
    }
    /* One plane of the array as a raster, which has all that GDAL says of it. */
    std::unique_ptr<GDALDataset> plane() const;
    /* plane: the place on each of the others. */
    bool read(const Sizes &plane, int x, int y, int width, int height, void *to, GDALDataType type,
              GSpacing pixel_space, GSpacing line_space);
};

ArrayPixels::ArrayPixels(GDALDataset *source, ArrayPointer array, BoxCache &boxes)
    : m_array(std::move(array)), m_pixels{nullptr, m_array}, m_file(source->GetDescription()),
      m_type(m_array->GetDataType().GetNumericDataType()), m_pixel_size(GDALGetDataTypeSizeBytes(m_type)),
      m_boxes(boxes)
{
    find_plane(*m_array, &m_x, &m_y);
    const auto &dimensions = m_array->GetDimensions();
    for (size_t i = 0; i < dimensions.size(); i++) {
        m_size.push_back(dimensions[i]->GetSize());
        if (i != m_x && i != m_y)
            m_others.push_back(i);
    }
    find_pixels(source);
    choose_box();
}

static bool is_known(const Sizes &block)
{
    return std::all_of(block.begin(), block.end(), [](GUInt64 size) { return size > 0; });
}

/* Sets the array that is read, and the blocks in which it is stored, as far as somebody says it. GDAL's older HDF5 drivers
 * do not; its netCDF driver reads the same files and does. */
void ArrayPixels::find_pixels(GDALDataset *source)
{
    static const char *const netcdf[] = {"netCDF", nullptr};
    FilePlace place;
    place.file = m_file;
    place.path = m_array->GetFullName();
    StringListOut text = source->GetMetadata("xml:VRT");
    const CPLXMLTreeCloser xml(text != nullptr && text[0] != nullptr ? CPLParseXMLString(text[0]) : nullptr);
    if (const CPLXMLNode *from =
            xml ? only_source(xml_of_array(CPLGetXMLNode(xml.get(), "=VRTDataset.Group"), place.path)) : nullptr) {
        place.file = CPLGetXMLValue(from, "SourceFilename", "");
        if (CPLTestBool(CPLGetXMLValue(from, "SourceFilename.relativetoVRT", "0")))
            place.file.insert(0, m_file, 0, m_file.rfind('/') + 1); /* npos + 1 is 0 */
        m_file = place.file;
        place.path = CPLGetXMLValue(from, "SourceArray", "");
        place.transposed = CPLGetXMLValue(from, "SourceTranspose", "");
        place.view = CPLGetXMLValue(from, "SourceView", "");
        const FileArray behind = open_array(place, place.file, nullptr);
        if (behind.array && has_shape_of(*behind.array, *m_array))
            m_pixels = behind;
    }
    m_box = m_pixels.array->GetBlockSize();
    if (is_known(m_box) || place.file.empty())
        return;
    const FileArray same = open_array(place, "NETCDF:\"" + place.file + "\"", netcdf);
    if (same.array && has_shape_of(*same.array, *m_array))
        m_box = same.array->GetBlockSize();
}

/* Boxes are whole blocks, some of them where they are small. Where nobody knows of blocks, what lies behind x in the file
 * comes with it. */
void ArrayPixels::choose_box()
{
    constexpr double most_bytes = 256 << 20, wanted_bytes = 1 << 20;
    /* The sizes may be anything: box_bytes is for boxes that have been chosen. */
    const auto bytes = [this] {
        double n = m_pixel_size;
        for (const GUInt64 size : m_box)
            n *= static_cast<double>(size);
        return n;
    };
    m_box.resize(m_size.size());
    for (size_t i = 0; i < m_size.size(); i++)
        m_box[i] = std::min(m_box[i], m_size[i]);
    if (!is_known(m_box) || bytes() > most_bytes) {
        for (size_t i = 0; i < m_size.size(); i++)
            m_box[i] = i > std::max(m_x, m_y) ? m_size[i] : 1;
        if (bytes() > most_bytes)
            m_box.assign(m_size.size(), 1);
    }
    for (const size_t i : {m_x, m_y})
        while (m_box[i] < m_size[i] && 2 * bytes() <= wanted_bytes)
            m_box[i] = std::min(2 * m_box[i], m_size[i]);
}

std::unique_ptr<GDALDataset> ArrayPixels::plane() const
{
    std::string view;
    for (size_t i = 0; i < m_size.size(); i++)
        view += std::string(i == 0 ? "[" : ",") + (i == m_x || i == m_y ? ":" : "0");
    const ArrayPointer slice = m_others.empty() ? m_array : m_array->GetView(view + "]");
    const size_t x = m_x > m_y ? 1 : 0;
    if (!slice)
        return nullptr;
    return std::unique_ptr<GDALDataset>(m_others.empty() ? slice->AsClassicDataset(m_x, m_y)
                                                         : slice->AsClassicDataset(x, 1 - x));
}

bool ArrayPixels::read_box(const Sizes &index, Box *box)
{
    Sizes start(m_size.size());
    std::vector<size_t> count(m_size.size());
    std::vector<GPtrDiff_t> stride(m_size.size());
    size_t n = 1;
    for (size_t i = 0; i < m_size.size(); i++) {
        start[i] = index[i] * m_box[i];
        count[i] = static_cast<size_t>(extent(index, i));
    }
    const auto take = [&](size_t i) {
        stride[i] = static_cast<GPtrDiff_t>(n);
        n *= count[i];
    };
    take(m_x);
    take(m_y);
    for (size_t i = m_others.size(); i-- > 0;)
        take(m_others[i]);
    box->resize(n * static_cast<size_t>(m_pixel_size));
    if (m_pixels.array->Read(start.data(), count.data(), nullptr, stride.data(), GDALExtendedDataType::Create(m_type),
                             box->data()))
        return true;
    std::string place;
    for (size_t i = 0; i < m_size.size(); i++)
        place += CPLSPrintf("%s%s " CPL_FRMT_GUIB " to " CPL_FRMT_GUIB, i > 0 ? ", " : "",
                            m_array->GetDimensions()[i]->GetName().c_str(), static_cast<GUIntBig>(start[i]),
                            static_cast<GUIntBig>(start[i] + count[i] - 1));
    CPLError(CE_Failure, CPLE_FileIO, "%s: array %s cannot be read at %s", m_file.c_str(),
             m_array->GetFullName().c_str(), place.c_str());
    return false;
}

const Box *ArrayPixels::box_at(const Sizes &index)
{
    int64_t bytes = m_pixel_size;
    for (size_t i = 0; i < m_size.size(); i++)
        bytes *= static_cast<int64_t>(extent(index, i));
    return m_boxes.get(std::make_pair(this, index), bytes, [&](Box *box) { return read_box(index, box); });
}

bool ArrayPixels::read(const Sizes &plane, int x, int y, int width, int height, void *to, GDALDataType type,
                       GSpacing pixel_space, GSpacing line_space)
{
    Sizes index(m_size.size());
    for (size_t i = 0; i < m_others.size(); i++)
        index[m_others[i]] = plane[i] / m_box[m_others[i]];
    const int box_width = static_cast<int>(m_box[m_x]), box_height = static_cast<int>(m_box[m_y]);
    for (int64_t y0 = y / box_height * box_height; y0 < y + height; y0 += box_height)
        for (int64_t x0 = x / box_width * box_width; x0 < x + width; x0 += box_width) {
            index[m_x] = static_cast<GUInt64>(x0 / box_width);
            index[m_y] = static_cast<GUInt64>(y0 / box_height);
            const Box *box = box_at(index);
            if (box == nullptr)
                return false;
            const auto columns = static_cast<size_t>(extent(index, m_x)),
                       rows = static_cast<size_t>(extent(index, m_y));
            size_t at = 0;
            for (size_t i = 0; i < m_others.size(); i++)
                at = at * static_cast<size_t>(extent(index, m_others[i])) +
                     static_cast<size_t>(plane[i] % m_box[m_others[i]]);
            const int left = std::max(x, static_cast<int>(x0)), top = std::max(y, static_cast<int>(y0));
            const int right = std::min(x + width, static_cast<int>(x0) + static_cast<int>(columns));
            const int bottom = std::min(y + height, static_cast<int>(y0) + static_cast<int>(rows));
            for (int row = top; row < bottom; row++)
                GDALCopyWords64(box->data() + ((at * rows + static_cast<size_t>(row - y0)) * columns +
                                               static_cast<size_t>(left - x0)) *
                                                  static_cast<size_t>(m_pixel_size),
                                m_type, m_pixel_size,
                                static_cast<GByte *>(to) + (row - y) * line_space + (left - x) * pixel_space, type,
                                static_cast<int>(pixel_space), right - left);
        }
    return true;
}

/* -- Bands ----------------------------------------------------------------------------------------------------- */

class ArraysBand final : public GDALRasterBand
{
    ArrayPixels &m_array;
    std::shared_ptr<GDALDataset> m_plane; /* GDAL's own view, which says what the pixels mean */
    Sizes m_place;

    GDALRasterBand *said() const
    {
        return m_plane->GetRasterBand(1);
    }

  protected:
    CPLErr IReadBlock(int block_x, int block_y, void *pixels) override
    {
        const int x = block_x * nBlockXSize, y = block_y * nBlockYSize, size = GDALGetDataTypeSizeBytes(eDataType);
        return guarded(poDS->GetDescription(), CE_Failure, [&] {
            return m_array.read(m_place, x, y, std::min(nBlockXSize, nRasterXSize - x),
                                std::min(nBlockYSize, nRasterYSize - y), pixels, eDataType, size,
                                static_cast<GSpacing>(size) * nBlockXSize)
                       ? CE_None
                       : CE_Failure;
        });
    }

    /* Past GDAL's block cache, since the boxes are one. */
    CPLErr IRasterIO(GDALRWFlag flag, int x, int y, int width, int height, void *data, int buffer_width,
                     int buffer_height, GDALDataType type, GSpacing pixel_space, GSpacing line_space,
                     GDALRasterIOExtraArg *extra) override
    {
        if (flag != GF_Read || width != buffer_width || height != buffer_height || pixel_space > INT_MAX ||
            pixel_space < INT_MIN)
            return GDALRasterBand::IRasterIO(flag, x, y, width, height, data, buffer_width, buffer_height, type,
                                             pixel_space, line_space, extra);
        return guarded(poDS->GetDescription(), CE_Failure, [&] {
            return m_array.read(m_place, x, y, width, height, data, type, pixel_space, line_space) ? CE_None
                                                                                                   : CE_Failure;
        });
    }

  public:
    ArraysBand(GDALDataset *dataset, int number, ArrayPixels &array, std::shared_ptr<GDALDataset> plane, Sizes place)
        : m_array(array), m_plane(std::move(plane)), m_place(std::move(place))
    {
        poDS = dataset;
        nBand = number;
        nRasterXSize = dataset->GetRasterXSize();
        nRasterYSize = dataset->GetRasterYSize();
        eDataType = array.type();
        nBlockXSize = static_cast<int>(array.box_size(array.x()));
        nBlockYSize = static_cast<int>(array.box_size(array.y()));
    }

    double GetNoDataValue(int *has) override
    {
        return said()->GetNoDataValue(has);
    }
    int64_t GetNoDataValueAsInt64(int *has) override
    {
        return said()->GetNoDataValueAsInt64(has);
    }
    uint64_t GetNoDataValueAsUInt64(int *has) override
    {
        return said()->GetNoDataValueAsUInt64(has);
    }
    double GetScale(int *has) override
    {
        return said()->GetScale(has);
    }
    double GetOffset(int *has) override
    {
        return said()->GetOffset(has);
    }
    const char *GetUnitType() override
    {
        return said()->GetUnitType();
    }
    GDALColorInterp GetColorInterpretation() override
    {
        return said()->GetColorInterpretation();
    }
};

/* -- Positions ------------------------------------------------------------------------------------------------- */

/* The values of a dimension as texts, as GDAL writes them; none if it has no variable for them. */
static std::vector<std::string> values_of(const GDALDimension &dimension)
{
    std::vector<std::string> texts;
    const auto variable = dimension.GetIndexingVariable();
    if (!variable || variable->GetDimensionCount() != 1 ||
        variable->GetDimensions()[0]->GetSize() != dimension.GetSize() ||
        variable->GetDataType().GetClass() == GEDTC_COMPOUND)
        return texts;
    const GDALExtendedDataType &type = variable->GetDataType(), text_type = GDALExtendedDataType::CreateString();
    const GUInt64 start = 0;
    const size_t n = static_cast<size_t>(dimension.GetSize());
    std::vector<GByte> values(n * type.GetSize());
    if (!variable->Read(&start, &n, nullptr, nullptr, type, values.data()))
        return texts;
    for (size_t i = 0; i < n; i++) {
        char *text = nullptr;
        GByte *value = values.data() + i * type.GetSize();
        GDALExtendedDataType::CopyValue(value, type, &text, text_type);
        if (type.NeedsFreeDynamicMemory())
            type.FreeDynamicMemory(value);
        texts.emplace_back(text != nullptr ? text : "");
        CPLFree(text);
    }
    return texts;
}

static std::string attribute_text(const GDALAttribute &attribute)
{
    const CPLStringList values(attribute.ReadAsStringArray());
    std::string text;
    for (int i = 0; i < values.size(); i++)
        text += (i > 0 ? "," : "") + std::string(values[i]);
    return values.size() > 1 ? "{" + text + "}" : text;
}

/* Attributes as netCDF's driver names them: "time#calendar". */
static void add_attributes(const GDALIHasAttribute &from, const std::string &head, GDALMajorObject *to)
{
    for (const auto &attribute : from.GetAttributes())
        to->GDALMajorObject::SetMetadataItem((head + attribute->GetName()).c_str(), attribute_text(*attribute).c_str());
}

/* The name of a dimension in the metadata of the bands: its own, without what would end it there. Of two dimensions of one
 * name, as of a matrix of correlations, the second gets another. */
static std::vector<std::string> names_of(const GDALMDArray &array)
{
    std::vector<std::string> names;
    for (const auto &dimension : array.GetDimensions()) {
        std::string name = dimension->GetName();
        std::replace(name.begin(), name.end(), '=', '_');
        if (name.empty() || std::find(names.begin(), names.end(), name) != names.end())
            name += "_" + std::to_string(names.size());
        names.push_back(name);
    }
    return names;
}

/* -- Dataset --------------------------------------------------------------------------------------------------- */

ArraysDataset::ArraysDataset(GDALDataset *source) : m_source(source), m_boxes(std::make_unique<BoxCache>())
{
}

ArraysDataset::~ArraysDataset() = default;

/* The places of y and x that no geotransform says are kept as they are. */
static void keep_uneven(const GDALDimension &dimension, const std::string &name, GDALDataset *to,
                        std::vector<std::string> *losses)
{
    const std::vector<std::string> values = values_of(dimension);
    double start = 0, step = 0;
    if (values.size() < 2 || dimension.GetIndexingVariable()->IsRegularlySpaced(start, step))
        return;
    std::string text;
    for (const std::string &value : values)
        text += (text.empty() ? "" : ",") + value;
    to->GDALMajorObject::SetMetadataItem(("DIM_" + name + "_VALUES").c_str(), ("{" + text + "}").c_str());
    losses->push_back(
        "The positions on " + name +
        " are not evenly spaced: the image has no georeference, and they are kept as the metadata item DIM_" + name +
        "_VALUES");
}

void ArraysDataset::describe(const std::shared_ptr<GDALGroup> &root)
{
    const ArrayPixels &first = *m_arrays[0];
    const auto &dimensions = first.array()->GetDimensions();
    const std::vector<std::string> names = names_of(*first.array());
    nRasterXSize = static_cast<int>(dimensions[first.x()]->GetSize());
    nRasterYSize = static_cast<int>(dimensions[first.y()]->GetSize());
    SetDescription(name_of(m_source).c_str());
    add_attributes(*root, "NC_GLOBAL#", this);
    for (size_t i = 0; i < dimensions.size(); i++)
        if (const auto variable = dimensions[i]->GetIndexingVariable()) {
            add_attributes(*variable, names[i] + "#", this);
            if (!variable->GetUnit().empty())
                GDALMajorObject::SetMetadataItem((names[i] + "#units").c_str(), variable->GetUnit().c_str());
        }
    for (const auto &array : m_arrays)
        add_attributes(*array->array(), m_arrays.size() > 1 ? array->array()->GetName() + "#" : "", this);
    for (const size_t i : {first.y(), first.x()}) {
        const std::string unit = unit_of(*dimensions[i]);
        if (!unit.empty() && GetSpatialRef() == nullptr)
            GDALMajorObject::SetMetadataItem(dimension_item(i == first.y() ? 'y' : 'x', "UNIT").c_str(), unit.c_str());
        keep_uneven(*dimensions[i], names[i], this, &m_losses);
    }
    StringListOut xml = m_source->GetMetadata("xml:VRT");
    if (xml != nullptr)
        GDALMajorObject::SetMetadata(xml, "xml:VRT"); /* which arrays and views: source_fingerprint() */
}

void ArraysDataset::add_bands()
{
    for (const auto &array : m_arrays) {
        const std::shared_ptr<GDALDataset> plane = array->plane();
        const auto &dimensions = array->array()->GetDimensions();
        const std::vector<std::string> names = names_of(*array->array());
        std::vector<std::vector<std::string>> values;
        for (const size_t i : array->others())
            values.push_back(values_of(*dimensions[i]));
        Sizes place;
        place.resize(array->others().size()); /* gcc 14 takes the constructor for a wrong deletion */
        for (bool is_next = plane != nullptr; is_next;) {
            auto *band = new ArraysBand(this, nBands + 1, *array, plane, place);
            SetBand(nBands + 1, band);
            const auto say = [band](const std::string &name, const char *what, const std::string &text) {
                if (!text.empty())
                    band->GDALMajorObject::SetMetadataItem(("DIM_" + name + what).c_str(), text.c_str());
            };
            for (size_t k = 0; k < place.size(); k++) {
                const GDALDimension &dimension = *dimensions[array->others()[k]];
                const std::string &name = names[array->others()[k]];
                say(name, "_INDEX", std::to_string(place[k]));
                say(name, "_TYPE", dimension.GetType());
                if (!values[k].empty()) {
                    say(name, "_VALUE", values[k][static_cast<size_t>(place[k])]);
                    say(name, "_UNIT", unit_of(dimension));
                }
            }
            if (m_arrays.size() > 1) {
                const std::string own = array->array()->GetName();
                say("c", "_INDEX", std::to_string(&array - m_arrays.data()));
                band->GDALMajorObject::SetDescription(own.c_str());
            }
            is_next = false;
            for (size_t k = place.size(); k-- > 0 && !is_next;) {
                is_next = ++place[k] < dimensions[array->others()[k]]->GetSize();
                place[k] = is_next ? place[k] : 0;
            }
        }
    }
}

std::unique_ptr<ArraysDataset> ArraysDataset::make(GDALDataset *source)
{
    std::vector<FoundArray> found;
    const auto root = source->GetRootGroup();
    find_arrays(root, 0, &found);
    const std::vector<FoundArray> chosen = choose_arrays(found);
    if (chosen.empty()) {
        refuse_all(source, found);
        return nullptr;
    }
    auto dataset = std::make_unique<ArraysDataset>(source);
    for (const FoundArray &one : chosen)
        dataset->m_arrays.push_back(std::make_unique<ArrayPixels>(source, one.array, *dataset->m_boxes));
    dataset->m_plane = dataset->m_arrays[0]->plane();
    if (!dataset->m_plane)
        return nullptr; /* GDAL has said why */
    const std::string others = left_out(found, chosen);
    if (!others.empty())
        dataset->m_losses.push_back(others);
    dataset->describe(root);
    dataset->add_bands();
    return dataset;
}

void ArraysDataset::blocks(const std::string &dims, const int64_t *shape, int64_t *block)
{
    const ArrayPixels &first = *m_arrays[0];
    const std::vector<std::string> names = names_of(*first.array());
    const size_t y = dims.size() - 2;
    block[y] = static_cast<int64_t>(first.box_size(first.y()));
    block[y + 1] = static_cast<int64_t>(first.box_size(first.x()));
    for (const GridAxis &axis : grid_of_bands(this).axes) {
        const size_t at = dims.find(axis.letter);
        for (const size_t i : first.others())
            if (at != std::string::npos && shape[at] == axis.size && names[i] == axis.name)
                block[at] = static_cast<int64_t>(first.box_size(i));
    }
}

int64_t ArraysDataset::largest_box() const
{
    int64_t most = 0;
    for (const auto &array : m_arrays)
        most = std::max(most, array->box_bytes());
    return most;
}

/* The C library gives memory at the end of its heap back to the system, and takes it again, with every chunk that is
 * decoded: a fifth of all CPU time. It keeps as much as the largest block that it has seen come and go. */
void ArraysDataset::set_room(int64_t bytes)
{
    VSIFree(VSIMalloc(static_cast<size_t>(4 * largest_box())));
    m_boxes->set_room(bytes);
}

CPLErr ArraysDataset::OMEZARR_GET_GEOTRANSFORM_DEFINITION
{
    return m_plane->GetGeoTransform(geotransform);
}

const OGRSpatialReference *ArraysDataset::GetSpatialRef() const
{
    return m_plane->GetSpatialRef();
}

/* Those of the dataset, and those behind a VRT. */
char **ArraysDataset::GetFileList()
{
    CPLStringList files(m_source->GetFileList());
    for (const auto &array : m_arrays)
        if (const std::string &file = array->file(); !file.empty() && files.FindString(file.c_str()) < 0)
            files.AddString(file.c_str());
    return files.StealList();
}
