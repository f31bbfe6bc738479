/* fuzz_describe.cpp: libFuzzer target for what a TIFF says of its planes (driver/gdal/describe). Input: how many pages of
 * what kind, ImageJ's tags, then the text of the description. What comes of it is whole: every plane is in a page that the
 * file has, every text is UTF-8, every scale is one. The mutator below changes texts by their attributes, elements and
 * lines, because flipped bytes are mostly no XML any more. */
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_string.h"
#include "cpl_vsi.h"

#include "describe/stack/describe.h"

extern "C" {
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
}

/* n_pages, flags, number of ImageJ's lengths, bytes of ImageJ's data. */
static const size_t head_size = 4;
static const char folder[] = "/vsimem/fuzz/";

static TiffPage page_by(int flags)
{
    TiffPage page;
    page.width = 8;
    page.height = 6;
    page.bits = 16;
    page.samples = flags & 1 ? 3 : 1;
    page.photometric = flags & 1 ? 2 : 1;
    page.planar = flags & 2 ? 2 : 1;
    page.is_tiled = (flags & 4) != 0;
    page.pixels_at = flags & 8 ? 8 : -1;
    return page;
}

/* Another file of the set, as if it had been walked: of all names there is one. */
static bool walk(const std::string &path, TiffFile *to)
{
    if (path != std::string(folder) + "b.ome.tif") {
        CPLError(CE_Failure, CPLE_OpenFailed, "%s: no such file", path.c_str());
        return false;
    }
    *to = TiffFile();
    to->path = path;
    to->size = 4096;
    to->pages.resize(3, page_by(0));
    to->description = "<OME UUID=\"urn:uuid:b\"><BinaryOnly MetadataFile=\"a.ome\" UUID=\"urn:uuid:a\"/></OME>";
    return true;
}

static void put(const char *name, const char *text)
{
    const std::string path = std::string(folder) + name;
    VSILFILE *file = VSIFOpenL(path.c_str(), "wb");
    if (file == nullptr || VSIFWriteL(text, 1, strlen(text), file) != strlen(text) || VSIFCloseL(file) != 0)
        abort();
}

static void check(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "not so: %s\n", what);
        abort();
    }
}

static bool is_text(const std::string &text)
{
    for (size_t at = 0; (at = text.find('\xED', at)) != std::string::npos;
         at++) /* halves of pairs, for GDAL characters */
        if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0)
            return false;
    return CPLIsUTF8(text.c_str(), static_cast<int>(text.size())) != 0;
}

static void check_axis(const StackAxis &axis)
{
    check(axis.size >= 1, "an axis has pixels");
    check(std::isfinite(axis.scale) && axis.scale > 0 && std::isfinite(axis.translation), "an axis has a scale");
    check(axis.values.empty() || axis.values.size() == static_cast<size_t>(axis.size), "values are of all pixels");
}

static void check_image(const TiffFile &file, const StackDescription &all, const StackImage &image)
{
    for (const StackAxis *axis : {&image.t, &image.c, &image.z, &image.y, &image.x})
        check_axis(*axis);
    const auto n = static_cast<size_t>(image.t.size * image.c.size * image.z.size);
    check(image.planes.size() == n && n < INT32_MAX, "planes are all of t, c, z");
    check(image.width == image.x.size && image.height == image.y.size, "x, y are those of the pages");
    check(image.channels.empty() || image.channels.size() == static_cast<size_t>(image.c.size),
          "channels are all of c");
    check(image.labels.empty() || image.labels.size() == n, "labels are of all planes");
    bool is_somewhere = false;
    for (const StackPlane &plane : image.planes) {
        const size_t n_pages = plane.file == 0 ? file.pages.size() : 3;
        check(plane.file >= 0 && static_cast<size_t>(plane.file) < all.files.size(), "a plane is in a file");
        check(plane.page >= -1 && plane.page < static_cast<int64_t>(n_pages), "a plane is in a page");
        check(plane.sample >= 0 && plane.sample < image.samples, "a plane is a sample");
        check(plane.raw_at < 0 || plane.raw_at + 8 * 6 * 2 * image.samples <= file.size, "pixels are in the file");
        is_somewhere = is_somewhere || plane.page >= 0;
    }
    check(is_somewhere, "a plane is somewhere");
    bool are_texts = is_text(image.name);
    for (const StackChannel &channel : image.channels)
        are_texts = are_texts && is_text(channel.name) && channel.color <= 0xFFFFFF;
    for (const std::string &label : image.labels)
        are_texts = are_texts && is_text(label);
    for (const auto &item : image.kept)
        are_texts = are_texts && is_text(item.first) && is_text(item.second);
    check(are_texts, "texts are UTF-8");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready = false;
    if (!is_ready) {
        put("a.companion.ome",
            "<OME UUID=\"urn:uuid:c\"><Image><Pixels DimensionOrder=\"XYCZT\" SizeX=\"8\" SizeY=\"6\" "
            "SizeZ=\"1\" SizeC=\"1\" SizeT=\"2\"><TiffData/></Pixels></Image></OME>");
        CPLPushErrorHandler(CPLQuietErrorHandler);
        is_ready = true;
    }
    if (size < head_size)
        return 0;
    TiffFile file;
    const int flags = data[1];
    file.path = std::string(folder) + "a.ome.tif";
    file.size = 4096;
    file.is_big_endian = (flags & 16) != 0;
    file.pages.resize(data[0] % 40 + 1, page_by(flags));
    if (flags & 32)
        file.pages.back().width = 4;
    file.pages.back().is_reduced = (flags & 64) != 0;
    file.x_resolution = file.y_resolution = flags & 128 ? 4 : 0;
    const uint8_t *at = data + head_size, *end = data + size;
    for (int i = 0; i < data[2] && end - at >= 2; i++, at += 2)
        file.imagej_counts.push_back(static_cast<uint32_t>(at[0] | at[1] << 8));
    const auto n = static_cast<ptrdiff_t>(data[3]) * 8 < end - at ? static_cast<ptrdiff_t>(data[3]) * 8 : end - at;
    file.imagej_data.assign(at, at + n);
    file.description = std::string(reinterpret_cast<const char *>(at + n), static_cast<size_t>(end - at - n));
    file.description.resize(strlen(file.description.c_str()));

    CPLErrorReset();
    StackDescription all;
    if (!describe_stack(file, walk, &all)) {
        check(CPLGetLastErrorType() == CE_Failure && strstr(CPLGetLastErrorMsg(), folder) != nullptr,
              "a refusal says why, of which file");
        return 0;
    }
    check(!all.images.empty() && !all.kind.empty() && all.files[0] == file.path, "an image is described");
    for (const StackImage &image : all.images)
        check_image(file, all, image);
    for (const std::string &warning : all.warnings)
        check(is_text(warning) && warning.compare(0, strlen(folder), folder) == 0, "a warning says of which file");
    check(is_text(all.xml), "the XML is UTF-8");
    return 0;
}

/* -- Mutation -------------------------------------------------------------------------------------------------- */

static uint64_t state;

static size_t chance(size_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return n > 0 ? static_cast<size_t>(state >> 33) % n : 0;
}

/* A place of one of these characters, from somewhere on; npos: none. */
static size_t some(const std::string &text, const char *any)
{
    const size_t at = text.find_first_of(any, chance(text.size()));
    return at == std::string::npos ? text.find_first_of(any) : at;
}

static void change(std::string *text)
{
    static const char *const words[] = {"0",
                                        "1",
                                        "-1",
                                        "2",
                                        "3",
                                        "5",
                                        "24",
                                        "2147483647",
                                        "2147483648",
                                        "99999999999999999999",
                                        "0.25",
                                        "-0.5",
                                        "1e308",
                                        "nan",
                                        "inf",
                                        "",
                                        "XYZCT",
                                        "XYCZT",
                                        "XYTZC",
                                        "XYZTC",
                                        "um",
                                        "\xC2\xB5m",
                                        "\xB5m",
                                        "pixel",
                                        "frame",
                                        "pt",
                                        "mm",
                                        "s",
                                        "a.ome.tif",
                                        "b.ome.tif",
                                        "c.ome.tif",
                                        "../b.ome.tif",
                                        "a.companion.ome",
                                        "urn:uuid:a",
                                        "urn:uuid:b",
                                        "-16776961",
                                        "TZCYX",
                                        "QYX",
                                        "\\u00B5m",
                                        "true",
                                        "65535",
                                        "[8]",
                                        "[3,6,8]",
                                        "&#0;",
                                        "&amp;",
                                        "1048577",
                                        "1.11a"};
    static const char *const parts[] = {
        "<TiffData/>",
        "<TiffData IFD=\"1\"/>",
        "<TiffData FirstC=\"1\"><UUID FileName=\"b.ome.tif\">urn:uuid:b</UUID></TiffData>",
        "<Channel Name=\"a\" Color=\"255\" SamplesPerPixel=\"3\"/>",
        "<Plane TheZ=\"0\" TheC=\"0\" TheT=\"1\" DeltaT=\"2\"/>",
        "<Plane TheZ=\"1\" TheC=\"0\" TheT=\"0\" PositionZ=\"2\" PositionZUnit=\"mm\" PositionX=\"1\"/>",
        "<BinaryOnly MetadataFile=\"a.companion.ome\" UUID=\"urn:uuid:a\"/>",
        "<Image><Pixels DimensionOrder=\"XYZCT\"/></Image>",
        "<!DOCTYPE OME>",
        " PhysicalSizeX=\"2\" PhysicalSizeXUnit=\"nm\"",
        " TimeIncrement=\"1\"",
        "\nchannels=3\n",
        "\nslices=4\nframes=2\n",
        "\nunit=um\nspacing=-2\n",
        "|MPP = 0.5|",
        ",\"axes\":\"TZYX\"",
        "\nimages=9\n"};
    const size_t way = chance(5);
    if (way == 0) { /* the value of an attribute, item or member */
        const size_t at = some(*text, "\"=,");
        if (at != std::string::npos) {
            const size_t end = text->find_first_of("\"\n,|]", at + 1);
            text->replace(at + 1, (end == std::string::npos ? text->size() : end) - at - 1,
                          words[chance(sizeof words / sizeof *words)]);
        }
    } else if (way == 1) { /* something new behind an element or a line */
        const size_t at = some(*text, ">\n");
        text->insert(at == std::string::npos ? text->size() : at + 1, parts[chance(sizeof parts / sizeof *parts)]);
    } else if (way == 2 || way == 3) { /* one element or line away, or twice */
        const size_t at = some(*text, "<\n"), end = text->find_first_of(">\n", at == std::string::npos ? at : at + 1);
        if (at != std::string::npos && end != std::string::npos && way == 2)
            text->erase(at, end + 1 - at);
        else if (at != std::string::npos && end != std::string::npos)
            text->insert(at, text->substr(at, end + 1 - at));
    } else { /* an attribute in a tag */
        const size_t at = some(*text, " ");
        text->insert(at == std::string::npos ? 0 : at, parts[chance(sizeof parts / sizeof *parts)]);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    state = seed;
    if (size < head_size || chance(4) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const size_t before = head_size + 2u * data[2] + 8u * data[3];
    if (before >= size)
        return LLVMFuzzerMutate(data, size, max_size);
    std::string text(reinterpret_cast<const char *>(data + before), size - before);
    for (size_t times = 1 + chance(3); times > 0; times--)
        change(&text);
    const size_t n = text.size() < max_size - before ? text.size() : max_size - before;
    memcpy(data + before, text.data(), n);
    return before + n;
}
