/* check.h: the whole test framework. A test is a function whose name is a sentence; CHECK reports and goes on. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: in %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition);                 \
            check_failures++;                                                                                          \
        }                                                                                                              \
    } while (0)

#define CHECK_INT(actual, expected)                                                                                    \
    do {                                                                                                               \
        long long a_ = (long long)(actual), e_ = (long long)(expected);                                                \
        if (a_ != e_) {                                                                                                \
            fprintf(stderr, "%s:%d: in %s: %s is %lld, not %lld\n", __FILE__, __LINE__, __func__, #actual, a_, e_);    \
            check_failures++;                                                                                          \
        }                                                                                                              \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                                                   \
    do {                                                                                                               \
        const char *a_ = (actual), *e_ = (expected);                                                                   \
        if (!a_ || strcmp(a_, e_) != 0) {                                                                              \
            fprintf(stderr, "%s:%d: in %s: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, __func__, #actual,         \
                    a_ ? a_ : "(null)", e_);                                                                           \
            check_failures++;                                                                                          \
        }                                                                                                              \
    } while (0)

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        int before_ = check_failures;                                                                                  \
        test();                                                                                                        \
        printf("%s %s\n", check_failures == before_ ? "ok  " : "FAIL", #test);                                         \
    } while (0)

/* For what other systems have no call for: a child by fork, signals, pipes, symbolic links, users. */
#if defined(_WIN32)
#define RUN_POSIX(test, why) ((void)test, (void)printf("not here: %s: %s\n", #test, why))
#else
#define RUN_POSIX(test, why) RUN(test)
#endif

#define CHECK_EXIT() return check_failures ? 1 : 0

#endif
