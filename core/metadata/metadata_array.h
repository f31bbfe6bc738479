/* metadata_array.h: what a store says of one of its arrays. */
#ifndef NGFF_METADATA_METADATA_ARRAY_H
#define NGFF_METADATA_METADATA_ARRAY_H

#include "metadata/document.h"

/* The array at path; a->rank is the rank that it must have, 0 for any. attributes: where its attributes go as text, or
 * NULL. NGFF_E_NOT_FOUND leaves e alone. */
int32_t metadata_array_read(const document_source *source, int version, const char *path, stored_array *a,
                            char **attributes, error *e);

#endif
