/* imagej.cpp: stacks as ImageJ writes them: lines KEY=VALUE in the description of the first page ("ImageJ=1.54f"), and what
 * stands in the private tags 50838 and 50839 (ij.io.TiffEncoder: lengths, then a header of types and counts before the
 * parts). Planes are in the order c, z, t, the first one fastest. Stacks above 4 GB have one page alone, behind whose
 * pixels the others stand. */
#include "describe/stack/kinds.h"

#include <cmath>
#include <cstring>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_string.h"

#include "describe/dimensions.h"

using Items = std::map<std::string, std::string>;

/* -- The description ------------------------------------------------------------------------------------------- */

static std::string utf8_of(uint32_t code)
{
    std::string bytes;
    if (code < 0x80) {
        bytes += static_cast<char>(code);
    } else if (code < 0x800) {
        bytes += static_cast<char>(0xC0 | code >> 6);
        bytes += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        bytes += static_cast<char>(0xE0 | code >> 12);
        bytes += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        bytes += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        bytes += static_cast<char>(0xF0 | code >> 18);
        bytes += static_cast<char>(0x80 | (code >> 12 & 0x3F));
        bytes += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        bytes += static_cast<char>(0x80 | (code & 0x3F));
    }
    return bytes;
}

/* "\u00B5m" -> "µm": Java's way to write what is not ASCII. */
static std::string unescaped(const std::string &text)
{
    std::string plain;
    for (size_t i = 0; i < text.size(); i++) {
        const bool is_escape = text[i] == '\\' && i + 5 < text.size() && text[i + 1] == 'u' &&
                               text.find_first_not_of("0123456789abcdefABCDEF", i + 2) >= i + 6;
        const uint32_t code =
            is_escape ? static_cast<uint32_t>(strtoul(text.substr(i + 2, 4).c_str(), nullptr, 16)) : 0;
        if (code >= 0x20 && (code < 0xD800 || code > 0xDFFF)) {
            plain += utf8_of(code);
            i += 5;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

static Items read_items(const std::string &description)
{
    Items items;
    const std::string text = utf8(description);
    for (size_t at = 0, end; at < text.size(); at = end + 1) {
        end = std::min(text.find_first_of("\r\n", at), text.size());
        const std::string line = text.substr(at, end - at);
        const size_t equals = line.find('=');
        if (equals != std::string::npos)
            items[trimmed(line.substr(0, equals))] = unescaped(trimmed(line.substr(equals + 1)));
    }
    return items;
}

static std::string item(const Items &items, const char *key)
{
    const auto at = items.find(key);
    return at != items.end() ? at->second : std::string();
}

static double number_item(const Items &items, const char *key)
{
    double value = 0;
    return read_number(item(items, key).c_str(), &value) ? value : 0;
}

/* 1 where nothing is said. */
static int64_t count_item(const Items &items, const char *key)
{
    const double value = number_item(items, key);
    return value >= 1 && value <= INT32_MAX ? static_cast<int64_t>(value) : 1;
}

/* -- The tags -------------------------------------------------------------------------------------------------- */

namespace
{

struct Tags {
    std::vector<std::string> info{}, labels{}, properties{}; /* properties: key, value, key, value */
    std::vector<double> ranges{};
    std::vector<int64_t> colors{}; /* of the last entry of each table */
    std::vector<std::string> others{};
};

struct Part {
    const uint8_t *bytes;
    size_t n_bytes;
    bool is_big_endian;

    uint64_t number(size_t at, size_t n) const
    {
        uint64_t value = 0;
        for (size_t i = 0; i < n; i++)
            value = value << 8 | bytes[is_big_endian ? at + i : at + n - 1 - i];
        return value;
    }
};

} // namespace

/* UTF-8 of UTF-16; what is half a pair is left out. */
static std::string read_text(const Part &part)
{
    std::string text;
    uint32_t high = 0;
    for (size_t at = 0; at + 2 <= part.n_bytes; at += 2) {
        const auto unit = static_cast<uint32_t>(part.number(at, 2));
        if (unit >= 0xD800 && unit <= 0xDBFF) {
            high = unit;
            continue;
        }
        const bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;
        if (is_low && high != 0)
            text += utf8_of(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
        else if (!is_low && unit != 0)
            text += utf8_of(unit);
        high = 0;
    }
    return text;
}

static void read_part(uint32_t type, const Part &part, Tags *to)
{
    constexpr size_t n_entries = 256;
    switch (type) {
    case 0x696E666F: /* info */
        to->info.push_back(read_text(part));
        return;
    case 0x6C61626C: /* labl */
        to->labels.push_back(read_text(part));
        return;
    case 0x70726F70: /* prop */
        to->properties.push_back(read_text(part));
        return;
    case 0x72616E67: /* rang */
        for (size_t at = 0; at + 8 <= part.n_bytes; at += 8) {
            const uint64_t bits = part.number(at, 8);
            double value = 0;
            memcpy(&value, &bits, sizeof value);
            to->ranges.push_back(value);
        }
        return;
    case 0x6C757473: { /* luts: 256 times red, 256 times green, 256 times blue */
        int64_t color = -1;
        if (part.n_bytes == 3 * n_entries)
            color =
                part.bytes[n_entries - 1] << 16 | part.bytes[2 * n_entries - 1] << 8 | part.bytes[3 * n_entries - 1];
        to->colors.push_back(color > 0 ? color : -1); /* black is the end of an inverted table, and shows nothing */
        return;
    }
    default: {
        std::string name;
        for (int shift = 24; shift >= 0; shift -= 8)
            name += static_cast<char>(type >> shift & 0x7F);
        name = trimmed(name);
        if (to->others.empty() || to->others.back() != name)
            to->others.push_back(name);
    }
    }
}

/* False if the tags are broken; what was read before stays. */
static bool read_tags(const TiffFile &file, Tags *to)
{
    const std::vector<uint32_t> &counts = file.imagej_counts;
    const std::vector<uint8_t> &data = file.imagej_data;
    if (counts.empty() || data.empty())
        return true;
    if (data.size() < 12 || counts[0] < 12 || counts[0] > data.size() ||
        (memcmp(data.data(), "IJIJ", 4) != 0 && memcmp(data.data(), "JIJI", 4) != 0))
        return false;
    const Part header = {data.data(), counts[0], data[0] == 'I'};
    size_t at = counts[0], n = 1;
    for (size_t entry = 4; entry + 8 <= header.n_bytes; entry += 8) {
        const auto type = static_cast<uint32_t>(header.number(entry, 4));
        for (uint64_t n_parts = header.number(entry + 4, 4); n_parts > 0; n_parts--, n++) {
            if (n >= counts.size() || counts[n] > data.size() - at)
                return false;
            read_part(type, {data.data() + at, counts[n], header.is_big_endian}, to);
            at += counts[n];
        }
    }
    return true;
}

/* -- The image ------------------------------------------------------------------------------------------------- */

namespace
{

/* How many planes there are of what, and the place of plane i of the file in C order of t, c, z. */
struct Layout {
    int64_t c = 1, z = 1, t = 1;
    int samples = 1;
};

} // namespace

/* c, z, t as they are said, where they give n pages; else all n are along z, with a warning. */
static Layout read_layout(const TiffFile &file, const Items &items, int64_t n, StackDescription *to)
{
    Layout layout;
    layout.samples = file.pages[0].samples;
    layout.c = count_item(items, "channels");
    layout.z = count_item(items, "slices");
    layout.t = count_item(items, "frames");
    if (layout.samples > 1 && layout.c == layout.samples && plane_product(layout.z, layout.t) == n)
        layout.c = 1; /* Bio-Formats says so of pages that have all channels as samples */
    const int64_t said = plane_product(plane_product(layout.c, layout.z), layout.t);
    if (said == n)
        return layout;
    if (said != 1)
        warn(file,
             "ImageJ's description says " + std::to_string(layout.c) + " channels, " + std::to_string(layout.z) +
                 " slices, " + std::to_string(layout.t) + " frames, and there are " + std::to_string(n) +
                 " planes; they are taken for slices, AXES says otherwise",
             to);
    layout.c = layout.t = 1;
    layout.z = n;
    return layout;
}

/* Where ImageJ's plane i with this sample is among the planes of the image. */
static size_t place_of(const Layout &layout, const StackImage &image, int64_t i, int sample)
{
    return plane_at(image, i / layout.c / layout.z, i % layout.c * layout.samples + sample, i / layout.c % layout.z);
}

static void read_axes(const TiffFile &file, const Items &items, StackImage *image)
{
    const auto unit_item = [&items](const char *key) {
        const std::string text = item(items, key);
        return unit_of_text('x', text.empty() ? item(items, "unit") : text).name;
    };
    const auto set = [](const char *unit, double size, double origin, StackAxis *axis) {
        if (unit == nullptr || !(size > 0) || !std::isfinite(size))
            return;
        axis->unit = unit;
        axis->scale = size;
        axis->translation = origin != 0 ? -origin * size : 0; /* the origin is in pixels */
    };
    set(unit_item("unit"), file.x_resolution > 0 ? 1 / file.x_resolution : 0, number_item(items, "xorigin"), &image->x);
    set(unit_item("yunit"), file.y_resolution > 0 ? 1 / file.y_resolution : 0, number_item(items, "yorigin"),
        &image->y);
    /* ImageJ leaves out a spacing of 1; programs that call themselves 1.11a (tifffile) leave out what they do not know. */
    const double spacing = std::fabs(number_item(items, "spacing"));
    const bool is_imagej = item(items, "ImageJ") != "1.11a" && image->x.unit != nullptr;
    if (image->z.size > 1)
        set(unit_item("zunit"), spacing > 0 ? spacing : is_imagej ? 1 : 0, number_item(items, "zorigin"), &image->z);
    const std::string time_unit = item(items, "tunit");
    if (image->t.size > 1)
        set(unit_of_text('t', time_unit.empty() ? "s" : time_unit).name, number_item(items, "finterval"), 0, &image->t);
}

/* A label without the place that it begins with ("c:1/2 z:1/5 - DAPI"), its first line. */
static std::string name_of_label(const std::string &label)
{
    std::string name = label.substr(0, label.find_first_of("\r\n"));
    const size_t dash = name.find(" - ");
    if (dash != std::string::npos && name.size() > 1 && strchr("czt", name[0]) != nullptr && name[1] == ':')
        name = name.substr(dash + 3);
    return trimmed(name);
}

static void read_channels(const Items &items, const Tags &tags, StackImage *image)
{
    const auto n = static_cast<size_t>(image->c.size);
    std::vector<StackChannel> channels(n);
    bool is_said = false;
    const auto set_window = [&is_said](double start, double end, StackChannel *channel) {
        if (!std::isfinite(start) || !std::isfinite(end) || !(start < end))
            return;
        channel->has_window = is_said = true;
        channel->window_start = start;
        channel->window_end = end;
    };
    for (size_t i = 0; i < n; i++) {
        if (2 * i + 1 < tags.ranges.size())
            set_window(tags.ranges[2 * i], tags.ranges[2 * i + 1], &channels[i]);
        if (i < tags.colors.size() && image->samples == 1) {
            channels[i].color = tags.colors[i];
            is_said = is_said || channels[i].color >= 0;
        }
        if (image->t.size == 1 && image->z.size == 1 && n > 1 && i < image->labels.size()) {
            channels[i].name = name_of_label(image->labels[i]);
            is_said = is_said || !channels[i].name.empty();
        }
    }
    if (tags.ranges.empty() && n == 1)
        set_window(number_item(items, "min"), number_item(items, "max"), &channels[0]);
    if (is_said)
        image->channels = std::move(channels);
}

static void keep_others(const Items &items, const Tags &tags, StackImage *image)
{
    const CPLStringList known(
        CSLTokenizeString2("ImageJ SCIFIO images channels slices frames hyperstack unit yunit zunit "
                           "spacing finterval tunit xorigin yorigin zorigin min max",
                           " ", 0));
    for (const auto &[key, value] : items)
        if (known.FindString(key.c_str()) < 0)
            keep("IMAGEJ_", key, value, image);
    for (const std::string &info : tags.info)
        keep("IMAGEJ_", "Info", info, image);
    for (size_t i = 0; i + 1 < tags.properties.size(); i += 2)
        keep("IMAGEJ_", tags.properties[i], tags.properties[i + 1], image);
}

bool is_imagej(const std::string &description)
{
    return description.compare(0, 7, "ImageJ=") == 0 || description.compare(0, 7, "SCIFIO=") == 0;
}

Outcome read_imagej(const TiffFile &first, WalkFile, StackDescription *to)
{
    const Items items = read_items(first.description);
    const TiffPage &page = first.pages[0];
    const int64_t n_said = std::max(count_item(items, "images"), int64_t(1));
    const bool is_raw = first.pages.size() == 1 && n_said > 1 && page.pixels_at >= 0;
    to->files = {first.path};

    std::vector<int64_t> pages; /* of the planes; the others are images of their own */
    std::vector<bool> is_taken(first.pages.size());
    for (size_t i = 0; i < first.pages.size(); i++)
        if (is_alike(first.pages[i], page) && !(i > 0 && (first.pages[i].is_reduced || first.pages[i].is_mask))) {
            pages.push_back(static_cast<int64_t>(i));
            is_taken[i] = true;
        }
    const int64_t n = is_raw ? n_said : static_cast<int64_t>(pages.size());
    if (plane_product(n, page.samples) < 0) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "%s: ImageJ's description says %s images, and no more than %s planes can be used; convert the first "
                 "one alone as GTIFF_DIR:1:%s",
                 first.path.c_str(), std::to_string(n).c_str(), std::to_string(most_planes).c_str(),
                 first.path.c_str());
        return Outcome::REFUSED;
    }
    if (n < n_said)
        warn(first,
             "ImageJ's description says " + std::to_string(n_said) + " images, and " + std::to_string(n) +
                 (n == 1 ? " is in the file" : " are in the file"),
             to);

    const Layout layout = read_layout(first, items, n, to);
    StackImage image = image_of(page);
    image.t.size = layout.t;
    image.c.size = layout.c * layout.samples;
    image.z.size = layout.z;
    image.planes.resize(static_cast<size_t>(n * layout.samples));
    std::vector<size_t> places;
    for (int64_t i = 0; i < n; i++)
        for (int sample = 0; sample < layout.samples; sample++)
            places.push_back(place_of(layout, image, i, sample));
    if (is_raw && !place_raw_planes(first, n, places, &image))
        return Outcome::REFUSED;
    for (size_t i = 0; !is_raw && i < places.size(); i++) {
        image.planes[places[i]].page = pages[i / static_cast<size_t>(layout.samples)];
        image.planes[places[i]].sample = static_cast<int>(i % static_cast<size_t>(layout.samples));
    }

    Tags tags;
    if (!read_tags(first, &tags))
        warn(first, "ImageJ's tags 50838 and 50839 are broken: display ranges, colours and labels may be missing", to);
    for (const std::string &name : tags.others)
        warn(first,
             "ImageJ's \"" + name + "\" (a region, overlay or plot) has no place in the image; save it from ImageJ",
             to);
    if (!tags.labels.empty()) {
        image.labels.resize(image.planes.size());
        for (size_t i = 0; i < places.size() && i / static_cast<size_t>(layout.samples) < tags.labels.size(); i++)
            image.labels[places[i]] = utf8(tags.labels[i / static_cast<size_t>(layout.samples)]);
    }
    read_axes(first, items, &image);
    read_channels(items, tags, &image);
    keep_others(items, tags, &image);
    to->images.push_back(std::move(image));
    return add_other_pages(first, is_taken, to) ? Outcome::READ : Outcome::REFUSED;
}
