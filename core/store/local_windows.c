/* local_windows.c: the calls of the protocol of folders on this machine's disks, by Windows' own functions. Paths are UTF-8
 * with '/'; each call makes them wide, absolute and free of the limit of 260 characters. What somebody else holds open
 * for a moment (a virus scanner, the Explorer, a reader of ours) refuses to be opened, renamed or removed: that is tried
 * again for two seconds. */
#include "store/local.h"
#include "store/side_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum { longest_path = 4096, patience = 2000, pause = 20 /* ms */ };
static const DWORD for_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
static const size_t most_at_once = (size_t)1 << 30; /* bytes of one call */

/* -- Errors -------------------------------------------------------------------------------------------------------- */

/* Only the first of these say that nothing is there: a file in the place of a folder is ERROR_PATH_NOT_FOUND to those
 * that open, ERROR_DIRECTORY to those that list. */
static int number_of(DWORD error)
{
    static const struct {
        DWORD error;
        int number;
    } numbers[] = {
        {ERROR_FILE_NOT_FOUND, ENOENT},
        {ERROR_PATH_NOT_FOUND, ENOENT},
        {ERROR_DIRECTORY, ENOENT},
        {ERROR_ACCESS_DENIED, EACCES},
        {ERROR_SHARING_VIOLATION, EBUSY},
        {ERROR_LOCK_VIOLATION, EBUSY},
        {ERROR_USER_MAPPED_FILE, EBUSY},
        {ERROR_ALREADY_EXISTS, EEXIST},
        {ERROR_FILE_EXISTS, EEXIST},
        {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
        {ERROR_DISK_FULL, ENOSPC},
        {ERROR_HANDLE_DISK_FULL, ENOSPC},
        {ERROR_DISK_QUOTA_EXCEEDED, ENOSPC},
        {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
        {ERROR_OUTOFMEMORY, ENOMEM},
        {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
        {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
        {ERROR_NOT_SAME_DEVICE, EXDEV},
        {ERROR_WRITE_PROTECT, EROFS},
        {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
        {ERROR_INSUFFICIENT_BUFFER, ENAMETOOLONG},
        {ERROR_NO_UNICODE_TRANSLATION, EILSEQ},
        {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
        {ERROR_INVALID_NAME, EINVAL},
        {ERROR_INVALID_PARAMETER, EINVAL},
        {ERROR_FILE_TOO_LARGE, EFBIG},
        {ERROR_DIRECTORY_NOT_SUPPORTED, EISDIR},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].error == error)
            return numbers[i].number;
    return EIO;
}

/* In the words of errno, as elsewhere; of what it has none for, in Windows'. */
static int failed(char cause[256], DWORD error)
{
    WCHAR words[200];
    int number = number_of(error), n_text = 0;
    if (number == EBUSY)
        n_text = snprintf(cause, 200, "another program has it open");
    else if (number != EIO)
        n_text = snprintf(cause, 200, "%s", strerror(number));
    else {
        DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, words, 200,
                                 NULL);
        while (n > 0 && (words[n - 1] <= ' ' || words[n - 1] == '.'))
            n--;
        n_text = n > 0 ? WideCharToMultiByte(CP_UTF8, 0, words, (int)n, cause, 200, NULL, NULL) : 0;
    }
    snprintf(cause + n_text, 256 - (size_t)n_text, "%sWindows error %lu%s", n_text ? " (" : "", (unsigned long)error,
             n_text ? ")" : "");
    return number;
}

/* Whether a failure may pass, and is tried again; *end: 0 at first. */
static int may_pass(DWORD error, ULONGLONG *end)
{
    int is_busy = error == ERROR_SHARING_VIOLATION || error == ERROR_LOCK_VIOLATION || error == ERROR_ACCESS_DENIED ||
                  error == ERROR_USER_MAPPED_FILE || error == ERROR_DELETE_PENDING;
    ULONGLONG now = GetTickCount64();
    if (*end == 0)
        *end = now + patience;
    if (!is_busy || now >= *end)
        return 0;
    Sleep(pause);
    return 1;
}

/* -- Paths --------------------------------------------------------------------------------------------------------- */

typedef struct {
    WCHAR room[longest_path + 8];
    const WCHAR *name; /* in it, for the W functions */
} wide_path;

/* Windows takes dots and blanks at the end of a name away in silence, and makes devices of "NUL" and its kin: another name
 * than the one that was asked for. */
static int is_changed_in_silence(const WCHAR *path)
{
    for (const WCHAR *name = path; *name;) {
        size_t n = wcscspn(name, L"\\");
        int is_special = (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.');
        if (n > 0 && !is_special && (name[n - 1] == '.' || name[n - 1] == ' '))
            return 1;
        name += n + (name[n] != 0);
    }
    return 0;
}

/* Makes a path wide, absolute, and not limited by MAX_PATH ("\\?\"). Returns 0, or an error of Windows. */
static DWORD widen(const char *path, wide_path *to)
{
    WCHAR typed[longest_path];
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, typed, longest_path - 1);
    if (n == 0)
        return GetLastError();
    for (WCHAR *at = typed; *at; at++)
        if (*at == '/')
            *at = '\\';
    if (n == 3 && typed[1] == ':') /* what is left of "C:/x" without the name: not that drive's working folder */
        memcpy(typed + 2, L"\\", 2 * sizeof *typed);
    if (wcsncmp(typed, L"\\\\?\\", 4) == 0) {
        memcpy(to->room, typed, sizeof typed);
        to->name = to->room;
        return 0;
    }
    WCHAR *full = to->room + 6;
    DWORD length = GetFullPathNameW(typed, longest_path, full, NULL);
    if (length == 0 || length >= longest_path)
        return length ? ERROR_FILENAME_EXCED_RANGE : GetLastError();
    if (wcsncmp(full, L"\\\\.\\", 4) == 0 || is_changed_in_silence(typed))
        return ERROR_INVALID_NAME;
    int is_server = full[0] == '\\' && full[1] == '\\';
    WCHAR *name = is_server ? to->room : full - 4; /* "\\?\UNC" instead of the first of two '\', or before "C:" */
    memcpy(name, is_server ? L"\\\\?\\UNC" : L"\\\\?\\", (is_server ? 7 : 4) * sizeof *name);
    to->name = name;
    return 0;
}

char *local_path(const char *path)
{
    char *copy = strdup(path);
    for (char *at = copy; at && *at; at++)
        if (*at == '\\')
            *at = '/';
    return copy;
}

static DWORD attributes_of(const wide_path *path)
{
    DWORD attributes = GetFileAttributesW(path->name);
    return attributes == INVALID_FILE_ATTRIBUTES ? 0 : attributes;
}

static int is_folder(const wide_path *path)
{
    return (attributes_of(path) & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

/* A file that may not be written to may be removed and replaced all the same, as elsewhere. True if it was such a one. */
static int make_writable(const wide_path *path)
{
    DWORD attributes = attributes_of(path);
    return (attributes & FILE_ATTRIBUTE_READONLY) != 0 &&
           SetFileAttributesW(path->name, attributes & ~(DWORD)FILE_ATTRIBUTE_READONLY);
}

/* -- Files --------------------------------------------------------------------------------------------------------- */

/* Opens; a folder is none that is busy. */
static DWORD open_wide(const wide_path *path, DWORD access, DWORD share, DWORD how, DWORD flags, HANDLE *file)
{
    ULONGLONG end = 0;
    for (;;) {
        *file = CreateFileW(path->name, access, share, NULL, how, flags, NULL);
        DWORD error = *file == INVALID_HANDLE_VALUE ? GetLastError() : 0;
        if (error == ERROR_ACCESS_DENIED && is_folder(path))
            return ERROR_DIRECTORY_NOT_SUPPORTED;
        if (!error || !may_pass(error, &end))
            return error;
    }
}

/* What is open. */
static DWORD look_at(HANDLE file, path_state *what)
{
    BY_HANDLE_FILE_INFORMATION info;
    FILE_ATTRIBUTE_TAG_INFO tag = {0, 0};
    if (!GetFileInformationByHandle(file, &info))
        return GetLastError();
    /* What a cloud or a file system keeps elsewhere is a reparse point, too, but no link. */
    int is_link = (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                  (!GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof tag) ||
                   IsReparseTagNameSurrogate(tag.ReparseTag));
    int is_other = is_link || (info.dwFileAttributes & FILE_ATTRIBUTE_DEVICE) != 0;
    uint64_t changed = (uint64_t)info.ftLastWriteTime.dwHighDateTime << 32 | info.ftLastWriteTime.dwLowDateTime;
    what->kind = is_other                                                  ? KIND_OTHER
                 : (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? KIND_FOLDER
                                                                           : KIND_FILE;
    what->size = what->kind == KIND_FILE ? (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow : 0;
    what->id = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
    what->device = info.dwVolumeSerialNumber;
    what->changed = (int64_t)(changed / 10000000) - 11644473600; /* 100 ns since 1601 */
    return 0;
}

/* flags: FILE_FLAG_OPEN_REPARSE_POINT does not follow a link. */
static DWORD look_with(const char *path, DWORD flags, path_state *what)
{
    wide_path wide;
    HANDLE file;
    *what = (path_state){.kind = KIND_NONE};
    DWORD error = widen(path, &wide);
    if (!error)
        error =
            open_wide(&wide, FILE_READ_ATTRIBUTES, for_all, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | flags, &file);
    if (error)
        return error;
    error = look_at(file, what);
    CloseHandle(file);
    return error;
}

int local_look(const char *path, path_state *what, char cause[256])
{
    DWORD error = look_with(path, FILE_FLAG_OPEN_REPARSE_POINT, what);
    return !error || number_of(error) == ENOENT ? 0 : failed(cause, error);
}

int local_leads_somewhere(const char *path)
{
    path_state what;
    return look_with(path, 0, &what) == 0;
}

static int file_measure(const char *path, uint64_t *n, char cause[256])
{
    path_state what;
    DWORD error = look_with(path, 0, &what);
    if (error)
        return number_of(error) == ENOENT ? local_missing(path, cause) : failed(cause, error);
    *n = what.size;
    return what.kind == KIND_FOLDER ? failed(cause, ERROR_DIRECTORY_NOT_SUPPORTED) : 0;
}

static int write_with(const char *path, DWORD access, DWORD how, const void *bytes, size_t n, char cause[256])
{
    wide_path wide;
    HANDLE file;
    const char *at = bytes;
    DWORD error = widen(path, &wide);
    if (!error)
        error = open_wide(&wide, access, FILE_SHARE_READ | FILE_SHARE_DELETE, how, FILE_ATTRIBUTE_NORMAL, &file);
    if (error)
        return failed(cause, error);
    while (n > 0 && !error) {
        DWORD written = 0;
        if (!WriteFile(file, at, (DWORD)(n < most_at_once ? n : most_at_once), &written, NULL))
            error = GetLastError();
        else if (written == 0)
            error = ERROR_DISK_FULL;
        at += written;
        n -= written;
    }
    if (!CloseHandle(file) && !error)
        error = GetLastError();
    return error ? failed(cause, error) : 0;
}

static int file_write(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, GENERIC_WRITE, CREATE_ALWAYS, bytes, n, cause);
}

static int file_append(const char *path, const void *bytes, size_t n, char cause[256])
{
    return write_with(path, FILE_APPEND_DATA, OPEN_ALWAYS, bytes, n, cause);
}

int local_open(const char *path, local_file *opened, uint64_t *size, char cause[256])
{
    wide_path wide;
    HANDLE file;
    LARGE_INTEGER n = {.QuadPart = 0};
    DWORD error = widen(path, &wide);
    if (!error)
        error = open_wide(&wide, GENERIC_READ, for_all, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, &file);
    if (error)
        return number_of(error) == ENOENT ? local_missing(path, cause) : failed(cause, error);
    int number = GetFileType(file) == FILE_TYPE_DISK ? 0 : EINVAL;
    if (number)
        snprintf(cause, 256, "it is a pipe, a socket or a device, not a file");
    else if (!GetFileSizeEx(file, &n))
        number = failed(cause, GetLastError());
    *opened = (local_file)file;
    *size = (uint64_t)n.QuadPart;
    if (number)
        CloseHandle(file);
    return number;
}

int local_read(local_file file, int64_t offset, void *bytes, size_t n, size_t *n_read, char cause[256])
{
    for (*n_read = 0; *n_read < n;) {
        uint64_t at = (uint64_t)offset + *n_read;
        OVERLAPPED where = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
        size_t rest = n - *n_read;
        DWORD got = 0;
        if (!ReadFile((HANDLE)file, (char *)bytes + *n_read, (DWORD)(rest < most_at_once ? rest : most_at_once), &got,
                      &where)) {
            DWORD error = GetLastError();
            return error == ERROR_HANDLE_EOF ? 0 : failed(cause, error);
        }
        if (got == 0)
            break;
        *n_read += got;
    }
    return 0;
}

void local_close(local_file file)
{
    CloseHandle((HANDLE)file);
}

/* -- Names --------------------------------------------------------------------------------------------------------- */

static int file_make_folder(const char *path)
{
    wide_path wide;
    ULONGLONG end = 0;
    DWORD error = widen(path, &wide);
    if (error)
        return number_of(error);
    do
        error = CreateDirectoryW(wide.name, NULL) ? 0 : GetLastError();
    while (error == ERROR_ACCESS_DENIED && may_pass(error, &end)); /* one of this name is about to go */
    return error ? number_of(error) : 0;
}

static DWORD move(const char *from, const char *to, DWORD flags)
{
    wide_path wide_from, wide_to;
    ULONGLONG end = 0;
    DWORD error = widen(from, &wide_from);
    if (!error)
        error = widen(to, &wide_to);
    if (error)
        return error;
    for (;;) {
        if (MoveFileExW(wide_from.name, wide_to.name, flags))
            return 0;
        error = GetLastError();
        int is_there = attributes_of(&wide_to) != 0;
        if (error == ERROR_ACCESS_DENIED && is_there && flags == 0)
            return ERROR_ALREADY_EXISTS;
        if (error == ERROR_ACCESS_DENIED && is_folder(&wide_to))
            return ERROR_DIRECTORY_NOT_SUPPORTED;
        if (error == ERROR_ACCESS_DENIED && is_there && make_writable(&wide_to))
            continue;
        if (!may_pass(error, &end))
            return error;
    }
}

static int file_rename_new(const char *from, const char *to)
{
    DWORD error = move(from, to, 0);
    return error ? number_of(error) : 0;
}

static int file_rename_over(const char *from, const char *to)
{
    DWORD error = move(from, to, MOVEFILE_REPLACE_EXISTING);
    return error ? number_of(error) : 0;
}

/* Windows swaps no names: an overwrite is two renames. */
static int file_exchange(const char *a, const char *b)
{
    (void)a;
    (void)b;
    return ENOSYS;
}

int local_remove_file(const char *path)
{
    wide_path wide;
    ULONGLONG end = 0;
    DWORD error = widen(path, &wide);
    if (error)
        return number_of(error);
    int is_link_to_folder = (attributes_of(&wide) & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && is_folder(&wide);
    for (;;) {
        if (is_link_to_folder ? RemoveDirectoryW(wide.name) : DeleteFileW(wide.name))
            return 0;
        error = GetLastError();
        if (error == ERROR_ACCESS_DENIED && make_writable(&wide))
            continue;
        if (error == ERROR_ACCESS_DENIED && !is_link_to_folder && is_folder(&wide))
            return EISDIR;
        if (!may_pass(error, &end))
            return number_of(error);
    }
}

/* A file that is open somewhere else keeps its name, though it has been removed, until it is closed. */
int local_remove_folder(const char *path, int is_emptied)
{
    wide_path wide;
    ULONGLONG end = 0;
    DWORD error = widen(path, &wide);
    while (!error) {
        if (RemoveDirectoryW(wide.name))
            return 0;
        error = GetLastError();
        if (error == ERROR_ACCESS_DENIED && make_writable(&wide))
            error = 0;
        else if (error == ERROR_DIR_NOT_EMPTY ? is_emptied && may_pass(ERROR_SHARING_VIOLATION, &end)
                                              : may_pass(error, &end))
            error = 0;
    }
    return number_of(error);
}

static int file_remove_empty(const char *path)
{
    return local_remove_folder(path, 0);
}

int local_list(const char *path, char ***names, char cause[256])
{
    wide_path wide;
    WIN32_FIND_DATAW found;
    char *all = join(path, "*");
    *names = NULL;
    if (!all)
        return failed(cause, ERROR_OUTOFMEMORY);
    DWORD error = widen(all, &wide);
    free(all);
    if (error)
        return failed(cause, error);
    HANDLE search = FindFirstFileW(wide.name, &found);
    if (search == INVALID_HANDLE_VALUE)
        return failed(cause, GetLastError());
    name_list list = {.names = calloc(1, sizeof *list.names)};
    int number = list.names ? 0 : ENOMEM;
    while (!number && !error) {
        char name[3 * MAX_PATH + 1];
        if (!WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, found.cFileName, -1, name, sizeof name, NULL, NULL))
            error = GetLastError();
        else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            number = add_name(&list, strdup(name));
        if (!error && !FindNextFileW(search, &found))
            error = GetLastError();
    }
    FindClose(search);
    if (!number && error == ERROR_NO_MORE_FILES) {
        *names = list.names;
        return 0;
    }
    free_names(list.names);
    return failed(cause, number ? ERROR_OUTOFMEMORY : error);
}

/* -- The disk ------------------------------------------------------------------------------------------------------ */

static int sync_file(const char *path)
{
    wide_path wide;
    HANDLE file;
    DWORD error = widen(path, &wide);
    if (!error)
        error = open_wide(&wide, GENERIC_WRITE, for_all, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, &file);
    if (error)
        return number_of(error);
    error = FlushFileBuffers(file) ? 0 : GetLastError();
    CloseHandle(file);
    return error ? number_of(error) : 0;
}

/* Only an administrator may flush a file system at once, and folders cannot be flushed. */
int local_sync(const char *path)
{
    char cause[256];
    path_state what;
    int failure = local_look(path, &what, cause);
    if (failure || what.kind == KIND_FOLDER)
        return failure;
    return what.kind == KIND_NONE ? ENOENT : sync_file(path);
}

const folder_calls local_calls = {
    .look = local_look,
    .make_folder = file_make_folder,
    .write_file = file_write,
    .append_file = file_append,
    .read_file = local_read_file,
    .read_into = local_read_into,
    .measure = file_measure,
    .rename_new = file_rename_new,
    .rename_over = file_rename_over,
    .exchange = file_exchange,
    .sync = local_sync,
    .syncs_files = 1,
    .remove_tree = local_remove_tree,
    .remove_file = local_remove_file,
    .remove_empty = file_remove_empty,
    .list = local_list,
};

static int file_put_in_place(const char *partial, const char *path, const char *text, char cause[256])
{
    (void)text;
    DWORD error = move(partial, path, MOVEFILE_REPLACE_EXISTING);
    return error ? failed(cause, error) : 0;
}

const side_calls local_side_calls = {
    .read_file = local_read_file,
    .write_file = file_write,
    .publish = file_put_in_place,
    .sync = local_sync,
    .remove_file = local_remove_file,
    .may_be_part = 1,
};
