/* raster_source.h: how pixels come out of the raster that is copied: what its blocks are, how many threads may read it at
 * once, and the cheapest call that fills a window. */
#ifndef OMEZARR_SOURCE_RASTER_SOURCE_H
#define OMEZARR_SOURCE_RASTER_SOURCE_H

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plugin/gdal_compat.h"

/* Found once, before the plan. */
struct SourceLayout {
    int width = 0, height = 0, n_bands = 0;
    GDALDataType type = GDT_Unknown; /* in which pixels are wanted */
    int pixel_size = 0;
    int block_width = 0, block_height = 0; /* what is decoded at once; 0 = pixels are cheap in any shape */
    bool decodes_all_bands = false;        /* one block holds all bands */
    bool decodes_channels = false;         /* one block holds all channels of a plane */
    bool reads_blocks = false;             /* ReadBlock gives what is wanted: same type and blocks in all bands */
    bool keeps_last_block = false;         /* ... and the bands of one block, one after the other, decode it once */
};

SourceLayout source_layout(GDALDataset *source, GDALDataType type);

/* A place that receives a window of level 0 or of an overview (-1: level 0): rows of pixels, row_bytes apart. Memory
 * goes on to room_rows rows of room_columns pixels, which may be overwritten. */
struct PixelWindow {
    int overview;
    int x, y, width, height;
    void *pixels;
    GSpacing row_bytes;
    int room_columns, room_rows;
};

/* Gives up one reference; a dataset that others share lives on. */
struct DatasetReleaser {
    void operator()(GDALDataset *dataset) const
    {
        dataset->ReleaseRef();
    }
};
using DatasetReference = std::unique_ptr<GDALDataset, DatasetReleaser>;

/* What tells a source apart from another and from a later state of itself: its name, and names, sizes and times of its
 * files. "" if it has no files. */
std::string source_fingerprint(GDALDataset *source);

/* Reads for one thread. */
class SourceReader
{
    GDALDataset *m_dataset;
    DatasetReference m_owned;
    const SourceLayout &m_layout;
    std::vector<GByte> m_block{};
    /* What was read by way of GDAL's block cache, and bytes of blocks that may be, and may have been, left there. */
    std::set<int> m_read{};
    bool m_is_mask_read = false;
    std::map<std::pair<int, int>, bool> m_holes{}; /* by overview and band: holes read as they should */
    GIntBig m_room = 16 << 20, m_cached = 0;

    bool read_blocks(GDALRasterBand *band, const PixelWindow &window);
    bool take_cached_block(GDALRasterBand *band, const PixelWindow &window);
    void count_cached(const PixelWindow &window, int pixel_size);

  public:
    SourceReader(GDALDataset *dataset, DatasetReference owned, const SourceLayout &layout)
        : m_dataset(dataset), m_owned(std::move(owned)), m_layout(layout)
    {
    }

    void set_room(GIntBig bytes)
    {
        m_room = bytes;
    }
    bool read(int band, const PixelWindow &window);
    bool read_mask(const PixelWindow &window);
    /* True if the source knows that nothing is stored in a window of a band (0: of the mask) and that its pixels are then
     * all equal to this one, of the type in which pixels are wanted. */
    bool is_hole(int band, const PixelWindow &window, const GByte *pixel);
    /* After all planes of a region: the blocks that were decoded for it leave GDAL's cache if they are many. */
    void end_region();
};

/* At most n_most readers, the first on source itself; further ones where the source can be opened again and provably is
 * the same, or where GDAL (from 3.10 on) shares it between threads. */
std::vector<std::unique_ptr<SourceReader>> source_readers(GDALDataset *source, const SourceLayout &layout, int n_most);

#endif
