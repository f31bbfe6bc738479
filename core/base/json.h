/* json.h: JSON text that may come from anywhere. Text is judged before a tree is built from it: size, depth, count,
 * grammar, UTF-8, duplicate keys; and parts of a text can be cut out unchanged, so that 64-bit numbers stay exact. */
#ifndef NGFF_BASE_JSON_H
#define NGFF_BASE_JSON_H

#include <stddef.h>

#include "base/error.h"
#include "base/warnings.h"

enum { json_max_bytes = 16 << 20, json_max_depth = 64, json_max_nodes = 200000 };

/* Part of a text, not NUL-terminated; text is NULL where there is none. */
typedef struct {
    const char *text;
    size_t n;
} json_span;

/* wanted: where a text has too many values, only these members of its outermost object, of its "attributes" and of
 * "ome" in them are in the tree; the others are 0. NULL: it is refused then. advice: what the message of that ends with,
 * or NULL. */
typedef struct {
    size_t bytes;
    int depth;
    long nodes;
    const char *const *wanted;
    const char *advice;
} json_limits;

/* Limits for a text of n bytes that has been judged before, or whose size was: no more values than it can hold. */
json_limits json_limits_of(size_t n);

/* True if the n bytes are valid UTF-8 without NUL. */
int utf8_is_valid(const char *text, size_t n);

/* Bytes of the UTF-8 character at p, of at most n; 0 if it is none. */
size_t utf8_length(const unsigned char *p, size_t n);

/* Checks that text[0..n) is exactly one JSON value within the limits (NULL: those above), without duplicate keys and
 * without numbers beyond double, whatever the process's locale is. where: what the text is, for the message.
 * NGFF_E_CORRUPT if not; NGFF_E_UNSUPPORTED beyond the limits; NGFF_E_MEMORY. */
int32_t json_check(const char *text, size_t n, const json_limits *limits, const char *where, error *e);
/* As json_check, and gives the tree. */
struct cJSON *json_parse(const char *text, size_t n, const json_limits *limits, const char *where, error *e);

/* A part of a text that json_check has accepted, as a tree; NULL where there is none. */
struct cJSON *json_tree(json_span span, const char *where, error *e);

/* As json_parse, for texts that anybody may have written: what is no JSON in a way that is known is mended, in *text
 * (malloc'ed, with a NUL behind it, and perhaps another afterwards) as in the tree, and told: a byte order mark, numbers
 * that are none, bad characters in strings, a key that is there twice. */
struct cJSON *json_parse_mended(char **text, size_t *n, const json_limits *limits, const char *where, warnings *told,
                                error *e);
/* The first part of that: a new text, or NULL where there was nothing to mend, or no memory. Both have a NUL behind
 * them. */
char *json_mend(const char *text, size_t n, size_t *n_mended, const char *where, warnings *told);
/* A root's document is long because of its copies of others, and its beginning, n bytes, is all that there is: ends it in
 * front of the copies, where its attributes come before them. What may come behind them follows from their being there.
 * Returns the new length, or 0. text: n + 1 bytes. */
size_t json_cut_copies(char *text, size_t n);

/* The value of an object's member in a text that json_check has accepted. A span without text gives one again. */
json_span json_member(json_span object, const char *name);
json_span json_item(json_span array, int index);
json_span json_whole(const char *text);
/* The members of such an object, one after the other: the next one from *at on, 0 at first; the name without its
 * quotes, as it is written. Returns 0 after the last. */
int json_next(json_span object, size_t *at, json_span *name, json_span *value);
/* The text of such an object, malloc'ed, in which the member at a path of n names has another value; what is missing on
 * the way is made, all else stays as it is written. Names need no escapes. NULL: out of memory, or what is on the way is
 * no object. */
char *json_put(json_span object, const char *const *path, int n, const char *value);
/* A malloc'ed copy with NUL. */
char *json_copy(json_span span);

#endif
