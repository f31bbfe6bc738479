/* contradictions.h: our stores say some things in two places, for different readers: names of channels, the size of a
 * pixel. A program that changes one of them leaves the other. */
#ifndef OMEZARR_VERIFY_CONTRADICTIONS_H
#define OMEZARR_VERIFY_CONTRADICTIONS_H

#include "ngff.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calls tell once for each place where the documents of a store of ours contradict each other. path: of the store. */
void tell_contradictions(ngff_reader *reader, const char *path, void (*tell)(void *user, const char *text), void *user);

/* On opening: a warning where GDAL shows another size of a pixel than the transform of level 0 says. */
void warn_of_contradictions(ngff_reader *reader, const char *path);

#ifdef __cplusplus
}
#endif
#endif
