/* metamorph.cpp: stacks by MetaMorph (STK). The only page has tag 33629 (UIC2), whose count is that of the planes; they
 * follow each other without compression. Its values are, for each plane, the distance to the one before in z (a fraction, in
 * micrometres), day and milliseconds of its making, and of its last change. Tag 33628 (UIC1) is pairs of a number and a
 * value, or the place of one: 3 whether the next two are of use, 4 and 5 the size of a pixel, 6 its unit. */
#include "describe/stack/kinds.h"

#include <algorithm>

#include "describe/dimensions.h"

namespace
{

constexpr size_t plane_numbers = 6;

/* Less than n where the file ends. */
std::vector<uint32_t> numbers_at(const TiffFile &file, int64_t at, int64_t n)
{
    std::vector<uint32_t> numbers;
    const std::string read = bytes_at(file.path, at, std::min(4 * n, file.size));
    for (size_t i = 0; i + 4 <= read.size(); i += 4) {
        uint32_t number = 0;
        for (size_t k = 0; k < 4; k++)
            number = number << 8 | static_cast<unsigned char>(read[i + (file.is_big_endian ? k : 3 - k)]);
        numbers.push_back(number);
    }
    return numbers;
}

double fraction(const uint32_t *numbers)
{
    return numbers[1] != 0 ? static_cast<double>(numbers[0]) / numbers[1] : 0;
}

void read_pixel_size(const TiffFile &file, StackImage *image)
{
    constexpr int64_t most_pairs = 64;
    const std::vector<uint32_t> pairs = numbers_at(file, file.uic1.at, 2 * std::min(file.uic1.size, most_pairs));
    bool is_of_use = false;
    double sizes[2] = {};
    const char *unit = nullptr;
    for (size_t i = 0; i + 2 <= pairs.size(); i += 2) {
        if (pairs[i] == 3)
            is_of_use = pairs[i + 1] != 0;
        if (pairs[i] == 4 || pairs[i] == 5) {
            const std::vector<uint32_t> size = numbers_at(file, pairs[i + 1], 2);
            sizes[pairs[i] - 4] = size.size() == 2 ? fraction(size.data()) : 0;
        }
        if (pairs[i] == 6) {
            const std::vector<uint32_t> length = numbers_at(file, pairs[i + 1], 1);
            const int64_t most = 64, n = length.empty() ? 0 : std::min<int64_t>(length[0], most);
            const std::string text = bytes_at(file.path, static_cast<int64_t>(pairs[i + 1]) + 4, n);
            unit = unit_of_text('x', utf8(trimmed(text.substr(0, text.find('\0'))))).name;
        }
    }
    if (!is_of_use || !(sizes[0] > 0) || !(sizes[1] > 0))
        return;
    image->x.scale = sizes[0];
    image->y.scale = sizes[1];
    image->x.unit = image->y.unit = unit;
}

/* Along z where planes have distances, along t where they have times of their own. */
void read_planes(const std::vector<uint32_t> &numbers, int64_t n, StackImage *image)
{
    constexpr double day = 86400000;
    std::vector<double> distances, times;
    for (size_t i = 0; i + plane_numbers <= numbers.size(); i += plane_numbers) {
        distances.push_back(fraction(&numbers[i]));
        times.push_back((static_cast<double>(numbers[i + 2]) - numbers[2]) * day + numbers[i + 3] -
                        static_cast<double>(numbers[3]));
    }
    const bool is_whole = distances.size() == static_cast<size_t>(n);
    const bool has_z = is_whole && std::count(distances.begin(), distances.end(), 0) == 0;
    const bool has_t = is_whole && !has_z && std::adjacent_find(times.begin(), times.end()) == times.end();
    (has_t ? image->t : image->z).size = n;
    if (has_z && distances[0] > 0 &&
        std::all_of(distances.begin(), distances.end(), [&](double other) { return other == distances[0]; })) {
        image->z.scale = distances[0];
        image->z.unit = unit_of_text('x', "um").name;
    }
    const double step = has_t ? even_step(times) : 0;
    if (has_t)
        image->t.unit = unit_of_text('t', "ms").name;
    if (step > 0)
        image->t.scale = step;
    else if (has_t)
        image->t.values = times;
}

} // namespace

bool is_metamorph(const TiffFile &file)
{
    return file.uic2.size > 1;
}

Outcome read_metamorph(const TiffFile &first, WalkFile, StackDescription *to)
{
    const int64_t n = first.uic2.size;
    const TiffPage &page = first.pages[0];
    if (first.pages.size() > 1 || page.pixels_at < 0 || plane_product(n, page.samples) < 0) {
        warn(first,
             "MetaMorph's tag says that it has " + std::to_string(n) + " planes, and only the " +
                 std::to_string(first.pages.size()) +
                 " that have pages of their own are read: others can be read where they stand in rows, without "
                 "compression, behind a single page, and are at most " +
                 std::to_string(most_planes),
             to);
        return Outcome::OTHER;
    }
    StackImage image = image_of(page);
    image.c.size = page.samples;
    read_planes(numbers_at(first, first.uic2.at, static_cast<int64_t>(plane_numbers) * n), n, &image);
    read_pixel_size(first, &image);
    image.planes.resize(static_cast<size_t>(n * page.samples));
    std::vector<size_t> places;
    for (int64_t i = 0; i < n; i++)
        for (int64_t sample = 0; sample < page.samples; sample++)
            places.push_back(image.t.size > 1 ? plane_at(image, i, sample, 0) : plane_at(image, 0, sample, i));
    if (!place_raw_planes(first, n, places, &image))
        return Outcome::REFUSED;
    to->files = {first.path};
    to->images.push_back(std::move(image));
    return Outcome::READ;
}
