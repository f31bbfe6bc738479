/* tree.c: see tree.h. */
#include "zarr/tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"

void tree_put(cJSON *object, const char *key, cJSON *item, int *is_whole)
{
    if (!item || !key || !cJSON_AddItemToObject(object, key, item)) {
        cJSON_Delete(item);
        *is_whole = 0;
    }
}

void tree_add(cJSON *array, cJSON *item, int *is_whole)
{
    if (!item || !cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        *is_whole = 0;
    }
}

/* cJSON_ReplaceItemInObject of cJSON 1.7.15 gives the item no name when memory is out, and says nothing. */
void tree_replace(cJSON *object, const char *key, cJSON *item, int *is_whole)
{
    cJSON *old = cJSON_GetObjectItemCaseSensitive(object, key);
    char *name = item && old ? cJSON_malloc(strlen(key) + 1) : NULL;
    if (name) {
        memcpy(name, key, strlen(key) + 1);
        item->string = name;
    }
    if (!name || !cJSON_ReplaceItemViaPointer(object, old, item)) {
        cJSON_Delete(item);
        *is_whole = 0;
    }
}

cJSON *tree_whole(int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    return cJSON_CreateRaw(text);
}

cJSON *tree_real(double value)
{
    char text[40];
    if (!isfinite(value))
        return cJSON_CreateString(isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    number_print(value, text);
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
    return cJSON_CreateRaw(text);
}

cJSON *tree_wholes(const int64_t *values, int n, int *is_whole)
{
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        tree_add(array, tree_whole(values[i]), is_whole);
    return array;
}

cJSON *tree_reals(const double *values, int n, int *is_whole)
{
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        tree_add(array, tree_real(values[i]), is_whole);
    return array;
}

cJSON *tree_texts(const char *const *values, int n, int *is_whole)
{
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        tree_add(array, cJSON_CreateString(values[i]), is_whole);
    return array;
}

cJSON *tree_group(int format, cJSON *attributes, int *is_whole)
{
    int is_v2 = format == ZARR_2;
    cJSON *group = cJSON_CreateObject();
    tree_put(group, "zarr_format", tree_whole(is_v2 ? 2 : 3), is_whole);
    if (!is_v2) {
        tree_put(group, "node_type", cJSON_CreateString("group"), is_whole);
        tree_put(group, "attributes", attributes, is_whole);
    }
    return group;
}

cJSON *tree_named(const char *name, cJSON *configuration, int *is_whole)
{
    cJSON *object = cJSON_CreateObject();
    tree_put(object, "name", cJSON_CreateString(name), is_whole);
    if (configuration)
        tree_put(object, "configuration", configuration, is_whole);
    return object;
}

static cJSON *integer_pixel(const dtype *type, const uint8_t *pixel, int quote_large)
{
    char text[32];
    uint64_t bits = 0;
    for (int i = 0; i < type->size; i++) {
        /* Pixels are in native byte order. */
        bits |= (uint64_t)pixel[machine_is_big_endian() ? type->size - 1 - i : i] << 8 * i;
    }
    if (type->class == CLASS_SIGNED) {
        int unused = 64 - 8 * type->size;
        snprintf(text, sizeof text, "%" PRId64, (int64_t)(bits << unused) >> unused);
    } else {
        snprintf(text, sizeof text, "%" PRIu64, bits);
    }
    return quote_large && type->size == 8 ? cJSON_CreateString(text) : cJSON_CreateRaw(text);
}

cJSON *tree_pixel(const dtype *type, const uint8_t *pixel, int quote_large, int *is_whole)
{
    if (type->class == CLASS_SIGNED || type->class == CLASS_UNSIGNED)
        return integer_pixel(type, pixel, quote_large);
    if (type->class == CLASS_FLOAT)
        return tree_real(dtype_to_double(type->data_type, pixel));
    int32_t part = type->item_size == 4 ? NGFF_FLOAT32 : NGFF_FLOAT64;
    cJSON *pair = cJSON_CreateArray();
    for (int i = 0; i < 2; i++)
        tree_add(pair, tree_real(dtype_to_double(part, pixel + i * type->item_size)), is_whole);
    return pair;
}
