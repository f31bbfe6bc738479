/* vsi_common.c: see vsi_common.h. */
#include "store/vsi_common.h"
#include "base/text.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

quiet begin_quiet(void)
{
    quiet before = {CPLGetLastErrorType(), CPLGetLastErrorNo(), NULL};
    if (before.type != CE_None)
        before.message = strdup(CPLGetLastErrorMsg());
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
    errno = 0;
    return before;
}

int end_quiet(quiet *before, int has_failed, char cause[256])
{
    int number = errno;
    if (has_failed) {
        const char *message = CPLGetLastErrorMsg();
        snprintf(cause, 256, "%s", message[0] ? message : number ? strerror(number) : "the file system refused it");
    }
    CPLErrorReset();
    CPLPopErrorHandler();
    if (before->message)
        CPLErrorSetState(before->type, before->number, before->message);
    free(before->message);
    return !has_failed ? 0 : number ? number : EIO;
}

/* GDAL opens nothing in an archive that is damaged there, cut short or gone by now, and does not say why. What the
 * archive lists is there all the same, and where it has no list it may hold anything: this must not pass for a chunk
 * that was never stored. True, with the cause, where it is not known that there is no such object. */
int is_lost_in_archive(const char *path, char cause[256])
{
    static const char begin[] = "/vsizip/{";
    VSIStatBufL s;
    if (strncmp(path, "/vsizip/", 8) != 0 && strncmp(path, "/vsitar/", 8) != 0)
        return 0;
    const char *end = strncmp(path, begin, sizeof begin - 1) == 0 ? strrchr(path, '}') : NULL;
    char *archive = end ? text_copy(path, (size_t)(end + 1 - path)) : NULL;
    int is_lost = VSIStatL(path, &s) == 0 || (end && (!archive || VSIStatL(archive, &s) != 0));
    free(archive);
    if (is_lost)
        snprintf(cause, 256, "the archive is damaged, cut short or gone");
    return is_lost;
}

char **plain_names(char **found)
{
    int n = CSLCount(found), kept = 0, is_whole = 1;
    char **names = calloc((size_t)n + 1, sizeof *names);
    for (int i = 0; names && i < n; i++) {
        if (strcmp(found[i], ".") == 0 || strcmp(found[i], "..") == 0)
            continue;
        names[kept] = strdup(found[i]);
        is_whole &= names[kept] != NULL;
        kept += names[kept] != NULL;
    }
    CSLDestroy(found);
    if (is_whole)
        return names;
    free_names(names);
    return NULL;
}

/* -- Settings of a thread ------------------------------------------------------------------------------------------ */

/* A list of NAME=VALUE, NULL if the thread has set nothing. */
static void *settings_copy(void)
{
    return CPLGetThreadLocalConfigOptions();
}

static void settings_enter(const void *copy)
{
    /* Workers print nothing: what goes wrong on them is raised on the caller's thread. Pushed, so for this thread only:
     * CPLSetErrorHandler would silence the whole process. */
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLSetThreadLocalConfigOptions((void *)copy); /* its type differs between versions */
}

static void settings_leave(void)
{
    CPLSetThreadLocalConfigOptions(NULL);
    CPLPopErrorHandler();
}

static void settings_free(void *copy)
{
    CSLDestroy(copy);
}

const thread_settings vsi_threads = {
    .copy = settings_copy, .enter = settings_enter, .leave = settings_leave, .free = settings_free};
