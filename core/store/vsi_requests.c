/* vsi_requests.c: the calls of the protocol of object stores through GDAL's VSI layer. Each object is one
 * open-write-close from a full buffer. */
#include "base/text.h"
#include "store/vsi_common.h"

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
    int is_cut;                  /* the connection failed before or within the answer */
} answer;

enum { most_settings = 13 };

/* What a thread says while it makes a request, and settings that hold only meanwhile. */
typedef struct {
    answer heard;
    quiet before;
    char *settings[most_settings];
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
    const char *broken = status ? strstr(status, ", msg=") : NULL; /* GDAL takes a body that was cut off for whole */
    if (broken && heard->http_status < 400) {
        heard->is_cut = 1;
        if (!heard->error[0])
            snprintf(heard->error, sizeof heard->error, "%s", broken + strlen(", msg="));
    }
    if (strstr(text, "<Error>") || strstr(text, "<Error ")) {
        copy_between(text, "<Code>", "</Code>", heard->code, sizeof heard->code);
        copy_between(text, "<Message>", "</Message>", heard->message, sizeof heard->message);
    }
}

/* Settings of GDAL that a request needs and that the user may have made: nothing hangs for ever, no folder is listed to
 * open one object, each object is one PUT, so that it is there whole or not, and no multipart upload can be left. S3 is
 * asked for the first bytes of an object to find out its size: for so many that they mostly are all. GDAL's cache of a
 * file would ask for the size once more. */
static const struct {
    const char *name, *value; /* NULL: enough for one PUT */
} settings[] = {
    {"CPL_DEBUG", "ON"},
    {"GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR"},
    {"VSI_CACHE", "NO"},
    {"GDAL_INGESTED_BYTES_AT_OPEN", "4000000"},
    {"GDAL_HTTP_CONNECTTIMEOUT", "30"},
    {"GDAL_HTTP_LOW_SPEED_TIME", "60"},
    {"GDAL_HTTP_LOW_SPEED_LIMIT", "1"},
    {"VSIS3_CHUNK_SIZE", NULL},
    {"VSIGS_CHUNK_SIZE", NULL},
    {"VSIOSS_CHUNK_SIZE", NULL},
    {"VSIAZ_CHUNK_SIZE", NULL},
};
enum { n_settings = sizeof settings / sizeof settings[0], first_forced = 4 };

/* Names that GDAL's user wants hidden on servers, so that a folder of files opens with few requests. GDAL then says of
 * an object that it is not there, without a request; but which objects a store has is known by its documents. */
static const char allowed_name[] = "CPL_VSIL_CURL_ALLOWED_FILENAME",
                  allowed_extensions[] = "CPL_VSIL_CURL_ALLOWED_EXTENSIONS";
_Static_assert(n_settings + 2 <= most_settings, "a request keeps all settings");

static char *keep_setting(const char *name)
{
    const char *own = CPLGetThreadLocalConfigOption(name, NULL);
    return own ? strdup(own) : NULL;
}

/* True if GDAL itself speaks to a server for this path, and does not read it in another file. */
static int is_on_server(const char *path)
{
    static const char *const places[] = {"/vsicurl/", "/vsicurl?", "/vsis3/",    "/vsigs/",     "/vsiaz/",
                                         "/vsiadls/", "/vsioss/",  "/vsiswift/", "/vsiwebhdfs/"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return 1;
    return 0;
}

/* Shows GDAL the name that is asked for: the whole of it, or its last letter (before a query) as an extension. */
static void show_name(const char *path)
{
    size_t n = strcspn(path, "?");
    char last[2] = {n > 0 ? path[n - 1] : '\0', '\0'};
    if (!is_on_server(path))
        return;
    if (CPLGetConfigOption(allowed_name, NULL))
        CPLSetThreadLocalConfigOption(allowed_name, path);
    if (CPLGetConfigOption(allowed_extensions, NULL))
        CPLSetThreadLocalConfigOption(allowed_extensions, last);
}

/* path: the name that GDAL gets. n: bytes that are to be put. */
static void request_begin(request *r, const char *path, size_t n)
{
    char size[32];
    memset(r, 0, sizeof *r);
    snprintf(size, sizeof size, "%zu", (n >> 20) + 6); /* MiB; 5 is the least */
    r->before = begin_quiet(); /* GDAL 3.11 warns of settings that its list has not, such as VSIS3_CHUNK_SIZE */
    for (int i = 0; i < n_settings; i++) {
        r->settings[i] = keep_setting(settings[i].name);
        if (i < first_forced || !settings[i].value || !CPLGetConfigOption(settings[i].name, NULL))
            CPLSetThreadLocalConfigOption(settings[i].name, settings[i].value ? settings[i].value : size);
    }
    r->settings[n_settings] = keep_setting(allowed_name);
    r->settings[n_settings + 1] = keep_setting(allowed_extensions);
    show_name(path);
    CPLErrorReset();
    VSIErrorReset();
    CPLPushErrorHandlerEx(listen, &r->heard);
}

static void put_back(const char *name, char *kept)
{
    CPLSetThreadLocalConfigOption(name, kept);
    free(kept);
}

static void request_end(request *r)
{
    char unused[256];
    CPLPopErrorHandler();
    for (int i = 0; i < n_settings; i++)
        put_back(settings[i].name, r->settings[i]);
    put_back(allowed_name, r->settings[n_settings]);
    put_back(allowed_extensions, r->settings[n_settings + 1]);
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
    return is_one_of(heard->code, codes) ||
           ((heard->http_status == 404 || heard->http_status == 410) && strcmp(heard->code, "NoSuchBucket") != 0);
}

/* What the answer means: EACCES (the credentials are no good), EPERM (refused, perhaps because it is not there), EEXIST
 * (a condition was not met), ENOENT (no bucket), or EAGAIN. */
static int meaning_of(const answer *heard)
{
    static const char *const credentials[] = {"ExpiredToken",
                                              "InvalidAccessKeyId",
                                              "SignatureDoesNotMatch",
                                              "InvalidToken",
                                              "TokenRefreshRequired",
                                              "RequestTimeTooSkewed",
                                              "AuthenticationFailed",
                                              "AuthorizationFailure",
                                              "AuthorizationPermissionMismatch",
                                              "InvalidSecurity",
                                              NULL};
    static const char *const conditions[] = {"PreconditionFailed", "ConditionNotMet", "BlobAlreadyExists", NULL};
    static const char *const places[] = {"NoSuchBucket",      "ContainerNotFound",
                                         "PermanentRedirect", "AuthorizationHeaderMalformed",
                                         "InvalidBucketName", NULL};
    if (is_one_of(heard->code, credentials))
        return EACCES;
    if (strcmp(heard->code, "AccessDenied") == 0 || heard->http_status == 401 || heard->http_status == 403)
        return EPERM;
    if (is_one_of(heard->code, conditions) || heard->http_status == 412)
        return EEXIST;
    return is_one_of(heard->code, places) ? ENOENT : EAGAIN;
}

static int is_set(const char *name)
{
    const char *value = CPLGetConfigOption(name, NULL);
    return value && value[0];
}

/* True if the request was signed, or went with a password, a token or a header of the user's. */
static int has_credentials(const char *path)
{
    static const char *const settings_with[] = {"GDAL_HTTP_USERPWD",     "GDAL_HTTP_AUTH",   "GDAL_HTTP_BEARER",
                                                "GDAL_HTTP_HEADER_FILE", "GDAL_HTTP_COOKIE", "GDAL_HTTP_COOKIEFILE",
                                                "GDAL_HTTP_SSLCERT"};
    static const char *const marks[] = {"Signature=", "Signature%3D", "sig=",     "sig%3D",
                                        "token=",     "header.",      "userpwd=", "pc_url_signing="};
    if (strncmp(path, "/vsicurl", 8) != 0) {
        const char *unsigned_option = strncmp(path, "/vsis3/", 7) == 0   ? "AWS_NO_SIGN_REQUEST"
                                      : strncmp(path, "/vsigs/", 7) == 0 ? "GS_NO_SIGN_REQUEST"
                                      : strncmp(path, "/vsiaz/", 7) == 0 ? "AZURE_NO_SIGN_REQUEST"
                                                                         : NULL;
        return !unsigned_option || !CPLTestBool(CPLGetConfigOption(unsigned_option, "NO"));
    }
    for (size_t i = 0; i < sizeof settings_with / sizeof settings_with[0]; i++)
        if (is_set(settings_with[i]))
            return 1;
    const char *headers = CPLGetConfigOption("GDAL_HTTP_HEADERS", "");
    if (strstr(headers, "uthorization") || strstr(headers, "oken") || strstr(headers, "ookie"))
        return 1;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strstr(path, marks[i]))
            return 1;
    const char *host = strstr(path, "://"), *user = host ? strchr(host, '@') : NULL;
    return user && user < host + 3 + strcspn(host + 3, "/");
}

/* What the answer means, and the reason in words. */
static int explain(const answer *heard, const char *path, char cause[256])
{
    int meaning = meaning_of(heard);
    char status[40];
    snprintf(status, sizeof status, "HTTP response code: %d", heard->http_status);
    const char *what = heard->code[0]              ? heard->code
                       : heard->error[0]           ? heard->error
                       : heard->http_status >= 400 ? status
                                                   : "no answer";
    int is_refused = meaning == EACCES || meaning == EPERM;
    const char *advice = is_refused && has_credentials(path)
                             ? "; the credentials are refused or have expired: renew them"
                         : is_refused        ? "; is the address right? It was asked for without credentials"
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
    request_begin(&r, path, n);
    VSILFILE *file = VSIFOpenEx2L(path, "wb", TRUE, must_be_new ? only_new(path, n) : NULL);
    int has_failed = !file;
    if (file) {
        has_failed = n > 0 && VSIFWriteL(bytes, 1, n, file) != n;
        has_failed |= VSIFCloseL(file) != 0;
    }
    if (!file && VSIGetLastErrorMsg()[0])
        snprintf(r.heard.error, sizeof r.heard.error, "%s", VSIGetLastErrorMsg());
    request_end(&r);
    return has_failed ? explain(&r.heard, path, cause) : 0;
}

/* -- Reading ------------------------------------------------------------------------------------------------------- */

/* GDAL asks a server whether a file is there before it opens it, unless it has the list of the folder. It believes to
 * have it where the folder is to be listed (DISABLE_READDIR_ON_OPEN=NO) and the last part of the name has no point;
 * then nothing is listed either, and the first request is the one for the bytes (GDAL 3.6.2 was tried,
 * VSICurlFilesystemHandlerBase::Open). Names of chunks mostly have none. On web servers others get a last part without
 * one: what follows # is never sent. False where GDAL has to ask: the documents on object stores, where the first
 * request brings bytes too (S3, see settings). */
static int name_for_one_request(const char *path, char *name, size_t room)
{
    const char *slash = strrchr(path, '/');
    if (!is_on_server(path) || !slash)
        return 0;
    int has_point = strchr(slash, '.') != NULL, is_web = strncmp(path, "/vsicurl", 8) == 0;
    int n = snprintf(name, room, "%s%s", path, has_point ? "#/whole" : "");
    return n > 0 && (size_t)n < room && (is_web || !has_point);
}

/* Reads up to n bytes (0: all) from offset >= 0 in one request, with no question before. Returns 1 with the bytes; 0
 * where that has told nothing, so that the long way has to; -1 if the server has answered with a failure. */
static int read_at_once(request *r, const char *name, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read)
{
    static const char *const no_question[] = {"DISABLE_READDIR_ON_OPEN=NO", NULL};
    enum { most = 1000 * 16384 }; /* that GDAL asks for at once */
    size_t asked = n > 0 && n < most ? n : most;
    VSILFILE *file = VSIFOpenEx2L(name, "rb", TRUE, (CSLConstList)no_question);
    uint8_t *room = file ? malloc(asked + 1) : NULL; /* pages that are not touched take no memory */
    int is_good = room && VSIFSeekL(file, (vsi_l_offset)offset, SEEK_SET) == 0;
    size_t got = is_good ? VSIFReadL(room, 1, asked, file) : 0;
    is_good = is_good && got > 0 && !r->heard.is_cut && r->heard.http_status < 400;
    if (is_good && (got == asked || r->heard.http_status != 200)) { /* 200: all of it; else the size was told */
        VSIFSeekL(file, 0, SEEK_END);
        uint64_t size = VSIFTellL(file), rest = size > (uint64_t)offset ? size - (uint64_t)offset : 0;
        size_t wanted = n > 0 && n < rest ? n : (size_t)rest;
        uint8_t *more = wanted > got ? realloc(room, wanted + 1) : NULL;
        if (more) {
            room = more;
            VSIFSeekL(file, (vsi_l_offset)offset + got, SEEK_SET);
            got += VSIFReadL(room + got, 1, wanted - got, file);
        }
        is_good = got == wanted && !r->heard.is_cut && r->heard.http_status < 400;
    }
    if (file)
        VSIFCloseL(file);
    VSIStatBufL there;
    if (!is_good && got == 0 && r->heard.http_status == 0 && !r->heard.is_cut && !r->heard.error[0] &&
        VSIStatExL(name, &there, VSI_STAT_EXISTS_FLAG | VSI_STAT_CACHE_ONLY) != 0)
        r->heard.http_status = 404; /* GDAL remembers that, and asks nobody; it is told to forget all other answers */
    if (is_good) {
        uint8_t *fitting = realloc(room, got + 1);
        *bytes = fitting ? fitting : room;
        *n_read = got;
        (*bytes)[got] = 0;
        return 1;
    }
    free(room);
    static const int final[] = {401, 403, 404, 410};
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++)
        if (r->heard.http_status == final[i])
            return -1;
    return r->heard.http_status >= 500 ? -1 : 0;
}

/* Asks for the size first. Returns whether it has failed; *is_missing: because nothing is there. */
static int read_by_size(request *r, const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read,
                        uint64_t *size, int *is_missing)
{
    VSILFILE *file = VSIFOpenExL(path, "rb", TRUE);
    if (!file) {
        *is_missing = errno == ENOENT || (VSIGetLastErrorNo() == 0 && !r->heard.error[0]);
        if (VSIGetLastErrorMsg()[0])
            snprintf(r->heard.error, sizeof r->heard.error, "%s", VSIGetLastErrorMsg());
        return 1;
    }
    int has_failed = VSIFSeekL(file, 0, SEEK_END) != 0;
    *size = (uint64_t)VSIFTellL(file);
    *is_missing = r->heard.http_status == 404;
    if (!*is_missing && bytes) {
        uint64_t first = offset >= 0 ? (uint64_t)offset : n > 0 && *size > n ? *size - n : 0;
        uint64_t rest = first < *size ? *size - first : 0;
        size_t wanted = n == 0 || n > rest ? (size_t)rest : n;
        *bytes = has_failed ? NULL : malloc(wanted + 1);
        has_failed |= !*bytes || VSIFSeekL(file, (vsi_l_offset)first, SEEK_SET) != 0;
        *n_read = has_failed ? 0 : VSIFReadL(*bytes, 1, wanted, file);
        has_failed |= *n_read != wanted || r->heard.is_cut;
        if (*bytes)
            (*bytes)[*n_read] = 0;
    }
    VSIFCloseL(file);
    return has_failed;
}

static int request_read(const char *path, int64_t offset, size_t n, uint8_t **bytes, size_t *n_read, uint64_t *size,
                        char cause[256])
{
    request r;
    char name[2048];
    int is_short = bytes && offset >= 0 && name_for_one_request(path, name, sizeof name);
    int way = 0, is_missing = 0;
    if (bytes)
        *bytes = NULL;
    request_begin(&r, is_short ? name : path, 0);
    if (is_short)
        way = read_at_once(&r, name, offset, n, bytes, n_read);
    if (is_short && way == 0) { /* the long way says why */
        request_end(&r);
        VSICurlPartialClearCache(path);
        request_begin(&r, path, 0);
    }
    if (way == 1)
        *size = (uint64_t)offset + *n_read;
    int has_failed = way == 0 ? read_by_size(&r, path, offset, n, bytes, n_read, size, &is_missing) : way < 0;
    int is_lost = is_missing && is_lost_in_archive(path, cause);
    request_end(&r);
    if (is_lost)
        return EIO;
    is_missing |= says_missing(&r.heard);
    has_failed |= r.heard.http_status >= 400 && way != 1;
    if (!has_failed && !is_missing)
        return 0;
    if (bytes) {
        free(*bytes);
        *bytes = NULL;
    }
    if (is_missing)
        return ENOENT;
    int meaning = explain(&r.heard, path, cause);
    VSICurlPartialClearCache(path); /* it remembers that there was nothing */
    return meaning == ENOENT ? EIO : meaning;
}

static int request_remove(const char *path, char cause[256])
{
    request r;
    request_begin(&r, path, 0);
    int has_failed = VSIUnlink(path) != 0;
    int is_gone = has_failed && (errno == ENOENT || says_missing(&r.heard));
    request_end(&r);
    return has_failed && !is_gone ? explain(&r.heard, path, cause) : 0;
}

/* A list that a server refuses looks to GDAL's callers like an empty one: what the server said decides. */
static int request_list(const char *path, int is_recursive, char ***names, char cause[256])
{
    request r;
    request_begin(&r, path, 0);
    char **found = is_recursive ? VSIReadDirRecursive(path) : VSIReadDirEx(path, 0);
    request_end(&r);
    *names = NULL;
    if (!found && (r.heard.code[0] || r.heard.http_status >= 400))
        return says_missing(&r.heard) ? ENOENT : explain(&r.heard, path, cause);
    *names = plain_names(found);
    return *names ? 0 : ENOMEM;
}

static void forget(const char *path)
{
    VSICurlPartialClearCache(path);
}

static void forget_list(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? text_copy(path, (size_t)(slash - path)) : NULL;
    VSICurlPartialClearCache(parent ? parent : path);
    free(parent);
}

static double retry_delay(const char *path)
{
    (void)path;
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
    .list = request_list,
    .forget = forget,
    .forget_list = forget_list,
    .retry_delay = retry_delay,
    .temporary_path = temporary_path,
    .temporary_setting = "CPL_TMPDIR",
    .files = &vsi_calls,
    .threads = &vsi_threads,
};
