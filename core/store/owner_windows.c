/* owner_windows.c: the start of a process is its time of creation, which is that of the clock: it is enough to tell apart
 * processes that have had the same number, before and after any start of the machine. */
#include "store/owner.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

static const char no_boot[] = "windows";

/* Machines are copied with their names; Windows gives each installation a number of its own. */
void owner_machine(char name[128])
{
    WCHAR host[81], id[64];
    DWORD n_host = 81, n_id = sizeof id;
    char text[3 * 81] = "", number[3 * 64] = "";
    if (GetComputerNameExW(ComputerNamePhysicalDnsHostname, host, &n_host))
        WideCharToMultiByte(CP_UTF8, 0, host, -1, text, sizeof text, NULL, NULL);
    if (RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Cryptography", L"MachineGuid",
                     RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY, NULL, id, &n_id) == ERROR_SUCCESS)
        WideCharToMultiByte(CP_UTF8, 0, id, -1, number, sizeof number, NULL, NULL);
    snprintf(name, 128, "%.80s+%.36s", text[0] ? text : "unknown", number);
    for (char *blank = name; (blank = strchr(blank, ' ')) != NULL;)
        *blank = '_'; /* the name is a word of a line */
}

void owner_boot(char word[16])
{
    snprintf(word, 16, "%s", no_boot);
}

void owner_start(long process, char start[64])
{
    FILETIME began, ended, kernel, user;
    HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)process);
    snprintf(start, 64, "-");
    if (handle && GetProcessTimes(handle, &began, &ended, &kernel, &user))
        snprintf(start, 64, "%s:%llu", no_boot,
                 (unsigned long long)began.dwHighDateTime << 32 | (unsigned long long)began.dwLowDateTime);
    if (handle)
        CloseHandle(handle);
}

/* A process that has ended has its number as long as somebody holds a handle of it. One that we may not look at lives. */
int owner_process_is_gone(long process)
{
    DWORD code = STILL_ACTIVE;
    HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)process);
    if (!handle)
        return GetLastError() == ERROR_INVALID_PARAMETER;
    int is_gone = GetExitCodeProcess(handle, &code) && code != STILL_ACTIVE;
    CloseHandle(handle);
    return is_gone;
}
