/* vsi_requests.c: the calls of the protocol of object stores through GDAL's VSI layer. Each object is one
 * open-write-close from a full buffer. */
#include "vsi_common.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

const object_calls request_calls = {
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
    .threads = &vsi_threads,
};
