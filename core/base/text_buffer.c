/* text_buffer.c: see text_buffer.h. */
#include "base/text_buffer.h"

#include <stdlib.h>
#include <string.h>

void text_put_bytes(text_buffer *b, const char *bytes, size_t n)
{
    if (b->is_out)
        return;
    if (b->n + n + 1 > b->room) {
        b->room = 2 * (b->n + n + 1);
        char *more = realloc(b->text, b->room);
        if (!more) {
            free(b->text);
            *b = (text_buffer){.is_out = 1};
            return;
        }
        b->text = more;
    }
    memcpy(b->text + b->n, bytes, n);
    b->n += n;
    b->text[b->n] = '\0';
}

void text_put(text_buffer *b, const char *text)
{
    text_put_bytes(b, text, strlen(text));
}

/* Where a character stands for something else in XML, that; "" for one that XML 1.0 cannot hold at all (control characters,
 * U+FFFE, U+FFFF); NULL for all others. */
static const char *reference(const char *at, size_t *n)
{
    static const struct {
        char character;
        const char *reference;
    } table[] = {{'&', "&amp;"},  {'<', "&lt;"},  {'>', "&gt;"},   {'\'', "&apos;"},
                 {'"', "&quot;"}, {'\t', "&#9;"}, {'\n', "&#10;"}, {'\r', "&#13;"}};
    *n = 1;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (*at == table[i].character)
            return table[i].reference;
    if (strncmp(at, "\xEF\xBF\xBE", 3) == 0 || strncmp(at, "\xEF\xBF\xBF", 3) == 0) {
        *n = 3;
        return "";
    }
    return (unsigned char)*at < 0x20 ? "" : NULL;
}

void text_put_xml(text_buffer *b, const char *text)
{
    while (*text) {
        size_t n;
        const char *other = reference(text, &n);
        if (other)
            text_put(b, other);
        else
            text_put_bytes(b, text, n);
        text += n;
    }
}
