/* labels.cpp: see labels.h. Colours are those of the colour table, or of the attribute table's colour columns; names and
 * whatever else there is about a value come from the attribute table, names also from the categories. A table of ranges
 * has no place there, and stays in our block like all the rest. What an OME-Zarr says of its labels and GDAL does not
 * hold (values beyond a colour table, properties) goes on as it was. */
#include "describe/labels.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "describe/json_text.h"
#include "source/ngff_source.h"
#include "open/raster.h"

/* The members of an entry of "properties" beside its value, by the order of the columns: name and JSON text. */
using Properties = std::vector<std::pair<std::string, std::string>>;

static bool is_color_usage(GDALRATFieldUsage usage)
{
    return usage >= GFU_Red && usage <= GFU_AlphaMax;
}

/* The column that holds values, -1 where rows are numbered (linear binning of size 1), -2 where rows are ranges. */
static int value_column(const GDALRasterAttributeTable *rat)
{
    double first = 0, size = 0;
    if (rat->GetColOfUsage(GFU_Min) >= 0 || rat->GetColOfUsage(GFU_Max) >= 0)
        return -2;
    if (rat->GetColOfUsage(GFU_MinMax) >= 0)
        return rat->GetColOfUsage(GFU_MinMax);
    return rat->GetLinearBinning(&first, &size) && size == 1 && first == std::floor(first) ? -1 : -2;
}

/* A value of a cell as JSON, "" for what has no words. */
static std::string json_of(const GDALRasterAttributeTable *rat, int row, int column)
{
    JsonText json;
    switch (rat->GetTypeOfCol(column)) {
    case GFT_Integer:
        return json.integer(rat->GetValueAsInt(row, column)).text();
    case GFT_Real:
        return json.number(rat->GetValueAsDouble(row, column)).text();
#if OMEZARR_GDAL_AT_LEAST(3, 12)
    case GFT_Boolean:
        return rat->GetValueAsInt(row, column) != 0 ? "true" : "false";
    case GFT_WKBGeometry:
        return "";
#endif
    default:
        return json.string(rat->GetValueAsString(row, column)).text();
    }
}

static Properties row_properties(const GDALRasterAttributeTable *rat, int row, int of_values)
{
    Properties properties;
    std::set<std::string> used = {"label-value", ""};
    for (int column = 0; column < rat->GetColumnCount(); column++) {
        const GDALRATFieldUsage usage = rat->GetUsageOfCol(column);
        const std::string name = usage == GFU_Name ? "name" : JsonText::as_utf8(rat->GetNameOfCol(column));
        const std::string text = column != of_values && !is_color_usage(usage) ? json_of(rat, row, column) : "";
        if (!text.empty() && used.insert(name).second)
            properties.emplace_back(name, text);
    }
    return properties;
}

static std::map<GIntBig, Properties> band_properties(GDALRasterBand *band)
{
    std::map<GIntBig, Properties> all;
    const GDALRasterAttributeTable *rat = band->GetDefaultRAT();
    const bool has_rat = rat != nullptr && rat->GetColumnCount() > 0 && rat->GetTableType() == GRTT_THEMATIC;
    const int of_values = has_rat ? value_column(rat) : -2;
    double first = 0, size = 0;
    if (of_values == -1)
        rat->GetLinearBinning(&first, &size);
    for (int row = 0; of_values > -2 && row < rat->GetRowCount(); row++) {
        const double value = of_values >= 0 ? rat->GetValueAsDouble(row, of_values) : first + row;
        if (value == std::floor(value) && std::fabs(value) <= 9007199254740992.0)
            all.emplace(static_cast<GIntBig>(value), row_properties(rat, row, of_values));
    }
    char **categories = band->GetCategoryNames();
    for (int i = 0; categories != nullptr && categories[i] != nullptr; i++) {
        if (categories[i][0] == '\0')
            continue;
        Properties &of_value = all[i];
        bool has_name = false;
        for (const auto &property : of_value)
            has_name = has_name || property.first == "name";
        if (!has_name)
            of_value.emplace_back("name", JsonText().string(categories[i]).text());
    }
    return all;
}

static std::string entry_text(GIntBig value, const Properties &properties)
{
    JsonText json;
    json.open('{').key("label-value").integer(value);
    for (const auto &[name, text] : properties)
        json.key(name).raw(text);
    return json.close('}').text();
}

static LabelEntries color_entries(const GDALColorTable *table)
{
    LabelEntries entries;
    for (int i = 0; i < table->GetColorEntryCount(); i++) {
        GDALColorEntry entry = {0, 0, 0, 255};
        table->GetColorEntryAsRGB(i, &entry);
        JsonText rgba;
        rgba.open('[');
        for (const short part : {entry.c1, entry.c2, entry.c3, entry.c4})
            rgba.integer(std::clamp<int>(part, 0, 255));
        entries[i] = entry_text(i, {{"rgba", rgba.close(']').text()}});
    }
    return entries;
}

/* "" where there are none: an empty list is no valid one. */
static std::string list_text(const LabelEntries &entries)
{
    JsonText json;
    json.open('[');
    for (const auto &entry : entries)
        json.raw(entry.second);
    json.close(']');
    return entries.empty() ? "" : json.text();
}

static const char *or_null(const std::string &text)
{
    return text.empty() ? nullptr : text.c_str();
}

bool describe_labels(GDALDataset *source, const NgffSource &store, CSLConstList options, ImageFromSource *to)
{
    if (!CPLTestBool(CSLFetchNameValueDef(options, "LABELS", "NO")))
        return true;
    GDALRasterBand *band = source->GetRasterBand(1);
    GDALRasterAttributeTable *rat = band->GetDefaultRAT();
    const GDALColorTable *table = band->GetColorTable();
    std::unique_ptr<GDALColorTable> of_rat;
    if (table == nullptr && rat != nullptr) {
        of_rat.reset(rat->TranslateToColorTable());
        table = of_rat.get();
    }
    LabelEntries colors, properties;
    if (table != nullptr)
        colors = color_entries(table);
    for (const auto &[value, of_value] : band_properties(band))
        properties[value] = entry_text(value, of_value);
    bool is_table = true;
    if (const auto *stored = dynamic_cast<OmeZarrDataset *>(store.image())) {
        const DatasetAttributes &said = stored->attributes();
        const GDALColorTable *before = store.band(1)->GetColorTable();
        const bool is_same = band->GetColorTable() == nullptr
                                 ? before == nullptr
                                 : before != nullptr && before->IsSame(band->GetColorTable()) != 0;
        if (is_same && !said.label_colors.empty() && (table == nullptr || !said.is_ours)) {
            colors = said.label_colors;
            is_table = false;
        } else if (is_same && !said.label_colors.empty()) { /* what no label has is invisible in the table */
            const std::string nothing = "[0,0,0,0]";
            for (auto entry = colors.begin(); entry != colors.end();)
                entry = said.label_colors.count(entry->first) == 0 && entry->second.find(nothing) != std::string::npos
                            ? colors.erase(entry)
                            : std::next(entry);
        }
        if (properties.empty())
            properties = said.label_properties;
    }
    return ngff_image_set_label(to->image.get(), or_null(list_text(colors)), or_null(list_text(properties)),
                                is_table) == NGFF_OK;
}
