/* consolidated.c: the copies of a store's documents that its root holds: zarr.json's consolidated_metadata (v3) or
 * .zmetadata (v2). They name every document that must be there, and what must stand in it. */
#include "zarr/consolidated.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct consolidated {
    cJSON *root;
    const cJSON *copies; /* by path (v3) or key (v2) */
    int format;
    char key[512];
};

int32_t consolidated_open(document_get source, void *user, int format, consolidated **c, error *e)
{
    const char *key = format == ZARR_2 ? ".zmetadata" : "zarr.json";
    char *text = NULL;
    size_t n = 0;
    *c = NULL;
    int32_t status = source(user, key, &text, &n, e);
    if (status != NGFF_OK)
        return status == NGFF_E_NOT_FOUND ? NGFF_OK : status;
    cJSON *root = json_parse(text, n, NULL, key, e);
    free(text);
    if (!root)
        return e->status;
    const cJSON *holder = format == ZARR_2 ? root : cJSON_GetObjectItemCaseSensitive(root, "consolidated_metadata");
    const cJSON *copies = cJSON_GetObjectItemCaseSensitive(holder, "metadata");
    if (!cJSON_IsObject(copies)) {
        cJSON_Delete(root);
        return format == ZARR_2 ? error_set(e, NGFF_E_CORRUPT, "%s has no member metadata", key) : NGFF_OK;
    }
    *c = calloc(1, sizeof **c);
    if (!*c) {
        cJSON_Delete(root);
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    **c = (struct consolidated){.root = root, .copies = copies, .format = format};
    return NGFF_OK;
}

void consolidated_free(consolidated *c)
{
    if (!c)
        return;
    cJSON_Delete(c->root);
    free(c);
}

const char *consolidated_key(consolidated *c, int i)
{
    const cJSON *copy = c ? cJSON_GetArrayItem(c->copies, i) : NULL;
    if (!copy)
        return NULL;
    snprintf(c->key, sizeof c->key, "%.400s%s", copy->string, c->format == ZARR_2 ? "" : "/zarr.json");
    return c->key;
}

static const cJSON *copy_of(const consolidated *c, const char *key)
{
    static const char name[] = "/zarr.json";
    char path[512];
    size_t n = strlen(key);
    if (c->format != ZARR_2) {
        if (n < sizeof name || strcmp(key + n - sizeof name + 1, name) != 0)
            return NULL;
        n -= sizeof name - 1;
    }
    if (n >= sizeof path)
        return NULL;
    snprintf(path, sizeof path, "%.*s", (int)n, key);
    return cJSON_GetObjectItemCaseSensitive(c->copies, path);
}

int32_t consolidated_judge(const consolidated *c, const char *key, const char *text, size_t n, error *e)
{
    cJSON *document = json_parse(text, n, NULL, key, e);
    if (!document)
        return e->status;
    int32_t result = 0;
    const cJSON *copy = c ? copy_of(c, key) : NULL;
    if (copy) {
        /* zarr-python puts an empty copy of its own into groups below the root, in one of the two places. */
        static const char nested[] = "consolidated_metadata";
        cJSON *other = cJSON_Duplicate(copy, 1);
        cJSON_DeleteItemFromObjectCaseSensitive(document, nested);
        cJSON_DeleteItemFromObjectCaseSensitive(other, nested);
        result = !other ? error_set(e, NGFF_E_MEMORY, "%s: out of memory for the root's copy of it", key)
                 : cJSON_Compare(document, other, 1)
                     ? 1
                     : error_set(e, NGFF_E_CORRUPT, "%s is not what the root's copy of it says: one of them is damaged",
                                 key);
        cJSON_Delete(other);
    }
    cJSON_Delete(document);
    return result;
}

/* -- Instead of the documents ---------------------------------------------------------------------------------- */

typedef struct {
    json_span name, text;
} copy;

struct known_documents {
    char *root; /* zarr.json, or .zmetadata where is_v2 */
    size_t n_root;
    int32_t v3_status; /* of zarr.json: NGFF_OK, NGFF_E_NOT_FOUND, or the error below */
    error v3_error;
    char *page; /* that came instead of it */
    int is_v2;
    int n;
    copy *copies; /* by name; those of v3 are paths */
};

static int compare_names(const void *a, const void *b)
{
    const json_span *one = &((const copy *)a)->name, *other = &((const copy *)b)->name;
    int order = memcmp(one->text, other->text, one->n < other->n ? one->n : other->n);
    return order ? order : (one->n > other->n) - (one->n < other->n);
}

/* Names with escapes are not known by their letters: then nothing is. */
static void list_copies(known_documents *known, const document_source *source)
{
    const json_limits limits = document_limits(source);
    error ignored = {0};
    copy next;
    size_t at = 0;
    if (json_check(known->root, known->n_root, &limits, "", &ignored) != NGFF_OK)
        return; /* whoever reads it is told */
    json_span holder = {known->root, known->n_root};
    json_span copies = json_member(known->is_v2 ? holder : json_member(holder, "consolidated_metadata"), "metadata");
    while (json_next(copies, &at, &next.name, &next.text)) {
        copy *more = known->copies;
        if (known->n % 256 == 0)
            more = realloc(known->copies, ((size_t)known->n + 256) * sizeof *more);
        if (more)
            known->copies = more;
        if (!more || memchr(next.name.text, '\\', next.name.n) || next.text.text[0] != '{') {
            known_forget_copies(known);
            return;
        }
        known->copies[known->n++] = next;
    }
    if (known->n > 0)
        qsort(known->copies, (size_t)known->n, sizeof *known->copies, compare_names);
}

static int is_document_text(const char *text)
{
    return text && text[strspn(text, " \t\r\n")] == '{';
}

known_documents *known_open(document_get get, void *user, const stored_limits *limits)
{
    const document_source source = document_source_of(get, user, limits);
    known_documents *known = calloc(1, sizeof *known);
    if (!known)
        return NULL;
    known->v3_status = get(user, "zarr.json", &known->root, &known->n_root, &known->v3_error);
    if (known->v3_status == NGFF_OK && !is_document_text(known->root)) {
        known->page = known->root;
        known->root = NULL;
    }
    if (!known->root && (known->page || known->v3_status == NGFF_E_NOT_FOUND || known->v3_error.is_refusal)) {
        error ignored = {0};
        int32_t status = get(user, ".zmetadata", &known->root, &known->n_root, &ignored);
        known->is_v2 = status == NGFF_OK && is_document_text(known->root);
        if (!known->is_v2) {
            free(status == NGFF_OK ? known->root : NULL);
            known->root = NULL;
        }
    }
    if (known->root)
        list_copies(known, &source);
    return known;
}

void known_free(known_documents *known)
{
    if (!known)
        return;
    free(known->copies);
    free(known->root);
    free(known->page);
    free(known);
}

int known_forget_copies(known_documents *known)
{
    int had_some = known && known->n > 0;
    if (known) {
        free(known->copies);
        known->copies = NULL;
        known->n = 0;
    }
    return had_some;
}

static int is_zarr_name(const char *name)
{
    return strcmp(name, ".zarray") == 0 || strcmp(name, ".zattrs") == 0 || strcmp(name, ".zgroup") == 0;
}

static int32_t give(json_span span, char **text, size_t *n, error *e)
{
    *text = json_copy(span);
    *n = span.n;
    return *text ? NGFF_OK : error_set(e, NGFF_E_MEMORY, "memory is out");
}

int32_t known_get(const known_documents *known, const char *key, char **text, size_t *n, error *e)
{
    static const char v3_name[] = "zarr.json";
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    int is_v3_name = strcmp(name, v3_name) == 0;
    if (is_v3_name && !slash) {
        if (known->page)
            return give(json_whole(known->page), text, n, e);
        if (known->v3_status != NGFF_OK)
            return known->v3_error.status ? error_copy(e, &known->v3_error) : known->v3_status;
        return give((json_span){known->root, known->n_root}, text, n, e);
    }
    if (known->n == 0 || !(is_v3_name || (known->is_v2 && is_zarr_name(name))))
        return 1;
    const copy wanted = {{key, known->is_v2 ? strlen(key) : (size_t)(name - 1 - key)}, {NULL, 0}};
    const copy *found = bsearch(&wanted, known->copies, (size_t)known->n, sizeof wanted, compare_names);
    return found ? give(found->text, text, n, e) : NGFF_E_NOT_FOUND;
}
