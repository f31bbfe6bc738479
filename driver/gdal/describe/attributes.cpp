/* attributes.cpp: see attributes.h. Writing walks GDAL's objects in the order of the band's interface; reading takes
 * what it finds and ignores what it does not know, because the text may come from anyone. */
#include "describe/attributes.h"

#include <algorithm>
#include <map>

#include "describe/foreign.h"
#include "describe/georef.h"
#include "plugin/guard.h"
#include "describe/json_read.h"
#include "describe/json_text.h"

DatasetAttributes::~DatasetAttributes()
{
    if (!gcps.empty())
        GDALDeinitGCPs(static_cast<int>(gcps.size()), gcps.data());
    if (crs != nullptr)
        crs->Release();
    if (gcp_crs != nullptr)
        gcp_crs->Release();
}

/* -- Writing --------------------------------------------------------------------------------------------------- */

std::string nodata_text(GDALRasterBand *band)
{
    int has = FALSE;
    if (band->GetRasterDataType() == GDT_Int64) {
        const auto value = band->GetNoDataValueAsInt64(&has);
        return has ? std::string(CPLSPrintf(CPL_FRMT_GIB, static_cast<GIntBig>(value))) : std::string();
    }
    if (band->GetRasterDataType() == GDT_UInt64) {
        const auto value = band->GetNoDataValueAsUInt64(&has);
        return has ? std::string(CPLSPrintf(CPL_FRMT_GUIB, static_cast<GUIntBig>(value))) : std::string();
    }
    const double value = band->GetNoDataValue(&has);
    return has ? JsonText::number_text(value) : std::string();
}

/* Domains that describe the source's storage, or that GDAL computes, would be untrue in the copy. */
bool is_kept_domain(const std::string &name)
{
    static const char *const computed[] = {
        "IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "xml:VRT", "vrt_sources",
        "new_vrt_sources", "LocationInfo",        "TIFF",        "PLAN",    "NGFF"};
    return std::none_of(std::begin(computed), std::end(computed),
                        [&name](const char *domain) { return EQUAL(name.c_str(), domain); });
}

/* A list is an object if every item is NAME=VALUE with a name of its own; else an array of the bare texts. */
static bool is_name_value_list(CSLConstList items)
{
    for (int i = 0; items[i] != nullptr; i++) {
        const char *equals = strchr(items[i], '=');
        if (equals == nullptr || equals == items[i] || equals[-1] == ' ' || equals[1] == ' ')
            return false;
        const std::string name(items[i], equals);
        for (int j = 0; j < i; j++)
            if (EQUALN(items[j], name.c_str(), name.size()) && items[j][name.size()] == '=')
                return false;
    }
    return true;
}

static void write_domain(JsonText &json, const std::string &domain, CSLConstList items)
{
    json.key(domain);
    if (is_name_value_list(items) && !STARTS_WITH(domain.c_str(), "xml:") && !STARTS_WITH(domain.c_str(), "json:")) {
        json.open('{');
        for (; *items != nullptr; items++) {
            const char *equals = strchr(*items, '=');
            json.key(std::string(*items, equals)).string(equals + 1);
        }
        json.close('}');
        return;
    }
    json.open('[');
    for (; *items != nullptr; items++)
        json.string(*items);
    json.close(']');
}

/* The domains of the raster and its bands that are not kept, or not wholly. */
class DroppedDomains
{
    struct Dropped {
        bool is_of_dataset = false, is_of_storage = false;
        int n_bands = 0, n_items = 0;
    };
    std::map<std::string, Dropped> m_found{};

  public:
    void add(GDALMajorObject *object, const std::string &domain, bool is_of_storage, int n_items)
    {
        /* GDAL makes these for every raster, or we do: nothing is lost. */
        if (EQUAL(domain.c_str(), "DERIVED_SUBDATASETS") || EQUAL(domain.c_str(), "NGFF"))
            return;
        Dropped &dropped = m_found[domain];
        dropped.is_of_storage = is_of_storage;
        dropped.n_items += n_items;
        if (dynamic_cast<GDALDataset *>(object) != nullptr)
            dropped.is_of_dataset = true;
        else
            dropped.n_bands++;
    }

    void tell(std::vector<std::string> *losses) const
    {
        for (const auto &found : m_found) {
            const Dropped &dropped = found.second;
            if (EQUAL(found.first.c_str(), "SUBDATASETS")) { /* without their names, which can hold passwords */
                losses->push_back(CPLSPrintf("Subdatasets of the source: %d", dropped.n_items / 2));
                continue;
            }
            std::string text = "Metadata domain \"" + JsonText::as_utf8(found.first.c_str()) + "\" of ";
            if (dropped.is_of_dataset)
                text += dropped.n_bands > 0 ? "the dataset and of " : "the dataset";
            if (dropped.n_bands > 0)
                text += CPLSPrintf("%d band%s", dropped.n_bands, dropped.n_bands > 1 ? "s" : "");
            losses->push_back(text + (dropped.is_of_storage ? ": how the source is stored" : ": COPY_SRC_MDD=NO"));
        }
    }
};

/* band: its number, 0 for the dataset. */
static void write_metadata(JsonText &json, GDALMajorObject *object, int band, const CopiedMetadata &copied,
                           DroppedDomains &dropped)
{
    const bool copy_metadata = copied.is_wanted;
    const CPLStringList domains(object->GetMetadataDomainList());
    std::vector<std::string> names(1);
    for (int i = 0; i < domains.size(); i++)
        if (std::find(names.begin(), names.end(), domains[i]) == names.end())
            names.push_back(domains[i]);
    if (std::find(names.begin(), names.end(), "RPC") == names.end())
        names.push_back("RPC");
    json.open('{');
    for (const std::string &name : names) {
        CPLStringList items(CSLDuplicate(const_cast<char **>(object->GetMetadata(name.c_str()))));
        for (int i = name.empty() ? items.size() - 1 : -1; i >= 0; i--)
            if (copied.is_said_by_ngff(band, items[i]))
                items.Assign(CSLRemoveStrings(items.StealList(), i, 1, nullptr), TRUE);
        const int n_items = items.size();
        if (!copy_metadata && name.empty()) {
            /* Position, not description: how coordinates refer to pixels stays. */
            const std::string area_or_point = items.FetchNameValueDef("AREA_OR_POINT", "");
            items.Clear();
            if (!area_or_point.empty())
                items.SetNameValue("AREA_OR_POINT", area_or_point.c_str());
        } else if (!copy_metadata && name != "RPC") {
            items.Clear();
        }
        const bool is_kept = is_kept_domain(name);
        if (items.size() > 0 && is_kept)
            write_domain(json, name, items.List());
        if (items.size() < n_items || (n_items > 0 && !is_kept))
            dropped.add(object, name, !is_kept, n_items - (is_kept ? items.size() : 0));
    }
    json.close('}');
}

static void write_color_table(JsonText &json, const GDALColorTable *table)
{
    static const char *const names[] = {"gray", "rgb", "cmyk", "hls"};
    json.key("palette").string(names[std::clamp(static_cast<int>(table->GetPaletteInterpretation()), 0, 3)]);
    json.key("color_table").open('[');
    for (int i = 0; i < table->GetColorEntryCount(); i++) {
        const GDALColorEntry *entry = table->GetColorEntry(i);
        json.open('[').integer(entry->c1).integer(entry->c2).integer(entry->c3).integer(entry->c4).close(']');
    }
    json.close(']');
}

/* Names of the types of columns, at GDAL's numbers; it has the last three from 3.12 on. */
static const char *const column_types[] = {"integer", "real", "string", "boolean", "datetime", "wkb"};
constexpr int n_column_types = OMEZARR_GDAL_AT_LEAST(3, 12) ? 6 : 3;

/* Text is exact for all but numbers and geometries, which have their own forms. */
static void write_rat_value(JsonText &json, const GDALRasterAttributeTable *rat, int row, int column)
{
    const GDALRATFieldType type = rat->GetTypeOfCol(column);
    if (type == GFT_Integer)
        json.integer(rat->GetValueAsInt(row, column));
    else if (type == GFT_Real)
        json.number(rat->GetValueAsDouble(row, column));
#if OMEZARR_GDAL_AT_LEAST(3, 12)
    else if (type == GFT_WKBGeometry) {
        size_t n = 0;
        const GByte *geometry = rat->GetValueAsWKBGeometry(row, column, n);
        char *hex = CPLBinaryToHex(static_cast<int>(geometry != nullptr ? n : 0), geometry);
        json.string(hex);
        CPLFree(hex);
    }
#endif
    else
        json.string(rat->GetValueAsString(row, column));
}

static void write_rat(JsonText &json, const GDALRasterAttributeTable *rat)
{
    double row0_min = 0, bin_size = 0;
    json.key("rat").open('{').key("type").string(rat->GetTableType() == GRTT_ATHEMATIC ? "athematic" : "thematic");
    if (rat->GetLinearBinning(&row0_min, &bin_size))
        json.key("row0_min").number(row0_min).key("bin_size").number(bin_size);
    json.key("columns").open('[');
    for (int column = 0; column < rat->GetColumnCount(); column++) {
        json.open('{').key("name").string(rat->GetNameOfCol(column));
        json.key("type").string(
            column_types[std::clamp(static_cast<int>(rat->GetTypeOfCol(column)), 0, n_column_types - 1)]);
        json.key("usage").integer(rat->GetUsageOfCol(column));
        json.key("values").open('[');
        for (int row = 0; row < rat->GetRowCount(); row++)
            write_rat_value(json, rat, row, column);
        json.close(']').close('}');
    }
    json.close(']').close('}');
}

/* Only one that is there: none is computed. */
static void write_histogram(JsonText &json, GDALRasterBand *band)
{
    double min = 0, max = 0;
    int n = 0;
    GUIntBig *counts = nullptr;
    const QuietErrors quiet;
    if (band->GetDefaultHistogram(&min, &max, &n, &counts, FALSE, nullptr, nullptr) == CE_None && n > 0) {
        json.key("histogram").open('{').key("min").number(min).key("max").number(max).key("counts").open('[');
        for (int i = 0; i < n; i++)
            json.integer(static_cast<GIntBig>(counts[i]));
        json.close(']').close('}');
    }
    VSIFree(counts);
}

static void write_band(JsonText &json, GDALRasterBand *band, GDALColorInterp color, const CopiedMetadata &copied,
                       bool is_type_kept, DroppedDomains &dropped)
{
    int has = FALSE;
    json.open('{');
    const std::string description = copied.description(band->GetBand());
    if (!description.empty())
        json.key("description").string(description);
    if (color != GCI_Undefined)
        json.key("color").string(GDALGetColorInterpretationName(color));
    const std::string nodata = nodata_text(band);
    if (!nodata.empty())
        json.key("nodata").string(nodata);
    const double scale = band->GetScale(&has);
    if (has || scale != 1)
        json.key("scale").number(scale);
    const double offset = band->GetOffset(&has);
    if (has || offset != 0)
        json.key("offset").number(offset);
    const char *unit = band->GetUnitType();
    if (unit != nullptr && *unit != '\0')
        json.key("unit").string(unit);
    const char *nbits = band->GetMetadataItem("NBITS", "IMAGE_STRUCTURE");
    if (nbits != nullptr && is_type_kept)
        json.key("nbits").string(nbits);
    json.key("mask_flags").integer(band->GetMaskFlags());
    if (band->GetColorTable() != nullptr)
        write_color_table(json, band->GetColorTable());
    if (char **categories = band->GetCategoryNames()) {
        json.key("categories").open('[');
        for (; *categories != nullptr; categories++)
            json.string(*categories);
        json.close(']');
    }
    const GDALRasterAttributeTable *rat = band->GetDefaultRAT();
    if (rat != nullptr && rat->GetColumnCount() > 0)
        write_rat(json, rat);
    write_histogram(json, band);
    json.key("metadata");
    write_metadata(json, band, band->GetBand(), copied, dropped);
    json.close('}');
}

static void write_crs(JsonText &json, const OGRSpatialReference *crs)
{
    char *wkt = nullptr;
    const char *const format[] = {"FORMAT=WKT2_2019", nullptr};
    {
        const QuietErrors quiet;
        if (crs->exportToWkt(&wkt, format) != OGRERR_NONE || wkt == nullptr || *wkt == '\0') {
            CPLFree(wkt);
            wkt = nullptr;
            crs->exportToWkt(&wkt);
        }
    }
    json.open('{').key("wkt").string(wkt != nullptr ? wkt : "").key("axis_mapping").open('[');
    for (const int axis : crs->GetDataAxisToSRSAxisMapping())
        json.integer(axis);
    json.close(']');
    if (crs->GetCoordinateEpoch() > 0)
        json.key("epoch").number(crs->GetCoordinateEpoch());
    json.close('}');
    CPLFree(wkt);
}

static void write_gcps(JsonText &json, GDALDataset *source)
{
    json.open('{');
    if (source->GetGCPSpatialRef() != nullptr) {
        json.key("crs");
        write_crs(json, source->GetGCPSpatialRef());
    }
    json.key("points").open('[');
    for (int i = 0; i < source->GetGCPCount(); i++) {
        const GDAL_GCP &gcp = source->GetGCPs()[i];
        json.open('{').key("id").string(gcp.pszId != nullptr ? gcp.pszId : "");
        json.key("info").string(gcp.pszInfo != nullptr ? gcp.pszInfo : "");
        json.key("pixel").number(gcp.dfGCPPixel).key("line").number(gcp.dfGCPLine);
        json.key("x").number(gcp.dfGCPX).key("y").number(gcp.dfGCPY).key("z").number(gcp.dfGCPZ).close('}');
    }
    json.close(']').close('}');
}

int32_t attributes_to_image(GDALDataset *source, const std::vector<int> &bands,
                            const std::vector<GDALColorInterp> &colors, ngff_image *image, const CopiedMetadata &copied,
                            bool is_type_kept, bool keep_geotransform, std::vector<std::string> *losses)
{
    JsonText band_list, metadata;
    DroppedDomains dropped;
    band_list.open('[');
    for (const int band : bands)
        write_band(band_list, source->GetRasterBand(band), colors[band - 1], copied, is_type_kept, dropped);
    band_list.close(']');
    write_metadata(metadata, source, 0, copied, dropped);
    dropped.tell(losses);

    int32_t status = ngff_image_set_attribute(image, "bands", band_list.text().c_str());
    if (status == NGFF_OK && metadata.text() != "{}")
        status = ngff_image_set_attribute(image, "metadata", metadata.text().c_str());
    if (status == NGFF_OK && source->GetGCPCount() > 0) {
        JsonText gcps;
        write_gcps(gcps, source);
        status = ngff_image_set_attribute(image, "gcps", gcps.text().c_str());
    }
    if (status == NGFF_OK && source->GetSpatialRef() != nullptr) {
        JsonText crs;
        write_crs(crs, source->GetSpatialRef());
        status = ngff_image_set_attribute(image, "crs", crs.text().c_str());
    }
    double affine[6];
    if (status == NGFF_OK && keep_geotransform &&
        GDALGetGeoTransform(GDALDataset::ToHandle(source), affine) == CE_None) {
        JsonText geotransform;
        geotransform.open('[');
        for (const double value : affine)
            geotransform.number(value);
        geotransform.close(']');
        status = ngff_image_set_attribute(image, "geotransform", geotransform.text().c_str());
    }
    return status;
}

/* -- Reading --------------------------------------------------------------------------------------------------- */

static std::vector<MetadataDomain> read_metadata(const CPLJSONObject &domains)
{
    std::vector<MetadataDomain> result;
    if (!is_type(domains, CPLJSONObject::Type::Object))
        return result;
    for (const CPLJSONObject &domain : domains.GetChildren()) {
        MetadataDomain item;
        item.name = domain.GetName();
        if (domain.GetType() == CPLJSONObject::Type::Array) {
            for (const CPLJSONObject &text : domain.ToArray())
                item.items.AddString(text.ToString().c_str());
        } else if (domain.GetType() == CPLJSONObject::Type::Object) {
            for (const CPLJSONObject &value : domain.GetChildren())
                item.items.AddString((value.GetName() + "=" + value.ToString()).c_str());
        }
        if (item.items.size() > 0)
            result.push_back(std::move(item));
    }
    return result;
}

static std::shared_ptr<GDALColorTable> read_color_table(const CPLJSONObject &band)
{
    if (!is_type(band.GetObj("color_table"), CPLJSONObject::Type::Array))
        return nullptr;
    const std::string palette = band.GetString("palette", "rgb");
    auto table = std::make_shared<GDALColorTable>(palette == "gray"   ? GPI_Gray
                                                  : palette == "cmyk" ? GPI_CMYK
                                                  : palette == "hls"  ? GPI_HLS
                                                                      : GPI_RGB);
    int i = 0;
    for (const CPLJSONObject &entry : band.GetArray("color_table")) {
        const CPLJSONArray parts = entry.ToArray();
        if (!is_type(entry, CPLJSONObject::Type::Array) || parts.Size() != 4 || i > 65535)
            return nullptr;
        const GDALColorEntry color = {
            static_cast<short>(parts[0].ToInteger()), static_cast<short>(parts[1].ToInteger()),
            static_cast<short>(parts[2].ToInteger()), static_cast<short>(parts[3].ToInteger())};
        table->SetColorEntry(i++, &color);
    }
    return table;
}

/* Ignores a value that the column's type cannot have. */
static void read_rat_value(const CPLJSONObject &value, GDALRasterAttributeTable *rat, int row, int column)
{
    const GDALRATFieldType type = rat->GetTypeOfCol(column);
    if (type == GFT_Integer)
        rat->SetValue(row, column, value.ToInteger());
    else if (type == GFT_Real)
        rat->SetValue(row, column, number_of(value, 0));
#if OMEZARR_GDAL_AT_LEAST(3, 12)
    else if (type == GFT_WKBGeometry) {
        int n = 0;
        GByte *geometry = CPLHexToBinary(value.ToString().c_str(), &n);
        if (n > 0)
            rat->SetValue(row, column, geometry, static_cast<size_t>(n));
        CPLFree(geometry);
    } else if (type == GFT_DateTime && value.ToString().empty())
        return; /* no time at all */
#endif
    else
        rat->SetValue(row, column, value.ToString().c_str());
}

/* True if each column has the same number of values, as written: the table of GDAL is columns times rows, and one long
 * column beside many short ones would make gigabytes out of a small text. */
static bool is_table(const CPLJSONArray &columns)
{
    int rows = -1;
    for (const CPLJSONObject &column : columns) {
        const CPLJSONArray values = column.GetArray("values");
        const int n = values.IsValid() ? values.Size() : 0;
        if (rows >= 0 && n != rows)
            return false;
        rows = n;
    }
    return true;
}

static std::shared_ptr<const GDALDefaultRasterAttributeTable> read_rat(const CPLJSONObject &json)
{
    if (!is_type(json, CPLJSONObject::Type::Object) || !is_type(json.GetObj("columns"), CPLJSONObject::Type::Array) ||
        !is_table(json.GetArray("columns")))
        return nullptr;
    auto rat = std::make_shared<GDALDefaultRasterAttributeTable>();
    int column_index = 0;
    for (const CPLJSONObject &column : json.GetArray("columns")) {
        int type = GFT_Integer;
        while (type < n_column_types && column.GetString("type") != column_types[type])
            type++;
        rat->CreateColumn(column.GetString("name").c_str(),
                          type < n_column_types ? static_cast<GDALRATFieldType>(type) : GFT_String,
                          static_cast<GDALRATFieldUsage>(std::clamp(column.GetInteger("usage"), 0, GFU_MaxCount - 1)));
        const CPLJSONArray values = column.GetArray("values");
        if (values.IsValid() && values.Size() > rat->GetRowCount())
            rat->SetRowCount(values.Size());
        int row = 0;
        for (const CPLJSONObject &value : values)
            read_rat_value(value, rat.get(), row++, column_index);
        column_index++;
    }
    if (json.GetObj("row0_min").IsValid())
        rat->SetLinearBinning(number_of(json.GetObj("row0_min"), 0), number_of(json.GetObj("bin_size"), 1));
    rat->SetTableType(json.GetString("type") == "athematic" ? GRTT_ATHEMATIC : GRTT_THEMATIC);
    return rat;
}

CPLErr Histogram::give(double *to_min, double *to_max, int *to_n, GUIntBig **to_counts) const
{
    *to_counts = static_cast<GUIntBig *>(VSI_MALLOC2_VERBOSE(sizeof(GUIntBig), counts.size()));
    if (*to_counts == nullptr)
        return CE_Failure;
    std::copy(counts.begin(), counts.end(), *to_counts);
    *to_min = min;
    *to_max = max;
    *to_n = static_cast<int>(counts.size());
    return CE_None;
}

static Histogram read_histogram(const CPLJSONObject &json)
{
    Histogram histogram;
    if (!is_type(json, CPLJSONObject::Type::Object))
        return histogram;
    histogram.min = number_of(json.GetObj("min"), 0);
    histogram.max = number_of(json.GetObj("max"), 0);
    const CPLJSONArray counts = json.GetArray("counts");
    for (int i = 0; counts.IsValid() && i < counts.Size(); i++)
        histogram.counts.push_back(static_cast<GUIntBig>(std::max<GInt64>(0, counts[i].ToLong())));
    return histogram;
}

static BandAttributes read_band(const CPLJSONObject &json)
{
    BandAttributes band;
    band.description = json.GetString("description");
    band.nodata = json.GetString("nodata");
    band.unit = json.GetString("unit");
    band.nbits = json.GetString("nbits");
    band.has_scale = json.GetObj("scale").IsValid();
    band.scale = number_of(json.GetObj("scale"), 1);
    band.has_offset = json.GetObj("offset").IsValid();
    band.offset = number_of(json.GetObj("offset"), 0);
    if (json.GetObj("color").IsValid())
        band.color = GDALGetColorInterpretationByName(json.GetString("color").c_str());
    band.color_table = read_color_table(json);
    if (is_type(json.GetObj("categories"), CPLJSONObject::Type::Array))
        for (const CPLJSONObject &name : json.GetArray("categories"))
            band.categories.AddString(name.ToString().c_str());
    band.rat = read_rat(json.GetObj("rat"));
    band.histogram = read_histogram(json.GetObj("histogram"));
    band.metadata = read_metadata(json.GetObj("metadata"));
    return band;
}

/* projjson: "", or the same CRS in a form that may have more codes. */
static OGRSpatialReference *read_crs(const CPLJSONObject &json, const std::string &projjson)
{
    if (!is_type(json, CPLJSONObject::Type::Object))
        return nullptr;
    std::vector<int> mapping;
    const CPLJSONArray axes = json.GetArray("axis_mapping");
    for (int i = 0; axes.IsValid() && i < axes.Size() && i < 3; i++)
        mapping.push_back(axes[i].ToInteger());
    return OGRSpatialReference::FromHandle(
        georef_crs(json.GetString("wkt").c_str(), projjson.empty() ? nullptr : projjson.c_str(), nullptr,
                   mapping.data(), static_cast<int>(mapping.size()), number_of(json.GetObj("epoch"), 0)));
}

static void read_gcps(const CPLJSONObject &json, DatasetAttributes *to)
{
    to->gcp_crs = read_crs(json.GetObj("crs"), "");
    const CPLJSONArray points = json.GetArray("points");
    for (int i = 0; points.IsValid() && i < points.Size(); i++) {
        const CPLJSONObject point = points[i];
        GDAL_GCP gcp;
        GDALInitGCPs(1, &gcp);
        CPLFree(gcp.pszId);
        CPLFree(gcp.pszInfo);
        gcp.pszId = CPLStrdup(point.GetString("id").c_str());
        gcp.pszInfo = CPLStrdup(point.GetString("info").c_str());
        gcp.dfGCPPixel = number_of(point.GetObj("pixel"), 0);
        gcp.dfGCPLine = number_of(point.GetObj("line"), 0);
        gcp.dfGCPX = number_of(point.GetObj("x"), 0);
        gcp.dfGCPY = number_of(point.GetObj("y"), 0);
        gcp.dfGCPZ = number_of(point.GetObj("z"), 0);
        to->gcps.push_back(gcp);
    }
}

/* Six numbers; false if they are not. */
static bool read_six(const CPLJSONObject &json, double *six)
{
    if (!is_type(json, CPLJSONObject::Type::Array) || json.ToArray().Size() != 6)
        return false;
    for (int i = 0; i < 6; i++)
        six[i] = number_of(json.ToArray()[i], 0);
    return true;
}

/* The "projjson" of an array's "_CRS", "" if there is none. */
static std::string public_projjson(const ngff_reader *reader)
{
    CPLJSONDocument document;
    if (!parse(ngff_reader_array_attributes(reader), "The array's attributes", &document))
        return {};
    const CPLJSONObject projjson = member_of(member_of(document.GetRoot(), "_CRS"), "projjson");
    return is_type(projjson, CPLJSONObject::Type::Object) ? projjson.Format(CPLJSONObject::PrettyFormat::Plain)
                                                          : std::string();
}

/* _CRS: {"url": .., "wkt": .., "projjson": {..}}; proj:code, proj:wkt2, proj:projjson. */
static OGRSpatialReference *read_public_crs(const CPLJSONObject &attributes)
{
    if (!is_type(attributes, CPLJSONObject::Type::Object))
        return nullptr;
    std::string wkt, projjson, code;
    for (const CPLJSONObject &item : attributes.GetChildren()) {
        const std::string name = item.GetName();
        if (name == "_CRS" && item.GetType() == CPLJSONObject::Type::Object) {
            wkt = item.GetString("wkt");
            if (is_type(item.GetObj("projjson"), CPLJSONObject::Type::Object))
                projjson = item.GetObj("projjson").Format(CPLJSONObject::PrettyFormat::Plain);
            const std::string url = item.GetString("url");
            const char *const prefix = "http://www.opengis.net/def/crs/EPSG/0/";
            if (STARTS_WITH(url.c_str(), prefix))
                code = "EPSG:" + url.substr(strlen(prefix));
        } else if (name == "proj:code" && item.GetType() == CPLJSONObject::Type::String) {
            code = item.ToString();
        } else if (name == "proj:wkt2" && item.GetType() == CPLJSONObject::Type::String) {
            wkt = item.ToString();
        } else if (name == "proj:projjson" && item.GetType() == CPLJSONObject::Type::Object) {
            projjson = item.Format(CPLJSONObject::PrettyFormat::Plain);
        }
    }
    return OGRSpatialReference::FromHandle(
        georef_crs(wkt.c_str(), projjson.c_str(), code.empty() ? nullptr : code.c_str(), nullptr, 0, 0));
}

/* "gdal:geotransform" in GDAL's order, or "spatial:transform" in the affine order a b c d e f. */
static bool read_public_geotransform(const CPLJSONObject &attributes, double *geotransform)
{
    double affine[6];
    if (!is_type(attributes, CPLJSONObject::Type::Object))
        return false;
    bool found = false;
    for (const CPLJSONObject &item : attributes.GetChildren()) {
        if (item.GetName() == "gdal:geotransform" && read_six(item, geotransform))
            return true;
        if (item.GetName() == "spatial:transform" && read_six(item, affine)) {
            const double ordered[6] = {affine[2], affine[0], affine[1], affine[5], affine[3], affine[4]};
            memcpy(geotransform, ordered, sizeof ordered);
            found = true;
        }
    }
    return found;
}

CPLStringList &items_of_domain(std::vector<MetadataDomain> &domains, const char *name)
{
    auto found = std::find_if(domains.begin(), domains.end(),
                              [name](const MetadataDomain &domain) { return domain.name == name; });
    if (found == domains.end()) {
        found = domains.insert(domains.end(), MetadataDomain());
        found->name = name;
    }
    return found->items;
}

/* The writer's exact statistics, one entry per channel, as GDAL's band metadata; they replace the source's. of_band:
 * the plane of each band. */
static void read_statistics(const CPLJSONObject &json, int64_t pixels_per_band, const std::vector<int64_t> &of_band,
                            DatasetAttributes *to)
{
    static const char *const names[][2] = {{"min", "STATISTICS_MINIMUM"},
                                           {"max", "STATISTICS_MAXIMUM"},
                                           {"mean", "STATISTICS_MEAN"},
                                           {"std_dev", "STATISTICS_STDDEV"}};
    const CPLJSONArray channels = json.ToArray();
    for (size_t i = 0; i < of_band.size(); i++) {
        const CPLJSONObject channel = channels[static_cast<int>(of_band[i])];
        if (!channel.GetObj("min").IsValid())
            continue;
        CPLStringList &items = items_of_domain(to->bands[i].metadata, "");
        to->bands[i].has_own_statistics = true;
        items.SetNameValue("STATISTICS_APPROXIMATE", nullptr);
        for (const auto &name : names)
            items.SetNameValue(name[1], JsonText::number_text(number_of(channel.GetObj(name[0]), 0)).c_str());
        const double n_valid = number_of(channel.GetObj("n_valid"), 0);
        char percent[32];
        CPLsnprintf(percent, sizeof percent, "%.4g", 100 * n_valid / static_cast<double>(pixels_per_band));
        items.SetNameValue("STATISTICS_VALID_PERCENT", percent);
    }
}

/* True if a text is a JSON array with one item per plane of level 0. */
static bool parse_list(const char *text, const char *name, int64_t n_planes, CPLJSONDocument *document)
{
    return n_planes > 0 && parse(text, name, document) && is_type(document->GetRoot(), CPLJSONObject::Type::Array) &&
           document->GetRoot().ToArray().Size() == n_planes;
}

/* The plane of level 0 that each band shows, or lies nearest to where another level was opened. n_planes: of level 0;
 * 0 where they describe no bands: they are too many, or fewer than those of the level, and one description would be
 * repeated as often as the store likes. */
static std::vector<int64_t> planes_of_level_0(const ngff_reader *reader, const PlaneSelection &planes,
                                              int64_t *n_planes)
{
    int64_t whole[5] = {}, shape[5] = {};
    ngff_reader_level_shape(reader, 0, whole);
    ngff_reader_level_shape(reader, ngff_reader_part_level(reader), shape);
    std::vector<int64_t> result(static_cast<size_t>(planes.n_planes()));
    *n_planes = 1;
    for (int axis = 0; axis < planes.n_axes; axis++)
        *n_planes = shape[axis] > whole[axis] || *n_planes == 0 || whole[axis] > INT_MAX / *n_planes
                        ? 0
                        : *n_planes * whole[axis];
    for (size_t i = 0; *n_planes > 0 && i < result.size(); i++) {
        int64_t index[5] = {};
        planes.plane(static_cast<int64_t>(i), index);
        for (int axis = 0; axis < planes.n_axes; axis++) /* all are below 2^31 */
            result[i] = result[i] * whole[axis] + index[axis] * whole[axis] / shape[axis];
    }
    return result;
}

/* The geotransform of level 0 (in its pixels, where it has none) becomes that of the level that was opened. */
static void adapt_geotransform(const ngff_reader *reader, DatasetAttributes *to)
{
    const int level = ngff_reader_part_level(reader), y = static_cast<int>(strlen(ngff_reader_dims(reader))) - 2;
    double scale[2][5], translation[2][5], factor[2], offset[2], *six = to->geotransform;
    ngff_reader_level_scale(reader, 0, scale[0]);
    ngff_reader_level_scale(reader, level, scale[1]);
    ngff_reader_level_translation(reader, 0, translation[0]);
    ngff_reader_level_translation(reader, level, translation[1]);
    if (!to->has_geotransform && georef_from_axes(scale[0] + y, translation[0] + y, 0, six))
        return; /* the dataset works it out from its own scale and translation */
    to->has_geotransform = true;
    for (int i = 0; i < 2; i++) { /* corners: half a pixel before the centres, in either level's pixels */
        factor[i] = scale[1][y + i] / scale[0][y + i];
        offset[i] = (translation[1][y + i] - translation[0][y + i]) / scale[0][y + i] + 0.5 - 0.5 * factor[i];
    }
    six[0] += offset[1] * six[1] + offset[0] * six[2];
    six[3] += offset[1] * six[4] + offset[0] * six[5];
    six[1] *= factor[1];
    six[4] *= factor[1];
    six[2] *= factor[0];
    six[5] *= factor[0];
}

/* The description of the first plane of each channel: what the writer makes a label of. */
static std::vector<std::string> labels_of_channels(const ngff_reader *reader, const CPLJSONArray &bands)
{
    constexpr int64_t most_channels = 256; /* "omero" has no more */
    const std::string dims = ngff_reader_dims(reader);
    const size_t c = dims.find('c');
    int64_t shape[5] = {}, below = 1;
    ngff_reader_level_shape(reader, 0, shape);
    for (size_t axis = c + 1; c != std::string::npos && axis + 2 < dims.size(); axis++)
        below *= shape[axis];
    std::vector<std::string> labels;
    for (int64_t i = 0; i < (c != std::string::npos ? std::min(shape[c], most_channels) : 1); i++)
        labels.push_back(bands[static_cast<int>(i * below)].GetString("description"));
    return labels;
}

void attributes_from_reader(ngff_reader *reader, const PlaneSelection &planes, DatasetAttributes *to)
{
    CPLJSONDocument document;
    int64_t n_planes = 1, shape[5] = {};
    const std::vector<int64_t> of_band = planes_of_level_0(reader, planes, &n_planes);
    const int level = ngff_reader_part_level(reader);
    std::vector<std::string> own_labels;
    if (parse_list(ngff_reader_attribute(reader, "bands"), "The description of the bands", n_planes, &document)) {
        to->is_ours = true;
        const CPLJSONArray list = document.GetRoot().ToArray();
        for (const int64_t plane : of_band)
            to->bands.push_back(read_band(list[static_cast<int>(plane)]));
        own_labels = labels_of_channels(reader, list);
    }
    if (parse(ngff_reader_attribute(reader, "metadata"), "The metadata of the dataset", &document))
        to->metadata = read_metadata(document.GetRoot());
    if (parse(ngff_reader_attribute(reader, "gcps"), "The list of ground control points", &document))
        read_gcps(document.GetRoot(), to);
    if (parse(ngff_reader_attribute(reader, "crs"), "The CRS", &document))
        to->crs = read_crs(document.GetRoot(), public_projjson(reader));
    if (parse(ngff_reader_attribute(reader, "geotransform"), "The geotransform", &document))
        to->has_geotransform = read_six(document.GetRoot(), to->geotransform);

    to->bands.resize(of_band.size());
    ngff_reader_level_shape(reader, 0, shape);
    if (level == 0 &&
        parse_list(ngff_reader_attribute(reader, "statistics"), "The list of statistics", n_planes, &document))
        read_statistics(document.GetRoot(), shape[planes.n_axes] * shape[planes.n_axes + 1], of_band, to);
    for (const char *text : {ngff_reader_array_attributes(reader), ngff_reader_attributes(reader)}) {
        if (!parse(text, "A document's attributes", &document))
            continue;
        if (to->crs == nullptr)
            to->crs = read_public_crs(document.GetRoot());
        if (!to->has_geotransform)
            to->has_geotransform = read_public_geotransform(document.GetRoot(), to->geotransform);
    }
    to->is_min_white = to->is_min_white || foreign_is_min_white(reader);
    foreign_position(reader, to);
    if (level > 0)
        adapt_geotransform(reader, to);
    foreign_description(reader, planes, own_labels, to);
}
