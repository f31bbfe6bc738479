/* shaped.cpp: what Python's tifffile writes into the first page of an array: {"shape": [2, 4, 20, 24], "axes": "TZYX"},
 * axes where it was told them, and shape=(2, 4, 20, 24) before 2018. The last axes are those of a page, the others count
 * its pages in C order. One axis that is not said is z, two are t and z. */
#include "describe/stack/kinds.h"

#include <cstdlib>

#include "describe/json_read.h"

namespace
{

struct Shaped {
    std::vector<int64_t> shape{};
    std::string axes{}; /* "" or a letter for each */
};

} // namespace

static const char old_head[] = "shape=(";

static bool read_old(const std::string &text, Shaped *to)
{
    const char *at = text.c_str() + strlen(old_head);
    for (char *end = nullptr; *at != '\0' && *at != ')'; at = *end == ',' ? end + 1 : end) {
        to->shape.push_back(strtoll(at, &end, 10));
        if (end == at)
            return false;
    }
    return true;
}

static bool read_json(const CPLJSONObject &root, Shaped *to)
{
    const CPLJSONObject shape = member_of(root, "shape");
    if (!is_type(shape, CPLJSONObject::Type::Array))
        return false;
    for (const CPLJSONObject &size : shape.ToArray())
        to->shape.push_back(size.ToLong(-1));
    to->axes = text_member(root, "axes");
    return true;
}

/* Takes the axes of a page off the end of the shape; false if they are not there. */
static bool take_page(const TiffPage &page, Shaped *to)
{
    const std::vector<std::vector<int64_t>> forms = {
        page.planar == 2 && page.samples > 1 ? std::vector<int64_t>{page.samples, page.height, page.width}
                                             : std::vector<int64_t>{page.height, page.width, page.samples},
        page.samples == 1 ? std::vector<int64_t>{page.height, page.width} : std::vector<int64_t>{}};
    for (const auto &form : forms) {
        const size_t n = to->shape.size();
        if (form.empty() || n < form.size() ||
            !std::equal(form.begin(), form.end(), to->shape.end() - static_cast<ptrdiff_t>(form.size())))
            continue;
        if (to->axes.size() != n)
            to->axes.clear();
        to->shape.resize(n - form.size());
        to->axes.resize(to->axes.empty() ? 0 : n - form.size());
        return true;
    }
    return false;
}

/* Gives each axis t, c or z; false if there are more of them. *n_guessed: how many were not said. */
static bool give_letters(const Shaped &shaped, std::string *letters, int *n_guessed)
{
    std::string used;
    *n_guessed = 0;
    letters->assign(shaped.shape.size(), '?');
    for (size_t i = 0; i < shaped.axes.size(); i++) {
        const size_t known = std::string("TCZ").find(shaped.axes[i]);
        if (known != std::string::npos && used.find("tcz"[known]) == std::string::npos)
            used += (*letters)[i] = "tcz"[known];
    }
    std::vector<size_t> unknown;
    for (size_t i = 0; i < letters->size(); i++)
        if ((*letters)[i] == '?' && shaped.shape[i] != 1)
            unknown.push_back(i);
    std::string free;
    for (const char letter : {'t', 'c', 'z'})
        if (used.find(letter) == std::string::npos)
            free += letter;
    if (unknown.size() > free.size())
        return false;
    for (const char letter : {'c', 't'}) /* a slider is less of a claim than colours */
        if (const size_t at = free.find(letter); unknown.size() < free.size() && at != std::string::npos)
            free.erase(at, 1);
    for (size_t i = 0; i < unknown.size(); i++)
        (*letters)[unknown[i]] = free[i];
    *n_guessed = static_cast<int>(unknown.size());
    return true;
}

static std::string in_words(const Shaped &shaped, const std::string &letters)
{
    std::string words;
    for (size_t i = 0; i < letters.size(); i++)
        if (letters[i] != '?')
            words += (words.empty() ? "" : ", ") + std::string(1, letters[i]) + ":" + std::to_string(shaped.shape[i]);
    return words;
}

bool is_shaped(const std::string &description)
{
    return STARTS_WITH(description.c_str(), old_head) ||
           (description.compare(0, 1, "{") == 0 && description.find("\"shape\":") != std::string::npos);
}

Outcome read_shaped(const TiffFile &first, WalkFile, StackDescription *to)
{
    constexpr size_t most_axes = 32;
    const std::string &text = first.description;
    const bool is_old = STARTS_WITH(text.c_str(), old_head);
    const auto no_use = [&](const std::string &why) {
        warn(first, "tifffile's description " + why + "; the pages are taken as they stand, see AXES", to);
        return Outcome::OTHER;
    };
    Shaped shaped;
    CPLJSONDocument document;
    if (is_old ? !read_old(text, &shaped)
               : !parse(utf8(text).c_str(), "tifffile's description", &document) ||
                     !read_json(document.GetRoot(), &shaped))
        return no_use("is broken");
    if (shaped.shape.size() > most_axes)
        return no_use("has " + std::to_string(shaped.shape.size()) + " axes");
    const TiffPage &page = first.pages[0];
    if (!take_page(page, &shaped))
        return no_use("has a shape that its pages of " + std::to_string(page.width) + " x " +
                      std::to_string(page.height) + " pixels do not have");
    int64_t n = 1;
    for (const int64_t size : shaped.shape)
        n = size > 0 ? plane_product(n, size) : -1;
    if (plane_product(n, page.samples) < 1)
        return no_use("has a shape of no planes, or of more than " + std::to_string(most_planes));

    size_t n_alike = 1;
    while (n_alike < first.pages.size() && is_alike(first.pages[n_alike], page))
        n_alike++;
    if (n == 1 && n_alike > 1) /* each page was written by itself: none speaks of the others */
        return Outcome::OTHER;
    const bool is_raw = n > 1 && n_alike == 1 && page.pixels_at >= 0;
    if (!is_raw && n > static_cast<int64_t>(n_alike))
        return no_use("speaks of " + std::to_string(n) + " planes, and " + std::to_string(n_alike) +
                      (n_alike == 1 ? " is" : " are") + " in the file");
    std::string letters;
    int n_guessed = 0;
    if (!give_letters(shaped, &letters, &n_guessed))
        return no_use("has more axes than t, c, z, y, x");
    if (n_guessed > 1)
        warn(first,
             "tifffile's description does not say what all its axes are; they are taken for " +
                 in_words(shaped, letters) + ", AXES says otherwise",
             to);

    StackImage image = image_of(page);
    for (size_t i = 0; i < letters.size(); i++) {
        StackAxis &axis = letters[i] == 't' ? image.t : letters[i] == 'c' ? image.c : image.z;
        if (letters[i] != '?')
            axis.size = shaped.shape[i];
    }
    image.c.size *= page.samples;
    image.planes.resize(static_cast<size_t>(n * page.samples));
    std::vector<size_t> places;
    std::vector<bool> is_taken(first.pages.size());
    for (int64_t i = 0; i < n; i++) {
        int64_t t = 0, c = 0, z = 0, rest = i;
        for (size_t axis = letters.size(); axis-- > 0; rest /= shaped.shape[axis])
            (letters[axis] == 't' ? t : letters[axis] == 'c' ? c : z) += rest % shaped.shape[axis];
        is_taken[is_raw ? 0 : static_cast<size_t>(i)] = true;
        for (int sample = 0; sample < page.samples; sample++) {
            places.push_back(plane_at(image, t, c * page.samples + sample, z));
            StackPlane &plane = image.planes[places.back()];
            plane.page = is_raw ? 0 : i;
            plane.sample = sample;
        }
    }
    to->files = {first.path};
    if (is_raw && !place_raw_planes(first, n, places, &image))
        return Outcome::REFUSED;
    if (!is_old)
        for (const CPLJSONObject &child : document.GetRoot().GetChildren()) {
            const std::string name = child.GetName();
            const bool is_text = is_type(child, CPLJSONObject::Type::String);
            if (name == "name" && is_text)
                image.name = utf8(child.ToString());
            else if (name != "shape" && name != "axes" && name != "truncated")
                keep("TIFFFILE_", name, is_text ? child.ToString() : child.Format(CPLJSONObject::PrettyFormat::Plain),
                     &image);
        }
    to->images.push_back(std::move(image));
    return add_other_pages(first, is_taken, to) ? Outcome::READ : Outcome::REFUSED;
}
