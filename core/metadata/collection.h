/* collection.h: the documents of a store of several images side by side, as bioformats2raw lays them out. */
#ifndef NGFF_METADATA_COLLECTION_H
#define NGFF_METADATA_COLLECTION_H

#include "metadata/metadata.h"

/* Where the OME-XML of all images lies. */
#define COLLECTION_XML_KEY "OME/METADATA.ome.xml"

/* Emits them for the images "0", "1" ... n - 1: the group OME, the XML (NULL: none), the root; its own document last. */
int32_t collection_write(int version, int n, const char *xml, document_sink sink, void *user, error *e);
/* How many these are at most. */
int collection_count(int format);

#endif
