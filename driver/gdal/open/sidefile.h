/* sidefile.h: the side file (.aux.xml) of a store: what its user said about it while it was open for reading. GDAL
 * reads and writes it; here is what it must not repeat, because the store says it. */
#ifndef OMEZARR_OPEN_SIDEFILE_H
#define OMEZARR_OPEN_SIDEFILE_H

#include <string>
#include <vector>

#include "cpl_minixml.h"

#include "describe/attributes.h"

/* Takes out of a dataset's or a band's tree the metadata that the store has: kept in the side file it would count more
 * than what the store says after a change. */
void drop_stored_metadata(CPLXMLNode *tree, const std::vector<MetadataDomain> &stored);

/* True if a tree has nothing but attributes. */
bool is_empty_tree(const CPLXMLNode *tree);

/* The domains and items of an object, but those that GDAL or we make. */
std::vector<MetadataDomain> metadata_of(GDALMajorObject *object);

/* A change of the store has taken over what its side file said: takes that out of the file, and what other pixels made
 * untrue. All else stays; a file with nothing left in it goes. */
void fold_side_file(const std::string &path, bool are_pixels_other);

#endif
