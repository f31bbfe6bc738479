/* locales.h: locales that may not be installed, made by localedef and kept below the folder in which the tests run. */
#ifndef TESTS_LOCALES_H
#define TESTS_LOCALES_H

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The whole process in a locale such as "tr_TR", as UTF-8. 0, and a line that says why, where it cannot be had. */
static int locale_enter(const char *name)
{
    char folder[1024], command[4096], full[64];
    snprintf(full, sizeof full, "%s.UTF-8", name);
    if (getcwd(folder, sizeof folder - 10)) {
        strcat(folder, "/locales");
        /* Made under a name of its own: another test may make it at the same time. */
        snprintf(command, sizeof command,
                 "test -d '%s/%s' || { mkdir -p '%s' && localedef -i %s -f UTF-8 '%s/%s.%d' && "
                 "mv -T '%s/%s.%d' '%s/%s' || rm -rf '%s/%s.%d'; } >/dev/null 2>&1",
                 folder, full, folder, name, folder, full, (int)getpid(), folder, full, (int)getpid(), folder, full,
                 folder, full, (int)getpid());
        setenv("LOCPATH", folder, 1);
        if (system(command) >= 0 && setlocale(LC_ALL, full))
            return 1;
    }
    unsetenv("LOCPATH");
    if (setlocale(LC_ALL, full))
        return 1;
    printf("skipped: there is no locale %s here, and localedef cannot make one\n", full);
    return 0;
}

#endif
