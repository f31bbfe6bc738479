/* ome_xml.cpp: OME-XML in the first page of a TIFF (https://docs.openmicroscopy.org/ome-model/, "OME-TIFF specification"),
 * of all schemas from 2003 on: what moved between them is looked for at each of its places. TiffData say in which file
 * and page a plane is:
 *
 *     TiffData  ->  run (file, first page, count, first plane)  ->  planes in DimensionOrder  ->  planes in t, c, z
 *
 * Files that are named lie beside the first one. What the XML says of an image and the pages contradict is no use: the
 * pages are right. */
#include "describe/stack/kinds.h"
#include "describe/stack/xmltree.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_string.h"
#include "cpl_vsi.h"

#include "describe/dimensions.h"
#include "plugin/guard.h"

/* -- XML ------------------------------------------------------------------------------------------------------- */

/* The start tag of the root, "<OME ...>", if text is OME-XML, else "". */
static std::string root_tag(const std::string &text, bool *has_doctype)
{
    const size_t start = find_root_element(text, has_doctype);
    if (start == std::string::npos)
        return std::string();
    const size_t end = text.find('>', start), stop = text.find_first_of(" \t\r\n/>", start);
    if (end == std::string::npos || stop > end)
        return std::string();
    const std::string name = text.substr(start + 1, stop - start - 1);
    const size_t colon = name.rfind(':');
    return name.substr(colon == std::string::npos ? 0 : colon + 1) == "OME" ? text.substr(start, end + 1 - start)
                                                                            : std::string();
}

/* The Pixels of an image: before 2009-09 there could be several. */
static Node pixels_of(Node element)
{
    std::string id = text_attribute(element, "AcquiredPixels");
    if (id.empty())
        id = text_attribute(element, "DefaultPixels");
    const Node first = child(element, "Pixels");
    for (Node pixels = first; pixels != nullptr && !id.empty(); pixels = find(pixels->psNext, "Pixels"))
        if (text_attribute(pixels, "ID") == id)
            return pixels;
    return first;
}

/* -- Files ----------------------------------------------------------------------------------------------------- */

namespace
{

/* Pages of a file, one after the other, that are planes from first on, in DimensionOrder. */
struct Run {
    int file = 0;
    int64_t page = 0, count = 0;
    int64_t z = 0, c = 0, t = 0;
};

class OmeReader
{
    const TiffFile &m_first;
    WalkFile m_walk;
    StackDescription *m_to;
    Node m_root = nullptr;
    std::string m_uuid{}; /* of the first file, "" if it has none */
    std::string
        m_only_name{}; /* the one name by which TiffData call all planes, where no other way leads to this file */
    std::vector<std::unique_ptr<TiffFile>> m_others{}; /* files[1] and so on */
    std::map<std::string, int> m_known{};              /* by name */
    std::map<Node, int> m_numbers{};                   /* of the elements Image, as they stand in the XML */
    std::vector<bool> m_is_taken{};                    /* pages of the first file */
    int64_t m_n_planes = 0, m_n_placed = 0;

    const TiffFile &file(int index) const
    {
        return index == 0 ? m_first : *m_others[static_cast<size_t>(index - 1)];
    }
    bool refuse(const std::string &text) const;
    bool is_own(const std::string &uuid, const std::string &name) const;
    void find_only_name();
    bool is_here(Node element) const;
    void leave_out_elsewhere(std::vector<Node> *images);
    int file_of(Node tiff_data);
    bool load(const std::string &name, const std::string &uuid);

    bool read_run(Node tiff_data, Run *run);
    bool read_runs(Node pixels, bool has_no_data_at_all, int64_t *next_page, std::vector<Run> *runs);
    bool read_image(Node element, bool has_no_data_at_all, int64_t *next_page);
    void read_modulo(Node element, const std::string &title, StackImage *image);
    const TiffPage *key_page(const std::vector<Run> &runs) const;
    bool place_planes(const std::string &order, const std::vector<Run> &runs, const TiffPage &key,
                      const std::string &title, StackImage *image);

  public:
    OmeReader(const TiffFile &first, WalkFile walk, StackDescription *to) : m_first(first), m_walk(walk), m_to(to)
    {
    }
    Outcome read(const std::string &text);
};

} // namespace

bool OmeReader::refuse(const std::string &text) const
{
    CPLError(CE_Failure, CPLE_AppDefined, "%s: %s, or convert single pages as GTIFF_DIR:1:%s", m_first.path.c_str(),
             utf8(text).c_str(), m_first.path.c_str());
    return false;
}

/* What stands behind the last separator of any system. */
static std::string base_name(const std::string &path)
{
    return path.substr(path.find_last_of("/\\") + 1);
}

static std::string beside(const std::string &path, const std::string &name)
{
    const size_t end = path.find_last_of("/\\");
    return end == std::string::npos ? name : path.substr(0, end + 1) + name;
}

static bool is_plain_name(const std::string &name)
{
    return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\:") == std::string::npos;
}

bool OmeReader::is_own(const std::string &uuid, const std::string &name) const
{
    return (!m_uuid.empty() && uuid == m_uuid) || name.empty() ||
           EQUAL(base_name(name).c_str(), base_name(m_first.path).c_str());
}

/* A file that was given another name, and has no UUID to know itself by, calls itself by its old name, always. */
void OmeReader::find_only_name()
{
    std::string only;
    for (Node image = child(m_root, "Image"); image != nullptr; image = find(image->psNext, "Image"))
        for (Node pixels = child(image, "Pixels"); pixels != nullptr; pixels = find(pixels->psNext, "Pixels"))
            for (Node data = child(pixels, "TiffData"); data != nullptr; data = find(data->psNext, "TiffData")) {
                const Node uuid = child(data, "UUID");
                const std::string name = text_attribute(uuid, "FileName");
                if (is_own(text_of(uuid), name) || (!only.empty() && name != only))
                    return;
                only = name;
            }
    if (m_uuid.empty())
        m_only_name = only;
}

/* True for an image that has planes in the first file. */
bool OmeReader::is_here(Node element) const
{
    const Node first = child(pixels_of(element), "TiffData");
    for (Node data = first; data != nullptr; data = find(data->psNext, "TiffData")) {
        const Node uuid = child(data, "UUID");
        const std::string name = text_attribute(uuid, "FileName");
        if (is_own(text_of(uuid), name) || name == m_only_name)
            return true;
    }
    return first == nullptr;
}

/* Where some images have planes in the first file, those that have none are what the other files are opened as: of a plate
 * each file has one image, and the XML of all. */
void OmeReader::leave_out_elsewhere(std::vector<Node> *images)
{
    std::vector<Node> here;
    std::string first;
    for (const Node image : *images)
        if (is_here(image))
            here.push_back(image);
        else if (first.empty())
            first = text_attribute(child(child(pixels_of(image), "TiffData"), "UUID"), "FileName");
    if (here.empty() || here.size() == images->size())
        return;
    const size_t n = images->size() - here.size();
    warn(m_first,
         "its OME-XML describes " + std::to_string(n) + (n == 1 ? " image" : " images") +
             " of which no plane is in this file; open " + (n == 1 ? "" : "the others, such as ") + "\"" + first + "\"",
         m_to);
    *images = here;
}

/* The file that a TiffData names, an index into files; -1, with an error: it cannot be had. */
int OmeReader::file_of(Node tiff_data)
{
    const Node element = child(tiff_data, "UUID");
    const std::string uuid = text_of(element), name = text_attribute(element, "FileName");
    if (is_own(uuid, name) || name == m_only_name)
        return 0;
    const auto known = m_known.find(name);
    if (known != m_known.end())
        return known->second;
    return load(name, uuid) ? m_known[name] : -1;
}

/* Walks a file of the set for the first time. */
bool OmeReader::load(const std::string &name, const std::string &uuid)
{
    if (!is_plain_name(name))
        return refuse("its OME-XML says that planes are in \"" + name +
                      "\", which is no name of a file in the same folder; correct the name");
    const std::string path = beside(m_first.path, name);
    auto other = std::make_unique<TiffFile>();
    bool is_walked = false;
    std::string problem;
    {
        const QuietErrors quiet;
        is_walked = m_walk(path, other.get());
        problem = CPLGetLastErrorMsg();
    }
    if (!is_walked)
        return refuse("its OME-XML says that planes are in \"" + name +
                      "\" in the same folder, which cannot be read (" + problem + "); put it there");
    bool has_doctype = false;
    std::string reason;
    std::string tag = root_tag(other->description, &has_doctype);
    if (!tag.empty() && tag[tag.size() - 2] != '/')
        tag.insert(tag.size() - 1, "/");
    const Xml tree = tag.empty() ? nullptr : parse_xml(tag, &reason);
    const std::string theirs = text_attribute(tree.get(), "UUID");
    if (!theirs.empty() && !uuid.empty() && theirs != uuid)
        return refuse("its OME-XML says that planes are in \"" + name + "\" with the UUID " + uuid +
                      ", and that file has the UUID " + theirs + ", so that it is another one; get the right one");
    other->description.clear(); /* many files may carry the same large text */
    m_to->files.push_back(path);
    m_others.push_back(std::move(other));
    m_known[name] = static_cast<int>(m_others.size());
    return true;
}

/* -- Planes ---------------------------------------------------------------------------------------------------- */

/* False, with an error, if the file of the run cannot be had. */
bool OmeReader::read_run(Node tiff_data, Run *run)
{
    run->file = file_of(tiff_data);
    if (run->file < 0)
        return false;
    const auto n_pages = static_cast<int64_t>(file(run->file).pages.size());
    const bool has_page = read_count(tiff_data, "IFD", &run->page);
    run->count = has_page ? 1 : n_pages;
    if (!read_count(tiff_data, "PlaneCount", &run->count))
        read_count(tiff_data, "NumPlanes", &run->count); /* before 2009-09 */
    run->count = std::min(run->count, n_pages - run->page);
    read_count(tiff_data, "FirstZ", &run->z);
    read_count(tiff_data, "FirstC", &run->c);
    read_count(tiff_data, "FirstT", &run->t);
    return true;
}

/* Pixels without TiffData have all pages in DimensionOrder; where no image has any, each has as many as it needs. */
bool OmeReader::read_runs(Node pixels, bool has_no_data_at_all, int64_t *next_page, std::vector<Run> *runs)
{
    for (Node data = child(pixels, "TiffData"); data != nullptr; data = find(data->psNext, "TiffData")) {
        Run run;
        if (!read_run(data, &run))
            return false;
        if (run.count > 0)
            runs->push_back(run);
    }
    if (has_no_data_at_all) {
        Run run;
        run.page = *next_page;
        run.count = static_cast<int64_t>(m_first.pages.size()) - run.page;
        if (run.count > 0)
            runs->push_back(run);
    }
    return true;
}

const TiffPage *OmeReader::key_page(const std::vector<Run> &runs) const
{
    return runs.empty() ? nullptr : &file(runs[0].file).pages[static_cast<size_t>(runs[0].page)];
}

/* False if nothing of the image is in the pages. */
bool OmeReader::place_planes(const std::string &order, const std::vector<Run> &runs, const TiffPage &key,
                             const std::string &title, StackImage *image)
{
    const int samples = key.samples;
    int64_t size[3] = {}, stride[3] = {}; /* of z, c, t; the stride in DimensionOrder */
    size[0] = image->z.size;
    size[1] = image->c.size / samples;
    size[2] = image->t.size;
    int64_t n = 1;
    for (const char letter : order.substr(2)) {
        const size_t axis = std::string("ZCT").find(letter);
        stride[axis] = n;
        n *= size[axis];
    }
    image->planes.resize(static_cast<size_t>(n * samples));
    int64_t n_other = 0;
    std::string other;
    for (const Run &run : runs) {
        int64_t c = run.c;
        if (c >= size[1] && c % samples == 0) /* samples were counted */
            c /= samples;
        if (run.z >= size[0] || c >= size[1] || run.t >= size[2])
            continue;
        const int64_t start = run.z * stride[0] + c * stride[1] + run.t * stride[2];
        m_n_placed += std::min(run.count, n - start) * samples;
        if (m_n_placed > 4 * most_planes) /* the same pages again and again could take hours */
            break;
        for (int64_t i = 0; i < std::min(run.count, n - start); i++) {
            const auto number = static_cast<size_t>(run.page + i);
            if (run.file == 0)
                m_is_taken[number] = true;
            if (!is_alike(file(run.file).pages[number], key)) {
                n_other++;
                other = file(run.file).path + ", page " + std::to_string(number + 1);
                continue;
            }
            int64_t at[3] = {};
            for (int axis = 0; axis < 3; axis++)
                at[axis] = (start + i) / stride[axis] % size[axis];
            for (int sample = 0; sample < samples; sample++) {
                StackPlane &plane = image->planes[plane_at(*image, at[2], at[1] * samples + sample, at[0])];
                plane.file = run.file;
                plane.page = static_cast<int64_t>(number);
                plane.sample = sample;
            }
        }
    }
    const auto n_nowhere = std::count_if(image->planes.begin(), image->planes.end(),
                                         [](const StackPlane &plane) { return plane.page < 0; });
    if (n_other > 0)
        warn(m_first,
             std::to_string(n_other) + " pages of " + title + " have another size or type than its first one (" +
                 other + "); these planes are empty",
             m_to);
    if (n_nowhere > n_other * samples)
        warn(m_first,
             std::to_string(n_nowhere - n_other * samples) + " of " + std::to_string(image->planes.size()) +
                 " planes of " + title + " are in no page; they are empty",
             m_to);
    return n_nowhere < n * samples;
}

/* -- Positions ------------------------------------------------------------------------------------------------- */

/* A number with its unit; has_unit: the unit is said, even if as "". */
struct Quantity {
    bool is_there = false;
    double value = 0;
    std::string unit{};
};

static Quantity read_quantity(Node of, const char *name, const char *default_unit)
{
    Quantity quantity;
    const char *unit = attribute(of, (std::string(name) + "Unit").c_str());
    quantity.is_there = read_number(attribute(of, name), &quantity.value);
    quantity.unit = unit != nullptr ? trimmed(unit) : default_unit;
    return quantity;
}

/* What a Plane says; before 2008-09 in elements of their own. */
static Quantity of_plane(Node plane, const char *name, const char *default_unit, const char *old_element)
{
    const Quantity quantity = read_quantity(plane, name, default_unit);
    return quantity.is_there ? quantity : read_quantity(child(plane, old_element), name, default_unit);
}

/* The spacing of an axis; a size that is not positive says nothing. A unit that NGFF does not have is kept. */
static void read_spacing(const Quantity &size, const char *name, char letter, StackAxis *axis, StackImage *image)
{
    if (!size.is_there || !(size.value > 0))
        return;
    const Unit unit = unit_of_text(letter, size.unit);
    axis->scale = size.value * unit.factor;
    axis->unit = unit.name;
    if (unit.name == nullptr)
        keep("OME_", std::string(name) + "Unit", size.unit, image);
}

/* Spacing by what the planes along an axis say, where there is no other. */
static void read_places(const std::vector<Quantity> &places, char letter, StackAxis *axis)
{
    std::vector<double> values;
    const Unit unit = places.empty() ? Unit() : unit_of_text(letter, places[0].unit);
    for (const Quantity &place : places) {
        if (!place.is_there || place.unit != places[0].unit)
            return;
        values.push_back(place.value * unit.factor);
    }
    if (values.size() < 2 || unit.name == nullptr || std::adjacent_find(values.begin(), values.end()) != values.end())
        return; /* no places: they do not move */
    const double step = even_step(values);
    axis->unit = unit.name;
    if (step > 0) {
        axis->scale = step;
        axis->translation = values[0];
    } else {
        axis->values = values;
    }
}

/* The position of the stage, of the first plane; where it has no unit that the axis can be measured by, it is kept. */
static void read_position(const Quantity &position, const char *name, StackAxis *axis, StackImage *image)
{
    if (!position.is_there)
        return;
    const Unit unit = unit_of_text('x', position.unit);
    const double ratio = unit_ratio(unit.name, axis->unit);
    if (ratio > 0)
        axis->translation = position.value * unit.factor * ratio;
    else
        keep("OME_", name, std::string(CPLSPrintf("%.17g ", position.value)) + position.unit, image);
}

static void read_positions(Node element, Node pixels, StackImage *image)
{
    static const char micrometre[] = "\xC2\xB5m", reference[] = "reference frame";
    static const struct {
        const char *size, *old_size, *position;
        StackAxis StackImage::*axis;
    } of_space[] = {{"PhysicalSizeX", "PixelSizeX", "PositionX", &StackImage::x},
                    {"PhysicalSizeY", "PixelSizeY", "PositionY", &StackImage::y},
                    {"PhysicalSizeZ", "PixelSizeZ", "PositionZ", &StackImage::z}};
    for (const auto &one : of_space) {
        const Quantity size = read_quantity(pixels, one.size, micrometre);
        read_spacing(size.is_there ? size : read_quantity(element, one.old_size, micrometre), one.size, 'x',
                     &(image->*one.axis), image);
    }
    const Quantity step = read_quantity(pixels, "TimeIncrement", "s");
    read_spacing(step.is_there ? step : read_quantity(element, "TimeIncrement", "s"), "TimeIncrement", 't', &image->t,
                 image);

    Quantity positions[3];
    std::vector<Quantity> times(static_cast<size_t>(image->t.size)), heights(static_cast<size_t>(image->z.size));
    for (Node plane = child(pixels, "Plane"); plane != nullptr; plane = find(plane->psNext, "Plane")) {
        int64_t z = 0, c = 0, t = 0;
        read_count(plane, "TheZ", &z);
        read_count(plane, "TheC", &c);
        read_count(plane, "TheT", &t);
        if (c == 0 && z == 0 && t < image->t.size)
            times[static_cast<size_t>(t)] = of_plane(plane, "DeltaT", "s", "PlaneTiming");
        if (c == 0 && t == 0 && z < image->z.size)
            heights[static_cast<size_t>(z)] = of_plane(plane, "PositionZ", reference, "StagePosition");
        for (size_t i = 0; i < 3 && c == 0 && t == 0 && z == 0; i++)
            positions[i] = of_plane(plane, of_space[i].position, reference, "StagePosition");
    }
    if (!step.is_there || !(step.value > 0))
        read_places(times, 't', &image->t);
    if (image->z.unit == nullptr)
        read_places(heights, 'z', &image->z);
    for (size_t i = 0; i < 3; i++)
        if ((image->*of_space[i].axis).values.empty())
            read_position(positions[i], of_space[i].position, &(image->*of_space[i].axis), image);
}

/* -- Channels -------------------------------------------------------------------------------------------------- */

/* OME's colours are RGBA in 32 bits, signed since 2010-06. */
static int64_t read_color(Node channel)
{
    double number = 0;
    if (!read_number(attribute(channel, "Color"), &number) || std::fabs(number) > UINT32_MAX)
        return -1;
    return static_cast<uint32_t>(static_cast<int64_t>(number)) >> 8;
}

/* Before 2009-09 a colour was a word. */
static int64_t color_of_domain(Node component)
{
    const std::string domain = text_attribute(component, "ColorDomain");
    const size_t at = domain.find_first_of("rRgGbB");
    return at == std::string::npos               ? -1
           : strchr("rR", domain[at]) != nullptr ? 0xFF0000
           : strchr("gG", domain[at]) != nullptr ? 0x00FF00
                                                 : 0x0000FF;
}

static std::string channel_name(Node channel)
{
    const std::string name = text_attribute(channel, "Name");
    return name.empty() ? text_attribute(channel, "Fluor") : name;
}

/* Keeps attributes of an element that have no place. */
static void keep_attributes(Node element, const std::string &prefix, const char *without, StackImage *image)
{
    const CPLStringList known(CSLTokenizeString2(without, " ", 0));
    for (Node node = element != nullptr ? element->psChild : nullptr; node != nullptr; node = node->psNext)
        if (node->eType == CXT_Attribute && known.FindString(local_name(node)) < 0 && node->psChild != nullptr)
            keep(prefix, local_name(node), node->psChild->pszValue, image);
}

static void read_channels(Node element, Node pixels, const TiffPage &key, StackImage *image)
{
    constexpr size_t most_kept = 256;
    std::vector<StackChannel> said; /* of each group of samples */
    for (Node node = child(pixels, "Channel"); node != nullptr; node = find(node->psNext, "Channel")) {
        StackChannel channel;
        channel.name = channel_name(node);
        channel.color = read_color(node);
        if (said.size() < most_kept)
            keep_attributes(node, "OME_Channel_" + std::to_string(said.size()) + "_", "ID Name Color SamplesPerPixel",
                            image);
        said.push_back(channel);
    }
    for (const char *name : {"LogicalChannel", "ChannelInfo"}) { /* before 2009-09, before 2008-02 */
        if (!said.empty())
            break;
        for (Node node = child(element, name); node != nullptr; node = find(node->psNext, name)) {
            StackChannel channel;
            channel.name = channel_name(node);
            Node component = child(node, "ChannelComponent");
            const size_t n_before = said.size();
            for (; component != nullptr; component = find(component->psNext, "ChannelComponent")) {
                channel.color = color_of_domain(component);
                said.push_back(channel);
            }
            if (said.size() == n_before)
                said.push_back(channel);
        }
    }
    const bool is_rgb = key.photometric == 2 && key.samples >= 3;
    const auto samples = static_cast<size_t>(key.samples), n = static_cast<size_t>(image->c.size);
    if (said.empty() && !is_rgb)
        return;
    static const struct {
        const char *name;
        int64_t color;
    } of_rgb[] = {{"Red", 0xFF0000}, {"Green", 0x00FF00}, {"Blue", 0x0000FF}};
    image->channels.resize(n);
    for (size_t i = 0; i < n; i++) {
        StackChannel &channel = image->channels[i];
        const bool is_of_sample = samples == 1 || said.size() == n; /* some writers have a Channel for each sample */
        const size_t group = is_of_sample ? i : i / samples, sample = i % samples;
        if (group < said.size())
            channel = said[group];
        if (is_rgb && !is_of_sample && sample < 3) {
            channel.name =
                n == samples || channel.name.empty() ? of_rgb[sample].name : channel.name + " " + of_rgb[sample].name;
            channel.color = of_rgb[sample].color;
        } else if (is_rgb && !is_of_sample) { /* opacity, or nobody knows what */
            channel = StackChannel();
        }
    }
    if (std::all_of(image->channels.begin(), image->channels.end(),
                    [](const StackChannel &channel) { return channel.name.empty() && channel.color < 0; }))
        image->channels.clear();
}

/* -- Images ---------------------------------------------------------------------------------------------------- */

static bool is_annotated(Node element, const std::string &id)
{
    for (Node of : {element, pixels_of(element)})
        for (Node ref = child(of, "AnnotationRef"); ref != nullptr; ref = find(ref->psNext, "AnnotationRef"))
            if (text_attribute(ref, "ID") == id)
                return true;
    return false;
}

/* Annotations "ModuloAlongT" and its kin say that an axis holds a second one: a lifetime within each time. NGFF has no axis
 * for it, so that the planes stay along the first one, without its spacing, which holds only between groups of planes. */
void OmeReader::read_modulo(Node element, const std::string &title, StackImage *image)
{
    const Node first = child(m_root, "Image");
    const bool is_only = first != nullptr && find(first->psNext, "Image") == nullptr;
    Node annotation = child(child(m_root, "StructuredAnnotations"), "XMLAnnotation");
    for (; annotation != nullptr; annotation = find(annotation->psNext, "XMLAnnotation")) {
        const Node modulo = child(child(annotation, "Value"), "Modulo");
        if (modulo == nullptr || (!is_only && !is_annotated(element, text_attribute(annotation, "ID"))))
            continue;
        const std::pair<char, StackAxis *> axes[] = {{'t', &image->t}, {'c', &image->c}, {'z', &image->z}};
        for (const auto &[letter, axis] : axes) {
            const std::string name = std::string("ModuloAlong") + static_cast<char>(letter - 'a' + 'A');
            const Node along = child(modulo, name.c_str());
            if (along == nullptr || axis->size == 1)
                continue;
            StackAxis plain;
            plain.size = axis->size;
            *axis = plain;
            keep_attributes(along, "OME_" + name + "_", "", image);
            const std::string type = text_attribute(along, "Type");
            warn(m_first,
                 title + ": its axis " + letter + " holds a second one, " + (type.empty() ? "of some type" : type) +
                     " (" + name + "), which NGFF has no axis for: all planes stay along " + letter +
                     ", without spacing. AXES, AXIS_SCALE and AXIS_UNITS say otherwise",
                 m_to);
        }
    }
}

/* The objective that an image was taken with, and what else is short and of use. */
static void keep_others(Node root, Node element, StackImage *image)
{
    keep("OME_", "Description", text_of(child(element, "Description")), image);
    for (const char *name : {"AcquisitionDate", "AcquiredDate", "CreationDate"}) /* 2012-06 on, 2009-09 on, before */
        keep("OME_", "AcquisitionDate", text_of(child(element, name)), image);
    Node settings = child(element, "ObjectiveSettings");
    if (settings == nullptr)
        settings = child(element, "ObjectiveRef");
    const std::string id = text_attribute(settings, "ID");
    if (id.empty())
        return;
    for (Node instrument = child(root, "Instrument"); instrument != nullptr;
         instrument = find(instrument->psNext, "Instrument"))
        for (Node objective = child(instrument, "Objective"); objective != nullptr;
             objective = find(objective->psNext, "Objective"))
            if (text_attribute(objective, "ID") == id) {
                keep_attributes(objective, "OME_Objective_", "ID", image);
                return;
            }
}

/* Adds the image that an element describes, or says why not, in a warning. False, with an error: another file of the set
 * cannot be had. */
bool OmeReader::read_image(Node element, bool has_no_data_at_all, int64_t *next_page)
{
    const Node pixels = pixels_of(element);
    std::string title = text_attribute(element, "Name");
    title = "image " + (title.empty() ? text_attribute(element, "ID") : "\"" + title + "\"");
    const auto leave_out = [&](const std::string &why) {
        warn(m_first, "the OME-XML of " + title + " is no use: " + why, m_to);
        return true;
    };
    int64_t width = 0, height = 0, n_z = 0, n_c = 0, n_t = 0;
    if (!read_count(pixels, "SizeX", &width) || !read_count(pixels, "SizeY", &height) ||
        !read_count(pixels, "SizeZ", &n_z) || !read_count(pixels, "SizeC", &n_c) ||
        !read_count(pixels, "SizeT", &n_t) || n_z < 1 || n_c < 1 || n_t < 1)
        return leave_out("its sizes are not all said");
    const std::string order = text_attribute(pixels, "DimensionOrder");
    std::string sorted = order.size() == 5 && order.compare(0, 2, "XY") == 0 ? order.substr(2) : std::string();
    std::sort(sorted.begin(), sorted.end());
    if (sorted != "CTZ")
        return leave_out("its DimensionOrder is \"" + order + "\"");

    std::vector<Run> runs;
    if (!read_runs(pixels, has_no_data_at_all, next_page, &runs))
        return false;
    const TiffPage *key = key_page(runs);
    if (key == nullptr)
        return leave_out("no TiffData says in which pages it is");
    if (key->width != width || key->height != height)
        return leave_out("it says " + std::to_string(width) + " x " + std::to_string(height) +
                         " pixels, and its pages have " + std::to_string(key->width) + " x " +
                         std::to_string(key->height));
    if (n_c % key->samples != 0) {
        warn(m_first,
             title + " has " + std::to_string(key->samples) + " samples per pixel, and its OME-XML says " +
                 std::to_string(n_c) + " channels: the pages are believed",
             m_to);
        n_c = std::max<int64_t>(n_c / key->samples, 1) * key->samples;
    }
    const int64_t n_planes = plane_product(plane_product(n_z, n_c), n_t);
    if (n_planes < 0 || m_n_planes + n_planes > most_planes)
        return leave_out("it says " + std::to_string(n_t) + " times " + std::to_string(n_c) + " channels times " +
                         std::to_string(n_z) + " planes along z, more than " + std::to_string(most_planes) +
                         " in all, and no more can be used");

    StackImage image = image_of(*key);
    image.name = text_attribute(element, "Name");
    image.xml_image = m_numbers[element];
    image.t.size = n_t;
    image.c.size = n_c;
    image.z.size = n_z;
    *next_page += n_planes / key->samples;
    if (!place_planes(order, runs, *key, title, &image))
        return leave_out("none of its planes is in a page");
    m_n_planes += n_planes;
    read_positions(element, pixels, &image);
    read_modulo(element, title, &image);
    read_channels(element, pixels, *key, &image);
    keep_others(m_root, element, &image);
    m_to->images.push_back(std::move(image));
    return true;
}

/* The text of a file that only carries OME-XML for others; "", with an error: it cannot be had. */
static std::string read_companion(const std::string &path)
{
    GByte *bytes = nullptr;
    vsi_l_offset n = 0;
    std::string text;
    if (!VSIIngestFile(nullptr, path.c_str(), &bytes, &n, most_tree_bytes))
        return text;
    text.assign(reinterpret_cast<const char *>(bytes), static_cast<size_t>(n));
    VSIFree(bytes);
    return text;
}

Outcome OmeReader::read(const std::string &text)
{
    std::string reason;
    Xml tree = parse_xml(text, &reason);
    const auto no_use = [&](const std::string &why) {
        warn(m_first, "its OME-XML " + why + "; its pages are taken as they stand, see AXES", m_to);
        return Outcome::OTHER;
    };
    m_root = find(tree.get(), "OME");
    if (m_root == nullptr)
        return no_use(reason.empty() ? "has no root element OME" : reason);
    m_uuid = text_attribute(m_root, "UUID");
    m_to->xml = utf8(text);
    if (const Node elsewhere = child(m_root, "BinaryOnly"); elsewhere != nullptr) {
        const std::string name = text_attribute(elsewhere, "MetadataFile"), path = beside(m_first.path, name);
        const std::string what = "the OME-XML of its planes is in \"" + name + "\"";
        bool has_doctype = false;
        std::string other;
        {
            const QuietErrors quiet;
            other = is_plain_name(name) ? read_companion(path) : std::string();
        }
        if (other.compare(0, 2, "II") == 0 || other.compare(0, 2, "MM") == 0) {
            refuse(what + "; open that one instead");
            return Outcome::REFUSED;
        }
        if (root_tag(other, &has_doctype).empty()) {
            refuse(what + ", which cannot be read in the same folder; put it there");
            return Outcome::REFUSED;
        }
        tree = parse_xml(other, &reason);
        m_root = find(tree.get(), "OME");
        if (m_root == nullptr) {
            refuse(what + ", which " + reason + "; correct it");
            return Outcome::REFUSED;
        }
        m_to->xml = utf8(other);
    }

    m_to->files = {m_first.path};
    m_is_taken.resize(m_first.pages.size());
    find_only_name();
    std::vector<Node> images;
    bool has_no_data_at_all = true;
    for (Node image = child(m_root, "Image"); image != nullptr; image = find(image->psNext, "Image")) {
        has_no_data_at_all = has_no_data_at_all && child(pixels_of(image), "TiffData") == nullptr;
        m_numbers.emplace(image, static_cast<int>(m_numbers.size()));
        images.push_back(image);
    }
    leave_out_elsewhere(&images);
    int64_t next_page = 0;
    for (const Node image : images)
        if (!read_image(image, has_no_data_at_all, &next_page))
            return Outcome::REFUSED;
    if (m_to->images.empty())
        return no_use("describes no image that is in its pages");
    return add_other_pages(m_first, m_is_taken, m_to) ? Outcome::READ : Outcome::REFUSED;
}

bool is_ome_xml(const std::string &description)
{
    bool has_doctype = false;
    return !root_tag(description, &has_doctype).empty();
}

Outcome read_ome_xml(const TiffFile &first, WalkFile walk, StackDescription *to)
{
    return OmeReader(first, walk, to).read(first.description);
}
