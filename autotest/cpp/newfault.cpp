/* newfault.cpp: for LD_PRELOAD: an operator new that throws std::bad_alloc at the n-th call that comes out of the plugin,
 * and at none of GDAL's own, which knows no exceptions. new_fault_set(n) arms it for the calling process, 0 disarms it;
 * new_fault_count() tells how many calls there were since. */
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <new>

static std::atomic<long> armed{0}, count{0};
static std::atomic<const char *> low{nullptr}, high{nullptr};

static int look_for_plugin(struct dl_phdr_info *info, size_t, void *)
{
    if (info->dlpi_name == nullptr || strstr(info->dlpi_name, "gdal_OMEZARR") == nullptr)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0) {
            low = reinterpret_cast<const char *>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            high = low + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

extern "C" __attribute__((visibility("default"))) void new_fault_set(long n)
{
    dl_iterate_phdr(look_for_plugin, nullptr);
    count = 0;
    armed = n;
}

extern "C" __attribute__((visibility("default"))) long new_fault_count()
{
    return count;
}

void *operator new(size_t size)
{
    const auto *caller = static_cast<const char *>(__builtin_return_address(0));
    if (armed > 0 && low != nullptr && caller >= low && caller < high && ++count == armed)
        throw std::bad_alloc();
    if (void *memory = malloc(size > 0 ? size : 1))
        return memory;
    throw std::bad_alloc();
}

void *operator new[](size_t size)
{
    const auto *caller = static_cast<const char *>(__builtin_return_address(0));
    if (armed > 0 && low != nullptr && caller >= low && caller < high && ++count == armed)
        throw std::bad_alloc();
    if (void *memory = malloc(size > 0 ? size : 1))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void *memory) noexcept
{
    free(memory);
}

void operator delete[](void *memory) noexcept
{
    free(memory);
}

void operator delete(void *memory, size_t) noexcept
{
    free(memory);
}

void operator delete[](void *memory, size_t) noexcept
{
    free(memory);
}
