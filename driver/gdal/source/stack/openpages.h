/* openpages.h: pixels of planes. GDAL finds page k of a TIFF by reading all before it, and asks all others what they are to
 * this one. So a page is opened as if it were the only one of its file; and small pages that are coded alike, together, as one
 * page that is as high as all of them: a film. */
#ifndef OMEZARR_SOURCE_STACK_OPENPAGES_H
#define OMEZARR_SOURCE_STACK_OPENPAGES_H

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "describe/stack/describe.h"
#include "plugin/gdal_compat.h"

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
        int64_t page = 0;       /* below 0: film -1 - page */
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
    Page *find(int file, int64_t page);
    Page *add(int file, int64_t page);
    static std::unique_ptr<GDALDataset> open_regions(const Page &page, const std::vector<GByte> &own, int64_t size,
                                                     const std::string &regions, std::string *message);
    static std::unique_ptr<GDALDataset> cut_page(const TiffFile &file, const TiffPage &page, const Page &opened,
                                                 std::string *message);
    GDALRasterBand *film_band(const StackPlane &plane);

  public:
    explicit OpenPages(std::shared_ptr<const StackFiles> files) : m_files(std::move(files))
    {
    }
    OpenPages(const OpenPages &) = delete;
    OpenPages &operator=(const OpenPages &) = delete;

    /* A raster of another format as a file of one page; false, with an error that names it, if GDAL cannot open it. */
    static bool look_at(const std::string &path, TiffFile *to);
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
