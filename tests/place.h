/* place.h: a folder on the disk for one test program. */
#ifndef TESTS_PLACE_H
#define TESTS_PLACE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char place[200];

static void place_begin(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/ngff-test-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(place) != NULL);
}

/* It must be empty again. */
static void place_end(void)
{
    CHECK_INT(rmdir(place), 0);
}

/* The path of a name in it; holds for three more calls. */
static const char *below(const char *name)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

static int remove_visited(const char *path, const struct stat *s, int flag, struct FTW *walk)
{
    (void)s;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void remove_below(const char *name)
{
    CHECK_INT(nftw(below(name), remove_visited, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* With the folders above it. */
static void write_bytes(const char *name, const void *bytes, size_t n)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", place, name);
    for (char *slash = strchr(path + strlen(place) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

#endif
