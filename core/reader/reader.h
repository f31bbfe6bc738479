/* reader.h: what the files of this folder share, and what a writer that looks at its own work knows of a reader. */
#ifndef NGFF_READER_READER_H
#define NGFF_READER_READER_H

#include <sys/types.h>

#include "base/budget.h"
#include "metadata/metadata.h"
#include "metadata/parts.h"
#include "ngff.h"
#include "zarr/chunk.h"
#include "reader/chunk_cache.h"
#include "reader/recorded.h"
#include "store/store.h"
#include "zarr/consolidated.h"

enum { least_cache = 64 << 20, most_cache = 512 << 20 }; /* bytes of decoded chunks kept, unless the host says it */

struct ngff_reader {
    error error;
    char *path; /* of the image; of the store's root where that is a collection */
    store *store;
    stored_limits limits;
    stored_image image;
    stored_parts parts;
    known_documents *known; /* what the root of a store on a server tells of the others; NULL: they are read */
    char *group;            /* of the image below that root, for keys; NULL: the root itself */
    int is_sole;            /* the root was opened, and holds this image alone in a list of series */
    int named_level;        /* the part that was opened is this level's array, */
    int named_entry;        /* or this entry of "multiscales" */
    char *answer;           /* of ngff_reader_attribute */
    char *system, *wkt;     /* of ngff_reader_position */
    stored_view *view;      /* what viewers are told; NULL until somebody asks (view.c) */

    budget *buffers;    /* chunks of pixels: one per thread at work, and those of the cache */
    chunk_cache *cache; /* chunks that region.c has met in part */
    pid_t threads_of;   /* the process whose helpers it uses, or 0; helpers.c's lock guards it */

    chunk_store chunks;
    recorded recorded;
};

/* Chunks are read on any thread, so their errors go to the caller and not into the handle. Returns result. */
int32_t error_give(const error *e, int32_t result, char *text, int64_t size);
int level_is_valid(const ngff_reader *reader, int32_t level_index);
/* Without what was asked for: the reader's error, or that there is none such. */
int32_t reader_has_none(const ngff_reader *reader);
int32_t level_error(const ngff_reader *reader, int32_t level_index, error *e);

void reader_view_release(ngff_reader *reader);
void reader_position_release(ngff_reader *reader);

/* A reader on a store that it owns from now on. path: for messages. */
ngff_reader *reader_open_store(store *s, const char *path);

/* The options of ngff_reader_open_part; a bad one becomes the reader's error. */
int32_t reader_apply_options(ngff_reader *reader, const char *const *options);

/* A reader that stands at a folder and has opened nothing, for reader_document alone. NULL when memory is out. */
ngff_reader *reader_at(const char *path);

const stored_image *reader_image(const ngff_reader *reader);
store *reader_store(const ngff_reader *reader);
const char *reader_path(const ngff_reader *reader);
/* document_get: one object as text. user: the reader. */
int32_t reader_document(void *user, const char *key, char **text, size_t *n, error *e);
/* document_get: the same, without a request where the root of a store on a server has told. */
int32_t reader_known_document(void *user, const char *key, char **text, size_t *n, error *e);

#endif
