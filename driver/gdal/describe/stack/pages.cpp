/* pages.cpp: pages that say nothing of themselves. Those of equal shape and type are one image, along z: the first such
 * image is what the file is opened as. */
#include "describe/stack/kinds.h"

Outcome read_pages(const TiffFile &first, WalkFile, StackDescription *to)
{
    to->files = {first.path};
    return add_other_pages(first, std::vector<bool>(first.pages.size()), to) ? Outcome::READ : Outcome::REFUSED;
}
