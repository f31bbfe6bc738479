/* describe.cpp: see describe.h. */
#include "describe.h"

#include <algorithm>

#include "cpl_error.h"

/* -- Pages that say nothing of themselves ---------------------------------------------------------------------- */

/* True for pages that can be planes of one array. */
static bool is_alike(const TiffPage &a, const TiffPage &b)
{
    return a.width == b.width && a.height == b.height && a.bits == b.bits && a.sample_format == b.sample_format &&
           a.samples == b.samples;
}

/* Pages of equal shape and type are one image, along z; of each, samples are channels. Smaller copies and masks are no
 * planes. */
static bool describe_pages(const TiffFile &first, StackDescription *to)
{
    std::vector<std::vector<int64_t>> groups;
    for (size_t i = 0; i < first.pages.size(); i++) {
        const TiffPage &page = first.pages[i];
        if ((page.is_reduced || page.is_mask) && i > 0)
            continue;
        const auto at = std::find_if(groups.begin(), groups.end(), [&](const std::vector<int64_t> &group) {
            return is_alike(first.pages[static_cast<size_t>(group[0])], page);
        });
        (at != groups.end() ? *at : groups.emplace_back()).push_back(static_cast<int64_t>(i));
    }
    to->kind = "pages";
    to->files = {first.path};
    for (const std::vector<int64_t> &group : groups) {
        const TiffPage &page = first.pages[static_cast<size_t>(group[0])];
        StackImage image;
        image.width = page.width;
        image.height = page.height;
        image.samples = page.samples;
        image.c.size = page.samples;
        image.z.size = static_cast<int64_t>(group.size());
        image.y.size = page.height;
        image.x.size = page.width;
        if (image.c.size * image.z.size > INT32_MAX) {
            CPLError(CE_Failure, CPLE_NotSupported, "%s: %d pages of %d samples are too many", first.path.c_str(),
                     static_cast<int>(group.size()), page.samples);
            return false;
        }
        for (int sample = 0; sample < page.samples; sample++)
            for (const int64_t number : group) {
                StackPlane plane;
                plane.page = number;
                plane.sample = sample;
                image.planes.push_back(plane);
            }
        to->images.push_back(std::move(image));
    }
    return true;
}

/* -- All kinds ------------------------------------------------------------------------------------------------- */

bool describe_stack(const TiffFile &first, WalkFile walk, StackDescription *to)
{
    (void)walk;
    *to = StackDescription();
    return describe_pages(first, to);
}
