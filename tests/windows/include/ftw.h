/* ftw.h: nftw as the tests use it: depth first, to remove. */
#ifndef TESTS_WINDOWS_FTW_H
#define TESTS_WINDOWS_FTW_H

#include "posix.h"

#define FTW_DEPTH 8
#define FTW_PHYS 1

enum { FTW_F, FTW_D };

struct FTW {
    int base, level;
};

/* remove() removes no folders. */
#define remove(path) ((GetFileAttributesA(path) & FILE_ATTRIBUTE_DIRECTORY) ? _rmdir(path) : _unlink(path))

static inline int nftw(const char *path, int (*visit)(const char *, const struct stat *, int, struct FTW *), int n,
                       int flags)
{
    struct stat s;
    struct FTW walk = {0, 0};
    if (stat(path, &s) != 0)
        return -1;
    DIR *folder = S_ISDIR(s.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        char below[1000];
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            nftw(below, visit, n, flags);
    }
    if (folder)
        closedir(folder);
    return visit(path, &s, folder ? FTW_D : FTW_F, &walk);
}

#endif
