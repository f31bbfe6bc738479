/* fuzz_parts.c: libFuzzer target for finding the images of a store. The input is pairs of a key and a document with
 * NULs between them, after a first text that is the part to open. What is found lies below the root, and a search reads
 * few documents, whatever they say. Then the same store is judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zarr/document.h"
#include "metadata/parts.h"
#include "ngff.h"
#include "validate/validate.h"

enum { most_objects = 64 };

typedef struct {
    const char *part, *keys[most_objects], *texts[most_objects];
    int n, n_asked, most_asked; /* most_asked: then the server is gone, 0: never */
} documents;

static int32_t give(void *user, const char *key, char **text, size_t *n, error *e)
{
    documents *d = user;
    if (++d->n_asked > 100000)
        abort();
    if (d->most_asked > 0 && d->n_asked > d->most_asked)
        return error_set(e, NGFF_E_STORAGE, "%s: the server is gone", key);
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->keys[i], key) == 0) {
            *text = strdup(d->texts[i]);
            *n = strlen(*text);
            return NGFF_OK;
        }
    return NGFF_E_NOT_FOUND;
}

/* A part's path without its "#". */
static void check_path(const char *path)
{
    char text[600];
    if (strlen(path) >= sizeof text)
        abort();
    strcpy(text, path);
    text[strcspn(text, "#")] = '\0';
    if (text[0] && !path_is_safe(text))
        abort();
}

static void check_parts(const stored_parts *parts)
{
    for (int i = 0; i < parts->n; i++) {
        check_path(parts->items[i].path);
        if (!parts->items[i].title[0])
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 3), *at = text;
    documents d = {.n = 0};
    stored_limits limits = {1 << 20, 1 << 20};
    stored_place place;
    stored_image image;
    error e = {0};
    memcpy(text, data, size);
    d.part = at;
    for (at += strlen(at) + 1; at < text + size && d.n < most_objects; at += strlen(at) + 1) {
        d.keys[d.n] = at;
        at += strlen(at) + 1;
        d.texts[d.n++] = at < text + size ? at : "";
    }
    if (place_find(give, &d, d.part, &limits, &place, &e) == NGFF_OK) {
        check_parts(&place.parts);
        if (place.is_list == (place.group != NULL) || (place.group && place.group[0] && !path_is_safe(place.group)) ||
            (place.level && !path_is_safe(place.level)))
            abort();
    } else if (!e.message[0] || place.parts.items) {
        abort();
    }
    place_release(&place);
    error other = {0};
    if (metadata_read_entry(give, &d, size > 0 ? data[0] % 3 : 0, &limits, &image, &other) == NGFF_OK) {
        stored_parts parts;
        error third = {0};
        if (parts_of_image(give, &d, "a/b", &image, &limits, &parts, &third) == NGFF_OK)
            check_parts(&parts);
        parts_release(&parts);
        {
            error none = {0};
            free(metadata_node_attributes(&image, d.part, give, &d, &none));
        }
    }
    metadata_release(&image);
    judge j = {.of_unknown_version = NGFF_FINDING_INVALID};
    error fourth = {0};
    d.n_asked = 0;
    d.most_asked = 500;
    int32_t status = validate_store(&j, give, &d, &limits, &fourth);
    if (status != fourth.status || (status < 0 && !fourth.message[0]))
        abort();
    free(text);
    return 0;
}
