/* common.cpp: see kinds.h. */
#include "describe/stack/kinds.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <tuple>

#include "describe/dimensions.h"
#include "describe/json_text.h"
#include "ngff.h"

#include "cpl_vsi.h"

std::string bytes_at(const std::string &path, int64_t at, int64_t n)
{
    std::string read;
    VSILFILE *file = at >= 0 && n > 0 ? VSIFOpenL(path.c_str(), "rb") : nullptr;
    if (file == nullptr)
        return read;
    if (VSIFSeekL(file, static_cast<vsi_l_offset>(at), SEEK_SET) == 0) {
        read.resize(static_cast<size_t>(n));
        read.resize(VSIFReadL(&read[0], 1, read.size(), file));
    }
    VSIFCloseL(file);
    return read;
}

/* -- Planes ---------------------------------------------------------------------------------------------------- */

int64_t plane_product(int64_t a, int64_t b)
{
    if (a < 0 || b < 0 || (b > 0 && a > most_planes / b))
        return -1;
    return a * b;
}

using Likeness = std::tuple<int64_t, int64_t, int, int, int, uint64_t>;

static Likeness likeness(const TiffPage &page)
{
    return {page.width, page.height, page.bits, page.sample_format, page.samples, page.place};
}

bool is_alike(const TiffPage &a, const TiffPage &b)
{
    return likeness(a) == likeness(b);
}

StackImage image_of(const TiffPage &page)
{
    StackImage image;
    image.width = image.x.size = page.width;
    image.height = image.y.size = page.height;
    image.samples = page.samples;
    return image;
}

StackImage image_of_pages(const TiffFile &file, const std::vector<int64_t> &pages)
{
    const TiffPage &page = file.pages[static_cast<size_t>(pages[0])];
    StackImage image = image_of(page);
    image.c.size = page.samples;
    image.z.size = static_cast<int64_t>(pages.size());
    for (int sample = 0; sample < page.samples; sample++)
        for (const int64_t number : pages) {
            StackPlane plane;
            plane.page = number;
            plane.sample = sample;
            image.planes.push_back(plane);
        }
    return image;
}

size_t plane_at(const StackImage &image, int64_t t, int64_t c, int64_t z)
{
    return static_cast<size_t>((t * image.c.size + c) * image.z.size + z);
}

int64_t page_bytes(const TiffPage &page)
{
    const double bytes =
        static_cast<double>(page.width) * static_cast<double>(page.height) * page.samples * ((page.bits + 7) / 8);
    return bytes < 9e18 ? page.width * page.height * page.samples * ((page.bits + 7) / 8) : -1;
}

bool place_raw_planes(const TiffFile &file, int64_t n_planes, const std::vector<size_t> &plane_of, StackImage *image)
{
    const TiffPage &page = file.pages[0];
    const int64_t bytes = page_bytes(page);
    if (bytes < 0 || bytes > (file.size - page.pixels_at) / n_planes) {
        CPLError(CE_Failure, CPLE_FileIO,
                 "%s: it says that %s planes of %s bytes stand in it from byte %s on, and it has %s bytes: it is "
                 "incomplete; get it again, or convert the first plane alone as GTIFF_DIR:1:%s",
                 file.path.c_str(), std::to_string(n_planes).c_str(), std::to_string(bytes).c_str(),
                 std::to_string(page.pixels_at).c_str(), std::to_string(file.size).c_str(), file.path.c_str());
        return false;
    }
    for (size_t i = 0; i < plane_of.size(); i++) {
        StackPlane &plane = image->planes[plane_of[i]];
        plane.page = 0;
        plane.sample = static_cast<int>(static_cast<int64_t>(i) % page.samples);
        plane.raw_at = page.pixels_at + static_cast<int64_t>(i) / page.samples * bytes;
    }
    return true;
}

bool add_other_pages(const TiffFile &file, const std::vector<bool> &is_taken, StackDescription *to)
{
    std::vector<std::vector<int64_t>> groups;
    std::map<Likeness, size_t> known; /* the group of each */
    int64_t n_planes = 0;
    for (const StackImage &image : to->images)
        n_planes += static_cast<int64_t>(image.planes.size());
    for (size_t i = 0; i < file.pages.size(); i++) {
        const TiffPage &page = file.pages[i];
        if (is_taken[i] || ((page.is_reduced || page.is_mask) && i > 0))
            continue;
        n_planes += page.samples;
        const auto [at, is_new] = known.try_emplace(likeness(page), groups.size());
        if (is_new)
            groups.emplace_back();
        groups[at->second].push_back(static_cast<int64_t>(i));
        if (n_planes > most_planes) {
            CPLError(CE_Failure, CPLE_NotSupported, "%s: its pages have more than %s planes, and no more can be used",
                     file.path.c_str(), std::to_string(most_planes).c_str());
            return false;
        }
    }
    for (const std::vector<int64_t> &group : groups)
        to->images.push_back(image_of_pages(file, group));
    return true;
}

/* -- Words and numbers ----------------------------------------------------------------------------------------- */

std::string utf8(const std::string &text)
{
    return JsonText::as_utf8(text.c_str());
}

std::string trimmed(const std::string &text)
{
    static const char blanks[] = " \t\r\n";
    const size_t start = text.find_first_not_of(blanks), end = text.find_last_not_of(blanks);
    return start == std::string::npos ? std::string() : text.substr(start, end - start + 1);
}

void keep(const std::string &prefix, const std::string &key, const std::string &value, StackImage *image)
{
    if (value.empty())
        return;
    std::string name = prefix + key;
    for (char &c : name) /* "=" and ":" would end it */
        if (!isalnum(static_cast<unsigned char>(c)) && strchr("_.-", c) == nullptr)
            c = '_';
    image->kept[name] = utf8(value);
}

void warn(const TiffFile &file, const std::string &text, StackDescription *to)
{
    to->warnings.push_back(file.path + ": " + utf8(text));
}

Unit unit_of_text(char axis, const std::string &text)
{
    /* Of OME-XML's lengths those that NGFF does not have; in inches by their definition, in metres by the IAU's. */
    static const struct {
        const char *text, *name;
        double factor;
    } others[] = {{"thou", "inch", 1e-3},
                  {"li", "inch", 1.0 / 12},
                  {"pt", "inch", 1.0 / 72},
                  {"ua", "meter", 149597870700.0},
                  {"ly", "meter", 9460730472580800.0}};
    Unit unit;
    const char name[] = {axis, '\0'};
    unit.name = ngff_unit_name(name, text.c_str());
    for (const auto &other : others)
        if (axis != 't' && text == other.text) {
            unit.name = other.name;
            unit.factor = other.factor;
        }
    return unit;
}

/* A unit as factor * 10^exponent metres or seconds; false: none of them. */
static bool measure_unit(const char *name, double *factor, int *exponent)
{
    static const struct {
        const char *name;
        double factor;
        int exponent;
    } irregular[] = {{"angstrom", 1, -10}, {"inch", 254, -4},     {"foot", 3048, -4},
                     {"yard", 9144, -4},   {"mile", 1609344, -3}, {"parsec", 3.0856775814913673, 16},
                     {"minute", 60, 0},    {"hour", 3600, 0},     {"day", 86400, 0}};
    static const struct {
        const char *prefix;
        int exponent;
    } prefixes[] = {{"yocto", -24}, {"zepto", -21}, {"atto", -18}, {"femto", -15}, {"pico", -12},
                    {"nano", -9},   {"micro", -6},  {"milli", -3}, {"centi", -2},  {"deci", -1},
                    {"", 0},        {"hecto", 2},   {"kilo", 3},   {"mega", 6},    {"giga", 9},
                    {"tera", 12},   {"peta", 15},   {"exa", 18},   {"zetta", 21},  {"yotta", 24}};
    for (const auto &one : irregular)
        if (strcmp(name, one.name) == 0) {
            *factor = one.factor;
            *exponent = one.exponent;
            return true;
        }
    for (const auto &one : prefixes)
        for (const char *base : {"meter", "second"})
            if (name == std::string(one.prefix) + base) {
                *factor = 1;
                *exponent = one.exponent;
                return true;
            }
    return false;
}

double unit_ratio(const char *a, const char *b)
{
    double factor_a = 0, factor_b = 0;
    int exponent_a = 0, exponent_b = 0;
    if (a == nullptr || b == nullptr || !measure_unit(a, &factor_a, &exponent_a) ||
        !measure_unit(b, &factor_b, &exponent_b))
        return 0;
    const int exponent = exponent_a - exponent_b; /* 1e-3 is no double, 1 / 1e3 is rounded once */
    return exponent < 0 ? factor_a / factor_b / std::pow(10, -exponent) : factor_a / factor_b * std::pow(10, exponent);
}
