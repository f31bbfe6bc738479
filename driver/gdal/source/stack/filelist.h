/* filelist.h: several files as one stack, named by a pattern ("slices/s*.tif") or by a text file with a name per line. */
#ifndef OMEZARR_SOURCE_STACK_FILELIST_H
#define OMEZARR_SOURCE_STACK_FILELIST_H

#include <string>
#include <vector>

/* True for a pattern (* or ? in the last part of the path) and for a file whose name ends in .txt. */
bool is_file_list(const std::string &path);

/* The files: those that a pattern fits in natural order (s2 before s10), those of a text file as they stand there, relative to
 * its folder. False, with an error, if there is none or the list cannot be read. */
bool read_file_list(const std::string &path, std::vector<std::string> *files);

#endif
