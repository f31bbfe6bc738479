/* reader.h: what the files of this folder, and a writer that looks at its own work, know of a reader. */
#ifndef NGFF_READER_READER_H
#define NGFF_READER_READER_H

#include "metadata.h"
#include "store.h"

/* A reader on a store that it owns from now on. path: for messages. */
ngff_reader *reader_open_store(store *s, const char *path);

const stored_image *reader_image(const ngff_reader *reader);
store *reader_store(const ngff_reader *reader);
const char *reader_path(const ngff_reader *reader);
/* metadata_source: one object as text. user: the reader. */
int32_t reader_document(void *user, const char *key, char **text, size_t *n, error *e);
/* Decodes one chunk of any array of the store. Returns 1, 0 for a missing one, or an error. Thread-safe. */
int32_t reader_array_chunk(ngff_reader *reader, const stored_array *array, const int64_t *index, void *pixels,
                           error *e);

#endif
