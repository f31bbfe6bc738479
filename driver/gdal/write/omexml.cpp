/* omexml.cpp: see omexml.h. The tree of the source's XML is changed in place:
 *
 *     Image elements    those that are written, in their order; the others go, with all that points to them
 *     Pixels            sizes, type, order, what a pixel measures: of what was written. TiffData and BinData go: MetadataOnly
 *     Channel           one for each channel that was written, of one sample; planes stay where none has gone
 *
 * Plates and screens go, too: their wells would be looked for in folders of a plate. */
#include "write/omexml.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "cpl_conv.h"

#include "describe/stack/xmltree.h"
#include "plugin/guard.h"
#include "source/ngff_source.h"
#include "plugin/omezarr.h"
#include "open/raster.h"
#include "source/stack/stackdataset.h"
#include "write/plan.h"

/* -- Trees ----------------------------------------------------------------------------------------------------- */

static CPLXMLNode *find(CPLXMLNode *node, const char *name)
{
    return const_cast<CPLXMLNode *>(find(static_cast<Node>(node), name));
}

static CPLXMLNode *child(CPLXMLNode *of, const char *name)
{
    return of != nullptr ? find(of->psChild, name) : nullptr;
}

/* Removes the children of which this is true. */
template <typename IsUnwanted> static void remove_children(CPLXMLNode *of, IsUnwanted is_unwanted)
{
    for (CPLXMLNode *node = of->psChild, *next = nullptr; node != nullptr; node = next) {
        next = node->psNext;
        if (!is_unwanted(node))
            continue;
        CPLRemoveXMLChild(of, node);
        CPLDestroyXMLNode(node);
    }
}

static void set_attribute(CPLXMLNode *of, const std::string &name, const char *value)
{
    CPLSetXMLValue(of, ("#" + name).c_str(), value);
}

static void remove_attributes(CPLXMLNode *of, const std::set<std::string> &names)
{
    remove_children(of, [&](Node node) { return node->eType == CXT_Attribute && names.count(local_name(node)) > 0; });
}

/* A copy, whose elements get the namespace prefix of another tree. */
static CPLXMLNode *copy_with_prefix(Node from, const std::string &prefix)
{
    CPLXMLNode *copy = CPLCreateXMLNode(
        nullptr, from->eType, (from->eType == CXT_Element ? prefix + local_name(from) : from->pszValue).c_str());
    for (Node node = from->psChild; node != nullptr; node = node->psNext)
        CPLAddXMLChild(copy, copy_with_prefix(node, prefix));
    return copy;
}

static CPLXMLNode *copy_of(CPLXMLNode *node)
{
    CPLXMLNode *next = node->psNext;
    node->psNext = nullptr;
    CPLXMLNode *copy = CPLCloneXMLTree(node);
    node->psNext = next;
    return copy;
}

/* Elements of this name among the children. */
static std::vector<CPLXMLNode *> children(CPLXMLNode *of, const char *name)
{
    std::vector<CPLXMLNode *> all;
    for (CPLXMLNode *node = child(of, name); node != nullptr; node = find(node->psNext, name))
        all.push_back(node);
    return all;
}

/* -- One image ------------------------------------------------------------------------------------------------- */

/* The source's Channel for each channel that is written; none where it is not known which they are. is_split: one has
 * several samples, each of them a channel now. */
static std::vector<CPLXMLNode *> channels_of(CPLXMLNode *pixels, const ImageXml &as, size_t n, bool *is_split)
{
    std::vector<CPLXMLNode *> of_sample, chosen;
    const std::vector<CPLXMLNode *> said = children(pixels, "Channel");
    int64_t size = 0;
    read_count(pixels, "SizeC", &size);
    for (CPLXMLNode *channel : said) {
        int64_t samples = 1;
        read_count(channel, "SamplesPerPixel", &samples);
        if (static_cast<int64_t>(said.size()) == size)
            samples = 1; /* some writers have a Channel for each sample */
        for (int64_t i = 0; i < samples && static_cast<int64_t>(of_sample.size()) < size; i++)
            of_sample.push_back(channel);
    }
    *is_split = static_cast<int64_t>(said.size()) != size;
    if (static_cast<int64_t>(of_sample.size()) != size ||
        (as.channels.empty() ? of_sample.size() : as.channels.size()) != n)
        return chosen;
    for (size_t i = 0; i < n; i++) {
        const int64_t number = as.channels.empty() ? static_cast<int64_t>(i) : as.channels[i];
        if (number < 0 || number >= size)
            return {};
        chosen.push_back(of_sample[static_cast<size_t>(number)]);
    }
    return chosen;
}

/* The source's Channel, or the one that was made where there is none; what was made says its name and colour. */
static CPLXMLNode *true_channel(CPLXMLNode *source, CPLXMLNode *made, bool is_split, size_t number,
                                const std::string &prefix)
{
    if (source == nullptr)
        return copy_with_prefix(made, prefix);
    CPLXMLNode *channel = copy_of(source);
    for (const char *name : {"Name", "Color"})
        if (const char *value = attribute(made, name))
            set_attribute(channel, name, value);
    set_attribute(channel, "SamplesPerPixel", "1");
    if (is_split)
        set_attribute(channel, "ID", (text_attribute(source, "ID") + ":" + std::to_string(number)).c_str());
    return channel;
}

/* True if the planes that the source tells of are those that are written. */
static bool has_same_planes(Node source, Node made)
{
    const auto is_same = [=](const char *name) { return text_attribute(source, name) == text_attribute(made, name); };
    return is_same("SizeZ") && is_same("SizeC") && is_same("SizeT");
}

static void make_pixels_true(CPLXMLNode *pixels, CPLXMLNode *made, const ImageXml &as, const std::string &prefix)
{
    static const std::set<std::string> of_pixels = {"BigEndian",
                                                    "DimensionOrder",
                                                    "Interleaved",
                                                    "PhysicalSizeX",
                                                    "PhysicalSizeXUnit",
                                                    "PhysicalSizeY",
                                                    "PhysicalSizeYUnit",
                                                    "PhysicalSizeZ",
                                                    "PhysicalSizeZUnit",
                                                    "SizeC",
                                                    "SizeT",
                                                    "SizeX",
                                                    "SizeY",
                                                    "SizeZ",
                                                    "TimeIncrement",
                                                    "TimeIncrementUnit",
                                                    "Type"};
    const std::vector<CPLXMLNode *> made_channels = children(made, "Channel");
    bool is_split = false;
    const std::vector<CPLXMLNode *> channels = channels_of(pixels, as, made_channels.size(), &is_split);
    bool keeps_planes = has_same_planes(pixels, made) && !is_split && !channels.empty();
    for (size_t i = 0; keeps_planes && i < as.channels.size(); i++)
        keeps_planes = as.channels[i] == static_cast<int64_t>(i);
    const bool is_cut = text_attribute(pixels, "SizeX") != text_attribute(made, "SizeX") ||
                        text_attribute(pixels, "SizeY") != text_attribute(made, "SizeY");

    std::vector<CPLXMLNode *> content;
    for (size_t i = 0; i < made_channels.size(); i++)
        content.push_back(
            true_channel(channels.empty() ? nullptr : channels[i], made_channels[i], is_split, i, prefix));
    content.push_back(CPLCreateXMLNode(nullptr, CXT_Element, (prefix + "MetadataOnly").c_str()));
    for (CPLXMLNode *plane : children(keeps_planes ? pixels : made, "Plane")) {
        CPLXMLNode *copy = keeps_planes ? copy_of(plane) : copy_with_prefix(plane, prefix);
        remove_children(copy, [](Node node) { return is_element(node, "HashSHA1"); }); /* of pixels as they were */
        if (is_cut && keeps_planes)
            remove_attributes(copy, {"PositionX", "PositionXUnit", "PositionY", "PositionYUnit"});
        content.push_back(copy);
    }

    if (text_attribute(pixels, "Type") != text_attribute(made, "Type"))
        remove_attributes(pixels, {"SignificantBits"});
    remove_attributes(pixels, of_pixels);
    for (Node node = made->psChild; node != nullptr; node = node->psNext)
        if (node->eType == CXT_Attribute && of_pixels.count(node->pszValue) > 0 && node->psChild != nullptr)
            set_attribute(pixels, node->pszValue, node->psChild->pszValue);
    remove_children(pixels, [](Node node) { return node->eType != CXT_Attribute; });
    for (CPLXMLNode *node : content)
        CPLAddXMLChild(pixels, node);
}

/* -- The document ---------------------------------------------------------------------------------------------- */

/* "ome:" of "ome:OME"; false, with the reason, if the elements of this document are not those of the schema that is
 * written. */
static bool read_prefix(Node root, std::string *prefix, std::string *reason)
{
    static const char schema[] = "http://www.openmicroscopy.org/Schemas/OME/2016-06";
    const char *colon = strrchr(root->pszValue, ':');
    prefix->assign(root->pszValue, colon != nullptr ? static_cast<size_t>(colon + 1 - root->pszValue) : 0);
    const std::string name = prefix->empty() ? "xmlns" : "xmlns:" + prefix->substr(0, prefix->size() - 1);
    for (Node node = root->psChild; node != nullptr; node = node->psNext)
        if (node->eType == CXT_Attribute && name == node->pszValue && node->psChild != nullptr &&
            strcmp(node->psChild->pszValue, schema) == 0)
            return true;
    *reason = "it is not of the schema 2016-06";
    return false;
}

/* An Image that only the core has made, with IDs that no other element has. */
static CPLXMLNode *made_image(CPLXMLNode *made, size_t number, const std::string &prefix)
{
    CPLXMLNode *image = copy_with_prefix(made, prefix), *pixels = child(image, "Pixels");
    const std::string of_image = "made-" + std::to_string(number);
    set_attribute(image, "ID", ("Image:" + of_image).c_str());
    set_attribute(pixels, "ID", ("Pixels:" + of_image).c_str());
    size_t i = 0;
    for (CPLXMLNode *channel : children(pixels, "Channel"))
        set_attribute(channel, "ID", ("Channel:" + of_image + ":" + std::to_string(i++)).c_str());
    return image;
}

/* The elements Image that are written; none, with the reason, if one of them has no Pixels. */
static std::vector<CPLXMLNode *> true_images(CPLXMLNode *root, const std::vector<ImageXml> &images,
                                             const std::string &prefix, std::string *reason)
{
    const std::vector<CPLXMLNode *> said = children(root, "Image");
    std::vector<CPLXMLNode *> written;
    std::set<int> used;
    for (const ImageXml &one : images) {
        if (one.stays && one.image < static_cast<int>(said.size())) {
            written.push_back(copy_of(said[static_cast<size_t>(one.image)]));
            continue;
        }
        std::string ignored;
        const Xml made = parse_xml(one.made, &ignored);
        CPLXMLNode *core = child(find(made.get(), "OME"), "Image");
        const bool is_said =
            one.image >= 0 && one.image < static_cast<int>(said.size()) && used.insert(one.image).second;
        CPLXMLNode *image = is_said ? copy_of(said[static_cast<size_t>(one.image)])
                            : core  ? made_image(core, written.size(), prefix)
                                    : nullptr;
        if (image != nullptr)
            written.push_back(image);
        if (image == nullptr || child(image, "Pixels") == nullptr || core == nullptr) {
            *reason = "an Image in it has no Pixels";
            for (CPLXMLNode *node : written)
                CPLDestroyXMLNode(node);
            return {};
        }
        set_attribute(image, "Name", text_attribute(core, "Name").c_str());
        if (is_said)
            make_pixels_true(child(image, "Pixels"), child(core, "Pixels"), one, prefix);
    }
    return written;
}

std::string true_ome_xml(const std::string &source, const std::vector<ImageXml> &images, std::string *reason)
{
    const Xml tree = parse_xml(source, reason);
    CPLXMLNode *root = find(tree.get(), "OME");
    std::string prefix;
    if (root == nullptr || !read_prefix(root, &prefix, reason))
        return std::string();
    const std::vector<CPLXMLNode *> written = true_images(root, images, prefix, reason);
    if (written.empty())
        return std::string();
    std::set<std::string> ids;
    for (Node image : written)
        ids.insert(text_attribute(image, "ID"));
    const auto is_lost = [&](Node node) {
        return is_element(node, "ImageRef") && ids.count(text_attribute(node, "ID")) == 0;
    };
    for (const char *name : {"Dataset", "Folder"})
        for (CPLXMLNode *list : children(root, name))
            remove_children(list, is_lost);
    remove_attributes(root, {"UUID"}); /* of the file that it was */
    remove_children(root, [](Node node) {
        return is_element(node, "Plate") || is_element(node, "Screen") || is_element(node, "BinaryOnly");
    });
    CPLXMLNode *at =
        find(root->psChild, "Image"); /* images stand together, and the order of elements is the schema's */
    CPLXMLNode *behind = at;
    if (at == nullptr) {
        *reason = "it has no Image";
        for (CPLXMLNode *image : written)
            CPLDestroyXMLNode(image);
        return std::string();
    }
    for (CPLXMLNode *image : written) {
        image->psNext = behind->psNext;
        behind->psNext = image;
        behind = image;
    }
    const std::set<Node> is_new(written.begin(), written.end());
    remove_children(root, [&](Node node) { return is_element(node, "Image") && is_new.count(node) == 0; });

    CPLXMLNode *next = root->psNext;
    root->psNext = nullptr;
    char *text = CPLSerializeXMLTree(root);
    root->psNext = next;
    const std::string document = text != nullptr ? text : "";
    CPLFree(text);
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + document;
}

/* -- Sources and plans ----------------------------------------------------------------------------------------- */

static std::string read_text(const std::string &path)
{
    constexpr vsi_l_offset most = 1 << 28;
    GByte *bytes = nullptr;
    vsi_l_offset n = 0;
    const QuietErrors quiet;
    if (!VSIIngestFile(nullptr, path.c_str(), &bytes, &n, most))
        return std::string();
    const std::string text(reinterpret_cast<const char *>(bytes), static_cast<size_t>(n));
    VSIFree(bytes);
    return text;
}

static std::string xml_at(const std::string &root)
{
    return omezarr_place(root) + "/OME/METADATA.ome.xml";
}

std::string source_ome_xml(GDALDataset *source, int *image)
{
    const NgffSource store(source, false);
    GDALDataset *of = dynamic_cast<StackDataset *>(source) != nullptr ? source : store.image();
    if (const auto *stack = dynamic_cast<StackDataset *>(of)) {
        *image = stack->stack().of().xml_image;
        return stack->stack().files->description.xml;
    }
    if (const auto *stored = dynamic_cast<OmeZarrDataset *>(of))
        if (stored->series() >= 0) {
            *image = stored->series();
            return read_text(xml_at(stored->root()));
        }
    return std::string();
}

/* The plan's XML as the core makes it; "" for one that has none. */
static std::string made_xml(const ngff_plan *plan)
{
    char *made = ngff_plan_ome_xml(plan);
    const std::string text = made != nullptr ? made : "";
    ngff_string_free(made);
    return text;
}

static bool set_true_xml(ngff_plan *plan, const std::string &source, const std::vector<ImageXml> &images)
{
    std::string reason;
    const std::string text = true_ome_xml(source, images, &reason);
    if (text.empty())
        ngff_plan_add_loss(plan, ("The OME-XML of the source is not kept in OME/METADATA.ome.xml: " + reason).c_str());
    if (text.empty() || ngff_plan_set_ome_xml(plan, text.c_str()) == NGFF_OK)
        return true;
    raise(ngff_plan_status(plan), ngff_plan_error(plan));
    return false;
}

ImageXml image_xml(const ngff_plan *plan, const ImageFromSource &image, GDALDataset *source)
{
    ImageXml xml;
    xml.made = made_xml(plan);
    xml.channels = image.channel_indexes;
    if (!xml.made.empty())
        source_ome_xml(source, &xml.image);
    return xml;
}

bool set_ome_xml(ngff_plan *plan, const std::vector<ImageXml> &images, GDALDataset *source)
{
    int number = -1;
    const std::string text = images[0].image < 0 ? "" : source_ome_xml(source, &number);
    return text.empty() || set_true_xml(plan, text, images);
}

/* The store whose image this folder is, and which of its images: "a.ome.zarr/2". -1: by its name it is none. */
static int store_of_folder(const std::string &folder, std::string *store)
{
    const size_t slash = folder.find_last_of('/');
    const std::string name = slash != std::string::npos ? folder.substr(slash + 1) : "";
    const bool is_number =
        !name.empty() && name.size() < 8 && name.find_first_not_of("0123456789") == std::string::npos;
    *store = folder.substr(0, slash);
    return is_number ? atoi(name.c_str()) : -1;
}

bool keep_ome_xml(ngff_plan *plan, const std::string &root)
{
    ImageXml changed;
    std::string store, ignored;
    changed.made = made_xml(plan);
    if (changed.made.empty())
        return true;
    changed.image = 0;
    std::string text = read_text(xml_at(root));
    if (text.empty()) {
        changed.image = store_of_folder(root, &store);
        text = changed.image >= 0 ? read_text(xml_at(store)) : "";
    }
    const Xml tree = parse_xml(text, &ignored);
    const size_t n = children(find(tree.get(), "OME"), "Image").size();
    if (text.empty() || (n > 0 && changed.image >= static_cast<int>(n)))
        return true;
    std::vector<ImageXml> images(n);
    for (size_t i = 0; i < n; i++) {
        images[i].image = static_cast<int>(i);
        images[i].stays = true;
    }
    images.resize(std::max<size_t>(n, 1)); /* of a document without an image it is said why it is no use */
    images[static_cast<size_t>(n > 0 ? changed.image : 0)] = changed;
    return set_true_xml(plan, text, images);
}
