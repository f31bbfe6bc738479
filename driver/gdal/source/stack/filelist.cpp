/* filelist.cpp: see filelist.h. */
#include "source/stack/filelist.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "plugin/gdal_compat.h"
#include "plugin/guard.h"

constexpr int64_t most_list_bytes = 64 << 20;

static size_t name_begin(const std::string &path)
{
    return path.find_last_of("/\\") + 1; /* 0 where there is no folder */
}

static bool is_pattern(const std::string &path)
{
    return path.find_first_of("*?", name_begin(path)) != std::string::npos;
}

bool is_file_list(const std::string &path)
{
    const bool is_text = path.size() > 4 && EQUAL(path.c_str() + path.size() - 4, ".txt");
    VSIStatBufL status;
    return is_pattern(path) ||
           (is_text && VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) == 0 &&
            !VSI_ISDIR(status.st_mode));
}

/* *: any letters, ?: one. back is where to go on after the last *, should what follows it not fit here. */
static bool fits(const char *pattern, const char *name)
{
    const char *star = nullptr, *back = nullptr;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            back = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star != nullptr) {
            pattern = star;
            name = ++back;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Runs of digits count as numbers, however long: by their length without zeros, then digit by digit. */
static bool is_before(const std::string &a, const std::string &b)
{
    size_t i = 0, k = 0;
    while (i < a.size() && k < b.size()) {
        if (!is_digit(a[i]) || !is_digit(b[k])) {
            if (a[i] != b[k])
                return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[k]);
            i++;
            k++;
            continue;
        }
        const auto number = [](const std::string &text, size_t *at) {
            const size_t begin = text.find_first_not_of('0', *at);
            *at = std::min(text.find_first_not_of("0123456789", *at), text.size());
            return begin < *at ? text.substr(begin, *at - begin) : std::string();
        };
        const std::string of_a = number(a, &i), of_b = number(b, &k);
        if (of_a != of_b)
            return of_a.size() != of_b.size() ? of_a.size() < of_b.size() : of_a < of_b;
    }
    return a.size() - i != b.size() - k ? a.size() - i < b.size() - k : a < b;
}

static bool fail(const std::string &path, const char *why)
{
    CPLError(CE_Failure, CPLE_OpenFailed, "%s: %s", path.c_str(), why);
    return false;
}

bool read_file_list(const std::string &path, std::vector<std::string> *files)
{
    const std::string folder = path.substr(0, name_begin(path));
    files->clear();
    if (is_pattern(path)) {
        const CPLStringList names(VSIReadDir(folder.empty() ? "." : folder.c_str()));
        for (int i = 0; i < names.size(); i++)
            if (fits(path.c_str() + folder.size(), names[i]) && !EQUAL(names[i], ".") && !EQUAL(names[i], ".."))
                files->push_back(folder + names[i]);
        std::sort(files->begin(), files->end(), is_before);
        return !files->empty() || fail(path, "no file of its folder has such a name; correct the pattern");
    }
    GByte *bytes = nullptr;
    vsi_l_offset size = 0;
    if (!VSIIngestFile(nullptr, path.c_str(), &bytes, &size, most_list_bytes))
        return fail(path, "this list of files cannot be read, or has more than 64 MiB");
    const CPLStringList lines(
        CSLTokenizeString2(reinterpret_cast<const char *>(bytes), "\r\n", CSLT_STRIPLEADSPACES | CSLT_STRIPENDSPACES));
    VSIFree(bytes);
    for (int i = 0; i < lines.size(); i++)
        files->push_back(CPLIsFilenameRelative(lines[i]) ? folder + lines[i] : lines[i]);
    return !files->empty() || fail(path, "this list names no file; write one name per line");
}
