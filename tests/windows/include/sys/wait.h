/* wait.h: see posix.h. */
#ifndef TESTS_WINDOWS_WAIT_H
#define TESTS_WINDOWS_WAIT_H

#include "../posix.h"

#define WIFEXITED(status) 0
#define WIFSIGNALED(status) 0
#define WEXITSTATUS(status) (status)
#define WTERMSIG(status) (status)

#endif
