/* aperio.cpp: whole slides by Aperio (SVS). The description begins with "Aperio" and has items KEY = VALUE between bars; MPP
 * are micrometres per pixel. Pages, as openslide and tifffile read them: the slide, its thumbnail, then smaller copies
 * and further focal planes of the slide in tiles, then the label and a picture of the whole glass (macro) in strips. */
#include "describe/stack/kinds.h"

#include <algorithm>

#include "describe/dimensions.h"

/* What the second line of a page's own description begins with: "label", "macro". */
static std::string name_of(const TiffFile &file, const TiffPage &page)
{
    constexpr int64_t most_text = 4096;
    const std::string text = bytes_at(file.path, page.text_at, std::min(page.text_size, most_text));
    const size_t line = text.find('\n');
    const std::string second = line != std::string::npos ? trimmed(text.substr(line)) : std::string();
    return second.compare(0, 6, "label ") == 0 ? "label" : second.compare(0, 6, "macro ") == 0 ? "macro" : "";
}

bool is_aperio(const std::string &description)
{
    return description.compare(0, 7, "Aperio ") == 0;
}

Outcome read_aperio(const TiffFile &first, WalkFile, StackDescription *to)
{
    const TiffPage &base = first.pages[0];
    int64_t n_planes = 0;
    for (const TiffPage &page : first.pages)
        n_planes += page.samples;
    if (!base.is_tiled || n_planes > most_planes) {
        warn(first, "its description is one of Aperio's slides, and its pages are none; they are taken as they stand",
             to);
        return Outcome::OTHER;
    }
    std::vector<int64_t> pages = {0};
    std::vector<bool> is_taken(first.pages.size());
    is_taken[0] = true;
    to->files = {first.path};
    to->images.emplace_back(); /* the slide, see below */
    for (size_t i = 1; i < first.pages.size(); i++) {
        const TiffPage &page = first.pages[i];
        is_taken[i] = true;
        if (i > 1 && page.is_tiled && !page.is_reduced) { /* else it is a copy */
            if (is_alike(page, base))
                pages.push_back(static_cast<int64_t>(i));
            continue;
        }
        StackImage other = image_of_pages(first, {static_cast<int64_t>(i)});
        other.name = i == 1 && !page.is_tiled ? "thumbnail" : name_of(first, page);
        to->images.push_back(std::move(other));
    }

    StackImage image = image_of_pages(first, pages);
    const std::string &text = first.description;
    for (size_t at = 0, end; at <= text.size(); at = end + 1) {
        end = std::min(text.find('|', at), text.size());
        const std::string item = text.substr(at, end - at);
        const size_t equals = at > 0 ? item.find('=') : std::string::npos;
        if (at == 0)
            keep("APERIO_", "Header", trimmed(item), &image);
        else if (equals != std::string::npos)
            keep("APERIO_", trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1)), &image);
    }
    double size = 0;
    if (const auto mpp = image.kept.find("APERIO_MPP");
        mpp != image.kept.end() && read_number(mpp->second.c_str(), &size) && size > 0) {
        image.x.scale = image.y.scale = size;
        image.x.unit = image.y.unit = unit_of_text('x', "um").name;
    }
    to->images[0] = std::move(image);
    return Outcome::READ;
}
