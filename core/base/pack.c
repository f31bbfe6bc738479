/* pack.c: see pack.h. */
#include "base/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

void pack_bytes(pack *p, void *bytes, size_t n)
{
    if (!pack_reads(p)) {
        text_put_bytes(&p->out, bytes, n);
        return;
    }
    p->is_broken |= (size_t)(p->end - p->from) < n;
    if (p->is_broken) {
        memset(bytes, 0, n);
        return;
    }
    memcpy(bytes, p->from, n);
    p->from += n;
}

void pack_text(pack *p, char **text)
{
    int64_t n = !pack_reads(p) && *text ? (int64_t)strlen(*text) : -1;
    pack_field(p, n);
    if (!pack_reads(p) && n >= 0)
        text_put_bytes(&p->out, *text, (size_t)n);
    if (!pack_reads(p) || n < 0 || p->is_broken)
        return;
    *text = n <= p->end - p->from ? malloc((size_t)n + 1) : NULL;
    p->is_broken |= !*text;
    if (!*text)
        return;
    pack_bytes(p, *text, (size_t)n);
    (*text)[n] = '\0';
}

void pack_count(pack *p, int64_t *n, int64_t most)
{
    pack_field(p, *n);
    if (*n >= 0 && *n <= most)
        return;
    *n = 0;
    p->is_broken = 1;
}

int pack_seal(pack *p)
{
    uint8_t digest[sha256_size];
    sha256_of(p->out.text, p->out.n, digest);
    text_put_bytes(&p->out, (const char *)digest, sizeof digest);
    return !p->out.is_out;
}

int pack_open(pack *p, const void *bytes, size_t n)
{
    uint8_t digest[sha256_size];
    if (n < sizeof digest)
        return 0;
    sha256_of(bytes, n - sizeof digest, digest);
    *p = (pack){.from = bytes, .end = (const uint8_t *)bytes + n - sizeof digest};
    return memcmp(digest, p->end, sizeof digest) == 0;
}
