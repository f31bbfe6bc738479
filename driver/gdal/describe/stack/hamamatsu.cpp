/* hamamatsu.cpp: whole slides by Hamamatsu (NDPI): tag 65421 says with which lens a page was taken: that of the first page has the
 * slide, and its focal planes; weaker ones have smaller copies; -1 is a picture of the whole glass, -2 a map of the scan. */
#include "describe/stack/kinds.h"

bool is_hamamatsu(const TiffFile &file)
{
    return file.pages[0].lens > 0;
}

Outcome read_hamamatsu(const TiffFile &first, WalkFile, StackDescription *to)
{
    const TiffPage &base = first.pages[0];
    std::vector<int64_t> pages;
    std::vector<bool> is_taken(first.pages.size());
    for (size_t i = 0; i < first.pages.size(); i++) {
        const TiffPage &page = first.pages[i];
        const bool is_plane = page.lens == base.lens && is_alike(page, base);
        const bool is_copy = page.lens > 0 && page.lens < base.lens;
        is_taken[i] = is_plane || is_copy;
        if (is_plane)
            pages.push_back(static_cast<int64_t>(i));
    }
    if (plane_product(static_cast<int64_t>(pages.size()), base.samples) < 0) {
        warn(first,
             "Hamamatsu's tags say more planes than " + std::to_string(most_planes) +
                 "; its pages are taken as they stand",
             to);
        return Outcome::OTHER;
    }
    StackImage image = image_of_pages(first, pages);
    const double per_unit[] = {first.x_resolution, first.y_resolution};
    StackAxis *const axes[] = {&image.x, &image.y};
    const double micrometres = first.resolution_unit == 3 ? 1e4 : first.resolution_unit == 2 ? 25400 : 0;
    for (int i = 0; i < 2; i++)
        if (micrometres > 0 && per_unit[i] > 0) {
            axes[i]->scale = micrometres / per_unit[i];
            axes[i]->unit = unit_of_text('x', "um").name;
        }
    keep("HAMAMATSU_", "SourceLens", std::to_string(base.lens), &image);
    to->files = {first.path};
    to->images.push_back(std::move(image));
    for (size_t i = 1; i < first.pages.size(); i++)
        if (first.pages[i].lens == -1 || first.pages[i].lens == -2) {
            StackImage other = image_of_pages(first, {static_cast<int64_t>(i)});
            other.name = first.pages[i].lens == -1 ? "macro" : "map";
            to->images.push_back(std::move(other));
            is_taken[i] = true;
        }
    return add_other_pages(first, is_taken, to) ? Outcome::READ : Outcome::REFUSED;
}
