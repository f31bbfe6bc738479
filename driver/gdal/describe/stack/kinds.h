/* kinds.h: the kinds of descriptions, one file and one function each, and what they have in common. */
#ifndef OMEZARR_DESCRIBE_STACK_KINDS_H
#define OMEZARR_DESCRIBE_STACK_KINDS_H

#include "describe/stack/describe.h"

enum class Outcome {
    READ,   /* *to is complete */
    OTHER,  /* what the file says is no use, and a warning says why: the next kind is asked */
    REFUSED /* a GDAL error says why */
};

typedef Outcome (*ReadKind)(const TiffFile &first, WalkFile walk, StackDescription *to);

/* True for a description of this kind, which may be broken. */
bool is_ome_xml(const std::string &description);
bool is_imagej(const std::string &description);
bool is_shaped(const std::string &description);
bool is_aperio(const std::string &description);
bool is_leica(const std::string &description);
bool is_hamamatsu(const TiffFile &file);
bool is_metamorph(const TiffFile &file);
bool is_zeiss(const TiffFile &file);

/* Of files whose description is of this kind. */
Outcome read_ome_xml(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_imagej(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_shaped(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_aperio(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_leica(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_hamamatsu(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_metamorph(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_zeiss(const TiffFile &first, WalkFile walk, StackDescription *to);
Outcome read_pages(const TiffFile &first, WalkFile walk, StackDescription *to);

/* -- Planes ---------------------------------------------------------------------------------------------------- */

/* Planes of all images of a file, with those that are in no page. Each is a band for GDAL, which takes 65536. */
constexpr int64_t most_planes = 1 << 20;

/* a * b, or -1 above most_planes; -1 for factors below 0, too. */
int64_t plane_product(int64_t a, int64_t b);

/* True for pages that can be planes of one array. */
bool is_alike(const TiffPage &a, const TiffPage &b);

/* An image of pages like this one, without planes yet. */
StackImage image_of(const TiffPage &page);

/* Of pages that are alike, along z; their samples are channels. */
StackImage image_of_pages(const TiffFile &file, const std::vector<int64_t> &pages);

/* Where a plane is in StackImage.planes. */
size_t plane_at(const StackImage &image, int64_t t, int64_t c, int64_t z);

/* Bytes of the pixels of a page without compression; -1: beyond all files. */
int64_t page_bytes(const TiffPage &page);

/* Gives the image, whose planes lie in the file one after the other behind the pixels of its only page, their places: plane i
 * (in the file) at plane_of(i) (in the image). False, with an error, if the file is too small for them. */
bool place_raw_planes(const TiffFile &file, int64_t n_planes, const std::vector<size_t> &plane_of, StackImage *image);

/* Appends images of the pages that no image has yet: groups of equal shape and type, along z. Smaller copies and masks are
 * no images. */
bool add_other_pages(const TiffFile &file, const std::vector<bool> &is_taken, StackDescription *to);

/* -- Words and numbers ----------------------------------------------------------------------------------------- */

/* UTF-8 of text that is this or Latin-1. */
std::string utf8(const std::string &text);
std::string trimmed(const std::string &text);

/* Keeps what has no place in NGFF, unless it is empty. */
void keep(const std::string &prefix, const std::string &key, const std::string &value, StackImage *image);

/* Warns of a file: "path: text". */
void warn(const TiffFile &file, const std::string &text, StackDescription *to);

/* A unit of length or time as NGFF names it, times a factor: OME-XML's "pt" is an inch times 1/72. */
struct Unit {
    const char *name = nullptr; /* NULL: none */
    double factor = 1;
};

/* axis: x (any length) or t. Text that is no unit ("pixel", "frame", ""): none. */
Unit unit_of_text(char axis, const std::string &text);

/* The number of units b in a unit a: 1000 for mm, um. 0: one of them is none. */
double unit_ratio(const char *a, const char *b);

#endif
