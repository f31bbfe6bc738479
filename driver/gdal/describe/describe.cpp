/* describe.cpp: see describe.h. The kinds are asked in this order; the last one takes every file. */
#include "kinds.h"

#include "cpl_error.h"

static const struct {
    const char *name;
    ReadKind read;
} kinds[] = {
    {"OME-XML", read_ome_xml}, {"ImageJ", read_imagej}, {"tifffile", read_shaped},
    {"Aperio", read_aperio},   {"pages", read_pages},
};

bool describe_stack(const TiffFile &first, WalkFile walk, StackDescription *to)
{
    *to = StackDescription();
    if (first.pages.empty()) {
        CPLError(CE_Failure, CPLE_AppDefined, "%s: a TIFF without a page; get it again", first.path.c_str());
        return false;
    }
    for (const auto &kind : kinds) {
        StackDescription found;
        found.warnings = to->warnings; /* of kinds that were of no use */
        const Outcome outcome = kind.read(first, walk, &found);
        if (outcome == Outcome::REFUSED)
            return false;
        if (outcome == Outcome::READ) {
            *to = std::move(found);
            to->kind = kind.name;
            return true;
        }
        to->warnings = std::move(found.warnings);
    }
    return false;
}
