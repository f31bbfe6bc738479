/* multidim.cpp: see multidim.h. All that an image says is read when its group is opened, so that arrays can be asked by any
 * thread; pixels come from the reader, which takes any number of them. */
#include "open/multidim.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "describe/dimensions.h"
#include "describe/foreign.h"
#include "plugin/guard.h"
#include "describe/json_text.h"
#include "open/raster.h"
#include "describe/pixel_type.h"
#include "plugin/threads.h"

using ArrayPointer = std::shared_ptr<GDALMDArray>;
using Dimensions = std::vector<std::shared_ptr<GDALDimension>>;
using Attributes = std::vector<std::shared_ptr<GDALAttribute>>;

/* -- Positions ------------------------------------------------------------------------------------------------- */

namespace
{

/* What lies at the places of a dimension: numbers, evenly spaced or not, or names. */
struct Positions {
    double start = 0, step = 0; /* where there are no values */
    std::vector<double> values{};
    std::vector<std::string> names{};
    std::string unit{};
    std::vector<std::pair<std::string, std::string>> attributes{};
};

class PositionsArray final : public GDALMDArray
{
    Dimensions m_dimensions;
    Positions m_positions;
    GDALExtendedDataType m_type;
    std::string m_file{};

    PositionsArray(const std::string &parent, const std::shared_ptr<GDALDimension> &dimension, Positions positions)
        : GDALAbstractMDArray(parent, dimension->GetName()),
          GDALMDArray(parent, dimension->GetName()), m_dimensions{dimension}, m_positions(std::move(positions)),
          m_type(m_positions.names.empty() ? GDALExtendedDataType::Create(GDT_Float64)
                                           : GDALExtendedDataType::CreateString())
    {
    }

  protected:
    bool IsCacheable() const override
    {
        return false;
    }

    bool IRead(const GUInt64 *start, const size_t *count, const GInt64 *step, const GPtrDiff_t *stride,
               const GDALExtendedDataType &type, void *to) const override
    {
        for (size_t i = 0; i < count[0]; i++) {
            const auto at = static_cast<size_t>(static_cast<GInt64>(start[0]) + static_cast<GInt64>(i) * step[0]);
            GByte *target = static_cast<GByte *>(to) +
                            static_cast<GPtrDiff_t>(i) * stride[0] * static_cast<GPtrDiff_t>(type.GetSize());
            const char *name = m_positions.names.empty() ? nullptr : m_positions.names[at].c_str();
            const double value = m_positions.values.empty()
                                     ? m_positions.start + m_positions.step * static_cast<double>(at)
                                     : m_positions.values[at];
            const void *from = name != nullptr ? static_cast<const void *>(&name) : &value;
            if (!GDALExtendedDataType::CopyValue(from, m_type, target, type))
                return false;
        }
        return true;
    }

  public:
    static ArrayPointer create(const std::string &parent, const std::shared_ptr<GDALDimension> &dimension,
                               const Positions &positions)
    {
        std::shared_ptr<PositionsArray> array(new PositionsArray(parent, dimension, positions));
        array->SetSelf(array);
        return array;
    }

    bool IsWritable() const override
    {
        return false;
    }
    const std::string &GetFilename() const override
    {
        return m_file;
    }
    const Dimensions &GetDimensions() const override
    {
        return m_dimensions;
    }
    const GDALExtendedDataType &GetDataType() const override
    {
        return m_type;
    }
    const std::string &GetUnit() const override
    {
        return m_positions.unit;
    }
    Attributes GetAttributes(CSLConstList) const override
    {
        Attributes list;
        for (const auto &[name, value] : m_positions.attributes)
            list.push_back(std::make_shared<GDALAttributeString>(GetFullName(), name, value));
        return list;
    }
};

/* A dimension that has the array of its positions made when it is asked for: each holds the other only while somebody has
 * the array. */
class OmeZarrDimension final : public GDALDimension
{
    std::string m_parent;
    Positions m_positions{};
    bool m_has_positions = false;
    std::weak_ptr<GDALDimension> m_self{};

  public:
    OmeZarrDimension(const std::string &parent, const std::string &name, const std::string &type, GUInt64 size)
        : GDALDimension(parent, name, type, "", size), m_parent(parent)
    {
    }
    void set_positions(const std::shared_ptr<GDALDimension> &self, const Positions &positions)
    {
        m_self = self;
        m_positions = positions;
        m_has_positions = true;
    }
    ArrayPointer GetIndexingVariable() const override
    {
        return m_has_positions ? PositionsArray::create(m_parent, m_self.lock(), m_positions) : nullptr;
    }
};

/* -- The store -------------------------------------------------------------------------------------------------- */

/* One level: where it is, and what its array needs. */
struct LevelArray {
    std::string folder{}, name{}; /* folder: "" or "/scale0" */
    LevelGrid grid{};
    Dimensions dimensions{};
};

struct StoreTree;

/* An image below another one or a list of them: a label image, a field of a plate, a series. It is opened when its group
 * is asked for. */
struct TreePart {
    std::string folder{};
    StoreName name;
    std::weak_ptr<StoreTree> tree{};
};

/* What all groups and arrays of an image, or of a list of them, share. */
struct StoreTree {
    std::shared_ptr<OpenStore> store{};
    std::string folder{}; /* the image's own: "", or "/labels/cells" of one that lies below others */
    CPLStringList options{};
    std::vector<TreePart> parts{};
    std::mutex lock{}; /* of the parts' trees */
    std::vector<LevelArray> levels{};
    GDALDataType type = GDT_Unknown; /* in which pixels are shown */
    std::vector<GByte> nodata{};
    std::string root_attributes{};
    std::vector<int> overviews{}; /* levels that are overviews of the first */
};

} // namespace

static std::shared_ptr<StoreTree> open_tree(const StoreName &name, const std::string &folder, const char *description,
                                            CSLConstList options);

/* -- Pixels ---------------------------------------------------------------------------------------------------- */

/* GDAL before 3.7 has no type for signed bytes, and before 3.11 none for halves. */
static GDALDataType shown_type(int32_t type)
{
    const GDALDataType shown = gdal_from_ngff(type);
    return type == NGFF_INT8 && shown == GDT_Byte ? GDT_Int16 : shown;
}

/* n signed bytes or halves of the store, as the pixels that are shown. */
static void show(int32_t type, const GByte *from, size_t n, GByte *to)
{
    for (size_t i = 0; i < n; i++)
        if (type == NGFF_INT8) {
            const auto value = static_cast<int16_t>(static_cast<int8_t>(from[i]));
            memcpy(to + i * sizeof value, &value, sizeof value);
        } else {
            uint16_t half;
            memcpy(&half, from + i * sizeof half, sizeof half);
            const float value = float_from_half(half);
            memcpy(to + i * sizeof value, &value, sizeof value);
        }
}

/* A request: on each axis of the level the first index, the number of them, the step between them, and the bytes from one
 * to the next in the caller's memory. */
struct BoxRequest {
    int64_t start[5], count[5], step[5], stride[5];
    GByte *to;
};

class LevelReader
{
    const StoreTree &m_tree;
    int m_level, m_rank;
    const GDALExtendedDataType &m_type;
    std::vector<GByte> m_pixels{}, m_shown{};

    bool is_shown_as_stored() const
    {
        return GDALGetDataTypeSizeBytes(m_tree.type) == ngff_type_size(m_tree.store->type);
    }

    bool read_box(const int64_t *origin, const int64_t *extent, void *to, const int64_t *strides) const
    {
        char problem[1024] = "";
        const OpenStore &store = *m_tree.store;
        const int32_t status = ngff_reader_read(store.reader, m_level, origin, extent, to, strides, store.n_threads,
                                                problem, sizeof problem);
        tell_warnings(store.reader);
        if (status != NGFF_OK)
            CPLError(CE_Failure, status == NGFF_E_MEMORY ? CPLE_OutOfMemory : CPLE_FileIO, "%s: %s", store.root.c_str(),
                     problem);
        return status == NGFF_OK;
    }

    /* True if the caller's memory can be filled as it is. */
    bool fits(const BoxRequest &request) const
    {
        bool is_fit =
            is_shown_as_stored() && m_type.GetClass() == GEDTC_NUMERIC && m_type.GetNumericDataType() == m_tree.type;
        int64_t next = 0; /* bytes that the faster axes take: else pixels share memory */
        for (int axis = m_rank - 1; axis >= 0 && is_fit; axis--) {
            if (request.count[axis] == 1)
                continue;
            const int64_t stride = std::abs(request.stride[axis]);
            is_fit = std::abs(request.step[axis]) == 1 && stride >= std::max<int64_t>(next, 1);
            next = stride * request.count[axis];
        }
        return is_fit;
    }

    /* The box around what is asked for. */
    void bounds(const BoxRequest &request, int64_t *origin, int64_t *extent) const
    {
        for (int axis = 0; axis < m_rank; axis++) {
            const int64_t reach = (request.count[axis] - 1) * request.step[axis];
            origin[axis] = request.start[axis] + std::min<int64_t>(reach, 0);
            extent[axis] = std::abs(reach) + 1;
        }
    }

    bool read_in_place(const BoxRequest &request) const
    {
        int64_t origin[5], extent[5], strides[5];
        GByte *to = request.to;
        bounds(request, origin, extent);
        for (int axis = 0; axis < m_rank; axis++) {
            const bool is_down = request.step[axis] < 0 && request.count[axis] > 1;
            strides[axis] = request.count[axis] == 1 ? static_cast<int64_t>(m_type.GetSize())
                                                     : request.stride[axis] * (is_down ? -1 : 1);
            to += is_down ? (request.count[axis] - 1) * request.stride[axis] : 0;
        }
        return read_box(origin, extent, to, strides);
    }

    /* Rows of the box that was read, to the caller's memory. */
    void scatter(const BoxRequest &request, const GByte *from, const int64_t *origin, const int64_t *extent) const
    {
        const GDALExtendedDataType shown = GDALExtendedDataType::Create(m_tree.type);
        const int x = m_rank - 1, size = GDALGetDataTypeSizeBytes(m_tree.type);
        int64_t at[5] = {};
        for (bool is_next = true; is_next;) {
            int64_t pixel = 0;
            GByte *to = request.to;
            for (int axis = 0; axis < m_rank; axis++) {
                pixel = pixel * extent[axis] + request.start[axis] + at[axis] * request.step[axis] - origin[axis];
                to += at[axis] * request.stride[axis];
            }
            GDALExtendedDataType::CopyValues(
                from + pixel * size, shown, static_cast<GPtrDiff_t>(request.step[x]), to, m_type,
                static_cast<GPtrDiff_t>(request.stride[x] / static_cast<int64_t>(m_type.GetSize())),
                static_cast<size_t>(request.count[x]));
            is_next = false;
            for (int axis = x - 1; axis >= 0 && !is_next; axis--) {
                is_next = ++at[axis] < request.count[axis];
                at[axis] = is_next ? at[axis] : 0;
            }
        }
    }

  public:
    LevelReader(const StoreTree &tree, int level, const GDALExtendedDataType &type)
        : m_tree(tree), m_level(level), m_rank(tree.store->rank), m_type(type)
    {
    }

    /* In parts: single indexes where a step leaves chunks out, halves of what is large. */
    bool read(const BoxRequest &request)
    {
        constexpr double most_bytes = 32 << 20;
        if (fits(request))
            return read_in_place(request);
        int64_t origin[5], extent[5];
        bounds(request, origin, extent);
        double bytes = GDALGetDataTypeSizeBytes(m_tree.type);
        int longest = -1;
        for (int axis = 0; axis < m_rank; axis++) {
            const bool is_sparse =
                request.count[axis] > 1 && std::abs(request.step[axis]) > m_tree.levels[m_level].grid.chunk[axis];
            if (is_sparse)
                return read_halves(request, axis);
            bytes *= static_cast<double>(extent[axis]);
            if (request.count[axis] > 1 && longest < 0)
                longest = axis;
        }
        if (bytes > most_bytes && longest >= 0)
            return read_halves(request, longest);
        size_t n = 1;
        for (int axis = 0; axis < m_rank; axis++)
            n *= static_cast<size_t>(extent[axis]);
        m_pixels.resize(n * static_cast<size_t>(ngff_type_size(m_tree.store->type)));
        if (!read_box(origin, extent, m_pixels.data(), nullptr))
            return false;
        if (!is_shown_as_stored()) {
            m_shown.resize(n * static_cast<size_t>(GDALGetDataTypeSizeBytes(m_tree.type)));
            show(m_tree.store->type, m_pixels.data(), n, m_shown.data());
        }
        scatter(request, is_shown_as_stored() ? m_pixels.data() : m_shown.data(), origin, extent);
        return true;
    }

    bool read_halves(const BoxRequest &request, int axis)
    {
        BoxRequest first = request, second = request;
        first.count[axis] = request.count[axis] / 2;
        second.count[axis] = request.count[axis] - first.count[axis];
        second.start[axis] += first.count[axis] * request.step[axis];
        second.to += first.count[axis] * request.stride[axis];
        return read(first) && read(second);
    }
};

/* -- Attributes ------------------------------------------------------------------------------------------------- */

/* A whole number of 64 bits, for which GDAL has no attribute: a double would round it. */
class WholeAttribute final : public GDALAttribute
{
    const std::vector<std::shared_ptr<GDALDimension>> m_dimensions{}; /* none */
    const GDALExtendedDataType m_type = GDALExtendedDataType::Create(GDT_Int64);
    const GInt64 m_value;

  public:
    WholeAttribute(const std::string &parent, const std::string &name, GInt64 value)
        : GDALAbstractMDArray(parent, name), GDALAttribute(parent, name), m_value(value)
    {
    }
    const std::vector<std::shared_ptr<GDALDimension>> &GetDimensions() const override
    {
        return m_dimensions;
    }
    const GDALExtendedDataType &GetDataType() const override
    {
        return m_type;
    }

  protected:
    bool IRead(const GUInt64 *, const size_t *, const GInt64 *, const GPtrDiff_t *, const GDALExtendedDataType &as,
               void *to) const override
    {
        return GDALExtendedDataType::CopyValue(&m_value, m_type, to, as);
    }
};

/* The members of a JSON object: numbers and texts as such, all else as JSON. */
static Attributes attributes_of_json(const std::string &parent, const std::string &json)
{
    Attributes list;
    CPLJSONDocument document;
    const QuietErrors quiet;
    if (json.empty() || !document.LoadMemory(json))
        return list;
    for (const CPLJSONObject &member : document.GetRoot().GetChildren()) {
        const auto type = member.GetType();
        const std::string name = member.GetName();
        const bool is_whole = type == CPLJSONObject::Type::Integer || type == CPLJSONObject::Type::Long;
        /* of a number beyond 64 bits the parser gives the nearest */
        if (is_whole && member.Format(CPLJSONObject::PrettyFormat::Plain) == std::to_string(member.ToLong()))
            list.push_back(std::make_shared<WholeAttribute>(parent, name, member.ToLong()));
        else if (is_whole || type == CPLJSONObject::Type::Double)
            list.push_back(std::make_shared<GDALAttributeNumeric>(parent, name, member.ToDouble()));
        else if (type == CPLJSONObject::Type::String)
            list.push_back(std::make_shared<GDALAttributeString>(parent, name, member.ToString()));
        else
            list.push_back(std::make_shared<GDALAttributeString>(
                parent, name, member.Format(CPLJSONObject::PrettyFormat::Plain), GEDTST_JSON));
    }
    return list;
}

static CSLConstList default_items(const std::vector<MetadataDomain> &domains)
{
    for (const MetadataDomain &domain : domains)
        if (domain.name.empty())
            return const_cast<CPLStringList &>(domain.items).List();
    return nullptr;
}

/* What all channels have in common: NULL where they differ. */
template <typename Member> static const BandAttributes *common(const DatasetAttributes &attributes, Member is_same)
{
    const BandAttributes &first = attributes.bands[0];
    return std::all_of(attributes.bands.begin(), attributes.bands.end(),
                       [&](const BandAttributes &band) { return is_same(first, band); })
               ? &first
               : nullptr;
}

/* -- Arrays ----------------------------------------------------------------------------------------------------- */

class OmeZarrArray final : public GDALMDArray
{
    std::shared_ptr<StoreTree> m_tree;
    int m_level;
    GDALExtendedDataType m_type;
    std::string m_unit{};

    const LevelArray &level() const
    {
        return m_tree->levels[static_cast<size_t>(m_level)];
    }

    OmeZarrArray(std::shared_ptr<StoreTree> tree, int level)
        : GDALAbstractMDArray(tree->levels[level].folder.empty() ? "/" : tree->levels[level].folder,
                              tree->levels[level].name),
          GDALMDArray(tree->levels[level].folder.empty() ? "/" : tree->levels[level].folder, tree->levels[level].name),
          m_tree(std::move(tree)), m_level(level), m_type(GDALExtendedDataType::Create(m_tree->type))
    {
        const auto *same = common(m_tree->store->attributes,
                                  [](const BandAttributes &a, const BandAttributes &b) { return a.unit == b.unit; });
        m_unit = same != nullptr ? same->unit : "";
    }

  protected:
    bool IsCacheable() const override
    {
        return false;
    }

    bool IRead(const GUInt64 *start, const size_t *count, const GInt64 *step, const GPtrDiff_t *stride,
               const GDALExtendedDataType &type, void *to) const override
    {
        return guarded(m_tree->store->root.c_str(), false, [&] {
            BoxRequest request{};
            for (int axis = 0; axis < m_tree->store->rank; axis++) {
                request.start[axis] = static_cast<int64_t>(start[axis]);
                request.count[axis] = static_cast<int64_t>(count[axis]);
                request.step[axis] = step[axis];
                request.stride[axis] = stride[axis] * static_cast<int64_t>(type.GetSize());
            }
            request.to = static_cast<GByte *>(to);
            return LevelReader(*m_tree, m_level, type).read(request);
        });
    }

  public:
    static ArrayPointer create(const std::shared_ptr<StoreTree> &tree, int level)
    {
        std::shared_ptr<OmeZarrArray> array(new OmeZarrArray(tree, level));
        array->SetSelf(array);
        return array;
    }

    bool IsWritable() const override
    {
        return false;
    }
    const std::string &GetFilename() const override
    {
        return m_tree->store->root;
    }
    const Dimensions &GetDimensions() const override
    {
        return level().dimensions;
    }
    const GDALExtendedDataType &GetDataType() const override
    {
        return m_type;
    }
    std::vector<GUInt64> GetBlockSize() const override
    {
        return std::vector<GUInt64>(level().grid.chunk, level().grid.chunk + m_tree->store->rank);
    }
    const std::string &GetUnit() const override
    {
        return m_unit;
    }
    const void *GetRawNoDataValue() const override
    {
        return m_tree->nodata.empty() ? nullptr : m_tree->nodata.data();
    }

    double GetScale(bool *has, GDALDataType *stored_type) const override
    {
        const auto *same = common(m_tree->store->attributes, [](const BandAttributes &a, const BandAttributes &b) {
            return a.has_scale == b.has_scale && a.scale == b.scale;
        });
        return number(has, stored_type, same != nullptr && same->has_scale, same != nullptr ? same->scale : 1, 1);
    }
    double GetOffset(bool *has, GDALDataType *stored_type) const override
    {
        const auto *same = common(m_tree->store->attributes, [](const BandAttributes &a, const BandAttributes &b) {
            return a.has_offset == b.has_offset && a.offset == b.offset;
        });
        return number(has, stored_type, same != nullptr && same->has_offset, same != nullptr ? same->offset : 0, 0);
    }

    std::shared_ptr<OGRSpatialReference> GetSpatialRef() const override
    {
        const std::lock_guard<std::mutex> guard(m_tree->store->lock);
        const OGRSpatialReference *crs = m_tree->store->attributes.crs;
        if (crs == nullptr)
            return nullptr;
        std::shared_ptr<OGRSpatialReference> copy(crs->Clone(), [](OGRSpatialReference *one) { one->Release(); });
        std::vector<int> mapping = copy->GetDataAxisToSRSAxisMapping();
        for (int &axis : mapping) /* x, y as GDAL counts them, to numbers of dimensions */
            axis = axis == 1 ? m_tree->store->rank : axis == 2 ? m_tree->store->rank - 1 : 0;
        copy->SetDataAxisToSRSAxisMapping(mapping);
        return copy;
    }

    /* What was said of the image, in the words of its source. */
    Attributes GetAttributes(CSLConstList) const override
    {
        Attributes list;
        CSLConstList items = default_items(m_tree->store->attributes.metadata);
        for (; items != nullptr && *items != nullptr; items++) {
            const char *equals = strchr(*items, '=');
            if (equals != nullptr)
                list.push_back(std::make_shared<GDALAttributeString>(
                    GetFullName(), std::string(static_cast<const char *>(*items), equals), equals + 1));
        }
        return list;
    }

#if OMEZARR_GDAL_AT_LEAST(3, 13)
    int GetOverviewCount() const override
    {
        return m_level == 0 ? static_cast<int>(m_tree->overviews.size()) : 0;
    }
    std::shared_ptr<GDALMDArray> GetOverview(int index) const override
    {
        return index >= 0 && index < GetOverviewCount() ? create(m_tree, m_tree->overviews[static_cast<size_t>(index)])
                                                        : nullptr;
    }
#endif

  private:
    static double number(bool *has, GDALDataType *stored_type, bool is_there, double value, double otherwise)
    {
        if (has != nullptr)
            *has = is_there;
        if (stored_type != nullptr)
            *stored_type = GDT_Float64;
        return is_there ? value : otherwise;
    }
};

/* -- Groups ----------------------------------------------------------------------------------------------------- */

class OmeZarrGroup final : public GDALGroup
{
    std::shared_ptr<StoreTree> m_tree;
    std::string m_folder; /* "" for the root */

    static std::string parent_of(const std::string &folder)
    {
        return folder.empty() ? "" : folder.rfind('/') == 0 ? "/" : folder.substr(0, folder.rfind('/'));
    }

    OmeZarrGroup(std::shared_ptr<StoreTree> tree, const std::string &folder)
        : GDALGroup(parent_of(folder), folder.empty() ? "/" : folder.substr(folder.rfind('/') + 1)),
          m_tree(std::move(tree)), m_folder(folder)
    {
    }

    /* Arrays of positions of the levels in this folder. */
    std::vector<ArrayPointer> positions() const
    {
        std::vector<ArrayPointer> list;
        for (const auto &dimension : GetDimensions(nullptr))
            if (const ArrayPointer array = dimension->GetIndexingVariable())
                list.push_back(array);
        return list;
    }

  public:
    static std::shared_ptr<GDALGroup> create(const std::shared_ptr<StoreTree> &tree, const std::string &folder)
    {
        std::shared_ptr<OmeZarrGroup> group(new OmeZarrGroup(tree, folder));
#if OMEZARR_GDAL_AT_LEAST(3, 8)
        group->SetSelf(group);
#endif
        return group;
    }

    std::vector<std::string> GetMDArrayNames(CSLConstList) const override
    {
        std::vector<std::string> names;
        for (const LevelArray &level : m_tree->levels)
            if (level.folder == m_folder)
                names.push_back(level.name);
        for (const ArrayPointer &array : positions())
            names.push_back(array->GetName());
        return names;
    }

    ArrayPointer OpenMDArray(const std::string &name, CSLConstList) const override
    {
        for (size_t i = 0; i < m_tree->levels.size(); i++)
            if (m_tree->levels[i].folder == m_folder && m_tree->levels[i].name == name)
                return OmeZarrArray::create(m_tree, static_cast<int>(i));
        for (const ArrayPointer &array : positions())
            if (array->GetName() == name)
                return array;
        return nullptr; /* without a word, as in other drivers: programs try names */
    }

    std::vector<std::string> GetGroupNames(CSLConstList) const override
    {
        std::vector<std::string> names;
        std::set<std::string> known;
        const auto add = [&](const std::string &folder) {
            if (folder.size() <= m_folder.size() || folder.compare(0, m_folder.size(), m_folder) != 0 ||
                folder[m_folder.size()] != '/')
                return;
            const size_t from = m_folder.size() + 1, slash = folder.find('/', from);
            const std::string name = folder.substr(from, slash == std::string::npos ? std::string::npos : slash - from);
            if (known.insert(name).second)
                names.push_back(name);
        };
        for (const LevelArray &level : m_tree->levels)
            add(level.folder);
        for (const TreePart &part : m_tree->parts)
            add(part.folder);
        return names;
    }

    std::shared_ptr<GDALGroup> OpenGroup(const std::string &name, CSLConstList) const override
    {
        const std::string folder = m_folder + "/" + name;
        for (TreePart &part : m_tree->parts)
            if (part.folder == folder)
                return guarded<std::shared_ptr<GDALGroup>>(m_tree->store->root.c_str(), nullptr,
                                                           [&] { return open_part(part); });
        const auto names = GetGroupNames(nullptr);
        if (std::find(names.begin(), names.end(), name) != names.end())
            return create(m_tree, folder);
        return nullptr; /* without a word, as in other drivers: programs try names */
    }

    Dimensions GetDimensions(CSLConstList) const override
    {
        Dimensions list;
        for (const LevelArray &level : m_tree->levels)
            if (level.folder == m_folder)
                list.insert(list.end(), level.dimensions.begin(), level.dimensions.end());
        return list;
    }

    Attributes GetAttributes(CSLConstList) const override
    {
        return m_folder == m_tree->folder ? attributes_of_json(GetFullName(), m_tree->root_attributes) : Attributes();
    }

  private:
    /* NULL, with an error, if it cannot be opened. */
    std::shared_ptr<GDALGroup> open_part(TreePart &part) const
    {
        const std::lock_guard<std::mutex> guard(m_tree->lock);
        std::shared_ptr<StoreTree> tree = part.tree.lock();
        if (!tree) {
            tree = open_tree(part.name, part.folder, part.name.text().c_str(), m_tree->options.List());
            part.tree = tree;
        }
        return tree ? create(tree, part.folder) : nullptr;
    }
};

/* -- Dimensions ------------------------------------------------------------------------------------------------- */

static bool read_numbers(const std::string &text, const char *separators, std::vector<double> *values)
{
    const CPLStringList list(CSLTokenizeString2(text.c_str(), separators, 0));
    values->clear();
    for (int i = 0; i < list.size(); i++) {
        char *end = nullptr;
        values->push_back(CPLStrtod(list[i], &end));
        if (end == list[i] || *end != '\0')
            return false;
    }
    return true;
}

/* Items "time#calendar" of a dimension. */
static void take_attributes(CSLConstList items, const std::string &name, Positions *to)
{
    const std::string head = name + "#";
    for (; items != nullptr && *items != nullptr; items++) {
        const char *equals = strchr(*items, '=');
        if (equals == nullptr || !STARTS_WITH(*items, head.c_str()))
            continue;
        const std::string what(*items + head.size(), equals);
        if (what == "units")
            to->unit = equals + 1;
        else
            to->attributes.emplace_back(what, equals + 1);
    }
}

/* The positions on t, c or z that the bands kept, word for word, from the source that the image was made of. False where
 * they kept none. */
static bool kept_positions(const OpenStore &store, int axis, int64_t size, double start, double step, Positions *to)
{
    PlaneSelection along;
    DatasetAttributes attributes;
    along.n_axes = store.rank - 2;
    for (int i = 0; i < along.n_axes; i++)
        along.count[i] = i == axis ? size : 1;
    attributes_from_reader(store.reader, along, &attributes);
    std::map<std::string, std::vector<double>> values; /* by the names of dimensions */
    std::map<std::string, std::string> units;
    for (const BandAttributes &band : attributes.bands) {
        CSLConstList items = default_items(band.metadata);
        for (; items != nullptr && *items != nullptr; items++) {
            char *key = nullptr;
            const char *text = CPLParseNameValue(*items, &key);
            const std::string item = key != nullptr ? key : "";
            CPLFree(key);
            const bool is_of_gdal = STARTS_WITH(item.c_str(), "DIM_") && item.size() > 10 &&
                                    item.compare(item.size() - 6, 6, "_VALUE") == 0;
            const bool is_of_netcdf = STARTS_WITH(item.c_str(), "NETCDF_DIM_");
            if (text == nullptr || (!is_of_gdal && !is_of_netcdf))
                continue;
            const std::string name = is_of_gdal ? item.substr(4, item.size() - 10) : item.substr(11);
            std::vector<double> one;
            if (read_numbers(text, " ", &one) && one.size() == 1)
                values[name].push_back(one[0]);
            const char *unit = CSLFetchNameValue(default_items(band.metadata), ("DIM_" + name + "_UNIT").c_str());
            units[name] = unit != nullptr ? unit : "";
        }
    }
    /* Another axis' dimension stands still along this one. A name of ours says, as a rule, what scale and translation say. */
    const auto moves = [&](const std::vector<double> &of) {
        return static_cast<int64_t>(of.size()) == size &&
               (size == 1 || std::adjacent_find(of.begin(), of.end()) == of.end());
    };
    const auto is_said = [&](const std::vector<double> &of) {
        bool is_same = true;
        for (size_t i = 0; i < of.size(); i++)
            is_same = is_same && std::fabs(start + step * static_cast<double>(i) - of[i]) <= 1e-9 * std::fabs(step);
        return is_same;
    };
    const std::string own(1, store.dims[axis]);
    for (const bool takes_own : {false, true})
        for (const auto &[name, of] : values) {
            const bool is_own = name == "t" || name == "c" || name == "z";
            if (is_own != takes_own || (is_own && (name != own || is_said(of))) || !moves(of) || (size == 1 && !is_own))
                continue;
            to->values = of;
            to->unit = units[name];
            take_attributes(default_items(attributes.metadata), name, to);
            return true;
        }
    return false;
}

/* The positions of y or x that have no scale: "DIM_lat_VALUES={...}". */
static bool uneven_positions(const OpenStore &store, int axis, const int64_t *shape, Positions *to)
{
    const int y = store.rank - 2;
    CSLConstList items = default_items(store.attributes.metadata);
    for (CSLConstList item = items; item != nullptr && *item != nullptr && shape[y] != shape[y + 1]; item++) {
        const char *equals = strchr(*item, '=');
        if (equals == nullptr || !STARTS_WITH(*item, "DIM_"))
            continue;
        const std::string key(static_cast<const char *>(*item), equals);
        if (key.size() < 12 || key.compare(key.size() - 7, 7, "_VALUES") != 0 ||
            !read_numbers(equals + 1, "{},", &to->values) || static_cast<int64_t>(to->values.size()) != shape[axis])
            continue;
        take_attributes(items, key.substr(4, key.size() - 11), to);
        return true;
    }
    to->values.clear();
    return false;
}

/* Where the pixels of an axis of a level lie; false where nobody says it. */
static bool find_positions(const OpenStore &store, int level, const int64_t *shape, int axis, Positions *to)
{
    const DatasetAttributes &attributes = store.attributes;
    const int y = store.rank - 2;
    const char letter = store.dims[axis];
    double factor[5] = {1, 1, 1, 1, 1}, offset[5] = {}, scale[5], translation[5];
    const bool is_placed = level == 0 || ngff_reader_level_place(store.reader, 0, level, factor, offset) == 1;
    const char *unit = ngff_reader_axis_unit(store.reader, axis);
    to->unit = unit != nullptr ? unit : "";
    if (letter == 'c') {
        for (const BandAttributes &band : attributes.bands)
            to->names.push_back(band.description);
        const bool has_names =
            static_cast<int64_t>(to->names.size()) == shape[axis] &&
            std::any_of(to->names.begin(), to->names.end(), [](const std::string &name) { return !name.empty(); });
        if (!has_names)
            to->names.clear();
        return has_names;
    }
    if (axis >= y) {
        const char *kept =
            CSLFetchNameValue(default_items(attributes.metadata), dimension_item(letter, "UNIT").c_str());
        to->unit = kept != nullptr ? kept : to->unit;
        if (level == 0 && !attributes.has_geotransform && uneven_positions(store, axis, shape, to))
            return true;
        const double *six = attributes.geotransform;
        if (attributes.has_geotransform) {
            const double origin = six[axis == y ? 3 : 0], step = six[axis == y ? 5 : 1];
            to->step = factor[axis] * step;
            to->start = origin + (offset[axis] + 0.5 * factor[axis]) * step;
            return is_placed && six[2] == 0 && six[4] == 0;
        }
    }
    double of_base[5], from_base[5];
    if (ngff_reader_level_scale(store.reader, level, scale) != NGFF_OK ||
        ngff_reader_level_translation(store.reader, level, translation) != NGFF_OK)
        return false;
    if (axis < y && factor[axis] == 1 && kept_positions(store, axis, shape[axis], translation[axis], scale[axis], to))
        return true;
    to->step = scale[axis];
    to->start = translation[axis];
    const bool is_said = ngff_reader_level_scale(store.reader, 0, of_base) == NGFF_OK &&
                         ngff_reader_level_translation(store.reader, 0, from_base) == NGFF_OK &&
                         (of_base[axis] != 1 || from_base[axis] != 0 || unit != nullptr);
    return is_said;
}

static const char *type_of(char letter)
{
    return letter == 'x'   ? GDAL_DIM_TYPE_HORIZONTAL_X
           : letter == 'y' ? GDAL_DIM_TYPE_HORIZONTAL_Y
           : letter == 'z' ? GDAL_DIM_TYPE_VERTICAL
           : letter == 't' ? GDAL_DIM_TYPE_TEMPORAL
                           : "";
}

/* Levels beside each other in one folder: only the first has the plain names of its dimensions. */
static void add_dimensions(StoreTree *tree, int number)
{
    LevelArray &level = tree->levels[static_cast<size_t>(number)];
    const OpenStore &store = *tree->store;
    const std::string parent = level.folder.empty() ? "/" : level.folder;
    const bool is_first = std::none_of(tree->levels.begin(), tree->levels.begin() + number,
                                       [&level](const LevelArray &other) { return other.folder == level.folder; });
    for (int axis = 0; axis < store.rank; axis++) {
        const std::string name = std::string(1, store.dims[axis]) + (is_first ? "" : "_" + level.name);
        const auto dimension = std::make_shared<OmeZarrDimension>(parent, name, type_of(store.dims[axis]),
                                                                  static_cast<GUInt64>(level.grid.shape[axis]));
        Positions positions;
        if (find_positions(store, number, level.grid.shape, axis, &positions))
            dimension->set_positions(dimension, positions);
        level.dimensions.push_back(dimension);
    }
}

/* -- Opening ---------------------------------------------------------------------------------------------------- */

class MultidimDataset final : public GDALDataset
{
    std::shared_ptr<GDALGroup> m_root;
    std::string m_folder;

  public:
    MultidimDataset(std::shared_ptr<GDALGroup> root, const std::string &folder, const char *description)
        : m_root(std::move(root)), m_folder(folder)
    {
        SetDescription(description);
        eAccess = GA_ReadOnly;
    }
    std::shared_ptr<GDALGroup> GetRootGroup() const override
    {
        return m_root;
    }
    char **GetFileList() override
    {
        return guarded<char **>(GetDescription(), nullptr, [this] { return root_documents(m_folder); });
    }
};

/* The nodata value of all channels, as a pixel that is shown. */
static std::vector<GByte> nodata_of(const StoreTree &tree)
{
    const auto *same = common(tree.store->attributes,
                              [](const BandAttributes &a, const BandAttributes &b) { return a.nodata == b.nodata; });
    std::vector<GByte> pixel;
    if (same == nullptr || same->nodata.empty())
        return pixel;
    pixel.resize(static_cast<size_t>(GDALGetDataTypeSizeBytes(tree.type)));
    const double value = CPLAtof(same->nodata.c_str());
    const int64_t integer = strtoll(same->nodata.c_str(), nullptr, 10);
    const uint64_t natural = strtoull(same->nodata.c_str(), nullptr, 10);
    if (tree.type == GDT_Int64)
        memcpy(pixel.data(), &integer, sizeof integer);
    else if (tree.type == GDT_UInt64)
        memcpy(pixel.data(), &natural, sizeof natural);
    else
        GDALCopyWords(&value, GDT_Float64, 0, pixel.data(), tree.type, 0, 1);
    return pixel;
}

/* The images below this one or in this list. Its own levels, and further images that share its group, are none. */
static void find_parts(StoreTree *tree, const StoreName &name)
{
    const std::string head = name.part.empty() ? "" : name.part + "/";
    for (int i = 0; i < ngff_reader_part_count(tree->store->reader); i++) {
        TreePart part{{}, name, {}};
        part.name.part = ngff_reader_part_path(tree->store->reader, i);
        part.folder =
            tree->folder + "/" +
            (part.name.part.compare(0, head.size(), head) == 0 ? part.name.part.substr(head.size()) : part.name.part);
        const bool is_level = std::any_of(tree->levels.begin(), tree->levels.end(), [&part](const LevelArray &level) {
            return level.folder + "/" + level.name == part.folder;
        });
        if (part.name.part.find('#') == std::string::npos && !is_level)
            tree->parts.push_back(part);
    }
}

/* The image, or list of images, of a name, whose group is folder; NULL, with an error unless the store is simply not
 * there. */
static std::shared_ptr<StoreTree> open_tree(const StoreName &name, const std::string &folder, const char *description,
                                            CSLConstList options)
{
    auto tree = std::make_shared<StoreTree>();
    tree->store = std::make_shared<OpenStore>();
    tree->folder = folder;
    tree->options.Assign(CSLDuplicate(const_cast<char **>(options)), TRUE);
    OpenStore &store = *tree->store;
    store.root = name.root;
    if (!reading_threads(CSLFetchNameValue(options, "NUM_THREADS"), &store.n_threads))
        return nullptr;
    if (name.has_planes()) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: T, Z and C are for rasters; views of an array take planes here",
                 name.root.c_str());
        return nullptr;
    }
    store.reader = open_reader(name, description, options);
    if (store.reader == nullptr)
        return nullptr;
    tell_warnings(store.reader);
    const int n_levels = ngff_reader_level_count(store.reader);
    if (n_levels == 0) {
        find_parts(tree.get(), name);
        return tree;
    }
    store.dims = ngff_reader_dims(store.reader);
    store.rank = static_cast<int>(store.dims.size());
    store.type = ngff_reader_data_type(store.reader);
    tree->type = shown_type(store.type);
    if (tree->type == GDT_Unknown || store.rank < 2 || store.rank > 5) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: GDAL has no array of this type and axes", store.root.c_str());
        return nullptr;
    }
    for (int i = 0; i < n_levels; i++) {
        LevelArray level;
        const std::string path = folder + "/" + ngff_reader_level_path(store.reader, i);
        level.folder = path.substr(0, path.rfind('/'));
        level.name = path.substr(path.rfind('/') + 1);
        ngff_reader_level_shape(store.reader, i, level.grid.shape);
        ngff_reader_level_chunk(store.reader, i, level.grid.chunk);
        tree->levels.push_back(level);
        double factor[5], offset[5];
        if (i > 0 && ngff_reader_level_place(store.reader, 0, i, factor, offset) == 1)
            tree->overviews.push_back(i);
    }
    /* All channels, of the first plane on t and z: what is said of the pixels. */
    PlaneSelection channels;
    channels.n_axes = store.rank - 2;
    for (int axis = 0; axis < channels.n_axes; axis++)
        channels.count[axis] = store.dims[axis] == 'c' ? tree->levels[0].grid.shape[axis] : 1;
    attributes_from_reader(store.reader, channels, &store.attributes);
    tree->nodata = nodata_of(*tree);
    tree->root_attributes = ngff_reader_attributes(store.reader);
    for (int i = 0; i < n_levels; i++)
        add_dimensions(tree.get(), i);
    if (ngff_reader_status(store.reader) != NGFF_OK) {
        CPLError(CE_Failure, CPLE_OpenFailed, "%s", ngff_reader_error(store.reader));
        return nullptr;
    }
    find_parts(tree.get(), name);
    return tree;
}

GDALDataset *omezarr_open_arrays(const StoreName &name, const char *description, CSLConstList options)
{
    const std::shared_ptr<StoreTree> tree = open_tree(name, "", description, options);
    return tree ? new MultidimDataset(OmeZarrGroup::create(tree, ""), name.root, description) : nullptr;
}
