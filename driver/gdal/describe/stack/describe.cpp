/* describe.cpp: see describe.h. The kinds are asked in this order; the last one takes every file. */
#include "describe/stack/kinds.h"

#include "cpl_error.h"

static bool is_anything(const TiffFile &)
{
    return true;
}

template <bool (*is_kind)(const std::string &)> static bool says(const TiffFile &file)
{
    return is_kind(file.description);
}

static const struct {
    const char *name;
    bool (*is_kind)(const TiffFile &file);
    ReadKind read;
} kinds[] = {
    {"OME-XML", says<is_ome_xml>, read_ome_xml}, {"ImageJ", says<is_imagej>, read_imagej},
    {"tifffile", says<is_shaped>, read_shaped},  {"Aperio", says<is_aperio>, read_aperio},
    {"Leica", says<is_leica>, read_leica},       {"Hamamatsu", is_hamamatsu, read_hamamatsu},
    {"MetaMorph", is_metamorph, read_metamorph}, {"Zeiss", is_zeiss, read_zeiss},
    {"pages", is_anything, read_pages},
};

bool speaks_of_planes(const std::string &description)
{
    return is_ome_xml(description) || is_imagej(description) || is_shaped(description) || is_aperio(description) ||
           is_leica(description);
}

bool describe_stack(const TiffFile &first, WalkFile walk, StackDescription *to)
{
    *to = StackDescription();
    if (first.pages.empty()) {
        CPLError(CE_Failure, CPLE_AppDefined, "%s: a TIFF without a page; get it again", first.path.c_str());
        return false;
    }
    for (const auto &kind : kinds) {
        if (!kind.is_kind(first))
            continue;
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
