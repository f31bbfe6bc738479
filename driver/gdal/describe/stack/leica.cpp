/* leica.cpp: whole slides by Leica (SCN): XML in the first page's description lists images, each with its pages (channel, focal
 * plane, level) and where it lies on the glass, in nanometres. One image is of the whole glass: it comes last, though its
 * pages come first. */
#include "describe/stack/kinds.h"
#include "describe/stack/xmltree.h"

#include <algorithm>

bool is_leica(const std::string &description)
{
    constexpr size_t most_prolog = 1024;
    return description.substr(0, most_prolog).find("<scn ") != std::string::npos;
}

/* Pages of the full size by channel and focal plane. False, with the reason, if one is not there or not as the others. Pages of
 * levels are taken, too, and belong to no image. */
static bool place_pages(const TiffFile &file, Node pixels, std::vector<bool> *is_taken, StackImage *image,
                        std::string *reason)
{
    struct Place {
        int64_t c = 0, z = 0, page = 0;
    };
    std::vector<Place> places;
    int64_t n_c = 0, n_z = 0;
    for (Node one = child(pixels, "dimension"); one != nullptr; one = find(one->psNext, "dimension")) {
        Place place;
        int64_t level = 0;
        read_count(one, "r", &level);
        read_count(one, "c", &place.c);
        read_count(one, "z", &place.z);
        if (!read_count(one, "ifd", &place.page) || place.page >= static_cast<int64_t>(file.pages.size())) {
            *reason = "names a page that is not there";
            return false;
        }
        (*is_taken)[static_cast<size_t>(place.page)] = true;
        if (level > 0)
            continue;
        places.push_back(place);
        n_c = std::max(n_c, place.c + 1);
        n_z = std::max(n_z, place.z + 1);
    }
    const int64_t n = plane_product(n_c, n_z);
    if (places.empty() || n != static_cast<int64_t>(places.size())) {
        *reason = "names " + std::to_string(places.size()) + " pages for " + std::to_string(n_c) + " channels and " +
                  std::to_string(n_z) + " focal planes";
        return false;
    }
    const TiffPage &page = file.pages[static_cast<size_t>(places[0].page)];
    *image = image_of(page);
    image->c.size = n_c * page.samples;
    image->z.size = n_z;
    if (plane_product(n, page.samples) < 0) {
        *reason = "names more planes than " + std::to_string(most_planes);
        return false;
    }
    image->planes.resize(static_cast<size_t>(n * page.samples));
    for (const Place &place : places) {
        if (!is_alike(file.pages[static_cast<size_t>(place.page)], page)) {
            *reason = "names pages of several sizes or types as planes of one image";
            return false;
        }
        for (int sample = 0; sample < page.samples; sample++) {
            StackPlane &plane = image->planes[plane_at(*image, 0, place.c * page.samples + sample, place.z)];
            plane.page = place.page;
            plane.sample = sample;
        }
    }
    if (std::any_of(image->planes.begin(), image->planes.end(), [](const StackPlane &p) { return p.page < 0; })) {
        *reason = "names a channel or focal plane twice and another never";
        return false;
    }
    return true;
}

/* Nanometres of a view, which begins at the edge of the first pixel, to micrometres of an axis, which has its centre. */
static void place_axis(Node view, const char *size, const char *offset, int64_t n_pixels, StackAxis *axis)
{
    int64_t length = 0, start = 0;
    if (!read_count(view, size, &length) || length == 0 || n_pixels == 0)
        return;
    read_count(view, offset, &start);
    axis->scale = static_cast<double>(length) / static_cast<double>(n_pixels) / 1000;
    axis->translation = static_cast<double>(start) / 1000 + axis->scale / 2;
    axis->unit = unit_of_text('x', "um").name;
}

Outcome read_leica(const TiffFile &first, WalkFile, StackDescription *to)
{
    std::string reason;
    const Xml tree = parse_xml(first.description, &reason);
    const Node collection = child(find(tree.get(), "scn"), "collection");
    const auto no_use = [&](const std::string &why) {
        warn(first, "Leica's XML " + why + "; its pages are taken as they stand", to);
        return Outcome::OTHER;
    };
    if (tree == nullptr)
        return no_use(reason);
    std::vector<StackImage> slides, glasses;
    std::vector<bool> is_taken(first.pages.size());
    int64_t n_planes = 0;
    for (Node one = child(collection, "image"); one != nullptr; one = find(one->psNext, "image")) {
        const Node view = child(one, "view"), settings = child(child(one, "scanSettings"), "objectiveSettings");
        StackImage image;
        if (!place_pages(first, child(one, "pixels"), &is_taken, &image, &reason))
            return no_use(reason);
        n_planes += static_cast<int64_t>(image.planes.size());
        if (n_planes > most_planes)
            return no_use("names more planes than " + std::to_string(most_planes));
        image.name = text_attribute(one, "name");
        place_axis(view, "sizeX", "offsetX", image.width, &image.x);
        place_axis(view, "sizeY", "offsetY", image.height, &image.y);
        keep("LEICA_", "Objective", text_of(child(settings, "objective")), &image);
        keep("LEICA_", "CreationDate", text_of(child(one, "creationDate")), &image);
        keep("LEICA_", "Device", text_attribute(child(one, "device"), "model"), &image);
        keep("LEICA_", "Collection", text_attribute(collection, "name"), &image);
        const bool is_glass = text_attribute(view, "sizeX") == text_attribute(collection, "sizeX") &&
                              text_attribute(view, "sizeY") == text_attribute(collection, "sizeY");
        (is_glass ? glasses : slides).push_back(std::move(image));
    }
    if (slides.empty() && glasses.empty())
        return no_use("names no image");
    to->files = {first.path};
    to->images = std::move(slides);
    for (StackImage &glass : glasses)
        to->images.push_back(std::move(glass));
    return add_other_pages(first, is_taken, to) ? Outcome::READ : Outcome::REFUSED;
}
