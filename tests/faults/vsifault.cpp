/* vsifault.cpp: a GDAL plugin that adds two file systems with faults (fault.h), both on plain files:
 *
 *     /vsifault//tmp/a          folders, renaming, writing anywhere: what /vsimem/ or a mounted archive is to the core
 *     /vsifaultobject//tmp/a    an object store: no folders to make, no renaming; an object is there, whole, when its
 * close has succeeded, or it is not there
 *
 * C++, because GDAL's C interface for handlers (VSIInstallPluginHandler) cannot say that there is no random writing,
 * and because that of 3.6 calls libc's unlink instead of the handler's. */
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi_error.h>
#include <cpl_vsi_virtual.h>
#include <gdal_version.h>

#include "fault.h"

extern "C" __attribute__((visibility("default"))) void GDALRegisterMe(void);

namespace
{

std::string real_path(const char *path)
{
    std::string real(strchr(path + 1, '/'));
    while (real.size() > 1 && real[1] == '/')
        real.erase(0, 1);
    return real;
}

bool fails(int fault)
{
    return fault == FAULT_FAIL || fault == FAULT_SHORT;
}

int end(int fault, int result)
{
    fault_after();
    if (fault == FAULT_LOST)
        errno = EIO;
    return fault == FAULT_LOST ? -1 : result;
}

/* What the newer minors have made of the two classes. */
#if GDAL_VERSION_NUM >= 3120000
using Opened = VSIVirtualHandleUniquePtr;
#define OF_HANDLER const
#else
using Opened = VSIVirtualHandle *;
#define OF_HANDLER
#endif
#if GDAL_VERSION_NUM >= 3130000
#define ITEMS size_t n
constexpr size_t size = 1;
#else
#define ITEMS size_t size, size_t n
#endif

template <class Place> void install(const char *prefix)
{
#if GDAL_VERSION_NUM >= 3130000
    VSIFileManager::InstallHandler(prefix, std::make_shared<Place>());
#else
    VSIFileManager::InstallHandler(prefix, new Place);
#endif
}

VSIVirtualHandle *open_real(const char *path, const char *access)
{
    return reinterpret_cast<VSIVirtualHandle *>(VSIFOpenL(real_path(path).c_str(), access));
}

/* The next call that reads, which has failed if this is true. */
bool cannot_read(const char *call, const char *path)
{
    return fault_next_read(call, path) == FAULT_FAIL;
}

/* Of a file that is read. VSI has no half reads that go on: what is short has failed. */
size_t read_from(VSIVirtualHandle *real, const std::string &path, void *to, size_t item, size_t n_items,
                 bool &has_failed)
{
    const int fault = fault_next_read("read", path.c_str()), number = errno;
    const size_t n_real = VSIFReadL(to, item,
                                    fault == FAULT_NONE    ? n_items
                                    : fault == FAULT_SHORT ? n_items / 2
                                                           : 0,
                                    reinterpret_cast<VSILFILE *>(real));
    if (fault != FAULT_NONE) {
        has_failed = true;
        errno = fault == FAULT_SHORT ? EIO : number;
    }
    return n_real;
}

/* -- Folders and files ----------------------------------------------------------------------------------------- */

class File final : public VSIVirtualHandle
{
    std::unique_ptr<VSIVirtualHandle> m_real;
    std::string m_path;
    bool m_is_written, m_has_failed = false;

  public:
    File(VSIVirtualHandle *real, const char *path, bool is_written)
        : m_real(real), m_path(real_path(path)), m_is_written(is_written)
    {
    }
    ~File() override
    {
        Close();
    }
    int Seek(vsi_l_offset offset, int whence) override
    {
        return m_real->Seek(offset, whence);
    }
    vsi_l_offset Tell() override
    {
        return m_real->Tell();
    }
    size_t Read(void *to, ITEMS) override
    {
        return read_from(m_real.get(), m_path, to, size, n, m_has_failed);
    }
    int Eof() override
    {
        return m_real->Eof();
    }
    int Error() /* asked from GDAL 3.10 on, with ClearErr */
    {
        return m_has_failed;
    }
    void ClearErr()
    {
        m_has_failed = false;
    }
    size_t Write(const void *from, ITEMS) override
    {
        const int fault = fault_next("write", m_path.c_str());
        if (fault == FAULT_FAIL)
            return 0;
        if (fault == FAULT_SHORT) {
            VSIFWriteL(from, 1, size * n / 2, reinterpret_cast<VSILFILE *>(m_real.get()));
            errno = ENOSPC;
            return n / 2;
        }
        const size_t written = VSIFWriteL(from, size, n, reinterpret_cast<VSILFILE *>(m_real.get()));
        return end(fault, 0) == 0 ? written : 0;
    }
    int Flush() override
    {
        const int fault = fault_next("flush", m_path.c_str());
        return fails(fault) ? -1 : end(fault, m_real->Flush());
    }
    int Truncate(vsi_l_offset n) override
    {
        const int fault = fault_next("truncate", m_path.c_str());
        return fails(fault) ? -1 : end(fault, m_real->Truncate(n));
    }
    int Close() override
    {
        if (!m_real)
            return 0;
        const int fault = m_is_written ? fault_next("close", m_path.c_str()) : FAULT_NONE;
        const int result = m_real->Close();
        m_real.reset();
        struct stat s;
        if (fails(fault)) { /* what was still to be stored is lost */
            if (stat(m_path.c_str(), &s) == 0 && truncate(m_path.c_str(), s.st_size / 2) != 0)
                abort();
            return -1;
        }
        return end(fault, result);
    }
};

class Files final : public VSIFilesystemHandler
{
  public:
    Opened Open(const char *path, const char *access, bool, CSLConstList) override
    {
        return Opened(open(path, access));
    }
    static VSIVirtualHandle *open(const char *path, const char *access)
    {
        if (strpbrk(access, "wa+") == nullptr) {
            VSIVirtualHandle *found = cannot_read("open", path) ? nullptr : open_real(path, access);
            return found != nullptr ? new File(found, path, false) : nullptr;
        }
        const int fault = fault_next("open", path);
        if (fails(fault))
            return nullptr;
        VSIVirtualHandle *real = open_real(path, access);
        if (fault == FAULT_LOST && real != nullptr) { /* it was made, and nobody knows */
            real->Close();
            delete real;
            real = nullptr;
        }
        fault_after();
        return real != nullptr ? new File(real, path, true) : nullptr;
    }
    int Stat(const char *path, VSIStatBufL *s, int flags) override
    {
        return cannot_read("stat", path) ? -1 : VSIStatExL(real_path(path).c_str(), s, flags);
    }
    int Unlink(const char *path) override
    {
        const int fault = fault_next("unlink", path);
        return fails(fault) ? -1 : end(fault, VSIUnlink(real_path(path).c_str()));
    }
#if GDAL_VERSION_NUM >= 3110000
    int Rename(const char *from, const char *to, GDALProgressFunc, void *) override
#else
    int Rename(const char *from, const char *to) override
#endif
    {
        const int fault = fault_next("rename", to);
        return fails(fault) ? -1 : end(fault, VSIRename(real_path(from).c_str(), real_path(to).c_str()));
    }
    int Mkdir(const char *path, long mode) override
    {
        const int fault = fault_next("mkdir", path);
        return fails(fault) ? -1 : end(fault, VSIMkdir(real_path(path).c_str(), mode));
    }
    int Rmdir(const char *path) override
    {
        const int fault = fault_next("rmdir", path);
        return fails(fault) ? -1 : end(fault, VSIRmdir(real_path(path).c_str()));
    }
    char **ReadDirEx(const char *path, int most) override
    {
        return cannot_read("list", path) ? nullptr : VSIReadDirEx(real_path(path).c_str(), most);
    }
};

/* -- Objects --------------------------------------------------------------------------------------------------- */

void make_folders(const std::string &path)
{
    for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        mkdir(path.substr(0, slash).c_str(), 0777);
}

/* An object has no folders: those that hold nothing any more go with it. */
void remove_folders(std::string path)
{
    do {
        path.resize(path.rfind('/'));
    } while (!path.empty() && rmdir(path.c_str()) == 0);
}

class Upload final : public VSIVirtualHandle
{
    std::string m_path, m_bytes{};
    bool m_is_open = true;

  public:
    explicit Upload(const std::string &path) : m_path(path)
    {
    }
    ~Upload() override
    {
        Close();
    }
    int Seek(vsi_l_offset offset, int whence) override
    {
        const bool stays = (whence == SEEK_SET && offset == m_bytes.size()) || (whence != SEEK_SET && offset == 0);
        errno = EINVAL;
        return stays ? 0 : -1;
    }
    vsi_l_offset Tell() override
    {
        return m_bytes.size();
    }
#if GDAL_VERSION_NUM >= 3130000
    size_t Read(void *, size_t) override
#else
    size_t Read(void *, size_t, size_t) override
#endif
    {
        return 0;
    }
    int Eof() override
    {
        return 0;
    }
    int Error() /* asked from GDAL 3.10 on, with ClearErr */
    {
        return 0;
    }
    void ClearErr()
    {
    }
    size_t Write(const void *from, ITEMS) override
    {
        const int fault = fault_next("write", m_path.c_str());
        const size_t taken = fault == FAULT_NONE ? n : fault == FAULT_SHORT ? n / 2 : 0;
        m_bytes.append(static_cast<const char *>(from), size * taken);
        fault_after();
        return taken;
    }
    int Close() override
    {
        if (!m_is_open)
            return 0;
        m_is_open = false;
        const int fault = fault_next("put", m_path.c_str());
        if (fails(fault))
            return -1;
        const std::string coming = m_path + ".coming";
        make_folders(m_path);
        FILE *file = fopen(coming.c_str(), "wb");
        bool is_stored = file != nullptr && fwrite(m_bytes.data(), 1, m_bytes.size(), file) == m_bytes.size();
        is_stored = file != nullptr && fclose(file) == 0 && is_stored;
        is_stored = is_stored && rename(coming.c_str(), m_path.c_str()) == 0;
        fault_after();
        return is_stored && fault == FAULT_NONE ? 0 : -1;
    }
};

class ObjectStore final : public VSIFilesystemHandler
{
    /* A request that was not answered: the handlers of GDAL's object stores say so in VSI's own error, too. */
    static bool is_unanswered(const char *request, const char *path)
    {
        if (!cannot_read(request, path))
            return false;
        const int number = errno;
        VSIError(VSIE_AWSError, "%s: %s", request, strerror(number));
        errno = number;
        return true;
    }

    /* The folders here are nothing there, whether the file system below lets them be opened or not. */
    static bool is_object(const std::string &real)
    {
        struct stat there;
        const bool is_there = stat(real.c_str(), &there) == 0;
        if (is_there && S_ISDIR(there.st_mode))
            errno = ENOENT;
        return is_there && !S_ISDIR(there.st_mode);
    }

  public:
    Opened Open(const char *path, const char *access, bool, CSLConstList) override
    {
        return Opened(open(path, access));
    }
    static VSIVirtualHandle *open(const char *path, const char *access)
    {
        const std::string real = real_path(path);
        if (strchr(access, '+') != nullptr || *access == 'a') {
            errno = EINVAL;
            return nullptr;
        }
        if (*access == 'r') {
            if (is_unanswered("get", path))
                return nullptr;
            VSIVirtualHandle *found = is_object(real) ? open_real(path, access) : nullptr;
            return found != nullptr ? new File(found, path, false) : nullptr;
        }
        if (fault_next("open", path) != FAULT_NONE)
            return nullptr;
        fault_after();
        return new Upload(real);
    }
    int Stat(const char *path, VSIStatBufL *s, int flags) override
    {
        return is_unanswered("head", path) ? -1 : VSIStatExL(real_path(path).c_str(), s, flags);
    }
    int Unlink(const char *path) override
    {
        const std::string real = real_path(path);
        const int fault = fault_next("delete", path);
        if (fails(fault))
            return -1;
        const int result = is_object(real) ? unlink(real.c_str()) : -1;
        if (result == 0)
            remove_folders(real);
        return end(fault, result);
    }
    char **ReadDirEx(const char *path, int most) override
    {
        return is_unanswered("list", path) ? nullptr : VSIReadDirEx(real_path(path).c_str(), most);
    }
    bool IsLocal(const char *) OF_HANDLER override
    {
        return false;
    }
    bool SupportsRandomWrite(const char *, bool) override
    {
        return false;
    }
};

} // namespace

void GDALRegisterMe(void)
{
    install<Files>("/vsifault/");
    install<ObjectStore>("/vsifaultobject/");
}
