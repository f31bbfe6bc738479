/* entries.h: the input of the targets that take whole stores: for each file of the store a line "#: name" (0x01 0x3A name
 * 0x0A) and what it holds, up to the next such line. */
#ifndef FUZZ_ENTRIES_H
#define FUZZ_ENTRIES_H

#include <stdint.h>

/* Where the next line begins, or the end. */
static const uint8_t *next_name(const uint8_t *from, const uint8_t *end)
{
    for (; from + 1 < end; from++)
        if (from[0] == 1 && from[1] == ':')
            return from;
    return end;
}

#endif
