/* ome_xml.h: what the file OME/METADATA.ome.xml of LAYOUT=BIOFORMATS2RAW says of images: OME-XML of the schema 2016-06, with
 * MetadataOnly instead of pixels. */
#ifndef NGFF_MODEL_OME_XML_H
#define NGFF_MODEL_OME_XML_H

#include "levels.h"

/* True if OME-XML has a name for the type. */
int ome_xml_has_type(const dtype *type);
/* Why an image can have no OME-XML, or NULL. */
const char *ome_xml_refusal(const struct ngff_plan *plan);
/* The document of n images, malloc'ed; NULL when memory is out. All must be such that they can have one. */
char *ome_xml_make(const struct ngff_plan *const *plans, int n);

#endif
