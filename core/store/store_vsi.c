/* store_vsi.c: the calls of both protocols through GDAL's VSI layer; the only file of core that includes a GDAL header.
 * File systems with random writing (disks, /vsimem/) are folders; where there is none is an object store, and each
 * object is one open-write-close from a full buffer. VSI's error messages are caught here and travel in `cause`, never
 * in GDAL's state of a worker. */
#include "object_store.h"
#include "zip.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_multiproc.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Catching errors ----------------------------------------------------------------------------------------------- */

/* GDAL's error state of this thread as it was before, to be put back: it belongs to the host. */
typedef struct {
    CPLErr type;
    CPLErrorNum number;
    char *message;
} quiet;

static quiet begin_quiet(void)
{
    quiet before = {CPLGetLastErrorType(), CPLGetLastErrorNo(), NULL};
    if (before.type != CE_None)
        before.message = strdup(CPLGetLastErrorMsg());
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
    errno = 0;
    return before;
}

/* Ends begin_quiet; returns errno, or EIO, and the reason in words. */
static int end_quiet(quiet *before, int has_failed, char cause[256])
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

/* -- One file ------------------------------------------------------------------------------------------------------ */

static int is_local(const char *path)
{
    return strncmp(path, "/vsi", 4) != 0;
}

static int vsi_kind(const char *path)
{
    VSIStatBufL s;
    char cause[256];
    if (is_local(path))
        return local_kind(path);
    quiet before = begin_quiet();
    int is_there = VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) == 0;
    end_quiet(&before, 0, cause);
    return !is_there ? KIND_NONE : VSI_ISDIR(s.st_mode) ? KIND_FOLDER : KIND_FILE;
}

static int vsi_make_folder(const char *path)
{
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIMkdir(path, 0777) != 0;
    int number = end_quiet(&before, has_failed, cause);
    if (has_failed && number != EEXIST && vsi_kind(path) != KIND_NONE)
        return EEXIST; /* /vsimem/ does not say why */
    return number;
}

static int write_with(const char *path, const char *access, const void *bytes, size_t n, char cause[256])
{
    quiet before = begin_quiet();
    VSILFILE *file = VSIFOpenExL(path, access, TRUE);
    if (!file) {
        if (VSIGetLastErrorMsg()[0] && !CPLGetLastErrorMsg()[0])
            CPLError(CE_Failure, CPLE_FileIO, "%s", VSIGetLastErrorMsg());
        return end_quiet(&before, 1, cause);
    }
    int has_failed = n > 0 && VSIFWriteL(bytes, 1, n, file) != n;
    int number = errno;
    has_failed |= VSIFCloseL(file) != 0; /* object stores upload here */
    if (number)
        errno = number;
    return end_quiet(&before, has_failed, cause);
}

static int vsi_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, "wb", bytes, n, cause);
}

static int vsi_append(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, "ab", bytes, n, cause);
}

/* Opens a file and finds its size by going to its end, without a further look at its folder. NULL: there is none. */
static VSILFILE *open_measured(const char *path, uint64_t *size, int *has_failed)
{
    VSILFILE *file = VSIFOpenL(path, "rb");
    *has_failed = !file || VSIFSeekL(file, 0, SEEK_END) != 0;
    *size = file ? (uint64_t)VSIFTellL(file) : 0;
    return file;
}

/* GDAL opens nothing in an archive that is damaged there, cut short or gone by now, and does not say why. What the
 * archive lists is there all the same, and where it has no list it may hold anything: this must not pass for a chunk
 * that was never stored. True, with the cause, where it is not known that there is no such object. */
static int is_lost_in_archive(const char *path, char cause[256])
{
    static const char begin[] = "/vsizip/{";
    VSIStatBufL s;
    if (strncmp(path, "/vsizip/", 8) != 0 && strncmp(path, "/vsitar/", 8) != 0)
        return 0;
    const char *end = strncmp(path, begin, sizeof begin - 1) == 0 ? strrchr(path, '}') : NULL;
    char *archive = end ? strndup(path, (size_t)(end + 1 - path)) : NULL;
    int is_lost = VSIStatL(path, &s) == 0 || (end && (!archive || VSIStatL(archive, &s) != 0));
    free(archive);
    if (is_lost)
        snprintf(cause, 256, "the archive is damaged, cut short or gone");
    return is_lost;
}

/* Ends begin_quiet where no file was opened. */
static int end_nothing(quiet *before, const char *path, char cause[256])
{
    char other[256];
    int is_lost = is_lost_in_archive(path, cause);
    end_quiet(before, 1, is_lost ? other : cause);
    return is_lost ? EIO : ENOENT;
}

static int vsi_file_size(const char *path, uint64_t *n)
{
    VSIStatBufL s;
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG | VSI_STAT_SIZE_FLAG) != 0;
    int is_lost = has_failed && is_lost_in_archive(path, cause);
    end_quiet(&before, 0, cause);
    if (has_failed || VSI_ISDIR(s.st_mode))
        return is_lost ? EIO : ENOENT;
    *n = (uint64_t)s.st_size;
    return 0;
}

/* Reads n bytes at offset; all for n = 0; the last n for offset -1. Opens once: a stat per chunk would double the
 * requests to an object store. */
static int vsi_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    quiet before = begin_quiet();
    *bytes = NULL;
    uint64_t size;
    int has_failed;
    VSILFILE *file = open_measured(path, &size, &has_failed);
    if (!file)
        return end_nothing(&before, path, cause);
    if (offset < 0 && n > 0)
        offset = (int64_t)(size > n ? size - n : 0);
    uint64_t rest = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    if (n == 0 || n > rest)
        n = (size_t)rest;
    *bytes = has_failed ? NULL : malloc(n + 1);
    has_failed |= !*bytes || VSIFSeekL(file, (vsi_l_offset)offset, SEEK_SET) != 0;
    *n_read = has_failed ? 0 : VSIFReadL(*bytes, 1, n, file);
    has_failed |= *n_read != n;
    VSIFCloseL(file);
    if (has_failed) {
        free(*bytes);
        *bytes = NULL;
        return end_quiet(&before, 1, cause);
    }
    (*bytes)[n] = 0;
    return end_quiet(&before, 0, cause);
}

/* On disks by the system's own calls: VSI's take twice as many, and a buffer. */
static int vsi_read_into(const char *path, int64_t offset, void *bytes, size_t room, uint64_t *n_there, char cause[256])
{
    if (is_local(path))
        return local_read_into(path, offset, bytes, room, n_there, cause);
    quiet before = begin_quiet();
    uint64_t size;
    int has_failed;
    VSILFILE *file = open_measured(path, &size, &has_failed);
    if (!file)
        return end_nothing(&before, path, cause);
    *n_there = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
    size_t n = *n_there < room ? (size_t)*n_there : room;
    has_failed |= VSIFSeekL(file, (vsi_l_offset)offset, SEEK_SET) != 0;
    has_failed |= !has_failed && VSIFReadL(bytes, 1, n, file) != n;
    VSIFCloseL(file);
    return end_quiet(&before, has_failed, cause);
}

static int vsi_rename_new(const char *from, const char *to)
{
    char cause[256];
    if (vsi_kind(to) != KIND_NONE)
        return EEXIST;
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRename(from, to) != 0, cause);
}

static int vsi_rename_over(const char *from, const char *to)
{
    char cause[256];
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRename(from, to) != 0, cause);
}

static int vsi_sync(const char *path)
{
    return is_local(path) ? local_sync(path) : 0;
}

static int vsi_exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    if (is_local(a))
        return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0 ? 0 : errno;
#endif
    (void)a;
    (void)b;
    return ENOSYS;
}

static int vsi_remove_tree(const char *path)
{
    char cause[256];
    if (is_local(path))
        return local_remove_tree(path); /* VSIRmdirRecursive follows links */
    quiet before = begin_quiet();
    return end_quiet(&before, VSIRmdirRecursive(path) != 0, cause);
}

static int vsi_remove_file(const char *path)
{
    char cause[256];
    quiet before = begin_quiet();
    return end_quiet(&before, VSIUnlink(path) != 0, cause);
}

/* VSI's list, which it takes, as plain malloc'ed strings, without "." and "..". */
static char **plain_names(char **found)
{
    int n = CSLCount(found), kept = 0;
    char **names = found ? calloc((size_t)n + 1, sizeof *names) : NULL;
    for (int i = 0; names && i < n; i++)
        if (strcmp(found[i], ".") != 0 && strcmp(found[i], "..") != 0)
            names[kept++] = strdup(found[i]);
    CSLDestroy(found);
    return names;
}

static char **vsi_list(const char *path)
{
    return is_local(path) ? local_list(path) : plain_names(VSIReadDir(path)); /* which is silent where it fails */
}

static void vsi_enter_thread(void)
{
    /* Workers print nothing: what goes wrong on them is raised on the caller's thread. Pushed, so for this thread only:
     * CPLSetErrorHandler would silence the whole process. */
    CPLPushErrorHandler(CPLQuietErrorHandler);
}

static const folder_calls vsi_calls = {
    .kind = vsi_kind,
    .make_folder = vsi_make_folder,
    .write_file = vsi_write,
    .append_file = vsi_append,
    .read_file = vsi_read,
    .read_into = vsi_read_into,
    .file_size = vsi_file_size,
    .rename_new = vsi_rename_new,
    .rename_over = vsi_rename_over,
    .exchange = vsi_exchange,
    .sync = vsi_sync,
    .remove_tree = vsi_remove_tree,
    .remove_file = vsi_remove_file,
    .list = vsi_list,
    .enter_thread = vsi_enter_thread,
};

/* -- Requests ------------------------------------------------------------------------------------------------------ */

/* A request to a server fails for a moment, or for good. GDAL tells only that it failed; the reason stands in a debug
 * message, so each request listens to those of its thread. */
typedef struct {
    char code[64], message[256]; /* the server's <Code> and <Message> */
    char error[256];             /* GDAL's last error */
    int http_status;             /* 0: not told */
} answer;

/* What a thread says while it makes a request, and settings that hold only meanwhile. */
typedef struct {
    answer heard;
    quiet before;
    char *settings[9];
} request;

static void copy_between(const char *text, const char *begin, const char *end_mark, char *to, size_t room)
{
    const char *first = strstr(text, begin);
    const char *last = first ? strstr(first, end_mark) : NULL;
    if (last)
        snprintf(to, room, "%.*s", (int)(last - first - (ptrdiff_t)strlen(begin)), first + strlen(begin));
}

static void CPL_STDCALL listen(CPLErr type, CPLErrorNum number, const char *text)
{
    answer *heard = CPLGetErrorHandlerUserData();
    (void)number;
    if (type != CE_Debug) {
        snprintf(heard->error, sizeof heard->error, "%s", text);
        const char *status = strstr(text, "HTTP response code on ");
        status = status ? strrchr(status, ':') : NULL;
        if (status)
            heard->http_status = atoi(status + 1);
        return;
    }
    const char *status = strstr(text, "response_code=");
    if (status)
        heard->http_status = atoi(status + strlen("response_code="));
    if (strstr(text, "<Error>") || strstr(text, "<Error ")) {
        copy_between(text, "<Code>", "</Code>", heard->code, sizeof heard->code);
        copy_between(text, "<Message>", "</Message>", heard->message, sizeof heard->message);
    }
}

/* Settings of GDAL that a request needs and that the user may have made: nothing hangs for ever, no folder is listed to
 * open one object, and each object is one PUT, so that it is there whole or not, and no multipart upload can be left.
 */
static const struct {
    const char *name, *value; /* NULL: enough for one PUT */
} settings[] = {
    {"CPL_DEBUG", "ON"},
    {"GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR"},
    {"GDAL_HTTP_CONNECTTIMEOUT", "30"},
    {"GDAL_HTTP_LOW_SPEED_TIME", "60"},
    {"GDAL_HTTP_LOW_SPEED_LIMIT", "1"},
    {"VSIS3_CHUNK_SIZE", NULL},
    {"VSIGS_CHUNK_SIZE", NULL},
    {"VSIOSS_CHUNK_SIZE", NULL},
    {"VSIAZ_CHUNK_SIZE", NULL},
};
enum { n_settings = sizeof settings / sizeof settings[0], first_forced = 2 };

/* n: bytes that are to be put. */
static void request_begin(request *r, size_t n)
{
    char size[32];
    memset(r, 0, sizeof *r);
    snprintf(size, sizeof size, "%zu", (n >> 20) + 6); /* MiB; 5 is the least */
    r->before = begin_quiet(); /* GDAL 3.11 warns of settings that its list has not, such as VSIS3_CHUNK_SIZE */
    for (int i = 0; i < n_settings; i++) {
        const char *own = CPLGetThreadLocalConfigOption(settings[i].name, NULL);
        r->settings[i] = own ? strdup(own) : NULL;
        if (i < first_forced || !settings[i].value || !CPLGetConfigOption(settings[i].name, NULL))
            CPLSetThreadLocalConfigOption(settings[i].name, settings[i].value ? settings[i].value : size);
    }
    CPLErrorReset();
    VSIErrorReset();
    CPLPushErrorHandlerEx(listen, &r->heard);
}

static void request_end(request *r)
{
    char unused[256];
    CPLPopErrorHandler();
    for (int i = 0; i < n_settings; i++) {
        CPLSetThreadLocalConfigOption(settings[i].name, r->settings[i]);
        free(r->settings[i]);
    }
    end_quiet(&r->before, 0, unused);
}

static int is_one_of(const char *code, const char *const *codes)
{
    for (; *codes; codes++)
        if (strcmp(code, *codes) == 0)
            return 1;
    return 0;
}

/* True if the server has said that there is no such object. */
static int says_missing(const answer *heard)
{
    static const char *const codes[] = {"NoSuchKey", "BlobNotFound", NULL};
    return is_one_of(heard->code, codes) || (heard->http_status == 404 && strcmp(heard->code, "NoSuchBucket") != 0);
}

/* What the answer means: EACCES (credentials), EEXIST (a condition was not met), ENOENT (no bucket), or EAGAIN. */
static int meaning_of(const answer *heard)
{
    static const char *const credentials[] = {"AccessDenied",         "ExpiredToken",
                                              "InvalidAccessKeyId",   "SignatureDoesNotMatch",
                                              "InvalidToken",         "TokenRefreshRequired",
                                              "RequestTimeTooSkewed", "AuthenticationFailed",
                                              "AuthorizationFailure", "AuthorizationPermissionMismatch",
                                              "InvalidSecurity",      NULL};
    static const char *const conditions[] = {"PreconditionFailed", "ConditionNotMet", "BlobAlreadyExists", NULL};
    static const char *const places[] = {"NoSuchBucket",      "ContainerNotFound",
                                         "PermanentRedirect", "AuthorizationHeaderMalformed",
                                         "InvalidBucketName", NULL};
    if (is_one_of(heard->code, credentials) || heard->http_status == 401 || heard->http_status == 403)
        return EACCES;
    if (is_one_of(heard->code, conditions) || heard->http_status == 412)
        return EEXIST;
    return is_one_of(heard->code, places) ? ENOENT : EAGAIN;
}

/* What the answer means, and the reason in words. */
static int explain(const answer *heard, char cause[256])
{
    int meaning = meaning_of(heard);
    const char *what = heard->code[0] ? heard->code : heard->error[0] ? heard->error : "no answer";
    const char *advice = meaning == EACCES   ? "; the credentials are refused or have expired: renew them"
                         : meaning == ENOENT ? "; is the name of the place right, and its region?"
                                             : "";
    snprintf(cause, 256, "%.70s%s%.80s%s", what, heard->message[0] ? ": " : "", heard->message, advice);
    return meaning;
}

/* The header with which a server stores an object only where there is none. Azure answers If-None-Match with 409, upon
 * which GDAL deletes what is there and stores its own. Any object has been modified since a time long past: that Azure
 * answers with 412, and GDAL gives up. GDAL may send larger objects to Azure in parts, each with the header, of which
 * the second would find the first: they go without. */
static CSLConstList only_new(const char *path, size_t n)
{
    static const char *const none_match[] = {"If-None-Match=*", NULL};
    static const char *const long_past[] = {"If-Unmodified-Since=Sat, 01 Jan 2000 00:00:00 GMT", NULL};
    if (strncmp(path, "/vsiaz/", 7) != 0)
        return (CSLConstList)none_match;
    return n < (4 << 20) ? (CSLConstList)long_past : NULL;
}

/* As one PUT, so that an object is there whole or not. */
static int request_write(const char *path, const void *bytes, size_t n, int must_be_new, char cause[256])
{
    request r;
    request_begin(&r, n);
    VSILFILE *file = VSIFOpenEx2L(path, "wb", TRUE, must_be_new ? only_new(path, n) : NULL);
    int has_failed = !file;
    if (file) {
        has_failed = n > 0 && VSIFWriteL(bytes, 1, n, file) != n;
        has_failed |= VSIFCloseL(file) != 0;
    }
    if (!file && VSIGetLastErrorMsg()[0])
        snprintf(r.heard.error, sizeof r.heard.error, "%s", VSIGetLastErrorMsg());
    request_end(&r);
    return has_failed ? explain(&r.heard, cause) : 0;
}

static int request_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, uint64_t *size,
                        char cause[256])
{
    request r;
    request_begin(&r, 0);
    if (bytes)
        *bytes = NULL;
    VSILFILE *file = VSIFOpenExL(path, "rb", TRUE);
    int has_failed = !file;
    int is_missing = !file && (errno == ENOENT || (VSIGetLastErrorNo() == 0 && !r.heard.error[0]));
    if (!file && VSIGetLastErrorMsg()[0])
        snprintf(r.heard.error, sizeof r.heard.error, "%s", VSIGetLastErrorMsg());
    if (file) {
        has_failed = VSIFSeekL(file, 0, SEEK_END) != 0;
        *size = (uint64_t)VSIFTellL(file);
        is_missing = r.heard.http_status == 404;
    }
    if (file && !is_missing && bytes) {
        uint64_t first = offset >= 0 ? (uint64_t)offset : n > 0 && *size > n ? *size - n : 0;
        uint64_t rest = first < *size ? *size - first : 0;
        size_t wanted = n == 0 || n > rest ? (size_t)rest : n;
        *bytes = has_failed ? NULL : malloc(wanted + 1);
        has_failed |= !*bytes || VSIFSeekL(file, (vsi_l_offset)first, SEEK_SET) != 0;
        *n_read = has_failed ? 0 : VSIFReadL(*bytes, 1, wanted, file);
        has_failed |= *n_read != wanted || r.heard.http_status >= 400;
        if (*bytes)
            (*bytes)[*n_read] = 0;
    }
    if (file)
        VSIFCloseL(file);
    int is_lost = is_missing && is_lost_in_archive(path, cause);
    request_end(&r);
    if (is_lost)
        return EIO;
    is_missing |= says_missing(&r.heard);
    has_failed |= r.heard.http_status >= 400;
    if (!has_failed && !is_missing)
        return 0;
    if (bytes) {
        free(*bytes);
        *bytes = NULL;
    }
    if (is_missing)
        return ENOENT;
    int meaning = explain(&r.heard, cause);
    VSICurlPartialClearCache(path); /* it remembers that there was nothing */
    return meaning == ENOENT ? EIO : meaning;
}

static int request_remove(const char *path, char cause[256])
{
    request r;
    request_begin(&r, 0);
    int has_failed = VSIUnlink(path) != 0;
    int is_gone = has_failed && (errno == ENOENT || says_missing(&r.heard));
    request_end(&r);
    return has_failed && !is_gone ? explain(&r.heard, cause) : 0;
}

static char **request_list(const char *path, int is_recursive)
{
    request r;
    request_begin(&r, 0);
    char **names = is_recursive ? VSIReadDirRecursive(path) : VSIReadDirEx(path, 0);
    request_end(&r);
    return plain_names(names);
}

static void forget(const char *path)
{
    VSICurlPartialClearCache(path);
}

static void forget_list(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, (size_t)(slash - path)) : NULL;
    VSICurlPartialClearCache(parent ? parent : path);
    free(parent);
}

static double retry_delay(void)
{
    return CPLAtof(CPLGetConfigOption("GDAL_HTTP_RETRY_DELAY", "0.5"));
}

/* CPL_TMPDIR, where GDAL's own temporary files go. */
static char *temporary_path(void)
{
    return strdup(CPLGenerateTempFilename("omezarr"));
}

static const object_calls request_calls = {
    .write = request_write,
    .read = request_read,
    .remove = request_remove,
    .kind = vsi_kind,
    .list = request_list,
    .forget = forget,
    .forget_list = forget_list,
    .retry_delay = retry_delay,
    .temporary_path = temporary_path,
    .files = &vsi_calls,
    .enter_thread = vsi_enter_thread,
};

/* -- Settings of a thread ------------------------------------------------------------------------------------------ */

/* The copy is a list of NAME=VALUE, NULL if the thread has set nothing. */
static void *settings_copy(void)
{
    return CPLGetThreadLocalConfigOptions();
}

static void settings_use(void *copy)
{
    CPLSetThreadLocalConfigOptions(copy);
}

static void settings_free(void *copy)
{
    CSLDestroy(copy);
}

static const thread_settings vsi_settings = {.copy = settings_copy, .use = settings_use, .free = settings_free};

/* -- The choice ---------------------------------------------------------------------------------------------------- */

/* What GDAL opens for writing, or claims to, and is no place for a store: there an object cannot be replaced or
 * removed, so that the first try would leave a claim for ever. NULL for all other places. */
static const char *why_not_written(const char *path)
{
    static const char archive[] = "archives are only read; write to a folder and pack that";
    static const char stream[] = "a store has many objects; write to a folder or an object store";
    static const struct {
        const char *prefix, *why;
    } places[] = {
        {"/vsizip", archive},
        {"/vsitar", archive},
        {"/vsi7z", archive},
        {"/vsirar", archive},
        {"/vsigzip", archive},
        {"/vsistdin", stream},
        {"/vsistdout", stream},
        {"/vsisubfile", stream},
        {"/vsisparse", stream},
        {"/vsicached", stream},
        {"/vsicurl", "web servers are only read; write to a folder or an object store"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t n = strlen(places[i].prefix);
        if (strncmp(path, places[i].prefix, n) == 0 && (!path[n] || strchr("/?_", path[n])))
            return places[i].why;
    }
    return NULL;
}

static int is_object_store(const char *path)
{
    return !is_local(path) && (why_not_written(path) || !VSISupportsRandomWrite(path, FALSE));
}

store *store_vsi_open(const char *path)
{
    if (!is_object_store(path))
        return folder_open(path, &vsi_calls);
    if (zip_is_name(path)) {
        store *file = folder_open(path, &vsi_calls);
        const char *why = why_not_written(path);
        if (file)
            file->refusal = why ? why : "one file (.ozx) is made on a disk or in /vsimem/; write it there and copy it";
        return file;
    }
    store *s = object_store_open(path, &request_calls);
    if (s) {
        s->refusal = why_not_written(path);
        s->settings = &vsi_settings;
    }
    return s;
}

/* -- Single files -------------------------------------------------------------------------------------------------- */

static int single_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    const char *why = why_not_written(path);
    if (!why)
        return object_write(&request_calls, path, bytes, n, 0, cause);
    snprintf(cause, 256, "%s", why);
    return ENOTSUP;
}

static int single_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    uint64_t size;
    if (why_not_written(path))
        return ENOENT; /* writing tells */
    forget_list(path);
    return object_read(&request_calls, path, offset, n, bytes, n_read, &size, cause);
}

static int single_remove(const char *path)
{
    char cause[256];
    return object_remove(&request_calls, path, cause);
}

const folder_calls *vsi_calls_for(const char *path)
{
    static const folder_calls file_calls = {
        .write_file = single_write, .read_file = single_read, .sync = vsi_sync, .remove_file = single_remove};
    return is_object_store(path) ? &file_calls : &vsi_calls;
}
