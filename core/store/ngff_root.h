/* ngff_root.h: is a root document of Zarr that of an OME-Zarr, and is a file below it one of a store? Asked before
 * something is replaced, so that the answer is by the places of the keys, and is no where the text is not JSON. */
#ifndef NGFF_STORE_NGFF_ROOT_H
#define NGFF_STORE_NGFF_ROOT_H

#include <stddef.h>
#include <stdint.h>

/* True for "multiscales" (a list), "plate", "well" (objects) or "bioformats2raw.layout" (a number) in the root of .zattrs
 * or in attributes.ome of zarr.json; early writers had "multiscales" in its attributes. GeoZarr's is an object. */
int looks_like_ngff(const uint8_t *text, size_t n);

/* True for the key of a file inside a node of a store ("scale0/image/c/0/1") that a store may have there: a document, a
 * chunk, a mark, what a killed writer has left, or what a system puts into every folder (.DS_Store). */
int is_key_of_store(const char *key);

#endif
