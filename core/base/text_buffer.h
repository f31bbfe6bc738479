/* text_buffer.h: text that grows. */
#ifndef NGFF_BASE_TEXT_BUFFER_H
#define NGFF_BASE_TEXT_BUFFER_H

#include <stddef.h>

typedef struct {
    char *text; /* NULL: nothing yet, or memory was out */
    size_t n, room;
    int is_out; /* memory was out: the text stays NULL */
} text_buffer;

void text_put(text_buffer *b, const char *text);
void text_put_bytes(text_buffer *b, const char *bytes, size_t n);
/* As content or as an attribute's value of XML 1.0, between quotes of either kind; what it cannot hold is left out. */
void text_put_xml(text_buffer *b, const char *text);

#endif
