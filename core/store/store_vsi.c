/* store_vsi.c: a store through GDAL's VSI layer; the only file of core that includes a GDAL header. File systems with
 * random writing (disks, /vsimem/) follow the folder protocol. Object stores follow their own: no folders, no rename;
 * each object is one open-write-close from a full buffer, and the root's document, which makes an image of it, is put
 * last. VSI's error messages are caught here and travel in `error`, never in GDAL's state of a worker. */
#include "folder.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_multiproc.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int vsi_file_size(const char *path, uint64_t *n)
{
    VSIStatBufL s;
    char cause[256];
    quiet before = begin_quiet();
    int has_failed = VSIStatExL(path, &s, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG | VSI_STAT_SIZE_FLAG) != 0;
    end_quiet(&before, 0, cause);
    if (has_failed || VSI_ISDIR(s.st_mode))
        return ENOENT;
    *n = (uint64_t)s.st_size;
    return 0;
}

/* Opens a file and finds its size by going to its end, without a further look at its folder. NULL: there is none. */
static VSILFILE *open_measured(const char *path, uint64_t *size, int *has_failed)
{
    VSILFILE *file = VSIFOpenL(path, "rb");
    *has_failed = !file || VSIFSeekL(file, 0, SEEK_END) != 0;
    *size = file ? (uint64_t)VSIFTellL(file) : 0;
    return file;
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
    if (!file) {
        end_quiet(&before, 1, cause);
        return ENOENT;
    }
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
    if (!file) {
        end_quiet(&before, 1, cause);
        return ENOENT;
    }
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

/* VSI's list as plain malloc'ed strings, without "." and "..". */
static char **vsi_list(const char *path)
{
    char **found = VSIReadDir(path);
    int n = CSLCount(found), kept = 0;
    char **names = calloc((size_t)n + 1, sizeof *names);
    for (int i = 0; names && i < n; i++)
        if (strcmp(found[i], ".") != 0 && strcmp(found[i], "..") != 0)
            names[kept++] = strdup(found[i]);
    CSLDestroy(found);
    return names;
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
    for (int i = 0; i < n_settings; i++) {
        const char *own = CPLGetThreadLocalConfigOption(settings[i].name, NULL);
        r->settings[i] = own ? strdup(own) : NULL;
        if (i < first_forced || !settings[i].value || !CPLGetConfigOption(settings[i].name, NULL))
            CPLSetThreadLocalConfigOption(settings[i].name, settings[i].value ? settings[i].value : size);
    }
    r->before = begin_quiet();
    VSIErrorReset();
    CPLPushErrorHandlerEx(listen, &r->heard);
}

static void request_end(request *r)
{
    char unused[256];
    CPLPopErrorHandler();
    end_quiet(&r->before, 0, unused);
    for (int i = 0; i < n_settings; i++) {
        CPLSetThreadLocalConfigOption(settings[i].name, r->settings[i]);
        free(r->settings[i]);
    }
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

/* The reason in words. */
static void explain(const answer *heard, int meaning, char cause[256])
{
    const char *what = heard->code[0] ? heard->code : heard->error[0] ? heard->error : "no answer";
    const char *advice = meaning == EACCES ? "; the credentials are refused or have expired: renew them"
                         : meaning == ENOENT
                             ? "; is the name of the place right, and its region?"
                             : "; tried several times: is the server reachable, are the credentials valid?";
    snprintf(cause, 256, "%.70s%s%.80s%s", what, heard->message[0] ? ": " : "", heard->message, advice);
}

/* Waits before attempt number n (from 1); 0 when there shall be no more. GDAL_HTTP_RETRY_DELAY: seconds of the first.
 */
static int wait_for_attempt(int n)
{
    enum { n_attempts = 5 };
    if (n >= n_attempts)
        return 0;
    CPLSleep(CPLAtof(CPLGetConfigOption("GDAL_HTTP_RETRY_DELAY", "0.5")) * (1 << (n - 1)));
    return 1;
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

/* Stores one object whole. must_be_new: only where there is none, on servers that honour it (then EEXIST). Returns 0 or
 * an errno. A lost answer does no harm: the same bytes are stored again. */
static int object_write(const char *path, const void *bytes, size_t n, int must_be_new, char cause[256])
{
    for (int attempt = 1;; attempt++) {
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
        int meaning = has_failed ? meaning_of(&r.heard) : 0;
        if (meaning)
            explain(&r.heard, meaning, cause);
        if (meaning != EAGAIN || !wait_for_attempt(attempt))
            return meaning == EAGAIN ? EIO : meaning;
    }
}

/* As vsi_read; ENOENT only where the server has said that there is no such object, or nothing at all. n_read may be
 * NULL: then only *size is told. */
static int object_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, uint64_t *size,
                       char cause[256])
{
    for (int attempt = 1;; attempt++) {
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
        request_end(&r);
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
        int meaning = meaning_of(&r.heard);
        explain(&r.heard, meaning, cause);
        VSICurlPartialClearCache(path); /* it remembers that there was nothing */
        if (meaning != EAGAIN || !wait_for_attempt(attempt))
            return meaning == ENOENT || meaning == EAGAIN ? EIO : meaning;
    }
}

/* Deletes one object; 0 or an errno. Where an answer was lost, the second request finds nothing. */
static int object_remove(const char *path, char cause[256])
{
    for (int attempt = 1;; attempt++) {
        request r;
        request_begin(&r, 0);
        int has_failed = VSIUnlink(path) != 0;
        int is_gone = has_failed && (errno == ENOENT || says_missing(&r.heard));
        request_end(&r);
        if (!has_failed || is_gone)
            return 0;
        int meaning = meaning_of(&r.heard);
        explain(&r.heard, meaning, cause);
        if (meaning != EAGAIN || !wait_for_attempt(attempt))
            return meaning == EAGAIN ? EIO : meaning;
    }
}

/* -- Object stores ------------------------------------------------------------------------------------------------- */

/* The claim: one object, put before all others, only where there is none. It names its owner, and whether the place was
 * found free ("writing"): only then may the next run remove what a dead owner left. As its key is known, a list that
 * does not show it is no list: GDAL tells a refused one from an empty one no other way. */
static const char claim_key[] = ".omezarr-claim";

typedef struct {
    store base;
    char *path, *scratch;
    int is_claimed;
    char token[200]; /* of the claim */
    char root_key[16];
    uint8_t *root; /* the document that makes it an image: put by publish */
    size_t n_root;
    int is_update, is_dirty;
    int n_notes;          /* objects of the record */
    pthread_mutex_t lock; /* scratch, is_dirty */
} objects;

static char *object_path(const objects *o, const char *key)
{
    size_t n = strlen(o->path) + strlen(key) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s/%s", o->path, key);
    return path;
}

/* Makes GDAL forget what it has listed of the folder that holds path. */
static void forget_list(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, (size_t)(slash - path)) : NULL;
    VSICurlPartialClearCache(parent ? parent : path);
    free(parent);
}

static int32_t objects_get(store *s, const char *key, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                           error *e)
{
    char cause[256] = "";
    uint64_t size = 0;
    char *path = object_path((objects *)s, key);
    int failure = path ? object_read(path, offset, n, bytes, n_read, &size, cause) : ENOMEM;
    int32_t status = NGFF_OK;
    /* Who may not list is told "forbidden" instead of "not there". Of a document the reader then says that there is
     * none, which is an error too; a chunk must not turn into fill. */
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    int is_document = strcmp(name, "zarr.json") == 0 || strncmp(name, ".z", 2) == 0;
    if (failure == ENOENT || (failure == EACCES && is_document && !((objects *)s)->is_claimed))
        status = NGFF_E_NOT_FOUND;
    else if (failure)
        status = error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path ? path : key, cause);
    free(path);
    return status;
}

static int32_t put_object(objects *o, const char *key, const void *bytes, size_t n, int must_be_new, error *e)
{
    char cause[256] = "";
    char *path = object_path(o, key);
    int failure = path ? object_write(path, bytes, n, must_be_new, cause) : ENOMEM;
    int32_t status = NGFF_OK;
    if (failure == EEXIST && must_be_new)
        status = NGFF_E_EXISTS; /* the caller knows what it means */
    else if (failure)
        status = error_set(e, NGFF_E_STORAGE, "cannot write %s (%zu bytes): %s", path ? path : key, n, cause);
    free(path);
    return status;
}

static int is_claim(const char *name)
{
    return strcmp(name, claim_key) == 0;
}

/* The names below the place (all of them, or those at the top), or NULL where the list cannot be trusted. */
static char **trusted_list(const objects *o, int is_recursive)
{
    for (int attempt = 1;; attempt++) {
        request r;
        VSICurlPartialClearCache(o->path);
        request_begin(&r, 0);
        char **names = is_recursive ? VSIReadDirRecursive(o->path) : VSIReadDirEx(o->path, 0);
        request_end(&r);
        for (int i = 0; names && names[i]; i++)
            if (is_claim(names[i]))
                return names;
        CSLDestroy(names);
        if (!wait_for_attempt(attempt))
            return NULL;
    }
}

static int32_t cannot_list(const objects *o, error *e)
{
    return error_set(e, NGFF_E_STORAGE,
                     "%s cannot be listed, so nobody knows what is there; are the credentials allowed to list?",
                     o->path);
}

/* Removes all objects but the claim, the documents of the root first: an interrupted removal is no image. */
static int32_t remove_objects(objects *o, error *e)
{
    static const char *const roots[] = {"zarr.json", ".zattrs", ".zgroup", ".zmetadata"};
    for (int round = 0; round < 4; round++) {
        char **keys = trusted_list(o, 1);
        int n_left = 0;
        if (!keys)
            return cannot_list(o, e);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; keys[i]; i++) {
                int is_root = 0;
                for (size_t k = 0; k < sizeof roots / sizeof roots[0]; k++)
                    is_root |= strcmp(keys[i], roots[k]) == 0;
                size_t n = strlen(keys[i]);
                if (n == 0 || keys[i][n - 1] == '/' || is_claim(keys[i]) || is_root != (pass == 0))
                    continue;
                /* The first that cannot be removed ends it: with a server that is gone each would take its time. */
                char *path = object_path(o, keys[i]), cause[256] = "";
                if (e->status == NGFF_OK && (!path || object_remove(path, cause) != 0))
                    error_set(e, NGFF_E_STORAGE, "%s/%s cannot be removed: %s", o->path, keys[i], cause);
                free(path);
                n_left++;
            }
        CSLDestroy(keys);
        if (n_left == 0 || e->status != NGFF_OK)
            return e->status;
    }
    return error_set(e, NGFF_E_STORAGE, "the objects below %s cannot be removed", o->path);
}

static void remove_claim(objects *o)
{
    char *path = object_path(o, claim_key), cause[256];
    if (path)
        object_remove(path, cause);
    free(path);
}

/* True if the claim that is there belongs to a process of this machine that has ended. was_writing: it had found the
 * place free. */
static int is_claim_dead(objects *o, int *was_writing)
{
    uint8_t *text = NULL;
    size_t n = 0;
    error ignored = {0};
    char host[128] = "", here[128] = "", state[16] = "";
    long process = 0;
    int is_read = objects_get(&o->base, claim_key, 0, 0, &text, &n, &ignored) == NGFF_OK && text;
    int is_known = is_read && sscanf((char *)text, "%ld %127s %*s %15s", &process, host, state) >= 2;
    free(text);
    gethostname(here, sizeof here - 1);
    *was_writing = strcmp(state, "writing") == 0;
    if (is_known && process == 0) /* it let go */
        return 1;
    return is_known && strcmp(host, here) == 0 && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* True if the claim that is there is ours. */
static int is_claim_ours(objects *o)
{
    uint8_t *text = NULL;
    size_t n = 0;
    error ignored = {0};
    int is_ours = objects_get(&o->base, claim_key, 0, 0, &text, &n, &ignored) == NGFF_OK && n >= strlen(o->token) &&
                  memcmp(text, o->token, strlen(o->token)) == 0;
    free(text);
    return is_ours;
}

static int32_t claimed_by_another(const objects *o, error *e)
{
    return error_set(
        e, NGFF_E_EXISTS,
        "%s/%s exists: another program is writing %s, or was stopped on another machine; if none is, remove "
        "that object",
        o->path, claim_key, o->path);
}

/* Puts the claim. was_dead: it was taken over from a dead owner who had begun to write. */
static int32_t claim(objects *o, int *was_dead, error *e)
{
    static unsigned counter;
    char host[128] = "";
    uint64_t size = 0;
    if (o->base.refusal)
        return error_set(e, NGFF_E_UNSUPPORTED, "%s: %s", o->path, o->base.refusal);
    char *path = object_path(o, claim_key), cause[256];
    if (!path)
        return error_set(e, NGFF_E_MEMORY, "memory is out");
    gethostname(host, sizeof host - 1);
    snprintf(o->token, sizeof o->token, "%ld %s %p-%u", (long)getpid(), host[0] ? host : "unknown", (void *)o,
             __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    VSICurlPartialClearCache(o->path);
    /* A server that ignores the condition would let us overwrite another's claim: look first. */
    int is_there = object_read(path, 0, 0, NULL, NULL, &size, cause) == 0;
    if (is_there) {
        if (!is_claim_dead(o, was_dead)) {
            free(path);
            return claimed_by_another(o, e);
        }
        remove_claim(o);
    }
    free(path);
    int32_t status = put_object(o, claim_key, o->token, strlen(o->token), 1, e);
    VSICurlPartialClearCache(o->path);
    if (status == NGFF_E_EXISTS) /* another was faster, or it was our own request, whose answer was lost */
        status = NGFF_OK;
    return status == NGFF_OK && !is_claim_ours(o) ? claimed_by_another(o, e) : status;
}

/* What is at the place: 1 an OME-Zarr, 0 nothing, or an error. */
static int32_t look_at_place(objects *o, int32_t may_be_anything, error *e)
{
    static const char *const roots[] = {"zarr.json", ".zattrs"};
    char **names = trusted_list(o, 0);
    int is_ngff = 0, n_foreign = 0;
    if (!names)
        return cannot_list(o, e);
    for (int i = 0; names[i]; i++)
        n_foreign += names[i][0] && !is_claim(names[i]) && strcmp(names[i], ".") != 0 && strcmp(names[i], "..") != 0;
    for (int i = 0; i < 2 && n_foreign > 0; i++) {
        uint8_t *text = NULL;
        size_t n = 0;
        int32_t status = objects_get(&o->base, roots[i], 0, 0, &text, &n, e);
        is_ngff |= status == NGFF_OK && looks_like_ngff(text, n);
        free(text);
    }
    CSLDestroy(names);
    if (e->status != NGFF_OK)
        return e->status;
    if (!is_ngff && n_foreign > 0 && !may_be_anything)
        return error_set(e, NGFF_E_EXISTS,
                         "%s holds objects that are no OME-Zarr; they are left untouched, choose another name",
                         o->path);
    return is_ngff || n_foreign > 0;
}

/* The claim says now that the place was found free, or is our own. */
static int32_t claim_place(objects *o, error *e)
{
    size_t n = strlen(o->token);
    snprintf(o->token + n, sizeof o->token - n, " writing");
    return put_object(o, claim_key, o->token, strlen(o->token), 0, e);
}

static int32_t objects_begin(store *s, int overwrite, error *e)
{
    objects *o = (objects *)s;
    int was_dead = 0;
    if (claim(o, &was_dead, e) != NGFF_OK)
        return e->status;
    int32_t is_occupied = look_at_place(o, was_dead, e);
    if (is_occupied == 1 && !overwrite && !was_dead)
        error_set(e, NGFF_E_EXISTS, "%s exists; use OVERWRITE=YES to replace it", o->path);
    if (e->status == NGFF_OK)
        claim_place(o, e);
    if (e->status == NGFF_OK && is_occupied == 1)
        remove_objects(o, e);
    if (e->status != NGFF_OK)
        remove_claim(o);
    o->is_claimed = e->status == NGFF_OK;
    return e->status;
}

/* -- Object stores: the record of what is stored, for a later run ------------------------------------------------- */

static const char record_folder[] = ".omezarr-record/";

/* Nothing can be appended to an object: each note is one of its own. */
static void note_key(int number, char key[40])
{
    snprintf(key, 40, "%s%d", record_folder, number);
}

static int32_t objects_note(store *s, const char *text, size_t n, error *e)
{
    objects *o = (objects *)s;
    char key[40];
    note_key(o->n_notes++, key);
    return put_object(o, key, text, n, 0, e);
}

/* All notes one after the other; NULL where there is none. */
static char *read_notes(objects *o, error *e)
{
    char *text = NULL;
    size_t n = 0;
    for (int32_t status = NGFF_OK; status == NGFF_OK && e->status == NGFF_OK;) {
        char key[40];
        uint8_t *bytes = NULL;
        size_t n_read = 0;
        note_key(o->n_notes, key);
        status = objects_get(&o->base, key, 0, 0, &bytes, &n_read, e);
        char *more = status == NGFF_OK ? realloc(text, n + n_read + 1) : NULL;
        if (status == NGFF_OK && !more)
            error_set(e, NGFF_E_MEMORY, "out of memory");
        if (more) {
            text = more;
            memcpy(text + n, bytes, n_read);
            n += n_read;
            text[n] = 0;
            o->n_notes++;
        }
        free(bytes);
    }
    return text;
}

static int32_t objects_resume(store *s, int overwrite, char **record, error *e)
{
    objects *o = (objects *)s;
    int was_dead = 0;
    (void)overwrite;
    VSICurlPartialClearCache(o->path);
    *record = read_notes(o, e);
    if (!*record || e->status != NGFF_OK)
        return e->status;
    if (claim(o, &was_dead, e) == NGFF_OK && claim_place(o, e) != NGFF_OK)
        remove_claim(o);
    o->is_claimed = e->status == NGFF_OK;
    return e->status == NGFF_OK ? 1 : e->status;
}

/* The claim of nobody: the next run may go on, or remove what is there. */
static void objects_release(store *s)
{
    objects *o = (objects *)s;
    static const char nobody[] = "0 nobody - writing";
    error ignored = {0};
    if (o->is_claimed && is_claim_ours(o))
        put_object(o, claim_key, nobody, sizeof nobody - 1, 0, &ignored);
    o->is_claimed = 0;
}

static void remove_notes(objects *o)
{
    for (int i = 0; i < o->n_notes; i++) {
        char key[40], cause[256];
        note_key(i, key);
        char *path = object_path(o, key);
        if (path)
            object_remove(path, cause);
        free(path);
    }
    o->n_notes = 0;
}

static void objects_set_sync(store *s)
{
    (void)s; /* what an object store has accepted is safe */
}

/* -- Object stores: change in place -------------------------------------------------------------------------------- */

/* Leaves the mark of a store that is being changed. */
static int32_t mark_dirty(objects *o, error *e)
{
    pthread_mutex_lock(&o->lock);
    if (o->is_update && !o->is_dirty)
        o->is_dirty = put_object(o, STORE_DIRTY_KEY, "changing\n", 9, 0, e) == NGFF_OK;
    pthread_mutex_unlock(&o->lock);
    return e->status;
}

/* Each put replaces its object at once, so that a store can be changed in place. */
static int32_t objects_begin_update(store *s, error *e)
{
    objects *o = (objects *)s;
    int was_dead = 0;
    uint64_t n = 0;
    if (claim(o, &was_dead, e) != NGFF_OK)
        return e->status;
    int32_t status = s->ops->size(s, STORE_DIRTY_KEY, &n, e);
    if (e->status != NGFF_OK) {
        remove_claim(o);
        return e->status;
    }
    o->is_update = 1;
    o->is_dirty = status == NGFF_OK;
    return NGFF_OK;
}

static int32_t cannot_remove(const char *path, const char *cause, error *e)
{
    return error_set(e, NGFF_E_STORAGE, "cannot remove %s: %s", path, cause);
}

/* Removes the object of this key, or all below it; documents stay where chunks_only. */
static int32_t remove_below(objects *o, const char *key, int chunks_only, error *e)
{
    char cause[256] = "", *path = object_path(o, key);
    int kind = path ? vsi_kind(path) : KIND_NONE;
    if (kind != KIND_NONE)
        mark_dirty(o, e);
    if (kind == KIND_FILE && e->status == NGFF_OK && object_remove(path, cause) != 0)
        cannot_remove(path, cause, e);
    char **names = kind == KIND_FOLDER ? VSIReadDirRecursive(path) : NULL;
    for (int i = 0; names && names[i] && e->status == NGFF_OK; i++) {
        const char *slash = strrchr(names[i], '/'), *name = slash ? slash + 1 : names[i];
        if (!name[0] || (chunks_only && is_zarr_document(name)))
            continue;
        char *below = CPLStrdup(CPLSPrintf("%s/%s", path, names[i]));
        if (object_remove(below, cause) != 0)
            cannot_remove(below, cause, e);
        CPLFree(below);
    }
    CSLDestroy(names);
    free(path);
    return e->status;
}

static int32_t objects_remove(store *s, const char *key, error *e)
{
    return remove_below((objects *)s, key, 0, e);
}

static int32_t objects_remove_chunks(store *s, const char *key, error *e)
{
    return remove_below((objects *)s, key, 1, e);
}

static int32_t check_claim_gone(objects *o, error *e)
{
    return is_claim_ours(o) ? error_set(e, NGFF_E_STORAGE, "%s is whole, but %s in it cannot be removed: remove it",
                                        o->path, claim_key)
                            : NGFF_OK;
}

static int32_t end_update(objects *o, error *e)
{
    char cause[256] = "", *mark = object_path(o, STORE_DIRTY_KEY);
    if (o->is_dirty && (!mark || object_remove(mark, cause) != 0))
        cannot_remove(mark ? mark : STORE_DIRTY_KEY, cause, e);
    free(mark);
    remove_claim(o);
    o->is_update = 0;
    VSICurlPartialClearCache(o->path);
    return e->status == NGFF_OK ? check_claim_gone(o, e) : e->status;
}

/* -- Object stores: the end ---------------------------------------------------------------------------------------- */

static int32_t objects_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    objects *o = (objects *)s;
    if (mark_dirty(o, e) != NGFF_OK)
        return e->status;
    if (!o->is_claimed || (strcmp(key, "zarr.json") != 0 && strcmp(key, ".zattrs") != 0))
        return put_object(o, key, bytes, n, 0, e);
    free(o->root);
    o->root = malloc(n + 1);
    if (!o->root)
        return error_set(e, NGFF_E_MEMORY, "out of memory for %s", key);
    memcpy(o->root, bytes, n);
    o->n_root = n;
    snprintf(o->root_key, sizeof o->root_key, "%s", key);
    return NGFF_OK;
}

/* The root's document comes, only where there is none, then the claim goes. */
static int32_t objects_publish(store *s, error *e)
{
    objects *o = (objects *)s;
    if (o->is_update)
        return end_update(o, e);
    if (!o->is_claimed || !o->root)
        return NGFF_OK;
    if (!is_claim_ours(o))
        return error_set(e, NGFF_E_STORAGE, "%s/%s was removed or changed by somebody else while %s was written",
                         o->path, claim_key, o->path);
    int32_t status = put_object(o, o->root_key, o->root, o->n_root, 1, e);
    if (status == NGFF_E_EXISTS) { /* our own request, whose answer was lost? */
        uint8_t *text = NULL;
        size_t n = 0;
        error ignored = {0};
        int is_ours = objects_get(s, o->root_key, 0, 0, &text, &n, &ignored) == NGFF_OK && n == o->n_root &&
                      memcmp(text, o->root, n) == 0;
        free(text);
        status = is_ours ? NGFF_OK
                         : error_set(e, NGFF_E_EXISTS, "%s/%s was put by somebody else while %s was written", o->path,
                                     o->root_key, o->path);
    }
    if (status != NGFF_OK)
        return status;
    o->is_claimed = 0;
    remove_notes(o);
    remove_claim(o);
    forget_list(o->path); /* made when GDAL looked for an old store: it would hide the new one */
    return check_claim_gone(o, e);
}

static void objects_abandon(store *s)
{
    objects *o = (objects *)s;
    error ignored = {0};
    if (o->is_update) /* what was done stays, with its mark */
        remove_claim(o);
    else if (o->is_claimed && is_claim_ours(o)) { /* else it is another's place now */
        remove_objects(o, &ignored);
        remove_claim(o);
    }
    o->is_claimed = 0;
}

static int32_t objects_size(store *s, const char *key, uint64_t *n, error *e)
{
    char cause[256] = "";
    char *path = object_path((objects *)s, key);
    int failure = path ? object_read(path, 0, 0, NULL, NULL, n, cause) : ENOMEM;
    int32_t status = !failure            ? NGFF_OK
                     : failure == ENOENT ? NGFF_E_NOT_FOUND
                                         : error_set(e, NGFF_E_STORAGE, "cannot read %s: %s", path ? path : key, cause);
    free(path);
    return status;
}

/* Scratch lies on this machine: CPL_TMPDIR, where GDAL's own temporary files go. */
static int32_t make_scratch(objects *o, error *e)
{
    pthread_mutex_lock(&o->lock);
    if (!o->scratch) {
        char *path = strdup(CPLGenerateTempFilename("omezarr"));
        if (path && vsi_make_folder(path) == 0)
            o->scratch = path;
        else {
            error_set(e, NGFF_E_STORAGE, "cannot make the temporary folder %s; set CPL_TMPDIR to a writable place",
                      path ? path : "");
            free(path);
        }
    }
    pthread_mutex_unlock(&o->lock);
    return e->status;
}

static int32_t objects_scratch_put(store *s, const char *key, const void *bytes, size_t n, error *e)
{
    objects *o = (objects *)s;
    char path[1024], cause[256] = "";
    if (make_scratch(o, e) != NGFF_OK)
        return e->status;
    snprintf(path, sizeof path, "%s/%s", o->scratch, key);
    if (vsi_write(path, bytes, n, cause) != 0)
        return error_set(e, NGFF_E_STORAGE, "cannot write the temporary file %s: %s", path, cause);
    return NGFF_OK;
}

static int32_t objects_scratch_get(store *s, const char *key, void *bytes, size_t n, error *e)
{
    objects *o = (objects *)s;
    char path[1024], cause[256] = "";
    uint8_t *read = NULL;
    size_t n_read = 0;
    snprintf(path, sizeof path, "%s/%s", o->scratch ? o->scratch : "", key);
    int failure = vsi_read(path, 0, 0, &read, &n_read, cause);
    if (!failure && n_read == n)
        memcpy(bytes, read, n);
    free(read);
    vsi_remove_file(path);
    if (failure || n_read != n)
        return error_set(e, NGFF_E_STORAGE, "cannot read the temporary file %s back: %s", path, cause);
    return NGFF_OK;
}

static int32_t objects_list(store *s, int32_t (*visit)(void *user, const char *key), void *user, error *e)
{
    const objects *o = (const objects *)s;
    char cause[256];
    quiet before = begin_quiet();
    char **keys = VSIReadDirRecursive(o->path);
    end_quiet(&before, 0, cause);
    int32_t status = keys ? NGFF_OK : NGFF_E_UNSUPPORTED;
    for (int i = 0; keys && keys[i] && status == NGFF_OK; i++) {
        size_t n = strlen(keys[i]);
        int is_own =
            o->is_claimed && (is_claim(keys[i]) || strncmp(keys[i], record_folder, sizeof record_folder - 1) == 0);
        if (n > 0 && keys[i][n - 1] != '/' && !is_own)
            status = visit(user, keys[i]);
    }
    CSLDestroy(keys);
    return status < 0 ? error_set(e, status, "the objects below %s cannot be listed", o->path) : NGFF_OK;
}

static void objects_enter_thread(store *s)
{
    (void)s;
    vsi_enter_thread();
}

static void objects_free(store *s)
{
    objects *o = (objects *)s;
    if (o->scratch)
        vsi_remove_tree(o->scratch);
    pthread_mutex_destroy(&o->lock);
    free(o->scratch);
    free(o->root);
    free(o->path);
    free(o);
}

/* The copy is a list of NAME=VALUE, NULL if the thread has set nothing. */
static void *vsi_settings_copy(void)
{
    return CPLGetThreadLocalConfigOptions();
}

static void vsi_settings_use(void *copy)
{
    CPLSetThreadLocalConfigOptions(copy);
}

static void vsi_settings_free(void *copy)
{
    CSLDestroy(copy);
}

static const store_ops object_ops = {
    .is_remote = 1,
    .begin = objects_begin,
    .note = objects_note,
    .resume = objects_resume,
    .release = objects_release,
    .set_sync = objects_set_sync,
    .begin_update = objects_begin_update,
    .remove = objects_remove,
    .remove_chunks = objects_remove_chunks,
    .settings_copy = vsi_settings_copy,
    .settings_use = vsi_settings_use,
    .settings_free = vsi_settings_free,
    .put = objects_put,
    .publish = objects_publish,
    .abandon = objects_abandon,
    .get = objects_get,
    .size = objects_size,
    .enter_thread = objects_enter_thread,
    .scratch_put = objects_scratch_put,
    .scratch_get = objects_scratch_get,
    .list = objects_list,
    .free = objects_free,
};

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

static store *objects_open(const char *path)
{
    objects *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->base.ops = &object_ops;
    o->base.refusal = why_not_written(path);
    pthread_mutex_init(&o->lock, NULL);
    o->path = strdup(path);
    for (size_t n = o->path ? strlen(o->path) : 0; n > 1 && o->path[n - 1] == '/'; n--)
        o->path[n - 1] = 0;
    if (!o->path) {
        objects_free(&o->base);
        return NULL;
    }
    return &o->base;
}

static int is_object_store(const char *path)
{
    return !is_local(path) && (why_not_written(path) || !VSISupportsRandomWrite(path, FALSE));
}

store *store_vsi_open(const char *path)
{
    return is_object_store(path) ? objects_open(path) : folder_open(path, &vsi_calls);
}

/* -- Single files -------------------------------------------------------------------------------------------------- */

static int single_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    const char *why = why_not_written(path);
    if (!why)
        return object_write(path, bytes, n, 0, cause);
    snprintf(cause, 256, "%s", why);
    return ENOTSUP;
}

static int single_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, char cause[256])
{
    uint64_t size;
    if (why_not_written(path))
        return ENOENT; /* writing tells */
    forget_list(path);
    return object_read(path, offset, n, bytes, n_read, &size, cause);
}

static int single_remove(const char *path)
{
    char cause[256];
    return object_remove(path, cause);
}

const folder_calls *vsi_calls_for(const char *path)
{
    static const folder_calls object_calls = {
        .write_file = single_write, .read_file = single_read, .sync = vsi_sync, .remove_file = single_remove};
    return is_object_store(path) ? &object_calls : &vsi_calls;
}
