/* describe.h: what a file of planes says of itself, whatever words it uses: text in, one struct out. Each kind of
 * description is a file of its own here, and one row of the table in describe.cpp.
 *
 * Nothing here touches pixels. What is read from a file is hostile until it is checked: sizes and counts are bounded by
 * the pages that the file has before memory is taken. */
#ifndef OMEZARR_DESCRIBE_STACK_DESCRIBE_H
#define OMEZARR_DESCRIBE_STACK_DESCRIBE_H

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

/* One page (IFD) of a TIFF, as stack/tiff.cpp walks it. */
struct TiffPage {
    int64_t offset = 0, next_at = 0; /* where the IFD is, and where the offset of the next one stands */
    int64_t width = 0, height = 0;
    int bits = 1, sample_format = 1, samples = 1, compression = 1, photometric = 1, planar = 1;
    bool is_tiled = false;
    bool is_reduced = false, is_mask = false; /* NewSubfileType says "a smaller copy", "which pixels count" */
    int64_t pixels_at = -1;                   /* where all pixels stand, in rows, not compressed; -1: not so */
    std::vector<int64_t> levels{};            /* SubIFDs */
    uint64_t place = 0;                       /* a digest of its georeference: the same for pages of one place */
    int64_t text_at = 0, text_size = 0;       /* ImageDescription */
    double lens = 0;     /* tag 65421: its magnification, below 0 that of another camera; 0: not said */
    uint64_t coding = 0; /* a digest of all that says how its blocks are decoded */
    int64_t first_block = 0, n_blocks = 0; /* its strips or tiles, in TiffFile.blocks; 0: not listed there */
    int64_t block_rows = 0;                /* of one of them */
    int film = -1;                         /* in TiffFile.films */
    int64_t film_index = 0;                /* which page of it */
};

/* Where a strip or tile stands. */
struct TiffBlock {
    int64_t at = 0, size = 0;
};

/* What a description may be made of. */
struct TiffFile {
    std::string path{};
    int64_t size = 0;
    bool is_big = false, is_big_endian = false;
    std::vector<TiffPage> pages{};
    std::vector<TiffBlock> blocks{};           /* of small pages */
    std::vector<std::vector<int64_t>> films{}; /* pages whose blocks are decoded alike; see stack/openpages.cpp */
    std::string description{}; /* ImageDescription of the first page; bytes as they stand, cut at the first NUL */
    std::string software{};
    double x_resolution = 0, y_resolution = 0; /* pixels per unit; 0: not said */
    int resolution_unit = 1;                   /* 1 none, 2 inch, 3 centimetre */
    std::vector<uint32_t> imagej_counts{};     /* tag 50838 */
    std::vector<uint8_t> imagej_data{};        /* tag 50839 */
    TiffBlock uic1{}, uic2{};                  /* tags 33628, 33629 of the first page; size: their count */
    TiffBlock lsm{};                           /* tag 34412 */
    bool is_of_other_format = false;           /* no TIFF: GDAL opens its only page by the path */
};

/* An axis: pixel i lies at translation + i * scale, or at values[i] where these are uneven (the scale is 1 then, and the
 * unit that of the values). */
struct StackAxis {
    int64_t size = 1;
    double scale = 1, translation = 0;
    const char *unit = nullptr; /* NGFF's name of it; NULL: none */
    std::vector<double> values{};
};

/* Where a plane is: a page of a file, or nowhere (then it is fill). */
struct StackPlane {
    int file = 0;        /* index into files */
    int64_t page = -1;   /* index into the pages of that file; -1: nowhere */
    int64_t raw_at = -1; /* >= 0: no page of its own; the pixels stand here, in the layout of the page */
    int sample = 0;      /* of the page's samples per pixel */
};

struct StackChannel {
    std::string name{};
    int64_t color = -1; /* 0xRRGGBB; -1: not said */
    bool has_window = false;
    double window_start = 0, window_end = 0;
};

/* One image: a series of an OME-TIFF, or all there is. */
struct StackImage {
    std::string name{};
    int xml_image = -1; /* which Image of the OME-XML it is */
    int64_t width = 0, height = 0;
    int samples = 1; /* per pixel of its pages; channels count all of them */
    StackAxis t{}, c{}, z{}, y{}, x{};
    std::vector<StackPlane> planes{};          /* in C order of t, c, z */
    std::vector<StackChannel> channels{};      /* as many as c.size, or none */
    std::vector<std::string> labels{};         /* of each plane, or none */
    std::map<std::string, std::string> kept{}; /* what has no place in NGFF, to be kept with the dataset's metadata */
};

struct StackDescription {
    std::string kind{};                  /* its name in the table */
    std::vector<std::string> files{};    /* paths; the first is the one that was opened */
    std::vector<StackImage> images{};    /* at least one; the first is what the file is opened as */
    std::vector<std::string> warnings{}; /* whole sentences for the user */
    std::string xml{};                   /* the OME-XML as it stands, "" otherwise */
};

/* Walks another file of the same set; false, with an error that names it, if that is no TIFF. Given by the caller. */
typedef bool (*WalkFile)(const std::string &path, TiffFile *to);

/* n bytes of a file at a place; less where it ends, or cannot be read. */
std::string bytes_at(const std::string &path, int64_t at, int64_t n);

/* Understands what the file says of itself. Kinds are asked in their order; a file that says nothing of itself is pages of
 * equal shape along z. False, with a GDAL error that names path, cause and what to do, where it says what cannot be
 * true. */
bool describe_stack(const TiffFile &first, WalkFile walk, StackDescription *to);

/* True for an ImageDescription that may say more of a file than GDAL shows, even of a file of one page. */
bool speaks_of_planes(const std::string &description);

#endif
