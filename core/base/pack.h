/* pack.h: a description that says each field once, and by which they are kept as bytes and read again. The bytes are for
 * this release of the library, on machines of this kind: whoever keeps them keeps a digest of them, too. */
#ifndef NGFF_BASE_PACK_H
#define NGFF_BASE_PACK_H

#include <stdint.h>

#include "base/error.h"
#include "base/text_buffer.h"

typedef struct {
    text_buffer out;           /* what is kept */
    const uint8_t *from, *end; /* what is read; NULL: it is kept */
    int is_broken;             /* something was not there, or memory is out */
} pack;

static inline int pack_reads(const pack *p)
{
    return p->from != NULL;
}

void pack_bytes(pack *p, void *bytes, size_t n);
/* A text, or NULL; the one that is read is for free(), in the place of NULL. */
void pack_text(pack *p, char **text);
/* A count that is read is at most `most`; else it is 0 and the pack is broken. */
void pack_count(pack *p, int64_t *n, int64_t most);
#define pack_field(p, field) pack_bytes(p, &(field), sizeof(field))

/* Puts the digest behind all that is kept. 0 when memory was out. */
int pack_seal(pack *p);
/* Whether n bytes end with their digest; then *p reads what is before it. */
int pack_open(pack *p, const void *bytes, size_t n);

#endif
