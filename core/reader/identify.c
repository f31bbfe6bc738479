/* identify.c: whether a place looks like an OME-Zarr, for hosts that ask of each folder they meet. Words first, because
 * most places have none of them; then where they stand. What the documents say is not judged here. */
#include "ngff.h"

#include <stdlib.h>
#include <string.h>

#include "zarr/document.h"
#include "store/store.h"

enum { most_read = 4 << 20 }; /* the root's attributes stand within that, before its copies of other documents */

/* The first bytes of a document, for free(), with NUL; NULL if there is none, or a page in its place. is_away: nothing
 * can be read there; is_refused: the server does not give it. */
static char *first_bytes(store *s, const char *key, size_t *n, int *is_away, int *is_refused)
{
    uint8_t *bytes = NULL;
    int is_there;
    error e = {0};
    *is_away = store_find(s, key, 0, most_read, &bytes, n, &is_there, &e) != NGFF_OK && !e.is_refusal;
    *is_refused |= e.is_refusal;
    const char *text = (const char *)bytes;
    if (text && text[strspn(text, " \t\r\n")] != '<')
        return (char *)bytes;
    free(bytes);
    return NULL;
}

/* Images, and the collections of parts.h. Outside "ome" the words stand among others', so each needs a second one; a list
 * of images that is empty is nobody else's. */
static int is_of_ngff(const cJSON *ome, int is_in_ome)
{
    const cJSON *multiscales = member(ome, "multiscales"), *layout = member(ome, "bioformats2raw.layout");
    const cJSON *plate = member(ome, "plate"), *well = member(ome, "well");
    if (is_in_ome)
        return multiscales || plate || well || layout || member(ome, "labels");
    return member(cJSON_GetArrayItem(multiscales, 0), "datasets") ||
           (cJSON_IsArray(multiscales) && !multiscales->child) || member(plate, "wells") || member(plate, "rows") ||
           member(well, "images") || (cJSON_IsNumber(layout) && layout->valuedouble == 3);
}

static int has_words(const char *text, int is_v3)
{
    static const char *const words[] = {"\"multiscales\"", "\"plate\"", "\"well\"", "\"bioformats2raw.layout\"",
                                        "\"labels\""};
    int is_in_ome = is_v3 && strstr(text, "\"ome\""), n = is_in_ome ? 5 : 4, i = 0;
    while (i < n && !strstr(text, words[i]))
        i++;
    return i < n;
}

/* A document that has the words and is no JSON is ours to complain of; of one that was not read whole the words do. */
static int text_looks_like(const char *text, size_t n, const char *key)
{
    const json_limits limits = {most_read, json_max_depth, json_max_nodes, NULL, NULL};
    int is_v3 = strcmp(key, "zarr.json") == 0, is_copy = strcmp(key, ".zmetadata") == 0;
    error ignored = {0};
    if (!has_words(text, is_v3))
        return 0;
    cJSON *tree = n < most_read ? json_parse(text, n, &limits, key, &ignored) : NULL;
    if (!tree)
        return !is_v3 || strstr(text, "\"ome\"") || strstr(text, "\"datasets\"");
    const cJSON *attributes = is_v3     ? member(tree, "attributes")
                              : is_copy ? member(member(tree, "metadata"), ".zattrs")
                                        : tree;
    const cJSON *ome = is_v3 ? member(attributes, "ome") : NULL;
    int is_found = is_v3 && !ome /* images of 0.4 in Zarr v3 */
                       ? member(cJSON_GetArrayItem(member(attributes, "multiscales"), 0), "datasets") != NULL
                       : is_of_ngff(ome ? ome : attributes, ome != NULL);
    cJSON_Delete(tree);
    return is_found;
}

int32_t ngff_identify(const char *path)
{
    static const char *const keys[] = {"zarr.json", ".zmetadata", ".zattrs"};
    int is_found = 0, is_told = 0, is_away = 0, is_refused = 0;
    char *place = store_path_of(path ? path : "");
    store *s = place ? store_open(place) : NULL;
    free(place);
    if (s)
        s->is_asked_once = 1;
    for (int i = 0; s && i < 3 && !is_told && !is_away; i++) {
        size_t n = 0;
        if (i == 1 && !s->ops->is_remote) /* as the reader does, so that a server is asked once */
            continue;
        char *text = first_bytes(s, keys[i], &n, &is_away, &is_refused);
        is_told = text && (i != 1 || strstr(text, "\".zattrs\""));
        is_found = is_told && text_looks_like(text, n, keys[i]);
        free(text);
    }
    if (s)
        s->ops->free(s);
    return is_refused && !is_told ? NGFF_E_STORAGE : is_found;
}
