/* zeiss.cpp: confocal stacks by Zeiss (LSM): tag 34412 of the first page says how many planes lie on z and t, how large a
 * pixel is, in metres, and where names and colours of channels stand; channels are samples of a page. Each page is followed
 * by a thumbnail. */
#include "describe/stack/kinds.h"

#include <cmath>
#include <cstring>

namespace
{

/* Where the numbers stand. */
enum {
    MAGIC = 0,
    SIZE_Z = 16,
    SIZE_CHANNELS = 20,
    SIZE_T = 24,
    VOXEL = 40,
    SCAN = 88,
    COLORS = 108,
    TIME_STEP = 112,
    ALL = 120
};

struct Info {
    std::string bytes;

    uint64_t number(int at, int n) const
    {
        uint64_t value = 0;
        for (int i = n - 1; i >= 0; i--) /* always of this order */
            value = value << 8 | static_cast<unsigned char>(bytes[static_cast<size_t>(at + i)]);
        return value;
    }
    int64_t count(int at) const
    {
        const auto value = static_cast<int64_t>(number(at, 4));
        return value >= 1 && value <= INT32_MAX ? value : 1;
    }
    double real(int at) const
    {
        const uint64_t bits = number(at, 8);
        double value = 0;
        memcpy(&value, &bits, sizeof value);
        return std::isfinite(value) && value > 0 ? value : 0;
    }
};

} // namespace

/* Names and colours of n channels: a block of its size, how many colours and names it has, where they begin in it, and
 * whether all is shown in gray; a colour has four bytes, a name its length in front and a NUL behind. None where it is broken,
 * or of another number of channels. */
static std::vector<StackChannel> read_channels(const TiffFile &first, int64_t at, int n)
{
    enum {
        SIZE = 0,
        N_COLORS = 4,
        N_NAMES = 8,
        FIRST_COLOR = 12,
        FIRST_NAME = 16,
        IS_GRAY = 20,
        HEAD = 24,
        MOST = 1 << 20
    };
    Info block{at > 0 ? bytes_at(first.path, at, HEAD) : ""};
    if (block.bytes.size() != HEAD || block.number(SIZE, 4) > MOST)
        return {};
    block.bytes = bytes_at(first.path, at, static_cast<int64_t>(block.number(SIZE, 4)));
    const uint64_t size = block.bytes.size(), colors = size >= HEAD ? block.number(FIRST_COLOR, 4) : size;
    if (size < HEAD || static_cast<int64_t>(block.number(N_COLORS, 4)) != n ||
        static_cast<int64_t>(block.number(N_NAMES, 4)) != n || colors + 4 * static_cast<uint64_t>(n) > size)
        return {};
    std::vector<StackChannel> channels(static_cast<size_t>(n));
    uint64_t name = block.number(FIRST_NAME, 4);
    for (size_t i = 0; i < channels.size(); i++) {
        const auto color = static_cast<size_t>(colors + 4 * i);
        const uint64_t length = name + 4 <= size ? block.number(static_cast<int>(name), 4) : size;
        if (name + 4 + length > size)
            return {};
        const std::string text = block.bytes.substr(static_cast<size_t>(name + 4), static_cast<size_t>(length));
        channels[i].name = utf8(trimmed(text.substr(0, text.find('\0'))));
        if (block.number(IS_GRAY, 4) == 0)
            channels[i].color = static_cast<int64_t>(block.number(static_cast<int>(color), 1) << 16 |
                                                     block.number(static_cast<int>(color) + 1, 1) << 8 |
                                                     block.number(static_cast<int>(color) + 2, 1));
        name += 4 + length;
    }
    return channels;
}

bool is_zeiss(const TiffFile &file)
{
    return file.lsm.size >= ALL;
}

Outcome read_zeiss(const TiffFile &first, WalkFile, StackDescription *to)
{
    const Info info{bytes_at(first.path, first.lsm.at, ALL)};
    const bool is_read = info.bytes.size() == ALL;
    const auto no_use = [&](const std::string &why) {
        warn(first, "Zeiss's tag 34412 " + why + "; the pages are taken for planes along z, AXES says otherwise", to);
        return Outcome::OTHER;
    };
    const uint64_t magic = is_read ? info.number(MAGIC, 4) : 0;
    if (magic != 0x00300494C && magic != 0x00400494C)
        return no_use("is broken");
    const uint64_t scan = info.number(SCAN, 2);
    if (scan != 0 && scan != 3 && scan != 6) /* stack, times of a plane, times of a stack */
        return no_use("says scan type " + std::to_string(scan) + ", whose pages are no planes of x and y");

    const TiffPage &page = first.pages[0];
    std::vector<int64_t> pages;
    std::vector<bool> is_taken(first.pages.size());
    for (size_t i = 0; i < first.pages.size(); i++)
        if (!first.pages[i].is_reduced && is_alike(first.pages[i], page)) {
            pages.push_back(static_cast<int64_t>(i));
            is_taken[i] = true;
        }
    const int64_t n_z = info.count(SIZE_Z), n_t = info.count(SIZE_T), n_said = plane_product(n_z, n_t);
    const auto n_pages = static_cast<int64_t>(pages.size());
    if (n_said != n_pages || info.count(SIZE_CHANNELS) != page.samples)
        return no_use("says " + std::to_string(n_t) + " times " + std::to_string(n_z) + " planes of " +
                      std::to_string(info.count(SIZE_CHANNELS)) + " channels, and there are " +
                      std::to_string(n_pages) + " pages of " + std::to_string(page.samples) + " samples");
    if (plane_product(n_pages, page.samples) < 0)
        return no_use("says more planes than " + std::to_string(most_planes));

    StackImage image = image_of(page);
    image.t.size = n_t;
    image.c.size = page.samples;
    image.z.size = n_z;
    image.planes.resize(static_cast<size_t>(n_pages * page.samples));
    for (int64_t i = 0; i < n_pages; i++)
        for (int sample = 0; sample < page.samples; sample++) {
            StackPlane &plane = image.planes[plane_at(image, i / n_z, sample, i % n_z)];
            plane.page = pages[static_cast<size_t>(i)];
            plane.sample = sample;
        }
    image.channels = read_channels(first, static_cast<int64_t>(info.number(COLORS, 4)), page.samples);
    StackAxis *const axes[] = {&image.x, &image.y, &image.z};
    for (int i = 0; i < 3; i++)
        if (const double size = info.real(VOXEL + 8 * i); size > 0) {
            axes[i]->scale = size * 1e6;
            axes[i]->unit = unit_of_text('x', "um").name;
        }
    if (const double step = info.real(TIME_STEP); step > 0 && n_t > 1) {
        image.t.scale = step;
        image.t.unit = unit_of_text('t', "s").name;
    }
    to->files = {first.path};
    to->images.push_back(std::move(image));
    return add_other_pages(first, is_taken, to) ? Outcome::READ : Outcome::REFUSED;
}
