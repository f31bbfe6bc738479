/* ome_xml.h: what the file OME/METADATA.ome.xml of LAYOUT=BIOFORMATS2RAW says of images: OME-XML of the schema 2016-06, with
 * MetadataOnly instead of pixels. */
#ifndef NGFF_METADATA_OME_XML_H
#define NGFF_METADATA_OME_XML_H

#include "model/plan.h"

/* The document of n images, malloc'ed; NULL when memory is out. All must be such that they can have one
 * (plan_ome_refusal). */
char *ome_xml_make(const struct ngff_plan *const *plans, int n);

#endif
