/* contradictions.cpp: see contradictions.h. What the user's options made different on purpose is none. */
#include "contradictions.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cpl_string.h"

#include "guard.h"
#include "jsonread.h"
#include "jsontext.h"

using Type = CPLJSONObject::Type;

static bool has_option(const CPLJSONObject &options, std::initializer_list<const char *> names)
{
    if (is_type(options, Type::Array))
        for (const CPLJSONObject &option : options.ToArray())
            for (const char *name : names)
                if (STARTS_WITH_CI(option.ToString().c_str(), (std::string(name) + "=").c_str()))
                    return true;
    return false;
}

/* The descriptions of the bands and the labels of the channels, where each band is a channel. */
static std::string label_contradiction(const CPLJSONObject &attributes, const CPLJSONObject &block)
{
    const CPLJSONObject ome = member_of(attributes, "ome"), bands = member_of(block, "bands");
    const CPLJSONObject omero = member_of(is_type(ome, Type::Object) ? ome : attributes, "omero");
    const CPLJSONObject channels = member_of(omero, "channels");
    if (!is_type(bands, Type::Array) || !is_type(channels, Type::Array) ||
        bands.ToArray().Size() != channels.ToArray().Size() ||
        has_option(member_of(block, "options"), {"CHANNEL_NAMES"}))
        return "";
    for (int i = 0; i < bands.ToArray().Size(); i++) {
        const std::string description = text_member(bands.ToArray()[i], "description");
        const std::string label = text_member(channels.ToArray()[i], "label");
        if (!description.empty() && description != label && label != "Band " + std::to_string(i + 1))
            return "omero.channels[" + std::to_string(i) + "].label is \"" + label + "\", omezarr.bands[" +
                   std::to_string(i) + "].description is \"" + description + "\"; GDAL shows the label";
    }
    return "";
}

/* The size of a pixel in the transform of level 0: NGFF has it in one unit for both axes, which without a CRS is the same.
 */
static std::string size_contradiction(ngff_reader *reader, const CPLJSONObject &array, const CPLJSONObject &block)
{
    const CPLJSONObject transform = member_of(array, "gdal:geotransform");
    const int y = static_cast<int>(std::string(ngff_reader_dims(reader)).size()) - 2;
    double six[6], scale[5], factor[2];
    if (y < 0 || !is_type(transform, Type::Array) || transform.ToArray().Size() != 6 ||
        ngff_reader_level_scale(reader, 0, scale) != NGFF_OK ||
        has_option(member_of(block, "options"), {"AXIS_SCALE", "SCALE"}))
        return "";
    for (int i = 0; i < 6; i++)
        six[i] = number_of(transform.ToArray()[i], 0);
    factor[0] = scale[y] / std::hypot(six[2], six[5]);
    factor[1] = scale[y + 1] / std::hypot(six[1], six[4]);
    const bool has_crs = is_type(member_of(array, "_CRS"), Type::Object);
    const double expected = has_crs ? factor[1] : 1;
    constexpr double nearly = 1e-9;
    if (std::all_of(factor, factor + 2,
                    [=](double value) { return std::fabs(value - expected) <= nearly * std::fabs(expected); }))
        return "";
    return "the scale of level 0 is " + JsonText::number_text(scale[y]) + " x " + JsonText::number_text(scale[y + 1]) +
           " (y, x), gdal:geotransform has pixels of " + JsonText::number_text(std::hypot(six[2], six[5])) + " x " +
           JsonText::number_text(std::hypot(six[1], six[4])) + "; GDAL shows the geotransform";
}

void tell_contradictions(ngff_reader *reader, const char *path, void (*tell)(void *user, const char *text), void *user)
{
    guarded(path, false, [=] {
        CPLJSONDocument root, array;
        if (!parse(ngff_reader_attributes(reader), "The image's attributes", &root))
            return false;
        const CPLJSONObject block = member_of(root.GetRoot(), "omezarr");
        if (!is_type(block, Type::Object))
            return false;
        std::string found[2] = {label_contradiction(root.GetRoot(), block), ""};
        if (parse(ngff_reader_array_attributes(reader), "The array's attributes", &array))
            found[1] = size_contradiction(reader, array.GetRoot(), block);
        for (const std::string &text : found)
            if (!text.empty())
                tell(user, (std::string(path) + ": two places contradict each other: " + text).c_str());
        return true;
    });
}
