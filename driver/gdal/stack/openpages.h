/* openpages.h: pixels of planes. A page of a TIFF is opened as if it were the only one of its file: GDAL finds page k
 * by reading all before it, and asks all others what they are to this one. */
#ifndef OMEZARR_STACK_OPENPAGES_H
#define OMEZARR_STACK_OPENPAGES_H

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "../describe/describe.h"
#include "../gdal_compat.h"

/* What is shared by all who read a stack. */
struct StackFiles {
    StackDescription description{};
    std::vector<TiffFile> files{}; /* as many as description.files */
};

struct PixelBox {
    int x = 0, y = 0, width = 0, height = 0;
};

/* The pages and files that one reader has open: the ones last used, not too many. For one thread at a time. */
class OpenPages
{
    struct Page {
        int file = 0;
        int64_t page = 0;
        std::string names[2]{}; /* in /vsimem/ */
        std::unique_ptr<GDALDataset> dataset{};

        Page() = default;
        Page(const Page &) = delete;
        Page &operator=(const Page &) = delete;
        ~Page();
    };
    struct FileCloser {
        void operator()(VSILFILE *file) const
        {
            VSIFCloseL(file);
        }
    };

    std::shared_ptr<const StackFiles> m_files;
    std::list<Page> m_pages{}; /* the last used first */
    std::unique_ptr<VSILFILE, FileCloser> m_raw{};
    int m_raw_file = -1;
    std::vector<GByte> m_row{};
    int64_t m_cached = 0; /* bytes that the pages may have left in GDAL's block cache */

    bool fail(int file, int64_t page, const char *what) const;

  public:
    explicit OpenPages(std::shared_ptr<const StackFiles> files) : m_files(std::move(files))
    {
    }
    OpenPages(const OpenPages &) = delete;
    OpenPages &operator=(const OpenPages &) = delete;

    /* Valid until the next call; NULL, with an error that names file and page. */
    GDALDataset *open(int file, int64_t page);
    /* A band of the page, or its overview of this size (0: the page itself); NULL, with an error, if it has none. */
    GDALRasterBand *band(const StackPlane &plane, int width, int height);
    /* Reads pixels of a page by way of GDAL, to rows of which there is room for room_rows. */
    bool read(const StackPlane &plane, int width, int height, const PixelBox &box, void *pixels, GDALDataType type,
              GSpacing row_bytes, int room_rows);
    /* Reads pixels that stand in rows in the file; size: bytes of one. */
    bool read_raw(const StackPlane &plane, const PixelBox &box, void *pixels, int size, GSpacing row_bytes);
};

#endif
