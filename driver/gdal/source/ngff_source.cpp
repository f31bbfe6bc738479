/* ngff_source.cpp: see ngff_source.h. VRTs are followed by their own XML, which GDAL gives out; GDAL's classes of them are
 * no part of its interface. What is not understood has no store behind it. */
#include "source/ngff_source.h"

#include <algorithm>
#include <cstring>

#include "plugin/guard.h"
#include "open/raster.h"

constexpr int deepest = 4; /* VRT of VRT of ... */

static bool is_driver(GDALDataset *dataset, const char *name)
{
    GDALDriver *driver = dataset->GetDriver();
    return driver != nullptr && EQUAL(driver->GetDescription(), name);
}

bool is_ome_zarr(GDALDataset *dataset)
{
    return is_driver(dataset, "OMEZARR");
}

bool has_statistics_of_pixels(GDALRasterBand *band)
{
    GDALDataset *dataset = band != nullptr ? band->GetDataset() : nullptr;
    const auto *image = dynamic_cast<OmeZarrDataset *>(dataset);
    return image != nullptr && image->attributes().bands[static_cast<size_t>(band->GetBand() - 1)].has_own_statistics;
}

struct XmlCloser {
    void operator()(CPLXMLNode *tree) const
    {
        CPLDestroyXMLNode(tree);
    }
};

/* The dataset that an element of parent names, opened once; NULL if it is neither an OME-Zarr nor a VRT. */
GDALDataset *NgffSource::open(const CPLXMLNode *parent, const char *file, const std::string &folder)
{
    std::string name = CPLGetXMLValue(parent, file, "");
    const std::string is_relative = std::string(file) + ".relativeToVRT";
    if (atoi(CPLGetXMLValue(parent, is_relative.c_str(), "0")) != 0 && name.find(':') == std::string::npos)
        name = folder + name;
    CPLStringList options;
    std::string key = name;
    const CPLXMLNode *list = CPLGetXMLNode(parent, "OpenOptions");
    for (const CPLXMLNode *item = list != nullptr ? list->psChild : nullptr; item != nullptr; item = item->psNext)
        if (const char *option = CPLGetXMLValue(item, "key", nullptr)) {
            options.SetNameValue(option, CPLGetXMLValue(item, nullptr, ""));
            key += std::string("\n") + option + "=" + CPLGetXMLValue(item, nullptr, "");
        }
    const auto [at, is_new] = m_opened.try_emplace(key);
    if (is_new && !name.empty()) {
        static const char *const drivers[] = {"OMEZARR", "VRT", nullptr};
        at->second.reset(GDALDataset::Open(name.c_str(), GDAL_OF_RASTER | GDAL_OF_INTERNAL, drivers, options.List()));
    }
    return at->second.get();
}

/* True if a source of a VRT band gives the values of its band, and no others. */
static bool keeps_values(const CPLXMLNode *source)
{
    static const char *const changes[] = {"ScaleOffset", "ScaleRatio", "Exponent", "LUT", "ColorTableComponent"};
    return EQUAL(source->pszValue, "SimpleSource") ||
           (EQUAL(source->pszValue, "ComplexSource") &&
            std::all_of(std::begin(changes), std::end(changes),
                        [source](const char *change) { return CPLGetXMLNode(source, change) == nullptr; }));
}

/* The one source of a VRT band; NULL where there are several, or other values. */
static const CPLXMLNode *only_source(const CPLXMLNode *band)
{
    const CPLXMLNode *found = nullptr;
    for (const CPLXMLNode *node = band->psChild; node != nullptr; node = node->psNext) {
        const size_t n = node->eType == CXT_Element ? strlen(node->pszValue) : 0;
        if (n < 6 || !EQUAL(node->pszValue + n - 6, "Source"))
            continue;
        if (found != nullptr || !keeps_values(node))
            return nullptr;
        found = node;
    }
    return found;
}

std::vector<GDALRasterBand *> NgffSource::follow_vrt(GDALDataset *vrt, int depth)
{
    std::vector<GDALRasterBand *> bands(static_cast<size_t>(vrt->GetRasterCount()));
    StringListOut xml = vrt->GetMetadata("xml:VRT");
    const std::unique_ptr<CPLXMLNode, XmlCloser> root(xml != nullptr && xml[0] != nullptr ? CPLParseXMLString(xml[0])
                                                                                          : nullptr);
    const std::string path = vrt->GetDescription();
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    std::map<GDALDataset *, std::vector<GDALRasterBand *>> behind;
    const auto put = [&](int band, GDALDataset *from, int number) {
        if (from == nullptr || band < 1 || band > static_cast<int>(bands.size()) || number < 1 ||
            number > from->GetRasterCount())
            return;
        const auto [at, is_new] = behind.try_emplace(from);
        if (is_new)
            at->second = follow(from, depth + 1);
        bands[static_cast<size_t>(band - 1)] = at->second[static_cast<size_t>(number - 1)];
    };
    int band = 0;
    const CPLXMLNode *dataset = CPLGetXMLNode(root.get(), "=VRTDataset");
    for (const CPLXMLNode *node = dataset != nullptr ? dataset->psChild : nullptr; node != nullptr;
         node = node->psNext) {
        if (node->eType != CXT_Element || !EQUAL(node->pszValue, "VRTRasterBand"))
            continue;
        band++;
        if (const CPLXMLNode *source = only_source(node))
            put(band, open(source, "SourceFilename", folder), atoi(CPLGetXMLValue(source, "SourceBand", "0")));
    }
    const CPLXMLNode *warp = CPLGetXMLNode(dataset, "GDALWarpOptions");
    const CPLXMLNode *list = CPLGetXMLNode(warp, "BandList");
    for (const CPLXMLNode *node = list != nullptr ? list->psChild : nullptr; node != nullptr; node = node->psNext)
        put(atoi(CPLGetXMLValue(node, "dst", "0")), open(warp, "SourceDataset", folder),
            atoi(CPLGetXMLValue(node, "src", "0")));
    return bands;
}

std::vector<GDALRasterBand *> NgffSource::follow(GDALDataset *source, int depth)
{
    std::vector<GDALRasterBand *> bands(static_cast<size_t>(source->GetRasterCount()));
    if (is_ome_zarr(source) || (depth == 0 && m_is_own))
        for (size_t i = 0; i < bands.size(); i++)
            bands[i] = source->GetRasterBand(static_cast<int>(i + 1));
    else if (is_driver(source, "VRT") && depth < deepest)
        bands = follow_vrt(source, depth);
    return bands;
}

NgffSource::NgffSource(GDALDataset *source, bool is_own) : m_is_own(is_own)
{
    const QuietErrors quiet;
    m_bands = follow(source, 0);
}

GDALDataset *NgffSource::image() const
{
    GDALDataset *image = m_bands.empty() || m_bands[0] == nullptr ? nullptr : m_bands[0]->GetDataset();
    const bool is_one = std::all_of(m_bands.begin(), m_bands.end(), [image](GDALRasterBand *band) {
        return band != nullptr && band->GetDataset() == image;
    });
    return is_one ? image : nullptr;
}
