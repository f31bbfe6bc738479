/* mutate.c: libFuzzer's custom mutator for whole stores, as fuzz_store.c and fuzz_tree.c take them. Bytes flipped in JSON
 * give text that no parser takes; here a document is parsed, one thing of its tree is changed (a key, a type, a number,
 * nesting, the length of an array, a part of another document in its place), and it is printed again. Sometimes the bytes
 * of a file are left to libFuzzer, or files are dropped, doubled and renamed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { most_files = 64, most_name = 80, most_nodes = 4096, most_repeats = 5000 };

typedef struct {
    char name[most_name];
    uint8_t *bytes;
    size_t n;
} file;

typedef struct {
    file files[most_files];
    int n;
} store;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* -- Chance -------------------------------------------------------------------------------------------------------- */

static uint64_t state;

static uint32_t chance(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return n > 0 ? (uint32_t)(state >> 33) % n : 0;
}

/* What documents say, in all versions and in our own block. */
static const char *const words[] = {"",
                                    "ome",
                                    "multiscales",
                                    "datasets",
                                    "axes",
                                    "path",
                                    "name",
                                    "type",
                                    "unit",
                                    "version",
                                    "0.4",
                                    "0.5",
                                    "0.6",
                                    "omero",
                                    "channels",
                                    "label",
                                    "color",
                                    "window",
                                    "start",
                                    "end",
                                    "min",
                                    "max",
                                    "active",
                                    "t",
                                    "c",
                                    "z",
                                    "y",
                                    "x",
                                    "time",
                                    "channel",
                                    "space",
                                    "scale",
                                    "translation",
                                    "affine",
                                    "matrix",
                                    "coordinateTransformations",
                                    "coordinateSystems",
                                    "input",
                                    "output",
                                    "plate",
                                    "wells",
                                    "well",
                                    "images",
                                    "rows",
                                    "columns",
                                    "labels",
                                    "image-label",
                                    "colors",
                                    "label-value",
                                    "rgba",
                                    "series",
                                    "bioformats2raw.layout",
                                    "zarr_format",
                                    "node_type",
                                    "group",
                                    "array",
                                    "shape",
                                    "chunks",
                                    "chunk_grid",
                                    "chunk_shape",
                                    "regular",
                                    "chunk_key_encoding",
                                    "default",
                                    "v2",
                                    "separator",
                                    "/",
                                    ".",
                                    "data_type",
                                    "dtype",
                                    "uint8",
                                    "uint16",
                                    "|u1",
                                    "<u2",
                                    ">f8",
                                    "float32",
                                    "fill_value",
                                    "NaN",
                                    "codecs",
                                    "bytes",
                                    "endian",
                                    "little",
                                    "big",
                                    "zstd",
                                    "gzip",
                                    "blosc",
                                    "crc32c",
                                    "transpose",
                                    "order",
                                    "sharding_indexed",
                                    "index_codecs",
                                    "index_location",
                                    "configuration",
                                    "compressor",
                                    "filters",
                                    "id",
                                    "zlib",
                                    "level",
                                    "consolidated_metadata",
                                    "metadata",
                                    "attributes",
                                    "must_understand",
                                    "dimension_names",
                                    "omezarr",
                                    "bands",
                                    "rat",
                                    "values",
                                    "color_table",
                                    "palette",
                                    "categories",
                                    "histogram",
                                    "counts",
                                    "nodata",
                                    "offset",
                                    "description",
                                    "gcps",
                                    "points",
                                    "crs",
                                    "wkt",
                                    "axis_mapping",
                                    "geotransform",
                                    "statistics",
                                    "options",
                                    "$array",
                                    "stored_chunks",
                                    "empty_chunks",
                                    "_CRS",
                                    "proj:code",
                                    "EPSG:4326",
                                    "spatial:transform",
                                    "gdal:geotransform",
                                    "grid_mapping",
                                    "_FillValue",
                                    "scale_factor",
                                    "add_offset",
                                    "units",
                                    "0",
                                    "1",
                                    "scale0/image",
                                    "..",
                                    "../..",
                                    "a/0"};

static const double numbers[] = {0,
                                 1,
                                 -1,
                                 2,
                                 3,
                                 4,
                                 5,
                                 7,
                                 8,
                                 16,
                                 255,
                                 256,
                                 65535,
                                 65536,
                                 0.5,
                                 -0.5,
                                 2147483647,
                                 2147483648,
                                 4294967295.0,
                                 4294967296.0,
                                 9007199254740992.0,
                                 9223372036854775808.0,
                                 1e18,
                                 1e19,
                                 1e300,
                                 -1e300,
                                 1e-300,
                                 20,
                                 17,
                                 64,
                                 1000,
                                 100000,
                                 1048576};

static const char *word(void)
{
    return words[chance(sizeof words / sizeof *words)];
}

static double number(double near)
{
    static const double steps[] = {-1, 1, -16, 16};
    uint32_t way = chance(4);
    return way == 0 ? near + steps[chance(4)] : way == 1 ? near * 2 : numbers[chance(sizeof numbers / sizeof *numbers)];
}

/* -- Trees --------------------------------------------------------------------------------------------------------- */

static int is_container(const cJSON *node)
{
    return cJSON_IsArray(node) || cJSON_IsObject(node);
}

static void collect(cJSON *node, cJSON *parent, cJSON **nodes, cJSON **parents, int *n)
{
    for (; node && *n < most_nodes; node = node->next) {
        nodes[*n] = node;
        parents[(*n)++] = parent;
        if (is_container(node))
            collect(node->child, node, nodes, parents, n);
    }
}

static cJSON *new_value(void)
{
    cJSON *value;
    switch (chance(8)) {
    case 0:
        return cJSON_CreateNull();
    case 1:
        return cJSON_CreateBool((int)chance(2));
    case 2:
    case 3:
        return cJSON_CreateNumber(number(1));
    case 4:
    case 5:
        return cJSON_CreateString(word());
    case 6:
        value = cJSON_CreateArray();
        for (uint32_t i = chance(6); i > 0; i--)
            cJSON_AddItemToArray(value, cJSON_CreateNumber(number(1)));
        return value;
    default:
        value = cJSON_CreateObject();
        cJSON_AddItemToObject(value, word(), cJSON_CreateNumber(number(1)));
        return value;
    }
}

static void replace(cJSON *parent, cJSON *node, cJSON *by)
{
    if (!by || !parent || !cJSON_ReplaceItemViaPointer(parent, node, by))
        cJSON_Delete(by);
}

static void put(cJSON *parent, const char *key, cJSON *value)
{
    if (cJSON_IsObject(parent))
        cJSON_AddItemToObject(parent, key, value);
    else
        cJSON_AddItemToArray(parent, value);
}

/* cJSON keeps the key of what it replaces only if the new one has one. */
static cJSON *with_key(cJSON *value, const cJSON *of)
{
    if (value && of->string) {
        cJSON_free(value->string);
        value->string = strdup(of->string);
    }
    return value;
}

static void change_scalar(cJSON *parent, cJSON *node)
{
    cJSON *by = cJSON_IsNumber(node)   ? cJSON_CreateNumber(number(node->valuedouble))
                : cJSON_IsString(node) ? cJSON_CreateString(word())
                                       : new_value();
    replace(parent, node, with_key(by, node));
}

/* One or many more of what is there. */
static void repeat(cJSON *container)
{
    int n = cJSON_GetArraySize(container);
    uint32_t repeats = chance(8) == 0 ? chance(most_repeats) : 1 + chance(3);
    if (n == 0) {
        put(container, word(), new_value());
        return;
    }
    cJSON *one = cJSON_GetArrayItem(container, (int)chance((uint32_t)n));
    for (uint32_t i = 0; i < repeats; i++) {
        char key[40];
        snprintf(key, sizeof key, "k%u", chance(100000));
        put(container, key, cJSON_Duplicate(one, 1));
    }
}

static void nest(cJSON *parent, cJSON *node)
{
    cJSON *copy = cJSON_Duplicate(node, 1);
    for (uint32_t depth = chance(8) == 0 ? chance(80) : 1; copy && depth > 0; depth--) {
        cJSON *around = chance(2) ? cJSON_CreateArray() : cJSON_CreateObject();
        put(around, word(), copy);
        copy = around;
    }
    replace(parent, node, with_key(copy, node));
}

/* Changes a tree in one place; other: of the same or another document, a part of it may come in. */
static void change(cJSON *tree, cJSON *other)
{
    static cJSON *nodes[most_nodes], *parents[most_nodes], *others[most_nodes], *their_parents[most_nodes];
    int n = 0, n_others = 0;
    collect(tree->child, tree, nodes, parents, &n);
    collect(other->child, other, others, their_parents, &n_others);
    if (n == 0) {
        if (is_container(tree))
            put(tree, word(), new_value());
        return;
    }
    int i = (int)chance((uint32_t)n);
    cJSON *node = nodes[i], *parent = parents[i];
    switch (chance(10)) {
    case 0:
        cJSON_Delete(cJSON_DetachItemViaPointer(parent, node));
        break;
    case 1:
        replace(parent, node, with_key(new_value(), node));
        break;
    case 2: /* the key */
        if (node->string) {
            cJSON_free(node->string);
            node->string = strdup(word());
        }
        break;
    case 3:
        repeat(is_container(node) ? node : parent);
        break;
    case 4:
        nest(parent, node);
        break;
    case 5:
        if (n_others > 0)
            replace(parent, node, with_key(cJSON_Duplicate(others[chance((uint32_t)n_others)], 1), node));
        break;
    case 6:
        if (n_others > 0) {
            cJSON *part = cJSON_Duplicate(others[chance((uint32_t)n_others)], 1);
            char key[100];
            snprintf(key, sizeof key, "%s", part && part->string ? part->string : word());
            put(is_container(node) ? node : parent, key, part);
        }
        break;
    default:
        change_scalar(parent, node);
    }
}

/* -- Stores -------------------------------------------------------------------------------------------------------- */

static const uint8_t *next_name(const uint8_t *from, const uint8_t *end)
{
    for (; from + 1 < end; from++)
        if (from[0] == 1 && from[1] == ':')
            return from;
    return end;
}

static void take(store *s, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size, *at = next_name(data, end);
    for (s->n = 0; at < end && s->n < most_files;) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        if (!line || line - at > most_name)
            break;
        file *f = &s->files[s->n++];
        snprintf(f->name, sizeof f->name, "%.*s", (int)(line - at - 2), (const char *)at + 2);
        at = next_name(line + 1, end);
        f->n = (size_t)(at - line - 1);
        f->bytes = malloc(f->n + 1);
        memcpy(f->bytes, line + 1, f->n);
    }
}

/* The bytes of a store; 0 if they are too many. */
static size_t give(store *s, uint8_t *data, size_t max_size)
{
    size_t n = 0;
    int fits = 1;
    for (int i = 0; i < s->n; i++) {
        file *f = &s->files[i];
        size_t head = strlen(f->name) + 3;
        fits = fits && n + head + f->n <= max_size;
        if (fits) {
            char line[most_name + 4];
            snprintf(line, sizeof line, "\1:%s\n", f->name);
            memcpy(data + n, line, head);
            memcpy(data + n + head, f->bytes, f->n);
            n += head + f->n;
        }
        free(f->bytes);
    }
    return fits ? n : 0;
}

static cJSON *tree_of(const file *f)
{
    const char *ending = strrchr(f->name, '/') ? strrchr(f->name, '/') + 1 : f->name;
    return strcmp(ending, "zarr.json") == 0 || ending[0] == '.' ? cJSON_ParseWithLength((const char *)f->bytes, f->n)
                                                                : NULL;
}

static void change_document(store *s, int at)
{
    cJSON *tree = tree_of(&s->files[at]), *other = tree_of(&s->files[chance((uint32_t)s->n)]);
    if (tree)
        for (uint32_t times = 1 + chance(3); times > 0; times--)
            change(tree, other ? other : tree);
    char *text = tree ? cJSON_PrintUnformatted(tree) : NULL;
    if (text) {
        free(s->files[at].bytes);
        s->files[at].bytes = (uint8_t *)text;
        s->files[at].n = strlen(text);
    }
    cJSON_Delete(tree);
    cJSON_Delete(other);
}

static void change_files(store *s, int at)
{
    file *f = &s->files[at];
    uint32_t way = chance(3);
    if (way == 0) {
        free(f->bytes);
        *f = s->files[--s->n];
    } else if (way == 1 && s->n < most_files) {
        file *copy = &s->files[s->n++];
        snprintf(copy->name, sizeof copy->name, "%.30s/%.40s", word(), f->name);
        copy->n = f->n;
        copy->bytes = malloc(f->n + 1);
        memcpy(copy->bytes, f->bytes, f->n);
    } else {
        snprintf(f->name, sizeof f->name, "%s", s->files[chance((uint32_t)s->n)].name);
    }
}

static void change_bytes(file *f)
{
    size_t room = f->n + 64;
    uint8_t *bytes = malloc(room);
    memcpy(bytes, f->bytes, f->n);
    f->n = LLVMFuzzerMutate(bytes, f->n, room);
    free(f->bytes);
    f->bytes = bytes;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    store s;
    state = seed;
    take(&s, data, size);
    if (s.n == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    int at = (int)chance((uint32_t)s.n);
    uint32_t way = chance(16);
    if (way == 0)
        change_files(&s, at);
    else if (way == 1 || !strstr(s.files[at].name, "."))
        change_bytes(&s.files[at]);
    else
        change_document(&s, at);
    uint8_t *changed = malloc(max_size);
    size_t n = give(&s, changed, max_size);
    if (n > 0)
        memcpy(data, changed, n);
    free(changed);
    return n > 0 ? n : LLVMFuzzerMutate(data, size, max_size);
}
