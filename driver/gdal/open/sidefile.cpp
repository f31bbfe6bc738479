/* sidefile.cpp: see sidefile.h. */
#include "open/sidefile.h"

#include <algorithm>
#include <set>

#include "plugin/guard.h"

/* Domains of the side file that are never the user's own words. */
static bool is_computed_domain(const char *name)
{
    static const char *const computed[] = {"IMAGE_STRUCTURE", "SUBDATASETS", "DERIVED_SUBDATASETS"};
    return std::any_of(std::begin(computed), std::end(computed),
                       [name](const char *domain) { return EQUAL(name, domain); });
}

static bool is_element(const CPLXMLNode *node, const char *name)
{
    return node->eType == CXT_Element && EQUAL(node->pszValue, name);
}

bool is_empty_tree(const CPLXMLNode *tree)
{
    for (const CPLXMLNode *node = tree->psChild; node != nullptr; node = node->psNext)
        if (node->eType != CXT_Attribute)
            return false;
    return true;
}

/* Removes the children for which it holds. */
template <typename Holds> static void remove_children(CPLXMLNode *tree, Holds holds)
{
    for (CPLXMLNode *node = tree->psChild, *next = nullptr; node != nullptr; node = next) {
        next = node->psNext;
        if (!holds(node))
            continue;
        CPLRemoveXMLChild(tree, node);
        CPLDestroyXMLNode(node);
    }
}

void drop_stored_metadata(CPLXMLNode *tree, const std::vector<MetadataDomain> &stored)
{
    remove_children(tree, [&stored](CPLXMLNode *node) {
        if (!is_element(node, "Metadata"))
            return false;
        const std::string name = CPLGetXMLValue(node, "domain", "");
        if (is_computed_domain(name.c_str()))
            return true;
        const auto domain = std::find_if(stored.begin(), stored.end(), [&name](const MetadataDomain &one) {
            return EQUAL(one.name.c_str(), name.c_str());
        });
        if (domain == stored.end())
            return false;
        std::set<std::string> items;
        for (int i = 0; i < domain->items.size(); i++)
            items.insert(domain->items[i]);
        remove_children(node, [&items](const CPLXMLNode *item) {
            return is_element(item, "MDI") && items.count(std::string(CPLGetXMLValue(item, "key", "")) + "=" +
                                                          CPLGetXMLValue(item, nullptr, "")) > 0;
        });
        /* A domain of one text, XML or JSON, is a tree of its own. */
        return is_empty_tree(node) || !EQUAL(CPLGetXMLValue(node, "format", ""), "");
    });
}

std::vector<MetadataDomain> metadata_of(GDALMajorObject *object)
{
    std::vector<MetadataDomain> domains;
    const CPLStringList names(object->GetMetadataDomainList());
    for (int i = 0; i < names.size(); i++) {
        MetadataDomain domain;
        if (is_computed_domain(names[i]))
            continue;
        domain.name = names[i];
        domain.items = CPLStringList(CSLDuplicate(const_cast<char **>(object->GetMetadata(names[i]))));
        if (domain.items.size() > 0)
            domains.push_back(std::move(domain));
    }
    return domains;
}

/* -- After a change ---------------------------------------------------------------------------------------------- */

/* What describes pixels: true as long as they are the same. */
static void drop_statistics(CPLXMLNode *band)
{
    static const char *const names[] = {"Minimum", "Maximum", "Mean", "StandardDeviation", "Histograms"};
    remove_children(band, [](CPLXMLNode *node) {
        if (std::any_of(std::begin(names), std::end(names),
                        [node](const char *name) { return is_element(node, name); }))
            return true;
        if (!is_element(node, "Metadata"))
            return false;
        remove_children(node, [](const CPLXMLNode *item) {
            return is_element(item, "MDI") && STARTS_WITH_CI(CPLGetXMLValue(item, "key", ""), "STATISTICS_");
        });
        return is_empty_tree(node);
    });
}

/* What the store has taken over. Statistics are the writer's own, so those of the user stay here. */
static void drop_description(CPLXMLNode *tree)
{
    static const char *const names[] = {"SRS",         "GeoTransform",  "GCPList",    "Description",
                                        "NoDataValue", "UnitType",      "Offset",     "Scale",
                                        "ColorInterp", "CategoryNames", "ColorTable", "GDALRasterAttributeTable"};
    remove_children(tree, [](CPLXMLNode *node) {
        if (std::any_of(std::begin(names), std::end(names),
                        [node](const char *name) { return is_element(node, name); }))
            return true;
        if (!is_element(node, "Metadata"))
            return false;
        if (!is_kept_domain(CPLGetXMLValue(node, "domain", "")))
            return is_computed_domain(CPLGetXMLValue(node, "domain", ""));
        remove_children(node, [](const CPLXMLNode *item) {
            return item->eType == CXT_Element &&
                   !(is_element(item, "MDI") && STARTS_WITH_CI(CPLGetXMLValue(item, "key", ""), "STATISTICS_"));
        });
        return is_empty_tree(node);
    });
}

static void fold_dataset(CPLXMLNode *dataset, bool is_whole, bool are_pixels_other)
{
    if (is_whole)
        drop_description(dataset);
    remove_children(dataset, [is_whole, are_pixels_other](CPLXMLNode *node) {
        if (is_element(node, "Subdataset")) { /* planes or levels of the store, with a description of their own */
            for (CPLXMLNode *part = node->psChild; part != nullptr; part = part->psNext)
                if (is_element(part, "PAMDataset"))
                    fold_dataset(part, false, are_pixels_other);
            return false;
        }
        if (!is_element(node, "PAMRasterBand"))
            return false;
        if (are_pixels_other)
            drop_statistics(node);
        if (is_whole)
            drop_description(node);
        return is_empty_tree(node);
    });
}

void fold_side_file(const std::string &path, bool are_pixels_other)
{
    VSIStatBufL status;
    if (path.empty() || VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG) != 0)
        return;
    CPLXMLTreeCloser tree(nullptr);
    {
        const QuietErrors quiet;
        tree.reset(CPLParseXMLFile(path.c_str()));
    }
    CPLXMLNode *dataset = tree ? CPLGetXMLNode(tree.get(), "=PAMDataset") : nullptr;
    if (dataset != nullptr) { /* else it is no file of GDAL's, which has not read it either */
        fold_dataset(dataset, true, are_pixels_other);
        const bool is_done = is_empty_tree(dataset) ? VSIUnlink(path.c_str()) == 0
                                                    : CPLSerializeXMLTreeToFile(tree.get(), path.c_str()) != 0;
        if (!is_done)
            CPLError(
                CE_Warning, CPLE_FileIO,
                "%s cannot be written: it repeats what the store says now, and GDAL takes its word first. Delete it "
                "when the store is changed again",
                path.c_str());
    }
}
