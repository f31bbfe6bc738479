/* validate_place.c: opens a place, and has its metadata judged (validate/validate.c). */
#include "ngff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "reader/reader.h"
#include "validate/validate.h"

/* Where the name of a single document begins in a path; NULL if the path is a store's. */
static const char *document_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    return (n > 5 && strcmp(name + n - 5, ".json") == 0) || strcmp(name, ".zattrs") == 0 ? name : NULL;
}

int32_t ngff_validate(const char *path, const char *const *options,
                      void (*finding)(void *user, int32_t kind, const char *text), void *user)
{
    judge j = {.finding = finding, .user = user, .of_unknown_version = NGFF_FINDING_INVALID};
    error e = {0};
    char *place = store_path_of(path ? path : "");
    const char *name = place ? document_name(place) : NULL;
    char *folder = !place          ? NULL
                   : name == place ? strdup(".")
                                   : text_copy(place, name ? (size_t)(name - place) : strlen(place));
    ngff_reader *reader = folder ? reader_at(folder) : NULL;
    if (!reader)
        error_set(&e, NGFF_E_MEMORY, "out of memory");
    else if (reader_apply_options(reader, options) != NGFF_OK)
        error_copy(&e, &reader->error);
    else if (name)
        validate_document(&j, reader_document, reader, name, &reader->limits, &e);
    else
        validate_store(&j, reader_document, reader, &reader->limits, &e);
    if (e.status != NGFF_OK && finding) {
        error_at(&e, "%s", path ? path : "");
        finding(user, NGFF_FINDING_UNREAD, e.message);
    }
    free(folder);
    free(place);
    ngff_reader_free(reader);
    return e.status != NGFF_OK ? e.status : j.n_invalid > 0 ? NGFF_E_CORRUPT : NGFF_OK;
}
