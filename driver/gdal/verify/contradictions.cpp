/* contradictions.cpp: see contradictions.h. What the user's options made different on purpose is none. */
#include "verify/contradictions.h"

#include <cmath>
#include <string>

#include "cpl_string.h"
#include "ogr_spatialref.h"

#include "plugin/guard.h"
#include "describe/json_read.h"
#include "describe/json_text.h"

using Type = CPLJSONObject::Type;

/* The descriptions of the bands and the labels of the channels, where each band is a channel. */
static std::string label_contradiction(ngff_reader *reader, const CPLJSONObject &block)
{
    const CPLJSONObject bands = member_of(block, "bands");
    if (!is_type(bands, Type::Array) || bands.ToArray().Size() != ngff_reader_channel_count(reader) ||
        has_option(member_of(block, "options"), {"CHANNEL_NAMES"}))
        return "";
    for (int i = 0; i < bands.ToArray().Size(); i++) {
        const std::string description = text_member(bands.ToArray()[i], "description");
        const char *text = nullptr;
        ngff_reader_channel(reader, i, &text, nullptr, nullptr, nullptr, nullptr);
        const std::string label = text != nullptr ? text : "";
        if (!description.empty() && description != label && label != "Band " + std::to_string(i + 1))
            return "omero.channels[" + std::to_string(i) + "].label is \"" + label + "\", omezarr.bands[" +
                   std::to_string(i) + "].description is \"" + description + "\"; GDAL shows the label";
    }
    return "";
}

/* Metres in the unit of a projected CRS, which NGFF has its scale in; 1 for all others. */
static double unit_of(const CPLJSONObject &array)
{
    OGRSpatialReference crs;
    const std::string wkt = text_member(member_of(array, "_CRS"), "wkt");
    if (wkt.empty() || crs.importFromWkt(wkt.c_str()) != OGRERR_NONE || crs.IsGeographic())
        return 1;
    return crs.GetLinearUnits();
}

/* The size of a pixel in the transform of level 0. */
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
    const auto are_both = [&factor](double expected) {
        constexpr double nearly = 1e-9;
        return std::fabs(factor[0] - expected) <= nearly * expected &&
               std::fabs(factor[1] - expected) <= nearly * expected;
    };
    if (are_both(1) || are_both(unit_of(array)))
        return "";
    return "the scale of level 0 is " + JsonText::number_text(scale[y]) + " x " + JsonText::number_text(scale[y + 1]) +
           " (y, x), gdal:geotransform has pixels of " + JsonText::number_text(std::hypot(six[2], six[5])) + " x " +
           JsonText::number_text(std::hypot(six[1], six[4])) + "; GDAL shows the geotransform";
}

/* Where the block is not there: "". */
static std::string size_contradiction(ngff_reader *reader)
{
    CPLJSONDocument root, array;
    if (!parse(ngff_reader_attributes(reader), "The image's attributes", &root) ||
        !parse(ngff_reader_array_attributes(reader), "The array's attributes", &array))
        return "";
    const CPLJSONObject block = member_of(root.GetRoot(), "omezarr");
    return is_type(block, Type::Object) ? size_contradiction(reader, array.GetRoot(), block) : "";
}

void warn_of_contradictions(ngff_reader *reader, const char *path)
{
    const std::string text = size_contradiction(reader);
    if (!text.empty())
        CPLError(CE_Warning, CPLE_AppDefined, "%s: two places contradict each other: %s", path, text.c_str());
}

void tell_contradictions(ngff_reader *reader, const char *path, void (*tell)(void *user, const char *text), void *user)
{
    guarded(path, false, [=] {
        CPLJSONDocument root;
        if (!parse(ngff_reader_attributes(reader), "The image's attributes", &root))
            return false;
        const CPLJSONObject block = member_of(root.GetRoot(), "omezarr");
        if (!is_type(block, Type::Object))
            return false;
        const std::string found[] = {label_contradiction(reader, block), size_contradiction(reader)};
        for (const std::string &text : found)
            if (!text.empty())
                tell(user, (std::string(path) + ": two places contradict each other: " + text).c_str());
        return true;
    });
}
