/* fuzz_tree.c: libFuzzer target for a whole store, read by the library without GDAL: opening, every attribute, a box of
 * every level and mask, coordinates, verify. The input is that of fuzz_store.c (entries.h).
 * mutate.c changes it as a tree. Memory is limited by the flags of scripts/fuzz.sh. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entries.h"
#include "ngff.h"

enum { most_files = 64, most_path = 200, most_bytes = 1 << 20, most_pixels = 1 << 16 };

static char folder[64], paths[most_files][most_path];
static int n_paths;

static void remove_all(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(command);
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
}

static void remove_with_folders(char *path)
{
    unlink(path);
    for (char *slash = strrchr(path, '/'); slash > path + strlen(folder); slash = strrchr(path, '/')) {
        *slash = '\0';
        if (rmdir(path) != 0)
            return;
    }
}

static int is_tame(const char *name)
{
    return name[0] && name[0] != '/' && !strstr(name, "..") && !strstr(name, "//");
}

static void make_store(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size, *at = next_name(data, end);
    for (n_paths = 0; at < end && n_paths < most_files;) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        if (!line || line - at > 80)
            break;
        char name[80];
        snprintf(name, sizeof name, "%.*s", (int)(line - at - 2), (const char *)at + 2);
        at = next_name(line + 1, end);
        if (!is_tame(name))
            continue;
        snprintf(paths[n_paths], most_path, "%s/%s", folder, name);
        make_folders(paths[n_paths]);
        FILE *file = fopen(paths[n_paths], "wb");
        if (!file)
            continue;
        fwrite(line + 1, 1, (size_t)(at - line - 1), file);
        fclose(file);
        n_paths++;
    }
}

static void read_level(ngff_reader *reader, int level, int rank)
{
    int64_t shape[5] = {0}, origin[5] = {0}, n = ngff_type_size(ngff_reader_data_type(reader));
    double numbers[5];
    char message[300] = "";
    if (ngff_reader_level_shape(reader, level, shape) != NGFF_OK)
        return;
    ngff_reader_level_scale(reader, level, numbers);
    ngff_reader_level_translation(reader, level, numbers);
    for (int i = rank; i-- > 0;) {
        int64_t most = most_pixels / n > 0 ? most_pixels / n : 1;
        shape[i] = shape[i] < most ? shape[i] : most;
        n *= shape[i];
    }
    uint8_t *pixels = malloc((size_t)n);
    int32_t status = ngff_reader_read(reader, level, origin, shape, pixels, NULL, 1, message, sizeof message);
    if (status < 0 && !message[0])
        abort();
    if (ngff_reader_has_mask(reader) == 1)
        ngff_reader_read_mask(reader, level, origin + rank - 2, shape + rank - 2, pixels, NULL, 1, message,
                              sizeof message);
    free(pixels);
}

static void read_part(const char *part, int depth)
{
    static const char *const options[] = {"MAX_METADATA=1MB", "MAX_CHUNK=1MB", NULL};
    static const char *const names[] = {"bands", "metadata", "gcps", "crs", "geotransform", "statistics", "options"};
    ngff_reader *reader = ngff_reader_open_part(folder, part, options);
    if (!reader)
        abort();
    if (ngff_reader_status(reader) != NGFF_OK) {
        if (!ngff_reader_error(reader)[0])
            abort();
        ngff_reader_free(reader);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ngff_reader_attribute(reader, names[i]);
    ngff_reader_attributes(reader);
    ngff_reader_name(reader);
    for (int64_t i = 0; i < ngff_reader_channel_count(reader); i++) {
        const char *label = NULL, *color = NULL;
        if (ngff_reader_channel(reader, i, &label, &color, NULL, NULL, NULL) != NGFF_OK ||
            (color && strlen(color) != 6))
            abort();
    }
    int n_levels = ngff_reader_level_count(reader), n_parts = ngff_reader_part_count(reader);
    int rank = n_levels > 0 ? (int)strlen(ngff_reader_dims(reader)) : 0;
    for (int i = 0; i < n_levels && i < 4; i++)
        read_level(reader, i, rank);
    if (depth == 0)
        ngff_reader_verify(reader, 1, NULL, NULL, NULL);
    for (int i = 0; depth < 1 && i < n_parts && i < 3; i++)
        read_part(ngff_reader_part_path(reader, i), depth + 1);
    ngff_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > most_bytes)
        return 0;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/dev/shm/fuzz_tree_XXXXXX");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_all);
    }
    make_store(data, size);
    read_part(NULL, 0);
    for (int i = 0; i < n_paths; i++)
        remove_with_folders(paths[i]);
    return 0;
}
