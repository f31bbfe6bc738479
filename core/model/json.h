/* json.h: JSON text that may come from anywhere. Text is judged before a tree is built from it: size, depth, count,
 * grammar, UTF-8, duplicate keys; and parts of a text can be cut out unchanged, so that 64-bit numbers stay exact. */
#ifndef NGFF_MODEL_JSON_H
#define NGFF_MODEL_JSON_H

#include <stddef.h>

#include "error.h"

enum { json_max_bytes = 16 << 20, json_max_depth = 64, json_max_nodes = 200000 };

/* Part of a text, not NUL-terminated; text is NULL where there is none. */
typedef struct {
    const char *text;
    size_t n;
} json_span;

typedef struct {
    size_t bytes;
    int depth;
    long nodes;
} json_limits;

/* Limits for a text of n bytes that has been judged before, or whose size was: no more values than it can hold. */
json_limits json_limits_of(size_t n);

/* True if the n bytes are valid UTF-8 without NUL. */
int utf8_is_valid(const char *text, size_t n);

/* Checks that text[0..n) is exactly one JSON value within the limits (NULL: those above), without duplicate keys and
 * without numbers beyond double, whatever the process's locale is. where: what the text is, for the message.
 * NGFF_E_CORRUPT if not; NGFF_E_MEMORY. */
int32_t json_check(const char *text, size_t n, const json_limits *limits, const char *where, error *e);
/* As json_check, and gives the tree. */
struct cJSON *json_parse(const char *text, size_t n, const json_limits *limits, const char *where, error *e);

/* The value of an object's member in a text that json_check has accepted. A span without text gives one again. */
json_span json_member(json_span object, const char *name);
json_span json_item(json_span array, int index);
json_span json_whole(const char *text);
/* The members of such an object, one after the other: the next one from *at on, 0 at first; the name without its
 * quotes, as it is written. Returns 0 after the last. */
int json_next(json_span object, size_t *at, json_span *name, json_span *value);
/* A malloc'ed copy with NUL. */
char *json_copy(json_span span);

#endif
