/* tiff.h: what the directories (IFDs) of a TIFF say, of all its pages, in one walk. Pixels are read elsewhere. */
#ifndef OMEZARR_SOURCE_STACK_TIFF_H
#define OMEZARR_SOURCE_STACK_TIFF_H

#include <string>
#include <vector>

#include "describe/stack/describe.h"

/* True for the first bytes of a TIFF or BigTIFF. */
bool is_tiff_header(const unsigned char *bytes, int n_bytes);

/* True for tiles that no program makes: GDAL takes memory for a whole one, of all
 * samples, whatever the file has of it. */
bool is_huge_block(double bytes, double bytes_of_page);

/* A digest of bytes, or of more bytes. */
uint64_t digest(uint64_t of, const void *bytes, size_t n);

/* Walks the file, which may be anywhere that GDAL reads. False, with an error that names path, place and cause, where it
 * is no TIFF, or one whose directories cannot be true. */
bool walk_tiff(const std::string &path, TiffFile *to);

/* The header of the file if its first directory were there. */
std::vector<unsigned char> tiff_header(const TiffFile &file, int64_t first);

/* A directory, with its tables, that stands at a place behind the file: one image of all pages of a film, one below the
 * other. Each has as many rows as its strips or tiles together. Empty if the file cannot be read. */
std::vector<unsigned char> film_directory(const TiffFile &file, int film, int64_t at);

#endif
