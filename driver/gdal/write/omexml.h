/* omexml.h: the source's OME-XML for LAYOUT=BIOFORMATS2RAW: all that it says of microscope, people and time stays, and what it
 * says of the pixels becomes what is written. */
#ifndef OMEZARR_WRITE_OMEXML_H
#define OMEZARR_WRITE_OMEXML_H

#include <string>
#include <vector>

#include "describe/image.h"

/* An image that is written. */
struct ImageXml {
    std::string made{};              /* what the core says of it (ngff_plan_ome_xml) */
    bool stays = false;              /* the source's Image is as it was: nothing else is looked at */
    int image = -1;                  /* which Image of the source's XML it is; -1: none of them */
    std::vector<int64_t> channels{}; /* which of its channels are written; empty: all, in their order */
};

/* The source's OME-XML and the number of the image in it; "" where it has none. */
std::string source_ome_xml(GDALDataset *source, int *image);

/* The document of these images in this order; "", with the reason, where the source's is no use. */
std::string true_ome_xml(const std::string &source, const std::vector<ImageXml> &images, std::string *reason);

/* What is written of a source, for the two below. */
ImageXml image_xml(const ngff_plan *plan, const ImageFromSource &image, GDALDataset *source);

/* Gives the plan of the first of these images the OME-XML of its source, if there is any; else the core makes it. False, with
 * an error, when that fails. */
bool set_ome_xml(ngff_plan *plan, const std::vector<ImageXml> &images, GDALDataset *source);

/* The same for a plan that changes the store at root. */
bool keep_ome_xml(ngff_plan *plan, const std::string &root);

#endif
