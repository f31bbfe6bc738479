/* files.h: what lies in a folder, as a snapshot. */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include <ftw.h>
#include <sys/stat.h>

#include "pictures.h"

static snapshot *walked;
static size_t n_walked_prefix;

static int visit_file(const char *path, const struct stat *s, int flag, struct FTW *walk)
{
    (void)walk;
    if (flag != FTW_F)
        return 0;
    uint8_t *bytes = malloc((size_t)s->st_size + 1);
    FILE *file = fopen(path, "rb");
    CHECK_INT(fread(bytes, 1, (size_t)s->st_size, file), s->st_size);
    fclose(file);
    keep_object(walked, path + n_walked_prefix, bytes, (size_t)s->st_size);
    free(bytes);
    return 0;
}

static snapshot take_files(const char *folder)
{
    snapshot all = {0};
    walked = &all;
    n_walked_prefix = strlen(folder);
    nftw(folder, visit_file, 16, FTW_PHYS);
    if (all.n > 0)
        qsort(all.objects, all.n, sizeof *all.objects, by_key);
    return all;
}

#endif
