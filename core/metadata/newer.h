/* newer.h: what a group says in the words of a newer version of NGFF: the same axes, levels, positions. */
#ifndef NGFF_METADATA_NEWER_H
#define NGFF_METADATA_NEWER_H

#include "model/options.h"
#include "zarr/document.h"

/* The attributes of a group, of which the text is known to be JSON, by the rules of VERSION_05 or VERSION_06. format: of the
 * document they are from. Returns 1 and a tree in *made where they say something of NGFF that has to be said otherwise;
 * 0, and nothing, where not; or an error: NGFF_E_UNSUPPORTED for versions before 0.4, newer ones than asked for, and
 * positions that the newer version has no word for. where: names the document in messages. */
int32_t newer_attributes(json_span attributes, int format, int version, const char *where, cJSON **made, error *e);

#endif
