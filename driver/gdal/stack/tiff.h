/* tiff.h: what the directories (IFDs) of a TIFF say, of all its pages, in one walk. Pixels are read elsewhere. */
#ifndef OMEZARR_STACK_TIFF_H
#define OMEZARR_STACK_TIFF_H

#include <string>

#include "../describe/describe.h"

/* True for the first bytes of a TIFF or BigTIFF. */
bool is_tiff_header(const unsigned char *bytes, int n_bytes);

/* Walks the file, which may be anywhere that GDAL reads. False, with an error that names path, place and cause, where it
 * is no TIFF, or one whose directories cannot be true. */
bool walk_tiff(const std::string &path, TiffFile *to);

#endif
