/* preview.h: a store as it will be. The writer holds the root's document back, the one object that makes an image of
 * all the others, until somebody has looked at them. */
#ifndef NGFF_WRITER_PREVIEW_H
#define NGFF_WRITER_PREVIEW_H

#include "store/store.h"

typedef struct {
    char key[64];
    uint8_t *bytes; /* NULL: none yet */
    size_t n;
} held_object;

/* A store for reading: s with one more object. Both are borrowed and must outlive it. NULL when memory is out. */
store *preview_open(store *s, const held_object *held);

#endif
