/* foreign.cpp: see foreign.h. All of it is optional: what is not understood is left out, never guessed. */
#include "describe/foreign.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "describe/dimensions.h"
#include "describe/georef.h"
#include "describe/json_read.h"
#include "describe/json_text.h"

using Type = CPLJSONObject::Type;

/* The object that NGFF's keys stand in: "ome" from 0.5 on. */
static CPLJSONObject ome_of(const CPLJSONObject &attributes)
{
    const CPLJSONObject ome = member_of(attributes, "ome");
    return is_type(ome, Type::Object) ? ome : attributes;
}

/* The entry of "multiscales" that was opened. */
static CPLJSONObject multiscale_of(const ngff_reader *reader, const CPLJSONObject &ome)
{
    const CPLJSONObject list = member_of(ome, "multiscales");
    const int entry = ngff_reader_part_entry(reader);
    if (is_type(list, Type::Array) && list.ToArray().Size() > entry)
        return list.ToArray()[entry];
    return member_of(CPLJSONObject(), "");
}

void foreign_position(ngff_reader *reader, DatasetAttributes *to)
{
    double six[6];
    const char *system = nullptr, *wkt = nullptr;
    if (to->has_geotransform && to->crs != nullptr)
        return;
    if (ngff_reader_position(reader, to->has_geotransform ? nullptr : six, &system, &wkt) == 1) {
        memcpy(to->geotransform, six, sizeof six);
        to->has_geotransform = true;
    }
    if (to->crs == nullptr && system != nullptr && strchr(system, ':') != nullptr)
        to->crs = OGRSpatialReference::FromHandle(georef_crs(nullptr, nullptr, system, nullptr, 0, 0));
    if (to->crs == nullptr && wkt != nullptr)
        to->crs = OGRSpatialReference::FromHandle(georef_crs(wkt, nullptr, nullptr, nullptr, 0, 0));
}

/* -- Planes and channels --------------------------------------------------------------------------------------- */

/* What each plane repeats is left out where all of them together would take more than some MiB: 65,536 planes may have
 * 64 bytes of it. */
static bool may_repeat(const std::string &text, size_t n_planes)
{
    constexpr size_t least = 64, most = 4 << 20;
    return text.size() <= std::max(least, most / std::max<size_t>(1, n_planes));
}

static void set_text(CPLStringList *items, const std::string &name, const std::string &text, size_t n_planes)
{
    if (!text.empty() && may_repeat(text, n_planes))
        items->SetNameValue(name.c_str(), text.c_str());
}

/* An axis of planes, and where its first index lies. */
struct PlaneAxis {
    std::string letter, name, unit;
    double scale, translation;
};

static std::vector<PlaneAxis> plane_axes(const ngff_reader *reader, int level)
{
    const std::string dims = ngff_reader_dims(reader);
    double scale[5], translation[5];
    std::vector<PlaneAxis> axes;
    ngff_reader_level_scale(reader, level, scale);
    ngff_reader_level_translation(reader, level, translation);
    for (size_t axis = 0; axis + 2 < dims.size(); axis++) {
        const char *name = ngff_reader_axis_name(reader, static_cast<int32_t>(axis));
        const char *unit = ngff_reader_axis_unit(reader, static_cast<int32_t>(axis));
        axes.push_back({std::string(1, static_cast<char>(toupper(static_cast<unsigned char>(dims[axis])))),
                        name != nullptr ? name : "", unit != nullptr ? unit : "", scale[axis], translation[axis]});
    }
    return axes;
}

/* The place of a plane on an axis in the words that GDAL's own copying keeps (dimensions.h). What was stored with the
 * plane is what an axis could not say: values that are not evenly spaced, a unit that NGFF has no name for. */
static void describe_dimension(const PlaneAxis &axis, int64_t index, size_t n_planes, CPLStringList *items)
{
    const char letter = static_cast<char>(tolower(static_cast<unsigned char>(axis.letter[0])));
    const bool is_measured = letter != 'c' || axis.scale != 1 || axis.translation != 0;
    const std::string value = dimension_item(letter, "VALUE"), unit = dimension_item(letter, "UNIT");
    items->SetNameValue(dimension_item(letter, "INDEX").c_str(), std::to_string(index).c_str());
    if (!is_measured || items->FetchNameValue(value.c_str()) != nullptr)
        return;
    const double position = axis.translation + axis.scale * static_cast<double>(index);
    items->SetNameValue(value.c_str(), JsonText::number_text(position).c_str());
    if (axis.scale != 1)
        items->SetNameValue(dimension_item(letter, "STEP").c_str(), JsonText::number_text(axis.scale).c_str());
    set_text(items, unit, axis.unit, n_planes);
}

static bool has_other_dimensions(const std::vector<MetadataDomain> &domains)
{
    return std::any_of(domains.begin(), domains.end(), [](const MetadataDomain &domain) {
        return domain.name.empty() && has_other_dimensions(domain.items.List());
    });
}

/* Where a plane lies on the axes: C=0 Z=3 Z_POSITION=1.5 Z_UNIT=micrometer. */
static void describe_plane(const std::vector<PlaneAxis> &axes, const int64_t *index, size_t n_planes, bool is_copied,
                           BandAttributes *band)
{
    for (size_t i = 0; i < axes.size(); i++) {
        const PlaneAxis &axis = axes[i];
        if (is_copied)
            describe_dimension(axis, index[i], n_planes, &items_of_domain(band->metadata, ""));
        CPLStringList &items = items_of_domain(band->metadata, "NGFF");
        items.SetNameValue(axis.letter.c_str(), std::to_string(index[i]).c_str());
        if (!EQUAL(axis.name.c_str(), axis.letter.c_str()))
            set_text(&items, axis.letter + "_NAME", axis.name, n_planes);
        if (axis.letter == "C")
            continue;
        const double position = axis.translation + axis.scale * static_cast<double>(index[i]);
        items.SetNameValue((axis.letter + "_POSITION").c_str(), JsonText::number_text(position).c_str());
        set_text(&items, axis.letter + "_UNIT", axis.unit, n_planes);
    }
}

/* One channel, perhaps with alpha: of several a dataset cannot say it. */
bool foreign_is_min_white(ngff_reader *reader)
{
    const int64_t n = ngff_reader_channel_count(reader);
    int32_t is_inverted = 0;
    return (n == 1 || n == 2) &&
           ngff_reader_channel(reader, 0, nullptr, nullptr, nullptr, nullptr, &is_inverted) == NGFF_OK && is_inverted;
}

/* What "omero" says of a channel. */
struct StoredChannel {
    std::string label{}, color{};
    double window[4] = {}; /* start, end, min, max */
    int32_t is_active = -1, is_inverted = 0;

    StoredChannel(ngff_reader *reader, int64_t number)
    {
        const char *label_text = nullptr, *color_text = nullptr;
        ngff_reader_channel(reader, number, &label_text, &color_text, window, &is_active, &is_inverted);
        label = label_text != nullptr ? label_text : "";
        color = color_text != nullptr ? color_text : "";
    }
};

static void describe_channel(const StoredChannel &channel, size_t n_planes, CPLStringList *items)
{
    static const char *const window_names[] = {"WINDOW_START", "WINDOW_END", "WINDOW_MIN", "WINDOW_MAX"};
    set_text(items, "LABEL", channel.label, n_planes);
    set_text(items, "COLOR", channel.color, n_planes);
    if (channel.is_active >= 0)
        items->SetNameValue("ACTIVE", channel.is_active ? "YES" : "NO");
    if (channel.is_inverted)
        items->SetNameValue("INVERTED", "YES");
    for (int i = 0; i < 4; i++)
        if (!std::isnan(channel.window[i]))
            items->SetNameValue(window_names[i], JsonText::number_text(channel.window[i]).c_str());
}

static GDALColorInterp color_of_channel(const std::string &color)
{
    return EQUAL(color.c_str(), "FF0000")   ? GCI_RedBand
           : EQUAL(color.c_str(), "00FF00") ? GCI_GreenBand
           : EQUAL(color.c_str(), "0000FF") ? GCI_BlueBand
                                            : GCI_Undefined;
}

/* The name, colour and window that all planes of a channel have. */
static void describe_channel_band(const StoredChannel &channel, size_t n_planes, bool has_color, BandAttributes *band)
{
    if (may_repeat(channel.label, n_planes))
        band->description = channel.label;
    describe_channel(channel, n_planes, &items_of_domain(band->metadata, "NGFF"));
    if (has_color)
        band->color = color_of_channel(channel.color);
}

/* The double of xarray's text for a float in Zarr v3: base64 of its eight bytes, little-endian. */
static bool double_of_base64(const std::string &text, double *value)
{
    std::vector<GByte> bytes(text.begin(), text.end());
    bytes.push_back(0);
    if (text.size() != 12 || CPLBase64DecodeInPlace(bytes.data()) != 8)
        return false;
    CPL_LSBPTR64(bytes.data());
    memcpy(value, bytes.data(), sizeof *value);
    return !std::isinf(*value);
}

/* CF's words for values, on the array of level 0. */
static void describe_values(const CPLJSONObject &array, int32_t type, size_t n_planes, BandAttributes *band)
{
    double real = 0;
    const CPLJSONObject fill = member_of(array, "_FillValue");
    const CPLJSONObject scale = member_of(array, "scale_factor"), offset = member_of(array, "add_offset");
    if (is_number(fill))
        band->nodata = fill.GetType() == Type::Double ? JsonText::number_text(fill.ToDouble()) : fill.ToString();
    else if (is_type(fill, Type::String) && EQUAL(fill.ToString().c_str(), "nan"))
        band->nodata = "nan";
    else if (is_type(fill, Type::String) && (type == NGFF_FLOAT32 || type == NGFF_FLOAT64) &&
             double_of_base64(fill.ToString(), &real))
        band->nodata = std::isnan(real) ? "nan" : JsonText::number_text(real);
    band->has_scale = is_number(scale);
    band->scale = number_of(scale, 1);
    band->has_offset = is_number(offset);
    band->offset = number_of(offset, 0);
    const std::string unit = text_member(array, "units");
    if (may_repeat(unit, n_planes))
        band->unit = unit;
}

void foreign_mark_classes(std::vector<BandAttributes> *bands)
{
    for (BandAttributes &band : *bands) {
        const auto found = std::find_if(band.metadata.begin(), band.metadata.end(),
                                        [](const MetadataDomain &domain) { return domain.name.empty(); });
        if (found == band.metadata.end())
            band.metadata.insert(band.metadata.end(), MetadataDomain())->items.SetNameValue("LAYER_TYPE", "thematic");
        else
            found->items.SetNameValue("LAYER_TYPE", "thematic");
    }
}

/* "image-label": a colour for each value; the others stay invisible. */
static void describe_label(ngff_reader *reader, std::vector<BandAttributes> *bands)
{
    const int32_t type = ngff_reader_data_type(reader);
    const int64_t most = type == NGFF_UINT8 ? 255 : type == NGFF_UINT16 ? 65535 : -1;
    auto table = std::make_shared<GDALColorTable>();
    for (int64_t i = 0; i < ngff_reader_label_count(reader); i++) {
        int64_t value = -1;
        uint8_t rgba[4] = {};
        ngff_reader_label_color(reader, i, &value, rgba);
        const GDALColorEntry color = {rgba[0], rgba[1], rgba[2], rgba[3]};
        if (value >= 0 && value <= most)
            table->SetColorEntry(static_cast<int>(value), &color);
    }
    if (table->GetColorEntryCount() > 0)
        for (BandAttributes &band : *bands)
            band.color_table = table;
}

/* The entries that are as the specification wants them: each of another whole value, colours of four bytes. */
static LabelEntries label_entries(const CPLJSONObject &list, bool is_of_colors)
{
    LabelEntries entries;
    for (const CPLJSONObject &entry : is_type(list, Type::Array) ? list.ToArray() : CPLJSONArray()) {
        const CPLJSONObject value = member_of(entry, "label-value"), rgba = member_of(entry, "rgba");
        bool is_good = is_type(value, Type::Integer) || is_type(value, Type::Long);
        if (is_of_colors && is_good) {
            is_good = is_type(rgba, Type::Array) && rgba.ToArray().Size() == 4;
            for (int i = 0; is_good && i < 4; i++)
                is_good = is_type(rgba.ToArray()[i], Type::Integer) && rgba.ToArray()[i].ToInteger() >= 0 &&
                          rgba.ToArray()[i].ToInteger() <= 255;
        }
        if (is_good)
            entries.emplace(value.ToLong(), entry.Format(CPLJSONObject::PrettyFormat::Plain));
    }
    return entries;
}

/* "x:0.325": values of axes as the options AXIS_SCALE ... have them. */
static void add_axis(std::string *list, char axis, const std::string &value)
{
    if (!value.empty())
        *list += (list->empty() ? "" : ",") + std::string(1, axis) + ":" + value;
}

/* What a viewer shows at first, as "omero" says it. */
static void describe_view(ngff_reader *reader, const std::string &dims, CPLStringList *items)
{
    int64_t t = -1, z = -1;
    int32_t has_colors = -1;
    ngff_reader_view(reader, &t, &z, &has_colors);
    if (has_colors >= 0)
        items->SetNameValue("MODEL", has_colors ? "color" : "greyscale");
    if (t >= 0 && dims.find('t') != std::string::npos)
        items->SetNameValue("DEFAULT_T", std::to_string(t).c_str());
    if (z >= 0 && dims.find('z') != std::string::npos)
        items->SetNameValue("DEFAULT_Z", std::to_string(z).c_str());
}

/* The image as a whole: its name, and its axes in the words of the creation options. Units of y and x are also where
 * GDAL's copying keeps them, unless a CRS has them. */
static void describe_image(ngff_reader *reader, DatasetAttributes *to)
{
    const std::string dims = ngff_reader_dims(reader);
    const char *name = ngff_reader_name(reader);
    const int level = ngff_reader_part_level(reader);
    double scale[5], translation[5];
    std::string scales, translations, units, orientations;
    ngff_reader_level_scale(reader, level, scale);
    ngff_reader_level_translation(reader, level, translation);
    for (size_t axis = 0; axis < dims.size(); axis++) {
        const char *unit = ngff_reader_axis_unit(reader, static_cast<int32_t>(axis));
        add_axis(&scales, dims[axis], JsonText::number_text(scale[axis]));
        add_axis(&translations, dims[axis], JsonText::number_text(translation[axis]));
        add_axis(&units, dims[axis], unit != nullptr ? unit : "");
        const char *orientation = ngff_reader_axis_orientation(reader, static_cast<int32_t>(axis));
        add_axis(&orientations, dims[axis], orientation != nullptr ? orientation : "");
        if (axis + 2 >= dims.size() && to->crs == nullptr && unit != nullptr && *unit != '\0')
            items_of_domain(to->metadata, "").SetNameValue(dimension_item(dims[axis], "UNIT").c_str(), unit);
    }
    CPLStringList &items = items_of_domain(to->metadata, "NGFF");
    items.SetNameValue("AXES", dims.c_str());
    items.SetNameValue("AXIS_SCALE", scales.c_str());
    items.SetNameValue("AXIS_TRANSLATION", translations.c_str());
    if (!units.empty())
        items.SetNameValue("AXIS_UNITS", units.c_str());
    if (!orientations.empty())
        items.SetNameValue("AXIS_ORIENTATION", orientations.c_str());
    if (name != nullptr)
        items.SetNameValue("NAME", name);
    describe_view(reader, dims, &items);
}

/* A channel of "omero" as all its planes show it. */
struct Channel {
    std::string label{};
    BandAttributes shown{};
};

/* What "omero" says of channels. Each is looked at once, however many planes it has. */
class Channels
{
    ngff_reader *m_reader;
    size_t m_n_planes;
    std::map<int64_t, Channel> m_known{};

  public:
    Channels(ngff_reader *reader, size_t n_planes) : m_reader(reader), m_n_planes(n_planes)
    {
    }

    int64_t count() const
    {
        return ngff_reader_channel_count(m_reader);
    }

    /* values: what a plane has beside it. */
    const Channel &get(int64_t number, bool has_color, const BandAttributes &values)
    {
        const auto [at, is_new] = m_known.try_emplace(number, Channel{{}, values});
        if (is_new && number < count()) {
            describe_channel_band(StoredChannel(m_reader, number), m_n_planes, has_color, &at->second.shown);
            at->second.label = at->second.shown.description;
        }
        return at->second;
    }
};

/* All of a store without our block. */
static void describe_foreign(ngff_reader *reader, const PlaneSelection &planes, const CPLJSONObject &ome,
                             const CPLJSONObject &array, DatasetAttributes *to)
{
    const std::string dims = ngff_reader_dims(reader), type = text_member(multiscale_of(reader, ome), "type");
    const bool is_stack = dims.size() > 2 && dims.find_first_of("tz") != std::string::npos;
    if (!type.empty())
        items_of_domain(to->metadata, "NGFF").SetNameValue("TYPE", type.c_str());
    const size_t c = dims.find('c');
    Channels channels(reader, to->bands.size());
    BandAttributes values;
    describe_values(array, ngff_reader_data_type(reader), to->bands.size(), &values);
    for (size_t i = 0; i < to->bands.size(); i++) {
        int64_t index[5] = {};
        planes.plane(static_cast<int64_t>(i), index);
        const Channel &channel =
            channels.get(c != std::string::npos ? index[c] : 0, !is_stack && channels.count() >= 3, values);
        to->bands[i] = channel.shown;
        to->bands[i].description = text_with_place(channel.label, dims.substr(0, dims.size() - 2), index);
    }
    const CPLJSONObject label = member_of(ome, "image-label");
    if (is_type(label, Type::Object))
        foreign_mark_classes(&to->bands);
    describe_label(reader, &to->bands);
}

/* Channels of a store with our block: what viewers are told, and a label that is not the one that the writer made of
 * the bands' own descriptions (CHANNEL_NAMES, or somebody has changed it). own_labels: these descriptions. */
static void describe_own(ngff_reader *reader, const PlaneSelection &planes, const std::vector<std::string> &own_labels,
                         DatasetAttributes *to)
{
    const std::string dims = ngff_reader_dims(reader);
    const size_t c = dims.find('c');
    Channels channels(reader, to->bands.size());
    for (size_t i = 0; i < to->bands.size() && channels.count() > 0; i++) {
        int64_t index[5] = {};
        planes.plane(static_cast<int64_t>(i), index);
        const int64_t number = c != std::string::npos ? index[c] : 0;
        const Channel &channel = channels.get(number, false, BandAttributes());
        const auto at = static_cast<size_t>(number);
        const bool is_default = channel.label.empty() || channel.label == "Band " + std::to_string(number + 1) ||
                                (at < own_labels.size() && channel.label == own_labels[at]);
        for (const MetadataDomain &domain : channel.shown.metadata)
            items_of_domain(to->bands[i].metadata, domain.name.c_str()) = domain.items;
        to->bands[i].own_description = to->bands[i].description;
        if (!is_default)
            to->bands[i].description = text_with_place(channel.label, dims.substr(0, dims.size() - 2), index);
    }
}

/* What viewers are told once more where GDAL's own copying keeps it: programs that write by Create(), such as gdalwarp,
 * copy no other domain than the default one. */
static void repeat_for_copies(std::vector<MetadataDomain> *domains, std::initializer_list<const char *> names)
{
    const CPLStringList from(items_of_domain(*domains, "NGFF"));
    for (const char *name : names)
        if (const char *value = from.FetchNameValue(name))
            items_of_domain(*domains, "").SetNameValue(ngff_item(name).c_str(), value);
}

/* True where a copy could not find anew what viewers are told: of a store of ours what its user or its source said. */
static bool has_told_viewers(const CPLJSONObject &attributes, DatasetAttributes *to)
{
    const CPLJSONObject options = member_of(member_of(attributes, "omezarr"), "options");
    return !to->is_ours || has_option(options, {"CHANNEL_COLORS", "WINDOW", "NAME"}) ||
           (!to->bands.empty() &&
            items_of_domain(to->bands[0].metadata, "").FetchNameValue(ngff_item("COLOR").c_str()));
}

void foreign_description(ngff_reader *reader, const PlaneSelection &planes, const std::vector<std::string> &own_labels,
                         DatasetAttributes *to)
{
    const std::string dims = ngff_reader_dims(reader);
    CPLJSONDocument group, array;
    bool is_told = false;
    if (parse(ngff_reader_attributes(reader), "The image's attributes", &group)) {
        const CPLJSONObject ome = ome_of(group.GetRoot());
        is_told = has_told_viewers(group.GetRoot(), to);
        describe_image(reader, to);
        const CPLJSONObject label = member_of(ome, "image-label");
        to->label_colors = label_entries(member_of(label, "colors"), true);
        to->label_properties = label_entries(member_of(label, "properties"), false);
        if (to->is_ours)
            describe_own(reader, planes, own_labels, to);
        else {
            const bool has_array = parse(ngff_reader_array_attributes(reader), "The array's attributes", &array);
            describe_foreign(reader, planes, ome, has_array ? array.GetRoot() : member_of(CPLJSONObject(), ""), to);
        }
    }
    /* Channels alone are bands, as everywhere in GDAL; planes in time and depth need to be told apart, and channels that
     * were something else where they come from. */
    const std::vector<PlaneAxis> axes = plane_axes(reader, ngff_reader_part_level(reader));
    const bool is_copied =
        dims.find_first_of("tz") != std::string::npos ||
        std::any_of(axes.begin(), axes.end(), [](const PlaneAxis &c) { return c.scale != 1 || c.translation != 0; }) ||
        (!to->bands.empty() && has_other_dimensions(to->bands[0].metadata));
    if (is_told || is_copied) {
        repeat_for_copies(&to->metadata, {"NAME", "MODEL", "DEFAULT_T", "DEFAULT_Z"});
        for (BandAttributes &band : to->bands)
            repeat_for_copies(&band.metadata, {"COLOR", "ACTIVE", "INVERTED", "WINDOW_START", "WINDOW_END",
                                               "WINDOW_MIN", "WINDOW_MAX"});
    }
    if (dims.size() < 3 || (to->is_ours && !is_copied))
        return;
    for (size_t i = 0; i < to->bands.size(); i++) {
        int64_t index[5] = {};
        planes.plane(static_cast<int64_t>(i), index);
        describe_plane(axes, index, to->bands.size(), is_copied, &to->bands[i]);
    }
}
