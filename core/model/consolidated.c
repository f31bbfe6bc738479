/* consolidated.c: the copies of a store's documents that its root holds: zarr.json's consolidated_metadata (v3) or
 * .zmetadata (v2). They name every document that must be there, and what must stand in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "json.h"
#include "metadata.h"

struct consolidated {
    cJSON *root;
    const cJSON *copies; /* by path (v3) or key (v2) */
    int version;
    char key[512];
};

int32_t consolidated_open(metadata_source source, void *user, int version, consolidated **c, error *e)
{
    const char *key = version == VERSION_04 ? ".zmetadata" : "zarr.json";
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
    const cJSON *holder =
        version == VERSION_04 ? root : cJSON_GetObjectItemCaseSensitive(root, "consolidated_metadata");
    const cJSON *copies = cJSON_GetObjectItemCaseSensitive(holder, "metadata");
    if (!cJSON_IsObject(copies)) {
        cJSON_Delete(root);
        return version == VERSION_04 ? error_set(e, NGFF_E_CORRUPT, "%s has no member metadata", key) : NGFF_OK;
    }
    *c = calloc(1, sizeof **c);
    if (!*c) {
        cJSON_Delete(root);
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    }
    **c = (struct consolidated){.root = root, .copies = copies, .version = version};
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
    snprintf(c->key, sizeof c->key, "%.400s%s", copy->string, c->version == VERSION_04 ? "" : "/zarr.json");
    return c->key;
}

static const cJSON *copy_of(const consolidated *c, const char *key)
{
    static const char name[] = "/zarr.json";
    char path[512];
    size_t n = strlen(key);
    if (c->version != VERSION_04) {
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
