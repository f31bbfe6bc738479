/* orientation.c: see orientation.h. The words are those of RFC-4, section "Proposal". */
#include "base/orientation.h"

#include <string.h>

#include "base/ascii.h"

#define ORIENTATIONS(WORD)                                                                                             \
    WORD("left-to-right")                                                                                              \
    WORD("right-to-left")                                                                                              \
    WORD("anterior-to-posterior")                                                                                      \
    WORD("posterior-to-anterior")                                                                                      \
    WORD("inferior-to-superior")                                                                                       \
    WORD("superior-to-inferior")                                                                                       \
    WORD("dorsal-to-ventral")                                                                                          \
    WORD("ventral-to-dorsal")                                                                                          \
    WORD("dorsal-to-palmar")                                                                                           \
    WORD("palmar-to-dorsal")                                                                                           \
    WORD("dorsal-to-plantar")                                                                                          \
    WORD("plantar-to-dorsal")                                                                                          \
    WORD("rostral-to-caudal")                                                                                          \
    WORD("caudal-to-rostral")                                                                                          \
    WORD("cranial-to-caudal")                                                                                          \
    WORD("caudal-to-cranial")                                                                                          \
    WORD("proximal-to-distal")                                                                                         \
    WORD("distal-to-proximal")

#define ITEM(word) word,
#define LISTED(word) ", " word

static const char *const words[] = {ORIENTATIONS(ITEM)};

const char *orientation_name(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t k = 0;
        while (k < n && words[i][k] && ascii_lower(word[k]) == words[i][k])
            k++;
        if (k == n && !words[i][k])
            return words[i];
    }
    return NULL;
}

const char *orientation_list(void)
{
    static const char list[] = "" ORIENTATIONS(LISTED);
    return list + 2;
}
