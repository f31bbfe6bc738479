/* node_write.h: groups and arrays on their way into a store: their documents, and the chunks of small arrays of one axis.
 * Every document is kept for the copies in the root. */
#ifndef NGFF_ZARR_NODE_WRITE_H
#define NGFF_ZARR_NODE_WRITE_H

#include "zarr/array.h"

typedef struct {
    int format;         /* ZARR_* */
    document_sink sink; /* NULL: objects are only counted */
    void *user;
    error *e;
    cJSON
        *nodes; /* every document that node_put has taken, by its path: an object, or NULL where no copies are wanted */
    int64_t n_objects;
    int is_whole; /* 1 at the beginning; 0 when memory was out for a tree, which then is not stored */
} node_writer;

/* One object; one document, which stays the caller's. All return the status of to->e. */
int32_t node_put_object(node_writer *to, const char *key, const void *bytes, size_t n);
int32_t node_put_document(node_writer *to, const char *key, const cJSON *tree);
/* The document name of the node at path ("" for the root). tree: handed over. */
int32_t node_put(node_writer *to, const char *path, const char *name, cJSON *tree);
/* The documents of an array and of the groups above it that are not there yet. attributes: handed over. */
int32_t node_put_array(node_writer *to, const stored_array *a, const char *const *dims, cJSON *attributes);

/* An array of one axis of n items without compression, in chunks, the last one padded with zeros. put_item: makes item i. */
int32_t node_put_line(node_writer *to, const char *path, const char *dim, const dtype *type, int64_t n, int64_t chunk,
                      cJSON *attributes, void (*put_item)(const void *from, int64_t i, uint8_t *to), const void *from);

#endif
